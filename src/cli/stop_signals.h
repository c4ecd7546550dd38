/* SIGINT, SIGTERM and SIGHUP of a moving command: a thread waits for them and asks the work to stop. */
#ifndef PGC_CLI_STOP_SIGNALS_H
#define PGC_CLI_STOP_SIGNALS_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

typedef struct cli_stop_signals {
    sigset_t set;
    pthread_t thread;
    atomic_bool ended;
    bool waits;
    void (*stop)(void *arg); /* called for each signal, from the thread */
    void *arg;
} cli_stop_signals;

/* From here on the signals do nothing until they are waited for. Call before there are other threads. */
void cli_stop_signals_block(cli_stop_signals *signals);
/* Waits for them, with stop and arg set. False when no thread can be had. */
bool cli_stop_signals_wait(cli_stop_signals *signals);
void cli_stop_signals_end(cli_stop_signals *signals);

#endif
