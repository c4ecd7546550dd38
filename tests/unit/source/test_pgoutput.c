/* The message formats, one by one, and what becomes of broken ones. */
#include "base/clock.h"
#include "source/postgres/pgoutput.h"

#include "pgoutput_builder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static pgc_pgoutput_reader reader_of(const builder *b)
{
    return pgc_pgoutput_reader_of(b->data[0], b->data + 1, b->length - 1);
}

static void begin_has_final_lsn_time_and_xid(void **state)
{
    (void)state;
    builder b;
    start(&b, 'B');
    put64(&b, 0x1122334455667788);
    put64(&b, 1000001);
    put32(&b, 0xfffffffe);
    pgc_pgoutput_reader reader = reader_of(&b);
    pgc_pgoutput_begin begin;
    pgconvoy_error err = {0};
    assert_int_equal(pgc_pgoutput_read_begin(&reader, &begin, &err), 0);
    assert_true(begin.final_lsn == 0x1122334455667788);
    assert_true(begin.commit_time == PGC_PG_EPOCH_US + 1000001);
    assert_int_equal(begin.xid, 0xfffffffe);
}

static void stream_commit_has_an_xid_first(void **state)
{
    (void)state;
    builder b;
    start(&b, 'c');
    put32(&b, 77);
    put8(&b, 0);
    put64(&b, 100);
    put64(&b, 200);
    put64(&b, 5);
    pgc_pgoutput_reader reader = reader_of(&b);
    pgc_pgoutput_commit commit;
    pgconvoy_error err = {0};
    assert_int_equal(pgc_pgoutput_read_commit(&reader, &commit, &err), 0);
    assert_int_equal(commit.xid, 77);
    assert_true(commit.commit_lsn == 100 && commit.end_lsn == 200);
}

static void stream_abort_carries_lsn_and_time_only_in_parallel_streaming(void **state)
{
    (void)state;
    builder b;
    start(&b, 'A');
    put32(&b, 7);
    put32(&b, 8);
    pgc_pgoutput_reader reader = reader_of(&b);
    pgc_pgoutput_abort abort_;
    pgconvoy_error err = {0};
    assert_int_equal(pgc_pgoutput_read_abort(&reader, false, &abort_, &err), 0);
    assert_int_equal(abort_.subxid, 8);
    reader = reader_of(&b);
    assert_int_equal(pgc_pgoutput_read_abort(&reader, true, &abort_, &err), -1);
    put64(&b, 4711);
    put64(&b, 6);
    reader = reader_of(&b);
    assert_int_equal(pgc_pgoutput_read_abort(&reader, true, &abort_, &err), 0);
    assert_true(abort_.abort_lsn == 4711 && abort_.abort_time == PGC_PG_EPOCH_US + 6);
    reader = reader_of(&b);
    assert_int_equal(pgc_pgoutput_read_abort(&reader, false, &abort_, &err), -1);
}

static void messages_of_prepared_transactions_are_understood(void **state)
{
    (void)state;
    pgconvoy_error err = {0};
    for (const char *type = "bPKrp"; *type; type++) {
        builder b;
        start(&b, *type);
        if (*type != 'b')
            put8(&b, 0);
        put64(&b, 10);
        put64(&b, 20);
        put64(&b, 1);
        if (*type == 'r')
            put64(&b, 2);
        put32(&b, 33);
        put_text(&b, "gid one");
        pgc_pgoutput_reader reader = reader_of(&b);
        pgc_pgoutput_prepared prepared;
        assert_int_equal(pgc_pgoutput_read_prepared(&reader, &prepared, &err), 0);
        assert_true(prepared.lsn == 10 && prepared.end_lsn == 20);
        assert_int_equal(prepared.xid, 33);
        assert_string_equal(prepared.gid, "gid one");
    }
}

static void a_row_has_nulls_unchanged_text_and_binary_values(void **state)
{
    (void)state;
    builder b;
    start(&b, 'I');
    put16(&b, 5);
    put8(&b, 'n');
    put8(&b, 'u');
    put8(&b, 't');
    put32(&b, 3);
    put_bytes(&b, "abc", 3);
    put8(&b, 'b');
    put32(&b, 4);
    put32(&b, 42);
    put8(&b, 't');
    put32(&b, 0);
    pgc_pgoutput_reader reader = reader_of(&b);
    pgconvoy_value values[5];
    pgconvoy_error err = {0};
    pgc_pgoutput_tuple(&reader, NULL, 5, values);
    assert_int_equal(pgc_pgoutput_end(&reader, &err), 0);
    assert_int_equal(values[0].length, PGCONVOY_NULL);
    assert_null(values[0].data);
    assert_int_equal(values[1].length, PGCONVOY_UNCHANGED);
    assert_int_equal(values[2].length, 3);
    assert_int_equal(values[2].format, PGCONVOY_TEXT);
    assert_memory_equal(values[2].data, "abc", 3);
    assert_int_equal(values[3].format, PGCONVOY_BINARY);
    assert_int_equal(values[3].length, 4);
    assert_int_equal(values[4].length, 0);
    assert_non_null(values[4].data);
}

static void a_row_is_put_where_the_map_says(void **state)
{
    (void)state;
    builder b;
    start(&b, 'I');
    ROW(&b, "a", "b", "c");
    pgc_pgoutput_reader reader = reader_of(&b);
    pgconvoy_value values[2] = {{0}};
    int map[] = {1, -1, 0};
    pgconvoy_error err = {0};
    pgc_pgoutput_tuple(&reader, map, 3, values);
    assert_int_equal(pgc_pgoutput_end(&reader, &err), 0);
    assert_memory_equal(values[0].data, "c", 1);
    assert_memory_equal(values[1].data, "a", 1);
}

static void a_value_longer_than_its_message_is_an_error_that_names_the_message(void **state)
{
    (void)state;
    const uint32_t lengths[] = {4, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffe};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        builder b;
        start(&b, 'U');
        put16(&b, 1);
        put8(&b, 't');
        put32(&b, lengths[i]);
        put_bytes(&b, "abc", 3);
        pgc_pgoutput_reader reader = reader_of(&b);
        pgconvoy_value value;
        pgconvoy_error err = {0};
        pgc_pgoutput_tuple(&reader, NULL, 1, &value);
        assert_int_equal(pgc_pgoutput_end(&reader, &err), -1);
        assert_int_equal(err.code, PGCONVOY_ERROR_DATA);
        assert_non_null(strstr(err.message, "Update"));
    }
}

static void every_cut_of_a_message_is_an_error(void **state)
{
    (void)state;
    builder b;
    start(&b, 'M');
    put8(&b, 1);
    put64(&b, 99);
    put_text(&b, "prefix");
    put32(&b, 2);
    put_bytes(&b, "xy", 2);
    pgc_pgoutput_logical_message message;
    pgconvoy_error err = {0};
    pgc_pgoutput_reader reader = reader_of(&b);
    assert_int_equal(pgc_pgoutput_read_message(&reader, &message, &err), 0);
    assert_true(message.transactional);
    assert_string_equal(message.prefix, "prefix");
    assert_int_equal(message.content_length, 2);
    for (size_t length = 1; length < b.length; length++) {
        /* an exact copy, so that a sanitizer sees a read behind its end */
        uint8_t *exact = malloc(length);
        assert_non_null(exact);
        memcpy(exact, b.data, length);
        reader = pgc_pgoutput_reader_of('M', exact + 1, length - 1);
        assert_int_equal(pgc_pgoutput_read_message(&reader, &message, &err), -1);
        free(exact);
    }
    put8(&b, 0);
    reader = reader_of(&b);
    assert_int_equal(pgc_pgoutput_read_message(&reader, &message, &err), -1);
    assert_non_null(strstr(err.message, "left over"));
}

static void a_time_out_of_range_is_an_error(void **state)
{
    (void)state;
    builder b;
    start(&b, 'B');
    put64(&b, 1);
    put64(&b, INT64_MAX);
    put32(&b, 1);
    pgc_pgoutput_reader reader = reader_of(&b);
    pgc_pgoutput_begin begin;
    pgconvoy_error err = {0};
    assert_int_equal(pgc_pgoutput_read_begin(&reader, &begin, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(begin_has_final_lsn_time_and_xid),
        cmocka_unit_test(stream_commit_has_an_xid_first),
        cmocka_unit_test(stream_abort_carries_lsn_and_time_only_in_parallel_streaming),
        cmocka_unit_test(messages_of_prepared_transactions_are_understood),
        cmocka_unit_test(a_row_has_nulls_unchanged_text_and_binary_values),
        cmocka_unit_test(a_row_is_put_where_the_map_says),
        cmocka_unit_test(a_value_longer_than_its_message_is_an_error_that_names_the_message),
        cmocka_unit_test(every_cut_of_a_message_is_an_error),
        cmocka_unit_test(a_time_out_of_range_is_an_error),
    };
    return cmocka_run_group_tests_name("pgoutput", tests, NULL, NULL);
}
