/*
 * A target goes from the servers' own replication to a pipeline, or back, without a new copy. Both read the same slot
 * by the same publication; what must be known is the position up to which the target has everything and beyond which
 * it has nothing.
 *
 * Of a subscription that is the larger of two: the progress of its origin (the end of the last transaction that it has
 * committed, in commit order) and what the slot has confirmed (up to which whatever came was flushed at the target, or
 * was of no concern to it). They are read when no worker is left, and only after everything from before all tables were
 * ready is confirmed: until then a table's changes may be in its copy without being in the progress.
 *
 * Of a pipeline it is its checkpoint, which no process moves while we hold its lock. A slot that is confirmed beyond it
 * has changes in a spool, or lost them: refused.
 *
 * In each direction one transaction of the target takes the position from the one and gives it to the other. Before it
 * the old owner is the owner still, and after it the new one.
 */
#include "native/subscribe_internal.h"

#include "postgres/quote.h"
#include "source/source.h"

#include <stdio.h>
#include <string.h>

void *handover_open_source(subscribe_state *state, pgconvoy_error *err)
{
    pgc_source_config config = {.uri = state->options->source,
                                .pipeline_name = state->options->name,
                                .publication = state->options->publication,
                                .jobs = 1,
                                .memory_bytes = (size_t)16 << 20,
                                .log = state->options->log};
    return pgc_source_postgres.open(&config, err);
}

int handover_look_at_source(subscribe_state *state, char *source_id, size_t size, pgc_position_status *slot,
                            pgconvoy_error *err)
{
    void *source = handover_open_source(state, err);
    if (!source)
        return -1;
    snprintf(source_id, size, "%s", pgc_source_postgres.id(source));
    int failed = pgc_source_postgres.position_status(source, slot, err);
    pgc_source_postgres.close(source);
    if (failed)
        return -1;
    if (slot->exists && slot->usable)
        return 0;
    if (slot->exists)
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "%s", slot->reason);
    else
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "the replication slot %s is gone from the source", slot->name);
    pgconvoy_error_hint(err, "without it a new copy is needed: --drop, then begin again with --if-exists truncate");
    return -1;
}

int handover_mark_publication(subscribe_state *state, const char *from, const char *to, pgconvoy_error *err)
{
    const char *values[] = {state->publication};
    PGresult *result = pgc_query_params(
        state->source, "SELECT obj_description(oid, 'pg_publication') FROM pg_publication WHERE pubname = $1", 1,
        values, err);
    if (!result)
        return -1;
    bool is_from = PQntuples(result) == 1 && strcmp(PQgetvalue(result, 0, 0), from) == 0;
    PQclear(result);
    if (!is_from)
        return 0;
    pgc_buffer sql;
    pgc_buffer_init(&sql, 4096);
    pgc_buffer_text(&sql, "COMMENT ON PUBLICATION ");
    pgc_quote_identifier(&sql, state->publication);
    pgc_buffer_text(&sql, " IS ");
    pgc_quote_literal(&sql, to);
    int failed = pgc_buffer_check(&sql, err) || subscribe_run_sql(state, state->source, sql.data, err);
    pgc_buffer_free(&sql);
    return failed ? -1 : 0;
}

PGresult *handover_read_subscription(subscribe_state *state, pgconvoy_error *err)
{
    const char *values[] = {state->name};
    PGresult *result = pgc_query_params(
        state->target,
        "SELECT s.oid, s.subenabled, (SELECT count(*) FROM pg_stat_subscription w WHERE w.subid = s.oid AND w.pid IS "
        "NOT NULL), EXISTS (SELECT FROM pg_prepared_xacts WHERE gid LIKE 'pg\\_gid\\_' || s.oid || '\\_%') "
        "FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid WHERE d.datname = current_database() AND "
        "s.subname = $1",
        1, values, err);
    if (result && PQntuples(result) != 1) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "subscription %s is gone from the target", state->name);
        PQclear(result);
        return NULL;
    }
    return result;
}

void handover_roll_back(subscribe_state *state)
{
    pgconvoy_error unused;
    if (PQtransactionStatus(state->target) != PQTRANS_IDLE && pgc_execute(state->target, "ROLLBACK", &unused))
        PQreset(state->target);
}

void handover_hint_at_grant(pgconvoy_error *err, const char *function)
{
    if (strcmp(err->sqlstate, "42501") == 0)
        pgconvoy_error_hint(err, "as a superuser of the target: GRANT EXECUTE ON FUNCTION %s TO the role", function);
}
