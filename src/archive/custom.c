/*
 * The custom format, written: head, contents, then the data of each entry as blocks. The contents are written twice: at once, so that a pipe has them too, and at the end, with the places of the data, where
 * the file can be changed.
 */
#include "archive/archive_internal.h"

static int write_file(void *arg, const void *bytes, size_t length, pgconvoy_error *err)
{
    return pgc_file_write(arg, bytes, length, err);
}

static int custom_create(pgc_archive_writer *writer, pgconvoy_error *err)
{
    pgc_buffer head;
    writer->file = pgc_file_create(writer->path, err);
    if (!writer->file)
        return -1;
    pgc_lanes_init(&writer->lanes, writer->file, writer->path);
    writer->has_lanes = true;
    pgc_buffer_init(&head, 1 << 20);
    pgc_toc_add_head(&head, &writer->head);
    int result = pgc_buffer_check(&head, err);
    if (result == 0)
        result = pgc_file_write(writer->file, head.data, head.length, err);
    pgc_buffer_free(&head);
    writer->toc_position = pgc_file_position(writer->file);
    return result != 0 ? -1 : pgc_toc_write(&writer->head, writer->entries, false, write_file, writer->file, err);
}

static int write_int(pgc_archive_data *data, int64_t value, pgconvoy_error *err)
{
    char bytes[5] = {value < 0};
    uint32_t size = (uint32_t)(value < 0 ? -value : value);
    for (int i = 0; i < 4; i++)
        bytes[1 + i] = (char)(size >> (8 * i));
    return pgc_file_write(data->lane->file, bytes, sizeof bytes, err);
}

/* A block: its length, then its bytes. */
static int write_block(void *arg, const char *bytes, size_t length, pgconvoy_error *err)
{
    pgc_archive_data *data = arg;
    if (length == 0)
        return 0;
    if (write_int(data, (int64_t)length, err) != 0)
        return -1;
    return pgc_file_write(data->lane->file, bytes, length, err);
}

static int custom_begin(pgc_archive_data *data, pgconvoy_error *err)
{
    data->lane = pgc_lane_begin(&data->writer->lanes, 0, &data->entry->position, err);
    if (!data->lane)
        return -1;
    const char kind = data->large_objects ? PGC_BLOCK_LARGE_OBJECTS : PGC_BLOCK_DATA;
    if (pgc_file_write(data->lane->file, &kind, 1, err) != 0 || write_int(data, data->entry->id, err) != 0)
        return -1;
    return data->large_objects ? 0 : pgc_archive_open_stream(data, (pgc_byte_target){write_block, data}, err);
}

/* An OID is written like any number: above 2^31 as a negative one. */
static int custom_begin_object(pgc_archive_data *data, uint32_t oid, pgconvoy_error *err)
{
    if (write_int(data, (int32_t)oid, err) != 0)
        return -1;
    return pgc_archive_open_stream(data, (pgc_byte_target){write_block, data}, err);
}

static int custom_end_object(pgc_archive_data *data, pgconvoy_error *err)
{
    return write_int(data, 0, err);
}

static int custom_end(pgc_archive_data *data, pgconvoy_error *err)
{
    if (write_int(data, 0, err) != 0)
        return -1;
    pgc_lane *lane = data->lane;
    data->lane = NULL;
    return pgc_lane_end(lane, err);
}

static void custom_abandon_data(pgc_archive_data *data)
{
    pgc_lane_abandon(data->lane);
    data->lane = NULL;
}

typedef struct patching {
    pgc_file *file;
    int64_t position;
} patching;

static int patch_file(void *arg, const void *bytes, size_t length, pgconvoy_error *err)
{
    patching *patching = arg;
    int64_t position = patching->position;
    patching->position += (int64_t)length;
    return pgc_file_patch(patching->file, position, bytes, length, err);
}

static int custom_finish(pgc_archive_writer *writer, pgconvoy_error *err)
{
    patching patching = {.file = writer->file, .position = writer->toc_position};
    if (pgc_file_can_patch(writer->file) && pgc_toc_write(&writer->head, writer->entries, false, patch_file, &patching, err) != 0)
        return -1;
    pgc_file *file = writer->file;
    writer->file = NULL;
    return pgc_file_commit(file, writer->settings.sync && writer->path, err);
}

static void custom_dispose(pgc_archive_writer *writer, bool finished)
{
    (void)finished;
    if (writer->has_lanes)
        pgc_lanes_free(&writer->lanes);
    pgc_file_abandon(writer->file);
}

const pgc_archive_writes pgc_custom_writes = {
    .stream = PGC_STREAM_BLOCK,
    .one_file = true,
    .create = custom_create,
    .begin = custom_begin,
    .begin_object = custom_begin_object,
    .end_object = custom_end_object,
    .end = custom_end,
    .abandon_data = custom_abandon_data,
    .finish = custom_finish,
    .dispose = custom_dispose,
};
