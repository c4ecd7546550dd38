/*
 * Values against a real server: for every expression the server's binary form must become its text form, byte for byte,
 * and the readers must agree on both. PGCONVOY_TEST_URI says which server; without it the tests are skipped. All is
 * done in a transaction that is rolled back.
 *
 * With PGCONVOY_TEST_RECORD=FILE the values of built-in types are written there as lines of type OID, hexadecimal
 * binary form and text: this is how values.tsv, which test_value.c reads, was made.
 */
#include "value_agree.h"
#include "value_catalog.h"
#include "value_expressions.h"

#include "postgres/copy_format.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const setup_sql[] = {
    "begin",
    "set local datestyle = 'ISO'",
    "set local timezone = 'UTC'",
    "set local intervalstyle = 'postgres'",
    "set local bytea_output = 'hex'",
    "set local extra_float_digits = 3",
    "set local client_encoding = 'UTF8'",
    "create schema pgc_value_test",
    "set local search_path = pg_catalog, public, pgc_value_test",
    "create type pgc_value_test.mood as enum ('happy', 'so, \"so\"')",
    "create domain pgc_value_test.positive as int check (value > 0)",
    "create domain pgc_value_test.very_positive as pgc_value_test.positive",
    "create domain pgc_value_test.positives as int[]",
    "create type pgc_value_test.pair as (a int, b text)",
    "create type pgc_value_test.nothing as ()",
    "create type pgc_value_test.single as (a text)",
    ("create type pgc_value_test.nested as (p pgc_value_test.pair, a int[], ps pgc_value_test.pair[], m "
     "pgc_value_test.mood)"),
    "create type pgc_value_test.textrange as range (subtype = text, collation = \"C\")",
    "create type pgc_value_test.floatrange as range (subtype = float8)",
};

static FILE *record;

static int connect_to_server(void **state)
{
    catalog *c = calloc(1, sizeof *c);
    c->conn = PQconnectdb(getenv("PGCONVOY_TEST_URI"));
    c->arena = pgc_arena_new(65536);
    if (PQstatus(c->conn) != CONNECTION_OK)
        fail_msg("%s", PQerrorMessage(c->conn));
    PQclear(PQexec(c->conn, "set client_min_messages = warning"));
    for (size_t i = 0; i < sizeof setup_sql / sizeof *setup_sql; i++)
        PQclear(catalog_query(c, setup_sql[i], PGCONVOY_TEXT));
    if (getenv("PGCONVOY_TEST_RECORD"))
        record = fopen(getenv("PGCONVOY_TEST_RECORD"), "w");
    *state = c;
    return 0;
}

static int disconnect(void **state)
{
    catalog *c = *state;
    PQfinish(c->conn);
    pgc_arena_free(c->arena);
    free(c);
    if (record)
        fclose(record);
    return 0;
}

static bool is_built_in(const pgconvoy_type *type)
{
    return type->oid < 16384 && type->kind != PGCONVOY_TYPE_COMPOSITE;
}

static void record_value(const pgconvoy_type *type, const pgconvoy_value *binary, const pgconvoy_value *text)
{
    if (!record || !is_built_in(type) || binary->length > 4000)
        return;
    fprintf(record, "%u\t", type->oid);
    for (int32_t i = 0; i < binary->length; i++)
        fprintf(record, "%02x", (uint8_t)binary->data[i]);
    pgc_buffer line;
    pgc_buffer_init(&line, 1 << 20);
    pgc_copy_append_escaped(&line, text->data, (size_t)text->length);
    fprintf(record, "\t%s\n", line.data ? line.data : "");
    pgc_buffer_free(&line);
}

static pgconvoy_value value_of(const PGresult *result, int row, pgconvoy_format format)
{
    return (pgconvoy_value){PQgetvalue(result, row, 0), PQgetlength(result, row, 0), (uint8_t)format};
}

/* The type of the expression itself: a result's descriptor tells a domain's base only. */
static const pgconvoy_type *type_of_expression(catalog *c, const char *expression)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 1 << 20);
    pgc_buffer_format(&sql, "select pg_typeof(%s)::oid", expression);
    PGresult *result = catalog_query(c, sql.data, PGCONVOY_TEXT);
    const pgconvoy_type *type = catalog_type(c, (uint32_t)strtoul(PQgetvalue(result, 0, 0), NULL, 10));
    PQclear(result);
    pgc_buffer_free(&sql);
    return type;
}

/* Every row of the expression, selected from the tables in from, in both formats. Returns how many do not agree. */
static int compare(catalog *c, const pgconvoy_type *type, const char *expression, const char *from)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 1 << 20);
    pgc_buffer_format(&sql, "select %s %s", expression, from);
    PGresult *binary = catalog_query(c, sql.data, PGCONVOY_BINARY), *text = catalog_query(c, sql.data, PGCONVOY_TEXT);
    int wrong = 0;
    if (!pgc_type_has_binary(type)) {
        fprintf(stderr, "%s: type %s has no binary form\n", expression, type->name);
        wrong++;
    }
    for (int row = 0; row < PQntuples(binary); row++) {
        pgconvoy_value b = value_of(binary, row, PGCONVOY_BINARY), t = value_of(text, row, PGCONVOY_TEXT);
        record_value(type, &b, &t);
        wrong += !value_agrees(expression, type, &b, &t);
    }
    PQclear(binary);
    PQclear(text);
    pgc_buffer_free(&sql);
    return wrong;
}

static void every_type_has_the_servers_own_text(void **state)
{
    catalog *c = *state;
    int wrong = 0;
    for (size_t i = 0; i < sizeof expressions / sizeof *expressions; i++)
        if (PQserverVersion(c->conn) >= expressions[i].version)
            wrong += compare(c, type_of_expression(c, expressions[i].sql), expressions[i].sql, "");
    assert_int_equal(wrong, 0);
}

static void types_of_extensions_have_the_servers_own_text(void **state)
{
    catalog *c = *state;
    static const char *const names[] = {"hstore", "citext", "ltree", "vector"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char sql[128];
        PQclear(catalog_query(c, "savepoint s", PGCONVOY_TEXT));
        snprintf(sql, sizeof sql, "create extension if not exists %s schema public", names[i]);
        PGresult *result = PQexec(c->conn, sql);
        if (PQresultStatus(result) != PGRES_COMMAND_OK) {
            print_message("no extension %s\n", names[i]);
            PQclear(catalog_query(c, "rollback to s", PGCONVOY_TEXT));
        }
        PQclear(result);
    }
    int wrong = 0;
    for (size_t i = 0; i < sizeof extension_expressions / sizeof *extension_expressions; i++) {
        const char *name =
            strstr(extension_expressions[i], "::") ? strrchr(extension_expressions[i], ':') + 1 : "hstore";
        char sql[256];
        snprintf(sql, sizeof sql, "select to_regtype(%s'%.*s') is null", "", (int)strcspn(name, "[]("), name);
        PGresult *result = catalog_query(c, sql, PGCONVOY_TEXT);
        bool missing = PQgetvalue(result, 0, 0)[0] == 't' && strcspn(name, "[](") > 0;
        PQclear(result);
        if (!missing)
            wrong += compare(c, type_of_expression(c, extension_expressions[i]), extension_expressions[i], "");
    }
    assert_int_equal(wrong, 0);
}

/* Random values in bulk: where a table of cases would not think of the case. */
static void random_values_have_the_servers_own_text(void **state)
{
    static const char *const columns[] = {
        "((random() * 2 - 1) * power(10::float8, (random() * 600 - 300)::int))::float8",
        "((random() * 2 - 1) * power(10::float8, (random() * 74 - 37)::int))::float4",
        "power(2::float8, i % 1024)",
        "power(2::float8, -(i % 1074))",
        "power(10::float8, i % 308)",
        "(i::float8 / 100)",
        "(i::float4 / 7)",
        "power(2::float8, i % 127)::float4",
        "power(2::float8, -(i % 149))::float4",
        "(random() * 1e18)::int8 - 500000000000000000",
        "((random() * 1e12)::int8::numeric * power(10::numeric, i % 40) * (random() - 0.5)::numeric)",
        "round((random() * 1e9)::numeric / 10000, i % 12)",
        "date '4714-11-24 BC' + (random() * 3000000)::int",
        "date '4714-11-24 BC' + (random() * 2000000000)::int",
        "timestamp '4714-11-24 BC' + random() * interval '290000 years'",
        "timestamptz '1900-01-01 UTC' + random() * interval '300 years'",
        ("make_interval(((random() - 0.5) * 100)::int, ((random() - 0.5) * 30)::int, 0, ((random() - 0.5) * 100)::int, "
         "((random() - 0.5) * 100)::int, 0, (random() - 0.5) * 1000)"),
        "time '00:00' + random() * interval '1 day'",
        "gen_random_uuid()",
        "('::'::inet + (random() * 1e18)::int8)",
        "set_masklen('1234:0:0:5678::'::inet + ((random() * 65536)::int8 << (i % 4 * 16)), i % 129)",
    };
    catalog *c = *state;
    int wrong = 0;
    PQclear(catalog_query(c, "select setseed(0.5)", PGCONVOY_TEXT));
    FILE *keep = record;
    record = NULL;
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        char sql[1024];
        snprintf(sql, sizeof sql, "create temp table r%zu as select %s as v from generate_series(1, 10000) i", i,
                 columns[i]);
        PQclear(catalog_query(c, sql, PGCONVOY_TEXT));
        snprintf(sql, sizeof sql, "(select v from r%zu limit 1)", i);
        const pgconvoy_type *type = type_of_expression(c, sql);
        snprintf(sql, sizeof sql, "from r%zu", i);
        wrong += compare(c, type, "v", sql);
    }
    record = keep;
    assert_int_equal(wrong, 0);
}

/* The whole of a COPY: cut into rows, all text lines put together again from either format. */
static void a_copy_is_read_and_written_as_the_server_does(void **state)
{
    catalog *c = *state;
    PQclear(catalog_query(c,
                          "create temp table copied as select i, case when i % 7 > 0 then E'a\\tb\\nc\\\\' || chr(i % "
                          "200 + 1) end as t, i * 1.5::float8 as f,"
                          " array[i::text, E'x\\\\y', null] as a from generate_series(1, 3000) i",
                          PGCONVOY_TEXT));
    uint32_t oids[] = {PGC_INT4, PGC_TEXT_OID, PGC_FLOAT8, 1009};
    pgconvoy_column columns[4] = {0};
    for (int i = 0; i < 4; i++) {
        columns[i].name = "column";
        columns[i].type = catalog_type(c, oids[i]);
    }
    pgc_buffer whole[2], from_values[2], raw[2];
    for (int format = 0; format < 2; format++) {
        pgc_buffer_init(&whole[format], 1 << 24);
        pgc_buffer_init(&from_values[format], 1 << 24);
        pgc_buffer_init(&raw[format], 1 << 24);
        PGresult *result = PQexec(c->conn, format ? "copy copied to stdout (format binary)" : "copy copied to stdout");
        assert_int_equal(PQresultStatus(result), PGRES_COPY_OUT);
        PQclear(result);
        pgconvoy_error err = {0};
        pgc_copy_reader reader;
        pgc_copy_reader_init(&reader, (pgconvoy_format)format, 4);
        char *message, scratch[1024];
        for (int length; (length = PQgetCopyData(c->conn, &message, 0)) > 0; PQfreemem(message)) {
            pgc_buffer_append(&whole[format], message, (size_t)length);
            const char *at = message, *end = message + length, *start;
            pgconvoy_value values[4];
            int got;
            while ((got = pgc_copy_read_row(&reader, &at, end, scratch, values, &start, &err)) == 1) {
                pgc_buffer_append(&raw[format], start, (size_t)(at - start));
                assert_int_equal(pgc_copy_append_line(&from_values[0], columns, values, 4, &err), 0);
                if (format == 1)
                    assert_int_equal(pgc_copy_append_tuple(&from_values[1], values, 4, &err), 0);
            }
            assert_int_equal(got, 0);
        }
        assert_int_equal(pgc_copy_reader_finish(&reader, &err), 0);
        PQclear(PQgetResult(c->conn));
        while ((result = PQgetResult(c->conn)))
            PQclear(result);
        assert_string_equal(from_values[0].data, whole[0].data);
        pgc_buffer_reset(&from_values[0]);
        if (format == 0) {
            assert_string_equal(raw[0].data, whole[0].data);
            continue;
        }
        pgc_buffer again;
        pgc_buffer_init(&again, 1 << 24);
        pgc_copy_append_header(&again);
        pgc_buffer_append(&again, from_values[1].data, from_values[1].length);
        assert_int_equal(raw[1].length, from_values[1].length);
        assert_memory_equal(raw[1].data, from_values[1].data, raw[1].length);
        pgc_copy_append_trailer(&again);
        assert_int_equal(again.length, whole[1].length);
        assert_memory_equal(again.data, whole[1].data, again.length);
        pgc_buffer_free(&again);
    }
    for (int format = 0; format < 2; format++) {
        pgc_buffer_free(&whole[format]);
        pgc_buffer_free(&from_values[format]);
        pgc_buffer_free(&raw[format]);
    }
}

#define SKIPPED 77 /* to meson */

int main(void)
{
    if (!getenv("PGCONVOY_TEST_URI")) {
        puts("skipped: set PGCONVOY_TEST_URI to a server (any from 12 on, as a superuser) to compare with it");
        return SKIPPED;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_has_the_servers_own_text),
        cmocka_unit_test(types_of_extensions_have_the_servers_own_text),
        cmocka_unit_test(random_values_have_the_servers_own_text),
        cmocka_unit_test(a_copy_is_read_and_written_as_the_server_does),
    };
    return cmocka_run_group_tests(tests, connect_to_server, disconnect);
}
