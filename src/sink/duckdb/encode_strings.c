/* Values that DuckDB keeps as strings: VARCHAR, JSON, BLOB, BIT. See encode.h for who owns the bytes. */
#include "sink/duckdb/encode.h"

#include "postgres/value.h"

/* DuckDB's own limit of a string is 2^32 - 1 bytes; PostgreSQL's values stay below 1 GB. */
static void put_string(duckdb_string_t *to, const char *data, size_t length)
{
    to->value.inlined.length = (uint32_t)length;
    if (length <= sizeof to->value.inlined.inlined) {
        memset(to->value.inlined.inlined, 0, sizeof to->value.inlined.inlined); /* compared as a whole */
        if (length > 0)
            memcpy(to->value.inlined.inlined, data, length);
        return;
    }
    memcpy(to->value.pointer.prefix, data, sizeof to->value.pointer.prefix);
    to->value.pointer.ptr = (char *)(uintptr_t)data;
}

/* The length of the UTF-8 character at p (Unicode, table 3-7), 0 when it is none. */
static size_t character_length(const unsigned char *p, size_t left)
{
    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    size_t length = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (length > left || (p[1] & 0xc0) != 0x80)
        return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
        (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    for (size_t i = 2; i < length; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    return length;
}

/* A SQL_ASCII database may send any bytes, and DuckDB takes a VARCHAR at its word. */
static bool is_utf8(const char *text, size_t length)
{
    const unsigned char *p = (const unsigned char *)text, *end = p + length;
    while (p < end) {
        uint64_t word;
        if (end - p >= 8) {
            memcpy(&word, p, 8);
            if ((word & UINT64_C(0x8080808080808080)) == 0) {
                p += 8;
                continue;
            }
        }
        size_t step = character_length(p, (size_t)(end - p));
        if (step == 0)
            return false;
        p += step;
    }
    return true;
}

static int put_text(pgc_duckdb_encoder *encoder, duckdb_string_t *to, const char *text, size_t length, pgconvoy_error *err)
{
    if (!is_utf8(text, length)) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "text is not valid UTF-8, which DuckDB's VARCHAR must be");
        pgconvoy_error_hint(err, "the source database has the encoding SQL_ASCII and bytes of some other: mend the value on the "
                                 "source, or make the column a bytea");
        return pgc_duckdb_cannot_hold(encoder);
    }
    put_string(to, text, length);
    return 0;
}

/* The text of a value that came in binary, into the arena. */
static int put_as_text(pgc_duckdb_encoder *encoder, const pgc_duckdb_type *type, const pgconvoy_value *value,
                       duckdb_string_t *to, pgconvoy_error *err)
{
    if (value->format == PGCONVOY_TEXT)
        return put_text(encoder, to, value->data, (size_t)value->length, err);
    pgc_buffer_reset(&encoder->scratch);
    if (pgc_value_to_text(type->source, value, &encoder->scratch, err) != 0 || pgc_buffer_check(&encoder->scratch, err) != 0)
        return -1;
    size_t length = encoder->scratch.length;
    const char *text = pgc_arena_bytes(encoder->arena, encoder->scratch.data, length + 1);
    return text ? put_text(encoder, to, text, length, err) : pgc_error_out_of_memory(err);
}

static int put_blob(pgc_duckdb_encoder *encoder, const pgconvoy_value *value, duckdb_string_t *to, pgconvoy_error *err)
{
    const uint8_t *bytes;
    size_t length;
    if (value->format == PGCONVOY_BINARY) {
        put_string(to, value->data, (size_t)value->length);
        return 0;
    }
    pgc_buffer_reset(&encoder->scratch);
    if (pgc_value_bytea(value, &encoder->scratch, &bytes, &length, err) != 0)
        return -1;
    const char *copy = pgc_arena_bytes(encoder->arena, bytes, length + 1);
    if (!copy)
        return pgc_error_out_of_memory(err);
    put_string(to, copy, length);
    return 0;
}

/* DuckDB's BIT: a byte with the count of padding bits, then the bits, padded in front with ones to whole bytes. */
static int put_bits(pgc_duckdb_encoder *encoder, const pgconvoy_value *value, duckdb_string_t *to, pgconvoy_error *err)
{
    pgc_buffer_reset(&encoder->scratch);
    if (pgc_value_bits(value, &encoder->scratch, err) != 0 || pgc_buffer_check(&encoder->scratch, err) != 0)
        return -1;
    size_t count = encoder->scratch.length;
    if (count == 0) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "a bit string is empty, which DuckDB's BIT cannot be");
        return pgc_duckdb_cannot_hold(encoder);
    }
    size_t bytes = (count + 7) / 8, padding = bytes * 8 - count;
    uint8_t *made = pgc_arena_zalloc(encoder->arena, bytes + 1);
    if (!made)
        return pgc_error_out_of_memory(err);
    made[0] = (uint8_t)padding;
    for (size_t i = 0; i < bytes * 8; i++) {
        bool set = i < padding || encoder->scratch.data[i - padding] == '1';
        made[1 + i / 8] |= (uint8_t)(set << (7 - i % 8));
    }
    put_string(to, (const char *)made, bytes + 1);
    return 0;
}

static int put_characters(pgc_duckdb_encoder *encoder, const pgc_duckdb_type *type, const pgconvoy_value *value,
                          duckdb_string_t *to, pgconvoy_error *err)
{
    const char *text;
    size_t length;
    if (pgc_value_characters(type->source, value, &text, &length, err) != 0)
        return -1;
    return put_text(encoder, to, text, length, err);
}

int pgc_duckdb_encode_strings(pgc_duckdb_encoder *encoder, const pgc_duckdb_type *type, duckdb_vector vector, idx_t at,
                              const pgconvoy_value *const *values, size_t count, pgconvoy_error *err)
{
    duckdb_string_t *data = (duckdb_string_t *)encoder->api->vector_get_data(vector) + at;
    /* what needs no look at the type: the bytes are the text in either format */
    bool plain = type->kind == PGC_DUCKDB_CHARACTERS && type->source->oid != 0 &&
                 (type->source->oid == PGC_TEXT_OID || type->source->oid == PGC_VARCHAR || type->source->oid == PGC_BPCHAR);
    for (size_t i = 0; i < count; i++) {
        const pgconvoy_value *value = values[i];
        bool failed = false;
        int result;
        if (pgc_duckdb_encode_absent(encoder, vector, at + i, value, &failed, err))
            result = failed ? -1 : 0;
        else if (plain)
            result = put_text(encoder, &data[i], value->data, (size_t)value->length, err);
        else if (type->kind == PGC_DUCKDB_AS_TEXT)
            result = put_as_text(encoder, type, value, &data[i], err);
        else if (type->kind == PGC_DUCKDB_BLOB)
            result = put_blob(encoder, value, &data[i], err);
        else if (type->kind == PGC_DUCKDB_BIT)
            result = put_bits(encoder, value, &data[i], err);
        else
            result = put_characters(encoder, type, value, &data[i], err);
        if (result != 0)
            return -1;
    }
    return 0;
}
