/* Which sink a target is for, and what is said when there is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sink/registry.h"

#include <string.h>

static void each_form_of_target_finds_its_sink(void **state)
{
    (void)state;
    static const char *const forms[][2] = {{"-", "stdout"},
                                           {"duckdb:file.db", "duckdb"},
                                           {"postgres://host/db", "postgres"},
                                           {"postgresql://host/db", "postgres"},
                                           {"host=h dbname=d", "postgres"},
                                           {"md:shop", "duckdb"},
                                           {"bigquery://p/d", "bigquery"},
                                           {"clickhouse://u:p@h/d", "clickhouse"},
                                           {"snowflake://u@a/d/s", "snowflake"}};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        pgconvoy_error err = {0};
        const pgconvoy_sink *sink = pgc_sink_for_target(forms[i][0], &err);
        if (!sink)
            fail_msg("%s: %s", forms[i][0], err.message);
        assert_string_equal(sink->name, forms[i][1]);
    }
}

static void a_planned_target_is_not_called_unknown(void **state)
{
    (void)state;
    static const char *const forms[] = {"kafka://b/t", "nats://h/s", "parquet:f", "s3://b/p"};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        pgconvoy_error err = {0};
        assert_null(pgc_sink_for_target(forms[i], &err));
        assert_int_equal(err.code, PGCONVOY_ERROR_USAGE);
        assert_non_null(strstr(err.message, "not in this version"));
        assert_non_null(strstr(err.hint, "duckdb:FILE"));
    }
}

static void an_unknown_target_is_refused_without_showing_what_may_be_a_password(void **state)
{
    (void)state;
    static const char *const forms[] = {"mysql://user:secret@host/db", "secret", "--", "C:secret", ""};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        pgconvoy_error err = {0};
        assert_null(pgc_sink_for_target(forms[i], &err));
        assert_int_equal(err.code, PGCONVOY_ERROR_USAGE);
        assert_null(strstr(err.message, "secret"));
        assert_null(strstr(err.hint, "secret"));
    }
}

static void every_sink_has_all_operations(void **state)
{
    (void)state;
    for (const pgconvoy_sink *const *each = pgconvoy_sinks(); *each; each++) {
        const pgconvoy_sink *s = *each;
        assert_int_equal(s->version, PGCONVOY_SINK_VERSION);
        assert_true(s->name && s->description && s->schemes && s->target_help);
        assert_true(s->open && s->read_checkpoint && s->column_format && s->check_table && s->prepare_table &&
                    s->finish_table);
        assert_true(s->open_writer && s->begin && s->write_rows && s->write_changes && s->change_schema && s->commit);
        assert_true(s->abort && s->close_writer && s->drop && s->close);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_form_of_target_finds_its_sink),
        cmocka_unit_test(a_planned_target_is_not_called_unknown),
        cmocka_unit_test(an_unknown_target_is_refused_without_showing_what_may_be_a_password),
        cmocka_unit_test(every_sink_has_all_operations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
