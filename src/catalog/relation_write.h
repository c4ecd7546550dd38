/* What the writers of relations share with each other, and with the writer of rules, which makes a postponed view whole again. */
#ifndef PGC_CATALOG_RELATION_WRITE_H
#define PGC_CATALOG_RELATION_WRITE_H

#include "catalog/ddl.h"

/* "TABLE", "FOREIGN TABLE", "VIEW", "MATERIALIZED VIEW", "SEQUENCE". */
const char *pgc_relation_kind_name(const pgc_relation *relation);
/* True when reloptions as text has something in it. */
bool pgc_relation_has_options(const char *reloptions);
/* " COLLATE schema.name", when the collation is known; nothing for 0. */
void pgc_ddl_collate(pgc_ddl *ddl, pgc_buffer *out, uint32_t collation);

/* ---- each appends one object's whole SQL; name is qualified */
void pgc_ddl_create_view(pgc_ddl *ddl, pgc_buffer *out, const pgc_relation *view, const char *name);
void pgc_ddl_create_materialized_view(pgc_ddl *ddl, pgc_buffer *out, const pgc_relation *view, const char *name);
void pgc_ddl_create_table(pgc_ddl *ddl, pgc_buffer *out, const pgc_relation *table, const char *name);
/* What follows the name of a view: WITH (…) AS query WITH CHECK OPTION; for CREATE and for CREATE OR REPLACE. */
void pgc_ddl_view_definition(pgc_ddl *ddl, pgc_buffer *out, const pgc_relation *view);
/* " AS SELECT NULL::type AS column, …": what stands in for the query of a view that has to wait. */
void pgc_ddl_view_stand_in(pgc_ddl *ddl, pgc_buffer *out, const pgc_relation *view);
/* All entries of a sequence. */
void pgc_write_sequence(pgc_ddl *ddl, const pgc_relation *sequence);

/* ---- of tables and materialized views */
/* The parenthesized list of columns and constraints; nothing for a typed table that has nothing of its own. */
void pgc_ddl_table_columns(pgc_ddl *ddl, pgc_buffer *out, const pgc_relation *table);
/* WITH (…) of the relation and of its TOAST table. */
void pgc_ddl_storage_options(pgc_ddl *ddl, pgc_buffer *out, const pgc_relation *relation);
/* ALTER COLUMN for all that CREATE cannot say. */
void pgc_ddl_alter_columns(pgc_ddl *ddl, pgc_buffer *out, const pgc_relation *relation, const char *name);

/* ---- binary upgrade; each does nothing otherwise */
/* Before CREATE: the oids of type, relation and TOAST table, and their files. */
void pgc_ddl_upgrade_oids(pgc_ddl *ddl, pgc_buffer *out, const pgc_relation *relation);
/* After it: missing values, dropped and inherited columns, inheritance, xids, the state of a materialized view. */
void pgc_ddl_upgrade_table(pgc_ddl *ddl, pgc_buffer *out, const pgc_relation *relation, const char *name);

#endif
