/* What a command of DDL would do at the target, told without doing it. */
#ifndef PGC_PIPELINE_DDL_TRIAL_H
#define PGC_PIPELINE_DDL_TRIAL_H

#include "pgconvoy.h"

typedef void (*pgc_trial_line)(void *arg, const char *line);

/*
 * Tries the commands of text at the source, in a transaction that is rolled back, and tells a line for each thing that
 * would follow at the target. *stops: the pipeline would end there, err says why. Nothing remains at either end.
 * Instead of a run; needs what a run has made before.
 */
int pgc_pipeline_try_ddl(pgconvoy_pipeline *pipeline, const char *text, pgc_trial_line line, void *arg, bool *stops,
                         pgconvoy_error *err);

#endif
