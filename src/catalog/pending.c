/* Weak stand-ins for parts that are still being written; this file goes when the last of them is there. */
#include "catalog/kinds.h"
#define WEAK __attribute__((weak))
WEAK PGC_WRITER(type) { (void)ddl; (void)object; }
WEAK PGC_WRITER(shell_type) { (void)ddl; (void)object; }
WEAK PGC_WRITER(function) { (void)ddl; (void)object; }
WEAK PGC_WRITER(aggregate) { (void)ddl; (void)object; }
WEAK PGC_WRITER(language) { (void)ddl; (void)object; }
WEAK PGC_WRITER(cast) { (void)ddl; (void)object; }
WEAK PGC_WRITER(transform) { (void)ddl; (void)object; }
WEAK PGC_WRITER(operator) { (void)ddl; (void)object; }
WEAK PGC_WRITER(access_method) { (void)ddl; (void)object; }
WEAK PGC_WRITER(operator_class) { (void)ddl; (void)object; }
WEAK PGC_WRITER(operator_family) { (void)ddl; (void)object; }
WEAK PGC_WRITER(collation) { (void)ddl; (void)object; }
WEAK PGC_WRITER(conversion) { (void)ddl; (void)object; }
WEAK PGC_WRITER(ts_parser) { (void)ddl; (void)object; }
WEAK PGC_WRITER(ts_dictionary) { (void)ddl; (void)object; }
WEAK PGC_WRITER(ts_template) { (void)ddl; (void)object; }
WEAK PGC_WRITER(ts_configuration) { (void)ddl; (void)object; }
WEAK PGC_WRITER(relation) { (void)ddl; (void)object; }
WEAK PGC_WRITER(partition_attach) { (void)ddl; (void)object; }
WEAK PGC_WRITER(column_default) { (void)ddl; (void)object; }
WEAK PGC_WRITER(table_data) { (void)ddl; (void)object; }
WEAK PGC_WRITER(sequence_value) { (void)ddl; (void)object; }
WEAK PGC_WRITER(matview_refresh) { (void)ddl; (void)object; }
WEAK PGC_WRITER(index) { (void)ddl; (void)object; }
WEAK PGC_WRITER(index_attach) { (void)ddl; (void)object; }
WEAK PGC_WRITER(statistics) { (void)ddl; (void)object; }
WEAK PGC_WRITER(relation_statistics) { (void)ddl; (void)object; }
WEAK PGC_WRITER(rule) { (void)ddl; (void)object; }
WEAK PGC_WRITER(trigger) { (void)ddl; (void)object; }
WEAK PGC_WRITER(constraint) { (void)ddl; (void)object; }
WEAK PGC_WRITER(event_trigger) { (void)ddl; (void)object; }
WEAK PGC_WRITER(policy) { (void)ddl; (void)object; }
WEAK PGC_WRITER(publication) { (void)ddl; (void)object; }
WEAK PGC_WRITER(publication_table) { (void)ddl; (void)object; }
WEAK PGC_WRITER(publication_schema) { (void)ddl; (void)object; }
WEAK PGC_WRITER(subscription) { (void)ddl; (void)object; }
WEAK PGC_WRITER(subscription_table) { (void)ddl; (void)object; }
WEAK PGC_WRITER(foreign_data_wrapper) { (void)ddl; (void)object; }
WEAK PGC_WRITER(foreign_server) { (void)ddl; (void)object; }
WEAK PGC_WRITER(default_acl) { (void)ddl; (void)object; }
WEAK PGC_WRITER(large_object) { (void)ddl; (void)object; }
WEAK PGC_WRITER(large_object_data) { (void)ddl; (void)object; }
WEAK PGC_COMPARE(function) { (void)catalog; (void)a; (void)b; return 0; }
WEAK PGC_COMPARE(operator) { (void)catalog; (void)a; (void)b; return 0; }
WEAK PGC_COMPARE(operator_group) { (void)catalog; (void)a; (void)b; return 0; }
WEAK PGC_COMPARE(collation) { (void)catalog; (void)a; (void)b; return 0; }
WEAK PGC_COMPARE(column_default) { (void)catalog; (void)a; (void)b; return 0; }
WEAK PGC_COMPARE(policy) { (void)catalog; (void)a; (void)b; return 0; }
WEAK PGC_COMPARE(rule) { (void)catalog; (void)a; (void)b; return 0; }
WEAK PGC_COMPARE(trigger) { (void)catalog; (void)a; (void)b; return 0; }
WEAK PGC_COMPARE(constraint) { (void)catalog; (void)a; (void)b; return 0; }
WEAK PGC_COMPARE(default_acl) { (void)catalog; (void)a; (void)b; return 0; }
WEAK PGC_COMPARE(publication_table) { (void)catalog; (void)a; (void)b; return 0; }
WEAK PGC_COMPARE(publication_schema) { (void)catalog; (void)a; (void)b; return 0; }
WEAK PGC_COMPARE(index) { (void)catalog; (void)a; (void)b; return 0; }
WEAK PGC_TAKE(relations) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(inherits) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(extension_config) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(functions) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(types) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(type_columns) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(type_enums) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(domain_checks) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(languages) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(aggregates) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(operators) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(access_methods) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(operator_classes) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(operator_class_items) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(operator_families) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(ts_parsers) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(ts_templates) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(ts_dictionaries) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(ts_configurations) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(ts_configuration_maps) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(foreign_data_wrappers) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(foreign_servers) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(user_mappings) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(default_acls) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(collations) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(conversions) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(casts) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(transforms) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(event_triggers) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(columns) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(column_defaults) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(checks) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(sequences) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(views) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(column_acls) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(partitioning) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(foreign_tables) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(indexes) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(statistics) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(foreign_keys) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(triggers) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(rules) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(policies) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(publications) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(publication_schemas) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(publication_tables) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(subscriptions) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(subscription_tables) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(large_objects) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(dependencies) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(database) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK void pgc_write_database(pgc_ddl *ddl) { (void)ddl; }
WEAK int pgc_relations_link(pgc_catalog *catalog, pgconvoy_error *err) { (void)catalog; (void)err; return 0; }
WEAK int pgc_columns_inherit(pgc_catalog *catalog, pgconvoy_error *err) { (void)catalog; (void)err; return 0; }
WEAK int pgc_indexes_inherit(pgc_catalog *catalog, pgconvoy_error *err) { (void)catalog; (void)err; return 0; }
WEAK int pgc_table_data_add(pgc_catalog *catalog, pgconvoy_error *err) { (void)catalog; (void)err; return 0; }
WEAK int pgc_table_data_dependencies(pgc_catalog *catalog, pgconvoy_error *err) { (void)catalog; (void)err; return 0; }
WEAK int pgc_table_data_add_one(pgc_catalog *catalog, pgc_relation *relation, const char *filter, pgconvoy_error *err) { (void)catalog; (void)relation; (void)filter; (void)err; return 0; }
WEAK int pgc_compare_type_oids(const pgc_catalog *catalog, uint32_t a, uint32_t b) { (void)catalog; (void)a; (void)b; return 0; }
