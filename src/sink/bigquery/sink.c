/* The BigQuery sink: its operations and its descriptor. What they share is told in bigquery_internal.h, what users see
 * in docs/sinks/bigquery.md. */
#include "sink/bigquery/bigquery_internal.h"

#include "format/json_text.h"

#include <stdio.h>
#include <stdlib.h>

#define COPY_STAGE_BYTES                                                                                               \
    (INT64_C(2) << 30) /* of rows in one load job: compressed, it stays far below the 4 GB that a file may have */

static void close_sink(void *arg)
{
    pgc_bq_sink *sink = arg;
    pgc_token_source_free(sink->tokens);
    pgc_http_pool_free(sink->pool);
    pgc_staged_seen_free(&sink->seen);
    pgc_arena_free(sink->checkpoint_arena);
    pgc_bq_target_free(&sink->target);
    pthread_mutex_destroy(&sink->lock);
    free(sink);
}

int pgc_bq_find_dataset(pgc_bq_sink *sink, pgconvoy_error *err)
{
    pgc_buffer path;
    pgc_bq_answer answer;
    char doing[300];
    pgc_arena *arena = pgc_arena_new(16384);
    if (!arena)
        return pgc_error_out_of_memory(err);
    snprintf(doing, sizeof doing, "looking for dataset %.200s", sink->target.dataset);
    pgc_buffer_init(&path, 8192);
    pgc_bq_dataset_path(sink, &path);
    int result = pgc_bq_ask(sink, "GET", &path, 404, doing, arena, &answer, err);
    if (result == 0) {
        const char *location = pgc_json_get_text(answer.body, "location");
        const char *message = pgc_json_get_text(pgc_json_get(answer.body, "error"), "message");
        sink->dataset_exists = answer.status != 404;
        if (!sink->dataset_exists && message && strstr(message, "Project")) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "project %s is not there, or the account may not see it",
                               sink->target.project);
            pgconvoy_error_hint(err, "look at the project's id, which is not always its name");
            result = -1;
        }
        snprintf(sink->location, sizeof sink->location, "%s",
                 location                ? location
                 : sink->target.location ? sink->target.location
                                         : "");
        if (location && sink->target.location && strcasecmp(location, sink->target.location) != 0) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "dataset %s is in %s, not in %s", sink->target.dataset,
                               location, sink->target.location);
            pgconvoy_error_hint(err, "leave location out, or name another dataset");
            result = -1;
        }
    }
    pgc_buffer_free(&path);
    pgc_arena_free(arena);
    return result;
}

/* A query for nothing: it needs the right to run jobs, which everything else here needs too. */
static int check_jobs(pgc_bq_sink *sink, pgconvoy_error *err)
{
    const char **rows;
    size_t count;
    bool missing;
    pgc_buffer sql;
    pgc_arena *arena = pgc_arena_new(4096);
    if (!arena)
        return pgc_error_out_of_memory(err);
    pgc_buffer_init(&sql, 64);
    pgc_buffer_text(&sql, "SELECT 1 AS one");
    int result = pgc_bq_select(sink, &sql, "running a query", 1, arena, &rows, &count, &missing, err);
    pgc_buffer_free(&sql);
    pgc_arena_free(arena);
    return result;
}

static int open_sink(const pgconvoy_sink_config *config, void **out, pgconvoy_error *err)
{
    pgc_bq_sink *sink = calloc(1, sizeof *sink);
    if (!sink)
        return pgc_error_out_of_memory(err);
    sink->config = config;
    pthread_mutex_init(&sink->lock, NULL);
    sink->checkpoint_arena = pgc_arena_new(16384);
    int result =
        sink->checkpoint_arena ? pgc_bq_target_parse(config->target, &sink->target, err) : pgc_error_out_of_memory(err);
    if (result == 0)
        snprintf(sink->place, sizeof sink->place, "dataset %.200s", sink->target.dataset);
    if (result == 0)
        result = pgc_staged_make_names(config, sink->prefix, sink->process, err);
    if (result == 0)
        result = pgc_bq_tokens_open(sink, err);
    if (result == 0)
        result = pgc_bq_find_dataset(sink, err);
    if (result == 0)
        result = check_jobs(sink, err);
    if (result != 0) {
        close_sink(sink);
        return -1;
    }
    *out = sink;
    return 0;
}

/* ---- writers */

static void forget_copy(pgc_bq_writer *writer)
{
    pgc_bq_stage_free(writer->copy_stage);
    pgc_bq_layout_free(writer->copy_layout);
    free(writer->copy_table);
    writer->copy_stage = NULL;
    writer->copy_layout = NULL;
    writer->copy_table = NULL;
}

static void close_writer(void *arg)
{
    pgc_bq_writer *writer = arg;
    forget_copy(writer);
    pgc_staged_close(&writer->staged);
    free(writer);
}

static int open_writer(void *arg, void **out, pgconvoy_error *err)
{
    pgc_bq_sink *sink = arg;
    if (!sink->config->tell && pgc_bq_checkpoint_ensure(sink, err) != 0)
        return -1;
    pgc_bq_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return pgc_error_out_of_memory(err);
    pgc_bq_stream_init(writer, sink);
    *out = writer;
    return 0;
}

static void abort_writer(void *arg)
{
    pgc_bq_writer *writer = arg;
    forget_copy(writer);
    pgc_staged_forget(&writer->staged, true);
    writer->staged.schema_changed = false;
}

static int begin_copy(pgc_bq_writer *writer, const pgconvoy_table *table, pgconvoy_error *err)
{
    const char *how, *copy;
    pgc_arena *arena = pgc_arena_new(4096);
    if (!arena)
        return pgc_error_out_of_memory(err);
    int result = pgc_bq_checkpoint_owned(writer->staged.sink, table, arena, &how, &copy, err);
    if (result == 0 && (!copy || !*copy)) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_INTERNAL, "table %s.%s was not prepared", table->schema, table->name);
        result = -1;
    }
    if (result == 0) {
        writer->copy_table = strdup(copy);
        writer->copy_layout = writer->copy_table ? pgc_bq_layout_new(writer->staged.sink, table, err) : NULL;
        result = writer->copy_layout ? 0 : writer->copy_table ? -1 : pgc_error_out_of_memory(err);
    }
    pgc_arena_free(arena);
    return result;
}

static int begin(void *arg, const pgconvoy_table *table, pgconvoy_error *err)
{
    pgc_bq_writer *writer = arg;
    forget_copy(writer);
    if (table)
        return begin_copy(writer, table, err);
    if (writer->begun || ((const pgc_bq_sink *)writer->staged.sink)->config->tell)
        return 0;
    writer->begun = pgc_bq_checkpoint_pending(writer->staged.sink, err) == 0;
    return writer->begun ? 0 : -1;
}

static int end_stage(pgc_bq_writer *writer, pgconvoy_error *err)
{
    pgc_bq_stage *stage = writer->copy_stage;
    writer->copy_stage = NULL;
    if (!stage)
        return 0;
    int result = pgc_bq_stage_send(stage, writer->copy_table, err);
    if (result == 0)
        result = pgc_bq_stage_wait(stage, err);
    pgc_bq_stage_free(stage);
    return result;
}

static int write_rows(void *arg, const pgconvoy_rows *rows, pgconvoy_error *err)
{
    pgc_bq_writer *writer = arg;
    size_t columns = (size_t)rows->table->column_count;
    if (!writer->copy_stage && !(writer->copy_stage = pgc_bq_stage_new(writer->staged.sink, writer->copy_layout, err)))
        return -1;
    for (size_t i = 0; i < rows->row_count; i++) {
        const pgc_staged_row row = {.op = PGC_STAGED_ROW, .row = rows->values + i * columns, .copies = 1};
        if (pgc_bq_stage_add(writer->copy_stage, &row, err) != 0)
            return -1;
    }
    return pgc_bq_stage_bytes(writer->copy_stage) > COPY_STAGE_BYTES ? end_stage(writer, err) : 0;
}

static int commit(void *arg, pgconvoy_lsn lsn, const pgconvoy_table_status *tables, size_t table_count,
                  pgconvoy_error *err)
{
    pgc_bq_writer *writer = arg;
    if (writer->copy_layout) {
        int result = end_stage(writer, err);
        if (result == 0)
            forget_copy(writer);
        return result;
    }
    return pgc_bq_stream_commit(writer, lsn, tables, table_count, err);
}

static const char *const schemes[] = {"bigquery://", NULL};

extern const pgconvoy_sink pgc_sink_bigquery;
const pgconvoy_sink pgc_sink_bigquery = {
    .version = PGCONVOY_SINK_VERSION,
    .name = "bigquery",
    .description = "a dataset of BigQuery",
    .schemes = schemes,
    .target_help = "bigquery://PROJECT/DATASET[?option=value&...]",
    .capabilities = PGCONVOY_SINK_TRANSACTIONAL | PGCONVOY_SINK_PARALLEL | PGCONVOY_SINK_DDL_TRIAL,
    .open = open_sink,
    .read_checkpoint = pgc_bq_read_checkpoint,
    .column_format = pgconvoy_sink_default_column_format_text,
    .check_table = pgc_bq_check_table,
    .prepare_table = pgc_bq_prepare_table,
    .finish_table = pgc_bq_finish_table,
    .open_writer = open_writer,
    .begin = begin,
    .write_rows = write_rows,
    .write_changes = pgc_bq_write_changes,
    .change_schema = pgc_bq_change_schema,
    .commit = commit,
    .abort = abort_writer,
    .close_writer = close_writer,
    .drop = pgc_bq_drop,
    .close = close_sink,
    .drop_by_hand =
        "delete from the dataset's tables " PGC_BQ_TABLES " and " PGC_BQ_PIPELINES " the rows of pipeline %s",
};
