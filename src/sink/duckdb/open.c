/*
 * Opens a DuckDB file. A process that was killed leaves a write-ahead log behind, which DuckDB replays as it opens the file; where the log has certain ALTERs
 * (a default that calls a function, among others) that fails, as there is no default database yet (duckdb issues 18259, 19712, 20543 and 22124, 1.4 and 1.5).
 * A database that is attached to another one is replayed as it should be.
 */
#include "sink/duckdb/duckdb_internal.h"

#include "postgres/quote.h"

#include <string.h>

static int run(const pgc_duckdb_api *api, duckdb_connection connection, const char *file, const char *before, const char *after)
{
    pgc_buffer sql;
    pgconvoy_error unused = {0};
    pgc_buffer_init(&sql, 65536);
    pgc_buffer_text(&sql, before);
    if (file)
        pgc_quote_literal(&sql, file);
    pgc_buffer_text(&sql, after);
    int result = pgc_duckdb_run(api, connection, &sql, "replaying a write-ahead log", NULL, &unused);
    pgc_buffer_free(&sql);
    return result;
}

/* 0: the file has what its log had, and has no log any more. */
static int replay(const pgc_duckdb_api *api, const char *file, duckdb_config config)
{
    duckdb_database memory;
    duckdb_connection connection;
    char *message = NULL;
    bool opened = api->open_ext(NULL, &memory, config, &message) == DuckDBSuccess;
    api->free(message);
    if (!opened)
        return -1;
    int result = -1;
    if (api->connect(memory, &connection) == DuckDBSuccess) {
        result = run(api, connection, file, "ATTACH ", " AS pgconvoy_replayed");
        if (result == 0)
            result = run(api, connection, NULL, "CHECKPOINT pgconvoy_replayed", "");
        if (result == 0)
            result = run(api, connection, NULL, "DETACH pgconvoy_replayed", "");
        api->disconnect(&connection);
    }
    api->close(&memory);
    return result;
}

int pgc_duckdb_open(const pgc_duckdb_api *api, const char *file, duckdb_config config, pgconvoy_log *log, duckdb_database *database, char **message)
{
    if (api->open_ext(file, database, config, message) == DuckDBSuccess)
        return 0;
    if (!*message || !strstr(*message, "Failure while replaying WAL file") || replay(api, file, config) != 0)
        return -1;
    api->free(*message);
    *message = NULL;
    pgc_log_info(log, "duckdb: the write-ahead log of %s, which DuckDB could not replay as it opened the file, was replayed by way of ATTACH; nothing is lost", file);
    return api->open_ext(file, database, config, message) == DuckDBSuccess ? 0 : -1;
}
