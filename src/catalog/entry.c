/* Lists of entries. */
#include "catalog/entry.h"

#include "base/grow.h"

#include <stdlib.h>

int pgc_entries_init(pgc_entries *entries, pgconvoy_error *err)
{
    *entries = (pgc_entries){.arena = pgc_arena_new(256 * 1024)};
    return entries->arena ? 0 : pgc_error_out_of_memory(err);
}

void pgc_entries_free(pgc_entries *entries)
{
    pgc_arena_free(entries->arena);
    free(entries->items);
    *entries = (pgc_entries){0};
}

pgc_entry *pgc_entries_add(pgc_entries *entries)
{
    pgconvoy_error ignored;
    if (pgc_grow_int(&entries->items, entries->count, &entries->capacity, sizeof *entries->items, &ignored) != 0)
        return NULL;
    pgc_entry *entry = pgc_arena_zalloc(entries->arena, sizeof *entry);
    if (!entry)
        return NULL;
    entry->owner = "";
    entry->position = -1;
    entries->items[entries->count++] = entry;
    return entry;
}

pgc_entry *pgc_entries_find(const pgc_entries *entries, int id)
{
    for (int i = 0; i < entries->count; i++)
        if (entries->items[i]->id == id)
            return entries->items[i];
    return NULL;
}

bool pgc_entry_is_ours(const pgc_entry *entry)
{
    static const char *const kinds[] = {"PUBLICATION", "PUBLICATION TABLE", "PUBLICATION TABLES IN SCHEMA", "EVENT TRIGGER", NULL};
    if ((entry->schema && strcmp(entry->schema, "pgconvoy") == 0) || (pgc_entry_is(entry, "SCHEMA") && strcmp(entry->tag, "pgconvoy") == 0))
        return true;
    if (pgc_entry_is_one_of(entry, kinds))
        return strncmp(entry->tag, "pgconvoy_", 9) == 0 || strncmp(entry->tag, "pgconvoy.ddl", 12) == 0;
    static const char *const notes[] = {"COMMENT", "ACL", "SECURITY LABEL", NULL};
    if (!pgc_entry_is_one_of(entry, notes)) /* their tag is what they are on: PUBLICATION pgconvoy_shop */
        return false;
    for (int i = 0; kinds[i]; i++) {
        size_t length = strlen(kinds[i]);
        if (strncmp(entry->tag, kinds[i], length) == 0 && strncmp(entry->tag + length, " pgconvoy_", 10) == 0)
            return true;
    }
    return strcmp(entry->tag, "SCHEMA pgconvoy") == 0;
}
