/* What is wanted, by the options: everything, chosen schemas, chosen tables, extensions and what belongs to them, what every database has. */
#include "catalog_fixture.h"

static pgconvoy_error err;

typedef struct kit {
    pgc_catalog *catalog;
    pgc_extension *extension;
} kit;

static char *one_name[] = {"x"};

/* schemas, tables, extensions: oids that were chosen, 0 for none. */
static kit begin(pgc_dump_options *options, uint32_t schema, uint32_t table, uint32_t extension)
{
    options->sections = PGC_SECTIONS_ALL;
    pgc_names chosen = {one_name, 1};
    if (schema)
        options->include_schemas = chosen;
    if (table)
        options->include_tables = chosen;
    if (extension)
        options->include_extensions = chosen;
    kit k = {.catalog = catalog_new(options, 150000)};
    const struct {
        pgc_oids *oids;
        uint32_t oid;
    } lists[] = {{&k.catalog->include_schemas, schema}, {&k.catalog->include_tables, table}, {&k.catalog->include_extensions, extension}};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        if (lists[i].oid) {
            lists[i].oids->items = malloc(sizeof(uint32_t));
            assert_non_null(lists[i].oids->items);
            lists[i].oids->items[0] = lists[i].oid;
            lists[i].oids->count = lists[i].oids->capacity = 1;
        }
    for (int i = 0; i < k.catalog->object_count; i++)
        assert_int_equal(pgc_select_schema(k.catalog, (pgc_schema *)k.catalog->objects[i], &err), 0);
    k.extension = pgc_catalog_add(k.catalog, PGC_KIND_EXTENSION, sizeof *k.extension, PGC_PG_EXTENSION, 20000, "e", NULL, &err);
    assert_non_null(k.extension);
    pgc_select_extension(k.catalog, k.extension);
    return k;
}

static pgc_object *object_in(kit k, uint32_t schema, uint32_t oid)
{
    pgc_object *object = pgc_catalog_add(k.catalog, PGC_KIND_COLLATION, sizeof *object, PGC_PG_COLLATION, oid, "o", pgc_catalog_schema(k.catalog, schema), &err);
    assert_non_null(object);
    return object;
}

static unsigned wanted_in(kit k, uint32_t schema, uint32_t oid)
{
    pgc_object *object = object_in(k, schema, oid);
    assert_int_equal(pgc_select_object(k.catalog, object, &err), 0);
    return object->wanted;
}

static unsigned wanted_table(kit k, uint32_t schema, uint32_t oid)
{
    pgc_relation *relation = pgc_catalog_add(k.catalog, PGC_KIND_RELATION, sizeof *relation, PGC_PG_CLASS, oid, "t", pgc_catalog_schema(k.catalog, schema), &err);
    assert_non_null(relation);
    assert_int_equal(pgc_select_relation(k.catalog, relation, &err), 0);
    return relation->object.wanted;
}

static unsigned wanted_global(kit k, uint32_t oid)
{
    pgc_object *object = object_in(k, 0, oid);
    assert_int_equal(pgc_select_global(k.catalog, object, PGC_PART_ACL, &err), 0);
    return object->wanted;
}

static void by_default_all_but_what_every_database_has(void **state)
{
    (void)state;
    pgc_dump_options options = {0};
    kit k = begin(&options, 0, 0, 0);
    assert_int_equal(wanted_in(k, 2200, 17001), PGC_PART_ALL);
    assert_int_equal(wanted_in(k, 2201, 17002), PGC_PART_ALL);
    assert_int_equal(wanted_in(k, 11, 950), PGC_PART_ACL);
    assert_int_equal(wanted_in(k, 0, 17003), PGC_PART_ALL);
    assert_int_equal(wanted_table(k, 2200, 17004), PGC_PART_ALL);
    assert_int_equal(wanted_global(k, 17005), PGC_PART_ALL);
    assert_int_equal(wanted_global(k, 405), PGC_PART_ACL);
    assert_int_equal(k.extension->object.wanted, PGC_PART_ALL);
    assert_false(pgc_catalog_schema(k.catalog, 2200)->create);
    assert_true(pgc_catalog_schema(k.catalog, 2201)->create);
    pgc_catalog_close(k.catalog);
}

static void a_chosen_schema_leaves_out_the_others_and_what_is_in_none(void **state)
{
    (void)state;
    pgc_dump_options options = {0};
    kit k = begin(&options, 2201, 0, 0);
    assert_int_equal(wanted_in(k, 2201, 17001), PGC_PART_ALL);
    assert_int_equal(wanted_in(k, 2200, 17002), 0);
    assert_int_equal(wanted_in(k, 11, 950), 0);
    assert_int_equal(wanted_in(k, 0, 17003), 0);
    assert_int_equal(wanted_global(k, 17004), 0);
    assert_int_equal(k.extension->object.wanted, 0);
    pgc_catalog_close(k.catalog);
}

static void public_is_created_when_it_was_chosen(void **state)
{
    (void)state;
    pgc_dump_options options = {0};
    kit k = begin(&options, 2200, 0, 0);
    assert_true(pgc_catalog_schema(k.catalog, 2200)->create);
    assert_int_equal(pgc_catalog_schema(k.catalog, 2200)->object.wanted, PGC_PART_ALL);
    pgc_catalog_close(k.catalog);
}

static void a_chosen_table_leaves_out_all_else(void **state)
{
    (void)state;
    pgc_dump_options options = {0};
    kit k = begin(&options, 0, 17001, 0);
    assert_int_equal(wanted_table(k, 2200, 17001), PGC_PART_ALL);
    assert_int_equal(wanted_table(k, 2200, 17002), 0);
    assert_int_equal(wanted_in(k, 2200, 17003), 0);
    assert_int_equal(wanted_in(k, 0, 17004), 0);
    pgc_catalog_close(k.catalog);
}

static void a_member_comes_with_its_extension(void **state)
{
    (void)state;
    pgc_dump_options options = {0};
    kit k = begin(&options, 0, 0, 0);
    assert_int_equal(pgc_catalog_add_member(k.catalog, PGC_PG_COLLATION, 17001, k.extension, &err), 0);
    pgc_object *object = object_in(k, 2200, 17001);
    assert_int_equal(pgc_select_object(k.catalog, object, &err), 0);
    assert_true(object->extension_member);
    assert_int_equal(object->wanted, PGC_PART_ACL);
    assert_int_equal(object->need_count, 1);
    assert_int_equal(object->needs[0], k.extension->object.id);
    pgc_catalog_close(k.catalog);
}

static void an_upgrade_makes_members_one_by_one(void **state)
{
    (void)state;
    pgc_dump_options options = {.binary_upgrade = true};
    kit k = begin(&options, 0, 0, 0);
    assert_int_equal(pgc_catalog_add_member(k.catalog, PGC_PG_COLLATION, 17001, k.extension, &err), 0);
    assert_int_equal(wanted_in(k, 2200, 17001), PGC_PART_ALL);
    pgc_catalog_close(k.catalog);
}

static void a_chosen_extension_alone(void **state)
{
    (void)state;
    pgc_dump_options options = {0};
    kit k = begin(&options, 0, 0, 20000);
    assert_int_equal(k.extension->object.wanted, PGC_PART_ALL);
    assert_int_equal(wanted_global(k, 17001), 0);
    pgc_catalog_close(k.catalog);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_default_all_but_what_every_database_has),
        cmocka_unit_test(a_chosen_schema_leaves_out_the_others_and_what_is_in_none),
        cmocka_unit_test(public_is_created_when_it_was_chosen),
        cmocka_unit_test(a_chosen_table_leaves_out_all_else),
        cmocka_unit_test(a_member_comes_with_its_extension),
        cmocka_unit_test(an_upgrade_makes_members_one_by_one),
        cmocka_unit_test(a_chosen_extension_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
