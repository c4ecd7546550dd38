/* What the files of the formats share. */
#ifndef PGC_ARCHIVE_ARCHIVE_INTERNAL_H
#define PGC_ARCHIVE_ARCHIVE_INTERNAL_H

#include "archive/archive.h"
#include "archive/compress.h"
#include "archive/file.h"
#include "archive/lane.h"
#include "archive/toc.h"

/* ------------------------------------------------------------------ writing */

/* A format that is written. Every call may come from any thread, each data from one. */
typedef struct pgc_archive_writes {
    pgc_stream_kind stream;
    bool one_file;
    bool takes_parts;
    /* Makes the file or folder and writes what comes first. On failure abandon is called. */
    int (*create)(pgc_archive_writer *writer, pgconvoy_error *err);
    int (*begin)(pgc_archive_data *data, pgconvoy_error *err);
    int (*begin_object)(pgc_archive_data *data, uint32_t oid, pgconvoy_error *err);
    int (*end_object)(pgc_archive_data *data, pgconvoy_error *err);
    /* All was written; data->compressor is closed already. Leaves data as it is on failure: abandon_data follows. */
    int (*end)(pgc_archive_data *data, pgconvoy_error *err);
    void (*abandon_data)(pgc_archive_data *data);
    int (*finish)(pgc_archive_writer *writer, pgconvoy_error *err);
    /* Frees what create made; removes it from the disk unless finished. */
    void (*dispose)(pgc_archive_writer *writer, bool finished);
} pgc_archive_writes;

extern const pgc_archive_writes pgc_custom_writes, pgc_directory_writes, pgc_tar_writes;

struct pgc_archive_writer {
    const pgc_archive_writes *format;
    pgc_archive_settings settings; /* its texts are the caller's, but for path */
    pgc_archive_head head;
    pgc_entries *entries;
    char *path;
    pgc_compress_pool *pool;
    /* one-file formats */
    pgc_file *file;
    pgc_lanes lanes;
    bool has_lanes;
    int64_t toc_position;
    /* directory */
    void *folder;
};

struct pgc_archive_data {
    pgc_archive_writer *writer;
    pgc_entry *entry;
    int part, part_count;
    pgc_lane *lane;
    pgc_file *file;
    pgc_compressor *compressor; /* NULL between large objects */
    bool large_objects;
    uint32_t oid;            /* the large object that is being written; 0: none */
    bool failed;
    void *state;             /* the format's */
    int64_t member_position; /* tar */
    pgc_buffer list;         /* tar and directory: of the large objects */
};

/* Opens data->compressor onto target. */
int pgc_archive_open_stream(pgc_archive_data *data, pgc_byte_target target, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_archive_close_stream(pgc_archive_data *data, pgconvoy_error *err) PGC_MUST_CHECK;

/* ------------------------------------------------------------------ reading */

/* A format that is read. */
typedef struct pgc_archive_reads {
    /* reader->input is open, but for the directory format; reads head and contents. */
    int (*open)(pgc_archive_reader *reader, pgconvoy_error *err);
    int (*read)(pgc_archive_reader *reader, const pgc_entry *entry, const pgc_data_target *target, pgconvoy_error *err);
    bool (*can_seek)(const pgc_archive_reader *reader);
    void (*dispose)(pgc_archive_reader *reader);
} pgc_archive_reads;

extern const pgc_archive_reads pgc_custom_reads, pgc_directory_reads, pgc_tar_reads;

struct pgc_archive_reader {
    const pgc_archive_reads *format;
    char *path; /* NULL: standard input */
    pgc_archive_head head; /* its texts live with the entries */
    pgc_entries entries;
    pgc_input *input; /* one-file formats */
    int64_t data_position; /* custom: behind the contents */
    pthread_mutex_t lock;  /* guards what the format finds out later */
    void *index;           /* the format's */
    size_t index_count;
};

/* Bytes on their way through a decompressor to a target; it is known whose failure one is. */
typedef struct pgc_archive_stream {
    const pgc_data_target *target;
    const pgc_input *in;
    pgc_decompressor *decompressor;
    bool target_failed;
} pgc_archive_stream;

int pgc_archive_stream_open(pgc_archive_stream *stream, pgc_compression_method method, pgc_stream_kind kind, const pgc_input *in, const pgc_data_target *target,
                            pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_archive_stream_write(pgc_archive_stream *stream, const char *bytes, size_t length, pgconvoy_error *err) PGC_MUST_CHECK;
/* result 0: all was read, and it must be whole; otherwise only frees. Returns result or the failure. */
int pgc_archive_stream_close(pgc_archive_stream *stream, int result, pgconvoy_error *err) PGC_MUST_CHECK;

/* All of in, or what is left of it up to length bytes, into the stream. length -1: to its end. */
int pgc_archive_stream_copy(pgc_archive_stream *stream, pgc_input *in, int64_t length, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- reader_whole.c: a target that looks whether the data of an entry are whole, on their way to another */
typedef struct pgc_archive_whole {
    const pgc_data_target *target;
    const pgc_entry *entry;
    pgc_data_target checking; /* what is to be read into */
    char tail[8];             /* the last bytes that came */
    size_t tail_length;
    int object_count;
} pgc_archive_whole;

void pgc_archive_whole_begin(pgc_archive_whole *whole, const pgc_entry *entry, const pgc_data_target *target);
/* The last byte of a stream to target was read from in: an error when it is such a target, for rows, and they are not whole. */
int pgc_archive_whole_stream_end(const pgc_data_target *target, const pgc_input *in, pgconvoy_error *err) PGC_MUST_CHECK;
/* All was read without a failure. */
int pgc_archive_whole_end(const pgc_archive_whole *whole, const pgc_archive_reader *reader, pgconvoy_error *err) PGC_MUST_CHECK;

/* Calls target->large_object; an error where none can come. */
int pgc_archive_large_object(const pgc_data_target *target, uint32_t oid, pgconvoy_error *err) PGC_MUST_CHECK;

/* Takes a list of large objects apart; calls read for each. The names have no folder in them. */
int pgc_archive_read_list(const char *list, size_t length, const char *name,
                          int (*read)(void *arg, uint32_t oid, const char *name, pgconvoy_error *err), void *arg, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
