/*
 * Labels of enums in the stream. ALTER TYPE … ADD VALUE makes the server send nothing: a new label is first seen in a
 * row. So each row of a table with enums (in arrays, domains and composites too) is looked through before it is handed
 * on, and a label that is not known has the table's types read again. Free of libpq.
 *
 * Not looked into: ranges over enums.
 */
#ifndef PGC_SOURCE_POSTGRES_LABELS_H
#define PGC_SOURCE_POSTGRES_LABELS_H

#include "base/arena.h"
#include "base/error.h"

/* The enums of a table, with their labels to be found by name. */
typedef struct pgc_labels pgc_labels;

/* A label that an enum does not have. Points into the row's values, or into the labels' scratch until the next call. */
typedef struct pgc_unknown_label {
    const pgconvoy_type *type; /* the enum */
    const char *text;          /* not NUL-terminated */
    size_t length;
} pgc_unknown_label;

/* *labels NULL: the table has no enum. table must live as long. */
int pgc_labels_new(const pgconvoy_table *table, pgc_labels **labels, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_labels_free(pgc_labels *labels);

/*
 * True when a value of the row has a label that its enum lacks. A value that cannot be read is passed: to say so is for
 * the one who needs it. in_composites: also in their fields, which are those that the type had when the table was read.
 */
bool pgc_labels_missing(pgc_labels *labels, const pgconvoy_value *row, bool in_composites, pgc_unknown_label *unknown);

#endif
