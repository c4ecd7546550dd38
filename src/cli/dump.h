/* The dump command: pg_dump's command line. Its options are rows of dump_options (dump_options.c), from which parsing, --help and docs/commands.md come. */
#ifndef PGC_CLI_DUMP_H
#define PGC_CLI_DUMP_H

#include "archive/dump.h"
#include "cli/pg_options.h"

/* The newest pg_dump whose options these are. */
#define CLI_PG_DUMP_VERSION "18.4"

typedef struct cli_dump {
    pgc_dump_options options;
    pgc_dump_output output;
    const char *file, *format, *compress, *sync_method;
    pgc_names sections, filters;
    bool verbose, progress, no_sync, password, no_password, no_schema, no_data, no_statistics;
    bool help, version;
    bool ignored; /* options that are taken for old scripts' sake */
} cli_dump;

extern const cli_pg_option cli_dump_options[]; /* ends with a row whose name is NULL; its places are in cli_dump */

/* ---- dump_options.c. Errors have pg_dump's wording; after a usage error "Try … --help" is to be said. */
/* Takes the command line apart; names are kept in lists to be freed by cli_pg_free. argv must outlive it. */
int cli_dump_parse(int argc, char **argv, cli_dump *dump, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- dump_check.c: what follows from the options, and combinations that are refused */
int cli_dump_check(cli_dump *dump, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- dump_help.c */
void cli_dump_help(const char *program, pgc_buffer *out);
void cli_dump_markdown(pgc_buffer *out);

/* ---- dump_progress.c: standard error */
void cli_dump_on_progress(void *arg, const pgc_data_totals *totals);
void cli_dump_say_totals(const pgc_dump_totals *totals);
void cli_dump_say_error(const pgconvoy_error *err);

/* ---- dump.c: the whole command, argv[0] and all. Gives the exit status. */
int cli_dump_main(const char *program, int argc, char **argv);

#endif
