/*
 * Which entries are written for the given options, and what of each: its definition, its data, both or nothing. An entry that hangs on another (a
 * comment, an ACL) follows it when names are chosen, so entries are decided in their order.
 */
#include "archive/script_internal.h"

#include <stdlib.h>

/* The names of one option; marks those that were met. */
static bool is_among(pgc_script *script, const pgc_names *names, const char *name)
{
    const pgc_script_options *options = script->options;
    const pgc_names *lists[] = {&options->schemas, &options->tables, &options->indexes, &options->functions, &options->triggers};
    char *found = script->found_names;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0] && lists[i] != names; i++)
        found += lists[i]->count;
    bool excludes = names == &options->exclude_schemas;
    for (int i = 0; i < names->count; i++)
        if (strcmp(names->items[i], name) == 0) {
            if (!excludes)
                found[i] = 1;
            return true;
        }
    return false;
}

static int check_found_names(const pgc_script *script, pgconvoy_error *err)
{
    const pgc_script_options *options = script->options;
    const struct {
        const pgc_names *names;
        const char *what;
    } lists[] = {{&options->schemas, "schema"},
                 {&options->tables, "table"},
                 {&options->indexes, "index"},
                 {&options->functions, "function"},
                 {&options->triggers, "trigger"}};
    const char *found = script->found_names;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        for (int n = 0; n < lists[i].names->count; n++)
            if (!*found++) {
                pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "%s \"%s\" not found", lists[i].what, lists[i].names->items[n]);
                return -1;
            }
    return 0;
}

/* Left out by one of the options no_…: by itself, or with what its tag says it belongs to. */
static bool class_left_out(const pgc_script_options *options, const pgc_entry *entry, const script_kind *kind)
{
    const struct {
        bool out;
        unsigned trait;
        const char *prefix;
    } classes[] = {{options->no_acl, SCRIPT_ACL, NULL},
                   {options->no_publications, SCRIPT_PUBLICATION, "PUBLICATION"},
                   {options->no_subscriptions, SCRIPT_SUBSCRIPTION, "SUBSCRIPTION"},
                   {options->no_policies, SCRIPT_POLICY, "POLICY"},
                   {options->no_statistics, SCRIPT_STATISTICS, NULL}};
    bool is_comment = strcmp(entry->description, "COMMENT") == 0, is_label = strcmp(entry->description, "SECURITY LABEL") == 0;
    if ((is_comment && options->no_comments) || (is_label && options->no_security_labels))
        return true;
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if (classes[i].out && ((kind->traits & classes[i].trait) ||
                               ((is_comment || is_label) && classes[i].prefix && script_tag_begins(entry, classes[i].prefix))))
            return true;
    return false;
}

static bool chooses_kinds(const pgc_script_options *options)
{
    return options->tables.count + options->indexes.count + options->functions.count + options->triggers.count > 0;
}

/* Comments and the like go with what they belong to; without a choice they all go. */
static bool parent_is_chosen(const pgc_script *script, const pgc_entry *entry)
{
    const pgc_script_options *options = script->options;
    if (script_tag_begins(entry, "DATABASE "))
        return options->create_database;
    if (options->schemas.count == 0 && options->exclude_schemas.count == 0 && !chooses_kinds(options))
        return true;
    for (int i = 0; i < entry->dependency_count; i++) {
        int id = entry->dependencies[i];
        const pgc_entry *parent = id > 0 && id <= script->max_id ? script->by_id[id] : NULL;
        /* A column's ACL depends on the table's too, so that it comes later. */
        if (parent && strcmp(parent->description, "ACL") != 0 && script->writes[id])
            return true;
    }
    return false;
}

static bool name_is_chosen(pgc_script *script, const pgc_entry *entry, const script_kind *kind)
{
    const pgc_script_options *options = script->options;
    if (options->schemas.count > 0 && (!entry->schema || !is_among(script, &options->schemas, entry->schema)))
        return false;
    if (entry->schema && is_among(script, &options->exclude_schemas, entry->schema))
        return false;
    if (!chooses_kinds(options))
        return true;
    switch (kind->traits & SCRIPT_CHOOSABLE) {
    case SCRIPT_T:
        return is_among(script, &options->tables, entry->tag);
    case SCRIPT_I:
        return is_among(script, &options->indexes, entry->tag);
    case SCRIPT_P:
        return is_among(script, &options->functions, entry->tag);
    case SCRIPT_TRIGGER:
        return is_among(script, &options->triggers, entry->tag);
    default:
        return false;
    }
}

static bool loads_through_root(const pgc_entry *entry)
{
    return strncmp(entry->create, "-- load via partition root ", 27) == 0;
}

/* Definition or data, or both: as the entry has them and the options want them. */
static unsigned parts_of(const pgc_script *script, const pgc_entry *entry, const script_kind *kind)
{
    const pgc_script_options *options = script->options;
    unsigned parts = PGC_WRITES_SCHEMA | PGC_WRITES_DATA;
    bool is_large_object = script_is_large_object(entry), is_statistics = (kind->traits & SCRIPT_STATISTICS) != 0;
    if (is_statistics)
        return options->statistics || options->statistics_only || (!options->schema_only && !options->data_only) ? PGC_WRITES_SCHEMA : 0;
    if (options->statistics_only)
        return 0;
    if (!entry->has_data)
        parts = (kind->traits & SCRIPT_DATA) || is_large_object ? PGC_WRITES_DATA : PGC_WRITES_SCHEMA;
    if (!entry->create || !entry->create[0] || loads_through_root(entry))
        parts &= ~PGC_WRITES_SCHEMA;
    if (options->schema_only && !(options->sequence_data && strcmp(entry->description, "SEQUENCE SET") == 0) &&
        !(options->binary_upgrade && is_large_object && !entry->has_data)) /* an upgrade wants what is said of them; their bytes it copies itself */
        parts &= PGC_WRITES_SCHEMA;
    if (options->data_only)
        parts &= PGC_WRITES_DATA;
    return parts;
}

static unsigned writes_of(pgc_script *script, const pgc_entry *entry, pgc_section section, const unsigned char *listed)
{
    const pgc_script_options *options = script->options;
    const script_kind *kind = script_kind_of(entry);
    if (kind->traits & SCRIPT_SPECIAL)
        return PGC_WRITES_SPECIAL;
    if (kind->traits & SCRIPT_DATABASE)
        return options->create_database ? PGC_WRITES_SCHEMA : 0;
    if (class_left_out(options, entry, kind))
        return 0;
    if (!(options->sections & (1u << (section - PGC_SECTION_PRE_DATA))))
        return 0;
    if (listed && !listed[entry->id])
        return 0;
    if (kind->traits & SCRIPT_FOLLOWS ? !parent_is_chosen(script, entry) : !name_is_chosen(script, entry, kind))
        return 0;
    if (strcmp(entry->description, "<Init>") == 0)
        return 0;
    return parts_of(script, entry, kind);
}

static size_t count_names(const pgc_script_options *options)
{
    return (size_t)(options->schemas.count + options->tables.count + options->indexes.count + options->functions.count +
                    options->triggers.count);
}

int script_choose(pgc_script *script, pgconvoy_error *err)
{
    const pgc_script_options *options = script->options;
    unsigned char *listed = NULL;
    script->found_names = pgc_arena_zalloc(script->arena, count_names(options) + 1);
    if (!script->found_names)
        return pgc_error_out_of_memory(err);
    if (options->list_file && script_read_list(script, &listed, err) != 0)
        return -1;
    pgc_section section = PGC_SECTION_PRE_DATA;
    bool any_definition = false;
    for (int i = 0; i < script->entries->count; i++) {
        const pgc_entry *entry = script->entries->items[i];
        if (entry->section != PGC_SECTION_NONE)
            section = entry->section;
        unsigned writes = writes_of(script, entry, section, listed);
        script->writes[entry->id] = (unsigned char)writes;
        any_definition |= (writes & PGC_WRITES_SCHEMA) != 0;
        if (writes & (PGC_WRITES_SCHEMA | PGC_WRITES_DATA)) {
            script->has_acl_pass |= pgc_entry_pass(entry) == PGC_PASS_ACL;
            script->has_post_acl_pass |= pgc_entry_pass(entry) == PGC_PASS_POST_ACL;
        }
    }
    script->data_only = options->data_only || !any_definition;
    if (script->data_only && !options->data_only)
        script_say(script, "implied data-only restore");
    return options->strict_names ? check_found_names(script, err) : 0;
}
