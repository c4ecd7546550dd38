/*
 * Geometric types: all are float8 numbers in a row (point_send, lseg_send, …), path and polygon with the number of
 * their points before them. Text forms: PostgreSQL manual, section 8.8.
 */
#include "postgres/value_internal.h"

static char *put_number(char *p, const uint8_t *bytes)
{
    return pgc_put_float8(p, pgc_double_of_bits(pgc_load64(bytes)));
}

#define POINT_BYTES 16
#define POINT_TEXT_SIZE (2 * PGC_FLOAT_TEXT_SIZE + 4)

static char *put_point(char *p, const uint8_t *bytes)
{
    *p++ = '(';
    p = put_number(p, bytes);
    *p++ = ',';
    p = put_number(p, bytes + 8);
    *p++ = ')';
    return p;
}

/* Points with commas between, inside opening and closing (0: none). */
static void write_points(const uint8_t *bytes, size_t count, char opening, char closing, pgc_buffer *out)
{
    char *p = pgc_room(out, count * POINT_TEXT_SIZE + 2);
    if (!p)
        return;
    if (opening)
        *p++ = opening;
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            *p++ = ',';
        p = put_point(p, bytes + i * POINT_BYTES);
    }
    if (closing)
        *p++ = closing;
    pgc_wrote(out, p);
}

static int write_fixed(const pgconvoy_type *type, const pgconvoy_value *value, int count, char opening, char closing,
                       pgc_buffer *out, pgconvoy_error *err)
{
    if (value->length != count * POINT_BYTES)
        return pgc_value_malformed(err, pgc_type_label(type), "its binary form has not the right length");
    write_points((const uint8_t *)value->data, (size_t)count, opening, closing, out);
    return 0;
}

int pgc_write_point(const pgconvoy_type *type, const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err)
{
    return write_fixed(type, value, 1, 0, 0, out, err);
}

int pgc_write_lseg(const pgconvoy_type *type, const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err)
{
    return write_fixed(type, value, 2, '[', ']', out, err);
}

int pgc_write_box(const pgconvoy_type *type, const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err)
{
    return write_fixed(type, value, 2, 0, 0, out, err);
}

/* The count of points that b starts with, if the points fill the rest. */
static int take_count(const pgconvoy_type *type, pgc_bytes *b, size_t *count, pgconvoy_error *err)
{
    uint32_t n;
    if (!pgc_take32(b, &n) || n > pgc_left(b) / POINT_BYTES || pgc_left(b) != (size_t)n * POINT_BYTES)
        return pgc_value_malformed(err, pgc_type_label(type), "its points do not fill its length");
    *count = n;
    return 0;
}

int pgc_write_path(const pgconvoy_type *type, const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err)
{
    pgc_bytes b = pgc_bytes_of(value);
    uint8_t closed;
    size_t count;
    if (!pgc_take8(&b, &closed))
        return pgc_value_malformed(err, pgc_type_label(type), "it is empty");
    if (take_count(type, &b, &count, err))
        return -1;
    write_points(b.at, count, closed ? '(' : '[', closed ? ')' : ']', out);
    return 0;
}

int pgc_write_polygon(const pgconvoy_type *type, const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err)
{
    pgc_bytes b = pgc_bytes_of(value);
    size_t count;
    if (take_count(type, &b, &count, err))
        return -1;
    write_points(b.at, count, '(', ')', out);
    return 0;
}

/* {A,B,C} of Ax + By + C = 0. */
int pgc_write_line(const pgconvoy_type *type, const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err)
{
    if (value->length != 24)
        return pgc_value_malformed(err, pgc_type_label(type), "its binary form must have 24 bytes");
    char *p = pgc_room(out, 3 * PGC_FLOAT_TEXT_SIZE + 4);
    if (!p)
        return 0;
    for (int i = 0; i < 3; i++) {
        *p++ = i == 0 ? '{' : ',';
        p = put_number(p, (const uint8_t *)value->data + 8 * i);
    }
    *p++ = '}';
    pgc_wrote(out, p);
    return 0;
}

int pgc_write_circle(const pgconvoy_type *type, const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err)
{
    if (value->length != 24)
        return pgc_value_malformed(err, pgc_type_label(type), "its binary form must have 24 bytes");
    char *p = pgc_room(out, POINT_TEXT_SIZE + PGC_FLOAT_TEXT_SIZE + 3);
    if (!p)
        return 0;
    *p++ = '<';
    p = put_point(p, (const uint8_t *)value->data);
    *p++ = ',';
    p = put_number(p, (const uint8_t *)value->data + POINT_BYTES);
    *p++ = '>';
    pgc_wrote(out, p);
    return 0;
}
