/* A thread that waits for the signals, since a handler could do next to nothing; see pg_signals.h. */
#include "cli/pg_signals.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define GRACE_S 2 /* how long cleaning up may take */

static void *wait_for_signal(void *arg)
{
    cli_pg_signals *signals = arg;
    char ignored[256];
    int signal;
    if (sigwait(&signals->set, &signal) != 0)
        return NULL;
    atomic_store(&signals->came, true);
    fprintf(stderr, "%s: terminated by user\n", signals->program);
    pthread_mutex_lock(&signals->lock);
    PGcancel *cancel = signals->cancel;
    if (cancel)
        (void)PQcancel(cancel, ignored, sizeof ignored);
    pthread_mutex_unlock(&signals->lock);
    if (cancel)
        (void)sleep(GRACE_S);
    _exit(1);
}

void cli_pg_signals_start(cli_pg_signals *signals, const char *program)
{
    *signals = (cli_pg_signals){.program = program};
    pthread_mutex_init(&signals->lock, NULL);
    sigemptyset(&signals->set);
    static const int ending[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof ending / sizeof ending[0]; i++) {
        /* SIGINT and SIGTERM count also where a shell has them ignored for its background jobs; SIGHUP does not, for nohup's sake. */
        struct sigaction action;
        if (ending[i] != SIGHUP || (sigaction(SIGHUP, NULL, &action) == 0 && action.sa_handler != SIG_IGN))
            sigaddset(&signals->set, ending[i]);
    }
    if (pthread_sigmask(SIG_BLOCK, &signals->set, &signals->before) != 0)
        return;
    signals->started = pthread_create(&signals->thread, NULL, wait_for_signal, signals) == 0;
    if (!signals->started)
        (void)pthread_sigmask(SIG_SETMASK, &signals->before, NULL);
}

void cli_pg_signals_connected(void *arg, PGconn *conn)
{
    cli_pg_signals *signals = arg;
    pthread_mutex_lock(&signals->lock);
    PQfreeCancel(signals->cancel);
    signals->cancel = PQgetCancel(conn);
    pthread_mutex_unlock(&signals->lock);
}

bool cli_pg_signals_came(cli_pg_signals *signals)
{
    return atomic_load(&signals->came);
}

void cli_pg_signals_stop(cli_pg_signals *signals)
{
    if (signals->started) {
        (void)pthread_cancel(signals->thread);
        (void)pthread_join(signals->thread, NULL);
        (void)pthread_sigmask(SIG_SETMASK, &signals->before, NULL);
    }
    PQfreeCancel(signals->cancel);
    pthread_mutex_destroy(&signals->lock);
}
