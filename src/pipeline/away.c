/*
 * While the target is away its changes may be kept on local disk, so that the source need not keep its WAL. The spool
 * is an extension of the slot: it begins where the slot stood, and the stream reads it before it goes on at the server.
 */
#include "pipeline/pipeline_internal.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_EVERY_US INT64_C(1000000)

int pgc_pipeline_prepare_spool(pgconvoy_pipeline *pipeline, const pgc_state_dir *state_dir, pgconvoy_error *err)
{
    const char *dir = pipeline->options.spool_dir;
    free(pipeline->spool_path);
    pipeline->spool_path = NULL;
    if (!dir) {
        char *noted = pgc_state_dir_noted(state_dir, "spool");
        if (noted && access(noted, F_OK) == 0)
            pipeline->spool_path = noted;
        else
            free(noted);
        return 0;
    }
    if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "cannot make the folder %s for the spool: %s", dir,
                           strerror(errno));
        pgconvoy_error_hint(err, "name another with --spool");
        return -1;
    }
    if (asprintf(&pipeline->spool_path, "%s/%s.spool", dir, pipeline->name) >= 0)
        return 0;
    pipeline->spool_path = NULL;
    return pgc_error_out_of_memory(err);
}

typedef struct looking {
    pgconvoy_pipeline *pipeline;
    const pgc_state_dir *state_dir;
    const char *source_id;
    int64_t looked_us;
} looking;

static bool target_is_back(void *arg)
{
    looking *looking = arg;
    if (atomic_load(&looking->pipeline->stop))
        return true;
    int64_t now = pgc_clock_monotonic_us();
    if (now - looking->looked_us < LOOK_EVERY_US)
        return false;
    pgc_run probe = {.options = &looking->pipeline->options, .log = &looking->pipeline->log};
    pgconvoy_checkpoint checkpoint;
    pgconvoy_error err = {0};
    bool back = pgc_pipeline_open_sink(looking->pipeline, &probe, looking->state_dir, looking->source_id, &err) == 0 &&
                probe.sink_ops->read_checkpoint(probe.sink, &checkpoint, &err) == 0;
    pgc_pipeline_close_run(&probe);
    looking->looked_us = pgc_clock_monotonic_us();
    /* what does not heal by itself is for the next attempt to say */
    return back || !err.retriable;
}

bool pgc_pipeline_spool_while_away(pgconvoy_pipeline *pipeline, pgc_state_dir *state_dir)
{
    if (!pipeline->options.spool_dir)
        return false;
    pgc_run run = {.options = &pipeline->options, .log = &pipeline->log};
    const pgconvoy_table *const *tables;
    size_t count;
    pgc_position_status status;
    pgconvoy_error err = {0};
    bool spooled = false;
    if (pgc_state_dir_lock(state_dir, &err) == 0 &&
        pgc_pipeline_open_source(pipeline, &run, state_dir, true, &err) == 0 &&
        run.source_ops->load_tables(run.source, &tables, &count, &err) == 0 &&
        run.source_ops->position_status(run.source, &status, &err) == 0 && status.exists && status.usable) {
        looking looking = {pipeline, state_dir, run.source_ops->id(run.source), 0};
        if (!target_is_back(&looking))
            spooled = run.source_ops->spool(run.source, target_is_back, &looking, &err) == 0;
    }
    if (err.code != PGCONVOY_OK)
        pgc_log_warning(&pipeline->log, "changes are not spooled: %s", err.message);
    pgc_pipeline_close_run(&run);
    return spooled;
}
