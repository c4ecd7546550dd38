/*
 * Two advisory locks keep runs apart. One is held by the run itself: there can be one at a time. The other is shared by all its sessions on the target: an earlier run that was killed may have left some
 * that are still at work (a server notices that its client is gone only when it next writes to it), and they are ended before the state is read.
 */
#include "clone/clone_internal.h"

#include "base/clock.h"
#include "postgres/connection.h"

#include <stdio.h>

#define RUN_LOCK     0x70676376 /* "pgcv" */
#define SESSION_LOCK 0x70676377
#define WAIT_MS      60000

static int32_t lock_number(const char *name)
{
    uint32_t hash = 2166136261u;
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    return (int32_t)hash;
}

static int wait_for_lock(pgc_clone *clone, const char *try, const char *before, int wait_ms, bool *locked, pgconvoy_error *err)
{
    int64_t until = pgc_clock_monotonic_us() + (int64_t)wait_ms * 1000;
    for (;;) {
        if (before && pgc_execute(clone->target, before, err))
            return -1;
        if (pgc_query_truth(clone->target, try, 0, NULL, locked, err))
            return -1;
        if (*locked || pgc_clock_monotonic_us() > until || atomic_load(&clone->stop))
            return 0;
        pgc_clock_sleep_ms(50);
    }
}

int clone_state_lock(pgc_clone *clone, pgconvoy_error *err)
{
    int32_t number = lock_number(clone->options->name);
    char sql[512], end[512];
    bool locked = false;
    snprintf(sql, sizeof sql, "SELECT pg_catalog.pg_try_advisory_lock(%d, %d)", RUN_LOCK, number);
    if (wait_for_lock(clone, sql, NULL, 5000, &locked, err))
        return -1;
    if (!locked) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "another run of the copy \"%s\" is at work on the target", clone->options->name);
        pgconvoy_error_hint(err, "wait for it, or stop it and run this command again");
        return -1;
    }
    snprintf(end, sizeof end,
             "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND classid = %d AND objid = %u AND objsubid = 2 AND granted "
             "AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) AND pid <> pg_catalog.pg_backend_pid()",
             SESSION_LOCK, (uint32_t)number);
    snprintf(sql, sizeof sql, "SELECT pg_catalog.pg_try_advisory_lock(%d, %d)", SESSION_LOCK, number);
    if (wait_for_lock(clone, sql, end, WAIT_MS, &locked, err))
        return -1;
    if (!locked) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "sessions of an earlier run of the copy \"%s\" do not end", clone->options->name);
        pgconvoy_error_hint(err, "end them on the target with pg_terminate_backend(), and run this command again");
        return -1;
    }
    /* shared from now on, as by all sessions */
    snprintf(sql, sizeof sql, "SELECT pg_catalog.pg_advisory_unlock(%d, %d); SELECT pg_catalog.pg_advisory_lock_shared(%d, %d)", SESSION_LOCK, number, SESSION_LOCK, number);
    return pgc_execute(clone->target, sql, err);
}

int clone_state_join(const pgc_clone *clone, PGconn *target, pgconvoy_error *err)
{
    char sql[128];
    snprintf(sql, sizeof sql, "SELECT pg_catalog.pg_advisory_lock_shared(%d, %d)", SESSION_LOCK, lock_number(clone->options->name));
    return pgc_execute(target, sql, err);
}
