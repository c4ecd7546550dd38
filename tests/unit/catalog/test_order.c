/* The order of a dump: by rank, schema and name, then by need, with loops broken. */
#include "catalog_fixture.h"

static pgc_catalog *catalog;
static pgconvoy_error err;

static int begin(void **state)
{
    (void)state;
    catalog = catalog_new(NULL, 150000);
    return 0;
}

static int end(void **state)
{
    (void)state;
    pgc_catalog_close(catalog);
    return 0;
}

static pgc_object *add(pgc_kind kind, uint32_t schema, const char *name)
{
    static const size_t large_enough = 1024;
    pgc_object *object = pgc_catalog_add(catalog, kind, large_enough, 0, 0, name, pgc_catalog_schema(catalog, schema), &err);
    assert_non_null(object);
    return object;
}

static void need(pgc_object *object, const pgc_object *other)
{
    assert_int_equal(pgc_object_needs(catalog, object, other->id, &err), 0);
}

static void assert_order(const char *expected)
{
    if (pgc_catalog_order(catalog, &err) != 0)
        fail_msg("%s", err.message);
    char names[1000] = "";
    for (int i = 0; i < catalog->object_count; i++) {
        const pgc_object *object = catalog->objects[i];
        if (object->kind == PGC_KIND_SCHEMA)
            continue;
        strcat(names, names[0] ? " " : "");
        strcat(names, object->kind == PGC_KIND_PRE_DATA_BOUNDARY ? "[" : object->kind == PGC_KIND_POST_DATA_BOUNDARY ? "]" : object->name);
    }
    assert_string_equal(names, expected);
}

static void by_rank_then_schema_then_name(void **state)
{
    (void)state;
    add(PGC_KIND_RELATION, 2200, "b");
    add(PGC_KIND_RELATION, 2200, "B");
    add(PGC_KIND_RELATION, 2201, "z");
    add(PGC_KIND_COLLATION, 2200, "c");
    add(PGC_KIND_EXTENSION, 0, "e");
    add(PGC_KIND_FOREIGN_SERVER, 0, "s");
    add(PGC_KIND_INDEX, 2200, "a");
    add(PGC_KIND_TABLE_DATA, 2200, "d");
    assert_order("c e s z B b [ d ] a"); /* "My Schema" stands before "public", as bytes do */
}

static void what_is_needed_comes_first_and_the_rest_stays(void **state)
{
    (void)state;
    pgc_object *a = add(PGC_KIND_RELATION, 2200, "a"), *d = add(PGC_KIND_RELATION, 2200, "d");
    add(PGC_KIND_RELATION, 2200, "b");
    add(PGC_KIND_RELATION, 2200, "c");
    need(a, d);
    assert_order("d a b c [ ]");
}

static void a_need_across_kinds_moves_what_is_needed_up(void **state)
{
    (void)state;
    pgc_object *type = add(PGC_KIND_TYPE, 2200, "t"), *table = add(PGC_KIND_RELATION, 2200, "r");
    add(PGC_KIND_FUNCTION, 2200, "f");
    need(type, table);
    assert_order("r t f [ ]");
}

static void sections_hold_even_against_names(void **state)
{
    (void)state;
    add(PGC_KIND_TRIGGER, 2200, "a");
    add(PGC_KIND_EVENT_TRIGGER, 0, "a2");
    add(PGC_KIND_TABLE_DATA, 2200, "b");
    add(PGC_KIND_RELATION, 2200, "z");
    add(PGC_KIND_MATVIEW_REFRESH, 2200, "m");
    assert_order("z [ b ] a a2 m");
}

static void a_base_type_comes_after_its_shell_and_its_functions(void **state)
{
    (void)state;
    pgc_type *type = (pgc_type *)add(PGC_KIND_TYPE, 2200, "complex");
    pgc_shell_type *shell = (pgc_shell_type *)add(PGC_KIND_SHELL_TYPE, 2200, "shell");
    pgc_object *in = add(PGC_KIND_FUNCTION, 2200, "in"), *out = add(PGC_KIND_FUNCTION, 2200, "out");
    type->type = 'b';
    type->is_defined = true;
    type->shell = shell;
    shell->type = type;
    shell->object.wanted = 0;
    need(&type->object, in);
    need(&type->object, out);
    need(in, &type->object);
    need(out, &type->object);
    assert_order("shell in out complex [ ]");
    assert_true(shell->object.wanted & PGC_PART_DEFINITION);
}

static void a_loop_that_nobody_knows_is_broken_with_a_warning_or_refused_but_never_endless(void **state)
{
    (void)state;
    pgc_object *a = add(PGC_KIND_COLLATION, 2200, "a"), *b = add(PGC_KIND_CONVERSION, 2200, "b");
    need(a, b);
    need(b, a);
    (void)!pgc_catalog_order(catalog, &err);
}

static void a_need_of_what_was_not_read_is_no_need(void **state)
{
    (void)state;
    pgc_object *a = add(PGC_KIND_COLLATION, 2200, "a"), *b = add(PGC_KIND_COLLATION, 2200, "b");
    need(a, b);
    need(a, b);
    pgc_object_no_longer_needs(a, b->id);
    assert_int_equal(a->need_count, 0);
    assert_order("a b [ ]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(by_rank_then_schema_then_name, begin, end),
        cmocka_unit_test_setup_teardown(what_is_needed_comes_first_and_the_rest_stays, begin, end),
        cmocka_unit_test_setup_teardown(a_need_across_kinds_moves_what_is_needed_up, begin, end),
        cmocka_unit_test_setup_teardown(sections_hold_even_against_names, begin, end),
        cmocka_unit_test_setup_teardown(a_base_type_comes_after_its_shell_and_its_functions, begin, end),
        cmocka_unit_test_setup_teardown(a_loop_that_nobody_knows_is_broken_with_a_warning_or_refused_but_never_endless, begin, end),
        cmocka_unit_test_setup_teardown(a_need_of_what_was_not_read_is_no_need, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
