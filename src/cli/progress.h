/*
 * How far a pipeline is, as text: the pieces that the views on standard error and status.json share. Pure functions
 * over a pgconvoy_progress, and meters that turn counts into rates.
 */
#ifndef PGC_CLI_PROGRESS_H
#define PGC_CLI_PROGRESS_H

#include "base/buffer.h"

/* The rate of a growing count over the last seconds. All zero is a new one. */
#define CLI_METER_SAMPLES 12
typedef struct cli_meter {
    int64_t times_us[CLI_METER_SAMPLES], counts[CLI_METER_SAMPLES];
    int count;
} cli_meter;
/* Takes a sample (at most two a second are kept) and gives the count per second over those that are kept. */
int64_t cli_meter_update(cli_meter *meter, int64_t now_us, int64_t count);

/* What the numbers of one report do not say by themselves. */
typedef struct cli_rates {
    int64_t bytes_per_s, rows_per_s, changes_per_s;
    int64_t source_bytes_per_s; /* WAL written at the source */
} cli_rates;

const char *cli_phase_name(pgconvoy_phase phase);       /* "catching up" */
const char *cli_state_name(pgconvoy_table_state state); /* "catching_up" */

/* Share of a table, or of all, that is copied: 0 to 1, -1 when nothing is known of its size. Only what is finished
 * is 1. */
double cli_table_share(const pgconvoy_table_progress *table);
double cli_total_share(const pgconvoy_progress *progress);
size_t cli_tables_done(const pgconvoy_progress *progress);
/* Microseconds that are left at the pace so far, -1 unknown. */
int64_t cli_time_left(double share, int64_t elapsed_us);

/* One line without its newline: "copying, 3 of 12 tables, …". */
void cli_progress_line(const pgconvoy_progress *progress, const cli_rates *rates, pgc_buffer *out);

/* One JSON object without a newline; with_tables adds a list of all tables. */
void cli_progress_json(const char *name, const pgconvoy_progress *progress, const cli_rates *rates, bool with_tables,
                       pgc_buffer *out);

/*
 * The live view: lines that fit into width and height, each ended by a newline; *line_count is how many. title stands
 * in the first line.
 */
void cli_progress_block(const char *title, const pgconvoy_progress *progress, const cli_rates *rates, int width,
                        int height, pgc_buffer *out, int *line_count);

#endif
