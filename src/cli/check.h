/* What check shares with the commands that look at a database, and with those that check before they begin. */
#ifndef PGC_CLI_CHECK_H
#define PGC_CLI_CHECK_H

#include "cli/cli.h"
#include "inspect/check/check.h"
#include "pipeline/options.h"

/* The pipeline's options of a command line. Free settings in any case. */
int cli_pipeline_settings(const cli_arguments *arguments, pgc_options *settings, pgconvoy_error *err) PGC_MUST_CHECK;
pgc_choice cli_choice(const pgc_options *settings);

/*
 * Before a job: refuses what would stop it and what it does not refuse by itself at once, but for the items of
 * --skip-check. An end that is out of reach is left to the job to say.
 */
int cli_check_at_start(const cli_arguments *arguments, pgc_check_job job, pgconvoy_error *err) PGC_MUST_CHECK;

/* Whether --skip-check names this item, alone or among others. */
bool cli_skips_check(const cli_arguments *arguments, const char *item);

/* Colours are for a terminal, where NO_COLOR is not set. */
bool cli_wants_colours(void);
/* All of text to standard output. */
int cli_print(const pgc_buffer *text, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
