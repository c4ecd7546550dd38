/*
 * Subtransactions that were rolled back, as the server's commit log has it (PostgreSQL manual, "Transaction ID and Snapshot Information Functions":
 * txid_status). One whose number is too old for the log counts as not rolled back.
 */
#ifndef PGC_SOURCE_POSTGRES_UNDONE_H
#define PGC_SOURCE_POSTGRES_UNDONE_H

#include "source/postgres/stream_internal.h"

/* A pgc_undone_subtransactions; arg is the stream's tables. By the connection of whoever reads the stream. */
int pgc_undone(void *arg, uint32_t *xids, size_t *count, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
