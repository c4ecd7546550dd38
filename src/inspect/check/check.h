/*
 * What would stop or spoil a job, before it is begun. An item is one thing that is looked at, a row of a table
 * (items_*.c); it passes, or has findings, each with what is wrong and the mend. Nothing is changed at either end.
 */
#ifndef PGC_INSPECT_CHECK_CHECK_H
#define PGC_INSPECT_CHECK_CHECK_H

#include "apply/mapping.h"
#include "base/arena.h"
#include "base/buffer.h"
#include "postgres/choice.h"

/* What is to be done; an item says for which of them it counts. */
typedef enum pgc_check_job {
    PGC_CHECK_SYNC = 1,
    PGC_CHECK_STREAM = 2,
    PGC_CHECK_COPY = 4,  /* rows alone, into any sink */
    PGC_CHECK_CLONE = 8, /* a whole database into PostgreSQL, which is what copy does there */
    PGC_CHECK_SUBSCRIBE = 16,
    PGC_CHECK_LINK = 32
} pgc_check_job;

typedef enum pgc_check_status {
    PGC_CHECK_PASSED,
    PGC_CHECK_WARNED,
    PGC_CHECK_UNCHECKED,
    PGC_CHECK_FAILED
} pgc_check_status;

typedef struct pgc_check_finding {
    pgc_check_status status;
    const char *says;
    const char *mend; /* SQL, an option or a setting; NULL: there is none */
} pgc_check_finding;

typedef struct pgc_check_result {
    const char *item;
    bool of_target;
    pgc_check_status status; /* the worst of its findings */
    const char *says;        /* of an item that has passed */
    bool overruled;          /* by name: it does not count as failed */
    pgc_check_finding *findings;
    int count;
} pgc_check_result;

typedef struct pgc_check_options {
    const char *source, *target; /* target may be NULL; both may hold passwords */
    pgc_check_job job;
    const char *name;               /* the pipeline's */
    const char *publication, *slot; /* NULL: pgconvoy_NAME */
    pgc_choice choice;
    const pgc_mapping *mapping; /* names in the target, columns and rows; may be NULL */
    pgconvoy_if_exists if_exists;
    int jobs;
    bool partitions_as_leaves, two_phase;
    const char *via; /* how the target reaches the source, when not as we do: "host=… port=…" */
    const char *state_dir; /* of this pipeline; may not exist */
    char *const *skip;     /* items that are overruled */
    size_t skip_count;
    /* Before a job: only what the job does not refuse by itself in its first moments. */
    bool at_start;
    pgconvoy_log *log;
} pgc_check_options;

typedef struct pgc_check_report {
    pgc_check_job job;
    char source[300], target[300]; /* where they are, without passwords */
    pgc_check_result *results;
    int count;
    int passed, warned, failed, unchecked, overruled;
    pgc_arena *arena;
} pgc_check_report;

/* Looks at everything. -1 and err only when it could not be done at all (out of memory, an item that nobody knows).
 * Free the report in any case. */
int pgc_check_run(const pgc_check_options *options, pgc_check_report *report, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_check_report_free(pgc_check_report *report);

/* Names of all items, each once, in order; ends with NULL at or before size. */
void pgc_check_item_names(const char **names, size_t size);

/* "sync", "copy" …: as an option's value and back. A copy into PostgreSQL is a clone. 0 when there is none of that
 * name. */
const char *pgc_check_job_name(pgc_check_job job);
pgc_check_job pgc_check_job_named(const char *name);

/* ---- report.c */

/* As people read it: aligned, with colours when asked for. */
void pgc_check_report_text(const pgc_check_report *report, bool colours, pgc_buffer *out);
/* One JSON document (docs/check.md). */
void pgc_check_report_json(const pgc_check_report *report, pgc_buffer *out);

#endif
