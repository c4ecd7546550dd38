/* One attempt of a pipeline: both ends open, the tables and the counters. Private to src/pipeline. */
#ifndef PGC_PIPELINE_RUN_H
#define PGC_PIPELINE_RUN_H

#include "pipeline/options.h"
#include "pipeline/table_state.h"

/* How far the pipeline is. Atomic: written by the moving threads, read by the progress thread. */
typedef struct pgc_counters {
    atomic_int phase; /* pgconvoy_phase */
    atomic_llong rows_copied, bytes_copied;
    atomic_llong changes, transactions;
    atomic_ullong received_lsn, durable_lsn, source_lsn;
    atomic_llong last_commit_us; /* Unix time of the last durable commit */
} pgc_counters;

typedef struct pgc_run {
    const pgc_options *options;
    pgconvoy_log *log;
    const pgc_source_ops *source_ops;
    pgc_source_config source_config; /* both ends keep pointers to theirs */
    void *source;
    const pgconvoy_sink *sink_ops;
    pgconvoy_sink_config sink_config;
    void *sink;
    pgc_table_states states;
    pgc_counters *counters;
    atomic_bool *stop;
    pgconvoy_lsn lsn; /* the sink's durable position */
} pgc_run;

static inline bool pgc_run_stopped(const pgc_run *run)
{
    return atomic_load_explicit(run->stop, memory_order_relaxed);
}

/*
 * Copies every table whose copy has not finished, in one snapshot, with options->jobs readers. With rows false the tables are only prepared
 * (for a stream without a copy) as of lsn. Tables are durably CATCHING_UP when they are done.
 */
int pgc_table_copy_run(pgc_run *run, bool create_position, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_table_prepare_only(pgc_run *run, pgconvoy_lsn lsn, pgconvoy_error *err) PGC_MUST_CHECK;

/* Streams from run->lsn until stopped or options->until is reached. */
int pgc_change_stream_run(pgc_run *run, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
