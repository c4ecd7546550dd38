/*
 * Transactions that the source has prepared, prepared here as well (--two-phase).
 *
 * What a transaction of the stream locks is free with its commit, but a prepared one keeps its locks for as long as the
 * source's application likes. So it has the changes and nothing else that others of the stream need: not the position,
 * not the pipeline's advisory lock (a session's lock stands for that, which a prepared transaction does not take
 * along), no counts of conflicts. The position follows in a transaction of its own. What is between the two when the
 * process ends is known by
 *
 *  - the transaction's name here, pgconvoy_DATABASE_XID_LSN_PIPELINE[/GID], as long as it is prepared
 *    (pg_prepared_xacts); LSN is the start of the source's record, in hexadecimal, so that no other transaction of any
 *    source has the name;
 *  - a row of pgconvoy.prepared that it has itself (committed = true): seen once it is committed, and only then;
 *  - a row of pgconvoy.prepared that came with the position behind its prepare (committed = false). Both go with the
 *    position behind its end.
 *
 * So a prepare is done if the name or one of the rows is there; a commit is done if the name is gone and its own row is
 * there; a rollback if both are gone. All of it is looked at under the pipeline's lock, so that nothing of an earlier
 * session is still on its way.
 */
#include "sink/postgres/gather_internal.h"
#include "sink/postgres/parts.h"
#include "sink/postgres/prepared.h"

#include <stdio.h>
#include <string.h>

int pgc_pgsink_two_phase_check(const pgc_pgsink *sink, PGconn *conn, pgconvoy_error *err)
{
    if (!sink->config->two_phase)
        return 0;
    PGresult *result = pgc_pgsink_query(conn, "SHOW max_prepared_transactions", 0, NULL, "looking at the target", err);
    bool none = result && strcmp(PQgetvalue(result, 0, 0), "0") == 0;
    PQclear(result);
    if (!result || !none)
        return result ? 0 : -1;
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG,
                       "--two-phase: the target cannot prepare transactions, its max_prepared_transactions is 0");
    pgconvoy_error_hint(
        err,
        "on the target: ALTER SYSTEM SET max_prepared_transactions to at least the source's, and restart the server; "
        "or leave out --two-phase");
    return -1;
}

/* ---- preparing */

/* Held by the session, not by the transaction: whoever reads what is prepared here waits for it. */
static int session_lock(const pgc_pgsink_writer *writer, const char *call, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 65536);
    pgc_buffer_format(&sql, "SELECT %s(", call);
    pgc_pgsink_checkpoint_key_sql(writer->sink, &sql);
    pgc_buffer_byte(&sql, ')');
    int status = pgc_pgsink_execute_buffer(writer->conn, &sql, "taking the pipeline's lock on the target", err);
    pgc_buffer_free(&sql);
    return status;
}

int pgc_pgsink_begin_prepared(void *state, const pgconvoy_transaction *transaction, pgconvoy_error *err)
{
    pgc_pgsink_writer *writer = state;
    pgc_pgsink *sink = writer->sink;
    (void)transaction;
    if (pgc_pgsink_stream_ready(writer, err) != 0)
        return -1;
    pgc_buffer pass;
    pgc_buffer_init(&pass, 65536);
    pgc_pgsink_parts_lock_sql(sink, PGSINK_PARTS_PASSES, &pass);
    int status = pgc_buffer_check(&pass, err) != 0 || session_lock(writer, "pg_advisory_lock", err) != 0 ? -1 : 0;
    writer->in_transaction = writer->preparing = writer->locked = true;
    if (status == 0)
        status = pgc_pgsink_begin(writer->conn, err);
    if (status == 0 && atomic_load(&sink->parts_table))
        status = pgc_pgsink_execute(writer->conn, pass.data, "waiting for other connections of the pipeline", err);
    pgc_buffer_free(&pass);
    return status != 0 ? -1 : pgc_pgsink_hands_alone(writer, err);
}

/* The row that the transaction has itself. It is refused where another process has moved the position. */
static int mark(pgc_pgsink_writer *writer, const pgconvoy_transaction *transaction, const char *gid,
                pgconvoy_error *err)
{
    static const char sql[] = "INSERT INTO pgconvoy.prepared (pipeline, gid, committed, xid, lsn, source_gid) "
                              "SELECT name, $2::text, true, $3::bigint, $4::pg_lsn, $5::text FROM pgconvoy.pipeline "
                              "WHERE name = $1 AND lsn = $6::pg_lsn";
    pgc_pgsink *sink = writer->sink;
    pgconvoy_lsn expected = atomic_load(&sink->lsn);
    char xid[16], lsn[PGCONVOY_LSN_TEXT_SIZE], position[PGCONVOY_LSN_TEXT_SIZE];
    snprintf(xid, sizeof xid, "%u", transaction->xid);
    const char *values[] = {sink->config->pipeline_name,
                            gid,
                            xid,
                            pgconvoy_lsn_to_text(transaction->commit_lsn, lsn),
                            pgc_pgsink_gid_plain(transaction->gid),
                            pgconvoy_lsn_to_text(expected, position)};
    PGresult *result =
        pgc_pgsink_query(writer->conn, sql, 6, values, "marking a prepared transaction on the target", err);
    bool marked = result && strcmp(PQcmdTuples(result), "1") == 0;
    PQclear(result);
    if (result && !marked)
        pgc_pgsink_position_moved(sink, expected, err);
    return marked ? 0 : -1;
}

/* The position follows by itself, and with it what there is to store about the transaction. */
static int begin_position(pgc_pgsink_writer *writer, pgconvoy_error *err)
{
    return pgc_pgsink_stream_begin(writer, err) != 0 ? -1 : pgc_pgsink_land(writer, err);
}

int pgc_pgsink_prepare(void *state, const pgconvoy_transaction *transaction, pgconvoy_error *err)
{
    pgc_pgsink_writer *writer = state;
    pgc_pgsink *sink = writer->sink;
    char gid[PGSINK_GID_BYTES];
    pgc_pgsink_gid_compose(sink, transaction, gid);
    if (pgc_pgsink_gather_end(writer, err) != 0 || pgc_pgsink_copy_end(writer, err) != 0 ||
        pgc_pgsink_apply_flush(writer, err) != 0 || pgc_pgsink_land(writer, err) != 0 ||
        mark(writer, transaction, gid, err) != 0 ||
        pgc_pgsink_prepared_command(writer->conn, "PREPARE TRANSACTION", gid, err) != 0 ||
        pgc_pgsink_prepared_add(sink->prepared, transaction->xid, transaction->commit_lsn, gid, err) != 0)
        return -1;
    writer->preparing = false;
    return begin_position(writer, err) != 0 ||
                   pgc_pgsink_prepared_store(sink, writer->conn, gid, transaction->xid, transaction->commit_lsn,
                                             pgc_pgsink_gid_plain(transaction->gid), err) != 0 ||
                   pgc_pgsink_stream_commit(writer, transaction->end_lsn, err) != 0
               ? -1
               : session_lock(writer, "pg_advisory_unlock", err);
}

/* ---- ending */

/* Somebody else has ended it, or an earlier run of ours had: *committed by its own row. */
static int was_committed(const pgc_pgsink *sink, PGconn *conn, const char *gid, bool *committed, pgconvoy_error *err)
{
    static const char sql[] = "SELECT FROM pgconvoy.prepared WHERE pipeline = $1 AND gid = $2 AND committed";
    const char *values[] = {sink->config->pipeline_name, gid};
    PGresult *result = pgc_pgsink_query(conn, sql, 2, values, "reading the prepared transactions of the pipeline", err);
    *committed = result && PQntuples(result) == 1;
    PQclear(result);
    return result ? 0 : -1;
}

static int end(const pgc_pgsink *sink, PGconn *conn, const char *gid, bool commit, pgconvoy_error *err)
{
    bool committed;
    if (pgc_pgsink_prepared_command(conn, commit ? "COMMIT PREPARED" : "ROLLBACK PREPARED", gid, err) == 0)
        return 0;
    if (strcmp(err->sqlstate, PGC_ERROR_UNDEFINED_OBJECT) != 0)
        return -1;
    pgc_error_clear(err);
    if (was_committed(sink, conn, gid, &committed, err) != 0)
        return -1;
    if (committed == commit)
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_STATE,
                       "the prepared transaction '%s' was %s at the source, and %s on the target by somebody else", gid,
                       commit ? "committed" : "rolled back", committed ? "committed" : "rolled back");
    pgconvoy_error_hint(err,
                        "the target is not the source any more: pgconvoy drop %s, then sync with --if-exists truncate",
                        sink->config->pipeline_name);
    return -1;
}

static int check_position(const pgc_pgsink_writer *writer, pgconvoy_error *err)
{
    pgc_pgsink *sink = writer->sink;
    pgconvoy_lsn there, expected = atomic_load(&sink->lsn);
    if (pgc_pgsink_checkpoint_lsn(sink, writer->conn, &there, err) != 0)
        return -1;
    if (there != expected)
        pgc_pgsink_position_moved(sink, expected, err);
    return there == expected ? 0 : -1;
}

int pgc_pgsink_end_prepared(void *state, const pgconvoy_transaction *transaction, bool commit, pgconvoy_error *err)
{
    pgc_pgsink_writer *writer = state;
    pgc_pgsink *sink = writer->sink;
    pgc_pgsink_prepared *prepared = sink->prepared;
    size_t i = 0;
    while (i < prepared->count && prepared->items[i].xid != transaction->xid)
        i++;
    if (i == prepared->count) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_INTERNAL,
                           "the end of a transaction came that is not prepared on the target (%u)", transaction->xid);
        return -1;
    }
    const char *gid = prepared->gids[i];
    if (pgc_pgsink_stream_ready(writer, err) != 0 || session_lock(writer, "pg_advisory_lock", err) != 0 ||
        check_position(writer, err) != 0 || end(sink, writer->conn, gid, commit, err) != 0 ||
        begin_position(writer, err) != 0 || pgc_pgsink_prepared_forget(sink, writer->conn, gid, err) != 0 ||
        pgc_pgsink_stream_commit(writer, transaction->end_lsn, err) != 0 ||
        session_lock(writer, "pg_advisory_unlock", err) != 0)
        return -1;
    prepared->count--;
    prepared->items[i] = prepared->items[prepared->count];
    memmove(prepared->gids[i], prepared->gids[prepared->count], PGSINK_GID_BYTES);
    return 0;
}
