/* Bodies compressed for the way, at the fast end of each method: what is saved must not cost more than the way. */
#include "net/http_body.h"

#include <limits.h>
#include <lz4frame.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

struct pgc_http_encoder {
    pgc_http_encoding encoding;
    bool begun;
    LZ4F_cctx *lz4;
    ZSTD_CCtx *zstd;
    z_stream gzip;
    bool gzip_made;
};

/* Independent blocks of 64 kB are the fastest; the checksum tells a frame that was cut. */
static const LZ4F_preferences_t lz4_preferences = {
    .frameInfo = {.blockMode = LZ4F_blockIndependent, .contentChecksumFlag = LZ4F_contentChecksumEnabled}};

static int failed(const char *why, pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_INTERNAL, "could not compress a request: %s", why);
    return -1;
}

pgc_http_encoder *pgc_http_encoder_new(pgc_http_encoding encoding, pgconvoy_error *err)
{
    pgc_http_encoder *encoder = calloc(1, sizeof *encoder);
    bool made = encoder != NULL;
    if (made)
        encoder->encoding = encoding;
    if (made && encoding == PGC_HTTP_LZ4)
        made = !LZ4F_isError(LZ4F_createCompressionContext(&encoder->lz4, LZ4F_VERSION));
    else if (made && encoding == PGC_HTTP_ZSTD)
        made = (encoder->zstd = ZSTD_createCCtx()) != NULL &&
               !ZSTD_isError(ZSTD_CCtx_setParameter(encoder->zstd, ZSTD_c_compressionLevel, 1));
    else if (made && encoding == PGC_HTTP_GZIP)
        made = encoder->gzip_made = deflateInit2(&encoder->gzip, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK;
    if (made)
        return encoder;
    pgc_http_encoder_free(encoder);
    pgc_error_out_of_memory(err);
    return NULL;
}

void pgc_http_encoder_free(pgc_http_encoder *encoder)
{
    if (!encoder)
        return;
    LZ4F_freeCompressionContext(encoder->lz4);
    ZSTD_freeCCtx(encoder->zstd);
    if (encoder->gzip_made)
        deflateEnd(&encoder->gzip);
    free(encoder);
}

void pgc_http_encoder_reset(pgc_http_encoder *encoder)
{
    encoder->begun = false;
    if (encoder->zstd)
        ZSTD_CCtx_reset(encoder->zstd, ZSTD_reset_session_only);
    if (encoder->gzip_made)
        deflateReset(&encoder->gzip);
}

/* ---- the methods: a part, or with data NULL the end */

static int add_lz4(pgc_http_encoder *encoder, const void *data, size_t length, pgc_buffer *out, pgconvoy_error *err)
{
    size_t bound = LZ4F_compressBound(length, &lz4_preferences) + (encoder->begun ? 0 : LZ4F_HEADER_SIZE_MAX);
    if (!pgc_buffer_reserve(out, bound))
        return pgc_buffer_check(out, err);
    size_t done = 0;
    if (!encoder->begun) {
        done = LZ4F_compressBegin(encoder->lz4, out->data + out->length, bound, &lz4_preferences);
        if (LZ4F_isError(done))
            return failed(LZ4F_getErrorName(done), err);
        out->length += done;
        bound -= done;
        encoder->begun = true;
    }
    done = data ? LZ4F_compressUpdate(encoder->lz4, out->data + out->length, bound, data, length, NULL)
                : LZ4F_compressEnd(encoder->lz4, out->data + out->length, bound, NULL);
    if (LZ4F_isError(done))
        return failed(LZ4F_getErrorName(done), err);
    out->length += done;
    return 0;
}

static int add_zstd(pgc_http_encoder *encoder, const void *data, size_t length, pgc_buffer *out, pgconvoy_error *err)
{
    ZSTD_inBuffer in = {data, length, 0};
    size_t left;
    do {
        if (!pgc_buffer_reserve(out, ZSTD_CStreamOutSize()))
            return pgc_buffer_check(out, err);
        ZSTD_outBuffer to = {out->data + out->length, ZSTD_CStreamOutSize(), 0};
        left = ZSTD_compressStream2(encoder->zstd, &to, &in, data ? ZSTD_e_continue : ZSTD_e_end);
        if (ZSTD_isError(left))
            return failed(ZSTD_getErrorName(left), err);
        out->length += to.pos;
    } while (data ? in.pos < in.size : left > 0); /* what it keeps of a part comes later */
    return 0;
}

static int add_gzip(pgc_http_encoder *encoder, const void *data, size_t length, pgc_buffer *out, pgconvoy_error *err)
{
    z_stream *z = &encoder->gzip;
    size_t left = length;
    z->next_in = (Bytef *)(uintptr_t)data;
    z->avail_in = 0;
    for (int state = Z_OK; data ? left > 0 || z->avail_in > 0 : state != Z_STREAM_END;) {
        if (z->avail_in == 0 && left > 0) {
            z->avail_in = left < UINT_MAX ? (uInt)left : UINT_MAX;
            left -= z->avail_in;
        }
        size_t room = 65536;
        if (!pgc_buffer_reserve(out, room))
            return pgc_buffer_check(out, err);
        z->next_out = (Bytef *)out->data + out->length;
        z->avail_out = (uInt)room;
        state = deflate(z, data ? Z_NO_FLUSH : Z_FINISH);
        out->length += room - z->avail_out;
        if (state != Z_OK && state != Z_STREAM_END)
            return failed("deflate", err);
    }
    return 0;
}

static int add(pgc_http_encoder *encoder, const void *data, size_t length, pgc_buffer *out, pgconvoy_error *err)
{
    switch (encoder->encoding) {
    case PGC_HTTP_LZ4:
        return add_lz4(encoder, data, length, out, err);
    case PGC_HTTP_ZSTD:
        return add_zstd(encoder, data, length, out, err);
    case PGC_HTTP_GZIP:
        return add_gzip(encoder, data, length, out, err);
    default:
        pgc_buffer_append(out, data ? data : "", length);
        return pgc_buffer_check(out, err);
    }
}

int pgc_http_encoder_add(pgc_http_encoder *encoder, const void *data, size_t length, pgc_buffer *out,
                         pgconvoy_error *err)
{
    return length > 0 ? add(encoder, data, length, out, err) : 0;
}

int pgc_http_encoder_end(pgc_http_encoder *encoder, pgc_buffer *out, pgconvoy_error *err)
{
    int result = add(encoder, NULL, 0, out, err);
    pgc_http_encoder_reset(encoder);
    return result;
}

int pgc_http_encode(pgc_http_encoding encoding, const void *data, size_t length, pgc_buffer *out, pgconvoy_error *err)
{
    pgc_http_encoder *encoder = pgc_http_encoder_new(encoding, err);
    int result = encoder ? pgc_http_encoder_add(encoder, data, length, out, err) : -1;
    if (result == 0)
        result = pgc_http_encoder_end(encoder, out, err);
    pgc_http_encoder_free(encoder);
    return result;
}
