/*
 * A server prints an expression in the form that it was read in first, and what it reads back from that comes out otherwise: definitions that a copy (or
 * pg_dump) has carried over differ in two ways without being others. A cast of an ARRAY[] goes to its elements (col IN ('a', 'b') of a varchar column), and of
 * AND within AND, or OR within OR, the parentheses around the first go (a BETWEEN 1 AND 2 AND b). Here both get the later form.
 */
#include "inspect/verify/schema.h"

#include "apply/sql_text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static bool is_of_name(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

/* Behind the quoted text that begins at at: a string, an identifier, or what stands between dollars; at where nothing is quoted. */
static size_t skip_quoted(const char *text, size_t length, size_t at)
{
    const char *behind = text + at;
    if (at > 0 && is_of_name(text[at - 1]) && is_of_name(text[at])) /* in the midst of a word */
        return at;
    pgc_sql_token token = pgc_sql_next_token(&behind, text + length);
    bool is_quoted = token.kind == PGC_SQL_STRING || token.kind == PGC_SQL_QUOTED_WORD;
    return is_quoted && token.start == text + at ? (size_t)(behind - text) : at;
}

/* The place of the bracket that closes the one at at; length where none does. */
static size_t closing(const char *text, size_t length, size_t at)
{
    int depth = 0;
    while (at < length) {
        size_t behind = skip_quoted(text, length, at);
        if (behind > at) {
            at = behind;
            continue;
        }
        depth += (text[at] == '(' || text[at] == '[') - (text[at] == ')' || text[at] == ']');
        if (depth == 0)
            return at;
        at++;
    }
    return length;
}

/* The next of two texts outside of quotes and brackets, from at on; length where there is none. *which: 0 or 1. */
static size_t find_outside(const char *text, size_t length, size_t at, const char *const texts[2], int *which)
{
    while (at < length) {
        size_t behind = skip_quoted(text, length, at);
        if (behind > at) {
            at = behind;
            continue;
        }
        for (int i = 0; i < 2; i++) {
            size_t size = texts[i] ? strlen(texts[i]) : 0;
            if (size && length - at >= size && memcmp(text + at, texts[i], size) == 0) {
                *which = i;
                return at;
            }
        }
        at = text[at] == '(' || text[at] == '[' ? closing(text, length, at) + 1 : at + 1;
    }
    return length;
}

static void spell(const char *text, size_t length, pgc_buffer *out);

static bool is_array(const char *text, size_t length)
{
    return length > 7 && memcmp(text, "ARRAY[", 6) == 0 && closing(text, length, 5) == length - 1;
}

/* ARRAY[…], each element cast to the type. */
static void cast_elements(const char *array, size_t length, const char *type, size_t type_length, pgc_buffer *out)
{
    static const char *const comma[2] = {", "};
    int unused;
    pgc_buffer_text(out, "ARRAY[");
    for (size_t at = 6; at < length - 1;) {
        size_t end = find_outside(array, length - 1, at, comma, &unused);
        if (is_array(array + at, end - at)) {
            cast_elements(array + at, end - at, type, type_length, out);
        } else {
            pgc_buffer_byte(out, '(');
            spell(array + at, end - at, out);
            pgc_buffer_text(out, ")::");
            pgc_buffer_append(out, type, type_length);
        }
        if (end < length - 1)
            pgc_buffer_text(out, ", ");
        at = end + 2;
    }
    pgc_buffer_byte(out, ']');
}

/* The length of a type's name before the [] of its array; 0: text does not begin with "::" and such a name. */
static size_t type_before_array(const char *text, size_t length)
{
    size_t at = 2;
    if (length < 5 || memcmp(text, "::", 2) != 0)
        return 0;
    while (at < length && (is_of_name(text[at]) || strchr(" .,()\"", text[at])))
        at = text[at] == '"' ? skip_quoted(text, length, at) : at + 1;
    return at > 2 && at + 1 < length && text[at] == '[' && text[at + 1] == ']' ? at - 2 : 0;
}

/* What stands within parentheses. */
static void spell_group(const char *text, size_t length, pgc_buffer *out)
{
    static const char *const words[2] = {" AND ", " OR "};
    int outer = 0, inner = 1;
    size_t end = length && text[0] == '(' ? closing(text, length, 0) : length;
    if (end + 1 < length && find_outside(text, length, end + 1, words, &outer) == end + 1 && find_outside(text + 1, end - 1, 0, words, &inner) < end - 1 &&
        outer == inner) {
        spell_group(text + 1, end - 1, out);
        spell(text + end + 1, length - end - 1, out);
        return;
    }
    spell(text, length, out);
}

static void spell(const char *text, size_t length, pgc_buffer *out)
{
    for (size_t at = 0; at < length;) {
        size_t behind = skip_quoted(text, length, at), end = text[at] == '(' ? closing(text, length, at) : length;
        if (behind > at || end == length) { /* not of a group */
            behind = behind > at ? behind : at + 1;
            pgc_buffer_append(out, text + at, behind - at);
            at = behind;
            continue;
        }
        size_t type = is_array(text + at + 1, end - at - 1) ? type_before_array(text + end + 1, length - end - 1) : 0;
        if (type) {
            cast_elements(text + at + 1, end - at - 1, text + end + 3, type, out);
            at = end + 3 + type + 2;
        } else {
            pgc_buffer_byte(out, '(');
            spell_group(text + at + 1, end - at - 1, out);
            pgc_buffer_byte(out, ')');
            at = end + 1;
        }
    }
}

const char *verify_spelling(pgc_arena *arena, const char *text)
{
    pgc_buffer out;
    pgc_buffer_init(&out, (size_t)1 << 30);
    spell(text, strlen(text), &out);
    char *spelled = out.failed ? NULL : pgc_arena_strndup(arena, out.length ? out.data : "", out.length);
    pgc_buffer_free(&out);
    return spelled;
}
