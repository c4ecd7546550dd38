/* The BigQuery sink: its beginning and end, what it is to sink/staged.h, and its descriptor. What its files share is
 * told in bigquery_internal.h, what users see in docs/sinks/bigquery.md. */
#include "sink/bigquery/bigquery_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define COPY_STAGE_BYTES                                                                                               \
    (INT64_C(2) << 30) /* of rows in one load job: compressed, it stays far below the 4 GB that a file may have */

/* ---- what it is to sink/staged.h */

static void put_table(const pgc_staged_sink *sink, const char *name, pgc_buffer *sql)
{
    pgc_bq_quote_table((const pgc_bq_sink *)sink, name, sql);
}

static int select_rows(pgc_staged_sink *sink, const pgc_buffer *sql, const char *doing, int columns, pgc_arena *arena,
                       const char ***rows, size_t *count, pgconvoy_error *err)
{
    bool missing = false;
    int result = pgc_bq_select(pgc_bq_sink_of(sink), sql, doing, columns, arena, rows, count, &missing, err);
    if (result == 0 || !missing)
        return result;
    pgc_error_clear(err);
    *count = 0;
    return 0;
}

static pgc_staged_layout *layout_new(const pgc_staged_sink *sink, const pgconvoy_table *table, pgconvoy_error *err)
{
    pgc_bq_layout *layout = pgc_bq_layout_new((const pgc_bq_sink *)sink, table, err);
    return layout ? &layout->base : NULL;
}

static int drop_table(pgc_staged_sink *sink, const char *table, const char *doing, pgconvoy_error *err)
{
    return pgc_bq_table_drop(pgc_bq_sink_of(sink), table, doing, err);
}

static int put_fill(pgc_staged_sink *sink, const pgc_staged_layout *layout, const char *copy, pgconvoy_lsn lsn,
                    pgc_arena *arena, pgc_buffer *sql, pgconvoy_error *err)
{
    (void)arena, (void)err;
    pgc_bq_fill_sql(pgc_bq_sink_of(sink), pgc_bq_layout_of(layout), copy, lsn, sql);
    return 0;
}

static void *stage_new(pgc_staged_writer *writer, const pgc_staged_layout *layout, pgconvoy_error *err)
{
    return pgc_bq_stage_new(pgc_bq_sink_of(writer->sink), pgc_bq_layout_of(layout), err);
}

static int stage_add(void *stage, const pgc_staged_row *row, pgconvoy_error *err)
{
    return pgc_bq_stage_add(stage, row, err);
}

static int stage_send(void *stage, pgconvoy_error *err)
{
    return pgc_bq_stage_send(stage, NULL, err);
}

static int put_stage(pgc_staged_writer *writer, void *stage, int number, pgc_buffer *sql, pgconvoy_error *err)
{
    if (pgc_bq_stage_wait(stage, err) != 0)
        return -1;
    pgc_bq_merge_sql(pgc_bq_sink_of(writer->sink), stage, number, sql);
    return 0;
}

static void stage_free(void *stage)
{
    pgc_bq_stage_free(stage);
}

static bool stage_is_full(const void *stage)
{
    return pgc_bq_stage_bytes(stage) > COPY_STAGE_BYTES;
}

static int end_copy_stage(pgc_staged_writer *writer, void *stage, pgconvoy_error *err)
{
    return pgc_bq_stage_send(stage, writer->copy_table, err) != 0 ? -1 : pgc_bq_stage_wait(stage, err);
}

/* They would expire by themselves. */
static void drop_stages(pgc_staged_writer *writer)
{
    for (size_t i = 0; i < writer->part_count; i++) {
        const pgc_bq_stage *stage = writer->parts[i].stage;
        if (stage && pgc_bq_stage_table(stage)[0])
            pgc_staged_drop_staging(writer->sink, pgc_bq_stage_table(stage));
    }
}

static int tell_later(pgc_staged_sink *sink, const char *later, pgconvoy_error *err)
{
    (void)err;
    sink->config->tell(sink->config->tell_arg, later);
    return 0;
}

static const pgc_staged_service service = {
    .name = "BigQuery",
    .scheme = "bigquery",
    .container = "dataset",
    .staging = "a staging table",
    .pipelines = PGC_BQ_PIPELINES,
    .tables = PGC_BQ_TABLES,
    .truncate = "TRUNCATE TABLE ",
    .commit = "COMMIT TRANSACTION;",
    .null_text = "CAST(NULL AS STRING)",
    .compare_names = strcasecmp,
    .put_table = put_table,
    .put_column = pgc_bq_quote_column,
    .put_text = pgc_bq_quote_text,
    .select = select_rows,
    .make_checkpoint = pgc_bq_make_checkpoint,
    .add_pipeline = pgc_bq_add_pipeline,
    .put_begin = pgc_bq_put_begin,
    .put_end = pgc_bq_put_end,
    .run_commit = pgc_bq_run_commit,
    .run_pending = pgc_bq_run_pending,
    .run_drop = pgc_bq_run_drop,
    .layout_new = layout_new,
    .columns = pgc_bq_columns,
    .column_fits = pgc_bq_column_fits,
    .put_type_there = pgc_bq_put_type_there,
    .put_type = pgc_bq_put_column_type,
    .make_table = pgc_bq_make_table,
    .drop_table = drop_table,
    .make_copy = pgc_bq_make_copy,
    .put_fill = put_fill,
    .stage_new = stage_new,
    .stage_add = stage_add,
    .stage_send = stage_send,
    .put_stage = put_stage,
    .stage_free = stage_free,
    .stage_is_full = stage_is_full,
    .end_copy_stage = end_copy_stage,
    .writer_size = sizeof(pgc_staged_writer),
    .committed = drop_stages,
    .put_later = pgc_bq_put_later,
    .tell_later = tell_later,
    .add_column = pgc_bq_add_column,
    .change_type = pgc_bq_change_type,
};

/* ---- its beginning and end */

static void close_sink(void *arg)
{
    pgc_bq_sink *sink = arg;
    pgc_token_source_free(sink->tokens);
    pgc_http_pool_free(sink->pool);
    pgc_bq_target_free(&sink->target);
    pgc_staged_end(&sink->base);
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
        sink->exists = answer.status != 404;
        if (!sink->exists && message && strstr(message, "Project")) {
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
    int result = pgc_staged_begin(&sink->base, &service, config, err);
    if (result == 0)
        result = pgc_bq_target_parse(config->target, &sink->target, err);
    if (result == 0)
        snprintf(sink->place, sizeof sink->place, "dataset %.200s", sink->target.dataset);
    sink->keeps_history = sink->target.history;
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

static const char *const schemes[] = {"bigquery://", NULL};

extern const pgconvoy_sink pgc_sink_bigquery;
const pgconvoy_sink pgc_sink_bigquery = {
    .version = PGCONVOY_SINK_VERSION,
    .name = "bigquery",
    .description = "a dataset of BigQuery",
    .schemes = schemes,
    .target_help = "bigquery://PROJECT/DATASET[?option=value&...]",
    PGC_STAGED_OPERATIONS,
    .open = open_sink,
    .close = close_sink,
    .drop_by_hand =
        "delete from the dataset's tables " PGC_BQ_TABLES " and " PGC_BQ_PIPELINES " the rows of pipeline %s",
};
