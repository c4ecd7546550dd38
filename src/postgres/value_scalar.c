/*
 * Values of one piece: booleans, integers, identifiers, bytes and bits. Binary forms are big-endian integers of fixed
 * width (PostgreSQL manual, section 55.7 on Int16 … and the types' send functions); text forms are those of chapter 8.
 */
#include "postgres/value_internal.h"

/* ------------------------------------------------------------ text of numbers */

/* How many decimal digits v has: estimated from its bits, which is at most one too many. */
static int digit_count(uint64_t v)
{
    /* clang-format off */
    static const uint64_t ten_to[] = {
        0, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000, 10000000000, 100000000000,
        1000000000000, 10000000000000, 100000000000000, 1000000000000000, 10000000000000000, 100000000000000000,
        1000000000000000000, 10000000000000000000u};
    /* clang-format on */
    int estimate = (64 - __builtin_clzll(v | 1)) * 1233 >> 12; /* 1233 / 4096 is log10(2) */
    return estimate + (v >= ten_to[estimate]);
}

char *pgc_put_uint64(char *p, uint64_t v)
{
    static const char pairs[] =
        "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748"
        "49505152535455565758596061626364656667686970717273747576777879808182838485868788899091929394959697"
        "9899";
    int count = v < 10 ? 1 : digit_count(v);
    char *end = p + count, *to = end;
    for (; v >= 100; v /= 100)
        memcpy(to -= 2, pairs + 2 * (v % 100), 2);
    if (v >= 10)
        memcpy(to - 2, pairs + 2 * v, 2);
    else
        to[-1] = (char)('0' + v);
    return end;
}

char *pgc_put_int64(char *p, int64_t v)
{
    if (v >= 0)
        return pgc_put_uint64(p, (uint64_t)v);
    *p++ = '-';
    return pgc_put_uint64(p, 0 - (uint64_t)v);
}

const char *pgc_read_digits(const char *p, const char *end, int most, int64_t *out)
{
    int64_t v = 0;
    int n = 0;
    for (; p < end && *p >= '0' && *p <= '9'; p++, n++) {
        if (n == most)
            return NULL;
        v = v * 10 + (*p - '0');
    }
    *out = v;
    return n > 0 ? p : NULL;
}

bool pgc_read_int64(const char *text, size_t length, int64_t *out)
{
    const char *p = text, *end = text + length;
    bool negative = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+'))
        p++;
    if (p == end)
        return false;
    int64_t v = 0; /* gathered below zero, where there is room for the smallest */
    for (; p < end; p++) {
        if (*p < '0' || *p > '9' || __builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, *p - '0', &v))
            return false;
    }
    if (!negative && v == INT64_MIN)
        return false;
    *out = negative ? v : -v;
    return true;
}

int pgc_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static char *put_hex(char *p, const uint8_t *bytes, size_t length)
{
    static const char digit[16] = "0123456789abcdef";
    for (size_t i = 0; i < length; i++) {
        *p++ = digit[bytes[i] >> 4];
        *p++ = digit[bytes[i] & 15];
    }
    return p;
}

/* ------------------------------------------------------------------- booleans */

int pgc_value_bool(const pgconvoy_value *value, bool *out, pgconvoy_error *err)
{
    if (pgc_value_present(value, "bool", err))
        return -1;
    const char *p = value->data;
    size_t length = (size_t)value->length;
    if (value->format == PGCONVOY_BINARY) {
        if (length != 1)
            return pgc_value_malformed(err, "bool", "its binary form must have 1 byte");
        *out = p[0] != 0;
        return 0;
    }
    if (pgc_text_is(p, length, "t") || pgc_text_is(p, length, "true"))
        *out = true;
    else if (pgc_text_is(p, length, "f") || pgc_text_is(p, length, "false"))
        *out = false;
    else
        return pgc_value_malformed(err, "bool", "neither t nor f");
    return 0;
}

int pgc_write_bool(const pgconvoy_type *type, const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err)
{
    (void)type;
    bool truth;
    if (pgc_value_bool(value, &truth, err))
        return -1;
    pgc_buffer_byte(out, truth ? 't' : 'f');
    return 0;
}

/* ------------------------------------------------------------------- integers */

static bool is_unsigned(uint32_t oid)
{
    return oid == PGC_OID || oid == PGC_XID || oid == PGC_CID || oid == PGC_XID8;
}

int pgc_value_int64(const pgconvoy_type *type, const pgconvoy_value *value, int64_t *out, pgconvoy_error *err)
{
    type = pgc_type_base(type);
    if (pgc_value_present(value, pgc_type_label(type), err))
        return -1;
    const uint8_t *p = (const uint8_t *)value->data;
    if (value->format == PGCONVOY_TEXT) {
        if (!pgc_read_int64(value->data, (size_t)value->length, out))
            return pgc_value_malformed(err, pgc_type_label(type), "not a whole number of 64 bits");
        return 0;
    }
    switch (value->length) {
    case 2:
        *out = (int16_t)pgc_load16(p);
        return 0;
    case 4:
        *out = is_unsigned(type->oid) ? (int64_t)pgc_load32(p) : (int64_t)(int32_t)pgc_load32(p);
        return 0;
    case 8:
        *out = (int64_t)pgc_load64(p);
        if (*out < 0 && is_unsigned(type->oid))
            return pgc_value_malformed(err, pgc_type_label(type), "above 2^63");
        return 0;
    default:
        return pgc_value_malformed(err, pgc_type_label(type), "its binary form must have 2, 4 or 8 bytes");
    }
}

int pgc_write_int(const pgconvoy_type *type, const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err)
{
    int64_t v;
    if (pgc_value_int64(type, value, &v, err))
        return -1;
    char *p = pgc_room(out, PGC_INT64_TEXT_SIZE);
    if (p)
        pgc_wrote(out, pgc_put_int64(p, v));
    return 0;
}

int pgc_write_unsigned(const pgconvoy_type *type, const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err)
{
    if (value->length != (type->oid == PGC_XID8 ? 8 : 4))
        return pgc_value_malformed(err, pgc_type_label(type), "its binary form has not the right length");
    const uint8_t *bytes = (const uint8_t *)value->data;
    char *p = pgc_room(out, PGC_INT64_TEXT_SIZE);
    if (p)
        pgc_wrote(out, pgc_put_uint64(p, value->length == 8 ? pgc_load64(bytes) : pgc_load32(bytes)));
    return 0;
}

/* A row's place: "(block,offset)". */
int pgc_write_tid(const pgconvoy_type *type, const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err)
{
    (void)type;
    if (value->length != 6)
        return pgc_value_malformed(err, "tid", "its binary form must have 6 bytes");
    const uint8_t *bytes = (const uint8_t *)value->data;
    char *p = pgc_room(out, 2 * PGC_INT64_TEXT_SIZE);
    if (!p)
        return 0;
    *p++ = '(';
    p = pgc_put_uint64(p, pgc_load32(bytes));
    *p++ = ',';
    p = pgc_put_uint64(p, pgc_load16(bytes + 4));
    *p++ = ')';
    pgc_wrote(out, p);
    return 0;
}

int pgc_write_lsn(const pgconvoy_type *type, const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err)
{
    (void)type;
    if (value->length != 8)
        return pgc_value_malformed(err, "pg_lsn", "its binary form must have 8 bytes");
    char text[PGCONVOY_LSN_TEXT_SIZE];
    pgc_buffer_text(out, pgconvoy_lsn_to_text(pgc_load64((const uint8_t *)value->data), text));
    return 0;
}

/* pg_snapshot: a count, xmin, xmax and so many transactions in progress; "xmin:xmax:xip,xip". */
int pgc_write_snapshot(const pgconvoy_type *type, const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err)
{
    pgc_bytes b = pgc_bytes_of(value);
    uint32_t count;
    uint64_t xmin, xmax;
    if (!pgc_take32(&b, &count) || !pgc_take64(&b, &xmin) || !pgc_take64(&b, &xmax) || count > pgc_left(&b) / 8 ||
        pgc_left(&b) != (size_t)count * 8)
        return pgc_value_malformed(err, pgc_type_label(type), "its parts do not fill its length");
    char *p = pgc_room(out, ((size_t)count + 2) * PGC_INT64_TEXT_SIZE);
    if (!p)
        return 0;
    p = pgc_put_uint64(p, xmin);
    *p++ = ':';
    p = pgc_put_uint64(p, xmax);
    *p++ = ':';
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0)
            *p++ = ',';
        p = pgc_put_uint64(p, pgc_load64(b.at + 8 * (size_t)i));
    }
    pgc_wrote(out, p);
    return 0;
}

/* ------------------------------------------------------------------ identifiers */

int pgc_value_uuid(const pgconvoy_value *value, uint8_t out[16], pgconvoy_error *err)
{
    if (pgc_value_present(value, "uuid", err))
        return -1;
    if (value->format == PGCONVOY_BINARY) {
        if (value->length != 16)
            return pgc_value_malformed(err, "uuid", "its binary form must have 16 bytes");
        memcpy(out, value->data, 16);
        return 0;
    }
    if (value->length != 36)
        return pgc_value_malformed(err, "uuid", "its text form must have 36 characters");
    const char *p = value->data;
    for (int i = 0; i < 16; i++) {
        if ((i == 4 || i == 6 || i == 8 || i == 10) && *p++ != '-')
            return pgc_value_malformed(err, "uuid", "a hyphen is missing");
        int high = pgc_hex_digit(p[0]), low = pgc_hex_digit(p[1]);
        if (high < 0 || low < 0)
            return pgc_value_malformed(err, "uuid", "not hexadecimal");
        out[i] = (uint8_t)(high << 4 | low);
        p += 2;
    }
    return 0;
}

int pgc_write_uuid(const pgconvoy_type *type, const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err)
{
    (void)type;
    if (value->length != 16)
        return pgc_value_malformed(err, "uuid", "its binary form must have 16 bytes");
    const uint8_t *bytes = (const uint8_t *)value->data;
    char *p = pgc_room(out, 36);
    if (!p)
        return 0;
    static const uint8_t group[5] = {4, 2, 2, 2, 6};
    for (int i = 0; i < 5; bytes += group[i++]) {
        if (i > 0)
            *p++ = '-';
        p = put_hex(p, bytes, group[i]);
    }
    pgc_wrote(out, p);
    return 0;
}

/* ---------------------------------------------------------------------- bytes */

int pgc_write_bytea(const pgconvoy_type *type, const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err)
{
    (void)type;
    (void)err;
    char *p = pgc_room(out, 2 + 2 * (size_t)value->length);
    if (!p)
        return 0;
    *p++ = '\\';
    *p++ = 'x';
    pgc_wrote(out, put_hex(p, (const uint8_t *)value->data, (size_t)value->length));
    return 0;
}

/* bytea_output = escape, which a server may have been set to: \\ and \ooo. */
static bool read_escaped_bytes(const char *p, const char *end, pgc_buffer *out)
{
    while (p < end) {
        if (*p != '\\') {
            pgc_buffer_byte(out, *p++);
        } else if (end - p >= 2 && p[1] == '\\') {
            pgc_buffer_byte(out, '\\');
            p += 2;
        } else if (end - p >= 4 && p[1] >= '0' && p[1] <= '3' && p[2] >= '0' && p[2] <= '7' && p[3] >= '0' &&
                   p[3] <= '7') {
            pgc_buffer_byte(out, (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0')));
            p += 4;
        } else
            return false;
    }
    return true;
}

int pgc_value_bytea(const pgconvoy_value *value, pgc_buffer *scratch, const uint8_t **bytes, size_t *length,
                    pgconvoy_error *err)
{
    if (pgc_value_present(value, "bytea", err))
        return -1;
    if (value->format == PGCONVOY_BINARY) {
        *bytes = (const uint8_t *)value->data;
        *length = (size_t)value->length;
        return 0;
    }
    pgc_buffer_reset(scratch);
    const char *p = value->data, *end = p + value->length;
    if (value->length >= 2 && p[0] == '\\' && p[1] == 'x') {
        p += 2;
        if ((end - p) % 2 != 0)
            return pgc_value_malformed(err, "bytea", "an odd number of hexadecimal digits");
        char *to = pgc_room(scratch, (size_t)(end - p) / 2);
        if (!to)
            return pgc_buffer_check(scratch, err);
        for (; p < end; p += 2) {
            int high = pgc_hex_digit(p[0]), low = pgc_hex_digit(p[1]);
            if (high < 0 || low < 0)
                return pgc_value_malformed(err, "bytea", "not hexadecimal");
            *to++ = (char)(high << 4 | low);
        }
        pgc_wrote(scratch, to);
    } else if (!read_escaped_bytes(p, end, scratch))
        return pgc_value_malformed(err, "bytea", "neither the hex nor the escape format");
    if (pgc_buffer_check(scratch, err))
        return -1;
    *bytes = (const uint8_t *)scratch->data;
    *length = scratch->length;
    return 0;
}

/* ----------------------------------------------------------------------- bits */

/* Binary: the number of bits, then the bits from the highest of the first byte on. */
int pgc_write_bits(const pgconvoy_type *type, const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err)
{
    (void)type;
    pgc_bytes b = pgc_bytes_of(value);
    int32_t count;
    if (!pgc_take_int32(&b, &count) || count < 0 || pgc_left(&b) != ((size_t)count + 7) / 8)
        return pgc_value_malformed(err, "bit", "its bits do not fill its length");
    char *p = pgc_room(out, (size_t)count);
    if (!p)
        return 0;
    for (int32_t i = 0; i < count; i++)
        *p++ = (char)('0' + (b.at[i / 8] >> (7 - i % 8) & 1));
    pgc_wrote(out, p);
    return 0;
}

int pgc_value_bits(const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err)
{
    if (pgc_value_present(value, "bit", err))
        return -1;
    if (value->format == PGCONVOY_BINARY) {
        if (pgc_write_bits(NULL, value, out, err))
            return -1;
        return pgc_buffer_check(out, err);
    }
    for (int32_t i = 0; i < value->length; i++)
        if (value->data[i] != '0' && value->data[i] != '1')
            return pgc_value_malformed(err, "bit", "a character that is neither 0 nor 1");
    pgc_buffer_append(out, value->data, (size_t)value->length);
    return pgc_buffer_check(out, err);
}
