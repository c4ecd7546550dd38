/* What the writers share: names, quoting, storage options, entries. */
#include "catalog_fixture.h"

typedef struct setting {
    pgc_catalog *catalog;
    pgc_entries entries;
    pgc_ddl ddl;
    pgconvoy_error err;
} setting;

static setting *set_up(const pgc_dump_options *options, int version)
{
    setting *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->catalog = catalog_new(options, version);
    assert_int_equal(pgc_entries_init(&s->entries, &s->err), 0);
    s->entries.max_id = s->catalog->max_id;
    assert_int_equal(pgc_ddl_init(&s->ddl, s->catalog, &s->entries, &s->err), 0);
    return s;
}

static void tear_down(setting *s)
{
    pgc_ddl_free(&s->ddl);
    pgc_entries_free(&s->entries);
    pgc_catalog_close(s->catalog);
    free(s);
}

static void names_are_quoted_for_the_servers_version(void **state)
{
    (void)state;
    setting *s = set_up(NULL, 150000);
    assert_string_equal(pgc_ddl_name(&s->ddl, "orders"), "orders");
    assert_string_equal(pgc_ddl_name(&s->ddl, "json"), "json");
    assert_string_equal(pgc_ddl_qualified(&s->ddl, "My Schema", "select"), "\"My Schema\".\"select\"");
    assert_string_equal(pgc_ddl_qualified(&s->ddl, NULL, "a"), "a");
    assert_string_equal(pgc_ddl_qualified(&s->ddl, "", "a"), "a");
    tear_down(s);
    s = set_up(NULL, 170000);
    assert_string_equal(pgc_ddl_name(&s->ddl, "json"), "\"json\"");
    tear_down(s);
    pgc_dump_options all = {.sections = PGC_SECTIONS_ALL, .quote_all_identifiers = true};
    s = set_up(&all, 150000);
    assert_string_equal(pgc_ddl_qualified(&s->ddl, "public", "orders"), "\"public\".\"orders\"");
    tear_down(s);
}

static void assert_dollar_quoted(setting *s, const char *text, const char *prefix, const char *expected)
{
    pgc_buffer *out = pgc_ddl_buffer(&s->ddl);
    pgc_ddl_dollar_quoted(&s->ddl, out, text, prefix);
    assert_string_equal(out->data, expected);
    pgc_ddl_after_object(&s->ddl);
}

static void dollar_quotes_do_not_occur_in_what_they_quote(void **state)
{
    (void)state;
    setting *s = set_up(NULL, 150000);
    assert_dollar_quoted(s, "SELECT 'x'", NULL, "$$SELECT 'x'$$");
    assert_dollar_quoted(s, "DO $$x$$", NULL, "$_$DO $$x$$$_$");
    assert_dollar_quoted(s, "$_$ $$", NULL, "$_X$$_$ $$$_X$");
    assert_dollar_quoted(s, "costs $1", NULL, "$_$costs $1$_$");
    assert_dollar_quoted(s, "x", "body", "$body$x$body$");
    assert_dollar_quoted(s, "", NULL, "$$$$");
    tear_down(s);
}

static void storage_options_are_quoted_where_they_must(void **state)
{
    (void)state;
    setting *s = set_up(NULL, 150000);
    pgc_buffer *out = pgc_ddl_buffer(&s->ddl);
    assert_true(pgc_ddl_reloptions(&s->ddl, out, "{fillfactor=70,buffering=auto,autovacuum_enabled=false,x=a=b,y=}", "toast."));
    assert_string_equal(out->data, "toast.fillfactor='70', toast.buffering=auto, toast.autovacuum_enabled='false', toast.x='a=b', toast.y=''");
    assert_false(pgc_ddl_reloptions(&s->ddl, pgc_ddl_buffer(&s->ddl), "fillfactor=70", ""));
    tear_down(s);
}

static void an_entry_takes_from_its_object_what_is_not_said(void **state)
{
    (void)state;
    setting *s = set_up(NULL, 150000);
    pgc_object *object = pgc_catalog_add(s->catalog, PGC_KIND_COLLATION, sizeof *object, PGC_PG_COLLATION, 77, "c", pgc_catalog_schema(s->catalog, 2200), &s->err);
    assert_non_null(object);
    object->owner = "bob";
    s->entries.max_id = s->catalog->max_id;
    const pgc_entry *entry = PGC_ENTRY(&s->ddl, .object = object, .tag = "c", .description = "COLLATION", .section = PGC_SECTION_PRE_DATA, .create = "x");
    assert_int_equal(entry->id, object->id);
    assert_int_equal(entry->class_oid, PGC_PG_COLLATION);
    assert_int_equal(entry->oid, 77);
    assert_string_equal(entry->schema, "public");
    assert_string_equal(entry->owner, "bob");

    const int needs[] = {object->id};
    entry = PGC_ENTRY(&s->ddl, .id = -1, .tag = "n", .description = "COMMENT", .section = PGC_SECTION_NONE, .create = "y", .dependencies = needs,
                      .dependency_count = 1);
    assert_int_equal(entry->id, object->id + 1);
    assert_int_equal(entry->oid, 0);
    assert_null(entry->schema);
    assert_string_equal(entry->owner, "");
    assert_int_equal(entry->dependency_count, 1);
    assert_int_equal(entry->dependencies[0], object->id);

    entry = PGC_ENTRY(&s->ddl, .object = object, .id = -1, .no_catalog_row = true, .schema = "", .owner = "", .tag = "m", .description = "ACL",
                      .section = PGC_SECTION_NONE, .create = "z");
    assert_int_equal(entry->id, object->id + 2);
    assert_int_equal(entry->class_oid, 0);
    assert_null(entry->schema);
    assert_string_equal(entry->owner, "");
    tear_down(s);
}

static void the_first_failure_is_the_one_that_counts(void **state)
{
    (void)state;
    setting *s = set_up(NULL, 150000);
    pgc_ddl_fail(&s->ddl, "no %s", "luck");
    pgc_ddl_fail(&s->ddl, "and no money");
    assert_true(s->ddl.failed);
    assert_string_equal(s->err.message, "no luck");
    tear_down(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_quoted_for_the_servers_version),
        cmocka_unit_test(dollar_quotes_do_not_occur_in_what_they_quote),
        cmocka_unit_test(storage_options_are_quoted_where_they_must),
        cmocka_unit_test(an_entry_takes_from_its_object_what_is_not_said),
        cmocka_unit_test(the_first_failure_is_the_one_that_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
