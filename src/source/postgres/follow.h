/* Tables that come and go while the stream runs. */
#ifndef PGC_SOURCE_POSTGRES_FOLLOW_H
#define PGC_SOURCE_POSTGRES_FOLLOW_H

#include "source/postgres/postgres_internal.h"

/* Operations of the source: see source.h. */
int pgc_follow_tables(void *source, const pgconvoy_table_status *left, size_t left_count, bool *changed,
                      pgconvoy_error *err);
int pgc_tells_commands(void *source, bool *tells, pgconvoy_error *err);
int pgc_relation_exists(void *source, const char *schema, const char *name, uint32_t oid, bool *exists,
                        pgconvoy_error *err);

#endif
