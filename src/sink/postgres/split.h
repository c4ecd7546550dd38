/*
 * How the changes of a batch are split among connections. Tables that foreign keys bind to each other are a group, and
 * a group goes to one connection whole, so that it is seen as it was at one moment. A table that nothing binds, and in
 * which two rows with different keys can never be in each other's way, may be sliced by a hash of its key: all changes
 * of a key go to one connection, in their order.
 *
 * What a slice is hangs on the values alone, not on the form or the width they come in: a slice that was written before
 * a crash is told again after it. Which part has which group is chosen anew for each batch, by how much there is to do.
 *
 * Needs no server.
 */
#ifndef PGC_SINK_POSTGRES_SPLIT_H
#define PGC_SINK_POSTGRES_SPLIT_H

#include "base/error.h"

#include <stdint.h>

/* ---- slices of a table */

/* Whether equal keys can be told by their values in every form: whole numbers and uuids. */
bool pgc_pgsink_key_can_slice(const pgconvoy_table *table);
/* The slice, of so many, in which the row with these key columns is. False: a value is not what its type says. */
bool pgc_pgsink_slice_of(const pgconvoy_table *table, const int *key, int key_count, const pgconvoy_value *row,
                         unsigned slices, unsigned *slice);
/* The row that a change means: the old one where the source sent it, as that is the one that is found. */
const pgconvoy_value *pgc_pgsink_row_of(const pgconvoy_change *change);
/* Whether the change takes its row from one slice to another. */
bool pgc_pgsink_changes_slice(const pgconvoy_change *change, unsigned slices);

/* ---- groups of tables, by their oids on the target */

typedef struct pgc_pgsink_groups pgc_pgsink_groups;

pgc_pgsink_groups *pgc_pgsink_groups_new(void);
void pgc_pgsink_groups_free(pgc_pgsink_groups *groups);
/* Makes the groups of both one. */
int pgc_pgsink_groups_bind(pgc_pgsink_groups *groups, uint32_t one, uint32_t other, pgconvoy_error *err) PGC_MUST_CHECK;

#define PGSINK_NO_PART (-1)
#define PGSINK_SLICED (-2)

/* A table of a batch. */
typedef struct pgc_pgsink_share {
    void *owner;       /* the caller's own */
    uint32_t relation; /* its oid on the target */
    size_t changes;
    bool sliceable;
    int part; /* out: the part that has it, or PGSINK_SLICED: each part has a slice */
} pgc_pgsink_share;

/* Forgets which part has which group: a new batch. */
void pgc_pgsink_groups_begin(pgc_pgsink_groups *groups);
/*
 * Gives each of the tables its part. loads, of so many parts, says how many changes each has been given, and is brought
 * up to date. A group that has its part in this batch keeps it. Changes the order of the shares.
 */
int pgc_pgsink_groups_share(pgc_pgsink_groups *groups, pgc_pgsink_share *shares, size_t count, size_t *loads,
                            unsigned parts, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
