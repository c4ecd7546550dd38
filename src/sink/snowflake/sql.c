/*
 * Statements over the SQL API (docs: "Snowflake SQL API reference"). Each request has an id of its own; one whose
 * outcome is not known is sent again with the same id and retry=true, by which the service knows what it has run.
 */
#include "sink/snowflake/snowflake_internal.h"

#include "base/clock.h"
#include "format/json_text.h"
#include "postgres/quote.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define BODY_MAX ((size_t)8 << 20)
#define ATTEMPTS 2 /* the second of which the HTTP client repeats */
#define FIRST_WAIT 50
#define LONGEST_WAIT 2000

static void put_member(pgc_buffer *body, const char *name, const char *value)
{
    if (!value)
        return;
    pgc_buffer_format(body, ",\"%s\":", name);
    pgc_json_string(body, value);
}

static int write_body(const pgc_sf_sink *sink, const pgc_buffer *sql, bool several, pgc_buffer *body,
                      pgconvoy_error *err)
{
    pgc_buffer_text(body, "{\"statement\":");
    pgc_json_string_n(body, sql->data ? sql->data : "", sql->length);
    put_member(body, "database", sink->target.database);
    put_member(body, "schema", sink->exists ? sink->target.schema : NULL);
    put_member(body, "warehouse", sink->target.warehouse);
    put_member(body, "role", sink->target.role);
    pgc_buffer_format(body,
                      ",\"parameters\":{\"MULTI_STATEMENT_COUNT\":\"%d\",\"TIMEZONE\":\"UTC\",\"QUERY_TAG\":"
                      "\"pgconvoy\"}}",
                      several ? 0 : 1);
    return pgc_buffer_check(body, err);
}

static bool is_unclear(const pgc_sf_answer *answer, const pgconvoy_error *err)
{
    return answer->status == 0 ? pgconvoy_error_is_retriable(err) : answer->status == 429 || answer->status >= 500;
}

/* Waits for a statement that runs on (202). */
static int poll(pgc_sf_sink *sink, const char *doing, pgc_arena *arena, pgc_sf_answer *answer, pgconvoy_error *err)
{
    int wait_ms = FIRST_WAIT;
    while (answer->status == 202) {
        const char *handle = pgc_json_get_text(answer->body, "statementHandle");
        char path[200];
        if (!handle) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "%s: the answer names no statement", doing);
            return -1;
        }
        snprintf(path, sizeof path, "/api/v2/statements/%.100s", handle);
        pgc_clock_sleep_ms(wait_ms);
        wait_ms = wait_ms * 3 / 2 < LONGEST_WAIT ? wait_ms * 3 / 2 : LONGEST_WAIT;
        const pgc_sf_request request = {.method = "GET", .path = path, .doing = doing};
        if (pgc_sf_call(sink, &request, arena, answer, err) != 0)
            return -1;
    }
    return 0;
}

static int submit(pgc_sf_sink *sink, const pgc_buffer *sql, bool several, const char *doing, pgc_arena *arena,
                  pgc_sf_answer *answer, pgconvoy_error *err)
{
    pgc_buffer body;
    char path[160], uuid[PGC_SF_UUID_SIZE];
    memset(answer, 0, sizeof *answer);
    pgc_buffer_init(&body, BODY_MAX);
    int result = pgc_buffer_check(sql, err);
    if (result == 0)
        result = write_body(sink, sql, several, &body, err);
    if (result == 0)
        result = pgc_sf_uuid(uuid, err);
    for (int attempt = 0; result == 0; attempt++) {
        snprintf(path, sizeof path, "/api/v2/statements?requestId=%s%s", uuid, attempt > 0 ? "&retry=true" : "");
        const pgc_sf_request request = {.method = "POST",
                                        .path = path,
                                        .body = body.data,
                                        .length = body.length,
                                        .doing = doing,
                                        .once = attempt == 0};
        if (pgc_sf_call(sink, &request, arena, answer, err) == 0)
            break;
        if (attempt + 1 >= ATTEMPTS || !is_unclear(answer, err))
            result = -1;
        else
            pgc_clock_sleep_ms(100 << attempt);
    }
    if (result == 0)
        result = poll(sink, doing, arena, answer, err);
    pgc_buffer_free(&body);
    return result;
}

int pgc_sf_run(pgc_sf_sink *sink, const pgc_buffer *sql, bool several, const char *doing, pgconvoy_error *err)
{
    pgc_sf_answer answer;
    pgc_arena *arena = pgc_arena_new(16384);
    if (!arena)
        return pgc_error_out_of_memory(err);
    int result = submit(sink, sql, several, doing, arena, &answer, err);
    pgc_arena_free(arena);
    return result;
}

/* ---- selects */

static int take_rows(pgc_staged_rows *selection, const pgc_json *body, const char *doing, pgconvoy_error *err)
{
    const pgc_json *rows = pgc_json_get(body, "data");
    if (!rows || rows->type != PGC_JSON_ARRAY) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "%s: an answer of Snowflake has no rows", doing);
        pgconvoy_error_retriable(err, true);
        return -1;
    }
    for (const pgc_json *row = rows->first; row; row = row->next) {
        const char **values = pgc_staged_rows_add(selection, err);
        if (!values)
            return -1;
        int column = 0;
        for (const pgc_json *field = row->first; field && column < selection->columns; field = field->next)
            values[column++] = field->type == PGC_JSON_NULL ? NULL : field->text;
    }
    return 0;
}

/* Results come in partitions, the first of them with the answer (docs: "Getting the results from the response"). */
static int take_partitions(pgc_sf_sink *sink, pgc_staged_rows *selection, const pgc_sf_answer *first, const char *doing,
                           pgconvoy_error *err)
{
    const pgc_json *info = pgc_json_get(pgc_json_get(first->body, "resultSetMetaData"), "partitionInfo");
    const char *handle = pgc_json_get_text(first->body, "statementHandle");
    int partitions = info ? info->count : 1;
    if (take_rows(selection, first->body, doing, err) != 0)
        return -1;
    for (int i = 1; i < partitions; i++) {
        char path[200];
        pgc_sf_answer answer;
        snprintf(path, sizeof path, "/api/v2/statements/%.100s?partition=%d", handle ? handle : "", i);
        const pgc_sf_request request = {.method = "GET", .path = path, .doing = doing};
        if (pgc_sf_call(sink, &request, selection->arena, &answer, err) != 0 ||
            take_rows(selection, answer.body, doing, err) != 0)
            return -1;
    }
    int64_t wanted = pgc_json_number(pgc_json_get(first->body, "resultSetMetaData"), "numRows", -1);
    if (wanted == (int64_t)selection->count)
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "%s: %zu rows came of %" PRId64, doing, selection->count, wanted);
    pgconvoy_error_retriable(err, true);
    return -1;
}

int pgc_sf_select(pgc_sf_sink *sink, const pgc_buffer *sql, const char *doing, int columns, pgc_arena *arena,
                  const char ***rows, size_t *count, bool *missing, pgconvoy_error *err)
{
    pgc_sf_answer answer;
    pgc_staged_rows selection = {.columns = columns, .arena = arena};
    int result = submit(sink, sql, false, doing, arena, &answer, err);
    bool absent = result != 0 && answer.status == 422 &&
                  (strcmp(answer.code, "002003") == 0 || strcmp(answer.code, "002043") == 0);
    if (missing)
        *missing = absent;
    if (absent && missing) {
        pgc_error_clear(err);
        result = 0;
    } else if (result == 0) {
        result = take_partitions(sink, &selection, &answer, doing, err);
    }
    *rows = selection.values;
    *count = selection.count;
    return result;
}

/* ---- writing names and texts */

void pgc_sf_quote_column(pgc_buffer *out, const char *name)
{
    pgc_quote_identifier(out, name); /* docs: "Double-quoted identifiers": the same rule as PostgreSQL's */
}

void pgc_sf_quote_table(const pgc_sf_sink *sink, const char *name, pgc_buffer *out)
{
    pgc_quote_qualified(out, sink->target.database, sink->target.schema);
    pgc_buffer_byte(out, '.');
    pgc_quote_identifier(out, name);
}

/* Docs: "Escape sequences in single-quoted string constants". */
void pgc_sf_quote_text(pgc_buffer *out, const char *text)
{
    pgc_buffer_byte(out, '\'');
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\')
            pgc_buffer_byte(out, *text == '\'' ? '\'' : '\\');
        pgc_buffer_byte(out, *text);
    }
    pgc_buffer_byte(out, '\'');
}
