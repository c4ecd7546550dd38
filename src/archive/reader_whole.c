/*
 * Whether an entry's data end as pg_dump ends them. What is compressed can be cut between two members of its file, and
 * what is not at any place, and each piece is still good: only the last line tells that nothing is missing. COPY's rows
 * end with "\.", INSERT commands with an empty line; of large objects there are as many as the contents name.
 */
#include "archive/archive_internal.h"

#include <stdio.h>
#include <string.h>

static int write_on(void *arg, const char *bytes, size_t length, pgconvoy_error *err)
{
    pgc_archive_whole *whole = arg;
    size_t new_bytes = length < sizeof whole->tail ? length : sizeof whole->tail, room = sizeof whole->tail - new_bytes;
    size_t kept = whole->tail_length < room ? whole->tail_length : room;
    memmove(whole->tail, whole->tail + whole->tail_length - kept, kept);
    memcpy(whole->tail + kept, bytes + length - new_bytes, new_bytes);
    whole->tail_length = kept + new_bytes;
    return whole->target->write(whole->target->arg, bytes, length, err);
}

static int count_object(void *arg, uint32_t oid, pgconvoy_error *err)
{
    pgc_archive_whole *whole = arg;
    whole->object_count += oid != 0;
    return pgc_archive_large_object(whole->target, oid, err);
}

static bool ends_whole(const pgc_archive_whole *whole)
{
    const char *end = whole->tail + whole->tail_length, *at = end;
    while (at > whole->tail && at[-1] == '\n')
        at--;
    if (!whole->entry->copy || !whole->entry->copy[0])
        return end - at >= 2;
    bool line = at - whole->tail >= 2 && memcmp(at - 2, "\\.", 2) == 0;
    return end > at && line && (at - 2 == whole->tail || at[-3] == '\n');
}

int pgc_archive_whole_stream_end(const pgc_data_target *target, const pgc_input *in, pgconvoy_error *err)
{
    if (target->write != write_on) /* it reads something else: the contents, a list */
        return 0;
    const pgc_archive_whole *whole = target->arg;
    const pgc_entry *entry = whole->entry;
    if (strcmp(entry->description, "TABLE DATA") != 0 || ends_whole(whole))
        return 0;
    return pgc_input_broken(in, -1, err, "the data of table \"%s%s%s\" are not whole, they lack their last line", entry->schema ? entry->schema : "",
                            entry->schema && entry->schema[0] ? "." : "", entry->tag);
}

void pgc_archive_whole_begin(pgc_archive_whole *whole, const pgc_entry *entry, const pgc_data_target *target)
{
    *whole = (pgc_archive_whole){.target = target, .entry = entry};
    whole->checking =
        (pgc_data_target){.write = write_on, .large_object = target->large_object ? count_object : NULL, .arg = whole};
}

static int count_lines(const char *text)
{
    int count = 0;
    for (; text && *text; text++)
        count += *text == '\n';
    return count;
}

/* As many as the entry's BLOB METADATA lists (17), or as there are entries that make one. */
static int count_named_objects(const pgc_entries *entries, const pgc_entry *entry)
{
    int count = 0;
    for (int i = 0; i < entry->dependency_count; i++) {
        const pgc_entry *objects = pgc_entries_find(entries, entry->dependencies[i]);
        if (objects && strcmp(objects->description, "BLOB METADATA") == 0)
            count += count_lines(objects->create);
    }
    if (count > 0)
        return count;
    for (int i = 0; i < entries->count; i++)
        count += strcmp(entries->items[i]->description, "BLOB") == 0;
    return count;
}

int pgc_archive_whole_end(const pgc_archive_whole *whole, const pgc_archive_reader *reader, pgconvoy_error *err)
{
    if (!pgc_entry_is_large_objects(whole->entry))
        return 0;
    int wanted = count_named_objects(&reader->entries, whole->entry);
    if (whole->object_count >= wanted)
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "\"%s\" is broken: it has the data of %d of its %d large objects",
                       reader->path ? reader->path : "standard input", whole->object_count, wanted);
    return -1;
}
