/* See patterns.c. */
#ifndef PGC_CATALOG_PATTERNS_H
#define PGC_CATALOG_PATTERNS_H

#include "catalog/catalog_internal.h"

/* Turns the options' patterns into the catalog's lists of oids, sorted. The errors' messages are those of pg_dump. */
int pgc_catalog_expand_patterns(pgc_catalog *catalog, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
