/* What is tried again: after pauses that grow, and not for ever. Not thread-safe. */
#ifndef PGC_BASE_RETRY_H
#define PGC_BASE_RETRY_H

#include <stdbool.h>
#include <stdint.h>

typedef struct pgc_retry {
    int first_ms, most_ms; /* pauses; given by the caller, all else is 0 to begin with */
    int pause_ms;          /* the next one, once something has failed */
    int64_t failing_since_us; /* the first failure after something last went forward; 0: none yet */
} pgc_retry;

/* After a failure: whether it is less than for_us since the first one after which nothing went forward; forward: something did since the last failure. */
bool pgc_retry_again(pgc_retry *retry, bool forward, int64_t for_us);
/* The pause is over: the next one is twice as long. */
void pgc_retry_paused(pgc_retry *retry);

#endif
