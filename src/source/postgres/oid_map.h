/* A map from oid (never 0) to a pointer; grows as needed. Not thread-safe. */
#ifndef PGC_SOURCE_POSTGRES_OID_MAP_H
#define PGC_SOURCE_POSTGRES_OID_MAP_H

#include "base/error.h"

typedef struct pgc_oid_map {
    struct pgc_oid_map_slot {
        uint32_t oid; /* 0: free */
        void *value;
    } * slots;
    size_t capacity; /* a power of two, or 0 */
    size_t count;
} pgc_oid_map;

/* A zeroed map is an empty one. */
void pgc_oid_map_free(pgc_oid_map *map);
/* NULL when absent. */
void *pgc_oid_map_get(const pgc_oid_map *map, uint32_t oid);
/* Gives an oid that is there another value, which may be NULL; others are left out. */
void pgc_oid_map_replace(pgc_oid_map *map, uint32_t oid, void *value);
/* Replaces what is there. */
int pgc_oid_map_put(pgc_oid_map *map, uint32_t oid, void *value, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
