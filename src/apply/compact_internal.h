/* The insides of a compaction, shared by compact.c (changes come in) and compact_result.c (what they come to). */
#ifndef PGC_APPLY_COMPACT_INTERNAL_H
#define PGC_APPLY_COMPACT_INTERNAL_H

#include "apply/compact.h"

typedef struct entry {
    const pgconvoy_value *key;    /* key_count values; a multiset: NULL, row is the key */
    const pgconvoy_value *row;    /* in memory of our own, its bytes behind it, there is room for capacity bytes in all; of the caller's: 0 */
    size_t capacity;
    const struct entry *origin;   /* whose target row has the values that row leaves unchanged; NULL: none are left */
    uint64_t unchanged;           /* as in an item */
    int64_t delta;                /* multiset: copies that come (or go) */
    bool existed, live;
} entry;

typedef struct slot {
    uint64_t hash;
    entry *entry;
} slot;

typedef enum identity { BY_KEY, BY_ROW, BY_NOTHING } identity;

struct pgc_compact {
    const pgconvoy_table *table;
    identity identity;
    pgc_arena *arena;
    slot *slots; /* slot_count of them, a power of two; none for BY_NOTHING */
    size_t slot_count;
    entry **entries; /* in the order they were first met */
    size_t entry_count, entry_capacity;
    pgconvoy_value *scratch_key, *scratch_row; /* key_count and column_count values */
    bool truncated, keep_deletes, rows_stay;
};

#endif
