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

/* The name of the list of an entry's large objects: "blobs.toc", since 1.16 "blobs_ID.toc". */
void pgc_archive_list_name(const pgc_archive_head *head, const pgc_entry *entry, char name[64]);

#endif
