/* What rows from before have in columns that a command of DDL adds. */
#include "sink/postgres/ddl_internal.h"

int pgc_pgsink_ddl_look_before(PGconn *conn, const pgconvoy_ddl *ddl, pgc_arena *arena, pgc_pgsink_relation **before,
                               pgconvoy_error *err)
{
    *before = pgc_arena_zalloc(arena, (ddl->table_count + 1) * sizeof **before);
    if (!*before)
        return pgc_error_out_of_memory(err);
    for (size_t i = 0; i < ddl->table_count && pgc_pgsink_ddl_has(ddl, "ADD"); i++)
        if (pgc_pgsink_relation_load(conn, ddl->tables[i]->schema, ddl->tables[i]->name, arena, &(*before)[i], err) !=
            0)
            return -1;
    return 0;
}

/* A default like now() gave the rows another value here than at the source. */
static int set_missing(PGconn *conn, const pgconvoy_table *table, const pgconvoy_column *column, pgconvoy_error *err)
{
    static const char same_sql[] = "SELECT count(*) FROM pg_catalog.pg_attribute a WHERE a.attname = $2 AND a.attrelid "
                                   "IN (SELECT pg_catalog.to_regclass($1) UNION "
                                   "SELECT relid FROM pg_catalog.pg_partition_tree(pg_catalog.to_regclass($1)) WHERE "
                                   "isleaf) AND a.atthasmissing AND "
                                   "(a.attmissingval::text::text[])[1] = $3";
    pgc_buffer name, sql;
    pgc_buffer_init(&name, 65536);
    pgc_buffer_init(&sql, PGSINK_SQL_LIMIT);
    pgc_quote_qualified(&name, table->schema, table->name);
    const char *values[] = {name.data, column->name, column->missing};
    PGresult *result =
        pgc_buffer_check(&name, err) == 0 ? pgc_pgsink_query(conn, same_sql, 3, values, PGSINK_DDL_DOING, err) : NULL;
    int status = result ? 0 : -1;
    if (result && PQgetvalue(result, 0, 0)[0] == '0') {
        pgc_buffer_format(&sql, "UPDATE %s SET ", name.data);
        pgc_quote_identifier(&sql, column->name);
        pgc_buffer_text(&sql, " = ");
        pgc_quote_literal(&sql, column->missing);
        pgc_buffer_format(&sql, "::%s", column->type_sql);
        status = pgc_pgsink_execute_buffer(conn, &sql, PGSINK_DDL_DOING, err);
    }
    PQclear(result);
    pgc_buffer_free(&name);
    pgc_buffer_free(&sql);
    return status;
}

int pgc_pgsink_ddl_give_missing(PGconn *conn, const pgconvoy_ddl *ddl, const pgc_pgsink_relation *before,
                                pgconvoy_error *err)
{
    for (size_t i = 0; i < ddl->table_count; i++) {
        const pgconvoy_table *table = ddl->tables[i];
        for (int c = 0; c < table->column_count && before[i].oid; c++)
            if (table->columns[c].missing && !pgc_pgsink_relation_find(&before[i], table->columns[c].name) &&
                set_missing(conn, table, &table->columns[c], err) != 0)
                return -1;
    }
    return 0;
}
