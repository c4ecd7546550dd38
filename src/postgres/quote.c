/* Quoting: double what closes. */
#include "postgres/quote.h"

static void quote(pgc_buffer *out, char mark, const char *text, size_t length)
{
    pgc_buffer_byte(out, mark);
    for (size_t i = 0; i < length; i++) {
        if (text[i] == mark)
            pgc_buffer_byte(out, mark);
        pgc_buffer_byte(out, text[i]);
    }
    pgc_buffer_byte(out, mark);
}

void pgc_quote_identifier(pgc_buffer *out, const char *name)
{
    quote(out, '"', name, strlen(name));
}

void pgc_quote_qualified(pgc_buffer *out, const char *schema, const char *name)
{
    pgc_quote_identifier(out, schema);
    pgc_buffer_byte(out, '.');
    pgc_quote_identifier(out, name);
}

void pgc_quote_literal(pgc_buffer *out, const char *text)
{
    quote(out, '\'', text, strlen(text));
}

void pgc_quote_literal_n(pgc_buffer *out, const char *text, size_t length)
{
    quote(out, '\'', text, length);
}
