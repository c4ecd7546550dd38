/* What is said of a change by itself. */
#ifndef PGC_APPLY_CHANGE_H
#define PGC_APPLY_CHANGE_H

#include "pgconvoy.h"

/* Bytes of so many values; 0 where there are none. */
static inline size_t pgc_values_bytes(const pgconvoy_value *values, int count)
{
    size_t bytes = 0;
    for (int i = 0; values && i < count; i++)
        bytes += values[i].length > 0 ? (size_t)values[i].length : 0;
    return bytes;
}

/* Bytes of all its values, old and new. */
static inline size_t pgc_change_bytes(const pgconvoy_change *change)
{
    int count = change->table ? change->table->column_count : 0;
    return pgc_values_bytes(change->old, count) + pgc_values_bytes(change->new_, count);
}

#endif
