/*
 * Schemas. All are read, those of the system too, so that every object finds the schema it is in. The schema public is there in every new database and is not made: what is written for it is what differs
 * from what a new database has.
 */
#include "catalog/acl_item.h"
#include "catalog/kinds.h"

#define PUBLIC_COMMENT "standard public schema"

/*
 * The privileges that public is taken to have in the database restored into, once its owner was set: not pg_init_privs, since that stays as it was when the owner changes or the schema is made anew.
 * Version 15 took CREATE from everyone. A dump of an older server may go to an old or to a new one, so it starts from whichever of the two makes it say the truth to both: from 15's where
 * everyone has CREATE, so that it is granted, and from the older one where not, so that it is revoked.
 */
static int set_public_acl(pgc_catalog *catalog, pgc_schema *schema, pgconvoy_error *err)
{
    pgc_object *object = &schema->object;
    pgc_acl_item *items;
    int count = pgc_acl_parse(catalog->arena, object->acl.acl ? object->acl.acl : object->acl.default_acl, &items);
    bool everyone_creates = catalog->version >= 150000;
    for (int i = 0; i < count; i++)
        everyone_creates = everyone_creates || (!items[i].grantee[0] && strchr(items[i].privileges, 'C'));
    pgc_buffer acl;
    pgc_buffer_init(&acl, 4096);
    pgc_acl_append(&acl, object->owner, "UC", object->owner);
    pgc_acl_append(&acl, "", everyone_creates ? "U" : "UC", object->owner);
    pgc_buffer_byte(&acl, '}');
    int result = pgc_buffer_check(&acl, err);
    if (result == 0 && !(object->acl.initial = pgc_arena_strdup(catalog->arena, acl.data)))
        result = pgc_error_out_of_memory(err);
    object->acl.initial_kind = 'i';
    object->available |= PGC_PART_ACL;
    pgc_buffer_free(&acl);
    return result;
}

PGC_TAKE(schemas)
{
    int oid = pgc_rows_column(rows, "oid"), name = pgc_rows_column(rows, "nspname"), owner = pgc_rows_column(rows, "nspowner"),
        acl = pgc_rows_column(rows, "nspacl"), default_acl = pgc_rows_column(rows, "default_acl");
    for (int r = 0; r < rows->count; r++) {
        pgc_schema *schema = pgc_catalog_add(catalog, PGC_KIND_SCHEMA, sizeof *schema, PGC_PG_NAMESPACE, pgc_rows_oid(rows, r, oid),
                                             pgc_rows_text(rows, r, name), NULL, err);
        if (!schema)
            return -1;
        pgc_object *object = &schema->object;
        schema->owner_oid = pgc_rows_oid(rows, r, owner);
        object->owner = pgc_catalog_role(catalog, schema->owner_oid);
        object->acl.acl = pgc_rows_text(rows, r, acl);
        object->acl.default_acl = pgc_rows_text(rows, r, default_acl);
        if (object->acl.acl)
            object->available |= PGC_PART_ACL;
        if (pgc_select_schema(catalog, schema, err) != 0)
            return -1;
        if (strcmp(object->name, "public") == 0 && set_public_acl(catalog, schema, err) != 0)
            return -1;
    }
    return 0;
}

PGC_WRITER(schema)
{
    const pgc_schema *schema = (const pgc_schema *)object;
    if (ddl->options->data_only)
        return;
    const char *name = pgc_ddl_name(ddl, object->name);
    if (pgc_object_writes(object, PGC_PART_DEFINITION)) {
        pgc_buffer *create = pgc_ddl_buffer(ddl);
        const char *drop = "-- *not* dropping schema, since initdb creates it\n";
        if (schema->create) {
            pgc_buffer_format(create, "CREATE SCHEMA %s;\n", name);
            drop = pgc_ddl_format(ddl, "DROP SCHEMA %s;\n", name);
        } else {
            pgc_buffer_text(create, "-- *not* creating schema, since initdb creates it\n");
        }
        pgc_ddl_extension_member(ddl, create, object, "SCHEMA", name, NULL);
        PGC_ENTRY(ddl, .object = object, .tag = object->name, .description = "SCHEMA", .section = PGC_SECTION_PRE_DATA,
                  .create = create->data, .drop = drop);
    }
    if (pgc_object_writes(object, PGC_PART_COMMENT))
        pgc_ddl_comment_on(ddl, "SCHEMA", name, NULL, object->owner, object->class_oid, object->oid, 0, object->id,
                           !schema->create && strcmp(name, "public") == 0 ? PUBLIC_COMMENT : NULL);
    if (pgc_object_writes(object, PGC_PART_SECURITY_LABEL))
        pgc_ddl_security_label(ddl, object, "SCHEMA", name, NULL);
    if (pgc_object_writes(object, PGC_PART_ACL))
        pgc_ddl_acl(ddl, object->id, 0, "SCHEMA", name, NULL, NULL, NULL, object->owner, &object->acl);
}
