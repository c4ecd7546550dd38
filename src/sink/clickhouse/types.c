/* From PostgreSQL's types to ClickHouse's, as tables; docs/sinks/clickhouse.md has them for users. */
#include "sink/clickhouse/clickhouse_internal.h"

#include "postgres/value.h"

#include <stdio.h>
#include <stdlib.h>

/* What follows from a kind alone. */
static const struct {
    const char *sql;
    bool binary;  /* values are asked for in binary form */
    bool partial; /* ClickHouse's type lacks values that PostgreSQL's has */
} kinds[] = {
    [PGC_CLICKHOUSE_AS_TEXT] = {"String", false, false},
    [PGC_CLICKHOUSE_CHARACTERS] = {"String", true, false},
    [PGC_CLICKHOUSE_BYTES] = {"String", true, false},
    [PGC_CLICKHOUSE_JSON] = {"JSON", true, true}, /* objects only */
    [PGC_CLICKHOUSE_BOOL] = {"Bool", true, false},
    [PGC_CLICKHOUSE_UINT8] = {"UInt8", true, false},
    [PGC_CLICKHOUSE_INT16] = {"Int16", true, false},
    [PGC_CLICKHOUSE_INT32] = {"Int32", true, false},
    [PGC_CLICKHOUSE_INT64] = {"Int64", true, false},
    [PGC_CLICKHOUSE_UINT32] = {"UInt32", true, false},
    [PGC_CLICKHOUSE_UINT64] = {"UInt64", true, false},
    [PGC_CLICKHOUSE_FLOAT32] = {"Float32", true, false},
    [PGC_CLICKHOUSE_FLOAT64] = {"Float64", true, false},
    [PGC_CLICKHOUSE_DECIMAL] = {NULL, true, true},    /* NaN, infinity */
    [PGC_CLICKHOUSE_DATE32] = {"Date32", true, true}, /* 1900 to 2299 */
    [PGC_CLICKHOUSE_DATETIME64] = {"DateTime64(6, 'UTC')", true, true},
    [PGC_CLICKHOUSE_UUID] = {"UUID", true, false},
    [PGC_CLICKHOUSE_ENUM] = {NULL, true, false},
    [PGC_CLICKHOUSE_ARRAY] = {NULL, true, true}, /* one dimension, from 1 */
    [PGC_CLICKHOUSE_VECTOR] = {"Array(Float32)", true, false},
};

static const struct {
    uint32_t oid;
    pgc_clickhouse_kind kind;
} scalars[] = {
    {PGC_BOOL, PGC_CLICKHOUSE_BOOL},
    {PGC_INT2, PGC_CLICKHOUSE_INT16},
    {PGC_INT4, PGC_CLICKHOUSE_INT32},
    {PGC_INT8, PGC_CLICKHOUSE_INT64},
    {PGC_OID, PGC_CLICKHOUSE_UINT32},
    {PGC_XID, PGC_CLICKHOUSE_UINT32},
    {PGC_CID, PGC_CLICKHOUSE_UINT32},
    {PGC_XID8, PGC_CLICKHOUSE_UINT64},
    {PGC_FLOAT4, PGC_CLICKHOUSE_FLOAT32},
    {PGC_FLOAT8, PGC_CLICKHOUSE_FLOAT64},
    {PGC_NUMERIC, PGC_CLICKHOUSE_DECIMAL},
    {PGC_DATE, PGC_CLICKHOUSE_DATE32},
    {PGC_TIMESTAMP, PGC_CLICKHOUSE_DATETIME64},
    {PGC_TIMESTAMPTZ, PGC_CLICKHOUSE_DATETIME64},
    {PGC_UUID, PGC_CLICKHOUSE_UUID},
    {PGC_BYTEA, PGC_CLICKHOUSE_BYTES},
    {PGC_JSON, PGC_CLICKHOUSE_JSON},
    {PGC_JSONB, PGC_CLICKHOUSE_JSON},
    {PGC_TEXT_OID, PGC_CLICKHOUSE_CHARACTERS},
    {PGC_VARCHAR, PGC_CLICKHOUSE_CHARACTERS},
    {PGC_BPCHAR, PGC_CLICKHOUSE_CHARACTERS},
    {PGC_NAME, PGC_CLICKHOUSE_CHARACTERS},
    {PGC_XML, PGC_CLICKHOUSE_CHARACTERS},
};

/* A column while its type is being found. */
typedef struct mapping {
    const pgc_clickhouse_type_options *options;
    const pgc_clickhouse_capabilities *has;
    pgc_arena *arena;
    bool in_key;
} mapping;

static bool map(const mapping *m, pgc_clickhouse_type *to, const pgconvoy_type *type, int32_t typmod);

static void map_numeric(const mapping *m, pgc_clickhouse_type *to, int32_t typmod)
{
    int before, behind;
    bool bounded = pgc_numeric_bounds(typmod, &before, &behind);
    int precision = bounded ? before + behind : m->options->numeric_width;
    int scale = bounded ? behind : m->options->numeric_scale;
    to->kind = PGC_CLICKHOUSE_AS_TEXT;
    if (precision < 1 || precision > (m->has->decimal256 ? 76 : 38))
        return;
    to->kind = PGC_CLICKHOUSE_DECIMAL;
    to->width = (uint8_t)precision;
    to->scale = (uint8_t)scale;
}

static int compare_labels(const void *a, const void *b)
{
    return strcmp(((const pgc_clickhouse_label *)a)->text, ((const pgc_clickhouse_label *)b)->text);
}

/* Numbers from 1 in PostgreSQL's order. */
static bool map_enum(const mapping *m, pgc_clickhouse_type *to)
{
    const pgconvoy_type *type = to->source;
    to->kind = PGC_CLICKHOUSE_CHARACTERS;
    /* a key's type cannot be changed when a label is added */
    if (m->in_key || m->options->enums_text || type->label_count == 0 || type->label_count > 30000)
        return true;
    to->labels = pgc_arena_alloc(m->arena, (size_t)type->label_count * sizeof *to->labels);
    if (!to->labels)
        return false;
    for (int i = 0; i < type->label_count; i++)
        to->labels[i] = (pgc_clickhouse_label){type->labels[i], i + 1};
    to->label_count = type->label_count;
    qsort(to->labels, (size_t)to->label_count, sizeof *to->labels, compare_labels);
    to->kind = PGC_CLICKHOUSE_ENUM;
    to->width = type->label_count > 127 ? 2 : 1;
    return true;
}

static bool map_array(const mapping *m, pgc_clickhouse_type *to, int32_t typmod)
{
    /* Array has no NULL of its own */
    if (m->options->arrays_text || m->in_key || !to->source->element || (to->nullable && !m->options->arrays_always))
        return true;
    mapping inner = *m;
    inner.in_key = false;
    pgc_clickhouse_type *element = pgc_arena_zalloc(m->arena, sizeof *element);
    if (!element)
        return false;
    element->nullable = true;
    if (!map(&inner, element, to->source->element, typmod))
        return false;
    if (element->kind == PGC_CLICKHOUSE_ARRAY || element->kind == PGC_CLICKHOUSE_VECTOR ||
        element->kind == PGC_CLICKHOUSE_JSON || element->kind == PGC_CLICKHOUSE_ENUM)
        element->kind = PGC_CLICKHOUSE_AS_TEXT;
    to->kind = PGC_CLICKHOUSE_ARRAY;
    to->element = element;
    to->nullable = false;
    return true;
}

static bool is_of_vector(const pgconvoy_type *type)
{
    return type->extension && strcmp(type->extension, "vector") == 0 && strcmp(type->name, "vector") == 0;
}

static void map_base(const mapping *m, pgc_clickhouse_type *to, int32_t typmod)
{
    const pgconvoy_type *type = to->source;
    for (size_t i = 0; i < sizeof scalars / sizeof *scalars; i++) {
        if (scalars[i].oid == type->oid)
            to->kind = scalars[i].kind;
    }
    if (to->kind == PGC_CLICKHOUSE_DECIMAL)
        map_numeric(m, to, typmod);
    if (to->kind == PGC_CLICKHOUSE_JSON && (!m->options->json_native || !m->has->json || m->in_key))
        to->kind = PGC_CLICKHOUSE_CHARACTERS;
    if (to->kind == PGC_CLICKHOUSE_BOOL && !m->has->boolean)
        to->kind = PGC_CLICKHOUSE_UINT8;
    if ((to->kind == PGC_CLICKHOUSE_DATE32 && !m->has->date32) ||
        (to->kind == PGC_CLICKHOUSE_DATETIME64 && !m->has->datetime64))
        to->kind = PGC_CLICKHOUSE_AS_TEXT;
    if (type->extension && strcmp(type->extension, "citext") == 0 && strcmp(type->name, "citext") == 0)
        to->kind = PGC_CLICKHOUSE_CHARACTERS;
    if (is_of_vector(type) && !m->options->arrays_text && !m->in_key && (!to->nullable || m->options->arrays_always)) {
        to->kind = PGC_CLICKHOUSE_VECTOR;
        to->nullable = false;
    }
}

static bool map(const mapping *m, pgc_clickhouse_type *to, const pgconvoy_type *type, int32_t typmod)
{
    type = pgc_type_base_with(type, &typmod);
    to->source = type;
    to->kind = PGC_CLICKHOUSE_AS_TEXT;
    bool mapped = true;
    if (type->kind == PGCONVOY_TYPE_ARRAY)
        mapped = map_array(m, to, typmod);
    else if (type->kind == PGCONVOY_TYPE_ENUM)
        mapped = map_enum(m, to);
    else if (type->kind == PGCONVOY_TYPE_BASE)
        map_base(m, to, typmod);
    if (kinds[to->kind].partial && m->options->unmappable == PGC_UNMAPPABLE_TEXT) {
        to->kind = to->kind == PGC_CLICKHOUSE_JSON ? PGC_CLICKHOUSE_CHARACTERS : PGC_CLICKHOUSE_AS_TEXT;
        to->element = NULL;
    }
    return mapped;
}

pgc_clickhouse_type *pgc_clickhouse_type_of(const pgconvoy_column *column, bool in_key,
                                            const pgc_clickhouse_type_options *options,
                                            const pgc_clickhouse_capabilities *has, pgc_arena *arena)
{
    const mapping m = {options, has, arena, in_key};
    pgc_clickhouse_type *made = pgc_arena_zalloc(arena, sizeof *made);
    if (!made)
        return NULL;
    bool nullable = !column->not_null && !in_key;
    made->nullable = nullable;
    if (!map(&m, made, column->type, column->typmod))
        return NULL;
    if (made->kind != PGC_CLICKHOUSE_ARRAY && made->kind != PGC_CLICKHOUSE_VECTOR)
        made->nullable =
            nullable || (kinds[made->kind].partial && !in_key && options->unmappable == PGC_UNMAPPABLE_NULL);
    return made;
}

/* ---- as text */

static int compare_numbers(const void *a, const void *b)
{
    int32_t x = ((const pgc_clickhouse_label *)a)->number, y = ((const pgc_clickhouse_label *)b)->number;
    return x < y ? -1 : x > y;
}

static void enum_sql(const pgc_clickhouse_type *type, pgc_buffer *out)
{
    size_t size = (size_t)type->label_count * sizeof *type->labels;
    pgc_clickhouse_label *labels = malloc(size);
    if (!labels) {
        out->failed = true;
        return;
    }
    memcpy(labels, type->labels, size);
    qsort(labels, (size_t)type->label_count, sizeof *labels, compare_numbers);
    pgc_buffer_format(out, "Enum%d(", type->width * 8);
    for (int i = 0; i < type->label_count; i++) {
        pgc_buffer_text(out, i > 0 ? ", " : "");
        pgc_clickhouse_literal(out, labels[i].text);
        pgc_buffer_format(out, " = %d", (int)labels[i].number);
    }
    pgc_buffer_text(out, ")");
    free(labels);
}

void pgc_clickhouse_type_sql(const pgc_clickhouse_type *type, pgc_buffer *out)
{
    pgc_buffer_text(out, type->nullable ? "Nullable(" : "");
    if (type->kind == PGC_CLICKHOUSE_DECIMAL) {
        pgc_buffer_format(out, "Decimal(%d, %d)", type->width, type->scale);
    } else if (type->kind == PGC_CLICKHOUSE_ENUM) {
        enum_sql(type, out);
    } else if (type->kind == PGC_CLICKHOUSE_ARRAY) {
        pgc_buffer_text(out, "Array(");
        pgc_clickhouse_type_sql(type->element, out);
        pgc_buffer_text(out, ")");
    } else {
        pgc_buffer_text(out, kinds[type->kind].sql);
    }
    pgc_buffer_text(out, type->nullable ? ")" : "");
}

pgconvoy_format pgc_clickhouse_type_format(const pgc_clickhouse_type *type)
{
    return kinds[type->kind].binary && pgc_type_has_binary(type->source) ? PGCONVOY_BINARY : PGCONVOY_TEXT;
}

/* ---- as the target has them */

static int digits_of(pgc_clickhouse_kind kind)
{
    switch (kind) {
    case PGC_CLICKHOUSE_INT16:
        return 5;
    case PGC_CLICKHOUSE_INT32:
    case PGC_CLICKHOUSE_UINT32:
        return 10;
    case PGC_CLICKHOUSE_INT64:
        return 19;
    default:
        return 0;
    }
}

bool pgc_clickhouse_type_is_wider(const pgc_clickhouse_type *old, const pgc_clickhouse_type *new_)
{
    int digits = digits_of(old->kind);
    switch (new_->kind) {
    case PGC_CLICKHOUSE_INT32:
        return old->kind == PGC_CLICKHOUSE_INT16;
    case PGC_CLICKHOUSE_INT64:
        return digits > 0 && digits <= 10;
    case PGC_CLICKHOUSE_FLOAT64:
        return old->kind == PGC_CLICKHOUSE_FLOAT32 || (digits > 0 && digits <= 10);
    case PGC_CLICKHOUSE_DECIMAL:
        if (old->kind == PGC_CLICKHOUSE_DECIMAL)
            return old->scale <= new_->scale && old->width - old->scale <= new_->width - new_->scale;
        return digits > 0 && digits <= new_->width - new_->scale;
    case PGC_CLICKHOUSE_ENUM:
        return old->kind == PGC_CLICKHOUSE_ENUM;
    case PGC_CLICKHOUSE_CHARACTERS:
        return digits > 0 || old->kind == PGC_CLICKHOUSE_ENUM || old->kind == PGC_CLICKHOUSE_UUID ||
               old->kind == PGC_CLICKHOUSE_AS_TEXT;
    case PGC_CLICKHOUSE_AS_TEXT:
        return digits > 0;
    default:
        return false;
    }
}

void pgc_clickhouse_type_read(pgc_clickhouse_type *type, const char *sql)
{
    *type = (pgc_clickhouse_type){.kind = PGC_CLICKHOUSE_AS_TEXT};
    int width, scale;
    if (strncmp(sql, "Nullable(", 9) == 0) {
        type->nullable = true;
        sql += 9;
    }
    if (strncmp(sql, "Enum", 4) == 0) {
        type->kind = PGC_CLICKHOUSE_ENUM;
    } else if (strncmp(sql, "Array(", 6) == 0) {
        type->kind = PGC_CLICKHOUSE_ARRAY;
    } else if (sscanf(sql, "Decimal(%d, %d", &width, &scale) == 2) {
        type->kind = PGC_CLICKHOUSE_DECIMAL;
        type->width = (uint8_t)width;
        type->scale = (uint8_t)scale;
    }
    for (size_t i = PGC_CLICKHOUSE_JSON; i < sizeof kinds / sizeof *kinds; i++) {
        size_t length = kinds[i].sql ? strlen(kinds[i].sql) : 0;
        if (length > 0 && strncmp(sql, kinds[i].sql, length) == 0 && (sql[length] == '\0' || sql[length] == ')'))
            type->kind = (pgc_clickhouse_kind)i;
    }
}

/* ---- labels as the target has them */

static int malformed(const char *sql, pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "the target's type %.200s cannot be read", sql);
    return -1;
}

/* One "'label' = number" at *at; 0 at the end of the list. */
static int next_label(const char **at, pgc_buffer *text, int32_t *number)
{
    const char *p = *at;
    while (*p == ' ' || *p == ',')
        p++;
    if (*p == ')')
        return 0;
    if (*p++ != '\'')
        return -1;
    pgc_buffer_reset(text);
    for (; *p && *p != '\''; p++) {
        if (*p == '\\' && p[1])
            p++;
        pgc_buffer_byte(text, *p);
    }
    if (*p++ != '\'')
        return -1;
    while (*p == ' ' || *p == '=')
        p++;
    char *end;
    *number = (int32_t)strtol(p, &end, 10);
    *at = end;
    return end == p ? -1 : 1;
}

int pgc_clickhouse_type_adopt_labels(pgc_clickhouse_type *type, const char *sql, pgc_arena *arena, bool *added,
                                     pgconvoy_error *err)
{
    const char *at = strstr(sql, "Enum");
    at = at ? strchr(at, '(') : NULL;
    if (!at)
        return malformed(sql, err);
    at++;
    pgc_buffer text;
    pgc_buffer_init(&text, 65536);
    int most = 0; /* labels that the text can have */
    for (const char *p = at; *p; p++)
        most += *p == '=';
    pgc_clickhouse_label *labels = pgc_arena_alloc(arena, (size_t)(type->label_count + most) * sizeof *labels);
    int32_t number, highest = 0;
    int count = 0, more = labels ? 1 : -1;
    while (more == 1 && (more = next_label(&at, &text, &number)) == 1) {
        char *copy = pgc_arena_strdup(arena, text.length > 0 ? text.data : "");
        more = copy ? 1 : -1;
        labels[count++] = (pgc_clickhouse_label){copy, number};
        highest = number > highest ? number : highest;
    }
    pgc_buffer_free(&text);
    if (more != 0)
        return malformed(sql, err);
    qsort(labels, (size_t)count, sizeof *labels, compare_labels);
    int known = count;
    for (int i = 0; i < type->label_count; i++) {
        if (bsearch(&type->labels[i], labels, (size_t)known, sizeof *labels, compare_labels))
            continue;
        labels[count++] = (pgc_clickhouse_label){type->labels[i].text, ++highest};
    }
    *added = count > known;
    qsort(labels, (size_t)count, sizeof *labels, compare_labels);
    type->labels = labels;
    type->label_count = count;
    type->width = highest > 127 || (!*added && strstr(sql, "Enum16(")) ? 2 : 1;
    return 0;
}
