/*
 * Sessions on the target. Each is set up alike: triggers and foreign keys silent where that is allowed (they fired on
 * the source already), a lock timeout so that a locked table is told and tried again instead of waited for in silence,
 * and never synchronous_commit = off: a position is confirmed to the source once its commit returns, so it must be on
 * disk by then (but for small transactions of the stream: see writer_make_durable in sink.c).
 */
#include "sink/postgres/sink_internal.h"
#include "postgres/notice.h"

#include <stdio.h>
#include <string.h>

void pgc_pgsink_error(PGconn *conn, const PGresult *result, const char *doing, pgconvoy_error *err)
{
    pgc_connection_error(conn, result, doing, err);
    if (err->code == PGCONVOY_ERROR_SOURCE)
        err->code = PGCONVOY_ERROR_SINK;
    /* a partition that the source has and the target does not yet: it is made when the stream begins again */
    if (strcmp(err->sqlstate, "23514") == 0 && result && !PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME) &&
        PQresultErrorField(result, PG_DIAG_TABLE_NAME))
        pgconvoy_error_retriable(err, true);
    if (err->hint[0])
        return;
    if (strcmp(err->sqlstate, "55P03") == 0)
        pgconvoy_error_hint(err, "another session holds a lock on the target; it is tried again");
    else if (strcmp(err->sqlstate, "22P02") == 0)
        pgconvoy_error_hint(err, "does an enum on the target lack a label? ALTER TYPE … ADD VALUE there, or RENAME VALUE where it was renamed at the source");
    else if (strcmp(err->sqlstate, "53100") == 0)
        pgconvoy_error_hint(err, "free disk space on the target's server");
    else if (strcmp(err->sqlstate, "42501") == 0)
        pgconvoy_error_hint(err, "grant the target's role what it lacks, or connect as the owner");
    else if (strcmp(err->sqlstate, "42P01") == 0 || strcmp(err->sqlstate, "42703") == 0)
        pgconvoy_error_hint(
            err, "the table on the target was changed or dropped by somebody else; give it back its columns");
    else if (strcmp(err->sqlstate, "23505") == 0 || strcmp(err->sqlstate, PGC_ERROR_FOREIGN_KEY) == 0)
        pgconvoy_error_hint(err, "rows or constraints on the target that the source does not have are in the way");
    else
        pgc_connection_hint_at_encoding(err);
}

PGresult *pgc_pgsink_query(PGconn *conn, const char *sql, int count, const char *const *values, const char *doing,
                           pgconvoy_error *err)
{
    PGresult *result = count > 0 ? PQexecParams(conn, sql, count, NULL, values, NULL, NULL, 0) : PQexec(conn, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_COPY_IN)
        return result;
    pgc_pgsink_error(conn, result, doing, err);
    PQclear(result);
    return NULL;
}

PGresult *pgc_pgsink_query_oids(PGconn *conn, const char *sql, pgc_buffer *oids, const char *more, const char *doing, pgconvoy_error *err)
{
    pgc_array_end(oids);
    const char *values[] = {oids->data, more};
    PGresult *result = pgc_buffer_check(oids, err) == 0 ? pgc_pgsink_query(conn, sql, more ? 2 : 1, values, doing, err) : NULL;
    pgc_buffer_free(oids);
    return result;
}

int pgc_pgsink_mark_once(pgc_pgsink *sink, pgc_pgsink_mark **list, const void *pointer, pgconvoy_error *err)
{
    pthread_mutex_lock(&sink->lock);
    pgc_pgsink_mark *found = *list;
    while (found && found->pointer != pointer)
        found = found->next;
    pgc_pgsink_mark *mark = found ? found : pgc_arena_alloc(sink->arena, sizeof *mark);
    if (mark && !found) {
        *mark = (pgc_pgsink_mark){.next = *list, .pointer = pointer};
        *list = mark;
    }
    pthread_mutex_unlock(&sink->lock);
    return !mark ? pgc_error_out_of_memory(err) : found != NULL;
}

int pgc_pgsink_relation_exists(PGconn *conn, const char *name, const char *doing, bool *exists, pgconvoy_error *err)
{
    PGresult *result = pgc_pgsink_query(conn, "SELECT to_regclass($1) IS NOT NULL", 1, &name, doing, err);
    *exists = result && PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    return result ? 0 : -1;
}

int pgc_pgsink_execute(PGconn *conn, const char *sql, const char *doing, pgconvoy_error *err)
{
    PGresult *result = pgc_pgsink_query(conn, sql, 0, NULL, doing, err);
    PQclear(result);
    return result ? 0 : -1;
}

int pgc_pgsink_execute_buffer(PGconn *conn, const pgc_buffer *sql, const char *doing, pgconvoy_error *err)
{
    if (pgc_buffer_check(sql, err) != 0)
        return -1;
    return pgc_pgsink_execute(conn, sql->data, doing, err);
}

int pgc_pgsink_begin(PGconn *conn, pgconvoy_error *err)
{
    return pgc_pgsink_execute(conn, "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
                              "starting a transaction on the target", err);
}

/* The server's notices ("does not exist, skipping") are not the user's; libpq would print them. */
static void note(void *arg, const char *message)
{
    const pgc_pgsink *sink = arg;
    pgc_log_debug(sink->config->log, "the target says: %s", message);
}

/* A database that a cutover has made read-only may be written by the pipeline that is its way back. */
static int set_way_back(const pgc_pgsink *sink, PGconn *conn, pgconvoy_error *err)
{
    static const char sql[] = "SELECT set_config('default_transaction_read_only', 'off', false) "
                              "WHERE current_setting('pgconvoy.way_back', true) = $1";
    const char *values[] = {sink->config->pipeline_name};
    PGresult *result = pgc_pgsink_query(conn, sql, 1, values, "setting up a session on the target", err);
    PQclear(result);
    return result ? 0 : -1;
}

PGconn *pgc_pgsink_connect(pgc_pgsink *sink, const char *purpose, pgconvoy_error *err)
{
    static const char settings[] =
        "SET lock_timeout = '10s';"
        "SELECT set_config('synchronous_commit', 'local', false) WHERE current_setting('synchronous_commit') = 'off'";
    char name[160];
    snprintf(name, sizeof name, "pgconvoy %.100s %s", sink->config->pipeline_name, purpose);
    PGconn *conn = pgc_connect(sink->config->target, PGC_CONNECTION_SQL, name, err);
    if (!conn)
        return NULL;
    pgc_notice_take(conn, note, sink);
    if (pgc_pgsink_execute(conn, settings, "setting up a session on the target", err) != 0 ||
        set_way_back(sink, conn, err) != 0 ||
        (sink->replica_role && pgc_pgsink_execute(conn, "SET session_replication_role = replica",
                                                  "silencing triggers on the target", err) != 0)) {
        PQfinish(conn);
        return NULL;
    }
    return conn;
}

PGconn *pgc_pgsink_borrow(pgc_pgsink *sink, pgconvoy_error *err)
{
    PGconn *conn = NULL;
    pthread_mutex_lock(&sink->lock);
    if (sink->idle_count > 0)
        conn = sink->idle[--sink->idle_count];
    pthread_mutex_unlock(&sink->lock);
    return conn ? conn : pgc_pgsink_connect(sink, "control", err);
}

void pgc_pgsink_give_back(pgc_pgsink *sink, PGconn *conn)
{
    if (!conn)
        return;
    if (PQstatus(conn) == CONNECTION_OK && PQtransactionStatus(conn) != PQTRANS_IDLE)
        PQclear(PQexec(conn, "ROLLBACK"));
    if (PQstatus(conn) == CONNECTION_OK && PQtransactionStatus(conn) == PQTRANS_IDLE) {
        pthread_mutex_lock(&sink->lock);
        if (sink->idle_count < PGSINK_IDLE_MAX) {
            sink->idle[sink->idle_count++] = conn;
            conn = NULL;
        }
        pthread_mutex_unlock(&sink->lock);
    }
    if (conn)
        PQfinish(conn);
}
