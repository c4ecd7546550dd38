/*
 * The messages of pgoutput, from bytes to structs. Knows the formats and nothing else: no state, no memory of its own, no libpq. What a
 * reader gives points into the bytes it was given. Every length is checked; a message must be used up to its last byte.
 *
 * Formats: PostgreSQL manual, "Logical Replication Message Formats", protocol versions 1 to 4.
 */
#ifndef PGC_SOURCE_POSTGRES_PGOUTPUT_H
#define PGC_SOURCE_POSTGRES_PGOUTPUT_H

#include "base/error.h"

/* Where a kind of message may stand. */
#define PGC_PGOUTPUT_OUTSIDE        1 /* between transactions */
#define PGC_PGOUTPUT_IN_TRANSACTION 2 /* after Begin */
#define PGC_PGOUTPUT_IN_STREAM      4 /* after Stream Start */

/* A kind of message, as a row. */
typedef struct pgc_pgoutput_kind {
    const char *name;      /* as the manual has it: "Insert", "Stream Abort" */
    uint8_t places;        /* PGC_PGOUTPUT_…; 0: no such message */
    uint8_t protocol;      /* the first protocol version that has it */
    bool xid_in_stream;    /* inside a stream an xid stands after the type byte */
    bool two_phase;        /* only sent where prepared transactions are decoded */
} pgc_pgoutput_kind;

/* The row of a type byte; one with places 0 where there is none. */
const pgc_pgoutput_kind *pgc_pgoutput_kind_of(uint8_t type);

/* A cursor over one message. The first failure sticks, so that a run of reads is checked once, by pgc_pgoutput_end or _check. */
typedef struct pgc_pgoutput_reader {
    const uint8_t *at;
    const uint8_t *end;
    uint8_t type;
    const char *failure; /* what was wrong, NULL: nothing yet */
} pgc_pgoutput_reader;

/* bytes start after the type byte. */
static inline pgc_pgoutput_reader pgc_pgoutput_reader_of(uint8_t type, const void *bytes, size_t length)
{
    const uint8_t *at = bytes;
    return (pgc_pgoutput_reader){.at = at, .end = at + length, .type = type};
}

uint8_t pgc_pgoutput_int8(pgc_pgoutput_reader *reader);
uint16_t pgc_pgoutput_int16(pgc_pgoutput_reader *reader);
uint32_t pgc_pgoutput_int32(pgc_pgoutput_reader *reader);
uint64_t pgc_pgoutput_int64(pgc_pgoutput_reader *reader);
/* A NUL-terminated string; "" on failure. */
const char *pgc_pgoutput_string(pgc_pgoutput_reader *reader);
/* NULL on failure. */
const uint8_t *pgc_pgoutput_bytes(pgc_pgoutput_reader *reader, size_t length);
void pgc_pgoutput_fail(pgc_pgoutput_reader *reader, const char *failure);

/* 0, or -1 and err (PGCONVOY_ERROR_DATA, naming the message) when a read failed. */
int pgc_pgoutput_check(const pgc_pgoutput_reader *reader, pgconvoy_error *err) PGC_MUST_CHECK;
/* The same, and nothing may be left. */
int pgc_pgoutput_end(const pgc_pgoutput_reader *reader, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- messages. Times are in microseconds since 1970. Each returns 0, or -1 and err. */

typedef struct pgc_pgoutput_begin {
    pgconvoy_lsn final_lsn; /* the commit record's start */
    int64_t commit_time;
    uint32_t xid;
} pgc_pgoutput_begin;
int pgc_pgoutput_read_begin(pgc_pgoutput_reader *reader, pgc_pgoutput_begin *out, pgconvoy_error *err) PGC_MUST_CHECK;

/* Commit, Stream Commit (with an xid before). */
typedef struct pgc_pgoutput_commit {
    uint32_t xid; /* Stream Commit */
    pgconvoy_lsn commit_lsn;
    pgconvoy_lsn end_lsn;
    int64_t commit_time;
} pgc_pgoutput_commit;
int pgc_pgoutput_read_commit(pgc_pgoutput_reader *reader, pgc_pgoutput_commit *out, pgconvoy_error *err) PGC_MUST_CHECK;

typedef struct pgc_pgoutput_abort {
    uint32_t xid; /* of the top transaction */
    uint32_t subxid; /* the one that is rolled back; xid itself: the whole */
    pgconvoy_lsn abort_lsn; /* 0 without streaming 'parallel' */
    int64_t abort_time;
} pgc_pgoutput_abort;
int pgc_pgoutput_read_abort(pgc_pgoutput_reader *reader, bool with_lsn, pgc_pgoutput_abort *out, pgconvoy_error *err)
    PGC_MUST_CHECK;

/* Begin Prepare, Prepare, Stream Prepare, Commit Prepared, Rollback Prepared. */
typedef struct pgc_pgoutput_prepared {
    pgconvoy_lsn lsn; /* of the prepare, the commit; Rollback Prepared: the end of the prepare */
    pgconvoy_lsn end_lsn;
    int64_t time;
    int64_t rollback_time; /* Rollback Prepared */
    uint32_t xid;
    const char *gid;
} pgc_pgoutput_prepared;
int pgc_pgoutput_read_prepared(pgc_pgoutput_reader *reader, pgc_pgoutput_prepared *out, pgconvoy_error *err)
    PGC_MUST_CHECK;

typedef struct pgc_pgoutput_logical_message {
    bool transactional;
    pgconvoy_lsn lsn;
    const char *prefix;
    const char *content;
    size_t content_length;
} pgc_pgoutput_logical_message;
int pgc_pgoutput_read_message(pgc_pgoutput_reader *reader, pgc_pgoutput_logical_message *out, pgconvoy_error *err)
    PGC_MUST_CHECK;

/*
 * A tuple (TupleData) of exactly column_count columns. map[i] is where the value of the i-th goes in values, or -1: passed over; NULL
 * map: in order. Sets reader's failure.
 */
void pgc_pgoutput_tuple(pgc_pgoutput_reader *reader, const int *map, int column_count, pgconvoy_value *values);

#endif
