/*
 * The watching thread: asks the source now and then for what the stream itself does not tell. Nothing of it stops the
 * work: a server that cannot be reached is the stream's own affair, and what fails here for another reason is said once
 * and tried again.
 */
#include "pipeline/run.h"

#include "base/bell.h"
#include "base/clock.h"

#include <stdlib.h>

#define HEALTH_US INT64_C(1000000)
#define TABLES_US INT64_C(2000000)
/* Looking at the tables of a large catalog takes time at the source: at most one part in so many of all time. */
#define TABLES_REST 50
#define COMPLETION_US INT64_C(1000000)
#define TICK_MS 50

typedef enum task_kind { HEALTH, HEARTBEAT, SEQUENCES, TABLES, COMPLETION, TASK_COUNT } task_kind;

struct pgc_watcher {
    pgc_run *run;
    pthread_t thread;
    pgc_bell ended; /* looked at between two tasks, too */
    int64_t due_us[TASK_COUNT];
    bool complained[TASK_COUNT];
    bool complete; /* nothing waits for the tables to be live */
};

static bool carries_sequences(const pgc_run *run)
{
    return run->options->sequences_us > 0 && (run->sink_ops->capabilities & PGCONVOY_SINK_SEQUENCES) &&
           run->source_ops->read_sequences;
}

int pgc_carry_sequences(pgc_run *run, pgconvoy_error *err)
{
    if (!carries_sequences(run))
        return 0;
    pgc_source_sequences sequences;
    if (run->source_ops->read_sequences(run->source, &sequences, err) != 0)
        return -1;
    int result =
        sequences.count == 0 ? 0 : run->sink_ops->write_sequences(run->sink, sequences.items, sequences.count, err);
    pgc_arena_free(sequences.arena);
    return result;
}

static int look_at_health(pgc_watcher *watcher, pgconvoy_error *err)
{
    pgc_run *run = watcher->run;
    pgc_source_health health;
    if (run->source_ops->health(run->source, &health, err) != 0)
        return -1;
    atomic_store(&run->counters->source_lsn, health.end_of_wal);
    atomic_store(&run->counters->retained_bytes, health.retained_bytes);
    atomic_store(&run->counters->left_bytes, health.left_bytes);
    if (health.unknown_table)
        watcher->due_us[TABLES] = 0;
    return 0;
}

/* One at a time: the next is sent when the last has come through. */
static int send_heartbeat(pgc_watcher *watcher, pgconvoy_error *err)
{
    pgc_run *run = watcher->run;
    if (atomic_load(&run->heartbeat_lsn))
        return 0;
    pgconvoy_lsn lsn;
    int64_t now = pgc_clock_monotonic_us();
    if (run->source_ops->heartbeat(run->source, &lsn, err) != 0)
        return -1;
    atomic_store(&run->heartbeat_us, now);
    atomic_store(&run->heartbeat_lsn, lsn);
    return 0;
}

static int look_at_tables(pgc_watcher *watcher, pgconvoy_error *err)
{
    pgc_run *run = watcher->run;
    bool changed;
    if (run->source_ops->follow_tables(run->source, run->left.items, run->left.count, &changed, err) != 0)
        return -1;
    if (changed)
        atomic_store(&run->tables_changed, true);
    return 0;
}

static int carry_sequences(pgc_watcher *watcher, pgconvoy_error *err)
{
    return pgc_carry_sequences(watcher->run, err);
}

static int complete(pgc_watcher *watcher, pgconvoy_error *err)
{
    return pgc_copier_complete(watcher->run, &watcher->complete, err);
}

static int64_t interval_us(const pgc_run *run, task_kind kind)
{
    switch (kind) {
    case HEALTH:
        return HEALTH_US;
    case HEARTBEAT:
        return run->source_ops->heartbeat ? run->options->heartbeat_us : 0;
    case SEQUENCES:
        return carries_sequences(run) ? run->options->sequences_us : 0;
    case TABLES:
        return run->source_ops->follow_tables ? TABLES_US : 0;
    case COMPLETION:
        return COMPLETION_US;
    default:
        return 0;
    }
}

static void do_task(pgc_watcher *watcher, task_kind kind)
{
    static int (*const tasks[])(pgc_watcher * watcher, pgconvoy_error * err) = {look_at_health, send_heartbeat,
                                                                                carry_sequences, look_at_tables, complete};
    static const char *const names[] = {"asking for the state of the slot", "sending a heartbeat",
                                        "carrying sequences over", "looking for tables that come and go",
                                        "completing the tables"};
    pgc_run *run = watcher->run;
    pgconvoy_error err = {0};
    int64_t began = pgc_clock_monotonic_us();
    if (tasks[kind](watcher, &err) != 0 && !err.retriable && !watcher->complained[kind]) {
        watcher->complained[kind] = true;
        pgc_log_warning(run->log, "%s: %s", names[kind], err.message);
    }
    int64_t now = pgc_clock_monotonic_us(), interval = interval_us(run, kind);
    if (kind == TABLES && interval < (now - began) * TABLES_REST)
        interval = (now - began) * TABLES_REST;
    watcher->due_us[kind] = now + interval;
}

static void *watch(void *arg)
{
    pgc_watcher *watcher = arg;
    do {
        int64_t now = pgc_clock_monotonic_us();
        for (int kind = 0; kind < TASK_COUNT && !pgc_bell_wait(&watcher->ended, 0); kind++)
            if (now >= watcher->due_us[kind] && !(kind == COMPLETION && watcher->complete) && interval_us(watcher->run, (task_kind)kind) > 0)
                do_task(watcher, (task_kind)kind);
    } while (!pgc_bell_wait(&watcher->ended, TICK_MS));
    return NULL;
}

pgc_watcher *pgc_watcher_start(pgc_run *run)
{
    pgc_watcher *watcher = calloc(1, sizeof *watcher);
    if (!watcher)
        return NULL;
    watcher->run = run;
    pgc_bell_init(&watcher->ended);
    if (pthread_create(&watcher->thread, NULL, watch, watcher) != 0) {
        pgc_bell_free(&watcher->ended);
        free(watcher);
        return NULL;
    }
    return watcher;
}

void pgc_watcher_end(pgc_watcher *watcher)
{
    if (!watcher)
        return;
    pgc_bell_ring(&watcher->ended);
    pthread_join(watcher->thread, NULL);
    pgc_bell_free(&watcher->ended);
    free(watcher);
}
