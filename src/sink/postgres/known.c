/*
 * Which columns of the source a table of the target has: pgconvoy.table_columns, a row for each table with its columns' numbers, types and names, and with the
 * table's own name, where it is the same at both ends, by which one that was renamed at the source is found (rename.c).
 * It is stored in the transactions that give the table its columns, so it is true of the rows that the target has, whatever became of the
 * source's table since. Each column is one text: number, type, modifier and name, apart by spaces. The primary key's columns are their numbers,
 * which only grow, apart by spaces.
 */
#include "postgres/text_arrays.h"
#include "sink/postgres/ddl.h"
#include "sink/postgres/state_sql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char create_sql[] =
    "CREATE TABLE IF NOT EXISTS pgconvoy.table_columns (pipeline text NOT NULL, source_oid oid NOT NULL, columns text[] NOT NULL, schema_name text, table_name text, key_columns text, "
    "PRIMARY KEY (pipeline, source_oid));"
    "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_catalog.pg_attribute WHERE attrelid = 'pgconvoy.table_columns'::pg_catalog.regclass AND attname = 'key_columns') THEN "
    "ALTER TABLE pgconvoy.table_columns ADD IF NOT EXISTS schema_name text, ADD IF NOT EXISTS table_name text, ADD key_columns text; END IF; END $$";

const char *pgc_pgsink_known_create_sql(void)
{
    return create_sql;
}

static void append_column(pgc_buffer *text, const pgconvoy_column *column)
{
    pgc_buffer_format(text, "%d %u %d %s", column->number, column->type->oid, column->typmod, column->name);
}

/* Where updates are told by the primary key, it is what told this row: the catalog's may be a later one. */
static void append_key(pgc_buffer *text, const pgconvoy_table *table)
{
    for (int i = 0; i < table->column_count; i++)
        if (table->replica_identity == 'd' ? table->columns[i].in_key : table->columns[i].primary_key > 0)
            pgc_buffer_format(text, "%s%d", text->length ? " " : "", table->columns[i].number);
}

bool pgc_pgsink_is_numbered(const pgconvoy_table *table)
{
    for (int i = 0; i < table->column_count; i++)
        if (table->columns[i].number == 0)
            return false;
    return true;
}

static int exists(PGconn *conn, bool *there, pgconvoy_error *err)
{
    return pgc_pgsink_relation_exists(conn, "pgconvoy.table_columns", "looking for what the target's columns are", there, err);
}

static int has_column(PGconn *conn, const char *name, bool *has, pgconvoy_error *err)
{
    PGresult *result = pgc_pgsink_query(conn,
                                        "SELECT FROM pg_catalog.pg_attribute WHERE attrelid = pg_catalog.to_regclass('pgconvoy.table_columns') "
                                        "AND attname = $1",
                                        1, &name, "looking for what the target's tables are", err);
    *has = PQntuples(result) > 0;
    PQclear(result);
    return result ? 0 : -1;
}

int pgc_pgsink_known_has_names(PGconn *conn, bool *names, pgconvoy_error *err)
{
    return has_column(conn, "table_name", names, err);
}

int pgc_pgsink_known_forget(pgc_pgsink *sink, PGconn *conn, uint32_t table, pgconvoy_error *err)
{
    char oid[16];
    snprintf(oid, sizeof oid, "%u", table);
    const char *values[] = {sink->config->pipeline_name, oid};
    PGresult *result = pgc_pgsink_query(conn, "DELETE FROM pgconvoy.table_columns WHERE pipeline = $1 AND source_oid = $2::oid", 2, values,
                                        "forgetting a table's columns on the target", err);
    PQclear(result);
    return result ? 0 : -1;
}

static int store(pgc_pgsink *sink, PGconn *conn, const pgconvoy_table *table, pgconvoy_error *err)
{
    /* another table of that name is no more */
    static const char sql[] = "WITH gone AS (DELETE FROM pgconvoy.table_columns WHERE pipeline = $1 AND schema_name = $4 AND table_name = $5 AND source_oid <> $2::oid) "
                              "INSERT INTO pgconvoy.table_columns (pipeline, source_oid, columns, schema_name, table_name, key_columns) VALUES ($1, $2::oid, $3::text[], $4, $5, $6) "
                              "ON CONFLICT (pipeline, source_oid) DO UPDATE SET columns = excluded.columns, schema_name = $4, table_name = $5, key_columns = $6";
    char oid[16];
    snprintf(oid, sizeof oid, "%u", table->oid);
    const char *values[] = {sink->config->pipeline_name, oid, NULL, sink->config->other_names ? NULL : table->schema, sink->config->other_names ? NULL : table->name, NULL};
    pgc_text_arrays array;
    pgc_buffer text, key;
    pgc_text_arrays_init(&array, 1);
    pgc_buffer_init(&text, 1024);
    pgc_buffer_init(&key, 16384);
    append_key(&key, table);
    int status = pgc_buffer_check(&key, err);
    values[5] = key.length ? key.data : "";
    for (int i = 0; i < table->column_count && status == 0; i++) {
        pgc_buffer_reset(&text);
        append_column(&text, &table->columns[i]);
        const char *texts[] = {text.data};
        status = pgc_buffer_check(&text, err);
        if (status == 0)
            pgc_text_arrays_add(&array, texts);
    }
    pgc_buffer_free(&text);
    if (status == 0)
        status = pgc_text_arrays_end(&array, values + 2, err);
    PGresult *result = status == 0 ? pgc_pgsink_query(conn, sql, 6, values, "storing a table's columns on the target", err) : NULL;
    PQclear(result);
    pgc_buffer_free(&key);
    pgc_text_arrays_free(&array);
    return result ? 0 : -1;
}

int pgc_pgsink_known_store(pgc_pgsink *sink, PGconn *conn, const pgconvoy_table *table, pgconvoy_error *err)
{
    bool there;
    if (has_column(conn, "key_columns", &there, err) != 0 || (!there && pgc_pgsink_execute(conn, create_sql, "creating pgconvoy.table_columns on the target", err) != 0))
        return -1;
    return pgc_pgsink_is_numbered(table) ? store(sink, conn, table, err) : pgc_pgsink_known_forget(sink, conn, table->oid, err);
}

/* Only the type's number is known of a type that the table has no more. */
static const pgconvoy_type *find_type(pgc_arena *arena, const pgconvoy_table *table, uint32_t oid)
{
    for (int i = 0; i < table->column_count; i++)
        if (table->columns[i].type->oid == oid)
            return table->columns[i].type;
    pgconvoy_type *type = pgc_arena_zalloc(arena, sizeof *type);
    if (type)
        *type = (pgconvoy_type){.oid = oid, .schema = "", .name = ""};
    return type;
}

static int read_column(pgc_arena *arena, const char *text, const pgconvoy_table *table, pgconvoy_column *column, pgconvoy_error *err)
{
    unsigned oid;
    int name = 0;
    if (sscanf(text, "%d %u %d%n", &column->number, &oid, &column->typmod, &name) != 3 || text[name] != ' ') {
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "table pgconvoy.table_columns on the target has a column of %s.%s that cannot be understood", table->schema,
                           table->name);
        pgconvoy_error_hint(err, "it may be of a newer version of pgconvoy; use that one");
        return -1;
    }
    column->name = pgc_arena_strdup(arena, text + name + 1);
    column->type = find_type(arena, table, oid);
    return column->name && column->type ? 0 : pgc_error_out_of_memory(err);
}

static bool is_there(const pgconvoy_column *columns, int count, const pgc_pgsink_relation *relation)
{
    for (int i = 0; i < count; i++)
        if (!pgc_pgsink_relation_find(relation, columns[i].name))
            return false;
    return count > 0;
}

/* The rows from first on that are of one table. */
static int build(pgc_pgsink_known *ask, const PGresult *result, int first, int count, pgconvoy_error *err)
{
    const pgconvoy_table *table = ask->table;
    pgconvoy_table *made = pgc_arena_zalloc(ask->arena, sizeof *made);
    pgconvoy_column *columns = pgc_arena_zalloc(ask->arena, ((size_t)count + 1) * sizeof *columns);
    if (!made || !columns)
        return pgc_error_out_of_memory(err);
    for (int i = 0; i < count; i++)
        if (read_column(ask->arena, PQgetvalue(result, first + i, 1), table, &columns[i], err) != 0)
            return -1;
    *made = (pgconvoy_table){.oid = table->oid, .schema = table->schema, .name = table->name, .columns = columns, .column_count = count};
    ask->known = is_there(columns, count, ask->relation) ? made : NULL;
    ask->key = PQgetisnull(result, first, 2) ? NULL : pgc_arena_strdup(ask->arena, PQgetvalue(result, first, 2));
    return ask->key || PQgetisnull(result, first, 2) ? 0 : pgc_error_out_of_memory(err);
}

static int run_length(const PGresult *result, int row)
{
    int length = 1;
    while (row + length < PQntuples(result) && strcmp(PQgetvalue(result, row, 0), PQgetvalue(result, row + length, 0)) == 0)
        length++;
    return length;
}

static int build_all(pgc_pgsink_known *asks, size_t count, const PGresult *result, pgconvoy_error *err)
{
    for (int row = 0, length; row < PQntuples(result); row += length) {
        length = run_length(result, row);
        uint32_t oid = (uint32_t)strtoul(PQgetvalue(result, row, 0), NULL, 10);
        for (size_t i = 0; i < count; i++)
            if (asks[i].table->oid == oid && build(&asks[i], result, row, length, err) != 0)
                return -1;
    }
    return 0;
}

int pgc_pgsink_known_read(pgc_pgsink *sink, PGconn *conn, pgc_pgsink_known *asks, size_t count, pgconvoy_error *err)
{
    /* a table that an older version has made has no key_columns */
    static const char sql[] = "SELECT source_oid, c, to_jsonb(t) ->> 'key_columns' FROM pgconvoy.table_columns t, unnest(columns) WITH ORDINALITY AS u (c, place) "
                              "WHERE pipeline = $1 AND source_oid = ANY ($2::oid[]) ORDER BY source_oid, place";
    bool there = false;
    for (size_t i = 0; i < count; i++)
        asks[i].known = NULL, asks[i].key = NULL;
    if (count > 0 && exists(conn, &there, err) != 0)
        return -1;
    if (!there)
        return 0;
    pgc_buffer oids;
    pgc_buffer_init(&oids, PGSINK_SQL_LIMIT);
    for (size_t i = 0; i < count; i++)
        pgc_buffer_format(&oids, "%s%u", i ? "," : "{", asks[i].table->oid);
    pgc_buffer_text(&oids, "}");
    int status = pgc_buffer_check(&oids, err);
    const char *values[] = {sink->config->pipeline_name, oids.data};
    PGresult *result = status == 0 ? pgc_pgsink_query(conn, sql, 2, values, "reading tables' columns on the target", err) : NULL;
    pgc_buffer_free(&oids);
    status = result ? build_all(asks, count, result, err) : -1;
    PQclear(result);
    return status;
}

bool pgc_pgsink_known_has_key(const char *key, const pgconvoy_table *table)
{
    pgc_buffer text;
    pgc_buffer_init(&text, 16384);
    append_key(&text, table);
    bool same = !key || text.failed || !pgc_pgsink_is_numbered(table) || strcmp(key, text.length ? text.data : "") == 0;
    pgc_buffer_free(&text);
    return same;
}

bool pgc_pgsink_known_is(const pgconvoy_table *known, const char *key, const pgconvoy_table *table)
{
    if (known->column_count != table->column_count || !pgc_pgsink_known_has_key(key, table))
        return false;
    for (int i = 0; i < table->column_count; i++) {
        const pgconvoy_column *a = &known->columns[i], *b = &table->columns[i];
        if ((b->number != 0 && a->number != b->number) || a->type->oid != b->type->oid || a->typmod != b->typmod || strcmp(a->name, b->name) != 0)
            return false;
    }
    return true;
}

void pgc_pgsink_append_known(pgc_buffer *sql, const char *pipeline, const pgconvoy_table *table, bool other_names)
{
    pgc_buffer text;
    pgc_buffer_init(&text, 16384);
    if (!other_names) {
        pgc_buffer_text(sql, "DELETE FROM pgconvoy.table_columns WHERE pipeline = ");
        pgc_quote_literal(sql, pipeline);
        pgc_buffer_text(sql, " AND schema_name = ");
        pgc_quote_literal(sql, table->schema);
        pgc_buffer_text(sql, " AND table_name = ");
        pgc_quote_literal(sql, table->name);
        pgc_buffer_format(sql, " AND source_oid <> %u;", table->oid);
    }
    pgc_buffer_text(sql, "INSERT INTO pgconvoy.table_columns (pipeline, source_oid, columns, schema_name, table_name, key_columns) VALUES (");
    pgc_quote_literal(sql, pipeline);
    pgc_buffer_format(sql, ", %u, ARRAY[", table->oid);
    for (int i = 0; i < table->column_count; i++) {
        pgc_buffer_reset(&text);
        append_column(&text, &table->columns[i]);
        pgc_buffer_text(sql, i ? ", " : "");
        sql->failed |= text.failed; /* as all that is appended */
        pgc_quote_literal(sql, text.failed ? "" : text.data);
    }
    pgc_buffer_text(sql, "]::text[], ");
    if (other_names) {
        pgc_buffer_text(sql, "NULL, NULL");
    } else {
        pgc_quote_literal(sql, table->schema);
        pgc_buffer_text(sql, ", ");
        pgc_quote_literal(sql, table->name);
    }
    pgc_buffer_reset(&text);
    append_key(&text, table);
    sql->failed |= text.failed;
    pgc_buffer_text(sql, ", ");
    pgc_quote_literal(sql, text.failed || !text.length ? "" : text.data);
    pgc_buffer_text(sql, ") ON CONFLICT (pipeline, source_oid) DO UPDATE SET schema_name = excluded.schema_name, table_name = excluded.table_name;");
    pgc_buffer_free(&text);
}
