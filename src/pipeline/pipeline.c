/*
 * A pipeline: the public object, and its run. A run is a loop of attempts; an attempt opens both ends, checks, and goes on from the sink's checkpoint, which is
 * also what a new process does: so a retry after a lost connection and a restart after SIGKILL are one path.
 */
#include "pipeline/pipeline_internal.h"
#include "pipeline/copier.h"
#include "pipeline/overrule.h"

#include "base/clock.h"
#include "pipeline/mapped_sink.h"
#include "postgres/connection.h"
#include "sink/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_FIRST_MS 200
#define RETRY_MOST_MS  30000
#define READER_ENDS_MS 3000
#define READER_POLL_MS 100

/* What one attempt holds. */
typedef struct attempt {
    pgc_run run;
    bool established; /* both ends were opened and checked: from here on what can heal is retried */
    bool reloaded;    /* this attempt follows one that found other tables before anything moved */
    pgc_known_tables known; /* of the attempts before in this process */
} attempt;

static pgconvoy_pipeline *pipeline_new(const char *source, const char *target, const pgconvoy_sink *sink_ops,
                                       void *user_data, pgconvoy_error *err)
{
    if (pgc_connection_check_uri(source, err) != 0)
        return NULL;
    pgconvoy_pipeline *pipeline = calloc(1, sizeof *pipeline);
    if (!pipeline || !(pipeline->source = strdup(source)) || !(pipeline->target = strdup(target))) {
        pgc_error_out_of_memory(err);
        pgconvoy_pipeline_free(pipeline);
        return NULL;
    }
    pipeline->sink_ops = sink_ops;
    pipeline->user_data = user_data;
    pgc_options_init(&pipeline->options);
    pgc_options_derive_name(source, target, pipeline->name);
    return pipeline;
}

pgconvoy_pipeline *pgconvoy_pipeline_new(const char *source, const char *target, pgconvoy_error *err)
{
    const pgconvoy_sink *sink_ops = pgc_sink_for_target(target, err);
    return sink_ops ? pipeline_new(source, target, sink_ops, NULL, err) : NULL;
}

pgconvoy_pipeline *pgconvoy_pipeline_new_with_sink(const char *source, const pgconvoy_sink *sink, void *user_data,
                                                   pgconvoy_error *err)
{
    if (sink->version != PGCONVOY_SINK_VERSION) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "the sink \"%s\" has interface version %d, this library has %d", sink->name,
                           sink->version, PGCONVOY_SINK_VERSION);
        pgconvoy_error_hint(err, "compile the sink with this library's pgconvoy.h");
        return NULL;
    }
    pgconvoy_pipeline *pipeline = pipeline_new(source, sink->name, sink, user_data, err);
    if (pipeline)
        pipeline->own_sink = true;
    return pipeline;
}

int pgconvoy_pipeline_set(pgconvoy_pipeline *pipeline, const char *option, const char *value, pgconvoy_error *err)
{
    if (pgc_options_set(&pipeline->options, option, value, err) != 0)
        return -1;
    if (pipeline->options.name)
        snprintf(pipeline->name, sizeof pipeline->name, "%s", pipeline->options.name);
    return 0;
}

const char *pgconvoy_pipeline_name(const pgconvoy_pipeline *pipeline)
{
    return pipeline->name;
}

void pgc_pipeline_allow_any_identity(pgconvoy_pipeline *pipeline)
{
    pipeline->any_identity = true;
}

void pgc_pipeline_allow_little_room(pgconvoy_pipeline *pipeline)
{
    pipeline->little_room = true;
}

void pgconvoy_pipeline_stop(pgconvoy_pipeline *pipeline)
{
    atomic_store(&pipeline->stop, true);
}

void pgconvoy_pipeline_on_progress(pgconvoy_pipeline *pipeline, int interval_ms,
                                   void (*fn)(void *arg, const pgconvoy_progress *progress), void *arg)
{
    pipeline->progress_interval_ms = interval_ms;
    pipeline->progress_fn = fn;
    pipeline->progress_arg = arg;
}

void pgconvoy_pipeline_on_log(pgconvoy_pipeline *pipeline,
                              void (*fn)(void *arg, pgconvoy_log_level level, const char *line), void *arg)
{
    pipeline->log.write = fn;
    pipeline->log.arg = arg;
}

void pgconvoy_pipeline_free(pgconvoy_pipeline *pipeline)
{
    if (!pipeline)
        return;
    free(pipeline->source);
    free(pipeline->target);
    pgc_options_free(&pipeline->options);
    free(pipeline->spool_path);
    free(pipeline);
}

/* ---- opening and closing both ends */

int pgc_pipeline_open_state_dir(const pgconvoy_pipeline *pipeline, pgc_state_dir *state_dir, pgconvoy_error *err)
{
    if (pipeline->options.state_dir)
        return pgc_state_dir_init(state_dir, pipeline->options.state_dir, pipeline->name, err);
    char *dir = pgc_options_default_state_dir();
    if (!dir) {
        state_dir->path = NULL;
        state_dir->lock_fd = -1;
        return pgc_error_out_of_memory(err);
    }
    int result = pgc_state_dir_init(state_dir, dir, pipeline->name, err);
    free(dir);
    return result;
}

static bool is_stopped(void *arg)
{
    return atomic_load((atomic_bool *)arg);
}

int pgc_pipeline_open_source(pgconvoy_pipeline *pipeline, pgc_run *run, const pgc_state_dir *state_dir, bool streaming,
                       pgconvoy_error *err)
{
    const pgc_options *options = &pipeline->options;
    run->source_config = (pgc_source_config){
        .uri = pipeline->source,
        .pipeline_name = pipeline->name,
        .publication = options->publication,
        .slot = options->slot,
        .include_tables = (const char *const *)options->include_tables.items,
        .exclude_tables = (const char *const *)options->exclude_tables.items,
        .include_schemas = (const char *const *)options->include_schemas.items,
        .exclude_schemas = (const char *const *)options->exclude_schemas.items,
        .partitions_as_leaves = options->partitions_as_leaves,
        .streaming = streaming,
        .any_identity = pipeline->any_identity,
        .mapping = options->mapping,
        .failover = options->failover,
        .origin_none = options->origin_none,
        .unused_sequences = options->split_sequences != NULL,
        .ddl = options->ddl,
        .ddl_as_text = !pgc_mapping_renames(options->mapping) && (pipeline->sink_ops->capabilities & PGCONVOY_SINK_DDL_TEXT) != 0,
        .spool_path = pipeline->spool_path,
        .spool_bytes = options->spool_bytes,
        .jobs = options->jobs,
        .memory_bytes = options->memory_bytes / 8,
        .state_dir = state_dir->path,
        .log = &pipeline->log,
        .interrupted = is_stopped,
        .interrupted_arg = &pipeline->stop,
    };
    run->source_ops = &pgc_source_postgres;
    run->source = run->source_ops->open(&run->source_config, err);
    return run->source ? 0 : -1;
}

int pgc_pipeline_open_sink(pgconvoy_pipeline *pipeline, pgc_run *run, const pgc_state_dir *state_dir, const char *source_id,
                     pgconvoy_error *err)
{
    run->sink_config = (pgconvoy_sink_config){
        .target = pipeline->target,
        .pipeline_name = pipeline->name,
        .source_id = source_id,
        .state_dir = state_dir->path,
        .memory_bytes = pipeline->options.memory_bytes / 2,
        .writers = pipeline->options.jobs,
        .log = &pipeline->log,
        .user_data = pipeline->user_data,
        .on_conflict = pipeline->options.on_conflict,
        .conflict_table = pipeline->options.conflict_table,
        .two_way = pipeline->options.origin_none,
        .split_sequences = pipeline->options.split_sequences,
        .ddl_skip = pipeline->options.ddl_skip,
        .tell = pipeline->tell,
        .tell_arg = pipeline->tell_arg,
        .apply_jobs = pipeline->options.apply_jobs,
    };
    run->sink_ops = pipeline->sink_ops;
    run->sink = NULL;
    if ((pipeline->options.on_conflict || pipeline->options.conflict_table || pipeline->options.origin_none) && !(run->sink_ops->capabilities & PGCONVOY_SINK_CONFLICTS)) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "--on-conflict, --conflict-table and --origin cannot be had with the target %s",
                           run->sink_ops->name);
        pgconvoy_error_hint(err, "leave them out: such a target takes the source's rows as they are");
        return -1;
    }
    if (pipeline->options.apply_jobs > 1 && !(run->sink_ops->capabilities & PGCONVOY_SINK_APPLY_JOBS)) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "--apply-jobs cannot be had with the target %s", run->sink_ops->name);
        pgconvoy_error_hint(err, "leave it out: such a target takes changes by one writer");
        return -1;
    }
    if (run->sink_ops->open(&run->sink_config, &run->sink, err) != 0)
        return -1;
    return pgc_mapped_sink_open(pipeline->options.mapping, &run->sink_ops, &run->sink, err);
}

void pgc_pipeline_close_run(pgc_run *run)
{
    if (run->sink)
        run->sink_ops->close(run->sink);
    run->sink = NULL;
    pgc_table_states_free(&run->states);
    pgc_left_tables_free(&run->left);
    if (run->source)
        run->source_ops->close(run->source);
    run->source = NULL;
}

/* ---- what is there already */

static int check_source_id(const pgconvoy_pipeline *pipeline, const pgconvoy_checkpoint *checkpoint, const char *source_id,
                           pgconvoy_error *err)
{
    if (!checkpoint->source_id || strcmp(checkpoint->source_id, source_id) == 0)
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_STATE,
                       "pipeline %s in the target belongs to another source (cluster and database %s, this one is %s)",
                       pipeline->name, checkpoint->source_id, source_id);
    pgconvoy_error_hint(err, "give this pipeline another --name, or remove the old one with: pgconvoy drop %s", pipeline->name);
    return -1;
}

static int gap_error(const pgconvoy_pipeline *pipeline, pgconvoy_lsn have, const pgc_position_status *slot, pgconvoy_error *err)
{
    char from[PGCONVOY_LSN_TEXT_SIZE], to[PGCONVOY_LSN_TEXT_SIZE];
    pgconvoy_error_set(err, PGCONVOY_ERROR_STATE,
                       "the target stands at %s but the replication slot %s has moved on to %s: the changes between are not in the target",
                       pgconvoy_lsn_to_text(have, from), slot->name, pgconvoy_lsn_to_text(slot->confirmed_lsn, to));
    pgconvoy_error_hint(err, "was the target restored from a backup, or the slot made anew? start again: pgconvoy drop %s, then sync with --if-exists truncate",
                        pipeline->name);
    return -1;
}

/* Says which part of the source's WAL is out of reach, and where from: a standby that was promoted has other slots. */
static int slot_is_gone(const pgconvoy_pipeline *pipeline, const pgc_run *run, pgconvoy_lsn have, const char *slot, pgconvoy_error *err)
{
    char from[PGCONVOY_LSN_TEXT_SIZE], to[PGCONVOY_LSN_TEXT_SIZE], since[64] = "the table copy", promoted[64] = "";
    pgc_source_health health;
    uint32_t timeline;
    pgconvoy_lsn ended;
    if (run->source_ops->health(run->source, &health, err) != 0 ||
        run->source_ops->history(run->source, pipeline->timeline, &timeline, &ended, err) != 0)
        return -1;
    if (have)
        snprintf(since, sizeof since, "%s", pgconvoy_lsn_to_text(have, from));
    if (ended)
        snprintf(promoted, sizeof promoted, " (a standby was promoted at %s)", pgconvoy_lsn_to_text(ended, from));
    pgconvoy_error_set(err, PGCONVOY_ERROR_STATE,
                       "the replication slot %s of pipeline %s is gone from the source%s, and with it the changes from %s to %s", slot,
                       pipeline->name, promoted, since, pgconvoy_lsn_to_text(health.end_of_wal, to));
    pgconvoy_error_hint(err, "start again: pgconvoy drop %s, then sync with --if-exists truncate%s", pipeline->name,
                        ended ? "; from 17 on a standby with sync_replication_slots = on keeps the slot" : "");
    return -1;
}

/* What the target has and the promoted standby never received is in no source any more. */
static int check_history(pgconvoy_pipeline *pipeline, const pgc_run *run, const pgc_state_dir *state_dir, pgconvoy_error *err)
{
    uint32_t timeline;
    pgconvoy_lsn ended;
    if (!pipeline->timeline)
        pipeline->timeline = pgc_state_dir_noted_timeline(state_dir);
    if (run->source_ops->history(run->source, pipeline->timeline, &timeline, &ended, err) != 0)
        return -1;
    if (ended)
        pgc_log_info(run->log, "the source is on timeline %u now, %u before: a standby was promoted", timeline, pipeline->timeline);
    if (ended && run->lsn > ended) {
        char from[PGCONVOY_LSN_TEXT_SIZE], to[PGCONVOY_LSN_TEXT_SIZE];
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE,
                           "the target has changes from %s to %s of a server that failed, which the promoted standby never received",
                           pgconvoy_lsn_to_text(ended, from), pgconvoy_lsn_to_text(run->lsn, to));
        pgconvoy_error_hint(err, "start again: pgconvoy drop %s, then sync with --if-exists truncate; synchronized_standby_slots on the primary "
                                 "keeps a target from running ahead of its standbys", pipeline->name);
        return -1;
    }
    pipeline->timeline = timeline;
    return 0;
}

/* A run that was killed before it stored anything leaves a session, of which the server sees the end a moment later. */
static int look_for_reader(const pgc_run *run, pgc_position_status *status, pgconvoy_error *err)
{
    for (int waited = 0; status->exists && status->reader_pid && waited < READER_ENDS_MS && !pgc_run_stopped(run); waited += READER_POLL_MS) {
        pgc_clock_sleep_ms(READER_POLL_MS);
        if (run->source_ops->position_status(run->source, status, err) != 0)
            return -1;
    }
    return 0;
}

/* Holds the slot against the checkpoint: a slot that is gone or has moved on is named, never silently made anew. */
static int check_position(const pgconvoy_pipeline *pipeline, const pgc_run *run, const pgconvoy_checkpoint *checkpoint,
                          pgc_position_status *status, pgconvoy_error *err)
{
    if (run->source_ops->position_status(run->source, status, err) != 0)
        return -1;
    bool begins = !checkpoint->source_id && checkpoint->lsn == 0 && checkpoint->table_count == 0;
    /* one that goes on waits for its own former session where it needs the slot */
    if (begins && look_for_reader(run, status, err) != 0)
        return -1;
    if (status->exists && begins && status->reader_pid) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "replication slot %s is in use by another, through process %d of the source", status->name,
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
        if (state->known && atomic_load(&state->state) >= PGCONVOY_TABLE_CATCHING_UP && state->copy_lsn < status->confirmed_lsn)
            return gap_error(pipeline, state->copy_lsn, status, err);
    }
    return 0;
}

/* With --skip-unavailable: the target cannot have it, whatever it has of that name now. */
static bool is_unavailable(const pgc_run *run, const pgconvoy_table *table)
{
    pgconvoy_error why = {0};
    return run->copier && run->options->skip_unavailable && run->sink_ops->check_table(run->sink, table, PGCONVOY_IF_EXISTS_DROP, &why) != 0 && !why.retriable;
}

/* joining: a table that comes to a pipeline which has others already does not stop them; it is left out, and named. */
static int check_tables(const pgc_run *run, bool joining, pgconvoy_error *err)
{
    for (size_t i = 0; i < run->states.count; i++) {
        pgc_table_state *state = &run->states.items[i];
        bool failed_before = state->known && atomic_load(&state->state) == PGCONVOY_TABLE_FAILED;
        if (state->known && !failed_before)
            continue;
        if (run->sink_ops->check_table(run->sink, state->table, run->options->if_exists, err) == 0) {
            if (failed_before)
                atomic_store(&state->state, PGCONVOY_TABLE_WAITING);
            continue;
        }
        bool left_out = !err->retriable && is_unavailable(run, state->table);
        if ((!joining && !left_out) || err->retriable)
            return -1;
        if (left_out)
            pgc_log_warning(run->log, "left out: table %s.%s (%s)", state->table->schema, state->table->name, err->message);
        else
            pgc_log_warning(run->log, "table %s.%s does not join the pipeline: %s (%s)", state->table->schema, state->table->name,
                            err->message, err->hint);
        pgc_error_clear(err);
        atomic_store(&state->state, PGCONVOY_TABLE_FAILED);
    }
    return 0;
}

/* ---- one attempt */

static void say_plan(const pgconvoy_pipeline *pipeline, const pgc_run *run, pgconvoy_action action,
                     const pgc_position_status *status)
{
    pgconvoy_log *log = run->log;
    if (action != PGCONVOY_COPY && !status->exists)
        pgc_log_info(log, "would create a publication and a replication slot on the source for pipeline %s", pipeline->name);
    for (size_t i = 0; i < run->states.count; i++) {
        const pgc_table_state *state = &run->states.items[i];
        const pgconvoy_table *table = state->table;
        bool done = atomic_load(&state->state) >= PGCONVOY_TABLE_CATCHING_UP;
        pgc_log_info(log, "%s %s.%s: about %lld rows, %lld bytes, %d columns", done ? "is copied:" : action == PGCONVOY_STREAM ? "would stream" : "would copy",
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

/* stream: no table copy; what the sink does not have yet starts empty at the slot's position. */
static int do_prepare(pgc_run *run, const pgc_position_status *status, pgconvoy_error *err)
{
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
    if (result != 0 || pgc_run_stopped(run) || run->options->until == PGC_UNTIL_PREPARED || atomic_load(&run->tables_changed))
        return result;
    return run->lacks_partition && pgc_copier_follow(run, err) ? -1 : do_stream(run, err);
}

/* With the names of slot and publication where they were given, for commands that are given only the pipeline's name. */
static int note_ends(const pgconvoy_pipeline *pipeline, pgc_state_dir *state_dir, pgconvoy_error *err)
{
    const pgc_state_note note = {pipeline->source, pipeline->target, pipeline->options.slot, pipeline->options.publication,
                                 pipeline->spool_path, pipeline->timeline};
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
    if (pgc_pipeline_open_source(pipeline, run, state_dir, action != PGCONVOY_COPY, err) != 0 ||
        run->source_ops->load_tables(run->source, &tables, &count, err) != 0)
        return -1;
    const char *source_id = run->source_ops->id(run->source);
    if (pgc_pipeline_open_sink(pipeline, run, state_dir, source_id, err) != 0 ||
        run->sink_ops->read_checkpoint(run->sink, &checkpoint, err) != 0 ||
        check_source_id(pipeline, &checkpoint, source_id, err) != 0 ||
        pgc_table_states_init(&run->states, tables, count, &checkpoint, err) != 0 ||
        pgc_left_tables_find(run, &attempt->known, &checkpoint, err) != 0 ||
        pgc_known_tables_compare(&attempt->known, run, err) != 0)
        return -1;
    pgc_reporter_tables(reporter, &run->states, &run->left);
    run->lsn = checkpoint.lsn;
    if (check_tables(run, checkpoint.table_count > 0 && action != PGCONVOY_COPY, err) != 0)
        return -1;
    if (action != PGCONVOY_COPY && (check_position(pipeline, run, &checkpoint, &status, err) != 0 ||
                                    check_history(pipeline, run, state_dir, err) != 0))
        return -1;
    if (pipeline->options.dry_run) {
        say_plan(pipeline, run, action, &status);
        return 0;
    }
    if (pgc_state_dir_lock(state_dir, err) != 0 || note_ends(pipeline, state_dir, err) != 0)
        return -1;
    attempt->established = true;
    if (action != PGCONVOY_COPY && status.exists) {
        if (pgc_left_tables_mark(run, err) != 0)
            return -1;
        bool changed;
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
    bool established;
    int pause_ms;
    int64_t progress_us; /* when something last went forward */
    int64_t rows, durable;
} retry;

/* Whether to try again after err, after a pause. */
static bool retry_again(pgconvoy_pipeline *pipeline, retry *retry, const pgconvoy_error *err)
{
    if (!err->retriable || !retry->established || atomic_load(&pipeline->stop))
        return false;
    int64_t now = pgc_clock_monotonic_us();
    int64_t rows = atomic_load(&pipeline->counters.rows_copied), durable = (int64_t)atomic_load(&pipeline->counters.durable_lsn);
    if (rows != retry->rows || durable != retry->durable) {
        retry->rows = rows;
        retry->durable = durable;
        retry->progress_us = now;
        retry->pause_ms = RETRY_FIRST_MS;
    }
    if (now - retry->progress_us > pipeline->options.retry_for_us)
        return false;
    atomic_store(&pipeline->counters.phase, PGCONVOY_PHASE_RETRYING);
    pgc_log_warning(&pipeline->log, "%s; trying again in %d ms", err->message, retry->pause_ms);
    return true;
}

/* With a spool the time is used: from the second failure in a row on, changes are kept on disk until the target is back. */
static void pause_before_retry(pgconvoy_pipeline *pipeline, pgc_state_dir *state_dir, retry *retry)
{
    if (retry->pause_ms > RETRY_FIRST_MS && pgc_pipeline_spool_while_away(pipeline, state_dir))
        retry->progress_us = pgc_clock_monotonic_us();
    else
        for (int waited = 0; waited < retry->pause_ms && !atomic_load(&pipeline->stop); waited += 50)
            pgc_clock_sleep_ms(50);
    retry->pause_ms = retry->pause_ms * 2 > RETRY_MOST_MS ? RETRY_MOST_MS : retry->pause_ms * 2;
}

static int run_attempts(pgconvoy_pipeline *pipeline, attempt *attempt, pgc_state_dir *state_dir, pgconvoy_action action,
                        const pgc_copier *copier, pgc_reporter *reporter, pgconvoy_error *err)
{
    retry retry = {.pause_ms = RETRY_FIRST_MS, .progress_us = pgc_clock_monotonic_us()};
    for (;;) {
        memset(&attempt->run, 0, sizeof attempt->run);
        attempt->run.options = &pipeline->options;
        attempt->run.log = &pipeline->log;
        attempt->run.counters = &pipeline->counters;
        attempt->run.stop = &pipeline->stop;
        attempt->run.copier = copier;
        attempt->run.little_room = pipeline->little_room;
        attempt->run.lacks_partition = strcmp(err->sqlstate, "23514") == 0;
        pgc_error_clear(err);
        int result = try_once(pipeline, attempt, state_dir, action, reporter, err);
        retry.established |= attempt->established || (pipeline->options.spool_dir && pgc_state_dir_is_known(state_dir));
        if (result == 0 && atomic_load(&attempt->run.tables_changed) && !atomic_load(&pipeline->stop)) {
            pgc_log_info(&pipeline->log, "the tables to be moved have changed: going on with those there are now");
            pgc_reporter_tables(reporter, NULL, NULL);
            pgc_pipeline_close_run(&attempt->run);
            continue;
        }
        if (result == 0)
            return 0;
        if (err->code == PGCONVOY_OK || (atomic_load(&pipeline->stop) && err->retriable))
            return 0; /* asked to stop while it was at it */
        if (!retry_again(pipeline, &retry, err))
            return atomic_load(&pipeline->stop) && err->retriable ? 0 : -1;
        pgc_reporter_tables(reporter, NULL, NULL);
        pgc_pipeline_close_run(&attempt->run);
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
    pgc_reporter *reporter = pgc_reporter_start(&pipeline->counters, pipeline->progress_interval_ms,
                                                pipeline->progress_fn, pipeline->progress_arg);
    int result = run_attempts(pipeline, &attempt, &state_dir, action, copier, reporter, err);
    if (result == 0)
        atomic_store(&pipeline->counters.phase, PGCONVOY_PHASE_DONE);
    pgc_reporter_end(reporter);
    pgc_pipeline_close_run(&attempt.run);
    pgc_known_tables_free(&attempt.known);
    pgc_state_dir_close(&state_dir);
    return result;
}
