/*
 * The catalog of one database, read in bulk inside one snapshot: the objects, what each needs, and the order in which they can be made.
 *
 *     pgc_catalog *catalog = pgc_catalog_open(&options, err);      connects, begins the snapshot
 *     pgc_catalog_read(catalog, err);                              everything that the options want
 *     pgc_catalog_order(catalog, err);                             objects[] so that each comes after what it needs
 *     pgc_catalog_entries(catalog, entries, err);                  DDL: what to write for each (entry.h)
 *     pgc_catalog_close(catalog);
 *
 * A catalog and its connections belong to one thread, but for pgc_catalog_session, whose result belongs to whoever asked.
 */
#ifndef PGC_CATALOG_CATALOG_H
#define PGC_CATALOG_CATALOG_H

#include "catalog/entry.h"
#include "catalog/object.h"
#include "catalog/options.h"
#include "catalog/relation.h"

#include <libpq-fe.h>

typedef struct pgc_catalog pgc_catalog;

/*
 * Connects with the session settings of a dump (no timeouts, ISO dates, exact floats, search_path empty, row_security as the options say) and begins the
 * transaction whose snapshot everything is read from. options must outlive the catalog. NULL and err on failure.
 */
pgc_catalog *pgc_catalog_open(const pgc_dump_options *options, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_catalog_close(pgc_catalog *catalog);

/* Reads all that the options want, and locks the chosen tables against change (ACCESS SHARE). */
int pgc_catalog_read(pgc_catalog *catalog, pgconvoy_error *err) PGC_MUST_CHECK;

/* Sorts the objects by rank, schema and name, then so that each stands after what it needs; breaks loops as a restore needs. */
int pgc_catalog_order(pgc_catalog *catalog, pgconvoy_error *err) PGC_MUST_CHECK;

/* Appends an entry for each object that is wanted, in order. Call after pgc_catalog_order. */
int pgc_catalog_entries(pgc_catalog *catalog, pgc_entries *entries, pgconvoy_error *err) PGC_MUST_CHECK;

/*
 * Gives each of the entries that is to be written and has none yet its dependencies among those entries, looking through objects that have no entry. is_written says which will be.
 */
int pgc_catalog_entry_dependencies(pgc_catalog *catalog, pgc_entries *entries,
                                   bool (*is_written)(void *arg, const pgc_entry *entry), void *arg, pgconvoy_error *err) PGC_MUST_CHECK;

/* All relations that were read, whatever is wanted of them; columns are known of the interesting ones. */
pgc_relation **pgc_catalog_relations(const pgc_catalog *catalog, int *count);

/* The connection that holds the snapshot. */
PGconn *pgc_catalog_connection(pgc_catalog *catalog);

/* Another connection with the same settings that sees the same snapshot; end it with PQfinish. May be called from any thread once pgc_catalog_share_snapshot was. */
PGconn *pgc_catalog_session(pgc_catalog *catalog, pgconvoy_error *err) PGC_MUST_CHECK;
/* Exports the snapshot, so that pgc_catalog_session can be used. Does nothing the second time. */
int pgc_catalog_share_snapshot(pgc_catalog *catalog, pgconvoy_error *err) PGC_MUST_CHECK;

/* PQserverVersion: 150020. */
int pgc_catalog_server_version(const pgc_catalog *catalog);
/* "15.20 (Debian 15.20-0+deb12u1)". */
const char *pgc_catalog_server_version_text(const pgc_catalog *catalog);
bool pgc_catalog_is_standby(const pgc_catalog *catalog);
const char *pgc_catalog_database_name(const pgc_catalog *catalog);
/* The client encoding's name ("UTF8"), in which everything is written. */
const char *pgc_catalog_encoding(const pgc_catalog *catalog);

#endif
