/*
 * The switch from the source to the target of a pipeline (or of a subscription): when it is done, the target has every
 * write that the source has acknowledged, and its sequences give out no value that was given out. Up to the end it can
 * be given up, and what was changed at the source is then as before.
 */
#ifndef PGC_INSPECT_CUTOVER_CUTOVER_H
#define PGC_INSPECT_CUTOVER_CUTOVER_H

#include "apply/mapping.h"
#include "base/buffer.h"
#include "base/log.h"

typedef struct pgc_cutover_options {
    const char *source, *target;    /* PostgreSQL connection strings; may hold passwords */
    const char *name;               /* of the pipeline */
    const char *slot, *publication; /* NULL: the pipeline's */
    bool lock_source;               /* make it read-only, and end the sessions that might still write */
    bool verify;                    /* compare sequences and rows, while writes are held */
    bool reverse;                   /* have the opposite pipeline ready; needs lock_source */
    bool skip_unavailable;          /* go on without the pipeline's tables that the target does not have */
    bool dry_run, undo;             /* undo: only make the source writable again */
    pgc_mapping *mapping;           /* the other names that the pipeline gives; NULL or empty: none */
    const char *const (*settings)[2]; /* names and values of the pipeline's own options, for a stretch that is run here */
    size_t setting_count;
    int64_t wait_us;                /* how long to wait for the lag to fall, and for the stream to drain */
    int jobs;
    const char *state_dir;
    pgconvoy_log *log;
} pgc_cutover_options;

typedef struct pgc_cutover pgc_cutover;

/* options must outlive it. */
pgc_cutover *pgc_cutover_new(const pgc_cutover_options *options, pgconvoy_error *err) PGC_MUST_CHECK;
/* Each step is told to the log; the outcome is appended to report. *differences: what --verify found; then the switch
 * was given up. */
int pgc_cutover_run(pgc_cutover *cutover, pgc_buffer *report, int64_t *differences, pgconvoy_error *err) PGC_MUST_CHECK;
/* Gives up soon, by an error; what was changed at the source is undone. From any thread. */
void pgc_cutover_stop(pgc_cutover *cutover);
void pgc_cutover_free(pgc_cutover *cutover);

#endif
