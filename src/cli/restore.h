/* The restore command: pg_restore's command line. Its options are rows of cli_restore_options (restore_options.c), from which parsing, --help and docs/commands.md come. */
#ifndef PGC_CLI_RESTORE_H
#define PGC_CLI_RESTORE_H

#include "archive/restore.h"
#include "cli/pg_options.h"

typedef struct cli_restore {
    pgc_script_options script;
    pgc_server_address address;
    const char *archive; /* NULL: standard input */
    const char *file, *format;
    pgc_names sections, filters;
    pgc_archive_format archive_format;
    bool list, password, no_password, no_schema, no_data, statistics;
    bool help, version;
    bool ignored; /* options that are taken for old scripts' sake */
    char key[PGC_RESTRICT_KEY_SIZE];
} cli_restore;

extern const cli_pg_option cli_restore_options[]; /* ends with a row whose name is NULL; its places are in cli_restore */

/* ---- restore_options.c. Errors have pg_restore's wording. */
/* Takes the command line apart; names are kept in lists to be freed by cli_pg_free. argv must outlive it. */
int cli_restore_parse(int argc, char **argv, cli_restore *restore, pgconvoy_error *err) PGC_MUST_CHECK;
/* What follows from the options, and combinations that are refused. */
int cli_restore_check(cli_restore *restore, pgconvoy_error *err) PGC_MUST_CHECK;
void cli_restore_help(const char *program, pgc_buffer *out);
void cli_restore_markdown(pgc_buffer *out);

/* ---- restore.c: the whole command, argv[0] and all. Gives the exit status. */
int cli_restore_main(const char *program, int argc, char **argv);

#endif
