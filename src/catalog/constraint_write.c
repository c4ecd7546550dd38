/* ALTER TABLE … ADD CONSTRAINT: primary keys, unique, exclusion and foreign key constraints, and the checks that stand by themselves, also of domains. */
#include "catalog/index_write.h"

/* What ADD and DROP CONSTRAINT begin with: "ALTER TABLE ONLY public.t". */
static const char *alter_table(pgc_ddl *ddl, const pgc_constraint *constraint, bool only)
{
    return pgc_ddl_format(ddl, "ALTER %sTABLE %s%s", constraint->relation->kind == PGC_RELKIND_FOREIGN ? "FOREIGN " : "", only ? "ONLY " : "",
                          pgc_ddl_object_name(ddl, &constraint->relation->object));
}

static void write_entry(pgc_ddl *ddl, const pgc_constraint *constraint, const char *alter, const char *description, const char *tablespace,
                        const pgc_buffer *create)
{
    const pgc_object *object = &constraint->object, *on = constraint->relation ? &constraint->relation->object : &constraint->domain->object;
    if (!pgc_object_writes(object, PGC_PART_DEFINITION))
        return;
    PGC_ENTRY(ddl, .object = object, .tag = pgc_ddl_format(ddl, "%s %s", on->name, object->name), .schema = on->schema->object.name,
              .owner = on->owner ? on->owner : "", .tablespace = tablespace, .description = description, .section = PGC_SECTION_POST_DATA,
              .create = create->data, .drop = pgc_ddl_format(ddl, "%s DROP CONSTRAINT %s;\n", alter, pgc_ddl_name(ddl, object->name)));
}

/* ------------------------------------------------------------------ with an index */

static void write_columns(pgc_ddl *ddl, pgc_buffer *out, const pgc_index *index, int from, int until)
{
    const pgc_relation *relation = index->relation;
    for (int i = from; i < until; i++) {
        uint32_t number = index->columns[i];
        if (number == 0 || number > (uint32_t)relation->column_count)
            break;
        pgc_buffer_format(out, "%s%s", i == from ? "" : ", ", pgc_ddl_name(ddl, relation->columns[number - 1].name));
    }
}

static void write_key(pgc_ddl *ddl, pgc_buffer *out, const pgc_constraint *constraint, const pgc_index *index)
{
    pgc_buffer_format(out, "%s%s (", constraint->type == 'p' ? "PRIMARY KEY" : "UNIQUE", index->nulls_not_distinct ? " NULLS NOT DISTINCT" : "");
    write_columns(ddl, out, index, 0, index->key_count);
    pgc_buffer_text(out, constraint->without_overlaps ? " WITHOUT OVERLAPS" : "");
    if (index->key_count < index->column_count)
        pgc_buffer_text(out, ") INCLUDE (");
    write_columns(ddl, out, index, index->key_count, index->column_count);
    pgc_buffer_byte(out, ')');
    if (strlen(index->options) > 2) { /* more than "{}" */
        pgc_buffer_text(out, " WITH (");
        pgc_ddl_reloptions(ddl, out, index->options, "");
        pgc_buffer_byte(out, ')');
    }
    if (constraint->deferrable)
        pgc_buffer_format(out, " DEFERRABLE%s", constraint->deferred ? " INITIALLY DEFERRED" : "");
}

static void write_with_index(pgc_ddl *ddl, const pgc_constraint *constraint)
{
    const pgc_index *index = (const pgc_index *)pgc_catalog_object(ddl->catalog, constraint->index_id);
    if (!index) {
        pgc_ddl_fail(ddl, "missing index for constraint \"%s\"", constraint->object.name);
        return;
    }
    pgc_buffer *create = pgc_ddl_buffer(ddl);
    const char *alter = alter_table(ddl, constraint, true);
    pgc_index_write_oids(ddl, create, index);
    pgc_buffer_format(create, "%s\n    ADD CONSTRAINT %s ", alter, pgc_ddl_name(ddl, constraint->object.name));
    if (constraint->definition)
        pgc_buffer_text(create, constraint->definition);
    else
        write_key(ddl, create, constraint, index);
    pgc_buffer_text(create, ";\n");
    pgc_index_write_cluster(ddl, create, index);
    pgc_index_write_identity(ddl, create, index);
    pgc_ddl_depends_on_extension(ddl, create, &index->object, "INDEX", pgc_ddl_object_name(ddl, &index->object));
    write_entry(ddl, constraint, alter, "CONSTRAINT", index->tablespace, create);
}

/* ------------------------------------------------------------------ without */

static void write_plain(pgc_ddl *ddl, const pgc_constraint *constraint, const char *alter, const char *description)
{
    pgc_buffer *create = pgc_ddl_buffer(ddl);
    pgc_buffer_format(create, "%s\n    ADD CONSTRAINT %s %s;\n", alter, pgc_ddl_name(ddl, constraint->object.name), constraint->definition);
    write_entry(ddl, constraint, alter, description, NULL, create);
}

/* A check, or a NOT NULL constraint of 18. */
static const char *check_description(const pgc_constraint *constraint)
{
    return constraint->type == 'c' ? "CHECK CONSTRAINT" : "CONSTRAINT";
}

static void write_of_domain(pgc_ddl *ddl, const pgc_constraint *constraint)
{
    const pgc_object *object = &constraint->object, *domain = &constraint->domain->object;
    write_plain(ddl, constraint, pgc_ddl_format(ddl, "ALTER DOMAIN %s", pgc_ddl_object_name(ddl, domain)), check_description(constraint));
    if (pgc_object_writes(object, PGC_PART_COMMENT))
        pgc_ddl_comment_on(ddl, pgc_ddl_format(ddl, "CONSTRAINT %s ON DOMAIN", pgc_ddl_name(ddl, object->name)), pgc_ddl_name(ddl, domain->name),
                           domain->schema->object.name, domain->owner, object->class_oid, object->oid, 0, object->id, NULL);
}

static void write_of_table(pgc_ddl *ddl, const pgc_constraint *constraint)
{
    switch (constraint->type) {
    case 'p':
    case 'u':
    case 'x':
        write_with_index(ddl, constraint);
        return;
    case 'f':
        /* of a partitioned table it is for the partitions too; inheritance knows no foreign keys */
        write_plain(ddl, constraint, alter_table(ddl, constraint, constraint->relation->kind != PGC_RELKIND_PARTITIONED), "FK CONSTRAINT");
        return;
    case 'c':
    case 'n':
        /* not ONLY, so that it reaches the children, which then have none of their own */
        if (constraint->local)
            write_plain(ddl, constraint, alter_table(ddl, constraint, false), check_description(constraint));
        return;
    default:
        pgc_ddl_fail(ddl, "unrecognized constraint type: %c", constraint->type);
    }
}

void pgc_write_constraint(pgc_ddl *ddl, const pgc_object *object)
{
    const pgc_constraint *constraint = (const pgc_constraint *)object;
    if (!constraint->separate)
        return;
    if (constraint->domain) {
        write_of_domain(ddl, constraint);
        return;
    }
    write_of_table(ddl, constraint);
    const pgc_object *relation = &constraint->relation->object;
    if (pgc_object_writes(object, PGC_PART_COMMENT))
        pgc_ddl_comment_on(ddl, pgc_ddl_format(ddl, "CONSTRAINT %s ON", pgc_ddl_name(ddl, object->name)), pgc_ddl_name(ddl, relation->name),
                           relation->schema->object.name, relation->owner, object->class_oid, object->oid, 0, object->id, NULL);
}
