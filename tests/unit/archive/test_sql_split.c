/* SQL in pieces is taken apart into its commands, wherever the pieces are cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "archive/sql_split.h"

#include <stdio.h>

typedef struct taken {
    char text[4096]; /* each command with a '|' behind it */
    size_t length;
    int fail_at, count;
} taken;

static int take(void *arg, const char *sql, size_t length, pgconvoy_error *err)
{
    taken *taken = arg;
    if (++taken->count == taken->fail_at) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "refused");
        return -1;
    }
    assert_int_equal(strlen(sql), length);
    taken->length += (size_t)snprintf(taken->text + taken->length, sizeof taken->text - taken->length, "%s|", sql);
    return 0;
}

/* Feeds sql in pieces of this size. */
static void split(const char *sql, size_t piece, bool backslashes, bool comments, taken *taken)
{
    pgconvoy_error err = {0};
    pgc_sql_split split = {.backslashes = backslashes, .comments = comments, .command = take, .arg = taken};
    pgc_sql_split_begin(&split);
    size_t length = strlen(sql);
    for (size_t at = 0; at < length; at += piece)
        assert_int_equal(pgc_sql_split_feed(&split, sql + at, length - at < piece ? length - at : piece, &err), 0);
    assert_int_equal(pgc_sql_split_end(&split, &err), 0);
}

static void gives(const char *sql, bool backslashes, bool comments, const char *commands)
{
    for (size_t piece = 1; piece <= strlen(sql) + 1; piece++) {
        taken taken = {0};
        split(sql, piece, backslashes, comments, &taken);
        assert_string_equal(taken.text, commands);
    }
}

static void commands_end_at_semicolons_outside_of_quotes(void **state)
{
    (void)state;
    gives("INSERT INTO t VALUES (1);\nINSERT INTO t VALUES ('a;b');\n\n", false, false, "INSERT INTO t VALUES (1);|INSERT INTO t VALUES ('a;b');|");
    gives("INSERT INTO \"a;'b\" VALUES ('it''s; \"no\"');", false, false, "INSERT INTO \"a;'b\" VALUES ('it''s; \"no\"');|");
    gives("", false, false, "");
    gives("\n \t", false, false, "");
}

static void a_backslash_escapes_only_where_it_does(void **state)
{
    (void)state;
    gives("VALUES ('a\\');x;", false, false, "VALUES ('a\\');|x;|");
    gives("VALUES ('a\\';b\\\\');x;", true, false, "VALUES ('a\\';b\\\\');|x;|");
}

static void comments_are_dropped_where_there_can_be_any(void **state)
{
    (void)state;
    gives("-- it's a;\nSET a = 1; SET b = '--;'; -- end", false, true, "SET a = 1;|SET b = '--;';|");
    gives("SELECT 2-1, '-'-- x\n, 3;", false, true, "SELECT 2-1, '-', 3;|");
    gives("VALUES (1 - -1);", false, false, "VALUES (1 - -1);|");
}

static void what_has_no_semicolon_comes_at_the_end(void **state)
{
    (void)state;
    gives("BEGIN;\nCOMMIT", false, false, "BEGIN;|COMMIT|");
}

static void a_refused_command_ends_it(void **state)
{
    (void)state;
    pgconvoy_error err = {0};
    taken taken = {.fail_at = 2};
    pgc_sql_split split = {.command = take, .arg = &taken};
    pgc_sql_split_begin(&split);
    assert_int_equal(pgc_sql_split_feed(&split, "a;b;c;", 6, &err), -1);
    assert_string_equal(err.message, "refused");
    assert_string_equal(taken.text, "a;|");
    assert_int_equal(pgc_sql_split_end(&split, &err), 0);
    assert_string_equal(taken.text, "a;|");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_end_at_semicolons_outside_of_quotes), cmocka_unit_test(a_backslash_escapes_only_where_it_does),
        cmocka_unit_test(comments_are_dropped_where_there_can_be_any),  cmocka_unit_test(what_has_no_semicolon_comes_at_the_end),
        cmocka_unit_test(a_refused_command_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
