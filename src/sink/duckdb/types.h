/*
 * The type map: which DuckDB type a PostgreSQL column becomes, and how its values are to be encoded. The table of it is in types.c and in
 * docs/sinks/duckdb.md.
 */
#ifndef PGC_SINK_DUCKDB_TYPES_H
#define PGC_SINK_DUCKDB_TYPES_H

#include "base/arena.h"
#include "base/buffer.h"
#include "sink/duckdb/library.h"
#include "sink/unmappable.h"

typedef enum pgc_duckdb_kind {
    PGC_DUCKDB_BOOLEAN,
    PGC_DUCKDB_SMALLINT,
    PGC_DUCKDB_INTEGER,
    PGC_DUCKDB_BIGINT,
    PGC_DUCKDB_UINTEGER,
    PGC_DUCKDB_UBIGINT,
    PGC_DUCKDB_FLOAT,
    PGC_DUCKDB_DOUBLE,
    PGC_DUCKDB_NUMERIC_DOUBLE, /* numeric as DOUBLE, by the user's consent */
    PGC_DUCKDB_DECIMAL,        /* width, scale */
    PGC_DUCKDB_HUGEINT,        /* numeric(19…38, 0) */
    PGC_DUCKDB_CHARACTERS,     /* VARCHAR whose bytes are the value's own */
    PGC_DUCKDB_JSON,
    PGC_DUCKDB_AS_TEXT,        /* VARCHAR of PostgreSQL's text form */
    PGC_DUCKDB_BLOB,
    PGC_DUCKDB_DATE,
    PGC_DUCKDB_TIMESTAMP,
    PGC_DUCKDB_TIMESTAMPTZ,
    PGC_DUCKDB_TIME,
    PGC_DUCKDB_TIMETZ,
    PGC_DUCKDB_INTERVAL,
    PGC_DUCKDB_UUID,
    PGC_DUCKDB_BIT,
    PGC_DUCKDB_ENUM,
    PGC_DUCKDB_LIST,
    PGC_DUCKDB_STRUCT,
    PGC_DUCKDB_VECTOR,         /* FLOAT[n], or FLOAT[] where n is 0 */
    PGC_DUCKDB_HALF_VECTOR,
    PGC_DUCKDB_ROW_MARK        /* the column that a table without columns gets */
} pgc_duckdb_kind;

/* What the user asked for in TARGET's options. */
typedef struct pgc_duckdb_type_options {
    bool numeric_text;    /* numeric=text: every numeric is VARCHAR */
    bool numeric_double;  /* numeric=double: those without a precision, or with one over 38, are DOUBLE */
    int numeric_width, numeric_scale; /* numeric=decimal(W,S): the same as DECIMAL(W,S); 0 when not asked for */
    bool arrays_text;     /* arrays=text */
    pgc_unmappable unmappable; /* what becomes of values that a type cannot hold */
} pgc_duckdb_type_options;

typedef struct pgc_duckdb_labels pgc_duckdb_labels; /* of an enum, to be found by name */

typedef struct pgc_duckdb_type {
    pgc_duckdb_kind kind;
    const pgconvoy_type *source; /* through domains */
    uint8_t width, scale;        /* DECIMAL */
    uint32_t dimensions;         /* VECTOR, HALF_VECTOR: n, 0 when not fixed */
    const struct pgc_duckdb_type *element; /* LIST */
    int field_count;                       /* STRUCT */
    const struct pgc_duckdb_type *fields;
    const pgc_duckdb_labels *labels;       /* ENUM */
} pgc_duckdb_type;

/* The type of a column. Everything is allocated in arena. in_key: an enum stays VARCHAR there, as DuckDB cannot give a key column new labels. NULL when
 * out of memory. */
const pgc_duckdb_type *pgc_duckdb_type_of(const pgconvoy_type *type, int32_t typmod, bool in_key,
                                          const pgc_duckdb_type_options *options, pgc_arena *arena);

/* Appends the type as SQL: DECIMAL(10,2), ENUM('a', 'b')[] … */
void pgc_duckdb_type_sql(const pgc_duckdb_type *type, pgc_buffer *out);

/* The same as an object of DuckDB's, to be destroyed by the caller. NULL when DuckDB cannot make it. */
duckdb_logical_type pgc_duckdb_type_logical(const pgc_duckdb_api *api, const pgc_duckdb_type *type);

/* In which format its values are read best. */
pgconvoy_format pgc_duckdb_type_format(const pgc_duckdb_type *type);

/* True when DuckDB can have it in a PRIMARY KEY. */
bool pgc_duckdb_type_in_index(const pgc_duckdb_type *type);

/* False where DuckDB does an UPDATE of the column by deleting the row and inserting it again, which its index feels. */
bool pgc_duckdb_type_updates_in_place(const pgc_duckdb_type *type);

/* The place of an enum's label, or -1. */
int pgc_duckdb_label_find(const pgc_duckdb_labels *labels, const char *text, size_t length);

#endif
