/*
 * Transactions within a query are those of the manual's section "Multiple Statements in a Simple Query" (Frontend/Backend Protocol): commands
 * before the first COMMIT or ROLLBACK are one transaction, and a BEGIN in it changes nothing of that. A query that fails ends there,
 * so that what is met in the WAL was followed by all that its text says up to then.
 */
#include "apply/sql_script.h"

#include "apply/sql_text.h"

#include <ctype.h>
#include <string.h>

/* ---- what a command does to its transaction */

typedef enum effect { NONE, MARKS, RELEASES, RETURNS, UNDOES, ENDS } effect;

/* The name where SAVEPOINT may stand before it. */
static pgc_sql_token name_of_savepoint(const char *at, const char *end)
{
    pgc_sql_token name = pgc_sql_next_token(&at, end), behind = pgc_sql_next_token(&at, end);
    return pgc_sql_token_is(&name, "SAVEPOINT") && behind.kind != PGC_SQL_END ? behind : name;
}

/* name: of the savepoint that is marked, released or returned to. */
static effect effect_of(const pgc_sql_command *command, pgc_sql_token *name)
{
    const char *at = command->text, *end = at + command->length;
    pgc_sql_token word = pgc_sql_next_token(&at, end);
    if (pgc_sql_token_is(&word, "SAVEPOINT")) {
        *name = pgc_sql_next_token(&at, end);
        return MARKS;
    }
    if (pgc_sql_token_is(&word, "RELEASE")) {
        *name = name_of_savepoint(at, end);
        return RELEASES;
    }
    if (pgc_sql_token_is(&word, "COMMIT") || pgc_sql_token_is(&word, "END"))
        return ENDS;
    bool prepares = pgc_sql_token_is(&word, "PREPARE");
    bool undoes = pgc_sql_token_is(&word, "ROLLBACK") || pgc_sql_token_is(&word, "ABORT");
    if (!undoes && !prepares)
        return NONE;
    word = pgc_sql_next_token(&at, end);
    if (prepares)
        return pgc_sql_token_is(&word, "TRANSACTION") ? ENDS : NONE;
    if (pgc_sql_token_is(&word, "WORK") || pgc_sql_token_is(&word, "TRANSACTION"))
        word = pgc_sql_next_token(&at, end);
    if (!pgc_sql_token_is(&word, "TO"))
        return UNDOES;
    *name = name_of_savepoint(at, end);
    return RETURNS;
}

static bool is_quoted(const pgc_sql_token *name)
{
    return name->kind == PGC_SQL_QUOTED_WORD && name->length >= 2;
}

/* Without its quotes. */
static size_t length_of(const pgc_sql_token *name)
{
    return is_quoted(name) ? name->length - 2 : name->length;
}

/* As the server reads it: of a bare word in lower case, of a quoted one as it is. */
static int character_of(const pgc_sql_token *name, size_t i)
{
    return is_quoted(name) ? (unsigned char)name->start[i + 1] : tolower((unsigned char)name->start[i]);
}

static bool is_same_name(const pgc_sql_token *a, const pgc_sql_token *b)
{
    size_t i = 0;
    while (i < length_of(a) && i < length_of(b) && character_of(a, i) == character_of(b, i))
        i++;
    return i == length_of(a) && i == length_of(b);
}

/* What is behind the last savepoint of that name; all of them, where it was made before the query. */
static size_t behind_savepoint(const pgc_sql_script *script, size_t first, size_t last, const pgc_sql_token *name)
{
    for (size_t i = last; i-- > first;) {
        pgc_sql_token made;
        if (!script->commands[i].undone && effect_of(&script->commands[i], &made) == MARKS && is_same_name(&made, name))
            return i + 1;
    }
    return first;
}

/* A savepoint that is released goes, and those that were made since; the commands stay. */
static void release(pgc_sql_script *script, size_t first, size_t last, const pgc_sql_token *name)
{
    size_t from = behind_savepoint(script, first, last, name);
    for (size_t i = from > first ? from - 1 : first; i < last; i++) {
        pgc_sql_token made;
        if (effect_of(&script->commands[i], &made) == MARKS)
            script->commands[i].undone = true;
    }
}

static void undo(pgc_sql_script *script)
{
    size_t first = 0; /* of the transaction */
    for (size_t i = 0; i < script->count; i++) {
        pgc_sql_token name;
        size_t from = i;
        switch (effect_of(&script->commands[i], &name)) {
        case RELEASES:
            release(script, first, i, &name);
            break;
        case RETURNS:
            from = behind_savepoint(script, first, i, &name);
            break;
        case UNDOES:
            from = first;
            first = i + 1;
            break;
        case ENDS:
            first = i + 1;
            break;
        default:
            break;
        }
        for (; from < i; from++)
            script->commands[from].undone = true;
    }
}

/* ---- the script */

int pgc_sql_script_read(pgc_sql_script *script, const char *text, pgc_arena *arena, pgconvoy_error *err)
{
    const char *at, *end = text + strlen(text);
    pgc_sql_command command = {0};
    size_t count = 0;
    for (at = text; pgc_sql_next_command(&at, end, &command.text, &command.length);)
        count++;
    *script = (pgc_sql_script){.text = text, .commands = pgc_arena_alloc(arena, (count + 1) * sizeof *script->commands)};
    if (!script->commands)
        return pgc_error_out_of_memory(err);
    for (at = text; pgc_sql_next_command(&at, end, &command.text, &command.length);)
        script->commands[script->count++] = command;
    undo(script);
    return 0;
}

/* Comments on what is of all databases fire no event trigger. */
static bool is_unseen(const pgc_sql_command *command)
{
    static const char *const shared[] = {"DATABASE", "ROLE", "TABLESPACE", "EVENT"};
    const char *at = command->text, *end = at + command->length;
    pgc_sql_token word = pgc_sql_next_token(&at, end);
    if (!pgc_sql_token_is(&word, "COMMENT"))
        return false;
    pgc_sql_next_token(&at, end);
    word = pgc_sql_next_token(&at, end);
    for (size_t i = 0; i < sizeof shared / sizeof *shared; i++)
        if (pgc_sql_token_is(&word, shared[i]))
            return true;
    return false;
}

const pgc_sql_command *pgc_sql_script_nth(const pgc_sql_script *script, const char *tag, size_t nth)
{
    if (strcmp(tag, "CREATE TABLE AS") == 0)
        tag = "CREATE TABLE";
    for (size_t i = 0; i < script->count; i++) {
        const pgc_sql_command *command = &script->commands[i];
        if (!command->undone && pgc_sql_is_of_tag(command->text, command->length, tag) && !is_unseen(command) && --nth == 0)
            return command;
    }
    return NULL;
}
