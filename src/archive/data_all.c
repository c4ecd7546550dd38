/*
 * The data of all entries into an archive. One session does job after job; of several each takes the next job that is left, in a thread of its own, until none is left or one of them has failed. Then the others
 * are told to stop: what they read is cancelled, and the first failure is the one that is reported.
 */
#include "archive/data_ahead.h"
#include "archive/data_plan.h"
#include "base/clock.h"
#include "postgres/connection.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define PROGRESS_MS 250

typedef struct run run;

/* One session and what it is doing. */
typedef struct reader {
    run *run;
    pthread_t thread;
    PGconn *conn;
    PGcancel *cancel; /* guarded by run->lock */
    pgc_archive_data *data;
    pgc_data_totals totals, published; /* published: what run->… has of them */
    bool alone;            /* it is the catalog's own session, in the caller's thread */
    pgc_data_ahead *ahead; /* of one that is alone */
} reader;

struct run {
    pgc_catalog *catalog;
    pgc_archive_writer *writer;
    pgc_data_plan plan;
    atomic_int next; /* job */
    atomic_bool stop;
    atomic_int_least64_t entries, rows, bytes;
    reader *readers;
    int reader_count, running;
    void (*progress)(void *arg, const pgc_data_totals *totals);
    void *progress_arg;
    int64_t progress_at_ms;
    pthread_mutex_t lock; /* guards running, failed, first_error and the readers' cancel */
    pthread_cond_t ended;
    bool failed;
    pgconvoy_error first_error;
};

/* ------------------------------------------------------------------ counting */

static void publish(reader *reader)
{
    run *run = reader->run;
    atomic_fetch_add(&run->entries, reader->totals.entries - reader->published.entries);
    atomic_fetch_add(&run->rows, reader->totals.rows - reader->published.rows);
    atomic_fetch_add(&run->bytes, reader->totals.bytes - reader->published.bytes);
    reader->published = reader->totals;
}

static pgc_data_totals totals_of(run *run)
{
    return (pgc_data_totals){.entries = atomic_load(&run->entries), .rows = atomic_load(&run->rows), .bytes = atomic_load(&run->bytes)};
}

static void report(run *run)
{
    int64_t now = pgc_clock_monotonic_us() / 1000;
    if (!run->progress || now - run->progress_at_ms < PROGRESS_MS)
        return;
    run->progress_at_ms = now;
    pgc_data_totals totals = totals_of(run);
    run->progress(run->progress_arg, &totals);
}

/* ------------------------------------------------------------------ failing */

static void fail(run *run, const pgconvoy_error *err)
{
    pthread_mutex_lock(&run->lock);
    bool first = !run->failed;
    if (first)
        pgc_error_copy(&run->first_error, err);
    run->failed = true;
    atomic_store(&run->stop, true);
    char why[256];
    for (int i = 0; first && i < run->reader_count; i++)
        if (run->readers[i].cancel)
            (void)PQcancel(run->readers[i].cancel, why, sizeof why);
    pthread_mutex_unlock(&run->lock);
}

static void set_cancel(reader *reader, PGcancel *cancel)
{
    pthread_mutex_lock(&reader->run->lock);
    PGcancel *old = reader->cancel;
    reader->cancel = cancel;
    pthread_mutex_unlock(&reader->run->lock);
    PQfreeCancel(old);
}

/* ------------------------------------------------------------------ one job */

static int into_archive(void *arg, const char *bytes, size_t length, pgconvoy_error *err)
{
    reader *reader = arg;
    if (atomic_load(&reader->run->stop)) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_SOURCE, "stopped, since another session failed");
        return -1;
    }
    publish(reader);
    if (reader->alone)
        report(reader->run);
    return pgc_archive_write(reader->data, bytes, length, err);
}

static int large_object_into_archive(void *arg, uint32_t oid, pgconvoy_error *err)
{
    reader *reader = arg;
    return oid ? pgc_archive_begin_large_object(reader->data, oid, err) : pgc_archive_end_large_object(reader->data, err);
}

static int do_job(reader *reader, const pgc_data_job *job, pgconvoy_error *err)
{
    run *run = reader->run;
    if (!reader->alone && pgc_data_session_lock(reader->conn, job->entry, err))
        return -1;
    reader->data = job->part_count > 1 ? pgc_archive_begin_part(run->writer, job->entry, job->part, job->part_count, err)
                                       : pgc_archive_begin_data(run->writer, job->entry, err);
    if (!reader->data)
        return -1;
    pgc_data_target target = {into_archive, large_object_into_archive, reader};
    int result = reader->ahead ? pgc_data_ahead_read(reader->ahead, job->entry, &target, &reader->totals, err)
                               : pgc_data_read_blocks(run->catalog, reader->conn, job->entry, job->blocks, &target, &reader->totals, err);
    pgconvoy_error ignored = {0};
    if (pgc_archive_end_data(reader->data, result ? &ignored : err))
        result = -1;
    reader->data = NULL;
    publish(reader);
    return result;
}

static int do_jobs(reader *reader, pgconvoy_error *err)
{
    run *run = reader->run;
    while (!atomic_load(&run->stop)) {
        int next = atomic_fetch_add(&run->next, 1);
        if (next >= run->plan.count)
            return 0;
        if (do_job(reader, &run->plan.jobs[next], err))
            return -1;
    }
    return 0;
}

/* ------------------------------------------------------------------ several sessions */

static int open_session(reader *reader, pgconvoy_error *err)
{
    reader->conn = pgc_data_session_open(reader->run->catalog, err);
    if (!reader->conn)
        return -1;
    PGcancel *cancel = PQgetCancel(reader->conn);
    if (!cancel)
        return pgc_error_out_of_memory(err);
    set_cancel(reader, cancel);
    return 0;
}

static void *work(void *arg)
{
    reader *reader = arg;
    run *run = reader->run;
    pgconvoy_error err = {0};
    if (open_session(reader, &err) || do_jobs(reader, &err))
        fail(run, &err);
    set_cancel(reader, NULL);
    PQfinish(reader->conn);
    pthread_mutex_lock(&run->lock);
    run->running--;
    pthread_cond_signal(&run->ended);
    pthread_mutex_unlock(&run->lock);
    return NULL;
}

/* Reports progress until all sessions have ended. */
static void wait_for_readers(run *run)
{
    pthread_mutex_lock(&run->lock);
    while (run->running > 0) {
        const struct timespec until = pgc_clock_deadline(PROGRESS_MS);
        (void)pthread_cond_timedwait(&run->ended, &run->lock, &until);
        pthread_mutex_unlock(&run->lock);
        report(run);
        pthread_mutex_lock(&run->lock);
    }
    pthread_mutex_unlock(&run->lock);
}

static int run_together(run *run, int sessions, pgconvoy_error *err)
{
    if (pgc_catalog_share_snapshot(run->catalog, err))
        return -1;
    run->readers = calloc((size_t)sessions, sizeof *run->readers);
    if (!run->readers)
        return pgc_error_out_of_memory(err);
    run->reader_count = sessions;
    int started = 0;
    for (; started < sessions && !atomic_load(&run->stop); started++) {
        reader *reader = &run->readers[started];
        reader->run = run;
        pthread_mutex_lock(&run->lock);
        run->running++;
        pthread_mutex_unlock(&run->lock);
        if (pthread_create(&reader->thread, NULL, work, reader)) {
            pthread_mutex_lock(&run->lock);
            run->running--;
            pthread_mutex_unlock(&run->lock);
            pgconvoy_error_set(err, PGCONVOY_ERROR_RESOURCE, "could not start a thread");
            fail(run, err);
            break;
        }
    }
    wait_for_readers(run);
    for (int i = 0; i < started; i++)
        pthread_join(run->readers[i].thread, NULL);
    if (run->failed)
        pgc_error_copy(err, &run->first_error);
    return run->failed ? -1 : 0;
}

static int run_alone(run *run, pgc_data_ahead *ahead, pgconvoy_error *err)
{
    reader reader = {.run = run, .conn = pgc_catalog_connection(run->catalog), .alone = true, .ahead = ahead};
    int result = ahead ? do_jobs(&reader, err) : -1;
    pgc_data_ahead_free(ahead);
    return result;
}

int pgc_data_write_all(pgc_catalog *catalog, pgc_entries *entries, bool (*wanted)(void *arg, const pgc_entry *entry), void *arg, pgc_archive_writer *writer,
                       pgc_archive_format format, void (*progress)(void *arg, const pgc_data_totals *totals), pgc_data_totals *totals, pgconvoy_error *err)
{
    run run = {.catalog = catalog, .writer = writer, .progress = progress, .progress_arg = arg, .progress_at_ms = pgc_clock_monotonic_us() / 1000};
    pthread_mutex_init(&run.lock, NULL);
    pgc_clock_condition_init(&run.ended);
    int sessions = catalog->options->jobs;
    int result = pgc_data_plan_make(&run.plan, catalog, entries, wanted, arg, sessions, format == PGC_ARCHIVE_DIRECTORY, err);
    if (result == 0 && sessions > run.plan.count)
        sessions = run.plan.count;
    if (result == 0)
        result = sessions > 1 ? run_together(&run, sessions, err) : run_alone(&run, pgc_data_ahead_new(catalog, entries, wanted, arg, err), err);
    if (totals)
        *totals = totals_of(&run);
    free(run.readers);
    pgc_data_plan_free(&run.plan);
    pthread_cond_destroy(&run.ended);
    pthread_mutex_destroy(&run.lock);
    return result;
}
