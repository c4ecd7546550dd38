/*
 * The interface of a source, the counterpart of pgconvoy_sink. A source gives tables, their rows inside one
 * snapshot, and then the changes from that snapshot on. The pipeline knows no more of a source than this.
 *
 * Call order:
 *
 *   open
 *     load_tables                         what is to be moved; refuses here what cannot be
 *     position_status                     is there a slot, and where does it stand
 *     create_position                     once for a pipeline: publication and slot (nothing was made before this)
 *     begin_snapshot                      a snapshot with its consistent point
 *        split, open_reader, reader_begin, reader_next *, close_reader     in several threads
 *     end_snapshot
 *     stream_begin
 *        stream_next *                    one thread at a time
 *        stream_confirm                   any thread
 *     stream_end
 *   close
 */
#ifndef PGC_SOURCE_SOURCE_H
#define PGC_SOURCE_SOURCE_H

#include "apply/mapping.h"
#include "base/arena.h"
#include "base/log.h"

typedef struct pgc_source_config {
    const char *uri;           /* SOURCE as the user wrote it */
    const char *pipeline_name;
    const char *publication;   /* --publication, or NULL: pgconvoy_NAME */
    const char *slot;          /* --slot, or NULL: pgconvoy_NAME */
    /* -t, -T, -n, -N: NULL-terminated lists, may be NULL */
    const char *const *include_tables, *const *exclude_tables;
    const char *const *include_schemas, *const *exclude_schemas;
    bool partitions_as_leaves; /* publish leaf partitions instead of their root (where we make the publication) */
    const pgc_mapping *mapping; /* which columns and rows of tables are moved; may be NULL */
    bool streaming;            /* the pipeline will stream: check for that too */
    bool ddl;                  /* follow changed definitions by event triggers */
    bool ddl_as_text;          /* the sink does what a command's text says, values included */
    bool ddl_as_events;        /* the sink hands commands on as they are told, and has no rows that they could have changed */
    bool tell_first;           /* PGCONVOY_SINK_NOTES_COLUMNS: where no event triggers are, a table is told before its first change, though it is as the catalog says */
    bool names_by_catalog;     /* where no event triggers are, tables keep the names that load_tables gave; follow_tables says when they have others */
    bool origin_none;          /* leave out transactions that have a replication origin */
    bool unused_sequences;     /* read_sequences gives those too that have given no value yet, as 0 */
    bool any_identity;         /* tables that see updates need no replica identity: the user knows what that means */
    bool failover;             /* a slot that is made is one that standbys keep in step (17) */
    bool two_phase;            /* prepared transactions come when they are prepared (15) */
    int jobs;
    size_t memory_bytes;       /* the source's share of the memory budget */
    const char *spool_path;    /* file for changes while the target is away, or NULL */
    int64_t spool_bytes;       /* at most; 0: no limit */
    const char *state_dir;     /* for spilled transactions */
    pgconvoy_log *log;
    /* Asked now and then inside of long waits (a slot that waits for others' transactions): true ends them. May be NULL. */
    bool (*interrupted)(void *arg);
    void *interrupted_arg;
} pgc_source_config;

/* Where the slot of a pipeline stands. */
typedef struct pgc_position_status {
    char name[64];           /* of the slot */
    bool exists;
    bool usable;             /* false: invalidated, of another plugin, of another database; reason says which */
    char reason[256];        /* why it is not usable, with the mend */
    pgconvoy_lsn confirmed_lsn;
    pgconvoy_lsn spool_start, spool_end; /* what is in the spool; 0 nothing. The stream replays it first */
    int reader_pid;          /* the server's process that somebody reads it through, 0: nobody does */
} pgc_position_status;

/* What the slot of a pipeline holds back at the source. Numbers are -1 where the server does not tell. */
typedef struct pgc_source_health {
    pgconvoy_lsn end_of_wal; /* flushed (replayed, on a standby) */
    bool exists, active;     /* the slot */
    char wal_status[16];     /* reserved, extended, unreserved, lost; "" before 13 */
    pgconvoy_lsn restart_lsn, confirmed_lsn;
    bool unknown_table;      /* the stream met a table that is none of the pipeline's: time to follow_tables */
    int64_t retained_bytes;  /* WAL from restart_lsn on */
    int64_t left_bytes;      /* of WAL that may still be written before the server gives the slot up; -1: no limit */
} pgc_source_health;

/* Which WAL the source writes; see the operation history. */
typedef struct pgc_source_history {
    uint32_t timeline;
    pgconvoy_lsn ended; /* the timeline that was asked for */
    pgconvoy_lsn end_of_wal;
} pgc_source_history;

/* A sequence that gives values to columns of the tables that are moved. */
typedef struct pgc_source_sequences {
    pgconvoy_sequence *items;
    size_t count;
    pgc_arena *arena; /* owns all of it */
} pgc_source_sequences;

/* A part of a table to be read by one reader. */
typedef struct pgc_range {
    const pgconvoy_table *table;
    uint32_t relation_oid;   /* the relation that is read: the table, or a leaf partition of it */
    int64_t first_block;     /* -1: from the start, with no lower bound */
    int64_t end_block;       /* -1: to the end, with no upper bound; else the first block that is not read */
    int64_t estimated_bytes;
} pgc_range;

/* A run of changes, with the memory they live in. */
typedef struct pgc_change_batch {
    pgconvoy_changes changes;
    pgc_arena *arena;        /* owns everything that the changes point to, but for tables */
    size_t bytes;            /* memory held */
    /*
     * Everything the source has up to here was handed over with this batch or before; may be confirmed when all that
     * was handed over is durable. Only meaningful when at_boundary.
     */
    pgconvoy_lsn position;
    bool at_boundary;        /* no transaction is open at the end of this batch */
    int64_t row_changes;     /* inserts, updates, deletes and truncates inside */
} pgc_change_batch;

static inline void pgc_change_batch_free(pgc_change_batch *batch)
{
    if (batch)
        pgc_arena_free(batch->arena); /* the batch itself lives in its arena */
}

/* How changes are to come. */
typedef struct pgc_stream_wishes {
    bool binary; /* values, where the server can */
    /*
     * Changes of a transaction that is in progress may come (PGCONVOY_SINK_TENTATIVE), alone between its BEGIN and its COMMIT or ROLLBACK; of those
     * that begin here or later. 0: of none.
     */
    pgconvoy_lsn tentative_from;
} pgc_stream_wishes;

typedef struct pgc_source_ops {
    const char *name;

    /* Connects (no change on the server). The source is freed by close. */
    void *(*open)(const pgc_source_config *config, pgconvoy_error *err);

    /* Names the database cluster and database: "7391…/shop". Valid until close. */
    const char *(*id)(void *source);

    /*
     * Reads which tables are to be moved (an existing publication's, or those of the patterns), with their columns and types, and checks what a copy and (if config->streaming) a
     * stream need: privileges, wal_level, replica identities of tables that are updated, a free slot. Changes nothing.
     */
    int (*load_tables)(void *source, const pgconvoy_table *const **tables, size_t *count, pgconvoy_error *err);

    int (*position_status)(void *source, pgc_position_status *status, pgconvoy_error *err);

    /*
     * Creates the publication (unless it exists) and the slot, and keeps the exported snapshot of the slot's consistent point:
     * the next begin_snapshot uses it. On failure nothing is left behind.
     */
    int (*create_position)(void *source, pgconvoy_lsn *consistent_lsn, pgconvoy_error *err);

    /*
     * Gives a snapshot to copy from: that of create_position when it is still there, else one of a temporary slot (streaming), else
     * a plain exported one (copy only). *lsn is its consistent point: changes of transactions with commit_lsn >= *lsn are not in it,
     * all others are. first: nothing was copied or streamed from this position before, so that it may move on to the snapshot.
     */
    int (*begin_snapshot)(void *source, bool first, pgconvoy_lsn *lsn, pgconvoy_error *err);
    void (*end_snapshot)(void *source);
    /* Between the two: the name by which other sessions of the source's server can share it. */
    const char *(*snapshot_name)(void *source);
    /* *whole: a publication of somebody else's leaves out none of the table's rows and columns. After load_tables. */
    int (*is_whole)(void *source, const pgconvoy_table *table, bool *whole, pgconvoy_error *err);

    /*
     * Cuts a table into ranges of about target_bytes; the first has no lower and the last no upper bound. *ranges is malloc'ed,
     * the caller's. At least one range.
     */
    int (*split)(void *source, const pgconvoy_table *table, int64_t target_bytes, pgc_range **ranges, size_t *count,
                 pgconvoy_error *err);

    /*
     * A reader: one connection in the snapshot, used by one thread. formats gives the wanted format for each column of the table of the range
     * (by the sink). raw_only: values need not be cut out.
     */
    int (*open_reader)(void *source, void **reader, pgconvoy_error *err);
    int (*reader_begin)(void *reader, const pgc_range *range, const pgconvoy_format *formats, bool raw_only,
                        pgconvoy_error *err);
    /* 1: rows were read, valid until the next call; 0: the range is read to its end; -1: err. */
    int (*reader_next)(void *reader, pgconvoy_rows *rows, pgconvoy_error *err);
    void (*close_reader)(void *reader);

    /*
     * Before stream_begin, for each table as it was given out last and has been written: changes of transactions with commit_lsn <
     * copy_lsn are already in its copy and are left out of the stream.
     */
    void (*stream_set_copy_lsn)(void *source, const pgconvoy_table *table, pgconvoy_lsn copy_lsn);

    /*
     * Before stream_begin, with config.two_phase: the transactions that the sink has prepared (copied). Those whose prepare is before from_lsn, and
     * that are not among them, come when they are committed.
     */
    int (*stream_set_prepared)(void *source, const pgconvoy_prepared *prepared, size_t count, pgconvoy_lsn from_lsn,
                               pgconvoy_error *err);

    /* Starts streaming after from_lsn: transactions whose commit record ends at or before it are in the sink and are left out (0: the slot's own position). */
    int (*stream_begin)(void *source, pgconvoy_lsn from_lsn, const pgc_stream_wishes *wishes, pgconvoy_error *err);
    /*
     * Waits at most timeout_ms for changes. 1: *batch is filled, to be freed by pgc_change_batch_free; it may hold no change and only a new
     * position. 0: nothing came. -1: err. Sends feedback by itself, at least every 10 seconds and when asked.
     */
    int (*stream_next)(void *source, int timeout_ms, pgc_change_batch **batch, pgconvoy_error *err);
    /* Has stream_next return soon, by a thread that wants the stream to end. */
    void (*stream_wake)(void *source);
    /*
     * For who reads from the stream, while it cannot call stream_next, because the sink is behind: sends feedback when it is due. Reads nothing. Call
     * it about once a second.
     */
    int (*stream_heartbeat)(void *source, pgconvoy_error *err);
    /*
     * Instead of a stream, while the target is away: keeps the changes in config.spool_path and lets the slot move on with what is durable
     * there, until done (asked about ten times a second) gives true.
     */
    int (*spool)(void *source, bool (*done)(void *arg), void *arg, pgconvoy_error *err);
    /* lsn is durable in the sink: the next feedback says so. From any thread. */
    void (*stream_confirm)(void *source, pgconvoy_lsn lsn);
    /*
     * What the pipeline's watching thread asks, over a connection of its own that is kept: one thread at a time for all of these.
     *
     * health: the source's end of WAL, and what the slot holds back.
     * heartbeat: writes something small to the source's WAL; *lsn is where, 0 where nothing may be written (a standby).
     * follow_tables: gives a publication of ours the tables that the patterns choose by now, but for those in left with a copy_lsn
     *     (which somebody took out) and those that would suffer by it; *changed: the tables to be moved are no longer those that load_tables gave.
     * read_sequences: the sequences behind columns of the tables, those that have given a value; freed by pgc_arena_free(arena).
     */
    int (*health)(void *source, pgc_source_health *health, pgconvoy_error *err);
    int (*heartbeat)(void *source, pgconvoy_lsn *lsn, pgconvoy_error *err);
    int (*follow_tables)(void *source, const pgconvoy_table_status *left, size_t left_count, bool *changed,
                         pgconvoy_error *err);
    int (*read_sequences)(void *source, pgc_source_sequences *sequences, pgconvoy_error *err);
    /* *tells: event triggers tell this pipeline of commands, in their place. After load_tables. */
    int (*tells_commands)(void *source, bool *tells, pgconvoy_error *err);
    /*
     * The server's timeline, where the timeline since (0: none) ended on the way to it (0 where it is the same, or is none of its forerunners), and where its
     * WAL ends by now; 0 for a standby, which may not have come to where it was before it started. The pipeline's own thread.
     */
    int (*history)(void *source, uint32_t since, pgc_source_history *history, pgconvoy_error *err);
    /* Whether the relation of that name is there, published or not, and is still the one of that oid (0: any that was there when the pipeline stopped). The pipeline's own thread. */
    int (*relation_exists)(void *source, const char *schema, const char *name, uint32_t oid, bool *exists,
                           pgconvoy_error *err);
    /* Sends the last confirmed position and ends the stream. */
    void (*stream_end)(void *source);

    /*
     * A position that the stream will reach (without any further write to the source being needed) and before which lies everything that was
     * committed before this call. Opens a connection of its own where needed; from any thread.
     */
    int (*mark_position)(void *source, pgconvoy_lsn *lsn, pgconvoy_error *err);

    /*
     * What commands of DDL would tell the stream, without doing them: seen is called with each in its order (ddl NULL: for no sink to see), once
     * all is rolled back, with tables of the pipeline as the command leaves them. After load_tables.
     */
    int (*try_ddl)(void *source, const char *text,
                   int (*seen)(void *arg, const pgconvoy_ddl *ddl, const pgconvoy_table *const *tables, size_t table_count,
                               pgconvoy_error *err),
                   void *arg, pgconvoy_error *err);

    /* Removes slot and publication (only one that this pipeline made). What is not there is not an error. */
    int (*drop)(void *source, pgconvoy_error *err);

    void (*close)(void *source);
} pgc_source_ops;

extern const pgc_source_ops pgc_source_postgres;

#endif
