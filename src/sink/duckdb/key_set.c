/* A set of keys by their hashes; see duckdb_internal.h for what it is for. Two keys with one hash cost a primary key, no wrong row. */
#include "sink/duckdb/duckdb_internal.h"

#include <stdlib.h>

static uint64_t hash_of(const pgconvoy_table *table, const pgc_compact_item *item)
{
    uint64_t hash;
    if (item->key && !item->row) {
        hash = pgc_compact_hash(item->key, table->key_count);
    } else {
        pgconvoy_value key[32]; /* PostgreSQL's indexes have at most 32 columns */
        int count = table->key_count < 32 ? table->key_count : 32;
        for (int i = 0; i < count; i++)
            key[i] = item->row[table->key[i]];
        hash = pgc_compact_hash(key, count);
    }
    return hash ? hash : 1;
}

static bool has(const pgc_duckdb_key_set *set, uint64_t hash)
{
    size_t at = hash & (set->slot_count - 1);
    while (set->slots[at] && set->slots[at] != hash)
        at = (at + 1) & (set->slot_count - 1);
    return set->slots[at] != 0;
}

bool pgc_duckdb_key_set_meets(const pgc_duckdb_key_set *set, const pgconvoy_table *table, const pgc_compact_item *items,
                              size_t count)
{
    for (size_t i = 0; set->count > 0 && i < count; i++) {
        if (has(set, hash_of(table, &items[i])))
            return true;
    }
    return false;
}

static int grow(pgc_duckdb_key_set *set, pgconvoy_error *err)
{
    size_t wanted = set->slot_count ? set->slot_count * 2 : 256;
    uint64_t *slots = calloc(wanted, sizeof *slots);
    if (!slots)
        return pgc_error_out_of_memory(err);
    for (size_t i = 0; i < set->slot_count; i++) {
        size_t at = set->slots[i] & (wanted - 1);
        while (set->slots[i] && slots[at])
            at = (at + 1) & (wanted - 1);
        if (set->slots[i])
            slots[at] = set->slots[i];
    }
    free(set->slots);
    set->slots = slots;
    set->slot_count = wanted;
    return 0;
}

int pgc_duckdb_key_set_add(pgc_duckdb_key_set *set, const pgconvoy_table *table, const pgc_compact_item *items,
                           size_t count, pgconvoy_error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (set->count * 2 >= set->slot_count && grow(set, err) != 0)
            return -1;
        uint64_t hash = hash_of(table, &items[i]);
        size_t at = hash & (set->slot_count - 1);
        while (set->slots[at] && set->slots[at] != hash)
            at = (at + 1) & (set->slot_count - 1);
        set->count += set->slots[at] == 0;
        set->slots[at] = hash;
    }
    return 0;
}

void pgc_duckdb_key_set_clear(pgc_duckdb_key_set *set)
{
    free(set->slots);
    memset(set, 0, sizeof *set);
}
