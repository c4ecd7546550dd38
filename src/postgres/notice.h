/* What a server says unasked: notices, warnings, and why it ends a session. */
#ifndef PGC_POSTGRES_NOTICE_H
#define PGC_POSTGRES_NOTICE_H

#include <libpq-fe.h>

typedef void pgc_notice(void *arg, const char *message);

/* For a new connection, instead of libpq's printing. */
void pgc_notice_keep(PGconn *conn);
/* From now on take(arg, …) is called with each message that does not end the session; until then they are dropped. */
void pgc_notice_take(PGconn *conn, pgc_notice *take, void *arg);
/* Why the server has ended the session, with its SQLSTATE; NULL when it did not say. */
const char *pgc_notice_reason(const PGconn *conn, const char **sqlstate);

#endif
