/* Numbers, times and other values of fixed width; see encode.h. */
#include "sink/duckdb/encode.h"

#include "base/clock.h"
#include "postgres/value.h"

#include <endian.h>
#include <stdlib.h>

#define PG_EPOCH_DAYS 10957 /* from 1970-01-01 to 2000-01-01 */

int pgc_duckdb_encoder_init(pgc_duckdb_encoder *encoder, const pgc_duckdb_api *api, pgconvoy_error *err)
{
    memset(encoder, 0, sizeof *encoder);
    encoder->api = api;
    pgc_buffer_init(&encoder->scratch, (size_t)1 << 31);
    encoder->arena = pgc_arena_new((size_t)256 << 10);
    return encoder->arena ? 0 : pgc_error_out_of_memory(err);
}

void pgc_duckdb_encoder_free(pgc_duckdb_encoder *encoder)
{
    pgc_arena_free(encoder->arena);
    pgc_buffer_free(&encoder->scratch);
}

void pgc_duckdb_encode_null(pgc_duckdb_encoder *encoder, duckdb_vector vector, idx_t place)
{
    encoder->api->vector_ensure_validity_writable(vector);
    uint64_t *validity = encoder->api->vector_get_validity(vector);
    validity[place / 64] &= ~(UINT64_C(1) << (place % 64));
}

bool pgc_duckdb_encode_absent(pgc_duckdb_encoder *encoder, duckdb_vector vector, idx_t place, const pgconvoy_value *value,
                              bool *failed, pgconvoy_error *err)
{
    if (value->length >= 0)
        return false;
    if (value->length == PGCONVOY_UNCHANGED) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_INTERNAL, "an unchanged value was to be stored");
        *failed = true;
    }
    pgc_duckdb_encode_null(encoder, vector, place);
    return true;
}

/* ---- one reader for each type: 0, or -1 and err */

static int out_of_range(pgc_duckdb_encoder *encoder, pgconvoy_error *err, const char *type, const char *what)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "%s is %s, which DuckDB's type cannot hold", type, what);
    return pgc_duckdb_cannot_hold(encoder);
}

static int read_date(pgc_duckdb_encoder *encoder, const pgconvoy_value *value, int32_t *out, pgconvoy_error *err)
{
    int32_t days;
    if (pgc_value_date(value, &days, err) != 0)
        return -1;
    if (days == INT32_MAX || days == INT32_MIN)
        *out = days == INT32_MAX ? INT32_MAX : -INT32_MAX;
    else if (days >= INT32_MAX - PG_EPOCH_DAYS || days <= -INT32_MAX)
        return out_of_range(encoder, err, "date", "out of range");
    else
        *out = days + PG_EPOCH_DAYS;
    return 0;
}

static int shift_timestamp(pgc_duckdb_encoder *encoder, int64_t us, int64_t *out, pgconvoy_error *err)
{
    if (us == INT64_MAX || us == INT64_MIN)
        *out = us == INT64_MAX ? INT64_MAX : -INT64_MAX;
    else if (us >= INT64_MAX - PGC_PG_EPOCH_US)
        return out_of_range(encoder, err, "timestamp", "after 294247-01-10");
    else
        *out = us + PGC_PG_EPOCH_US;
    return 0;
}

static int read_timestamp(pgc_duckdb_encoder *encoder, const pgconvoy_value *value, int64_t *out, pgconvoy_error *err)
{
    int64_t us;
    return pgc_value_timestamp(value, &us, err) != 0 ? -1 : shift_timestamp(encoder, us, out, err);
}

static int read_interval(pgc_duckdb_encoder *encoder, const pgconvoy_value *value, duckdb_interval *out, pgconvoy_error *err)
{
    pgc_interval interval;
    if (pgc_value_interval(value, &interval, err) != 0)
        return -1;
    if ((interval.months == INT32_MAX && interval.days == INT32_MAX && interval.us == INT64_MAX) ||
        (interval.months == INT32_MIN && interval.days == INT32_MIN && interval.us == INT64_MIN))
        return out_of_range(encoder, err, "interval", "infinite");
    *out = (duckdb_interval){interval.months, interval.days, interval.us};
    return 0;
}

static int read_uuid(const pgconvoy_value *value, duckdb_hugeint *out, pgconvoy_error *err)
{
    uint8_t bytes[16];
    uint64_t high, low;
    if (pgc_value_uuid(value, bytes, err) != 0)
        return -1;
    memcpy(&high, bytes, 8);
    memcpy(&low, bytes + 8, 8);
    /* kept as a signed number whose top bit is turned over, so that it sorts as the bytes do */
    out->upper = (int64_t)(be64toh(high) ^ (UINT64_C(1) << 63));
    out->lower = be64toh(low);
    return 0;
}

/* limit is 10^width. */
static int read_decimal(pgc_duckdb_encoder *encoder, const pgc_duckdb_type *type, __int128 limit,
                        const pgconvoy_value *value, __int128 *out, pgconvoy_error *err)
{
    pgc_numeric_kind kind = PGC_NUMERIC_FINITE;
    int exact = pgc_value_decimal(value, type->scale, out, &kind, err);
    if (exact < 0)
        return -1;
    if (exact == 1 && *out < limit && *out > -limit)
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "numeric is %s, which DECIMAL(%d,%d) cannot hold",
                       kind == PGC_NUMERIC_NAN             ? "NaN"
                       : kind == PGC_NUMERIC_INFINITY       ? "infinity"
                       : kind == PGC_NUMERIC_MINUS_INFINITY ? "-infinity"
                                                            : "too large or too precise",
                       type->width, type->scale);
    pgconvoy_error_hint(err, "keep numeric columns as text with numeric=text in the target, or make such values NULL with unmappable=null");
    return pgc_duckdb_cannot_hold(encoder);
}

static int read_numeric_double(const pgc_duckdb_type *type, const pgconvoy_value *value, pgc_buffer *scratch, double *out,
                               pgconvoy_error *err)
{
    pgc_buffer_reset(scratch);
    if (pgc_value_to_text(type->source, value, scratch, err) != 0)
        return -1;
    *out = strtod(scratch->data, NULL); /* "NaN" and "Infinity" are read as such */
    return 0;
}

/* ---- loops. FAST is tried on binary values of WIDTH bytes, SLOW serves all others. */

#define LOOP(TYPE, WIDTH, FAST, SLOW)                                                                     \
    {                                                                                                     \
        TYPE *data = (TYPE *)encoder->api->vector_get_data(vector) + at;                                  \
        for (size_t i = 0; i < count; i++) {                                                              \
            const pgconvoy_value *value = values[i];                                                      \
            TYPE *out = &data[i];                                                                         \
            if (value->length == (WIDTH) && value->format == PGCONVOY_BINARY) {                           \
                FAST;                                                                                     \
            } else if (!pgc_duckdb_encode_absent(encoder, vector, at + i, value, &failed, err)) {          \
                failed = (SLOW) != 0;                                                                     \
            }                                                                                             \
            if (failed)                                                                                   \
                return -1;                                                                                \
        }                                                                                                 \
        return 0;                                                                                         \
    }

static inline uint16_t get16(const char *data)
{
    uint16_t x;
    memcpy(&x, data, 2);
    return be16toh(x);
}

static inline uint32_t get32(const char *data)
{
    uint32_t x;
    memcpy(&x, data, 4);
    return be32toh(x);
}

static inline uint64_t get64(const char *data)
{
    uint64_t x;
    memcpy(&x, data, 8);
    return be64toh(x);
}

static inline int slow_integer(pgc_duckdb_encoder *encoder, const pgc_duckdb_type *type, const pgconvoy_value *value, int64_t low, int64_t high,
                               int64_t *out, pgconvoy_error *err)
{
    if (pgc_value_int64(type->source, value, out, err) != 0)
        return -1;
    return *out < low || *out > high ? out_of_range(encoder, err, type->source->name, "out of range") : 0;
}

/* xid8 in text form, which goes beyond the signed reader. */
static int read_unsigned(pgc_duckdb_encoder *encoder, const pgconvoy_value *value, uint64_t *out, pgconvoy_error *err)
{
    bool fits = value->length > 0;
    *out = 0;
    for (int32_t i = 0; fits && i < value->length; i++) {
        fits = value->data[i] >= '0' && value->data[i] <= '9' && !__builtin_mul_overflow(*out, 10u, out) &&
               !__builtin_add_overflow(*out, (uint64_t)(value->data[i] - '0'), out);
    }
    return fits ? 0 : out_of_range(encoder, err, "xid8", "no whole number of 64 bits");
}

#define SLOW_INTEGER(LOW, HIGH) (slow_integer(encoder, type, value, LOW, HIGH, &wide, err) != 0 ? -1 : (*out = (__typeof__(*out))wide, 0))

static int encode_integers(pgc_duckdb_encoder *encoder, const pgc_duckdb_type *type, duckdb_vector vector, idx_t at,
                           const pgconvoy_value *const *values, size_t count, pgconvoy_error *err)
{
    bool failed = false;
    int64_t wide;
    switch (type->kind) {
    case PGC_DUCKDB_SMALLINT:
        LOOP(int16_t, 2, *out = (int16_t)get16(value->data), SLOW_INTEGER(INT16_MIN, INT16_MAX))
    case PGC_DUCKDB_INTEGER:
        LOOP(int32_t, 4, *out = (int32_t)get32(value->data), SLOW_INTEGER(INT32_MIN, INT32_MAX))
    case PGC_DUCKDB_UINTEGER:
        LOOP(uint32_t, 4, *out = get32(value->data), SLOW_INTEGER(0, UINT32_MAX))
    case PGC_DUCKDB_UBIGINT:
        LOOP(uint64_t, 8, *out = get64(value->data), read_unsigned(encoder, value, out, err))
    default:
        LOOP(int64_t, 8, *out = (int64_t)get64(value->data), SLOW_INTEGER(INT64_MIN, INT64_MAX))
    }
}

static inline int slow_double(const pgconvoy_value *value, double *out, pgconvoy_error *err)
{
    return pgc_value_double(value, out, err);
}

static int encode_floats(pgc_duckdb_encoder *encoder, const pgc_duckdb_type *type, duckdb_vector vector, idx_t at,
                         const pgconvoy_value *const *values, size_t count, pgconvoy_error *err)
{
    bool failed = false;
    double wide;
    if (type->kind == PGC_DUCKDB_FLOAT)
        LOOP(float, 4, uint32_t bits = get32(value->data); memcpy(out, &bits, 4),
             (slow_double(value, &wide, err) != 0 ? -1 : (*out = (float)wide, 0)))
    if (type->kind == PGC_DUCKDB_NUMERIC_DOUBLE)
        LOOP(double, -3, (void)0, read_numeric_double(type, value, &encoder->scratch, out, err))
    LOOP(double, 8, uint64_t bits = get64(value->data); memcpy(out, &bits, 8), slow_double(value, out, err))
}

static int encode_decimals(pgc_duckdb_encoder *encoder, const pgc_duckdb_type *type, duckdb_vector vector, idx_t at,
                           const pgconvoy_value *const *values, size_t count, pgconvoy_error *err)
{
    bool failed = false;
    __int128 wide, limit = 1;
    for (int i = 0; i < type->width; i++)
        limit *= 10;
#define READ_DECIMAL (read_decimal(encoder, type, limit, value, &wide, err) != 0 ? -1 : (*out = (__typeof__(*out))wide, 0))
    if (type->kind == PGC_DUCKDB_HUGEINT || type->width > 18)
        LOOP(duckdb_hugeint, -3, (void)0,
             (read_decimal(encoder, type, limit, value, &wide, err) != 0
                  ? -1
                  : (out->lower = (uint64_t)wide, out->upper = (int64_t)(wide >> 64), 0)))
    if (type->width > 9)
        LOOP(int64_t, -3, (void)0, READ_DECIMAL)
    if (type->width > 4)
        LOOP(int32_t, -3, (void)0, READ_DECIMAL)
    LOOP(int16_t, -3, (void)0, READ_DECIMAL)
}

static int read_timetz(const pgc_duckdb_api *api, const pgconvoy_value *value, uint64_t *out, pgconvoy_error *err)
{
    int64_t us;
    int32_t zone;
    if (pgc_value_timetz(value, &us, &zone, err) != 0)
        return -1;
    *out = api->create_time_tz(us, zone).bits;
    return 0;
}

static int encode_times(pgc_duckdb_encoder *encoder, const pgc_duckdb_type *type, duckdb_vector vector, idx_t at,
                        const pgconvoy_value *const *values, size_t count, pgconvoy_error *err)
{
    bool failed = false;
    switch (type->kind) {
    case PGC_DUCKDB_DATE:
        LOOP(int32_t, -3, (void)0, read_date(encoder, value, out, err))
    case PGC_DUCKDB_TIME:
        LOOP(int64_t, -3, (void)0, pgc_value_time(value, out, err))
    case PGC_DUCKDB_TIMETZ:
        LOOP(uint64_t, -3, (void)0, read_timetz(encoder->api, value, out, err))
    case PGC_DUCKDB_INTERVAL:
        LOOP(duckdb_interval, -3, (void)0, read_interval(encoder, value, out, err))
    default:
        LOOP(int64_t, 8, failed = shift_timestamp(encoder, (int64_t)get64(value->data), out, err) != 0,
             read_timestamp(encoder, value, out, err))
    }
}

static int unknown_label(pgc_duckdb_encoder *encoder, const pgc_duckdb_type *type, const char *text, size_t length,
                         pgconvoy_error *err)
{
    encoder->unknown_label = true;
    pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "enum %s has no label \"%.*s\" here", type->source->name,
                       (int)(length > 63 ? 63 : length), text);
    pgconvoy_error_hint(err, "the label is newer than this run: run the same command again");
    return -1;
}

static int read_label(pgc_duckdb_encoder *encoder, const pgc_duckdb_type *type, const pgconvoy_value *value, int *place,
                      pgconvoy_error *err)
{
    *place = pgc_duckdb_label_find(type->labels, value->data, (size_t)value->length);
    return *place >= 0 ? 0 : unknown_label(encoder, type, value->data, (size_t)value->length, err);
}

static int encode_labels(pgc_duckdb_encoder *encoder, const pgc_duckdb_type *type, duckdb_vector vector, idx_t at,
                         const pgconvoy_value *const *values, size_t count, pgconvoy_error *err)
{
    bool failed = false;
    int place;
#define READ_LABEL (read_label(encoder, type, value, &place, err) != 0 ? -1 : (*out = (__typeof__(*out))place, 0))
    if (type->source->label_count <= UINT8_MAX)
        LOOP(uint8_t, -3, (void)0, READ_LABEL)
    if (type->source->label_count <= UINT16_MAX)
        LOOP(uint16_t, -3, (void)0, READ_LABEL)
    LOOP(uint32_t, -3, (void)0, READ_LABEL)
}

static int encode_others(pgc_duckdb_encoder *encoder, const pgc_duckdb_type *type, duckdb_vector vector, idx_t at,
                         const pgconvoy_value *const *values, size_t count, pgconvoy_error *err)
{
    bool failed = false;
    if (type->kind == PGC_DUCKDB_UUID)
        LOOP(duckdb_hugeint, -3, (void)0, read_uuid(value, out, err))
    LOOP(bool, 1, *out = *value->data != 0, pgc_value_bool(value, out, err))
}

int pgc_duckdb_encode(pgc_duckdb_encoder *encoder, const pgc_duckdb_type *type, duckdb_vector vector, idx_t at,
                      const pgconvoy_value *const *values, size_t count, pgconvoy_error *err)
{
    switch (type->kind) {
    case PGC_DUCKDB_SMALLINT:
    case PGC_DUCKDB_INTEGER:
    case PGC_DUCKDB_BIGINT:
    case PGC_DUCKDB_UINTEGER:
    case PGC_DUCKDB_UBIGINT:
        return encode_integers(encoder, type, vector, at, values, count, err);
    case PGC_DUCKDB_FLOAT:
    case PGC_DUCKDB_DOUBLE:
    case PGC_DUCKDB_NUMERIC_DOUBLE:
        return encode_floats(encoder, type, vector, at, values, count, err);
    case PGC_DUCKDB_DECIMAL:
    case PGC_DUCKDB_HUGEINT:
        return encode_decimals(encoder, type, vector, at, values, count, err);
    case PGC_DUCKDB_DATE:
    case PGC_DUCKDB_TIMESTAMP:
    case PGC_DUCKDB_TIMESTAMPTZ:
    case PGC_DUCKDB_TIME:
    case PGC_DUCKDB_TIMETZ:
    case PGC_DUCKDB_INTERVAL:
        return encode_times(encoder, type, vector, at, values, count, err);
    case PGC_DUCKDB_ENUM:
        return encode_labels(encoder, type, vector, at, values, count, err);
    case PGC_DUCKDB_LIST:
    case PGC_DUCKDB_STRUCT:
    case PGC_DUCKDB_VECTOR:
    case PGC_DUCKDB_HALF_VECTOR:
        return pgc_duckdb_encode_nested(encoder, type, vector, at, values, count, err);
    case PGC_DUCKDB_CHARACTERS:
    case PGC_DUCKDB_JSON:
    case PGC_DUCKDB_AS_TEXT:
    case PGC_DUCKDB_BLOB:
    case PGC_DUCKDB_BIT:
        return pgc_duckdb_encode_strings(encoder, type, vector, at, values, count, err);
    default:
        return encode_others(encoder, type, vector, at, values, count, err);
    }
}
