/*
 * Sessions at work at the same time, each a thread with its connections, that take items as they become ready: the largest first, small ones many at a time. Definitions that come before all data are done by the one
 * main session, in order. One that fails stops all: what the others are doing is cancelled, and the first failure is the one that is reported.
 */
#include "clone/clone_internal.h"

#include "base/clock.h"
#include "base/units.h"
#include "postgres/connection.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BATCH_MAX 64   /* items in a transaction; a server keeps a lock for each until its end */
#define BATCH_MAX_BYTES ((int64_t)4 << 20)
#define PRE_DATA_BATCH 200
#define LONG_RUN       400 /* definitions of tables that are worth all sessions */

/* ------------------------------------------------------------------ failing */

static void fail(pgc_clone *clone, const pgconvoy_error *err)
{
    char why[256];
    pthread_mutex_lock(&clone->lock);
    bool first = !clone->failed;
    if (first)
        pgc_error_copy(&clone->first_error, err);
    clone->failed = true;
    atomic_store(&clone->stop, true);
    for (int i = 0; first && i < clone->session_count; i++) {
        clone_session *session = clone->sessions[i];
        if (session->cancel_source)
            (void)PQcancel(session->cancel_source, why, sizeof why);
        if (session->cancel_target)
            (void)PQcancel(session->cancel_target, why, sizeof why);
    }
    pthread_cond_broadcast(&clone->changed);
    pthread_mutex_unlock(&clone->lock);
}

void pgc_clone_stop(pgc_clone *clone)
{
    pgconvoy_error err = {0};
    pgconvoy_error_set(&err, PGCONVOY_ERROR_STATE, "stopped before the copy was complete");
    pgconvoy_error_hint(&err, "run the same command again: it goes on where it was");
    atomic_store(&clone->asked, true);
    fail(clone, &err);
}

/* ------------------------------------------------------------------ taking */

static bool is_large_build(const clone_item *item)
{
    return item->kind == CLONE_DEFINITION && item->bytes >= CLONE_LARGE_BYTES;
}

static bool is_large_rows(const clone_item *item)
{
    return item->kind != CLONE_DEFINITION && item->bytes >= CLONE_LARGE_BYTES;
}

/* The limits hold for what is large. */
static bool may_begin(void *arg, int place)
{
    const pgc_clone *clone = arg;
    const clone_item *item = &clone->items[place];
    if (is_large_build(item))
        return clone->large_builds < clone->options->index_jobs;
    return !is_large_rows(item) || clone->large_rows < clone->options->jobs;
}

static void begin(pgc_clone *clone, clone_item *item)
{
    item->begun_at = clone->rows_done + 1;
}

static void count(pgc_clone *clone, const clone_item *item, int by)
{
    clone->large_builds += is_large_build(item) ? by : 0;
    clone->large_rows += is_large_rows(item) ? by : 0;
}

static int batch_size(const pgc_clone *clone)
{
    int share = pgc_restore_order_ready(clone->order) / (2 * (clone->running > 0 ? clone->running : 1));
    return share > BATCH_MAX ? BATCH_MAX : share < 1 ? 1 : share;
}

/* With the lock. */
static int take_batch(pgc_clone *clone, int *places)
{
    int first = pgc_restore_order_next(clone->order);
    if (first < 0)
        return 0;
    places[0] = first;
    begin(clone, &clone->items[first]);
    count(clone, &clone->items[first], 1);
    int taken = 1, most = clone->items[first].alone ? 1 : batch_size(clone);
    int64_t bytes = clone->items[first].bytes;
    while (taken < most && bytes < BATCH_MAX_BYTES) {
        int place = pgc_restore_order_next(clone->order);
        if (place < 0)
            break;
        if (clone->items[place].alone) {
            pgc_restore_order_put_back(clone->order, place);
            break;
        }
        bytes += clone->items[place].bytes;
        begin(clone, &clone->items[place]);
        places[taken++] = place;
    }
    return taken;
}

static bool reads(const clone_item *item)
{
    return item->kind == CLONE_ROWS || item->kind == CLONE_LARGE_OBJECTS;
}

/*
 * When the last row is read, so that what is deleted at the source from then on can be vacuumed, however long indexes take. A copy that wants to see the same rows again after a failure keeps its
 * snapshot as long as it can. With the lock.
 */
static void release_snapshot(pgc_clone *clone)
{
    if (!clone->options->consistent)
        clone_sessions_release_snapshot(clone);
}

static void count_reads(pgc_clone *clone)
{
    pthread_mutex_lock(&clone->lock);
    clone->reads_left = 0;
    for (int i = 0; i < clone->item_count; i++)
        clone->reads_left += reads(&clone->items[i]) && !clone->items[i].done;
    if (clone->reads_left == 0)
        release_snapshot(clone);
    pthread_mutex_unlock(&clone->lock);
}

/* ------------------------------------------------------------------ put off */

/* What may be another table's rows: a function that raised or looked for something, a CHECK, and errors of functions in C. */
static bool may_be_of_other_rows(const pgconvoy_error *err)
{
    static const char *const states[] = {"23514", "P0", "XX000", "42P01", "42883", "38", "39", "2F"};
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (strncmp(err->sqlstate, states[i], strlen(states[i])) == 0)
            return true;
    return false;
}

bool clone_may_put_off(const clone_session *session, const clone_item *item, const pgconvoy_error *err)
{
    pgc_clone *clone = session->clone;
    if (session->is_main || item->kind != CLONE_ROWS || err->retriable || atomic_load(&clone->stop) || !may_be_of_other_rows(err))
        return false;
    pthread_mutex_lock(&clone->lock);
    bool others_came = item->put_off_at != item->begun_at;
    pthread_mutex_unlock(&clone->lock);
    return others_came;
}

/* One at a time, when all others are done; first those since whose failure rows of another came. It counts as running from its first failure on. With the lock. */
static int take_put_off(pgc_clone *clone, int *places)
{
    int found = -1;
    if (clone->put_off == 0 || clone->tries_again || clone->reads_left > clone->put_off)
        return 0;
    for (int i = 0; i < clone->item_count; i++)
        if (clone->items[i].is_put_off && (found < 0 || clone->items[i].put_off_at != clone->rows_done + 1)) {
            found = i;
            if (clone->items[i].put_off_at != clone->rows_done + 1)
                break;
        }
    if (found < 0)
        return 0;
    clone->items[found].is_put_off = false;
    clone->put_off--;
    clone->tries_again = true;
    begin(clone, &clone->items[found]);
    count(clone, &clone->items[found], 1);
    places[0] = found;
    return 1;
}

/* With the lock; whether it was. */
static bool note_put_off(pgc_clone *clone, clone_item *item)
{
    clone->tries_again &= item->put_off_at == 0;
    if (!item->is_put_off) {
        clone->rows_done += item->kind == CLONE_ROWS;
        return false;
    }
    item->put_off_at = item->begun_at;
    clone->put_off++;
    return true;
}

/* Waits for something to do; 0: there is nothing any more. done: what was taken before. */
static int take_next(pgc_clone *clone, int *places, int done)
{
    pthread_mutex_lock(&clone->lock);
    for (int i = 0; i < done; i++) {
        clone_item *item = &clone->items[places[i]];
        count(clone, item, i == 0 ? -1 : 0);
        if (note_put_off(clone, item))
            continue;
        item->done = true;
        if (reads(item) && --clone->reads_left == 0)
            release_snapshot(clone);
        if (item->kind == CLONE_ROWS && atomic_fetch_sub(&item->table->parts_left, 1) == 1)
            atomic_store(&item->table->ended_us, pgc_clock_monotonic_us());
        pgc_restore_order_done(clone->order, places[i]);
    }
    int taken = 0;
    while (!clone->failed && (taken = take_batch(clone, places)) == 0 && (taken = take_put_off(clone, places)) == 0 && !pgc_restore_order_is_over(clone->order))
        pthread_cond_wait(&clone->changed, &clone->lock);
    /* others may find something to do now, or that nothing is left */
    pthread_cond_broadcast(&clone->changed);
    bool failed = clone->failed;
    pthread_mutex_unlock(&clone->lock);
    return failed ? 0 : taken;
}

/* ------------------------------------------------------------------ one session */

static void say_done(const clone_session *session, const int *places, int count, int64_t begun_us)
{
    const pgc_entry *entry = session->clone->items[places[0]].entry;
    char time[PGC_UNITS_TEXT_SIZE], more[32] = "";
    if (count > 1)
        snprintf(more, sizeof more, " and %d more", count - 1);
    pgc_log_debug(session->clone->options->log, "%s %s%s%s%s: %s", entry->description, entry->schema ? entry->schema : "", entry->schema ? "." : "", entry->tag, more,
                  pgc_duration_to_text(pgc_clock_monotonic_us() - begun_us, time));
}

static int work(clone_session *session, pgconvoy_error *err)
{
    int places[BATCH_MAX];
    if (clone_session_open(session, err))
        return -1;
    for (int taken = 0; (taken = take_next(session->clone, places, taken)) > 0;) {
        int64_t begun_us = pgc_clock_monotonic_us();
        if (clone_batch_run(session, places, taken, err))
            return -1;
        say_done(session, places, taken, begun_us);
        atomic_fetch_add(&session->clone->finished, taken);
    }
    return 0;
}

static void *run_session(void *arg)
{
    clone_session *session = arg;
    pgc_clone *clone = session->clone;
    pgconvoy_error err = {0};
    if (work(session, &err))
        fail(clone, &err);
    clone_session_close(session);
    pthread_mutex_lock(&clone->lock);
    clone->running--;
    pthread_cond_broadcast(&clone->changed);
    pthread_mutex_unlock(&clone->lock);
    return NULL;
}

/* ------------------------------------------------------------------ all of them */

/* Entries that depend on one another in a circle are done at the end, one by one. */
static int do_left(pgc_clone *clone, clone_session *main, pgconvoy_error *err)
{
    for (int place; (place = pgc_restore_order_left(clone->order)) >= 0;)
        if (!clone->items[place].done && clone_batch_run(main, &place, 1, err))
            return -1;
    return 0;
}

static void wait_for_sessions(pgc_clone *clone)
{
    int interval_ms = clone->options->progress_interval_ms > 0 ? clone->options->progress_interval_ms : 1000;
    pthread_mutex_lock(&clone->lock);
    while (clone->running > 0) {
        const struct timespec until = pgc_clock_deadline(interval_ms);
        while (clone->running > 0 && pthread_cond_timedwait(&clone->changed, &clone->lock, &until) != ETIMEDOUT) {
        }
        pthread_mutex_unlock(&clone->lock);
        clone_report(clone, false);
        pthread_mutex_lock(&clone->lock);
    }
    pthread_mutex_unlock(&clone->lock);
}

static int run_sessions(pgc_clone *clone, clone_session *sessions, int session_count, pgconvoy_error *err)
{
    int started = 0;
    for (; started < session_count; started++) {
        clone_session *session = &sessions[started];
        pthread_mutex_lock(&clone->lock);
        clone->running++;
        pthread_mutex_unlock(&clone->lock);
        if (pthread_create(&session->thread, NULL, run_session, session)) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_RESOURCE, "could not start a thread");
            fail(clone, err);
            pthread_mutex_lock(&clone->lock);
            clone->running--;
            pthread_mutex_unlock(&clone->lock);
            break;
        }
    }
    wait_for_sessions(clone);
    for (int i = 0; i < started; i++)
        pthread_join(sessions[i].thread, NULL);
    return clone->failed ? -1 : 0;
}

/* For the items from first to before end; what comes before is done, and what comes after is not asked for. */
static int make_order(pgc_clone *clone, int first, int end, pgconvoy_error *err)
{
    bool *done = calloc((size_t)clone->item_count + 1, sizeof *done);
    if (!done)
        return pgc_error_out_of_memory(err);
    for (int i = 0; i < clone->item_count; i++)
        done[i] = clone->items[i].done || i < first || i >= end;
    clone->order = pgc_restore_order_new(&clone->entries, done, err);
    free(done);
    if (!clone->order)
        return -1;
    pgc_restore_order_limit(clone->order, may_begin, clone);
    return 0;
}

/* All of a range by all sessions, as their dependencies allow. */
static int run_range(pgc_clone *clone, clone_session *sessions, int session_count, int first, int end, pgconvoy_error *err)
{
    int result = make_order(clone, first, end, err);
    if (result == 0)
        result = run_sessions(clone, sessions, session_count, err);
    if (result == 0)
        result = do_left(clone, &sessions[session_count], err);
    pgc_restore_order_free(clone->order);
    clone->order = NULL;
    return result;
}

/* ------------------------------------------------------------------ definitions before the data */

static int define(pgc_clone *clone, clone_session *main, int first, int end, pgconvoy_error *err)
{
    int places[PRE_DATA_BATCH], taken = 0;
    for (int i = first; i <= end; i++) {
        if (i < end && clone->items[i].pre_data && !clone->items[i].done)
            places[taken++] = i;
        if (taken == PRE_DATA_BATCH || (i == end && taken > 0)) {
            if (clone_batch_run(main, places, taken, err))
                return -1;
            for (int n = 0; n < taken; n++)
                clone->items[places[n]].done = true;
            atomic_fetch_add(&clone->finished, taken);
            taken = 0;
        }
    }
    return 0;
}

/* What many databases have a great many of, and whose dependencies say all: they can be made side by side. */
static bool is_of_relations(const clone_item *item)
{
    static const char *const descriptions[] = {"TABLE", "SEQUENCE", "SEQUENCE OWNED BY", "DEFAULT", "COMMENT", NULL};
    return pgc_entry_is_one_of(item->entry, descriptions);
}

/* In their order by the main session, but for long runs of tables. */
static int define_all(pgc_clone *clone, clone_session *sessions, int session_count, pgconvoy_error *err)
{
    clone_session *main = &sessions[session_count];
    int begun = 0;
    for (int i = 0, end; i < clone->item_count; i = end > i ? end : i + 1) {
        int count = 0;
        for (end = i; end < clone->item_count && clone->items[end].pre_data && is_of_relations(&clone->items[end]); end++)
            count += !clone->items[end].done;
        if (count < LONG_RUN || session_count < 2)
            continue;
        if (define(clone, main, begun, i, err) || run_range(clone, sessions, session_count, i, end, err))
            return -1;
        begun = end;
    }
    return define(clone, main, begun, clone->item_count, err);
}

/* Puts the sessions where a failure finds them; NULL: none is left. */
static void publish(pgc_clone *clone, clone_session **list, int count)
{
    pthread_mutex_lock(&clone->lock);
    clone->sessions = list;
    clone->session_count = count;
    pthread_mutex_unlock(&clone->lock);
}

int clone_work(pgc_clone *clone, pgconvoy_error *err)
{
    int count = clone->options->jobs > clone->options->index_jobs ? clone->options->jobs : clone->options->index_jobs;
    clone_session *sessions = calloc((size_t)count + 1, sizeof *sessions);
    clone_session **list = calloc((size_t)count + 1, sizeof *list);
    if (!sessions || !list) {
        free(sessions);
        free(list);
        return pgc_error_out_of_memory(err);
    }
    for (int i = 0; i <= count; i++) {
        sessions[i] = (clone_session){.clone = clone, .is_main = i == count};
        list[i] = &sessions[i];
    }
    publish(clone, list, count + 1);
    count_reads(clone);
    clone_session *main = &sessions[count];
    int result = clone_session_open(main, err);
    if (result == 0)
        result = define_all(clone, sessions, count, err);
    if (result == 0)
        result = run_range(clone, sessions, count, 0, clone->item_count, err);
    clone_session_close(main);
    publish(clone, NULL, 0);
    if (clone->failed) {
        pgc_error_copy(err, &clone->first_error);
        result = -1;
    }
    free(sessions);
    free(list);
    return result;
}
