/*
 * pgoutput: readers for each message format. Numbers are in network byte order; a failure leaves the cursor at the end, so that the reads
 * after it see nothing and need no check of their own.
 */
#include "source/postgres/pgoutput.h"

#include "base/clock.h"

#include <endian.h>
#include <string.h>

#define OUTSIDE PGC_PGOUTPUT_OUTSIDE
#define IN_TRANSACTION PGC_PGOUTPUT_IN_TRANSACTION
#define IN_STREAM PGC_PGOUTPUT_IN_STREAM
#define INSIDE (IN_TRANSACTION | IN_STREAM)

static const pgc_pgoutput_kind kinds[256] = {
    /* name, places, protocol, xid in stream, two-phase */
    ['B'] = {"Begin", OUTSIDE, 1, false, false},
    ['C'] = {"Commit", IN_TRANSACTION, 1, false, false},
    ['O'] = {"Origin", INSIDE, 1, false, false},
    ['R'] = {"Relation", INSIDE, 1, true, false},
    ['Y'] = {"Type", INSIDE, 1, true, false},
    ['I'] = {"Insert", INSIDE, 1, true, false},
    ['U'] = {"Update", INSIDE, 1, true, false},
    ['D'] = {"Delete", INSIDE, 1, true, false},
    ['T'] = {"Truncate", INSIDE, 1, true, false},
    ['M'] = {"Message", OUTSIDE | INSIDE, 1, true, false},
    ['S'] = {"Stream Start", OUTSIDE, 2, false, false},
    ['E'] = {"Stream Stop", IN_STREAM, 2, false, false},
    ['c'] = {"Stream Commit", OUTSIDE, 2, false, false},
    ['A'] = {"Stream Abort", OUTSIDE, 2, false, false},
    ['b'] = {"Begin Prepare", OUTSIDE, 3, false, true},
    ['P'] = {"Prepare", OUTSIDE | IN_TRANSACTION, 3, false, true},
    ['K'] = {"Commit Prepared", OUTSIDE, 3, false, true},
    ['r'] = {"Rollback Prepared", OUTSIDE, 3, false, true},
    ['p'] = {"Stream Prepare", OUTSIDE, 3, false, true},
};

const pgc_pgoutput_kind *pgc_pgoutput_kind_of(uint8_t type)
{
    return &kinds[type];
}

/* ---- the cursor */

void pgc_pgoutput_fail(pgc_pgoutput_reader *reader, const char *failure)
{
    if (!reader->failure)
        reader->failure = failure;
    reader->at = reader->end;
}

static inline size_t left(const pgc_pgoutput_reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

static inline bool has(pgc_pgoutput_reader *reader, size_t size)
{
    if (left(reader) >= size)
        return true;
    pgc_pgoutput_fail(reader, "it ends too early");
    return false;
}

static inline uint16_t load16(const uint8_t *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return be16toh(value);
}

static inline uint32_t load32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return be32toh(value);
}

uint8_t pgc_pgoutput_int8(pgc_pgoutput_reader *reader)
{
    return has(reader, 1) ? *reader->at++ : 0;
}

uint16_t pgc_pgoutput_int16(pgc_pgoutput_reader *reader)
{
    if (!has(reader, 2))
        return 0;
    uint16_t value = load16(reader->at);
    reader->at += 2;
    return value;
}

uint32_t pgc_pgoutput_int32(pgc_pgoutput_reader *reader)
{
    if (!has(reader, 4))
        return 0;
    uint32_t value = load32(reader->at);
    reader->at += 4;
    return value;
}

uint64_t pgc_pgoutput_int64(pgc_pgoutput_reader *reader)
{
    uint64_t high = pgc_pgoutput_int32(reader);
    return high << 32 | pgc_pgoutput_int32(reader);
}

const char *pgc_pgoutput_string(pgc_pgoutput_reader *reader)
{
    const uint8_t *end = left(reader) ? memchr(reader->at, 0, left(reader)) : NULL;
    if (!end) {
        pgc_pgoutput_fail(reader, "a string in it does not end");
        return "";
    }
    const char *text = (const char *)reader->at;
    reader->at = end + 1;
    return text;
}

const uint8_t *pgc_pgoutput_bytes(pgc_pgoutput_reader *reader, size_t length)
{
    if (!has(reader, length))
        return NULL;
    const uint8_t *bytes = reader->at;
    reader->at += length;
    return bytes;
}

int pgc_pgoutput_check(const pgc_pgoutput_reader *reader, pgconvoy_error *err)
{
    if (!reader->failure)
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "malformed %s message in the change stream: %s", kinds[reader->type].name,
                       reader->failure);
    pgconvoy_error_hint(err, "check that SOURCE is a PostgreSQL server of version 12 or later and that the slot's plugin is pgoutput");
    return -1;
}

int pgc_pgoutput_end(const pgc_pgoutput_reader *reader, pgconvoy_error *err)
{
    pgc_pgoutput_reader copy = *reader;
    if (left(&copy))
        pgc_pgoutput_fail(&copy, "bytes are left over at its end");
    return pgc_pgoutput_check(&copy, err);
}

/* PostgreSQL's times count from 2000; a hostile one must not overflow. */
static int64_t unix_time(pgc_pgoutput_reader *reader)
{
    int64_t us = (int64_t)pgc_pgoutput_int64(reader), out;
    if (__builtin_add_overflow(us, PGC_PG_EPOCH_US, &out)) {
        pgc_pgoutput_fail(reader, "its time is out of range");
        return 0;
    }
    return out;
}

/* ---- messages */

int pgc_pgoutput_read_begin(pgc_pgoutput_reader *reader, pgc_pgoutput_begin *out, pgconvoy_error *err)
{
    out->final_lsn = pgc_pgoutput_int64(reader);
    out->commit_time = unix_time(reader);
    out->xid = pgc_pgoutput_int32(reader);
    return pgc_pgoutput_end(reader, err);
}

int pgc_pgoutput_read_commit(pgc_pgoutput_reader *reader, pgc_pgoutput_commit *out, pgconvoy_error *err)
{
    out->xid = reader->type == 'c' ? pgc_pgoutput_int32(reader) : 0;
    pgc_pgoutput_int8(reader); /* flags, unused */
    out->commit_lsn = pgc_pgoutput_int64(reader);
    out->end_lsn = pgc_pgoutput_int64(reader);
    out->commit_time = unix_time(reader);
    return pgc_pgoutput_end(reader, err);
}

int pgc_pgoutput_read_abort(pgc_pgoutput_reader *reader, bool with_lsn, pgc_pgoutput_abort *out, pgconvoy_error *err)
{
    out->xid = pgc_pgoutput_int32(reader);
    out->subxid = pgc_pgoutput_int32(reader);
    out->abort_lsn = with_lsn ? pgc_pgoutput_int64(reader) : 0;
    out->abort_time = with_lsn ? unix_time(reader) : 0;
    return pgc_pgoutput_end(reader, err);
}

int pgc_pgoutput_read_prepared(pgc_pgoutput_reader *reader, pgc_pgoutput_prepared *out, pgconvoy_error *err)
{
    if (reader->type != 'b')
        pgc_pgoutput_int8(reader); /* flags, unused */
    out->lsn = pgc_pgoutput_int64(reader);
    out->end_lsn = pgc_pgoutput_int64(reader);
    out->time = unix_time(reader);
    out->rollback_time = reader->type == 'r' ? unix_time(reader) : 0;
    out->xid = pgc_pgoutput_int32(reader);
    out->gid = pgc_pgoutput_string(reader);
    return pgc_pgoutput_end(reader, err);
}

int pgc_pgoutput_read_message(pgc_pgoutput_reader *reader, pgc_pgoutput_logical_message *out, pgconvoy_error *err)
{
    out->transactional = pgc_pgoutput_int8(reader) & 1;
    out->lsn = pgc_pgoutput_int64(reader);
    out->prefix = pgc_pgoutput_string(reader);
    out->content_length = pgc_pgoutput_int32(reader);
    out->content = (const char *)pgc_pgoutput_bytes(reader, out->content_length);
    return pgc_pgoutput_end(reader, err);
}

/* ---- rows */

/* One column of a tuple into *value. The cursor is passed in registers: this is the hottest loop of the stream. */
static inline const uint8_t *read_value(const uint8_t *at, const uint8_t *end, pgconvoy_value *value, const char **failure)
{
    if (at == end) {
        *failure = "it ends inside a row";
        return NULL;
    }
    uint8_t kind = *at++;
    if (kind == 't' || kind == 'b') {
        if (end - at < 4) {
            *failure = "it ends inside a row";
            return NULL;
        }
        uint32_t length = load32(at);
        at += 4;
        if (length > (size_t)(end - at) || length > INT32_MAX) {
            *failure = "a value in it is longer than the message";
            return NULL;
        }
        *value = (pgconvoy_value){.data = (const char *)at, .length = (int32_t)length, .format = kind == 'b' ? PGCONVOY_BINARY : PGCONVOY_TEXT};
        return at + length;
    }
    if (kind != 'n' && kind != 'u') {
        *failure = "a column in it is of an unknown kind";
        return NULL;
    }
    *value = (pgconvoy_value){.length = kind == 'n' ? PGCONVOY_NULL : PGCONVOY_UNCHANGED};
    return at;
}

void pgc_pgoutput_tuple(pgc_pgoutput_reader *reader, const int *map, int column_count, pgconvoy_value *values)
{
    uint16_t count = pgc_pgoutput_int16(reader);
    if (reader->failure)
        return;
    if (count != column_count) {
        pgc_pgoutput_fail(reader, "its row has another number of columns than the Relation message told");
        return;
    }
    const uint8_t *at = reader->at, *end = reader->end;
    const char *failure = NULL;
    pgconvoy_value unwanted;
    for (int i = 0; i < column_count; i++) {
        pgconvoy_value *value = !map ? &values[i] : map[i] >= 0 ? &values[map[i]] : &unwanted;
        at = read_value(at, end, value, &failure);
        if (!at) {
            pgc_pgoutput_fail(reader, failure);
            return;
        }
    }
    reader->at = at;
}
