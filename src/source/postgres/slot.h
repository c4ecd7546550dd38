/* The replication slot: its state, making it with an exported snapshot, removing it. */
#ifndef PGC_SOURCE_POSTGRES_SLOT_H
#define PGC_SOURCE_POSTGRES_SLOT_H

#include "source/postgres/postgres_internal.h"

/* What the server says of the slot, with the mend where it cannot be used. After load_tables, since the publication
 * matters too. */
int pgc_slot_status(pgc_postgres_source *source, pgc_position_status *status, pgconvoy_error *err) PGC_MUST_CHECK;

/*
 * Makes a logical slot for pgoutput on conn (a replication connection), and exports the snapshot of its consistent
 * point, which lasts until the next command on conn or its end. *snapshot is malloc'ed. Waits for transactions that are
 * running, up to patience_ms. A temporary slot goes with conn.
 */
int pgc_slot_create(pgc_postgres_source *source, PGconn *conn, const char *name, bool temporary, int64_t patience_ms, char **snapshot,
                    pgconvoy_lsn *consistent_lsn, pgconvoy_error *err) PGC_MUST_CHECK;

/* Removes the slot; waits a few seconds for whoever still reads from it. Not to be there is no error. */
int pgc_slot_drop(pgc_postgres_source *source, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
