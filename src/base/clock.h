/* The one place for time: wall clock in PostgreSQL's and Unix's terms, and a clock that only goes forward. Thread-safe. */
#ifndef PGC_BASE_CLOCK_H
#define PGC_BASE_CLOCK_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* Microseconds between 1970-01-01 and 2000-01-01, PostgreSQL's epoch. */
#define PGC_PG_EPOCH_US INT64_C(946684800000000)

int64_t pgc_clock_unix_us(void);
int64_t pgc_clock_monotonic_us(void);
void pgc_clock_sleep_ms(int ms);
/* A condition that can be waited for until a moment, whatever becomes of the wall clock; and the moment in ms milliseconds, for pthread_cond_timedwait. */
void pgc_clock_condition_init(pthread_cond_t *condition);
struct timespec pgc_clock_deadline(int ms);

#define PGC_TIME_TEXT_SIZE 40
/* "2026-01-31T12:00:00.123456Z" into text (PGC_TIME_TEXT_SIZE bytes); returns its length. */
size_t pgc_time_to_text(int64_t unix_us, char *text);

#endif
