/*
 * The source against a real server, named by PGCONVOY_TEST_URI: a superuser's connection to a database that the test
 * may fill, of a server with wal_level = logical. Skipped without it.
 */
#include "source/source.h"
#include "base/clock.h"
#include "postgres/connection.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define OPS (&pgc_source_postgres)
#define NAME "source_test"

typedef struct fixture {
    const char *uri;
    PGconn *conn;
    int version;
    pgconvoy_log log;
    pgc_source_config config;
    void *source;
    const pgconvoy_table *const *tables;
    size_t table_count;
    pgconvoy_error err;
} fixture;

static void ignore_line(void *arg, pgconvoy_log_level level, const char *line)
{
    (void)arg, (void)level, (void)line;
}

#define OK(f, call)                                                                                                    \
    do {                                                                                                               \
        if ((call) != 0)                                                                                               \
            fail_msg("%s: %s (%s)", #call, (f)->err.message, (f)->err.hint);                                           \
    } while (0)

static void sql(fixture *f, const char *text)
{
    OK(f, pgc_execute(f->conn, text, &f->err));
}

static int64_t number(fixture *f, const char *text)
{
    PGresult *result = pgc_query(f->conn, text, &f->err);
    if (!result)
        fail_msg("%s", f->err.message);
    int64_t value = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    return value;
}

static int drop_all(fixture *f)
{
    OPS->close(f->source);
    f->source = OPS->open(&f->config, &f->err);
    if (!f->source)
        fail_msg("%s", f->err.message);
    OK(f, OPS->drop(f->source, &f->err));
    OPS->close(f->source);
    f->source = NULL;
    return 0;
}

static int set_up(void **state)
{
    const char *uri = getenv("PGCONVOY_TEST_URI");
    static const char *const schema[] = {"pgc_source_test", NULL};
    fixture *f = calloc(1, sizeof *f);
    f->uri = uri;
    f->log.write = ignore_line;
    f->config = (pgc_source_config){.uri = uri,
                                    .pipeline_name = NAME,
                                    .include_schemas = schema,
                                    .streaming = true,
                                    .jobs = 1,
                                    .memory_bytes = 64 << 20,
                                    .state_dir = "/tmp/pgconvoy-source-test",
                                    .log = &f->log};
    *state = f;
    f->conn = pgc_connect(uri, PGC_CONNECTION_SQL, "pgconvoy test", &f->err);
    if (!f->conn)
        fail_msg("%s", f->err.message);
    f->version = PQserverVersion(f->conn);
    drop_all(f);
    sql(f, "SET client_min_messages = warning; DROP SCHEMA IF EXISTS pgc_source_test CASCADE; CREATE SCHEMA "
           "pgc_source_test; "
           "SET search_path = pgc_source_test, public");
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    drop_all(f);
    sql(f, "DROP SCHEMA pgc_source_test CASCADE");
    PQfinish(f->conn);
    free(f);
    return 0;
}

static void open_source(fixture *f)
{
    f->source = OPS->open(&f->config, &f->err);
    if (!f->source)
        fail_msg("%s", f->err.message);
    OK(f, OPS->load_tables(f->source, &f->tables, &f->table_count, &f->err));
}

/* Values have no NUL behind them. */
static int64_t text_number(const pgconvoy_value *value)
{
    char text[32];
    snprintf(text, sizeof text, "%.*s", (int)value->length, value->data);
    return strtoll(text, NULL, 10);
}

/* Sums up what a copy of one table gives: rows, and the sum of its first column, in text. */
static void copy(fixture *f, const pgconvoy_table *table, const pgconvoy_format *formats, int64_t target, int64_t *rows,
                 int64_t *sum)
{
    void *reader;
    pgc_range *ranges;
    size_t count;
    pgconvoy_rows got;
    int rc = 0;
    *rows = *sum = 0;
    OK(f, OPS->open_reader(f->source, &reader, &f->err));
    OK(f, OPS->split(f->source, table, target, &ranges, &count, &f->err));
    for (size_t i = 0; i < count; i++) {
        OK(f, OPS->reader_begin(reader, &ranges[i], formats, false, &f->err));
        while ((rc = OPS->reader_next(reader, &got, &f->err)) == 1) {
            for (size_t r = 0; r < got.row_count && table->column_count; r++)
                *sum += text_number(&got.values[r * (size_t)table->column_count]);
            *rows += (int64_t)got.row_count;
        }
        OK(f, rc);
    }
    free(ranges);
    OPS->close_reader(reader);
}

/* Streams until a position marked now is reached and gives each change to see. */
static void stream(fixture *f, pgconvoy_lsn from, void (*see)(void *arg, const pgconvoy_change *change), void *arg)
{
    pgconvoy_lsn mark = 0, position = 0;
    int64_t deadline = pgc_clock_monotonic_us() + 30000000;
    OK(f, OPS->stream_begin(f->source, from, &(pgc_stream_wishes){0}, &f->err));
    OK(f, OPS->mark_position(f->source, &mark, &f->err));
    while (position < mark) {
        pgc_change_batch *batch;
        int rc = OPS->stream_next(f->source, 100, &batch, &f->err);
        if (rc < 0)
            fail_msg("%s", f->err.message);
        if (pgc_clock_monotonic_us() > deadline)
            fail_msg("the marked position was not reached in 30 seconds");
        if (rc == 0)
            continue;
        for (size_t i = 0; i < batch->changes.count; i++)
            see(arg, &batch->changes.items[i]);
        if (batch->at_boundary) {
            position = batch->position;
            OPS->stream_confirm(f->source, position);
        }
        pgc_change_batch_free(batch);
    }
    OPS->stream_end(f->source);
}

static void ranges_and_partitions_give_every_row_once(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE big (id bigint PRIMARY KEY, t text, g int GENERATED ALWAYS AS (1) STORED); "
           "INSERT INTO big SELECT k, repeat('x', 100) FROM generate_series(1, 20000) k; "
           "CREATE TABLE log (id int, at date) PARTITION BY RANGE (at); "
           "CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM ('2020-01-01') TO ('2021-01-01'); "
           "CREATE TABLE log_2 (at date, id int); ALTER TABLE log ATTACH PARTITION log_2 FOR VALUES FROM "
           "('2021-01-01') TO ('2022-01-01'); "
           "INSERT INTO log SELECT k, date '2020-01-01' + k FROM generate_series(0, 700) k");
    f->config.streaming = false;
    open_source(f);
    pgconvoy_lsn lsn;
    int64_t rows, sum;
    OK(f, OPS->begin_snapshot(f->source, false, &lsn, &f->err));
    assert_int_equal(f->table_count, f->version >= 130000 ? 2 : 3);
    assert_int_equal(f->tables[0]->column_count, 2);
    copy(f, f->tables[0], NULL, 100000, &rows, &sum);
    assert_int_equal(rows, 20000);
    assert_int_equal(sum, 20000LL * 20001 / 2);
    if (f->version >= 130000) {
        copy(f, f->tables[1], NULL, 8192, &rows, &sum);
        assert_int_equal(rows, 701);
        assert_int_equal(sum, 700LL * 701 / 2);
    }
    OPS->end_snapshot(f->source);
}

static void text_inside_of_a_binary_copy_is_the_output_functions(void **state)
{
    fixture *f = *state;
    static const char *const expected[] = {"t", "ab   ", "10.0.0.1", "(,)", NULL, "1.5", "=r/postgres"};
    sql(f, "CREATE TYPE pair AS (a int, b int); CREATE DOMAIN yes AS bool; "
           "CREATE TABLE kinds (id int PRIMARY KEY, b yes, c char(5), i inet, p pair, n int, d numeric, acl aclitem); "
           "INSERT INTO kinds VALUES (1, true, 'ab', '10.0.0.1', ROW(NULL, NULL), NULL, 1.5, '=r/postgres')");
    f->config.streaming = false;
    open_source(f);
    pgconvoy_lsn lsn;
    void *reader;
    pgc_range *ranges;
    size_t count;
    pgconvoy_rows rows;
    /* the last is asked for in binary, and has no binary form before 16 */
    const pgconvoy_format formats[8] = {
        [0] = PGCONVOY_BINARY, [7] = f->version < 160000 ? PGCONVOY_BINARY : PGCONVOY_TEXT};
    OK(f, OPS->begin_snapshot(f->source, false, &lsn, &f->err));
    OK(f, OPS->open_reader(f->source, &reader, &f->err));
    OK(f, OPS->split(f->source, f->tables[0], 0, &ranges, &count, &f->err));
    OK(f, OPS->reader_begin(reader, ranges, formats, false, &f->err));
    assert_int_equal(OPS->reader_next(reader, &rows, &f->err), 1);
    assert_int_equal(rows.row_count, 1);
    assert_null(rows.raw);
    assert_int_equal(rows.values[0].format, PGCONVOY_BINARY);
    assert_int_equal(rows.values[0].length, 4);
    for (int i = 0; i < 7; i++) {
        const pgconvoy_value *value = &rows.values[i + 1];
        assert_int_equal(value->length, expected[i] ? (int)strlen(expected[i]) : PGCONVOY_NULL);
        if (expected[i]) {
            assert_int_equal(value->format, PGCONVOY_TEXT);
            assert_memory_equal(value->data, expected[i], strlen(expected[i]));
        }
    }
    free(ranges);
    OPS->close_reader(reader);
}

static void a_row_without_columns_is_still_a_row(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE nothing (); INSERT INTO nothing DEFAULT VALUES; INSERT INTO nothing DEFAULT VALUES");
    f->config.streaming = false;
    open_source(f);
    pgconvoy_lsn lsn;
    int64_t rows, sum;
    OK(f, OPS->begin_snapshot(f->source, false, &lsn, &f->err));
    copy(f, f->tables[0], NULL, 0, &rows, &sum);
    assert_int_equal(rows, 2);
}

static void add_up(void *arg, const pgconvoy_change *change)
{
    int64_t *sum = arg;
    if (change->operation == PGCONVOY_INSERT)
        *sum += text_number(&change->new_[0]);
}

static void snapshot_and_stream_meet_without_gap_or_duplicate(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 100)");
    open_source(f);
    pgc_position_status status;
    OK(f, OPS->position_status(f->source, &status, &f->err));
    assert_false(status.exists);
    pgconvoy_lsn lsn, again;
    OK(f, OPS->create_position(f->source, &lsn, &f->err));
    OK(f, OPS->begin_snapshot(f->source, false, &again, &f->err));
    assert_true(lsn == again);
    sql(f, "INSERT INTO t SELECT generate_series(101, 200)");
    int64_t rows, copied, streamed = 0;
    copy(f, f->tables[0], NULL, 0, &rows, &copied);
    OPS->end_snapshot(f->source);
    assert_int_equal(rows, 100);
    sql(f, "INSERT INTO t SELECT generate_series(201, 300)");
    stream(f, lsn, add_up, &streamed);
    assert_int_equal(copied + streamed, 300LL * 301 / 2);
    /* what was confirmed does not come again, also from the slot's own position */
    streamed = 0;
    sql(f, "INSERT INTO t VALUES (1000)");
    stream(f, 0, add_up, &streamed);
    assert_int_equal(streamed, 1000);
    OK(f, OPS->position_status(f->source, &status, &f->err));
    assert_true(status.exists && status.usable && status.confirmed_lsn > lsn);
}

/* The server need not ask then before the next transaction. */
static void what_was_received_is_told_before_it_is_durable(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t (id int PRIMARY KEY)");
    open_source(f);
    pgconvoy_lsn lsn, position = 0;
    OK(f, OPS->create_position(f->source, &lsn, &f->err));
    OPS->end_snapshot(f->source);
    OK(f, OPS->stream_begin(f->source, lsn, &(pgc_stream_wishes){0}, &f->err));
    sql(f, "INSERT INTO t VALUES (1)");
    char question[200], text[PGCONVOY_LSN_TEXT_SIZE];
    bool told = false;
    int64_t deadline = pgc_clock_monotonic_us() + 5000000; /* with nothing new the server hears of us every 10 seconds */
    while (!told && pgc_clock_monotonic_us() < deadline) {
        pgc_change_batch *batch;
        int rc = OPS->stream_next(f->source, 100, &batch, &f->err);
        if (rc < 0)
            fail_msg("%s", f->err.message);
        if (rc == 1 && batch->changes.count > 0)
            position = batch->position;
        if (rc == 1)
            pgc_change_batch_free(batch);
        snprintf(question, sizeof question, "SELECT count(*) FROM pg_stat_replication WHERE write_lsn >= '%s' AND flush_lsn < write_lsn",
                 pgconvoy_lsn_to_text(position, text));
        told = position && number(f, question) == 1;
    }
    assert_true(told);
    OPS->stream_end(f->source);
}

static void a_second_snapshot_is_a_later_one(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    open_source(f);
    pgconvoy_lsn first, second;
    int64_t rows, sum;
    OK(f, OPS->create_position(f->source, &first, &f->err));
    OPS->end_snapshot(f->source);
    sql(f, "INSERT INTO t VALUES (2)");
    OK(f, OPS->begin_snapshot(f->source, false, &second, &f->err));
    assert_true(second > first);
    copy(f, f->tables[0], NULL, 0, &rows, &sum);
    assert_int_equal(sum, 3);
    OPS->end_snapshot(f->source);
    /* the stream knows what is in that copy */
    sql(f, "INSERT INTO t VALUES (4)");
    int64_t streamed = 0;
    OPS->stream_set_copy_lsn(f->source, f->tables[0], second);
    stream(f, first, add_up, &streamed);
    assert_int_equal(streamed, 4);
}

typedef struct seen {
    int schema, unchanged, columns;
    uint32_t version;
} seen;

static void look(void *arg, const pgconvoy_change *change)
{
    seen *s = arg;
    if (change->operation == PGCONVOY_SCHEMA) {
        s->schema++;
        s->version = change->table->version;
        s->columns = change->table->column_count;
    }
    for (int i = 0; change->new_ && i < change->table->column_count; i++)
        s->unchanged += change->new_[i].length == PGCONVOY_UNCHANGED;
}

static void an_altered_table_comes_as_a_new_version_before_its_rows(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t (id int PRIMARY KEY, v text); ALTER TABLE t ALTER v SET STORAGE EXTERNAL; "
           "INSERT INTO t VALUES (1, repeat('x', 10000))");
    open_source(f);
    pgconvoy_lsn lsn;
    OK(f, OPS->create_position(f->source, &lsn, &f->err));
    OPS->end_snapshot(f->source);
    sql(f, "CREATE TYPE mood AS ENUM ('a', 'b'); ALTER TABLE t ADD COLUMN m mood; UPDATE t SET m = 'b'");
    seen s = {0};
    stream(f, lsn, look, &s);
    assert_int_equal(s.schema, 1);
    assert_int_equal(s.version, 2);
    assert_int_equal(s.columns, 3);
    assert_int_equal(s.unchanged, 1);
}

static void a_table_rewritten_after_the_snapshot_is_not_read_as_empty(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    open_source(f);
    pgconvoy_lsn lsn;
    void *reader;
    pgc_range *ranges;
    size_t count;
    OK(f, OPS->create_position(f->source, &lsn, &f->err));
    OK(f, OPS->begin_snapshot(f->source, false, &lsn, &f->err));
    sql(f, "ALTER TABLE t ALTER id TYPE bigint");
    OK(f, OPS->open_reader(f->source, &reader, &f->err));
    OK(f, OPS->split(f->source, f->tables[0], 0, &ranges, &count, &f->err));
    assert_int_equal(OPS->reader_begin(reader, ranges, NULL, false, &f->err), -1);
    assert_true(f->err.retriable);
    assert_non_null(strstr(f->err.message, "rewritten"));
    free(ranges);
    OPS->close_reader(reader);
}

static void refused(fixture *f, const char *word)
{
    f->source = OPS->open(&f->config, &f->err);
    assert_non_null(f->source);
    assert_int_equal(OPS->load_tables(f->source, &f->tables, &f->table_count, &f->err), -1);
    if (!strstr(f->err.message, word))
        fail_msg("\"%s\" is not in: %s", word, f->err.message);
    assert_true(f->err.hint[0]);
    assert_int_equal(number(f, "SELECT (SELECT count(*) FROM pg_publication WHERE pubname = 'pgconvoy_" NAME "') + "
                               "(SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'pgconvoy_" NAME "')"),
                     0);
    OPS->close(f->source);
    f->source = NULL;
}

static void what_cannot_be_moved_is_refused_by_name_and_nothing_is_made(void **state)
{
    fixture *f = *state;
    static const char *const none[] = {"pgc_source_test.nosuch", NULL};
    sql(f, "CREATE TABLE changed (a int); INSERT INTO changed VALUES (1); UPDATE changed SET a = 2");
    /* statistics arrive when the session is idle for a moment, or goes */
    PQreset(f->conn);
    for (int i = 0;
         i < 100 &&
         number(f, "SELECT n_tup_upd FROM pg_stat_all_tables WHERE relid = 'pgc_source_test.changed'::regclass") == 0;
         i++)
        pgc_clock_sleep_ms(50);
    refused(f, "pgc_source_test.changed");
    f->config.include_tables = none;
    refused(f, "pgc_source_test.nosuch");
}

static void drop_leaves_a_publication_that_is_not_ours(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t (id int PRIMARY KEY, a int, b int); INSERT INTO t VALUES (1, 2, 3), (2, 20, 30); "
           "DROP PUBLICATION IF EXISTS pgc_source_test_pub");
    sql(f, f->version >= 150000 ? "CREATE PUBLICATION pgc_source_test_pub FOR TABLE t (id, b) WHERE (id > 1)"
                                : "CREATE PUBLICATION pgc_source_test_pub FOR TABLE t");
    f->config.publication = "pgc_source_test_pub";
    f->config.include_schemas = NULL;
    open_source(f);
    assert_int_equal(f->table_count, 1);
    pgconvoy_lsn lsn;
    int64_t rows, sum;
    OK(f, OPS->create_position(f->source, &lsn, &f->err));
    OK(f, OPS->begin_snapshot(f->source, false, &lsn, &f->err));
    copy(f, f->tables[0], NULL, 0, &rows, &sum);
    if (f->version >= 150000) {
        assert_int_equal(f->tables[0]->column_count, 2);
        assert_string_equal(f->tables[0]->columns[1].name, "b");
        assert_int_equal(rows, 1);
        assert_int_equal(sum, 2);
    }
    OPS->end_snapshot(f->source);
    OK(f, OPS->drop(f->source, &f->err));
    assert_int_equal(number(f, "SELECT count(*) FROM pg_publication WHERE pubname = 'pgc_source_test_pub'"), 1);
    assert_int_equal(number(f, "SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'pgconvoy_" NAME "'"), 0);
    sql(f, "DROP PUBLICATION pgc_source_test_pub");
}

static void a_slot_that_is_gone_is_named(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t (id int PRIMARY KEY)");
    open_source(f);
    pgconvoy_lsn lsn;
    OK(f, OPS->create_position(f->source, &lsn, &f->err));
    OPS->end_snapshot(f->source);
    sql(f, "SELECT pg_drop_replication_slot('pgconvoy_" NAME "')");
    assert_int_equal(OPS->stream_begin(f->source, lsn, &(pgc_stream_wishes){0}, &f->err), -1);
    assert_int_equal(f->err.code, PGCONVOY_ERROR_STATE);
    assert_false(f->err.retriable);
    assert_non_null(strstr(f->err.message, "pgconvoy_" NAME));
}

int main(void)
{
    if (!getenv("PGCONVOY_TEST_URI")) {
        fprintf(stderr, "skipped: PGCONVOY_TEST_URI names no server to test against\n");
        return 77; /* what meson takes for skipped */
    }
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(ranges_and_partitions_give_every_row_once),
        TEST(text_inside_of_a_binary_copy_is_the_output_functions),
        TEST(a_row_without_columns_is_still_a_row),
        TEST(snapshot_and_stream_meet_without_gap_or_duplicate),
        TEST(what_was_received_is_told_before_it_is_durable),
        TEST(a_second_snapshot_is_a_later_one),
        TEST(an_altered_table_comes_as_a_new_version_before_its_rows),
        TEST(a_table_rewritten_after_the_snapshot_is_not_read_as_empty),
        TEST(what_cannot_be_moved_is_refused_by_name_and_nothing_is_made),
        TEST(drop_leaves_a_publication_that_is_not_ours),
        TEST(a_slot_that_is_gone_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
