/* The further sessions that read data beside the catalog's own. */
#include "archive/data_internal.h"
#include "postgres/connection.h"
#include "postgres/quote.h"

PGconn *pgc_data_session_open(pgc_catalog *catalog, pgconvoy_error *err)
{
    PGconn *conn = pgc_catalog_session(catalog, err);
    if (conn && pgc_execute(conn, "SET max_parallel_workers_per_gather = 0", err) == 0)
        return conn;
    PQfinish(conn);
    return NULL;
}

int pgc_data_session_lock(PGconn *conn, const pgc_entry *entry, pgconvoy_error *err)
{
    if (!entry->object || entry->object->kind != PGC_KIND_TABLE_DATA)
        return 0;
    const pgc_relation *table = ((const pgc_table_data *)entry->object)->relation;
    if (table->kind == PGC_RELKIND_FOREIGN)
        return 0;
    pgc_buffer name, sql;
    pgc_buffer_init(&name, 1 << 12);
    pgc_buffer_init(&sql, 1 << 12);
    const char *schema = table->object.schema ? table->object.schema->object.name : "pg_catalog";
    pgc_quote_qualified(&name, schema, table->object.name);
    pgc_buffer_format(&sql, "LOCK TABLE ONLY %s IN ACCESS SHARE MODE NOWAIT", name.data ? name.data : "");
    int result = pgc_buffer_check(&name, err);
    if (result == 0)
        result = pgc_buffer_check(&sql, err);
    if (result == 0 && pgc_execute(conn, sql.data, err)) {
        result = -1;
        if (strcmp(err->sqlstate, "55P03") == 0) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_SOURCE, "could not obtain lock on relation \"%s.%s\"", schema,
                               table->object.name);
            pgconvoy_error_hint(err, "another session has asked for an ACCESS EXCLUSIVE lock on the table since the "
                                     "dump began; dump again when it is done");
        }
    }
    pgc_buffer_free(&name);
    pgc_buffer_free(&sql);
    return result;
}
