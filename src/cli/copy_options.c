/* See copy_options.h. Names of options are those of dump and of the pipelines; what means nothing to a copy is refused,
 * not passed over. */
#include "cli/check.h"
#include "cli/copy_options.h"

#include "cli/pg_options.h"

#include <stddef.h>
#include <stdlib.h>

#define PLACE(member) offsetof(pgc_clone_options, member)
#define LEAST_MEMORY ((size_t)64 << 20)

static const struct {
    const char *name;
    size_t place;
} switches[] = {
    {"consistent", PLACE(consistent)},
    {"schema-only", PLACE(dump.schema_only)},
    {"data-only", PLACE(dump.data_only)},
    {"large-objects", PLACE(dump.large_objects)},
    {"no-large-objects", PLACE(dump.no_large_objects)},
    {"no-comments", PLACE(dump.no_comments)},
    {"no-policies", PLACE(dump.no_policies)},
    {"no-publications", PLACE(dump.no_publications)},
    {"no-subscriptions", PLACE(dump.no_subscriptions)},
    {"no-security-labels", PLACE(dump.no_security_labels)},
    {"no-table-access-method", PLACE(dump.no_table_access_method)},
    {"no-tablespaces", PLACE(dump.no_tablespaces)},
    {"no-toast-compression", PLACE(dump.no_toast_compression)},
    {"no-unlogged-table-data", PLACE(dump.no_unlogged_table_data)},
};

/* Those of the pipeline's options come by way of cli_copy_options.settings, with their own checks. */
static const struct {
    const char *name;
    size_t place;
} lists[] = {
    {"table", PLACE(dump.include_tables)},
    {"exclude-table", PLACE(dump.exclude_tables)},
    {"schema", PLACE(dump.include_schemas)},
    {"exclude-schema", PLACE(dump.exclude_schemas)},
    {"table-and-children", PLACE(dump.include_tables_and_children)},
    {"exclude-table-and-children", PLACE(dump.exclude_tables_and_children)},
    {"exclude-table-data", PLACE(dump.exclude_table_data)},
    {"exclude-table-data-and-children", PLACE(dump.exclude_table_data_and_children)},
    {"extension", PLACE(dump.include_extensions)},
    {"exclude-extension", PLACE(dump.exclude_extensions)},
};

static const cli_pg_filter filters[] = {
    {"extension", PLACE(dump.include_extensions), PLACE(dump.exclude_extensions)},
    {"schema", PLACE(dump.include_schemas), PLACE(dump.exclude_schemas)},
    {"table", PLACE(dump.include_tables), PLACE(dump.exclude_tables)},
    {"table_and_children", PLACE(dump.include_tables_and_children), PLACE(dump.exclude_tables_and_children)},
    {"table_data", 0, PLACE(dump.exclude_table_data)},
    {"table_data_and_children", 0, PLACE(dump.exclude_table_data_and_children)},
    {NULL, 0, 0},
};

static const struct {
    const char *name;
    pgc_mapping_kind kind;
} mappings[] = {
    {"map-schema", PGC_MAPPING_SCHEMA}, {"map-table", PGC_MAPPING_TABLE}, {"map-column", PGC_MAPPING_COLUMN},
    {"columns", PGC_MAPPING_COLUMNS},   {"where", PGC_MAPPING_WHERE},
};

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])

static bool is_on(const cli_arguments *arguments, const char *name)
{
    const char *value = cli_setting_value(arguments, name);
    return value && strcmp(value, "false") != 0;
}

static pgc_names *list_at(cli_copy_options *options, size_t place)
{
    return (pgc_names *)((char *)&options->clone + place);
}

static int refuse(const char *option, const char *why, const char *hint, pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "--%s %s", option, why);
    pgconvoy_error_hint(err, "%s", hint);
    return -1;
}

/* ------------------------------------------------------------------ one setting */

static int take_list(cli_copy_options *options, const cli_setting *setting, pgconvoy_error *err)
{
    for (size_t i = 0; i < COUNT(lists); i++)
        if (strcmp(lists[i].name, setting->option->name) == 0)
            return cli_names_add(list_at(options, lists[i].place), setting->value, err);
    return 0;
}

int cli_mapping_take(pgc_mapping *mapping, const cli_setting *setting, pgconvoy_error *err)
{
    for (size_t i = 0; i < COUNT(mappings); i++)
        if (strcmp(mappings[i].name, setting->option->name) == 0)
            return pgc_mapping_add(mapping, mappings[i].kind, setting->value, err);
    return 0;
}

static int take_setting(cli_copy_options *options, const cli_setting *setting, pgconvoy_error *err)
{
    if (setting->is_pipelines && pgc_options_set(&options->settings, setting->option->name, setting->value, err))
        return -1;
    if (strcmp(setting->option->name, "filter") == 0)
        return cli_pg_read_filter(filters, &options->clone, setting->value, err);
    return take_list(options, setting, err);
}

/* ------------------------------------------------------------------ all of them */

static int check(const cli_copy_options *options, const cli_arguments *arguments, pgconvoy_error *err)
{
    const pgc_dump_options *dump = &options->clone.dump;
    if (dump->schema_only && dump->data_only)
        return refuse("schema-only", "and --data-only leave nothing to copy", "give one of them", err);
    if (dump->data_only && options->clone.if_exists == PGCONVOY_IF_EXISTS_DROP)
        return refuse("if-exists drop", "and --data-only would leave no tables for the rows",
                      "use --if-exists truncate", err);
    if (options->settings.until == PGC_UNTIL_LSN)
        return refuse(
            "until",
            "with a position is for what streams; a copy has what was committed when it began, and ends by itself",
            "leave it out, or use sync", err);
    if (cli_setting_value(arguments, "memory") && options->settings.memory_bytes < LEAST_MEMORY)
        return refuse(
            "memory", "is too little for a copy",
            "a copy keeps no rows and needs what its list of objects and the largest row take; give 64MB or more", err);
    return 0;
}

int cli_copy_options_set(cli_copy_options *options, const cli_arguments *arguments, pgconvoy_error *err)
{
    pgc_options_init(&options->settings);
    for (size_t i = 0; i < arguments->setting_count; i++)
        if (take_setting(options, &arguments->settings[i], err))
            return -1;
    for (size_t i = 0; i < COUNT(switches); i++)
        *(bool *)((char *)&options->clone + switches[i].place) = is_on(arguments, switches[i].name);
    pgc_options_derive_name(arguments->operands[0], arguments->operands[1], options->name);
    pgc_clone_options_take(&options->clone, &options->settings);
    options->clone.source = arguments->operands[0];
    options->clone.target = arguments->operands[1];
    options->clone.name = options->settings.name ? options->settings.name : options->name;
    options->clone.if_exists = options->settings.if_exists;
    options->clone.skip_disk = cli_skips_check(arguments, "disk_space");
    options->clone.dry_run = options->settings.dry_run;
    options->clone.retry_for_us = options->settings.retry_for_us;
    options->clone.part_bytes = cli_setting_value(arguments, "split") ? options->settings.split_bytes : 0;
    options->clone.dump.strict_names = true;
    /* the schema in which pgconvoy keeps its own state is nobody's data */
    if (cli_names_add(&options->clone.dump.exclude_schemas, "pgconvoy", err))
        return -1;
    return check(options, arguments, err);
}

void cli_copy_options_free(cli_copy_options *options)
{
    for (size_t i = 0; i < COUNT(lists); i++) {
        pgc_names *list = list_at(options, lists[i].place);
        for (int n = 0; n < list->count; n++)
            free(list->items[n]);
        free(list->items);
        *list = (pgc_names){0};
    }
    pgc_options_free(&options->settings);
}
