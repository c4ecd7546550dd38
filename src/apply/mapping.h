/*
 * What is different about the target: other names for schemas, tables and columns, only some columns, only some rows.
 * One description for all that move rows; it knows names only, no server and no catalog. Names are written as in SQL:
 * folded to lower case unless they stand in double quotes.
 */
#ifndef PGC_APPLY_MAPPING_H
#define PGC_APPLY_MAPPING_H

#include "base/buffer.h"

typedef enum pgc_mapping_kind {
    PGC_MAPPING_SCHEMA,  /* a=b */
    PGC_MAPPING_TABLE,   /* a.t=u, a.t=b.u */
    PGC_MAPPING_COLUMN,  /* a.t.c=d */
    PGC_MAPPING_COLUMNS, /* a.t=c,d: these alone */
    PGC_MAPPING_WHERE    /* a.t=condition */
} pgc_mapping_kind;

typedef struct pgc_mapped_name {
    const char *from, *to;
} pgc_mapped_name;

/* What was said of one table. */
typedef struct pgc_mapped_table {
    const char *schema, *name;       /* at the source */
    const char *to_schema, *to_name; /* NULL: as without it */
    pgc_mapped_name *renamed;        /* columns */
    int renamed_count;
    const char **columns; /* the only ones, by their names at the source */
    int column_count;     /* 0: all */
    const char *where;    /* SQL, or NULL */
} pgc_mapped_table;

typedef struct pgc_mapping pgc_mapping;

pgc_mapping *pgc_mapping_new(pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_mapping_free(pgc_mapping *mapping);
/* Takes one more line. What cannot be understood, or contradicts an earlier one, is a usage error. */
int pgc_mapping_add(pgc_mapping *mapping, pgc_mapping_kind kind, const char *text, pgconvoy_error *err) PGC_MUST_CHECK;

bool pgc_mapping_is_empty(const pgc_mapping *mapping);
/* The schemas that were given another name, and the tables of which something was said, in the order given. */
int pgc_mapping_schemas(const pgc_mapping *mapping, const pgc_mapped_name **schemas);
int pgc_mapping_tables(const pgc_mapping *mapping, const pgc_mapped_table **tables);

/* Of a table at the source, or NULL. */
const pgc_mapped_table *pgc_mapping_table(const pgc_mapping *mapping, const char *schema, const char *name);
/* The names in the target; those given when nothing was said of them. mapping may be NULL. */
const char *pgc_mapping_schema(const pgc_mapping *mapping, const char *schema);
void pgc_mapping_target(const pgc_mapping *mapping, const char *schema, const char *name, const char **to_schema,
                        const char **to_name);
/* The other way round: the source's names of what has these in the target. */
void pgc_mapping_source(const pgc_mapping *mapping, const char *to_schema, const char *to_name, const char **schema,
                        const char **name);
/* Does anything get another name? mapping may be NULL. */
bool pgc_mapping_renames(const pgc_mapping *mapping);
/* table may be NULL. */
const char *pgc_mapped_column(const pgc_mapped_table *table, const char *column);
bool pgc_mapped_has(const pgc_mapped_table *table, const char *column);

/* Appends all of it as options, in one way of writing, so that two can be compared. */
void pgc_mapping_describe(const pgc_mapping *mapping, pgc_buffer *out);

#endif
