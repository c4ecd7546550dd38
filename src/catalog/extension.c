/*
 * Extensions. A dump has CREATE EXTENSION in place of what the extension's script makes, and the data of its configuration tables, as far as the extension says that they are the user's
 * (PostgreSQL manual, "Extension configuration tables"). In binary upgrade the extension is made empty, and its members are made one by one and joined to it.
 */
#include "catalog/kinds.h"

#include <stdlib.h>

PGC_TAKE(extensions)
{
    int oid = pgc_rows_column(rows, "oid"), name = pgc_rows_column(rows, "extname"), schema = pgc_rows_column(rows, "nspname"),
        relocatable = pgc_rows_column(rows, "extrelocatable"), version = pgc_rows_column(rows, "extversion"),
        config = pgc_rows_column(rows, "extconfig"), condition = pgc_rows_column(rows, "extcondition"), keys = pgc_rows_column(rows, "keys");
    for (int r = 0; r < rows->count; r++) {
        pgc_extension *extension = pgc_catalog_add(catalog, PGC_KIND_EXTENSION, sizeof *extension, PGC_PG_EXTENSION,
                                                   pgc_rows_oid(rows, r, oid), pgc_rows_text(rows, r, name), NULL, err);
        if (!extension)
            return -1;
        extension->schema_name = pgc_rows_text_or_empty(rows, r, schema);
        extension->relocatable = pgc_rows_bool(rows, r, relocatable);
        extension->version = pgc_rows_text_or_empty(rows, r, version);
        extension->config = pgc_rows_text(rows, r, config);
        extension->condition = pgc_rows_text(rows, r, condition);
        extension->key_count = pgc_rows_oids(rows, r, keys, &extension->keys) / 2;
        pgc_select_extension(catalog, extension);
    }
    return 0;
}

PGC_TAKE(extension_members)
{
    int class_oid = pgc_rows_column(rows, "classid"), oid = pgc_rows_column(rows, "objid"), owner = pgc_rows_column(rows, "refobjid");
    for (int r = 0; r < rows->count; r++) {
        pgc_object *extension = pgc_catalog_find(catalog, PGC_PG_EXTENSION, pgc_rows_oid(rows, r, owner));
        if (!extension)
            pgc_catalog_warn(catalog, NULL, "could not find referenced extension %u", pgc_rows_oid(rows, r, owner));
        else if (pgc_catalog_add_member(catalog, pgc_rows_oid(rows, r, class_oid), pgc_rows_oid(rows, r, oid), (pgc_extension *)extension,
                                        err) != 0)
            return -1;
    }
    return 0;
}

/* ------------------------------------------------------------------ configuration tables */

/* Are an extension's table's data dumped? With the extension, or when the table or its schema was chosen by name; never when one of them was excluded. */
static bool config_wanted(const pgc_catalog *catalog, const pgc_extension *extension, const pgc_relation *relation)
{
    const pgc_schema *schema = relation->object.schema;
    if (pgc_oids_have(&catalog->exclude_tables, relation->object.oid) || (schema && pgc_oids_have(&catalog->exclude_schemas, schema->object.oid)))
        return false;
    return (extension->object.wanted & PGC_PART_DEFINITION) || pgc_oids_have(&catalog->include_tables, relation->object.oid) ||
           (schema && (schema->object.wanted & PGC_PART_DATA));
}

typedef int visit_config(pgc_catalog *catalog, pgc_relation *relation, const char *condition, pgconvoy_error *err);

/* Calls visit for each configuration table of an extension whose data are wanted, with its condition or NULL. */
static int each_config_of(pgc_catalog *catalog, const pgc_extension *extension, visit_config *visit, pgconvoy_error *err)
{
    char **tables, **conditions;
    uint32_t oid = extension->object.oid;
    bool left_out = pgc_oids_have(&catalog->exclude_extensions, oid) ||
                    (catalog->include_extensions.count > 0 && !pgc_oids_have(&catalog->include_extensions, oid));
    if (left_out || (!extension->config && !extension->condition))
        return 0;
    int count = pgc_parse_array(catalog->arena, extension->config, &tables);
    int condition_count = pgc_parse_array(catalog->arena, extension->condition, &conditions);
    if (count < 0 || condition_count < 0) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_SOURCE, "could not parse %s array", count < 0 ? "extconfig" : "extcondition");
        return -1;
    }
    if (count != condition_count) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_SOURCE, "mismatched number of configurations and conditions for extension");
        return -1;
    }
    for (int i = 0; i < count; i++) {
        pgc_relation *relation = tables[i] ? pgc_catalog_relation(catalog, (uint32_t)strtoul(tables[i], NULL, 10)) : NULL;
        const char *condition = conditions[i] && conditions[i][0] ? conditions[i] : NULL;
        if (relation && config_wanted(catalog, extension, relation) && visit(catalog, relation, condition, err) != 0)
            return -1;
    }
    return 0;
}

static int each_config(pgc_catalog *catalog, visit_config *visit, pgconvoy_error *err)
{
    for (int i = 0; i < catalog->object_count; i++) /* visiting may add objects */
        if (catalog->objects[i]->kind == PGC_KIND_EXTENSION && each_config_of(catalog, (const pgc_extension *)catalog->objects[i], visit, err) != 0)
            return -1;
    return 0;
}

static int mark(pgc_catalog *catalog, pgc_relation *relation, const char *condition, pgconvoy_error *err)
{
    (void)catalog, (void)condition, (void)err;
    relation->interesting = true;
    return 0;
}

int pgc_extension_config_mark(pgc_catalog *catalog, pgconvoy_error *err)
{
    return each_config(catalog, mark, err);
}

/* The tables exist before their data come, and so do their foreign keys, which are the extension's: those referred to must be filled first. */
static int order_by_keys(pgc_catalog *catalog, const pgc_extension *extension, pgconvoy_error *err)
{
    for (int k = 0; k < extension->key_count; k++) {
        const pgc_relation *from = pgc_catalog_relation(catalog, extension->keys[2 * k]),
                           *to = pgc_catalog_relation(catalog, extension->keys[2 * k + 1]);
        if (from && to && from->data && to->data && pgc_object_needs(catalog, &from->data->object, to->data->object.id, err) != 0)
            return -1;
    }
    return 0;
}

int pgc_extension_data_add(pgc_catalog *catalog, pgconvoy_error *err)
{
    if (each_config(catalog, pgc_table_data_add_one, err) != 0)
        return -1;
    for (int i = 0; i < catalog->object_count; i++)
        if (catalog->objects[i]->kind == PGC_KIND_EXTENSION && order_by_keys(catalog, (const pgc_extension *)catalog->objects[i], err) != 0)
            return -1;
    return 0;
}

/* ------------------------------------------------------------------ writing */

/* The extension it is a member of: one of those that it needs. */
static const pgc_object *owning_extension(const pgc_catalog *catalog, const pgc_object *object)
{
    for (int i = 0; i < object->need_count; i++) {
        const pgc_object *needed = pgc_catalog_object(catalog, object->needs[i]);
        if (needed && needed->kind == PGC_KIND_EXTENSION)
            return needed;
    }
    return NULL;
}

void pgc_ddl_extension_member(pgc_ddl *ddl, pgc_buffer *out, const pgc_object *object, const char *kind, const char *name, const char *schema)
{
    if (!ddl->options->binary_upgrade || !object->extension_member)
        return;
    const pgc_object *extension = owning_extension(ddl->catalog, object);
    if (!extension) {
        pgc_ddl_fail(ddl, "could not find parent extension for %s %s", kind, name);
        return;
    }
    pgc_buffer_text(out, "\n-- For binary upgrade, handle extension membership the hard way\n");
    pgc_buffer_format(out, "ALTER EXTENSION %s ADD %s ", pgc_ddl_name(ddl, extension->name), kind);
    if (schema && schema[0])
        pgc_buffer_format(out, "%s.", pgc_ddl_name(ddl, schema));
    pgc_buffer_format(out, "%s;\n", name);
}

/* An array of the catalog as a literal; one without elements is NULL. */
static const char *array_literal(pgc_ddl *ddl, const char *array)
{
    return array && strlen(array) > 2 ? pgc_ddl_literal(ddl, array) : "NULL";
}

static void append_empty_extension(pgc_ddl *ddl, pgc_buffer *create, const pgc_extension *extension)
{
    const pgc_object *object = &extension->object;
    pgc_buffer_text(create, "-- For binary upgrade, create an empty extension and insert objects into it\n");
    /* plpgsql is in every new database, but not as a user's own that was dropped and made again */
    pgc_buffer_format(create, "DROP EXTENSION IF EXISTS %s;\n", pgc_ddl_name(ddl, object->name));
    pgc_buffer_format(create, "SELECT pg_catalog.binary_upgrade_create_empty_extension(%s, %s, %s, %s, %s, %s, ARRAY[",
                      pgc_ddl_literal(ddl, object->name), pgc_ddl_literal(ddl, extension->schema_name),
                      extension->relocatable ? "true" : "false", pgc_ddl_literal(ddl, extension->version),
                      array_literal(ddl, extension->config), array_literal(ddl, extension->condition));
    const char *comma = "";
    for (int i = 0; i < object->need_count; i++) {
        const pgc_object *needed = pgc_catalog_object(ddl->catalog, object->needs[i]);
        if (!needed || needed->kind != PGC_KIND_EXTENSION)
            continue;
        pgc_buffer_format(create, "%s%s", comma, pgc_ddl_literal(ddl, needed->name));
        comma = ",";
    }
    pgc_buffer_text(create, "]::pg_catalog.text[]);\n");
}

PGC_WRITER(extension)
{
    const pgc_extension *extension = (const pgc_extension *)object;
    if (ddl->options->data_only)
        return;
    const char *name = pgc_ddl_name(ddl, object->name);
    if (pgc_object_writes(object, PGC_PART_DEFINITION)) {
        pgc_buffer *create = pgc_ddl_buffer(ddl);
        /* No version: a new database gets what its server has. And it may have been made beforehand, by whoever is allowed to. */
        if (ddl->options->binary_upgrade)
            append_empty_extension(ddl, create, extension);
        else
            pgc_buffer_format(create, "CREATE EXTENSION IF NOT EXISTS %s WITH SCHEMA %s;\n", name, pgc_ddl_name(ddl, extension->schema_name));
        PGC_ENTRY(ddl, .object = object, .tag = object->name, .owner = "", .description = "EXTENSION", .section = PGC_SECTION_PRE_DATA,
                  .create = create->data, .drop = pgc_ddl_format(ddl, "DROP EXTENSION %s;\n", name));
    }
    if (pgc_object_writes(object, PGC_PART_COMMENT))
        pgc_ddl_comment(ddl, object, "EXTENSION", name, NULL);
    if (pgc_object_writes(object, PGC_PART_SECURITY_LABEL))
        pgc_ddl_security_label(ddl, object, "EXTENSION", name, NULL);
}
