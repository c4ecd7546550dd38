/* The insides of bulk.c, and of keyless.c: rows that no key tells apart. */
#ifndef PGC_SINK_POSTGRES_BULK_INTERNAL_H
#define PGC_SINK_POSTGRES_BULK_INTERNAL_H

#include "sink/postgres/bulk.h"

#define PGSINK_FEW_ROWS 8 /* so few go one by one, by statements that are prepared */

typedef struct bulk {
    pgc_pgsink_writer *writer;
    pgc_pgsink_part *part;
    pgc_compact *compact; /* of the part; NULL: it takes new rows only */
    pgc_pgsink_target *target;
    const pgconvoy_table *table;
    pgc_pgsink_pile *pile;
    pgc_arena *arena; /* the pile's */
    pgc_pgsink_array *arrays; /* the statement's parameters */
    uint32_t *types;
    int array_count;
    const int64_t *keys; /* of the items to be sent, which are in their order; NULL: not known */
    int64_t least, most; /* a range that holds the statement's keys and few others, when in_range */
    bool in_range;
    bool by_range; /* the session reads ranges */
    size_t copies; /* rows that each item of the statement stands for */
    unsigned nulls; /* which of target->indexed are NULL in some of them, by bits; of a table without a key */
    pgc_buffer sql;
} bulk;

typedef void pgc_pgsink_bulk_sql(bulk *b);

/* "verb [ONLY] schema.table" */
void pgc_pgsink_bulk_verb(bulk *b, const char *verb);
/* What makes an array's element one of its column's type. */
void pgc_pgsink_bulk_cast(bulk *b, int array);
void pgc_pgsink_bulk_array(bulk *b, int column, int key);
/* Statements for single rows may have made room by forgetting the table: it is looked at again, and there are no arrays yet. */
int pgc_pgsink_bulk_look_again(bulk *b, pgconvoy_error *err) PGC_MUST_CHECK;
/* One statement for these items, which the arrays stand for and were measured with; again: it is worth being prepared. */
int pgc_pgsink_bulk_send(bulk *b, const pgc_compact_item *items, size_t count, pgc_pgsink_bulk_sql *make, uint8_t operation, bool again,
                         pgconvoy_error *err) PGC_MUST_CHECK;
/* The change by itself, by a statement that fails where it does not meet its row. */
int pgc_pgsink_bulk_strictly(bulk *b, const pgconvoy_change *change, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_pgsink_bulk_inserts(bulk *b, const pgc_compact_item *items, size_t count, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- keyless.c */

/* What the changes of a table without a key come to: so many copies of a row go, and so many come. */
int pgc_pgsink_bulk_copies(bulk *b, const pgc_compact_result *result, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
