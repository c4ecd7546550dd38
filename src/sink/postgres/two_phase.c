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
 * (pg_prepared_xacts); LSN is the start of the source's record, in hexadecimal, so that no other transaction of any
 * source has the name;
 *  - a row of pgconvoy.prepared that it has itself (committed = true): seen once it is committed, and only then;
 *  - a row of pgconvoy.prepared that came with the position behind its prepare (committed = false). Both go with the
 * position behind its end.
 *
 * So a prepare is done if the name or one of the rows is there; a commit is done if the name is gone and its own row is
 * there; a rollback if both are gone. All of it is looked at under the pipeline's lock, so that nothing of an earlier
 * session is still on its way.
 */
#include "base/grow.h"
#include "sink/postgres/gather_internal.h"
#include "sink/postgres/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GID_BYTES 200 /* the server's limit, with the NUL */
#define NOT_THERE "42704"
#define IS_THERE "42710"
#define NO_ROOM "53200" /* all of max_prepared_transactions are in use */

typedef struct pgc_pgsink_prepared {
    pgconvoy_prepared *items;
    char (*gids)[GID_BYTES];
    size_t count, capacity, gid_capacity;
    char prefix[64]; /* of every name in this database */
} pgc_pgsink_prepared;

/* ---- those that have not ended */

void pgc_pgsink_prepared_free(pgc_pgsink_prepared *prepared)
{
    if (!prepared)
        return;
    free(prepared->items);
    free(prepared->gids);
    free(prepared);
}

static int add(pgc_pgsink_prepared *prepared, uint32_t xid, pgconvoy_lsn lsn, const char *gid, pgconvoy_error *err)
{
    if (pgc_grow(&prepared->items, prepared->count, &prepared->capacity, sizeof *prepared->items, err) != 0 ||
        pgc_grow(&prepared->gids, prepared->count, &prepared->gid_capacity, sizeof *prepared->gids, err) != 0)
        return -1;
    prepared->items[prepared->count] = (pgconvoy_prepared){.xid = xid, .lsn = lsn};
    snprintf(prepared->gids[prepared->count++], GID_BYTES, "%s", gid);
    return 0;
}

static bool has(const pgc_pgsink_prepared *prepared, const char *gid)
{
    for (size_t i = 0; i < prepared->count; i++)
        if (strcmp(prepared->gids[i], gid) == 0)
            return true;
    return false;
}

/* ---- names */

/* A name of ours goes by the source's if that is plain: any server's encoding has it. */
static const char *plain(const char *gid)
{
    for (const char *at = gid; *at; at++)
        if (*at < ' ' || *at > '~')
            return "";
    return gid;
}

static void compose(const pgc_pgsink *sink, const pgconvoy_transaction *transaction, char gid[GID_BYTES])
{
    const char *theirs = plain(transaction->gid);
    int length = snprintf(gid, GID_BYTES, "%s%u_%llX_%s", sink->prepared->prefix, transaction->xid,
                          (unsigned long long)transaction->commit_lsn, sink->config->pipeline_name);
    if (*theirs && (size_t)length + 1 + strlen(theirs) < GID_BYTES)
        snprintf(gid + length, GID_BYTES - (size_t)length, "/%s", theirs);
}

/* Whether a name that begins with the prefix is this pipeline's. */
static bool take_apart(const pgc_pgsink *sink, const char *prefix, const char *gid, uint32_t *xid, pgconvoy_lsn *lsn)
{
    unsigned long long at;
    int length = 0;
    const char *name = sink->config->pipeline_name, *rest;
    if (sscanf(gid + strlen(prefix), "%u_%llX_%n", xid, &at, &length) != 2 || length == 0)
        return false;
    rest = gid + strlen(prefix) + length;
    *lsn = at;
    return strncmp(rest, name, strlen(name)) == 0 && (rest[strlen(name)] == '\0' || rest[strlen(name)] == '/');
}

/* The names of this database that are ours or another pipeline's; the first column is the prefix, where there is none a
 * row with it alone. */
static PGresult *read_names(PGconn *conn, pgconvoy_error *err)
{
    static const char sql[] = "SELECT 'pgconvoy_' || d.oid || '_', p.gid FROM pg_catalog.pg_database d LEFT JOIN "
                              "pg_catalog.pg_prepared_xacts p "
                              "ON p.database = d.datname AND starts_with(p.gid, 'pgconvoy_' || d.oid || '_') "
                              "WHERE d.datname = current_database() ORDER BY p.prepared";
    return pgc_pgsink_query(conn, sql, 0, NULL, "reading the prepared transactions of the target", err);
}

/* ---- the server, and its table */

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

static int table_exists(PGconn *conn, bool *exists, pgconvoy_error *err)
{
    PGresult *result = pgc_pgsink_query(conn, "SELECT to_regclass('pgconvoy.prepared') IS NOT NULL", 0, NULL,
                                        "looking for prepared transactions of the pipeline", err);
    *exists = result && PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    return result ? 0 : -1;
}

static int create_table(pgc_pgsink *sink, PGconn *conn, pgconvoy_error *err)
{
    static const char sql[] =
        "SELECT pg_advisory_xact_lock(hashtextextended('pgconvoy schema', 0));"
        "CREATE TABLE IF NOT EXISTS pgconvoy.prepared ("
        " pipeline text NOT NULL, gid text NOT NULL, committed boolean NOT NULL, xid bigint NOT NULL,"
        " lsn pg_lsn NOT NULL, source_gid text NOT NULL, at timestamptz NOT NULL DEFAULT now(),"
        " PRIMARY KEY (pipeline, gid, committed))";
    if (pgc_pgsink_checkpoint_create(sink, conn, err) != 0 ||
        pgc_pgsink_execute(conn, sql, "creating pgconvoy.prepared on the target", err) != 0)
        return -1;
    atomic_store(&sink->state_exists, true);
    return 0;
}

/* The row that comes with the position. */
static int store(const pgc_pgsink *sink, PGconn *conn, const char *gid, uint32_t xid, pgconvoy_lsn lsn,
                 const char *theirs, pgconvoy_error *err)
{
    static const char sql[] = "INSERT INTO pgconvoy.prepared (pipeline, gid, committed, xid, lsn, source_gid) "
                              "VALUES ($1, $2, false, $3, $4, $5) ON CONFLICT DO NOTHING";
    char number[16], text[PGCONVOY_LSN_TEXT_SIZE];
    snprintf(number, sizeof number, "%u", xid);
    const char *values[] = {sink->config->pipeline_name, gid, number, pgconvoy_lsn_to_text(lsn, text), theirs};
    PGresult *result = pgc_pgsink_query(conn, sql, 5, values, "storing a prepared transaction on the target", err);
    PQclear(result);
    return result ? 0 : -1;
}

/* ---- what an earlier run has left */

static int read_rows(pgc_pgsink *sink, PGconn *conn, pgconvoy_error *err)
{
    static const char sql[] = "SELECT DISTINCT gid, xid, lsn FROM pgconvoy.prepared WHERE pipeline = $1 ORDER BY lsn";
    const char *values[] = {sink->config->pipeline_name};
    PGresult *result = pgc_pgsink_query(conn, sql, 1, values, "reading the prepared transactions of the pipeline", err);
    int status = result ? 0 : -1;
    for (int i = 0; result && i < PQntuples(result) && status == 0; i++) {
        pgconvoy_lsn lsn;
        if (pgconvoy_lsn_from_text(PQgetvalue(result, i, 2), &lsn) != 0)
            lsn = 0;
        status = add(sink->prepared, (uint32_t)strtoul(PQgetvalue(result, i, 1), NULL, 10), lsn,
                     PQgetvalue(result, i, 0), err);
    }
    PQclear(result);
    return status;
}

/*
 * Names without a row: of a run that ended before it stored the position, which is at the prepare or before it then.
 * Those from before the position are none of what comes.
 */
static int read_without_rows(pgc_pgsink *sink, PGconn *conn, pgconvoy_lsn position, pgconvoy_error *err)
{
    PGresult *result = read_names(conn, err);
    int status = result ? 0 : -1;
    for (int i = 0; result && i < PQntuples(result) && status == 0; i++) {
        const char *gid = PQgetvalue(result, i, 1);
        uint32_t xid;
        pgconvoy_lsn lsn;
        snprintf(sink->prepared->prefix, sizeof sink->prepared->prefix, "%s", PQgetvalue(result, i, 0));
        if (PQgetisnull(result, i, 1) || !take_apart(sink, sink->prepared->prefix, gid, &xid, &lsn) ||
            has(sink->prepared, gid))
            continue;
        const char *theirs = strchr(gid, '/');
        if (lsn >= position)
            status = store(sink, conn, gid, xid, lsn, theirs ? theirs + 1 : "", err) != 0
                         ? -1
                         : add(sink->prepared, xid, lsn, gid, err);
        else
            pgc_log_warning(sink->config->log,
                            "the target has a prepared transaction of an earlier pipeline of this name, which keeps "
                            "its locks: ROLLBACK PREPARED '%s'",
                            gid);
    }
    PQclear(result);
    return status;
}

static int read_all(pgc_pgsink *sink, PGconn *conn, pgconvoy_error *err)
{
    bool exists;
    pgconvoy_lsn position;
    pgc_buffer lock;
    pgc_buffer_init(&lock, 65536);
    pgc_pgsink_checkpoint_lock_sql(sink, &lock);
    int status = pgc_pgsink_begin(conn, err) != 0 ||
                         pgc_pgsink_execute_buffer(
                             conn, &lock, "waiting for an earlier session of this pipeline on the target", err) != 0 ||
                         table_exists(conn, &exists, err) != 0
                     ? -1
                     : 0;
    pgc_buffer_free(&lock);
    if (status != 0 || (!exists && !sink->config->two_phase))
        return status;
    if ((!exists && create_table(sink, conn, err) != 0) || pgc_pgsink_checkpoint_lsn(sink, conn, &position, err) != 0 ||
        read_rows(sink, conn, err) != 0 || read_without_rows(sink, conn, position, err) != 0)
        return -1;
    if (sink->prepared->count > 0)
        pgc_log_info(sink->config->log, "prepared on the target and not ended: %zu, the oldest of them '%s'",
                     sink->prepared->count, sink->prepared->gids[0]);
    return pgc_pgsink_execute(conn, "COMMIT", "reading the prepared transactions of the pipeline", err);
}

int pgc_pgsink_read_prepared(void *state, const pgconvoy_prepared **prepared, size_t *count, pgconvoy_error *err)
{
    pgc_pgsink *sink = state;
    pgc_pgsink_prepared_free(sink->prepared);
    if (!(sink->prepared = calloc(1, sizeof *sink->prepared)))
        return pgc_error_out_of_memory(err);
    PGconn *conn = pgc_pgsink_borrow(sink, err);
    int status = conn ? read_all(sink, conn, err) : -1;
    pgc_pgsink_give_back(sink, conn);
    *prepared = sink->prepared->items;
    *count = sink->prepared->count;
    return status;
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
    writer->in_transaction = writer->preparing = true;
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
                            plain(transaction->gid),
                            pgconvoy_lsn_to_text(expected, position)};
    PGresult *result =
        pgc_pgsink_query(writer->conn, sql, 6, values, "marking a prepared transaction on the target", err);
    bool marked = result && strcmp(PQcmdTuples(result), "1") == 0;
    PQclear(result);
    if (result && !marked)
        pgc_pgsink_position_moved(sink, expected, err);
    return marked ? 0 : -1;
}

/* PREPARE TRANSACTION, COMMIT PREPARED, ROLLBACK PREPARED. */
static int say(PGconn *conn, const char *command, const char *gid, pgconvoy_error *err)
{
    char doing[GID_BYTES + 64];
    pgc_buffer sql;
    pgc_buffer_init(&sql, 65536);
    pgc_buffer_format(&sql, "%s ", command);
    pgc_quote_literal(&sql, gid);
    snprintf(doing, sizeof doing, "%s '%s' on the target", command, gid);
    int status = pgc_pgsink_execute_buffer(conn, &sql, doing, err);
    pgc_buffer_free(&sql);
    if (status == 0)
        return 0;
    bool full = strcmp(err->sqlstate, NO_ROOM) == 0;
    /* a name that is there is of an earlier session, a moment ago: the next attempt sees it */
    if (full || strcmp(err->sqlstate, IS_THERE) == 0)
        pgconvoy_error_retriable(err, true);
    if (full)
        pgconvoy_error_hint(err,
                            "raise max_prepared_transactions on the target to at least the source's, or end what is "
                            "prepared there");
    return -1;
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
    char gid[GID_BYTES];
    compose(sink, transaction, gid);
    if (pgc_pgsink_gather_end(writer, err) != 0 || pgc_pgsink_copy_end(writer, err) != 0 ||
        pgc_pgsink_apply_flush(writer, err) != 0 || pgc_pgsink_land(writer, err) != 0 ||
        mark(writer, transaction, gid, err) != 0 || say(writer->conn, "PREPARE TRANSACTION", gid, err) != 0 ||
        add(sink->prepared, transaction->xid, transaction->commit_lsn, gid, err) != 0)
        return -1;
    writer->preparing = false;
    return begin_position(writer, err) != 0 ||
                   store(sink, writer->conn, gid, transaction->xid, transaction->commit_lsn, plain(transaction->gid),
                         err) != 0 ||
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
    if (say(conn, commit ? "COMMIT PREPARED" : "ROLLBACK PREPARED", gid, err) == 0)
        return 0;
    if (strcmp(err->sqlstate, NOT_THERE) != 0)
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

static int remove_rows(const pgc_pgsink *sink, PGconn *conn, const char *gid, pgconvoy_error *err)
{
    const char *values[] = {sink->config->pipeline_name, gid};
    PGresult *result = pgc_pgsink_query(conn, "DELETE FROM pgconvoy.prepared WHERE pipeline = $1 AND gid = $2", 2,
                                        values, "storing the end of a prepared transaction on the target", err);
    PQclear(result);
    return result ? 0 : -1;
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
        begin_position(writer, err) != 0 || remove_rows(sink, writer->conn, gid, err) != 0 ||
        pgc_pgsink_stream_commit(writer, transaction->end_lsn, err) != 0 ||
        session_lock(writer, "pg_advisory_unlock", err) != 0)
        return -1;
    prepared->count--;
    prepared->items[i] = prepared->items[prepared->count];
    memmove(prepared->gids[i], prepared->gids[prepared->count], GID_BYTES);
    return 0;
}

/* ---- the pipeline goes */

int pgc_pgsink_prepared_roll_back(const pgc_pgsink *sink, PGconn *conn, pgconvoy_error *err)
{
    PGresult *result = read_names(conn, err);
    int status = result ? 0 : -1;
    for (int i = 0; result && i < PQntuples(result) && status == 0; i++) {
        const char *gid = PQgetvalue(result, i, 1);
        uint32_t xid;
        pgconvoy_lsn lsn;
        if (PQgetisnull(result, i, 1) || !take_apart(sink, PQgetvalue(result, i, 0), gid, &xid, &lsn))
            continue;
        if ((status = say(conn, "ROLLBACK PREPARED", gid, err)) == 0)
            pgc_log_warning(sink->config->log,
                            "a transaction that was prepared on the target and had not ended is rolled back there: %s",
                            gid);
    }
    PQclear(result);
    return status;
}

int pgc_pgsink_prepared_remove(const pgc_pgsink *sink, PGconn *conn, pgconvoy_error *err)
{
    const char *values[] = {sink->config->pipeline_name};
    bool exists;
    if (table_exists(conn, &exists, err) != 0)
        return -1;
    if (!exists)
        return 0;
    PGresult *result = pgc_pgsink_query(conn, "DELETE FROM pgconvoy.prepared WHERE pipeline = $1", 1, values,
                                        "removing the checkpoint on the target", err);
    PQclear(result);
    return result ? 0 : -1;
}

int pgc_pgsink_prepared_count(const pgc_pgsink *sink, PGconn *conn, int *count, pgconvoy_error *err)
{
    const char *values[] = {sink->config->pipeline_name};
    bool exists;
    *count = 0;
    if (table_exists(conn, &exists, err) != 0)
        return -1;
    PGresult *result = exists ? pgc_pgsink_query(conn, "SELECT count(*) FROM pgconvoy.prepared WHERE pipeline = $1", 1,
                                                 values, "reading the prepared transactions of the pipeline", err)
                              : NULL;
    if (result)
        *count = atoi(PQgetvalue(result, 0, 0));
    PQclear(result);
    return result || !exists ? 0 : -1;
}
