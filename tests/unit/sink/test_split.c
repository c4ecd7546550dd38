/* How a batch is split among connections: a key is always in the same slice, whatever form its values come in; what is bound together goes to
 * one part; and the parts have about as much to do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "postgres/value.h"
#include "sink/postgres/split.h"

#include <stdio.h>
#include <string.h>

static const pgconvoy_type int4 = {.oid = PGC_INT4, .name = "int4"}, int8 = {.oid = PGC_INT8, .name = "int8"}, uuid = {.oid = PGC_UUID, .name = "uuid"},
                           text = {.oid = PGC_TEXT_OID, .name = "text"};
static const pgconvoy_column narrow[] = {{.name = "id", .type = &int4}}, wide[] = {{.name = "id", .type = &int8}}, uuids[] = {{.name = "id", .type = &uuid}},
                             pairs[] = {{.name = "note", .type = &text}, {.name = "a", .type = &int4}, {.name = "b", .type = &int4}};
static const int first[] = {0}, two[] = {1, 2};
static const pgconvoy_table of_int4 = {.column_count = 1, .columns = narrow, .key_count = 1, .key = first},
                            of_int8 = {.column_count = 1, .columns = wide, .key_count = 1, .key = first},
                            of_uuid = {.column_count = 1, .columns = uuids, .key_count = 1, .key = first},
                            of_pair = {.column_count = 3, .columns = pairs, .key_count = 2, .key = two},
                            of_text = {.column_count = 3, .columns = pairs, .key_count = 1, .key = first},
                            of_nothing = {.column_count = 1, .columns = narrow};

static pgconvoy_value as_text(int number, char *space)
{
    return (pgconvoy_value){.data = space, .length = sprintf(space, "%d", number), .format = PGCONVOY_TEXT};
}

static pgconvoy_value as_binary(int number, int width, char *space)
{
    for (int i = 0; i < width; i++)
        space[i] = (char)((uint64_t)(int64_t)number >> (8 * (width - 1 - i)));
    return (pgconvoy_value){.data = space, .length = width, .format = PGCONVOY_BINARY};
}

static unsigned slice(const pgconvoy_table *table, const pgconvoy_value *row, unsigned slices)
{
    unsigned at = 0;
    assert_true(pgc_pgsink_slice_of(table, table->key, table->key_count, row, slices, &at));
    assert_true(at < slices);
    return at;
}

static void a_key_has_one_slice_in_every_form_and_width(void **state)
{
    (void)state;
    for (int number = -1000; number <= 1000; number++) {
        char space[3][16];
        pgconvoy_value t = as_text(number, space[0]), four = as_binary(number, 4, space[1]), eight = as_binary(number, 8, space[2]);
        unsigned at = slice(&of_int4, &t, 7);
        assert_int_equal(slice(&of_int4, &four, 7), at);
        assert_int_equal(slice(&of_int8, &t, 7), at);
        assert_int_equal(slice(&of_int8, &eight, 7), at);
    }
    char bytes[16];
    for (int i = 0; i < 16; i++)
        bytes[i] = (char)(i * 17);
    pgconvoy_value binary = {.data = bytes, .length = 16, .format = PGCONVOY_BINARY};
    pgconvoy_value words = {.data = "00112233-4455-6677-8899-aabbccddeeff", .length = 36, .format = PGCONVOY_TEXT};
    assert_int_equal(slice(&of_uuid, &binary, 1000), slice(&of_uuid, &words, 1000));
}

/* These numbers are kept on targets: a part that an older version has written is read by a newer one. */
static void the_slices_are_those_of_earlier_versions(void **state)
{
    (void)state;
    static const struct {
        int key;
        unsigned slice;
    } known[] = {{0, 535}, {1, 465}, {-1, 936}, {123456789, 897}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        char space[16];
        pgconvoy_value value = as_text(known[i].key, space);
        assert_int_equal(slice(&of_int4, &value, 1000), known[i].slice);
    }
}

static void keys_spread_evenly(void **state)
{
    (void)state;
    int single[4] = {0}, both[4] = {0};
    char space[2][16];
    for (int number = 0; number < 40000; number++) {
        pgconvoy_value value = as_binary(number, 4, space[0]);
        single[slice(&of_int4, &value, 4)]++;
        pgconvoy_value row[] = {{.length = PGCONVOY_NULL}, as_text(number % 2, space[0]), as_text(number / 2, space[1])};
        both[slice(&of_pair, row, 4)]++;
    }
    for (int i = 0; i < 4; i++) {
        assert_in_range(single[i], 9500, 10500);
        assert_in_range(both[i], 9500, 10500);
    }
}

static void only_keys_that_are_told_by_their_values_are_sliced(void **state)
{
    (void)state;
    assert_true(pgc_pgsink_key_can_slice(&of_int4));
    assert_true(pgc_pgsink_key_can_slice(&of_uuid));
    assert_true(pgc_pgsink_key_can_slice(&of_pair));
    assert_false(pgc_pgsink_key_can_slice(&of_text));
    assert_false(pgc_pgsink_key_can_slice(&of_nothing));
    unsigned at;
    pgconvoy_value none = {.length = PGCONVOY_NULL}, bad = {.data = "x", .length = 1, .format = PGCONVOY_TEXT};
    assert_false(pgc_pgsink_slice_of(&of_int4, first, 1, &none, 3, &at));
    assert_false(pgc_pgsink_slice_of(&of_int4, first, 1, &bad, 3, &at));
}

static void a_change_of_key_may_leave_the_slice(void **state)
{
    (void)state;
    char space[2][16];
    int leaves = 0;
    for (int number = 0; number < 300; number++) {
        pgconvoy_value old = as_text(number, space[0]), new_ = as_text(number + 1000, space[1]);
        pgconvoy_change change = {.operation = PGCONVOY_UPDATE, .table = &of_int4, .old_kind = 'K', .old = &old, .new_ = &new_};
        assert_true(pgc_pgsink_changes_slice(&change, 3) == (slice(&of_int4, &old, 3) != slice(&of_int4, &new_, 3)));
        leaves += pgc_pgsink_changes_slice(&change, 3);
        assert_ptr_equal(pgc_pgsink_row_of(&change), &old);
        change.old = &new_;
        assert_false(pgc_pgsink_changes_slice(&change, 3));
        change.old = NULL;
        assert_false(pgc_pgsink_changes_slice(&change, 3));
    }
    assert_in_range(leaves, 150, 250);
}

/* ---- groups */

static pgconvoy_error err;

static int part_of(const pgc_pgsink_share *shares, size_t count, uint32_t relation)
{
    for (size_t i = 0; i < count; i++)
        if (shares[i].relation == relation)
            return shares[i].part;
    return -100;
}

static void tables_that_are_bound_have_one_part(void **state)
{
    (void)state;
    pgc_pgsink_groups *groups = pgc_pgsink_groups_new();
    /* 1 - 2 - 9 - 3, where 9 is not the stream's; 4 binds itself; 1025 has the slot of 1 */
    assert_int_equal(pgc_pgsink_groups_bind(groups, 1, 2, &err), 0);
    assert_int_equal(pgc_pgsink_groups_bind(groups, 9, 3, &err), 0);
    assert_int_equal(pgc_pgsink_groups_bind(groups, 2, 9, &err), 0);
    assert_int_equal(pgc_pgsink_groups_bind(groups, 4, 4, &err), 0);
    pgc_pgsink_share shares[] = {{.relation = 1, .changes = 10, .sliceable = true},    {.relation = 2, .changes = 500, .sliceable = true},
                                 {.relation = 3, .changes = 20, .sliceable = true},    {.relation = 4, .changes = 400, .sliceable = true},
                                 {.relation = 1025, .changes = 320, .sliceable = true}, {.relation = 6, .changes = 5, .sliceable = true}};
    size_t loads[2] = {0, 0};
    assert_int_equal(pgc_pgsink_groups_share(groups, shares, 6, loads, 2, &err), 0);
    int bound = part_of(shares, 6, 1);
    assert_in_range(bound, 0, 1);
    assert_int_equal(part_of(shares, 6, 2), bound);
    assert_int_equal(part_of(shares, 6, 3), bound);
    assert_int_equal(part_of(shares, 6, 4), 1 - bound);
    assert_int_equal(part_of(shares, 6, 1025), PGSINK_SLICED);
    assert_in_range(part_of(shares, 6, 6), 0, 1);
    assert_int_equal(loads[0] + loads[1], 1255);

    /* what comes later in the batch goes where its group is, whatever is the lightest by then */
    pgc_pgsink_share later[] = {{.relation = 9, .changes = 100000}, {.relation = 1025, .changes = 1, .sliceable = true}};
    loads[bound] = 1000000;
    assert_int_equal(pgc_pgsink_groups_share(groups, later, 2, loads, 2, &err), 0);
    assert_int_equal(part_of(later, 2, 9), bound);
    assert_int_equal(part_of(later, 2, 1025), PGSINK_SLICED);

    /* the next batch is free again */
    pgc_pgsink_groups_begin(groups);
    size_t others[2] = {bound == 0 ? 100 : 0, bound == 0 ? 0 : 100};
    pgc_pgsink_share next[] = {{.relation = 3, .changes = 10}};
    assert_int_equal(pgc_pgsink_groups_share(groups, next, 1, others, 2, &err), 0);
    assert_int_equal(next[0].part, 1 - bound);
    pgc_pgsink_groups_free(groups);
}

static void many_tables_are_balanced_and_not_sliced(void **state)
{
    (void)state;
    pgc_pgsink_groups *groups = pgc_pgsink_groups_new();
    pgc_pgsink_share shares[200];
    size_t loads[3] = {0, 0, 0};
    for (unsigned i = 0; i < 200; i++)
        shares[i] = (pgc_pgsink_share){.owner = &shares[i], .relation = i + 1, .changes = 50 + i, .sliceable = true};
    assert_int_equal(pgc_pgsink_groups_share(groups, shares, 200, loads, 3, &err), 0);
    for (unsigned i = 0; i < 200; i++)
        assert_in_range(shares[i].part, 0, 2);
    size_t total = loads[0] + loads[1] + loads[2];
    for (int i = 0; i < 3; i++)
        assert_in_range(loads[i] * 100, total * 32, total * 35);
    pgc_pgsink_groups_free(groups);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_has_one_slice_in_every_form_and_width),
        cmocka_unit_test(the_slices_are_those_of_earlier_versions),
        cmocka_unit_test(keys_spread_evenly),
        cmocka_unit_test(only_keys_that_are_told_by_their_values_are_sliced),
        cmocka_unit_test(a_change_of_key_may_leave_the_slice),
        cmocka_unit_test(tables_that_are_bound_have_one_part),
        cmocka_unit_test(many_tables_are_balanced_and_not_sliced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
