/*
 * Files being read: buffered, with the offset of every byte known, so that what is broken or cut can be named. A pgc_input belongs to one thread; several of one file are made by pgc_input_again.
 */
#ifndef PGC_ARCHIVE_INPUT_H
#define PGC_ARCHIVE_INPUT_H

#include "base/buffer.h"

#include <sys/types.h>

typedef struct pgc_input pgc_input;

/* path NULL: standard input. */
pgc_input *pgc_input_open(const char *path, pgconvoy_error *err) PGC_MUST_CHECK;
/* The same file from the start, for another thread; in must be seekable and outlive it. */
pgc_input *pgc_input_again(const pgc_input *in, pgconvoy_error *err) PGC_MUST_CHECK;
/* Bytes in memory, which must outlive it. */
pgc_input *pgc_input_of_bytes(const char *bytes, size_t length, const char *name, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_input_close(pgc_input *in);

const char *pgc_input_name(const pgc_input *in);
bool pgc_input_can_seek(const pgc_input *in);
/* Of the next byte. */
int64_t pgc_input_offset(const pgc_input *in);
/* Of the whole file; -1: not known. */
int64_t pgc_input_size(const pgc_input *in);

/* Exactly length bytes; an error when the file ends before. */
int pgc_input_read(pgc_input *in, void *bytes, size_t length, pgconvoy_error *err) PGC_MUST_CHECK;
/* At least one and at most length bytes that are at hand, without copying them; 0 at the end of the file, -1 on failure. */
ssize_t pgc_input_take(pgc_input *in, size_t length, const char **bytes, pgconvoy_error *err) PGC_MUST_CHECK;
/* The first bytes of what is next, at most 4096, without taking them; fewer when the file ends there. */
ssize_t pgc_input_peek(pgc_input *in, size_t length, const char **bytes, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_input_skip(pgc_input *in, int64_t length, pgconvoy_error *err) PGC_MUST_CHECK;
/* The next byte is the one at offset; only where it can be sought in. */
int pgc_input_seek(pgc_input *in, int64_t offset, pgconvoy_error *err) PGC_MUST_CHECK;

/* An error about what stands at offset (-1: at the next byte): "FILE is broken at offset N: …". Returns -1. */
int pgc_input_broken(const pgc_input *in, int64_t offset, pgconvoy_error *err, const char *format, ...) PGCONVOY_PRINTF(4, 5);

#endif
