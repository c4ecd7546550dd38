/*
 * The pgconvoy command: what its files share. A command is a row of cli_commands (commands.c), an option a row of
 * pgconvoy_pipeline_options or cli_options (options.c); parsing, --help and docs/commands.md all come from these rows.
 */
#ifndef PGC_CLI_CLI_H
#define PGC_CLI_CLI_H

#include "base/buffer.h"

/* Which kinds of commands take an option. */
#define CLI_MOVE 1u /* copy, stream, sync */
#define CLI_DROP 2u
#define CLI_STATUS 4u
#define CLI_COPY 8u /* copy alone, of a database into PostgreSQL */

#define CLI_CHECK 0x100u
#define CLI_PLAN 0x200u
#define CLI_LINK 0x400u
#define CLI_SUBSCRIBE 0x800u
#define CLI_VERIFY 0x1000u
#define CLI_CUTOVER 0x2000u
#define CLI_STREAMS 0x4000u /* sync and stream, beside CLI_MOVE */

#define CLI_EXIT_OK 0
#define CLI_EXIT_FAILED 1
#define CLI_EXIT_USAGE 2
#define CLI_EXIT_DIFFERS 3 /* an item of a check failed, a difference was found */

/* One option as it was given. value is "true" for a switch. */
typedef struct cli_setting {
    const pgconvoy_option *option;
    bool is_pipelines; /* to be handed to pgconvoy_pipeline_set */
    char *value;
} cli_setting;

/* A command line, taken apart. It owns all of its text, so that argv can be masked. */
typedef struct cli_arguments {
    char *command; /* the first operand, or NULL */
    char **operands;
    size_t operand_count;
    cli_setting *settings;
    size_t setting_count;
    bool help;
} cli_arguments;

typedef struct cli_command {
    const char *name;
    const char *operands; /* "SOURCE TARGET" */
    const char *help;
    unsigned kind; /* CLI_MOVE … */
    int min_operands, max_operands;
    pgconvoy_action action; /* of a moving command */
    /* Runs it. Returns the exit status; with err set the caller says what it says. NULL: planned, not in this version.
     */
    int (*run)(const struct cli_command *command, cli_arguments *arguments, pgconvoy_error *err);
} cli_command;

/* ---- commands.c: ends with a row whose name is NULL */
extern const cli_command cli_commands[];
const cli_command *cli_command_find(const char *name);

int cli_run_move(const cli_command *command, cli_arguments *arguments, pgconvoy_error *err);
int cli_run_copy(const cli_command *command, cli_arguments *arguments, pgconvoy_error *err);
int cli_run_drop(const cli_command *command, cli_arguments *arguments, pgconvoy_error *err);
int cli_run_subscribe(const cli_command *command, cli_arguments *arguments, pgconvoy_error *err);
int cli_run_plan(const cli_command *command, cli_arguments *arguments, pgconvoy_error *err);
int cli_run_check(const cli_command *command, cli_arguments *arguments, pgconvoy_error *err);
int cli_run_link(const cli_command *command, cli_arguments *arguments, pgconvoy_error *err);
int cli_run_verify(const cli_command *command, cli_arguments *arguments, pgconvoy_error *err);
int cli_run_cutover(const cli_command *command, cli_arguments *arguments, pgconvoy_error *err);
int cli_run_status(const cli_command *command, cli_arguments *arguments, pgconvoy_error *err);
/* Only say that the options must stand behind the command's name: main.c gives such lines to cli_dump_main (dump.h) and cli_restore_main (restore.h). */
int cli_run_dump(const cli_command *command, cli_arguments *arguments, pgconvoy_error *err);
int cli_run_restore(const cli_command *command, cli_arguments *arguments, pgconvoy_error *err);

/* ---- options.c */

/* An option of the command itself, beside those of the pipeline. */
typedef struct cli_option {
    pgconvoy_option option;
    unsigned kinds;
    const char *const *choices; /* the values it can have, NULL: any */
} cli_option;
extern const cli_option cli_options[]; /* ends with a row whose name is NULL */

/* The option of this name or (name NULL) letter among those of the commands of these kinds; NULL when there is none. */
const pgconvoy_option *cli_option_find(const char *name, char letter, unsigned kinds, bool *is_pipelines);
/* Calls fn for each option of a kind of commands, in the order for --help. */
void cli_options_walk(unsigned kind, void (*fn)(void *arg, const pgconvoy_option *option), void *arg);
/* The value last given of one of cli_options, or NULL. */
const char *cli_setting_value(const cli_arguments *arguments, const char *name);
/* Refuses a value that is not among the option's choices, and an option that the command does not take. */
int cli_settings_check(const cli_command *command, const cli_arguments *arguments, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- arguments.c */
int cli_arguments_parse(int argc, char **argv, cli_arguments *arguments, pgconvoy_error *err) PGC_MUST_CHECK;
int cli_arguments_add(cli_arguments *arguments, const pgconvoy_option *option, bool is_pipelines, const char *value,
                      size_t place, pgconvoy_error *err) PGC_MUST_CHECK;
void cli_arguments_free(cli_arguments *arguments);
/* Overwrites the passwords in a text with 'x', in place; for argv, which every user of the machine can read. */
void cli_mask_passwords(char *text);

/* ---- config.c: the settings of a YAML file, put before those of the command line, so that the latter win */
int cli_config_read(const cli_command *command, const char *path, cli_arguments *arguments,
                    pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- help.c */
void cli_help_general(pgc_buffer *out);
void cli_help_command(const cli_command *command, pgc_buffer *out);
void cli_help_markdown(pgc_buffer *out); /* the tables of docs/commands.md */

/* ---- state.c: the folder in which pipelines keep their local state */
char *cli_state_dir(const cli_arguments *arguments, pgconvoy_error *err);
/* DIR/NAME/FILE, malloc'ed; file NULL: DIR/NAME. */
char *cli_state_path(const char *dir, const char *name, const char *file, pgconvoy_error *err);
/* Reads a whole small file; -1 with errno when it cannot. */
int cli_read_file(const char *path, pgc_buffer *out);
/* Writes a file whole, by way of another name. */
int cli_write_file(const char *path, const pgc_buffer *text);
/* The value of KEY= in the note of a pipeline's two ends ("source", "target"), malloc'ed, or NULL. */
char *cli_pipeline_note(const char *dir, const char *name, const char *key);

#endif
