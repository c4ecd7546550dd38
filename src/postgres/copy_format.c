/* COPY's formats, binary and text; see copy_format.h. */
#include "postgres/copy_format.h"

#include "postgres/value_internal.h"

static const char signature[11] = {'P', 'G', 'C', 'O', 'P', 'Y', '\n', (char)0xFF, '\r', '\n', '\0'};

#define FLAGS_CRITICAL                                                                                                 \
    0xFFFF0000u /* a reader that does not know one of these must give up; bit 16 was for OIDs, up to version 11 */
#define TRAILER (-1)

static int malformed(const char *what, pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "malformed copy data: %s", what);
    return -1;
}

/* ------------------------------------------------------------ reading, binary */

void pgc_copy_reader_init(pgc_copy_reader *reader, pgconvoy_format format, int column_count)
{
    *reader = (pgc_copy_reader){.format = format, .column_count = column_count};
}

/* Signature, flags, and an extension that may be passed over. */
static int read_header(pgc_bytes *b, pgconvoy_error *err)
{
    uint32_t flags, extension;
    if (pgc_left(b) < sizeof signature || memcmp(b->at, signature, sizeof signature) != 0)
        return malformed("the signature of the binary format is missing", err);
    b->at += sizeof signature;
    if (!pgc_take32(b, &flags) || !pgc_take32(b, &extension) || extension > pgc_left(b))
        return malformed("the header is cut off", err);
    if (flags & FLAGS_CRITICAL)
        return malformed("the header has flags that are not known", err);
    b->at += extension;
    return 0;
}

/* One tuple: the number of fields, then each with its length. 1, 0 at the trailer, -1. */
static int read_tuple(pgc_bytes *b, int column_count, pgconvoy_value *values, pgconvoy_error *err)
{
    uint16_t word;
    if (!pgc_take16(b, &word))
        return malformed("a row is cut off", err);
    if ((int16_t)word == TRAILER)
        return 0;
    if ((int16_t)word != column_count)
        return malformed("a row has not as many fields as the table has columns", err);
    for (int i = 0; i < column_count; i++) {
        pgconvoy_value field;
        if (!pgc_take_value(b, &field))
            return malformed("a row is cut off", err);
        if (values)
            values[i] = field;
    }
    return 1;
}

static int read_binary(pgc_copy_reader *reader, const char **at, const char *end, pgconvoy_value *values,
                       const char **raw, pgconvoy_error *err)
{
    pgc_bytes b = {(const uint8_t *)*at, (const uint8_t *)end};
    if (!reader->header_read) {
        if (read_header(&b, err))
            return -1;
        reader->header_read = true;
        *at = (const char *)b.at;
        if (b.at == b.end)
            return 0;
    }
    const char *start = *at;
    int outcome = read_tuple(&b, reader->column_count, values, err);
    if (outcome < 0)
        return -1;
    *at = (const char *)b.at;
    if (raw)
        *raw = start;
    if (outcome == 0) {
        reader->ended = true;
        if (b.at != b.end)
            return malformed("bytes behind the trailer", err);
    }
    return outcome;
}

/* -------------------------------------------------------------- reading, text */

/* A backslash and what follows it, which is not the end, as one byte. *p stands on the character behind the backslash,
 * and then behind it all. */
static char unescape(const char **p, const char *end)
{
    char c = *(*p)++;
    switch (c) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'v':
        return '\v';
    case 'x': {
        int value = 0, digits = 0;
        for (; digits < 2 && *p < end && pgc_hex_digit(**p) >= 0; digits++)
            value = value << 4 | pgc_hex_digit(*(*p)++);
        return digits ? (char)value : 'x';
    }
    default:
        break;
    }
    if (c < '0' || c > '7')
        return c;
    int value = c - '0';
    for (int digits = 1; digits < 3 && *p < end && **p >= '0' && **p <= '7'; digits++)
        value = value << 3 | (*(*p)++ - '0');
    return (char)value; /* only the low byte counts */
}

/* The field from p to end. Unescaped, it is not longer than it was, so scratch may be the field itself. */
static int unescape_field(const char *p, const char *end, char **scratch, pgconvoy_value *value, pgconvoy_error *err)
{
    if (end - p == 2 && p[1] == 'N') {
        *value = (pgconvoy_value){NULL, PGCONVOY_NULL, PGCONVOY_TEXT};
        return 0;
    }
    if (!*scratch)
        return malformed("a value needs unescaping, and there is no room for that", err);
    char *start = *scratch, *to = start;
    while (p < end) {
        if (*p != '\\')
            *to++ = *p++;
        else if (++p == end)
            return malformed("a line ends with a backslash", err);
        else
            *to++ = unescape(&p, end);
    }
    *value = (pgconvoy_value){start, (int32_t)(to - start), PGCONVOY_TEXT};
    *scratch = to;
    return 0;
}

/* From p to the next tab or newline, or end. A backslash takes the next character with it. */
static const char *field_end(const char *p, const char *end, bool *escaped)
{
    for (; p < end && *p != '\t' && *p != '\n'; p++)
        if (*p == '\\') {
            *escaped = true;
            if (p + 1 < end)
                p++;
        }
    return p;
}

static int read_text(pgc_copy_reader *reader, const char **at, const char *end, char *scratch, pgconvoy_value *values,
                     const char **raw, pgconvoy_error *err)
{
    const char *p = *at;
    bool in_place = scratch == p;
    if (end - p >= 2 && p[0] == '\\' && p[1] == '.' && (end - p == 2 || p[2] == '\n')) {
        reader->ended = true;
        *at = end - p == 2 ? end : p + 3;
        return *at == end ? 0 : malformed("lines behind the end", err);
    }
    int count = 0;
    for (;; count++) {
        bool escaped = false;
        const char *stop = field_end(p, end, &escaped);
        bool empty_line = reader->column_count == 0 && stop == p && (p == end || *p == '\n'); /* of no fields */
        if (!empty_line && count >= reader->column_count)
            return malformed("a line has more fields than the table has columns", err);
        if (stop - p > INT32_MAX)
            return malformed("a value is too long", err);
        if (values && !empty_line) {
            values[count] = (pgconvoy_value){p, (int32_t)(stop - p), PGCONVOY_TEXT};
            char *room = in_place ? scratch + (p - *at) : scratch;
            if (escaped && unescape_field(p, stop, &room, &values[count], err))
                return -1;
            scratch = in_place ? scratch : room;
        }
        p = stop;
        if (p == end || *p == '\n') {
            count += !empty_line;
            break;
        }
        p++; /* the tab */
    }
    if (count != reader->column_count)
        return malformed("a line has fewer fields than the table has columns", err);
    if (raw)
        *raw = *at;
    *at = p < end ? p + 1 : p;
    return 1;
}

int pgc_copy_read_row(pgc_copy_reader *reader, const char **at, const char *end, char *scratch, pgconvoy_value *values,
                      const char **raw, pgconvoy_error *err)
{
    if (*at == end)
        return 0;
    if (reader->ended)
        return malformed("data behind the end", err);
    if (reader->format == PGCONVOY_BINARY)
        return read_binary(reader, at, end, values, raw, err);
    return read_text(reader, at, end, scratch, values, raw, err);
}

int pgc_copy_reader_finish(const pgc_copy_reader *reader, pgconvoy_error *err)
{
    if (reader->format == PGCONVOY_BINARY && !reader->ended)
        return malformed("it ends without a trailer", err);
    return 0;
}

/* -------------------------------------------------------------------- writing */

static char *put16(char *p, unsigned v)
{
    p[0] = (char)(v >> 8);
    p[1] = (char)v;
    return p + 2;
}

static char *put32(char *p, uint32_t v)
{
    return put16(put16(p, v >> 16), v & 0xFFFF);
}

void pgc_copy_append_header(pgc_buffer *out)
{
    static const char no_flags_no_extension[8] = {0};
    pgc_buffer_append(out, signature, sizeof signature);
    pgc_buffer_append(out, no_flags_no_extension, sizeof no_flags_no_extension);
}

void pgc_copy_append_trailer(pgc_buffer *out)
{
    pgc_copy_append_field_count(out, TRAILER);
}

void pgc_copy_append_field_count(pgc_buffer *out, int count)
{
    char *p = pgc_room(out, 2);
    if (p)
        pgc_wrote(out, put16(p, (unsigned)count & 0xFFFF));
}

void pgc_copy_append_field(pgc_buffer *out, const char *data, int32_t length)
{
    size_t bytes = length > 0 ? (size_t)length : 0;
    char *p = pgc_room(out, 4 + bytes);
    if (!p)
        return;
    p = put32(p, (uint32_t)length);
    if (bytes > 0)
        memcpy(p, data, bytes);
    pgc_wrote(out, p + bytes);
}

int pgc_copy_append_tuple(pgc_buffer *out, const pgconvoy_value *values, int count, pgconvoy_error *err)
{
    for (int i = 0; i < count; i++) {
        if (values[i].length == PGCONVOY_NULL || (values[i].length >= 0 && values[i].format == PGCONVOY_BINARY))
            continue;
        pgconvoy_error_set(err, PGCONVOY_ERROR_INTERNAL, "a binary copy was given field %d %s", i + 1,
                           values[i].length < 0 ? "without a value" : "as text");
        return -1;
    }
    pgc_copy_append_field_count(out, count);
    for (int i = 0; i < count; i++)
        pgc_copy_append_field(out, values[i].data, values[i].length);
    return 0;
}

/* The letter behind the backslash for a character that COPY's text must escape, or 0. */
static char escape_letter(char c)
{
    static const char letter[128] = {
        ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't', ['\v'] = 'v'};
    return (unsigned char)c < 128 ? letter[(unsigned char)c] : 0;
}

/* Escapes what stands in out from start on, from its end to its start. */
static void escape_from(pgc_buffer *out, size_t start)
{
    if (out->failed)
        return;
    size_t escapes = 0;
    for (size_t i = start; i < out->length; i++)
        escapes += escape_letter(out->data[i]) != 0;
    if (escapes == 0 || !pgc_room(out, escapes))
        return;
    char *from = out->data + out->length, *to = from + escapes, *first = out->data + start;
    pgc_wrote(out, to);
    while (from > first && to > from) {
        char c = *--from, letter = escape_letter(c);
        *--to = letter ? letter : c;
        if (letter)
            *--to = '\\';
    }
}

void pgc_copy_append_escaped(pgc_buffer *out, const char *text, size_t length)
{
    size_t start = out->length;
    pgc_buffer_append(out, text, length);
    escape_from(out, start);
}

static int append_field_text(pgc_buffer *out, const pgconvoy_column *column, const pgconvoy_value *value,
                             pgconvoy_error *err)
{
    if (value->length == PGCONVOY_NULL) {
        pgc_buffer_append(out, "\\N", 2);
        return 0;
    }
    if (value->length < 0 || (value->format == PGCONVOY_BINARY && !column)) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_INTERNAL, "a text copy was given a field %s",
                           value->length < 0 ? "without a value" : "in binary without its type");
        return -1;
    }
    size_t start = out->length;
    if (value->format == PGCONVOY_TEXT)
        pgc_buffer_append(out, value->data, (size_t)value->length);
    else if (pgc_write_binary(column->type, value, out, err)) {
        pgc_error_prefix(err, "column %s", column->name);
        return -1;
    }
    escape_from(out, start);
    return 0;
}

int pgc_copy_append_line(pgc_buffer *out, const pgconvoy_column *columns, const pgconvoy_value *values, int count,
                         pgconvoy_error *err)
{
    size_t start = out->length;
    for (int i = 0; i < count; i++) {
        if (i > 0)
            pgc_buffer_byte(out, '\t');
        if (append_field_text(out, columns ? &columns[i] : NULL, &values[i], err)) {
            out->length = start;
            if (out->data)
                out->data[start] = '\0';
            return -1;
        }
    }
    pgc_buffer_byte(out, '\n');
    return 0;
}
