/*
 * One thread for all connections of the process looks each second at what the kernel knows of them (tcp(7), TCP_INFO); it ends with the last connection.
 * The socket option TCP_USER_TIMEOUT would do it without a thread, but ends the connections of a busy server as well: its window stays closed though it
 * acknowledges each probe.
 */
#include "postgres/silence.h"

#include "base/clock.h"

#include <libpq-events.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>

#define LOOK_MS 1000

typedef struct watched {
    struct watched *next;
    int fd;
    int64_t limit_us;
    int64_t since_us; /* of silence; 0: none */
    atomic_int gone_s;
} watched;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all below, and what they are of */
static watched *all;
static bool is_looking;

static int option(int fd, int level, int name)
{
    int value = 0;
    socklen_t size = sizeof value;
    return getsockopt(fd, level, name, &value, &size) == 0 ? value : 0;
}

/* 0: it is not to be watched. */
static int64_t limit_of(int fd)
{
    if (fd < 0 || !option(fd, SOL_SOCKET, SO_KEEPALIVE))
        return 0;
    return (option(fd, IPPROTO_TCP, TCP_KEEPIDLE) + (int64_t)option(fd, IPPROTO_TCP, TCP_KEEPINTVL) * option(fd, IPPROTO_TCP, TCP_KEEPCNT)) * 1000000;
}

/* Something was sent again, or two probes of a closed window were, and neither was acknowledged: since when. 0: all is well. */
static int64_t silent_since(int fd, int64_t since_us, int64_t now_us)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 || (info.tcpi_retransmits == 0 && info.tcpi_probes < 2))
        return 0;
    int64_t heard_us = now_us - (int64_t)info.tcpi_last_ack_recv * 1000;
    return since_us == 0 || heard_us > since_us ? now_us : since_us;
}

static void look_at(watched *one, int64_t now_us)
{
    if (atomic_load(&one->gone_s))
        return;
    one->since_us = silent_since(one->fd, one->since_us, now_us);
    if (one->since_us == 0 || now_us - one->since_us < one->limit_us)
        return;
    atomic_store(&one->gone_s, (int)(one->limit_us / 1000000));
    shutdown(one->fd, SHUT_RDWR);
}

static void *look(void *arg)
{
    (void)arg;
    for (;;) {
        pgc_clock_sleep_ms(LOOK_MS);
        pthread_mutex_lock(&lock);
        for (watched *one = all; one; one = one->next)
            look_at(one, pgc_clock_monotonic_us());
        bool is_over = all == NULL;
        is_looking = !is_over;
        pthread_mutex_unlock(&lock);
        if (is_over)
            return NULL;
    }
}

/* Signals are for the threads of who uses the library. */
static void start_looking(void)
{
    sigset_t every, before;
    pthread_t thread;
    sigfillset(&every);
    if (pthread_sigmask(SIG_SETMASK, &every, &before) != 0)
        return;
    is_looking = pthread_create(&thread, NULL, look, NULL) == 0;
    if (is_looking)
        pthread_detach(thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void forget(watched *gone)
{
    pthread_mutex_lock(&lock);
    for (watched **one = &all; *one; one = &(*one)->next)
        if (*one == gone) {
            *one = gone->next;
            break;
        }
    pthread_mutex_unlock(&lock);
    free(gone);
}

/* libpq tells of a connection's life (manual, "Event System"). */
static int follow(PGEventId event, void *info, void *arg)
{
    (void)arg;
    if (event == PGEVT_CONNDESTROY) {
        watched *one = PQinstanceData(((PGEventConnDestroy *)info)->conn, follow);
        if (one)
            forget(one);
    } else if (event == PGEVT_CONNRESET) {
        PGconn *conn = ((PGEventConnReset *)info)->conn;
        watched *one = PQinstanceData(conn, follow);
        pthread_mutex_lock(&lock);
        if (one) {
            one->fd = PQsocket(conn);
            one->since_us = 0;
            atomic_store(&one->gone_s, 0);
        }
        pthread_mutex_unlock(&lock);
    }
    return 1;
}

void pgc_silence_watch(PGconn *conn)
{
    int64_t limit_us = limit_of(PQsocket(conn));
    watched *made = limit_us > 0 ? calloc(1, sizeof *made) : NULL;
    if (!made)
        return; /* out of memory: it is noticed when the kernel gives up, nothing worse */
    made->fd = PQsocket(conn);
    made->limit_us = limit_us;
    if (!PQregisterEventProc(conn, follow, "pgconvoy silence", NULL) || !PQsetInstanceData(conn, follow, made)) {
        free(made);
        return;
    }
    pthread_mutex_lock(&lock);
    made->next = all;
    all = made;
    if (!is_looking)
        start_looking();
    pthread_mutex_unlock(&lock);
}

int pgc_silence_seconds(const PGconn *conn)
{
    watched *one = conn ? PQinstanceData(conn, follow) : NULL;
    return one ? atomic_load(&one->gone_s) : 0;
}
