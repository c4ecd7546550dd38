/* What the pipeline's watching thread asks of the server while the stream runs, over a connection of its own; and marks
 * in the WAL. */
#ifndef PGC_SOURCE_POSTGRES_WATCH_H
#define PGC_SOURCE_POSTGRES_WATCH_H

#include "source/postgres/postgres_internal.h"

/* These are operations of the source: see source.h. */
int pgc_watch_health(void *source, pgc_source_health *health, pgconvoy_error *err);
int pgc_watch_heartbeat(void *source, pgconvoy_lsn *lsn, pgconvoy_error *err);
int pgc_watch_mark_position(void *source, pgconvoy_lsn *lsn, pgconvoy_error *err);
int pgc_read_sequences(void *source, pgc_source_sequences *sequences, pgconvoy_error *err);

/* The connection, made anew when it was lost. */
PGconn *pgc_watch_conn(pgc_postgres_source *source, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
