/*
 * The values of each column in many rows as one parameter: an array that the statement unnests. In binary where all of
 * the values came so; else as an array's text form, so that each element is read by the type's own input function. Types
 * that have no array type of their own (arrays) come as text and are cast.
 *
 * Rows lie far apart in memory: they are gone through twice, once to measure and once to copy, whatever their columns.
 */
#include "sink/postgres/bulk.h"
#include "postgres/value.h"

#include <endian.h>

#define TEXT_ARRAY_OID 1009
#define VALUE_BYTES 8 /* of each value's share of a chunk, beside its own */
#define HEADER_BYTES 20
#define LENGTH_BYTES 4
#define ACLITEM_OID    1033

/* Types whose binary form is their text. */
static bool text_is_binary(uint32_t oid)
{
    return oid == PGC_TEXT_OID || oid == PGC_VARCHAR || oid == PGC_BPCHAR || oid == PGC_JSON;
}

static bool passes(const pgc_pgsink_target *target, int column, pgconvoy_format format)
{
    return format == PGCONVOY_BINARY ? target->pass_binary[column] : text_is_binary(target->columns[column]->type_oid);
}

bool pgc_pgsink_value_passes(const pgc_pgsink_target *target, int column, const pgconvoy_value *value)
{
    if (value->length < 0)
        return value->length == PGCONVOY_NULL;
    return passes(target, column, value->format);
}

void pgc_pgsink_array_init(pgc_pgsink_array *array, const pgc_pgsink_target *target, int column, int key)
{
    bool cast = target->columns[column]->array_oid == 0;
    *array = (pgc_pgsink_array){.column = column, .key = key, .form = cast ? PGSINK_ARRAY_CAST : PGSINK_ARRAY_BINARY};
    array->type = cast ? TEXT_ARRAY_OID : target->columns[column]->array_oid;
    array->null_is_text = !cast && (target->columns[column]->type_oid >= PGC_FIRST_USER_OID || target->columns[column]->type_oid == ACLITEM_OID);
    array->refuses[PGCONVOY_TEXT] = !cast && !passes(target, column, PGCONVOY_TEXT);
    array->refuses[PGCONVOY_BINARY] = cast || !passes(target, column, PGCONVOY_BINARY);
}

static void choose_forms(pgc_pgsink_array *arrays, int array_count)
{
    for (int i = 0; i < array_count; i++) {
        pgc_pgsink_array *array = &arrays[i];
        array->refused |= array->bytes == 0 && array->null_is_text;
        if (array->form != PGSINK_ARRAY_CAST)
            array->form = array->refused ? PGSINK_ARRAY_TEXT : PGSINK_ARRAY_BINARY;
    }
}

size_t pgc_pgsink_arrays_measure(pgc_pgsink_array *arrays, int array_count, const pgc_compact_item *items, size_t count,
                                 size_t most_bytes)
{
    size_t rows = 0, bytes = 0;
    for (int i = 0; i < array_count; i++) {
        arrays[i].bytes = 0;
        arrays[i].refused = false;
    }
    for (; rows < count && bytes < most_bytes; rows++)
        for (int i = 0; i < array_count; i++) {
            pgc_pgsink_array *array = &arrays[i];
            const pgconvoy_value *value = pgc_pgsink_array_value(array, &items[rows]);
            bytes += VALUE_BYTES;
            if (value->length < 0)
                continue;
            bytes += (size_t)value->length;
            array->bytes += (size_t)value->length;
            array->refused |= array->refuses[value->format];
        }
    choose_forms(arrays, array_count);
    return rows;
}

static void put_int32(pgc_buffer *out, uint32_t number)
{
    char bytes[4] = {(char)(number >> 24), (char)(number >> 16), (char)(number >> 8), (char)number};
    pgc_buffer_append(out, bytes, sizeof bytes);
}

/* The text of a value: its own bytes, or in scratch. */
static int text_of(const pgc_pgsink_target *target, int column, const pgconvoy_value *value, pgc_buffer *scratch,
                   const char **text, size_t *length, pgconvoy_error *err)
{
    *text = value->data;
    *length = (size_t)value->length;
    if (value->format == PGCONVOY_TEXT)
        return 0;
    pgc_buffer_reset(scratch);
    if (pgc_value_to_text(target->table->columns[column].type, value, scratch, err) != 0 ||
        pgc_buffer_check(scratch, err) != 0)
        return -1;
    *text = scratch->data;
    *length = scratch->length;
    return 0;
}

/* Dimensions, whether there are NULLs, the elements' type, length and first index of the one dimension; then each
 * element's length and bytes (array_recv). */
static void append_header(uint32_t element, size_t count, pgc_buffer *out)
{
    put_int32(out, 1);
    put_int32(out, 1);
    put_int32(out, element);
    put_int32(out, (uint32_t)count);
    put_int32(out, 1);
}

/* An element in quotes means what is between them, also NULL and braces (manual, "Array Input and Output Syntax"). */
static void append_quoted(pgc_buffer *out, const char *text, size_t length)
{
    pgc_buffer_byte(out, '"');
    for (size_t start = 0, end; start < length; start = end) {
        for (end = start; end < length && text[end] != '"' && text[end] != '\\'; end++)
            ;
        pgc_buffer_append(out, text + start, end - start);
        if (end < length) {
            pgc_buffer_byte(out, '\\');
            pgc_buffer_byte(out, text[end++]);
        }
    }
    pgc_buffer_byte(out, '"');
}

static void append_element(const pgc_pgsink_target *target, const pgc_pgsink_array *array, bool first, const char *text,
                           size_t length, pgc_buffer *out)
{
    if (array->form == PGSINK_ARRAY_TEXT) {
        if (!first)
            pgc_buffer_byte(out, target->columns[array->column]->delimiter);
        if (text)
            append_quoted(out, text, length);
        else
            pgc_buffer_text(out, "NULL");
    } else {
        put_int32(out, text ? (uint32_t)length : UINT32_MAX);
        if (text)
            pgc_buffer_append(out, text, length);
    }
}

/* An array with values that have to be put into another form. */
static int append_converted(const pgc_pgsink_target *target, const pgc_pgsink_array *array,
                            const pgc_compact_item *items, size_t count, pgc_buffer *out, pgconvoy_error *err)
{
    pgc_buffer scratch;
    int status = 0;
    pgc_buffer_init(&scratch, (size_t)1 << 31);
    if (array->form == PGSINK_ARRAY_TEXT)
        pgc_buffer_byte(out, '{');
    else
        append_header(PGC_TEXT_OID, count, out);
    for (size_t i = 0; i < count && status == 0; i++) {
        const pgconvoy_value *value = pgc_pgsink_array_value(array, &items[i]);
        const char *text = NULL;
        size_t length = 0;
        if (value->length >= 0) {
            status = text_of(target, array->column, value, &scratch, &text, &length, err);
            text = length > 0 ? text : "";
        }
        append_element(target, array, i == 0, text, length, out);
    }
    if (array->form == PGSINK_ARRAY_TEXT) {
        pgc_buffer_byte(out, '}');
        pgc_buffer_byte(out, '\0');
    }
    pgc_buffer_free(&scratch);
    return status == 0 ? pgc_buffer_check(out, err) : -1;
}

/* The header of an array whose values are copied as they are, and room for these. */
static void append_room(const pgc_pgsink_target *target, const pgc_pgsink_array *array, size_t count, pgc_buffer *out)
{
    size_t bytes = array->bytes + LENGTH_BYTES * count;
    append_header(array->form == PGSINK_ARRAY_CAST ? PGC_TEXT_OID : target->columns[array->column]->type_oid, count, out);
    if (pgc_buffer_reserve(out, bytes))
        out->length += bytes;
}

/* Fills that room: from a row to each of the arrays. */
static void copy_values(pgc_pgsink_array *arrays, int array_count, const pgc_compact_item *items, size_t count, char *out)
{
    for (int i = 0; i < array_count; i++)
        arrays[i].to = out + arrays[i].offset + HEADER_BYTES;
    for (size_t row = 0; row < count; row++)
        for (int i = 0; i < array_count; i++) {
            pgc_pgsink_array *array = &arrays[i];
            const pgconvoy_value *value = pgc_pgsink_array_value(array, &items[row]);
            if (array->refused)
                continue;
            uint32_t length = htobe32(value->length >= 0 ? (uint32_t)value->length : UINT32_MAX);
            memcpy(array->to, &length, LENGTH_BYTES);
            array->to += LENGTH_BYTES;
            if (value->length > 0) {
                memcpy(array->to, value->data, (size_t)value->length);
                array->to += value->length;
            }
        }
}

int pgc_pgsink_arrays_append(const pgc_pgsink_target *target, pgc_pgsink_array *arrays, int array_count,
                             const pgc_compact_item *items, size_t count, pgc_buffer *out, pgconvoy_error *err)
{
    for (int i = 0; i < array_count; i++) {
        arrays[i].offset = out->length;
        if (!arrays[i].refused)
            append_room(target, &arrays[i], count, out);
        else if (append_converted(target, &arrays[i], items, count, out, err) != 0)
            return -1;
        arrays[i].length = out->length - arrays[i].offset;
    }
    if (pgc_buffer_check(out, err) != 0)
        return -1;
    copy_values(arrays, array_count, items, count, out->data);
    return 0;
}
