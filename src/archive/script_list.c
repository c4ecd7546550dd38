/* The list of an archive's entries (restore -l), and the list that chooses and orders them (restore -L). */
#include "archive/script_internal.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const char *format_name(pgc_archive_format format)
{
    switch (format) {
    case PGC_ARCHIVE_CUSTOM:
        return "CUSTOM";
    case PGC_ARCHIVE_DIRECTORY:
        return "DIRECTORY";
    case PGC_ARCHIVE_TAR:
        return "TAR";
    default:
        return "UNKNOWN";
    }
}

/* Up to format 1.14 an archive knows a level only; from 1.15 on the method. */
static void add_compression(pgc_buffer *out, const pgc_archive_head *head)
{
    static const char *const methods[] = {"none", "gzip", "lz4", "zstd"};
    int level = head->compression.level == PGC_COMPRESSION_DEFAULT ? -1 : head->compression.level;
    if (head->major == 1 && head->minor < 15)
        pgc_buffer_format(out, "%d", head->compression.method == PGC_COMPRESSION_NONE ? 0 : level);
    else
        pgc_buffer_text(out, methods[head->compression.method]);
}

static void add_head(const pgc_script *script, pgc_buffer *out)
{
    const pgc_archive_head *head = script->head;
    time_t created = (time_t)head->created;
    struct tm parts;
    char text[64];
    if (!localtime_r(&created, &parts) || strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S %Z", &parts) == 0)
        memcpy(text, "[unknown]", sizeof "[unknown]");
    pgc_buffer_format(out, ";\n; Archive created at %s\n;     dbname: ", text);
    script_line(out, head->database_name, "");
    pgc_buffer_format(out, "\n;     TOC Entries: %d\n;     Compression: ", script->entries->count);
    add_compression(out, head);
    pgc_buffer_format(out, "\n;     Dump Version: %d.%d-%d\n;     Format: %s\n;     Integer: %d bytes\n;     Offset: %d bytes\n", head->major,
                      head->minor, head->revision, format_name(head->format), head->int_size, head->offset_size);
    if (head->server_version)
        pgc_buffer_format(out, ";     Dumped from database version: %s\n", head->server_version);
    if (head->dump_version)
        pgc_buffer_format(out, ";     Dumped by pg_dump version: %s\n", head->dump_version);
    pgc_buffer_text(out, ";\n;\n; Selected TOC Entries:\n;\n");
}

int pgc_script_list(pgc_script *script, pgc_buffer *out, pgconvoy_error *err)
{
    bool verbose = script->options->verbose;
    add_head(script, out);
    for (int i = 0; i < script->entries->count; i++) {
        const pgc_entry *entry = script->entries->items[i];
        if (!verbose && !(script->writes[entry->id] & (PGC_WRITES_SCHEMA | PGC_WRITES_DATA)))
            continue;
        pgc_buffer_format(out, "%d; %u %u %s ", entry->id, entry->class_oid, entry->oid, entry->description);
        script_line(out, entry->schema, "-");
        pgc_buffer_byte(out, ' ');
        script_line(out, entry->tag, "");
        pgc_buffer_byte(out, ' ');
        script_line(out, entry->owner, "");
        pgc_buffer_byte(out, '\n');
        if (!verbose || entry->dependency_count == 0)
            continue;
        pgc_buffer_text(out, ";\tdepends on:");
        for (int d = 0; d < entry->dependency_count; d++)
            pgc_buffer_format(out, " %d", entry->dependencies[d]);
        pgc_buffer_byte(out, '\n');
    }
    return pgc_buffer_check(out, err);
}

/* ------------------------------------------------------------------ -L */

typedef struct script_order {
    pgc_entry **items; /* the listed ones, in the list's order */
    int count;
    unsigned char *listed;
} script_order;

/* A line: an id, then anything up to a semicolon's comment. */
static int take_line(pgc_script *script, char *line, script_order *order, pgconvoy_error *err)
{
    line[strcspn(line, ";")] = '\0';
    if (line[strspn(line, " \t\r\n")] == '\0')
        return 0;
    char *end;
    long id = strtol(line, &end, 10);
    if (end == line || id <= 0 || id > script->max_id || order->listed[id]) {
        line[strcspn(line, "\r\n")] = '\0';
        script_warn(script, "line ignored: %s", line);
        return 0;
    }
    if (!script->by_id[id]) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "could not find entry for ID %ld", id);
        return -1;
    }
    order->listed[id] = 1;
    order->items[order->count++] = script->by_id[id];
    return 0;
}

static int read_lines(pgc_script *script, FILE *file, script_order *order, pgconvoy_error *err)
{
    char *line = NULL;
    size_t size = 0;
    int result = 0;
    while (result == 0 && getline(&line, &size, file) >= 0)
        result = take_line(script, line, order, err);
    free(line);
    if (result == 0 && ferror(file)) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_RESOURCE, "could not read TOC file \"%s\": %s", script->options->list_file, strerror(errno));
        return -1;
    }
    return result;
}

int script_read_list(pgc_script *script, unsigned char **listed, pgconvoy_error *err)
{
    pgc_entries *entries = script->entries;
    script_order order = {.items = pgc_arena_alloc(script->arena, ((size_t)entries->count + 1) * sizeof *order.items),
                          .listed = pgc_arena_zalloc(script->arena, (size_t)script->max_id + 1)};
    if (!order.items || !order.listed)
        return pgc_error_out_of_memory(err);
    FILE *file = fopen(script->options->list_file, "r");
    if (!file) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "could not open TOC file \"%s\": %s", script->options->list_file, strerror(errno));
        return -1;
    }
    int result = read_lines(script, file, &order, err);
    (void)fclose(file);
    if (result != 0)
        return -1;
    /* The others first: a parallel restore has then done with them when the first listed one is looked at. */
    int kept = 0;
    for (int i = 0; i < entries->count; i++)
        if (!order.listed[entries->items[i]->id])
            entries->items[kept++] = entries->items[i];
    for (int i = 0; i < order.count; i++)
        entries->items[kept++] = order.items[i];
    *listed = order.listed;
    return 0;
}
