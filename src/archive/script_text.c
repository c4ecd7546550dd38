/* Small texts of a script: names, values, lines of comments, and what is said of it. */
#include "archive/script_internal.h"
#include "postgres/quote.h"

#include <stdio.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

void script_name(const pgc_script *script, pgc_buffer *out, const char *name)
{
    pgc_quote_identifier_if_needed(out, name, script->major * 10000, script->options->quote_all_identifiers);
}

void script_qualified(const pgc_script *script, pgc_buffer *out, const char *schema, const char *name)
{
    if (schema && schema[0]) {
        script_name(script, out, schema);
        pgc_buffer_byte(out, '.');
    }
    script_name(script, out, name);
}

void script_literal(const pgc_script *script, pgc_buffer *out, const char *text)
{
    if (script->standard_strings || !strchr(text, '\\')) {
        pgc_quote_literal(out, text);
        return;
    }
    pgc_buffer_byte(out, '\'');
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\')
            pgc_buffer_byte(out, *text);
        pgc_buffer_byte(out, *text);
    }
    pgc_buffer_byte(out, '\'');
}

void script_line(pgc_buffer *out, const char *text, const char *missing)
{
    for (text = text ? text : missing; *text; text++)
        pgc_buffer_byte(out, *text == '\n' || *text == '\r' ? ' ' : *text);
}

void script_timestamp(pgc_buffer *out, const char *what, int64_t unix_seconds)
{
    time_t seconds = (time_t)unix_seconds;
    struct tm parts;
    char text[64];
    if (localtime_r(&seconds, &parts) && strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S %Z", &parts) > 0)
        pgc_buffer_format(out, "-- %s %s\n\n", what, text);
}

static void tell(const pgc_script *script, void (*hear)(void *arg, const char *text), const char *format, va_list values)
{
    char *text = NULL;
    if (vasprintf(&text, format, values) >= 0)
        hear(script->options->arg, text);
    free(text);
}

void script_say(const pgc_script *script, const char *format, ...)
{
    if (!script->options->progress)
        return;
    va_list values;
    va_start(values, format);
    tell(script, script->options->progress, format, values);
    va_end(values);
}

void script_warn(const pgc_script *script, const char *format, ...)
{
    if (!script->options->warning)
        return;
    va_list values;
    va_start(values, format);
    tell(script, script->options->warning, format, values);
    va_end(values);
}

static const char key_letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

int pgc_restrict_key(char key[PGC_RESTRICT_KEY_SIZE], pgconvoy_error *err)
{
    size_t filled = 0;
    while (filled < PGC_RESTRICT_KEY_SIZE - 1) {
        unsigned char bytes[PGC_RESTRICT_KEY_SIZE];
        if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_RESOURCE, "could not generate restrict key");
            return -1;
        }
        /* Bytes past the last multiple of 62 are thrown away, so that each letter is as likely as the next. */
        for (size_t i = 0; i < sizeof bytes && filled < PGC_RESTRICT_KEY_SIZE - 1; i++)
            if (bytes[i] < 256 / 62 * 62)
                key[filled++] = key_letters[bytes[i] % 62];
    }
    key[filled] = '\0';
    return 0;
}

bool pgc_restrict_key_valid(const char *key)
{
    return key && key[0] && strspn(key, key_letters) == strlen(key);
}
