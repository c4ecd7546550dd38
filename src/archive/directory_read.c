/* The directory format, read. Any file may be compressed, by us or by the user's own hand: its name's end says how. */
#include "archive/archive_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A file of the folder, by its name with or without the end that compression gives it. */
static pgc_input *open_file(const pgc_archive_reader *reader, const char *name, pgc_compression_method *method, pgconvoy_error *err)
{
    char *path;
    for (int i = PGC_COMPRESSION_NONE; i <= PGC_COMPRESSION_ZSTD; i++) {
        *method = (pgc_compression_method)i;
        if (asprintf(&path, "%s/%s%s", reader->path, name, pgc_compression_suffix(*method)) < 0) {
            (void)pgc_error_out_of_memory(err);
            return NULL;
        }
        pgc_input *in = access(path, F_OK) == 0 ? pgc_input_open(path, err) : NULL;
        bool there = access(path, F_OK) == 0;
        free(path);
        if (in || there)
            return in;
    }
    pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "could not open input file \"%s/%s\": %s", reader->path, name, strerror(ENOENT));
    return NULL;
}

static int read_file(const pgc_archive_reader *reader, const char *name, const pgc_data_target *target, pgconvoy_error *err)
{
    pgc_compression_method method;
    pgc_archive_stream stream;
    pgc_input *in = open_file(reader, name, &method, err);
    if (!in)
        return -1;
    int result = pgc_archive_stream_open(&stream, method, PGC_STREAM_FILE, in, target, err);
    if (result == 0)
        result = pgc_archive_stream_close(&stream, pgc_archive_stream_copy(&stream, in, -1, err), err);
    pgc_input_close(in);
    return result;
}

static int gather(void *arg, const char *bytes, size_t length, pgconvoy_error *err)
{
    pgc_buffer_append(arg, bytes, length);
    return pgc_buffer_check(arg, err);
}

static int read_whole(const pgc_archive_reader *reader, const char *name, pgc_buffer *bytes, pgconvoy_error *err)
{
    const pgc_data_target target = {.write = gather, .arg = bytes};
    pgc_buffer_init(bytes, SIZE_MAX / 2);
    return read_file(reader, name, &target, err);
}

static int directory_open(pgc_archive_reader *reader, pgconvoy_error *err)
{
    pgc_buffer toc;
    int result = read_whole(reader, "toc.dat", &toc, err);
    if (result == 0) {
        char *name = NULL;
        if (asprintf(&name, "%s/toc.dat", reader->path) < 0)
            name = NULL;
        pgc_input *in = pgc_input_of_bytes(toc.data ? toc.data : "", toc.length, name ? name : "toc.dat", err);
        free(name);
        result = in ? pgc_toc_read_head(in, PGC_ARCHIVE_DIRECTORY, reader->entries.arena, &reader->head, err) : -1;
        if (result == 0)
            result = pgc_toc_read_entries(in, &reader->head, &reader->entries, err);
        pgc_input_close(in);
    }
    pgc_buffer_free(&toc);
    return result;
}

/* ------------------------------------------------------------------ data */

typedef struct objects {
    const pgc_archive_reader *reader;
    const pgc_data_target *target;
} objects;

static int read_object(void *arg, uint32_t oid, const char *name, pgconvoy_error *err)
{
    const objects *objects = arg;
    if (pgc_archive_large_object(objects->target, oid, err) != 0 || read_file(objects->reader, name, objects->target, err) != 0)
        return -1;
    return pgc_archive_large_object(objects->target, 0, err);
}

static int directory_read(pgc_archive_reader *reader, const pgc_entry *entry, const pgc_data_target *target, pgconvoy_error *err)
{
    if (!pgc_entry_is_large_objects(entry))
        return read_file(reader, entry->file_name, target, err);
    /* Before 1.16 the list has always the same name, whatever the contents say. */
    const char *name = pgc_head_since(&reader->head, 16) ? entry->file_name : "blobs.toc";
    objects objects = {.reader = reader, .target = target};
    pgc_buffer list;
    int result = read_whole(reader, name, &list, err);
    if (result == 0)
        result = pgc_archive_read_list(list.data, list.length, name, read_object, &objects, err);
    pgc_buffer_free(&list);
    return result;
}

static bool directory_can_seek(const pgc_archive_reader *reader)
{
    (void)reader;
    return true;
}

static void directory_dispose(pgc_archive_reader *reader)
{
    (void)reader;
}

const pgc_archive_reads pgc_directory_reads = {
    .open = directory_open, .read = directory_read, .can_seek = directory_can_seek, .dispose = directory_dispose};
