/* What the files of a relation's dependents share. */
#ifndef PGC_CATALOG_DEPENDENT_SHARED_H
#define PGC_CATALOG_DEPENDENT_SHARED_H

#include "catalog/dependent.h"
#include "catalog/kinds.h"

/* pgc_catalog_add for what hangs on a relation: in its schema, owned by its owner, all parts wanted. */
static inline void *dependent_add(pgc_catalog *catalog, pgc_kind kind, size_t size, uint32_t class_oid, uint32_t oid, const char *name,
                                  pgc_relation *relation, pgconvoy_error *err)
{
    pgc_object *object = pgc_catalog_add(catalog, kind, size, class_oid, oid, name, relation->object.schema, err);
    if (!object)
        return NULL;
    object->owner = relation->object.owner;
    object->wanted = PGC_PART_ALL;
    return object;
}

/* How many rows from this one on have its value in the column: the rows of one relation, where they are sorted by it. */
static inline int rows_alike(const pgc_rows *rows, int row, int column)
{
    uint32_t value = pgc_rows_oid(rows, row, column);
    int count = 1;
    while (row + count < rows->count && pgc_rows_oid(rows, row + count, column) == value)
        count++;
    return count;
}

/* trigger.c: what ALTER … TRIGGER and RULE say for tgenabled, evtenabled and ev_enabled: "ENABLE ALWAYS". */
const char *pgc_enabled_words(char enabled);

#endif
