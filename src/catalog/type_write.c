/* Types are written by pg_type.typtype: each fills the command, what all have in common is added here. */
#include "catalog/kinds.h"
#include "catalog/type.h"

static void preserve_oid(pgc_buffer *out, const char *what, const char *function, uint32_t oid)
{
    pgc_buffer_format(out, "\n-- For binary upgrade, must preserve %s\nSELECT pg_catalog.binary_upgrade_set_next_%s('%u'::pg_catalog.oid);\n\n", what, function, oid);
}

void pgc_ddl_type_oids(pgc_ddl *ddl, pgc_buffer *out, uint32_t oid)
{
    if (!ddl->options->binary_upgrade || !oid)
        return;
    const pgc_type *type = pgc_catalog_type(ddl->catalog, oid);
    preserve_oid(out, "pg_type oid", "pg_type_oid", oid);
    if (type && type->array)
        preserve_oid(out, "pg_type array oid", "array_pg_type_oid", type->array);
}

/* ------------------------------------------------------------------ what the kinds differ in */

static void write_base(pgc_ddl *ddl, const pgc_type *type, pgc_buffer *create, const char *name)
{
    const pgc_listed_type *detail = type->detail;
    pgc_buffer_format(create, "CREATE TYPE %s ", name);
    pgc_properties_write(ddl, create, pgc_base_type_properties.items, pgc_base_type_properties.count, detail->values);
    pgc_buffer_text(create, ";\n");
}

static void write_range(pgc_ddl *ddl, const pgc_type *type, pgc_buffer *create, const char *name)
{
    const pgc_listed_type *detail = type->detail;
    if (ddl->options->binary_upgrade && detail->multirange) {
        preserve_oid(create, "multirange pg_type oid", "multirange_pg_type_oid", detail->multirange);
        preserve_oid(create, "multirange pg_type array oid", "multirange_array_pg_type_oid", detail->multirange_array);
    }
    pgc_buffer_format(create, "CREATE TYPE %s AS RANGE ", name);
    pgc_properties_write(ddl, create, pgc_range_properties.items, pgc_range_properties.count, detail->values);
    pgc_buffer_text(create, ";\n");
}

/* A column that was dropped has still its number: binary upgrade makes it and drops it again, with the length and alignment that it has in the rows that are there. */
static void write_dropped_column(pgc_ddl *ddl, pgc_buffer *dropped, const pgc_type_column *column, const char *name)
{
    pgc_buffer_format(dropped,
                      "\n-- For binary upgrade, recreate dropped column.\n"
                      "UPDATE pg_catalog.pg_attribute\n"
                      "SET attlen = %d, attalign = '%s', attbyval = false\n"
                      "WHERE attname = %s\n"
                      "  AND attrelid = %s::pg_catalog.regclass;\n",
                      column->length, column->align, pgc_ddl_literal(ddl, column->name), pgc_ddl_literal(ddl, name));
    pgc_buffer_format(dropped, "ALTER TYPE %s DROP ATTRIBUTE %s;\n", name, pgc_ddl_name(ddl, column->name));
}

/* What the relation beneath a composite type has to keep in a binary upgrade. */
static void write_composite_upgrade(const pgc_type *type, const pgc_composite *detail, pgc_buffer *create)
{
    pgc_buffer_format(create,
                      "\n-- For binary upgrade, must preserve pg_class oids and relfilenodes\n"
                      "SELECT pg_catalog.binary_upgrade_set_next_heap_pg_class_oid('%u'::pg_catalog.oid);\n\n",
                      type->relation);
    if (!detail->has_versions)
        return;
    pgc_buffer_text(create, "\n-- For binary upgrade, must preserve the attribute versions\n"
                            "SELECT pg_catalog.binary_upgrade_set_next_attribute_versions('{");
    for (int i = 0; i < detail->count; i++)
        pgc_buffer_format(create, "%s%X/%X", i ? "," : "", (unsigned)(detail->columns[i].version >> 32), (unsigned)detail->columns[i].version);
    pgc_buffer_text(create, "}'::pg_catalog.pg_lsn[]);\n\n");
}

static void write_composite(pgc_ddl *ddl, const pgc_type *type, pgc_buffer *create, const char *name)
{
    const pgc_composite *detail = type->detail;
    pgc_buffer *dropped = pgc_ddl_buffer(ddl);
    if (ddl->options->binary_upgrade)
        write_composite_upgrade(type, detail, create);
    pgc_buffer_format(create, "CREATE TYPE %s AS (", name);
    const char *before = "\n\t";
    for (int i = 0; i < detail->count; i++) {
        const pgc_type_column *column = &detail->columns[i];
        if (column->dropped && !ddl->options->binary_upgrade)
            continue;
        pgc_buffer_format(create, "%s%s %s", before, pgc_ddl_name(ddl, column->name), column->dropped ? "INTEGER /* dummy */" : column->definition);
        before = ",\n\t";
        if (column->dropped)
            write_dropped_column(ddl, dropped, column, name);
        else if (column->collation)
            pgc_buffer_format(create, " COLLATE %s", column->collation);
    }
    pgc_buffer_text(create, "\n);\n");
    pgc_buffer_append(create, dropped->data, dropped->length);
}

static void write_enum(pgc_ddl *ddl, const pgc_type *type, pgc_buffer *create, const char *name)
{
    static const pgc_enum no_labels;
    const pgc_enum *detail = type->detail ? type->detail : &no_labels;
    bool upgrade = ddl->options->binary_upgrade; /* labels are added one by one then, so that each keeps its oid */
    pgc_buffer_format(create, "CREATE TYPE %s AS ENUM (", name);
    for (int i = 0; i < detail->count && !upgrade; i++)
        pgc_buffer_format(create, "%s\n    %s", i ? "," : "", pgc_ddl_literal(ddl, detail->labels[i].text));
    pgc_buffer_text(create, "\n);\n");
    for (int i = 0; i < detail->count && upgrade; i++) {
        const pgc_enum_label *label = &detail->labels[i];
        pgc_buffer_format(create,
                          "%sSELECT pg_catalog.binary_upgrade_set_next_pg_enum_oid('%u'::pg_catalog.oid);\n"
                          "ALTER TYPE %s ADD VALUE %s;\n\n",
                          i ? "" : "\n-- For binary upgrade, must preserve pg_enum oids\n", label->oid, name, pgc_ddl_literal(ddl, label->text));
    }
}

/* From version 17 on the constraint has a name of its own, which is only said where it is not the one that it would get anyway. */
static void write_not_null(pgc_ddl *ddl, const pgc_type *type, const pgc_domain *detail, pgc_buffer *create)
{
    const pgc_constraint *constraint = detail->not_null_constraint;
    if (!detail->not_null || (constraint && constraint->separate))
        return;
    if (constraint && strcmp(constraint->object.name, pgc_ddl_format(ddl, "%s_not_null", type->object.name)) != 0)
        pgc_buffer_format(create, " CONSTRAINT %s %s", pgc_ddl_name(ddl, constraint->object.name), constraint->definition);
    else
        pgc_buffer_text(create, " NOT NULL");
}

static void write_domain(pgc_ddl *ddl, const pgc_type *type, pgc_buffer *create, const char *name)
{
    const pgc_domain *detail = type->detail;
    pgc_buffer_format(create, "CREATE DOMAIN %s AS %s", name, detail->definition);
    if (detail->collation)
        pgc_buffer_format(create, " COLLATE %s", detail->collation);
    write_not_null(ddl, type, detail, create);
    if (detail->default_expression || detail->default_literal)
        pgc_buffer_format(create, " DEFAULT %s", detail->default_expression ? detail->default_expression : pgc_ddl_literal(ddl, detail->default_literal));
    for (int i = 0; i < type->check_count; i++)
        if (!type->checks[i]->separate)
            pgc_buffer_format(create, "\n\tCONSTRAINT %s %s", pgc_ddl_name(ddl, type->checks[i]->object.name), type->checks[i]->definition);
    pgc_buffer_text(create, ";\n");
}

static void write_undefined(pgc_ddl *ddl, const pgc_type *type, pgc_buffer *create, const char *name)
{
    (void)ddl, (void)type;
    pgc_buffer_format(create, "CREATE TYPE %s;\n", name);
}

/* cascade: a base type and its functions need one another, so it cannot be dropped without them. */
static const struct type_kind {
    char type;
    const char *keyword, *cascade;
    bool needs_detail;
    void (*write)(pgc_ddl *ddl, const pgc_type *type, pgc_buffer *create, const char *name);
} type_kinds[] = {
    {'b', "TYPE", " CASCADE", true, write_base}, {'d', "DOMAIN", "", true, write_domain},    {'c', "TYPE", "", true, write_composite},
    {'e', "TYPE", "", false, write_enum},        {'r', "TYPE", "", true, write_range},       {'p', "TYPE", "", false, write_undefined},
};

/* ------------------------------------------------------------------ what they have in common */

static void comment_on_columns(pgc_ddl *ddl, const pgc_type *type, const char *name)
{
    const pgc_composite *detail = type->detail;
    int count;
    const pgc_note *comments = type->type == 'c' && detail ? pgc_catalog_comments(ddl->catalog, PGC_PG_CLASS, type->relation, &count) : NULL;
    for (int i = 0; comments && i < count; i++)
        for (int c = 0; c < detail->count; c++)
            if (detail->columns[c].number == comments[i].column && !detail->columns[c].dropped)
                pgc_ddl_comment_on(ddl, "COLUMN", pgc_ddl_format(ddl, "%s.%s", name, pgc_ddl_name(ddl, detail->columns[c].name)),
                                   type->object.schema->object.name, type->object.owner, PGC_PG_CLASS, type->relation, comments[i].column,
                                   type->object.id, NULL);
}

/* Only of constraints that were written with the domain. */
static void comment_on_constraint(pgc_ddl *ddl, const pgc_type *type, const pgc_constraint *constraint, const char *name)
{
    if (!constraint || constraint->separate || !pgc_object_writes(&constraint->object, PGC_PART_COMMENT))
        return;
    const char *kind = pgc_ddl_format(ddl, "CONSTRAINT %s ON DOMAIN", pgc_ddl_name(ddl, constraint->object.name));
    pgc_ddl_comment_on(ddl, kind, name, type->object.schema->object.name, type->object.owner, constraint->object.class_oid, constraint->object.oid, 0,
                       type->object.id, NULL);
}

static void write_definition(pgc_ddl *ddl, const pgc_type *type, const struct type_kind *kind, const char *name, const char *schema)
{
    pgc_buffer *create = pgc_ddl_buffer(ddl);
    const char *qualified = pgc_ddl_object_name(ddl, &type->object);
    pgc_ddl_type_oids(ddl, create, type->object.oid);
    kind->write(ddl, type, create, qualified);
    pgc_ddl_extension_member(ddl, create, &type->object, kind->keyword, name, schema);
    PGC_ENTRY(ddl, .object = &type->object, .description = kind->keyword, .section = PGC_SECTION_PRE_DATA, .create = create->data,
              .drop = pgc_ddl_format(ddl, "DROP %s %s%s;\n", kind->keyword, qualified, kind->cascade));
}

PGC_WRITER(type)
{
    const pgc_type *type = (const pgc_type *)object;
    const struct type_kind *kind = NULL;
    for (size_t i = 0; i < sizeof type_kinds / sizeof *type_kinds && !kind; i++)
        if (type_kinds[i].type == type->type && (type->type != 'p' || !type->is_defined))
            kind = &type_kinds[i];
    if (!kind) {
        pgc_catalog_warn(ddl->catalog, NULL, "typtype of data type \"%s\" appears to be invalid", object->name);
        return;
    }
    const char *name = pgc_ddl_name(ddl, object->name), *schema = object->schema->object.name;
    if (pgc_object_writes(object, PGC_PART_DEFINITION)) {
        if (kind->needs_detail && !type->detail)
            pgc_ddl_fail(ddl, "the definition of type \"%s\" was not read", object->name);
        else
            write_definition(ddl, type, kind, name, schema);
    }
    if (pgc_object_writes(object, PGC_PART_COMMENT))
        pgc_ddl_comment(ddl, object, kind->keyword, name, schema);
    if (pgc_object_writes(object, PGC_PART_SECURITY_LABEL))
        pgc_ddl_security_label(ddl, object, kind->keyword, name, schema);
    if (pgc_object_writes(object, PGC_PART_ACL))
        pgc_ddl_acl(ddl, object->id, 0, "TYPE", name, NULL, schema, NULL, object->owner, &object->acl);
    if (object->wanted & PGC_PART_COMMENT)
        comment_on_columns(ddl, type, name);
    if (type->type == 'd' && type->detail)
        comment_on_constraint(ddl, type, ((const pgc_domain *)type->detail)->not_null_constraint, name);
    for (int i = 0; i < type->check_count; i++)
        comment_on_constraint(ddl, type, type->checks[i], name);
}

/* It is dropped with the type, and its owner is set when the type is whole: an entry without a DROP command gets no ALTER … OWNER. */
PGC_WRITER(shell_type)
{
    const pgc_shell_type *shell = (const pgc_shell_type *)object;
    if (!pgc_object_writes(object, PGC_PART_DEFINITION))
        return;
    pgc_buffer *create = pgc_ddl_buffer(ddl);
    pgc_ddl_type_oids(ddl, create, shell->type->object.oid);
    pgc_buffer_format(create, "CREATE TYPE %s;\n", pgc_ddl_object_name(ddl, object));
    PGC_ENTRY(ddl, .object = object, .description = "SHELL TYPE", .section = PGC_SECTION_PRE_DATA, .create = create->data);
}
