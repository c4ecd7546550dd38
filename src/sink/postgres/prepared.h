/*
 * The transactions that a pipeline has prepared on the target and that have not ended: as a list, by their names there,
 * and in pgconvoy.prepared. What the rows mean says two_phase.c.
 */
#ifndef PGC_SINK_POSTGRES_PREPARED_H
#define PGC_SINK_POSTGRES_PREPARED_H

#include "sink/postgres/sink_internal.h"

#define PGSINK_GID_BYTES 200 /* the server's limit of a name, with the NUL */

typedef struct pgc_pgsink_prepared {
    pgconvoy_prepared *items;
    char (*gids)[PGSINK_GID_BYTES];
    size_t count, capacity, gid_capacity;
    char prefix[64]; /* of every name in this database */
} pgc_pgsink_prepared;

void pgc_pgsink_prepared_free(pgc_pgsink_prepared *prepared);
int pgc_pgsink_prepared_add(pgc_pgsink_prepared *prepared, uint32_t xid, pgconvoy_lsn lsn, const char *gid,
                            pgconvoy_error *err) PGC_MUST_CHECK;

/* The source's name, if it is plain: any server's encoding has it; else "". */
const char *pgc_pgsink_gid_plain(const char *gid);
/* The name here, which has the source's at its end if that is plain and fits. */
void pgc_pgsink_gid_compose(const pgc_pgsink *sink, const pgconvoy_transaction *transaction,
                            char gid[PGSINK_GID_BYTES]);

/* The row that comes with the position; both rows gone with that of its end. In the open transaction of conn. */
int pgc_pgsink_prepared_store(const pgc_pgsink *sink, PGconn *conn, const char *gid, uint32_t xid, pgconvoy_lsn lsn,
                              const char *theirs, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_pgsink_prepared_forget(const pgc_pgsink *sink, PGconn *conn, const char *gid,
                               pgconvoy_error *err) PGC_MUST_CHECK;

/* PREPARE TRANSACTION, COMMIT PREPARED, ROLLBACK PREPARED. */
int pgc_pgsink_prepared_command(PGconn *conn, const char *command, const char *gid, pgconvoy_error *err) PGC_MUST_CHECK;

/* Rolls back, outside of any transaction, what the pipeline has prepared, and says so. */
int pgc_pgsink_prepared_roll_back(const pgc_pgsink *sink, PGconn *conn, pgconvoy_error *err) PGC_MUST_CHECK;
/* How many rows there are. */
int pgc_pgsink_prepared_count(const pgc_pgsink *sink, PGconn *conn, int *count, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
