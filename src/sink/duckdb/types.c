/*
 * The type map. Built-in scalar types are rows of a table; what depends on a modifier or on other types (numeric, bit, vector, arrays, enums, composites)
 * is decided below it. What has no row is VARCHAR with PostgreSQL's text form, which loses nothing.
 */
#include "sink/duckdb/types.h"

#include "postgres/quote.h"
#include "postgres/value.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct scalar {
    uint32_t oid;
    pgc_duckdb_kind kind;
} scalars[] = {
    {PGC_BOOL, PGC_DUCKDB_BOOLEAN},
    {PGC_INT2, PGC_DUCKDB_SMALLINT},
    {PGC_INT4, PGC_DUCKDB_INTEGER},
    {PGC_INT8, PGC_DUCKDB_BIGINT},
    {PGC_OID, PGC_DUCKDB_UINTEGER},
    {PGC_XID, PGC_DUCKDB_UINTEGER},
    {PGC_CID, PGC_DUCKDB_UINTEGER},
    {PGC_XID8, PGC_DUCKDB_UBIGINT},
    {PGC_FLOAT4, PGC_DUCKDB_FLOAT},
    {PGC_FLOAT8, PGC_DUCKDB_DOUBLE},
    {PGC_TEXT_OID, PGC_DUCKDB_CHARACTERS},
    {PGC_VARCHAR, PGC_DUCKDB_CHARACTERS},
    {PGC_BPCHAR, PGC_DUCKDB_CHARACTERS},
    {PGC_NAME, PGC_DUCKDB_CHARACTERS},
    {PGC_XML, PGC_DUCKDB_CHARACTERS},
    {PGC_JSON, PGC_DUCKDB_JSON},
    {PGC_JSONB, PGC_DUCKDB_JSON},
    {PGC_BYTEA, PGC_DUCKDB_BLOB},
    {PGC_DATE, PGC_DUCKDB_DATE},
    {PGC_TIMESTAMP, PGC_DUCKDB_TIMESTAMP},
    {PGC_TIMESTAMPTZ, PGC_DUCKDB_TIMESTAMPTZ},
    {PGC_TIME, PGC_DUCKDB_TIME},
    {PGC_TIMETZ, PGC_DUCKDB_TIMETZ},
    {PGC_INTERVAL, PGC_DUCKDB_INTERVAL},
    {PGC_UUID, PGC_DUCKDB_UUID},
};

/* DuckDB's name for each kind; NULL where it is put together. */
static const struct kind {
    const char *sql;
    duckdb_type id;
    bool binary;  /* its binary form is read without a detour */
    bool partial; /* PostgreSQL's type has values that DuckDB's has not; numerics and arrays are told elsewhere */
} kinds[] = {
    [PGC_DUCKDB_BOOLEAN] = {"BOOLEAN", DUCKDB_TYPE_BOOLEAN, true, false},
    [PGC_DUCKDB_SMALLINT] = {"SMALLINT", DUCKDB_TYPE_SMALLINT, true, false},
    [PGC_DUCKDB_INTEGER] = {"INTEGER", DUCKDB_TYPE_INTEGER, true, false},
    [PGC_DUCKDB_BIGINT] = {"BIGINT", DUCKDB_TYPE_BIGINT, true, false},
    [PGC_DUCKDB_UINTEGER] = {"UINTEGER", DUCKDB_TYPE_UINTEGER, true, false},
    [PGC_DUCKDB_UBIGINT] = {"UBIGINT", DUCKDB_TYPE_UBIGINT, true, false},
    [PGC_DUCKDB_FLOAT] = {"FLOAT", DUCKDB_TYPE_FLOAT, true, false},
    [PGC_DUCKDB_DOUBLE] = {"DOUBLE", DUCKDB_TYPE_DOUBLE, true, false},
    [PGC_DUCKDB_NUMERIC_DOUBLE] = {"DOUBLE", DUCKDB_TYPE_DOUBLE, false, false},
    [PGC_DUCKDB_DECIMAL] = {NULL, DUCKDB_TYPE_DECIMAL, true, false},
    [PGC_DUCKDB_HUGEINT] = {"HUGEINT", DUCKDB_TYPE_HUGEINT, true, false},
    [PGC_DUCKDB_CHARACTERS] = {"VARCHAR", DUCKDB_TYPE_VARCHAR, true, false},
    [PGC_DUCKDB_JSON] = {"JSON", DUCKDB_TYPE_VARCHAR, true, false},
    [PGC_DUCKDB_AS_TEXT] = {"VARCHAR", DUCKDB_TYPE_VARCHAR, false, false},
    [PGC_DUCKDB_BLOB] = {"BLOB", DUCKDB_TYPE_BLOB, true, false},
    [PGC_DUCKDB_DATE] = {"DATE", DUCKDB_TYPE_DATE, true, false},
    [PGC_DUCKDB_TIMESTAMP] = {"TIMESTAMP", DUCKDB_TYPE_TIMESTAMP, true, true},
    [PGC_DUCKDB_TIMESTAMPTZ] = {"TIMESTAMPTZ", DUCKDB_TYPE_TIMESTAMP_TZ, true, true},
    [PGC_DUCKDB_TIME] = {"TIME", DUCKDB_TYPE_TIME, true, false},
    [PGC_DUCKDB_TIMETZ] = {"TIMETZ", DUCKDB_TYPE_TIME_TZ, true, false},
    [PGC_DUCKDB_INTERVAL] = {"INTERVAL", DUCKDB_TYPE_INTERVAL, true, true},
    [PGC_DUCKDB_UUID] = {"UUID", DUCKDB_TYPE_UUID, true, false},
    [PGC_DUCKDB_BIT] = {"BIT", DUCKDB_TYPE_BIT, true, false},
    [PGC_DUCKDB_ENUM] = {NULL, DUCKDB_TYPE_ENUM, true, false},
    [PGC_DUCKDB_LIST] = {NULL, DUCKDB_TYPE_LIST, true, false},
    [PGC_DUCKDB_STRUCT] = {NULL, DUCKDB_TYPE_STRUCT, true, false},
    [PGC_DUCKDB_VECTOR] = {NULL, DUCKDB_TYPE_ARRAY, true, false},
    [PGC_DUCKDB_HALF_VECTOR] = {NULL, DUCKDB_TYPE_ARRAY, true, false},
    [PGC_DUCKDB_ROW_MARK] = {"BOOLEAN", DUCKDB_TYPE_BOOLEAN, true, false},
};

#define DECIMAL_DIGITS 38 /* the most that DuckDB's DECIMAL and HUGEINT hold */

/* ---- enum labels: open addressing over the labels' places */

struct pgc_duckdb_labels {
    const pgconvoy_type *type;
    uint32_t mask;
    uint32_t *places; /* place + 1, 0 empty */
    uint32_t *lengths;
};

static uint32_t label_hash(const char *text, size_t length)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * 16777619u;
    return hash;
}

static const pgc_duckdb_labels *make_labels(const pgconvoy_type *type, pgc_arena *arena)
{
    uint32_t size = 8;
    while (size < 2 * (uint32_t)type->label_count)
        size *= 2;
    pgc_duckdb_labels *labels = pgc_arena_zalloc(arena, sizeof *labels);
    if (!labels)
        return NULL;
    labels->type = type;
    labels->mask = size - 1;
    labels->places = pgc_arena_zalloc(arena, size * sizeof *labels->places);
    labels->lengths = pgc_arena_alloc(arena, (size_t)type->label_count * sizeof *labels->lengths);
    if (!labels->places || !labels->lengths)
        return NULL;
    for (int i = 0; i < type->label_count; i++) {
        labels->lengths[i] = (uint32_t)strlen(type->labels[i]);
        uint32_t at = label_hash(type->labels[i], labels->lengths[i]) & labels->mask;
        while (labels->places[at])
            at = (at + 1) & labels->mask;
        labels->places[at] = (uint32_t)i + 1;
    }
    return labels;
}

int pgc_duckdb_label_find(const pgc_duckdb_labels *labels, const char *text, size_t length)
{
    uint32_t at = label_hash(text, length) & labels->mask;
    for (; labels->places[at]; at = (at + 1) & labels->mask) {
        uint32_t place = labels->places[at] - 1;
        if (labels->lengths[place] == length && memcmp(labels->type->labels[place], text, length) == 0)
            return (int)place;
    }
    return -1;
}

/* ---- from PostgreSQL's types */

static void map_numeric(pgc_duckdb_type *to, int32_t typmod, const pgc_duckdb_type_options *options)
{
    int before, scale;
    bool bounded = pgc_numeric_bounds(typmod, &before, &scale);
    int precision = before + scale;
    to->kind = PGC_DUCKDB_AS_TEXT;
    if (options->numeric_text)
        return;
    if (!bounded || precision > DECIMAL_DIGITS) {
        if (options->numeric_double)
            to->kind = PGC_DUCKDB_NUMERIC_DOUBLE;
        if (options->numeric_width == 0)
            return;
        precision = options->numeric_width;
        scale = options->numeric_scale;
    }
    if (options->unmappable == PGC_UNMAPPABLE_TEXT)
        return;
    to->kind = scale == 0 && precision > 18 ? PGC_DUCKDB_HUGEINT : PGC_DUCKDB_DECIMAL;
    to->width = (uint8_t)precision;
    to->scale = (uint8_t)scale;
}

static bool map(pgc_duckdb_type *to, const pgconvoy_type *type, int32_t typmod, bool in_key,
                const pgc_duckdb_type_options *options, pgc_arena *arena);

static bool map_array(pgc_duckdb_type *to, int32_t typmod, const pgc_duckdb_type_options *options, pgc_arena *arena)
{
    if (options->arrays_text || options->unmappable == PGC_UNMAPPABLE_TEXT || !to->source->element)
        return true;
    pgc_duckdb_type *element = pgc_arena_zalloc(arena, sizeof *element);
    if (!element || !map(element, to->source->element, typmod, false, options, arena))
        return false;
    to->kind = PGC_DUCKDB_LIST;
    to->element = element;
    return true;
}

/* DuckDB's field names are told apart without regard to case, and a STRUCT has at least one. */
static bool can_be_struct(const pgconvoy_type *type)
{
    for (int i = 0; i < type->field_count; i++) {
        for (int j = 0; j < i; j++) {
            if (strcasecmp(type->fields[i].name, type->fields[j].name) == 0)
                return false;
        }
    }
    return type->field_count > 0;
}

static bool map_composite(pgc_duckdb_type *to, const pgc_duckdb_type_options *options, pgc_arena *arena)
{
    const pgconvoy_type *type = to->source;
    if (!can_be_struct(type))
        return true;
    pgc_duckdb_type *fields = pgc_arena_zalloc(arena, (size_t)type->field_count * sizeof *fields);
    if (!fields)
        return false;
    for (int i = 0; i < type->field_count; i++) {
        if (!map(&fields[i], type->fields[i].type, type->fields[i].typmod, false, options, arena))
            return false;
    }
    to->kind = PGC_DUCKDB_STRUCT;
    to->fields = fields;
    to->field_count = type->field_count;
    return true;
}

static void map_base(pgc_duckdb_type *to, int32_t typmod, const pgc_duckdb_type_options *options)
{
    const pgconvoy_type *type = to->source;
    for (size_t i = 0; i < sizeof scalars / sizeof *scalars; i++) {
        if (scalars[i].oid == type->oid &&
            (options->unmappable != PGC_UNMAPPABLE_TEXT || !kinds[scalars[i].kind].partial))
            to->kind = scalars[i].kind;
    }
    if (type->oid == PGC_NUMERIC)
        map_numeric(to, typmod, options);
    else if (type->oid == PGC_BIT && typmod > 0)
        to->kind = PGC_DUCKDB_BIT; /* without a length it may be empty, which DuckDB's BIT cannot, nor can varbit be told not to be */
    else if (type->extension && strcmp(type->extension, "citext") == 0 && strcmp(type->name, "citext") == 0)
        to->kind = PGC_DUCKDB_CHARACTERS;
    else if (type->extension && strcmp(type->extension, "vector") == 0 &&
             (strcmp(type->name, "vector") == 0 || strcmp(type->name, "halfvec") == 0)) {
        to->kind = type->name[0] == 'v' ? PGC_DUCKDB_VECTOR : PGC_DUCKDB_HALF_VECTOR;
        to->dimensions = typmod > 0 ? (uint32_t)typmod : 0;
    }
}

static bool map(pgc_duckdb_type *to, const pgconvoy_type *type, int32_t typmod, bool in_key,
                const pgc_duckdb_type_options *options, pgc_arena *arena)
{
    type = pgc_type_base_with(type, &typmod);
    to->source = type;
    to->kind = PGC_DUCKDB_AS_TEXT;
    switch (type->kind) {
    case PGCONVOY_TYPE_ARRAY:
        return map_array(to, typmod, options, arena);
    case PGCONVOY_TYPE_COMPOSITE:
        return map_composite(to, options, arena);
    case PGCONVOY_TYPE_ENUM:
        to->kind = PGC_DUCKDB_CHARACTERS;
        if (in_key || type->label_count == 0)
            return true;
        to->kind = PGC_DUCKDB_ENUM;
        to->labels = make_labels(type, arena);
        return to->labels != NULL;
    case PGCONVOY_TYPE_BASE:
        map_base(to, typmod, options);
        return true;
    default:
        return true;
    }
}

const pgc_duckdb_type *pgc_duckdb_type_of(const pgconvoy_type *type, int32_t typmod, bool in_key,
                                          const pgc_duckdb_type_options *options, pgc_arena *arena)
{
    pgc_duckdb_type *made = pgc_arena_zalloc(arena, sizeof *made);
    return made && map(made, type, typmod, in_key, options, arena) ? made : NULL;
}

/* ---- to DuckDB's */

void pgc_duckdb_type_sql(const pgc_duckdb_type *type, pgc_buffer *out)
{
    switch (type->kind) {
    case PGC_DUCKDB_DECIMAL:
        pgc_buffer_format(out, "DECIMAL(%d,%d)", type->width, type->scale);
        break;
    case PGC_DUCKDB_ENUM:
        pgc_buffer_text(out, "ENUM(");
        for (int i = 0; i < type->source->label_count; i++) {
            pgc_buffer_text(out, i > 0 ? ", " : "");
            pgc_quote_literal(out, type->source->labels[i]);
        }
        pgc_buffer_text(out, ")");
        break;
    case PGC_DUCKDB_LIST:
        pgc_duckdb_type_sql(type->element, out);
        pgc_buffer_text(out, "[]");
        break;
    case PGC_DUCKDB_STRUCT:
        pgc_buffer_text(out, "STRUCT(");
        for (int i = 0; i < type->field_count; i++) {
            pgc_buffer_text(out, i > 0 ? ", " : "");
            pgc_quote_identifier(out, type->source->fields[i].name);
            pgc_buffer_text(out, " ");
            pgc_duckdb_type_sql(&type->fields[i], out);
        }
        pgc_buffer_text(out, ")");
        break;
    case PGC_DUCKDB_VECTOR:
    case PGC_DUCKDB_HALF_VECTOR:
        if (type->dimensions > 0)
            pgc_buffer_format(out, "FLOAT[%u]", type->dimensions);
        else
            pgc_buffer_text(out, "FLOAT[]");
        break;
    default:
        pgc_buffer_text(out, kinds[type->kind].sql);
    }
}

/* A LIST or ARRAY of element, which is used up. */
static duckdb_logical_type of_elements(const pgc_duckdb_api *api, duckdb_logical_type element, uint32_t count)
{
    if (!element)
        return NULL;
    duckdb_logical_type made = count > 0 ? api->create_array_type(element, count) : api->create_list_type(element);
    api->destroy_logical_type(&element);
    return made;
}

static duckdb_logical_type struct_type(const pgc_duckdb_api *api, const pgc_duckdb_type *type)
{
    size_t count = (size_t)type->field_count;
    duckdb_logical_type *members = calloc(count, sizeof *members);
    const char **names = calloc(count, sizeof *names);
    duckdb_logical_type made = NULL;
    bool all = members && names;
    for (size_t i = 0; all && i < count; i++) {
        members[i] = pgc_duckdb_type_logical(api, &type->fields[i]);
        names[i] = type->source->fields[i].name;
        all = members[i] != NULL;
    }
    if (all)
        made = api->create_struct_type(members, names, count);
    for (size_t i = 0; members && i < count; i++)
        api->destroy_logical_type(&members[i]);
    free(members);
    free(names);
    return made;
}

duckdb_logical_type pgc_duckdb_type_logical(const pgc_duckdb_api *api, const pgc_duckdb_type *type)
{
    switch (type->kind) {
    case PGC_DUCKDB_DECIMAL:
        return api->create_decimal_type(type->width, type->scale);
    case PGC_DUCKDB_ENUM:
        return api->create_enum_type((const char **)type->source->labels, (idx_t)type->source->label_count);
    case PGC_DUCKDB_LIST:
        return of_elements(api, pgc_duckdb_type_logical(api, type->element), 0);
    case PGC_DUCKDB_STRUCT:
        return struct_type(api, type);
    case PGC_DUCKDB_VECTOR:
    case PGC_DUCKDB_HALF_VECTOR:
        return of_elements(api, api->create_logical_type(DUCKDB_TYPE_FLOAT), type->dimensions);
    default: {
        duckdb_logical_type made = api->create_logical_type(kinds[type->kind].id);
        if (made && type->kind == PGC_DUCKDB_JSON)
            api->logical_type_set_alias(made, "JSON");
        return made;
    }
    }
}

pgconvoy_format pgc_duckdb_type_format(const pgc_duckdb_type *type)
{
    return kinds[type->kind].binary && pgc_type_has_binary(type->source) ? PGCONVOY_BINARY : PGCONVOY_TEXT;
}

bool pgc_duckdb_type_in_index(const pgc_duckdb_type *type)
{
    switch (type->kind) {
    case PGC_DUCKDB_INTERVAL:
    case PGC_DUCKDB_LIST:
    case PGC_DUCKDB_STRUCT:
    case PGC_DUCKDB_VECTOR:
    case PGC_DUCKDB_HALF_VECTOR:
        return false;
    default:
        return true;
    }
}

bool pgc_duckdb_type_updates_in_place(const pgc_duckdb_type *type)
{
    for (int i = 0; type->kind == PGC_DUCKDB_STRUCT && i < type->field_count; i++) {
        if (!pgc_duckdb_type_updates_in_place(&type->fields[i]))
            return false;
    }
    return type->kind != PGC_DUCKDB_LIST && type->kind != PGC_DUCKDB_VECTOR && type->kind != PGC_DUCKDB_HALF_VECTOR;
}
