/* verify: what differs between two databases, on standard output; exit status 3 when anything does. */
#include "cli/check.h"
#include "cli/cli.h"
#include "cli/console.h"
#include "cli/copy_options.h"
#include "cli/stop_signals.h"

#include "base/log.h"
#include "inspect/verify/verify.h"
#include "pipeline/options.h"
#include "postgres/connection.h"
#include "sink/comparer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define DEFAULT_REPAIR_FILE "pgconvoy-repair.sql"

typedef struct verify {
    cli_stop_signals signals;
    cli_console *console;
    pgconvoy_log log;
    pgc_options settings; /* those that it shares with pipelines */
    pgc_verify_options options;
    pgc_verify *verify;
    char name[64];
    char *state_dir;
    char **where;
    pgc_mapping *mapping;
} verify;

static bool is_on(const cli_arguments *arguments, const char *name)
{
    const char *value = cli_setting_value(arguments, name);
    return value && strcmp(value, "false") != 0;
}

static int read_number(const cli_arguments *arguments, const char *name, double least, double most, double *number,
                       pgconvoy_error *err)
{
    const char *text = cli_setting_value(arguments, name);
    char *end = NULL;
    if (!text)
        return 0;
    double value = strtod(text, &end);
    if (end != text && !*end && isfinite(value) && value >= least && value <= most) {
        *number = value;
        return 0;
    }
    pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "--%s cannot be \"%s\"", name, text);
    pgconvoy_error_hint(err, "give a number from %g to %g", least, most);
    return -1;
}

/* --where may be given for many tables; so may other names, as for a copy. */
static int take_names(verify *verify, const cli_arguments *arguments, pgconvoy_error *err)
{
    verify->options.mapping = verify->mapping = pgc_mapping_new(err);
    if (!verify->mapping)
        return -1;
    verify->where = calloc(arguments->setting_count + 1, sizeof *verify->where);
    if (!verify->where)
        return pgc_error_out_of_memory(err);
    pgc_names *where = &verify->options.where;
    where->items = verify->where;
    for (size_t i = 0; i < arguments->setting_count; i++)
        if (strcmp(arguments->settings[i].option->name, "where") == 0)
            where->items[where->count++] = arguments->settings[i].value;
        else if (cli_mapping_take(verify->mapping, &arguments->settings[i], err))
            return -1;
    if (pgc_mapping_is_empty(verify->mapping) || pgc_connection_is_uri(arguments->operands[1]))
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "other names are for PostgreSQL targets");
    pgconvoy_error_hint(err, "leave out --map-schema, --map-table, --map-column and --columns");
    return -1;
}

static int take_numbers(verify *verify, const cli_arguments *arguments, pgconvoy_error *err)
{
    double sample = 100, show = 20, wait = 60;
    if (read_number(arguments, "sample", 0.001, 100, &sample, err) ||
        read_number(arguments, "show", 0, 1e6, &show, err) || read_number(arguments, "wait", 0, 86400, &wait, err))
        return -1;
    verify->options.sample = sample;
    verify->options.show = (int)show;
    verify->options.wait_us = (int64_t)(wait * 1e6);
    return 0;
}

static int set_options(verify *verify, const cli_arguments *arguments, pgconvoy_error *err)
{
    for (size_t i = 0; i < arguments->setting_count; i++)
        if (arguments->settings[i].is_pipelines &&
            pgc_options_set(&verify->settings, arguments->settings[i].option->name, arguments->settings[i].value, err))
            return -1;
    const pgc_options *settings = &verify->settings;
    const char *file = cli_setting_value(arguments, "repair-file");
    pgc_options_derive_name(arguments->operands[0], arguments->operands[1], verify->name);
    verify->state_dir = cli_state_dir(arguments, err);
    if (!verify->state_dir)
        return -1;
    verify->log = (pgconvoy_log){.write = cli_console_log, .arg = verify->console};
    verify->options = (pgc_verify_options){
        .source = arguments->operands[0],
        .target = arguments->operands[1],
        .name = settings->name ? settings->name : verify->name,
        .slot = settings->slot,
        .publication = settings->publication,
        .choice = cli_choice(settings),
        .jobs = settings->jobs,
        .no_schema = is_on(arguments, "no-schema"),
        .no_sequences = is_on(arguments, "no-sequences"),
        .no_rows = is_on(arguments, "no-rows"),
        .large_objects = is_on(arguments, "large-objects"),
        .no_large_objects = is_on(arguments, "no-large-objects"),
        .restart = is_on(arguments, "restart"),
        .repair = cli_setting_value(arguments, "repair") ? file ? file : DEFAULT_REPAIR_FILE : NULL,
        .state_dir = verify->state_dir,
        .memory_bytes = settings->memory_bytes,
        .log = &verify->log,
        .dump = {.no_owner = is_on(arguments, "no-owner"),
                 .no_acl = is_on(arguments, "no-acl"),
                 .no_comments = is_on(arguments, "no-comments"),
                 .no_publications = is_on(arguments, "no-publications"),
                 .no_security_labels = is_on(arguments, "no-security-labels"),
                 .no_tablespaces = is_on(arguments, "no-tablespaces"),
                 .no_policies = is_on(arguments, "no-policies")},
    };
    return take_names(verify, arguments, err) || take_numbers(verify, arguments, err) ? -1 : 0;
}

static void on_signal(void *arg)
{
    verify *verify = arg;
    pgc_verify_stop(verify->verify);
    cli_console_log(verify->console, PGCONVOY_LOG_INFO, "asked to stop");
}

static int print(const verify *verify, bool json, pgconvoy_error *err)
{
    pgc_buffer text;
    pgc_buffer_init(&text, (size_t)1 << 30);
    if (json)
        pgc_verify_json(verify->verify, &text);
    else
        pgc_verify_report(verify->verify, &text);
    int result = pgc_buffer_check(&text, err);
    if (result == 0 && (fwrite(text.data, 1, text.length, stdout) != text.length || fflush(stdout))) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_RESOURCE, "the report could not be written to standard output");
        result = -1;
    }
    pgc_buffer_free(&text);
    return result;
}

static int run(verify *verify, const cli_arguments *arguments, int64_t *differences, pgconvoy_error *err)
{
    verify->verify = pgc_verify_new(&verify->options, err);
    if (!verify->verify)
        return -1;
    verify->signals.stop = on_signal;
    verify->signals.arg = verify;
    int result = -1;
    if (cli_stop_signals_wait(&verify->signals))
        result = pgc_verify_run(verify->verify, differences, err);
    else
        pgconvoy_error_set(err, PGCONVOY_ERROR_RESOURCE, "cannot start a thread");
    cli_stop_signals_end(&verify->signals);
    if (result == 0)
        result = print(verify, is_on(arguments, "json"), err);
    pgc_verify_free(verify->verify);
    return result;
}

static int check_ends(const cli_arguments *arguments, pgconvoy_error *err)
{
    if (pgc_connection_check_uri(arguments->operands[0], err))
        return -1;
    const char *target = arguments->operands[1];
    if (pgc_connection_is_uri(target))
        return pgc_connection_check_uri(target, err);
    return pgc_comparer_for_target(target, err) ? 0 : -1;
}

int cli_run_verify(const cli_command *command, cli_arguments *arguments, pgconvoy_error *err)
{
    verify verify = {0};
    int64_t differences = 0;
    cli_stop_signals_block(&verify.signals);
    pgc_options_init(&verify.settings);
    verify.console = cli_console_new(command->name, arguments, err);
    int result = verify.console ? check_ends(arguments, err) : -1;
    if (result == 0)
        result = set_options(&verify, arguments, err);
    if (result == 0)
        result = run(&verify, arguments, &differences, err);
    pgc_options_free(&verify.settings);
    free(verify.state_dir);
    free(verify.where);
    pgc_mapping_free(verify.mapping);
    cli_console_free(verify.console);
    if (result == 0)
        return differences ? CLI_EXIT_DIFFERS : CLI_EXIT_OK;
    return err->code == PGCONVOY_ERROR_USAGE ? CLI_EXIT_USAGE : CLI_EXIT_FAILED;
}
