/* What the files of the whole dump share. */
#ifndef PGC_ARCHIVE_DUMP_INTERNAL_H
#define PGC_ARCHIVE_DUMP_INTERNAL_H

#include "archive/dump.h"
#include "archive/script.h"

/* Appends the text of a tar archive's restore.sql. */
int pgc_dump_tar_script(const pgc_script_options *of_dump, const char *restrict_key, const pgc_archive_head *head, pgc_entries *entries, pgc_buffer *out, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
