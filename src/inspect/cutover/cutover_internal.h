/* What the files of a cutover share. */
#ifndef PGC_INSPECT_CUTOVER_INTERNAL_H
#define PGC_INSPECT_CUTOVER_INTERNAL_H

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
    int64_t held_us;  /* monotonic, since when */
    pgconvoy_lsn lsn; /* up to here everything is at the target */
    size_t sequences_set;
    atomic_bool stop;
    pthread_mutex_t lock; /* guards the next two */
    pgconvoy_pipeline *pipeline;
    struct pgc_verify *verify;
};

int cutover_stopped(pgc_cutover *cutover, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- checks.c: before anything is changed */
int cutover_check(pgc_cutover *cutover, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- hold.c: the source made read-only, and writable again */
int cutover_hold(pgc_cutover *cutover, pgconvoy_error *err) PGC_MUST_CHECK;
/* Once more before the end: nobody has slipped in. */
int cutover_hold_check(pgc_cutover *cutover, pgconvoy_error *err) PGC_MUST_CHECK;
/* Does nothing when it is not held. */
int cutover_release(pgc_cutover *cutover, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
