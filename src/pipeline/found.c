/*
 * What an attempt finds at both ends, before anything moves: whether the target's checkpoint is of this source, the
 * slot where the checkpoint left it, the source's history the one that the target knows, and each table one that the
 * target can take. What is not as it was is named, and the mend with it; nothing is made anew silently.
 */
#include "pipeline/pipeline_internal.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

#define READER_ENDS_MS 3000
#define READER_POLL_MS 100

int pgc_attempt_check_source_id(const pgconvoy_pipeline *pipeline, const pgconvoy_checkpoint *checkpoint,
                                const char *source_id, pgconvoy_error *err)
{
    if (!checkpoint->source_id || strcmp(checkpoint->source_id, source_id) == 0)
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_STATE,
                       "pipeline %s in the target belongs to another source (cluster and database %s, this one is %s)",
                       pipeline->name, checkpoint->source_id, source_id);
    pgconvoy_error_hint(err, "give this pipeline another --name, or remove the old one with: pgconvoy drop %s",
                        pipeline->name);
    return -1;
}

static int gap_error(const pgconvoy_pipeline *pipeline, pgconvoy_lsn have, const pgc_position_status *slot,
                     pgconvoy_error *err)
{
    char from[PGCONVOY_LSN_TEXT_SIZE], to[PGCONVOY_LSN_TEXT_SIZE];
    pgconvoy_error_set(err, PGCONVOY_ERROR_STATE,
                       "the target stands at %s but the replication slot %s has moved on to %s: the changes between "
                       "are not in the target",
                       pgconvoy_lsn_to_text(have, from), slot->name, pgconvoy_lsn_to_text(slot->confirmed_lsn, to));
    pgconvoy_error_hint(err,
                        "was the target restored from a backup, or the slot made anew? start again: pgconvoy drop %s, "
                        "then sync with --if-exists truncate",
                        pipeline->name);
    return -1;
}

/* Says which part of the source's WAL is out of reach, and where from: a standby that was promoted has other slots. */
static int slot_is_gone(const pgconvoy_pipeline *pipeline, const pgc_run *run, pgconvoy_lsn have, const char *slot,
                        pgconvoy_error *err)
{
    char from[PGCONVOY_LSN_TEXT_SIZE], to[PGCONVOY_LSN_TEXT_SIZE], since[64] = "the table copy", promoted[64] = "";
    pgc_source_health health;
    pgc_source_history history;
    if (run->source_ops->health(run->source, &health, err) != 0 ||
        run->source_ops->history(run->source, pipeline->timeline, &history, err) != 0)
        return -1;
    if (have)
        snprintf(since, sizeof since, "%s", pgconvoy_lsn_to_text(have, from));
    if (history.ended)
        snprintf(promoted, sizeof promoted, " (a standby was promoted at %s)", pgconvoy_lsn_to_text(history.ended, from));
    pgconvoy_error_set(
        err, PGCONVOY_ERROR_STATE,
        "the replication slot %s of pipeline %s is gone from the source%s, and with it the changes from %s to %s", slot,
        pipeline->name, promoted, since, pgconvoy_lsn_to_text(health.end_of_wal, to));
    pgconvoy_error_hint(err, "start again: pgconvoy drop %s, then sync with --if-exists truncate%s", pipeline->name,
                        history.ended ? "; from 17 on a standby with sync_replication_slots = on keeps the slot" : "");
    return -1;
}

int pgc_attempt_check_history(pgconvoy_pipeline *pipeline, const pgc_run *run, const pgconvoy_checkpoint *checkpoint,
                              const pgc_state_dir *state_dir, pgconvoy_error *err)
{
    pgconvoy_lsn have = checkpoint->ahead_lsn > run->lsn ? checkpoint->ahead_lsn : run->lsn;
    pgc_source_history history;
    char from[PGCONVOY_LSN_TEXT_SIZE], to[PGCONVOY_LSN_TEXT_SIZE];
    if (!pipeline->timeline)
        pipeline->timeline = pgc_state_dir_noted_timeline(state_dir);
    if (run->source_ops->history(run->source, pipeline->timeline, &history, err) != 0)
        return -1;
    if (history.ended)
        pgc_log_info(run->log, "the source is on timeline %u now, %u before: a standby was promoted", history.timeline,
                     pipeline->timeline);
    if (history.ended && have > history.ended) {
        pgconvoy_error_set(
            err, PGCONVOY_ERROR_STATE,
            "the target has changes from %s to %s of a server that failed, which the promoted standby never received",
            pgconvoy_lsn_to_text(history.ended, from), pgconvoy_lsn_to_text(have, to));
        pgconvoy_error_hint(err,
                            "start again: pgconvoy drop %s, then sync with --if-exists truncate; "
                            "synchronized_standby_slots on the primary "
                            "keeps a target from running ahead of its standbys",
                            pipeline->name);
        return -1;
    }
    if (history.end_of_wal && have > history.end_of_wal) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE,
                           "the target has changes up to %s, and the source's WAL ends at %s: the source was restored from an older state, and what it writes now would "
                           "be taken for what the target has",
                           pgconvoy_lsn_to_text(have, to), pgconvoy_lsn_to_text(history.end_of_wal, from));
        pgconvoy_error_hint(err, "start again: pgconvoy drop %s, then sync with --if-exists truncate", pipeline->name);
        return -1;
    }
    pipeline->timeline = history.timeline;
    return 0;
}

/* A run that was killed before it stored anything leaves a session, of which the server sees the end a moment later. */
static int look_for_reader(const pgc_run *run, pgc_position_status *status, pgconvoy_error *err)
{
    for (int waited = 0; status->exists && status->reader_pid && waited < READER_ENDS_MS && !pgc_run_stopped(run);
         waited += READER_POLL_MS) {
        pgc_clock_sleep_ms(READER_POLL_MS);
        if (run->source_ops->position_status(run->source, status, err) != 0)
            return -1;
    }
    return 0;
}

int pgc_attempt_check_position(const pgconvoy_pipeline *pipeline, const pgc_run *run,
                               const pgconvoy_checkpoint *checkpoint, pgc_position_status *status, pgconvoy_error *err)
{
    if (run->source_ops->position_status(run->source, status, err) != 0)
        return -1;
    bool begins = !checkpoint->source_id && checkpoint->lsn == 0 && checkpoint->table_count == 0;
    /* one that goes on waits for its own former session where it needs the slot */
    if (begins && look_for_reader(run, status, err) != 0)
        return -1;
    if (status->exists && begins && status->reader_pid) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE,
                           "replication slot %s is in use by another, through process %d of the source", status->name,
                           status->reader_pid);
        pgconvoy_error_hint(err, "stop that pipeline, or give this one another --name");
        return -1;
    }
    if (!status->exists) {
        if (begins)
            return 0;
        return slot_is_gone(pipeline, run, checkpoint->lsn, status->name, err);
    }
    if (!status->usable) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "%s", status->reason);
        pgconvoy_error_hint(err, "start again: pgconvoy drop %s, then sync with --if-exists truncate", pipeline->name);
        return -1;
    }
    /* the spool has what the slot has let go */
    if (status->spool_start && status->spool_end >= status->confirmed_lsn)
        status->confirmed_lsn = status->spool_start;
    if (checkpoint->lsn && status->confirmed_lsn > checkpoint->lsn)
        return gap_error(pipeline, checkpoint->lsn, status, err);
    for (size_t i = 0; i < run->states.count && !checkpoint->lsn; i++) {
        const pgc_table_state *state = &run->states.items[i];
        if (state->known && atomic_load(&state->state) >= PGCONVOY_TABLE_CATCHING_UP &&
            state->copy_lsn < status->confirmed_lsn)
            return gap_error(pipeline, state->copy_lsn, status, err);
    }
    return 0;
}

/* A type that the sink cannot make is no trouble where the copier makes the table, from the source's own definitions: it tries them before
 * anything is changed. */
static int check_table(const pgc_run *run, const pgconvoy_table *table, pgconvoy_if_exists if_exists,
                       pgconvoy_error *err)
{
    if (run->sink_ops->check_table(run->sink, table, if_exists, err) == 0)
        return 0;
    bool whole = false;
    pgconvoy_error ignored = {0};
    if (!run->copier || strcmp(err->sqlstate, PGC_ERROR_UNDEFINED_OBJECT) != 0 ||
        run->source_ops->is_whole(run->source, table, &whole, &ignored) != 0 || !whole)
        return -1;
    pgc_error_clear(err);
    return 0;
}

/* With --skip-unavailable: the target cannot have it, whatever it has of that name now. */
static bool is_unavailable(const pgc_run *run, const pgconvoy_table *table)
{
    pgconvoy_error why = {0};
    return run->copier && run->options->skip_unavailable &&
           check_table(run, table, PGCONVOY_IF_EXISTS_DROP, &why) != 0 && !why.retriable;
}

int pgc_attempt_check_tables(const pgc_run *run, bool joining, pgconvoy_error *err)
{
    for (size_t i = 0; i < run->states.count; i++) {
        pgc_table_state *state = &run->states.items[i];
        bool failed_before = state->known && atomic_load(&state->state) == PGCONVOY_TABLE_FAILED;
        if (state->known && !failed_before)
            continue;
        if (check_table(run, state->table, run->options->if_exists, err) == 0) {
            if (failed_before)
                atomic_store(&state->state, PGCONVOY_TABLE_WAITING);
            continue;
        }
        bool left_out = !err->retriable && is_unavailable(run, state->table);
        if ((!joining && !left_out) || err->retriable)
            return -1;
        if (left_out)
            pgc_log_warning(run->log, "left out: table %s.%s (%s)", state->table->schema, state->table->name,
                            err->message);
        else
            pgc_log_warning(run->log, "table %s.%s does not join the pipeline: %s (%s)", state->table->schema,
                            state->table->name, err->message, err->hint);
        pgc_error_clear(err);
        atomic_store(&state->state, PGCONVOY_TABLE_FAILED);
    }
    return 0;
}
