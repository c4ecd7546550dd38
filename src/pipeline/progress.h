/* Reports how far a run is: a thread that reads the counters and calls the user's function. Private to src/pipeline. */
#ifndef PGC_PIPELINE_PROGRESS_H
#define PGC_PIPELINE_PROGRESS_H

#include "pipeline/run.h"

typedef void (*pgc_progress_function)(void *arg, const pgconvoy_progress *progress);

typedef struct pgc_reporter pgc_reporter;

/* Starts reporting, every interval_ms; counters must live until the end. NULL when fn is NULL or no thread can be had: a run does without. */
pgc_reporter *pgc_reporter_start(pgc_counters *counters, int interval_ms, pgc_progress_function fn, void *arg);
/* The tables to report on; NULL while there are none (between two attempts). */
void pgc_reporter_tables(pgc_reporter *reporter, const pgc_table_states *states, const pgc_left_tables *left);
/* Reports once more and ends. */
void pgc_reporter_end(pgc_reporter *reporter);

#endif
