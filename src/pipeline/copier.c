/* The tables that a copier takes, between the pipeline's states of them and its own list. See copier.h. */
#include "pipeline/copier.h"

#include "pipeline/pipeline_internal.h"

#include "base/clock.h"
#include "base/units.h"
#include "postgres/connection.h"

#include <stdio.h>
#include <stdlib.h>

/* An option that only a copier knows; NULL: none is given. */
static const char *option_for_copier(const pgc_options *options)
{
    return options->index_jobs         ? "index-jobs"
           : options->roles            ? "roles"
           : options->skip_unavailable ? "skip-unavailable"
           : options->no_owner         ? "no-owner"
           : options->no_acl           ? "no-acl"
                                       : NULL;
}

int pgc_pipeline_choose_copier(const pgconvoy_pipeline *pipeline, pgconvoy_action action, const pgc_copier **copier,
                               pgconvoy_error *err)
{
    bool is_server = !pipeline->own_sink && pgc_connection_is_uri(pipeline->target);
    *copier = action == PGCONVOY_SYNC && is_server ? &pgc_clone_copier : NULL;
    const char *option = *copier ? NULL : option_for_copier(&pipeline->options);
    if (!option)
        return 0;
    /* it would be taken without meaning anything */
    pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "--%s is for tables that are made in PostgreSQL by sync or copy",
                       option);
    pgconvoy_error_hint(err, "leave it out");
    return -1;
}

/* What the copier's tables are among the run's. */
typedef struct places {
    pgc_run *run;
    size_t *states;
} places;

static void on_progress(void *arg, size_t table, int64_t rows, int64_t bytes)
{
    const places *places = arg;
    pgc_table_state *state = &places->run->states.items[places->states[table]];
    long long not_started = 0;
    if (rows > 0 || bytes > 0)
        atomic_compare_exchange_strong(&state->started_us, &not_started, pgc_clock_monotonic_us());
    atomic_fetch_add(&places->run->counters->rows_copied, rows - atomic_exchange(&state->rows_copied, rows));
    atomic_fetch_add(&places->run->counters->bytes_copied, bytes - atomic_exchange(&state->bytes_copied, bytes));
}

static void on_rows_read(void *arg)
{
    const pgc_run *run = ((const places *)arg)->run;
    run->source_ops->end_snapshot(run->source);
}

static bool is_unfinished(const pgc_table_state *state)
{
    int is = atomic_load(&state->state);
    return is == PGCONVOY_TABLE_WAITING || is == PGCONVOY_TABLE_COPYING;
}

static int list(pgc_run *run, bool all, pgc_copier_work *work, places *places, pgconvoy_error *err)
{
    size_t count = run->states.count + 1;
    places->run = run;
    places->states = calloc(count, sizeof *places->states);
    work->tables = calloc(count, sizeof *work->tables);
    if (!places->states || !work->tables)
        return pgc_error_out_of_memory(err);
    for (size_t i = 0; i < run->states.count; i++) {
        if (!all && !is_unfinished(&run->states.items[i]))
            continue;
        pgc_copier_table *table = &work->tables[work->table_count];
        table->table = atomic_load(&run->states.items[i].table);
        if (!all && run->source_ops->is_whole(run->source, table->table, &table->may_be_taken, err) != 0)
            return -1;
        places->states[work->table_count++] = i;
    }
    return 0;
}

static void take_over(pgc_run *run, const pgc_copier_work *work, const places *places)
{
    for (size_t i = 0; i < work->table_count; i++) {
        pgc_table_state *state = &run->states.items[places->states[i]];
        if (work->tables[i].left_out) /* its changes are passed over; named by the copier */
            atomic_store(&state->state, PGCONVOY_TABLE_FAILED);
        if (!work->tables[i].taken)
            continue;
        state->copy_lsn = work->tables[i].copy_lsn;
        atomic_store(&state->state, PGCONVOY_TABLE_CATCHING_UP);
        atomic_store(&state->ended_us, pgc_clock_monotonic_us());
        char rows[PGC_UNITS_TEXT_SIZE];
        pgc_log_info(run->log, "copied %s.%s: %s rows", state->table->schema, state->table->name,
                     pgc_count_to_text(atomic_load(&state->rows_copied), rows));
    }
}

typedef enum step { CHECK, COPY, FOLLOW, COMPLETE } step;

static int take_step(const pgc_copier *copier, step step, pgc_copier_work *work, bool *done, pgconvoy_error *err)
{
    switch (step) {
    case CHECK:
        return copier->check(work, err);
    case COPY:
        return copier->copy(work, err);
    case FOLLOW:
        return copier->follow(work, err);
    default:
        return copier->complete(work, done, err);
    }
}

static int run_copier(pgc_run *run, step step, pgconvoy_lsn lsn, bool *done, pgconvoy_error *err)
{
    if (!run->copier)
        return 0;
    places places = {0};
    const char *name = step == COPY ? run->source_ops->snapshot_name(run->source) : NULL;
    char snapshot[128]; /* the source's text goes with the snapshot */
    snprintf(snapshot, sizeof snapshot, "%s", name ? name : "");
    pgc_copier_work work = {.source = run->source_config.uri,
                            .target = run->sink_config.target,
                            .name = run->sink_config.pipeline_name,
                            .source_id = run->sink_config.source_id,
                            .snapshot = name ? snapshot : NULL,
                            .lsn = lsn,
                            .options = run->options,
                            .skip_disk = run->little_room,
                            .state_dir = run->sink_config.state_dir,
                            .log = run->log,
                            .stop = run->stop,
                            .progress = on_progress,
                            .rows_are_read = on_rows_read,
                            .progress_arg = &places};
    int result = list(run, step == FOLLOW || step == COMPLETE, &work, &places, err);
    if (result == 0 && work.table_count > 0)
        result = take_step(run->copier, step, &work, done, err);
    if (result == 0 && step == COPY)
        take_over(run, &work, &places);
    free(places.states);
    free(work.tables);
    return result;
}

int pgc_copier_check(pgc_run *run, pgconvoy_error *err)
{
    return run_copier(run, CHECK, 0, NULL, err);
}

int pgc_copier_copy(pgc_run *run, pgconvoy_lsn lsn, pgconvoy_error *err)
{
    return run_copier(run, COPY, lsn, NULL, err);
}

int pgc_copier_follow(pgc_run *run, pgconvoy_error *err)
{
    return run_copier(run, FOLLOW, 0, NULL, err);
}

int pgc_copier_complete(pgc_run *run, bool *done, pgconvoy_error *err)
{
    *done = !run->copier;
    for (size_t i = 0; i < run->states.count && !*done; i++) {
        int state = atomic_load(&run->states.items[i].state);
        if (state < PGCONVOY_TABLE_LIVE)
            return 0;
    }
    return *done ? 0 : run_copier(run, COMPLETE, 0, done, err);
}
