/*
 * Values as JSON of a load job (docs: "Loading JSON data", "Data types"). What BigQuery's type cannot hold as it is
 * gets a reason instead: there is no rounding and no clipping here, and none is left to the service.
 */
#include "sink/bigquery/bigquery_internal.h"

#include "format/json_number.h"
#include "format/json_text.h"
#include "postgres/value.h"

#include <stdio.h>
#include <stdlib.h>

/* PostgreSQL's text form in encoder->text. */
static int to_text(pgc_staged_encoder *encoder, const pgconvoy_type *type, const pgconvoy_value *value,
                   pgconvoy_error *err)
{
    pgc_buffer_reset(&encoder->text);
    return pgc_staged_text_of(encoder, type, value, err);
}

static int put_string(const char *text, size_t length, pgc_buffer *out, const char **why)
{
    if (!pgc_json_is_plain_text(text, length))
        return pgc_staged_cannot_hold(why, "it is not UTF-8");
    pgc_json_string_n(out, text, length);
    return 0;
}

static int put_characters(pgc_staged_encoder *encoder, const pgconvoy_type *type, const pgconvoy_value *value,
                          pgc_buffer *out, const char **why, pgconvoy_error *err)
{
    (void)encoder;
    const char *text;
    size_t length;
    if (pgc_value_characters(type, value, &text, &length, err) != 0)
        return -1;
    return put_string(text, length, out, why);
}

static int put_text(pgc_staged_encoder *encoder, const pgconvoy_type *type, const pgconvoy_value *value,
                    pgc_buffer *out, const char **why, pgconvoy_error *err)
{
    if (to_text(encoder, type, value, err) != 0)
        return -1;
    return put_string(encoder->text.data, encoder->text.length, out, why);
}

static int put_bool(pgc_staged_encoder *encoder, const pgconvoy_type *type, const pgconvoy_value *value,
                    pgc_buffer *out, const char **why, pgconvoy_error *err)
{
    (void)encoder, (void)type, (void)why;
    bool truth;
    if (pgc_value_bool(value, &truth, err) != 0)
        return -1;
    pgc_buffer_text(out, truth ? "true" : "false");
    return 0;
}

/* As a string: a number that is more than 2^53 might be read as a double on the way. */
static int put_integer(pgc_staged_encoder *encoder, const pgconvoy_type *type, const pgconvoy_value *value,
                       pgc_buffer *out, const char **why, pgconvoy_error *err)
{
    (void)encoder, (void)why;
    int64_t number;
    if (pgc_value_int64(type, value, &number, err) != 0)
        return -1;
    pgc_buffer_format(out, "\"%lld\"", (long long)number);
    return 0;
}

static int put_float(pgc_staged_encoder *encoder, const pgconvoy_type *type, const pgconvoy_value *value,
                     pgc_buffer *out, const char **why, pgconvoy_error *err)
{
    (void)why;
    if (to_text(encoder, type, value, err) != 0)
        return -1;
    bool number = pgc_json_is_number(encoder->text.data, encoder->text.length);
    pgc_buffer_format(out, number ? "%s" : "\"%s\"", encoder->text.data);
    return 0;
}

/* 29 digits before the point and 9 behind it, or 38 and 38: BIGNUMERIC has some of 39 before, which are not made use
 * of. */
static int put_decimal(pgc_staged_encoder *encoder, const pgconvoy_type *type, const pgconvoy_value *value,
                       size_t before, size_t behind, pgc_buffer *out, const char **why, pgconvoy_error *err)
{
    if (to_text(encoder, type, value, err) != 0)
        return -1;
    int result = pgc_staged_digits_fit(encoder->text.data, before, behind, why);
    if (result == 0)
        pgc_buffer_format(out, "\"%s\"", encoder->text.data);
    return result;
}

static int put_numeric(pgc_staged_encoder *encoder, const pgconvoy_type *type, const pgconvoy_value *value,
                       pgc_buffer *out, const char **why, pgconvoy_error *err)
{
    return put_decimal(encoder, type, value, 29, 9, out, why, err);
}

static int put_bignumeric(pgc_staged_encoder *encoder, const pgconvoy_type *type, const pgconvoy_value *value,
                          pgc_buffer *out, const char **why, pgconvoy_error *err)
{
    return put_decimal(encoder, type, value, 38, 38, out, why, err);
}

static int put_bytes(pgc_staged_encoder *encoder, const pgconvoy_type *type, const pgconvoy_value *value,
                     pgc_buffer *out, const char **why, pgconvoy_error *err)
{
    (void)type, (void)why;
    const uint8_t *bytes;
    size_t length;
    if (pgc_value_bytea(value, &encoder->scratch, &bytes, &length, err) != 0)
        return -1;
    pgc_json_base64(out, bytes, length);
    return 0;
}

static int put_date(pgc_staged_encoder *encoder, const pgconvoy_type *type, const pgconvoy_value *value,
                    pgc_buffer *out, const char **why, pgconvoy_error *err)
{
    int result = pgc_staged_date_fits(value, why, err);
    return result == 0 ? put_text(encoder, type, value, out, why, err) : result;
}

static int put_time(pgc_staged_encoder *encoder, const pgconvoy_type *type, const pgconvoy_value *value,
                    pgc_buffer *out, const char **why, pgconvoy_error *err)
{
    int result = pgc_staged_time_fits(value, why, err);
    return result == 0 ? put_text(encoder, type, value, out, why, err) : result;
}

static int put_moment(pgc_staged_encoder *encoder, const pgconvoy_type *type, const pgconvoy_value *value, bool zone,
                      pgc_buffer *out, const char **why, pgconvoy_error *err)
{
    int result = pgc_staged_moment_fits(value, why, err);
    if (result == 0)
        result = to_text(encoder, type, value, err);
    if (result != 0)
        return result;
    pgc_buffer_format(out, "\"%s%s\"", encoder->text.data, zone ? ":00" : ""); /* +00 as +00:00 */
    return 0;
}

static int put_datetime(pgc_staged_encoder *encoder, const pgconvoy_type *type, const pgconvoy_value *value,
                        pgc_buffer *out, const char **why, pgconvoy_error *err)
{
    return put_moment(encoder, type, value, false, out, why, err);
}

static int put_timestamp(pgc_staged_encoder *encoder, const pgconvoy_type *type, const pgconvoy_value *value,
                         pgc_buffer *out, const char **why, pgconvoy_error *err)
{
    return put_moment(encoder, type, value, true, out, why, err);
}

/* ---- JSON */

static int put_json(pgc_staged_encoder *encoder, const pgconvoy_type *type, const pgconvoy_value *value,
                    pgc_buffer *out, const char **why, pgconvoy_error *err)
{
    (void)encoder;
    const char *text;
    size_t length, start = 0;
    if (pgc_value_characters(type, value, &text, &length, err) != 0)
        return -1;
    while (start < length && strchr(" \t\r\n", text[start]) && text[start])
        start++;
    if (length - start >= 4 && memcmp(text + start, "null", 4) == 0)
        return pgc_staged_cannot_hold(why, "it is JSON's null, which would become NULL");
    if (!pgc_json_is_plain_text(text, length))
        return pgc_staged_cannot_hold(why, "it is not UTF-8");
    if (!pgc_json_numbers_survive(text, length))
        return pgc_staged_cannot_hold(why, "it has a number that is neither a 64-bit integer nor a double");
    pgc_json_verbatim(out, text, length);
    return 0;
}

static int put_vector(pgc_staged_encoder *encoder, const pgconvoy_type *type, const pgconvoy_value *value,
                      pgc_buffer *out, const char **why, pgconvoy_error *err)
{
    (void)why;
    if (to_text(encoder, type, value, err) != 0)
        return -1;
    pgc_buffer_append(out, encoder->text.data, encoder->text.length); /* [1,2.5] is how it is written anyway */
    return 0;
}

/* ---- all */

typedef int put_function(pgc_staged_encoder *encoder, const pgconvoy_type *type, const pgconvoy_value *value,
                         pgc_buffer *out, const char **why, pgconvoy_error *err);

static put_function *const put[] = {
    [PGC_BQ_BOOL] = put_bool,       [PGC_BQ_INT64] = put_integer,         [PGC_BQ_FLOAT64] = put_float,
    [PGC_BQ_NUMERIC] = put_numeric, [PGC_BQ_BIGNUMERIC] = put_bignumeric, [PGC_BQ_CHARACTERS] = put_characters,
    [PGC_BQ_AS_TEXT] = put_text,    [PGC_BQ_BYTES] = put_bytes,           [PGC_BQ_DATE] = put_date,
    [PGC_BQ_TIME] = put_time,       [PGC_BQ_DATETIME] = put_datetime,     [PGC_BQ_TIMESTAMP] = put_timestamp,
    [PGC_BQ_JSON] = put_json,       [PGC_BQ_VECTOR] = put_vector,
};

static int put_elements(pgc_staged_encoder *encoder, const pgc_bq_type *type, const pgconvoy_value *value,
                        pgc_buffer *out, const char **why, pgconvoy_error *err)
{
    pgc_array array;
    pgc_arena_reset(encoder->arena);
    if (pgc_value_array(type->source, value, encoder->arena, &array, err) != 0)
        return -1;
    if (array.dimensions > 1)
        return pgc_staged_cannot_hold(why, "it is an array of more than one dimension");
    if (array.dimensions == 1 && array.lower_bound[0] != 1)
        return pgc_staged_cannot_hold(why, "it is an array that does not begin with 1");
    pgc_buffer_byte(out, '[');
    for (int64_t i = 0; i < array.count; i++) {
        if (array.elements[i].length < 0)
            return pgc_staged_cannot_hold(why, "it is an array with a NULL in it");
        if (i > 0)
            pgc_buffer_byte(out, ',');
        int result = put[type->kind](encoder, type->element, &array.elements[i], out, why, err);
        if (result != 0)
            return result;
    }
    pgc_buffer_byte(out, ']');
    return 0;
}

int pgc_bq_encode(pgc_staged_encoder *encoder, const pgc_bq_type *type, const pgconvoy_value *value, pgc_buffer *out,
                  const char **why, pgconvoy_error *err)
{
    size_t start = out->length;
    int result = type->element ? put_elements(encoder, type, value, out, why, err)
                               : put[type->kind](encoder, type->source, value, out, why, err);
    if (result != 0 && out->data) {
        out->length = start;
        out->data[start] = '\0';
    }
    return result;
}
