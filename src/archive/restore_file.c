/* An archive as a script in a file. */
#include "archive/output_file.h"
#include "archive/restore.h"

typedef struct writing {
    pgc_archive_reader *reader;
    pgc_output_file file;
} writing;

static int write_text(void *arg, const char *text, size_t length, pgconvoy_error *err)
{
    return pgc_output_file_write(&((writing *)arg)->file, text, length, err);
}

static int read_data(void *arg, const pgc_entry *entry, const pgc_data_target *target, pgconvoy_error *err)
{
    return pgc_archive_read_data(((writing *)arg)->reader, entry, target, err);
}

int pgc_restore_to_file(pgc_archive_reader *reader, const pgc_script_options *options, const char *path, pgconvoy_error *err)
{
    writing writing = {.reader = reader};
    pgc_script *script = pgc_script_new(options, pgc_archive_read_head(reader), pgc_archive_read_entries(reader), err);
    if (!script)
        return -1;
    int result = pgc_output_file_open(&writing.file, path, err);
    if (result == 0) {
        const pgc_script_run run = {.write = write_text, .read_data = read_data, .arg = &writing};
        result = pgc_script_write(script, &run, err);
        result = pgc_output_file_close(&writing.file, result == 0, false, err);
    }
    pgc_script_free(script);
    return result;
}
