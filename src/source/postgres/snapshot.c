/*
 * Three kinds of snapshots: that of the pipeline's slot, made once; that of a temporary slot, for copying on a resume
 * (and at once where the slot was made among running transactions); and for a copy without a stream that of a plain transaction. Each lives in a connection that does nothing else until
 * the copy is done.
 */
#include "source/postgres/snapshot.h"
#include "source/postgres/ddl.h"
#include "source/postgres/publication.h"
#include "source/postgres/slot.h"
#include "source/postgres/tables.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* For running transactions to end: with a slot that is needed, and with one that guards against a rare defect. */
#define PATIENCE_MS       INT64_C(300000)
#define LATER_PATIENCE_MS INT64_C(5000)

void pgc_snapshot_end(pgc_postgres_source *source)
{
    PQfinish(source->snapshot_conn);
    free(source->snapshot_name);
    source->snapshot_conn = NULL;
    source->snapshot_name = NULL;
}

/* A slot in a connection of its own, which then holds the snapshot. */
static int begin_with_slot(pgc_postgres_source *source, const char *slot, bool temporary, int64_t patience_ms, pgconvoy_error *err)
{
    pgc_snapshot_end(source);
    source->snapshot_conn = pgc_source_connect(source, PGC_CONNECTION_REPLICATION, "snapshot", err);
    if (!source->snapshot_conn)
        return -1;
    if (pgc_slot_create(source, source->snapshot_conn, slot, temporary, patience_ms, &source->snapshot_name, &source->snapshot_lsn,
                        err) != 0) {
        pgc_snapshot_end(source);
        return -1;
    }
    return 0;
}

static int begin_with_temporary_slot(pgc_postgres_source *source, int64_t patience_ms, pgconvoy_error *err)
{
    char slot[64];
    snprintf(slot, sizeof slot, "%.40s_copy_%d", source->slot_name, (int)getpid());
    return begin_with_slot(source, slot, true, patience_ms, err);
}

/* Made while a transaction was running: the server had to look more than once at those that were. Where none was, one look is all that lies between the slot's two positions: a record of 56
 * bytes, with a page's header of at most 40 before it. Two looks and the end of what they waited for are more than 104. */
static int was_made_in_steps(pgc_postgres_source *source, bool *steps, pgconvoy_error *err)
{
    PGconn *conn = pgc_source_conn(source, err);
    const char *values[] = {source->slot_name};
    PGresult *result = !conn ? NULL : pgc_query_params(conn, "SELECT confirmed_flush_lsn - restart_lsn > 104 FROM pg_catalog.pg_replication_slots WHERE slot_name = $1", 1, values, err);
    if (!result)
        return -1;
    *steps = PQntuples(result) != 1 || pgc_result_bool(result, 0, 0);
    PQclear(result);
    return 0;
}

static int advance(pgc_postgres_source *source, pgconvoy_lsn lsn, pgconvoy_error *err)
{
    char text[PGCONVOY_LSN_TEXT_SIZE];
    PGconn *conn = pgc_source_conn(source, err);
    const char *values[] = {source->slot_name, pgconvoy_lsn_to_text(lsn, text)};
    PGresult *result = !conn ? NULL : pgc_query_params(conn, "SELECT pg_catalog.pg_replication_slot_advance($1, $2::pg_catalog.pg_lsn)", 2, values, err);
    PQclear(result);
    return result ? 0 : -1;
}

static void warn_of_steps(const pgc_postgres_source *source, const pgconvoy_error *why)
{
    pgc_log_warning(source->config.log, "where transactions that were open while slot %s was made write to a table that was truncated or altered in that moment, the source may be unable to "
                                        "decode them: %s", source->slot_name, why->message);
}

/*
 * Servers (14 to 18) have a defect: what a transaction did to the catalog (TRUNCATE, ALTER TABLE) while the slot was being made may be unknown to
 * transactions that began before it was there. When they are decoded, they fail ("could not map filenode"), now and ever after, or have the columns
 * of before. So the slot begins where another one that is made after it does: nothing that is still running then had begun by the time the first was there. Where some of
 * it stays open, that is not waited for long: mostly no table was altered.
 */
static int begin_later(pgc_postgres_source *source, pgconvoy_error *err)
{
    bool steps = false;
    PGconn *conn = source->snapshot_conn;
    char *name = source->snapshot_name;
    pgconvoy_lsn lsn = source->snapshot_lsn;
    pgconvoy_error why = {0};
    int failed = was_made_in_steps(source, &steps, &why);
    if (!failed && !steps)
        return 0;
    source->snapshot_conn = NULL;
    source->snapshot_name = NULL;
    if (!failed && begin_with_temporary_slot(source, LATER_PATIENCE_MS, &why) == 0 && advance(source, source->snapshot_lsn, &why) == 0) {
        pgc_log_debug(source->config.log, "slot %s begins where all that ran while it was made has ended", source->slot_name);
        PQfinish(conn);
        free(name);
        return 0;
    }
    pgc_snapshot_end(source);
    source->snapshot_conn = conn;
    source->snapshot_name = name;
    source->snapshot_lsn = lsn;
    if (pgc_source_interrupted(source)) {
        pgc_error_copy(err, &why);
        return -1;
    }
    warn_of_steps(source, &why);
    return 0;
}

/* The same for a slot that was there: its process ended before it came to this, or it is somebody else's. */
static void begin_here(pgc_postgres_source *source)
{
    bool steps;
    pgconvoy_error why = {0};
    if (was_made_in_steps(source, &steps, &why) != 0 || (steps && advance(source, source->snapshot_lsn, &why) != 0))
        warn_of_steps(source, &why);
    else if (steps)
        pgc_log_debug(source->config.log, "slot %s begins at the snapshot", source->slot_name);
}

int pgc_position_create(pgc_postgres_source *source, pgconvoy_lsn *consistent_lsn, pgconvoy_error *err)
{
    bool made_publication = false;
    if (!source->publication.exists) {
        /* before the slot: changes are decoded with the publications as they were then, and a missing one is an error
         */
        if (pgc_publication_create(source, err) != 0)
            return -1;
        made_publication = true;
    }
    if (pgc_ddl_install(source, err) != 0 || begin_with_slot(source, source->slot_name, false, PATIENCE_MS, err) != 0 || begin_later(source, err) != 0) {
        pgconvoy_error unused = {0};
        /* the slot may be there though its answer was lost; one that was there before us is somebody else's */
        if (strcmp(err->sqlstate, "42710") != 0 && pgc_slot_drop(source, &unused) != 0)
            pgc_log_warning(source->config.log, "slot %s may stay behind: %s", source->slot_name, unused.message);
        if (made_publication && pgc_publication_drop(source, &unused) != 0)
            pgc_log_warning(source->config.log, "publication %s stays behind: %s", source->publication_name,
                            unused.message);
        if (pgc_ddl_drop(source, &unused) != 0)
            pgc_log_warning(source->config.log, "event triggers may stay behind: %s", unused.message);
        return -1;
    }
    *consistent_lsn = source->snapshot_lsn;
    char text[PGCONVOY_LSN_TEXT_SIZE];
    pgc_log_info(source->config.log, "made slot %s at %s", source->slot_name,
                 pgconvoy_lsn_to_text(source->snapshot_lsn, text));
    return 0;
}

static int begin_plain(pgc_postgres_source *source, pgconvoy_error *err)
{
    PGconn *conn = source->snapshot_conn = pgc_source_connect(source, PGC_CONNECTION_SQL, "snapshot", err);
    if (!conn || pgc_execute(conn, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", err) != 0)
        return -1;
    /* recovery may end between open and here: the server is asked again */
    PGresult *result =
        pgc_query(conn,
                  "SELECT pg_catalog.pg_export_snapshot(), CASE WHEN pg_catalog.pg_is_in_recovery() "
                  "THEN pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_insert_lsn() END",
                  err);
    if (!result)
        return -1;
    int failed = 0;
    source->snapshot_name = strdup(PQgetvalue(result, 0, 0));
    if (!source->snapshot_name) {
        failed = pgc_error_out_of_memory(err);
    } else if (!PQgetisnull(result, 0, 1) &&
               pgconvoy_lsn_from_text(PQgetvalue(result, 0, 1), &source->snapshot_lsn) != 0) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "the server's WAL position \"%s\" is no LSN",
                           PQgetvalue(result, 0, 1));
        failed = -1;
    }
    PQclear(result);
    return failed;
}

int pgc_snapshot_take(const pgc_postgres_source *source, PGconn *conn, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 4096);
    /* a table that somebody keeps locked is an error that may heal, not a wait without an end */
    pgc_buffer_text(&sql, "SET lock_timeout = '60s'; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT ");
    pgc_quote_literal(&sql, source->snapshot_name);
    int failed = pgc_buffer_check(&sql, err);
    if (!failed && pgc_execute(conn, sql.data, err) != 0) {
        failed = -1;
        pgc_connection_snapshot_error(err);
    }
    pgc_buffer_free(&sql);
    return failed;
}

/* The tables were looked at before the snapshot was there, which may have waited for others' transactions: a partition that came since would be read by nobody. */
static int look_at_partitions(pgc_postgres_source *source, pgconvoy_error *err)
{
    bool any = false;
    for (size_t i = 0; i < source->table_count; i++)
        any |= pgc_source_find_table(source, source->tables[i]->oid)->relkind == 'p';
    if (!any)
        return 0;
    PGconn *conn = pgc_source_connect(source, PGC_CONNECTION_SQL, "partitions", err);
    int failed = !conn || pgc_snapshot_take(source, conn, err) != 0 || pgc_tables_describe_parts(source, conn, err) != 0;
    PQfinish(conn);
    return failed ? -1 : 0;
}

int pgc_snapshot_begin(pgc_postgres_source *source, bool first, pgconvoy_lsn *lsn, pgconvoy_error *err)
{
    if (source->snapshot_conn && PQstatus(source->snapshot_conn) == CONNECTION_OK) {
        *lsn = source->snapshot_lsn;
        return look_at_partitions(source, err);
    }
    pgc_snapshot_end(source);
    int failed;
    failed = source->config.streaming ? begin_with_temporary_slot(source, PATIENCE_MS, err) : begin_plain(source, err);
    if (failed) {
        pgc_snapshot_end(source);
        return -1;
    }
    if (first && source->config.streaming)
        begin_here(source);
    *lsn = source->snapshot_lsn;
    return look_at_partitions(source, err);
}
