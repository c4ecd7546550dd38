/* Objects that are a name, an owner and one command. */
#include "catalog/named.h"

pgc_named_columns pgc_named_columns_find(const pgc_rows *rows)
{
    return (pgc_named_columns){
        .oid = pgc_rows_column(rows, "oid"),
        .name = pgc_rows_column(rows, "name"),
        .schema = pgc_rows_column(rows, "schema"),
        .owner = pgc_rows_column(rows, "owner"),
        .acl = pgc_rows_column(rows, "acl"),
        .default_acl = pgc_rows_column(rows, "default_acl"),
    };
}

void *pgc_named_take(const pgc_rows *rows, int row, const pgc_named_columns *columns, pgc_kind kind, size_t size, uint32_t class_oid, pgconvoy_error *err)
{
    pgc_catalog *catalog = rows->catalog;
    pgc_schema *schema;
    if (pgc_rows_schema(rows, row, columns->schema, &schema, err) != 0)
        return NULL;
    pgc_object *object = pgc_catalog_add(catalog, kind, size, class_oid, pgc_rows_oid(rows, row, columns->oid),
                                         pgc_rows_text_or_empty(rows, row, columns->name), schema, err);
    if (!object)
        return NULL;
    if (columns->owner >= 0)
        object->owner = pgc_catalog_role(catalog, pgc_rows_oid(rows, row, columns->owner));
    if (columns->acl >= 0) {
        object->acl.acl = pgc_rows_text(rows, row, columns->acl);
        object->acl.default_acl = pgc_rows_text(rows, row, columns->default_acl);
        if (object->acl.acl)
            object->available |= PGC_PART_ACL;
    }
    return pgc_select_object(catalog, object, err) == 0 ? object : NULL;
}

bool pgc_named_wanted(const pgc_catalog *catalog, const pgc_object *object)
{
    return !catalog->options->data_only && (object->wanted & (PGC_PART_DEFINITION | PGC_PART_COMMENT)) != 0;
}

void pgc_named_write(pgc_ddl *ddl, const pgc_object *object, const char *kind, const char *name, pgc_buffer *create)
{
    const char *schema = object->schema ? object->schema->object.name : NULL;
    const char *place = schema ? pgc_ddl_format(ddl, "%s.", pgc_ddl_name(ddl, schema)) : "";
    pgc_ddl_extension_member(ddl, create, object, kind, name, schema);
    if (pgc_object_writes(object, PGC_PART_DEFINITION))
        PGC_ENTRY(ddl, .object = object, .tag = object->name, .description = kind, .section = PGC_SECTION_PRE_DATA, .create = create->data,
                  .drop = pgc_ddl_format(ddl, "DROP %s %s%s;\n", kind, place, name));
    if (pgc_object_writes(object, PGC_PART_COMMENT))
        pgc_ddl_comment(ddl, object, kind, name, schema);
}
