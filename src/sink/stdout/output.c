/* Standard output; see output.h. */
#include "sink/stdout/output.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_START "{\"op\":\""

static int fail(pgconvoy_error *err, const char *doing)
{
    int cause = errno;
    pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "cannot %s standard output: %s", doing, strerror(cause));
    if (cause == EPIPE)
        pgconvoy_error_hint(
            err, "the program that reads it has ended; run the same command again and it goes on where it was");
    else if (cause == ENOSPC || cause == EDQUOT || cause == EFBIG)
        pgconvoy_error_hint(err, "free some space, then run the same command again: it goes on where it was");
    else
        pgconvoy_error_hint(err, "direct standard output to a file or a program that can be written to");
    return -1;
}

int pgc_stdout_output_open(pgc_stdout_output *output, int fd, pgconvoy_error *err)
{
    memset(output, 0, sizeof *output);
    output->fd = fd;
    struct stat info;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fstat(fd, &info) != 0)
        return fail(err, "use");
    if ((flags & O_ACCMODE) == O_RDONLY) {
        errno = EBADF;
        return fail(err, "write to");
    }
    if (!S_ISREG(info.st_mode))
        return 0;
    output->is_file = true;
    output->device = (uint64_t)info.st_dev;
    output->inode = (uint64_t)info.st_ino;
    output->offset = flags & O_APPEND ? (int64_t)info.st_size : (int64_t)lseek(fd, 0, SEEK_CUR);
    return output->offset < 0 ? fail(err, "find the position in") : 0;
}

void pgc_stdout_output_note(const pgc_stdout_output *output, char *note)
{
    note[0] = '\0';
    if (output->is_file)
        snprintf(note, PGC_OUTPUT_NOTE_SIZE, "%" PRIu64 " %" PRIu64 " %" PRId64, output->device, output->inode,
                 output->offset);
}

/* True when a line of ours starts at offset. The descriptor itself is mostly open for writing only. */
static bool is_our_line(const pgc_stdout_output *output, int64_t offset)
{
    char path[40], start[sizeof LINE_START - 1];
    snprintf(path, sizeof path, "/proc/self/fd/%d", output->fd);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t got = pread(fd, start, sizeof start, (off_t)offset);
    close(fd);
    /* a line that the crash cut short may be only the beginning of this */
    return got > 0 && memcmp(start, LINE_START, (size_t)got) == 0;
}

int pgc_stdout_output_resume(pgc_stdout_output *output, const char *note, pgconvoy_log *log, pgconvoy_error *err)
{
    uint64_t device, inode;
    int64_t offset;
    if (!note || note[0] == '\0')
        return 0; /* it was no file before: nothing can be known of it */
    struct stat info;
    if (sscanf(note, "%" SCNu64 " %" SCNu64 " %" SCNd64, &device, &inode, &offset) != 3 || !output->is_file ||
        device != output->device || inode != output->inode || fstat(output->fd, &info) != 0 || info.st_size < offset) {
        pgc_log_info(log,
                     "standard output is not the file that was written before: it goes on behind the last checkpoint");
        return 0;
    }
    if (info.st_size == offset)
        return 0;
    if (!is_our_line(output, offset)) {
        pgc_log_warning(
            log, "standard output has lines of others behind the last checkpoint: it is left as it is, and changes "
                 "written after that checkpoint may come twice");
        return 0;
    }
    pgc_log_info(log, "cut off %" PRId64 " bytes of standard output that were written after the last checkpoint",
                 (int64_t)info.st_size - offset);
    return pgc_stdout_output_cut(output, offset, err);
}

/* Waits until a descriptor that does not block takes more. */
static void wait_writable(int fd)
{
    struct pollfd poller = {.fd = fd, .events = POLLOUT};
    (void)poll(&poller, 1, 1000);
}

int pgc_stdout_output_write(pgc_stdout_output *output, const char *data, size_t length, pgconvoy_error *err)
{
    while (length > 0) {
        ssize_t n = write(output->fd, data, length);
        if (n < 0 && errno == EAGAIN)
            wait_writable(output->fd);
        else if (n < 0 && errno != EINTR)
            return fail(err, "write to");
        if (n > 0) {
            data += n;
            length -= (size_t)n;
            output->offset += n;
        }
    }
    if (output->is_file) {
        /* in append mode the lines stand where the file ended, wherever we were */
        off_t position = lseek(output->fd, 0, SEEK_CUR);
        if (position >= 0)
            output->offset = (int64_t)position;
    }
    return 0;
}

int pgc_stdout_output_sync(pgc_stdout_output *output, pgconvoy_error *err)
{
    if (!output->is_file || fdatasync(output->fd) == 0)
        return 0;
    return fail(err, "sync");
}

int pgc_stdout_output_cut(pgc_stdout_output *output, int64_t offset, pgconvoy_error *err)
{
    if (ftruncate(output->fd, (off_t)offset) != 0 || lseek(output->fd, (off_t)offset, SEEK_SET) < 0)
        return fail(err, "cut");
    output->offset = offset;
    return 0;
}
