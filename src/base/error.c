/* Errors: a message that says what failed on what, and a hint that says what to do. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

pgconvoy_error *pgconvoy_error_new(void)
{
    return calloc(1, sizeof(pgconvoy_error));
}

void pgconvoy_error_free(pgconvoy_error *err)
{
    free(err);
}

void pgc_error_clear(pgconvoy_error *err)
{
    memset(err, 0, sizeof *err);
}

/* libpq ends its messages with a newline, which has no place in the middle of ours. */
static void trim_end(char *text)
{
    size_t length = strlen(text);
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == ' '))
        text[--length] = '\0';
}

void pgconvoy_error_set(pgconvoy_error *err, pgconvoy_error_code code, const char *format, ...)
{
    char message[sizeof err->message]; /* the arguments may point into err itself */
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    pgc_error_clear(err);
    err->code = code;
    memcpy(err->message, message, sizeof message);
    trim_end(err->message);
}

void pgconvoy_error_hint(pgconvoy_error *err, const char *format, ...)
{
    char hint[sizeof err->hint];
    va_list args;
    va_start(args, format);
    vsnprintf(hint, sizeof hint, format, args);
    va_end(args);
    memcpy(err->hint, hint, sizeof hint);
    trim_end(err->hint);
}

void pgconvoy_error_retriable(pgconvoy_error *err, bool retriable)
{
    err->retriable = retriable;
}

pgconvoy_error_code pgconvoy_error_get_code(const pgconvoy_error *err)
{
    return err->code;
}

const char *pgconvoy_error_message(const pgconvoy_error *err)
{
    return err->message;
}

const char *pgconvoy_error_get_hint(const pgconvoy_error *err)
{
    return err->hint;
}

const char *pgconvoy_error_sqlstate(const pgconvoy_error *err)
{
    return err->sqlstate;
}

bool pgconvoy_error_is_retriable(const pgconvoy_error *err)
{
    return err->retriable;
}

void pgc_error_sqlstate(pgconvoy_error *err, const char *sqlstate)
{
    snprintf(err->sqlstate, sizeof err->sqlstate, "%s", sqlstate ? sqlstate : "");
}

bool pgc_error_was_rolled_back(const pgconvoy_error *err)
{
    return strncmp(err->sqlstate, "40", 2) == 0;
}

void pgc_error_copy(pgconvoy_error *to, const pgconvoy_error *from)
{
    if (to != from)
        *to = *from;
}

void pgc_error_prefix(pgconvoy_error *err, const char *format, ...)
{
    char text[2 * sizeof err->message];
    va_list args;
    va_start(args, format);
    int used = vsnprintf(text, sizeof err->message, format, args);
    va_end(args);
    if (used < 0)
        return;
    if ((size_t)used >= sizeof err->message)
        used = (int)sizeof err->message - 1;
    snprintf(text + used, sizeof text - (size_t)used, ": %s", err->message);
    text[sizeof err->message - 1] = '\0';
    memcpy(err->message, text, sizeof err->message);
}

int pgc_error_out_of_memory(pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_RESOURCE, "out of memory");
    pgconvoy_error_hint(err, "lower --jobs or --memory, or give the process more memory");
    return -1;
}
