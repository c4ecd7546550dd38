/*
 * The replication origin of the stream's session: what it commits carries the origin's id in the target's own WAL, so
 * that consumers of the target (pgoutput's origin = none, an output plugin's filter) can tell it from what was written
 * there. The position is kept in the checkpoint, not in the origin.
 *
 * It is a service to others: where the role may not, or the server has no slot left, the stream goes on without; but
 * for pipelines that face each other, which need it.
 */
#include "sink/postgres/sink_internal.h"

#include "base/clock.h"
#include "postgres/pooler.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIES 40 /* a session that was killed may hold the origin a moment longer */
#define BETWEEN_TRIES_MS 50

/* Origins are the cluster's, a pipeline's name is the database's. */
#define NAME_SQL "'pgconvoy_' || (SELECT oid FROM pg_database WHERE datname = current_database()) || '_' || $1"

static PGresult *run(const pgc_pgsink *sink, PGconn *conn, const char *sql)
{
    const char *values[] = {sink->config->pipeline_name};
    return PQexecParams(conn, sql, 1, NULL, values, NULL, NULL, 0);
}

/* An origin is one session's at a time: a further connection of the stream has its own, by a name that no pipeline has. */
static PGresult *run_of(const pgc_pgsink_writer *writer, const char *sql)
{
    char name[80];
    snprintf(name, sizeof name, writer->number > 0 ? "%s/%d" : "%s", writer->sink->config->pipeline_name, writer->number);
    const char *values[] = {name};
    return PQexecParams(writer->conn, sql, 1, NULL, values, NULL, NULL, 0);
}

/* Asked first, so that the server's log is not filled with refusals. */
static bool is_allowed(PGconn *conn)
{
    PGresult *result = PQexec(conn, "SELECT bool_and(has_function_privilege(name, 'EXECUTE')) FROM unnest(ARRAY["
                                    "'pg_replication_origin_create(text)', 'pg_replication_origin_oid(text)', "
                                    "'pg_replication_origin_session_setup(text)']) AS name");
    /* where they have other arguments the try itself tells */
    bool allowed = PQresultStatus(result) != PGRES_TUPLES_OK || PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    return allowed;
}

/* Two pipelines that face each other would send everything round and round without it. */
static int without(const pgc_pgsink *sink, const char *why, pgconvoy_error *err)
{
    if (!why)
        why = "no answer";
    if (sink->config->two_way) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "the stream cannot have a replication origin on the target: %s",
                           why);
        pgconvoy_error_hint(err, "connect to the target as a superuser, or have one GRANT EXECUTE ON FUNCTION "
                                 "pg_replication_origin_create(text), pg_replication_origin_oid(text), "
                                 "pg_replication_origin_session_setup(text) to the role");
        return -1;
    }
    pgc_log_info(sink->config->log,
                 "no replication origin on the target (%s): its own consumers cannot tell the stream's changes from "
                 "others",
                 why);
    return 0;
}

static bool is_in_use(const PGresult *result)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    return sqlstate && strcmp(sqlstate, "55006") == 0;
}

/* By which commit timestamps name it. */
static void read_id(pgc_pgsink *sink, PGconn *conn)
{
    PGresult *result = run(sink, conn, "SELECT pg_replication_origin_oid(" NAME_SQL ")");
    if (PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1)
        sink->origin_id = (uint32_t)strtoul(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
}

int pgc_pgsink_origin_setup(pgc_pgsink_writer *writer, pgconvoy_error *err)
{
    pgc_pgsink *sink = writer->sink;
    if (writer->origin_tried)
        return 0;
    bool between;
    if (pgc_pooler_stands_between(writer->conn, &between, err) != 0)
        return -1;
    if (between) { /* what others write in this session after us would pass for ours */
        writer->origin_tried = true;
        int status = without(sink, "a pooler stands before it, which gives sessions on to others", err);
        if (status)
            pgconvoy_error_hint(err, "name the target's server itself");
        return status;
    }
    if (!is_allowed(writer->conn)) {
        writer->origin_tried = true;
        return without(sink, "the role may not execute pg_replication_origin_session_setup", err);
    }
    PQclear(run_of(writer, "SELECT pg_replication_origin_create(" NAME_SQL ") WHERE pg_replication_origin_oid(" NAME_SQL
                           ") IS NULL"));
    PGresult *result = NULL;
    for (int i = 0; i < TRIES; i++) {
        PQclear(result);
        result = run_of(writer, "SELECT pg_replication_origin_session_setup(" NAME_SQL ")");
        if (!is_in_use(result))
            break;
        pgc_clock_sleep_ms(BETWEEN_TRIES_MS);
    }
    writer->origin_tried = true;
    int status = 0;
    if (PQresultStatus(result) == PGRES_TUPLES_OK) {
        if (writer->number == 0)
            read_id(sink, writer->conn);
    } else {
        status = without(sink, PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY), err);
        if (status)
            pgconvoy_error_retriable(err, is_in_use(result));
    }
    PQclear(result);
    return status;
}

void pgc_pgsink_origin_drop(pgc_pgsink *sink, PGconn *conn)
{
    if (!is_allowed(conn))
        return;
    PQclear(run(sink, conn,
                "SELECT pg_replication_origin_drop(" NAME_SQL ") WHERE pg_replication_origin_oid(" NAME_SQL
                ") IS NOT NULL"));
    PQclear(run(sink, conn,
                "SELECT pg_replication_origin_drop(roname) FROM pg_replication_origin WHERE starts_with(roname, " NAME_SQL
                " || '/')"));
}
