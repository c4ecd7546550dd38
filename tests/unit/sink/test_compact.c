/* Compaction of changes by key: what a run of changes comes to. Each test's result is one line: the actions with their rows, "-" for a value that is unchanged. */
#include "apply/compact.h"
#include "base/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define U ((const char *)1) /* unchanged */

static const pgconvoy_column columns[3] = {{.name = "id", .in_key = true, .primary_key = 1}, {.name = "a"}, {.name = "b"}};
static const int key[1] = {0};
static const pgconvoy_table keyed = {.schema = "public", .name = "t", .column_count = 3, .columns = columns,
                                     .replica_identity = 'd', .key_count = 1, .key = key};
static const pgconvoy_table full = {.schema = "public", .name = "t", .column_count = 3, .columns = columns,
                                    .replica_identity = 'f'};
static const pgconvoy_table nothing = {.schema = "public", .name = "t", .column_count = 3, .columns = columns,
                                       .replica_identity = 'n'};

static pgconvoy_error err;

static int setup(void **state)
{
    *state = pgc_compact_new(&keyed);
    return *state ? 0 : -1;
}

static int setup_full(void **state)
{
    *state = pgc_compact_new(&full);
    return *state ? 0 : -1;
}

static int setup_nothing(void **state)
{
    *state = pgc_compact_new(&nothing);
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    pgc_compact_free(*state);
    return 0;
}

static void fill(pgconvoy_value *values, const char *a, const char *b, const char *c)
{
    const char *texts[3] = {a, b, c};
    for (int i = 0; i < 3; i++) {
        values[i] = (pgconvoy_value){.length = texts[i] ? PGCONVOY_UNCHANGED : PGCONVOY_NULL};
        if (texts[i] && texts[i] != U)
            values[i] = (pgconvoy_value){.data = texts[i], .length = (int32_t)strlen(texts[i])};
    }
}

static int try_add(pgc_compact *c, pgconvoy_operation operation, char old_kind, const pgconvoy_value *old, const pgconvoy_value *new_)
{
    pgconvoy_change change = {.operation = (uint8_t)operation, .old_kind = old_kind, .old = old, .new_ = new_,
                              .table = pgc_compact_table(c)};
    return pgc_compact_add(c, &change, &err);
}

static void insert(pgc_compact *c, const char *id, const char *a, const char *b)
{
    pgconvoy_value row[3];
    fill(row, id, a, b);
    assert_int_equal(try_add(c, PGCONVOY_INSERT, 0, NULL, row), 0);
}

static void update(pgc_compact *c, const char *id, const char *a, const char *b)
{
    pgconvoy_value row[3];
    fill(row, id, a, b);
    assert_int_equal(try_add(c, PGCONVOY_UPDATE, 0, NULL, row), 0);
}

static void move(pgc_compact *c, const char *from, const char *id, const char *a, const char *b)
{
    pgconvoy_value old[3], row[3];
    fill(old, from, NULL, NULL);
    fill(row, id, a, b);
    assert_int_equal(try_add(c, PGCONVOY_UPDATE, 'K', old, row), 0);
}

static void delete_key(pgc_compact *c, const char *id)
{
    pgconvoy_value old[3];
    fill(old, id, NULL, NULL);
    assert_int_equal(try_add(c, PGCONVOY_DELETE, 'K', old, NULL), 0);
}

static void truncate_all(pgc_compact *c)
{
    assert_int_equal(try_add(c, PGCONVOY_TRUNCATE, 0, NULL, NULL), 0);
}

static void show(pgc_buffer *out, const pgconvoy_value *values, int count)
{
    for (int i = 0; i < count; i++) {
        pgc_buffer_text(out, i > 0 ? "," : "");
        if (values[i].length < 0)
            pgc_buffer_text(out, values[i].length == PGCONVOY_NULL ? "null" : "-");
        else
            pgc_buffer_append(out, values[i].data, (size_t)values[i].length);
    }
}

static void assert_result(pgc_compact *c, const char *expected)
{
    static const char *const names[PGC_COMPACT_ACTIONS] = {"delete", "move", "update", "insert"};
    pgc_compact_result result;
    pgc_buffer out;
    pgc_buffer_init(&out, 65536);
    assert_int_equal(pgc_compact_take(c, &result, &err), 0);
    if (result.truncated)
        pgc_buffer_text(&out, "truncate;");
    for (int action = 0; action < PGC_COMPACT_ACTIONS; action++) {
        for (size_t i = 0; i < result.count[action]; i++) {
            const pgc_compact_item *item = &result.items[action][i];
            pgc_buffer_format(&out, "%s ", names[action]);
            if (item->copies != 1)
                pgc_buffer_format(&out, "%zux ", item->copies);
            if (item->key)
                show(&out, item->key, 1);
            if (item->key && item->row)
                pgc_buffer_text(&out, ">");
            if (item->row)
                show(&out, item->row, 3);
            pgc_buffer_text(&out, ";");
        }
    }
    assert_string_equal(out.data ? out.data : "", expected);
    pgc_buffer_free(&out);
}

static void the_last_version_of_a_row_wins(void **state)
{
    update(*state, "1", "a", "b");
    update(*state, "2", "x", "y");
    update(*state, "1", "aa", "bb");
    update(*state, "1", "a longer one than before", NULL);
    assert_result(*state, "update 1,a longer one than before,null;update 2,x,y;");
}

static void an_insert_that_is_updated_is_an_insert(void **state)
{
    insert(*state, "1", "a", "b");
    update(*state, "1", "aa", U);
    assert_result(*state, "insert 1,aa,b;");
}

static void an_insert_that_is_deleted_again_is_nothing(void **state)
{
    insert(*state, "1", "a", "b");
    delete_key(*state, "1");
    assert_result(*state, "");
    assert_false(pgc_compact_is_empty(*state));
    pgc_compact_reset(*state);
    assert_true(pgc_compact_is_empty(*state));
    update(*state, "1", "a", "b"); /* nothing is known any more */
    assert_result(*state, "update 1,a,b;");
}

static void an_insert_that_goes_again_is_a_delete_when_it_may_be_a_repetition(void **state)
{
    pgc_compact_keep_deletes(*state, true);
    insert(*state, "1", "a", "b");
    delete_key(*state, "1");
    insert(*state, "2", "a", "b");
    move(*state, "2", "3", "a", "b");
    assert_result(*state, "delete 1;delete 2;insert 3,a,b;");
}

static void a_delete_and_an_insert_of_one_key_is_an_update(void **state)
{
    delete_key(*state, "1");
    insert(*state, "1", "a", NULL);
    update(*state, "2", U, "b");
    delete_key(*state, "2");
    assert_result(*state, "delete 2;update 1,a,null;");
}

static void unchanged_values_come_from_an_earlier_change_or_stay_open(void **state)
{
    update(*state, "1", U, "b1");
    update(*state, "1", U, "b2");
    update(*state, "2", "a", "b");
    update(*state, "2", U, "bb");
    update(*state, "3", U, "b");
    update(*state, "3", "a", U);
    assert_result(*state, "update 2,a,bb;update 3,a,b;update 1,-,b2;");
}

static void updates_stand_in_runs_of_the_same_columns(void **state)
{
    pgc_compact_result result;
    update(*state, "1", U, "b");
    update(*state, "2", "a", U);
    update(*state, "3", U, "b");
    update(*state, "4", "a", "b");
    update(*state, "5", "a", U);
    assert_result(*state, "update 4,a,b;update 2,a,-;update 5,a,-;update 1,-,b;update 3,-,b;");
    assert_int_equal(pgc_compact_take(*state, &result, &err), 0);
    const pgc_compact_item *items = result.items[PGC_COMPACT_UPDATE];
    assert_false(pgc_compact_same_columns(*state, &items[0], &items[1]));
    assert_true(pgc_compact_same_columns(*state, &items[1], &items[2]));
    assert_false(pgc_compact_same_columns(*state, &items[2], &items[3]));
}

/* More columns than a word has bits. */
static void columns_far_apart_are_told_apart(void **state)
{
    (void)state;
    enum { COLUMNS = 130, ROWS = 6 };
    pgconvoy_column many[COLUMNS];
    for (int i = 0; i < COLUMNS; i++)
        many[i] = columns[i > 0];
    pgconvoy_table table = keyed;
    table.columns = many;
    table.column_count = COLUMNS;
    pgc_compact *compact = pgc_compact_new(&table);
    assert_non_null(compact);
    pgconvoy_value rows[ROWS][COLUMNS];
    for (int row = 0; row < ROWS; row++) {
        static const int unchanged[ROWS] = {1, 65, 129, 65, 1, 2};
        static const char *const keys[ROWS] = {"1", "2", "3", "4", "5", "6"};
        for (int i = 0; i < COLUMNS; i++)
            rows[row][i] = (pgconvoy_value){.length = PGCONVOY_NULL};
        rows[row][0] = (pgconvoy_value){.data = keys[row], .length = 1};
        rows[row][unchanged[row]].length = PGCONVOY_UNCHANGED;
        assert_int_equal(try_add(compact, PGCONVOY_UPDATE, 0, NULL, rows[row]), 0);
    }
    pgc_compact_result result;
    assert_int_equal(pgc_compact_take(compact, &result, &err), 0);
    const pgc_compact_item *items = result.items[PGC_COMPACT_UPDATE];
    assert_int_equal(result.count[PGC_COMPACT_UPDATE], ROWS);
    char order[ROWS + 1] = "";
    int runs = 1;
    for (int i = 0; i < ROWS; i++) {
        order[i] = *items[i].row[0].data;
        runs += i > 0 && !pgc_compact_same_columns(compact, &items[i - 1], &items[i]);
    }
    assert_int_equal(runs, 4);
    assert_string_equal(order, "632415");
    pgc_compact_free(compact);
}

static void a_key_change_is_a_delete_and_an_insert(void **state)
{
    move(*state, "1", "2", "a", "b");
    assert_result(*state, "delete 1;insert 2,a,b;");
}

static void a_key_change_with_unchanged_values_is_a_move(void **state)
{
    move(*state, "1", "2", "a", U);
    move(*state, "2", "3", "aa", U);
    assert_result(*state, "delete 1;move 1>3,aa,-;");
}

static void a_key_change_there_and_back_is_an_update(void **state)
{
    move(*state, "1", "2", "a", U);
    move(*state, "2", "1", "aa", U);
    assert_result(*state, "update 1,aa,-;");
}

static void keys_can_be_swapped(void **state)
{
    move(*state, "1", "9", U, "b1");
    move(*state, "2", "1", U, "b2");
    move(*state, "9", "2", U, "b1");
    /* both rows are read before both keys go */
    assert_result(*state, "delete 1;delete 2;move 2>1,-,b2;move 1>2,-,b1;");
}

static void a_moved_row_that_is_deleted_takes_its_old_key_with_it(void **state)
{
    move(*state, "1", "2", "a", U);
    delete_key(*state, "2");
    insert(*state, "1", "new", "row");
    assert_result(*state, "update 1,new,row;");
}

static void a_row_that_is_known_moves_as_an_insert(void **state)
{
    update(*state, "1", "a", "b");
    move(*state, "1", "2", U, "bb");
    insert(*state, "3", "x", "y");
    move(*state, "3", "4", U, U);
    assert_result(*state, "delete 1;insert 2,a,bb;insert 4,x,y;");
}

static void a_truncate_is_a_barrier(void **state)
{
    insert(*state, "1", "a", "b");
    update(*state, "2", "a", U);
    truncate_all(*state);
    assert_result(*state, "truncate;");
    insert(*state, "2", "x", "y");
    delete_key(*state, "3");
    update(*state, "2", "xx", U);
    assert_result(*state, "truncate;insert 2,xx,y;");
}

static void the_whole_old_row_fills_in_unchanged_values(void **state)
{
    pgconvoy_value old[3], row[3];
    fill(old, "1", "a", "b");
    fill(row, "1", "aa", U);
    assert_int_equal(try_add(*state, PGCONVOY_UPDATE, 'O', old, row), 0);
    assert_result(*state, "update 1,aa,b;");
}

static void a_key_that_was_not_sent_comes_from_the_old_one(void **state)
{
    pgconvoy_value old[3], row[3];
    fill(old, "1", NULL, NULL);
    fill(row, U, "aa", U);
    assert_int_equal(try_add(*state, PGCONVOY_UPDATE, 'K', old, row), 0);
    assert_result(*state, "update 1,aa,-;");
    assert_int_equal(try_add(*state, PGCONVOY_UPDATE, 0, NULL, row), -1);
    assert_non_null(strstr(err.message, "public.t"));
}

static void an_empty_text_and_null_are_two_keys(void **state)
{
    insert(*state, "", "a", "b");
    insert(*state, NULL, "x", "y");
    assert_result(*state, "insert ,a,b;insert null,x,y;");
}

static void what_a_change_pointed_to_may_go_away(void **state)
{
    char text[] = "value";
    pgconvoy_value row[3];
    fill(row, "1", text, "b");
    assert_int_equal(try_add(*state, PGCONVOY_INSERT, 0, NULL, row), 0);
    memset(text, 'x', sizeof text - 1);
    assert_result(*state, "insert 1,value,b;");
}

static void a_row_that_stays_is_pointed_to(void **state)
{
    pgc_compact *c = *state;
    pgconvoy_value first[3], second[3], third[3];
    pgc_compact_result result;
    pgc_compact_rows_stay(c, true);
    fill(first, "1", "a", "b");
    fill(second, "1", "x", "y");
    fill(third, "1", U, "z");
    assert_int_equal(try_add(c, PGCONVOY_INSERT, 0, NULL, first), 0);
    assert_int_equal(try_add(c, PGCONVOY_UPDATE, 0, NULL, second), 0);
    assert_int_equal(pgc_compact_take(c, &result, &err), 0);
    assert_ptr_equal(result.items[PGC_COMPACT_INSERT]->row, second);
    /* one that is made of two is not either of them, and leaves both as they were */
    assert_int_equal(try_add(c, PGCONVOY_UPDATE, 0, NULL, third), 0);
    assert_int_equal(pgc_compact_take(c, &result, &err), 0);
    const pgconvoy_value *row = result.items[PGC_COMPACT_INSERT]->row;
    assert_true(row != second && row != third && row[1].data[0] == 'x' && row[2].data[0] == 'z');
    assert_true(second[2].data[0] == 'y' && third[1].length == PGCONVOY_UNCHANGED);
    /* the next change of it goes where the caller has it again */
    assert_int_equal(try_add(c, PGCONVOY_UPDATE, 0, NULL, first), 0);
    assert_int_equal(pgc_compact_take(c, &result, &err), 0);
    assert_ptr_equal(result.items[PGC_COMPACT_INSERT]->row, first);
}

static void thousands_of_keys_are_told_apart(void **state)
{
    enum { COUNT = 20000 };
    pgc_compact_result result;
    char id[16], a[16];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < COUNT; i++) {
            snprintf(id, sizeof id, "%d", i);
            snprintf(a, sizeof a, "%d", i + round);
            update(*state, id, a, "b");
        }
    }
    assert_int_equal(pgc_compact_take(*state, &result, &err), 0);
    assert_int_equal(result.count[PGC_COMPACT_UPDATE], COUNT);
    for (int i = 0; i < COUNT; i++) {
        snprintf(a, sizeof a, "%d", i + 2);
        const pgconvoy_value *value = &result.items[PGC_COMPACT_UPDATE][i].row[1];
        assert_int_equal(value->length, strlen(a));
        assert_memory_equal(value->data, a, strlen(a));
    }
    assert_true(pgc_compact_bytes(*state) < (size_t)COUNT * 400); /* versions take each other's place */
    pgc_compact_reset(*state);
    update(*state, "1", "a", "b");
    assert_result(*state, "update 1,a,b;");
}

static void without_a_key_rows_are_counted(void **state)
{
    pgconvoy_value old[3], row[3];
    fill(old, "1", "a", NULL);
    fill(row, "2", "a", U);
    insert(*state, "5", "x", "y");
    insert(*state, "5", "x", "y");
    insert(*state, "6", "x", "y");
    assert_int_equal(try_add(*state, PGCONVOY_UPDATE, 'O', old, row), 0);
    assert_int_equal(try_add(*state, PGCONVOY_DELETE, 'O', old, NULL), 0);
    fill(old, "6", "x", "y");
    assert_int_equal(try_add(*state, PGCONVOY_DELETE, 'O', old, NULL), 0);
    assert_result(*state, "delete 2x 1,a,null;insert 2x 5,x,y;insert 2,a,null;");
}

static void rows_that_stay_are_pointed_to_without_a_key(void **state)
{
    pgconvoy_value old[3], row[3], again[3], old_two[3], row_two[3];
    pgc_compact_result result;
    pgc_compact_rows_stay(*state, true);
    fill(old, "1", "a", "b");
    fill(row, "2", "a", U);
    fill(again, "2", "a", "b");
    assert_int_equal(try_add(*state, PGCONVOY_UPDATE, 'O', old, row), 0);
    assert_int_equal(try_add(*state, PGCONVOY_INSERT, 0, NULL, again), 0);
    assert_int_equal(pgc_compact_take(*state, &result, &err), 0);
    assert_ptr_equal(result.items[PGC_COMPACT_DELETE]->row, old);
    /* made of two, it is neither of them, nor what the next one is made in */
    const pgconvoy_value *made = result.items[PGC_COMPACT_INSERT]->row;
    assert_true(made != row && row[2].length == PGCONVOY_UNCHANGED);
    fill(old_two, "3", "c", "d");
    fill(row_two, "4", U, "e");
    assert_int_equal(try_add(*state, PGCONVOY_UPDATE, 'O', old_two, row_two), 0);
    assert_result(*state, "delete 1,a,b;delete 3,c,d;insert 2x 2,a,b;insert 4,c,e;");
}

static void a_table_whose_rows_cannot_be_identified_takes_inserts_only(void **state)
{
    pgconvoy_value row[3];
    insert(*state, "1", "a", "b");
    insert(*state, "1", "a", "b");
    assert_result(*state, "insert 1,a,b;insert 1,a,b;");
    fill(row, "1", "a", "b");
    assert_int_equal(try_add(*state, PGCONVOY_UPDATE, 0, NULL, row), -1);
    assert_non_null(strstr(err.message, "public.t"));
    assert_non_null(strstr(err.hint, "REPLICA IDENTITY"));
    truncate_all(*state);
    assert_result(*state, "truncate;");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_last_version_of_a_row_wins),
        TEST(an_insert_that_is_updated_is_an_insert),
        TEST(an_insert_that_is_deleted_again_is_nothing),
        TEST(an_insert_that_goes_again_is_a_delete_when_it_may_be_a_repetition),
        TEST(a_delete_and_an_insert_of_one_key_is_an_update),
        TEST(unchanged_values_come_from_an_earlier_change_or_stay_open),
        TEST(updates_stand_in_runs_of_the_same_columns),
        TEST(columns_far_apart_are_told_apart),
        TEST(a_key_change_is_a_delete_and_an_insert),
        TEST(a_key_change_with_unchanged_values_is_a_move),
        TEST(a_key_change_there_and_back_is_an_update),
        TEST(keys_can_be_swapped),
        TEST(a_moved_row_that_is_deleted_takes_its_old_key_with_it),
        TEST(a_row_that_is_known_moves_as_an_insert),
        TEST(a_truncate_is_a_barrier),
        TEST(the_whole_old_row_fills_in_unchanged_values),
        TEST(a_key_that_was_not_sent_comes_from_the_old_one),
        TEST(an_empty_text_and_null_are_two_keys),
        TEST(what_a_change_pointed_to_may_go_away),
        TEST(a_row_that_stays_is_pointed_to),
        TEST(thousands_of_keys_are_told_apart),
        cmocka_unit_test_setup_teardown(without_a_key_rows_are_counted, setup_full, teardown),
        cmocka_unit_test_setup_teardown(rows_that_stay_are_pointed_to_without_a_key, setup_full, teardown),
        cmocka_unit_test_setup_teardown(a_table_whose_rows_cannot_be_identified_takes_inserts_only, setup_nothing, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
