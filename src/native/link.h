/*
 * A source's tables as foreign tables of a target (postgres_fdw): extension, server, user mapping and tables in one
 * transaction; copies of them as materialized views; and all of it undone.
 */
#ifndef PGC_NATIVE_LINK_H
#define PGC_NATIVE_LINK_H

#include "base/buffer.h"
#include "base/log.h"
#include "postgres/choice.h"

typedef struct pgc_link_options {
    const char *source, *target;
    const char *into;     /* the schema on the target, and pgconvoy_INTO the server; NULL: the source's database name */
    const char *via;      /* "host=… port=…" by which the target reaches the source; NULL: as we do */
    const char *password; /* for the user mapping; NULL: what the connection to the source used */
    pgc_choice choice;
    bool writable; /* the foreign tables may be written */
    bool drop;
    bool dry_run;
    char *const *materialize; /* "NAME=TABLE", "NAME=SELECT …", "TABLE" */
    size_t materialize_count;
    pgconvoy_log *log;
    int (*line)(void *arg, const char *line); /* SQL of a dry run, the password masked */
    void *line_arg;
    pgc_buffer *json; /* what was done, as a JSON document (docs/link.md); NULL: not wanted */
} pgc_link_options;

/* Makes the link, or adds to it what the source has more of by now; refreshes materialized copies that are there. */
int pgc_link_run(const pgc_link_options *options, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
