/* A thread that waits for the signals, since a handler could do next to nothing; see pg_signals.h. */
#include "cli/pg_signals.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How long cleaning up may take. What a session has begun since the last time is cancelled too. */
#define CANCEL_MS    100
#define CANCEL_TIMES 20

static void cancel_all(cli_pg_signals *signals)
{
    char ignored[256];
    pthread_mutex_lock(&signals->lock);
    for (int i = 0; i < signals->count; i++)
        (void)PQcancel(signals->cancels[i], ignored, sizeof ignored);
    pthread_mutex_unlock(&signals->lock);
}

static void *wait_for_signal(void *arg)
{
    cli_pg_signals *signals = arg;
    int signal;
    if (sigwait(&signals->set, &signal) != 0 || atomic_load(&signals->ended))
        return NULL;
    atomic_store(&signals->came, true);
    fprintf(stderr, "%s: terminated by user\n", signals->program);
    for (int i = 0; i < CANCEL_TIMES; i++) {
        cancel_all(signals);
        (void)usleep(CANCEL_MS * 1000);
        if (atomic_load(&signals->ended))
            return NULL;
    }
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
    PGcancel *cancel = PQgetCancel(conn);
    pthread_mutex_lock(&signals->lock);
    PGcancel **cancels = cancel ? realloc(signals->cancels, ((size_t)signals->count + 1) * sizeof *cancels) : NULL;
    if (cancels) {
        signals->cancels = cancels;
        cancels[signals->count++] = cancel;
    }
    pthread_mutex_unlock(&signals->lock);
    if (!cancels)
        PQfreeCancel(cancel); /* then its end is that of its connection */
}

bool cli_pg_signals_came(cli_pg_signals *signals)
{
    return atomic_load(&signals->came);
}

void cli_pg_signals_stop(cli_pg_signals *signals)
{
    if (signals->started) {
        /* Woken by a signal, to this thread alone, and not by pthread_cancel: so that it ends between two steps of its own. */
        atomic_store(&signals->ended, true);
        (void)pthread_kill(signals->thread, SIGTERM);
        (void)pthread_join(signals->thread, NULL);
        (void)pthread_sigmask(SIG_SETMASK, &signals->before, NULL);
    }
    for (int i = 0; i < signals->count; i++)
        PQfreeCancel(signals->cancels[i]);
    free(signals->cancels);
    pthread_mutex_destroy(&signals->lock);
}
