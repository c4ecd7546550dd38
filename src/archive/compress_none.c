/* No compression: chunks are only gathered, so that the custom format's blocks are not as small as rows. */
#include "archive/compress_internal.h"

static int leave(pgc_chunk *chunk, pgconvoy_error *err)
{
    (void)chunk;
    (void)err;
    return 0;
}

const pgc_chunk_codec pgc_codec_none = {.chunk_bytes = (size_t)64 * 1024, .compress = leave};
