/* A reader: one connection inside the snapshot that reads ranges of tables by COPY. */
#ifndef PGC_SOURCE_POSTGRES_COPY_READ_H
#define PGC_SOURCE_POSTGRES_COPY_READ_H

#include "source/postgres/postgres_internal.h"

typedef struct pgc_reader pgc_reader;

/* The interface's open_reader, reader_begin, reader_next and close_reader. */
int pgc_reader_open(pgc_postgres_source *source, pgc_reader **reader, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_reader_begin(pgc_reader *reader, const pgc_range *range, const pgconvoy_format *formats, bool raw_only,
                     pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_reader_next(pgc_reader *reader, pgconvoy_rows *rows, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_reader_close(pgc_reader *reader);

#endif
