/*
 * The checkpoint: two tables of the schema, changed in the transactions that change the data. `step` counts those
 * transactions: each ends by moving it on from the value that this process knows, and looks whether it did; when
 * another process of the same pipeline was there first, the look fails, and with it everything before it.
 */
#include "sink/snowflake/snowflake_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void where_pipeline(const pgc_sf_sink *sink, const char *column, pgc_buffer *sql)
{
    pgc_buffer_format(sql, " WHERE %s = ", column);
    pgc_sf_quote_text(sql, sink->config->pipeline_name);
}

/* ---- reading */

/* Rows of the checkpoint; in the arena. None where the table is not there. more: what follows the WHERE, or "". */
static int read_rows(pgc_sf_sink *sink, const char *what, int columns, const char *table, const char *by,
                     const char *more, pgc_arena *arena, const char ***rows, size_t *count, pgconvoy_error *err)
{
    pgc_buffer sql;
    bool missing;
    *count = 0;
    *rows = NULL;
    if (!sink->schema_exists)
        return 0;
    pgc_buffer_init(&sql, PGC_SF_SQL_MAX);
    pgc_buffer_format(&sql, "SELECT %s FROM ", what);
    pgc_sf_quote_table(sink, table, &sql);
    where_pipeline(sink, by, &sql);
    pgc_buffer_text(&sql, more);
    int result = pgc_sf_select(sink, &sql, "reading the checkpoint", columns, arena, rows, count, &missing, err);
    pgc_buffer_free(&sql);
    return result;
}

typedef struct position {
    const char *source_id, *pending, *writer;
    pgconvoy_lsn lsn;
    int64_t step;
    const char *incarnation; /* NULL: there is no such pipeline */
} position;

static int read_position(pgc_sf_sink *sink, pgc_arena *arena, position *position, pgconvoy_error *err)
{
    const char **rows;
    size_t count;
    memset(position, 0, sizeof *position);
    if (read_rows(sink, "SOURCE_ID, LSN, STEP, INCARNATION, PENDING, WRITER", 6, PGC_SF_PIPELINES, "NAME", "", arena,
                  &rows, &count, err) != 0)
        return -1;
    if (count == 0)
        return 0;
    position->source_id = rows[0] ? rows[0] : "";
    position->lsn = (pgconvoy_lsn)(rows[1] ? strtoull(rows[1], NULL, 10) : 0);
    position->step = rows[2] ? strtoll(rows[2], NULL, 10) : 0;
    position->incarnation = rows[3] ? rows[3] : "";
    position->pending = rows[4] && *rows[4] ? rows[4] : NULL;
    position->writer = rows[5] ? rows[5] : "";
    return 0;
}

/* The table of changes is another one after a drop: the service remembers the pipe of a table that went (docs: error
 * STALE_PIPE_CACHE). */
static void name_changes(pgc_sf_sink *sink, const char *incarnation)
{
    snprintf(sink->changes, sizeof sink->changes, "_%s_%.20s_CHANGES", sink->prefix, incarnation);
}

/* Under the lock. */
static void know(pgc_sf_sink *sink, const position *position)
{
    const char *incarnation = position->incarnation ? position->incarnation : "";
    sink->step = position->step;
    snprintf(sink->incarnation, sizeof sink->incarnation, "%s", incarnation);
    name_changes(sink, incarnation);
}

static int read_tables(pgc_sf_sink *sink, pgconvoy_checkpoint *checkpoint, pgconvoy_error *err)
{
    const char **rows;
    size_t count;
    if (read_rows(sink, "SCHEMA_NAME, TABLE_NAME, STATE, COPY_LSN", 4, PGC_SF_TABLES, "PIPELINE", "",
                  sink->checkpoint_arena, &rows, &count, err) != 0)
        return -1;
    pgconvoy_table_status *tables = pgc_arena_zalloc(sink->checkpoint_arena, count * sizeof *tables + 1);
    for (size_t i = 0; tables && i < count; i++) {
        const char **row = rows + 4 * i;
        tables[i] = (pgconvoy_table_status){row[0], row[1], pgc_staged_state_of(row[2]),
                                            row[3] ? strtoull(row[3], NULL, 10) : 0};
    }
    checkpoint->tables = tables;
    checkpoint->table_count = tables ? count : 0;
    return tables ? 0 : pgc_error_out_of_memory(err);
}

int pgc_sf_read_checkpoint(void *arg, pgconvoy_checkpoint *checkpoint, pgconvoy_error *err)
{
    pgc_sf_sink *sink = arg;
    position position;
    memset(checkpoint, 0, sizeof *checkpoint);
    pthread_mutex_lock(&sink->lock);
    pgc_arena_reset(sink->checkpoint_arena);
    int result = read_position(sink, sink->checkpoint_arena, &position, err);
    if (result == 0 && position.incarnation) {
        know(sink, &position);
        checkpoint->source_id = position.source_id;
        checkpoint->lsn = position.lsn;
        result = read_tables(sink, checkpoint, err);
    }
    pthread_mutex_unlock(&sink->lock);
    return result;
}

int pgc_sf_checkpoint_owned(pgc_sf_sink *sink, const pgconvoy_table *table, pgc_arena *arena, const char **how,
                            const char **copy, pgconvoy_error *err)
{
    const char **rows;
    size_t count;
    pgc_buffer more;
    *how = *copy = NULL;
    pgc_buffer_init(&more, 8192);
    pgc_buffer_text(&more, " AND SCHEMA_NAME = ");
    pgc_sf_quote_text(&more, table->schema);
    pgc_buffer_text(&more, " AND TABLE_NAME = ");
    pgc_sf_quote_text(&more, table->name);
    int result = pgc_buffer_check(&more, err);
    if (result == 0)
        result = read_rows(sink, "HOW, COPY", 2, PGC_SF_TABLES, "PIPELINE", more.data, arena, &rows, &count, err);
    pgc_buffer_free(&more);
    if (result == 0 && count > 0) {
        *how = rows[0] ? rows[0] : PGC_STAGED_APPENDED; /* what is not understood is treated as somebody's own */
        *copy = rows[1];
    }
    return result;
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
    sink->schema_exists = result == 0;
    return result;
}

static int name_pipeline(pgc_sf_sink *sink, pgconvoy_error *err)
{
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

static int ensure(pgc_sf_sink *sink, pgconvoy_error *err)
{
    position position;
    pgc_arena *arena = pgc_arena_new(8192);
    if (!arena)
        return pgc_error_out_of_memory(err);
    int result = sink->schema_exists ? 0 : pgc_sf_schema_make(sink, "", "creating the schema", err);
    if (result == 0)
        result = make_one(sink, PGC_SF_TABLES,
                          "PIPELINE VARCHAR, SCHEMA_NAME VARCHAR, TABLE_NAME VARCHAR, STATE VARCHAR, COPY_LSN "
                          "NUMBER(38, 0), HOW VARCHAR, COPY VARCHAR",
                          err);
    if (result == 0)
        result = make_one(sink, PGC_SF_PIPELINES,
                          "NAME VARCHAR, SOURCE_ID VARCHAR, INCARNATION VARCHAR, LSN NUMBER(38, 0), STEP NUMBER(38, "
                          "0), WRITER VARCHAR, PENDING VARCHAR, UPDATED_AT TIMESTAMP_TZ(6)",
                          err);
    if (result == 0)
        result = read_position(sink, arena, &position, err);
    if (result == 0 && !position.incarnation) {
        result = name_pipeline(sink, err);
        if (result == 0)
            result = read_position(sink, arena, &position, err);
    }
    if (result == 0) {
        know(sink, &position);
        result = pgc_sf_stage_make(sink, sink->changes, err);
    }
    pgc_arena_free(arena);
    return result;
}

int pgc_sf_checkpoint_ensure(pgc_sf_sink *sink, pgconvoy_error *err)
{
    pthread_mutex_lock(&sink->lock);
    int result = sink->checkpoint_ready ? 0 : ensure(sink, err);
    if (result == 0)
        sink->checkpoint_ready = true;
    pthread_mutex_unlock(&sink->lock);
    return result;
}

/* ---- writing */

static void put_tables(const pgc_sf_sink *sink, const pgc_sf_commit *commit, pgc_buffer *sql)
{
    pgc_buffer_text(sql, "MERGE INTO ");
    pgc_sf_quote_table(sink, PGC_SF_TABLES, sql);
    pgc_buffer_text(sql, " AS T USING (");
    for (size_t i = 0; i < commit->table_count; i++) {
        const pgconvoy_table_status *status = &commit->tables[i];
        pgc_buffer_text(sql, i > 0 ? " UNION ALL SELECT " : "SELECT ");
        pgc_sf_quote_text(sql, status->schema);
        pgc_buffer_text(sql, " AS S, ");
        pgc_sf_quote_text(sql, status->name);
        pgc_buffer_format(sql, " AS N, '%s' AS ST, %" PRIu64 " AS L", pgc_staged_state_word(status->state),
                          (uint64_t)status->copy_lsn);
    }
    pgc_buffer_text(sql, ") AS S ON T.PIPELINE = ");
    pgc_sf_quote_text(sql, sink->config->pipeline_name);
    pgc_buffer_text(
        sql,
        " AND T.SCHEMA_NAME = S.S AND T.TABLE_NAME = S.N WHEN MATCHED THEN UPDATE SET STATE = S.ST, COPY_LSN = S.L");
    if (commit->how)
        pgc_buffer_format(sql, ", HOW = '%s', COPY = '%s'", commit->how, commit->copy ? commit->copy : "");
    pgc_buffer_text(
        sql, " WHEN NOT MATCHED THEN INSERT (PIPELINE, SCHEMA_NAME, TABLE_NAME, STATE, COPY_LSN, HOW, COPY) VALUES (");
    pgc_sf_quote_text(sql, sink->config->pipeline_name);
    pgc_buffer_format(sql, ", S.S, S.N, S.ST, S.L, '%s', '%s');\n", commit->how ? commit->how : PGC_STAGED_APPENDED,
                      commit->copy ? commit->copy : "");
}

static void put_renamed(const pgc_sf_sink *sink, const pgc_sf_commit *commit, pgc_buffer *sql)
{
    pgc_buffer_text(sql, "UPDATE ");
    pgc_sf_quote_table(sink, PGC_SF_TABLES, sql);
    pgc_buffer_text(sql, " SET SCHEMA_NAME = ");
    pgc_sf_quote_text(sql, commit->renamed_to->schema);
    pgc_buffer_text(sql, ", TABLE_NAME = ");
    pgc_sf_quote_text(sql, commit->renamed_to->name);
    where_pipeline(sink, "PIPELINE", sql);
    pgc_buffer_text(sql, " AND SCHEMA_NAME = ");
    pgc_sf_quote_text(sql, commit->renamed_from->schema);
    pgc_buffer_text(sql, " AND TABLE_NAME = ");
    pgc_sf_quote_text(sql, commit->renamed_from->name);
    pgc_buffer_text(sql, ";\n");
}

/* Moves the position on, and looks whether that was done: the division fails when it was not where it was left. name:
 * of this commit, by which find_out tells it from all others. */
static void put_position(const pgc_sf_sink *sink, const pgc_sf_commit *commit, const char *name, pgc_buffer *sql)
{
    pgc_buffer_text(sql, "UPDATE ");
    pgc_sf_quote_table(sink, PGC_SF_PIPELINES, sql);
    pgc_buffer_format(sql, " SET STEP = %" PRId64 ", WRITER = '%s', UPDATED_AT = CURRENT_TIMESTAMP()", sink->step + 1,
                      name);
    if (commit->pending) { /* else there may be some of a process that was killed */
        pgc_buffer_text(sql, ", PENDING = ");
        pgc_sf_quote_text(sql, commit->pending);
    }
    if (commit->lsn != 0) {
        pgc_buffer_format(sql, ", LSN = %" PRIu64 ", SOURCE_ID = ", (uint64_t)commit->lsn);
        pgc_sf_quote_text(sql, sink->config->source_id ? sink->config->source_id : "");
    }
    where_pipeline(sink, "NAME", sql);
    pgc_buffer_format(sql, " AND STEP = %" PRId64 " AND INCARNATION = ", sink->step);
    pgc_sf_quote_text(sql, sink->incarnation);
    pgc_buffer_text(sql, ";\nSELECT 1 / IFF(COUNT(*) = 1, 1, 0) AS POSITION_IS_HELD FROM ");
    pgc_sf_quote_table(sink, PGC_SF_PIPELINES, sql);
    where_pipeline(sink, "NAME", sql);
    pgc_buffer_format(sql, " AND STEP = %" PRId64 " AND WRITER = '%s' AND INCARNATION = ", sink->step + 1, name);
    pgc_sf_quote_text(sql, sink->incarnation);
    pgc_buffer_text(sql, ";\nCOMMIT;");
}

static void put_commit(const pgc_sf_sink *sink, const pgc_sf_commit *commit, const char *name, pgc_buffer *sql)
{
    pgc_buffer_text(sql, "BEGIN TRANSACTION;\n");
    if (commit->statements && commit->statements->length > 0)
        pgc_buffer_append(sql, commit->statements->data, commit->statements->length);
    if (commit->table_count > 0)
        put_tables(sink, commit, sql);
    if (commit->renamed_from)
        put_renamed(sink, commit, sql);
    put_position(sink, commit, name, sql);
}

/* What followed a commit. It may be done twice, but not when something else has come after it. */
static int run_pending(pgc_sf_sink *sink, const char *pending, pgconvoy_error *err)
{
    pgc_buffer sql;
    if (pgc_sf_later_run(sink, pending, err) != 0)
        return -1;
    pgc_buffer_init(&sql, PGC_SF_SQL_MAX);
    pgc_buffer_text(&sql, "UPDATE ");
    pgc_sf_quote_table(sink, PGC_SF_PIPELINES, &sql);
    pgc_buffer_text(&sql, " SET PENDING = NULL");
    where_pipeline(sink, "NAME", &sql);
    int result = pgc_sf_run(sink, &sql, false, "noting that a change of columns is through", err);
    pgc_buffer_free(&sql);
    return result;
}

/* A commit that failed, or of which it is not known: the position tells. 0: it is through. */
static int find_out(pgc_sf_sink *sink, const char *name, pgconvoy_error *err)
{
    position position;
    pgconvoy_error unknown = {0};
    pgc_arena *arena = pgc_arena_new(8192);
    int result = -1;
    if (arena && read_position(sink, arena, &position, &unknown) == 0 && position.incarnation) {
        bool same = strcmp(position.incarnation, sink->incarnation) == 0;
        if (same && position.step == sink->step + 1 && strcmp(position.writer, name) == 0) {
            result = 0;
        } else if (!same || position.step != sink->step) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_STATE,
                               "another process has moved the position of pipeline %s in Snowflake",
                               sink->config->pipeline_name);
            pgconvoy_error_hint(err, "run each pipeline once at a time; this one goes on from where the other one is");
            pgconvoy_error_retriable(err, true);
        } else if (strstr(err->message, "ivision by zero")) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "rows that were sent to Snowflake are not all there");
            pgconvoy_error_hint(err, "the pipeline sends them again");
            pgconvoy_error_retriable(err, true);
        }
    }
    pgc_arena_free(arena);
    return result;
}

int pgc_sf_checkpoint_commit(pgc_sf_sink *sink, const pgc_sf_commit *commit, pgconvoy_error *err)
{
    pgc_buffer sql;
    char name[64];
    snprintf(name, sizeof name, "%s_%" PRIu64, sink->process, pgc_sf_next_number(sink));
    pgc_buffer_init(&sql, PGC_SF_SQL_MAX);
    pthread_mutex_lock(&sink->lock);
    put_commit(sink, commit, name, &sql);
    int result = pgc_buffer_check(&sql, err);
    if (result != 0)
        pgconvoy_error_hint(err,
                            "the commit touches too many tables and columns for one request of Snowflake's; spread "
                            "them over more pipelines");
    else if (pgc_sf_run(sink, &sql, true, commit->doing, err) != 0)
        result = find_out(sink, name, err);
    if (result == 0) {
        sink->step++;
        if (commit->pending)
            result = run_pending(sink, commit->pending, err);
    }
    pthread_mutex_unlock(&sink->lock);
    pgc_buffer_free(&sql);
    return result;
}

/* Lines that a killed process has left, or a batch that was given up: nobody else writes there. */
static int forget_lines(pgc_sf_sink *sink, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 4096);
    pgc_buffer_text(&sql, "DELETE FROM ");
    pgc_sf_quote_table(sink, sink->changes, &sql);
    int result = pgc_sf_run(sink, &sql, false, "removing rows that were left", err);
    pgc_buffer_free(&sql);
    return result;
}

int pgc_sf_checkpoint_pending(pgc_sf_sink *sink, pgconvoy_error *err)
{
    position position;
    pgc_arena *arena = pgc_arena_new(8192);
    if (!arena)
        return pgc_error_out_of_memory(err);
    pthread_mutex_lock(&sink->lock);
    int result = read_position(sink, arena, &position, err);
    if (result == 0 && position.pending)
        result = run_pending(sink, position.pending, err);
    if (result == 0)
        result = forget_lines(sink, err);
    pthread_mutex_unlock(&sink->lock);
    pgc_arena_free(arena);
    return result;
}

/* ---- drop */

static int drop_rows(pgc_sf_sink *sink, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, PGC_SF_SQL_MAX);
    pgc_buffer_text(&sql, "BEGIN TRANSACTION;\nDELETE FROM ");
    pgc_sf_quote_table(sink, PGC_SF_TABLES, &sql);
    where_pipeline(sink, "PIPELINE", &sql);
    pgc_buffer_text(&sql, ";\nDELETE FROM ");
    pgc_sf_quote_table(sink, PGC_SF_PIPELINES, &sql);
    where_pipeline(sink, "NAME", &sql);
    pgc_buffer_text(&sql, ";\nCOMMIT;");
    int result = pgc_sf_run(sink, &sql, true, "removing the checkpoint", err);
    pgc_buffer_free(&sql);
    return result;
}

int pgc_sf_drop(void *arg, pgconvoy_error *err)
{
    pgc_sf_sink *sink = arg;
    position position;
    const char **copies;
    size_t count;
    pgc_arena *arena = pgc_arena_new(8192);
    if (!arena)
        return pgc_error_out_of_memory(err);
    int result = read_position(sink, arena, &position, err);
    if (result == 0 && position.incarnation) {
        result = read_rows(sink, "COPY", 1, PGC_SF_TABLES, "PIPELINE", "", arena, &copies, &count, err);
        if (result == 0)
            result = drop_rows(sink, err);
        for (size_t i = 0; result == 0 && i < count; i++)
            if (copies[i] && *copies[i])
                pgc_sf_stage_drop(sink, copies[i]);
        name_changes(sink, position.incarnation);
        if (result == 0)
            pgc_sf_stage_drop(sink, sink->changes);
    }
    pgc_arena_free(arena);
    return result;
}
