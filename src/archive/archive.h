/*
 * Dump files: the formats of pg_dump, written and read. A file holds a head, a table of contents (the entries, see catalog/entry.h) and, for each entry that has data, a run of bytes: rows in COPY's
 * text form, INSERT commands, or large objects. Facts of the formats: docs/dump-format.md.
 *
 * custom     one file: head, contents, then the data blocks, each marked with its entry's id
 * directory  a folder: toc.dat and a file for each entry's data
 * tar        a tar file of what the directory format has, and restore.sql
 * Plain SQL is not here but in script.h: it cannot be read back.
 */
#ifndef PGC_ARCHIVE_ARCHIVE_H
#define PGC_ARCHIVE_ARCHIVE_H

#include "catalog/entry.h"

typedef enum pgc_archive_format {
    PGC_ARCHIVE_UNKNOWN,
    PGC_ARCHIVE_PLAIN,
    PGC_ARCHIVE_CUSTOM,
    PGC_ARCHIVE_DIRECTORY,
    PGC_ARCHIVE_TAR
} pgc_archive_format;

typedef enum pgc_compression_method { PGC_COMPRESSION_NONE, PGC_COMPRESSION_GZIP, PGC_COMPRESSION_LZ4, PGC_COMPRESSION_ZSTD } pgc_compression_method;

typedef struct pgc_compression {
    pgc_compression_method method;
    int level;          /* PGC_COMPRESSION_DEFAULT: the method's own */
    bool long_distance; /* zstd */
    int workers;        /* threads that compress beside those that write; 0: none in a directory (its jobs are threads enough), as many as there are cores for one file */
} pgc_compression;

#define PGC_COMPRESSION_DEFAULT INT32_MIN

/*
 * Reads -Z / --compress: a number ("0" none, "1" … "9" gzip), a method ("gzip", "lz4", "zstd", "none"), METHOD:LEVEL, METHOD:level=N,long,workers=N (PostgreSQL manual, pg_dump).
 * The error's message is that of pg_dump.
 */
int pgc_compression_parse(const char *text, pgc_compression *compression, pgconvoy_error *err) PGC_MUST_CHECK;

/* What the head of an archive says. Texts belong to whoever filled it. */
typedef struct pgc_archive_head {
    int major, minor, revision;  /* of the format: 1, 14, 0 */
    pgc_archive_format format;
    pgc_compression compression;
    int int_size, offset_size;
    int64_t created;             /* Unix seconds, local time of the machine that wrote it */
    const char *database_name, *server_version, *dump_version;
} pgc_archive_head;

/* ------------------------------------------------------------------ writing */

typedef struct pgc_archive_writer pgc_archive_writer;
typedef struct pgc_archive_data pgc_archive_data;

typedef struct pgc_archive_settings {
    const char *path; /* NULL: standard output (custom and tar) */
    pgc_archive_format format;
    pgc_compression compression;
    bool sync;        /* fsync at the end */
    pgc_archive_head head; /* names and versions; major, minor and sizes are chosen by the writer: 1.14 for none and gzip, 1.15 for lz4 and zstd (or the version that server_major calls for) */
    int server_major;
    const char *restore_sql; /* tar: the text of restore.sql, or NULL */
} pgc_archive_settings;

/*
 * Begins an archive with these entries: all of them go into the contents, in order, and must outlive the writer, which sets their position and file_name. It is written beside the path (PATH.part-PID; a folder is
 * made at once, as pg_dump does, its toc.dat last) and takes its name in pgc_archive_finish, so that what is not whole does not look whole; a pipe or device is written to as it is. Refuses a path that is there where pg_dump refuses it (a folder that is not empty).
 */
pgc_archive_writer *pgc_archive_create(const pgc_archive_settings *settings, pgc_entries *entries, pgconvoy_error *err) PGC_MUST_CHECK;

/*
 * The data of one entry (entry->has_data). Thread-safe: entries may be written by several threads at once, each pgc_archive_data by one. In a one-file format
 * who begins first writes into the file, and the others into temporary files beside it, which are added when they are whole: nobody waits, and no order of calls locks up, as long as each begun entry is ended.
 */
pgc_archive_data *pgc_archive_begin_data(pgc_archive_writer *writer, pgc_entry *entry, pgconvoy_error *err) PGC_MUST_CHECK;
/*
 * A part of an entry's data, for an entry cut in ranges: parts 0 … count-1 are begun in any order by any thread and joined in order of their number (concatenated compressed members, or blocks). Every part must be begun and ended.
 * Only the directory format takes more than one part.
 */
pgc_archive_data *pgc_archive_begin_part(pgc_archive_writer *writer, pgc_entry *entry, int part, int count, pgconvoy_error *err) PGC_MUST_CHECK;
/* Whether more than one part may be asked for: in a directory (not for large objects). */
bool pgc_archive_takes_parts(const pgc_archive_writer *writer);
int pgc_archive_write(pgc_archive_data *data, const char *bytes, size_t length, pgconvoy_error *err) PGC_MUST_CHECK;
/* Around the bytes of each large object of a LARGE OBJECTS entry. */
int pgc_archive_begin_large_object(pgc_archive_data *data, uint32_t oid, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_archive_end_large_object(pgc_archive_data *data, pgconvoy_error *err) PGC_MUST_CHECK;
/* Ends it and frees data, also on failure. */
int pgc_archive_end_data(pgc_archive_data *data, pgconvoy_error *err) PGC_MUST_CHECK;

/* All data written: completes the contents, gives the archive its name, frees the writer (also on failure). */
int pgc_archive_finish(pgc_archive_writer *writer, pgconvoy_error *err) PGC_MUST_CHECK;
/* Removes what was written and frees the writer. */
void pgc_archive_abandon(pgc_archive_writer *writer);

/* ------------------------------------------------------------------ reading */

typedef struct pgc_archive_reader pgc_archive_reader;

/* Opens and reads head and contents; path NULL: standard input. format UNKNOWN: found out. A broken or cut file is named with the offset. */
pgc_archive_reader *pgc_archive_open(const char *path, pgc_archive_format format, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_archive_close(pgc_archive_reader *reader);
const pgc_archive_head *pgc_archive_read_head(const pgc_archive_reader *reader);
pgc_entries *pgc_archive_read_entries(pgc_archive_reader *reader);

/* Where an entry's data go. large_object is called with the oid before, and with 0 after each large object's bytes; NULL where none can come. */
typedef struct pgc_data_target {
    int (*write)(void *arg, const char *bytes, size_t length, pgconvoy_error *err);
    int (*large_object)(void *arg, uint32_t oid, pgconvoy_error *err);
    void *arg;
} pgc_data_target;

/* Reads an entry's data into target, uncompressed. Thread-safe, and in any order, where pgc_archive_can_seek says so: a directory, a file of the other formats; else
 * (a pipe) entries must be read in the archive's order by one thread. */
int pgc_archive_read_data(pgc_archive_reader *reader, const pgc_entry *entry, const pgc_data_target *target, pgconvoy_error *err) PGC_MUST_CHECK;
bool pgc_archive_can_seek(const pgc_archive_reader *reader);
/* Gives each entry's data_size what its data take in the archive, where that can be seen without reading them: so that a parallel restore begins with the large ones. */
void pgc_archive_find_sizes(pgc_archive_reader *reader);

#endif
