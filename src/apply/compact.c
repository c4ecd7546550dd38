/*
 * Compaction: a hash table from key bytes to the one entry of that key. An entry knows two things of its key: whether the target has such a row
 * before all these changes (existed), and what stands there after them (live, row, origin). Everything that is to be done follows from the two
 * at the end; nothing is decided on the way.
 *
 * Key bytes are what the source sent. Two spellings of equal values (1.0 and 1.00, -0 and 0) are two keys; the source sends such a change
 * as a key change, so each spelling is met as the target has it.
 */
#include "apply/compact_internal.h"

#include "apply/change.h"
#include "base/grow.h"
#include "postgres/quote.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_BLOCK ((size_t)1 << 20)
#define FIRST_SLOTS 256 /* a power of two, as all later sizes */

static identity identity_of(const pgconvoy_table *table)
{
    if (table->key_count > 0)
        return BY_KEY;
    return table->replica_identity == 'f' ? BY_ROW : BY_NOTHING;
}

pgc_compact *pgc_compact_new(const pgconvoy_table *table)
{
    pgc_compact *compact = calloc(1, sizeof *compact);
    if (!compact)
        return NULL;
    compact->table = table;
    compact->identity = identity_of(table);
    compact->arena = pgc_arena_new(ARENA_BLOCK);
    compact->scratch_key = calloc((size_t)table->key_count + 1, sizeof *compact->scratch_key);
    compact->scratch_row = calloc((size_t)table->column_count + 1, sizeof *compact->scratch_row);
    if (!compact->arena || !compact->scratch_key || !compact->scratch_row) {
        pgc_compact_free(compact);
        return NULL;
    }
    return compact;
}

void pgc_compact_free(pgc_compact *compact)
{
    if (!compact)
        return;
    pgc_arena_free(compact->arena);
    free(compact->slots);
    free(compact->entries);
    free(compact->scratch_key);
    free(compact->scratch_row);
    free(compact);
}

const pgconvoy_table *pgc_compact_table(const pgc_compact *compact)
{
    return compact->table;
}

size_t pgc_compact_bytes(const pgc_compact *compact)
{
    return pgc_arena_used(compact->arena) + compact->slot_count * sizeof *compact->slots +
           compact->entry_capacity * sizeof(entry *);
}

size_t pgc_compact_keys(const pgc_compact *compact)
{
    return compact->entry_count;
}

bool pgc_compact_is_empty(const pgc_compact *compact)
{
    return compact->entry_count == 0 && !compact->truncated;
}

void pgc_compact_keep_deletes(pgc_compact *compact, bool keep)
{
    compact->keep_deletes = keep;
}

void pgc_compact_rows_stay(pgc_compact *compact, bool stay)
{
    compact->rows_stay = stay;
}

void pgc_compact_reset(pgc_compact *compact)
{
    /* a table that was large once must not cost every small batch after it */
    if (compact->slot_count > 16 * FIRST_SLOTS && compact->entry_count < compact->slot_count / 16) {
        free(compact->slots);
        compact->slots = NULL;
        compact->slot_count = 0;
    } else if (compact->slots) {
        memset(compact->slots, 0, compact->slot_count * sizeof *compact->slots);
    }
    pgc_arena_reset(compact->arena);
    compact->entry_count = 0;
    compact->truncated = false;
}

/* ---- hashing */

static uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_bytes(uint64_t hash, const char *data, size_t length)
{
    uint64_t word;
    for (; length >= 8; data += 8, length -= 8) {
        memcpy(&word, data, 8);
        hash = mix(hash ^ word, UINT64_C(0x9e3779b97f4a7c15));
    }
    word = 0;
    if (length > 0)
        memcpy(&word, data, length);
    return mix(hash ^ word, UINT64_C(0xd1342543de82ef95));
}

uint64_t pgc_compact_hash(const pgconvoy_value *values, int count)
{
    uint64_t hash = UINT64_C(0x2545f4914f6cdd1d);
    for (int i = 0; i < count; i++) {
        hash = mix(hash ^ (uint64_t)(uint32_t)values[i].length, UINT64_C(0xa0761d6478bd642f));
        if (values[i].length > 0)
            hash = hash_bytes(hash, values[i].data, (size_t)values[i].length);
    }
    return hash;
}

static bool same_values(const pgconvoy_value *a, const pgconvoy_value *b, int count)
{
    for (int i = 0; i < count; i++) {
        if (a[i].length != b[i].length)
            return false;
        if (a[i].length > 0 && memcmp(a[i].data, b[i].data, (size_t)a[i].length) != 0)
            return false;
    }
    return true;
}

/* ---- memory */

/* The bytes of values, laid out after the array of count values at to. */
static void lay_out(pgconvoy_value *to, const pgconvoy_value *values, int count)
{
    char *bytes = (char *)(to + count);
    for (int i = 0; i < count; i++) {
        to[i] = values[i];
        if (values[i].length < 0) {
            to[i].data = NULL;
            continue;
        }
        if (values[i].length > 0)
            memcpy(bytes, values[i].data, (size_t)values[i].length);
        to[i].data = bytes;
        bytes += values[i].length;
    }
}

static size_t laid_out_size(const pgconvoy_value *values, int count)
{
    return (size_t)count * sizeof *values + pgc_values_bytes(values, count);
}

static pgconvoy_value *copy_values(pgc_compact *compact, const pgconvoy_value *values, int count, size_t *size)
{
    *size = laid_out_size(values, count);
    pgconvoy_value *copy = pgc_arena_alloc(compact->arena, *size + 1);
    if (copy)
        lay_out(copy, values, count);
    return copy;
}

static int add_entry(pgc_compact *compact, entry **made, pgconvoy_error *err)
{
    if (pgc_grow(&compact->entries, compact->entry_count, &compact->entry_capacity, sizeof *compact->entries, err) != 0)
        return -1;
    *made = pgc_arena_zalloc(compact->arena, sizeof **made);
    if (!*made)
        return pgc_error_out_of_memory(err);
    compact->entries[compact->entry_count++] = *made;
    return 0;
}

static int grow_slots(pgc_compact *compact, pgconvoy_error *err)
{
    size_t wanted = compact->slot_count ? compact->slot_count * 2 : FIRST_SLOTS;
    slot *slots = calloc(wanted, sizeof *slots);
    if (!slots)
        return pgc_error_out_of_memory(err);
    for (size_t i = 0; i < compact->slot_count; i++) {
        if (!compact->slots[i].entry)
            continue;
        size_t at = compact->slots[i].hash & (wanted - 1);
        while (slots[at].entry)
            at = (at + 1) & (wanted - 1);
        slots[at] = compact->slots[i];
    }
    free(compact->slots);
    compact->slots = slots;
    compact->slot_count = wanted;
    return 0;
}

/* The entry of these values (the key, or of a multiset the row), made if there is none yet; *made says so. */
static int find_entry(pgc_compact *compact, const pgconvoy_value *values, int count, entry **found, bool *made,
                      pgconvoy_error *err)
{
    if (compact->entry_count * 2 >= compact->slot_count && grow_slots(compact, err) != 0)
        return -1;
    uint64_t hash = pgc_compact_hash(values, count);
    size_t at = hash & (compact->slot_count - 1);
    for (; compact->slots[at].entry; at = (at + 1) & (compact->slot_count - 1)) {
        entry *e = compact->slots[at].entry;
        if (compact->slots[at].hash == hash && same_values(e->key ? e->key : e->row, values, count)) {
            *found = e;
            *made = false;
            return 0;
        }
    }
    size_t size;
    bool stays = compact->identity == BY_ROW && compact->rows_stay && values != compact->scratch_row;
    const pgconvoy_value *copy = stays ? values : copy_values(compact, values, count, &size);
    if (!copy)
        return pgc_error_out_of_memory(err);
    if (add_entry(compact, found, err) != 0)
        return -1;
    if (compact->identity == BY_KEY)
        (*found)->key = copy;
    else
        (*found)->row = copy;
    compact->slots[at] = (slot){hash, *found};
    *made = true;
    return 0;
}

/* ---- what cannot be placed */

static int misplaced(const pgc_compact *compact, const char *what, pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "table %s.%s: %s", compact->table->schema, compact->table->name, what);
    return -1;
}

static int unidentified(const pgc_compact *compact, pgconvoy_error *err)
{
    misplaced(compact, "an UPDATE or DELETE came for a table whose rows cannot be identified", err);
    char name[PGC_QUOTED_NAME_SIZE];
    pgconvoy_error_hint(err, "give the table a primary key, or run ALTER TABLE %s REPLICA IDENTITY FULL on the source",
                        pgc_quoted_name(compact->table->schema, compact->table->name, name));
    return -1;
}

/* ---- tables with a key */

/* The key of values into compact->scratch_key; what is unchanged there is taken from other (may be NULL). */
static int key_of(pgc_compact *compact, const pgconvoy_value *values, const pgconvoy_value *other, pgconvoy_error *err)
{
    const pgconvoy_table *table = compact->table;
    for (int i = 0; i < table->key_count; i++) {
        const pgconvoy_value *value = &values[table->key[i]];
        if (value->length == PGCONVOY_UNCHANGED && other)
            value = &other[table->key[i]];
        if (value->length == PGCONVOY_UNCHANGED)
            return misplaced(compact, "a change came without the value of a key column", err);
        compact->scratch_key[i] = *value;
    }
    return 0;
}

/* A row that is updated again and again keeps its place, unless the new version leans on the old one's bytes. */
static int keep_row(pgc_compact *compact, entry *e, const pgconvoy_value *row, bool leans, pgconvoy_error *err)
{
    int count = compact->table->column_count;
    if (compact->rows_stay && row != compact->scratch_row) {
        e->row = row;
        e->capacity = 0;
        return 0;
    }
    size_t size = laid_out_size(row, count);
    if (!leans && e->row && size <= e->capacity) {
        lay_out((pgconvoy_value *)e->row, row, count); /* our own, as it has a capacity */
        return 0;
    }
    e->row = copy_values(compact, row, count, &size);
    e->capacity = size;
    return e->row ? 0 : pgc_error_out_of_memory(err);
}

/* Puts row as the entry's row; values that it leaves unchanged come from known (the row as it was known so far), if there is one. */
static int set_row(pgc_compact *compact, entry *e, const pgconvoy_value *row, const pgconvoy_value *known,
                   const entry *origin, pgconvoy_error *err)
{
    int count = compact->table->column_count;
    uint64_t unchanged = 0;
    bool merged = false;
    for (int i = 0; i < count; i++) {
        if (row[i].length != PGCONVOY_UNCHANGED)
            continue;
        if (known && !merged) {
            if (row != compact->scratch_row)
                memcpy(compact->scratch_row, row, (size_t)count * sizeof *row);
            row = compact->scratch_row;
            merged = true;
        }
        if (known)
            compact->scratch_row[i] = known[i];
        if (row[i].length == PGCONVOY_UNCHANGED)
            unchanged |= UINT64_C(1) << i % 64;
    }
    bool complete = unchanged == 0;
    if (!complete && !origin)
        return misplaced(compact, "an UPDATE came without unchanged values for a row that was not there before", err);

    if (keep_row(compact, e, row, merged, err) != 0)
        return -1;
    e->live = true;
    e->unchanged = unchanged;
    e->origin = complete ? NULL : origin;
    return 0;
}

static int add_insert(pgc_compact *compact, const pgconvoy_change *change, pgconvoy_error *err)
{
    entry *e;
    bool made;
    if (key_of(compact, change->new_, NULL, err) != 0 ||
        find_entry(compact, compact->scratch_key, compact->table->key_count, &e, &made, err) != 0)
        return -1;
    return set_row(compact, e, change->new_, NULL, NULL, err);
}

static int add_delete(pgc_compact *compact, const pgconvoy_value *old, pgconvoy_error *err)
{
    entry *e;
    bool made;
    if (key_of(compact, old, NULL, err) != 0 ||
        find_entry(compact, compact->scratch_key, compact->table->key_count, &e, &made, err) != 0)
        return -1;
    if (made)
        e->existed = !compact->truncated;
    e->live = false;
    e->origin = NULL;
    return 0;
}

/* The row of *from, as far as it is known, becomes that of to; they may be one and the same. */
static int move_row(pgc_compact *compact, entry *from, entry *to, const pgconvoy_value *row, pgconvoy_error *err)
{
    const pgconvoy_value *known = from->live ? from->row : NULL;
    const entry *origin = from->live ? from->origin : NULL;
    if (set_row(compact, to, row, known, origin, err) != 0)
        return -1;
    if (from != to) {
        from->live = false;
        from->origin = NULL;
    }
    return 0;
}

static int add_update(pgc_compact *compact, const pgconvoy_change *change, pgconvoy_error *err)
{
    const pgconvoy_table *table = compact->table;
    entry *from, *to;
    bool made;
    /* the row as it was: by its old key, or without one by the key it still has */
    if (key_of(compact, change->old ? change->old : change->new_, NULL, err) != 0 ||
        find_entry(compact, compact->scratch_key, table->key_count, &from, &made, err) != 0)
        return -1;
    if (made && !compact->truncated) {
        from->existed = true;
        from->live = true;
        from->origin = from; /* its row is the target's, and nothing more is known of it */
    }
    to = from;
    if (change->old) {
        if (key_of(compact, change->new_, change->old, err) != 0)
            return -1;
        if (!same_values(from->key, compact->scratch_key, table->key_count) &&
            find_entry(compact, compact->scratch_key, table->key_count, &to, &made, err) != 0)
            return -1;
    }
    /* of an old row only the whole one ('O') may stand in for unchanged values, with 'K' all but the key is NULL; a key column can be
     * unchanged too, when it is long enough for TOAST */
    const pgconvoy_value *row = change->new_;
    if (change->old) {
        pgconvoy_value *filled = compact->scratch_row;
        for (int i = 0; i < table->column_count; i++) {
            bool take = change->old_kind == 'O' && row[i].length == PGCONVOY_UNCHANGED;
            filled[i] = take ? change->old[i] : row[i];
        }
        for (int i = 0; i < table->key_count; i++)
            filled[table->key[i]] = compact->scratch_key[i];
        row = filled;
    }
    return move_row(compact, from, to, row, err);
}

/* ---- tables that are a multiset of rows */

static int add_copies(pgc_compact *compact, const pgconvoy_value *row, int64_t delta, pgconvoy_error *err)
{
    for (int i = 0; i < compact->table->column_count; i++) {
        if (row[i].length == PGCONVOY_UNCHANGED)
            return misplaced(compact, "a change came without all values of its old row", err);
    }
    entry *e;
    bool made;
    if (find_entry(compact, row, compact->table->column_count, &e, &made, err) != 0)
        return -1;
    e->delta += delta;
    return 0;
}

static int add_multiset(pgc_compact *compact, const pgconvoy_change *change, pgconvoy_error *err)
{
    if (change->operation != PGCONVOY_INSERT && !change->old)
        return misplaced(compact, "a change came without its old row", err);
    if (change->operation == PGCONVOY_DELETE)
        return add_copies(compact, change->old, -1, err);
    const pgconvoy_value *row = change->new_;
    if (change->operation == PGCONVOY_UPDATE) {
        for (int i = 0; i < compact->table->column_count; i++) {
            if (row[i].length != PGCONVOY_UNCHANGED)
                continue;
            if (row != compact->scratch_row)
                memcpy(compact->scratch_row, row, (size_t)compact->table->column_count * sizeof *row);
            row = compact->scratch_row;
            compact->scratch_row[i] = change->old[i];
        }
        if (add_copies(compact, change->old, -1, err) != 0)
            return -1;
    }
    return add_copies(compact, row, 1, err);
}

/* ---- tables that only take inserts */

static int add_unidentified(pgc_compact *compact, const pgconvoy_change *change, pgconvoy_error *err)
{
    if (change->operation != PGCONVOY_INSERT)
        return unidentified(compact, err);
    entry *e;
    if (add_entry(compact, &e, err) != 0)
        return -1;
    return set_row(compact, e, change->new_, NULL, NULL, err);
}

int pgc_compact_add(pgc_compact *compact, const pgconvoy_change *change, pgconvoy_error *err)
{
    if (change->operation == PGCONVOY_TRUNCATE) {
        pgc_compact_reset(compact);
        compact->truncated = true;
        return 0;
    }
    if (compact->identity == BY_NOTHING)
        return add_unidentified(compact, change, err);
    if (compact->identity == BY_ROW)
        return add_multiset(compact, change, err);
    switch (change->operation) {
    case PGCONVOY_INSERT:
        return add_insert(compact, change, err);
    case PGCONVOY_UPDATE:
        return add_update(compact, change, err);
    case PGCONVOY_DELETE:
        if (!change->old)
            return misplaced(compact, "a DELETE came without the key of its row", err);
        return add_delete(compact, change->old, err);
    default:
        pgconvoy_error_set(err, PGCONVOY_ERROR_INTERNAL, "operation %d cannot be compacted", change->operation);
        return -1;
    }
}
