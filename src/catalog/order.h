/* What order.c and loops.c say to each other. */
#ifndef PGC_CATALOG_ORDER_H
#define PGC_CATALOG_ORDER_H

#include "catalog/catalog_internal.h"

/*
 * Takes away dependencies so that fewer loops remain among stuck[], the objects that could not be put in order (by id). At least one loop is broken; an error when none is found.
 */
int pgc_loops_break(pgc_catalog *catalog, pgc_object **stuck, int count, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
