/* Types, functions, aggregates, languages, casts and transforms from their rows to their commands, and what differs by the server's version and by the options. */
#include "catalog_fixture.h"

#include "catalog/setting.h"

#define TYPES     "oid | typname | typnamespace | typowner | typacl | formatted | typelem | typarray | typrelid | relkind | typtype | typisdefined | is_array\n"
#define FUNCTIONS "oid | name | schema | owner | prolang | proargtypes | prorettype | prokind | identity_arguments | defined | arguments | result | lanname | " \
                  "provolatile | proisstrict | proparallel | cost | proconfig | body | prosrc | probin\n"
#define INT4      "23 | int4 | 11 | 10 | ~ | integer | 0 | 1007 | 0 | ~ | b | t | f\n"

static const pgc_dump_options upgrade = {.sections = PGC_SECTIONS_ALL, .binary_upgrade = true};

static void a_named_not_null_of_a_domain_keeps_its_name_where_it_is_not_the_usual_one(void **state)
{
    (void)state;
    pgc_catalog *catalog = catalog_new(NULL, 170000);
    catalog_take(catalog, pgc_take_types,
                 TYPES "501 | one | 2200 | 10 | ~ | one | 0 | 0 | 0 | ~ | d | t | f\n"
                       "502 | two | 2201 | 11 | ~ | two | 0 | 0 | 0 | ~ | d | t | f\n");
    catalog_take(catalog, pgc_take_type_details,
                 "oid | typtype | definition | domain_collation | typnotnull | default_expression | default_literal\n"
                 "501 | d | text | pg_catalog.\"C\" | t | ~ | it's\n"
                 "502 | d | integer | ~ | t | (1 + 1) | ~\n");
    catalog_take(catalog, pgc_take_domain_checks,
                 "contypid | oid | conname | contype | convalidated | definition\n"
                 "501 | 601 | one_not_null | n | t | NOT NULL\n"
                 "501 | 602 | small | c | t | CHECK ((VALUE < 9))\n"
                 "502 | 603 | My NN | n | t | NOT NULL\n"
                 "502 | 604 | later | c | f | CHECK ((VALUE > 0)) NOT VALID\n");
    catalog_take(catalog, pgc_take_comments, "classoid | objoid | objsubid | text\n2606 | 602 | 0 | why\n2606 | 603 | 0 | not\n");
    assert_sql(catalog, "-- DOMAIN two\n"
                        "CREATE DOMAIN \"My Schema\".two AS integer CONSTRAINT \"My NN\" NOT NULL DEFAULT (1 + 1);\n"
                        "-- COMMENT CONSTRAINT \"My NN\" ON DOMAIN two\n"
                        "COMMENT ON CONSTRAINT \"My NN\" ON DOMAIN \"My Schema\".two IS 'not';\n"
                        "-- DOMAIN one\n"
                        "CREATE DOMAIN public.one AS text COLLATE pg_catalog.\"C\" NOT NULL DEFAULT 'it''s'\n"
                        "\tCONSTRAINT small CHECK ((VALUE < 9));\n"
                        "-- COMMENT CONSTRAINT small ON DOMAIN one\n"
                        "COMMENT ON CONSTRAINT small ON DOMAIN public.one IS 'why';\n"
                        "-- CHECK CONSTRAINT two later\n"
                        "ALTER DOMAIN \"My Schema\".two\n    ADD CONSTRAINT later CHECK ((VALUE > 0)) NOT VALID;\n");
    pgc_catalog_close(catalog);
}

static void a_base_type_is_made_ahead_of_its_functions(void **state)
{
    (void)state;
    pgc_catalog *catalog = catalog_new(NULL, 150000);
    catalog_take(catalog, pgc_take_functions,
                 FUNCTIONS "701 | t_in | 2200 | 10 | 12 | 2275 | 501 | f | cstring | t | cstring | public.t | internal | i | t | u | ~ | ~ | ~ | textin | ~\n"
                           "702 | t_out | 2200 | 10 | 12 | 501 | 2275 | f | public.t | t | public.t | cstring | internal | v | f | s | 5 | ~ | ~ | textout | ~\n");
    catalog_take(catalog, pgc_take_types,
                 TYPES "501 | t | 2200 | 10 | ~ | public.t | 0 | 502 | 0 | ~ | b | t | f\n"
                       "502 | _t | 2200 | 10 | ~ | public.t[] | 501 | 0 | 0 | ~ | b | t | t\n"
                       "2275 | cstring | 11 | 10 | ~ | cstring | 0 | 0 | 0 | ~ | p | t | f\n");
    catalog_take(catalog, pgc_take_type_details,
                 "oid | typtype | length | typinput | typoutput | default_literal | category | alignment | storage | by_value\n"
                 "501 | b | 4 | public.t_in | public.t_out | x | ' | int4 | plain | \n");
    catalog_take(catalog, pgc_take_dependencies,
                 "classid | objid | refclassid | refobjid | deptype\n1255 | 701 | 1247 | 501 | n\n1255 | 702 | 1247 | 501 | n\n"
                 "1247 | 501 | 1255 | 701 | n\n1247 | 501 | 1255 | 702 | n\n");
    assert_sql(catalog, "-- SHELL TYPE t\n"
                        "CREATE TYPE public.t;\n"
                        "-- FUNCTION t_in(cstring)\n"
                        "CREATE FUNCTION public.t_in(cstring) RETURNS public.t\n    LANGUAGE internal IMMUTABLE STRICT\n    AS $$textin$$;\n"
                        "-- FUNCTION t_out(public.t)\n"
                        "CREATE FUNCTION public.t_out(public.t) RETURNS cstring\n    LANGUAGE internal COST 5 PARALLEL SAFE\n    AS $$textout$$;\n"
                        "-- TYPE t\n"
                        "CREATE TYPE public.t (\n    INTERNALLENGTH = 4,\n    INPUT = public.t_in,\n    OUTPUT = public.t_out,\n    DEFAULT = 'x',\n"
                        "    CATEGORY = '''',\n    ALIGNMENT = int4,\n    STORAGE = plain,\n    PASSEDBYVALUE\n);\n");
    pgc_catalog_close(catalog);
}

static void take_composite_and_enum(pgc_catalog *catalog)
{
    catalog_take(catalog, pgc_take_types,
                 TYPES "501 | pair | 2200 | 10 | ~ | pair | 0 | 503 | 502 | c | c | t | f\n"
                       "504 | mood | 2200 | 10 | ~ | mood | 0 | 0 | 0 | ~ | e | t | f\n"
                       "505 | shell | 2200 | 10 | ~ | shell | 0 | 0 | 0 | ~ | p | f | f\n"
                       "506 | a_table | 2200 | 10 | ~ | a_table | 0 | 0 | 999 | r | c | t | f\n");
    catalog_take(catalog, pgc_take_type_columns,
                 "reltype | attname | attnum | definition | attlen | attalign | attisdropped | collation | version | has_versions\n"
                 "501 | gone | 1 | - | 4 | i | t | ~ | 4294967297 | t\n"
                 "501 | b C | 2 | text | -1 | i | f | public.c | 255 | t\n");
    catalog_take(catalog, pgc_take_type_enums, "enumtypid | oid | enumlabel\n504 | 801 | ok\n504 | 802 | it's\n");
}

static void composite_enum_and_undefined_types(void **state)
{
    (void)state;
    pgc_catalog *catalog = catalog_new(NULL, 150000);
    take_composite_and_enum(catalog);
    assert_sql(catalog, "-- TYPE mood\nCREATE TYPE public.mood AS ENUM (\n    'ok',\n    'it''s'\n);\n"
                        "-- TYPE pair\nCREATE TYPE public.pair AS (\n\t\"b C\" text COLLATE public.c\n);\n"
                        "-- TYPE shell\nCREATE TYPE public.shell;\n");
    pgc_catalog_close(catalog);
}

static void an_upgrade_keeps_oids_labels_and_dropped_columns(void **state)
{
    (void)state;
    pgc_catalog *catalog = catalog_new(&upgrade, 150000);
    take_composite_and_enum(catalog);
    pgc_buffer sql = catalog_sql(catalog);
    static const char *const parts[] = {
        "binary_upgrade_set_next_pg_type_oid('504'::pg_catalog.oid)",
        "CREATE TYPE public.mood AS ENUM (\n);\n\n-- For binary upgrade, must preserve pg_enum oids\n",
        "SELECT pg_catalog.binary_upgrade_set_next_pg_enum_oid('802'::pg_catalog.oid);\nALTER TYPE public.mood ADD VALUE 'it''s';\n\n",
        "binary_upgrade_set_next_array_pg_type_oid('503'::pg_catalog.oid)",
        "binary_upgrade_set_next_heap_pg_class_oid('502'::pg_catalog.oid)",
        "binary_upgrade_set_next_attribute_versions('{1/1,0/FF}'::pg_catalog.pg_lsn[])",
        "CREATE TYPE public.pair AS (\n\tgone INTEGER /* dummy */,\n\t\"b C\" text COLLATE public.c\n);\n",
        "SET attlen = 4, attalign = 'i', attbyval = false\nWHERE attname = 'gone'\n  AND attrelid = 'public.pair'::pg_catalog.regclass;\n",
        "ALTER TYPE public.pair DROP ATTRIBUTE gone;\n",
    };
    const char *at = sql.data;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        at = strstr(at, parts[i]);
        if (!at)
            fail_msg("%s is not there, or not in its place, in %s", parts[i], sql.data);
    }
    pgc_buffer_free(&sql);
    pgc_catalog_close(catalog);
}

static void functions_have_settings_bodies_and_libraries(void **state)
{
    (void)state;
    pgc_catalog *catalog = catalog_new(NULL, 150000);
    catalog_take(catalog, pgc_take_types, TYPES INT4);
    catalog_take(catalog, pgc_take_functions,
                 FUNCTIONS
                 "701 | f | 2200 | 10 | 14 | 23 23 | 23 | f | a integer, b integer | t | a integer, b integer DEFAULT 1 | integer | sql | s | f | r | ~ | "
                 "{\"search_path=\\\"$user\\\", x\",work_mem=1MB} | BEGIN ATOMIC SELECT 1; END |  | \n"
                 "702 | f | 2200 | 10 | 13 | 23 | 23 | f | integer | t | integer | integer | c | v | f | u | ~ | ~ | ~ | symbol | $libdir/x\n"
                 "703 | f | 2200 | 10 | 14 |  | 0 | p |  | t |  | ~ | sql | v | f | u | ~ | ~ | ~ | SELECT $$x$$ | \n"
                 "704 | g | 2200 | 10 | 13 |  | 23 | w |  | t |  | integer | c | v | f | u | ~ | ~ | ~ | it's | lib\n");
    assert_sql(catalog,
                        "-- PROCEDURE f()\n"
                        "CREATE PROCEDURE public.f()\n    LANGUAGE sql\n    AS $_$SELECT $$x$$$_$;\n"
                        "-- FUNCTION f(integer)\n"
                        "CREATE FUNCTION public.f(integer) RETURNS integer\n    LANGUAGE c\n    AS '$libdir/x', 'symbol';\n"
                        "-- FUNCTION f(integer, integer)\n"
                        "CREATE FUNCTION public.f(a integer, b integer DEFAULT 1) RETURNS integer\n    LANGUAGE sql STABLE PARALLEL RESTRICTED\n"
                        "    SET search_path TO '$user', 'x'\n    SET work_mem TO '1MB'\n    BEGIN ATOMIC SELECT 1; END;\n"
                        "-- FUNCTION g()\n"
                        "CREATE FUNCTION public.g() RETURNS integer\n    LANGUAGE c WINDOW\n    AS 'lib', $$it's$$;\n");
    pgc_catalog_close(catalog);
}

static void assert_setting(pgc_ddl *ddl, const char *name, const char *value, const char *expected)
{
    pgc_buffer *out = pgc_ddl_buffer(ddl);
    pgc_buffer_text(out, "");
    pgc_ddl_setting_value(ddl, out, name, value);
    assert_string_equal(out->data, expected);
    pgc_ddl_after_object(ddl);
}

static void lists_of_names_become_lists_of_literals(void **state)
{
    (void)state;
    pgconvoy_error err = {0};
    pgc_entries entries;
    pgc_ddl ddl;
    pgc_catalog *catalog = catalog_new(NULL, 150000);
    assert_int_equal(pgc_entries_init(&entries, &err), 0);
    assert_int_equal(pgc_ddl_init(&ddl, catalog, &entries, &err), 0);
    assert_setting(&ddl, "work_mem", "it's, \"x\"", "'it''s, \"x\"'");
    assert_setting(&ddl, "search_path", "", "");
    assert_setting(&ddl, "Search_Path", " a ,\"B c\" , \"\"", "'a', 'B c', ''");
    assert_setting(&ddl, "temp_tablespaces", "\"q\"\"r\",\"a,b\"", "'q\"r', 'a,b'");
    /* what is no list is left out, as pg_dump does */
    assert_setting(&ddl, "search_path", "a,", "");
    assert_setting(&ddl, "search_path", ",a", "");
    assert_setting(&ddl, "search_path", "\"a", "");
    assert_setting(&ddl, "search_path", "a b", "");
    pgc_ddl_free(&ddl);
    pgc_entries_free(&entries);
    pgc_catalog_close(catalog);
}

static void aggregates_have_a_star_where_they_take_nothing(void **state)
{
    (void)state;
    pgc_catalog *catalog = catalog_new(NULL, 150000);
    catalog_take(catalog, pgc_take_types, TYPES INT4);
    catalog_take(catalog, pgc_take_aggregates,
                 "oid | name | schema | owner | proargtypes | acl | default_acl | identity_arguments | defined | arguments | aggtransfn | state_type | agginitval | "
                 "aggfinalfn | final_extra | final_modify | sort_operator | hypothetical\n"
                 "701 | n | 2200 | 10 |  | {alice=X/alice,bob=X/alice} | {=X/alice,alice=X/alice} |  | t |  | int8inc | bigint | '0 | ~ | ~ | ~ | ~ | ~\n"
                 "702 | o | 2200 | 10 | 23 23 | {=X/alice,alice=X/alice,bob=X/alice} | {=X/alice,alice=X/alice} | integer ORDER BY integer | t | "
                 "integer ORDER BY integer | s | internal | ~ | f |  | SHAREABLE | OPERATOR(pg_catalog.>) | \n");
    assert_sql(catalog, "-- AGGREGATE n(*)\n"
                        "CREATE AGGREGATE public.n(*) (\n    SFUNC = int8inc,\n    STYPE = bigint,\n    INITCOND = '''0'\n);\n"
                        "-- ACL FUNCTION n()\n"
                        "REVOKE ALL ON FUNCTION public.n() FROM PUBLIC;\nGRANT ALL ON FUNCTION public.n() TO bob;\n"
                        "-- AGGREGATE o(integer, integer)\n"
                        "CREATE AGGREGATE public.o(integer ORDER BY integer) (\n    SFUNC = s,\n    STYPE = internal,\n    FINALFUNC = f,\n    FINALFUNC_EXTRA,\n"
                        "    FINALFUNC_MODIFY = SHAREABLE,\n    SORTOP = OPERATOR(pg_catalog.>),\n    HYPOTHETICAL\n);\n"
                        "-- ACL FUNCTION o(integer, integer)\n"
                        "GRANT ALL ON FUNCTION public.o(integer, integer) TO bob;\n");
    pgc_catalog_close(catalog);
}

static void casts_transforms_and_languages_name_their_functions(void **state)
{
    (void)state;
    pgc_catalog *catalog = catalog_new(NULL, 150000);
    catalog_take(catalog, pgc_take_functions,
                 FUNCTIONS "70001 | F | 2201 | 10 | 12 | 23 | 25 | f | x integer | f | ~ | ~ | internal | v | f | u | ~ | ~ | ~ | ~ | ~\n");
    catalog_take(catalog, pgc_take_types, TYPES INT4 "25 | text | 11 | 10 | ~ | text | 0 | 0 | 0 | ~ | b | t | f\n");
    pgc_catalog_find(catalog, 1255, 70001)->wanted = 0;
    catalog_take(catalog, pgc_take_casts,
                 "oid | castsource | casttarget | castfunc | castcontext | castmethod\n"
                 "80001 | 23 | 25 | 70001 | i | f\n80002 | 25 | 23 | 0 | a | i\n80003 | 25 | 25 | 0 | e | b\n");
    catalog_take(catalog, pgc_take_transforms, "oid | trftype | lanname | trffromsql | trftosql\n80011 | 23 | pl X | 0 | 70001\n80012 | 25 | sql | 70001 | 70001\n");
    catalog_take(catalog, pgc_take_languages,
                 "oid | lanname | lanowner | lanpltrusted | lanplcallfoid | laninline | lanvalidator | lanacl | acldefault\n"
                 "80021 | plo | 10 | t | 70001 | 0 | 0 | ~ | ~\n");
    assert_sql(catalog, "-- PROCEDURAL LANGUAGE plo\n"
                        "CREATE OR REPLACE PROCEDURAL LANGUAGE plo;\n"
                        "-- TRANSFORM TRANSFORM FOR integer LANGUAGE \"pl X\"\n"
                        "CREATE TRANSFORM FOR integer LANGUAGE \"pl X\" (TO SQL WITH FUNCTION \"My Schema\".\"F\"(integer));\n"
                        "-- TRANSFORM TRANSFORM FOR text LANGUAGE sql\n"
                        "CREATE TRANSFORM FOR text LANGUAGE sql (FROM SQL WITH FUNCTION \"My Schema\".\"F\"(integer), TO SQL WITH FUNCTION \"My Schema\".\"F\"(integer));\n"
                        "-- CAST CAST (integer AS text)\n"
                        "CREATE CAST (integer AS text) WITH FUNCTION \"My Schema\".\"F\"(integer) AS IMPLICIT;\n"
                        "-- CAST CAST (text AS integer)\n"
                        "CREATE CAST (text AS integer) WITH INOUT AS ASSIGNMENT;\n"
                        "-- CAST CAST (text AS text)\n"
                        "CREATE CAST (text AS text) WITHOUT FUNCTION;\n");
    pgc_catalog_close(catalog);
}

static void a_cast_without_its_function_is_refused(void **state)
{
    (void)state;
    pgc_catalog *catalog = catalog_new(NULL, 150000);
    catalog_take(catalog, pgc_take_types, TYPES INT4);
    catalog_take(catalog, pgc_take_casts, "oid | castsource | casttarget | castfunc | castcontext | castmethod\n80001 | 23 | 23 | 4711 | e | f\n");
    pgconvoy_error err = {0};
    pgc_entries entries;
    assert_int_equal(pgc_entries_init(&entries, &err), 0);
    assert_int_equal(pgc_catalog_order(catalog, &err), 0);
    assert_int_equal(pgc_catalog_entries(catalog, &entries, &err), -1);
    assert_string_equal(err.message, "could not find function definition for function with OID 4711");
    pgc_entries_free(&entries);
    pgc_catalog_close(catalog);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_named_not_null_of_a_domain_keeps_its_name_where_it_is_not_the_usual_one),
        cmocka_unit_test(a_base_type_is_made_ahead_of_its_functions),
        cmocka_unit_test(composite_enum_and_undefined_types),
        cmocka_unit_test(an_upgrade_keeps_oids_labels_and_dropped_columns),
        cmocka_unit_test(functions_have_settings_bodies_and_libraries),
        cmocka_unit_test(lists_of_names_become_lists_of_literals),
        cmocka_unit_test(aggregates_have_a_star_where_they_take_nothing),
        cmocka_unit_test(casts_transforms_and_languages_name_their_functions),
        cmocka_unit_test(a_cast_without_its_function_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
