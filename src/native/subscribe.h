/*
 * PostgreSQL's own logical replication as one command: publication, slot, definitions and subscription are made; then
 * the copying of the tables and the lag are watched. The servers do the work, and go on with it when the command ends.
 */
#ifndef PGC_NATIVE_SUBSCRIBE_H
#define PGC_NATIVE_SUBSCRIBE_H

#include "base/buffer.h"
#include "base/log.h"
#include "postgres/choice.h"

typedef struct pgc_subscribe_options {
    const char *source, *target;
    const char *name;           /* publication, slot and subscription are pgconvoy_NAME */
    const char *publication;    /* one that may be there already, or NULL */
    const char *via, *password; /* as for a link (link.h) */
    const char
        *with; /* "origin = none, two_phase = true": parameters of CREATE SUBSCRIPTION that win over ours; NULL: none */
    pgc_choice choice;
    pgconvoy_if_exists if_exists;
    bool until_caught_up, refresh, drop, dry_run;
    bool to_pipeline, from_pipeline; /* the target of pipeline NAME and of the subscription is one and the same */
    bool (*stopped)(void *arg);
    void *stopped_arg;
    pgconvoy_log *log;
    void (*progress)(void *arg, const pgconvoy_progress *progress);
    void *progress_arg;
    int progress_interval_ms;
    int (*line)(void *arg, const char *line); /* SQL of a dry run, the password masked */
    void *line_arg;
    pgc_buffer *json; /* how it stands at the end, as a JSON document (docs/subscribe.md); NULL: not wanted */
} pgc_subscribe_options;

int pgc_subscribe_run(const pgc_subscribe_options *options, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
