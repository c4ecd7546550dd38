/* The type map: PostgreSQL's types as BigQuery has them (docs/sinks/bigquery.md has the same for users). */
#include "sink/bigquery/bigquery_internal.h"

#include "postgres/value.h"

static const struct mapped {
    uint32_t oid;
    pgc_bq_kind kind;
} map[] = {
    {PGC_BOOL, PGC_BQ_BOOL},           {PGC_INT2, PGC_BQ_INT64},
    {PGC_INT4, PGC_BQ_INT64},          {PGC_INT8, PGC_BQ_INT64},
    {PGC_OID, PGC_BQ_INT64},           {PGC_XID, PGC_BQ_INT64},
    {PGC_CID, PGC_BQ_INT64},           {PGC_XID8, PGC_BQ_NUMERIC},
    {PGC_FLOAT4, PGC_BQ_FLOAT64},      {PGC_FLOAT8, PGC_BQ_FLOAT64},
    {PGC_NUMERIC, PGC_BQ_NUMERIC}, /* by its precision */
    {PGC_TEXT_OID, PGC_BQ_CHARACTERS}, {PGC_VARCHAR, PGC_BQ_CHARACTERS},
    {PGC_BPCHAR, PGC_BQ_CHARACTERS},   {PGC_NAME, PGC_BQ_CHARACTERS},
    {PGC_XML, PGC_BQ_CHARACTERS},      {PGC_BYTEA, PGC_BQ_BYTES},
    {PGC_DATE, PGC_BQ_DATE},           {PGC_TIME, PGC_BQ_TIME},
    {PGC_TIMESTAMP, PGC_BQ_DATETIME},  {PGC_TIMESTAMPTZ, PGC_BQ_TIMESTAMP},
    {PGC_JSON, PGC_BQ_JSON},           {PGC_JSONB, PGC_BQ_JSON},
};

/* What each kind is. partial: PostgreSQL's type has values that BigQuery's has not. */
static const struct described {
    const char *name;
    bool partial, clusters, compares;
} kinds[] = {
    [PGC_BQ_BOOL] = {"BOOL", false, true, true},          [PGC_BQ_INT64] = {"INT64", false, true, true},
    [PGC_BQ_FLOAT64] = {"FLOAT64", false, false, false}, /* NaN is not equal to itself there */
    [PGC_BQ_NUMERIC] = {"NUMERIC", true, true, true},     [PGC_BQ_BIGNUMERIC] = {"BIGNUMERIC", true, true, true},
    [PGC_BQ_CHARACTERS] = {"STRING", false, true, true},  [PGC_BQ_AS_TEXT] = {"STRING", false, true, true},
    [PGC_BQ_BYTES] = {"BYTES", false, false, true},       [PGC_BQ_DATE] = {"DATE", true, true, true},
    [PGC_BQ_TIME] = {"TIME", true, false, true},          [PGC_BQ_DATETIME] = {"DATETIME", true, true, true},
    [PGC_BQ_TIMESTAMP] = {"TIMESTAMP", true, true, true}, [PGC_BQ_JSON] = {"JSON", true, false, false},
    [PGC_BQ_VECTOR] = {"FLOAT64", false, false, false},
};

/* By the digits before and behind the point that a column may have. */
static pgc_bq_kind numeric_kind(int32_t typmod, const pgc_bq_type_options *options)
{
    if (options->numeric_text)
        return PGC_BQ_AS_TEXT;
    int before, behind;
    if (!pgc_numeric_bounds(typmod, &before, &behind))
        return options->numeric_big ? PGC_BQ_BIGNUMERIC : PGC_BQ_AS_TEXT;
    if (before <= 29 && behind <= 9)
        return PGC_BQ_NUMERIC;
    return before <= 38 && behind <= 38 ? PGC_BQ_BIGNUMERIC : PGC_BQ_AS_TEXT;
}

static pgc_bq_kind scalar_kind(const pgconvoy_type *type, int32_t typmod, const pgc_bq_type_options *options)
{
    if (type->kind == PGCONVOY_TYPE_ENUM)
        return PGC_BQ_CHARACTERS;
    if (type->extension && strcmp(type->name, "citext") == 0)
        return PGC_BQ_CHARACTERS;
    if (pgc_type_is_dense_vector(type))
        return PGC_BQ_VECTOR;
    for (size_t i = 0; i < sizeof map / sizeof *map; i++) {
        if (map[i].oid != type->oid)
            continue;
        if (type->oid == PGC_NUMERIC)
            return numeric_kind(typmod, options);
        return map[i].kind == PGC_BQ_JSON && options->json_text ? PGC_BQ_AS_TEXT : map[i].kind;
    }
    return PGC_BQ_AS_TEXT;
}

pgc_bq_type pgc_bq_type_of(const pgconvoy_type *type, int32_t typmod, bool key, const pgc_bq_type_options *options)
{
    pgc_bq_type mapped = {.kind = PGC_BQ_AS_TEXT};
    mapped.source = pgc_type_base_with(type, &typmod);
    if (mapped.source->kind == PGCONVOY_TYPE_ARRAY) {
        bool lists =
            !key && !options->arrays_text && options->unmappable != PGC_UNMAPPABLE_TEXT && mapped.source->element;
        if (!lists)
            return mapped;
        mapped.element = pgc_type_base_with(mapped.source->element, &typmod);
        if (mapped.element->kind == PGCONVOY_TYPE_ARRAY) /* a domain over an array */
            return mapped;
        mapped.repeated = true;
        mapped.kind = scalar_kind(mapped.element, typmod, options);
        if (mapped.kind == PGC_BQ_VECTOR)
            mapped.kind = PGC_BQ_AS_TEXT;
        return mapped;
    }
    pgc_bq_kind kind = scalar_kind(mapped.source, typmod, options);
    if ((key && !kinds[kind].compares) || (options->unmappable == PGC_UNMAPPABLE_TEXT && kinds[kind].partial))
        kind = PGC_BQ_AS_TEXT;
    mapped.kind = kind;
    mapped.repeated = kind == PGC_BQ_VECTOR;
    return mapped;
}

const char *pgc_bq_type_name(const pgc_bq_type *type)
{
    return kinds[type->kind].name;
}

bool pgc_bq_type_clusters(const pgc_bq_type *type)
{
    return !type->repeated && kinds[type->kind].clusters;
}
