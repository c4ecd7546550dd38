/*
 * A range is some blocks of a heap. TOASTed values hang on the heap's rows, so a block weighs what the whole part
 * weighs divided by its blocks. Servers before 14 read the whole table for a condition on ctid, so there a part is one
 * range.
 */
#include "source/postgres/split.h"

#include <stdlib.h>

#define RANGES_MAX 4096 /* of one part: more would cost more than they spread */

static int64_t range_count(const pgc_postgres_source *source, const pgc_part *part, int64_t target_bytes)
{
    int64_t blocks = part->heap_bytes / source->block_size;
    if (source->server_version < 140000 || target_bytes <= 0 || blocks < 2)
        return 1;
    int64_t count = (part->total_bytes + target_bytes - 1) / target_bytes;
    if (count > blocks)
        count = blocks;
    return count < 1 ? 1 : count > RANGES_MAX ? RANGES_MAX : count;
}

static void cut(const pgc_postgres_source *source, const pgconvoy_table *table, const pgc_part *part, int64_t count,
                pgc_range *ranges)
{
    int64_t blocks = part->heap_bytes / source->block_size;
    for (int64_t i = 0; i < count; i++) {
        ranges[i].table = table;
        ranges[i].relation_oid = part->oid;
        ranges[i].first_block = i == 0 ? -1 : blocks * i / count;
        ranges[i].end_block = i == count - 1 ? -1 : blocks * (i + 1) / count;
        ranges[i].estimated_bytes = part->total_bytes / count;
    }
}

int pgc_split_table(const pgc_postgres_source *source, const pgconvoy_table *table, int64_t target_bytes,
                    pgc_range **ranges, size_t *count, pgconvoy_error *err)
{
    const pgc_source_table *own = pgc_source_find_table(source, table->oid);
    if (!own) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_INTERNAL, "table %s.%s is none of the source's", table->schema,
                           table->name);
        return -1;
    }
    int64_t total = 0;
    for (int i = 0; i < own->part_count; i++)
        total += range_count(source, &own->parts[i], target_bytes);
    *count = total ? (size_t)total : 1;
    *ranges = calloc(*count, sizeof **ranges);
    if (!*ranges)
        return pgc_error_out_of_memory(err);
    if (total == 0) /* a partitioned table without partitions: it is read itself, and gives nothing */
        **ranges = (pgc_range){.table = table, .relation_oid = table->oid, .first_block = -1, .end_block = -1};
    pgc_range *at = *ranges;
    for (int i = 0; i < own->part_count; i++) {
        int64_t parts = range_count(source, &own->parts[i], target_bytes);
        cut(source, table, &own->parts[i], parts, at);
        at += parts;
    }
    return 0;
}
