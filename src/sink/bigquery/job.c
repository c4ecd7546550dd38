/*
 * Jobs. Each is begun under an id of our own, so that a request whose answer was lost can be sent again: an id that is
 * there already (409) is the job that the lost answer spoke of, and is waited for like one that was begun just now.
 */
#include "sink/bigquery/bigquery_internal.h"

#include "base/clock.h"
#include "format/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define BODY_MAX ((size_t)64 << 20)
#define ATTEMPTS 5
#define PIECE_BYTES ((size_t)8 << 20) /* of an upload; a multiple of 256 KiB */
#define FIRST_WAIT 20
#define LONGEST_WAIT 2000
#define TRIES_OF_A_PIECE 6

static void jobs_path(const pgc_bq_sink *sink, pgc_buffer *out)
{
    pgc_buffer_text(out, "/bigquery/v2/projects/");
    pgc_http_escape(out, sink->target.project);
    pgc_buffer_text(out, "/jobs");
}

static void write_reference(const pgc_bq_sink *sink, const char *job_id, pgc_buffer *body)
{
    pgc_buffer_text(body, "{\"jobReference\":{\"projectId\":");
    pgc_json_string(body, sink->target.project);
    pgc_buffer_text(body, ",\"jobId\":");
    pgc_json_string(body, job_id);
    if (sink->location[0]) {
        pgc_buffer_text(body, ",\"location\":");
        pgc_json_string(body, sink->location);
    }
    pgc_buffer_text(body, "},\"configuration\":{\"labels\":{\"made_by\":\"pgconvoy\"},");
}

/* ---- waiting */

static int job_failed(const pgc_json *status, const char *doing, pgconvoy_error *err)
{
    const pgc_json *result = pgc_json_get(status, "errorResult"), *errors = pgc_json_get(status, "errors");
    const char *message = pgc_json_get_text(result, "message"), *reason = pgc_json_get_text(result, "reason");
    /* the last of the errors is the one that speaks of a row */
    for (const pgc_json *one = errors ? errors->first : NULL; one; one = one->next) {
        const char *text = pgc_json_get_text(one, "message");
        if (text && strstr(text, "row starting at"))
            message = text;
    }
    bool conflict = message && strstr(message, "aborted due to concurrent update");
    pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "%s: %s", doing, message ? message : "the job failed without a word");
    pgc_bq_reason_hint(reason ? reason : "", err);
    pgconvoy_error_retriable(err, conflict || pgc_bq_reason_passes(reason ? reason : ""));
    return -1;
}

/* Asks for the job's state: 1 while it is not done. */
static int look(pgc_bq_sink *sink, const char *job_id, const char *doing, pgconvoy_error *err)
{
    pgc_buffer path;
    pgc_bq_answer answer;
    pgc_arena *arena = pgc_arena_new(16384);
    if (!arena)
        return pgc_error_out_of_memory(err);
    pgc_buffer_init(&path, 8192);
    jobs_path(sink, &path);
    pgc_buffer_byte(&path, '/');
    pgc_http_escape(&path, job_id);
    if (sink->location[0]) {
        pgc_buffer_text(&path, "?location=");
        pgc_http_escape(&path, sink->location);
    }
    int result = pgc_bq_ask(sink, "GET", &path, 0, doing, arena, &answer, err);
    if (result == 0) {
        const pgc_json *status = pgc_json_get(answer.body, "status");
        const char *state = pgc_json_get_text(status, "state");
        if (!state || strcmp(state, "DONE") != 0)
            result = 1;
        else if (pgc_json_get(status, "errorResult"))
            result = job_failed(status, doing, err);
    }
    pgc_buffer_free(&path);
    pgc_arena_free(arena);
    return result;
}

int pgc_bq_load_wait(pgc_bq_sink *sink, const char *job_id, const char *doing, pgconvoy_error *err)
{
    int wait_ms = FIRST_WAIT, result;
    while ((result = look(sink, job_id, doing, err)) == 1) {
        pgc_clock_sleep_ms(wait_ms);
        wait_ms = wait_ms * 3 / 2 < LONGEST_WAIT ? wait_ms * 3 / 2 : LONGEST_WAIT;
    }
    return result;
}

/* ---- scripts */

static int begin_script(pgc_bq_sink *sink, const char *job_id, const pgc_buffer *sql, const char *doing,
                        pgconvoy_error *err)
{
    pgc_buffer path, body;
    pgc_buffer_init(&path, 8192);
    pgc_buffer_init(&body, BODY_MAX);
    jobs_path(sink, &path);
    write_reference(sink, job_id, &body);
    pgc_buffer_text(&body, "\"query\":{\"useLegacySql\":false,\"query\":");
    pgc_json_string_n(&body, sql->data, sql->length);
    pgc_buffer_text(&body, "}}}");
    int result = pgc_bq_create(sink, &path, &body, doing, err);
    pgc_buffer_free(&path);
    pgc_buffer_free(&body);
    return result;
}

int pgc_bq_run_script(pgc_bq_sink *sink, const char *key, const pgc_buffer *sql, const char *doing, pgconvoy_error *err)
{
    if (pgc_buffer_check(sql, err) != 0)
        return -1;
    for (int attempt = 0;; attempt++) {
        char job_id[256];
        snprintf(job_id, sizeof job_id, "%s_%s_%d", sink->prefix, key, attempt);
        int result = begin_script(sink, job_id, sql, doing, err);
        if (result == 0)
            result = pgc_bq_load_wait(sink, job_id, doing, err);
        if (result == 0 || attempt + 1 >= ATTEMPTS || !pgconvoy_error_is_retriable(err))
            return result;
        pgc_clock_sleep_ms(100 << attempt);
    }
}

/* ---- selects */

static int take_rows(pgc_staged_rows *selection, const pgc_json *body, pgconvoy_error *err)
{
    const pgc_json *rows = pgc_json_get(body, "rows");
    for (const pgc_json *row = rows ? rows->first : NULL; row; row = row->next) {
        const pgc_json *fields = pgc_json_get(row, "f");
        const char **values = pgc_staged_rows_add(selection, err);
        if (!values)
            return -1;
        int column = 0;
        for (const pgc_json *field = fields ? fields->first : NULL; field && column < selection->columns;
             field = field->next)
            values[column++] = pgc_json_get_text(field, "v");
    }
    return 0;
}

/* The rest of an answer: as long as the job is not complete, and page by page. */
static int take_pages(pgc_bq_sink *sink, pgc_staged_rows *selection, pgc_bq_answer *answer, const char *doing,
                      pgconvoy_error *err)
{
    for (;;) {
        bool complete = pgc_json_truth(answer->body, "jobComplete");
        const char *token = pgc_json_get_text(answer->body, "pageToken");
        const char *job = pgc_json_get_text(pgc_json_get(answer->body, "jobReference"), "jobId");
        if (complete && take_rows(selection, answer->body, err) != 0)
            return -1;
        if (complete && !token)
            return 0;
        if (!job) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "%s: the answer names no job", doing);
            return -1;
        }
        pgc_buffer path;
        pgc_buffer_init(&path, (size_t)64 << 10);
        pgc_buffer_text(&path, "/bigquery/v2/projects/");
        pgc_http_escape(&path, sink->target.project);
        pgc_buffer_text(&path, "/queries/");
        pgc_http_escape(&path, job);
        pgc_buffer_text(&path, "?timeoutMs=10000");
        if (sink->location[0]) {
            pgc_buffer_text(&path, "&location=");
            pgc_http_escape(&path, sink->location);
        }
        if (token) {
            pgc_buffer_text(&path, "&pageToken=");
            pgc_http_escape(&path, token);
        }
        int result = pgc_bq_ask(sink, "GET", &path, 0, doing, selection->arena, answer, err);
        pgc_buffer_free(&path);
        if (result != 0)
            return -1;
    }
}

int pgc_bq_select(pgc_bq_sink *sink, const pgc_buffer *sql, const char *doing, int columns, pgc_arena *arena,
                  const char ***rows, size_t *count, bool *missing, pgconvoy_error *err)
{
    pgc_buffer path, body;
    pgc_bq_answer answer;
    pgc_staged_rows selection = {.columns = columns, .arena = arena};
    if (pgc_buffer_check(sql, err) != 0)
        return -1;
    pgc_buffer_init(&path, 8192);
    pgc_buffer_init(&body, BODY_MAX);
    pgc_buffer_text(&path, "/bigquery/v2/projects/");
    pgc_http_escape(&path, sink->target.project);
    pgc_buffer_text(&path, "/queries");
    pgc_buffer_text(&body, "{\"useLegacySql\":false,\"timeoutMs\":10000,\"useQueryCache\":false,\"query\":");
    pgc_json_string_n(&body, sql->data, sql->length);
    if (sink->location[0]) {
        pgc_buffer_text(&body, ",\"location\":");
        pgc_json_string(&body, sink->location);
    }
    pgc_buffer_byte(&body, '}');
    int result = pgc_bq_post(sink, &path, &body, 0, doing, arena, &answer, err);
    if (result == 0)
        result = take_pages(sink, &selection, &answer, doing, err);
    *missing = result != 0 && strstr(err->message, "Not found: ") && !strstr(err->message, "Project ");
    *rows = selection.values;
    *count = selection.count;
    pgc_buffer_free(&path);
    pgc_buffer_free(&body);
    return result;
}

/* ---- uploads */

static int begin_upload(pgc_bq_sink *sink, const char *table, const char *fields, const char *job_id, const char *doing,
                        char *session, size_t size, bool *known, pgconvoy_error *err)
{
    pgc_buffer path, body;
    pgc_bq_answer answer;
    pgc_arena *arena = pgc_arena_new(16384);
    if (!arena)
        return pgc_error_out_of_memory(err);
    pgc_buffer_init(&path, 8192);
    pgc_buffer_init(&body, BODY_MAX);
    pgc_buffer_text(&path, "/upload");
    jobs_path(sink, &path);
    pgc_buffer_text(&path, "?uploadType=resumable");
    write_reference(sink, job_id, &body);
    pgc_buffer_text(&body, "\"load\":{\"sourceFormat\":\"NEWLINE_DELIMITED_JSON\",\"destinationTable\":");
    pgc_bq_put_reference(sink, table, &body);
    pgc_buffer_format(&body,
                      ",\"schema\":{\"fields\":[%s]},\"createDisposition\":\"CREATE_NEVER\",\"writeDisposition\":"
                      "\"WRITE_APPEND\"}}}",
                      fields);
    int result = pgc_bq_post(sink, &path, &body, 409, doing, arena, &answer, err);
    if (result == 0) {
        *known = answer.status == 409;
        if (!*known && !answer.session[0]) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "%s: the answer names no place to upload to", doing);
            result = -1;
        }
        snprintf(session, size, "%s", answer.session);
    }
    pgc_buffer_free(&path);
    pgc_buffer_free(&body);
    pgc_arena_free(arena);
    return result;
}

/* How much of an upload the service has; -1 with *done when it has all of it. */
static int ask_received(pgc_bq_sink *sink, const char *session, int64_t size, const char *doing, int64_t *at,
                        bool *done, pgconvoy_error *err)
{
    char range[64];
    pgc_bq_answer answer;
    pgc_arena *arena = pgc_arena_new(16384);
    if (!arena)
        return pgc_error_out_of_memory(err);
    snprintf(range, sizeof range, "bytes */%lld", (long long)size);
    pgc_bq_request request = {.method = "PUT", .path = session, .content_range = range, .doing = doing, .accepts = 308};
    int result = pgc_bq_call(sink, &request, arena, &answer, err);
    if (result == 0) {
        *done = answer.status != 308;
        long long last = -1;
        *at = sscanf(answer.range, "bytes=0-%lld", &last) == 1 ? last + 1 : 0;
    }
    pgc_arena_free(arena);
    return result;
}

static int send_piece(pgc_bq_sink *sink, const char *session, const char *piece, size_t length, int64_t *at,
                      int64_t size, const char *doing, bool *done, pgconvoy_error *err)
{
    char range[96];
    pgc_bq_answer answer;
    pgc_arena *arena = pgc_arena_new(16384);
    if (!arena)
        return pgc_error_out_of_memory(err);
    snprintf(range, sizeof range, "bytes %lld-%lld/%lld", (long long)*at, (long long)*at + (long long)length - 1,
             (long long)size);
    pgc_bq_request request = {.method = "PUT",
                              .path = session,
                              .body = piece,
                              .length = length,
                              .content_range = range,
                              .doing = doing,
                              .accepts = 308,
                              .once = true};
    int result = pgc_bq_call(sink, &request, arena, &answer, err);
    if (result == 0) {
        long long last = -1;
        *done = answer.status != 308;
        *at = sscanf(answer.range, "bytes=0-%lld", &last) == 1 ? last + 1 : 0;
    }
    pgc_arena_free(arena);
    return result;
}

static int read_piece(int fd, int64_t at, char *piece, size_t length, pgconvoy_error *err)
{
    for (size_t have = 0; have < length;) {
        ssize_t got = pread(fd, piece + have, length - have, (off_t)at + (off_t)have);
        if (got <= 0) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_RESOURCE, "a staging file cannot be read back");
            return -1;
        }
        have += (size_t)got;
    }
    return 0;
}

static int send_all(pgc_bq_sink *sink, int fd, int64_t size, const char *session, const char *doing,
                    pgconvoy_error *err)
{
    char *piece = malloc(PIECE_BYTES);
    int64_t at = 0;
    bool done = false;
    int result = piece ? 0 : pgc_error_out_of_memory(err);
    for (int failures = 0; result == 0 && !done;) {
        size_t length = (size_t)(size - at) < PIECE_BYTES ? (size_t)(size - at) : PIECE_BYTES;
        result = read_piece(fd, at, piece, length, err);
        if (result != 0 || send_piece(sink, session, piece, length, &at, size, doing, &done, err) == 0)
            continue;
        /* what became of it is not known: the service is asked from where on it wants more */
        result = pgconvoy_error_is_retriable(err) && ++failures < TRIES_OF_A_PIECE
                     ? ask_received(sink, session, size, doing, &at, &done, err)
                     : -1;
    }
    free(piece);
    return result;
}

int pgc_bq_load_begin(pgc_bq_sink *sink, int fd, int64_t size, const char *table, const char *fields,
                      const char *job_id, const char *doing, pgconvoy_error *err)
{
    char session[1024];
    bool known = false;
    if (begin_upload(sink, table, fields, job_id, doing, session, sizeof session, &known, err) != 0)
        return -1;
    return known ? 0 : send_all(sink, fd, size, session, doing, err);
}
