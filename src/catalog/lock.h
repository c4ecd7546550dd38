/* See lock.c. */
#ifndef PGC_CATALOG_LOCK_H
#define PGC_CATALOG_LOCK_H

#include "catalog/catalog_internal.h"

/* Locks the chosen tables, ACCESS SHARE, waiting no longer than options.lock_wait_timeout. */
int pgc_catalog_lock(pgc_catalog *catalog, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
