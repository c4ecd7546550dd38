/* A table as ClickHouse has it: its name, its columns, and rows in RowBinary with what the sink adds to them. */
#include "sink/clickhouse/clickhouse_internal.h"

#include <stdlib.h>

void pgc_clickhouse_target_name(const pgconvoy_table *table, pgc_buffer *out)
{
    if (strcmp(table->schema, "public") != 0)
        pgc_buffer_format(out, "%s_", table->schema);
    pgc_buffer_text(out, table->name);
}

static const char *arena_text(pgc_arena *arena, const char *first, const char *second, const char *third)
{
    size_t a = strlen(first), b = strlen(second), c = strlen(third);
    char *text = pgc_arena_alloc(arena, a + b + c + 1);
    if (!text)
        return NULL;
    memcpy(text, first, a);
    memcpy(text + a, second, b);
    memcpy(text + a + b, third, c + 1);
    return text;
}

static bool fill(pgc_clickhouse_layout *layout, const pgc_clickhouse_sink *sink)
{
    const pgconvoy_table *table = layout->table;
    pgc_arena *arena = layout->arena;
    bool is_public = strcmp(table->schema, "public") == 0;
    layout->name = arena_text(arena, is_public ? "" : table->schema, is_public ? "" : "_", table->name);
    layout->view = layout->name ? arena_text(arena, layout->name, sink->target.view_suffix, "") : NULL;
    const char *schema = arena_text(arena, "inserting into table ", table->schema, ".");
    layout->doing = schema ? arena_text(arena, schema, table->name, "") : NULL;
    size_t count = (size_t)table->column_count + 1;
    layout->types = pgc_arena_zalloc(arena, count * sizeof *layout->types);
    layout->names = pgc_arena_zalloc(arena, count * sizeof *layout->names);
    layout->types_there = pgc_arena_zalloc(arena, count * sizeof *layout->types_there);
    layout->absent = pgc_arena_zalloc(arena, count * sizeof *layout->absent);
    layout->warned = pgc_arena_zalloc(arena, count * sizeof *layout->warned);
    if (!layout->view || !layout->doing || !layout->types || !layout->names || !layout->types_there ||
        !layout->absent || !layout->warned)
        return false;
    layout->form = sink->target.history   ? PGC_CLICKHOUSE_HISTORY
                   : table->key_count > 0 ? PGC_CLICKHOUSE_KEYED
                                          : PGC_CLICKHOUSE_MULTISET;
    for (int i = 0; i < table->column_count; i++) {
        pgconvoy_column column = table->columns[i];
        bool in_key = false;
        for (int k = 0; k < table->key_count; k++)
            in_key |= table->key[k] == i;
        if (layout->form == PGC_CLICKHOUSE_HISTORY) /* a DELETE has no more than the key */
            column.not_null = column.not_null && in_key;
        layout->names[i] = column.name;
        layout->types[i] = pgc_clickhouse_type_of(&column, in_key, &sink->target.types, &sink->has, arena);
        if (!layout->types[i])
            return false;
    }
    return true;
}

pgc_clickhouse_layout *pgc_clickhouse_layout_new(const pgc_clickhouse_sink *sink, const pgconvoy_table *table,
                                                 pgconvoy_error *err)
{
    pgc_arena *arena = pgc_arena_new(4096);
    pgc_clickhouse_layout *layout = arena ? pgc_arena_zalloc(arena, sizeof *layout) : NULL;
    if (layout) {
        layout->table = table;
        layout->arena = arena;
        if (fill(layout, sink))
            return layout;
    }
    pgc_arena_free(arena);
    pgc_error_out_of_memory(err);
    return NULL;
}

void pgc_clickhouse_layout_free(pgc_clickhouse_layout *layout)
{
    if (layout)
        pgc_arena_free(layout->arena);
}

void pgc_clickhouse_table_name(const pgc_clickhouse_sink *sink, const char *name, bool on_cluster, pgc_buffer *out)
{
    pgc_clickhouse_identifier(out, sink->target.database);
    pgc_buffer_byte(out, '.');
    pgc_clickhouse_identifier(out, name);
    if (on_cluster && sink->target.cluster) {
        pgc_buffer_text(out, " ON CLUSTER ");
        pgc_clickhouse_identifier(out, sink->target.cluster);
    }
}

const pgc_clickhouse_own_column *pgc_clickhouse_own_columns(const pgc_clickhouse_sink *sink, pgc_clickhouse_form form)
{
    static const pgc_clickhouse_own_column keyed[] = {{"_version", "UInt64"}, {"_deleted", "UInt8"}, {NULL, NULL}};
    static const pgc_clickhouse_own_column multiset[] = {{"_sign", "Int64"}, {"_lsn", "UInt64"}, {NULL, NULL}};
#define HISTORY(time)                                                                                                  \
    {                                                                                                                  \
        {"_operation", "String"}, {"_commit_lsn", "UInt64"}, {"_sequence", "UInt32"}, {"_commit_time", time},          \
            {"_lsn", "UInt64"}, {"_unchanged", "Array(String)"}, {NULL, NULL}                                          \
    }
    static const pgc_clickhouse_own_column history[] = HISTORY("DateTime64(6, 'UTC')");
    static const pgc_clickhouse_own_column history_of_old[] = HISTORY("Int64");
#undef HISTORY
    return form == PGC_CLICKHOUSE_KEYED      ? keyed
           : form == PGC_CLICKHOUSE_MULTISET ? multiset
           : sink->has.datetime64            ? history
                                             : history_of_old;
}

void pgc_clickhouse_column_names(const pgc_clickhouse_sink *sink, const pgc_clickhouse_layout *layout, bool with_own,
                                 pgc_buffer *out)
{
    const char *separator = "";
    for (int i = 0; i < layout->table->column_count; i++) {
        if (layout->absent[i])
            continue;
        pgc_buffer_text(out, separator);
        pgc_clickhouse_identifier(out, layout->names[i]);
        separator = ", ";
    }
    for (const pgc_clickhouse_own_column *own = pgc_clickhouse_own_columns(sink, layout->form); with_own && own->name;
         own++) {
        pgc_buffer_text(out, separator);
        pgc_clickhouse_identifier(out, own->name);
        separator = ", ";
    }
}

/* ---- rows */

int pgc_clickhouse_without_place(const pgc_clickhouse_sink *sink, const pgc_clickhouse_layout *layout, int column,
                                 const pgconvoy_value *values, pgconvoy_error *err)
{
    pgc_unmappable_say_where(layout->table, layout->table->columns[column].name, values, NULL, err);
    if (sink->target.types.unmappable == PGC_UNMAPPABLE_NULL && layout->types[column]->nullable) {
        pgc_unmappable_leave_out(sink->config->log, &layout->warned[column], err);
        return 0;
    }
    pgconvoy_error_hint(err, "add ?unmappable=text (then such columns are String) or ?unmappable=null to the target");
    return -1;
}

int pgc_clickhouse_put_value(const pgc_clickhouse_sink *sink, const pgc_clickhouse_layout *layout,
                             pgc_clickhouse_encoder *encoder, int column, const pgconvoy_value *values,
                             const pgconvoy_value *value, pgc_buffer *out, int *not_nullable, pgconvoy_error *err)
{
    const pgc_clickhouse_type *type = layout->types[column];
    if (value->length < 0) {
        /* an array that was asked for though it may be NULL is then empty */
        bool array = type->kind == PGC_CLICKHOUSE_ARRAY || type->kind == PGC_CLICKHOUSE_VECTOR;
        if (value->length == PGCONVOY_NULL && !type->nullable && !(array && sink->target.types.arrays_always))
            *not_nullable = column;
        pgc_clickhouse_encode_default(type, out);
        return 0;
    }
    size_t start = out->length;
    if (type->nullable)
        pgc_buffer_byte(out, 0);
    int result = pgc_clickhouse_encode(encoder, type, value, out, err);
    if (result == PGC_CLICKHOUSE_CANNOT_HOLD) {
        result = pgc_clickhouse_without_place(sink, layout, column, values, err);
        out->length = start;
        pgc_buffer_byte(out, 1);
    } else if (result != 0)
        pgc_unmappable_say_where(layout->table, layout->table->columns[column].name, values, NULL, err);
    return result;
}

static void put_number(pgc_buffer *out, uint64_t number, size_t bytes)
{
    pgc_buffer_append(out, &number, bytes);
}

static void put_own(const pgc_clickhouse_layout *layout, const pgconvoy_value *values, const pgc_clickhouse_mark *mark,
                    pgc_buffer *out)
{
    switch (layout->form) {
    case PGC_CLICKHOUSE_KEYED:
        put_number(out, mark->lsn, 8);
        pgc_buffer_byte(out, mark->deleted);
        return;
    case PGC_CLICKHOUSE_MULTISET:
        put_number(out, (uint64_t)mark->sign, 8);
        put_number(out, mark->lsn, 8);
        return;
    case PGC_CLICKHOUSE_HISTORY:
        pgc_clickhouse_encode_text(mark->operation, strlen(mark->operation), out);
        put_number(out, mark->lsn, 8);
        put_number(out, mark->sequence, 4);
        put_number(out, (uint64_t)mark->time, 8);
        put_number(out, mark->change_lsn, 8);
        break;
    }
    uint64_t unchanged = 0;
    for (int i = 0; values && i < layout->table->column_count; i++)
        unchanged += values[i].length == PGCONVOY_UNCHANGED;
    pgc_clickhouse_encode_count(unchanged, out);
    for (int i = 0; unchanged > 0 && i < layout->table->column_count; i++) {
        if (values[i].length == PGCONVOY_UNCHANGED)
            pgc_clickhouse_encode_text(layout->names[i], strlen(layout->names[i]), out);
    }
}

int pgc_clickhouse_put_row(const pgc_clickhouse_sink *sink, const pgc_clickhouse_layout *layout,
                           pgc_clickhouse_encoder *encoder, const pgconvoy_value *values,
                           const pgc_clickhouse_mark *mark, pgc_buffer *out, int *not_nullable, pgconvoy_error *err)
{
    *not_nullable = -1;
    for (int i = 0; i < layout->table->column_count; i++) {
        if (layout->absent[i])
            continue;
        if (!values)
            pgc_clickhouse_encode_default(layout->types[i], out);
        else if (pgc_clickhouse_put_value(sink, layout, encoder, i, values, &values[i], out, not_nullable, err) != 0)
            return -1;
    }
    put_own(layout, values, mark, out);
    return 0;
}

int pgc_clickhouse_put_key(const pgc_clickhouse_sink *sink, const pgc_clickhouse_layout *layout,
                           pgc_clickhouse_encoder *encoder, const pgconvoy_value *key, const pgc_clickhouse_mark *mark,
                           pgc_buffer *out, pgconvoy_error *err)
{
    int ignored;
    for (int i = 0; i < layout->table->column_count; i++) {
        const pgconvoy_value *value = NULL;
        for (int k = 0; k < layout->table->key_count; k++) {
            if (layout->table->key[k] == i)
                value = &key[k];
        }
        if (layout->absent[i])
            continue;
        if (!value)
            pgc_clickhouse_encode_default(layout->types[i], out);
        else if (pgc_clickhouse_put_value(sink, layout, encoder, i, NULL, value, out, &ignored, err) != 0)
            return -1;
    }
    put_own(layout, NULL, mark, out);
    return 0;
}
