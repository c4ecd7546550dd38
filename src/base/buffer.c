/* Buffer: doubling growth up to a maximum; see buffer.h. */
#include "base/buffer.h"

#include <stdio.h>
#include <stdlib.h>

void pgc_buffer_init(pgc_buffer *buffer, size_t maximum_bytes)
{
    memset(buffer, 0, sizeof *buffer);
    buffer->maximum = maximum_bytes;
}

void pgc_buffer_free(pgc_buffer *buffer)
{
    free(buffer->data);
    pgc_buffer_init(buffer, buffer->maximum);
}

void pgc_buffer_reset(pgc_buffer *buffer)
{
    buffer->length = 0;
    buffer->failed = false;
    if (buffer->data)
        buffer->data[0] = '\0';
}

bool pgc_buffer_reserve(pgc_buffer *buffer, size_t extra)
{
    if (buffer->failed)
        return false;
    if (buffer->capacity > buffer->length && extra < buffer->capacity - buffer->length)
        return true;
    if (extra >= buffer->maximum || buffer->length >= buffer->maximum - extra) {
        buffer->failed = true;
        return false;
    }
    size_t wanted = buffer->capacity ? buffer->capacity : 256;
    while (wanted <= buffer->length + extra)
        wanted = wanted > SIZE_MAX / 2 ? buffer->length + extra + 1 : wanted * 2;
    if (wanted > buffer->maximum)
        wanted = buffer->maximum;
    char *data = realloc(buffer->data, wanted);
    if (!data) {
        buffer->failed = true;
        return false;
    }
    buffer->data = data;
    buffer->capacity = wanted;
    return true;
}

void pgc_buffer_append(pgc_buffer *buffer, const void *data, size_t length)
{
    if (!pgc_buffer_reserve(buffer, length))
        return;
    if (length > 0)
        memcpy(buffer->data + buffer->length, data, length);
    buffer->length += length;
    buffer->data[buffer->length] = '\0';
}

void pgc_buffer_text(pgc_buffer *buffer, const char *text)
{
    pgc_buffer_append(buffer, text, strlen(text));
}

void pgc_buffer_byte(pgc_buffer *buffer, char byte)
{
    pgc_buffer_append(buffer, &byte, 1);
}

void pgc_buffer_format(pgc_buffer *buffer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int needed = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (needed < 0)
        buffer->failed = true;
    else if (pgc_buffer_reserve(buffer, (size_t)needed)) {
        vsnprintf(buffer->data + buffer->length, (size_t)needed + 1, format, again);
        buffer->length += (size_t)needed;
    }
    va_end(again);
}

int pgc_buffer_check(const pgc_buffer *buffer, pgconvoy_error *err)
{
    if (!buffer->failed)
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_RESOURCE, "a buffer of %zu bytes cannot grow (limit %zu bytes)", buffer->length,
                       buffer->maximum);
    pgconvoy_error_hint(err, "the value is larger than pgconvoy can hold, or the process is out of memory");
    return -1;
}
