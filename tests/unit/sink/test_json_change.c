/* Lines of JSON: what stands in them for each kind of change and value. Expected lines are written out, so the format
 * cannot drift unseen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "format/json_change.h"
#include "format/json_text.h"

#include <stdio.h>
#include <stdlib.h>

static const pgconvoy_type int4 = {.oid = 23, .name = "int4"}, text = {.oid = 25, .name = "text"},
                           float8 = {.oid = 701, .name = "float8"}, boolean = {.oid = 16, .name = "bool"},
                           json = {.oid = 114, .name = "json"}, numeric = {.oid = 1700, .name = "numeric"},
                           domain = {.oid = 90001, .kind = PGCONVOY_TYPE_DOMAIN, .name = "positive", .element = &int4};

static const int first_column[] = {0};
static const pgconvoy_column user_columns[] = {
    {.name = "id", .type = &int4, .type_sql = "integer", .in_key = true},
    {.name = "na\"me", .type = &text, .type_sql = "text"},
    {.name = "bio", .type = &text, .type_sql = "text"},
};
static const pgconvoy_table users = {.oid = 100,
                                     .version = 1,
                                     .schema = "public",
                                     .name = "users",
                                     .column_count = 3,
                                     .columns = user_columns,
                                     .replica_identity = 'd',
                                     .key_count = 1,
                                     .key = first_column};
static const pgconvoy_transaction transaction = {
    .xid = 742, .commit_lsn = 0x1A2B400, .end_lsn = 0x1A2B430, .commit_time = INT64_C(1769860800123456)};

#define TEXT(s)                                                                                                        \
    {                                                                                                                  \
        (s), (int32_t)sizeof(s) - 1, PGCONVOY_TEXT                                                                     \
    }
#define NULL_VALUE                                                                                                     \
    {                                                                                                                  \
        NULL, PGCONVOY_NULL, PGCONVOY_TEXT                                                                             \
    }
#define UNCHANGED                                                                                                      \
    {                                                                                                                  \
        NULL, PGCONVOY_UNCHANGED, PGCONVOY_TEXT                                                                        \
    }
#define HEAD(op)                                                                                                       \
    "{\"op\":\"" op                                                                                                    \
    "\",\"lsn\":\"0/1A2B3C8\",\"commit_lsn\":\"0/1A2B400\",\"xid\":742,\"time\":\"2026-01-31T12:00:00.123456Z\""
#define USERS ",\"schema\":\"public\",\"table\":\"users\""

typedef struct fixture {
    pgc_json_writer *writer;
    pgc_buffer out;
    pgconvoy_error err;
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    f->writer = pgc_json_writer_new();
    pgc_buffer_init(&f->out, (size_t)1 << 30);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    pgc_json_writer_free(f->writer);
    pgc_buffer_free(&f->out);
    free(f);
    return 0;
}

static const char *line_of(fixture *f, pgconvoy_change change)
{
    change.lsn = 0x1A2B3C8;
    change.transaction = &transaction;
    pgc_buffer_reset(&f->out);
    assert_int_equal(pgc_json_write_change(f->writer, &change, &f->out, &f->err), 0);
    assert_int_equal(strlen(f->out.data), f->out.length);
    return f->out.data;
}

static void an_insert_has_key_and_new(void **state)
{
    const pgconvoy_value row[] = {TEXT("7"), TEXT("Ada \"L\"\n"), NULL_VALUE};
    assert_string_equal(
        line_of(*state, (pgconvoy_change){.operation = PGCONVOY_INSERT, .table = &users, .new_ = row, .sequence = 3}),
        HEAD("insert") ",\"seq\":3" USERS
                       ",\"key\":{\"id\":7},\"new\":{\"id\":7,\"na\\\"me\":\"Ada \\\"L\\\"\\n\",\"bio\":null}}\n");
}

static void an_update_without_an_old_row_takes_the_key_from_the_new_one_and_names_what_is_unchanged(void **state)
{
    const pgconvoy_value row[] = {TEXT("7"), UNCHANGED, UNCHANGED};
    assert_string_equal(
        line_of(*state, (pgconvoy_change){.operation = PGCONVOY_UPDATE, .table = &users, .new_ = row}),
        HEAD("update") ",\"seq\":0" USERS
                       ",\"key\":{\"id\":7},\"new\":{\"id\":7},\"unchanged\":[\"na\\\"me\",\"bio\"]}\n");
}

static void a_key_change_has_the_old_key(void **state)
{
    const pgconvoy_value old[] = {TEXT("6"), NULL_VALUE, NULL_VALUE}, row[] = {TEXT("7"), TEXT("a"), TEXT("b")};
    assert_string_equal(
        line_of(
            *state,
            (pgconvoy_change){.operation = PGCONVOY_UPDATE, .table = &users, .old_kind = 'K', .old = old, .new_ = row}),
        HEAD("update") ",\"seq\":0" USERS
                       ",\"key\":{\"id\":6},\"old\":{\"id\":6},\"new\":{\"id\":7,\"na\\\"me\":\"a\",\"bio\":\"b\"}}\n");
}

static void a_delete_has_no_new(void **state)
{
    const pgconvoy_value old[] = {TEXT("6"), TEXT("x"), NULL_VALUE};
    assert_string_equal(
        line_of(*state, (pgconvoy_change){.operation = PGCONVOY_DELETE, .table = &users, .old_kind = 'O', .old = old}),
        HEAD("delete") ",\"seq\":0" USERS ",\"key\":{\"id\":6},\"old\":{\"id\":6,\"na\\\"me\":\"x\",\"bio\":null}}\n");
}

static void rows_known_by_all_columns_have_all_in_their_key(void **state)
{
    pgconvoy_table table = users;
    table.key_count = 0;
    table.replica_identity = 'f';
    const pgconvoy_value row[] = {TEXT("1"), TEXT("a"), NULL_VALUE};
    const char *line = line_of(*state, (pgconvoy_change){.operation = PGCONVOY_INSERT, .table = &table, .new_ = row});
    assert_non_null(strstr(line, "\"key\":{\"id\":1,\"na\\\"me\":\"a\",\"bio\":null},\"new\""));
}

static void rows_that_cannot_be_known_have_an_empty_key(void **state)
{
    pgconvoy_table table = users;
    table.key_count = 0;
    table.replica_identity = 'n';
    const pgconvoy_value row[] = {TEXT("1"), TEXT("a"), NULL_VALUE};
    const char *line = line_of(*state, (pgconvoy_change){.operation = PGCONVOY_INSERT, .table = &table, .new_ = row});
    assert_non_null(strstr(line, "\"key\":{},\"new\""));
}

static void begin_and_commit_frame_a_transaction(void **state)
{
    assert_string_equal(line_of(*state, (pgconvoy_change){.operation = PGCONVOY_BEGIN}), HEAD("begin") "}\n");
    assert_string_equal(line_of(*state, (pgconvoy_change){.operation = PGCONVOY_COMMIT}),
                        HEAD("commit") ",\"end_lsn\":\"0/1A2B430\"}\n");
}

static void a_truncate_says_how(void **state)
{
    assert_string_equal(line_of(*state, (pgconvoy_change){.operation = PGCONVOY_TRUNCATE, .table = &users}),
                        HEAD("truncate") ",\"seq\":0" USERS "}\n");
    assert_string_equal(line_of(*state, (pgconvoy_change){.operation = PGCONVOY_TRUNCATE, .table = &users, .flags = 3}),
                        HEAD("truncate") ",\"seq\":0" USERS ",\"cascade\":true,\"restart_identity\":true}\n");
}

static void a_message_is_text_where_it_can_be(void **state)
{
    pgconvoy_change change = {
        .operation = PGCONVOY_MESSAGE, .flags = 1, .prefix = "p", .content = "h\xc3\xa9", .content_length = 3};
    assert_string_equal(
        line_of(*state, change),
        HEAD("message") ",\"seq\":0,\"prefix\":\"p\",\"content\":\"h\xc3\xa9\",\"transactional\":true}\n");
    change.content = "\xff\x00\x01\x02";
    change.content_length = 4;
    change.flags = 0;
    assert_string_equal(line_of(*state, change),
                        "{\"op\":\"message\",\"lsn\":\"0/1A2B3C8\",\"prefix\":\"p\",\"content_base64\":\"/"
                        "wABAg==\",\"transactional\":false}\n");
}

static void a_schema_line_has_the_columns_of_the_transaction_it_stands_in(void **state)
{
    fixture *f = *state;
    line_of(f, (pgconvoy_change){.operation = PGCONVOY_BEGIN});
    pgc_buffer_reset(&f->out);
    assert_int_equal(pgc_json_write_schema(f->writer, &users, &f->out, &f->err), 0);
    assert_string_equal(f->out.data,
                        HEAD("schema") USERS ",\"columns\":[{\"name\":\"id\",\"type\":\"integer\",\"key\":true},"
                                             "{\"name\":\"na\\\"me\",\"type\":\"text\",\"key\":false},{\"name\":"
                                             "\"bio\",\"type\":\"text\",\"key\":false}]}\n");
}

static void a_copied_row_has_the_snapshots_position(void **state)
{
    fixture *f = *state;
    const pgconvoy_value values[] = {TEXT("1"), TEXT("a"), NULL_VALUE, TEXT("2"), TEXT(""), TEXT("b")};
    const pgconvoy_rows rows = {
        .table = &users, .row_count = 2, .values = values, .snapshot_lsn = UINT64_C(0x1600000010)};
    assert_int_equal(pgc_json_write_row(f->writer, &rows, 1, &f->out, &f->err), 0);
    assert_string_equal(f->out.data, "{\"op\":\"copy\",\"lsn\":\"16/10\"" USERS
                                     ",\"key\":{\"id\":2},\"new\":{\"id\":2,\"na\\\"me\":\"\",\"bio\":\"b\"}}\n");
}

/* The JSON of one value of this type. */
static const char *value_text(fixture *f, const pgconvoy_type *type, pgconvoy_value value)
{
    static char result[512];
    const pgconvoy_column column = {.name = "v", .type = type};
    const pgconvoy_table table = {.oid = 7,
                                  .version = 1,
                                  .schema = "s",
                                  .name = "t",
                                  .column_count = 1,
                                  .columns = &column,
                                  .replica_identity = 'n'};
    pgc_json_writer_begin(f->writer);
    const char *line = line_of(f, (pgconvoy_change){.operation = PGCONVOY_INSERT, .table = &table, .new_ = &value});
    const char *start = strstr(line, "\"v\":");
    assert_non_null(start);
    snprintf(result, sizeof result, "%.*s", (int)(strlen(start) - 4 - 3), start + 4);
    return result;
}

static void numbers_and_truth_values_are_json_s_own(void **state)
{
    assert_string_equal(value_text(*state, &int4, (pgconvoy_value)TEXT("-5")), "-5");
    assert_string_equal(value_text(*state, &domain, (pgconvoy_value)TEXT("5")), "5");
    assert_string_equal(value_text(*state, &float8, (pgconvoy_value)TEXT("1.5e-05")), "1.5e-05");
    assert_string_equal(value_text(*state, &boolean, (pgconvoy_value)TEXT("t")), "true");
    assert_string_equal(value_text(*state, &boolean, (pgconvoy_value)TEXT("f")), "false");
}

static void what_json_has_no_number_for_is_a_string(void **state)
{
    assert_string_equal(value_text(*state, &float8, (pgconvoy_value)TEXT("NaN")), "\"NaN\"");
    assert_string_equal(value_text(*state, &float8, (pgconvoy_value)TEXT("-Infinity")), "\"-Infinity\"");
    assert_string_equal(value_text(*state, &numeric, (pgconvoy_value)TEXT("12345678901234567890.5")),
                        "\"12345678901234567890.5\"");
}

static void json_is_embedded_on_one_line(void **state)
{
    assert_string_equal(value_text(*state, &json, (pgconvoy_value)TEXT("{\"a\" :\n\t[1,\"x\\n\"]}")),
                        "{\"a\" :  [1,\"x\\n\"]}");
}

static void binary_values_are_as_their_text(void **state)
{
    assert_string_equal(value_text(*state, &int4, (pgconvoy_value){"\xff\xff\xff\xfe", 4, PGCONVOY_BINARY}), "-2");
    assert_string_equal(value_text(*state, &boolean, (pgconvoy_value){"\1", 1, PGCONVOY_BINARY}), "true");
    assert_string_equal(value_text(*state, &float8, (pgconvoy_value){"\x7f\xf0\0\0\0\0\0\0", 8, PGCONVOY_BINARY}),
                        "\"Infinity\"");
}

static void controls_and_bytes_that_are_no_utf8_are_escaped(void **state)
{
    assert_string_equal(value_text(*state, &text, (pgconvoy_value)TEXT("\x01\x1f\x7f\b\f\t\r\\/")),
                        "\"\\u0001\\u001f\x7f\\b\\f\\t\\r\\\\/\"");
    /* whole sequences stay, what is none of them is read as Latin-1 */
    assert_string_equal(
        value_text(*state, &text,
                   (pgconvoy_value)TEXT("\xe2\x82\xac\xf0\x9f\x98\x80 \xff\xe2\x82 \xc0\xaf\xed\xa0\x80")),
        "\"\xe2\x82\xac\xf0\x9f\x98\x80 \\u00ff\\u00e2\\u0082 \\u00c0\\u00af\\u00ed\\u00a0\\u0080\"");
}

static void every_length_and_place_of_an_escape_comes_out_right(void **state)
{
    (void)state;
    pgc_buffer out;
    pgc_buffer_init(&out, 1 << 20);
    char data[80];
    for (size_t length = 0; length < sizeof data; length++)
        for (size_t place = 0; place <= length; place++) {
            memset(data, 'a', sizeof data);
            if (place < length)
                data[place] = '"';
            pgc_buffer_reset(&out);
            pgc_json_string_n(&out, data, length);
            assert_int_equal(out.length, length + 2 + (place < length));
            if (place < length)
                assert_memory_equal(out.data + 1 + place, "\\\"", 2);
        }
    pgc_buffer_free(&out);
}

static void a_long_value_with_a_sequence_over_each_border_is_whole(void **state)
{
    fixture *f = *state;
    size_t length = 100001; /* the pieces are powers of two: three-byte characters lie over their borders */
    char *data = malloc(length);
    for (size_t i = 0; i < length; i++)
        data[i] = i < 2 ? 'a' : "\xe2\x82\xac"[(i - 2) % 3];
    pgc_json_string_n(&f->out, data, length);
    assert_int_equal(f->out.length, length + 2);
    assert_memory_equal(f->out.data + 1, data, length);
    free(data);
}

static void a_table_of_a_source_that_was_opened_again_is_described_anew(void **state)
{
    fixture *f = *state;
    pgconvoy_column columns[] = {{.name = "a", .type = &text}};
    const pgconvoy_table table = {.oid = 9,
                                  .version = 1,
                                  .schema = "s",
                                  .name = "t",
                                  .column_count = 1,
                                  .columns = columns,
                                  .replica_identity = 'd'};
    const pgconvoy_value row[] = {TEXT("1")};
    const pgconvoy_change change = {.operation = PGCONVOY_INSERT, .table = &table, .new_ = row};
    assert_non_null(strstr(line_of(f, change), "{\"a\":\"1\"}"));
    columns[0] = (pgconvoy_column){.name = "b", .type = &int4};
    pgc_json_writer_begin(f->writer);
    assert_non_null(strstr(line_of(f, change), "{\"b\":1}"));
}

static void many_tables_keep_their_own_columns(void **state)
{
    fixture *f = *state;
    static pgconvoy_table tables[1000];
    static pgconvoy_column columns[1000];
    static char names[1000][16];
    const pgconvoy_value row[] = {TEXT("1")};
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 1000; i++) {
            char expected[32];
            snprintf(names[i], sizeof names[i], "c%d", i);
            columns[i] = (pgconvoy_column){.name = names[i], .type = &int4};
            tables[i] = (pgconvoy_table){.oid = 16384 + (uint32_t)i * 64,
                                         .version = 1,
                                         .schema = "s",
                                         .name = "t",
                                         .column_count = 1,
                                         .columns = &columns[i],
                                         .replica_identity = 'd'};
            snprintf(expected, sizeof expected, "\"new\":{\"c%d\":1}", i);
            assert_non_null(
                strstr(line_of(f, (pgconvoy_change){.operation = PGCONVOY_INSERT, .table = &tables[i], .new_ = row}),
                       expected));
        }
}

static void a_line_that_fails_leaves_nothing(void **state)
{
    fixture *f = *state;
    const pgconvoy_value good[] = {TEXT("1"), TEXT("a"), NULL_VALUE};
    const pgconvoy_value bad[] = {{"\1\2\3", 3, PGCONVOY_BINARY}, TEXT("a"), NULL_VALUE};
    size_t length = strlen(line_of(f, (pgconvoy_change){.operation = PGCONVOY_INSERT, .table = &users, .new_ = good}));
    const pgconvoy_change change = {
        .operation = PGCONVOY_INSERT, .table = &users, .new_ = bad, .transaction = &transaction};
    assert_int_equal(pgc_json_write_change(f->writer, &change, &f->out, &f->err), -1);
    assert_int_equal(f->out.length, length);
    assert_non_null(strstr(f->err.message, "public.users"));
}

static void times_of_one_second_differ_in_their_microseconds_only(void **state)
{
    fixture *f = *state;
    static const struct {
        int64_t us;
        const char *text;
    } times[] = {{INT64_C(1769860800000001), "12:00:00.000001Z"},
                 {INT64_C(1769860800999999), "12:00:00.999999Z"},
                 {INT64_C(1769860801000000), "12:00:01.000000Z"},
                 {-1, "1969-12-31T23:59:59.999999Z"},
                 {5, "1970-01-01T00:00:00.000005Z"}};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        pgconvoy_transaction at = {.xid = 1, .commit_lsn = 1, .commit_time = times[i].us};
        const pgconvoy_change change = {.operation = PGCONVOY_BEGIN, .transaction = &at};
        pgc_buffer_reset(&f->out);
        assert_int_equal(pgc_json_write_change(f->writer, &change, &f->out, &f->err), 0);
        assert_non_null(strstr(f->out.data, times[i].text));
    }
}

static void only_json_numbers_are_numbers(void **state)
{
    (void)state;
    static const char *const yes[] = {"0", "-0", "10", "1.5", "1e+20", "-1.25E-7"}, *const no[] = {
                                                                                        "",   "-",   "01", "1.", ".5",
                                                                                        "1e", "NaN", "+1", "1 ", "0x1"};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
        assert_true(pgc_json_is_number(yes[i], strlen(yes[i])));
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
        assert_false(pgc_json_is_number(no[i], strlen(no[i])));
}

#define HOLDS(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOLDS(an_insert_has_key_and_new),
        HOLDS(an_update_without_an_old_row_takes_the_key_from_the_new_one_and_names_what_is_unchanged),
        HOLDS(a_key_change_has_the_old_key),
        HOLDS(a_delete_has_no_new),
        HOLDS(rows_known_by_all_columns_have_all_in_their_key),
        HOLDS(rows_that_cannot_be_known_have_an_empty_key),
        HOLDS(begin_and_commit_frame_a_transaction),
        HOLDS(a_truncate_says_how),
        HOLDS(a_message_is_text_where_it_can_be),
        HOLDS(a_schema_line_has_the_columns_of_the_transaction_it_stands_in),
        HOLDS(a_copied_row_has_the_snapshots_position),
        HOLDS(numbers_and_truth_values_are_json_s_own),
        HOLDS(what_json_has_no_number_for_is_a_string),
        HOLDS(json_is_embedded_on_one_line),
        HOLDS(binary_values_are_as_their_text),
        HOLDS(controls_and_bytes_that_are_no_utf8_are_escaped),
        HOLDS(every_length_and_place_of_an_escape_comes_out_right),
        HOLDS(a_long_value_with_a_sequence_over_each_border_is_whole),
        HOLDS(a_table_of_a_source_that_was_opened_again_is_described_anew),
        HOLDS(many_tables_keep_their_own_columns),
        HOLDS(a_line_that_fails_leaves_nothing),
        HOLDS(times_of_one_second_differ_in_their_microseconds_only),
        HOLDS(only_json_numbers_are_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
