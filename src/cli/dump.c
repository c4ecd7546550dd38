/* The dump command, also under the name pg_dump: pg_dump's command line and messages around pgc_dump. */
#include "cli/dump.h"

#include "cli/cli.h"
#include "cli/pg_signals.h"

#include <stdio.h>
#include <stdlib.h>

#define PROGRAM "pg_dump" /* each message begins with it */

static int print_help(const char *program)
{
    pgc_buffer text;
    pgc_buffer_init(&text, 1 << 20);
    cli_dump_help(program, &text);
    bool done = !text.failed && fputs(text.data, stdout) >= 0 && fflush(stdout) == 0;
    pgc_buffer_free(&text);
    return done ? CLI_EXIT_OK : CLI_EXIT_FAILED;
}

/* pg_dumpall goes on only with a pg_dump that says its own version, to the letter: who wants it to go on with ours says so in the environment. */
static int print_version(void)
{
    const char *as = getenv("PGCONVOY_PG_DUMP_VERSION");
    int written = as && as[0] ? printf("pg_dump (PostgreSQL) %s\n", as) : printf("pg_dump (PostgreSQL) %s (pgconvoy %s)\n", CLI_PG_DUMP_VERSION, pgconvoy_version());
    bool done = written > 0 && fflush(stdout) == 0;
    return done ? CLI_EXIT_OK : CLI_EXIT_FAILED;
}

static int run(cli_dump *dump, pgconvoy_error *err)
{
    int64_t progress_said_us = 0;
    pgc_dump_totals totals = {0};
    if (cli_dump_check(dump, err) != 0)
        return -1;
    dump->options.address.program = PROGRAM;
    dump->options.address.ask_password = cli_pg_ask_password;
    dump->options.progress = dump->verbose ? cli_pg_on_message : NULL;
    dump->options.warning = cli_pg_on_warning;
    dump->options.arg = (void *)PROGRAM;
    dump->output.totals = &totals;
    if (dump->progress) {
        dump->output.progress = cli_dump_on_progress;
        dump->output.progress_arg = &progress_said_us;
    }
    cli_pg_signals signals;
    cli_pg_signals_start(&signals, PROGRAM);
    dump->options.connected = cli_pg_signals_connected;
    dump->options.connected_arg = &signals;
    int result = pgc_dump(&dump->options, &dump->output, err);
    if (cli_pg_signals_came(&signals)) {
        *err = (pgconvoy_error){0};
        result = -1;
    }
    cli_pg_signals_stop(&signals);
    /* "Try --help" stands only where the line could not be understood. */
    if (result != 0 && err->code == PGCONVOY_ERROR_USAGE)
        err->code = PGCONVOY_ERROR_CONFIG;
    if (progress_said_us)
        fputc('\n', stderr);
    if (result == 0 && dump->verbose)
        cli_dump_say_totals(&totals);
    return result;
}

int cli_dump_main(const char *program, int argc, char **argv)
{
    cli_dump dump = {0};
    pgconvoy_error err = {0};
    char **words = cli_pg_copy_words(PROGRAM, argc, argv);
    if (!words)
        return CLI_EXIT_FAILED;
    int status = CLI_EXIT_FAILED;
    if (cli_dump_parse(argc, words, &dump, &err) == 0) {
        if (dump.help)
            status = print_help(program);
        else if (dump.version)
            status = print_version();
        else
            status = run(&dump, &err) == 0 ? CLI_EXIT_OK : CLI_EXIT_FAILED;
    }
    if (err.code != PGCONVOY_OK)
        cli_dump_say_error(&err);
    cli_pg_free(cli_dump_options, &dump);
    cli_pg_free_words(words);
    return status;
}

int cli_run_dump(const cli_command *command, cli_arguments *arguments, pgconvoy_error *err)
{
    (void)arguments;
    pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "the options of %s stand behind its name", command->name);
    pgconvoy_error_hint(err, "write pgconvoy %s [OPTION…] [DBNAME]; see pgconvoy %s --help", command->name, command->name);
    return CLI_EXIT_USAGE;
}
