/*
 * Marks. A commit of our own is flushed with everything before it, and the stream comes by it; without one the last
 * commits of sessions with synchronous_commit off might not be flushed for a while. synchronous_commit local: a
 * synchronous standby that is away is no concern of this.
 */
#include "source/postgres/watch.h"
#include "source/postgres/slot_health.h"

PGconn *pgc_watch_conn(pgc_postgres_source *source, pgconvoy_error *err)
{
    PGconn *conn = source->watch_conn;
    if (conn && PQconsumeInput(conn) && PQstatus(conn) == CONNECTION_OK)
        return conn;
    PQfinish(conn);
    source->watch_conn = pgc_source_connect(source, PGC_CONNECTION_SQL, "watch", err);
    if (source->watch_conn && pgc_execute(source->watch_conn, "SET lock_timeout = '5s'", err) != 0) {
        PQfinish(source->watch_conn);
        source->watch_conn = NULL;
    }
    return source->watch_conn;
}

int pgc_watch_health(void *arg, pgc_source_health *health, pgconvoy_error *err)
{
    pgc_postgres_source *source = arg;
    PGconn *conn = pgc_watch_conn(source, err);
    if (!conn || pgc_slot_health_read(conn, source->slot_name, health, err) != 0)
        return -1;
    health->unknown_table = atomic_exchange(&source->saw_unknown, false);
    return 0;
}

static int read_lsn(PGconn *conn, const char *sql, pgconvoy_lsn *lsn, pgconvoy_error *err)
{
    PGresult *result = pgc_query(conn, sql, err);
    if (!result)
        return -1;
    int failed = pgconvoy_lsn_from_text(PQgetvalue(result, 0, 0), lsn);
    PQclear(result);
    if (failed)
        pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "the source gives no WAL position");
    return failed;
}

/*
 * Writes a message, which takes no table. Where the function was taken from the role, a transaction that does nothing
 * but have a number: its commit is in the WAL too.
 */
static int write_mark(PGconn *conn, const char *message_sql, pgconvoy_lsn *lsn, pgconvoy_error *err)
{
    if (pgc_execute(conn, "SET synchronous_commit = local", err) != 0)
        return -1;
    int failed = read_lsn(conn, message_sql, lsn, err);
    if (!failed || PQstatus(conn) != CONNECTION_OK)
        return failed;
    pgc_error_clear(err);
    if (pgc_execute(conn, "SELECT pg_catalog.txid_current()", err) != 0)
        return -1;
    return read_lsn(conn, "SELECT pg_catalog.pg_current_wal_flush_lsn()", lsn, err);
}

static int in_recovery(PGconn *conn, bool *recovery, pgconvoy_error *err)
{
    PGresult *result = pgc_query(conn, "SELECT pg_catalog.pg_is_in_recovery()", err);
    if (!result)
        return -1;
    *recovery = pgc_result_bool(result, 0, 0);
    PQclear(result);
    return 0;
}

int pgc_watch_heartbeat(void *arg, pgconvoy_lsn *lsn, pgconvoy_error *err)
{
    bool recovery;
    *lsn = 0;
    PGconn *conn = pgc_watch_conn(arg, err);
    if (!conn || in_recovery(conn, &recovery, err) != 0)
        return -1;
    if (recovery)
        return 0;
    return write_mark(conn, "SELECT pg_catalog.pg_logical_emit_message(true, 'pgconvoy.heartbeat', '')", lsn, err);
}

int pgc_watch_mark_position(void *arg, pgconvoy_lsn *lsn, pgconvoy_error *err)
{
    bool recovery;
    PGconn *conn = pgc_source_connect(arg, PGC_CONNECTION_SQL, "mark", err);
    if (!conn)
        return -1;
    int failed = in_recovery(conn, &recovery, err);
    if (!failed && recovery)
        failed = read_lsn(conn, "SELECT pg_catalog.pg_last_wal_replay_lsn()", lsn, err);
    else if (!failed)
        failed = write_mark(conn, "SELECT pg_catalog.pg_logical_emit_message(true, 'pgconvoy', '')", lsn, err);
    PQfinish(conn);
    return failed;
}
