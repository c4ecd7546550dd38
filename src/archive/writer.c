/* Writing archives: what all formats do, and the door to each. */
#include "archive/archive_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ beginning */

static const pgc_archive_writes *format_of(pgc_archive_format format)
{
    switch (format) {
    case PGC_ARCHIVE_CUSTOM: return &pgc_custom_writes;
    case PGC_ARCHIVE_DIRECTORY: return &pgc_directory_writes;
    case PGC_ARCHIVE_TAR: return &pgc_tar_writes;
    default: return NULL;
    }
}

static int check(const pgc_archive_settings *settings, pgconvoy_error *err)
{
    if (!format_of(settings->format)) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_INTERNAL, "plain SQL is no archive");
        return -1;
    }
    if (settings->format == PGC_ARCHIVE_TAR && settings->compression.method != PGC_COMPRESSION_NONE) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "compression is not supported by tar archive format");
        return -1;
    }
    if (settings->format == PGC_ARCHIVE_DIRECTORY && (!settings->path || !*settings->path)) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "no output directory specified");
        return -1;
    }
    return 0;
}

/* The version that the pg_dump of the server's release writes; lz4 and zstd are not in those before 1.15. */
static int minor_of(const pgc_archive_settings *settings)
{
    bool new_method = settings->compression.method == PGC_COMPRESSION_LZ4 || settings->compression.method == PGC_COMPRESSION_ZSTD;
    return settings->server_major >= 17 ? 16 : settings->server_major == 16 || new_method ? 15 : 14;
}

static int name_files(pgc_archive_writer *writer, pgconvoy_error *err)
{
    for (int i = 0; i < writer->entries->count; i++) {
        pgc_entry *entry = writer->entries->items[i];
        char name[64];
        entry->position = -1;
        entry->file_name = NULL;
        if (!entry->has_data)
            continue;
        if (writer->head.format == PGC_ARCHIVE_DIRECTORY && pgc_entry_is_large_objects(entry))
            pgc_archive_list_name(&writer->head, entry, name);
        else
            snprintf(name, sizeof name, "%d.dat", entry->id);
        entry->file_name = pgc_arena_strdup(writer->entries->arena, name);
        if (!entry->file_name)
            return pgc_error_out_of_memory(err);
    }
    return 0;
}

static int set_up(pgc_archive_writer *writer, pgconvoy_error *err)
{
    const pgc_archive_settings *settings = &writer->settings;
    pgc_archive_head *head = &writer->head;
    head->format = settings->format;
    head->compression = settings->compression;
    head->major = 1;
    head->minor = minor_of(settings);
    head->revision = 0;
    head->int_size = 4;
    head->offset_size = 8;
    if (settings->path && !(writer->path = strdup(settings->path)))
        return pgc_error_out_of_memory(err);
    int workers = settings->compression.workers;
    if (workers <= 0)
        workers = writer->format->one_file ? pgc_cores() : 0;
    writer->pool = pgc_compress_pool_new(&settings->compression, writer->format->stream, workers, err);
    if (!writer->pool || name_files(writer, err) != 0)
        return -1;
    return writer->format->create(writer, err);
}

static void free_writer(pgc_archive_writer *writer, bool finished)
{
    writer->format->dispose(writer, finished);
    pgc_compress_pool_free(writer->pool);
    free(writer->path);
    free(writer);
}

pgc_archive_writer *pgc_archive_create(const pgc_archive_settings *settings, pgc_entries *entries, pgconvoy_error *err)
{
    if (check(settings, err) != 0)
        return NULL;
    pgc_archive_writer *writer = calloc(1, sizeof *writer);
    if (!writer) {
        (void)pgc_error_out_of_memory(err);
        return NULL;
    }
    *writer = (pgc_archive_writer){.format = format_of(settings->format), .settings = *settings, .head = settings->head, .entries = entries};
    if (set_up(writer, err) == 0)
        return writer;
    free_writer(writer, false);
    return NULL;
}

/* ------------------------------------------------------------------ data */

static void free_data(pgc_archive_data *data)
{
    pgc_compressor_abandon(data->compressor);
    pgc_buffer_free(&data->list);
    free(data);
}

pgc_archive_data *pgc_archive_begin_part(pgc_archive_writer *writer, pgc_entry *entry, int part, int count, pgconvoy_error *err)
{
    bool large_objects = pgc_entry_is_large_objects(entry);
    if (part < 0 || part >= count || (count > 1 && (!writer->format->takes_parts || large_objects))) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_INTERNAL, "the data of %s %s cannot be written in %d parts", entry->description, entry->tag, count);
        return NULL;
    }
    pgc_archive_data *data = calloc(1, sizeof *data);
    if (!data) {
        (void)pgc_error_out_of_memory(err);
        return NULL;
    }
    *data = (pgc_archive_data){.writer = writer, .entry = entry, .part = part, .part_count = count, .large_objects = large_objects};
    pgc_buffer_init(&data->list, (size_t)INT32_MAX);
    if (writer->format->begin(data, err) == 0)
        return data;
    pgc_compressor_abandon(data->compressor);
    data->compressor = NULL;
    writer->format->abandon_data(data);
    free_data(data);
    return NULL;
}

pgc_archive_data *pgc_archive_begin_data(pgc_archive_writer *writer, pgc_entry *entry, pgconvoy_error *err)
{
    return pgc_archive_begin_part(writer, entry, 0, 1, err);
}

bool pgc_archive_takes_parts(const pgc_archive_writer *writer)
{
    return writer->format->takes_parts;
}

int pgc_archive_open_stream(pgc_archive_data *data, pgc_byte_target target, pgconvoy_error *err)
{
    data->compressor = pgc_compressor_open(data->writer->pool, target, err);
    return data->compressor ? 0 : -1;
}

int pgc_archive_close_stream(pgc_archive_data *data, pgconvoy_error *err)
{
    pgc_compressor *compressor = data->compressor;
    data->compressor = NULL;
    return compressor ? pgc_compressor_close(compressor, err) : 0;
}

/* A failure is kept, so that what follows it is not taken for whole. */
static int keep(pgc_archive_data *data, int result)
{
    data->failed |= result != 0;
    return result;
}

int pgc_archive_write(pgc_archive_data *data, const char *bytes, size_t length, pgconvoy_error *err)
{
    if (length == 0)
        return 0;
    if (!data->compressor) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_INTERNAL, "bytes of %s without a large object", data->entry->description);
        return keep(data, -1);
    }
    return keep(data, pgc_compressor_write(data->compressor, bytes, length, err));
}

int pgc_archive_begin_large_object(pgc_archive_data *data, uint32_t oid, pgconvoy_error *err)
{
    if (oid == 0 || data->oid != 0 || !data->large_objects) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_INTERNAL, "invalid OID for large object (%u)", oid);
        return keep(data, -1);
    }
    data->oid = oid;
    return keep(data, data->writer->format->begin_object(data, oid, err));
}

int pgc_archive_end_large_object(pgc_archive_data *data, pgconvoy_error *err)
{
    if (data->oid == 0) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_INTERNAL, "no large object is being written");
        return keep(data, -1);
    }
    int result = pgc_archive_close_stream(data, err);
    if (result == 0)
        result = data->writer->format->end_object(data, err);
    data->oid = 0;
    return keep(data, result);
}

int pgc_archive_end_data(pgc_archive_data *data, pgconvoy_error *err)
{
    pgc_archive_writer *writer = data->writer;
    bool failed = data->failed;
    int result = -1;
    if (failed || data->oid != 0) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_INTERNAL, "the data of %s %s were not written to their end", data->entry->description, data->entry->tag);
        pgc_compressor_abandon(data->compressor);
        data->compressor = NULL;
    } else {
        result = pgc_archive_close_stream(data, err);
        if (result == 0)
            result = writer->format->end(data, err);
    }
    if (result != 0)
        writer->format->abandon_data(data);
    free_data(data);
    return result;
}

/* ------------------------------------------------------------------ the end */

int pgc_archive_finish(pgc_archive_writer *writer, pgconvoy_error *err)
{
    int result = writer->format->finish(writer, err);
    free_writer(writer, result == 0);
    return result;
}

void pgc_archive_abandon(pgc_archive_writer *writer)
{
    if (writer)
        free_writer(writer, false);
}
