/* Builds pgoutput messages by hand, byte for byte as the manual has them, for the tests of the decoder and the assembler. */
#ifndef PGOUTPUT_BUILDER_H
#define PGOUTPUT_BUILDER_H

#include <stdint.h>
#include <string.h>

#define BUILDER_BYTES (1 << 20)

typedef struct builder {
    uint8_t data[BUILDER_BYTES];
    size_t length;
} builder;

static inline builder *start(builder *b, char type)
{
    b->data[0] = (uint8_t)type;
    b->length = 1;
    return b;
}

static inline void put_bytes(builder *b, const void *data, size_t length)
{
    memcpy(b->data + b->length, data, length);
    b->length += length;
}

static inline void put8(builder *b, int value)
{
    b->data[b->length++] = (uint8_t)value;
}

static inline void put16(builder *b, int value)
{
    put8(b, value >> 8);
    put8(b, value);
}

static inline void put32(builder *b, uint32_t value)
{
    put16(b, (int)(value >> 16));
    put16(b, (int)(value & 0xffff));
}

static inline void put64(builder *b, uint64_t value)
{
    put32(b, (uint32_t)(value >> 32));
    put32(b, (uint32_t)value);
}

static inline void put_text(builder *b, const char *text)
{
    put_bytes(b, text, strlen(text) + 1);
}

/* A row: one argument for each column, text, or NULL_VALUE, or UNCHANGED_VALUE. */
#define NULL_VALUE      "\001n"
#define UNCHANGED_VALUE "\001u"

static inline void put_row(builder *b, int count, const char *const *values)
{
    put16(b, count);
    for (int i = 0; i < count; i++) {
        if (values[i][0] == '\001') {
            put8(b, values[i][1]);
            continue;
        }
        put8(b, 't');
        put32(b, (uint32_t)strlen(values[i]));
        put_bytes(b, values[i], strlen(values[i]));
    }
}

#define ROW(b, ...)                                                                                                    \
    do {                                                                                                               \
        const char *row_[] = {__VA_ARGS__};                                                                            \
        put_row(b, (int)(sizeof row_ / sizeof row_[0]), row_);                                                         \
    } while (0)

#endif
