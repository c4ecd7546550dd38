/*
 * The PostgreSQL sink's own structures. How its files stand to each other:
 *
 *   sink.c        the descriptor; opening and closing, begin, commit, abort
 *   session.c     connections set up for writing, a pool of them for what happens beside the writers
 *   checkpoint.c  pgconvoy.pipeline and pgconvoy.table_state on the target
 *   adopt.c       … given to a pipeline, or taken from it, by others
 *   two_phase.c   transactions that are prepared here as at the source
 *   prepared.c    … those that have not ended: names, rows, what an earlier run has left
 *   types.c       which types exist on the target, and making those that do not
 *   columns.c     the columns of a target table, and whether the source's fit into them
 *   schema.c      check, prepare and finish a table
 *   keys.c        primary keys and unique indexes of tables that we made
 *   alter.c       a schema change carried over
 *   ddl.c         … that came with the command that made it
 *   copy_write.c  the table copy: COPY FROM STDIN
 *   gather.c      the change stream: changes that wait, and when they are applied
 *   hands.c       … by whom: one connection, or several
 *   pile.c        … those that are applied together
 *   background.c  … by a thread, while more are gathered
 *   team.c        … by several connections at once
 *   split.c       which of them has what
 *   parts.c       what is left to do when not all of them have committed
 *   bulk.c        … in bulk, table by table
 *   key_order.c   … in the order of their keys
 *   array.c       values of many rows as one parameter
 *   apply.c       … one by one: changes to parameters of statements
 *   statement.c   the statements' cache
 *   targets.c     the tables of the target, and what is known of them
 *   statement_sql.c  SQL of the statements
 *   conflict.c    changes that do not meet what they should: counted, and kept where that is asked for
 *   flight.c      many statements in flight at once (libpq's pipeline mode)
 *   origin.c      the replication origin of the stream's session
 *   two_way.c     what two pipelines that face each other need: of the server, of tables, of sequences
 *   sequences.c   values of sequences
 *
 * Threads: pgc_pgsink is shared; what its lock guards is said below. A writer belongs to one thread.
 */
#ifndef PGC_SINK_POSTGRES_SINK_INTERNAL_H
#define PGC_SINK_POSTGRES_SINK_INTERNAL_H

#include "base/arena.h"
#include "base/log.h"
#include "postgres/connection.h"
#include "postgres/quote.h"

#include <pthread.h>
#include <stdatomic.h>

#define PGSINK_SQL_LIMIT (16u << 20) /* the longest statement: 1600 columns of 63 bytes, several times over */
#define PGSINK_IDLE_MAX 8

/* --on-conflict, in the order of conflict.c's policies. */
typedef enum pgc_pgsink_on_conflict {
    PGSINK_SOURCE_WINS,
    PGSINK_TARGET_WINS,
    PGSINK_CONFLICT_FAILS,
    PGSINK_LAST_WRITE,   /* by the commits' times; a delete stands whenever it was */
    PGSINK_MERGE_SOURCE, /* as the two first, but column by column: one that only one side has changed is taken over */
    PGSINK_MERGE_TARGET
} pgc_pgsink_on_conflict;

typedef struct pgc_pgsink {
    const pgconvoy_sink_config *config;
    int server_version;
    char *database;
    pgc_pgsink_on_conflict on_conflict;
    const char *conflict_table; /* quoted; NULL: conflicts are counted only */
    bool wins_ties;           /* of two commits at one moment the source's stands: one of two ends that face each other */
    bool sequences_told;
    uint32_t origin_id;       /* of the stream's session in the target's commit timestamps; 0 none */
    bool replica_role;        /* session_replication_role = replica is allowed to us */
    atomic_bool state_exists; /* the tables of schema pgconvoy are there */
    atomic_ullong lsn;        /* the position that the pipeline goes on from: as read, then as committed */
    bool sequences_forbidden, sequences_small; /* said already; one thread at a time carries sequences */
    atomic_bool lsn_known;
    atomic_bool parts_table;        /* pgconvoy.apply_part is there */
    struct pgc_pgsink_parts *parts; /* what an interrupted batch has left to do; NULL: nothing. Of the stream's writer */
    struct pgc_pgsink_prepared *prepared; /* transactions that are prepared here; NULL: not read yet. Of the stream's writer */
    pgc_arena *checkpoint_arena;

    pthread_mutex_t lock; /* guards what follows */
    PGconn *idle[PGSINK_IDLE_MAX];
    int idle_count;
    pgc_arena *arena;                     /* for the lists */
    struct pgc_pgsink_mark *text_columns; /* columns whose type is another one on the target */
    struct pgc_pgsink_mark *good_types;   /* user-defined types that were found on the target, by "schema"."name" */
    struct pgc_pgsink_mark *told_costs;   /* tables of which it was said what their changes cost, by their oid at the source */
} pgc_pgsink;

/* A remembered pointer or text. */
typedef struct pgc_pgsink_mark {
    struct pgc_pgsink_mark *next;
    const void *pointer;
    const char *text;
} pgc_pgsink_mark;

/* Adds pointer to one of the sink's lists. 1: it was there; -1: out of memory. From any thread. */
int pgc_pgsink_mark_once(pgc_pgsink *sink, pgc_pgsink_mark **list, const void *pointer, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- columns.c: a table as it is on the target */

typedef enum pgc_pgsink_fit {
    PGSINK_FIT_NONE, /* a value of the source's type cannot be stored, or not without loss */
    PGSINK_FIT_TEXT, /* another type that takes the text form of every value of the source's */
    PGSINK_FIT_SAME  /* the same type: any format */
} pgc_pgsink_fit;

typedef struct pgc_pgsink_column {
    const char *name;
    uint32_t type_oid;
    int32_t typmod;
    const char *type_schema, *type_name, *element_schema, *element_name; /* element_…: "" unless an array */
    const char *type_sql;                                                /* format_type with the modifier */
    const char *plain_type_sql; /* … without */
    uint32_t array_oid;         /* the type's array type, 0 where it has none */
    char delimiter;             /* between its elements, as text */
    const char *equals; /* " = " or, for types with an operator of their own, " OPERATOR(schema.=) " */
    bool not_null;
    bool has_default;
    bool generated;       /* GENERATED ALWAYS AS (…) STORED: cannot be written */
    bool identity_always; /* GENERATED ALWAYS AS IDENTITY: cannot be set by UPDATE */
} pgc_pgsink_column;

typedef struct pgc_pgsink_relation {
    uint32_t oid; /* 0: there is no such table */
    char kind;    /* pg_class.relkind */
    bool guarded; /* by row-level security, which our role does not pass */
    int column_count;
    pgc_pgsink_column *columns;
} pgc_pgsink_relation;

/* What is to be looked up, and where the answer goes. */
typedef struct pgc_pgsink_lookup {
    const char *schema, *name;
    pgc_arena *arena; /* of the answer */
    pgc_pgsink_relation *relation;
} pgc_pgsink_lookup;

/* Reads the tables as they are on the target; what is not there has oid 0. */
int pgc_pgsink_relations_load(PGconn *conn, const pgc_pgsink_lookup *lookups, size_t count, pgconvoy_error *err) PGC_MUST_CHECK;
/* The same for one. */
int pgc_pgsink_relation_load(PGconn *conn, const char *schema, const char *name, pgc_arena *arena,
                             pgc_pgsink_relation *relation, pgconvoy_error *err) PGC_MUST_CHECK;
/* NULL when there is none of that name. */
pgc_pgsink_column *pgc_pgsink_relation_find(const pgc_pgsink_relation *relation, const char *name);
pgc_pgsink_fit pgc_pgsink_column_fit(const pgconvoy_column *source, const pgc_pgsink_column *target);
/* Whether the target's column becomes one of type by a cast that nobody writes as USING, for it keeps every value. */
bool pgc_pgsink_widens(const pgc_pgsink_column *target, const pgconvoy_type *type);
/* Both are of a user's types, and not of the same name: one may have been renamed, or be another at the target by --map-schema. */
bool pgc_pgsink_is_named_otherwise(const pgconvoy_column *source, const pgc_pgsink_column *target);
/* True when the relation has exactly the columns of table, in any order, of the same types. */
bool pgc_pgsink_relation_equals(const pgc_pgsink_relation *relation, const pgconvoy_table *table);
/* Refuses, by name, columns that are missing or do not fit, and columns that nobody would fill; where it begins also user's types by another name. */
int pgc_pgsink_relation_check(pgc_pgsink *sink, const pgc_pgsink_relation *relation, const pgconvoy_table *table, bool begins,
                              pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- session.c */

/* A connection that is set up for writing. */
PGconn *pgc_pgsink_connect(pgc_pgsink *sink, const char *purpose, pgconvoy_error *err) PGC_MUST_CHECK;
/* One from the pool, or a new one; given back after use (closed when it is broken or in a transaction). From any
 * thread. */
PGconn *pgc_pgsink_borrow(pgc_pgsink *sink, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_pgsink_give_back(pgc_pgsink *sink, PGconn *conn);
/* Runs sql; a failure says what was being done, and is the sink's. */
PGresult *pgc_pgsink_query(PGconn *conn, const char *sql, int count, const char *const *values, const char *doing,
                           pgconvoy_error *err) PGC_MUST_CHECK;
/* The same with oids as $1, which were added to a buffer and are freed, and more as $2 unless it is NULL. */
PGresult *pgc_pgsink_query_oids(PGconn *conn, const char *sql, pgc_buffer *oids, const char *more, const char *doing, pgconvoy_error *err) PGC_MUST_CHECK;
/* Whether the target has this relation: "pgconvoy.table_state". */
int pgc_pgsink_relation_exists(PGconn *conn, const char *name, const char *doing, bool *exists,
                               pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_pgsink_execute(PGconn *conn, const char *sql, const char *doing, pgconvoy_error *err) PGC_MUST_CHECK;
/* The same with the text of a buffer, which is checked. */
int pgc_pgsink_execute_buffer(PGconn *conn, const pgc_buffer *sql, const char *doing,
                              pgconvoy_error *err) PGC_MUST_CHECK;
/* pgc_connection_error with the sink's error code. */
void pgc_pgsink_error(PGconn *conn, const PGresult *result, const char *doing, pgconvoy_error *err);
int pgc_pgsink_begin(PGconn *conn, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- sink.c */

typedef struct pgc_pgsink_writer pgc_pgsink_writer;

/* A further connection for the stream's changes, 1 and up. */
pgc_pgsink_writer *pgc_pgsink_writer_open(pgc_pgsink *sink, int number, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_pgsink_writer_close(pgc_pgsink_writer *writer);
/* Rolls back what is open and forgets it; cannot fail. */
void pgc_pgsink_writer_give_up(pgc_pgsink_writer *writer);
/* Ends the stream's transaction at lsn, and begins another one; all that was gathered is applied. */
int pgc_pgsink_stream_step(pgc_pgsink_writer *writer, pgconvoy_lsn lsn, pgconvoy_error *err) PGC_MUST_CHECK;

/* The parts of begin and commit: all that a stream's transaction needs before it begins; its begin, of which nothing has landed yet; the commit
 * of one of which all is applied. */
int pgc_pgsink_stream_ready(pgc_pgsink_writer *writer, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_pgsink_stream_begin(pgc_pgsink_writer *writer, pgconvoy_error *err) PGC_MUST_CHECK;
/* Where its begin has not done so: has the position locked before what is sent next, so that another process of this pipeline is waited for, not met. */
int pgc_pgsink_stream_lock(pgc_pgsink_writer *writer, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_pgsink_stream_commit(pgc_pgsink_writer *writer, pgconvoy_lsn lsn, pgconvoy_error *err) PGC_MUST_CHECK;
/* stream_step for the thread that applies piles, while the next one is gathered. */
int pgc_pgsink_stream_go_on(pgc_pgsink_writer *writer, pgconvoy_lsn lsn, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- two_phase.c */
/* What --two-phase needs of the target's server. */
int pgc_pgsink_two_phase_check(const pgc_pgsink *sink, PGconn *conn, pgconvoy_error *err) PGC_MUST_CHECK;
/* The sink's operations; the first is in prepared.c. */
int pgc_pgsink_read_prepared(void *sink, const pgconvoy_prepared **prepared, size_t *count, pgconvoy_error *err);
int pgc_pgsink_begin_prepared(void *writer, const pgconvoy_transaction *transaction, pgconvoy_error *err);
int pgc_pgsink_prepare(void *writer, const pgconvoy_transaction *transaction, pgconvoy_error *err);
int pgc_pgsink_end_prepared(void *writer, const pgconvoy_transaction *transaction, bool commit, pgconvoy_error *err);

/* ---- checkpoint.c */

/* How a table's content on the target came to be: decides what may be done to it when its copy is repeated. */
typedef enum pgc_pgsink_content {
    PGSINK_CONTENT_UNKNOWN = 0, /* no row of this pipeline */
    PGSINK_CONTENT_CREATED,     /* the pipeline made the table */
    PGSINK_CONTENT_EMPTIED,     /* somebody else's table, empty when the pipeline began: all rows are ours */
    PGSINK_CONTENT_APPENDED,    /* somebody else's rows are among ours */
    PGSINK_CONTENT_FOLLOWED     /* made by a command of the source's; all rows are ours, keys and the rest are its own */
} pgc_pgsink_content;

int pgc_pgsink_checkpoint_read(pgc_pgsink *sink, pgconvoy_checkpoint *checkpoint, pgconvoy_error *err) PGC_MUST_CHECK;
/* The same in the open transaction of conn, which holds the pipeline's lock from then on. */
int pgc_pgsink_checkpoint_read_in(pgc_pgsink *sink, PGconn *conn, pgconvoy_checkpoint *checkpoint,
                                  pgconvoy_error *err) PGC_MUST_CHECK;
/* Makes schema and tables of the checkpoint, in the open transaction of conn. */
int pgc_pgsink_checkpoint_create(pgc_pgsink *sink, PGconn *conn, pgconvoy_error *err) PGC_MUST_CHECK;
/* Stores states (content UNKNOWN: as it was) in the open transaction of conn. */
int pgc_pgsink_checkpoint_tables(pgc_pgsink *sink, PGconn *conn, const pgconvoy_table_status *tables, size_t count,
                                 pgc_pgsink_content content, pgconvoy_error *err) PGC_MUST_CHECK;
/* Stores the position, which must have been expected before: a position that somebody else moved is refused. */
int pgc_pgsink_checkpoint_position(pgc_pgsink *sink, PGconn *conn, pgconvoy_lsn expected, pgconvoy_lsn lsn,
                                   pgconvoy_error *err) PGC_MUST_CHECK;
/* The same, and the lock of the pipeline, in flight; and the error of a position that was not stored. */
int pgc_pgsink_checkpoint_fly_lock(pgc_pgsink_writer *writer, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_pgsink_checkpoint_fly_position(pgc_pgsink_writer *writer, pgconvoy_lsn expected, pgconvoy_lsn lsn,
                                       pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_pgsink_position_moved(const pgc_pgsink *sink, pgconvoy_lsn expected, pgconvoy_error *err);
/* The position that is stored now; 0 for none. */
int pgc_pgsink_checkpoint_lsn(pgc_pgsink *sink, PGconn *conn, pgconvoy_lsn *lsn, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_pgsink_checkpoint_content(pgc_pgsink *sink, PGconn *conn, const char *schema, const char *name,
                                  pgc_pgsink_content *content, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_pgsink_checkpoint_rename(pgc_pgsink *sink, PGconn *conn, const pgconvoy_table *old_table,
                                 const pgconvoy_table *new_table, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_pgsink_checkpoint_drop(pgc_pgsink *sink, pgconvoy_error *err) PGC_MUST_CHECK;
/* Removes what is the pipeline's in the open transaction of conn; *empty: and the tables, as no other has any. */
int pgc_pgsink_checkpoint_remove_in(pgc_pgsink *sink, PGconn *conn, bool *empty, pgconvoy_error *err) PGC_MUST_CHECK;
/* The key of the advisory lock that transactions of this pipeline's stream hold, as an SQL expression; and the statement that takes it. */
void pgc_pgsink_checkpoint_key_sql(const pgc_pgsink *sink, pgc_buffer *out);
void pgc_pgsink_checkpoint_lock_sql(const pgc_pgsink *sink, pgc_buffer *out);

/* The table is to be copied anew: its state says so with conn's transaction. */
int pgc_pgsink_leave_table(pgc_pgsink *sink, PGconn *conn, const char *schema, const char *name, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- schema.c, keys.c */

int pgc_pgsink_check_table(void *sink, const pgconvoy_table *table, pgconvoy_if_exists if_exists, pgconvoy_error *err);
int pgc_pgsink_prepare_table(void *sink, const pgconvoy_table *table, pgconvoy_if_exists if_exists,
                             pgconvoy_error *err);
int pgc_pgsink_finish_table(void *sink, const pgconvoy_table *table, const pgconvoy_table_status *status,
                            pgconvoy_error *err);

int pgc_pgsink_has_rows(PGconn *conn, const pgconvoy_table *table, bool *rows, pgconvoy_error *err) PGC_MUST_CHECK;

/* Makes schema unless it is there. */
int pgc_pgsink_create_schema(PGconn *conn, const char *schema, pgconvoy_error *err) PGC_MUST_CHECK;

/* Whether a unique index that ON CONFLICT can use is on exactly these columns of table. */
typedef struct pgc_pgsink_key_question {
    uint32_t relation; /* of the target */
    const pgconvoy_table *table;
    const int *columns;
    int count; /* 0: there is none */
    bool *found;
    bool excludes; /* an exclusion constraint keeps them unique (18: WITHOUT OVERLAPS), of which ON CONFLICT knows nothing: not found then */
} pgc_pgsink_key_question;

int pgc_pgsink_ask_unique(PGconn *conn, pgc_pgsink_key_question *questions, size_t count, pgconvoy_error *err) PGC_MUST_CHECK;
/* The same of one table. */
int pgc_pgsink_has_unique(PGconn *conn, uint32_t relation, const pgconvoy_table *table, const int *columns, int count,
                          bool *found, pgconvoy_error *err) PGC_MUST_CHECK;
/* True in *only when no unique index and no exclusion constraint forbids anything to two rows whose keys differ. */
int pgc_pgsink_only_key_is_unique(PGconn *conn, uint32_t relation, const pgconvoy_table *table, bool *only,
                                  pgconvoy_error *err) PGC_MUST_CHECK;
/* Builds the primary key, and the unique index of a key that is not the primary key, where they are missing. */
int pgc_pgsink_build_keys(PGconn *conn, uint32_t relation, const pgconvoy_table *table,
                          pgconvoy_error *err) PGC_MUST_CHECK;
/* Of build_keys the second alone. */
int pgc_pgsink_build_key_index(PGconn *conn, uint32_t relation, const pgconvoy_table *table, pgconvoy_error *err) PGC_MUST_CHECK;
/*
 * Drops the primary key, and build_keys' index, if the key has just the columns that former names (an array's text). *stays: there is another, or foreign keys
 * refer to it.
 */
int pgc_pgsink_drop_former_key(PGconn *conn, uint32_t relation, const pgconvoy_table *table, const char *former, bool *stays, pgconvoy_error *err) PGC_MUST_CHECK;
/* Drops what build_keys makes. */
int pgc_pgsink_drop_keys(PGconn *conn, uint32_t relation, const pgconvoy_table *table,
                         pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- known.c */

/* Whether all of the columns have a number. */
bool pgc_pgsink_is_numbered(const pgconvoy_table *table);

/* Stores, in the transaction of conn, that the target's table has table's columns; where they have no numbers, that nothing is known. */
/* Of the table with that oid at the source. */
int pgc_pgsink_known_forget(pgc_pgsink *sink, PGconn *conn, uint32_t table, pgconvoy_error *err) PGC_MUST_CHECK;
/* An operation of the sink's; rename.c. */
int pgc_pgsink_rename_tables(void *sink, const pgconvoy_table *const *tables, size_t count, bool *changed, pgconvoy_error *err);
/* *names: pgconvoy.table_columns is there, and has the tables' names. */
int pgc_pgsink_known_has_names(PGconn *conn, bool *names, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_pgsink_known_store(pgc_pgsink *sink, PGconn *conn, const pgconvoy_table *table, pgconvoy_error *err) PGC_MUST_CHECK;
typedef struct pgc_pgsink_known {
    const pgconvoy_table *table;
    const pgc_pgsink_relation *relation; /* the target's */
    pgc_arena *arena;
    const pgconvoy_table *known; /* what is found, in arena: columns with their numbers, names, types and modifiers. NULL: see below */
    const char *key;             /* the numbers of the primary key's columns; NULL: not known */
} pgc_pgsink_known;

/*
 * Which columns the target's tables have. Of types that table has not, only the oid is told. NULL where it is not stored, or somebody has given
 * relation other names.
 */
int pgc_pgsink_known_read(pgc_pgsink *sink, PGconn *conn, pgc_pgsink_known *asks, size_t count, pgconvoy_error *err) PGC_MUST_CHECK;
/* Whether they, and the key, are table's. */
bool pgc_pgsink_known_is(const pgconvoy_table *known, const char *key, const pgconvoy_table *table);
/* Whether table's key is the one that was found, or that is not known. */
bool pgc_pgsink_known_has_key(const char *key, const pgconvoy_table *table);

/* ---- alter.c */

/*
 * Gives the table on the target the columns of new_table, in the open transaction of conn. old_table NULL: it is not
 * known what the table was like (it changed while nobody looked); then columns are added but none is dropped. followed: a
 * command has done it, with names and keys, and only what it left is to be done. 1: it cannot be done, for the reason in err, but by a new
 * copy of the table, as which it is marked if old_table is known.
 */
int pgc_pgsink_alter(pgc_pgsink *sink, PGconn *conn, const pgconvoy_table *old_table, const pgconvoy_table *new_table,
                     bool followed, pgconvoy_error *err) PGC_MUST_CHECK;
/* The same for a table that has no rows, whatever columns it has. */
int pgc_pgsink_alter_empty(pgc_pgsink *sink, PGconn *conn, const pgconvoy_table *table, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- writers */

#define PGSINK_COMMIT_TIME UINT16_MAX /* as a parameter's column: when the change's transaction was committed */

/* A statement, prepared on the writer's connection. */
typedef struct pgc_pgsink_parameter {
    uint16_t column; /* of the source's table */
    bool old;        /* from the change's old row */
} pgc_pgsink_parameter;

typedef enum pgc_pgsink_action {
    PGSINK_INSERT,
    PGSINK_UPDATE,      /* the key did not change: found by the key in the new row */
    PGSINK_UPDATE_KEY,  /* found by the key in the old row, which may change */
    PGSINK_UPDATE_FULL, /* found by the whole old row */
    PGSINK_DELETE,
    PGSINK_DELETE_FULL
} pgc_pgsink_action;

/* One for many rows, which the server plans once. */
typedef struct pgc_pgsink_bulk_statement {
    struct pgc_pgsink_bulk_statement *next;
    const char *sql;
    uint32_t *types;
    int count;
    char name[24]; /* "": not prepared yet */
} pgc_pgsink_bulk_statement;

typedef struct pgc_pgsink_statement {
    struct pgc_pgsink_statement *next;
    pgc_pgsink_action action;
    uint64_t *sent; /* bit set of the columns whose values take part: of the new row, else of the old one */
    bool compares;  /* the row as it is with the old row that the source sent */
    bool strict;    /* fails where it does not meet its row */
    unsigned nulls; /* which of target->indexed are NULL in the old row that it finds its row by, by bits */
    char name[24];  /* of the prepared statement */
    char *sql;      /* NULL: there is nothing to do */
    int parameter_count;
    pgc_pgsink_parameter *parameters;
    uint32_t *types;
} pgc_pgsink_statement;

/* How the changes of a table are applied. */
typedef enum pgc_pgsink_way {
    PGSINK_IN_BULK,
    PGSINK_ONE_BY_ONE,
    PGSINK_IN_ORDER /* … and after all that came before, of other tables too: what fires here may look at them */
} pgc_pgsink_way;

typedef struct pgc_pgsink_gather pgc_pgsink_gather;
typedef struct pgc_pgsink_tally pgc_pgsink_tally;

/* A table of the stream, as the writer knows it. */
typedef struct pgc_pgsink_target {
    struct pgc_pgsink_target *next; /* in its slot of the writer's table */
    const pgconvoy_table *table;
    pgc_arena *arena;
    pgc_pgsink_relation relation;
    const pgconvoy_table *known; /* the columns it had when it was loaded, as they are stored; NULL: not known */
    const char *known_key;       /* as stored with them; NULL: not known */
    pgc_pgsink_column **columns; /* for each column of table */
    bool *pass_binary;           /* for each column: binary values may go as they are */
    bool upsert;                 /* a unique index on the key is there */
    bool looks;                  /* single changes look at their row first */
    uint16_t *indexed;           /* without a key: columns that the target has indexes on */
    int indexed_count;
    bool index_tells; /* by one of these columns few rows are found */
    bool in_copies; /* without a key: its rows can be found in bulk */
    pgc_pgsink_way way;
    int statement_count;
    pgc_pgsink_statement *statements;
    pgc_pgsink_bulk_statement *bulk_statements;
} pgc_pgsink_target;

/* What waits for its result, in the order it was sent. */
typedef enum pgc_pgsink_flight_kind {
    PGSINK_FLIGHT_OTHER,
    PGSINK_FLIGHT_PREPARE,
    PGSINK_FLIGHT_CHANGE,
    PGSINK_FLIGHT_STRICT,    /* a change that divides by zero where it does not meet its row */
    PGSINK_FLIGHT_EXPECTING, /* of changes in bulk: another number of rows than expected is a failure */
    PGSINK_FLIGHT_POSITION,  /* stores the position: NULL, which is refused, where somebody else has moved it */
    PGSINK_FLIGHT_COMMIT,
    PGSINK_FLIGHT_SYNC
} pgc_pgsink_flight_kind;
typedef struct pgc_pgsink_flight {
    uint8_t kind;
    uint8_t operation; /* pgconvoy_operation, of a change */
    bool ended;        /* its result came, the NULL behind it not yet */
    uint32_t expected; /* rows */
    pgc_pgsink_target *target;
} pgc_pgsink_flight;

/* A statement of no table. */
typedef struct pgc_pgsink_own {
    unsigned bit; /* in own_prepared */
    const char *name;
    pgc_pgsink_flight_kind kind;
    int count; /* parameters */
    const uint32_t *types;
    const char *sql; /* NULL: what append_sql makes of the sink */
    void (*append_sql)(const pgc_pgsink *sink, pgc_buffer *out);
} pgc_pgsink_own;
enum { PGSINK_OWN_LOCK = 1, PGSINK_OWN_POSITION = 2, PGSINK_OWN_RANGE = 4, PGSINK_OWN_LOOKUP = 8, PGSINK_OWN_BEGIN = 16, PGSINK_OWN_COMMIT = 32,
       PGSINK_OWN_SEARCH = 64, PGSINK_OWN_SEARCHED = 128 };

#define PGSINK_FLIGHT_SLOTS 2048 /* a power of two */
#define PGSINK_TARGET_SLOTS 1024

struct pgc_pgsink_writer {
    pgc_pgsink *sink;
    int number; /* 0, or of a further connection that applies changes together with the stream's */
    PGconn *conn;
    bool in_transaction;
    bool locked; /* the stream's position, in this transaction; or it is not to be */
    bool preparing; /* what is open will be prepared */
    /* table copy */
    const pgconvoy_table *copy_table;
    bool copying;
    pgconvoy_format copy_format;
    /* change stream */
    pgc_pgsink_target *targets[PGSINK_TARGET_SLOTS];
    pgc_pgsink_target *last_target;
    int statement_count; /* prepared on this connection */
    unsigned own_prepared; /* … and which of those that are of no table */
    unsigned statement_number;
    bool plans_anew; /* the server may plan a statement for its values */
    /* flight.c */
    bool flying; /* in pipeline mode */
    bool failed;
    uint32_t failed_oid; /* the table that it failed on, of the source; 0 unknown */
    bool strict;         /* each change must meet its row: its statement fails otherwise */
    pgconvoy_error error;
    pgc_pgsink_flight flights[PGSINK_FLIGHT_SLOTS];
    unsigned first_flight, flight_count, since_flush_request;
    size_t unflushed_bytes;
    /* parameters of one statement, for at most 65535 */
    const char **values;
    int *lengths, *formats;
    size_t *offsets; /* into scratch, or SIZE_MAX */
    int parameter_capacity;
    pgc_buffer scratch;
    uint64_t *sent;
    int sent_words;
    unsigned nulls; /* as of a statement */
    /* TRUNCATE changes of one record make one statement */
    pgc_buffer truncate;
    pgc_buffer deletes; /* of all rows of the same tables */
    pgconvoy_lsn truncate_lsn;
    uint8_t truncate_flags;
    pgc_pgsink_target *truncate_target;
    pgc_pgsink_gather *gather;
    const pgconvoy_table **followed; /* versions that the last command has brought tables to */
    size_t followed_count;
    bool origin_tried;
    char *wait_for_disk; /* the SQL with which a transaction of the stream says that its commit does; NULL: all do */
    bool altered; /* a table, when it was loaded: since it was last asked */
    char *left_schema, *left_name; /* a table that cannot have its columns but by a new copy: it is marked when the writer is closed. NULL: none */
    bool conflicts_ready;
    pgc_pgsink_tally *tallies; /* conflicts by table */
};

/* copy_write.c */
int pgc_pgsink_write_rows(void *writer, const pgconvoy_rows *rows, pgconvoy_error *err);
/* COPY of all columns of writer->copy_table, outside of pipeline mode; its bytes; its end. */
int pgc_pgsink_copy_begin(pgc_pgsink_writer *writer, pgconvoy_format format, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_pgsink_copy_put(pgc_pgsink_writer *writer, const char *data, size_t length, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_pgsink_copy_end(pgc_pgsink_writer *writer, pgconvoy_error *err) PGC_MUST_CHECK;
/* Ends a COPY that is under way, if there is one, as failed. */
void pgc_pgsink_copy_give_up(pgc_pgsink_writer *writer);

/* gather.c */
/* shared: what is gathered may be split among connections. */
pgc_pgsink_gather *pgc_pgsink_gather_new(size_t memory_bytes, bool shared);
void pgc_pgsink_gather_free(pgc_pgsink_gather *gather);
int pgc_pgsink_write_changes(void *writer, const pgconvoy_changes *changes, pgconvoy_error *err);
int pgc_pgsink_change_schema(void *writer, const pgconvoy_table *old_table, const pgconvoy_table *new_table,
                             pgconvoy_error *err);
/* Applies all that waits; after it the connection is the caller's until more changes are written, and the only one that
 * writes until the transaction ends. At a transaction's end. */
int pgc_pgsink_gather_flush(pgc_pgsink_writer *writer, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_pgsink_gather_end(pgc_pgsink_writer *writer, pgconvoy_error *err) PGC_MUST_CHECK;
/* Waits for whoever applies a pile. From here on the connection is the caller's. */
int pgc_pgsink_hands_finish(pgc_pgsink_writer *writer, pgconvoy_error *err) PGC_MUST_CHECK;
/* With several connections: what is to be stored with their transactions, before the position is; and their commits,
 * after it. *parted: there were such. */
int pgc_pgsink_gather_store(pgc_pgsink_writer *writer, pgconvoy_lsn lsn, bool *parted, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_pgsink_gather_commit(pgc_pgsink_writer *writer, pgconvoy_error *err) PGC_MUST_CHECK;
/*
 * Few changes may go together with what follows them up to the commit, in one round trip: each is sent by a statement that
 * fails where it does not meet its row, and nobody looks before the end. Where one fails the transaction is to be rolled
 * back, begun again, and applied with care.
 *
 * Whether all of the open transaction is there and may go so (asked once for each); whether nothing waits; sends it; how it ended.
 */
bool pgc_pgsink_gather_is_small(pgc_pgsink_gather *gather);
bool pgc_pgsink_gather_is_empty(const pgc_pgsink_gather *gather);
int pgc_pgsink_gather_send(pgc_pgsink_writer *writer, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_pgsink_gather_sent(pgc_pgsink_gather *gather, bool well);
/* The stream's transaction is over. */
void pgc_pgsink_gather_over(pgc_pgsink_writer *writer);
/* Waits until nothing is being applied, before what waits is given up. */
void pgc_pgsink_gather_halt(pgc_pgsink_writer *writer);
/* Forgets a table of which nothing waits; forgets everything. */
void pgc_pgsink_gather_forget(pgc_pgsink_gather *gather, uint32_t oid);
void pgc_pgsink_gather_clear(pgc_pgsink_gather *gather);

/* apply.c */
int pgc_pgsink_apply_change(pgc_pgsink_writer *writer, const pgconvoy_change *change,
                            pgconvoy_error *err) PGC_MUST_CHECK;
/* Sends what is held back (a TRUNCATE). */
int pgc_pgsink_apply_flush(pgc_pgsink_writer *writer, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_pgsink_apply_schema(pgc_pgsink_writer *writer, const pgconvoy_table *old_table,
                            const pgconvoy_table *new_table, pgconvoy_error *err) PGC_MUST_CHECK;
/* Room for the parameters of any statement on the table. */
int pgc_pgsink_apply_room(pgc_pgsink_writer *writer, const pgconvoy_table *table, pgconvoy_error *err) PGC_MUST_CHECK;
/* Gives back what a long value took. */
void pgc_pgsink_scratch_trim(pgc_pgsink_writer *writer);

/* sequences.c */
int pgc_pgsink_write_sequences(void *sink, const pgconvoy_sequence *sequences, size_t count, pgconvoy_error *err);

/* two_way.c */
/* What --on-conflict and --origin need of the target's server. */
int pgc_pgsink_two_way_check(pgc_pgsink *sink, PGconn *conn, pgconvoy_error *err) PGC_MUST_CHECK;
/* … and of a table, so that a conflict can be seen and decided the same way at both ends. */
int pgc_pgsink_two_way_table(const pgc_pgsink *sink, const pgconvoy_table *table, pgconvoy_error *err) PGC_MUST_CHECK;
#define PGSINK_SEQUENCE_ARRAYS 7 /* a table's schema and name, its column, the sequence's schema and name, last value, increment */
/* WITH …, met (value, increment, oid): what is given as arrays, and the target's sequence, if any. Each name is looked up once: joined by it, thousands would be looked up for each of thousands. */
#define PGSINK_SEQUENCES_MET                                                                                            \
    "WITH given AS MATERIALIZED (SELECT g.*, to_regclass(format('%I.%I', table_schema, table_name)) AS relid, "         \
    "to_regclass(format('%I.%I', schema_name, name))::oid AS named FROM unnest($1::text[], $2::text[], $3::text[], "    \
    "$4::text[], $5::text[], $6::int8[], $7::int8[]) "                                                                  \
    "AS g (table_schema, table_name, column_name, schema_name, name, value, increment)), "                              \
    "met AS MATERIALIZED (SELECT g.value, g.increment, coalesce(o.oid, g.named) AS oid FROM given g "                   \
    "LEFT JOIN LATERAL (SELECT s.oid FROM pg_attribute a JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass "      \
    "AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum AND d.classid = 'pg_class'::regclass "                    \
    "AND d.deptype IN ('a', 'i') JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S' "                               \
    "WHERE a.attrelid = g.relid AND a.attname = g.column_name AND NOT a.attisdropped OFFSET 0) o ON true) "
/* Makes the sequences, given as arrays, give values of their own half or range. */
int pgc_pgsink_split_sequences(pgc_pgsink *sink, PGconn *conn, const char *const arrays[PGSINK_SEQUENCE_ARRAYS],
                               pgconvoy_error *err) PGC_MUST_CHECK;
/* Whether rows are decided about, so that they are locked while they are looked at. */
bool pgc_pgsink_decides(const pgc_pgsink *sink);

/* origin.c */
/* Makes the session's commits known as ours to the target's own consumers, where the role may; fails only where that is
 * needed. */
int pgc_pgsink_origin_setup(pgc_pgsink_writer *writer, pgconvoy_error *err) PGC_MUST_CHECK;
/* Removes the pipeline's origin, outside of any transaction. Cannot fail. */
void pgc_pgsink_origin_drop(pgc_pgsink *sink, PGconn *conn);

/* targets.c */
#define PGSINK_LOOK_TABLES 256
/* The target of table, loaded when it is new. NULL and err on failure. Leaves pipeline mode when it has to ask the
 * server. */
pgc_pgsink_target *pgc_pgsink_target_get(pgc_pgsink_writer *writer, const pgconvoy_table *table,
                                         pgconvoy_error *err) PGC_MUST_CHECK;
bool pgc_pgsink_target_is_known(pgc_pgsink_writer *writer, const pgconvoy_table *table);
/* Loads tables that are not known, up to PGSINK_LOOK_TABLES, together, for target_get to find them. What stands against a table is left
 * for it to say. Leaves pipeline mode. */
int pgc_pgsink_targets_look(pgc_pgsink_writer *writer, const pgconvoy_table *const *tables, size_t table_count,
                            pgconvoy_error *err) PGC_MUST_CHECK;
/* Forgets a table and deallocates its statements; waits for what is in flight first. */
int pgc_pgsink_target_forget(pgc_pgsink_writer *writer, uint32_t oid, pgconvoy_error *err) PGC_MUST_CHECK;
/* Forgets all tables, and with them all statements. */
void pgc_pgsink_targets_clear(pgc_pgsink_writer *writer);

/* statement.c */
/* The statement for the action with writer->sent, made and prepared when it is new. compares: see the struct. */
pgc_pgsink_statement *pgc_pgsink_statement_get(pgc_pgsink_writer *writer, pgc_pgsink_target *target,
                                               pgc_pgsink_action action, bool compares,
                                               pgconvoy_error *err) PGC_MUST_CHECK;
/* Gives *statement its name, by which it is prepared for this target when it comes first. */
int pgc_pgsink_statement_again(pgc_pgsink_writer *writer, pgc_pgsink_target *target, pgc_pgsink_bulk_statement *statement,
                               pgconvoy_error *err) PGC_MUST_CHECK;
/* Sends the statement of no table, which is prepared when it is first needed. */
int pgc_pgsink_statement_own(pgc_pgsink_writer *writer, const pgc_pgsink_own *own, const char *const *values,
                             pgconvoy_error *err) PGC_MUST_CHECK;

/* statement_sql.c */
/* The statement's SQL, and its parameters. False: there is nothing to do. */
bool pgc_pgsink_statement_sql(const pgc_pgsink *sink, const pgc_pgsink_target *target, pgc_pgsink_statement *statement,
                              pgc_buffer *sql);

/* conflict.c */
typedef enum pgc_pgsink_conflict {
    PGSINK_INSERT_EXISTS = 1,
    PGSINK_UPDATE_MISSING,
    PGSINK_DELETE_MISSING,
    PGSINK_UPDATE_DIFFERS,
    PGSINK_DELETE_DIFFERS
} pgc_pgsink_conflict;
#define PGSINK_CONFLICT_KINDS 5
/* No conflict: a row would have to be deleted and made anew, where foreign keys and triggers would see it. */
#define PGSINK_IDENTITY_HELD (PGSINK_CONFLICT_KINDS + 1)
/* Takes the options over into the sink. */
int pgc_pgsink_conflict_options(pgc_pgsink *sink, pgconvoy_error *err) PGC_MUST_CHECK;
const char *pgc_pgsink_conflict_name(int kind);
/* Before the stream's first transaction: the table of conflicts, and what was counted before. */
int pgc_pgsink_conflicts_setup(pgc_pgsink_writer *writer, pgconvoy_error *err) PGC_MUST_CHECK;
/* Counts one. False and err when there may be none. key may be NULL. */
bool pgc_pgsink_conflict_met(pgc_pgsink_writer *writer, const pgconvoy_table *table, int kind, const char *key,
                             pgconvoy_error *err);
/* With a savepoint, with going back to it, with a transaction that is given up. */
void pgc_pgsink_conflicts_keep(pgc_pgsink_writer *writer);
void pgc_pgsink_conflicts_back(pgc_pgsink_writer *writer);
void pgc_pgsink_conflicts_forget(pgc_pgsink_writer *writer);
/* Stores the counts in the open transaction, and when it is committed. */
int pgc_pgsink_conflicts_store(pgc_pgsink_writer *writer, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_pgsink_conflicts_committed(pgc_pgsink_writer *writer);
void pgc_pgsink_conflicts_free(pgc_pgsink_writer *writer);
/* What another connection of the same stream has met: added, or all that is pending handed over. */
void pgc_pgsink_conflicts_add(pgc_pgsink_writer *writer, const char *schema, const char *name, int kind, int64_t count);
void pgc_pgsink_conflicts_hand_over(pgc_pgsink_writer *from, pgc_pgsink_writer *to);
/* As a JSON array: all that were committed, or those that are pending. */
void pgc_pgsink_conflicts_text(const pgc_pgsink_writer *writer, bool committed, pgc_buffer *out);

/* flight.c */
/* Sends sql with text parameters, to be checked later. */
int pgc_pgsink_fly_sql(pgc_pgsink_writer *writer, const char *sql, pgc_pgsink_target *target, uint8_t operation,
                       pgconvoy_error *err) PGC_MUST_CHECK;
/* Sends the position to be stored: the new one and the expected one are the values. */
int pgc_pgsink_fly_position(pgc_pgsink_writer *writer, const char *sql, const char *const values[2],
                            pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_pgsink_fly_prepare(pgc_pgsink_writer *writer, const char *name, const char *sql, int count, const uint32_t *types,
                           pgc_pgsink_target *target, pgconvoy_error *err) PGC_MUST_CHECK;
/* Sends what was prepared under the name, with values in text. */
int pgc_pgsink_fly_named(pgc_pgsink_writer *writer, pgc_pgsink_flight_kind kind, const char *name, int count,
                         const char *const *values, pgconvoy_error *err) PGC_MUST_CHECK;
/* Sends the statement with the writer's values, lengths and formats. */
int pgc_pgsink_fly_statement(pgc_pgsink_writer *writer, const pgc_pgsink_statement *statement,
                             pgc_pgsink_target *target, uint8_t operation, size_t bytes,
                             pgconvoy_error *err) PGC_MUST_CHECK;
/* Sends the statement, prepared or not, with the writer's first values; it must change expected rows. */
int pgc_pgsink_fly_bulk(pgc_pgsink_writer *writer, const pgc_pgsink_bulk_statement *statement, pgc_pgsink_target *target,
                        uint8_t operation, size_t expected, size_t bytes, pgconvoy_error *err) PGC_MUST_CHECK;
/* Waits for the results of all that was sent and leaves pipeline mode: the connection is for plain calls again. */
int pgc_pgsink_land(pgc_pgsink_writer *writer, pgconvoy_error *err) PGC_MUST_CHECK;
/* The same after a failure, whatever the results are. */
void pgc_pgsink_crash_land(pgc_pgsink_writer *writer);

#endif
