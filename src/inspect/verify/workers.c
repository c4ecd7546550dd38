/* Items by sessions at a time. A session whose connection is lost makes a new one and does its item again. */
#include "inspect/verify/verify_internal.h"

#include "base/clock.h"
#include "base/units.h"

#include <stdlib.h>

#define TRIES 6
#define SAY_US INT64_C(10000000)

static verify_item *next_item(pgc_verify *verify)
{
    pthread_mutex_lock(&verify->lock);
    verify_item *item =
        verify->failed || verify->next_item == verify->item_count ? NULL : &verify->items[verify->next_item++];
    pthread_mutex_unlock(&verify->lock);
    return item;
}

static void fail(pgc_verify *verify, const pgconvoy_error *err)
{
    pthread_mutex_lock(&verify->lock);
    if (!verify->failed)
        pgc_error_copy(&verify->first_error, err);
    verify->failed = true;
    pthread_mutex_unlock(&verify->lock);
}

static void table_done(pgc_verify *verify, const verify_table *table)
{
    int64_t found = table->found[0] + table->found[1] + table->found[2];
    char rows[PGC_UNITS_TEXT_SIZE];
    pgc_log_debug(verify->options->log, "table %s.%s: %s rows, %lld differ", table->schema, table->name,
                  pgc_count_to_text(table->row_count[0], rows), (long long)found);
    if (found == 0 && table->unsettled == 0)
        verify_state_table(verify, table);
}

static void item_done(verify_session *session, verify_item *item)
{
    pgc_verify *verify = session->verify;
    verify_table *table = item->table;
    pthread_mutex_lock(&verify->lock);
    for (int kind = 0; kind < 3; kind++)
        table->found[kind] += session->found[kind];
    table->unsettled += session->unsettled;
    if (session->findings.first) {
        if (!table->findings.end)
            table->findings.end = &table->findings.first;
        *table->findings.end = session->findings.first;
        table->findings.end = session->findings.end;
        table->findings.count += session->findings.count;
    }
    verify_repair_item_done(session);
    verify->items_done++;
    if (atomic_fetch_sub(&table->items_left, 1) == 1)
        table_done(verify, table);
    pthread_mutex_unlock(&verify->lock);
}

static int run_item(verify_session *session, verify_item *item, pgconvoy_error *err)
{
    memset(session->found, 0, sizeof session->found);
    session->unsettled = 0;
    session->findings = (verify_findings){0};
    if (verify_session_open(session, err) || verify_repair_item(session, err))
        return -1;
    if (verify_range_compare(session, item->table, &item->range, err)) {
        pgc_error_prefix(err, "table %s.%s", item->table->schema, item->table->name);
        return -1;
    }
    item_done(session, item);
    return 0;
}

static int try_item(verify_session *session, verify_item *item, pgconvoy_error *err)
{
    for (int attempt = 1;; attempt++) {
        if (run_item(session, item, err) == 0)
            return 0;
        if (!err->retriable || attempt == TRIES || atomic_load(&session->verify->stop))
            return -1;
        pgc_log_warning(session->verify->options->log, "%s; trying again", err->message);
        pgc_error_clear(err);
        verify_session_close(session);
        for (int i = 0; i < attempt * 5 && !atomic_load(&session->verify->stop); i++)
            pgc_clock_sleep_ms(100);
    }
}

static void *work(void *arg)
{
    verify_session *session = arg;
    pgconvoy_error err = {0};
    for (verify_item *item; (item = next_item(session->verify)) != NULL;)
        if (try_item(session, item, &err)) {
            fail(session->verify, &err);
            break;
        }
    return NULL;
}

static int set_up(verify_session *session, pgc_verify *verify, pgconvoy_error *err)
{
    session->verify = verify;
    session->arena = pgc_arena_new(64 << 10);
    session->leaf = pgc_arena_new(256 << 10);
    for (int side = 0; side < 2; side++)
        pgc_buffer_init(&session->sql[side], VERIFY_SQL_LIMIT);
    return session->arena && session->leaf ? 0 : pgc_error_out_of_memory(err);
}

static void tear_down(verify_session *session)
{
    verify_session_close(session);
    pgc_arena_free(session->arena);
    pgc_arena_free(session->leaf);
    for (int side = 0; side < 2; side++)
        pgc_buffer_free(&session->sql[side]);
    if (session->repair_delete)
        fclose(session->repair_delete);
    if (session->repair_write)
        fclose(session->repair_write);
}

/* Every ten seconds a line, while there is work. */
static void watch(pgc_verify *verify)
{
    int64_t said = pgc_clock_monotonic_us();
    for (;;) {
        pthread_mutex_lock(&verify->lock);
        int64_t done = verify->items_done;
        bool ended = verify->failed || done == verify->item_count;
        pthread_mutex_unlock(&verify->lock);
        if (ended || atomic_load(&verify->stop))
            return;
        pgc_clock_sleep_ms(10);
        if (pgc_clock_monotonic_us() - said < SAY_US)
            continue;
        said = pgc_clock_monotonic_us();
        pgc_log_info(verify->options->log, "compared %lld of %d ranges of %d tables", (long long)done,
                     verify->item_count, verify->table_count);
    }
}

int verify_work(pgc_verify *verify, pgconvoy_error *err)
{
    int wanted = verify->options->jobs < verify->item_count ? verify->options->jobs : verify->item_count, started = 0,
        status = 0;
    verify_session *sessions = calloc((size_t)wanted + 1, sizeof *sessions);
    if (!sessions)
        return pgc_error_out_of_memory(err);
    for (int i = 0; i < wanted && status == 0; i++)
        status = set_up(&sessions[i], verify, err);
    pthread_mutex_lock(&verify->lock);
    verify->sessions = sessions;
    verify->session_count = wanted;
    pthread_mutex_unlock(&verify->lock);
    while (status == 0 && started < wanted &&
           pthread_create(&sessions[started].thread, NULL, work, &sessions[started]) == 0)
        started++;
    if (status == 0 && started == 0 && wanted > 0) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_RESOURCE, "cannot start a thread");
        status = -1;
    }
    if (started)
        watch(verify);
    for (int i = 0; i < started; i++)
        pthread_join(sessions[i].thread, NULL);
    pthread_mutex_lock(&verify->lock);
    verify->sessions = NULL;
    verify->session_count = 0;
    pthread_mutex_unlock(&verify->lock);
    for (int i = 0; i < wanted; i++)
        if (sessions[i].verify)
            tear_down(&sessions[i]);
    free(sessions);
    if (status == 0 && verify->failed) {
        pgc_error_copy(err, &verify->first_error);
        status = -1;
    }
    return status;
}
