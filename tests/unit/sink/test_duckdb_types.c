/* The type map of the DuckDB sink: each type's extremes there and back, in text and in binary form, and what is refused. */
#include "duckdb_fixture.h"

#include <endian.h>

/* Copies values (one a row) of a column of type, and gives what DuckDB has. */
static const char *through(fixture *f, const char *type, size_t count, const char *const *values)
{
    static int serial;
    char name[32], columns[128], sql[128];
    snprintf(name, sizeof name, "t%d", ++serial);
    snprintf(columns, sizeof columns, "v %s", type);
    pgconvoy_table *t = table_of(f, pgc_arena_strdup(f->arena, name), columns, 'f');
    copy_rows(f, t, count, values);
    snprintf(sql, sizeof sql, "SELECT v FROM public.%s", name);
    return query(f, sql);
}
#define THROUGH(f, type, ...) through(f, type, sizeof(ROW(__VA_ARGS__)) / sizeof(char *), ROW(__VA_ARGS__))

static const char *type_of_last(fixture *f)
{
    return query(f, "SELECT data_type FROM duckdb_columns() WHERE schema_name = 'public' ORDER BY table_oid DESC LIMIT 1");
}

static const char *refused(fixture *f, const char *type, const char *value)
{
    void *writer;
    char columns[128];
    snprintf(columns, sizeof columns, "v %s", type);
    pgconvoy_table *t = table_of(f, "refused", columns, 'f');
    pgconvoy_rows rows = {.table = t, .row_count = 1, .values = values_of(f, 1, ROW(value))};
    ok(f, pgc_sink_duckdb.prepare_table(f->sink, t, PGCONVOY_IF_EXISTS_ERROR, &f->err));
    ok(f, pgc_sink_duckdb.open_writer(f->sink, &writer, &f->err));
    ok(f, pgc_sink_duckdb.begin(writer, t, &f->err));
    assert_int_not_equal(pgc_sink_duckdb.write_rows(writer, &rows, &f->err), 0);
    pgc_sink_duckdb.abort(writer);
    pgc_sink_duckdb.close_writer(writer);
    if (!strstr(f->err.message, "column v of table public.refused"))
        fail_msg("%s", f->err.message);
    return f->err.message;
}

static void numbers_keep_their_extremes(void **state)
{
    fixture *f = *state;
    fixture_open(f, "");
    assert_string_equal(THROUGH(f, "bool", "t", "f", NULL), "true;false;NULL");
    assert_string_equal(THROUGH(f, "int2", "-32768", "32767"), "-32768;32767");
    assert_string_equal(THROUGH(f, "int4", "-2147483648", "2147483647", NULL), "-2147483648;2147483647;NULL");
    assert_string_equal(THROUGH(f, "int8", "-9223372036854775808", "9223372036854775807"), "-9223372036854775808;9223372036854775807");
    assert_string_equal(THROUGH(f, "oid", "0", "4294967295"), "0;4294967295");
    assert_string_equal(THROUGH(f, "xid8", "18446744073709551615"), "18446744073709551615");
    assert_string_equal(THROUGH(f, "float4", "NaN", "-Infinity", "1.5"), "nan;-inf;1.5");
    assert_string_equal(THROUGH(f, "float8", "NaN", "Infinity", "1e300"), "nan;inf;1e+300");
}

static void numerics_are_exact_or_refused(void **state)
{
    fixture *f = *state;
    fixture_open(f, "");
    assert_string_equal(THROUGH(f, "numeric(4,2)", "-99.99", "0.01", NULL), "-99.99;0.01;NULL");
    assert_string_equal(type_of_last(f), "DECIMAL(4,2)");
    assert_string_equal(THROUGH(f, "numeric(9,0)", "999999999"), "999999999");
    assert_string_equal(THROUGH(f, "numeric(18,4)", "-99999999999999.9999"), "-99999999999999.9999");
    assert_string_equal(THROUGH(f, "numeric(38,3)", "99999999999999999999999999999999999.999", "-1"),
                        "99999999999999999999999999999999999.999;-1.000");
    assert_string_equal(THROUGH(f, "numeric(30,0)", "-999999999999999999999999999999", "5"), "-999999999999999999999999999999;5");
    assert_string_equal(type_of_last(f), "HUGEINT");
    assert_string_equal(THROUGH(f, "numeric(5,-2)", "9999900"), "9999900");
    assert_string_equal(type_of_last(f), "DECIMAL(7,0)");
    assert_string_equal(THROUGH(f, "numeric(3,5)", "0.00999"), ".00999");
    assert_string_equal(THROUGH(f, "numeric(50,2)", "123.45"), "123.45");
    assert_string_equal(type_of_last(f), "VARCHAR");
    assert_string_equal(THROUGH(f, "numeric", "NaN", "-Infinity", "1.230", "123456789012345678901234567890123456789012345"),
                        "NaN;-Infinity;1.230;123456789012345678901234567890123456789012345");
    assert_non_null(strstr(refused(f, "numeric(10,2)", "NaN"), "numeric is NaN, which DECIMAL(10,2) cannot hold"));
    assert_non_null(strstr(f->err.hint, "numeric=text"));
    fixture_open(f, "?numeric=text");
    assert_string_equal(THROUGH(f, "numeric(10,2)", "NaN", "1.50"), "NaN;1.50");
    fixture_open(f, "?numeric=double");
    assert_string_equal(THROUGH(f, "numeric", "NaN", "1.25", "-Infinity"), "nan;1.25;-inf");
    fixture_open(f, "?numeric=decimal(20,4)");
    assert_string_equal(THROUGH(f, "numeric", "1.2500"), "1.2500");
    assert_string_equal(type_of_last(f), "DECIMAL(20,4)");
    assert_non_null(strstr(refused(f, "numeric", "1.23456"), "too large or too precise"));
}

static void dates_and_times_keep_their_extremes(void **state)
{
    fixture *f = *state;
    fixture_open(f, "");
    assert_string_equal(THROUGH(f, "date", "4713-01-01 BC", "infinity", "-infinity", "5874897-12-31", "2000-02-29"),
                        "4713-01-01 (BC);infinity;-infinity;5874897-12-31;2000-02-29");
    assert_string_equal(THROUGH(f, "time", "24:00:00", "23:59:59.999999"), "24:00:00;23:59:59.999999");
    assert_string_equal(THROUGH(f, "timetz", "24:00:00+15:59:59", "00:00:00-15:59:59", "12:00:00+05:30"),
                        "24:00:00+15:59:59;00:00:00-15:59:59;12:00:00+05:30");
    assert_string_equal(THROUGH(f, "timestamp", "4713-01-01 00:00:00 BC", "infinity", "-infinity", "294246-12-31 23:59:59.999999",
                                "1999-12-31 23:59:59.5"),
                        "4713-01-01 (BC) 00:00:00;infinity;-infinity;294246-12-31 23:59:59.999999;1999-12-31 23:59:59.5");
    execute(f, "SET TimeZone = 'UTC'");
    assert_string_equal(THROUGH(f, "timestamptz", "2024-01-01 12:00:00+00", "infinity"), "2024-01-01 12:00:00+00;infinity");
    assert_non_null(strstr(refused(f, "timestamp", "294276-12-31 00:00:00"), "after 294247-01-10"));
    assert_string_equal(THROUGH(f, "interval", "1 year 2 mons -3 days 04:05:06.789", "-178000000 years", NULL),
                        "1 year 2 months -3 days 04:05:06.789;-178000000 years;NULL");
}

static void strings_and_bytes_are_kept_whole(void **state)
{
    fixture *f = *state;
    fixture_open(f, "");
    assert_string_equal(THROUGH(f, "text", "", "twelve chars", "thirteen char", "täxt ☃ 😀", NULL),
                        ";twelve chars;thirteen char;täxt ☃ 😀;NULL");
    assert_string_equal(THROUGH(f, "bytea", "\\x", "\\x00ff5c6162", "\\x000102030405060708090a0b0c0d0e0f"),
                        ";\\x00\\xFF\\x5Cab;\\x00\\x01\\x02\\x03\\x04\\x05\\x06\\x07\\x08\\x09\\x0A\\x0B\\x0C\\x0D\\x0E\\x0F");
    assert_string_equal(THROUGH(f, "uuid", "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff",
                                "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
                        "00000000-0000-0000-0000-000000000000;ffffffff-ffff-ffff-ffff-ffffffffffff;"
                        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11");
    assert_string_equal(THROUGH(f, "jsonb", "{\"a\": [1, null]}", "null"), "{\"a\": [1, null]};null");
    assert_string_equal(type_of_last(f), "JSON");
    assert_string_equal(THROUGH(f, "bit(3)", "101", "000"), "101;000");
    assert_string_equal(THROUGH(f, "bit(16)", "1000000000000001"), "1000000000000001");
    assert_string_equal(THROUGH(f, "varbit", "", "1"), ";1");
    assert_string_equal(THROUGH(f, "inet", "192.168.0.1/24"), "192.168.0.1/24");
    assert_non_null(strstr(refused(f, "text", "caf\xe9"), "not valid UTF-8"));
}

static void arrays_are_lists_unless_lists_cannot_hold_them(void **state)
{
    fixture *f = *state;
    fixture_open(f, "");
    assert_string_equal(THROUGH(f, "_int4", "{1,NULL,3}", "{}", NULL, "{4}"), "[1, NULL, 3];[];NULL;[4]");
    assert_string_equal(THROUGH(f, "_text", "{a,\"b,c\",\"NULL\",NULL,\"\"}"), "[a, 'b,c', 'NULL', NULL, '']");
    assert_string_equal(THROUGH(f, "_numeric(6,2)", "{1.50,-2}"), "[1.50, -2.00]");
    assert_non_null(strstr(refused(f, "_int4", "{{1,2},{3,4}}"), "2 dimensions"));
    assert_non_null(strstr(f->err.hint, "arrays=text"));
    fixture_open(f, "?arrays=text");
    assert_string_equal(THROUGH(f, "_int4", "{{1,2},{3,4}}", "[5:6]={7,8}"), "{{1,2},{3,4}};[5:6]={7,8}");
    fixture_open(f, "");
    assert_non_null(strstr(refused(f, "_int4", "[5:6]={7,8}"), "counts from 5"));
    assert_string_equal(THROUGH(f, "vector(3)", "[1,2,3.5]", NULL, "[0,0,0]"), "[1.0, 2.0, 3.5];NULL;[0.0, 0.0, 0.0]");
    assert_string_equal(type_of_last(f), "FLOAT[3]");
    assert_string_equal(THROUGH(f, "vector", "[1]", NULL, "[2,3]"), "[1.0];NULL;[2.0, 3.0]");
}

/* ---- types of the user's own */

static pgconvoy_table *one_column(fixture *f, const char *name, const pgconvoy_type *type)
{
    pgconvoy_table *t = table_of(f, name, "id int4 key; v text", 'd');
    pgconvoy_column *columns = pgc_arena_alloc(f->arena, 2 * sizeof *columns);
    memcpy(columns, t->columns, 2 * sizeof *columns);
    columns[1].type = type;
    columns[1].type_sql = type->name;
    t->columns = columns;
    return t;
}

static pgconvoy_type *enum_of(fixture *f, int count, const char *const *labels)
{
    pgconvoy_type *type = pgc_arena_zalloc(f->arena, sizeof *type);
    *type = (pgconvoy_type){.oid = 30000, .kind = PGCONVOY_TYPE_ENUM, .schema = "public", .name = "mood", .typmod = -1,
                            .delimiter = ',', .label_count = count, .labels = labels};
    return type;
}

static void an_enum_keeps_its_labels_and_gets_new_ones(void **state)
{
    static const char *const labels[] = {"sad", "it's ok", "", "happy"};
    fixture *f = *state;
    fixture_open(f, "");
    pgconvoy_table *t = one_column(f, "e", enum_of(f, 3, labels));
    copy_rows(f, t, 3, ROW("1", "it's ok", "2", "", "3", NULL));
    assert_string_equal(query(f, "SELECT v FROM public.e ORDER BY id"), "it's ok;;NULL");
    begin_stream(f);
    insert(f, t, "4", "happy");
    assert_error(f, pgc_sink_duckdb.commit(f->writer, 9, NULL, 0, &f->err), "has no label \"happy\"");
    assert_true(f->err.retriable); /* the next attempt knows the label */
    pgc_sink_duckdb.abort(f->writer);
    fixture_open(f, "");
    t = one_column(f, "e", enum_of(f, 4, labels));
    begin_stream(f);
    insert(f, t, "4", "happy");
    commit_stream(f, 9);
    assert_string_equal(query(f, "SELECT v FROM public.e ORDER BY id"), "it's ok;;NULL;happy");
    assert_string_equal(query(f, "SELECT enum_range(NULL::ENUM('sad','it''s ok','','happy'))"), "[sad, 'it\\'s ok', '', happy]");
}

static void a_composite_is_a_struct_with_what_is_in_it(void **state)
{
    fixture *f = *state;
    fixture_open(f, "");
    pgconvoy_column *fields = pgc_arena_zalloc(f->arena, 2 * sizeof *fields);
    fields[0] = (pgconvoy_column){.name = "X y", .type = type_named(f, "int4"), .typmod = -1, .type_sql = "int4"};
    fields[1] = (pgconvoy_column){.name = "tags", .type = type_named(f, "_text"), .typmod = -1, .type_sql = "text[]"};
    pgconvoy_type *type = pgc_arena_zalloc(f->arena, sizeof *type);
    *type = (pgconvoy_type){.oid = 30001, .kind = PGCONVOY_TYPE_COMPOSITE, .schema = "public", .name = "pair", .typmod = -1,
                            .delimiter = ',', .field_count = 2, .fields = fields};
    pgconvoy_type *array = pgc_arena_zalloc(f->arena, sizeof *array);
    *array = (pgconvoy_type){.oid = 30002, .kind = PGCONVOY_TYPE_ARRAY, .schema = "public", .name = "_pair", .typmod = -1,
                             .delimiter = ',', .element = type};
    pgconvoy_table *t = one_column(f, "s", type), *a = one_column(f, "a", array);
    copy_rows(f, t, 3, ROW("1", "(5,\"{a,b}\")", "2", "(,)", "3", NULL));
    assert_string_equal(query(f, "SELECT v FROM public.s ORDER BY id"), "{'X y': 5, 'tags': [a, b]};{'X y': NULL, 'tags': NULL};NULL");
    copy_rows(f, a, 2, ROW("1", "{\"(5,\\\"{a,b}\\\")\",NULL}", "2", "{}"));
    assert_string_equal(query(f, "SELECT v FROM public.a ORDER BY id"), "[{'X y': 5, 'tags': [a, b]}, NULL];[]");
    begin_stream(f);
    update(f, t, "1", "(6,{})");
    update(f, a, "1", "{\"(7,{z})\"}");
    insert(f, a, "3", NULL);
    commit_stream(f, 5);
    begin_stream(f);
    update(f, a, "2", "{\"(8,)\"}");
    commit_stream(f, 6);
    assert_string_equal(query(f, "SELECT v FROM public.s WHERE id = 1"), "{'X y': 6, 'tags': []}");
    assert_string_equal(query(f, "SELECT v FROM public.a ORDER BY id"), "[{'X y': 7, 'tags': [z]}];[{'X y': 8, 'tags': NULL}];NULL");
}

/* ---- binary forms, as COPY sends them */

static pgconvoy_value bytes(fixture *f, const void *data, int32_t length)
{
    return (pgconvoy_value){.data = pgc_arena_bytes(f->arena, data, (size_t)length), .length = length, .format = PGCONVOY_BINARY};
}

static void binary_values_read_the_same_as_text(void **state)
{
    fixture *f = *state;
    enum { COLUMNS = 10, COUNT = 3000 }; /* more than one vector */
    fixture_open(f, "");
    pgconvoy_table *t = table_of(f, "b", "id int4 key; a int2; b int8; c float8; d bool; e text; g timestamp; h date; i uuid; j bytea", 'd');
    pgconvoy_value *values = pgc_arena_zalloc(f->arena, COUNT * COLUMNS * sizeof *values);
    for (int32_t n = 0; n < COUNT; n++) {
        pgconvoy_value *row = &values[n * COLUMNS];
        uint32_t id = htobe32((uint32_t)n), day = htobe32((uint32_t)n);
        uint16_t small = htobe16((uint16_t)-n);
        uint64_t big = htobe64((uint64_t)n << 40), time = htobe64((uint64_t)n * 1000000);
        double half = n + 0.5;
        uint64_t bits;
        uint8_t yes = n % 2, uuid[16] = {0};
        char text[64];
        memcpy(&bits, &half, 8);
        bits = htobe64(bits);
        uuid[15] = (uint8_t)n;
        row[0] = bytes(f, &id, 4);
        row[1] = bytes(f, &small, 2);
        row[2] = bytes(f, &big, 8);
        row[3] = bytes(f, &bits, 8);
        row[4] = bytes(f, &yes, 1);
        row[5] = bytes(f, text, snprintf(text, sizeof text, "row %d%s", n, n % 2 ? " with a longer text" : ""));
        row[6] = bytes(f, &time, 8);
        row[7] = bytes(f, &day, 4);
        row[8] = bytes(f, uuid, 16);
        row[9] = n % 3 ? bytes(f, "\0\1", 2) : (pgconvoy_value){.length = PGCONVOY_NULL};
    }
    void *writer;
    pgconvoy_rows rows = {.table = t, .row_count = COUNT, .values = values};
    ok(f, pgc_sink_duckdb.prepare_table(f->sink, t, PGCONVOY_IF_EXISTS_ERROR, &f->err));
    ok(f, pgc_sink_duckdb.open_writer(f->sink, &writer, &f->err));
    ok(f, pgc_sink_duckdb.begin(writer, t, &f->err));
    ok(f, pgc_sink_duckdb.write_rows(writer, &rows, &f->err));
    ok(f, pgc_sink_duckdb.commit(writer, 0, NULL, 0, &f->err));
    pgc_sink_duckdb.close_writer(writer);
    pgconvoy_table_status status = {.schema = t->schema, .name = t->name, .state = PGCONVOY_TABLE_CATCHING_UP, .copy_lsn = 100};
    ok(f, pgc_sink_duckdb.finish_table(f->sink, t, &status, &f->err));
    assert_string_equal(query(f, "FROM public.b WHERE id IN (0, 2999) ORDER BY id"),
                        "0|0|0|0.5|false|row 0|2000-01-01 00:00:00|2000-01-01|00000000-0000-0000-0000-000000000000|NULL;"
                        "2999|-2999|3297435371700224|2999.5|true|row 2999 with a longer text|2000-01-01 00:49:59|2008-03-18|"
                        "00000000-0000-0000-0000-0000000000b7|\\x00\\x01");
    assert_string_equal(query(f, "SELECT count(*), count(DISTINCT e), sum(b // (1::BIGINT << 40)), count(j) FROM public.b"),
                        "3000|3000|4498500|2000");
}

static void formats_are_asked_for_as_they_are_read_best(void **state)
{
    fixture *f = *state;
    fixture_open(f, "");
    const char *const binary[] = {"int4", "int8", "text", "timestamptz", "numeric(10,2)", "uuid", "bytea", "_int4", "jsonb"};
    for (size_t i = 0; i < sizeof binary / sizeof *binary; i++) {
        char columns[64];
        snprintf(columns, sizeof columns, "v %s", binary[i]);
        assert_int_equal(pgc_sink_duckdb.column_format(f->sink, table_of(f, "x", columns, 'd')->columns), PGCONVOY_BINARY);
    }
    assert_int_equal(pgc_sink_duckdb.column_format(f->sink, table_of(f, "x", "v numeric", 'd')->columns), PGCONVOY_TEXT);
    assert_int_equal(pgc_sink_duckdb.column_format(f->sink, table_of(f, "x", "v inet", 'd')->columns), PGCONVOY_TEXT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(numbers_keep_their_extremes),
        TEST(numerics_are_exact_or_refused),
        TEST(dates_and_times_keep_their_extremes),
        TEST(strings_and_bytes_are_kept_whole),
        TEST(arrays_are_lists_unless_lists_cannot_hold_them),
        TEST(an_enum_keeps_its_labels_and_gets_new_ones),
        TEST(a_composite_is_a_struct_with_what_is_in_it),
        TEST(binary_values_read_the_same_as_text),
        TEST(formats_are_asked_for_as_they_are_read_best),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
