/*
 * A thread of a writer that applies piles, one at a time, while changes are gathered in the other pile. It is not told
 * to stop in the middle: a pile ends as a whole, well or not, and who started it asks for the outcome.
 */
#include "sink/postgres/bulk.h"

#include <stdlib.h>

struct pgc_pgsink_background {
    pgc_pgsink_writer *writer;
    pthread_t thread;
    pthread_cond_t changed;
    pthread_mutex_t lock; /* guards what follows; the writer's connection and all that hangs on it go with `busy` */
    pgc_pgsink_pile *pile;
    bool lands, ends, failed;
    pgconvoy_error error;
    atomic_bool busy; /* read without the lock too, to see whether a start is worth it */
};

static void *apply_piles(void *arg)
{
    pgc_pgsink_background *background = arg;
    pthread_mutex_lock(&background->lock);
    for (;;) {
        while (!background->pile && !background->ends)
            pthread_cond_wait(&background->changed, &background->lock);
        if (!background->pile)
            break;
        pgc_pgsink_pile *pile = background->pile;
        bool lands = background->lands;
        pthread_mutex_unlock(&background->lock);
        pgconvoy_error error = {0};
        int status = pgc_pgsink_pile_apply(background->writer, pile, &error);
        if (status == 0 && lands)
            status = pgc_pgsink_land(background->writer, &error);
        pthread_mutex_lock(&background->lock);
        background->pile = NULL;
        background->failed = status != 0;
        background->error = error;
        atomic_store(&background->busy, false);
        pthread_cond_broadcast(&background->changed);
    }
    pthread_mutex_unlock(&background->lock);
    return NULL;
}

pgc_pgsink_background *pgc_pgsink_background_new(pgc_pgsink_writer *writer)
{
    pgc_pgsink_background *background = calloc(1, sizeof *background);
    if (!background)
        return NULL;
    background->writer = writer;
    pthread_mutex_init(&background->lock, NULL);
    pthread_cond_init(&background->changed, NULL);
    if (pthread_create(&background->thread, NULL, apply_piles, background) == 0)
        return background;
    pgc_log_info(writer->sink->config->log, "there is no thread to apply changes while more are read: they take turns");
    pthread_cond_destroy(&background->changed);
    pthread_mutex_destroy(&background->lock);
    free(background);
    return NULL;
}

void pgc_pgsink_background_free(pgc_pgsink_background *background)
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

bool pgc_pgsink_background_is_busy(const pgc_pgsink_background *background)
{
    return atomic_load(&background->busy);
}

void pgc_pgsink_background_start(pgc_pgsink_background *background, pgc_pgsink_pile *pile, bool lands)
{
    pthread_mutex_lock(&background->lock);
    background->pile = pile;
    background->lands = lands;
    atomic_store(&background->busy, true);
    pthread_cond_broadcast(&background->changed);
    pthread_mutex_unlock(&background->lock);
}

int pgc_pgsink_background_finish(pgc_pgsink_background *background, pgconvoy_error *err)
{
    pthread_mutex_lock(&background->lock);
    while (background->pile)
        pthread_cond_wait(&background->changed, &background->lock);
    bool failed = background->failed;
    background->failed = false;
    if (failed)
        pgc_error_copy(err, &background->error);
    pthread_mutex_unlock(&background->lock);
    return failed ? -1 : 0;
}
