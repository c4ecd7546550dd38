/*
 * Tokens. A private key signs JWTs for the account's own host (docs: "Using key-pair authentication"); with such a one
 * the streaming service's host and a token for it are asked for ("Get Hostname", "Exchange Scoped Token"). No error and
 * no log line holds a token or a key.
 */
#include "sink/snowflake/snowflake_internal.h"

#include "base/clock.h"
#include "format/json_text.h"
#include "net/jwt.h"
#include "net/token.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#define KEY_MAX ((size_t)1 << 20)
#define TOKEN_MAX ((size_t)64 << 10)
#define LIFE_SECONDS 3540 /* a JWT may live for an hour */
#define SECOND_US INT64_C(1000000)
#define JWT_USE_US (45 * SECOND_US) /* by one page, a JWT that is older than a minute is refused (error 394302) */
#define SCOPED_USE_US (50 * 60 * SECOND_US)

struct pgc_sf_auth {
    pgc_jwt_key *key;
    char *issuer, *subject;
    pthread_mutex_t lock; /* guards what follows */
    char *jwt;
    int64_t jwt_until_us;        /* on the clock that only goes forward */
    pthread_mutex_t ingest_lock; /* guards what follows; taken before `lock` */
    char *base, *scoped;
    int64_t scoped_until_us;
};

int pgc_sf_uuid(char uuid[PGC_SF_UUID_SIZE], pgconvoy_error *err)
{
    unsigned char b[16];
    if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_RESOURCE, "there is no randomness to be had: %s", strerror(errno));
        return -1;
    }
    b[6] = (b[6] & 0x0f) | 0x40; /* RFC 9562: version 4 */
    b[8] = (b[8] & 0x3f) | 0x80;
    snprintf(uuid, PGC_SF_UUID_SIZE, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
             b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
    return 0;
}

/* ---- the key */

/* ACCOUNT.USER: upper case, without the region that may follow an account's locator. */
static int name_issuer(pgc_sf_auth *auth, const pgc_sf_target *target, pgconvoy_error *err)
{
    pgc_buffer text;
    pgc_buffer_init(&text, 4096);
    for (const char *c = target->account; *c && *c != '.'; c++)
        pgc_buffer_byte(&text, (char)toupper((unsigned char)*c));
    pgc_buffer_format(&text, ".%s", target->user);
    int result = pgc_buffer_check(&text, err);
    if (result == 0 && !(auth->subject = strdup(text.data)))
        result = pgc_error_out_of_memory(err);
    pgc_buffer_text(&text, ".SHA256:");
    if (result == 0)
        result = pgc_jwt_key_fingerprint(auth->key, &text, err);
    if (result == 0 && !(auth->issuer = strdup(text.data)))
        result = pgc_error_out_of_memory(err);
    pgc_buffer_free(&text);
    return result;
}

int pgc_sf_auth_open(pgc_sf_sink *sink, pgconvoy_error *err)
{
    pgc_buffer pem;
    char what[600];
    const char *environment = getenv("PGCONVOY_SNOWFLAKE_KEY_FILE");
    const char *path = sink->target.key_file ? sink->target.key_file : environment;
    if (!path || !*path) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "there is no private key for Snowflake");
        pgconvoy_error_hint(err, "name its file with private_key_file in the target, or in the environment variable "
                                 "PGCONVOY_SNOWFLAKE_KEY_FILE");
        return -1;
    }
    pgc_sf_auth *auth = calloc(1, sizeof *auth);
    if (!auth)
        return pgc_error_out_of_memory(err);
    sink->auth = auth;
    pthread_mutex_init(&auth->lock, NULL);
    pthread_mutex_init(&auth->ingest_lock, NULL);
    snprintf(what, sizeof what, "the key in %.500s", path);
    pgc_buffer_init(&pem, KEY_MAX);
    int result = pgc_token_read_file(path, &pem, err);
    pgc_buffer_append(&pem, "", 0);
    if (result == 0) {
        auth->key = pgc_jwt_key_read(pem.data, getenv("PGCONVOY_SNOWFLAKE_PASSPHRASE"), what, err);
        result = auth->key ? name_issuer(auth, &sink->target, err) : -1;
    }
    if (pem.data)
        explicit_bzero(pem.data, pem.length);
    pgc_buffer_free(&pem);
    return result;
}

static void forget(char **secret)
{
    if (*secret)
        explicit_bzero(*secret, strlen(*secret));
    free(*secret);
    *secret = NULL;
}

void pgc_sf_auth_free(pgc_sf_auth *auth)
{
    if (!auth)
        return;
    pgc_jwt_key_free(auth->key);
    forget(&auth->jwt);
    forget(&auth->scoped);
    free(auth->base);
    free(auth->issuer);
    free(auth->subject);
    pthread_mutex_destroy(&auth->lock);
    pthread_mutex_destroy(&auth->ingest_lock);
    free(auth);
}

/* ---- JWTs */

static int sign(pgc_sf_auth *auth, pgconvoy_error *err)
{
    pgc_buffer claims, token;
    long long now = (long long)(pgc_clock_unix_us() / SECOND_US);
    pgc_buffer_init(&claims, TOKEN_MAX);
    pgc_buffer_init(&token, TOKEN_MAX);
    pgc_buffer_text(&claims, "{\"iss\":");
    pgc_json_string(&claims, auth->issuer);
    pgc_buffer_text(&claims, ",\"sub\":");
    pgc_json_string(&claims, auth->subject);
    pgc_buffer_format(&claims, ",\"iat\":%lld,\"exp\":%lld}", now, now + LIFE_SECONDS);
    int result = pgc_buffer_check(&claims, err);
    if (result == 0)
        result = pgc_jwt_sign(auth->key, NULL, claims.data, &token, err);
    if (result == 0 && !(auth->jwt = strdup(token.data)))
        result = pgc_error_out_of_memory(err);
    if (token.data)
        explicit_bzero(token.data, token.length);
    pgc_buffer_free(&claims);
    pgc_buffer_free(&token);
    auth->jwt_until_us = pgc_clock_monotonic_us() + JWT_USE_US;
    return result;
}

int pgc_sf_auth_jwt(pgc_sf_sink *sink, pgc_buffer *token, pgconvoy_error *err)
{
    pgc_sf_auth *auth = sink->auth;
    pthread_mutex_lock(&auth->lock);
    if (auth->jwt && pgc_clock_monotonic_us() > auth->jwt_until_us)
        forget(&auth->jwt);
    int result = auth->jwt ? 0 : sign(auth, err);
    if (result == 0)
        pgc_buffer_text(token, auth->jwt);
    pthread_mutex_unlock(&auth->lock);
    return result == 0 ? pgc_buffer_check(token, err) : -1;
}

/* ---- the streaming service */

/* The answer's field, or the answer itself: the tutorial has it bare, the reference as JSON. */
static const char *field_or_text(const pgc_sf_answer *answer, const char *name)
{
    const char *text = pgc_json_get_text(answer->body, name);
    if (text)
        return text;
    bool bare = answer->text && *answer->text && *answer->text != '{' && strcspn(answer->text, " \t\r\n\"") > 0;
    return bare ? answer->text : NULL;
}

static int no_answer(const char *doing, pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "%s: the answer has none", doing);
    return -1;
}

static int ask_host(pgc_sf_sink *sink, pgc_arena *arena, const char **host, pgconvoy_error *err)
{
    pgc_sf_answer answer;
    const pgc_sf_request request = {
        .method = "GET", .path = "/v2/streaming/hostname", .doing = "asking for the streaming service's host"};
    if (pgc_sf_call(sink, &request, arena, &answer, err) != 0)
        return -1;
    const char *text = field_or_text(&answer, "hostname");
    if (!text)
        return no_answer(request.doing, err);
    char *name = pgc_arena_strndup(arena, text, strcspn(text, "\r\n"));
    for (char *c = name; c && *c; c++)
        *c = *c == '_' ? '-' : *c; /* docs: the tutorial's note on account names with underscores */
    *host = name;
    return name ? 0 : pgc_error_out_of_memory(err);
}

static int ask_token(pgc_sf_sink *sink, pgc_arena *arena, const char *host, const char **token, pgconvoy_error *err)
{
    pgc_sf_answer answer;
    pgc_buffer form;
    pgc_buffer_init(&form, TOKEN_MAX);
    pgc_buffer_text(&form, "grant_type=");
    pgc_http_escape(&form, "urn:ietf:params:oauth:grant-type:jwt-bearer");
    pgc_buffer_text(&form, "&scope=");
    pgc_http_escape(&form, host);
    const pgc_sf_request request = {.method = "POST",
                                    .path = "/oauth/token",
                                    .body = form.data,
                                    .length = form.length,
                                    .content_type = "application/x-www-form-urlencoded",
                                    .doing = "asking for a token of the streaming service"};
    int result = pgc_buffer_check(&form, err);
    if (result == 0)
        result = pgc_sf_call(sink, &request, arena, &answer, err);
    pgc_buffer_free(&form);
    if (result != 0)
        return -1;
    const char *text = field_or_text(&answer, "token");
    if (!text)
        return no_answer(request.doing, err);
    *token = pgc_arena_strndup(arena, text, strcspn(text, "\r\n"));
    return *token ? 0 : pgc_error_out_of_memory(err);
}

static int ask_ingest(pgc_sf_sink *sink, pgconvoy_error *err)
{
    pgc_sf_auth *auth = sink->auth;
    const char *host, *token;
    pgc_arena *arena = pgc_arena_new(8192);
    if (!arena)
        return pgc_error_out_of_memory(err);
    int result = ask_host(sink, arena, &host, err);
    if (result == 0)
        result = ask_token(sink, arena, host, &token, err);
    if (result == 0) {
        bool plain = strncmp(sink->endpoint, "http://", 7) == 0;
        free(auth->base);
        forget(&auth->scoped);
        auth->scoped = strdup(token);
        auth->base = NULL;
        if (!auth->scoped || asprintf(&auth->base, "%s://%s", plain ? "http" : "https", host) < 0)
            result = pgc_error_out_of_memory(err);
        auth->scoped_until_us = pgc_clock_monotonic_us() + SCOPED_USE_US;
    }
    pgc_arena_free(arena);
    return result;
}

int pgc_sf_auth_ingest(pgc_sf_sink *sink, pgc_buffer *base, pgc_buffer *token, pgconvoy_error *err)
{
    pgc_sf_auth *auth = sink->auth;
    pthread_mutex_lock(&auth->ingest_lock);
    if (auth->scoped && pgc_clock_monotonic_us() > auth->scoped_until_us)
        forget(&auth->scoped);
    int result = auth->scoped && auth->base ? 0 : ask_ingest(sink, err);
    if (result == 0) {
        pgc_buffer_text(base, auth->base);
        pgc_buffer_text(token, auth->scoped);
    }
    pthread_mutex_unlock(&auth->ingest_lock);
    return result == 0 ? pgc_buffer_check(token, err) : -1;
}

void pgc_sf_auth_refused(pgc_sf_sink *sink, bool ingest, const char *token)
{
    pgc_sf_auth *auth = sink->auth;
    pthread_mutex_t *lock = ingest ? &auth->ingest_lock : &auth->lock;
    char **mine = ingest ? &auth->scoped : &auth->jwt;
    pthread_mutex_lock(lock);
    if (*mine && strcmp(*mine, token) == 0)
        forget(mine);
    pthread_mutex_unlock(lock);
}
