/* See mapped_sink.h. A table is renamed once for each version of it, and the renamed one given for it from then on. */
#include "pipeline/mapped_sink.h"

#include "base/arena.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 4096 /* a power of two */

/* A table as the source has it, and as the sink is to have it. */
typedef struct renamed {
    struct renamed *next;
    const pgconvoy_table *from;
    pgconvoy_table to;
} renamed;

typedef struct stage {
    pgconvoy_sink ops; /* the stage's, with the sink's name and capabilities */
    const pgconvoy_sink *inner_ops;
    void *inner;
    const pgc_mapping *mapping;
    pthread_mutex_t lock; /* guards all below */
    pgc_arena *arena;
    renamed *slots[SLOTS];
    pgc_arena *checkpoint_arena; /* of the newest checkpoint */
} stage;

typedef struct writer {
    stage *stage;
    void *inner;
    const renamed *last;
    pgconvoy_change *changes;
    size_t capacity;
} writer;

/* ------------------------------------------------------------------ tables */

static renamed **slot_of(stage *stage, const pgconvoy_table *table)
{
    return &stage->slots[((uintptr_t)table >> 4) * UINT64_C(0x9E3779B97F4A7C15) >> 52 & (SLOTS - 1)];
}

static int rename_columns(stage *stage, const pgc_mapped_table *mapped, pgconvoy_table *to, pgconvoy_error *err)
{
    pgconvoy_column *columns = pgc_arena_alloc(stage->arena, sizeof *columns * ((size_t)to->column_count + 1));
    if (!columns)
        return pgc_error_out_of_memory(err);
    for (int i = 0; i < to->column_count; i++) {
        columns[i] = to->columns[i];
        columns[i].name = pgc_mapped_column(mapped, columns[i].name);
    }
    to->columns = columns;
    return 0;
}

static renamed *add(stage *stage, const pgconvoy_table *table, pgconvoy_error *err)
{
    renamed *made = pgc_arena_zalloc(stage->arena, sizeof *made);
    if (!made) {
        (void)pgc_error_out_of_memory(err);
        return NULL;
    }
    made->from = table;
    made->to = *table;
    pgc_mapping_target(stage->mapping, table->schema, table->name, &made->to.schema, &made->to.name);
    const pgc_mapped_table *mapped = pgc_mapping_table(stage->mapping, table->schema, table->name);
    if (mapped && mapped->renamed_count > 0 && rename_columns(stage, mapped, &made->to, err) != 0)
        return NULL;
    renamed **slot = slot_of(stage, table);
    made->next = *slot;
    *slot = made;
    return made;
}

static const renamed *rename_table(stage *stage, const pgconvoy_table *table, pgconvoy_error *err)
{
    pthread_mutex_lock(&stage->lock);
    renamed *found = *slot_of(stage, table);
    while (found && found->from != table)
        found = found->next;
    if (!found)
        found = add(stage, table, err);
    pthread_mutex_unlock(&stage->lock);
    return found;
}

/* NULL stays NULL. */
static int give(stage *stage, const pgconvoy_table *table, const pgconvoy_table **to, pgconvoy_error *err)
{
    const renamed *found = table ? rename_table(stage, table, err) : NULL;
    *to = found ? &found->to : NULL;
    return table && !found ? -1 : 0;
}

static pgconvoy_table_status rename_status(const stage *stage, const pgconvoy_table_status *status)
{
    pgconvoy_table_status to = *status;
    pgc_mapping_target(stage->mapping, status->schema, status->name, &to.schema, &to.name);
    return to;
}

/* ------------------------------------------------------------------ the sink */

static int read_checkpoint(void *state, pgconvoy_checkpoint *checkpoint, pgconvoy_error *err)
{
    stage *stage = state;
    if (stage->inner_ops->read_checkpoint(stage->inner, checkpoint, err) != 0)
        return -1;
    pgc_arena_reset(stage->checkpoint_arena);
    pgconvoy_table_status *tables =
        pgc_arena_alloc(stage->checkpoint_arena, sizeof *tables * (checkpoint->table_count + 1));
    if (!tables)
        return pgc_error_out_of_memory(err);
    for (size_t i = 0; i < checkpoint->table_count; i++) {
        tables[i] = checkpoint->tables[i];
        pgc_mapping_source(stage->mapping, tables[i].schema, tables[i].name, &tables[i].schema, &tables[i].name);
    }
    checkpoint->tables = tables;
    return 0;
}

/* The sink may have remembered the column that it was given. */
static const pgconvoy_column *rename_column(stage *stage, const pgconvoy_column *column)
{
    const pgconvoy_column *to = column;
    pthread_mutex_lock(&stage->lock);
    for (size_t s = 0; s < SLOTS && to == column; s++)
        for (const renamed *table = stage->slots[s]; table; table = table->next)
            if (column >= table->from->columns && column < table->from->columns + table->from->column_count)
                to = &table->to.columns[column - table->from->columns];
    pthread_mutex_unlock(&stage->lock);
    return to;
}

static pgconvoy_format column_format(void *state, const pgconvoy_column *column)
{
    stage *stage = state;
    return stage->inner_ops->column_format(stage->inner, rename_column(stage, column));
}

static int check_table(void *state, const pgconvoy_table *table, pgconvoy_if_exists if_exists, pgconvoy_error *err)
{
    stage *stage = state;
    const pgconvoy_table *to;
    return give(stage, table, &to, err) ? -1 : stage->inner_ops->check_table(stage->inner, to, if_exists, err);
}

static int prepare_table(void *state, const pgconvoy_table *table, pgconvoy_if_exists if_exists, pgconvoy_error *err)
{
    stage *stage = state;
    const pgconvoy_table *to;
    return give(stage, table, &to, err) ? -1 : stage->inner_ops->prepare_table(stage->inner, to, if_exists, err);
}

static int finish_table(void *state, const pgconvoy_table *table, const pgconvoy_table_status *status,
                        pgconvoy_error *err)
{
    stage *stage = state;
    const pgconvoy_table *to;
    pgconvoy_table_status renamed_status = rename_status(stage, status);
    return give(stage, table, &to, err) ? -1 : stage->inner_ops->finish_table(stage->inner, to, &renamed_status, err);
}

static int write_sequences(void *state, const pgconvoy_sequence *sequences, size_t count, pgconvoy_error *err)
{
    stage *stage = state;
    pgconvoy_sequence *to = malloc(sizeof *to * (count + 1));
    if (!to)
        return pgc_error_out_of_memory(err);
    for (size_t i = 0; i < count; i++) {
        to[i] = sequences[i];
        pgc_mapping_target(stage->mapping, to[i].table_schema, to[i].table_name, &to[i].table_schema,
                           &to[i].table_name);
        to[i].column = pgc_mapped_column(
            pgc_mapping_table(stage->mapping, sequences[i].table_schema, sequences[i].table_name), to[i].column);
        to[i].schema = pgc_mapping_schema(stage->mapping, to[i].schema);
    }
    int result = stage->inner_ops->write_sequences(stage->inner, to, count, err);
    free(to);
    return result;
}

static int drop(void *state, pgconvoy_error *err)
{
    stage *stage = state;
    return stage->inner_ops->drop(stage->inner, err);
}

static void free_stage(stage *stage)
{
    pgc_arena_free(stage->arena);
    pgc_arena_free(stage->checkpoint_arena);
    pthread_mutex_destroy(&stage->lock);
    free(stage);
}

static void close_sink(void *state)
{
    stage *stage = state;
    stage->inner_ops->close(stage->inner);
    free_stage(stage);
}

/* ------------------------------------------------------------------ writers */

static int open_writer(void *state, void **out, pgconvoy_error *err)
{
    writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return pgc_error_out_of_memory(err);
    writer->stage = state;
    if (writer->stage->inner_ops->open_writer(writer->stage->inner, &writer->inner, err) != 0) {
        free(writer);
        return -1;
    }
    *out = writer;
    return 0;
}

static int begin(void *state, const pgconvoy_table *table, pgconvoy_error *err)
{
    writer *writer = state;
    const pgconvoy_table *to;
    return give(writer->stage, table, &to, err) ? -1 : writer->stage->inner_ops->begin(writer->inner, to, err);
}

static int write_rows(void *state, const pgconvoy_rows *rows, pgconvoy_error *err)
{
    writer *writer = state;
    pgconvoy_rows to = *rows;
    return give(writer->stage, rows->table, &to.table, err)
               ? -1
               : writer->stage->inner_ops->write_rows(writer->inner, &to, err);
}

static int rename_change(writer *writer, pgconvoy_change *change, pgconvoy_error *err)
{
    if (!change->table)
        return 0;
    if (!writer->last || writer->last->from != change->table)
        writer->last = rename_table(writer->stage, change->table, err);
    if (!writer->last)
        return -1;
    change->table = &writer->last->to;
    return 0;
}

static int write_changes(void *state, const pgconvoy_changes *changes, pgconvoy_error *err)
{
    writer *writer = state;
    if (changes->count > writer->capacity) {
        pgconvoy_change *more = realloc(writer->changes, changes->count * sizeof *more);
        if (!more)
            return pgc_error_out_of_memory(err);
        writer->changes = more;
        writer->capacity = changes->count;
    }
    if (changes->count > 0)
        memcpy(writer->changes, changes->items, changes->count * sizeof *writer->changes);
    for (size_t i = 0; i < changes->count; i++)
        if (rename_change(writer, &writer->changes[i], err) != 0)
            return -1;
    const pgconvoy_changes to = {.items = writer->changes, .count = changes->count, .source_lsn = changes->source_lsn};
    return writer->stage->inner_ops->write_changes(writer->inner, &to, err);
}

static int change_schema(void *state, const pgconvoy_table *old_table, const pgconvoy_table *new_table,
                         pgconvoy_error *err)
{
    writer *writer = state;
    const pgconvoy_table *old_to, *new_to;
    if (give(writer->stage, old_table, &old_to, err) || give(writer->stage, new_table, &new_to, err))
        return -1;
    return writer->stage->inner_ops->change_schema(writer->inner, old_to, new_to, err);
}

static int commit(void *state, pgconvoy_lsn lsn, const pgconvoy_table_status *tables, size_t table_count,
                  pgconvoy_error *err)
{
    writer *writer = state;
    pgconvoy_table_status *to = table_count ? malloc(table_count * sizeof *to) : NULL;
    if (table_count && !to)
        return pgc_error_out_of_memory(err);
    for (size_t i = 0; i < table_count; i++)
        to[i] = rename_status(writer->stage, &tables[i]);
    int result = writer->stage->inner_ops->commit(writer->inner, lsn, to, table_count, err);
    free(to);
    return result;
}

static void abort_writer(void *state)
{
    writer *writer = state;
    writer->stage->inner_ops->abort(writer->inner);
}

static void close_writer(void *state)
{
    writer *writer = state;
    writer->stage->inner_ops->close_writer(writer->inner);
    free(writer->changes);
    free(writer);
}

static int read_prepared(void *state, const pgconvoy_prepared **prepared, size_t *count, pgconvoy_error *err)
{
    stage *stage = state;
    return stage->inner_ops->read_prepared(stage->inner, prepared, count, err);
}

static int begin_prepared(void *state, const pgconvoy_transaction *transaction, pgconvoy_error *err)
{
    writer *writer = state;
    return writer->stage->inner_ops->begin_prepared(writer->inner, transaction, err);
}

static int prepare(void *state, const pgconvoy_transaction *transaction, pgconvoy_error *err)
{
    writer *writer = state;
    return writer->stage->inner_ops->prepare(writer->inner, transaction, err);
}

static int end_prepared(void *state, const pgconvoy_transaction *transaction, bool commit_it, pgconvoy_error *err)
{
    writer *writer = state;
    return writer->stage->inner_ops->end_prepared(writer->inner, transaction, commit_it, err);
}

static int check_privileges(void *state, bool *is_known, pgconvoy_error *err)
{
    stage *stage = state;
    return stage->inner_ops->check_privileges(stage->inner, is_known, err);
}

static int make_durable(void *state, pgconvoy_error *err)
{
    writer *writer = state;
    return writer->stage->inner_ops->make_durable(writer->inner, err);
}

/* ------------------------------------------------------------------ putting it there */

/* A command's text speaks of the source's names: what it does comes by the tables' definitions alone. */
static void set_ops(stage *stage)
{
    stage->ops = *stage->inner_ops;
    stage->ops.capabilities &= ~(PGCONVOY_SINK_DDL | PGCONVOY_SINK_DDL_TEXT);
    stage->ops.read_checkpoint = read_checkpoint;
    stage->ops.column_format = column_format;
    stage->ops.check_table = check_table;
    stage->ops.prepare_table = prepare_table;
    stage->ops.finish_table = finish_table;
    stage->ops.open_writer = open_writer;
    stage->ops.begin = begin;
    stage->ops.write_rows = write_rows;
    stage->ops.write_changes = write_changes;
    stage->ops.change_schema = change_schema;
    stage->ops.commit = commit;
    stage->ops.abort = abort_writer;
    stage->ops.close_writer = close_writer;
    stage->ops.drop = drop;
    stage->ops.close = close_sink;
    stage->ops.write_sequences = write_sequences;
    stage->ops.read_prepared = read_prepared;
    stage->ops.begin_prepared = begin_prepared;
    stage->ops.prepare = prepare;
    stage->ops.end_prepared = end_prepared;
    stage->ops.check_privileges = check_privileges;
    stage->ops.rename_tables = NULL; /* names there are the mapping's affair */
    if (stage->ops.make_durable)
        stage->ops.make_durable = make_durable;
}

int pgc_mapped_sink_open(const pgc_mapping *mapping, const pgconvoy_sink **ops, void **sink, pgconvoy_error *err)
{
    if (!pgc_mapping_renames(mapping))
        return 0;
    stage *stage = calloc(1, sizeof *stage);
    if (!stage)
        return pgc_error_out_of_memory(err);
    pthread_mutex_init(&stage->lock, NULL);
    stage->inner_ops = *ops;
    stage->inner = *sink;
    stage->mapping = mapping;
    stage->arena = pgc_arena_new(1 << 14);
    stage->checkpoint_arena = pgc_arena_new(1 << 14);
    if (!stage->arena || !stage->checkpoint_arena) {
        free_stage(stage);
        return pgc_error_out_of_memory(err);
    }
    set_ops(stage);
    *ops = &stage->ops;
    *sink = stage;
    return 0;
}
