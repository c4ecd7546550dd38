/* A file that is written beside and takes its name when it is whole, so that what a failure leaves does not look like a dump. What cannot be renamed (standard output, a device, a pipe) is written as it is. */
#ifndef PGC_ARCHIVE_OUTPUT_FILE_H
#define PGC_ARCHIVE_OUTPUT_FILE_H

#include "base/error.h"

typedef struct pgc_output_file {
    const char *path;
    char *beside; /* the name it has meanwhile, or NULL */
    int fd;
} pgc_output_file;

/* path NULL or "-": standard output; else it must outlive the file. */
int pgc_output_file_open(pgc_output_file *file, const char *path, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_output_file_write(pgc_output_file *file, const char *bytes, size_t length, pgconvoy_error *err) PGC_MUST_CHECK;
/* Gives it its name; whole: false when something has failed, then it is removed and err stays as it is. sync: on the disk before that. */
int pgc_output_file_close(pgc_output_file *file, bool whole, bool sync, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
