/* Which way suits a database, why, and what it would take: by its sizes, how fast it changes, and how fast it can be
 * read from here. Only looks. */
#ifndef PGC_INSPECT_PLAN_H
#define PGC_INSPECT_PLAN_H

#include "base/buffer.h"
#include "postgres/choice.h"

typedef struct pgc_plan_options {
    const char *source, *target; /* target may be NULL */
    pgc_choice choice;
    int64_t sample_us; /* how long changes are counted */
    int jobs;
    bool (*stopped)(void *arg); /* ends the sampling early; may be NULL */
    void *stopped_arg;
} pgc_plan_options;

typedef enum pgc_plan_way {
    PGC_PLAN_DUMP,
    PGC_PLAN_COPY,
    PGC_PLAN_LINK,
    PGC_PLAN_SYNC,
    PGC_PLAN_PHYSICAL,
    PGC_PLAN_WAYS
} pgc_plan_way;

typedef struct pgc_plan_table {
    char name[200]; /* schema.table, quoted where it must be */
    int64_t rows, table_bytes, toast_bytes, index_bytes;
    int64_t changes; /* inserts, updates and deletes during the sample */
} pgc_plan_table;

/* A piece of the tables that was read. */
typedef struct pgc_plan_piece {
    int64_t table_bytes; /* so much of the tables and their TOAST */
    int64_t bytes;       /* that came from COPY */
    int64_t us;
} pgc_plan_piece;

typedef struct pgc_plan {
    char source[300], target[300];
    char source_text[600], target_text[600]; /* for the commands: without passwords */
    pgc_plan_table *tables;                  /* the largest first; malloc'ed */
    int table_count;
    int64_t rows, table_bytes, toast_bytes, index_bytes;
    int64_t sample_us, wal_bytes, changes; /* of the sample; wal_bytes is the cluster's */
    bool is_standby, wal_is_logical;
    int64_t round_trip_us;
    pgc_plan_piece read;         /* as a copy reads it */
    pgc_plan_piece packed;       /* as a dump reads and compresses it, */
    int64_t packed_bytes;        /* to so much */
    pgc_plan_way recommended;
    char reason[400];
    struct {
        int64_t time_us, space_bytes;
        char note[200];
        char command[1600];
    } ways[PGC_PLAN_WAYS];
} pgc_plan;

int pgc_plan_make(const pgc_plan_options *options, pgc_plan *plan, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_plan_free(pgc_plan *plan);

/* ---- plan_report.c */
void pgc_plan_text(const pgc_plan *plan, bool colours, pgc_buffer *out);
void pgc_plan_json(const pgc_plan *plan, pgc_buffer *out);

/* "dump" … */
const char *pgc_plan_way_name(pgc_plan_way way);

#endif
