/*
 * Patterns become anchored regular expressions: one walk over the pattern cuts it at the dots that stand outside of
 * quotes and translates each part as it goes.
 */
#include "source/postgres/patterns.h"
#include "postgres/quote.h"

#include <ctype.h>

#define PARTS_MAX 3 /* database, schema, name */

typedef struct parts {
    int count;
    pgc_buffer regex[PARTS_MAX];
} parts;

static void parts_free(parts *parts)
{
    for (int i = 0; i < PARTS_MAX; i++)
        pgc_buffer_free(&parts->regex[i]);
}

static bool is_special(char c)
{
    return c != '\0' && strchr("|*+?()[]{}.^$\\", c) != NULL;
}

/* A character that stands for itself. Bytes of a UTF-8 sequence pass as they are. */
static void literal(pgc_buffer *out, char c)
{
    if (is_special(c))
        pgc_buffer_byte(out, '\\');
    pgc_buffer_byte(out, c);
}

/* A character outside of quotes that is no dot; returns how many bytes of the pattern it took. */
static int unquoted(pgc_buffer *out, const char *at)
{
    switch (*at) {
    case '*':
        pgc_buffer_text(out, ".*");
        return 1;
    case '?':
        pgc_buffer_byte(out, '.');
        return 1;
    case '$': /* may stand in a name without quotes, and no name could follow an end of line */
        pgc_buffer_text(out, "\\$");
        return 1;
    case '[':
        if (at[1] == ']') { /* an empty class is no regular expression, but is part of names like _int4[] */
            pgc_buffer_text(out, "\\[\\]");
            return 2;
        }
        break;
    default:
        break;
    }
    pgc_buffer_byte(out, (char)((unsigned char)*at < 0x80 ? tolower((unsigned char)*at) : *at));
    return 1;
}

static int translate(const char *pattern, parts *parts, pgconvoy_error *err)
{
    bool quoted = false;
    parts->count = 1;
    pgc_buffer *out = &parts->regex[0];
    for (const char *at = pattern; *at;) {
        if (*at == '"') {
            if (quoted && at[1] == '"') {
                pgc_buffer_byte(out, '"');
                at += 2;
                continue;
            }
            quoted = !quoted;
            at++;
        } else if (quoted) {
            literal(out, *at++);
        } else if (*at == '.') {
            if (parts->count == PARTS_MAX) {
                pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "the pattern %s has too many dotted names", pattern);
                pgconvoy_error_hint(err, "write it as SCHEMA.NAME, and put a name with dots inside double quotes");
                return -1;
            }
            out = &parts->regex[parts->count++];
            at++;
        } else {
            at += unquoted(out, at);
        }
    }
    if (quoted) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE,
                           "the pattern %s has an opening double quote without a closing one", pattern);
        pgconvoy_error_hint(err, "write \"\" for a double quote inside of a quoted name");
        return -1;
    }
    return 0;
}

static void match(pgc_buffer *out, const char *subject, pgc_buffer *regex)
{
    pgc_buffer anchored;
    pgc_buffer_init(&anchored, 1 << 20);
    pgc_buffer_text(&anchored, "^(");
    pgc_buffer_append(&anchored, regex->length ? regex->data : "", regex->length);
    pgc_buffer_text(&anchored, ")$");
    pgc_buffer_format(out, "%s OPERATOR(pg_catalog.~) ", subject);
    if (anchored.failed)
        out->failed = true;
    else
        pgc_quote_literal(out, anchored.data);
    pgc_buffer_text(out, " COLLATE pg_catalog.\"default\"");
    pgc_buffer_free(&anchored);
}

/* The condition for the parts from the last to the first: name, schema, database. */
static void conditions(parts *parts, bool is_table, pgc_buffer *out)
{
    int last = parts->count - 1;
    pgc_buffer_byte(out, '(');
    if (is_table) {
        match(out, "c.relname", &parts->regex[last--]);
        if (last < 0)
            pgc_buffer_text(out, " AND pg_catalog.pg_table_is_visible(c.oid)");
    }
    if (last >= 0) {
        if (is_table)
            pgc_buffer_text(out, " AND ");
        match(out, "n.nspname", &parts->regex[last--]);
    }
    if (last >= 0) {
        pgc_buffer_text(out, " AND ");
        match(out, "pg_catalog.current_database()", &parts->regex[last]);
    }
    pgc_buffer_byte(out, ')');
}

static int condition(const char *pattern, bool is_table, pgc_buffer *out, pgconvoy_error *err)
{
    parts parts = {0};
    for (int i = 0; i < PARTS_MAX; i++)
        pgc_buffer_init(&parts.regex[i], 1 << 20);
    int result = translate(pattern, &parts, err);
    if (result == 0 && !is_table && parts.count == PARTS_MAX) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "the schema pattern %s has too many dotted names", pattern);
        result = -1;
    }
    if (result == 0) {
        for (int i = 0; i < PARTS_MAX; i++)
            out->failed |= parts.regex[i].failed;
        conditions(&parts, is_table, out);
        result = pgc_buffer_check(out, err);
    }
    parts_free(&parts);
    return result;
}

int pgc_pattern_table_condition(const char *pattern, pgc_buffer *out, pgconvoy_error *err)
{
    return condition(pattern, true, out, err);
}

int pgc_pattern_schema_condition(const char *pattern, pgc_buffer *out, pgconvoy_error *err)
{
    return condition(pattern, false, out, err);
}
