/*
 * The PostgreSQL sink: its descriptor, and the life of sink and writer. What a table copy and a change stream do in
 * between is in copy_write.c and apply.c; sink_internal.h has the map of the folder.
 */
#include "sink/postgres/ddl.h"
#include "sink/postgres/parts.h"
#include "sink/postgres/prepared.h"
#include "sink/postgres/types.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OLDEST_SERVER 120000

/* ---- the sink */

/* Copying a database into itself would truncate, or feed on, what it reads. source_id is "system identifier/database".
 */
static int check_not_source(const pgc_pgsink *sink, PGconn *conn, pgconvoy_error *err)
{
    if (!sink->config->source_id)
        return 0;
    PGresult *result =
        pgc_pgsink_query(conn, "SELECT system_identifier || '/' || current_database() FROM pg_control_system()", 0,
                         NULL, "asking the target for its identity", err);
    if (!result) /* managed servers may keep the function to themselves: then it cannot be known */
        return strcmp(err->sqlstate, "42501") == 0 ? (pgc_error_clear(err), 0) : -1;
    bool same = strcmp(PQgetvalue(result, 0, 0), sink->config->source_id) == 0;
    PQclear(result);
    if (!same)
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "the target is the source: database \"%s\" of the same server",
                       sink->database);
    pgconvoy_error_hint(err, "name another database as the target");
    return -1;
}

static int check_server(pgc_pgsink *sink, PGconn *conn, pgconvoy_error *err)
{
    static const char sql[] =
        "SELECT current_database(), quote_ident(current_user), pg_is_in_recovery(), "
        "current_setting('default_transaction_read_only') = 'on',"
        " CASE WHEN to_regnamespace('pgconvoy') IS NULL THEN has_database_privilege(current_database(), 'CREATE')"
        " ELSE has_schema_privilege('pgconvoy', 'USAGE') AND (has_schema_privilege('pgconvoy', 'CREATE') OR "
        "to_regclass('pgconvoy.table_state') IS NOT NULL) END";
    sink->server_version = PQserverVersion(conn);
    PGresult *result = pgc_pgsink_query(conn, sql, 0, NULL, "looking at the target", err);
    if (!result)
        return -1;
    const char *database = PQgetvalue(result, 0, 0), *user = PQgetvalue(result, 0, 1);
    int status = -1;
    if (sink->server_version < OLDEST_SERVER) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "the target is PostgreSQL %d; 12 is the oldest supported",
                           sink->server_version / 10000);
        pgconvoy_error_hint(err, "upgrade the target's server");
    } else if (PQgetvalue(result, 0, 2)[0] == 't') {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "the target is a standby, which cannot be written");
        pgconvoy_error_hint(err, "connect to its primary");
    } else if (PQgetvalue(result, 0, 3)[0] == 't') {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "database \"%s\" on the target is read-only for us", database);
        pgconvoy_error_hint(err, "on the target: ALTER DATABASE \"%s\" SET default_transaction_read_only = off",
                            database);
    } else if (PQgetvalue(result, 0, 4)[0] != 't') {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG,
                           "%s may not create the schema pgconvoy in database \"%s\" on the target", user, database);
        pgconvoy_error_hint(err, "on the target: GRANT CREATE ON DATABASE \"%s\" TO %s", database, user);
    } else if (!(sink->database = strdup(database))) {
        pgc_error_out_of_memory(err);
    } else {
        status = 0;
    }
    PQclear(result);
    return status;
}

/* Where it is not allowed, triggers and foreign keys of the target see our writes. */
static void try_replica_role(pgc_pgsink *sink, PGconn *conn)
{
    PGresult *result = PQexec(conn, "SET session_replication_role = replica");
    sink->replica_role = PQresultStatus(result) == PGRES_COMMAND_OK;
    PQclear(result);
    if (!sink->replica_role)
        pgc_log_warning(
            sink->config->log,
            "session_replication_role = replica is not allowed on the target: its triggers and foreign keys "
            "apply to what is written (a superuser may GRANT SET ON PARAMETER session_replication_role)");
}

static void sink_close(void *state)
{
    pgc_pgsink *sink = state;
    if (!sink)
        return;
    while (sink->idle_count > 0)
        PQfinish(sink->idle[--sink->idle_count]);
    if (sink->arena)
        pgc_arena_free(sink->arena);
    if (sink->checkpoint_arena)
        pgc_arena_free(sink->checkpoint_arena);
    pgc_pgsink_parts_free(sink->parts);
    pgc_pgsink_prepared_free(sink->prepared);
    pthread_mutex_destroy(&sink->lock);
    free(sink->database);
    free(sink);
}

static int sink_open(const pgconvoy_sink_config *config, void **state, pgconvoy_error *err)
{
    pgc_pgsink *sink = calloc(1, sizeof *sink);
    if (!sink)
        return pgc_error_out_of_memory(err);
    sink->config = config;
    pthread_mutex_init(&sink->lock, NULL);
    sink->arena = pgc_arena_new(4096);
    sink->checkpoint_arena = pgc_arena_new(4096);
    PGconn *conn = NULL;
    int status = sink->arena && sink->checkpoint_arena ? 0 : pgc_error_out_of_memory(err);
    if (status == 0)
        status = pgc_pgsink_conflict_options(sink, err);
    if (status == 0 && !(conn = pgc_pgsink_connect(sink, "control", err)))
        status = -1;
    if (status == 0)
        status = check_server(sink, conn, err);
    if (status == 0)
        status = check_not_source(sink, conn, err);
    if (status == 0)
        status = pgc_pgsink_two_way_check(sink, conn, err);
    if (status == 0)
        status = pgc_pgsink_two_phase_check(sink, conn, err);
    if (status == 0)
        try_replica_role(sink, conn);
    pgc_pgsink_give_back(sink, conn);
    if (status != 0) {
        sink_close(sink);
        return -1;
    }
    *state = sink;
    return 0;
}

static int sink_read_checkpoint(void *state, pgconvoy_checkpoint *checkpoint, pgconvoy_error *err)
{
    return pgc_pgsink_checkpoint_read(state, checkpoint, err);
}

static pgconvoy_format sink_column_format(void *state, const pgconvoy_column *column)
{
    pgc_pgsink *sink = state;
    bool as_text = !pgc_pgsink_type_is_portable(sink, column->type);
    pthread_mutex_lock(&sink->lock);
    for (const pgc_pgsink_mark *mark = sink->text_columns; mark && !as_text; mark = mark->next)
        as_text = mark->pointer == column;
    pthread_mutex_unlock(&sink->lock);
    return as_text ? PGCONVOY_TEXT : PGCONVOY_BINARY;
}

static int sink_drop(void *state, pgconvoy_error *err)
{
    return pgc_pgsink_checkpoint_drop(state, err);
}

/* ---- writers */

/* Where it fails the table meets the same error again, and is marked then. */
static void mark_left(pgc_pgsink_writer *writer)
{
    pgc_pgsink *sink = writer->sink;
    pgconvoy_error err = {0};
    PGconn *conn = pgc_pgsink_borrow(sink, &err);
    if (!conn || pgc_pgsink_leave_table(sink, conn, writer->left_schema, writer->left_name, &err) != 0)
        pgc_log_warning(sink->config->log, "table %s.%s could not be marked for its new copy: %s", writer->left_schema, writer->left_name, err.message);
    pgc_pgsink_give_back(sink, conn);
}

void pgc_pgsink_writer_close(pgc_pgsink_writer *writer)
{
    if (!writer)
        return;
    pgc_pgsink_gather_free(writer->gather); /* before what its thread uses */
    pgc_pgsink_targets_clear(writer);
    PQfinish(writer->conn);
    if (writer->left_name)
        mark_left(writer);
    free(writer->left_schema);
    free(writer->left_name);
    free(writer->values);
    free(writer->lengths);
    free(writer->formats);
    free(writer->offsets);
    free(writer->sent);
    pgc_buffer_free(&writer->scratch);
    pgc_buffer_free(&writer->truncate);
    pgc_buffer_free(&writer->deletes);
    pgc_pgsink_conflicts_free(writer);
    free(writer->wait_for_disk);
    free(writer->followed);
    free(writer);
}

static void writer_close(void *state)
{
    pgc_pgsink_writer_close(state);
}

/* Rows are found by their key, through its index, whatever the planner believes of the table: to read all of a table for
 * every batch costs more than to look up some thousand rows, and its statistics may be of yesterday. */
static PGconn *writer_connect(pgc_pgsink *sink, int number, pgconvoy_error *err)
{
    char purpose[32] = "writer";
    static const char settings[] = "SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_seqscan = off;"
                                   /* … so that there is one plan */
                                   "SET plan_cache_mode = force_generic_plan;"
                                   /* so that BEGIN alone says it, which is said often */
                                   "SET default_transaction_isolation = 'read committed'; SET default_transaction_read_only = off";
    if (number > 0)
        snprintf(purpose, sizeof purpose, "writer %d", number + 1);
    PGconn *conn = pgc_pgsink_connect(sink, purpose, err);
    if (!conn || pgc_pgsink_execute(conn, settings, "setting up a session on the target", err) == 0)
        return conn;
    PQfinish(conn);
    return NULL;
}

static pgc_pgsink_writer *writer_new(pgc_pgsink *sink, int number, pgconvoy_error *err)
{
    pgc_pgsink_writer *writer = calloc(1, sizeof *writer);
    if (!writer) {
        (void)pgc_error_out_of_memory(err);
        return NULL;
    }
    writer->sink = sink;
    writer->number = number;
    pgc_buffer_init(&writer->scratch, (size_t)4 << 30);
    pgc_buffer_init(&writer->truncate, PGSINK_SQL_LIMIT);
    pgc_buffer_init(&writer->deletes, PGSINK_SQL_LIMIT);
    writer->conn = writer_connect(sink, number, err);
    if (writer->conn)
        return writer;
    free(writer);
    return NULL;
}

pgc_pgsink_writer *pgc_pgsink_writer_open(pgc_pgsink *sink, int number, pgconvoy_error *err)
{
    return writer_new(sink, number, err);
}

static int writer_open(void *state, void **out, pgconvoy_error *err)
{
    pgc_pgsink_writer *writer = writer_new(state, 0, err);
    if (!writer)
        return -1;
    writer->gather = pgc_pgsink_gather_new(writer->sink->config->memory_bytes, writer->sink->config->apply_jobs > 1);
    if (!writer->gather) {
        pgc_pgsink_writer_close(writer);
        return pgc_error_out_of_memory(err);
    }
    *out = writer;
    return 0;
}

static int begin_copy(pgc_pgsink_writer *writer, const pgconvoy_table *table, pgconvoy_error *err)
{
    if (pgc_pgsink_begin(writer->conn, err) != 0)
        return -1;
    writer->in_transaction = true;
    writer->copy_table = table;
    /* finish_table commits synchronously, and with it all that was written before */
    return pgc_pgsink_execute(writer->conn, "SET LOCAL synchronous_commit = off", "starting a table copy on the target",
                              err);
}

/* Nothing of the stream's own is made or held, and nobody is waited for long. */
static int begin_trial(pgc_pgsink_writer *writer, pgconvoy_error *err)
{
    writer->in_transaction = true;
    return pgc_pgsink_begin(writer->conn, err) != 0
               ? -1
               : pgc_pgsink_execute(writer->conn, "SET LOCAL lock_timeout = '10s'", "starting a trial on the target", err);
}

/* The session has the rest by default (writer_connect). */
static const pgc_pgsink_own begin_statement = {PGSINK_OWN_BEGIN, "pgconvoy_begin", PGSINK_FLIGHT_OTHER, 0, NULL, "BEGIN", NULL};
static const pgc_pgsink_own commit_statement = {PGSINK_OWN_COMMIT, "pgconvoy_commit", PGSINK_FLIGHT_COMMIT, 0, NULL, "COMMIT", NULL};

/*
 * Small transactions of the stream can be seen before they are on disk (commit_at_once); all others say that they wait for it (pgc_pgsink_stream_lock).
 * So the few statements of a small one are not made more.
 */
static int commit_late(pgc_pgsink_writer *writer, pgconvoy_error *err)
{
    static const char doing[] = "setting up a session on the target";
    if (writer->wait_for_disk)
        return 0;
    PGresult *result = pgc_pgsink_query(writer->conn, "SHOW synchronous_commit", 0, NULL, doing, err);
    if (!result)
        return -1;
    pgc_buffer sql;
    pgc_buffer_init(&sql, 65536);
    pgc_buffer_text(&sql, "SET LOCAL synchronous_commit = ");
    pgc_quote_literal(&sql, PQgetvalue(result, 0, 0));
    PQclear(result);
    if (pgc_buffer_check(&sql, err) != 0 || pgc_pgsink_execute(writer->conn, "SET synchronous_commit = off", doing, err) != 0) {
        pgc_buffer_free(&sql);
        return -1;
    }
    writer->wait_for_disk = sql.data;
    return 0;
}

int pgc_pgsink_stream_ready(pgc_pgsink_writer *writer, pgconvoy_error *err)
{
    pgc_pgsink *sink = writer->sink;
    pgconvoy_lsn lsn;
    if (!atomic_load(&sink->lsn_known)) {
        if (pgc_pgsink_checkpoint_lsn(sink, writer->conn, &lsn, err) != 0 ||
            pgc_pgsink_parts_read(sink, writer->conn, err) != 0)
            return -1;
        atomic_store(&sink->lsn, lsn);
        atomic_store(&sink->lsn_known, true);
    }
    return pgc_pgsink_conflicts_setup(writer, err) != 0 || pgc_pgsink_origin_setup(writer, err) != 0 ? -1 : commit_late(writer, err);
}

static int begin_stream(pgc_pgsink_writer *writer, pgconvoy_error *err)
{
    if (pgc_pgsink_stream_ready(writer, err) != 0)
        return -1;
    writer->in_transaction = true;
    writer->locked = false;
    return pgc_pgsink_statement_own(writer, &begin_statement, NULL, err);
}

int pgc_pgsink_stream_lock(pgc_pgsink_writer *writer, pgconvoy_error *err)
{
    pgc_pgsink *sink = writer->sink;
    if (writer->locked)
        return 0;
    writer->locked = true;
    if (pgc_pgsink_fly_sql(writer, writer->wait_for_disk, NULL, 0, err) != 0 || pgc_pgsink_checkpoint_fly_lock(writer, err) != 0)
        return -1;
    if (!atomic_load(&sink->parts_table))
        return 0;
    pgc_buffer pass;
    pgc_buffer_init(&pass, 65536);
    pgc_pgsink_parts_lock_sql(sink, PGSINK_PARTS_PASSES, &pass);
    int status = pgc_buffer_check(&pass, err) != 0 ? -1 : pgc_pgsink_fly_sql(writer, pass.data, NULL, 0, err);
    pgc_buffer_free(&pass);
    return status;
}

int pgc_pgsink_stream_begin(pgc_pgsink_writer *writer, pgconvoy_error *err)
{
    return begin_stream(writer, err) != 0 ? -1 : pgc_pgsink_stream_lock(writer, err);
}

static int writer_begin(void *state, const pgconvoy_table *table, pgconvoy_error *err)
{
    pgc_pgsink_writer *writer = state;
    writer->copy_table = NULL;
    writer->locked = true; /* but for a stream: its lock comes with what needs it */
    if (writer->flying || PQstatus(writer->conn) != CONNECTION_OK) { /* given up by abort */
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONNECTION, "the connection to the target was lost");
        pgconvoy_error_retriable(err, true);
        return -1;
    }
    if (writer->sink->config->tell)
        return begin_trial(writer, err);
    return table ? begin_copy(writer, table, err) : begin_stream(writer, err);
}

/* With the changes, so that it costs no round trip of its own. *stored: there was nothing that hinders it. */
static int send_position(pgc_pgsink_writer *writer, pgconvoy_lsn lsn, bool *stored, pgconvoy_error *err)
{
    pgc_pgsink *sink = writer->sink;
    *stored = lsn != 0 && !writer->copy_table && atomic_load(&sink->state_exists);
    return *stored ? pgc_pgsink_checkpoint_fly_position(writer, atomic_load(&sink->lsn), lsn, err) : 0;
}

static int store_progress(pgc_pgsink_writer *writer, pgconvoy_lsn lsn, bool stored, const pgconvoy_table_status *tables,
                          size_t table_count, pgconvoy_error *err)
{
    pgc_pgsink *sink = writer->sink;
    if (lsn == 0 && table_count == 0)
        return 0;
    if (writer->copy_table && pgc_pgsink_execute(writer->conn, "SET LOCAL synchronous_commit = on",
                                                 "storing the position on the target", err) != 0)
        return -1;
    if (!atomic_load(&sink->state_exists) && pgc_pgsink_checkpoint_create(sink, writer->conn, err) != 0)
        return -1;
    if (lsn != 0 && !stored && pgc_pgsink_checkpoint_position(sink, writer->conn, atomic_load(&sink->lsn), lsn, err) != 0)
        return -1;
    pgc_pgsink_parts_take_conflicts(sink->parts, writer, lsn);
    if (pgc_pgsink_conflicts_store(writer, err) != 0)
        return -1;
    return pgc_pgsink_checkpoint_tables(sink, writer->conn, tables, table_count, PGSINK_CONTENT_UNKNOWN, err);
}

/* What is applied has landed then, and nobody else can have moved the position. */
static int store_all(pgc_pgsink_writer *writer, pgconvoy_lsn lsn, const pgconvoy_table_status *tables, size_t table_count,
                     pgconvoy_error *err)
{
    bool stored;
    return send_position(writer, lsn, &stored, err) != 0 || pgc_pgsink_land(writer, err) != 0
               ? -1
               : store_progress(writer, lsn, stored, tables, table_count, err);
}

/* What other connections have of a batch is done with the position, by the same commit. */
static int end_transaction(pgc_pgsink_writer *writer, pgconvoy_lsn lsn, bool parted, pgconvoy_error *err)
{
    static const char doing[] = "committing on the target";
    pgc_pgsink *sink = writer->sink;
    if (lsn == 0 || (!parted && pgc_pgsink_parts_count(sink->parts) == 0))
        return pgc_pgsink_execute(writer->conn, "COMMIT", doing, err);
    pgc_buffer sql;
    pgc_buffer_init(&sql, 65536);
    pgc_pgsink_parts_settle_sql(sink, lsn, &sql);
    pgc_buffer_text(&sql, "; COMMIT");
    int status = pgc_pgsink_execute_buffer(writer->conn, &sql, doing, err);
    pgc_buffer_free(&sql);
    if (status == 0)
        pgc_pgsink_parts_settled(sink->parts, lsn);
    return status;
}

static void committed(pgc_pgsink_writer *writer, pgconvoy_lsn lsn)
{
    writer->in_transaction = false;
    writer->copy_table = NULL;
    pgc_pgsink_conflicts_committed(writer);
    if (lsn != 0)
        atomic_store(&writer->sink->lsn, lsn);
}

/* All that waited is applied. Other connections commit once the position is stored, and before it is committed: nobody
 * else can have moved it by then, nor can until the end. */
static int commit_applied(pgc_pgsink_writer *writer, pgconvoy_lsn lsn, const pgconvoy_table_status *tables,
                          size_t table_count, pgconvoy_error *err)
{
    bool parted;
    if (pgc_pgsink_gather_store(writer, lsn, &parted, err) != 0 || store_all(writer, lsn, tables, table_count, err) != 0 ||
        pgc_pgsink_gather_commit(writer, err) != 0 || end_transaction(writer, lsn, parted, err) != 0)
        return -1;
    if (lsn != 0 || table_count > 0)
        atomic_store(&writer->sink->state_exists, true);
    committed(writer, lsn);
    pgc_pgsink_gather_over(writer);
    return 0;
}

int pgc_pgsink_stream_go_on(pgc_pgsink_writer *writer, pgconvoy_lsn lsn, pgconvoy_error *err)
{
    if (store_all(writer, lsn, NULL, 0, err) != 0 || end_transaction(writer, lsn, false, err) != 0)
        return -1;
    committed(writer, lsn);
    return pgc_pgsink_stream_begin(writer, err);
}

/*
 * A small transaction of which nothing was sent goes with its position and its commit: a single round trip. The position comes first, which locks its row.
 * It can be seen before it is on disk, where a position that comes alone is to be: see writer_make_durable.
 */
static bool goes_at_once(const pgc_pgsink_writer *writer, pgconvoy_lsn lsn, size_t table_count)
{
    const pgc_pgsink *sink = writer->sink;
    /* the writer itself is looked at last: another thread may be at it unless nothing was handed over */
    return lsn != 0 && table_count == 0 && !sink->config->tell && atomic_load(&sink->state_exists) &&
           pgc_pgsink_gather_is_small(writer->gather) && !writer->copy_table && pgc_pgsink_parts_count(sink->parts) == 0;
}

/* 1: it is not durable yet. */
static int commit_at_once(pgc_pgsink_writer *writer, pgconvoy_lsn lsn, pgconvoy_error *err)
{
    bool late = !pgc_pgsink_gather_is_empty(writer->gather) && !atomic_load(&writer->sink->parts_table);
    if ((!late && pgc_pgsink_stream_lock(writer, err) != 0) ||
        pgc_pgsink_checkpoint_fly_position(writer, atomic_load(&writer->sink->lsn), lsn, err) != 0 ||
        pgc_pgsink_gather_send(writer, err) != 0 ||
        pgc_pgsink_statement_own(writer, &commit_statement, NULL, err) != 0 || pgc_pgsink_land(writer, err) != 0)
        return -1;
    pgc_pgsink_gather_sent(writer->gather, true);
    committed(writer, lsn);
    pgc_pgsink_gather_over(writer);
    return late;
}

/* All of the transaction comes again from what is gathered. */
static int begin_again(pgc_pgsink_writer *writer, pgconvoy_error *err)
{
    pgc_log_debug(writer->sink->config->log, "a transaction is applied with care: %s", err->message);
    pgc_error_clear(err);
    pgc_pgsink_gather_sent(writer->gather, false);
    pgc_pgsink_writer_give_up(writer);
    return pgc_pgsink_stream_begin(writer, err);
}

static int writer_commit(void *state, pgconvoy_lsn lsn, const pgconvoy_table_status *tables, size_t table_count,
                         pgconvoy_error *err)
{
    pgc_pgsink_writer *writer = state;
    if (goes_at_once(writer, lsn, table_count)) {
        int done = commit_at_once(writer, lsn, err);
        if (done >= 0)
            return done;
        if (pgconvoy_error_is_retriable(err) || begin_again(writer, err) != 0)
            return -1;
    }
    /* first what another thread may be at, whose connection this is until then; it may be in a COPY of its own */
    if (pgc_pgsink_hands_finish(writer, err) != 0 || pgc_pgsink_stream_lock(writer, err) != 0 || pgc_pgsink_gather_end(writer, err) != 0 ||
        pgc_pgsink_copy_end(writer, err) != 0 || pgc_pgsink_apply_flush(writer, err) != 0)
        return -1;
    return commit_applied(writer, lsn, tables, table_count, err);
}

/* A commit that waits for the disk, and for standbys where the server is set so, takes all with it that was committed before. */
static int writer_make_durable(void *state, pgconvoy_error *err)
{
    pgc_pgsink_writer *writer = state;
    pgconvoy_lsn lsn = atomic_load(&writer->sink->lsn);
    if (lsn == 0)
        return 0;
    return writer_begin(writer, NULL, err) != 0 ? -1 : writer_commit(writer, lsn, NULL, 0, err);
}

int pgc_pgsink_stream_step(pgc_pgsink_writer *writer, pgconvoy_lsn lsn, pgconvoy_error *err)
{
    return commit_applied(writer, lsn, NULL, 0, err) != 0 ? -1 : pgc_pgsink_stream_begin(writer, err);
}

int pgc_pgsink_stream_commit(pgc_pgsink_writer *writer, pgconvoy_lsn lsn, pgconvoy_error *err)
{
    return commit_applied(writer, lsn, NULL, 0, err);
}

static void writer_abort(void *state)
{
    pgc_pgsink_writer *writer = state;
    pgc_pgsink_gather_halt(writer);
    bool open = writer->in_transaction;
    pgc_pgsink_writer_give_up(writer);
    if (open)
        pgc_pgsink_gather_clear(writer->gather);
}

void pgc_pgsink_writer_give_up(pgc_pgsink_writer *writer)
{
    if (!writer->in_transaction)
        return;
    pgc_pgsink_copy_give_up(writer);
    pgc_pgsink_crash_land(writer);
    if (PQstatus(writer->conn) == CONNECTION_OK && !writer->flying && PQtransactionStatus(writer->conn) != PQTRANS_IDLE)
        PQclear(PQexec(writer->conn, "ROLLBACK"));
    /* statements may have been prepared, or not, when the failure came */
    if (PQstatus(writer->conn) == CONNECTION_OK && !writer->flying && writer->statement_number > 0)
        PQclear(PQexec(writer->conn, "DEALLOCATE ALL"));
    pgc_pgsink_targets_clear(writer);
    pgc_pgsink_conflicts_forget(writer);
    pgc_buffer_reset(&writer->truncate);
    pgc_buffer_reset(&writer->deletes);
    writer->in_transaction = writer->preparing = false;
    writer->copy_table = NULL;
}

/* ---- the descriptor */

static const char *const schemes[] = {"postgres://", "postgresql://", NULL};

const pgconvoy_sink pgc_sink_postgres = {
    .version = PGCONVOY_SINK_VERSION,
    .name = "postgres",
    .description = "a PostgreSQL database: rows and position in one transaction",
    .schemes = schemes,
    .target_help = "postgres://USER@HOST/DATABASE or \"host=… dbname=…\"",
    .capabilities = PGCONVOY_SINK_TRANSACTIONAL | PGCONVOY_SINK_PARALLEL | PGCONVOY_SINK_RAW_ROWS |
                    PGCONVOY_SINK_SEQUENCES | PGCONVOY_SINK_CONFLICTS | PGCONVOY_SINK_DDL | PGCONVOY_SINK_DDL_TEXT |
                    PGCONVOY_SINK_DDL_TRIAL | PGCONVOY_SINK_APPLY_JOBS | PGCONVOY_SINK_TWO_PHASE |
                    PGCONVOY_SINK_TENTATIVE | PGCONVOY_SINK_HANDS_ON,
    .open = sink_open,
    .read_checkpoint = sink_read_checkpoint,
    .column_format = sink_column_format,
    .check_table = pgc_pgsink_check_table,
    .prepare_table = pgc_pgsink_prepare_table,
    .finish_table = pgc_pgsink_finish_table,
    .open_writer = writer_open,
    .begin = writer_begin,
    .write_rows = pgc_pgsink_write_rows,
    .write_changes = pgc_pgsink_write_changes,
    .change_schema = pgc_pgsink_change_schema,
    .commit = writer_commit,
    .abort = writer_abort,
    .close_writer = writer_close,
    .drop = sink_drop,
    .close = sink_close,
    .write_sequences = pgc_pgsink_write_sequences,
    .apply_ddl = pgc_pgsink_apply_ddl,
    .read_prepared = pgc_pgsink_read_prepared,
    .begin_prepared = pgc_pgsink_begin_prepared,
    .prepare = pgc_pgsink_prepare,
    .end_prepared = pgc_pgsink_end_prepared,
    .rename_tables = pgc_pgsink_rename_tables,
    .make_durable = writer_make_durable,
    .drop_by_hand = "DELETE FROM pgconvoy.table_state WHERE pipeline = %s; DELETE FROM pgconvoy.pipeline WHERE name = %s",
};
