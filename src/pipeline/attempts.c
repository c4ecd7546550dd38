/*
 * A pipeline's run is a loop of attempts; an attempt opens both ends, checks (found.c), and goes on from the sink's
 * checkpoint, which is also what a new process does: so a retry after a lost connection and a restart after SIGKILL are
 * one path.
 */
#include "pipeline/pipeline_internal.h"

#include "base/clock.h"
#include "base/retry.h"
#include "pipeline/copier.h"

#include <string.h>

#define RETRY_FIRST_MS 200
#define RETRY_MOST_MS 30000

/* What one attempt holds. */
typedef struct attempt {
    pgc_run run;
    bool established;       /* both ends were opened and checked: from here on what can heal is retried */
    bool waits_for_commits, lacks_label; /* see pgc_run */
    pgconvoy_lsn text_until;
    bool reloaded;          /* this attempt follows one that found other tables before anything moved */
    pgc_known_tables known; /* of the attempts before */
    bool loaded;            /* … which are of this process, or were read */
} attempt;

static void say_plan(const pgconvoy_pipeline *pipeline, const pgc_run *run, pgconvoy_action action,
                     const pgc_position_status *status)
{
    pgconvoy_log *log = run->log;
    if (action != PGCONVOY_COPY && !status->exists)
        pgc_log_info(log, "would create a publication and a replication slot on the source for pipeline %s",
                     pipeline->name);
    for (size_t i = 0; i < run->states.count; i++) {
        const pgc_table_state *state = &run->states.items[i];
        const pgconvoy_table *table = state->table;
        int at = atomic_load(&state->state);
        pgc_log_info(log, "%s %s.%s: about %lld rows, %lld bytes, %d columns",
                     at == PGCONVOY_TABLE_FAILED        ? "would leave out"
                     : at >= PGCONVOY_TABLE_CATCHING_UP ? "is copied:"
                     : action == PGCONVOY_STREAM        ? "would stream"
                                                        : "would copy",
                     table->schema, table->name, (long long)table->estimated_rows, (long long)table->estimated_bytes,
                     table->column_count);
    }
    if (action != PGCONVOY_COPY)
        pgc_log_info(log, "would then stream changes");
}

static int do_copy(pgc_run *run, bool create, pgconvoy_error *err)
{
    if (pgc_table_states_unfinished(&run->states) == 0 && !create) {
        pgc_log_info(run->log, "all %zu tables are copied already", run->states.count);
        return 0;
    }
    return pgc_table_copy_run(run, create, err);
}

/*
 * stream: no table copy; what the sink does not have yet starts empty at the slot's position. Tables that come once it streams are copied, as
 * their first rows are older than their place in the publication; but for two ends that both take writes, where a copy would undo those of the target.
 */
static int do_prepare(pgc_run *run, const pgc_position_status *status, pgconvoy_error *err)
{
    if (status->exists && run->lsn > 0 && !run->options->origin_none)
        return pgc_table_states_unfinished(&run->states) > 0 ? pgc_table_copy_run(run, false, err) : 0;
    pgconvoy_lsn lsn = status->confirmed_lsn;
    if (!status->exists) {
        if (run->source_ops->create_position(run->source, &lsn, err) != 0)
            return -1;
        run->source_ops->end_snapshot(run->source);
    }
    return pgc_table_prepare_only(run, lsn, err);
}

static int do_stream(pgc_run *run, pgconvoy_error *err)
{
    return pgc_change_stream_find_start(run, err) != 0 ? -1 : pgc_change_stream_run(run, err);
}

static int do_action(pgc_run *run, pgconvoy_action action, const pgc_position_status *status, pgconvoy_error *err)
{
    if (action == PGCONVOY_COPY)
        return do_copy(run, false, err);
    int result = action == PGCONVOY_SYNC ? do_copy(run, !status->exists, err) : do_prepare(run, status, err);
    if (result != 0 || pgc_run_stopped(run) || run->options->until == PGC_UNTIL_PREPARED ||
        atomic_load(&run->tables_changed))
        return result;
    return run->lacks_partition && pgc_copier_follow(run, err) ? -1 : do_stream(run, err);
}

/* With the names of slot and publication where they were given, for commands that are given only the pipeline's name.
 */
static int note_ends(const pgconvoy_pipeline *pipeline, pgc_state_dir *state_dir, pgconvoy_error *err)
{
    const pgc_state_note note = {pipeline->source,       pipeline->target,
                                 pipeline->options.slot, pipeline->options.publication,
                                 pipeline->spool_path,   pipeline->timeline};
    return pgc_state_dir_note_ends(state_dir, &note, err);
}

static int try_once(pgconvoy_pipeline *pipeline, attempt *attempt, pgc_state_dir *state_dir, pgconvoy_action action,
                    pgc_reporter *reporter, pgconvoy_error *err)
{
    pgc_run *run = &attempt->run;
    const pgconvoy_table *const *tables;
    size_t count;
    pgconvoy_checkpoint checkpoint;
    pgc_position_status status = {0};
    bool told = false, changed = false;
    if (pgc_pipeline_open_source(pipeline, run, state_dir, action != PGCONVOY_COPY, err) != 0 ||
        run->source_ops->load_tables(run->source, &tables, &count, err) != 0 ||
        (action != PGCONVOY_COPY && run->source_ops->tells_commands(run->source, &told, err) != 0))
        return -1;
    const char *source_id = run->source_ops->id(run->source);
    if (pgc_pipeline_open_sink(pipeline, run, state_dir, source_id, err) != 0 ||
        run->sink_ops->read_checkpoint(run->sink, &checkpoint, err) != 0 ||
        pgc_attempt_check_source_id(pipeline, &checkpoint, source_id, err) != 0 ||
        pgc_table_states_init(&run->states, tables, count, &checkpoint, err) != 0 ||
        pgc_left_tables_find(run, &attempt->known, &checkpoint, err) != 0)
        return -1;
    bool names_follow = run->source_config.names_by_catalog && !told && action != PGCONVOY_COPY;
    if (!attempt->loaded && !(told && (run->sink_ops->capabilities & PGCONVOY_SINK_DDL))) /* who follows commands is told of each in its place */
        pgc_known_tables_load(&attempt->known, state_dir, source_id);
    attempt->loaded = true;
    pgc_known_tables_compare(&attempt->known, run, names_follow);
    pgc_reporter_tables(reporter, &run->states, &run->left);
    run->lsn = checkpoint.lsn;
    run->ahead_lsn = checkpoint.ahead_lsn;
    if (pgc_attempt_check_tables(run, checkpoint.table_count > 0 && action != PGCONVOY_COPY, err) != 0)
        return -1;
    if (action != PGCONVOY_COPY && (pgc_attempt_check_position(pipeline, run, &checkpoint, &status, err) != 0 ||
                                    pgc_attempt_check_history(pipeline, run, &checkpoint, state_dir, err) != 0))
        return -1;
    if (pipeline->options.dry_run) {
        say_plan(pipeline, run, action, &status);
        return 0;
    }
    if (pgc_state_dir_lock(state_dir, err) != 0 || note_ends(pipeline, state_dir, err) != 0)
        return -1;
    attempt->established = true;
    if (names_follow && status.exists && run->sink_ops->rename_tables(run->sink, tables, count, &changed, err) != 0)
        return -1;
    if (changed) { /* the checkpoint has other names now */
        atomic_store(&run->tables_changed, true);
        return 0;
    }
    if (action != PGCONVOY_COPY && status.exists && pgc_left_tables_mark(run, err) != 0)
        return -1;
    if (pgc_known_tables_remember(&attempt->known, &run->states, err) != 0 || pgc_known_tables_store(&attempt->known, state_dir, source_id, err) != 0)
        return -1;
    if (action != PGCONVOY_COPY && status.exists) {
        if (run->source_ops->follow_tables(run->source, run->left.items, run->left.count, &changed, err) != 0)
            return -1;
        if (changed && !attempt->reloaded) { /* before anything moves: begin with them */
            attempt->reloaded = true;
            atomic_store(&run->tables_changed, true);
            return 0;
        }
    }
    attempt->reloaded = false;
    return do_action(run, action, &status, err);
}

/* ---- the loop of attempts */

typedef struct retry {
    pgc_retry again;
    bool established;
    int64_t rows, durable;
} retry;

/* Whether to try again after err, after a pause. A deadlock, with who alters tables, says nothing against what was asked for, at the beginning neither. */
static bool retry_again(pgconvoy_pipeline *pipeline, retry *retry, const pgconvoy_error *err)
{
    if (!err->retriable || !(retry->established || pgc_error_was_rolled_back(err)) || atomic_load(&pipeline->stop))
        return false;
    int64_t rows = atomic_load(&pipeline->counters.rows_copied),
            durable = (int64_t)atomic_load(&pipeline->counters.durable_lsn);
    bool was_current = atomic_load(&pipeline->counters.phase) == PGCONVOY_PHASE_STREAMING; /* of a quiet source no position moves */
    bool forward = was_current || rows != retry->rows || durable != retry->durable;
    retry->rows = rows;
    retry->durable = durable;
    if (!pgc_retry_again(&retry->again, forward, pipeline->options.retry_for_us))
        return false;
    atomic_store(&pipeline->counters.phase, PGCONVOY_PHASE_RETRYING);
    pgc_log_warning(&pipeline->log, "%s; trying again in %d ms", err->message, retry->again.pause_ms);
    return true;
}

/* With a spool the time is used: from the second failure in a row on, changes are kept on disk until the target is
 * back. */
static void pause_before_retry(pgconvoy_pipeline *pipeline, pgc_state_dir *state_dir, retry *retry)
{
    if (retry->again.pause_ms > RETRY_FIRST_MS && pgc_pipeline_spool_while_away(pipeline, state_dir))
        retry->again.failing_since_us = pgc_clock_monotonic_us();
    else
        for (int waited = 0; waited < retry->again.pause_ms && !atomic_load(&pipeline->stop); waited += 50)
            pgc_clock_sleep_ms(50);
    pgc_retry_paused(&retry->again);
}

static void close_attempt(attempt *attempt, pgc_reporter *reporter)
{
    pgc_reporter_tables(reporter, NULL, NULL);
    pgc_pipeline_close_run(&attempt->run);
}

static int run_attempts(pgconvoy_pipeline *pipeline, attempt *attempt, pgc_state_dir *state_dir, pgconvoy_action action,
                        const pgc_copier *copier, pgc_reporter *reporter, pgconvoy_error *err)
{
    retry retry = {.again = {.first_ms = RETRY_FIRST_MS, .most_ms = RETRY_MOST_MS}};
    for (;;) {
        memset(&attempt->run, 0, sizeof attempt->run);
        attempt->run.options = &pipeline->options;
        attempt->run.log = &pipeline->log;
        attempt->run.counters = &pipeline->counters;
        attempt->run.stop = &pipeline->stop;
        attempt->run.copier = copier;
        attempt->run.little_room = pipeline->little_room;
        attempt->run.lacks_partition = strcmp(err->sqlstate, "23514") == 0;
        attempt->run.lacks_label = attempt->lacks_label;
        attempt->run.text_until = attempt->text_until;
        attempt->run.waits_for_commits = attempt->waits_for_commits;
        pgc_error_clear(err);
        int result = try_once(pipeline, attempt, state_dir, action, reporter, err);
        retry.established |= attempt->established || (pipeline->options.spool_dir && pgc_state_dir_is_known(state_dir));
        if (result == 0 && atomic_load(&attempt->run.tables_changed) && !atomic_load(&pipeline->stop)) {
            pgc_log_info(&pipeline->log, "the tables to be moved have changed: going on with those there are now");
            close_attempt(attempt, reporter);
            continue;
        }
        if (result == 0)
            return 0;
        if (err->code == PGCONVOY_OK || (atomic_load(&pipeline->stop) && err->retriable))
            return 0; /* asked to stop while it was at it */
        if (attempt->run.failed_in_progress) {
            attempt->waits_for_commits = true;
            pgconvoy_error_retriable(err, true);
        }
        if (strcmp(err->sqlstate, "22P02") == 0 && attempt->established && !attempt->lacks_label) { /* at once: what helps is done by the next attempt */
            attempt->lacks_label = true;
            pgc_log_info(&pipeline->log, "%s: going on with the labels that the source's enums have now", err->message);
            close_attempt(attempt, reporter);
            continue;
        }
        if (strcmp(err->sqlstate, PGC_ERROR_LOST_TYPE) == 0 && err->code == PGCONVOY_ERROR_SOURCE && attempt->established) {
            pgconvoy_lsn end = atomic_load(&pipeline->counters.source_lsn); /* its rows are before */
            attempt->text_until = end > attempt->run.lsn ? end : UINT64_MAX;
            pgc_log_info(&pipeline->log, "%s: going on with text", err->message);
            close_attempt(attempt, reporter);
            continue;
        }
        if (!retry_again(pipeline, &retry, err))
            return atomic_load(&pipeline->stop) && err->retriable ? 0 : -1;
        close_attempt(attempt, reporter);
        pause_before_retry(pipeline, state_dir, &retry);
    }
}

int pgconvoy_pipeline_run(pgconvoy_pipeline *pipeline, pgconvoy_action action, pgconvoy_error *err)
{
    pgc_state_dir state_dir;
    attempt attempt = {0};
    const pgc_copier *copier;
    if (pgc_pipeline_choose_copier(pipeline, action, &copier, err) != 0)
        return -1;
    /* a copy of its own, so that a later sync between the same ends does not look for the copy's slot */
    if (!pipeline->options.name)
        pipeline->name[0] = action == PGCONVOY_COPY ? 'c' : 'p';
    if (pgc_pipeline_open_state_dir(pipeline, &state_dir, err) != 0)
        return -1;
    if (pgc_pipeline_prepare_spool(pipeline, &state_dir, err) != 0) {
        pgc_state_dir_close(&state_dir);
        return -1;
    }
    memset(&pipeline->counters, 0, sizeof pipeline->counters);
    atomic_store(&pipeline->counters.commit_lag_us, -1);
    atomic_store(&pipeline->counters.retained_bytes, -1);
    atomic_store(&pipeline->counters.left_bytes, -1);
    atomic_store(&pipeline->counters.prepared, -1);
    pgc_reporter *reporter = pgc_reporter_start(&pipeline->counters, pipeline->progress_interval_ms,
                                                pipeline->progress_fn, pipeline->progress_arg);
    int result = run_attempts(pipeline, &attempt, &state_dir, action, copier, reporter, err);
    if (result == 0 && attempt.established) /* not of a dry run, nor of what was stopped before it began */
        atomic_store(&pipeline->counters.phase, PGCONVOY_PHASE_DONE);
    pgc_reporter_end(reporter);
    pgc_pipeline_close_run(&attempt.run);
    pgc_known_tables_free(&attempt.known);
    pgc_state_dir_close(&state_dir);
    return result;
}
