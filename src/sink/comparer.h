/*
 * A target that is no PostgreSQL server, as `verify` sees it: an engine that is asked in its own SQL, and that holds a
 * scratch copy of the source's rows, made by the very sink, beside the target's tables. What the type map makes of a
 * value is thereby the same in both, and the engine's own hashes and texts of the two can be compared.
 *
 * Call order: open, scratch, (the copy is made,) begin, (describe, select *) for each table, close.
 */
#ifndef PGC_SINK_COMPARER_H
#define PGC_SINK_COMPARER_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/log.h"
#include "pgconvoy.h"

#define PGC_COMPARER_SCRATCH 0
#define PGC_COMPARER_TARGET 1

#define PGC_COMPARER_TEXT_BYTES 10000 /* of a value that is shown */

typedef struct pgc_comparer_config {
    const char *target; /* as the user wrote it; may hold a password */
    const char *folder; /* of this run alone, which is removed after close */
    const char *name;   /* of this run alone: letters, digits and underscores */
    size_t memory_bytes;
    int jobs;
    pgconvoy_log *log;
} pgc_comparer_config;

/* A table of one of the two, its rows as they are now. */
typedef struct pgc_compared {
    bool is_there;
    const char *relation; /* what stands after FROM */
    int count;            /* of columns, without the sink's own */
    const char **names, **types;
} pgc_compared;

typedef enum pgc_compared_type {
    PGC_COMPARED_SAME,
    PGC_COMPARED_WIDER, /* the target's holds more, as it may after a change at the source */
    PGC_COMPARED_OTHER
} pgc_compared_type;

typedef struct pgc_comparer {
    const char *const *schemes;
    const char *target_help;
    bool is_live; /* the target can be read while a pipeline writes to it */
    int (*open)(const pgc_comparer_config *config, void **state, pgconvoy_error *err);
    /* Makes room for the scratch copy. Gives its TARGET, which lives until close. */
    int (*scratch)(void *state, const char **target, pgconvoy_error *err);
    int (*begin)(void *state, pgconvoy_error *err); /* NULL: there is nothing to be done then */
    /* Columns of the scratch copy in the order of table's. All of it in the arena. */
    int (*describe)(void *state, int side, const pgconvoy_table *table, pgc_arena *arena, pgc_compared *compared,
                    pgconvoy_error *err);
    pgc_compared_type (*compare_types)(const char *scratch, const char *target);

    /* ---- pieces of SQL. A name becomes an expression by column; all others take expressions. */
    void (*column)(pgc_buffer *sql, const char *name, const char *type);
    /* The beginning of a value's text, for people, and NULL for NULL. source: the source's column, or NULL. */
    void (*text)(pgc_buffer *sql, const char *value, const char *type, const pgconvoy_column *source);
    /* A whole number of 64 bits that stands for all these values, NULLs among them. */
    void (*hash)(pgc_buffer *sql, const char *const *values, int count);
    /* hash divided into 0 … count - 1. */
    void (*bucket)(pgc_buffer *sql, const char *hash, long count);
    const char *sum_begin, *sum_end; /* around a hash: its sum over rows, which never fails */

    /* A query's rows in the arena: rows[i * columns + j], NULL for NULL. */
    int (*select)(void *state, const pgc_buffer *sql, const char *doing, int columns, pgc_arena *arena,
                  const char ***rows, size_t *count, pgconvoy_error *err);
    /* Removes the scratch copy; what cannot be removed is a warning in the log. */
    void (*close)(void *state);
} pgc_comparer;

/* The one for such a target; NULL and a usage error when there is none. */
const pgc_comparer *pgc_comparer_for_target(const char *target, pgconvoy_error *err) PGC_MUST_CHECK;

/* For open, of a target that keeps changes instead of rows: the usage error. Returns -1. */
int pgc_comparer_refuse_history(pgconvoy_error *err);

/* One of the two, where it is the sink that is asked. Begins as zeros. */
typedef struct pgc_comparer_end {
    pgconvoy_sink_config config;
    void *sink; /* NULL: not open */
} pgc_comparer_end;
/* The target lives until close. */
int pgc_comparer_end_open(pgc_comparer_end *end, const pgconvoy_sink *ops, const pgc_comparer_config *config,
                          const char *target, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_comparer_end_close(pgc_comparer_end *end, const pgconvoy_sink *ops);

extern const pgc_comparer pgc_comparer_duckdb, pgc_comparer_clickhouse, pgc_comparer_bigquery, pgc_comparer_snowflake;

#endif
