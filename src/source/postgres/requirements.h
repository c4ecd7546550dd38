/* What a copy and a stream need of the server, checked before anything is changed, so that each refusal names its
 * object and the mend. */
#ifndef PGC_SOURCE_POSTGRES_REQUIREMENTS_H
#define PGC_SOURCE_POSTGRES_REQUIREMENTS_H

#include "source/postgres/postgres_internal.h"

/* What needs no knowledge of the tables: wal_level, privileges, free slots. To be called before the tables are loaded.
 */
int pgc_requirements_check_server(pgc_postgres_source *source, pgconvoy_error *err) PGC_MUST_CHECK;

/* Privileges, row security and replica identities of source->tables. */
int pgc_requirements_check_tables(pgc_postgres_source *source, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
