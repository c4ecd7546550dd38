/*
 * See change_reader.h. The source's stream has one holder at a time, who alone may read from it. The writing thread takes it where nobody has it and nothing
 * is waiting, and gives it to the other where more comes than it can write soon. Nobody has it while the writing thread writes a few changes; should
 * that take long, the other one takes it, so that the source is heard and answered.
 */
#include "pipeline/change_reader.h"

#include "base/clock.h"

#include <stdlib.h>

/* How long a reading thread may be before it sees that it should end. */
#define READ_MS       50
/* A batch above this is worth two threads. */
#define FEW_BYTES     ((size_t)16 << 10)
/* The writing thread may be elsewhere for so long before the other one reads, which looks so often. */
#define ELSEWHERE_US  INT64_C(20000)
#define LOOK_MS       50
#define QUEUE_BATCHES 256
/* Who waits for the other answers the source so often. */
#define HEARD_MS      1000

typedef enum holder { NOBODY, WRITER, READER } holder;

struct pgc_change_reader {
    pgc_run *run;
    pgc_queue *queue; /* written to by READER only */
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t given;
    holder holder;
    int64_t left_us; /* when nobody became the holder, monotonic */
    bool end, failed;
    bool outsized;      /* a batch that fills the memory by itself is read and not yet written */
    pgconvoy_error err; /* of the holder that met it, who keeps the stream */
    bool in_hand;       /* the writing thread's own: it has the outsized one */
};

/* Of the memory, for what is read ahead. */
static size_t share_of(const pgc_run *run)
{
    return run->options->memory_bytes / 8;
}

static void pass_on(pgc_change_reader *reader, holder to)
{
    pthread_mutex_lock(&reader->lock);
    reader->holder = to;
    reader->left_us = pgc_clock_monotonic_us();
    pthread_mutex_unlock(&reader->lock);
    if (to == READER)
        pthread_cond_signal(&reader->given);
}

static bool is_outsized(const pgc_change_reader *reader, const pgc_change_batch *batch)
{
    return batch->bytes > share_of(reader->run);
}

static void set_outsized(pgc_change_reader *reader, bool outsized)
{
    pthread_mutex_lock(&reader->lock);
    reader->outsized = outsized;
    pthread_mutex_unlock(&reader->lock);
    if (!outsized)
        pthread_cond_signal(&reader->given);
}

/* By the holder. 1: *batch; 0: nothing came; -1: the stream has failed. */
static int read_batch(pgc_change_reader *reader, int timeout_ms, pgc_change_batch **batch)
{
    pgc_run *run = reader->run;
    *batch = NULL;
    int got = run->source_ops->stream_next(run->source, timeout_ms, batch, &reader->err);
    if (got == 1 && (*batch)->position > atomic_load(&run->counters->received_lsn))
        atomic_store(&run->counters->received_lsn, (*batch)->position);
    if (got == 1 && is_outsized(reader, *batch))
        set_outsized(reader, true);
    return got;
}

/* One thread can do it: the batch is small, and whole transactions. */
static bool is_quiet(const pgc_change_reader *reader, const pgc_change_batch *batch)
{
    return batch->at_boundary && batch->bytes <= FEW_BYTES && !pgc_run_is_behind(reader->run);
}

static void fail(pgc_change_reader *reader)
{
    pthread_mutex_lock(&reader->lock);
    reader->failed = true;
    pthread_mutex_unlock(&reader->lock);
    pgc_queue_close(reader->queue);
}

/* ---- the thread beside */

static int push(pgc_change_reader *reader, pgc_change_batch *batch)
{
    pgc_run *run = reader->run;
    for (;;) {
        switch (pgc_queue_push(reader->queue, batch, batch->bytes, HEARD_MS)) {
        case PGC_QUEUE_OK:
            return 0;
        case PGC_QUEUE_CLOSED:
            pgc_change_batch_free(batch);
            return 0;
        case PGC_QUEUE_TIMEOUT:
            if (run->source_ops->stream_heartbeat(run->source, &reader->err) != 0) {
                pgc_change_batch_free(batch);
                return -1;
            }
        }
    }
}

/* Waits until the stream is this thread's. False: it is to end. */
static bool wait_for_stream(pgc_change_reader *reader)
{
    pthread_mutex_lock(&reader->lock);
    while (reader->holder != READER && !reader->end) {
        if (reader->holder == NOBODY && pgc_clock_monotonic_us() - reader->left_us >= ELSEWHERE_US) {
            reader->holder = READER;
            break;
        }
        const struct timespec until = pgc_clock_deadline(LOOK_MS);
        pthread_cond_timedwait(&reader->given, &reader->lock, &until);
    }
    bool end = reader->end;
    pthread_mutex_unlock(&reader->lock);
    return !end;
}

/* A second batch of that size would take the same memory again: it stays at the source until the first is written. -1: the stream has failed. */
static int wait_for_room(pgc_change_reader *reader)
{
    for (;;) {
        const struct timespec until = pgc_clock_deadline(HEARD_MS);
        pthread_mutex_lock(&reader->lock);
        int late = 0;
        while (reader->outsized && !reader->end && late == 0)
            late = pthread_cond_timedwait(&reader->given, &reader->lock, &until);
        bool full = reader->outsized && !reader->end;
        pthread_mutex_unlock(&reader->lock);
        if (!full)
            return 0;
        if (reader->run->source_ops->stream_heartbeat(reader->run->source, &reader->err) != 0)
            return -1;
    }
}

static void *read_ahead(void *arg)
{
    pgc_change_reader *reader = arg;
    while (wait_for_stream(reader)) {
        pgc_change_batch *batch = NULL;
        int got = wait_for_room(reader) != 0 ? -1 : read_batch(reader, READ_MS, &batch);
        bool quiet = got == 1 && is_quiet(reader, batch) && pgc_queue_is_empty(reader->queue);
        if (got == 1)
            got = push(reader, batch);
        if (got < 0) {
            fail(reader);
            break;
        }
        if (quiet)
            pass_on(reader, NOBODY);
    }
    return NULL;
}

/* ---- the writing thread */

pgc_change_reader *pgc_change_reader_start(pgc_run *run, pgconvoy_error *err)
{
    pgc_change_reader *reader = calloc(1, sizeof *reader);
    if (reader)
        reader->queue = pgc_queue_new(QUEUE_BATCHES, share_of(run));
    if (!reader || !reader->queue) {
        free(reader);
        pgc_error_out_of_memory(err);
        return NULL;
    }
    reader->run = run;
    reader->holder = READER; /* there may be a backlog */
    pthread_mutex_init(&reader->lock, NULL);
    pgc_clock_condition_init(&reader->given);
    if (pthread_create(&reader->thread, NULL, read_ahead, reader) == 0)
        return reader;
    pgconvoy_error_set(err, PGCONVOY_ERROR_RESOURCE, "cannot start a thread for the change stream");
    pgconvoy_error_hint(err, "raise the limit of processes for this user");
    pthread_mutex_destroy(&reader->lock);
    pthread_cond_destroy(&reader->given);
    pgc_queue_free(reader->queue);
    free(reader);
    return NULL;
}

/* Where nobody has the stream it is the writing thread's. */
static bool take(pgc_change_reader *reader)
{
    pthread_mutex_lock(&reader->lock);
    bool taken = reader->holder == NOBODY;
    if (taken)
        reader->holder = WRITER;
    pthread_mutex_unlock(&reader->lock);
    return taken;
}

static pgc_queue_result pop(pgc_change_reader *reader, int timeout_ms, pgc_change_batch **batch)
{
    void *item = NULL;
    pgc_queue_result result = pgc_queue_pop(reader->queue, &item, timeout_ms);
    *batch = item;
    return result;
}

static pgc_queue_result next(pgc_change_reader *reader, int timeout_ms, pgc_change_batch **batch)
{
    bool mine = take(reader);
    if (mine && !pgc_queue_is_empty(reader->queue)) { /* what was read ahead comes first */
        pass_on(reader, NOBODY);
        mine = false;
    }
    if (!mine)
        return pop(reader, timeout_ms, batch);
    int got = read_batch(reader, timeout_ms, batch);
    if (got < 0) {
        fail(reader);
        return PGC_QUEUE_CLOSED;
    }
    pass_on(reader, got == 0 || is_quiet(reader, *batch) ? NOBODY : READER);
    return got == 1 ? PGC_QUEUE_OK : PGC_QUEUE_TIMEOUT;
}

pgc_queue_result pgc_change_reader_next(pgc_change_reader *reader, int timeout_ms, pgc_change_batch **batch)
{
    if (reader->in_hand)
        set_outsized(reader, false);
    pgc_queue_result result = next(reader, timeout_ms, batch);
    reader->in_hand = result == PGC_QUEUE_OK && is_outsized(reader, *batch);
    return result;
}

bool pgc_change_reader_is_empty(pgc_change_reader *reader)
{
    return pgc_queue_is_empty(reader->queue);
}

const pgconvoy_error *pgc_change_reader_failure(pgc_change_reader *reader)
{
    pthread_mutex_lock(&reader->lock);
    bool failed = reader->failed;
    pthread_mutex_unlock(&reader->lock);
    return failed ? &reader->err : NULL;
}

void pgc_change_reader_end(pgc_change_reader *reader)
{
    pthread_mutex_lock(&reader->lock);
    reader->end = true;
    pthread_mutex_unlock(&reader->lock);
    pthread_cond_signal(&reader->given);
    pgc_queue_close(reader->queue);
    reader->run->source_ops->stream_wake(reader->run->source);
    pthread_join(reader->thread, NULL);
    for (void *item; pgc_queue_pop(reader->queue, &item, 0) == PGC_QUEUE_OK;)
        pgc_change_batch_free(item);
    pgc_queue_free(reader->queue);
    pthread_mutex_destroy(&reader->lock);
    pthread_cond_destroy(&reader->given);
    free(reader);
}
