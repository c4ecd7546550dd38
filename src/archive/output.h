/* Plain output: a file or standard output, compressed as a whole where asked for. It has its name only when it is whole. One thread at a time; the compression uses others. */
#ifndef PGC_ARCHIVE_OUTPUT_H
#define PGC_ARCHIVE_OUTPUT_H

#include "archive/archive.h"

typedef struct pgc_output pgc_output;

/* path NULL: standard output. The name is taken as it is: no suffix is added. */
pgc_output *pgc_output_open(const char *path, const pgc_compression *compression, bool sync, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_output_write(pgc_output *output, const char *bytes, size_t length, pgconvoy_error *err) PGC_MUST_CHECK;
/* Writes the rest, gives it its name and frees it, also on failure. */
int pgc_output_close(pgc_output *output, pgconvoy_error *err) PGC_MUST_CHECK;
/* Removes what was written and frees it. NULL is fine. */
void pgc_output_abandon(pgc_output *output);

#endif
