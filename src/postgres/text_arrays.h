/* Rows as the texts of parallel arrays, which a statement takes apart again by unnest($1::text[], $2::text[] …): one statement for as many rows as there are. Not thread-safe. */
#ifndef PGC_POSTGRES_TEXT_ARRAYS_H
#define PGC_POSTGRES_TEXT_ARRAYS_H

#include "base/buffer.h"

enum { PGC_TEXT_ARRAYS_MAX = 8 };

typedef struct pgc_text_arrays {
    size_t count;
    pgc_buffer arrays[PGC_TEXT_ARRAYS_MAX];
} pgc_text_arrays;

/* So many empty arrays, at most PGC_TEXT_ARRAYS_MAX. To be freed. */
void pgc_text_arrays_init(pgc_text_arrays *arrays, size_t count);
/* Appends texts[i] to the array i. None of them is NULL. */
void pgc_text_arrays_add(pgc_text_arrays *arrays, const char *const *texts);
/* Ends all of them and puts their texts into values[], which are good until the arrays are freed. Nothing can be added after it. 0, or -1 with err set: memory ran out. */
int pgc_text_arrays_end(pgc_text_arrays *arrays, const char **values, pgconvoy_error *err);
void pgc_text_arrays_free(pgc_text_arrays *arrays);

#endif
