/* The head and the table of contents, written; see toc.h. */
#include "archive/toc.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define LARGEST_ENTRY ((size_t)INT32_MAX)
#define PIECE_BYTES   ((size_t)64 * 1024)

/* What the formats are called in the head. */
#define HEAD_CUSTOM 1
#define HEAD_TAR    3

bool pgc_entry_is_large_objects(const pgc_entry *entry)
{
    return strcmp(entry->description, "BLOBS") == 0;
}

void pgc_archive_list_name(const pgc_archive_head *head, const pgc_entry *entry, char name[64])
{
    if (pgc_head_since(head, 16))
        snprintf(name, 64, "blobs_%d.toc", entry->id);
    else
        snprintf(name, 64, "blobs.toc");
}

/* A byte for the sign, then four of the value, the lowest first. */
void pgc_toc_add_int(pgc_buffer *out, int64_t value)
{
    uint32_t size = (uint32_t)(value < 0 ? -value : value);
    char bytes[5] = {value < 0};
    for (int i = 0; i < 4; i++)
        bytes[1 + i] = (char)(size >> (8 * i));
    pgc_buffer_append(out, bytes, sizeof bytes);
}

void pgc_toc_add_text(pgc_buffer *out, const char *text)
{
    size_t length = text ? strlen(text) : 0;
    if (length > LARGEST_ENTRY)
        out->failed = true;
    pgc_toc_add_int(out, text ? (int64_t)length : -1);
    if (text)
        pgc_buffer_append(out, text, length);
}

static void add_number_text(pgc_buffer *out, long long number)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", number);
    pgc_toc_add_text(out, text);
}

static void add_date(pgc_buffer *out, int64_t seconds)
{
    time_t at = (time_t)seconds;
    struct tm date = {0};
    localtime_r(&at, &date);
    const int parts[] = {date.tm_sec, date.tm_min, date.tm_hour, date.tm_mday, date.tm_mon, date.tm_year, date.tm_isdst};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        pgc_toc_add_int(out, parts[i]);
}

/* Until 1.14 the level of gzip, -1 for its default; from 1.15 on the method, and readers need no level. */
static void add_compression(pgc_buffer *out, const pgc_archive_head *head)
{
    const pgc_compression *compression = &head->compression;
    if (pgc_head_since(head, 15))
        pgc_buffer_byte(out, (char)compression->method);
    else if (compression->method == PGC_COMPRESSION_NONE)
        pgc_toc_add_int(out, 0);
    else
        pgc_toc_add_int(out, compression->level == PGC_COMPRESSION_DEFAULT ? -1 : compression->level);
}

void pgc_toc_add_head(pgc_buffer *out, const pgc_archive_head *head)
{
    const char bytes[] = {'P', 'G', 'D', 'M', 'P', (char)head->major, (char)head->minor, (char)head->revision, (char)head->int_size, (char)head->offset_size,
                          head->format == PGC_ARCHIVE_CUSTOM ? HEAD_CUSTOM : HEAD_TAR};
    pgc_buffer_append(out, bytes, sizeof bytes);
    add_compression(out, head);
    add_date(out, head->created);
    pgc_toc_add_text(out, head->database_name);
    pgc_toc_add_text(out, head->server_version);
    pgc_toc_add_text(out, head->dump_version);
}

static void add_place(pgc_buffer *out, const pgc_archive_head *head, const pgc_entry *entry)
{
    if (head->format != PGC_ARCHIVE_CUSTOM) {
        pgc_toc_add_text(out, entry->has_data && entry->file_name ? entry->file_name : "");
        return;
    }
    bool known = entry->has_data && entry->position >= 0;
    char bytes[9] = {(char)(known ? PGC_POSITION_KNOWN : entry->has_data ? PGC_POSITION_UNKNOWN : PGC_POSITION_NO_DATA)};
    for (int i = 0; known && i < 8; i++)
        bytes[1 + i] = (char)((uint64_t)entry->position >> (8 * i));
    pgc_buffer_append(out, bytes, sizeof bytes);
}

void pgc_toc_add_entry(pgc_buffer *out, const pgc_archive_head *head, const pgc_entry *entry)
{
    pgc_toc_add_int(out, entry->id);
    pgc_toc_add_int(out, entry->has_data ? 1 : 0);
    add_number_text(out, entry->class_oid);
    add_number_text(out, entry->oid);
    pgc_toc_add_text(out, entry->tag);
    pgc_toc_add_text(out, entry->description);
    pgc_toc_add_int(out, (int64_t)entry->section);
    pgc_toc_add_text(out, entry->create);
    pgc_toc_add_text(out, entry->drop);
    pgc_toc_add_text(out, entry->copy);
    pgc_toc_add_text(out, entry->schema);
    pgc_toc_add_text(out, entry->tablespace);
    pgc_toc_add_text(out, entry->access_method);
    if (pgc_head_since(head, 16))
        pgc_toc_add_int(out, entry->relation_kind);
    pgc_toc_add_text(out, pgc_entry_shown_owner(entry));
    pgc_toc_add_text(out, "false"); /* WITH OIDS */
    for (int i = 0; i < entry->dependency_count; i++)
        add_number_text(out, entry->dependencies[i]);
    pgc_toc_add_text(out, NULL);
    add_place(out, head, entry);
}

int pgc_toc_write(const pgc_archive_head *head, const pgc_entries *entries, bool head_too,
                  int (*write)(void *arg, const void *bytes, size_t length, pgconvoy_error *err), void *arg, pgconvoy_error *err)
{
    pgc_buffer out;
    pgc_buffer_init(&out, LARGEST_ENTRY);
    if (head_too)
        pgc_toc_add_head(&out, head);
    pgc_toc_add_int(&out, entries->count);
    int result = 0;
    for (int i = 0; i <= entries->count && result == 0; i++) {
        if (i < entries->count)
            pgc_toc_add_entry(&out, head, entries->items[i]);
        if (i < entries->count && out.length < PIECE_BYTES && !out.failed)
            continue;
        result = pgc_buffer_check(&out, err);
        if (result == 0)
            result = write(arg, out.data, out.length, err);
        pgc_buffer_reset(&out);
    }
    pgc_buffer_free(&out);
    return result;
}
