/*
 * The checkpoint in BigQuery's terms (sink/staged_checkpoint.c has what it is). A commit begins by looking whether the
 * step is still what this process knows. Two processes of the same pipeline change the same row, so that BigQuery lets
 * one of them commit only.
 */
#include "sink/bigquery/bigquery_internal.h"

#include "format/json_text.h"
#include "base/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define MOVED "pgconvoy: the position is not where it was left"

/* ---- making */

int pgc_bq_make_dataset(pgc_bq_sink *sink, const char *more, pgconvoy_error *err)
{
    pgc_buffer path, body;
    char doing[300];
    snprintf(doing, sizeof doing, "creating dataset %.200s", sink->target.dataset);
    pgc_buffer_init(&path, 8192);
    pgc_buffer_init(&body, 8192);
    pgc_buffer_text(&path, "/bigquery/v2/projects/");
    pgc_http_escape(&path, sink->target.project);
    pgc_buffer_text(&path, "/datasets");
    pgc_buffer_text(&body, "{\"datasetReference\":");
    pgc_bq_put_reference(sink, NULL, &body);
    if (sink->target.location) {
        pgc_buffer_text(&body, ",\"location\":");
        pgc_json_string(&body, sink->target.location);
    }
    pgc_buffer_format(&body, "%s}", more);
    int result = pgc_bq_create(sink, &path, &body, doing, err);
    pgc_buffer_free(&path);
    pgc_buffer_free(&body);
    if (result == 0)
        result = pgc_bq_find_dataset(sink, err); /* for its location */
    return result;
}

#define TEXT_FIELD(name) "{\"name\":\"" name "\",\"type\":\"STRING\"}"
#define NUMBER_FIELD(name) "{\"name\":\"" name "\",\"type\":\"INT64\"}"
#define TIME_FIELD(name) "{\"name\":\"" name "\",\"type\":\"TIMESTAMP\"}"

int pgc_bq_make_checkpoint(pgc_staged_sink *base, pgconvoy_error *err)
{
    static const char *const tables[][2] = {
        {PGC_BQ_TABLES,
         TEXT_FIELD("pipeline") "," TEXT_FIELD("schema_name") "," TEXT_FIELD("table_name") "," TEXT_FIELD(
             "state") "," NUMBER_FIELD("copy_lsn") "," TEXT_FIELD("how") "," TEXT_FIELD("copy")},
        {PGC_BQ_PIPELINES,
         TEXT_FIELD("name") "," TEXT_FIELD("source_id") "," TEXT_FIELD("incarnation") "," NUMBER_FIELD(
             "lsn") "," NUMBER_FIELD("step") "," TEXT_FIELD("pending") "," TIME_FIELD("updated_at")},
    };
    pgc_bq_sink *sink = pgc_bq_sink_of(base);
    if (!sink->exists && pgc_bq_make_dataset(sink, "", err) != 0)
        return -1;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (pgc_bq_table_make(sink, tables[i][0], tables[i][1], "", "creating the checkpoint", err) != 0)
            return -1;
    return 0;
}

/* A script whose name is this process's own. */
static int run_own(pgc_bq_sink *sink, const char *what, const pgc_buffer *sql, const char *doing, pgconvoy_error *err)
{
    char key[64];
    snprintf(key, sizeof key, "%s_%s", what, sink->process);
    return pgc_bq_run_script(sink, key, sql, doing, err);
}

int pgc_bq_add_pipeline(pgc_staged_sink *base, pgconvoy_error *err)
{
    pgc_bq_sink *sink = pgc_bq_sink_of(base);
    pgc_buffer sql;
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
    pgc_staged_where_pipeline(base, "name", &sql);
    pgc_buffer_byte(&sql, ')');
    int result = run_own(sink, "name", &sql, "storing the pipeline's name", err);
    pgc_buffer_free(&sql);
    return result;
}

/* ---- commits */

void pgc_bq_put_begin(const pgc_staged_sink *sink, pgc_buffer *sql)
{
    pgc_buffer_text(sql, "BEGIN TRANSACTION;\nIF NOT EXISTS (SELECT 1 FROM ");
    sink->service->put_table(sink, PGC_BQ_PIPELINES, sql);
    pgc_staged_where_pipeline(sink, "name", sql);
    pgc_buffer_format(sql, " AND step = %" PRId64 " AND incarnation = ", sink->step);
    pgc_bq_quote_text(sql, sink->incarnation);
    pgc_buffer_text(sql, ") THEN RAISE USING MESSAGE = '" MOVED "'; END IF;\n");
}

void pgc_bq_put_end(const pgc_staged_sink *sink, const char *name, pgc_buffer *sql)
{
    (void)name;
    pgc_buffer_format(sql, ";\n%s\n", sink->service->commit);
}

/* Names the job after the step, the position and what it does: what has the same name is the same. */
static void name_job(const pgc_bq_sink *sink, const pgc_buffer *sql, pgconvoy_lsn lsn, char *key, size_t size)
{
    uint64_t hash = pgc_hash_bytes(PGC_HASH_START, sql->data, sql->length);
    snprintf(key, size, "%s_%" PRId64 "_%" PRIX64 "_%016" PRIx64, sink->incarnation, sink->step, (uint64_t)lsn, hash);
}

int pgc_bq_run_commit(pgc_staged_sink *base, const pgc_buffer *sql, const pgc_staged_commit *commit, const char *name,
                      pgconvoy_error *err)
{
    pgc_bq_sink *sink = pgc_bq_sink_of(base);
    char key[160];
    (void)name;
    name_job(sink, sql, commit->lsn, key, sizeof key);
    int result = pgc_bq_run_script(sink, key, sql, commit->doing, err);
    if (result != 0 && strstr(err->message, MOVED))
        pgc_staged_position_moved(base, err);
    return result;
}

int pgc_bq_run_pending(pgc_staged_sink *base, const char *pending, const pgc_buffer *forget, pgconvoy_error *err)
{
    pgc_bq_sink *sink = pgc_bq_sink_of(base);
    pgc_buffer sql;
    char key[160];
    pgc_buffer_init(&sql, PGC_BQ_SQL_MAX);
    pgc_buffer_text(&sql, pending);
    pgc_buffer_append(&sql, forget->data, forget->length);
    pgc_buffer_byte(&sql, ';');
    int result = pgc_buffer_check(&sql, err);
    if (result == 0) {
        name_job(sink, &sql, 0, key, sizeof key);
        result = pgc_bq_run_script(sink, key, &sql, "following a change of columns", err);
    }
    pgc_buffer_free(&sql);
    return result;
}

int pgc_bq_run_drop(pgc_staged_sink *sink, const pgc_buffer *sql, pgconvoy_error *err)
{
    return run_own(pgc_bq_sink_of(sink), "drop", sql, "removing the checkpoint", err);
}
