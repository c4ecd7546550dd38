/* An archive as a script in a file. */
#include "archive/output.h"
#include "archive/restore.h"

typedef struct writing {
    pgc_archive_reader *reader;
    pgc_output *output;
} writing;

static int write_text(void *arg, const char *text, size_t length, pgconvoy_error *err)
{
    return pgc_output_write(((writing *)arg)->output, text, length, err);
}

static int read_data(void *arg, const pgc_entry *entry, const pgc_data_target *target, pgconvoy_error *err)
{
    return pgc_archive_read_data(((writing *)arg)->reader, entry, target, err);
}

static int write_script(pgc_script *script, writing *writing, const char *path, pgconvoy_error *err)
{
    const pgc_compression none = {0};
    const pgc_script_run run = {.write = write_text, .read_data = read_data, .arg = writing};
    writing->output = pgc_output_open(path && strcmp(path, "-") != 0 ? path : NULL, &none, false, err);
    if (!writing->output)
        return -1;
    if (pgc_script_write(script, &run, err) == 0)
        return pgc_output_close(writing->output, err);
    pgc_output_abandon(writing->output);
    return -1;
}

int pgc_restore_to_file(pgc_archive_reader *reader, const pgc_script_options *options, const char *path, pgconvoy_error *err)
{
    writing writing = {.reader = reader};
    pgc_script *script = pgc_script_new(options, pgc_archive_read_head(reader), pgc_archive_read_entries(reader), err);
    int result = script ? write_script(script, &writing, path, err) : -1;
    pgc_script_free(script);
    return result;
}
