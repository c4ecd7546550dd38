/*
 * Values as RowBinary (manual: Formats, RowBinary): numbers in little endian, texts and arrays with their length as a
 * variable-length count before them. What arrives in binary form is turned round at once, all else goes through the
 * readers of postgres/value.h.
 */
#include "sink/clickhouse/clickhouse_internal.h"

#include "base/clock.h"
#include "postgres/value.h"

#include <endian.h>
#include <stdlib.h>

#define PG_EPOCH_DAYS 10957 /* from 1970-01-01 to 2000-01-01 */
/* What Date32 and DateTime64 hold: 1900-01-01 to 2299-12-31. */
#define FIRST_DAY (-25567)
#define LAST_DAY 120529
#define DAY_US (INT64_C(86400) * 1000000)

int pgc_clickhouse_encoder_init(pgc_clickhouse_encoder *encoder, pgconvoy_error *err)
{
    pgc_buffer_init(&encoder->scratch, (size_t)1 << 31);
    encoder->arena = pgc_arena_new((size_t)64 << 10);
    return encoder->arena ? 0 : pgc_error_out_of_memory(err);
}

void pgc_clickhouse_encoder_free(pgc_clickhouse_encoder *encoder)
{
    pgc_arena_free(encoder->arena);
    pgc_buffer_free(&encoder->scratch);
}

static int cannot_hold(const pgc_clickhouse_type *type, const char *what, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 4096);
    pgc_clickhouse_type_sql(type, &sql);
    pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "%s is %s, which %.200s cannot hold", type->source->name, what,
                       sql.data ? sql.data : "its type");
    pgc_buffer_free(&sql);
    return PGC_CLICKHOUSE_CANNOT_HOLD;
}

/* ---- numbers */

static void put(pgc_buffer *out, const void *bytes, size_t length)
{
    if (out->length + length < out->capacity) {
        memcpy(out->data + out->length, bytes, length);
        out->length += length;
        out->data[out->length] = '\0';
    } else {
        pgc_buffer_append(out, bytes, length);
    }
}

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "RowBinary is written from memory as it stands, which must be little endian"
#endif

/* Binary integers and floats, of the width that the target's type has, with their bytes turned round. */
static bool put_turned(const pgconvoy_value *value, size_t width, pgc_buffer *out)
{
    if (value->format != PGCONVOY_BINARY || value->length != (int32_t)width)
        return false;
    uint16_t two;
    uint32_t four;
    uint64_t eight;
    switch (width) {
    case 2:
        memcpy(&two, value->data, 2);
        two = be16toh(two);
        put(out, &two, 2);
        return true;
    case 4:
        memcpy(&four, value->data, 4);
        four = be32toh(four);
        put(out, &four, 4);
        return true;
    default:
        memcpy(&eight, value->data, 8);
        eight = be64toh(eight);
        put(out, &eight, 8);
        return true;
    }
}

static int encode_integer(const pgc_clickhouse_type *type, const pgconvoy_value *value, size_t width, pgc_buffer *out,
                          pgconvoy_error *err)
{
    if (put_turned(value, width, out))
        return 0;
    int64_t wide;
    if (type->kind == PGC_CLICKHOUSE_UINT64) { /* as text, and beyond the signed reader */
        char text[24], *end;
        if (value->length < 1 || value->length >= (int32_t)sizeof text)
            return cannot_hold(type, "no number", err);
        memcpy(text, value->data, (size_t)value->length);
        text[value->length] = '\0';
        uint64_t number = strtoull(text, &end, 10);
        put(out, &number, 8);
        return *end ? cannot_hold(type, "no number", err) : 0;
    }
    if (pgc_value_int64(type->source, value, &wide, err) != 0)
        return -1;
    put(out, &wide, width);
    return 0;
}

static int encode_float(const pgc_clickhouse_type *type, const pgconvoy_value *value, pgc_buffer *out,
                        pgconvoy_error *err)
{
    double wide;
    if (put_turned(value, type->kind == PGC_CLICKHOUSE_FLOAT32 ? 4 : 8, out))
        return 0;
    if (pgc_value_double(value, &wide, err) != 0)
        return -1;
    float narrow = (float)wide;
    if (type->kind == PGC_CLICKHOUSE_FLOAT32)
        put(out, &narrow, 4);
    else
        put(out, &wide, 8);
    return 0;
}

static int encode_bool(const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err)
{
    bool truth;
    if (pgc_value_bool(value, &truth, err) != 0)
        return -1;
    pgc_buffer_byte(out, truth);
    return 0;
}

/* ---- decimals: scaled integers of 32, 64, 128 or 256 bits, by precision */

static size_t decimal_bytes(int precision)
{
    return precision <= 9 ? 4 : precision <= 18 ? 8 : precision <= 38 ? 16 : 32;
}

/* words = words × 10 + digit, in 256 bits. */
static void shift_in(uint64_t words[4], unsigned digit)
{
    unsigned __int128 carry = digit;
    for (int i = 0; i < 4; i++) {
        carry += (unsigned __int128)words[i] * 10;
        words[i] = (uint64_t)carry;
        carry >>= 64;
    }
}

/* From the text "-12.340", with as many digits behind the point as the scale; 76 digits fit into 256 bits with a sign.
 */
static int encode_wide(const pgc_clickhouse_type *type, const char *text, pgc_buffer *out, pgconvoy_error *err)
{
    uint64_t words[4] = {0};
    bool negative = *text == '-', behind = false;
    int digits = 0, places = 0;
    for (const char *p = text + negative; *p; p++) {
        if (*p == '.' && !behind) {
            behind = true;
            continue;
        }
        if (*p < '0' || *p > '9')
            return cannot_hold(type, "not finite", err);
        if (behind && places == type->scale) {
            if (*p != '0')
                return cannot_hold(type, "too precise", err);
            continue;
        }
        places += behind;
        digits += digits > 0 || *p != '0';
        if (digits > type->width)
            return cannot_hold(type, "too large", err);
        shift_in(words, (unsigned)(*p - '0'));
    }
    for (; places < type->scale; places++) {
        digits += digits > 0;
        if (digits > type->width)
            return cannot_hold(type, "too large", err);
        shift_in(words, 0);
    }
    unsigned carry = 1;
    for (int i = 0; negative && i < 4; i++) { /* two's complement */
        words[i] = ~words[i] + carry;
        carry = carry && words[i] == 0;
    }
    put(out, words, decimal_bytes(type->width));
    return 0;
}

static int encode_decimal(pgc_clickhouse_encoder *encoder, const pgc_clickhouse_type *type, const pgconvoy_value *value,
                          pgc_buffer *out, pgconvoy_error *err)
{
    if (type->width > 37) { /* the reader below ends at 38 digits, before rounding is known */
        pgc_buffer_reset(&encoder->scratch);
        if (pgc_value_to_text(type->source, value, &encoder->scratch, err) != 0)
            return -1;
        return encode_wide(type, encoder->scratch.data, out, err);
    }
    __int128 number, limit = 1;
    pgc_numeric_kind kind = PGC_NUMERIC_FINITE;
    int exact = pgc_value_decimal(value, type->scale, &number, &kind, err);
    if (exact < 0)
        return -1;
    for (int i = 0; i < type->width; i++)
        limit *= 10;
    if (exact != 1 || number >= limit || number <= -limit)
        return cannot_hold(type,
                           kind == PGC_NUMERIC_NAN      ? "NaN"
                           : kind != PGC_NUMERIC_FINITE ? "infinite"
                                                        : "too large or too precise",
                           err);
    put(out, &number, decimal_bytes(type->width));
    return 0;
}

/* ---- times */

static int encode_date(const pgc_clickhouse_type *type, const pgconvoy_value *value, pgc_buffer *out,
                       pgconvoy_error *err)
{
    int32_t days;
    if (pgc_value_date(value, &days, err) != 0)
        return -1;
    if (days < FIRST_DAY - PG_EPOCH_DAYS || days > LAST_DAY - PG_EPOCH_DAYS)
        return cannot_hold(type, days == INT32_MIN || days == INT32_MAX ? "infinite" : "before 1900 or after 2299",
                           err);
    days += PG_EPOCH_DAYS;
    put(out, &days, 4);
    return 0;
}

static int encode_timestamp(const pgc_clickhouse_type *type, const pgconvoy_value *value, pgc_buffer *out,
                            pgconvoy_error *err)
{
    int64_t us;
    if (pgc_value_timestamp(value, &us, err) != 0)
        return -1;
    if (us < FIRST_DAY * DAY_US - PGC_PG_EPOCH_US || us >= (LAST_DAY + 1) * DAY_US - PGC_PG_EPOCH_US)
        return cannot_hold(type, us == INT64_MIN || us == INT64_MAX ? "infinite" : "before 1900 or after 2299", err);
    us += PGC_PG_EPOCH_US;
    put(out, &us, 8);
    return 0;
}

/* ---- texts */

void pgc_clickhouse_encode_count(uint64_t count, pgc_buffer *out)
{
    uint8_t bytes[10];
    size_t length = 0;
    while (count >= 0x80) {
        bytes[length++] = (uint8_t)(count | 0x80);
        count >>= 7;
    }
    bytes[length++] = (uint8_t)count;
    put(out, bytes, length);
}

void pgc_clickhouse_encode_text(const char *text, size_t length, pgc_buffer *out)
{
    pgc_clickhouse_encode_count(length, out);
    put(out, text, length);
}

static int encode_characters(const pgc_clickhouse_type *type, const pgconvoy_value *value, pgc_buffer *out,
                             pgconvoy_error *err)
{
    const char *text;
    size_t length;
    if (pgc_value_characters(type->source, value, &text, &length, err) != 0)
        return -1;
    if (type->kind == PGC_CLICKHOUSE_JSON) {
        size_t at = 0;
        while (at < length && strchr(" \t\r\n", text[at]))
            at++;
        if (at == length || text[at] != '{')
            return cannot_hold(type, "no object", err);
    }
    pgc_clickhouse_encode_text(text, length, out);
    return 0;
}

static int encode_as_text(pgc_clickhouse_encoder *encoder, const pgc_clickhouse_type *type, const pgconvoy_value *value,
                          pgc_buffer *out, pgconvoy_error *err)
{
    if (value->format == PGCONVOY_TEXT) {
        pgc_clickhouse_encode_text(value->data, (size_t)value->length, out);
        return 0;
    }
    pgc_buffer_reset(&encoder->scratch);
    if (pgc_value_to_text(type->source, value, &encoder->scratch, err) != 0)
        return -1;
    pgc_clickhouse_encode_text(encoder->scratch.length > 0 ? encoder->scratch.data : "", encoder->scratch.length, out);
    return pgc_buffer_check(&encoder->scratch, err);
}

static int encode_bytes(pgc_clickhouse_encoder *encoder, const pgconvoy_value *value, pgc_buffer *out,
                        pgconvoy_error *err)
{
    const uint8_t *bytes;
    size_t length;
    if (pgc_value_bytea(value, &encoder->scratch, &bytes, &length, err) != 0)
        return -1;
    pgc_clickhouse_encode_text((const char *)bytes, length, out);
    return 0;
}

static int encode_uuid(const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err)
{
    uint8_t bytes[16];
    uint64_t halves[2];
    if (pgc_value_uuid(value, bytes, err) != 0)
        return -1;
    memcpy(halves, bytes, 16);
    halves[0] = be64toh(halves[0]); /* two numbers, the high one first */
    halves[1] = be64toh(halves[1]);
    put(out, halves, 16);
    return 0;
}

static int encode_label(const pgc_clickhouse_type *type, const pgconvoy_value *value, pgc_buffer *out,
                        pgconvoy_error *err)
{
    int low = 0, high = type->label_count;
    size_t length = (size_t)value->length;
    while (low < high) {
        int middle = (low + high) / 2;
        const pgc_clickhouse_label *label = &type->labels[middle];
        int order = strncmp(label->text, value->data, length);
        if (order == 0 && label->text[length] != '\0')
            order = 1;
        if (order == 0) {
            int16_t number = (int16_t)label->number;
            put(out, &number, type->width);
            return 0;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "enum %s has no label \"%.*s\" here", type->source->name,
                       (int)(length > 63 ? 63 : length), value->data);
    pgconvoy_error_hint(err, "the label is newer than this run: it will be known to the next attempt");
    pgconvoy_error_retriable(err, true);
    return -1;
}

/* ---- arrays */

static int read_array(pgc_clickhouse_encoder *encoder, const pgc_clickhouse_type *type, const pgconvoy_value *value,
                      pgc_array *array, pgconvoy_error *err)
{
    pgc_arena_reset(encoder->arena);
    if (pgc_value_array(type->source, value, encoder->arena, array, err) != 0)
        return -1;
    if (array->dimensions > 1)
        return cannot_hold(type, "of several dimensions", err);
    if (array->dimensions == 1 && array->lower_bound[0] != 1)
        return cannot_hold(type, "of another lower bound than 1", err);
    return 0;
}

static int encode_array(pgc_clickhouse_encoder *encoder, const pgc_clickhouse_type *type, const pgconvoy_value *value,
                        pgc_buffer *out, pgconvoy_error *err)
{
    pgc_array array;
    int failed = read_array(encoder, type, value, &array, err);
    if (failed)
        return failed;
    pgc_clickhouse_encode_count((uint64_t)array.count, out);
    for (int64_t i = 0; i < array.count; i++) {
        const pgconvoy_value *element = &array.elements[i];
        pgc_buffer_byte(out, element->length < 0);
        int result = element->length < 0 ? 0 : pgc_clickhouse_encode(encoder, type->element, element, out, err);
        if (result != 0)
            return result;
    }
    return 0;
}

static int encode_vector(pgc_clickhouse_encoder *encoder, const pgconvoy_value *value, pgc_buffer *out,
                         pgconvoy_error *err)
{
    float *floats;
    int count;
    pgc_arena_reset(encoder->arena);
    if (pgc_value_vector(value, encoder->arena, &floats, &count, err) != 0)
        return -1;
    pgc_clickhouse_encode_count((uint64_t)count, out);
    put(out, floats, (size_t)count * sizeof *floats);
    return 0;
}

int pgc_clickhouse_encode_elements(pgc_clickhouse_encoder *encoder, const pgc_clickhouse_type *type,
                                   const pgconvoy_value *value, uint64_t *count, pgc_buffer *nulls, pgc_buffer *out,
                                   pgconvoy_error *err)
{
    pgc_array array;
    int result;
    if (type->kind == PGC_CLICKHOUSE_VECTOR) {
        float *floats;
        int dimensions;
        pgc_arena_reset(encoder->arena);
        if (pgc_value_vector(value, encoder->arena, &floats, &dimensions, err) != 0)
            return -1;
        *count = (uint64_t)dimensions;
        put(out, floats, (size_t)dimensions * sizeof *floats);
        return 0;
    }
    if ((result = read_array(encoder, type, value, &array, err)) != 0)
        return result;
    *count = (uint64_t)array.count;
    for (int64_t i = 0; result == 0 && i < array.count; i++) {
        const pgconvoy_value *element = &array.elements[i];
        pgc_buffer_byte(nulls, element->length < 0);
        if (element->length < 0)
            pgc_clickhouse_encode_zero(type->element, out);
        else
            result = pgc_clickhouse_encode(encoder, type->element, element, out, err);
    }
    return result;
}

int pgc_clickhouse_encode(pgc_clickhouse_encoder *encoder, const pgc_clickhouse_type *type, const pgconvoy_value *value,
                          pgc_buffer *out, pgconvoy_error *err)
{
    switch (type->kind) {
    case PGC_CLICKHOUSE_BOOL:
    case PGC_CLICKHOUSE_UINT8:
        return encode_bool(value, out, err);
    case PGC_CLICKHOUSE_INT16:
        return encode_integer(type, value, 2, out, err);
    case PGC_CLICKHOUSE_INT32:
    case PGC_CLICKHOUSE_UINT32:
        return encode_integer(type, value, 4, out, err);
    case PGC_CLICKHOUSE_INT64:
    case PGC_CLICKHOUSE_UINT64:
        return encode_integer(type, value, 8, out, err);
    case PGC_CLICKHOUSE_FLOAT32:
    case PGC_CLICKHOUSE_FLOAT64:
        return encode_float(type, value, out, err);
    case PGC_CLICKHOUSE_DECIMAL:
        return encode_decimal(encoder, type, value, out, err);
    case PGC_CLICKHOUSE_DATE32:
        return encode_date(type, value, out, err);
    case PGC_CLICKHOUSE_DATETIME64:
        return encode_timestamp(type, value, out, err);
    case PGC_CLICKHOUSE_UUID:
        return encode_uuid(value, out, err);
    case PGC_CLICKHOUSE_ENUM:
        return encode_label(type, value, out, err);
    case PGC_CLICKHOUSE_ARRAY:
        return encode_array(encoder, type, value, out, err);
    case PGC_CLICKHOUSE_VECTOR:
        return encode_vector(encoder, value, out, err);
    case PGC_CLICKHOUSE_BYTES:
        return encode_bytes(encoder, value, out, err);
    case PGC_CLICKHOUSE_CHARACTERS:
    case PGC_CLICKHOUSE_JSON:
        return encode_characters(type, value, out, err);
    default:
        return encode_as_text(encoder, type, value, out, err);
    }
}

void pgc_clickhouse_encode_zero(const pgc_clickhouse_type *type, pgc_buffer *out)
{
    static const char zeros[32];
    size_t width = 1; /* an empty text or array is a count of 0; so are the numbers of one byte */
    switch (type->kind) {
    case PGC_CLICKHOUSE_INT16:
        width = 2;
        break;
    case PGC_CLICKHOUSE_INT32:
    case PGC_CLICKHOUSE_UINT32:
    case PGC_CLICKHOUSE_FLOAT32:
    case PGC_CLICKHOUSE_DATE32:
        width = 4;
        break;
    case PGC_CLICKHOUSE_INT64:
    case PGC_CLICKHOUSE_UINT64:
    case PGC_CLICKHOUSE_FLOAT64:
    case PGC_CLICKHOUSE_DATETIME64:
        width = 8;
        break;
    case PGC_CLICKHOUSE_DECIMAL:
        width = decimal_bytes(type->width);
        break;
    case PGC_CLICKHOUSE_UUID:
        width = 16;
        break;
    default:
        break;
    }
    if (type->kind == PGC_CLICKHOUSE_JSON) {
        pgc_clickhouse_encode_text("{}", 2, out);
    } else if (type->kind == PGC_CLICKHOUSE_ENUM) { /* there is no label of number 0 */
        int16_t number = (int16_t)type->labels[0].number;
        put(out, &number, type->width);
    } else {
        put(out, zeros, width);
    }
}

void pgc_clickhouse_encode_default(const pgc_clickhouse_type *type, pgc_buffer *out)
{
    if (type->nullable)
        pgc_buffer_byte(out, 1);
    else
        pgc_clickhouse_encode_zero(type, out);
}
