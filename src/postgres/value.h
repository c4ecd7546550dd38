/*
 * PostgreSQL values: from their text and binary forms to C. Every reader takes either format; bytes come from a server or a fuzzer
 * and are checked. Free of libpq. All functions are thread-safe.
 *
 * Text is expected as our connections ask for it: DateStyle ISO, IntervalStyle postgres, TimeZone UTC, bytea_output hex,
 * extra_float_digits 3 (or its equal). Formats: the types' send and recv functions, and chapter 8 of the PostgreSQL manual.
 */
#ifndef PGC_POSTGRES_VALUE_H
#define PGC_POSTGRES_VALUE_H

#include "base/buffer.h"

/* OIDs of built-in types, from pg_type.dat; they never change. */
enum pgc_type_oid {
    PGC_BOOL = 16, PGC_BYTEA = 17, PGC_CHAR = 18, PGC_NAME = 19, PGC_INT8 = 20, PGC_INT2 = 21, PGC_INT2VECTOR = 22,
    PGC_INT4 = 23, PGC_REGPROC = 24, PGC_TEXT_OID = 25, PGC_OID = 26, PGC_TID = 27, PGC_XID = 28, PGC_CID = 29, PGC_OIDVECTOR = 30,
    PGC_JSON = 114, PGC_XML = 142, PGC_POINT = 600, PGC_LSEG = 601, PGC_PATH = 602, PGC_BOX = 603, PGC_POLYGON = 604,
    PGC_LINE = 628, PGC_CIDR = 650, PGC_FLOAT4 = 700, PGC_FLOAT8 = 701, PGC_CIRCLE = 718, PGC_MACADDR8 = 774, PGC_MONEY = 790, PGC_MACADDR = 829,
    PGC_INET = 869, PGC_BPCHAR = 1042, PGC_VARCHAR = 1043, PGC_DATE = 1082, PGC_TIME = 1083, PGC_TIMESTAMP = 1114,
    PGC_TIMESTAMPTZ = 1184, PGC_INTERVAL = 1186, PGC_TIMETZ = 1266, PGC_BIT = 1560, PGC_VARBIT = 1562, PGC_NUMERIC = 1700,
    PGC_UUID = 2950, PGC_TXID_SNAPSHOT = 2970, PGC_PG_LSN = 3220, PGC_TSVECTOR = 3614, PGC_TSQUERY = 3615, PGC_JSONB = 3802,
    PGC_JSONPATH = 4072, PGC_XID8 = 5069, PGC_PG_SNAPSHOT = 5038
};

/* Objects below this oid were made by initdb (FirstNormalObjectId). */
#define PGC_FIRST_USER_OID 16384u

/* A domain's base, through domains over domains; any other type is its own base. */
const pgconvoy_type *pgc_type_base(const pgconvoy_type *type);
/* And the modifier that goes with it; typmod is the column's before. */
const pgconvoy_type *pgc_type_base_with(const pgconvoy_type *type, int32_t *typmod);
/* How many digits values of numeric(p, s) have at most before and behind the point. False for numeric without a
 * modifier, which has no such bounds; both are 0 then. */
bool pgc_numeric_bounds(int32_t typmod, int *before, int *behind);
/* Whether it is pgvector's vector or halfvec: numbers, all of which are there. */
bool pgc_type_is_dense_vector(const pgconvoy_type *type);

/* True when pgc_value_to_text and the readers understand the binary form of the type (also inside arrays, composites, ranges). */
bool pgc_type_has_binary(const pgconvoy_type *type);

/* Appends PostgreSQL's own text form of the value: what the type's output function gives. Not for NULL and unchanged. */
int pgc_value_to_text(const pgconvoy_type *type, const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- scalars. Each returns 0, or -1 with err set (PGCONVOY_ERROR_DATA) naming the type and what is wrong. */

int pgc_value_bool(const pgconvoy_value *value, bool *out, pgconvoy_error *err) PGC_MUST_CHECK;
/* int2, int4, int8, oid, xid, cid, xid8: whatever width the binary form has; text is read as a decimal number. Unsigned types (oid, xid, cid) by type. */
int pgc_value_int64(const pgconvoy_type *type, const pgconvoy_value *value, int64_t *out, pgconvoy_error *err) PGC_MUST_CHECK;
/* float4 and float8; NaN and infinities as such. */
int pgc_value_double(const pgconvoy_value *value, double *out, pgconvoy_error *err) PGC_MUST_CHECK;

/* Days since 2000-01-01; INT32_MIN and INT32_MAX are -infinity and infinity. */
int pgc_value_date(const pgconvoy_value *value, int32_t *days, pgconvoy_error *err) PGC_MUST_CHECK;
/* Microseconds since 2000-01-01 00:00 (UTC for timestamptz); INT64_MIN and INT64_MAX are -infinity and infinity. */
int pgc_value_timestamp(const pgconvoy_value *value, int64_t *us, pgconvoy_error *err) PGC_MUST_CHECK;
/* Microseconds since midnight, up to and including 24:00:00. */
int pgc_value_time(const pgconvoy_value *value, int64_t *us, pgconvoy_error *err) PGC_MUST_CHECK;
/* zone_seconds is east of Greenwich. */
int pgc_value_timetz(const pgconvoy_value *value, int64_t *us, int32_t *zone_seconds, pgconvoy_error *err) PGC_MUST_CHECK;

typedef struct pgc_interval {
    int32_t months, days;
    int64_t us;
} pgc_interval; /* PostgreSQL 17 has ±infinity: all fields at their minimum or maximum */
int pgc_value_interval(const pgconvoy_value *value, pgc_interval *out, pgconvoy_error *err) PGC_MUST_CHECK;

int pgc_value_uuid(const pgconvoy_value *value, uint8_t out[16], pgconvoy_error *err) PGC_MUST_CHECK;

/* numeric in base 10000: value = ±Σ digits[i] × 10000^(weight-i). digits points into storage of the number itself. */
typedef enum pgc_numeric_kind { PGC_NUMERIC_FINITE, PGC_NUMERIC_NAN, PGC_NUMERIC_INFINITY, PGC_NUMERIC_MINUS_INFINITY } pgc_numeric_kind;
/*
 * numeric as a scaled 128-bit integer: *out = value × 10^scale. Returns 1 when it is exact, 0 when it does not fit (more digits after the point than scale
 * other than zeros, more than 38 digits in all, NaN or infinity, which *kind tells), -1 on malformed input.
 */
int pgc_value_decimal(const pgconvoy_value *value, int scale, __int128 *out, pgc_numeric_kind *kind, pgconvoy_error *err) PGC_MUST_CHECK;

/* Bytes of a bytea: points into value (binary) or into *scratch (text), which is reset. */
int pgc_value_bytea(const pgconvoy_value *value, pgc_buffer *scratch, const uint8_t **bytes, size_t *length, pgconvoy_error *err) PGC_MUST_CHECK;

/* Bits of bit and varbit as a text of 0 and 1 appended to out. */
int pgc_value_bits(const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err) PGC_MUST_CHECK;

/* Text types, json, enum labels, xml, name …: the characters themselves, whatever the format; for jsonb's binary form the version byte is left out. */
int pgc_value_characters(const pgconvoy_type *type, const pgconvoy_value *value, const char **text, size_t *length, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- containers. Elements come in the format of the container; their bytes point into the value or into scratch. */

#define PGC_ARRAY_MAX_DIMENSIONS 6
typedef struct pgc_array {
    int dimensions; /* 0: empty */
    int32_t size[PGC_ARRAY_MAX_DIMENSIONS];
    int32_t lower_bound[PGC_ARRAY_MAX_DIMENSIONS];
    int64_t count;             /* of all elements, row-major */
    pgconvoy_value *elements;  /* in the arena */
} pgc_array;
struct pgc_arena;
/* type must be an array. Everything is allocated in arena. Also int2vector and oidvector (as arrays of int2 and oid). */
int pgc_value_array(const pgconvoy_type *type, const pgconvoy_value *value, struct pgc_arena *arena, pgc_array *out, pgconvoy_error *err) PGC_MUST_CHECK;
/* type must be a composite. *fields has type->field_count values in the arena. */
int pgc_value_composite(const pgconvoy_type *type, const pgconvoy_value *value, struct pgc_arena *arena, pgconvoy_value **fields, pgconvoy_error *err) PGC_MUST_CHECK;
/* pgvector's vector: count floats in the arena. By type->name "vector" of whatever schema. */
int pgc_value_vector(const pgconvoy_value *value, struct pgc_arena *arena, float **floats, int *count, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
