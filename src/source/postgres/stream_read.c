/*
 * One connection in COPY BOTH mode (PostgreSQL manual, "Streaming Replication Protocol"). What comes is fed to the
 * assembler; what is confirmed goes back (stream_feedback.c).
 *
 * A batch is handed over as soon as nothing more is on its way, so that a quiet stream has no delay; only in the midst
 * of a transaction, whose rest must be about to come, is a short moment waited for it.
 */
#include "source/postgres/stream_internal.h"

#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define POSITION_EVERY_US 100000 /* batches that bring nothing but a position */
#define IN_TRANSACTION_MS 20
/*
 * The server sends every change by itself. While they come this fast the reader sleeps a moment instead of being woken
 * for each: both sides then spend their time on changes, not on switching. It costs a change at most the nap, and only
 * in a rush.
 */
#define RUSH_MESSAGES_PER_MS 20
#define RUSH_NAP_US 250
/* libpq takes no more at once (its buffer begins with 16 kB): where it took about as much, there is more to be had without a nap. */
#define RUSH_TAKEN_BYTES 12000
#define IN_TRANSACTION_BYTES (256 << 10)
/* Of the spool between two looks at whether the stream should end. */
#define REPLAY_RECORDS 20000

/* What does not exist, the slot or a publication, the message says in the server's language; the function that met it is told beside. */
static bool is_of_slot(const PGresult *result, const pgconvoy_error *err)
{
    const char *function = result ? PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION) : NULL;
    return function ? strstr(function, "Slot") != NULL : strstr(err->message, "slot \"") != NULL;
}

int pgc_stream_error(pgc_postgres_source *source, const PGresult *result, pgconvoy_error *err)
{
    char doing[128];
    snprintf(doing, sizeof doing, "streaming from slot %s", source->slot_name);
    pgc_connection_error(source->stream->conn, result, doing, err);
    bool gone = strcmp(err->sqlstate, "42704") == 0 && is_of_slot(result, err);
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
    } else if (strstr(err->message, "could not map file")) {
        pgconvoy_error_hint(err, "pgconvoy drop %s, then sync again: the server has lost track of a table that was truncated or rewritten while the slot was "
                                 "made, which is a defect of PostgreSQL's and does not heal", source->config.pipeline_name);
    } else if (strcmp(err->sqlstate, "55006") == 0) {
        pgconvoy_error_hint(err, "another process reads from the slot; it is tried again");
        pgconvoy_error_retriable(err, true);
    }
    return -1;
}

/* XLogData: start, end of WAL, time, payload. Keepalive: end of WAL, time, reply requested. */
static int handle(pgc_postgres_source *source, pgc_lent *lent, size_t length, pgconvoy_error *err)
{
    pgc_stream *stream = source->stream;
    const char *message = lent->memory;
    if (message[0] == 'w' && length >= 25) {
        pgconvoy_lsn lsn = pgc_stream_get64(message + 1);
        pgc_stream_saw(stream, lsn);
        return pgc_assembler_feed_lent(stream->assembler, lsn, message + 25, length - 25, lent, err);
    }
    if (message[0] == 'k' && length >= 18) {
        pgconvoy_lsn lsn = pgc_stream_get64(message + 1);
        pgc_stream_saw(stream, lsn);
        pgc_assembler_position(stream->assembler, lsn);
        stream->reply_requested |= message[17] != 0;
        return 0;
    }
    pgconvoy_error_set(err, PGCONVOY_ERROR_DATA,
                       "the source sent a replication message that is not understood (type %d, %zu bytes)", message[0],
                       length);
    return -1;
}

int pgc_stream_ended(pgc_postgres_source *source, pgconvoy_error *err)
{
    pgc_stream *stream = source->stream;
    stream->ended = true;
    PGresult *result = PQgetResult(stream->conn);
    if (PQresultStatus(result) == PGRES_FATAL_ERROR) {
        (void)pgc_stream_error(source, result, err);
    } else {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONNECTION, "streaming from slot %s: the server ended the stream",
                           source->slot_name);
        pgconvoy_error_retriable(err, true);
    }
    PQclear(result);
    return -1;
}

/* A connection ends in the spool: what was in progress then is sent anew, so nothing of it is kept. */
static int renew_assembler(pgc_postgres_source *source, pgconvoy_lsn position, pgc_change_batch **batch,
                           pgconvoy_error *err)
{
    pgc_stream *stream = source->stream;
    *batch = pgc_assembler_take(stream->assembler);
    pgc_assembler_free(stream->assembler);
    stream->assembler = NULL;
    return pgc_stream_make_assembler(source, position > stream->from ? position : stream->from, err);
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
                pgc_stream_start(source, stream->spool_end, err) != 0)
                return -1;
            stream->feedback_us = stream->asked_us = pgc_clock_monotonic_us();
            return *batch ? 1 : 0;
        }
        if (lsn)
            pgc_stream_saw(stream, lsn);
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
            return pgc_stream_ended(source, err);
        if (length < 0)
            return pgc_stream_error(source, NULL, err);
        stream->rush_messages++;
        stream->taken_bytes += (size_t)length;
        pgc_lent lent = {.memory = message, .release = PQfreemem};
        int failed = handle(source, &lent, (size_t)length, err);
        if (!lent.taken)
            PQfreemem(message);
        if (failed || (stream->reply_requested && pgc_stream_send_feedback(source, false, err) != 0))
            return -1;
    }
}

void pgc_stream_wake(pgc_postgres_source *source)
{
    static const uint64_t one = 1;
    atomic_store(&source->stream_ends, true);
    if (source->wake_fd >= 0 && write(source->wake_fd, &one, sizeof one) < 0)
        pgc_log_debug(source->config.log, "the stream's thread is not woken: %s", strerror(errno));
}

/* What an earlier stream's end has left there would wake this one again and again. */
static void take_wake(const pgc_postgres_source *source)
{
    uint64_t count;
    if (read(source->wake_fd, &count, sizeof count) < 0)
        pgc_log_debug(source->config.log, "an eventfd cannot be read: %s", strerror(errno));
}

int pgc_stream_await(pgc_postgres_source *source, int timeout_ms, pgconvoy_error *err)
{
    struct pollfd fds[] = {{.fd = PQsocket(source->stream->conn), .events = POLLIN}, {.fd = source->wake_fd, .events = POLLIN}};
    int got = poll(fds, 2, timeout_ms < 0 ? 0 : timeout_ms);
    source->stream->taken_bytes = 0;
    if (got < 0 && errno != EINTR) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONNECTION, "waiting for the source: %s", strerror(errno));
        pgconvoy_error_retriable(err, true);
        return -1;
    }
    if (got > 0 && fds[1].revents)
        take_wake(source);
    if (got <= 0 || !fds[0].revents)
        return 0;
    if (!PQconsumeInput(source->stream->conn))
        return pgc_stream_error(source, NULL, err);
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
    if (rush && stream->taken_bytes < RUSH_TAKEN_BYTES) {
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
        pgc_stream_remove_spool(source);
    }
    int64_t deadline = pgc_clock_monotonic_us() + (int64_t)timeout_ms * 1000;
    for (;;) {
        if (pgc_stream_feedback_if_due(source, false, err) != 0)
            return -1;
        int got = drain(source, batch, err);
        if (got != 0)
            return got;
        nap_in_a_rush(stream);
        got = pgc_stream_await(source, rest_is_coming(stream) ? IN_TRANSACTION_MS : 0, err);
        if (got < 0)
            return -1;
        if (got > 0)
            continue;
        if ((*batch = take(stream)) != NULL)
            return 1;
        int64_t left_us = deadline - pgc_clock_monotonic_us();
        if (left_us <= 0 || atomic_load(&source->stream_ends))
            return 0;
        if (pgc_stream_feedback_if_due(source, true, err) != 0)
            return -1;
        int64_t asked_ago = pgc_clock_monotonic_us() - stream->asked_us;
        if (asked_ago >= PGC_STREAM_ASK_EVERY_US && pgc_stream_send_feedback(source, true, err) != 0)
            return -1;
        if (left_us > POSITION_EVERY_US)
            left_us = POSITION_EVERY_US; /* a position may be waiting for its time, a question for its hour */
        int64_t feedback_us = pgc_stream_feedback_due_us(source);
        if (left_us > feedback_us)
            left_us = feedback_us > 0 ? feedback_us : 0;
        if (pgc_stream_await(source, (int)((left_us + 999) / 1000), err) < 0)
            return -1;
    }
}
