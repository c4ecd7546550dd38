/*
 * Several sessions, each a thread with a connection of its own, that take entries as they become ready. One that fails (its connection is lost, the archive is broken, or it is to stop at errors) stops all: what
 * the others are doing is cancelled. What never becomes ready is restored at the end by one more session.
 */
#include "archive/restore_internal.h"
#include "archive/restore_order.h"

#include <stdlib.h>

typedef struct worker worker;

/* All members but session are guarded by restore->lock, while there are threads. */
typedef struct together {
    restore *restore;
    pgc_restore_order *order;
    pthread_cond_t changed;
    worker *workers;
    bool failed;
    pgconvoy_error first_error;
} together;

struct worker {
    together *together;
    pthread_t thread;
    restore_session session;
};

static void fail(together *together, const pgconvoy_error *err)
{
    restore *restore = together->restore;
    pthread_mutex_lock(&restore->lock);
    bool first = !together->failed;
    if (first)
        pgc_error_copy(&together->first_error, err);
    together->failed = true;
    atomic_store(&restore->stop, true);
    pthread_cond_broadcast(&together->changed);
    pthread_mutex_unlock(&restore->lock);
    if (first)
        pgc_restore_sessions_cancel(restore->options->sessions);
}

/* Waits for an entry that can be begun; -1: there is none any more. done: the one that was begun before, or -1. */
static int take_next(together *together, int done)
{
    restore *restore = together->restore;
    pthread_mutex_lock(&restore->lock);
    if (done >= 0)
        pgc_restore_order_done(together->order, done);
    int place = -1;
    while (!together->failed && (place = pgc_restore_order_next(together->order)) < 0 && !pgc_restore_order_is_over(together->order))
        pthread_cond_wait(&together->changed, &restore->lock);
    /* others may find something to do now, or that nothing is left */
    pthread_cond_broadcast(&together->changed);
    pthread_mutex_unlock(&restore->lock);
    return place;
}

static int restore_place(restore_session *session, int place, const char *what, pgconvoy_error *err)
{
    restore *restore = session->restore;
    const pgc_entry *entry = restore->entries->items[place];
    bool chosen = pgc_script_writes(restore->script, entry) & (PGC_WRITES_SCHEMA | PGC_WRITES_DATA);
    restore_say(restore, "%s item %d %s %s", chosen ? what : "skipping", entry->id, entry->description, entry->tag);
    if (!chosen)
        return 0;
    if (restore_entry(session, entry, err))
        return -1;
    restore_say(restore, "finished item %d %s %s", entry->id, entry->description, entry->tag);
    return 0;
}

static int work(worker *worker, pgconvoy_error *err)
{
    restore_session *session = &worker->session;
    if (restore_session_open(session, err) || restore_session_begin(session, err))
        return -1;
    for (int place = -1; (place = take_next(worker->together, place)) >= 0;)
        if (restore_place(session, place, "launching", err))
            return -1;
    return 0;
}

static void *run_worker(void *arg)
{
    worker *worker = arg;
    pgconvoy_error err = {0};
    if (work(worker, &err))
        fail(worker->together, &err);
    restore_session_close(&worker->session);
    return NULL;
}

static int run_workers(together *together, int sessions, pgconvoy_error *err)
{
    together->workers = calloc((size_t)sessions, sizeof *together->workers);
    if (!together->workers)
        return pgc_error_out_of_memory(err);
    int started = 0;
    for (; started < sessions; started++) {
        worker *worker = &together->workers[started];
        worker->together = together;
        worker->session = (restore_session){.restore = together->restore, .truncates = true};
        if (pthread_create(&worker->thread, NULL, run_worker, worker)) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_RESOURCE, "could not start a thread");
            fail(together, err);
            break;
        }
    }
    for (int i = 0; i < started; i++)
        pthread_join(together->workers[i].thread, NULL);
    if (together->failed)
        pgc_error_copy(err, &together->first_error);
    return together->failed ? -1 : 0;
}

static int run_left(together *together, pgconvoy_error *err)
{
    int place = pgc_restore_order_left(together->order);
    if (place < 0)
        return 0;
    restore_session session = {.restore = together->restore};
    int result = restore_session_open(&session, err);
    if (result == 0)
        result = restore_session_begin(&session, err);
    for (; result == 0 && place >= 0; place = pgc_restore_order_left(together->order))
        result = restore_place(&session, place, "processing missed", err);
    restore_session_close(&session);
    return result;
}

int restore_together(restore *restore, const bool *done, int sessions, pgconvoy_error *err)
{
    together together = {.restore = restore, .order = pgc_restore_order_new(restore->entries, done, err)};
    if (!together.order)
        return -1;
    pthread_cond_init(&together.changed, NULL);
    restore_say(restore, "entering main parallel loop");
    int result = run_workers(&together, sessions, err);
    if (result == 0) {
        restore_say(restore, "finished main parallel loop");
        result = run_left(&together, err);
    }
    free(together.workers);
    pthread_cond_destroy(&together.changed);
    pgc_restore_order_free(together.order);
    return result;
}
