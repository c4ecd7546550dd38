/* A table's definition as an event trigger wrote it, made into a version of a table of ours. */
#ifndef PGC_SOURCE_POSTGRES_DDL_TABLE_H
#define PGC_SOURCE_POSTGRES_DDL_TABLE_H

#include "format/json_read.h"
#include "source/postgres/stream_tables.h"

/* *built NULL: it is the same as before in all that a sink sees. Takes catalog_lock. */
int pgc_ddl_table_build(pgc_stream_tables *tables, const pgc_json *json, const pgc_source_table *before,
                        pgc_source_table **built, pgconvoy_error *err) PGC_MUST_CHECK;

/*
 * Whether a column came with the definition whose values in the rows from before only the source knows: it was rewritten
 * for them. known: before is what the table was; otherwise any column may have come that could have such values.
 */
bool pgc_ddl_table_has_unknown(const pgc_json *json, const pgc_source_table *before, bool known);

#endif
