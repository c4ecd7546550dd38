/* What the files of a plan share. */
#ifndef PGC_INSPECT_PLAN_INTERNAL_H
#define PGC_INSPECT_PLAN_INTERNAL_H

#include "inspect/plan.h"

#include <libpq-fe.h>

/* plan_sample.c: reads pieces of the largest tables for a second or two. A table that may not be read gives nothing. */
int plan_read_pieces(PGconn *conn, pgc_plan *plan, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
