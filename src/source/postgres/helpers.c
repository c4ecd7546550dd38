/* Small helpers around the source's connections and results. */
#include "source/postgres/postgres_internal.h"

#include <stdio.h>
#include <stdlib.h>

PGconn *pgc_source_connect(pgc_postgres_source *source, pgc_connection_kind kind, const char *purpose,
                           pgconvoy_error *err)
{
    char name[64]; /* the server cuts it there */
    snprintf(name, sizeof name, "pgconvoy %.30s %s", source->config.pipeline_name, purpose);
    return pgc_connect(source->config.uri, kind, name, err);
}

PGconn *pgc_source_conn(pgc_postgres_source *source, pgconvoy_error *err)
{
    if (source->conn && PQstatus(source->conn) == CONNECTION_OK) {
        /* the server may have gone while the connection rested: libpq sees the end of the socket only when it reads */
        if (PQconsumeInput(source->conn) && PQstatus(source->conn) == CONNECTION_OK)
            return source->conn;
    }
    PQfinish(source->conn);
    source->conn = pgc_source_connect(source, PGC_CONNECTION_SQL, "catalog", err);
    if (source->conn && pgc_execute(source->conn, "SET lock_timeout = '20s'", err) != 0) {
        PQfinish(source->conn);
        source->conn = NULL;
    }
    return source->conn;
}

PGresult *pgc_query_oids(PGconn *conn, const char *sql, const uint32_t *oids, size_t count, pgconvoy_error *err)
{
    pgc_buffer text;
    pgc_buffer_init(&text, (size_t)1 << 30);
    for (size_t i = 0; i < count; i++)
        pgc_array_add_oid(&text, oids[i]);
    pgc_array_end(&text);
    PGresult *result = NULL;
    if (pgc_buffer_check(&text, err) == 0) {
        const char *values[] = {text.data};
        result = pgc_query_params(conn, sql, 1, values, err);
    }
    pgc_buffer_free(&text);
    return result;
}

uint32_t pgc_result_oid(const PGresult *result, int row, int column)
{
    return (uint32_t)strtoul(PQgetvalue(result, row, column), NULL, 10);
}

bool pgc_result_bool(const PGresult *result, int row, int column)
{
    return PQgetvalue(result, row, column)[0] == 't';
}

int64_t pgc_result_int64(const PGresult *result, int row, int column)
{
    return strtoll(PQgetvalue(result, row, column), NULL, 10);
}

bool pgc_source_interrupted(const pgc_postgres_source *source)
{
    return source->config.interrupted && source->config.interrupted(source->config.interrupted_arg);
}
