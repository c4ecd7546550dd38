/*
 * Relations as entries: the definition by its kind, then what every kind may have, which is comments, labels and privileges; and the two objects that are but ALTER commands to a table: a default that stands by itself, and the attachment of a
 * partition.
 */
#include "catalog/relation_write.h"

#include "catalog/kinds.h"

const char *pgc_relation_kind_name(const pgc_relation *relation)
{
    switch (relation->kind) {
    case PGC_RELKIND_VIEW:
        return "VIEW";
    case PGC_RELKIND_MATVIEW:
        return "MATERIALIZED VIEW";
    case PGC_RELKIND_FOREIGN:
        return "FOREIGN TABLE";
    case PGC_RELKIND_SEQUENCE:
        return "SEQUENCE";
    default:
        return "TABLE";
    }
}

bool pgc_relation_has_options(const char *reloptions)
{
    return reloptions && strlen(reloptions) > 2; /* more than "{}" */
}

void pgc_ddl_collate(pgc_ddl *ddl, pgc_buffer *out, uint32_t collation)
{
    const pgc_object *object = collation ? pgc_catalog_find(ddl->catalog, PGC_PG_COLLATION, collation) : NULL;
    if (object)
        pgc_buffer_format(out, " COLLATE %s", pgc_ddl_object_name(ddl, object));
}

/* ------------------------------------------------------------------ the definition */

/* What there is only an ALTER for. An index as replica identity is named when the index is made. */
static void replica_identity_and_security(pgc_buffer *out, const pgc_relation *relation, const char *name)
{
    bool has_identity = relation->kind == PGC_RELKIND_TABLE || relation->kind == PGC_RELKIND_PARTITIONED || relation->kind == PGC_RELKIND_MATVIEW;
    if (has_identity && relation->replica_identity == 'n')
        pgc_buffer_format(out, "\nALTER TABLE ONLY %s REPLICA IDENTITY NOTHING;\n", name);
    if (has_identity && relation->replica_identity == 'f')
        pgc_buffer_format(out, "\nALTER TABLE ONLY %s REPLICA IDENTITY FULL;\n", name);
    if (relation->force_row_security)
        pgc_buffer_format(out, "\nALTER TABLE ONLY %s FORCE ROW LEVEL SECURITY;\n", name);
}

static bool has_tablespace(const pgc_relation *relation)
{
    return relation->kind == PGC_RELKIND_TABLE || relation->kind == PGC_RELKIND_MATVIEW || relation->kind == PGC_RELKIND_PARTITIONED;
}

static bool has_access_method(const pgc_ddl *ddl, const pgc_relation *relation)
{
    if (relation->kind == PGC_RELKIND_PARTITIONED)
        return ddl->version >= 170000; /* what new partitions get */
    return relation->kind == PGC_RELKIND_TABLE || relation->kind == PGC_RELKIND_MATVIEW;
}

static void define(pgc_ddl *ddl, const pgc_relation *relation)
{
    const pgc_object *object = &relation->object;
    const char *kind = pgc_relation_kind_name(relation), *name = pgc_ddl_object_name(ddl, object);
    pgc_buffer *create = pgc_ddl_buffer(ddl);
    if (ddl->options->binary_upgrade)
        pgc_ddl_upgrade_oids(ddl, create, relation);
    if (relation->kind == PGC_RELKIND_VIEW)
        pgc_ddl_create_view(ddl, create, relation, name);
    else if (relation->kind == PGC_RELKIND_MATVIEW)
        pgc_ddl_create_materialized_view(ddl, create, relation, name);
    else
        pgc_ddl_create_table(ddl, create, relation, name);
    if (relation->kind != PGC_RELKIND_VIEW) {
        if (ddl->options->binary_upgrade)
            pgc_ddl_upgrade_table(ddl, create, relation, name);
        pgc_ddl_alter_columns(ddl, create, relation, name);
    }
    replica_identity_and_security(create, relation, name);
    pgc_ddl_extension_member(ddl, create, object, kind, pgc_ddl_name(ddl, object->name), object->schema ? object->schema->object.name : NULL);
    PGC_ENTRY(ddl, .object = object, .tag = object->name, .description = kind,
              .section = relation->postponed ? PGC_SECTION_POST_DATA : PGC_SECTION_PRE_DATA,
              .tablespace = has_tablespace(relation) ? relation->tablespace : NULL,
              .access_method = has_access_method(ddl, relation) ? relation->access_method : NULL,
              .relation_kind = relation->kind, .create = create->data,
              .drop = pgc_ddl_format(ddl, "DROP %s %s;\n", kind, name));
}

/* A NOT NULL constraint that stands with its column is no object of the catalog, and so its comment came with the column. */
static void comment_on_not_null(pgc_ddl *ddl, const pgc_object *table, const pgc_column *column)
{
    const char *constraint = pgc_ddl_name(ddl, column->not_null_name);
    PGC_ENTRY(ddl, .object = table, .id = -1, .no_catalog_row = true, .description = "COMMENT", .section = PGC_SECTION_NONE,
              .tag = pgc_ddl_format(ddl, "CONSTRAINT %s ON %s", constraint, pgc_ddl_name(ddl, table->name)),
              .create = pgc_ddl_format(ddl, "COMMENT ON CONSTRAINT %s ON %s IS %s;\n", constraint, pgc_ddl_object_name(ddl, table),
                                       pgc_ddl_literal(ddl, column->not_null_comment)),
              .dependencies = &table->id, .dependency_count = 1);
}

/* Comments on constraints that were written inside the table; those of others come with their own entries. */
static void comment_on_constraints(pgc_ddl *ddl, const pgc_relation *relation, const char *table, const char *schema)
{
    const pgc_object *object = &relation->object;
    for (int c = 0; c < relation->column_count && !ddl->options->no_comments; c++)
        if (relation->columns[c].not_null_comment)
            comment_on_not_null(ddl, object, &relation->columns[c]);
    for (int i = 0; i < relation->check_read_count; i++) {
        const pgc_constraint *check = relation->checks[i];
        if (check->separate || !check->local || !pgc_object_writes(&check->object, PGC_PART_COMMENT))
            continue;
        pgc_ddl_comment_on(ddl, pgc_ddl_format(ddl, "CONSTRAINT %s ON", pgc_ddl_name(ddl, check->object.name)), table, schema, object->owner,
                           PGC_PG_CONSTRAINT, check->object.oid, 0, object->id, NULL);
    }
}

static void privileges(pgc_ddl *ddl, const pgc_relation *relation, const char *name, const char *schema)
{
    const pgc_object *object = &relation->object;
    const char *kind = relation->kind == PGC_RELKIND_SEQUENCE ? "SEQUENCE" : "TABLE";
    int of_table = pgc_ddl_acl(ddl, object->id, 0, kind, name, NULL, schema, NULL, object->owner, &object->acl);
    for (int i = 0; i < relation->column_acl_count; i++) {
        const pgc_column_acl *column = &relation->column_acls[i];
        pgc_ddl_acl(ddl, object->id, of_table, "TABLE", name, pgc_ddl_name(ddl, column->column), schema, NULL, object->owner, &column->acl);
    }
}

void pgc_write_relation(pgc_ddl *ddl, const pgc_object *object)
{
    const pgc_relation *relation = (const pgc_relation *)object;
    if (ddl->options->data_only)
        return;
    const char *name = pgc_ddl_name(ddl, object->name), *schema = object->schema ? object->schema->object.name : NULL;
    if (pgc_object_writes(object, PGC_PART_DEFINITION)) {
        const char *kind = pgc_relation_kind_name(relation);
        if (relation->kind == PGC_RELKIND_SEQUENCE)
            pgc_write_sequence(ddl, relation);
        else
            define(ddl, relation);
        if (pgc_object_writes(object, PGC_PART_COMMENT))
            pgc_ddl_comment(ddl, object, kind, name, schema);
        if (pgc_object_writes(object, PGC_PART_SECURITY_LABEL))
            pgc_ddl_security_label(ddl, object, kind, name, schema);
        comment_on_constraints(ddl, relation, name, schema);
    }
    if (pgc_object_writes(object, PGC_PART_ACL))
        privileges(ddl, relation, name, schema);
}

/* ------------------------------------------------------------------ ALTER TABLE as an object */

void pgc_write_partition_attach(pgc_ddl *ddl, const pgc_object *object)
{
    const pgc_partition_attach *attach = (const pgc_partition_attach *)object;
    const pgc_object *partition = &attach->partition->object;
    if (ddl->options->data_only || !pgc_object_writes(partition, PGC_PART_DEFINITION))
        return;
    if (!attach->partition->partition_bound) {
        pgc_ddl_fail(ddl, "table \"%s\" is a partition without bounds", partition->name);
        return;
    }
    /* nothing to drop, since the table's own DROP does that; the owner is the one who may run it */
    PGC_ENTRY(ddl, .object = object, .tag = object->name, .owner = partition->owner, .description = "TABLE ATTACH", .section = PGC_SECTION_PRE_DATA,
              .create = pgc_ddl_format(ddl, "ALTER TABLE ONLY %s ATTACH PARTITION %s %s;\n", pgc_ddl_object_name(ddl, &attach->parent->object),
                                       pgc_ddl_object_name(ddl, partition), attach->partition->partition_bound));
}

void pgc_write_column_default(pgc_ddl *ddl, const pgc_object *object)
{
    const pgc_column_default *d = (const pgc_column_default *)object;
    const pgc_relation *relation = d->relation;
    if (ddl->options->data_only || !d->separate || !pgc_object_writes(object, PGC_PART_DEFINITION))
        return;
    const char *foreign = relation->kind == PGC_RELKIND_FOREIGN ? "FOREIGN " : "", *table = pgc_ddl_object_name(ddl, &relation->object);
    const char *name = relation->columns[d->number - 1].name, *column = pgc_ddl_name(ddl, name);
    PGC_ENTRY(ddl, .object = object, .tag = pgc_ddl_format(ddl, "%s %s", relation->object.name, name), .owner = relation->object.owner,
              .description = "DEFAULT", .section = PGC_SECTION_PRE_DATA,
              .create = pgc_ddl_format(ddl, "ALTER %sTABLE ONLY %s ALTER COLUMN %s SET DEFAULT %s;\n", foreign, table, column, d->expression),
              .drop = pgc_ddl_format(ddl, "ALTER %sTABLE %s ALTER COLUMN %s DROP DEFAULT;\n", foreign, table, column));
}
