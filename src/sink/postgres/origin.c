/*
 * The replication origin of the stream's session: what it commits carries the origin's id in the target's own WAL, so
 * that consumers of the target (pgoutput's origin = none, an output plugin's filter) can tell it from what was written
 * there. The position is kept in the checkpoint, not in the origin.
 *
 * It is a service to others: where the role may not, or the server has no slot left, the stream goes on without.
 */
#include "sink/postgres/sink_internal.h"

#include "base/clock.h"

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

static void tell(const pgc_pgsink *sink, const char *why)
{
    pgc_log_info(sink->config->log,
                 "no replication origin on the target (%s): its own consumers cannot tell the stream's changes from "
                 "others",
                 why ? why : "no answer");
}

static bool is_in_use(const PGresult *result)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    return sqlstate && strcmp(sqlstate, "55006") == 0;
}

void pgc_pgsink_origin_setup(pgc_pgsink_writer *writer)
{
    pgc_pgsink *sink = writer->sink;
    if (writer->origin_tried)
        return;
    writer->origin_tried = true;
    if (!is_allowed(writer->conn)) {
        tell(sink, "the role may not execute pg_replication_origin_session_setup");
        return;
    }
    PQclear(run(sink, writer->conn,
                "SELECT pg_replication_origin_create(" NAME_SQL ") WHERE pg_replication_origin_oid(" NAME_SQL
                ") IS NULL"));
    PGresult *result = NULL;
    for (int i = 0; i < TRIES; i++) {
        PQclear(result);
        result = run(sink, writer->conn, "SELECT pg_replication_origin_session_setup(" NAME_SQL ")");
        if (!is_in_use(result))
            break;
        pgc_clock_sleep_ms(BETWEEN_TRIES_MS);
    }
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        tell(sink, PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
    PQclear(result);
}

void pgc_pgsink_origin_drop(pgc_pgsink *sink, PGconn *conn)
{
    if (!is_allowed(conn))
        return;
    PQclear(run(sink, conn,
                "SELECT pg_replication_origin_drop(" NAME_SQL ") WHERE pg_replication_origin_oid(" NAME_SQL
                ") IS NOT NULL"));
}
