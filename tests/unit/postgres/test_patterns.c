/* Patterns: what pg_dump's manual promises, as conditions. */
#include "postgres/patterns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define MATCH(subject, regex) subject " OPERATOR(pg_catalog.~) '" regex "' COLLATE pg_catalog.\"default\""

static void expect_table(const char *pattern, const char *condition)
{
    pgc_buffer out;
    pgconvoy_error err = {0};
    pgc_buffer_init(&out, 65536);
    assert_int_equal(pgc_pattern_table_condition(pattern, &out, &err), 0);
    assert_string_equal(out.data, condition);
    pgc_buffer_free(&out);
}

static void expect_refused(const char *pattern)
{
    pgc_buffer out;
    pgconvoy_error err = {0};
    pgc_buffer_init(&out, 65536);
    assert_int_equal(pgc_pattern_table_condition(pattern, &out, &err), -1);
    assert_int_equal(err.code, PGCONVOY_ERROR_USAGE);
    assert_true(err.message[0] && err.hint[0]);
    pgc_buffer_free(&out);
}

static void letters_are_folded_unless_they_are_quoted(void **state)
{
    (void)state;
    expect_table("Orders", "(" MATCH("c.relname", "^(orders)$") " AND pg_catalog.pg_table_is_visible(c.oid))");
    expect_table("\"Orders\"", "(" MATCH("c.relname", "^(Orders)$") " AND pg_catalog.pg_table_is_visible(c.oid))");
    expect_table("A\"B\"C", "(" MATCH("c.relname", "^(aBc)$") " AND pg_catalog.pg_table_is_visible(c.oid))");
}

static void a_dot_parts_the_schema_from_the_name(void **state)
{
    (void)state;
    expect_table("s.t", "(" MATCH("c.relname", "^(t)$") " AND " MATCH("n.nspname", "^(s)$") ")");
    expect_table("\"s.x\".t", "(" MATCH("c.relname", "^(t)$") " AND " MATCH("n.nspname", "^(s\\.x)$") ")");
    expect_table("d.s.t", "(" MATCH("c.relname", "^(t)$") " AND " MATCH("n.nspname", "^(s)$") " AND " MATCH(
                              "pg_catalog.current_database()", "^(d)$") ")");
}

static void stars_and_question_marks_are_wildcards_outside_of_quotes(void **state)
{
    (void)state;
    expect_table("*.a?*", "(" MATCH("c.relname", "^(a..*)$") " AND " MATCH("n.nspname", "^(.*)$") ")");
    expect_table("s.\"a*?\"", "(" MATCH("c.relname", "^(a\\*\\?)$") " AND " MATCH("n.nspname", "^(s)$") ")");
}

static void other_regular_expressions_pass_and_a_dollar_is_a_letter(void **state)
{
    (void)state;
    expect_table("s.log_[0-9]+", "(" MATCH("c.relname", "^(log_[0-9]+)$") " AND " MATCH("n.nspname", "^(s)$") ")");
    expect_table("s.a|b", "(" MATCH("c.relname", "^(a|b)$") " AND " MATCH("n.nspname", "^(s)$") ")");
    expect_table("s.a$", "(" MATCH("c.relname", "^(a\\$)$") " AND " MATCH("n.nspname", "^(s)$") ")");
    expect_table("s.t[]", "(" MATCH("c.relname", "^(t\\[\\])$") " AND " MATCH("n.nspname", "^(s)$") ")");
}

static void quotes_of_both_kinds_stay_inside_of_the_literal(void **state)
{
    (void)state;
    expect_table("s.\"a\"\"b'c\"", "(" MATCH("c.relname", "^(a\"b''c)$") " AND " MATCH("n.nspname", "^(s)$") ")");
    expect_table("s.\xc3\x84", "(" MATCH("c.relname", "^(\xc3\x84)$") " AND " MATCH("n.nspname", "^(s)$") ")");
}

static void a_schema_pattern_looks_at_the_schema_alone(void **state)
{
    (void)state;
    pgc_buffer out;
    pgconvoy_error err = {0};
    pgc_buffer_init(&out, 65536);
    assert_int_equal(pgc_pattern_schema_condition("App*", &out, &err), 0);
    assert_string_equal(out.data, "(" MATCH("n.nspname", "^(app.*)$") ")");
    pgc_buffer_free(&out);
}

static void what_cannot_be_meant_is_refused(void **state)
{
    (void)state;
    expect_refused("a.b.c.d");
    expect_refused("\"open");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_are_folded_unless_they_are_quoted),
        cmocka_unit_test(a_dot_parts_the_schema_from_the_name),
        cmocka_unit_test(stars_and_question_marks_are_wildcards_outside_of_quotes),
        cmocka_unit_test(other_regular_expressions_pass_and_a_dollar_is_a_letter),
        cmocka_unit_test(quotes_of_both_kinds_stay_inside_of_the_literal),
        cmocka_unit_test(a_schema_pattern_looks_at_the_schema_alone),
        cmocka_unit_test(what_cannot_be_meant_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
