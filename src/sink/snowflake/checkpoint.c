/*
 * The checkpoint in Snowflake's terms (sink/staged_checkpoint.c has what it is). A commit ends by moving the step on
 * from the value that this process knows, and looks whether it did; when another process of the same pipeline was there
 * first, the look fails, and with it everything before it.
 */
#include "sink/snowflake/snowflake_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* The table of changes is another one after a drop: the service remembers the pipe of a table that went (docs: error
 * STALE_PIPE_CACHE). */
void pgc_sf_known(pgc_staged_sink *base)
{
    pgc_sf_sink *sink = pgc_sf_sink_of(base);
    snprintf(sink->changes, sizeof sink->changes, "_%s_%.20s_CHANGES", sink->prefix, sink->incarnation);
}

int pgc_sf_make_changes(pgc_staged_sink *sink, pgconvoy_error *err)
{
    return pgc_sf_stage_make(pgc_sf_sink_of(sink), pgc_sf_sink_of(sink)->changes, err);
}

void pgc_sf_drop_changes(pgc_staged_sink *sink)
{
    pgc_staged_drop_staging(sink, pgc_sf_sink_of(sink)->changes);
}

/* ---- making */

static int make_one(pgc_sf_sink *sink, const char *table, const char *columns, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 4096);
    pgc_buffer_text(&sql, "CREATE TABLE IF NOT EXISTS ");
    pgc_sf_quote_table(sink, table, &sql);
    pgc_buffer_format(&sql, " (%s)", columns);
    int result = pgc_sf_run(sink, &sql, false, "creating the checkpoint", err);
    pgc_buffer_free(&sql);
    return result;
}

int pgc_sf_schema_make(pgc_sf_sink *sink, const char *options, const char *doing, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 4096);
    pgc_buffer_format(&sql, "CREATE SCHEMA IF NOT EXISTS \"%s\".\"%s\"%s", sink->target.database, sink->target.schema,
                      options);
    int result = pgc_sf_run(sink, &sql, false, doing, err);
    pgc_buffer_free(&sql);
    sink->exists = result == 0;
    return result;
}

int pgc_sf_make_checkpoint(pgc_staged_sink *base, pgconvoy_error *err)
{
    pgc_sf_sink *sink = pgc_sf_sink_of(base);
    if (!sink->exists && pgc_sf_schema_make(sink, "", "creating the schema", err) != 0)
        return -1;
    if (make_one(sink, PGC_SF_TABLES,
                 "PIPELINE VARCHAR, SCHEMA_NAME VARCHAR, TABLE_NAME VARCHAR, STATE VARCHAR, COPY_LSN NUMBER(38, 0), "
                 "HOW VARCHAR, COPY VARCHAR",
                 err) != 0)
        return -1;
    return make_one(sink, PGC_SF_PIPELINES,
                    "NAME VARCHAR, SOURCE_ID VARCHAR, INCARNATION VARCHAR, LSN NUMBER(38, 0), STEP NUMBER(38, 0), "
                    "WRITER VARCHAR, PENDING VARCHAR, UPDATED_AT TIMESTAMP_TZ(6)",
                    err);
}

int pgc_sf_add_pipeline(pgc_staged_sink *base, pgconvoy_error *err)
{
    pgc_sf_sink *sink = pgc_sf_sink_of(base);
    pgc_buffer sql;
    pgc_buffer_init(&sql, PGC_SF_SQL_MAX);
    pgc_buffer_text(&sql, "MERGE INTO ");
    pgc_sf_quote_table(sink, PGC_SF_PIPELINES, &sql);
    pgc_buffer_text(&sql, " AS T USING (SELECT ");
    pgc_sf_quote_text(&sql, sink->config->pipeline_name);
    pgc_buffer_text(&sql,
                    " AS N) AS S ON T.NAME = S.N WHEN NOT MATCHED THEN INSERT (NAME, SOURCE_ID, INCARNATION, LSN, "
                    "STEP, WRITER, UPDATED_AT) VALUES (S.N, ");
    pgc_sf_quote_text(&sql, sink->config->source_id ? sink->config->source_id : "");
    pgc_buffer_format(&sql, ", '%s', 0, 0, '%s', CURRENT_TIMESTAMP())", sink->process, sink->process);
    int result = pgc_sf_run(sink, &sql, false, "storing the pipeline's name", err);
    pgc_buffer_free(&sql);
    return result;
}

/* ---- commits */

void pgc_sf_put_begin(const pgc_staged_sink *sink, pgc_buffer *sql)
{
    (void)sink;
    pgc_buffer_text(sql, "BEGIN TRANSACTION;\n");
}

/* Moves the position on only from where this process knows it to be, and looks whether that was done: the division
 * fails when it was not. name: of this commit, by which find_out tells it from all others. */
void pgc_sf_put_end(const pgc_staged_sink *sink, const char *name, pgc_buffer *sql)
{
    pgc_buffer_format(sql, " AND step = %" PRId64 " AND incarnation = ", sink->step);
    pgc_sf_quote_text(sql, sink->incarnation);
    pgc_buffer_text(sql, ";\nSELECT 1 / IFF(COUNT(*) = 1, 1, 0) AS position_is_held FROM ");
    sink->service->put_table(sink, PGC_SF_PIPELINES, sql);
    pgc_staged_where_pipeline(sink, "name", sql);
    pgc_buffer_format(sql, " AND step = %" PRId64 " AND writer = '%s' AND incarnation = ", sink->step + 1, name);
    pgc_sf_quote_text(sql, sink->incarnation);
    pgc_buffer_format(sql, ";\n%s", sink->service->commit);
}

/* A commit that failed, or of which it is not known: the position tells. 0: it is through. */
static int find_out(pgc_staged_sink *sink, const char *name, pgconvoy_error *err)
{
    pgc_staged_position position;
    pgconvoy_error unknown = {0};
    pgc_arena *arena = pgc_arena_new(8192);
    int result = -1;
    if (arena && pgc_staged_read_position(sink, arena, &position, &unknown) == 0 && position.incarnation) {
        bool same = strcmp(position.incarnation, sink->incarnation) == 0;
        if (same && position.step == sink->step + 1 && strcmp(position.writer, name) == 0) {
            result = 0;
        } else if (!same || position.step != sink->step) {
            pgc_staged_position_moved(sink, err);
        } else if (strstr(err->message, "ivision by zero")) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "rows that were sent to Snowflake are not all there");
            pgconvoy_error_hint(err, "the pipeline sends them again");
            pgconvoy_error_retriable(err, true);
        }
    }
    pgc_arena_free(arena);
    return result;
}

int pgc_sf_run_commit(pgc_staged_sink *sink, const pgc_buffer *sql, const pgc_staged_commit *commit, const char *name,
                      pgconvoy_error *err)
{
    return pgc_sf_run(pgc_sf_sink_of(sink), sql, true, commit->doing, err) == 0 ? 0 : find_out(sink, name, err);
}

/* It may be done twice, but not when something else has come after it. */
int pgc_sf_run_pending(pgc_staged_sink *sink, const char *pending, const pgc_buffer *forget, pgconvoy_error *err)
{
    if (pgc_sf_run_later(sink, pending, err) != 0)
        return -1;
    return pgc_sf_run(pgc_sf_sink_of(sink), forget, false, "noting that a change of columns is through", err);
}

/* Lines that a killed process has left, or a batch that was given up: nobody else writes there. */
int pgc_sf_clean(pgc_staged_sink *base, pgconvoy_error *err)
{
    pgc_sf_sink *sink = pgc_sf_sink_of(base);
    pgc_buffer sql;
    pgc_buffer_init(&sql, 4096);
    pgc_buffer_text(&sql, "DELETE FROM ");
    pgc_sf_quote_table(sink, sink->changes, &sql);
    int result = pgc_sf_run(sink, &sql, false, "removing rows that were left", err);
    pgc_buffer_free(&sql);
    return result;
}

int pgc_sf_run_drop(pgc_staged_sink *sink, const pgc_buffer *sql, pgconvoy_error *err)
{
    return pgc_sf_run(pgc_sf_sink_of(sink), sql, true, "removing the checkpoint", err);
}
