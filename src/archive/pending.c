/* Weak stand-ins for parts that are still being written; this file goes when the last of them is there. */
#include "archive/archive.h"
#include "archive/data.h"

#define WEAK __attribute__((weak))

static int missing(pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "archives are not in this build");
    return -1;
}

WEAK pgc_archive_reader *pgc_archive_open(const char *path, pgc_archive_format format, pgconvoy_error *err)
{
    (void)path;
    (void)format;
    (void)missing(err);
    return NULL;
}
WEAK void pgc_archive_close(pgc_archive_reader *reader)
{
    (void)reader;
}
WEAK const pgc_archive_head *pgc_archive_read_head(const pgc_archive_reader *reader)
{
    (void)reader;
    return NULL;
}
WEAK pgc_entries *pgc_archive_read_entries(pgc_archive_reader *reader)
{
    (void)reader;
    return NULL;
}
WEAK int pgc_archive_read_data(pgc_archive_reader *reader, const pgc_entry *entry, const pgc_data_target *target, pgconvoy_error *err)
{
    (void)reader;
    (void)entry;
    (void)target;
    return missing(err);
}
WEAK bool pgc_archive_can_seek(const pgc_archive_reader *reader)
{
    (void)reader;
    return false;
}
