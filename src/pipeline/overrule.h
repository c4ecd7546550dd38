/* Requirements that a user may overrule (--skip-check). */
#ifndef PGC_PIPELINE_OVERRULE_H
#define PGC_PIPELINE_OVERRULE_H

#include "pgconvoy.h"

/* Tables that see updates are published although the source will refuse these for want of a replica identity. */
void pgc_pipeline_allow_any_identity(pgconvoy_pipeline *pipeline);
/* Too little room on the disk of a PostgreSQL target, as far as it is known, is only warned of. */
void pgc_pipeline_allow_little_room(pgconvoy_pipeline *pipeline);

#endif
