/*
 * Compression of the archive formats' data. A stream is cut into chunks that are compressed each for itself, by the caller or by the threads of a pool, and leave in order; so one stream uses as many cores as there are.
 * How chunks make up one stream that every reader takes:
 *
 * gzip, in a file     each chunk is a gzip member (libdeflate); members may follow each other (RFC 1952, section 2.2)
 * gzip, in a block    one zlib stream (RFC 1950): each chunk is raw deflate that ends on a byte and not with a last block; the checksums are combined
 * lz4                 each chunk is a frame
 * zstd                one frame, cut and spread by the library's own workers
 * none                as it is
 */
#ifndef PGC_ARCHIVE_COMPRESS_H
#define PGC_ARCHIVE_COMPRESS_H

#include "archive/archive.h"

typedef enum pgc_stream_kind { PGC_STREAM_FILE, PGC_STREAM_BLOCK } pgc_stream_kind;

/* Where bytes go; called by the thread that writes to the stream, never by one of the pool. */
typedef struct pgc_byte_target {
    int (*write)(void *arg, const char *bytes, size_t length, pgconvoy_error *err);
    void *arg;
} pgc_byte_target;

/* What streams of one method share: threads, buffers and the libraries' contexts. Thread-safe. */
typedef struct pgc_compress_pool pgc_compress_pool;
/* threads 0: whoever writes compresses. The threads start with the first chunk. */
pgc_compress_pool *pgc_compress_pool_new(const pgc_compression *compression, pgc_stream_kind kind, int threads, pgconvoy_error *err) PGC_MUST_CHECK;
/* All streams must have been closed. NULL is fine. */
void pgc_compress_pool_free(pgc_compress_pool *pool);

typedef struct pgc_compressor pgc_compressor;
pgc_compressor *pgc_compressor_open(pgc_compress_pool *pool, pgc_byte_target target, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_compressor_write(pgc_compressor *compressor, const char *bytes, size_t length, pgconvoy_error *err) PGC_MUST_CHECK;
/* Writes the rest and frees the stream, also on failure. */
int pgc_compressor_close(pgc_compressor *compressor, pgconvoy_error *err) PGC_MUST_CHECK;
/* Frees it, the rest is lost. NULL is fine. */
void pgc_compressor_abandon(pgc_compressor *compressor);

typedef struct pgc_decompressor pgc_decompressor;
pgc_decompressor *pgc_decompressor_open(pgc_compression_method method, pgc_stream_kind kind, pgc_byte_target target, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_decompressor_write(pgc_decompressor *decompressor, const char *bytes, size_t length, pgconvoy_error *err) PGC_MUST_CHECK;
/* All was written: refuses a stream that ends early. Frees it, also on failure. */
int pgc_decompressor_close(pgc_decompressor *decompressor, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_decompressor_abandon(pgc_decompressor *decompressor);

/* "", ".gz", ".lz4", ".zst" */
const char *pgc_compression_suffix(pgc_compression_method method);

/* Cores of the machine that this process may use, at least 1. */
int pgc_cores(void);

#endif
