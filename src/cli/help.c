/* Help texts and the tables of docs/commands.md, all from the rows of commands, options and sinks. */
#include "cli/cli.h"
#include "cli/dump.h"
#include "cli/restore.h"

#include <stdio.h>

#define OPTION_WIDTH 30

/* The left column of a list; a text that is too wide for it has a line of its own. Some have an ellipsis: three bytes,
 * one column. */
static void add_padded(pgc_buffer *out, const char *text, int width)
{
    int left = width;
    for (const char *c = text; *c; c++)
        left -= ((unsigned char)*c & 0xC0) != 0x80;
    if (left >= 0)
        pgc_buffer_format(out, "  %s%*s  ", text, left, "");
    else
        pgc_buffer_format(out, "  %s\n  %*s  ", text, width, "");
}

static void add_sinks(pgc_buffer *out)
{
    pgc_buffer_text(out,
                    "\nSOURCE\n  postgres://…, host=… dbname=…   a PostgreSQL server, as libpq takes it\n\nTARGET\n");
    for (const pgconvoy_sink *const *sink = pgconvoy_sinks(); *sink; sink++) {
        add_padded(out, (*sink)->target_help, OPTION_WIDTH);
        pgc_buffer_format(out, "%s\n", (*sink)->description);
    }
}

void cli_help_general(pgc_buffer *out)
{
    pgc_buffer_format(out, "pgconvoy %s copies and streams PostgreSQL databases.\n\n", pgconvoy_version());
    pgc_buffer_text(out, "usage: pgconvoy COMMAND [OPTION…] SOURCE [TARGET]\n\nCOMMAND\n");
    for (const cli_command *command = cli_commands; command->name; command++) {
        char left[64];
        snprintf(left, sizeof left, "%s %s", command->name, command->operands);
        if (command->run)
            pgc_buffer_format(out, "  %-30s  %s\n", left, command->help);
    }
    add_sinks(out);
    pgc_buffer_text(
        out,
        "\npgconvoy COMMAND --help lists the command's options; pgconvoy --version says which version this is.\n"
        "Exit status: 0 done, 1 failed (the last line on standard error says why), 2 the command line was wrong,\n"
        "3 check has a failed item.\n");
}

static void add_option(void *arg, const pgconvoy_option *option)
{
    pgc_buffer *out = arg;
    char left[96];
    snprintf(left, sizeof left, "%c%c%c --%s%s%s", option->letter ? '-' : ' ', option->letter ? option->letter : ' ',
             option->letter ? ',' : ' ', option->name, option->argument ? " " : "",
             option->argument ? option->argument : "");
    add_padded(out, left, OPTION_WIDTH);
    pgc_buffer_text(out, option->help);
    if (option->argument && option->default_text)
        pgc_buffer_format(out, " (default: %s)", option->default_text);
    pgc_buffer_byte(out, '\n');
}

void cli_help_command(const cli_command *command, pgc_buffer *out)
{
    if (command->run == cli_run_dump) {
        cli_dump_help("pgconvoy dump", out);
        return;
    }
    if (command->run == cli_run_restore) {
        cli_restore_help("pgconvoy restore", out);
        return;
    }
    pgc_buffer_format(out, "usage: pgconvoy %s [OPTION…] %s\n\n%s\n\nOPTION\n", command->name, command->operands,
                      command->help);
    cli_options_walk(command->kind, add_option, out);
    if (command->kind & CLI_MOVE)
        add_sinks(out);
}

/* Text of a table's cell: a bar would end it. */
static void add_cell(pgc_buffer *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            pgc_buffer_byte(out, '\\');
        pgc_buffer_byte(out, *text);
    }
}

static void add_option_row(void *arg, const pgconvoy_option *option)
{
    pgc_buffer *out = arg;
    pgc_buffer_text(out, "| ");
    if (option->letter)
        pgc_buffer_format(out, "`-%c`, ", option->letter);
    pgc_buffer_format(out, "`--%s", option->name);
    if (option->argument) {
        pgc_buffer_byte(out, ' ');
        add_cell(out, option->argument);
    }
    pgc_buffer_text(out, "` | ");
    add_cell(out, option->help);
    pgc_buffer_text(out, " | ");
    add_cell(out, option->default_text ? option->default_text : "");
    pgc_buffer_text(out, " |\n");
}

void cli_help_markdown(pgc_buffer *out)
{
    pgc_buffer_text(out, "## Commands\n\n| command | does |\n|---|---|\n");
    for (const cli_command *command = cli_commands; command->name; command++)
        if (command->run) {
            pgc_buffer_format(out, "| `%s ", command->name);
            add_cell(out, command->operands);
            pgc_buffer_format(out, "` | %s |\n", command->help);
        }
    static const struct {
        const char *title;
        unsigned kind;
    } parts[] = {{"Options of `sync`, `copy` and `stream`", CLI_MOVE},
                 {"Options of `sync` and `stream` alone", CLI_STREAMS},
                 {"Options of `copy` alone, for a database into PostgreSQL", CLI_COPY},
                 {"Options of `check`, beside those of `sync` and `copy`", CLI_CHECK},
                 {"Options of `plan`", CLI_PLAN},
                 {"Options of `link`", CLI_LINK},
                 {"Options of `subscribe`", CLI_SUBSCRIBE},
                 {"Options of `verify`", CLI_VERIFY},
                 {"Options of `cutover`", CLI_CUTOVER},
                 {"Options of `status`", CLI_STATUS},
                 {"Options of `drop`", CLI_DROP}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        pgc_buffer_format(out, "\n## %s\n\n| option | meaning | default |\n|---|---|---|\n", parts[i].title);
        cli_options_walk(parts[i].kind, add_option_row, out);
    }
    cli_dump_markdown(out);
    cli_restore_markdown(out);
    pgc_buffer_text(out, "\n## Targets\n\n| target | is |\n|---|---|\n");
    for (const pgconvoy_sink *const *sink = pgconvoy_sinks(); *sink; sink++)
        pgc_buffer_format(out, "| `%s` | %s |\n", (*sink)->target_help, (*sink)->description);
}
