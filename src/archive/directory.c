/*
 * The directory format, written: a file for each entry's data, a file for each large object and a list of them, and toc.dat, which is written last: without it the folder is no archive. An entry's parts are
 * written at the same time and joined: streams of every method may follow each other in a file.
 */
#include "archive/archive_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* An entry that is written in parts. */
typedef struct parted {
    const pgc_entry *entry;
    pgc_file *file;
    pgc_lanes lanes;
    int left; /* parts that have not ended; guarded by the folder's lock */
    struct parted *next;
} parted;

typedef struct folder {
    bool made; /* by us */
    pthread_mutex_t lock; /* guards parted */
    parted *parted;
} folder;

/* ------------------------------------------------------------------ the folder */

static char *path_in(const pgc_archive_writer *writer, const char *name, const char *suffix, pgconvoy_error *err)
{
    char *path;
    if (asprintf(&path, "%s/%s%s", writer->path, name, suffix) >= 0)
        return path;
    (void)pgc_error_out_of_memory(err);
    return NULL;
}

static pgc_file *create_in(const pgc_archive_writer *writer, const char *name, bool compressed, pgconvoy_error *err)
{
    char *path = path_in(writer, name, compressed ? pgc_compression_suffix(writer->head.compression.method) : "", err);
    pgc_file *file = path ? pgc_file_create_in_place(path, err) : NULL;
    free(path);
    return file;
}

/* A folder that is there and empty will do. */
static bool is_empty(const char *path)
{
    DIR *dir = opendir(path);
    bool empty = dir != NULL;
    for (struct dirent *item; dir && (item = readdir(dir));)
        if (strcmp(item->d_name, ".") != 0 && strcmp(item->d_name, "..") != 0)
            empty = false;
    if (dir)
        closedir(dir);
    return empty;
}

static int directory_create(pgc_archive_writer *writer, pgconvoy_error *err)
{
    bool made = !is_empty(writer->path);
    if (made) {
        if (mkdir(writer->path, 0700) != 0) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "could not create directory \"%s\": %s", writer->path, strerror(errno));
            return -1;
        }
    }
    folder *folder = calloc(1, sizeof *folder);
    if (!folder)
        return pgc_error_out_of_memory(err);
    folder->made = made;
    pthread_mutex_init(&folder->lock, NULL);
    writer->folder = folder;
    return 0;
}

/* ------------------------------------------------------------------ data */

static int write_file(void *arg, const char *bytes, size_t length, pgconvoy_error *err)
{
    return pgc_file_write(arg, bytes, length, err);
}

/* The entry's file and its lanes, made with the first part that begins. The lock is held. */
static parted *find_parted(pgc_archive_data *data, pgconvoy_error *err)
{
    folder *folder = data->writer->folder;
    for (parted *parted = folder->parted; parted; parted = parted->next)
        if (parted->entry == data->entry)
            return parted;
    parted *parted = calloc(1, sizeof *parted);
    if (!parted) {
        (void)pgc_error_out_of_memory(err);
        return NULL;
    }
    parted->file = create_in(data->writer, data->entry->file_name, true, err);
    if (!parted->file) {
        free(parted);
        return NULL;
    }
    char *path = path_in(data->writer, "", "", err); /* of the folder, with a slash */
    if (!path) {
        pgc_file_abandon(parted->file);
        free(parted);
        return NULL;
    }
    pgc_lanes_init(&parted->lanes, parted->file, path);
    parted->lanes.in_order = true;
    parted->entry = data->entry;
    parted->left = data->part_count;
    parted->next = folder->parted;
    folder->parted = parted;
    return parted;
}

static void free_parted(parted *parted)
{
    free((char *)parted->lanes.path);
    pgc_lanes_free(&parted->lanes);
    pgc_file_abandon(parted->file);
    free(parted);
}

static int begin_part(pgc_archive_data *data, pgconvoy_error *err)
{
    folder *folder = data->writer->folder;
    pthread_mutex_lock(&folder->lock);
    parted *parted = find_parted(data, err);
    pthread_mutex_unlock(&folder->lock);
    if (!parted)
        return -1;
    data->state = parted;
    data->lane = pgc_lane_begin(&parted->lanes, data->part, NULL, err);
    return data->lane ? pgc_archive_open_stream(data, (pgc_byte_target){write_file, data->lane->file}, err) : -1;
}

static int directory_begin(pgc_archive_data *data, pgconvoy_error *err)
{
    if (data->part_count > 1)
        return begin_part(data, err);
    if (data->large_objects)
        return 0;
    data->file = create_in(data->writer, data->entry->file_name, true, err);
    return data->file ? pgc_archive_open_stream(data, (pgc_byte_target){write_file, data->file}, err) : -1;
}

static int directory_begin_object(pgc_archive_data *data, uint32_t oid, pgconvoy_error *err)
{
    char name[64];
    snprintf(name, sizeof name, "blob_%u.dat", oid);
    data->file = create_in(data->writer, name, true, err);
    return data->file ? pgc_archive_open_stream(data, (pgc_byte_target){write_file, data->file}, err) : -1;
}

static int commit(pgc_archive_data *data, pgconvoy_error *err)
{
    pgc_file *file = data->file;
    data->file = NULL;
    return pgc_file_commit(file, false, err); /* directory_finish brings all to the disk */
}

static int directory_end_object(pgc_archive_data *data, pgconvoy_error *err)
{
    pgc_buffer_format(&data->list, "%u blob_%u.dat\n", data->oid, data->oid);
    return commit(data, err);
}

static int write_list(pgc_archive_data *data, pgconvoy_error *err)
{
    if (pgc_buffer_check(&data->list, err) != 0)
        return -1;
    data->file = create_in(data->writer, data->entry->file_name, false, err);
    if (!data->file || pgc_file_write(data->file, data->list.data, data->list.length, err) != 0)
        return -1;
    return commit(data, err);
}

static int end_part(pgc_archive_data *data, pgconvoy_error *err)
{
    folder *folder = data->writer->folder;
    parted *done = data->state;
    pgc_lane *lane = data->lane;
    data->lane = NULL;
    if (pgc_lane_end(lane, err) != 0)
        return -1;
    pthread_mutex_lock(&folder->lock);
    bool last = --done->left == 0;
    for (parted **at = &folder->parted; last && *at; at = &(*at)->next)
        if (*at == done) {
            *at = done->next;
            break;
        }
    pthread_mutex_unlock(&folder->lock);
    if (!last)
        return 0;
    pgc_file *file = done->file;
    done->file = NULL;
    free_parted(done);
    return pgc_file_commit(file, false, err);
}

static int directory_end(pgc_archive_data *data, pgconvoy_error *err)
{
    if (data->large_objects)
        return write_list(data, err);
    return data->part_count > 1 ? end_part(data, err) : commit(data, err);
}

static void directory_abandon_data(pgc_archive_data *data)
{
    pgc_lane_abandon(data->lane);
    pgc_file_abandon(data->file);
    data->lane = NULL;
    data->file = NULL;
}

/* ------------------------------------------------------------------ the end */

static int write_toc(void *arg, const void *bytes, size_t length, pgconvoy_error *err)
{
    return pgc_file_write(arg, bytes, length, err);
}

/* Calls visit with the path of every file of the folder. */
static int visit_files(const pgc_archive_writer *writer, int (*visit)(const char *path, pgconvoy_error *err), pgconvoy_error *err)
{
    DIR *dir = opendir(writer->path);
    if (!dir) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_RESOURCE, "could not open directory \"%s\": %s", writer->path, strerror(errno));
        return -1;
    }
    int result = 0;
    for (struct dirent *item; result == 0 && (item = readdir(dir));) {
        if (item->d_name[0] == '.')
            continue;
        char *path = path_in(writer, item->d_name, "", err);
        result = path ? visit(path, err) : -1;
        free(path);
    }
    closedir(dir);
    return result;
}

/* All files are begun before any is waited for. */
static int start_sync(const char *path, pgconvoy_error *err)
{
    (void)err;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
        close(fd);
    }
    return 0;
}

static int sync_file(const char *path, pgconvoy_error *err)
{
    return pgc_file_sync_path(path, false, err);
}

static int sync_all(const pgc_archive_writer *writer, pgconvoy_error *err)
{
    if (visit_files(writer, start_sync, err) != 0 || visit_files(writer, sync_file, err) != 0 || pgc_file_sync_path(writer->path, true, err) != 0)
        return -1;
    char *parent = path_in(writer, "..", "", err);
    int result = parent ? pgc_file_sync_path(parent, true, err) : -1;
    free(parent);
    return result;
}

static int directory_finish(pgc_archive_writer *writer, pgconvoy_error *err)
{
    folder *folder = writer->folder;
    if (folder->parted) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_INTERNAL, "not all parts of %s were written", folder->parted->entry->tag);
        return -1;
    }
    /* The data are on the disk before the contents say that they are there. */
    if (writer->settings.sync && sync_all(writer, err) != 0)
        return -1;
    char *path = path_in(writer, "toc.dat", "", err);
    pgc_file *file = path ? pgc_file_create(path, err) : NULL;
    free(path);
    if (!file)
        return -1;
    if (pgc_toc_write(&writer->head, writer->entries, true, write_toc, file, err) != 0) {
        pgc_file_abandon(file);
        return -1;
    }
    return pgc_file_commit(file, writer->settings.sync, err);
}

static int remove_file(const char *path, pgconvoy_error *err)
{
    (void)err;
    unlink(path);
    return 0;
}

/* What stands in the folder is ours: it was made or found empty. */
static void directory_dispose(pgc_archive_writer *writer, bool finished)
{
    folder *folder = writer->folder;
    if (!folder)
        return;
    for (parted *parted = folder->parted, *next; parted; parted = next) {
        next = parted->next;
        free_parted(parted);
    }
    pgconvoy_error ignored;
    if (!finished)
        (void)visit_files(writer, remove_file, &ignored);
    if (!finished && folder->made)
        rmdir(writer->path);
    pthread_mutex_destroy(&folder->lock);
    free(folder);
}

const pgc_archive_writes pgc_directory_writes = {
    .stream = PGC_STREAM_FILE,
    .takes_parts = true,
    .create = directory_create,
    .begin = directory_begin,
    .begin_object = directory_begin_object,
    .end_object = directory_end_object,
    .end = directory_end,
    .abandon_data = directory_abandon_data,
    .finish = directory_finish,
    .dispose = directory_dispose,
};
