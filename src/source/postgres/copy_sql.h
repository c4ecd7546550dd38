/* The statements that read a range of a table. Free of a connection. */
#ifndef PGC_SOURCE_POSTGRES_COPY_SQL_H
#define PGC_SOURCE_POSTGRES_COPY_SQL_H

#include "source/postgres/postgres_internal.h"

/* How the columns of a table come. */
typedef struct pgc_copy_plan {
    pgconvoy_format format; /* of the COPY */
    bool has_casts;         /* some columns of a binary COPY are text */
    bool *as_text;          /* column_count flags, the caller's memory: columns that are cast to text */
} pgc_copy_plan;

/*
 * Decides from the wanted formats (NULL: text). A type without a binary form comes as text, and where only raw rows are
 * wanted then all of them do, since a mixture would be of use to nobody.
 */
void pgc_copy_plan_make(pgc_copy_plan *plan, const pgconvoy_table *table, const pgconvoy_format *formats,
                        bool raw_only);

/*
 * Appends three statements: one that locks the relation against being rewritten, one that tells whether it was since
 * the snapshot (a row with false), and whether its name and its columns' mean what they meant (false in the second
 * column: no), and the COPY. table may be another version of range->table.
 */
int pgc_copy_sql(const pgc_range *range, const pgc_copy_plan *plan, pgc_buffer *sql,
                 pgconvoy_error *err) PGC_MUST_CHECK;

#endif
