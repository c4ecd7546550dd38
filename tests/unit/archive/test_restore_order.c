/* The order of a parallel restore: dependencies, sizes, locks, passes, circles. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "archive/restore_order.h"

typedef struct row {
    int id;
    const char *description;
    pgc_section section;
    int64_t size;
    int needs[4]; /* ends with 0 */
} row;

#define PRE  PGC_SECTION_PRE_DATA
#define DATA PGC_SECTION_DATA
#define POST PGC_SECTION_POST_DATA

static pgc_entries make(const row *rows, int count)
{
    pgconvoy_error err = {0};
    pgc_entries entries;
    assert_int_equal(pgc_entries_init(&entries, &err), 0);
    for (int i = 0; i < count; i++) {
        pgc_entry *entry = pgc_entries_add(&entries);
        entry->id = rows[i].id;
        entry->description = rows[i].description;
        entry->tag = "x";
        entry->section = rows[i].section;
        entry->data_size = rows[i].size;
        entry->dependencies = (int *)rows[i].needs;
        while (entry->dependency_count < 4 && rows[i].needs[entry->dependency_count])
            entry->dependency_count++;
    }
    return entries;
}

static pgc_restore_order *begin(pgc_entries *entries, int done_count)
{
    pgconvoy_error err = {0};
    bool done[64] = {0};
    for (int i = 0; i < done_count; i++)
        done[i] = true;
    pgc_restore_order *order = pgc_restore_order_new(entries, done, &err);
    assert_non_null(order);
    return order;
}

static int next_id(pgc_restore_order *order, const pgc_entries *entries)
{
    int place = pgc_restore_order_next(order);
    return place < 0 ? -1 : entries->items[place]->id;
}

static void finish_id(pgc_restore_order *order, const pgc_entries *entries, int id)
{
    for (int i = 0; i < entries->count; i++)
        if (entries->items[i]->id == id)
            pgc_restore_order_done(order, i);
}

#define BEGIN(rows, done_count) \
    pgc_entries entries = make(rows, sizeof rows / sizeof rows[0]); \
    pgc_restore_order *order = begin(&entries, done_count)
#define NEXT(id) assert_int_equal(next_id(order, &entries), id)
#define FINISH(id) finish_id(order, &entries, id)
#define END() \
    pgc_restore_order_free(order); \
    pgc_entries_free(&entries)

static void an_index_waits_for_the_data_and_large_tables_come_first(void **state)
{
    (void)state;
    const row rows[] = {{1, "TABLE", PRE, 0, {0}}, {2, "TABLE", PRE, 0, {0}},      {3, "TABLE DATA", DATA, 10, {1}}, {4, "TABLE DATA", DATA, 20, {2}},
                        {5, "INDEX", POST, 0, {1}}, {6, "INDEX", POST, 0, {2}}};
    BEGIN(rows, 2);
    NEXT(4);
    NEXT(3);
    NEXT(-1);
    assert_false(pgc_restore_order_is_over(order));
    FINISH(3);
    NEXT(5);
    FINISH(4);
    NEXT(6);
    FINISH(5);
    FINISH(6);
    NEXT(-1);
    assert_true(pgc_restore_order_is_over(order));
    assert_int_equal(pgc_restore_order_left(order), -1);
    END();
}

static void two_that_lock_a_table_do_not_run_together_but_indexes_do(void **state)
{
    (void)state;
    const row rows[] = {{1, "TABLE", PRE, 0, {0}},       {3, "TABLE DATA", DATA, 0, {1}}, {4, "CONSTRAINT", POST, 0, {1}},
                        {5, "CONSTRAINT", POST, 0, {1}}, {6, "INDEX", POST, 0, {1}},      {7, "INDEX", POST, 0, {1}}};
    BEGIN(rows, 2);
    NEXT(4); /* locks the table */
    NEXT(-1);
    FINISH(4);
    NEXT(5);
    NEXT(-1);
    FINISH(5);
    NEXT(6);
    NEXT(7);
    END();
}

static void a_foreign_key_waits_for_both_tables(void **state)
{
    (void)state;
    const row rows[] = {{1, "TABLE", PRE, 0, {0}},           {2, "TABLE", PRE, 0, {0}}, {3, "TABLE DATA", DATA, 9, {1}}, {4, "TABLE DATA", DATA, 5, {2}},
                        {5, "FK CONSTRAINT", POST, 0, {1, 2}}};
    BEGIN(rows, 2);
    NEXT(3);
    NEXT(4);
    FINISH(4);
    NEXT(-1);
    FINISH(3);
    NEXT(5);
    END();
}

static void privileges_come_when_all_else_is_done(void **state)
{
    (void)state;
    const row rows[] = {{1, "TABLE", PRE, 0, {0}}, {2, "ACL", PGC_SECTION_NONE, 0, {1}}, {3, "TABLE DATA", DATA, 9, {1}}, {4, "EVENT TRIGGER", POST, 0, {0}}};
    BEGIN(rows, 1);
    NEXT(3);
    NEXT(-1);
    FINISH(3);
    NEXT(2);
    NEXT(-1);
    FINISH(2);
    NEXT(4);
    FINISH(4);
    NEXT(-1);
    assert_true(pgc_restore_order_is_over(order));
    END();
}

static void privileges_on_schemas_come_before_the_others(void **state)
{
    (void)state;
    const row rows[] = {{1, "TABLE", PRE, 0, {0}}, {2, "ACL", PGC_SECTION_NONE, 0, {1}}, {3, "ACL", PGC_SECTION_NONE, 0, {0}}, {4, "ACL", PGC_SECTION_NONE, 0, {0}}};
    pgc_entries entries = make(rows, 4);
    entries.items[2]->tag = entries.items[3]->tag = "SCHEMA s";
    pgc_restore_order *order = begin(&entries, 1);
    NEXT(3);
    NEXT(4);
    FINISH(4);
    NEXT(-1);
    FINISH(3);
    NEXT(2);
    FINISH(2);
    NEXT(-1);
    assert_true(pgc_restore_order_is_over(order));
    END();
}

static void a_circle_is_left_for_the_end(void **state)
{
    (void)state;
    const row rows[] = {{1, "INDEX", POST, 0, {2}}, {2, "INDEX", POST, 0, {1}}, {3, "INDEX", POST, 0, {99}}};
    BEGIN(rows, 0);
    NEXT(3); /* what is not in the archive is not waited for */
    FINISH(3);
    NEXT(-1);
    assert_true(pgc_restore_order_is_over(order));
    assert_int_equal(pgc_restore_order_left(order), 0);
    assert_int_equal(pgc_restore_order_left(order), 1);
    assert_int_equal(pgc_restore_order_left(order), -1);
    END();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_index_waits_for_the_data_and_large_tables_come_first),
        cmocka_unit_test(two_that_lock_a_table_do_not_run_together_but_indexes_do),
        cmocka_unit_test(a_foreign_key_waits_for_both_tables),
        cmocka_unit_test(privileges_come_when_all_else_is_done),
        cmocka_unit_test(privileges_on_schemas_come_before_the_others),
        cmocka_unit_test(a_circle_is_left_for_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
