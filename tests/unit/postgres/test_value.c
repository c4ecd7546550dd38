/* Values without a server: what a server was seen to send (values.tsv, made by test_value_server.c), what users' types
 * look like, and what must be refused. */
#include "lib/type_zoo.h"
#include "value_agree.h"

#include "base/arena.h"
#include "postgres/copy_format.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static type_zoo zoo;
static pgconvoy_error err;

/* Bytes from hexadecimal digits, blanks passed over. */
static pgconvoy_value from_hex(const char *hex, char *bytes)
{
    int32_t n = 0;
    for (const char *p = hex; *p; p++) {
        if (*p == ' ')
            continue;
        unsigned byte;
        assert_int_equal(sscanf(p, "%2x", &byte), 1);
        bytes[n++] = (char)byte;
        p++;
    }
    return (pgconvoy_value){bytes, n, PGCONVOY_BINARY};
}

static pgconvoy_value from_text(const char *text)
{
    return (pgconvoy_value){text, (int32_t)strlen(text), PGCONVOY_TEXT};
}

static void what_a_server_sent_has_the_servers_own_text(void **state)
{
    (void)state;
    FILE *file = fopen(VALUES_FILE, "r");
    assert_non_null(file);
    char *line = NULL;
    size_t room = 0;
    int wrong = 0, lines = 0;
    for (ssize_t length; (length = getline(&line, &room, file)) > 0; lines++) {
        pgc_copy_reader reader;
        pgconvoy_value fields[3];
        const char *at = line;
        pgc_copy_reader_init(&reader, PGCONVOY_TEXT, 3);
        assert_int_equal(pgc_copy_read_row(&reader, &at, line + length, line, fields, NULL, &err), 1);
        const pgconvoy_type *type = type_zoo_find(&zoo, (uint32_t)strtoul(fields[0].data, NULL, 10));
        assert_non_null(type);
        char *hex = strndup(fields[1].data, (size_t)fields[1].length),
             *bytes = malloc((size_t)fields[1].length / 2 + 1);
        pgconvoy_value binary = from_hex(hex, bytes);
        wrong += !value_agrees(hex, type, &binary, &fields[2]);
        free(hex);
        free(bytes);
    }
    free(line);
    fclose(file);
    assert_int_equal(wrong, 0);
    assert_true(lines > 200);
}

static void users_types_have_their_text(void **state)
{
    (void)state;
#define PAIR(oid_a, a, oid_b, b) "00000002 " oid_a a oid_b b
#define INT4 "00000017"
#define TEXT "00000019"
#define ONE "00000004 00000001"
    static const struct {
        uint32_t oid;
        const char *hex, *text;
    } cases[] = {
        {ZOO_MOOD, "6861707079", "happy"},
        {ZOO_MOODS, "00000001 00000001 00004e20 00000002 00000001 00000005 6861707079 ffffffff", "{happy,NULL}"},
        {ZOO_POSITIVE, "00000007", "7"},
        {ZOO_POSITIVES, "00000001 00000000 00000017 00000001 00000001 " ONE, "{1}"},
        {ZOO_PAIR, PAIR(INT4, ONE, TEXT, "00000003 612c62"), "(1,\"a,b\")"},
        {ZOO_PAIR, PAIR(INT4, ONE, TEXT, "00000000"), "(1,\"\")"},
        {ZOO_PAIR, PAIR(INT4, "ffffffff", TEXT, "ffffffff"), "(,)"},
        {ZOO_PAIR, PAIR(INT4, ONE, TEXT, "00000003 225c20"), "(1,\"\"\"\\\\ \")"},
        {ZOO_PAIRS, "00000001 00000000 00004e24 00000001 00000001 0000001b " PAIR(INT4, ONE, TEXT, "00000003 612062"),
         "{\"(1,\\\"a b\\\")\"}"},
        {ZOO_NOTHING, "00000000", "()"},
        {ZOO_TEXTRANGE, "02 00000000 00000003 612c62", "[\"\",\"a,b\")"},
        {ZOO_TEXTRANGE, "01", "empty"},
        {ZOO_TEXTRANGE, "18", "(,)"},
        {ZOO_TEXTMULTIRANGE, "00000002 00000001 18 0000000b 06 00000001 61 00000001 5d", "{(,),[a,\"]\"]}"},
        {ZOO_VECTOR, "0003 0000 3f800000 40200000 d0df8476", "[1,2.5,-3.0000001e+10]"},
        {ZOO_VECTORS, "00000001 00000000 00004e2c 00000001 00000001 0000000c 0002 0000 3f800000 40000000",
         "{\"[1,2]\"}"},
        {ZOO_HALFVEC, "0006 0000 3c00 c100 7bff 0001 8000 0400", "[1,-2.5,65504,5.9604645e-08,-0,6.1035156e-05]"},
        {ZOO_SPARSEVEC, "00000005 00000002 00000000 00000000 00000002 3fc00000 40000000", "{1:1.5,3:2}/5"},
        {ZOO_HSTORE, "00000002 00000001 61 00000002 2278 00000001 62 ffffffff", "\"a\"=>\"\\\"x\", \"b\"=>NULL"},
        {ZOO_HSTORE, "00000000", ""},
        {ZOO_CITEXT, "4d6958", "MiX"},
        {ZOO_LTREE, "01 612e62", "a.b"},
        {PGC_CHAR, "e9", "\\351"},
        {PGC_CHAR, "80", "\\200"},
        {PGC_CHAR, "ff", "\\377"},
        {PGC_INTERVAL, "7fffffffffffffff 7fffffff 7fffffff", "infinity"},
        {PGC_INTERVAL, "8000000000000000 80000000 80000000", "-infinity"},
    };
    char bytes[256];
    int wrong = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pgconvoy_value binary = from_hex(cases[i].hex, bytes), text = from_text(cases[i].text);
        wrong += !value_agrees(cases[i].hex, type_zoo_find(&zoo, cases[i].oid), &binary, &text);
    }
    assert_int_equal(wrong, 0);
}

static void malformed_bytes_are_refused_by_the_types_name(void **state)
{
    (void)state;
    static const struct {
        uint32_t oid;
        const char *hex;
    } cases[] = {
        {PGC_BOOL, ""},
        {PGC_BOOL, "0101"},
        {PGC_INT4, "000001"},
        {PGC_OID, "0001"},
        {PGC_FLOAT8, "00000000"},
        {PGC_UUID, "00"},
        {PGC_TID, "0000"},
        {PGC_PG_LSN, "00000000"},
        {PGC_NUMERIC, "0001 0000 0000"},
        {PGC_NUMERIC, "0001 0000 0000 0000"},
        {PGC_NUMERIC, "0001 0000 0000 0000 2710"},
        {PGC_NUMERIC, "0000 0000 1234 0000"},
        {PGC_NUMERIC, "0000 0000 0000 4000"},
        {PGC_NUMERIC, "ffff 0000 0000 0000"},
        {PGC_DATE, "7ffffffe"},
        {PGC_DATE, "80000001"},
        {PGC_TIME, "ffffffffffffffff"},
        {PGC_TIME, "0000001400000000 00"},
        {PGC_TIMETZ, "0000000000000000 7fffffff"},
        {PGC_TIMETZ, "0000000000000000 80000000"},
        {PGC_TIMESTAMP, "7ffffffffffffffe"},
        {PGC_TIMESTAMP, "8000000000000001"},
        {PGC_INTERVAL, "00"},
        {PGC_VARBIT, "00000009 00"},
        {PGC_VARBIT, "ffffffff"},
        {PGC_JSONB, ""},
        {PGC_JSONB, "027b7d"},
        {PGC_INET, "0220 0003 010203"},
        {PGC_INET, "0221 0004 01020304"},
        {PGC_INET, "0420 0004 01020304"},
        {PGC_MACADDR, "0102"},
        {PGC_PATH, "01 7fffffff"},
        {PGC_POLYGON, "00000001"},
        {PGC_TSVECTOR, "00000001 61"},
        {PGC_TSVECTOR, "00000001 6100 0002 0001"},
        {PGC_TSQUERY, "00000001 0202"},
        {PGC_TSQUERY, "00000002 01 00 00 6100 01 00 00 6100"},
        {PGC_TSQUERY, "ffffffff"},
        {1007, "00000007 00000000 00000017"},
        {1007, "00000001 00000000 00000019 00000001 00000001 00000000"},
        {1007, "00000001 00000000 00000017 7fffffff 00000001"},
        {1007, "00000001 00000000 00000017 00000002 7fffffff 00000004 00000001 00000004 00000001"},
        {1007, "00000001 00000000 00000017 00000001 00000001 fffffffe"},
        {1007, "00000001 00000000 00000017 00000001 00000001 00000004 00000001 00"},
        {1007, "00000006 00000000 00000017 7fffffff 00000000 7fffffff 00000000 7fffffff 00000000 7fffffff 00000000 "
               "7fffffff 00000000 7fffffff 00000000"},
        {ZOO_PAIR, "00000001"},
        {ZOO_PAIR, "00000002 00000019 ffffffff 00000019 ffffffff"},
        {ZOO_PAIR, "00000002 00000017 ffffffff 00000019 00000009"},
        {ZOO_TEXTRANGE, ""},
        {ZOO_TEXTRANGE, "00 ffffffff ffffffff"},
        {ZOO_TEXTRANGE, "01 00"},
        {ZOO_TEXTMULTIRANGE, "00000001"},
        {ZOO_VECTOR, "0002 0000 3f800000"},
        {ZOO_SPARSEVEC, "00000005 20000000 00000000"},
        {ZOO_HSTORE, "00000001 ffffffff ffffffff"},
        {ZOO_LTREE, "02"},
        {790, "0000000000000001"},
        {24, "00000001"},
    };
    char bytes[256];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pgconvoy_value value = from_hex(cases[i].hex, bytes);
        const pgconvoy_type *type = type_zoo_find(&zoo, cases[i].oid);
        char *text;
        size_t length;
        if (pgconvoy_value_to_text(type, &value, &text, &length, &err) == 0)
            fail_msg("%s '%s' was taken as '%s'", type->name, cases[i].hex, text);
        assert_int_equal(err.code, PGCONVOY_ERROR_DATA);
        if (!strstr(err.message, type->name) && !strstr(err.message, "bit"))
            fail_msg("'%s' does not name %s", err.message, type->name);
    }
}

static void malformed_texts_are_refused(void **state)
{
    (void)state;
    static const char *const dates[] = {
        "",           "2000",        "2000-01",        "2000-13-01",    "2000-02-30",    "1900-02-29",
        "0000-01-01", "2000-01-01 ", "12345678-01-01", "5874898-01-01", "4714-11-23 BC", "01/02/2000",
        " BC"};
    static const char *const timestamps[] = {"",
                                             "2000-01-01",
                                             "2000-01-01 24:00:01",
                                             "2000-01-01 12:60:00",
                                             "2000-01-01 12:00:00.1234567",
                                             "2000-01-01 12:00:00+16",
                                             "294277-01-01 00:00:00",
                                             "2000-01-01T00:00:00"};
    static const char *const intervals[] = {"",
                                            "1",
                                            "1 ",
                                            "1 fortnight",
                                            "1 day ",
                                            "1 day 04:05",
                                            "2147483648 days",
                                            "178956971 years",
                                            "04:05:06 1 day",
                                            "9999999999:00:00",
                                            "--1 day",
                                            "- days"};
    static const char *const numerics[] = {"", "-", ".", "1e5", "1.2.3", "0x10", " 1"};
    static const char *const arrays[] = {"",
                                         "{",
                                         "}",
                                         "{1",
                                         "{1,}",
                                         "{,1}",
                                         "{1,2}}",
                                         "{{1},2}",
                                         "{1,{2}}",
                                         "{{1,2},{3}}",
                                         "{{}}",
                                         "{{1},{}}",
                                         "[1:2]={1}",
                                         "[1:1]{1}",
                                         "[2:1]={}",
                                         "[x:1]={1}",
                                         "{\"a}",
                                         "{\"a\\",
                                         "{a\"b\"}",
                                         "{1 }x",
                                         "{{{{{{{1}}}}}}}",
                                         "1",
                                         "{1}{2}",
                                         "[-2147483648:2147483647]={1}",
                                         "{a\\b}",
                                         "{\"\"x}"};
    static const char *const pairs[] = {"",     "(",   "()",     "(1)",   "(1,2,3)", "(1,\"2)",
                                        "(1,2", "1,2", "(1,2)x", "(1,\\", "(1,\\)"};
    pgc_arena *arena = pgc_arena_new(4096);
    int32_t day;
    int64_t us;
    pgc_interval interval;
    __int128 decimal;
    pgc_numeric_kind kind;
    pgc_array array;
    pgconvoy_value *fields;
#define ALL_REFUSED(texts, call)                                                                                       \
    for (size_t i = 0; i < sizeof(texts) / sizeof *(texts); i++) {                                                     \
        pgconvoy_value v = from_text((texts)[i]);                                                                      \
        if ((call) != -1)                                                                                              \
            fail_msg(#texts ": '%s' was taken", (texts)[i]);                                                           \
        assert_int_equal(err.code, PGCONVOY_ERROR_DATA);                                                               \
    }
    ALL_REFUSED(dates, pgc_value_date(&v, &day, &err))
    ALL_REFUSED(timestamps, pgc_value_timestamp(&v, &us, &err))
    ALL_REFUSED(intervals, pgc_value_interval(&v, &interval, &err))
    ALL_REFUSED(numerics, pgc_value_decimal(&v, 2, &decimal, &kind, &err))
    ALL_REFUSED(arrays, pgc_value_array(type_zoo_find(&zoo, 1009), &v, arena, &array, &err))
    ALL_REFUSED(pairs, pgc_value_composite(type_zoo_find(&zoo, ZOO_PAIR), &v, arena, &fields, &err))
    pgc_arena_free(arena);
}

static void a_numeric_fits_a_scaled_integer_only_when_it_is_exact(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int scale, outcome;
        int64_t high, low; /* value = high × 10^18 + low */
    } cases[] = {
        {"1.50", 2, 1, 0, 150},
        {"1.50", 1, 1, 0, 15},
        {"1.50", 0, 0, 0, 0},
        {"-1.5", 9, 1, 0, -1500000000},
        {"0", 38, 1, 0, 0},
        {"0.0000", 0, 1, 0, 0},
        {"100", -2, 1, 0, 1},
        {"150", -2, 0, 0, 0},
        {"1000000000000000000000000000", 9, 1, INT64_C(1000000000000000000), 0},
        {"99999999999999999999", 0, 1, 99, 999999999999999999},
        {"-0.001", 3, 1, 0, -1},
        {"99999999999999999999999999999999999999", 1, 0, 0, 0},
        {"100000000000000000000000000000000000000", 0, 0, 0, 0},
        {"100000000000000000000000000000000000000", -2, 1, INT64_C(1000000000000000000), 0},
        {"1000000000000000000000000000000000000000000000000000000000000", 0, 0, 0, 0},
        {"0.000000000000000000000000000000000000000000001", 38, 0, 0, 0},
        {"123456789.123456789", 9, 1, 0, 123456789123456789},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pgconvoy_value value = from_text(cases[i].text);
        pgc_numeric_kind kind;
        __int128 got = 0, wanted = (__int128)cases[i].high * 1000000000000000000 + cases[i].low;
        int outcome = pgc_value_decimal(&value, cases[i].scale, &got, &kind, &err);
        if (outcome != cases[i].outcome || (outcome == 1 && got != wanted))
            fail_msg("%s at scale %d", cases[i].text, cases[i].scale);
        assert_int_equal(kind, PGC_NUMERIC_FINITE);
    }
    static const struct {
        const char *text;
        pgc_numeric_kind kind;
    } specials[] = {
        {"NaN", PGC_NUMERIC_NAN}, {"Infinity", PGC_NUMERIC_INFINITY}, {"-Infinity", PGC_NUMERIC_MINUS_INFINITY}};
    for (size_t i = 0; i < 3; i++) {
        pgconvoy_value value = from_text(specials[i].text);
        pgc_numeric_kind kind;
        __int128 got;
        assert_int_equal(pgc_value_decimal(&value, 2, &got, &kind, &err), 0);
        assert_int_equal(kind, specials[i].kind);
    }
}

/* Half way between the number and its neighbour: such a text is not taken, since who reads it may round to either. */
static bool is_half_way(const char *text, double number, bool single)
{
    long double read = strtold(text, NULL), there = number;
    double next = read > there ? INFINITY : -INFINITY;
    long double neighbour = single ? nextafterf((float)number, (float)next) : nextafter(number, next);
    return read - there == neighbour - read;
}

static bool reads_back(const char *text, double number, bool single)
{
    return single ? strtof(text, NULL) == (float)number : strtod(text, NULL) == number;
}

/* The text reads back as the number, and no text of one digit less does. */
static void the_bounds_of_a_numeric_are_those_of_its_modifier(void **state)
{
    (void)state;
    static const struct {
        int precision, scale, before, behind;
    } modifiers[] = {{10, 2, 8, 2}, {5, 0, 5, 0}, {5, -2, 7, 0}, {3, 5, 0, 5}, {1000, 1000, 0, 1000}};
    int before = 9, behind = 9;
    for (size_t i = 0; i < sizeof modifiers / sizeof *modifiers; i++) {
        int32_t typmod = (modifiers[i].precision << 16 | (modifiers[i].scale & 0x7ff)) + 4;
        assert_true(pgc_numeric_bounds(typmod, &before, &behind));
        assert_int_equal(before, modifiers[i].before);
        assert_int_equal(behind, modifiers[i].behind);
    }
    assert_false(pgc_numeric_bounds(-1, &before, &behind));
    assert_int_equal(before + behind, 0);
}

static void check_shortest(const char *text, double number, bool single)
{
    if (!reads_back(text, number, single))
        fail_msg("%s is not %.17g", text, number);
    char fewer[64];
    int digits = 0, zeros = 0; /* significant digits, and the zeros at their end */
    for (const char *p = text; *p && *p != 'e'; p++) {
        digits += (*p >= '1' && *p <= '9') || (*p == '0' && digits > 0);
        zeros = *p == '0' && digits > 0 ? zeros + 1 : *p == '.' ? zeros : 0;
    }
    digits -= zeros;
    if (digits < 2)
        return;
    snprintf(fewer, sizeof fewer, "%.*e", digits - 2, number);
    if (reads_back(fewer, number, single) && !is_half_way(fewer, number, single))
        fail_msg("%s is as good as %s", fewer, text);
}

static void floats_are_written_shortest(void **state)
{
    (void)state;
    uint64_t seed = 88172645463325252u;
    for (int i = 0; i < 200000; i++) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        uint8_t wire[8];
        for (int b = 0; b < 8; b++)
            wire[b] = (uint8_t)(seed >> (56 - 8 * b));
        bool single = i % 2;
        pgconvoy_value value = {(char *)wire, single ? 4 : 8, PGCONVOY_BINARY};
        char *text;
        size_t length;
        double number;
        assert_int_equal(pgc_value_double(&value, &number, &err), 0);
        if (number != number)
            continue;
        assert_int_equal(
            pgconvoy_value_to_text(type_zoo_find(&zoo, single ? PGC_FLOAT4 : PGC_FLOAT8), &value, &text, &length, &err),
            0);
        check_shortest(text, number, single);
        free(text);
    }
}

static void a_type_has_a_binary_form_when_all_in_it_has(void **state)
{
    (void)state;
    assert_true(pgc_type_has_binary(type_zoo_find(&zoo, ZOO_NESTEDS)));
    assert_true(pgc_type_has_binary(type_zoo_find(&zoo, ZOO_POSITIVES)));
    assert_false(pgc_type_has_binary(type_zoo_find(&zoo, 790)));
    pgconvoy_type moneys = {
        .oid = 791, .kind = PGCONVOY_TYPE_ARRAY, .name = "_money", .element = type_zoo_find(&zoo, 790)};
    assert_false(pgc_type_has_binary(&moneys));
    pgconvoy_column fields[] = {{.name = "a", .type = type_zoo_find(&zoo, 23)}, {.name = "b", .type = &moneys}};
    pgconvoy_type composite = {
        .oid = 30000, .kind = PGCONVOY_TYPE_COMPOSITE, .name = "c", .field_count = 2, .fields = fields};
    assert_false(pgc_type_has_binary(&composite));
    pgconvoy_type of_another_extension = {.oid = 30001, .name = "vector", .extension = "other"};
    assert_false(pgc_type_has_binary(&of_another_extension));
}

static void nulls_and_unchanged_values_are_refused_by_every_reader(void **state)
{
    (void)state;
    char *text;
    size_t length;
    int64_t number;
    for (int32_t missing = -2; missing < 0; missing++)
        for (int format = 0; format < 2; format++) {
            pgconvoy_value value = {NULL, missing, (uint8_t)format};
            assert_int_equal(pgconvoy_value_to_text(type_zoo_find(&zoo, 25), &value, &text, &length, &err), -1);
            assert_int_equal(pgc_value_int64(type_zoo_find(&zoo, 23), &value, &number, &err), -1);
            assert_int_equal(err.code, PGCONVOY_ERROR_INTERNAL);
        }
}

static void a_buffer_over_its_maximum_is_an_error(void **state)
{
    (void)state;
    char bytes[400] = {0};
    pgconvoy_value value = {bytes, sizeof bytes, PGCONVOY_BINARY};
    pgc_buffer out;
    pgc_buffer_init(&out, 500);
    assert_int_equal(pgc_value_to_text(type_zoo_find(&zoo, PGC_BYTEA), &value, &out, &err), -1);
    assert_int_equal(err.code, PGCONVOY_ERROR_RESOURCE);
    pgc_buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_server_sent_has_the_servers_own_text),
        cmocka_unit_test(users_types_have_their_text),
        cmocka_unit_test(malformed_bytes_are_refused_by_the_types_name),
        cmocka_unit_test(malformed_texts_are_refused),
        cmocka_unit_test(a_numeric_fits_a_scaled_integer_only_when_it_is_exact),
        cmocka_unit_test(the_bounds_of_a_numeric_are_those_of_its_modifier),
        cmocka_unit_test(floats_are_written_shortest),
        cmocka_unit_test(a_type_has_a_binary_form_when_all_in_it_has),
        cmocka_unit_test(nulls_and_unchanged_values_are_refused_by_every_reader),
        cmocka_unit_test(a_buffer_over_its_maximum_is_an_error),
    };
    type_zoo_init(&zoo);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
