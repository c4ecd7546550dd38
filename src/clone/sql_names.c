/*
 * The text is cut in tokens (PostgreSQL manual, section 4.1). A name before a dot, with no dot before it, is a
 * schema's, where the text has no aliases; so is what follows the word SCHEMA, and the list behind SET search_path.
 * Names inside of literals are looked at where a cast to regclass and the like says that they are names.
 */
#include "clone/sql_names.h"

#include "postgres/quote.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

typedef struct walk {
    clone_sql_names *names;
    pgc_buffer *out;
    bool after_dot, after_schema;                /* the word SCHEMA */
    enum { NO_PATH, PATH_NAME, PATH_LIST } path; /* of SET search_path TO … */
} walk;

static bool begins_name(char c)
{
    return isalpha((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_of_name(char c)
{
    return begins_name(c) || isdigit((unsigned char)c) || c == '$';
}

/* The end of a name, quoted or not. */
static const char *end_of_name(const char *at)
{
    if (*at != '"') {
        while (is_of_name(*at))
            at++;
        return at;
    }
    for (at++; *at && (*at != '"' || at[1] == '"'); at++)
        at += *at == '"';
    return *at ? at + 1 : at;
}

/* The name itself; false when it is too long for one. */
static bool name_of(const char *from, const char *end, char name[256])
{
    size_t length = 0;
    bool quoted = *from == '"';
    for (const char *c = from + quoted; c < end - quoted; c++) {
        if (length >= 255)
            return false;
        name[length++] = quoted ? *c : (char)tolower((unsigned char)*c);
        c += quoted && *c == '"';
    }
    name[length] = '\0';
    return true;
}

/* Its new name, or NULL. */
static const char *mapped(const walk *walk, const char *name)
{
    const char *to = pgc_mapping_schema(walk->names->mapping, name);
    return to != name ? to : NULL;
}

/* ------------------------------------------------------------------ literals */

/* Behind its closing quote; backslash: one keeps the next byte from meaning anything. */
static const char *end_of_literal(const char *at, bool backslash)
{
    for (at++; *at && (*at != '\'' || at[1] == '\''); at++)
        at += (*at == '\'' || (backslash && *at == '\\' && at[1]));
    return *at ? at + 1 : at;
}

/* "'a.t'::regclass" */
static bool is_cast_to_name(const char *after)
{
    static const char *const types[] = {"regclass",    "regtype",   "regproc",       "regprocedure", "regoper",
                                        "regoperator", "regconfig", "regdictionary", "regcollation", NULL};
    if (strncmp(after, "::", 2) != 0)
        return false;
    after += 2;
    if (strncmp(after, "pg_catalog.", 11) == 0)
        after += 11;
    size_t length = (size_t)(end_of_name(after) - after);
    for (const char *const *type = types; *type; type++)
        if (strlen(*type) == length && strncmp(*type, after, length) == 0)
            return true;
    return false;
}

static bool mentions_schema(const walk *walk, const char *from, const char *end)
{
    char name[256];
    const pgc_mapped_name *schemas;
    if (pgc_mapping_schemas(walk->names->mapping, &schemas) == 0)
        return false;
    for (const char *at = from; at < end;) {
        if (!begins_name(*at) && *at != '"') {
            at++;
            continue;
        }
        const char *after = end_of_name(at);
        if (after < end && *after == '.' && name_of(at, after, name) && mapped(walk, name))
            return true;
        at = after > at ? after : at + 1;
    }
    return false;
}

/* What it says, without its quotes; to be freed. */
static char *content_of(const char *from, const char *end)
{
    char *content = malloc((size_t)(end - from) + 1);
    size_t length = 0;
    for (const char *c = from + 1; content && c < end - 1; c++) {
        content[length++] = *c;
        c += *c == '\'';
    }
    if (content)
        content[length] = '\0';
    return content;
}

static void map_literal(walk *walk, const char *from, const char *end)
{
    char *content = content_of(from, end);
    pgc_buffer inside;
    pgc_buffer_init(&inside, 1 << 20);
    if (!content)
        walk->out->failed = true;
    else if (walk->path == PATH_LIST)
        pgc_buffer_text(&inside, pgc_mapping_schema(walk->names->mapping, content));
    else {
        clone_sql_names names = {.mapping = walk->names->mapping};
        clone_sql_map_schemas(&names, content, &inside);
    }
    if (inside.failed)
        walk->out->failed = true;
    else
        pgc_quote_literal(walk->out, inside.data ? inside.data : "");
    pgc_buffer_free(&inside);
    free(content);
}

static const char *take_literal(walk *walk, const char *at, bool backslash)
{
    const char *end = end_of_literal(at, backslash);
    if (!backslash && (walk->path == PATH_LIST || walk->names->names_as_text || is_cast_to_name(end))) {
        map_literal(walk, at, end);
        return end;
    }
    walk->names->is_in_text |= mentions_schema(walk, at, end);
    pgc_buffer_append(walk->out, at, (size_t)(end - at));
    return end;
}

/* $tag$…$tag$, or the dollar alone. */
static const char *take_dollar(walk *walk, const char *at)
{
    const char *open = at + 1;
    while (is_of_name(*open) && *open != '$')
        open++;
    const char *end = at + 1;
    if (*open == '$' && !isdigit((unsigned char)at[1])) {
        size_t length = (size_t)(open + 1 - at);
        const char *c = open + 1;
        while (*c && strncmp(c, at, length) != 0)
            c++;
        end = *c ? c + length : c;
        walk->names->is_in_text |= mentions_schema(walk, open + 1, end);
    }
    pgc_buffer_append(walk->out, at, (size_t)(end - at));
    return end;
}

/* ------------------------------------------------------------------ names */

static bool is_word(const char *from, const char *end, const char *word)
{
    return strlen(word) == (size_t)(end - from) && strncasecmp(from, word, strlen(word)) == 0;
}

/* What the words say of the name that follows. */
static void note_word(walk *walk, const char *from, const char *end)
{
    bool was_schema = walk->after_schema;
    walk->after_schema =
        !walk->names->is_query &&
        (is_word(from, end, "schema") ||
         (was_schema && (is_word(from, end, "if") || is_word(from, end, "not") || is_word(from, end, "exists"))));
    if (is_word(from, end, "search_path"))
        walk->path = PATH_NAME;
    else if (walk->path == PATH_NAME && is_word(from, end, "to"))
        walk->path = PATH_LIST;
    else
        walk->path = NO_PATH;
}

static const char *take_name(walk *walk, const char *at)
{
    char name[256];
    const char *end = end_of_name(at), *to = name_of(at, end, name) ? mapped(walk, name) : NULL;
    if (*end == '\'' && end - at <= 2) { /* E'…', U&'…' */
        pgc_buffer_append(walk->out, at, (size_t)(end - at));
        return take_literal(walk, end, tolower((unsigned char)*at) == 'e');
    }
    bool is_schema = !walk->after_dot && (*end == '.' || walk->after_schema || walk->path == PATH_LIST);
    if (to && is_schema)
        pgc_quote_identifier(walk->out, to);
    else
        pgc_buffer_append(walk->out, at, (size_t)(end - at));
    walk->names->is_ambiguous |= to && !is_schema && walk->names->is_query;
    bool in_list = walk->path == PATH_LIST;
    note_word(walk, at, end);
    if (in_list)
        walk->path = PATH_LIST;
    return end;
}

/* A number, so that its point is not taken for a dot between names. */
static const char *take_number(walk *walk, const char *at)
{
    const char *end = at;
    while (isalnum((unsigned char)*end) || *end == '.' || *end == '_')
        end++;
    pgc_buffer_append(walk->out, at, (size_t)(end - at));
    return end;
}

static const char *take_blank_or_comment(walk *walk, const char *at)
{
    const char *end = at;
    if (strncmp(at, "--", 2) == 0)
        end += strcspn(at, "\n");
    else
        while (isspace((unsigned char)*end)) {
            walk->path = *end == '\n' && walk->path == PATH_LIST ? NO_PATH : walk->path;
            end++;
        }
    pgc_buffer_append(walk->out, at, (size_t)(end - at));
    return end;
}

void clone_sql_map_schemas(clone_sql_names *names, const char *sql, pgc_buffer *out)
{
    walk walk = {.names = names, .out = out};
    for (const char *at = sql; *at;) {
        bool is_blank = isspace((unsigned char)*at) || strncmp(at, "--", 2) == 0;
        if (is_blank) {
            at = take_blank_or_comment(&walk, at);
            continue;
        }
        bool is_dot = *at == '.';
        if (begins_name(*at) || *at == '"') {
            at = take_name(&walk, at);
        } else if (*at == '\'') {
            at = take_literal(&walk, at, false);
        } else if (*at == '$') {
            at = take_dollar(&walk, at);
        } else if (isdigit((unsigned char)*at)) {
            at = take_number(&walk, at);
        } else {
            if (*at != ',' && *at != '=')
                walk.path = NO_PATH;
            else if (*at == '=' && walk.path == PATH_NAME)
                walk.path = PATH_LIST;
            walk.after_schema = false;
            pgc_buffer_byte(out, *at++);
        }
        walk.after_dot = is_dot;
    }
}

bool clone_sql_mentions(const char *text, const char *name)
{
    char word[256];
    for (const char *at = text; *at;) {
        if (!begins_name(*at) && *at != '"') {
            at++;
            continue;
        }
        const char *end = end_of_name(at);
        if (name_of(at, end, word) && strcmp(word, name) == 0)
            return true;
        at = end > at ? end : at + 1;
    }
    return false;
}
