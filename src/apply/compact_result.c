/* What a compaction comes to: each entry judged by what was there before and what is there after. */
#include "apply/compact_internal.h"

#include <stdlib.h>
#include <string.h>

bool pgc_compact_same_columns(const pgc_compact *compact, const pgc_compact_item *a, const pgc_compact_item *b)
{
    if (a->unchanged != b->unchanged || a->complete || compact->table->column_count <= 64)
        return a->unchanged == b->unchanged;
    for (int i = 0; i < compact->table->column_count; i++) {
        if ((a->row[i].length == PGCONVOY_UNCHANGED) != (b->row[i].length == PGCONVOY_UNCHANGED))
            return false;
    }
    return true;
}

static int compare_columns(const void *left, const void *right, void *arg)
{
    const pgc_compact *compact = arg;
    const pgc_compact_item *a = left, *b = right;
    uint64_t differ = a->unchanged ^ b->unchanged;
    if (differ) /* the first column of these decides: complete rows come in front */
        return a->unchanged & differ & -differ ? 1 : -1;
    for (int i = 0; !a->complete && compact->table->column_count > 64 && i < compact->table->column_count; i++) {
        int x = a->row[i].length == PGCONVOY_UNCHANGED, y = b->row[i].length == PGCONVOY_UNCHANGED;
        if (x != y)
            return x - y;
    }
    return a->order < b->order ? -1 : a->order > b->order;
}

/* What one entry comes to: at most two actions, in actions. Returns how many. */
static int judge(const pgc_compact *compact, const entry *e, pgc_compact_action actions[2])
{
    if (compact->identity == BY_ROW) {
        actions[0] = e->delta < 0 ? PGC_COMPACT_DELETE : PGC_COMPACT_INSERT;
        return e->delta != 0;
    }
    if (!e->live) {
        actions[0] = PGC_COMPACT_DELETE;
        return e->existed || compact->keep_deletes;
    }
    if (e->unchanged == 0 || e->origin == e) {
        actions[0] = e->existed ? PGC_COMPACT_UPDATE : PGC_COMPACT_INSERT;
        return 1;
    }
    actions[0] = PGC_COMPACT_MOVE;
    actions[1] = PGC_COMPACT_DELETE; /* another row had this key before and is gone */
    return e->existed ? 2 : 1;
}

static void fill_item(pgc_compact_item *item, const entry *e, pgc_compact_action action, size_t order)
{
    *item = (pgc_compact_item){.row = e->row, .order = order, .copies = 1, .unchanged = e->unchanged, .complete = e->unchanged == 0};
    if (!e->key && e->delta != 0) {
        item->copies = e->delta < 0 ? (size_t)-e->delta : (size_t)e->delta;
    } else if (action == PGC_COMPACT_DELETE) {
        item->row = NULL;
        item->key = e->key;
    } else if (action == PGC_COMPACT_MOVE) {
        item->key = e->origin->key;
    }
}

int pgc_compact_take(pgc_compact *compact, pgc_compact_result *result, pgconvoy_error *err)
{
    pgc_compact_action actions[2];
    memset(result, 0, sizeof *result);
    result->truncated = compact->truncated;
    for (size_t i = 0; i < compact->entry_count; i++) {
        for (int n = judge(compact, compact->entries[i], actions); n > 0; n--)
            result->count[actions[n - 1]]++;
    }
    pgc_compact_item *items[PGC_COMPACT_ACTIONS] = {0};
    size_t used[PGC_COMPACT_ACTIONS] = {0};
    for (int a = 0; a < PGC_COMPACT_ACTIONS; a++) {
        items[a] = pgc_arena_alloc(compact->arena, result->count[a] * sizeof(pgc_compact_item) + 1);
        if (!items[a])
            return pgc_error_out_of_memory(err);
        result->items[a] = items[a];
    }
    bool sort[PGC_COMPACT_ACTIONS] = {false};
    for (size_t i = 0; i < compact->entry_count; i++) {
        for (int n = judge(compact, compact->entries[i], actions); n > 0; n--) {
            pgc_compact_action action = actions[n - 1];
            pgc_compact_item *item = &items[action][used[action]++];
            fill_item(item, compact->entries[i], action, i);
            sort[action] = sort[action] || (item->row && !pgc_compact_same_columns(compact, item, items[action])); /* else they are in order */
        }
    }
    for (int a = 0; a < PGC_COMPACT_ACTIONS; a++) {
        if (sort[a])
            qsort_r(items[a], result->count[a], sizeof *items[a], compare_columns, compact);
    }
    return 0;
}
