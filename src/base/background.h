/* One thread that does one thing after the other in the background, while its owner goes on and asks for the outcome later. */
#ifndef PGC_BASE_BACKGROUND_H
#define PGC_BASE_BACKGROUND_H

#include "base/error.h"

#include <stdbool.h>

typedef struct pgc_background pgc_background;

/* Starts the thread. NULL when there can be none. The result is the caller's, and is used by one thread at a time. */
pgc_background *pgc_background_new(void);
/* Waits for the end of what it does, whose outcome is lost, and ends the thread. NULL is allowed. */
void pgc_background_free(pgc_background *background);
/* Has it run run(arg), which returns 0, or -1 with the error filled in. It is not busy, and what failed before was asked for. arg
 * is run's own until finish. */
void pgc_background_start(pgc_background *background, int (*run)(void *arg, pgconvoy_error *err), void *arg);
/* Whether something is under way still. */
bool pgc_background_is_busy(const pgc_background *background);
/* Waits until nothing is. Returns what run returned, with its error; 0 when nothing was started since. */
int pgc_background_finish(pgc_background *background, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
