/* One value in two formats; see value_agree.h. */
#include "value_agree.h"

#include "base/arena.h"

#include <stdio.h>
#include <stdlib.h>

static bool complain(const char *what, const pgconvoy_type *type, const char *reader, const pgconvoy_error *err)
{
    fprintf(stderr, "%s (%s): %s %s\n", what, type->name, reader,
            err->message[0] ? err->message : "differs between the formats");
    return false;
}

static bool text_agrees(const char *what, const pgconvoy_type *type, const pgconvoy_value *binary,
                        const pgconvoy_value *text)
{
    pgconvoy_error err = {0};
    char *got;
    size_t length;
    if (pgconvoy_value_to_text(type, binary, &got, &length, &err))
        return complain(what, type, "to text", &err);
    bool same = length == (size_t)text->length && memcmp(got, text->data, length) == 0 && got[length] == '\0';
    if (!same)
        fprintf(stderr, "%s (%s): wanted %.*s, got %.200s\n", what, type->name, text->length < 200 ? text->length : 200,
                text->data, got);
    free(got);
    return same;
}

/* Both formats through one scalar reader, into memory that was the same before. */
#define SAME(type_of_it, call_binary, call_text)                                                                       \
    {                                                                                                                  \
        type_of_it a, b;                                                                                               \
        memset(&a, 0, sizeof a);                                                                                       \
        memset(&b, 0, sizeof b);                                                                                       \
        if (call_binary || call_text || memcmp(&a, &b, sizeof a) != 0)                                                 \
            return complain(what, type, "the reader", &err);                                                           \
        return true;                                                                                                   \
    }

static bool decimals_agree(const char *what, const pgconvoy_type *type, const pgconvoy_value *binary,
                           const pgconvoy_value *text)
{
    static const int scales[] = {0, 1, 2, 3, 4, 5, 9, 18, 38, -2, -4};
    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++) {
        pgconvoy_error err = {0};
        __int128 a = 0, b = 0;
        pgc_numeric_kind ka, kb;
        int ra = pgc_value_decimal(binary, scales[i], &a, &ka, &err),
            rb = pgc_value_decimal(text, scales[i], &b, &kb, &err);
        if (ra < 0 || ra != rb || a != b || ka != kb)
            return complain(what, type, "decimal", &err);
    }
    return true;
}

static bool characters_agree(const char *what, const pgconvoy_type *type, const pgconvoy_value *binary,
                             const pgconvoy_value *text)
{
    pgconvoy_error err = {0};
    const char *a, *b;
    size_t an, bn;
    if (pgc_value_characters(type, binary, &a, &an, &err) || pgc_value_characters(type, text, &b, &bn, &err) ||
        an != bn || memcmp(a, b, an) != 0)
        return complain(what, type, "characters", &err);
    return true;
}

static bool bytes_agree(const char *what, const pgconvoy_type *type, const pgconvoy_value *binary,
                        const pgconvoy_value *text)
{
    pgconvoy_error err = {0};
    pgc_buffer a, b;
    pgc_buffer_init(&a, 1 << 20);
    pgc_buffer_init(&b, 1 << 20);
    const uint8_t *ap = NULL, *bp = NULL;
    size_t an, bn;
    bool same;
    if (type->oid == PGC_BYTEA)
        same = !pgc_value_bytea(binary, &a, &ap, &an, &err) && !pgc_value_bytea(text, &b, &bp, &bn, &err) && an == bn &&
               (an == 0 || memcmp(ap, bp, an) == 0);
    else
        same = !pgc_value_bits(binary, &a, &err) && !pgc_value_bits(text, &b, &err) && a.length == b.length &&
               (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
    pgc_buffer_free(&a);
    pgc_buffer_free(&b);
    return same || complain(what, type, "bytes", &err);
}

static bool element_agrees(const char *what, const pgconvoy_type *type, const pgconvoy_value *binary,
                           const pgconvoy_value *text)
{
    if (binary->length < 0 || text->length < 0)
        return binary->length == text->length;
    return value_agrees(what, type, binary, text);
}

static bool arrays_agree(const char *what, const pgconvoy_type *type, const pgconvoy_value *binary,
                         const pgconvoy_value *text, pgc_arena *arena)
{
    pgconvoy_error err = {0};
    pgc_array a, b;
    if (pgc_value_array(type, binary, arena, &a, &err) || pgc_value_array(type, text, arena, &b, &err) ||
        a.dimensions != b.dimensions || a.count != b.count)
        return complain(what, type, "array", &err);
    for (int d = 0; d < a.dimensions; d++)
        if (a.size[d] != b.size[d] || a.lower_bound[d] != b.lower_bound[d])
            return complain(what, type, "the array's outline", &err);
    static const pgconvoy_type int2 = {.oid = PGC_INT2, .name = "int2"}, oid = {.oid = PGC_OID, .name = "oid"};
    const pgconvoy_type *element = type->oid == PGC_INT2VECTOR  ? &int2
                                   : type->oid == PGC_OIDVECTOR ? &oid
                                                                : type->element;
    for (int64_t i = 0; i < a.count; i++)
        if (!element_agrees(what, element, &a.elements[i], &b.elements[i]))
            return complain(what, type, "an element", &err);
    return true;
}

static bool composites_agree(const char *what, const pgconvoy_type *type, const pgconvoy_value *binary,
                             const pgconvoy_value *text, pgc_arena *arena)
{
    pgconvoy_error err = {0};
    pgconvoy_value *a, *b;
    if (pgc_value_composite(type, binary, arena, &a, &err) || pgc_value_composite(type, text, arena, &b, &err))
        return complain(what, type, "composite", &err);
    for (int i = 0; i < type->field_count; i++)
        if (!element_agrees(what, type->fields[i].type, &a[i], &b[i]))
            return complain(what, type, "a field", &err);
    return true;
}

static bool vectors_agree(const char *what, const pgconvoy_type *type, const pgconvoy_value *binary,
                          const pgconvoy_value *text, pgc_arena *arena)
{
    pgconvoy_error err = {0};
    float *a, *b;
    int an, bn;
    if (pgc_value_vector(binary, arena, &a, &an, &err) || pgc_value_vector(text, arena, &b, &bn, &err) || an != bn ||
        memcmp(a, b, (size_t)an * sizeof *a) != 0)
        return complain(what, type, "vector", &err);
    return true;
}

static bool doubles_agree(const char *what, const pgconvoy_type *type, const pgconvoy_value *binary,
                          const pgconvoy_value *text)
{
    pgconvoy_error err = {0};
    double a, b;
    if (pgc_value_double(binary, &a, &err) || pgc_value_double(text, &b, &err))
        return complain(what, type, "double", &err);
    bool same = type->oid == PGC_FLOAT4 ? (float)a == (float)b : a == b;
    return same || (a != a && b != b) || complain(what, type, "double", &err);
}

static bool scalars_agree(const char *what, const pgconvoy_type *type, const pgconvoy_value *binary,
                          const pgconvoy_value *text)
{
    pgconvoy_error err = {0};
    switch (type->oid) {
    case PGC_BOOL:
        SAME(bool, pgc_value_bool(binary, &a, &err), pgc_value_bool(text, &b, &err))
    case PGC_INT2:
    case PGC_INT4:
    case PGC_INT8:
    case PGC_OID:
    case PGC_XID:
    case PGC_CID:
        SAME(int64_t, pgc_value_int64(type, binary, &a, &err), pgc_value_int64(type, text, &b, &err))
    case PGC_FLOAT4:
    case PGC_FLOAT8:
        return doubles_agree(what, type, binary, text);
    case PGC_DATE:
        SAME(int32_t, pgc_value_date(binary, &a, &err), pgc_value_date(text, &b, &err))
    case PGC_TIMESTAMP:
    case PGC_TIMESTAMPTZ:
        SAME(int64_t, pgc_value_timestamp(binary, &a, &err), pgc_value_timestamp(text, &b, &err))
    case PGC_TIME:
        SAME(int64_t, pgc_value_time(binary, &a, &err), pgc_value_time(text, &b, &err))
    case PGC_TIMETZ: {
        int32_t zone_a = 0, zone_b = 0;
        SAME(int64_t, pgc_value_timetz(binary, &a, &zone_a, &err),
             pgc_value_timetz(text, &b, &zone_b, &err) || zone_a != zone_b)
    }
    case PGC_INTERVAL:
        SAME(pgc_interval, pgc_value_interval(binary, &a, &err), pgc_value_interval(text, &b, &err))
    case PGC_UUID: {
        typedef uint8_t uuid[16];
        SAME(uuid, pgc_value_uuid(binary, a, &err), pgc_value_uuid(text, b, &err))
    }
    case PGC_NUMERIC:
        return decimals_agree(what, type, binary, text);
    case PGC_BYTEA:
    case PGC_BIT:
    case PGC_VARBIT:
        return bytes_agree(what, type, binary, text);
    case PGC_TEXT_OID:
    case PGC_VARCHAR:
    case PGC_BPCHAR:
    case PGC_NAME:
    case PGC_JSON:
    case PGC_JSONB:
    case PGC_XML:
    case PGC_CHAR:
        return characters_agree(what, type, binary, text);
    default:
        return true;
    }
}

bool value_agrees(const char *what, const pgconvoy_type *type, const pgconvoy_value *binary, const pgconvoy_value *text)
{
    if (!text_agrees(what, type, binary, text))
        return false;
    const pgconvoy_type *base = pgc_type_base(type);
    pgc_arena *arena = pgc_arena_new(4096);
    bool good;
    if (base->kind == PGCONVOY_TYPE_ARRAY || base->oid == PGC_INT2VECTOR || base->oid == PGC_OIDVECTOR)
        good = arrays_agree(what, base, binary, text, arena);
    else if (base->kind == PGCONVOY_TYPE_COMPOSITE)
        good = composites_agree(what, base, binary, text, arena);
    else if (base->kind == PGCONVOY_TYPE_ENUM)
        good = characters_agree(what, base, binary, text);
    else if (base->extension && strcmp(base->name, "vector") == 0)
        good = vectors_agree(what, base, binary, text, arena);
    else
        good = scalars_agree(what, base, binary, text);
    pgc_arena_free(arena);
    return good;
}
