/* --help of the dump command, and its table in docs/commands.md. */
#include "cli/dump.h"

#include <stdio.h>

#define NAME_WIDTH 40

static void add_option(pgc_buffer *out, const cli_dump_option *option)
{
    char left[96];
    const char *equals = option->argument ? "=" : "", *argument = option->argument ? option->argument : "";
    if (option->letter)
        snprintf(left, sizeof left, "-%c, --%s%s%s", option->letter, option->name, equals, argument);
    else
        snprintf(left, sizeof left, "--%s%s%s", option->name, equals, argument);
    if (strlen(left) > NAME_WIDTH)
        pgc_buffer_format(out, "  %s\n  %-*s %s\n", left, NAME_WIDTH, "", option->help);
    else
        pgc_buffer_format(out, "  %-*s %s\n", NAME_WIDTH, left, option->help);
}

void cli_dump_help(const char *program, pgc_buffer *out)
{
    static const char *const titles[] = {"General options", "Options controlling the output content", "Connection options"};
    pgc_buffer_format(out,
                      "%s dumps a database as SQL or as an archive, as pg_dump does.\n\nUsage:\n  %s [OPTION]... [DBNAME]\n", program,
                      program);
    for (unsigned group = CLI_DUMP_GENERAL; group < CLI_DUMP_HIDDEN; group++) {
        pgc_buffer_format(out, "\n%s:\n", titles[group]);
        for (const cli_dump_option *option = cli_dump_options; option->name; option++)
            if (option->group == group)
                add_option(out, option);
    }
    pgc_buffer_text(out, "\nIf no database name is supplied, then the PGDATABASE environment\nvariable value is used.\n");
}

static void add_cell(pgc_buffer *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            pgc_buffer_byte(out, '\\');
        pgc_buffer_byte(out, *text);
    }
}

void cli_dump_markdown(pgc_buffer *out)
{
    pgc_buffer_text(out, "\n## Options of `dump`\n\n| option | meaning |\n|---|---|\n");
    for (const cli_dump_option *option = cli_dump_options; option->name; option++) {
        if (option->group == CLI_DUMP_HIDDEN)
            continue;
        pgc_buffer_text(out, "| ");
        if (option->letter)
            pgc_buffer_format(out, "`-%c`, ", option->letter);
        pgc_buffer_format(out, "`--%s", option->name);
        if (option->argument)
            pgc_buffer_format(out, "=%s", option->argument);
        pgc_buffer_text(out, "` | ");
        add_cell(out, option->help);
        pgc_buffer_text(out, " |\n");
    }
}
