/*
 * Schemas under other names, in all that is defined: definitions are text that the server wrote, and sql_names.c finds
 * the places. A view or function in which a schema's name is also that of something else cannot be rewritten and is
 * refused; bodies of functions that are text stay as they are, and are named.
 */
#include "clone/clone_internal.h"
#include "clone/sql_names.h"

#include "postgres/quote.h"

#include <stdio.h>
#include <string.h>

#define NAMED 20 /* functions, in one line */

/* ------------------------------------------------------------------ schemas in definitions */

static const char *const queries[] = {"VIEW", "MATERIALIZED VIEW", "RULE", "POLICY", "FUNCTION", "PROCEDURE", NULL};
static const char *const functions[] = {"FUNCTION", "PROCEDURE", "AGGREGATE", NULL};

typedef struct rewriting {
    pgc_clone *clone;
    pgc_buffer text;
    char named[1024]; /* functions whose bodies speak of what has another name */
    int named_count;
} rewriting;

/* *text under its new names. */
static int rewrite(rewriting *rewriting, clone_sql_names *names, const char **text, pgconvoy_error *err)
{
    if (!*text || !**text)
        return 0;
    pgc_buffer_reset(&rewriting->text);
    clone_sql_map_schemas(names, *text, &rewriting->text);
    if (pgc_buffer_check(&rewriting->text, err))
        return -1;
    if (strcmp(rewriting->text.data, *text) == 0)
        return 0;
    *text = pgc_arena_strdup(rewriting->clone->entries.arena, rewriting->text.data);
    return *text ? 0 : pgc_error_out_of_memory(err);
}

static int refuse_ambiguous(rewriting *rewriting, const pgc_entry *entry, pgconvoy_error *err)
{
    char name[300];
    clone_entry_name(entry, name, sizeof name);
    if (rewriting->clone->options->skip_unavailable)
        return clone_leave_out(rewriting->clone, entry,
                               "uses the name of a schema that gets another one for something else, too", err);
    pgconvoy_error_set(
        err, PGCONVOY_ERROR_CONFIG,
        "%s uses the name of a schema that gets another one for something else, too, and so cannot be rewritten", name);
    pgconvoy_error_hint(err, "leave it out (-T), say --skip-unavailable to have it left out, or give its alias or "
                             "column another name at the source");
    return -1;
}

static int map_entry(rewriting *rewriting, pgc_entry *entry, pgconvoy_error *err)
{
    const pgc_mapping *mapping = rewriting->clone->options->mapping;
    clone_sql_names names = {.mapping = mapping,
                             .is_query = pgc_entry_is_one_of(entry, queries),
                             .names_as_text = pgc_entry_is(entry, "SEQUENCE SET")},
                    others = {.mapping = mapping};
    if (rewrite(rewriting, &names, &entry->create, err) || rewrite(rewriting, &others, &entry->drop, err) ||
        rewrite(rewriting, &others, &entry->copy, err))
        return -1;
    if (pgc_entry_is_one_of(entry, functions) && rewrite(rewriting, &others, &entry->tag, err))
        return -1;
    if (pgc_entry_is(entry, "SCHEMA"))
        entry->tag = pgc_mapping_schema(mapping, entry->tag);
    entry->schema = pgc_mapping_schema(mapping, entry->schema);
    return names.is_ambiguous ? refuse_ambiguous(rewriting, entry, err) : 0;
}

/* ------------------------------------------------------------------ bodies of functions */

static bool body_names(const pgc_clone *clone, const char *body)
{
    const pgc_mapped_name *schemas;
    const pgc_mapped_table *tables;
    int schema_count = pgc_mapping_schemas(clone->options->mapping, &schemas),
        table_count = pgc_mapping_tables(clone->options->mapping, &tables);
    for (int i = 0; i < schema_count; i++)
        if (clone_sql_mentions(body, schemas[i].from))
            return true;
    for (int i = 0; i < table_count; i++)
        if ((tables[i].to_name || tables[i].renamed_count || tables[i].column_count) &&
            clone_sql_mentions(body, tables[i].name))
            return true;
    return false;
}

static void look_at_body(rewriting *rewriting, const pgc_entry *entry)
{
    char name[300];
    const char *body = pgc_entry_is_one_of(entry, functions) && entry->create ? strstr(entry->create, "\n    AS ") : NULL;
    if (!body || !body_names(rewriting->clone, body))
        return;
    clone_entry_name(entry, name, sizeof name);
    size_t length = strlen(rewriting->named);
    if (rewriting->named_count++ < NAMED)
        snprintf(rewriting->named + length, sizeof rewriting->named - length, "%s%s", length ? ", " : "", name);
    pgc_log_debug(rewriting->clone->options->log,
                  "%s speaks of what has another name in the target, and is copied as it is", name);
}

static void say_bodies(const rewriting *rewriting)
{
    if (rewriting->named_count > 0)
        pgc_log_warning(rewriting->clone->options->log,
                        "%d function%s of what has another name in the target, and %s copied as %s: %s%s",
                        rewriting->named_count, rewriting->named_count == 1 ? " speaks" : "s speak",
                        rewriting->named_count == 1 ? "is" : "are", rewriting->named_count == 1 ? "it is" : "they are",
                        rewriting->named, rewriting->named_count > NAMED ? ", … (--log-level debug names all)" : "");
}

/* ------------------------------------------------------------------ CREATE SCHEMA */

int clone_map_make_schema(pgc_clone *clone, const char *schema, pgconvoy_error *err)
{
    pgc_buffer create;
    pgc_buffer_init(&create, 1 << 12);
    pgc_buffer_text(&create, "CREATE SCHEMA ");
    pgc_quote_identifier(&create, schema);
    pgc_buffer_text(&create, ";\n");
    pgc_entry *entry =
        pgc_buffer_check(&create, err) ? NULL : clone_entry_add(clone, "SCHEMA", schema, NULL, create.data, NULL, 0);
    pgc_buffer_free(&create);
    if (!entry)
        return pgc_error_out_of_memory(err);
    entry->section = PGC_SECTION_PRE_DATA;
    pgc_entry **items = clone->entries.items;
    memmove(items + 1, items, sizeof *items * (size_t)(clone->entries.count - 1));
    items[0] = entry;
    return 0;
}

/* Each new schema has one entry that makes it; public's does not, and two may have become one. */
static int make_schemas(pgc_clone *clone, pgconvoy_error *err)
{
    const pgc_mapped_name *schemas;
    int count = pgc_mapping_schemas(clone->options->mapping, &schemas);
    if (clone->dump.data_only)
        return 0;
    for (int i = 0; i < count; i++) {
        bool made = false;
        int kept = 0;
        for (int n = 0; n < clone->entries.count; n++) {
            pgc_entry *entry = clone->entries.items[n];
            if (!pgc_entry_is(entry, "SCHEMA") || strcmp(entry->tag, schemas[i].to) != 0 ||
                (!made && entry->create && strncmp(entry->create, "CREATE", 6) == 0)) {
                made |= pgc_entry_is(entry, "SCHEMA") && strcmp(entry->tag, schemas[i].to) == 0;
                clone->entries.items[kept++] = entry;
            }
        }
        clone->entries.count = kept;
        if (!made && clone_map_make_schema(clone, schemas[i].to, err))
            return -1;
    }
    return 0;
}

/* ------------------------------------------------------------------ */

int clone_map_schemas(pgc_clone *clone, pgconvoy_error *err)
{
    const pgc_mapped_name *schemas;
    bool maps_schemas = pgc_mapping_schemas(clone->options->mapping, &schemas) > 0;
    rewriting rewriting = {.clone = clone};
    pgc_buffer_init(&rewriting.text, (size_t)1 << 30);
    int result = 0;
    for (int i = 0; i < clone->entries.count && result == 0; i++) {
        look_at_body(&rewriting, clone->entries.items[i]);
        if (maps_schemas)
            result = map_entry(&rewriting, clone->entries.items[i], err);
    }
    pgc_buffer_free(&rewriting.text);
    say_bodies(&rewriting);
    return result == 0 ? make_schemas(clone, err) : -1;
}
