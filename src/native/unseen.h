/* Commands whose text holds a password. */
#ifndef PGC_NATIVE_UNSEEN_H
#define PGC_NATIVE_UNSEEN_H

#include "postgres/connection.h"

/* pgc_execute_as in an open transaction, so that the server shows the command nowhere: neither in its log, nor in
 * pg_stat_activity and pg_stat_statements, also when it fails. */
int native_run_unseen(PGconn *conn, const char *sql, const char *doing, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
