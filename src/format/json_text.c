/*
 * JSON text: eight bytes at a time as long as nothing needs an escape, byte by byte where something does. Room is
 * reserved for the worst case of a piece (six bytes for one), so the inner loops do not check.
 */
#include "format/json_text.h"

#define PIECE_BYTES 16384 /* reserved six times over: small beside the buffers, large beside a value */

static uint64_t has_byte_below(uint64_t word, uint8_t limit)
{
    return (word - UINT64_C(0x0101010101010101) * limit) & ~word & UINT64_C(0x8080808080808080);
}

static uint64_t has_byte(uint64_t word, uint8_t byte)
{
    return has_byte_below(word ^ UINT64_C(0x0101010101010101) * byte, 1);
}

/* Bytes of the UTF-8 sequence that starts at s (2 to 4), 0 when it is none (Unicode standard, table 3-7). */
static size_t utf8_sequence(const uint8_t *s, size_t available)
{
    uint8_t first = s[0];
    size_t length = first >= 0xC2 && first <= 0xDF   ? 2
                    : first >= 0xE0 && first <= 0xEF ? 3
                    : first >= 0xF0 && first <= 0xF4 ? 4
                                                     : 0;
    if (length == 0 || length > available)
        return 0;
    uint8_t low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    uint8_t high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    if (s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if (s[i] < 0x80 || s[i] > 0xBF)
            return 0;
    return length;
}

static char *put_unicode(char *to, uint8_t byte)
{
    static const char hex[] = "0123456789abcdef";
    memcpy(to, "\\u00", 4);
    to[4] = hex[byte >> 4];
    to[5] = hex[byte & 15];
    return to + 6;
}

/* One character that the fast loop stopped at. Moves *from over it. */
static char *put_character(char *to, const uint8_t **from, const uint8_t *end, bool verbatim)
{
    uint8_t byte = **from;
    if (byte >= 0x80) {
        size_t length = utf8_sequence(*from, (size_t)(end - *from));
        if (length == 0) {
            (*from)++;
            return put_unicode(to, byte);
        }
        memcpy(to, *from, length);
        *from += length;
        return to + length;
    }
    (*from)++;
    if (verbatim) {
        /* the json type allows no raw control character inside its strings, so these stand between tokens */
        *to++ = byte < 0x20 ? ' ' : (char)byte;
        return to;
    }
    char letter;
    switch (byte) {
    case '"':
        letter = '"';
        break;
    case '\\':
        letter = '\\';
        break;
    case '\n':
        letter = 'n';
        break;
    case '\r':
        letter = 'r';
        break;
    case '\t':
        letter = 't';
        break;
    case '\b':
        letter = 'b';
        break;
    case '\f':
        letter = 'f';
        break;
    default:
        if (byte < 0x20)
            return put_unicode(to, byte);
        *to++ = (char)byte;
        return to;
    }
    *to++ = '\\';
    *to++ = letter;
    return to;
}

/* Escapes from `from` up to stop (a sequence may reach over it, up to end) into room for six times as much. */
static inline char *put_escaped(char *to, const uint8_t **position, const uint8_t *stop, const uint8_t *end,
                                bool verbatim)
{
    const uint8_t *from = *position;
    while (from < stop) {
        while (stop - from >= 8) {
            uint64_t word;
            memcpy(&word, from, 8);
            uint64_t special = (word & UINT64_C(0x8080808080808080)) | has_byte_below(word, 0x20);
            if (!verbatim)
                special |= has_byte(word, '"') | has_byte(word, '\\');
            if (special)
                break;
            memcpy(to, &word, 8);
            to += 8;
            from += 8;
        }
        /* at most eight characters, then the fast loop has another try */
        for (int i = 0; i < 8 && from < stop; i++) {
            uint8_t byte = *from;
            if (byte >= 0x20 && byte < 0x80 && (verbatim || (byte != '"' && byte != '\\'))) {
                *to++ = (char)byte;
                from++;
            } else
                to = put_character(to, &from, end, verbatim);
        }
    }
    *position = from;
    return to;
}

static void append_escaped(pgc_buffer *out, const char *data, size_t length, bool verbatim)
{
    const uint8_t *from = (const uint8_t *)data, *end = from + length;
    while (from < end) {
        const uint8_t *stop = (size_t)(end - from) > PIECE_BYTES ? from + PIECE_BYTES : end;
        if (!pgc_buffer_reserve(out, (size_t)(stop - from) * 6 + 32))
            return;
        char *to = put_escaped(out->data + out->length, &from, stop, end, verbatim);
        *to = '\0';
        out->length = (size_t)(to - out->data);
    }
}

char *pgc_json_put_string(char *to, const char *data, size_t length)
{
    const uint8_t *from = (const uint8_t *)data, *end = from + length;
    *to++ = '"';
    to = put_escaped(to, &from, end, end, false);
    *to++ = '"';
    return to;
}

void pgc_json_string_n(pgc_buffer *out, const char *data, size_t length)
{
    pgc_buffer_byte(out, '"');
    append_escaped(out, data, length, false);
    pgc_buffer_byte(out, '"');
}

void pgc_json_string(pgc_buffer *out, const char *text)
{
    pgc_json_string_n(out, text, strlen(text));
}

void pgc_json_verbatim(pgc_buffer *out, const char *data, size_t length)
{
    append_escaped(out, data, length, true);
}

void pgc_json_base64(pgc_buffer *out, const void *data, size_t length)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *from = data;
    pgc_buffer_byte(out, '"');
    for (; length >= 3 && !out->failed; length -= 3, from += 3) {
        uint32_t bits = (uint32_t)from[0] << 16 | (uint32_t)from[1] << 8 | from[2];
        char group[4] = {letters[bits >> 18], letters[bits >> 12 & 63], letters[bits >> 6 & 63], letters[bits & 63]};
        pgc_buffer_append(out, group, 4);
    }
    if (length > 0) {
        uint32_t bits = (uint32_t)from[0] << 16 | (length == 2 ? (uint32_t)from[1] << 8 : 0);
        char group[4] = {letters[bits >> 18], letters[bits >> 12 & 63], length == 2 ? letters[bits >> 6 & 63] : '=',
                         '='};
        pgc_buffer_append(out, group, 4);
    }
    pgc_buffer_byte(out, '"');
}

bool pgc_json_is_plain_text(const char *data, size_t length)
{
    const uint8_t *s = (const uint8_t *)data;
    for (size_t i = 0; i < length;) {
        size_t n = s[i] == 0 ? 0 : s[i] < 0x80 ? 1 : utf8_sequence(s + i, length - i);
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

/* Digits from i on; returns where they end, or 0 when there are none. */
static size_t skip_digits(const char *data, size_t length, size_t i)
{
    size_t start = i;
    while (i < length && data[i] >= '0' && data[i] <= '9')
        i++;
    return i == start ? 0 : i;
}

bool pgc_json_is_number(const char *data, size_t length)
{
    size_t start = length > 0 && data[0] == '-';
    size_t i = skip_digits(data, length, start);
    if (i == 0 || (data[start] == '0' && i - start > 1))
        return false;
    if (i < length && data[i] == '.' && (i = skip_digits(data, length, i + 1)) == 0)
        return false;
    if (i < length && (data[i] == 'e' || data[i] == 'E')) {
        i++;
        if (i < length && (data[i] == '+' || data[i] == '-'))
            i++;
        if ((i = skip_digits(data, length, i)) == 0)
            return false;
    }
    return i == length;
}
