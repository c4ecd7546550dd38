/* What is cut, changed or not an archive is refused by name and offset, and what could not be written whole leaves nothing that looks whole. */
#include "archive_fixture.h"
#include "archive/output.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void write_bytes(const char *path, const char *bytes, size_t length)
{
    unlink(path); /* writing over a file makes the file system bring it to the disk */
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    fclose(file);
}

static void read_bytes(const char *path, pgc_buffer *bytes)
{
    char piece[65536];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    pgc_buffer_init(bytes, 256 << 20);
    for (size_t got; (got = fread(piece, 1, sizeof piece, file)) > 0;)
        pgc_buffer_append(bytes, piece, got);
    fclose(file);
}

/* Opens and reads all. */
static int read_all(const char *path, pgconvoy_error *err)
{
    pgc_archive_reader *reader = pgc_archive_open(path, PGC_ARCHIVE_UNKNOWN, err);
    int result = reader ? 0 : -1;
    const pgc_entries *entries = reader ? pgc_archive_read_entries(reader) : NULL;
    for (int i = 0; result == 0 && i < entries->count; i++) {
        pgc_buffer data;
        result = fixture_read(reader, entries->items[i], &data, err);
        pgc_buffer_free(&data);
    }
    pgc_archive_close(reader);
    return result;
}

/* An archive of little data, so that every cut of it can be tried. */
static void write_small(const pgc_archive_settings *settings)
{
    pgconvoy_error err = {0};
    pgc_entries entries;
    fixture_entries(&entries, settings->server_major);
    for (int i = 0; i < entries.count; i++)
        entries.items[i]->has_data &= i == SMALL || i == EMPTY;
    pgc_archive_writer *writer = pgc_archive_create(settings, &entries, &err);
    assert_non_null(writer);
    fixture_write_entry(writer, entries.items[EMPTY], EMPTY);
    fixture_write_entry(writer, entries.items[SMALL], SMALL);
    assert_int_equal(pgc_archive_finish(writer, &err), 0);
    pgc_entries_free(&entries);
}

static void an_archive_that_is_cut_anywhere_is_refused(void **state)
{
    static const char *const compressions[] = {"none", "gzip", "lz4", "zstd"};
    (void)state;
    char *folder = fixture_folder(), *whole = strdup(fixture_path(folder, "whole")), *cut = strdup(fixture_path(folder, "cut"));
    for (size_t i = 0; i < 5; i++) {
        pgc_archive_settings settings = fixture_settings(whole, i == 4 ? PGC_ARCHIVE_TAR : PGC_ARCHIVE_CUSTOM, i == 4 ? "none" : compressions[i]);
        pgc_buffer bytes;
        pgconvoy_error err = {0};
        write_small(&settings);
        read_bytes(whole, &bytes);
        assert_int_equal(read_all(whole, &err), 0);
        /* a tar file's end is zeros and restore.sql, which nobody reads */
        size_t needed = i == 4 ? bytes.length - 4 * 512 : bytes.length;
        for (size_t length = 0; length < needed; length += i == 4 ? 7 : 1) {
            err = (pgconvoy_error){0};
            write_bytes(cut, bytes.data, length);
            if (read_all(cut, &err) != -1 || err.code != PGCONVOY_ERROR_DATA || !err.message[0])
                fail_msg("%zu of %zu bytes of %s are taken for whole: %s", length, bytes.length, settings.format == PGC_ARCHIVE_TAR ? "tar" : compressions[i], err.message);
            if (length > 600 && !strstr(err.message, "offset") && !strstr(err.message, "could not find"))
                fail_msg("no offset: %s", err.message);
        }
        pgc_buffer_free(&bytes);
    }
    free(whole);
    free(cut);
    fixture_clean(folder);
}

static void a_changed_byte_never_does_harm(void **state)
{
    (void)state;
    char *folder = fixture_folder(), *whole = strdup(fixture_path(folder, "whole")), *changed = strdup(fixture_path(folder, "changed"));
    for (int i = 0; i < 2; i++) {
        pgc_archive_settings settings = fixture_settings(whole, i ? PGC_ARCHIVE_TAR : PGC_ARCHIVE_CUSTOM, i ? "none" : "gzip");
        pgc_buffer bytes;
        write_small(&settings);
        read_bytes(whole, &bytes);
        for (size_t at = 0; at < bytes.length; at++) {
            pgconvoy_error err = {0};
            char kept = bytes.data[at];
            bytes.data[at] = (char)(kept + 1 + at % 255);
            write_bytes(changed, bytes.data, bytes.length);
            if (read_all(changed, &err) != 0)
                assert_true(err.message[0]);
            bytes.data[at] = kept;
        }
        pgc_buffer_free(&bytes);
    }
    free(whole);
    free(changed);
    fixture_clean(folder);
}

static void what_is_no_archive_is_named(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"abc", "input file is too short (read 3, expected 5)"},
        {"--\n-- PostgreSQL database dump\n--\n\n", "input file appears to be a text format dump. Please use psql."},
        {"hello, world", "input file does not appear to be a valid archive (too short?)"},
    };
    (void)state;
    char *folder = fixture_folder();
    const char *path = fixture_path(folder, "a");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pgconvoy_error err = {0};
        write_bytes(path, cases[i].text, strlen(cases[i].text));
        assert_null(pgc_archive_open(path, PGC_ARCHIVE_UNKNOWN, &err));
        assert_string_equal(err.message, cases[i].message);
    }
    pgconvoy_error err = {0};
    assert_null(pgc_archive_open(folder, PGC_ARCHIVE_UNKNOWN, &err));
    assert_non_null(strstr(err.message, "does not appear to be a valid archive (\"toc.dat\" does not exist)"));
    assert_null(pgc_archive_open(fixture_path(folder, "nothing"), PGC_ARCHIVE_UNKNOWN, &err));
    assert_non_null(strstr(err.message, "could not open input file"));
    fixture_clean(folder);
}

/* ------------------------------------------------------------------ writing */

static int count_files(const char *folder)
{
    int count = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *item; (item = readdir(dir));)
        count += item->d_name[0] != '.';
    closedir(dir);
    return count;
}

static void an_abandoned_archive_leaves_nothing_and_spares_what_was_there(void **state)
{
    static const pgc_archive_format formats[] = {PGC_ARCHIVE_CUSTOM, PGC_ARCHIVE_DIRECTORY, PGC_ARCHIVE_TAR};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        char *folder = fixture_folder(), *path = strdup(fixture_path(folder, "a"));
        pgconvoy_error err = {0};
        pgc_entries entries;
        fixture_entries(&entries, 15);
        pgc_archive_settings settings = fixture_settings(path, formats[i], "none");
        bool directory = formats[i] == PGC_ARCHIVE_DIRECTORY;
        if (!directory)
            write_bytes(path, "old", 3);
        pgc_archive_writer *writer = pgc_archive_create(&settings, &entries, &err);
        assert_non_null(writer);
        fixture_write_entry(writer, entries.items[LARGE], LARGE);
        fixture_write_entry(writer, entries.items[OBJECTS], OBJECTS);
        pgc_archive_abandon(writer);
        assert_int_equal(count_files(folder), directory ? 0 : 1);
        if (!directory) {
            pgc_buffer bytes;
            read_bytes(path, &bytes);
            assert_string_equal(bytes.data, "old");
            pgc_buffer_free(&bytes);
        }
        pgc_entries_free(&entries);
        free(path);
        fixture_clean(folder);
    }
}

static void a_full_disk_is_named(void **state)
{
    (void)state;
    pgconvoy_error err = {0};
    pgc_entries entries;
    fixture_entries(&entries, 15);
    pgc_archive_settings settings = fixture_settings("/dev/full", PGC_ARCHIVE_CUSTOM, "none");
    pgc_archive_writer *writer = pgc_archive_create(&settings, &entries, &err);
    assert_non_null(writer);
    assert_int_equal(pgc_archive_finish(writer, &err), -1);
    assert_string_equal(err.message, "could not write to output file \"/dev/full\": No space left on device");
    pgc_entries_free(&entries);
    const pgc_compression gzip = {.method = PGC_COMPRESSION_GZIP, .level = PGC_COMPRESSION_DEFAULT};
    err = (pgconvoy_error){0};
    pgc_output *output = pgc_output_open("/dev/full", &gzip, true, &err);
    assert_non_null(output);
    assert_int_equal(pgc_output_write(output, "text\n", 5, &err), 0);
    assert_int_equal(pgc_output_close(output, &err), -1);
    assert_non_null(strstr(err.message, "No space left on device"));
}

static void a_folder_with_something_in_it_is_refused(void **state)
{
    (void)state;
    char *folder = fixture_folder();
    pgconvoy_error err = {0};
    pgc_entries entries;
    fixture_entries(&entries, 15);
    pgc_archive_settings settings = fixture_settings(folder, PGC_ARCHIVE_DIRECTORY, "gzip");
    fixture_write(&settings); /* an empty one will do */
    assert_null(pgc_archive_create(&settings, &entries, &err));
    assert_non_null(strstr(err.message, "could not create directory"));
    assert_non_null(strstr(err.message, "File exists"));
    fixture_expect(folder, &settings);
    pgc_entries_free(&entries);
    fixture_clean(folder);
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    pgconvoy_error err = {0};
    pgc_entries entries;
    fixture_entries(&entries, 15);
    pgc_archive_settings settings = fixture_settings("/nowhere/a", PGC_ARCHIVE_TAR, "gzip");
    assert_null(pgc_archive_create(&settings, &entries, &err));
    assert_string_equal(err.message, "compression is not supported by tar archive format");
    settings = fixture_settings("/nowhere/a", PGC_ARCHIVE_CUSTOM, "gzip");
    assert_null(pgc_archive_create(&settings, &entries, &err));
    assert_string_equal(err.message, "could not open output file \"/nowhere/a\": No such file or directory");
    settings = fixture_settings(NULL, PGC_ARCHIVE_DIRECTORY, "gzip");
    assert_null(pgc_archive_create(&settings, &entries, &err));
    assert_string_equal(err.message, "no output directory specified");
    pgc_entries_free(&entries);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_archive_that_is_cut_anywhere_is_refused),
        cmocka_unit_test(a_changed_byte_never_does_harm),
        cmocka_unit_test(what_is_no_archive_is_named),
        cmocka_unit_test(an_abandoned_archive_leaves_nothing_and_spares_what_was_there),
        cmocka_unit_test(a_full_disk_is_named),
        cmocka_unit_test(a_folder_with_something_in_it_is_refused),
        cmocka_unit_test(what_cannot_be_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
