/*
 * Assembler: a small state machine over the messages. Outside, in a plain transaction (Begin … Commit), or in a block of a streamed one
 * (Stream Start … Stream Stop), whose messages are only put aside. At Stream Commit these are read back through the very functions that
 * plain messages go through, with the commit LSN now known, a batch at a time (pgc_assembler_next).
 *
 * The row functions are the hot path: one allocation in the batch's arena for a change, which holds its values and the copied bytes that
 * they point into.
 */
#include "source/postgres/assemble.h"

#include "source/postgres/batch.h"
#include "source/postgres/relation.h"
#include "source/postgres/spill.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_BATCH_BYTES             ((size_t)8 * 1024 * 1024)
#define DEFAULT_SPILL_TRANSACTION_BYTES ((size_t)1024 * 1024)
#define DEFAULT_SPILL_TOTAL_BYTES       ((size_t)16 * 1024 * 1024)

/* The transaction whose changes are being emitted. */
typedef struct open_transaction {
    pgconvoy_transaction facts; /* origin is owned here */
    pgconvoy_lsn end_lsn;       /* Stream Commit: known before the changes are */
    pgconvoy_lsn begin_lsn;
    uint32_t sequence;
    bool begun;                   /* its BEGIN was emitted */
    bool skipped;                 /* the sink has it */
    pgconvoy_transaction *shared; /* what the changes of the current batch point to; NULL: none yet */
} open_transaction;

struct pgc_assembler {
    pgc_assembler_config config;
    pgc_relation_cache *relations;
    pgc_spill *spill;
    pgc_batch_builder builder;
    uint8_t place; /* PGC_PGOUTPUT_… */
    open_transaction open;
    pgc_spilled *stream; /* of the block we are in */
    pgc_spilled *replay; /* the one that is read back */
    pgconvoy_lsn position, position_told;
};

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
    size_t transaction_bytes = config->spill_transaction_bytes ? config->spill_transaction_bytes : DEFAULT_SPILL_TRANSACTION_BYTES;
    size_t total_bytes = config->spill_total_bytes ? config->spill_total_bytes : DEFAULT_SPILL_TOTAL_BYTES;
    a->relations = pgc_relation_cache_new(config->resolve, config->resolve_arg);
    a->spill = pgc_spill_new(config->spill_dir, transaction_bytes, total_bytes, config->log);
    if (!a->relations || !a->spill) {
        pgc_assembler_free(a);
        pgc_error_out_of_memory(err);
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

static int data_error(pgconvoy_error *err, uint8_t type, const char *what)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "unexpected %s message in the change stream: %s", pgc_pgoutput_kind_of(type)->name,
                       what);
    pgconvoy_error_hint(err, "this is a defect of pgconvoy or of the server: please report it with both versions");
    return -1;
}

/* ---- the open transaction */

static void begin_transaction(pgc_assembler *a, uint32_t xid, pgconvoy_lsn commit_lsn, int64_t commit_time)
{
    open_transaction *open = &a->open;
    free((char *)open->facts.origin);
    *open = (open_transaction){.facts = {.xid = xid, .commit_lsn = commit_lsn, .commit_time = commit_time}};
    open->skipped = commit_lsn < a->config.skip_before;
}

/* The transaction as the changes of the current batch see it. */
static pgconvoy_transaction *shared_transaction(pgc_assembler *a, pgconvoy_error *err)
{
    open_transaction *open = &a->open;
    if (open->shared)
        return open->shared;
    pgc_arena *arena = pgc_batch_arena(&a->builder, err);
    if (!arena)
        return NULL;
    pgconvoy_transaction *shared = pgc_arena_alloc(arena, sizeof *shared);
    const char *origin = NULL;
    if (shared && open->facts.origin)
        origin = pgc_arena_strdup(arena, open->facts.origin);
    if (!shared || (open->facts.origin && !origin)) {
        pgc_error_out_of_memory(err);
        return NULL;
    }
    *shared = open->facts;
    shared->origin = origin;
    return open->shared = shared;
}

static pgconvoy_change *add_change(pgc_assembler *a, pgconvoy_operation operation, pgconvoy_lsn lsn, pgconvoy_error *err)
{
    pgconvoy_transaction *shared = shared_transaction(a, err);
    pgconvoy_change *change = shared ? pgc_batch_add(&a->builder, err) : NULL;
    if (!change)
        return NULL;
    change->operation = (uint8_t)operation;
    change->lsn = lsn;
    change->sequence = a->open.sequence;
    change->transaction = shared;
    return change;
}

/* BEGIN comes with the first thing that is emitted, so that a transaction with nothing for us gives none. */
static int ensure_begun(pgc_assembler *a, pgconvoy_lsn lsn, pgconvoy_error *err)
{
    if (a->open.begun)
        return 0;
    if (!add_change(a, PGCONVOY_BEGIN, a->open.begin_lsn ? a->open.begin_lsn : lsn, err))
        return -1;
    a->open.begun = true;
    return 0;
}

/* A change that counts: rows, truncates, messages. */
static pgconvoy_change *add_counted(pgc_assembler *a, pgconvoy_operation operation, pgconvoy_lsn lsn, pgconvoy_error *err)
{
    open_transaction *open = &a->open;
    if (ensure_begun(a, lsn, err))
        return NULL;
    if (open->sequence == UINT32_MAX) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "transaction %u has more than %u changes", open->facts.xid, UINT32_MAX);
        pgconvoy_error_hint(err, "copy its tables again");
        return NULL;
    }
    pgconvoy_change *change = add_change(a, operation, lsn, err);
    if (change)
        open->sequence++;
    return change;
}

/* A change of a table; before the first of a new version comes SCHEMA. */
static pgconvoy_change *add_table_change(pgc_assembler *a, pgc_relation_entry *entry, pgconvoy_operation operation, pgconvoy_lsn lsn,
                                         pgconvoy_error *err)
{
    if (entry->told != entry->table) {
        pgconvoy_change *schema = ensure_begun(a, lsn, err) ? NULL : add_change(a, PGCONVOY_SCHEMA, lsn, err);
        if (!schema)
            return NULL;
        schema->table = entry->table;
        entry->told = entry->table;
    }
    pgconvoy_change *change = add_counted(a, operation, lsn, err);
    if (change) {
        change->table = entry->table;
        a->builder.batch->row_changes++;
    }
    return change;
}

static void move_position(pgc_assembler *a, pgconvoy_lsn lsn)
{
    if (lsn > a->position)
        a->position = lsn;
}

static int commit_transaction(pgc_assembler *a, pgconvoy_lsn end_lsn, pgconvoy_error *err)
{
    open_transaction *open = &a->open;
    if (open->begun) {
        open->facts.end_lsn = end_lsn;
        pgconvoy_change *change = add_change(a, PGCONVOY_COMMIT, open->facts.commit_lsn, err);
        if (!change)
            return -1;
        open->shared->end_lsn = end_lsn;
        open->begun = false;
    }
    open->shared = NULL;
    move_position(a, end_lsn);
    return 0;
}

/* ---- rows */

/* The relation of a row change; *entry NULL when the change is not wanted. */
static int wanted_relation(pgc_assembler *a, uint8_t type, uint32_t oid, pgc_relation_entry **entry, pgconvoy_error *err)
{
    *entry = pgc_relation_find(a->relations, oid);
    if (!*entry || !(*entry)->described) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "%s message in the change stream for relation %u, which no Relation message described",
                           pgc_pgoutput_kind_of(type)->name, oid);
        pgconvoy_error_hint(err, "this is a defect of pgconvoy or of the server: please report it with both versions");
        return -1;
    }
    if (!(*entry)->table || a->open.facts.commit_lsn < (*entry)->copy_lsn)
        *entry = NULL;
    return 0;
}

static void read_row(pgc_pgoutput_reader *reader, const pgc_relation_entry *entry, int32_t missing, pgconvoy_value *values)
{
    if (!entry->complete)
        for (int i = 0; i < entry->table->column_count; i++)
            values[i] = (pgconvoy_value){.length = missing};
    pgc_pgoutput_tuple(reader, entry->map, entry->column_count, values);
}

/* An unchanged TOASTed value is whole in the old row where the server sent that. */
static void fill_unchanged(const pgconvoy_value *old, pgconvoy_value *new_, int count)
{
    for (int i = 0; i < count; i++)
        if (new_[i].length == PGCONVOY_UNCHANGED && old[i].length >= 0)
            new_[i] = old[i];
}

static int apply_row(pgc_assembler *a, pgconvoy_lsn lsn, pgc_pgoutput_reader *reader, pgconvoy_error *err)
{
    uint8_t type = reader->type;
    uint32_t oid = pgc_pgoutput_int32(reader);
    if (pgc_pgoutput_check(reader, err))
        return -1;
    pgc_relation_entry *entry;
    if (wanted_relation(a, type, oid, &entry, err))
        return -1;
    if (!entry)
        return 0;
    pgc_arena *arena = pgc_batch_arena(&a->builder, err);
    if (!arena)
        return -1;

    size_t columns = (size_t)entry->table->column_count, rows = type == 'U' ? 2 : 1;
    size_t length = (size_t)(reader->end - reader->at);
    pgconvoy_value *values = pgc_arena_alloc(arena, rows * columns * sizeof *values + length);
    if (!values)
        return pgc_error_out_of_memory(err);
    uint8_t *copy = (uint8_t *)(values + rows * columns);
    if (length > 0)
        memcpy(copy, reader->at, length);
    *reader = pgc_pgoutput_reader_of(type, copy, length);

    pgconvoy_value *old = NULL, *new_ = NULL;
    char old_kind = 0;
    uint8_t part = pgc_pgoutput_int8(reader);
    if (type != 'I' && (part == 'K' || part == 'O')) {
        old = values;
        old_kind = (char)part;
        read_row(reader, entry, part == 'K' ? PGCONVOY_NULL : PGCONVOY_UNCHANGED, old);
        part = type == 'U' ? pgc_pgoutput_int8(reader) : 0;
    } else if (type == 'D') {
        pgc_pgoutput_fail(reader, "the row's kind is unknown");
    }
    if (type != 'D') {
        new_ = values + (rows - 1) * columns;
        if (part == 'N')
            read_row(reader, entry, PGCONVOY_UNCHANGED, new_);
        else
            pgc_pgoutput_fail(reader, "the row's kind is unknown");
    }
    if (pgc_pgoutput_end(reader, err))
        return -1;
    if (new_ && old_kind == 'O')
        fill_unchanged(old, new_, entry->table->column_count);

    pgconvoy_operation operation = type == 'I' ? PGCONVOY_INSERT : type == 'U' ? PGCONVOY_UPDATE : PGCONVOY_DELETE;
    pgconvoy_change *change = add_table_change(a, entry, operation, lsn, err);
    if (!change)
        return -1;
    change->old_kind = old_kind;
    change->old = old;
    change->new_ = new_;
    return 0;
}

static int apply_truncate(pgc_assembler *a, pgconvoy_lsn lsn, pgc_pgoutput_reader *reader, pgconvoy_error *err)
{
    uint32_t count = pgc_pgoutput_int32(reader);
    uint8_t flags = pgc_pgoutput_int8(reader) & (PGCONVOY_TRUNCATE_CASCADE | PGCONVOY_TRUNCATE_RESTART_IDENTITY);
    for (uint32_t i = 0; i < count && !reader->failure; i++) {
        uint32_t oid = pgc_pgoutput_int32(reader);
        pgc_relation_entry *entry;
        if (reader->failure)
            break;
        if (wanted_relation(a, 'T', oid, &entry, err))
            return -1;
        if (!entry)
            continue;
        pgconvoy_change *change = add_table_change(a, entry, PGCONVOY_TRUNCATE, lsn, err);
        if (!change)
            return -1;
        change->flags = flags;
    }
    return pgc_pgoutput_end(reader, err);
}

/* ---- logical messages */

static bool is_our_own(const char *prefix)
{
    static const char own[] = "pgconvoy";
    return strncmp(prefix, own, sizeof own - 1) == 0 && (prefix[sizeof own - 1] == '\0' || prefix[sizeof own - 1] == '.');
}

/* A message outside of any transaction: one change that stands alone. Its LSN is the end of its record. */
static pgconvoy_change *add_lone_message(pgc_assembler *a, pgconvoy_lsn lsn, pgconvoy_error *err)
{
    pgc_arena *arena = pgc_batch_arena(&a->builder, err);
    if (!arena)
        return NULL;
    pgconvoy_transaction *transaction = pgc_arena_zalloc(arena, sizeof *transaction);
    if (!transaction) {
        pgc_error_out_of_memory(err);
        return NULL;
    }
    transaction->commit_lsn = lsn > 0 ? lsn - 1 : 0;
    transaction->end_lsn = lsn;
    pgconvoy_change *change = pgc_batch_add(&a->builder, err);
    if (!change)
        return NULL;
    change->operation = PGCONVOY_MESSAGE;
    change->lsn = lsn;
    change->transaction = transaction;
    return change;
}

static int apply_message(pgc_assembler *a, pgconvoy_lsn lsn, pgc_pgoutput_reader *reader, pgconvoy_error *err)
{
    pgc_pgoutput_logical_message message;
    if (pgc_pgoutput_read_message(reader, &message, err))
        return -1;
    bool inside = pgc_assembler_in_transaction(a);
    if (message.transactional && !inside)
        return data_error(err, 'M', "it belongs to a transaction, and none is open");
    if (!message.transactional && !inside)
        move_position(a, message.lsn);
    if (is_our_own(message.prefix) || (!message.transactional && message.lsn <= a->config.skip_before))
        return 0;

    pgconvoy_change *change = message.transactional ? add_counted(a, PGCONVOY_MESSAGE, lsn, err) : add_lone_message(a, message.lsn, err);
    if (!change)
        return -1;
    pgc_arena *arena = a->builder.batch->arena;
    change->flags = message.transactional ? PGCONVOY_MESSAGE_TRANSACTIONAL : 0;
    change->prefix = pgc_arena_strdup(arena, message.prefix);
    change->content = pgc_arena_bytes(arena, message.content, message.content_length);
    change->content_length = message.content_length;
    return change->prefix && change->content ? 0 : pgc_error_out_of_memory(err);
}

/* ---- what both plain and streamed transactions are made of */

static int apply_origin(pgc_assembler *a, pgc_pgoutput_reader *reader, pgconvoy_error *err)
{
    pgc_pgoutput_int64(reader); /* the commit's LSN there */
    const char *name = pgc_pgoutput_string(reader);
    if (pgc_pgoutput_end(reader, err))
        return -1;
    open_transaction *open = &a->open;
    if (open->facts.origin && strcmp(open->facts.origin, name) == 0)
        return 0; /* repeated at the start of each streamed block */
    char *origin = strdup(name);
    if (!origin)
        return pgc_error_out_of_memory(err);
    free((char *)open->facts.origin);
    open->facts.origin = origin;
    open->shared = NULL; /* the changes from here on see the new one */
    return 0;
}

static int apply(pgc_assembler *a, pgconvoy_lsn lsn, pgc_pgoutput_reader *reader, pgconvoy_error *err)
{
    /* the server takes a Relation message as read once it is sent, so it counts in a skipped transaction too */
    if (reader->type == 'R')
        return pgc_relation_describe(a->relations, reader, err);
    if (a->open.skipped)
        return 0;
    switch (reader->type) {
    case 'I':
    case 'U':
    case 'D':
        return apply_row(a, lsn, reader, err);
    case 'T':
        return apply_truncate(a, lsn, reader, err);
    case 'M':
        return apply_message(a, lsn, reader, err);
    case 'O':
        return apply_origin(a, reader, err);
    case 'Y': /* names of types, which the catalog tells in full */
        pgc_pgoutput_int32(reader);
        pgc_pgoutput_string(reader);
        pgc_pgoutput_string(reader);
        return pgc_pgoutput_end(reader, err);
    default:
        return data_error(err, reader->type, "it cannot stand inside a transaction");
    }
}

static int apply_begin(pgc_assembler *a, pgconvoy_lsn lsn, pgc_pgoutput_reader *reader, pgconvoy_error *err)
{
    pgc_pgoutput_begin begin;
    if (pgc_pgoutput_read_begin(reader, &begin, err))
        return -1;
    begin_transaction(a, begin.xid, begin.final_lsn, begin.commit_time);
    a->open.begin_lsn = lsn;
    a->place = PGC_PGOUTPUT_IN_TRANSACTION;
    return 0;
}

static int read_commit(pgc_pgoutput_reader *reader, pgc_pgoutput_commit *commit, pgconvoy_error *err)
{
    if (pgc_pgoutput_read_commit(reader, commit, err))
        return -1;
    if (commit->end_lsn < commit->commit_lsn)
        return data_error(err, reader->type, "its record ends before it starts");
    return 0;
}

static int apply_commit(pgc_assembler *a, pgc_pgoutput_reader *reader, pgconvoy_error *err)
{
    pgc_pgoutput_commit commit;
    if (read_commit(reader, &commit, err))
        return -1;
    if (commit.commit_lsn != a->open.facts.commit_lsn)
        return data_error(err, reader->type, "its LSN is not the one that Begin told");
    a->place = PGC_PGOUTPUT_OUTSIDE;
    return commit_transaction(a, commit.end_lsn, err);
}

/* ---- streamed transactions */

static int start_stream(pgc_assembler *a, pgc_pgoutput_reader *reader, pgconvoy_error *err)
{
    uint32_t xid = pgc_pgoutput_int32(reader);
    bool first = pgc_pgoutput_int8(reader) & 1;
    if (pgc_pgoutput_end(reader, err))
        return -1;
    a->stream = pgc_spill_find(a->spill, xid);
    if (first && a->stream)
        return data_error(err, 'S', "it starts a transaction that is already there");
    if (!first && !a->stream)
        return data_error(err, 'S', "it goes on with a transaction that never started");
    if (!a->stream)
        a->stream = pgc_spill_begin(a->spill, xid, err);
    if (!a->stream)
        return -1;
    a->place = PGC_PGOUTPUT_IN_STREAM;
    return 0;
}

static int put_aside(pgc_assembler *a, pgconvoy_lsn lsn, pgc_pgoutput_reader *reader, pgconvoy_error *err)
{
    pgc_spill_record record = {.lsn = lsn, .xid = pgc_spilled_xid(a->stream), .type = reader->type};
    if (pgc_pgoutput_kind_of(reader->type)->xid_in_stream)
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
    if (abort_.subxid != abort_.xid)
        return pgc_spill_abort(spilled, abort_.subxid, err);
    pgc_spill_drop(a->spill, spilled);
    return 0;
}

static int commit_stream(pgc_assembler *a, pgc_pgoutput_reader *reader, pgconvoy_error *err)
{
    pgc_pgoutput_commit commit;
    if (read_commit(reader, &commit, err))
        return -1;
    pgc_spilled *spilled = pgc_spill_find(a->spill, commit.xid);
    if (!spilled)
        return data_error(err, 'c', "no block of its transaction came before");
    begin_transaction(a, commit.xid, commit.commit_lsn, commit.commit_time);
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
        return apply(a, record.lsn, &reader, err);
    }
    pgc_spill_drop(a->spill, a->replay);
    a->replay = NULL;
    return commit_transaction(a, a->open.end_lsn, err);
}

static int refuse_prepared(pgc_pgoutput_reader *reader, pgconvoy_error *err)
{
    pgc_pgoutput_prepared prepared;
    uint8_t type = reader->type;
    if (pgc_pgoutput_read_prepared(reader, &prepared, err))
        return -1;
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "the slot sends prepared transactions (%s of \"%.200s\"), which pgconvoy does not follow",
                       pgc_pgoutput_kind_of(type)->name, prepared.gid);
    pgconvoy_error_hint(err, "use a slot that was created without two_phase: prepared transactions then come when they commit");
    return -1;
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
        return data_error(err, type, "the protocol version that was agreed on does not have it");
    if (kind->places & a->place)
        return 0;
    return data_error(err, type,
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
        return refuse_prepared(&reader, err);
    switch (type) {
    case 'B':
        return apply_begin(a, lsn, &reader, err);
    case 'C':
        return apply_commit(a, &reader, err);
    case 'S':
        return start_stream(a, &reader, err);
    case 'E':
        a->place = PGC_PGOUTPUT_OUTSIDE;
        a->stream = NULL;
        return pgc_pgoutput_end(&reader, err);
    case 'A':
        return abort_stream(a, &reader, err);
    case 'c':
        return commit_stream(a, &reader, err);
    default:
        if (a->place == PGC_PGOUTPUT_IN_STREAM)
            return put_aside(a, lsn, &reader, err);
        if (a->place == PGC_PGOUTPUT_OUTSIDE)
            return apply_message(a, lsn, &reader, err); /* the only kind left that may stand here */
        return apply(a, lsn, &reader, err);
    }
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
            return 0;
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
    if (!pgc_assembler_in_transaction(a))
        move_position(a, lsn);
}

bool pgc_assembler_in_transaction(const pgc_assembler *a)
{
    return a->place != PGC_PGOUTPUT_OUTSIDE || a->replay != NULL;
}
