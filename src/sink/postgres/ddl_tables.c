/* What a command of DDL changes in the checkpoint: tables that came with it, went, stand alone now, have other names,
 * or are copied anew. */
#include "sink/postgres/ddl_internal.h"

#include "apply/sql_text.h"

/* A partition comes under the name of the table it is part of, where that is the pipeline's; else by itself, as the leaves beside it do. */
static int register_made(pgc_pgsink *sink, PGconn *conn, const pgconvoy_ddl_object *object, bool by_leaves, pgconvoy_error *err)
{
    static const char sql[] =
        "SELECT 1 FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass($1) AND CASE WHEN $3 THEN c.relkind = 'r' "
        "WHEN NOT c.relispartition THEN c.relkind IN ('r', 'p') ELSE c.relkind = 'r' AND NOT EXISTS (SELECT FROM "
        "pg_catalog.pg_partition_ancestors(c.oid) a (oid) JOIN pg_catalog.pg_class r ON r.oid = a.oid JOIN "
        "pg_catalog.pg_namespace n ON n.oid = r.relnamespace JOIN pgconvoy.table_state s ON s.pipeline = $2 AND "
        "s.schema_name = n.nspname AND s.table_name = r.relname) END";
    const char *values[] = {object->identity, sink->config->pipeline_name, by_leaves ? "t" : "f"};
    PGresult *result = pgc_pgsink_query(conn, sql, 3, values, PGSINK_DDL_DOING, err);
    if (!result)
        return -1;
    bool of_its_own = PQntuples(result) == 1;
    PQclear(result);
    pgconvoy_table_status waiting = {object->schema, object->name, PGCONVOY_TABLE_WAITING, 0};
    return of_its_own ? pgc_pgsink_checkpoint_tables(sink, conn, &waiting, 1, PGSINK_CONTENT_FOLLOWED, err) : 0;
}

/* The name behind DETACH PARTITION, as it was written. */
static void name_of_detached(const pgconvoy_ddl *ddl, pgc_buffer *name)
{
    const char *at = ddl->command, *end = at + strlen(at);
    bool behind = false;
    for (pgc_sql_token token; (token = pgc_sql_next_token(&at, end)).kind != PGC_SQL_END;) {
        if (behind && (pgc_sql_token_is(&token, "CONCURRENTLY") || pgc_sql_token_is(&token, "FINALIZE")))
            break;
        if (behind)
            pgc_buffer_append(name, token.start, token.length);
        behind = behind || pgc_sql_token_is(&token, "PARTITION");
    }
}

/* A partition that is one no more is a table of its own, here as at the source. */
static int register_detached(pgc_pgsink *sink, PGconn *conn, const pgconvoy_ddl *ddl, pgconvoy_error *err)
{
    static const char sql[] = "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n "
                              "ON n.oid = c.relnamespace "
                              "WHERE c.oid = pg_catalog.to_regclass($1)";
    if (!pgc_pgsink_ddl_has(ddl, "DETACH"))
        return 0;
    pgc_buffer name;
    pgc_buffer_init(&name, 4096);
    name_of_detached(ddl, &name);
    const char *values[] = {name.data}, *path[] = {ddl->search_path ? ddl->search_path : ""};
    PGresult *set = pgc_buffer_check(&name, err) == 0
                        ? pgc_pgsink_query(conn, "SELECT pg_catalog.set_config('search_path', $1, true)", 1, path,
                                           PGSINK_DDL_DOING, err)
                        : NULL;
    PGresult *result = set ? pgc_pgsink_query(conn, sql, 1, values, PGSINK_DDL_DOING, err) : NULL;
    int status = result ? pgc_pgsink_execute(conn, "SET LOCAL search_path = pg_catalog", PGSINK_DDL_DOING, err) : -1;
    if (status == 0 && PQntuples(result) == 1) {
        pgconvoy_table_status waiting = {PQgetvalue(result, 0, 0), PQgetvalue(result, 0, 1), PGCONVOY_TABLE_WAITING, 0};
        status = pgc_pgsink_checkpoint_tables(sink, conn, &waiting, 1, PGSINK_CONTENT_FOLLOWED, err);
    }
    PQclear(set);
    PQclear(result);
    pgc_buffer_free(&name);
    return status;
}

static int forget_dropped(pgc_pgsink *sink, PGconn *conn, const pgconvoy_ddl_object *object, pgconvoy_error *err)
{
    const char *values[] = {sink->config->pipeline_name, object->schema, object->name};
    PGresult *result = pgc_pgsink_query(
        conn, "DELETE FROM pgconvoy.table_state WHERE pipeline = $1 AND schema_name = $2 AND table_name = $3", 3,
        values, PGSINK_DDL_DOING, err);
    PQclear(result);
    return result ? 0 : -1;
}

static int note_tables(pgc_pgsink *sink, PGconn *conn, const pgconvoy_ddl *ddl, pgconvoy_error *err)
{
    bool makes = strncmp(ddl->tag, "CREATE TABLE", 12) == 0 || strcmp(ddl->tag, "SELECT INTO") == 0 ||
                 strncmp(ddl->tag, "CREATE SCHEMA", 13) == 0;
    for (size_t i = 0; i < ddl->object_count; i++) {
        const pgconvoy_ddl_object *object = &ddl->objects[i];
        if (!pgc_pgsink_ddl_is_a(object, "table") || !object->schema || !object->name)
            continue;
        if (object->dropped ? forget_dropped(sink, conn, object, err) : makes && register_made(sink, conn, object, ddl->by_leaves, err))
            return -1;
    }
    return 0;
}

int pgc_pgsink_ddl_look_at_names(pgc_pgsink *sink, PGconn *conn, const pgconvoy_ddl *ddl, PGresult **names,
                                 pgconvoy_error *err)
{
    static const char sql[] =
        "SELECT array_agg(schema_name), array_agg(table_name), "
        "array_agg(pg_catalog.to_regclass(pg_catalog.format('%I.%I', schema_name, table_name))::oid) "
        "FROM pgconvoy.table_state WHERE pipeline = $1";
    const char *values[] = {sink->config->pipeline_name};
    *names = NULL;
    if (!pgc_pgsink_ddl_has(ddl, "RENAME") && !(pgc_pgsink_ddl_has(ddl, "SET") && pgc_pgsink_ddl_has(ddl, "SCHEMA")))
        return 0;
    *names = pgc_pgsink_query(conn, sql, 1, values, PGSINK_DDL_DOING, err);
    return *names ? 0 : -1;
}

static int follow_names(pgc_pgsink *sink, PGconn *conn, const PGresult *names, pgconvoy_error *err)
{
    static const char sql[] =
        "UPDATE pgconvoy.table_state s SET schema_name = n.nspname, table_name = c.relname "
        "FROM unnest($2::text[], $3::text[], $4::oid[]) o (schema_name, table_name, oid) "
        "JOIN pg_catalog.pg_class c ON c.oid = o.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
        "WHERE s.pipeline = $1 AND (s.schema_name, s.table_name) = (o.schema_name, o.table_name) AND "
        "(n.nspname, c.relname) IS DISTINCT FROM (s.schema_name::name, s.table_name::name)";
    if (!names || PQgetisnull(names, 0, 0))
        return 0;
    const char *values[] = {sink->config->pipeline_name, PQgetvalue(names, 0, 0), PQgetvalue(names, 0, 1),
                            PQgetvalue(names, 0, 2)};
    PGresult *result = pgc_pgsink_query(conn, sql, 4, values, PGSINK_DDL_DOING, err);
    PQclear(result);
    return result ? 0 : -1;
}

/* Generated columns are not sent, and not among the source's here. */
static bool is_as_source(const pgc_pgsink_relation *relation, const pgconvoy_table *table)
{
    int generated = 0;
    for (int i = 0; i < relation->column_count; i++)
        generated += relation->columns[i].generated;
    for (int i = 0; i < table->column_count; i++) {
        const pgc_pgsink_column *column = pgc_pgsink_relation_find(relation, table->columns[i].name);
        if (!column || pgc_pgsink_column_fit(&table->columns[i], column) != PGSINK_FIT_SAME)
            return false;
        generated -= column->generated;
    }
    return relation->column_count == table->column_count + generated;
}

/* A table that is as the source's may be brought to whatever the source's is when it is copied anew. */
static int note_recopied(pgc_pgsink *sink, PGconn *conn, const pgconvoy_ddl *ddl, pgc_arena *arena, pgconvoy_error *err)
{
    for (size_t i = 0; i < ddl->table_count; i++) {
        const pgconvoy_table *table = ddl->tables[i];
        pgc_pgsink_relation relation;
        bool recopied = false;
        for (size_t r = 0; r < ddl->recopied_count; r++)
            recopied |= ddl->recopied[r] == table->oid;
        if (!recopied)
            continue;
        if (pgc_pgsink_relation_load(conn, table->schema, table->name, arena, &relation, err) != 0)
            return -1;
        pgconvoy_table_status waiting = {table->schema, table->name, PGCONVOY_TABLE_WAITING, 0};
        if (is_as_source(&relation, table) &&
            pgc_pgsink_checkpoint_tables(sink, conn, &waiting, 1, PGSINK_CONTENT_FOLLOWED, err) != 0)
            return -1;
    }
    return 0;
}

int pgc_pgsink_ddl_note_tables(pgc_pgsink *sink, PGconn *conn, const pgconvoy_ddl *ddl, const PGresult *names,
                               pgc_arena *arena, pgconvoy_error *err)
{
    return register_detached(sink, conn, ddl, err) || note_tables(sink, conn, ddl, err) ||
                   follow_names(sink, conn, names, err) || note_recopied(sink, conn, ddl, arena, err)
               ? -1
               : 0;
}
