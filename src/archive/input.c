/* Files being read; see input.h. */
#include "archive/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_BYTES ((size_t)128 * 1024)

struct pgc_input {
    int fd; /* -1: bytes in memory */
    bool owns_fd, can_seek;
    char *name;
    int64_t size;      /* -1: unknown */
    int64_t file_offset; /* of the byte behind the buffer's last */
    const char *bytes; /* what is at hand: bytes[at … end-1] */
    size_t at, end;
    char *buffer;
};

int pgc_input_broken(const pgc_input *in, int64_t offset, pgconvoy_error *err, const char *format, ...)
{
    char what[512];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "\"%s\" is broken at offset %lld: %s", in->name, (long long)(offset < 0 ? pgc_input_offset(in) : offset), what);
    return -1;
}

static pgc_input *new_input(const char *name, pgconvoy_error *err)
{
    pgc_input *in = calloc(1, sizeof *in);
    if (in) {
        *in = (pgc_input){.fd = -1, .size = -1, .name = strdup(name)};
        if (in->name)
            return in;
        free(in);
    }
    (void)pgc_error_out_of_memory(err);
    return NULL;
}

pgc_input *pgc_input_open(const char *path, pgconvoy_error *err)
{
    pgc_input *in = new_input(path ? path : "standard input", err);
    if (!in)
        return NULL;
    struct stat info;
    in->owns_fd = path != NULL;
    in->fd = path ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
    if (in->fd < 0 || fstat(in->fd, &info) != 0 || (S_ISDIR(info.st_mode) && (errno = EISDIR))) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "could not open input file \"%s\": %s", in->name, strerror(errno));
        pgc_input_close(in);
        return NULL;
    }
    in->buffer = malloc(BUFFER_BYTES);
    if (!in->buffer) {
        (void)pgc_error_out_of_memory(err);
        pgc_input_close(in);
        return NULL;
    }
    off_t offset = lseek(in->fd, 0, SEEK_CUR);
    in->bytes = in->buffer;
    in->can_seek = S_ISREG(info.st_mode) && offset >= 0;
    in->file_offset = in->can_seek ? offset : 0;
    in->size = in->can_seek ? info.st_size : -1;
    return in;
}

pgc_input *pgc_input_again(const pgc_input *in, pgconvoy_error *err)
{
    pgc_input *again = new_input(in->name, err);
    if (!again)
        return NULL;
    again->fd = in->fd;
    again->can_seek = in->can_seek;
    again->size = in->size;
    if (in->fd < 0) {
        again->bytes = in->bytes;
        again->end = in->end;
        return again;
    }
    again->buffer = malloc(BUFFER_BYTES);
    again->bytes = again->buffer;
    if (again->buffer)
        return again;
    pgc_input_close(again);
    (void)pgc_error_out_of_memory(err);
    return NULL;
}

pgc_input *pgc_input_of_bytes(const char *bytes, size_t length, const char *name, pgconvoy_error *err)
{
    pgc_input *in = new_input(name, err);
    if (!in)
        return NULL;
    in->can_seek = true;
    in->bytes = bytes;
    in->end = length;
    in->size = in->file_offset = (int64_t)length;
    return in;
}

void pgc_input_close(pgc_input *in)
{
    if (!in)
        return;
    if (in->owns_fd && in->fd >= 0)
        close(in->fd);
    free(in->buffer);
    free(in->name);
    free(in);
}

const char *pgc_input_name(const pgc_input *in)
{
    return in->name;
}

bool pgc_input_can_seek(const pgc_input *in)
{
    return in->can_seek;
}

int64_t pgc_input_offset(const pgc_input *in)
{
    return in->file_offset - (int64_t)(in->end - in->at);
}

int64_t pgc_input_size(const pgc_input *in)
{
    return in->size;
}

/* More bytes behind those at hand. Returns how many; 0 at the end. */
static ssize_t fill(pgc_input *in, pgconvoy_error *err)
{
    if (in->fd < 0)
        return 0;
    if (in->at == in->end)
        in->at = in->end = 0;
    else if (in->end == BUFFER_BYTES) {
        memmove(in->buffer, in->buffer + in->at, in->end - in->at);
        in->end -= in->at;
        in->at = 0;
    }
    for (;;) {
        char *to = in->buffer + in->end;
        size_t room = BUFFER_BYTES - in->end;
        ssize_t got = in->can_seek ? pread(in->fd, to, room, in->file_offset) : read(in->fd, to, room);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_RESOURCE, "could not read from input file \"%s\" at offset %lld: %s", in->name, (long long)in->file_offset,
                               strerror(errno));
            return -1;
        }
        in->end += (size_t)got;
        in->file_offset += got;
        return got;
    }
}

ssize_t pgc_input_take(pgc_input *in, size_t length, const char **bytes, pgconvoy_error *err)
{
    if (in->at == in->end) {
        ssize_t got = fill(in, err);
        if (got <= 0)
            return got;
    }
    size_t here = in->end - in->at;
    if (here > length)
        here = length;
    *bytes = in->bytes + in->at;
    in->at += here;
    return (ssize_t)here;
}

ssize_t pgc_input_peek(pgc_input *in, size_t length, const char **bytes, pgconvoy_error *err)
{
    while (in->end - in->at < length) {
        ssize_t got = fill(in, err);
        if (got < 0)
            return -1;
        if (got == 0)
            break;
    }
    size_t here = in->end - in->at;
    *bytes = in->bytes + in->at;
    return (ssize_t)(here < length ? here : length);
}

static int ends_early(const pgc_input *in, pgconvoy_error *err)
{
    return pgc_input_broken(in, -1, err, "it ends early");
}

int pgc_input_read(pgc_input *in, void *to, size_t length, pgconvoy_error *err)
{
    for (char *at = to; length > 0;) {
        const char *bytes;
        ssize_t got = pgc_input_take(in, length, &bytes, err);
        if (got <= 0)
            return got < 0 ? -1 : ends_early(in, err);
        memcpy(at, bytes, (size_t)got);
        at += got;
        length -= (size_t)got;
    }
    return 0;
}

int pgc_input_seek(pgc_input *in, int64_t offset, pgconvoy_error *err)
{
    int64_t first = in->file_offset - (int64_t)in->end; /* of what is at hand */
    if (offset < 0 || (in->size >= 0 && offset > in->size))
        return pgc_input_broken(in, -1, err, "it points to offset %lld, behind its end", (long long)offset);
    if (offset >= first && offset <= in->file_offset)
        in->at = (size_t)(offset - first);
    else {
        in->at = in->end = 0;
        in->file_offset = offset;
    }
    return 0;
}

int pgc_input_skip(pgc_input *in, int64_t length, pgconvoy_error *err)
{
    if (in->can_seek) {
        if (length > in->size - pgc_input_offset(in))
            return ends_early(in, err);
        return pgc_input_seek(in, pgc_input_offset(in) + length, err);
    }
    while (length > 0) {
        const char *bytes;
        ssize_t got = pgc_input_take(in, length > (int64_t)BUFFER_BYTES ? BUFFER_BYTES : (size_t)length, &bytes, err);
        if (got <= 0)
            return got < 0 ? -1 : ends_early(in, err);
        length -= got;
    }
    return 0;
}
