/*
 * Rows in the order of their keys, where the key is one whole number. Neighbours in the key's index are then found one
 * after another; and where the keys of a statement lie close together, a range of the index can be read instead of
 * looking each of them up (bulk.c).
 */
#include "sink/postgres/bulk.h"
#include "postgres/value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool pgc_pgsink_key_is_number(const pgc_pgsink_target *target)
{
    if (target->table->key_count != 1)
        return false;
    const pgc_pgsink_column *column = target->columns[target->table->key[0]];
    bool is_number = column->type_oid == PGC_INT2 || column->type_oid == PGC_INT4 || column->type_oid == PGC_INT8;
    return is_number && target->pass_binary[target->table->key[0]] && strcmp(column->equals, " = ") == 0;
}

static bool read_number(const pgconvoy_value *value, int64_t *number)
{
    if (value->length <= 0)
        return false;
    const unsigned char *bytes = (const unsigned char *)value->data;
    if (value->format == PGCONVOY_BINARY) {
        uint64_t bits = bytes[0] & 0x80 ? UINT64_MAX : 0;
        for (int64_t i = 0; i < value->length; i++)
            bits = bits << 8 | bytes[i];
        *number = (int64_t)bits;
        return value->length == 2 || value->length == 4 || value->length == 8;
    }
    char text[24];
    if (value->length >= (int64_t)sizeof text)
        return false;
    memcpy(text, value->data, (size_t)value->length);
    text[value->length] = '\0';
    char *end;
    errno = 0;
    *number = strtoll(text, &end, 10);
    return errno == 0 && *end == '\0';
}

typedef struct numbered {
    int64_t number;
    const pgc_compact_item *item;
} numbered;

static int compare(const void *left, const void *right)
{
    const numbered *a = left, *b = right;
    return a->number < b->number ? -1 : a->number > b->number;
}

/* The same items in another order, and their numbers. */
static int reorder(const pgc_compact_item **items, int64_t *numbers, size_t count, pgc_arena *arena,
                   pgconvoy_error *err)
{
    numbered *order = malloc(count * sizeof *order);
    pgc_compact_item *ordered = pgc_arena_alloc(arena, count * sizeof *ordered);
    if (!order || !ordered) {
        free(order);
        return pgc_error_out_of_memory(err);
    }
    for (size_t i = 0; i < count; i++)
        order[i] = (numbered){numbers[i], &(*items)[i]};
    qsort(order, count, sizeof *order, compare);
    for (size_t i = 0; i < count; i++) {
        ordered[i] = *order[i].item;
        numbers[i] = order[i].number;
    }
    free(order);
    *items = ordered;
    return 0;
}

int pgc_pgsink_key_order(const pgc_compact_item **items, size_t count, const pgc_pgsink_array *key, pgc_arena *arena,
                         const int64_t **numbers, pgconvoy_error *err)
{
    int64_t *read = pgc_arena_alloc(arena, count * sizeof *read);
    bool ordered = true;
    *numbers = NULL;
    if (!read)
        return pgc_error_out_of_memory(err);
    for (size_t i = 0; i < count; i++) {
        if (!read_number(pgc_pgsink_array_value(key, &(*items)[i]), &read[i]))
            return 0;
        ordered = ordered && (i == 0 || read[i] > read[i - 1]);
    }
    *numbers = read;
    return ordered ? 0 : reorder(items, read, count, arena, err);
}
