/*
 * Types. Every row of pg_type becomes an object, since anything may be made of any type. Row types of tables, arrays and multiranges come into being with something else: they are implied types, which are
 * sorted late and never written, but are marked as wanted like what they come with, since casts look at that.
 */
#include "catalog/kinds.h"
#include "catalog/type.h"

#include "postgres/quote.h"

static bool is_row_type(const pgc_type *type)
{
    return type->relation && type->relation_kind != PGC_RELKIND_COMPOSITE;
}

static int select_type(pgc_catalog *catalog, pgc_type *type, pgconvoy_error *err)
{
    if (!is_row_type(type))
        return pgc_select_object(catalog, &type->object, err);
    const pgc_relation *relation = pgc_catalog_relation(catalog, type->relation);
    type->object.wanted = relation ? relation->object.wanted : 0;
    return 0;
}

/*
 * Functions of a base type need the type, and it needs them, so its name is made ahead of them; the same goes for a range and its canonical function. Whether that is needed shows when loops are broken:
 * until then the shell is not wanted. It has no catalog row, so that it does not catch the type's dependencies.
 */
static int add_shell(pgc_catalog *catalog, pgc_type *type, pgconvoy_error *err)
{
    pgc_object *object = &type->object;
    if (object->kind != PGC_KIND_TYPE || !(object->wanted & PGC_PART_DEFINITION) || (type->type != 'b' && type->type != 'r'))
        return 0;
    type->shell = pgc_catalog_add(catalog, PGC_KIND_SHELL_TYPE, sizeof *type->shell, 0, 0, object->name, object->schema, err);
    if (!type->shell)
        return -1;
    type->shell->type = type;
    type->shell->object.wanted = 0;
    type->shell->object.owner = object->owner;
    return 0;
}

/* What format_type() gives for a row type, and for an array of a composite type, of which each table has two: its name, qualified unless it is the system's. */
static const char *row_type_name(const pgc_catalog *catalog, const pgc_type *type)
{
    const pgc_type *row = type->is_array ? pgc_catalog_type(catalog, type->element) : type;
    if (!row)
        return NULL;
    pgc_buffer name;
    pgc_buffer_init(&name, 4096);
    if (row->formatted) {
        pgc_buffer_text(&name, row->formatted);
    } else {
        const char *schema = row->object.schema ? row->object.schema->object.name : "pg_catalog";
        if (strcmp(schema, "pg_catalog") != 0) {
            pgc_quote_identifier_if_needed(&name, schema, catalog->version, catalog->options->quote_all_identifiers);
            pgc_buffer_byte(&name, '.');
        }
        pgc_quote_identifier_if_needed(&name, row->object.name, catalog->version, catalog->options->quote_all_identifiers);
    }
    if (type->is_array)
        pgc_buffer_text(&name, "[]");
    const char *kept = name.failed ? NULL : pgc_arena_strdup(catalog->arena, name.data);
    pgc_buffer_free(&name);
    return kept;
}

static int name_row_types(pgc_catalog *catalog, pgconvoy_error *err)
{
    for (int i = 0; i < catalog->object_count; i++) {
        pgc_type *type = (pgc_type *)catalog->objects[i];
        if ((type->object.kind != PGC_KIND_TYPE && type->object.kind != PGC_KIND_IMPLIED_TYPE) || type->formatted)
            continue;
        type->formatted = row_type_name(catalog, type);
        if (!type->formatted)
            return pgc_error_out_of_memory(err);
    }
    return 0;
}

PGC_TAKE(types)
{
    int oid = pgc_rows_column(rows, "oid"), name = pgc_rows_column(rows, "typname"), schema = pgc_rows_column(rows, "typnamespace"),
        owner = pgc_rows_column(rows, "typowner"), acl = pgc_rows_column(rows, "typacl"), acldefault = pgc_rows_column(rows, "acldefault"),
        formatted = pgc_rows_column(rows, "formatted"), element = pgc_rows_column(rows, "typelem"), array = pgc_rows_column(rows, "typarray"),
        relation = pgc_rows_column(rows, "typrelid"), relation_kind = pgc_rows_column(rows, "relkind"), kind = pgc_rows_column(rows, "typtype"),
        is_defined = pgc_rows_column(rows, "typisdefined"), is_array = pgc_rows_column(rows, "is_array");
    for (int r = 0; r < rows->count; r++) {
        pgc_type given = {.element = pgc_rows_oid(rows, r, element),
                          .array = pgc_rows_oid(rows, r, array),
                          .relation = pgc_rows_oid(rows, r, relation),
                          .relation_kind = pgc_rows_char(rows, r, relation_kind),
                          .type = pgc_rows_char(rows, r, kind),
                          .is_array = pgc_rows_bool(rows, r, is_array),
                          .is_multirange = pgc_rows_char(rows, r, kind) == 'm',
                          .is_defined = pgc_rows_bool(rows, r, is_defined)};
        bool implied = is_row_type(&given) || given.is_array || given.is_multirange;
        pgc_schema *place;
        if (pgc_rows_schema(rows, r, schema, &place, err) != 0)
            return -1;
        pgc_type *type = pgc_catalog_add(catalog, implied ? PGC_KIND_IMPLIED_TYPE : PGC_KIND_TYPE, sizeof *type, PGC_PG_TYPE, pgc_rows_oid(rows, r, oid),
                                         pgc_rows_text(rows, r, name), place, err);
        if (!type)
            return -1;
        given.object = type->object;
        *type = given;
        type->formatted = pgc_rows_text(rows, r, formatted);
        type->object.owner = pgc_catalog_role(catalog, pgc_rows_oid(rows, r, owner));
        type->object.acl.acl = pgc_rows_text(rows, r, acl);
        type->object.acl.default_acl = pgc_rows_text(rows, r, acldefault);
        if (type->object.acl.acl)
            type->object.available |= PGC_PART_ACL;
        if (select_type(catalog, type, err) != 0 || add_shell(catalog, type, err) != 0)
            return -1;
    }
    return name_row_types(catalog, err);
}

int pgc_compare_type_oids(const pgc_catalog *catalog, uint32_t a, uint32_t b)
{
    const pgc_type *one = a == b ? NULL : pgc_catalog_type(catalog, a), *other = one ? pgc_catalog_type(catalog, b) : NULL;
    if (!other)
        return 0;
    const pgc_schema *schema = one->object.schema, *other_schema = other->object.schema;
    int order = schema && other_schema ? strcmp(schema->object.name, other_schema->object.name) : 0;
    return order ? order : strcmp(one->object.name, other->object.name);
}
