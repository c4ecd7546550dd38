/*
 * The table copy: all unfinished tables in one snapshot. Tables are cut into ranges; the ranges of the largest table go first, so that no long one
 * is left for the end; each worker is one thread with one reader and one writer, which takes the next range until none is left. Whoever commits the last range
 * of a table finishes it.
 */
#include "pipeline/run.h"

#include "base/clock.h"
#include "base/units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RANGES_PER_JOB  4
#define MIN_RANGE_BYTES (INT64_C(16) << 20)

typedef struct work {
    pgc_table_state *state;
    pgc_range range;
} work;

typedef struct copy {
    pgc_run *run;
    pgconvoy_lsn lsn; /* of the snapshot */
    work *items;
    size_t count;
    atomic_size_t next;
    atomic_bool failed;
    pthread_mutex_t lock; /* guards err: the first failure wins */
    pgconvoy_error err;
} copy;

static void fail(copy *copy, const pgconvoy_error *err)
{
    pthread_mutex_lock(&copy->lock);
    if (!atomic_load(&copy->failed))
        pgc_error_copy(&copy->err, err);
    atomic_store(&copy->failed, true);
    pthread_mutex_unlock(&copy->lock);
}

static bool should_end(const copy *copy)
{
    return atomic_load_explicit(&copy->failed, memory_order_relaxed) || pgc_run_stopped(copy->run);
}

/* Which format each column should come in: a sink that passes COPY data through needs all columns alike. */
static pgconvoy_format *choose_formats(const pgc_run *run, const pgconvoy_table *table)
{
    size_t count = (size_t)table->column_count;
    pgconvoy_format *formats = calloc(count ? count : 1, sizeof *formats);
    if (!formats)
        return NULL;
    bool any_text = false;
    for (size_t i = 0; i < count; i++) {
        formats[i] = run->sink_ops->column_format(run->sink, &table->columns[i]);
        any_text |= formats[i] == PGCONVOY_TEXT;
    }
    if (any_text && (run->sink_ops->capabilities & PGCONVOY_SINK_RAW_ROWS))
        for (size_t i = 0; i < count; i++)
            formats[i] = PGCONVOY_TEXT;
    return formats;
}

static int move_rows(copy *copy, work *item, void *reader, void *writer, pgconvoy_error *err)
{
    pgc_run *run = copy->run;
    pgconvoy_rows rows;
    int more;
    while ((more = run->source_ops->reader_next(reader, &rows, err)) > 0) {
        rows.snapshot_lsn = copy->lsn;
        if (run->sink_ops->write_rows(writer, &rows, err) != 0)
            return -1;
        atomic_fetch_add(&item->state->rows_copied, (long long)rows.row_count);
        atomic_fetch_add(&item->state->bytes_copied, (long long)rows.raw_length);
        atomic_fetch_add(&run->counters->rows_copied, (long long)rows.row_count);
        atomic_fetch_add(&run->counters->bytes_copied, (long long)rows.raw_length);
        if (should_end(copy)) {
            pgconvoy_error_set(err, PGCONVOY_OK, "stopped");
            return -1;
        }
    }
    return more;
}

static int finish_table(copy *copy, pgc_table_state *state, pgconvoy_error *err)
{
    pgc_run *run = copy->run;
    state->copy_lsn = copy->lsn;
    pgconvoy_table_status status = pgc_table_state_status(state);
    status.state = PGCONVOY_TABLE_CATCHING_UP;
    if (run->sink_ops->finish_table(run->sink, state->table, &status, err) != 0)
        return -1;
    atomic_store(&state->state, PGCONVOY_TABLE_CATCHING_UP);
    atomic_store(&state->ended_us, pgc_clock_monotonic_us());
    char rows[PGC_UNITS_TEXT_SIZE];
    pgc_log_info(run->log, "copied %s.%s: %s rows", state->table->schema, state->table->name,
                 pgc_count_to_text(atomic_load(&state->rows_copied), rows));
    return 0;
}

static int copy_range(copy *copy, work *item, void *reader, void *writer, pgconvoy_error *err)
{
    pgc_run *run = copy->run;
    const pgconvoy_table *table = item->state->table;
    long long not_started = 0;
    atomic_compare_exchange_strong(&item->state->started_us, &not_started, pgc_clock_monotonic_us());
    pgconvoy_format *formats = choose_formats(run, table);
    if (!formats)
        return pgc_error_out_of_memory(err);
    bool raw_only = (run->sink_ops->capabilities & PGCONVOY_SINK_RAW_ROWS) != 0;
    int result = run->sink_ops->begin(writer, table, err);
    if (result == 0) {
        result = run->source_ops->reader_begin(reader, &item->range, formats, raw_only, err);
        if (result == 0)
            result = move_rows(copy, item, reader, writer, err);
        if (result == 0)
            result = run->sink_ops->commit(writer, 0, NULL, 0, err);
    }
    if (result != 0)
        run->sink_ops->abort(writer);
    free(formats);
    if (result == 0 && atomic_fetch_sub(&item->state->ranges_left, 1) == 1)
        result = finish_table(copy, item->state, err);
    return result;
}

static int work_off(copy *copy, pgconvoy_error *err)
{
    pgc_run *run = copy->run;
    void *reader = NULL, *writer = NULL;
    int result = run->source_ops->open_reader(run->source, &reader, err);
    if (result == 0)
        result = run->sink_ops->open_writer(run->sink, &writer, err);
    while (result == 0 && !should_end(copy)) {
        size_t i = atomic_fetch_add(&copy->next, 1);
        if (i >= copy->count)
            break;
        result = copy_range(copy, &copy->items[i], reader, writer, err);
    }
    if (writer)
        run->sink_ops->close_writer(writer);
    if (reader)
        run->source_ops->close_reader(reader);
    return result;
}

static void *worker(void *arg)
{
    copy *copy = arg;
    pgconvoy_error err = {0};
    if (work_off(copy, &err) != 0 && err.code != PGCONVOY_OK)
        fail(copy, &err);
    return NULL;
}

/* Larger tables first; within one the ranges in their order, which the source's disk likes. */
static int by_size(const void *a, const void *b)
{
    const work *x = a, *y = b;
    if (x->state != y->state) {
        int64_t left = x->state->table->estimated_bytes, right = y->state->table->estimated_bytes;
        if (left != right)
            return left < right ? 1 : -1;
        return x->state < y->state ? -1 : 1;
    }
    if (x->range.relation_oid != y->range.relation_oid)
        return x->range.relation_oid < y->range.relation_oid ? -1 : 1;
    return x->range.first_block < y->range.first_block ? -1 : x->range.first_block > y->range.first_block;
}

/* Ranges small enough that the workers end at about the same time, large enough that each is worth a COPY and a commit. */
static int64_t range_bytes(const pgc_run *run)
{
    int64_t total = 0;
    for (size_t i = 0; i < run->states.count; i++)
        total += run->states.items[i].table->estimated_bytes;
    int64_t even = total / ((int64_t)run->options->jobs * RANGES_PER_JOB);
    if (even < MIN_RANGE_BYTES)
        even = MIN_RANGE_BYTES;
    return even < run->options->split_bytes ? even : run->options->split_bytes;
}

static int plan_table(copy *copy, pgc_table_state *state, pgconvoy_error *err)
{
    pgc_range *ranges = NULL;
    size_t count = 0;
    if (copy->run->source_ops->split(copy->run->source, state->table, range_bytes(copy->run), &ranges, &count, err) != 0)
        return -1;
    work *items = realloc(copy->items, (copy->count + count) * sizeof *items);
    if (!items) {
        free(ranges);
        return pgc_error_out_of_memory(err);
    }
    copy->items = items;
    for (size_t i = 0; i < count; i++)
        items[copy->count++] = (work){state, ranges[i]};
    atomic_store(&state->ranges_left, (int)count);
    atomic_store(&state->rows_copied, 0);
    atomic_store(&state->bytes_copied, 0);
    free(ranges);
    return 0;
}

static int prepare(copy *copy, pgconvoy_error *err)
{
    pgc_run *run = copy->run;
    for (size_t i = 0; i < run->states.count; i++) {
        pgc_table_state *state = &run->states.items[i];
        int was = atomic_load(&state->state);
        if (was != PGCONVOY_TABLE_WAITING && was != PGCONVOY_TABLE_COPYING)
            continue;
        if (pgc_run_stopped(run))
            return 0;
        if (run->sink_ops->prepare_table(run->sink, state->table, run->options->if_exists, err) != 0 ||
            plan_table(copy, state, err) != 0)
            return -1;
        atomic_store(&state->state, PGCONVOY_TABLE_COPYING);
    }
    if (copy->count > 0)
        qsort(copy->items, copy->count, sizeof *copy->items, by_size);
    return 0;
}

static int run_workers(copy *copy, pgconvoy_error *err)
{
    pgc_run *run = copy->run;
    size_t wanted = (size_t)run->options->jobs;
    if (!(run->sink_ops->capabilities & PGCONVOY_SINK_PARALLEL))
        wanted = 1;
    if (wanted > copy->count)
        wanted = copy->count;
    pthread_t *threads = calloc(wanted ? wanted : 1, sizeof *threads);
    if (!threads)
        return pgc_error_out_of_memory(err);
    size_t started = 0;
    while (started < wanted && pthread_create(&threads[started], NULL, worker, copy) == 0)
        started++;
    if (started < wanted) {
        pgconvoy_error_set(&copy->err, PGCONVOY_ERROR_RESOURCE, "cannot start a thread for the table copy");
        pgconvoy_error_hint(&copy->err, "lower --jobs, or raise the limit of processes for this user");
        atomic_store(&copy->failed, true);
    }
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    free(threads);
    if (!atomic_load(&copy->failed))
        return 0;
    pgc_error_copy(err, &copy->err);
    return -1;
}

static bool is_over(const pgc_run *run)
{
    return pgc_run_stopped(run) || atomic_load(&run->tables_changed);
}

/* The interrupted copy of a table that the target does not have yet is no place for commands about that table. What only waits has been there
 * before: it is copied anew. */
static bool no_copy_was_interrupted(const pgc_run *run)
{
    bool is_begun = false;
    for (size_t i = 0; i < run->states.count; i++) {
        const pgc_table_state *state = &run->states.items[i];
        if (state->known && atomic_load(&state->state) == PGCONVOY_TABLE_COPYING)
            return false;
        is_begun |= state->known;
    }
    return is_begun;
}

/* The target has nothing yet that belongs to the position. */
static bool is_first(const pgc_run *run)
{
    bool first = run->lsn == 0;
    for (size_t i = 0; i < run->states.count; i++)
        first &= !run->states.items[i].known;
    return first;
}

/*
 * A target that follows definitions comes to those of the snapshot before its rows are read into them: a table that was made meanwhile is made
 * there by the same commands, and what is done to it later finds it as it was.
 */
static int catch_up_first(pgc_run *run, const copy *copy, pgconvoy_error *err)
{
    bool follows = run->options->ddl && (run->sink_ops->capabilities & PGCONVOY_SINK_DDL_TEXT) != 0;
    if (!follows || run->lsn >= copy->lsn || (run->lsn == 0 && !no_copy_was_interrupted(run)))
        return 0;
    if (pgc_change_stream_find_start(run, err) != 0)
        return -1;
    int result = pgc_change_stream_catch_up(run, copy->lsn, err);
    atomic_store(&run->counters->phase, PGCONVOY_PHASE_COPYING);
    return result;
}

/* A table was altered or dropped since it was looked at: the next attempt looks anew. */
static bool is_of_another_definition(const pgconvoy_error *err)
{
    return strcmp(err->sqlstate, "42703") == 0 || strcmp(err->sqlstate, "42P01") == 0;
}

int pgc_table_copy_run(pgc_run *run, bool create_position, pgconvoy_error *err)
{
    copy copy = {.run = run};
    pthread_mutex_init(&copy.lock, NULL);
    atomic_store(&run->counters->phase, PGCONVOY_PHASE_COPYING);
    pgconvoy_lsn position;
    int result = create_position ? pgc_copier_check(run, err) : 0;
    if (result == 0 && create_position)
        result = run->source_ops->create_position(run->source, &position, err);
    if (result == 0)
        result = run->source_ops->begin_snapshot(run->source, is_first(run), &copy.lsn, err);
    if (result == 0 && catch_up_first(run, &copy, err) != 0) {
        run->source_ops->end_snapshot(run->source);
        result = -1;
    } else if (result == 0 && is_over(run)) {
        run->source_ops->end_snapshot(run->source);
    } else if (result == 0) {
        char text[PGCONVOY_LSN_TEXT_SIZE];
        pgc_log_info(run->log, "copying %zu tables as of %s with %d jobs", pgc_table_states_unfinished(&run->states),
                     pgconvoy_lsn_to_text(copy.lsn, text), run->options->jobs);
        result = pgc_copier_copy(run, copy.lsn, err);
        if (result == 0)
            result = prepare(&copy, err);
        if (result == 0)
            result = run_workers(&copy, err);
        run->source_ops->end_snapshot(run->source);
    }
    if (result != 0 && is_of_another_definition(err))
        pgconvoy_error_retriable(err, true);
    free(copy.items);
    pthread_mutex_destroy(&copy.lock);
    return result;
}

int pgc_table_prepare_only(pgc_run *run, pgconvoy_lsn lsn, pgconvoy_error *err)
{
    for (size_t i = 0; i < run->states.count; i++) {
        pgc_table_state *state = &run->states.items[i];
        int was = atomic_load(&state->state);
        if (was == PGCONVOY_TABLE_FAILED || (state->known && was >= PGCONVOY_TABLE_CATCHING_UP))
            continue;
        if (run->lsn > 0)
            pgc_log_warning(run->log, "%s.%s may have rows that the stream has not brought: with --origin none they are not copied, as both ends take writes; "
                                      "pgconvoy verify names them",
                            state->table->schema, state->table->name);
        state->copy_lsn = lsn;
        pgconvoy_table_status status = pgc_table_state_status(state);
        status.state = PGCONVOY_TABLE_LIVE;
        if (run->sink_ops->prepare_table(run->sink, state->table, run->options->if_exists, err) != 0 ||
            run->sink_ops->finish_table(run->sink, state->table, &status, err) != 0)
            return -1;
        atomic_store(&state->state, PGCONVOY_TABLE_LIVE);
    }
    return 0;
}
