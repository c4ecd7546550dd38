/*
 * Schema objects. Both catalogs are read as for a dump, and their entries compared: an object is told by what it is,
 * its schema and its name; its definition, owner, privileges and comment are entries and fields of their own, so that
 * each difference has a name. The order of columns does not count (schema_table.c).
 */
#include "inspect/verify/schema.h"

#include "catalog/catalog.h"
#include "catalog/relation.h"

#include <stdlib.h>

/* One entry of one end. */
typedef struct object {
    const pgc_entry *entry;
    const char *name; /* "INDEX public.t_v_idx" */
} object;

typedef struct side {
    pgc_dump_options options;
    pgc_catalog *catalog;
    pgc_entries entries;
    bool has_entries;
    object *objects;
    int count;
} side;

/* ------------------------------------------------------------------ reading */

static void on_warning(void *arg, const char *text, const char *hint)
{
    pgc_log_warning(((pgc_verify *)arg)->options->log, "%s%s%s", text, hint ? "; " : "", hint ? hint : "");
}

static pgc_names names_of(char *const *items, size_t count)
{
    return (pgc_names){.items = (char **)(uintptr_t)items, .count = (int)count};
}

/* The schema in which pgconvoy keeps its own state is nobody's. */
static int fill_options(pgc_verify *verify, int which, side *side, pgconvoy_error *err)
{
    const pgc_verify_options *from = verify->options;
    const pgc_choice *choice = &from->choice;
    char **excluded = pgc_arena_alloc(verify->arena, sizeof *excluded * (choice->exclude_schema_count + 1));
    if (!excluded)
        return pgc_error_out_of_memory(err);
    for (size_t i = 0; i < choice->exclude_schema_count; i++)
        excluded[i] = choice->exclude_schemas[i];
    excluded[choice->exclude_schema_count] = (char *)(uintptr_t) "pgconvoy";
    side->options = from->dump;
    side->options.address = (pgc_server_address){
        .dbname = which ? from->target : from->source, .prompt = PGC_PROMPT_NEVER, .program = "pgconvoy verify"};
    side->options.include_tables = names_of(choice->include_tables, choice->include_table_count);
    side->options.exclude_tables = names_of(choice->exclude_tables, choice->exclude_table_count);
    side->options.include_schemas = names_of(choice->include_schemas, choice->include_schema_count);
    side->options.exclude_schemas = (pgc_names){.items = excluded, .count = (int)choice->exclude_schema_count + 1};
    side->options.schema_only = true;
    side->options.for_a_session = true;
    side->options.no_subscriptions = true; /* of one end alone */
    side->options.sections = PGC_SECTIONS_PRE_DATA | PGC_SECTIONS_POST_DATA;
    side->options.jobs = 1;
    side->options.warning = on_warning;
    side->options.arg = verify;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    const object *left = a, *right = b;
    int order = strcmp(left->name, right->name);
    return order ? order
                 : strcmp(left->entry->create ? left->entry->create : "",
                          right->entry->create ? right->entry->create : "");
}

static int name_objects(pgc_verify *verify, side *side, pgconvoy_error *err)
{
    side->objects = pgc_arena_alloc(verify->arena, sizeof *side->objects * (size_t)(side->entries.count + 1));
    if (!side->objects)
        return pgc_error_out_of_memory(err);
    for (int i = 0; i < side->entries.count; i++) {
        const pgc_entry *entry = side->entries.items[i];
        if (!entry->create || !entry->create[0] || pgc_entry_is_ours(entry))
            continue;
        size_t length =
            strlen(entry->description) + strlen(entry->tag) + (entry->schema ? strlen(entry->schema) : 0) + 4;
        char *name = pgc_arena_alloc(verify->arena, length);
        if (!name)
            return pgc_error_out_of_memory(err);
        snprintf(name, length, "%s %s%s%s", entry->description, entry->schema ? entry->schema : "",
                 entry->schema && entry->schema[0] ? "." : "", entry->tag);
        side->objects[side->count++] = (object){entry, name};
    }
    if (side->count > 0)
        qsort(side->objects, (size_t)side->count, sizeof *side->objects, by_name);
    return 0;
}

static int read_side(pgc_verify *verify, int which, side *side, pgconvoy_error *err)
{
    if (fill_options(verify, which, side, err))
        return -1;
    side->catalog = pgc_catalog_open(&side->options, err);
    if (!side->catalog || pgc_catalog_read(side->catalog, err) || pgc_catalog_order(side->catalog, err) ||
        pgc_entries_init(&side->entries, err)) {
        pgc_error_prefix(err, "reading the schema of the %s", which ? "target" : "source");
        return -1;
    }
    side->has_entries = true;
    return pgc_catalog_entries(side->catalog, &side->entries, err) || name_objects(verify, side, err) ? -1 : 0;
}

static void close_side(side *side)
{
    if (side->has_entries)
        pgc_entries_free(&side->entries);
    if (side->catalog)
        pgc_catalog_close(side->catalog);
}

/* ------------------------------------------------------------------ comparing */

static bool has_owner(const pgc_entry *entry)
{
    static const char *const kinds[] = {"SCHEMA",
                                        "TYPE",
                                        "DOMAIN",
                                        "COLLATION",
                                        "CONVERSION",
                                        "TABLE",
                                        "VIEW",
                                        "MATERIALIZED VIEW",
                                        "SEQUENCE",
                                        "FOREIGN TABLE",
                                        "FUNCTION",
                                        "PROCEDURE",
                                        "AGGREGATE",
                                        "OPERATOR",
                                        "OPERATOR CLASS",
                                        "OPERATOR FAMILY",
                                        "TEXT SEARCH DICTIONARY",
                                        "TEXT SEARCH CONFIGURATION",
                                        "STATISTICS",
                                        "PROCEDURAL LANGUAGE",
                                        "FOREIGN DATA WRAPPER",
                                        "SERVER",
                                        "EVENT TRIGGER",
                                        "PUBLICATION",
                                        NULL};
    return pgc_entry_is_one_of(entry, kinds);
}

static bool same_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

static int compare_pair(pgc_verify *verify, const char *name, const pgc_entry *first, const pgc_entry *second,
                        pgconvoy_error *err)
{
    const pgc_dump_options *options = &verify->options->dump;
    pgc_entry spelled[2] = {*first, *second};
    for (int side = 0; side < 2 && !same_text(first->create, second->create); side++)
        if (!(spelled[side].create = verify_spelling(verify->arena, spelled[side].create)))
            return pgc_error_out_of_memory(err);
    const pgc_entry *source = &spelled[0], *target = &spelled[1];
    bool is_table = strcmp(source->description, "TABLE") == 0 || strcmp(source->description, "FOREIGN TABLE") == 0;
    bool same =
        is_table ? verify_table_same(source->create, target->create) : same_text(source->create, target->create);
    bool same_owner = options->no_owner || !has_owner(source) || same_text(source->owner, target->owner);
    bool same_space = options->no_tablespaces || same_text(source->tablespace, target->tablespace);
    if (same && same_owner && same_space)
        return 0;
    verify_finding *finding = verify_finding_add(&verify->schema, verify->arena, VERIFY_CHANGED, name);
    if (!finding)
        return pgc_error_out_of_memory(err);
    int status = 0;
    if (!same && is_table)
        status = verify_table_details(verify, finding, source->create, target->create, err);
    else if (!same)
        status = verify_detail_add(finding, verify->arena, "definition", source->create, target->create, err);
    if (!same_owner && status == 0)
        status = verify_detail_add(finding, verify->arena, "owner", source->owner, target->owner, err);
    if (!same_space && status == 0)
        status = verify_detail_add(finding, verify->arena, "tablespace", source->tablespace, target->tablespace, err);
    if (status == 0)
        verify_mend_changed(verify, source, target, same, same_owner, same_space);
    return status;
}

static int note(pgc_verify *verify, verify_kind kind, const object *object, pgconvoy_error *err)
{
    verify_finding *finding = verify_finding_add(&verify->schema, verify->arena, kind, object->name);
    if (!finding)
        return pgc_error_out_of_memory(err);
    const char *create = object->entry->create;
    return verify_detail_add(finding, verify->arena, "definition", kind == VERIFY_MISSING ? create : NULL,
                             kind == VERIFY_EXTRA ? create : NULL, err);
}

/* Marks in lone[] what has no fellow at the other end, so that the script can take it in an order that works. */
static int compare_all(pgc_verify *verify, const side sides[2], bool *lone[2], pgconvoy_error *err)
{
    int at[2] = {0, 0}, status = 0;
    while (status == 0 && (at[0] < sides[0].count || at[1] < sides[1].count)) {
        const object *source = at[0] < sides[0].count ? &sides[0].objects[at[0]] : NULL,
                     *target = at[1] < sides[1].count ? &sides[1].objects[at[1]] : NULL;
        int order = !source ? 1 : !target ? -1 : strcmp(source->name, target->name);
        if (order == 0)
            status = compare_pair(verify, source->name, source->entry, target->entry, err);
        else
            status = note(verify, order < 0 ? VERIFY_MISSING : VERIFY_EXTRA, order < 0 ? source : target, err);
        if (order < 0)
            lone[0][at[0]] = true;
        if (order > 0)
            lone[1][at[1]] = true;
        at[0] += order <= 0;
        at[1] += order >= 0;
    }
    return status;
}

/* ------------------------------------------------------------------ what is only at one end, in the order of the
 * entries */

static const object *find(const side *side, const pgc_entry *entry)
{
    for (int i = 0; i < side->count; i++)
        if (side->objects[i].entry == entry)
            return &side->objects[i];
    return NULL;
}

static void mend_lone(pgc_verify *verify, const side sides[2], bool *const lone[2])
{
    if (!verify->options->repair)
        return;
    for (int i = 0; i < sides[0].entries.count; i++) {
        const object *object = find(&sides[0], sides[0].entries.items[i]);
        if (object && lone[0][object - sides[0].objects])
            verify_mend_missing(verify, object->entry, has_owner(object->entry));
    }
    for (int attached = 1; attached >= 0; attached--) /* partitions are on their own before anything of theirs goes */
        for (int i = sides[1].entries.count - 1; i >= 0; i--) {
            const object *object = find(&sides[1], sides[1].entries.items[i]);
            if (object && lone[1][object - sides[1].objects] && attached == pgc_entry_is(object->entry, "TABLE ATTACH"))
                verify_mend_extra(verify, object->entry);
        }
}

int verify_schema(pgc_verify *verify, pgconvoy_error *err)
{
    side sides[2] = {{.count = 0}};
    bool *lone[2] = {NULL, NULL};
    int status = 0;
    for (int which = 0; which < 2 && status == 0; which++)
        status = verify_stopped(verify, err) ? -1 : read_side(verify, which, &sides[which], err);
    for (int which = 0; which < 2 && status == 0; which++)
        if (!(lone[which] = pgc_arena_zalloc(verify->arena, (size_t)sides[which].count + 1)))
            status = pgc_error_out_of_memory(err);
    if (status == 0)
        status = compare_all(verify, sides, lone, err);
    if (status == 0)
        mend_lone(verify, sides, lone);
    verify->object_count = sides[0].count;
    close_side(&sides[0]);
    close_side(&sides[1]);
    return status;
}
