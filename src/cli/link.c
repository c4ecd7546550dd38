/* link: foreign tables, made and undone (src/native/link.h). */
#include "cli/check.h"
#include "cli/console.h"
#include "cli/native_password.h"

#include "postgres/connection.h"

#include "native/link.h"

#include <stdio.h>
#include <stdlib.h>

static int print_line(void *arg, const char *line)
{
    (void)arg;
    return puts(line) < 0 ? -1 : 0;
}

/* The values of an option that may be repeated; the array is malloc'ed, the texts stay the arguments' own. */
static int gather(const cli_arguments *arguments, const char *name, char ***values, size_t *count, pgconvoy_error *err)
{
    *values = calloc(arguments->setting_count + 1, sizeof **values);
    if (!*values)
        return pgc_error_out_of_memory(err);
    for (size_t i = 0; i < arguments->setting_count; i++)
        if (strcmp(arguments->settings[i].option->name, name) == 0)
            (*values)[(*count)++] = arguments->settings[i].value;
    return 0;
}

int cli_run_link(const cli_command *command, cli_arguments *arguments, pgconvoy_error *err)
{
    pgc_options settings = {0};
    char *password = NULL, **copies = NULL;
    size_t copy_count = 0;
    pgc_buffer json;
    pgc_buffer_init(&json, 64 << 20);
    cli_console *console = cli_console_new(command->name, arguments, err);
    pgconvoy_log log = {.write = cli_console_log, .arg = console};
    int result = console ? 0 : -1;
    if (result == 0)
        result = pgc_connection_check_uri(arguments->operands[0], err) ||
                 pgc_connection_check_uri(arguments->operands[1], err) ||
                 cli_pipeline_settings(arguments, &settings, err) || cli_native_password(arguments, &password, err) ||
                 gather(arguments, "materialize", &copies, &copy_count, err);
    if (result == 0) {
        bool wants_json = cli_setting_value(arguments, "json") && !settings.dry_run;
        pgc_link_options options = {.source = arguments->operands[0],
                                    .target = arguments->operands[1],
                                    .into = cli_setting_value(arguments, "into"),
                                    .via = cli_setting_value(arguments, "via"),
                                    .password = password,
                                    .choice = cli_choice(&settings),
                                    .writable = cli_setting_value(arguments, "writable") != NULL,
                                    .drop = cli_setting_value(arguments, "drop") != NULL,
                                    .dry_run = settings.dry_run,
                                    .materialize = copies,
                                    .materialize_count = copy_count,
                                    .log = &log,
                                    .line = print_line,
                                    .json = wants_json ? &json : NULL};
        result = pgc_link_run(&options, err);
        if (result == 0 && wants_json)
            result = cli_print(&json, err);
    }
    pgc_buffer_free(&json);
    free(copies);
    cli_native_password_free(password);
    pgc_options_free(&settings);
    cli_console_free(console);
    if (result == 0)
        return CLI_EXIT_OK;
    return err->code == PGCONVOY_ERROR_USAGE ? CLI_EXIT_USAGE : CLI_EXIT_FAILED;
}
