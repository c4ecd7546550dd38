/*
 * Fuzzes the reader of COPY's formats. An input is a byte of options (bit 0 binary, bit 1 unescaping in place, bit 2 no
 * values, bits 4-7 the number of columns) and messages, each with a length of two bytes. A row that was read is written
 * again and must be read the same.
 */
#include "postgres/copy_format.h"

#include <stdlib.h>

#define MUST(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST_COLUMNS 16

static void check_same(const pgconvoy_value *a, const pgconvoy_value *b, int count)
{
    for (int i = 0; i < count; i++) {
        MUST(a[i].length == b[i].length && a[i].format == b[i].format && a[i].length >= -1);
        MUST(a[i].length <= 0 || memcmp(a[i].data, b[i].data, (size_t)a[i].length) == 0);
    }
}

static void write_and_read(pgconvoy_format format, const pgconvoy_value *values, int count)
{
    pgconvoy_error err = {0};
    pgconvoy_value again[MOST_COLUMNS];
    pgc_buffer out;
    pgc_buffer_init(&out, 1 << 24);
    if (format == PGCONVOY_BINARY) {
        pgc_copy_append_header(&out);
        MUST(pgc_copy_append_tuple(&out, values, count, &err) == 0);
        pgc_copy_append_trailer(&out);
    } else
        MUST(pgc_copy_append_line(&out, NULL, values, count, &err) == 0);
    MUST(pgc_buffer_check(&out, &err) == 0);
    pgc_copy_reader reader;
    pgc_copy_reader_init(&reader, format, count);
    const char *at = out.data, *end = out.data + out.length;
    MUST(pgc_copy_read_row(&reader, &at, end, out.data, again, NULL, &err) == 1); /* text is unescaped in place */
    check_same(values, again, count);
    MUST(pgc_copy_read_row(&reader, &at, end, NULL, again, NULL, &err) == 0);
    MUST(pgc_copy_reader_finish(&reader, &err) == 0);
    pgc_buffer_free(&out);
}

static int read_message(pgc_copy_reader *reader, unsigned options, const uint8_t *data, size_t length)
{
    pgconvoy_error err = {0};
    pgconvoy_value values[MOST_COLUMNS];
    char *message = malloc(length + 1),
         *scratch = malloc(length + 1); /* exact, so that a sanitizer sees a read behind the end */
    memcpy(message, data, length);
    message = realloc(message, length ? length : 1);
    const char *at = message, *end = message + length, *raw = NULL;
    int got;
    for (;;) {
        const char *before = at;
        char *room = options & 2 ? message + (at - message) : scratch;
        got = pgc_copy_read_row(reader, &at, end, room, options & 4 ? NULL : values, &raw, &err);
        if (got != 1)
            break;
        MUST(raw >= before && raw <= at && at > before && at <= end);
        if (!(options & 4))
            write_and_read(reader->format, values, reader->column_count);
    }
    MUST(got == 0 ? at == end : err.code == PGCONVOY_ERROR_DATA);
    free(message);
    free(scratch);
    return got;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    unsigned options = data[0];
    pgc_copy_reader reader;
    pgc_copy_reader_init(&reader, options & 1 ? PGCONVOY_BINARY : PGCONVOY_TEXT, (int)(options >> 4));
    size_t at = 1;
    while (size - at >= 2) {
        size_t length = (size_t)data[at] << 8 | data[at + 1];
        at += 2;
        if (length > size - at)
            length = size - at;
        if (read_message(&reader, options, data + at, length) < 0)
            return 0;
        at += length;
    }
    pgconvoy_error err = {0};
    MUST(pgc_copy_reader_finish(&reader, &err) == 0 || reader.format == PGCONVOY_BINARY);
    return 0;
}
