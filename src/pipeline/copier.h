/*
 * Another way for the table copy of a pipeline than rows through the sink, for tables that the target does not have
 * yet: whoever knows both ends can make a table there as it is at the source, with all that belongs to it, and bring
 * its rows as fast as the two go. The pipeline gives it the snapshot that the stream follows, and keeps the rest.
 */
#ifndef PGC_PIPELINE_COPIER_H
#define PGC_PIPELINE_COPIER_H

#include "base/log.h"
#include "pipeline/options.h"

#include <stdatomic.h>

typedef struct pgc_copier_table {
    const pgconvoy_table *table;
    bool may_be_taken;     /* its rows and columns are all moved */
    bool taken;            /* set by the copier: it copies this one */
    bool left_out;         /* set by the copier: the target cannot have it, and --skip-unavailable goes on without */
    pgconvoy_lsn copy_lsn; /* set by the copier: of the snapshot in which it was read, in this run or an earlier one */
} pgc_copier_table;

typedef struct pgc_copier_work {
    const char *source, *target, *name; /* of the pipeline */
    const char *source_id;              /* for the checkpoint */
    const char *snapshot;               /* exported at the source */
    pgconvoy_lsn lsn;                   /* its consistent point */
    const pgc_options *options;         /* of the pipeline */
    bool skip_disk;                     /* too little room on the target's disk is only warned of */
    const char *state_dir;              /* of the pipeline, or NULL */
    pgconvoy_log *log;
    atomic_bool *stop; /* asked for: give up soon, with PGCONVOY_OK as the error's code */
    pgc_copier_table *tables;
    size_t table_count;
    /* Of a table that was taken, now and then: rows and bytes since the work began. From any thread. */
    void (*progress)(void *arg, size_t table, int64_t rows, int64_t bytes);
    /* All rows of all tables are read: the snapshot is not needed any more. From any thread, once. */
    void (*rows_are_read)(void *arg);
    void *progress_arg; /* of both */
} pgc_copier_work;

typedef struct pgc_copier {
    /* Refuses, before anything is changed at either end, what it could not do; there is no snapshot yet. */
    int (*check)(pgc_copier_work *work, pgconvoy_error *err);
    /*
     * Copies what it takes, with all that belongs to it, and marks those tables CATCHING_UP in the pipeline's
     * checkpoint, in the transaction that ends the copy; until then they are COPYING there, and a second call, of
     * whatever process, goes on.
     */
    int (*copy)(pgc_copier_work *work, pgconvoy_error *err);
    /*
     * Before the stream begins or goes on: makes partitions that are new at the source, of tables that the target has
     * as partitioned ones. A row of the stream that finds no partition ends the attempt with an error that may heal.
     */
    int (*follow)(pgc_copier_work *work, pgconvoy_error *err);
    /* All tables are LIVE: does what had to wait for that. *done: nothing waits any more. From another thread than the
     * others. */
    int (*complete)(pgc_copier_work *work, bool *done, pgconvoy_error *err);
} pgc_copier;

/* That of a sync between two PostgreSQL servers. It stands above the pipeline, in src/clone: only the linker brings the
 * two together, so that a pipeline is the same for the command and for a user of the library. */
extern const pgc_copier pgc_clone_copier;

#endif
