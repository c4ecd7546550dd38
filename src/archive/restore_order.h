/*
 * Which entry of a parallel restore comes next. An entry is ready when all that it depends on is done; of the ready ones the largest is begun first, unless it needs a lock that a running one has.
 * Entries that are not restored take part, since others may depend on one another through them. Knows nothing of servers or threads.
 */
#ifndef PGC_ARCHIVE_RESTORE_ORDER_H
#define PGC_ARCHIVE_RESTORE_ORDER_H

#include "archive/script.h"

typedef struct pgc_restore_order pgc_restore_order;

/* done: entries (by place) that are restored already; copied. */
pgc_restore_order *pgc_restore_order_new(const pgc_entries *entries, const bool *done, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_restore_order_free(pgc_restore_order *order);

/*
 * The place among the entries of one that can be begun now; it counts as running until pgc_restore_order_done. -1: none at the moment. When nothing is running either, the restore is over but for what
 * pgc_restore_order_left gives.
 */
int pgc_restore_order_next(pgc_restore_order *order);
void pgc_restore_order_done(pgc_restore_order *order, int place);
/* Takes back the one that pgc_restore_order_next has just given: it is ready again. */
void pgc_restore_order_put_back(pgc_restore_order *order, int place);
/* Asked before an entry is begun: false leaves it for later. Something must be running whenever it says so. */
void pgc_restore_order_limit(pgc_restore_order *order, bool (*may_begin)(void *arg, int place), void *arg);
/* How many are ready. */
int pgc_restore_order_ready(const pgc_restore_order *order);
bool pgc_restore_order_is_over(const pgc_restore_order *order);
/* An entry that never became ready, since entries depend on one another in a circle; counts as done from now on. -1: none is left. */
int pgc_restore_order_left(pgc_restore_order *order);

#endif
