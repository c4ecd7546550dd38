/* A table as the service has it. All tables of a pipeline go into one place there: those of schema public under their
 * own name, others as schema_table. */
#include "sink/staged.h"

#include <stdio.h>

#define NUMBERED "PostgreSQL column %d"

static const char *table_name(pgc_arena *arena, const pgconvoy_table *table)
{
    char text[600];
    bool plain = strcmp(table->schema, "public") == 0;
    snprintf(text, sizeof text, "%s%s%s", plain ? "" : table->schema, plain ? "" : "_", table->name);
    return pgc_arena_strdup(arena, text);
}

pgc_staged_layout *pgc_staged_layout_new(size_t size, const pgconvoy_table *table, pgconvoy_error *err)
{
    pgc_arena *arena = pgc_arena_new(8192);
    pgc_staged_layout *layout = arena ? pgc_arena_zalloc(arena, size) : NULL;
    if (layout) {
        *layout = (pgc_staged_layout){.table = table, .arena = arena, .column_count = table->column_count};
        layout->name = table_name(arena, table);
        layout->names = pgc_arena_zalloc(arena, (size_t)table->column_count * sizeof *layout->names + 1);
    }
    if (!layout || !layout->name || !layout->names) {
        pgc_error_out_of_memory(err);
        pgc_arena_free(arena);
        return NULL;
    }
    for (int i = 0; i < table->column_count; i++)
        layout->names[i] = table->columns[i].name;
    return layout;
}

void pgc_staged_layout_free(pgc_staged_layout *layout)
{
    if (layout)
        pgc_arena_free(layout->arena);
}

int pgc_staged_check_names(const pgc_staged_sink *sink, const pgc_staged_layout *layout, pgconvoy_error *err)
{
    static const char *const of_history[] = {PGC_STAGED_OPERATION, PGC_STAGED_LSN, PGC_STAGED_SEQUENCE,
                                             PGC_STAGED_COMMIT_TIME};
    for (int i = 0; sink->keeps_history && i < layout->column_count; i++) {
        for (size_t j = 0; j < sizeof of_history / sizeof *of_history; j++) {
            if (sink->service->compare_names(layout->names[i], of_history[j]) != 0)
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

void pgc_staged_describe_column(const pgconvoy_column *column, char text[PGC_STAGED_DESCRIPTION_SIZE])
{
    int length = column->number > 0 ? snprintf(text, PGC_STAGED_DESCRIPTION_SIZE, NUMBERED ": ", column->number) : 0;
    snprintf(text + length, PGC_STAGED_DESCRIPTION_SIZE - (size_t)length, "%.400s",
             column->type_sql ? column->type_sql : "");
}

int pgc_staged_described_number(const char *text)
{
    int number = 0;
    return text && sscanf(text, NUMBERED, &number) == 1 ? number : 0;
}

void pgc_staged_put_columns(const pgc_staged_sink *sink, const pgc_staged_layout *layout, const char *prefix,
                            pgc_buffer *sql)
{
    for (int i = 0; i < layout->column_count; i++) {
        pgc_buffer_text(sql, i > 0 ? ", " : "");
        pgc_buffer_text(sql, prefix);
        sink->service->put_column(sql, layout->names[i]);
    }
}

const pgc_staged_column *pgc_staged_find_column(const pgc_staged_service *service, const pgc_staged_columns *columns,
                                                const char *name)
{
    for (int i = 0; i < columns->count; i++)
        if (service->compare_names(columns->items[i].name, name) == 0)
            return &columns->items[i];
    return NULL;
}
