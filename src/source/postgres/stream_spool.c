/* The stream into the spool, while nobody takes its batches: bytes as they come, and what is on disk is confirmed. */
#include "source/postgres/stream_internal.h"

#include "base/clock.h"
#include "source/postgres/slot.h"

#include <stdlib.h>
#include <unistd.h>

#define MARK_EVERY_US 500000 /* the spool is synced to disk */
#define SPOOL_WAIT_MS 100

/* Where the stream stands while nobody decodes it. */
typedef struct spooling {
    pgc_spool *spool;
    bool in_transaction;
    pgconvoy_lsn position, marked; /* behind the last commit, or of a keepalive; on disk */
    int64_t marked_us;
    bool full;
    bool held; /* a prepared transaction came, which is not sent again: the slot waits from here on */
} spooling;

/* The bounds of transactions: Begin, Commit, Stream Start, Stream Stop, Stream Commit (PostgreSQL manual, "Logical
 * Replication Message Formats"). */
static void follow_bounds(spooling *at, const char *bytes, size_t length)
{
    pgconvoy_lsn end = 0;
    if (bytes[0] == 'B' || bytes[0] == 'S')
        at->in_transaction = true;
    else if (bytes[0] == 'C' && length >= 18)
        end = pgc_stream_get64(bytes + 10);
    else if (bytes[0] == 'c' && length >= 22)
        end = pgc_stream_get64(bytes + 14);
    else if (bytes[0] == 'b' || bytes[0] == 'p')
        at->held = true;
    if (end || bytes[0] == 'E')
        at->in_transaction = false;
    if (end > at->position)
        at->position = end;
}

static int spool_message(pgc_postgres_source *source, spooling *at, const char *message, size_t length,
                         pgconvoy_error *err)
{
    pgc_stream *stream = source->stream;
    if (length < (message[0] == 'w' ? 26 : 18))
        return 0;
    pgconvoy_lsn lsn = pgc_stream_get64(message + 1);
    pgc_stream_saw(stream, lsn);
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
    pgc_stream_confirm(source, at->marked);
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
            return pgc_stream_ended(source, err);
        if (length < 0)
            return pgc_stream_error(source, NULL, err);
        int failed = spool_message(source, at, message, (size_t)length, err);
        PQfreemem(message);
        if (failed || mark_if_due(source, at, false, err) != 0 || pgc_stream_feedback_if_due(source, false, err) != 0)
            return -1;
    }
}

static int spool_until(pgc_postgres_source *source, spooling *at, bool (*done)(void *arg), void *arg,
                       pgconvoy_error *err)
{
    while (!done(arg)) {
        bool full = source->config.spool_bytes && pgc_spool_bytes(at->spool) >= source->config.spool_bytes &&
                    !at->in_transaction;
        if (full && !at->full)
            pgc_log_warning(source->config.log, "the spool is full: the source keeps what comes from here on");
        at->full = full;
        if (!full && spool_what_is_there(source, at, err) != 0)
            return -1;
        if (mark_if_due(source, at, false, err) != 0 || pgc_stream_feedback_if_due(source, false, err) != 0)
            return -1;
        if (full)
            pgc_clock_sleep_ms(SPOOL_WAIT_MS);
        else if (pgc_stream_await(source, SPOOL_WAIT_MS, err) < 0)
            return -1;
        if (!full && !at->in_transaction &&
            pgc_clock_monotonic_us() - source->stream->asked_us >= PGC_STREAM_ASK_EVERY_US &&
            pgc_stream_send_feedback(source, true, err) != 0)
            return -1;
    }
    return mark_if_due(source, at, true, err);
}

void pgc_stream_remove_spool(pgc_postgres_source *source)
{
    if (unlink(source->config.spool_path) == 0)
        pgc_log_info(source->config.log, "all that was spooled is in the target");
}

int pgc_stream_spool(pgc_postgres_source *source, bool (*done)(void *arg), void *arg, pgconvoy_error *err)
{
    pgc_position_status status;
    spooling at = {0};
    char text[PGCONVOY_LSN_TEXT_SIZE];
    if (pgc_slot_status(source, &status, err) != 0)
        return -1;
    if (status.spool_end && status.spool_end < status.confirmed_lsn)
        pgc_stream_remove_spool(source); /* the slot moved past it */
    pgconvoy_lsn from = status.spool_end > status.confirmed_lsn ? status.spool_end : status.confirmed_lsn;
    pgc_stream_end(source);
    source->stream = calloc(1, sizeof *source->stream);
    if (!source->stream)
        return pgc_error_out_of_memory(err);
    at.spool = pgc_spool_open_append(source->config.spool_path, source->id, from, err);
    source->stream->received = at.position = at.marked = from;
    pgc_stream_confirm(source, from);
    pgc_ddl_access access;
    int failed = at.spool ? pgc_ddl_read_access(source, &access, err) : -1;
    if (!failed) {
        source->stream->ddl_log = access.log;
        failed = pgc_stream_start(source, from, err);
    }
    if (!failed) {
        pgc_log_info(source->config.log, "spooling changes from %s on", pgconvoy_lsn_to_text(from, text));
        failed = spool_until(source, &at, done, arg, err);
    }
    pgc_spool_close(at.spool);
    pgc_stream_end(source);
    return failed;
}
