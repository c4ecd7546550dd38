/*
 * Tables that were altered or renamed at the source since an interrupted copy made them: rows of another definition would not go into what is there. They go, with all that hangs on them, and are made and
 * copied again among what is not done; the other tables keep theirs.
 */
#include "clone/clone_internal.h"

#include "catalog/dependent.h"
#include "postgres/connection.h"
#include "postgres/quote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "TABLE 123 a.b" is finished: the rest of its key. */
typedef struct made {
    uint32_t oid;
    const char *name;
} made;

typedef struct altered {
    pgc_clone *clone;
    made *made; /* by oid */
    int made_count;
    unsigned char *marks; /* by the entries' ids */
    uint32_t *tables;     /* those among them, by oid */
    int count;
    pgc_buffer drops, keys;
} altered;

static bool is_marked(const altered *altered, int id)
{
    return id > 0 && id <= altered->clone->entries.max_id && altered->marks[id];
}

static bool is_marked_table(const altered *altered, uint32_t oid)
{
    for (int i = 0; i < altered->count; i++)
        if (altered->tables[i] == oid)
            return true;
    return false;
}

static void mark(altered *altered, const pgc_entry *entry)
{
    altered->marks[entry->id] = 1;
    if (pgc_entry_is(entry, "TABLE") && entry->object)
        altered->tables[altered->count++] = entry->object->oid;
}

/* ------------------------------------------------------------------ which */

static int is_defined_otherwise(const altered *altered, const clone_item *item, bool *otherwise, pgconvoy_error *err)
{
    const clone_names *finished = &altered->clone->finished_items;
    pgc_buffer key;
    pgc_buffer_init(&key, 65536);
    clone_state_append_definition(item, &key);
    int result = pgc_buffer_check(&key, err);
    *otherwise = result == 0 && clone_names_have(finished, item->key) && !clone_names_have(finished, key.data);
    pgc_buffer_free(&key);
    return result;
}

static int compare_made(const void *a, const void *b)
{
    uint32_t x = ((const made *)a)->oid, y = ((const made *)b)->oid;
    return (x > y) - (x < y);
}

static int list_made(altered *altered, pgconvoy_error *err)
{
    const clone_names *finished = &altered->clone->finished_items;
    if (!(altered->made = calloc(finished->count + 1, sizeof *altered->made)))
        return pgc_error_out_of_memory(err);
    for (size_t i = 0; i < finished->capacity; i++) {
        unsigned oid;
        int length = 0;
        if (finished->slots[i] && sscanf(finished->slots[i], "TABLE %u %n", &oid, &length) == 1 && length > 0)
            altered->made[altered->made_count++] = (made){.oid = oid, .name = finished->slots[i] + length};
    }
    qsort(altered->made, (size_t)altered->made_count, sizeof *altered->made, compare_made);
    return 0;
}

/* The name under which it was made, where it has another one by now; or NULL. */
static const char *former_name(const altered *altered, const clone_item *item)
{
    const made wanted = {.oid = item->entry->object->oid};
    const made *found = bsearch(&wanted, altered->made, (size_t)altered->made_count, sizeof wanted, compare_made);
    return found && !clone_names_have(&altered->clone->finished_items, item->key) ? found->name : NULL;
}

/* A key does not say which of the points in "a.b.c" ends the schema's name. */
static int drop_former(altered *altered, const char *name, pgconvoy_error *err)
{
    for (const char *point = strchr(name, '.'); point; point = strchr(point + 1, '.')) {
        char *schema = strndup(name, (size_t)(point - name));
        if (!schema)
            return pgc_error_out_of_memory(err);
        pgc_buffer_text(&altered->drops, "DROP TABLE IF EXISTS ");
        pgc_quote_qualified(&altered->drops, schema, point + 1);
        pgc_buffer_text(&altered->drops, " CASCADE;");
        free(schema);
    }
    return 0;
}

static int find_tables(altered *altered, pgconvoy_error *err)
{
    pgc_clone *clone = altered->clone;
    if (list_made(altered, err))
        return -1;
    for (int i = 0; i < clone->item_count; i++) {
        const clone_item *item = &clone->items[i];
        if (!pgc_entry_is(item->entry, "TABLE") || !item->entry->object)
            continue;
        bool otherwise;
        if (is_defined_otherwise(altered, item, &otherwise, err))
            return -1;
        const char *former = former_name(altered, item);
        if (!otherwise && !former)
            continue;
        if (former && drop_former(altered, former, err))
            return -1;
        mark(altered, item->entry);
        pgc_log_info(clone->options->log, "table %s.%s has another definition at the source than when it was made on the target: it is made and copied again", item->entry->schema, item->entry->tag);
    }
    return 0;
}

/* ------------------------------------------------------------------ what hangs on them */

static bool has_marked_parent(const altered *altered, const pgc_relation *relation)
{
    for (int i = 0; i < relation->parent_count; i++)
        if (is_marked(altered, relation->parents[i]->object.id))
            return true;
    return false;
}

/* DROP … CASCADE takes what depends on them: partitions and children, sequences, views, foreign keys of others. Rows go with their table alone. */
static bool goes_along(const altered *altered, const pgc_entry *entry)
{
    const pgc_object *object = entry->object;
    if (object && (pgc_entry_is(entry, "TABLE DATA") || pgc_entry_is(entry, "TABLE DATA PART")))
        return is_marked(altered, ((const pgc_table_data *)object)->relation->object.id);
    const pgc_relation *relation = object && object->kind == PGC_KIND_RELATION ? (const pgc_relation *)object : clone_entry_relation(entry);
    if (relation && relation->object.id != entry->id && is_marked(altered, relation->object.id))
        return true;
    if (pgc_entry_is(entry, "TABLE") && has_marked_parent(altered, relation))
        return true;
    if (pgc_entry_is(entry, "SEQUENCE") && relation && is_marked_table(altered, relation->owning_table))
        return true;
    for (int i = 0; i < entry->dependency_count; i++)
        if (is_marked(altered, entry->dependencies[i]))
            return true;
    return false;
}

static void mark_all(altered *altered)
{
    for (bool more = true; more;) {
        more = false;
        for (int i = 0; i < altered->clone->item_count; i++) {
            const pgc_entry *entry = altered->clone->items[i].entry;
            if (is_marked(altered, entry->id) || !goes_along(altered, entry))
                continue;
            mark(altered, entry);
            more = true;
        }
    }
}

/* ------------------------------------------------------------------ away with them */

static void append_key(altered *altered, const char *key)
{
    pgc_buffer_text(&altered->keys, altered->keys.length ? ", " : "");
    pgc_quote_literal(&altered->keys, key);
}

static void forget(altered *altered, clone_item *item)
{
    pgc_clone *clone = altered->clone;
    const pgc_entry *entry = item->entry;
    bool is_made = clone_names_have(&clone->finished_items, item->key); /* by this copy: nothing else is dropped by name */
    if (is_made && (pgc_entry_is(entry, "TABLE") || pgc_entry_is(entry, "SEQUENCE"))) {
        pgc_buffer_format(&altered->drops, "DROP %s IF EXISTS ", entry->description);
        pgc_quote_qualified(&altered->drops, entry->schema, entry->tag);
        pgc_buffer_text(&altered->drops, " CASCADE;");
    }
    append_key(altered, item->key);
    if (item->table)
        item->table->is_anew = true;
    if (!item->done || !is_made)
        return;
    if (item->kind == CLONE_ROWS && item->table)
        atomic_fetch_add(&item->table->parts_left, 1);
    item->later = clone_part_is_mixed(clone) && clone_part_waits(entry);
    item->done = item->later;
}

/* Of their rows that were cut otherwise, and what they were made by. */
static void forget_others(altered *altered)
{
    const pgc_clone *clone = altered->clone;
    for (size_t slot = 0; slot < clone->finished_items.capacity; slot++) {
        const char *key = clone->finished_items.slots[slot];
        unsigned oid = 0;
        if (!key || (sscanf(key, "TABLE DATA PART %u", &oid) != 1 && sscanf(key, CLONE_DEFINED "%*16[0-9a-f] TABLE %u", &oid) != 1 && sscanf(key, "TABLE %u", &oid) != 1))
            continue;
        if (is_marked_table(altered, oid))
            append_key(altered, key);
    }
}

static int run(altered *altered, pgconvoy_error *err)
{
    pgc_clone *clone = altered->clone;
    pgc_buffer sql;
    pgc_buffer_init(&sql, (size_t)1 << 29);
    pgc_buffer_format(&sql, "SET client_min_messages = warning; BEGIN; %s DELETE FROM pgconvoy.copy_item WHERE name = ", altered->drops.data);
    pgc_quote_literal(&sql, clone->options->name);
    pgc_buffer_format(&sql, " AND item IN (%s); COMMIT", altered->keys.data);
    int result = pgc_buffer_check(&altered->drops, err) || pgc_buffer_check(&altered->keys, err) || pgc_buffer_check(&sql, err) ? -1 : pgc_execute(clone->target, sql.data, err);
    pgc_buffer_free(&sql);
    return result;
}

int clone_state_remake(pgc_clone *clone, pgconvoy_error *err)
{
    altered altered = {.clone = clone, .marks = calloc((size_t)clone->entries.max_id + 1, 1), .tables = calloc((size_t)clone->item_count + 1, sizeof(uint32_t))};
    pgc_buffer_init(&altered.drops, (size_t)1 << 28);
    pgc_buffer_init(&altered.keys, (size_t)1 << 28);
    int result = altered.marks && altered.tables ? find_tables(&altered, err) : pgc_error_out_of_memory(err);
    if (result == 0 && altered.count > 0) {
        mark_all(&altered);
        for (int i = 0; i < clone->item_count; i++)
            if (is_marked(&altered, clone->items[i].entry->id))
                forget(&altered, &clone->items[i]);
        forget_others(&altered);
        result = run(&altered, err);
    }
    pgc_buffer_free(&altered.drops);
    pgc_buffer_free(&altered.keys);
    free(altered.marks);
    free(altered.tables);
    free(altered.made);
    return result;
}
