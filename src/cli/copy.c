/*
 * copy: into a PostgreSQL server the whole database, schema and rows, is cloned (src/clone); into all other targets, and where a publication chooses what is copied, rows go through the pipeline as those of a sync do.
 */
#include "cli/check.h"
#include "cli/console.h"
#include "cli/copy_options.h"
#include "cli/copy_state.h"
#include "cli/stop_signals.h"

#include "base/log.h"
#include "postgres/connection.h"

#include <stdio.h>

typedef struct copy {
    cli_stop_signals signals;
    cli_console *console;
    pgconvoy_log log;
    cli_copy_options options;
    cli_copy_state state; /* for `status` */
    pgc_clone *clone;
} copy;

/* What a publication has is what its pipeline copies. */
static bool is_of_pipeline(const cli_arguments *arguments)
{
    static const char *const names[] = {"publication", "slot", "partitions", NULL};
    for (const char *const *name = names; *name; name++)
        if (cli_setting_value(arguments, *name))
            return true;
    return !pgc_connection_is_uri(arguments->operands[1]) || !pgc_connection_is_uri(arguments->operands[0]);
}

/* An option that only a clone knows would otherwise be taken without meaning anything. */
static int refuse_options(const cli_arguments *arguments, pgconvoy_error *err)
{
    for (size_t i = 0; i < arguments->setting_count; i++)
        for (const cli_option *row = cli_options; row->option.name; row++)
            if (&row->option == arguments->settings[i].option && (row->kinds & (CLI_COPY | CLI_MOVE)) == CLI_COPY) {
                pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "--%s is for copies of a database into PostgreSQL", row->option.name);
                pgconvoy_error_hint(err, "leave it out");
                return -1;
            }
    return 0;
}

static void on_progress(void *arg, const pgconvoy_progress *progress)
{
    copy *copy = arg;
    cli_console_progress(copy->console, copy->options.clone.name, progress);
    cli_copy_state_say(&copy->state, progress);
}

static int on_plan_line(void *arg, const char *line)
{
    (void)arg;
    return puts(line) < 0 ? -1 : 0;
}

static void on_signal(void *arg)
{
    copy *copy = arg;
    pgc_clone_stop(copy->clone);
    cli_console_log(copy->console, PGCONVOY_LOG_INFO, "asked to stop: what is under way is undone");
}

static int run_clone(copy *copy, pgconvoy_error *err)
{
    copy->log = (pgconvoy_log){.write = cli_console_log, .arg = copy->console};
    copy->options.clone.log = &copy->log;
    copy->options.clone.progress = copy->options.clone.dry_run ? NULL : on_progress;
    copy->options.clone.progress_arg = copy;
    copy->options.clone.progress_interval_ms = cli_console_interval_ms(copy->console);
    copy->options.clone.plan_line = on_plan_line;
    copy->clone = pgc_clone_new(&copy->options.clone, err);
    if (!copy->clone)
        return -1;
    copy->signals.stop = on_signal;
    copy->signals.arg = copy;
    int result = -1;
    if (cli_stop_signals_wait(&copy->signals))
        result = pgc_clone_run(copy->clone, err);
    else
        pgconvoy_error_set(err, PGCONVOY_ERROR_RESOURCE, "cannot start a thread");
    cli_stop_signals_end(&copy->signals);
    pgc_clone_free(copy->clone);
    return result;
}

int cli_run_copy(const cli_command *command, cli_arguments *arguments, pgconvoy_error *err)
{
    if (is_of_pipeline(arguments))
        return refuse_options(arguments, err) ? CLI_EXIT_USAGE : cli_run_move(command, arguments, err);
    copy copy = {0};
    cli_stop_signals_block(&copy.signals);
    copy.console = cli_console_new(command->name, arguments, err);
    int result = copy.console ? 0 : -1;
    if (result == 0)
        result = pgc_connection_check_uri(arguments->operands[0], err) || pgc_connection_check_uri(arguments->operands[1], err) ? -1 : 0;
    if (result == 0)
        result = cli_copy_options_set(&copy.options, arguments, err);
    if (result == 0 && !copy.options.clone.skip_unavailable) /* it goes on without what such a check finds */
        result = cli_check_at_start(arguments, PGC_CHECK_CLONE, err);
    if (result == 0 && !copy.options.clone.dry_run)
        result = cli_copy_state_begin(&copy.state, arguments, copy.options.clone.name, err);
    if (result == 0)
        result = run_clone(&copy, err);
    cli_copy_state_end(&copy.state);
    cli_copy_options_free(&copy.options);
    cli_console_free(copy.console);
    if (result == 0)
        return CLI_EXIT_OK;
    return err->code == PGCONVOY_ERROR_USAGE ? CLI_EXIT_USAGE : CLI_EXIT_FAILED;
}
