/*
 * A stage between pipeline and sink that has the sink's own operations: tables and columns go by other names behind it.
 * The sink, its checkpoint included, knows the new names alone, and the pipeline those of the source. Which columns and
 * rows there are is the source's affair.
 */
#ifndef PGC_PIPELINE_MAPPED_SINK_H
#define PGC_PIPELINE_MAPPED_SINK_H

#include "apply/mapping.h"
#include "base/error.h"

/*
 * Puts the stage before an open sink: *ops and *sink are those to be used from now on, and closing them closes the
 * sink. Nothing changes when the mapping renames nothing. On failure the sink stays the caller's. The mapping, and
 * tables that are given, must outlive it.
 */
int pgc_mapped_sink_open(const pgc_mapping *mapping, const pgconvoy_sink **ops, void **sink,
                         pgconvoy_error *err) PGC_MUST_CHECK;

#endif
