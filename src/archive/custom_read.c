/*
 * The custom format, read. Where the contents have the places of the data, and the file can be sought in, an entry's data are read from there; where they have not (the file was written to a pipe), the blocks are
 * looked through once; where the file cannot be sought in, the data are read as they come.
 */
#include "archive/archive_internal.h"

#include "base/grow.h"

#include <stdlib.h>

/* Where an entry's blocks begin, when the contents do not say so. */
typedef struct place {
    int id;
    int64_t position;
} place;

typedef struct block_index {
    place *places;
    size_t count, capacity;
    bool made;
} block_index;

static int custom_open(pgc_archive_reader *reader, pgconvoy_error *err)
{
    pgc_input *in = reader->input;
    if (pgc_toc_read_head(in, PGC_ARCHIVE_CUSTOM, reader->entries.arena, &reader->head, err) != 0 ||
        pgc_toc_read_entries(in, &reader->head, &reader->entries, err) != 0)
        return -1;
    reader->data_position = pgc_input_offset(in);
    reader->index = calloc(1, sizeof(block_index));
    return reader->index ? 0 : pgc_error_out_of_memory(err);
}

static void custom_dispose(pgc_archive_reader *reader)
{
    block_index *index = reader->index;
    if (index)
        free(index->places);
    free(index);
}

static bool custom_can_seek(const pgc_archive_reader *reader)
{
    return pgc_input_can_seek(reader->input);
}

/* ------------------------------------------------------------------ blocks */

static int read_length(pgc_archive_reader *reader, pgc_input *in, int64_t *length, pgconvoy_error *err)
{
    int64_t offset = pgc_input_offset(in);
    if (pgc_toc_read_int(in, &reader->head, length, err) != 0)
        return -1;
    return *length >= 0 ? 0 : pgc_input_broken(in, offset, err, "a block of %lld bytes", (long long)*length);
}

/* The blocks of one stream. target NULL: they are skipped. */
static int read_stream(pgc_archive_reader *reader, pgc_input *in, const pgc_data_target *target, pgconvoy_error *err)
{
    pgc_archive_stream stream;
    if (target && pgc_archive_stream_open(&stream, reader->head.compression.method, PGC_STREAM_BLOCK, in, target, err) != 0)
        return -1;
    int result;
    int64_t length = 0;
    do {
        result = read_length(reader, in, &length, err);
        if (result == 0 && length > 0)
            result = target ? pgc_archive_stream_copy(&stream, in, length, err) : pgc_input_skip(in, length, err);
    } while (result == 0 && length > 0);
    return target ? pgc_archive_stream_close(&stream, result, err) : result;
}

static int read_objects(pgc_archive_reader *reader, pgc_input *in, const pgc_data_target *target, pgconvoy_error *err)
{
    for (;;) {
        int64_t number;
        if (pgc_toc_read_int(in, &reader->head, &number, err) != 0)
            return -1;
        if (number == 0)
            return 0;
        if (target && pgc_archive_large_object(target, (uint32_t)number, err) != 0)
            return -1;
        if (read_stream(reader, in, target, err) != 0)
            return -1;
        if (target && pgc_archive_large_object(target, 0, err) != 0)
            return -1;
    }
}

static int read_blocks(pgc_archive_reader *reader, pgc_input *in, int kind, const pgc_data_target *target, pgconvoy_error *err)
{
    return kind == PGC_BLOCK_DATA ? read_stream(reader, in, target, err) : read_objects(reader, in, target, err);
}

/* What stands before an entry's blocks. Gives 1 at the end of the file. */
static int read_block_head(pgc_archive_reader *reader, pgc_input *in, int *kind, int *id, pgconvoy_error *err)
{
    const char *byte;
    int64_t offset = pgc_input_offset(in), number;
    ssize_t got = pgc_input_take(in, 1, &byte, err);
    if (got <= 0)
        return got < 0 ? -1 : 1;
    *kind = (unsigned char)*byte;
    if (*kind != PGC_BLOCK_DATA && *kind != PGC_BLOCK_LARGE_OBJECTS)
        return pgc_input_broken(in, offset, err, "unrecognized data block type (%d) while searching archive", *kind);
    if (pgc_toc_read_int(in, &reader->head, &number, err) != 0)
        return -1;
    if (number <= 0 || number > INT32_MAX)
        return pgc_input_broken(in, offset, err, "data of entry %lld", (long long)number);
    *id = (int)number;
    return 0;
}

/* ------------------------------------------------------------------ finding an entry's */

static int compare_places(const void *a, const void *b)
{
    int left = ((const place *)a)->id, right = ((const place *)b)->id;
    return (left > right) - (left < right);
}

static int add_place(block_index *index, int id, int64_t position, pgconvoy_error *err)
{
    if (pgc_grow(&index->places, index->count, &index->capacity, sizeof *index->places, err) != 0)
        return -1;
    index->places[index->count++] = (place){id, position};
    return 0;
}

/* Looks through all blocks. The lock is held. */
static int make_index(pgc_archive_reader *reader, pgc_input *in, pgconvoy_error *err)
{
    block_index *index = reader->index;
    int kind, id, result = pgc_input_seek(in, reader->data_position, err);
    index->count = 0;
    while (result == 0) {
        int64_t position = pgc_input_offset(in);
        result = read_block_head(reader, in, &kind, &id, err);
        if (result == 0)
            result = add_place(index, id, position, err);
        if (result == 0)
            result = read_blocks(reader, in, kind, NULL, err);
    }
    if (result < 0)
        return -1;
    if (index->count > 0)
        qsort(index->places, index->count, sizeof *index->places, compare_places);
    index->made = true;
    return 0;
}

static int find_place(pgc_archive_reader *reader, pgc_input *in, const pgc_entry *entry, int64_t *position, pgconvoy_error *err)
{
    block_index *index = reader->index;
    pthread_mutex_lock(&reader->lock);
    int result = index->made ? 0 : make_index(reader, in, err);
    pthread_mutex_unlock(&reader->lock);
    if (result != 0)
        return -1;
    const place wanted = {entry->id, 0};
    const place *found = index->count ? bsearch(&wanted, index->places, index->count, sizeof wanted, compare_places) : NULL;
    if (!found) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "could not find block ID %d in archive -- possibly corrupt archive", entry->id);
        return -1;
    }
    *position = found->position;
    return 0;
}

static int read_at_place(pgc_archive_reader *reader, pgc_input *in, const pgc_entry *entry, const pgc_data_target *target, pgconvoy_error *err)
{
    int64_t position = entry->position;
    int kind = 0, id = 0;
    if (position < 0 && find_place(reader, in, entry, &position, err) != 0)
        return -1;
    if (pgc_input_seek(in, position, err) != 0)
        return -1;
    int result = read_block_head(reader, in, &kind, &id, err);
    if (result != 0)
        return result < 0 ? -1 : pgc_input_broken(in, position, err, "it ends before the data of entry %d", entry->id);
    if (id != entry->id)
        return pgc_input_broken(in, position, err, "found unexpected block ID (%d) when reading data -- expected %d", id, entry->id);
    return read_blocks(reader, in, kind, target, err);
}

static int read_next(pgc_archive_reader *reader, const pgc_entry *entry, const pgc_data_target *target, pgconvoy_error *err)
{
    for (;;) {
        int kind = 0, id = 0, result = read_block_head(reader, reader->input, &kind, &id, err);
        if (result < 0)
            return -1;
        if (result > 0) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_DATA,
                               "could not find block ID %d in archive -- possibly due to out-of-order restore request, which cannot be handled due to "
                               "non-seekable input file",
                               entry->id);
            return -1;
        }
        if (id == entry->id)
            return read_blocks(reader, reader->input, kind, target, err);
        if (read_blocks(reader, reader->input, kind, NULL, err) != 0)
            return -1;
    }
}

static int custom_read(pgc_archive_reader *reader, const pgc_entry *entry, const pgc_data_target *target, pgconvoy_error *err)
{
    if (!pgc_input_can_seek(reader->input))
        return read_next(reader, entry, target, err);
    pgc_input *in = pgc_input_again(reader->input, err);
    int result = in ? read_at_place(reader, in, entry, target, err) : -1;
    pgc_input_close(in);
    return result;
}

const pgc_archive_reads pgc_custom_reads = {.open = custom_open, .read = custom_read, .can_seek = custom_can_seek, .dispose = custom_dispose};
