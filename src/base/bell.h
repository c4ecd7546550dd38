/* A bell that one thread rings once, for threads that do something from time to time until then. */
#ifndef PGC_BASE_BELL_H
#define PGC_BASE_BELL_H

#include <pthread.h>
#include <stdbool.h>

typedef struct pgc_bell {
    pthread_mutex_t lock; /* guards rung */
    pthread_cond_t changed;
    bool rung;
} pgc_bell;

void pgc_bell_init(pgc_bell *bell);
/* Nobody waits any more. */
void pgc_bell_free(pgc_bell *bell);
/* From any thread. It stays rung. */
void pgc_bell_ring(pgc_bell *bell);
/* Waits until it rings, ms milliseconds at most: true when it has rung. From any thread. */
bool pgc_bell_wait(pgc_bell *bell, int ms);

#endif
