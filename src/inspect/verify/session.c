/* Connections of verify, and queries on both of them at once. */
#include "inspect/verify/verify_internal.h"

static const char *const ends[] = {"source", "target"};

PGconn *verify_connect(pgc_verify *verify, int side, pgconvoy_error *err)
{
    char program[96];
    snprintf(program, sizeof program, "pgconvoy %.40s verify", verify->options->name);
    PGconn *conn = pgc_connect(side == VERIFY_SOURCE ? verify->options->source : verify->options->target,
                               PGC_CONNECTION_SQL, program, err);
    if (!conn) {
        pgc_error_prefix(err, "%s", ends[side]);
        return NULL;
    }
    /* money is written as lc_monetary says; a commit that only marks a position waits for no standby */
    if (pgc_execute(conn,
                    "SET lc_monetary = 'C'; SET synchronous_commit = local; SET default_transaction_read_only = off; "
                    "SET xmloption = content",
                    err)) {
        PQfinish(conn);
        return NULL;
    }
    return conn;
}

int verify_session_open(verify_session *session, pgconvoy_error *err)
{
    pgc_verify *verify = session->verify;
    for (int side = 0; side < 2; side++) {
        if (session->conn[side])
            continue;
        PGconn *conn = verify_connect(verify, side, err);
        if (!conn)
            return -1;
        session->conn[side] = conn;
        pthread_mutex_lock(&verify->lock);
        session->cancel[side] = PQgetCancel(conn);
        pthread_mutex_unlock(&verify->lock);
    }
    return verify_stopped(verify, err);
}

void verify_session_close(verify_session *session)
{
    for (int side = 0; side < 2; side++) {
        pthread_mutex_lock(&session->verify->lock);
        PQfreeCancel(session->cancel[side]);
        session->cancel[side] = NULL;
        pthread_mutex_unlock(&session->verify->lock);
        PQfinish(session->conn[side]);
        session->conn[side] = NULL;
    }
}

int verify_stopped(pgc_verify *verify, pgconvoy_error *err)
{
    if (!atomic_load(&verify->stop))
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "stopped before everything was compared");
    pgconvoy_error_hint(err, "the same command goes on with the tables that are not finished");
    return -1;
}

/* The last result of what was sent; earlier ones of a command are none of ours. */
static PGresult *take(verify_session *session, int side, pgconvoy_error *err)
{
    PGconn *conn = session->conn[side];
    PGresult *result = PQgetResult(conn), *next;
    if (result)
        while ((next = PQgetResult(conn)) != NULL)
            PQclear(next);
    if (result && PQresultStatus(result) == PGRES_TUPLES_OK)
        return result;
    char doing[240];
    snprintf(doing, sizeof doing, "%s: %.180s", ends[side], session->sql[side].data);
    pgc_connection_error(conn, result, doing, err);
    PQclear(result);
    return NULL;
}

static int send(verify_session *session, int side, pgconvoy_error *err)
{
    if (pgc_buffer_check(&session->sql[side], err) || verify_stopped(session->verify, err))
        return -1;
    if (PQsendQuery(session->conn[side], session->sql[side].data))
        return 0;
    pgc_connection_error(session->conn[side], NULL, ends[side], err);
    return -1;
}

PGresult *verify_query(verify_session *session, int side, pgconvoy_error *err)
{
    return send(session, side, err) == 0 ? take(session, side, err) : NULL;
}

int verify_query_both(verify_session *session, PGresult *results[2], pgconvoy_error *err)
{
    results[0] = results[1] = NULL;
    if (send(session, VERIFY_SOURCE, err))
        return -1;
    int sent = send(session, VERIFY_TARGET, err);
    pgconvoy_error other = {0};
    results[VERIFY_SOURCE] = take(session, VERIFY_SOURCE, sent ? &other : err);
    if (sent == 0)
        results[VERIFY_TARGET] = take(session, VERIFY_TARGET, results[VERIFY_SOURCE] ? err : &other);
    if (results[0] && results[1])
        return 0;
    PQclear(results[0]);
    PQclear(results[1]);
    results[0] = results[1] = NULL;
    return -1;
}
