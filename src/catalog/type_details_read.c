/* What the definitions of the wanted types are made of: the properties of base types and ranges, domains and their constraints, columns, labels. */
#include "catalog/kinds.h"
#include "catalog/type.h"

static const pgc_property base_items[] = {
    {"INTERNALLENGTH", "length", PGC_PROPERTY_WORD},
    {"INPUT", "typinput", PGC_PROPERTY_WORD},
    {"OUTPUT", "typoutput", PGC_PROPERTY_WORD},
    {"RECEIVE", "typreceive", PGC_PROPERTY_WORD},
    {"SEND", "typsend", PGC_PROPERTY_WORD},
    {"TYPMOD_IN", "typmodin", PGC_PROPERTY_WORD},
    {"TYPMOD_OUT", "typmodout", PGC_PROPERTY_WORD},
    {"ANALYZE", "typanalyze", PGC_PROPERTY_WORD},
    {"COLLATABLE", "collatable", PGC_PROPERTY_WORD},
    {"DEFAULT", "default_expression", PGC_PROPERTY_WORD},
    {"DEFAULT", "default_literal", PGC_PROPERTY_LITERAL},
    {"SUBSCRIPT", "typsubscript", PGC_PROPERTY_WORD},
    {"ELEMENT", "element", PGC_PROPERTY_WORD},
    {"CATEGORY", "category", PGC_PROPERTY_LITERAL},
    {"PREFERRED", "preferred", PGC_PROPERTY_WORD},
    {"DELIMITER", "delimiter", PGC_PROPERTY_LITERAL},
    {"ALIGNMENT", "alignment", PGC_PROPERTY_WORD},
    {"STORAGE", "storage", PGC_PROPERTY_WORD},
    {"PASSEDBYVALUE", "by_value", PGC_PROPERTY_FLAG},
};

static const pgc_property range_items[] = {
    {"subtype", "subtype", PGC_PROPERTY_WORD},
    {"multirange_type_name", "multirange", PGC_PROPERTY_WORD},
    {"subtype_opclass", "operator_class", PGC_PROPERTY_WORD},
    {"collation", "range_collation", PGC_PROPERTY_WORD},
    {"canonical", "canonical", PGC_PROPERTY_WORD},
    {"subtype_diff", "difference", PGC_PROPERTY_WORD},
};

const pgc_property_list pgc_base_type_properties = {base_items, sizeof base_items / sizeof *base_items};
const pgc_property_list pgc_range_properties = {range_items, sizeof range_items / sizeof *range_items};

static const void *take_listed(const pgc_rows *rows, int r, const pgc_property_list *list, pgconvoy_error *err)
{
    pgc_listed_type *detail = pgc_arena_zalloc(rows->catalog->arena, sizeof *detail);
    if (!detail || !(detail->values = pgc_properties_take(rows, r, list->items, list->count, err)))
        return NULL;
    detail->multirange = pgc_rows_oid(rows, r, pgc_rows_column(rows, "multirange_oid"));
    detail->multirange_array = pgc_rows_oid(rows, r, pgc_rows_column(rows, "multirange_array"));
    return detail;
}

static const void *take_domain(const pgc_rows *rows, int r)
{
    pgc_domain *detail = pgc_arena_zalloc(rows->catalog->arena, sizeof *detail);
    if (!detail)
        return NULL;
    detail->definition = pgc_rows_text_or_empty(rows, r, pgc_rows_column(rows, "definition"));
    detail->collation = pgc_rows_text(rows, r, pgc_rows_column(rows, "domain_collation"));
    detail->not_null = pgc_rows_bool(rows, r, pgc_rows_column(rows, "typnotnull"));
    detail->default_expression = pgc_rows_text(rows, r, pgc_rows_column(rows, "default_expression"));
    detail->default_literal = pgc_rows_text(rows, r, pgc_rows_column(rows, "default_literal"));
    return detail;
}

PGC_TAKE(type_details)
{
    int oid = pgc_rows_column(rows, "oid");
    for (int r = 0; r < rows->count; r++) {
        pgc_type *type = pgc_catalog_type(catalog, pgc_rows_oid(rows, r, oid));
        if (!type)
            continue;
        type->detail = type->type == 'd'   ? take_domain(rows, r)
                       : type->type == 'r' ? take_listed(rows, r, &pgc_range_properties, err)
                                           : take_listed(rows, r, &pgc_base_type_properties, err);
        if (!type->detail)
            return pgc_error_out_of_memory(err);
    }
    return 0;
}

/* From row r on, how many rows have the same value in column? The rows are sorted by it. */
static int run_length(const pgc_rows *rows, int r, int column)
{
    uint32_t first = pgc_rows_oid(rows, r, column);
    int n = 1;
    while (r + n < rows->count && pgc_rows_oid(rows, r + n, column) == first)
        n++;
    return n;
}

/* The columns of one type: count rows from r on, or one row without a name. */
static const pgc_composite *take_composite(const pgc_rows *rows, int r, int count)
{
    int name = pgc_rows_column(rows, "attname"), number = pgc_rows_column(rows, "attnum"), definition = pgc_rows_column(rows, "definition"),
        collation = pgc_rows_column(rows, "collation"), length = pgc_rows_column(rows, "attlen"), align = pgc_rows_column(rows, "attalign"),
        dropped = pgc_rows_column(rows, "attisdropped"), version = pgc_rows_column(rows, "version");
    pgc_composite *detail = pgc_arena_zalloc(rows->catalog->arena, sizeof *detail);
    if (!detail || !(detail->columns = pgc_arena_zalloc(rows->catalog->arena, (size_t)count * sizeof *detail->columns)))
        return NULL;
    detail->has_versions = pgc_rows_bool(rows, r, pgc_rows_column(rows, "has_versions"));
    for (int i = 0; i < count && pgc_rows_peek(rows, r + i, name); i++)
        detail->columns[detail->count++] = (pgc_type_column){.name = pgc_rows_text_or_empty(rows, r + i, name),
                                                             .definition = pgc_rows_text_or_empty(rows, r + i, definition),
                                                             .collation = pgc_rows_text(rows, r + i, collation),
                                                             .align = pgc_rows_text_or_empty(rows, r + i, align),
                                                             .number = pgc_rows_int(rows, r + i, number),
                                                             .length = pgc_rows_int(rows, r + i, length),
                                                             .dropped = pgc_rows_bool(rows, r + i, dropped),
                                                             .version = (uint64_t)pgc_rows_int64(rows, r + i, version)};
    return detail;
}

PGC_TAKE(type_columns)
{
    int type_oid = pgc_rows_column(rows, "reltype");
    for (int r = 0, count; r < rows->count; r += count) {
        count = run_length(rows, r, type_oid);
        pgc_type *type = pgc_catalog_type(catalog, pgc_rows_oid(rows, r, type_oid));
        if (type && !(type->detail = take_composite(rows, r, count)))
            return pgc_error_out_of_memory(err);
    }
    return 0;
}

PGC_TAKE(type_enums)
{
    int type_oid = pgc_rows_column(rows, "enumtypid"), oid = pgc_rows_column(rows, "oid"), label = pgc_rows_column(rows, "enumlabel");
    for (int r = 0, count; r < rows->count; r += count) {
        count = run_length(rows, r, type_oid);
        pgc_type *type = pgc_catalog_type(catalog, pgc_rows_oid(rows, r, type_oid));
        if (!type)
            continue;
        pgc_enum *detail = pgc_arena_zalloc(catalog->arena, sizeof *detail);
        if (!detail || !(detail->labels = pgc_arena_zalloc(catalog->arena, (size_t)count * sizeof *detail->labels)))
            return pgc_error_out_of_memory(err);
        for (int i = 0; i < count; i++)
            detail->labels[i] = (pgc_enum_label){pgc_rows_oid(rows, r + i, oid), pgc_rows_text_or_empty(rows, r + i, label)};
        detail->count = count;
        type->detail = detail;
    }
    return 0;
}

/* One constraint of a domain. What its expression needs must be there before the domain, unless it is added later since it was never validated. */
static pgc_constraint *take_domain_check(pgc_catalog *catalog, const pgc_rows *rows, int r, pgc_type *domain, pgconvoy_error *err)
{
    pgc_constraint *constraint = pgc_catalog_add(catalog, PGC_KIND_CONSTRAINT, sizeof *constraint, PGC_PG_CONSTRAINT,
                                                 pgc_rows_oid(rows, r, pgc_rows_column(rows, "oid")),
                                                 pgc_rows_text(rows, r, pgc_rows_column(rows, "conname")), domain->object.schema, err);
    if (!constraint)
        return NULL;
    constraint->domain = domain;
    constraint->type = pgc_rows_char(rows, r, pgc_rows_column(rows, "contype"));
    constraint->definition = pgc_rows_text_or_empty(rows, r, pgc_rows_column(rows, "definition"));
    constraint->local = true;
    constraint->validated = pgc_rows_bool(rows, r, pgc_rows_column(rows, "convalidated"));
    constraint->separate = !constraint->validated;
    if (constraint->validated && pgc_object_needs(catalog, &domain->object, constraint->object.id, err) != 0)
        return NULL;
    return constraint;
}

PGC_TAKE(domain_checks)
{
    int domain_oid = pgc_rows_column(rows, "contypid");
    for (int r = 0, count; r < rows->count; r += count) {
        count = run_length(rows, r, domain_oid);
        pgc_type *domain = pgc_catalog_type(catalog, pgc_rows_oid(rows, r, domain_oid));
        if (!domain || !domain->detail || !(domain->object.wanted & PGC_PART_DEFINITION))
            continue;
        domain->checks = pgc_arena_zalloc(catalog->arena, (size_t)count * sizeof(pgc_constraint *));
        if (!domain->checks)
            return pgc_error_out_of_memory(err);
        for (int i = 0; i < count; i++) {
            pgc_constraint *constraint = take_domain_check(catalog, rows, r + i, domain, err);
            if (!constraint)
                return -1;
            if (constraint->type == 'n')
                ((pgc_domain *)domain->detail)->not_null_constraint = constraint;
            else
                domain->checks[domain->check_count++] = constraint;
        }
    }
    return 0;
}
