/*
 * Rows of a table copy by columns: a block in the format Native (manual: Formats, Native), which a server takes as its
 * own columns are in memory, where RowBinary is taken apart value by value. A block is its counts of columns and rows,
 * and for each column name, type and data:
 *
 *   Nullable    a byte for each row, 1: NULL; then values for all rows
 *   Array       for each row where its elements end, 8 bytes; then the elements as a column
 *   String      its length as a count, and its bytes
 *   the others  their bytes
 *
 * Type JSON is stored by rules of its own, which change: tables with it are sent in RowBinary.
 */
#include "sink/clickhouse/clickhouse_internal.h"

#include <stdlib.h>

#define KEPT_BYTES ((size_t)1 << 20) /* of one column, for the next block */

typedef struct column {
    pgc_buffer nulls; /* of a Nullable the rows that are NULL, of an array the elements */
    pgc_buffer ends;  /* of arrays */
    pgc_buffer data;
    uint64_t elements; /* of all arrays so far */
} column;

struct pgc_clickhouse_block {
    const pgc_clickhouse_sink *sink;
    const pgc_clickhouse_layout *layout;
    pgc_buffer head; /* of a column, and the columns that the sink adds */
    size_t rows;
    pgconvoy_lsn lsn; /* of the last row's snapshot */
    column columns[];
};

static bool is_array(const pgc_clickhouse_type *type)
{
    return type->kind == PGC_CLICKHOUSE_ARRAY || type->kind == PGC_CLICKHOUSE_VECTOR;
}

bool pgc_clickhouse_block_can_hold(const pgc_clickhouse_layout *layout)
{
    for (int i = 0; i < layout->table->column_count; i++) {
        if (layout->types[i]->kind == PGC_CLICKHOUSE_JSON || layout->absent[i] || !layout->types_there[i])
            return false;
    }
    return true;
}

pgc_clickhouse_block *pgc_clickhouse_block_new(const pgc_clickhouse_sink *sink, const pgc_clickhouse_layout *layout,
                                               pgconvoy_error *err)
{
    size_t count = (size_t)layout->table->column_count;
    pgc_clickhouse_block *block = calloc(1, sizeof *block + count * sizeof *block->columns);
    if (!block) {
        (void)pgc_error_out_of_memory(err);
        return NULL;
    }
    block->sink = sink;
    block->layout = layout;
    pgc_buffer_init(&block->head, SIZE_MAX / 2);
    for (size_t i = 0; i < count; i++) {
        pgc_buffer_init(&block->columns[i].nulls, SIZE_MAX / 2);
        pgc_buffer_init(&block->columns[i].ends, SIZE_MAX / 2);
        pgc_buffer_init(&block->columns[i].data, SIZE_MAX / 2);
    }
    return block;
}

void pgc_clickhouse_block_free(pgc_clickhouse_block *block)
{
    if (!block)
        return;
    for (int i = 0; i < block->layout->table->column_count; i++) {
        pgc_buffer_free(&block->columns[i].nulls);
        pgc_buffer_free(&block->columns[i].ends);
        pgc_buffer_free(&block->columns[i].data);
    }
    pgc_buffer_free(&block->head);
    free(block);
}

size_t pgc_clickhouse_block_rows(const pgc_clickhouse_block *block)
{
    return block->rows;
}

size_t pgc_clickhouse_block_bytes(const pgc_clickhouse_block *block)
{
    size_t bytes = 0;
    for (int i = 0; i < block->layout->table->column_count; i++)
        bytes += block->columns[i].nulls.length + block->columns[i].ends.length + block->columns[i].data.length;
    return bytes;
}

/* ---- rows */

static int add_array(column *to, pgc_clickhouse_encoder *encoder, const pgc_clickhouse_type *type,
                     const pgconvoy_value *value, pgconvoy_error *err)
{
    uint64_t count = 0;
    int result = value->length < 0
                     ? 0
                     : pgc_clickhouse_encode_elements(encoder, type, value, &count, &to->nulls, &to->data, err);
    to->elements += count;
    pgc_buffer_append(&to->ends, &to->elements, sizeof to->elements);
    return result;
}

static int add_value(column *to, pgc_clickhouse_encoder *encoder, const pgc_clickhouse_type *type,
                     const pgconvoy_value *value, pgconvoy_error *err)
{
    bool null = value->length < 0;
    if (type->nullable)
        pgc_buffer_byte(&to->nulls, null);
    if (!null)
        return pgc_clickhouse_encode(encoder, type, value, &to->data, err);
    pgc_clickhouse_encode_zero(type, &to->data);
    return 0;
}

static int add_column(pgc_clickhouse_block *block, pgc_clickhouse_encoder *encoder, int i, const pgconvoy_rows *rows,
                      bool null_is_empty, int *not_nullable, pgconvoy_error *err)
{
    const pgc_clickhouse_layout *layout = block->layout;
    const pgc_clickhouse_type *type = layout->types[i];
    column *to = &block->columns[i];
    size_t columns = (size_t)layout->table->column_count;
    bool array = is_array(type);
    for (size_t row = 0; row < rows->row_count; row++) {
        const pgconvoy_value *values = rows->values + row * columns, *value = &values[i];
        if (value->length == PGCONVOY_NULL && !type->nullable && !(array && null_is_empty))
            *not_nullable = i;
        size_t start = to->data.length;
        int result = array ? add_array(to, encoder, type, value, err) : add_value(to, encoder, type, value, err);
        if (result == 0)
            continue;
        if (result != PGC_CLICKHOUSE_CANNOT_HOLD) {
            pgc_unmappable_say_where(layout->table, layout->table->columns[i].name, values, NULL, err);
            return -1;
        }
        if (pgc_clickhouse_without_place(block->sink, layout, i, values, err) != 0)
            return -1;
        to->data.length = start;
        if (to->nulls.length > 0)
            to->nulls.data[to->nulls.length - 1] = 1;
        pgc_clickhouse_encode_zero(type, &to->data);
    }
    if (pgc_buffer_check(&to->nulls, err) != 0 || pgc_buffer_check(&to->ends, err) != 0)
        return -1;
    return pgc_buffer_check(&to->data, err);
}

int pgc_clickhouse_block_add(pgc_clickhouse_block *block, pgc_clickhouse_encoder *encoder, const pgconvoy_rows *rows,
                             int *not_nullable, pgconvoy_error *err)
{
    *not_nullable = -1;
    for (int i = 0; i < block->layout->table->column_count; i++) {
        if (add_column(block, encoder, i, rows, block->sink->target.types.arrays_always, not_nullable, err) != 0)
            return -1;
    }
    block->rows += rows->row_count;
    block->lsn = rows->snapshot_lsn;
    return 0;
}

/* ---- the block as it is sent */

static void repeat(pgc_buffer *out, const void *bytes, size_t length, size_t times)
{
    if (!pgc_buffer_reserve(out, length * times))
        return;
    for (size_t i = 0; i < times; i++)
        memcpy(out->data + out->length + i * length, bytes, length);
    out->length += length * times;
    out->data[out->length] = '\0';
}

/* What the sink adds is the same in all rows of a copy. */
static void put_own_columns(pgc_clickhouse_block *block, pgc_buffer *out)
{
    static const char copy[] = "\4copy", zeros[8];
    const uint64_t one = 1, lsn = block->lsn;
    const struct {
        const void *bytes;
        size_t length;
    } values[][6] = {
        [PGC_CLICKHOUSE_KEYED] = {{zeros, 8}, {zeros, 1}},
        [PGC_CLICKHOUSE_MULTISET] = {{&one, 8}, {zeros, 8}},
        [PGC_CLICKHOUSE_HISTORY] =
            {{copy, 5}, {zeros, 8}, {zeros, 4}, {zeros, 8}, {&lsn, 8}, {zeros, 8}}, /* no elements */
    };
    pgc_clickhouse_form form = block->layout->form;
    const pgc_clickhouse_own_column *own = pgc_clickhouse_own_columns(block->sink, form);
    for (size_t i = 0; own[i].name; i++) {
        pgc_clickhouse_encode_text(own[i].name, strlen(own[i].name), out);
        pgc_clickhouse_encode_text(own[i].type, strlen(own[i].type), out);
        repeat(out, values[form][i].bytes, values[form][i].length, block->rows);
    }
}

static int send(pgc_buffer *bytes, pgc_http_encoder *encoder, pgc_buffer *body, pgconvoy_error *err)
{
    if (pgc_buffer_check(bytes, err) != 0 || pgc_http_encoder_add(encoder, bytes->data, bytes->length, body, err) != 0)
        return -1;
    pgc_buffer_reset(bytes);
    if (bytes->capacity > KEPT_BYTES)
        pgc_buffer_free(bytes);
    return 0;
}

int pgc_clickhouse_block_put(pgc_clickhouse_block *block, pgc_http_encoder *encoder, pgc_buffer *body,
                             pgconvoy_error *err)
{
    const pgc_clickhouse_layout *layout = block->layout;
    size_t count = (size_t)layout->table->column_count;
    for (const pgc_clickhouse_own_column *own = pgc_clickhouse_own_columns(block->sink, layout->form); own->name; own++)
        count++;
    pgc_clickhouse_encode_count(count, &block->head);
    pgc_clickhouse_encode_count(block->rows, &block->head);
    for (int i = 0; i < layout->table->column_count; i++) {
        column *from = &block->columns[i];
        pgc_clickhouse_encode_text(layout->names[i], strlen(layout->names[i]), &block->head);
        pgc_clickhouse_encode_text(layout->types_there[i], strlen(layout->types_there[i]), &block->head);
        pgc_buffer *first = is_array(layout->types[i]) ? &from->ends : &from->nulls;
        pgc_buffer *second = first == &from->nulls ? &from->ends : &from->nulls;
        if (send(&block->head, encoder, body, err) != 0 || send(first, encoder, body, err) != 0 ||
            send(second, encoder, body, err) != 0 || send(&from->data, encoder, body, err) != 0)
            return -1;
        from->elements = 0;
    }
    put_own_columns(block, &block->head);
    block->rows = 0;
    return send(&block->head, encoder, body, err);
}
