/*
 * Compaction of changes by key: what a run of changes of one table comes to. The last version of a row wins, an insert that is deleted
 * again is nothing, a key change is a delete and an insert (or a move, where a value is only known to the target's row), and a TRUNCATE
 * forgets what came before it. A sink gathers changes here while work is waiting and then applies the result in bulk.
 *
 * The items of one result concern different rows, so that they may be applied in bulk: first the rows that moves take values from are read, then
 * come deletes, updates, inserts, and the moved rows are inserted, whatever the order of the changes was.
 *
 * Tables with REPLICA IDENTITY FULL and no key are a multiset of rows: their result is how many copies of a row go and how many come.
 *
 * Values are copied; memory is an arena's and is given back by pgc_compact_reset. Not thread-safe.
 */
#ifndef PGC_APPLY_COMPACT_H
#define PGC_APPLY_COMPACT_H

#include "base/arena.h"

typedef struct pgc_compact pgc_compact;

typedef enum pgc_compact_action {
    PGC_COMPACT_DELETE, /* the row with `key` goes (without a key: the row `row`, `copies` times) */
    PGC_COMPACT_MOVE,   /* `row` is inserted; what is PGCONVOY_UNCHANGED in it comes from the row that had `key` before all items */
    PGC_COMPACT_UPDATE, /* the row with the key columns of `row` gets its values, but for those that are PGCONVOY_UNCHANGED */
    PGC_COMPACT_INSERT  /* a new row, complete (without a key: `copies` times) */
} pgc_compact_action;
#define PGC_COMPACT_ACTIONS 4

typedef struct pgc_compact_item {
    const pgconvoy_value *row; /* column_count values; NULL for a DELETE by key */
    const pgconvoy_value *key; /* DELETE by key, MOVE: key_count values in the order of table->key; else NULL */
    size_t copies;             /* 1 for tables with a key */
    size_t order;              /* by the first change that met the row */
    uint64_t unchanged;        /* a bit for each column, modulo 64, whose value in row is PGCONVOY_UNCHANGED */
    bool complete;             /* there is none */
} pgc_compact_item;

typedef struct pgc_compact_result {
    bool truncated; /* everything that was in the table before goes first */
    /*
     * For each action its items, by order; those of MOVE and UPDATE by the set of their unchanged columns first (complete rows in
     * front), so that a run ends where pgc_compact_same_columns says no.
     */
    const pgc_compact_item *items[PGC_COMPACT_ACTIONS];
    size_t count[PGC_COMPACT_ACTIONS];
} pgc_compact_result;

/* For table, which must live as long as the compaction does or until it is replaced. NULL when out of memory. */
pgc_compact *pgc_compact_new(const pgconvoy_table *table);
void pgc_compact_free(pgc_compact *compact);

/* The table, or a newer version of it once everything before was taken and reset. */
const pgconvoy_table *pgc_compact_table(const pgc_compact *compact);

/*
 * Adds an INSERT, UPDATE, DELETE or TRUNCATE of the table. Fails with PGCONVOY_ERROR_DATA on a change that cannot be placed (an UPDATE of a table whose rows
 * cannot be identified, a key that was not sent). The change may be forgotten afterwards, unless pgc_compact_rows_stay was said.
 */
int pgc_compact_add(pgc_compact *compact, const pgconvoy_change *change, pgconvoy_error *err) PGC_MUST_CHECK;

/*
 * Whether a row that comes and goes within the changes is a DELETE all the same: for a target that may have it from an earlier time that the same changes were
 * applied. False to begin with; tables with a key only.
 */
void pgc_compact_keep_deletes(pgc_compact *compact, bool keep);

/* The rows of changes that are added stay where they are until the next reset: they are pointed to, and not copied. False to begin with. */
void pgc_compact_rows_stay(pgc_compact *compact, bool stay);

/* So many keys were met. */
size_t pgc_compact_keys(const pgc_compact *compact);
/* Memory in use, for the caller's budget. */
size_t pgc_compact_bytes(const pgc_compact *compact);
/* True when there is nothing to apply. */
bool pgc_compact_is_empty(const pgc_compact *compact);

/* What it all comes to; valid until the next add or reset. */
int pgc_compact_take(pgc_compact *compact, pgc_compact_result *result, pgconvoy_error *err) PGC_MUST_CHECK;

/* Forgets everything. */
void pgc_compact_reset(pgc_compact *compact);

/* A hash of values by their bytes, for sets of keys. Thread-safe. */
uint64_t pgc_compact_hash(const pgconvoy_value *values, int count);

/* True when the rows of both items have the same columns unchanged. */
bool pgc_compact_same_columns(const pgc_compact *compact, const pgc_compact_item *a, const pgc_compact_item *b);

#endif
