/* Whether a comma is due is seen from the last byte: within a string nothing is written by these. */
#include "format/json_object.h"

#include "format/json_text.h"

void pgc_json_comma(pgc_buffer *out)
{
    char last = out->length ? out->data[out->length - 1] : '{';
    if (last != '{' && last != '[')
        pgc_buffer_byte(out, ',');
}

void pgc_json_nullable(pgc_buffer *out, const char *text)
{
    if (text)
        pgc_json_string(out, text);
    else
        pgc_buffer_text(out, "null");
}

void pgc_json_name(pgc_buffer *out, const char *name)
{
    pgc_json_comma(out);
    pgc_buffer_format(out, "\"%s\":", name);
}

void pgc_json_object(pgc_buffer *out)
{
    pgc_json_comma(out);
    pgc_buffer_byte(out, '{');
}

void pgc_json_list(pgc_buffer *out, const char *name)
{
    pgc_json_name(out, name);
    pgc_buffer_byte(out, '[');
}

void pgc_json_member_text(pgc_buffer *out, const char *name, const char *text)
{
    pgc_json_name(out, name);
    pgc_json_nullable(out, text);
}

void pgc_json_member_number(pgc_buffer *out, const char *name, int64_t number)
{
    pgc_json_name(out, name);
    pgc_buffer_format(out, "%lld", (long long)number);
}

void pgc_json_member_bool(pgc_buffer *out, const char *name, bool value)
{
    pgc_json_name(out, name);
    pgc_buffer_text(out, value ? "true" : "false");
}

void pgc_json_member_table(pgc_buffer *out, const char *schema, const char *table)
{
    pgc_json_member_text(out, "schema", schema);
    pgc_json_member_text(out, "table", table);
}
