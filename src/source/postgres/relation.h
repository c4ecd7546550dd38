/*
 * The relation cache: for each oid that a Relation message described, the table its rows are decoded into and which column goes where.
 * An entry also keeps what the sink was told last, so that a new version of the table is announced right before the first change that needs it.
 */
#ifndef PGC_SOURCE_POSTGRES_RELATION_H
#define PGC_SOURCE_POSTGRES_RELATION_H

#include "source/postgres/assemble.h"
#include "source/postgres/labels.h"
#include "source/postgres/pgoutput.h"

typedef struct pgc_relation_entry {
    uint32_t oid;
    bool described;              /* a Relation message came */
    bool complete;               /* every column of the table is in the message */
    const pgconvoy_table *table; /* what rows are decoded into now; NULL: not ours */
    const pgconvoy_table *told;  /* the version that the sink has; NULL: none yet */
    pgconvoy_lsn copy_lsn;       /* transactions that commit before it are in the table's snapshot */
    int column_count;            /* of the message */
    const int *map;              /* message column → table column or -1; NULL: the same order, nothing missing on either side */
    int *map_storage;
    pgc_labels *labels;          /* of table; NULL: it has no enum */
    char *fingerprint;           /* the Relation message it came from, to see whether the next one differs */
    size_t fingerprint_length;
} pgc_relation_entry;

typedef struct pgc_relation_cache pgc_relation_cache;

pgc_relation_cache *pgc_relation_cache_new(pgc_resolve_table resolve, void *resolve_arg);
void pgc_relation_cache_free(pgc_relation_cache *cache);

/* The entry of an oid, or NULL. Valid until the cache is freed. */
pgc_relation_entry *pgc_relation_find(pgc_relation_cache *cache, uint32_t oid);
/* The same, made where it is missing. NULL and err when out of memory. */
pgc_relation_entry *pgc_relation_entry_get(pgc_relation_cache *cache, uint32_t oid, pgconvoy_error *err) PGC_MUST_CHECK;

/*
 * The table has another definition from here on in the stream, as was told before any Relation message: told becomes it, and what rows are decoded
 * into as soon as such a message comes, or at once where the columns have the same names in the same order.
 */
int pgc_relation_redefine(pgc_relation_entry *entry, const pgconvoy_table *table, pgconvoy_error *err) PGC_MUST_CHECK;

/* Another version of the entry's table, with the same columns, takes its place. */
int pgc_relation_set_table(pgc_relation_entry *entry, const pgconvoy_table *table, pgconvoy_error *err) PGC_MUST_CHECK;

/* Takes a Relation message (from after the type byte and xid): asks resolve when it says something new. */
int pgc_relation_describe(pgc_relation_cache *cache, pgc_pgoutput_reader *reader, pgconvoy_error *err) PGC_MUST_CHECK;
/* Whether the message at the cursor is the one that described entry. */
bool pgc_relation_is_as_described(const pgc_relation_entry *entry, const pgc_pgoutput_reader *reader);

#endif
