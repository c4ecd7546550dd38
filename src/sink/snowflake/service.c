/*
 * Requests to the two hosts of Snowflake, each with its token. The HTTP client repeats what may be repeated; what is
 * left to do here is a token that has run out (401), and to say what a refusal means.
 */
#include "sink/snowflake/snowflake_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define URL_MAX ((size_t)64 << 10)
#define SKEW_SECONDS 60

/* ---- refusals */

/* What to do about an error's code (docs: "Key pair authentication: troubleshooting", messages of the SQL API). */
static const struct hint {
    const char *code, *hint;
    bool passes; /* may be better in a while */
} hints[] = {
    {"390144",
     "look whether the public key is the user's (ALTER USER … SET RSA_PUBLIC_KEY), and whether account and user are "
     "right",
     false},
    {"390318", "the token has run out; the pipeline makes another", true},
    {"000606", "name a warehouse with warehouse= in the target, or give the user a default one", false},
    {"002003", "look whether it is there, and whether the role may see it (docs/sinks/snowflake.md has the privileges)",
     false},
    {"002043", "look whether it is there, and whether the role may see it (docs/sinks/snowflake.md has the privileges)",
     false},
    {"003001", "grant the role what docs/sinks/snowflake.md lists, or name another one with role=", false},
    {"390186", "grant the user that role, or name another one with role=", false},
    {"000625", "another transaction holds the table", true},
    {"000604", "the statement was cancelled", true},
    {"000630", "the statement ran into the account's time limit (STATEMENT_TIMEOUT_IN_SECONDS)", false},
    {"000629", "the statement waited too long for the warehouse", true},
};

static void add_hint(const char *code, pgconvoy_error *err)
{
    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++) {
        if (strcmp(hints[i].code, code) != 0)
            continue;
        pgconvoy_error_hint(err, "%s", hints[i].hint);
        if (hints[i].passes)
            pgconvoy_error_retriable(err, true);
    }
}

/* By how many seconds our clock is ahead of the service's; 0 when it does not say. */
static long clock_ahead(const pgc_http_response *response)
{
    char date[80];
    struct tm parts = {0};
    if (!pgc_http_header(response, "Date", date, sizeof date) || !strptime(date, "%a, %d %b %Y %H:%M:%S", &parts))
        return 0;
    return (long)(time(NULL) - timegm(&parts));
}

static int refuse(const pgc_http_request *sent, const pgc_http_response *response, const pgc_sf_answer *answer,
                  pgconvoy_error *err)
{
    const char *message = pgc_json_get_text(answer->body, "message");
    long ahead = response->status == 401 ? clock_ahead(response) : 0;
    pgc_http_status_error(sent, response, message, err);
    if (response->status == 422 && message)
        pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "%s: %s", sent->doing, message);
    add_hint(answer->code, err);
    if (ahead > SKEW_SECONDS || ahead < -SKEW_SECONDS)
        pgconvoy_error_hint(err, "this machine's clock is %ld s %s Snowflake's: set it right, tokens are made by it",
                            labs(ahead), ahead > 0 ? "ahead of" : "behind");
    return -1;
}

/* ---- one exchange */

/* The caller repeats it, in its own way. */
static bool always_final(const pgc_http_response *response)
{
    (void)response;
    return true;
}

static int exchange(pgc_http *http, const pgc_sf_request *request, const char *url, const char *token,
                    pgc_http_request *sent, pgc_http_response *response, pgconvoy_error *err)
{
    char type[100];
    const char *headers[4];
    size_t count = 0;
    headers[count++] = "Accept: application/json";
    if (!request->ingest)
        headers[count++] = "X-Snowflake-Authorization-Token-Type: KEYPAIR_JWT";
    if (request->body) {
        snprintf(type, sizeof type, "Content-Type: %s",
                 request->content_type ? request->content_type : "application/json");
        headers[count++] = type;
    }
    headers[count] = NULL;
    *sent = (pgc_http_request){.method = request->method,
                               .url = url,
                               .headers = headers,
                               .bearer = token,
                               .body = request->body ? request->body : "",
                               .body_length = request->length,
                               .encoding = request->compressed ? PGC_HTTP_GZIP : PGC_HTTP_IDENTITY,
                               .repeatable = !request->once,
                               .is_final = request->once ? always_final : NULL,
                               .doing = request->doing};
    int result = pgc_http_send(http, sent, response, err);
    sent->headers = NULL;
    return result;
}

static int prepare(pgc_sf_sink *sink, const pgc_sf_request *request, pgc_buffer *url, pgc_buffer *token,
                   pgconvoy_error *err)
{
    pgc_buffer_reset(url);
    pgc_buffer_reset(token);
    if (!request->ingest)
        pgc_buffer_text(url, sink->endpoint);
    int result = request->ingest ? pgc_sf_auth_ingest(sink, url, token, err) : pgc_sf_auth_jwt(sink, token, err);
    pgc_buffer_text(url, request->path);
    return result == 0 ? pgc_buffer_check(url, err) : -1;
}

/* Copies what there is of the answer. */
static int take(const pgc_http_response *response, pgc_arena *arena, pgc_sf_answer *answer, pgconvoy_error *err)
{
    pgconvoy_error unread = {0};
    answer->status = response->status;
    if (response->body.length == 0)
        return 0;
    answer->text = pgc_arena_strndup(arena, response->body.data, response->body.length);
    if (!answer->text)
        return pgc_error_out_of_memory(err);
    answer->body = pgc_json_read(arena, response->body.data, response->body.length, &unread);
    const char *code = pgc_json_get_text(answer->body, "code");
    snprintf(answer->code, sizeof answer->code, "%s", code ? code : "");
    return 0;
}

int pgc_sf_call(pgc_sf_sink *sink, const pgc_sf_request *request, pgc_arena *arena, pgc_sf_answer *answer,
                pgconvoy_error *err)
{
    pgc_buffer url, token;
    memset(answer, 0, sizeof *answer);
    pgc_http *http = pgc_http_pool_take(sink->pool, err);
    if (!http)
        return -1;
    pgc_buffer_init(&url, URL_MAX);
    pgc_buffer_init(&token, URL_MAX);
    int result = 0;
    for (int attempt = 0, again = 1; again && result == 0; attempt++) {
        pgc_http_response response;
        pgc_http_request sent;
        memset(answer, 0, sizeof *answer);
        result = prepare(sink, request, &url, &token, err);
        if (result != 0)
            break;
        result = exchange(http, request, url.data, token.data, &sent, &response, err);
        if (result == 0)
            result = take(&response, arena, answer, err);
        again = result == 0 && attempt == 0 && answer->status == 401;
        if (again)
            pgc_sf_auth_refused(sink, request->ingest, token.data);
        else if (result == 0 && (answer->status < 200 || answer->status > 299) &&
                 (request->accepts == 0 || answer->status != request->accepts))
            result = refuse(&sent, &response, answer, err);
        pgc_http_response_free(&response);
    }
    if (token.data)
        explicit_bzero(token.data, token.length);
    pgc_buffer_free(&token);
    pgc_buffer_free(&url);
    pgc_http_pool_give(sink->pool, http);
    return result;
}
