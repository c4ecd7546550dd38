/* A whole dump: from a database to plain SQL or an archive. */
#ifndef PGC_ARCHIVE_DUMP_H
#define PGC_ARCHIVE_DUMP_H

#include "archive/archive.h"
#include "archive/data.h"
#include "catalog/options.h"

/* What a dump was, for the last line of --verbose. */
typedef struct pgc_dump_totals {
    int objects;
    pgc_data_totals data;
    double seconds;
} pgc_dump_totals;

/* Where a dump goes, and who listens while it is written. */
typedef struct pgc_dump_output {
    const char *path; /* NULL: standard output */
    pgc_archive_format format;
    pgc_compression compression; /* as asked for; see pgc_dump_default_compression */
    bool append;  /* plain: behind what is in the file */
    bool sync;    /* fsync at the end */
    bool verbose; /* ids and dependencies in a plain dump's comments */
    /* Called now and then from one thread at a time; NULL: not. */
    void (*progress)(void *arg, const pgc_data_totals *totals);
    void *progress_arg;
    pgc_dump_totals *totals; /* filled when the dump is done; may be NULL */
} pgc_dump_output;

/* Compression of a format when none was asked for: gzip for custom and directory, none for the others. */
pgc_compression pgc_dump_default_compression(pgc_archive_format format);

/*
 * Dumps. The file has its name only when it is whole: it is written beside and renamed; what cannot be renamed (standard output, a pipe) ends early and
 * without its last line on a failure. Thread-safe.
 */
int pgc_dump(const pgc_dump_options *options, const pgc_dump_output *output, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
