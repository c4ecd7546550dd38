/* For tests with a server: a type as the source would hand it out, read from the catalog one by one. Types live until
 * catalog_free. */
#ifndef TEST_VALUE_CATALOG_H
#define TEST_VALUE_CATALOG_H

#include "base/arena.h"

#include <libpq-fe.h>

typedef struct catalog {
    PGconn *conn;
    pgc_arena *arena;
    int count;
    pgconvoy_type *types[512]; /* found so far */
} catalog;

/* NULL when there is no such type. */
const pgconvoy_type *catalog_type(catalog *catalog, uint32_t oid);
/* Runs sql and gives its result in the format; fails the test on an error. */
PGresult *catalog_query(catalog *catalog, const char *sql, pgconvoy_format format);

#endif
