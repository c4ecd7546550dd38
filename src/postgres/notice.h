/* What a server says unasked: notices, warnings, and why it ends a session. */
#ifndef PGC_POSTGRES_NOTICE_H
#define PGC_POSTGRES_NOTICE_H

#include <libpq-fe.h>

typedef void pgc_notice(void *arg, const char *message);

/* As PQconnectdbParams, but nothing that the server says is printed, be it while the connection is made or later. */
PGconn *pgc_notice_connect(const char *const *keywords, const char *const *values, int expand_dbname);
/*
 * Why a connection could not be made (NULL: no memory), without a line end, and the SQLSTATE that the server gave, "" when none did (of several hosts:
 * the last one's). Only of what pgc_notice_connect has given.
 */
void pgc_notice_refusal(const PGconn *conn, char sqlstate[6], char *message, size_t size);
/* From now on take(arg, …) is called with each message that does not end the session; until then they are dropped. */
void pgc_notice_take(PGconn *conn, pgc_notice *take, void *arg);
/* Why the server has ended the session, with its SQLSTATE; NULL when it did not say. */
const char *pgc_notice_reason(const PGconn *conn, const char **sqlstate);

#endif
