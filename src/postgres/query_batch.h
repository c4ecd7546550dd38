/*
 * Several queries in one round trip. Each is a transaction of its own: one that fails leaves the others alone, and its
 * error stands in its own place.
 */
#ifndef PGC_POSTGRES_QUERY_BATCH_H
#define PGC_POSTGRES_QUERY_BATCH_H

#include "postgres/connection.h"

#define PGC_BATCH_VALUES 6

typedef struct pgc_batch_query {
    const char *sql;
    int count; /* of values */
    const char *values[PGC_BATCH_VALUES];
    PGresult *result;   /* given; NULL when it failed. The caller's to clear */
    pgconvoy_error err; /* why it failed */
} pgc_batch_query;

/* Runs them all. -1 and err only when the connection is lost; results so far stay the caller's. */
int pgc_query_batch(PGconn *conn, pgc_batch_query *queries, size_t count, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
