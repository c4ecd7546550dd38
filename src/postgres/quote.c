/* Quoting: double what closes. */
#include "postgres/quote.h"

#include "postgres/keywords.h"

#include <stdio.h>

#define ANY_SERVER 180000 /* the newest has the most words */

static void quote(pgc_buffer *out, char mark, const char *text, size_t length)
{
    const char *end = text + length, *at;
    pgc_buffer_byte(out, mark);
    while ((at = memchr(text, mark, (size_t)(end - text)))) {
        pgc_buffer_append(out, text, (size_t)(at + 1 - text));
        pgc_buffer_byte(out, mark);
        text = at + 1;
    }
    pgc_buffer_append(out, text, (size_t)(end - text));
    pgc_buffer_byte(out, mark);
}

void pgc_quote_identifier(pgc_buffer *out, const char *name)
{
    quote(out, '"', name, strlen(name));
}

/* Letters of other alphabets are quoted too: whether they would fold depends on the server's locale. */
static bool is_plain(const char *name)
{
    for (size_t i = 0; name[i]; i++) {
        bool letter = (name[i] >= 'a' && name[i] <= 'z') || name[i] == '_';
        if (!letter && !(i > 0 && name[i] >= '0' && name[i] <= '9'))
            return false;
    }
    return name[0] != 0;
}

void pgc_quote_identifier_if_needed(pgc_buffer *out, const char *name, int server_version, bool always)
{
    if (always || !is_plain(name) || pgc_keyword_needs_quotes(name, server_version))
        pgc_quote_identifier(out, name);
    else
        pgc_buffer_text(out, name);
}

void pgc_quote_qualified(pgc_buffer *out, const char *schema, const char *name)
{
    pgc_quote_identifier(out, schema);
    pgc_buffer_byte(out, '.');
    pgc_quote_identifier(out, name);
}

const char *pgc_quoted_name(const char *schema, const char *name, char out[PGC_QUOTED_NAME_SIZE])
{
    pgc_buffer text;
    pgc_buffer_init(&text, 4096);
    if (schema) {
        pgc_quote_identifier_if_needed(&text, schema, ANY_SERVER, false);
        pgc_buffer_byte(&text, '.');
    }
    pgc_quote_identifier_if_needed(&text, name, ANY_SERVER, false);
    snprintf(out, PGC_QUOTED_NAME_SIZE, "%s", text.data ? text.data : name);
    pgc_buffer_free(&text);
    return out;
}

void pgc_quote_array_element(pgc_buffer *array, const char *text)
{
    pgc_buffer_text(array, array->length > 0 ? ",\"" : "{\"");
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            pgc_buffer_byte(array, '\\');
        pgc_buffer_byte(array, *text);
    }
    pgc_buffer_byte(array, '"');
}

void pgc_array_add_oid(pgc_buffer *array, uint32_t oid)
{
    pgc_buffer_format(array, "%c%u", array->length > 0 ? ',' : '{', oid);
}

void pgc_array_end(pgc_buffer *array)
{
    pgc_buffer_text(array, array->length > 0 ? "}" : "{}");
}

void pgc_quote_literal(pgc_buffer *out, const char *text)
{
    quote(out, '\'', text, strlen(text));
}

void pgc_quote_literal_n(pgc_buffer *out, const char *text, size_t length)
{
    quote(out, '\'', text, length);
}
