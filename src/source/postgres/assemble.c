/*
 * Assembler: a small state machine over the messages. Outside, in a plain transaction (Begin … Commit), or in a block of a streamed one
 * (Stream Start … Stream Stop), whose messages are only put aside. At Stream Commit these are read back through the very functions that
 * plain messages go through (apply.c), with the commit LSN now known, a batch at a time (pgc_assembler_next).
 *
 * A prepared transaction (Begin Prepare … Prepare, of a slot with two_phase) is put aside too: see prepared.c. A streamed one may be handed over
 * while it is put aside: see tentative.c.
 */
#include "source/postgres/assemble_internal.h"

#include <stdlib.h>
#include <string.h>

/* It goes from one thread to another: small enough to be in the caches still, and to come often. */
#define DEFAULT_BATCH_BYTES             ((size_t)512 * 1024)
/* An arena's block: below it a copy costs little. */
#define DEFAULT_LENT_BYTES              ((size_t)64 * 1024)
#define DEFAULT_SPILL_TRANSACTION_BYTES ((size_t)1024 * 1024)
#define DEFAULT_SPILL_TOTAL_BYTES       ((size_t)16 * 1024 * 1024)

pgc_assembler *pgc_assembler_new(const pgc_assembler_config *config, pgconvoy_error *err)
{
    pgc_assembler *a = calloc(1, sizeof *a);
    if (!a) {
        pgc_error_out_of_memory(err);
        return NULL;
    }
    a->config = *config;
    if (!a->config.batch_bytes)
        a->config.batch_bytes = DEFAULT_BATCH_BYTES;
    if (!a->config.lent_bytes)
        a->config.lent_bytes = DEFAULT_LENT_BYTES;
    size_t transaction_bytes = config->spill_transaction_bytes ? config->spill_transaction_bytes : DEFAULT_SPILL_TRANSACTION_BYTES;
    size_t total_bytes = config->spill_total_bytes ? config->spill_total_bytes : DEFAULT_SPILL_TOTAL_BYTES;
    a->relations = pgc_relation_cache_new(config->resolve, config->resolve_arg);
    a->spill = pgc_spill_new(config->spill_dir, transaction_bytes, total_bytes, config->log);
    if (!a->relations || !a->spill) {
        pgc_assembler_free(a);
        pgc_error_out_of_memory(err);
        return NULL;
    }
    if (pgc_assembler_know_prepared(a, err)) {
        pgc_assembler_free(a);
        return NULL;
    }
    a->config.spill_dir = NULL; /* the spill has its own copy */
    a->place = PGC_PGOUTPUT_OUTSIDE;
    /* a position before what the sink has must never be told: its checkpoint would move back */
    a->position = a->position_told = config->skip_before;
    return a;
}

void pgc_assembler_free(pgc_assembler *a)
{
    if (!a)
        return;
    pgc_batch_discard(&a->builder);
    pgc_relation_cache_free(a->relations);
    pgc_spill_free(a->spill);
    free((char *)a->open.facts.origin);
    free((char *)a->open.facts.gid);
    free(a->prepared);
    free(a);
}

int pgc_assembler_set_table(pgc_assembler *a, const pgconvoy_table *table, pgconvoy_error *err)
{
    pgc_relation_entry *entry = pgc_relation_entry_get(a->relations, table->oid, err);
    if (!entry)
        return -1;
    entry->told = table;
    return 0;
}

int pgc_assembler_set_copy_lsn(pgc_assembler *a, uint32_t table_oid, pgconvoy_lsn lsn, pgconvoy_error *err)
{
    pgc_relation_entry *entry = pgc_relation_entry_get(a->relations, table_oid, err);
    if (!entry)
        return -1;
    entry->copy_lsn = lsn;
    return 0;
}

static int apply_begin(pgc_assembler *a, pgconvoy_lsn lsn, pgc_pgoutput_reader *reader, pgconvoy_error *err)
{
    pgc_pgoutput_begin begin;
    if (pgc_pgoutput_read_begin(reader, &begin, err))
        return -1;
    pgc_assembler_begin(a, begin.xid, begin.final_lsn, begin.commit_time);
    a->open.begin_lsn = lsn;
    a->place = PGC_PGOUTPUT_IN_TRANSACTION;
    return 0;
}

static int read_commit(pgc_pgoutput_reader *reader, pgc_pgoutput_commit *commit, pgconvoy_error *err)
{
    if (pgc_pgoutput_read_commit(reader, commit, err))
        return -1;
    if (commit->end_lsn < commit->commit_lsn)
        return pgc_assembler_unexpected(err, reader->type, "its record ends before it starts");
    return 0;
}

static int apply_commit(pgc_assembler *a, pgc_pgoutput_reader *reader, pgconvoy_error *err)
{
    pgc_pgoutput_commit commit;
    if (read_commit(reader, &commit, err))
        return -1;
    if (commit.commit_lsn != a->open.facts.commit_lsn)
        return pgc_assembler_unexpected(err, reader->type, "its LSN is not the one that Begin told");
    a->place = PGC_PGOUTPUT_OUTSIDE;
    return pgc_assembler_commit(a, commit.end_lsn, err);
}

/* ---- streamed transactions */

static int start_stream(pgc_assembler *a, pgconvoy_lsn lsn, pgc_pgoutput_reader *reader, pgconvoy_error *err)
{
    uint32_t xid = pgc_pgoutput_int32(reader);
    bool first = pgc_pgoutput_int8(reader) & 1;
    if (pgc_pgoutput_end(reader, err))
        return -1;
    a->stream = pgc_spill_find(a->spill, xid);
    if (first && a->stream)
        return pgc_assembler_unexpected(err, 'S', "it starts a transaction that is already there");
    if (!first && !a->stream)
        return pgc_assembler_unexpected(err, 'S', "it goes on with a transaction that never started");
    if (!a->stream)
        a->stream = pgc_spill_begin(a->spill, xid, err);
    if (!a->stream)
        return -1;
    a->place = PGC_PGOUTPUT_IN_STREAM;
    return pgc_tentative_block(a, lsn, first, err);
}

static int put_aside(pgc_assembler *a, pgconvoy_lsn lsn, pgc_pgoutput_reader *reader, pgconvoy_error *err)
{
    pgc_spill_record record = {.lsn = lsn, .xid = pgc_spilled_xid(a->stream), .type = reader->type};
    if (a->place == PGC_PGOUTPUT_IN_STREAM && pgc_pgoutput_kind_of(reader->type)->xid_in_stream)
        record.xid = pgc_pgoutput_int32(reader);
    if (pgc_pgoutput_check(reader, err))
        return -1;
    record.bytes = (const char *)reader->at;
    record.length = (size_t)(reader->end - reader->at);
    return pgc_spill_append(a->spill, a->stream, &record, err);
}

static int abort_stream(pgc_assembler *a, pgc_pgoutput_reader *reader, pgconvoy_error *err)
{
    pgc_pgoutput_abort abort_;
    bool with_lsn = a->config.streaming_parallel && a->config.protocol_version >= 4;
    if (pgc_pgoutput_read_abort(reader, with_lsn, &abort_, err))
        return -1;
    pgc_spilled *spilled = pgc_spill_find(a->spill, abort_.xid);
    if (!spilled)
        return 0; /* nothing of it was kept */
    if (spilled == a->tentative && pgc_tentative_end(a, err))
        return -1;
    if (abort_.subxid != abort_.xid)
        return pgc_spill_abort(spilled, abort_.subxid, err);
    pgc_spill_drop(a->spill, spilled);
    return 0;
}

/*
 * What a subtransaction had streamed when it was rolled back is to be forgotten by a Stream Abort. The server forgets to send it for one that it had written
 * to its own disk before, as it does when its memory is full in the middle of a TOASTed row (14 to 17, not 18: ReorderBufferTruncateTXN marks
 * only those as streamed that have changes in memory). So it is asked once more.
 */
int pgc_assembler_leave_out_undone(pgc_assembler *a, pgc_spilled *spilled, bool *any, pgconvoy_error *err)
{
    const uint32_t *xids;
    size_t count = pgc_spill_subxids(spilled, &xids);
    *any = false;
    if (count == 0 || !a->config.undone)
        return 0;
    uint32_t *undone = malloc(count * sizeof *undone);
    if (!undone)
        return pgc_error_out_of_memory(err);
    memcpy(undone, xids, count * sizeof *undone);
    int failed = a->config.undone(a->config.resolve_arg, undone, &count, err);
    for (size_t i = 0; i < count && !failed; i++)
        failed = pgc_spill_abort(spilled, undone[i], err);
    *any = !failed && count > 0;
    free(undone);
    return failed;
}

static int commit_stream(pgc_assembler *a, pgc_pgoutput_reader *reader, pgconvoy_error *err)
{
    pgc_pgoutput_commit commit;
    if (read_commit(reader, &commit, err))
        return -1;
    pgc_spilled *spilled = pgc_spill_find(a->spill, commit.xid);
    if (!spilled)
        return pgc_assembler_unexpected(err, 'c', "no block of its transaction came before");
    bool undone;
    if (pgc_assembler_leave_out_undone(a, spilled, &undone, err))
        return -1;
    if (spilled == a->tentative && !undone)
        return pgc_tentative_commit(a, &commit, err);
    if (pgc_tentative_end(a, err))
        return -1;
    pgc_assembler_begin(a, commit.xid, commit.commit_lsn, commit.commit_time);
    a->open.end_lsn = commit.end_lsn;
    a->replay = spilled;
    pgc_spill_rewind(a->spill, spilled);
    return 0;
}

/* One message of the transaction that is read back; after the last it is committed. */
static int replay_one(pgc_assembler *a, pgconvoy_error *err)
{
    pgc_spill_record record;
    int rc = pgc_spill_read(a->spill, a->replay, &record, err);
    if (rc < 0)
        return -1;
    if (rc > 0) {
        pgc_pgoutput_reader reader = pgc_pgoutput_reader_of(record.type, record.bytes, record.length);
        pgc_lent lent = {.memory = record.memory, .release = free};
        a->lent = record.memory ? &lent : NULL;
        rc = pgc_assembler_apply(a, record.lsn, &reader, err);
        a->lent = NULL;
        if (lent.taken)
            pgc_spill_was_taken(a->spill);
        return rc;
    }
    if (a->open.facts.gid)
        return pgc_assembler_end_prepare(a, err);
    pgc_spill_drop(a->spill, a->replay);
    a->replay = NULL;
    return pgc_assembler_commit(a, a->open.end_lsn, err);
}

/* ---- the face */

static int check_place(const pgc_assembler *a, uint8_t type, pgconvoy_error *err)
{
    const pgc_pgoutput_kind *kind = pgc_pgoutput_kind_of(type);
    if (!kind->places) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "message of unknown type 0x%02x in the change stream", type);
        pgconvoy_error_hint(err, "check that the slot's plugin is pgoutput");
        return -1;
    }
    if (kind->protocol > a->config.protocol_version)
        return pgc_assembler_unexpected(err, type, "the protocol version that was agreed on does not have it");
    if (kind->places & a->place)
        return 0;
    return pgc_assembler_unexpected(err, type,
                      a->place == PGC_PGOUTPUT_OUTSIDE          ? "no transaction is open"
                      : a->place == PGC_PGOUTPUT_IN_TRANSACTION ? "a transaction is open"
                                                                : "a streamed block is open");
}

int pgc_assembler_feed(pgc_assembler *a, pgconvoy_lsn lsn, const void *bytes, size_t length, pgconvoy_error *err)
{
    if (a->replay) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_INTERNAL, "a message was fed while a streamed transaction is read back");
        return -1;
    }
    if (length == 0) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "empty message in the change stream");
        return -1;
    }
    uint8_t type = *(const uint8_t *)bytes;
    if (check_place(a, type, err))
        return -1;
    pgc_pgoutput_reader reader = pgc_pgoutput_reader_of(type, (const char *)bytes + 1, length - 1);
    if (pgc_pgoutput_kind_of(type)->two_phase)
        return pgc_tentative_end(a, err) ? -1 : pgc_assembler_apply_prepared(a, &reader, err);
    switch (type) {
    case 'B':
        return pgc_tentative_end(a, err) ? -1 : apply_begin(a, lsn, &reader, err);
    case 'C':
        return apply_commit(a, &reader, err);
    case 'S':
        return start_stream(a, lsn, &reader, err);
    case 'E':
        a->place = PGC_PGOUTPUT_OUTSIDE;
        a->stream = NULL;
        return pgc_pgoutput_end(&reader, err);
    case 'A':
        return abort_stream(a, &reader, err);
    case 'c':
        return commit_stream(a, &reader, err);
    default:
        /* outside of streamed blocks the server sends a Relation message once for all transactions that follow */
        if (a->stream && !(type == 'R' && a->place == PGC_PGOUTPUT_IN_TRANSACTION))
            return put_aside(a, lsn, &reader, err) ? -1 : pgc_tentative_message(a, lsn, &reader, err);
        if (a->place == PGC_PGOUTPUT_OUTSIDE) /* the only kind left that may stand here */
            return pgc_tentative_end(a, err) ? -1 : pgc_assembler_apply_message(a, lsn, &reader, err);
        return pgc_assembler_apply(a, lsn, &reader, err);
    }
}

int pgc_assembler_feed_lent(pgc_assembler *a, pgconvoy_lsn lsn, const void *bytes, size_t length, pgc_lent *lent, pgconvoy_error *err)
{
    a->lent = lent;
    int rc = pgc_assembler_feed(a, lsn, bytes, length, err);
    a->lent = NULL;
    return rc;
}

int pgc_assembler_next(pgc_assembler *a, pgc_change_batch **batch, pgconvoy_error *err)
{
    *batch = NULL;
    for (;;) {
        if (pgc_batch_bytes(&a->builder) >= a->config.batch_bytes) {
            *batch = pgc_assembler_take(a);
            if (*batch)
                return 1;
        }
        if (!a->replay)
            return pgc_tentative_is_over(a) ? pgc_tentative_end(a, err) : 0;
        if (replay_one(a, err))
            return -1;
    }
}

pgc_change_batch *pgc_assembler_take(pgc_assembler *a)
{
    pgconvoy_error ignored;
    if (pgc_batch_count(&a->builder) == 0 && a->position == a->position_told)
        return NULL;
    /* out of memory for a mere position: it comes with the next batch */
    if (!pgc_batch_arena(&a->builder, &ignored))
        return NULL;
    a->position_told = a->position;
    a->open.shared = NULL; /* it lives in the batch that leaves */
    return pgc_batch_take(&a->builder, a->position, !a->open.begun);
}

size_t pgc_assembler_pending_bytes(const pgc_assembler *a)
{
    return pgc_batch_bytes(&a->builder);
}

void pgc_assembler_position(pgc_assembler *a, pgconvoy_lsn lsn)
{
    a->heard = lsn;
    if (!pgc_assembler_in_transaction(a))
        pgc_assembler_move_position(a, lsn);
}

bool pgc_assembler_in_transaction(const pgc_assembler *a)
{
    return a->place != PGC_PGOUTPUT_OUTSIDE || a->replay != NULL || a->tentative != NULL;
}
