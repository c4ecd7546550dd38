/* Streamed transactions that are handed over before their commit. */
#include "assemble_fixture.h"

#define T 16385
#define U 16386

/* Table T is known, the backlog ends at 9000, and the next message is at lsn. */
static fixture *backlog(pgconvoy_lsn from, pgconvoy_lsn lsn)
{
    fixture *f = new_fixture();
    const pgconvoy_table *table = add_table(f, T, "t", "id");
    assert_int_equal(pgc_assembler_set_table(f->assembler, table, &f->err), 0);
    pgc_assembler_allow_tentative(f->assembler, from, 9000);
    f->lsn = lsn;
    return f;
}

/* Its first block: one row. */
static void first_block(fixture *f, uint32_t xid)
{
    stream_start(f, xid, true);
    relation(f, xid, T, "t", "id*");
    INSERT(f, xid, T, "1");
    stream_stop(f);
}

static void its_changes_come_before_its_commit(void **state)
{
    (void)state;
    fixture *f = backlog(2000, 2000);
    first_block(f, 7);
    expect(f, "begin 7 in progress, after 2000\ninsert #0 t.1 (1)\n");
    assert_true(!f->at_boundary && f->position == 0);
    pgc_assembler_position(f->assembler, 2500);
    stream_start(f, 7, false);
    INSERT(f, 9, T, "2"); /* of a subtransaction */
    stream_stop(f);
    expect(f, "insert #1 t.1 (2)\n");
    assert_int_equal(f->position, 0); /* what was told meanwhile moves nothing */
    stream_commit(f, 7, 5000);
    expect(f, "commit 7 end 5050\n");
    assert_true(f->at_boundary && f->position == 5050);
    /* the next one begins after it */
    f->lsn = 6000;
    first_block(f, 8);
    stream_commit(f, 8, 7000);
    expect(f, "begin 8 in progress, after 6000\ninsert #0 t.1 (1)\ncommit 8 end 7050\n");
    free_fixture(f);
}

static void what_the_server_forgot_to_roll_back_takes_it_back(void **state)
{
    (void)state;
    fixture *f = new_fixture();
    f->config.undone = eight_was_undone;
    open_assembler(f);
    const pgconvoy_table *table = add_table(f, T, "t", "id");
    assert_int_equal(pgc_assembler_set_table(f->assembler, table, &f->err), 0);
    pgc_assembler_allow_tentative(f->assembler, 2000, 9000);
    f->lsn = 2000;
    first_block(f, 7);
    stream_start(f, 7, false);
    INSERT(f, 8, T, "2");
    INSERT(f, 9, T, "3");
    stream_stop(f);
    expect(f, "begin 7 in progress, after 2000\ninsert #0 t.1 (1)\ninsert #1 t.1 (2)\ninsert #2 t.1 (3)\n");
    stream_commit(f, 7, 5000);
    expect(f, "rollback 7 end 0\nbegin 7 at 5000\ninsert #0 t.1 (1)\ninsert #1 t.1 (3)\ncommit 7 end 5050\n");
    assert_true(f->at_boundary && f->position == 5050);
    free_fixture(f);
}

static void another_transaction_takes_it_back(void **state)
{
    (void)state;
    fixture *f = backlog(2000, 2000);
    first_block(f, 7);
    begin(f, 8, 3000);
    relation(f, 0, T, "t", "id*");
    INSERT(f, 0, T, "8");
    commit(f, 3000);
    expect(f, "begin 7 in progress, after 2000\ninsert #0 t.1 (1)\nrollback 7 end 0\nbegin 8 at 3000\ninsert #0 t.1 (8)\ncommit 8 end 3050\n");
    assert_true(f->at_boundary && f->position == 3050);
    f->lsn = 4000;
    stream_start(f, 7, false);
    INSERT(f, 7, T, "2");
    stream_stop(f);
    expect(f, "");
    stream_commit(f, 7, 5000);
    expect(f, "begin 7 at 5000\ninsert #0 t.1 (1)\ninsert #1 t.1 (2)\ncommit 7 end 5050\n");
    free_fixture(f);
}

static void the_commit_of_another_streamed_one_takes_it_back(void **state)
{
    (void)state;
    fixture *f = backlog(2000, 2000);
    first_block(f, 7);
    first_block(f, 8); /* put aside: only its commit matters */
    expect(f, "begin 7 in progress, after 2000\ninsert #0 t.1 (1)\n");
    stream_commit(f, 8, 3000);
    expect(f, "rollback 7 end 0\nbegin 8 at 3000\ninsert #0 t.1 (1)\ncommit 8 end 3050\n");
    stream_commit(f, 7, 5000);
    expect(f, "begin 7 at 5000\ninsert #0 t.1 (1)\ncommit 7 end 5050\n");
    free_fixture(f);
}

static void a_rollback_takes_it_back_and_so_does_one_of_a_part(void **state)
{
    (void)state;
    fixture *f = backlog(2000, 2000);
    first_block(f, 7);
    stream_abort(f, 7, 7);
    expect(f, "begin 7 in progress, after 2000\ninsert #0 t.1 (1)\nrollback 7 end 0\n");
    assert_true(f->at_boundary && f->position == 0);

    first_block(f, 8);
    stream_start(f, 8, false);
    INSERT(f, 9, T, "sub");
    INSERT(f, 8, T, "2");
    stream_stop(f);
    stream_abort(f, 10, 10); /* of another one, of which nothing is there */
    stream_abort(f, 8, 9);
    expect(f, "begin 8 in progress, after 2050\ninsert #0 t.1 (1)\ninsert #1 t.1 (sub)\ninsert #2 t.1 (2)\nrollback 8 end 0\n");
    stream_commit(f, 8, 5000);
    expect(f, "begin 8 at 5000\ninsert #0 t.1 (1)\ninsert #1 t.1 (2)\ncommit 8 end 5050\n");
    free_fixture(f);
}

static void one_that_others_have_overtaken_is_put_aside(void **state)
{
    (void)state;
    fixture *f = backlog(2000, 2500);
    begin(f, 8, 3000);
    commit(f, 3000);
    f->lsn = 2600; /* it began before the other ended */
    first_block(f, 7);
    expect(f, "");
    stream_commit(f, 7, 5000);
    expect(f, "begin 7 at 5000\ninsert #0 t.1 (1)\ncommit 7 end 5050\n");
    free_fixture(f);
}

static void only_what_lies_in_the_backlog_comes_early(void **state)
{
    (void)state;
    fixture *f = backlog(2000, 1990); /* begun before the stream was asked for: its commit may lie before a copy of a table */
    first_block(f, 7);
    expect(f, "");
    stream_abort(f, 7, 7);
    f->lsn = 9000; /* after it */
    first_block(f, 8);
    expect(f, "");
    stream_abort(f, 8, 8);
    f->lsn = 8000; /* its second block is after it */
    first_block(f, 9);
    f->lsn = 9000;
    stream_start(f, 9, false);
    INSERT(f, 9, T, "2");
    stream_stop(f);
    expect(f, "begin 9 in progress, after 8000\ninsert #0 t.1 (1)\nrollback 9 end 0\n");
    stream_abort(f, 9, 9);
    f->lsn = 8000; /* or nothing comes of it any more */
    first_block(f, 10);
    pgc_assembler_position(f->assembler, 8999);
    pgc_change_batch *batch;
    assert_int_equal(pgc_assembler_next(f->assembler, &batch, &f->err), 0);
    expect(f, "begin 10 in progress, after 8000\ninsert #0 t.1 (1)\n");
    pgc_assembler_position(f->assembler, 9000);
    assert_int_equal(pgc_assembler_next(f->assembler, &batch, &f->err), 0);
    expect(f, "rollback 10 end 0\n");
    stream_commit(f, 10, 9100);
    expect(f, "begin 10 at 9100\ninsert #0 t.1 (1)\ncommit 10 end 9150\n");
    free_fixture(f);
}

static void without_leave_nothing_comes_early(void **state)
{
    (void)state;
    fixture *f = backlog(2000, 2000);
    pgc_assembler_allow_tentative(f->assembler, 2000, 0);
    first_block(f, 7);
    expect(f, "");
    stream_commit(f, 7, 5000);
    expect(f, "begin 7 at 5000\ninsert #0 t.1 (1)\ncommit 7 end 5050\n");
    free_fixture(f);
}

static void a_changed_definition_waits_for_the_commit(void **state)
{
    (void)state;
    fixture *f = backlog(2000, 2000);
    first_block(f, 7);
    stream_start(f, 7, false);
    relation(f, 7, T, "t", "id*"); /* nothing new */
    INSERT(f, 7, T, "2");
    relation(f, 7, T, "t", "id* y");
    INSERT(f, 7, T, "3", "why");
    stream_stop(f);
    assert_int_equal(f->asked, 1);
    expect(f, "begin 7 in progress, after 2000\ninsert #0 t.1 (1)\ninsert #1 t.1 (2)\nrollback 7 end 0\n");
    add_table(f, T, "t", "id y");
    stream_commit(f, 7, 5000);
    expect(f, "begin 7 at 5000\ninsert #0 t.1 (1)\ninsert #1 t.1 (2)\nschema #2 t.2\ninsert #2 t.2 (3,why)\ncommit 7 end 5050\n");
    free_fixture(f);
}

/* Known to the sink in one version, and described for the first time when it has another. */
static void a_table_that_is_another_by_now_waits_for_the_commit(void **state)
{
    (void)state;
    fixture *f = backlog(2000, 2000);
    add_table(f, T, "t", "id y");
    first_block(f, 7);
    expect(f, ""); /* its first change already does not fit */
    stream_commit(f, 7, 5000);
    expect(f, "begin 7 at 5000\nschema #0 t.2\ninsert #0 t.2 (1,same)\ncommit 7 end 5050\n");
    free_fixture(f);
}

static void a_table_that_is_not_known_waits_for_the_commit(void **state)
{
    (void)state;
    fixture *f = backlog(2000, 2000);
    stream_start(f, 7, true);
    relation(f, 7, T, "t", "id*");
    INSERT(f, 7, T, "1");
    relation(f, 7, U, "u", "id*");
    INSERT(f, 7, U, "2");
    stream_stop(f);
    expect(f, "begin 7 in progress, after 2000\ninsert #0 t.1 (1)\nrollback 7 end 0\n");
    stream_commit(f, 7, 5000);
    expect(f, "begin 7 at 5000\ninsert #0 t.1 (1)\ncommit 7 end 5050\n");
    assert_int_equal(f->asked, 2);
    free_fixture(f);
}

static void a_row_that_may_be_in_a_copy_waits_for_the_commit(void **state)
{
    (void)state;
    fixture *f = backlog(2000, 2000);
    assert_int_equal(pgc_assembler_set_copy_lsn(f->assembler, T, 4000, &f->err), 0);
    first_block(f, 7);
    expect(f, "");
    stream_commit(f, 7, 5000);
    expect(f, "begin 7 at 5000\ninsert #0 t.1 (1)\ncommit 7 end 5050\n");
    /* of a table without a copy no row is wanted, whenever it commits */
    assert_int_equal(pgc_assembler_set_copy_lsn(f->assembler, T, UINT64_MAX, &f->err), 0);
    f->lsn = 6000;
    first_block(f, 8);
    stream_commit(f, 8, 7000);
    expect(f, "");
    assert_int_equal(f->position, 7050);
    free_fixture(f);
}

static void a_command_of_ddl_and_a_prepare_wait_for_the_end(void **state)
{
    (void)state;
    fixture *f = backlog(2000, 2000);
    first_block(f, 7);
    stream_start(f, 7, false);
    logical_message(f, 7, true, 2100, "mine", "kept");
    logical_message(f, 7, true, 2100, "pgconvoy.ddl", "{}");
    stream_stop(f);
    expect(f, "begin 7 in progress, after 2000\ninsert #0 t.1 (1)\nmessage #1 in mine=kept at 2000\nrollback 7 end 0\n");
    stream_abort(f, 7, 7);
    first_block(f, 8);
    prepared_message(f, 'p', 8, 5000);
    expect(f, "begin 8 in progress, after 2090\ninsert #0 t.1 (1)\nrollback 8 end 0\n");
    prepared_message(f, 'K', 8, 6000);
    expect(f, "begin 8 at 6000\ninsert #0 t.1 (1)\ncommit 8 end 6050\n");
    free_fixture(f);
}

static void a_message_outside_takes_it_back(void **state)
{
    (void)state;
    fixture *f = backlog(2000, 2000);
    first_block(f, 7);
    logical_message(f, 0, false, 3000, "mine", "alone");
    expect(f, "begin 7 in progress, after 2000\ninsert #0 t.1 (1)\nrollback 7 end 0\nmessage #0 alone mine=alone at 2999\n");
    assert_int_equal(f->position, 3000);
    free_fixture(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_changes_come_before_its_commit),
        cmocka_unit_test(what_the_server_forgot_to_roll_back_takes_it_back),
        cmocka_unit_test(another_transaction_takes_it_back),
        cmocka_unit_test(the_commit_of_another_streamed_one_takes_it_back),
        cmocka_unit_test(a_rollback_takes_it_back_and_so_does_one_of_a_part),
        cmocka_unit_test(one_that_others_have_overtaken_is_put_aside),
        cmocka_unit_test(only_what_lies_in_the_backlog_comes_early),
        cmocka_unit_test(without_leave_nothing_comes_early),
        cmocka_unit_test(a_changed_definition_waits_for_the_commit),
        cmocka_unit_test(a_table_that_is_another_by_now_waits_for_the_commit),
        cmocka_unit_test(a_table_that_is_not_known_waits_for_the_commit),
        cmocka_unit_test(a_row_that_may_be_in_a_copy_waits_for_the_commit),
        cmocka_unit_test(a_command_of_ddl_and_a_prepare_wait_for_the_end),
        cmocka_unit_test(a_message_outside_takes_it_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
