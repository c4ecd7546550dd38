/* A catalog without a server: rows are given as text, so that readers, order and writers are tested as the pure functions they are. */
#ifndef PGC_TEST_CATALOG_FIXTURE_H
#define PGC_TEST_CATALOG_FIXTURE_H

#include "catalog/kinds.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

typedef int take_function(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err);

/* Roles "alice" (oid 10) and "bob" (11), schemas pg_catalog (11), public (2200) and "My Schema" (2201). options must outlive it; close it with pgc_catalog_close. */
pgc_catalog *catalog_new(const pgc_dump_options *options, int version);

/*
 * Gives rows to a taker: the first line names the columns, each other one is a row; cells are parted by " | ", and "~" is NULL.
 *     "oid | name | schema\n"
 *     "501 | c1   | 2200\n"
 */
void catalog_take(pgc_catalog *catalog, take_function *take, const char *table);

/* The commands of all entries, in order, each with "-- description tag" before it, in a buffer to be freed. */
pgc_buffer catalog_sql(pgc_catalog *catalog);

/* Asserts that the dump of the catalog is just this text. */
void assert_sql(pgc_catalog *catalog, const char *expected);

#endif
