/* The PostgreSQL sink against a real server: tables, copy, checkpoint and failures. The change stream's own tests are
 * in test_postgres_apply.c. */
#include "postgres_sink_fixture.h"

static const pgconvoy_column user_columns[] = {{KEY_COLUMN("id", int4_type, "integer")},
                                               {COLUMN("name", text_type, "text")}};
static const int first_key[] = {0};
static const pgconvoy_table users = {.oid = 1,
                                     .version = 1,
                                     .schema = "public",
                                     .name = "users",
                                     .column_count = 2,
                                     .columns = user_columns,
                                     .replica_identity = 'd',
                                     .key_count = 1,
                                     .key = first_key};
/* names that need quoting */
static const pgconvoy_column odd_columns[] = {{KEY_COLUMN("a \"b\".c", int4_type, "integer")},
                                              {COLUMN("Ünï'", text_type, "text")}};
static const pgconvoy_table odd = {.oid = 2,
                                   .version = 1,
                                   .schema = "My \"schema\"",
                                   .name = "t'a\"b.L\\e",
                                   .column_count = 2,
                                   .columns = odd_columns,
                                   .replica_identity = 'd',
                                   .key_count = 1,
                                   .key = first_key};
static const pgconvoy_column typed_columns[] = {{KEY_COLUMN("id", int4_type, "integer")},
                                                {COLUMN("mood", mood_type, "\"my types\".\"Mood\"")},
                                                {COLUMN("moods", mood_array_type, "\"my types\".\"Mood\"[]")},
                                                {COLUMN("home", address_type, "public.address")},
                                                {COLUMN("price", email_type, "public.email")},
                                                {COLUMN("span", span_type, "public.span")},
                                                {COLUMN("list", int4_array_type, "integer[]")}};
static const pgconvoy_table typed = {.oid = 3,
                                     .version = 1,
                                     .schema = "public",
                                     .name = "typed",
                                     .column_count = 7,
                                     .columns = typed_columns,
                                     .replica_identity = 'd',
                                     .key_count = 1,
                                     .key = first_key};
static const pgconvoy_table no_columns = {
    .oid = 4, .version = 1, .schema = "public", .name = "nothing", .replica_identity = 'f'};

static void looking_creates_nothing(void **state)
{
    (void)state;
    pgconvoy_checkpoint checkpoint;
    ok(pgc_sink_postgres.read_checkpoint(sink, &checkpoint, &err));
    assert_null(checkpoint.source_id);
    assert_int_equal(checkpoint.lsn, 0);
    ok(pgc_sink_postgres.check_table(sink, &users, PGCONVOY_IF_EXISTS_ERROR, &err));
    ok(pgc_sink_postgres.drop(sink, &err));
    assert_asked("SELECT count(*) FROM pg_namespace WHERE nspname = 'pgconvoy'", "0");
    assert_asked("SELECT to_regclass('public.users')", "null");
}

static void rows_arrive_in_either_format(void **state)
{
    (void)state;
    const char *query =
        "SELECT i, CASE WHEN i % 3 = 0 THEN NULL ELSE E'x\\t\\n\\\\' || i END FROM generate_series(1, 1000) i";
    const char *sum = "SELECT md5(string_agg(t::text, '|' ORDER BY id)) FROM public.users t";
    char expected[64];
    copy_query(&users, query, PGCONVOY_BINARY);
    snprintf(expected, sizeof expected, "%s",
             ask("SELECT md5(string_agg(r::text, '|' ORDER BY id)) FROM (SELECT i AS id, CASE WHEN i % 3 = 0 "
                 "THEN NULL ELSE E'x\\t\\n\\\\' || i END FROM generate_series(1, 1000) i) r"));
    assert_asked(sum, expected);
    assert_asked("SELECT count(*) FROM pg_constraint WHERE conrelid = 'public.users'::regclass AND contype = 'p'", "1");
    ok(pgc_sink_postgres.prepare_table(sink, &users, PGCONVOY_IF_EXISTS_ERROR, &err));
    copy_rows(&users, query, PGCONVOY_TEXT);
    ok(finish(&users));
    assert_asked(sum, expected);
}

static void names_with_quotes_are_kept(void **state)
{
    (void)state;
    copy_query(&odd, "SELECT 1, 'one'", PGCONVOY_BINARY);
    stream_begin();
    ok(insert(&odd, T("2"), T("two")));
    ok(update(&odd, T("1"), T("uno")));
    ok(commit(10));
    assert_asked(
        "SELECT string_agg(\"Ünï'\", ',' ORDER BY \"a \"\"b\"\".c\") FROM \"My \"\"schema\"\"\".\"t'a\"\"b.L\\e\"",
        "uno,two");
}

static void types_of_the_source_are_made(void **state)
{
    (void)state;
    for (int i = 0; i < typed.column_count; i++) {
        const char *name = typed.columns[i].name;
        bool as_text = strcmp(name, "moods") == 0 || strcmp(name, "home") == 0;
        assert_int_equal(pgc_sink_postgres.column_format(sink, &typed.columns[i]),
                         as_text ? PGCONVOY_TEXT : PGCONVOY_BINARY);
    }
    ok(pgc_sink_postgres.check_table(sink, &typed, PGCONVOY_IF_EXISTS_ERROR, &err));
    ok(pgc_sink_postgres.prepare_table(sink, &typed, PGCONVOY_IF_EXISTS_ERROR, &err));
    copy_rows(&typed, "SELECT 1, 'it''s ok', '{happy,NULL}', '(\"a, b\",sad)', 12345.67, '[a,b)', '[0:1]={1,2}'",
              PGCONVOY_TEXT);
    ok(finish(&typed));
    assert_asked("SELECT t::text FROM public.typed t",
                 "(1,\"it's ok\",\"{happy,NULL}\",\"(\"\"a, b\"\",sad)\",12345.67,\"[a,b)\",\"[0:1]={1,2}\")");
    assert_asked("SELECT format_type(typbasetype, typtypmod) FROM pg_type WHERE oid = 'public.email'::regtype",
                 "numeric(7,2)");
    assert_asked("SELECT string_agg(enumlabel, ',' ORDER BY enumsortorder) FROM pg_enum", "sad,it's ok,happy");
    /* and what is there already is used */
    reopen_sink();
    sql("DROP TABLE public.typed");
    make_table(&typed);
}

static void an_enum_that_lacks_a_label_is_refused(void **state)
{
    (void)state;
    sql("CREATE SCHEMA \"my types\"; CREATE TYPE \"my types\".\"Mood\" AS ENUM ('sad', 'happy')");
    assert_int_equal(pgc_sink_postgres.check_table(sink, &typed, PGCONVOY_IF_EXISTS_ERROR, &err), -1);
    assert_message("it's ok");
}

static void a_type_of_a_missing_extension_is_refused(void **state)
{
    (void)state;
    static const pgconvoy_type vector = {
        .oid = 90010, .schema = "public", .name = "vector", .extension = "no_such_extension", .typmod = -1};
    static const pgconvoy_column columns[] = {{KEY_COLUMN("id", int4_type, "integer")},
                                              {COLUMN("v", vector, "public.vector(3)")}};
    pgconvoy_table table = users;
    table.columns = columns;
    assert_int_equal(pgc_sink_postgres.check_table(sink, &table, PGCONVOY_IF_EXISTS_ERROR, &err), -1);
    assert_message("no_such_extension");
    assert_true(err.hint[0]);
}

static void a_table_without_columns_has_rows(void **state)
{
    (void)state;
    copy_query(&no_columns, "SELECT FROM generate_series(1, 3)", PGCONVOY_BINARY);
    ok(pgc_sink_postgres.prepare_table(sink, &no_columns, PGCONVOY_IF_EXISTS_ERROR, &err));
    copy_rows(&no_columns, "SELECT FROM generate_series(1, 4)", PGCONVOY_TEXT);
    ok(finish(&no_columns));
    stream_begin();
    ok(write_one(&no_columns, PGCONVOY_INSERT, NULL, 0, ROW(NOTHING)));
    ok(write_one(&no_columns, PGCONVOY_DELETE, ROW(NOTHING), 'O', NULL));
    ok(write_one(&no_columns, PGCONVOY_DELETE, ROW(NOTHING), 'O', NULL));
    ok(commit(10));
    assert_asked("SELECT count(*) FROM public.nothing", "3");
    assert_int_equal(warnings, 1);
    assert_non_null(strstr(last_warning, "public.nothing has no key"));
}

/* A table of 1600 columns: the most that PostgreSQL has. */
static pgconvoy_column wide_columns[1600];
static char wide_names[1600][16];

static void sixteen_hundred_columns_pass(void **state)
{
    (void)state;
    static pgconvoy_value values[1600], olds[1600];
    for (int i = 0; i < 1600; i++) {
        snprintf(wide_names[i], sizeof wide_names[i], "c%d", i);
        wide_columns[i] =
            (pgconvoy_column){.name = wide_names[i], .type = &int4_type, .typmod = -1, .type_sql = "integer"};
        values[i] = (pgconvoy_value){"\0\0\0\7", 4, PGCONVOY_BINARY};
        olds[i] = (pgconvoy_value){"5", 1, PGCONVOY_TEXT};
    }
    pgconvoy_table wide = {.oid = 9,
                           .version = 1,
                           .schema = "public",
                           .name = "wide",
                           .column_count = 1600,
                           .columns = wide_columns,
                           .replica_identity = 'f'};
    make_table(&wide);
    stream_begin();
    ok(write_one(&wide, PGCONVOY_INSERT, NULL, 0, olds));
    ok(write_one(&wide, PGCONVOY_INSERT, NULL, 0, olds));
    ok(write_one(&wide, PGCONVOY_UPDATE, olds, 'O', values));
    ok(commit(10));
    assert_asked("SELECT string_agg(c0 || '/' || c1599, ',' ORDER BY c0) FROM public.wide", "5/5,7/7");
}

/* ---- tables that are there already */

static void a_table_in_the_way_is_named(void **state)
{
    (void)state;
    sql("CREATE TABLE public.users (id int PRIMARY KEY, name text)");
    assert_int_equal(pgc_sink_postgres.check_table(sink, &users, PGCONVOY_IF_EXISTS_ERROR, &err), -1);
    assert_message("public.users");
    assert_non_null(strstr(err.hint, "--if-exists"));
    assert_false(err.retriable);
    sql("DROP TABLE public.users; CREATE VIEW public.users AS SELECT 1 AS id");
    assert_int_equal(pgc_sink_postgres.check_table(sink, &users, PGCONVOY_IF_EXISTS_TRUNCATE, &err), -1);
    assert_message("not a table");
}

static void a_missing_or_narrower_column_is_named(void **state)
{
    (void)state;
    sql("CREATE TABLE public.users (id int PRIMARY KEY)");
    assert_int_equal(pgc_sink_postgres.check_table(sink, &users, PGCONVOY_IF_EXISTS_APPEND, &err), -1);
    assert_message("no column \"name\"");
    sql("ALTER TABLE public.users ADD name int");
    assert_int_equal(pgc_sink_postgres.check_table(sink, &users, PGCONVOY_IF_EXISTS_APPEND, &err), -1);
    assert_message("column \"name\"");
    sql("ALTER TABLE public.users ALTER name TYPE text, ADD more int NOT NULL");
    assert_int_equal(pgc_sink_postgres.check_table(sink, &users, PGCONVOY_IF_EXISTS_APPEND, &err), -1);
    assert_message("column \"more\"");
    sql("ALTER TABLE public.users ALTER more SET DEFAULT 1");
    ok(pgc_sink_postgres.check_table(sink, &users, PGCONVOY_IF_EXISTS_APPEND, &err));
}

static void a_wider_type_of_the_target_is_fed_with_text(void **state)
{
    (void)state;
    sql("CREATE TABLE public.users (id bigint PRIMARY KEY, name varchar(20))");
    assert_int_equal(pgc_sink_postgres.column_format(sink, &user_columns[0]), PGCONVOY_BINARY);
    ok(pgc_sink_postgres.check_table(sink, &users, PGCONVOY_IF_EXISTS_APPEND, &err));
    assert_int_equal(pgc_sink_postgres.column_format(sink, &user_columns[0]), PGCONVOY_TEXT);
    ok(pgc_sink_postgres.prepare_table(sink, &users, PGCONVOY_IF_EXISTS_APPEND, &err));
    copy_rows(&users, "SELECT 1, 'one'", PGCONVOY_TEXT);
    ok(finish(&users));
    stream_begin();
    ok(insert(&users, B("\0\0\0\2"), B("two")));
    ok(update(&users, B("\0\0\0\1"), T("uno")));
    ok(commit(10));
    assert_asked("SELECT string_agg(id || name, ',' ORDER BY id) FROM public.users", "1uno,2two");
}

static void append_keeps_truncate_empties_drop_makes_anew(void **state)
{
    (void)state;
    const char *all = "SELECT string_agg(id::text, ',' ORDER BY id) FROM public.users";
    sql("CREATE TABLE public.users (id int PRIMARY KEY, name text, extra int DEFAULT 5); INSERT INTO public.users "
        "VALUES (100, 'theirs')");
    ok(pgc_sink_postgres.prepare_table(sink, &users, PGCONVOY_IF_EXISTS_APPEND, &err));
    copy_rows(&users, "SELECT 1, 'one'", PGCONVOY_BINARY);
    assert_asked(all, "1,100");
    /* interrupted now: whose rows are whose cannot be told, and none may be lost */
    reopen_sink();
    assert_int_equal(pgc_sink_postgres.prepare_table(sink, &users, PGCONVOY_IF_EXISTS_APPEND, &err), -1);
    assert_message("interrupted");
    assert_asked(all, "1,100");
    ok(pgc_sink_postgres.prepare_table(sink, &users, PGCONVOY_IF_EXISTS_TRUNCATE, &err));
    assert_asked(all, "null");
    copy_rows(&users, "SELECT 2, 'two'", PGCONVOY_BINARY);
    /* interrupted again: all rows are ours */
    ok(pgc_sink_postgres.prepare_table(sink, &users, PGCONVOY_IF_EXISTS_ERROR, &err));
    assert_asked(all, "null");
    ok(pgc_sink_postgres.drop(sink, &err));
    ok(pgc_sink_postgres.prepare_table(sink, &users, PGCONVOY_IF_EXISTS_DROP, &err));
    ok(finish(&users));
    assert_asked("SELECT count(*) FROM pg_attribute WHERE attrelid = 'public.users'::regclass AND attnum > 0 AND NOT "
                 "attisdropped",
                 "2");
}

static void a_table_that_a_foreign_key_points_to_is_emptied(void **state)
{
    (void)state;
    sql("CREATE TABLE public.users (id int PRIMARY KEY, name text); CREATE TABLE public.orders (u int REFERENCES "
        "public.users);"
        "INSERT INTO public.users VALUES (1)");
    ok(pgc_sink_postgres.prepare_table(sink, &users, PGCONVOY_IF_EXISTS_TRUNCATE, &err));
    assert_asked("SELECT count(*) FROM public.users", "0");
}

static void an_interrupted_copy_starts_again_from_nothing(void **state)
{
    (void)state;
    pgconvoy_checkpoint checkpoint;
    ok(pgc_sink_postgres.prepare_table(sink, &users, PGCONVOY_IF_EXISTS_ERROR, &err));
    copy_rows(&users, "SELECT 1, 'one'", PGCONVOY_BINARY);
    reopen_sink();
    ok(pgc_sink_postgres.read_checkpoint(sink, &checkpoint, &err));
    assert_int_equal(checkpoint.table_count, 1);
    assert_int_equal(checkpoint.tables[0].state, PGCONVOY_TABLE_COPYING);
    assert_string_equal(checkpoint.source_id, "7/source");
    ok(pgc_sink_postgres.check_table(sink, &users, PGCONVOY_IF_EXISTS_ERROR, &err));
    copy_query(&users, "SELECT 1, 'uno'", PGCONVOY_BINARY);
    assert_asked("SELECT string_agg(name, ',') FROM public.users", "uno");
    ok(pgc_sink_postgres.read_checkpoint(sink, &checkpoint, &err));
    assert_int_equal(checkpoint.tables[0].state, PGCONVOY_TABLE_CATCHING_UP);
    assert_int_equal(checkpoint.tables[0].copy_lsn, 77);
    /* the source's table has got another column meanwhile */
    pgconvoy_table changed = users;
    changed.columns = typed_columns;
    changed.column_count = 2;
    ok(pgc_sink_postgres.prepare_table(sink, &changed, PGCONVOY_IF_EXISTS_ERROR, &err));
    assert_asked("SELECT count(*) FROM pg_attribute WHERE attrelid = 'public.users'::regclass AND attname = 'mood'",
                 "1");
}

static void a_key_that_is_not_the_primary_key_gets_an_index(void **state)
{
    (void)state;
    static const pgconvoy_column columns[] = {{COLUMN("id", int4_type, "integer"), .not_null = true, .primary_key = 1},
                                              {COLUMN("code", text_type, "text"), .not_null = true, .in_key = true}};
    static const int key[] = {1};
    pgconvoy_table table = users;
    table.columns = columns;
    table.key = key;
    table.replica_identity = 'i';
    const char *indexes =
        "SELECT string_agg(pg_get_indexdef(indexrelid, 1, true), ',' ORDER BY indisprimary) FROM pg_index "
        "WHERE indrelid = 'public.users'::regclass AND indisunique";
    make_table(&table);
    assert_asked(indexes, "code,id");
    ok(pgc_sink_postgres.prepare_table(sink, &table, PGCONVOY_IF_EXISTS_ERROR, &err));
    assert_asked(indexes, "null");
    ok(finish(&table));
    assert_asked(indexes, "code,id");
}

/* ---- the checkpoint */

static void an_aborted_transaction_leaves_nothing(void **state)
{
    (void)state;
    pgconvoy_checkpoint checkpoint;
    make_table(&users);
    stream_begin();
    ok(insert(&users, T("1"), T("one")));
    ok(commit(10));
    stream_begin();
    ok(insert(&users, T("2"), T("two")));
    pgc_sink_postgres.abort(writer);
    /* and the writer can be used again */
    stream_begin();
    ok(insert(&users, T("3"), T("three")));
    ok(commit(30));
    assert_asked("SELECT string_agg(id::text, ',' ORDER BY id) FROM public.users", "1,3");
    ok(pgc_sink_postgres.read_checkpoint(sink, &checkpoint, &err));
    assert_int_equal(checkpoint.lsn, 30);
}

/* What the target is told of each commit, by who writes the position. */
static void only_a_small_transaction_is_made_durable_later(void **state)
{
    (void)state;
    make_table(&users);
    stream_begin();
    ok(pgc_sink_postgres.commit(writer, 5, NULL, 0, &err)); /* the first, which makes the position's row */
    sql("CREATE TABLE public.waits (id serial, lsn pg_lsn, how text);"
        "CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.waits (lsn, how) "
        "VALUES (NEW.lsn, current_setting('synchronous_commit')); RETURN NEW; END $$;"
        "CREATE TRIGGER note BEFORE UPDATE ON pgconvoy.pipeline FOR EACH ROW EXECUTE FUNCTION public.note();"
        "ALTER TABLE pgconvoy.pipeline ENABLE ALWAYS TRIGGER note");
    stream_begin();
    ok(insert(&users, T("1"), T("one")));
    assert_int_equal(pgc_sink_postgres.commit(writer, 10, NULL, 0, &err), 1);
    ok(pgc_sink_postgres.make_durable(writer, &err));
    stream_begin();
    ok(pgc_sink_postgres.commit(writer, 11, NULL, 0, &err)); /* a position alone is sent because it is to be durable */
    stream_begin();
    for (int i = 0; i < 200; i++)
        ok(insert(&users, T("2"), T("many")));
    ok(pgc_sink_postgres.commit(writer, 12, NULL, 0, &err));
    reopen_sink();
    pgconvoy_checkpoint checkpoint;
    ok(pgc_sink_postgres.read_checkpoint(sink, &checkpoint, &err));
    ok(pgc_sink_postgres.open_writer(sink, &writer, &err));
    ok(pgc_sink_postgres.make_durable(writer, &err)); /* what an earlier process may have left */
    assert_asked("SELECT string_agg(lsn || ' ' || how, ', ' ORDER BY id) FROM public.waits",
                 "0/A off, 0/A on, 0/B on, 0/C on, 0/C on");
}

static void a_position_that_another_moved_is_not_moved(void **state)
{
    (void)state;
    make_table(&users);
    stream_begin();
    ok(insert(&users, T("1"), T("one")));
    ok(commit(10));
    sql("UPDATE pgconvoy.pipeline SET lsn = '0/63'");
    stream_begin();
    ok(insert(&users, T("2"), T("two")));
    assert_int_equal(commit(20), -1);
    assert_message("another process");
    assert_true(err.retriable);
    pgc_sink_postgres.abort(writer);
    assert_asked("SELECT count(*) FROM public.users", "1");
    reopen_sink();
    stream_begin();
    ok(commit(120));
}

static void a_stream_can_begin_without_a_copy(void **state)
{
    (void)state;
    sql("CREATE TABLE public.users (id int PRIMARY KEY, name text)");
    pgconvoy_table_status live = {"public", "users", PGCONVOY_TABLE_LIVE, 5};
    pgconvoy_checkpoint checkpoint;
    stream_begin();
    ok(insert(&users, T("1"), T("one")));
    ok(pgc_sink_postgres.commit(writer, 10, &live, 1, &err));
    ok(pgc_sink_postgres.read_checkpoint(sink, &checkpoint, &err));
    assert_int_equal(checkpoint.lsn, 10);
    assert_int_equal(checkpoint.tables[0].state, PGCONVOY_TABLE_LIVE);
}

static void drop_forgets_this_pipeline_only(void **state)
{
    (void)state;
    make_table(&users);
    sql("INSERT INTO pgconvoy.pipeline (name, source_id, lsn) VALUES ('other', 'x', '0/1')");
    ok(pgc_sink_postgres.drop(sink, &err));
    assert_asked("SELECT string_agg(name, ',') FROM pgconvoy.pipeline", "other");
    sql("DELETE FROM pgconvoy.pipeline");
    ok(pgc_sink_postgres.drop(sink, &err));
    assert_asked("SELECT count(*) FROM pg_namespace WHERE nspname = 'pgconvoy'", "0");
    assert_asked("SELECT to_regclass('public.users')", "public.users");
}

/* ---- failures */

static void a_killed_backend_leaves_nothing_half_done(void **state)
{
    (void)state;
    make_table(&users);
    stream_begin();
    ok(insert(&users, T("1"), T("one")));
    ok(commit(10));
    stream_begin();
    int result = 0;
    for (int i = 2; i < 5000 && result == 0; i++) {
        char id[16];
        int length = snprintf(id, sizeof id, "%d", i);
        if (i == 2500)
            sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%writer' AND datname = current_database()");
        result = insert(&users, {.data = id, .length = length}, T("more"));
    }
    if (result == 0)
        result = commit(20);
    assert_int_equal(result, -1);
    assert_true(err.retriable);
    assert_int_equal(err.code == PGCONVOY_ERROR_CONNECTION || err.code == PGCONVOY_ERROR_SINK, 1);
    pgc_sink_postgres.abort(writer);
    assert_int_equal(pgc_sink_postgres.begin(writer, NULL, &err), -1);
    assert_true(err.retriable);
    assert_asked("SELECT count(*) FROM public.users", "1");
    assert_asked("SELECT lsn FROM pgconvoy.pipeline", "0/A");
    reopen_sink();
    stream_begin();
    ok(insert(&users, T("2"), T("two")));
    ok(commit(20));
}

static void a_killed_backend_ends_a_copy(void **state)
{
    (void)state;
    static char lines[1 << 20];
    for (size_t i = 0; i < sizeof lines; i += 4)
        memcpy(lines + i, "\\N\t\n", 4);
    pgconvoy_column columns[] = {{COLUMN("a", text_type, "text")}, {COLUMN("b", text_type, "text")}};
    pgconvoy_table table = {.oid = 8,
                            .version = 1,
                            .schema = "public",
                            .name = "big",
                            .column_count = 2,
                            .columns = columns,
                            .replica_identity = 'f'};
    pgconvoy_rows rows = {.table = &table,
                          .row_count = sizeof lines / 4,
                          .raw = lines,
                          .raw_length = sizeof lines,
                          .raw_format = PGCONVOY_TEXT};
    ok(pgc_sink_postgres.prepare_table(sink, &table, PGCONVOY_IF_EXISTS_ERROR, &err));
    ok(pgc_sink_postgres.open_writer(sink, &writer, &err));
    ok(pgc_sink_postgres.begin(writer, &table, &err));
    int result = 0;
    for (int i = 0; i < 50 && result == 0; i++) {
        if (i == 3)
            sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%writer' AND datname = current_database()");
        result = pgc_sink_postgres.write_rows(writer, &rows, &err);
    }
    if (result == 0)
        result = commit(0);
    assert_int_equal(result, -1);
    assert_true(err.retriable);
    pgc_sink_postgres.abort(writer);
    assert_asked("SELECT count(*) FROM public.big", "0");
}

static void a_bad_row_names_its_table_and_is_final(void **state)
{
    (void)state;
    make_table(&users);
    stream_begin();
    ok(insert(&users, T("1"), T("one")));
    int result = insert(&users, T("not a number"), T("two"));
    for (int i = 0; i < 2000 && result == 0; i++)
        result = insert(&users, T("3"), T("three"));
    assert_int_equal(result == 0 ? commit(10) : result, -1);
    assert_message("an insert into public.users");
    assert_string_equal(err.sqlstate, "22P02");
    assert_false(err.retriable);
    pgc_sink_postgres.abort(writer);
    assert_asked("SELECT count(*) FROM public.users", "0");
    void *copier;
    pgconvoy_rows rows = {
        .table = &users, .row_count = 1, .raw = "x\ty\n", .raw_length = 4, .raw_format = PGCONVOY_TEXT};
    ok(pgc_sink_postgres.open_writer(sink, &copier, &err));
    ok(pgc_sink_postgres.begin(copier, &users, &err));
    result = pgc_sink_postgres.write_rows(copier, &rows, &err);
    assert_int_equal(result == 0 ? pgc_sink_postgres.commit(copier, 0, NULL, 0, &err) : result, -1);
    assert_message("public.users");
    pgc_sink_postgres.abort(copier);
    pgc_sink_postgres.close_writer(copier);
}

static void values_larger_than_every_buffer_do_not_block(void **state)
{
    (void)state;
    size_t size = 20u << 20;
    char *text = malloc(size);
    memset(text, 'x', size);
    make_table(&users);
    stream_begin();
    for (int i = 0; i < 4; i++) {
        char id[2] = {(char)('1' + i), 0};
        ok(insert(&users, {.data = id, .length = 1}, {.data = text, .length = (int32_t)size}));
    }
    ok(commit(10));
    assert_asked("SELECT sum(length(name)) FROM public.users", "83886080");
    free(text);
}

static void a_wrong_target_is_refused(void **state)
{
    (void)state;
    void *other = NULL;
    char id[128], reader[1200];
    pgconvoy_sink_config config = {.target = fixture_target(), .pipeline_name = "p", .source_id = id};
    snprintf(id, sizeof id, "%s",
             ask("SELECT system_identifier || '/' || current_database() FROM pg_control_system()"));
    assert_int_equal(pgc_sink_postgres.open(&config, &other, &err), -1);
    assert_message("the target is the source");
    sql("DROP ROLE IF EXISTS pgconvoy_reader; CREATE ROLE pgconvoy_reader LOGIN PASSWORD 'secret'");
    snprintf(reader, sizeof reader, "%s user=pgconvoy_reader password=secret", fixture_target());
    config.target = reader;
    config.source_id = "7/source";
    assert_int_equal(pgc_sink_postgres.open(&config, &other, &err), -1);
    assert_non_null(strstr(err.hint, "GRANT CREATE ON DATABASE"));
    sql("DROP ROLE pgconvoy_reader");
    config.target = "host=/nonexistent password=secret";
    assert_int_equal(pgc_sink_postgres.open(&config, &other, &err), -1);
    assert_null(strstr(err.message, "secret"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {TEST(looking_creates_nothing),
                                       TEST(rows_arrive_in_either_format),
                                       TEST(names_with_quotes_are_kept),
                                       TEST(types_of_the_source_are_made),
                                       TEST(an_enum_that_lacks_a_label_is_refused),
                                       TEST(a_type_of_a_missing_extension_is_refused),
                                       TEST(a_table_without_columns_has_rows),
                                       TEST(sixteen_hundred_columns_pass),
                                       TEST(a_table_in_the_way_is_named),
                                       TEST(a_missing_or_narrower_column_is_named),
                                       TEST(a_wider_type_of_the_target_is_fed_with_text),
                                       TEST(append_keeps_truncate_empties_drop_makes_anew),
                                       TEST(a_table_that_a_foreign_key_points_to_is_emptied),
                                       TEST(an_interrupted_copy_starts_again_from_nothing),
                                       TEST(a_key_that_is_not_the_primary_key_gets_an_index),
                                       TEST(an_aborted_transaction_leaves_nothing),
                                       TEST(only_a_small_transaction_is_made_durable_later),
                                       TEST(a_position_that_another_moved_is_not_moved),
                                       TEST(a_stream_can_begin_without_a_copy),
                                       TEST(drop_forgets_this_pipeline_only),
                                       TEST(a_killed_backend_leaves_nothing_half_done),
                                       TEST(a_killed_backend_ends_a_copy),
                                       TEST(a_bad_row_names_its_table_and_is_final),
                                       TEST(values_larger_than_every_buffer_do_not_block),
                                       TEST(a_wrong_target_is_refused)};
    if (!fixture_open())
        return getenv("PGCONVOY_TEST_URI") ? 1 : 77;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    fixture_close();
    return failed;
}
