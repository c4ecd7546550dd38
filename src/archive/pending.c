/* Weak stand-ins for parts that are still being written; this file goes when the last of them is there. */
#include "archive/archive.h"
#include "archive/data.h"
#include "archive/output.h"

#include <stdio.h>

#define WEAK __attribute__((weak))

static int missing(pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "archives are not in this build");
    return -1;
}

WEAK int pgc_compression_parse(const char *text, pgc_compression *compression, pgconvoy_error *err)
{
    (void)text;
    (void)compression;
    return missing(err);
}
WEAK pgc_archive_writer *pgc_archive_create(const pgc_archive_settings *settings, pgc_entries *entries, pgconvoy_error *err)
{
    (void)settings;
    (void)entries;
    (void)missing(err);
    return NULL;
}
WEAK pgc_archive_data *pgc_archive_begin_data(pgc_archive_writer *writer, pgc_entry *entry, pgconvoy_error *err)
{
    (void)writer;
    (void)entry;
    (void)missing(err);
    return NULL;
}
WEAK pgc_archive_data *pgc_archive_begin_part(pgc_archive_writer *writer, pgc_entry *entry, int part, int count, pgconvoy_error *err)
{
    (void)part;
    (void)count;
    return pgc_archive_begin_data(writer, entry, err);
}
WEAK int pgc_archive_write(pgc_archive_data *data, const char *bytes, size_t length, pgconvoy_error *err)
{
    (void)data;
    (void)bytes;
    (void)length;
    return missing(err);
}
WEAK int pgc_archive_begin_large_object(pgc_archive_data *data, uint32_t oid, pgconvoy_error *err)
{
    (void)data;
    (void)oid;
    return missing(err);
}
WEAK int pgc_archive_end_large_object(pgc_archive_data *data, pgconvoy_error *err)
{
    (void)data;
    return missing(err);
}
WEAK int pgc_archive_end_data(pgc_archive_data *data, pgconvoy_error *err)
{
    (void)data;
    return missing(err);
}
WEAK int pgc_archive_finish(pgc_archive_writer *writer, pgconvoy_error *err)
{
    (void)writer;
    return missing(err);
}
WEAK void pgc_archive_abandon(pgc_archive_writer *writer)
{
    (void)writer;
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

WEAK pgc_output *pgc_output_open(const char *path, const pgc_compression *compression, bool sync, pgconvoy_error *err)
{
    (void)compression;
    (void)sync;
    FILE *file = path ? fopen(path, "w") : stdout;
    if (!file)
        (void)missing(err);
    return (pgc_output *)file;
}
WEAK int pgc_output_write(pgc_output *output, const char *bytes, size_t length, pgconvoy_error *err)
{
    return fwrite(bytes, 1, length, (FILE *)output) == length ? 0 : missing(err);
}
WEAK int pgc_output_close(pgc_output *output, pgconvoy_error *err)
{
    return fclose((FILE *)output) == 0 ? 0 : missing(err);
}
WEAK void pgc_output_abandon(pgc_output *output)
{
    if (output)
        (void)fclose((FILE *)output);
}
