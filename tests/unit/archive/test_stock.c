/*
 * The stock pg_restore reads what we write: it lists it, and its script has the data. PG_RESTORE names others than that of PostgreSQL 15 (several with spaces between), which then read lz4 and zstd too. Skipped where
 * there is none.
 */
#include "archive_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STOCK "/usr/lib/postgresql/15/bin/pg_restore"

/* The major version of a pg_restore; 0: it is not there. */
static int major_of(const char *program)
{
    char command[4200];
    int major = 0;
    snprintf(command, sizeof command, "%s --version 2>/dev/null", program);
    FILE *answer = popen(command, "r");
    if (answer && fscanf(answer, "pg_restore (PostgreSQL) %d", &major) != 1)
        major = 0;
    if (answer)
        pclose(answer);
    return major;
}

static void expect_read_by(const char *program, const char *path)
{
    char command[9000];
    pgc_buffer out, wanted;
    snprintf(command, sizeof command, "%s -l '%s'", program, path);
    fixture_run(command, &out);
    assert_non_null(strstr(out.data, "dbname: shop"));
    assert_non_null(strstr(out.data, "10; 0 16384 TABLE DATA public large me\n"));
    assert_non_null(strstr(out.data, "3; 1255 16390 FUNCTION public f() me\n"));
    pgc_buffer_free(&out);
    snprintf(command, sizeof command, "%s -f - '%s'", program, path);
    fixture_run(command, &out);
    fixture_data(LARGE, &wanted);
    assert_non_null(memmem(out.data, out.length, wanted.data, wanted.length));
    assert_non_null(strstr(out.data, "COPY public.small (a) FROM stdin;\none\n\\N\nthree\n\\.\n"));
    assert_non_null(strstr(out.data, "lo_open('16400', 131072)"));
    assert_non_null(strstr(out.data, "lo_open('3000000000', 131072)"));
    pgc_buffer_free(&out);
    pgc_buffer_free(&wanted);
}

static int check_program(const char *program)
{
    static const struct {
        pgc_archive_format format;
        const char *compression;
        int least_major, server_major;
    } cases[] = {
        {PGC_ARCHIVE_CUSTOM, "none", 15, 15},   {PGC_ARCHIVE_CUSTOM, "gzip", 15, 15},    {PGC_ARCHIVE_CUSTOM, "1", 15, 12},       {PGC_ARCHIVE_DIRECTORY, "none", 15, 15},
        {PGC_ARCHIVE_DIRECTORY, "9", 15, 15},   {PGC_ARCHIVE_TAR, "none", 15, 15},       {PGC_ARCHIVE_CUSTOM, "lz4", 16, 15},     {PGC_ARCHIVE_CUSTOM, "zstd", 16, 16},
        {PGC_ARCHIVE_DIRECTORY, "lz4", 16, 15}, {PGC_ARCHIVE_DIRECTORY, "zstd", 16, 16}, {PGC_ARCHIVE_CUSTOM, "gzip", 17, 17},    {PGC_ARCHIVE_CUSTOM, "lz4:9", 17, 17},
        {PGC_ARCHIVE_CUSTOM, "zstd:long", 17, 18}, {PGC_ARCHIVE_DIRECTORY, "zstd", 17, 18}, {PGC_ARCHIVE_TAR, "none", 17, 17},
    };
    int major = major_of(program), checked = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (major < cases[i].least_major)
            continue;
        char *folder = fixture_folder(), *path = strdup(fixture_path(folder, "a"));
        pgc_archive_settings settings = fixture_settings(path, cases[i].format, cases[i].compression);
        settings.server_major = cases[i].server_major;
        fixture_write(&settings);
        expect_read_by(program, path);
        checked++;
        free(path);
        fixture_clean(folder);
    }
    return checked;
}

static void pg_restore_lists_and_restores_what_we_write(void **state)
{
    (void)state;
    const char *more = getenv("PG_RESTORE");
    int checked = check_program(STOCK);
    char *programs = strdup(more ? more : ""), *rest = programs;
    for (char *program; (program = strsep(&rest, " "));)
        if (*program)
            checked += check_program(program);
    free(programs);
    if (checked == 0)
        skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pg_restore_lists_and_restores_what_we_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
