/*
 * Types of extensions, known by extension and name: pgvector's vector, halfvec and sparsevec, hstore, ltree's three,
 * citext. Their binary forms are those of the extensions' send functions.
 */
#include "postgres/value_internal.h"

#include "base/arena.h"

/* ------------------------------------------------------------------- pgvector */

/* vector and halfvec: number of dimensions, an unused word, the numbers. */
static int take_vector(const pgconvoy_value *value, const char *label, size_t width, pgc_bytes *b, int *count,
                       pgconvoy_error *err)
{
    *b = pgc_bytes_of(value);
    uint16_t dimensions, unused;
    if (!pgc_take16(b, &dimensions) || !pgc_take16(b, &unused) || pgc_left(b) != dimensions * width)
        return pgc_value_malformed(err, label, "its numbers do not fill its length");
    *count = dimensions;
    return 0;
}

/* IEEE 754 binary16 to binary32, which holds all of its values. */
static float float_of_half(unsigned half)
{
    unsigned sign = half >> 15, exponent = half >> 10 & 31, fraction = half & 1023;
    float magnitude;
    if (exponent == 31)
        magnitude = pgc_float_of_bits(0x7F800000u | (uint32_t)fraction << 13);
    else if (exponent == 0)
        magnitude = (float)fraction * 0x1p-24f;
    else
        magnitude = pgc_float_of_bits((uint32_t)(exponent + 112) << 23 | (uint32_t)fraction << 13);
    return sign ? -magnitude : magnitude;
}

static int write_numbers(const pgconvoy_type *type, const pgconvoy_value *value, size_t width, pgc_buffer *out,
                         pgconvoy_error *err)
{
    pgc_bytes b;
    int count;
    if (take_vector(value, pgc_type_label(type), width, &b, &count, err))
        return -1;
    char *p = pgc_room(out, (size_t)count * (PGC_FLOAT_TEXT_SIZE + 1) + 2);
    if (!p)
        return 0;
    *p++ = '[';
    for (int i = 0; i < count; i++, b.at += width) {
        if (i > 0)
            *p++ = ',';
        p = pgc_put_float4(p, width == 4 ? pgc_float_of_bits(pgc_load32(b.at)) : float_of_half(pgc_load16(b.at)));
    }
    *p++ = ']';
    pgc_wrote(out, p);
    return 0;
}

static int write_vector(const pgconvoy_type *type, const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err)
{
    return write_numbers(type, value, 4, out, err);
}

static int write_halfvec(const pgconvoy_type *type, const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err)
{
    return write_numbers(type, value, 2, out, err);
}

/* Dimensions, number of entries, an unused word, all indexes (from 0; from 1 in text), all numbers. */
static int write_sparsevec(const pgconvoy_type *type, const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err)
{
    pgc_bytes b = pgc_bytes_of(value);
    int32_t dimensions, unused;
    uint32_t count;
    if (!pgc_take_int32(&b, &dimensions) || !pgc_take32(&b, &count) || !pgc_take_int32(&b, &unused) ||
        count > pgc_left(&b) / 8 || pgc_left(&b) != (size_t)count * 8)
        return pgc_value_malformed(err, pgc_type_label(type), "its entries do not fill its length");
    char *p = pgc_room(out, (size_t)count * (PGC_FLOAT_TEXT_SIZE + PGC_INT64_TEXT_SIZE + 2) + PGC_INT64_TEXT_SIZE + 3);
    if (!p)
        return 0;
    *p++ = '{';
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0)
            *p++ = ',';
        p = pgc_put_int64(p, (int64_t)(int32_t)pgc_load32(b.at + 4 * (size_t)i) + 1);
        *p++ = ':';
        p = pgc_put_float4(p, pgc_float_of_bits(pgc_load32(b.at + 4 * ((size_t)count + i))));
    }
    *p++ = '}';
    *p++ = '/';
    pgc_wrote(out, pgc_put_int64(p, dimensions));
    return 0;
}

static int read_vector_text(const char *p, const char *end, float *floats, int *count)
{
    *count = 0;
    if (end - p < 2 || *p++ != '[' || *--end != ']')
        return -1;
    while (p < end) {
        const char *comma = memchr(p, ',', (size_t)(end - p));
        const char *stop = comma ? comma : end;
        double number;
        if (!pgc_read_double(p, (size_t)(stop - p), &number) || (comma && comma + 1 == end))
            return -1;
        floats[(*count)++] = (float)number;
        p = comma ? comma + 1 : end;
    }
    return 0;
}

int pgc_value_vector(const pgconvoy_value *value, pgc_arena *arena, float **floats, int *count, pgconvoy_error *err)
{
    if (pgc_value_present(value, "vector", err))
        return -1;
    pgc_bytes b = pgc_bytes_of(value);
    int most = value->length / 2 + 1; /* each number of the text has a comma or bracket behind it */
    if (value->format == PGCONVOY_BINARY) {
        if (take_vector(value, "vector", 4, &b, count, err))
            return -1;
        most = *count;
    }
    *floats = pgc_arena_alloc(arena, (size_t)most * sizeof **floats);
    if (!*floats)
        return pgc_error_out_of_memory(err);
    if (value->format == PGCONVOY_TEXT) {
        if (read_vector_text(value->data, value->data + value->length, *floats, count))
            return pgc_value_malformed(err, "vector", "not numbers in brackets");
        return 0;
    }
    for (int i = 0; i < *count; i++)
        (*floats)[i] = pgc_float_of_bits(pgc_load32(b.at + 4 * (size_t)i));
    return 0;
}

/* --------------------------------------------------------------------- hstore */

static void write_quoted(const pgconvoy_value *text, pgc_buffer *out)
{
    char *p = pgc_room(out, 2 * (size_t)text->length + 2);
    if (!p)
        return;
    *p++ = '"';
    for (int32_t i = 0; i < text->length; i++) {
        if (text->data[i] == '"' || text->data[i] == '\\')
            *p++ = '\\';
        *p++ = text->data[i];
    }
    *p++ = '"';
    pgc_wrote(out, p);
}

/* Binary: the number of pairs, then keys and values with their lengths. */
static int write_hstore(const pgconvoy_type *type, const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err)
{
    pgc_bytes b = pgc_bytes_of(value);
    uint32_t count;
    if (!pgc_take32(&b, &count))
        return pgc_value_malformed(err, pgc_type_label(type), "its binary form is too short");
    for (uint32_t i = 0; i < count; i++) {
        pgconvoy_value key, item;
        if (!pgc_take_value(&b, &key) || key.length < 0 || !pgc_take_value(&b, &item))
            return pgc_value_malformed(err, pgc_type_label(type), "it ends within a pair");
        if (i > 0)
            pgc_buffer_append(out, ", ", 2);
        write_quoted(&key, out);
        pgc_buffer_append(out, "=>", 2);
        if (item.length == PGCONVOY_NULL)
            pgc_buffer_append(out, "NULL", 4);
        else
            write_quoted(&item, out);
    }
    return pgc_left(&b) == 0 ? 0 : pgc_value_malformed(err, pgc_type_label(type), "bytes behind its last pair");
}

/* ------------------------------------------------------------------- the table */

pgc_text_writer *pgc_extension_writer_of(const pgconvoy_type *type)
{
    static const struct {
        const char *extension, *name;
        pgc_text_writer *writer;
    } known[] = {
        {"vector", "vector", write_vector},         {"vector", "halfvec", write_halfvec},
        {"vector", "sparsevec", write_sparsevec},   {"hstore", "hstore", write_hstore},
        {"citext", "citext", pgc_write_characters}, {"ltree", "ltree", pgc_write_versioned},
        {"ltree", "lquery", pgc_write_versioned},   {"ltree", "ltxtquery", pgc_write_versioned},
    };
    for (size_t i = 0; type->name && i < sizeof known / sizeof *known; i++)
        if (strcmp(type->name, known[i].name) == 0 && strcmp(type->extension, known[i].extension) == 0)
            return known[i].writer;
    return NULL;
}
