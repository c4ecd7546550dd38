/*
 * The batch that is being filled: an arena and a growing array of changes in it. An empty builder holds no memory, so that an idle
 * stream costs nothing.
 */
#ifndef PGC_SOURCE_POSTGRES_BATCH_H
#define PGC_SOURCE_POSTGRES_BATCH_H

#include "source/source.h"

typedef struct pgc_batch_builder {
    pgc_change_batch *batch; /* in its own arena; NULL: nothing yet */
    pgconvoy_change *items;
    size_t capacity;
    size_t last_count; /* of the batch before: the next is likely to be as large */
} pgc_batch_builder;

/* The arena of the batch, which is made when it is missing. NULL and err when out of memory. */
pgc_arena *pgc_batch_arena(pgc_batch_builder *builder, pgconvoy_error *err) PGC_MUST_CHECK;
/* A new change at the end, zeroed. Valid until the next one is added. NULL and err when out of memory. */
pgconvoy_change *pgc_batch_add(pgc_batch_builder *builder, pgconvoy_error *err) PGC_MUST_CHECK;

static inline size_t pgc_batch_count(const pgc_batch_builder *builder)
{
    return builder->batch ? builder->batch->changes.count : 0;
}

static inline size_t pgc_batch_bytes(const pgc_batch_builder *builder)
{
    return builder->batch ? pgc_arena_used(builder->batch->arena) : 0;
}

/* Hands the batch over and leaves the builder empty. */
pgc_change_batch *pgc_batch_take(pgc_batch_builder *builder, pgconvoy_lsn position, bool at_boundary);
void pgc_batch_discard(pgc_batch_builder *builder);

#endif
