/*
 * A column of a chunk, with what becomes of values that DuckDB's type cannot hold. They are looked for only when the
 * encoding of the whole column has failed, which costs nothing while there are none: then each value is tried alone,
 * those that do not fit are named, or become NULL where that was asked for, and the column is encoded once more.
 */
#include "sink/duckdb/duckdb_internal.h"

/* A vector with nothing in its first places, and in what lies below them. */
static void clear(const pgc_duckdb_api *api, const pgc_duckdb_type *type, duckdb_vector vector, idx_t size)
{
    uint64_t *validity = api->vector_get_validity(vector);
    bool list = type->kind == PGC_DUCKDB_LIST ||
                ((type->kind == PGC_DUCKDB_VECTOR || type->kind == PGC_DUCKDB_HALF_VECTOR) && type->dimensions == 0);
    if (validity)
        memset(validity, 0xff, (size + 63) / 64 * sizeof *validity);
    if (list && type->element)
        clear(api, type->element, api->list_vector_get_child(vector), api->list_vector_get_size(vector));
    if (list)
        (void)api->list_vector_set_size(vector, 0); /* that it is smaller needs no memory */
    for (int field = 0; field < type->field_count; field++)
        clear(api, &type->fields[field], api->struct_vector_get_child(vector, (idx_t)field), size);
}

/* A value that does not fit: NULL in its place if that was asked for, else the error. A key is never NULL. */
static int leave_out(const pgc_duckdb_sink *sink, const pgc_duckdb_column *column, size_t at, pgconvoy_error *err)
{
    static const pgconvoy_value null_value = {.data = NULL, .length = PGCONVOY_NULL};
    const pgc_duckdb_layout *layout = column->layout;
    const pgconvoy_column *source = &layout->table->columns[column->column];
    pgc_unmappable_say_where(layout->table, pgc_duckdb_layout_column(layout, column->column),
                             column->row(column->arg, at), column->key(column->arg, at), err);
    if (sink->target.types.unmappable != PGC_UNMAPPABLE_NULL || source->in_key || source->primary_key > 0)
        return -1;
    pgc_unmappable_leave_out(sink->config->log, &layout->warned[column->column], err);
    column->cells[at] = &null_value;
    return 0;
}

static int encode(pgc_duckdb_encoder *encoder, const pgc_duckdb_column *column, duckdb_vector vector, size_t first,
                  size_t count, pgconvoy_error *err)
{
    encoder->cannot_hold = false;
    return pgc_duckdb_encode(encoder, column->layout->types[column->column], vector, (idx_t)first,
                             column->cells + first, count, err);
}

int pgc_duckdb_encode_column(const pgc_duckdb_sink *sink, pgc_duckdb_encoder *encoder, const pgc_duckdb_column *column,
                             duckdb_vector vector, pgconvoy_error *err)
{
    const pgc_duckdb_type *type = column->layout->types[column->column];
    if (encode(encoder, column, vector, 0, column->count, err) == 0)
        return 0;
    for (size_t i = 0; encoder->cannot_hold && i < column->count; i++) {
        clear(encoder->api, type, vector, (idx_t)column->count);
        if (encode(encoder, column, vector, i, 1, err) == 0)
            encoder->cannot_hold = true; /* the next one is looked at */
        else if (encoder->cannot_hold && leave_out(sink, column, i, err) != 0)
            return -1;
    }
    clear(encoder->api, type, vector, (idx_t)column->count);
    if (encode(encoder, column, vector, 0, column->count, err) == 0)
        return 0;
    pgc_error_prefix(err, "column %s of table %s.%s", pgc_duckdb_layout_column(column->layout, column->column),
                     column->layout->table->schema, column->layout->table->name);
    return -1;
}
