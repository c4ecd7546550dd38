/* What the files of a cutover share. */
#ifndef PGC_INSPECT_CUTOVER_INTERNAL_H
#define PGC_INSPECT_CUTOVER_INTERNAL_H

#include "base/arena.h"
#include "inspect/cutover/cutover.h"
#include "inspect/verify/flow.h"

#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>

struct pgc_cutover {
    const pgc_cutover_options *options;
    PGconn *source, *target;
    char slot[80], publication[80];
    verify_flow flow;
    bool streams;    /* another process does; else the last stretch is run here */
    char *hold_path; /* DIR/NAME/cutover: the source is held, and how it was before */
    bool holds;
    char back[64];    /* the opposite pipeline's name */
    bool back_begun;  /* an interrupted run has set where it begins, and the source has been held since */
    bool back_made;   /* by this run: removed when the switch is given up */
    int64_t held_us;  /* monotonic, since when */
    pgconvoy_lsn lsn; /* up to here everything is at the target */
    size_t sequences_set;
    pgc_arena *arena;
    char **left_out; /* tables of the pipeline that the target does not have, as patterns for just them */
    size_t left_out_count;
    const char *left_out_names; /* "public.a, public.b" */
    atomic_bool stop;
    pthread_mutex_t lock; /* guards the next two */
    pgconvoy_pipeline *pipeline;
    struct pgc_verify *verify;
};

/* A session for the cutover, which may write where others may not any more. */
PGconn *cutover_connect(const pgc_cutover *cutover, const char *uri, const char *which,
                        pgconvoy_error *err) PGC_MUST_CHECK;
/* Which pipeline is under way, so that a stop reaches it; NULL when it is done. */
void cutover_set_running(pgc_cutover *cutover, pgconvoy_pipeline *pipeline);
void cutover_on_log(void *cutover, pgconvoy_log_level level, const char *line);

int cutover_stopped(pgc_cutover *cutover, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- checks.c: before anything is changed */
int cutover_check(pgc_cutover *cutover, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- left_out.c: finds the tables that are left out, and refuses them unless the options let them be */
int cutover_find_left_out(pgc_cutover *cutover, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- hold.c: the source made read-only, and writable again */
int cutover_hold(pgc_cutover *cutover, pgconvoy_error *err) PGC_MUST_CHECK;
/* Once more before the end: nobody has slipped in. */
int cutover_hold_check(pgc_cutover *cutover, pgconvoy_error *err) PGC_MUST_CHECK;
/* Does nothing when it is not held. */
int cutover_release(pgc_cutover *cutover, pgconvoy_error *err) PGC_MUST_CHECK;
/* Whether the database is read-only but for that pipeline, by an earlier cutover. */
int cutover_held_for(PGconn *conn, const char *pipeline, bool *held, pgconvoy_error *err) PGC_MUST_CHECK;
/* The target is one that an earlier cutover of the opposite direction has left read-only: made writable. */
int cutover_open_target(pgc_cutover *cutover, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- reverse.c: the opposite pipeline, ready before the switch */

/* NAME_back; of NAME_back it is NAME. */
void cutover_reverse_name(const char *name, char back[64]);
int cutover_reverse_check(pgc_cutover *cutover, pgconvoy_error *err) PGC_MUST_CHECK;
/* Before writes are held: publication, slot and checkpoint are there. */
int cutover_reverse_prepare(pgc_cutover *cutover, pgconvoy_error *err) PGC_MUST_CHECK;
/* While nobody writes at either end: it begins here. */
int cutover_reverse_begin_here(pgc_cutover *cutover, pgconvoy_error *err) PGC_MUST_CHECK;
/* What prepare has made is removed. */
void cutover_reverse_give_up(pgc_cutover *cutover);

#endif
