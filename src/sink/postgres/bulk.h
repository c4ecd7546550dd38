/*
 * Changes that wait, and their application in bulk. While work is waiting, changes of whole transactions are gathered
 * (gather.c); then what they come to by key (apply/compact.h) is written table by table in a few large statements
 * (bulk.c), whose parameters are arrays of values (array.c).
 *
 * All of it happens behind a savepoint. What does not go well in bulk (a constraint that only holds in commit order, a
 * row that is not where it should be, a value that is refused) is undone, and the same changes are applied again one by
 * one in commit order, by apply.c.
 */
#ifndef PGC_SINK_POSTGRES_BULK_H
#define PGC_SINK_POSTGRES_BULK_H

#include "sink/postgres/sink_internal.h"

#include "apply/compact.h"

/* A change that waits; its values are the gather's. */
typedef struct pgc_pgsink_waiting {
    struct pgc_pgsink_waiting *next, *next_of_table;
    struct pgc_pgsink_gathered *gathered;
    const pgconvoy_value *old, *new_;
    uint8_t operation;
    char old_kind;
} pgc_pgsink_waiting;

/* A table of the stream, and its changes that wait. */
typedef struct pgc_pgsink_gathered {
    struct pgc_pgsink_gathered *next;         /* in its slot */
    struct pgc_pgsink_gathered *next_touched; /* of the tables with changes that wait */
    const pgconvoy_table *table;
    pgc_pgsink_way way;
    pgc_compact *compact; /* NULL without a key */
    pgc_pgsink_waiting *first, *last;
    size_t count;
    bool inserts_only; /* all that waits are new rows */
    unsigned failures, pause; /* bulk failed so often in a row; so many more times it is not tried */
    bool told;                /* why it failed was logged */
    bool warned;              /* of what a table without a key costs */
} pgc_pgsink_gathered;

/* Applies what the changes of one table come to. Failures may come to light only when the statements have landed. */
int pgc_pgsink_bulk_table(pgc_pgsink_writer *writer, pgc_pgsink_gathered *gathered, pgc_arena *arena,
                          pgconvoy_error *err) PGC_MUST_CHECK;

/* Applies the changes of one table one by one. */
int pgc_pgsink_replay_table(pgc_pgsink_writer *writer, pgc_pgsink_gathered *gathered,
                            pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- array.c: the values of one column in many rows as one parameter */

typedef enum pgc_pgsink_array_form {
    PGSINK_ARRAY_BINARY, /* an array of the column's type, binary */
    PGSINK_ARRAY_TEXT,   /* an array of the column's type, as text */
    PGSINK_ARRAY_CAST    /* an array of text; each element is to be cast */
} pgc_pgsink_array_form;

/* Where a row's value is: in its row, or in its key. */
typedef struct pgc_pgsink_place {
    int column;
    int key; /* index into the key, -1: in the row */
} pgc_pgsink_place;

static inline const pgconvoy_value *pgc_pgsink_place_value(const pgc_compact_item *item, pgc_pgsink_place place)
{
    return place.key >= 0 ? &item->key[place.key] : &item->row[place.column];
}

/* The form that the values can all take. */
pgc_pgsink_array_form pgc_pgsink_array_form_of(const pgc_pgsink_target *target, const pgc_compact_item *items,
                                               size_t count, pgc_pgsink_place place);
uint32_t pgc_pgsink_array_type(const pgc_pgsink_target *target, pgc_pgsink_place place, pgc_pgsink_array_form form);
/* Appends the array; a text form ends with a NUL. */
int pgc_pgsink_array_append(const pgc_pgsink_target *target, const pgc_compact_item *items, size_t count,
                            pgc_pgsink_place place, pgc_pgsink_array_form form, pgc_buffer *out,
                            pgconvoy_error *err) PGC_MUST_CHECK;
/* True when the value's bytes are what the type's binary input takes. */
bool pgc_pgsink_value_passes(const pgc_pgsink_target *target, int column, const pgconvoy_value *value);

#endif
