/*
 * What a server says unasked. libpq would print it. Why it ends a session is kept beside the connection, as that is the
 * reason of the failure that follows (connection.c); the rest goes to whoever asked for it.
 */
#include "postgres/notice.h"

#include <libpq-events.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct notices {
    pgc_notice *take;
    void *arg;
    char reason[300], sqlstate[6];
} notices;

/* libpq keeps what belongs to a connection by the function that it tells of the connection's life (manual, "Event
 * System"). */
static int follow(PGEventId event, void *info, void *arg)
{
    (void)arg;
    if (event == PGEVT_CONNDESTROY)
        free(PQinstanceData(((PGEventConnDestroy *)info)->conn, follow));
    return 1;
}

static bool ends_session(const PGresult *result, const char *sqlstate)
{
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    if (severity && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0))
        return true;
    return strncmp(sqlstate, "57P0", 4) == 0; /* a crash elsewhere, and a shutdown, come as warnings */
}

static void receive(void *arg, const PGresult *result)
{
    notices *notices = arg;
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (sqlstate && message && ends_session(result, sqlstate)) {
        snprintf(notices->reason, sizeof notices->reason, "%s", message);
        snprintf(notices->sqlstate, sizeof notices->sqlstate, "%s", sqlstate);
    } else if (notices->take) {
        notices->take(notices->arg, PQresultErrorMessage(result));
    }
}

static void say_nothing(void *arg, const PGresult *result)
{
    (void)arg;
    (void)result;
}

void pgc_notice_keep(PGconn *conn)
{
    notices *made = calloc(1, sizeof *made);
    if (made && PQregisterEventProc(conn, follow, "pgconvoy notices", NULL) && PQsetInstanceData(conn, follow, made)) {
        PQsetNoticeReceiver(conn, receive, made);
        return;
    }
    free(made); /* out of memory: the reason is not known later, nothing worse */
    PQsetNoticeReceiver(conn, say_nothing, NULL);
}

void pgc_notice_take(PGconn *conn, pgc_notice *take, void *arg)
{
    notices *notices = PQinstanceData(conn, follow);
    if (!notices)
        return;
    notices->take = take;
    notices->arg = arg;
}

const char *pgc_notice_reason(const PGconn *conn, const char **sqlstate)
{
    const notices *notices = conn ? PQinstanceData(conn, follow) : NULL;
    if (!notices || !notices->reason[0])
        return NULL;
    *sqlstate = notices->sqlstate;
    return notices->reason;
}
