/* The change stream's beginning, by what the server can and how far behind it is, and its end. */
#include "source/postgres/stream_internal.h"
#include "source/postgres/undone.h"

#include "base/clock.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define END_WAIT_MS 1000
/* So far behind, transactions are not asked for before they end, or handed over before it. */
#define BACKLOG_BYTES (UINT64_C(16) << 20)

/* What the server's version can: binary values and in-progress transactions from 14, their parallel form (with an
 * abort's LSN) from 16. */
static int protocol_version(int server_version)
{
    return server_version >= 160000 ? 4 : server_version >= 150000 ? 3 : server_version >= 140000 ? 2 : 1;
}

/* Where the source's WAL ends; 0 where that is not far from from_lsn, or not known. */
static pgconvoy_lsn end_of_backlog(pgc_stream *stream, pgconvoy_lsn from_lsn)
{
    pgconvoy_lsn end = 0;
    PGresult *result = PQexec(stream->conn, "IDENTIFY_SYSTEM");
    bool known = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1 && PQnfields(result) > 2 &&
                 pgconvoy_lsn_from_text(PQgetvalue(result, 0, 2), &end) == 0;
    PQclear(result);
    return known && end > from_lsn && end - from_lsn > BACKLOG_BYTES ? end : 0;
}

/*
 * A transaction in progress is put aside here until its end. While a backlog is read that only delays it, unless it may be handed over meanwhile:
 * all its changes are in the WAL already, and sent after its commit they are applied while the server decodes on.
 */
static bool wants_those_in_progress(const pgc_stream *stream, pgconvoy_lsn backlog_end)
{
    return !backlog_end || stream->wishes.tentative_from;
}

static int start_sql(const pgc_postgres_source *source, pgconvoy_lsn from_lsn, pgconvoy_lsn backlog_end, pgc_buffer *sql,
                     pgconvoy_error *err)
{
    char lsn[PGCONVOY_LSN_TEXT_SIZE];
    pgc_buffer names;
    pgc_buffer_init(&names, 4096);
    pgc_quote_identifier(&names, source->publication_name);
    if (source->stream->ddl_log)
        pgc_buffer_text(&names, ",\"" PGC_DDL_PUBLICATION "\"");
    int protocol = protocol_version(source->server_version);
    pgc_buffer_format(sql, "START_REPLICATION SLOT \"%s\" LOGICAL %s (proto_version '%d', publication_names ",
                      source->slot_name, pgconvoy_lsn_to_text(source->stream->two_phase ? 0 : from_lsn, lsn), protocol);
    int failed = pgc_buffer_check(&names, err);
    if (!failed)
        pgc_quote_literal(sql, names.data);
    if (source->config.origin_none && source->server_version >= 160000)
        pgc_buffer_text(sql, ", origin 'none'"); /* before 16 the assembler leaves them out */
    if (protocol >= 2)
        pgc_buffer_format(sql, "%s, messages 'true'", source->stream->wishes.binary ? ", binary 'true'" : "");
    if (source->config.two_phase)
        pgc_buffer_text(sql, ", two_phase 'true'"); /* a slot that was made without has it from here on */
    if (protocol >= 2 && wants_those_in_progress(source->stream, backlog_end))
        pgc_buffer_format(sql, ", streaming '%s'", protocol >= 4 ? "parallel" : "on");
    pgc_buffer_byte(sql, ')');
    pgc_buffer_free(&names);
    return failed ? -1 : pgc_buffer_check(sql, err);
}

/* What was prepared before the sink's position and is not committed yet is sent again only from where the slot itself
 * is. */
static bool is_two_phase(const pgc_postgres_source *source)
{
    char sql[256];
    if (source->server_version < 150000)
        return false;
    /* a slot's name is of lower case letters, digits and underscores: open saw to that */
    snprintf(sql, sizeof sql, "SELECT two_phase FROM pg_catalog.pg_replication_slots WHERE slot_name = '%s'",
             source->slot_name);
    PGresult *result = PQexec(source->stream->conn, sql);
    bool two_phase =
        PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1 && PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    return two_phase;
}

int pgc_stream_start(pgc_postgres_source *source, pgconvoy_lsn from_lsn, pgconvoy_error *err)
{
    pgc_stream *stream = source->stream;
    stream->conn = pgc_source_connect(source, PGC_CONNECTION_REPLICATION, "stream", err);
    if (!stream->conn)
        return -1;
    stream->two_phase = source->config.two_phase || is_two_phase(source);
    if (stream->two_phase) {
        pgc_log_info(source->config.log, "slot %s sends transactions when they are prepared: they are %s",
                     source->slot_name,
                     source->config.two_phase ? "prepared at the target, too" : "applied when they commit");
        stream->received = 0;
    }
    pgc_buffer sql;
    pgc_buffer_init(&sql, 1 << 16);
    /* older servers send transactions after their commit alone */
    pgconvoy_lsn backlog_end = protocol_version(source->server_version) >= 2 ? end_of_backlog(stream, from_lsn) : 0;
    int failed = start_sql(source, from_lsn, backlog_end, &sql, err);
    PGresult *result = failed ? NULL : PQexec(stream->conn, sql.data);
    pgc_buffer_free(&sql);
    if (!failed && PQresultStatus(result) != PGRES_COPY_BOTH)
        failed = pgc_stream_error(source, result, err);
    PQclear(result);
    if (!failed && stream->assembler && stream->wishes.tentative_from)
        pgc_assembler_allow_tentative(stream->assembler, stream->wishes.tentative_from, backlog_end);
    return failed;
}

int pgc_stream_make_assembler(pgc_postgres_source *source, pgconvoy_lsn from_lsn, pgconvoy_error *err)
{
    pgc_stream *stream = source->stream;
    size_t memory = source->config.memory_bytes;
    pgc_assembler_config config = {
        .protocol_version = protocol_version(source->server_version),
        .streaming_parallel = source->server_version >= 160000,
        .skip_before = from_lsn,
        .skip_origins = source->config.origin_none,
        /* what a spool of before has would come again from the server, and is held back there until its end */
        .as_prepared = source->config.two_phase && !stream->replay,
        .prepared_from = source->prepared_from > from_lsn ? source->prepared_from : from_lsn,
        .prepared = source->prepared,
        .prepared_count = source->prepared_count,
        /* a batch is filled while others are on their way: a small part of our share each */
        .batch_bytes = memory && memory / 8 < (512 << 10) ? memory / 8 : 0,
        .spill_dir = source->config.state_dir,
        .spill_total_bytes = memory ? memory / 4 : 0,
        .resolve = pgc_stream_tables_resolve,
        .relabel = pgc_stream_tables_relabel,
        .undone = pgc_undone,
        .composites_change = stream->tables.commands_come,
        .resolve_arg = &stream->tables,
        .read_ddl = stream->ddl ? pgc_ddl_reader_read : NULL,
        .read_ddl_arg = stream->ddl,
        .ddl_log = stream->ddl_log,
        .log = source->config.log,
    };
    stream->assembler = pgc_assembler_new(&config, err);
    if (!stream->assembler)
        return -1;
    for (size_t i = 0; i < source->table_count; i++) {
        const pgc_source_table *table = (const pgc_source_table *)source->tables[i];
        if (pgc_assembler_set_table(stream->assembler, pgc_stream_tables_current(source, &table->table), err) != 0)
            return -1;
        if (table->copy_lsn &&
            pgc_assembler_set_copy_lsn(stream->assembler, table->table.oid, table->copy_lsn, err) != 0)
            return -1;
    }
    return 0;
}

static void free_stream(pgc_postgres_source *source)
{
    pgc_stream *stream = source->stream;
    source->stream = NULL;
    PQfinish(stream->conn);
    pgc_spool_close(stream->replay);
    pgc_assembler_free(stream->assembler);
    pgc_ddl_reader_free(stream->ddl);
    pgc_stream_tables_free(&stream->tables);
    free(stream);
}

/* Changes that were spooled while the target was away come first; a spool that the sink has all of is removed. */
static int open_replay(pgc_postgres_source *source, pgconvoy_error *err)
{
    const char *path = source->config.spool_path;
    pgc_stream *stream = source->stream;
    pgconvoy_lsn start, end;
    if (!path)
        return 0;
    if (pgc_spool_look(path, source->id, &start, &end, err) != 0)
        return -1;
    if (end <= stream->from) {
        pgc_stream_remove_spool(source);
        return 0;
    }
    stream->replay = pgc_spool_open_read(path, source->id, err);
    stream->spool_end = end;
    char text[PGCONVOY_LSN_TEXT_SIZE];
    if (stream->replay)
        pgc_log_info(source->config.log, "replaying the changes to %s from the spool", pgconvoy_lsn_to_text(end, text));
    return stream->replay ? 0 : -1;
}

static int open_ddl(pgc_postgres_source *source, pgconvoy_error *err)
{
    pgc_ddl_access access;
    if (pgc_ddl_install(source, err) != 0 || pgc_ddl_read_access(source, &access, err) != 0)
        return -1;
    source->stream->ddl_log = access.log;
    source->stream->tables.tell_first = source->config.tell_first && !access.key;
    source->names_by_catalog = source->config.names_by_catalog && !access.key;
    source->stream->tables.names_by_catalog = source->names_by_catalog;
    if (!access.key)
        return 0;
    source->stream->ddl = pgc_ddl_reader_new(&source->stream->tables, access.key);
    source->stream->tables.commands_come = source->config.ddl_as_text;
    for (size_t i = 0; i < source->table_count && source->config.ddl_as_text; i++)
        pgc_source_find_table(source, source->tables[i]->oid)->table.named_by_command = true;
    return source->stream->ddl ? 0 : pgc_error_out_of_memory(err);
}

int pgc_stream_begin(pgc_postgres_source *source, pgconvoy_lsn from_lsn, const pgc_stream_wishes *wishes, pgconvoy_error *err)
{
    pgc_stream_end(source);
    source->stream = calloc(1, sizeof *source->stream);
    if (!source->stream)
        return pgc_error_out_of_memory(err);
    atomic_store(&source->stream_ends, false);
    source->stream->tables.source = source;
    source->stream->received = source->stream->from_lsn = from_lsn;
    pgc_stream_confirm(source, from_lsn);
    source->stream->wishes = *wishes;
    source->stream->from = from_lsn;
    int failed = open_ddl(source, err) || open_replay(source, err) || pgc_stream_make_assembler(source, from_lsn, err);
    if (!failed && !source->stream->replay)
        failed = pgc_stream_start(source, from_lsn, err);
    if (failed) {
        free_stream(source);
        return -1;
    }
    source->stream->feedback_us = source->stream->asked_us = pgc_clock_monotonic_us();
    return 0;
}

/*
 * Waits, at most END_WAIT_MS, until the server has seen our end of the stream, so that it has taken the last feedback
 * and let go of the slot. What it has still sent is not wanted: it comes again.
 */
static void await_end(PGconn *conn)
{
    int64_t deadline = pgc_clock_monotonic_us() + END_WAIT_MS * INT64_C(1000);
    bool copying = true;
    while (pgc_clock_monotonic_us() < deadline) {
        char *message;
        int length = copying ? PQgetCopyData(conn, &message, 1) : -1;
        if (length > 0) {
            PQfreemem(message);
            continue;
        }
        copying = length == 0;
        if (!copying && !PQisBusy(conn)) {
            PGresult *result = PQgetResult(conn);
            PQclear(result);
            if (!result)
                return;
            continue;
        }
        struct pollfd fd = {.fd = PQsocket(conn), .events = POLLIN};
        if (poll(&fd, 1, END_WAIT_MS) > 0 && !PQconsumeInput(conn))
            return;
    }
}

void pgc_stream_end(pgc_postgres_source *source)
{
    pgc_stream *stream = source->stream;
    if (!stream)
        return;
    pgconvoy_error unused = {0};
    if (PQstatus(stream->conn) == CONNECTION_OK && !stream->ended &&
        pgc_stream_send_feedback(source, false, &unused) == 0 && PQputCopyEnd(stream->conn, NULL) == 1 &&
        PQflush(stream->conn) >= 0)
        await_end(stream->conn);
    free_stream(source);
}
