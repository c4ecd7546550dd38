/* Default privileges: what ALTER DEFAULT PRIVILEGES gave, by role, schema and kind of object. */
#include "catalog/kinds.h"

static const struct {
    char type; /* defaclobjtype */
    const char *name;
} object_types[] = {{'r', "TABLES"}, {'S', "SEQUENCES"}, {'f', "FUNCTIONS"}, {'T', "TYPES"}, {'n', "SCHEMAS"}, {'L', "LARGE OBJECTS"}};

int pgc_take_default_acls(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err)
{
    int oid = pgc_rows_column(rows, "oid"), name = pgc_rows_column(rows, "name"), schema_oid = pgc_rows_column(rows, "schema"),
        owner = pgc_rows_column(rows, "owner"), acl = pgc_rows_column(rows, "acl"), default_acl = pgc_rows_column(rows, "default_acl");
    for (int i = 0; i < rows->count; i++) {
        pgc_schema *schema = pgc_catalog_schema(catalog, pgc_rows_oid(rows, i, schema_oid));
        pgc_object *object = pgc_catalog_add(catalog, PGC_KIND_DEFAULT_ACL, sizeof *object, PGC_PG_DEFAULT_ACL, pgc_rows_oid(rows, i, oid),
                                             pgc_rows_text_or_empty(rows, i, name), schema, err);
        if (!object)
            return -1;
        object->owner = pgc_catalog_role(catalog, pgc_rows_oid(rows, i, owner));
        object->acl.acl = pgc_rows_text(rows, i, acl);
        object->acl.default_acl = pgc_rows_text(rows, i, default_acl);
        object->available |= PGC_PART_ACL;
        if (pgc_select_object(catalog, object, err) != 0)
            return -1;
    }
    return 0;
}

/* Schema and name have been compared: what they are for, and where. */
int pgc_compare_default_acl(const pgc_catalog *catalog, const pgc_object *a, const pgc_object *b)
{
    (void)catalog;
    return strcmp(a->owner, b->owner);
}

static const char *type_name(char type)
{
    for (size_t i = 0; i < sizeof object_types / sizeof *object_types; i++)
        if (object_types[i].type == type)
            return object_types[i].name;
    return NULL;
}

void pgc_write_default_acl(pgc_ddl *ddl, const pgc_object *object)
{
    if (ddl->options->data_only || ddl->options->no_acl || !pgc_object_writes(object, PGC_PART_ACL))
        return;
    const char *type = type_name(object->name[0]);
    if (!type) {
        pgc_ddl_fail(ddl, "unrecognized object type in default privileges: %d", object->name[0]);
        return;
    }
    const char *schema = object->schema ? object->schema->object.name : NULL;
    /* The role is named in each command: without the right to act for it nothing happens, rather than something for somebody else. */
    pgc_buffer *prefix = pgc_ddl_buffer(ddl), *create = pgc_ddl_buffer(ddl);
    pgc_buffer_format(prefix, "ALTER DEFAULT PRIVILEGES FOR ROLE %s ", pgc_ddl_name(ddl, object->owner));
    if (schema)
        pgc_buffer_format(prefix, "IN SCHEMA %s ", pgc_ddl_name(ddl, schema));
    if (!pgc_ddl_acl_commands(ddl, create, "", NULL, NULL, type, object->acl.acl, object->acl.default_acl, object->owner, prefix->data)) {
        pgc_ddl_fail(ddl, "could not parse default ACL list (%s)", object->acl.acl ? object->acl.acl : "");
        return;
    }
    PGC_ENTRY(ddl, .object = object, .tag = pgc_ddl_format(ddl, "DEFAULT PRIVILEGES FOR %s", type), .description = "DEFAULT ACL",
              .section = PGC_SECTION_POST_DATA, .create = create->length ? create->data : "");
}
