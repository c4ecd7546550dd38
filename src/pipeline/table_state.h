/*
 * The tables of a running pipeline: their state, and how far their copy is. One thread of the copy or stream changes the state of a table at a time;
 * counters are atomic, so that the progress thread may read them at any time.
 */
#ifndef PGC_PIPELINE_TABLE_STATE_H
#define PGC_PIPELINE_TABLE_STATE_H

#include "source/source.h"

#include <pthread.h>
#include <stdatomic.h>

typedef struct pgc_table_state {
    _Atomic(const pgconvoy_table *) table; /* the newest version; only the applying thread changes it */
    atomic_int state;               /* pgconvoy_table_state */
    bool made_anew; /* another table of the name than the checkpoint means */
    bool known;                     /* the sink's checkpoint names it */
    pgconvoy_lsn copy_lsn;
    atomic_llong rows_copied, bytes_copied;
    atomic_llong started_us, ended_us; /* monotonic; 0 not yet */
    atomic_int ranges_left;
} pgc_table_state;

typedef struct pgc_table_states {
    pgc_table_state *items;
    size_t count;
} pgc_table_states;

/* Makes a state for each table, taking over what the checkpoint says. Frees with pgc_table_states_free. */
int pgc_table_states_init(pgc_table_states *states, const pgconvoy_table *const *tables, size_t count,
                          const pgconvoy_checkpoint *checkpoint, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_table_states_free(pgc_table_states *states);

/* The state of the table with that oid (whatever its version), or NULL. */
pgc_table_state *pgc_table_states_find(pgc_table_states *states, uint32_t oid);

/* How many still have to be copied. */
size_t pgc_table_states_unfinished(const pgc_table_states *states);

pgconvoy_table_status pgc_table_state_status(const pgc_table_state *state);

#endif
