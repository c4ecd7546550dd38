/* What the files of a subscription share. */
#ifndef PGC_NATIVE_SUBSCRIBE_INTERNAL_H
#define PGC_NATIVE_SUBSCRIBE_INTERNAL_H

#include "native/address.h"
#include "native/subscribe.h"
#include "source/source.h"

#define SUBSCRIBE_MARK "made by pgconvoy subscribe"

typedef struct subscribe_state {
    const pgc_subscribe_options *options;
    PGconn *source, *target;
    int source_version, target_version;
    native_address *address;
    char name[64]; /* of subscription and slot */
    const char *publication;
    bool has_publication, publication_is_ours, has_subscription, all_built_in;
    bool source_is_standby;
    PGresult *tables; /* of the source: schema, name, rows, bytes, is in the publication, types are built in, and of those without a
                       * replica identity that can be published: 1, or 2 when they see updates or deletes; else NULL */
    bool *is_there;   /* at the target */
    bool made_publication, made_slot; /* by this run: undone when it fails */
    /* of subscribe_watch, for what is said at the end: a JSON list, and members */
    pgc_buffer watched;
    bool caught_up;
    int64_t lag_bytes, sequences; /* -1: not looked at */
} subscribe_state;

/* ---- subscribe_read.c: what there is at both ends */
int subscribe_read(subscribe_state *state, pgconvoy_error *err) PGC_MUST_CHECK;
/* There is none: -1. */
int subscribe_refuse_missing(const subscribe_state *state, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- subscribe_schema.c: the definitions of the tables that the target lacks, as SQL */
int subscribe_schema_sql(subscribe_state *state, pgc_buffer *sql, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- subscribe_make.c: making, adding to, and dropping */
int subscribe_make(subscribe_state *state, pgconvoy_error *err) PGC_MUST_CHECK;
int subscribe_refresh(subscribe_state *state, pgconvoy_error *err) PGC_MUST_CHECK;
int subscribe_drop(subscribe_state *state, pgconvoy_error *err) PGC_MUST_CHECK;
/* The subscription alone, of tables that have their rows already; it does nothing until it is enabled. */
int subscribe_make_disabled(subscribe_state *state, pgconvoy_error *err) PGC_MUST_CHECK;
/* Runs a statement without a password at one end, or prints it in a dry run. */
int subscribe_run_sql(subscribe_state *state, PGconn *conn, const char *sql, pgconvoy_error *err) PGC_MUST_CHECK;
/* "ALTER SUBSCRIPTION ", the name, " DISABLE" */
int subscribe_alter(subscribe_state *state, const char *verb, const char *tail, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- subscribe_to_pipeline.c, subscribe_from_pipeline.c: without a new copy */
int subscribe_to_pipeline(subscribe_state *state, pgconvoy_error *err) PGC_MUST_CHECK;
int subscribe_from_pipeline(subscribe_state *state, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- subscribe_handover.c: what both need, and the idea */
/* The source as the pipeline has it; closed by pgc_source_postgres.close. NULL and err on failure. */
void *handover_open_source(subscribe_state *state, pgconvoy_error *err) PGC_MUST_CHECK;
/* The slot as a pipeline would see it, which must be there and usable, and the source's name. */
int handover_look_at_source(subscribe_state *state, char *source_id, size_t size, pgc_position_status *slot,
                            pgconvoy_error *err) PGC_MUST_CHECK;
/* Whose the publication is stands in its comment; one that neither of them has made stays as it is. */
int handover_mark_publication(subscribe_state *state, const char *from, const char *to,
                              pgconvoy_error *err) PGC_MUST_CHECK;
/* One row: oid, whether it is enabled, its workers, whether a transaction that it has prepared is open. */
PGresult *handover_read_subscription(subscribe_state *state, pgconvoy_error *err) PGC_MUST_CHECK;
/* Of the target's transaction, if one is open. */
void handover_roll_back(subscribe_state *state);
/* The target's functions for origins are a superuser's until they are granted. */
void handover_hint_at_grant(pgconvoy_error *err, const char *function);

/* ---- subscribe_watch.c: until it is stopped, or caught up; then the sequences are carried over */
int subscribe_watch(subscribe_state *state, bool until_caught_up, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
