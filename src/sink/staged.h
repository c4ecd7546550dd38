/*
 * What sinks share that bring changes to a service in batches: rows go into a staging table there, and one commit, a
 * transaction of the service's, takes them from it to where they belong, together with the position.
 *
 *   staged_sink.c         a sink's beginning and end, its names
 *   staged_checkpoint.c   the checkpoint: two tables there, changed by every commit; what follows a commit
 *   staged_schema.c       tables made, checked, filled from their copy
 *   staged_writer.c       a writer's life: table copies, and the commit of a stream
 *   staged_gather.c       changes, gathered and compacted by table, as the parts of a commit in their order
 *   staged_alter.c        a table's columns change: what is done at once, and what follows the commit
 *   staged_layout.c       a table as the service has it
 *   staged_merge.c        the SQL that brings staged rows to it
 *   staged_values.c       values on their way: what all such services cannot hold, and how that is told
 *
 * A sink gives a pgc_staged_service, a table of words and functions in the service's own terms. Its own structs of
 * sink, writer and layout begin with those of this header. The operations of pgconvoy_sink are here, but for open and
 * close. A writer belongs to one thread.
 */
#ifndef PGC_SINK_STAGED_H
#define PGC_SINK_STAGED_H

#include "apply/compact.h"
#include "base/buffer.h"
#include "sink/unmappable.h"

#include <pthread.h>

#define PGC_STAGED_SQL_MAX ((size_t)1 << 20) /* the longest text of a commit */

/* ---- what a table is at the service */

/* Columns that history has in front. The first is also that of a table without columns, as a table must have one. */
#define PGC_STAGED_OPERATION "_operation"
#define PGC_STAGED_LSN "_lsn"
#define PGC_STAGED_SEQUENCE "_sequence"
#define PGC_STAGED_COMMIT_TIME "_commit_time"

#define PGC_STAGED_LAYOUT_FIELDS                                                                                       \
    const pgconvoy_table *table;                                                                                       \
    pgc_arena *arena;                                                                                                  \
    const char *name;  /* of the table there */                                                                        \
    int column_count;  /* without those that history has in front */                                                   \
    const char **names /* of its columns */

typedef struct pgc_staged_layout {
    PGC_STAGED_LAYOUT_FIELDS;
} pgc_staged_layout;

/* The first member of a sink's own layout: the fields by themselves, and as `base`. */
#define PGC_STAGED_LAYOUT                                                                                              \
    union {                                                                                                            \
        struct {                                                                                                       \
            PGC_STAGED_LAYOUT_FIELDS;                                                                                  \
        };                                                                                                             \
        pgc_staged_layout base;                                                                                        \
    }

/* A column that the service has. */
typedef struct pgc_staged_column {
    const char *name;
    int number;       /* of the source's column, as it was noted beside it; 0: not known */
    bool bound;       /* the service neither renames nor drops it: the table is clustered by it */
    const void *more; /* the sink's own */
} pgc_staged_column;

typedef struct pgc_staged_columns {
    bool there, view;         /* there is something of that name; but it is no table */
    pgc_staged_column *items; /* in the arena that the sink was given */
    int count;
} pgc_staged_columns;

/* ---- rows on their way */

/* What a row is for. */
#define PGC_STAGED_ROW "U"     /* complete: updates or inserts */
#define PGC_STAGED_PARTIAL "P" /* some values stay as they are */
#define PGC_STAGED_MOVE "M"    /* the same, from the row that has the old key */
#define PGC_STAGED_DELETE "D"

/* Values of all columns (those of the key only for a DELETE by key), and the old key of a MOVE. NULLs where there are
 * none. */
typedef struct pgc_staged_row {
    const char *op;
    const pgconvoy_value *row;
    const pgconvoy_value *key;
    size_t copies;
    pgconvoy_lsn lsn; /* history */
    uint32_t sequence;
    int64_t time;
} pgc_staged_row;

/* ---- the service */

typedef struct pgc_staged_sink pgc_staged_sink;
typedef struct pgc_staged_writer pgc_staged_writer;
typedef struct pgc_staged_alteration pgc_staged_alteration;

/* What changes with the statements of a commit. */
typedef struct pgc_staged_commit {
    const pgc_buffer *statements; /* each with ";\n" behind it; NULL: none */
    pgconvoy_lsn lsn;             /* 0: stays */
    const pgconvoy_table_status *tables;
    size_t table_count;
    const char *how, *copy; /* of tables[0]; NULL: stay */
    const char *pending;    /* what follows the commit; NULL: nothing */
    const pgconvoy_table *renamed_from, *renamed_to;
    const pgconvoy_table *const *vacated; /* names under which nothing is copied any more */
    size_t vacated_count;
    const char *doing;
} pgc_staged_commit;

/* `doing` says for errors what is being done: "creating table users". */
typedef struct pgc_staged_service {
    const char *name;               /* "BigQuery", for messages */
    const char *scheme;             /* "bigquery", for the log */
    const char *container;          /* "dataset": what all tables of a pipeline are in */
    const char *staging;            /* "a staging table": what rows wait in */
    const char *pipelines, *tables; /* names of the checkpoint's tables */
    const char *truncate;           /* what empties the table whose name follows, in a transaction */
    const char *commit;             /* "COMMIT;" */
    const char *null_text;          /* NULL, of a text type */
    bool names_commits;             /* the checkpoint has a column "writer": the name of the last commit */
    int (*compare_names)(const char *a, const char *b); /* strcmp, or strcasecmp */

    /* ---- SQL. Keywords and names of the checkpoint's columns are the same everywhere. */
    void (*put_table)(const pgc_staged_sink *sink, const char *name, pgc_buffer *sql);
    void (*put_column)(pgc_buffer *sql, const char *name);
    void (*put_text)(pgc_buffer *sql, const char *text);
    /* A query's rows in the arena: rows[i * columns + j], NULL for NULL. None when a table of it is not there. */
    int (*select)(pgc_staged_sink *sink, const pgc_buffer *sql, const char *doing, int columns, pgc_arena *arena,
                  const char ***rows, size_t *count, pgconvoy_error *err);

    /* ---- the checkpoint. Called under the sink's lock, or while nobody else has the sink. */
    /* Makes its two tables, and what they are in, where they are not there. */
    int (*make_checkpoint)(pgc_staged_sink *sink, pgconvoy_error *err);
    /* Stores a row for this pipeline, where there is none; its incarnation is the sink's `process`. */
    int (*add_pipeline)(pgc_staged_sink *sink, pgconvoy_error *err);
    /* The position is known: the incarnation, of which other names may be made. May be NULL. */
    void (*known)(pgc_staged_sink *sink);
    /* The checkpoint is there, and known: makes what else a pipeline has. May be NULL. */
    int (*make_more)(pgc_staged_sink *sink, pgconvoy_error *err);
    /* Around the statements of a commit. The end stands behind UPDATE … WHERE, which moves the position. One of the
     * two makes the commit fail when the position is not where this process left it. */
    void (*put_begin)(const pgc_staged_sink *sink, pgc_buffer *sql);
    void (*put_end)(const pgc_staged_sink *sink, const char *name, pgc_buffer *sql);
    /* Runs a commit; -1 when it is not through, or that cannot be told. */
    int (*run_commit)(pgc_staged_sink *sink, const pgc_buffer *sql, const pgc_staged_commit *commit, const char *name,
                      pgconvoy_error *err);
    /* Does what followed a commit, which may be done twice; and then `forget`, a statement. */
    int (*run_pending)(pgc_staged_sink *sink, const char *pending, const pgc_buffer *forget, pgconvoy_error *err);
    /* Removes what a process that was killed has left. May be NULL. */
    int (*clean)(pgc_staged_sink *sink, pgconvoy_error *err);
    /* Runs the transaction that removes the checkpoint; and removes what make_more made (may be NULL). */
    int (*run_drop)(pgc_staged_sink *sink, const pgc_buffer *sql, pgconvoy_error *err);
    void (*drop_more)(pgc_staged_sink *sink);

    /* ---- tables */
    pgc_staged_layout *(*layout_new)(const pgc_staged_sink *sink, const pgconvoy_table *table, pgconvoy_error *err);
    /* The columns of a table there. */
    int (*columns)(pgc_staged_sink *sink, const char *table, pgc_arena *arena, pgc_staged_columns *columns,
                   pgconvoy_error *err);
    /* Whether a column there takes all values of the layout's column. */
    bool (*column_fits)(const pgc_staged_layout *layout, int column, const pgc_staged_column *there);
    /* Appends the types of a column there, and of the layout's column, for messages. */
    void (*put_type_there)(const pgc_staged_column *there, pgc_buffer *out);
    void (*put_type)(const pgc_staged_layout *layout, int column, pgc_buffer *out);
    int (*make_table)(pgc_staged_sink *sink, const pgc_staged_layout *layout, const char *doing, pgconvoy_error *err);
    int (*drop_table)(pgc_staged_sink *sink, const char *table, const char *doing, pgconvoy_error *err);
    /* Makes a new staging table for the rows of a table copy, and says its name. */
    int (*make_copy)(pgc_staged_sink *sink, const pgc_staged_layout *layout, char *name, size_t size,
                     pgconvoy_error *err);
    /* Appends the statements that bring the rows of a copy to their table. arena: for the call's own use. */
    int (*put_fill)(pgc_staged_sink *sink, const pgc_staged_layout *layout, const char *copy, pgconvoy_lsn lsn,
                    pgc_arena *arena, pgc_buffer *sql, pgconvoy_error *err);

    /* ---- stages: rows of a table on their way */
    /* Of the table copy that the writer is at, or of its stream. */
    void *(*stage_new)(pgc_staged_writer *writer, const pgc_staged_layout *layout, pgconvoy_error *err);
    int (*stage_add)(void *stage, const pgc_staged_row *row, pgconvoy_error *err);
    /* Sends what was added; need not wait for it. May be NULL: rows go when they are added. */
    int (*stage_send)(void *stage, pgconvoy_error *err);
    /* Waits until the rows are there, and appends the statements that bring them to their table. number tells the
     * stages of a commit apart. */
    int (*put_stage)(pgc_staged_writer *writer, void *stage, int number, pgc_buffer *sql, pgconvoy_error *err);
    void (*stage_free)(void *stage); /* NULL is let be */
    /* Whether a table copy should end this stage and begin another one. May be NULL: never. */
    bool (*stage_is_full)(const void *stage);
    /* Sends what is in a stage of a table copy, waits until it is there, and sees to it that put_fill takes it. */
    int (*end_copy_stage)(pgc_staged_writer *writer, void *stage, pgconvoy_error *err);

    /* ---- the writer */
    size_t writer_size; /* of the sink's own struct, which begins with a pgc_staged_writer and as zeros */
    /* The commit is through; its parts are still there. May be NULL. */
    void (*committed)(pgc_staged_writer *writer);
    /* Everything since begin is given up, or the writer is closed: lets go what it holds. May be NULL. */
    void (*let_go)(pgc_staged_writer *writer);
    /* Appends what follows the commit, for the checkpoint; nothing when nothing does. And tells it, in a trial. */
    void (*put_later)(const pgc_staged_writer *writer, pgc_buffer *out);
    int (*tell_later)(pgc_staged_sink *sink, const char *later, pgconvoy_error *err);

    /* ---- tables that change */
    /* A column comes: at once, as a column more harms nobody. */
    int (*add_column)(const pgc_staged_alteration *a, int column, pgconvoy_error *err);
    /* The column is there, under its name in new_layout: has it the type it should have? old: its place in `from`, or
     * -1. */
    int (*change_type)(const pgc_staged_alteration *a, int old, int column, pgconvoy_error *err);
} pgc_staged_service;

/* ---- the sink */

#define PGC_STAGED_PREFIX_SIZE 40
#define PGC_STAGED_PROCESS_SIZE 20

typedef struct pgc_staged_name {
    char *name, *table; /* there, and at the source */
} pgc_staged_name;

#define PGC_STAGED_SINK_FIELDS                                                                                         \
    const pgc_staged_service *service;                                                                                 \
    const pgconvoy_sink_config *config;                                                                                \
    char place[300]; /* "dataset shop", for messages: what its tables are in */                                        \
    bool exists;     /* and whether that is there */                                                                   \
    bool keeps_history;                                                                                                \
    char prefix[PGC_STAGED_PREFIX_SIZE];   /* of names of this pipeline's own things: "pgconvoy_1a2b3c4d" */           \
    char process[PGC_STAGED_PROCESS_SIZE]; /* of this process among them */                                            \
    uint64_t counter;                      /* the last number given to such a thing; see pgc_staged_next_number */     \
    pthread_mutex_t lock;                  /* guards what follows, and what the sink's own comments say */             \
    bool checkpoint_ready;                                                                                             \
    int64_t step;         /* commits of the checkpoint so far, as this process knows it */                             \
    char incarnation[40]; /* of the checkpoint: another one after a drop */                                            \
    pgc_arena *checkpoint_arena;                                                                                       \
    pgc_staged_name *seen; /* names of tables */                                                                       \
    size_t seen_count, seen_capacity

struct pgc_staged_sink {
    PGC_STAGED_SINK_FIELDS;
};

/* The first member of a sink's own struct: the fields by themselves, and as `base`. */
#define PGC_STAGED_SINK                                                                                                \
    union {                                                                                                            \
        struct {                                                                                                       \
            PGC_STAGED_SINK_FIELDS;                                                                                    \
        };                                                                                                             \
        pgc_staged_sink base;                                                                                          \
    }

/* A sink begins as zeros. Names are of letters that all names may have. On failure it is to be ended, too. */
int pgc_staged_begin(pgc_staged_sink *sink, const pgc_staged_service *service, const pgconvoy_sink_config *config,
                     pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_staged_end(pgc_staged_sink *sink);
uint64_t pgc_staged_next_number(pgc_staged_sink *sink);
/* Removes a staging table; that it cannot be removed is only logged. */
void pgc_staged_drop_staging(pgc_staged_sink *sink, const char *table);

/* ---- the operations of pgconvoy_sink */

int pgc_staged_read_checkpoint(void *sink, pgconvoy_checkpoint *checkpoint, pgconvoy_error *err);
int pgc_staged_check_table(void *sink, const pgconvoy_table *table, pgconvoy_if_exists if_exists, pgconvoy_error *err);
int pgc_staged_prepare_table(void *sink, const pgconvoy_table *table, pgconvoy_if_exists if_exists,
                             pgconvoy_error *err);
int pgc_staged_finish_table(void *sink, const pgconvoy_table *table, const pgconvoy_table_status *status,
                            pgconvoy_error *err);
int pgc_staged_open_writer(void *sink, void **writer, pgconvoy_error *err);
int pgc_staged_begin_work(void *writer, const pgconvoy_table *table, pgconvoy_error *err);
int pgc_staged_write_rows(void *writer, const pgconvoy_rows *rows, pgconvoy_error *err);
int pgc_staged_write_changes(void *writer, const pgconvoy_changes *changes, pgconvoy_error *err);
int pgc_staged_change_schema(void *writer, const pgconvoy_table *old_table, const pgconvoy_table *new_table,
                             pgconvoy_error *err);
int pgc_staged_commit_work(void *writer, pgconvoy_lsn lsn, const pgconvoy_table_status *tables, size_t table_count,
                           pgconvoy_error *err);
void pgc_staged_abort_work(void *writer);
void pgc_staged_close_writer(void *writer);
int pgc_staged_drop(void *sink, pgconvoy_error *err);

/* All of them, as they stand in a sink's descriptor. */
#define PGC_STAGED_OPERATIONS                                                                                          \
    .capabilities = PGCONVOY_SINK_TRANSACTIONAL | PGCONVOY_SINK_NOTES_COLUMNS | PGCONVOY_SINK_PARALLEL | PGCONVOY_SINK_DDL_TRIAL,                    \
    .column_format = pgconvoy_sink_default_column_format_text, .read_checkpoint = pgc_staged_read_checkpoint,          \
    .check_table = pgc_staged_check_table, .prepare_table = pgc_staged_prepare_table,                                  \
    .finish_table = pgc_staged_finish_table, .open_writer = pgc_staged_open_writer, .begin = pgc_staged_begin_work,    \
    .write_rows = pgc_staged_write_rows, .write_changes = pgc_staged_write_changes,                                    \
    .change_schema = pgc_staged_change_schema, .commit = pgc_staged_commit_work, .abort = pgc_staged_abort_work,       \
    .close_writer = pgc_staged_close_writer, .drop = pgc_staged_drop

/* ---- the checkpoint */

typedef struct pgc_staged_position {
    const char *incarnation; /* NULL: there is no such pipeline */
    const char *source_id, *pending, *writer;
    pgconvoy_lsn lsn;
    int64_t step;
} pgc_staged_position;

int pgc_staged_read_position(pgc_staged_sink *sink, pgc_arena *arena, pgc_staged_position *position,
                             pgconvoy_error *err) PGC_MUST_CHECK;
/* Appends " WHERE column = 'this pipeline'". */
void pgc_staged_where_pipeline(const pgc_staged_sink *sink, const char *column, pgc_buffer *sql);
/* Sets err: another process was there first. */
void pgc_staged_position_moved(const pgc_staged_sink *sink, pgconvoy_error *err);

/* ---- the writer */

typedef struct pgc_staged_table {
    const pgconvoy_table *table;
    pgc_staged_layout *layout;
    pgc_compact *compact;
    void *history;  /* mode=history: the stage being written */
    bool looked_at; /* it is there, with these columns */
} pgc_staged_table;

/* A part of a commit, in order: a stage to be merged, a table to be emptied, or a statement. */
typedef struct pgc_staged_part {
    void *stage;
    const pgc_staged_layout *truncated;
    char *sql;
} pgc_staged_part;

/* A column that goes (to NULL) or is renamed when the commit is through, or a table (column NULL). */
typedef struct pgc_staged_later {
    char *table, *column, *to;
    bool cancelled;
} pgc_staged_later;

struct pgc_staged_writer {
    pgc_staged_sink *sink;

    pgc_staged_layout *copy_layout; /* NULL: no table copy */
    char *copy_table;               /* its staging table */
    void *copy_stage;
    bool begun; /* what a killed process may have left to be done is done */

    pgc_staged_table **tables;
    size_t table_count, table_capacity;
    size_t gathered_bytes;
    pgc_staged_part *parts;
    size_t part_count, part_capacity;
    pgc_staged_layout **layouts; /* that parts refer to */
    size_t layout_count, layout_capacity;
    pgc_staged_later *later; /* what follows the commit */
    size_t later_count, later_capacity;
    const pgconvoy_table *renamed_from, *renamed_to;
    const pgconvoy_table **vacated; /* by the names that they had: they are copied anew under others, and what they were there stays */
    size_t vacated_count, vacated_capacity;
    bool schema_changed;
    bool refused; /* a change cannot be followed, though there is nothing against the table as it is now */
};

/* ---- tables that change */

struct pgc_staged_alteration {
    pgc_staged_writer *writer;
    const pgconvoy_table *from, *to;
    const pgc_staged_layout *old_layout;
    pgc_staged_layout *new_layout; /* gets the names that there are */
    pgc_staged_columns there;      /* the table's columns as they are */
    bool taken;                    /* it cannot be renamed: it stays what it is, and is made anew under its new name */
};

/* Sets err: the column cannot be followed. what: "changes its type". */
int pgc_staged_refuse(const pgc_staged_alteration *a, const char *column, const char *what, pgconvoy_error *err);
/* In a trial of DDL a statement is told, and is not to be run: true then. */
bool pgc_staged_is_told(const pgconvoy_sink_config *config, const pgc_buffer *sql);
const pgc_staged_column *pgc_staged_find(const pgc_staged_alteration *a, const char *name);
/* A statement of the commit, after what was gathered so far; told instead, in a trial. */
int pgc_staged_statement(pgc_staged_writer *writer, const pgc_buffer *sql, pgconvoy_error *err) PGC_MUST_CHECK;
/* The next of what follows the commit, tables last, so that what comes before finds them under their old names: from
 * *at = 0 on; NULL when there are no more. */
const pgc_staged_later *pgc_staged_next_later(const pgc_staged_writer *writer, size_t *at);

/* ---- layouts */

/* Of size bytes (the sink's own struct): the table's columns under their own names, and the name of the table, which is
 * that of the source's, behind the name of its schema unless that is "public". */
pgc_staged_layout *pgc_staged_layout_new(size_t size, const pgconvoy_table *table, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_staged_layout_free(pgc_staged_layout *layout); /* NULL is let be */
/* Refuses a column that has the name of one that history has. */
int pgc_staged_check_names(const pgc_staged_sink *sink, const pgc_staged_layout *layout,
                           pgconvoy_error *err) PGC_MUST_CHECK;
/* What stands beside a column there: its number at the source (when known) and its type; and the number of such a text
 * (which may be NULL), or 0. */
#define PGC_STAGED_DESCRIPTION_SIZE 512
void pgc_staged_describe_column(const pgconvoy_column *column, char text[PGC_STAGED_DESCRIPTION_SIZE]);
int pgc_staged_described_number(const char *text);
/* Appends the quoted names of all columns, with commas; prefix stands before each ("T."). */
void pgc_staged_put_columns(const pgc_staged_sink *sink, const pgc_staged_layout *layout, const char *prefix,
                            pgc_buffer *sql);
/* NULL: there is none. */
const pgc_staged_column *pgc_staged_find_column(const pgc_staged_service *service, const pgc_staged_columns *columns,
                                                const char *name);

/* ---- what a stage holds, and the statements that bring it to its table */

typedef struct pgc_staged_contents {
    bool ops[128];            /* see pgc_staged_contents_have */
    bool *unchanged, *warned; /* a column each: some row leaves its value; it was told that values become NULL */
} pgc_staged_contents;

/* On failure it is to be freed, too. */
int pgc_staged_contents_init(pgc_staged_contents *contents, const pgc_staged_layout *layout,
                             pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_staged_contents_free(pgc_staged_contents *contents);
void pgc_staged_contents_add(pgc_staged_contents *contents, const char *op);
/* Whether there is a row with this op. */
bool pgc_staged_contents_have(const pgc_staged_contents *contents, const char *op);

/*
 * Parts of a MERGE into the table. Between the first and the second the sink names a column c0 … of each value, and u0
 * … of those that some row leaves unchanged, and what they are selected from, AS N. The second joins the rows that move
 * AS O, and takes one row for each key.
 */
void pgc_staged_put_merge(const pgc_staged_sink *sink, const pgc_staged_layout *layout, pgc_buffer *sql);
void pgc_staged_put_joined(const pgc_staged_sink *sink, const pgc_staged_layout *layout,
                           const pgc_staged_contents *contents, pgc_buffer *sql);
void pgc_staged_put_merged(const pgc_staged_sink *sink, const pgc_staged_layout *layout,
                           const pgc_staged_contents *contents, pgc_buffer *sql);
/* Parts of an INSERT … SELECT into the table: its columns, with those of history or without; and the values of rows N,
 * behind those of history's columns (NULL: none). */
void pgc_staged_put_insert(const pgc_staged_sink *sink, const pgc_staged_layout *layout, bool history, pgc_buffer *sql);
void pgc_staged_put_values(const pgc_staged_sink *sink, const pgc_staged_layout *layout, const char *history,
                           pgc_buffer *sql);

/* ---- values */

typedef struct pgc_staged_encoder {
    pgc_arena *arena; /* of the value at hand */
    pgc_buffer text, scratch;
} pgc_staged_encoder;

int pgc_staged_encoder_init(pgc_staged_encoder *encoder, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_staged_encoder_free(pgc_staged_encoder *encoder);
/* Appends PostgreSQL's text form to encoder->text, which has a text from then on even when that is empty. */
int pgc_staged_text_of(pgc_staged_encoder *encoder, const pgconvoy_type *type, const pgconvoy_value *value,
                       pgconvoy_error *err) PGC_MUST_CHECK;

/* What encoders give back: 1, with the reason (static) why the service's type cannot hold a value. */
int pgc_staged_cannot_hold(const char **why, const char *reason);
/* Whether dates of four digits, times of a day and moments of such dates take the value: 0; or 1 with why; or -1. */
int pgc_staged_date_fits(const pgconvoy_value *value, const char **why, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_staged_time_fits(const pgconvoy_value *value, const char **why, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_staged_moment_fits(const pgconvoy_value *value, const char **why, pgconvoy_error *err) PGC_MUST_CHECK;
/* Whether so many digits before and behind the point take a numeric, given as text: 0; or 1 with why. */
int pgc_staged_digits_fit(const char *text, size_t before, size_t behind, const char **why) PGC_MUST_CHECK;

/* A value that its type there, so called, cannot hold: an error that says which. Or, when it is to be left out, which a
 * key never is, 0 and a warning in the log, once for each column (*warned). */
int pgc_staged_value_unmappable(const pgc_staged_sink *sink, const pgconvoy_table *table, int column,
                                const pgc_staged_row *row, const char *type, const char *why, bool leave_out,
                                bool *warned, pgconvoy_error *err) PGC_MUST_CHECK;
/* Sets err: the row is larger than that. limit: "16 MB". Returns -1. */
int pgc_staged_row_too_large(const pgc_staged_sink *sink, const pgconvoy_table *table, const pgc_staged_row *row,
                             const char *limit, pgconvoy_error *err);

/* ---- rows of a query */

/* values[i * columns + j], NULL for NULL; all in the arena. Begins as zeros but for columns and arena. */
typedef struct pgc_staged_rows {
    const char **values;
    size_t count, capacity;
    int columns;
    pgc_arena *arena;
} pgc_staged_rows;
/* Another row, of NULLs; NULL and err when out of memory. */
const char **pgc_staged_rows_add(pgc_staged_rows *rows, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
