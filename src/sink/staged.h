/*
 * What sinks share that bring changes to a service in batches: rows go into a staging table there, and one statement
 * for each table takes them from it, in one transaction with the position.
 *
 *   staged_gather.c   changes, gathered and compacted by table, as the parts of a commit in their order
 *   staged_alter.c    a table's columns change: what is done at once, and what follows the commit
 *   staged_tables.c   tables before their copy: names that are taken, what is to be done; rows of a query
 *   staged_names.c    names of this pipeline and process, the text of a row's key, states of tables as words
 *
 * A sink gives the functions of pgc_staged_ops, and a layout that begins with the fields of pgc_staged_layout. A writer
 * belongs to one thread.
 */
#ifndef PGC_SINK_STAGED_H
#define PGC_SINK_STAGED_H

#include "apply/compact.h"
#include "base/buffer.h"

/* ---- what a table is at the service */

#define PGC_STAGED_LAYOUT_FIELDS                                                                                       \
    const pgconvoy_table *table;                                                                                       \
    pgc_arena *arena;                                                                                                  \
    const char *name; /* of the table there */                                                                         \
    int column_count;                                                                                                  \
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

/* Appends "id = 5, day = 2026-01-01": which row it is, for errors. */
void pgc_staged_key_text(const pgconvoy_table *table, const pgc_staged_row *row, pgc_buffer *out);

/* ---- the writer of a stream */

typedef struct pgc_staged_writer pgc_staged_writer;

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

/* A column that the service has. */
typedef struct pgc_staged_column {
    const char *name;
    int number;       /* of the source's column, as it was noted beside it; 0: not known */
    const void *more; /* the sink's own */
} pgc_staged_column;

typedef struct pgc_staged_columns {
    pgc_staged_column *items; /* in the arena that the sink was given */
    int count;
} pgc_staged_columns;

/* A table's definition that changes. */
typedef struct pgc_staged_alteration {
    pgc_staged_writer *writer;
    const pgconvoy_table *from, *to;
    const pgc_staged_layout *old_layout;
    pgc_staged_layout *new_layout; /* gets the names that there are */
    pgc_staged_columns there;      /* the table's columns as they are */
} pgc_staged_alteration;

typedef struct pgc_staged_ops {
    const char *service; /* "BigQuery", for messages */
    const char *scheme;  /* "bigquery", for the log */
    pgc_staged_layout *(*layout_new)(void *sink, const pgconvoy_table *table, pgconvoy_error *err);
    void (*layout_free)(pgc_staged_layout *layout);
    void *(*stage_new)(void *sink, const pgc_staged_layout *layout, pgconvoy_error *err);
    int (*stage_add)(void *stage, const pgc_staged_row *row, pgconvoy_error *err);
    int (*stage_send)(void *stage, pgconvoy_error *err);
    void (*stage_free)(void *stage);
    /* The columns of a table there. */
    int (*columns)(void *sink, const char *table, pgc_arena *arena, bool *there, pgc_staged_columns *columns,
                   pgconvoy_error *err);
    int (*compare_names)(const char *a, const char *b); /* strcmp, or strcasecmp */
    /* A column comes: at once, as a column more harms nobody. */
    int (*add_column)(const pgc_staged_alteration *a, int column, pgconvoy_error *err);
    /* The column is there, under its name in new_layout: has it the type it should have? old: its place in `from`, or
     * -1. */
    int (*change_type)(const pgc_staged_alteration *a, int old, int column, pgconvoy_error *err);
    /* Whether the column can neither be renamed nor go. May be NULL: none. */
    bool (*is_bound)(const pgc_staged_layout *layout, int column);
} pgc_staged_ops;

struct pgc_staged_writer {
    const pgc_staged_ops *ops;
    void *sink;
    const pgconvoy_sink_config *config;
    const char *place; /* "dataset shop", for messages */
    bool keeps_history;

    pgc_staged_table **tables;
    size_t table_count, table_capacity;
    size_t gathered_bytes;
    pgc_staged_part *parts;
    size_t part_count, part_capacity;
    pgc_staged_layout **layouts; /* that parts refer to */
    size_t layout_count, layout_capacity;
    pgc_staged_later *later; /* what follows the commit */
    size_t later_count;
    const pgconvoy_table *renamed_from, *renamed_to;
    bool schema_changed;
};

/* A writer begins as zeros but for its first five fields. */
void pgc_staged_close(pgc_staged_writer *writer);
/* Forgets everything since the last commit; the tables too, when their definitions may have changed. */
void pgc_staged_forget(pgc_staged_writer *writer, bool forget_tables);

int pgc_staged_write_changes(pgc_staged_writer *writer, const pgconvoy_changes *changes,
                             pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_staged_change_schema(pgc_staged_writer *writer, const pgconvoy_table *old_table,
                             const pgconvoy_table *new_table, pgconvoy_error *err) PGC_MUST_CHECK;
/* Sends what is gathered into staging, so that all of the commit is in parts. */
int pgc_staged_flush_all(pgc_staged_writer *writer, pgconvoy_error *err) PGC_MUST_CHECK;
/* A statement of the commit, after what was gathered so far. */
int pgc_staged_statement(pgc_staged_writer *writer, const pgc_buffer *sql, pgconvoy_error *err) PGC_MUST_CHECK;
/* The commit is through. */
void pgc_staged_committed(pgc_staged_writer *writer);

/* Sets err: the column cannot be followed. what: "changes its type". */
int pgc_staged_refuse(const pgc_staged_alteration *a, const char *column, const char *what, pgconvoy_error *err);
/* In a trial of DDL a statement is told, and is not to be run: true then. */
bool pgc_staged_is_told(const pgconvoy_sink_config *config, const pgc_buffer *sql);
const pgc_staged_column *pgc_staged_find(const pgc_staged_alteration *a, const char *name);

/* For staged_alter.c */
int pgc_staged_table_of(pgc_staged_writer *writer, const pgconvoy_table *source, pgc_staged_table **found,
                        pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_staged_flush(pgc_staged_writer *writer, pgc_staged_table *table, pgconvoy_error *err) PGC_MUST_CHECK;
/* Brings a table there to the definition that it is met with. */
int pgc_staged_adapt_table(pgc_staged_writer *writer, pgc_staged_table *table, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_staged_later_free(pgc_staged_writer *writer);

/* ---- names */

#define PGC_STAGED_PREFIX_SIZE 40
#define PGC_STAGED_PROCESS_SIZE 20
/* Names for this pipeline ("pgconvoy_1a2b3c4d") and this process, of letters that all names may have. */
int pgc_staged_make_names(const pgconvoy_sink_config *config, char prefix[PGC_STAGED_PREFIX_SIZE],
                          char process[PGC_STAGED_PROCESS_SIZE], pgconvoy_error *err) PGC_MUST_CHECK;

/* "catching up", as checkpoints in tables of a service have it; and the state of such a word (WAITING when it is none
 * of them, or NULL). */
const char *pgc_staged_state_word(pgconvoy_table_state state);
pgconvoy_table_state pgc_staged_state_of(const char *word);

/* How a table came to be this pipeline's, as checkpoints have it. */
#define PGC_STAGED_MADE "made"
#define PGC_STAGED_EMPTIED "emptied"
#define PGC_STAGED_APPENDED "appended"

/* ---- tables before their copy */

typedef struct pgc_staged_name {
    char *name, *table; /* there, and at the source */
} pgc_staged_name;
/* All zero is empty. */
typedef struct pgc_staged_seen {
    pgc_staged_name *items;
    size_t count;
} pgc_staged_seen;
/* Notes the table's name there; refuses one that another table has. place: "dataset". */
int pgc_staged_note_name(pgc_staged_seen *seen, const pgc_staged_layout *layout, const char *service, const char *place,
                         pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_staged_seen_free(pgc_staged_seen *seen);

/* What is to be done for a table to be as it should. */
typedef struct pgc_staged_plan {
    const char *how; /* what the checkpoint says; then, how it is this pipeline's */
    bool drop, make;
} pgc_staged_plan;
typedef enum pgc_staged_verdict { PGC_STAGED_FINE, PGC_STAGED_IN_THE_WAY, PGC_STAGED_UNLIKE } pgc_staged_verdict;
/* there: it exists; matches: nothing of it is other than it should (true when it does not exist). */
pgc_staged_verdict pgc_staged_plan_table(pgc_staged_plan *plan, bool there, bool matches, pgconvoy_if_exists if_exists);

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
