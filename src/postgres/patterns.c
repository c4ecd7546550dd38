/*
 * Patterns become anchored regular expressions: one walk over the pattern cuts it at the dots that stand outside of
 * quotes and translates each part as it goes.
 */
#include "postgres/patterns.h"
#include "postgres/quote.h"

#include <ctype.h>

void pgc_pattern_free(pgc_pattern *parts)
{
    for (int i = 0; i < PGC_PATTERN_PARTS; i++)
        pgc_buffer_free(&parts->regex[i]);
    pgc_buffer_free(&parts->first);
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

/* The bytes that one step of the walk takes, as a name has them. */
static void as_name(pgc_pattern *parts, const char *at, int bytes, bool quoted)
{
    for (int i = 0; i < bytes && parts->dots == 0; i++)
        pgc_buffer_byte(&parts->first, (char)(!quoted && (unsigned char)at[i] < 0x80 ? tolower((unsigned char)at[i]) : at[i]));
}

void pgc_pattern_split(const char *pattern, int max_parts, pgc_pattern *parts)
{
    *parts = (pgc_pattern){.count = 1};
    for (int i = 0; i < PGC_PATTERN_PARTS; i++)
        pgc_buffer_init(&parts->regex[i], 1 << 20);
    pgc_buffer_init(&parts->first, 1 << 20);
    bool quoted = false;
    pgc_buffer *out = &parts->regex[0];
    for (const char *at = pattern; *at;) {
        int taken = 1;
        if (*at == '"') {
            bool is_one = quoted && at[1] == '"';
            if (is_one) {
                pgc_buffer_byte(out, '"');
                as_name(parts, at, 1, true);
                taken = 2;
            } else {
                quoted = !quoted;
            }
        } else if (quoted) {
            literal(out, *at);
            as_name(parts, at, 1, true);
        } else if (*at == '.') {
            parts->dots++;
            if (parts->count < max_parts)
                out = &parts->regex[parts->count++];
            else
                pgc_buffer_byte(out, '.');
        } else {
            taken = unquoted(out, at);
            as_name(parts, at, taken, false);
        }
        at += taken;
    }
    parts->unclosed = quoted;
}

static int translate(const char *pattern, pgc_pattern *parts, pgconvoy_error *err)
{
    pgc_pattern_split(pattern, PGC_PATTERN_PARTS, parts);
    if (parts->dots >= PGC_PATTERN_PARTS) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "the pattern %s has too many dotted names", pattern);
        pgconvoy_error_hint(err, "write it as SCHEMA.NAME, and put a name with dots inside double quotes");
        return -1;
    }
    if (parts->unclosed) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE,
                           "the pattern %s has an opening double quote without a closing one", pattern);
        pgconvoy_error_hint(err, "write \"\" for a double quote inside of a quoted name");
        return -1;
    }
    return 0;
}

void pgc_pattern_match(pgc_buffer *out, const char *subject, const pgc_buffer *regex)
{
    pgc_buffer anchored;
    pgc_buffer_init(&anchored, 1 << 20);
    pgc_buffer_text(&anchored, "^(");
    pgc_buffer_append(&anchored, regex->length ? regex->data : "", regex->length);
    pgc_buffer_text(&anchored, ")$");
    pgc_buffer_format(out, "%s OPERATOR(pg_catalog.~) ", subject);
    if (anchored.failed || regex->failed)
        out->failed = true;
    else
        pgc_quote_literal(out, anchored.data);
    pgc_buffer_text(out, " COLLATE pg_catalog.\"default\"");
    pgc_buffer_free(&anchored);
}

/* The condition for the parts from the last to the first: name, schema, database. */
static void conditions(pgc_pattern *parts, bool is_table, pgc_buffer *out)
{
    int last = parts->count - 1;
    pgc_buffer_byte(out, '(');
    if (is_table) {
        pgc_pattern_match(out, "c.relname", &parts->regex[last--]);
        if (last < 0)
            pgc_buffer_text(out, " AND pg_catalog.pg_table_is_visible(c.oid)");
    }
    if (last >= 0) {
        if (is_table)
            pgc_buffer_text(out, " AND ");
        pgc_pattern_match(out, "n.nspname", &parts->regex[last--]);
    }
    if (last >= 0) {
        pgc_buffer_text(out, " AND ");
        pgc_pattern_match(out, "pg_catalog.current_database()", &parts->regex[last]);
    }
    pgc_buffer_byte(out, ')');
}

static int condition(const char *pattern, bool is_table, pgc_buffer *out, pgconvoy_error *err)
{
    pgc_pattern parts;
    int result = translate(pattern, &parts, err);
    if (result == 0 && !is_table && parts.count == PGC_PATTERN_PARTS) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "the schema pattern %s has too many dotted names", pattern);
        result = -1;
    }
    if (result == 0) {
        conditions(&parts, is_table, out);
        result = pgc_buffer_check(out, err);
    }
    pgc_pattern_free(&parts);
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
