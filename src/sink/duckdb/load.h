/* A load: the INSERT that rows of a table copy go through; see load.c, and feed.c for its rows. */
#ifndef PGC_SINK_DUCKDB_LOAD_H
#define PGC_SINK_DUCKDB_LOAD_H

#include "sink/duckdb/duckdb_internal.h"

#include <pthread.h>

typedef enum pgc_duckdb_load_state {
    PGC_DUCKDB_LOAD_USED,   /* a writer has it */
    PGC_DUCKDB_LOAD_PARKED, /* waits for the next range, or for the table's end */
    PGC_DUCKDB_LOAD_LOST,   /* rolled back, with ranges that had been committed */
    PGC_DUCKDB_LOAD_ENDING  /* is being committed or given up; listed, as its statement may not have begun */
} pgc_duckdb_load_state;

typedef enum pgc_duckdb_load_end {
    PGC_DUCKDB_LOAD_GOES_ON,
    PGC_DUCKDB_LOAD_COMPLETE,
    PGC_DUCKDB_LOAD_GIVEN_UP
} pgc_duckdb_load_end;

struct pgc_duckdb_load {
    pgc_duckdb_sink *sink;
    uint64_t number;
    struct pgc_duckdb_load *next; /* this and state: under the sink's load_lock */
    pgc_duckdb_load_state state;
    struct pgc_duckdb_load *next_ending; /* of those that one caller ends */

    duckdb_connection connection;
    pgc_duckdb_layout *layout;
    pgc_buffer sql;
    int ranges; /* that were committed */
    bool lost;
    pthread_t thread;
    bool started; /* the thread, which is to be joined */

    /* the statement's own, in the thread that runs it */
    pgc_duckdb_encoder encoder;
    const pgconvoy_value **cells; /* one vector's worth of pointers */
    size_t given;                 /* rows of the block at hand that DuckDB was given */
    int64_t row_count;            /* once it has ended */

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    const pgconvoy_rows *rows; /* a block that DuckDB has not wholly taken */
    pgc_duckdb_load_end end;
    bool ended, failed;
    pgconvoy_error err;
};

/* The load that the statement with this number reads from; NULL for a number that is none. */
pgc_duckdb_load *pgc_duckdb_load_of_number(pgc_duckdb_sink *sink, uint64_t number);

/* feed.c */
#define PGC_DUCKDB_FEED "pgconvoy_rows"
int pgc_duckdb_feed_register(pgc_duckdb_sink *sink, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
