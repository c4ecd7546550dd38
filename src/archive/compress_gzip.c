/*
 * gzip: whole members by libdeflate where a file may have several, and one zlib stream of raw deflate chunks where it must be one.
 */
#include "archive/compress_internal.h"

#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define CHUNK_BYTES ((size_t)1024 * 1024)

/* libdeflate's, where no level was asked for: on the text of COPY it makes smaller files than zlib's 6, which is pg_dump's, in a third of the time. */
#define LEVEL_BY_DEFAULT 4

static int level_of(const pgc_compression *compression)
{
    return compression->level == PGC_COMPRESSION_DEFAULT || compression->level < 0 ? LEVEL_BY_DEFAULT : compression->level;
}

/* ------------------------------------------------------------------ members */

static void *new_deflate(const pgc_compression *compression)
{
    return libdeflate_alloc_compressor(level_of(compression));
}

static void free_deflate(void *context)
{
    libdeflate_free_compressor(context);
}

static size_t member_bound(void *context, size_t in_length)
{
    return libdeflate_gzip_compress_bound(context, in_length);
}

static int compress_member(pgc_chunk *chunk, pgconvoy_error *err)
{
    chunk->out_length = libdeflate_gzip_compress(chunk->context, chunk->in, chunk->in_length, chunk->out, chunk->out_capacity);
    if (chunk->out_length > 0)
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_INTERNAL, "could not compress data: gzip needs more room than it said");
    return -1;
}

const pgc_chunk_codec pgc_codec_gzip_members = {
    .chunk_bytes = CHUNK_BYTES,
    .new_context = new_deflate,
    .free_context = free_deflate,
    .bound = member_bound,
    .compress = compress_member,
    .needs_chunk = true,
};

/* ------------------------------------------------------------------ one zlib stream */

/*
 * libdeflate ends what it compresses with a last block, after which nothing may come. So zlib walks through the blocks, the last one's mark is taken away, and an empty stored block brings the end to a byte: what
 * Z_SYNC_FLUSH would have left. Both together take half the time of zlib alone, and less room.
 */
typedef struct piece_maker {
    struct libdeflate_compressor *deflate;
    z_stream walker;
    unsigned char walked[(size_t)128 * 1024];
} piece_maker;

static void free_piece_maker(void *context)
{
    piece_maker *maker = context;
    libdeflate_free_compressor(maker->deflate);
    inflateEnd(&maker->walker);
    free(maker);
}

static void *new_piece_maker(const pgc_compression *compression)
{
    piece_maker *maker = calloc(1, sizeof *maker);
    if (!maker)
        return NULL;
    maker->deflate = libdeflate_alloc_compressor(level_of(compression));
    if (maker->deflate && inflateInit2(&maker->walker, -MAX_WBITS) == Z_OK)
        return maker;
    free_piece_maker(maker);
    return NULL;
}

#define BYTES_OF_FLUSH 5

static size_t piece_bound(void *context, size_t in_length)
{
    return libdeflate_deflate_compress_bound(((piece_maker *)context)->deflate, in_length) + BYTES_OF_FLUSH;
}

/* The bits at which the last block begins and ends. */
static int find_last_block(piece_maker *maker, const pgc_chunk *chunk, size_t *begin, size_t *end)
{
    z_stream *walker = &maker->walker;
    inflateReset(walker);
    walker->next_in = (Bytef *)chunk->out;
    walker->avail_in = (uInt)chunk->out_length;
    *begin = 0;
    for (;;) {
        walker->next_out = maker->walked;
        walker->avail_out = sizeof maker->walked;
        int result = inflate(walker, Z_BLOCK);
        if (result != Z_OK && result != Z_BUF_ERROR)
            return -1;
        bool between_blocks = walker->data_type & 128, in_last = walker->data_type & 64;
        *end = (size_t)walker->total_in * 8 - (size_t)(walker->data_type & 7);
        if (between_blocks && in_last)
            return 0;
        if (between_blocks)
            *begin = *end;
        else if (walker->avail_out > 0 && walker->avail_in == 0)
            return -1;
    }
}

static int compress_piece(pgc_chunk *chunk, pgconvoy_error *err)
{
    piece_maker *maker = chunk->context;
    size_t begin, end;
    chunk->out_length = libdeflate_deflate_compress(maker->deflate, chunk->in, chunk->in_length, chunk->out, chunk->out_capacity - BYTES_OF_FLUSH);
    if (chunk->out_length == 0 || find_last_block(maker, chunk, &begin, &end) != 0) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_INTERNAL, "could not compress data: the blocks of deflate make no sense");
        return -1;
    }
    chunk->out[begin / 8] &= (char)~(1 << begin % 8);
    static const char stored[BYTES_OF_FLUSH] = {0, 0, 0, (char)0xff, (char)0xff};
    size_t bytes = (end + 3 + 7) / 8; /* three bits of the stored block's head, the rest of that byte is padding */
    size_t whole = (end + 7) / 8;
    memcpy(chunk->out + whole, stored, bytes - whole);
    memcpy(chunk->out + bytes, stored + 1, 4);
    chunk->out_length = bytes + 4;
    chunk->checksum = libdeflate_adler32(1, chunk->in, chunk->in_length);
    return 0;
}

/* RFC 1950: method 8 with a window of 32 kB, the level as a hint, and a check that makes both a multiple of 31. */
static size_t zlib_head(const pgc_compression *compression, char *bytes)
{
    int level = level_of(compression);
    bytes[0] = 0x78;
    bytes[1] = (char)(level < 2 ? 0x01 : level < 6 ? 0x5e : level == 6 ? 0x9c : 0xda);
    return 2;
}

/* An empty last block, and the checksum of all. */
static size_t zlib_tail(uint32_t checksum, char *bytes)
{
    bytes[0] = 0x03;
    bytes[1] = 0x00;
    for (int i = 0; i < 4; i++)
        bytes[2 + i] = (char)(checksum >> (24 - 8 * i));
    return 6;
}

static uint32_t combine(uint32_t checksum, uint32_t next, size_t next_length)
{
    return (uint32_t)adler32_combine(checksum, next, (z_off_t)next_length);
}

const pgc_chunk_codec pgc_codec_zlib = {
    .chunk_bytes = CHUNK_BYTES,
    .new_context = new_piece_maker,
    .free_context = free_piece_maker,
    .bound = piece_bound,
    .compress = compress_piece,
    .head = zlib_head,
    .tail = zlib_tail,
    .combine = combine,
    .first_checksum = 1,
};

/* ------------------------------------------------------------------ reading */

#define OUT_BYTES ((size_t)256 * 1024)

typedef struct inflater {
    z_stream stream;
    bool members; /* more than one may come */
    bool at_end;  /* of a stream */
    char out[OUT_BYTES];
} inflater;

static void *new_inflater(pgc_stream_kind kind)
{
    inflater *inflater = calloc(1, sizeof *inflater);
    if (inflater) {
        inflater->members = kind == PGC_STREAM_FILE;
        if (inflateInit2(&inflater->stream, MAX_WBITS + (inflater->members ? 16 : 0)) == Z_OK)
            return inflater;
        free(inflater);
    }
    return NULL;
}

static void free_inflater(void *context)
{
    inflateEnd(&((inflater *)context)->stream);
    free(context);
}

static int inflate_all(void *context, const char *bytes, size_t length, bool *whole, pgc_byte_target target, pgconvoy_error *err)
{
    inflater *inflater = context;
    z_stream *stream = &inflater->stream;
    stream->next_in = (Bytef *)bytes;
    stream->avail_in = (uInt)length;
    bool more = length > 0;
    while (more) {
        if (inflater->at_end && !inflater->members)
            return pgc_compressed_data_broken("bytes after the end", err);
        if (inflater->at_end && inflateReset(stream) != Z_OK)
            return pgc_compressed_data_broken("no next part", err);
        stream->next_out = (Bytef *)inflater->out;
        stream->avail_out = OUT_BYTES;
        int result = inflate(stream, Z_NO_FLUSH);
        inflater->at_end = result == Z_STREAM_END;
        if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
            return pgc_compressed_data_broken(stream->msg ? stream->msg : "no gzip data", err);
        size_t got = OUT_BYTES - stream->avail_out;
        if (got > 0 && target.write(target.arg, inflater->out, got, err) != 0)
            return -1;
        more = stream->avail_in > 0 || (stream->avail_out == 0 && !inflater->at_end);
    }
    *whole = inflater->at_end;
    return 0;
}

const pgc_decoder pgc_decoder_gzip = {.new_context = new_inflater, .free_context = free_inflater, .decode = inflate_all};
