/* Reading compressed streams, and what is not compressed the same way. */
#include "archive/compress_internal.h"

#include <stdlib.h>

struct pgc_decompressor {
    const pgc_decoder *decoder; /* NULL: not compressed */
    void *context;
    pgc_byte_target target;
    bool whole;
};

int pgc_compressed_data_broken(const char *reason, pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "could not uncompress data: %s", reason);
    return -1;
}

const char *pgc_compression_suffix(pgc_compression_method method)
{
    static const char *const suffixes[] = {"", ".gz", ".lz4", ".zst"};
    return suffixes[method];
}

static const pgc_decoder *decoder_of(pgc_compression_method method)
{
    switch (method) {
    case PGC_COMPRESSION_GZIP: return &pgc_decoder_gzip;
    case PGC_COMPRESSION_LZ4: return &pgc_decoder_lz4;
    case PGC_COMPRESSION_ZSTD: return &pgc_decoder_zstd;
    case PGC_COMPRESSION_NONE: break;
    }
    return NULL;
}

pgc_decompressor *pgc_decompressor_open(pgc_compression_method method, pgc_stream_kind kind, pgc_byte_target target, pgconvoy_error *err)
{
    pgc_decompressor *decompressor = calloc(1, sizeof *decompressor);
    if (decompressor) {
        *decompressor = (pgc_decompressor){.decoder = decoder_of(method), .target = target};
        decompressor->whole = kind == PGC_STREAM_FILE && decompressor->decoder && decompressor->decoder->empty_file_is_whole;
        if (!decompressor->decoder || (decompressor->context = decompressor->decoder->new_context(kind)))
            return decompressor;
        free(decompressor);
    }
    (void)pgc_error_out_of_memory(err);
    return NULL;
}

int pgc_decompressor_write(pgc_decompressor *decompressor, const char *bytes, size_t length, pgconvoy_error *err)
{
    if (length == 0)
        return 0;
    if (!decompressor->decoder)
        return decompressor->target.write(decompressor->target.arg, bytes, length, err);
    return decompressor->decoder->decode(decompressor->context, bytes, length, &decompressor->whole, decompressor->target, err);
}

int pgc_decompressor_close(pgc_decompressor *decompressor, pgconvoy_error *err)
{
    int result = 0;
    if (decompressor->decoder && !decompressor->whole)
        result = pgc_compressed_data_broken("it ends early", err);
    pgc_decompressor_abandon(decompressor);
    return result;
}

void pgc_decompressor_abandon(pgc_decompressor *decompressor)
{
    if (!decompressor)
        return;
    if (decompressor->decoder)
        decompressor->decoder->free_context(decompressor->context);
    free(decompressor);
}
