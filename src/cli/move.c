/* sync, stream, and copy through the pipeline: a pipeline run until it is done or a signal asks it to stop. */
#include "cli/cli.h"
#include "cli/check.h"
#include "cli/console.h"
#include "cli/progress.h"
#include "cli/stop_signals.h"

#include "base/clock.h"
#include "pipeline/ddl_trial.h"
#include "pipeline/overrule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STATUS_INTERVAL_US INT64_C(1000000)

typedef struct move {
    pgconvoy_pipeline *pipeline;
    cli_console *console;
    char *state_dir;
    cli_stop_signals signals;
    /* of the progress thread: status.json */
    int64_t status_us;
    pgconvoy_phase status_phase;
    cli_meter rows, bytes, changes, source_bytes;
} move;

static void on_signal(void *arg)
{
    move *move = arg;
    pgconvoy_pipeline_stop(move->pipeline);
    cli_console_log(move->console, PGCONVOY_LOG_INFO, "asked to stop: finishing what is under way");
}

/* status.json for `pgconvoy status`. Only once the pipeline has its folder to itself, which it has when it has begun to
 * move something. */
static void write_status(move *move, const char *name, const pgconvoy_progress *progress)
{
    int64_t now = pgc_clock_monotonic_us();
    cli_rates rates = {.rows_per_s = cli_meter_update(&move->rows, now, progress->rows_copied),
                       .bytes_per_s = cli_meter_update(&move->bytes, now, progress->bytes_copied),
                       .changes_per_s = cli_meter_update(&move->changes, now, progress->changes)};
    if (progress->source_lsn)
        rates.source_bytes_per_s = cli_meter_update(&move->source_bytes, now, (int64_t)progress->source_lsn);
    if (progress->phase == PGCONVOY_PHASE_STARTING)
        return;
    if (progress->phase == move->status_phase && now - move->status_us < STATUS_INTERVAL_US)
        return;
    pgconvoy_error err;
    char *path = cli_state_path(move->state_dir, name, "status.json", &err);
    if (!path)
        return;
    pgc_buffer text;
    pgc_buffer_init(&text, (size_t)256 << 20);
    cli_progress_json(name, progress, &rates, true, &text);
    pgc_buffer_byte(&text, '\n');
    if (!text.failed)
        (void)cli_write_file(path, &text); /* a status that cannot be written does not stop the work */
    pgc_buffer_free(&text);
    free(path);
    move->status_us = now;
    move->status_phase = progress->phase;
}

static void on_progress(void *arg, const pgconvoy_progress *progress)
{
    move *move = arg;
    const char *name = pgconvoy_pipeline_name(move->pipeline);
    cli_console_progress(move->console, name, progress);
    write_status(move, name, progress);
}

static int set_options(pgconvoy_pipeline *pipeline, const cli_arguments *arguments, pgconvoy_error *err)
{
    for (size_t i = 0; i < arguments->setting_count; i++) {
        const cli_setting *setting = &arguments->settings[i];
        if (setting->is_pipelines && pgconvoy_pipeline_set(pipeline, setting->option->name, setting->value, err) != 0)
            return -1;
    }
    return 0;
}

static pgc_check_job job_of(pgconvoy_action action)
{
    return action == PGCONVOY_COPY ? PGC_CHECK_COPY : action == PGCONVOY_STREAM ? PGC_CHECK_STREAM : PGC_CHECK_SYNC;
}

static void print_line(void *arg, const char *line)
{
    (void)arg;
    puts(line);
}

/* --ddl-dry-run: what the pipeline would do, instead of running it. */
static int try_ddl(move *move, const char *text, pgconvoy_error *err)
{
    bool stops;
    int result = pgc_pipeline_try_ddl(move->pipeline, text, print_line, NULL, &stops, err);
    if (stops)
        puts("  would stop the pipeline");
    return result == 0 ? CLI_EXIT_OK : stops ? CLI_EXIT_DIFFERS : CLI_EXIT_FAILED;
}

int cli_run_move(const cli_command *command, cli_arguments *arguments, pgconvoy_error *err)
{
    move move = {0};
    int result = -1, exit = CLI_EXIT_FAILED;
    cli_stop_signals_block(&move.signals);
    move.console = cli_console_new(command->name, arguments, err);
    move.state_dir = move.console ? cli_state_dir(arguments, err) : NULL;
    if (!move.state_dir)
        goto done;
    move.pipeline = pgconvoy_pipeline_new(arguments->operands[0], arguments->operands[1], err);
    if (!move.pipeline || set_options(move.pipeline, arguments, err) != 0)
        goto done;
    if (cli_skips_check(arguments, "replica_identity"))
        pgc_pipeline_allow_any_identity(move.pipeline);
    if (cli_skips_check(arguments, "disk_space"))
        pgc_pipeline_allow_little_room(move.pipeline);
    if (cli_setting_value(arguments, "ddl-dry-run")) {
        pgconvoy_pipeline_on_log(move.pipeline, cli_console_log, move.console);
        exit = try_ddl(&move, cli_setting_value(arguments, "ddl-dry-run"), err);
        result = exit == CLI_EXIT_OK ? 0 : -1;
        goto done;
    }
    if (cli_check_at_start(arguments, job_of(command->action), err) != 0)
        goto done;
    pgconvoy_pipeline_on_log(move.pipeline, cli_console_log, move.console);
    pgconvoy_pipeline_on_progress(move.pipeline, cli_console_interval_ms(move.console), on_progress, &move);
    move.signals.stop = on_signal;
    move.signals.arg = &move;
    if (!cli_stop_signals_wait(&move.signals)) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_RESOURCE, "cannot start a thread");
        pgconvoy_error_hint(err, "raise the limit of processes for this user");
        goto done;
    }
    result = pgconvoy_pipeline_run(move.pipeline, command->action, err);
done:
    cli_stop_signals_end(&move.signals);
    pgconvoy_pipeline_free(move.pipeline);
    cli_console_free(move.console);
    free(move.state_dir);
    if (result == 0)
        return CLI_EXIT_OK;
    return err->code == PGCONVOY_ERROR_USAGE ? CLI_EXIT_USAGE : exit;
}
