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
WEAK PGC_WRITER(relation_statistics) { (void)ddl; (void)object; }
WEAK PGC_WRITER(foreign_data_wrapper) { (void)ddl; (void)object; }
WEAK PGC_WRITER(foreign_server) { (void)ddl; (void)object; }
WEAK PGC_WRITER(default_acl) { (void)ddl; (void)object; }
WEAK PGC_WRITER(large_object) { (void)ddl; (void)object; }
WEAK PGC_WRITER(large_object_data) { (void)ddl; (void)object; }
WEAK PGC_COMPARE(function) { (void)catalog; (void)a; (void)b; return 0; }
WEAK PGC_COMPARE(operator) { (void)catalog; (void)a; (void)b; return 0; }
WEAK PGC_COMPARE(operator_group) { (void)catalog; (void)a; (void)b; return 0; }
WEAK PGC_COMPARE(collation) { (void)catalog; (void)a; (void)b; return 0; }
WEAK PGC_COMPARE(default_acl) { (void)catalog; (void)a; (void)b; return 0; }
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
WEAK PGC_TAKE(large_objects) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(dependencies) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(database) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK void pgc_write_database(pgc_ddl *ddl) { (void)ddl; }
WEAK int pgc_compare_type_oids(const pgc_catalog *catalog, uint32_t a, uint32_t b) { (void)catalog; (void)a; (void)b; return 0; }
