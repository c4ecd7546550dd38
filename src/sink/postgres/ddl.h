/* Commands of the source's DDL on the target. */
#ifndef PGC_SINK_POSTGRES_DDL_H
#define PGC_SINK_POSTGRES_DDL_H

#include "sink/postgres/sink_internal.h"

/* The sink's apply_ddl. */
int pgc_pgsink_apply_ddl(void *writer, const pgconvoy_ddl *ddl, pgconvoy_error *err);

/* Whether the last command was done and has brought the table to this version. */
bool pgc_pgsink_ddl_has_followed(const pgc_pgsink_writer *writer, const pgconvoy_table *table);

/* In a trial of DDL: a statement that was run. */
static inline void pgc_pgsink_tell(const pgc_pgsink *sink, const char *sql)
{
    if (sink->config->tell)
        sink->config->tell(sink->config->tell_arg, sql);
}

/* Says that a command was left out and keeps it in pgconvoy.ddl_skipped, in the open transaction of conn. */
int pgc_pgsink_ddl_skip(pgc_pgsink *sink, PGconn *conn, const pgconvoy_ddl *ddl, const char *reason,
                        pgconvoy_error *err) PGC_MUST_CHECK;

#endif
