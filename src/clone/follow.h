/* What a sync between two PostgreSQL servers needs before its tables are copied, and still needs after. */
#ifndef PGC_CLONE_FOLLOW_H
#define PGC_CLONE_FOLLOW_H

#include "pipeline/copier.h"

#include <libpq-fe.h>

/* Drops what the pipeline has on the target of tables that are partitions now, of tables that the target does not have.
 * Somebody else's table of such a name is an error. Without work->snapshot nothing is changed. */
int clone_follow_make_room(const pgc_copier_work *work, PGconn *target, pgconvoy_error *err) PGC_MUST_CHECK;
/* Makes partitions that the source has and the target does not, of tables that are partitioned at both ends. Their rows
 * come with the stream. */
int clone_follow_partitions(pgc_copier_work *work, pgconvoy_error *err) PGC_MUST_CHECK;
/* Runs what a copy that was interrupted has left until the stream has caught up (foreign keys that are checked). *done:
 * nothing is left. */
int clone_follow_complete(pgc_copier_work *work, bool *done, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
