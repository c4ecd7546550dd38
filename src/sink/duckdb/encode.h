/*
 * From values to DuckDB's vectors, a column at a time: one loop for each kind of type, which reads the binary form in place and leaves everything
 * unusual (text form, odd lengths) to the readers of postgres/value.h. Strings are not copied: a vector points to the bytes of the values, or into the
 * encoder's arena, so both must live until DuckDB has taken the chunk.
 */
#ifndef PGC_SINK_DUCKDB_ENCODE_H
#define PGC_SINK_DUCKDB_ENCODE_H

#include "sink/duckdb/types.h"

typedef struct pgc_duckdb_encoder {
    const pgc_duckdb_api *api;
    pgc_arena *arena;   /* the owner resets it when its chunks are taken */
    pgc_buffer scratch;
    bool unknown_label; /* the last failure was an enum label that the type does not have */
    bool cannot_hold;   /* the last failure was a value that DuckDB's type does not have */
} pgc_duckdb_encoder;

int pgc_duckdb_encoder_init(pgc_duckdb_encoder *encoder, const pgc_duckdb_api *api, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_duckdb_encoder_free(pgc_duckdb_encoder *encoder);

/* Writes count values into vector from place at on. A value that the type cannot hold is an error that names the type and the way out. */
int pgc_duckdb_encode(pgc_duckdb_encoder *encoder, const pgc_duckdb_type *type, duckdb_vector vector, idx_t at,
                      const pgconvoy_value *const *values, size_t count, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- between encode*.c */

/* For what cannot hold a value, once err says so: the failure. */
static inline int pgc_duckdb_cannot_hold(pgc_duckdb_encoder *encoder)
{
    encoder->cannot_hold = true;
    return -1;
}

/* Marks vector's place as NULL. */
void pgc_duckdb_encode_null(pgc_duckdb_encoder *encoder, duckdb_vector vector, idx_t place);
/* Lists, structs and vectors: types that have vectors below theirs. */
int pgc_duckdb_encode_nested(pgc_duckdb_encoder *encoder, const pgc_duckdb_type *type, duckdb_vector vector, idx_t at,
                             const pgconvoy_value *const *values, size_t count, pgconvoy_error *err) PGC_MUST_CHECK;
/* Everything in which strings are kept. */
int pgc_duckdb_encode_strings(pgc_duckdb_encoder *encoder, const pgc_duckdb_type *type, duckdb_vector vector, idx_t at,
                              const pgconvoy_value *const *values, size_t count, pgconvoy_error *err) PGC_MUST_CHECK;
/* True for a value that is not there and was dealt with; an unchanged value is a defect and an error (*failed). */
bool pgc_duckdb_encode_absent(pgc_duckdb_encoder *encoder, duckdb_vector vector, idx_t place, const pgconvoy_value *value,
                              bool *failed, pgconvoy_error *err);

#endif
