/* SIGINT, SIGTERM and SIGHUP while a dump runs: what the server is doing for it is cancelled, so that it fails, cleans up and ends. */
#ifndef PGC_CLI_PG_SIGNALS_H
#define PGC_CLI_PG_SIGNALS_H

#include <libpq-fe.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

typedef struct cli_pg_signals {
    const char *program; /* each message begins with it */
    sigset_t set, before;
    pthread_t thread;
    bool started;
    atomic_bool came, ended;
    pthread_mutex_t lock;
    PGcancel **cancels; /* of each session there ever was, which are few; guarded by lock, as is their number */
    int count;
} cli_pg_signals;

/* Call before other threads are begun. Where it cannot be done signals end the program as ever. */
void cli_pg_signals_start(cli_pg_signals *signals, const char *program);
/* There is one more connection whose queries are to be cancelled; arg is the cli_pg_signals. Thread-safe. */
void cli_pg_signals_connected(void *arg, PGconn *conn);
/* True when a signal came: it has been said. */
bool cli_pg_signals_came(cli_pg_signals *signals);
void cli_pg_signals_stop(cli_pg_signals *signals);

#endif
