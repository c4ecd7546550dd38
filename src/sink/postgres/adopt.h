/*
 * The checkpoint of a pipeline, given to it or taken from it by others: a target that the server's own replication has
 * kept so far goes on as a pipeline's, and the other way round (src/native). Each works in the open transaction of a
 * connection of the caller, so that a target is always exactly one's.
 */
#ifndef PGC_SINK_POSTGRES_ADOPT_H
#define PGC_SINK_POSTGRES_ADOPT_H

#include "base/arena.h"
#include "base/log.h"

#include <libpq-fe.h>

/*
 * Makes the checkpoint of a pipeline that goes on behind lsn, with these tables. Refuses when the pipeline has one
 * already.
 */
int pgc_pgsink_adopt(PGconn *conn, const char *pipeline, const char *source_id, pgconvoy_lsn lsn,
                     const pgconvoy_table_status *tables, size_t count, pgconvoy_log *log,
                     pgconvoy_error *err) PGC_MUST_CHECK;

/* Reads it into arena (source_id NULL: there is none), and keeps the pipeline's own sessions out until the transaction
 * ends. */
int pgc_pgsink_adopted_read(PGconn *conn, const char *pipeline, pgc_arena *arena, pgconvoy_checkpoint *checkpoint,
                            pgconvoy_log *log, pgconvoy_error *err) PGC_MUST_CHECK;

/* Removes it. */
int pgc_pgsink_adopted_remove(PGconn *conn, const char *pipeline, pgconvoy_log *log,
                              pgconvoy_error *err) PGC_MUST_CHECK;

/* Outside of any transaction, afterwards: the replication origin of the pipeline's sessions, where the role may. */
void pgc_pgsink_adopted_origin_drop(PGconn *conn, const char *pipeline, pgconvoy_log *log);

#endif
