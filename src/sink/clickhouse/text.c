/* Text that ClickHouse reads and writes: names and literals (manual: SQL reference, syntax), and the format
 * TabSeparated. */
#include "sink/clickhouse/clickhouse_internal.h"

static void quoted(pgc_buffer *out, const char *text, char quote)
{
    pgc_buffer_byte(out, quote);
    for (; *text; text++) {
        if (*text == quote || *text == '\\')
            pgc_buffer_byte(out, '\\');
        pgc_buffer_byte(out, *text);
    }
    pgc_buffer_byte(out, quote);
}

void pgc_clickhouse_identifier(pgc_buffer *out, const char *name)
{
    quoted(out, name, '`');
}

void pgc_clickhouse_literal(pgc_buffer *out, const char *text)
{
    quoted(out, text, '\'');
}

pgc_clickhouse_rows pgc_clickhouse_rows_of(pgc_http_response *response)
{
    return (pgc_clickhouse_rows){response->body.length > 0 ? response->body.data : NULL};
}

/* Undoes the escapes of a field, in place. */
static void unescape(char *text)
{
    static const char from[] = "bfrnt0", to[] = "\b\f\r\n\t";
    char *out = text;
    for (; *text; text++) {
        if (*text == '\\' && text[1]) {
            text++;
            const char *at = strchr(from, *text);
            *out++ = at ? to[at - from] : *text;
        } else {
            *out++ = *text;
        }
    }
    *out = '\0';
}

bool pgc_clickhouse_rows_next(pgc_clickhouse_rows *rows, char **fields, int count)
{
    char *line = rows->at;
    if (!line || !*line)
        return false;
    char *end = strchr(line, '\n');
    if (end)
        *end = '\0';
    rows->at = end ? end + 1 : NULL;
    for (int i = 0; i < count; i++) {
        fields[i] = line;
        char *tab = strchr(line, '\t');
        if (tab)
            *tab = '\0';
        line = tab ? tab + 1 : line + strlen(line);
    }
    for (int i = 0; i < count; i++) {
        if (strcmp(fields[i], "\\N") == 0)
            fields[i] = NULL;
        else
            unescape(fields[i]);
    }
    return true;
}
