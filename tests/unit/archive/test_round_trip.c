/* What is written in a format is read back the same: every format, compression, version; by several threads; through pipes. */
#include "archive_fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const compressions[] = {"none", "gzip", "gzip:1", "gzip:9", "lz4", "lz4:9", "zstd", "zstd:1", "zstd:level=5,long,workers=2"};
#define COUNT(array) (sizeof(array) / sizeof *(array))

static void every_format_and_compression_comes_back(void **state)
{
    static const pgc_archive_format formats[] = {PGC_ARCHIVE_CUSTOM, PGC_ARCHIVE_DIRECTORY, PGC_ARCHIVE_TAR};
    (void)state;
    char *folder = fixture_folder();
    for (size_t i = 0; i < COUNT(formats) * COUNT(compressions); i++) {
        if (formats[i % 3] == PGC_ARCHIVE_TAR && i / 3 > 0)
            continue;
        for (int major = 15; major <= (i < 6 ? 17 : 15); major++) {
            char name[64];
            snprintf(name, sizeof name, "%zu-%d", i, major);
            char *path = strdup(fixture_path(folder, name));
            pgc_archive_settings settings = fixture_settings(path, formats[i % 3], compressions[i / 3]);
            settings.server_major = major;
            fixture_write(&settings);
            fixture_expect(path, &settings);
            free(path);
        }
    }
    fixture_clean(folder);
}

static void the_version_is_that_of_the_servers_pg_dump(void **state)
{
    static const struct {
        int server_major;
        const char *compression;
        int minor;
    } cases[] = {{12, "gzip", 14}, {15, "none", 14}, {15, "lz4", 15}, {16, "gzip", 15}, {17, "none", 16}, {18, "zstd", 16}};
    (void)state;
    char *folder = fixture_folder();
    for (size_t i = 0; i < COUNT(cases); i++) {
        pgconvoy_error err = {0};
        const char *path = fixture_path(folder, "a");
        pgc_archive_settings settings = fixture_settings(path, PGC_ARCHIVE_CUSTOM, cases[i].compression);
        settings.server_major = cases[i].server_major;
        fixture_write(&settings);
        pgc_archive_reader *reader = pgc_archive_open(path, PGC_ARCHIVE_CUSTOM, &err);
        assert_non_null(reader);
        assert_int_equal(pgc_archive_read_head(reader)->minor, cases[i].minor);
        pgc_archive_close(reader);
    }
    fixture_clean(folder);
}

/* ------------------------------------------------------------------ threads */

typedef struct job {
    pgc_archive_writer *writer;
    pgc_entry *entry;
    int which;
} job;

static void *write_one(void *arg)
{
    job *job = arg;
    fixture_write_entry(job->writer, job->entry, job->which);
    return NULL;
}

static void entries_may_be_written_at_once_and_in_any_order(void **state)
{
    static const pgc_archive_format formats[] = {PGC_ARCHIVE_CUSTOM, PGC_ARCHIVE_DIRECTORY, PGC_ARCHIVE_TAR};
    (void)state;
    char *folder = fixture_folder();
    for (size_t i = 0; i < COUNT(formats); i++) {
        char name[2] = {(char)('a' + i)};
        char *path = strdup(fixture_path(folder, name));
        pgconvoy_error err = {0};
        pgc_entries entries;
        pgc_archive_settings settings = fixture_settings(path, formats[i], formats[i] == PGC_ARCHIVE_TAR ? "none" : "gzip");
        fixture_entries(&entries, 15);
        pgc_archive_writer *writer = pgc_archive_create(&settings, &entries, &err);
        assert_non_null(writer);
        pthread_t threads[ENTRY_COUNT];
        job jobs[ENTRY_COUNT];
        for (int k = ENTRY_COUNT - 1; k >= LARGE; k--) {
            jobs[k] = (job){writer, entries.items[k], k};
            assert_int_equal(pthread_create(&threads[k], NULL, write_one, &jobs[k]), 0);
        }
        for (int k = LARGE; k < ENTRY_COUNT; k++)
            pthread_join(threads[k], NULL);
        assert_int_equal(pgc_archive_finish(writer, &err), 0);
        pgc_entries_free(&entries);
        fixture_expect(path, &settings);
        free(path);
    }
    fixture_clean(folder);
}

/* Two are begun before either is ended, in one thread: nobody may wait for the other. */
static void a_second_entry_waits_for_nobody(void **state)
{
    (void)state;
    char *folder = fixture_folder();
    pgconvoy_error err = {0};
    pgc_entries entries;
    pgc_archive_settings settings = fixture_settings(fixture_path(folder, "a"), PGC_ARCHIVE_CUSTOM, "gzip");
    fixture_entries(&entries, 15);
    pgc_archive_writer *writer = pgc_archive_create(&settings, &entries, &err);
    pgc_archive_data *data = pgc_archive_begin_data(writer, entries.items[EMPTY], &err);
    assert_non_null(data);
    fixture_write_entry(writer, entries.items[OBJECTS], OBJECTS);
    fixture_write_entry(writer, entries.items[LARGE], LARGE);
    assert_int_equal(pgc_archive_write(data, "\\.\n\n\n", 5, &err), 0);
    assert_int_equal(pgc_archive_end_data(data, &err), 0);
    fixture_write_entry(writer, entries.items[SMALL], SMALL);
    assert_int_equal(pgc_archive_finish(writer, &err), 0);
    pgc_entries_free(&entries);
    fixture_expect(fixture_path(folder, "a"), &settings);
    fixture_clean(folder);
}

static void parts_are_joined_in_the_order_of_their_numbers(void **state)
{
    (void)state;
    static const int orders[][3] = {{0, 1, 2}, {2, 1, 0}, {1, 2, 0}, {2, 0, 1}};
    char *folder = fixture_folder();
    for (size_t i = 0; i < COUNT(compressions) * COUNT(orders); i++) {
        char name[32];
        snprintf(name, sizeof name, "%zu", i);
        char *path = strdup(fixture_path(folder, name));
        pgconvoy_error err = {0};
        pgc_entries entries;
        pgc_buffer bytes;
        pgc_archive_settings settings = fixture_settings(path, PGC_ARCHIVE_DIRECTORY, compressions[i % COUNT(compressions)]);
        const int *order = orders[i / COUNT(compressions)];
        fixture_entries(&entries, 15);
        pgc_archive_writer *writer = pgc_archive_create(&settings, &entries, &err);
        assert_true(pgc_archive_takes_parts(writer));
        fixture_data(LARGE, &bytes);
        size_t cuts[4] = {0, bytes.length / 5, bytes.length / 2, bytes.length};
        pgc_archive_data *parts[3];
        for (int k = 0; k < 3; k++) {
            parts[order[k]] = pgc_archive_begin_part(writer, entries.items[LARGE], order[k], 3, &err);
            assert_non_null(parts[order[k]]);
        }
        for (int k = 2; k >= 0; k--) {
            int part = order[k];
            assert_int_equal(pgc_archive_write(parts[part], bytes.data + cuts[part], cuts[part + 1] - cuts[part], &err), 0);
            assert_int_equal(pgc_archive_end_data(parts[part], &err), 0);
        }
        pgc_buffer_free(&bytes);
        for (int k = EMPTY; k < ENTRY_COUNT; k++)
            fixture_write_entry(writer, entries.items[k], k);
        assert_int_equal(pgc_archive_finish(writer, &err), 0);
        pgc_entries_free(&entries);
        fixture_expect(path, &settings);
        free(path);
    }
    fixture_clean(folder);
}

/* ------------------------------------------------------------------ pipes */

/* Writes to standard output, which is a pipe that a cat puts into a file. */
static void write_to_pipe(const char *path, pgc_archive_format format, const char *compression)
{
    char command[4200];
    snprintf(command, sizeof command, "cat >'%s'", path);
    FILE *cat = popen(command, "w");
    assert_non_null(cat);
    int kept = dup(STDOUT_FILENO);
    fflush(stdout);
    assert_true(dup2(fileno(cat), STDOUT_FILENO) >= 0);
    pgc_archive_settings settings = fixture_settings(NULL, format, compression);
    fixture_write(&settings);
    dup2(kept, STDOUT_FILENO);
    close(kept);
    assert_int_equal(pclose(cat), 0);
}

static void what_went_through_a_pipe_comes_back(void **state)
{
    static const struct {
        pgc_archive_format format;
        const char *compression;
    } cases[] = {{PGC_ARCHIVE_CUSTOM, "gzip"}, {PGC_ARCHIVE_CUSTOM, "none"}, {PGC_ARCHIVE_CUSTOM, "zstd"}, {PGC_ARCHIVE_TAR, "none"}};
    (void)state;
    char *folder = fixture_folder();
    char *pipe_path = strdup(fixture_path(folder, "pipe"));
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *path = strdup(fixture_path(folder, "a"));
        pgc_archive_settings settings = fixture_settings(path, cases[i].format, cases[i].compression);
        write_to_pipe(path, cases[i].format, cases[i].compression);
        fixture_expect(path, &settings);
        char command[9000]; /* and read from one */
        snprintf(command, sizeof command, "cat '%s' >'%s' &", path, pipe_path);
        assert_int_equal(system(command), 0);
        fixture_expect(pipe_path, &settings);
        free(path);
    }
    free(pipe_path);
    fixture_clean(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_format_and_compression_comes_back),
        cmocka_unit_test(the_version_is_that_of_the_servers_pg_dump),
        cmocka_unit_test(entries_may_be_written_at_once_and_in_any_order),
        cmocka_unit_test(a_second_entry_waits_for_nobody),
        cmocka_unit_test(parts_are_joined_in_the_order_of_their_numbers),
        cmocka_unit_test(what_went_through_a_pipe_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
