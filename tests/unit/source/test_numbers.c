/* Which column a Relation message means, where the catalog is of another time. */
#include "source/postgres/numbers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

enum { MOST = 6 };

static const pgconvoy_type int4 = {.oid = 23}, text = {.oid = 25}, numeric = {.oid = 1700};

static int numbers[MOST];

static pgconvoy_table table_of(const pgconvoy_column *columns, int count)
{
    return (pgconvoy_table){.columns = columns, .column_count = count};
}

static pgconvoy_column column(const char *name, const pgconvoy_type *type, int number)
{
    return (pgconvoy_column){.name = name, .type = type, .typmod = -1, .number = number};
}

static pgc_relation_column sent(const char *name, const pgconvoy_type *type)
{
    return (pgc_relation_column){.name = (char *)name, .type_oid = type->oid, .typmod = -1};
}

static void number(pgc_relation_column *columns, int count, const pgconvoy_table *now, const pgconvoy_table *before, bool told, int natts)
{
    pgconvoy_error err = {0};
    pgc_stream_relation relation = {.columns = columns, .column_count = count};
    pgc_numbering numbering = {.now = now, .before = before, .told = told, .natts = natts};
    assert_int_equal(pgc_columns_number(&relation, &numbering, numbers, &err), 0);
}

static void are(int first, int second, int third)
{
    assert_int_equal(numbers[0], first);
    assert_int_equal(numbers[1], second);
    assert_int_equal(numbers[2], third);
}

static void names_that_were_swapped_keep_their_places(void **state)
{
    (void)state;
    pgconvoy_column was[] = {column("id", &int4, 1), column("a", &int4, 2), column("b", &text, 3)};
    pgconvoy_column is[] = {column("id", &int4, 1), column("b", &int4, 2), column("a", &text, 3)};
    pgc_relation_column message[] = {sent("id", &int4), sent("b", &int4), sent("a", &text)};
    pgconvoy_table before = table_of(was, 3), now = table_of(is, 3);
    number(message, 3, &now, &before, false, 3);
    are(1, 2, 3);
    number(message, 3, &now, &before, true, 3);
    are(1, 2, 3);
}

static void a_catalog_of_after_a_swap_does_not_turn_the_columns_of_before_it(void **state)
{
    (void)state;
    pgconvoy_column is[] = {column("id", &int4, 1), column("b", &int4, 2), column("a", &int4, 3)};
    pgc_relation_column message[] = {sent("id", &int4), sent("a", &int4), sent("b", &int4)};
    pgconvoy_table now = table_of(is, 3);
    number(message, 3, &now, &now, false, 3);
    are(1, 2, 3);
}

static void a_name_that_was_taken_over_from_a_dropped_column_is_of_the_one_that_took_it(void **state)
{
    (void)state;
    pgconvoy_column was[] = {column("id", &int4, 1), column("a", &text, 2), column("b", &text, 3), column("c", &int4, 4)};
    pgconvoy_column is[] = {column("id", &int4, 1), column("b", &text, 2), column("c", &int4, 4)};
    pgc_relation_column message[] = {sent("id", &int4), sent("b", &text), sent("c", &int4)};
    pgconvoy_table before = table_of(was, 4), now = table_of(is, 3);
    number(message, 3, &now, &before, true, 4);
    are(1, 2, 4);
}

static void a_column_that_was_dropped_and_added_is_a_new_one(void **state)
{
    (void)state;
    pgconvoy_column was[] = {column("id", &int4, 1), column("a", &text, 2), column("b", &text, 3)};
    pgconvoy_column is[] = {column("id", &int4, 1), column("b", &text, 3), column("a", &text, 4)};
    pgc_relation_column message[] = {sent("id", &int4), sent("b", &text), sent("a", &text)};
    pgconvoy_table before = table_of(was, 3), now = table_of(is, 3);
    number(message, 3, &now, &before, true, 4);
    are(1, 3, 4);
}

static void of_two_columns_the_first_one_came_first_whatever_its_name_is_by_now(void **state)
{
    (void)state;
    pgconvoy_column is[] = {column("id", &int4, 1), column("b", &int4, 2), column("a", &int4, 3)};
    pgc_relation_column message[] = {sent("id", &int4), sent("a", &int4)};
    pgconvoy_table now = table_of(is, 3);
    number(message, 2, &now, &now, false, 3);
    assert_int_equal(numbers[0], 1);
    assert_int_equal(numbers[1], 2);
}

static void a_column_that_only_the_stream_knows_has_no_number(void **state)
{
    (void)state;
    pgconvoy_column is[] = {column("id", &int4, 1), column("b", &text, 3)};
    pgc_relation_column message[] = {sent("id", &int4), sent("gone", &numeric), sent("b", &text)};
    pgconvoy_table now = table_of(is, 2);
    number(message, 3, &now, &now, false, 3);
    are(1, 0, 3);
}

static void a_table_with_fewer_columns_than_the_message_is_another_one(void **state)
{
    (void)state;
    pgconvoy_column is[] = {column("id", &int4, 1), column("b", &text, 2)};
    pgc_relation_column message[] = {sent("id", &int4), sent("a", &numeric), sent("b", &text)};
    pgconvoy_table now = table_of(is, 2);
    number(message, 3, &now, &now, false, 2);
    are(0, 0, 0);
    number(message, 3, NULL, &now, false, 0);
    are(0, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_that_were_swapped_keep_their_places),
        cmocka_unit_test(a_catalog_of_after_a_swap_does_not_turn_the_columns_of_before_it),
        cmocka_unit_test(a_name_that_was_taken_over_from_a_dropped_column_is_of_the_one_that_took_it),
        cmocka_unit_test(a_column_that_was_dropped_and_added_is_a_new_one),
        cmocka_unit_test(of_two_columns_the_first_one_came_first_whatever_its_name_is_by_now),
        cmocka_unit_test(a_column_that_only_the_stream_knows_has_no_number),
        cmocka_unit_test(a_table_with_fewer_columns_than_the_message_is_another_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
