/* The head and the table of contents, read. Nothing in the file is believed: every length is held against what is left of it. */
#include "archive/toc.h"

#include "base/grow.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LARGEST_TEXT    ((size_t)INT32_MAX)
#define OLDEST_MINOR    12
#define NEWEST_MINOR    16
#define LARGEST_INTEGER 8

/* The reading of a head or of contents. */
typedef struct reading {
    pgc_input *in;
    const pgc_archive_head *head; /* its integers' size */
    pgc_arena *arena;
    pgc_buffer text;
    pgconvoy_error *err;
} reading;

/* ------------------------------------------------------------------ numbers and texts */

int pgc_toc_read_int(pgc_input *in, const pgc_archive_head *head, int64_t *value, pgconvoy_error *err)
{
    unsigned char bytes[1 + LARGEST_INTEGER];
    int64_t offset = pgc_input_offset(in);
    if (pgc_input_read(in, bytes, 1 + (size_t)head->int_size, err) != 0)
        return -1;
    uint64_t size = 0;
    for (int i = head->int_size; i > 0; i--)
        size = size << 8 | bytes[i];
    if (size > (uint64_t)INT32_MAX + 1 || bytes[0] > 1)
        return pgc_input_broken(in, offset, err, "no number stands there");
    *value = bytes[0] ? -(int64_t)size : (int64_t)size;
    return 0;
}

static int read_int(reading *reading, int *value)
{
    int64_t wide = 0;
    int64_t offset = pgc_input_offset(reading->in);
    if (pgc_toc_read_int(reading->in, reading->head, &wide, reading->err) != 0)
        return -1;
    if (wide > INT_MAX || wide < INT_MIN)
        return pgc_input_broken(reading->in, offset, reading->err, "the number %lld is too large", (long long)wide);
    *value = (int)wide;
    return 0;
}

/* A text of what is left of the file, into reading->text. *there false: none. */
static int read_bytes(reading *reading, bool *there)
{
    pgc_input *in = reading->in;
    int64_t offset = pgc_input_offset(in);
    int length;
    if (read_int(reading, &length) != 0)
        return -1;
    *there = length >= 0;
    pgc_buffer_reset(&reading->text);
    if (length <= 0)
        return 0;
    if (pgc_input_size(in) >= 0 && length > pgc_input_size(in) - pgc_input_offset(in))
        return pgc_input_broken(in, offset, reading->err, "a text of %d bytes is longer than the rest of the file", length);
    for (size_t left = (size_t)length; left > 0;) { /* grows as bytes come: a pipe's length is not known */
        const char *bytes;
        ssize_t got = pgc_input_take(in, left, &bytes, reading->err);
        if (got <= 0)
            return got < 0 ? -1 : pgc_input_broken(in, -1, reading->err, "it ends early");
        pgc_buffer_append(&reading->text, bytes, (size_t)got);
        left -= (size_t)got;
    }
    return pgc_buffer_check(&reading->text, reading->err);
}

/* *text NULL: none. */
static int read_text(reading *reading, const char **text)
{
    bool there;
    if (read_bytes(reading, &there) != 0)
        return -1;
    *text = NULL;
    if (!there)
        return 0;
    *text = pgc_arena_strndup(reading->arena, reading->text.length ? reading->text.data : "", reading->text.length);
    return *text ? 0 : pgc_error_out_of_memory(reading->err);
}

/* A number that stands as a text. Gives 1 where there is no text. */
static int read_number_text(reading *reading, int64_t largest, int64_t *number)
{
    int64_t offset = pgc_input_offset(reading->in);
    bool there;
    if (read_bytes(reading, &there) != 0)
        return -1;
    if (!there)
        return 1;
    char *end = NULL;
    *number = reading->text.length ? strtoll(reading->text.data, &end, 10) : -1;
    if (!end || end != reading->text.data + reading->text.length || *number < 0 || *number > largest)
        return pgc_input_broken(reading->in, offset, reading->err, "no number stands there");
    return 0;
}

/* ------------------------------------------------------------------ the head */

static int read_sizes(pgc_input *in, pgc_archive_format expected, pgc_archive_head *head, pgconvoy_error *err)
{
    unsigned char bytes[11];
    int format = expected == PGC_ARCHIVE_CUSTOM ? 1 : 3;
    if (pgc_input_read(in, bytes, sizeof bytes, err) != 0)
        return -1;
    if (memcmp(bytes, "PGDMP", 5) != 0)
        return pgc_input_broken(in, 0, err, "did not find magic string in file header");
    if (bytes[5] != 1 || bytes[6] < OLDEST_MINOR || bytes[6] > NEWEST_MINOR) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "unsupported version (%d.%d) in file header", bytes[5], bytes[6]);
        pgconvoy_error_hint(err, "archives of the versions 1.%d to 1.%d can be read", OLDEST_MINOR, NEWEST_MINOR);
        return -1;
    }
    if (bytes[8] < 1 || bytes[8] > LARGEST_INTEGER)
        return pgc_input_broken(in, 8, err, "sanity check on integer size (%d) failed", bytes[8]);
    if (bytes[9] < 1 || bytes[9] > LARGEST_INTEGER)
        return pgc_input_broken(in, 9, err, "offsets of %d bytes", bytes[9]);
    if (bytes[10] != format)
        return pgc_input_broken(in, 10, err, "expected format (%d) differs from format found in file (%d)", format, bytes[10]);
    *head = (pgc_archive_head){.major = bytes[5], .minor = bytes[6], .revision = bytes[7], .int_size = bytes[8], .offset_size = bytes[9], .format = expected};
    return 0;
}

static int read_compression(reading *reading, pgc_archive_head *head)
{
    int64_t offset = pgc_input_offset(reading->in);
    unsigned char method;
    int level;
    head->compression.level = PGC_COMPRESSION_DEFAULT;
    if (pgc_head_since(head, 15)) {
        if (pgc_input_read(reading->in, &method, 1, reading->err) != 0)
            return -1;
        if (method > PGC_COMPRESSION_ZSTD)
            return pgc_input_broken(reading->in, offset, reading->err, "invalid compression code: %d", method);
        head->compression.method = (pgc_compression_method)method;
        return 0;
    }
    if (read_int(reading, &level) != 0)
        return -1;
    if (level < -1 || level > 9)
        return pgc_input_broken(reading->in, offset, reading->err, "invalid compression code: %d", level);
    head->compression.method = level ? PGC_COMPRESSION_GZIP : PGC_COMPRESSION_NONE;
    if (level >= 0)
        head->compression.level = level;
    return 0;
}

static int read_date(reading *reading, pgc_archive_head *head)
{
    struct tm date = {0};
    int *const parts[] = {&date.tm_sec, &date.tm_min, &date.tm_hour, &date.tm_mday, &date.tm_mon, &date.tm_year, &date.tm_isdst};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (read_int(reading, parts[i]) != 0)
            return -1;
    struct tm kept = date;
    time_t at = mktime(&date);
    if (at == (time_t)-1) { /* summer time that is none here */
        kept.tm_isdst = -1;
        at = mktime(&kept);
    }
    head->created = (int64_t)at;
    return 0;
}

int pgc_toc_read_head(pgc_input *in, pgc_archive_format expected, pgc_arena *arena, pgc_archive_head *head, pgconvoy_error *err)
{
    if (read_sizes(in, expected, head, err) != 0)
        return -1;
    reading reading = {.in = in, .head = head, .arena = arena, .err = err};
    pgc_buffer_init(&reading.text, LARGEST_TEXT);
    bool failed = read_compression(&reading, head) != 0 || read_date(&reading, head) != 0 || read_text(&reading, &head->database_name) != 0 ||
                  read_text(&reading, &head->server_version) != 0 || read_text(&reading, &head->dump_version) != 0;
    pgc_buffer_free(&reading.text);
    return failed ? -1 : 0;
}

/* ------------------------------------------------------------------ the contents */

static int read_dependencies(reading *reading, pgc_entry *entry)
{
    int *ids = NULL;
    int count = 0, capacity = 0, result;
    int64_t id;
    while ((result = read_number_text(reading, INT_MAX, &id)) == 0) {
        if ((result = pgc_grow_int(&ids, count, &capacity, sizeof *ids, reading->err)) != 0)
            break;
        ids[count++] = (int)id;
    }
    if (result > 0 && count > 0) {
        entry->dependencies = pgc_arena_alloc(reading->arena, (size_t)count * sizeof *ids);
        if (entry->dependencies)
            memcpy(entry->dependencies, ids, (size_t)count * sizeof *ids);
        else
            result = pgc_error_out_of_memory(reading->err);
    }
    entry->dependency_count = entry->dependencies ? count : 0;
    free(ids);
    return result < 0 ? -1 : 0;
}

static int read_position(reading *reading, pgc_entry *entry)
{
    unsigned char bytes[1 + LARGEST_INTEGER];
    int64_t offset = pgc_input_offset(reading->in);
    int size = reading->head->offset_size;
    if (pgc_input_read(reading->in, bytes, 1 + (size_t)size, reading->err) != 0)
        return -1;
    uint64_t position = 0;
    for (int i = size; i > 0; i--)
        position = position << 8 | bytes[i];
    if (bytes[0] < PGC_POSITION_UNKNOWN || bytes[0] > PGC_POSITION_NO_DATA)
        return pgc_input_broken(reading->in, offset, reading->err, "unexpected data offset flag %d", bytes[0]);
    if (bytes[0] == PGC_POSITION_KNOWN && position > INT64_MAX)
        return pgc_input_broken(reading->in, offset, reading->err, "file offset in dump file is too large");
    entry->position = bytes[0] == PGC_POSITION_KNOWN ? (int64_t)position : -1;
    entry->has_data &= bytes[0] != PGC_POSITION_NO_DATA;
    return 0;
}

static int read_file_name(reading *reading, pgc_entry *entry)
{
    int64_t offset = pgc_input_offset(reading->in);
    if (read_text(reading, &entry->file_name) != 0)
        return -1;
    if (entry->file_name && strchr(entry->file_name, '/')) /* a file of the archive, never one elsewhere */
        return pgc_input_broken(reading->in, offset, reading->err, "file name \"%s\" leads out of the archive", entry->file_name);
    if (entry->file_name && !*entry->file_name)
        entry->file_name = NULL;
    entry->has_data &= entry->file_name != NULL;
    return 0;
}

static int read_ids(reading *reading, pgc_entry *entry)
{
    int64_t offset = pgc_input_offset(reading->in), class_oid = 0, oid = 0;
    int had_data;
    if (read_int(reading, &entry->id) != 0)
        return -1;
    if (entry->id <= 0)
        return pgc_input_broken(reading->in, offset, reading->err, "entry ID %d out of range -- perhaps a corrupt TOC", entry->id);
    if (read_int(reading, &had_data) != 0 || read_number_text(reading, UINT32_MAX, &class_oid) < 0 || read_number_text(reading, UINT32_MAX, &oid) < 0)
        return -1;
    entry->has_data = had_data != 0;
    entry->class_oid = (uint32_t)class_oid;
    entry->oid = (uint32_t)oid;
    return 0;
}

static int read_entry(reading *reading, pgc_entry *entry)
{
    const pgc_archive_head *head = reading->head;
    const char *with_oids;
    int section, kind = 0;
    if (read_ids(reading, entry) != 0 || read_text(reading, &entry->tag) != 0 || read_text(reading, &entry->description) != 0)
        return -1;
    int64_t offset = pgc_input_offset(reading->in);
    if (read_int(reading, &section) != 0)
        return -1;
    if (section < PGC_SECTION_NONE || section > PGC_SECTION_POST_DATA)
        return pgc_input_broken(reading->in, offset, reading->err, "there is no section %d", section);
    entry->section = (pgc_section)section;
    const char **const texts[] = {&entry->create, &entry->drop, &entry->copy, &entry->schema, &entry->tablespace};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (read_text(reading, texts[i]) != 0)
            return -1;
    if (pgc_head_since(head, 14) && read_text(reading, &entry->access_method) != 0)
        return -1;
    if (pgc_head_since(head, 16) && read_int(reading, &kind) != 0)
        return -1;
    entry->relation_kind = (char)kind;
    if (read_text(reading, &entry->owner) != 0 || read_text(reading, &with_oids) != 0 || read_dependencies(reading, entry) != 0)
        return -1;
    if (!entry->tag)
        entry->tag = "";
    if (!entry->description)
        entry->description = "";
    if (!entry->owner)
        entry->owner = "";
    return head->format == PGC_ARCHIVE_CUSTOM ? read_position(reading, entry) : read_file_name(reading, entry);
}

int pgc_toc_read_entries(pgc_input *in, const pgc_archive_head *head, pgc_entries *entries, pgconvoy_error *err)
{
    reading reading = {.in = in, .head = head, .arena = entries->arena, .err = err};
    int64_t offset = pgc_input_offset(in);
    int count, result = 0;
    pgc_buffer_init(&reading.text, LARGEST_TEXT);
    if (read_int(&reading, &count) != 0)
        return -1;
    if (count < 0)
        return pgc_input_broken(in, offset, err, "there are no %d entries", count);
    for (int i = 0; i < count && result == 0; i++) {
        pgc_entry *entry = pgc_entries_add(entries);
        result = entry ? read_entry(&reading, entry) : pgc_error_out_of_memory(err);
        if (entry && entry->id > entries->max_id)
            entries->max_id = entry->id;
    }
    pgc_buffer_free(&reading.text);
    return result;
}
