/* The copy as the beginning of a sync between two PostgreSQL servers: what a pipeline calls for the tables that the
 * target does not have (pipeline/copier.h). */
#ifndef PGC_CLONE_COPIER_H
#define PGC_CLONE_COPIER_H

#include "clone/clone.h"
#include "pipeline/copier.h"

/* Fills copier; options has the choices that are the user's (index_jobs, no_…, skip_…, mapping), and must outlive it.
 */
void pgc_clone_copier_init(pgc_copier *copier, const pgc_clone_options *options);

#endif
