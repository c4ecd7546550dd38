/*
 * drop: removes what a pipeline left. Its two ends are those it noted in its state folder, unless they are given.
 * Passwords are not in that note; they come from PGPASSWORD, .pgpass or a service file, or from operands.
 */
#include "cli/cli.h"
#include "cli/console.h"

#include "pipeline/options.h"
#include "postgres/connection.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct ends {
    char *name, *source, *target;
    char *slot, *publication; /* as noted; NULL where they have the names that the pipeline's name gives */
} ends;

static void free_ends(ends *ends)
{
    free(ends->name);
    free(ends->source);
    free(ends->target);
    free(ends->slot);
    free(ends->publication);
}

static char *copy_or_note(const char *operand, const char *dir, const char *name, const char *key)
{
    return operand ? strdup(operand) : cli_pipeline_note(dir, name, key);
}

/* `drop NAME [SOURCE [TARGET]]`, and `drop SOURCE TARGET [--name NAME]` as the moving commands are written. */
static int find_ends(const cli_arguments *arguments, const char *dir, ends *ends, pgconvoy_error *err)
{
    char *const *operands = arguments->operands;
    size_t count = arguments->operand_count;
    const char *name = cli_setting_value(arguments, "name");
    char derived[64];
    if (pgc_connection_is_uri(operands[0])) {
        if (count != 2) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "drop with a SOURCE needs its TARGET too, and no more");
            pgconvoy_error_hint(err, "write pgconvoy drop SOURCE TARGET, or pgconvoy drop NAME");
            return -1;
        }
        if (!name)
            pgc_options_derive_name(operands[0], operands[1], derived);
        ends->name = strdup(name ? name : derived);
        ends->source = strdup(operands[0]);
        ends->target = strdup(operands[1]);
        return ends->name && ends->source && ends->target ? 0 : pgc_error_out_of_memory(err);
    }
    ends->name = strdup(operands[0]);
    if (!ends->name)
        return pgc_error_out_of_memory(err);
    if (strchr(ends->name, '/')) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "\"%s\" is not the name of a pipeline", ends->name);
        pgconvoy_error_hint(err, "pgconvoy status lists the names");
        return -1;
    }
    ends->source = copy_or_note(count > 1 ? operands[1] : NULL, dir, ends->name, "source");
    ends->target = copy_or_note(count > 2 ? operands[2] : NULL, dir, ends->name, "target");
    if (ends->source && ends->target)
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "nothing is known of a pipeline %s in %s", ends->name, dir);
    pgconvoy_error_hint(err, "name its ends (pgconvoy drop %s SOURCE TARGET), or its folder with --state-dir",
                        ends->name);
    return -1;
}

static int drop_pipeline(const ends *ends, const cli_arguments *arguments, cli_console *console, pgconvoy_error *err)
{
    pgconvoy_pipeline *pipeline = pgconvoy_pipeline_new(ends->source, ends->target, err);
    if (!pipeline)
        return -1;
    pgconvoy_pipeline_on_log(pipeline, cli_console_log, console);
    int result = 0;
    for (size_t i = 0; i < arguments->setting_count && result == 0; i++) {
        const cli_setting *setting = &arguments->settings[i];
        if (setting->is_pipelines && strcmp(setting->option->name, "name") != 0)
            result = pgconvoy_pipeline_set(pipeline, setting->option->name, setting->value, err);
    }
    if (result == 0)
        result = pgconvoy_pipeline_set(pipeline, "name", ends->name, err);
    if (result == 0 && ends->slot && !cli_setting_value(arguments, "slot"))
        result = pgconvoy_pipeline_set(pipeline, "slot", ends->slot, err);
    if (result == 0 && ends->publication && !cli_setting_value(arguments, "publication"))
        result = pgconvoy_pipeline_set(pipeline, "publication", ends->publication, err);
    if (result == 0)
        result = pgconvoy_pipeline_drop(pipeline, err);
    pgconvoy_pipeline_free(pipeline);
    return result;
}

int cli_run_drop(const cli_command *command, cli_arguments *arguments, pgconvoy_error *err)
{
    ends ends = {0};
    int result = -1;
    char *dir = cli_state_dir(arguments, err);
    cli_console *console = dir ? cli_console_new(command->name, arguments, err) : NULL;
    if (console && find_ends(arguments, dir, &ends, err) == 0) {
        ends.slot = cli_pipeline_note(dir, ends.name, "slot");
        ends.publication = cli_pipeline_note(dir, ends.name, "publication");
        result = drop_pipeline(&ends, arguments, console, err);
    }
    if (result == 0) {
        char line[160];
        snprintf(line, sizeof line, "pipeline %s is dropped; the tables of the target stay", ends.name);
        cli_console_log(console, PGCONVOY_LOG_INFO, line);
    }
    cli_console_free(console);
    free_ends(&ends);
    free(dir);
    if (result == 0)
        return CLI_EXIT_OK;
    return err->code == PGCONVOY_ERROR_USAGE ? CLI_EXIT_USAGE : CLI_EXIT_FAILED;
}
