/* Looking at a pipeline from outside of it, for `status`. */
#ifndef PGC_PIPELINE_LOOK_H
#define PGC_PIPELINE_LOOK_H

#include "source/source.h"

/*
 * What the slot of a pipeline holds back, asked of its source within some seconds. slot NULL: the one that is derived
 * from the name. name gets the slot's (64 bytes).
 */
int pgc_look_at_slot(const char *source, const char *pipeline, const char *slot, char *name, pgc_source_health *health,
                     pgconvoy_error *err) PGC_MUST_CHECK;

#endif
