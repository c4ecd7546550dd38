/* The dump command: pg_dump's command line. Its options are rows of dump_options (dump_options.c), from which parsing, --help and docs/commands.md come. */
#ifndef PGC_CLI_DUMP_H
#define PGC_CLI_DUMP_H

#include "archive/dump.h"
#include "base/buffer.h"

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

typedef enum cli_dump_value {
    CLI_DUMP_SWITCH,  /* bool */
    CLI_DUMP_TEXT,    /* const char * */
    CLI_DUMP_NUMBER,  /* int, between minimum and maximum */
    CLI_DUMP_NAMES    /* pgc_names, one more each time */
} cli_dump_value;

typedef enum cli_dump_group {
    CLI_DUMP_GENERAL,
    CLI_DUMP_CONTENT,
    CLI_DUMP_CONNECTION,
    CLI_DUMP_HIDDEN, /* another name of a row above */
} cli_dump_group;

typedef struct cli_dump_option {
    const char *name;
    char letter;          /* 0: none */
    const char *argument; /* "PATTERN"; NULL for a switch */
    const char *help;
    cli_dump_group group;
    cli_dump_value value;
    size_t place; /* in cli_dump */
    int minimum, maximum;
    size_t given; /* place of a bool that is set when the option is given; 0: none */
} cli_dump_option;

extern const cli_dump_option cli_dump_options[]; /* ends with a row whose name is NULL */

/* ---- dump_options.c. Errors have pg_dump's wording; after a usage error "Try … --help" is to be said. */
/* Takes the command line apart; names are kept in lists to be freed by cli_dump_free. argv must outlive it. */
int cli_dump_parse(int argc, char **argv, cli_dump *dump, pgconvoy_error *err) PGC_MUST_CHECK;
void cli_dump_free(cli_dump *dump);
int cli_names_add(pgc_names *names, const char *name, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- dump_check.c: what follows from the options, and combinations that are refused */
int cli_dump_check(cli_dump *dump, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- dump_filter.c: --filter */
int cli_dump_read_filter(cli_dump *dump, const char *path, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- dump_help.c */
void cli_dump_help(const char *program, pgc_buffer *out);
void cli_dump_markdown(pgc_buffer *out);

/* ---- dump_say.c: standard error */
void cli_dump_say_error(const pgconvoy_error *err);
void cli_dump_on_message(void *arg, const char *what);
void cli_dump_on_warning(void *arg, const char *text, const char *hint);
void cli_dump_on_progress(void *arg, const pgc_data_totals *totals);
void cli_dump_say_totals(const pgc_dump_totals *totals);
char *cli_dump_ask_password(void *arg, const char *user);

/* ---- dump.c: the whole command, argv[0] and all. Gives the exit status. */
int cli_dump_main(const char *program, int argc, char **argv);

#endif
