/* See background.h. What is started ends as a whole, well or not: it is not told to stop in the middle. */
#include "base/background.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct pgc_background {
    pthread_t thread;
    pthread_cond_t changed;
    pthread_mutex_t lock; /* guards what follows */
    int (*run)(void *arg, pgconvoy_error *err); /* NULL: nothing is under way */
    void *arg;
    bool ends;
    int status; /* of what ran last, until it is asked for */
    pgconvoy_error error;
    atomic_bool busy; /* read without the lock too, to see whether a start is worth it */
};

static void *run_all(void *arg)
{
    pgc_background *background = arg;
    pthread_mutex_lock(&background->lock);
    for (;;) {
        while (!background->run && !background->ends)
            pthread_cond_wait(&background->changed, &background->lock);
        if (!background->run)
            break;
        pthread_mutex_unlock(&background->lock);
        pgconvoy_error error = {0};
        int status = background->run(background->arg, &error);
        pthread_mutex_lock(&background->lock);
        background->run = NULL;
        background->status = status;
        background->error = error;
        atomic_store(&background->busy, false);
        pthread_cond_broadcast(&background->changed);
    }
    pthread_mutex_unlock(&background->lock);
    return NULL;
}

pgc_background *pgc_background_new(void)
{
    pgc_background *background = calloc(1, sizeof *background);
    if (!background)
        return NULL;
    pthread_mutex_init(&background->lock, NULL);
    pthread_cond_init(&background->changed, NULL);
    if (pthread_create(&background->thread, NULL, run_all, background) == 0)
        return background;
    pthread_cond_destroy(&background->changed);
    pthread_mutex_destroy(&background->lock);
    free(background);
    return NULL;
}

void pgc_background_free(pgc_background *background)
{
    if (!background)
        return;
    pthread_mutex_lock(&background->lock);
    background->ends = true;
    pthread_cond_broadcast(&background->changed);
    pthread_mutex_unlock(&background->lock);
    pthread_join(background->thread, NULL);
    pthread_cond_destroy(&background->changed);
    pthread_mutex_destroy(&background->lock);
    free(background);
}

void pgc_background_start(pgc_background *background, int (*run)(void *arg, pgconvoy_error *err), void *arg)
{
    pthread_mutex_lock(&background->lock);
    background->run = run;
    background->arg = arg;
    atomic_store(&background->busy, true);
    pthread_cond_broadcast(&background->changed);
    pthread_mutex_unlock(&background->lock);
}

bool pgc_background_is_busy(const pgc_background *background)
{
    return atomic_load(&background->busy);
}

int pgc_background_finish(pgc_background *background, pgconvoy_error *err)
{
    pthread_mutex_lock(&background->lock);
    while (background->run)
        pthread_cond_wait(&background->changed, &background->lock);
    int status = background->status;
    background->status = 0;
    if (status != 0)
        pgc_error_copy(err, &background->error);
    pthread_mutex_unlock(&background->lock);
    return status;
}
