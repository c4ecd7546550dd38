/*
 * Prepared transactions, of a slot with two_phase. The changes (Begin Prepare … Prepare, or streamed blocks and Stream
 * Prepare) are put aside first. Then they come either
 *
 *  - at their commit: they stay aside until Commit Prepared or Rollback Prepared. The server does not send them again
 *    once the prepare is confirmed, so what is confirmed stays before it until the sink has the commit; or
 *  - as prepared (config.as_prepared): they are read back at once and end with PREPARE. From then on only the
 *    transaction's end is waited for, and nothing is held back. After a restart config.prepared tells which of them the
 *    sink has.
 *
 * Also with as_prepared a transaction comes at its commit when
 *  - its prepare is from before config.prepared_from: the sink's position may be past it, and then the sink lacks it
 *    only because it was not to come as prepared then;
 *  - it was prepared before a table of its own was copied: only the commit's place tells whether the snapshot has it;
 *  - it changes definitions: a sink that has them prepared would not know what they are when it is rolled back;
 *  - it has nothing for the sink.
 */
#include "source/postgres/assemble_internal.h"

#include "base/grow.h"

#include <string.h>

/* ---- those that have not ended */

static prepared *find(pgc_assembler *a, uint32_t xid)
{
    for (size_t i = 0; i < a->prepared_count; i++)
        if (a->prepared[i].xid == xid && a->prepared[i].end_lsn == 0)
            return &a->prepared[i];
    return NULL;
}

static int add(pgc_assembler *a, const prepared *wanted, pgconvoy_error *err)
{
    if (pgc_grow(&a->prepared, a->prepared_count, &a->prepared_capacity, sizeof *a->prepared, err) != 0)
        return -1;
    a->prepared[a->prepared_count++] = *wanted;
    return 0;
}

/* One that the sink has is there already; its changes may come again all the same. */
static int note(pgc_assembler *a, uint8_t type, const pgc_pgoutput_prepared *message, pgconvoy_error *err)
{
    const prepared *known = find(a, message->xid);
    if (known && known->at_sink && known->lsn == message->lsn)
        return 0;
    if (known)
        return pgc_assembler_unexpected(err, type, "its transaction was prepared before, and has not ended");
    return add(a, &(prepared){.xid = message->xid, .lsn = message->lsn}, err);
}

static void forget(pgc_assembler *a, prepared *ended)
{
    *ended = a->prepared[--a->prepared_count];
}

int pgc_assembler_know_prepared(pgc_assembler *a, pgconvoy_error *err)
{
    for (size_t i = 0; i < a->config.prepared_count; i++)
        if (add(a, &(prepared){.xid = a->config.prepared[i].xid, .lsn = a->config.prepared[i].lsn, .at_sink = true},
                err))
            return -1;
    a->config.prepared = NULL; /* the caller's */
    return 0;
}

pgconvoy_lsn pgc_assembler_confirmable(pgc_assembler *a, pgconvoy_lsn durable)
{
    pgconvoy_lsn lsn = durable;
    for (size_t i = 0; i < a->prepared_count;) {
        const prepared *waiting = &a->prepared[i];
        if (waiting->end_lsn != 0 && waiting->end_lsn <= durable) {
            forget(a, &a->prepared[i]);
            continue;
        }
        if (!waiting->at_sink && waiting->lsn < lsn)
            lsn = waiting->lsn;
        i++;
    }
    return lsn;
}

/* ---- whether one can come as prepared */

/* Rows of this relation can: the sink has the definition that they are of, and no copy that may have them. */
static bool fits(pgc_assembler *a, uint32_t oid, pgconvoy_lsn lsn)
{
    const pgc_relation_entry *entry = pgc_relation_find(a->relations, oid);
    return !entry || !entry->table || (entry->told == entry->table && lsn >= entry->copy_lsn);
}

static int look_at_record(pgc_assembler *a, const pgc_spill_record *record, pgconvoy_lsn lsn, bool *can,
                          pgconvoy_error *err)
{
    pgc_pgoutput_reader reader = pgc_pgoutput_reader_of(record->type, record->bytes, record->length);
    pgc_pgoutput_logical_message message;
    uint32_t oid;
    switch (record->type) {
    case 'R':
        return pgc_relation_describe(a->relations, &reader, err);
    case 'M':
        if (pgc_pgoutput_read_message(&reader, &message, err))
            return -1;
        *can = *can && !pgc_assembler_is_ddl(message.prefix);
        return 0;
    case 'T':
        oid = pgc_pgoutput_int32(&reader); /* how many */
        pgc_pgoutput_int8(&reader);
        for (uint32_t left = oid; left > 0 && !reader.failure; left--) {
            oid = pgc_pgoutput_int32(&reader);
            *can = *can && (reader.failure || fits(a, oid, lsn));
        }
        return pgc_pgoutput_check(&reader, err);
    case 'I':
    case 'U':
    case 'D':
        oid = pgc_pgoutput_int32(&reader);
        if (pgc_pgoutput_check(&reader, err))
            return -1;
        *can = *can && (!a->config.ddl_log || oid != a->config.ddl_log) && fits(a, oid, lsn);
        return 0;
    default:
        return 0;
    }
}

static int look_through(pgc_assembler *a, pgc_spilled *spilled, pgconvoy_lsn lsn, bool *can, pgconvoy_error *err)
{
    pgc_spill_record record;
    int got = 1;
    *can = true;
    pgc_spill_rewind(a->spill, spilled);
    while (*can && (got = pgc_spill_read(a->spill, spilled, &record, err)) > 0)
        if (look_at_record(a, &record, lsn, can, err))
            return -1;
    return got < 0 ? -1 : 0;
}

/* ---- the messages */

static int begin_prepare(pgc_assembler *a, const pgc_pgoutput_prepared *message, pgconvoy_error *err)
{
    if (pgc_spill_find(a->spill, message->xid))
        return pgc_assembler_unexpected(err, 'b', "its transaction is already there");
    if (!(a->stream = pgc_spill_begin(a->spill, message->xid, err)))
        return -1;
    a->place = PGC_PGOUTPUT_IN_TRANSACTION;
    return note(a, 'b', message, err);
}

static int read_back(pgc_assembler *a, pgc_spilled *spilled, const pgc_pgoutput_prepared *message, const char *gid,
                     pgconvoy_error *err)
{
    bool undone;
    if (pgc_assembler_leave_out_undone(a, spilled, &undone, err))
        return -1;
    pgc_assembler_begin(a, message->xid, message->lsn, message->time);
    a->open.end_lsn = message->end_lsn;
    if (gid && !(a->open.facts.gid = strdup(gid)))
        return pgc_error_out_of_memory(err);
    a->replay = spilled;
    pgc_spill_rewind(a->spill, spilled);
    return 0;
}

/* The end of the transaction's own block, or of the blocks of a streamed one. */
static int prepare(pgc_assembler *a, uint8_t type, const pgc_pgoutput_prepared *message, pgconvoy_error *err)
{
    pgc_spilled *spilled = pgc_spill_find(a->spill, message->xid);
    if (!spilled || (type == 'P' && spilled != a->stream))
        return pgc_assembler_unexpected(err, type, "its transaction did not begin before");
    a->stream = NULL;
    a->place = PGC_PGOUTPUT_OUTSIDE;
    if (type == 'p' && note(a, type, message, err))
        return -1;
    if (find(a, message->xid)->at_sink) {
        pgc_spill_drop(a->spill, spilled);
        pgc_assembler_move_position(a, message->end_lsn);
        return 0;
    }
    if (!a->config.as_prepared || message->lsn < a->config.prepared_from)
        return 0;
    bool can;
    if (look_through(a, spilled, message->lsn, &can, err))
        return -1;
    if (can)
        return read_back(a, spilled, message, message->gid, err);
    pgc_log_info(a->config.log,
                 "the prepared transaction \"%s\" changes definitions, or a table that was copied after it: it is "
                 "applied when it is committed",
                 message->gid);
    return 0;
}

int pgc_assembler_end_prepare(pgc_assembler *a, pgconvoy_error *err)
{
    pgc_spilled *spilled = a->replay;
    prepared *waiting = find(a, a->open.facts.xid);
    a->replay = NULL;
    if (!a->open.begun) { /* nothing of it is for the sink: only its end moves the position */
        a->open.shared = NULL;
        return 0;
    }
    pgc_spill_drop(a->spill, spilled);
    waiting->at_sink = true;
    return pgc_assembler_commit(a, a->open.end_lsn, err);
}

static int unknown(const pgc_assembler *a, const pgc_pgoutput_prepared *message, pgconvoy_error *err)
{
    if (message->lsn < a->config.skip_before)
        return 0; /* the sink has it */
    pgconvoy_error_set(err, PGCONVOY_ERROR_STATE,
                       "the prepared transaction \"%.200s\" is committed, and its changes were sent by the slot before",
                       message->gid);
    pgconvoy_error_hint(err, "another program may have read from the slot: pgconvoy drop, then sync again");
    return -1;
}

/* What was prepared at the sink has ended; where says in which place of the WAL. */
static int end_at_sink(pgc_assembler *a, prepared *ended, pgconvoy_operation operation,
                       const pgc_pgoutput_prepared *message, pgconvoy_lsn where, pgconvoy_error *err)
{
    pgconvoy_transaction transaction = {.xid = message->xid,
                                        .commit_lsn = where,
                                        .end_lsn = message->end_lsn,
                                        .commit_time = message->time,
                                        .gid = message->gid};
    forget(a, ended);
    return pgc_assembler_add_outcome(a, operation, &transaction, err);
}

static int commit_prepared(pgc_assembler *a, const pgc_pgoutput_prepared *message, pgconvoy_error *err)
{
    pgc_spilled *spilled = pgc_spill_find(a->spill, message->xid);
    prepared *waiting = find(a, message->xid);
    if (waiting && waiting->at_sink)
        return end_at_sink(a, waiting, PGCONVOY_COMMIT_PREPARED, message, message->lsn, err);
    if (!spilled || !waiting)
        return unknown(a, message, err);
    waiting->end_lsn = message->end_lsn;
    return read_back(a, spilled, message, NULL, err);
}

static int rollback_prepared(pgc_assembler *a, const pgc_pgoutput_prepared *message, pgconvoy_error *err)
{
    pgc_spilled *spilled = pgc_spill_find(a->spill, message->xid);
    prepared *waiting = find(a, message->xid);
    /* only the end of its record is told: a position inside is as good as its start */
    if (waiting && waiting->at_sink)
        return end_at_sink(a, waiting, PGCONVOY_ROLLBACK_PREPARED, message, message->end_lsn - 1, err);
    if (spilled)
        pgc_spill_drop(a->spill, spilled);
    if (waiting)
        forget(a, waiting);
    return 0;
}

int pgc_assembler_apply_prepared(pgc_assembler *a, pgc_pgoutput_reader *reader, pgconvoy_error *err)
{
    pgc_pgoutput_prepared message;
    uint8_t type = reader->type;
    if (pgc_pgoutput_read_prepared(reader, &message, err))
        return -1;
    if (message.end_lsn <= message.lsn)
        return pgc_assembler_unexpected(err, type, "its record ends before it starts");
    switch (type) {
    case 'b':
        return begin_prepare(a, &message, err);
    case 'K':
        return commit_prepared(a, &message, err);
    case 'r':
        return rollback_prepared(a, &message, err);
    default:
        return prepare(a, type, &message, err);
    }
}
