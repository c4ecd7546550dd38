/* The change stream: the replication connection, its feedback, and the assembler that its messages go through. */
#ifndef PGC_SOURCE_POSTGRES_STREAM_READ_H
#define PGC_SOURCE_POSTGRES_STREAM_READ_H

#include "source/postgres/postgres_internal.h"

/* The interface's stream_… functions. Begin and end are for the pipeline's thread while no other uses the stream. */
int pgc_stream_begin(pgc_postgres_source *source, pgconvoy_lsn from_lsn, const pgc_stream_wishes *wishes,
                     pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_stream_next(pgc_postgres_source *source, int timeout_ms, pgc_change_batch **batch,
                    pgconvoy_error *err) PGC_MUST_CHECK;
/* stream_next, which another thread is in, returns; from any thread. Until the next stream begins. */
void pgc_stream_wake(pgc_postgres_source *source);
int pgc_stream_heartbeat(pgc_postgres_source *source, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_stream_confirm(pgc_postgres_source *source, pgconvoy_lsn lsn);
void pgc_stream_end(pgc_postgres_source *source);

/* The sink has all that the spool has, if there is one. */
void pgc_stream_remove_spool(pgc_postgres_source *source);
/* Keeps changes in the spool (config.spool_path) until done says so; see source.h. */
int pgc_stream_spool(pgc_postgres_source *source, bool (*done)(void *arg), void *arg, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
