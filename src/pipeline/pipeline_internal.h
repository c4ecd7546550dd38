/* The pipeline itself, and opening and closing its ends. Private to src/pipeline. */
#ifndef PGC_PIPELINE_PIPELINE_INTERNAL_H
#define PGC_PIPELINE_PIPELINE_INTERNAL_H

#include "pipeline/progress.h"
#include "pipeline/run.h"
#include "pipeline/state_dir.h"

struct pgconvoy_pipeline {
    char *source, *target;
    const pgconvoy_sink *sink_ops;
    void *user_data;
    bool own_sink;                  /* of the library's user */
    bool any_identity, little_room; /* overrule.h */
    pgc_options options;
    char name[64];
    pgconvoy_log log;
    int progress_interval_ms;
    pgc_progress_function progress_fn;
    void *progress_arg;
    atomic_bool stop;
    pgc_counters counters;
    char *spool_path;  /* NULL: no spool */
    void (*tell)(void *arg, const char *statement); /* ddl_trial.c; NULL: the sink does what it is told */
    void *tell_arg;
    uint32_t timeline; /* of the source, when it was last spoken with; 0 not known */
};

/* Composes its path; touches nothing. */
int pgc_pipeline_open_state_dir(const pgconvoy_pipeline *pipeline, pgc_state_dir *state_dir,
                                pgconvoy_error *err) PGC_MUST_CHECK;
/* Each sets run's side of it; what was opened is closed by close_run, also after a failure. source_id may be NULL. */
int pgc_pipeline_open_source(pgconvoy_pipeline *pipeline, pgc_run *run, const pgc_state_dir *state_dir, bool streaming,
                             pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_pipeline_open_sink(pgconvoy_pipeline *pipeline, pgc_run *run, const pgc_state_dir *state_dir,
                           const char *source_id, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_pipeline_close_run(pgc_run *run);

/* ---- copier.c: sets run's; refuses options that only one would know. NULL: all tables go through the sink. */
int pgc_pipeline_choose_copier(const pgconvoy_pipeline *pipeline, pgconvoy_action action, const struct pgc_copier **copier, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- found.c: each refuses what is not as it should be. status: where the slot is. */
int pgc_attempt_check_source_id(const pgconvoy_pipeline *pipeline, const pgconvoy_checkpoint *checkpoint, const char *source_id,
                                pgconvoy_error *err) PGC_MUST_CHECK;
/* What the target has and the promoted standby never received is in no source any more. Keeps the timeline. */
int pgc_attempt_check_history(pgconvoy_pipeline *pipeline, const pgc_run *run, const pgconvoy_checkpoint *checkpoint,
                              const pgc_state_dir *state_dir, pgconvoy_error *err) PGC_MUST_CHECK;
/* Holds the slot against the checkpoint: a slot that is gone or has moved on is named, never silently made anew. */
int pgc_attempt_check_position(const pgconvoy_pipeline *pipeline, const pgc_run *run, const pgconvoy_checkpoint *checkpoint,
                               pgc_position_status *status, pgconvoy_error *err) PGC_MUST_CHECK;
/* joining: a table that comes to a pipeline which has others already does not stop them; it is left out, and named. */
int pgc_attempt_check_tables(const pgc_run *run, bool joining, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- away.c: with --spool, keeps the changes on disk until the target can be opened again. Gives false when that cannot be done now. */
bool pgc_pipeline_spool_while_away(pgconvoy_pipeline *pipeline, pgc_state_dir *state_dir);
/* Sets pipeline->spool_path, and makes its folder. Without --spool it is that of an earlier run, if it holds something still. */
int pgc_pipeline_prepare_spool(pgconvoy_pipeline *pipeline, const pgc_state_dir *state_dir, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
