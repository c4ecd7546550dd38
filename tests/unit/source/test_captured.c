/*
 * What a PostgreSQL 15 server really sent (pg_logical_slot_peek_binary_changes), kept with the fuzzer's corpus: a byte of options for the
 * fuzzer, then the messages, each with a length of two bytes. What the server was told to do stands beside what must come out.
 */
#include "assemble_fixture.h"

static pgc_buffer load(const char *name)
{
    pgc_buffer data;
    char path[4096];
    pgc_buffer_init(&data, 16 << 20);
    snprintf(path, sizeof path, "%s/%s", CORPUS, name);
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("cannot open %s", path);
    char block[65536];
    for (size_t count; (count = fread(block, 1, sizeof block, file)) > 0;)
        pgc_buffer_append(&data, block, count);
    fclose(file);
    return data;
}

/* A new version of the table with each message that has other columns, made after the message. */
static int resolve_as_told(void *arg, const pgc_stream_relation *relation, const pgconvoy_table **table, pgconvoy_error *err)
{
    (void)err;
    fixture *f = arg;
    char columns[1000] = "";
    for (int i = 0; i < relation->column_count; i++) {
        strcat(columns, i ? " " : "");
        strcat(columns, relation->columns[i].name);
    }
    *table = add_table(f, relation->oid, pgc_arena_strdup(f->arena, relation->name), columns);
    return 0;
}

static fixture *replay(const char *name, size_t spill_bytes, size_t batch_bytes)
{
    fixture *f = new_fixture();
    f->config.resolve = resolve_as_told;
    f->config.spill_transaction_bytes = spill_bytes;
    f->config.batch_bytes = batch_bytes;
    open_assembler(f);
    pgc_buffer data = load(name);
    assert_true(data.length > 1000);
    for (size_t at = 1; at < data.length;) {
        f->message.length = (size_t)(uint8_t)data.data[at] << 8 | (uint8_t)data.data[at + 1];
        memcpy(f->message.data, data.data + at + 2, f->message.length);
        at += 2 + f->message.length;
        fed(f);
    }
    take(f);
    pgc_buffer_free(&data);
    return f;
}

/* Lines of out without the numbers that are the server's own: transaction ids and LSNs. */
static void expect_lines(fixture *f, const char *const *lines)
{
    char *rest = NULL, *line = strtok_r(f->out.data, "\n", &rest);
    for (; *lines; lines++) {
        if (!line)
            fail_msg("it ends before: %s", *lines);
        if (strncmp(line, "begin ", 6) == 0 || strncmp(line, "commit ", 7) == 0)
            *strchr(line, ' ') = '\0';
        if (strncmp(line, "message", 7) == 0)
            *strstr(line, " at ") = '\0';
        assert_string_equal(line, *lines);
        line = strtok_r(NULL, "\n", &rest);
    }
    assert_null(line);
}

/*
 * insert (a value of 9000 bytes stored outside the row), update of another column, update of the key, delete; the same with replica identity
 * FULL; a partition; a subtransaction rolled back around a message; ADD, RENAME and DROP COLUMN; TRUNCATE of two tables
 */
static const char *const mixed[] = {
    "begin", "insert #0 plain.1 (1,a,happy,1.50,<9000 bytes>)", "insert #1 plain.1 (2,null,sad,null,null)", "commit",
    "begin", "update #0 plain.1 (1,b,happy,1.50,same)", "commit",
    "begin", "update #0 plain.1 K(1,null,null,null,null) (10,b,happy,1.50,same)", "commit",
    "begin", "delete #0 plain.1 K(2,null,null,null,null)", "commit",
    "begin", "insert #0 full_.1 (1,<9000 bytes>)", "insert #1 full_.1 (2,s)", "commit",
    "begin", "update #0 full_.1 O(1,<9000 bytes>) (3,<9000 bytes>)", "commit",
    "begin", "delete #0 full_.1 O(2,s)", "commit",
    "begin", "insert #0 child1.1 (1,1)", "insert #1 child1.1 (2,2)", "commit",
    "begin", "insert #0 plain.1 (3,null,null,null,null)", "message #1 in app=in tx", "insert #2 plain.1 (5,null,null,null,null)",
    "commit",
    "message #0 alone app=alone",
    "begin", "schema #0 plain.2", "insert #0 plain.2 (6,six,sad,6.00,small,{3,NULL})", "commit",
    "begin", "schema #0 plain.3", "update #0 plain.3 (6,z,sad,6.00,small,{3,NULL})", "commit",
    "begin", "schema #0 plain.4", "delete #0 plain.4 K(6,null,null,null,null)", "commit",
    "begin", "truncate #0 plain.4 flags 3", "truncate #1 full_.1 flags 3", "commit",
    NULL};

static void every_kind_of_change_comes_out_as_it_was_made(void **state)
{
    (void)state;
    fixture *f = replay("captured-mixed", 0, 0);
    assert_true(f->at_boundary && f->position > 0);
    expect_lines(f, mixed);
    free_fixture(f);
}

static void protocol_version_1_gives_the_same(void **state)
{
    (void)state;
    fixture *f = replay("captured-mixed-v1", 0, 3000);
    expect_lines(f, mixed);
    free_fixture(f);
}

static void a_partition_published_by_its_root_has_the_roots_name(void **state)
{
    (void)state;
    fixture *f = replay("captured-mixed-root", 0, 0);
    assert_non_null(strstr(f->out.data, "insert #0 parent.1 (1,1)\ninsert #1 parent.1 (2,2)\n"));
    assert_null(strstr(f->out.data, "child1"));
    assert_null(strstr(f->out.data, "full_"));
    free_fixture(f);
}

static void binary_values_are_marked_as_such(void **state)
{
    (void)state;
    fixture *f = new_fixture();
    f->config.resolve = resolve_as_told;
    open_assembler(f);
    pgc_buffer data = load("captured-mixed-binary");
    size_t rows = 0;
    for (size_t at = 1, length; at < data.length; at += 2 + length) {
        length = (size_t)(uint8_t)data.data[at] << 8 | (uint8_t)data.data[at + 1];
        assert_int_equal(pgc_assembler_feed(f->assembler, 1, data.data + at + 2, length, &f->err), 0);
    }
    pgc_change_batch *batch = pgc_assembler_take(f->assembler);
    for (size_t i = 0; i < batch->changes.count; i++) {
        const pgconvoy_change *change = &batch->changes.items[i];
        if (change->operation != PGCONVOY_INSERT || strcmp(change->table->name, "full_") != 0)
            continue;
        rows++;
        assert_int_equal(change->new_[0].format, PGCONVOY_BINARY);
        assert_int_equal(change->new_[0].length, 4);
        assert_memory_equal(change->new_[0].data, rows == 1 ? "\0\0\0\1" : "\0\0\0\2", 4);
    }
    assert_int_equal(rows, 2);
    pgc_change_batch_free(batch);
    pgc_buffer_free(&data);
    free_fixture(f);
}

/*
 * begin; rows 1-400; savepoint a; 500 rows; savepoint b; 300 rows of full_; rollback to a; rows 401-600; savepoint c; ADD COLUMN late; 500 rows;
 * rollback to c; rows 601-700; ADD COLUMN later; rows 701-1200; commit. Then a transaction of 1500 rows that is rolled back, and one row. The
 * server sent the first two in blocks while they were in progress.
 */
static void expect_streamed(fixture *f)
{
    pgc_buffer expected;
    pgc_buffer_init(&expected, 16 << 20);
    for (int i = 1; i <= 1200; i++) {
        if (i <= 400)
            pgc_buffer_format(&expected, "insert #%d plain.1 (%d,row %d,sad,null,{})\n", i - 1, i, i);
        else if (i <= 700)
            pgc_buffer_format(&expected, "insert #%d plain.1 (%d,row %d,null,null,{1,2})\n", i - 1, i, i);
        else
            pgc_buffer_format(&expected, "%sinsert #%d plain.2 (%d,null,null,null,{1,2},later)\n", i == 701 ? "schema #700 plain.2\n" : "",
                              i - 1, i);
    }
    const char *from = strchr(f->out.data, '\n') + 1;
    assert_memory_equal(f->out.data, "begin ", 6);
    assert_memory_equal(from, expected.data, expected.length);
    from += expected.length;
    assert_memory_equal(from, "commit ", 7);
    from = strchr(from, '\n') + 1;
    assert_memory_equal(from, "begin ", 6);
    from = strchr(from, '\n') + 1;
    assert_memory_equal(from, "insert #0 full_.1 (1,end)\ncommit ", 33);
    assert_null(strstr(f->out.data, "rolled back"));
    assert_null(strstr(f->out.data, "gone"));
    pgc_buffer_free(&expected);
}

static void a_transaction_streamed_in_blocks_comes_out_whole(void **state)
{
    (void)state;
    fixture *f = replay("captured-streamed", 0, 0);
    expect_streamed(f);
    free_fixture(f);
}

static void spilled_and_in_small_batches_it_is_the_same(void **state)
{
    (void)state;
    fixture *f = replay("captured-streamed", 500, 5000);
    assert_true(f->batches > 20);
    expect_streamed(f);
    free_fixture(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_change_comes_out_as_it_was_made),
        cmocka_unit_test(protocol_version_1_gives_the_same),
        cmocka_unit_test(a_partition_published_by_its_root_has_the_roots_name),
        cmocka_unit_test(binary_values_are_marked_as_such),
        cmocka_unit_test(a_transaction_streamed_in_blocks_comes_out_whole),
        cmocka_unit_test(spilled_and_in_small_batches_it_is_the_same),
    };
    return cmocka_run_group_tests_name("captured", tests, NULL, NULL);
}
