/* Scripts of entries that no server has made: DROPs, owners, choices, passes, names, large objects, the session's state. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "archive/script.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PRE  PGC_SECTION_PRE_DATA
#define DATA PGC_SECTION_DATA
#define POST PGC_SECTION_POST_DATA
#define NONE PGC_SECTION_NONE

typedef struct row {
    int id;
    const char *description, *schema, *tag;
    pgc_section section;
    const char *create, *drop;
    int needs; /* id, 0 for none */
} row;

static const row usual[] = {
    {1, "ENCODING", NULL, "ENCODING", PRE, "SET client_encoding = 'LATIN1';\n", NULL, 0},
    {2, "STDSTRINGS", NULL, "STDSTRINGS", PRE, "SET standard_conforming_strings = 'on';\n", NULL, 0},
    {3, "SEARCHPATH", NULL, "SEARCHPATH", PRE, "SELECT pg_catalog.set_config('search_path', '', false);\n", NULL, 0},
    {4, "SCHEMA", NULL, "s", PRE, "CREATE SCHEMA s;\n", "DROP SCHEMA s;\n", 0},
    {5, "TABLE", "s", "t", PRE, "CREATE TABLE s.t ();\n", "DROP TABLE s.t;\n", 0},
    {6, "COMMENT", "s", "TABLE t", NONE, "COMMENT ON TABLE s.t IS 'x';\n", NULL, 5},
    {7, "ACL", "s", "TABLE t", NONE, "GRANT SELECT ON TABLE s.t TO x;\n", NULL, 5},
    {8, "VIEW", "s", "v", PRE, "CREATE VIEW s.v AS SELECT 1;\n", "DROP VIEW s.v;\n", 0},
    {9, "FUNCTION", "s", "f(integer)", PRE, "CREATE FUNCTION s.f(integer) …;\n", "DROP FUNCTION s.f(integer);\n", 0},
    {10, "TABLE DATA", "s", "t", DATA, NULL, NULL, 5},
    {11, "CONSTRAINT", "s", "t k", POST, "ALTER TABLE ONLY s.t ADD CONSTRAINT k …;\n", "ALTER TABLE ONLY s.t DROP CONSTRAINT k;\n", 5},
    {12, "DEFAULT", "s", "t a", PRE, "ALTER TABLE s.t ALTER COLUMN a SET DEFAULT 1;\n", "ALTER TABLE s.t ALTER COLUMN a DROP DEFAULT;\n", 5},
    {13, "MATERIALIZED VIEW DATA", "s", "m", POST, "REFRESH MATERIALIZED VIEW s.m;\n", NULL, 0},
    {14, "INDEX", "s", "i", POST, "CREATE INDEX i ON s.t (a);\n", "DROP INDEX s.i;\n", 5},
};

static pgc_entries make(const row *rows, size_t count)
{
    pgconvoy_error err = {0};
    pgc_entries entries;
    assert_int_equal(pgc_entries_init(&entries, &err), 0);
    for (size_t i = 0; i < count; i++) {
        pgc_entry *entry = pgc_entries_add(&entries);
        entry->id = rows[i].id;
        entry->description = rows[i].description;
        entry->schema = rows[i].schema;
        entry->tag = rows[i].tag;
        entry->owner = rows[i].description[0] == 'E' ? "" : "joe";
        entry->section = rows[i].section;
        entry->create = rows[i].create;
        entry->drop = rows[i].drop;
        entry->oid = (uint32_t)(1000 + rows[i].id);
        entry->dependencies = (int *)&rows[i].needs;
        entry->dependency_count = rows[i].needs ? 1 : 0;
        entry->has_data = strcmp(rows[i].description, "TABLE DATA") == 0 || strcmp(rows[i].description, "BLOBS") == 0;
        if (strcmp(rows[i].description, "TABLE DATA") == 0)
            entry->copy = "COPY s.t (a) FROM stdin;\n";
    }
    return entries;
}

static int keep(void *arg, const char *text, size_t length, pgconvoy_error *err)
{
    pgc_buffer_append(arg, text, length);
    return pgc_buffer_check(arg, err);
}

static int give_data(void *arg, const pgc_entry *entry, const pgc_data_target *target, pgconvoy_error *err)
{
    (void)arg;
    if (strcmp(entry->description, "BLOBS") != 0)
        return target->write(target->arg, "1\n\\.\n\n\n", 7, err);
    char bytes[PGC_LARGE_OBJECT_PIECE + 1];
    memset(bytes, 0xAB, sizeof bytes);
    assert_int_equal(target->large_object(target->arg, 77, err), 0);
    assert_int_equal(target->write(target->arg, bytes, 5, err), 0);
    assert_int_equal(target->write(target->arg, bytes, sizeof bytes - 5, err), 0);
    return target->large_object(target->arg, 0, err);
}

/* The script of these rows; to be freed. */
static char *script_of(const row *rows, size_t count, const pgc_script_options *options, const char *version)
{
    pgconvoy_error err = {0};
    pgc_entries entries = make(rows, count);
    const pgc_archive_head head = {.major = 1, .minor = 14, .format = PGC_ARCHIVE_PLAIN, .server_version = version, .dump_version = version};
    pgc_buffer out;
    pgc_buffer_init(&out, 1 << 20);
    pgc_script *script = pgc_script_new(options, &head, &entries, &err);
    assert_non_null(script);
    const pgc_script_run run = {.write = keep, .read_data = give_data, .arg = &out};
    assert_int_equal(pgc_script_write(script, &run, &err), 0);
    pgc_script_free(script);
    pgc_entries_free(&entries);
    return out.data;
}

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])
#define USUAL(...) script_of(usual, COUNT(usual), &(pgc_script_options){.sections = PGC_SECTIONS_ALL, __VA_ARGS__}, "15.20")

static void has(const char *script, const char *text)
{
    assert_non_null(script);
    if (!strstr(script, text))
        fail_msg("not in it: %s\n%s", text, script ? script : "");
}

static void has_not(const char *script, const char *text)
{
    assert_non_null(script);
    if (strstr(script, text))
        fail_msg("in it: %s\n%s", text, script ? script : "");
}

static void comes_before(const char *script, const char *first, const char *second)
{
    has(script, first);
    has(script, second);
    assert_true(strstr(script, first) < strstr(script, second));
}

static void the_session_is_set_as_the_server_knows_it(void **state)
{
    (void)state;
    char *old = USUAL(.restrict_key = "abc");
    has(old, "--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n\n-- Dumped from database version 15.20\n");
    has(old, "SET client_encoding = 'LATIN1';\nSET standard_conforming_strings = on;\nSELECT pg_catalog.set_config('search_path', '', false);\n");
    has(old, "SET row_security = off;\n");
    has(old, "-- PostgreSQL database dump complete\n--\n\n\\unrestrict abc\n\n");
    has_not(old, "SET transaction_timeout");
    char *new = script_of(usual, COUNT(usual), &(pgc_script_options){.sections = PGC_SECTIONS_ALL, .role = "Boss"}, "17.1");
    has(new, "SET idle_in_transaction_session_timeout = 0;\nSET transaction_timeout = 0;\n");
    has(new, "SET ROLE \"Boss\";\n");
    has_not(new, "\\restrict");
    free(old);
    free(new);
}

static void drops_are_reversed_and_take_if_exists(void **state)
{
    (void)state;
    char *script = USUAL(.clean = true, .if_exists = true);
    comes_before(script, "DROP INDEX IF EXISTS s.i;\n", "DROP TABLE IF EXISTS s.t;\n");
    comes_before(script, "DROP TABLE IF EXISTS s.t;\n", "DROP SCHEMA IF EXISTS s;\n");
    has(script, "ALTER TABLE IF EXISTS ONLY s.t DROP CONSTRAINT IF EXISTS k;\n");
    has(script, "ALTER TABLE IF EXISTS s.t ALTER COLUMN a DROP DEFAULT;\n");
    free(script);
    script = USUAL(.clean = true);
    has(script, "ALTER TABLE ONLY s.t DROP CONSTRAINT k;\n");
    free(script);
    static const row special[] = {
        {1, "RULE", "s", "v _RETURN", POST, "x\n", "CREATE OR REPLACE VIEW s.v AS SELECT NULL;\n", 0},
        {2, "SCHEMA", NULL, "public", PRE, "-- *not* creating schema, since initdb creates it\n\n", "-- *not* dropping schema, since initdb creates it\n", 0},
        {3, "BLOB", NULL, "77", PRE, "SELECT pg_catalog.lo_create('77');\n", "SELECT pg_catalog.lo_unlink('77');\n", 0},
    };
    script = script_of(special, COUNT(special), &(pgc_script_options){.sections = PGC_SECTIONS_ALL, .clean = true, .if_exists = true}, "15");
    has(script, "CREATE OR REPLACE VIEW s.v AS SELECT NULL;\n");
    has(script, "-- *not* dropping schema");
    has(script, "SELECT pg_catalog.lo_unlink(oid) FROM pg_catalog.pg_largeobject_metadata WHERE oid = '1003';\n");
    free(script);
}

static void owners_are_given_as_each_kind_takes_it(void **state)
{
    (void)state;
    char *script = USUAL(.jobs = 0);
    has(script, "ALTER TABLE s.t OWNER TO joe;\n");
    has(script, "ALTER TABLE s.v OWNER TO joe;\n");
    has(script, "ALTER FUNCTION s.f(integer) OWNER TO joe;\n");
    has_not(script, "ALTER INDEX");
    free(script);
    script = USUAL(.use_set_session_authorization = true);
    has_not(script, "OWNER TO");
    has(script, "SET SESSION AUTHORIZATION 'joe';\n");
    free(script);
    script = USUAL(.no_owner = true);
    has_not(script, "OWNER TO");
    has(script, "-- Name: t; Type: TABLE; Schema: s; Owner: -\n");
    free(script);
}

static void privileges_come_after_all_and_refreshes_last(void **state)
{
    (void)state;
    char *script = USUAL(.jobs = 0);
    comes_before(script, "CREATE INDEX", "GRANT SELECT");
    comes_before(script, "GRANT SELECT", "REFRESH MATERIALIZED VIEW");
    free(script);
}

static void data_stand_behind_their_copy(void **state)
{
    (void)state;
    char *script = USUAL(.jobs = 0);
    has(script, "-- Data for Name: t; Type: TABLE DATA; Schema: s; Owner: joe\n--\n\nCOPY s.t (a) FROM stdin;\n1\n\\.\n\n\n--\n");
    free(script);
    script = USUAL(.data_only = true, .disable_triggers = true, .superuser = "root");
    has(script, "ALTER TABLE s.t DISABLE TRIGGER ALL;\n\nCOPY s.t (a) FROM stdin;\n1\n\\.\n\n\nALTER TABLE s.t ENABLE TRIGGER ALL;\n");
    has(script, "SET SESSION AUTHORIZATION 'root';\n");
    has_not(script, "CREATE TABLE");
    free(script);
    script = USUAL(.schema_only = true);
    has_not(script, "COPY");
    free(script);
}

static void choices_take_what_hangs_on_the_chosen(void **state)
{
    (void)state;
    char *t = "t", *i = "i", *other = "other";
    char *script = USUAL(.tables = {&t, 1});
    has(script, "CREATE TABLE s.t");
    has(script, "COMMENT ON TABLE s.t");
    has(script, "GRANT SELECT");
    has(script, "COPY s.t");
    has_not(script, "CREATE SCHEMA");
    has_not(script, "CREATE INDEX");
    free(script);
    script = USUAL(.indexes = {&i, 1});
    has(script, "CREATE INDEX");
    has_not(script, "COMMENT ON");
    free(script);
    script = USUAL(.schemas = {&other, 1});
    has_not(script, "CREATE");
    has_not(script, "GRANT");
    free(script);
    script = script_of(usual, COUNT(usual), &(pgc_script_options){.sections = PGC_SECTIONS_POST_DATA}, "15.20");
    has(script, "CREATE INDEX");
    has_not(script, "CREATE TABLE");
    free(script);
    script = USUAL(.no_acl = true, .no_comments = true);
    has_not(script, "GRANT");
    has_not(script, "COMMENT ON");
    free(script);
}

static void a_name_that_is_not_there_is_refused_when_it_must_be(void **state)
{
    (void)state;
    char *name = "nowhere";
    pgconvoy_error err = {0};
    pgc_entries entries = make(usual, COUNT(usual));
    const pgc_archive_head head = {.major = 1, .minor = 14};
    const pgc_script_options options = {.sections = PGC_SECTIONS_ALL, .tables = {&name, 1}, .strict_names = true};
    assert_null(pgc_script_new(&options, &head, &entries, &err));
    assert_string_equal(err.message, "table \"nowhere\" not found");
    pgc_entries_free(&entries);
}

static void a_comment_stays_in_its_line(void **state)
{
    (void)state;
    static const row rows[] = {{1, "TABLE", "s\nDROP DATABASE x;", "t\r\nDROP TABLE y;", PRE, "CREATE …;\n", NULL, 0}};
    char *script = script_of(rows, 1, &(pgc_script_options){.sections = PGC_SECTIONS_ALL}, "15");
    has(script, "-- Name: t  DROP TABLE y;; Type: TABLE; Schema: s DROP DATABASE x;; Owner: joe\n");
    free(script);
}

static void a_database_is_connected_to_by_any_name_but_one_of_two_lines(void **state)
{
    (void)state;
    row rows[] = {{1, "DATABASE", NULL, "plain.name", PRE, "CREATE DATABASE …;\n", "DROP DATABASE …;\n", 0}};
    const pgc_script_options options = {.sections = PGC_SECTIONS_ALL, .create_database = true, .restrict_key = "k"};
    char *script = script_of(rows, 1, &options, "15");
    has(script, "\\unrestrict k\n\\connect \"plain.name\"\n\\restrict k\n\n");
    free(script);
    rows[0].tag = "a'b\\c \"d";
    script = script_of(rows, 1, &options, "15");
    has(script, "\\encoding SQL_ASCII\n\\connect -reuse-previous=on \"dbname='a\\'b\\\\c \"\"d'\"\n");
    free(script);
    rows[0].tag = "x\n\\! rm -rf /";
    pgconvoy_error err = {0};
    pgc_entries entries = make(rows, 1);
    const pgc_archive_head head = {.major = 1, .minor = 14};
    assert_null(pgc_script_new(&options, &head, &entries, &err));
    has(err.message, "newline or carriage return");
    pgc_entries_free(&entries);
}

static void large_objects_are_written_in_pieces(void **state)
{
    (void)state;
    static const row rows[] = {
        {1, "BLOB", NULL, "77", PRE, "SELECT pg_catalog.lo_create('77');\n", "SELECT pg_catalog.lo_unlink('77');\n", 0},
        {2, "BLOBS", NULL, "BLOBS", DATA, NULL, NULL, 0},
        {3, "BLOB METADATA", NULL, "78..79", PRE, "78\n79\n", "-- dummy", 0}, /* 17 */
        {4, "ACL", NULL, "LARGE OBJECTS 78..79", NONE, "REVOKE ALL ON LARGE OBJECT 78 FROM joe;\nGRANT SELECT ON LARGE OBJECT 78 TO \"x;y\";\n", NULL, 3},
    };
    char *script = script_of(rows, COUNT(rows), &(pgc_script_options){.sections = PGC_SECTIONS_ALL, .clean = true}, "17");
    has(script, "BEGIN;\n\nSELECT pg_catalog.lo_open('77', 131072);\nSELECT pg_catalog.lowrite(0, '\\xabab");
    has(script, "');\nSELECT pg_catalog.lowrite(0, '\\xab');\nSELECT pg_catalog.lo_close(0);\n\nCOMMIT;\n\n");
    has(script, "ALTER LARGE OBJECT 77 OWNER TO joe;\n");
    has(script, "SELECT pg_catalog.lo_create('78');\nSELECT pg_catalog.lo_create('79');\n");
    has(script, "ALTER LARGE OBJECT 78 OWNER TO joe;\nALTER LARGE OBJECT 79 OWNER TO joe;\n");
    has(script, "REVOKE ALL ON LARGE OBJECT 78 FROM joe;\nREVOKE ALL ON LARGE OBJECT 79 FROM joe;\n\n"
                "GRANT SELECT ON LARGE OBJECT 78 TO \"x;y\";\nGRANT SELECT ON LARGE OBJECT 79 TO \"x;y\";\n\n\n");
    has(script, "SELECT pg_catalog.lo_unlink('78');\nSELECT pg_catalog.lo_unlink('79');\n");
    free(script);
}

static void a_list_chooses_and_orders(void **state)
{
    (void)state;
    char path[] = "/tmp/pgconvoy_list_XXXXXX";
    int fd = mkstemp(path);
    static const char lines[] = "; a comment\n8; 0 0 VIEW s v joe\n\n5\n;14; 0 0 INDEX s i joe\nnonsense\n8\n";
    assert_int_equal(write(fd, lines, sizeof lines - 1), (ssize_t)sizeof lines - 1);
    close(fd);
    char *script = USUAL(.list_file = path);
    comes_before(script, "CREATE VIEW", "CREATE TABLE");
    has_not(script, "CREATE INDEX");
    has_not(script, "CREATE SCHEMA");
    free(script);
    unlink(path);
}

static void keys_are_random_letters_and_digits(void **state)
{
    (void)state;
    pgconvoy_error err = {0};
    char a[PGC_RESTRICT_KEY_SIZE], b[PGC_RESTRICT_KEY_SIZE];
    assert_int_equal(pgc_restrict_key(a, &err), 0);
    assert_int_equal(pgc_restrict_key(b, &err), 0);
    assert_true(strlen(a) == PGC_RESTRICT_KEY_SIZE - 1 && pgc_restrict_key_valid(a) && strcmp(a, b) != 0);
    assert_false(pgc_restrict_key_valid(""));
    assert_false(pgc_restrict_key_valid("a b"));
    assert_false(pgc_restrict_key_valid("a\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_session_is_set_as_the_server_knows_it),
        cmocka_unit_test(drops_are_reversed_and_take_if_exists),
        cmocka_unit_test(owners_are_given_as_each_kind_takes_it),
        cmocka_unit_test(privileges_come_after_all_and_refreshes_last),
        cmocka_unit_test(data_stand_behind_their_copy),
        cmocka_unit_test(choices_take_what_hangs_on_the_chosen),
        cmocka_unit_test(a_name_that_is_not_there_is_refused_when_it_must_be),
        cmocka_unit_test(a_comment_stays_in_its_line),
        cmocka_unit_test(a_database_is_connected_to_by_any_name_but_one_of_two_lines),
        cmocka_unit_test(large_objects_are_written_in_pieces),
        cmocka_unit_test(a_list_chooses_and_orders),
        cmocka_unit_test(keys_are_random_letters_and_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
