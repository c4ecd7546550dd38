/*
 * Relation cache: a hash table by oid (open addressing, never shrinks: entries are only ever added), the last entry used kept at hand, as
 * changes come in runs of one table.
 */
#include "source/postgres/relation.h"

#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

struct pgc_relation_cache {
    pgc_resolve_table resolve;
    void *resolve_arg;
    pgc_relation_entry **slots;
    size_t slot_count; /* a power of two, or 0 */
    size_t entry_count;
    pgc_relation_entry *last;
    pgc_arena *scratch; /* for the columns of one Relation message */
};

pgc_relation_cache *pgc_relation_cache_new(pgc_resolve_table resolve, void *resolve_arg)
{
    pgc_relation_cache *cache = calloc(1, sizeof *cache);
    if (!cache)
        return NULL;
    cache->resolve = resolve;
    cache->resolve_arg = resolve_arg;
    cache->scratch = pgc_arena_new(4096);
    if (!cache->scratch) {
        free(cache);
        return NULL;
    }
    return cache;
}

void pgc_relation_cache_free(pgc_relation_cache *cache)
{
    if (!cache)
        return;
    for (size_t i = 0; i < cache->slot_count; i++) {
        pgc_relation_entry *entry = cache->slots[i];
        if (!entry)
            continue;
        free(entry->map_storage);
        pgc_labels_free(entry->labels);
        free(entry->fingerprint);
        free(entry);
    }
    free(cache->slots);
    pgc_arena_free(cache->scratch);
    free(cache);
}

/* The slot of oid, or the free one where it belongs. Multiplying spreads oids, which mostly come in runs. */
static pgc_relation_entry **slot_of(pgc_relation_entry **slots, size_t slot_count, uint32_t oid)
{
    size_t at = (oid * UINT32_C(2654435769)) & (slot_count - 1);
    while (slots[at] && slots[at]->oid != oid)
        at = (at + 1) & (slot_count - 1);
    return &slots[at];
}

pgc_relation_entry *pgc_relation_find(pgc_relation_cache *cache, uint32_t oid)
{
    if (cache->last && cache->last->oid == oid)
        return cache->last;
    if (cache->slot_count == 0)
        return NULL;
    pgc_relation_entry *entry = *slot_of(cache->slots, cache->slot_count, oid);
    if (entry)
        cache->last = entry;
    return entry;
}

static int grow(pgc_relation_cache *cache, pgconvoy_error *err)
{
    size_t slot_count = cache->slot_count ? cache->slot_count * 2 : 64;
    pgc_relation_entry **slots = calloc(slot_count, sizeof(pgc_relation_entry *));
    if (!slots)
        return pgc_error_out_of_memory(err);
    for (size_t i = 0; i < cache->slot_count; i++)
        if (cache->slots[i])
            *slot_of(slots, slot_count, cache->slots[i]->oid) = cache->slots[i];
    free(cache->slots);
    cache->slots = slots;
    cache->slot_count = slot_count;
    return 0;
}

pgc_relation_entry *pgc_relation_entry_get(pgc_relation_cache *cache, uint32_t oid, pgconvoy_error *err)
{
    pgc_relation_entry *entry = pgc_relation_find(cache, oid);
    if (entry)
        return entry;
    if (cache->entry_count >= cache->slot_count / 2 && grow(cache, err))
        return NULL;
    entry = calloc(1, sizeof *entry);
    if (!entry) {
        pgc_error_out_of_memory(err);
        return NULL;
    }
    entry->oid = oid;
    *slot_of(cache->slots, cache->slot_count, oid) = entry;
    cache->entry_count++;
    return entry;
}

/* Reads the message into relation; columns are in the scratch arena, names point into the message. */
static int read_relation(pgc_relation_cache *cache, pgc_pgoutput_reader *reader, pgc_stream_relation *relation, pgconvoy_error *err)
{
    relation->oid = pgc_pgoutput_int32(reader);
    relation->schema = pgc_pgoutput_string(reader);
    if (!*relation->schema)
        relation->schema = "pg_catalog";
    relation->name = pgc_pgoutput_string(reader);
    relation->replica_identity = (char)pgc_pgoutput_int8(reader);
    relation->column_count = pgc_pgoutput_int16(reader);
    if (pgc_pgoutput_check(reader, err))
        return -1;
    if (!strchr("dinf", relation->replica_identity) || !relation->replica_identity) {
        pgc_pgoutput_fail(reader, "its replica identity is unknown");
        return pgc_pgoutput_check(reader, err);
    }
    pgc_arena_reset(cache->scratch);
    pgc_relation_column *columns = pgc_arena_alloc(cache->scratch, (size_t)relation->column_count * sizeof *columns);
    if (!columns)
        return pgc_error_out_of_memory(err);
    for (int i = 0; i < relation->column_count && !reader->failure; i++) {
        columns[i].in_key = pgc_pgoutput_int8(reader) & 1;
        columns[i].name = pgc_pgoutput_string(reader);
        columns[i].type_oid = pgc_pgoutput_int32(reader);
        columns[i].typmod = (int32_t)pgc_pgoutput_int32(reader);
    }
    relation->columns = columns;
    return pgc_pgoutput_end(reader, err);
}

/* The table column of a name; mostly the message has them in the table's own order, so the search starts at the place expected. */
static int find_column(const pgconvoy_table *table, const char *name, int expected)
{
    for (int i = 0; i < table->column_count; i++) {
        int at = (int)(((int64_t)expected + i) % table->column_count);
        if (strcmp(table->columns[at].name, name) == 0)
            return at;
    }
    return -1;
}

static int map_columns(pgc_relation_entry *entry, const pgc_stream_relation *relation, pgconvoy_error *err)
{
    const pgconvoy_table *table = entry->table;
    size_t seen_bytes = (size_t)table->column_count / 8 + 1;
    int *map = malloc(((size_t)relation->column_count + 1) * sizeof(int));
    uint8_t *seen = calloc(1, seen_bytes);
    if (!map || !seen) {
        free(map);
        free(seen);
        return pgc_error_out_of_memory(err);
    }
    bool in_order = relation->column_count == table->column_count;
    int found = 0;
    for (int i = 0; i < relation->column_count; i++) {
        int at = find_column(table, relation->columns[i].name, i);
        /* a name that comes twice can only be a broken message; the first one wins */
        if (at >= 0 && (seen[at / 8] & (1 << at % 8)))
            at = -1;
        if (at >= 0) {
            seen[at / 8] |= (uint8_t)(1 << at % 8);
            found++;
        }
        map[i] = at;
        in_order &= at == i;
    }
    free(seen);
    free(entry->map_storage);
    entry->map_storage = map;
    entry->map = in_order ? NULL : map;
    entry->complete = found == table->column_count;
    entry->column_count = relation->column_count;
    return 0;
}

int pgc_relation_set_table(pgc_relation_entry *entry, const pgconvoy_table *table, pgconvoy_error *err)
{
    pgc_labels_free(entry->labels);
    entry->labels = NULL;
    entry->table = table;
    return table ? pgc_labels_new(table, &entry->labels, err) : 0;
}

static bool same_names(const pgconvoy_table *a, const pgconvoy_table *b)
{
    if (a->column_count != b->column_count)
        return false;
    for (int i = 0; i < a->column_count; i++)
        if (strcmp(a->columns[i].name, b->columns[i].name) != 0)
            return false;
    return true;
}

int pgc_relation_redefine(pgc_relation_entry *entry, const pgconvoy_table *table, pgconvoy_error *err)
{
    entry->told = table;
    free(entry->fingerprint);
    entry->fingerprint = NULL;
    entry->fingerprint_length = 0;
    return entry->table && same_names(entry->table, table) ? pgc_relation_set_table(entry, table, err) : 0;
}

/* The server repeats the message after every invalidation, mostly with nothing new in it. */
static bool is_same(const pgc_relation_entry *entry, const uint8_t *bytes, size_t length)
{
    return entry->described && entry->fingerprint && entry->fingerprint_length == length && memcmp(entry->fingerprint, bytes, length) == 0;
}

bool pgc_relation_is_as_described(const pgc_relation_entry *entry, const pgc_pgoutput_reader *reader)
{
    return is_same(entry, reader->at, (size_t)(reader->end - reader->at));
}

int pgc_relation_describe(pgc_relation_cache *cache, pgc_pgoutput_reader *reader, pgconvoy_error *err)
{
    const uint8_t *start = reader->at;
    size_t length = (size_t)(reader->end - reader->at);
    pgc_stream_relation relation;
    if (read_relation(cache, reader, &relation, err))
        return -1;
    pgc_relation_entry *entry = pgc_relation_entry_get(cache, relation.oid, err);
    if (!entry)
        return -1;
    if (is_same(entry, start, length))
        return 0;

    char *fingerprint = malloc(length + 1);
    if (!fingerprint)
        return pgc_error_out_of_memory(err);
    memcpy(fingerprint, start, length);
    const pgconvoy_table *table = NULL;
    if (cache->resolve(cache->resolve_arg, &relation, &table, err)) {
        free(fingerprint);
        return -1;
    }
    free(entry->fingerprint);
    entry->fingerprint = fingerprint;
    entry->fingerprint_length = length;
    entry->described = true;
    if (pgc_relation_set_table(entry, table, err))
        return -1;
    if (!table)
        return 0;
    if (!entry->told)
        entry->told = table;
    return map_columns(entry, &relation, err);
}
