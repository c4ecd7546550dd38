/* A session's connections: the target's with settings for loading and building, the source's in the snapshot. */
#include "clone/clone_internal.h"

#include "base/clock.h"
#include "postgres/connection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX  ((size_t)3 << 30)
#define MEMORY_MAX_KB 1048576L

/*
 * Memory for a sort: what the server allows, or more where it can have it. A server's shared_buffers are commonly a quarter of its memory and an eighth of that more does no harm while nobody else works there; so all
 * sessions that build get half as much as shared_buffers, together, each at most 1 GB, beyond which sorts do not gain.
 * Nothing that was committed is lost but in a crash of the target's server, and then its state with it: the copy goes on before that; so the load need not wait for the disk (synchronous_commit).
 */
static void append_settings(const clone_session *session, pgc_buffer *sql)
{
    const pgc_clone *clone = session->clone;
    int builders = clone->options->index_jobs > 0 ? clone->options->index_jobs : 1;
    pgc_buffer_format(sql,
                      "SET synchronous_commit = off; SELECT pg_catalog.set_config('maintenance_work_mem', least(%ld, greatest(m.setting::bigint, b.setting::bigint * 8 / 2 / %d))::text || 'kB', false) "
                      "FROM pg_catalog.pg_settings m, pg_catalog.pg_settings b WHERE m.name = 'maintenance_work_mem' AND b.name = 'shared_buffers';",
                      MEMORY_MAX_KB, builders);
    /* Rows may come again (--consistent) into tables that have their foreign keys and triggers by now: as in a copy that is new, those are not to see them. */
    if (clone->resumes)
        pgc_buffer_text(sql, "SELECT pg_catalog.set_config('session_replication_role', 'replica', false) FROM pg_catalog.pg_roles WHERE rolname = current_user AND rolsuper;");
}

static int set_cancel(clone_session *session, PGcancel **slot, PGconn *conn, pgconvoy_error *err)
{
    PGcancel *cancel = PQgetCancel(conn);
    if (!cancel)
        return pgc_error_out_of_memory(err);
    pthread_mutex_lock(&session->clone->lock);
    PQfreeCancel(*slot);
    *slot = cancel;
    pthread_mutex_unlock(&session->clone->lock);
    return 0;
}

int clone_session_run(clone_session *session, const char *sql, const char *what, pgconvoy_error *err)
{
    PGresult *result = PQexec(session->target, sql);
    ExecStatusType status = PQresultStatus(result);
    bool good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY || status == PGRES_COPY_IN;
    if (!good)
        pgc_connection_error(session->target, result, what, err);
    PQclear(result);
    return good ? 0 : -1;
}

int clone_session_reset(clone_session *session, pgconvoy_error *err)
{
    pgc_buffer_reset(&session->text);
    append_settings(session, &session->text);
    if (pgc_script_session(session->script, &session->text, err))
        return -1;
    return clone_session_run(session, session->text.data, "setting up a session on the target", err);
}

int clone_session_open(clone_session *session, pgconvoy_error *err)
{
    pgc_clone *clone = session->clone;
    char program[128];
    pgc_buffer_init(&session->text, TEXT_MAX);
    session->script = pgc_script_fork(clone->script, err);
    if (!session->script)
        return -1;
    if (session->is_main) {
        session->target = clone->target;
    } else {
        snprintf(program, sizeof program, "pgconvoy %.60s copy", clone->options->name);
        session->target = pgc_connect(clone->options->target, PGC_CONNECTION_SQL, program, err);
        if (!session->target || clone_state_join(clone, session->target, err))
            return -1;
    }
    if (set_cancel(session, &session->cancel_target, session->target, err))
        return -1;
    return clone_session_reset(session, err);
}

int clone_session_source(clone_session *session, pgconvoy_error *err)
{
    if (session->source)
        return 0;
    session->source = pgc_catalog_session(session->clone->catalog, err);
    if (!session->source) {
        pgc_error_prefix(err, "cannot connect to the source");
        return -1;
    }
    return set_cancel(session, &session->cancel_source, session->source, err);
}

bool clone_session_lost_source(clone_session *session)
{
    pthread_mutex_lock(&session->clone->lock);
    bool lost = session->source && (PQstatus(session->source) != CONNECTION_OK ||
                                    PQtransactionStatus(session->source) == PQTRANS_INERROR);
    pthread_mutex_unlock(&session->clone->lock);
    return lost;
}

/* With the lock. */
static void close_source(clone_session *session)
{
    PQfreeCancel(session->cancel_source);
    PQfinish(session->source);
    session->cancel_source = NULL;
    session->source = NULL;
}

void clone_sessions_release_snapshot(pgc_clone *clone)
{
    const pgc_clone_part *part = clone->options->part;
    for (int i = 0; i < clone->session_count; i++)
        close_source(clone->sessions[i]);
    PQclear(PQexec(pgc_catalog_connection(clone->catalog), "COMMIT"));
    if (part && part->rows_are_read)
        part->rows_are_read(part->progress_arg);
    pgc_log_debug(clone->options->log, "all rows are read: the source's snapshot is released");
}

void clone_session_close(clone_session *session)
{
    pthread_mutex_lock(&session->clone->lock);
    close_source(session);
    PGcancel *cancel = session->cancel_target;
    session->cancel_target = NULL;
    pthread_mutex_unlock(&session->clone->lock);
    PQfreeCancel(cancel);
    if (!session->is_main)
        PQfinish(session->target);
    session->target = NULL;
    pgc_buffer_free(&session->text);
    pgc_script_free(session->script);
    session->script = NULL;
    free(session->piece);
    session->piece = NULL;
}
