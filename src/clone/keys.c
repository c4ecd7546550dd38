/*
 * Constraints of large tables in steps that hold no lock for long: a key's index is built as an index, beside others of the same table, and then attached; a foreign key is added without looking at the rows, and
 * checked at the end, beside others. What comes of it is the same as of one command; where it would not be (partitioned tables), there is one command. Also: statistics for each table that gets rows.
 */
#include "clone/clone_internal.h"

#include "catalog/dependent.h"
#include "postgres/quote.h"

#include <stdlib.h>
#include <string.h>

pgc_entry *clone_entry_add(pgc_clone *clone, const char *description, const char *tag, const char *schema, const char *create, const int *dependencies, int count)
{
    pgc_entries *entries = &clone->entries;
    pgc_entry *entry = pgc_entries_add(entries);
    if (!entry)
        return NULL;
    entry->id = ++entries->max_id;
    entry->description = description;
    entry->tag = tag;
    entry->schema = schema;
    entry->section = pgc_entry_is(entry, "ENCODING") || pgc_entry_is(entry, "STDSTRINGS") || pgc_entry_is(entry, "SEARCHPATH") ? PGC_SECTION_PRE_DATA : PGC_SECTION_POST_DATA;
    entry->create = create ? pgc_arena_strdup(entries->arena, create) : NULL;
    entry->dependencies = pgc_arena_alloc(entries->arena, sizeof *entry->dependencies * (size_t)(count + 1));
    if ((create && !entry->create) || !entry->dependencies)
        return NULL;
    if (count > 0)
        memcpy(entry->dependencies, dependencies, sizeof *dependencies * (size_t)count);
    entry->dependency_count = count;
    return entry;
}

const pgc_relation *clone_entry_relation(const pgc_entry *entry)
{
    const pgc_object *object = entry->object;
    if (!object)
        return NULL;
    switch (object->kind) {
    case PGC_KIND_INDEX:
        return ((const pgc_index *)object)->relation;
    case PGC_KIND_CONSTRAINT:
    case PGC_KIND_FOREIGN_KEY:
        return ((const pgc_constraint *)object)->relation;
    case PGC_KIND_TRIGGER:
        return ((const pgc_trigger *)object)->relation;
    case PGC_KIND_RULE:
        return ((const pgc_rule *)object)->relation;
    case PGC_KIND_POLICY:
        return ((const pgc_policy *)object)->relation;
    case PGC_KIND_STATISTICS:
        return ((const pgc_statistics *)object)->relation;
    case PGC_KIND_COLUMN_DEFAULT:
        return ((const pgc_column_default *)object)->relation;
    default:
        return NULL;
    }
}

int clone_entry_depend(pgc_clone *clone, pgc_entry *entry, int id)
{
    int *ids = pgc_arena_alloc(clone->entries.arena, sizeof *ids * (size_t)(entry->dependency_count + 1));
    if (!ids)
        return -1;
    memcpy(ids, entry->dependencies, sizeof *ids * (size_t)entry->dependency_count);
    ids[entry->dependency_count++] = id;
    entry->dependencies = ids;
    return 0;
}


/* ------------------------------------------------------------------ keys */

static void append_columns(pgc_buffer *sql, const pgc_index *index, int from, int until)
{
    for (int i = from; i < until; i++) {
        pgc_buffer_text(sql, i == from ? "(" : ", ");
        pgc_quote_identifier(sql, index->relation->columns[index->columns[i] - 1].name);
    }
    pgc_buffer_byte(sql, ')');
}

static const pgc_index *index_of(const pgc_constraint *key)
{
    for (int i = 0; i < key->relation->index_count; i++)
        if (key->relation->indexes[i]->object.id == key->index_id)
            return key->relation->indexes[i];
    return NULL;
}

/* Only plain columns of a plain table; storage parameters are left to the one command, which can write them. */
static bool can_attach(const pgc_constraint *key, const pgc_index *index)
{
    if (!index || key->relation->kind != PGC_RELKIND_TABLE || key->definition || key->without_overlaps || (index->options && strlen(index->options) > 2))
        return false;
    for (int i = 0; i < index->column_count; i++)
        if (index->columns[i] == 0 || index->columns[i] > (uint32_t)index->relation->column_count)
            return false;
    return true;
}

/* What follows the first command of a definition (CLUSTER ON …): behind the first semicolon that ends a line outside of a quoted name. */
static const char *rest_of(const char *create)
{
    bool quoted = false;
    for (const char *c = create; *c; c++) {
        if (*c == '"')
            quoted = !quoted;
        else if (!quoted && c[0] == ';' && c[1] == '\n')
            return c + 2;
    }
    return NULL;
}

static int split_key(pgc_clone *clone, pgc_entry *entry, pgconvoy_error *err)
{
    const pgc_constraint *key = (const pgc_constraint *)entry->object;
    const pgc_index *index = index_of(key);
    const char *rest = rest_of(entry->create);
    if (!can_attach(key, index) || !rest)
        return 0;
    pgc_buffer build, attach;
    pgc_buffer_init(&build, 1 << 20);
    pgc_buffer_init(&attach, 1 << 24);
    pgc_buffer_text(&build, "CREATE UNIQUE INDEX ");
    pgc_quote_identifier(&build, key->object.name);
    pgc_buffer_text(&build, " ON ");
    clone_map_append(clone, key->relation, &build);
    pgc_buffer_text(&build, " USING btree ");
    append_columns(&build, index, 0, index->key_count);
    if (index->key_count < index->column_count) {
        pgc_buffer_text(&build, " INCLUDE ");
        append_columns(&build, index, index->key_count, index->column_count);
    }
    pgc_buffer_text(&build, index->nulls_not_distinct ? " NULLS NOT DISTINCT;\n" : ";\n");
    pgc_buffer_text(&attach, "ALTER TABLE ONLY ");
    clone_map_append(clone, key->relation, &attach);
    pgc_buffer_text(&attach, " ADD CONSTRAINT ");
    pgc_quote_identifier(&attach, key->object.name);
    pgc_buffer_format(&attach, " %s USING INDEX ", key->type == 'p' ? "PRIMARY KEY" : "UNIQUE");
    pgc_quote_identifier(&attach, key->object.name);
    pgc_buffer_format(&attach, "%s%s;\n%s", key->deferrable ? " DEFERRABLE" : "", key->deferrable && key->deferred ? " INITIALLY DEFERRED" : "", rest);
    int result = pgc_buffer_check(&build, err) || pgc_buffer_check(&attach, err) ? -1 : 0;
    if (result == 0) {
        pgc_entry *added = clone_entry_add(clone, "INDEX", entry->tag, entry->schema, build.data, entry->dependencies, entry->dependency_count);
        entry->create = pgc_arena_strdup(clone->entries.arena, attach.data);
        if (!added || !entry->create || clone_entry_depend(clone, entry, added->id)) {
            result = pgc_error_out_of_memory(err);
        } else {
            added->object = &index->object;
            added->tablespace = entry->tablespace;
            entry->tablespace = NULL;
        }
    }
    pgc_buffer_free(&build);
    pgc_buffer_free(&attach);
    return result;
}

/* ------------------------------------------------------------------ foreign keys */

static const pgc_relation *referenced_by(const pgc_clone *clone, const pgc_constraint *key)
{
    for (int i = 0; i < clone->entries.count; i++) {
        const pgc_object *object = clone->entries.items[i]->object;
        if (object && object->kind == PGC_KIND_RELATION && object->oid == key->referenced)
            return (const pgc_relation *)object;
    }
    return NULL;
}

static int split_foreign_key(pgc_clone *clone, pgc_entry *entry, pgconvoy_error *err)
{
    const pgc_constraint *key = (const pgc_constraint *)entry->object;
    const pgc_relation *referenced = referenced_by(clone, key);
    size_t length = strlen(entry->create);
    static const char not_valid[] = " NOT VALID;\n";
    bool is_not_valid = length > sizeof not_valid && strcmp(entry->create + length - (sizeof not_valid - 1), not_valid) == 0;
    static const char not_enforced[] = " NOT ENFORCED";
    /* its rows are those of partitions, which a check of the parent alone would leave unmarked */
    if (is_not_valid || strstr(entry->create, not_enforced) || key->relation->kind != PGC_RELKIND_TABLE || !referenced || referenced->kind != PGC_RELKIND_TABLE || length < 2 ||
        strcmp(entry->create + length - 2, ";\n") != 0)
        return 0;
    pgc_buffer add, check;
    pgc_buffer_init(&add, 1 << 24);
    pgc_buffer_init(&check, 1 << 20);
    pgc_buffer_append(&add, entry->create, length - 2);
    pgc_buffer_text(&add, not_valid);
    pgc_buffer_text(&check, "ALTER TABLE ONLY ");
    clone_map_append(clone, key->relation, &check);
    pgc_buffer_text(&check, " VALIDATE CONSTRAINT ");
    pgc_quote_identifier(&check, key->object.name);
    pgc_buffer_text(&check, ";\n");
    int result = pgc_buffer_check(&add, err) || pgc_buffer_check(&check, err) ? -1 : 0;
    if (result == 0) {
        const int needs[] = {entry->id, key->relation->object.id};
        pgc_entry *added = clone_entry_add(clone, "FK VALIDATION", entry->tag, entry->schema, check.data, needs, 2);
        entry->create = pgc_arena_strdup(clone->entries.arena, add.data);
        if (!added || !entry->create)
            result = pgc_error_out_of_memory(err);
        else
            added->object = entry->object;
    }
    pgc_buffer_free(&add);
    pgc_buffer_free(&check);
    return result;
}

/* ------------------------------------------------------------------ statistics */

/* After the indexes of the table, whose expressions have statistics, too. */
static int add_analyze(pgc_clone *clone, clone_table *table, const pgc_entry *data, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 1 << 16);
    pgc_buffer_text(&sql, "ANALYZE ");
    clone_map_append(clone, table->relation, &sql);
    pgc_buffer_text(&sql, ";\n");
    int result = pgc_buffer_check(&sql, err);
    pgc_entry *entry = result == 0 ? clone_entry_add(clone, "ANALYZE", data->tag, data->schema, sql.data, &table->relation->object.id, 1) : NULL;
    pgc_buffer_free(&sql);
    if (!entry)
        return result ? result : pgc_error_out_of_memory(err);
    entry->oid = table->relation->object.oid;
    table->analyze_id = entry->id;
    for (int i = 0; i < table->relation->index_count; i++) {
        const pgc_index *index = table->relation->indexes[i];
        if (clone_entry_depend(clone, entry, index->constraint_id ? index->constraint_id : index->object.id))
            return pgc_error_out_of_memory(err);
    }
    return 0;
}

static const pgc_relation *root_of(const pgc_relation *relation)
{
    while (relation->is_partition && relation->parent_count == 1)
        relation = relation->parents[0];
    return relation;
}

/*
 * A partitioned table has statistics of all its rows, which a server never gathers by itself: for the topmost ones, when those of their partitions are done. ANALYZE goes down to the tables between by itself.
 * It would read a foreign partition too, from a server that may be out of the target's reach: such a table is left to its owner.
 */
static int analyze_roots(pgc_clone *clone, pgconvoy_error *err)
{
    size_t ids = (size_t)clone->entries.max_id + 1;
    pgc_entry **of_root = pgc_arena_zalloc(clone->arena, sizeof(pgc_entry *) * ids);
    bool *has_foreign = pgc_arena_zalloc(clone->arena, sizeof(bool) * ids);
    if (!of_root || !has_foreign)
        return pgc_error_out_of_memory(err);
    int relation_count;
    pgc_relation *const *relations = pgc_catalog_relations(clone->catalog, &relation_count);
    for (int i = 0; i < relation_count; i++)
        if (relations[i]->kind == PGC_RELKIND_FOREIGN && relations[i]->is_partition)
            has_foreign[root_of(relations[i])->object.id] = true;
    for (int i = 0; i < clone->table_count; i++) {
        const clone_table *leaf = &clone->tables[i];
        const pgc_relation *root = root_of(leaf->relation);
        if (leaf->analyze_id == 0 || root == leaf->relation || root->kind != PGC_RELKIND_PARTITIONED || !root->object.schema || has_foreign[root->object.id])
            continue;
        pgc_entry **entry = &of_root[root->object.id];
        if (*entry) {
            if (clone_entry_depend(clone, *entry, leaf->analyze_id))
                return pgc_error_out_of_memory(err);
            continue;
        }
        pgc_buffer sql;
        pgc_buffer_init(&sql, 1 << 16);
        pgc_buffer_text(&sql, "ANALYZE ");
        clone_map_append(clone, root, &sql);
        pgc_buffer_text(&sql, ";\n");
        int result = pgc_buffer_check(&sql, err);
        if (result == 0 && !(*entry = clone_entry_add(clone, "ANALYZE", root->object.name, root->object.schema->object.name, sql.data, &leaf->analyze_id, 1)))
            result = pgc_error_out_of_memory(err);
        pgc_buffer_free(&sql);
        if (result)
            return -1;
        (*entry)->oid = root->object.oid;
    }
    return 0;
}

/* A materialized view has rows when it is refreshed, which is the last of all. */
static int analyze_view(pgc_clone *clone, pgc_entry *entry, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 1 << 16);
    pgc_buffer_format(&sql, "%sANALYZE ", entry->create);
    clone_map_append(clone, ((const pgc_table_data *)entry->object)->relation, &sql);
    pgc_buffer_text(&sql, ";\n");
    int result = pgc_buffer_check(&sql, err);
    if (result == 0 && !(entry->create = pgc_arena_strdup(clone->entries.arena, sql.data)))
        result = pgc_error_out_of_memory(err);
    pgc_buffer_free(&sql);
    return result;
}

/* ------------------------------------------------------------------ */

static bool is_large(const pgc_clone *clone, const pgc_entry *entry)
{
    const pgc_relation *relation = clone_entry_relation(entry);
    const clone_table *table = relation ? clone_tables_find(clone, relation) : NULL;
    return table && table->bytes >= CLONE_LARGE_BYTES;
}

static int find_finished(pgc_clone *clone, const char *description, const pgc_object *object, const pgc_entry *entry, bool *finished, pgconvoy_error *err)
{
    pgc_entry step = {.description = description, .object = object, .tag = entry->tag, .schema = entry->schema};
    const char *key = clone_entry_key(clone, &step, "");
    *finished = key && clone_names_have(&clone->finished_items, key);
    return key ? 0 : pgc_error_out_of_memory(err);
}

/* An earlier run may have met the table in another size: what it began in steps ends in steps, and what it did by one command is not begun again. */
static int choose_steps(pgc_clone *clone, const pgc_entry *entry, bool *steps, pgconvoy_error *err)
{
    bool is_foreign = pgc_entry_is(entry, "FK CONSTRAINT"), whole = false, built = false;
    *steps = is_large(clone, entry) || (is_foreign && clone_part_is_mixed(clone));
    if (!clone->resumes)
        return 0;
    if (find_finished(clone, entry->description, entry->object, entry, &whole, err))
        return -1;
    if (is_foreign) {
        *steps |= whole; /* one that is valid already is not looked at again */
        return 0;
    }
    const pgc_index *index = index_of((const pgc_constraint *)entry->object);
    if (index && find_finished(clone, "INDEX", &index->object, entry, &built, err))
        return -1;
    *steps = (*steps && !whole) || built;
    return 0;
}

static bool is_key(const pgc_entry *entry)
{
    return pgc_entry_is(entry, "CONSTRAINT") && entry->object->kind == PGC_KIND_CONSTRAINT &&
           (((const pgc_constraint *)entry->object)->type == 'p' || ((const pgc_constraint *)entry->object)->type == 'u');
}

static int split(pgc_clone *clone, pgc_entry *entry, pgconvoy_error *err)
{
    bool steps;
    if (choose_steps(clone, entry, &steps, err))
        return -1;
    if (!steps)
        return 0;
    return is_key(entry) ? split_key(clone, entry, err) : split_foreign_key(clone, entry, err);
}

int clone_keys_split(pgc_clone *clone, pgconvoy_error *err)
{
    int result = 0;
    for (int i = 0, count = clone->entries.count; i < count && result == 0; i++) {
        pgc_entry *entry = clone->entries.items[i];
        if (!entry->object || clone_is_left_out(entry))
            continue;
        if (is_key(entry) || pgc_entry_is(entry, "FK CONSTRAINT"))
            result = split(clone, entry, err);
        else if (pgc_entry_is(entry, "MATERIALIZED VIEW DATA"))
            result = analyze_view(clone, entry, err);
        else if (pgc_entry_is(entry, "TABLE DATA") && entry->object->kind == PGC_KIND_TABLE_DATA) {
            clone_table *table = clone_tables_find(clone, ((const pgc_table_data *)entry->object)->relation);
            result = table ? add_analyze(clone, table, entry, err) : 0;
        }
    }
    return result ? result : analyze_roots(clone, err);
}
