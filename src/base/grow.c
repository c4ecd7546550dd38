/* See grow.h. */
#include "base/grow.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FIRST 16

int pgc_grow(void *items, size_t count, size_t *capacity, size_t size, pgconvoy_error *err)
{
    void *first;
    if (count < *capacity)
        return 0;
    size_t wanted = *capacity ? *capacity * 2 : FIRST;
    if (*capacity > SIZE_MAX / 2 || wanted > PTRDIFF_MAX / size) /* not asked of the allocator, which sanitizers have abort */
        return pgc_error_out_of_memory(err);
    memcpy(&first, items, sizeof first); /* whatever type of pointer it is */
    first = realloc(first, wanted * size);
    if (!first)
        return pgc_error_out_of_memory(err);
    memcpy(items, &first, sizeof first);
    *capacity = wanted;
    return 0;
}

int pgc_grow_int(void *items, int count, int *capacity, size_t size, pgconvoy_error *err)
{
    size_t places = (size_t)*capacity;
    if (places > INT_MAX / 2)
        return pgc_error_out_of_memory(err);
    if (pgc_grow(items, (size_t)count, &places, size, err) != 0)
        return -1;
    *capacity = (int)places;
    return 0;
}
