/* What an earlier run has done by its snapshot or plan and has to be done again: so that the rows of a table are of one snapshot, or those of all tables. */
#include "clone/clone_internal.h"

#include "postgres/connection.h"
#include "postgres/quote.h"

#include <stdio.h>
#include <string.h>

typedef struct again {
    pgc_clone *clone;
    bool all;
    bool silent;             /* triggers and foreign keys do not see what we write; else they go, and come again after the rows */
    pgc_buffer drops;
    pgc_buffer tables, keys; /* one command for all tables, since foreign keys between them may be there already */
} again;

static void append_key(again *again, const char *key)
{
    pgc_buffer_text(&again->keys, again->keys.length ? ", " : "");
    pgc_quote_literal(&again->keys, key);
}

static void do_again(again *again, clone_item *item)
{
    if (item->kind != CLONE_DEFINITION && item->table && item->table->is_ours && !item->table->is_anew && strcmp(item->entry->description, "TABLE DATA") == 0) {
        /* rows that went into the root may be in any of its partitions, which are all done again */
        pgc_buffer_text(&again->tables, again->tables.length ? ", " : "TRUNCATE ");
        pgc_buffer_text(&again->tables, item->table->through_root ? "" : "ONLY ");
        if (item->table->through_root)
            clone_map_append(again->clone, pgc_relation_load_target(true, item->table->relation), &again->tables);
        else
            pgc_quote_qualified(&again->tables, item->entry->schema, item->entry->tag);
    }
    append_key(again, item->key);
    if (item->kind == CLONE_ROWS && item->done)
        atomic_fetch_add(&item->table->parts_left, 1);
    item->done = false;
}

/* All that follows from rows. */
static bool is_of_rows(const clone_item *item)
{
    static const char *const descriptions[] = {"SEQUENCE SET", "ANALYZE", "MATERIALIZED VIEW DATA", NULL};
    return pgc_entry_is_one_of(item->entry, descriptions) || item->kind != CLONE_DEFINITION;
}

/* All partitions of a table that is streamed as one must be of one snapshot, too. */
static void tear(pgc_clone *clone, clone_table *table)
{
    table->is_torn |= table->parts > 1;
    const pgc_relation *relation = table->relation;
    for (int i = 0; i < clone->table_count && table->group >= 0 && relation->object.oid != clone->options->part->tables[table->group]->oid; i++)
        clone->tables[i].is_torn |= clone->tables[i].group == table->group;
}

/* What would see the rows that come again; with what hangs on it. */
static void take_away(again *again)
{
    static const char *const descriptions[] = {"FK CONSTRAINT", "FK VALIDATION", "TRIGGER", NULL};
    pgc_clone *clone = again->clone;
    for (int i = 0; i < clone->item_count; i++) {
        clone_item *item = &clone->items[i];
        bool goes = item->done && pgc_entry_is_one_of(item->entry, descriptions);
        bool hangs = item->done && pgc_entry_is(item->entry, "COMMENT");
        for (int n = 0; hangs && !goes && n < item->entry->dependency_count; n++) {
            const pgc_entry *needed = pgc_entries_find(&clone->entries, item->entry->dependencies[n]);
            goes = needed && pgc_entry_is_one_of(needed, descriptions);
        }
        if (!goes)
            continue;
        if (item->entry->drop && !hangs && !pgc_entry_is(item->entry, "FK VALIDATION"))
            pgc_buffer_text(&again->drops, item->entry->drop);
        append_key(again, item->key);
        item->done = false;
    }
}

/* Rows of a range are there, but the rest of the table is not, and comes from another snapshot or is cut otherwise: rows may have moved from one range to another. */
static int find_torn(again *again, pgconvoy_error *err)
{
    pgc_clone *clone = again->clone;
    clone_names planned = {0};
    int result = 0;
    for (int i = 0; i < clone->item_count && result == 0; i++) {
        const clone_item *item = &clone->items[i];
        result = clone_names_add(&planned, item->key, NULL, err);
        if (item->kind == CLONE_ROWS && !item->done && clone->other_snapshot)
            tear(clone, item->table);
    }
    for (size_t i = 0; i < clone->finished_items.capacity && result == 0; i++) {
        const char *key = clone->finished_items.slots[i];
        unsigned oid;
        if (!key || sscanf(key, "TABLE DATA PART %u", &oid) != 1 || clone_names_have(&planned, key))
            continue;
        append_key(again, key);
        for (int n = 0; n < clone->table_count; n++)
            if (clone->tables[n].relation->object.oid == oid)
                clone->tables[n].is_torn = true;
    }
    clone_names_free(&planned);
    return result;
}

static int run_again(again *again, pgconvoy_error *err)
{
    pgc_clone *clone = again->clone;
    pgc_buffer sql;
    pgc_buffer_init(&sql, (size_t)1 << 29);
    pgc_buffer_format(&sql, "BEGIN; %s", again->drops.length ? again->drops.data : "");
    pgc_buffer_format(&sql, "%s%s", again->tables.length ? again->tables.data : "", again->tables.length ? ";" : "");
    if (again->keys.length) {
        pgc_buffer_text(&sql, " DELETE FROM pgconvoy.copy_item WHERE name = ");
        pgc_quote_literal(&sql, clone->options->name);
        pgc_buffer_format(&sql, " AND item IN (%s);", again->keys.data);
    }
    if (again->all) {
        pgc_buffer_text(&sql, " UPDATE pgconvoy.copy SET snapshot = ");
        pgc_quote_literal(&sql, clone->snapshot);
        pgc_buffer_text(&sql, " WHERE name = ");
        pgc_quote_literal(&sql, clone->options->name);
        pgc_buffer_byte(&sql, ';');
    }
    pgc_buffer_text(&sql, " COMMIT");
    int result = pgc_buffer_check(&sql, err) || pgc_buffer_check(&again->keys, err) || pgc_buffer_check(&again->tables, err) || pgc_buffer_check(&again->drops, err) ? -1 : pgc_execute(clone->target, sql.data, err);
    pgc_buffer_free(&sql);
    return result;
}

int clone_state_redo(pgc_clone *clone, pgconvoy_error *err)
{
    if (!clone->resumes)
        return 0;
    again again = {.clone = clone, .all = clone->other_snapshot && clone->options->consistent};
    again.silent = strcmp(PQparameterStatus(clone->target, "is_superuser"), "on") == 0;
    pgc_buffer_init(&again.drops, (size_t)1 << 26);
    pgc_buffer_init(&again.tables, (size_t)1 << 28);
    pgc_buffer_init(&again.keys, (size_t)1 << 28);
    int result = find_torn(&again, err);
    for (int i = 0; i < clone->item_count && result == 0; i++) {
        clone_item *item = &clone->items[i];
        if ((again.all && item->done && is_of_rows(item)) || (item->kind != CLONE_DEFINITION && item->table && item->table->is_torn && item->table->is_ours))
            do_again(&again, item);
    }
    if (again.all && !again.silent && result == 0)
        take_away(&again);
    if ((again.all || again.keys.length) && result == 0)
        result = run_again(&again, err);
    pgc_buffer_free(&again.drops);
    pgc_buffer_free(&again.tables);
    pgc_buffer_free(&again.keys);
    return result;
}
