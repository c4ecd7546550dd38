/*
 * The stream: changes are gathered and compacted (sink/staged.h) until they are committed. A commit is the parts that
 * came of it, in order, in one transaction with the position.
 */
#include "sink/snowflake/snowflake_internal.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- what gathering needs */

static pgc_staged_layout *layout_new(void *arg, const pgconvoy_table *table, pgconvoy_error *err)
{
    const pgc_sf_writer *writer = arg;
    pgc_sf_layout *layout = pgc_sf_layout_new(writer->sink, table, err);
    return layout ? &layout->base : NULL;
}

static void layout_free(pgc_staged_layout *layout)
{
    pgc_sf_layout_free((pgc_sf_layout *)layout);
}

static void *stage_new(void *arg, const pgc_staged_layout *layout, pgconvoy_error *err)
{
    pgc_sf_writer *writer = arg;
    if (!writer->changes && !(writer->changes = pgc_sf_channel_open(writer->sink, writer->sink->changes, err)))
        return NULL;
    return pgc_sf_stage_new(writer->sink, writer->changes, pgc_sf_layout_of(layout), err);
}

static int stage_add(void *stage, const pgc_staged_row *row, pgconvoy_error *err)
{
    return pgc_sf_stage_add(stage, row, err);
}

/* The channel sends by itself, and the commit waits for it. */
static int stage_send(void *stage, pgconvoy_error *err)
{
    (void)stage;
    (void)err;
    return 0;
}

static void stage_free(void *stage)
{
    pgc_sf_stage_free(stage);
}

static const pgc_staged_ops ops = {
    .service = "Snowflake",
    .scheme = "snowflake",
    .layout_new = layout_new,
    .layout_free = layout_free,
    .stage_new = stage_new,
    .stage_add = stage_add,
    .stage_send = stage_send,
    .stage_free = stage_free,
    .columns = pgc_sf_columns,
    .compare_names = strcmp,
    .add_column = pgc_sf_add_column,
    .change_type = pgc_sf_change_type,
};

void pgc_sf_stream_init(pgc_sf_writer *writer, pgc_sf_sink *sink)
{
    writer->sink = sink;
    writer->staged = (pgc_staged_writer){.ops = &ops,
                                         .sink = writer,
                                         .config = sink->config,
                                         .place = sink->place,
                                         .keeps_history = sink->target.history};
}

int pgc_sf_write_changes(void *arg, const pgconvoy_changes *changes, pgconvoy_error *err)
{
    pgc_sf_writer *writer = arg;
    return pgc_staged_write_changes(&writer->staged, changes, err);
}

int pgc_sf_change_schema(void *arg, const pgconvoy_table *old_table, const pgconvoy_table *new_table,
                         pgconvoy_error *err)
{
    pgc_sf_writer *writer = arg;
    int result = pgc_staged_change_schema(&writer->staged, old_table, new_table, err);
    if (result != 0 || !writer->sink->config->tell)
        return result;
    pgc_buffer later; /* a trial: what would follow the commit is told, too */
    pgc_buffer_init(&later, PGC_SF_SQL_MAX);
    pgc_sf_later_text(writer, &later);
    result = pgc_buffer_check(&later, err);
    if (result == 0 && later.length > 0)
        result = pgc_sf_later_run(writer->sink, later.data, err);
    pgc_buffer_free(&later);
    pgc_staged_later_free(&writer->staged);
    return result;
}

/* ---- the end of a transaction */

static int write_statements(const pgc_sf_writer *writer, pgc_buffer *sql, pgconvoy_error *err)
{
    for (size_t i = 0; i < writer->staged.part_count; i++) {
        const pgc_staged_part *part = &writer->staged.parts[i];
        if (part->stage) {
            pgc_sf_merge_sql(writer->sink, part->stage, sql);
        } else if (part->truncated) {
            pgc_buffer_text(sql, "DELETE FROM ");
            pgc_sf_quote_table(writer->sink, part->truncated->name, sql);
            pgc_buffer_text(sql, ";\n");
        } else {
            pgc_buffer_text(sql, part->sql);
            pgc_buffer_text(sql, ";\n");
        }
    }
    int result = pgc_buffer_check(sql, err);
    if (result != 0)
        pgconvoy_error_hint(err,
                            "the commit touches too many tables and columns for one request of Snowflake's; spread "
                            "them over more pipelines");
    return result;
}

int pgc_sf_stream_commit(pgc_sf_writer *writer, pgconvoy_lsn lsn, const pgconvoy_table_status *tables,
                         size_t table_count, pgconvoy_error *err)
{
    pgc_buffer sql, pending;
    if (pgc_staged_flush_all(&writer->staged, err) != 0)
        return -1;
    if (writer->staged.part_count == 0 && lsn == 0 && table_count == 0)
        return 0;
    if (writer->changes && pgc_sf_channel_wait(writer->changes, err) != 0)
        return -1;
    pgc_buffer_init(&sql, PGC_SF_SQL_MAX);
    pgc_buffer_init(&pending, PGC_SF_SQL_MAX / 4);
    int result = write_statements(writer, &sql, err);
    pgc_sf_later_text(writer, &pending);
    if (result == 0)
        result = pgc_buffer_check(&pending, err);
    if (result == 0) {
        pgc_sf_commit commit = {.statements = &sql,
                                .lsn = lsn,
                                .tables = tables,
                                .table_count = table_count,
                                .pending = pending.length > 0 ? pending.data : NULL,
                                .renamed_from = writer->staged.renamed_from,
                                .renamed_to = writer->staged.renamed_to,
                                .doing = "applying changes"};
        result = pgc_sf_checkpoint_commit(writer->sink, &commit, err);
    }
    pgc_buffer_free(&pending);
    pgc_buffer_free(&sql);
    if (result == 0)
        pgc_staged_committed(&writer->staged);
    return result;
}
