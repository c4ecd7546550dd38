/* See prepared.h: the list, the names, the table; what an earlier run has left; and what goes with the pipeline. */
#include "sink/postgres/prepared.h"

#include "base/grow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IS_THERE "42710"
#define NO_ROOM "53200" /* all of max_prepared_transactions are in use */

/* ---- those that have not ended */

void pgc_pgsink_prepared_free(pgc_pgsink_prepared *prepared)
{
    if (!prepared)
        return;
    free(prepared->items);
    free(prepared->gids);
    free(prepared);
}

int pgc_pgsink_prepared_add(pgc_pgsink_prepared *prepared, uint32_t xid, pgconvoy_lsn lsn, const char *gid,
                            pgconvoy_error *err)
{
    if (pgc_grow(&prepared->items, prepared->count, &prepared->capacity, sizeof *prepared->items, err) != 0 ||
        pgc_grow(&prepared->gids, prepared->count, &prepared->gid_capacity, sizeof *prepared->gids, err) != 0)
        return -1;
    prepared->items[prepared->count] = (pgconvoy_prepared){.xid = xid, .lsn = lsn};
    snprintf(prepared->gids[prepared->count++], PGSINK_GID_BYTES, "%s", gid);
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

const char *pgc_pgsink_gid_plain(const char *gid)
{
    for (const char *at = gid; *at; at++)
        if (*at < ' ' || *at > '~')
            return "";
    return gid;
}

void pgc_pgsink_gid_compose(const pgc_pgsink *sink, const pgconvoy_transaction *transaction, char gid[PGSINK_GID_BYTES])
{
    const char *theirs = pgc_pgsink_gid_plain(transaction->gid);
    int length = snprintf(gid, PGSINK_GID_BYTES, "%s%u_%llX_%s", sink->prepared->prefix, transaction->xid,
                          (unsigned long long)transaction->commit_lsn, sink->config->pipeline_name);
    if (*theirs && (size_t)length + 1 + strlen(theirs) < PGSINK_GID_BYTES)
        snprintf(gid + length, PGSINK_GID_BYTES - (size_t)length, "/%s", theirs);
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

typedef struct own_name {
    const char *prefix, *gid;
    uint32_t xid;
    pgconvoy_lsn lsn;
} own_name;

/* The next one of this pipeline from *row on, which moves behind it. */
static bool next_own(const pgc_pgsink *sink, const PGresult *names, int *row, own_name *own)
{
    while (names && *row < PQntuples(names)) {
        int i = (*row)++;
        own->prefix = PQgetvalue(names, i, 0);
        own->gid = PQgetvalue(names, i, 1);
        if (!PQgetisnull(names, i, 1) && take_apart(sink, own->prefix, own->gid, &own->xid, &own->lsn))
            return true;
    }
    return false;
}

/* ---- the table, and the server's commands */

static int table_exists(PGconn *conn, bool *exists, pgconvoy_error *err)
{
    return pgc_pgsink_relation_exists(conn, "pgconvoy.prepared", "looking for prepared transactions of the pipeline",
                                      exists, err);
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

int pgc_pgsink_prepared_store(const pgc_pgsink *sink, PGconn *conn, const char *gid, uint32_t xid, pgconvoy_lsn lsn,
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

int pgc_pgsink_prepared_forget(const pgc_pgsink *sink, PGconn *conn, const char *gid, pgconvoy_error *err)
{
    const char *values[] = {sink->config->pipeline_name, gid};
    PGresult *result = pgc_pgsink_query(conn, "DELETE FROM pgconvoy.prepared WHERE pipeline = $1 AND gid = $2", 2,
                                        values, "storing the end of a prepared transaction on the target", err);
    PQclear(result);
    return result ? 0 : -1;
}

int pgc_pgsink_prepared_command(PGconn *conn, const char *command, const char *gid, pgconvoy_error *err)
{
    char doing[PGSINK_GID_BYTES + 64];
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
        status = pgc_pgsink_prepared_add(sink->prepared, (uint32_t)strtoul(PQgetvalue(result, i, 1), NULL, 10), lsn,
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
    int status = result ? 0 : -1, row = 0;
    own_name own;
    if (result && PQntuples(result) > 0)
        snprintf(sink->prepared->prefix, sizeof sink->prepared->prefix, "%s", PQgetvalue(result, 0, 0));
    while (status == 0 && next_own(sink, result, &row, &own)) {
        if (has(sink->prepared, own.gid))
            continue;
        const char *theirs = strchr(own.gid, '/');
        if (own.lsn >= position)
            status = pgc_pgsink_prepared_store(sink, conn, own.gid, own.xid, own.lsn, theirs ? theirs + 1 : "", err) != 0
                         ? -1
                         : pgc_pgsink_prepared_add(sink->prepared, own.xid, own.lsn, own.gid, err);
        else
            pgc_log_warning(sink->config->log,
                            "the target has a prepared transaction of an earlier pipeline of this name, which keeps "
                            "its locks: ROLLBACK PREPARED '%s'",
                            own.gid);
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

/* ---- the pipeline goes */

int pgc_pgsink_prepared_roll_back(const pgc_pgsink *sink, PGconn *conn, pgconvoy_error *err)
{
    PGresult *result = read_names(conn, err);
    int status = result ? 0 : -1, row = 0;
    own_name own;
    while (status == 0 && next_own(sink, result, &row, &own))
        if ((status = pgc_pgsink_prepared_command(conn, "ROLLBACK PREPARED", own.gid, err)) == 0)
            pgc_log_warning(sink->config->log,
                            "a transaction that was prepared on the target and had not ended is rolled back there: %s",
                            own.gid);
    PQclear(result);
    return status;
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
