/* Ranges: together they are the whole table, whatever its size. */
#include "source/postgres/split.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#define BLOCK 8192

static pgc_postgres_source source;
static pgc_source_table table;
static pgc_part parts[2];

static int set_up(void **state)
{
    (void)state;
    pgconvoy_error err = {0};
    source = (pgc_postgres_source){.server_version = 150000, .block_size = BLOCK};
    table = (pgc_source_table){
        .table = {.oid = 5, .schema = "s", .name = "t"}, .relkind = 'r', .parts = parts, .part_count = 1};
    parts[0] = (pgc_part){.oid = 5, .heap_bytes = 1000 * BLOCK, .total_bytes = 1000 * BLOCK};
    parts[1] = (pgc_part){.oid = 6, .heap_bytes = 10 * BLOCK, .total_bytes = 10 * BLOCK};
    return pgc_oid_map_put(&source.table_map, 5, &table, &err);
}

static int tear_down(void **state)
{
    (void)state;
    pgc_oid_map_free(&source.table_map);
    return 0;
}

static size_t split(int64_t target, pgc_range **ranges)
{
    pgconvoy_error err = {0};
    size_t count = 0;
    assert_int_equal(pgc_split_table(&source, &table.table, target, ranges, &count, &err), 0);
    return count;
}

static void ranges_follow_each_other_and_both_ends_are_open(void **state)
{
    (void)state;
    pgc_range *ranges;
    size_t count = split(100 * BLOCK, &ranges);
    assert_int_equal(count, 10);
    assert_int_equal(ranges[0].first_block, -1);
    assert_int_equal(ranges[9].end_block, -1);
    for (size_t i = 1; i < count; i++) {
        assert_int_equal(ranges[i].first_block, ranges[i - 1].end_block);
        assert_true(ranges[i].first_block > 0);
    }
    free(ranges);
}

static void toasted_values_weigh_on_the_blocks_of_their_rows(void **state)
{
    (void)state;
    pgc_range *ranges;
    parts[0].total_bytes = 4000 * BLOCK;
    size_t count = split(100 * BLOCK, &ranges);
    assert_int_equal(count, 40);
    free(ranges);
}

static void there_are_never_more_ranges_than_blocks(void **state)
{
    (void)state;
    pgc_range *ranges;
    parts[0].heap_bytes = 3 * BLOCK;
    size_t count = split(1, &ranges);
    assert_int_equal(count, 3);
    assert_int_equal(ranges[1].first_block, 1);
    free(ranges);
}

static void an_empty_table_is_one_open_range(void **state)
{
    (void)state;
    pgc_range *ranges;
    parts[0].heap_bytes = parts[0].total_bytes = 0;
    assert_int_equal(split(BLOCK, &ranges), 1);
    assert_int_equal(ranges[0].first_block, -1);
    assert_int_equal(ranges[0].end_block, -1);
    free(ranges);
}

static void every_partition_has_ranges_of_its_own(void **state)
{
    (void)state;
    pgc_range *ranges;
    table.part_count = 2;
    assert_int_equal(split(500 * BLOCK, &ranges), 3);
    assert_int_equal(ranges[2].relation_oid, 6);
    assert_int_equal(ranges[2].first_block, -1);
    assert_ptr_equal(ranges[2].table, &table.table);
    free(ranges);
}

static void a_table_without_partitions_still_is_one_range(void **state)
{
    (void)state;
    pgc_range *ranges;
    table.part_count = 0;
    assert_int_equal(split(500 * BLOCK, &ranges), 1);
    assert_int_equal(ranges[0].relation_oid, 5);
    free(ranges);
}

static void servers_without_tid_range_scans_read_a_part_at_once(void **state)
{
    (void)state;
    pgc_range *ranges;
    source.server_version = 130000;
    assert_int_equal(split(BLOCK, &ranges), 1);
    free(ranges);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(ranges_follow_each_other_and_both_ends_are_open),
        TEST(toasted_values_weigh_on_the_blocks_of_their_rows),
        TEST(there_are_never_more_ranges_than_blocks),
        TEST(an_empty_table_is_one_open_range),
        TEST(every_partition_has_ranges_of_its_own),
        TEST(a_table_without_partitions_still_is_one_range),
        TEST(servers_without_tid_range_scans_read_a_part_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
