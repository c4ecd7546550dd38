/* Which types of DuckDB's may become which, with all their values. */
#include "sink/duckdb/alter.h"

#include <stdlib.h>
#include <string.h>

static int digits_of(pgc_duckdb_kind kind)
{
    switch (kind) {
    case PGC_DUCKDB_SMALLINT:
        return 5;
    case PGC_DUCKDB_INTEGER:
    case PGC_DUCKDB_UINTEGER:
        return 10;
    case PGC_DUCKDB_BIGINT:
        return 19;
    case PGC_DUCKDB_HUGEINT:
        return 38;
    default:
        return 0;
    }
}

int pgc_duckdb_type_same(const pgc_duckdb_type *a, const pgc_duckdb_type *b, bool *same, pgconvoy_error *err)
{
    pgc_buffer first, second;
    pgc_buffer_init(&first, (size_t)16 << 20);
    pgc_buffer_init(&second, (size_t)16 << 20);
    pgc_duckdb_type_sql(a, &first);
    pgc_duckdb_type_sql(b, &second);
    *same = first.data && second.data && strcmp(first.data, second.data) == 0;
    int result = pgc_buffer_check(&first, err) != 0 ? -1 : pgc_buffer_check(&second, err);
    pgc_buffer_free(&first);
    pgc_buffer_free(&second);
    return result;
}

/* The same for a part of a LIST or STRUCT, which may also be what it was. */
static bool is_as_wide(const pgc_duckdb_type *old, const pgc_duckdb_type *new_)
{
    pgconvoy_error ignored;
    bool same;
    return (pgc_duckdb_type_same(old, new_, &same, &ignored) == 0 && same && old->kind == new_->kind) ||
           pgc_duckdb_type_is_wider(old, new_);
}

bool pgc_duckdb_type_is_wider(const pgc_duckdb_type *old, const pgc_duckdb_type *new_)
{
    int digits = digits_of(old->kind);
    switch (new_->kind) {
    case PGC_DUCKDB_INTEGER:
        return old->kind == PGC_DUCKDB_SMALLINT;
    case PGC_DUCKDB_BIGINT:
        return digits > 0 && digits <= 10;
    case PGC_DUCKDB_DOUBLE:
        return old->kind == PGC_DUCKDB_FLOAT || (digits > 0 && digits <= 10);
    case PGC_DUCKDB_HUGEINT:
    case PGC_DUCKDB_DECIMAL:
        if (old->kind == PGC_DUCKDB_DECIMAL || old->kind == PGC_DUCKDB_HUGEINT)
            return old->scale <= new_->scale && old->width - old->scale <= new_->width - new_->scale;
        return digits > 0 && digits <= new_->width - new_->scale;
    case PGC_DUCKDB_TIMESTAMP:
        return old->kind == PGC_DUCKDB_DATE;
    case PGC_DUCKDB_ENUM:
        for (int i = 0; old->kind == PGC_DUCKDB_ENUM && i < old->source->label_count; i++) {
            if (pgc_duckdb_label_find(new_->labels, old->source->labels[i], strlen(old->source->labels[i])) < 0)
                return false;
        }
        return old->kind == PGC_DUCKDB_ENUM;
    case PGC_DUCKDB_LIST:
        return old->kind == PGC_DUCKDB_LIST && is_as_wide(old->element, new_->element);
    case PGC_DUCKDB_STRUCT:
        if (old->kind != PGC_DUCKDB_STRUCT || old->field_count != new_->field_count)
            return false;
        for (int i = 0; i < new_->field_count; i++) {
            if (strcmp(old->source->fields[i].name, new_->source->fields[i].name) != 0 ||
                !is_as_wide(&old->fields[i], &new_->fields[i]))
                return false;
        }
        return true;
    case PGC_DUCKDB_CHARACTERS:
        return digits > 0 || old->kind == PGC_DUCKDB_ENUM || old->kind == PGC_DUCKDB_UUID ||
               old->kind == PGC_DUCKDB_JSON || old->kind == PGC_DUCKDB_AS_TEXT || old->kind == PGC_DUCKDB_DECIMAL;
    case PGC_DUCKDB_AS_TEXT: /* numeric that loses its precision */
        return new_->source == old->source && (old->kind == PGC_DUCKDB_DECIMAL || old->kind == PGC_DUCKDB_HUGEINT);
    default:
        return false;
    }
}

bool pgc_duckdb_type_reads_text(const pgc_duckdb_type *type)
{
    switch (type->kind) {
    case PGC_DUCKDB_BOOLEAN:
    case PGC_DUCKDB_SMALLINT:
    case PGC_DUCKDB_INTEGER:
    case PGC_DUCKDB_UINTEGER:
    case PGC_DUCKDB_BIGINT:
    case PGC_DUCKDB_HUGEINT:
    case PGC_DUCKDB_DECIMAL:
    case PGC_DUCKDB_FLOAT:
    case PGC_DUCKDB_DOUBLE:
    case PGC_DUCKDB_CHARACTERS:
    case PGC_DUCKDB_AS_TEXT:
    case PGC_DUCKDB_DATE:
    case PGC_DUCKDB_TIMESTAMP:
    case PGC_DUCKDB_TIMESTAMPTZ:
    case PGC_DUCKDB_UUID:
    case PGC_DUCKDB_ENUM:
    case PGC_DUCKDB_JSON:
        return true;
    default:
        return false;
    }
}

int pgc_duckdb_type_integer_rank(const char *type)
{
    static const char *const integers[] = {"SMALLINT", "INTEGER", "BIGINT", "HUGEINT"};
    for (int i = 0; i < 4; i++) {
        if (strcmp(integers[i], type) == 0)
            return i + 1;
    }
    return 0;
}

bool pgc_duckdb_type_loses(const char *from, const char *to)
{
    static const char *const wider[][3] = {{"DECIMAL(", "FLOAT", "DOUBLE"}, {"TIMESTAMP", NULL, NULL}};
    bool whole = pgc_duckdb_type_integer_rank(to) > 0, day = strcmp(to, "DATE") == 0, decimal = strncmp(to, "DECIMAL(", 8) == 0;
    if (strcmp(from, "VARCHAR") == 0)
        return whole || day || decimal || strcmp(to, "FLOAT") == 0 || strcmp(to, "DOUBLE") == 0 || strncmp(to, "TIME", 4) == 0;
    for (size_t i = 0; (whole || day) && i < 3 && wider[day][i]; i++)
        if (strncmp(from, wider[day][i], strlen(wider[day][i])) == 0)
            return true;
    const char *from_scale = strchr(from, ','), *to_scale = strchr(to, ',');
    if (decimal && strncmp(from, "DECIMAL(", 8) == 0 && from_scale && to_scale)
        return atoi(from_scale + 1) > atoi(to_scale + 1);
    return (decimal && (strcmp(from, "FLOAT") == 0 || strcmp(from, "DOUBLE") == 0)) || (strcmp(to, "FLOAT") == 0 && strcmp(from, "DOUBLE") == 0);
}
