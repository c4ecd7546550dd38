/* Changes in the DuckDB sink: what a run of changes leaves in the table. */
#include "duckdb_fixture.h"

static void inserts_updates_and_deletes_arrive_with_their_position(void **state)
{
    fixture *f = *state;
    fixture_open(f, "");
    pgconvoy_table *t = table_of(f, "users", "id int4 key; name text; n int8", 'd');
    copy_rows(f, t, 3, ROW("1", "ann", "10", "2", "bob", NULL, "3", "cy", "30"));
    assert_string_equal(query(f, "SELECT * FROM public.users ORDER BY id"), "1|ann|10;2|bob|NULL;3|cy|30");
    begin_stream(f);
    insert(f, t, "4", "dan", "40");
    update(f, t, "1", "anna", "11");
    delete_row(f, t, "2", NULL, NULL);
    commit_stream(f, 500);
    assert_string_equal(query(f, "SELECT * FROM public.users ORDER BY id"), "1|anna|11;3|cy|30;4|dan|40");
    pgconvoy_checkpoint checkpoint;
    fixture_open(f, "");
    ok(f, pgc_sink_duckdb.read_checkpoint(f->sink, &checkpoint, &f->err));
    assert_int_equal(checkpoint.lsn, 500);
    assert_string_equal(checkpoint.source_id, "7391/shop");
    assert_int_equal(checkpoint.table_count, 1);
    assert_string_equal(checkpoint.tables[0].name, "users");
    assert_int_equal(checkpoint.tables[0].state, PGCONVOY_TABLE_CATCHING_UP);
    assert_int_equal(checkpoint.tables[0].copy_lsn, 100);
}

static void an_aborted_transaction_leaves_nothing(void **state)
{
    fixture *f = *state;
    fixture_open(f, "");
    pgconvoy_table *t = table_of(f, "users", "id int4 key; name text", 'd');
    copy_rows(f, t, 1, ROW("1", "ann"));
    begin_stream(f);
    insert(f, t, "4", "dan");
    ok(f, pgc_duckdb_apply_all(f->writer, &f->err));
    update(f, t, "1", "x");
    pgc_sink_duckdb.abort(f->writer);
    assert_string_equal(query(f, "SELECT * FROM public.users ORDER BY id"), "1|ann");
    begin_stream(f);
    insert(f, t, "4", "dan");
    commit_stream(f, 10);
    assert_string_equal(query(f, "SELECT * FROM public.users ORDER BY id"), "1|ann;4|dan");
}

static void an_unchanged_value_is_left_as_it_is(void **state)
{
    fixture *f = *state;
    fixture_open(f, "");
    pgconvoy_table *t = table_of(f, "docs", "id int4 key; body text; n int4; extra text", 'd');
    copy_rows(f, t, 4, ROW("1", "long one", "1", "e1", "2", "long two", "2", "e2", "3", "long three", "3", "e3", "4", "four", "4", "e4"));
    begin_stream(f);
    update(f, t, "1", UNCHANGED, "11", UNCHANGED);
    update(f, t, "2", UNCHANGED, "22", "x2");
    update(f, t, "3", "short", UNCHANGED, UNCHANGED);
    insert(f, t, "5", "new", "5", "e5");
    update(f, t, "5", UNCHANGED, "55", UNCHANGED);
    update(f, t, "4", "first", "41", "x4");
    update(f, t, "4", UNCHANGED, "42", UNCHANGED);
    commit_stream(f, 10);
    assert_string_equal(query(f, "SELECT * FROM public.docs ORDER BY id"),
                        "1|long one|11|e1;2|long two|22|x2;3|short|3|e3;4|first|42|x4;5|new|55|e5");
}

static void a_key_change_takes_unchanged_values_along_and_keys_can_swap(void **state)
{
    fixture *f = *state;
    fixture_open(f, "");
    pgconvoy_table *t = table_of(f, "docs", "id int4 key; body text; n int4", 'd');
    copy_rows(f, t, 3, ROW("1", "one", "1", "2", "two", "2", "3", "three", "3"));
    begin_stream(f);
    change(f, PGCONVOY_UPDATE, t, 'K', ROW("1", NULL, NULL), ROW("9", UNCHANGED, "1"));
    change(f, PGCONVOY_UPDATE, t, 'K', ROW("2", NULL, NULL), ROW("1", UNCHANGED, "2"));
    change(f, PGCONVOY_UPDATE, t, 'K', ROW("9", NULL, NULL), ROW("2", UNCHANGED, "1"));
    change(f, PGCONVOY_UPDATE, t, 'K', ROW("3", NULL, NULL), ROW("4", "new", "4"));
    commit_stream(f, 10);
    assert_string_equal(query(f, "SELECT * FROM public.docs ORDER BY id"), "1|two|2;2|one|1;4|new|4");
}

static void a_truncate_forgets_what_came_before_it(void **state)
{
    fixture *f = *state;
    fixture_open(f, "");
    pgconvoy_table *t = table_of(f, "docs", "id int4 key; body text", 'd');
    copy_rows(f, t, 2, ROW("1", "one", "2", "two"));
    begin_stream(f);
    insert(f, t, "3", "three");
    update(f, t, "1", "uno");
    truncate_table(f, t);
    insert(f, t, "1", "again");
    commit_stream(f, 10);
    assert_string_equal(query(f, "SELECT * FROM public.docs ORDER BY id"), "1|again");
}

static void rows_without_a_key_are_a_multiset(void **state)
{
    fixture *f = *state;
    fixture_open(f, "");
    pgconvoy_table *t = table_of(f, "log", "a int4; b text", 'f');
    copy_rows(f, t, 4, ROW("1", "x", "1", "x", "1", "x", "2", NULL));
    begin_stream(f);
    change(f, PGCONVOY_DELETE, t, 'O', ROW("1", "x"), NULL);
    change(f, PGCONVOY_UPDATE, t, 'O', ROW("2", NULL), ROW("3", UNCHANGED));
    insert(f, t, "5", "y");
    insert(f, t, "5", "y");
    insert(f, t, "6", "z");
    change(f, PGCONVOY_DELETE, t, 'O', ROW("6", "z"), NULL);
    commit_stream(f, 10);
    assert_string_equal(query(f, "SELECT * FROM public.log ORDER BY a"), "1|x;1|x;3|NULL;5|y;5|y");
}

static void an_updated_row_that_is_not_there_comes_whole(void **state)
{
    fixture *f = *state;
    fixture_open(f, "");
    pgconvoy_table *t = table_of(f, "docs", "id int4 key; body text", 'd');
    copy_rows(f, t, 1, ROW("1", "one"));
    begin_stream(f);
    update(f, t, "7", "seven");
    update(f, t, "1", "uno");
    delete_row(f, t, "8", NULL);
    commit_stream(f, 10);
    assert_string_equal(query(f, "SELECT * FROM public.docs ORDER BY id"), "1|uno;7|seven");
    assert_int_equal(f->warnings, 1);
}

static void a_table_of_key_columns_only_can_be_changed(void **state)
{
    fixture *f = *state;
    fixture_open(f, "");
    pgconvoy_table *t = table_of(f, "pairs", "a int4 key; b text key", 'd');
    copy_rows(f, t, 2, ROW("1", "x", "1", "y"));
    begin_stream(f);
    update(f, t, "1", "x");
    delete_row(f, t, "1", "y");
    insert(f, t, "2", "z");
    change(f, PGCONVOY_UPDATE, t, 'K', ROW("1", "x"), ROW("1", "w"));
    commit_stream(f, 10);
    assert_string_equal(query(f, "SELECT * FROM public.pairs ORDER BY a, b"), "1|w;2|z");
}

static void a_schema_may_be_named_as_the_file(void **state)
{
    fixture *f = *state;
    fixture_open(f, "");
    pgconvoy_table *t = table_of(f, "shop", "id int4 key; body text", 'd');
    t->schema = "shop"; /* the file is shop.duckdb */
    copy_rows(f, t, 1, ROW("1", "one"));
    begin_stream(f);
    update(f, t, "1", "uno");
    insert(f, t, "2", "two");
    commit_stream(f, 10);
    assert_string_equal(query(f, "SELECT * FROM shop.shop.shop ORDER BY id"), "1|uno;2|two");
}

/* ---- many transactions against a model */

#define KEYS 300

typedef struct model {
    bool there[KEYS];
    int note[KEYS], wide[KEYS];
} model;

static void random_change(fixture *f, const pgconvoy_table *t, model *m, int *serial)
{
    char key[16], other[16], note[16], wide[32];
    int k = rand() % KEYS, to = rand() % KEYS;
    snprintf(key, sizeof key, "%d", k);
    snprintf(other, sizeof other, "%d", to);
    snprintf(note, sizeof note, "%d", ++*serial);
    snprintf(wide, sizeof wide, "wide value %d", *serial);
    if (!m->there[k]) {
        insert(f, t, key, note, wide);
        m->there[k] = true;
        m->note[k] = m->wide[k] = *serial;
    } else if (rand() % 4 == 0) {
        delete_row(f, t, key, NULL, NULL);
        m->there[k] = false;
    } else if (rand() % 3 == 0 && !m->there[to]) {
        change(f, PGCONVOY_UPDATE, t, 'K', ROW(key, NULL, NULL), ROW(other, note, UNCHANGED));
        m->there[to] = true;
        m->there[k] = false;
        m->note[to] = *serial;
        m->wide[to] = m->wide[k];
    } else if (rand() % 2) {
        update(f, t, key, note, UNCHANGED);
        m->note[k] = *serial;
    } else {
        update(f, t, key, note, wide);
        m->note[k] = m->wide[k] = *serial;
    }
}

static void compare_with_model(fixture *f, const model *m)
{
    pgc_buffer expected;
    pgc_buffer_init(&expected, 1 << 20);
    for (int k = 0; k < KEYS; k++) {
        if (m->there[k])
            pgc_buffer_format(&expected, "%s%d|%d|wide value %d", expected.length > 0 ? ";" : "", k, m->note[k], m->wide[k]);
    }
    assert_string_equal(query(f, "SELECT * FROM public.t ORDER BY id"), expected.data ? expected.data : "");
    pgc_buffer_free(&expected);
}

/* duckdb_bytes, when not 0, stands for so little memory that rows are deleted and inserted rather than updated in place. */
static void run_random(fixture *f, const char *options, size_t duckdb_bytes)
{
    static model m;
    int serial = 0;
    memset(&m, 0, sizeof m);
    srand(7);
    fixture_open(f, options);
    pgconvoy_table *t = table_of(f, "t", "id int4 key; note int4; wide text", 'd');
    copy_rows(f, t, 0, ROW(NULL));
    for (int round = 0; round < 60; round++) {
        model before = m;
        if (duckdb_bytes)
            ((pgc_duckdb_sink *)f->sink)->duckdb_bytes = duckdb_bytes;
        begin_stream(f);
        for (int i = rand() % 400; i >= 0; i--) {
            random_change(f, t, &m, &serial);
            if (rand() % 60 == 0) /* as when memory runs out in the middle of a transaction */
                ok(f, pgc_duckdb_apply_all(f->writer, &f->err));
            if (rand() % 2000 == 0) {
                truncate_table(f, t);
                memset(m.there, 0, sizeof m.there);
            }
        }
        if (rand() % 5 == 0) {
            pgc_sink_duckdb.abort(f->writer);
            m = before;
        } else {
            commit_stream(f, (pgconvoy_lsn)round + 1);
        }
        if (round % 10 == 9)
            compare_with_model(f, &m);
        if (round % 20 == 19)
            fixture_open(f, options);
    }
}

static void any_run_of_changes_gives_the_same_rows_with_a_primary_key(void **state)
{
    run_random(*state, "", 0);
}

static void any_run_of_changes_gives_the_same_rows_without_one(void **state)
{
    run_random(*state, "?primary_key=off", 0);
}

static void any_run_of_changes_gives_the_same_rows_with_little_memory(void **state)
{
    run_random(*state, "", 3000);
}

/* DuckDB 1.4's index takes such keys for duplicates; see pgc_duckdb_key_set_meets. */
static void keys_may_go_and_come_again_and_again_in_one_transaction(void **state)
{
    fixture *f = *state;
    static bool there[1000];
    char key[16], moved[16];
    long live = 500;
    int next = 1000000;
    const char *texts[1500];
    memset(there, 0, sizeof there);
    fixture_open(f, "");
    pgconvoy_table *t = table_of(f, "t", "id int4 key; body text; n int4", 'd');
    for (int i = 0; i < 500; i++) {
        snprintf(key, sizeof key, "%d", i + 1);
        texts[3 * i] = pgc_arena_strdup(f->arena, key);
        texts[3 * i + 1] = "x";
        texts[3 * i + 2] = "0";
    }
    copy_rows(f, t, 500, texts);
    srand(1);
    for (int batch = 0; batch < 12; batch++) {
        begin_stream(f);
        for (int i = rand() % 4000; i > 0; i--) {
            int k = 500 + rand() % 500;
            snprintf(key, sizeof key, "%d", k);
            if (k > 500 && there[k])
                delete_row(f, t, key, NULL, NULL);
            live += k > 500 && !there[k];
            if (k == 500) /* one that is there from the start */
                delete_row(f, t, key, NULL, NULL);
            insert(f, t, key, "body", "1");
            there[k] = true;
            if (k > 500 && rand() % 2) {
                snprintf(moved, sizeof moved, "%d", ++next);
                change(f, PGCONVOY_UPDATE, t, 'K', ROW(key, NULL, NULL), ROW(moved, UNCHANGED, "1"));
                there[k] = false;
            }
            if (rand() % 300 == 0)
                ok(f, pgc_duckdb_apply_all(f->writer, &f->err));
        }
        commit_stream(f, (pgconvoy_lsn)batch + 1);
    }
    char expected[64];
    snprintf(expected, sizeof expected, "%ld|%ld", live, live);
    assert_string_equal(query(f, "SELECT count(*), count(DISTINCT id) FROM public.t"), expected);
}

static void a_list_column_is_updated_again_and_again_in_one_transaction(void **state)
{
    fixture *f = *state;
    char key[16], list[32];
    fixture_open(f, "");
    pgconvoy_table *t = table_of(f, "t", "id int4 key; v _int4", 'd');
    copy_rows(f, t, 0, ROW(NULL));
    begin_stream(f);
    for (int k = 0; k < 200; k++) {
        snprintf(key, sizeof key, "%d", k);
        insert(f, t, key, "{0}");
    }
    commit_stream(f, 1);
    for (int batch = 0; batch < 4; batch++) {
        begin_stream(f);
        for (int i = 1; i <= 1000; i++) {
            snprintf(key, sizeof key, "%d", rand() % 200);
            snprintf(list, sizeof list, "{%d,%d}", batch, i);
            update(f, t, key, list);
            if (i % 100 == 0)
                ok(f, pgc_duckdb_apply_all(f->writer, &f->err));
        }
        update(f, t, "7", "{7}");
        commit_stream(f, (pgconvoy_lsn)batch + 2);
    }
    assert_string_equal(query(f, "SELECT count(*), count(DISTINCT id), count(v) FROM public.t"), "200|200|200");
    assert_string_equal(query(f, "SELECT v FROM public.t WHERE id = 7"), "[7]");
}

static void a_transaction_too_large_for_an_index_gives_up_the_primary_key(void **state)
{
    fixture *f = *state;
    fixture_open(f, "");
    pgconvoy_table *t = table_of(f, "t", "id int4 key; note int4; wide text", 'd');
    copy_rows(f, t, 2, ROW("1", "1", "one", "2", "2", "two"));
    assert_string_equal(query(f, "SELECT count(*) FROM duckdb_constraints() WHERE constraint_type = 'PRIMARY KEY' AND table_name = 't'"),
                        "1");
    pgc_duckdb_sink *sink = f->sink;
    sink->duckdb_bytes = 300; /* as if memory were that small */
    begin_stream(f);
    insert(f, t, "3", "3", "three");
    update(f, t, "1", "11", UNCHANGED);
    ok(f, pgc_duckdb_apply_all(f->writer, &f->err));
    update(f, t, "3", "33", UNCHANGED);
    update(f, t, "2", "22", "zwei");
    delete_row(f, t, "1", NULL, NULL);
    insert(f, t, "1", "111", "uno");
    commit_stream(f, 9);
    assert_string_equal(query(f, "SELECT * FROM public.t ORDER BY id"), "1|111|uno;2|22|zwei;3|33|three");
    assert_string_equal(query(f, "SELECT count(*) FROM duckdb_constraints() WHERE constraint_type = 'PRIMARY KEY' AND table_name = 't'"),
                        "0");
    assert_int_equal(f->warnings, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(inserts_updates_and_deletes_arrive_with_their_position),
        TEST(an_aborted_transaction_leaves_nothing),
        TEST(an_unchanged_value_is_left_as_it_is),
        TEST(a_key_change_takes_unchanged_values_along_and_keys_can_swap),
        TEST(a_truncate_forgets_what_came_before_it),
        TEST(rows_without_a_key_are_a_multiset),
        TEST(an_updated_row_that_is_not_there_comes_whole),
        TEST(a_table_of_key_columns_only_can_be_changed),
        TEST(a_schema_may_be_named_as_the_file),
        TEST(any_run_of_changes_gives_the_same_rows_with_a_primary_key),
        TEST(any_run_of_changes_gives_the_same_rows_without_one),
        TEST(any_run_of_changes_gives_the_same_rows_with_little_memory),
        TEST(keys_may_go_and_come_again_and_again_in_one_transaction),
        TEST(a_list_column_is_updated_again_and_again_in_one_transaction),
        TEST(a_transaction_too_large_for_an_index_gives_up_the_primary_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
