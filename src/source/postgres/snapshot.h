/* The snapshot that the copy reads, and the position that goes with it. */
#ifndef PGC_SOURCE_POSTGRES_SNAPSHOT_H
#define PGC_SOURCE_POSTGRES_SNAPSHOT_H

#include "source/postgres/postgres_internal.h"

/* The interface's create_position, begin_snapshot and end_snapshot. */
int pgc_position_create(pgc_postgres_source *source, pgconvoy_lsn *consistent_lsn, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_snapshot_begin(pgc_postgres_source *source, bool first, pgconvoy_lsn *lsn, pgconvoy_error *err) PGC_MUST_CHECK;
/* Has conn begin a transaction that reads as of the snapshot. */
int pgc_snapshot_take(const pgc_postgres_source *source, PGconn *conn, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_snapshot_end(pgc_postgres_source *source);

#endif
