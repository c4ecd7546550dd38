/*
 * Tables that another tool makes for the time of its work and drops again. They are of their own server alone. pg_repack has them in its schema, one that fills up
 * and one that logs what changes meanwhile; they can neither be published (no replica identity) nor are of use anywhere else.
 */
#ifndef PGC_POSTGRES_WORKING_TABLES_H
#define PGC_POSTGRES_WORKING_TABLES_H

#include <stdbool.h>
#include <string.h>

/* That a schema holds them, as an SQL expression; n: the alias of its row of pg_namespace. */
#define PGC_WORKING_SCHEMA_SQL(n) "(" n ".nspname = 'repack' AND EXISTS (SELECT FROM pg_catalog.pg_extension x WHERE x.extname = 'pg_repack'))"

/* That a table is one of them, by its name alone: when its changes are read it may long be gone. */
static inline bool pgc_is_working_table(const char *schema, const char *name)
{
    return strcmp(schema, "repack") == 0 && (strncmp(name, "log_", 4) == 0 || strncmp(name, "table_", 6) == 0);
}

#endif
