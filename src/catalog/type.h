/* What the readers of types leave in pgc_type.detail for the writers, by pg_type.typtype. NULL where no definition is wanted. */
#ifndef PGC_CATALOG_TYPE_H
#define PGC_CATALOG_TYPE_H

#include "catalog/dependent.h"
#include "catalog/property.h"

/* 'b' and 'r': the properties, in the order of the tables below. */
typedef struct pgc_listed_type {
    const char *const *values;
    uint32_t multirange, multirange_array; /* of a range */
} pgc_listed_type;

typedef struct pgc_property_list {
    const pgc_property *items;
    int count;
} pgc_property_list;

extern const pgc_property_list pgc_base_type_properties, pgc_range_properties;

/* 'd' */
typedef struct pgc_domain {
    const char *definition; /* the type beneath it, with its modifier */
    const char *collation;  /* where it is not the type's own; ready to be written */
    bool not_null;
    const char *default_expression, *default_literal; /* one of them, or neither */
    const pgc_constraint *not_null_constraint;        /* from version 17 on */
} pgc_domain;

/* 'c' */
typedef struct pgc_type_column {
    const char *name, *definition, *collation; /* collation as in pgc_domain */
    const char *align;
    int number, length;
    bool dropped;
    uint64_t version; /* 15.20 and later keep one, an LSN; 0: none */
} pgc_type_column;

typedef struct pgc_composite {
    pgc_type_column *columns;
    int count;
    bool has_versions; /* the server keeps versions of columns, and wants them back in a binary upgrade */
} pgc_composite;

/* 'e' */
typedef struct pgc_enum_label {
    uint32_t oid;
    const char *text;
} pgc_enum_label;

typedef struct pgc_enum {
    pgc_enum_label *labels;
    int count;
} pgc_enum;

/* In binary upgrade: commands that make the next type have this type's oid, and its array type that of its array type. Also for the row types of relations. Nothing otherwise, and for oid 0. */
void pgc_ddl_type_oids(pgc_ddl *ddl, pgc_buffer *out, uint32_t oid);

#endif
