/* What a method of compression is made of; the files of compression share it. */
#ifndef PGC_ARCHIVE_COMPRESS_INTERNAL_H
#define PGC_ARCHIVE_COMPRESS_INTERNAL_H

#include "archive/compress.h"

/* A piece of a stream, before and after. */
typedef struct pgc_chunk {
    char *in, *out; /* in_capacity bytes; out as many as the method's bound says */
    size_t in_length, out_length, out_capacity;
    uint32_t checksum; /* of in, where the method combines them */
    void *context;     /* the method's, made by its new_context */
} pgc_chunk;

/* A method that compresses chunk by chunk. */
typedef struct pgc_chunk_codec {
    size_t chunk_bytes;
    void *(*new_context)(const pgc_compression *compression); /* NULL: out of memory */
    void (*free_context)(void *context);
    size_t (*bound)(void *context, size_t in_length);
    int (*compress)(pgc_chunk *chunk, pgconvoy_error *err);
    /* What stands around all chunks of a stream; each gives the number of bytes put into bytes[16]. NULL: nothing. */
    size_t (*head)(const pgc_compression *compression, char *bytes);
    size_t (*tail)(uint32_t checksum, char *bytes);
    uint32_t (*combine)(uint32_t checksum, uint32_t next, size_t next_length);
    uint32_t first_checksum;
    bool needs_chunk; /* an empty stream has an empty chunk */
} pgc_chunk_codec;

extern const pgc_chunk_codec pgc_codec_none, pgc_codec_gzip_members, pgc_codec_zlib, pgc_codec_lz4;

/* zstd cuts and spreads by itself: a context is a whole stream's. */
void *pgc_zstd_new(const pgc_compression *compression, int threads, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_zstd_free(void *context);
int pgc_zstd_write(void *context, const char *bytes, size_t length, bool end, pgc_byte_target target, pgconvoy_error *err) PGC_MUST_CHECK;
/* Ready for the next stream. */
void pgc_zstd_reset(void *context);

/* A method that is read; a decoder's memory begins with whatever the method needs. */
typedef struct pgc_decoder {
    bool empty_file_is_whole; /* pg_dump writes such files for large objects without bytes */
    void *(*new_context)(pgc_stream_kind kind);
    void (*free_context)(void *context);
    /* Takes all of bytes. *whole: nothing more is needed to make sense of what came so far. */
    int (*decode)(void *context, const char *bytes, size_t length, bool *whole, pgc_byte_target target, pgconvoy_error *err);
} pgc_decoder;

extern const pgc_decoder pgc_decoder_gzip, pgc_decoder_lz4, pgc_decoder_zstd;

/* The error for a stream that makes no sense; -1. */
int pgc_compressed_data_broken(const char *reason, pgconvoy_error *err);

#endif
