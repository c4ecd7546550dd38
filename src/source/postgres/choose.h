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

/*
 * The two halves of that choice by themselves, without a word in the log, over any connection: what the patterns choose
 * by now, and what the publication has (of somebody else's: those of them that the patterns choose). The same ownership.
 */
int pgc_choose_by_patterns(pgc_postgres_source *source, PGconn *conn, pgc_oid_list *chosen,
                           pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_choose_published(pgc_postgres_source *source, PGconn *conn, pgc_oid_list *chosen,
                         pgconvoy_error *err) PGC_MUST_CHECK;

#endif
