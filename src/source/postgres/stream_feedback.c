/* What goes back to the server, as standby status updates: written is what we received, flushed and applied what the
 * sink has made durable. */
#include "source/postgres/stream_internal.h"

#include "base/clock.h"

#define FEEDBACK_MOVED_US 1000000     /* at most this often when the confirmed position moves */
/*
 * … and with nothing else to do, then also of what is received: while the server has not heard that all it sent was, it sends a keepalive before each
 * transaction, which wakes us for nothing just when there is something to do.
 */
#define FEEDBACK_QUIET_US 10000
#define FEEDBACK_AT_LEAST_US 10000000 /* and this often in any case */

static void put64(unsigned char *at, uint64_t value)
{
    for (int i = 7; i >= 0; i--, value >>= 8)
        at[i] = (unsigned char)value;
}

/* 0 confirms nothing: what was prepared before from_lsn and has not come yet would not come again. */
static pgconvoy_lsn confirmable(const pgc_postgres_source *source)
{
    const pgc_stream *stream = source->stream;
    pgconvoy_lsn durable = atomic_load(&source->confirmed_lsn);
    if (!stream->two_phase)
        return durable;
    return stream->received < stream->from_lsn ? 0 : pgc_assembler_confirmable(stream->assembler, durable);
}

int pgc_stream_send_feedback(pgc_postgres_source *source, bool ask, pgconvoy_error *err)
{
    pgc_stream *stream = source->stream;
    pgconvoy_lsn confirmed = confirmable(source);
    int64_t now = pgc_clock_monotonic_us();
    unsigned char message[34];
    message[0] = 'r';
    pgconvoy_lsn received = stream->received > confirmed ? stream->received : confirmed;
    put64(message + 1, received);
    put64(message + 9, confirmed);
    put64(message + 17, confirmed);
    put64(message + 25, (uint64_t)(pgc_clock_unix_us() - PGC_PG_EPOCH_US));
    message[33] = ask;
    if (PQputCopyData(stream->conn, (const char *)message, sizeof message) != 1 || PQflush(stream->conn) < 0)
        return pgc_stream_error(source, NULL, err);
    stream->sent_received = received;
    stream->sent_confirmed = confirmed;
    stream->feedback_us = now;
    stream->reply_requested = false;
    if (ask)
        stream->asked_us = now;
    return 0;
}

int64_t pgc_stream_feedback_due_us(const pgc_postgres_source *source)
{
    const pgc_stream *stream = source->stream;
    if (!stream->conn || (stream->received <= stream->sent_received && confirmable(source) <= stream->sent_confirmed))
        return INT64_MAX;
    return stream->feedback_us + FEEDBACK_QUIET_US - pgc_clock_monotonic_us();
}

int pgc_stream_feedback_if_due(pgc_postgres_source *source, bool quiet, pgconvoy_error *err)
{
    pgc_stream *stream = source->stream;
    if (!stream->conn)
        return 0;
    int64_t since = pgc_clock_monotonic_us() - stream->feedback_us;
    bool due = since >= FEEDBACK_AT_LEAST_US || (since >= FEEDBACK_MOVED_US && confirmable(source) > stream->sent_confirmed) ||
               (quiet && pgc_stream_feedback_due_us(source) <= 0);
    if (!stream->reply_requested && !due)
        return 0;
    return pgc_stream_send_feedback(source, false, err);
}

int pgc_stream_heartbeat(pgc_postgres_source *source, pgconvoy_error *err)
{
    return source->stream ? pgc_stream_feedback_if_due(source, false, err) : 0;
}

/* Only forward, whatever order the calls come in. */
void pgc_stream_confirm(pgc_postgres_source *source, pgconvoy_lsn lsn)
{
    pgconvoy_lsn seen = atomic_load(&source->confirmed_lsn);
    while (seen < lsn && !atomic_compare_exchange_weak(&source->confirmed_lsn, &seen, lsn))
        ;
}
