/*
 * An entry: one thing that a restore does, and the unit of an archive's table of contents. The catalog's writers make them, the archive formats store
 * and read them, the restore runs them.
 */
#ifndef PGC_CATALOG_ENTRY_H
#define PGC_CATALOG_ENTRY_H

#include "base/arena.h"
#include "catalog/object.h"
#include "catalog/options.h"

typedef struct pgc_entry {
    int id;                  /* the archive's dump id: its object's id, or one of its own */
    uint32_t class_oid, oid; /* 0, 0 where there is no catalog row */
    const char *tag;         /* the name shown, and what pg_restore -t and -l match */
    const char *description; /* "TABLE", "TABLE DATA", "ACL" … */
    const char *schema;      /* or NULL */
    const char *tablespace;  /* NULL: takes none; "": the default */
    const char *access_method; /* of a table or materialized view, or NULL */
    char relation_kind;      /* of what may have default_table_access_method, from format 1.16 on; or 0 */
    const char *owner;       /* "" where there is none; never NULL */
    pgc_section section;
    const char *create;      /* SQL with its semicolon and newline; "" or NULL for none */
    const char *drop;        /* likewise */
    const char *copy;        /* COPY … FROM stdin; of TABLE DATA, or NULL */
    int *dependencies;       /* ids */
    int dependency_count;
    bool has_data;           /* rows or bytes belong to it: an archive has a place for them */

    const pgc_object *object; /* what it came from; NULL in entries that were read from an archive */
    int64_t data_size;        /* a guess in bytes, so that large ones are begun first; 0: unknown */

    /* ---- belongs to whoever writes or restores the archive */
    int64_t position;         /* custom format: where its data begins, -1: unknown */
    const char *file_name;    /* directory and tar: of its data */
    void *state;
} pgc_entry;

/* Whether the entry is of a kind, by its description: "TABLE DATA"; or of one of a list that ends with NULL. */
static inline bool pgc_entry_is(const pgc_entry *entry, const char *description)
{
    return strcmp(entry->description, description) == 0;
}

static inline bool pgc_entry_is_one_of(const pgc_entry *entry, const char *const *descriptions)
{
    for (; *descriptions; descriptions++)
        if (pgc_entry_is(entry, *descriptions))
            return true;
    return false;
}

/*
 * Whether it belongs to a pipeline of ours (its publication, the event triggers that follow definitions, all in the schema pgconvoy) and so
 * to neither end of a copy.
 */
bool pgc_entry_is_ours(const pgc_entry *entry);

/*
 * The owner as archives and comments show it: NULL, "-", for what has none by its kind (extensions, casts); "" in the comments and labels on such objects.
 */
static inline const char *pgc_entry_shown_owner(const pgc_entry *entry)
{
    bool is_note = pgc_entry_is(entry, "COMMENT") || pgc_entry_is(entry, "SECURITY LABEL");
    return entry->owner[0] || is_note ? entry->owner : NULL;
}

/* Entries in order; they and their texts live in an arena of their own. */
typedef struct pgc_entries {
    pgc_arena *arena;
    pgc_entry **items;
    int count, capacity;
    int max_id; /* the highest id in use */
} pgc_entries;

int pgc_entries_init(pgc_entries *entries, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_entries_free(pgc_entries *entries);
/* A new, zeroed entry at the end; NULL when out of memory. owner is "". */
pgc_entry *pgc_entries_add(pgc_entries *entries);
pgc_entry *pgc_entries_find(const pgc_entries *entries, int id);

#endif
