/* A pool of HTTP clients; see http_pool.h. */
#include "net/http_pool.h"

#include "base/grow.h"

#include <pthread.h>
#include <stdlib.h>

struct pgc_http_pool {
    pthread_mutex_t lock; /* guards what follows */
    pgc_http_settings settings;
    pgc_http **idle;
    size_t idle_count, capacity; /* capacity: of all clients, so that giving one back needs no memory */
    size_t count;
};

pgc_http_pool *pgc_http_pool_new(const pgc_http_settings *settings, pgconvoy_error *err)
{
    pgc_http_pool *pool = calloc(1, sizeof *pool);
    if (!pool) {
        pgc_error_out_of_memory(err);
        return NULL;
    }
    pthread_mutex_init(&pool->lock, NULL);
    pool->settings = *settings;
    return pool;
}

void pgc_http_pool_free(pgc_http_pool *pool)
{
    if (!pool)
        return;
    for (size_t i = 0; i < pool->idle_count; i++)
        pgc_http_free(pool->idle[i]);
    pthread_mutex_destroy(&pool->lock);
    free(pool->idle);
    free(pool);
}

/* Under the lock. */
static pgc_http *add_client(pgc_http_pool *pool, pgconvoy_error *err)
{
    if (pgc_grow(&pool->idle, pool->count, &pool->capacity, sizeof *pool->idle, err) != 0)
        return NULL;
    pgc_http *http = pgc_http_new(&pool->settings, err);
    pool->count += http != NULL;
    return http;
}

pgc_http *pgc_http_pool_take(pgc_http_pool *pool, pgconvoy_error *err)
{
    pthread_mutex_lock(&pool->lock);
    pgc_http *http = pool->idle_count > 0 ? pool->idle[--pool->idle_count] : add_client(pool, err);
    pthread_mutex_unlock(&pool->lock);
    return http;
}

void pgc_http_pool_give(pgc_http_pool *pool, pgc_http *http)
{
    pthread_mutex_lock(&pool->lock);
    pool->idle[pool->idle_count++] = http;
    pthread_mutex_unlock(&pool->lock);
}
