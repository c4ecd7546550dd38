/* The spool ends at its last mark, wherever a crash cuts the file off and whatever stands behind the cut. */
#include "source/postgres/spool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/pgconvoy-test-spool-XXXXXX";

/* "wwpwp…": messages and marks, each at the LSN 100, 110, …; the length of the file after each in lengths. */
static void write_spool(const char *records, off_t *lengths)
{
    pgconvoy_error err = {0};
    unlink(path);
    pgc_spool *spool = pgc_spool_open_append(path, "source", 90, &err);
    assert_non_null(spool);
    for (int i = 0; records[i]; i++) {
        pgconvoy_lsn lsn = 100 + 10 * (pgconvoy_lsn)i;
        if (records[i] == PGC_SPOOL_MARK)
            assert_int_equal(pgc_spool_mark(spool, lsn, &err), 0);
        else
            assert_int_equal(pgc_spool_append(spool, lsn, "message", (size_t)i % 8, &err), 0);
        lengths[i] = (off_t)pgc_spool_bytes(spool);
    }
    pgc_spool_close(spool);
}

static char *read_all(pgconvoy_lsn *last)
{
    static char kinds[64];
    pgconvoy_error err = {0};
    const char *bytes;
    size_t length, count = 0;
    int got;
    pgc_spool *spool = pgc_spool_open_read(path, "source", &err);
    assert_non_null(spool);
    while ((got = pgc_spool_read(spool, &kinds[count], last, &bytes, &length, &err)) > 0) {
        assert_memory_equal(bytes, "message", length);
        count++;
    }
    assert_int_equal(got, 0);
    kinds[count] = '\0';
    pgc_spool_close(spool);
    return kinds;
}

static void every_cut_ends_at_the_last_mark(void **state)
{
    (void)state;
    static const char records[] = "wwpwwwpw";
    off_t lengths[sizeof records], whole;
    write_spool(records, lengths);
    whole = lengths[7];
    for (off_t cut = 0; cut <= whole; cut++) {
        pgconvoy_error err = {0};
        pgconvoy_lsn start, end, last;
        write_spool(records, lengths);
        assert_int_equal(truncate(path, cut), 0);
        assert_int_equal(pgc_spool_look(path, "source", &start, &end, &err), 0);
        pgconvoy_lsn expected = cut >= lengths[6] ? 160 : cut >= lengths[2] ? 120 : 0;
        assert_true(end == expected);
        assert_true(start == (expected ? 90 : 0));
        assert_string_equal(read_all(&last), expected == 160 ? "nwwpwwwp" : expected ? "nwwp" : "");
        /* more goes behind the last mark */
        pgc_spool *spool = pgc_spool_open_append(path, "source", 95, &err);
        assert_non_null(spool);
        assert_int_equal(pgc_spool_append(spool, 200, "message", 7, &err), 0);
        assert_int_equal(pgc_spool_mark(spool, 210, &err), 0);
        pgc_spool_close(spool);
        assert_string_equal(read_all(&last), expected == 160 ? "nwwpwwwpnwp" : expected ? "nwwpnwp" : "nwp");
        assert_true(last == 210);
    }
}

static void a_byte_that_changed_ends_it_there(void **state)
{
    (void)state;
    off_t lengths[8];
    pgconvoy_error err = {0};
    pgconvoy_lsn start, end;
    write_spool("wpwp", lengths);
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    assert_int_equal(fseeko(file, lengths[2] - 1, SEEK_SET), 0);
    assert_int_equal(fputc('X', file), 'X');
    fclose(file);
    assert_int_equal(pgc_spool_look(path, "source", &start, &end, &err), 0);
    assert_true(end == 110);
}

static void the_spool_of_another_source_is_refused(void **state)
{
    (void)state;
    off_t lengths[4];
    pgconvoy_error err = {0};
    pgconvoy_lsn start, end;
    write_spool("wp", lengths);
    assert_int_equal(pgc_spool_look(path, "another", &start, &end, &err), -1);
    assert_int_equal(err.code, PGCONVOY_ERROR_STATE);
    assert_null(pgc_spool_open_append(path, "another", 90, &err));
    unlink(path);
    memset(&err, 0, sizeof err);
    assert_int_equal(pgc_spool_look(path, "source", &start, &end, &err), 0);
    assert_true(end == 0);
}

static int make_path(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_path(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut_ends_at_the_last_mark),
        cmocka_unit_test(a_byte_that_changed_ends_it_there),
        cmocka_unit_test(the_spool_of_another_source_is_refused),
    };
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
