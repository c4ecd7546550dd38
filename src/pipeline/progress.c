/* Progress: see progress.h. */
#include "pipeline/progress.h"

#include "base/bell.h"
#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

struct pgc_reporter {
    pgc_counters *counters;
    int interval_ms;
    pgc_progress_function fn;
    void *arg;
    int64_t started_us;
    int64_t stream_us; /* when the stream began */
    int64_t level_us;  /* when the target was last seen to have all; 0: not yet */
    pthread_t thread;
    pgc_bell ended;
    pthread_mutex_t lock; /* guards what follows */
    const pgc_table_states *states;
    const pgc_left_tables *left; /* where states are */
};

static void describe_table(const pgc_table_state *state, int64_t now, pgconvoy_table_progress *progress)
{
    int64_t started = atomic_load(&state->started_us), ended = atomic_load(&state->ended_us);
    progress->schema = state->table->schema;
    progress->name = state->table->name;
    progress->state = (pgconvoy_table_state)atomic_load(&state->state);
    progress->rows_copied = atomic_load(&state->rows_copied);
    progress->bytes_copied = atomic_load(&state->bytes_copied);
    progress->estimated_rows = state->table->estimated_rows;
    progress->estimated_bytes = state->table->estimated_bytes;
    progress->elapsed_us = started ? (ended ? ended : now) - started : 0;
}

/*
 * For how long the target has been behind, which it is. It has all from before the last commit that is durable there, and from before it was seen to have all; of a stream that has seen neither, since it began.
 */
static int64_t lag_us(const pgc_reporter *reporter, int64_t now)
{
    int64_t last = atomic_load(&reporter->counters->last_commit_us), level = reporter->level_us;
    int64_t by_commit = pgc_clock_unix_us() - last, by_sight = now - (level ? level : reporter->stream_us);
    if (last && (!level || by_commit < by_sight))
        return by_commit > 0 ? by_commit : 0;
    return by_sight;
}

/* With the lock held, so that the tables stay while fn looks at them. */
static void report(pgc_reporter *reporter)
{
    const pgc_counters *counters = reporter->counters;
    const pgc_table_states *states = reporter->states;
    const pgc_left_tables *left = reporter->left;
    int64_t now = pgc_clock_monotonic_us();
    pgconvoy_progress progress = {0};
    pgconvoy_table_progress *tables = NULL;
    if (states && states->count > 0 && (tables = calloc(states->count + left->count, sizeof *tables))) {
        for (size_t i = 0; i < states->count; i++)
            describe_table(&states->items[i], now, &tables[i]);
        for (size_t i = 0; i < left->count; i++)
            tables[states->count + i] = (pgconvoy_table_progress){
                .schema = left->items[i].schema, .name = left->items[i].name, .state = PGCONVOY_TABLE_LEFT};
        progress.table_count = states->count;
        progress.left_count = left->count;
        progress.left_tables = tables + states->count;
    }
    progress.phase = (pgconvoy_phase)atomic_load(&counters->phase);
    progress.elapsed_us = now - reporter->started_us;
    progress.tables = tables;
    progress.rows_copied = atomic_load(&counters->rows_copied);
    progress.bytes_copied = atomic_load(&counters->bytes_copied);
    progress.changes = atomic_load(&counters->changes);
    progress.transactions = atomic_load(&counters->transactions);
    progress.received_lsn = atomic_load(&counters->received_lsn);
    progress.durable_lsn = atomic_load(&counters->durable_lsn);
    if (progress.phase < PGCONVOY_PHASE_CATCHING_UP)
        reporter->stream_us = now;
    progress.source_lsn = atomic_load(&counters->source_lsn);
    if (progress.source_lsn > progress.durable_lsn && progress.durable_lsn > 0) {
        progress.lag_bytes = (int64_t)(progress.source_lsn - progress.durable_lsn);
        progress.lag_us = lag_us(reporter, now);
    } else if (progress.durable_lsn > 0) {
        reporter->level_us = now;
    }
    progress.commit_lag_us = atomic_load(&counters->commit_lag_us);
    progress.retained_bytes = atomic_load(&counters->retained_bytes);
    progress.left_bytes = atomic_load(&counters->left_bytes);
    progress.prepared = atomic_load(&counters->prepared);
    reporter->fn(reporter->arg, &progress);
    free(tables);
}

/* The last report is of how it ended. */
static void *run(void *arg)
{
    pgc_reporter *reporter = arg;
    bool ended;
    do {
        ended = pgc_bell_wait(&reporter->ended, reporter->interval_ms);
        pthread_mutex_lock(&reporter->lock);
        report(reporter);
        pthread_mutex_unlock(&reporter->lock);
    } while (!ended);
    return NULL;
}

static void free_reporter(pgc_reporter *reporter)
{
    pgc_bell_free(&reporter->ended);
    pthread_mutex_destroy(&reporter->lock);
    free(reporter);
}

pgc_reporter *pgc_reporter_start(pgc_counters *counters, int interval_ms, pgc_progress_function fn, void *arg)
{
    if (!fn)
        return NULL;
    pgc_reporter *reporter = calloc(1, sizeof *reporter);
    if (!reporter)
        return NULL;
    reporter->counters = counters;
    reporter->interval_ms = interval_ms > 0 ? interval_ms : 1000;
    reporter->fn = fn;
    reporter->arg = arg;
    reporter->started_us = reporter->stream_us = pgc_clock_monotonic_us();
    pthread_mutex_init(&reporter->lock, NULL);
    pgc_bell_init(&reporter->ended);
    if (pthread_create(&reporter->thread, NULL, run, reporter) == 0)
        return reporter;
    free_reporter(reporter);
    return NULL;
}

void pgc_reporter_tables(pgc_reporter *reporter, const pgc_table_states *states, const pgc_left_tables *left)
{
    if (!reporter)
        return;
    pthread_mutex_lock(&reporter->lock);
    reporter->states = states;
    reporter->left = left;
    pthread_mutex_unlock(&reporter->lock);
}

void pgc_reporter_end(pgc_reporter *reporter)
{
    if (!reporter)
        return;
    pgc_bell_ring(&reporter->ended);
    pthread_join(reporter->thread, NULL);
    free_reporter(reporter);
}
