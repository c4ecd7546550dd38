/* Transactions into batches: order, sequence, positions, rows of every kind, relations that change, what is left out. */
#include "assemble_fixture.h"

#define T 16385
#define U 16390

static void a_transaction_is_begin_its_changes_and_commit(void **state)
{
    (void)state;
    fixture *f = new_fixture();
    add_table(f, T, "t", "id x");
    begin(f, 7, 5000);
    relation(f, 0, T, "t", "id* x");
    INSERT(f, 0, T, "1", "one");
    INSERT(f, 0, T, "2", NULL_VALUE);
    commit(f, 5000);
    expect(f, "begin 7 at 5000\ninsert #0 t.1 (1,one)\ninsert #1 t.1 (2,null)\ncommit 7 end 5050\n");
    assert_true(f->position == 5050 && f->at_boundary);
    assert_int_equal(f->batches, 1);
    assert_null(pgc_assembler_take(f->assembler));
    free_fixture(f);
}

static void lsn_and_time_are_the_servers(void **state)
{
    (void)state;
    fixture *f = new_fixture();
    add_table(f, T, "t", "id");
    f->lsn = 4000;
    begin(f, 7, 5000);
    relation(f, 0, T, "t", "id*");
    INSERT(f, 0, T, "1"); /* lsn 4020 */
    commit(f, 5000);
    pgc_change_batch *batch = pgc_assembler_take(f->assembler);
    assert_int_equal(batch->changes.count, 3);
    assert_true(batch->changes.items[0].lsn == 4000);
    assert_true(batch->changes.items[1].lsn == 4020);
    assert_true(batch->changes.items[2].lsn == 5000);
    assert_int_equal(batch->changes.items[2].sequence, 1);
    assert_true(batch->changes.items[0].transaction->commit_time == 946684800000000);
    pgc_change_batch_free(batch);
    free_fixture(f);
}

static void a_transaction_with_nothing_for_us_only_moves_the_position(void **state)
{
    (void)state;
    fixture *f = new_fixture();
    begin(f, 7, 5000);
    relation(f, 0, U, "not_ours", "id*");
    INSERT(f, 0, U, "1");
    commit(f, 5000);
    expect(f, "");
    assert_int_equal(f->batches, 1);
    assert_true(f->position == 5050 && f->at_boundary);
    free_fixture(f);
}

static void updates_and_deletes_carry_key_or_whole_old_row_or_none(void **state)
{
    (void)state;
    fixture *f = new_fixture();
    add_table(f, T, "t", "id x");
    begin(f, 7, 5000);
    relation(f, 0, T, "t", "id* x");

    builder *b = message(f, 'U', 0);
    put32(b, T);
    put8(b, 'N');
    ROW(b, "1", "uno");
    fed(f);
    b = message(f, 'U', 0);
    put32(b, T);
    put8(b, 'K');
    ROW(b, "1", NULL_VALUE);
    put8(b, 'N');
    ROW(b, "9", UNCHANGED_VALUE);
    fed(f);
    b = message(f, 'U', 0);
    put32(b, T);
    put8(b, 'O');
    ROW(b, "9", "long");
    put8(b, 'N');
    ROW(b, "8", UNCHANGED_VALUE);
    fed(f);
    b = message(f, 'D', 0);
    put32(b, T);
    put8(b, 'K');
    ROW(b, "8", NULL_VALUE);
    fed(f);
    b = message(f, 'D', 0);
    put32(b, T);
    put8(b, 'O');
    ROW(b, "3", "three");
    fed(f);
    commit(f, 5000);
    expect(f, "begin 7 at 5000\n"
              "update #0 t.1 (1,uno)\n"
              "update #1 t.1 K(1,null) (9,same)\n"
              "update #2 t.1 O(9,long) (8,long)\n" /* the old row has what did not change */
              "delete #3 t.1 K(8,null)\n"
              "delete #4 t.1 O(3,three)\n"
              "commit 7 end 5050\n");
    free_fixture(f);
}

static void columns_are_matched_by_name_and_missing_ones_are_unchanged(void **state)
{
    (void)state;
    fixture *f = new_fixture();
    add_table(f, T, "t", "id hidden x");
    begin(f, 7, 5000);
    relation(f, 0, T, "t", "x extra id*");
    INSERT(f, 0, T, "ex", "?", "1");
    builder *b = message(f, 'D', 0);
    put32(b, T);
    put8(b, 'K');
    ROW(b, NULL_VALUE, NULL_VALUE, "1");
    fed(f);
    commit(f, 5000);
    expect(f, "begin 7 at 5000\ninsert #0 t.1 (1,same,ex)\ndelete #1 t.1 K(1,null,null)\ncommit 7 end 5050\n");
    free_fixture(f);
}

static void a_table_without_columns_has_rows(void **state)
{
    (void)state;
    fixture *f = new_fixture();
    add_table(f, T, "t", "");
    begin(f, 7, 5000);
    relation(f, 0, T, "t", "");
    builder *b = message(f, 'I', 0);
    put32(b, T);
    put8(b, 'N');
    put16(b, 0);
    fed(f);
    pgc_change_batch *batch = pgc_assembler_take(f->assembler);
    assert_int_equal(batch->changes.count, 2);
    assert_non_null(batch->changes.items[1].new_);
    pgc_change_batch_free(batch);
    free_fixture(f);
}

static void a_truncate_of_several_tables_is_several_changes(void **state)
{
    (void)state;
    fixture *f = new_fixture();
    add_table(f, T, "t", "id");
    add_table(f, U, "u", "id");
    begin(f, 7, 5000);
    relation(f, 0, T, "t", "id*");
    relation(f, 0, U, "u", "id*");
    relation(f, 0, 99, "not_ours", "id*");
    builder *b = message(f, 'T', 0);
    put32(b, 3);
    put8(b, 3);
    put32(b, U);
    put32(b, 99);
    put32(b, T);
    fed(f);
    commit(f, 5000);
    expect(f, "begin 7 at 5000\ntruncate #0 u.1 flags 3\ntruncate #1 t.1 flags 3\ncommit 7 end 5050\n");
    free_fixture(f);
}

static void a_batch_handed_over_inside_a_transaction_goes_on_in_the_next(void **state)
{
    (void)state;
    fixture *f = new_fixture();
    add_table(f, T, "t", "id");
    begin(f, 6, 4000);
    relation(f, 0, T, "t", "id*");
    INSERT(f, 0, T, "0");
    commit(f, 4000);
    begin(f, 7, 5000);
    INSERT(f, 0, T, "1");
    take(f);
    assert_false(f->at_boundary);
    assert_true(f->position == 4050);
    INSERT(f, 0, T, "2");
    commit(f, 5000);
    pgc_change_batch *batch = pgc_assembler_take(f->assembler);
    assert_int_equal(batch->changes.count, 2);
    assert_int_equal(batch->changes.items[0].sequence, 1);
    assert_int_equal(batch->changes.items[0].transaction->xid, 7);
    assert_true(batch->at_boundary);
    hand_over(f, batch);
    expect(f, "begin 6 at 4000\ninsert #0 t.1 (0)\ncommit 6 end 4050\nbegin 7 at 5000\ninsert #0 t.1 (1)\n"
              "insert #1 t.1 (2)\ncommit 7 end 5050\n");
    free_fixture(f);
}

static void next_hands_over_when_the_limit_is_reached(void **state)
{
    (void)state;
    fixture *f = new_fixture();
    f->config.batch_bytes = 20000;
    open_assembler(f);
    add_table(f, T, "t", "id");
    begin(f, 7, 5000);
    relation(f, 0, T, "t", "id*");
    for (int i = 0; i < 2000; i++) {
        INSERT(f, 0, T, "12345");
        assert_true(pgc_assembler_pending_bytes(f->assembler) < 20000);
    }
    assert_true(f->batches > 5);
    assert_false(f->at_boundary);
    commit(f, 5000);
    take(f);
    assert_true(f->at_boundary && f->position == 5050);
    free_fixture(f);
}

/* Held once, not twice; also where its batch is not handed over in the end. */
static void a_large_change_takes_the_memory_of_its_message(void **state)
{
    (void)state;
    fixture *f = new_fixture();
    add_table(f, T, "t", "id value");
    begin(f, 7, 5000);
    relation(f, 0, T, "t", "id* value");
    INSERT(f, 0, T, "1", "small");
    insert_large(f, 0, T, "2", 100000, 'x');
    INSERT(f, 0, T, "3", "small");
    assert_int_equal(f->taken, 1);
    insert_large(f, 0, T, "4", 700000, 'y'); /* and more than a batch */
    assert_int_equal(f->taken, 2);
    assert_int_equal(f->batches, 1);
    commit(f, 5000);
    expect(f, "begin 7 at 5000\ninsert #0 t.1 (1,small)\ninsert #1 t.1 (2,100000 x)\ninsert #2 t.1 (3,small)\n"
              "insert #3 t.1 (4,700000 y)\ncommit 7 end 5050\n");
    begin(f, 8, 6000);
    insert_large(f, 0, T, "5", 100000, 'z');
    assert_int_equal(f->taken, 3);
    free_fixture(f);
}

static void an_open_transaction_that_gave_nothing_yet_is_no_obstacle_to_a_boundary(void **state)
{
    (void)state;
    fixture *f = new_fixture();
    begin(f, 6, 4000);
    commit(f, 4000);
    begin(f, 7, 5000);
    take(f);
    assert_true(f->at_boundary && f->position == 4050);
    free_fixture(f);
}

static void a_keepalive_moves_the_position_only_between_transactions_and_never_back(void **state)
{
    (void)state;
    fixture *f = new_fixture();
    pgc_assembler_position(f->assembler, 3000);
    expect(f, "");
    assert_true(f->position == 3000 && f->batches == 1);
    begin(f, 7, 5000);
    assert_true(pgc_assembler_in_transaction(f->assembler));
    pgc_assembler_position(f->assembler, 9000);
    take(f);
    assert_int_equal(f->batches, 1);
    commit(f, 5000);
    pgc_assembler_position(f->assembler, 4000);
    take(f);
    assert_true(f->position == 5050);
    free_fixture(f);
}

static void transactions_that_the_sink_has_are_left_out_but_their_relations_count(void **state)
{
    (void)state;
    fixture *f = new_fixture();
    f->config.skip_before = 5000;
    open_assembler(f);
    add_table(f, T, "t", "id");
    begin(f, 6, 4990);
    relation(f, 0, T, "t", "id*");
    INSERT(f, 0, T, "1");
    logical_message(f, 0, true, 4980, "app", "old");
    commit(f, 4990);
    logical_message(f, 0, false, 5000, "app", "old");
    begin(f, 7, 5000);
    INSERT(f, 0, T, "2");
    commit(f, 5000);
    logical_message(f, 0, false, 5060, "app", "new");
    expect(f, "begin 7 at 5000\ninsert #0 t.1 (2)\ncommit 7 end 5050\nmessage #0 alone app=new at 5059\n");
    free_fixture(f);
}

static void positions_that_the_sink_has_passed_are_not_told(void **state)
{
    (void)state;
    fixture *f = new_fixture();
    f->config.skip_before = 6000;
    open_assembler(f);
    begin(f, 6, 4990);
    commit(f, 4990);
    pgc_assembler_position(f->assembler, 5100);
    assert_null(pgc_assembler_take(f->assembler));
    pgc_assembler_position(f->assembler, 6001);
    take(f);
    assert_true(f->position == 6001);
    free_fixture(f);
}

static void changes_that_are_in_a_tables_snapshot_are_left_out(void **state)
{
    (void)state;
    fixture *f = new_fixture();
    add_table(f, T, "t", "id");
    add_table(f, U, "u", "id");
    assert_int_equal(pgc_assembler_set_copy_lsn(f->assembler, T, 5000, &f->err), 0);
    begin(f, 6, 4999);
    relation(f, 0, T, "t", "id*");
    relation(f, 0, U, "u", "id*");
    INSERT(f, 0, T, "1");
    INSERT(f, 0, U, "1");
    builder *b = message(f, 'T', 0);
    put32(b, 2);
    put8(b, 0);
    put32(b, T);
    put32(b, U);
    fed(f);
    commit(f, 4999);
    begin(f, 7, 5000);
    INSERT(f, 0, T, "2");
    commit(f, 5000);
    expect(f, "begin 6 at 4999\ninsert #0 u.1 (1)\ntruncate #1 u.1 flags 0\ncommit 6 end 5049\n"
              "begin 7 at 5000\ninsert #0 t.1 (2)\ncommit 7 end 5050\n");
    free_fixture(f);
}

static void a_repeated_relation_message_asks_nobody(void **state)
{
    (void)state;
    fixture *f = new_fixture();
    add_table(f, T, "t", "id");
    begin(f, 7, 5000);
    relation(f, 0, T, "t", "id*");
    relation(f, 0, T, "t", "id*");
    assert_int_equal(f->asked, 1);
    relation(f, 0, T, "t", "id");
    assert_int_equal(f->asked, 2);
    assert_int_equal(try_relation(f, 0, T, "t", "id", 23), 0);
    assert_int_equal(f->asked, 3);
    assert_int_equal(f->last_type_oid, 23);
    INSERT(f, 0, T, "1");
    commit(f, 5000);
    expect(f, "begin 7 at 5000\ninsert #0 t.1 (1)\ncommit 7 end 5050\n"); /* the same table: no SCHEMA */
    free_fixture(f);
}

static void a_new_version_is_announced_right_before_its_first_change(void **state)
{
    (void)state;
    fixture *f = new_fixture();
    add_table(f, T, "t", "id");
    add_table(f, U, "u", "id");
    begin(f, 7, 5000);
    relation(f, 0, T, "t", "id*");
    relation(f, 0, U, "u", "id*");
    INSERT(f, 0, T, "1");
    add_table(f, T, "t", "id y");
    relation(f, 0, T, "t", "id* y");
    INSERT(f, 0, U, "1");
    INSERT(f, 0, T, "2", "why");
    INSERT(f, 0, T, "3", "yes");
    commit(f, 5000);
    expect(f, "begin 7 at 5000\ninsert #0 t.1 (1)\ninsert #1 u.1 (1)\nschema #2 t.2\ninsert #2 t.2 (2,why)\n"
              "insert #3 t.2 (3,yes)\ncommit 7 end 5050\n");
    free_fixture(f);
}

static void a_version_that_the_sink_does_not_have_is_announced_at_once(void **state)
{
    (void)state;
    fixture *f = new_fixture();
    const pgconvoy_table *loaded = add_table(f, T, "t", "id");
    assert_int_equal(pgc_assembler_set_table(f->assembler, loaded, &f->err), 0);
    add_table(f, T, "t", "id y");
    begin(f, 7, 5000);
    relation(f, 0, T, "t", "id* y");
    INSERT(f, 0, T, "2", "why");
    commit(f, 5000);
    expect(f, "begin 7 at 5000\nschema #0 t.2\ninsert #0 t.2 (2,why)\ncommit 7 end 5050\n");
    free_fixture(f);
}

static void logical_messages_come_out_but_not_our_own(void **state)
{
    (void)state;
    fixture *f = new_fixture();
    begin(f, 7, 5000);
    logical_message(f, 0, true, 4100, "app", "hello");
    logical_message(f, 0, true, 4200, "pgconvoy", "x");
    logical_message(f, 0, true, 4300, "pgconvoy.schema", "x");
    logical_message(f, 0, true, 4400, "pgconvoyage", "");
    commit(f, 5000);
    expect(f, "begin 7 at 5000\nmessage #0 in app=hello at 5000\nmessage #1 in pgconvoyage= at 5000\ncommit 7 end 5050\n");
    logical_message(f, 0, false, 6000, "pgconvoy.heartbeat", "tick");
    expect(f, "");
    assert_true(f->position == 6000 && f->at_boundary);
    logical_message(f, 0, false, 7000, "app", "alone");
    expect(f, "message #0 alone app=alone at 6999\n");
    assert_true(f->position == 7000);
    free_fixture(f);
}

static void an_origin_is_named_in_its_transaction_only(void **state)
{
    (void)state;
    fixture *f = new_fixture();
    add_table(f, T, "t", "id");
    begin(f, 7, 5000);
    builder *b = message(f, 'O', 0);
    put64(b, 1);
    put_text(b, "elsewhere");
    fed(f);
    relation(f, 0, T, "t", "id*");
    INSERT(f, 0, T, "1");
    commit(f, 5000);
    begin(f, 8, 6000);
    INSERT(f, 0, T, "2");
    commit(f, 6000);
    expect(f, "begin 7 at 5000 from elsewhere\ninsert #0 t.1 (1)\ncommit 7 end 5050\n"
              "begin 8 at 6000\ninsert #0 t.1 (2)\ncommit 8 end 6050\n");
    free_fixture(f);
}

static void type_messages_are_read_and_passed_over(void **state)
{
    (void)state;
    fixture *f = new_fixture();
    begin(f, 7, 5000);
    builder *b = message(f, 'Y', 0);
    put32(b, 20000);
    put_text(b, "public");
    put_text(b, "mood");
    fed(f);
    put8(b, 0);
    assert_int_equal(feed(f), -1);
    free_fixture(f);
}

static void a_failing_resolve_ends_the_stream_with_its_error(void **state)
{
    (void)state;
    fixture *f = new_fixture();
    begin(f, 7, 5000);
    assert_int_equal(try_relation(f, 0, T, "broken", "id*", 25), -1);
    assert_string_equal(f->err.message, "resolve refused");
    free_fixture(f);
}

/* Each message in a place where it may not stand, or malformed, is PGCONVOY_ERROR_DATA. */
static void expect_refused(fixture *f, const char *word)
{
    assert_int_equal(feed(f), -1);
    assert_int_equal(f->err.code, PGCONVOY_ERROR_DATA);
    if (!strstr(f->err.message, word))
        fail_msg("\"%s\" is not in: %s", word, f->err.message);
    open_assembler(f);
}

static void what_cannot_be_is_refused_by_name(void **state)
{
    (void)state;
    fixture *f = new_fixture();
    add_table(f, T, "t", "id");

    f->message.length = 0;
    expect_refused(f, "empty");
    message(f, 'q', 0);
    expect_refused(f, "0x71");
    builder *b = message(f, 'I', 0);
    expect_refused(f, "Insert message in the change stream: no transaction is open");
    message(f, 'C', 0);
    expect_refused(f, "Commit");
    message(f, 'E', 0);
    expect_refused(f, "Stream Stop");

    begin(f, 7, 5000);
    b = message(f, 'B', 0);
    expect_refused(f, "a transaction is open");

    begin(f, 7, 5000);
    b = message(f, 'I', 0);
    put32(b, 4711);
    expect_refused(f, "4711");

    begin(f, 7, 5000);
    relation(f, 0, T, "t", "id*");
    b = message(f, 'I', 0);
    put32(b, T);
    put8(b, 'N');
    ROW(b, "1", "2");
    expect_refused(f, "number of columns");

    begin(f, 7, 5000);
    relation(f, 0, T, "t", "id*");
    b = message(f, 'U', 0);
    put32(b, T);
    put8(b, 'K');
    ROW(b, "1");
    expect_refused(f, "Update"); /* the new row is missing */

    begin(f, 7, 5000);
    relation(f, 0, T, "t", "id*");
    b = message(f, 'T', 0);
    put32(b, 0xffffffff);
    put8(b, 0);
    put32(b, T);
    expect_refused(f, "Truncate");

    begin(f, 7, 5000);
    b = message(f, 'C', 0);
    put8(b, 0);
    put64(b, 5001);
    put64(b, 5050);
    put64(b, 0);
    expect_refused(f, "Begin told");

    f->config.protocol_version = 1;
    open_assembler(f);
    message(f, 'S', 0);
    expect_refused(f, "protocol version");
    free_fixture(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_transaction_is_begin_its_changes_and_commit),
        cmocka_unit_test(lsn_and_time_are_the_servers),
        cmocka_unit_test(a_transaction_with_nothing_for_us_only_moves_the_position),
        cmocka_unit_test(updates_and_deletes_carry_key_or_whole_old_row_or_none),
        cmocka_unit_test(columns_are_matched_by_name_and_missing_ones_are_unchanged),
        cmocka_unit_test(a_table_without_columns_has_rows),
        cmocka_unit_test(a_truncate_of_several_tables_is_several_changes),
        cmocka_unit_test(a_batch_handed_over_inside_a_transaction_goes_on_in_the_next),
        cmocka_unit_test(next_hands_over_when_the_limit_is_reached),
        cmocka_unit_test(a_large_change_takes_the_memory_of_its_message),
        cmocka_unit_test(an_open_transaction_that_gave_nothing_yet_is_no_obstacle_to_a_boundary),
        cmocka_unit_test(a_keepalive_moves_the_position_only_between_transactions_and_never_back),
        cmocka_unit_test(transactions_that_the_sink_has_are_left_out_but_their_relations_count),
        cmocka_unit_test(positions_that_the_sink_has_passed_are_not_told),
        cmocka_unit_test(changes_that_are_in_a_tables_snapshot_are_left_out),
        cmocka_unit_test(a_repeated_relation_message_asks_nobody),
        cmocka_unit_test(a_new_version_is_announced_right_before_its_first_change),
        cmocka_unit_test(a_version_that_the_sink_does_not_have_is_announced_at_once),
        cmocka_unit_test(logical_messages_come_out_but_not_our_own),
        cmocka_unit_test(an_origin_is_named_in_its_transaction_only),
        cmocka_unit_test(type_messages_are_read_and_passed_over),
        cmocka_unit_test(a_failing_resolve_ends_the_stream_with_its_error),
        cmocka_unit_test(what_cannot_be_is_refused_by_name),
    };
    return cmocka_run_group_tests_name("assemble", tests, NULL, NULL);
}
