/*
 * copy: into a PostgreSQL server the whole database, schema and rows, is cloned (src/clone); into all other targets, and where a publication chooses what is copied, rows go through the pipeline as those of a sync do.
 */
#include "cli/cli.h"
#include "cli/console.h"
#include "cli/stop_signals.h"

#include "base/log.h"
#include "clone/clone.h"
#include "pipeline/options.h"
#include "postgres/connection.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct copy {
    cli_stop_signals signals;
    cli_console *console;
    pgconvoy_log log;
    pgc_options settings; /* those that a copy shares with the pipeline's */
    pgc_clone_options options;
    pgc_clone *clone;
    char name[64];
    char **excluded; /* schemas, and ours among them */
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
            if (&row->option == arguments->settings[i].option && row->kinds == CLI_COPY) {
                pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "--%s is for copies of a database into PostgreSQL", row->option.name);
                pgconvoy_error_hint(err, "leave it out");
                return -1;
            }
    return 0;
}

static bool is_on(const cli_arguments *arguments, const char *name)
{
    const char *value = cli_setting_value(arguments, name);
    return value && strcmp(value, "false") != 0;
}

static int set_index_jobs(copy *copy, const cli_arguments *arguments, pgconvoy_error *err)
{
    const char *text = cli_setting_value(arguments, "index-jobs");
    char *end = NULL;
    copy->options.index_jobs = text ? (int)strtol(text, &end, 10) : copy->settings.jobs;
    if (!text || (end != text && !*end && copy->options.index_jobs >= 1 && copy->options.index_jobs <= 256))
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "--index-jobs cannot be \"%s\"", text);
    pgconvoy_error_hint(err, "give a whole number from 1 to 256");
    return -1;
}

static pgc_names names_of(const pgc_string_list *list)
{
    return (pgc_names){.items = list->items, .count = (int)list->count};
}

/* The schema in which pgconvoy keeps its own state is nobody's data. */
static int exclude_own_schema(copy *copy, pgconvoy_error *err)
{
    const pgc_string_list *given = &copy->settings.exclude_schemas;
    copy->excluded = calloc(given->count + 1, sizeof *copy->excluded);
    if (!copy->excluded)
        return pgc_error_out_of_memory(err);
    for (size_t i = 0; i < given->count; i++)
        copy->excluded[i] = given->items[i];
    copy->excluded[given->count] = (char *)"pgconvoy";
    copy->options.dump.exclude_schemas = (pgc_names){.items = copy->excluded, .count = (int)given->count + 1};
    return 0;
}

static int set_options(copy *copy, const cli_arguments *arguments, pgconvoy_error *err)
{
    pgc_options_init(&copy->settings);
    for (size_t i = 0; i < arguments->setting_count; i++)
        if (arguments->settings[i].is_pipelines && pgc_options_set(&copy->settings, arguments->settings[i].option->name, arguments->settings[i].value, err))
            return -1;
    pgc_options_derive_name(arguments->operands[0], arguments->operands[1], copy->name);
    copy->options = (pgc_clone_options){
        .source = arguments->operands[0],
        .target = arguments->operands[1],
        .name = copy->settings.name ? copy->settings.name : copy->name,
        .jobs = copy->settings.jobs,
        .if_exists = copy->settings.if_exists,
        .consistent = is_on(arguments, "consistent"),
        .roles = is_on(arguments, "roles"),
        .dry_run = copy->settings.dry_run,
        .retry_for_us = copy->settings.retry_for_us,
        .log = &copy->log,
        .dump = {.include_tables = names_of(&copy->settings.include_tables),
                 .exclude_tables = names_of(&copy->settings.exclude_tables),
                 .include_schemas = names_of(&copy->settings.include_schemas),
                 .strict_names = true,
                 .no_owner = is_on(arguments, "no-owner"),
                 .no_acl = is_on(arguments, "no-acl"),
                 .no_comments = is_on(arguments, "no-comments"),
                 .no_publications = is_on(arguments, "no-publications"),
                 .no_subscriptions = is_on(arguments, "no-subscriptions"),
                 .no_security_labels = is_on(arguments, "no-security-labels"),
                 .no_tablespaces = is_on(arguments, "no-tablespaces"),
                 .no_large_objects = is_on(arguments, "no-large-objects")},
    };
    return exclude_own_schema(copy, err) || set_index_jobs(copy, arguments, err) ? -1 : 0;
}

static void on_progress(void *arg, const pgconvoy_progress *progress)
{
    copy *copy = arg;
    cli_console_progress(copy->console, copy->options.name, progress);
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
    copy->options.progress = copy->options.dry_run ? NULL : on_progress;
    copy->options.progress_arg = copy;
    copy->options.progress_interval_ms = cli_console_interval_ms(copy->console);
    copy->options.plan_line = on_plan_line;
    copy->clone = pgc_clone_new(&copy->options, err);
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
        result = set_options(&copy, arguments, err);
    if (result == 0)
        result = run_clone(&copy, err);
    pgc_options_free(&copy.settings);
    free(copy.excluded);
    cli_console_free(copy.console);
    if (result == 0)
        return CLI_EXIT_OK;
    return err->code == PGCONVOY_ERROR_USAGE ? CLI_EXIT_USAGE : CLI_EXIT_FAILED;
}
