/* Values with vectors below theirs: LIST, STRUCT, and the FLOAT[] of vector and halfvec. See encode.h. */
#include "sink/duckdb/encode.h"

#include "postgres/value.h"

#include <math.h>

static const pgconvoy_value null_value = {.data = NULL, .length = PGCONVOY_NULL};

static int not_a_list(pgc_duckdb_encoder *encoder, const pgc_array *array, pgconvoy_error *err)
{
    if (array->dimensions > 1)
        pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "an array has %d dimensions, which a LIST cannot hold", array->dimensions);
    else
        pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "an array counts from %d, which a LIST cannot hold",
                           array->lower_bound[0]);
    pgconvoy_error_hint(err, "keep array columns as text with arrays=text in the target, or make such values NULL with "
                             "unmappable=null");
    return pgc_duckdb_cannot_hold(encoder);
}

static int encode_lists(pgc_duckdb_encoder *encoder, const pgc_duckdb_type *type, duckdb_vector vector, idx_t at,
                        const pgconvoy_value *const *values, size_t count, pgconvoy_error *err)
{
    const pgc_duckdb_api *api = encoder->api;
    duckdb_list_entry *entries = (duckdb_list_entry *)api->vector_get_data(vector) + at;
    pgc_array *arrays = pgc_arena_zalloc(encoder->arena, count * sizeof *arrays + 1);
    if (!arrays)
        return pgc_error_out_of_memory(err);
    idx_t start = api->list_vector_get_size(vector), total = 0;
    for (size_t i = 0; i < count; i++) {
        bool failed = false;
        if (pgc_duckdb_encode_absent(encoder, vector, at + i, values[i], &failed, err)) {
            if (failed)
                return -1;
        } else if (pgc_value_array(type->source, values[i], encoder->arena, &arrays[i], err) != 0) {
            return -1;
        } else if (arrays[i].dimensions > 1 || (arrays[i].dimensions == 1 && arrays[i].lower_bound[0] != 1)) {
            return not_a_list(encoder, &arrays[i], err);
        }
        entries[i] = (duckdb_list_entry){start + total, (uint64_t)arrays[i].count};
        total += (idx_t)arrays[i].count;
    }
    const pgconvoy_value **elements = pgc_arena_alloc(encoder->arena, total * sizeof *elements + 1);
    if (!elements || api->list_vector_reserve(vector, start + total) != DuckDBSuccess ||
        api->list_vector_set_size(vector, start + total) != DuckDBSuccess)
        return pgc_error_out_of_memory(err);
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        for (int64_t j = 0; j < arrays[i].count; j++)
            elements[n++] = &arrays[i].elements[j];
    }
    return pgc_duckdb_encode(encoder, type->element, api->list_vector_get_child(vector), start, elements, total, err);
}

static int encode_structs(pgc_duckdb_encoder *encoder, const pgc_duckdb_type *type, duckdb_vector vector, idx_t at,
                          const pgconvoy_value *const *values, size_t count, pgconvoy_error *err)
{
    const pgconvoy_value **cells = pgc_arena_alloc(encoder->arena, count * sizeof *cells + 1);
    pgconvoy_value **rows = pgc_arena_zalloc(encoder->arena, count * sizeof *rows + 1);
    if (!cells || !rows)
        return pgc_error_out_of_memory(err);
    for (size_t i = 0; i < count; i++) {
        bool failed = false;
        if (pgc_duckdb_encode_absent(encoder, vector, at + i, values[i], &failed, err)) {
            if (failed)
                return -1;
        } else if (pgc_value_composite(type->source, values[i], encoder->arena, &rows[i], err) != 0) {
            return -1;
        }
    }
    for (int field = 0; field < type->field_count; field++) {
        for (size_t i = 0; i < count; i++)
            cells[i] = rows[i] ? &rows[i][field] : &null_value;
        if (pgc_duckdb_encode(encoder, &type->fields[field], encoder->api->struct_vector_get_child(vector, (idx_t)field), at,
                              cells, count, err) != 0) {
            pgc_error_prefix(err, "field %s", type->source->fields[field].name);
            return -1;
        }
    }
    return 0;
}

/* ---- pgvector */

static float half_to_float(uint16_t half)
{
    int exponent = (half >> 10) & 0x1f, fraction = half & 0x3ff;
    float value = exponent == 0x1f ? (fraction ? NAN : INFINITY)
                  : exponent == 0  ? ldexpf((float)fraction, -24)
                                   : ldexpf((float)(fraction | 0x400), exponent - 25);
    return half & 0x8000 ? -value : value;
}

/* halfvec's binary form: int16 dimensions, int16 unused, half-precision numbers. */
static int read_halves(const pgconvoy_value *value, pgc_arena *arena, float **floats, int *count, pgconvoy_error *err)
{
    const uint8_t *p = (const uint8_t *)value->data;
    *count = value->length >= 4 ? p[0] << 8 | p[1] : -1;
    if (*count < 0 || value->length != 4 + 2 * *count) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "a halfvec of %d bytes is malformed", value->length);
        return -1;
    }
    *floats = pgc_arena_alloc(arena, (size_t)*count * sizeof **floats + 1);
    if (!*floats)
        return pgc_error_out_of_memory(err);
    for (int i = 0; i < *count; i++)
        (*floats)[i] = half_to_float((uint16_t)(p[4 + 2 * i] << 8 | p[5 + 2 * i]));
    return 0;
}

static int read_vector(pgc_duckdb_encoder *encoder, const pgc_duckdb_type *type, const pgconvoy_value *value, float **floats,
                       int *count, pgconvoy_error *err)
{
    if (type->kind == PGC_DUCKDB_HALF_VECTOR && value->format == PGCONVOY_BINARY)
        return read_halves(value, encoder->arena, floats, count, err);
    return pgc_value_vector(value, encoder->arena, floats, count, err);
}

/* FLOAT[n]: the child has n places for each of ours, NULL or not. */
static int encode_fixed(pgc_duckdb_encoder *encoder, const pgc_duckdb_type *type, duckdb_vector vector, idx_t at,
                        const pgconvoy_value *const *values, size_t count, pgconvoy_error *err)
{
    size_t width = type->dimensions;
    float *data = (float *)encoder->api->vector_get_data(encoder->api->array_vector_get_child(vector)) + at * width;
    for (size_t i = 0; i < count; i++, data += width) {
        bool failed = false;
        float *floats;
        int n;
        if (pgc_duckdb_encode_absent(encoder, vector, at + i, values[i], &failed, err)) {
            memset(data, 0, width * sizeof *data);
            if (failed)
                return -1;
            continue;
        }
        if (read_vector(encoder, type, values[i], &floats, &n, err) != 0)
            return -1;
        if ((size_t)n != width) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "a vector has %d dimensions where its column has %zu", n, width);
            return -1;
        }
        memcpy(data, floats, width * sizeof *data);
    }
    return 0;
}

/* FLOAT[]: a list whose child grows value by value. */
static int encode_floating(pgc_duckdb_encoder *encoder, const pgc_duckdb_type *type, duckdb_vector vector, idx_t at,
                           const pgconvoy_value *const *values, size_t count, pgconvoy_error *err)
{
    const pgc_duckdb_api *api = encoder->api;
    duckdb_list_entry *entries = (duckdb_list_entry *)api->vector_get_data(vector) + at;
    for (size_t i = 0; i < count; i++) {
        idx_t start = api->list_vector_get_size(vector);
        bool failed = false;
        float *floats;
        int n;
        entries[i] = (duckdb_list_entry){start, 0};
        if (pgc_duckdb_encode_absent(encoder, vector, at + i, values[i], &failed, err)) {
            if (failed)
                return -1;
            continue;
        }
        if (read_vector(encoder, type, values[i], &floats, &n, err) != 0)
            return -1;
        if (api->list_vector_reserve(vector, start + (idx_t)n) != DuckDBSuccess ||
            api->list_vector_set_size(vector, start + (idx_t)n) != DuckDBSuccess)
            return pgc_error_out_of_memory(err);
        float *data = api->vector_get_data(api->list_vector_get_child(vector));
        memcpy(data + start, floats, (size_t)n * sizeof *floats);
        entries[i].length = (uint64_t)n;
    }
    return 0;
}

int pgc_duckdb_encode_nested(pgc_duckdb_encoder *encoder, const pgc_duckdb_type *type, duckdb_vector vector, idx_t at,
                             const pgconvoy_value *const *values, size_t count, pgconvoy_error *err)
{
    if (type->kind == PGC_DUCKDB_LIST)
        return encode_lists(encoder, type, vector, at, values, count, err);
    if (type->kind == PGC_DUCKDB_STRUCT)
        return encode_structs(encoder, type, vector, at, values, count, err);
    if (type->dimensions > 0)
        return encode_fixed(encoder, type, vector, at, values, count, err);
    return encode_floating(encoder, type, vector, at, values, count, err);
}
