/*
 * Values that are characters: text and its kin, json, xml, enum labels. Their binary form is the characters, with a
 * version byte before them in some types. Characters are in the client's encoding, which is UTF-8 on our connections.
 */
#include "postgres/value_internal.h"

#define FORMAT_VERSION 1

/* jsonb, jsonpath, ltree: a version byte, then the text. */
static bool has_version(const pgconvoy_type *type)
{
    return pgc_text_writer_of(type) == pgc_write_versioned;
}

/*
 * "char" is a byte, not a character: one above 127 is no UTF-8. PostgreSQL 16 and later write it as a backslash and
 * three octal digits, and so do we for every server.
 */
static const char *escaped_byte(uint8_t byte)
{
#define ROW(tens)                                                                                                      \
    "\\" tens "0", "\\" tens "1", "\\" tens "2", "\\" tens "3", "\\" tens "4", "\\" tens "5", "\\" tens "6",           \
        "\\" tens "7"
    static const char text[128][5] = {ROW("20"), ROW("21"), ROW("22"), ROW("23"), ROW("24"), ROW("25"),
                                      ROW("26"), ROW("27"), ROW("30"), ROW("31"), ROW("32"), ROW("33"),
                                      ROW("34"), ROW("35"), ROW("36"), ROW("37")};
#undef ROW
    return text[byte & 127];
}

static int single_char(const pgconvoy_value *value, const char **text, size_t *length, pgconvoy_error *err)
{
    if (value->length != 1)
        return pgc_value_malformed(err, "\"char\"", "its binary form must have 1 byte");
    uint8_t byte = (uint8_t)value->data[0];
    *text = byte & 128 ? escaped_byte(byte) : value->data;
    *length = byte & 128 ? 4 : byte != 0;
    return 0;
}

static int versioned(const pgconvoy_type *type, const pgconvoy_value *value, const char **text, size_t *length,
                     pgconvoy_error *err)
{
    if (value->length < 1 || value->data[0] != FORMAT_VERSION)
        return pgc_value_malformed(err, pgc_type_label(type), "its binary form has an unknown version");
    *text = value->data + 1;
    *length = (size_t)value->length - 1;
    return 0;
}

int pgc_value_characters(const pgconvoy_type *type, const pgconvoy_value *value, const char **text, size_t *length,
                         pgconvoy_error *err)
{
    type = pgc_type_base(type);
    if (pgc_value_present(value, pgc_type_label(type), err))
        return -1;
    if (value->format == PGCONVOY_BINARY) {
        pgc_text_writer *writer = pgc_text_writer_of(type);
        if (writer == pgc_write_single_char)
            return single_char(value, text, length, err);
        if (has_version(type))
            return versioned(type, value, text, length, err);
        if (writer != pgc_write_characters)
            return pgc_value_malformed(err, pgc_type_label(type), "its binary form is not made of characters");
    }
    *text = value->data;
    *length = (size_t)value->length;
    return 0;
}

int pgc_write_characters(const pgconvoy_type *type, const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err)
{
    (void)type;
    (void)err;
    pgc_buffer_append(out, value->data, (size_t)value->length);
    return 0;
}

int pgc_write_single_char(const pgconvoy_type *type, const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err)
{
    (void)type;
    const char *text;
    size_t length;
    if (single_char(value, &text, &length, err))
        return -1;
    pgc_buffer_append(out, text, length);
    return 0;
}

int pgc_write_versioned(const pgconvoy_type *type, const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err)
{
    const char *text;
    size_t length;
    if (versioned(type, value, &text, &length, err))
        return -1;
    pgc_buffer_append(out, text, length);
    return 0;
}
