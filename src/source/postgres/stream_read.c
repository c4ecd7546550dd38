/*
 * One connection in COPY BOTH mode (PostgreSQL manual, "Streaming Replication Protocol"). What comes is fed to the
 * assembler; what is confirmed goes back as standby status updates: written is what we received, flushed and applied
 * what the sink has made durable.
 *
 * A batch is handed over as soon as nothing more is on its way, so that a quiet stream has no delay; only in the midst
 * of a transaction, whose rest must be about to come, is a short moment waited for it.
 */
#include "source/postgres/ddl.h"
#include "source/postgres/stream_read.h"
#include "base/clock.h"
#include "source/postgres/slot.h"
#include "source/postgres/spool.h"
#include "source/postgres/stream_tables.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define FEEDBACK_MOVED_US 1000000     /* at most this often when the confirmed position moves */
#define FEEDBACK_AT_LEAST_US 10000000 /* and this often in any case */
#define ASK_EVERY_US 250000           /* an idle stream asks the server where it is */
#define POSITION_EVERY_US 100000      /* batches that bring nothing but a position */
#define IN_TRANSACTION_MS 20
#define END_WAIT_MS          1000
/*
 * The server sends every change by itself. While they come this fast the reader sleeps a moment instead of being woken
 * for each: both sides then spend their time on changes, not on switching. It costs a change at most the nap, and only
 * in a rush.
 */
#define RUSH_MESSAGES_PER_MS 20
#define RUSH_NAP_US 100
#define IN_TRANSACTION_BYTES (256 << 10)
/* So far behind, transactions are not asked for before they end. */
#define BACKLOG_BYTES (UINT64_C(16) << 20)
/* Of the spool between two looks at whether the stream should end. */
#define REPLAY_RECORDS 20000
#define MARK_EVERY_US 500000 /* the spool is synced to disk */
#define SPOOL_WAIT_MS 100

struct pgc_stream {
    PGconn *conn;
    pgc_assembler *assembler;
    pgc_stream_tables tables;
    pgc_ddl_reader *ddl; /* NULL: no event triggers are there */
    uint32_t ddl_log;    /* see pgc_ddl_access */
    pgconvoy_lsn received;
    pgconvoy_lsn sent_confirmed;
    int64_t feedback_us; /* when the last was sent */
    int64_t asked_us;
    int64_t position_us;
    int64_t rush_us;       /* when counting began */
    int64_t rush_messages; /* that have come since */
    bool two_phase;         /* the slot sends transactions when they are prepared */
    pgconvoy_lsn from_lsn;  /* what the sink had when the stream began */
    bool reply_requested;
    bool ended; /* the server has closed the stream */
    bool binary;
    pgc_spool *replay; /* read from instead of the server, until its end */
    pgconvoy_lsn replayed; /* the last mark in it: what a connection of then had come to */
    pgconvoy_lsn from, spool_end; /* what the stream began from; what the spool reaches to, 0 once that is durable in the sink */
};

static void put64(unsigned char *at, uint64_t value)
{
    for (int i = 7; i >= 0; i--, value >>= 8)
        at[i] = (unsigned char)value;
}

static uint64_t get64(const char *at)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | (unsigned char)at[i];
    return value;
}

static int stream_error(pgc_postgres_source *source, const PGresult *result, pgconvoy_error *err)
{
    char doing[128];
    snprintf(doing, sizeof doing, "streaming from slot %s", source->slot_name);
    pgc_connection_error(source->stream->conn, result, doing, err);
    bool gone = strcmp(err->sqlstate, "42704") == 0 && strstr(err->message, "slot \"");
    /* 55000: the slot was invalidated, or reserves no WAL; 58P01: the segment is no longer there */
    if (gone || strcmp(err->sqlstate, "55000") == 0 || strcmp(err->sqlstate, "58P01") == 0) {
        err->code = PGCONVOY_ERROR_STATE;
        pgconvoy_error_retriable(err, false);
        pgconvoy_error_hint(
            err, "pgconvoy drop %s, then sync again: the changes that the slot kept are gone from the source",
            source->config.pipeline_name);
    } else if (strcmp(err->sqlstate, "42704") == 0) {
        pgconvoy_error_hint(
            err, "pgconvoy drop %s, then sync again: the publication must have been there since the slot was made",
            source->config.pipeline_name);
    } else if (strcmp(err->sqlstate, "55006") == 0) {
        pgconvoy_error_hint(err, "another process reads from the slot; it is tried again");
        pgconvoy_error_retriable(err, true);
    }
    return -1;
}

/* ----------------------------------------------------------------- feedback */

/* 0 confirms nothing: what was prepared before from_lsn and has not come yet would not come again. */
static pgconvoy_lsn confirmable(const pgc_postgres_source *source)
{
    const pgc_stream *stream = source->stream;
    pgconvoy_lsn durable = atomic_load(&source->confirmed_lsn);
    if (!stream->two_phase)
        return durable;
    return stream->received < stream->from_lsn ? 0 : pgc_assembler_confirmable(stream->assembler, durable);
}

static int send_feedback(pgc_postgres_source *source, bool ask, pgconvoy_error *err)
{
    pgc_stream *stream = source->stream;
    pgconvoy_lsn confirmed = confirmable(source);
    int64_t now = pgc_clock_monotonic_us();
    unsigned char message[34];
    message[0] = 'r';
    put64(message + 1, stream->received > confirmed ? stream->received : confirmed);
    put64(message + 9, confirmed);
    put64(message + 17, confirmed);
    put64(message + 25, (uint64_t)(pgc_clock_unix_us() - PGC_PG_EPOCH_US));
    message[33] = ask;
    if (PQputCopyData(stream->conn, (const char *)message, sizeof message) != 1 || PQflush(stream->conn) < 0)
        return stream_error(source, NULL, err);
    stream->sent_confirmed = confirmed;
    stream->feedback_us = now;
    stream->reply_requested = false;
    if (ask)
        stream->asked_us = now;
    return 0;
}

static int feedback_if_due(pgc_postgres_source *source, pgconvoy_error *err)
{
    pgc_stream *stream = source->stream;
    if (!stream->conn)
        return 0;
    int64_t since = pgc_clock_monotonic_us() - stream->feedback_us;
    bool moved = confirmable(source) > stream->sent_confirmed;
    if (!stream->reply_requested && since < FEEDBACK_AT_LEAST_US && !(moved && since >= FEEDBACK_MOVED_US))
        return 0;
    return send_feedback(source, false, err);
}

int pgc_stream_heartbeat(pgc_postgres_source *source, pgconvoy_error *err)
{
    return source->stream ? feedback_if_due(source, err) : 0;
}

/* Only forward, whatever order the calls come in. */
static void raise_to(_Atomic pgconvoy_lsn *to, pgconvoy_lsn lsn)
{
    pgconvoy_lsn seen = atomic_load(to);
    while (seen < lsn && !atomic_compare_exchange_weak(to, &seen, lsn))
        ;
}

void pgc_stream_confirm(pgc_postgres_source *source, pgconvoy_lsn lsn)
{
    raise_to(&source->confirmed_lsn, lsn);
}

/* ---------------------------------------------------------- begin and end */

/* What the server's version can: binary values and in-progress transactions from 14, their parallel form (with an
 * abort's LSN) from 16. */
static int protocol_version(int server_version)
{
    return server_version >= 160000 ? 4 : server_version >= 150000 ? 3 : server_version >= 140000 ? 2 : 1;
}

/*
 * A transaction in progress is put aside here until its end. While a backlog is read that only delays it: all its changes
 * are in the WAL already, and sent after its commit they are applied while the server decodes on.
 */
static bool is_far_behind(pgc_stream *stream, pgconvoy_lsn from_lsn)
{
    pgconvoy_lsn end = 0;
    PGresult *result = PQexec(stream->conn, "IDENTIFY_SYSTEM");
    bool known = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1 && PQnfields(result) > 2 &&
                 pgconvoy_lsn_from_text(PQgetvalue(result, 0, 2), &end) == 0;
    PQclear(result);
    return known && end > from_lsn && end - from_lsn > BACKLOG_BYTES;
}

static int start_sql(const pgc_postgres_source *source, pgconvoy_lsn from_lsn, bool binary, pgc_buffer *sql,
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
        pgc_buffer_format(sql, "%s, messages 'true'", binary ? ", binary 'true'" : "");
    if (source->config.two_phase)
        pgc_buffer_text(sql, ", two_phase 'true'"); /* a slot that was made without has it from here on */
    if (protocol >= 2 && !is_far_behind(source->stream, from_lsn))
        pgc_buffer_format(sql, ", streaming '%s'", protocol >= 4 ? "parallel" : "on");
    pgc_buffer_byte(sql, ')');
    pgc_buffer_free(&names);
    return failed ? -1 : pgc_buffer_check(sql, err);
}

/* What was prepared before the sink's position and is not committed yet is sent again only from where the slot itself is. */
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

static int start(pgc_postgres_source *source, pgconvoy_lsn from_lsn, bool binary, pgconvoy_error *err)
{
    pgc_stream *stream = source->stream;
    stream->conn = pgc_source_connect(source, PGC_CONNECTION_REPLICATION, "stream", err);
    if (!stream->conn)
        return -1;
    stream->two_phase = source->config.two_phase || is_two_phase(source);
    if (stream->two_phase) {
        pgc_log_info(source->config.log, "slot %s sends transactions when they are prepared: they are %s", source->slot_name,
                     source->config.two_phase ? "prepared at the target, too" : "applied when they commit");
        stream->received = 0;
    }
    pgc_buffer sql;
    pgc_buffer_init(&sql, 1 << 16);
    int failed = start_sql(source, from_lsn, binary, &sql, err);
    PGresult *result = failed ? NULL : PQexec(stream->conn, sql.data);
    pgc_buffer_free(&sql);
    if (!failed && PQresultStatus(result) != PGRES_COPY_BOTH)
        failed = stream_error(source, result, err);
    PQclear(result);
    return failed;
}

static int make_assembler(pgc_postgres_source *source, pgconvoy_lsn from_lsn, pgconvoy_error *err)
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
        .batch_bytes = memory && memory / 8 < (8 << 20) ? memory / 8 : 0,
        .spill_dir = source->config.state_dir,
        .spill_total_bytes = memory ? memory / 4 : 0,
        .resolve = pgc_stream_tables_resolve,
        .relabel = pgc_stream_tables_relabel,
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
        unlink(path);
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
    if (!access.key)
        return 0;
    source->stream->ddl = pgc_ddl_reader_new(&source->stream->tables, access.key);
    return source->stream->ddl ? 0 : pgc_error_out_of_memory(err);
}

int pgc_stream_begin(pgc_postgres_source *source, pgconvoy_lsn from_lsn, bool binary, pgconvoy_error *err)
{
    pgc_stream_end(source);
    source->stream = calloc(1, sizeof *source->stream);
    if (!source->stream)
        return pgc_error_out_of_memory(err);
    source->stream->tables.source = source;
    source->stream->received = source->stream->from_lsn = from_lsn;
    raise_to(&source->confirmed_lsn, from_lsn);
    source->stream->binary = binary;
    source->stream->from = from_lsn;
    int failed = open_ddl(source, err) || open_replay(source, err) || make_assembler(source, from_lsn, err);
    if (!failed && !source->stream->replay)
        failed = start(source, from_lsn, binary, err);
    if (failed) {
        free_stream(source);
        return -1;
    }
    source->stream->feedback_us = source->stream->asked_us = pgc_clock_monotonic_us();
    return 0;
}

/*
 * Waits, at most END_WAIT_MS, until the server has seen our end of the stream, so that it has taken the last feedback and let go of the slot. What it has still sent is not
 * wanted: it comes again.
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
    if (PQstatus(stream->conn) == CONNECTION_OK && !stream->ended && send_feedback(source, false, &unused) == 0 &&
        PQputCopyEnd(stream->conn, NULL) == 1 && PQflush(stream->conn) >= 0)
        await_end(stream->conn);
    free_stream(source);
}

/* ---------------------------------------------------------------- messages */

static void saw(pgc_stream *stream, pgconvoy_lsn lsn)
{
    if (lsn > stream->received)
        stream->received = lsn;
}

/* XLogData: start, end of WAL, time, payload. Keepalive: end of WAL, time, reply requested. */
static int handle(pgc_postgres_source *source, const char *message, size_t length, pgconvoy_error *err)
{
    pgc_stream *stream = source->stream;
    if (message[0] == 'w' && length >= 25) {
        pgconvoy_lsn lsn = get64(message + 1);
        saw(stream, lsn);
        return pgc_assembler_feed(stream->assembler, lsn, message + 25, length - 25, err);
    }
    if (message[0] == 'k' && length >= 18) {
        pgconvoy_lsn lsn = get64(message + 1);
        saw(stream, lsn);
        pgc_assembler_position(stream->assembler, lsn);
        stream->reply_requested |= message[17] != 0;
        return 0;
    }
    pgconvoy_error_set(err, PGCONVOY_ERROR_DATA,
                       "the source sent a replication message that is not understood (type %d, %zu bytes)", message[0],
                       length);
    return -1;
}

/* The server ended the stream: it says why, or shuts down. */
static int ended(pgc_postgres_source *source, pgconvoy_error *err)
{
    pgc_stream *stream = source->stream;
    stream->ended = true;
    PGresult *result = PQgetResult(stream->conn);
    if (PQresultStatus(result) == PGRES_FATAL_ERROR) {
        (void)stream_error(source, result, err);
    } else {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONNECTION, "streaming from slot %s: the server ended the stream",
                           source->slot_name);
        pgconvoy_error_retriable(err, true);
    }
    PQclear(result);
    return -1;
}

/* A connection ends in the spool: what was in progress then is sent anew, so nothing of it is kept. */
static int renew_assembler(pgc_postgres_source *source, pgconvoy_lsn position, pgc_change_batch **batch, pgconvoy_error *err)
{
    pgc_stream *stream = source->stream;
    *batch = pgc_assembler_take(stream->assembler);
    pgc_assembler_free(stream->assembler);
    stream->assembler = NULL;
    return make_assembler(source, position > stream->from ? position : stream->from, err);
}

/* Reads on in the spool. 1: *batch; 0: go on; -1: err. At its end the server's stream begins where it ends. */
static int replay(pgc_postgres_source *source, pgc_change_batch **batch, pgconvoy_error *err)
{
    pgc_stream *stream = source->stream;
    for (int i = 0; i < REPLAY_RECORDS; i++) {
        char kind;
        pgconvoy_lsn lsn;
        const char *bytes;
        size_t length;
        int got = pgc_spool_read(stream->replay, &kind, &lsn, &bytes, &length, err);
        if (got < 0)
            return -1;
        if (got == 0) {
            pgc_spool_close(stream->replay);
            stream->replay = NULL;
            if (renew_assembler(source, stream->spool_end, batch, err) != 0 ||
                start(source, stream->spool_end, stream->binary, err) != 0)
                return -1;
            stream->feedback_us = stream->asked_us = pgc_clock_monotonic_us();
            return *batch ? 1 : 0;
        }
        if (lsn)
            saw(stream, lsn);
        if (kind == PGC_SPOOL_BEGIN) {
            if (renew_assembler(source, stream->replayed, batch, err) != 0)
                return -1;
            if (*batch)
                return 1;
        } else if (kind == PGC_SPOOL_MARK) {
            stream->replayed = lsn;
            pgc_assembler_position(stream->assembler, lsn);
        } else {
            if (pgc_assembler_feed(stream->assembler, lsn, bytes, length, err) != 0)
                return -1;
            if ((got = pgc_assembler_next(stream->assembler, batch, err)) != 0)
                return got;
        }
    }
    return (*batch = pgc_assembler_take(stream->assembler)) != NULL;
}

/* Takes what libpq holds. 1: *batch; 0: nothing more is there; -1: err. */
static int drain(pgc_postgres_source *source, pgc_change_batch **batch, pgconvoy_error *err)
{
    pgc_stream *stream = source->stream;
    for (;;) {
        int got = pgc_assembler_next(stream->assembler, batch, err);
        if (got != 0)
            return got;
        if (stream->replay && (got = replay(source, batch, err)) != 0)
            return got;
        if (!stream->conn)
            continue;
        char *message;
        int length = PQgetCopyData(stream->conn, &message, 1);
        if (length == 0)
            return 0;
        if (length == -1)
            return ended(source, err);
        if (length < 0)
            return stream_error(source, NULL, err);
        stream->rush_messages++;
        int failed = handle(source, message, (size_t)length, err);
        PQfreemem(message);
        if (failed || (stream->reply_requested && send_feedback(source, false, err) != 0))
            return -1;
    }
}

/* Waits for the socket. 1: something can be read; 0: timeout; -1: err. */
static int await(pgc_postgres_source *source, int timeout_ms, pgconvoy_error *err)
{
    struct pollfd fd = {.fd = PQsocket(source->stream->conn), .events = POLLIN};
    int got = poll(&fd, 1, timeout_ms < 0 ? 0 : timeout_ms);
    if (got < 0 && errno != EINTR) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONNECTION, "waiting for the source: %s", strerror(errno));
        pgconvoy_error_retriable(err, true);
        return -1;
    }
    if (got <= 0)
        return 0;
    if (!PQconsumeInput(source->stream->conn))
        return stream_error(source, NULL, err);
    return 1;
}

/* Nothing more is on its way: what there is, if it is time for it. */
static pgc_change_batch *take(pgc_stream *stream)
{
    int64_t now = pgc_clock_monotonic_us();
    if (pgc_assembler_pending_bytes(stream->assembler) == 0) {
        if (now - stream->position_us < POSITION_EVERY_US)
            return NULL;
    }
    pgc_change_batch *batch = pgc_assembler_take(stream->assembler);
    if (batch)
        stream->position_us = now;
    return batch;
}

static bool rest_is_coming(const pgc_stream *stream)
{
    return pgc_assembler_in_transaction(stream->assembler) &&
           pgc_assembler_pending_bytes(stream->assembler) < IN_TRANSACTION_BYTES;
}

/* All that had come is read. In a rush more will have come after a nap. */
static void nap_in_a_rush(pgc_stream *stream)
{
    int64_t now = pgc_clock_monotonic_us(), elapsed_us = now - stream->rush_us;
    bool rush = elapsed_us < 20000 && stream->rush_messages * 1000 >= RUSH_MESSAGES_PER_MS * elapsed_us &&
                stream->rush_messages > 4;
    if (!rush && elapsed_us < 1000)
        return; /* too early to tell */
    stream->rush_us = now;
    stream->rush_messages = 0;
    if (rush) {
        struct timespec nap = {0, RUSH_NAP_US * 1000L};
        nanosleep(&nap, NULL);
    }
}

int pgc_stream_next(pgc_postgres_source *source, int timeout_ms, pgc_change_batch **batch, pgconvoy_error *err)
{
    pgc_stream *stream = source->stream;
    *batch = NULL;
    if (!stream) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_INTERNAL, "the stream was not begun");
        return -1;
    }
    if (stream->spool_end && !stream->replay && atomic_load(&source->confirmed_lsn) >= stream->spool_end) {
        stream->spool_end = 0;
        unlink(source->config.spool_path);
        pgc_log_info(source->config.log, "all that was spooled is in the target");
    }
    int64_t deadline = pgc_clock_monotonic_us() + (int64_t)timeout_ms * 1000;
    for (;;) {
        if (feedback_if_due(source, err) != 0)
            return -1;
        int got = drain(source, batch, err);
        if (got != 0)
            return got;
        nap_in_a_rush(stream);
        got = await(source, rest_is_coming(stream) ? IN_TRANSACTION_MS : 0, err);
        if (got < 0)
            return -1;
        if (got > 0)
            continue;
        if ((*batch = take(stream)) != NULL)
            return 1;
        int64_t left_us = deadline - pgc_clock_monotonic_us();
        if (left_us <= 0)
            return 0;
        int64_t asked_ago = pgc_clock_monotonic_us() - stream->asked_us;
        if (asked_ago >= ASK_EVERY_US && send_feedback(source, true, err) != 0)
            return -1;
        if (left_us > POSITION_EVERY_US)
            left_us = POSITION_EVERY_US; /* a position may be waiting for its time, a question for its hour */
        if (await(source, (int)((left_us + 999) / 1000), err) < 0)
            return -1;
    }
}

/* -------------------------------------------------------------- the spool */

/* Where the stream stands while nobody decodes it. */
typedef struct spooling {
    pgc_spool *spool;
    bool in_transaction;
    pgconvoy_lsn position, marked; /* behind the last commit, or of a keepalive; on disk */
    int64_t marked_us;
    bool full;
    bool held; /* a prepared transaction came, which is not sent again: the slot waits from here on */
} spooling;

/* The bounds of transactions: Begin, Commit, Stream Start, Stream Stop, Stream Commit (PostgreSQL manual, "Logical Replication Message Formats"). */
static void follow_bounds(spooling *at, const char *bytes, size_t length)
{
    pgconvoy_lsn end = 0;
    if (bytes[0] == 'B' || bytes[0] == 'S')
        at->in_transaction = true;
    else if (bytes[0] == 'C' && length >= 18)
        end = get64(bytes + 10);
    else if (bytes[0] == 'c' && length >= 22)
        end = get64(bytes + 14);
    else if (bytes[0] == 'b' || bytes[0] == 'p')
        at->held = true;
    if (end || bytes[0] == 'E')
        at->in_transaction = false;
    if (end > at->position)
        at->position = end;
}

static int spool_message(pgc_postgres_source *source, spooling *at, const char *message, size_t length, pgconvoy_error *err)
{
    pgc_stream *stream = source->stream;
    if (length < (message[0] == 'w' ? 26 : 18))
        return 0;
    pgconvoy_lsn lsn = get64(message + 1);
    saw(stream, lsn);
    if (message[0] == 'w') {
        follow_bounds(at, message + 25, length - 25);
        return pgc_spool_append(at->spool, lsn, message + 25, length - 25, err);
    }
    stream->reply_requested |= message[17] != 0;
    if (!at->in_transaction && lsn > at->position)
        at->position = lsn;
    return 0;
}

/* What is on disk is confirmed: the slot moves on. */
static int mark_if_due(pgc_postgres_source *source, spooling *at, bool now, pgconvoy_error *err)
{
    int64_t clock = pgc_clock_monotonic_us();
    if (at->held || at->in_transaction || at->position <= at->marked || (!now && clock - at->marked_us < MARK_EVERY_US))
        return 0;
    if (pgc_spool_mark(at->spool, at->position, err) != 0)
        return -1;
    at->marked = at->position;
    at->marked_us = clock;
    raise_to(&source->confirmed_lsn, at->marked);
    return 0;
}

static int spool_what_is_there(pgc_postgres_source *source, spooling *at, pgconvoy_error *err)
{
    for (;;) {
        char *message;
        int length = PQgetCopyData(source->stream->conn, &message, 1);
        if (length == 0)
            return 0;
        if (length == -1)
            return ended(source, err);
        if (length < 0)
            return stream_error(source, NULL, err);
        int failed = spool_message(source, at, message, (size_t)length, err);
        PQfreemem(message);
        if (failed || mark_if_due(source, at, false, err) != 0 || feedback_if_due(source, err) != 0)
            return -1;
    }
}

static int spool_until(pgc_postgres_source *source, spooling *at, bool (*done)(void *arg), void *arg, pgconvoy_error *err)
{
    while (!done(arg)) {
        bool full = source->config.spool_bytes && pgc_spool_bytes(at->spool) >= source->config.spool_bytes && !at->in_transaction;
        if (full && !at->full)
            pgc_log_warning(source->config.log, "the spool is full: the source keeps what comes from here on");
        at->full = full;
        if (!full && spool_what_is_there(source, at, err) != 0)
            return -1;
        if (mark_if_due(source, at, false, err) != 0 || feedback_if_due(source, err) != 0)
            return -1;
        if (full)
            pgc_clock_sleep_ms(SPOOL_WAIT_MS);
        else if (await(source, SPOOL_WAIT_MS, err) < 0)
            return -1;
        if (!full && !at->in_transaction && pgc_clock_monotonic_us() - source->stream->asked_us >= ASK_EVERY_US &&
            send_feedback(source, true, err) != 0)
            return -1;
    }
    return mark_if_due(source, at, true, err);
}

int pgc_stream_spool(pgc_postgres_source *source, bool (*done)(void *arg), void *arg, pgconvoy_error *err)
{
    pgc_position_status status;
    spooling at = {0};
    char text[PGCONVOY_LSN_TEXT_SIZE];
    if (pgc_slot_status(source, &status, err) != 0)
        return -1;
    if (status.spool_end && status.spool_end < status.confirmed_lsn)
        unlink(source->config.spool_path); /* the sink has had all of it: the slot moved past it */
    pgconvoy_lsn from = status.spool_end > status.confirmed_lsn ? status.spool_end : status.confirmed_lsn;
    pgc_stream_end(source);
    source->stream = calloc(1, sizeof *source->stream);
    if (!source->stream)
        return pgc_error_out_of_memory(err);
    at.spool = pgc_spool_open_append(source->config.spool_path, source->id, from, err);
    source->stream->received = at.position = at.marked = from;
    raise_to(&source->confirmed_lsn, from);
    pgc_ddl_access access;
    int failed = at.spool ? pgc_ddl_read_access(source, &access, err) : -1;
    if (!failed) {
        source->stream->ddl_log = access.log;
        failed = start(source, from, false, err);
    }
    if (!failed) {
        pgc_log_info(source->config.log, "spooling changes from %s on", pgconvoy_lsn_to_text(from, text));
        failed = spool_until(source, &at, done, arg, err);
    }
    pgc_spool_close(at.spool);
    pgc_stream_end(source);
    return failed;
}
