/* The options of a copy into PostgreSQL, from the command line's settings: a table of which goes where. */
#ifndef PGC_CLI_COPY_OPTIONS_H
#define PGC_CLI_COPY_OPTIONS_H

#include "clone/clone.h"
#include "cli/cli.h"
#include "pipeline/options.h"

typedef struct cli_copy_options {
    pgc_clone_options clone;
    pgc_options settings; /* those that a copy shares with the pipeline's */
    char name[64];
} cli_copy_options;

/* operands and settings must outlive it. Free it with cli_copy_options_free, also after a failure. */
int cli_copy_options_set(cli_copy_options *options, const cli_arguments *arguments, pgconvoy_error *err) PGC_MUST_CHECK;
void cli_copy_options_free(cli_copy_options *options);

/* Takes a setting that says of another name, or of fewer columns or rows; any other is left alone. */
int cli_mapping_take(pgc_mapping *mapping, const cli_setting *setting, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
