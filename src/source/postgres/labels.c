/* See labels.h. Labels are sorted once for each version of a table; a value then costs a binary search. */
#include "source/postgres/labels.h"

#include "base/grow.h"
#include "postgres/value.h"

#include <stdlib.h>
#include <string.h>

typedef struct enum_labels {
    const pgconvoy_type *type;
    const char **sorted;
} enum_labels;

struct pgc_labels {
    const pgconvoy_table *table;
    pgc_arena *arena;
    pgc_arena *scratch; /* for the parts of one value */
    int *columns;       /* those with an enum in their type */
    int column_count;
    enum_labels *enums;
    int enum_count, enum_capacity;
};

static bool has_enum(const pgconvoy_type *type)
{
    if (!type) /* a part that the catalog did not tell */
        return false;
    switch (type->kind) {
    case PGCONVOY_TYPE_ENUM:
        return true;
    case PGCONVOY_TYPE_ARRAY:
    case PGCONVOY_TYPE_DOMAIN:
        return has_enum(type->element);
    case PGCONVOY_TYPE_COMPOSITE:
        for (int i = 0; i < type->field_count; i++)
            if (has_enum(type->fields[i].type))
                return true;
        return false;
    default:
        return false;
    }
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const enum_labels *enum_of(const pgc_labels *labels, const pgconvoy_type *type)
{
    for (int i = 0; i < labels->enum_count; i++)
        if (labels->enums[i].type == type)
            return &labels->enums[i];
    return NULL;
}

static int add_enum(pgc_labels *labels, const pgconvoy_type *type, pgconvoy_error *err)
{
    if (enum_of(labels, type))
        return 0;
    if (pgc_grow_int(&labels->enums, labels->enum_count, &labels->enum_capacity, sizeof *labels->enums, err) != 0)
        return -1;
    size_t count = (size_t)type->label_count;
    const char **sorted = pgc_arena_alloc(labels->arena, (count + 1) * sizeof *sorted);
    if (!sorted)
        return pgc_error_out_of_memory(err);
    for (size_t i = 0; i < count; i++)
        sorted[i] = type->labels[i];
    qsort(sorted, count, sizeof *sorted, by_text);
    labels->enums[labels->enum_count++] = (enum_labels){type, sorted};
    return 0;
}

/* Every enum that the type is made of. */
static int add_enums(pgc_labels *labels, const pgconvoy_type *type, pgconvoy_error *err)
{
    if (!has_enum(type))
        return 0;
    if (type->kind == PGCONVOY_TYPE_ENUM)
        return add_enum(labels, type, err);
    if (type->kind != PGCONVOY_TYPE_COMPOSITE)
        return add_enums(labels, type->element, err);
    for (int i = 0; i < type->field_count; i++)
        if (add_enums(labels, type->fields[i].type, err) != 0)
            return -1;
    return 0;
}

int pgc_labels_new(const pgconvoy_table *table, pgc_labels **out, pgconvoy_error *err)
{
    int count = 0;
    *out = NULL;
    for (int i = 0; i < table->column_count; i++)
        count += has_enum(table->columns[i].type);
    if (count == 0)
        return 0;
    pgc_labels *labels = calloc(1, sizeof *labels);
    if (!labels)
        return pgc_error_out_of_memory(err);
    labels->table = table;
    labels->arena = pgc_arena_new(4096);
    labels->scratch = labels->arena ? pgc_arena_new(4096) : NULL;
    labels->columns = labels->scratch ? pgc_arena_alloc(labels->arena, (size_t)count * sizeof *labels->columns) : NULL;
    int failed = labels->columns ? 0 : pgc_error_out_of_memory(err);
    for (int i = 0; i < table->column_count && !failed; i++) {
        if (!has_enum(table->columns[i].type))
            continue;
        labels->columns[labels->column_count++] = i;
        failed = add_enums(labels, table->columns[i].type, err);
    }
    if (failed)
        pgc_labels_free(labels);
    else
        *out = labels;
    return failed;
}

void pgc_labels_free(pgc_labels *labels)
{
    if (!labels)
        return;
    if (labels->arena)
        pgc_arena_free(labels->arena);
    if (labels->scratch)
        pgc_arena_free(labels->scratch);
    free(labels->enums);
    free(labels);
}

/* text is compared as it stands in the value; it has no NUL, as no label has. */
static bool is_known(const enum_labels *known, const char *text, size_t length)
{
    size_t low = 0, high = (size_t)known->type->label_count;
    while (low < high) {
        size_t at = low + (high - low) / 2;
        int order = strncmp(known->sorted[at], text, length);
        if (order == 0 && known->sorted[at][length] == '\0')
            return true;
        if (order < 0)
            low = at + 1;
        else
            high = at;
    }
    return false;
}

static bool is_missing(pgc_labels *labels, const pgconvoy_type *type, const pgconvoy_value *value,
                       bool in_composites, pgc_unknown_label *unknown)
{
    pgconvoy_error unreadable = {0};
    if (value->length < 0 || !has_enum(type))
        return false;
    switch (type->kind) {
    case PGCONVOY_TYPE_ENUM: {
        const enum_labels *known = enum_of(labels, type);
        size_t length = (size_t)value->length;
        if (!known || memchr(value->data, '\0', length) || is_known(known, value->data, length))
            return false;
        *unknown = (pgc_unknown_label){type, value->data, length};
        return true;
    }
    case PGCONVOY_TYPE_DOMAIN:
        return is_missing(labels, type->element, value, in_composites, unknown);
    case PGCONVOY_TYPE_ARRAY: {
        pgc_array array;
        if (pgc_value_array(type, value, labels->scratch, &array, &unreadable) != 0)
            return false;
        for (int64_t i = 0; i < array.count; i++)
            if (is_missing(labels, type->element, &array.elements[i], in_composites, unknown))
                return true;
        return false;
    }
    default: {
        pgconvoy_value *fields;
        if (!in_composites || pgc_value_composite(type, value, labels->scratch, &fields, &unreadable) != 0)
            return false;
        for (int i = 0; i < type->field_count; i++)
            if (is_missing(labels, type->fields[i].type, &fields[i], in_composites, unknown))
                return true;
        return false;
    }
    }
}

bool pgc_labels_missing(pgc_labels *labels, const pgconvoy_value *row, bool in_composites, pgc_unknown_label *unknown)
{
    pgc_arena_reset(labels->scratch);
    for (int i = 0; i < labels->column_count; i++) {
        int column = labels->columns[i];
        if (is_missing(labels, labels->table->columns[column].type, &row[column], in_composites, unknown))
            return true;
    }
    return false;
}
