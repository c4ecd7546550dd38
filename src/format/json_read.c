/* Recursive descent (RFC 8259), with a bound on its depth. */
#include "format/json_read.h"

#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 32

typedef struct reader {
    pgc_arena *arena;
    const char *at, *end;
    bool no_memory;
} reader;

static pgc_json *read_value(reader *r, int depth);

static void skip_blanks(reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r'))
        r->at++;
}

static bool take(reader *r, char c)
{
    skip_blanks(r);
    if (r->at >= r->end || *r->at != c)
        return false;
    r->at++;
    return true;
}

static pgc_json *new_node(reader *r, pgc_json_type type)
{
    pgc_json *node = pgc_arena_zalloc(r->arena, sizeof *node);
    if (!node)
        r->no_memory = true;
    else
        node->type = type;
    return node;
}

static int hex4(reader *r)
{
    int value = 0;
    if (r->end - r->at < 4)
        return -1;
    for (int i = 0; i < 4; i++, r->at++) {
        char c = *r->at;
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

static char *put_utf8(char *to, int code)
{
    if (code < 0x80) {
        *to++ = (char)code;
    } else if (code < 0x800) {
        *to++ = (char)(0xc0 | code >> 6);
        *to++ = (char)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        *to++ = (char)(0xe0 | code >> 12);
        *to++ = (char)(0x80 | (code >> 6 & 0x3f));
        *to++ = (char)(0x80 | (code & 0x3f));
    } else {
        *to++ = (char)(0xf0 | code >> 18);
        *to++ = (char)(0x80 | (code >> 12 & 0x3f));
        *to++ = (char)(0x80 | (code >> 6 & 0x3f));
        *to++ = (char)(0x80 | (code & 0x3f));
    }
    return to;
}

/* Behind "\u". NULL: malformed. */
static char *read_unicode(reader *r, char *to)
{
    int code = hex4(r);
    if (code >= 0xd800 && code < 0xdc00) {
        if (r->end - r->at < 2 || r->at[0] != '\\' || r->at[1] != 'u')
            return NULL;
        r->at += 2;
        int low = hex4(r);
        if (low < 0xdc00 || low > 0xdfff)
            return NULL;
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    return code <= 0 ? NULL : put_utf8(to, code);
}

/* Behind the opening quote. The text is never longer than what it was written as. */
static const char *read_text(reader *r)
{
    const char *quote = r->at;
    while (quote < r->end && *quote != '"')
        quote += *quote == '\\' ? 2 : 1;
    if (quote >= r->end)
        return NULL;
    char *text = pgc_arena_alloc(r->arena, (size_t)(quote - r->at) + 1), *to = text;
    if (!text) {
        r->no_memory = true;
        return NULL;
    }
    while (r->at < quote && to) {
        if (*r->at != '\\') {
            *to++ = *r->at++;
            continue;
        }
        static const char letters[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
        char letter = r->at[1];
        const char *known = letter ? strchr(letters, letter) : NULL;
        r->at += 2;
        if (known)
            *to++ = means[known - letters];
        else
            to = letter == 'u' ? read_unicode(r, to) : NULL;
    }
    if (!to)
        return NULL;
    *to = '\0';
    r->at = quote + 1;
    return text;
}

static pgc_json *read_members(reader *r, pgc_json_type type, int depth)
{
    pgc_json *node = new_node(r, type), **last = node ? &node->first : NULL;
    char close = type == PGC_JSON_OBJECT ? '}' : ']';
    if (!node || take(r, close))
        return node;
    do {
        const char *name = NULL;
        if (type == PGC_JSON_OBJECT && (!take(r, '"') || !(name = read_text(r)) || !take(r, ':')))
            return NULL;
        pgc_json *member = read_value(r, depth + 1);
        if (!member)
            return NULL;
        member->name = name;
        *last = member;
        last = &member->next;
        node->count++;
    } while (take(r, ','));
    return take(r, close) ? node : NULL;
}

static pgc_json *read_word(reader *r)
{
    static const struct {
        const char *word;
        pgc_json_type type;
    } words[] = {{"null", PGC_JSON_NULL}, {"true", PGC_JSON_BOOL}, {"false", PGC_JSON_BOOL}};
    for (size_t i = 0; i < 3; i++) {
        size_t length = strlen(words[i].word);
        if ((size_t)(r->end - r->at) < length || memcmp(r->at, words[i].word, length) != 0)
            continue;
        r->at += length;
        pgc_json *node = new_node(r, words[i].type);
        if (node)
            node->truth = i == 1;
        return node;
    }
    return NULL;
}

static pgc_json *read_value(reader *r, int depth)
{
    skip_blanks(r);
    if (r->at >= r->end || depth > DEPTH_MAX)
        return NULL;
    if (take(r, '{'))
        return read_members(r, PGC_JSON_OBJECT, depth);
    if (take(r, '['))
        return read_members(r, PGC_JSON_ARRAY, depth);
    if (take(r, '"')) {
        pgc_json *node = new_node(r, PGC_JSON_TEXT);
        return node && (node->text = read_text(r)) ? node : NULL;
    }
    size_t digits = 0;
    while (r->at + digits < r->end && r->at[digits] && strchr("+-.0123456789eE", r->at[digits]))
        digits++;
    if (digits == 0 || *r->at == 'e' || *r->at == 'E')
        return read_word(r);
    pgc_json *node = new_node(r, PGC_JSON_NUMBER);
    if (node && !(node->text = pgc_arena_strndup(r->arena, r->at, digits)))
        r->no_memory = true;
    r->at += digits;
    return node;
}

pgc_json *pgc_json_read(pgc_arena *arena, const char *bytes, size_t length, pgconvoy_error *err)
{
    reader r = {.arena = arena, .at = bytes, .end = bytes + length};
    pgc_json *node = read_value(&r, 0);
    skip_blanks(&r);
    if (node && r.at == r.end && !r.no_memory)
        return node;
    if (r.no_memory)
        pgc_error_out_of_memory(err);
    else
        pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "malformed JSON at byte %zu of %zu", (size_t)(r.at - bytes),
                           length);
    return NULL;
}

const pgc_json *pgc_json_get(const pgc_json *node, const char *name)
{
    if (!node || node->type != PGC_JSON_OBJECT)
        return NULL;
    for (const pgc_json *member = node->first; member; member = member->next)
        if (strcmp(member->name, name) == 0)
            return member;
    return NULL;
}

const char *pgc_json_get_text(const pgc_json *node, const char *name)
{
    const pgc_json *member = pgc_json_get(node, name);
    return member && member->type == PGC_JSON_TEXT ? member->text : NULL;
}

int64_t pgc_json_number(const pgc_json *node, const char *name, int64_t otherwise)
{
    const pgc_json *member = pgc_json_get(node, name);
    return member && member->type == PGC_JSON_NUMBER ? strtoll(member->text, NULL, 10) : otherwise;
}

bool pgc_json_truth(const pgc_json *node, const char *name)
{
    const pgc_json *member = pgc_json_get(node, name);
    return member && member->type == PGC_JSON_BOOL && member->truth;
}
