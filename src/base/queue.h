/*
 * A bounded queue between two threads: bounded by count and by weight in bytes, which is how the memory budget holds. An item heavier than
 * the bound is let in when the queue is empty, so nothing is ever stuck.
 */
#ifndef PGC_BASE_QUEUE_H
#define PGC_BASE_QUEUE_H

#include "base/error.h"

typedef struct pgc_queue pgc_queue;

pgc_queue *pgc_queue_new(size_t max_items, size_t max_bytes);
void pgc_queue_free(pgc_queue *queue); /* what is still inside is the caller's */

typedef enum pgc_queue_result { PGC_QUEUE_OK, PGC_QUEUE_TIMEOUT, PGC_QUEUE_CLOSED } pgc_queue_result;

/* Waits for room, at most timeout_ms (negative: for ever). CLOSED: nobody will take it. */
pgc_queue_result pgc_queue_push(pgc_queue *queue, void *item, size_t bytes, int timeout_ms);
/* Waits for an item. CLOSED comes only when the queue is closed and empty. */
pgc_queue_result pgc_queue_pop(pgc_queue *queue, void **item, int timeout_ms);
/* No more pushes; what is inside can still be popped. */
void pgc_queue_close(pgc_queue *queue);
bool pgc_queue_is_empty(pgc_queue *queue);

#endif
