/* Plain output; see output.h. */
#include "archive/output.h"

#include "archive/compress.h"
#include "archive/file.h"

#include <stdlib.h>

struct pgc_output {
    pgc_file *file;
    pgc_compress_pool *pool;
    pgc_compressor *compressor;
    bool sync;
};

static int write_file(void *arg, const char *bytes, size_t length, pgconvoy_error *err)
{
    return pgc_file_write(arg, bytes, length, err);
}

pgc_output *pgc_output_open(const char *path, const pgc_compression *compression, bool sync, pgconvoy_error *err)
{
    pgc_output *output = calloc(1, sizeof *output);
    if (!output) {
        (void)pgc_error_out_of_memory(err);
        return NULL;
    }
    output->sync = sync && path;
    output->file = pgc_file_create(path, err);
    if (output->file && compression->method != PGC_COMPRESSION_NONE) {
        output->pool = pgc_compress_pool_new(compression, PGC_STREAM_FILE, compression->workers > 0 ? compression->workers : pgc_cores(), err);
        if (output->pool)
            output->compressor = pgc_compressor_open(output->pool, (pgc_byte_target){write_file, output->file}, err);
    }
    if (output->file && (output->compressor || compression->method == PGC_COMPRESSION_NONE))
        return output;
    pgc_output_abandon(output);
    return NULL;
}

int pgc_output_write(pgc_output *output, const char *bytes, size_t length, pgconvoy_error *err)
{
    return output->compressor ? pgc_compressor_write(output->compressor, bytes, length, err) : pgc_file_write(output->file, bytes, length, err);
}

int pgc_output_close(pgc_output *output, pgconvoy_error *err)
{
    pgc_compressor *compressor = output->compressor;
    output->compressor = NULL;
    int result = compressor ? pgc_compressor_close(compressor, err) : 0;
    if (result == 0) {
        pgc_file *file = output->file;
        output->file = NULL;
        result = pgc_file_commit(file, output->sync, err);
    }
    pgc_output_abandon(output);
    return result;
}

void pgc_output_abandon(pgc_output *output)
{
    if (!output)
        return;
    pgc_compressor_abandon(output->compressor);
    pgc_compress_pool_free(output->pool);
    pgc_file_abandon(output->file);
    free(output);
}
