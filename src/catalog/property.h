/*
 * Definitions that are lists: CREATE TYPE … (INPUT = f, OUTPUT = g) and the like. A kind says in a table which key word comes from which column of its query, in the order in which they are written; the query
 * gives values that are ready to be written, and NULL for what is left out.
 */
#ifndef PGC_CATALOG_PROPERTY_H
#define PGC_CATALOG_PROPERTY_H

#include "catalog/ddl.h"
#include "catalog/read.h"

typedef enum pgc_property_form {
    PGC_PROPERTY_WORD,    /* KEYWORD = value */
    PGC_PROPERTY_LITERAL, /* KEYWORD = 'value' */
    PGC_PROPERTY_FLAG     /* KEYWORD, when the value is not NULL */
} pgc_property_form;

typedef struct pgc_property {
    const char *keyword, *column;
    pgc_property_form form;
} pgc_property;

/* The values of one row, in the order of properties; NULL and err when out of memory. */
const char *const *pgc_properties_take(const pgc_rows *rows, int row, const pgc_property *properties, int count, pgconvoy_error *err) PGC_MUST_CHECK;

/* Appends "(\n    KEYWORD = value,\n    …\n)". */
void pgc_properties_write(pgc_ddl *ddl, pgc_buffer *out, const pgc_property *properties, int count, const char *const *values);

#endif
