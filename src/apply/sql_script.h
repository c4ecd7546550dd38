/*
 * A query of several commands as the server runs it: which of them count in the end, since ROLLBACK undoes some that come before it.
 * Not thread-safe.
 */
#ifndef PGC_APPLY_SQL_SCRIPT_H
#define PGC_APPLY_SQL_SCRIPT_H

#include "base/arena.h"

typedef struct pgc_sql_command {
    const char *text; /* in the script's, without semicolon and blanks around it */
    size_t length;
    bool undone;
} pgc_sql_command;

typedef struct pgc_sql_script {
    const char *text;
    pgc_sql_command *commands;
    size_t count;
} pgc_sql_script;

/* Takes a text apart, which must stay for as long as the script is used; the commands are of the arena. -1: out of memory. */
int pgc_sql_script_read(pgc_sql_script *script, const char *text, pgc_arena *arena, pgconvoy_error *err) PGC_MUST_CHECK;

/*
 * The command that is the nth (from 1) of those that event triggers call by this tag ("CREATE INDEX"), what was undone left out; NULL: there is none.
 * CREATE TABLE and CREATE TABLE AS are counted as one.
 */
const pgc_sql_command *pgc_sql_script_nth(const pgc_sql_script *script, const char *tag, size_t nth);

#endif
