/* What `status` knows of a pipeline, and its two forms. */
#ifndef PGC_CLI_STATUS_H
#define PGC_CLI_STATUS_H

#include "cli/cli.h"

#include "pipeline/look.h"

#include <time.h>

typedef struct cli_status {
    const char *name;
    bool running;
    char *source, *target, *slot_option; /* as noted; NULL: not */
    pgc_buffer json;                     /* status.json, empty where there is none */
    pgc_buffer conflicts;                /* conflicts.json, which a sink may write; empty where there is none */
    pgc_buffer ddl;                      /* ddl.json: commands of DDL that were left out; empty where there are none */
    time_t said;                         /* when that was written */
    bool looked, found;                  /* the source was asked, and answered */
    char slot[64];
    pgc_source_health health;
    pgconvoy_error err; /* why it did not */
} cli_status;

/* One object: see docs/commands.md. */
void cli_status_json(const cli_status *status, pgc_buffer *out);
/* For people; with_tables adds a table of the tables. */
void cli_status_text(const cli_status *status, bool with_tables, pgc_buffer *out);

#endif
