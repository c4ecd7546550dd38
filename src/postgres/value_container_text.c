/*
 * Arrays and composites in their text form, cut into values (PostgreSQL manual, sections 8.15.6 and 8.16.6). What
 * stands in quotes with a backslash or a doubled quote is unescaped into the arena; all else points into the value.
 */
#include "postgres/value_internal.h"

#include "base/arena.h"

#include <strings.h>

/* --------------------------------------------------------------------- arrays */

typedef struct array_reader {
    const char *at, *end;
    char delimiter;
    pgc_arena *arena;
    pgc_array *out;
    bool out_of_memory;
} array_reader;

/* "[0:2][-1:4]=" */
static bool read_bounds(array_reader *r)
{
    pgc_array *out = r->out;
    while (r->at < r->end && *r->at == '[') {
        const char *close = memchr(r->at, ']', (size_t)(r->end - r->at));
        const char *colon = close ? memchr(r->at, ':', (size_t)(close - r->at)) : NULL;
        int64_t lower, upper;
        if (!colon || out->dimensions == PGC_ARRAY_MAX_DIMENSIONS ||
            !pgc_read_int64(r->at + 1, (size_t)(colon - r->at - 1), &lower) ||
            !pgc_read_int64(colon + 1, (size_t)(close - colon - 1), &upper) || lower < INT32_MIN || upper > INT32_MAX ||
            upper < lower || upper - lower >= INT32_MAX)
            return false;
        out->lower_bound[out->dimensions] = (int32_t)lower;
        out->size[out->dimensions++] = (int32_t)(upper - lower + 1);
        r->at = close + 1;
    }
    return out->dimensions == 0 || (r->at < r->end && *r->at++ == '=');
}

/* What is between quotes; r->at stands behind the opening one. */
static bool read_quoted(array_reader *r, pgconvoy_value *element)
{
    const char *start = r->at, *p = start;
    size_t escapes = 0;
    while (p < r->end && *p != '"') {
        if (*p == '\\') {
            escapes++;
            if (++p == r->end)
                return false;
        }
        p++;
    }
    if (p == r->end)
        return false;
    r->at = p + 1;
    element->data = start;
    element->length = (int32_t)((size_t)(p - start) - escapes);
    if (escapes == 0)
        return true;
    char *to = pgc_arena_alloc(r->arena, (size_t)element->length);
    if (!to) {
        r->out_of_memory = true;
        return false;
    }
    element->data = to;
    for (const char *from = start; from < p; from++) {
        if (*from == '\\')
            from++;
        *to++ = *from;
    }
    return true;
}

static bool read_element(array_reader *r, pgconvoy_value *element)
{
    element->format = PGCONVOY_TEXT;
    if (*r->at == '"') {
        r->at++;
        return read_quoted(r, element);
    }
    const char *start = r->at;
    while (r->at < r->end && *r->at != r->delimiter && *r->at != '}' && *r->at != '{' && *r->at != '"' &&
           *r->at != '\\')
        r->at++;
    element->data = start;
    element->length = (int32_t)(r->at - start);
    if (element->length == 4 && strncasecmp(start, "null", 4) == 0) {
        element->data = NULL;
        element->length = PGCONVOY_NULL;
    }
    return element->length != 0;
}

/* An upper limit of the elements: one more than there are delimiters. */
static size_t count_delimiters(const char *p, const char *end, char delimiter)
{
    size_t n = 0;
    for (; p < end; p++)
        n += *p == delimiter;
    return n;
}

/*
 * The braces and what is in them: elements all stand at the depth of the first, and all braces of a depth have the same
 * number of members.
 */
static bool read_body(array_reader *r, int declared)
{
    pgc_array *out = r->out;
    int32_t size[PGC_ARRAY_MAX_DIMENSIONS], seen[PGC_ARRAY_MAX_DIMENSIONS];
    int depth = 0, deepest = 0; /* deepest 0: no element was seen */
    bool member_may_end = false, expects_member = true;
    for (int d = 0; d < PGC_ARRAY_MAX_DIMENSIONS; d++)
        size[d] = -1;
    do {
        if (r->at == r->end)
            return false;
        char c = *r->at;
        if (c == '{' && expects_member) {
            if (depth == (deepest ? deepest : PGC_ARRAY_MAX_DIMENSIONS))
                return false;
            seen[depth++] = 0;
            r->at++;
        } else if (c == '}' && (member_may_end || (depth == 1 && deepest == 0))) {
            depth--;
            if (size[depth] >= 0 && size[depth] != seen[depth])
                return false;
            size[depth] = seen[depth];
            if (depth > 0)
                seen[depth - 1]++;
            r->at++;
            member_may_end = true;
            expects_member = false;
        } else if (c == r->delimiter && member_may_end && depth > 0) {
            r->at++;
            member_may_end = false;
            expects_member = true;
        } else if (expects_member && depth > 0 && (deepest == 0 || depth == deepest)) {
            deepest = depth;
            if (!read_element(r, &out->elements[out->count]))
                return false;
            out->count++;
            seen[depth - 1]++;
            member_may_end = true;
            expects_member = false;
        } else
            return false;
    } while (depth > 0);
    if (r->at != r->end || (declared > 0 && declared != deepest))
        return false;
    for (int d = 0; d < deepest; d++) {
        if (declared > 0 && out->size[d] != size[d])
            return false;
        out->size[d] = size[d];
        if (declared == 0)
            out->lower_bound[d] = 1;
    }
    out->dimensions = deepest;
    return true;
}

/* "1 2 3" of int2vector and oidvector, which count from 0. */
static bool read_blank_separated(array_reader *r)
{
    pgc_array *out = r->out;
    while (r->at < r->end) {
        const char *start = r->at;
        while (r->at < r->end && *r->at != ' ')
            r->at++;
        if (r->at == start)
            return false;
        out->elements[out->count++] = (pgconvoy_value){start, (int32_t)(r->at - start), PGCONVOY_TEXT};
        if (r->at < r->end && ++r->at == r->end)
            return false;
    }
    out->dimensions = out->count > 0;
    out->size[0] = (int32_t)out->count;
    return true;
}

int pgc_array_from_text(const pgconvoy_type *type, const pgconvoy_value *value, pgc_arena *arena, pgc_array *out,
                        pgconvoy_error *err)
{
    bool blanks = type->kind != PGCONVOY_TYPE_ARRAY;
    memset(out, 0, sizeof *out);
    array_reader r = {
        value->data, value->data + value->length, blanks ? ' ' : type->delimiter ? type->delimiter : ',', arena, out,
        false};
    size_t most = count_delimiters(r.at, r.end, r.delimiter) + 1;
    out->elements = pgc_arena_alloc(arena, most * sizeof *out->elements);
    if (!out->elements)
        return pgc_error_out_of_memory(err);
    bool good = blanks ? read_blank_separated(&r) : read_bounds(&r) && read_body(&r, out->dimensions);
    if (r.out_of_memory)
        return pgc_error_out_of_memory(err);
    return good ? 0 : pgc_value_malformed(err, pgc_type_label(type), "not the text form of an array");
}

/* ----------------------------------------------------------------- composites */

/* Characters of a field from *at to its comma or parenthesis, unescaped to to (as long as the field at most); their
 * number, or -1. */
static int32_t unescape_field(const char **at, const char *end, char *to)
{
    const char *p = *at;
    char *start = to;
    for (bool quoted = false; p < end; p++) {
        if (!quoted && (*p == ',' || *p == ')')) {
            *at = p;
            return (int32_t)(to - start);
        }
        if (*p == '\\') {
            if (++p == end)
                return -1;
            *to++ = *p;
        } else if (*p == '"') {
            if (quoted && p + 1 < end && p[1] == '"')
                *to++ = *++p;
            else
                quoted = !quoted;
        } else
            *to++ = *p;
    }
    return -1;
}

/* A field without quotes or backslashes points into the value. */
static bool read_plain_field(const char **at, const char *end, pgconvoy_value *field)
{
    const char *p = *at;
    while (p < end && *p != ',' && *p != ')' && *p != '"' && *p != '\\')
        p++;
    if (p == end || *p == '"' || *p == '\\')
        return false;
    *field = (pgconvoy_value){*at, (int32_t)(p - *at), PGCONVOY_TEXT};
    if (field->length == 0)
        *field = (pgconvoy_value){NULL, PGCONVOY_NULL, PGCONVOY_TEXT};
    *at = p;
    return true;
}

int pgc_composite_from_text(const pgconvoy_type *type, const pgconvoy_value *value, pgc_arena *arena,
                            pgconvoy_value *fields, pgconvoy_error *err)
{
    const char *label = pgc_type_label(type), *p = value->data, *end = p + value->length;
    if (value->length < 2 || *p++ != '(' || end[-1] != ')')
        return pgc_value_malformed(err, label, "a composite stands in parentheses");
    char *room = NULL; /* for all fields that need it */
    for (int i = 0; i < type->field_count; i++) {
        if (i > 0 && *p++ != ',')
            return pgc_composite_other_fields(type, err);
        if (!read_plain_field(&p, end, &fields[i])) {
            room = room ? room : pgc_arena_alloc(arena, (size_t)(end - p));
            if (!room)
                return pgc_error_out_of_memory(err);
            int32_t length = unescape_field(&p, end, room);
            if (length < 0)
                return pgc_value_malformed(err, label, "a quote is not closed");
            fields[i] = (pgconvoy_value){room, length, PGCONVOY_TEXT};
            room += length;
        }
    }
    if (p != end - 1)
        return pgc_composite_other_fields(type, err);
    return 0;
}
