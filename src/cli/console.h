/*
 * Standard error as log lines and progress share it. A live view is taken off the screen before a log line is written
 * and drawn again behind it. All functions may be called from any thread.
 */
#ifndef PGC_CLI_CONSOLE_H
#define PGC_CLI_CONSOLE_H

#include "cli/cli.h"

typedef struct cli_console cli_console;

/* By the options --progress, --log-format and --log-level. name is the command's, for the title. */
cli_console *cli_console_new(const char *name, const cli_arguments *arguments, pgconvoy_error *err) PGC_MUST_CHECK;
/* The last view stays on the screen. */
void cli_console_free(cli_console *console);

/* The callback for pgconvoy_pipeline_on_log; arg is the console. */
void cli_console_log(void *arg, pgconvoy_log_level level, const char *line);
void cli_console_progress(cli_console *console, const char *pipeline, const pgconvoy_progress *progress);
/* How often the console wants to be told. */
int cli_console_interval_ms(const cli_console *console);

/* The last line of a command that failed: what, on what, and what to do. */
void cli_say_error(const cli_arguments *arguments, const pgconvoy_error *err);

#endif
