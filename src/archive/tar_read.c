/*
 * The tar format, read. A file that can be sought in is looked through once, and its members are read in any order; otherwise they are read as they come, toc.dat first.
 */
#include "archive/archive_internal.h"
#include "archive/tar.h"
#include "base/grow.h"

#include <stdlib.h>
#include <string.h>

typedef struct member {
    char name[PGC_TAR_NAME + 1];
    int64_t position, size; /* of its bytes */
} member;

/* The next member's header. Gives 1 at the end of the archive. */
static int read_member(pgc_input *in, member *member, pgconvoy_error *err)
{
    for (;;) {
        char block[PGC_TAR_BLOCK];
        const char *bytes;
        int64_t offset = pgc_input_offset(in);
        ssize_t got = pgc_input_peek(in, 1, &bytes, err);
        if (got <= 0)
            return got < 0 ? -1 : 1;
        if (pgc_input_read(in, block, sizeof block, err) != 0)
            return -1;
        pgc_tar_kind kind = pgc_tar_read_header(block, member->name, &member->size);
        member->position = pgc_input_offset(in);
        if (kind == PGC_TAR_BROKEN)
            return pgc_input_broken(in, offset, err, "corrupt tar header");
        if (kind == PGC_TAR_MEMBER)
            return 0;
    }
}

static int skip_member(pgc_input *in, const member *member, pgconvoy_error *err)
{
    return pgc_input_skip(in, member->size + pgc_tar_padding(member->size), err);
}

static int compare_members(const void *a, const void *b)
{
    return strcmp(((const member *)a)->name, ((const member *)b)->name);
}

static int make_index(pgc_archive_reader *reader, pgconvoy_error *err)
{
    pgc_input *in = reader->input;
    member *members = NULL, next;
    size_t count = 0, capacity = 0;
    int result;
    while ((result = read_member(in, &next, err)) == 0) {
        if ((result = pgc_grow(&members, count, &capacity, sizeof *members, err)) != 0)
            break;
        members[count++] = next;
        if ((result = skip_member(in, &next, err)) != 0)
            break;
    }
    reader->index = members;
    reader->index_count = count;
    if (result < 0)
        return -1;
    if (count > 0)
        qsort(members, count, sizeof *members, compare_members);
    return 0;
}

static const member *find_member(const pgc_archive_reader *reader, const char *name)
{
    member wanted;
    strncpy(wanted.name, name, PGC_TAR_NAME);
    wanted.name[PGC_TAR_NAME] = '\0';
    return reader->index_count ? bsearch(&wanted, reader->index, reader->index_count, sizeof wanted, compare_members) : NULL;
}

static int not_found(const char *name, pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "could not find file \"%s\" in archive", name);
    return -1;
}

/* The bytes of a member, where the input stands at their beginning. */
static int read_bytes(pgc_input *in, const member *member, const pgc_data_target *target, pgconvoy_error *err)
{
    pgc_archive_stream stream;
    if (pgc_archive_stream_open(&stream, PGC_COMPRESSION_NONE, PGC_STREAM_FILE, in, target, err) != 0)
        return -1;
    return pgc_archive_stream_close(&stream, pgc_archive_stream_copy(&stream, in, member->size, err), err);
}

static int gather(void *arg, const char *bytes, size_t length, pgconvoy_error *err)
{
    pgc_buffer_append(arg, bytes, length);
    return pgc_buffer_check(arg, err);
}

/* ------------------------------------------------------------------ opening */

static int read_toc(pgc_archive_reader *reader, const member *member, pgconvoy_error *err)
{
    pgc_buffer toc;
    const pgc_data_target target = {.write = gather, .arg = &toc};
    pgc_buffer_init(&toc, SIZE_MAX / 2);
    int result = read_bytes(reader->input, member, &target, err);
    pgc_input *in = result == 0 ? pgc_input_of_bytes(toc.data ? toc.data : "", toc.length, "toc.dat", err) : NULL;
    result = in ? pgc_toc_read_head(in, PGC_ARCHIVE_TAR, reader->entries.arena, &reader->head, err) : -1;
    if (result == 0)
        result = pgc_toc_read_entries(in, &reader->head, &reader->entries, err);
    if (result == 0 && reader->head.compression.method != PGC_COMPRESSION_NONE) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "compression is not supported by tar archive format");
        result = -1;
    }
    pgc_input_close(in);
    pgc_buffer_free(&toc);
    return result != 0 ? -1 : pgc_input_skip(reader->input, pgc_tar_padding(member->size), err);
}

static int tar_open(pgc_archive_reader *reader, pgconvoy_error *err)
{
    if (pgc_input_can_seek(reader->input)) {
        if (make_index(reader, err) != 0)
            return -1;
        const member *toc = find_member(reader, "toc.dat");
        if (!toc)
            return not_found("toc.dat", err);
        return pgc_input_seek(reader->input, toc->position, err) != 0 ? -1 : read_toc(reader, toc, err);
    }
    member first;
    int result = read_member(reader->input, &first, err);
    if (result != 0)
        return result < 0 ? -1 : not_found("toc.dat", err);
    return strcmp(first.name, "toc.dat") == 0 ? read_toc(reader, &first, err) : not_found("toc.dat", err);
}

static bool tar_can_seek(const pgc_archive_reader *reader)
{
    return pgc_input_can_seek(reader->input);
}

static void tar_dispose(pgc_archive_reader *reader)
{
    free(reader->index);
}

/* ------------------------------------------------------------------ data, in any order */

typedef struct objects {
    const pgc_archive_reader *reader;
    pgc_input *in;
    const pgc_data_target *target;
} objects;

static int read_by_name(const objects *from, const char *name, const pgc_data_target *target, pgconvoy_error *err)
{
    const member *member = find_member(from->reader, name);
    if (!member)
        return not_found(name, err);
    return pgc_input_seek(from->in, member->position, err) != 0 ? -1 : read_bytes(from->in, member, target, err);
}

static int read_object(void *arg, uint32_t oid, const char *name, pgconvoy_error *err)
{
    const objects *objects = arg;
    if (pgc_archive_large_object(objects->target, oid, err) != 0 || read_by_name(objects, name, objects->target, err) != 0)
        return -1;
    return pgc_archive_large_object(objects->target, 0, err);
}

static int read_any(pgc_archive_reader *reader, const pgc_entry *entry, const pgc_data_target *target, pgconvoy_error *err)
{
    objects objects = {.reader = reader, .in = pgc_input_again(reader->input, err), .target = target};
    if (!objects.in)
        return -1;
    int result;
    if (pgc_entry_is_large_objects(entry)) {
        char name[64];
        pgc_buffer list;
        const pgc_data_target gathering = {.write = gather, .arg = &list};
        pgc_buffer_init(&list, (size_t)INT32_MAX);
        pgc_archive_list_name(&reader->head, entry, name);
        result = read_by_name(&objects, name, &gathering, err);
        if (result == 0)
            result = pgc_archive_read_list(list.data, list.length, name, read_object, &objects, err);
        pgc_buffer_free(&list);
    } else
        result = read_by_name(&objects, entry->file_name, target, err);
    pgc_input_close(objects.in);
    return result;
}

/* ------------------------------------------------------------------ data, as they come */

static int read_here(pgc_input *in, const member *member, const pgc_data_target *target, pgconvoy_error *err)
{
    return read_bytes(in, member, target, err) != 0 ? -1 : pgc_input_skip(in, pgc_tar_padding(member->size), err);
}

/* Large objects stand before their list. */
static int read_next(pgc_archive_reader *reader, const pgc_entry *entry, const pgc_data_target *target, pgconvoy_error *err)
{
    pgc_input *in = reader->input;
    bool objects = pgc_entry_is_large_objects(entry);
    char list[64];
    pgc_archive_list_name(&reader->head, entry, list);
    for (member member;;) {
        int result = read_member(in, &member, err);
        if (result != 0)
            return result < 0 ? -1 : not_found(objects ? list : entry->file_name, err);
        unsigned long oid = objects && strncmp(member.name, "blob_", 5) == 0 ? strtoul(member.name + 5, NULL, 10) : 0;
        if (oid > 0 && oid <= UINT32_MAX) {
            if (pgc_archive_large_object(target, (uint32_t)oid, err) != 0 || read_here(in, &member, target, err) != 0 ||
                pgc_archive_large_object(target, 0, err) != 0)
                return -1;
        } else if (!objects && strcmp(member.name, entry->file_name) == 0)
            return read_here(in, &member, target, err);
        else if (skip_member(in, &member, err) != 0)
            return -1;
        else if (objects && strcmp(member.name, list) == 0)
            return 0;
    }
}

static int tar_read(pgc_archive_reader *reader, const pgc_entry *entry, const pgc_data_target *target, pgconvoy_error *err)
{
    return tar_can_seek(reader) ? read_any(reader, entry, target, err) : read_next(reader, entry, target, err);
}

const pgc_archive_reads pgc_tar_reads = {.open = tar_open, .read = tar_read, .can_seek = tar_can_seek, .dispose = tar_dispose};
