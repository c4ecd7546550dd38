/* Tables as the pipeline sees them, described from the source's catalog in a few bulk queries, whatever their number.
 */
#ifndef PGC_SOURCE_POSTGRES_TABLES_H
#define PGC_SOURCE_POSTGRES_TABLES_H

#include "source/postgres/postgres_internal.h"

/*
 * Describes the tables of oids, as the catalog has them now: the columns that are sent (by source->publication where it
 * exists), their types, the key, the parts that are read. described gets count pointers in the order of schema and
 * name; *found says how many were there. Takes catalog_lock.
 */
int pgc_tables_describe(pgc_postgres_source *source, PGconn *conn, const uint32_t *oids, size_t count,
                        pgc_source_table **described, size_t *found, pgconvoy_error *err) PGC_MUST_CHECK;

/* Looks again for the partitions of those among source->tables that have any, in conn's transaction. Takes catalog_lock. */
int pgc_tables_describe_parts(pgc_postgres_source *source, PGconn *conn, pgconvoy_error *err) PGC_MUST_CHECK;

/* Chooses and describes the tables and puts them into source->tables and source->table_map. */
int pgc_tables_load(pgc_postgres_source *source, pgconvoy_error *err) PGC_MUST_CHECK;

/*
 * Fills key, key_count and in_key of the columns: identity lists the columns of the replica identity index or primary
 * key by index, in its order; a negative one is a column that is not sent, and then there is no key.
 */
int pgc_table_set_key(pgc_arena *arena, pgconvoy_table *table, const int *identity, int count,
                      pgconvoy_error *err) PGC_MUST_CHECK;

#endif
