/* Foreign keys that a command of the source's has added before the rows that they speak of were all there. */
#ifndef PGC_SINK_POSTGRES_DDL_KEYS_H
#define PGC_SINK_POSTGRES_DDL_KEYS_H

#include "base/log.h"
#include "pgconvoy.h"

#include <libpq-fe.h>
#include <stdatomic.h>

/*
 * Checks the pipeline's foreign keys that were made without it, as all its tables are LIVE: each in a transaction of its own, until *stop. One that does not hold
 * (the table that it refers to is none of the pipeline's) stays in pgconvoy.ddl_skipped, and is named once. state_dir may be NULL. 0, or -1 with err set.
 */
int pgc_pgsink_check_keys(PGconn *target, const char *pipeline, const char *state_dir, pgconvoy_log *log, const atomic_bool *stop, pgconvoy_error *err) PGC_MUST_CHECK;

/* How many commands pgconvoy.ddl_skipped has, as text: for `status` only, so that what cannot be written is not missed. state_dir may be NULL. */
void pgc_pgsink_ddl_write_count(const char *state_dir, const char *count);

#endif
