/* What the files of verify share. Where something belongs to one end of the two, VERIFY_SOURCE or VERIFY_TARGET is its
 * index. */
#ifndef PGC_INSPECT_VERIFY_INTERNAL_H
#define PGC_INSPECT_VERIFY_INTERNAL_H

#include "base/arena.h"
#include "inspect/verify/flow.h"
#include "inspect/verify/verify.h"
#include "postgres/connection.h"
#include "postgres/quote.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define VERIFY_SOURCE 0
#define VERIFY_TARGET 1
#define VERIFY_SQL_LIMIT ((size_t)256 << 20)

/* ---- what is found */

typedef enum verify_kind { VERIFY_MISSING, VERIFY_EXTRA, VERIFY_CHANGED } verify_kind;

/* "missing", "extra", "changed": seen from the source, at the target. */
const char *verify_kind_name(verify_kind kind);

/* A part of something that differs: a column of a row, a property of an object. A value is NULL for SQL's NULL, or
 * where there is none. */
typedef struct verify_detail {
    const char *name;
    const char *value[2];
    struct verify_detail *next;
} verify_detail;

typedef struct verify_finding {
    verify_kind kind;
    const char *what; /* "INDEX public.t_v_idx"; of a row its key, "(id)=(5)" */
    verify_detail *details, **details_end;
    struct verify_finding *next;
} verify_finding;

typedef struct verify_findings {
    verify_finding *first, **end;
    int count;
} verify_findings;

/* Values are copied into the arena, clipped around where they differ. NULL when out of memory. */
verify_finding *verify_finding_add(verify_findings *findings, pgc_arena *arena, verify_kind kind, const char *what);
int verify_detail_add(verify_finding *finding, pgc_arena *arena, const char *name, const char *source,
                      const char *target, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- tables */

typedef struct verify_column {
    const char *name;    /* at the source */
    const char *at[2];   /* at either end: a mapping may give another name */
    const char *type[2]; /* the base type's name, without a modifier */
    bool generated;      /* at the target */
} verify_column;

typedef struct verify_table {
    const char *schema, *name; /* at the source */
    struct {
        const char *schema, *name;
    } at[2];
    const pgc_mapped_table *mapped; /* or NULL */
    verify_column *columns;         /* those of both ends, by name */
    int column_count;
    int *keys;          /* indexes of columns */
    int key_count;      /* 0: rows are told apart by their hash, and counted */
    bool only[2];       /* FROM ONLY: the children of an inheritance parent are tables of their own */
    const char *filter; /* the publication's row filter, or NULL */
    const char *where;  /* a condition for both ends, or NULL */
    double rows;        /* about, at the source */
    double pages;
    bool is_indexed;   /* both ends have an index on the key, */
    bool is_clustered; /* and the source's rows stand about in its order */
    bool is_absent;    /* at the target */
    bool is_before;    /* found equal by an earlier run */
    atomic_int items_left;
    /* guarded by verify->lock */
    int64_t row_count[2], found[3], unsettled;
    verify_findings findings;
} verify_table;

/* A range of a table's rows by key; NULL: open on that side. */
typedef struct verify_range {
    const char *const *low, *const *high; /* from low on, up to but not with high */
} verify_range;

typedef struct verify_item {
    verify_table *table;
    verify_range range;
    double rows;
} verify_item;

struct pgc_verify {
    const pgc_verify_options *options;
    PGconn *conn[2];
    PGcancel *cancel[2]; /* guarded by lock */
    int version[2];
    bool is_standby;
    bool by_md5;  /* the servers' fast hashes differ (another byte order) */
    bool as_utf8; /* the databases' encodings differ */
    verify_flow flow;
    pgc_arena *arena; /* of the main thread; of findings of rows under the lock */
    verify_table *tables;
    int table_count;
    verify_item *items;
    int item_count, item_capacity;
    atomic_bool stop;
    int64_t begun_us;

    verify_findings schema, sequences;
    int sequence_count, object_count;

    pthread_mutex_t lock; /* guards all below */
    int next_item;
    int64_t items_done;
    struct verify_session *sessions;
    int session_count;
    bool failed;
    pgconvoy_error first_error;
    bool is_still;           /* nothing streams, and it was said */
    pgconvoy_pipeline *copy; /* that is made of the source for another engine, while it is made */

    char *state_path; /* DIR/verify-HASH */
    FILE *state;

    /* pieces of the repair script, in its order */
    FILE *repair_drop, *repair_define, *repair_delete, *repair_write, *repair_sequence, *repair_build;
    atomic_bool repair_failed;
};

/* Two connections of one thread. */
typedef struct verify_session {
    pgc_verify *verify;
    pthread_t thread;
    PGconn *conn[2];
    PGcancel *cancel[2]; /* guarded by verify->lock */
    pgc_arena *arena;    /* of an item: the bounds of its ranges */
    pgc_arena *leaf;     /* of a few thousand rows */
    pgc_buffer sql[2];
    /* what the item under way has found: it counts once the item is done, as one that fails is begun again */
    int64_t found[3], unsettled;
    verify_findings findings;
    FILE *repair_delete, *repair_write;
} verify_session;

/* ---- session.c */
PGconn *verify_connect(pgc_verify *verify, int side, pgconvoy_error *err) PGC_MUST_CHECK;
int verify_session_open(verify_session *session, pgconvoy_error *err) PGC_MUST_CHECK;
void verify_session_close(verify_session *session);
/* Runs session->sql[side]; NULL and err on failure. */
PGresult *verify_query(verify_session *session, int side, pgconvoy_error *err) PGC_MUST_CHECK;
/* Runs both at the same time. */
int verify_query_both(verify_session *session, PGresult *results[2], pgconvoy_error *err) PGC_MUST_CHECK;
int verify_stopped(pgc_verify *verify, pgconvoy_error *err) PGC_MUST_CHECK; /* -1 and err when it is to stop */

/* ---- tables.c: which, and what their columns and keys are */
int verify_tables_read(pgc_verify *verify, pgconvoy_error *err) PGC_MUST_CHECK;
/* --where: what was said of tables that are known. */
int verify_tables_conditions(pgc_verify *verify, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- row_sql.c: pieces of queries over a table, which is called t in them */
/* How many values a key has: those of its columns, or the row's hash. */
static inline int verify_key_parts(const verify_table *table)
{
    return table->key_count ? table->key_count : 1;
}
void verify_sql_hash(const pgc_verify *verify, const verify_table *table, int side, pgc_buffer *out);
void verify_sql_key_part(const pgc_verify *verify, const verify_table *table, int side, int part, pgc_buffer *out);
void verify_sql_keys(const pgc_verify *verify, const verify_table *table, int side,
                     pgc_buffer *out); /* comma separated */
void verify_sql_from(const pgc_verify *verify, const verify_table *table, int side,
                     pgc_buffer *out); /* FROM … WHERE …, filters included */
void verify_sql_range(const pgc_verify *verify, const verify_table *table, int side, const verify_range *range,
                      pgc_buffer *out); /* AND … */
/* width_bucket(key, thresholds): 0 before the first. */
void verify_sql_bucket(const pgc_verify *verify, const verify_table *table, int side,
                       const char *const *const *thresholds, int count, pgc_buffer *out);
void verify_sql_key_is_in(const pgc_verify *verify, const verify_table *table, int side, const char *const *const *keys,
                          int count, pgc_buffer *out);
/* What a key's row is compared by, after verify_sql_keys in a query with GROUP BY: how often it is there, and its hash.
 */
void verify_sql_value(const pgc_verify *verify, const verify_table *table, int side, pgc_buffer *out);
void verify_sql_group(const verify_table *table, pgc_buffer *out);
void verify_sql_name(const verify_table *table, int side, pgc_buffer *out);

/* ---- ranges.c */
int verify_items_make(pgc_verify *verify, pgconvoy_error *err) PGC_MUST_CHECK;
int verify_range_compare(verify_session *session, verify_table *table, const verify_range *range,
                         pgconvoy_error *err) PGC_MUST_CHECK;
/* Appends " AND …" for one side. */
typedef void (*verify_condition)(const pgc_verify *verify, const verify_table *table, int side, const void *arg,
                                 pgc_buffer *out);
/* Keys and values of the rows that meet the condition, from both ends; what differs is looked at again. */
int verify_leaf_compare(verify_session *session, verify_table *table, verify_condition condition, const void *arg,
                        pgconvoy_error *err) PGC_MUST_CHECK;
/* Counts and sums by a number, in order; buckets that an end does not have are left out. */
typedef struct verify_sums {
    const PGresult *results[2];
    int at[2];
} verify_sums;
/* The next bucket that differs, and how many rows the end has that has more; false at the end. */
bool verify_sums_next(verify_sums *sums, long *bucket, double *rows);

/* ---- keyless.c: the whole of a table without a key; count: its rows at either end */
int verify_keyless_compare(verify_session *session, verify_table *table, double count[2],
                           pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- rowset.c: the rows of a result by their keys */
typedef struct verify_rowset {
    PGresult *result;
    int parts, count;
    int *order; /* rows, sorted by key */
} verify_rowset;
/* Takes result over. */
int verify_rowset_init(verify_rowset *rowset, PGresult *result, int parts, pgc_arena *arena,
                       pgconvoy_error *err) PGC_MUST_CHECK;
void verify_rowset_free(verify_rowset *rowset);
/* The row of a key, or -1. */
int verify_rowset_find(const verify_rowset *rowset, const char *const *key);
/* The keys whose values differ between the two, in the arena. */
int verify_rowset_differ(const verify_rowset *source, const verify_rowset *target, pgc_arena *arena,
                         const char *const ***keys, int *count, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- settle.c: keys that differed are looked at again, until they are the same or stay different */
int verify_settle(verify_session *session, verify_table *table, const char *const *const *keys, int count,
                  pgconvoy_error *err) PGC_MUST_CHECK;
/* Until the stream has passed all that is visible at the source now, or nobody streams, or it takes too long; *passed:
 * it has. */
int verify_stream_wait(pgc_verify *verify, PGconn *source, bool *passed, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- differing.c: rows that stay different are noted, and mended by the script */
typedef struct verify_difference {
    const char *const *key;
    verify_kind kind;
    int copies[2]; /* how often the row is there, of tables without a key */
} verify_difference;
int verify_differing(verify_session *session, verify_table *table, const verify_difference *rows, int count,
                     pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- workers.c: all items, by some sessions at a time */
int verify_work(pgc_verify *verify, pgconvoy_error *err) PGC_MUST_CHECK;

/* Not where names are others at the target: then definitions are written otherwise. */
static inline bool verify_compares_schema(const pgc_verify *verify)
{
    return !verify->options->no_schema && (!verify->options->mapping || pgc_mapping_is_empty(verify->options->mapping));
}

/* ---- schema.c, large_objects.c, sequences.c */
int verify_schema(pgc_verify *verify, pgconvoy_error *err) PGC_MUST_CHECK;
/* After the schema, among whose findings they are. */
int verify_large_objects(pgc_verify *verify, pgconvoy_error *err) PGC_MUST_CHECK;
int verify_sequences(pgc_verify *verify, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- state.c */
int verify_state_read(pgc_verify *verify, pgconvoy_error *err) PGC_MUST_CHECK;
void verify_state_table(pgc_verify *verify, const verify_table *table); /* is finished and equal; under the lock */
void verify_state_end(pgc_verify *verify);
/* With those above it; -1 with errno. */
int verify_make_folder(const char *path) PGC_MUST_CHECK;

/* ---- repair.c */
int verify_repair_begin(pgc_verify *verify, pgconvoy_error *err) PGC_MUST_CHECK;
/* Appends to a piece; a failure is told at the end. */
void verify_repair(pgc_verify *verify, FILE *piece, const char *text);
/* The pieces of a session's item: begun anew, or put behind those of all (under the lock). */
int verify_repair_item(verify_session *session, pgconvoy_error *err) PGC_MUST_CHECK;
void verify_repair_item_done(verify_session *session);
int verify_repair_end(pgc_verify *verify, pgconvoy_error *err) PGC_MUST_CHECK;
void verify_repair_close(pgc_verify *verify);

/* ---- analytic.c: rows of a target that is no PostgreSQL server */
int verify_analytic(pgc_verify *verify, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
