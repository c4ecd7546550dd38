/* The data of a dump: rows of tables as COPY's text or as INSERT commands, large objects; read from the catalog's snapshot, by one connection or by many. */
#ifndef PGC_ARCHIVE_DATA_H
#define PGC_ARCHIVE_DATA_H

#include "archive/archive.h"
#include "catalog/catalog.h"

/* Totals, for the last line of --verbose and for progress. */
typedef struct pgc_data_totals {
    int64_t entries, rows, bytes;
} pgc_data_totals;

/*
 * The bytes are those of an archive: after COPY's rows stands "\.", a newline and two empty lines, after INSERT commands two empty lines. A plain script adds nothing of the kind.
 *
 * Reads one entry's data over conn (a session of the catalog) into target. totals may be NULL. Thread-safe for different connections.
 */
int pgc_data_read(pgc_catalog *catalog, PGconn *conn, const pgc_entry *entry, const pgc_data_target *target, pgc_data_totals *totals, pgconvoy_error *err) PGC_MUST_CHECK;

/*
 * Writes the data of every entry for which wanted says so into the archive: jobs connections at once (options.jobs; 1: the catalog's own), largest first, a large table of a directory archive in ranges of
 * ctid by several of them. progress is called now and then from one thread at a time; NULL: not.
 */
int pgc_data_write_all(pgc_catalog *catalog, pgc_entries *entries, bool (*wanted)(void *arg, const pgc_entry *entry), void *arg, pgc_archive_writer *writer,
                       pgc_archive_format format, void (*progress)(void *arg, const pgc_data_totals *totals), pgc_data_totals *totals, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
