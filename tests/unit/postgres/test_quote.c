/* Quoting: what needs quotes on which server, and what is doubled inside them. */
#include "postgres/keywords.h"
#include "postgres/quote.h"

#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

static void assert_quoted(const char *name, int version, bool always, const char *expected)
{
    pgc_buffer out;
    pgc_buffer_init(&out, 1000);
    pgc_quote_identifier_if_needed(&out, name, version, always);
    assert_false(out.failed);
    assert_string_equal(out.data, expected);
    pgc_buffer_free(&out);
}

static void a_plain_name_stands_bare(void **state)
{
    (void)state;
    assert_quoted("orders", 150020, false, "orders");
    assert_quoted("_x9_", 150020, false, "_x9_");
    assert_quoted("orders", 150020, true, "\"orders\"");
}

static void other_characters_are_quoted(void **state)
{
    (void)state;
    assert_quoted("Orders", 150020, false, "\"Orders\"");
    assert_quoted("9lives", 150020, false, "\"9lives\"");
    assert_quoted("a b", 150020, false, "\"a b\"");
    assert_quoted("a$", 150020, false, "\"a$\"");
    assert_quoted("\303\244", 150020, false, "\"\303\244\"");
    assert_quoted("say \"x\"", 150020, false, "\"say \"\"x\"\"\"");
    assert_quoted("", 150020, false, "\"\"");
}

static void a_name_in_a_sentence_can_be_run(void **state)
{
    (void)state;
    char name[PGC_QUOTED_NAME_SIZE], longest[64];
    assert_string_equal(pgc_quoted_name("public", "orders", name), "public.orders");
    assert_string_equal(pgc_quoted_name("Shop", "INH 102", name), "\"Shop\".\"INH 102\"");
    assert_string_equal(pgc_quoted_name(NULL, "uuid-ossp", name), "\"uuid-ossp\"");
    assert_string_equal(pgc_quoted_name(NULL, "system_user", name), "\"system_user\""); /* a key word since 16 */
    memset(longest, '"', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(strlen(pgc_quoted_name(longest, longest, name)), 2 * (2 * 63 + 2) + 1);
}

static void a_keyword_is_quoted_unless_it_is_unreserved(void **state)
{
    (void)state;
    assert_quoted("select", 150020, false, "\"select\"");
    assert_quoted("int", 150020, false, "\"int\"");   /* a column's name, but no function's */
    assert_quoted("left", 150020, false, "\"left\""); /* a function's name, but no table's */
    assert_quoted("abort", 150020, false, "abort");
}

static void a_keyword_counts_from_its_version_on(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        int since;
    } rows[] = {{"all", 12}, {"xmltable", 12}, {"normalize", 13}, {"json_array", 16}, {"system_user", 16}, {"json", 17}, {"merge_action", 17}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int major = 12; major <= 18; major++)
            assert_int_equal(pgc_keyword_needs_quotes(rows[i].word, major * 10000 + 3), major >= rows[i].since);
    assert_false(pgc_keyword_needs_quotes("", 180000));
    assert_false(pgc_keyword_needs_quotes("zzz", 180000));
}

static void elements_of_an_array_are_quoted_whatever_they_are(void **state)
{
    (void)state;
    pgc_buffer array;
    pgc_buffer_init(&array, 1000);
    static const char *const texts[] = {"plain", "", "NULL", "a,b", "say \"x\"", "back\\slash", "{}"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        pgc_quote_array_element(&array, texts[i]);
    pgc_buffer_byte(&array, '}');
    assert_string_equal(array.data, "{\"plain\",\"\",\"NULL\",\"a,b\",\"say \\\"x\\\"\",\"back\\\\slash\",\"{}\"}");
    pgc_buffer_free(&array);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_name_stands_bare),
        cmocka_unit_test(other_characters_are_quoted),
        cmocka_unit_test(a_name_in_a_sentence_can_be_run),
        cmocka_unit_test(a_keyword_is_quoted_unless_it_is_unreserved),
        cmocka_unit_test(a_keyword_counts_from_its_version_on),
        cmocka_unit_test(elements_of_an_array_are_quoted_whatever_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
