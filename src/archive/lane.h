/*
 * Several writers, one file. Whoever begins while nobody writes, writes straight into the file; the others write to files of their own without names, which are added when they have ended and the file is free. So
 * no order of calls locks up, and memory stays small. With an order (the parts of one entry) lane 0 comes first, then 1, and so on. Thread-safe; a lane belongs to one thread.
 */
#ifndef PGC_ARCHIVE_LANE_H
#define PGC_ARCHIVE_LANE_H

#include "archive/file.h"

#include <pthread.h>

typedef struct pgc_lane pgc_lane;

typedef struct pgc_lanes {
    pgc_file *file;
    const char *path;  /* spools are made beside it; NULL: among temporary files */
    bool in_order;
    bool patches;      /* lanes change what they wrote: never straight into a file where that cannot be done */
    pthread_mutex_t lock; /* guards all below, and the file while nobody writes to it */
    bool busy;
    int next;          /* in order: whose turn it is */
    pgc_lane *waiting; /* ended, not yet added */
} pgc_lanes;

struct pgc_lane {
    pgc_lanes *lanes;
    pgc_file *file; /* where it writes */
    bool straight;
    int number;
    int64_t *position; /* set to where it begins in the file; may be NULL */
    pgc_lane *next;
};

void pgc_lanes_init(pgc_lanes *lanes, pgc_file *file, const char *path);
/* Lanes that were not ended must have been abandoned. The file stays. */
void pgc_lanes_free(pgc_lanes *lanes);

pgc_lane *pgc_lane_begin(pgc_lanes *lanes, int number, int64_t *position, pgconvoy_error *err) PGC_MUST_CHECK;
/* Frees it, also on failure. */
int pgc_lane_end(pgc_lane *lane, pgconvoy_error *err) PGC_MUST_CHECK;
/* What it wrote is lost or, if it wrote straight, broken. NULL is fine. */
void pgc_lane_abandon(pgc_lane *lane);

#endif
