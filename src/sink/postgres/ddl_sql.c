/*
 * By which SQL a command is done. The text is done where it is known, with the source's search_path and settings of
 * that moment: it says all that there is to be said. What was dropped is dropped by name, as a text may mean a
 * temporary table. Where the text is not known, what the source's catalog gives as definition is.
 */
#include "sink/postgres/ddl_internal.h"

#include "apply/sql_text.h"

#include <ctype.h>

typedef enum way { BY_TEXT, BY_NAME, BY_DEFINITION, NOT_AT_ALL } way;

/* By the beginning of a tag; the first that fits. Privileges and owners are of the roles of a server. */
static const struct {
    const char *tag;
    way way;
} ways[] = {
    {"GRANT", NOT_AT_ALL},
    {"REVOKE", NOT_AT_ALL},
    {"ALTER DEFAULT PRIVILEGES", NOT_AT_ALL},
    {"REASSIGN", NOT_AT_ALL},
    {"SECURITY LABEL", NOT_AT_ALL},
    {"REINDEX", NOT_AT_ALL},
    {"CREATE TABLE AS", BY_DEFINITION},
    {"SELECT INTO", BY_DEFINITION},
    {"DROP ", BY_NAME},
    {"", BY_TEXT},
};

bool pgc_pgsink_ddl_has(const pgconvoy_ddl *ddl, const char *word)
{
    return ddl->command && pgc_sql_has_word(ddl->command, strlen(ddl->command), word);
}

static way way_of(const pgconvoy_ddl *ddl)
{
    size_t i = 0;
    while (strncmp(ddl->tag, ways[i].tag, strlen(ways[i].tag)) != 0)
        i++;
    if (ways[i].way != BY_TEXT)
        return ways[i].way;
    if (pgc_pgsink_ddl_has(ddl, "OWNER") && !strchr(ddl->command, ','))
        return NOT_AT_ALL;
    return ddl->command ? BY_TEXT : BY_DEFINITION;
}

static bool is_one_of(const pgc_sql_token *token, const char *const *words)
{
    for (; *words; words++)
        if (pgc_sql_token_is(token, *words))
            return true;
    return false;
}

/* ADD and DROP of columns, whose word may be left out. */
static bool adds_or_drops_columns(const pgconvoy_ddl *ddl)
{
    static const char *const added[] = {"CONSTRAINT", "PRIMARY", "UNIQUE",    "FOREIGN",
                                        "CHECK",      "EXCLUDE", "GENERATED", NULL};
    static const char *const dropped[] = {"CONSTRAINT", "DEFAULT", "NOT", "IDENTITY", "EXPRESSION", NULL};
    const char *at = ddl->command, *end = at + strlen(at);
    pgc_sql_token before = {0};
    for (pgc_sql_token token; (token = pgc_sql_next_token(&at, end)).kind != PGC_SQL_END; before = token)
        if ((pgc_sql_token_is(&before, "ADD") && !is_one_of(&token, added)) ||
            (pgc_sql_token_is(&before, "DROP") && !is_one_of(&token, dropped)))
            return true;
    return false;
}

/*
 * A command that is older than the copy of its table would change its rows once more, or take columns away that it
 * means by a name which others have since.
 */
static bool would_change_twice(const pgconvoy_ddl *ddl)
{
    return ddl->copied && (!ddl->command || (strcmp(ddl->tag, "ALTER TABLE") == 0 &&
                                             (pgc_pgsink_ddl_has(ddl, "TYPE") || pgc_pgsink_ddl_has(ddl, "RENAME") ||
                                              pgc_pgsink_ddl_has(ddl, "USING") || adds_or_drops_columns(ddl))));
}

bool pgc_pgsink_ddl_is_carried(const pgconvoy_ddl *ddl)
{
    return way_of(ddl) != NOT_AT_ALL && !would_change_twice(ddl);
}

/* ---- the SQL */

/* DROP TABLE IF EXISTS "s"."t"; … */
static void drops(const pgconvoy_ddl *ddl, pgc_buffer *sql)
{
    for (size_t i = 0; i < ddl->object_count; i++) {
        const pgconvoy_ddl_object *object = &ddl->objects[i];
        if (!object->original)
            continue;
        pgc_buffer_text(sql, "DROP ");
        if (pgc_pgsink_ddl_is_a(object, "statistics object"))
            pgc_buffer_text(sql, "STATISTICS");
        else
            for (const char *c = object->type; *c; c++)
                pgc_buffer_byte(sql, (char)(*c == '-' ? ' ' : toupper((unsigned char)*c)));
        pgc_buffer_format(sql, " IF EXISTS %s%s; ", object->identity,
                          pgc_pgsink_ddl_has(ddl, "CASCADE") ? " CASCADE" : "");
    }
}

/* Of an ALTER only constraints: its other objects are there already. */
static void definitions(const pgconvoy_ddl *ddl, pgc_buffer *sql)
{
    bool makes = strncmp(ddl->tag, "ALTER", 5) != 0;
    for (size_t i = 0; i < ddl->object_count; i++) {
        const pgconvoy_ddl_object *object = &ddl->objects[i];
        if (object->definition && (makes || pgc_pgsink_ddl_is_a(object, "table constraint")))
            pgc_buffer_format(sql, "%s; ", object->definition);
    }
}

void pgc_pgsink_ddl_compose(const pgconvoy_ddl *ddl, pgc_buffer *sql)
{
    way way = way_of(ddl);
    if (way == BY_NAME)
        drops(ddl, sql);
    else if (way == BY_DEFINITION)
        definitions(ddl, sql);
    else /* all is one transaction here, in which nothing is done concurrently */
        pgc_sql_without_word(ddl->command, strlen(ddl->command), "CONCURRENTLY", sql);
}
