/* What the two files about targets that are no PostgreSQL servers share: analytic.c has the story, analytic_rows.c the
 * rows of a table. */
#ifndef PGC_INSPECT_VERIFY_ANALYTIC_H
#define PGC_INSPECT_VERIFY_ANALYTIC_H

#include "inspect/verify/verify_internal.h"

#include "sink/comparer.h"

/* A table of the source, as the engine holds it twice. */
typedef struct analytic_table {
    verify_table *found;
    const pgconvoy_table *source;
    pgc_compared ends[2];
    /* Columns that both have. */
    int count;
    int *columns;                   /* of source */
    const char **names, **types[2]; /* in the engine */
    bool *by_text;                  /* types differ: texts are compared */
    int *key;                       /* places among them */
    int key_count;                  /* 0: a row is its own key, and may be there several times */
} analytic_table;

typedef struct analytic {
    pgc_verify *verify;
    const pgc_comparer *ops;
    void *state;
    pgc_arena *arena; /* of the table at hand */
} analytic;

/* Counts and hashes by buckets, down to the rows that differ. */
int analytic_rows_compare(analytic *analytic, const analytic_table *table, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
