/* The server's timelines: how a promoted standby's WAL is told from that of the server it followed. */
#ifndef PGC_SOURCE_POSTGRES_HISTORY_H
#define PGC_SOURCE_POSTGRES_HISTORY_H

#include "source/source.h"

/* An operation of the source: see source.h. */
int pgc_history(void *source, uint32_t since, pgc_source_history *history, pgconvoy_error *err);

#endif
