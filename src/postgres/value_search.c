/*
 * tsvector and tsquery. Binary forms: tsvectorsend (count; lexeme, number of positions, positions) and tsquerysend
 * (count; items in Polish notation, the right operand before the left). Text forms: PostgreSQL manual, section 8.11.
 */
#include "postgres/value_internal.h"

#include <stdlib.h>

/* 'lexeme', with quotes and backslashes doubled. */
static void write_lexeme(const char *text, size_t length, pgc_buffer *out)
{
    char *p = pgc_room(out, 2 * length + 2);
    if (!p)
        return;
    *p++ = '\'';
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\'' || text[i] == '\\')
            *p++ = text[i];
        *p++ = text[i];
    }
    *p++ = '\'';
    pgc_wrote(out, p);
}

/* ------------------------------------------------------------------- tsvector */

/* A position has its weight in the two highest bits: 3 A, 2 B, 1 C, 0 D, which is not shown. */
static void write_positions(const uint8_t *bytes, unsigned count, pgc_buffer *out)
{
    char *p = pgc_room(out, (size_t)count * 7 + 1);
    if (!p)
        return;
    for (unsigned i = 0; i < count; i++) {
        unsigned word = pgc_load16(bytes + 2 * (size_t)i);
        *p++ = i == 0 ? ':' : ',';
        p = pgc_put_uint64(p, word & 0x3FFF);
        if (word >> 14)
            *p++ = "DCBA"[word >> 14];
    }
    pgc_wrote(out, p);
}

int pgc_write_tsvector(const pgconvoy_type *type, const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err)
{
    pgc_bytes b = pgc_bytes_of(value);
    uint32_t count;
    if (!pgc_take32(&b, &count))
        return pgc_value_malformed(err, pgc_type_label(type), "its binary form is too short");
    for (uint32_t i = 0; i < count; i++) {
        const char *text;
        size_t length;
        uint16_t positions;
        if (!pgc_take_cstring(&b, &text, &length) || !pgc_take16(&b, &positions) ||
            pgc_left(&b) < 2 * (size_t)positions)
            return pgc_value_malformed(err, pgc_type_label(type), "it ends within a lexeme");
        if (i > 0)
            pgc_buffer_byte(out, ' ');
        write_lexeme(text, length, out);
        write_positions(b.at, positions, out);
        b.at += 2 * (size_t)positions;
    }
    if (pgc_left(&b) > 0)
        return pgc_value_malformed(err, pgc_type_label(type), "bytes behind its last lexeme");
    return 0;
}

/* -------------------------------------------------------------------- tsquery */

enum { ITEM_LEXEME = 1, ITEM_OPERATOR = 2 };
enum { OPERATOR_NOT = 1, OPERATOR_AND, OPERATOR_OR, OPERATOR_PHRASE };

/* How tightly an operator binds. */
static const int priority_of[] = {[OPERATOR_NOT] = 4, [OPERATOR_AND] = 2, [OPERATOR_OR] = 1, [OPERATOR_PHRASE] = 3};

typedef struct item {
    uint8_t operator; /* 0: a lexeme */
    uint8_t weight, prefix;
    uint16_t distance;
    uint32_t size; /* items of its whole subtree */
    const char *text;
    size_t length;
} item;

static bool take_item(pgc_bytes *b, item *out)
{
    uint8_t kind;
    memset(out, 0, sizeof *out);
    if (!pgc_take8(b, &kind))
        return false;
    if (kind == ITEM_LEXEME)
        return pgc_take8(b, &out->weight) && pgc_take8(b, &out->prefix) &&
               pgc_take_cstring(b, &out->text, &out->length);
    if (kind != ITEM_OPERATOR || !pgc_take8(b, &out->operator) ||
        out->operator<OPERATOR_NOT || out->operator> OPERATOR_PHRASE)
        return false;
    return out->operator!= OPERATOR_PHRASE || pgc_take16(b, &out->distance);
}

/* Fills the sizes from the last item to the first; false when the operators do not find their operands. */
static bool measure(item *items, uint32_t count)
{
    for (uint32_t i = count; i-- > 0;) {
        uint32_t operands = items[i].operator== 0 ? 0 : items[i].operator== OPERATOR_NOT ? 1 : 2;
        uint32_t size = 1;
        for (; operands > 0; operands--) {
            if (size >= count - i)
                return false;
            size += items[i + size].size;
        }
        items[i].size = size;
    }
    return count > 0 && items[0].size == count;
}

static void write_leaf(const item *leaf, pgc_buffer *out)
{
    write_lexeme(leaf->text, leaf->length, out);
    if (!leaf->weight && !leaf->prefix)
        return;
    pgc_buffer_byte(out, ':');
    if (leaf->prefix)
        pgc_buffer_byte(out, '*');
    for (int bit = 3; bit >= 0; bit--)
        if (leaf->weight >> bit & 1)
            pgc_buffer_byte(out, "DCBA"[bit]);
}

#define DEPTH_LIMIT 20000

/* parent binds the operators around; a phrase as the right operand of a phrase keeps its parentheses. */
static bool write_items(const item *items, int parent, bool right_of_phrase, int depth, pgc_buffer *out)
{
    const item *here = items;
    if (depth > DEPTH_LIMIT)
        return false;
    if (here->operator== 0) {
        write_leaf(here, out);
        return true;
    }
    int priority = priority_of[here->operator];
    bool phrase = here->operator== OPERATOR_PHRASE;
    bool enclosed = priority < parent || (phrase && right_of_phrase);
    if (enclosed)
        pgc_buffer_text(out, "( ");
    if (here->operator== OPERATOR_NOT) {
        pgc_buffer_byte(out, '!');
        if (!write_items(items + 1, priority, false, depth + 1, out))
            return false;
    } else {
        if (!write_items(items + 1 + items[1].size, priority, false, depth + 1, out))
            return false;
        if (here->operator== OPERATOR_AND)
            pgc_buffer_text(out, " & ");
        else if (here->operator== OPERATOR_OR)
            pgc_buffer_text(out, " | ");
        else if (here->distance == 1)
            pgc_buffer_text(out, " <-> ");
        else
            pgc_buffer_format(out, " <%u> ", (unsigned)here->distance);
        if (!write_items(items + 1, priority, phrase, depth + 1, out))
            return false;
    }
    if (enclosed)
        pgc_buffer_text(out, " )");
    return true;
}

int pgc_write_tsquery(const pgconvoy_type *type, const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err)
{
    pgc_bytes b = pgc_bytes_of(value);
    uint32_t count;
    if (!pgc_take32(&b, &count) || count > pgc_left(&b) / 2)
        return pgc_value_malformed(err, pgc_type_label(type), "its binary form is too short");
    if (count == 0)
        return pgc_left(&b) == 0 ? 0 : pgc_value_malformed(err, pgc_type_label(type), "bytes behind its last item");
    item *items = malloc(count * sizeof *items);
    if (!items)
        return pgc_error_out_of_memory(err);
    bool good = true;
    for (uint32_t i = 0; good && i < count; i++)
        good = take_item(&b, &items[i]);
    good = good && pgc_left(&b) == 0 && measure(items, count) && write_items(items, 0, false, 0, out);
    free(items);
    return good ? 0 : pgc_value_malformed(err, pgc_type_label(type), "its items do not form a query");
}
