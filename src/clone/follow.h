/* What a sync between two PostgreSQL servers still needs once its tables are copied. */
#ifndef PGC_CLONE_FOLLOW_H
#define PGC_CLONE_FOLLOW_H

#include "pipeline/copier.h"

/* Makes partitions that the source has and the target does not, of tables that are partitioned at both ends. Their rows
 * come with the stream. */
int clone_follow_partitions(pgc_copier_work *work, pgconvoy_error *err) PGC_MUST_CHECK;
/* Runs what a copy that was interrupted has left until the stream has caught up (foreign keys that are checked). *done:
 * nothing is left. */
int clone_follow_complete(pgc_copier_work *work, bool *done, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
