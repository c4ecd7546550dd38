/*
 * Fuzzes the readers of values. An input is a byte that picks the type, a byte of options (bit 0 the format, bits 1-6 a
 * scale for decimals) and the value. What is binary and can be written as text must be read back from that text; every
 * byte that is handed out must be readable.
 */
#include "lib/type_zoo.h"

#include "base/arena.h"
#include "postgres/value.h"

#include <stdlib.h>

#define MUST(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct fuzz {
    pgc_arena *arena;
    int scale;
    volatile unsigned sum; /* so that every byte is really read */
} fuzz;

static void read_all(fuzz *f, const void *data, size_t length)
{
    const uint8_t *p = data;
    for (size_t i = 0; i < length; i++)
        f->sum += p[i];
}

/* All scalar readers, whatever the type: a sink may take the wrong one. */
static void read_scalars(fuzz *f, const pgconvoy_type *type, const pgconvoy_value *value)
{
    pgconvoy_error err = {0};
    bool truth;
    int32_t days, zone;
    int64_t number, us;
    double real;
    uint8_t uuid[16];
    pgc_interval interval;
    __int128 decimal;
    pgc_numeric_kind kind;
    unsigned done = 0;
    done += pgc_value_bool(value, &truth, &err) == 0;
    done += pgc_value_int64(type, value, &number, &err) == 0;
    done += pgc_value_double(value, &real, &err) == 0;
    done += pgc_value_date(value, &days, &err) == 0;
    done += pgc_value_timestamp(value, &us, &err) == 0;
    done += pgc_value_time(value, &us, &err) == 0;
    done += pgc_value_timetz(value, &us, &zone, &err) == 0;
    done += pgc_value_interval(value, &interval, &err) == 0;
    done += pgc_value_uuid(value, uuid, &err) == 0;
    if (pgc_value_decimal(value, f->scale, &decimal, &kind, &err) == 1) {
        static const __int128 ten_to_38 = (__int128)10000000000000000000u * 10000000000000000000u;
        MUST(kind == PGC_NUMERIC_FINITE && decimal < ten_to_38 && decimal > -ten_to_38);
    }
    f->sum += done;
}

static void read_bytes(fuzz *f, const pgconvoy_type *type, const pgconvoy_value *value)
{
    pgconvoy_error err = {0};
    pgc_buffer scratch;
    const uint8_t *bytes;
    const char *text;
    size_t length;
    float *floats;
    int count;
    pgc_buffer_init(&scratch, 1 << 24);
    if (pgc_value_bytea(value, &scratch, &bytes, &length, &err) == 0)
        read_all(f, bytes, length);
    pgc_buffer_reset(&scratch);
    if (pgc_value_bits(value, &scratch, &err) == 0)
        read_all(f, scratch.data, scratch.length);
    if (pgc_value_characters(type, value, &text, &length, &err) == 0)
        read_all(f, text, length);
    if (pgc_value_vector(value, f->arena, &floats, &count, &err) == 0)
        read_all(f, floats, (size_t)count * sizeof *floats);
    pgc_buffer_free(&scratch);
}

static bool read_value(fuzz *f, const pgconvoy_type *type, const pgconvoy_value *value);

/* True when the value is a container, and all in it could be read. */
static bool read_container(fuzz *f, const pgconvoy_type *type, const pgconvoy_value *value)
{
    pgconvoy_error err = {0};
    pgc_array array;
    pgconvoy_value *fields;
    if (pgc_value_array(type, value, f->arena, &array, &err) == 0) {
        int64_t product = array.dimensions > 0;
        for (int d = 0; d < array.dimensions; d++)
            product *= array.size[d];
        MUST(product == array.count && array.dimensions >= 0 && array.dimensions <= PGC_ARRAY_MAX_DIMENSIONS);
        static const pgconvoy_type int2 = {
            .oid = PGC_INT2, .name = "int2"}; /* of int2vector, which has no element in the catalog's sense */
        const pgconvoy_type *element = pgc_type_base(type)->element;
        for (int64_t i = 0; i < array.count; i++)
            if (!read_value(f, element ? element : &int2, &array.elements[i]))
                return false;
        return true;
    }
    if (pgc_value_composite(type, value, f->arena, &fields, &err) == 0) {
        for (int i = 0; i < pgc_type_base(type)->field_count; i++)
            if (!read_value(f, pgc_type_base(type)->fields[i].type, &fields[i]))
                return false;
        return true;
    }
    return false;
}

static bool read_value(fuzz *f, const pgconvoy_type *type, const pgconvoy_value *value)
{
    if (value->length == PGCONVOY_NULL) {
        MUST(!value->data);
        return true;
    }
    MUST(value->length >= 0);
    read_all(f, value->data, (size_t)value->length);
    read_scalars(f, type, value);
    read_bytes(f, type, value);
    return read_container(f, type, value);
}

/* A container that is text made by us must come apart again into as many pieces. */
static void read_back(fuzz *f, const pgconvoy_type *type, const pgconvoy_value *binary, const pgconvoy_value *text)
{
    pgconvoy_error err = {0};
    pgc_array a, b;
    pgconvoy_value *fields;
    const pgconvoy_type *base = pgc_type_base(type);
    if (pgc_value_array(type, binary, f->arena, &a, &err) == 0)
        MUST(pgc_value_array(type, text, f->arena, &b, &err) == 0 && b.count == a.count &&
             b.dimensions == a.dimensions);
    if (base->kind == PGCONVOY_TYPE_COMPOSITE)
        MUST(pgc_value_composite(type, text, f->arena, &fields, &err) == 0);
    int32_t day_a, day_b;
    int64_t us_a, us_b;
    pgc_interval interval_a, interval_b;
    if (base->oid == PGC_DATE)
        MUST(!pgc_value_date(binary, &day_a, &err) && !pgc_value_date(text, &day_b, &err) && day_a == day_b);
    if (base->oid == PGC_TIMESTAMP)
        MUST(!pgc_value_timestamp(binary, &us_a, &err) && !pgc_value_timestamp(text, &us_b, &err) && us_a == us_b);
    if (base->oid == PGC_INTERVAL)
        MUST(!pgc_value_interval(binary, &interval_a, &err) && !pgc_value_interval(text, &interval_b, &err) &&
             interval_a.us == interval_b.us && interval_a.days == interval_b.days &&
             interval_a.months == interval_b.months);
    if (base->oid == PGC_FLOAT8) {
        double x, y;
        MUST(!pgc_value_double(binary, &x, &err) && !pgc_value_double(text, &y, &err) && (x == y || x != x));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    static type_zoo zoo;
    if (zoo.count == 0)
        type_zoo_init(&zoo);
    const pgconvoy_type *type = &zoo.types[data[0] % zoo.count];
    fuzz f = {pgc_arena_new(4096), (data[1] >> 1 & 63) - 8, 0};
    pgconvoy_value value = {(const char *)data + 2, (int32_t)(size - 2), data[1] & 1 ? PGCONVOY_TEXT : PGCONVOY_BINARY};
    pgconvoy_error err = {0};
    read_value(&f, type, &value);
    pgc_buffer out;
    pgc_buffer_init(&out, 1 << 24);
    if (pgc_value_to_text(type, &value, &out, &err) == 0) {
        pgconvoy_value text = {out.data ? out.data : "", (int32_t)out.length, PGCONVOY_TEXT};
        read_value(&f, type, &text);
        if (value.format == PGCONVOY_BINARY)
            read_back(&f, type, &value, &text);
    } else
        MUST(err.code != PGCONVOY_OK && err.message[0]);
    pgc_buffer_free(&out);
    pgc_arena_free(f.arena);
    return 0;
}
