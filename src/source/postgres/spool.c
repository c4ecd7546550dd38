/*
 * The file: "PGCSPOOL", start (8 bytes), length of the source's id (4), the id; then records: length of what follows
 * the checksum (4), checksum of it (4), kind (1), LSN (8), bytes. Numbers in the machine's own order: the file is of
 * this machine only. A record that is cut off or whose checksum is wrong ends the file, as a crash leaves it.
 */
#include "source/postgres/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAGIC "PGCSPOOL"
#define RECORD_HEAD 9 /* kind and LSN */
#define RECORD_MOST (UINT32_C(2) << 30)

struct pgc_spool {
    FILE *file;
    char *path, *bytes;
    size_t capacity;
    pgconvoy_lsn start, end;
    int64_t length;     /* written or read so far */
    int64_t end_length; /* up to and with the last mark */
};

static int file_error(const char *doing, const char *path, pgconvoy_error *err)
{
    bool full = errno == ENOSPC || errno == EDQUOT;
    pgconvoy_error_set(err, PGCONVOY_ERROR_RESOURCE, "cannot %s the spool %s: %s", doing, path, strerror(errno));
    pgconvoy_error_hint(err, full ? "make room there, or name another folder with --spool"
                                  : "check the folder that --spool names");
    return -1;
}

/* FNV-1a: against what a crash leaves, not against malice. */
static uint32_t checksum(uint32_t sum, const void *data, size_t length)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < length; i++)
        sum = (sum ^ bytes[i]) * UINT32_C(16777619);
    return sum;
}

static uint32_t record_checksum(char kind, pgconvoy_lsn lsn, const char *bytes, size_t length)
{
    uint32_t sum = checksum(UINT32_C(2166136261), &kind, 1);
    sum = checksum(sum, &lsn, sizeof lsn);
    return checksum(sum, bytes, length);
}

static bool grow(pgc_spool *spool, size_t length)
{
    if (length <= spool->capacity)
        return true;
    char *bytes = realloc(spool->bytes, length);
    if (!bytes)
        return false;
    spool->bytes = bytes;
    spool->capacity = length;
    return true;
}

/* The next record as it is in the file: 1, or 0 where the file ends or is broken, -1 out of memory. */
static int read_record(pgc_spool *spool, char *kind, pgconvoy_lsn *lsn, size_t *length)
{
    uint32_t head[2];
    if (fread(head, sizeof head, 1, spool->file) != 1 || head[0] < RECORD_HEAD || head[0] > RECORD_MOST)
        return 0;
    *length = head[0] - RECORD_HEAD;
    if (!grow(spool, *length + 1))
        return -1;
    if (fread(kind, 1, 1, spool->file) != 1 || fread(lsn, sizeof *lsn, 1, spool->file) != 1 ||
        fread(spool->bytes, 1, *length, spool->file) != *length ||
        record_checksum(*kind, *lsn, spool->bytes, *length) != head[1])
        return 0;
    spool->length += (int64_t)(sizeof head + head[0]);
    return 1;
}

static int wrong_source(const char *path, pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "the spool %s is of another source, or no spool", path);
    pgconvoy_error_hint(err, "name another folder with --spool, or remove the file if its changes are not needed");
    return -1;
}

/* Behind the file's head; spool->length is its length. 0: the head is not whole. */
static int read_head(pgc_spool *spool, const char *source_id, pgconvoy_error *err)
{
    char magic[8], id[256];
    uint32_t length;
    if (fread(magic, sizeof magic, 1, spool->file) != 1 ||
        fread(&spool->start, sizeof spool->start, 1, spool->file) != 1 ||
        fread(&length, sizeof length, 1, spool->file) != 1)
        return 0;
    if (memcmp(magic, MAGIC, sizeof magic) != 0 || length >= sizeof id)
        return wrong_source(spool->path, err);
    if (fread(id, 1, length, spool->file) != length)
        return 0;
    if (strlen(source_id) != length || memcmp(id, source_id, length) != 0)
        return wrong_source(spool->path, err);
    spool->length = (int64_t)(sizeof magic + sizeof spool->start + sizeof length + length);
    return 1;
}

/* Reads all of it for its last mark; the file is then where its records begin. Nothing in it: end is 0. */
static int scan(pgc_spool *spool, const char *source_id, pgconvoy_error *err)
{
    char kind;
    pgconvoy_lsn lsn;
    size_t length;
    spool->end = 0;
    spool->end_length = spool->length = 0;
    int got = read_head(spool, source_id, err);
    if (got <= 0)
        return got;
    int64_t records = spool->length;
    while ((got = read_record(spool, &kind, &lsn, &length)) > 0)
        if (kind == PGC_SPOOL_MARK) {
            spool->end = lsn;
            spool->end_length = spool->length;
        }
    if (got < 0)
        return pgc_error_out_of_memory(err);
    spool->length = records;
    return fseeko(spool->file, (off_t)records, SEEK_SET) == 0 ? 0 : file_error("read", spool->path, err);
}

void pgc_spool_close(pgc_spool *spool)
{
    if (!spool)
        return;
    if (spool->file)
        fclose(spool->file);
    free(spool->bytes);
    free(spool->path);
    free(spool);
}

static pgc_spool *spool_open(const char *path, const char *mode, pgconvoy_error *err)
{
    pgc_spool *spool = calloc(1, sizeof *spool);
    if (!spool || !(spool->path = strdup(path))) {
        pgc_error_out_of_memory(err);
        pgc_spool_close(spool);
        return NULL;
    }
    spool->file = fopen(path, mode);
    if (!spool->file) {
        if (errno != ENOENT || mode[0] != 'r')
            (void)file_error("open", path, err);
        pgc_spool_close(spool);
        return NULL;
    }
    return spool;
}

int pgc_spool_look(const char *path, const char *source_id, pgconvoy_lsn *start, pgconvoy_lsn *end, pgconvoy_error *err)
{
    *start = *end = 0;
    pgc_spool *spool = spool_open(path, "re", err);
    if (!spool)
        return err->code ? -1 : 0;
    int failed = scan(spool, source_id, err);
    if (!failed && spool->end) {
        *start = spool->start;
        *end = spool->end;
    }
    pgc_spool_close(spool);
    return failed;
}

pgc_spool *pgc_spool_open_read(const char *path, const char *source_id, pgconvoy_error *err)
{
    pgc_spool *spool = spool_open(path, "re", err);
    if (!spool) {
        if (!err->code)
            (void)file_error("open", path, err);
        return NULL;
    }
    if (scan(spool, source_id, err) != 0) {
        pgc_spool_close(spool);
        return NULL;
    }
    return spool;
}

int pgc_spool_read(pgc_spool *spool, char *kind, pgconvoy_lsn *lsn, const char **bytes, size_t *length,
                   pgconvoy_error *err)
{
    if (spool->length >= spool->end_length)
        return 0;
    int got = read_record(spool, kind, lsn, length);
    *bytes = spool->bytes;
    if (got > 0)
        return 1;
    if (got < 0)
        return pgc_error_out_of_memory(err);
    errno = EIO;
    return file_error("read", spool->path, err);
}

static int write_record(pgc_spool *spool, char kind, pgconvoy_lsn lsn, const char *bytes, size_t length,
                        pgconvoy_error *err)
{
    uint32_t head[2] = {(uint32_t)(length + RECORD_HEAD), record_checksum(kind, lsn, bytes, length)};
    if (fwrite(head, sizeof head, 1, spool->file) != 1 || fwrite(&kind, 1, 1, spool->file) != 1 ||
        fwrite(&lsn, sizeof lsn, 1, spool->file) != 1 || fwrite(bytes, 1, length, spool->file) != length)
        return file_error("write", spool->path, err);
    spool->length += (int64_t)(sizeof head + head[0]);
    return 0;
}

static int write_head(pgc_spool *spool, const char *source_id, pgconvoy_lsn start, pgconvoy_error *err)
{
    uint32_t length = (uint32_t)strlen(source_id);
    if (ftruncate(fileno(spool->file), 0) != 0 || fseeko(spool->file, 0, SEEK_SET) != 0 ||
        fwrite(MAGIC, 8, 1, spool->file) != 1 || fwrite(&start, sizeof start, 1, spool->file) != 1 ||
        fwrite(&length, sizeof length, 1, spool->file) != 1 || fwrite(source_id, 1, length, spool->file) != length)
        return file_error("write", spool->path, err);
    spool->start = start;
    spool->length = (int64_t)(8 + sizeof start + sizeof length + length);
    return 0;
}

/* The file's name must outlive a crash too. */
static int sync_folder(const char *path, pgconvoy_error *err)
{
    char *copy = strdup(path);
    if (!copy)
        return pgc_error_out_of_memory(err);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int failed = fd < 0 || fsync(fd) != 0 ? file_error("write", path, err) : 0;
    if (fd >= 0)
        close(fd);
    free(copy);
    return failed;
}

pgc_spool *pgc_spool_open_append(const char *path, const char *source_id, pgconvoy_lsn start, pgconvoy_error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        (void)file_error("make", path, err);
        return NULL;
    }
    close(fd);
    pgc_spool *spool = spool_open(path, "r+e", err);
    int failed = !spool || scan(spool, source_id, err) != 0;
    if (!failed && spool->end == 0)
        failed = write_head(spool, source_id, start, err);
    else if (!failed && (ftruncate(fileno(spool->file), (off_t)spool->end_length) != 0 ||
                         fseeko(spool->file, (off_t)spool->end_length, SEEK_SET) != 0))
        failed = file_error("cut", path, err);
    else if (!failed)
        spool->length = spool->end_length;
    if (!failed)
        failed = write_record(spool, PGC_SPOOL_BEGIN, 0, "", 0, err) || sync_folder(path, err);
    if (!failed)
        return spool;
    pgc_spool_close(spool);
    return NULL;
}

int pgc_spool_append(pgc_spool *spool, pgconvoy_lsn lsn, const char *bytes, size_t length, pgconvoy_error *err)
{
    return write_record(spool, PGC_SPOOL_MESSAGE, lsn, bytes, length, err);
}

int pgc_spool_mark(pgc_spool *spool, pgconvoy_lsn position, pgconvoy_error *err)
{
    if (write_record(spool, PGC_SPOOL_MARK, position, "", 0, err) != 0)
        return -1;
    if (fflush(spool->file) != 0 || fsync(fileno(spool->file)) != 0)
        return file_error("write", spool->path, err);
    return 0;
}

int64_t pgc_spool_bytes(const pgc_spool *spool)
{
    return spool->length;
}
