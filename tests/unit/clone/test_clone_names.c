/* Other names: lines of a mapping, and schemas in SQL that a server wrote. */
#include "clone/sql_names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static pgc_mapping *mapping_of(pgc_mapping_kind kind, const char *line)
{
    pgconvoy_error err = {0};
    pgc_mapping *mapping = pgc_mapping_new(&err);
    assert_non_null(mapping);
    if (pgc_mapping_add(mapping, kind, line, &err) == 0)
        return mapping;
    pgc_mapping_free(mapping);
    assert_int_equal(err.code, PGCONVOY_ERROR_USAGE);
    return NULL;
}

static void names_are_read_as_in_sql(void **state)
{
    (void)state;
    const char *schema, *name;
    pgc_mapping *mapping = mapping_of(PGC_MAPPING_TABLE, "Shop . \"T.\"\"x\" = \"New s\".U");
    pgc_mapping_target(mapping, "shop", "T.\"x", &schema, &name);
    assert_string_equal(schema, "New s");
    assert_string_equal(name, "u");
    pgc_mapping_target(mapping, "shop", "t", &schema, &name);
    assert_string_equal(schema, "shop");
    assert_string_equal(name, "t");
    pgc_mapping_free(mapping);
    static const char *const bad[] = {"",          "a",       "a=b",     "a.t=", "a.t=b.",
                                      "a.t=b.c.d", "a.\"t=b", "a.t.c=b", ".t=b", NULL};
    for (const char *const *line = bad; *line; line++)
        assert_null(mapping_of(PGC_MAPPING_TABLE, *line));
}

static void columns_are_a_list(void **state)
{
    (void)state;
    pgc_mapping *mapping = mapping_of(PGC_MAPPING_COLUMNS, "a.t=c, \"D\"");
    const pgc_mapped_table *table = pgc_mapping_table(mapping, "a", "t");
    assert_true(pgc_mapped_has(table, "c") && pgc_mapped_has(table, "D") && !pgc_mapped_has(table, "d"));
    pgc_mapping_free(mapping);
    assert_null(mapping_of(PGC_MAPPING_COLUMNS, "a.t=c,"));
    assert_null(mapping_of(PGC_MAPPING_COLUMNS, "a.t=c d"));
}

typedef struct sample {
    const char *sql, *mapped;
    bool is_query, is_ambiguous, is_in_text;
} sample;

static void schemas_are_found_where_they_stand(void **state)
{
    (void)state;
    static const sample samples[] = {
        {"CREATE TABLE a.t (a integer, b a.kind DEFAULT nextval('a.s'::regclass));",
         "CREATE TABLE \"n\".t (a integer, b \"n\".kind DEFAULT nextval('\"n\".s'::regclass));", false, false, false},
        {"COMMENT ON TABLE a.t IS 'of a.t';", "COMMENT ON TABLE \"n\".t IS 'of a.t';", false, false, true},
        {"GRANT ALL ON SCHEMA a TO a;", "GRANT ALL ON SCHEMA \"n\" TO a;", false, false, false},
        {"DROP SCHEMA IF EXISTS a;", "DROP SCHEMA IF EXISTS \"n\";", false, false, false},
        {"x OPERATOR(a.=) b.a.c + 1.5 || \"a\".f(\"A\".g())", "x OPERATOR(\"n\".=) b.a.c + 1.5 || \"n\".f(\"A\".g())",
         false, false, false},
        {"(x).a.b -- a.t\n", "(x).a.b -- a.t\n", false, false, false},
        {"SET search_path TO 'a', 'pg_temp'\n AS 'a'", "SET search_path TO 'n', 'pg_temp'\n AS 'a'", false, false,
         false},
        {"AS $_$ SELECT a.f($1) $_$;", "AS $_$ SELECT a.f($1) $_$;", false, false, true},
        {"E'a\\'.t' a.t", "E'a\\'.t' \"n\".t", false, false, false},
        {"SELECT t.x FROM a.t", "SELECT t.x FROM \"n\".t", true, false, false},
        {"SELECT a.x FROM b.t a", "SELECT \"n\".x FROM b.t a", true, true, false},
        {"SELECT t.a FROM a.t", "SELECT t.a FROM \"n\".t", true, true, false},
    };
    pgc_mapping *mapping = mapping_of(PGC_MAPPING_SCHEMA, "a=n");
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        clone_sql_names names = {.mapping = mapping, .is_query = samples[i].is_query};
        pgc_buffer out;
        pgc_buffer_init(&out, 1 << 16);
        clone_sql_map_schemas(&names, samples[i].sql, &out);
        assert_string_equal(out.data, samples[i].mapped);
        assert_int_equal(names.is_ambiguous, samples[i].is_ambiguous);
        assert_int_equal(names.is_in_text, samples[i].is_in_text);
        pgc_buffer_free(&out);
    }
    pgc_mapping_free(mapping);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_read_as_in_sql),
        cmocka_unit_test(columns_are_a_list),
        cmocka_unit_test(schemas_are_found_where_they_stand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
