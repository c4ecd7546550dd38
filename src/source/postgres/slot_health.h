/*
 * What a slot holds back at its server, and how much more WAL may be written before the server lets it go
 * (max_slot_wal_keep_size). Needs a connection only, so that `status` can ask where no pipeline runs.
 */
#ifndef PGC_SOURCE_POSTGRES_SLOT_HEALTH_H
#define PGC_SOURCE_POSTGRES_SLOT_HEALTH_H

#include "postgres/connection.h"
#include "source/source.h"

int pgc_slot_health_read(PGconn *conn, const char *slot, pgc_source_health *health, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
