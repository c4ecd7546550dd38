/*
 * Files being written. A file that has a name is written beside it and takes the name when it is whole, so that what is not whole does not look whole; what cannot be renamed (standard output, a pipe, a device) is
 * written where it is. Small writes are gathered. Every failure names the file and the reason. One thread at a time.
 */
#ifndef PGC_ARCHIVE_FILE_H
#define PGC_ARCHIVE_FILE_H

#include "base/buffer.h"

typedef struct pgc_file pgc_file;

/* path NULL: standard output. */
pgc_file *pgc_file_create(const char *path, pgconvoy_error *err) PGC_MUST_CHECK;
/* Under its own name at once, for files of a folder that is not whole yet anyway. */
pgc_file *pgc_file_create_in_place(const char *path, pgconvoy_error *err) PGC_MUST_CHECK;
/* A file without a name in the folder of path (NULL: of temporary files); gone when it is closed. */
pgc_file *pgc_file_spool(const char *path, pgconvoy_error *err) PGC_MUST_CHECK;

/* Whether what was written can be changed. */
bool pgc_file_can_patch(const pgc_file *file);
/* Where the next byte goes: an offset in the file; counted from 0 where it cannot be sought in. */
int64_t pgc_file_position(const pgc_file *file);

int pgc_file_write(pgc_file *file, const void *bytes, size_t length, pgconvoy_error *err) PGC_MUST_CHECK;
/* Writes over what was written at position. */
int pgc_file_patch(pgc_file *file, int64_t position, const void *bytes, size_t length, pgconvoy_error *err) PGC_MUST_CHECK;
/* Adds all that spool holds. */
int pgc_file_append_spool(pgc_file *file, pgc_file *spool, pgconvoy_error *err) PGC_MUST_CHECK;

/* Whole: writes what is gathered, to the disk too with sync, gives the file its name and frees it (also on failure; then it is removed). */
int pgc_file_commit(pgc_file *file, bool sync, pgconvoy_error *err) PGC_MUST_CHECK;
/* Removes it (what can be removed) and frees it. NULL is fine. */
void pgc_file_abandon(pgc_file *file);

/* A folder, or a file by its name, to the disk. */
int pgc_file_sync_path(const char *path, bool folder, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
