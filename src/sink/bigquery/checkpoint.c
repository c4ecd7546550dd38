/*
 * The checkpoint: two tables of the dataset, changed in the transactions that change the data. `step` counts those
 * transactions: each begins by looking whether it is still what this process knows, and ends by adding one. Two
 * processes of the same pipeline change the same row, so that BigQuery lets one of them commit only.
 */
#include "sink/bigquery/bigquery_internal.h"

#include "format/json_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define MOVED "pgconvoy: the position is not where it was left"

static void where_pipeline(const pgc_bq_sink *sink, const char *column, pgc_buffer *sql)
{
    pgc_buffer_format(sql, " WHERE %s = ", column);
    pgc_bq_quote_text(sql, sink->config->pipeline_name);
}

/* ---- making */

static int make_one(pgc_bq_sink *sink, const char *name, const char *fields, pgconvoy_error *err)
{
    return pgc_bq_table_make(sink, name, fields, "", "creating the checkpoint", err);
}

#define TEXT_FIELD(name) "{\"name\":\"" name "\",\"type\":\"STRING\"}"
#define NUMBER_FIELD(name) "{\"name\":\"" name "\",\"type\":\"INT64\"}"

static int read_pipeline(pgc_bq_sink *sink, pgconvoy_checkpoint *checkpoint, const char **pending, bool *there,
                         pgconvoy_error *err);

static int name_pipeline(pgc_bq_sink *sink, pgconvoy_error *err)
{
    pgc_buffer sql;
    char key[64];
    pgc_buffer_init(&sql, PGC_BQ_SQL_MAX);
    pgc_buffer_text(&sql, "INSERT INTO ");
    pgc_bq_quote_table(sink, PGC_BQ_PIPELINES, &sql);
    pgc_buffer_text(&sql, " (name, source_id, incarnation, lsn, step, updated_at) SELECT ");
    pgc_bq_quote_text(&sql, sink->config->pipeline_name);
    pgc_buffer_text(&sql, ", ");
    pgc_bq_quote_text(&sql, sink->config->source_id ? sink->config->source_id : "");
    pgc_buffer_format(&sql, ", '%s', 0, 0, CURRENT_TIMESTAMP() FROM (SELECT 1) AS one WHERE NOT EXISTS (SELECT 1 FROM ",
                      sink->process);
    pgc_bq_quote_table(sink, PGC_BQ_PIPELINES, &sql);
    where_pipeline(sink, "name", &sql);
    pgc_buffer_byte(&sql, ')');
    snprintf(key, sizeof key, "name_%s", sink->process);
    int result = pgc_bq_run_script(sink, key, &sql, "storing the pipeline's name", err);
    pgc_buffer_free(&sql);
    return result;
}

int pgc_bq_make_dataset(pgc_bq_sink *sink, const char *more, pgconvoy_error *err)
{
    pgc_buffer path, body;
    pgc_bq_answer answer;
    char doing[300];
    pgc_arena *arena = pgc_arena_new(8192);
    if (!arena)
        return pgc_error_out_of_memory(err);
    snprintf(doing, sizeof doing, "creating dataset %.200s", sink->target.dataset);
    pgc_buffer_init(&path, 8192);
    pgc_buffer_init(&body, 8192);
    pgc_buffer_text(&path, "/bigquery/v2/projects/");
    pgc_http_escape(&path, sink->target.project);
    pgc_buffer_text(&path, "/datasets");
    pgc_buffer_text(&body, "{\"datasetReference\":{\"projectId\":");
    pgc_json_string(&body, sink->target.project);
    pgc_buffer_text(&body, ",\"datasetId\":");
    pgc_json_string(&body, sink->target.dataset);
    pgc_buffer_byte(&body, '}');
    if (sink->target.location) {
        pgc_buffer_text(&body, ",\"location\":");
        pgc_json_string(&body, sink->target.location);
    }
    pgc_buffer_format(&body, "%s}", more);
    pgc_bq_request request = {
        .method = "POST", .path = path.data, .body = body.data, .length = body.length, .doing = doing, .accepts = 409};
    int result = pgc_buffer_check(&path, err) != 0 ? -1 : pgc_buffer_check(&body, err);
    if (result == 0)
        result = pgc_bq_call(sink, &request, arena, &answer, err);
    pgc_buffer_free(&path);
    pgc_buffer_free(&body);
    pgc_arena_free(arena);
    if (result == 0)
        result = pgc_bq_find_dataset(sink, err); /* for its location */
    return result;
}

static int ensure(pgc_bq_sink *sink, pgconvoy_error *err)
{
    pgconvoy_checkpoint checkpoint;
    const char *pending;
    bool there = false;
    if (!sink->dataset_exists && pgc_bq_make_dataset(sink, "", err) != 0)
        return -1;
    if (make_one(sink, PGC_BQ_TABLES,
                 TEXT_FIELD("pipeline") "," TEXT_FIELD("schema_name") "," TEXT_FIELD("table_name") "," TEXT_FIELD(
                     "state") "," NUMBER_FIELD("copy_lsn") "," TEXT_FIELD("how") "," TEXT_FIELD("copy"),
                 err) != 0 ||
        make_one(sink, PGC_BQ_PIPELINES,
                 TEXT_FIELD("name") "," TEXT_FIELD("source_id") "," TEXT_FIELD("incarnation") "," NUMBER_FIELD(
                     "lsn") "," NUMBER_FIELD("step") "," TEXT_FIELD("pending") ",{\"name\":\"updated_at\",\"type\":"
                                                                               "\"TIMESTAMP\"}",
                 err) != 0 ||
        read_pipeline(sink, &checkpoint, &pending, &there, err) != 0)
        return -1;
    if (there)
        return 0;
    return name_pipeline(sink, err) != 0 ? -1 : read_pipeline(sink, &checkpoint, &pending, &there, err);
}

int pgc_bq_checkpoint_ensure(pgc_bq_sink *sink, pgconvoy_error *err)
{
    pthread_mutex_lock(&sink->lock);
    int result = sink->checkpoint_ready ? 0 : ensure(sink, err);
    if (result == 0)
        sink->checkpoint_ready = true;
    pthread_mutex_unlock(&sink->lock);
    return result;
}

/* ---- reading */

/* The pipeline's rows of one of the checkpoint's tables; none where that table is not there. more: further conditions. */
static int read_rows(pgc_bq_sink *sink, const char *names, int columns, const char *table, const char *pipeline,
                     const char *more, pgc_arena *arena, const char ***rows, size_t *count, pgconvoy_error *err)
{
    pgc_buffer sql;
    bool missing = false;
    pgc_buffer_init(&sql, PGC_BQ_SQL_MAX);
    pgc_buffer_format(&sql, "SELECT %s FROM ", names);
    pgc_bq_quote_table(sink, table, &sql);
    where_pipeline(sink, pipeline, &sql);
    pgc_buffer_text(&sql, more);
    *count = 0;
    int result = pgc_bq_select(sink, &sql, "reading the checkpoint", columns, arena, rows, count, &missing, err);
    pgc_buffer_free(&sql);
    if (result == 0)
        return 0;
    *count = 0;
    if (missing)
        pgc_error_clear(err);
    return missing ? 0 : -1;
}

/* Under the lock; what it gives lives until the checkpoint is read again. */
static int read_pipeline(pgc_bq_sink *sink, pgconvoy_checkpoint *checkpoint, const char **pending, bool *there,
                         pgconvoy_error *err)
{
    const char **rows;
    size_t count;
    *there = false;
    *pending = NULL;
    if (read_rows(sink, "source_id, lsn, step, incarnation, pending", 5, PGC_BQ_PIPELINES, "name", "",
                  sink->checkpoint_arena, &rows, &count, err) != 0)
        return -1;
    if (count == 0)
        return 0;
    *there = true;
    checkpoint->source_id = rows[0] ? rows[0] : "";
    checkpoint->lsn = (pgconvoy_lsn)(rows[1] ? strtoull(rows[1], NULL, 10) : 0);
    sink->step = rows[2] ? strtoll(rows[2], NULL, 10) : 0;
    snprintf(sink->incarnation, sizeof sink->incarnation, "%s", rows[3] ? rows[3] : "");
    *pending = rows[4] && *rows[4] ? rows[4] : NULL;
    return 0;
}

static int read_tables(pgc_bq_sink *sink, pgconvoy_checkpoint *checkpoint, pgconvoy_error *err)
{
    const char **rows;
    size_t count;
    if (read_rows(sink, "schema_name, table_name, state, copy_lsn", 4, PGC_BQ_TABLES, "pipeline", "",
                  sink->checkpoint_arena, &rows, &count, err) != 0)
        return -1;
    pgconvoy_table_status *tables = pgc_arena_zalloc(sink->checkpoint_arena, count * sizeof *tables + 1);
    for (size_t i = 0; tables && i < count; i++) {
        const char **row = rows + 4 * i;
        tables[i] = (pgconvoy_table_status){row[0], row[1], pgc_staged_state_of(row[2]), row[3] ? strtoull(row[3], NULL, 10) : 0};
    }
    checkpoint->tables = tables;
    checkpoint->table_count = tables ? count : 0;
    return tables ? 0 : pgc_error_out_of_memory(err);
}

int pgc_bq_read_checkpoint(void *arg, pgconvoy_checkpoint *checkpoint, pgconvoy_error *err)
{
    pgc_bq_sink *sink = arg;
    const char *pending;
    bool there = false;
    memset(checkpoint, 0, sizeof *checkpoint);
    if (!sink->dataset_exists)
        return 0;
    pthread_mutex_lock(&sink->lock);
    pgc_arena_reset(sink->checkpoint_arena);
    int result = read_pipeline(sink, checkpoint, &pending, &there, err);
    if (result == 0 && there)
        result = read_tables(sink, checkpoint, err);
    pthread_mutex_unlock(&sink->lock);
    return result;
}

int pgc_bq_checkpoint_owned(pgc_bq_sink *sink, const pgconvoy_table *table, pgc_arena *arena, const char **how,
                            const char **copy, pgconvoy_error *err)
{
    pgc_buffer more;
    const char **rows;
    size_t count = 0;
    *how = *copy = NULL;
    if (!sink->dataset_exists)
        return 0;
    pgc_buffer_init(&more, PGC_BQ_SQL_MAX);
    pgc_buffer_text(&more, " AND schema_name = ");
    pgc_bq_quote_text(&more, table->schema);
    pgc_buffer_text(&more, " AND table_name = ");
    pgc_bq_quote_text(&more, table->name);
    int result = pgc_buffer_check(&more, err);
    if (result == 0)
        result = read_rows(sink, "how, copy", 2, PGC_BQ_TABLES, "pipeline", more.data, arena, &rows, &count, err);
    pgc_buffer_free(&more);
    if (result == 0 && count > 0) {
        *how = rows[0] ? rows[0] : PGC_STAGED_APPENDED; /* what is not understood is treated as somebody's own */
        *copy = rows[1];
    }
    return result;
}

/* ---- writing */

static void put_tables(const pgc_bq_sink *sink, const pgc_bq_commit *commit, pgc_buffer *sql)
{
    pgc_buffer_text(sql, "MERGE INTO ");
    pgc_bq_quote_table(sink, PGC_BQ_TABLES, sql);
    pgc_buffer_text(sql, " AS T USING (");
    for (size_t i = 0; i < commit->table_count; i++) {
        const pgconvoy_table_status *status = &commit->tables[i];
        pgc_buffer_text(sql, i > 0 ? " UNION ALL SELECT " : "SELECT ");
        pgc_bq_quote_text(sql, status->schema);
        pgc_buffer_text(sql, " AS s, ");
        pgc_bq_quote_text(sql, status->name);
        pgc_buffer_format(sql, " AS n, '%s' AS st, %" PRIu64 " AS l",
                          pgc_staged_state_word(status->state),
                          (uint64_t)status->copy_lsn);
    }
    pgc_buffer_text(sql, ") AS S ON T.pipeline = ");
    pgc_bq_quote_text(sql, sink->config->pipeline_name);
    pgc_buffer_text(
        sql,
        " AND T.schema_name = S.s AND T.table_name = S.n WHEN MATCHED THEN UPDATE SET state = S.st, copy_lsn = S.l");
    if (commit->how)
        pgc_buffer_format(sql, ", how = '%s', copy = '%s'", commit->how, commit->copy ? commit->copy : "");
    pgc_buffer_text(
        sql, " WHEN NOT MATCHED THEN INSERT (pipeline, schema_name, table_name, state, copy_lsn, how, copy) VALUES (");
    pgc_bq_quote_text(sql, sink->config->pipeline_name);
    pgc_buffer_format(sql, ", S.s, S.n, S.st, S.l, '%s', '%s');\n", commit->how ? commit->how : PGC_STAGED_APPENDED,
                      commit->copy ? commit->copy : "");
}

static void put_renamed(const pgc_bq_sink *sink, const pgc_bq_commit *commit, pgc_buffer *sql)
{
    pgc_buffer_text(sql, "UPDATE ");
    pgc_bq_quote_table(sink, PGC_BQ_TABLES, sql);
    pgc_buffer_text(sql, " SET schema_name = ");
    pgc_bq_quote_text(sql, commit->renamed_to->schema);
    pgc_buffer_text(sql, ", table_name = ");
    pgc_bq_quote_text(sql, commit->renamed_to->name);
    where_pipeline(sink, "pipeline", sql);
    pgc_buffer_text(sql, " AND schema_name = ");
    pgc_bq_quote_text(sql, commit->renamed_from->schema);
    pgc_buffer_text(sql, " AND table_name = ");
    pgc_bq_quote_text(sql, commit->renamed_from->name);
    pgc_buffer_text(sql, ";\n");
}

static void put_position(const pgc_bq_sink *sink, const pgc_bq_commit *commit, pgc_buffer *sql)
{
    pgc_buffer_text(sql, "UPDATE ");
    pgc_bq_quote_table(sink, PGC_BQ_PIPELINES, sql);
    pgc_buffer_format(sql, " SET step = %" PRId64 ", updated_at = CURRENT_TIMESTAMP()", sink->step + 1);
    if (commit->pending) { /* else there may be some of a process that was killed */
        pgc_buffer_text(sql, ", pending = ");
        pgc_bq_quote_text(sql, commit->pending);
    }
    if (commit->lsn != 0) {
        pgc_buffer_format(sql, ", lsn = %" PRIu64 ", source_id = ", (uint64_t)commit->lsn);
        pgc_bq_quote_text(sql, sink->config->source_id ? sink->config->source_id : "");
    }
    where_pipeline(sink, "name", sql);
    pgc_buffer_text(sql, ";\nCOMMIT TRANSACTION;\n");
}

static void put_commit(const pgc_bq_sink *sink, const pgc_bq_commit *commit, pgc_buffer *sql)
{
    pgc_buffer_text(sql, "BEGIN TRANSACTION;\nIF NOT EXISTS (SELECT 1 FROM ");
    pgc_bq_quote_table(sink, PGC_BQ_PIPELINES, sql);
    where_pipeline(sink, "name", sql);
    pgc_buffer_format(
        sql, " AND step = %" PRId64 " AND incarnation = '%s') THEN RAISE USING MESSAGE = '" MOVED "'; END IF;\n",
        sink->step, sink->incarnation);
    if (commit->statements)
        pgc_buffer_append(sql, commit->statements->data, commit->statements->length);
    if (commit->table_count > 0)
        put_tables(sink, commit, sql);
    if (commit->renamed_from)
        put_renamed(sink, commit, sql);
    put_position(sink, commit, sql);
}

/* Names the job after the step, the position and what it does: what has the same name is the same. */
static void name_job(const pgc_bq_sink *sink, const pgc_buffer *sql, pgconvoy_lsn lsn, char *key, size_t size)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (size_t i = 0; i < sql->length; i++)
        hash = (hash ^ (unsigned char)sql->data[i]) * UINT64_C(0x100000001b3);
    snprintf(key, size, "%s_%" PRId64 "_%" PRIX64 "_%016" PRIx64, sink->incarnation, sink->step, (uint64_t)lsn, hash);
}

static int run_pending(pgc_bq_sink *sink, const char *pending, pgconvoy_error *err)
{
    pgc_buffer sql;
    char key[160];
    pgc_buffer_init(&sql, PGC_BQ_SQL_MAX);
    pgc_buffer_text(&sql, pending);
    pgc_buffer_text(&sql, "UPDATE ");
    pgc_bq_quote_table(sink, PGC_BQ_PIPELINES, &sql);
    pgc_buffer_text(&sql, " SET pending = NULL");
    where_pipeline(sink, "name", &sql);
    pgc_buffer_byte(&sql, ';');
    name_job(sink, &sql, 0, key, sizeof key);
    int result = pgc_bq_run_script(sink, key, &sql, "following a change of columns", err);
    pgc_buffer_free(&sql);
    return result;
}

int pgc_bq_checkpoint_commit(pgc_bq_sink *sink, const pgc_bq_commit *commit, pgconvoy_error *err)
{
    pgc_buffer sql;
    char key[160];
    pgc_buffer_init(&sql, PGC_BQ_SQL_MAX);
    pthread_mutex_lock(&sink->lock);
    put_commit(sink, commit, &sql);
    int result = pgc_buffer_check(&sql, err);
    if (result != 0)
        pgconvoy_error_hint(err, "the commit touches too many tables and columns for one query of BigQuery; spread "
                                 "them over more pipelines");
    if (result == 0) {
        name_job(sink, &sql, commit->lsn, key, sizeof key);
        result = pgc_bq_run_script(sink, key, &sql, commit->doing, err);
    }
    if (result == 0)
        sink->step++;
    else if (strstr(err->message, MOVED)) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE,
                           "another process has moved the position of pipeline %s in BigQuery",
                           sink->config->pipeline_name);
        pgconvoy_error_hint(err, "run each pipeline once at a time; this one goes on from where the other one is");
        pgconvoy_error_retriable(err, true);
    }
    if (result == 0 && commit->pending)
        result = run_pending(sink, commit->pending, err);
    pthread_mutex_unlock(&sink->lock);
    pgc_buffer_free(&sql);
    return result;
}

int pgc_bq_checkpoint_pending(pgc_bq_sink *sink, pgconvoy_error *err)
{
    pgconvoy_checkpoint checkpoint;
    const char *pending;
    bool there;
    pthread_mutex_lock(&sink->lock);
    int result = read_pipeline(sink, &checkpoint, &pending, &there, err);
    if (result == 0 && pending)
        result = run_pending(sink, pending, err);
    pthread_mutex_unlock(&sink->lock);
    return result;
}

int pgc_bq_drop(void *arg, pgconvoy_error *err)
{
    pgc_bq_sink *sink = arg;
    pgconvoy_checkpoint checkpoint;
    pgc_buffer sql;
    char key[64];
    if (pgc_bq_read_checkpoint(sink, &checkpoint, err) != 0)
        return -1;
    if (!checkpoint.source_id)
        return 0;
    pgc_buffer_init(&sql, PGC_BQ_SQL_MAX);
    pgc_buffer_text(&sql, "BEGIN TRANSACTION;\nDELETE FROM ");
    pgc_bq_quote_table(sink, PGC_BQ_TABLES, &sql);
    where_pipeline(sink, "pipeline", &sql);
    pgc_buffer_text(&sql, ";\nDELETE FROM ");
    pgc_bq_quote_table(sink, PGC_BQ_PIPELINES, &sql);
    where_pipeline(sink, "name", &sql);
    pgc_buffer_text(&sql, ";\nCOMMIT TRANSACTION;");
    snprintf(key, sizeof key, "drop_%s", sink->process);
    int result = pgc_bq_run_script(sink, key, &sql, "removing the checkpoint", err);
    pgc_buffer_free(&sql);
    return result;
}
