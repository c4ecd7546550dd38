/* Transactions that the server streams while they are in progress. */
#include "assemble_fixture.h"

#define T 16385

static void a_streamed_transaction_comes_out_at_its_commit(void **state)
{
    (void)state;
    fixture *f = new_fixture();
    add_table(f, T, "t", "id");
    stream_start(f, 7, true);
    relation(f, 7, T, "t", "id*");
    INSERT(f, 7, T, "1");
    stream_stop(f);
    /* others commit in between */
    begin(f, 8, 4000);
    relation(f, 0, T, "t", "id*");
    INSERT(f, 0, T, "2");
    commit(f, 4000);
    stream_start(f, 7, false);
    INSERT(f, 7, T, "3");
    stream_stop(f);
    expect(f, "begin 8 at 4000\ninsert #0 t.1 (2)\ncommit 8 end 4050\n");
    stream_commit(f, 7, 5000);
    expect(f, "begin 7 at 5000\ninsert #0 t.1 (1)\ninsert #1 t.1 (3)\ncommit 7 end 5050\n");
    assert_true(f->position == 5050 && f->at_boundary);
    free_fixture(f);
}

static void a_rolled_back_subtransaction_is_left_out_and_its_sequence_too(void **state)
{
    (void)state;
    fixture *f = new_fixture();
    add_table(f, T, "t", "id");
    stream_start(f, 7, true);
    relation(f, 7, T, "t", "id*");
    INSERT(f, 7, T, "1");
    INSERT(f, 8, T, "sub"); /* rolled back below, with the one nested in it */
    INSERT(f, 9, T, "nested");
    INSERT(f, 10, T, "kept");
    stream_stop(f);
    stream_abort(f, 7, 9);
    stream_abort(f, 7, 8);
    stream_start(f, 7, false);
    INSERT(f, 7, T, "2");
    stream_stop(f);
    stream_commit(f, 7, 5000);
    expect(f, "begin 7 at 5000\ninsert #0 t.1 (1)\ninsert #1 t.1 (kept)\ninsert #2 t.1 (2)\ncommit 7 end 5050\n");
    free_fixture(f);
}

static void what_the_server_forgot_to_roll_back_is_left_out(void **state)
{
    (void)state;
    fixture *f = new_fixture();
    f->config.undone = eight_was_undone;
    open_assembler(f);
    add_table(f, T, "t", "id");
    stream_start(f, 7, true);
    relation(f, 7, T, "t", "id*");
    INSERT(f, 7, T, "1");
    INSERT(f, 8, T, "undone");
    INSERT(f, 9, T, "told");
    INSERT(f, 8, T, "undone, too");
    INSERT(f, 10, T, "kept");
    stream_stop(f);
    stream_abort(f, 7, 9);
    stream_commit(f, 7, 5000);
    expect(f, "begin 7 at 5000\ninsert #0 t.1 (1)\ninsert #1 t.1 (kept)\ncommit 7 end 5050\n");
    free_fixture(f);
}

static void a_schema_change_of_a_rolled_back_subtransaction_never_was(void **state)
{
    (void)state;
    fixture *f = new_fixture();
    add_table(f, T, "t", "id");
    stream_start(f, 7, true);
    relation(f, 7, T, "t", "id*");
    INSERT(f, 7, T, "1");
    relation(f, 8, T, "t", "id* y");
    INSERT(f, 8, T, "2", "why");
    stream_stop(f);
    stream_abort(f, 7, 8);
    stream_start(f, 7, false);
    relation(f, 7, T, "t", "id*");
    INSERT(f, 7, T, "3");
    stream_stop(f);
    stream_commit(f, 7, 5000);
    expect(f, "begin 7 at 5000\ninsert #0 t.1 (1)\ninsert #1 t.1 (3)\ncommit 7 end 5050\n");
    assert_int_equal(f->asked, 1);
    free_fixture(f);
}

static void a_rolled_back_transaction_leaves_nothing(void **state)
{
    (void)state;
    fixture *f = new_fixture();
    add_table(f, T, "t", "id");
    stream_start(f, 7, true);
    relation(f, 7, T, "t", "id*");
    INSERT(f, 7, T, "1");
    stream_stop(f);
    stream_abort(f, 7, 7);
    expect(f, "");
    assert_int_equal(f->batches, 0);
    stream_abort(f, 7, 7); /* of one that is not there: nothing to do */
    stream_start(f, 7, true); /* the number may come again */
    stream_stop(f);
    stream_commit(f, 7, 6000);
    expect(f, "");
    assert_true(f->position == 6050);
    free_fixture(f);
}

static void relations_inside_a_stream_are_replayed_in_their_order(void **state)
{
    (void)state;
    fixture *f = new_fixture();
    add_table(f, T, "t", "id");
    begin(f, 6, 4000);
    relation(f, 0, T, "t", "id*");
    INSERT(f, 0, T, "0");
    commit(f, 4000);
    stream_start(f, 7, true);
    relation(f, 7, T, "t", "id*");
    INSERT(f, 7, T, "1");
    relation(f, 7, T, "t", "id* y");
    INSERT(f, 7, T, "2", "why");
    stream_stop(f);
    assert_int_equal(f->asked, 1); /* nothing is asked before the commit */
    expect(f, "begin 6 at 4000\ninsert #0 t.1 (0)\ncommit 6 end 4050\n");
    add_table(f, T, "t", "id y");
    stream_commit(f, 7, 5000);
    expect(f, "begin 7 at 5000\ninsert #0 t.1 (1)\nschema #1 t.2\ninsert #1 t.2 (2,why)\ncommit 7 end 5050\n");
    free_fixture(f);
}

static void a_large_one_is_spilled_and_comes_back_in_several_batches(void **state)
{
    (void)state;
    fixture *f = new_fixture();
    f->config.spill_transaction_bytes = 4096;
    f->config.batch_bytes = 50000;
    open_assembler(f);
    add_table(f, T, "t", "id");
    pgc_buffer expected;
    pgc_buffer_init(&expected, 64 << 20);
    pgc_buffer_text(&expected, "begin 7 at 5000\n");
    uint32_t sequence = 0;
    for (uint32_t i = 0; i < 20000; i++) {
        uint32_t xid = i % 10 == 9 ? 100 + i % 3 : 7;
        char text[20];
        snprintf(text, sizeof text, "%u", i);
        if (i % 1000 == 0)
            stream_start(f, 7, i == 0);
        if (i == 0)
            relation(f, 7, T, "t", "id*");
        INSERT(f, xid, T, text);
        if (i % 1000 == 999)
            stream_stop(f);
        if (xid != 101)
            pgc_buffer_format(&expected, "insert #%u t.1 (%u)\n", sequence++, i);
    }
    stream_abort(f, 7, 101);
    pgc_buffer_text(&expected, "commit 7 end 5050\n");
    assert_int_equal(f->batches, 0);
    stream_commit(f, 7, 5000);
    assert_true(f->batches > 20);
    assert_false(f->at_boundary);
    assert_true(f->position == 0);
    expect(f, expected.data);
    assert_true(f->at_boundary && f->position == 5050);
    pgc_buffer_free(&expected);
    free_fixture(f);
}

static void large_ones_are_read_back_between_small_ones(void **state)
{
    (void)state;
    fixture *f = new_fixture();
    f->config.spill_transaction_bytes = 4096;
    open_assembler(f);
    add_table(f, T, "t", "id value");
    stream_start(f, 7, true);
    relation(f, 7, T, "t", "id* value");
    INSERT(f, 7, T, "1", "small");
    insert_large(f, 7, T, "2", 300000, 'x');
    insert_large(f, 7, T, "3", 900000, 'y');
    INSERT(f, 7, T, "4", "small");
    insert_large(f, 8, T, "5", 500000, '!'); /* rolled back */
    insert_large(f, 7, T, "6", 400000, 'z');
    insert_large(f, 7, T, "7", 100000, 'a');
    stream_stop(f);
    stream_abort(f, 7, 8);
    assert_int_equal(f->taken, 0);
    stream_commit(f, 7, 5000);
    expect(f, "begin 7 at 5000\ninsert #0 t.1 (1,small)\ninsert #1 t.1 (2,300000 x)\ninsert #2 t.1 (3,900000 y)\ninsert #3 t.1 (4,small)\n"
              "insert #4 t.1 (6,400000 z)\ninsert #5 t.1 (7,100000 a)\ncommit 7 end 5050\n");
    free_fixture(f);
}

static void nothing_may_be_fed_before_a_streamed_transaction_is_read_to_its_end(void **state)
{
    (void)state;
    fixture *f = new_fixture();
    stream_start(f, 7, true);
    stream_stop(f);
    builder *b = message(f, 'c', 0);
    put32(b, 7);
    put8(b, 0);
    put64(b, 5000);
    put64(b, 5050);
    put64(b, 0);
    assert_int_equal(pgc_assembler_feed(f->assembler, 1, b->data, b->length, &f->err), 0);
    assert_true(pgc_assembler_in_transaction(f->assembler));
    pgc_assembler_position(f->assembler, 9999);
    assert_int_equal(pgc_assembler_feed(f->assembler, 1, b->data, b->length, &f->err), -1);
    assert_int_equal(f->err.code, PGCONVOY_ERROR_INTERNAL);
    pgc_change_batch *batch;
    assert_int_equal(pgc_assembler_next(f->assembler, &batch, &f->err), 0);
    take(f);
    assert_true(f->position == 5050);
    free_fixture(f);
}

static void what_to_leave_out_is_decided_at_the_commit(void **state)
{
    (void)state;
    fixture *f = new_fixture();
    f->config.skip_before = 3000;
    open_assembler(f);
    add_table(f, T, "t", "id");
    stream_start(f, 5, true);
    relation(f, 5, T, "t", "id*");
    INSERT(f, 5, T, "in the sink");
    stream_stop(f);
    stream_start(f, 6, true);
    INSERT(f, 6, T, "in the copy");
    logical_message(f, 6, true, 1, "app", "m");
    stream_stop(f);
    stream_start(f, 7, true);
    INSERT(f, 7, T, "new");
    stream_stop(f);
    stream_commit(f, 5, 2900); /* its Relation message counts all the same */
    assert_int_equal(f->asked, 1);
    assert_int_equal(pgc_assembler_set_copy_lsn(f->assembler, T, 4500, &f->err), 0);
    stream_commit(f, 6, 4400);
    stream_commit(f, 7, 4500);
    expect(f, "begin 6 at 4400\nmessage #0 in app=m at 4400\ncommit 6 end 4450\n"
              "begin 7 at 4500\ninsert #0 t.1 (new)\ncommit 7 end 4550\n");
    free_fixture(f);
}

static void a_keepalive_counts_while_streamed_transactions_are_in_progress(void **state)
{
    (void)state;
    fixture *f = new_fixture();
    stream_start(f, 7, true);
    pgc_assembler_position(f->assembler, 2000);
    assert_null(pgc_assembler_take(f->assembler)); /* not inside a block */
    stream_stop(f);
    pgc_assembler_position(f->assembler, 3000);
    take(f);
    assert_true(f->position == 3000 && f->at_boundary);
    free_fixture(f);
}

static void all_kinds_of_messages_have_their_xid_inside_a_stream(void **state)
{
    (void)state;
    fixture *f = new_fixture();
    add_table(f, T, "t", "id");
    stream_start(f, 7, true);
    builder *b = message(f, 'O', 0); /* but for Origin */
    put64(b, 1);
    put_text(b, "elsewhere");
    fed(f);
    b = message(f, 'Y', 7);
    put32(b, 20000);
    put_text(b, "public");
    put_text(b, "mood");
    fed(f);
    relation(f, 7, T, "t", "id*");
    INSERT(f, 7, T, "1");
    b = message(f, 'U', 7);
    put32(b, T);
    put8(b, 'N');
    ROW(b, "2");
    fed(f);
    b = message(f, 'D', 7);
    put32(b, T);
    put8(b, 'K');
    ROW(b, "2");
    fed(f);
    b = message(f, 'T', 7);
    put32(b, 1);
    put8(b, 1);
    put32(b, T);
    fed(f);
    logical_message(f, 7, true, 1, "app", "m");
    logical_message(f, 7, true, 1, "pgconvoy", "m");
    stream_stop(f);
    stream_commit(f, 7, 5000);
    expect(f, "begin 7 at 5000 from elsewhere\ninsert #0 t.1 (1)\nupdate #1 t.1 (2)\ndelete #2 t.1 K(2)\n"
              "truncate #3 t.1 flags 1\nmessage #4 in app=m at 5000\ncommit 7 end 5050\n");
    free_fixture(f);
}

static void blocks_that_do_not_fit_together_are_refused(void **state)
{
    (void)state;
    fixture *f = new_fixture();
    builder *b = message(f, 'S', 0);
    put32(b, 7);
    put8(b, 0);
    assert_int_equal(feed(f), -1);
    assert_non_null(strstr(f->err.message, "never started"));

    open_assembler(f);
    stream_start(f, 7, true);
    stream_stop(f);
    b = message(f, 'S', 0);
    put32(b, 7);
    put8(b, 1);
    assert_int_equal(feed(f), -1);
    assert_non_null(strstr(f->err.message, "already there"));

    open_assembler(f);
    b = message(f, 'c', 0);
    put32(b, 7);
    put8(b, 0);
    put64(b, 1);
    put64(b, 2);
    put64(b, 0);
    assert_int_equal(feed(f), -1);
    assert_int_equal(f->err.code, PGCONVOY_ERROR_DATA);

    open_assembler(f);
    stream_start(f, 7, true);
    b = message(f, 'B', 0);
    assert_int_equal(feed(f), -1);
    assert_non_null(strstr(f->err.message, "a streamed block is open"));
    free_fixture(f);
}

static void abort_with_lsn_is_understood_in_parallel_streaming(void **state)
{
    (void)state;
    fixture *f = new_fixture();
    f->config.streaming_parallel = true;
    open_assembler(f);
    add_table(f, T, "t", "id");
    stream_start(f, 7, true);
    relation(f, 7, T, "t", "id*");
    INSERT(f, 8, T, "sub");
    INSERT(f, 7, T, "1");
    stream_stop(f);
    builder *b = message(f, 'A', 0);
    put32(b, 7);
    put32(b, 8);
    put64(b, 4000);
    put64(b, 0);
    fed(f);
    stream_commit(f, 7, 5000);
    expect(f, "begin 7 at 5000\ninsert #0 t.1 (1)\ncommit 7 end 5050\n");
    free_fixture(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_streamed_transaction_comes_out_at_its_commit),
        cmocka_unit_test(a_rolled_back_subtransaction_is_left_out_and_its_sequence_too),
        cmocka_unit_test(what_the_server_forgot_to_roll_back_is_left_out),
        cmocka_unit_test(a_schema_change_of_a_rolled_back_subtransaction_never_was),
        cmocka_unit_test(a_rolled_back_transaction_leaves_nothing),
        cmocka_unit_test(relations_inside_a_stream_are_replayed_in_their_order),
        cmocka_unit_test(a_large_one_is_spilled_and_comes_back_in_several_batches),
        cmocka_unit_test(large_ones_are_read_back_between_small_ones),
        cmocka_unit_test(nothing_may_be_fed_before_a_streamed_transaction_is_read_to_its_end),
        cmocka_unit_test(what_to_leave_out_is_decided_at_the_commit),
        cmocka_unit_test(a_keepalive_counts_while_streamed_transactions_are_in_progress),
        cmocka_unit_test(all_kinds_of_messages_have_their_xid_inside_a_stream),
        cmocka_unit_test(blocks_that_do_not_fit_together_are_refused),
        cmocka_unit_test(abort_with_lsn_is_understood_in_parallel_streaming),
    };
    return cmocka_run_group_tests_name("streamed", tests, NULL, NULL);
}
