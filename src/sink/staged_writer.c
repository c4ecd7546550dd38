/*
 * A writer's life. For a table copy, rows go into the staging table that was made for it, from where finish_table takes
 * them; the stream is gathered (staged_gather.c) until it is committed: the parts that came of it, in order, in one
 * transaction with the position.
 */
#include "sink/staged_internal.h"

#include <stdlib.h>

static void forget_copy(pgc_staged_writer *writer)
{
    writer->sink->service->stage_free(writer->copy_stage);
    pgc_staged_layout_free(writer->copy_layout);
    free(writer->copy_table);
    writer->copy_stage = NULL;
    writer->copy_layout = NULL;
    writer->copy_table = NULL;
}

static void let_go(pgc_staged_writer *writer)
{
    if (writer->sink->service->let_go)
        writer->sink->service->let_go(writer);
}

int pgc_staged_open_writer(void *arg, void **out, pgconvoy_error *err)
{
    pgc_staged_sink *sink = arg;
    if (!sink->config->tell && pgc_staged_checkpoint_ensure(sink, err) != 0)
        return -1;
    pgc_staged_writer *writer = calloc(1, sink->service->writer_size);
    if (!writer)
        return pgc_error_out_of_memory(err);
    writer->sink = sink;
    *out = writer;
    return 0;
}

void pgc_staged_close_writer(void *arg)
{
    pgc_staged_writer *writer = arg;
    forget_copy(writer);
    pgc_staged_gather_free(writer);
    let_go(writer);
    free(writer);
}

void pgc_staged_abort_work(void *arg)
{
    pgc_staged_writer *writer = arg;
    forget_copy(writer);
    pgc_staged_forget(writer, true);
    writer->schema_changed = false;
    let_go(writer);
}

/* ---- table copies */

static int begin_copy(pgc_staged_writer *writer, const pgconvoy_table *table, pgconvoy_error *err)
{
    const char *how, *copy;
    pgc_arena *arena = pgc_arena_new(4096);
    if (!arena)
        return pgc_error_out_of_memory(err);
    int result = pgc_staged_checkpoint_owned(writer->sink, table, arena, &how, &copy, err);
    if (result == 0 && (!copy || !*copy)) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_INTERNAL, "table %s.%s was not prepared", table->schema, table->name);
        result = -1;
    }
    if (result == 0) {
        writer->copy_table = strdup(copy);
        writer->copy_layout = writer->copy_table ? writer->sink->service->layout_new(writer->sink, table, err) : NULL;
        result = writer->copy_layout ? 0 : writer->copy_table ? -1 : pgc_error_out_of_memory(err);
    }
    pgc_arena_free(arena);
    return result;
}

int pgc_staged_begin_work(void *arg, const pgconvoy_table *table, pgconvoy_error *err)
{
    pgc_staged_writer *writer = arg;
    forget_copy(writer);
    if (table)
        return begin_copy(writer, table, err);
    if (writer->begun || writer->sink->config->tell)
        return 0;
    writer->begun = pgc_staged_checkpoint_pending(writer->sink, err) == 0;
    return writer->begun ? 0 : -1;
}

static int end_stage(pgc_staged_writer *writer, pgconvoy_error *err)
{
    void *stage = writer->copy_stage;
    writer->copy_stage = NULL;
    if (!stage)
        return 0;
    int result = writer->sink->service->end_copy_stage(writer, stage, err);
    writer->sink->service->stage_free(stage);
    return result;
}

int pgc_staged_write_rows(void *arg, const pgconvoy_rows *rows, pgconvoy_error *err)
{
    pgc_staged_writer *writer = arg;
    const pgc_staged_service *service = writer->sink->service;
    size_t columns = (size_t)rows->table->column_count;
    if (!writer->copy_stage && !(writer->copy_stage = service->stage_new(writer, writer->copy_layout, err)))
        return -1;
    for (size_t i = 0; i < rows->row_count; i++) {
        const pgc_staged_row row = {.op = PGC_STAGED_ROW, .row = rows->values + i * columns, .copies = 1};
        if (service->stage_add(writer->copy_stage, &row, err) != 0)
            return -1;
    }
    return service->stage_is_full && service->stage_is_full(writer->copy_stage) ? end_stage(writer, err) : 0;
}

static int commit_copy(pgc_staged_writer *writer, pgconvoy_error *err)
{
    if (end_stage(writer, err) != 0)
        return -1;
    forget_copy(writer);
    return 0;
}

/* ---- the stream */

int pgc_staged_change_schema(void *arg, const pgconvoy_table *old_table, const pgconvoy_table *new_table,
                             pgconvoy_error *err)
{
    pgc_staged_writer *writer = arg;
    int result = pgc_staged_follow(writer, old_table, new_table, err);
    if (result < 0 || !writer->sink->config->tell)
        return result;
    pgc_buffer later; /* a trial: what would follow the commit is told, too */
    pgc_buffer_init(&later, PGC_STAGED_SQL_MAX);
    writer->sink->service->put_later(writer, &later);
    if (pgc_buffer_check(&later, err) != 0 ||
        (later.length > 0 && writer->sink->service->tell_later(writer->sink, later.data, err) != 0))
        result = -1;
    pgc_buffer_free(&later);
    pgc_staged_later_free(writer);
    return result;
}

static int put_parts(pgc_staged_writer *writer, pgc_buffer *sql, pgconvoy_error *err)
{
    const pgc_staged_service *service = writer->sink->service;
    for (size_t i = 0; i < writer->part_count; i++) {
        const pgc_staged_part *part = &writer->parts[i];
        if (part->stage) {
            if (service->put_stage(writer, part->stage, (int)i, sql, err) != 0)
                return -1;
            continue;
        }
        pgc_buffer_text(sql, part->truncated ? service->truncate : part->sql);
        if (part->truncated)
            service->put_table(writer->sink, part->truncated->name, sql);
        pgc_buffer_text(sql, ";\n");
    }
    return pgc_staged_check_commit(writer->sink, sql, err);
}

static int commit_parts(pgc_staged_writer *writer, pgc_staged_commit *commit, pgconvoy_error *err)
{
    pgc_buffer sql, pending;
    pgc_buffer_init(&sql, PGC_STAGED_SQL_MAX);
    pgc_buffer_init(&pending, PGC_STAGED_SQL_MAX / 4);
    int result = put_parts(writer, &sql, err);
    writer->sink->service->put_later(writer, &pending);
    if (result == 0)
        result = pgc_buffer_check(&pending, err);
    if (result == 0) {
        commit->statements = &sql;
        commit->pending = pending.length > 0 ? pending.data : NULL;
        result = pgc_staged_checkpoint_commit(writer->sink, commit, err);
    }
    pgc_buffer_free(&pending);
    pgc_buffer_free(&sql);
    return result;
}

int pgc_staged_commit_work(void *arg, pgconvoy_lsn lsn, const pgconvoy_table_status *tables, size_t table_count,
                           pgconvoy_error *err)
{
    pgc_staged_writer *writer = arg;
    if (writer->copy_layout)
        return commit_copy(writer, err);
    if (pgc_staged_flush_all(writer, err) != 0)
        return -1;
    if (writer->part_count == 0 && lsn == 0 && table_count == 0)
        return 0;
    pgc_staged_commit commit = {.lsn = lsn,
                                .tables = tables,
                                .table_count = table_count,
                                .renamed_from = writer->renamed_from,
                                .renamed_to = writer->renamed_to,
                                .vacated = writer->vacated,
                                .vacated_count = writer->vacated_count,
                                .doing = "applying changes"};
    if (commit_parts(writer, &commit, err) != 0)
        return -1;
    if (writer->sink->service->committed)
        writer->sink->service->committed(writer);
    pgc_staged_forget(writer, writer->schema_changed);
    writer->schema_changed = false;
    return 0;
}
