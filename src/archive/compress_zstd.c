/* zstd: one frame a stream, which the library's own workers cut and spread. */
#include "archive/compress_internal.h"

#include <stdlib.h>
#include <zstd.h>

#define OUT_BYTES ((size_t)128 * 1024)

typedef struct packer {
    ZSTD_CCtx *zstd;
    char out[OUT_BYTES];
} packer;

static int set(packer *packer, ZSTD_cParameter parameter, int value, const char *name, pgconvoy_error *err)
{
    size_t result = ZSTD_CCtx_setParameter(packer->zstd, parameter, value);
    if (!ZSTD_isError(result))
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "could not set compression parameter \"%s\": %s", name, ZSTD_getErrorName(result));
    return -1;
}

void *pgc_zstd_new(const pgc_compression *compression, int threads, pgconvoy_error *err)
{
    packer *packer = calloc(1, sizeof *packer);
    if (!packer || !(packer->zstd = ZSTD_createCCtx())) {
        free(packer);
        (void)pgc_error_out_of_memory(err);
        return NULL;
    }
    int level = compression->level == PGC_COMPRESSION_DEFAULT ? ZSTD_CLEVEL_DEFAULT : compression->level;
    bool failed = set(packer, ZSTD_c_compressionLevel, level, "level", err) != 0 ||
                  (compression->long_distance && set(packer, ZSTD_c_enableLongDistanceMatching, 1, "long", err) != 0);
    if (failed) {
        pgc_zstd_free(packer);
        return NULL;
    }
    /* A library without threads refuses, and one thread does it. */
    if (threads > 0)
        (void)ZSTD_CCtx_setParameter(packer->zstd, ZSTD_c_nbWorkers, threads);
    return packer;
}

void pgc_zstd_free(void *context)
{
    ZSTD_freeCCtx(((packer *)context)->zstd);
    free(context);
}

void pgc_zstd_reset(void *context)
{
    ZSTD_CCtx_reset(((packer *)context)->zstd, ZSTD_reset_session_only);
}

int pgc_zstd_write(void *context, const char *bytes, size_t length, bool end, pgc_byte_target target, pgconvoy_error *err)
{
    packer *packer = context;
    ZSTD_inBuffer in = {.src = bytes, .size = length};
    size_t left;
    do {
        ZSTD_outBuffer out = {.dst = packer->out, .size = OUT_BYTES};
        left = ZSTD_compressStream2(packer->zstd, &out, &in, end ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(left)) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_RESOURCE, "could not compress data: %s", ZSTD_getErrorName(left));
            return -1;
        }
        if (out.pos > 0 && target.write(target.arg, packer->out, out.pos, err) != 0)
            return -1;
    } while (in.pos < in.size || (end && left > 0));
    return 0;
}

/* ------------------------------------------------------------------ reading */

typedef struct unpacker {
    ZSTD_DCtx *zstd;
    bool whole;
    size_t out_bytes;
    char *out;
} unpacker;

static void free_unpacker(void *context)
{
    unpacker *unpacker = context;
    ZSTD_freeDCtx(unpacker->zstd);
    free(unpacker->out);
    free(unpacker);
}

static void *new_unpacker(pgc_stream_kind kind)
{
    (void)kind;
    unpacker *unpacker = calloc(1, sizeof *unpacker);
    if (!unpacker)
        return NULL;
    unpacker->out_bytes = ZSTD_DStreamOutSize();
    unpacker->out = malloc(unpacker->out_bytes);
    unpacker->zstd = ZSTD_createDCtx();
    if (unpacker->out && unpacker->zstd)
        return unpacker;
    free_unpacker(unpacker);
    return NULL;
}

static int unpack(void *context, const char *bytes, size_t length, bool *whole, pgc_byte_target target, pgconvoy_error *err)
{
    unpacker *unpacker = context;
    ZSTD_inBuffer in = {.src = bytes, .size = length};
    bool more = length > 0;
    while (more) {
        ZSTD_outBuffer out = {.dst = unpacker->out, .size = unpacker->out_bytes};
        size_t hint = ZSTD_decompressStream(unpacker->zstd, &out, &in);
        if (ZSTD_isError(hint))
            return pgc_compressed_data_broken(ZSTD_getErrorName(hint), err);
        unpacker->whole = hint == 0;
        if (out.pos > 0 && target.write(target.arg, unpacker->out, out.pos, err) != 0)
            return -1;
        more = in.pos < in.size || (out.pos == out.size && hint != 0);
    }
    *whole = unpacker->whole;
    return 0;
}

const pgc_decoder pgc_decoder_zstd = {.empty_file_is_whole = true, .new_context = new_unpacker, .free_context = free_unpacker, .decode = unpack};
