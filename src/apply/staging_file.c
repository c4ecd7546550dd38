/* zlib does the work; see staging_file.h. The fastest level: the network is mostly faster than what comes before it. */
#include "apply/staging_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

struct pgc_staging_file {
    int fd;
    gzFile gz;
};

static int fail(pgconvoy_error *err, const char *what, int number)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_RESOURCE, "%s a staging file: %s", what, strerror(number));
    pgconvoy_error_hint(err, "make room in the folder of the pipeline's state, or give another one with --state-dir");
    return -1;
}

/* O_TMPFILE is not on every file system. */
static int open_in(const char *folder)
{
    char path[PATH_MAX];
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || snprintf(path, sizeof path, "%s/staging-XXXXXX", folder) >= (int)sizeof path)
        return fd;
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

pgc_staging_file *pgc_staging_file_new(const char *folder, pgconvoy_error *err)
{
    pgc_staging_file *file = calloc(1, sizeof *file);
    if (!file) {
        pgc_error_out_of_memory(err);
        return NULL;
    }
    const char *elsewhere = getenv("TMPDIR");
    file->fd = -1;
    if (folder && (mkdir(folder, 0700) == 0 || errno == EEXIST))
        file->fd = open_in(folder);
    if (file->fd < 0)
        file->fd = open_in(elsewhere && *elsewhere ? elsewhere : "/tmp");
    int copy = file->fd >= 0 ? dup(file->fd) : -1;
    file->gz = copy >= 0 ? gzdopen(copy, "wb1") : NULL;
    if (file->gz)
        return file;
    fail(err, "cannot make", errno);
    if (copy >= 0)
        close(copy);
    pgc_staging_file_free(file);
    return NULL;
}

int pgc_staging_file_write(pgc_staging_file *file, const void *data, size_t length, pgconvoy_error *err)
{
    for (const char *from = data; length > 0;) {
        unsigned part = length > (1u << 30) ? 1u << 30 : (unsigned)length;
        errno = 0;
        if (gzwrite(file->gz, from, part) != (int)part)
            return fail(err, "cannot write", errno ? errno : EIO);
        from += part;
        length -= part;
    }
    return 0;
}

int pgc_staging_file_end(pgc_staging_file *file, int *fd, int64_t *size, pgconvoy_error *err)
{
    struct stat status;
    if (file->gz) {
        errno = 0;
        int closed = gzclose(file->gz);
        file->gz = NULL;
        if (closed != Z_OK)
            return fail(err, "cannot write", errno ? errno : EIO);
    }
    if (fstat(file->fd, &status) != 0)
        return fail(err, "cannot read", errno);
    *fd = file->fd;
    *size = (int64_t)status.st_size;
    return 0;
}

void pgc_staging_file_free(pgc_staging_file *file)
{
    if (!file)
        return;
    if (file->gz)
        gzclose(file->gz);
    if (file->fd >= 0)
        close(file->fd);
    free(file);
}
