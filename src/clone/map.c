/*
 * Other names in the target. A schema has its new name from the beginning: all that is defined names it, and
 * sql_names.c finds the places. Tables and columns are made under their own names, and get the new ones at the very
 * end, in the transaction that ends the copy, by ALTER … RENAME: so the server itself sees to indexes, constraints,
 * foreign keys, triggers, views and whatever else speaks of them. Only bodies of functions that are text stay as they
 * are, and are named.
 */
#include "clone/clone_internal.h"

#include "catalog/dependent.h"
#include "postgres/quote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ names of one table */

const pgc_relation *clone_map_relation(const pgc_entry *entry)
{
    const pgc_object *object = entry->object;
    if (!object)
        return NULL;
    if (object->kind == PGC_KIND_RELATION &&
        (pgc_entry_is_one_of(entry,
                  (const char *const[]){"TABLE", "VIEW", "MATERIALIZED VIEW", "FOREIGN TABLE", "SEQUENCE", NULL})))
        return (const pgc_relation *)object;
    if (object->kind == PGC_KIND_TABLE_DATA || object->kind == PGC_KIND_MATVIEW_REFRESH ||
        object->kind == PGC_KIND_SEQUENCE_VALUE)
        return ((const pgc_table_data *)object)->relation;
    return NULL;
}

static const pgc_mapped_table *mapped_table(const pgc_clone *clone, const pgc_relation *relation)
{
    return relation && relation->object.schema
               ? pgc_mapping_table(clone->options->mapping, relation->object.schema->object.name, relation->object.name)
               : NULL;
}

bool clone_map_renames(const pgc_clone *clone, const pgc_relation *relation)
{
    const pgc_mapped_table *mapped = mapped_table(clone, relation);
    return mapped && mapped->to_name;
}

static void final_name(const pgc_clone *clone, const pgc_relation *relation, const char **schema, const char **name)
{
    pgc_mapping_target(clone->options->mapping, relation->object.schema->object.name, relation->object.name, schema, name);
}

void clone_map_final(const pgc_clone *clone, const pgc_entry *entry, const char **schema, const char **name)
{
    const pgc_relation *relation = clone_map_relation(entry);
    *schema = entry->schema;
    *name = entry->tag;
    if (clone_map_renames(clone, relation))
        final_name(clone, relation, schema, name);
}

/* The entries of tables that are there have their names already (clone_map_present). */
void clone_map_append(const pgc_clone *clone, const pgc_relation *relation, pgc_buffer *sql)
{
    const clone_table *table = clone_tables_find(clone, relation);
    const char *schema = pgc_mapping_schema(clone->options->mapping, relation->object.schema->object.name),
               *name = relation->object.name;
    if (table && table->is_there && clone_map_renames(clone, relation))
        final_name(clone, relation, &schema, &name);
    pgc_quote_qualified(sql, schema, name);
}

static const pgc_relation *owner_of_sequence(const pgc_clone *clone, const pgc_relation *sequence)
{
    int count;
    pgc_relation **relations = pgc_catalog_relations(clone->catalog, &count);
    for (int i = 0; i < count && sequence->owning_table; i++)
        if (relations[i]->object.oid == sequence->owning_table)
            return relations[i];
    return NULL;
}

static void append_name(pgc_buffer *sql, const char *before, const char *name, const char *after)
{
    pgc_buffer_text(sql, before);
    pgc_quote_identifier(sql, name);
    pgc_buffer_text(sql, after);
}

/* ------------------------------------------------------------------ the schema on the way */

static bool makes_schema(const pgc_entry *entry, const char *schema)
{
    return pgc_entry_is(entry, "SCHEMA") && strcmp(entry->tag, schema) == 0;
}

/* A table that comes into another schema is made in its own, which -t does not bring. */
static int make_schemas_on_the_way(pgc_clone *clone, pgconvoy_error *err)
{
    const pgc_mapped_table *tables;
    int count = pgc_mapping_tables(clone->options->mapping, &tables);
    for (int i = 0; i < count; i++) {
        const char *schema = pgc_mapping_schema(clone->options->mapping, tables[i].schema);
        bool made = !tables[i].to_schema || clone->dump.data_only || strcmp(schema, "public") == 0;
        for (int n = 0; n < clone->entries.count && !made; n++)
            made = makes_schema(clone->entries.items[n], schema);
        if (!made && clone_map_make_schema(clone, schema, err))
            return -1;
    }
    return 0;
}

/* Does the entry make something that is in this schema at the end? */
static bool stays_in(const pgc_clone *clone, const pgc_entry *entry, const char *schema)
{
    if (!entry->schema || strcmp(entry->schema, schema) != 0 || !entry->drop || !entry->drop[0] ||
        clone_entry_relation(entry))
        return false;
    const pgc_relation *relation = clone_map_relation(entry);
    if (relation && relation->kind == PGC_RELKIND_SEQUENCE && owner_of_sequence(clone, relation))
        relation = owner_of_sequence(clone, relation);
    const pgc_mapped_table *mapped = mapped_table(clone, relation);
    return !mapped || !mapped->to_schema || strcmp(mapped->to_schema, schema) == 0;
}

/* Away with one that was made on the way and is empty in the end. */
static void drop_schema_on_the_way(const pgc_clone *clone, const char *schema, pgc_buffer *sql)
{
    bool made = false, stays = false;
    for (int i = 0; i < clone->entries.count; i++) {
        const pgc_entry *entry = clone->entries.items[i];
        made |= makes_schema(entry, schema) && !entry->object && !clone_is_left_out(entry);
        stays |= stays_in(clone, entry, schema);
    }
    if (made && !stays)
        append_name(sql, "DROP SCHEMA IF EXISTS ", schema, ";");
}

/* ------------------------------------------------------------------ two under one name */

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int refuse_twins(pgc_clone *clone, pgconvoy_error *err)
{
    char **names = calloc((size_t)clone->entries.count + 1, sizeof *names);
    int count = 0, result = names ? 0 : pgc_error_out_of_memory(err);
    for (int i = 0; i < clone->entries.count && result == 0; i++) {
        const pgc_entry *entry = clone->entries.items[i];
        const char *schema, *name;
        if (!clone_map_relation(entry) || entry->object->kind != PGC_KIND_RELATION)
            continue;
        clone_map_final(clone, entry, &schema, &name);
        if (asprintf(&names[count], "%s.%s", schema ? schema : "", name) < 0)
            result = pgc_error_out_of_memory(err);
        else
            count++;
    }
    if (count > 1)
        qsort(names, (size_t)count, sizeof *names, compare_texts);
    for (int i = 1; i < count && result == 0; i++)
        if (strcmp(names[i - 1], names[i]) == 0) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "two tables would have the name %s in the target", names[i]);
            pgconvoy_error_hint(err, "give one of them another name with --map-table, or leave it out with -T");
            result = -1;
        }
    for (int i = 0; i < count; i++)
        free(names[i]);
    free(names);
    return result;
}

/* ------------------------------------------------------------------ --if-exists drop */

/* What is to go is the table that has the new name, with all that hangs on it. */
static int map_drop(pgc_clone *clone, pgc_entry *entry, pgconvoy_error *err)
{
    const pgc_relation *relation = clone_map_relation(entry), *hangs_on = clone_entry_relation(entry);
    const char *schema, *name;
    if (hangs_on && clone_map_renames(clone, hangs_on) && !pgc_entry_is(entry, "STATISTICS"))
        entry->drop = "";
    if (!relation || entry->object->kind != PGC_KIND_RELATION || !clone_map_renames(clone, relation))
        return 0;
    final_name(clone, relation, &schema, &name);
    pgc_buffer drop;
    pgc_buffer_init(&drop, 1 << 12);
    pgc_buffer_format(&drop, "DROP %s ", entry->description);
    pgc_quote_qualified(&drop, schema, name);
    pgc_buffer_text(&drop, ";\n");
    int result = pgc_buffer_check(&drop, err);
    if (result == 0 && !(entry->drop = pgc_arena_strdup(clone->entries.arena, drop.data)))
        result = pgc_error_out_of_memory(err);
    pgc_buffer_free(&drop);
    return result;
}

int clone_map_entries(pgc_clone *clone, pgconvoy_error *err)
{
    if (pgc_mapping_is_empty(clone->options->mapping))
        return 0;
    if (clone_map_schemas(clone, err))
        return -1;
    for (int i = 0; i < clone->entries.count; i++)
        if (map_drop(clone, clone->entries.items[i], err))
            return -1;
    return make_schemas_on_the_way(clone, err) || refuse_twins(clone, err) ? -1 : 0;
}

/* ------------------------------------------------------------------ tables that are there */

static bool has_other_columns(const pgc_clone *clone, const pgc_relation *relation)
{
    for (int i = 0; i < relation->column_count; i++)
        if (!relation->columns[i].dropped && clone_map_of_column(clone, relation, relation->columns[i].name))
            return true;
    return false;
}

/* The rows of a table that is there, by the names that it and its columns have there. */
static int name_copy(pgc_clone *clone, pgc_entry *entry, const pgc_relation *relation, pgconvoy_error *err)
{
    pgc_buffer copy;
    pgc_buffer_init(&copy, 1 << 20);
    pgc_buffer_text(&copy, "COPY ");
    pgc_quote_qualified(&copy, entry->schema, entry->tag);
    const char *before = " (";
    for (int i = 0; i < relation->column_count; i++) {
        const pgc_column *column = &relation->columns[i];
        if (column->dropped || column->generated)
            continue;
        pgc_buffer_text(&copy, before);
        pgc_quote_identifier(&copy,
                             pgc_mapped_column(clone_map_of_column(clone, relation, column->name), column->name));
        before = ", ";
    }
    pgc_buffer_text(&copy, before[0] == ',' ? ") FROM stdin;\n" : " FROM stdin;\n");
    int result = pgc_buffer_check(&copy, err);
    if (result == 0 && !(entry->copy = pgc_arena_strdup(clone->entries.arena, copy.data)))
        result = pgc_error_out_of_memory(err);
    pgc_buffer_free(&copy);
    return result;
}

/* The table that the target has under its new name, and so its own sequence, too; or NULL. */
static const pgc_relation *owner_that_is_there(const pgc_clone *clone, const pgc_relation *sequence)
{
    const pgc_relation *table = sequence->kind == PGC_RELKIND_SEQUENCE ? owner_of_sequence(clone, sequence) : NULL;
    return table && clone_map_renames(clone, table) && clone_has_relation(clone, table) ? table : NULL;
}

bool clone_map_brings_no_sequence(const pgc_clone *clone, const pgc_entry *entry)
{
    const pgc_relation *relation = clone_map_relation(entry);
    return relation && pgc_entry_is(entry, "SEQUENCE") && owner_that_is_there(clone, relation);
}

/* The sequence of a column of such a table is whichever the column has there. */
static int name_sequence(pgc_clone *clone, pgc_entry *entry, const pgc_relation *sequence, const pgc_relation *table,
                         pgconvoy_error *err)
{
    const char *column = table->columns[sequence->owning_column - 1].name, *schema, *name;
    final_name(clone, table, &schema, &name);
    entry->create = "";
    if (!sequence->sequence || !sequence->sequence->value)
        return 0;
    pgc_buffer qualified, sql;
    pgc_buffer_init(&qualified, 1 << 12);
    pgc_buffer_init(&sql, 1 << 16);
    pgc_quote_qualified(&qualified, schema, name);
    pgc_buffer_format(&sql, "SELECT pg_catalog.setval(s, %s) FROM pg_catalog.pg_get_serial_sequence(",
                      sequence->sequence->value);
    pgc_quote_literal(&sql, qualified.data ? qualified.data : "");
    pgc_buffer_text(&sql, ", ");
    pgc_quote_literal(&sql, pgc_mapped_column(clone_map_of_column(clone, table, column), column));
    pgc_buffer_text(&sql, ") s WHERE s IS NOT NULL;\n");
    int result = pgc_buffer_check(&qualified, err) || pgc_buffer_check(&sql, err) ? -1 : 0;
    if (result == 0 && !(entry->create = pgc_arena_strdup(clone->entries.arena, sql.data)))
        result = pgc_error_out_of_memory(err);
    pgc_buffer_free(&qualified);
    pgc_buffer_free(&sql);
    return result;
}

int clone_map_present(pgc_clone *clone, pgconvoy_error *err)
{
    if (pgc_mapping_is_empty(clone->options->mapping))
        return 0;
    for (int i = 0; i < clone->entries.count; i++) {
        pgc_entry *entry = clone->entries.items[i];
        const pgc_relation *relation = clone_map_relation(entry),
                           *sequence = pgc_entry_is(entry, "SEQUENCE SET") ? (const pgc_relation *)entry->object : NULL;
        const pgc_relation *table = sequence ? owner_that_is_there(clone, sequence) : NULL;
        if (table && name_sequence(clone, entry, sequence, table, err))
            return -1;
        if (!relation || !clone_is_present(clone, entry) ||
            (!clone_map_renames(clone, relation) && !has_other_columns(clone, relation)))
            continue;
        final_name(clone, relation, &entry->schema, &entry->tag);
        if (entry->copy && name_copy(clone, entry, relation, err))
            return -1;
    }
    return 0;
}

/* ------------------------------------------------------------------ at the end */

static void append_alter(pgc_buffer *sql, const char *kind, const char *schema, const char *name)
{
    pgc_buffer_format(sql, "ALTER %s ", kind);
    pgc_quote_qualified(sql, schema, name);
}

/* By way of a name that nothing else has, since the schema that is left or the one that is entered may have the new or
 * the old one. */
static void rename_table(const pgc_clone *clone, const pgc_relation *relation, const char *kind, pgc_buffer *sql)
{
    const char *schema = pgc_mapping_schema(clone->options->mapping, relation->object.schema->object.name),
               *name = relation->object.name, *to_schema, *to_name;
    final_name(clone, relation, &to_schema, &to_name);
    if (strcmp(schema, to_schema) != 0) {
        char between[64];
        snprintf(between, sizeof between, "pgconvoy_%u", relation->object.oid);
        append_name(sql, "CREATE SCHEMA IF NOT EXISTS ", to_schema, ";");
        append_alter(sql, kind, schema, name);
        append_name(sql, " RENAME TO ", between, ";");
        append_alter(sql, kind, schema, between);
        append_name(sql, " SET SCHEMA ", to_schema, ";");
        schema = to_schema;
        append_alter(sql, kind, schema, between);
        append_name(sql, " RENAME TO ", to_name, ";");
    } else if (strcmp(name, to_name) != 0) {
        append_alter(sql, kind, schema, name);
        append_name(sql, " RENAME TO ", to_name, ";");
    }
}

void clone_map_rename(const pgc_clone *clone, pgc_buffer *sql)
{
    for (int i = 0; i < clone->entries.count; i++) {
        const pgc_entry *entry = clone->entries.items[i];
        const pgc_relation *relation = clone_map_relation(entry);
        const pgc_mapped_table *mapped =
            relation && entry->object->kind == PGC_KIND_RELATION && !clone_is_left_out(entry)
                ? mapped_table(clone, relation)
                : NULL;
        for (int c = 0; mapped && c < mapped->renamed_count; c++) {
            append_alter(sql, entry->description, entry->schema, entry->tag);
            append_name(sql, " RENAME COLUMN ", mapped->renamed[c].from, " TO ");
            append_name(sql, "", mapped->renamed[c].to, ";");
        }
        if (mapped && mapped->to_name)
            rename_table(clone, relation, entry->description, sql);
    }
    const pgc_mapped_table *tables;
    int count = pgc_mapping_tables(clone->options->mapping, &tables);
    for (int i = 0; i < count; i++)
        if (tables[i].to_schema)
            drop_schema_on_the_way(clone, pgc_mapping_schema(clone->options->mapping, tables[i].schema), sql);
}
