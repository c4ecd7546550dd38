/* Large objects, as the catalog has them: one by one, or (servers from 17 on) in groups that have the owner and the privileges in common. */
#ifndef PGC_CATALOG_LARGE_OBJECT_H
#define PGC_CATALOG_LARGE_OBJECT_H

#include "catalog/object.h"

/* A large object, or a group: PGC_KIND_LARGE_OBJECT, PGC_KIND_LARGE_OBJECT_GROUP. */
typedef struct pgc_large_object {
    pgc_object object;
    uint32_t *oids;
    int count;
} pgc_large_object;

/* PGC_KIND_LARGE_OBJECT_DATA: the bytes of a group's, or, group being NULL, of all that there are. */
typedef struct pgc_large_object_data {
    pgc_object object;
    const pgc_large_object *group;
} pgc_large_object_data;

#endif
