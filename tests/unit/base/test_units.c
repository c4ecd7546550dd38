/* Sizes, counts and durations as people read and write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/units.h"

static void sizes_are_read_with_their_units(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t bytes;
    } sizes[] = {{"0", 0},     {"17", 17},     {"17B", 17},          {"4kB", 4096},        {"4 KB", 4096},
                 {"4k", 4096}, {"4KiB", 4096}, {"256MB", 268435456}, {"2GB", 2147483648U}, {"1T", (size_t)1 << 40}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t bytes = 1;
        assert_int_equal(pgc_size_parse(sizes[i].text, &bytes), 0);
        assert_int_equal(bytes, sizes[i].bytes);
    }
}

static void what_is_no_size_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", "MB", "-1", "1.5GB", "12 monkeys", "1MBs", "99999999999999999999", "99999999999TB", "1 2"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        size_t bytes;
        assert_int_equal(pgc_size_parse(texts[i], &bytes), -1);
    }
}

static void numbers_are_written_short(void **state)
{
    (void)state;
    char text[PGC_UNITS_TEXT_SIZE];
    assert_string_equal(pgc_size_to_text(0, text), "0 B");
    assert_string_equal(pgc_size_to_text(1023, text), "1023 B");
    assert_string_equal(pgc_size_to_text(1024, text), "1.0 kB");
    assert_string_equal(pgc_size_to_text(10240, text), "10 kB");
    assert_string_equal(pgc_size_to_text(INT64_C(1) << 30, text), "1.0 GB");
    assert_string_equal(pgc_size_to_text((INT64_C(1) << 20) - 1, text), "1.0 MB");
    assert_string_equal(pgc_size_to_text(-5, text), "0 B");
    assert_string_equal(pgc_count_to_text(0, text), "0");
    assert_string_equal(pgc_count_to_text(999, text), "999");
    assert_string_equal(pgc_count_to_text(1234567, text), "1,234,567");
    assert_string_equal(pgc_count_to_text(-123456, text), "-123,456");
    assert_string_equal(pgc_count_to_text(INT64_MIN, text), "-9,223,372,036,854,775,808");
    assert_string_equal(pgc_count_to_short_text(950, text), "950");
    assert_string_equal(pgc_count_to_short_text(1234, text), "1.2k");
    assert_string_equal(pgc_count_to_short_text(5600000, text), "5.6M");
}

static void durations_suit_their_length(void **state)
{
    (void)state;
    char text[PGC_UNITS_TEXT_SIZE];
    assert_string_equal(pgc_duration_to_text(0, text), "0 ms");
    assert_string_equal(pgc_duration_to_text(850000, text), "850 ms");
    assert_string_equal(pgc_duration_to_text(12300000, text), "12.3 s");
    assert_string_equal(pgc_duration_to_text(INT64_C(245000000), text), "4:05");
    assert_string_equal(pgc_duration_to_text(INT64_C(11045000000), text), "3:04:05");
    assert_string_equal(pgc_duration_to_text(INT64_C(442800000000), text), "5 d 3 h");
    assert_string_equal(pgc_duration_to_text(-1, text), "0 ms");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_read_with_their_units),
        cmocka_unit_test(what_is_no_size_is_refused),
        cmocka_unit_test(numbers_are_written_short),
        cmocka_unit_test(durations_suit_their_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
