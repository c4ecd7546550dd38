/* Transactions in progress: kept in memory and on disk, read back in order, and gone without a trace. */
#include "source/postgres/spill.h"

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/pgconvoy-test-spill-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder); /* fails when anything was left inside */
}

static void append(pgc_spill *spill, pgc_spilled *spilled, uint32_t xid, uint32_t number, size_t length)
{
    char *bytes = malloc(length);
    assert_non_null(bytes);
    memset(bytes, (int)(number % 251), length);
    pgc_spill_record record = {.lsn = number, .xid = xid, .type = 'I', .bytes = bytes, .length = length};
    pgconvoy_error err = {0};
    assert_int_equal(pgc_spill_append(spill, spilled, &record, &err), 0);
    free(bytes);
}

static void expect(pgc_spill *spill, pgc_spilled *spilled, uint32_t xid, uint32_t number, size_t length)
{
    pgc_spill_record record;
    pgconvoy_error err = {0};
    assert_int_equal(pgc_spill_read(spill, spilled, &record, &err), 1);
    assert_true(record.lsn == number);
    assert_int_equal(record.xid, xid);
    assert_int_equal(record.type, 'I');
    assert_int_equal(record.length, length);
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)record.bytes[i] != number % 251)
            fail_msg("byte %zu of record %u is wrong", i, number);
}

static void expect_end(pgc_spill *spill, pgc_spilled *spilled)
{
    pgc_spill_record record;
    pgconvoy_error err = {0};
    assert_int_equal(pgc_spill_read(spill, spilled, &record, &err), 0);
}

static void a_small_transaction_never_touches_the_disk(void **state)
{
    (void)state;
    pgconvoy_error err = {0};
    pgc_spill *spill = pgc_spill_new("/nonexistent/and/not/to/be/made", 1 << 20, 16 << 20, NULL);
    pgc_spilled *spilled = pgc_spill_begin(spill, 5, &err);
    assert_ptr_equal(pgc_spill_find(spill, 5), spilled);
    assert_null(pgc_spill_find(spill, 6));
    for (uint32_t i = 0; i < 1000; i++)
        append(spill, spilled, 5, i, i % 50);
    pgc_spill_rewind(spill, spilled);
    for (uint32_t i = 0; i < 1000; i++)
        expect(spill, spilled, 5, i, i % 50);
    expect_end(spill, spilled);
    assert_true(pgc_spill_disk(spill) == 0);
    pgc_spill_drop(spill, spilled);
    assert_int_equal(pgc_spill_memory(spill), 0);
    pgc_spill_free(spill);
}

static void records_of_all_sizes_come_back_from_disk_in_order(void **state)
{
    (void)state;
    pgconvoy_error err = {0};
    pgc_spill *spill = pgc_spill_new(folder, 10000, 1 << 20, NULL);
    pgc_spilled *spilled = pgc_spill_begin(spill, 5, &err);
    for (uint32_t i = 0; i < 400; i++)
        append(spill, spilled, 5 + i % 3, i, i % 7 == 0 ? 9000 + i * 100 : i);
    append(spill, spilled, 5, 400, 3000000); /* larger than any window */
    append(spill, spilled, 5, 401, 10);      /* stays in memory */
    assert_true(pgc_spill_disk(spill) > 3000000);
    pgc_spill_rewind(spill, spilled);
    for (uint32_t i = 0; i < 400; i++)
        expect(spill, spilled, 5 + i % 3, i, i % 7 == 0 ? 9000 + i * 100 : i);
    expect(spill, spilled, 5, 400, 3000000);
    expect(spill, spilled, 5, 401, 10);
    expect_end(spill, spilled);
    pgc_spill_drop(spill, spilled);
    assert_true(pgc_spill_disk(spill) == 0);
    pgc_spill_free(spill);
}

static void rolled_back_subtransactions_are_passed_over(void **state)
{
    (void)state;
    pgconvoy_error err = {0};
    pgc_spill *spill = pgc_spill_new(folder, 500, 1 << 20, NULL);
    pgc_spilled *spilled = pgc_spill_begin(spill, 5, &err);
    for (uint32_t i = 0; i < 300; i++)
        append(spill, spilled, 5 + i % 10, i, 20);
    assert_int_equal(pgc_spill_abort(spilled, 9, &err), 0);
    assert_int_equal(pgc_spill_abort(spilled, 6, &err), 0);
    assert_int_equal(pgc_spill_abort(spilled, 14, &err), 0);
    static const uint32_t left[] = {7, 8, 10, 11, 12, 13};
    const uint32_t *xids;
    for (int again = 0; again < 2; again++) { /* each once, without the transaction itself */
        assert_int_equal(pgc_spill_subxids(spilled, &xids), 6);
        assert_memory_equal(xids, left, sizeof left);
    }
    pgc_spill_rewind(spill, spilled);
    for (uint32_t i = 0; i < 300; i++)
        if (i % 10 != 4 && i % 10 != 1 && i % 10 != 9)
            expect(spill, spilled, 5 + i % 10, i, 20);
    expect_end(spill, spilled);
    pgc_spill_free(spill);
}

static int open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

static void a_thousand_interleaved_transactions_need_one_file_and_keep_to_the_budget(void **state)
{
    (void)state;
    enum { TRANSACTIONS = 1000, RECORDS = 60, BYTES = 1000, BUDGET = 4 << 20 };
    pgconvoy_error err = {0};
    int before = open_descriptors();
    pgc_spill *spill = pgc_spill_new(folder, 1 << 20, BUDGET, NULL);
    for (uint32_t i = 0; i < RECORDS; i++) {
        for (uint32_t xid = 1; xid <= TRANSACTIONS; xid++) {
            pgc_spilled *spilled = i ? pgc_spill_find(spill, xid) : pgc_spill_begin(spill, xid, &err);
            append(spill, spilled, xid, i * TRANSACTIONS + xid, BYTES);
            if (pgc_spill_memory(spill) > BUDGET)
                fail_msg("%zu bytes in memory", pgc_spill_memory(spill));
        }
    }
    assert_int_equal(open_descriptors(), before + 1);
    uint64_t full = pgc_spill_disk(spill);
    for (uint32_t xid = 1; xid <= TRANSACTIONS; xid++) {
        pgc_spilled *spilled = pgc_spill_find(spill, xid);
        if (xid % 3) { /* the others are rolled back; their space serves those that come */
            pgc_spill_rewind(spill, spilled);
            for (uint32_t i = 0; i < RECORDS; i++)
                expect(spill, spilled, xid, i * TRANSACTIONS + xid, BYTES);
            expect_end(spill, spilled);
        }
        pgc_spill_drop(spill, spilled);
        if (xid == 500) {
            pgc_spilled *late = pgc_spill_begin(spill, 5000, &err);
            for (uint32_t i = 0; i < 3000; i++)
                append(spill, late, 5000, i, BYTES);
            assert_true(pgc_spill_disk(spill) < full);
            pgc_spill_rewind(spill, late);
            for (uint32_t i = 0; i < 3000; i++)
                expect(spill, late, 5000, i, BYTES);
            pgc_spill_drop(spill, late);
        }
    }
    assert_true(pgc_spill_disk(spill) == 0);
    pgc_spill_free(spill);
    assert_int_equal(open_descriptors(), before);
}

static void the_file_has_no_name_while_it_is_in_use(void **state)
{
    (void)state;
    pgconvoy_error err = {0};
    pgc_spill *spill = pgc_spill_new(folder, 1, 1, NULL);
    pgc_spilled *spilled = pgc_spill_begin(spill, 5, &err);
    append(spill, spilled, 5, 1, 100);
    DIR *dir = opendir(folder);
    int names = 0;
    while (readdir(dir))
        names++;
    closedir(dir);
    assert_int_equal(names, 2); /* . and .. */
    pgc_spill_free(spill);
}

static void a_missing_folder_is_made_with_its_parents(void **state)
{
    (void)state;
    char path[100];
    pgconvoy_error err = {0};
    snprintf(path, sizeof path, "%s/one/two", folder);
    pgc_spill *spill = pgc_spill_new(path, 1, 1, NULL);
    pgc_spilled *spilled = pgc_spill_begin(spill, 5, &err);
    append(spill, spilled, 5, 1, 100);
    pgc_spill_free(spill);
    assert_int_equal(rmdir(path), 0);
    snprintf(path, sizeof path, "%s/one", folder);
    assert_int_equal(rmdir(path), 0);
}

static void a_full_disk_is_an_error_that_says_what_to_do(void **state)
{
    (void)state;
    pgconvoy_error err = {0};
    struct rlimit saved, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &saved), 0);
    small = saved;
    small.rlim_cur = 100000;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    pgc_spill *spill = pgc_spill_new(folder, 1, 1, NULL);
    pgc_spilled *spilled = pgc_spill_begin(spill, 5, &err);
    char bytes[10000] = {0};
    pgc_spill_record record = {.lsn = 1, .xid = 5, .type = 'I', .bytes = bytes, .length = sizeof bytes};
    int rc = 0;
    for (int i = 0; i < 20 && rc == 0; i++)
        rc = pgc_spill_append(spill, spilled, &record, &err);
    setrlimit(RLIMIT_FSIZE, &saved);
    signal(SIGXFSZ, handler);
    assert_int_equal(rc, -1);
    assert_int_equal(err.code, PGCONVOY_ERROR_RESOURCE);
    assert_false(err.retriable);
    assert_non_null(strstr(err.message, folder));
    assert_non_null(strstr(err.hint, "--state-dir"));
    pgc_spill_free(spill);
}

static void no_folder_is_an_error_when_one_is_needed(void **state)
{
    (void)state;
    const char *const dirs[] = {NULL, "", "/proc/none", "/dev/null/x"};
    for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
        pgconvoy_error err = {0};
        pgc_spill *spill = pgc_spill_new(dirs[i], 1, 1, NULL);
        pgc_spilled *spilled = pgc_spill_begin(spill, 5, &err);
        pgc_spill_record record = {.lsn = 1, .xid = 5, .type = 'I', .bytes = "x", .length = 1};
        assert_int_equal(pgc_spill_append(spill, spilled, &record, &err), -1);
        assert_non_null(strstr(err.hint, "--state-dir"));
        pgc_spill_free(spill);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_transaction_never_touches_the_disk),
        cmocka_unit_test(records_of_all_sizes_come_back_from_disk_in_order),
        cmocka_unit_test(rolled_back_subtransactions_are_passed_over),
        cmocka_unit_test(a_thousand_interleaved_transactions_need_one_file_and_keep_to_the_budget),
        cmocka_unit_test(the_file_has_no_name_while_it_is_in_use),
        cmocka_unit_test(a_missing_folder_is_made_with_its_parents),
        cmocka_unit_test(a_full_disk_is_an_error_that_says_what_to_do),
        cmocka_unit_test(no_folder_is_an_error_when_one_is_needed),
    };
    return cmocka_run_group_tests_name("spill", tests, make_folder, remove_folder);
}
