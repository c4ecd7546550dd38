/*
 * libpq's pipeline mode, with a sync behind each query. What is sent before an answer is read stays below what sockets
 * hold, so that neither end can wait for the other with its buffers full (PostgreSQL manual, section 34.5.1).
 */
#include "postgres/query_batch.h"

#include <string.h>

#define SEND_AT_ONCE_BYTES ((size_t)32 << 10)

static size_t bytes_of(const pgc_batch_query *query)
{
    size_t bytes = strlen(query->sql);
    for (int i = 0; i < query->count; i++)
        bytes += query->values[i] ? strlen(query->values[i]) : 0;
    return bytes;
}

static bool send(PGconn *conn, const pgc_batch_query *query)
{
    return PQsendQueryParams(conn, query->sql, query->count, NULL, query->values, NULL, NULL, 0) == 1 &&
           PQpipelineSync(conn) == 1;
}

/* The answer of one query, up to its sync. False when the connection is lost. */
static bool receive(PGconn *conn, pgc_batch_query *query)
{
    for (int nothing = 0; nothing < 2;) {
        PGresult *result = PQgetResult(conn);
        if (!result) { /* the end of the query's results; a second one in a row is the end of all */
            nothing++;
            continue;
        }
        nothing = 0;
        ExecStatusType status = PQresultStatus(result);
        if (status == PGRES_PIPELINE_SYNC) {
            PQclear(result);
            return true;
        }
        if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
            PQclear(query->result);
            query->result = result;
            continue;
        }
        char doing[120];
        snprintf(doing, sizeof doing, "%.80s%s", query->sql, strlen(query->sql) > 80 ? "…" : "");
        pgc_connection_error(conn, result, doing, &query->err);
        PQclear(result);
        if (PQstatus(conn) == CONNECTION_BAD)
            return false;
    }
    return false;
}

int pgc_query_batch(PGconn *conn, pgc_batch_query *queries, size_t count, pgconvoy_error *err)
{
    if (PQenterPipelineMode(conn) != 1) {
        pgc_connection_error(conn, NULL, "asking several things at once", err);
        return -1;
    }
    size_t received = 0, pending = 0;
    bool well = true;
    for (size_t sent = 0; sent < count && well; sent++) {
        size_t bytes = bytes_of(&queries[sent]);
        for (; pending && pending + bytes > SEND_AT_ONCE_BYTES && received < sent && well; received++)
            well = receive(conn, &queries[received]);
        if (received == sent)
            pending = 0;
        pending += bytes;
        well = well && send(conn, &queries[sent]);
    }
    for (; received < count && well; received++)
        well = receive(conn, &queries[received]);
    if (well && PQexitPipelineMode(conn) == 1)
        return 0;
    pgc_connection_error(conn, NULL, "asking several things at once", err);
    return -1;
}
