/*
 * From one PostgreSQL server to another: schema and data, once, as fast as the two can go. The catalog gives what there is (entries, as for a dump), the definitions run on the target, and the rows pass from
 * COPY to COPY without being looked at. What is done is written down on the target in the transaction that does it, so that the same command goes on after any interruption.
 */
#ifndef PGC_CLONE_CLONE_H
#define PGC_CLONE_CLONE_H

#include "apply/mapping.h"
#include "base/log.h"
#include "catalog/options.h"
#include "pipeline/options.h"

/*
 * A copy that is the beginning of a stream: of some tables, with what they need and what hangs on them, in the snapshot from which the stream goes on. What else the target has of the same names stays as it is. The
 * pipeline's checkpoint in the target says COPYING of the tables from the beginning on, and CATCHING_UP with its end.
 */
typedef struct pgc_clone_part {
    const char *snapshot; /* exported; NULL: only look whether it can be done */
    pgconvoy_lsn lsn;     /* its consistent point */
    const char *source_id;
    const pgconvoy_table *const *tables; /* the target has none of them, but for what this copy has made */
    int table_count;
    bool is_silent; /* triggers and foreign keys of the target do not fire on what the stream writes; else there are none */
    bool *left_out; /* set, of each table: the target cannot have it (skip_unavailable) */
    void (*progress)(void *arg, int table, int64_t rows, int64_t bytes);
    void (*rows_are_read)(void *arg); /* all of them: the snapshot can go. From any thread; may be NULL */
    void *progress_arg;               /* of both */
} pgc_clone_part;

typedef struct pgc_clone_options {
    const char *source, *target; /* connection strings; may hold passwords */
    const char *name;            /* what the state on the target is kept under */
    pgc_dump_options dump;       /* what to take: patterns and the options no_…; its address is filled in here */
    int jobs;                    /* tables copied at once */
    int index_jobs;              /* indexes of larger tables built at once */
    pgconvoy_if_exists if_exists;
    bool consistent; /* an interrupted copy that cannot see the same snapshot again copies all rows again */
    bool roles;      /* roles that the target lacks are made */
    bool skip_unavailable; /* what the target cannot have is left out, with what needs it, and listed */
    const pgc_clone_part *part; /* NULL: a copy by itself */
    const pgc_mapping *mapping; /* other names, fewer columns and rows; may be NULL */
    int64_t part_bytes;    /* larger tables are cut in ranges of about this size; 0: where it pays */
    bool skip_disk; /* too little room on the target's disk is only warned of */
    bool dry_run;
    int64_t retry_for_us; /* how long to try again after a failure that may heal, from the first one since a step was finished */
    pgconvoy_log *log;
    void (*progress)(void *arg, const pgconvoy_progress *progress); /* NULL: nobody listens */
    void *progress_arg;
    int progress_interval_ms;
    int (*plan_line)(void *arg, const char *line); /* of a dry run */
} pgc_clone_options;

/* What copy and the first half of sync have in common with the options of a pipeline. options must outlive clone. */
void pgc_clone_options_take(pgc_clone_options *clone, const pgc_options *options);

/* What an item begins with that is left for when the stream has caught up: behind it stands the command. An SQL literal. */
#define CLONE_LATER "'LATER '"

typedef struct pgc_clone pgc_clone;

/* options must outlive it. */
pgc_clone *pgc_clone_new(const pgc_clone_options *options, pgconvoy_error *err) PGC_MUST_CHECK;
/* Copies, or goes on where an earlier run stopped. */
int pgc_clone_run(pgc_clone *clone, pgconvoy_error *err) PGC_MUST_CHECK;
/* Ends a run soon, by an error; what it was doing is undone. From any thread. */
void pgc_clone_stop(pgc_clone *clone);
void pgc_clone_free(pgc_clone *clone);

#endif
