/*
 * The command's old keyword form is used, which 12 to 18 all take, but for slots that standbys are to keep in step (17). A slot begins at a point where no transaction runs
 * whose start it did not see, so making one waits for those that run: the wait is watched, explained in the log, and
 * given up when the caller's patience is over.
 */
#include "source/postgres/slot.h"
#include "base/clock.h"
#include "source/postgres/spool.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#define EXPLAIN_AFTER_MS 2000
#define EXPLAIN_EVERY_MS 30000
#define DROP_TRIES 20
#define DROP_PAUSE_MS 500

static const char lost_hint[] = "pgconvoy drop, then sync again: the changes since then are gone from the source";

/* plugin, database, slot_type, confirmed_flush_lsn, wal_status (13), conflicting (16), invalidation_reason (17), whether the database is
 * this one, active_pid, whether it is the copy of a primary's slot */
static void status_sql(const pgc_postgres_source *source, char *sql, size_t size)
{
    int version = source->server_version;
    snprintf(
        sql, size,
        "SELECT plugin, database, slot_type, confirmed_flush_lsn, %s, %s, %s, database = pg_catalog.current_database(), "
        "active_pid, %s AND pg_catalog.pg_is_in_recovery() "
        "FROM pg_catalog.pg_replication_slots WHERE slot_name = $1",
        version >= 130000 ? "wal_status" : "NULL", version >= 160000 ? "conflicting" : "NULL",
        version >= 170000 ? "invalidation_reason" : "NULL", version >= 170000 ? "synced" : "false");
}

static void judge(const pgc_postgres_source *source, const PGresult *result, pgc_position_status *status)
{
    const char *name = source->slot_name;
    const char *plugin = PQgetvalue(result, 0, 0), *database = PQgetvalue(result, 0, 1);
    const char *wal_status = PQgetvalue(result, 0, 4), *reason = PQgetvalue(result, 0, 6);
    char *out = status->reason;
    size_t size = sizeof status->reason;
    if (strcmp(PQgetvalue(result, 0, 2), "logical") != 0)
        snprintf(out, size, "slot %s is a physical one; name another by --slot", name);
    else if (strcmp(plugin, "pgoutput") != 0)
        snprintf(out, size, "slot %s is of plugin %s and not pgoutput; name another by --slot", name, plugin);
    else if (!pgc_result_bool(result, 0, 7))
        snprintf(out, size, "slot %s belongs to database %s; name another by --slot", name, database);
    else if (pgc_result_bool(result, 0, 9))
        snprintf(out, size, "slot %s is kept in step with the primary's here, on a standby; connect to the primary", name);
    else if (reason[0])
        snprintf(out, size, "slot %s was invalidated by the source (%s); %s", name, reason, lost_hint);
    else if (strcmp(wal_status, "lost") == 0)
        snprintf(out, size, "slot %s was invalidated: its WAL is lost; %s", name, lost_hint);
    else if (pgc_result_bool(result, 0, 5))
        snprintf(out, size, "slot %s was invalidated by a conflict with recovery; %s", name, lost_hint);
    else if (source->config.streaming && !source->publication.exists)
        /* made again it would not do: changes are decoded with the publications of their time */
        snprintf(out, size, "publication %s is gone, which slot %s needs; pgconvoy drop, then sync again",
                 source->publication_name, name);
    else
        status->usable = true;
}

int pgc_slot_status(pgc_postgres_source *source, pgc_position_status *status, pgconvoy_error *err)
{
    memset(status, 0, sizeof *status);
    snprintf(status->name, sizeof status->name, "%s", source->slot_name);
    PGconn *conn = pgc_source_conn(source, err);
    if (!conn)
        return -1;
    char sql[640];
    status_sql(source, sql, sizeof sql);
    const char *values[] = {source->slot_name};
    PGresult *result = pgc_query_params(conn, sql, 1, values, err);
    if (!result)
        return -1;
    int failed = 0;
    if (PQntuples(result) == 1) {
        status->exists = true;
        judge(source, result, status);
        status->reader_pid = atoi(PQgetvalue(result, 0, 8));
        if (!PQgetisnull(result, 0, 3) &&
            pgconvoy_lsn_from_text(PQgetvalue(result, 0, 3), &status->confirmed_lsn) != 0) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "slot %s has a position that is no LSN", source->slot_name);
            failed = -1;
        }
    }
    PQclear(result);
    if (!failed && source->config.spool_path)
        failed = pgc_spool_look(source->config.spool_path, source->id, &status->spool_start, &status->spool_end, err);
    return failed;
}

/* Who is being waited for, for the log. The slot's own connection is in a transaction too. */
static void explain_wait(pgc_postgres_source *source, int64_t waited_ms, int own_pid)
{
    pgconvoy_error unused = {0};
    PGconn *conn = pgc_source_conn(source, &unused);
    char own[16];
    snprintf(own, sizeof own, "%d", own_pid);
    const char *values[] = {own};
    if (source->in_recovery) {
        pgc_log_info(source->config.log,
                     "the slot waits for the primary's next record of its running transactions (%d s so far); SELECT "
                     "pg_log_standby_snapshot() on the primary writes one",
                     (int)(waited_ms / 1000));
        return;
    }
    const char *oldest = "SELECT what || ', open for ' || pg_catalog.date_trunc('second', pg_catalog.now() - since) FROM ("
                         "SELECT pg_catalog.format('of pid %s (%s, %s)', pid, usename, application_name) AS what, xact_start AS since "
                         "FROM pg_catalog.pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> $1::pg_catalog.int4 "
                         "UNION ALL SELECT pg_catalog.format('the prepared transaction %L in database %s', gid, database), prepared "
                         "FROM pg_catalog.pg_prepared_xacts) open ORDER BY since LIMIT 1";
    PGresult *result = conn ? pgc_query_params(conn, oldest, 1, values, &unused) : NULL;
    bool known = result && PQntuples(result) == 1;
    pgc_log_info(source->config.log, "the slot waits for running transactions to end (%d s so far)%s%s", (int)(waited_ms / 1000),
                 known ? "; the oldest is " : "", known ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
}

static void cancel(PGconn *conn)
{
    char unused[256];
    PGcancel *handle = PQgetCancel(conn);
    if (handle)
        (void)PQcancel(handle, unused, sizeof unused);
    PQfreeCancel(handle);
}

/* Waits for the answer of a command that was sent. NULL and err when it was given up or the connection is gone. */
static PGresult *await(pgc_postgres_source *source, PGconn *conn, const char *name, int64_t patience_ms, pgconvoy_error *err)
{
    int64_t start = pgc_clock_monotonic_us() / 1000, explained = 0;
    bool given_up = false, interrupted = false;
    while (PQconsumeInput(conn) && PQisBusy(conn)) {
        struct pollfd fd = {.fd = PQsocket(conn), .events = POLLIN};
        (void)poll(&fd, 1, 200);
        int64_t waited = pgc_clock_monotonic_us() / 1000 - start;
        if (waited - explained >= (explained ? EXPLAIN_EVERY_MS : EXPLAIN_AFTER_MS)) {
            explained = waited;
            explain_wait(source, waited, PQbackendPID(conn));
        }
        interrupted = pgc_source_interrupted(source);
        if (!given_up && (interrupted || waited > patience_ms)) {
            given_up = true;
            cancel(conn);
        }
    }
    PGresult *result = PQgetResult(conn);
    if (given_up && PQresultStatus(result) != PGRES_TUPLES_OK) {
        PQclear(result);
        pgconvoy_error_set(err, PGCONVOY_ERROR_SOURCE,
                           interrupted ? "making slot %s was interrupted"
                                       : "slot %s cannot be made while old transactions are open",
                           name);
        if (interrupted)
            pgc_log_info(source->config.log, "%s", err->message); /* as asked: no failure */
        else
            pgconvoy_error_hint(err, "end the transactions on the source that stay open, as seen in pg_stat_activity and pg_prepared_xacts");
        pgconvoy_error_retriable(err, true);
        return NULL;
    }
    return result;
}

static void create_hint(const char *name, pgconvoy_error *err)
{
    if (strcmp(err->sqlstate, "53400") == 0) {
        pgconvoy_error_hint(err, "drop a slot that is not needed, or raise max_replication_slots on the source");
        pgconvoy_error_retriable(err, false);
    } else if (strcmp(err->sqlstate, "42710") == 0) {
        pgconvoy_error_hint(err, "name another by --slot, or remove it: SELECT pg_drop_replication_slot('%s')", name);
    }
}

int pgc_slot_create(pgc_postgres_source *source, PGconn *conn, const char *name, bool temporary, int64_t patience_ms, char **snapshot,
                    pgconvoy_lsn *consistent_lsn, pgconvoy_error *err)
{
    char doing[128], sql[256];
    snprintf(doing, sizeof doing, "making replication slot %s", name);
    /* a slot's name is of lower case letters, digits and underscores: open saw to that */
    bool failover = !temporary && source->config.failover && source->server_version >= 170000 && !source->in_recovery;
    snprintf(sql, sizeof sql, "CREATE_REPLICATION_SLOT \"%s\" %sLOGICAL pgoutput %s", name, temporary ? "TEMPORARY " : "",
             failover ? "(SNAPSHOT 'export', FAILOVER true)" : "EXPORT_SNAPSHOT");
    PGresult *result = NULL;
    if (!PQsendQuery(conn, sql)) {
        pgc_connection_error(conn, NULL, doing, err);
        return -1;
    }
    result = await(source, conn, name, patience_ms, err);
    if (!result && err->code)
        return -1;
    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1) {
        pgc_connection_error(conn, result, doing, err);
        create_hint(name, err);
        PQclear(result);
        return -1;
    }
    int failed = 0;
    *snapshot = strdup(PQgetvalue(result, 0, 2));
    if (!*snapshot) {
        failed = pgc_error_out_of_memory(err);
    } else if (pgconvoy_lsn_from_text(PQgetvalue(result, 0, 1), consistent_lsn) != 0) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "slot %s was made at \"%s\", which is no LSN", name,
                           PQgetvalue(result, 0, 1));
        failed = -1;
    }
    PQclear(result);
    while ((result = PQgetResult(conn)) != NULL)
        PQclear(result);
    return failed;
}

int pgc_slot_drop(pgc_postgres_source *source, pgconvoy_error *err)
{
    const char *values[] = {source->slot_name};
    for (int try = 0;; try++) {
        PGconn *conn = pgc_source_conn(source, err);
        if (!conn)
            return -1;
        PGresult *result = pgc_query_params(conn,
                                            "SELECT pg_catalog.pg_drop_replication_slot(slot_name) FROM "
                                            "pg_catalog.pg_replication_slots WHERE slot_name = $1",
                                            1, values, err);
        if (result) {
            PQclear(result);
            return 0;
        }
        if (strcmp(err->sqlstate, "42704") == 0) { /* somebody else was faster */
            pgc_error_clear(err);
            return 0;
        }
        if (strcmp(err->sqlstate, "55006") != 0 || try >= DROP_TRIES || pgc_source_interrupted(source))
            break;
        pgc_error_clear(err);
        pgc_clock_sleep_ms(DROP_PAUSE_MS);
    }
    bool in_use = strcmp(err->sqlstate, "55006") == 0;
    pgc_error_prefix(err, "slot %s cannot be removed", source->slot_name);
    if (in_use)
        pgconvoy_error_hint(err, "stop the pipeline that reads from it, or end its session by pg_terminate_backend");
    return -1;
}
