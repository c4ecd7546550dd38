/* The switch as a story; see cutover.h. */
#include "inspect/cutover/cutover_internal.h"

#include "base/clock.h"
#include "base/units.h"
#include "inspect/verify/verify.h"
#include "postgres/connection.h"
#include "postgres/sequence_values.h"
#include "source/postgres/names.h"

#include <stdio.h>
#include <stdlib.h>

#define GONE_US INT64_C(3000000)  /* a stream that comes back by itself does so sooner */
#define CLOSE_US INT64_C(1000000) /* a lag from which the rest drains at once */

pgc_cutover *pgc_cutover_new(const pgc_cutover_options *options, pgconvoy_error *err)
{
    pgc_cutover *cutover = calloc(1, sizeof *cutover);
    pgc_arena *arena = pgc_arena_new(16 << 10);
    if (!cutover || !arena || asprintf(&cutover->hold_path, "%s/%s/cutover", options->state_dir, options->name) < 0) {
        pgc_arena_free(arena);
        free(cutover);
        (void)pgc_error_out_of_memory(err);
        return NULL;
    }
    cutover->options = options;
    cutover->arena = arena;
    char derived[64];
    pgc_slot_name_derive(options->name, derived);
    snprintf(cutover->slot, sizeof cutover->slot, "%.79s", options->slot ? options->slot : derived);
    snprintf(cutover->publication, sizeof cutover->publication, "%.79s",
             options->publication ? options->publication : derived);
    cutover_reverse_name(options->name, cutover->back);
    verify_flow_init(&cutover->flow);
    pthread_mutex_init(&cutover->lock, NULL);
    return cutover;
}

void pgc_cutover_free(pgc_cutover *cutover)
{
    if (!cutover)
        return;
    PQfinish(cutover->source);
    PQfinish(cutover->target);
    verify_flow_free(&cutover->flow);
    pthread_mutex_destroy(&cutover->lock);
    free(cutover->hold_path);
    pgc_arena_free(cutover->arena);
    free(cutover);
}

void pgc_cutover_stop(pgc_cutover *cutover)
{
    atomic_store(&cutover->stop, true);
    pthread_mutex_lock(&cutover->lock);
    if (cutover->pipeline)
        pgconvoy_pipeline_stop(cutover->pipeline);
    if (cutover->verify)
        pgc_verify_stop(cutover->verify);
    pthread_mutex_unlock(&cutover->lock);
}

int cutover_stopped(pgc_cutover *cutover, pgconvoy_error *err)
{
    if (!atomic_load(&cutover->stop))
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "stopped: the switch is given up");
    return -1;
}

PGconn *cutover_connect(const pgc_cutover *cutover, const char *uri, const char *which, pgconvoy_error *err)
{
    char program[96];
    snprintf(program, sizeof program, "pgconvoy %.60s cutover", cutover->options->name);
    PGconn *conn = pgc_connect(uri, PGC_CONNECTION_SQL, program, err);
    if (!conn)
        pgc_error_prefix(err, "%s", which);
    else if (pgc_execute(conn, "SET default_transaction_read_only = off; SET synchronous_commit = local", err)) {
        PQfinish(conn);
        conn = NULL;
    }
    return conn;
}

/* ------------------------------------------------------------------ the stream */

void cutover_on_log(void *arg, pgconvoy_log_level level, const char *line)
{
    const pgc_cutover *cutover = arg;
    pgconvoy_log_write(cutover->options->log, level, "%s", line);
}

static int set_pipeline(pgc_cutover *cutover, pgconvoy_pipeline *pipeline, const char *until, pgconvoy_error *err)
{
    const char *settings[][2] = {{"name", cutover->options->name},
                                 {"slot", cutover->slot},
                                 {"publication", cutover->publication},
                                 {"state-dir", cutover->options->state_dir},
                                 {"until", until}};
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        if (pgconvoy_pipeline_set(pipeline, settings[i][0], settings[i][1], err))
            return -1;
    const pgc_cutover_options *options = cutover->options;
    for (size_t i = 0; i < options->setting_count; i++)
        if (pgconvoy_pipeline_set(pipeline, options->settings[i][0], options->settings[i][1], err))
            return -1;
    pgconvoy_pipeline_on_log(pipeline, cutover_on_log, cutover);
    return 0;
}

void cutover_set_running(pgc_cutover *cutover, pgconvoy_pipeline *pipeline)
{
    pthread_mutex_lock(&cutover->lock);
    cutover->pipeline = pipeline;
    pthread_mutex_unlock(&cutover->lock);
}

/* No process streams: this one does, up to the position. */
static int run_stretch(pgc_cutover *cutover, pgconvoy_lsn lsn, pgconvoy_error *err)
{
    char until[PGCONVOY_LSN_TEXT_SIZE];
    pgconvoy_pipeline *pipeline = pgconvoy_pipeline_new(cutover->options->source, cutover->options->target, err);
    if (!pipeline)
        return -1;
    int status = set_pipeline(cutover, pipeline, pgconvoy_lsn_to_text(lsn, until), err);
    cutover_set_running(cutover, pipeline);
    if (status == 0 && cutover_stopped(cutover, err) == 0)
        status = pgconvoy_pipeline_run(pipeline, PGCONVOY_SYNC, err);
    else
        status = -1;
    cutover_set_running(cutover, NULL);
    pgconvoy_pipeline_free(pipeline);
    return status ? -1 : cutover_stopped(cutover, err);
}

/* *passed false: whoever streamed has been gone for a while. */
static int poll_until_passed(pgc_cutover *cutover, pgconvoy_lsn lsn, bool *passed, pgconvoy_error *err)
{
    int64_t begun = pgc_clock_monotonic_us(), seen = begun;
    char text[PGCONVOY_LSN_TEXT_SIZE];
    for (;;) {
        verify_passed how;
        if (cutover_stopped(cutover, err) || verify_flow_passed(&cutover->flow, cutover->source, lsn, &how, err))
            return -1;
        *passed = how == VERIFY_HAS_PASSED;
        int64_t now = pgc_clock_monotonic_us();
        if (how != VERIFY_NOBODY_STREAMS)
            seen = now;
        if (*passed || now - seen > GONE_US)
            return 0;
        if (now - begun > cutover->options->wait_us) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "the target has not reached %s in time",
                               pgconvoy_lsn_to_text(lsn, text));
            pgconvoy_error_hint(err, "let the lag fall first (pgconvoy status), or give it longer with --wait");
            return -1;
        }
        pgc_clock_sleep_ms(10);
    }
}

/* Everything that is committed now is at the target when this returns. */
static int drain(pgc_cutover *cutover, pgconvoy_error *err)
{
    bool passed = false;
    if (verify_flow_mark(cutover->source, &cutover->lsn, err) ||
        (cutover->streams && poll_until_passed(cutover, cutover->lsn, &passed, err)))
        return -1;
    if (passed)
        return 0;
    if (cutover->streams)
        pgc_log_info(cutover->options->log, "nobody streams any more: the last stretch is run here");
    cutover->streams = false;
    return run_stretch(cutover, cutover->lsn, err);
}

static int wait_for_lag(pgc_cutover *cutover, pgconvoy_error *err)
{
    int64_t begun = pgc_clock_monotonic_us(), took;
    char text[PGC_UNITS_TEXT_SIZE];
    do {
        int64_t now = pgc_clock_monotonic_us();
        if (drain(cutover, err))
            return -1;
        took = pgc_clock_monotonic_us() - now;
        pgc_log_info(cutover->options->log, "the target follows within %s", pgc_duration_to_text(took, text));
    } while (cutover->streams && took > CLOSE_US && pgc_clock_monotonic_us() - begun < cutover->options->wait_us);
    return 0;
}

/* ------------------------------------------------------------------ sequences */

static int set_some(pgc_cutover *cutover, const pgc_buffer *sql, pgconvoy_error *err)
{
    return sql->length == 0 ? 0 : pgc_buffer_check(sql, err) || pgc_execute(cutover->target, sql->data, err) ? -1 : 0;
}

/* One that is ahead at the target stays: it gives out nothing twice. */
static int set_sequences(pgc_cutover *cutover, pgconvoy_error *err)
{
    static const char user_tables[] = "n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'pgconvoy')";
    pgc_arena *arena = pgc_arena_new(64 << 10);
    pgc_sequence_values source = {0}, target = {0};
    pgc_buffer sql;
    pgc_buffer_init(&sql, (size_t)64 << 20);
    int status = arena ? 0 : pgc_error_out_of_memory(err);
    if (status == 0)
        status = pgc_sequence_values_read(cutover->source, user_tables, arena, &source, err);
    if (status == 0)
        status = pgc_sequence_values_read(cutover->target, user_tables, arena, &target, err);
    for (size_t i = 0; i < source.count && status == 0; i++) {
        const pgc_sequence_value *here = &source.items[i],
                                 *there = pgc_verify_sequence_there(cutover->options->mapping, &target, here);
        if (!there || !pgc_sequence_is_behind(there, here))
            continue;
        pgc_sequence_value set = *here;
        set.schema = there->schema;
        pgc_sequence_set_sql(&set, &sql);
        cutover->sequences_set++;
    }
    if (status == 0)
        status = set_some(cutover, &sql, err);
    pgc_buffer_free(&sql);
    pgc_arena_free(arena);
    return status ? -1 : 0;
}

/* ------------------------------------------------------------------ verifying */

/* Only these rows are at the target. */
static int take_where(pgc_cutover *cutover, pgc_names *where, pgconvoy_error *err)
{
    const pgc_cutover_options *from = cutover->options;
    where->items = pgc_arena_zalloc(cutover->arena, sizeof *where->items * (from->setting_count + 1));
    if (!where->items)
        return pgc_error_out_of_memory(err);
    for (size_t i = 0; i < from->setting_count; i++)
        if (strcmp(from->settings[i][0], "where") == 0 &&
            !(where->items[where->count++] = pgc_arena_strdup(cutover->arena, from->settings[i][1])))
            return pgc_error_out_of_memory(err);
    return 0;
}

static int verify(pgc_cutover *cutover, pgc_buffer *report, int64_t *differences, pgconvoy_error *err)
{
    const pgc_cutover_options *from = cutover->options;
    pgc_verify_options options = {.source = from->source,
                                  .target = from->target,
                                  .name = from->name,
                                  .slot = from->slot,
                                  .publication = from->publication,
                                  .choice = {.exclude_tables = cutover->left_out,
                                             .exclude_table_count = cutover->left_out_count},
                                  .mapping = from->mapping,
                                  .no_schema = true,
                                  .jobs = from->jobs,
                                  .sample = 100,
                                  .wait_us = from->wait_us,
                                  .show = 20,
                                  .state_dir = from->state_dir,
                                  .restart = true,
                                  .log = from->log};
    if (take_where(cutover, &options.where, err))
        return -1;
    pgc_verify *verify = pgc_verify_new(&options, err);
    if (!verify)
        return -1;
    pthread_mutex_lock(&cutover->lock);
    cutover->verify = verify;
    pthread_mutex_unlock(&cutover->lock);
    int status = cutover_stopped(cutover, err) ? -1 : pgc_verify_run(verify, differences, err);
    pthread_mutex_lock(&cutover->lock);
    cutover->verify = NULL;
    pthread_mutex_unlock(&cutover->lock);
    if (status == 0)
        pgc_verify_report(verify, report);
    pgc_verify_free(verify);
    return status;
}

/* ------------------------------------------------------------------ the story */

static void say_left_out(const pgc_cutover *cutover, pgc_buffer *report)
{
    if (cutover->left_out_count == 0)
        return;
    pgc_buffer_format(report, "left out, as the target does not have them: %s\n", cutover->left_out_names);
}

static void say_plan(const pgc_cutover *cutover, pgc_buffer *report)
{
    const pgc_cutover_options *options = cutover->options;
    say_left_out(cutover, report);
    pgc_buffer_format(report, "would wait until the target follows (%s)\n",
                      cutover->streams ? "another process streams"
                                       : "nobody streams: the last stretch would be run here");
    pgc_buffer_text(report, options->lock_source
                                ? "would make the source's database read-only and end its other sessions\n"
                                : "would not hold writes at the source: stop them yourself, or give --lock-source\n");
    if (options->reverse)
        pgc_buffer_format(report, "would have the opposite pipeline %s ready before that\n", cutover->back);
    pgc_buffer_text(report, "would drain the stream to the last position and set the target's sequences\n");
    if (options->verify)
        pgc_buffer_text(report, "would compare sequences and rows\n");
    pgc_buffer_text(report, "nothing was changed\n");
}

static void say_way_back(const pgc_cutover *cutover, pgc_buffer *report)
{
    pgc_buffer_format(
        report,
        "the way back is ready: pgconvoy stream --name %s with the ends swapped keeps the source current, "
        "pgconvoy cutover %s --lock-source goes back\n",
        cutover->back, cutover->back);
}

static void say_end(pgc_cutover *cutover, pgc_buffer *report)
{
    char lsn[PGCONVOY_LSN_TEXT_SIZE], held[PGC_UNITS_TEXT_SIZE];
    const pgc_cutover_options *options = cutover->options;
    pgc_buffer_format(report, "the target has everything up to %s; %zu sequences were set\n",
                      pgconvoy_lsn_to_text(cutover->lsn, lsn), cutover->sequences_set);
    say_left_out(cutover, report);
    if (cutover->holds)
        pgc_buffer_format(report,
                          "writes were held for %s; the source stays read-only (pgconvoy cutover %s --undo makes it "
                          "writable again)\n",
                          pgc_duration_to_text(pgc_clock_monotonic_us() - cutover->held_us, held), options->name);
    else
        pgc_buffer_text(report,
                        "writes at the source were not held: what is written there from now on is not at the target\n");
    pgc_buffer_text(report, "point the applications at ");
    pgc_connection_describe(options->target, report);
    pgc_buffer_byte(report, '\n');
    if (options->reverse)
        say_way_back(cutover, report);
}

static int switch_over(pgc_cutover *cutover, pgc_buffer *report, int64_t *differences, pgconvoy_error *err)
{
    if (wait_for_lag(cutover, err))
        return -1;
    if (cutover->options->reverse && cutover_reverse_prepare(cutover, err))
        return -1;
    if (cutover->options->lock_source && cutover_hold(cutover, err))
        return -1;
    if (drain(cutover, err) || set_sequences(cutover, err))
        return -1;
    pgc_log_info(cutover->options->log, "the stream is drained, and the target's sequences are set");
    if (cutover->options->verify && verify(cutover, report, differences, err))
        return -1;
    if (*differences) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "source and target differ: the switch is given up");
        pgconvoy_error_hint(err, "mend what differs (pgconvoy verify --repair sql), then run cutover again");
        return -1;
    }
    if (cutover->holds && cutover_hold_check(cutover, err))
        return -1;
    if (cutover_stopped(cutover, err) || (cutover->options->reverse && cutover_reverse_begin_here(cutover, err)))
        return -1;
    return cutover_open_target(cutover, err);
}

static void give_up(pgc_cutover *cutover)
{
    pgconvoy_error err = {0};
    cutover_reverse_give_up(cutover);
    if (cutover->holds && PQstatus(cutover->source) != CONNECTION_OK) {
        PQfinish(cutover->source);
        cutover->source = cutover_connect(cutover, cutover->options->source, "source", &err);
    }
    if (cutover->holds && (!cutover->source || cutover_release(cutover, &err)))
        pgc_log_error(cutover->options->log, "the source is still read-only: %s; run pgconvoy cutover %s --undo",
                      err.message, cutover->options->name);
}

int pgc_cutover_run(pgc_cutover *cutover, pgc_buffer *report, int64_t *differences, pgconvoy_error *err)
{
    const pgc_cutover_options *options = cutover->options;
    *differences = 0;
    if (!(cutover->source = cutover_connect(cutover, options->source, "source", err)))
        return -1;
    if (options->undo)
        return cutover_release(cutover, err);
    if (!(cutover->target = cutover_connect(cutover, options->target, "target", err)))
        return -1;
    if (verify_flow_find(&cutover->flow, cutover->source, cutover->target, cutover->slot, cutover->publication, err) ||
        cutover_check(cutover, err) || (options->reverse && cutover_reverse_check(cutover, err)))
        return -1;
    if (options->dry_run) {
        say_plan(cutover, report);
        return 0;
    }
    if (switch_over(cutover, report, differences, err)) {
        give_up(cutover);
        return -1;
    }
    say_end(cutover, report);
    return 0;
}
