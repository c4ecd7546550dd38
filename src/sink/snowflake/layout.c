/* A table as Snowflake has it. Names are always quoted, so that they keep their case and all of their characters. */
#include "sink/snowflake/snowflake_internal.h"

static const char *const of_history[][2] = {{PGC_STAGED_OPERATION, "VARCHAR"},
                                            {PGC_STAGED_LSN, "NUMBER(38, 0)"},
                                            {PGC_STAGED_SEQUENCE, "NUMBER(38, 0)"},
                                            {PGC_STAGED_COMMIT_TIME, "TIMESTAMP_TZ(6)"}};
#define HISTORY_COUNT (sizeof of_history / sizeof *of_history)

static int fill(const pgc_sf_sink *sink, pgc_sf_layout *layout, pgconvoy_error *err)
{
    const pgconvoy_table *table = layout->table;
    layout->types = pgc_arena_zalloc(layout->arena, (size_t)table->column_count * sizeof *layout->types + 1);
    if (!layout->types)
        return pgc_error_out_of_memory(err);
    for (int i = 0; i < table->column_count; i++) {
        const pgconvoy_column *column = &table->columns[i];
        layout->types[i] = pgc_sf_type_of(column->type, column->typmod, column->in_key || column->primary_key > 0,
                                          &sink->target.types);
    }
    return pgc_staged_check_names(&sink->base, &layout->base, err);
}

pgc_sf_layout *pgc_sf_layout_new(const pgc_sf_sink *sink, const pgconvoy_table *table, pgconvoy_error *err)
{
    pgc_sf_layout *layout = (pgc_sf_layout *)pgc_staged_layout_new(sizeof *layout, table, err);
    if (!layout || fill(sink, layout, err) == 0)
        return layout;
    pgc_sf_layout_free(layout);
    return NULL;
}

void pgc_sf_layout_definition(const pgc_sf_layout *layout, int column, pgc_buffer *sql)
{
    char comment[PGC_STAGED_DESCRIPTION_SIZE];
    pgc_staged_describe_column(&layout->table->columns[column], comment);
    pgc_buffer_byte(sql, ' ');
    pgc_sf_put_type(&layout->types[column], sql);
    pgc_buffer_text(sql, " COMMENT ");
    pgc_sf_quote_text(sql, comment);
}

void pgc_sf_layout_definitions(const pgc_sf_sink *sink, const pgc_sf_layout *layout, pgc_buffer *sql)
{
    size_t more = sink->keeps_history ? HISTORY_COUNT : layout->column_count == 0 ? 1 : 0;
    const char *separator = "";
    for (size_t i = 0; i < more; i++, separator = ", ")
        pgc_buffer_format(sql, "%s\"%s\" %s", separator, of_history[i][0], of_history[i][1]);
    for (int i = 0; i < layout->column_count; i++, separator = ", ") {
        pgc_buffer_text(sql, separator);
        pgc_sf_quote_column(sql, layout->names[i]);
        pgc_sf_layout_definition(layout, i, sql);
    }
}
