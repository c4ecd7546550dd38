/*
 * Which column of the catalog a Relation message means. The message tells names and types as they were where the stream is, the catalog
 * those of now, and a name may have gone from one column to another in between. What never changes is the order: a message has the columns
 * that there were in the order of their numbers (pg_attribute.attnum), a new column gets the highest, and none is given twice.
 */
#ifndef PGC_SOURCE_POSTGRES_NUMBERS_H
#define PGC_SOURCE_POSTGRES_NUMBERS_H

#include "source/postgres/assemble.h"

typedef struct pgc_numbering {
    const pgconvoy_table *now;    /* the catalog's table, or NULL where it is gone */
    const pgconvoy_table *before; /* the version before */
    int natts;                    /* the highest number there is, or was */
    bool told;                    /* before was told by the stream: what it lacks is not in the message either, if it is no newer */
} pgc_numbering;

/*
 * Gives numbers[i] to each column of the message: the number of the column that it most likely is, 0 where neither table has such a column.
 * Pure. Errors: memory.
 */
int pgc_columns_number(const pgc_stream_relation *relation, const pgc_numbering *numbering, int *numbers, pgconvoy_error *err) PGC_MUST_CHECK;

/* The column that has this number, or NULL; also of no table, or for 0. */
const pgconvoy_column *pgc_column_of_number(const pgconvoy_table *table, int number);

#endif
