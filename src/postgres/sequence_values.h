/* Where sequences stand, exactly: the last value and whether it was given out, which pg_sequences does not tell of all.
 */
#ifndef PGC_POSTGRES_SEQUENCE_VALUES_H
#define PGC_POSTGRES_SEQUENCE_VALUES_H

#include "base/arena.h"
#include "base/buffer.h"

#include <libpq-fe.h>

typedef struct pgc_sequence_value {
    const char *schema, *name;
    int64_t increment, last;
    bool called; /* last was given out; otherwise it is the next one */
} pgc_sequence_value;

typedef struct pgc_sequence_values {
    pgc_sequence_value *items; /* by schema and name, as bytes */
    size_t count;
} pgc_sequence_values;

/* Those that meet a condition over pg_class c, pg_namespace n and pg_sequence s; all in the arena. */
int pgc_sequence_values_read(PGconn *conn, const char *condition, pgc_arena *arena, pgc_sequence_values *values,
                             pgconvoy_error *err) PGC_MUST_CHECK;
/* The one of that name, or NULL. */
const pgc_sequence_value *pgc_sequence_values_find(const pgc_sequence_values *values, const char *schema,
                                                   const char *name);

/* What nextval() will give; at the type's end it stays there. */
int64_t pgc_sequence_next(const pgc_sequence_value *value);
/* True when at would give out what of has given already, or jumped over. */
bool pgc_sequence_is_behind(const pgc_sequence_value *at, const pgc_sequence_value *of);
/* Appends "SELECT pg_catalog.setval(…);" that brings the sequence to where it is. */
void pgc_sequence_set_sql(const pgc_sequence_value *value, pgc_buffer *out);

#endif
