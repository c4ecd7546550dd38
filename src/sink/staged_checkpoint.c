/*
 * The checkpoint: two tables at the service, changed in the transactions that change the data. `step` counts those
 * transactions: each moves it on from the value that this process knows, and fails when another process of the same
 * pipeline was there first. How it comes to fail is the service's own: put_begin, put_end, run_commit.
 */
#include "sink/staged_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const state_words[] = {
    [PGCONVOY_TABLE_WAITING] = "waiting",         [PGCONVOY_TABLE_COPYING] = "copying",
    [PGCONVOY_TABLE_CATCHING_UP] = "catching up", [PGCONVOY_TABLE_LIVE] = "live",
    [PGCONVOY_TABLE_FAILED] = "failed",
};
#define STATE_COUNT (sizeof state_words / sizeof *state_words)

static const char *state_word(pgconvoy_table_state state)
{
    return state_words[(size_t)state < STATE_COUNT ? (size_t)state : 0];
}

/* WAITING when it is none of them, or NULL. */
static pgconvoy_table_state state_of(const char *word)
{
    for (size_t i = 0; word && i < STATE_COUNT; i++)
        if (strcmp(state_words[i], word) == 0)
            return (pgconvoy_table_state)i;
    return PGCONVOY_TABLE_WAITING;
}

void pgc_staged_where_pipeline(const pgc_staged_sink *sink, const char *column, pgc_buffer *sql)
{
    pgc_buffer_format(sql, " WHERE %s = ", column);
    sink->service->put_text(sql, sink->config->pipeline_name);
}

static void where_table(const pgc_staged_sink *sink, const char *schema, const char *name, pgc_buffer *sql)
{
    pgc_staged_where_pipeline(sink, "pipeline", sql);
    pgc_buffer_text(sql, " AND schema_name = ");
    sink->service->put_text(sql, schema);
    pgc_buffer_text(sql, " AND table_name = ");
    sink->service->put_text(sql, name);
}

static const char *source_id(const pgc_staged_sink *sink)
{
    return sink->config->source_id ? sink->config->source_id : "";
}

/* ---- reading */

/* Rows of one of the checkpoint's tables, in the arena; none where that table is not there. of: whose, when it is one
 * table of the pipeline's only, or NULL. */
static int read_rows(pgc_staged_sink *sink, const char *names, int columns, const char *from, const pgconvoy_table *of,
                     pgc_arena *arena, const char ***rows, size_t *count, pgconvoy_error *err)
{
    pgc_buffer sql;
    *count = 0;
    *rows = NULL;
    if (!sink->exists)
        return 0;
    pgc_buffer_init(&sql, PGC_STAGED_SQL_MAX);
    pgc_buffer_format(&sql, "SELECT %s FROM ", names);
    sink->service->put_table(sink, from, &sql);
    if (of)
        where_table(sink, of->schema, of->name, &sql);
    else
        pgc_staged_where_pipeline(sink, strcmp(from, sink->service->tables) == 0 ? "pipeline" : "name", &sql);
    int result = pgc_buffer_check(&sql, err);
    if (result == 0)
        result = sink->service->select(sink, &sql, "reading the checkpoint", columns, arena, rows, count, err);
    pgc_buffer_free(&sql);
    return result;
}

int pgc_staged_read_position(pgc_staged_sink *sink, pgc_arena *arena, pgc_staged_position *position,
                             pgconvoy_error *err)
{
    const char **rows;
    size_t count;
    bool named = sink->service->names_commits;
    memset(position, 0, sizeof *position);
    if (read_rows(sink,
                  named ? "source_id, lsn, step, incarnation, pending, writer"
                        : "source_id, lsn, step, incarnation, pending",
                  named ? 6 : 5, sink->service->pipelines, NULL, arena, &rows, &count, err) != 0)
        return -1;
    if (count == 0)
        return 0;
    position->source_id = rows[0] ? rows[0] : "";
    position->lsn = (pgconvoy_lsn)(rows[1] ? strtoull(rows[1], NULL, 10) : 0);
    position->step = rows[2] ? strtoll(rows[2], NULL, 10) : 0;
    position->incarnation = rows[3] ? rows[3] : "";
    position->pending = rows[4] && *rows[4] ? rows[4] : NULL;
    position->writer = named && rows[5] ? rows[5] : "";
    return 0;
}

/* Under the lock: commits begin at this position from now on. */
static void know(pgc_staged_sink *sink, const pgc_staged_position *position)
{
    sink->step = position->step;
    snprintf(sink->incarnation, sizeof sink->incarnation, "%s", position->incarnation ? position->incarnation : "");
    if (sink->service->known)
        sink->service->known(sink);
}

static int read_tables(pgc_staged_sink *sink, pgconvoy_checkpoint *checkpoint, pgconvoy_error *err)
{
    const char **rows;
    size_t count;
    if (read_rows(sink, "schema_name, table_name, state, copy_lsn", 4, sink->service->tables, NULL,
                  sink->checkpoint_arena, &rows, &count, err) != 0)
        return -1;
    pgconvoy_table_status *tables = pgc_arena_zalloc(sink->checkpoint_arena, count * sizeof *tables + 1);
    for (size_t i = 0; tables && i < count; i++) {
        const char **row = rows + 4 * i;
        tables[i] = (pgconvoy_table_status){row[0], row[1], state_of(row[2]), row[3] ? strtoull(row[3], NULL, 10) : 0};
    }
    checkpoint->tables = tables;
    checkpoint->table_count = tables ? count : 0;
    return tables ? 0 : pgc_error_out_of_memory(err);
}

int pgc_staged_read_checkpoint(void *arg, pgconvoy_checkpoint *checkpoint, pgconvoy_error *err)
{
    pgc_staged_sink *sink = arg;
    pgc_staged_position position;
    memset(checkpoint, 0, sizeof *checkpoint);
    pthread_mutex_lock(&sink->lock);
    pgc_arena_reset(sink->checkpoint_arena);
    int result = pgc_staged_read_position(sink, sink->checkpoint_arena, &position, err);
    if (result == 0 && position.incarnation) {
        know(sink, &position);
        checkpoint->source_id = position.source_id;
        checkpoint->lsn = position.lsn;
        result = read_tables(sink, checkpoint, err);
    }
    pthread_mutex_unlock(&sink->lock);
    return result;
}

int pgc_staged_checkpoint_owned(pgc_staged_sink *sink, const pgconvoy_table *table, pgc_arena *arena, const char **how,
                                const char **copy, pgconvoy_error *err)
{
    const char **rows;
    size_t count;
    *how = *copy = NULL;
    if (read_rows(sink, "how, copy", 2, sink->service->tables, table, arena, &rows, &count, err) != 0)
        return -1;
    if (count > 0) {
        *how = !rows[0] ? PGC_STAGED_APPENDED : *rows[0] ? rows[0] : NULL; /* what is not understood is treated as somebody's own */
        *copy = rows[1];
    }
    return 0;
}

/* ---- making */

static int run_pending(pgc_staged_sink *sink, const char *pending, pgconvoy_error *err)
{
    pgc_buffer forget;
    pgc_buffer_init(&forget, PGC_STAGED_SQL_MAX);
    pgc_buffer_text(&forget, "UPDATE ");
    sink->service->put_table(sink, sink->service->pipelines, &forget);
    pgc_buffer_text(&forget, " SET pending = NULL");
    pgc_staged_where_pipeline(sink, "name", &forget);
    int result = pgc_buffer_check(&forget, err);
    if (result == 0)
        result = sink->service->run_pending(sink, pending, &forget, err);
    pgc_buffer_free(&forget);
    return result;
}

/* What a process that was killed has left to be done comes before any copy: a table that is to be renamed may have the
 * name of the one to be copied still, or not yet that under which it is to be made anew. */
static int ensure(pgc_staged_sink *sink, pgc_arena *arena, pgconvoy_error *err)
{
    pgc_staged_position position;
    const pgc_staged_service *service = sink->service;
    if (service->make_checkpoint(sink, err) != 0 || pgc_staged_read_position(sink, arena, &position, err) != 0)
        return -1;
    if (!position.incarnation &&
        (service->add_pipeline(sink, err) != 0 || pgc_staged_read_position(sink, arena, &position, err) != 0))
        return -1;
    know(sink, &position);
    if (position.pending && run_pending(sink, position.pending, err) != 0)
        return -1;
    return service->make_more ? service->make_more(sink, err) : 0;
}

int pgc_staged_checkpoint_ensure(pgc_staged_sink *sink, pgconvoy_error *err)
{
    pgc_arena *arena = pgc_arena_new(8192);
    if (!arena)
        return pgc_error_out_of_memory(err);
    pthread_mutex_lock(&sink->lock);
    int result = sink->checkpoint_ready ? 0 : ensure(sink, arena, err);
    if (result == 0)
        sink->checkpoint_ready = true;
    pthread_mutex_unlock(&sink->lock);
    pgc_arena_free(arena);
    return result;
}

/* ---- writing */

static void put_tables(const pgc_staged_sink *sink, const pgc_staged_commit *commit, pgc_buffer *sql)
{
    const pgc_staged_service *service = sink->service;
    const char *copy = commit->copy ? commit->copy : "";
    pgc_buffer_text(sql, "MERGE INTO ");
    service->put_table(sink, service->tables, sql);
    pgc_buffer_text(sql, " AS T USING (");
    for (size_t i = 0; i < commit->table_count; i++) {
        const pgconvoy_table_status *status = &commit->tables[i];
        pgc_buffer_text(sql, i > 0 ? " UNION ALL SELECT " : "SELECT ");
        service->put_text(sql, status->schema);
        pgc_buffer_text(sql, " AS s, ");
        service->put_text(sql, status->name);
        pgc_buffer_format(sql, " AS n, '%s' AS st, %" PRIu64 " AS l", state_word(status->state),
                          (uint64_t)status->copy_lsn);
    }
    pgc_buffer_text(sql, ") AS S ON T.pipeline = ");
    service->put_text(sql, sink->config->pipeline_name);
    pgc_buffer_text(
        sql,
        " AND T.schema_name = S.s AND T.table_name = S.n WHEN MATCHED THEN UPDATE SET state = S.st, copy_lsn = S.l");
    if (commit->how)
        pgc_buffer_format(sql, ", how = '%s', copy = '%s'", commit->how, copy);
    pgc_buffer_text(
        sql, " WHEN NOT MATCHED THEN INSERT (pipeline, schema_name, table_name, state, copy_lsn, how, copy) VALUES (");
    service->put_text(sql, sink->config->pipeline_name);
    /* one that waits under a new name: only its copy looks what there is of that */
    pgc_buffer_format(sql, commit->how ? ", S.s, S.n, S.st, S.l, '%s', '%s');\n" : ", S.s, S.n, S.st, S.l, CASE WHEN S.st = 'waiting' THEN '' ELSE '%s' END, '%s');\n",
                      commit->how ? commit->how : PGC_STAGED_APPENDED, copy);
}

/* A table that the source dropped may have had the new name: there is one row of a name. */
static void put_renamed(const pgc_staged_sink *sink, const pgc_staged_commit *commit, pgc_buffer *sql)
{
    const pgc_staged_service *service = sink->service;
    pgc_buffer_text(sql, "DELETE FROM ");
    service->put_table(sink, service->tables, sql);
    where_table(sink, commit->renamed_to->schema, commit->renamed_to->name, sql);
    pgc_buffer_text(sql, ";\nUPDATE ");
    service->put_table(sink, service->tables, sql);
    pgc_buffer_text(sql, " SET schema_name = ");
    service->put_text(sql, commit->renamed_to->schema);
    pgc_buffer_text(sql, ", table_name = ");
    service->put_text(sql, commit->renamed_to->name);
    where_table(sink, commit->renamed_from->schema, commit->renamed_from->name, sql);
    pgc_buffer_text(sql, ";\n");
}

static void put_vacated(const pgc_staged_sink *sink, const pgconvoy_table *table, pgc_buffer *sql)
{
    pgc_buffer_text(sql, "UPDATE ");
    sink->service->put_table(sink, sink->service->tables, sql);
    pgc_buffer_text(sql, " SET state = 'waiting', copy_lsn = 0");
    where_table(sink, table->schema, table->name, sql);
    pgc_buffer_text(sql, ";\n");
}

static void put_position(const pgc_staged_sink *sink, const pgc_staged_commit *commit, const char *name,
                         pgc_buffer *sql)
{
    const pgc_staged_service *service = sink->service;
    pgc_buffer_text(sql, "UPDATE ");
    service->put_table(sink, service->pipelines, sql);
    pgc_buffer_format(sql, " SET step = %" PRId64 ", updated_at = CURRENT_TIMESTAMP()", sink->step + 1);
    if (service->names_commits)
        pgc_buffer_format(sql, ", writer = '%s'", name);
    if (commit->pending) { /* else there may be some of a process that was killed */
        pgc_buffer_text(sql, ", pending = ");
        service->put_text(sql, commit->pending);
    }
    if (commit->lsn != 0) {
        pgc_buffer_format(sql, ", lsn = %" PRIu64 ", source_id = ", (uint64_t)commit->lsn);
        service->put_text(sql, source_id(sink));
    }
    pgc_staged_where_pipeline(sink, "name", sql);
}

static void put_commit(const pgc_staged_sink *sink, const pgc_staged_commit *commit, const char *name, pgc_buffer *sql)
{
    sink->service->put_begin(sink, sql);
    if (commit->statements && commit->statements->length > 0)
        pgc_buffer_append(sql, commit->statements->data, commit->statements->length);
    /* the states are of tables by their new names */
    if (commit->renamed_from)
        put_renamed(sink, commit, sql);
    for (size_t i = 0; i < commit->vacated_count; i++)
        put_vacated(sink, commit->vacated[i], sql);
    if (commit->table_count > 0)
        put_tables(sink, commit, sql);
    put_position(sink, commit, name, sql);
    sink->service->put_end(sink, name, sql);
}

int pgc_staged_check_commit(const pgc_staged_sink *sink, const pgc_buffer *sql, pgconvoy_error *err)
{
    if (pgc_buffer_check(sql, err) == 0)
        return 0;
    pgconvoy_error_hint(err,
                        "the commit touches too many tables and columns for one request of %s's; spread them over more "
                        "pipelines",
                        sink->service->name);
    return -1;
}

void pgc_staged_position_moved(const pgc_staged_sink *sink, pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "another process has moved the position of pipeline %s in %s",
                       sink->config->pipeline_name, sink->service->name);
    pgconvoy_error_hint(err, "run each pipeline once at a time; this one goes on from where the other one is");
    pgconvoy_error_retriable(err, true);
}

int pgc_staged_checkpoint_commit(pgc_staged_sink *sink, const pgc_staged_commit *commit, pgconvoy_error *err)
{
    pgc_buffer sql;
    char name[64];
    snprintf(name, sizeof name, "%s_%" PRIu64, sink->process, pgc_staged_next_number(sink));
    pgc_buffer_init(&sql, PGC_STAGED_SQL_MAX);
    pthread_mutex_lock(&sink->lock);
    put_commit(sink, commit, name, &sql);
    int result = pgc_staged_check_commit(sink, &sql, err);
    if (result == 0)
        result = sink->service->run_commit(sink, &sql, commit, name, err);
    if (result == 0) {
        sink->step++;
        if (commit->pending)
            result = run_pending(sink, commit->pending, err);
    }
    pthread_mutex_unlock(&sink->lock);
    pgc_buffer_free(&sql);
    return result;
}

int pgc_staged_checkpoint_pending(pgc_staged_sink *sink, pgconvoy_error *err)
{
    pgc_staged_position position;
    pgc_arena *arena = pgc_arena_new(8192);
    if (!arena)
        return pgc_error_out_of_memory(err);
    pthread_mutex_lock(&sink->lock);
    int result = pgc_staged_read_position(sink, arena, &position, err);
    if (result == 0 && position.pending)
        result = run_pending(sink, position.pending, err);
    if (result == 0 && sink->service->clean)
        result = sink->service->clean(sink, err);
    pthread_mutex_unlock(&sink->lock);
    pgc_arena_free(arena);
    return result;
}

/* ---- drop */

static int drop_rows(pgc_staged_sink *sink, pgconvoy_error *err)
{
    const pgc_staged_service *service = sink->service;
    pgc_buffer sql;
    pgc_buffer_init(&sql, PGC_STAGED_SQL_MAX);
    pgc_buffer_text(&sql, "BEGIN TRANSACTION;\nDELETE FROM ");
    service->put_table(sink, service->tables, &sql);
    pgc_staged_where_pipeline(sink, "pipeline", &sql);
    pgc_buffer_text(&sql, ";\nDELETE FROM ");
    service->put_table(sink, service->pipelines, &sql);
    pgc_staged_where_pipeline(sink, "name", &sql);
    pgc_buffer_format(&sql, ";\n%s", service->commit);
    int result = pgc_buffer_check(&sql, err);
    if (result == 0)
        result = service->run_drop(sink, &sql, err);
    pgc_buffer_free(&sql);
    return result;
}

int pgc_staged_drop(void *arg, pgconvoy_error *err)
{
    pgc_staged_sink *sink = arg;
    pgc_staged_position position;
    const char **copies;
    size_t count;
    pgc_arena *arena = pgc_arena_new(8192);
    if (!arena)
        return pgc_error_out_of_memory(err);
    int result = pgc_staged_read_position(sink, arena, &position, err);
    if (result == 0 && position.incarnation) {
        know(sink, &position);
        result = read_rows(sink, "copy", 1, sink->service->tables, NULL, arena, &copies, &count, err);
        if (result == 0)
            result = drop_rows(sink, err);
        for (size_t i = 0; result == 0 && i < count; i++)
            if (copies[i] && *copies[i])
                pgc_staged_drop_staging(sink, copies[i]);
        if (result == 0 && sink->service->drop_more)
            sink->service->drop_more(sink);
    }
    pgc_arena_free(arena);
    return result;
}
