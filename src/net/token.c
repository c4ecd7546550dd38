/* Tokens; see token.h. */
#include "net/token.h"

#include "base/clock.h"
#include "format/json_read.h"
#include "format/json_text.h"
#include "net/jwt.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define FILE_MAX ((size_t)1 << 20)
#define TOKEN_MAX ((size_t)64 << 10)
#define LIFE_SECONDS 3600 /* the longest that a JWT of Google's may live */
#define EARLY_US (INT64_C(300) * 1000000)

struct pgc_token_source {
    pthread_mutex_t lock; /* guards token and valid_until_us */
    char *token;
    int64_t valid_until_us; /* on the clock that only goes forward; 0: for ever */

    char *path; /* of a file with a token */

    pgc_arena *arena; /* of a service account */
    pgc_http *http;
    pgc_jwt_key *key;
    const char *email, *token_uri, *key_id, *project, *scope;
};

/* ---- files */

int pgc_token_read_file(const char *path, pgc_buffer *text, pgconvoy_error *err)
{
    FILE *file = fopen(path, "re");
    char chunk[4096];
    size_t got;
    while (file && (got = fread(chunk, 1, sizeof chunk, file)) > 0)
        pgc_buffer_append(text, chunk, got);
    explicit_bzero(chunk, sizeof chunk);
    if (!file || ferror(file)) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "the credentials in %s cannot be read: %s", path,
                           strerror(errno));
        pgconvoy_error_hint(err, "name a file that is there and that you may read");
        if (file)
            fclose(file);
        return -1;
    }
    fclose(file);
    return pgc_buffer_check(text, err);
}

static int read_token_file(pgc_token_source *source, pgconvoy_error *err)
{
    pgc_buffer text;
    pgc_buffer_init(&text, TOKEN_MAX);
    int result = pgc_token_read_file(source->path, &text, err);
    if (result == 0) {
        while (text.length > 0 && strchr(" \t\r\n", text.data[text.length - 1]))
            text.data[--text.length] = '\0';
        if (text.length == 0) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "the file %s holds no token", source->path);
            result = -1;
        }
    }
    if (result == 0) {
        free(source->token);
        source->token = strdup(text.data);
        result = source->token ? 0 : pgc_error_out_of_memory(err);
    }
    pgc_buffer_free(&text);
    return result;
}

/* ---- making them */

static pgc_token_source *new_source(pgconvoy_error *err)
{
    pgc_token_source *source = calloc(1, sizeof *source);
    if (!source)
        pgc_error_out_of_memory(err);
    else
        pthread_mutex_init(&source->lock, NULL);
    return source;
}

pgc_token_source *pgc_token_given(const char *token, pgconvoy_error *err)
{
    pgc_token_source *source = new_source(err);
    if (source && !(source->token = strdup(token))) {
        pgc_error_out_of_memory(err);
        pgc_token_source_free(source);
        source = NULL;
    }
    return source;
}

pgc_token_source *pgc_token_in_file(const char *path, pgconvoy_error *err)
{
    pgc_token_source *source = new_source(err);
    if (!source)
        return NULL;
    source->path = strdup(path);
    if (source->path ? read_token_file(source, err) == 0 : pgc_error_out_of_memory(err) == 0)
        return source;
    pgc_token_source_free(source);
    return NULL;
}

static int read_key_file(pgc_token_source *source, const char *path, pgconvoy_error *err)
{
    pgc_buffer text;
    char what[512];
    pgc_buffer_init(&text, FILE_MAX);
    if (pgc_token_read_file(path, &text, err) != 0) {
        pgc_buffer_free(&text);
        return -1;
    }
    const pgc_json *root = pgc_json_read(source->arena, text.data ? text.data : "", text.length, err);
    const char *pem = pgc_json_get_text(root, "private_key"), *type = pgc_json_get_text(root, "type");
    source->email = pgc_json_get_text(root, "client_email");
    source->token_uri = pgc_json_get_text(root, "token_uri");
    source->key_id = pgc_json_get_text(root, "private_key_id");
    source->project = pgc_json_get_text(root, "project_id");
    if (text.data)
        explicit_bzero(text.data, text.length);
    pgc_buffer_free(&text);
    if (!root || !type || strcmp(type, "service_account") != 0 || !pem || !source->email || !source->token_uri) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "%s is no key file of a service account", path);
        pgconvoy_error_hint(err, "create a key of type JSON for the service account, and name that file");
        return -1;
    }
    snprintf(what, sizeof what, "the key in %s", path);
    source->key = pgc_jwt_key_read(pem, NULL, what, err);
    explicit_bzero((char *)pem, strlen(pem)); /* in the arena, ours */
    return source->key ? 0 : -1;
}

pgc_token_source *pgc_token_of_service_account(const char *path, const char *scope, const pgc_http_settings *settings,
                                               pgconvoy_error *err)
{
    pgc_token_source *source = new_source(err);
    if (!source)
        return NULL;
    source->arena = pgc_arena_new(8192);
    source->scope = source->arena ? pgc_arena_strdup(source->arena, scope) : NULL;
    int result = source->scope ? read_key_file(source, path, err) : pgc_error_out_of_memory(err);
    if (result == 0) {
        source->http = pgc_http_new(settings, err);
        result = source->http ? 0 : -1;
    }
    if (result == 0)
        return source;
    pgc_token_source_free(source);
    return NULL;
}

void pgc_token_source_free(pgc_token_source *source)
{
    if (!source)
        return;
    if (source->token)
        explicit_bzero(source->token, strlen(source->token));
    free(source->token);
    free(source->path);
    pgc_jwt_key_free(source->key);
    pgc_http_free(source->http);
    pgc_arena_free(source->arena);
    pthread_mutex_destroy(&source->lock);
    free(source);
}

/* ---- asking for one */

static int write_assertion(const pgc_token_source *source, pgc_buffer *form, pgconvoy_error *err)
{
    pgc_buffer claims, jwt;
    long long now = (long long)(pgc_clock_unix_us() / 1000000);
    pgc_buffer_init(&claims, TOKEN_MAX);
    pgc_buffer_init(&jwt, TOKEN_MAX);
    pgc_buffer_text(&claims, "{\"iss\":");
    pgc_json_string(&claims, source->email);
    pgc_buffer_text(&claims, ",\"scope\":");
    pgc_json_string(&claims, source->scope);
    pgc_buffer_text(&claims, ",\"aud\":");
    pgc_json_string(&claims, source->token_uri);
    pgc_buffer_format(&claims, ",\"iat\":%lld,\"exp\":%lld}", now, now + LIFE_SECONDS);
    int result = pgc_buffer_check(&claims, err);
    if (result == 0)
        result = pgc_jwt_sign(source->key, source->key_id, claims.data, &jwt, err);
    if (result == 0) {
        pgc_buffer_text(form, "grant_type=");
        pgc_http_escape(form, "urn:ietf:params:oauth:grant-type:jwt-bearer");
        pgc_buffer_text(form, "&assertion=");
        pgc_http_escape(form, jwt.data);
        result = pgc_buffer_check(form, err);
    }
    pgc_buffer_free(&claims);
    pgc_buffer_free(&jwt);
    return result;
}

/* A refusal (RFC 6749, section 5.2), in words that say what to do about it. */
static int refused(const pgc_token_source *source, const pgc_http_request *request, const pgc_http_response *response,
                   const pgc_json *root, pgconvoy_error *err)
{
    const char *why = pgc_json_get_text(root, "error_description");
    pgc_http_status_error(request, response, why, err);
    if (response->status != 400 && response->status != 401)
        return -1;
    err->code = PGCONVOY_ERROR_CONFIG;
    if (why && strstr(why, "timeframe"))
        pgconvoy_error_hint(err, "set this machine's clock: tokens are refused when it is minutes off");
    else
        pgconvoy_error_hint(err, "look whether the account %s is there and the key %s is still one of its keys",
                            source->email, source->key_id ? source->key_id : "");
    return -1;
}

static int take_token(pgc_token_source *source, const pgc_http_request *request, const pgc_http_response *response,
                      pgconvoy_error *err)
{
    pgc_arena *arena = pgc_arena_new(8192);
    pgconvoy_error unread;
    if (!arena)
        return pgc_error_out_of_memory(err);
    const pgc_json *root =
        response->body.data ? pgc_json_read(arena, response->body.data, response->body.length, &unread) : NULL;
    const char *token = pgc_json_get_text(root, "access_token");
    int result = 0;
    if (response->status != 200 || !token) {
        result = refused(source, request, response, root, err);
    } else {
        int64_t life_us = pgc_json_number(root, "expires_in", LIFE_SECONDS) * 1000000;
        source->token = strdup(token);
        source->valid_until_us = pgc_clock_monotonic_us() + life_us - (life_us > 2 * EARLY_US ? EARLY_US : life_us / 2);
        result = source->token ? 0 : pgc_error_out_of_memory(err);
    }
    pgc_arena_free(arena);
    return result;
}

static int ask(pgc_token_source *source, pgconvoy_error *err)
{
    static const char *const headers[] = {"Content-Type: application/x-www-form-urlencoded", NULL};
    pgc_buffer form;
    pgc_http_response response;
    pgc_buffer_init(&form, TOKEN_MAX);
    int result = write_assertion(source, &form, err);
    if (result == 0) {
        pgc_http_request request = {.method = "POST",
                                    .url = source->token_uri,
                                    .headers = headers,
                                    .body = form.data,
                                    .body_length = form.length,
                                    .repeatable = true,
                                    .doing = "asking for an access token"};
        result = pgc_http_send(source->http, &request, &response, err);
        if (result == 0)
            result = take_token(source, &request, &response, err);
        pgc_http_response_free(&response);
    }
    pgc_buffer_free(&form);
    return result;
}

int pgc_token_get(pgc_token_source *source, pgc_buffer *token, pgconvoy_error *err)
{
    pthread_mutex_lock(&source->lock);
    int result = 0;
    if (source->token && source->valid_until_us > 0 && pgc_clock_monotonic_us() > source->valid_until_us) {
        free(source->token);
        source->token = NULL;
    }
    if (!source->token)
        result = source->key ? ask(source, err) : read_token_file(source, err);
    if (result == 0)
        pgc_buffer_text(token, source->token);
    pthread_mutex_unlock(&source->lock);
    return result == 0 ? pgc_buffer_check(token, err) : -1;
}

bool pgc_token_refused(pgc_token_source *source, const char *token)
{
    if (!source->key && !source->path)
        return false;
    pthread_mutex_lock(&source->lock);
    if (source->token && strcmp(source->token, token) == 0) {
        free(source->token);
        source->token = NULL;
    }
    pthread_mutex_unlock(&source->lock);
    return true;
}

const char *pgc_token_project(const pgc_token_source *source)
{
    return source->project;
}
