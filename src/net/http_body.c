/* Bodies compressed for the way, at the fast end of each method: what is saved must not cost more than the way. */
#include "net/http_body.h"

#include <limits.h>
#include <lz4frame.h>
#include <zlib.h>
#include <zstd.h>

static int failed(const char *why, pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_INTERNAL, "could not compress a request: %s", why);
    return -1;
}

static int encode_lz4(const void *data, size_t length, pgc_buffer *out, pgconvoy_error *err)
{
    /* independent blocks of 64 kB are the fastest; the checksum tells a frame that was cut */
    LZ4F_preferences_t preferences = {
        .frameInfo = {.contentSize = length, .contentChecksumFlag = LZ4F_contentChecksumEnabled}};
    size_t bound = LZ4F_compressFrameBound(length, &preferences);
    if (!pgc_buffer_reserve(out, bound))
        return pgc_buffer_check(out, err);
    size_t done = LZ4F_compressFrame(out->data + out->length, bound, data, length, &preferences);
    if (LZ4F_isError(done))
        return failed(LZ4F_getErrorName(done), err);
    out->length += done;
    return 0;
}

static int encode_zstd(const void *data, size_t length, pgc_buffer *out, pgconvoy_error *err)
{
    size_t bound = ZSTD_compressBound(length);
    if (!pgc_buffer_reserve(out, bound))
        return pgc_buffer_check(out, err);
    size_t done = ZSTD_compress(out->data + out->length, bound, data, length, 1);
    if (ZSTD_isError(done))
        return failed(ZSTD_getErrorName(done), err);
    out->length += done;
    return 0;
}

static int encode_gzip(const void *data, size_t length, pgc_buffer *out, pgconvoy_error *err)
{
    z_stream z = {0};
    if (deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return pgc_error_out_of_memory(err);
    z.next_in = (Bytef *)(uintptr_t)data;
    size_t left = length;
    int state = Z_OK;
    while (state == Z_OK) {
        if (z.avail_in == 0 && left > 0) {
            z.avail_in = left < UINT_MAX ? (uInt)left : UINT_MAX;
            left -= z.avail_in;
        }
        size_t room = 65536;
        if (!pgc_buffer_reserve(out, room))
            break;
        z.next_out = (Bytef *)out->data + out->length;
        z.avail_out = (uInt)room;
        state = deflate(&z, left == 0 ? Z_FINISH : Z_NO_FLUSH);
        out->length += room - z.avail_out;
    }
    deflateEnd(&z);
    if (pgc_buffer_check(out, err))
        return -1;
    return state == Z_STREAM_END ? 0 : failed("deflate", err);
}

int pgc_http_encode(pgc_http_encoding encoding, const void *data, size_t length, pgc_buffer *out, pgconvoy_error *err)
{
    switch (encoding) {
    case PGC_HTTP_LZ4:
        return encode_lz4(data, length, out, err);
    case PGC_HTTP_ZSTD:
        return encode_zstd(data, length, out, err);
    case PGC_HTTP_GZIP:
        return encode_gzip(data, length, out, err);
    default:
        pgc_buffer_append(out, data, length);
        return pgc_buffer_check(out, err);
    }
}
