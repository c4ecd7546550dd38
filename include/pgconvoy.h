/*
 * pgconvoy.h: the public face of libpgconvoy.
 *
 * A pipeline moves rows and changes from one source (a PostgreSQL server) to
 * one sink (a database, a file, standard output, or your own code) and moves
 * the durable position back, so that the source may free its WAL.
 *
 *     pgconvoy_error    *err      = pgconvoy_error_new();
 *     pgconvoy_pipeline *pipeline = pgconvoy_pipeline_new(
 *         "postgres://localhost/shop", "duckdb:shop.duckdb", err);
 *     if (!pipeline || pgconvoy_pipeline_run(pipeline, PGCONVOY_SYNC, err))
 *         fprintf(stderr, "%s\n", pgconvoy_error_message(err));
 *     pgconvoy_pipeline_free(pipeline);
 *     pgconvoy_error_free(err);
 *
 * The header reads from top to bottom: errors, positions, what a table is made
 * of, values, changes, the interface of a sink, the pipeline.
 *
 * Conventions. A function that can fail takes a pgconvoy_error last and
 * returns 0 (or a pointer) on success, -1 (or NULL) on failure; the error is
 * then set. Strings are UTF-8 and NUL-terminated unless a length stands beside
 * them. Lengths are bytes. Unless its comment says otherwise a function may be
 * called from any thread, but not on the same object from two threads at once.
 */
#ifndef PGCONVOY_H
#define PGCONVOY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PGCONVOY_VERSION_MAJOR 0
#define PGCONVOY_VERSION_MINOR 1
#define PGCONVOY_VERSION_PATCH 0

#if defined(__GNUC__)
#define PGCONVOY_API        __attribute__((visibility("default")))
#define PGCONVOY_MUST_CHECK __attribute__((warn_unused_result))
#define PGCONVOY_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#else
#define PGCONVOY_API
#define PGCONVOY_MUST_CHECK
#define PGCONVOY_PRINTF(fmt, first)
#endif

/* The library's version, "0.1.0". Static storage. Thread-safe. */
PGCONVOY_API const char *pgconvoy_version(void);

/* ------------------------------------------------------------------ errors */

/* What kind of failure this is; it decides exit status and retry. */
typedef enum pgconvoy_error_code {
    PGCONVOY_OK = 0,
    PGCONVOY_ERROR_USAGE,      /* an option or operand is wrong */
    PGCONVOY_ERROR_CONFIG,     /* a server, sink or file is not set up for this */
    PGCONVOY_ERROR_CONNECTION, /* a connection could not be made or was lost */
    PGCONVOY_ERROR_SOURCE,     /* the source refused */
    PGCONVOY_ERROR_SINK,       /* the sink refused */
    PGCONVOY_ERROR_DATA,       /* a value or message cannot be understood or carried over */
    PGCONVOY_ERROR_STATE,      /* a slot, checkpoint or table is not what it was */
    PGCONVOY_ERROR_RESOURCE,   /* memory, disk, file descriptors */
    PGCONVOY_ERROR_INTERNAL    /* a defect of pgconvoy */
} pgconvoy_error_code;

typedef struct pgconvoy_error pgconvoy_error;

/* A new, empty error; free it with pgconvoy_error_free. NULL when out of memory. */
PGCONVOY_API pgconvoy_error *pgconvoy_error_new(void);
PGCONVOY_API void pgconvoy_error_free(pgconvoy_error *err);

/*
 * Sets the error: what failed and on which object, lower case, no full stop.
 * A message never holds a password. Replaces what was there and clears hint,
 * SQLSTATE and the retriable mark.
 */
PGCONVOY_API void pgconvoy_error_set(pgconvoy_error *err, pgconvoy_error_code code, const char *format, ...)
    PGCONVOY_PRINTF(3, 4);

/* Adds what the user can do about it, one sentence. */
PGCONVOY_API void pgconvoy_error_hint(pgconvoy_error *err, const char *format, ...) PGCONVOY_PRINTF(2, 3);

/* Marks the error as one that may heal (a lost connection, a lock): the pipeline then tries again. */
PGCONVOY_API void pgconvoy_error_retriable(pgconvoy_error *err, bool retriable);

PGCONVOY_API pgconvoy_error_code pgconvoy_error_get_code(const pgconvoy_error *err);
PGCONVOY_API const char *pgconvoy_error_message(const pgconvoy_error *err); /* "" when unset */
PGCONVOY_API const char *pgconvoy_error_get_hint(const pgconvoy_error *err); /* "" when none */
PGCONVOY_API const char *pgconvoy_error_sqlstate(const pgconvoy_error *err); /* "" when none */
PGCONVOY_API bool pgconvoy_error_is_retriable(const pgconvoy_error *err);

/* --------------------------------------------------------------- positions */

/* A position in the source's WAL, in bytes; 0 is "none" (pg_lsn). */
typedef uint64_t pgconvoy_lsn;

#define PGCONVOY_LSN_TEXT_SIZE 18

/* Writes "16/B374D848" into text (PGCONVOY_LSN_TEXT_SIZE bytes) and returns it. Thread-safe. */
PGCONVOY_API const char *pgconvoy_lsn_to_text(pgconvoy_lsn lsn, char *text);

/* Reads "16/B374D848". Returns 0, or -1 when text is not an LSN. Thread-safe. */
PGCONVOY_API int pgconvoy_lsn_from_text(const char *text, pgconvoy_lsn *lsn) PGCONVOY_MUST_CHECK;

/* ------------------------------------------------------------------ tables */

typedef struct pgconvoy_type pgconvoy_type;
typedef struct pgconvoy_column pgconvoy_column;
typedef struct pgconvoy_table pgconvoy_table;

typedef enum pgconvoy_type_kind {
    PGCONVOY_TYPE_BASE = 0,
    PGCONVOY_TYPE_ARRAY,
    PGCONVOY_TYPE_ENUM,
    PGCONVOY_TYPE_DOMAIN,
    PGCONVOY_TYPE_COMPOSITE,
    PGCONVOY_TYPE_RANGE,
    PGCONVOY_TYPE_MULTIRANGE
} pgconvoy_type_kind;

/* A PostgreSQL type, as the source's catalog has it. Owned by the source, valid until it is closed. */
struct pgconvoy_type {
    uint32_t oid;
    pgconvoy_type_kind kind;
    const char *schema;    /* "pg_catalog" */
    const char *name;      /* pg_type.typname: "int4", "_int4", "vector" */
    const char *extension; /* the extension it belongs to, or NULL */
    /* ARRAY: its element. DOMAIN: its base type (may be a domain again). RANGE: its subtype.
     * MULTIRANGE: its range type. Otherwise NULL. */
    const pgconvoy_type *element;
    int32_t typmod; /* DOMAIN: the base type's modifier, else -1 */
    char delimiter; /* between elements of an array's text form, mostly ',' */
    int label_count; /* ENUM: labels in order */
    const char *const *labels;
    int field_count; /* COMPOSITE: attributes in order (dropped ones left out) */
    const pgconvoy_column *fields;
    const char *extension_version; /* of the extension at the source; NULL where extension is */
    int former_label_count; /* ENUM: so many at the end of labels are in rows of the stream only, and not in the catalog (any more) */
    const char *met_label;  /* ENUM: among labels, the last that was learned from a row; NULL: none */
    bool lost;              /* dropped at the source since: told as text, which its values come as, and nothing more is known of it */
};

struct pgconvoy_column {
    const char *name;
    const pgconvoy_type *type;
    int32_t typmod;         /* pg_attribute.atttypmod, -1 when none: numeric(10,2), varchar(20) … */
    const char *type_sql;   /* format_type(): "numeric(10,2)", quoted and qualified where it must be */
    bool not_null;
    bool in_key;            /* part of pgconvoy_table.key */
    int primary_key;        /* 1, 2, … place in the source's primary key, 0 outside it */
    bool generated;         /* a stored generated column that the publication sends (18 and later) */
    int number;             /* pg_attribute.attnum: stays the same when a column is renamed, and none is given twice; 0 not known */
    /* What rows have here that were there before the column was, as text (pg_attribute.attmissingval): the value that
     * an ADD COLUMN with a default gave them. NULL: they have NULL, or it is not known. */
    const char *missing;
    /* An ADD COLUMN gave such rows values that the rows alone tell: an identity column, or one with a volatile default, as far as the catalog says. */
    bool computed;
    /* What new rows get here when nothing is said, as the source's catalog has it now, for what comes behind ALTER COLUMN name: "SET DEFAULT 0",
     * "ADD GENERATED ALWAYS AS IDENTITY (…)"; names outside of pg_catalog are qualified. NULL: nothing, or it is not known, or speaks of what has another name in the target. */
    const char *default_clause;
    const char *default_sequence;         /* a sequence of the column's own that the default takes its numbers from: its qualified name; or NULL */
    const char *default_sequence_options; /* with it: "AS integer START WITH 1 …" */
};

/*
 * A table as the pipeline sees it: the columns that are sent, in the order of
 * every row's values. Owned by the source, never changed once handed out: after a
 * schema change a new pgconvoy_table with the same oid and a higher version takes its place.
 */
struct pgconvoy_table {
    uint32_t oid;
    uint32_t version; /* counts from 1 for each oid */
    const char *schema;
    const char *name;
    int column_count;
    const pgconvoy_column *columns;
    char replica_identity; /* 'd' default, 'i' index, 'f' full, 'n' nothing (pg_class.relreplident) */
    /*
     * The columns that identify a row, as indexes into columns: the replica identity index or the
     * primary key; with FULL the primary key, and where there is none key_count is 0 and rows are
     * identified by all columns; 0 also where a row cannot be identified at all.
     */
    int key_count;
    const int *key;
    int64_t estimated_rows;  /* -1 unknown */
    int64_t estimated_bytes; /* heap and TOAST, without indexes */
    /* Of a version that the stream gives: commands that rename the table come as DDL. The name of this version may then be one of before what the sink was opened with. */
    bool named_by_command;
};

/* ------------------------------------------------------------------ values */

typedef enum pgconvoy_format { PGCONVOY_TEXT = 0, PGCONVOY_BINARY = 1 } pgconvoy_format;

#define PGCONVOY_NULL      (-1) /* SQL NULL */
#define PGCONVOY_UNCHANGED (-2) /* a TOASTed value that the UPDATE did not change and the server did not send */

/* One value: the bytes of the type's output (text) or send (binary) function. Owned by its batch; data is not
 * NUL-terminated, and NULL when length is negative. */
typedef struct pgconvoy_value {
    const char *data;
    int32_t length; /* bytes, or PGCONVOY_NULL, or PGCONVOY_UNCHANGED */
    uint8_t format; /* pgconvoy_format */
} pgconvoy_value;

/* Rows of a table copy. */
typedef struct pgconvoy_rows {
    const pgconvoy_table *table;
    size_t row_count;
    const pgconvoy_value *values; /* row_count × table->column_count, row by row */
    /*
     * The same rows as they came in COPY's own format, without header and trailer, for a sink that
     * passes them through. Binary when raw_format is PGCONVOY_BINARY, else lines of COPY text.
     */
    const char *raw;
    size_t raw_length;
    pgconvoy_format raw_format;
    pgconvoy_lsn snapshot_lsn; /* the consistent point of the snapshot the rows were read in */
} pgconvoy_rows;

/* ----------------------------------------------------------------- changes */

typedef enum pgconvoy_operation {
    PGCONVOY_BEGIN = 1,
    PGCONVOY_INSERT,
    PGCONVOY_UPDATE,
    PGCONVOY_DELETE,
    PGCONVOY_TRUNCATE,
    PGCONVOY_MESSAGE, /* pg_logical_emit_message */
    PGCONVOY_SCHEMA,  /* table is the new version; the rows that follow have its columns */
    PGCONVOY_COMMIT,
    PGCONVOY_DDL, /* a command that changed the source's schema: ddl. Given to apply_ddl, and as an event to a sink that keeps those */
    /* With two_phase, and never given to write_changes: the end of a transaction that has a gid, and later what became of it. */
    PGCONVOY_PREPARE,
    PGCONVOY_COMMIT_PREPARED,
    PGCONVOY_ROLLBACK_PREPARED,
    /* Never given to write_changes either: a transaction that came while it was in progress did not commit, or does so later. */
    PGCONVOY_ROLLBACK
} pgconvoy_operation;

/* The transaction that a change belongs to. */
typedef struct pgconvoy_transaction {
    uint32_t xid;             /* 0 for a message outside of any transaction */
    pgconvoy_lsn commit_lsn;  /* where its commit record starts */
    pgconvoy_lsn end_lsn;     /* where its commit record ends; known in the COMMIT, 0 before */
    int64_t commit_time;      /* microseconds since 1970-01-01 00:00 UTC */
    bool in_progress;         /* not known to commit: commit_lsn is less than where it will, commit_time 0. Only with PGCONVOY_SINK_TENTATIVE */
    const char *origin;       /* replication origin, or NULL */
    /* Of PREPARE TRANSACTION, where the changes come when they are prepared: commit_lsn, end_lsn and commit_time are then the prepare's. Else NULL. */
    const char *gid;
} pgconvoy_transaction;

/* What a command of DDL made, changed or dropped. */
typedef struct pgconvoy_ddl_object {
    const char *type;       /* "table", "index", "view", "table column" … as pg_event_trigger_ddl_commands() calls it */
    const char *schema;     /* NULL: it is in none */
    const char *name;       /* of a relation or type; NULL for others */
    const char *identity;   /* its name, qualified and quoted */
    const char *definition; /* SQL that makes it, where the command's text is not known and there is such; else NULL */
    uint32_t oid;
    uint32_t table_oid;     /* of the table that it is, or is part of; else 0 */
    bool dropped;
    bool original;          /* named by the command; of what was dropped, others went with it (CASCADE) */
} pgconvoy_ddl_object;

/* A command that changed the source's schema, as an event trigger there saw it, in its place among the changes. */
typedef struct pgconvoy_ddl {
    const char *tag;        /* "ALTER TABLE" */
    const char *command;    /* its text, without a semicolon; NULL where the server does not tell (functions in SQL or C) */
    const char *search_path; /* of that moment, as SET takes it */
    const char *const *settings; /* others that its meaning hangs on: name, value, name, value …, NULL */
    const pgconvoy_ddl_object *objects;
    size_t object_count;
    /* Tables whose rows the command gave values that only the source knows (a volatile default): they are copied anew. */
    const uint32_t *recopied;
    size_t recopied_count;
    const pgconvoy_table *const *tables; /* of the pipeline, as the command leaves them: the change_schema of each comes next */
    size_t table_count;
    bool copied;            /* a table of it was copied after the command, and has it already */
    bool by_leaves;         /* the pipeline has partitions as tables of their own, and none that is partitioned */
} pgconvoy_ddl;

typedef struct pgconvoy_change {
    uint8_t operation;   /* pgconvoy_operation */
    char old_kind;       /* 'K' old holds the key columns only (others are PGCONVOY_NULL), 'O' the whole row, 0 none */
    uint8_t flags;       /* TRUNCATE: PGCONVOY_TRUNCATE_…; MESSAGE: PGCONVOY_MESSAGE_… */
    uint32_t sequence;   /* place in its transaction, from 0: with commit_lsn unique and ordered */
    pgconvoy_lsn lsn;    /* where the change's record starts */
    const pgconvoy_transaction *transaction;
    const pgconvoy_table *table; /* NULL for BEGIN, COMMIT, MESSAGE; a TRUNCATE of several tables is several changes */
    const pgconvoy_value *old;   /* column_count values, or NULL. NULL too for an UPDATE that left the key alone */
    const pgconvoy_value *new_;  /* column_count values, or NULL */
    const char *prefix;          /* MESSAGE */
    const char *content;         /* MESSAGE; not NUL-terminated */
    size_t content_length;
    const pgconvoy_ddl *ddl;     /* DDL */
} pgconvoy_change;

#define PGCONVOY_TRUNCATE_CASCADE          1
#define PGCONVOY_TRUNCATE_RESTART_IDENTITY 2
#define PGCONVOY_MESSAGE_TRANSACTIONAL     1

/* Changes in commit order. A transaction may reach over several batches, and a batch may hold several transactions. */
typedef struct pgconvoy_changes {
    const pgconvoy_change *items;
    size_t count;
    pgconvoy_lsn source_lsn; /* where the source's WAL ended when it was last asked, for who wants to know what is still to come; 0: not known */
} pgconvoy_changes;

/* ------------------------------------------------- the interface of a sink */

typedef enum pgconvoy_table_state {
    PGCONVOY_TABLE_WAITING = 0,
    PGCONVOY_TABLE_COPYING,     /* rows are being written; what is there is not complete */
    PGCONVOY_TABLE_CATCHING_UP, /* copied as of copy_lsn; changes before it are skipped */
    PGCONVOY_TABLE_LIVE,
    PGCONVOY_TABLE_FAILED,      /* cannot be received: its changes are left out; tried again with the next start */
    PGCONVOY_TABLE_LEFT         /* not among the pipeline's tables any more; only in a pgconvoy_progress, never in a checkpoint */
} pgconvoy_table_state;

/* The state of one table, as a checkpoint keeps it. */
typedef struct pgconvoy_table_status {
    const char *schema;
    const char *name;
    pgconvoy_table_state state;
    pgconvoy_lsn copy_lsn; /* consistent point of the snapshot it was copied in */
} pgconvoy_table_status;

/*
 * A checkpoint: where a pipeline stands in this sink. Stored by the sink together with the data (in the same
 * transaction where it has transactions) under the pipeline's name.
 */
typedef struct pgconvoy_checkpoint {
    const char *source_id; /* names the source's database cluster and database; NULL when there is no checkpoint yet */
    pgconvoy_lsn lsn;      /* every transaction whose commit record ends at or before it is durable here; 0 none */
    size_t table_count;
    const pgconvoy_table_status *tables;
    pgconvoy_lsn ahead_lsn; /* some changes of what comes after lsn, up to here, are durable here already, and known; 0 none */
} pgconvoy_checkpoint;

/* A transaction of the source's that is prepared in a sink and has not ended, as far as the sink knows. */
typedef struct pgconvoy_prepared {
    uint32_t xid;
    pgconvoy_lsn lsn; /* where the record of its prepare starts */
} pgconvoy_prepared;

/* A sequence of the source that gives values to a column of a table (serial, identity), and the last it gave. */
typedef struct pgconvoy_sequence {
    const char *table_schema, *table_name, *column; /* that it gives values to */
    const char *schema, *name;                      /* of the sequence itself */
    int64_t last_value;
    bool descending;
    int64_t increment;
} pgconvoy_sequence;

/* What to do with a target table that is there already and was not made by this pipeline. */
typedef enum pgconvoy_if_exists {
    PGCONVOY_IF_EXISTS_ERROR = 0,
    PGCONVOY_IF_EXISTS_APPEND,
    PGCONVOY_IF_EXISTS_TRUNCATE,
    PGCONVOY_IF_EXISTS_DROP
} pgconvoy_if_exists;

typedef struct pgconvoy_log pgconvoy_log;

typedef enum pgconvoy_log_level {
    PGCONVOY_LOG_DEBUG = 0,
    PGCONVOY_LOG_INFO,
    PGCONVOY_LOG_WARNING,
    PGCONVOY_LOG_ERROR
} pgconvoy_log_level;

/* Writes a line to the pipeline's log; never a password. Thread-safe. */
PGCONVOY_API void pgconvoy_log_write(pgconvoy_log *log, pgconvoy_log_level level, const char *format, ...)
    PGCONVOY_PRINTF(3, 4);

/* What a sink is opened with. All of it stays valid until the sink is closed. */
typedef struct pgconvoy_sink_config {
    const char *target;        /* the TARGET as the user wrote it; may hold a password: never log it */
    const char *pipeline_name;
    const char *source_id;     /* to be stored in the checkpoint */
    const char *state_dir;     /* this pipeline's own folder for local state; may not exist yet */
    size_t memory_bytes;       /* the sink's share of the memory budget */
    int writers;               /* how many writers may be open at once */
    pgconvoy_log *log;
    void *user_data;           /* from pgconvoy_pipeline_new_with_sink, else NULL */
    const char *on_conflict;   /* "source", "target", "error", "last-write", "merge-source" or "merge-target"; NULL: source. Only with PGCONVOY_SINK_CONFLICTS */
    const char *conflict_table; /* [SCHEMA.]TABLE that keeps conflicts, or NULL. Only with PGCONVOY_SINK_CONFLICTS */
    bool two_way;               /* another pipeline faces this one: what is written must be told from what is written there */
    const char *split_sequences; /* "odd", "even" or "from:N": the values that the target's sequences give; NULL: the source's are carried over */
    bool ddl_skip;             /* --ddl=skip: commands that cannot be carried over are left out and listed */
    /*
     * Set for a trial of DDL (--ddl-dry-run), only with PGCONVOY_SINK_DDL_TRIAL: begin, apply_ddl and change_schema tell each statement that they
     * run, or would run where there is no going back; abort comes next, and nothing may remain. NULL otherwise.
     */
    void (*tell)(void *arg, const char *statement);
    void *tell_arg;
    int apply_jobs;            /* so many connections apply the stream's changes; 0, 1: one. Only with PGCONVOY_SINK_APPLY_JOBS */
    bool two_phase;            /* transactions that the source has prepared are prepared here. Only with PGCONVOY_SINK_TWO_PHASE */
    bool ddl_by_text;          /* commands of DDL are given as they were said, where the source may capture them. Only with PGCONVOY_SINK_DDL_TEXT */
    bool other_names;          /* tables have other names here than at the source (--map-…) */
    bool lacks_label;          /* the attempt before ended by a value that its type at the target refused: an enum may lack a label */
} pgconvoy_sink_config;

#define PGCONVOY_SINK_VERSION 1

/* What a sink can do. */
#define PGCONVOY_SINK_TRANSACTIONAL   1u /* rows and checkpoint are made durable in one transaction */
#define PGCONVOY_SINK_PARALLEL        2u /* several writers may copy at once */
#define PGCONVOY_SINK_RAW_ROWS        4u /* needs only rows->raw; rows->values may be NULL */
#define PGCONVOY_SINK_KEEPS_EVENTS    8u /* wants BEGIN, COMMIT and MESSAGE changes too; others are never given them */
#define PGCONVOY_SINK_ALL_TABLES_IN_ONE_STREAM 16u /* has no tables of its own: nothing can be in the way */
#define PGCONVOY_SINK_SEQUENCES       32u /* has write_sequences */
#define PGCONVOY_SINK_CONFLICTS       64u /* knows of rows that are not what they should be: on_conflict, conflict_table */
#define PGCONVOY_SINK_DDL            128u /* has apply_ddl */
#define PGCONVOY_SINK_DDL_TRIAL      512u /* can try a change of definitions: tell */
#define PGCONVOY_SINK_DDL_TEXT       256u /* … and does what a command's text says: an ALTER with USING gives its rows the source's values */
#define PGCONVOY_SINK_APPLY_JOBS    1024u /* the changes of one batch can be applied by several connections: apply_jobs */
#define PGCONVOY_SINK_TWO_PHASE     2048u /* has read_prepared and what comes with it */
/* May be given changes of a transaction that is still in progress at the source, alone between begin and commit; abort takes them back, and the writer goes on. */
#define PGCONVOY_SINK_TENTATIVE     4096u
#define PGCONVOY_SINK_PRIVILEGES    8192u /* has check_privileges */
#define PGCONVOY_SINK_HANDS_ON     16384u /* does not keep in memory what it is given between begin and commit, however much that is */
/* Notes which column of the source each of its columns is. Where no event triggers tell of changes, change_schema is called with a table as old and as new before the
 * first change of it: then it follows what came while no stream ran. */
#define PGCONVOY_SINK_NOTES_COLUMNS 32768u

/*
 * A sink: one struct of functions. Call order:
 *
 *   open
 *     read_checkpoint
 *     check_table *                        every table, before anything is changed at either end
 *     for a table to copy: prepare_table, then in one or more writers, at the same time:
 *        open_writer
 *           begin, write_rows *, commit    once for each range of a table
 *        close_writer
 *     finish_table                         when all of its ranges are committed
 *     for the stream, in one writer:
 *        open_writer
 *           begin, (write_changes | apply_ddl | change_schema) *, commit     again and again
 *           begin, write_changes *, abort                                    only with PGCONVOY_SINK_TENTATIVE, between those
 *           begin_prepared, (write_changes | change_schema) *, prepare       with two_phase, between those
 *           end_prepared                                                     … for each of these, later
 *        close_writer
 *   close
 *
 * After a failed begin, write or commit the pipeline calls abort, and then close_writer, before it tries again.
 * All functions are required; pgconvoy_sink_default_… below serve where a sink has nothing to do. A function that
 * fails sets err with what failed, on which object, and a hint; it marks the error retriable when a
 * second try may succeed.
 */
typedef struct pgconvoy_sink {
    int version;              /* PGCONVOY_SINK_VERSION */
    const char *name;         /* "duckdb" */
    const char *description;  /* one line for --help */
    const char *const *schemes; /* "duckdb:", … : prefixes of TARGET that are this sink's; ends with NULL */
    const char *target_help;  /* "duckdb:FILE" */
    unsigned capabilities;    /* PGCONVOY_SINK_… */

    /*
     * Connects, loads libraries and checks that config->target can be written. Creates nothing that was not there, except
     * that a new file may be created when it is removed again by close if nothing was prepared. Gives *sink, the sink's own
     * state, to be freed by close.
     */
    int (*open)(const pgconvoy_sink_config *config, void **sink, pgconvoy_error *err);

    /*
     * Gives the pipeline's checkpoint in *checkpoint, owned by the sink and valid until the next call or close.
     * source_id is NULL and lsn 0 where there is none. Creates nothing.
     */
    int (*read_checkpoint)(void *sink, pgconvoy_checkpoint *checkpoint, pgconvoy_error *err);

    /* In which format this column's values should come; both must be understood in any case. */
    pgconvoy_format (*column_format)(void *sink, const pgconvoy_column *column);

    /*
     * Says whether table can be received: its types have a mapping, and with PGCONVOY_IF_EXISTS_ERROR no table that this pipeline did
     * not make is in the way. Changes nothing.
     */
    int (*check_table)(void *sink, const pgconvoy_table *table, pgconvoy_if_exists if_exists, pgconvoy_error *err);

    /*
     * Makes table ready for its rows: created where absent, emptied of what an interrupted copy of this pipeline left,
     * and dealt with by if_exists where it is somebody else's. Durably marks the table COPYING in the checkpoint in the same
     * transaction. Called from one thread, while no writer is in use for the same table.
     */
    int (*prepare_table)(void *sink, const pgconvoy_table *table, pgconvoy_if_exists if_exists, pgconvoy_error *err);

    /*
     * All rows of the table copy are committed: build what was left for the end (keys, indexes), and durably mark the table
     * as status says, in one transaction. May be called from any of the copying threads, for one table at a time each.
     */
    int (*finish_table)(void *sink, const pgconvoy_table *table, const pgconvoy_table_status *status,
                        pgconvoy_error *err);

    /* A writer: one connection, used by one thread at a time. */
    int (*open_writer)(void *sink, void **writer, pgconvoy_error *err);

    /* Starts a transaction. table is the table to be copied, NULL for the stream. */
    int (*begin)(void *writer, const pgconvoy_table *table, pgconvoy_error *err);

    /* Writes rows of the table given to begin. rows is valid during the call. */
    int (*write_rows)(void *writer, const pgconvoy_rows *rows, pgconvoy_error *err);

    /*
     * Writes changes in commit order; changes is valid during the call. Tables stay as they are during a call: a PGCONVOY_SCHEMA change is
     * given to change_schema instead. An UPDATE or DELETE must reach the row that has the old key; a value
     * that is PGCONVOY_UNCHANGED is left as it is. The changes of a transaction become visible with commit, never before.
     */
    int (*write_changes)(void *writer, const pgconvoy_changes *changes, pgconvoy_error *err);

    /*
     * From here on rows of the table have the columns of new_table. Refuses, by name, what it cannot follow; or returns 1, with the reason in err, where
     * it can have the table as it is now once that is copied anew: the checkpoint has it under its new name then, no change of it is given any more, and
     * the commit makes it waiting for prepare_table.
     */
    int (*change_schema)(void *writer, const pgconvoy_table *old_table, const pgconvoy_table *new_table,
                         pgconvoy_error *err);

    /*
     * Makes everything since begin durable, and with it the position lsn (0: leave the position alone) and the states of the given
     * tables, in one transaction where the sink has transactions. Rows of a table copy, for which lsn is 0 and table_count too, may
     * wait for finish_table to be made durable: a table that was not finished is copied again as a whole. A sink with make_durable may
     * return 1 for changes of the stream: they can be seen, in one piece with their position, and are not durable yet.
     */
    int (*commit)(void *writer, pgconvoy_lsn lsn, const pgconvoy_table_status *tables, size_t table_count,
                  pgconvoy_error *err);

    /* Gives up everything since begin. Called at most once after begin, also when the connection is gone; cannot fail. */
    void (*abort)(void *writer);

    void (*close_writer)(void *writer);

    /* Forgets the pipeline: removes its checkpoint, leaves the tables. For `drop`. */
    int (*drop)(void *sink, pgconvoy_error *err);

    void (*close)(void *sink);

    /*
     * With PGCONVOY_SINK_SEQUENCES: brings the target's sequences up to these values, never back. What the target has no
     * sequence for is passed over. From a thread of its own, while writers are in use.
     */
    int (*write_sequences)(void *sink, const pgconvoy_sequence *sequences, size_t count, pgconvoy_error *err);
    /*
     * What drop removes, as the user can do it by hand when the target is out of reach: text in which "%s" stands for the
     * pipeline's name as an SQL literal. NULL: removed with the pipeline's local state.
     */
    const char *drop_by_hand;
    /*
     * With PGCONVOY_SINK_DDL: a command changed the source's schema. Called between write_changes, before the change_schema of the tables that it
     * changed (which follows in any case, and must find nothing to do where this has done it). A sink may look at no more than dropped tables.
     */
    int (*apply_ddl)(void *writer, const pgconvoy_ddl *ddl, pgconvoy_error *err);

    /*
     * The rest is with PGCONVOY_SINK_TWO_PHASE. read_prepared, before a stream begins, whether or not config->two_phase is set: the transactions
     * that are prepared here, and their end not stored; the sink's own until the next call.
     */
    int (*read_prepared)(void *sink, const pgconvoy_prepared **prepared, size_t *count, pgconvoy_error *err);
    /* Starts a transaction of the stream's that prepare will end: transaction->gid is set, its end not known yet. */
    int (*begin_prepared)(void *writer, const pgconvoy_transaction *transaction, pgconvoy_error *err);
    /*
     * Prepares what was written since begin_prepared, and makes the position transaction->end_lsn durable. A failure, or the end of the process,
     * between the two is no loss: read_prepared then tells of it, and its changes do not come again.
     */
    int (*prepare)(void *writer, const pgconvoy_transaction *transaction, pgconvoy_error *err);
    /*
     * Outside of any transaction: commits, or rolls back, the one with transaction->xid, and makes the position transaction->end_lsn
     * durable. After a failure between the two it comes again, and must find that done.
     */
    int (*end_prepared)(void *writer, const pgconvoy_transaction *transaction, bool commit, pgconvoy_error *err);

    /*
     * With PGCONVOY_SINK_PRIVILEGES, for `check`: fails with code CONFIG when the target's user lacks a right that open did not need but a pipeline
     * does; err names rights and place, its hint how they are granted. *is_known is false where the target cannot tell. Changes nothing.
     */
    int (*check_privileges)(void *sink, bool *is_known, pgconvoy_error *err);

    /*
     * NULL: what is committed is durable. Else outside of any transaction, before a stream begins (an earlier process may have ended before it came to
     * this), soon after a commit that returned 1, and at the stream's end: all that is committed is durable once it returns.
     */
    int (*make_durable)(void *writer, pgconvoy_error *err);

    /*
     * NULL, or before anything moves where no event triggers tell of new names: the source's tables, as they are called now. Those that are here by another name
     * (they are told by their oid) get this one, all at once, their rows and states with them; what has that name here and is no table of the source's any more
     * is removed where all of its rows are the pipeline's, and a failure that names it else. A state of a table that was replaced by another of its name becomes WAITING.
     * *changed: the checkpoint is to be read again.
     */
    int (*rename_tables)(void *sink, const pgconvoy_table *const *tables, size_t count, bool *changed, pgconvoy_error *err);
} pgconvoy_sink;

/* Defaults for sinks that have nothing to do there. Each is documented by its name. */
PGCONVOY_API pgconvoy_format pgconvoy_sink_default_column_format_text(void *sink, const pgconvoy_column *column);
PGCONVOY_API int pgconvoy_sink_default_check_table(void *sink, const pgconvoy_table *table,
                                                   pgconvoy_if_exists if_exists, pgconvoy_error *err);
PGCONVOY_API int pgconvoy_sink_default_change_schema(void *writer, const pgconvoy_table *old_table,
                                                     const pgconvoy_table *new_table, pgconvoy_error *err);

/*
 * A checkpoint in a local file, for sinks that have no transactions: kept in config->state_dir; each store appends
 * to it and syncs it, and it is rewritten when it has grown. Open it in the sink's open; the store_… functions serve prepare_table, finish_table and commit after the sink
 * has made its data durable. note is a short text of the sink's own, kept with the checkpoint (NULL: leave it alone). Thread-safe.
 */
typedef struct pgconvoy_checkpoint_file pgconvoy_checkpoint_file;
PGCONVOY_API pgconvoy_checkpoint_file *pgconvoy_checkpoint_file_open(const pgconvoy_sink_config *config,
                                                                     pgconvoy_error *err) PGCONVOY_MUST_CHECK;
PGCONVOY_API int pgconvoy_checkpoint_file_read(pgconvoy_checkpoint_file *file, pgconvoy_checkpoint *checkpoint,
                                               pgconvoy_error *err) PGCONVOY_MUST_CHECK;
PGCONVOY_API const char *pgconvoy_checkpoint_file_note(pgconvoy_checkpoint_file *file);
PGCONVOY_API int pgconvoy_checkpoint_file_store(pgconvoy_checkpoint_file *file, pgconvoy_lsn lsn,
                                                const pgconvoy_table_status *tables, size_t table_count,
                                                const char *note, pgconvoy_error *err) PGCONVOY_MUST_CHECK;
PGCONVOY_API int pgconvoy_checkpoint_file_remove(pgconvoy_checkpoint_file *file, pgconvoy_error *err)
    PGCONVOY_MUST_CHECK;
PGCONVOY_API void pgconvoy_checkpoint_file_close(pgconvoy_checkpoint_file *file);

/*
 * A value as PostgreSQL's text form (ISO dates, UTC, hex bytea), whatever format it came in. *text is allocated with malloc
 * and NUL-terminated; *length excludes the NUL. The value must not be NULL or unchanged.
 */
PGCONVOY_API int pgconvoy_value_to_text(const pgconvoy_type *type, const pgconvoy_value *value, char **text,
                                        size_t *length, pgconvoy_error *err) PGCONVOY_MUST_CHECK;

/* --------------------------------------------------------------- pipelines */

typedef struct pgconvoy_pipeline pgconvoy_pipeline;

typedef enum pgconvoy_action {
    PGCONVOY_COPY = 1,   /* the table copy only */
    PGCONVOY_STREAM = 2, /* the change stream only, from the slot's position on */
    PGCONVOY_SYNC = 3    /* copy, then stream without a gap */
} pgconvoy_action;

/*
 * A pipeline between source and target, written as on the command line ("postgres://…", "duckdb:FILE", "-").
 * Nothing is connected yet. Free it with pgconvoy_pipeline_free. NULL and err on failure (an unknown form of target, say).
 */
PGCONVOY_API pgconvoy_pipeline *pgconvoy_pipeline_new(const char *source, const char *target, pgconvoy_error *err)
    PGCONVOY_MUST_CHECK;

/* The same into a sink of your own. sink and user_data must live as long as the pipeline. */
PGCONVOY_API pgconvoy_pipeline *pgconvoy_pipeline_new_with_sink(const char *source, const pgconvoy_sink *sink,
                                                                void *user_data, pgconvoy_error *err)
    PGCONVOY_MUST_CHECK;

/*
 * Sets an option by the name it has on the command line without the dashes ("name", "table", "jobs", "until", "memory" …); options that
 * may be repeated add up, and a switch's value may be NULL. Fails with PGCONVOY_ERROR_USAGE on an unknown name or a bad value.
 */
PGCONVOY_API int pgconvoy_pipeline_set(pgconvoy_pipeline *pipeline, const char *option, const char *value,
                                       pgconvoy_error *err) PGCONVOY_MUST_CHECK;

/*
 * Runs until done: PGCONVOY_COPY ends after the copy, the others when pgconvoy_pipeline_stop is called or "until" is reached. What can heal is
 * retried inside. Returns 0 when it ended as asked. A pipeline can be run again; it goes on where it was.
 *
 * PGCONVOY_SYNC into PostgreSQL makes the tables that the target lacks as they are at the source, with indexes, keys, constraints, triggers and what
 * they need. All other runs make them as the sink does: PGCONVOY_COPY brings rows into tables with their columns and keys alone.
 */
PGCONVOY_API int pgconvoy_pipeline_run(pgconvoy_pipeline *pipeline, pgconvoy_action action, pgconvoy_error *err)
    PGCONVOY_MUST_CHECK;

/* Asks a running pipeline to finish its batch and return. Safe from any thread and from a signal handler. */
PGCONVOY_API void pgconvoy_pipeline_stop(pgconvoy_pipeline *pipeline);

/* Removes what the pipeline left at both ends: slot, publication it created, checkpoint. Target tables stay. */
PGCONVOY_API int pgconvoy_pipeline_drop(pgconvoy_pipeline *pipeline, pgconvoy_error *err) PGCONVOY_MUST_CHECK;

/* The pipeline's name, set or derived; valid until it is freed. */
PGCONVOY_API const char *pgconvoy_pipeline_name(const pgconvoy_pipeline *pipeline);

/* How far one table is. */
typedef struct pgconvoy_table_progress {
    const char *schema;
    const char *name;
    pgconvoy_table_state state;
    int64_t rows_copied;
    int64_t bytes_copied;
    int64_t estimated_rows;
    int64_t estimated_bytes;
    int64_t elapsed_us; /* of its copy so far */
} pgconvoy_table_progress;

typedef enum pgconvoy_phase {
    PGCONVOY_PHASE_STARTING = 0,
    PGCONVOY_PHASE_COPYING,
    PGCONVOY_PHASE_CATCHING_UP,
    PGCONVOY_PHASE_STREAMING,
    PGCONVOY_PHASE_RETRYING,
    PGCONVOY_PHASE_DONE
} pgconvoy_phase;

/* How far a pipeline is. Counts are since run was called. */
typedef struct pgconvoy_progress {
    pgconvoy_phase phase;
    int64_t elapsed_us;
    size_t table_count;
    const pgconvoy_table_progress *tables; /* valid during the callback */
    int64_t rows_copied;
    int64_t bytes_copied;
    int64_t changes;          /* inserts, updates, deletes, truncates that are durable in the target */
    int64_t transactions;     /* commits that are durable in the target */
    pgconvoy_lsn received_lsn;  /* received from the source */
    pgconvoy_lsn durable_lsn;   /* durable in the target and confirmed, or about to be */
    pgconvoy_lsn source_lsn;    /* the source's end of WAL, when last asked or told */
    int64_t lag_bytes;        /* source_lsn - durable_lsn, at least 0 */
    int64_t lag_us;           /* age of the last durable commit when there is more to do, 0 when caught up */
    int64_t commit_lag_us;    /* from commit at the source to durable in the target, of the last transaction or heartbeat; -1 unknown */
    int64_t retained_bytes;   /* WAL that the source keeps for the slot; -1 unknown */
    int64_t left_bytes;       /* of WAL that the source may still write before it gives the slot up; -1: no limit, or unknown */
    size_t left_count;        /* tables that were the pipeline's and have left it */
    const pgconvoy_table_progress *left_tables; /* valid during the callback */
    int64_t prepared;         /* transactions that are prepared in the target and have not ended; -1 unknown, or a target without such */
} pgconvoy_progress;

/* Called about interval_ms apart, and once more at the end, from a thread of the library's. fn must return soon. */
PGCONVOY_API void pgconvoy_pipeline_on_progress(pgconvoy_pipeline *pipeline, int interval_ms,
                                                void (*fn)(void *arg, const pgconvoy_progress *progress), void *arg);

/* Where log lines go; without it warnings and errors go to standard error. fn may be called from several threads. */
PGCONVOY_API void pgconvoy_pipeline_on_log(pgconvoy_pipeline *pipeline,
                                           void (*fn)(void *arg, pgconvoy_log_level level, const char *line),
                                           void *arg);

PGCONVOY_API void pgconvoy_pipeline_free(pgconvoy_pipeline *pipeline);

/* The sinks that this build has, NULL-terminated, in the order of the registry. Static storage. Thread-safe. */
PGCONVOY_API const pgconvoy_sink *const *pgconvoy_sinks(void);

/* One option of a pipeline, as a row: what --help and the docs are made of. */
typedef struct pgconvoy_option {
    const char *name;     /* "jobs" */
    char letter;          /* 'j', or 0 */
    const char *argument; /* "N", or NULL for a switch */
    const char *default_text;
    const char *help;
} pgconvoy_option;

/* The options of pgconvoy_pipeline_set; ends with a row whose name is NULL. Static storage. Thread-safe. */
PGCONVOY_API const pgconvoy_option *pgconvoy_pipeline_options(void);

#ifdef __cplusplus
}
#endif
#endif
