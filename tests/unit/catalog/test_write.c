/* Small kinds from their rows to their commands, and what differs by the server's version and by the options. */
#include "catalog_fixture.h"

#define COLLATIONS "oid | name | schema | owner | collencoding | collprovider | collisdeterministic | collversion | collate | ctype | locale | rules\n"

static void a_collation_of_each_provider(void **state)
{
    (void)state;
    pgc_catalog *catalog = catalog_new(NULL, 170000);
    catalog_take(catalog, pgc_take_collations,
                 COLLATIONS
                 "501 | one  | 2200 | 10 | 6  | c | t | ~   | C | C     | ~       | ~\n"
                 "502 | two  | 2200 | 10 | 6  | c | t | 2.3 | C | POSIX | ~       | ~\n"
                 "503 | Icu  | 2201 | 11 | -1 | i | f | 153 | ~ | ~     | de'x    | &a < 'g'\n"
                 "504 | own  | 2200 | 10 | 6  | b | t | 1   | ~ | ~     | C.UTF-8 | ~\n"
                 "505 | same | 11   | 10 | 6  | c | t | ~   | C | C     | ~       | ~\n");
    assert_sql(catalog, "-- COLLATION Icu\n"
                        "CREATE COLLATION \"My Schema\".\"Icu\" (provider = icu, deterministic = false, locale = 'de''x', rules = '&a < ''g''');\n"
                        "-- COLLATION one\n"
                        "CREATE COLLATION public.one (provider = libc, locale = 'C');\n"
                        "-- COLLATION own\n"
                        "CREATE COLLATION public.own (provider = builtin, locale = 'C.UTF-8');\n"
                        "-- COLLATION two\n"
                        "CREATE COLLATION public.two (provider = libc, lc_collate = 'C', lc_ctype = 'POSIX');\n");
    pgc_catalog_close(catalog);
}

static void a_collation_keeps_its_version_in_an_upgrade_only(void **state)
{
    (void)state;
    pgc_dump_options upgrade = {.sections = PGC_SECTIONS_ALL, .binary_upgrade = true};
    pgc_catalog *catalog = catalog_new(&upgrade, 150000);
    catalog_take(catalog, pgc_take_collations, COLLATIONS "502 | two | 2200 | 10 | 6 | c | t | 2.3 | C | C | ~ | ~\n");
    assert_sql(catalog, "-- COLLATION two\nCREATE COLLATION public.two (provider = libc, locale = 'C', version = '2.3');\n");
    pgc_catalog_close(catalog);
}

static void count_warning(void *arg, const char *text, const char *hint)
{
    (void)hint;
    assert_string_equal(text, "invalid collation \"broken\"");
    (*(int *)arg)++;
}

static void a_collation_without_its_locale_is_written_with_a_warning(void **state)
{
    (void)state;
    int warnings = 0;
    pgc_dump_options options = {.sections = PGC_SECTIONS_ALL, .warning = count_warning, .arg = &warnings};
    pgc_catalog *catalog = catalog_new(&options, 150000);
    catalog_take(catalog, pgc_take_collations, COLLATIONS "501 | broken | 2200 | 10 | -1 | i | t | ~ | ~ | ~ | ~ | ~\n");
    assert_sql(catalog, "-- COLLATION broken\nCREATE COLLATION public.broken (provider = icu, locale = '');\n");
    assert_int_equal(warnings, 1);
    pgc_catalog_close(catalog);
}

static void an_operator_names_its_relatives_with_their_schema_and_its_functions_without_arguments(void **state)
{
    (void)state;
    pgc_catalog *catalog = catalog_new(NULL, 130000);
    catalog_take(catalog, pgc_take_operators,
                 "oid | name | schema | owner | oprkind | oprleft | oprright | oprcode | oprcom | oprnegate | oprcanmerge | oprcanhash"
                 " | code_name | left_name | right_name | rest_name | join_name\n"
                 "601 | === | 2200 | 10 | b | 23 | 23 | 700 | 601 | 602 | t | t"
                 " | public.\"eq(\"\"x)\"(integer,integer) | integer | integer | eqsel(internal,oid) | eqjoinsel(a,b)\n"
                 "602 | !== | 2201 | 10 | b | 23 | 23 | 701 | 0 | 601 | f | f | public.ne(integer,integer) | integer | integer | - | -\n"
                 "603 | @#  | 2200 | 10 | l | 0  | 23 | 702 | 0 | 0 | f | f | abs(integer) | - | integer | - | -\n"
                 "604 | @#@ | 2200 | 10 | b | 23 | 23 | 0   | 0 | 0 | f | f | - | integer | integer | - | -\n");
    assert_sql(catalog, "-- OPERATOR !==\n"
                        "CREATE OPERATOR \"My Schema\".!== (\n    FUNCTION = public.ne,\n    LEFTARG = integer,\n    RIGHTARG = integer,\n"
                        "    NEGATOR = OPERATOR(public.===)\n);\n"
                        "-- OPERATOR ===\n"
                        "CREATE OPERATOR public.=== (\n    FUNCTION = public.\"eq(\"\"x)\",\n    LEFTARG = integer,\n    RIGHTARG = integer,\n"
                        "    COMMUTATOR = OPERATOR(public.===),\n    NEGATOR = OPERATOR(\"My Schema\".!==),\n    MERGES,\n    HASHES,\n"
                        "    RESTRICT = eqsel,\n    JOIN = eqjoinsel\n);\n"
                        "-- OPERATOR @#\n"
                        "CREATE OPERATOR public.@# (\n    FUNCTION = abs,\n    RIGHTARG = integer\n);\n");
    pgc_catalog_close(catalog);
}

static void add_access_methods(pgc_catalog *catalog)
{
    catalog_take(catalog, pgc_take_access_methods, "oid | name | amtype | amhandler\n403 | btree | i | bthandler\n405 | hash | i | hashhandler\n783 | gist | i | g\n");
}

static void members_stand_with_their_class_or_their_family(void **state)
{
    (void)state;
    pgc_catalog *catalog = catalog_new(NULL, 150000);
    add_access_methods(catalog);
    catalog_take(catalog, pgc_take_operator_classes,
                 "oid | name | schema | owner | access_method | opcfamily | opcdefault | input_type | key_type\n"
                 "801 | c     | 2200 | 10 | 783 | 901 | t | point   | box\n"
                 "802 | c     | 2200 | 10 | 403 | 902 | f | integer | ~\n"
                 "803 | empty | 2200 | 10 | 403 | 902 | f | text    | ~\n");
    catalog_take(catalog, pgc_take_operator_families,
                 "oid | name | schema | owner | access_method\n901 | c | 2200 | 10 | 783\n902 | Fam | 2201 | 10 | 403\n");
    catalog_take(catalog, pgc_take_operator_class_items,
                 "class | oid | item | number | item_name | sort_family | left_name | right_name\n"
                 "2616 | 801 | o | 15 | <->(point,point) | 902 | ~ | ~\n"
                 "2616 | 801 | p | 1 | consistent(internal) | ~ | point | point\n"
                 "2616 | 802 | o | 1 | <(integer,integer) | ~ | ~ | ~\n"
                 "2616 | 809 | o | 1 | of nobody | ~ | ~ | ~\n"
                 "2753 | 902 | o | 1 | <(integer,bigint) | ~ | ~ | ~\n"
                 "2753 | 902 | p | 1 | btint48cmp(integer,bigint) | ~ | integer | bigint\n");
    assert_sql(catalog, "-- OPERATOR FAMILY Fam\n"
                        "CREATE OPERATOR FAMILY \"My Schema\".\"Fam\" USING btree;\n"
                        "ALTER OPERATOR FAMILY \"My Schema\".\"Fam\" USING btree ADD\n"
                        "    OPERATOR 1 <(integer,bigint) ,\n    FUNCTION 1 (integer, bigint) btint48cmp(integer,bigint);\n"
                        "-- OPERATOR CLASS c\n"
                        "CREATE OPERATOR CLASS public.c\n    FOR TYPE integer USING btree FAMILY \"My Schema\".\"Fam\" AS\n    OPERATOR 1 <(integer,integer);\n"
                        "-- OPERATOR CLASS c\n"
                        "CREATE OPERATOR CLASS public.c\n    DEFAULT FOR TYPE point USING gist FAMILY public.c AS\n    STORAGE box ,\n"
                        "    OPERATOR 15 <->(point,point) FOR ORDER BY \"My Schema\".\"Fam\" ,\n    FUNCTION 1 (point, point) consistent(internal);\n"
                        "-- OPERATOR FAMILY c\n"
                        "CREATE OPERATOR FAMILY public.c USING gist;\n"
                        "-- OPERATOR CLASS empty\n"
                        "CREATE OPERATOR CLASS public.empty\n    FOR TYPE text USING btree FAMILY \"My Schema\".\"Fam\" AS\n    STORAGE text;\n");
    pgc_catalog_close(catalog);
}

static void text_search_from_parser_to_configuration(void **state)
{
    (void)state;
    pgc_catalog *catalog = catalog_new(NULL, 150000);
    catalog_take(catalog, pgc_take_ts_parsers,
                 "oid | name | schema | prsstart | prstoken | prsend | prsheadline | prslextype\n3722 | default | 11 | s | t | e | h | l\n"
                 "1001 | P | 2200 | s | t | e | - | l\n");
    catalog_take(catalog, pgc_take_ts_templates, "oid | name | schema | tmplinit | tmpllexize\n1101 | t | 2200 | - | lex\n3727 | simple | 11 | i | l\n");
    catalog_take(catalog, pgc_take_ts_dictionaries,
                 "oid | name | schema | owner | dicttemplate | dictinitoption\n3765 | simple | 11 | 10 | 3727 | ~\n"
                 "1201 | d | 2200 | 10 | 3727 | stopwords = 'english'\n");
    catalog_take(catalog, pgc_take_ts_configurations, "oid | name | schema | owner | cfgparser\n1301 | c | 2201 | 11 | 3722\n1302 | none | 2201 | 11 | 1001\n");
    catalog_take(catalog, pgc_take_ts_configuration_maps,
                 "mapcfg | alias | mapdict\n1301 | asciiword | 1201\n1301 | asciiword | 3765\n1301 | int | 3765\n");
    assert_sql(catalog, "-- TEXT SEARCH PARSER P\n"
                        "CREATE TEXT SEARCH PARSER public.\"P\" (\n    START = s,\n    GETTOKEN = t,\n    END = e,\n    LEXTYPES = l );\n"
                        "-- TEXT SEARCH TEMPLATE t\n"
                        "CREATE TEXT SEARCH TEMPLATE public.t (\n    LEXIZE = lex );\n"
                        "-- TEXT SEARCH DICTIONARY d\n"
                        "CREATE TEXT SEARCH DICTIONARY public.d (\n    TEMPLATE = pg_catalog.simple,\n    stopwords = 'english' );\n"
                        "-- TEXT SEARCH CONFIGURATION c\n"
                        "CREATE TEXT SEARCH CONFIGURATION \"My Schema\".c (\n    PARSER = pg_catalog.\"default\" );\n"
                        "\nALTER TEXT SEARCH CONFIGURATION \"My Schema\".c\n    ADD MAPPING FOR asciiword WITH public.d, simple;\n"
                        "\nALTER TEXT SEARCH CONFIGURATION \"My Schema\".c\n    ADD MAPPING FOR \"int\" WITH simple;\n"
                        "-- TEXT SEARCH CONFIGURATION none\n"
                        "CREATE TEXT SEARCH CONFIGURATION \"My Schema\".\"none\" (\n    PARSER = public.\"P\" );\n");
    pgc_catalog_close(catalog);
}

static void a_server_brings_its_user_mappings(void **state)
{
    (void)state;
    pgc_catalog *catalog = catalog_new(NULL, 150000);
    catalog_take(catalog, pgc_take_foreign_data_wrappers,
                 "oid | name | owner | handler | validator | acl | default_acl | options\n1401 | W | 10 | public.h | - | ~ | ~ | debug 'on'\n");
    catalog_take(catalog, pgc_take_foreign_servers,
                 "oid | name | owner | srvfdw | srvtype | srvversion | acl | default_acl | options\n1501 | s | 11 | 1401 | o'ra | ~ | ~ | ~ | ~\n");
    catalog_take(catalog, pgc_take_user_mappings, "srvid | usename | options\n1501 | Bob | password 'secret'\n1501 | public | ~\n1502 | alice | ~\n");
    assert_sql(catalog, "-- FOREIGN DATA WRAPPER W\n"
                        "CREATE FOREIGN DATA WRAPPER \"W\" HANDLER public.h OPTIONS (\n    debug 'on'\n);\n"
                        "-- SERVER s\n"
                        "CREATE SERVER s TYPE 'o''ra' FOREIGN DATA WRAPPER \"W\";\n"
                        "-- USER MAPPING USER MAPPING Bob SERVER s\n"
                        "CREATE USER MAPPING FOR \"Bob\" SERVER s OPTIONS (\n    password 'secret'\n);\n"
                        "-- USER MAPPING USER MAPPING public SERVER s\n"
                        "CREATE USER MAPPING FOR public SERVER s;\n");
    pgc_catalog_close(catalog);
}

static void default_privileges_by_role_and_schema(void **state)
{
    (void)state;
    pgc_catalog *catalog = catalog_new(NULL, 180000);
    catalog_take(catalog, pgc_take_default_acls,
                 "oid | name | schema | owner | acl | default_acl\n"
                 "1601 | f | 0 | 11 | {bob=X/bob} | {=X/bob,bob=X/bob}\n"
                 "1602 | r | 2201 | 11 | {alice=r/bob} | {}\n"
                 "1603 | r | 2201 | 10 | {bob=ar*/alice} | {}\n"
                 "1604 | L | 0 | 10 | {alice=rw/alice,=r/alice} | {alice=rw/alice}\n");
    assert_sql(catalog, "-- DEFAULT ACL DEFAULT PRIVILEGES FOR TABLES\n"
                        "ALTER DEFAULT PRIVILEGES FOR ROLE alice IN SCHEMA \"My Schema\" GRANT INSERT ON TABLES TO bob;\n"
                        "ALTER DEFAULT PRIVILEGES FOR ROLE alice IN SCHEMA \"My Schema\" GRANT SELECT ON TABLES TO bob WITH GRANT OPTION;\n"
                        "-- DEFAULT ACL DEFAULT PRIVILEGES FOR TABLES\n"
                        "ALTER DEFAULT PRIVILEGES FOR ROLE bob IN SCHEMA \"My Schema\" GRANT SELECT ON TABLES TO alice;\n"
                        "-- DEFAULT ACL DEFAULT PRIVILEGES FOR LARGE OBJECTS\n"
                        "ALTER DEFAULT PRIVILEGES FOR ROLE alice GRANT SELECT ON LARGE OBJECTS TO PUBLIC;\n"
                        "-- DEFAULT ACL DEFAULT PRIVILEGES FOR FUNCTIONS\n"
                        "ALTER DEFAULT PRIVILEGES FOR ROLE bob REVOKE ALL ON FUNCTIONS FROM PUBLIC;\n");
    pgc_catalog_close(catalog);
}

static void default_privileges_have_a_blank_more_before_version_16(void **state)
{
    (void)state;
    static const char row[] = "oid | name | schema | owner | acl | default_acl\n1602 | r | 2201 | 11 | {alice=r/bob} | {}\n";
    pgc_catalog *catalog = catalog_new(NULL, 150020);
    catalog_take(catalog, pgc_take_default_acls, row);
    assert_sql(catalog, "-- DEFAULT ACL DEFAULT PRIVILEGES FOR TABLES\n"
                        "ALTER DEFAULT PRIVILEGES FOR ROLE bob IN SCHEMA \"My Schema\" GRANT SELECT ON TABLES  TO alice;\n");
    pgc_catalog_close(catalog);
    catalog = catalog_new(NULL, 160000);
    catalog_take(catalog, pgc_take_default_acls, row);
    assert_sql(catalog, "-- DEFAULT ACL DEFAULT PRIVILEGES FOR TABLES\n"
                        "ALTER DEFAULT PRIVILEGES FOR ROLE bob IN SCHEMA \"My Schema\" GRANT SELECT ON TABLES TO alice;\n");
    pgc_catalog_close(catalog);
}

static void a_dump_of_data_alone_has_none_of_it(void **state)
{
    (void)state;
    pgc_dump_options data_only = {.sections = PGC_SECTIONS_ALL, .data_only = true};
    pgc_catalog *catalog = catalog_new(&data_only, 150000);
    catalog_take(catalog, pgc_take_access_methods, "oid | name | amtype | amhandler\n17000 | mine | t | h\n");
    catalog_take(catalog, pgc_take_collations, COLLATIONS "501 | one | 2200 | 10 | 6 | c | t | ~ | C | C | ~ | ~\n");
    catalog_take(catalog, pgc_take_foreign_data_wrappers,
                 "oid | name | owner | handler | validator | acl | default_acl | options\n1401 | W | 10 | - | - | {bob=U/alice} | ~ | ~\n");
    assert_sql(catalog, "");
    pgc_catalog_close(catalog);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_collation_of_each_provider),
        cmocka_unit_test(a_collation_keeps_its_version_in_an_upgrade_only),
        cmocka_unit_test(a_collation_without_its_locale_is_written_with_a_warning),
        cmocka_unit_test(an_operator_names_its_relatives_with_their_schema_and_its_functions_without_arguments),
        cmocka_unit_test(members_stand_with_their_class_or_their_family),
        cmocka_unit_test(text_search_from_parser_to_configuration),
        cmocka_unit_test(a_server_brings_its_user_mappings),
        cmocka_unit_test(default_privileges_by_role_and_schema),
        cmocka_unit_test(default_privileges_have_a_blank_more_before_version_16),
        cmocka_unit_test(a_dump_of_data_alone_has_none_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
