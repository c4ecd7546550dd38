/* What the files of a check share: an item, and the check that is under way. */
#ifndef PGC_INSPECT_CHECK_INTERNAL_H
#define PGC_INSPECT_CHECK_INTERNAL_H

#include "inspect/check/check.h"
#include "postgres/connection.h"

#define MOVES (PGC_CHECK_SYNC | PGC_CHECK_STREAM | PGC_CHECK_COPY)
#define STREAMS (PGC_CHECK_SYNC | PGC_CHECK_STREAM | PGC_CHECK_SUBSCRIBE)
#define DEFINES (PGC_CHECK_CLONE | PGC_CHECK_SUBSCRIBE) /* brings definitions to PostgreSQL */
#define ALL_JOBS (MOVES | STREAMS | DEFINES | PGC_CHECK_LINK)

typedef enum check_end { SOURCE_END, TARGET_END } check_end;

typedef struct check check;
typedef struct check_item check_item;

/*
 * An item. `sql` is asked of its end, and gives rows (status, says, mend): none, and the item has passed. `params` says
 * what the query's parameters are, a letter for each: t  the chosen tables, an array of oids     s  the slot     p  the
 * publication     m  the mapping, as JSON     j  the number of jobs     i  --if-exists     w  whether
 * --two-phase was given     f  facts: what `facts_sql` (with facts_params) gave at the
 * other end, one text An item without sql has `run`. Items of a target with sql are for PostgreSQL ones, those with
 * `needs` for targets whose sink has these capabilities.
 */
struct check_item {
    const char *name;
    check_end end;
    unsigned jobs;                /* PGC_CHECK_… */
    int min_version, max_version; /* of its end's server; 0: any */
    bool refused_anyway;          /* the job does so itself, at once */
    const char *passed;
    const char *params, *sql;
    const char *facts_params, *facts_sql;
    unsigned needs; /* PGCONVOY_SINK_… */
    int (*run)(check *check, pgc_check_result *result, pgconvoy_error *err);
};

extern const check_item pgc_check_source_items[], pgc_check_table_items[], pgc_check_target_items[],
    pgc_check_pair_items[], pgc_check_sink_items[];

/* An end that is PostgreSQL. */
typedef struct check_server {
    const char *uri;
    PGconn *conn;
    int version;
    pgconvoy_error err; /* why there is no connection */
} check_server;

struct check {
    const pgc_check_options *options;
    pgc_check_report *report;
    check_server ends[2];
    bool target_is_postgres, sink_is_closed; /* the latter: it could not be opened */
    unsigned sink_has;                       /* PGCONVOY_SINK_…; 0 without a target */
    const char *publication, *slot;
    char *tables;              /* "{1,2,3}" */
    const char *mapping;       /* [{"s": schema, "n": table or null, "ts": …, "tn": …, "less": fewer columns or rows}, …] */
    int64_t bytes;             /* of the chosen tables */
    pgconvoy_error tables_err; /* why they are not known */
    pgc_arena *arena;
};

/* Each copies its texts. mend may be NULL. */
int check_add_finding(check *check, pgc_check_result *result, pgc_check_status status, const char *says,
                      const char *mend, pgconvoy_error *err) PGC_MUST_CHECK;
int check_add_error(check *check, pgc_check_result *result, pgc_check_status status, const pgconvoy_error *what,
                    pgconvoy_error *err) PGC_MUST_CHECK;
/* Says something else of an item that has passed. */
int check_say(check *check, pgc_check_result *result, const char *says, pgconvoy_error *err) PGC_MUST_CHECK;

/* sink.c: the types, tables and the connection of a target through its sink's own checks. */
int check_sink_connection(check *check, pgc_check_result *result, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
