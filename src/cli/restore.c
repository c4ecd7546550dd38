/* The restore command, also under the name pg_restore: pg_restore's command line and messages around pgc_restore_run and its siblings. */
#include "cli/restore.h"

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/stop_signals.h"

#include <stdio.h>
#include <unistd.h>

#define PROGRAM            "pg_restore" /* each message begins with it */
#define PG_RESTORE_VERSION "18.4"       /* the newest whose options these are */

static int print(const pgc_buffer *text)
{
    return !text->failed && fwrite(text->data, 1, text->length, stdout) == text->length && fflush(stdout) == 0 ? 0 : -1;
}

static int print_help(const char *program)
{
    pgc_buffer text;
    pgc_buffer_init(&text, 1 << 20);
    cli_restore_help(program, &text);
    int result = print(&text);
    pgc_buffer_free(&text);
    return result;
}

static int print_version(void)
{
    return printf(PROGRAM " (PostgreSQL) %s (pgconvoy %s)\n", PG_RESTORE_VERSION, pgconvoy_version()) > 0 && fflush(stdout) == 0 ? 0 : -1;
}

static void on_error(void *program, const char *text)
{
    fprintf(stderr, "%s: error: %s\n", (const char *)program, text);
}

static void on_warning(void *program, const char *text)
{
    cli_pg_on_warning(program, text, NULL);
}

static int list(pgc_archive_reader *reader, const cli_restore *restore, pgconvoy_error *err)
{
    pgc_script *script = pgc_script_new(&restore->script, pgc_archive_read_head(reader), pgc_archive_read_entries(reader), err);
    if (!script)
        return -1;
    pgc_buffer text;
    pgc_buffer_init(&text, (size_t)1 << 30);
    int result = pgc_script_list(script, &text, err);
    if (result == 0 && restore->file && strcmp(restore->file, "-") != 0) {
        FILE *file = fopen(restore->file, "w");
        bool written = file && fwrite(text.data, 1, text.length, file) == text.length;
        if (!file || fclose(file) != 0 || !written) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_RESOURCE, "could not write the list to \"%s\"", restore->file);
            result = -1;
        }
    } else if (result == 0 && print(&text)) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_RESOURCE, "could not write to standard output");
        result = -1;
    }
    pgc_buffer_free(&text);
    pgc_script_free(script);
    return result;
}

/* What the server is doing is cancelled, so that it does not go on for nobody; a transaction that is open ends with its connection. */
static void on_signal(void *sessions)
{
    fprintf(stderr, PROGRAM ": terminated by user\n");
    pgc_restore_sessions_cancel(sessions);
    _exit(CLI_EXIT_FAILED);
}

static int into_database(pgc_archive_reader *reader, const cli_restore *restore, pgc_restore_sessions *sessions, pgconvoy_error *err)
{
    const pgc_restore_options options = {.script = &restore->script,
                                         .address = restore->address,
                                         .error = on_error,
                                         .say = restore->script.verbose ? cli_pg_on_message : NULL,
                                         .sessions = sessions,
                                         .arg = (void *)PROGRAM};
    pgc_restore_totals totals = {0};
    cli_stop_signals signals = {.stop = on_signal, .arg = sessions};
    int64_t begun_us = pgc_clock_monotonic_us();
    cli_stop_signals_block(&signals);
    if (!cli_stop_signals_wait(&signals))
        pthread_sigmask(SIG_UNBLOCK, &signals.set, NULL); /* then they end it as ever */
    int result = pgc_restore_run(reader, &options, &totals, err);
    cli_stop_signals_end(&signals);
    if (result == 0 && totals.errors > 0 && !totals.stopped)
        fprintf(stderr, PROGRAM ": warning: errors ignored on restore: %d\n", totals.errors);
    if (result == 0 && restore->script.verbose && !totals.stopped)
        fprintf(stderr, PROGRAM ": restored %lld entries, %lld bytes of data in %.1f s\n", (long long)totals.entries, (long long)totals.bytes,
                (double)(pgc_clock_monotonic_us() - begun_us) / 1e6);
    return result || totals.errors > 0 ? -1 : 0;
}

static int run(cli_restore *restore, pgconvoy_error *err)
{
    if (cli_restore_check(restore, err))
        return -1;
    restore->address.program = PROGRAM;
    restore->address.ask_password = cli_pg_ask_password;
    restore->script.progress = restore->script.verbose ? cli_pg_on_message : NULL;
    restore->script.warning = on_warning;
    restore->script.arg = (void *)PROGRAM;
    pgc_archive_reader *reader = pgc_archive_open(restore->archive, restore->archive_format, err);
    if (!reader)
        return -1;
    int result;
    pgc_restore_sessions *sessions = restore->address.dbname && !restore->list ? pgc_restore_sessions_new(err) : NULL;
    if (restore->list)
        result = list(reader, restore, err);
    else if (restore->address.dbname)
        result = sessions ? into_database(reader, restore, sessions, err) : -1;
    else
        result = pgc_restore_to_file(reader, &restore->script, restore->file, err);
    pgc_restore_sessions_free(sessions);
    pgc_archive_close(reader);
    return result;
}

int cli_restore_main(const char *program, int argc, char **argv)
{
    cli_restore restore = {0};
    pgconvoy_error err = {0};
    char **words = cli_pg_copy_words(PROGRAM, argc, argv);
    if (!words)
        return CLI_EXIT_FAILED;
    int result = cli_restore_parse(argc, words, &restore, &err);
    if (result == 0 && restore.help)
        result = print_help(program);
    else if (result == 0 && restore.version)
        result = print_version();
    else if (result == 0)
        result = run(&restore, &err);
    if (err.code != PGCONVOY_OK)
        cli_pg_say_error(PROGRAM, &err);
    cli_pg_free(cli_restore_options, &restore);
    cli_pg_free_words(words);
    return result ? CLI_EXIT_FAILED : CLI_EXIT_OK;
}

int cli_run_restore(const cli_command *command, cli_arguments *arguments, pgconvoy_error *err)
{
    (void)arguments;
    pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "the options of %s stand behind its name", command->name);
    pgconvoy_error_hint(err, "write pgconvoy %s [OPTION…] [FILE]; see pgconvoy %s --help", command->name, command->name);
    return CLI_EXIT_USAGE;
}
