/*
 * Requests to BigQuery's REST interface (v2), one at a time for each client of the pool. The HTTP client repeats what
 * may be repeated; what is left to do here are the refusals that are told by a reason rather than a status: rates and
 * quotas come as 403 (docs: "Error messages"), and a token that has run out as 401.
 */
#include "sink/bigquery/bigquery_internal.h"

#include "base/clock.h"
#include "format/json_text.h"

#include <stdio.h>
#include <stdlib.h>

#define PATH_MAX_BYTES ((size_t)64 << 10)
#define TRIES 6
#define PAUSE_MS 500

static pgc_http_settings settings_of(const pgc_bq_sink *sink)
{
    return (pgc_http_settings){.attempts = 8, .log = sink->config->log};
}

/* ---- tokens */

static const char scope[] = "https://www.googleapis.com/auth/bigquery";

int pgc_bq_tokens_open(pgc_bq_sink *sink, pgconvoy_error *err)
{
    const pgc_bq_target *target = &sink->target;
    const char *token = getenv("PGCONVOY_BIGQUERY_TOKEN"), *file = getenv("GOOGLE_APPLICATION_CREDENTIALS");
    pgc_http_settings settings = settings_of(sink);
    sink->pool = pgc_http_pool_new(&settings, err);
    if (!sink->pool)
        return -1;
    if (target->credentials)
        sink->tokens = pgc_token_of_service_account(target->credentials, scope, &settings, err);
    else if (target->token_file)
        sink->tokens = pgc_token_in_file(target->token_file, err);
    else if (token && *token)
        sink->tokens = pgc_token_given(token, err);
    else if (file && *file)
        sink->tokens = pgc_token_of_service_account(file, scope, &settings, err);
    else {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "there are no credentials for BigQuery");
        pgconvoy_error_hint(err, "set GOOGLE_APPLICATION_CREDENTIALS to the path of a service account's key file, or "
                                 "PGCONVOY_BIGQUERY_TOKEN to an "
                                 "access token");
    }
    return sink->tokens ? 0 : -1;
}

/* ---- one exchange */

static int build_url(const pgc_bq_sink *sink, const pgc_bq_request *request, pgc_buffer *url, pgconvoy_error *err)
{
    if (strncmp(request->path, "http", 4) != 0)
        pgc_buffer_text(url, sink->target.endpoint);
    pgc_buffer_text(url, request->path);
    return pgc_buffer_check(url, err);
}

static int exchange(pgc_http *client, const pgc_bq_request *request, const char *url, const char *token,
                    pgc_http_response *response, pgc_http_request *sent, pgconvoy_error *err)
{
    char range[256];
    const char *headers[2] = {NULL, NULL};
    if (request->content_range) {
        snprintf(range, sizeof range, "Content-Range: %s", request->content_range);
        headers[0] = range;
    } else if (request->body) {
        headers[0] = "Content-Type: application/json; charset=UTF-8";
    }
    *sent = (pgc_http_request){.method = request->method,
                               .url = url,
                               .headers = headers,
                               .bearer = token,
                               .body = request->body ? request->body : "",
                               .body_length = request->length,
                               .repeatable = !request->once,
                               .doing = request->doing};
    int result = pgc_http_send(client, sent, response, err);
    sent->headers = NULL;
    return result;
}

/* The first entry of error.errors[], or what of an ErrorProto there is. */
static const char *reason_of(const pgc_json *body)
{
    const pgc_json *error = pgc_json_get(body, "error"), *errors = pgc_json_get(error, "errors");
    const char *reason = errors && errors->first ? pgc_json_get_text(errors->first, "reason") : NULL;
    return reason ? reason : "";
}

/* What may be better in a while (docs: "Error messages"). */
bool pgc_bq_reason_passes(const char *reason)
{
    static const char *const passing[] = {"rateLimitExceeded", "jobRateLimitExceeded", "backendError",
                                          "internalError",     "quotaExceeded",        "tableUnavailable",
                                          "jobBackendError",   "jobInternalError",     "timeout"};
    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
        if (strcmp(passing[i], reason) == 0)
            return true;
    return false;
}

void pgc_bq_reason_hint(const char *reason, pgconvoy_error *err)
{
    static const struct {
        const char *reason, *hint;
    } hints[] = {
        {"accessDenied",
         "give the account the roles BigQuery Data Editor on the dataset and BigQuery Job User on the project"},
        {"billingNotEnabled", "the project needs billing for changes and merges: the sandbox allows neither"},
        {"quotaExceeded", "a quota of the project is used up; the pipeline goes on when there is some again"},
        {"rateLimitExceeded", "too many requests at once; the pipeline tries again"},
        {"responseTooLarge", "split the work over more pipelines"},
        {"authError", "look whether the credentials are those of the service, and are still good"},
        {"duplicate", "another process may be running the same pipeline"},
    };
    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++)
        if (strcmp(hints[i].reason, reason) == 0)
            pgconvoy_error_hint(err, "%s", hints[i].hint);
}

static int refuse(const pgc_http_request *sent, const pgc_http_response *response, const pgc_json *body,
                  pgconvoy_error *err)
{
    const char *message = pgc_json_get_text(pgc_json_get(body, "error"), "message"), *reason = reason_of(body);
    pgc_http_status_error(sent, response, message, err);
    pgc_bq_reason_hint(reason, err);
    if (pgc_bq_reason_passes(reason))
        pgconvoy_error_retriable(err, true);
    return -1;
}

static bool is_taken(const pgc_bq_request *request, int status)
{
    return (status >= 200 && status < 300) || (request->accepts && status == request->accepts);
}

/* 1: try again. */
static int judge(pgc_bq_sink *sink, const pgc_bq_request *request, const pgc_http_request *sent,
                 const pgc_http_response *response, const char *token, int attempt, pgc_arena *arena,
                 pgc_bq_answer *answer, pgconvoy_error *err)
{
    pgconvoy_error unread;
    answer->status = response->status;
    answer->body =
        response->body.length > 0 ? pgc_json_read(arena, response->body.data, response->body.length, &unread) : NULL;
    pgc_http_header(response, "Location", answer->session, sizeof answer->session);
    pgc_http_header(response, "Range", answer->range, sizeof answer->range);
    if (is_taken(request, response->status)) {
        if (answer->body || response->body.length == 0)
            return 0;
        pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "%s: the answer is no JSON", request->doing);
        pgconvoy_error_retriable(err, true);
        return -1;
    }
    if (attempt == 0 && response->status == 401 && pgc_token_refused(sink->tokens, token))
        return 1;
    if (attempt < TRIES && response->status == 403 && pgc_bq_reason_passes(reason_of(answer->body))) {
        pgc_clock_sleep_ms(PAUSE_MS << attempt);
        return 1;
    }
    return refuse(sent, response, answer->body, err);
}

int pgc_bq_call(pgc_bq_sink *sink, const pgc_bq_request *request, pgc_arena *arena, pgc_bq_answer *answer,
                pgconvoy_error *err)
{
    pgc_buffer url, token;
    pgc_http_request sent;
    pgc_http *client = pgc_http_pool_take(sink->pool, err);
    if (!client)
        return -1;
    pgc_buffer_init(&url, PATH_MAX_BYTES);
    pgc_buffer_init(&token, PATH_MAX_BYTES);
    int result = build_url(sink, request, &url, err);
    for (int attempt = 0, again = 1; result == 0 && again; attempt++) {
        pgc_http_response response;
        memset(answer, 0, sizeof *answer);
        pgc_buffer_reset(&token);
        result = pgc_token_get(sink->tokens, &token, err);
        if (result != 0)
            break;
        result = exchange(client, request, url.data, token.data, &response, &sent, err);
        if (result == 0) {
            again = judge(sink, request, &sent, &response, token.data, attempt, arena, answer, err);
            result = again < 0 ? -1 : 0;
        }
        pgc_http_response_free(&response);
    }
    if (token.data)
        explicit_bzero(token.data, token.length);
    pgc_buffer_free(&token);
    pgc_buffer_free(&url);
    pgc_http_pool_give(sink->pool, client);
    return result;
}

int pgc_bq_ask(pgc_bq_sink *sink, const char *method, const pgc_buffer *path, int accepts, const char *doing,
               pgc_arena *arena, pgc_bq_answer *answer, pgconvoy_error *err)
{
    if (pgc_buffer_check(path, err) != 0)
        return -1;
    const pgc_bq_request request = {.method = method, .path = path->data, .doing = doing, .accepts = accepts};
    return pgc_bq_call(sink, &request, arena, answer, err);
}

int pgc_bq_post(pgc_bq_sink *sink, const pgc_buffer *path, const pgc_buffer *body, int accepts, const char *doing,
                pgc_arena *arena, pgc_bq_answer *answer, pgconvoy_error *err)
{
    if (pgc_buffer_check(path, err) != 0 || pgc_buffer_check(body, err) != 0)
        return -1;
    const pgc_bq_request request = {.method = "POST",
                                    .path = path->data,
                                    .body = body->data,
                                    .length = body->length,
                                    .doing = doing,
                                    .accepts = accepts};
    return pgc_bq_call(sink, &request, arena, answer, err);
}

int pgc_bq_create(pgc_bq_sink *sink, const pgc_buffer *path, const pgc_buffer *body, const char *doing,
                  pgconvoy_error *err)
{
    pgc_bq_answer answer;
    pgc_arena *arena = pgc_arena_new(16384);
    if (!arena)
        return pgc_error_out_of_memory(err);
    int result = pgc_bq_post(sink, path, body, 409, doing, arena, &answer, err);
    pgc_arena_free(arena);
    return result;
}

/* ---- writing names and texts */

void pgc_bq_quote_column(pgc_buffer *out, const char *name)
{
    pgc_buffer_byte(out, '`');
    pgc_buffer_text(out, name); /* layout.c lets no back-quote through */
    pgc_buffer_byte(out, '`');
}

void pgc_bq_quote_table(const pgc_bq_sink *sink, const char *name, pgc_buffer *out)
{
    pgc_buffer_format(out, "`%s.%s.%s`", sink->target.project, sink->target.dataset, name);
}

/* GoogleSQL's string literals take backslash escapes (lexical structure, "String and bytes literals"). */
void pgc_bq_quote_text(pgc_buffer *out, const char *text)
{
    pgc_buffer_byte(out, '\'');
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '\'' || c == '\\')
            pgc_buffer_format(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            pgc_buffer_format(out, "\\x%02x", c);
        else
            pgc_buffer_byte(out, (char)c);
    }
    pgc_buffer_byte(out, '\'');
}

void pgc_bq_put_reference(const pgc_bq_sink *sink, const char *table, pgc_buffer *out)
{
    pgc_buffer_text(out, "{\"projectId\":");
    pgc_json_string(out, sink->target.project);
    pgc_buffer_text(out, ",\"datasetId\":");
    pgc_json_string(out, sink->target.dataset);
    if (table) {
        pgc_buffer_text(out, ",\"tableId\":");
        pgc_json_string(out, table);
    }
    pgc_buffer_byte(out, '}');
}

void pgc_bq_dataset_path(const pgc_bq_sink *sink, pgc_buffer *out)
{
    pgc_buffer_text(out, "/bigquery/v2/projects/");
    pgc_http_escape(out, sink->target.project);
    pgc_buffer_text(out, "/datasets/");
    pgc_http_escape(out, sink->target.dataset);
}

void pgc_bq_tables_path(const pgc_bq_sink *sink, pgc_buffer *out)
{
    pgc_bq_dataset_path(sink, out);
    pgc_buffer_text(out, "/tables");
}

void pgc_bq_table_path(const pgc_bq_sink *sink, const char *table, pgc_buffer *out)
{
    pgc_bq_tables_path(sink, out);
    pgc_buffer_byte(out, '/');
    pgc_http_escape(out, table);
}
