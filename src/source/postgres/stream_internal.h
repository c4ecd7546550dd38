/* What the files of the change stream share: stream_begin.c connects, stream_feedback.c tells the server what is
 * confirmed, stream_read.c makes batches of what comes, stream_spool.c keeps it for later. */
#ifndef PGC_SOURCE_POSTGRES_STREAM_INTERNAL_H
#define PGC_SOURCE_POSTGRES_STREAM_INTERNAL_H

#include "source/postgres/ddl.h"
#include "source/postgres/spool.h"
#include "source/postgres/stream_read.h"
#include "source/postgres/stream_tables.h"

#define PGC_STREAM_ASK_EVERY_US 250000 /* an idle stream asks the server where it is */

struct pgc_stream {
    PGconn *conn;
    pgc_assembler *assembler;
    pgc_stream_tables tables;
    pgc_ddl_reader *ddl; /* NULL: no event triggers are there */
    uint32_t ddl_log;    /* see pgc_ddl_access */
    pgconvoy_lsn received;
    pgconvoy_lsn sent_received, sent_confirmed;
    int64_t feedback_us; /* when the last was sent */
    int64_t asked_us;
    int64_t position_us;
    int64_t rush_us;       /* when counting began */
    int64_t rush_messages; /* that have come since */
    size_t taken_bytes;    /* of the messages that came with the last look */
    bool two_phase;        /* the slot sends transactions when they are prepared */
    pgconvoy_lsn from_lsn; /* what the sink had when the stream began */
    bool reply_requested;
    bool ended; /* the server has closed the stream */
    pgc_stream_wishes wishes;
    pgc_spool *replay;     /* read from instead of the server, until its end */
    pgconvoy_lsn replayed; /* the last mark in it: what a connection of then had come to */
    pgconvoy_lsn from,
        spool_end; /* what the stream began from; what the spool reaches to, 0 once that is durable in the sink */
};

static inline uint64_t pgc_stream_get64(const char *at)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | (unsigned char)at[i];
    return value;
}

static inline void pgc_stream_saw(pgc_stream *stream, pgconvoy_lsn lsn)
{
    if (lsn > stream->received)
        stream->received = lsn;
}

/* ---- stream_begin.c */

/* Connects, and has the server send from from_lsn on. */
int pgc_stream_start(pgc_postgres_source *source, pgconvoy_lsn from_lsn, pgconvoy_error *err) PGC_MUST_CHECK;
/* One that begins behind from_lsn, as the stream's. */
int pgc_stream_make_assembler(pgc_postgres_source *source, pgconvoy_lsn from_lsn, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- stream_feedback.c */

/* ask: the server is to answer where it is. */
int pgc_stream_send_feedback(pgc_postgres_source *source, bool ask, pgconvoy_error *err) PGC_MUST_CHECK;
/* In how many microseconds it is time, where nothing else is to be done; INT64_MAX: there is nothing new to tell. */
int64_t pgc_stream_feedback_due_us(const pgc_postgres_source *source);
/* Sends it when it is time; quiet: nothing else is to be done. */
int pgc_stream_feedback_if_due(pgc_postgres_source *source, bool quiet, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- stream_read.c */

/* Sets err from the connection or a result (NULL: there is none), with what to do about it; -1. */
int pgc_stream_error(pgc_postgres_source *source, const PGresult *result, pgconvoy_error *err);
/* The server ended the stream: it says why, or shuts down; -1. */
int pgc_stream_ended(pgc_postgres_source *source, pgconvoy_error *err);
/* Waits for the socket. 1: something can be read; 0: timeout; -1: err. */
int pgc_stream_await(pgc_postgres_source *source, int timeout_ms, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
