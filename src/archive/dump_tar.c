/* restore.sql of a tar archive: the whole dump as a script that reads each table's rows from the file beside it. Nobody needs it to restore the archive; it is for whoever has unpacked one by hand. */
#include "archive/dump_internal.h"

#include <stdio.h>

static const char note[] = "--\n-- NOTE:\n--\n-- File paths need to be edited. Search for $$PATH$$ and\n"
                           "-- replace it with the path to the directory containing\n-- the extracted data files.\n--\n";
static const char from_stdin[] = " FROM stdin;\n";

static int add_text(void *arg, const char *text, size_t length, pgconvoy_error *err)
{
    pgc_buffer_append(arg, text, length);
    return pgc_buffer_check(arg, err);
}

/* In place of an entry's data: the COPY that was just written ends at once, and another reads the file. */
static int add_reference(void *arg, const pgc_entry *entry, const pgc_data_target *target, pgconvoy_error *err)
{
    (void)target;
    pgc_buffer *out = arg;
    size_t length = entry->copy ? strlen(entry->copy) : 0, end = sizeof from_stdin - 1;
    if (strcmp(entry->description, "BLOBS") == 0)
        pgc_buffer_text(out, "-- large objects: restore the archive\n\n");
    else if (length > end && strcmp(entry->copy + length - end, from_stdin) == 0)
        pgc_buffer_format(out, "\\.\n%.*s FROM '$$PATH$$/%d.dat';\n\n", (int)(length - end), entry->copy, entry->id);
    else
        pgc_buffer_format(out, "\\i $$PATH$$/%d.dat\n\n", entry->id);
    return pgc_buffer_check(out, err);
}

int pgc_dump_tar_script(const pgc_script_options *of_dump, const char *restrict_key, const pgc_archive_head *head, pgc_entries *entries, pgc_buffer *out, pgconvoy_error *err)
{
    pgc_script_options options = *of_dump;
    options.clean = true;
    options.superuser = NULL;
    options.restrict_key = restrict_key;
    options.verbose = false;
    options.progress = NULL;
    pgc_script *script = pgc_script_new(&options, head, entries, err);
    if (!script)
        return -1;
    const pgc_script_run run = {.write = add_text, .read_data = add_reference, .arg = out};
    pgc_buffer_text(out, note);
    int result = pgc_script_write(script, &run, err);
    pgc_script_free(script);
    return result;
}
