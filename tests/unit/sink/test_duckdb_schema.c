/* Files, tables and changes of tables in the DuckDB sink. */
#include "duckdb_fixture.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SINK pgc_sink_duckdb

static const char *keys_of(fixture *f, const char *table)
{
    char sql[256];
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM duckdb_constraints() WHERE constraint_type = 'PRIMARY KEY' AND table_name = '%s'", table);
    return query(f, sql);
}

static const char *columns_of(fixture *f, const char *table)
{
    char sql[256];
    snprintf(sql, sizeof sql, "SELECT name, type FROM pragma_table_info('%s')", table);
    return query(f, sql);
}

/* ---- files */

static int try_open(fixture *f, const char *target)
{
    void *sink = NULL;
    f->config.target = target;
    int result = SINK.open(&f->config, &sink, &f->err);
    if (result == 0)
        SINK.close(sink);
    return result;
}

static void a_file_that_is_no_database_is_refused_and_left_alone(void **state)
{
    fixture *f = *state;
    char text[6] = "", missing[256];
    fixture_open(f, "");
    fixture_close(f);
    FILE *file = fopen(f->file, "w");
    fputs("hello", file);
    fclose(file);
    assert_error(f, try_open(f, f->target), "is no DuckDB database");
    assert_string_not_equal(f->err.hint, "");
    file = fopen(f->file, "r");
    assert_non_null(fgets(text, sizeof text, file));
    fclose(file);
    assert_string_equal(text, "hello");
    snprintf(missing, sizeof missing, "duckdb:%s/no/such/x.duckdb", f->folder);
    assert_error(f, try_open(f, missing), "cannot be created");
    assert_error(f, try_open(f, "duckdb:/tmp"), "is a folder");
    assert_error(f, try_open(f, "duckdb:"), "names no file");
    assert_error(f, try_open(f, "duckdb:x?speed=high"), "no option \"speed\"");
    assert_error(f, try_open(f, "duckdb:x?threads=none"), "threads is not a number");
    assert_int_equal(f->err.code, PGCONVOY_ERROR_USAGE);
}

static void a_file_that_was_made_for_nothing_goes_again(void **state)
{
    fixture *f = *state;
    struct stat status;
    fixture_open(f, "");
    assert_int_equal(stat(f->file, &status), 0);
    pgconvoy_checkpoint checkpoint;
    ok(f, SINK.read_checkpoint(f->sink, &checkpoint, &f->err));
    assert_null(checkpoint.source_id);
    assert_int_equal(checkpoint.lsn, 0);
    fixture_close(f);
    assert_int_not_equal(stat(f->file, &status), 0);
}

static void what_a_killed_process_had_spilled_goes(void **state)
{
    fixture *f = *state;
    char path[300];
    struct stat status;
    fixture_open(f, "");
    fixture_close(f);
    snprintf(path, sizeof path, "%s.tmp.77", f->file);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s.tmp.77/duckdb_temp_storage_DEFAULT-0.tmp", f->file);
    fclose(fopen(path, "w"));
    fixture_open(f, "");
    snprintf(path, sizeof path, "%s.tmp.77", f->file);
    assert_int_not_equal(stat(path, &status), 0);
}

static void a_file_that_another_process_has_open_is_named(void **state)
{
    fixture *f = *state;
    int ready[2], done[2];
#ifdef __SANITIZE_THREAD__
    print_message("skipped under ThreadSanitizer, which cannot count as many locks as DuckDB's allocator takes to fork\n");
    skip();
#endif
    char byte = 0;
    fixture_open(f, "");
    ok(f, pgc_duckdb_checkpoint_ensure(f->sink, &f->err));
    fixture_close(f);
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(done), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        void *sink;
        int result = SINK.open(&f->config, &sink, &f->err);
        byte = result == 0 ? 'y' : 'n';
        if (write(ready[1], &byte, 1) != 1 || read(done[0], &byte, 1) != 1)
            _exit(1);
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    int result = try_open(f, f->target);
    assert_int_equal(write(done[1], &byte, 1), 1);
    waitpid(child, NULL, 0);
    assert_error(f, result, "is open in another process");
    char pid[32];
    snprintf(pid, sizeof pid, "PID %d", (int)child);
    assert_error(f, result, pid);
    assert_false(f->err.retriable);
}

/* ---- tables in the way */

static void a_table_of_somebody_elses_is_dealt_with_as_asked(void **state)
{
    fixture *f = *state;
    fixture_open(f, "");
    pgconvoy_table *t = table_of(f, "users", "id int4 key; name text", 'd');
    execute(f, "CREATE SCHEMA public; CREATE TABLE public.users AS SELECT 7 AS id, 'old' AS name");
    assert_error(f, SINK.check_table(f->sink, t, PGCONVOY_IF_EXISTS_ERROR, &f->err), "is there already");
    assert_error(f, SINK.prepare_table(f->sink, t, PGCONVOY_IF_EXISTS_ERROR, &f->err), "is there already");
    assert_string_equal(query(f, "FROM public.users"), "7|old");
    assert_error(f, SINK.check_table(f->sink, table_of(f, "users", "id int4 key; other text", 'd'), PGCONVOY_IF_EXISTS_APPEND, &f->err),
                 "has no column \"other\"");
    ok(f, SINK.check_table(f->sink, t, PGCONVOY_IF_EXISTS_APPEND, &f->err));
    ok(f, SINK.prepare_table(f->sink, t, PGCONVOY_IF_EXISTS_APPEND, &f->err));
    assert_string_equal(query(f, "FROM public.users"), "7|old");
    /* an append that was interrupted cannot be told from the rows that were there */
    assert_error(f, SINK.prepare_table(f->sink, t, PGCONVOY_IF_EXISTS_APPEND, &f->err), "cannot be told apart");
    ok(f, SINK.prepare_table(f->sink, t, PGCONVOY_IF_EXISTS_TRUNCATE, &f->err));
    assert_string_equal(query(f, "FROM public.users"), "");
    ok(f, SINK.drop(f->sink, &f->err));
    execute(f, "ALTER TABLE public.users ADD COLUMN mine INT");
    ok(f, SINK.prepare_table(f->sink, t, PGCONVOY_IF_EXISTS_DROP, &f->err));
    assert_string_equal(columns_of(f, "public.users"), "id|INTEGER;name|VARCHAR");
    execute(f, "CREATE VIEW public.v AS SELECT 1");
    assert_error(f, SINK.check_table(f->sink, table_of(f, "v", "id int4 key", 'd'), PGCONVOY_IF_EXISTS_DROP, &f->err), "view");
}

static void rows_of_an_interrupted_copy_are_gone_when_it_starts_again(void **state)
{
    fixture *f = *state;
    fixture_open(f, "");
    pgconvoy_table *t = table_of(f, "users", "id int4 key; name text", 'd');
    copy_rows(f, t, 2, ROW("1", "a", "2", "b"));
    copy_rows(f, t, 1, ROW("3", "c"));
    assert_string_equal(query(f, "FROM public.users"), "3|c");
    assert_string_equal(keys_of(f, "users"), "1");
}

static void an_existing_tables_own_column_order_and_columns_are_kept(void **state)
{
    fixture *f = *state;
    fixture_open(f, "");
    pgconvoy_table *t = table_of(f, "users", "id int4 key; name text", 'd');
    execute(f, "CREATE SCHEMA public; CREATE TABLE public.users (more INT DEFAULT 5, \"Name\" VARCHAR, id BIGINT)");
    void *writer;
    pgconvoy_rows rows = {.table = t, .row_count = 2, .values = values_of(f, 4, ROW("1", "a", "2", NULL))};
    ok(f, SINK.prepare_table(f->sink, t, PGCONVOY_IF_EXISTS_APPEND, &f->err));
    ok(f, SINK.open_writer(f->sink, &writer, &f->err));
    ok(f, SINK.begin(writer, t, &f->err));
    ok(f, SINK.write_rows(writer, &rows, &f->err));
    ok(f, SINK.commit(writer, 0, NULL, 0, &f->err));
    SINK.close_writer(writer);
    pgconvoy_table_status status = {.schema = t->schema, .name = t->name, .state = PGCONVOY_TABLE_CATCHING_UP, .copy_lsn = 100};
    ok(f, SINK.finish_table(f->sink, t, &status, &f->err));
    assert_string_equal(query(f, "FROM public.users ORDER BY id"), "5|a|1;5|NULL|2");
    begin_stream(f);
    update(f, t, "2", "b");
    insert(f, t, "3", "c");
    commit_stream(f, 3);
    assert_string_equal(query(f, "FROM public.users ORDER BY id"), "5|a|1;5|b|2;5|c|3");
}

static void names_that_differ_in_case_alone_are_refused(void **state)
{
    fixture *f = *state;
    fixture_open(f, "");
    ok(f, SINK.check_table(f->sink, table_of(f, "T", "a int4", 'd'), PGCONVOY_IF_EXISTS_ERROR, &f->err));
    assert_error(f, SINK.check_table(f->sink, table_of(f, "t", "a int4", 'd'), PGCONVOY_IF_EXISTS_ERROR, &f->err),
                 "public.T and public.t have one name");
    assert_error(f, SINK.check_table(f->sink, table_of(f, "u", "a int4; A int4", 'd'), PGCONVOY_IF_EXISTS_ERROR, &f->err),
                 "\"a\" and \"A\"");
    pgconvoy_table *t = table_of(f, "tables", "a int4", 'd');
    t->schema = "pgconvoy";
    assert_error(f, SINK.check_table(f->sink, t, PGCONVOY_IF_EXISTS_ERROR, &f->err), "keeps its position in");
}

static void names_with_quotes_and_a_table_without_columns_work(void **state)
{
    fixture *f = *state;
    fixture_open(f, "");
    pgconvoy_table *t = table_of(f, "od\"d. tä'ble", "a\"b. int4 key; SELECT text", 'd');
    t->schema = "Sch\"ema";
    copy_rows(f, t, 1, ROW("1", "x"));
    begin_stream(f);
    update(f, t, "1", "y");
    insert(f, t, "2", "z");
    commit_stream(f, 2);
    assert_string_equal(query(f, "FROM \"Sch\"\"ema\".\"od\"\"d. tä'ble\" ORDER BY 1"), "1|y;2|z");
    pgconvoy_table *none = table_of(f, "none", "", 'f');
    copy_rows(f, none, 3, ROW(NULL));
    begin_stream(f);
    change(f, PGCONVOY_INSERT, none, 0, NULL, ROW(NULL));
    change(f, PGCONVOY_INSERT, none, 0, NULL, ROW(NULL));
    commit_stream(f, 3);
    begin_stream(f);
    change(f, PGCONVOY_DELETE, none, 'O', ROW(NULL), NULL);
    commit_stream(f, 4);
    assert_string_equal(query(f, "SELECT count(*) FROM public.none"), "4");
}

static void two_writers_copy_one_table_at_a_time(void **state)
{
    fixture *f = *state;
    enum { COUNT = 5000 };
    void *writers[2];
    fixture_open(f, "");
    pgconvoy_table *t = table_of(f, "big", "id int4 key; name text", 'd');
    ok(f, SINK.prepare_table(f->sink, t, PGCONVOY_IF_EXISTS_ERROR, &f->err));
    for (int w = 0; w < 2; w++) {
        const char **texts = pgc_arena_alloc(f->arena, 2 * COUNT * sizeof *texts);
        for (int i = 0; i < COUNT; i++) {
            char number[16];
            snprintf(number, sizeof number, "%d", w * COUNT + i);
            texts[2 * i] = pgc_arena_strdup(f->arena, number);
            texts[2 * i + 1] = i % 7 ? "a text that is longer than twelve" : NULL;
        }
        pgconvoy_rows rows = {.table = t, .row_count = COUNT, .values = values_of(f, 2 * COUNT, texts)};
        ok(f, SINK.open_writer(f->sink, &writers[w], &f->err));
        ok(f, SINK.begin(writers[w], t, &f->err));
        ok(f, SINK.write_rows(writers[w], &rows, &f->err));
    }
    assert_string_equal(query(f, "SELECT count(*) FROM public.big"), "0");
    for (int w = 0; w < 2; w++) {
        ok(f, SINK.commit(writers[w], 0, NULL, 0, &f->err));
        SINK.close_writer(writers[w]);
    }
    pgconvoy_table_status status = {.schema = "public", .name = "big", .state = PGCONVOY_TABLE_LIVE, .copy_lsn = 5};
    ok(f, SINK.finish_table(f->sink, t, &status, &f->err));
    assert_string_equal(query(f, "SELECT count(*), count(DISTINCT id), sum(id), count(name) FROM public.big"),
                        "10000|10000|49995000|8570");
    assert_string_equal(keys_of(f, "big"), "1");
}

/* ---- changes of tables */

static void columns_come_go_and_widen_in_the_middle_of_a_transaction(void **state)
{
    fixture *f = *state;
    fixture_open(f, "");
    pgconvoy_table *t1 = table_of(f, "t", "gone text; id int4 key; n int4; old text", 'd');
    pgconvoy_table *t2 = table_of(f, "t", "id int4 key; n int8; new text; extra numeric(10,2)", 'd');
    copy_rows(f, t1, 3, ROW("g", "1", "10", "a", "g", "2", "20", "b", "g", "3", "30", "c"));
    begin_stream(f);
    update(f, t1, "h", "1", "11", "aa");
    delete_row(f, t1, NULL, "2", NULL, NULL);
    insert(f, t1, "g", "2", "21", "bb");
    insert(f, t1, "g", "4", "40", "d");
    ok(f, pgc_duckdb_apply_all(f->writer, &f->err));
    change(f, PGCONVOY_UPDATE, t1, 'K', ROW(NULL, "4", NULL, NULL), ROW(UNCHANGED, "5", "50", UNCHANGED));
    ok(f, SINK.change_schema(f->writer, t1, t2, &f->err));
    update(f, t2, "3", "3000000000", UNCHANGED, "1.50");
    delete_row(f, t2, "1", NULL, NULL, NULL);
    insert(f, t2, "1", "1", "one", NULL);
    insert(f, t2, "6", "60", "six", "6");
    commit_stream(f, 77);
    assert_string_equal(columns_of(f, "public.t"), "id|INTEGER;n|BIGINT;new|VARCHAR;extra|DECIMAL(10,2)");
    assert_string_equal(query(f, "FROM public.t ORDER BY id"),
                        "1|1|one|NULL;2|21|bb|NULL;3|3000000000|c|1.50;5|50|d|NULL;6|60|six|6.00");
    assert_string_equal(keys_of(f, "t"), "1");
    begin_stream(f);
    update(f, t2, "6", "61", "sechs", "7");
    commit_stream(f, 78);
    fixture_open(f, "");
    assert_string_equal(query(f, "FROM public.t WHERE id = 6"), "6|61|sechs|7.00");
}

static void a_schema_change_that_is_rolled_back_leaves_the_table_as_it_was(void **state)
{
    fixture *f = *state;
    fixture_open(f, "");
    pgconvoy_table *t1 = table_of(f, "t", "id int4 key; n int4", 'd');
    pgconvoy_table *t2 = table_of(f, "t", "id int4 key; n int4; more text", 'd');
    copy_rows(f, t1, 1, ROW("1", "10"));
    for (int round = 0; round < 2; round++) {
        begin_stream(f);
        update(f, t1, "1", "11");
        ok(f, SINK.change_schema(f->writer, t1, t2, &f->err));
        insert(f, t2, "2", "20", "m");
        if (round == 0)
            SINK.abort(f->writer);
        else
            commit_stream(f, 7);
        assert_string_equal(query(f, "FROM public.t ORDER BY id"), round == 0 ? "1|10" : "1|11|NULL;2|20|m");
    }
}

static void a_table_can_be_renamed(void **state)
{
    fixture *f = *state;
    fixture_open(f, "");
    pgconvoy_table *t1 = table_of(f, "t", "id int4 key; n int4", 'd');
    pgconvoy_table *t2 = table_of(f, "t2", "id int4 key; n int4", 'd');
    copy_rows(f, t1, 1, ROW("1", "10"));
    begin_stream(f);
    ok(f, SINK.change_schema(f->writer, t1, t2, &f->err));
    insert(f, t2, "2", "20");
    commit_stream(f, 7);
    assert_string_equal(query(f, "FROM public.t2 ORDER BY id"), "1|10;2|20");
    pgconvoy_checkpoint checkpoint;
    ok(f, SINK.read_checkpoint(f->sink, &checkpoint, &f->err));
    assert_string_equal(checkpoint.tables[0].name, "t2");
}

static void what_cannot_be_followed_is_refused_by_name(void **state)
{
    fixture *f = *state;
    fixture_open(f, "");
    pgconvoy_table *t = table_of(f, "t", "id int4 key; n int8; s text", 'd');
    copy_rows(f, t, 1, ROW("1", "10", "x"));
    begin_stream(f);
    assert_error(f, SINK.change_schema(f->writer, t, table_of(f, "t", "id int4 key; n int4; s text", 'd'), &f->err),
                 "column n of table public.t changes its type");
    SINK.abort(f->writer);
    begin_stream(f);
    assert_error(f, SINK.change_schema(f->writer, t, table_of(f, "t", "id int4 key; n int8; s int4", 'd'), &f->err), "column s");
    SINK.abort(f->writer);
    begin_stream(f);
    assert_error(f, SINK.change_schema(f->writer, t, table_of(f, "t", "id int4 key; s text; n int8", 'd'), &f->err),
                 "changes places");
    SINK.abort(f->writer);
    assert_string_equal(query(f, "FROM public.t"), "1|10|x");
}

static void a_duplicate_key_stops_with_the_tables_name(void **state)
{
    fixture *f = *state;
    fixture_open(f, "");
    pgconvoy_table *t = table_of(f, "t", "id int4 key; n int8", 'd');
    copy_rows(f, t, 1, ROW("1", "10"));
    begin_stream(f);
    insert(f, t, "1", "11");
    assert_error(f, SINK.commit(f->writer, 5, NULL, 0, &f->err), "table public.t");
    assert_string_not_equal(f->err.hint, "");
    SINK.abort(f->writer);
    assert_string_equal(query(f, "FROM public.t"), "1|10");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_that_is_no_database_is_refused_and_left_alone),
        TEST(a_file_that_was_made_for_nothing_goes_again),
        TEST(what_a_killed_process_had_spilled_goes),
        TEST(a_file_that_another_process_has_open_is_named),
        TEST(a_table_of_somebody_elses_is_dealt_with_as_asked),
        TEST(rows_of_an_interrupted_copy_are_gone_when_it_starts_again),
        TEST(an_existing_tables_own_column_order_and_columns_are_kept),
        TEST(names_that_differ_in_case_alone_are_refused),
        TEST(names_with_quotes_and_a_table_without_columns_work),
        TEST(two_writers_copy_one_table_at_a_time),
        TEST(columns_come_go_and_widen_in_the_middle_of_a_transaction),
        TEST(a_schema_change_that_is_rolled_back_leaves_the_table_as_it_was),
        TEST(a_table_can_be_renamed),
        TEST(what_cannot_be_followed_is_refused_by_name),
        TEST(a_duplicate_key_stops_with_the_tables_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
