/* Options of a pipeline: good values, bad values, and the derived name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pipeline/options.h"

#include <stdlib.h>
#include <string.h>

static void every_option_has_help_and_is_settable_by_its_name(void **state)
{
    (void)state;
    for (const pgconvoy_option *row = pgconvoy_pipeline_options(); row->name; row++) {
        assert_non_null(row->help);
        assert_non_null(row->default_text);
        pgc_options options;
        pgconvoy_error err = {0};
        pgc_options_init(&options);
        /* no option takes this value but those that take any text */
        int result = pgc_options_set(&options, row->name, "", &err);
        if (result != 0) {
            assert_int_equal(err.code, PGCONVOY_ERROR_USAGE);
            assert_non_null(strstr(err.message, row->name));
            assert_true(err.hint[0] != '\0');
        }
        pgc_options_free(&options);
    }
}

static void bad_values_are_refused_by_name(void **state)
{
    (void)state;
    static const char *const bad[][2] = {{"jobs", "0"}, {"jobs", "two"}, {"jobs", "1x"}, {"until", "tomorrow"}, {"until", "0/0"}, {"if-exists", "maybe"},
                                         {"memory", "1MB"}, {"memory", "many"}, {"name", "Upper"}, {"name", "a-b"}, {"slot", "a b"}, {"partitions", "branch"},
                                         {"retry-for", "-1"}, {"dry-run", "perhaps"}, {"heartbeat", "0"}, {"heartbeat", "soon"},
                                         {"sequences", "-1"}, {"failover", "maybe"}, {"spool", ":1GB"}, {"spool", "x:1kB"}, {"no-such", "x"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        pgc_options options;
        pgconvoy_error err = {0};
        pgc_options_init(&options);
        assert_int_equal(pgc_options_set(&options, bad[i][0], bad[i][1], &err), -1);
        assert_int_equal(err.code, PGCONVOY_ERROR_USAGE);
        assert_non_null(strstr(err.message, bad[i][0]));
        pgc_options_free(&options);
    }
}

static void good_values_arrive(void **state)
{
    (void)state;
    pgc_options options;
    pgconvoy_error err = {0};
    pgc_options_init(&options);
    static const char *const good[][2] = {{"jobs", "7"}, {"until", "1/2A"}, {"if-exists", "truncate"}, {"memory", "1GB"}, {"name", "shop_2"},
                                          {"table", "a.*"}, {"table", "b.c"}, {"partitions", "leaves"}, {"dry-run", NULL}, {"heartbeat", "off"},
                                          {"sequences", "2.5"}, {"failover", "off"}, {"spool", "/a:b:1GB"}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(pgc_options_set(&options, good[i][0], good[i][1], &err), 0);
    assert_int_equal(options.jobs, 7);
    assert_int_equal(options.until, PGC_UNTIL_LSN);
    assert_true(options.until_lsn == UINT64_C(0x10000002A));
    assert_int_equal(options.if_exists, PGCONVOY_IF_EXISTS_TRUNCATE);
    assert_int_equal(options.memory_bytes, 1 << 30);
    assert_string_equal(options.name, "shop_2");
    assert_int_equal(options.include_tables.count, 2);
    assert_string_equal(options.include_tables.items[1], "b.c");
    assert_null(options.include_tables.items[2]);
    assert_true(options.partitions_as_leaves);
    assert_true(options.dry_run);
    assert_int_equal(options.heartbeat_us, 0);
    assert_int_equal(options.sequences_us, 2500000);
    assert_false(options.failover);
    assert_string_equal(options.spool_dir, "/a:b");
    assert_int_equal(options.spool_bytes, 1 << 30);
    pgc_options_free(&options);
}

static void the_derived_name_knows_places_not_passwords(void **state)
{
    (void)state;
    char a[64], b[64], c[64], d[64];
    unsetenv("PGHOST");
    unsetenv("PGPORT");
    pgc_options_derive_name("postgresql://ann:secret@db:5433/shop", "duckdb:x", a);
    pgc_options_derive_name("host=db port=5433 dbname=shop user=bob password=other", "duckdb:x", b);
    pgc_options_derive_name("postgresql://db:5433/shop2", "duckdb:x", c);
    pgc_options_derive_name("postgresql://db:5433/shop", "duckdb:y", d);
    assert_string_equal(a, b);
    assert_string_not_equal(a, c);
    assert_string_not_equal(a, d);
    assert_int_equal(strspn(a, "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_option_has_help_and_is_settable_by_its_name),
        cmocka_unit_test(bad_values_are_refused_by_name),
        cmocka_unit_test(good_values_arrive),
        cmocka_unit_test(the_derived_name_knows_places_not_passwords),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
