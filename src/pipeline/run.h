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
    atomic_llong commit_lag_us;  /* from commit to durable, of the last transaction or heartbeat; -1 unknown */
    atomic_llong retained_bytes, left_bytes; /* WAL kept for the slot, and what may still come; -1 unknown */
    atomic_llong prepared;       /* transactions that are prepared in the sink and have not ended; -1 unknown */
} pgc_counters;

/* Tables that the checkpoint knows and that are not among the pipeline's any more. */
typedef struct pgc_left_tables {
    pgconvoy_table_status *items; /* copy_lsn: where a table stood that was taken out; 0 for one that was dropped */
    uint32_t *oids;               /* as they were in this process; 0 not known */
    size_t count;
} pgc_left_tables;

typedef struct pgc_run {
    const pgc_options *options;
    pgconvoy_log *log;
    const pgc_source_ops *source_ops;
    pgc_source_config source_config; /* both ends keep pointers to theirs */
    void *source;
    const pgconvoy_sink *sink_ops;
    pgconvoy_sink_config sink_config;
    void *sink;
    const struct pgc_copier *copier; /* of a sync; or NULL */
    bool little_room;                /* overrule.h */
    bool lacks_partition; /* the attempt before ended by a row for which the target has none */
    bool lacks_label;     /* one ended by a value that its type at the target refused */
    pgconvoy_lsn text_until; /* to there values come as text: one ended by a type that is lost */
    /* the attempt before failed at a transaction that was in progress, or had no room to keep one until its end: what that says counts only once it has committed */
    bool waits_for_commits;
    bool failed_in_progress; /* this one did */
    pgc_table_states states;
    pgc_counters *counters;
    atomic_bool *stop;
    pgconvoy_lsn lsn; /* the sink's durable position */
    pgconvoy_lsn ahead_lsn; /* of its checkpoint, when the attempt began */
    pgc_left_tables left;
    /* by the watching thread, for the writing one */
    atomic_bool tables_changed;          /* end the stream at the next boundary: the tables are others by now */
    _Atomic pgconvoy_lsn heartbeat_lsn;  /* of the one under way; 0 none */
    atomic_llong heartbeat_us;           /* when it was sent, monotonic */
} pgc_run;

static inline bool pgc_run_stopped(const pgc_run *run)
{
    return atomic_load_explicit(run->stop, memory_order_relaxed);
}

/* The source has more to give than this: work is waiting there, even if nothing has been read ahead. */
#define PGC_RUN_BEHIND_BYTES UINT64_C(1048576)

static inline bool pgc_run_is_behind(const pgc_run *run)
{
    pgconvoy_lsn end = atomic_load(&run->counters->source_lsn), received = atomic_load(&run->counters->received_lsn);
    return end > received && end - received > PGC_RUN_BEHIND_BYTES;
}

/*
 * Copies every table whose copy has not finished, in one snapshot, with options->jobs readers. With rows false the tables are only prepared
 * (for a stream without a copy) as of lsn. Tables are durably CATCHING_UP when they are done.
 */
int pgc_table_copy_run(pgc_run *run, bool create_position, pgconvoy_error *err) PGC_MUST_CHECK;
/* ---- copier.c: the tables that the copier takes are CATCHING_UP after pgc_copier_copy. Nothing happens without one. */
int pgc_copier_check(pgc_run *run, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_copier_copy(pgc_run *run, pgconvoy_lsn lsn, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_copier_follow(pgc_run *run, pgconvoy_error *err) PGC_MUST_CHECK;
/* *done: nothing waits for the tables to be LIVE any more. */
int pgc_copier_complete(pgc_run *run, bool *done, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_table_prepare_only(pgc_run *run, pgconvoy_lsn lsn, pgconvoy_error *err) PGC_MUST_CHECK;

/*
 * ---- left_tables.c, too: the tables of the attempts before in this process. One whose name is known by another oid was dropped and made anew: it is
 * to be copied again, whatever the checkpoint says of its name.
 */
typedef struct pgc_known_tables {
    struct pgc_known_table {
        uint32_t oid;
        char *schema, *name;
    } * items;
    size_t count;
} pgc_known_tables;

/* ---- left_tables.c: finds them, and marks them in the sink as waiting, so that one that comes back is copied anew. */
int pgc_left_tables_find(pgc_run *run, const pgc_known_tables *known, const pgconvoy_checkpoint *checkpoint, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_left_tables_mark(pgc_run *run, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_left_tables_free(pgc_left_tables *left);

/* Tables that another of the same name stands for by now are to be copied anew. names_follow: but one that was known by another name gets its new name. */
void pgc_known_tables_compare(const pgc_known_tables *known, pgc_run *run, bool names_follow);
/* What the next attempt compares with, once this one has taken note. */
int pgc_known_tables_remember(pgc_known_tables *known, const pgc_table_states *states, pgconvoy_error *err) PGC_MUST_CHECK;
/* The same from one process to the next, in the pipeline's folder. What cannot be read, or is of another source, is none. */
struct pgc_state_dir;
int pgc_known_tables_store(const pgc_known_tables *known, const struct pgc_state_dir *state_dir, const char *source_id, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_known_tables_load(pgc_known_tables *known, const struct pgc_state_dir *state_dir, const char *source_id);
void pgc_known_tables_free(pgc_known_tables *known);

/* ---- watch.c: a thread beside the stream, with its own connections: health of the slot, heartbeats, sequences, tables that come and go. */
typedef struct pgc_watcher pgc_watcher;
/* NULL when there can be no thread: the stream runs without. */
pgc_watcher *pgc_watcher_start(pgc_run *run);
void pgc_watcher_end(pgc_watcher *watcher);
/* The values of sequences as they are now, once; for the end of a stream. */
int pgc_carry_sequences(pgc_run *run, pgconvoy_error *err) PGC_MUST_CHECK;

/* A pipeline that has stored no position yet begins where its slot (or spool) does: sets run->lsn then. */
int pgc_change_stream_find_start(pgc_run *run, pgconvoy_error *err) PGC_MUST_CHECK;
/* Streams from run->lsn until stopped, options->until is reached, or run->tables_changed. */
int pgc_change_stream_run(pgc_run *run, pgconvoy_error *err) PGC_MUST_CHECK;
/* The same to lsn, before a copy as of it: rows of tables without a copy are left out, and their definitions followed. May end early, as the other. */
int pgc_change_stream_catch_up(pgc_run *run, pgconvoy_lsn lsn, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
