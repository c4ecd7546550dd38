/*
 * Command lines of PostgreSQL's own programs, which dump and restore keep: an option is a row, from which parsing, --help and docs/commands.md come. Not the options of pipelines (options.c), whose letters mean
 * other things.
 */
#ifndef PGC_CLI_PG_OPTIONS_H
#define PGC_CLI_PG_OPTIONS_H

#include "archive/data.h"
#include "base/buffer.h"
#include "catalog/options.h"

typedef enum cli_pg_value {
    CLI_PG_SWITCH, /* bool */
    CLI_PG_LAST,   /* bool; what stands behind it is not looked at: --help */
    CLI_PG_TEXT,   /* const char * */
    CLI_PG_NUMBER, /* int, between minimum and maximum */
    CLI_PG_NAMES   /* pgc_names, one more each time */
} cli_pg_value;

typedef enum cli_pg_group {
    CLI_PG_GENERAL,
    CLI_PG_CONTENT,
    CLI_PG_CONNECTION,
    CLI_PG_HIDDEN /* another name of a row above */
} cli_pg_group;

typedef struct cli_pg_option {
    const char *name;
    char letter;          /* 0: none */
    const char *argument; /* "PATTERN"; NULL for a switch */
    const char *help;
    cli_pg_group group;
    cli_pg_value value;
    size_t place; /* of the value in the command's struct */
    int minimum, maximum;
    size_t given; /* place of a bool that is set when the option is given; 0: none */
} cli_pg_option;

/* One of the rows' members as one word each. */
#define CLI_PG_ROW_SWITCH(name, letter, group, place, help) {name, letter, NULL, help, group, CLI_PG_SWITCH, place, 0, 0, 0}
#define CLI_PG_ROW_LAST(name, letter, group, place, help) {name, letter, NULL, help, group, CLI_PG_LAST, place, 0, 0, 0}
#define CLI_PG_ROW_TEXT(name, letter, argument, group, place, help) {name, letter, argument, help, group, CLI_PG_TEXT, place, 0, 0, 0}
#define CLI_PG_ROW_NAMES(name, letter, argument, group, place, help) {name, letter, argument, help, group, CLI_PG_NAMES, place, 0, 0, 0}

/*
 * Takes a command line apart into the command's struct; rows end with one whose name is NULL. Gives the index of the first operand, -1 and err on failure, with pg_dump's wording; a usage error without a message
 * has been said already. Texts stay in argv, names are copied into lists.
 */
int cli_pg_parse(const cli_pg_option *rows, int argc, char **argv, void *command, pgconvoy_error *err) PGC_MUST_CHECK;
/* Frees the lists of names. */
void cli_pg_free(const cli_pg_option *rows, void *command);
int cli_names_add(pgc_names *names, const char *name, pgconvoy_error *err) PGC_MUST_CHECK;
/* The values of --section as PGC_SECTIONS_…; all, when there are none. */
int cli_pg_sections(const pgc_names *names, unsigned *sections, pgconvoy_error *err) PGC_MUST_CHECK;

/* What a line of --filter adds to: lists of the command, by their places; 0: it may not. Rows end with one whose kind is NULL. */
typedef struct cli_pg_filter {
    const char *kind;
    size_t include, exclude;
} cli_pg_filter;

/* ---- pg_filter.c: reads a file of --filter; path "-": standard input. Errors have pg_dump's wording. */
int cli_pg_read_filter(const cli_pg_filter *rows, void *command, const char *path, pgconvoy_error *err) PGC_MUST_CHECK;

/* Copies of the words of a command line, the first replaced by program (getopt's complaints begin with it), so that those that every user of the machine can read may lose their passwords: that is done too. */
char **cli_pg_copy_words(const char *program, int argc, char **argv);
void cli_pg_free_words(char **words);

/* The options by group; content: the title of the second. */
void cli_pg_help(const cli_pg_option *rows, const char *content, pgc_buffer *out);
void cli_pg_markdown(const cli_pg_option *rows, const char *command, pgc_buffer *out);

/* ---- pg_say.c: standard error. program ("pg_dump") begins each line; it is also the arg of the callbacks. */
void cli_pg_say_error(const char *program, const pgconvoy_error *err);
void cli_pg_on_message(void *program, const char *what);
void cli_pg_on_warning(void *program, const char *text, const char *hint);
char *cli_pg_ask_password(void *arg, const char *user);

#endif
