/*
 * The pieces of JSON text (RFC 8259), written straight into a buffer: strings, and JSON that is passed through.
 * Thread-safe.
 *
 * Bytes that are not UTF-8 (a database in SQL_ASCII may hold them) are written as \u0080 to \u00ff, one for each byte,
 * so that a line is valid JSON whatever comes. Nothing written here ever holds a newline.
 */
#ifndef PGC_FORMAT_JSON_TEXT_H
#define PGC_FORMAT_JSON_TEXT_H

#include "base/buffer.h"

/* Appends "text" with its quotes. */
void pgc_json_string(pgc_buffer *out, const char *text);
void pgc_json_string_n(pgc_buffer *out, const char *data, size_t length);

/* The same into room of at least 6 × length + 2 bytes; returns where it ends, without a NUL. */
char *pgc_json_put_string(char *to, const char *data, size_t length);

/* Appends text that is JSON already; line breaks and tabs between its tokens become spaces. */
void pgc_json_verbatim(pgc_buffer *out, const char *data, size_t length);

/* Appends "…" with the bytes in base64 (RFC 4648, padded). */
void pgc_json_base64(pgc_buffer *out, const void *data, size_t length);

/* True when data is UTF-8 without a zero byte: what can stand in a JSON string and be read back the same by everybody.
 */
bool pgc_json_is_plain_text(const char *data, size_t length);

/* True when data is a JSON number: PostgreSQL's text of a finite number is. */
bool pgc_json_is_number(const char *data, size_t length);

#endif
