/*
 * The spool: messages of the change stream in a local file, kept while the target is away so that the slot moves on,
 * and replayed in order after. Free of libpq. One thread at a time.
 *
 * A file holds the stream from start to end: what was written behind the last mark does not count, and is cut off when
 * the file is opened for more. A mark is durable when pgc_spool_mark returns; only then may its position be confirmed
 * to the source.
 */
#ifndef PGC_SOURCE_POSTGRES_SPOOL_H
#define PGC_SOURCE_POSTGRES_SPOOL_H

#include "base/error.h"

typedef struct pgc_spool pgc_spool;

#define PGC_SPOOL_MESSAGE 'w' /* one pgoutput message */
#define PGC_SPOOL_MARK 'p'    /* everything before this position is in the file */
#define PGC_SPOOL_BEGIN 'n'   /* a connection began here: transactions in progress are sent anew */

/* What the file of that path holds; both 0 where there is none, or nothing in it. source_id: another source's is an
 * error. */
int pgc_spool_look(const char *path, const char *source_id, pgconvoy_lsn *start, pgconvoy_lsn *end,
                   pgconvoy_error *err) PGC_MUST_CHECK;

/* Opens it for more, made where it is missing, with start as its beginning. */
pgc_spool *pgc_spool_open_append(const char *path, const char *source_id, pgconvoy_lsn start,
                                 pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_spool_append(pgc_spool *spool, pgconvoy_lsn lsn, const char *bytes, size_t length,
                     pgconvoy_error *err) PGC_MUST_CHECK;
/* Everything so far, and that it reaches to position, is on disk when this returns 0. */
int pgc_spool_mark(pgc_spool *spool, pgconvoy_lsn position, pgconvoy_error *err) PGC_MUST_CHECK;
int64_t pgc_spool_bytes(const pgc_spool *spool);

/* Opens it to be read to its last mark. */
pgc_spool *pgc_spool_open_read(const char *path, const char *source_id, pgconvoy_error *err) PGC_MUST_CHECK;
/* 1: a record, valid until the next call; 0: the end; -1: err. */
int pgc_spool_read(pgc_spool *spool, char *kind, pgconvoy_lsn *lsn, const char **bytes, size_t *length,
                   pgconvoy_error *err);

void pgc_spool_close(pgc_spool *spool);

#endif
