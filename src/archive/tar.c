/*
 * The tar format, written: toc.dat, then a member for each entry's data and each large object, restore.sql at the end. A member's size stands before it, so it is patched in when the member is whole; where that
 * cannot be done the members of an entry are first written to a file without a name.
 */
#include "archive/archive_internal.h"
#include "archive/tar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char zeros[PGC_TAR_BLOCK * 2];

static int write_header(pgc_file *file, int64_t position, const char *name, int64_t size, pgconvoy_error *err)
{
    char block[PGC_TAR_BLOCK];
    pgc_tar_make_header(block, name, size, (int64_t)time(NULL));
    if (position >= 0)
        return pgc_file_patch(file, position, block, sizeof block, err);
    return pgc_file_write(file, block, sizeof block, err);
}

/* A member that is in memory. */
static int write_member(pgc_file *file, const char *name, const char *bytes, size_t length, pgconvoy_error *err)
{
    if (write_header(file, -1, name, (int64_t)length, err) != 0 || pgc_file_write(file, bytes, length, err) != 0)
        return -1;
    return pgc_file_write(file, zeros, (size_t)pgc_tar_padding((int64_t)length), err);
}

static int add_bytes(void *arg, const void *bytes, size_t length, pgconvoy_error *err)
{
    (void)err;
    pgc_buffer_append(arg, bytes, length);
    return 0;
}

static int tar_create(pgc_archive_writer *writer, pgconvoy_error *err)
{
    writer->file = pgc_file_create(writer->path, err);
    if (!writer->file)
        return -1;
    pgc_lanes_init(&writer->lanes, writer->file, writer->path);
    writer->lanes.patches = true;
    writer->has_lanes = true;
    pgc_buffer toc;
    pgc_buffer_init(&toc, SIZE_MAX / 2);
    int result = pgc_toc_write(&writer->head, writer->entries, true, add_bytes, &toc, err);
    if (result == 0)
        result = pgc_buffer_check(&toc, err);
    if (result == 0)
        result = write_member(writer->file, "toc.dat", toc.data, toc.length, err);
    pgc_buffer_free(&toc);
    return result;
}

/* ------------------------------------------------------------------ data */

static int write_data(void *arg, const char *bytes, size_t length, pgconvoy_error *err)
{
    return pgc_file_write(arg, bytes, length, err);
}

static int begin_member(pgc_archive_data *data, pgconvoy_error *err)
{
    pgc_file *file = data->lane->file;
    data->member_position = pgc_file_position(file);
    if (pgc_file_write(file, zeros, PGC_TAR_BLOCK, err) != 0)
        return -1;
    return pgc_archive_open_stream(data, (pgc_byte_target){write_data, file}, err);
}

static int end_member(pgc_archive_data *data, const char *name, pgconvoy_error *err)
{
    pgc_file *file = data->lane->file;
    int64_t size = pgc_file_position(file) - data->member_position - PGC_TAR_BLOCK;
    if (pgc_file_write(file, zeros, (size_t)pgc_tar_padding(size), err) != 0)
        return -1;
    return write_header(file, data->member_position, name, size, err);
}

static int tar_begin(pgc_archive_data *data, pgconvoy_error *err)
{
    data->lane = pgc_lane_begin(&data->writer->lanes, 0, NULL, err);
    if (!data->lane)
        return -1;
    return data->large_objects ? 0 : begin_member(data, err);
}

static int tar_begin_object(pgc_archive_data *data, uint32_t oid, pgconvoy_error *err)
{
    (void)oid;
    return begin_member(data, err);
}

static int tar_end_object(pgc_archive_data *data, pgconvoy_error *err)
{
    char name[64];
    snprintf(name, sizeof name, "blob_%u.dat", data->oid);
    pgc_buffer_format(&data->list, "%u %s\n", data->oid, name);
    return end_member(data, name, err);
}

static int tar_end(pgc_archive_data *data, pgconvoy_error *err)
{
    char name[64];
    pgc_archive_list_name(&data->writer->head, data->entry, name);
    int result = pgc_buffer_check(&data->list, err);
    if (result == 0)
        result = data->large_objects ? write_member(data->lane->file, name, data->list.data ? data->list.data : "", data->list.length, err)
                                     : end_member(data, data->entry->file_name, err);
    if (result != 0)
        return -1;
    pgc_lane *lane = data->lane;
    data->lane = NULL;
    return pgc_lane_end(lane, err);
}

static void tar_abandon_data(pgc_archive_data *data)
{
    pgc_lane_abandon(data->lane);
    data->lane = NULL;
}

/* ------------------------------------------------------------------ the end */

static int tar_finish(pgc_archive_writer *writer, pgconvoy_error *err)
{
    const char *script = writer->settings.restore_sql;
    if (script && write_member(writer->file, "restore.sql", script, strlen(script), err) != 0)
        return -1;
    if (pgc_file_write(writer->file, zeros, sizeof zeros, err) != 0)
        return -1;
    pgc_file *file = writer->file;
    writer->file = NULL;
    return pgc_file_commit(file, writer->settings.sync && writer->path, err);
}

static void tar_dispose(pgc_archive_writer *writer, bool finished)
{
    (void)finished;
    if (writer->has_lanes)
        pgc_lanes_free(&writer->lanes);
    pgc_file_abandon(writer->file);
}

const pgc_archive_writes pgc_tar_writes = {
    .stream = PGC_STREAM_FILE,
    .one_file = true,
    .create = tar_create,
    .begin = tar_begin,
    .begin_object = tar_begin_object,
    .end_object = tar_end_object,
    .end = tar_end,
    .abandon_data = tar_abandon_data,
    .finish = tar_finish,
    .dispose = tar_dispose,
};
