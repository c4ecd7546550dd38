/* A table's columns change on the source: what alter*.c share. */
#ifndef PGC_SINK_DUCKDB_ALTER_H
#define PGC_SINK_DUCKDB_ALTER_H

#include "sink/duckdb/duckdb_internal.h"

typedef struct pgc_duckdb_alteration {
    pgc_duckdb_writer *writer;
    const pgconvoy_table *from, *to;
    pgc_duckdb_layout *old_layout, *new_layout;
    bool has_primary_key, lifted;
    bool is_made; /* by this pipeline, whose copy makes it again where it must */
    bool refused; /* it cannot be followed, though there is nothing against the table as it is now */
    bool taken;   /* … for another table has the new name there */
    pgc_buffer sql;
} pgc_duckdb_alteration;

/* What DuckDB has, and what becomes of it. */
typedef struct pgc_duckdb_actual_column {
    const char *name, *type;
    int number;   /* of the source's column, as it was stored with the table; 0: not known */
    int from, to; /* places in the definitions; -1: not there, it goes */
} pgc_duckdb_actual_column;

typedef struct pgc_duckdb_actual {
    pgc_arena *arena;
    pgc_duckdb_actual_column *columns;
    int count;
    bool exists;
} pgc_duckdb_actual;

/* ---- alter.c: statements, each told in a trial of DDL as well */

/* Sets err: the column cannot be followed. what: "changes its type". */
int pgc_duckdb_alter_refuse(pgc_duckdb_alteration *a, const char *column, const char *what, pgconvoy_error *err);
/* What a->sql says. */
int pgc_duckdb_alter_run(pgc_duckdb_alteration *a, pgconvoy_error *err) PGC_MUST_CHECK;
/* ALTER TABLE … clause name [TO second]. */
int pgc_duckdb_alter_named(pgc_duckdb_alteration *a, const char *clause, const char *name, const char *second,
                           pgconvoy_error *err) PGC_MUST_CHECK;
/* ALTER TABLE … ADD COLUMN name type, or ALTER COLUMN name TYPE type. */
int pgc_duckdb_alter_typed(pgc_duckdb_alteration *a, const char *verb, const char *name, const char *between,
                           const pgc_duckdb_type *type, pgconvoy_error *err) PGC_MUST_CHECK;
/* The key comes back at the end, where the new definition has one. */
int pgc_duckdb_alter_lift_key(pgc_duckdb_alteration *a, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- alter_columns.c: which column became which, and what is to be done for it */

/* What DuckDB has of a table. */
int pgc_duckdb_alter_look(pgc_duckdb_alteration *a, const pgconvoy_table *table, pgc_duckdb_actual *actual,
                          pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_duckdb_alter_columns(pgc_duckdb_alteration *a, pgc_duckdb_actual *actual, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- alter_types.c: which types may become which */

/* As SQL, which is how DuckDB tells types apart. */
int pgc_duckdb_type_same(const pgc_duckdb_type *a, const pgc_duckdb_type *b, bool *same,
                         pgconvoy_error *err) PGC_MUST_CHECK;
/* True when every value of old is one of new_, and DuckDB's cast gives it as PostgreSQL would. */
bool pgc_duckdb_type_is_wider(const pgc_duckdb_type *old, const pgc_duckdb_type *new_);
/* Whether its text in PostgreSQL is read by DuckDB's cast as the same value. */
bool pgc_duckdb_type_reads_text(const pgc_duckdb_type *type);
/* Of DuckDB's names of whole numbers: which is the wider; 0: it is none. */
int pgc_duckdb_type_integer_rank(const char *name);
/* Whether a cast from one type to another may round, or cut off, without a word. Both as DuckDB's texts. */
bool pgc_duckdb_type_loses(const char *from, const char *to);

#endif
