/*
 * Signals are waited for by a thread of their own, so nothing has to be safe inside a handler. SIGINT and SIGTERM count
 * also where a shell has them ignored for its background jobs; SIGHUP does not, for nohup's sake.
 */
#include "cli/stop_signals.h"

static void *wait_for_signals(void *arg)
{
    cli_stop_signals *signals = arg;
    for (;;) {
        int number;
        if (sigwait(&signals->set, &number) != 0)
            continue;
        if (atomic_load(&signals->ended))
            return NULL;
        signals->stop(signals->arg);
    }
}

void cli_stop_signals_block(cli_stop_signals *signals)
{
    struct sigaction old;
    sigemptyset(&signals->set);
    sigaddset(&signals->set, SIGINT);
    sigaddset(&signals->set, SIGTERM);
    if (sigaction(SIGHUP, NULL, &old) == 0 && old.sa_handler != SIG_IGN)
        sigaddset(&signals->set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals->set, NULL);
    signal(SIGPIPE, SIG_IGN); /* a reader that has gone is an error of write, with a message */
}

bool cli_stop_signals_wait(cli_stop_signals *signals)
{
    atomic_store(&signals->ended, false);
    signals->waits = pthread_create(&signals->thread, NULL, wait_for_signals, signals) == 0;
    return signals->waits;
}

void cli_stop_signals_end(cli_stop_signals *signals)
{
    if (!signals->waits)
        return;
    /* Woken by a signal, to this thread alone, and not by pthread_cancel: so that it ends between two steps of its own. */
    atomic_store(&signals->ended, true);
    pthread_kill(signals->thread, SIGTERM);
    pthread_join(signals->thread, NULL);
    signals->waits = false;
}
