/*
 * The table of readers: which query reads what, in the order in which their rows are taken. A reader later in the table may look up what those before it added.
 */
#include "catalog/catalog_sql.h"
#include "catalog/dependent.h"
#include "catalog/kinds.h"

/* Extensions and what belongs to them come first, since membership decides what is wanted of everything else; then the relations, so that they are locked soon. */
const pgc_reader pgc_readers_first[] = {
    {"roles", pgc_sql_roles, 0, 0, NULL, pgc_take_roles, false},
    {"extensions", pgc_sql_extensions, 0, 0, NULL, pgc_take_extensions, false},
    {"extension members", pgc_sql_extension_members, 0, 0, NULL, pgc_take_extension_members, false},
    {"schemas", pgc_sql_schemas, 0, 0, NULL, pgc_take_schemas, false},
    {"user-defined tables", pgc_sql_relations, 0, 0, NULL, pgc_take_relations, false},
    {"table inheritance information", pgc_sql_inherits, 0, 0, NULL, pgc_take_inherits, false},
    {0},
};

static bool wants_acls(const pgc_catalog *catalog)
{
    return !catalog->options->no_acl;
}

static bool wants_comments(const pgc_catalog *catalog)
{
    return !catalog->options->no_comments;
}

static bool wants_security_labels(const pgc_catalog *catalog)
{
    return !catalog->options->no_security_labels;
}

static bool wants_default_acls(const pgc_catalog *catalog)
{
    return !catalog->options->data_only && !catalog->options->no_acl;
}

static bool wants_publications(const pgc_catalog *catalog)
{
    return !catalog->options->no_publications;
}

/* Their connections are shown to superusers only; to all others it is said that there are some. */
static bool is_superuser(const pgc_catalog *catalog)
{
    const char *value = PQparameterStatus(catalog->conn, "is_superuser");
    return value && strcmp(value, "on") == 0;
}

static bool wants_subscriptions(const pgc_catalog *catalog)
{
    return !catalog->options->no_subscriptions && is_superuser(catalog);
}

static bool wants_subscription_count(const pgc_catalog *catalog)
{
    return !catalog->options->no_subscriptions && !is_superuser(catalog);
}

static bool wants_statistics(const pgc_catalog *catalog)
{
    return catalog->options->statistics;
}

static bool wants_upgrade(const pgc_catalog *catalog)
{
    return wants_subscriptions(catalog) && catalog->options->binary_upgrade;
}

static bool wants_large_objects(const pgc_catalog *catalog)
{
    const pgc_dump_options *o = catalog->options;
    bool by_default = pgc_options_include_everything(o) && !o->schema_only && !o->no_large_objects;
    return by_default || o->large_objects || o->binary_upgrade;
}

/* Texts that a dump of data alone has no use for. */
static bool wants_definitions(const pgc_catalog *catalog)
{
    return !catalog->options->data_only;
}

static bool wants_index_definitions(const pgc_catalog *catalog)
{
    for (int i = 0; i < catalog->relation_count; i++)
        for (int k = 0; k < catalog->relations[i]->index_count; k++)
            if (catalog->relations[i]->indexes[k]->needs_definition)
                return true;
    return false;
}

static bool wants_binary_upgrade(const pgc_catalog *catalog)
{
    return catalog->options->binary_upgrade;
}

static bool wants_sequence_values(const pgc_catalog *catalog)
{
    return !catalog->options->schema_only || pgc_wants_sequence_data(catalog);
}

static bool wants_database(const pgc_catalog *catalog)
{
    return catalog->options->create_database;
}

const pgc_reader pgc_readers[] = {
    {"user-defined functions", pgc_sql_functions, 0, 0, NULL, pgc_take_functions, false},
    {"user-defined types", pgc_sql_types, 0, 0, NULL, pgc_take_types, false},
    {"definitions of types", pgc_sql_type_details, 0, 0, NULL, pgc_take_type_details, false},
    {"columns of composite types", pgc_sql_type_columns, 0, 0, NULL, pgc_take_type_columns, false},
    {"labels of enum types", pgc_sql_type_enums, 0, 0, NULL, pgc_take_type_enums, false},
    {"constraints of domains", pgc_sql_domain_checks, 0, 0, NULL, pgc_take_domain_checks, false},
    {"procedural languages", pgc_sql_languages, 0, 0, NULL, pgc_take_languages, false},
    {"user-defined aggregate functions", pgc_sql_aggregates, 0, 0, NULL, pgc_take_aggregates, false},
    {"user-defined operators", pgc_sql_operators, 0, 0, NULL, pgc_take_operators, false},
    {"user-defined access methods", pgc_sql_access_methods, 0, 0, NULL, pgc_take_access_methods, false},
    {"user-defined operator classes", pgc_sql_operator_classes, 0, 0, NULL, pgc_take_operator_classes, false},
    {"user-defined operator families", pgc_sql_operator_families, 0, 0, NULL, pgc_take_operator_families, false},
    {"operators and functions of operator classes", pgc_sql_operator_class_items, 0, 0, NULL, pgc_take_operator_class_items, false},
    {"user-defined text search parsers", pgc_sql_ts_parsers, 0, 0, NULL, pgc_take_ts_parsers, false},
    {"user-defined text search templates", pgc_sql_ts_templates, 0, 0, NULL, pgc_take_ts_templates, false},
    {"user-defined text search dictionaries", pgc_sql_ts_dictionaries, 0, 0, NULL, pgc_take_ts_dictionaries, false},
    {"user-defined text search configurations", pgc_sql_ts_configurations, 0, 0, NULL, pgc_take_ts_configurations, false},
    {"mappings of text search configurations", pgc_sql_ts_configuration_maps, 0, 0, NULL, pgc_take_ts_configuration_maps, false},
    {"user-defined foreign-data wrappers", pgc_sql_foreign_data_wrappers, 0, 0, NULL, pgc_take_foreign_data_wrappers, false},
    {"user-defined foreign servers", pgc_sql_foreign_servers, 0, 0, NULL, pgc_take_foreign_servers, false},
    {"user mappings", pgc_sql_user_mappings, 0, 0, NULL, pgc_take_user_mappings, false},
    {"default privileges", pgc_sql_default_acls, 0, 0, wants_default_acls, pgc_take_default_acls, false},
    {"user-defined collations", pgc_sql_collations, 0, 0, NULL, pgc_take_collations, false},
    {"user-defined conversions", pgc_sql_conversions, 0, 0, NULL, pgc_take_conversions, false},
    {"type casts", pgc_sql_casts, 0, 0, NULL, pgc_take_casts, false},
    {"transforms", pgc_sql_transforms, 0, 0, NULL, pgc_take_transforms, false},
    {"event triggers", pgc_sql_event_triggers, 0, 0, NULL, pgc_take_event_triggers, false},
    {"column info for interesting tables", pgc_sql_columns, 0, 0, NULL, pgc_take_columns, true},
    {"table default expressions", pgc_sql_column_defaults, 0, 0, wants_definitions, pgc_take_column_defaults, true},
    {"table CHECK constraints", pgc_sql_checks, 0, 0, wants_definitions, pgc_take_checks, true},
    {"sequences", pgc_sql_sequences, 0, 0, wants_definitions, pgc_take_sequences, false},
    {"values of sequences", pgc_sql_sequence_values, 0, 0, wants_sequence_values, pgc_take_sequence_values, false},
    {"files of relations", pgc_sql_relation_storage, 0, 0, wants_binary_upgrade, pgc_take_relation_storage, false},
    {"views", pgc_sql_views, 0, 0, wants_definitions, pgc_take_views, true},
    {"foreign tables", pgc_sql_foreign_tables, 0, 0, wants_definitions, pgc_take_foreign_tables, false},
    {"partitioning data", pgc_sql_partitioning, 0, 0, NULL, pgc_take_partitioning, false},
    {"indexes", pgc_sql_indexes, 0, 0, NULL, pgc_take_indexes, true},
    {"extended statistics", pgc_sql_statistics, 0, 0, NULL, pgc_take_statistics, false},
    {"foreign key constraints", pgc_sql_foreign_keys, 0, 0, NULL, pgc_take_foreign_keys, true},
    {"optimizer statistics", pgc_sql_relation_statistics, 0, 0, wants_statistics, pgc_take_relation_statistics, false},
    {"triggers", pgc_sql_triggers, 0, 0, NULL, pgc_take_triggers, false},
    {"rewrite rules", pgc_sql_rules, 0, 0, NULL, pgc_take_rules, false},
    {"policies", pgc_sql_policies, 0, 0, NULL, pgc_take_policies, false},
    {"publications", pgc_sql_publications, 0, 0, wants_publications, pgc_take_publications, false},
    {"publication membership of schemas", pgc_sql_publication_schemas, 15, 0, wants_publications, pgc_take_publication_schemas, false},
    {"publication membership of tables", pgc_sql_publication_tables, 0, 0, wants_publications, pgc_take_publication_tables, false},
    {"subscriptions", pgc_sql_subscriptions, 0, 0, wants_subscriptions, pgc_take_subscriptions, false},
    {"number of subscriptions", pgc_sql_subscription_count, 0, 0, wants_subscription_count, pgc_take_subscription_count, false},
    {"subscription membership of tables", pgc_sql_subscription_tables, 17, 0, wants_upgrade, pgc_take_subscription_tables, false},
    {"large objects", pgc_sql_large_objects, 0, 0, wants_large_objects, pgc_take_large_objects, false},
    {"dependency data", pgc_sql_dependencies, 0, 0, NULL, pgc_take_dependencies, true},
    {"privileges of columns", pgc_sql_column_acls, 0, 0, wants_acls, pgc_take_column_acls, false},
    {"initial privileges", pgc_sql_initial_acls, 0, 0, wants_acls, pgc_take_initial_acls, false},
    {"comments", pgc_sql_comments, 0, 0, wants_comments, pgc_take_comments, false},
    {"security labels", pgc_sql_security_labels, 0, 0, wants_security_labels, pgc_take_security_labels, false},
    {"the database's properties", pgc_sql_database, 0, 0, wants_database, pgc_take_database, false},
    {0},
};

const pgc_reader pgc_readers_last[] = {
    {"definitions of indexes", pgc_sql_index_definitions, 0, 0, wants_index_definitions, pgc_take_index_definitions, true},
    {0},
};
