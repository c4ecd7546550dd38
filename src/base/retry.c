#include "base/retry.h"

#include "base/clock.h"

bool pgc_retry_again(pgc_retry *retry, bool forward, int64_t for_us)
{
    int64_t now = pgc_clock_monotonic_us();
    if (!retry->failing_since_us || forward) {
        retry->failing_since_us = now;
        retry->pause_ms = retry->first_ms;
    }
    return now - retry->failing_since_us < for_us;
}

void pgc_retry_paused(pgc_retry *retry)
{
    retry->pause_ms = retry->pause_ms * 2 > retry->most_ms ? retry->most_ms : retry->pause_ms * 2;
}
