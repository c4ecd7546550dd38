/* What is to be read, cut into jobs: an entry, or some of a large table's blocks; the largest first, so that none is left over for the end. */
#ifndef PGC_ARCHIVE_DATA_PLAN_H
#define PGC_ARCHIVE_DATA_PLAN_H

#include "archive/data_internal.h"

typedef struct pgc_data_job {
    pgc_entry *entry;
    int64_t bytes; /* about */
    int part, part_count;
    pgc_block_range blocks;
    int place; /* of the entry among the entries: what is of one size keeps their order */
} pgc_data_job;

typedef struct pgc_data_plan {
    pgc_data_job *jobs;
    int count, capacity;
} pgc_data_plan;

/*
 * The jobs for the wanted entries. sessions: how many will work on them; with one there is nothing to cut or to sort. can_join: the archive joins parts. Asks the server for sizes, over the catalog's connection.
 */
int pgc_data_plan_make(pgc_data_plan *plan, pgc_catalog *catalog, pgc_entries *entries, bool (*wanted)(void *arg, const pgc_entry *entry), void *arg, int sessions, bool can_join,
                       pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_data_plan_free(pgc_data_plan *plan);

#endif
