/* Batch builder: see batch.h. The array doubles inside the arena; starting at the size of the batch before, it seldom has to. */
#include "source/postgres/batch.h"

#include <string.h>

#define ARENA_BLOCK_BYTES ((size_t)64 * 1024)
#define MIN_CHANGES       ((size_t)32)
#define MAX_FIRST_CHANGES ((size_t)64 * 1024)

pgc_arena *pgc_batch_arena(pgc_batch_builder *builder, pgconvoy_error *err)
{
    if (builder->batch)
        return builder->batch->arena;
    pgc_arena *arena = pgc_arena_new(ARENA_BLOCK_BYTES);
    pgc_change_batch *batch = arena ? pgc_arena_zalloc(arena, sizeof *batch) : NULL;
    if (!batch) {
        pgc_arena_free(arena);
        pgc_error_out_of_memory(err);
        return NULL;
    }
    batch->arena = arena;
    builder->batch = batch;
    builder->items = NULL;
    builder->capacity = 0;
    return arena;
}

static int grow(pgc_batch_builder *builder, pgconvoy_error *err)
{
    pgc_arena *arena = pgc_batch_arena(builder, err);
    if (!arena)
        return -1;
    size_t wanted = builder->capacity * 2;
    if (wanted == 0)
        wanted = builder->last_count < MIN_CHANGES         ? MIN_CHANGES
                 : builder->last_count > MAX_FIRST_CHANGES ? MAX_FIRST_CHANGES
                                                           : builder->last_count + builder->last_count / 8;
    if (wanted > SIZE_MAX / 2 / sizeof(pgconvoy_change))
        return pgc_error_out_of_memory(err);
    pgconvoy_change *items = pgc_arena_alloc(arena, wanted * sizeof *items);
    if (!items)
        return pgc_error_out_of_memory(err);
    if (builder->batch->changes.count > 0)
        memcpy(items, builder->items, builder->batch->changes.count * sizeof *items);
    builder->items = items;
    builder->capacity = wanted;
    return 0;
}

pgconvoy_change *pgc_batch_add(pgc_batch_builder *builder, pgconvoy_error *err)
{
    if (pgc_batch_count(builder) >= (builder->batch ? builder->capacity : 0) && grow(builder, err))
        return NULL;
    pgconvoy_change *change = &builder->items[builder->batch->changes.count++];
    memset(change, 0, sizeof *change);
    return change;
}

pgc_change_batch *pgc_batch_take(pgc_batch_builder *builder, pgconvoy_lsn position, bool at_boundary)
{
    pgc_change_batch *batch = builder->batch;
    batch->changes.items = builder->items;
    batch->bytes = pgc_arena_used(batch->arena);
    batch->position = position;
    batch->at_boundary = at_boundary;
    builder->last_count = batch->changes.count;
    builder->batch = NULL;
    builder->items = NULL;
    builder->capacity = 0;
    return batch;
}

void pgc_batch_discard(pgc_batch_builder *builder)
{
    pgc_change_batch_free(builder->batch);
    *builder = (pgc_batch_builder){0};
}
