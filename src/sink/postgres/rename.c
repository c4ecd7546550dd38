/*
 * Tables that have another name at the source by now, where nothing told so in its place: pgconvoy.table_columns has under which name the target has each of them.
 * All get their names in one transaction, by way of names that nobody else has, as they may have changed them among each other.
 */
#include "sink/postgres/sink_internal.h"
#include "sink/postgres/ddl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct renaming {
    pgc_pgsink *sink;
    PGconn *conn;
    const pgconvoy_table *const *tables; /* by oid */
    size_t count;
    PGresult *noted; /* enum note; by oid */
} renaming;

enum note { OID, SCHEMA, NAME, IS_THERE };

static const char noted_sql[] =
    "SELECT k.source_oid, k.schema_name, k.table_name, pg_catalog.to_regclass(pg_catalog.format('%I.%I', k.schema_name, k.table_name)) IS NOT NULL "
    "FROM pgconvoy.table_columns k JOIN pgconvoy.table_state s USING (pipeline, schema_name, table_name) WHERE k.pipeline = $1 ORDER BY 1";

static int compare_oids(const void *a, const void *b)
{
    uint32_t one = (*(const pgconvoy_table *const *)a)->oid, other = (*(const pgconvoy_table *const *)b)->oid;
    return one < other ? -1 : one > other;
}

static uint32_t oid_of(const renaming *r, int row)
{
    return (uint32_t)strtoul(PQgetvalue(r->noted, row, OID), NULL, 10);
}

/* The source's table that a row of the notes is of; NULL: there is none any more. */
static const pgconvoy_table *table_of(const renaming *r, int row)
{
    const pgconvoy_table key = {.oid = oid_of(r, row)}, *wanted = &key;
    const pgconvoy_table *const *found = bsearch(&wanted, r->tables, r->count, sizeof *r->tables, compare_oids);
    return found ? *found : NULL;
}

static bool is_called(const renaming *r, int row, const pgconvoy_table *table)
{
    return strcmp(PQgetvalue(r->noted, row, SCHEMA), table->schema) == 0 && strcmp(PQgetvalue(r->noted, row, NAME), table->name) == 0;
}

static bool is_renamed(const renaming *r, int row)
{
    const pgconvoy_table *table = table_of(r, row);
    return table && !is_called(r, row, table);
}

static int run(const renaming *r, pgc_buffer *sql, const pgconvoy_table *table, pgconvoy_error *err)
{
    char doing[400];
    snprintf(doing, sizeof doing, "renaming a table on the target to %s.%s, as the source's is called now", table->schema, table->name);
    int status = pgc_pgsink_execute_buffer(r->conn, sql, doing, err);
    pgc_buffer_reset(sql);
    return status;
}

/* One that nobody else has. */
static void put_between(const renaming *r, int row, pgc_buffer *sql)
{
    pgc_buffer_format(sql, "\"pgconvoy renamed %s\"", PQgetvalue(r->noted, row, OID));
}

/* Stores a name of the table's in both tables; between: the one for the time of the renaming. */
static void put_state(const renaming *r, int row, const pgconvoy_table *table, pgc_buffer *sql)
{
    static const char *const tables[] = {"table_state", "table_columns"};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        pgc_buffer_format(sql, "; UPDATE pgconvoy.%s SET schema_name = ", tables[i]);
        pgc_quote_literal(sql, table ? table->schema : PQgetvalue(r->noted, row, SCHEMA));
        pgc_buffer_text(sql, ", table_name = ");
        if (table)
            pgc_quote_literal(sql, table->name);
        else
            pgc_buffer_format(sql, "'pgconvoy renamed %s'", PQgetvalue(r->noted, row, OID));
        pgc_buffer_text(sql, " WHERE pipeline = ");
        pgc_quote_literal(sql, r->sink->config->pipeline_name);
        pgc_buffer_text(sql, " AND schema_name = ");
        pgc_quote_literal(sql, PQgetvalue(r->noted, row, SCHEMA));
        pgc_buffer_text(sql, " AND table_name = ");
        if (table)
            pgc_buffer_format(sql, "'pgconvoy renamed %s'", PQgetvalue(r->noted, row, OID));
        else
            pgc_quote_literal(sql, PQgetvalue(r->noted, row, NAME));
    }
}

/* Out of the way of the others. */
static int take_away(const renaming *r, int row, pgc_buffer *sql, pgconvoy_error *err)
{
    if (PQgetvalue(r->noted, row, IS_THERE)[0] == 't') {
        pgc_buffer_text(sql, "ALTER TABLE ");
        pgc_quote_qualified(sql, PQgetvalue(r->noted, row, SCHEMA), PQgetvalue(r->noted, row, NAME));
        pgc_buffer_text(sql, " RENAME TO ");
        put_between(r, row, sql);
    }
    put_state(r, row, NULL, sql);
    return run(r, sql, table_of(r, row), err);
}

/* What has the name on the target, of a table that the source has no more. */
static int make_room(const renaming *r, const pgconvoy_table *table, pgc_buffer *sql, pgconvoy_error *err)
{
    pgc_arena *arena = pgc_arena_new(16384);
    pgc_pgsink_relation there;
    pgc_pgsink_content content;
    if (!arena)
        return pgc_error_out_of_memory(err);
    int status = pgc_pgsink_relation_load(r->conn, table->schema, table->name, arena, &there, err) != 0 ||
                         pgc_pgsink_checkpoint_content(r->sink, r->conn, table->schema, table->name, &content, err) != 0
                     ? -1
                     : 0;
    bool taken = status == 0 && there.oid != 0;
    pgc_arena_free(arena);
    if (status == 0 && taken && (content == PGSINK_CONTENT_APPENDED || content == PGSINK_CONTENT_UNKNOWN)) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE,
                           "a table was renamed to %s.%s on the source, and the target has another one of that name, with rows that are not this pipeline's",
                           table->schema, table->name);
        pgconvoy_error_hint(err, "rename or drop it on the target, then run the same command again");
        return -1;
    }
    if (status != 0)
        return -1;
    if (taken) {
        pgc_log_info(r->sink->config->log, "table %s.%s of the target is dropped: the source has another one of that name", table->schema, table->name);
        pgc_buffer_text(sql, "DROP TABLE ");
        pgc_quote_qualified(sql, table->schema, table->name);
        pgc_buffer_text(sql, "; ");
    }
    for (int i = 0; i < 2; i++) {
        pgc_buffer_format(sql, "DELETE FROM pgconvoy.%s WHERE pipeline = ", i ? "table_state" : "table_columns");
        pgc_quote_literal(sql, r->sink->config->pipeline_name);
        pgc_buffer_text(sql, " AND schema_name = ");
        pgc_quote_literal(sql, table->schema);
        pgc_buffer_text(sql, " AND table_name = ");
        pgc_quote_literal(sql, table->name);
        pgc_buffer_text(sql, ";");
    }
    return run(r, sql, table, err);
}

static int give_name(const renaming *r, int row, pgc_buffer *sql, pgconvoy_error *err)
{
    const pgconvoy_table *table = table_of(r, row);
    const char *schema = PQgetvalue(r->noted, row, SCHEMA);
    if (pgc_pgsink_create_schema(r->conn, table->schema, err) != 0)
        return -1;
    pgc_log_info(r->sink->config->log, "table %s.%s is %s.%s on the source by now, and is renamed on the target", schema, PQgetvalue(r->noted, row, NAME),
                 table->schema, table->name);
    if (PQgetvalue(r->noted, row, IS_THERE)[0] == 't') {
        if (strcmp(schema, table->schema) != 0) {
            pgc_buffer_text(sql, "ALTER TABLE ");
            pgc_quote_identifier(sql, schema);
            pgc_buffer_byte(sql, '.');
            put_between(r, row, sql);
            pgc_buffer_text(sql, " SET SCHEMA ");
            pgc_quote_identifier(sql, table->schema);
            pgc_buffer_text(sql, "; ");
        }
        pgc_buffer_text(sql, "ALTER TABLE ");
        pgc_quote_identifier(sql, table->schema);
        pgc_buffer_byte(sql, '.');
        put_between(r, row, sql);
        pgc_buffer_text(sql, " RENAME TO ");
        pgc_quote_identifier(sql, table->name);
    }
    put_state(r, row, table, sql);
    return run(r, sql, table, err);
}

static bool is_noted(const renaming *r, const pgconvoy_table *table)
{
    for (int row = 0; row < PQntuples(r->noted); row++)
        if (table_of(r, row) == table)
            return true;
    return false;
}

/* Another table of the source's has the name of one that was here: its rows are not those. */
static int leave_replaced(const renaming *r, int row, bool *changed, pgconvoy_error *err)
{
    if (table_of(r, row))
        return 0;
    for (size_t i = 0; i < r->count; i++) {
        if (!is_called(r, row, r->tables[i]) || is_noted(r, r->tables[i]))
            continue;
        pgc_log_info(r->sink->config->log, "table %s.%s was made anew on the source", r->tables[i]->schema, r->tables[i]->name);
        *changed = true;
        return pgc_pgsink_known_forget(r->sink, r->conn, oid_of(r, row), err) != 0
                   ? -1
                   : pgc_pgsink_leave_table(r->sink, r->conn, r->tables[i]->schema, r->tables[i]->name, err);
    }
    return 0;
}

static int rename_all(const renaming *r, bool *changed, pgconvoy_error *err)
{
    int rows = PQntuples(r->noted), status = 0;
    pgc_buffer sql;
    pgc_buffer_init(&sql, PGSINK_SQL_LIMIT);
    for (int row = 0; row < rows && status == 0; row++)
        if (is_renamed(r, row)) {
            *changed = true;
            status = take_away(r, row, &sql, err);
        }
    for (int row = 0; row < rows && status == 0; row++)
        if (is_renamed(r, row) && (status = make_room(r, table_of(r, row), &sql, err)) == 0)
            status = give_name(r, row, &sql, err);
    for (int row = 0; row < rows && status == 0; row++)
        status = leave_replaced(r, row, changed, err);
    pgc_buffer_free(&sql);
    return status;
}

static int rename_in(renaming *r, bool *changed, pgconvoy_error *err)
{
    bool names;
    pgconvoy_checkpoint checkpoint;
    if (pgc_pgsink_checkpoint_read_in(r->sink, r->conn, &checkpoint, err) != 0 || pgc_pgsink_known_has_names(r->conn, &names, err) != 0)
        return -1;
    if (!names || checkpoint.table_count == 0)
        return 0;
    const char *values[] = {r->sink->config->pipeline_name};
    r->noted = pgc_pgsink_query(r->conn, noted_sql, 1, values, "reading the tables' names on the target", err);
    int status = r->noted ? rename_all(r, changed, err) : -1;
    PQclear(r->noted);
    if (status == 0 && *changed)
        status = pgc_pgsink_execute(r->conn, "COMMIT", "renaming tables on the target", err);
    return status;
}

int pgc_pgsink_rename_tables(void *arg, const pgconvoy_table *const *tables, size_t count, bool *changed, pgconvoy_error *err)
{
    pgc_pgsink *sink = arg;
    *changed = false;
    const pgconvoy_table **sorted = malloc((count + 1) * sizeof *sorted);
    if (!sorted)
        return pgc_error_out_of_memory(err);
    if (count > 0)
        memcpy(sorted, tables, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_oids);
    PGconn *conn = pgc_pgsink_borrow(sink, err);
    renaming r = {.sink = sink, .conn = conn, .tables = sorted, .count = count};
    int status = conn && pgc_pgsink_begin(conn, err) == 0 ? rename_in(&r, changed, err) : -1;
    if (conn)
        pgc_pgsink_give_back(sink, conn);
    free(sorted);
    return status;
}
