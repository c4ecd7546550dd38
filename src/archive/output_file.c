/* Plain writes: whoever calls has gathered large pieces. */
#include "archive/output_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WRITE_MOST ((size_t)1 << 30)

static int fail(pgconvoy_error *err, const char *what, const char *path)
{
    int reason = errno;
    if (path)
        pgconvoy_error_set(err, PGCONVOY_ERROR_RESOURCE, "%s \"%s\": %s", what, path, strerror(reason));
    else
        pgconvoy_error_set(err, PGCONVOY_ERROR_RESOURCE, "%s: %s", what, strerror(reason));
    return -1;
}

/* A link is followed, and its name stays a link; so such a file is written as it is. */
static bool can_be_replaced(const char *path)
{
    struct stat found;
    return lstat(path, &found) != 0 ? errno == ENOENT : S_ISREG(found.st_mode);
}

int pgc_output_file_open(pgc_output_file *file, const char *path, pgconvoy_error *err)
{
    bool standard = !path || strcmp(path, "-") == 0;
    *file = (pgc_output_file){.path = standard ? NULL : path, .fd = STDOUT_FILENO};
    if (standard)
        return 0;
    if (can_be_replaced(path) && asprintf(&file->beside, "%s.part-%ld", path, (long)getpid()) < 0) {
        file->beside = NULL;
        return fail(err, "out of memory", NULL);
    }
    file->fd = open(file->beside ? file->beside : path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file->fd >= 0)
        return 0;
    free(file->beside);
    file->beside = NULL;
    return fail(err, "could not open output file", path);
}

int pgc_output_file_write(pgc_output_file *file, const char *bytes, size_t length, pgconvoy_error *err)
{
    while (length > 0) {
        ssize_t written = write(file->fd, bytes, length < WRITE_MOST ? length : WRITE_MOST);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return fail(err, "could not write to output file", NULL);
        bytes += written;
        length -= (size_t)written;
    }
    return 0;
}

int pgc_output_file_close(pgc_output_file *file, bool whole, bool sync, pgconvoy_error *err)
{
    int result = whole ? 0 : -1;
    if (result == 0 && sync && file->path && fsync(file->fd) != 0 && errno != EINVAL && errno != EROFS)
        result = fail(err, "could not write to output file", file->path);
    if (file->path && close(file->fd) != 0 && result == 0)
        result = fail(err, "could not close output file", file->path);
    if (file->beside && result == 0 && rename(file->beside, file->path) != 0)
        result = fail(err, "could not rename the output file to", file->path);
    if (file->beside && result != 0)
        (void)unlink(file->beside);
    free(file->beside);
    *file = (pgc_output_file){.fd = -1};
    return result;
}
