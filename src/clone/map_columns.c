/*
 * The mapping against the catalog: what it names must be there. A column that is not copied is taken off its table
 * before definitions are written, and what else needs it (keys, indexes, views …, by pg_depend) is left out; a table
 * that cannot do without the column (a partition key, a generated column) is refused.
 */
#include "clone/clone_internal.h"

#include "catalog/dependent.h"
#include "postgres/connection.h"
#include "postgres/quote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLASS_OF_TABLES 1259u      /* pg_class */
#define CLASS_OF_DEFAULTS 2604u    /* pg_attrdef */
#define CLASS_OF_CONSTRAINTS 2606u /* pg_constraint */

/* The view for its rule; the column for its default. The columns of a partition key depend on the table, not it on
 * them. */
static const char needing_query[] =
    "SELECT CASE WHEN r.ev_type = '1' THEN 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid ELSE d.classid "
    "END, CASE WHEN r.ev_type = '1' THEN r.ev_class ELSE d.objid END, a.attname, coalesce(f.adnum, 0) "
    "FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = "
    "d.refobjsubid "
    "LEFT JOIN pg_catalog.pg_rewrite r ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND r.oid = d.objid "
    "LEFT JOIN pg_catalog.pg_attrdef f ON d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND f.oid = d.objid "
    "WHERE d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = $1 AND NOT a.attisdropped AND "
    "NOT (a.attname::text = ANY ($2::text[])) AND a.attnum > 0 "
    "UNION ALL SELECT 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid, p.partrelid, a.attname, 0 FROM "
    "pg_catalog.pg_partitioned_table p JOIN pg_catalog.pg_attribute a ON a.attrelid = p.partrelid "
    "AND a.attnum = ANY (p.partattrs) WHERE p.partrelid = $1 AND NOT (a.attname::text = ANY ($2::text[]))";

static int refuse(const pgc_mapped_table *mapped, const char *what, const char *column, const char *hint,
                  pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "the mapping of %s.%s%s%s: %s", mapped->schema, mapped->name,
                       column ? "." : "", column ? column : "", what);
    pgconvoy_error_hint(err, "%s", hint);
    return -1;
}

static const pgc_mapped_table *own(const pgc_clone *clone, const pgc_relation *relation)
{
    return relation->object.schema
               ? pgc_mapping_table(clone->options->mapping, relation->object.schema->object.name, relation->object.name)
               : NULL;
}

static const pgc_column *column_of(const pgc_relation *relation, const char *name)
{
    for (int i = 0; i < relation->column_count; i++)
        if (!relation->columns[i].dropped && strcmp(relation->columns[i].name, name) == 0)
            return &relation->columns[i];
    return NULL;
}

const pgc_mapped_table *clone_map_of_column(const pgc_clone *clone, const pgc_relation *relation, const char *column)
{
    const pgc_mapped_table *mapped = own(clone, relation);
    if (mapped && strcmp(pgc_mapped_column(mapped, column), column) != 0)
        return mapped;
    for (int i = 0; i < relation->parent_count; i++)
        if (column_of(relation->parents[i], column) &&
            (mapped = clone_map_of_column(clone, relation->parents[i], column)))
            return mapped;
    return NULL;
}

/* ------------------------------------------------------------------ is it there? */

static pgc_relation *find(const pgc_clone *clone, const pgc_mapped_table *mapped)
{
    int count;
    pgc_relation **relations = pgc_catalog_relations(clone->catalog, &count);
    for (int i = 0; i < count; i++)
        if (strcmp(relations[i]->object.name, mapped->name) == 0 && relations[i]->object.schema &&
            strcmp(relations[i]->object.schema->object.name, mapped->schema) == 0)
            return relations[i];
    return NULL;
}

static bool parent_has(const pgc_relation *relation, const char *column)
{
    for (int i = 0; i < relation->parent_count; i++)
        if (column_of(relation->parents[i], column))
            return true;
    return false;
}

static int check_renamed(const pgc_mapped_table *mapped, const pgc_relation *relation, pgconvoy_error *err)
{
    for (int i = 0; i < mapped->renamed_count; i++) {
        const char *from = mapped->renamed[i].from, *to = mapped->renamed[i].to;
        if (!column_of(relation, from) || !pgc_mapped_has(mapped, from))
            return refuse(mapped, "there is no such column among those that are copied", from,
                          "see --map-column and --columns", err);
        if (column_of(relation, to) && pgc_mapped_has(mapped, to))
            return refuse(mapped, "a column has the new name already", to,
                          "give the column a name that is free in the table", err);
        if (parent_has(relation, from))
            return refuse(mapped, "the column comes from a parent", from,
                          "give the parent's column its new name; partitions and children follow", err);
    }
    return 0;
}

static int check_columns(const pgc_mapped_table *mapped, const pgc_relation *relation, pgconvoy_error *err)
{
    for (int i = 0; i < mapped->column_count; i++)
        if (!column_of(relation, mapped->columns[i]))
            return refuse(mapped, "there is no such column", mapped->columns[i], "see --columns", err);
    if (mapped->column_count > 0 && relation->kind != PGC_RELKIND_TABLE && relation->kind != PGC_RELKIND_PARTITIONED &&
        relation->kind != PGC_RELKIND_FOREIGN)
        return refuse(mapped, "a list of columns is for tables", NULL, "see --columns", err);
    if (mapped->column_count > 0 && (relation->parent_count > 0 || relation->of_type))
        return refuse(mapped, "its columns are not its own", NULL,
                      relation->of_type ? "a table of a type has all of the type's columns"
                                        : "give the columns of its parent; partitions and children follow",
                      err);
    return 0;
}

/* The source says whether a condition is one. */
static int check_where(const pgc_clone *clone, const pgc_mapped_table *mapped, const pgc_relation *relation,
                       pgconvoy_error *err)
{
    if (!mapped->where)
        return 0;
    if (relation->kind != PGC_RELKIND_TABLE && relation->kind != PGC_RELKIND_PARTITIONED)
        return refuse(mapped, "a condition is for tables with rows", NULL, "see --where", err);
    pgc_buffer sql;
    pgc_buffer_init(&sql, 1 << 20);
    pgc_buffer_text(&sql, "SELECT 1 FROM ONLY ");
    pgc_quote_qualified(&sql, mapped->schema, mapped->name);
    pgc_buffer_format(&sql, " WHERE (%s\n) LIMIT 0", mapped->where);
    PGresult *result =
        pgc_buffer_check(&sql, err) ? NULL : pgc_query(pgc_catalog_connection(clone->catalog), sql.data, err);
    pgc_buffer_free(&sql);
    if (!result) {
        char what[200];
        snprintf(what, sizeof what, "the condition for the rows of %.80s.%.80s", mapped->schema, mapped->name);
        pgc_error_prefix(err, "%s", what);
        pgconvoy_error_hint(err, "give --where 'SCHEMA.TABLE=CONDITION' a condition over the table's columns; names "
                                 "outside of pg_catalog need their schema");
        pgconvoy_error_retriable(err, false);
        return -1;
    }
    PQclear(result);
    return 0;
}

static int check(const pgc_clone *clone, const pgc_mapped_table *mapped, pgc_relation *relation, pgconvoy_error *err)
{
    if (relation && clone->options->part && !(relation->object.wanted & PGC_PART_DEFINITION))
        return 0; /* of a table that is not copied in this run */
    if (!relation || !(relation->object.wanted & (PGC_PART_DEFINITION | PGC_PART_DATA)) ||
        relation->object.extension_member)
        return refuse(mapped, "there is no such table among those that are copied", NULL,
                      "names are those of the source, SCHEMA.TABLE; see also -t, -n", err);
    if (relation->kind == PGC_RELKIND_SEQUENCE)
        return refuse(mapped, "sequences keep their names", NULL, "leave it out of the mapping", err);
    return check_renamed(mapped, relation, err) || check_columns(mapped, relation, err) ||
                   check_where(clone, mapped, relation, err)
               ? -1
               : 0;
}

static int check_schemas(const pgc_clone *clone, pgconvoy_error *err)
{
    const pgc_mapped_name *schemas;
    int count = pgc_mapping_schemas(clone->options->mapping, &schemas);
    PGconn *conn = pgc_catalog_connection(clone->catalog);
    for (int i = 0; i < count; i++) {
        const char *values[] = {schemas[i].from};
        PGresult *result =
            pgc_query_params(conn,
                             "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1 AND nspname !~ '^pg_' AND "
                             "nspname NOT IN ('information_schema', 'pgconvoy', 'old', 'new')",
                             1, values, err);
        if (!result)
            return -1;
        bool there = PQntuples(result) > 0;
        PQclear(result);
        if (there)
            continue;
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG,
                           "the mapping of schema %s: the source has no such schema that could be given another name",
                           schemas[i].from);
        pgconvoy_error_hint(err, "names are those of the source; see --map-schema");
        return -1;
    }
    return 0;
}

/* ------------------------------------------------------------------ fewer columns */

/* Its own list of columns, or that of the ancestor from which it has them. */
static const pgc_mapped_table *list_of(const pgc_clone *clone, const pgc_relation *relation)
{
    const pgc_mapped_table *mapped = own(clone, relation);
    if (mapped && mapped->column_count > 0)
        return mapped;
    mapped = NULL;
    for (int i = 0; i < relation->parent_count && !mapped; i++)
        mapped = list_of(clone, relation->parents[i]);
    return mapped;
}

/* A column that a child has of its own stays. */
static bool stays(const pgc_clone *clone, const pgc_relation *relation, const pgc_mapped_table *mapped,
                  const char *column)
{
    if (pgc_mapped_has(mapped, column))
        return true;
    if (own(clone, relation) == mapped)
        return false;
    for (int i = 0; i < relation->parent_count; i++)
        for (int c = 0; c < relation->parents[i]->column_count; c++)
            if (strcmp(relation->parents[i]->columns[c].name, column) == 0)
                return false;
    return true;
}

/* The names of the columns that stay, as text[]. */
static int name_staying(const pgc_clone *clone, const pgc_relation *relation, const pgc_mapped_table *mapped,
                        pgc_buffer *array, pgconvoy_error *err)
{
    for (int i = 0; i < relation->column_count; i++)
        if (!relation->columns[i].dropped && stays(clone, relation, mapped, relation->columns[i].name))
            pgc_quote_array_element(array, relation->columns[i].name);
    pgc_array_end(array);
    return pgc_buffer_check(array, err);
}

static int note_needing(pgc_clone *clone, const pgc_relation *relation, uint32_t class_oid, uint32_t oid,
                        const char *column, pgconvoy_error *err)
{
    if (clone->needing_count == clone->needing_capacity) {
        int capacity = clone->needing_capacity ? 2 * clone->needing_capacity : 32;
        clone_needing *longer = pgc_arena_alloc(clone->arena, sizeof *longer * (size_t)capacity);
        if (!longer)
            return pgc_error_out_of_memory(err);
        if (clone->needing_count > 0)
            memcpy(longer, clone->needing, sizeof *longer * (size_t)clone->needing_count);
        clone->needing = longer;
        clone->needing_capacity = capacity;
    }
    char name[256];
    snprintf(name, sizeof name, "%.80s.%.80s.%.80s", relation->object.schema->object.name, relation->object.name,
             column);
    const char *copy = pgc_arena_strdup(clone->arena, name);
    if (!copy)
        return pgc_error_out_of_memory(err);
    clone->needing[clone->needing_count++] = (clone_needing){.class_oid = class_oid, .oid = oid, .column = copy};
    return 0;
}

/* Checks that are written inside of CREATE TABLE have no entry that could be left out. */
static void remove_check(const pgc_clone *clone, pgc_relation *relation, uint32_t oid)
{
    int kept = 0;
    for (int i = 0; i < relation->check_read_count; i++) {
        const pgc_constraint *check = relation->checks[i];
        if (check->object.oid == oid && !check->separate)
            pgc_log_warning(clone->options->log, "left out: check constraint %s of %s.%s (a column that is not copied)",
                            check->object.name, relation->object.schema->object.name, relation->object.name);
        else
            relation->checks[kept++] = relation->checks[i];
    }
    relation->check_read_count = kept;
}

static int take_needing(pgc_clone *clone, pgc_relation *relation, const pgc_mapped_table *mapped,
                        const PGresult *result, int row, pgconvoy_error *err)
{
    uint32_t class_oid = (uint32_t)strtoul(PQgetvalue(result, row, 0), NULL, 10),
             oid = (uint32_t)strtoul(PQgetvalue(result, row, 1), NULL, 10);
    const char *column = PQgetvalue(result, row, 2);
    int number = atoi(PQgetvalue(result, row, 3));
    if (class_oid == CLASS_OF_TABLES && oid == relation->object.oid)
        return refuse(mapped, "the table is partitioned by the column", column, "put it on the list of columns", err);
    if (class_oid == CLASS_OF_DEFAULTS && number > 0 && number <= relation->column_count &&
        stays(clone, relation, mapped, relation->columns[number - 1].name))
        return refuse(mapped, "another column is generated from it", column,
                      "put it on the list of columns, or leave that one out, too", err);
    if (class_oid == CLASS_OF_CONSTRAINTS)
        remove_check(clone, relation, oid);
    return note_needing(clone, relation, class_oid, oid, column, err);
}

static void remove_columns(const pgc_clone *clone, pgc_relation *relation, const pgc_mapped_table *mapped)
{
    int kept = 0;
    for (int i = 0; i < relation->column_acl_count; i++) {
        const char *name = relation->column_acls[i].column;
        if (!column_of(relation, name) || stays(clone, relation, mapped, name))
            relation->column_acls[kept++] = relation->column_acls[i];
    }
    relation->column_acl_count = kept;
    for (int i = 0; i < relation->column_count; i++)
        relation->columns[i].dropped |= !stays(clone, relation, mapped, relation->columns[i].name);
}

static int narrow(pgc_clone *clone, pgc_relation *relation, const pgc_mapped_table *mapped, pgconvoy_error *err)
{
    pgc_buffer staying;
    char oid[16];
    pgc_buffer_init(&staying, 1 << 20);
    snprintf(oid, sizeof oid, "%u", relation->object.oid);
    int status = name_staying(clone, relation, mapped, &staying, err);
    const char *values[] = {oid, staying.data};
    PGresult *result =
        status ? NULL : pgc_query_params(pgc_catalog_connection(clone->catalog), needing_query, 2, values, err);
    pgc_buffer_free(&staying);
    if (!result)
        return -1;
    for (int i = 0; i < PQntuples(result) && status == 0; i++)
        status = take_needing(clone, relation, mapped, result, i, err);
    PQclear(result);
    if (status == 0)
        remove_columns(clone, relation, mapped);
    return status;
}

int clone_map_catalog(pgc_clone *clone, pgconvoy_error *err)
{
    const pgc_mapped_table *tables;
    int table_count = pgc_mapping_tables(clone->options->mapping, &tables), count;
    if (check_schemas(clone, err))
        return -1;
    for (int i = 0; i < table_count; i++)
        if (check(clone, &tables[i], find(clone, &tables[i]), err))
            return -1;
    pgc_relation **relations = pgc_catalog_relations(clone->catalog, &count);
    /* children first: they look at the columns of their parents */
    for (int depth = 0, more = table_count > 0; more; depth++) {
        more = false;
        for (int i = 0; i < count; i++) {
            const pgc_mapped_table *mapped =
                relations[i]->interesting && relations[i]->object.schema ? list_of(clone, relations[i]) : NULL;
            bool is_own = mapped && own(clone, relations[i]) == mapped;
            if (mapped && depth == (is_own ? 1 : 0) && narrow(clone, relations[i], mapped, err))
                return -1;
            more |= mapped && depth == 0;
        }
    }
    return 0;
}

/* ------------------------------------------------------------------ what needs the others */

int clone_map_leave_out(pgc_clone *clone, pgconvoy_error *err)
{
    char why[300];
    for (int n = 0; n < clone->needing_count; n++)
        for (int i = 0; i < clone->entries.count; i++) {
            const clone_needing *needing = &clone->needing[n];
            const pgc_entry *entry = clone->entries.items[i];
            uint32_t class_oid = entry->object ? entry->object->class_oid : entry->class_oid,
                     oid = entry->object ? entry->object->oid : entry->oid;
            if (class_oid != needing->class_oid || oid != needing->oid)
                continue;
            snprintf(why, sizeof why, "needs the column %s, which is not copied", needing->column);
            if (clone_leave_out(clone, entry, why, err))
                return -1;
        }
    return 0;
}
