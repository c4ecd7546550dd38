/* The stream seen from its slots; see flow.h. */
#include "inspect/verify/flow.h"

#include "postgres/connection.h"
#include "postgres/quote.h"

void verify_flow_init(verify_flow *flow)
{
    *flow = (verify_flow){0};
    pgc_buffer_init(&flow->slots, 1 << 20);
    pgc_buffer_init(&flow->publications, 1 << 20);
}

void verify_flow_free(verify_flow *flow)
{
    pgc_buffer_free(&flow->slots);
    pgc_buffer_free(&flow->publications);
}

static void add(pgc_buffer *list, const char *name)
{
    if (list->length)
        pgc_buffer_text(list, ", ");
    pgc_quote_literal(list, name);
}

static int exists(PGconn *conn, const char *sql, const char *name, bool *found, pgconvoy_error *err)
{
    PGresult *result = pgc_query_params(conn, sql, 1, &name, err);
    if (!result)
        return -1;
    *found = PQntuples(result) > 0;
    PQclear(result);
    return 0;
}

static int add_slot(verify_flow *flow, PGconn *source, const char *name, bool *found, pgconvoy_error *err)
{
    static const char sql[] = "SELECT FROM pg_catalog.pg_replication_slots WHERE slot_name = $1 AND slot_type = "
                              "'logical' AND database = pg_catalog.current_database()";
    if (exists(source, sql, name, found, err))
        return -1;
    if (*found) {
        add(&flow->slots, name);
        flow->slot_count++;
    }
    return 0;
}

static int add_publication(verify_flow *flow, PGconn *source, const char *name, pgconvoy_error *err)
{
    bool found;
    if (exists(source, "SELECT FROM pg_catalog.pg_publication WHERE pubname = $1", name, &found, err))
        return -1;
    if (found)
        add(&flow->publications, name);
    return 0;
}

/* A subscription names its source by a connection string, which only its owner may see: the slot's name has to do. */
static int add_subscriptions(verify_flow *flow, PGconn *source, PGconn *target, pgconvoy_error *err)
{
    static const char sql[] = "SELECT s.subslotname, p.name FROM pg_catalog.pg_subscription s CROSS JOIN LATERAL "
                              "pg_catalog.unnest(s.subpublications) AS p (name) "
                              "WHERE s.subslotname IS NOT NULL AND s.subdbid = (SELECT oid FROM pg_catalog.pg_database "
                              "WHERE datname = pg_catalog.current_database()) "
                              "ORDER BY s.subname, p.name";
    PGresult *result = pgc_query(target, sql, err);
    if (!result)
        return -1;
    int status = 0;
    bool found = false;
    for (int row = 0; row < PQntuples(result) && status == 0; row++) {
        if (row == 0 || strcmp(PQgetvalue(result, row, 0), PQgetvalue(result, row - 1, 0)) != 0)
            status = add_slot(flow, source, PQgetvalue(result, row, 0), &found, err);
        if (status == 0 && found)
            status = add_publication(flow, source, PQgetvalue(result, row, 1), err);
    }
    PQclear(result);
    return status;
}

int verify_flow_find(verify_flow *flow, PGconn *source, PGconn *target, const char *slot, const char *publication,
                     pgconvoy_error *err)
{
    bool found = false;
    if (add_slot(flow, source, slot, &found, err) || add_publication(flow, source, publication, err))
        return -1;
    if (target && !found && add_subscriptions(flow, source, target, err))
        return -1;
    return pgc_buffer_check(&flow->slots, err) || pgc_buffer_check(&flow->publications, err) ? -1 : 0;
}

static int read_lsn(PGconn *conn, const char *sql, pgconvoy_lsn *lsn, pgconvoy_error *err)
{
    PGresult *result = pgc_query(conn, sql, err);
    if (!result)
        return -1;
    int status = PQntuples(result) == 1 ? pgconvoy_lsn_from_text(PQgetvalue(result, 0, 0), lsn) : -1;
    if (status)
        pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "the source gives no WAL position");
    PQclear(result);
    return status;
}

/* A commit of our own flushes what is before it, and the stream comes by it. Whose role may not do that takes the
 * position of what is flushed. */
int verify_flow_mark(PGconn *source, pgconvoy_lsn *lsn, pgconvoy_error *err)
{
    if (PQtransactionStatus(source) == PQTRANS_IDLE) {
        PGresult *result = PQexec(source, "SELECT pg_catalog.pg_logical_emit_message(true, 'pgconvoy', '')");
        bool done = PQresultStatus(result) == PGRES_TUPLES_OK;
        PQclear(result);
        if (done)
            return read_lsn(source, "SELECT pg_catalog.pg_current_wal_flush_lsn()", lsn, err);
    }
    return read_lsn(source,
                    "SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn() ELSE "
                    "pg_catalog.pg_current_wal_flush_lsn() END",
                    lsn, err);
}

int verify_flow_passed(const verify_flow *flow, PGconn *source, pgconvoy_lsn lsn, verify_passed *passed,
                       pgconvoy_error *err)
{
    char text[PGCONVOY_LSN_TEXT_SIZE];
    pgc_buffer sql;
    pgc_buffer_init(&sql, 2 << 20);
    pgc_buffer_format(&sql,
                      "SELECT coalesce(bool_and(confirmed_flush_lsn >= '%s'), false) AND count(*) = %d, "
                      "coalesce(bool_and(active), false) AND count(*) = %d "
                      "FROM pg_catalog.pg_replication_slots WHERE slot_name IN (%s)",
                      pgconvoy_lsn_to_text(lsn, text), flow->slot_count, flow->slot_count, flow->slots.data);
    PGresult *result = pgc_buffer_check(&sql, err) == 0 ? pgc_query(source, sql.data, err) : NULL;
    pgc_buffer_free(&sql);
    if (!result)
        return -1;
    bool has_passed = PQgetvalue(result, 0, 0)[0] == 't', active = PQgetvalue(result, 0, 1)[0] == 't';
    *passed = has_passed ? VERIFY_HAS_PASSED : active ? VERIFY_NOT_YET : VERIFY_NOBODY_STREAMS;
    PQclear(result);
    return 0;
}
