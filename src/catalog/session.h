/* How a dump's sessions are made (see session.c). */
#ifndef PGC_CATALOG_SESSION_H
#define PGC_CATALOG_SESSION_H

#include "catalog/options.h"

#include <libpq-fe.h>

/*
 * Connects, asking for a password where the server or the options want one. *password is the one to use, or NULL; what was typed is left there, malloc'ed, for the next session: overwrite it before freeing.
 * The error's message is libpq's own.
 */
PGconn *pgc_session_connect(const pgc_server_address *address, char **password, pgconvoy_error *err) PGC_MUST_CHECK;

/* A connection with a dump's settings, in a transaction that sees snapshot (NULL: one of its own). */
PGconn *pgc_session_open(const pgc_dump_options *options, const char *snapshot, char **password, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
