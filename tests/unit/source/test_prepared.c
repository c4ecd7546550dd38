/* Prepared transactions: at their commit, and as prepared. */
#include "assemble_fixture.h"

#define T 16385
#define U 16390

static void a_prepared_transaction_comes_with_its_commit_and_holds_the_slot_back_until_it_is_durable(void **state)
{
    (void)state;
    fixture *f = new_fixture();
    add_table(f, T, "t", "id");
    prepared_message(f, 'b', 7, 4000);
    relation(f, 0, T, "t", "id*");
    INSERT(f, 0, T, "1");
    prepared_message(f, 'P', 7, 4000);
    /* the Relation message above counts for the transactions beside it */
    begin(f, 8, 5000);
    INSERT(f, 0, T, "2");
    commit(f, 5000);
    expect(f, "begin 8 at 5000\ninsert #0 t.1 (2)\ncommit 8 end 5050\n");
    assert_true(f->position == 5050);
    assert_true(pgc_assembler_confirmable(f->assembler, 5050) == 4000);
    prepared_message(f, 'K', 7, 6000);
    expect(f, "begin 7 at 6000\ninsert #0 t.1 (1)\ncommit 7 end 6050\n");
    assert_true(pgc_assembler_confirmable(f->assembler, 5050) == 4000);
    assert_true(pgc_assembler_confirmable(f->assembler, 6050) == 6050);
    free_fixture(f);
}

static void a_prepared_transaction_that_is_rolled_back_leaves_nothing(void **state)
{
    (void)state;
    fixture *f = new_fixture();
    add_table(f, T, "t", "id");
    prepared_message(f, 'b', 7, 4000);
    relation(f, 0, T, "t", "id*");
    INSERT(f, 0, T, "1");
    prepared_message(f, 'P', 7, 4000);
    prepared_message(f, 'r', 7, 4050);
    expect(f, "");
    assert_true(pgc_assembler_confirmable(f->assembler, 5050) == 5050);
    /* one whose changes nobody has here */
    builder *b = message(f, 'K', 0);
    put8(b, 0);
    put64(b, 7000);
    put64(b, 7050);
    put64(b, 0);
    put32(b, 9);
    put_text(b, "order 18");
    assert_int_equal(feed(f), -1);
    assert_int_equal(f->err.code, PGCONVOY_ERROR_STATE);
    assert_non_null(strstr(f->err.message, "order 18"));
    free_fixture(f);
}

/* ---- as prepared */

static fixture *new_as_prepared(void)
{
    fixture *f = new_fixture();
    f->config.as_prepared = true;
    open_assembler(f);
    add_table(f, T, "t", "id");
    return f;
}

static void prepare_one(fixture *f, uint32_t xid, uint64_t lsn)
{
    prepared_message(f, 'b', xid, lsn);
    relation(f, 0, T, "t", "id*");
    INSERT(f, 0, T, "1");
    prepared_message(f, 'P', xid, lsn);
}

static void as_prepared_it_ends_with_prepare_and_its_outcome_comes_alone(void **state)
{
    (void)state;
    fixture *f = new_as_prepared();
    prepare_one(f, 7, 4000);
    expect(f, "begin 7 at 4000 as order 17\ninsert #0 t.1 (1)\nprepare 7 end 4050\n");
    assert_true(f->position == 4050 && f->at_boundary);
    assert_true(pgc_assembler_confirmable(f->assembler, 4050) == 4050);
    prepared_message(f, 'K', 7, 6000);
    expect(f, "commit prepared 7 end 6050\n");
    assert_true(f->position == 6050 && f->at_boundary);
    prepare_one(f, 8, 7000);
    prepared_message(f, 'r', 8, 7050);
    expect(f, "begin 8 at 7000 as order 17\ninsert #0 t.1 (1)\nprepare 8 end 7050\nrollback prepared 8 end 7100\n");
    assert_true(f->position == 7100);
    free_fixture(f);
}

static void as_prepared_a_streamed_transaction_comes_without_what_was_rolled_back(void **state)
{
    (void)state;
    fixture *f = new_as_prepared();
    stream_start(f, 7, true);
    relation(f, 7, T, "t", "id*");
    INSERT(f, 7, T, "1");
    INSERT(f, 9, T, "2");
    stream_stop(f);
    stream_abort(f, 7, 9);
    expect(f, "");
    prepared_message(f, 'p', 7, 4000);
    expect(f, "begin 7 at 4000 as order 17\ninsert #0 t.1 (1)\nprepare 7 end 4050\n");
    prepared_message(f, 'K', 7, 5000);
    expect(f, "commit prepared 7 end 5050\n");
    free_fixture(f);
}

static void what_the_sink_has_prepared_does_not_come_again_and_its_end_does(void **state)
{
    (void)state;
    fixture *f = new_as_prepared();
    pgconvoy_prepared known[] = {{7, 4000}, {8, 4100}};
    f->config.prepared = known;
    f->config.prepared_count = 2;
    f->config.skip_before = f->config.prepared_from = 4150;
    open_assembler(f);
    prepare_one(f, 7, 4000); /* sent again, as its position was not confirmed */
    expect(f, "");
    prepared_message(f, 'K', 7, 6000);
    prepared_message(f, 'r', 8, 4150); /* this one is not sent again */
    expect(f, "commit prepared 7 end 6050\nrollback prepared 8 end 4200\n");
    assert_true(pgc_assembler_confirmable(f->assembler, 6050) == 6050);
    free_fixture(f);
}

/* Of what was not to come as prepared then. */
static void a_prepare_before_the_sinks_position_that_the_sink_does_not_have_comes_at_its_commit(void **state)
{
    (void)state;
    fixture *f = new_as_prepared();
    f->config.skip_before = f->config.prepared_from = 5000;
    open_assembler(f);
    prepare_one(f, 7, 4000);
    prepare_one(f, 8, 4200);
    prepared_message(f, 'K', 8, 4900); /* the sink has it */
    expect(f, "");
    assert_true(pgc_assembler_confirmable(f->assembler, 5000) == 4000);
    prepared_message(f, 'K', 7, 6000);
    expect(f, "begin 7 at 6000\ninsert #0 t.1 (1)\ncommit 7 end 6050\n");
    free_fixture(f);
}

static void a_transaction_of_a_table_that_is_copied_after_its_prepare_comes_at_its_commit(void **state)
{
    (void)state;
    fixture *f = new_as_prepared();
    add_table(f, U, "u", "id");
    assert_int_equal(pgc_assembler_set_copy_lsn(f->assembler, U, 4500, &f->err), 0);
    for (uint32_t xid = 7; xid <= 8; xid++) {
        prepared_message(f, 'b', xid, 4000);
        relation(f, 0, T, "t", "id*");
        relation(f, 0, U, "u", "id*");
        INSERT(f, 0, T, "1");
        INSERT(f, 0, U, "2");
        prepared_message(f, 'P', xid, 4000);
    }
    expect(f, "");
    prepared_message(f, 'K', 7, 4400); /* the copy has its row of u */
    expect(f, "begin 7 at 4400\ninsert #0 t.1 (1)\ncommit 7 end 4450\n");
    prepared_message(f, 'K', 8, 4600);
    expect(f, "begin 8 at 4600\ninsert #0 t.1 (1)\ninsert #1 u.1 (2)\ncommit 8 end 4650\n");
    free_fixture(f);
}

static void a_transaction_that_changes_definitions_comes_at_its_commit(void **state)
{
    (void)state;
    fixture *f = new_as_prepared();
    prepared_message(f, 'b', 7, 4000);
    logical_message(f, 0, true, 3900, "pgconvoy.ddl", "{}");
    relation(f, 0, T, "t", "id*");
    INSERT(f, 0, T, "1");
    prepared_message(f, 'P', 7, 4000);
    expect(f, "");
    assert_true(pgc_assembler_confirmable(f->assembler, 5000) == 4000);
    prepared_message(f, 'K', 7, 6000);
    expect(f, "begin 7 at 6000\ninsert #0 t.1 (1)\ncommit 7 end 6050\n");
    /* and where only its rows tell */
    add_table(f, T, "t", "id x");
    prepared_message(f, 'b', 8, 7000);
    relation(f, 0, T, "t", "id* x");
    INSERT(f, 0, T, "1", "2");
    prepared_message(f, 'P', 8, 7000);
    expect(f, "");
    prepared_message(f, 'r', 8, 7050);
    expect(f, "");
    free_fixture(f);
}

static void one_without_anything_for_the_sink_gives_nothing(void **state)
{
    (void)state;
    fixture *f = new_as_prepared();
    prepared_message(f, 'b', 7, 4000);
    relation(f, 0, U, "not_ours", "id*");
    INSERT(f, 0, U, "1");
    prepared_message(f, 'P', 7, 4000);
    prepared_message(f, 'K', 7, 6000);
    expect(f, "");
    assert_true(f->position == 6050 && f->at_boundary);
    assert_true(pgc_assembler_confirmable(f->assembler, 6050) == 6050);
    free_fixture(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_prepared_transaction_comes_with_its_commit_and_holds_the_slot_back_until_it_is_durable),
        cmocka_unit_test(a_prepared_transaction_that_is_rolled_back_leaves_nothing),
        cmocka_unit_test(as_prepared_it_ends_with_prepare_and_its_outcome_comes_alone),
        cmocka_unit_test(as_prepared_a_streamed_transaction_comes_without_what_was_rolled_back),
        cmocka_unit_test(what_the_sink_has_prepared_does_not_come_again_and_its_end_does),
        cmocka_unit_test(a_prepare_before_the_sinks_position_that_the_sink_does_not_have_comes_at_its_commit),
        cmocka_unit_test(a_transaction_of_a_table_that_is_copied_after_its_prepare_comes_at_its_commit),
        cmocka_unit_test(a_transaction_that_changes_definitions_comes_at_its_commit),
        cmocka_unit_test(one_without_anything_for_the_sink_gives_nothing),
    };
    return cmocka_run_group_tests_name("prepared", tests, NULL, NULL);
}
