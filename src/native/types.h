/* The types that tables of one server need on another. */
#ifndef PGC_NATIVE_TYPES_H
#define PGC_NATIVE_TYPES_H

#include "postgres/connection.h"

/*
 * Refuses, by name, types of the tables' columns that the target does not have. tables: rows whose first two columns
 * are schema and name. Both connections have search_path = pg_catalog.
 */
int native_refuse_types(PGconn *source, PGconn *target, const PGresult *tables, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
