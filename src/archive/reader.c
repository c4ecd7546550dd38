/* Reading archives: which format it is, what all formats do, and the door to each. */
#include "archive/archive_internal.h"
#include "archive/tar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ------------------------------------------------------------------ which format */

static int refuse(pgconvoy_error *err, const char *message)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "%s", message);
    return -1;
}

static int check_folder(const char *path, pgconvoy_error *err)
{
    static const char *const names[] = {"toc.dat", "toc.dat.gz", "toc.dat.lz4", "toc.dat.zst"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct stat info;
        char *name;
        if (asprintf(&name, "%s/%s", path, names[i]) < 0)
            return pgc_error_out_of_memory(err);
        bool there = stat(name, &info) == 0 && S_ISREG(info.st_mode);
        free(name);
        if (there)
            return 0;
    }
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "directory \"%s\" does not appear to be a valid archive (\"toc.dat\" does not exist)", path);
    return -1;
}

static bool begins_with(const char *bytes, size_t length, const char *text)
{
    return length >= strlen(text) && memcmp(bytes, text, strlen(text)) == 0;
}

static int find_format(pgc_input *in, pgc_archive_format *format, pgconvoy_error *err)
{
    const char *bytes;
    char name[PGC_TAR_NAME + 1];
    int64_t size;
    ssize_t got = pgc_input_peek(in, PGC_TAR_BLOCK, &bytes, err);
    if (got < 0)
        return -1;
    *format = PGC_ARCHIVE_CUSTOM;
    if (begins_with(bytes, (size_t)got, "PGDMP"))
        return 0;
    *format = PGC_ARCHIVE_TAR;
    if (got < 5) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "input file is too short (read %zd, expected 5)", got);
        return -1;
    }
    if (begins_with(bytes, (size_t)got, "--\n-- PostgreSQL database dump\n") || begins_with(bytes, (size_t)got, "--\n-- PostgreSQL database cluster dump\n"))
        return refuse(err, "input file appears to be a text format dump. Please use psql.");
    if (got < PGC_TAR_BLOCK)
        return refuse(err, "input file does not appear to be a valid archive (too short?)");
    if (pgc_tar_read_header(bytes, name, &size) != PGC_TAR_MEMBER)
        return refuse(err, "input file does not appear to be a valid archive");
    return 0;
}

/* ------------------------------------------------------------------ opening */

static int open_reader(pgc_archive_reader *reader, pgc_archive_format format, pgconvoy_error *err)
{
    struct stat info;
    bool folder = reader->path && stat(reader->path, &info) == 0 && S_ISDIR(info.st_mode);
    if (format == PGC_ARCHIVE_UNKNOWN && folder) {
        format = PGC_ARCHIVE_DIRECTORY;
        if (check_folder(reader->path, err) != 0)
            return -1;
    }
    if (format == PGC_ARCHIVE_DIRECTORY && !reader->path)
        return refuse(err, "no output directory specified");
    if (format != PGC_ARCHIVE_DIRECTORY) {
        reader->input = pgc_input_open(reader->path, err);
        if (!reader->input || (format == PGC_ARCHIVE_UNKNOWN && find_format(reader->input, &format, err) != 0))
            return -1;
    }
    reader->format = format == PGC_ARCHIVE_CUSTOM ? &pgc_custom_reads : format == PGC_ARCHIVE_DIRECTORY ? &pgc_directory_reads : &pgc_tar_reads;
    return reader->format->open(reader, err);
}

pgc_archive_reader *pgc_archive_open(const char *path, pgc_archive_format format, pgconvoy_error *err)
{
    pgc_archive_reader *reader = calloc(1, sizeof *reader);
    if (!reader) {
        (void)pgc_error_out_of_memory(err);
        return NULL;
    }
    pthread_mutex_init(&reader->lock, NULL);
    int result = pgc_entries_init(&reader->entries, err);
    if (result == 0 && path && !(reader->path = strdup(path)))
        result = pgc_error_out_of_memory(err);
    if (result == 0 && open_reader(reader, format, err) == 0)
        return reader;
    pgc_archive_close(reader);
    return NULL;
}

void pgc_archive_close(pgc_archive_reader *reader)
{
    if (!reader)
        return;
    if (reader->format)
        reader->format->dispose(reader);
    pgc_input_close(reader->input);
    pgc_entries_free(&reader->entries);
    pthread_mutex_destroy(&reader->lock);
    free(reader->path);
    free(reader);
}

const pgc_archive_head *pgc_archive_read_head(const pgc_archive_reader *reader)
{
    return &reader->head;
}

pgc_entries *pgc_archive_read_entries(pgc_archive_reader *reader)
{
    return &reader->entries;
}

bool pgc_archive_can_seek(const pgc_archive_reader *reader)
{
    return reader->format->can_seek(reader);
}

/* ------------------------------------------------------------------ data */

int pgc_archive_read_data(pgc_archive_reader *reader, const pgc_entry *entry, const pgc_data_target *target, pgconvoy_error *err)
{
    if (!entry->has_data)
        return 0;
    pgc_archive_whole whole;
    pgc_archive_whole_begin(&whole, entry, target);
    return reader->format->read(reader, entry, &whole.checking, err) != 0 ? -1 : pgc_archive_whole_end(&whole, reader, err);
}

static int pass_on(void *arg, const char *bytes, size_t length, pgconvoy_error *err)
{
    pgc_archive_stream *stream = arg;
    int result = stream->target->write(stream->target->arg, bytes, length, err);
    stream->target_failed |= result != 0;
    return result;
}

/* Says of which file, and where, when what is compressed made no sense. */
static int blame(const pgc_archive_stream *stream, int result, pgconvoy_error *err)
{
    if (result != 0 && !stream->target_failed && pgconvoy_error_get_code(err) == PGCONVOY_ERROR_DATA)
        pgc_error_prefix(err, "\"%s\" is broken before offset %lld", pgc_input_name(stream->in), (long long)pgc_input_offset(stream->in));
    return result;
}

int pgc_archive_stream_open(pgc_archive_stream *stream, pgc_compression_method method, pgc_stream_kind kind, const pgc_input *in, const pgc_data_target *target,
                            pgconvoy_error *err)
{
    *stream = (pgc_archive_stream){.target = target, .in = in};
    stream->decompressor = pgc_decompressor_open(method, kind, (pgc_byte_target){pass_on, stream}, err);
    return stream->decompressor ? 0 : -1;
}

int pgc_archive_stream_write(pgc_archive_stream *stream, const char *bytes, size_t length, pgconvoy_error *err)
{
    return blame(stream, pgc_decompressor_write(stream->decompressor, bytes, length, err), err);
}

int pgc_archive_stream_close(pgc_archive_stream *stream, int result, pgconvoy_error *err)
{
    if (result == 0) {
        result = blame(stream, pgc_decompressor_close(stream->decompressor, err), err);
        return result == 0 ? pgc_archive_whole_stream_end(stream->target, stream->in, err) : result;
    }
    pgc_decompressor_abandon(stream->decompressor);
    return result;
}

int pgc_archive_stream_copy(pgc_archive_stream *stream, pgc_input *in, int64_t length, pgconvoy_error *err)
{
    while (length != 0) {
        const char *bytes;
        ssize_t got = pgc_input_take(in, length < 0 || length > INT32_MAX ? INT32_MAX : (size_t)length, &bytes, err);
        if (got < 0)
            return -1;
        if (got == 0)
            return length < 0 ? 0 : pgc_input_broken(in, -1, err, "it ends early");
        if (pgc_archive_stream_write(stream, bytes, (size_t)got, err) != 0)
            return -1;
        length -= length < 0 ? 0 : got;
    }
    return 0;
}

int pgc_archive_large_object(const pgc_data_target *target, uint32_t oid, pgconvoy_error *err)
{
    if (target->large_object)
        return target->large_object(target->arg, oid, err);
    pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "large objects where none can come");
    return -1;
}

int pgc_archive_read_list(const char *list, size_t length, const char *name,
                          int (*read)(void *arg, uint32_t oid, const char *name, pgconvoy_error *err), void *arg, pgconvoy_error *err)
{
    for (size_t at = 0; at < length;) {
        const char *end = memchr(list + at, '\n', length - at);
        size_t size = end ? (size_t)(end - list) - at : length - at;
        char line[256], file[200];
        unsigned oid = 0;
        int used = 0;
        snprintf(line, sizeof line, "%.*s", (int)(size < sizeof line ? size : sizeof line - 1), list + at);
        if (size >= sizeof line || sscanf(line, "%u %199s%n", &oid, file, &used) != 2 || (size_t)used != size || oid == 0 || strchr(file, '/')) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "invalid line in large object TOC file \"%s\" at offset %zu: \"%s\"", name, at, line);
            return -1;
        }
        if (read(arg, oid, file, err) != 0)
            return -1;
        at += size + 1;
    }
    return 0;
}
