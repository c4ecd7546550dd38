/* See bell.h. */
#include "base/bell.h"

#include "base/clock.h"

#include <errno.h>

void pgc_bell_init(pgc_bell *bell)
{
    pthread_mutex_init(&bell->lock, NULL);
    pgc_clock_condition_init(&bell->changed);
    bell->rung = false;
}

void pgc_bell_free(pgc_bell *bell)
{
    pthread_mutex_destroy(&bell->lock);
    pthread_cond_destroy(&bell->changed);
}

void pgc_bell_ring(pgc_bell *bell)
{
    pthread_mutex_lock(&bell->lock);
    bell->rung = true;
    pthread_cond_broadcast(&bell->changed);
    pthread_mutex_unlock(&bell->lock);
}

bool pgc_bell_wait(pgc_bell *bell, int ms)
{
    const struct timespec until = pgc_clock_deadline(ms);
    pthread_mutex_lock(&bell->lock);
    while (!bell->rung && pthread_cond_timedwait(&bell->changed, &bell->lock, &until) != ETIMEDOUT) {
    }
    bool rung = bell->rung;
    pthread_mutex_unlock(&bell->lock);
    return rung;
}
