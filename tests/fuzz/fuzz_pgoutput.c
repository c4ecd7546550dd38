/*
 * Fuzzes the whole way from pgoutput's bytes to changes. An input is a byte of options and then messages, each with a length of two bytes:
 *
 *     bits 0-1 protocol version - 1; bit 2 streaming 'parallel'; bit 3 small batches and everything streamed spilled to disk;
 *     bit 4 leave out early transactions; bit 5 tables with fewer columns than the messages; bit 6 prepared transactions as prepared, two
 *     of which the sink has; bit 7 streamed transactions that begin before 0x200 come before their commit
 *
 * Whatever comes in, what comes out must keep the interface's promises, which are checked here, and every byte of it must be readable.
 */
#include "source/postgres/assemble.h"

#include <stdlib.h>
#include <string.h>

#define MUST(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct checker {
    pgc_arena *arena;
    bool narrow;
    bool in_transaction, prepares, in_progress;
    uint32_t next_sequence;
    pgconvoy_lsn position;
    volatile unsigned sum; /* so that every byte is really read */
    const pgconvoy_type *mood, *moods, *pair; /* an enum with the labels that were met so far, an array and a composite of it */
} checker;

static int make_types(checker *c, const char *const *labels, int count, pgconvoy_error *err)
{
    pgconvoy_type *types = pgc_arena_zalloc(c->arena, 3 * sizeof *types);
    pgconvoy_column *fields = pgc_arena_zalloc(c->arena, 2 * sizeof *fields);
    if (!types || !fields)
        return pgc_error_out_of_memory(err);
    types[0] = (pgconvoy_type){.oid = 100, .kind = PGCONVOY_TYPE_ENUM, .name = "mood", .typmod = -1, .labels = labels, .label_count = count};
    types[1] = (pgconvoy_type){.oid = 101, .kind = PGCONVOY_TYPE_ARRAY, .name = "_mood", .typmod = -1, .delimiter = ',', .element = &types[0]};
    types[2] = (pgconvoy_type){.oid = 102, .kind = PGCONVOY_TYPE_COMPOSITE, .name = "pair", .typmod = -1, .fields = fields, .field_count = 2};
    fields[0] = (pgconvoy_column){.name = "x", .type = &types[0], .typmod = -1};
    fields[1] = (pgconvoy_column){.name = "y", .type = &types[1], .typmod = -1};
    c->mood = &types[0];
    c->moods = &types[1];
    c->pair = &types[2];
    return 0;
}

/* The type of a column, after its oid in the message; many have none. */
static const pgconvoy_type *type_of(const checker *c, uint32_t oid)
{
    return oid % 5 == 0 ? c->mood : oid % 5 == 1 ? c->moods : oid % 5 == 2 ? c->pair : NULL;
}

static bool has_label(const pgconvoy_type *type, const char *label)
{
    for (int i = 0; i < type->label_count; i++)
        if (strcmp(type->labels[i], label) == 0)
            return true;
    return false;
}

/* A label is asked for once by a version of a table. */
static int relabel(void *arg, const pgconvoy_table *table, const pgc_unknown_label *unknown, const pgconvoy_table **out, pgconvoy_error *err)
{
    checker *c = arg;
    MUST(unknown->type->kind == PGCONVOY_TYPE_ENUM && !memchr(unknown->text, 0, unknown->length));
    size_t count = (size_t)c->mood->label_count, column_count = (size_t)table->column_count;
    const char **labels = pgc_arena_alloc(c->arena, (count + 1) * sizeof *labels);
    pgconvoy_table *next = pgc_arena_alloc(c->arena, sizeof *next);
    pgconvoy_column *columns = pgc_arena_alloc(c->arena, (column_count + 1) * sizeof *columns);
    char *label = pgc_arena_strndup(c->arena, unknown->text, unknown->length);
    if (!labels || !next || !columns || !label)
        return pgc_error_out_of_memory(err);
    MUST(!has_label(unknown->type, label));
    if (!has_label(c->mood, label)) {
        memcpy(labels, c->mood->labels, count * sizeof *labels);
        labels[count] = label;
        if (make_types(c, labels, (int)count + 1, err) != 0)
            return -1;
    }
    for (size_t i = 0; i < column_count; i++) {
        columns[i] = table->columns[i];
        if (columns[i].type)
            columns[i].type = columns[i].type->kind == PGCONVOY_TYPE_ENUM ? c->mood : columns[i].type->kind == PGCONVOY_TYPE_ARRAY ? c->moods : c->pair;
    }
    *next = *table;
    next->version++;
    next->columns = columns;
    *out = next;
    return 0;
}

/* A table made after the message's own word; some are not ours, some change with every message. */
static int resolve(void *arg, const pgc_stream_relation *relation, const pgconvoy_table **out, pgconvoy_error *err)
{
    static const char *const labels[] = {"a", "ok"};
    checker *c = arg;
    *out = NULL;
    if (relation->oid % 7 == 3)
        return 0;
    if (!c->mood && make_types(c, labels, 2, err) != 0)
        return -1;
    pgconvoy_table *table = pgc_arena_zalloc(c->arena, sizeof *table);
    pgconvoy_column *columns = pgc_arena_zalloc(c->arena, (size_t)(relation->column_count + 1) * sizeof *columns);
    if (!table || !columns)
        return pgc_error_out_of_memory(err);
    for (int i = relation->column_count - 1; i >= 0; i--) {
        if (c->narrow && i % 2)
            continue;
        columns[table->column_count].name = pgc_arena_strdup(c->arena, relation->columns[i].name);
        columns[table->column_count++].type = type_of(c, relation->columns[i].type_oid);
    }
    if (c->narrow)
        columns[table->column_count++].name = "a column that the message does not have";
    table->oid = relation->oid;
    table->version = 1;
    table->schema = pgc_arena_strdup(c->arena, relation->schema);
    table->name = pgc_arena_strdup(c->arena, relation->name);
    table->columns = columns;
    *out = table;
    return 0;
}

static void read_all(checker *c, const char *data, size_t length)
{
    for (size_t i = 0; i < length; i++)
        c->sum += (unsigned char)data[i];
}

static void check_row(checker *c, const pgconvoy_value *values, int count)
{
    for (int i = 0; values && i < count; i++) {
        MUST(values[i].length >= PGCONVOY_UNCHANGED && values[i].format <= PGCONVOY_BINARY);
        MUST(values[i].length < 0 ? values[i].data == NULL : values[i].data != NULL);
        if (values[i].length > 0)
            read_all(c, values[i].data, (size_t)values[i].length);
    }
}

static void check_change(checker *c, const pgconvoy_change *change)
{
    MUST(change->transaction);
    if (change->transaction->origin)
        read_all(c, change->transaction->origin, strlen(change->transaction->origin));
    if (change->transaction->gid)
        read_all(c, change->transaction->gid, strlen(change->transaction->gid));
    switch (change->operation) {
    case PGCONVOY_BEGIN:
        MUST(!c->in_transaction && change->sequence == 0);
        c->in_transaction = true;
        c->prepares = change->transaction->gid;
        c->in_progress = change->transaction->in_progress;
        MUST(!c->in_progress || (!c->prepares && change->transaction->commit_lsn < 0x200));
        c->next_sequence = 0;
        return;
    case PGCONVOY_COMMIT_PREPARED:
    case PGCONVOY_ROLLBACK_PREPARED:
        MUST(!c->in_transaction && change->transaction->gid);
        MUST(change->transaction->end_lsn > change->transaction->commit_lsn);
        return;
    case PGCONVOY_PREPARE:
    case PGCONVOY_COMMIT:
        MUST(c->prepares == (change->operation == PGCONVOY_PREPARE) && !change->transaction->in_progress);
        MUST(c->in_transaction && change->sequence == c->next_sequence && c->next_sequence > 0);
        MUST(change->transaction->end_lsn >= change->transaction->commit_lsn);
        c->in_transaction = false;
        return;
    case PGCONVOY_ROLLBACK:
        MUST(c->in_transaction && c->in_progress && change->sequence == c->next_sequence && c->next_sequence > 0);
        c->in_transaction = false;
        return;
    case PGCONVOY_SCHEMA:
        MUST(!change->transaction->in_progress);
        MUST(c->in_transaction && change->table && change->sequence == c->next_sequence);
        return;
    case PGCONVOY_MESSAGE:
        read_all(c, change->prefix, strlen(change->prefix));
        read_all(c, change->content, change->content_length);
        MUST(!change->table);
        if (!(change->flags & PGCONVOY_MESSAGE_TRANSACTIONAL))
            return;
        break;
    case PGCONVOY_INSERT:
        MUST(!change->old && change->new_ && !change->old_kind);
        break;
    case PGCONVOY_UPDATE:
        MUST(change->new_ && !change->old == !change->old_kind);
        break;
    case PGCONVOY_DELETE:
        MUST(change->old && !change->new_ && change->old_kind);
        break;
    default:
        MUST(change->operation == PGCONVOY_TRUNCATE && !change->old && !change->new_);
    }
    MUST(c->in_transaction && change->sequence == c->next_sequence++);
    MUST(change->operation == PGCONVOY_MESSAGE || change->table);
    if (change->table) {
        check_row(c, change->old, change->table->column_count);
        check_row(c, change->new_, change->table->column_count);
    }
}

static void check_batch(checker *c, pgc_change_batch *batch)
{
    for (size_t i = 0; i < batch->changes.count; i++)
        check_change(c, &batch->changes.items[i]);
    MUST(batch->at_boundary == !c->in_transaction);
    MUST(batch->position >= c->position);
    c->position = batch->position;
    pgc_change_batch_free(batch);
}

static int feed(checker *c, pgc_assembler *assembler, pgconvoy_lsn lsn, const uint8_t *data, size_t size)
{
    pgconvoy_error err = {0};
    /* an exact copy, gone before the changes are looked at: nothing may point into it unless it was taken, which is then given back with the batch */
    uint8_t *copy = malloc(size + (size == 0));
    MUST(copy);
    if (size > 0)
        memcpy(copy, data, size);
    pgc_lent lent = {.memory = copy, .release = free};
    int rc = pgc_assembler_feed_lent(assembler, lsn, copy, size, &lent, &err);
    if (!lent.taken)
        free(copy);
    pgc_change_batch *batch;
    while (rc == 0 && (rc = pgc_assembler_next(assembler, &batch, &err)) > 0) {
        check_batch(c, batch);
        rc = 0;
    }
    MUST(rc == 0 || (err.code != PGCONVOY_OK && err.code != PGCONVOY_ERROR_INTERNAL && err.message[0]));
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    static const pgconvoy_prepared known[] = {{.xid = 7, .lsn = 0x80}, {.xid = 800, .lsn = 0x200}};
    uint8_t options = data[0];
    checker c = {.arena = pgc_arena_new(4096), .narrow = options & 32};
    pgc_assembler_config config = {.protocol_version = (options & 3) + 1,
                                   .streaming_parallel = options & 4,
                                   .batch_bytes = options & 8 ? 2000 : 0,
                                   .lent_bytes = options & 8 ? 20 : 0,
                                   .spill_dir = "/tmp",
                                   .spill_transaction_bytes = options & 8 ? 100 : 0,
                                   .skip_before = options & 16 ? 0x100 : 0,
                                   .as_prepared = options & 64,
                                   .prepared_from = options & 16 ? 0x100 : 0,
                                   .prepared = known,
                                   .prepared_count = options & 64 ? 2 : 0,
                                   .resolve = resolve,
                                   .relabel = relabel,
                                   .resolve_arg = &c};
    pgconvoy_error err = {0};
    pgc_assembler *assembler = pgc_assembler_new(&config, &err);
    MUST(c.arena && assembler);
    if (options & 128)
        pgc_assembler_allow_tentative(assembler, 1, 0x200);
    pgconvoy_lsn lsn = 8;
    for (size_t at = 1; at + 2 <= size; lsn += 8) {
        size_t length = (size_t)data[at] << 8 | data[at + 1];
        at += 2;
        if (length > size - at)
            length = size - at;
        if (feed(&c, assembler, lsn, data + at, length))
            break;
        at += length;
        if (lsn % 64 == 0) {
            pgc_assembler_position(assembler, lsn);
            pgc_change_batch *batch = pgc_assembler_take(assembler);
            if (batch)
                check_batch(&c, batch);
        }
    }
    pgc_assembler_free(assembler);
    pgc_arena_free(c.arena);
    return 0;
}
