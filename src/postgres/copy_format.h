/*
 * The bytes of COPY (PostgreSQL manual, reference page of COPY, "File Formats"): rows cut out of them, and rows put
 * into them. Free of libpq. Bytes come from a server or a fuzzer and every length is checked. Nothing is allocated for
 * a row: the caller gives the array of values, and values point into the caller's bytes.
 *
 * Readers are given what PQgetCopyData gave: whole messages. The server sends a row a message; the first message of the
 * binary format may hold the header alone or a row too, and any number of whole rows in a message is understood. A row
 * never reaches over two messages.
 *
 *     pgc_copy_reader reader;
 *     pgc_copy_reader_init(&reader, PGCONVOY_BINARY, table->column_count);
 *     … for each message:
 *         const char *at = message, *end = message + length;
 *         while ((got = pgc_copy_read_row(&reader, &at, end, NULL, values, &raw, err)) == 1)
 *             … raw to at are the row's own bytes
 */
#ifndef PGC_POSTGRES_COPY_FORMAT_H
#define PGC_POSTGRES_COPY_FORMAT_H

#include "base/buffer.h"

/* ----------------------------------------------------------------- reading */

/* Where a reader stands between messages. May be copied; nothing to free. */
typedef struct pgc_copy_reader {
    pgconvoy_format format;
    int column_count;
    bool header_read; /* binary: the header is behind us */
    bool ended;       /* the trailer (binary) or the line "\." (text) was seen; nothing may follow */
} pgc_copy_reader;

void pgc_copy_reader_init(pgc_copy_reader *reader, pgconvoy_format format, int column_count);

/*
 * Reads the next row of the message that goes from *at to end, in the reader's format, and moves *at behind the row
 * (the newline included, in text). 1: values[0 … column_count-1] are filled; 0: the message is used up; -1: err.
 *
 * values may be NULL: the row is then checked for its outline and passed over, for those who only want the raw bytes.
 * *raw (may be NULL) is set to the row's first byte: the bytes from it to *at are the row as COPY sent it, header and
 * trailer left out.
 *
 * scratch is for text only: values that hold a backslash are unescaped into it, all others point into the message. It
 * must have room for end - *at bytes, and values stay valid as long as both. It may be the very bytes of *at, then they
 * are unescaped in place (and raw is spoilt). With NULL a value that needs unescaping is an error.
 */
int pgc_copy_read_row(pgc_copy_reader *reader, const char **at, const char *end, char *scratch, pgconvoy_value *values,
                      const char **raw, pgconvoy_error *err) PGC_MUST_CHECK;

/* After the last message: an error when a binary copy ended without its trailer. */
int pgc_copy_reader_finish(const pgc_copy_reader *reader, pgconvoy_error *err) PGC_MUST_CHECK;

/* ----------------------------------------------------------------- writing */

/*
 * Appends to out, whose failure sticks: check it by pgc_buffer_check once for a run of rows. Binary: header, tuples,
 * trailer; text: lines.
 */
void pgc_copy_append_header(pgc_buffer *out);
void pgc_copy_append_trailer(pgc_buffer *out);

/* A binary tuple. Every value must be binary or NULL: text or unchanged is an internal error, and out is as it was. */
int pgc_copy_append_tuple(pgc_buffer *out, const pgconvoy_value *values, int count, pgconvoy_error *err) PGC_MUST_CHECK;

/*
 * The parts of a tuple, for who puts one together from pieces: the number of fields, then each field. length
 * PGCONVOY_NULL for NULL.
 */
void pgc_copy_append_field_count(pgc_buffer *out, int count);
void pgc_copy_append_field(pgc_buffer *out, const char *data, int32_t length);

/*
 * A line of text with its newline. Binary values are turned into text by the types of columns; columns may be NULL when
 * all values are text or NULL. On an error out is as it was.
 */
int pgc_copy_append_line(pgc_buffer *out, const pgconvoy_column *columns, const pgconvoy_value *values, int count,
                         pgconvoy_error *err) PGC_MUST_CHECK;

/* One field of a line: the characters escaped, without tab or newline around. */
void pgc_copy_append_escaped(pgc_buffer *out, const char *text, size_t length);

#endif
