/*
 * The values of one column in many rows as one parameter: an array that the statement unnests. In binary where all of
 * the values came so; else as an array's text form, so that each element is read by the type's own input function. Types
 * that have no array type of their own (arrays) come as text and are cast.
 */
#include "sink/postgres/bulk.h"
#include "postgres/value.h"

#define TEXT_ARRAY_OID 1009

/* Types whose binary form is their text. */
static bool text_is_binary(uint32_t oid)
{
    return oid == PGC_TEXT_OID || oid == PGC_VARCHAR || oid == PGC_BPCHAR || oid == PGC_JSON;
}

bool pgc_pgsink_value_passes(const pgc_pgsink_target *target, int column, const pgconvoy_value *value)
{
    if (value->length < 0)
        return value->length == PGCONVOY_NULL;
    return value->format == PGCONVOY_BINARY ? target->pass_binary[column]
                                            : text_is_binary(target->columns[column]->type_oid);
}

pgc_pgsink_array_form pgc_pgsink_array_form_of(const pgc_pgsink_target *target, const pgc_compact_item *items,
                                               size_t count, pgc_pgsink_place place)
{
    if (target->columns[place.column]->array_oid == 0)
        return PGSINK_ARRAY_CAST;
    for (size_t i = 0; i < count; i++)
        if (!pgc_pgsink_value_passes(target, place.column, pgc_pgsink_place_value(&items[i], place)))
            return PGSINK_ARRAY_TEXT;
    return PGSINK_ARRAY_BINARY;
}

uint32_t pgc_pgsink_array_type(const pgc_pgsink_target *target, pgc_pgsink_place place, pgc_pgsink_array_form form)
{
    return form == PGSINK_ARRAY_CAST ? TEXT_ARRAY_OID : target->columns[place.column]->array_oid;
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

static void append_element(const pgc_pgsink_target *target, int column, pgc_pgsink_array_form form, bool first,
                           const char *text, size_t length, pgc_buffer *out)
{
    if (form == PGSINK_ARRAY_TEXT) {
        if (!first)
            pgc_buffer_byte(out, target->columns[column]->delimiter);
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

int pgc_pgsink_array_append(const pgc_pgsink_target *target, const pgc_compact_item *items, size_t count,
                            pgc_pgsink_place place, pgc_pgsink_array_form form, pgc_buffer *out, pgconvoy_error *err)
{
    pgc_buffer scratch;
    int status = 0;
    pgc_buffer_init(&scratch, (size_t)1 << 31);
    if (form == PGSINK_ARRAY_TEXT)
        pgc_buffer_byte(out, '{');
    else
        append_header(form == PGSINK_ARRAY_CAST ? PGC_TEXT_OID : target->columns[place.column]->type_oid, count, out);
    for (size_t i = 0; i < count && status == 0; i++) {
        const pgconvoy_value *value = pgc_pgsink_place_value(&items[i], place);
        const char *text = NULL;
        size_t length = 0;
        if (value->length >= 0 && form == PGSINK_ARRAY_BINARY) {
            text = value->length > 0 ? value->data : "";
            length = (size_t)value->length;
        } else if (value->length >= 0) {
            status = text_of(target, place.column, value, &scratch, &text, &length, err);
            text = length > 0 ? text : "";
        }
        append_element(target, place.column, form, i == 0, text, length, out);
    }
    if (form == PGSINK_ARRAY_TEXT) {
        pgc_buffer_byte(out, '}');
        pgc_buffer_byte(out, '\0');
    }
    pgc_buffer_free(&scratch);
    return status == 0 ? pgc_buffer_check(out, err) : -1;
}
