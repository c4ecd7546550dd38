/*
 * A growing run of bytes with a maximum. The first failure (out of memory, over the maximum) sticks, so that a run of appends is
 * checked once, by pgc_buffer_failed. data is always NUL-terminated once anything was appended.
 */
#ifndef PGC_BASE_BUFFER_H
#define PGC_BASE_BUFFER_H

#include "base/error.h"

#include <stdarg.h>
#include <string.h>

typedef struct pgc_buffer {
    char *data;
    size_t length;
    size_t capacity;
    size_t maximum;
    bool failed;
} pgc_buffer;

void pgc_buffer_init(pgc_buffer *buffer, size_t maximum_bytes);
void pgc_buffer_free(pgc_buffer *buffer);
/* Empties it and clears the failure; keeps the memory. */
void pgc_buffer_reset(pgc_buffer *buffer);
/* Room for extra more bytes (and the NUL). False when that fails. */
bool pgc_buffer_reserve(pgc_buffer *buffer, size_t extra);
void pgc_buffer_append(pgc_buffer *buffer, const void *data, size_t length);
void pgc_buffer_text(pgc_buffer *buffer, const char *text);
void pgc_buffer_byte(pgc_buffer *buffer, char byte);
void pgc_buffer_format(pgc_buffer *buffer, const char *format, ...) PGCONVOY_PRINTF(2, 3);
/* Returns 0, or -1 with err set when any append failed. */
int pgc_buffer_check(const pgc_buffer *buffer, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
