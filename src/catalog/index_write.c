/* CREATE INDEX, what only ALTER can say of an index, and ATTACH PARTITION. An index that belongs to a constraint is made by that; only its comment is written here. */
#include "catalog/index_write.h"

void pgc_index_write_oids(pgc_ddl *ddl, pgc_buffer *out, const pgc_index *index)
{
    if (!ddl->options->binary_upgrade)
        return;
    pgc_buffer_format(out,
                      "\n-- For binary upgrade, must preserve pg_class oids and relfilenodes\n"
                      "SELECT pg_catalog.binary_upgrade_set_next_index_pg_class_oid('%u'::pg_catalog.oid);\n"
                      "SELECT pg_catalog.binary_upgrade_set_next_index_relfilenode('%u'::pg_catalog.oid);\n",
                      index->object.oid, index->file_node);
    pgc_buffer_byte(out, '\n');
}

void pgc_index_write_cluster(pgc_ddl *ddl, pgc_buffer *out, const pgc_index *index)
{
    if (index->clustered)
        pgc_buffer_format(out, "\nALTER TABLE %s CLUSTER ON %s;\n", pgc_ddl_object_name(ddl, &index->relation->object), pgc_ddl_name(ddl, index->object.name));
}

void pgc_index_write_identity(pgc_ddl *ddl, pgc_buffer *out, const pgc_index *index)
{
    if (index->replica_identity)
        pgc_buffer_format(out, "\nALTER TABLE ONLY %s REPLICA IDENTITY USING INDEX %s;\n", pgc_ddl_object_name(ddl, &index->relation->object),
                          pgc_ddl_name(ddl, index->object.name));
}

static void write_statistics_targets(pgc_ddl *ddl, pgc_buffer *out, const pgc_index *index, const char *name)
{
    if (!index->statistics_columns)
        return;
    char **columns, **targets;
    int count = pgc_parse_array(ddl->scratch, index->statistics_columns, &columns);
    if (count < 0 || pgc_parse_array(ddl->scratch, index->statistics_values, &targets) != count) {
        pgc_ddl_fail(ddl, "could not parse index statistic columns");
        return;
    }
    for (int i = 0; i < count; i++)
        pgc_buffer_format(out, "ALTER INDEX %s ALTER COLUMN %s SET STATISTICS %s;\n", name, columns[i], targets[i]);
}

/* An index of plain columns: what the server would say of it (see indexes.sql). */
static void plain_definition(pgc_ddl *ddl, pgc_buffer *out, const pgc_index *index)
{
    const pgc_relation *relation = index->relation;
    pgc_buffer_format(out, "CREATE %sINDEX %s ON %s USING %s (", index->unique ? "UNIQUE " : "", pgc_ddl_name(ddl, index->object.name),
                      pgc_ddl_object_name(ddl, &relation->object), pgc_ddl_name(ddl, "btree"));
    for (int i = 0; i < index->column_count; i++) {
        int number = index->columns[i];
        if (number < 1 || number > relation->column_count) {
            pgc_ddl_fail(ddl, "index %s has a column %d, which its table %s has not", index->object.name, number, relation->object.name);
            return;
        }
        pgc_buffer_format(out, "%s%s", i ? ", " : "", pgc_ddl_name(ddl, relation->columns[number - 1].name));
    }
    pgc_buffer_byte(out, ')');
}

static void write_definition(pgc_ddl *ddl, const pgc_index *index)
{
    pgc_buffer *create = pgc_ddl_buffer(ddl);
    const char *name = pgc_ddl_object_name(ddl, &index->object);
    pgc_index_write_oids(ddl, create, index);
    if (index->definition)
        pgc_buffer_text(create, index->definition);
    else
        plain_definition(ddl, create, index);
    pgc_buffer_text(create, ";\n");
    pgc_index_write_cluster(ddl, create, index);
    write_statistics_targets(ddl, create, index, name);
    pgc_ddl_depends_on_extension(ddl, create, &index->object, "INDEX", name);
    pgc_index_write_identity(ddl, create, index);
    /* a part of a partitioned index cannot be dropped by itself */
    PGC_ENTRY(ddl, .object = &index->object, .description = "INDEX", .section = PGC_SECTION_POST_DATA, .tablespace = index->tablespace, .create = create->data,
              .drop = index->parent ? "" : pgc_ddl_format(ddl, "DROP INDEX %s;\n", name));
}

void pgc_write_index(pgc_ddl *ddl, const pgc_object *object)
{
    const pgc_index *index = (const pgc_index *)object;
    if (!index->constraint_id && pgc_object_writes(object, PGC_PART_DEFINITION))
        write_definition(ddl, index);
    if (pgc_object_writes(object, PGC_PART_COMMENT))
        pgc_ddl_comment_on(ddl, "INDEX", pgc_ddl_name(ddl, object->name), object->schema->object.name, object->owner, object->class_oid, object->oid, 0,
                           index->constraint_id ? index->constraint_id : object->id, NULL);
}

void pgc_write_index_attach(pgc_ddl *ddl, const pgc_object *object)
{
    const pgc_index_attach *attach = (const pgc_index_attach *)object;
    if (!pgc_object_writes(&attach->partition->object, PGC_PART_DEFINITION))
        return;
    PGC_ENTRY(ddl, .object = object, .owner = attach->parent->object.owner, .description = "INDEX ATTACH", .section = PGC_SECTION_POST_DATA,
              .create = pgc_ddl_format(ddl, "ALTER INDEX %s ATTACH PARTITION %s;\n", pgc_ddl_object_name(ddl, &attach->parent->object),
                                       pgc_ddl_object_name(ddl, &attach->partition->object)));
}

/* Indexes of one schema have different names; the table's name would only tell those of two schemas apart, which sort apart anyway. */
int pgc_compare_index(const pgc_catalog *catalog, const pgc_object *a, const pgc_object *b)
{
    (void)catalog;
    return strcmp(((const pgc_index *)a)->relation->object.name, ((const pgc_index *)b)->relation->object.name);
}
