/*
 * The server's process, as the server names it, is the one that libpq was told of when it connected; unless somebody else has answered. Then two connections
 * are compared: a session of its own stays with one, and is never met by the other.
 */
#include "postgres/pooler.h"

#include "base/clock.h"
#include "postgres/connection.h"
#include "postgres/notice.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS    3
#define ANSWER_MS 10000
#define PLACES    64 /* known at a time: more are asked again */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the two */
static char *known[PLACES];
static unsigned next_place;

/* Where the connection leads, as one text. The caller's; NULL: out of memory. */
static char *place_of(const PGconn *conn)
{
    char *place = NULL;
    const char *host = PQhost(conn), *address = PQhostaddr(conn), *port = PQport(conn);
    if (asprintf(&place, "%s %s %s %s %s", host ? host : "", address ? address : "", port ? port : "", PQdb(conn), PQuser(conn)) < 0)
        return NULL;
    return place;
}

static bool is_known(const char *place)
{
    bool found = false;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < PLACES && !found; i++)
        found = known[i] && strcmp(known[i], place) == 0;
    pthread_mutex_unlock(&lock);
    return found;
}

/* Takes place over. */
static void remember(char *place)
{
    pthread_mutex_lock(&lock);
    char **at = &known[next_place++ % PLACES];
    free(*at);
    *at = place;
    pthread_mutex_unlock(&lock);
}

/* The server's process that answers, 0: none does in time. In a transaction of its own. */
static int process_of(PGconn *conn)
{
    int64_t until_us = pgc_clock_monotonic_us() + INT64_C(1000) * ANSWER_MS;
    if (!PQsendQuery(conn, "SELECT pg_catalog.pg_backend_pid()"))
        return 0;
    while (PQisBusy(conn)) {
        struct pollfd fd = {.fd = PQsocket(conn), .events = POLLIN};
        int64_t left_us = until_us - pgc_clock_monotonic_us();
        if (left_us <= 0 || (poll(&fd, 1, (int)(left_us / 1000) + 1) < 0 && errno != EINTR) || (fd.revents && !PQconsumeInput(conn)))
            return 0;
    }
    int process = 0;
    for (PGresult *result; (result = PQgetResult(conn)) != NULL; PQclear(result))
        if (PQresultStatus(result) == PGRES_TUPLES_OK)
            process = atoi(PQgetvalue(result, 0, 0));
    return process;
}

/* To the very host that conn has. NULL when it cannot be made. */
static PGconn *connect_again(PGconn *conn)
{
    PQconninfoOption *options = PQconninfo(conn);
    size_t count = 0;
    for (PQconninfoOption *option = options; option && option->keyword; option++)
        count++;
    const char **keywords = calloc(count + 1, sizeof *keywords), **values = calloc(count + 1, sizeof *values);
    PGconn *again = NULL;
    if (options && keywords && values) {
        for (size_t i = 0, n = 0; i < count; i++) {
            const char *keyword = options[i].keyword;
            if (strcmp(keyword, "hostaddr") == 0)
                continue;
            keywords[n] = keyword;
            values[n++] = strcmp(keyword, "host") == 0 ? PQhost(conn) : strcmp(keyword, "port") == 0 ? PQport(conn) : options[i].val;
        }
        again = pgc_notice_connect(keywords, values, 0);
    }
    free(keywords);
    free(values);
    PQconninfoFree(options);
    if (again && PQstatus(again) != CONNECTION_OK) {
        PQfinish(again);
        again = NULL;
    }
    return again;
}

static int refuse(const PGconn *conn, const char *what, bool heals, pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "a pooler at %s, port %s, stands before database \"%s\", and %s", PQhost(conn), PQport(conn), PQdb(conn), what);
    pgconvoy_error_hint(err, "name the server itself, or a pool in session mode: what is set for our sessions would be met by others, with triggers and foreign keys switched off");
    pgconvoy_error_retriable(err, heals);
    return -1;
}

static int compare(PGconn *conn, pgconvoy_error *err)
{
    PGconn *other = connect_again(conn);
    int own = 0, theirs = 0;
    bool shared = false;
    for (int i = 0; i < ROUNDS && !shared && (i == 0 || (own && theirs)); i++) {
        int now = process_of(conn);
        theirs = other && now ? process_of(other) : 0;
        shared = (theirs && theirs == now) || (i > 0 && now != own);
        own = now;
    }
    PQfinish(other);
    if (shared)
        return refuse(conn, "gives each transaction another session", false, err);
    if (!own || !theirs)
        return refuse(conn, "does not show whether a session is ours alone: no second one was to be had", true, err);
    return 0;
}

int pgc_pooler_stands_between(PGconn *conn, bool *between, pgconvoy_error *err)
{
    PGresult *result = pgc_query(conn, "SELECT pg_catalog.pg_backend_pid()", err);
    if (!result)
        return -1;
    *between = atoi(PQgetvalue(result, 0, 0)) != PQbackendPID(conn);
    PQclear(result);
    return 0;
}

int pgc_pooler_check(PGconn *conn, pgconvoy_error *err)
{
    char *place = place_of(conn);
    bool between;
    if (!place)
        return pgc_error_out_of_memory(err);
    if (is_known(place)) {
        free(place);
        return 0;
    }
    if (pgc_pooler_stands_between(conn, &between, err) != 0 || (between && compare(conn, err) != 0)) {
        free(place);
        return -1;
    }
    remember(place);
    return 0;
}
