/* Cutting tables into ranges of blocks, so that several readers can share a large one. */
#ifndef PGC_SOURCE_POSTGRES_SPLIT_H
#define PGC_SOURCE_POSTGRES_SPLIT_H

#include "source/postgres/postgres_internal.h"

/* The interface's split. Asks the server nothing: sizes are those that load_tables saw, and the last range of a part is
 * open-ended. Thread-safe. */
int pgc_split_table(const pgc_postgres_source *source, const pgconvoy_table *table, int64_t target_bytes,
                    pgc_range **ranges, size_t *count, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
