/* Which tables are to be moved: those of a publication that is there, or those that the patterns choose. */
#ifndef PGC_SOURCE_POSTGRES_CHOOSE_H
#define PGC_SOURCE_POSTGRES_CHOOSE_H

#include "source/postgres/postgres_internal.h"

typedef struct pgc_oid_list {
    uint32_t *oids;
    size_t count, capacity;
} pgc_oid_list;

/*
 * Gives the oids of the chosen tables, each once: plain tables, and partitioned tables that stand for all of their
 * partitions. Reads source->publication, and where there is none sets its via_root as our own publication will have it.
 * An empty choice is an error. chosen->oids is malloc'ed, also on failure.
 */
int pgc_choose_tables(pgc_postgres_source *source, pgc_oid_list *chosen, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
