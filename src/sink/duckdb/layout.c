/* A table as DuckDB has it: names and types; see duckdb_internal.h. */
#include "sink/duckdb/duckdb_internal.h"

#include "postgres/quote.h"

#include <stdlib.h>

/* The column of a table that has none; always NULL. */
#define ROW_MARK "pgconvoy_row"

static const pgconvoy_type row_mark_type = {.schema = "pg_catalog", .name = "bool", .typmod = -1};
static const pgc_duckdb_type row_mark = {.kind = PGC_DUCKDB_ROW_MARK, .source = &row_mark_type};

static int fill_layout(pgc_duckdb_sink *sink, pgc_duckdb_layout *layout, pgconvoy_error *err)
{
    const pgconvoy_table *table = layout->table;
    layout->types = pgc_arena_zalloc(layout->arena, (size_t)layout->column_count * sizeof *layout->types);
    layout->logical = pgc_arena_zalloc(layout->arena, (size_t)layout->column_count * sizeof *layout->logical);
    layout->target_names = pgc_arena_zalloc(layout->arena, (size_t)layout->column_count * sizeof *layout->target_names);
    layout->target_types = pgc_arena_zalloc(layout->arena, (size_t)layout->column_count * sizeof *layout->target_types);
    layout->warned = pgc_arena_zalloc(layout->arena, (size_t)layout->column_count * sizeof *layout->warned);
    if (!layout->types || !layout->logical || !layout->target_names || !layout->target_types || !layout->warned)
        return pgc_error_out_of_memory(err);
    layout->updates_in_place = true;
    for (int i = 0; i < layout->column_count; i++) {
        const pgconvoy_column *column = table->column_count > 0 ? &table->columns[i] : NULL;
        layout->types[i] = column ? pgc_duckdb_type_of(column->type, column->typmod, column->primary_key > 0 || column->in_key,
                                                       &sink->target.types, layout->arena)
                                  : &row_mark;
        if (!layout->types[i])
            return pgc_error_out_of_memory(err);
        layout->updates_in_place = layout->updates_in_place && pgc_duckdb_type_updates_in_place(layout->types[i]);
        layout->logical[i] = pgc_duckdb_type_logical(&sink->api, layout->types[i]);
        if (!layout->logical[i]) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "column %s of table %s.%s has a type that DuckDB cannot make: %s",
                               pgc_duckdb_layout_column(layout, i), table->schema, table->name,
                               column ? column->type_sql : "");
            return -1;
        }
    }
    return 0;
}

pgc_duckdb_layout *pgc_duckdb_layout_new(pgc_duckdb_sink *sink, const pgconvoy_table *table, pgconvoy_error *err)
{
    pgc_duckdb_layout *layout = calloc(1, sizeof *layout);
    if (!layout || !(layout->arena = pgc_arena_new(8192))) {
        free(layout);
        (void)pgc_error_out_of_memory(err);
        return NULL;
    }
    layout->table = table;
    layout->column_count = table->column_count > 0 ? table->column_count : 1;
    if (fill_layout(sink, layout, err) != 0) {
        pgc_duckdb_layout_free(sink, layout);
        return NULL;
    }
    return layout;
}

void pgc_duckdb_layout_free(pgc_duckdb_sink *sink, pgc_duckdb_layout *layout)
{
    if (!layout)
        return;
    for (int i = 0; layout->logical && i < layout->column_count; i++)
        sink->api.destroy_logical_type(&layout->logical[i]);
    pgc_arena_free(layout->arena);
    free(layout);
}

const char *pgc_duckdb_layout_column(const pgc_duckdb_layout *layout, int column)
{
    return layout->table->column_count > 0 ? layout->table->columns[column].name : ROW_MARK;
}

void pgc_duckdb_table_name(const pgc_duckdb_sink *sink, const char *schema, const char *name, pgc_buffer *out)
{
    pgc_quote_identifier(out, sink->catalog);
    pgc_buffer_byte(out, '.');
    pgc_quote_qualified(out, schema, name);
}

void pgc_duckdb_column_names(const pgc_duckdb_layout *layout, pgc_buffer *out)
{
    for (int i = 0; i < layout->column_count; i++) {
        pgc_buffer_text(out, i > 0 ? ", " : "");
        pgc_quote_identifier(out, pgc_duckdb_layout_column(layout, i));
    }
}
