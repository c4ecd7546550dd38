/* Of a query's commands those count that no ROLLBACK of the same query has undone, and each is found by its tag and number. */
#include "apply/sql_script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* What is left, each in brackets. */
static const char *left(const char *text)
{
    static char out[2048];
    pgconvoy_error error = {0};
    pgc_sql_script script;
    pgc_arena *arena = pgc_arena_new(1024);
    assert_int_equal(pgc_sql_script_read(&script, text, arena, &error), 0);
    out[0] = '\0';
    for (size_t i = 0; i < script.count; i++)
        if (!script.commands[i].undone)
            snprintf(out + strlen(out), sizeof out - strlen(out), "[%.*s]", (int)script.commands[i].length,
                     script.commands[i].text);
    pgc_arena_free(arena);
    return out;
}

static void what_a_rollback_undoes_is_left_out(void **state)
{
    (void)state;
    static const struct {
        const char *text, *left;
    } cases[] = {
        {"", ""},
        {"a; b", "[a][b]"},
        {"BEGIN; a; ROLLBACK; b", "[ROLLBACK][b]"},
        {"a; BEGIN; b; ABORT; c", "[ABORT][c]"}, /* the first transaction begins with the query */
        {"a; COMMIT; b; ROLLBACK AND CHAIN; c", "[a][COMMIT][ROLLBACK AND CHAIN][c]"},
        {"a; END; b; PREPARE TRANSACTION 'x'; ROLLBACK WORK", "[a][END][b][PREPARE TRANSACTION 'x'][ROLLBACK WORK]"},
        {"PREPARE p AS x; a; ROLLBACK", "[ROLLBACK]"},
        {"a; SAVEPOINT s; b; ROLLBACK TO s; c", "[a][SAVEPOINT s][ROLLBACK TO s][c]"},
        {"SAVEPOINT s; a; SAVEPOINT t; b; rollback transaction to savepoint S; c",
         "[SAVEPOINT s][rollback transaction to savepoint S][c]"},
        {"SAVEPOINT s; a; SAVEPOINT s; b; ROLLBACK TO s; c", "[SAVEPOINT s][a][SAVEPOINT s][ROLLBACK TO s][c]"},
        {"SAVEPOINT s; a; ROLLBACK TO s; b; ROLLBACK TO \"s\"; c", "[SAVEPOINT s][ROLLBACK TO \"s\"][c]"},
        {"SAVEPOINT s; a; SAVEPOINT \"S\"; b; ROLLBACK TO s; c", "[SAVEPOINT s][ROLLBACK TO s][c]"},
        {"a; ROLLBACK TO before; b", "[ROLLBACK TO before][b]"}, /* made by a query before this one */
        {"a; COMMIT; BEGIN; b; ROLLBACK TO s; c", "[a][COMMIT][ROLLBACK TO s][c]"},
        {"SAVEPOINT s; a; SAVEPOINT s; b; SAVEPOINT t; RELEASE s; c; ROLLBACK TO s; d", "[SAVEPOINT s][ROLLBACK TO s][d]"},
        {"SAVEPOINT s; a; RELEASE SAVEPOINT s; b", "[a][RELEASE SAVEPOINT s][b]"},
        {"RELEASE before; a; SAVEPOINT s; b; ROLLBACK TO s", "[RELEASE before][a][SAVEPOINT s][ROLLBACK TO s]"},
        {"SAVEPOINT savepoint; a; ROLLBACK TO savepoint; b", "[SAVEPOINT savepoint][ROLLBACK TO savepoint][b]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(left(cases[i].text), cases[i].left);
}

static void a_command_is_found_by_its_tag_and_number(void **state)
{
    (void)state;
    static const char text[] = "CREATE TABLE a (i int); CREATE TABLE b AS SELECT 1; SAVEPOINT s; CREATE TABLE c (i int); ROLLBACK TO s; "
                               "COMMENT ON DATABASE d IS 'x'; COMMENT ON TABLE a IS 'y'; COMMIT; CREATE TEMP TABLE d (i int); "
                               "CREATE OPERATOR CLASS e; CREATE OPERATOR === (x)";
    static const struct {
        const char *tag;
        size_t nth;
        const char *command;
    } cases[] = {
        {"CREATE TABLE", 1, "CREATE TABLE a (i int)"},
        {"CREATE TABLE AS", 2, "CREATE TABLE b AS SELECT 1"},
        {"CREATE TABLE", 3, "CREATE TEMP TABLE d (i int)"},
        {"CREATE TABLE", 4, NULL},
        {"COMMENT", 1, "COMMENT ON TABLE a IS 'y'"},
        {"CREATE OPERATOR", 1, "CREATE OPERATOR === (x)"},
        {"CREATE OPERATOR CLASS", 1, "CREATE OPERATOR CLASS e"},
        {"CREATE VIEW", 1, NULL},
    };
    pgconvoy_error error = {0};
    pgc_sql_script script;
    pgc_arena *arena = pgc_arena_new(1024);
    assert_int_equal(pgc_sql_script_read(&script, text, arena, &error), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const pgc_sql_command *found = pgc_sql_script_nth(&script, cases[i].tag, cases[i].nth);
        assert_int_equal(found != NULL, cases[i].command != NULL);
        if (found) {
            assert_int_equal(found->length, strlen(cases[i].command));
            assert_memory_equal(found->text, cases[i].command, found->length);
        }
    }
    pgc_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_rollback_undoes_is_left_out),
        cmocka_unit_test(a_command_is_found_by_its_tag_and_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
