/*
 * What is wanted of each object. The rules are pg_dump's (PostgreSQL manual, pg_dump, the options -n, -N, -t, -T, -e): chosen tables leave out everything else; chosen schemas leave out what belongs
 * to no schema; what belongs to an extension comes with the extension, but for privileges that were changed since; what every database has is not dumped.
 */
#include "catalog/catalog_internal.h"
#include "postgres/value.h"

bool pgc_oids_have(const pgc_oids *oids, uint32_t oid)
{
    int low = 0, high = oids->count;
    while (low < high) {
        int middle = (low + high) / 2;
        if (oids->items[middle] == oid)
            return true;
        if (oids->items[middle] < oid)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

static unsigned everything(const pgc_catalog *catalog)
{
    return pgc_options_include_everything(catalog->options) ? PGC_PART_ALL : 0;
}

static bool chooses_tables(const pgc_dump_options *o)
{
    return o->include_tables.count > 0 || o->include_tables_and_children.count > 0;
}

int pgc_select_by_extension(pgc_catalog *catalog, pgc_object *object, bool *member, pgconvoy_error *err)
{
    const pgc_extension *extension = pgc_catalog_owning_extension(catalog, object->class_oid, object->oid);
    *member = extension != NULL;
    if (!extension)
        return 0;
    object->extension_member = true;
    object->wanted = catalog->options->binary_upgrade ? extension->object.wanted : extension->object.wanted_inside & PGC_PART_ACL;
    return pgc_object_needs(catalog, object, extension->object.id, err);
}

static void select_schema(pgc_catalog *catalog, pgc_schema *schema)
{
    const pgc_dump_options *o = catalog->options;
    pgc_object *object = &schema->object;
    unsigned wanted = PGC_PART_ALL, definition = PGC_PART_DEFINITION;
    schema->create = true;
    if (chooses_tables(o)) {
        wanted = 0;
    } else if (o->include_schemas.count > 0) {
        wanted = pgc_oids_have(&catalog->include_schemas, object->oid) ? PGC_PART_ALL : 0;
    } else if (strcmp(object->name, "pg_catalog") == 0) {
        wanted = PGC_PART_ACL; /* where they are not those that initdb gave */
    } else if (strncmp(object->name, "pg_", 3) == 0 || strcmp(object->name, "information_schema") == 0) {
        wanted = 0;
    } else if (strcmp(object->name, "public") == 0) {
        /* It is there in a new database. Its definition is its owner, and a comment that may have to go. */
        schema->create = false;
        if (schema->owner_oid == PGC_ROLE_DATABASE_OWNER)
            definition = 0;
        object->available |= PGC_PART_COMMENT;
        object->wanted_inside = PGC_PART_ALL;
        object->wanted = definition ? PGC_PART_ALL : PGC_PART_ALL & ~PGC_PART_DEFINITION;
        goto exclude;
    }
    object->wanted = object->wanted_inside = wanted;
exclude:
    if (object->wanted_inside && pgc_oids_have(&catalog->exclude_schemas, object->oid))
        object->wanted = object->wanted_inside = 0;
}

int pgc_select_schema(pgc_catalog *catalog, pgc_schema *schema, pgconvoy_error *err)
{
    bool member;
    select_schema(catalog, schema);
    return pgc_select_by_extension(catalog, &schema->object, &member, err);
}

void pgc_select_extension(pgc_catalog *catalog, pgc_extension *extension)
{
    pgc_object *object = &extension->object;
    unsigned wanted;
    if (object->oid < PGC_FIRST_USER_OID)
        wanted = PGC_PART_ACL; /* it is there already (plpgsql), but privileges on what it has may have been changed */
    else if (catalog->options->include_extensions.count > 0)
        wanted = pgc_oids_have(&catalog->include_extensions, object->oid) ? PGC_PART_ALL : 0;
    else
        wanted = everything(catalog);
    if (pgc_oids_have(&catalog->exclude_extensions, object->oid))
        wanted = 0;
    object->wanted = object->wanted_inside = wanted;
}

int pgc_select_relation(pgc_catalog *catalog, pgc_relation *relation, pgconvoy_error *err)
{
    pgc_object *object = &relation->object;
    bool member;
    if (pgc_select_by_extension(catalog, object, &member, err) != 0)
        return -1;
    if (member)
        return 0;
    const pgc_dump_options *o = catalog->options;
    if (o->only_tables && relation->kind != PGC_RELKIND_SEQUENCE)
        object->wanted = pgc_oids_have(&(pgc_oids){.items = (uint32_t *)o->only_tables, .count = o->only_table_count}, object->oid) ? PGC_PART_ALL : 0;
    else if (chooses_tables(o))
        object->wanted = pgc_oids_have(&catalog->include_tables, object->oid) ? PGC_PART_ALL : 0;
    else
        object->wanted = object->schema ? object->schema->object.wanted_inside : 0;
    if (object->wanted && pgc_oids_have(&catalog->exclude_tables, object->oid))
        object->wanted = 0;
    return 0;
}

int pgc_select_object(pgc_catalog *catalog, pgc_object *object, pgconvoy_error *err)
{
    bool member;
    if (pgc_select_by_extension(catalog, object, &member, err) != 0)
        return -1;
    if (!member)
        object->wanted = object->schema ? object->schema->object.wanted_inside : everything(catalog);
    return 0;
}

int pgc_select_global(pgc_catalog *catalog, pgc_object *object, unsigned builtin_parts, pgconvoy_error *err)
{
    bool member;
    if (pgc_select_by_extension(catalog, object, &member, err) != 0)
        return -1;
    if (!member)
        object->wanted = everything(catalog) & (object->oid < PGC_FIRST_USER_OID ? builtin_parts : PGC_PART_ALL);
    return 0;
}
