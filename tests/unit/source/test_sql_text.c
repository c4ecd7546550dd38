/* A text of several commands is taken apart where the server would, and each is known by its tag. */
#include "apply/sql_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The commands, each in brackets. */
static const char *split(const char *text)
{
    static char out[2048];
    const char *at = text, *end = text + strlen(text), *command;
    size_t length;
    out[0] = '\0';
    while (pgc_sql_next_command(&at, end, &command, &length))
        snprintf(out + strlen(out), sizeof out - strlen(out), "[%.*s]", (int)length, command);
    return out;
}

static void a_semicolon_ends_a_command_only_where_the_server_says_so(void **state)
{
    (void)state;
    static const struct {
        const char *text, *commands;
    } cases[] = {
        {"", ""},
        {" ;; \n", ""},
        {"a; b", "[a][b]"},
        {"a ';' ; b", "[a ';'][b]"},
        {"a 'it''s;' ; b", "[a 'it''s;'][b]"},
        {"a E'\\';' ; b", "[a E'\\';'][b]"},
        {"a \"x;\"\"y\" ; b", "[a \"x;\"\"y\"][b]"},
        {"a $$;$$ ; b $t$;$$;$t$", "[a $$;$$][b $t$;$$;$t$]"},
        {"a $1; b", "[a $1][b]"},
        {"-- no; command\na; b -- end;", "[a][b]"},
        {"/* ; /* ; */ ; */ a; b", "[a][b]"},
        {"CREATE RULE r AS ON INSERT TO t DO (a; b); c", "[CREATE RULE r AS ON INSERT TO t DO (a; b)][c]"},
        {"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END; SELECT 2; END; c",
         "[CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END; SELECT 2; END][c]"},
        {"BEGIN; a; END; b", "[BEGIN][a][END][b]"},
        {"a 'no end; b", "[a 'no end; b]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(split(cases[i].text), cases[i].commands);
}

static bool is_of(const char *command, const char *tag)
{
    return pgc_sql_is_of_tag(command, strlen(command), tag);
}

static void a_command_is_known_by_its_tag(void **state)
{
    (void)state;
    assert_true(is_of("create unique index concurrently i on t (a)", "CREATE INDEX"));
    assert_true(is_of("CREATE OR REPLACE VIEW v AS SELECT 1", "CREATE VIEW"));
    assert_true(is_of("CREATE TABLE t AS SELECT 1", "CREATE TABLE AS"));
    assert_true(is_of("/* x */ ALTER\nTABLE t ADD a int", "ALTER TABLE"));
    assert_true(is_of("CREATE CONSTRAINT TRIGGER t AFTER INSERT ON x", "CREATE TRIGGER"));
    assert_true(is_of("SELECT 1 INTO t", "SELECT INTO"));
    assert_true(is_of("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO x", "ALTER DEFAULT PRIVILEGES"));
    assert_false(is_of("INSERT INTO t SELECT 1", "SELECT INTO"));
    assert_false(is_of("MERGE INTO t USING s ON a = b WHEN MATCHED THEN DELETE", "SELECT INTO"));
    assert_false(is_of("CREATE OPERATOR CLASS c FOR TYPE t USING btree AS STORAGE int", "CREATE OPERATOR"));
    assert_false(is_of("CREATE TABLE \"index\" ()", "CREATE INDEX"));
    assert_false(is_of("DROP TABLE t", "ALTER TABLE"));
}

static void a_word_is_taken_out_and_not_looked_for_in_quotes(void **state)
{
    (void)state;
    static const char command[] = "CREATE INDEX concurrently \"CONCURRENTLY\" ON t (a)";
    pgc_buffer out;
    pgc_buffer_init(&out, 4096);
    pgc_sql_without_word(command, strlen(command), "CONCURRENTLY", &out);
    assert_string_equal(out.data, "CREATE INDEX  \"CONCURRENTLY\" ON t (a)");
    pgc_buffer_free(&out);
    assert_false(pgc_sql_has_word("COMMENT ON TABLE t IS 'OWNER TO'", 32, "OWNER"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_semicolon_ends_a_command_only_where_the_server_says_so),
        cmocka_unit_test(a_command_is_known_by_its_tag),
        cmocka_unit_test(a_word_is_taken_out_and_not_looked_for_in_quotes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
