/* The database itself, the schema public, large objects and what an upgrade keeps of privileges: what is written for which server. */
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

static void an_upgrade_records_what_the_extension_granted(void **state)
{
    (void)state;
    pgc_dump_options upgrade = {.sections = PGC_SECTIONS_ALL, .binary_upgrade = true};
    pgc_acl acl = {.acl = "{bob=X/bob,alice=X/bob}", .default_acl = "{=X/bob,bob=X/bob}", .initial_kind = 'e', .initial = "{bob=X/bob}"};
    setting *s = set_up(&upgrade, 150000);
    assert_int_not_equal(pgc_ddl_acl(&s->ddl, 7, 0, "FUNCTION", "f()", NULL, "s", NULL, "bob", &acl), 0);
    assert_string_equal(s->entries.items[0]->create, "SELECT pg_catalog.binary_upgrade_set_record_init_privs(true);\n"
                                                     "REVOKE ALL ON FUNCTION s.f() FROM PUBLIC;\n"
                                                     "SELECT pg_catalog.binary_upgrade_set_record_init_privs(false);\n"
                                                     "GRANT ALL ON FUNCTION s.f() TO alice;\n");
    assert_string_equal(s->entries.items[0]->tag, "FUNCTION f()");
    tear_down(s);
    s = set_up(NULL, 150000);
    assert_int_not_equal(pgc_ddl_acl(&s->ddl, 7, 0, "FUNCTION", "f()", NULL, "s", NULL, "bob", &acl), 0);
    assert_string_equal(s->entries.items[0]->create, "GRANT ALL ON FUNCTION s.f() TO alice;\n");
    tear_down(s);
}

/* The schema public of a server, owned by pg_database_owner (6171) or another. */
static void assert_public(int version, const char *owner, const char *acl, const char *expected)
{
    pgc_dump_options options = {.sections = PGC_SECTIONS_ALL, .no_comments = true};
    pgc_catalog *catalog = catalog_new(&options, version);
    catalog_take(catalog, pgc_take_roles, "oid | rolname\n10 | alice\n6171 | pg_database_owner\n");
    char table[512];
    snprintf(table, sizeof table, "oid | nspname | nspowner | nspacl | default_acl\n3300 | public | %s | %s | ~\n", owner, acl);
    catalog_take(catalog, pgc_take_schemas, table);
    assert_sql(catalog, expected);
    pgc_catalog_close(catalog);
}

static void the_schema_public_is_what_it_was_wherever_it_is_restored(void **state)
{
    (void)state;
    static const char owner[] = "-- SCHEMA public\n-- *not* creating schema, since initdb creates it\n";
    char expected[512];
    assert_public(150000, "6171", "{pg_database_owner=UC/pg_database_owner,=U/pg_database_owner}", "");
    assert_public(150000, "6171", "{pg_database_owner=UC/pg_database_owner,=UC/pg_database_owner}",
                  "-- ACL SCHEMA public\nREVOKE USAGE ON SCHEMA public FROM PUBLIC;\nGRANT ALL ON SCHEMA public TO PUBLIC;\n");
    /* before 15 everyone may create in it: a newer server must be told so, */
    snprintf(expected, sizeof expected, "%s-- ACL SCHEMA public\nREVOKE USAGE ON SCHEMA public FROM PUBLIC;\nGRANT ALL ON SCHEMA public TO PUBLIC;\n", owner);
    assert_public(140000, "10", "{alice=UC/alice,=UC/alice}", expected);
    /* and an older one must be told that they may not */
    snprintf(expected, sizeof expected, "%s-- ACL SCHEMA public\nREVOKE ALL ON SCHEMA public FROM PUBLIC;\nGRANT USAGE ON SCHEMA public TO PUBLIC;\n", owner);
    assert_public(140000, "10", "{alice=UC/alice,=U/alice}", expected);
}

static void large_objects_come_one_by_one_or_in_groups(void **state)
{
    (void)state;
    static const char rows[] = "oid | lomowner | lomacl | default_acl\n"
                               "71 | 10 | ~ | {alice=rw/alice}\n"
                               "72 | 10 | ~ | {alice=rw/alice}\n"
                               "70 | 10 | {alice=rw/alice,=r/alice} | {alice=rw/alice}\n"
                               "73 | 10 | {alice=rw/alice,=r/alice} | {alice=rw/alice}\n"
                               "74 | 11 | ~ | {bob=rw/bob}\n";
    pgc_catalog *catalog = catalog_new(NULL, 160000);
    catalog_take(catalog, pgc_take_large_objects, rows);
    assert_sql(catalog, "-- BLOB 70\nSELECT pg_catalog.lo_create('70');\n"
                        "-- ACL LARGE OBJECT 70\nGRANT SELECT ON LARGE OBJECT 70 TO PUBLIC;\n"
                        "-- BLOB 71\nSELECT pg_catalog.lo_create('71');\n"
                        "-- BLOB 72\nSELECT pg_catalog.lo_create('72');\n"
                        "-- BLOB 73\nSELECT pg_catalog.lo_create('73');\n"
                        "-- ACL LARGE OBJECT 73\nGRANT SELECT ON LARGE OBJECT 73 TO PUBLIC;\n"
                        "-- BLOB 74\nSELECT pg_catalog.lo_create('74');\n"
                        "-- BLOBS BLOBS\n");
    pgc_catalog_close(catalog);
    catalog = catalog_new(NULL, 170000);
    catalog_take(catalog, pgc_take_large_objects, rows);
    catalog_take(catalog, pgc_take_comments, "classoid | objoid | objsubid | text\n2613 | 72 | 0 | second of its group\n2613 | 99 | 0 | of none\n");
    assert_sql(catalog, "-- BLOB METADATA 70..73\n70\n73\n"
                        "-- ACL LARGE OBJECTS 70..73\nGRANT SELECT ON LARGE OBJECT 70 TO PUBLIC;\n"
                        "-- BLOB METADATA 71..72\n71\n72\n"
                        "-- COMMENT LARGE OBJECT 72\nCOMMENT ON LARGE OBJECT 72 IS 'second of its group';\n"
                        "-- BLOB METADATA 74\n74\n"
                        "-- BLOBS 70..73\n-- BLOBS 71..72\n-- BLOBS 74\n");
    pgc_catalog_close(catalog);
}

/* CREATE DATABASE on a server of this version; columns and values as its query gives them. */
static void assert_create_database(const pgc_dump_options *options, int version, const char *columns, const char *values, const char *expected)
{
    pgc_dump_options create = options ? *options : (pgc_dump_options){.sections = PGC_SECTIONS_ALL};
    create.create_database = true;
    pgc_catalog *catalog = catalog_new(&create, version);
    char table[1024];
    snprintf(table, sizeof table,
             "oid | datname | datdba | encoding | datcollate | datctype | datconnlimit | datistemplate | lo_file | %s\n"
             "900 | My db | 11 | UTF8 | C | C | -1 | f | 2613 | %s\n",
             columns, values);
    catalog_take(catalog, pgc_take_database, table);
    pgc_buffer sql = catalog_sql(catalog);
    assert_memory_equal(sql.data, expected, strlen(expected));
    pgc_buffer_free(&sql);
    pgc_catalog_close(catalog);
}

static void a_database_is_made_in_its_servers_words(void **state)
{
    (void)state;
#define MADE "-- DATABASE My db\nCREATE DATABASE \"My db\" WITH TEMPLATE = template0"
    assert_create_database(NULL, 120000, "datcollversion", "~", MADE " ENCODING = 'UTF8' LC_COLLATE = 'C' LC_CTYPE = 'C';\n");
    assert_create_database(NULL, 140000, "datcollversion", "~", MADE " ENCODING = 'UTF8' LOCALE = 'C';\n");
    assert_create_database(NULL, 150000, "datlocprovider | datcollversion", "c | 2.36", MADE " ENCODING = 'UTF8' LOCALE_PROVIDER = libc LOCALE = 'C';\n");
    assert_create_database(NULL, 160000, "datlocprovider | locale | daticurules", "i | en-US | &a < b",
                           MADE " ENCODING = 'UTF8' LOCALE_PROVIDER = icu LOCALE = 'C' ICU_LOCALE = 'en-US' ICU_RULES = '&a < b';\n");
    assert_create_database(NULL, 170000, "datlocprovider | locale", "b | C.UTF-8",
                           MADE " ENCODING = 'UTF8' LOCALE_PROVIDER = builtin LOCALE = 'C' BUILTIN_LOCALE = 'C.UTF-8';\n");
    assert_create_database(NULL, 150000, "datlocprovider | tablespace", "c | fast disk",
                           MADE " ENCODING = 'UTF8' LOCALE_PROVIDER = libc LOCALE = 'C' TABLESPACE = \"fast disk\";\n");
    pgc_dump_options upgrade = {.sections = PGC_SECTIONS_ALL, .binary_upgrade = true};
    assert_create_database(&upgrade, 140000, "datcollversion", "~", MADE " OID = 900 ENCODING = 'UTF8' LOCALE_PROVIDER = libc LOCALE = 'C';\n");
    assert_create_database(&upgrade, 180000, "datlocprovider | datcollversion", "c | 2.36",
                           MADE " OID = 900 STRATEGY = FILE_COPY ENCODING = 'UTF8' LOCALE_PROVIDER = libc LOCALE = 'C' COLLATION_VERSION = '2.36';\n");
#undef MADE
}

static void settings_of_a_database_and_of_roles_in_it(void **state)
{
    (void)state;
    assert_create_database(NULL, 150000, "datlocprovider | settings | role_names | role_settings | providers | labels",
                           "c | {work_mem=5MB,\"search_path=\\\"A b\\\", public\"} | {alice,bob} | {\"app.x=it's\",\"search_path=\\\"\\\"\"} | {p} | {l}",
                           "-- DATABASE My db\n"
                           "CREATE DATABASE \"My db\" WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = libc LOCALE = 'C';\n"
                           "-- SECURITY LABEL DATABASE \"My db\"\nSECURITY LABEL FOR p ON DATABASE \"My db\" IS 'l';\n"
                           "-- DATABASE PROPERTIES My db\n"
                           "ALTER DATABASE \"My db\" SET work_mem TO '5MB';\n"
                           "ALTER DATABASE \"My db\" SET search_path TO 'A b', 'public';\n"
                           "ALTER ROLE alice IN DATABASE \"My db\" SET \"app.x\" TO 'it''s';\n"
                           "ALTER ROLE bob IN DATABASE \"My db\" SET search_path TO '';\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_upgrade_records_what_the_extension_granted),
        cmocka_unit_test(the_schema_public_is_what_it_was_wherever_it_is_restored),
        cmocka_unit_test(large_objects_come_one_by_one_or_in_groups),
        cmocka_unit_test(a_database_is_made_in_its_servers_words),
        cmocka_unit_test(settings_of_a_database_and_of_roles_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
