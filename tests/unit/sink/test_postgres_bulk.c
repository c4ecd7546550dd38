/* The PostgreSQL sink applies many changes in bulk: what comes out is what applying them one by one comes to, and what
 * cannot be done in bulk is done in commit order. */
#include "postgres_sink_fixture.h"

#include <time.h>

static const pgconvoy_column row_columns[] = {{KEY_COLUMN("id", int4_type, "integer")},
                                              {COLUMN("place", int4_type, "integer")},
                                              {COLUMN("note", text_type, "text")},
                                              {COLUMN("list", int4_array_type, "integer[]")},
                                              {COLUMN("amount", numeric_type, "numeric")}};
static const int first_key[] = {0};
#define ROWS_TABLE(o, n)                                                                                               \
    {                                                                                                                  \
        .oid = (o), .version = 1, .schema = "public", .name = (n), .column_count = 5, .columns = row_columns,          \
        .replica_identity = 'd', .key_count = 1, .key = first_key                                                      \
    }
static const pgconvoy_table bulk = ROWS_TABLE(31, "in bulk"), single = ROWS_TABLE(32, "one by one");
static const pgconvoy_column heap_columns[] = {{COLUMN("id", int4_type, "integer")},
                                               {COLUMN("place", int4_type, "integer")},
                                               {COLUMN("note", text_type, "text")},
                                               {COLUMN("list", int4_array_type, "integer[]")},
                                               {COLUMN("amount", numeric_type, "numeric")}};
static const pgconvoy_table heap = {.oid = 33,
                                    .version = 1,
                                    .schema = "public",
                                    .name = "heap",
                                    .column_count = 5,
                                    .columns = heap_columns,
                                    .replica_identity = 'd'};

static const char *const differences =
    "SELECT count(*) FROM ((TABLE public.\"in bulk\" EXCEPT ALL TABLE public.\"one by one\") UNION ALL "
    "(TABLE public.\"one by one\" EXCEPT ALL TABLE public.\"in bulk\")) AS d";

/* ---- changes that are remembered, to be written more than once */

#define UNCHANGED_NOTE (-2)

typedef struct step {
    pgconvoy_operation operation;
    int old_id; /* -1: no old row */
    int id, place, note, amount;
} step;

#define STEPS_MAX 40000
static step steps[STEPS_MAX];
static int step_count;
static bool binary; /* a stream has one format for each column */

static pgconvoy_value number(int n, bool in_binary, char *space)
{
    if (!in_binary)
        return (pgconvoy_value){.data = space, .length = sprintf(space, "%d", n), .format = PGCONVOY_TEXT};
    for (int i = 0; i < 4; i++)
        space[i] = (char)((uint32_t)n >> (24 - 8 * i));
    return (pgconvoy_value){.data = space, .length = 4, .format = PGCONVOY_BINARY};
}

static int write_step(const pgconvoy_table *table, const step *s)
{
    char old_space[16], spaces[4][64], note[3000];
    pgconvoy_value old[5], new_[5];
    for (int i = 0; i < 5; i++)
        old[i] = new_[i] = (pgconvoy_value){.length = PGCONVOY_NULL};
    if (s->old_id >= 0)
        old[0] = number(s->old_id, binary, old_space);
    new_[0] = number(s->id, binary, spaces[0]);
    new_[1] = number(s->place, !binary, spaces[1]);
    if (s->note == UNCHANGED_NOTE)
        new_[2].length = PGCONVOY_UNCHANGED;
    else if (s->note >= 0)
        new_[2] = (pgconvoy_value){.data = note, .length = sprintf(note, "\"n{o}te\\ %d%*s", s->note, s->note % 5 ? 0 : 2500, "")};
    new_[3] = (pgconvoy_value){.data = spaces[2], .length = sprintf(spaces[2], "{%d,NULL}", s->amount)};
    if (s->amount % 7)
        new_[4] = (pgconvoy_value){.data = spaces[3], .length = sprintf(spaces[3], "%d.50", s->amount)};
    bool truncates = s->operation == PGCONVOY_TRUNCATE;
    return write_one(table, s->operation, s->old_id >= 0 ? old : NULL, 'K',
                     truncates || s->operation == PGCONVOY_DELETE ? NULL : new_);
}

/* Commits after so many steps. */
static void write_steps(const pgconvoy_table *table, int commit_every, pgconvoy_lsn *lsn)
{
    stream_begin();
    for (int i = 0; i < step_count; i++) {
        ok(write_step(table, &steps[i]));
        if ((i + 1) % commit_every == 0) {
            ok(commit(++*lsn));
            stream_begin();
        }
    }
    ok(commit(++*lsn));
}

/* ---- a source: rows with ids and places, both unique at any time */

#define IDS 400
#define PLACES 800
static int place_of[IDS]; /* -1: no such row */
static bool taken[PLACES];
static bool moves_are_whole; /* key changes come with all values */
static uint64_t seed;

static int any(int below)
{
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (int)((seed >> 33) % (uint64_t)below);
}

static int some_id(bool there)
{
    for (int tries = 0; tries < 2000; tries++) {
        int id = any(IDS);
        if ((place_of[id] >= 0) == there)
            return id;
    }
    return -1;
}

static int free_place(void)
{
    int place;
    do
        place = any(PLACES);
    while (taken[place]);
    return place;
}

static void add_step(pgconvoy_operation operation, int old_id, int id, int place, int note)
{
    if (step_count < STEPS_MAX)
        steps[step_count++] = (step){operation, old_id, id, place, note, any(1000)};
}

static void put(int id, int place)
{
    if (place_of[id] >= 0)
        taken[place_of[id]] = false;
    place_of[id] = place;
    if (place >= 0)
        taken[place] = true;
}

static int some_note(void)
{
    return any(3) == 0 ? UNCHANGED_NOTE : any(1000) - 1;
}

static void step_insert(int id)
{
    int place = free_place();
    add_step(PGCONVOY_INSERT, -1, id, place, any(1000) - 1);
    put(id, place);
}

static void step_delete(int id)
{
    add_step(PGCONVOY_DELETE, id, id, 0, -1);
    put(id, -1);
}

static void step_update(int id, int place)
{
    add_step(PGCONVOY_UPDATE, -1, id, place, some_note());
    put(id, place);
}

static void step_move(int from, int to)
{
    int place = place_of[from];
    add_step(PGCONVOY_UPDATE, from, to, place, moves_are_whole ? any(1000) : some_note());
    put(from, -1);
    put(to, place);
}

static void step_swap_places(int a, int b)
{
    int place_a = place_of[a], place_b = place_of[b];
    step_update(a, free_place());
    step_update(b, place_a);
    step_update(a, place_b);
}

static void step_swap_ids(int a, int b, int spare)
{
    step_move(a, spare);
    step_move(b, a);
    step_move(spare, b);
}

/* juggling: places change hands, which no bulk statement can do. */
static void make_steps(int count, bool juggling, bool truncates)
{
    step_count = 0;
    memset(taken, 0, sizeof taken);
    for (int i = 0; i < IDS; i++)
        place_of[i] = -1;
    while (step_count < count) {
        int a = some_id(true), b = some_id(true), spare = some_id(false), what = any(100);
        if (spare >= 0 && (what < 30 || a < 0))
            step_insert(spare);
        else if (a < 0 || b < 0 || a == b)
            continue;
        else if (what < 60)
            step_update(a, juggling && any(2) ? free_place() : place_of[a]);
        else if (what < 75)
            step_delete(a);
        else if (what < 80) {
            step_delete(a);
            step_insert(a);
        } else if (what < 85 && spare >= 0 && juggling)
            step_move(a, spare);
        else if (what < 90 && spare >= 0 && juggling)
            step_swap_ids(a, b, spare);
        else if (what < 95 && juggling)
            step_swap_places(a, b);
        else if (what == 99 && truncates && any(10) == 0) {
            add_step(PGCONVOY_TRUNCATE, -1, 0, 0, -1);
            memset(taken, 0, sizeof taken);
            for (int i = 0; i < IDS; i++)
                place_of[i] = -1;
        }
    }
}

static void make_tables(bool unique)
{
    make_table(&bulk);
    make_table(&single);
    if (unique)
        sql("ALTER TABLE public.\"in bulk\" ADD UNIQUE (place); ALTER TABLE public.\"one by one\" ADD UNIQUE (place)");
}

static void choose_seed(void)
{
    const char *wanted = getenv("TEST_SEED");
    seed = wanted ? strtoull(wanted, NULL, 10) : (uint64_t)time(NULL);
    print_message("TEST_SEED=%llu\n", (unsigned long long)seed);
}

/* ---- tests */

static void compare_rounds(bool juggling, bool unique, bool truncates)
{
    pgconvoy_lsn lsn = 10;
    make_tables(unique);
    choose_seed();
    for (int round = 0; round < 6; round++) {
        binary = round % 2;
        moves_are_whole = round % 3 > 0;
        sql("TRUNCATE public.\"in bulk\", public.\"one by one\"");
        make_steps(300 + any(4000), juggling, truncates);
        write_steps(&single, 50, &lsn);
        write_steps(&bulk, 150 + any(3000), &lsn);
        assert_asked(differences, "0");
    }
    assert_int_equal(warnings, 0);
}

static void bulk_comes_to_what_single_changes_come_to(void **state)
{
    (void)state;
    compare_rounds(false, false, true);
    assert_int_equal(fallbacks, 0);
}

static void key_changes_and_swaps_in_bulk_end_as_they_should(void **state)
{
    (void)state;
    compare_rounds(true, false, true);
    assert_int_equal(fallbacks, 0);
}

static void values_that_change_hands_under_a_unique_constraint_arrive(void **state)
{
    (void)state;
    compare_rounds(true, true, true);
    assert_in_range(fallbacks, 0, 1); /* said once */
}

static void values_swapped_among_many_updates_are_swapped(void **state)
{
    (void)state;
    pgconvoy_lsn lsn = 10;
    make_tables(true);
    step_count = 0;
    memset(taken, 0, sizeof taken);
    for (int i = 0; i < IDS; i++) {
        place_of[i] = -1;
        step_insert(i);
    }
    write_steps(&single, 50, &lsn);
    write_steps(&bulk, 1000, &lsn);
    assert_int_equal(fallbacks, 0);
    /* a pile that is cut in the midst of the swap meets no constraint: then once more */
    for (int tries = 0; tries < 50 && fallbacks == 0; tries++) {
        step_count = 0;
        for (int i = 0; i < 200; i++)
            step_update(i, place_of[i]);
        step_swap_places(3, 150);
        write_steps(&single, 50, &lsn);
        write_steps(&bulk, 1000, &lsn);
    }
    assert_int_equal(fallbacks, 1);
    assert_asked(differences, "0");
}

static void make_inserts(int count)
{
    step_count = 0;
    for (int i = 0; i < count; i++)
        add_step(PGCONVOY_INSERT, -1, i, i, i % 100);
}

/* Both tables have 500. */
static void begin_with_rows(pgconvoy_lsn *lsn)
{
    make_tables(false);
    make_inserts(500);
    write_steps(&single, 50, lsn);
    write_steps(&bulk, 1000, lsn);
}

static void rows_that_are_there_already_are_replaced(void **state)
{
    (void)state;
    pgconvoy_lsn lsn = 10;
    make_tables(false);
    sql("INSERT INTO public.\"in bulk\" VALUES (7, 7, 'old')");
    make_inserts(500);
    write_steps(&single, 50, &lsn);
    write_steps(&bulk, 1000, &lsn);
    assert_asked(differences, "0");
    assert_int_equal(fallbacks, 1);
    assert_int_equal(warnings, 1); /* the row that was there: a conflict is said once */
}

static void rows_that_are_missing_are_said_and_come_back_when_inserted(void **state)
{
    (void)state;
    pgconvoy_lsn lsn = 10;
    begin_with_rows(&lsn);
    sql("DELETE FROM public.\"in bulk\" WHERE id IN (5, 6); DELETE FROM public.\"one by one\" WHERE id IN (5, 6)");
    step_count = 0;
    for (int i = 0; i < 200; i++) {
        if (i == 5) {
            add_step(PGCONVOY_DELETE, i, i, 0, -1);
            add_step(PGCONVOY_INSERT, -1, i, i, 3);
        }
        add_step(PGCONVOY_UPDATE, -1, i, i + 1, i == 5 ? 4 : UNCHANGED_NOTE);
    }
    write_steps(&single, 50, &lsn);
    assert_int_equal(warnings, 1);
    write_steps(&bulk, 1000, &lsn);
    assert_true(warnings > 1);
    assert_non_null(strstr(last_warning, "public.in bulk"));
    assert_asked(differences, "0");
    assert_asked("SELECT count(*) || ' ' || count(*) FILTER (WHERE id = 5) FROM public.\"in bulk\"", "499 1");
}

/* So many that pieces of the transaction are applied while the rest is still being handed over. */
static void a_large_transaction_is_applied_while_more_of_it_comes(void **state)
{
    (void)state;
    pgconvoy_lsn lsn = 10;
    make_tables(false);
    choose_seed();
    make_steps(STEPS_MAX, true, false);
    write_steps(&single, 99, &lsn);
    write_steps(&bulk, STEPS_MAX + 1, &lsn);
    assert_asked(differences, "0");
    assert_int_equal(fallbacks, 0);
}

/* A row is gone, and changes without all of its values: no pile says what that comes to. It fails as soon as the pile is compacted, which is
 * while it is filled. */
static void what_cannot_be_compacted_goes_one_by_one(void **state)
{
    (void)state;
    pgconvoy_lsn lsn = 10;
    begin_with_rows(&lsn);
    step_count = 0;
    for (int i = 0; i < 20000; i++) {
        if (i == 5000) {
            add_step(PGCONVOY_DELETE, 7, 7, 0, -1);
            add_step(PGCONVOY_UPDATE, -1, 7, 1, UNCHANGED_NOTE);
            add_step(PGCONVOY_INSERT, -1, 7, 2, 3);
        }
        add_step(PGCONVOY_UPDATE, -1, i % 500, i, i % 3 ? UNCHANGED_NOTE : i);
    }
    write_steps(&single, 50, &lsn);
    write_steps(&bulk, STEPS_MAX, &lsn);
    assert_int_equal(fallbacks, 1);
    assert_asked(differences, "0");
    assert_asked("SELECT count(*) FROM public.\"in bulk\"", "500");
}

static void several_connections_come_to_what_single_changes_come_to(void **state)
{
    (void)state;
    pgconvoy_lsn lsn = 10;
    make_tables(false);
    choose_seed();
    make_steps(STEPS_MAX, false, false);
    write_steps(&single, 99, &lsn);
    apply_jobs = 3;
    reopen_sink();
    write_steps(&bulk, STEPS_MAX / 3, &lsn);
    assert_asked(differences, "0");
    assert_asked("SELECT count(*) FROM pgconvoy.apply_part", "0"); /* and it is there */
    assert_int_equal(fallbacks, 0);
    assert_int_equal(warnings, 0);
}

/* Keys close together, of both signs, in any order, beside a row that is not meant; then keys far apart. */
static void rows_are_found_by_a_range_of_their_keys(void **state)
{
    (void)state;
    pgconvoy_lsn lsn = 10;
    make_tables(false);
    for (int round = 0; round < 4; round++) {
        int apart = round < 2 ? 1 : 1000003;
        binary = round % 2;
        sql("TRUNCATE public.\"in bulk\", public.\"one by one\"");
        step_count = 0;
        for (int i = 0; i < 1000; i++)
            add_step(PGCONVOY_INSERT, -1, (i - 500) * apart, i, 1);
        write_steps(&single, 50, &lsn);
        write_steps(&bulk, 1001, &lsn);
        step_count = 0;
        for (int i = 0; i < 1000; i++)
            if (i != 250)
                add_step(PGCONVOY_UPDATE, -1, (i * 7 % 1000 - 500) * apart, i + 1, UNCHANGED_NOTE);
        for (int i = 499; i > 0; i--)
            add_step(PGCONVOY_DELETE, i * apart, i * apart, 0, -1);
        write_steps(&single, 50, &lsn);
        write_steps(&bulk, 2000, &lsn);
        assert_asked(differences, "0");
        assert_asked("SELECT count(*) FROM public.\"in bulk\"", "501");
    }
    assert_int_equal(fallbacks, 0);
}

static void a_failure_of_what_is_applied_meanwhile_is_reported(void **state)
{
    (void)state;
    make_tables(false);
    sql("ALTER TABLE public.\"in bulk\" ADD CHECK (place <> 300)");
    make_inserts(STEPS_MAX);
    stream_begin();
    int status = 0, written = 0;
    while (status == 0 && written < step_count)
        status = write_step(&bulk, &steps[written++]);
    assert_int_not_equal(status, 0);
    assert_message("public.in bulk");
    assert_string_equal(err.sqlstate, "23514");
    pgc_sink_postgres.abort(writer);
    assert_asked("SELECT count(*) FROM public.\"in bulk\"", "0");
    sql("ALTER TABLE public.\"in bulk\" DROP CONSTRAINT \"in bulk_place_check\"");
    pgconvoy_lsn lsn = 20;
    write_steps(&bulk, STEPS_MAX + 1, &lsn);
    assert_asked("SELECT count(*) FROM public.\"in bulk\"", "40000");
}

static void inserts_without_a_key_go_in_bulk_too(void **state)
{
    (void)state;
    pgconvoy_lsn lsn = 10;
    make_table(&heap);
    make_inserts(5000);
    write_steps(&heap, 10000, &lsn);
    write_steps(&heap, 10000, &lsn);
    assert_asked("SELECT count(*) || ' ' || count(DISTINCT id) FROM public.heap", "10000 5000");
    assert_int_equal(fallbacks, 0);
}

static void triggers_that_fire_see_each_change(void **state)
{
    (void)state;
    pgconvoy_lsn lsn = 10;
    make_tables(false);
    sql("CREATE TABLE public.seen (what text);"
        "CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN INSERT INTO public.seen VALUES (tg_op); RETURN NULL; END';"
        "CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON public.\"in bulk\" FOR EACH ROW EXECUTE FUNCTION "
        "public.note();"
        "ALTER TABLE public.\"in bulk\" ENABLE ALWAYS TRIGGER note");
    choose_seed();
    make_steps(1000, true, false);
    write_steps(&single, 50, &lsn);
    write_steps(&bulk, 10000, &lsn);
    assert_asked(differences, "0");
    char expected[16];
    snprintf(expected, sizeof expected, "%d", step_count);
    assert_asked("SELECT count(*) FROM public.seen", expected);
}

static void a_value_that_the_target_refuses_is_named(void **state)
{
    (void)state;
    make_tables(false);
    sql("ALTER TABLE public.\"in bulk\" ADD CHECK (place <> 300)");
    make_inserts(500);
    stream_begin();
    for (int i = 0; i < step_count; i++)
        ok(write_step(&bulk, &steps[i]));
    assert_int_not_equal(commit(20), 0);
    assert_message("public.in bulk");
    assert_string_equal(err.sqlstate, "23514");
    pgc_sink_postgres.abort(writer);
    sql("ALTER TABLE public.\"in bulk\" DROP CONSTRAINT \"in bulk_place_check\"");
    pgconvoy_lsn lsn = 20;
    write_steps(&bulk, 10000, &lsn);
    assert_asked("SELECT count(*) FROM public.\"in bulk\"", "500");
}

static void the_targets_own_consumers_can_tell(void **state)
{
    (void)state;
    pgconvoy_lsn lsn = 10;
    make_tables(false);
    sql("SELECT pg_create_logical_replication_slot('consumer', 'test_decoding')");
    make_inserts(500);
    write_steps(&bulk, 1000, &lsn);
    sql("INSERT INTO public.\"one by one\" VALUES (1, 1)");
    assert_asked("SELECT count(*) FROM pg_logical_slot_peek_changes('consumer', NULL, NULL) WHERE data LIKE 'table "
                 "public.%INSERT%'",
                 "501");
    assert_asked("SELECT count(*) FROM pg_logical_slot_peek_changes('consumer', NULL, NULL, 'only-local', '1') WHERE "
                 "data LIKE 'table public.%INSERT%'",
                 "1");
    sql("SELECT pg_drop_replication_slot('consumer')");
    pgc_sink_postgres.close_writer(writer);
    writer = NULL;
    ok(pgc_sink_postgres.drop(sink, &err));
    assert_asked("SELECT count(*) FROM pg_replication_origin WHERE roname LIKE 'pgconvoy_' || (SELECT oid FROM "
                 "pg_database WHERE datname = current_database()) || '%'",
                 "0");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(bulk_comes_to_what_single_changes_come_to),
                                       TEST(key_changes_and_swaps_in_bulk_end_as_they_should),
                                       TEST(values_that_change_hands_under_a_unique_constraint_arrive),
                                       TEST(values_swapped_among_many_updates_are_swapped),
                                       TEST(rows_that_are_there_already_are_replaced),
                                       TEST(rows_that_are_missing_are_said_and_come_back_when_inserted),
                                       TEST(a_large_transaction_is_applied_while_more_of_it_comes),
                                       TEST(what_cannot_be_compacted_goes_one_by_one),
                                       TEST(several_connections_come_to_what_single_changes_come_to),
                                       TEST(rows_are_found_by_a_range_of_their_keys),
                                       TEST(a_failure_of_what_is_applied_meanwhile_is_reported),
                                       TEST(inserts_without_a_key_go_in_bulk_too),
                                       TEST(triggers_that_fire_see_each_change),
                                       TEST(a_value_that_the_target_refuses_is_named),
                                       TEST(the_targets_own_consumers_can_tell)};
    if (!fixture_open())
        return getenv("PGCONVOY_TEST_URI") ? 1 : 77;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    fixture_close();
    return failed;
}
