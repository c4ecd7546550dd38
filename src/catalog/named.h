/*
 * Most kinds of objects are a name, an owner and one command: operators, collations, parsers, wrappers, … What they have in common when they are read and when they are written stands here once.
 */
#ifndef PGC_CATALOG_NAMED_H
#define PGC_CATALOG_NAMED_H

#include "catalog/kinds.h"

/* The columns that such queries share by name: oid, name, schema (oid), owner (oid), acl, default_acl. What a kind lacks, its query leaves out. */
typedef struct pgc_named_columns {
    int oid, name, schema, owner, acl, default_acl;
} pgc_named_columns;

pgc_named_columns pgc_named_columns_find(const pgc_rows *rows);

/* Adds the object of a row: size bytes, the first of them its pgc_object, filled and selected (pgc_select_object). NULL and err when out of memory. */
void *pgc_named_take(const pgc_rows *rows, int row, const pgc_named_columns *columns, pgc_kind kind, size_t size, uint32_t class_oid,
                     pgconvoy_error *err) PGC_MUST_CHECK;

/* True when the object's definition or comment is wanted: then its details are read, and then there is something to write. */
bool pgc_named_wanted(const pgc_catalog *catalog, const pgc_object *object);

/*
 * The entry and the comment of an object, for which create has the whole CREATE command (and may be appended to). kind: "TEXT SEARCH PARSER"; name: what follows the schema in DROP and COMMENT ON.
 * What is not wanted is not written.
 */
void pgc_named_write(pgc_ddl *ddl, const pgc_object *object, const char *kind, const char *name, pgc_buffer *create);

#endif
