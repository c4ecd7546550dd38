/*
 * The DuckDB sink from the inside: what its files share. sink.c has the operations, the other files one part each:
 *
 *   target.c      TARGET and its options             layout.c    a table as DuckDB has it
 *   motherduck.c  what is different about md:
 *   library.c     libduckdb                          schema.c    tables made, checked, finished
 *   statement.c   SQL and its errors                 alter*.c    tables changed
 *   checkpoint.c  position and table states          primary_key.c  the constraint, while memory allows
 *   types.c       the type map                       load.c, feed.c  rows of a table copy
 *   encode*.c     values into vectors                gather.c, stage.c, apply.c  changes
 *
 * Threads: the sink's own connection (control) is used under its lock; a writer and all that hangs on it belong to one thread; a load has one of its own.
 */
#ifndef PGC_SINK_DUCKDB_INTERNAL_H
#define PGC_SINK_DUCKDB_INTERNAL_H

#include "apply/compact.h"
#include "base/log.h"
#include "sink/duckdb/encode.h"

#include <pthread.h>
#include <stdatomic.h>

/* The schema of the sink's own tables. */
#define PGC_DUCKDB_SCHEMA "pgconvoy"

/* ---- target.c */

typedef struct pgc_duckdb_target {
    char *file;          /* or "md:DATABASE" */
    bool motherduck;
    bool primary_key;
    int threads;         /* 0: not given */
    size_t memory_limit; /* 0: not given */
    const char *storage_version; /* NULL: not given */
    pgc_duckdb_type_options types;
} pgc_duckdb_target;

/* Reads "duckdb:FILE?option=value&…"; a usage error names what is wrong. */
int pgc_duckdb_target_parse(const char *text, pgc_duckdb_target *target, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_duckdb_target_free(pgc_duckdb_target *target);

/* ---- motherduck.c */

/* Finds the token, and hands it to the extension. Before the database is opened. */
int pgc_duckdb_motherduck_begin(pgconvoy_error *err) PGC_MUST_CHECK;
/* Sets err for a database that could not be opened; -1. */
int pgc_duckdb_motherduck_refuse(const char *database, const char *message, const char *version, pgconvoy_error *err);

/* ---- the sink */

typedef struct pgc_duckdb_stage pgc_duckdb_stage;
typedef struct pgc_duckdb_load pgc_duckdb_load;

/* A table as check_table met it, to find those that DuckDB cannot tell apart. */
typedef struct pgc_duckdb_seen {
    char *schema, *name;
} pgc_duckdb_seen;

typedef struct pgc_duckdb_sink {
    const pgconvoy_sink_config *config;
    pgc_duckdb_api api;
    pgc_duckdb_target target;
    duckdb_database database;
    char *catalog;         /* DuckDB's name for the file: all names are qualified by it, as a schema may have the same */
    bool small_blocks;     /* a new file has blocks of 16 KiB */
    bool created;          /* the file was not there before */
    size_t duckdb_bytes;   /* DuckDB's memory_limit, but for tables of very many columns */
    size_t limit_bytes;    /* memory_limit as it is */
    size_t stream_limit_bytes; /* and as it is while changes stream, but for tables of very many columns */
    int threads;           /* DuckDB's */
    size_t gather_bytes;   /* changes that may be gathered before they are applied */

    atomic_bool distrusted; /* a commit has failed */

    pthread_mutex_t lock;  /* guards what follows */
    duckdb_connection control;
    bool checkpoint_ready; /* the checkpoint's tables are there */
    pgc_arena *checkpoint_arena;
    pgc_duckdb_seen *seen;
    size_t seen_count, seen_capacity;

    pthread_mutex_t stage_lock; /* guards stage while a statement reads from it */
    pgc_duckdb_stage *stage;

    pthread_mutex_t load_lock; /* guards what follows */
    pgc_duckdb_load *loads;
    uint64_t load_number;      /* the last one given */
    bool loading;              /* DuckDB's threads are those of the loads */
} pgc_duckdb_sink;

/* What DuckDB holds for each column of a table that a transaction adds rows to, in blocks of 256 KiB: one of values and one of NULLs. */
#define PGC_DUCKDB_COLUMN_BYTES ((size_t)512 << 10)
/* The same in blocks of 16 KiB, with what the transaction has of its own. */
#define PGC_DUCKDB_SMALL_COLUMN_BYTES ((size_t)64 << 10)

/* Makes a new file anew with small blocks, as long as nothing is in it, where a table of so many columns would not fit into memory else. Under the lock. */
int pgc_duckdb_make_room(pgc_duckdb_sink *sink, int column_count, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- open.c */

/* As open_ext; a write-ahead log that DuckDB cannot replay so is replayed in another way. -1: *message says why, to be freed by api->free. */
int pgc_duckdb_open(const pgc_duckdb_api *api, const char *file, duckdb_config config, pgconvoy_log *log, duckdb_database *database,
                    char **message) PGC_MUST_CHECK;

/* ---- statement.c */

/* Sets err from a failed result: code by DuckDB's kind of error, doing ("creating table public.users") in front. Destroys the result. */
void pgc_duckdb_result_error(const pgc_duckdb_api *api, duckdb_result *result, const char *doing, pgconvoy_error *err);
/* The same from a message only. */
void pgc_duckdb_message_error(duckdb_error_type type, const char *message, const char *doing, pgconvoy_error *err);

/* Runs sql. *changed (may be NULL) gets the count of rows it changed. sql is what a buffer has: its failure is err's. */
int pgc_duckdb_run(const pgc_duckdb_api *api, duckdb_connection connection, const pgc_buffer *sql, const char *doing,
                   int64_t *changed, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_duckdb_run_text(const pgc_duckdb_api *api, duckdb_connection connection, const char *sql, const char *doing,
                        pgconvoy_error *err) PGC_MUST_CHECK;
/* COMMIT. Once one has failed there is no other of this sink, and closing it writes nothing: it is to be opened again. From any thread. */
int pgc_duckdb_commit(pgc_duckdb_sink *sink, duckdb_connection connection, const char *doing, pgconvoy_error *err) PGC_MUST_CHECK;
/* Runs a query whose result the caller reads by pgc_duckdb_cell and destroys. */
int pgc_duckdb_select(const pgc_duckdb_api *api, duckdb_connection connection, const pgc_buffer *sql, const char *doing,
                      duckdb_result *result, pgconvoy_error *err) PGC_MUST_CHECK;
/* A cell as text in the arena, NULL for NULL (and when out of memory). */
const char *pgc_duckdb_cell(const pgc_duckdb_api *api, duckdb_result *result, idx_t row, idx_t column, pgc_arena *arena);
/* A cell as a number; 0 for NULL. */
int64_t pgc_duckdb_number(const pgc_duckdb_api *api, duckdb_result *result, idx_t row, idx_t column);
/* Ends a transaction that failed; cannot fail. */
void pgc_duckdb_rollback(const pgc_duckdb_api *api, duckdb_connection connection);

/* ---- layout.c */

/* A table and the DuckDB types of its columns. A table without columns has one all the same: DuckDB's tables must. */
typedef struct pgc_duckdb_layout {
    const pgconvoy_table *table;
    pgc_arena *arena;
    int column_count; /* at least 1 */
    const pgc_duckdb_type **types;
    duckdb_logical_type *logical;
    bool updates_in_place; /* all of its columns do, see pgc_duckdb_type_updates_in_place */
    const char **target_names, **target_types; /* as the target has them; set by pgc_duckdb_match_columns */
    bool *warned;          /* columns of which it was said that a value became NULL */
} pgc_duckdb_layout;

pgc_duckdb_layout *pgc_duckdb_layout_new(pgc_duckdb_sink *sink, const pgconvoy_table *table, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_duckdb_layout_free(pgc_duckdb_sink *sink, pgc_duckdb_layout *layout);
const char *pgc_duckdb_layout_column(const pgc_duckdb_layout *layout, int column);
/* Appends "catalog"."schema"."table". */
void pgc_duckdb_table_name(const pgc_duckdb_sink *sink, const char *schema, const char *name, pgc_buffer *out);
/* Appends the quoted names of all columns, with commas. */
void pgc_duckdb_column_names(const pgc_duckdb_layout *layout, pgc_buffer *out);

/* ---- encode_column.c */

/* A column of a chunk; row and key give the values of each of its rows, for errors: NULL where there are none. */
typedef struct pgc_duckdb_column {
    const pgc_duckdb_layout *layout;
    int column;
    const pgconvoy_value **cells;
    size_t count;
    const pgconvoy_value *(*row)(const void *arg, size_t at);
    const pgconvoy_value *(*key)(const void *arg, size_t at);
    const void *arg;
} pgc_duckdb_column;
/* Writes the cells into the vector, from its first place on. What the type cannot hold is an error that names the row, or NULL (and so in cells). */
int pgc_duckdb_encode_column(const pgc_duckdb_sink *sink, pgc_duckdb_encoder *encoder, const pgc_duckdb_column *column,
                             duckdb_vector vector, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- schema.c */

/* What stands in the file under a table's name. */
typedef struct pgc_duckdb_existing {
    bool exists; /* as a table or a view */
    bool has_primary_key;
} pgc_duckdb_existing;
enum { PGC_DUCKDB_INFO_NAME = 0, PGC_DUCKDB_INFO_TYPE = 1, PGC_DUCKDB_INFO_KEY = 3 /* "PRI" */ };
/* The columns of a table or view, a row each, with the cells above. *columns is the caller's to destroy when *there. */
int pgc_duckdb_table_info(const pgc_duckdb_sink *sink, duckdb_connection connection, const char *schema, const char *name,
                          duckdb_result *columns, bool *there, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_duckdb_look_up(pgc_duckdb_sink *sink, duckdb_connection connection, const pgconvoy_table *table,
                       pgc_duckdb_existing *existing, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_duckdb_check_table(void *sink, const pgconvoy_table *table, pgconvoy_if_exists if_exists, pgconvoy_error *err);
int pgc_duckdb_prepare_table(void *sink, const pgconvoy_table *table, pgconvoy_if_exists if_exists, pgconvoy_error *err);
int pgc_duckdb_finish_table(void *sink, const pgconvoy_table *table, const pgconvoy_table_status *status,
                            pgconvoy_error *err);
/*
 * Compares the columns that the target's table has with those of layout, which it must have: *same_order says that they are the same ones in the
 * same order. Changes nothing.
 */
int pgc_duckdb_match_columns(pgc_duckdb_sink *sink, duckdb_connection connection, pgc_duckdb_layout *layout,
                             bool *same_order, pgconvoy_error *err) PGC_MUST_CHECK;
/* The same; and enum columns get labels that are new since they were made, in the connection's transaction. */
int pgc_duckdb_adapt_columns(pgc_duckdb_sink *sink, duckdb_connection connection, pgc_duckdb_layout *layout,
                             bool *same_order, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- primary_key.c, key_set.c */

/* A set of keys by their hashes: open addressing, 0 is empty. */
typedef struct pgc_duckdb_key_set {
    uint64_t *slots;
    size_t slot_count, count;
} pgc_duckdb_key_set;

/* Appends the columns of the PRIMARY KEY that the table should have, with commas; false when it should have none. */
bool pgc_duckdb_primary_key_columns(const pgc_duckdb_layout *layout, pgc_buffer *out);
/* Adds the constraint where the table should have it and its index fits into memory. In the connection's transaction. */
int pgc_duckdb_primary_key_add(pgc_duckdb_sink *sink, duckdb_connection connection, const pgc_duckdb_layout *layout,
                               pgconvoy_error *err) PGC_MUST_CHECK;
/*
 * Writes the table anew, with its rows and without constraints: for what DuckDB does not let be done to a table as it is. In the connection's
 * transaction.
 */
int pgc_duckdb_rewrite(pgc_duckdb_sink *sink, duckdb_connection connection, const pgconvoy_table *table,
                       pgconvoy_error *err) PGC_MUST_CHECK;
/* *same: the PRIMARY KEY that is there has just the columns of the layout's key. */
int pgc_duckdb_primary_key_is(pgc_duckdb_sink *sink, duckdb_connection connection, const pgc_duckdb_layout *layout, bool *same,
                              pgconvoy_error *err) PGC_MUST_CHECK;
/* Takes the constraint away, by making the table anew; reason for the log. In the connection's transaction. */
int pgc_duckdb_primary_key_drop(pgc_duckdb_sink *sink, duckdb_connection connection, const pgconvoy_table *table,
                                const char *reason, pgconvoy_error *err) PGC_MUST_CHECK;

/*
 * Whether inserting the items (of a result that deletes others) would insert a key that an earlier part of the same transaction has deleted. DuckDB 1.4's index loses
 * track of a key that is deleted and inserted more than once in a transaction, and finds a duplicate where there is none; so this is where the primary key is
 * given up.
 */
bool pgc_duckdb_key_set_meets(const pgc_duckdb_key_set *set, const pgconvoy_table *table, const pgc_compact_item *items,
                              size_t count);
int pgc_duckdb_key_set_add(pgc_duckdb_key_set *set, const pgconvoy_table *table, const pgc_compact_item *items,
                           size_t count, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_duckdb_key_set_clear(pgc_duckdb_key_set *set);

/* ---- checkpoint.c */

/* How a table came to be this pipeline's. */
#define PGC_DUCKDB_MADE     "made"
#define PGC_DUCKDB_EMPTIED  "emptied"  /* it was there and was truncated */
#define PGC_DUCKDB_APPENDED "appended" /* it was there and kept its rows */

/* Makes the checkpoint's tables where they are not there yet, in a transaction of its own. Not under the sink's lock. */
int pgc_duckdb_checkpoint_ensure(pgc_duckdb_sink *sink, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_duckdb_read_checkpoint(void *sink, pgconvoy_checkpoint *checkpoint, pgconvoy_error *err);
/*
 * How this pipeline came to have the table: one of the texts above, or NULL when it is not its own; under the sink's lock. By the connection's
 * transaction, which may have renamed it.
 */
int pgc_duckdb_checkpoint_owned(pgc_duckdb_sink *sink, duckdb_connection connection, const pgconvoy_table *table, const char **how,
                                pgconvoy_error *err) PGC_MUST_CHECK;
/* Stores a table's state in the connection's transaction. how NULL: as it is. */
int pgc_duckdb_checkpoint_table(pgc_duckdb_sink *sink, duckdb_connection connection, const pgconvoy_table_status *status,
                                const char *how, pgconvoy_error *err) PGC_MUST_CHECK;
/* Removes the state of a table. */
int pgc_duckdb_checkpoint_forget(pgc_duckdb_sink *sink, duckdb_connection connection, const pgconvoy_table *table,
                                 pgconvoy_error *err) PGC_MUST_CHECK;
/* Whether this pipeline has made the table, so that it may make it again. Takes the sink's lock. */
int pgc_duckdb_checkpoint_is_made(pgc_duckdb_sink *sink, duckdb_connection connection, const pgconvoy_table *table, bool *made,
                                  pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_duckdb_checkpoint_rename(pgc_duckdb_sink *sink, duckdb_connection connection, const pgconvoy_table *from,
                                 const pgconvoy_table *to, pgconvoy_error *err) PGC_MUST_CHECK;
/* Stores the numbers of a table's columns, in place of those that from had (the same table, or what it was). */
int pgc_duckdb_checkpoint_columns(pgc_duckdb_sink *sink, duckdb_connection connection, const pgconvoy_table *from,
                                  const pgconvoy_table *table, pgconvoy_error *err) PGC_MUST_CHECK;
/* The number of each named column of a table; 0 where none is known. */
int pgc_duckdb_checkpoint_numbers(pgc_duckdb_sink *sink, duckdb_connection connection, const char *schema, const char *table,
                                  const char *const *names, int count, int *numbers, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_duckdb_checkpoint_position(pgc_duckdb_sink *sink, duckdb_connection connection, pgconvoy_lsn lsn,
                                   pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_duckdb_drop(void *sink, pgconvoy_error *err);

/* ---- writers */

/* A table that the stream has met. */
typedef struct pgc_duckdb_stream_table {
    const pgconvoy_table *table;
    pgc_duckdb_layout *layout;
    pgc_compact *compact;
    bool has_primary_key;
    bool touched; /* its rows were changed in this transaction */
    pgc_duckdb_key_set deleted; /* keys that this transaction has deleted from a table with a primary key */
} pgc_duckdb_stream_table;

#define PGC_DUCKDB_RECENT 256

typedef struct pgc_duckdb_writer {
    pgc_duckdb_sink *sink;
    duckdb_connection connection;
    pgc_duckdb_encoder encoder;
    bool in_transaction;

    pgc_duckdb_load *load; /* table copy: load.c */

    /* stream: apply.c */
    pgc_duckdb_stream_table **tables;
    size_t table_count, table_capacity;
    pgc_duckdb_stream_table *recent[PGC_DUCKDB_RECENT]; /* by oid: where a table is looked for first */
    size_t gathered_bytes;          /* in the compactions */
    size_t updated_bytes;           /* updated in place since DuckDB last wrote a checkpoint: it keeps those in memory */
    size_t keyed_bytes;             /* of index entries that this transaction holds in memory */
    bool wrote;                     /* in this transaction, changes that were applied */
    bool catalog_changed;           /* in this transaction: what is known of the tables does not outlive a rollback */
} pgc_duckdb_writer;

/* ---- load.c */

/* Starts a range of table, in a load of the table's that waits for one, or a new one. */
int pgc_duckdb_load_begin(pgc_duckdb_writer *writer, const pgconvoy_table *table, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_duckdb_write_rows(void *writer, const pgconvoy_rows *rows, pgconvoy_error *err);
/* The range is complete. */
void pgc_duckdb_load_park(pgc_duckdb_writer *writer);
/* Gives up the writer's load, if it has one; a table that loses ranges which were complete by this cannot be finished. */
void pgc_duckdb_load_abort(pgc_duckdb_writer *writer);
/* Commits all loads of table, none of which is in use. */
int pgc_duckdb_load_finish(pgc_duckdb_sink *sink, const pgconvoy_table *table, pgconvoy_error *err) PGC_MUST_CHECK;
/* Gives up all loads of table, or of all tables (NULL). */
void pgc_duckdb_load_drop(pgc_duckdb_sink *sink, const pgconvoy_table *table);
/* Gives DuckDB its threads, unless rows are being loaded. */
int pgc_duckdb_load_none(pgc_duckdb_sink *sink, duckdb_connection connection, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- gather.c and apply.c */

int pgc_duckdb_write_changes(void *writer, const pgconvoy_changes *changes, pgconvoy_error *err);
/* Applies all that is gathered, in the writer's transaction. */
int pgc_duckdb_apply_all(pgc_duckdb_writer *writer, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_duckdb_apply_table(pgc_duckdb_writer *writer, pgc_duckdb_stream_table *table, pgconvoy_error *err) PGC_MUST_CHECK;
/* Forgets what is gathered, and with forget_tables all that is known of tables too. */
void pgc_duckdb_apply_forget(pgc_duckdb_writer *writer, bool forget_tables);
/* How many bytes may be updated in place between two checkpoints of DuckDB's: it keeps those in memory, with as much again around them. */
#define PGC_DUCKDB_UPDATE_BUDGET(sink) ((sink)->duckdb_bytes / 5 * 2)
/* The same at the start of a transaction that has written nothing yet. */
int pgc_duckdb_apply_relieve_early(pgc_duckdb_writer *writer, pgconvoy_error *err) PGC_MUST_CHECK;
/* After a commit: lets DuckDB write a checkpoint when it holds much in memory. */
void pgc_duckdb_apply_relieve(pgc_duckdb_writer *writer);
/* What is known of table, looked up when it is new. */
int pgc_duckdb_stream_table_of(pgc_duckdb_writer *writer, const pgconvoy_table *table, pgc_duckdb_stream_table **found,
                               pgconvoy_error *err) PGC_MUST_CHECK;
/* NULL when it is new. */
pgc_duckdb_stream_table *pgc_duckdb_stream_table_known(pgc_duckdb_writer *writer, const pgconvoy_table *table);
/* Every version of it, with what waits. */
void pgc_duckdb_stream_table_drop(pgc_duckdb_writer *writer, uint32_t oid);
void pgc_duckdb_stream_table_forget(pgc_duckdb_writer *writer, const pgconvoy_table *table);

/* ---- alter.c */

int pgc_duckdb_change_schema(void *writer, const pgconvoy_table *old_table, const pgconvoy_table *new_table,
                             pgconvoy_error *err);
int pgc_duckdb_apply_ddl(void *writer, const pgconvoy_ddl *ddl, pgconvoy_error *err);

/* ---- stage.c: items of a compaction as a table that SQL can read */

typedef enum pgc_duckdb_stage_source {
    PGC_DUCKDB_STAGE_ROW,    /* c0, c1 …: a column of the row */
    PGC_DUCKDB_STAGE_KEY,    /* k0, k1 …: a column of the key */
    PGC_DUCKDB_STAGE_COPIES, /* n: how many copies */
    PGC_DUCKDB_STAGE_ORDER   /* i: a number of its own for each item */
} pgc_duckdb_stage_source;

typedef struct pgc_duckdb_stage_column {
    pgc_duckdb_stage_source source;
    int index; /* into the table's columns, or its key */
} pgc_duckdb_stage_column;

/* What the next statement finds in pgconvoy_stage(). */
typedef struct pgc_duckdb_staged {
    const pgc_duckdb_layout *layout;
    const pgc_compact_item *items;
    size_t count;
    pgc_duckdb_stage_column *columns;
    size_t column_count;
} pgc_duckdb_staged;

#define PGC_DUCKDB_STAGE "pgconvoy_stage()"

pgc_duckdb_stage *pgc_duckdb_stage_new(pgc_duckdb_sink *sink, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_duckdb_stage_free(pgc_duckdb_stage *stage);
/* Runs sql, which reads PGC_DUCKDB_STAGE once. */
int pgc_duckdb_stage_run(pgc_duckdb_writer *writer, const pgc_duckdb_staged *staged, const pgc_buffer *sql,
                         const char *doing, int64_t *changed, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
