/* SQL to DuckDB, and its errors turned into ours. */
#include "sink/duckdb/duckdb_internal.h"

#include <stdio.h>
#include <stdlib.h>

void pgc_duckdb_message_error(duckdb_error_type type, const char *message, const char *doing, pgconvoy_error *err)
{
    /* DuckDB's messages go on with advice on their later lines, which does not fit a program that drives it */
    char line[sizeof err->message];
    snprintf(line, sizeof line, "%s", message && *message ? message : "no reason given");
    line[strcspn(line, "\n")] = '\0';

    /* what it may write to its temporary folder is what the disk has left */
    bool spill = strstr(line, "failed to offload") != NULL;
    /* at commit it comes as an error of the transaction, which would heal: only its words tell */
    bool memory = !spill && (type == DUCKDB_ERROR_OUT_OF_MEMORY || strstr(line, "Out of Memory") || strstr(line, "could not allocate block") ||
                             strstr(line, "failed to allocate") || strstr(line, "failed to pin block"));
    bool disk = spill || strstr(line, "No space left") != NULL;
    pgconvoy_error_set(err, memory || disk ? PGCONVOY_ERROR_RESOURCE : PGCONVOY_ERROR_SINK, "%s: %s%s", doing,
                       spill ? "no space left on the disk for DuckDB's temporary files: " : "", line);
    if (memory)
        pgconvoy_error_hint(err, "give it more with --memory, or fewer threads or no primary keys with "
                                 "duckdb:FILE?threads=1&primary_key=off");
    else if (disk)
        pgconvoy_error_hint(err, "make room on the disk of the database file and of its .tmp.PID folder");
    else if (type == DUCKDB_ERROR_CONSTRAINT)
        pgconvoy_error_hint(err, "somebody else has written to the table, or the source's rows break its constraint: copy the table "
                                 "again, or do without keys with duckdb:FILE?primary_key=off");
    pgconvoy_error_retriable(err, !memory && (disk || type == DUCKDB_ERROR_TRANSACTION || type == DUCKDB_ERROR_FATAL));
}

void pgc_duckdb_result_error(const pgc_duckdb_api *api, duckdb_result *result, const char *doing, pgconvoy_error *err)
{
    pgc_duckdb_message_error(api->result_error_type(result), api->result_error(result), doing, err);
    api->destroy_result(result);
}

int pgc_duckdb_select(const pgc_duckdb_api *api, duckdb_connection connection, const pgc_buffer *sql, const char *doing,
                      duckdb_result *result, pgconvoy_error *err)
{
    if (pgc_buffer_check(sql, err) != 0)
        return -1;
    if (api->query(connection, sql->data, result) == DuckDBSuccess)
        return 0;
    pgc_duckdb_result_error(api, result, doing, err);
    return -1;
}

int pgc_duckdb_run(const pgc_duckdb_api *api, duckdb_connection connection, const pgc_buffer *sql, const char *doing,
                   int64_t *changed, pgconvoy_error *err)
{
    duckdb_result result;
    if (pgc_duckdb_select(api, connection, sql, doing, &result, err) != 0)
        return -1;
    if (changed)
        *changed = (int64_t)api->rows_changed(&result);
    api->destroy_result(&result);
    return 0;
}

int pgc_duckdb_run_text(const pgc_duckdb_api *api, duckdb_connection connection, const char *sql, const char *doing,
                        pgconvoy_error *err)
{
    duckdb_result result;
    if (api->query(connection, sql, &result) == DuckDBSuccess) {
        api->destroy_result(&result);
        return 0;
    }
    pgc_duckdb_result_error(api, &result, doing, err);
    return -1;
}

const char *pgc_duckdb_cell(const pgc_duckdb_api *api, duckdb_result *result, idx_t row, idx_t column, pgc_arena *arena)
{
    char *text = api->value_varchar(result, column, row);
    const char *copy = text ? pgc_arena_strdup(arena, text) : NULL;
    api->free(text);
    return copy;
}

int64_t pgc_duckdb_number(const pgc_duckdb_api *api, duckdb_result *result, idx_t row, idx_t column)
{
    char *text = api->value_varchar(result, column, row);
    int64_t number = text ? (int64_t)strtoll(text, NULL, 10) : 0;
    api->free(text);
    return number;
}

/*
 * After a commit that failed, or whose checkpoint did, rows of it and of earlier ones can be missing in what DuckDB has in memory, with the position of the failed one
 * in it (1.4.4, out of memory). The file and its log have all that was committed before: nothing more is to be written over them, above all not at closing.
 */
static void distrust(pgc_duckdb_sink *sink)
{
    static const char *const settings[] = {"PRAGMA disable_checkpoint_on_shutdown", "SET GLOBAL checkpoint_threshold = '1TB'"};
    duckdb_connection connection;
    atomic_store(&sink->distrusted, true);
    if (sink->target.motherduck || sink->api.connect(sink->database, &connection) != DuckDBSuccess)
        return;
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        pgconvoy_error why = {0};
        if (pgc_duckdb_run_text(&sink->api, connection, settings[i], "leaving the file as it is", &why) != 0)
            pgc_log_warning(sink->config->log, "duckdb: %s", why.message);
    }
    sink->api.disconnect(&connection);
}

int pgc_duckdb_commit(pgc_duckdb_sink *sink, duckdb_connection connection, const char *doing, pgconvoy_error *err)
{
    if (atomic_load(&sink->distrusted)) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "%s: another commit has failed before", doing);
        pgconvoy_error_retriable(err, true); /* where that one is */
        return -1;
    }
    if (pgc_duckdb_run_text(&sink->api, connection, "COMMIT", doing, err) == 0)
        return 0;
    distrust(sink);
    return -1;
}

void pgc_duckdb_rollback(const pgc_duckdb_api *api, duckdb_connection connection)
{
    duckdb_result result;
    (void)api->query(connection, "ROLLBACK", &result);
    api->destroy_result(&result);
}
