/* The kinds of objects as a table: how each is called, where it sorts, in which section of a dump it stands, and who writes it down. */
#ifndef PGC_CATALOG_KINDS_H
#define PGC_CATALOG_KINDS_H

#include "catalog/ddl.h"
#include "catalog/read.h"

typedef struct pgc_kind_row {
    const char *name; /* "table data": for messages */
    int rank;         /* objects sort by rank, schema, name, kind, then compare */
    pgc_section section;
    /* Breaks a tie between two of this kind with equal schema and name; NULL: by oid. */
    int (*compare)(const pgc_catalog *catalog, const pgc_object *a, const pgc_object *b);
    void (*write)(pgc_ddl *ddl, const pgc_object *object); /* NULL: nothing to write */
} pgc_kind_row;

extern const pgc_kind_row pgc_kinds[PGC_KIND_COUNT];

/* ---- writers: one for each kind, called in order with whatever is wanted of the object */
#define PGC_WRITER(name) void pgc_write_##name(pgc_ddl *ddl, const pgc_object *object)
PGC_WRITER(schema); PGC_WRITER(extension);
PGC_WRITER(type); PGC_WRITER(shell_type); PGC_WRITER(function); PGC_WRITER(aggregate); PGC_WRITER(language); PGC_WRITER(cast); PGC_WRITER(transform);
PGC_WRITER(operator); PGC_WRITER(access_method); PGC_WRITER(operator_class); PGC_WRITER(operator_family); PGC_WRITER(collation); PGC_WRITER(conversion);
PGC_WRITER(ts_parser); PGC_WRITER(ts_dictionary); PGC_WRITER(ts_template); PGC_WRITER(ts_configuration);
PGC_WRITER(relation); PGC_WRITER(partition_attach); PGC_WRITER(column_default); PGC_WRITER(table_data); PGC_WRITER(sequence_value); PGC_WRITER(matview_refresh);
PGC_WRITER(index); PGC_WRITER(index_attach); PGC_WRITER(statistics); PGC_WRITER(relation_statistics); PGC_WRITER(rule); PGC_WRITER(trigger); PGC_WRITER(constraint);
PGC_WRITER(event_trigger); PGC_WRITER(policy); PGC_WRITER(publication); PGC_WRITER(publication_table); PGC_WRITER(publication_schema); PGC_WRITER(subscription); PGC_WRITER(subscription_table);
PGC_WRITER(foreign_data_wrapper); PGC_WRITER(foreign_server); PGC_WRITER(default_acl); PGC_WRITER(large_object); PGC_WRITER(large_object_group); PGC_WRITER(large_object_data);

/* The database itself: CREATE DATABASE, its settings, comment, privileges. Not an object of its own catalog: called once, before all else, when it is wanted. */
void pgc_write_database(pgc_ddl *ddl);

/* ---- tie breakers */
#define PGC_COMPARE(name) int pgc_compare_##name(const pgc_catalog *catalog, const pgc_object *a, const pgc_object *b)
PGC_COMPARE(function); PGC_COMPARE(operator); PGC_COMPARE(operator_group); PGC_COMPARE(collation); PGC_COMPARE(column_default); PGC_COMPARE(policy); PGC_COMPARE(rule);
PGC_COMPARE(trigger); PGC_COMPARE(constraint); PGC_COMPARE(default_acl); PGC_COMPARE(publication_table); PGC_COMPARE(publication_schema); PGC_COMPARE(subscription_table); PGC_COMPARE(index);
/* Two types by schema and name. */
int pgc_compare_type_oids(const pgc_catalog *catalog, uint32_t a, uint32_t b);

/* ---- takers of the readers' rows (readers.c) */
#define PGC_TAKE(name) int pgc_take_##name(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err)
PGC_TAKE(roles); PGC_TAKE(extensions); PGC_TAKE(extension_members); PGC_TAKE(schemas); PGC_TAKE(relations); PGC_TAKE(inherits);
PGC_TAKE(functions); PGC_TAKE(types); PGC_TAKE(type_details); PGC_TAKE(type_columns); PGC_TAKE(type_enums); PGC_TAKE(domain_checks); PGC_TAKE(languages); PGC_TAKE(aggregates);
PGC_TAKE(operators); PGC_TAKE(access_methods); PGC_TAKE(operator_classes); PGC_TAKE(operator_class_items); PGC_TAKE(operator_families); PGC_TAKE(ts_parsers); PGC_TAKE(ts_templates); PGC_TAKE(ts_dictionaries);
PGC_TAKE(ts_configurations); PGC_TAKE(ts_configuration_maps); PGC_TAKE(foreign_data_wrappers); PGC_TAKE(foreign_servers); PGC_TAKE(user_mappings); PGC_TAKE(default_acls); PGC_TAKE(collations); PGC_TAKE(conversions);
PGC_TAKE(casts); PGC_TAKE(transforms); PGC_TAKE(event_triggers); PGC_TAKE(columns); PGC_TAKE(column_defaults); PGC_TAKE(checks); PGC_TAKE(sequences); PGC_TAKE(sequence_values); PGC_TAKE(relation_storage); PGC_TAKE(views); PGC_TAKE(column_acls); PGC_TAKE(partitioning); PGC_TAKE(foreign_tables);
PGC_TAKE(indexes); PGC_TAKE(index_definitions); PGC_TAKE(statistics); PGC_TAKE(relation_statistics); PGC_TAKE(foreign_keys); PGC_TAKE(triggers); PGC_TAKE(rules); PGC_TAKE(policies); PGC_TAKE(publications); PGC_TAKE(publication_schemas); PGC_TAKE(publication_tables);
PGC_TAKE(subscriptions); PGC_TAKE(subscription_count); PGC_TAKE(subscription_tables); PGC_TAKE(large_objects); PGC_TAKE(dependencies); PGC_TAKE(initial_acls); PGC_TAKE(comments); PGC_TAKE(security_labels); PGC_TAKE(database);

/* ---- steps between reading and ordering, in this order (catalog.c calls them) */
/* relation.c: extension configuration tables marked, parents linked and marked interesting, partition attachments added. After pgc_readers_first. */
int pgc_relations_link(pgc_catalog *catalog, pgconvoy_error *err) PGC_MUST_CHECK;
/* extension.c: which extension tables' data are dumped (extconfig); before pgc_relations_link's marking. */
int pgc_extension_config_mark(pgc_catalog *catalog, pgconvoy_error *err) PGC_MUST_CHECK;
/* column.c: inherited NOT NULL, defaults and generated columns flagged, after columns, defaults and checks were taken. */
int pgc_columns_inherit(pgc_catalog *catalog, pgconvoy_error *err) PGC_MUST_CHECK;
/* index.c: INDEX ATTACH objects of partitioned indexes; after indexes were taken. */
int pgc_indexes_inherit(pgc_catalog *catalog, pgconvoy_error *err) PGC_MUST_CHECK;
/* table_data.c: TABLE DATA, SEQUENCE SET and REFRESH objects for the relations whose data are wanted. */
/* Whether values of sequences are wanted without other data: when they were asked for, and until 17 in an upgrade, which from 18 on copies the files of sequences too. */
bool pgc_wants_sequence_data(const pgc_catalog *catalog);
int pgc_table_data_add(pgc_catalog *catalog, pgconvoy_error *err) PGC_MUST_CHECK;
/* extension.c: data of configuration tables, ordered by the foreign keys between them. */
int pgc_extension_data_add(pgc_catalog *catalog, pgconvoy_error *err) PGC_MUST_CHECK;
/* relation_statistics.c: those of a materialized view stand behind its refresh, which would reset them. After pgc_table_data_add. */
int pgc_relation_statistics_link(pgc_catalog *catalog, pgconvoy_error *err) PGC_MUST_CHECK;
/* The section of a PGC_KIND_RELATION_STATISTICS. */
pgc_section pgc_relation_statistics_section(const pgc_object *object);
/* table_data.c: after the dependencies were taken: refreshes after the refreshes they read; with data_only, tables after those their foreign keys refer to. */
int pgc_table_data_dependencies(pgc_catalog *catalog, pgconvoy_error *err) PGC_MUST_CHECK;
/* table_data.c: the pgc_table_data of one relation (kind by its relkind); nothing when it has none or it is not wanted. Also for configuration tables (filter: their condition or NULL). */
int pgc_table_data_add_one(pgc_catalog *catalog, pgc_relation *relation, const char *filter, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
