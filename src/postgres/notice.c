/*
 * What a server says unasked. libpq would print it. Why it ends a session is kept beside the connection, as that is the
 * reason of the failure that follows (connection.c); the rest goes to whoever asked for it.
 */
#include "postgres/notice.h"

#include "base/clock.h"

#include <libpq-events.h>

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How long a connection may take before it is left to PQreset. */
#define START_US INT64_C(3000000)

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

static void keep(PGconn *conn)
{
    notices *made = calloc(1, sizeof *made);
    if (made && PQregisterEventProc(conn, follow, "pgconvoy notices", NULL) && PQsetInstanceData(conn, follow, made)) {
        PQsetNoticeReceiver(conn, receive, made);
        return;
    }
    free(made); /* out of memory: the reason is not known later, nothing worse */
    PQsetNoticeReceiver(conn, say_nothing, NULL);
}

/* False: it has neither come about nor failed in that time. */
static bool wait_for(PGconn *conn, int64_t until_us)
{
    for (PostgresPollingStatusType wanted = PGRES_POLLING_WRITING; wanted == PGRES_POLLING_WRITING || wanted == PGRES_POLLING_READING;) {
        struct pollfd fd = {.fd = PQsocket(conn), .events = wanted == PGRES_POLLING_WRITING ? POLLOUT : POLLIN};
        int64_t left_us = until_us - pgc_clock_monotonic_us();
        int ready = left_us <= 0 ? 0 : poll(&fd, 1, (int)(left_us / 1000) + 1);
        if (ready == 0 || (ready < 0 && errno != EINTR))
            return false;
        if (ready > 0)
            wanted = PQconnectPoll(conn);
    }
    return true;
}

/*
 * The library's blocking call would print what a server that is just being shut down says right after its greeting: nothing can be set before it returns. Only that
 * call minds connect_timeout, though, and goes from an address that does not answer to the next one: where it takes long, it is what PQreset does.
 */
PGconn *pgc_notice_connect(const char *const *keywords, const char *const *values, int expand_dbname)
{
    PGconn *conn = PQconnectStartParams(keywords, values, expand_dbname);
    if (!conn || PQstatus(conn) == CONNECTION_BAD)
        return conn;
    keep(conn);
    PQsetErrorVerbosity(conn, PQERRORS_VERBOSE); /* for the SQLSTATE, which libpq gives in no other way before there is a session */
    if (!wait_for(conn, pgc_clock_monotonic_us() + START_US))
        PQreset(conn);
    if (PQstatus(conn) == CONNECTION_OK)
        PQsetErrorVerbosity(conn, PQERRORS_DEFAULT);
    return conn;
}

/* "FATAL:  28P01: password …": the SQLSTATE's place, after two spaces. */
static char *find_sqlstate(char *message)
{
    for (char *at = message; (at = strstr(at, ":  ")) != NULL; at += 3)
        if (strspn(at + 3, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5 && strncmp(at + 8, ": ", 2) == 0)
            return at + 3;
    return NULL;
}

static void take_out(char *from, const char *rest)
{
    memmove(from, rest, strlen(rest) + 1);
}

void pgc_notice_refusal(const PGconn *conn, char sqlstate[6], char *message, size_t size)
{
    snprintf(message, size, "%s", conn ? PQerrorMessage(conn) : "out of memory");
    sqlstate[0] = '\0';
    for (char *at; (at = find_sqlstate(message)) != NULL;) {
        snprintf(sqlstate, 6, "%.5s", at);
        take_out(at, at + 7);
    }
    for (char *at; (at = strstr(message, "\nLOCATION:  ")) != NULL;)
        take_out(at, at + 1 + strcspn(at + 1, "\n"));
    size_t length = strlen(message);
    while (length > 0 && message[length - 1] == '\n')
        message[--length] = '\0';
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
