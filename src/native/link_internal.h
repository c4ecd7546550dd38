/* What link.c (the commands) and link_read.c (what there is at both ends) share. */
#ifndef PGC_NATIVE_LINK_INTERNAL_H
#define PGC_NATIVE_LINK_INTERNAL_H

#include "native/address.h"
#include "native/link.h"

/* The mark by which drop knows what it made. */
#define LINK_MARK "made by pgconvoy link"

typedef struct link_state {
    const pgc_link_options *options;
    PGconn *source, *target;
    native_address *address;
    char into[64], server[64];
    char program[64]; /* of our session at the source, and of no other */
    PGresult *tables; /* of the source: schema, name, columns of the primary key (quoted, by commas) or NULL */
    bool *is_there;   /* those that are linked already */
    bool has_server, has_schema, superuser;
    char *extensions; /* at both ends, of one version: "hstore,postgis" or "" */
    bool in_transaction;
    pgc_buffer copies; /* of link_materialize: a JSON list */
} link_state;

int link_read_source(link_state *link, pgconvoy_error *err) PGC_MUST_CHECK;
int link_read_target(link_state *link, pgconvoy_error *err) PGC_MUST_CHECK;
/* Runs a statement on the target, or prints `shown` (NULL: sql itself) of a dry run. */
int link_do(link_state *link, const char *sql, const char *shown, pgconvoy_error *err) PGC_MUST_CHECK;
/* Materialized copies: made, or refreshed. */
int link_materialize(link_state *link, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
