/* Entries that are not copied, by a choice of columns or because the target cannot have them: away from the list, with
 * all that needs them, and kept to be named. */
#include "clone/clone_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static clone_left_out *add(pgc_clone *clone)
{
    if (clone->left_out_count == clone->left_out_capacity) {
        int capacity = clone->left_out_capacity ? 2 * clone->left_out_capacity : 16;
        clone_left_out *longer = pgc_arena_alloc(clone->arena, sizeof *longer * (size_t)capacity);
        if (!longer)
            return NULL;
        if (clone->left_out_count > 0)
            memcpy(longer, clone->left_out, sizeof *longer * (size_t)clone->left_out_count);
        clone->left_out = longer;
        clone->left_out_capacity = capacity;
    }
    return &clone->left_out[clone->left_out_count++];
}

static const clone_left_out *find(const pgc_clone *clone, const pgc_entry *entry)
{
    for (int i = 0; i < clone->left_out_count; i++)
        if (clone->left_out[i].entry == entry)
            return &clone->left_out[i];
    return NULL;
}

int clone_leave_out(pgc_clone *clone, const pgc_entry *entry, const char *why, pgconvoy_error *err)
{
    if (find(clone, entry))
        return 0;
    char *copy = pgc_arena_strdup(clone->arena, why);
    clone_left_out *left_out = copy ? add(clone) : NULL;
    if (!left_out)
        return pgc_error_out_of_memory(err);
    *left_out = (clone_left_out){.entry = entry, .why = copy};
    return 0;
}

/* "view a.v" */
const char *clone_entry_name(const pgc_entry *entry, char *name, size_t size)
{
    bool says_itself =
        strcmp(entry->description, "COMMENT") == 0 || strcmp(entry->description, "ACL") == 0; /* tag: "COLUMN t.c" */
    snprintf(name, size, "%s %s%s%s", entry->description, entry->schema && !says_itself ? entry->schema : "",
             entry->schema && !says_itself ? "." : "", entry->tag);
    size_t length = says_itself ? 0 : strlen(entry->description);
    for (char *c = name; *c && c < name + length; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    return name;
}

const pgc_object *clone_entry_of_extension(const pgc_entry *entry)
{
    const pgc_object *object = entry->object && pgc_entry_is(entry, "TABLE DATA")
                                   ? &((const pgc_table_data *)entry->object)->relation->object
                               : pgc_entry_is(entry, "SEQUENCE SET") ? entry->object
                                                                     : NULL;
    return object && object->extension_member ? object : NULL;
}

static int first_marked(const pgc_clone *clone, const int *ids, int count, const unsigned char *marks)
{
    for (int i = 0; i < count; i++)
        if (ids[i] > 0 && ids[i] <= clone->entries.max_id && marks[ids[i]])
            return ids[i];
    return 0;
}

/* Marks by id, again and again, until nothing more follows. */
static int add_dependents(pgc_clone *clone, unsigned char *marks, pgconvoy_error *err)
{
    char name[300], why[340];
    for (bool more = true; more;) {
        more = false;
        for (int i = 0; i < clone->entries.count; i++) {
            const pgc_entry *entry = clone->entries.items[i];
            const pgc_object *extra = clone_entry_of_extension(entry);
            if (marks[entry->id])
                continue;
            int id = first_marked(clone, entry->dependencies, entry->dependency_count, marks);
            if (!id && extra)
                id = first_marked(clone, extra->needs, extra->need_count, marks);
            if (!id)
                continue;
            const pgc_entry *needed = pgc_entries_find(&clone->entries, id);
            snprintf(why, sizeof why, "needs %s", needed ? clone_entry_name(needed, name, sizeof name) : "it");
            if (clone_leave_out(clone, entry, why, err))
                return -1;
            marks[entry->id] = 1;
            more = true;
        }
    }
    return 0;
}

int clone_leave_out_all(pgc_clone *clone, pgconvoy_error *err)
{
    pgc_entries *entries = &clone->entries;
    if (clone->left_out_count == 0)
        return 0;
    unsigned char *marks = calloc((size_t)entries->max_id + 1, 1);
    if (!marks)
        return pgc_error_out_of_memory(err);
    for (int i = 0; i < clone->left_out_count; i++)
        marks[clone->left_out[i].entry->id] = 1;
    int result = add_dependents(clone, marks, err);
    int kept = 0;
    for (int i = 0; i < entries->count; i++)
        if (!find(clone, entries->items[i]))
            entries->items[kept++] = entries->items[i];
    entries->count = kept;
    free(marks);
    return result;
}

/* Privileges, comments and rows go with what they belong to, without saying. */
static bool goes_without_saying(const pgc_entry *entry)
{
    static const char *const descriptions[] = {
        "COMMENT",      "ACL",          "SECURITY LABEL",         "TABLE DATA", "SEQUENCE SET", "SEQUENCE OWNED BY",
        "TABLE ATTACH", "INDEX ATTACH", "MATERIALIZED VIEW DATA", NULL};
    return pgc_entry_is_one_of(entry, descriptions);
}

void clone_say_left_out(const pgc_clone *clone)
{
    char name[300];
    for (int i = 0; i < clone->left_out_count; i++)
        if (!goes_without_saying(clone->left_out[i].entry))
            pgc_log_warning(clone->options->log, "left out: %s (%s)",
                            clone_entry_name(clone->left_out[i].entry, name, sizeof name), clone->left_out[i].why);
}
