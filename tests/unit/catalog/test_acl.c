/* Privileges: items taken apart and put together, and the commands that lead from one list to another. */
#include "catalog/acl_item.h"
#include "catalog_fixture.h"

static pgc_arena *arena;
static pgc_catalog *catalog;
static pgc_entries entries;
static pgc_ddl ddl;
static pgconvoy_error err;

static void begin_with(const pgc_dump_options *options, int version)
{
    catalog = catalog_new(options, version);
    assert_int_equal(pgc_entries_init(&entries, &err), 0);
    entries.max_id = catalog->max_id;
    assert_int_equal(pgc_ddl_init(&ddl, catalog, &entries, &err), 0);
    arena = ddl.scratch;
}

static int begin(void **state)
{
    (void)state;
    begin_with(NULL, 150000);
    return 0;
}

static int end(void **state)
{
    (void)state;
    pgc_ddl_free(&ddl);
    pgc_entries_free(&entries);
    pgc_catalog_close(catalog);
    return 0;
}

static void roles_of_any_name_come_out_as_they_went_in(void **state)
{
    (void)state;
    static const char *const names[] = {"alice", "", "Weekly Report", "say \"hi\"", "back\\slash", "a=b/c", "{x,y}", "\303\244"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        pgc_buffer text;
        pgc_buffer_init(&text, 1000);
        pgc_acl_append(&text, names[i], "r*w", "bob");
        pgc_acl_append(&text, "bob", "U", names[i]);
        pgc_buffer_byte(&text, '}');
        pgc_acl_item *items;
        assert_int_equal(pgc_acl_parse(arena, text.data, &items), 2);
        assert_string_equal(items[0].grantee, names[i]);
        assert_string_equal(items[0].privileges, "r*w");
        assert_string_equal(items[0].grantor, "bob");
        assert_string_equal(items[1].grantor, names[i]);
        pgc_buffer_free(&text);
    }
}

static void the_servers_own_quoting_is_understood(void **state)
{
    (void)state;
    pgc_acl_item *items;
    assert_int_equal(pgc_acl_parse(arena, "{=U/postgres,\"\\\"ops B\\\"=r*/\\\"o\\\"\\\"x\\\"\"}", &items), 2);
    assert_string_equal(items[0].grantee, "");
    assert_string_equal(items[0].grantor, "postgres");
    assert_string_equal(items[1].grantee, "ops B");
    assert_string_equal(items[1].grantor, "o\"x");
}

static void what_is_no_list_of_items_is_refused(void **state)
{
    (void)state;
    pgc_acl_item *items;
    static const char *const broken[] = {"alice=r/bob", "{alice}", "{alice=r}", "{\"\\\"alice=r/bob\"}", "{NULL}", "{alice=r/bob=x}"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        assert_int_equal(pgc_acl_parse(arena, broken[i], &items), -1);
    assert_int_equal(pgc_acl_parse(arena, "{}", &items), 0);
    assert_int_equal(pgc_acl_parse(arena, NULL, &items), 0);
}

static void assert_commands(const char *kind, const char *column, const char *acl, const char *default_acl, const char *expected)
{
    pgc_buffer *out = pgc_ddl_buffer(&ddl);
    pgc_buffer_text(out, "");
    assert_true(pgc_ddl_acl_commands(&ddl, out, "t", column, "public", kind, acl, default_acl, "alice", ""));
    assert_string_equal(out->data, expected);
    pgc_ddl_after_object(&ddl);
}

static void only_the_difference_is_written(void **state)
{
    (void)state;
    assert_commands("TABLE", NULL, NULL, "{alice=arwdDxt/alice}", "");
    assert_commands("TABLE", NULL, "{alice=arwdDxt/alice}", "{alice=arwdDxt/alice}", "");
    assert_commands("TABLE", NULL, "{alice=arwdDxt/alice,bob=r/alice}", "{alice=arwdDxt/alice}", "GRANT SELECT ON TABLE public.t TO bob;\n");
    assert_commands("TABLE", NULL, "{}", "{alice=arwdDxt/alice}", "REVOKE ALL ON TABLE public.t FROM alice;\n");
    assert_commands("FUNCTION", NULL, "{alice=X/alice}", "{=X/alice,alice=X/alice}", "REVOKE ALL ON FUNCTION public.t FROM PUBLIC;\n");
}

static void all_is_all_that_the_version_has(void **state)
{
    (void)state;
    assert_commands("TABLE", NULL, "{bob=arwdDxt/alice}", "{}", "GRANT ALL ON TABLE public.t TO bob;\n");
    end(NULL);
    begin_with(NULL, 170000);
    assert_commands("TABLE", NULL, "{bob=arwdDxt/alice}", "{}", "GRANT SELECT,INSERT,REFERENCES,DELETE,TRIGGER,TRUNCATE,UPDATE ON TABLE public.t TO bob;\n");
    assert_commands("TABLE", NULL, "{bob=arwdDxtm/alice}", "{}", "GRANT ALL ON TABLE public.t TO bob;\n");
}

static void grant_options_have_a_command_of_their_own(void **state)
{
    (void)state;
    assert_commands("TABLE", NULL, "{bob=r*w/alice}", "{}", "GRANT UPDATE ON TABLE public.t TO bob;\nGRANT SELECT ON TABLE public.t TO bob WITH GRANT OPTION;\n");
    assert_commands("SCHEMA", NULL, "{bob=U*C*/alice}", "{}", "GRANT ALL ON SCHEMA public.t TO bob WITH GRANT OPTION;\n");
    assert_commands("TABLE", "c", "{bob=r/alice}", "{}", "GRANT SELECT(c) ON TABLE public.t TO bob;\n");
}

static void the_owners_own_come_first_and_others_grants_are_made_in_their_name(void **state)
{
    (void)state;
    assert_commands("SEQUENCE", NULL, "{=r/bob,alice=rU/alice}", "{}",
                    "GRANT SELECT,USAGE ON SEQUENCE public.t TO alice;\n"
                    "SET SESSION AUTHORIZATION bob;\nGRANT SELECT ON SEQUENCE public.t TO PUBLIC;\nRESET SESSION AUTHORIZATION;\n");
}

static void a_broken_list_is_no_command(void **state)
{
    (void)state;
    assert_false(pgc_ddl_acl_commands(&ddl, pgc_ddl_buffer(&ddl), "t", NULL, NULL, "TABLE", "{alice}", "{}", "alice", ""));
    assert_false(pgc_ddl_acl_commands(&ddl, pgc_ddl_buffer(&ddl), "t", NULL, NULL, "TEAPOT", "{bob=r/alice}", "{}", "alice", ""));
}

static void an_entry_says_what_it_depends_on(void **state)
{
    (void)state;
    pgc_acl acl = {.acl = "{bob=U/alice}", .default_acl = "{}"};
    int id = pgc_ddl_acl(&ddl, 7, 8, "FOREIGN SERVER", "\"S\"", NULL, NULL, NULL, "alice", &acl);
    assert_int_equal(entries.count, 1);
    const pgc_entry *entry = entries.items[0];
    assert_int_equal(entry->id, id);
    assert_string_equal(entry->tag, "FOREIGN SERVER \"S\"");
    assert_string_equal(entry->description, "ACL");
    assert_int_equal(entry->dependency_count, 2);
    assert_int_equal(entry->dependencies[0], 7);
    assert_int_equal(entry->dependencies[1], 8);
    acl.acl = acl.default_acl;
    assert_int_equal(pgc_ddl_acl(&ddl, 7, 0, "FOREIGN SERVER", "\"S\"", NULL, NULL, NULL, "alice", &acl), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(roles_of_any_name_come_out_as_they_went_in),
        TEST(the_servers_own_quoting_is_understood),
        TEST(what_is_no_list_of_items_is_refused),
        TEST(only_the_difference_is_written),
        TEST(all_is_all_that_the_version_has),
        TEST(grant_options_have_a_command_of_their_own),
        TEST(the_owners_own_come_first_and_others_grants_are_made_in_their_name),
        TEST(a_broken_list_is_no_command),
        TEST(an_entry_says_what_it_depends_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
