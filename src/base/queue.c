/* Queue: a ring under one mutex. Batches are large, so the lock is taken some thousand times a second at most. */
#include "base/queue.h"

#include "base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

typedef struct entry {
    void *item;
    size_t bytes;
} entry;

struct pgc_queue {
    pthread_mutex_t lock; /* guards everything below */
    pthread_cond_t changed;
    entry *ring;
    size_t max_items, max_bytes;
    size_t head, count, bytes;
    bool closed;
};

pgc_queue *pgc_queue_new(size_t max_items, size_t max_bytes)
{
    pgc_queue *queue = calloc(1, sizeof *queue);
    if (!queue)
        return NULL;
    queue->ring = calloc(max_items, sizeof *queue->ring);
    if (!queue->ring) {
        free(queue);
        return NULL;
    }
    queue->max_items = max_items;
    queue->max_bytes = max_bytes;
    pthread_mutex_init(&queue->lock, NULL);
    pgc_clock_condition_init(&queue->changed);
    return queue;
}

void pgc_queue_free(pgc_queue *queue)
{
    if (!queue)
        return;
    pthread_mutex_destroy(&queue->lock);
    pthread_cond_destroy(&queue->changed);
    free(queue->ring);
    free(queue);
}

/* Waits on changed until the deadline. Returns false when it has passed. */
static bool wait_until(pgc_queue *queue, const struct timespec *deadline)
{
    if (!deadline) {
        pthread_cond_wait(&queue->changed, &queue->lock);
        return true;
    }
    return pthread_cond_timedwait(&queue->changed, &queue->lock, deadline) != ETIMEDOUT;
}

static const struct timespec *deadline_in(int timeout_ms, struct timespec *deadline)
{
    if (timeout_ms < 0)
        return NULL;
    *deadline = pgc_clock_deadline(timeout_ms);
    return deadline;
}

/* Unlocks, and wakes who waits for what has changed: after it, or it would have to wait for the lock at once. */
static void tell(pgc_queue *queue, pgc_queue_result result)
{
    pthread_mutex_unlock(&queue->lock);
    if (result == PGC_QUEUE_OK)
        pthread_cond_broadcast(&queue->changed);
}

static bool has_room(const pgc_queue *queue, size_t bytes)
{
    if (queue->count == 0)
        return true;
    return queue->count < queue->max_items && bytes <= queue->max_bytes && queue->bytes <= queue->max_bytes - bytes;
}

pgc_queue_result pgc_queue_push(pgc_queue *queue, void *item, size_t bytes, int timeout_ms)
{
    struct timespec storage;
    const struct timespec *deadline = deadline_in(timeout_ms, &storage);
    pgc_queue_result result = PGC_QUEUE_OK;
    pthread_mutex_lock(&queue->lock);
    while (!queue->closed && !has_room(queue, bytes))
        if (!wait_until(queue, deadline) && !has_room(queue, bytes)) {
            result = PGC_QUEUE_TIMEOUT;
            break;
        }
    if (queue->closed)
        result = PGC_QUEUE_CLOSED;
    if (result == PGC_QUEUE_OK) {
        queue->ring[(queue->head + queue->count) % queue->max_items] = (entry){item, bytes};
        queue->count++;
        queue->bytes += bytes;
    }
    tell(queue, result);
    return result;
}

pgc_queue_result pgc_queue_pop(pgc_queue *queue, void **item, int timeout_ms)
{
    struct timespec storage;
    const struct timespec *deadline = deadline_in(timeout_ms, &storage);
    pgc_queue_result result = PGC_QUEUE_OK;
    pthread_mutex_lock(&queue->lock);
    while (queue->count == 0 && !queue->closed)
        if (!wait_until(queue, deadline) && queue->count == 0) {
            result = PGC_QUEUE_TIMEOUT;
            break;
        }
    if (result == PGC_QUEUE_OK && queue->count == 0)
        result = PGC_QUEUE_CLOSED;
    if (result == PGC_QUEUE_OK) {
        *item = queue->ring[queue->head].item;
        queue->bytes -= queue->ring[queue->head].bytes;
        queue->head = (queue->head + 1) % queue->max_items;
        queue->count--;
    }
    tell(queue, result);
    return result;
}

void pgc_queue_close(pgc_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
}

bool pgc_queue_is_empty(pgc_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    bool empty = queue->count == 0;
    pthread_mutex_unlock(&queue->lock);
    return empty;
}
