/*
 * The stream of changes between two databases, seen from outside: the replication slots on the source through which it
 * goes, and whether it has passed a position. It makes no difference whose slots they are, a pipeline's or a
 * subscription's: what a slot has confirmed is durable at the target.
 */
#ifndef PGC_INSPECT_VERIFY_FLOW_H
#define PGC_INSPECT_VERIFY_FLOW_H

#include "base/buffer.h"

#include <libpq-fe.h>

typedef struct verify_flow {
    pgc_buffer slots;        /* as literals, "'a', 'b'"; empty: none is known */
    pgc_buffer publications; /* likewise */
    int slot_count;
} verify_flow;

void verify_flow_init(verify_flow *flow);
void verify_flow_free(verify_flow *flow);
/* Finds the slot (when there is one of that name on the source), and those of the target's subscriptions; target NULL:
 * no PostgreSQL server. */
int verify_flow_find(verify_flow *flow, PGconn *source, PGconn *target, const char *slot, const char *publication,
                     pgconvoy_error *err) PGC_MUST_CHECK;
/* A position behind all that is visible at the source now; flushed, where the role may write. */
int verify_flow_mark(PGconn *source, pgconvoy_lsn *lsn, pgconvoy_error *err) PGC_MUST_CHECK;

typedef enum verify_passed { VERIFY_HAS_PASSED, VERIFY_NOT_YET, VERIFY_NOBODY_STREAMS } verify_passed;
/* Whether all slots have confirmed lsn. -1 and err when it cannot be asked. */
int verify_flow_passed(const verify_flow *flow, PGconn *source, pgconvoy_lsn lsn, verify_passed *passed,
                       pgconvoy_error *err) PGC_MUST_CHECK;

#endif
