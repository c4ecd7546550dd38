/*
 * A partition that is truncated by itself. Where a publication sends partitions under the name of their root the server leaves such a TRUNCATE out
 * (PostgreSQL manual, "CREATE PUBLICATION", publish_via_partition_root), and no event trigger sees one. So the partitions' files are
 * looked at: TRUNCATE gives a table a new one, without a word of what is in it.
 */
#ifndef PGC_SOURCE_POSTGRES_TRUNCATED_H
#define PGC_SOURCE_POSTGRES_TRUNCATED_H

#include "source/postgres/postgres_internal.h"

/*
 * Looks for partitions that were truncated since the last look, or, at the first, since the slot's horizon. Each is told in the WAL, once for all
 * pipelines of the database, and has its root copied anew; where that cannot be told it is said in the log. So are partitions that are gone since the
 * last look, where the sink keeps their rows. The caller's thread's connection.
 */
int pgc_truncated_look(pgc_postgres_source *source, PGconn *conn, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
