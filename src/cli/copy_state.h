/*
 * What a copy into PostgreSQL says of itself in the folder of local state, for `pgconvoy status`: a note of its ends, a
 * lock while it runs, status.json each second. Nothing that it needs to go on: that is in the target.
 */
#ifndef PGC_CLI_COPY_STATE_H
#define PGC_CLI_COPY_STATE_H

#include "cli/cli.h"
#include "cli/progress.h"

typedef struct cli_copy_state {
    char *dir;
    const char *name;
    int lock; /* -1: nothing is said, since a pipeline of the name has the folder */
    int64_t said_us;
    cli_meter rows, bytes;
} cli_copy_state;

/* name must outlive it. A folder that cannot be written does not stop a copy. */
int cli_copy_state_begin(cli_copy_state *state, const cli_arguments *arguments, const char *name,
                         pgconvoy_error *err) PGC_MUST_CHECK;
void cli_copy_state_say(cli_copy_state *state, const pgconvoy_progress *progress);
void cli_copy_state_end(cli_copy_state *state);

/* For status: appends what is known of a copy; false when the name is that of something else. */
bool cli_copy_state_show(const char *dir, const char *name, bool running, bool with_tables, bool json, pgc_buffer *out);

#endif
