/* An array that grows by one item at a time, and doubles when it is full. */
#ifndef PGC_BASE_GROW_H
#define PGC_BASE_GROW_H

#include "base/error.h"

#include <stddef.h>

/*
 * Makes room for one more item of size bytes. items is the address of the pointer to the first one (NULL while there
 * are none), which is to be freed; of *capacity places, count are in use. What is new is not set. On failure all is as
 * it was.
 *
 *     if (pgc_grow(&list->oids, list->count, &list->capacity, sizeof *list->oids, err) != 0)
 *         return -1;
 *     list->oids[list->count++] = oid;
 */
int pgc_grow(void *items, size_t count, size_t *capacity, size_t size, pgconvoy_error *err) PGC_MUST_CHECK;
/* The same, where both are counted in int. */
int pgc_grow_int(void *items, int count, int *capacity, size_t size, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
