/*
 * A file for rows on their way to a service that takes them as a file: compressed (gzip) while it is written, then read
 * back from any place. It has no name, so that nothing is left of it whatever happens. Not thread-safe.
 */
#ifndef PGC_APPLY_STAGING_FILE_H
#define PGC_APPLY_STAGING_FILE_H

#include "base/error.h"

typedef struct pgc_staging_file pgc_staging_file;

/* In folder, which is made where it is not there (its last part only), else in $TMPDIR or /tmp. */
pgc_staging_file *pgc_staging_file_new(const char *folder, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_staging_file_write(pgc_staging_file *file, const void *data, size_t length, pgconvoy_error *err) PGC_MUST_CHECK;
/* Ends what is written: gives the descriptor, which stays the file's, and its size. */
int pgc_staging_file_end(pgc_staging_file *file, int *fd, int64_t *size, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_staging_file_free(pgc_staging_file *file);

#endif
