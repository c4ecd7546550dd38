/*
 * Which of a pipeline's tables are cloned: those that the target does not have, and those that an interrupted run of
 * this copy has made there. All others were somebody else's before, or were copied once and come back: their rows go
 * through the sink, into the table as it is.
 */
#include "pipeline/copier.h"

#include "base/bell.h"
#include "clone/clone.h"
#include "clone/follow.h"
#include "postgres/connection.h"
#include "postgres/quote.h"
#include "postgres/text_arrays.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STOP_POLL_MS 50
#define REPORT_MS 500

typedef struct job {
    pgc_copier_work *work;
    const pgconvoy_table **tables; /* that are taken */
    size_t *places;                /* of each in work->tables */
    bool *left_out;                /* of each */
    int count;
    pgc_clone *clone;
    pgc_bell over;
} job;

/* ------------------------------------------------------------------ which tables */

static PGconn *connect_target(const job *job, pgconvoy_error *err)
{
    char program[128];
    snprintf(program, sizeof program, "pgconvoy %.60s copy", job->work->name);
    return pgc_connect(job->work->target, PGC_CONNECTION_SQL, program, err);
}

/* "(0,'schema.name','TABLE 16384 schema.name'),…": a table's place, its name, and what the state calls it once this
 * copy has made it. */
static void append_tables(const job *job, pgc_buffer *sql)
{
    const pgc_copier_work *work = job->work;
    const char *joint = "(VALUES ";
    for (size_t i = 0; i < work->table_count; i++) {
        const pgconvoy_table *table = work->tables[i].table;
        const char *schema, *name;
        if (!work->tables[i].may_be_taken)
            continue;
        char key[400];
        snprintf(key, sizeof key, "TABLE %u %s.%s", table->oid, table->schema, table->name);
        pgc_mapping_target(job->work->options->mapping, table->schema, table->name, &schema, &name);
        const char *const words[] = {schema, name, key};
        pgc_buffer_format(sql, "%s(%zu", joint, i);
        for (int w = 0; w < 3; w++) {
            pgc_buffer_byte(sql, ',');
            pgc_quote_literal(sql, words[w]);
        }
        pgc_buffer_byte(sql, ')');
        joint = ",";
    }
    pgc_buffer_text(sql, ") t (n, s, r, key)");
}

static PGresult *find_tables(const job *job, PGconn *target, pgconvoy_error *err)
{
    bool has_state;
    if (pgc_query_truth(target, "SELECT pg_catalog.to_regclass('pgconvoy.copy_item') IS NOT NULL", 0, NULL, &has_state, err))
        return NULL;
    pgc_buffer sql;
    pgc_buffer_init(&sql, (size_t)1 << 28);
    pgc_buffer_text(&sql, "SELECT t.n FROM ");
    append_tables(job, &sql);
    pgc_buffer_text(&sql, " WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON "
                          "n.oid = c.relnamespace WHERE n.nspname = t.s AND c.relname = t.r)");
    if (has_state) {
        pgc_buffer_text(&sql, " OR EXISTS (SELECT FROM pgconvoy.copy_item i WHERE i.item = t.key AND i.name = ");
        pgc_quote_literal(&sql, job->work->name);
        pgc_buffer_byte(&sql, ')');
    }
    pgc_buffer_text(&sql, " ORDER BY 1");
    PGresult *result = pgc_buffer_check(&sql, err) ? NULL : pgc_query(target, sql.data, err);
    pgc_buffer_free(&sql);
    return result;
}

static int choose(job *job, PGconn *target, pgconvoy_error *err)
{
    bool any = false;
    for (size_t i = 0; i < job->work->table_count; i++)
        any |= job->work->tables[i].may_be_taken;
    job->tables = calloc(job->work->table_count + 1, sizeof(const pgconvoy_table *));
    job->places = calloc(job->work->table_count + 1, sizeof *job->places);
    job->left_out = calloc(job->work->table_count + 1, sizeof *job->left_out);
    if (!job->tables || !job->places || !job->left_out)
        return pgc_error_out_of_memory(err);
    PGresult *result = any ? find_tables(job, target, err) : NULL;
    for (int i = 0; result && i < PQntuples(result); i++) {
        size_t place = (size_t)strtoul(PQgetvalue(result, i, 0), NULL, 10);
        job->tables[job->count] = job->work->tables[place].table;
        job->places[job->count++] = place;
    }
    PQclear(result);
    return result || !any ? 0 : -1;
}

/* Tables that are to make room go at once, all in one command, since foreign keys may be between them. */
static int drop_tables(const job *job, PGconn *target, pgconvoy_error *err)
{
    const pgc_copier_work *work = job->work;
    bool has_state;
    if (work->options->if_exists != PGCONVOY_IF_EXISTS_DROP)
        return 0;
    if (pgc_query_truth(target, "SELECT pg_catalog.to_regclass('pgconvoy.table_state') IS NOT NULL", 0, NULL, &has_state, err))
        return -1;
    pgc_buffer sql;
    pgc_buffer_init(&sql, (size_t)1 << 28);
    pgc_buffer_text(&sql, "SELECT pg_catalog.string_agg(pg_catalog.format('%I.%I', n.nspname, c.relname), ', ') FROM ");
    append_tables(job, &sql);
    pgc_buffer_text(&sql, " JOIN pg_catalog.pg_namespace n ON n.nspname = t.s JOIN pg_catalog.pg_class c ON "
                          "c.relnamespace = n.oid AND c.relname = t.r WHERE c.relkind IN ('r', 'p')");
    if (has_state) { /* what the pipeline had before is dealt with as its state says */
        pgc_buffer_text(&sql, " AND NOT EXISTS (SELECT FROM pgconvoy.table_state s WHERE s.schema_name = t.s AND "
                              "s.table_name = t.r AND s.pipeline = ");
        pgc_quote_literal(&sql, work->name);
        pgc_buffer_byte(&sql, ')');
    }
    PGresult *result = pgc_buffer_check(&sql, err) ? NULL : pgc_query(target, sql.data, err);
    int status = result ? 0 : -1;
    if (result && !PQgetisnull(result, 0, 0)) {
        pgc_buffer_reset(&sql);
        pgc_buffer_format(&sql, "DROP TABLE %s", PQgetvalue(result, 0, 0));
        status = pgc_buffer_check(&sql, err) ? -1 : pgc_execute(target, sql.data, err);
    }
    PQclear(result);
    pgc_buffer_free(&sql);
    return status;
}

/* ------------------------------------------------------------------ the copy */

static void on_progress(void *arg, int table, int64_t rows, int64_t bytes)
{
    const job *job = arg;
    job->work->progress(job->work->progress_arg, job->places[table], rows, bytes);
}

static void on_rows_read(void *arg)
{
    const job *job = arg;
    job->work->rows_are_read(job->work->progress_arg);
}

/* A pipeline is asked to stop by a flag, which a signal handler may set. */
static void *watch(void *arg)
{
    job *job = arg;
    while (!pgc_bell_wait(&job->over, STOP_POLL_MS))
        if (atomic_load(job->work->stop)) {
            pgc_clone_stop(job->clone);
            break;
        }
    return NULL;
}

static int run_clone(job *job, const pgc_clone_options *options, pgconvoy_error *err)
{
    pthread_t watcher;
    job->clone = pgc_clone_new(options, err);
    if (!job->clone)
        return -1;
    int result = -1;
    pgc_bell_init(&job->over);
    if (pthread_create(&watcher, NULL, watch, job) == 0) {
        result = pgc_clone_run(job->clone, err);
        pgc_bell_ring(&job->over);
        pthread_join(watcher, NULL);
    } else {
        pgconvoy_error_set(err, PGCONVOY_ERROR_RESOURCE, "could not start a thread");
    }
    pgc_bell_free(&job->over);
    pgc_clone_free(job->clone);
    if (result != 0 && atomic_load(job->work->stop))
        pgconvoy_error_set(err, PGCONVOY_OK, "stopped");
    return result;
}

static int copy_tables(job *job, bool is_silent, pgconvoy_error *err)
{
    const pgc_copier_work *work = job->work;
    const pgc_clone_part part = {.snapshot = work->snapshot,
                                 .lsn = work->lsn,
                                 .source_id = work->source_id,
                                 .tables = job->tables,
                                 .table_count = job->count,
                                 .is_silent = is_silent,
                                 .left_out = job->left_out,
                                 .progress = on_progress,
                                 /* others are read in the same snapshot, afterwards */
                                 .rows_are_read = (size_t)job->count == work->table_count ? on_rows_read : NULL,
                                 .progress_arg = job};
    pgc_clone_options options = {
        .source = work->source,
        .target = work->target,
        .name = work->name,
        .if_exists = PGCONVOY_IF_EXISTS_ERROR,
        .part = &part,
        .skip_disk = work->skip_disk,
        .log = work->log,
        .retry_for_us = 0, /* the pipeline tries again */
        .progress_interval_ms = REPORT_MS,
    };
    pgc_clone_options_take(&options, work->options);
    return run_clone(job, &options, err);
}

/* A row for each table of the job, in their order; no position for one that has none. NULL: an error. */
static PGresult *ask_positions(const job *job, PGconn *target, pgconvoy_error *err)
{
    pgc_text_arrays arrays;
    pgc_text_arrays_init(&arrays, 2);
    for (int i = 0; i < job->count; i++) {
        const pgconvoy_table *table = job->work->tables[job->places[i]].table;
        const char *name[2];
        pgc_mapping_target(job->work->options->mapping, table->schema, table->name, &name[0], &name[1]);
        pgc_text_arrays_add(&arrays, name);
    }
    const char *values[] = {job->work->name, NULL, NULL};
    PGresult *result = NULL;
    if (pgc_text_arrays_end(&arrays, values + 1, err) == 0)
        result = pgc_query_params(
            target,
            "SELECT t.copy_lsn FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS g (s, n, place) LEFT JOIN "
            "pgconvoy.table_state t ON t.pipeline = $1 AND t.schema_name = g.s AND t.table_name = g.n ORDER BY g.place",
            3, values, err);
    pgc_text_arrays_free(&arrays);
    return result;
}

/* The positions that the copy has stored with its end. */
static int read_positions(const job *job, PGconn *target, pgconvoy_error *err)
{
    PGresult *result = ask_positions(job, target, err);
    if (!result)
        return -1;
    int status = 0;
    for (int i = 0; i < job->count && status == 0; i++) {
        pgc_copier_table *table = &job->work->tables[job->places[i]];
        table->left_out = job->left_out[i];
        if (table->left_out)
            continue;
        table->taken = i < PQntuples(result) && !PQgetisnull(result, i, 0) &&
                       pgconvoy_lsn_from_text(PQgetvalue(result, i, 0), &table->copy_lsn) == 0;
        if (!table->taken) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "the state of table %s.%s is gone from the target",
                               table->table->schema, table->table->name);
            status = -1;
        }
    }
    PQclear(result);
    return status;
}

static int work_with(job *job, PGconn *target, pgconvoy_error *err)
{
    const pgc_copier_work *work = job->work;
    PGresult *result = PQexec(target, "SET session_replication_role = replica");
    bool is_silent = PQresultStatus(result) == PGRES_COMMAND_OK;
    PQclear(result);
    if ((work->snapshot && drop_tables(job, target, err)) || clone_follow_make_room(work, target, err) ||
        choose(job, target, err))
        return -1;
    if (job->count == 0)
        return 0;
    if (copy_tables(job, is_silent, err))
        return -1;
    return work->snapshot ? read_positions(job, target, err) : 0;
}

static int run(pgc_copier_work *work, pgconvoy_error *err)
{
    job job = {.work = work};
    PGconn *target = connect_target(&job, err);
    int result = target ? work_with(&job, target, err) : -1;
    PQfinish(target);
    free(job.tables);
    free(job.places);
    free(job.left_out);
    return result;
}

const pgc_copier pgc_clone_copier = {
    .check = run,
    .copy = run,
    .follow = clone_follow_partitions,
    .complete = clone_follow_complete,
};
