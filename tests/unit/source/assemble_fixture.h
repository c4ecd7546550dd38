/*
 * A fixture for the assembler's tests: tables of text columns made on the fly, a resolve callback that knows them, and what came out written as
 * one line of text for each change, so that a test says what it expects in a string.
 */
#ifndef ASSEMBLE_FIXTURE_H
#define ASSEMBLE_FIXTURE_H

#include "base/buffer.h"
#include "source/postgres/assemble.h"

#include "pgoutput_builder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define MAX_TABLES 32

typedef struct fixture {
    pgc_assembler *assembler;
    pgc_assembler_config config;
    pgconvoy_error err;
    pgc_arena *arena;
    pgconvoy_table *tables[MAX_TABLES]; /* what resolve answers with, by oid; the newest version */
    int table_count;
    int asked; /* how often resolve was called */
    uint32_t last_type_oid;
    builder message;
    pgc_buffer out;
    pgconvoy_lsn lsn; /* dataStart of the next message */
    int batches;
    int taken; /* messages whose memory was taken */
    pgconvoy_lsn position;
    bool at_boundary;
} fixture;

/* A new table, or a new version of the one with this oid; columns "a b c". */
static inline const pgconvoy_table *add_table(fixture *f, uint32_t oid, const char *name, const char *columns)
{
    pgconvoy_table *table = pgc_arena_zalloc(f->arena, sizeof *table);
    pgconvoy_column *made = pgc_arena_zalloc(f->arena, 64 * sizeof *made);
    char *words = pgc_arena_strdup(f->arena, columns), *rest = NULL;
    for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        made[table->column_count++].name = word;
    table->oid = oid;
    table->version = 1;
    table->schema = "public";
    table->name = name;
    table->columns = made;
    for (int i = 0; i < f->table_count; i++) {
        if (f->tables[i]->oid == oid) {
            table->version = f->tables[i]->version + 1;
            return f->tables[i] = table;
        }
    }
    return f->tables[f->table_count++] = table;
}

static inline int resolve(void *arg, const pgc_stream_relation *relation, const pgconvoy_table **table, pgconvoy_error *err)
{
    fixture *f = arg;
    f->asked++;
    if (relation->column_count > 0)
        f->last_type_oid = relation->columns[0].type_oid;
    *table = NULL;
    if (strcmp(relation->name, "broken") == 0) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_SOURCE, "resolve refused");
        return -1;
    }
    for (int i = 0; i < f->table_count; i++)
        if (f->tables[i]->oid == relation->oid)
            *table = f->tables[i];
    return 0;
}

static inline void open_assembler(fixture *f)
{
    pgc_assembler_free(f->assembler);
    f->assembler = pgc_assembler_new(&f->config, &f->err);
    assert_non_null(f->assembler);
}

/* A server that has rolled back subtransaction 8, and 11, which is none of anything here, and says so when it is asked. */
static inline int eight_was_undone(void *arg, uint32_t *xids, size_t *count, pgconvoy_error *err)
{
    (void)arg;
    (void)err;
    size_t kept = 0;
    for (size_t i = 0; i < *count; i++)
        if (xids[i] == 8 || xids[i] == 11)
            xids[kept++] = xids[i];
    *count = kept;
    return 0;
}

static inline fixture *new_fixture(void)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->arena = pgc_arena_new(4096);
    f->config = (pgc_assembler_config){.protocol_version = 4, .resolve = resolve, .resolve_arg = f, .spill_dir = "/tmp"};
    pgc_buffer_init(&f->out, 64 << 20);
    f->lsn = 1000;
    open_assembler(f);
    return f;
}

static inline void free_fixture(fixture *f)
{
    pgc_assembler_free(f->assembler);
    pgc_arena_free(f->arena);
    pgc_buffer_free(&f->out);
    free(f);
}

/* ---- what came out, as text */

/* Of one character, as they all are. */
static inline void write_large(pgc_buffer *out, const pgconvoy_value *value)
{
    for (int32_t i = 1; i < value->length; i++)
        if (value->data[i] != value->data[0])
            fail_msg("byte %d of %d is %c", i, value->length, value->data[i]);
    pgc_buffer_format(out, "%d %c", value->length, value->data[0]);
}

static inline void write_row(pgc_buffer *out, const char *label, const pgconvoy_value *values, int count)
{
    if (!values)
        return;
    pgc_buffer_text(out, label);
    for (int i = 0; i < count; i++) {
        pgc_buffer_text(out, i ? "," : "(");
        if (values[i].length == PGCONVOY_NULL)
            pgc_buffer_text(out, "null");
        else if (values[i].length == PGCONVOY_UNCHANGED)
            pgc_buffer_text(out, "same");
        else if (values[i].length > 60000)
            write_large(out, &values[i]);
        else if (values[i].length > 60)
            pgc_buffer_format(out, "<%d bytes>", values[i].length);
        else
            pgc_buffer_append(out, values[i].data, (size_t)values[i].length);
    }
    pgc_buffer_text(out, ")");
}

static inline void write_change(pgc_buffer *out, const pgconvoy_change *change)
{
    static const char *const names[] = {"", "begin", "insert", "update", "delete", "truncate", "message", "schema", "commit",
                                        "ddl", "prepare", "commit prepared", "rollback prepared", "rollback"};
    const pgconvoy_transaction *transaction = change->transaction;
    pgc_buffer_format(out, "%s", names[change->operation]);
    if (change->operation == PGCONVOY_BEGIN)
        pgc_buffer_format(out, " %u %s %llu%s%s%s%s", transaction->xid, transaction->in_progress ? "in progress, after" : "at",
                          (unsigned long long)transaction->commit_lsn,
                          transaction->origin ? " from " : "", transaction->origin ? transaction->origin : "",
                          transaction->gid ? " as " : "", transaction->gid ? transaction->gid : "");
    else if (change->operation == PGCONVOY_COMMIT || change->operation > PGCONVOY_DDL)
        pgc_buffer_format(out, " %u end %llu", transaction->xid, (unsigned long long)transaction->end_lsn);
    else
        pgc_buffer_format(out, " #%u", change->sequence);
    if (change->table)
        pgc_buffer_format(out, " %s.%u", change->table->name, change->table->version);
    if (change->old)
        pgc_buffer_format(out, " %c", change->old_kind);
    int count = change->table ? change->table->column_count : 0;
    write_row(out, "", change->old, count);
    write_row(out, " ", change->new_, count);
    if (change->operation == PGCONVOY_TRUNCATE)
        pgc_buffer_format(out, " flags %d", change->flags);
    if (change->operation == PGCONVOY_MESSAGE)
        pgc_buffer_format(out, " %s %s=%.*s at %llu", change->flags ? "in" : "alone", change->prefix, (int)change->content_length,
                          change->content, (unsigned long long)transaction->commit_lsn);
    pgc_buffer_byte(out, '\n');
}

static inline void hand_over(fixture *f, pgc_change_batch *batch)
{
    int64_t rows = 0;
    for (size_t i = 0; i < batch->changes.count; i++) {
        const pgconvoy_change *change = &batch->changes.items[i];
        write_change(&f->out, change);
        rows += change->operation >= PGCONVOY_INSERT && change->operation <= PGCONVOY_TRUNCATE;
    }
    assert_true(batch->row_changes == rows);
    assert_true(batch->bytes == pgc_arena_used(batch->arena));
    f->position = batch->position;
    f->at_boundary = batch->at_boundary;
    f->batches++;
    pgc_change_batch_free(batch);
}

/* Feeds f->message as the reader would. */
static inline int feed(fixture *f)
{
    uint8_t *exact = malloc(f->message.length + 1); /* + 1: never a NULL */
    memcpy(exact, f->message.data, f->message.length);
    pgc_lent lent = {.memory = exact, .release = free};
    int rc = pgc_assembler_feed_lent(f->assembler, f->lsn, exact, f->message.length, &lent, &f->err);
    f->taken += lent.taken;
    if (!lent.taken)
        free(exact);
    f->lsn += 10;
    pgc_change_batch *batch;
    while (rc == 0 && (rc = pgc_assembler_next(f->assembler, &batch, &f->err)) > 0) {
        hand_over(f, batch);
        rc = 0;
    }
    return rc;
}

static inline void fed(fixture *f)
{
    if (feed(f))
        fail_msg("feed of %c: %s", f->message.data[0], f->err.message);
}

static inline void take(fixture *f)
{
    pgc_change_batch *batch = pgc_assembler_take(f->assembler);
    if (batch)
        hand_over(f, batch);
}

/* Everything that came out since the last time is exactly this. */
static inline void expect(fixture *f, const char *text)
{
    take(f);
    assert_string_equal(f->out.data ? f->out.data : "", text);
    pgc_buffer_reset(&f->out);
}

/* ---- messages; an xid other than 0 stands after the type byte, as inside a stream */

static inline builder *message(fixture *f, char type, uint32_t xid)
{
    start(&f->message, type);
    if (xid)
        put32(&f->message, xid);
    return &f->message;
}

static inline void begin(fixture *f, uint32_t xid, pgconvoy_lsn commit_lsn)
{
    builder *b = message(f, 'B', 0);
    put64(b, commit_lsn);
    put64(b, 0);
    put32(b, xid);
    fed(f);
}

static inline void commit(fixture *f, pgconvoy_lsn commit_lsn)
{
    builder *b = message(f, 'C', 0);
    put8(b, 0);
    put64(b, commit_lsn);
    put64(b, commit_lsn + 50);
    put64(b, 0);
    fed(f);
}

/* columns "a b c", each of type text; a name that ends with '*' is in the key. */
static inline int try_relation(fixture *f, uint32_t xid, uint32_t oid, const char *name, const char *columns, uint32_t type_oid)
{
    char words[200], *rest = NULL;
    snprintf(words, sizeof words, "%s", columns);
    builder *b = message(f, 'R', xid);
    put32(b, oid);
    put_text(b, "public");
    put_text(b, name);
    put8(b, 'd');
    size_t count_at = b->length;
    int count = 0;
    put16(b, 0);
    for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest), count++) {
        bool key = word[strlen(word) - 1] == '*';
        if (key)
            word[strlen(word) - 1] = '\0';
        put8(b, key);
        put_text(b, word);
        put32(b, type_oid);
        put32(b, UINT32_MAX);
    }
    b->data[count_at] = (uint8_t)(count >> 8);
    b->data[count_at + 1] = (uint8_t)count;
    return feed(f);
}

static inline void relation(fixture *f, uint32_t xid, uint32_t oid, const char *name, const char *columns)
{
    if (try_relation(f, xid, oid, name, columns, 25))
        fail_msg("relation: %s", f->err.message);
}

#define INSERT(f, xid, oid, ...)                                                                                       \
    do {                                                                                                               \
        builder *b_ = message(f, 'I', xid);                                                                            \
        put32(b_, oid);                                                                                                \
        put8(b_, 'N');                                                                                                 \
        ROW(b_, __VA_ARGS__);                                                                                          \
        fed(f);                                                                                                        \
    } while (0)

/* A row of t (a, b) with a value of length times this character. */
static inline void insert_large(fixture *f, uint32_t xid, uint32_t oid, const char *id, size_t length, char character)
{
    builder *b = message(f, 'I', xid);
    put32(b, oid);
    put8(b, 'N');
    put16(b, 2);
    put8(b, 't');
    put32(b, (uint32_t)strlen(id));
    put_bytes(b, id, strlen(id));
    put8(b, 't');
    put32(b, (uint32_t)length);
    memset(b->data + b->length, character, length);
    b->length += length;
    fed(f);
}

static inline void stream_start(fixture *f, uint32_t xid, bool first)
{
    builder *b = message(f, 'S', 0);
    put32(b, xid);
    put8(b, first);
    fed(f);
}

static inline void stream_stop(fixture *f)
{
    message(f, 'E', 0);
    fed(f);
}

static inline void stream_commit(fixture *f, uint32_t xid, pgconvoy_lsn commit_lsn)
{
    builder *b = message(f, 'c', 0);
    put32(b, xid);
    put8(b, 0);
    put64(b, commit_lsn);
    put64(b, commit_lsn + 50);
    put64(b, 0);
    fed(f);
}

static inline void stream_abort(fixture *f, uint32_t xid, uint32_t subxid)
{
    builder *b = message(f, 'A', 0);
    put32(b, xid);
    put32(b, subxid);
    fed(f);
}

/* Begin Prepare, Prepare, Stream Prepare, Commit Prepared; Rollback Prepared, whose lsn is the prepare's end. */
static inline void prepared_message(fixture *f, uint8_t type, uint32_t xid, uint64_t lsn)
{
    builder *b = message(f, (char)type, 0);
    if (type != 'b')
        put8(b, 0);
    put64(b, lsn);
    put64(b, lsn + 50);
    put64(b, 0);
    if (type == 'r')
        put64(b, 0);
    put32(b, xid);
    put_text(b, "order 17");
    fed(f);
}

static inline void logical_message(fixture *f, uint32_t xid, bool transactional, pgconvoy_lsn lsn, const char *prefix,
                                   const char *content)
{
    builder *b = message(f, 'M', xid);
    put8(b, transactional);
    put64(b, lsn);
    put_text(b, prefix);
    put32(b, (uint32_t)strlen(content));
    put_bytes(b, content, strlen(content));
    fed(f);
}

#endif
