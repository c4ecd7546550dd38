/*
 * The stream: changes are gathered and compacted (sink/staged.h) until they are committed. A commit is the parts that
 * came of it, in order, in one script with the position.
 */
#include "sink/bigquery/bigquery_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* ---- what gathering needs */

static pgc_staged_layout *layout_new(void *sink, const pgconvoy_table *table, pgconvoy_error *err)
{
    pgc_bq_layout *layout = pgc_bq_layout_new(sink, table, err);
    return layout ? &layout->base : NULL;
}

static void layout_free(pgc_staged_layout *layout)
{
    pgc_bq_layout_free((pgc_bq_layout *)layout);
}

static void *stage_new(void *sink, const pgc_staged_layout *layout, pgconvoy_error *err)
{
    return pgc_bq_stage_new(sink, pgc_bq_layout_of(layout), err);
}

static int stage_add(void *stage, const pgc_staged_row *row, pgconvoy_error *err)
{
    return pgc_bq_stage_add(stage, row, err);
}

static int stage_send(void *stage, pgconvoy_error *err)
{
    return pgc_bq_stage_send(stage, NULL, err);
}

static void stage_free(void *stage)
{
    pgc_bq_stage_free(stage);
}

static const pgc_staged_ops ops = {
    .service = "BigQuery",
    .scheme = "bigquery",
    .layout_new = layout_new,
    .layout_free = layout_free,
    .stage_new = stage_new,
    .stage_add = stage_add,
    .stage_send = stage_send,
    .stage_free = stage_free,
    .columns = pgc_bq_columns,
    .compare_names = strcasecmp,
    .add_column = pgc_bq_add_column,
    .change_type = pgc_bq_change_type,
    .is_bound = pgc_bq_is_clustered,
};

void pgc_bq_stream_init(pgc_bq_writer *writer, pgc_bq_sink *sink)
{
    writer->staged = (pgc_staged_writer){
        .ops = &ops, .sink = sink, .config = sink->config, .place = sink->place, .keeps_history = sink->target.history};
}

int pgc_bq_write_changes(void *arg, const pgconvoy_changes *changes, pgconvoy_error *err)
{
    pgc_bq_writer *writer = arg;
    return pgc_staged_write_changes(&writer->staged, changes, err);
}

int pgc_bq_change_schema(void *arg, const pgconvoy_table *old_table, const pgconvoy_table *new_table,
                         pgconvoy_error *err)
{
    pgc_bq_writer *writer = arg;
    int result = pgc_staged_change_schema(&writer->staged, old_table, new_table, err);
    if (result == 0 && writer->staged.config->tell) {
        pgc_buffer sql;
        pgc_buffer_init(&sql, PGC_BQ_SQL_MAX);
        pgc_bq_later_sql(writer, &sql);
        if (sql.length > 0 && (result = pgc_buffer_check(&sql, err)) == 0)
            writer->staged.config->tell(writer->staged.config->tell_arg, sql.data);
        pgc_buffer_free(&sql);
        pgc_staged_later_free(&writer->staged);
    }
    return result;
}

/* ---- the end of a transaction */

static int write_script(pgc_bq_writer *writer, pgc_buffer *sql, pgconvoy_error *err)
{
    pgc_bq_sink *sink = writer->staged.sink;
    for (size_t i = 0; i < writer->staged.part_count; i++) {
        const pgc_staged_part *part = &writer->staged.parts[i];
        if (part->stage) {
            if (pgc_bq_stage_wait(part->stage, err) != 0)
                return -1;
            pgc_bq_merge_sql(sink, part->stage, (int)i, sql);
        } else if (part->truncated) {
            pgc_buffer_text(sql, "TRUNCATE TABLE ");
            pgc_bq_quote_table(sink, part->truncated->name, sql);
            pgc_buffer_text(sql, ";\n");
        } else {
            pgc_buffer_text(sql, part->sql);
            pgc_buffer_text(sql, ";\n");
        }
    }
    int result = pgc_buffer_check(sql, err);
    if (result != 0)
        pgconvoy_error_hint(err, "the commit touches too many tables and columns for one query of BigQuery; spread "
                                 "them over more pipelines");
    return result;
}

static void drop_stages(pgc_bq_writer *writer)
{
    for (size_t i = 0; i < writer->staged.part_count; i++) {
        const pgc_bq_stage *stage = writer->staged.parts[i].stage;
        if (stage && pgc_bq_stage_table(stage)[0])
            pgc_bq_stage_drop(writer->staged.sink, pgc_bq_stage_table(stage));
    }
}

int pgc_bq_stream_commit(pgc_bq_writer *writer, pgconvoy_lsn lsn, const pgconvoy_table_status *tables,
                         size_t table_count, pgconvoy_error *err)
{
    pgc_buffer sql, pending;
    if (pgc_staged_flush_all(&writer->staged, err) != 0)
        return -1;
    if (writer->staged.part_count == 0 && lsn == 0 && table_count == 0)
        return 0;
    pgc_buffer_init(&sql, PGC_BQ_SQL_MAX);
    pgc_buffer_init(&pending, PGC_BQ_SQL_MAX / 4);
    int result = write_script(writer, &sql, err);
    pgc_bq_later_sql(writer, &pending);
    if (result == 0)
        result = pgc_buffer_check(&pending, err);
    if (result == 0) {
        pgc_bq_commit commit = {.statements = &sql,
                                .lsn = lsn,
                                .tables = tables,
                                .table_count = table_count,
                                .pending = pending.length > 0 ? pending.data : NULL,
                                .renamed_from = writer->staged.renamed_from,
                                .renamed_to = writer->staged.renamed_to,
                                .doing = "applying changes"};
        result = pgc_bq_checkpoint_commit(writer->staged.sink, &commit, err);
    }
    pgc_buffer_free(&pending);
    pgc_buffer_free(&sql);
    if (result != 0)
        return -1;
    drop_stages(writer);
    pgc_staged_committed(&writer->staged);
    return 0;
}
