/*
 * Fuzzes the reading of archives. An input is a byte of options (bit 0: it comes through a pipe) and a file of the custom or tar format. Whatever stands in it: it is read or refused with a reason, and what was
 * read is not more than the target wants.
 */
#include "archive/archive.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define MUST(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST_BYTES   ((size_t)4 << 20) /* of what little input can be unpacked to */
#define MOST_IN_PIPE ((size_t)60000)

typedef struct reading {
    size_t bytes;
    uint32_t oid;
} reading;

static int take(void *arg, const char *bytes, size_t length, pgconvoy_error *err)
{
    reading *reading = arg;
    MUST(length > 0 && bytes);
    reading->bytes += length;
    if (reading->bytes <= MOST_BYTES)
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_RESOURCE, "enough");
    return -1;
}

static int take_object(void *arg, uint32_t oid, pgconvoy_error *err)
{
    reading *reading = arg;
    (void)err;
    MUST((oid == 0) != (reading->oid == 0)); /* begin and end take turns */
    reading->oid = oid;
    return 0;
}

static void read_all(void)
{
    pgconvoy_error err = {0};
    pgc_archive_reader *reader = pgc_archive_open(NULL, PGC_ARCHIVE_UNKNOWN, &err);
    if (!reader) {
        MUST(err.message[0]);
        return;
    }
    const pgc_entries *entries = pgc_archive_read_entries(reader);
    for (int i = 0; i < entries->count && i < 100; i++) {
        const pgc_entry *entry = entries->items[i];
        reading reading = {0};
        const pgc_data_target target = {.write = take, .large_object = take_object, .arg = &reading};
        MUST(entry->tag && entry->description && entry->owner && entry->id > 0);
        err = (pgconvoy_error){0};
        if (pgc_archive_read_data(reader, entry, &target, &err) != 0)
            MUST(err.message[0]);
        else
            MUST(reading.oid == 0);
    }
    pgc_archive_close(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int ends[2];
    if (size < 1)
        return 0;
    bool pipe_it = data[0] & 1 && size <= MOST_IN_PIPE;
    if (pipe_it)
        MUST(pipe(ends) == 0);
    else
        MUST((ends[0] = ends[1] = memfd_create("archive", 0)) >= 0);
    MUST(write(ends[1], data + 1, size - 1) == (ssize_t)size - 1);
    if (pipe_it)
        close(ends[1]);
    else
        MUST(lseek(ends[0], 0, SEEK_SET) == 0);
    MUST(dup2(ends[0], STDIN_FILENO) == STDIN_FILENO);
    close(ends[0]);
    read_all();
    return 0;
}
