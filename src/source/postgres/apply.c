/*
 * The changes that messages make, whether they come straight from the server or are read back from the spill. The row function is the hot
 * path: one allocation in the batch's arena for a change, which holds its values and the copied bytes that they point into.
 */
#include "source/postgres/assemble_internal.h"

#include <stdlib.h>
#include <string.h>

int pgc_assembler_unexpected(pgconvoy_error *err, uint8_t type, const char *what)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "unexpected %s message in the change stream: %s", pgc_pgoutput_kind_of(type)->name,
                       what);
    pgconvoy_error_hint(err, "this is a defect of pgconvoy or of the server: please report it with both versions");
    return -1;
}

/* ---- the open transaction */

void pgc_assembler_begin(pgc_assembler *a, uint32_t xid, pgconvoy_lsn commit_lsn, int64_t commit_time)
{
    open_transaction *open = &a->open;
    free((char *)open->facts.origin);
    free((char *)open->facts.gid);
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
    const char *origin = NULL, *gid = NULL;
    if (shared && open->facts.origin)
        origin = pgc_arena_strdup(arena, open->facts.origin);
    if (shared && open->facts.gid)
        gid = pgc_arena_strdup(arena, open->facts.gid);
    if (!shared || (open->facts.origin && !origin) || (open->facts.gid && !gid)) {
        pgc_error_out_of_memory(err);
        return NULL;
    }
    *shared = open->facts;
    shared->origin = origin;
    shared->gid = gid;
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

void pgc_assembler_move_position(pgc_assembler *a, pgconvoy_lsn lsn)
{
    if (lsn > a->position)
        a->position = lsn;
}

int pgc_assembler_commit(pgc_assembler *a, pgconvoy_lsn end_lsn, pgconvoy_error *err)
{
    open_transaction *open = &a->open;
    if (open->begun) {
        open->facts.end_lsn = end_lsn;
        pgconvoy_operation operation = open->facts.gid ? PGCONVOY_PREPARE : PGCONVOY_COMMIT;
        pgconvoy_change *change = add_change(a, operation, open->facts.commit_lsn, err);
        if (!change)
            return -1;
        open->shared->end_lsn = end_lsn;
        open->begun = false;
    }
    open->shared = NULL;
    a->passed = end_lsn;
    pgc_assembler_move_position(a, end_lsn);
    return 0;
}

int pgc_assembler_roll_back(pgc_assembler *a, pgconvoy_error *err)
{
    open_transaction *open = &a->open;
    if (open->begun && !add_change(a, PGCONVOY_ROLLBACK, open->facts.commit_lsn, err))
        return -1;
    open->begun = false;
    open->shared = NULL;
    return 0;
}

/* ---- what event triggers tell */

/* The command itself, and then the tables that have another definition by it. */
static int apply_ddl(pgc_assembler *a, pgconvoy_lsn lsn, const char *content, size_t length, pgconvoy_error *err)
{
    pgc_ddl_message message = {content, length, a->open.facts.commit_lsn};
    pgc_ddl_seen seen = {0};
    if (!a->config.read_ddl)
        return 0;
    if (a->config.read_ddl(a->config.read_ddl_arg, &message, &seen, err))
        return -1;
    if (seen.ddl) {
        pgconvoy_change *change = add_counted(a, PGCONVOY_DDL, lsn, err);
        if (!change)
            return -1;
        change->ddl = pgc_ddl_copy(a->builder.batch->arena, seen.ddl);
        if (!change->ddl)
            return pgc_error_out_of_memory(err);
    }
    for (size_t i = 0; i < seen.table_count; i++) {
        pgc_relation_entry *entry = pgc_relation_entry_get(a->relations, seen.tables[i]->oid, err);
        pgconvoy_change *change = !entry || ensure_begun(a, lsn, err) ? NULL : add_change(a, PGCONVOY_SCHEMA, lsn, err);
        if (!change)
            return -1;
        change->table = seen.tables[i];
        if (pgc_relation_redefine(entry, seen.tables[i], err))
            return -1;
    }
    return 0;
}

/* A row of the table that stands for messages: its second column is one. */
static int apply_ddl_log(pgc_assembler *a, pgconvoy_lsn lsn, pgc_pgoutput_reader *reader, pgconvoy_error *err)
{
    pgconvoy_value row[2] = {{.length = PGCONVOY_NULL}, {.length = PGCONVOY_NULL}};
    if (reader->type != 'I')
        return 0;
    if (pgc_pgoutput_int8(reader) == 'N')
        pgc_pgoutput_tuple(reader, NULL, 2, row);
    else
        pgc_pgoutput_fail(reader, "the row's kind is unknown");
    if (pgc_pgoutput_end(reader, err))
        return -1;
    return row[1].length < 0 ? 0 : apply_ddl(a, lsn, row[1].data, (size_t)row[1].length, err);
}

/* ---- rows */

/* While the transaction is in progress the sink is not to see a new version of a table; and of a copied one it must be certain that the commit comes after the copy. */
static bool is_fit(const pgc_assembler *a, const pgc_relation_entry *entry)
{
    return !a->open.facts.in_progress ||
           (entry->told == entry->table && (entry->copy_lsn == UINT64_MAX || a->open.facts.commit_lsn >= entry->copy_lsn));
}

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
    a->open.unfit |= !is_fit(a, *entry);
    if (a->open.unfit || !(*entry)->table || a->open.facts.commit_lsn < (*entry)->copy_lsn)
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

/* Each unknown label gives a version of the table that has it, so this ends. */
static int learn_labels(pgc_assembler *a, pgc_relation_entry *entry, const pgconvoy_value *old, const pgconvoy_value *new_,
                        pgconvoy_error *err)
{
    pgc_unknown_label unknown;
    bool fields = !a->config.composites_change;
    while (a->config.relabel && ((old && pgc_labels_missing(entry->labels, old, fields, &unknown)) ||
                                 (new_ && pgc_labels_missing(entry->labels, new_, fields, &unknown)))) {
        const pgconvoy_table *relabelled = NULL;
        if (a->config.relabel(a->config.resolve_arg, entry->table, &unknown, &relabelled, err) != 0 ||
            pgc_relation_set_table(entry, relabelled, err) != 0)
            return -1;
    }
    return 0;
}

/* Room in the batch for so many values, and for what the reader has left, which it reads there from now on. NULL: err. */
static pgconvoy_value *room_for_row(pgc_assembler *a, size_t count, pgc_pgoutput_reader *reader, pgconvoy_error *err)
{
    pgc_arena *arena = pgc_batch_arena(&a->builder, err);
    if (!arena)
        return NULL;
    size_t length = (size_t)(reader->end - reader->at);
    bool lent = a->lent && length >= a->config.lent_bytes;
    pgconvoy_value *values = pgc_arena_alloc(arena, count * sizeof *values + (lent ? 0 : length));
    if (!values || (lent && pgc_arena_adopt(arena, a->lent->memory, length, a->lent->release) != 0)) {
        pgc_error_out_of_memory(err);
        return NULL;
    }
    if (lent)
        a->lent->taken = true;
    else if (length > 0)
        *reader = pgc_pgoutput_reader_of(reader->type, memcpy(values + count, reader->at, length), length);
    return values;
}

static int apply_row(pgc_assembler *a, pgconvoy_lsn lsn, pgc_pgoutput_reader *reader, pgconvoy_error *err)
{
    uint8_t type = reader->type;
    uint32_t oid = pgc_pgoutput_int32(reader);
    if (pgc_pgoutput_check(reader, err))
        return -1;
    if (a->config.ddl_log && oid == a->config.ddl_log)
        return apply_ddl_log(a, lsn, reader, err);
    pgc_relation_entry *entry;
    if (wanted_relation(a, type, oid, &entry, err))
        return -1;
    if (!entry)
        return 0;
    size_t columns = (size_t)entry->table->column_count, rows = type == 'U' ? 2 : 1;
    pgconvoy_value *values = room_for_row(a, rows * columns, reader, err);
    if (!values)
        return -1;

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
    if (entry->labels && learn_labels(a, entry, old, new_, err))
        return -1;
    a->open.unfit |= !is_fit(a, entry);
    if (a->open.unfit)
        return 0;

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

bool pgc_assembler_is_ddl(const char *prefix)
{
    return strcmp(prefix, "pgconvoy.ddl") == 0;
}

/* A change outside of any transaction: it has one of its own. */
static pgconvoy_change *add_lone(pgc_assembler *a, pgconvoy_operation operation, pgconvoy_lsn lsn, const pgconvoy_transaction *facts, pgconvoy_error *err)
{
    pgc_arena *arena = pgc_batch_arena(&a->builder, err);
    if (!arena)
        return NULL;
    pgconvoy_transaction *transaction = pgc_arena_alloc(arena, sizeof *transaction);
    const char *gid = transaction && facts->gid ? pgc_arena_strdup(arena, facts->gid) : NULL;
    if (!transaction || (facts->gid && !gid)) {
        pgc_error_out_of_memory(err);
        return NULL;
    }
    *transaction = *facts;
    transaction->gid = gid;
    pgconvoy_change *change = pgc_batch_add(&a->builder, err);
    if (!change)
        return NULL;
    change->operation = (uint8_t)operation;
    change->lsn = lsn;
    change->transaction = transaction;
    return change;
}

/* The LSN of a message outside of any transaction is the end of its record. */
static pgconvoy_change *add_lone_message(pgc_assembler *a, pgconvoy_lsn lsn, pgconvoy_error *err)
{
    pgconvoy_transaction facts = {.commit_lsn = lsn > 0 ? lsn - 1 : 0, .end_lsn = lsn};
    return add_lone(a, PGCONVOY_MESSAGE, lsn, &facts, err);
}

int pgc_assembler_add_outcome(pgc_assembler *a, pgconvoy_operation operation, const pgconvoy_transaction *transaction, pgconvoy_error *err)
{
    if (!add_lone(a, operation, transaction->commit_lsn, transaction, err))
        return -1;
    pgc_assembler_move_position(a, transaction->end_lsn);
    return 0;
}

int pgc_assembler_apply_message(pgc_assembler *a, pgconvoy_lsn lsn, pgc_pgoutput_reader *reader, pgconvoy_error *err)
{
    pgc_pgoutput_logical_message message;
    if (pgc_pgoutput_read_message(reader, &message, err))
        return -1;
    bool inside = pgc_assembler_in_transaction(a);
    if (message.transactional && !inside)
        return pgc_assembler_unexpected(err, 'M', "it belongs to a transaction, and none is open");
    if (!message.transactional && !inside)
        pgc_assembler_move_position(a, message.lsn);
    if (message.transactional && pgc_assembler_is_ddl(message.prefix))
        return apply_ddl(a, lsn, message.content, message.content_length, err);
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
    open->skipped = open->skipped || a->config.skip_origins; /* it comes before the first change */
    return 0;
}

int pgc_assembler_apply(pgc_assembler *a, pgconvoy_lsn lsn, pgc_pgoutput_reader *reader, pgconvoy_error *err)
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
        return pgc_assembler_apply_message(a, lsn, reader, err);
    case 'O':
        return apply_origin(a, reader, err);
    case 'Y': /* names of types, which the catalog tells in full */
        pgc_pgoutput_int32(reader);
        pgc_pgoutput_string(reader);
        pgc_pgoutput_string(reader);
        return pgc_pgoutput_end(reader, err);
    default:
        return pgc_assembler_unexpected(err, reader->type, "it cannot stand inside a transaction");
    }
}
