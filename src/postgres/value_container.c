/*
 * Arrays, composites, ranges and multiranges in their binary form (array_send, record_send, range_send,
 * multirange_send), as text and cut into values. Element types are written in the binary form and must be those the
 * catalog told.
 */
#include "postgres/value_internal.h"

#include "base/arena.h"

/* ------------------------------------------------------------------- quoting */

enum { ESCAPED = 8 }; /* in any container: quote and backslash */

/* Which containers want an element quoted that has the character. */
static const uint8_t character_class[256] = {
    ['"'] = PGC_QUOTE_ARRAY | PGC_QUOTE_COMPOSITE | PGC_QUOTE_RANGE | ESCAPED,
    ['\\'] = PGC_QUOTE_ARRAY | PGC_QUOTE_COMPOSITE | PGC_QUOTE_RANGE | ESCAPED,
    ['{'] = PGC_QUOTE_ARRAY,
    ['}'] = PGC_QUOTE_ARRAY,
    ['('] = PGC_QUOTE_COMPOSITE | PGC_QUOTE_RANGE,
    [')'] = PGC_QUOTE_COMPOSITE | PGC_QUOTE_RANGE,
    ['['] = PGC_QUOTE_RANGE,
    [']'] = PGC_QUOTE_RANGE,
    [','] = PGC_QUOTE_COMPOSITE | PGC_QUOTE_RANGE,
    [' '] = PGC_QUOTE_ARRAY | PGC_QUOTE_COMPOSITE | PGC_QUOTE_RANGE,
    ['\t'] = PGC_QUOTE_ARRAY | PGC_QUOTE_COMPOSITE | PGC_QUOTE_RANGE,
    ['\n'] = PGC_QUOTE_ARRAY | PGC_QUOTE_COMPOSITE | PGC_QUOTE_RANGE,
    ['\r'] = PGC_QUOTE_ARRAY | PGC_QUOTE_COMPOSITE | PGC_QUOTE_RANGE,
    ['\v'] = PGC_QUOTE_ARRAY | PGC_QUOTE_COMPOSITE | PGC_QUOTE_RANGE,
    ['\f'] = PGC_QUOTE_ARRAY | PGC_QUOTE_COMPOSITE | PGC_QUOTE_RANGE,
};

static bool is_null_word(const char *text, size_t length)
{
    return length == 4 && (text[0] | 32) == 'n' && (text[1] | 32) == 'u' && (text[2] | 32) == 'l' &&
           (text[3] | 32) == 'l';
}

void pgc_quote_element(pgc_buffer *out, size_t start, pgc_quoting quoting, char delimiter)
{
    if (out->failed)
        return;
    size_t length = out->length - start, escapes = 0;
    bool quoted = length == 0;
    for (size_t i = start; i < out->length; i++) {
        uint8_t class = character_class[(uint8_t)out->data[i]];
        quoted = quoted || (class & quoting) || (quoting == PGC_QUOTE_ARRAY && out->data[i] == delimiter);
        escapes += (class & ESCAPED) != 0;
    }
    if (quoting == PGC_QUOTE_ARRAY && !quoted)
        quoted = is_null_word(out->data + start, length);
    if (!quoted || !pgc_room(out, escapes + 2))
        return;
    /* from the end to the start, so that nothing is written over before it is read; arrays escape, the others double */
    char *from = out->data + out->length, *to = from + escapes + 2, *first = out->data + start;
    pgc_wrote(out, to);
    *--to = '"';
    while (from > first) {
        char c = *--from;
        *--to = c;
        if (character_class[(uint8_t)c] & ESCAPED)
            *--to = quoting == PGC_QUOTE_ARRAY ? '\\' : c;
    }
    *--to = '"';
}

/* --------------------------------------------------------------------- arrays */

/*
 * Binary: dimensions, a flag for NULLs, element type; size and lower bound of each dimension; elements with their
 * lengths, the last dimension running fastest.
 */
int pgc_array_outline(const pgconvoy_type *type, const pgconvoy_value *value, uint32_t element_oid, pgc_array *out,
                      pgc_bytes *body, pgconvoy_error *err)
{
    const char *label = pgc_type_label(type);
    *body = pgc_bytes_of(value);
    uint32_t flags, oid;
    memset(out, 0, sizeof *out);
    if (!pgc_take_int32(body, &out->dimensions) || !pgc_take32(body, &flags) || !pgc_take32(body, &oid))
        return pgc_value_malformed(err, label, "its binary form is too short");
    if (out->dimensions < 0 || out->dimensions > PGC_ARRAY_MAX_DIMENSIONS)
        return pgc_value_malformed(err, label, "too many dimensions");
    if (oid != element_oid)
        return pgc_value_malformed(err, label, "its elements are of another type than the catalog says");
    int64_t count = out->dimensions > 0;
    for (int d = 0; d < out->dimensions; d++) {
        int32_t last;
        if (!pgc_take_int32(body, &out->size[d]) || !pgc_take_int32(body, &out->lower_bound[d]))
            return pgc_value_malformed(err, label, "it ends within its dimensions");
        if (out->size[d] < 0 || __builtin_add_overflow(out->lower_bound[d], out->size[d], &last) ||
            __builtin_mul_overflow(count, (int64_t)out->size[d], &count))
            return pgc_value_malformed(err, label, "a dimension is out of range");
    }
    if ((uint64_t)count > pgc_left(body) / 4) /* each element has at least its length word */
        return pgc_value_malformed(err, label, "more elements than bytes");
    out->count = count;
    if (count == 0)
        out->dimensions = 0;
    return 0;
}

static void write_bounds(const pgc_array *array, pgc_buffer *out)
{
    bool needed = false;
    for (int d = 0; d < array->dimensions; d++)
        needed = needed || array->lower_bound[d] != 1;
    char *p = needed ? pgc_room(out, (size_t)array->dimensions * 32 + 1) : NULL;
    if (!p)
        return;
    for (int d = 0; d < array->dimensions; d++) {
        *p++ = '[';
        p = pgc_put_int64(p, array->lower_bound[d]);
        *p++ = ':';
        p = pgc_put_int64(p, (int64_t)array->lower_bound[d] + array->size[d] - 1);
        *p++ = ']';
    }
    *p++ = '=';
    pgc_wrote(out, p);
}

static char delimiter_of(const pgconvoy_type *type)
{
    return type->delimiter ? type->delimiter : ',';
}

static int write_element(const pgconvoy_type *type, pgc_bytes *body, char delimiter, pgc_buffer *out,
                         pgconvoy_error *err)
{
    pgconvoy_value element;
    if (!pgc_take_value(body, &element))
        return pgc_value_malformed(err, pgc_type_label(type), "it ends within an element");
    if (element.length == PGCONVOY_NULL) {
        pgc_buffer_append(out, "NULL", 4);
        return 0;
    }
    size_t start = out->length;
    if (pgc_write_binary(type->element, &element, out, err))
        return -1;
    pgc_quote_element(out, start, PGC_QUOTE_ARRAY, delimiter);
    return 0;
}

int pgc_write_array(const pgconvoy_type *type, const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err)
{
    pgc_array array;
    pgc_bytes body;
    if (pgc_array_outline(type, value, type->element->oid, &array, &body, err))
        return -1;
    char delimiter = delimiter_of(type);
    if (array.count == 0)
        pgc_buffer_append(out, "{}", 2);
    else
        write_bounds(&array, out);
    int32_t index[PGC_ARRAY_MAX_DIMENSIONS] = {0};
    int opened = 0; /* dimensions whose brace is open */
    for (int64_t i = 0; i < array.count; i++) {
        if (i > 0)
            pgc_buffer_byte(out, delimiter);
        for (; opened < array.dimensions; opened++)
            pgc_buffer_byte(out, '{');
        if (write_element(type, &body, delimiter, out, err))
            return -1;
        for (int d = array.dimensions - 1; d >= 0 && ++index[d] == array.size[d]; d--) {
            index[d] = 0;
            pgc_buffer_byte(out, '}');
            opened--;
        }
    }
    return pgc_left(&body) == 0 ? 0 : pgc_value_malformed(err, pgc_type_label(type), "bytes behind its last element");
}

/* The same outline for int2vector and oidvector; their text is the elements with blanks between. */
int pgc_write_vector_of_ints(const pgconvoy_type *type, const pgconvoy_value *value, pgc_buffer *out,
                             pgconvoy_error *err)
{
    uint32_t element_oid = type->oid == PGC_INT2VECTOR ? PGC_INT2 : PGC_OID;
    int32_t width = element_oid == PGC_INT2 ? 2 : 4;
    pgc_array array;
    pgc_bytes body;
    if (pgc_array_outline(type, value, element_oid, &array, &body, err))
        return -1;
    for (int64_t i = 0; i < array.count; i++) {
        pgconvoy_value element;
        if (!pgc_take_value(&body, &element) || element.length != width)
            return pgc_value_malformed(err, pgc_type_label(type), "an element has not the right length");
        char *p = pgc_room(out, PGC_INT64_TEXT_SIZE + 1);
        if (!p)
            return 0;
        if (i > 0)
            *p++ = ' ';
        const uint8_t *bytes = (const uint8_t *)element.data;
        p = width == 2 ? pgc_put_int64(p, (int16_t)pgc_load16(bytes)) : pgc_put_uint64(p, pgc_load32(bytes));
        pgc_wrote(out, p);
    }
    return pgc_left(&body) == 0 ? 0 : pgc_value_malformed(err, pgc_type_label(type), "bytes behind its last element");
}

int pgc_value_array(const pgconvoy_type *type, const pgconvoy_value *value, pgc_arena *arena, pgc_array *out,
                    pgconvoy_error *err)
{
    type = pgc_type_base(type);
    const char *label = pgc_type_label(type);
    uint32_t element_oid;
    if (type->oid == PGC_INT2VECTOR || type->oid == PGC_OIDVECTOR)
        element_oid = type->oid == PGC_INT2VECTOR ? PGC_INT2 : PGC_OID;
    else if (type->kind == PGCONVOY_TYPE_ARRAY && type->element)
        element_oid = type->element->oid;
    else
        return pgc_value_malformed(err, label, "not an array");
    if (pgc_value_present(value, label, err))
        return -1;
    if (value->format == PGCONVOY_TEXT)
        return pgc_array_from_text(type, value, arena, out, err);
    pgc_bytes body;
    if (pgc_array_outline(type, value, element_oid, out, &body, err))
        return -1;
    out->elements = pgc_arena_alloc(arena, (size_t)out->count * sizeof *out->elements);
    if (!out->elements)
        return pgc_error_out_of_memory(err);
    for (int64_t i = 0; i < out->count; i++)
        if (!pgc_take_value(&body, &out->elements[i]))
            return pgc_value_malformed(err, label, "it ends within an element");
    return pgc_left(&body) == 0 ? 0 : pgc_value_malformed(err, label, "bytes behind its last element");
}

/* ----------------------------------------------------------------- composites */

int pgc_composite_other_fields(const pgconvoy_type *type, pgconvoy_error *err)
{
    pgc_value_set_malformed(err, pgc_type_label(type), "it has not as many fields as its type");
    pgconvoy_error_hint(err, "was the type altered since? pgconvoy drop, then sync --if-exists drop copies anew");
    return -1;
}

/* Binary: the number of fields, then for each its type and its value. */
static int take_field_count(const pgconvoy_type *type, pgc_bytes *b, pgconvoy_error *err)
{
    int32_t count;
    if (!pgc_take_int32(b, &count) || count != type->field_count)
        return pgc_composite_other_fields(type, err);
    return 0;
}

static int take_field(const pgconvoy_type *type, int i, pgc_bytes *b, pgconvoy_value *field, pgconvoy_error *err)
{
    uint32_t oid;
    if (!pgc_take32(b, &oid) || !pgc_take_value(b, field))
        return pgc_value_malformed(err, pgc_type_label(type), "it ends within a field");
    if (oid != type->fields[i].type->oid)
        return pgc_value_malformed(err, pgc_type_label(type), "a field is of another type than the catalog says");
    return 0;
}

int pgc_write_composite(const pgconvoy_type *type, const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err)
{
    pgc_bytes b = pgc_bytes_of(value);
    if (take_field_count(type, &b, err))
        return -1;
    pgc_buffer_byte(out, '(');
    for (int i = 0; i < type->field_count; i++) {
        pgconvoy_value field;
        if (take_field(type, i, &b, &field, err))
            return -1;
        if (i > 0)
            pgc_buffer_byte(out, ',');
        if (field.length == PGCONVOY_NULL)
            continue;
        size_t start = out->length;
        if (pgc_write_binary(type->fields[i].type, &field, out, err))
            return -1;
        pgc_quote_element(out, start, PGC_QUOTE_COMPOSITE, 0);
    }
    pgc_buffer_byte(out, ')');
    return pgc_left(&b) == 0 ? 0 : pgc_value_malformed(err, pgc_type_label(type), "bytes behind its last field");
}

int pgc_value_composite(const pgconvoy_type *type, const pgconvoy_value *value, pgc_arena *arena,
                        pgconvoy_value **fields, pgconvoy_error *err)
{
    type = pgc_type_base(type);
    if (type->kind != PGCONVOY_TYPE_COMPOSITE)
        return pgc_value_malformed(err, pgc_type_label(type), "not a composite");
    if (pgc_value_present(value, pgc_type_label(type), err))
        return -1;
    *fields = pgc_arena_alloc(arena, (size_t)type->field_count * sizeof **fields);
    if (!*fields)
        return pgc_error_out_of_memory(err);
    if (value->format == PGCONVOY_TEXT)
        return pgc_composite_from_text(type, value, arena, *fields, err);
    pgc_bytes b = pgc_bytes_of(value);
    if (take_field_count(type, &b, err))
        return -1;
    for (int i = 0; i < type->field_count; i++)
        if (take_field(type, i, &b, &(*fields)[i], err))
            return -1;
    return pgc_left(&b) == 0 ? 0 : pgc_value_malformed(err, pgc_type_label(type), "bytes behind its last field");
}

/* --------------------------------------------------------------------- ranges */

enum { RANGE_EMPTY = 1, LOWER_INCLUSIVE = 2, UPPER_INCLUSIVE = 4, LOWER_INFINITE = 8, UPPER_INFINITE = 16 };

static int write_bound(const pgconvoy_type *type, pgc_bytes *b, pgc_buffer *out, pgconvoy_error *err)
{
    pgconvoy_value bound;
    if (!pgc_take_value(b, &bound) || bound.length < 0)
        return pgc_value_malformed(err, pgc_type_label(type), "a bound is missing");
    size_t start = out->length;
    if (pgc_write_binary(type->element, &bound, out, err))
        return -1;
    pgc_quote_element(out, start, PGC_QUOTE_RANGE, 0);
    return 0;
}

/* Binary: flags, then those bounds that there are. */
int pgc_write_range(const pgconvoy_type *type, const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err)
{
    pgc_bytes b = pgc_bytes_of(value);
    uint8_t flags;
    if (!pgc_take8(&b, &flags))
        return pgc_value_malformed(err, pgc_type_label(type), "it is empty");
    if (flags & RANGE_EMPTY)
        pgc_buffer_text(out, "empty");
    else {
        pgc_buffer_byte(out, flags & LOWER_INCLUSIVE ? '[' : '(');
        if (!(flags & LOWER_INFINITE) && write_bound(type, &b, out, err))
            return -1;
        pgc_buffer_byte(out, ',');
        if (!(flags & UPPER_INFINITE) && write_bound(type, &b, out, err))
            return -1;
        pgc_buffer_byte(out, flags & UPPER_INCLUSIVE ? ']' : ')');
    }
    return pgc_left(&b) == 0 ? 0 : pgc_value_malformed(err, pgc_type_label(type), "bytes behind its bounds");
}

/* Binary: the number of ranges, then each with its length. */
int pgc_write_multirange(const pgconvoy_type *type, const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err)
{
    pgc_bytes b = pgc_bytes_of(value);
    uint32_t count;
    if (!pgc_take32(&b, &count))
        return pgc_value_malformed(err, pgc_type_label(type), "its binary form is too short");
    pgc_buffer_byte(out, '{');
    for (uint32_t i = 0; i < count; i++) {
        pgconvoy_value range;
        if (!pgc_take_value(&b, &range) || range.length < 0)
            return pgc_value_malformed(err, pgc_type_label(type), "it ends within a range");
        if (i > 0)
            pgc_buffer_byte(out, ',');
        if (pgc_write_range(type->element, &range, out, err))
            return -1;
    }
    pgc_buffer_byte(out, '}');
    return pgc_left(&b) == 0 ? 0 : pgc_value_malformed(err, pgc_type_label(type), "bytes behind its last range");
}
