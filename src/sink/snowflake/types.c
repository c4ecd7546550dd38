/* The type map: PostgreSQL's types as Snowflake has them (docs/sinks/snowflake.md has the same for users). */
#include "sink/snowflake/snowflake_internal.h"

#include "postgres/value.h"

#define DIGITS 38 /* the most that a NUMBER has (docs: "Numeric data types") */
#define SCALE 37  /* the most of them behind the point */

static const struct mapped {
    uint32_t oid;
    pgc_sf_kind kind;
} map[] = {
    {PGC_BOOL, PGC_SF_BOOLEAN},        {PGC_INT2, PGC_SF_INTEGER},       {PGC_INT4, PGC_SF_INTEGER},
    {PGC_INT8, PGC_SF_INTEGER},        {PGC_OID, PGC_SF_INTEGER},        {PGC_XID, PGC_SF_INTEGER},
    {PGC_CID, PGC_SF_INTEGER},         {PGC_XID8, PGC_SF_INTEGER},       {PGC_FLOAT4, PGC_SF_FLOAT},
    {PGC_FLOAT8, PGC_SF_FLOAT},        {PGC_NUMERIC, PGC_SF_NUMBER}, /* by its precision */
    {PGC_TEXT_OID, PGC_SF_CHARACTERS}, {PGC_VARCHAR, PGC_SF_CHARACTERS}, {PGC_BPCHAR, PGC_SF_CHARACTERS},
    {PGC_NAME, PGC_SF_CHARACTERS},     {PGC_XML, PGC_SF_CHARACTERS},     {PGC_BYTEA, PGC_SF_BINARY},
    {PGC_DATE, PGC_SF_DATE},           {PGC_TIME, PGC_SF_TIME},          {PGC_TIMESTAMP, PGC_SF_NTZ},
    {PGC_TIMESTAMPTZ, PGC_SF_TZ},      {PGC_JSON, PGC_SF_VARIANT},       {PGC_JSONB, PGC_SF_VARIANT},
};

/*
 * What each kind is: in DDL, in the information schema, and how it is made of a text ("%s"). partial: PostgreSQL's type
 * has values that Snowflake's has not. AUTO: whatever the session's formats are set to.
 */
static const struct described {
    const char *ddl, *there, *cast_before, *cast_behind;
    bool partial, compares;
} kinds[] = {
    [PGC_SF_BOOLEAN] = {"BOOLEAN", "BOOLEAN", "TO_BOOLEAN(", ")", false, true},
    [PGC_SF_INTEGER] = {"NUMBER(38, 0)", "NUMBER", "TO_NUMBER(", ", 38, 0)", false, true},
    [PGC_SF_NUMBER] = {NULL, "NUMBER", "TO_NUMBER(", NULL, true, true},
    [PGC_SF_FLOAT] = {"FLOAT", "FLOAT", "TO_DOUBLE(", ")", false, true},
    [PGC_SF_CHARACTERS] = {"VARCHAR", "TEXT", "", "", false, true},
    [PGC_SF_AS_TEXT] = {"VARCHAR", "TEXT", "", "", false, true},
    [PGC_SF_BINARY] = {"BINARY", "BINARY", "TO_BINARY(", ", 'HEX')", false, true},
    [PGC_SF_DATE] = {"DATE", "DATE", "TO_DATE(", ", 'AUTO')", true, true},
    [PGC_SF_TIME] = {"TIME(6)", "TIME", "TO_TIME(", ", 'AUTO')", true, true},
    [PGC_SF_NTZ] = {"TIMESTAMP_NTZ(6)", "TIMESTAMP_NTZ", "TO_TIMESTAMP_NTZ(", ", 'AUTO')", true, true},
    [PGC_SF_TZ] = {"TIMESTAMP_TZ(6)", "TIMESTAMP_TZ", "TO_TIMESTAMP_TZ(", ", 'AUTO')", true, true},
    [PGC_SF_VARIANT] = {"VARIANT", "VARIANT", "PARSE_JSON(", ", 'd')", true, false},
    [PGC_SF_ARRAY] = {"ARRAY", "ARRAY", "TO_ARRAY(PARSE_JSON(", ", 'd'))", true, false},
    [PGC_SF_VECTOR] = {"ARRAY", "ARRAY", "TO_ARRAY(PARSE_JSON(", ", 'd'))", false, false},
};

/* By the digits before and behind the point that a column may have. */
static pgc_sf_kind numeric_kind(int32_t typmod, const pgc_sf_type_options *options, pgc_sf_type *type)
{
    if (options->numeric_text)
        return PGC_SF_AS_TEXT;
    int before, behind;
    if (!pgc_numeric_bounds(typmod, &before, &behind)) {
        type->precision = DIGITS;
        type->scale = 9;
        return options->numeric_number ? PGC_SF_NUMBER : PGC_SF_AS_TEXT;
    }
    type->scale = behind;
    type->precision = before + behind > 0 ? before + behind : 1;
    return type->precision <= DIGITS && type->scale <= SCALE ? PGC_SF_NUMBER : PGC_SF_AS_TEXT;
}

static pgc_sf_kind scalar_kind(const pgconvoy_type *source, int32_t typmod, const pgc_sf_type_options *options,
                               pgc_sf_type *type)
{
    if (source->kind == PGCONVOY_TYPE_ENUM)
        return PGC_SF_CHARACTERS;
    if (source->extension && strcmp(source->name, "citext") == 0)
        return PGC_SF_CHARACTERS;
    if (pgc_type_is_dense_vector(source))
        return PGC_SF_VECTOR;
    for (size_t i = 0; i < sizeof map / sizeof *map; i++) {
        if (map[i].oid != source->oid)
            continue;
        if (source->oid == PGC_NUMERIC)
            return numeric_kind(typmod, options, type);
        return map[i].kind == PGC_SF_VARIANT && options->json_text ? PGC_SF_AS_TEXT : map[i].kind;
    }
    return PGC_SF_AS_TEXT;
}

pgc_sf_type pgc_sf_type_of(const pgconvoy_type *type, int32_t typmod, bool key, const pgc_sf_type_options *options)
{
    pgc_sf_type mapped = {.kind = PGC_SF_AS_TEXT}, unused = {0};
    mapped.source = pgc_type_base_with(type, &typmod);
    if (mapped.source->kind == PGCONVOY_TYPE_ARRAY) {
        bool lists =
            !key && !options->arrays_text && options->unmappable != PGC_UNMAPPABLE_TEXT && mapped.source->element;
        const pgconvoy_type *element = lists ? pgc_type_base_with(mapped.source->element, &typmod) : NULL;
        if (!element || element->kind == PGCONVOY_TYPE_ARRAY) /* a domain over an array */
            return mapped;
        mapped.kind = PGC_SF_ARRAY;
        mapped.element = element;
        mapped.element_kind = scalar_kind(element, typmod, options, &unused);
        return mapped;
    }
    pgc_sf_kind kind = scalar_kind(mapped.source, typmod, options, &mapped);
    if ((key && !kinds[kind].compares) || (options->unmappable == PGC_UNMAPPABLE_TEXT && kinds[kind].partial))
        kind = PGC_SF_AS_TEXT;
    if (kind == PGC_SF_INTEGER)
        mapped.precision = DIGITS;
    mapped.kind = kind;
    return mapped;
}

void pgc_sf_put_type(const pgc_sf_type *type, pgc_buffer *out)
{
    if (kinds[type->kind].ddl)
        pgc_buffer_text(out, kinds[type->kind].ddl);
    else
        pgc_buffer_format(out, "NUMBER(%d, %d)", type->precision, type->scale);
}

void pgc_sf_put_cast(const pgc_sf_type *type, const char *text, pgc_buffer *out)
{
    const struct described *kind = &kinds[type->kind];
    pgc_buffer_text(out, kind->cast_before);
    pgc_buffer_text(out, text);
    if (kind->cast_behind)
        pgc_buffer_text(out, kind->cast_behind);
    else
        pgc_buffer_format(out, ", %d, %d)", type->precision, type->scale);
}

bool pgc_sf_type_compares(const pgc_sf_type *type)
{
    return kinds[type->kind].compares;
}

bool pgc_sf_type_fits(const pgc_sf_there *there, const pgc_sf_type *type, bool *same)
{
    *same = false;
    if (!there || !there->type || strcmp(there->type, kinds[type->kind].there) != 0)
        return false;
    bool number = type->kind == PGC_SF_NUMBER || type->kind == PGC_SF_INTEGER;
    *same = !number || (there->precision == type->precision && there->scale == type->scale);
    return *same || (there->scale >= type->scale && there->precision - there->scale >= type->precision - type->scale);
}

/* Docs ("ALTER TABLE … ALTER COLUMN"): a NUMBER's precision can grow, its scale stays. */
bool pgc_sf_type_widens(const pgc_sf_there *there, const pgc_sf_type *type)
{
    return there && there->type && strcmp(there->type, "NUMBER") == 0 && type->kind == PGC_SF_NUMBER &&
           there->scale == type->scale && there->precision < type->precision;
}
