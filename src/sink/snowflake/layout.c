/*
 * A table as Snowflake has it. All tables of a pipeline go into one schema: those of schema public under their own
 * name, others as schema_table. Names are always quoted, so that they keep their case and all of their characters.
 */
#include "sink/snowflake/snowflake_internal.h"

#include <stdio.h>

static const char *table_name(pgc_arena *arena, const pgconvoy_table *table)
{
    char text[600];
    bool plain = strcmp(table->schema, "public") == 0;
    snprintf(text, sizeof text, "%s%s%s", plain ? "" : table->schema, plain ? "" : "_", table->name);
    return pgc_arena_strdup(arena, text);
}

static const char *const of_history[][2] = {{PGC_SF_OPERATION, "VARCHAR"},
                                            {PGC_SF_LSN, "NUMBER(38, 0)"},
                                            {PGC_SF_SEQUENCE, "NUMBER(38, 0)"},
                                            {PGC_SF_COMMIT_TIME, "TIMESTAMP_TZ(6)"}};
#define HISTORY_COUNT (sizeof of_history / sizeof *of_history)

static int check_names(const pgc_sf_sink *sink, const pgc_sf_layout *layout, pgconvoy_error *err)
{
    for (int i = 0; sink->target.history && i < layout->column_count; i++) {
        for (size_t j = 0; j < HISTORY_COUNT; j++) {
            if (strcmp(layout->names[i], of_history[j][0]) != 0)
                continue;
            pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG,
                               "column \"%s\" of table %s.%s has the name of a column that mode=history adds",
                               layout->names[i], layout->table->schema, layout->table->name);
            pgconvoy_error_hint(err, "rename it, or leave it out of the publication");
            return -1;
        }
    }
    return 0;
}

pgc_sf_layout *pgc_sf_layout_new(const pgc_sf_sink *sink, const pgconvoy_table *table, pgconvoy_error *err)
{
    pgc_arena *arena = pgc_arena_new(8192);
    pgc_sf_layout *layout = arena ? pgc_arena_zalloc(arena, sizeof *layout) : NULL;
    size_t count = (size_t)table->column_count;
    if (layout) {
        layout->base = (pgc_staged_layout){.table = table, .arena = arena, .column_count = table->column_count};
        layout->name = table_name(arena, table);
        layout->names = pgc_arena_zalloc(arena, count * sizeof *layout->names + 1);
        layout->types = pgc_arena_zalloc(arena, count * sizeof *layout->types + 1);
    }
    if (!layout || !layout->name || !layout->names || !layout->types) {
        pgc_error_out_of_memory(err);
        pgc_arena_free(arena);
        return NULL;
    }
    for (int i = 0; i < table->column_count; i++) {
        const pgconvoy_column *column = &table->columns[i];
        layout->names[i] = column->name;
        layout->types[i] = pgc_sf_type_of(column->type, column->typmod, column->in_key || column->primary_key > 0,
                                          &sink->target.types);
    }
    if (check_names(sink, layout, err) == 0)
        return layout;
    pgc_arena_free(arena);
    return NULL;
}

void pgc_sf_layout_free(pgc_sf_layout *layout)
{
    if (layout)
        pgc_arena_free(layout->arena);
}

void pgc_sf_layout_definition(const pgc_sf_layout *layout, int column, pgc_buffer *sql)
{
    const pgconvoy_column *source = &layout->table->columns[column];
    char comment[512];
    int length = source->number > 0 ? snprintf(comment, sizeof comment, PGC_SF_NUMBERED ": ", source->number) : 0;
    snprintf(comment + length, sizeof comment - (size_t)length, "%.400s", source->type_sql ? source->type_sql : "");
    pgc_buffer_byte(sql, ' ');
    pgc_sf_put_type(&layout->types[column], sql);
    pgc_buffer_text(sql, " COMMENT ");
    pgc_sf_quote_text(sql, comment);
}

void pgc_sf_layout_definitions(const pgc_sf_sink *sink, const pgc_sf_layout *layout, pgc_buffer *sql)
{
    size_t more = sink->target.history ? HISTORY_COUNT : layout->column_count == 0 ? 1 : 0;
    const char *separator = "";
    for (size_t i = 0; i < more; i++, separator = ", ")
        pgc_buffer_format(sql, "%s\"%s\" %s", separator, of_history[i][0], of_history[i][1]);
    for (int i = 0; i < layout->column_count; i++, separator = ", ") {
        pgc_buffer_text(sql, separator);
        pgc_sf_quote_column(sql, layout->names[i]);
        pgc_sf_layout_definition(layout, i, sql);
    }
}

void pgc_sf_layout_columns(const pgc_sf_layout *layout, const char *prefix, pgc_buffer *sql)
{
    for (int i = 0; i < layout->column_count; i++) {
        pgc_buffer_text(sql, i > 0 ? ", " : "");
        pgc_buffer_text(sql, prefix);
        pgc_sf_quote_column(sql, layout->names[i]);
    }
}
