/* COPY's two formats as bytes: rows cut out of messages, rows written, and what must be refused. */
#include "postgres/copy_format.h"
#include "postgres/value.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

#define HEADER "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0"
#define BYTES(literal) literal, sizeof literal - 1

static pgconvoy_error err;

static void assert_value(const pgconvoy_value *value, const char *text)
{
    if (!text) {
        assert_int_equal(value->length, PGCONVOY_NULL);
        assert_null(value->data);
        return;
    }
    assert_int_equal(value->length, strlen(text));
    assert_memory_equal(value->data, text, strlen(text));
}

/* One message through a fresh reader; how many rows there were, or -1. */
static int rows_of(pgconvoy_format format, int columns, const char *bytes, size_t length)
{
    /* a copy of the very length, so that a sanitizer sees a read behind it */
    char *message = malloc(length + 1), *scratch = malloc(length + 1);
    memcpy(message, bytes, length);
    pgconvoy_value values[8];
    const char *at = message;
    pgc_copy_reader reader;
    pgc_copy_reader_init(&reader, format, columns);
    int rows = 0, got;
    while ((got = pgc_copy_read_row(&reader, &at, message + length, scratch, values, NULL, &err)) == 1)
        rows++;
    if (got < 0)
        assert_int_equal(err.code, PGCONVOY_ERROR_DATA);
    free(message);
    free(scratch);
    return got < 0 ? -1 : rows;
}

static void a_header_may_come_alone_or_with_rows(void **state)
{
    (void)state;
    static const char row[] = "\0\2\0\0\0\1a\377\377\377\377";
    pgc_copy_reader reader;
    pgc_copy_reader_init(&reader, PGCONVOY_BINARY, 2);
    pgconvoy_value values[2];
    const char *at = HEADER, *raw = NULL;
    assert_int_equal(pgc_copy_read_row(&reader, &at, at + sizeof HEADER - 1, NULL, values, &raw, &err), 0);
    at = row;
    assert_int_equal(pgc_copy_read_row(&reader, &at, row + sizeof row - 1, NULL, values, &raw, &err), 1);
    assert_value(&values[0], "a");
    assert_value(&values[1], NULL);
    assert_int_equal(values[0].format, PGCONVOY_BINARY);
    assert_ptr_equal(raw, row);
    assert_ptr_equal(at, row + sizeof row - 1);
    assert_int_equal(pgc_copy_reader_finish(&reader, &err), -1);
    static const char trailer[] = "\377\377";
    at = trailer;
    assert_int_equal(pgc_copy_read_row(&reader, &at, trailer + 2, NULL, values, NULL, &err), 0);
    assert_int_equal(pgc_copy_reader_finish(&reader, &err), 0);
    at = row;
    assert_int_equal(pgc_copy_read_row(&reader, &at, row + sizeof row - 1, NULL, values, &raw, &err), -1);

    assert_int_equal(rows_of(PGCONVOY_BINARY, 1, BYTES(HEADER "\0\1\0\0\0\1a\0\1\0\0\0\0\377\377")), 2);
    assert_int_equal(rows_of(PGCONVOY_BINARY, 0, BYTES(HEADER "\0\0\0\0\0\0\377\377")), 3);
    assert_int_equal(rows_of(PGCONVOY_BINARY, 1, BYTES("PGCOPY\n\377\r\n\0\0\0\0\1\0\0\0\3abc\0\1\0\0\0\0\377\377")),
                     1);
}

static void raw_bytes_leave_out_header_and_trailer(void **state)
{
    (void)state;
    static const char message[] = HEADER "\0\1\0\0\0\1a\0\1\0\0\0\1b\377\377";
    const char *at = message, *end = message + sizeof message - 1, *raw;
    pgc_copy_reader reader;
    pgc_copy_reader_init(&reader, PGCONVOY_BINARY, 1);
    pgc_buffer rows;
    pgc_buffer_init(&rows, 1000);
    int got;
    while ((got = pgc_copy_read_row(&reader, &at, end, NULL, NULL, &raw, &err)) == 1) /* no values wanted */
        pgc_buffer_append(&rows, raw, (size_t)(at - raw));
    assert_int_equal(got, 0);
    assert_int_equal(rows.length, 14);
    assert_memory_equal(rows.data, "\0\1\0\0\0\1a\0\1\0\0\0\1b", 14);
    pgc_buffer_free(&rows);
}

static void malformed_binary_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
    } cases[] = {
        {BYTES("PGCOPY")},
        {BYTES("PGCOPY\n\377\r\n\0\0\0\0")},
        {BYTES("PGCOPX\n\377\r\n\0\0\0\0\0\0\0\0\0")},
        {BYTES("PGCOPY\n\377\r\n\0\0\1\0\0\0\0\0\0")},
        {BYTES("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\1")},
        {BYTES("PGCOPY\n\377\r\n\0\0\0\0\0\377\377\377\377")},
        {BYTES(HEADER "\0")},
        {BYTES(HEADER "\0\1")},
        {BYTES(HEADER "\0\1\0\0\0\2a")},
        {BYTES(HEADER "\0\1\377\377\377\376")},
        {BYTES(HEADER "\0\1\177\377\377\377")},
        {BYTES(HEADER "\0\2\0\0\0\0\0\0\0\0")},
        {BYTES(HEADER "\377\376")},
        {BYTES(HEADER "\377\377\0")},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (rows_of(PGCONVOY_BINARY, 1, cases[i].bytes, cases[i].length) != -1)
            fail_msg("case %zu was taken", i);
}

static void text_is_unescaped(void **state)
{
    (void)state;
    static const char line[] = "plain\t\\N\t\t\\\\N\ta\\tb\\n\\r\\b\\f\\v\\\\c\t\\101\\7\\x41\\x4g\\xg\\q\n";
    static const char *const wanted[] = {"plain", NULL, "", "\\N", "a\tb\n\r\b\f\v\\c", "A\7A\4gxgq"};
    for (int in_place = 0; in_place < 2; in_place++) {
        char message[sizeof line], scratch[sizeof line];
        memcpy(message, line, sizeof line);
        const char *at = message, *raw;
        pgc_copy_reader reader;
        pgc_copy_reader_init(&reader, PGCONVOY_TEXT, 6);
        pgconvoy_value values[6];
        assert_int_equal(pgc_copy_read_row(&reader, &at, message + sizeof line - 1, in_place ? message : scratch,
                                           values, &raw, &err),
                         1);
        for (int i = 0; i < 6; i++)
            assert_value(&values[i], wanted[i]);
        assert_ptr_equal(at, message + sizeof line - 1);
        assert_ptr_equal(raw, message);
        if (!in_place)
            assert_memory_equal(message, line, sizeof line);
        assert_int_equal(pgc_copy_reader_finish(&reader, &err), 0);
    }
}

static void lines_are_cut_where_they_end(void **state)
{
    (void)state;
    assert_int_equal(rows_of(PGCONVOY_TEXT, 2, BYTES("a\tb\nc\td\n")), 2);
    assert_int_equal(rows_of(PGCONVOY_TEXT, 2, BYTES("a\tb\nc\td")), 2);
    assert_int_equal(rows_of(PGCONVOY_TEXT, 2, BYTES("\t\n\\N\t\\N\n\\.\n")), 2);
    assert_int_equal(rows_of(PGCONVOY_TEXT, 1, BYTES("\n\n\n")), 3);
    assert_int_equal(rows_of(PGCONVOY_TEXT, 0, BYTES("\n\n")), 2);
    assert_int_equal(rows_of(PGCONVOY_TEXT, 1, BYTES("a\\\nb\n")), 1);
    assert_int_equal(rows_of(PGCONVOY_TEXT, 1, BYTES("")), 0);
}

static void malformed_text_is_refused(void **state)
{
    (void)state;
    assert_int_equal(rows_of(PGCONVOY_TEXT, 2, BYTES("a\n")), -1);
    assert_int_equal(rows_of(PGCONVOY_TEXT, 2, BYTES("a\tb\tc\n")), -1);
    assert_int_equal(rows_of(PGCONVOY_TEXT, 0, BYTES("a\n")), -1);
    assert_int_equal(rows_of(PGCONVOY_TEXT, 0, BYTES("\t\t\t\n")), -1);
    assert_int_equal(rows_of(PGCONVOY_TEXT, 1, BYTES("a\\")), -1);
    assert_int_equal(rows_of(PGCONVOY_TEXT, 1, BYTES("\\.\nb\n")), -1);
    pgc_copy_reader reader;
    pgconvoy_value value;
    const char *at = "a\\tb\n";
    pgc_copy_reader_init(&reader, PGCONVOY_TEXT, 1);
    assert_int_equal(pgc_copy_read_row(&reader, &at, at + 5, NULL, &value, NULL, &err), -1);
}

static void a_line_is_written_from_both_formats(void **state)
{
    (void)state;
    pgconvoy_type text = {.oid = PGC_TEXT_OID, .name = "text"}, int4 = {.oid = PGC_INT4, .name = "int4"},
                  money = {.oid = PGC_MONEY, .name = "money"};
    pgconvoy_column columns[] = {{.name = "a", .type = &text},
                                 {.name = "b", .type = &int4},
                                 {.name = "c", .type = &text},
                                 {.name = "d", .type = &money}};
    pgconvoy_value values[] = {{BYTES("a\tb\\\n"), PGCONVOY_BINARY},
                               {BYTES("\0\0\0\7"), PGCONVOY_BINARY},
                               {NULL, PGCONVOY_NULL, 0},
                               {BYTES("\b1\v"), PGCONVOY_TEXT}};
    pgc_buffer out;
    pgc_buffer_init(&out, 10000);
    assert_int_equal(pgc_copy_append_line(&out, columns, values, 4, &err), 0);
    assert_string_equal(out.data, "a\\tb\\\\\\n\t7\t\\N\t\\b1\\v\n");
    assert_int_equal(pgc_copy_append_line(&out, columns, values, 0, &err), 0);
    size_t length = out.length;
    values[3].format = PGCONVOY_BINARY; /* money has none */
    assert_int_equal(pgc_copy_append_line(&out, columns, values, 4, &err), -1);
    assert_non_null(strstr(err.message, "column d"));
    assert_int_equal(out.length, length);
    assert_int_equal(pgc_copy_append_line(&out, NULL, values, 4, &err), -1);
    values[3].length = PGCONVOY_UNCHANGED;
    assert_int_equal(pgc_copy_append_line(&out, columns, values, 4, &err), -1);
    assert_int_equal(out.length, length);
    pgc_buffer_free(&out);
}

static void a_tuple_is_written_from_binary_values_only(void **state)
{
    (void)state;
    pgconvoy_value values[] = {
        {BYTES("ab"), PGCONVOY_BINARY}, {NULL, PGCONVOY_NULL, PGCONVOY_TEXT}, {"", 0, PGCONVOY_BINARY}};
    pgc_buffer out;
    pgc_buffer_init(&out, 10000);
    pgc_copy_append_header(&out);
    assert_int_equal(pgc_copy_append_tuple(&out, values, 3, &err), 0);
    pgc_copy_append_trailer(&out);
    static const char wanted[] = HEADER "\0\3\0\0\0\2ab\377\377\377\377\0\0\0\0\377\377";
    assert_int_equal(out.length, sizeof wanted - 1);
    assert_memory_equal(out.data, wanted, sizeof wanted - 1);
    values[0].format = PGCONVOY_TEXT;
    assert_int_equal(pgc_copy_append_tuple(&out, values, 3, &err), -1);
    values[0].length = PGCONVOY_UNCHANGED;
    assert_int_equal(pgc_copy_append_tuple(&out, values, 3, &err), -1);
    assert_int_equal(out.length, sizeof wanted - 1);
    pgc_buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_may_come_alone_or_with_rows),
        cmocka_unit_test(raw_bytes_leave_out_header_and_trailer),
        cmocka_unit_test(malformed_binary_is_refused),
        cmocka_unit_test(text_is_unescaped),
        cmocka_unit_test(lines_are_cut_where_they_end),
        cmocka_unit_test(malformed_text_is_refused),
        cmocka_unit_test(a_line_is_written_from_both_formats),
        cmocka_unit_test(a_tuple_is_written_from_binary_values_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
