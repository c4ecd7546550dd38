/* lz4: each chunk a frame; frames may follow each other. */
#include "archive/compress_internal.h"

#include <lz4frame.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES ((size_t)1024 * 1024)

static void *new_preferences(const pgc_compression *compression)
{
    LZ4F_preferences_t *preferences = calloc(1, sizeof *preferences);
    if (preferences && compression->level != PGC_COMPRESSION_DEFAULT)
        preferences->compressionLevel = compression->level;
    return preferences;
}

static size_t frame_bound(void *context, size_t in_length)
{
    return LZ4F_compressFrameBound(in_length, context);
}

static int compress_frame(pgc_chunk *chunk, pgconvoy_error *err)
{
    size_t length = LZ4F_compressFrame(chunk->out, chunk->out_capacity, chunk->in, chunk->in_length, chunk->context);
    if (LZ4F_isError(length)) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_INTERNAL, "could not compress data: %s", LZ4F_getErrorName(length));
        return -1;
    }
    chunk->out_length = length;
    return 0;
}

const pgc_chunk_codec pgc_codec_lz4 = {
    .chunk_bytes = CHUNK_BYTES,
    .new_context = new_preferences,
    .free_context = free,
    .bound = frame_bound,
    .compress = compress_frame,
    .needs_chunk = true,
};

/* ------------------------------------------------------------------ reading */

#define OUT_BYTES ((size_t)256 * 1024)

typedef struct unpacker {
    LZ4F_dctx *lz4;
    bool whole;
    char out[OUT_BYTES];
} unpacker;

static void *new_unpacker(pgc_stream_kind kind)
{
    (void)kind;
    unpacker *unpacker = calloc(1, sizeof *unpacker);
    if (unpacker && LZ4F_isError(LZ4F_createDecompressionContext(&unpacker->lz4, LZ4F_VERSION))) {
        free(unpacker);
        return NULL;
    }
    return unpacker;
}

static void free_unpacker(void *context)
{
    LZ4F_freeDecompressionContext(((unpacker *)context)->lz4);
    free(context);
}

static int unpack(void *context, const char *bytes, size_t length, bool *whole, pgc_byte_target target, pgconvoy_error *err)
{
    unpacker *unpacker = context;
    bool more = length > 0;
    while (more) {
        size_t got = OUT_BYTES, taken = length;
        size_t hint = LZ4F_decompress(unpacker->lz4, unpacker->out, &got, bytes, &taken, NULL);
        if (LZ4F_isError(hint))
            return pgc_compressed_data_broken(LZ4F_getErrorName(hint), err);
        unpacker->whole = hint == 0;
        if (got > 0 && target.write(target.arg, unpacker->out, got, err) != 0)
            return -1;
        bytes += taken;
        length -= taken;
        more = length > 0 || got == OUT_BYTES;
        if (taken == 0 && got == 0)
            break;
    }
    *whole = unpacker->whole;
    return 0;
}

const pgc_decoder pgc_decoder_lz4 = {.empty_file_is_whole = true, .new_context = new_unpacker, .free_context = free_unpacker, .decode = unpack};
