/* Which sink a TARGET is for. The list of sinks is generated from src/sink/meson.build. */
#ifndef PGC_SINK_REGISTRY_H
#define PGC_SINK_REGISTRY_H

#include "base/error.h"

/*
 * The sink for target: by its schemes, else the PostgreSQL one for what libpq takes. NULL and a usage error that lists
 * what there is otherwise.
 */
const pgconvoy_sink *pgc_sink_for_target(const char *target, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
