/* What goes back to the server, as standby status updates: written is what we received, flushed and applied what the
 * sink has made durable. */
#include "source/postgres/stream_internal.h"

#include "base/clock.h"

#define FEEDBACK_MOVED_US 1000000     /* at most this often when the confirmed position moves */
#define FEEDBACK_QUIET_US 10000       /* … with nothing else to do */
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
    put64(message + 1, stream->received > confirmed ? stream->received : confirmed);
    put64(message + 9, confirmed);
    put64(message + 17, confirmed);
    put64(message + 25, (uint64_t)(pgc_clock_unix_us() - PGC_PG_EPOCH_US));
    message[33] = ask;
    if (PQputCopyData(stream->conn, (const char *)message, sizeof message) != 1 || PQflush(stream->conn) < 0)
        return pgc_stream_error(source, NULL, err);
    stream->sent_confirmed = confirmed;
    stream->feedback_us = now;
    stream->reply_requested = false;
    if (ask)
        stream->asked_us = now;
    return 0;
}

int pgc_stream_feedback_if_due(pgc_postgres_source *source, bool quiet, pgconvoy_error *err)
{
    pgc_stream *stream = source->stream;
    if (!stream->conn)
        return 0;
    int64_t since = pgc_clock_monotonic_us() - stream->feedback_us;
    bool moved = confirmable(source) > stream->sent_confirmed;
    if (!stream->reply_requested && since < FEEDBACK_AT_LEAST_US && !(moved && since >= (quiet ? FEEDBACK_QUIET_US : FEEDBACK_MOVED_US)))
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
