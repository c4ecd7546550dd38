/* Files being written; see file.h. */
#include "archive/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define GATHERED_BYTES ((size_t)128 * 1024)

struct pgc_file {
    int fd;
    bool owns_fd, can_patch;
    char *name;      /* for messages */
    char *path;      /* its name when it is whole; NULL: has none */
    char *part_path; /* what it is called until then; NULL: it is written where it is */
    int64_t position;
    char *gathered;
    size_t gathered_length;
};

static int failed(const char *what, const char *name, pgconvoy_error *err)
{
    int reason = errno;
    pgconvoy_error_set(err, PGCONVOY_ERROR_RESOURCE, "could not %s \"%s\": %s", what, name, strerror(reason));
    return -1;
}

static void close_and_free(pgc_file *file)
{
    if (file->owns_fd && file->fd >= 0)
        close(file->fd);
    free(file->name);
    free(file->path);
    free(file->part_path);
    free(file->gathered);
    free(file);
}

static pgc_file *new_file(const char *name, pgconvoy_error *err)
{
    pgc_file *file = calloc(1, sizeof *file);
    if (file) {
        *file = (pgc_file){.fd = -1, .owns_fd = true, .name = strdup(name), .gathered = malloc(GATHERED_BYTES)};
        if (file->name && file->gathered)
            return file;
        close_and_free(file);
    }
    (void)pgc_error_out_of_memory(err);
    return NULL;
}

/* What was opened: can it be sought in, and where does it stand? Bytes written to a file opened for appending go to its end whatever was sought. */
static void look_at(pgc_file *file)
{
    off_t position = lseek(file->fd, 0, SEEK_CUR);
    struct stat info;
    bool regular = fstat(file->fd, &info) == 0 && S_ISREG(info.st_mode);
    file->can_patch = regular && position >= 0 && !(fcntl(file->fd, F_GETFL) & O_APPEND);
    file->position = position >= 0 ? position : 0;
}

/* ------------------------------------------------------------------ making one */

/* /dev/stdout and the like are another's open file, whatever they lead to: nothing to give a name to. */
static bool is_anothers(const char *path)
{
    return strncmp(path, "/dev/", 5) == 0 || strncmp(path, "/proc/", 6) == 0;
}

/* The file that path means in the end: where a symbolic link leads. What it leads to is made if it is not there, so that the link stays one. */
static char *resolve(const char *path)
{
    struct stat info;
    if (is_anothers(path) || lstat(path, &info) != 0 || !S_ISLNK(info.st_mode))
        return strdup(path);
    char *real = realpath(path, NULL);
    if (!real && errno == ENOENT) {
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
        if (fd >= 0)
            close(fd);
        real = realpath(path, NULL);
    }
    return real ? real : strdup(path);
}

static int open_beside(pgc_file *file, pgconvoy_error *err)
{
    struct stat info;
    bool there = stat(file->path, &info) == 0;
    if (there && (!S_ISREG(info.st_mode) || is_anothers(file->path))) {
        file->fd = open(file->path, O_WRONLY | O_TRUNC | O_CLOEXEC); /* a pipe or device; refuses a folder */
        if (file->fd >= 0) {
            free(file->path);
            file->path = NULL;
        }
        return file->fd >= 0 ? 0 : failed("open output file", file->name, err);
    }
    if (there && access(file->path, W_OK) != 0)
        return failed("open output file", file->name, err);
    if (asprintf(&file->part_path, "%s.part-%ld", file->path, (long)getpid()) < 0) {
        file->part_path = NULL;
        return pgc_error_out_of_memory(err);
    }
    file->fd = open(file->part_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file->fd < 0 && errno == EACCES && there) { /* a file of ours in a folder that is not */
        free(file->part_path);
        file->part_path = NULL;
        file->fd = open(file->path, O_RDWR | O_TRUNC | O_CLOEXEC);
    }
    if (file->fd < 0) {
        int reason = errno;
        free(file->part_path);
        file->part_path = NULL;
        errno = reason;
        return failed("open output file", file->name, err);
    }
    if (there && file->part_path && fchmod(file->fd, info.st_mode & 07777) != 0)
        return failed("set permissions of", file->part_path, err);
    return 0;
}

pgc_file *pgc_file_create(const char *path, pgconvoy_error *err)
{
    pgc_file *file = new_file(path ? path : "standard output", err);
    if (!file)
        return NULL;
    if (!path) {
        file->fd = STDOUT_FILENO;
        file->owns_fd = false;
    } else {
        file->path = resolve(path);
        if (!file->path ? pgc_error_out_of_memory(err) : open_beside(file, err)) {
            pgc_file_abandon(file);
            return NULL;
        }
    }
    look_at(file);
    return file;
}

pgc_file *pgc_file_create_in_place(const char *path, pgconvoy_error *err)
{
    pgc_file *file = new_file(path, err);
    if (!file)
        return NULL;
    file->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file->fd < 0 || !(file->path = strdup(path))) {
        (void)(file->fd < 0 ? failed("open output file", path, err) : pgc_error_out_of_memory(err));
        close_and_free(file);
        return NULL;
    }
    look_at(file);
    return file;
}

/* "" for a name without a folder is the current one. */
static void folder_of(const char *path, char folder[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        snprintf(folder, PATH_MAX, ".");
    else
        snprintf(folder, PATH_MAX, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}

static int open_nameless(const char *folder)
{
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0)
        return fd;
    char name[PATH_MAX + 32]; /* a file system without nameless files */
    snprintf(name, sizeof name, "%s/pgconvoy-XXXXXX", folder);
    fd = mkostemp(name, O_CLOEXEC);
    if (fd >= 0)
        unlink(name);
    return fd;
}

pgc_file *pgc_file_spool(const char *path, pgconvoy_error *err)
{
    char folder[PATH_MAX];
    const char *temporary = getenv("TMPDIR");
    if (path)
        folder_of(path, folder);
    else
        snprintf(folder, sizeof folder, "%s", temporary && *temporary ? temporary : "/tmp");
    pgc_file *file = new_file(folder, err);
    if (!file)
        return NULL;
    file->fd = open_nameless(folder);
    if (file->fd < 0) {
        (void)failed("make a temporary file in", folder, err);
        close_and_free(file);
        return NULL;
    }
    look_at(file);
    return file;
}

/* ------------------------------------------------------------------ writing */

bool pgc_file_can_patch(const pgc_file *file)
{
    return file->can_patch;
}

int64_t pgc_file_position(const pgc_file *file)
{
    return file->position;
}

/* At the position; -1: at the end. */
static int write_out(pgc_file *file, const char *bytes, size_t length, int64_t position, pgconvoy_error *err)
{
    while (length > 0) {
        ssize_t wrote = position < 0 ? write(file->fd, bytes, length) : pwrite(file->fd, bytes, length, position);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote == 0)
            errno = ENOSPC;
        if (wrote <= 0)
            return failed("write to output file", file->name, err);
        bytes += wrote;
        length -= (size_t)wrote;
        position += position < 0 ? 0 : wrote;
    }
    return 0;
}

static int flush(pgc_file *file, pgconvoy_error *err)
{
    size_t length = file->gathered_length;
    file->gathered_length = 0;
    return write_out(file, file->gathered, length, -1, err);
}

int pgc_file_write(pgc_file *file, const void *bytes, size_t length, pgconvoy_error *err)
{
    file->position += (int64_t)length;
    if (length > GATHERED_BYTES - file->gathered_length) {
        if (flush(file, err) != 0)
            return -1;
        if (length >= GATHERED_BYTES / 2)
            return write_out(file, bytes, length, -1, err);
    }
    if (length > 0)
        memcpy(file->gathered + file->gathered_length, bytes, length);
    file->gathered_length += length;
    return 0;
}

int pgc_file_patch(pgc_file *file, int64_t position, const void *bytes, size_t length, pgconvoy_error *err)
{
    return flush(file, err) != 0 ? -1 : write_out(file, bytes, length, position, err);
}

/* Bytes through our own memory, for where the kernel does not copy between two files. */
static int copy_by_hand(pgc_file *file, pgc_file *spool, int64_t from, pgconvoy_error *err)
{
    while (from < spool->position) {
        int64_t left = spool->position - from;
        ssize_t got = pread(spool->fd, file->gathered, left < (int64_t)GATHERED_BYTES ? (size_t)left : GATHERED_BYTES, from);
        if (got < 0 && errno == EINTR)
            continue;
        if (got == 0)
            errno = EIO;
        if (got <= 0)
            return failed("read temporary file in", spool->name, err);
        if (write_out(file, file->gathered, (size_t)got, -1, err) != 0)
            return -1;
        from += got;
    }
    return 0;
}

int pgc_file_append_spool(pgc_file *file, pgc_file *spool, pgconvoy_error *err)
{
    if (flush(file, err) != 0 || flush(spool, err) != 0)
        return -1;
    off_t from = 0;
    file->position += spool->position;
    while (from < spool->position) {
        ssize_t copied = copy_file_range(spool->fd, &from, file->fd, NULL, (size_t)(spool->position - from), 0);
        if (copied < 0 && errno == ENOSPC)
            return failed("write to output file", file->name, err);
        if (copied <= 0)
            return copy_by_hand(file, spool, from, err);
    }
    return 0;
}

/* ------------------------------------------------------------------ the end of one */

int pgc_file_sync_path(const char *path, bool folder, pgconvoy_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | (folder ? O_DIRECTORY : 0));
    if (fd < 0)
        return failed("open", path, err);
    int result = fsync(fd);
    if (result != 0 && folder && (errno == EINVAL || errno == EBADF)) /* file systems that have no such thing */
        result = 0;
    if (result != 0)
        (void)failed("write to the disk:", path, err);
    close(fd);
    return result;
}

static int take_name(pgc_file *file, bool sync, pgconvoy_error *err)
{
    struct stat info;
    bool regular = fstat(file->fd, &info) == 0 && S_ISREG(info.st_mode);
    if (sync && regular && file->owns_fd && fsync(file->fd) != 0)
        return failed("write to the disk:", file->name, err);
    if (file->owns_fd) {
        int fd = file->fd;
        file->fd = -1;
        if (close(fd) != 0)
            return failed("close output file", file->name, err);
    }
    if (!file->part_path)
        return 0;
    if (rename(file->part_path, file->path) != 0)
        return failed("rename output file to", file->name, err);
    free(file->part_path);
    file->part_path = NULL;
    char folder[PATH_MAX];
    folder_of(file->path, folder);
    return sync ? pgc_file_sync_path(folder, true, err) : 0;
}

int pgc_file_commit(pgc_file *file, bool sync, pgconvoy_error *err)
{
    if (flush(file, err) != 0 || take_name(file, sync, err) != 0) {
        pgc_file_abandon(file);
        return -1;
    }
    close_and_free(file);
    return 0;
}

void pgc_file_abandon(pgc_file *file)
{
    if (!file)
        return;
    if (file->part_path)
        unlink(file->part_path);
    else if (file->path && file->fd >= 0 && file->can_patch)
        (void)!ftruncate(file->fd, 0);
    close_and_free(file);
}
