/* Data in one stream, read by two sessions: while the rows of one range of a large table's blocks are written, those of
 * the next are read into memory. The outcome is that of one session, byte by byte. */
#ifndef PGC_ARCHIVE_DATA_AHEAD_H
#define PGC_ARCHIVE_DATA_AHEAD_H

#include "archive/data_internal.h"

typedef struct pgc_data_ahead pgc_data_ahead;

/*
 * For the data of the entries for which wanted says so; catalog and entries must outlive it. Connects when the first
 * large table comes; where there can be no second session (a limit on connections, a pooler, somebody waiting for an
 * exclusive lock on the table, options.one_session) the catalog's own reads alone.
 */
pgc_data_ahead *pgc_data_ahead_new(pgc_catalog *catalog, const pgc_entries *entries,
                                   bool (*wanted)(void *arg, const pgc_entry *entry), void *arg,
                                   pgconvoy_error *err) PGC_MUST_CHECK;
/* Reads one entry's data as pgc_data_read over the catalog's connection does. target is called by the caller's thread
 * only. */
int pgc_data_ahead_read(pgc_data_ahead *ahead, const pgc_entry *entry, const pgc_data_target *target,
                        pgc_data_totals *totals, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_data_ahead_free(pgc_data_ahead *ahead); /* NULL is fine */

#endif
