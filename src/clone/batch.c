/*
 * Some items in one transaction, with the rows that say that they are finished. Definitions go to the server as one text, which is one round trip however many they are; when it is refused they are done again one by
 * one, so that the error names the one it is about. A deadlock, which sessions that build on one another's tables can run into, is no error but a reason to do it again.
 */
#include "clone/clone_internal.h"

#include "base/clock.h"
#include "postgres/connection.h"

#include <stdio.h>
#include <string.h>

#define TRIES      10
#define TEXT_BYTES ((size_t)4 << 20) /* sent when there is more */

static bool stopped(const pgc_clone *clone, pgconvoy_error *err)
{
    if (!atomic_load(&clone->stop))
        return false;
    pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "stopped");
    return true;
}

/* "INDEX public.t_a" */
static const char *name_item(const clone_item *item, char *name, size_t size)
{
    const pgc_entry *entry = item->entry;
    snprintf(name, size, "%s %s%s%s", entry->description, entry->schema ? entry->schema : "", entry->schema ? "." : "", entry->tag);
    return name;
}

static int send_text(clone_session *session, const char *what, pgconvoy_error *err)
{
    if (session->text.length == 0)
        return 0;
    if (pgc_buffer_check(&session->text, err))
        return -1;
    int result = clone_session_run(session, session->text.data, what, err);
    pgc_buffer_reset(&session->text);
    return result;
}

static int do_item(clone_session *session, clone_item *item, bool alone, pgconvoy_error *err)
{
    char name[400];
    if (item->kind == CLONE_JOIN)
        return 0;
    if (item->kind == CLONE_DEFINITION) {
        /* a line end, should a definition lack its own */
        int result = pgc_script_entry(session->script, item->entry, &session->text, err);
        return result || session->text.length < TEXT_BYTES ? result : send_text(session, name_item(item, name, sizeof name), err);
    }
    if (send_text(session, name_item(item, name, sizeof name), err))
        return -1;
    return item->kind == CLONE_ROWS ? clone_rows(session, item, alone, err) : clone_large_objects(session, item, err);
}

/* All of it; on failure the transaction is still open. */
static int do_all(clone_session *session, const int *places, int count, pgconvoy_error *err)
{
    pgc_clone *clone = session->clone;
    char name[400];
    pgc_buffer_reset(&session->text);
    pgc_buffer_text(&session->text, "BEGIN;\n");
    for (int i = 0; i < count; i++)
        if (stopped(clone, err) || do_item(session, &clone->items[places[i]], count == 1, err))
            return -1;
    clone_state_mark(clone, &session->text, places, count);
    pgc_buffer_text(&session->text, "COMMIT;\n");
    return send_text(session, name_item(&clone->items[places[0]], name, sizeof name), err);
}

/* Sessions of the same copy are in each other's way: also a lock that was not had in time, and a catalog row that was updated concurrently (XX000). */
static bool is_in_the_way(const pgconvoy_error *err)
{
    return pgc_error_was_rolled_back(err) || strcmp(err->sqlstate, "55P03") == 0 || strcmp(err->sqlstate, "XX000") == 0;
}

/* After a failure: out of the transaction, and the session's settings as the script believes them. */
static int undo(clone_session *session, pgconvoy_error *err)
{
    if (PQstatus(session->target) != CONNECTION_OK || session->is_stale || clone_session_lost_source(session))
        return -1; /* its snapshot is gone with the transaction */
    return pgc_execute(session->target, "ROLLBACK", err) || clone_session_reset(session, err) ? -1 : 0;
}

static int do_alone(clone_session *session, int place, pgconvoy_error *err)
{
    for (int try = 1;; try++) {
        if (do_all(session, &place, 1, err) == 0)
            return 0;
        pgconvoy_error ignored = {0};
        if (stopped(session->clone, &ignored) || !is_in_the_way(err) || try == TRIES || undo(session, &ignored))
            return -1;
        pgc_clock_sleep_ms(20 * try);
        pgc_error_clear(err);
    }
}

/* Rows that a function of the user's has refused (of a CHECK, a generated column, a domain), which may read tables that are not filled yet. */
static int do_or_put_off(clone_session *session, int place, pgconvoy_error *err)
{
    pgconvoy_error ignored = {0};
    if (do_alone(session, place, err) == 0)
        return 0;
    if (!clone_may_put_off(session, &session->clone->items[place], err) || undo(session, &ignored))
        return -1;
    pgc_log_warning(session->clone->options->log, "%s; trying again when the rows of the other tables are there", err->message);
    session->clone->items[place].is_put_off = true;
    pgc_error_clear(err);
    return 0;
}

int clone_batch_run(clone_session *session, const int *places, int count, pgconvoy_error *err)
{
    pgconvoy_error ignored = {0};
    if (count == 1)
        return do_or_put_off(session, places[0], err);
    if (do_all(session, places, count, err) == 0)
        return 0;
    if (stopped(session->clone, &ignored) || undo(session, &ignored))
        return -1;
    pgc_error_clear(err);
    for (int i = 0; i < count; i++)
        if (do_or_put_off(session, places[i], err))
            return -1;
    return 0;
}
