/*
 * What the files of value*.c share, and nobody else: bounded reading of network-order bytes, writing of digits into a
 * buffer, the one sentence for malformed values, and the functions that write one type's binary form as text.
 */
#ifndef PGC_POSTGRES_VALUE_INTERNAL_H
#define PGC_POSTGRES_VALUE_INTERNAL_H

#include "postgres/value.h"

/* ------------------------------------------------------------ reading bytes */

static inline uint16_t pgc_load16(const uint8_t *p)
{
    return (uint16_t)((unsigned)p[0] << 8 | p[1]);
}

static inline uint32_t pgc_load32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    v = __builtin_bswap32(v);
#endif
    return v;
}

static inline uint64_t pgc_load64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    return v;
}

/* Bytes not yet read. Each take is false, and reads nothing, when there are not enough. */
typedef struct pgc_bytes {
    const uint8_t *at, *end;
} pgc_bytes;

static inline size_t pgc_left(const pgc_bytes *b)
{
    return (size_t)(b->end - b->at);
}

static inline bool pgc_take8(pgc_bytes *b, uint8_t *out)
{
    if (b->at == b->end)
        return false;
    *out = *b->at++;
    return true;
}

static inline bool pgc_take16(pgc_bytes *b, uint16_t *out)
{
    if (pgc_left(b) < 2)
        return false;
    *out = pgc_load16(b->at);
    b->at += 2;
    return true;
}

static inline bool pgc_take32(pgc_bytes *b, uint32_t *out)
{
    if (pgc_left(b) < 4)
        return false;
    *out = pgc_load32(b->at);
    b->at += 4;
    return true;
}

static inline bool pgc_take64(pgc_bytes *b, uint64_t *out)
{
    if (pgc_left(b) < 8)
        return false;
    *out = pgc_load64(b->at);
    b->at += 8;
    return true;
}

static inline bool pgc_take_int32(pgc_bytes *b, int32_t *out)
{
    uint32_t v;
    if (!pgc_take32(b, &v))
        return false;
    *out = (int32_t)v;
    return true;
}

/* A length word and as many bytes, as elements of containers have them; length -1 is NULL, less than that is refused.
 */
static inline bool pgc_take_value(pgc_bytes *b, pgconvoy_value *out)
{
    int32_t length;
    if (!pgc_take_int32(b, &length) || length < -1 || (length > 0 && pgc_left(b) < (size_t)length))
        return false;
    out->length = length;
    out->format = PGCONVOY_BINARY;
    out->data = length < 0 ? NULL : (const char *)b->at;
    if (length > 0)
        b->at += length;
    return true;
}

/* A NUL-terminated string; *length without the NUL. */
static inline bool pgc_take_cstring(pgc_bytes *b, const char **text, size_t *length)
{
    const uint8_t *nul = b->at == b->end ? NULL : memchr(b->at, 0, pgc_left(b));
    if (!nul)
        return false;
    *text = (const char *)b->at;
    *length = (size_t)(nul - b->at);
    b->at = nul + 1;
    return true;
}

static inline pgc_bytes pgc_bytes_of(const pgconvoy_value *value)
{
    const uint8_t *data = (const uint8_t *)value->data;
    return (pgc_bytes){data, data + value->length};
}

/* ------------------------------------------------------------ writing text */

/* Room for at most so many bytes at the buffer's end, or NULL, and then the buffer has failed. pgc_wrote tells where it
 * ended. */
static inline char *pgc_room(pgc_buffer *out, size_t most)
{
    return pgc_buffer_reserve(out, most) ? out->data + out->length : NULL;
}

static inline void pgc_wrote(pgc_buffer *out, char *end)
{
    *end = '\0';
    out->length = (size_t)(end - out->data);
}

/* Exactly width digits, with leading zeros. */
static inline char *pgc_put_padded(char *p, uint32_t v, int width)
{
    for (int i = width - 1; i >= 0; i--, v /= 10)
        p[i] = (char)('0' + v % 10);
    return p + width;
}

static inline char *pgc_put_two(char *p, uint32_t v)
{
    p[0] = (char)('0' + v / 10);
    p[1] = (char)('0' + v % 10);
    return p + 2;
}

#define PGC_INT64_TEXT_SIZE 21
char *pgc_put_uint64(char *p, uint64_t v);
char *pgc_put_int64(char *p, int64_t v);

#define PGC_FLOAT_TEXT_SIZE 32
/* The shortest text that reads back as the same number, in the form that PostgreSQL 12 and later give it. */
char *pgc_put_float8(char *p, double v);
char *pgc_put_float4(char *p, float v);

static inline double pgc_double_of_bits(uint64_t bits)
{
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

static inline float pgc_float_of_bits(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* How a container's text form quotes its elements. */
typedef enum pgc_quoting { PGC_QUOTE_ARRAY = 1, PGC_QUOTE_COMPOSITE = 2, PGC_QUOTE_RANGE = 4 } pgc_quoting;
/* Quotes what stands in out from start on, where its container wants that. delimiter is the array's. */
void pgc_quote_element(pgc_buffer *out, size_t start, pgc_quoting quoting, char delimiter);

/* --------------------------------------------------------------- reading text */

/* Reads as many decimal digits as there are, at least one and at most most; NULL when that does not hold. */
const char *pgc_read_digits(const char *p, const char *end, int most, int64_t *out);
/* The whole of text is a decimal number with an optional sign. */
bool pgc_read_int64(const char *text, size_t length, int64_t *out);
bool pgc_read_double(const char *text, size_t length, double *out);
static inline bool pgc_text_is(const char *text, size_t length, const char *word)
{
    return length == strlen(word) && memcmp(text, word, length) == 0;
}
/* 0 to 15, or -1. */
int pgc_hex_digit(char c);

/* ------------------------------------------------------------------- errors */

void pgc_value_set_malformed(pgconvoy_error *err, const char *type_name, const char *what);
/* "malformed value of type numeric: what". Returns -1 (inline, so that the compiler knows). */
static inline int pgc_value_malformed(pgconvoy_error *err, const char *type_name, const char *what)
{
    pgc_value_set_malformed(err, type_name, what);
    return -1;
}
/* The name to call a type by in a message. */
static inline const char *pgc_type_label(const pgconvoy_type *type)
{
    return type->name ? type->name : "(unnamed type)";
}
/* A composite's value is of before its type was altered, or of after that. Returns -1. */
int pgc_composite_other_fields(const pgconvoy_type *type, pgconvoy_error *err);
void pgc_value_set_absent(const pgconvoy_value *value, const char *type_name, pgconvoy_error *err);
/* Refuses NULL and unchanged, which have no bytes to read. */
static inline int pgc_value_present(const pgconvoy_value *value, const char *type_name, pgconvoy_error *err)
{
    if (value->length >= 0)
        return 0;
    pgc_value_set_absent(value, type_name, err);
    return -1;
}

/* ------------------------------------- one type's binary form, appended as text */

/* Returns -1 for malformed bytes; a failure of out is its caller's to check. */
typedef int pgc_text_writer(const pgconvoy_type *type, const pgconvoy_value *value, pgc_buffer *out,
                            pgconvoy_error *err);

/* The writer of a type's binary form, NULL where there is none. Looks at this type only, not at what it is made of. */
pgc_text_writer *pgc_text_writer_of(const pgconvoy_type *type);
pgc_text_writer *pgc_extension_writer_of(const pgconvoy_type *type);
/* Appends a binary value, of whatever type, as text. */
int pgc_write_binary(const pgconvoy_type *type, const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err);

pgc_text_writer pgc_write_bool, pgc_write_int, pgc_write_unsigned, pgc_write_tid, pgc_write_lsn, pgc_write_uuid,
    pgc_write_bytea, pgc_write_bits, pgc_write_snapshot, pgc_write_vector_of_ints;
pgc_text_writer pgc_write_characters, pgc_write_single_char, pgc_write_versioned;
pgc_text_writer pgc_write_float4, pgc_write_float8;
pgc_text_writer pgc_write_numeric;
pgc_text_writer pgc_write_date, pgc_write_time, pgc_write_timetz, pgc_write_timestamp, pgc_write_timestamptz,
    pgc_write_interval;
pgc_text_writer pgc_write_macaddr, pgc_write_inet;
pgc_text_writer pgc_write_point, pgc_write_lseg, pgc_write_path, pgc_write_box, pgc_write_polygon, pgc_write_line,
    pgc_write_circle;
pgc_text_writer pgc_write_tsvector, pgc_write_tsquery;
pgc_text_writer pgc_write_array, pgc_write_composite, pgc_write_range, pgc_write_multirange;

/* Cuts the binary form of an array into its outline; the elements follow in *body. */
struct pgc_array;
int pgc_array_outline(const pgconvoy_type *type, const pgconvoy_value *value, uint32_t element_oid,
                      struct pgc_array *out, pgc_bytes *body, pgconvoy_error *err);
/* The text form of a container cut into values, unescaped into the arena where that is needed. */
int pgc_array_from_text(const pgconvoy_type *type, const pgconvoy_value *value, struct pgc_arena *arena,
                        struct pgc_array *out, pgconvoy_error *err);
int pgc_composite_from_text(const pgconvoy_type *type, const pgconvoy_value *value, struct pgc_arena *arena,
                            pgconvoy_value *fields, pgconvoy_error *err);

#endif
