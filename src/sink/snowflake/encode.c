/*
 * Values as JSON strings of the text that Snowflake makes them of again (types.c has the casts). What its type cannot
 * hold as it is gets a reason instead: there is no rounding and no clipping here, and none is left to the service.
 */
#include "sink/snowflake/snowflake_internal.h"

#include "format/json_number.h"
#include "format/json_text.h"
#include "postgres/value.h"

#include <stdio.h>
#include <stdlib.h>

#define VALUE_MAX ((size_t)1 << 30)
#define BINARY_MAX ((size_t)8 << 20) /* bytes that a BINARY holds */

typedef int put_function(pgc_staged_encoder *encoder, const pgc_sf_type *type, const pgconvoy_value *value,
                         const char **why, pgconvoy_error *err);

/* ---- each leaves the text of the value in encoder->text */

static int put_text(pgc_staged_encoder *encoder, const pgc_sf_type *type, const pgconvoy_value *value, const char **why,
                    pgconvoy_error *err)
{
    (void)why;
    return pgc_staged_text_of(encoder, type->source, value, err);
}

static int put_characters(pgc_staged_encoder *encoder, const pgc_sf_type *type, const pgconvoy_value *value,
                          const char **why, pgconvoy_error *err)
{
    (void)why;
    const char *text;
    size_t length;
    if (pgc_value_characters(type->source, value, &text, &length, err) != 0)
        return -1;
    pgc_buffer_append(&encoder->text, text, length);
    return pgc_buffer_check(&encoder->text, err);
}

static int put_bool(pgc_staged_encoder *encoder, const pgc_sf_type *type, const pgconvoy_value *value, const char **why,
                    pgconvoy_error *err)
{
    (void)type, (void)why;
    bool truth;
    if (pgc_value_bool(value, &truth, err) != 0)
        return -1;
    pgc_buffer_text(&encoder->text, truth ? "true" : "false");
    return 0;
}

/* Snowflake's words for what is no number (docs: "Special values" of FLOAT). */
static int put_float(pgc_staged_encoder *encoder, const pgc_sf_type *type, const pgconvoy_value *value,
                     const char **why, pgconvoy_error *err)
{
    double number;
    if (pgc_value_double(value, &number, err) != 0)
        return -1;
    if (number == __builtin_inf() || number == -__builtin_inf()) {
        pgc_buffer_text(&encoder->text, number > 0 ? "inf" : "-inf");
        return 0;
    }
    return put_text(encoder, type, value, why, err);
}

static int put_number(pgc_staged_encoder *encoder, const pgc_sf_type *type, const pgconvoy_value *value,
                      const char **why, pgconvoy_error *err)
{
    if (pgc_staged_text_of(encoder, type->source, value, err) != 0)
        return -1;
    return pgc_staged_digits_fit(encoder->text.data, (size_t)(type->precision - type->scale), (size_t)type->scale, why);
}

static int put_binary(pgc_staged_encoder *encoder, const pgc_sf_type *type, const pgconvoy_value *value,
                      const char **why, pgconvoy_error *err)
{
    (void)type;
    static const char digits[] = "0123456789ABCDEF";
    const uint8_t *bytes;
    size_t length;
    if (pgc_value_bytea(value, &encoder->scratch, &bytes, &length, err) != 0)
        return -1;
    if (length > BINARY_MAX)
        return pgc_staged_cannot_hold(why, "it is longer than 8 MB");
    if (!pgc_buffer_reserve(&encoder->text, 2 * length))
        return pgc_error_out_of_memory(err);
    for (size_t i = 0; i < length; i++) {
        pgc_buffer_byte(&encoder->text, digits[bytes[i] >> 4]);
        pgc_buffer_byte(&encoder->text, digits[bytes[i] & 15]);
    }
    return pgc_buffer_check(&encoder->text, err);
}

static int put_date(pgc_staged_encoder *encoder, const pgc_sf_type *type, const pgconvoy_value *value, const char **why,
                    pgconvoy_error *err)
{
    int result = pgc_staged_date_fits(value, why, err);
    return result == 0 ? put_text(encoder, type, value, why, err) : result;
}

static int put_time(pgc_staged_encoder *encoder, const pgc_sf_type *type, const pgconvoy_value *value, const char **why,
                    pgconvoy_error *err)
{
    int result = pgc_staged_time_fits(value, why, err);
    return result == 0 ? put_text(encoder, type, value, why, err) : result;
}

static int put_moment(pgc_staged_encoder *encoder, const pgc_sf_type *type, const pgconvoy_value *value,
                      const char **why, pgconvoy_error *err)
{
    int result = pgc_staged_moment_fits(value, why, err);
    if (result == 0)
        result = put_text(encoder, type, value, why, err);
    if (result != 0)
        return result;
    if (type->source->oid == PGC_TIMESTAMPTZ)
        pgc_buffer_text(&encoder->text, ":00"); /* +00 as +00:00 */
    return 0;
}

static int put_json(pgc_staged_encoder *encoder, const pgc_sf_type *type, const pgconvoy_value *value, const char **why,
                    pgconvoy_error *err)
{
    if (put_characters(encoder, type, value, why, err) != 0)
        return -1;
    return pgc_json_numbers_survive(encoder->text.data ? encoder->text.data : "", encoder->text.length)
               ? 0
               : pgc_staged_cannot_hold(why, "it has a number that is neither a 64-bit integer nor a double");
}

/* ---- arrays, as JSON */

/* How an element stands in the JSON: integers and finite numbers of float types as numbers, booleans and JSON as
 * themselves, everything else as the text that a column of its type would be made of. */
static int put_element(pgc_staged_encoder *encoder, const pgc_sf_type *type, const pgconvoy_value *value,
                       const char **why, pgconvoy_error *err)
{
    pgc_buffer text;
    bool truth;
    if (value->length < 0) {
        pgc_buffer_text(&encoder->text, "null");
        return 0;
    }
    if (type->element_kind == PGC_SF_BOOLEAN) {
        if (pgc_value_bool(value, &truth, err) != 0)
            return -1;
        pgc_buffer_text(&encoder->text, truth ? "true" : "false");
        return 0;
    }
    pgc_buffer_init(&text, VALUE_MAX);
    int result = pgc_value_to_text(type->element, value, &text, err);
    const char *data = text.data ? text.data : "";
    bool plain = type->element_kind == PGC_SF_INTEGER || type->element_kind == PGC_SF_VARIANT ||
                 type->element_kind == PGC_SF_VECTOR ||
                 (type->element_kind == PGC_SF_FLOAT && pgc_json_is_number(data, text.length));
    if (result == 0 && plain && !pgc_json_numbers_survive(data, text.length))
        result = pgc_staged_cannot_hold(why, "it has a number that is neither a 64-bit integer nor a double");
    if (result == 0 && !pgc_json_is_plain_text(data, text.length))
        result = pgc_staged_cannot_hold(why, "it is not UTF-8");
    if (result == 0 && plain)
        pgc_buffer_append(&encoder->text, data, text.length);
    else if (result == 0)
        pgc_json_string_n(&encoder->text, data, text.length);
    if (result == 0)
        result = pgc_buffer_check(&text, err);
    pgc_buffer_free(&text);
    return result;
}

static int put_dimension(pgc_staged_encoder *encoder, const pgc_sf_type *type, const pgc_array *array, int dimension,
                         int64_t *next, const char **why, pgconvoy_error *err)
{
    pgc_buffer_byte(&encoder->text, '[');
    for (int32_t i = 0; i < array->size[dimension]; i++) {
        if (i > 0)
            pgc_buffer_byte(&encoder->text, ',');
        int result = dimension + 1 < array->dimensions
                         ? put_dimension(encoder, type, array, dimension + 1, next, why, err)
                         : put_element(encoder, type, &array->elements[(*next)++], why, err);
        if (result != 0)
            return result;
    }
    pgc_buffer_byte(&encoder->text, ']');
    return 0;
}

static int put_array(pgc_staged_encoder *encoder, const pgc_sf_type *type, const pgconvoy_value *value,
                     const char **why, pgconvoy_error *err)
{
    pgc_array array;
    int64_t next = 0;
    pgc_arena_reset(encoder->arena);
    if (pgc_value_array(type->source, value, encoder->arena, &array, err) != 0)
        return -1;
    for (int i = 0; i < array.dimensions; i++)
        if (array.lower_bound[i] != 1)
            return pgc_staged_cannot_hold(why, "it is an array that does not begin with 1");
    if (array.dimensions > 0)
        return put_dimension(encoder, type, &array, 0, &next, why, err);
    pgc_buffer_text(&encoder->text, "[]");
    return 0;
}

/* ---- all */

static put_function *const put[] = {
    [PGC_SF_BOOLEAN] = put_bool,
    [PGC_SF_INTEGER] = put_text,
    [PGC_SF_NUMBER] = put_number,
    [PGC_SF_FLOAT] = put_float,
    [PGC_SF_CHARACTERS] = put_characters,
    [PGC_SF_AS_TEXT] = put_text,
    [PGC_SF_BINARY] = put_binary,
    [PGC_SF_DATE] = put_date,
    [PGC_SF_TIME] = put_time,
    [PGC_SF_NTZ] = put_moment,
    [PGC_SF_TZ] = put_moment,
    [PGC_SF_VARIANT] = put_json,
    [PGC_SF_ARRAY] = put_array,
    [PGC_SF_VECTOR] = put_text,
};

int pgc_sf_encode(pgc_staged_encoder *encoder, const pgc_sf_type *type, const pgconvoy_value *value, pgc_buffer *out,
                  const char **why, pgconvoy_error *err)
{
    pgc_buffer *text = &encoder->text;
    pgc_buffer_reset(text);
    pgc_buffer_append(text, "", 0);
    int result = put[type->kind](encoder, type, value, why, err);
    if (result == 0)
        result = pgc_buffer_check(text, err);
    if (result != 0)
        return result;
    if (text->length > PGC_SF_ROW_MAX)
        return pgc_staged_cannot_hold(why, "it is longer than 16 MB");
    if (!pgc_json_is_plain_text(text->data, text->length))
        return pgc_staged_cannot_hold(why, "it is not UTF-8");
    pgc_json_string_n(out, text->data, text->length);
    return 0;
}
