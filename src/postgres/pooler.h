/*
 * Poolers that give each transaction another session of the server (PgBouncer's pool_mode = transaction, and others). What is set in such a session is met
 * by whoever gets it next: an application would find our search_path there, and its triggers and foreign keys silenced.
 */
#ifndef PGC_POSTGRES_POOLER_H
#define PGC_POSTGRES_POOLER_H

#include "base/error.h"

#include <libpq-fe.h>

/*
 * Before anything is set in the session of a new connection: whether it will be its own until it ends. -1: it will not, or that cannot be told. Asks the
 * server, and where something stands between it and us makes a second connection; once for each place in a process.
 */
int pgc_pooler_check(PGconn *conn, pgconvoy_error *err) PGC_MUST_CHECK;

/* *between: a pooler, or something else, stands between the server and us, and may keep the session when the connection has ended. */
int pgc_pooler_stands_between(PGconn *conn, bool *between, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
