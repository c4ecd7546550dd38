/* How large entries' data are: the distance to the next data in a custom file, the file's size in a folder. A member of a tar file is not looked for: that would read all heads. */
#include "archive/archive_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static int compare_positions(const void *a, const void *b)
{
    int64_t x = (*(pgc_entry *const *)a)->position, y = (*(pgc_entry *const *)b)->position;
    return (x > y) - (x < y);
}

static void find_by_position(pgc_archive_reader *reader)
{
    pgc_entries *entries = &reader->entries;
    pgc_entry **sorted = calloc((size_t)entries->count + 1, sizeof(pgc_entry *));
    struct stat info;
    int count = 0;
    for (int i = 0; sorted && i < entries->count; i++)
        if (entries->items[i]->has_data && entries->items[i]->position > 0)
            sorted[count++] = entries->items[i];
    if (count > 0)
        qsort(sorted, (size_t)count, sizeof(pgc_entry *), compare_positions);
    int64_t end = count > 0 && stat(reader->path, &info) == 0 ? (int64_t)info.st_size : 0;
    for (int i = 0; i < count; i++) {
        int64_t next = i + 1 < count ? sorted[i + 1]->position : end;
        sorted[i]->data_size = next > sorted[i]->position ? next - sorted[i]->position : 0;
    }
    free(sorted);
}

static void find_by_file(pgc_archive_reader *reader)
{
    pgc_entries *entries = &reader->entries;
    for (int i = 0; i < entries->count; i++) {
        pgc_entry *entry = entries->items[i];
        struct stat info;
        char *path = NULL;
        for (int method = PGC_COMPRESSION_NONE; entry->has_data && entry->file_name && method <= PGC_COMPRESSION_ZSTD; method++) {
            if (asprintf(&path, "%s/%s%s", reader->path, entry->file_name, pgc_compression_suffix((pgc_compression_method)method)) < 0)
                return;
            bool found = stat(path, &info) == 0;
            free(path);
            if (found) {
                entry->data_size = (int64_t)info.st_size;
                break;
            }
        }
    }
}

void pgc_archive_find_sizes(pgc_archive_reader *reader)
{
    if (!reader->path)
        return;
    if (reader->format == &pgc_custom_reads)
        find_by_position(reader);
    else if (reader->format == &pgc_directory_reads)
        find_by_file(reader);
}
