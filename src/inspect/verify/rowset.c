/* Rows of a result, found by their keys: keys are compared as bytes, whatever order the servers know. */
#include "inspect/verify/verify_internal.h"

#include <stdlib.h>

static int compare_key_to_row(const char *const *key, const PGresult *result, int row, int parts)
{
    for (int part = 0; part < parts; part++) {
        int order = strcmp(key[part], PQgetvalue(result, row, part));
        if (order)
            return order;
    }
    return 0;
}

static int compare_rows(const PGresult *a, int row_a, const PGresult *b, int row_b, int parts)
{
    for (int part = 0; part < parts; part++) {
        int order = strcmp(PQgetvalue(a, row_a, part), PQgetvalue(b, row_b, part));
        if (order)
            return order;
    }
    return 0;
}

static int by_key(const void *a, const void *b, void *arg)
{
    const verify_rowset *rowset = arg;
    return compare_rows(rowset->result, *(const int *)a, rowset->result, *(const int *)b, rowset->parts);
}

int verify_rowset_init(verify_rowset *rowset, PGresult *result, int parts, pgc_arena *arena, pgconvoy_error *err)
{
    *rowset = (verify_rowset){.result = result, .parts = parts, .count = PQntuples(result)};
    rowset->order = pgc_arena_alloc(arena, sizeof *rowset->order * (size_t)(rowset->count + 1));
    if (!rowset->order)
        return pgc_error_out_of_memory(err);
    for (int i = 0; i < rowset->count; i++)
        rowset->order[i] = i;
    qsort_r(rowset->order, (size_t)rowset->count, sizeof *rowset->order, by_key, rowset);
    return 0;
}

void verify_rowset_free(verify_rowset *rowset)
{
    PQclear(rowset->result);
    rowset->result = NULL;
}

int verify_rowset_find(const verify_rowset *rowset, const char *const *key)
{
    int low = 0, high = rowset->count;
    while (low < high) {
        int middle = low + (high - low) / 2,
            order = compare_key_to_row(key, rowset->result, rowset->order[middle], rowset->parts);
        if (order == 0)
            return rowset->order[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return -1;
}

static const char *const *copy_key(const verify_rowset *rowset, int row, pgc_arena *arena)
{
    const char **key = pgc_arena_alloc(arena, sizeof *key * (size_t)rowset->parts);
    for (int part = 0; key && part < rowset->parts; part++)
        if (!(key[part] = pgc_arena_strdup(arena, PQgetvalue(rowset->result, row, part))))
            return NULL;
    return key;
}

int verify_rowset_differ(const verify_rowset *source, const verify_rowset *target, pgc_arena *arena,
                         const char *const ***keys, int *count, pgconvoy_error *err)
{
    *count = 0;
    *keys = pgc_arena_alloc(arena, sizeof **keys * (size_t)(source->count + target->count + 1));
    if (!*keys)
        return pgc_error_out_of_memory(err);
    for (int here = 0, there = 0; here < source->count || there < target->count;) {
        int order = here == source->count    ? 1
                    : there == target->count ? -1
                                             : compare_rows(source->result, source->order[here], target->result,
                                                            target->order[there], source->parts);
        const verify_rowset *of = order <= 0 ? source : target;
        int row = order <= 0 ? source->order[here] : target->order[there];
        bool same = order == 0 && strcmp(PQgetvalue(source->result, row, source->parts),
                                         PQgetvalue(target->result, target->order[there], source->parts)) == 0;
        here += order <= 0;
        there += order >= 0;
        if (same)
            continue;
        if (!((*keys)[*count] = copy_key(of, row, arena)))
            return pgc_error_out_of_memory(err);
        (*count)++;
    }
    return 0;
}
