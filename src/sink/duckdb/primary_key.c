/*
 * The PRIMARY KEY of a target table. It comes after the rows, as DuckDB loads a table with an index at half the speed. DuckDB holds what it changes of an index in
 * memory, whatever memory_limit says about spilling, so the constraint is only there while that fits: a table whose index would not is left without, and
 * one that outgrows memory loses it, with a line in the log. Nothing else hangs on it: rows are found by their key's values either way.
 */
#include "sink/duckdb/duckdb_internal.h"

#include "postgres/quote.h"

#include <stdio.h>

/* Memory of an index entry: a fresh index of an int has some 9 bytes for each, one of longer keys in random order some 40. */
#define SHORT_ENTRY_BYTES 16
#define LONG_ENTRY_BYTES  48

bool pgc_duckdb_primary_key_columns(const pgc_duckdb_layout *layout, pgc_buffer *out)
{
    const pgconvoy_table *table = layout->table;
    int count = 0, place = 0;
    for (int i = 0; i < table->column_count; i++) {
        const pgconvoy_column *column = &table->columns[i];
        /* Where rows are identified by something else than the primary key, an UPDATE may move primary keys about among rows, which DuckDB checks row by
         * row; such a table goes without. */
        if ((column->primary_key > 0) != column->in_key)
            return false;
        if (column->primary_key > 0 && !pgc_duckdb_type_in_index(layout->types[i]))
            return false;
        count += column->primary_key > 0;
    }
    for (int wanted = 1; count > 0 && wanted <= count; wanted++) {
        for (int i = 0; i < table->column_count; i++) {
            if (table->columns[i].primary_key != wanted)
                continue;
            pgc_buffer_text(out, place++ > 0 ? ", " : "");
            pgc_quote_identifier(out, table->columns[i].name);
        }
    }
    return count > 0 && place == count;
}

static size_t entry_bytes(const pgc_duckdb_layout *layout)
{
    int count = 0;
    bool is_short = true;
    for (int i = 0; i < layout->table->column_count; i++) {
        if (layout->table->columns[i].primary_key == 0)
            continue;
        count++;
        is_short = is_short && (layout->types[i]->kind == PGC_DUCKDB_SMALLINT || layout->types[i]->kind == PGC_DUCKDB_INTEGER ||
                                layout->types[i]->kind == PGC_DUCKDB_BIGINT);
    }
    return is_short && count == 1 ? SHORT_ENTRY_BYTES : LONG_ENTRY_BYTES;
}

static int count_rows(pgc_duckdb_sink *sink, duckdb_connection connection, const pgconvoy_table *table, int64_t *rows,
                      pgconvoy_error *err)
{
    pgc_buffer sql;
    duckdb_result found;
    pgc_buffer_init(&sql, 8192);
    pgc_buffer_text(&sql, "SELECT count(*) FROM ");
    pgc_duckdb_table_name(sink, table->schema, table->name, &sql);
    int result = pgc_duckdb_select(&sink->api, connection, &sql, "counting rows", &found, err);
    pgc_buffer_free(&sql);
    if (result != 0)
        return -1;
    *rows = pgc_duckdb_number(&sink->api, &found, 0, 0);
    sink->api.destroy_result(&found);
    return 0;
}

static int add_fitting(pgc_duckdb_sink *sink, duckdb_connection connection, const pgc_duckdb_layout *layout,
                       const pgc_buffer *sql, pgconvoy_error *err)
{
    const pgconvoy_table *table = layout->table;
    pgc_duckdb_existing existing;
    int64_t rows;
    if (pgc_duckdb_look_up(sink, connection, table, &existing, err) != 0)
        return -1;
    if (existing.has_primary_key)
        return 0;
    if (count_rows(sink, connection, table, &rows, err) != 0)
        return -1;
    if ((size_t)rows <= sink->duckdb_bytes / 2 / entry_bytes(layout))
        return pgc_duckdb_run(&sink->api, connection, sql, "adding the primary key", NULL, err);
    pgc_log_warning(sink->config->log, "duckdb: %s.%s has no PRIMARY KEY, as its index would not fit into --memory", table->schema,
                    table->name);
    return 0;
}

int pgc_duckdb_primary_key_add(pgc_duckdb_sink *sink, duckdb_connection connection, const pgc_duckdb_layout *layout,
                               pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, (size_t)1 << 20);
    pgc_buffer_text(&sql, "ALTER TABLE ");
    pgc_duckdb_table_name(sink, layout->table->schema, layout->table->name, &sql);
    pgc_buffer_text(&sql, " ADD PRIMARY KEY (");
    bool wanted = sink->target.primary_key && pgc_duckdb_primary_key_columns(layout, &sql);
    pgc_buffer_text(&sql, ")");
    int result = wanted ? add_fitting(sink, connection, layout, &sql, err) : 0;
    if (result != 0)
        pgc_error_prefix(err, "table %s.%s", layout->table->schema, layout->table->name);
    pgc_buffer_free(&sql);
    return result;
}

int pgc_duckdb_rewrite(pgc_duckdb_sink *sink, duckdb_connection connection, const pgconvoy_table *table, pgconvoy_error *err)
{
    char anew[64];
    snprintf(anew, sizeof anew, "pgconvoy_anew_%u", table->oid);
    pgc_buffer sql;
    pgc_buffer_init(&sql, 8192);
    pgc_buffer_text(&sql, "CREATE TABLE ");
    pgc_duckdb_table_name(sink, table->schema, anew, &sql);
    pgc_buffer_text(&sql, " AS FROM ");
    pgc_duckdb_table_name(sink, table->schema, table->name, &sql);
    pgc_buffer_text(&sql, "; DROP TABLE ");
    pgc_duckdb_table_name(sink, table->schema, table->name, &sql);
    pgc_buffer_text(&sql, "; ALTER TABLE ");
    pgc_duckdb_table_name(sink, table->schema, anew, &sql);
    pgc_buffer_text(&sql, " RENAME TO ");
    pgc_quote_identifier(&sql, table->name);
    int result = pgc_duckdb_run(&sink->api, connection, &sql, "writing the table anew", NULL, err);
    pgc_buffer_free(&sql);
    if (result != 0)
        pgc_error_prefix(err, "table %s.%s", table->schema, table->name);
    return result;
}

int pgc_duckdb_primary_key_is(pgc_duckdb_sink *sink, duckdb_connection connection, const pgc_duckdb_layout *layout, bool *same, pgconvoy_error *err)
{
    duckdb_result columns;
    bool exists;
    int of_key = 0, found = 0;
    *same = true;
    if (pgc_duckdb_table_info(sink, connection, layout->table->schema, layout->table->name, &columns, &exists, err) != 0)
        return -1;
    if (!exists)
        return 0;
    for (idx_t row = 0; row < sink->api.row_count(&columns); row++) {
        char *name = sink->api.value_varchar(&columns, PGC_DUCKDB_INFO_NAME, row), *key = sink->api.value_varchar(&columns, PGC_DUCKDB_INFO_KEY, row);
        if (name && key && strcmp(key, "PRI") == 0) {
            of_key++;
            for (int i = 0; i < layout->table->column_count; i++)
                found += layout->table->columns[i].in_key && strcasecmp(layout->table->columns[i].name, name) == 0;
        }
        sink->api.free(name);
        sink->api.free(key);
    }
    sink->api.destroy_result(&columns);
    *same = of_key == found && found == layout->table->key_count;
    return 0;
}

int pgc_duckdb_primary_key_drop(pgc_duckdb_sink *sink, duckdb_connection connection, const pgconvoy_table *table,
                                const char *reason, pgconvoy_error *err)
{
    if (pgc_duckdb_rewrite(sink, connection, table, err) != 0) /* DuckDB has no DROP CONSTRAINT */
        return -1;
    pgc_log_warning(sink->config->log, "duckdb: %s.%s gives up its PRIMARY KEY: %s", table->schema, table->name, reason);
    return 0;
}
