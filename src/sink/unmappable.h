/* Values that a target's type cannot hold, and what was asked for then (unmappable=error|text|null of a target): an
 * error that names the row, NULL with a warning in the log, or columns of such types as text. */
#ifndef PGC_SINK_UNMAPPABLE_H
#define PGC_SINK_UNMAPPABLE_H

#include "base/buffer.h"
#include "sink/target_options.h"

typedef enum pgc_unmappable { PGC_UNMAPPABLE_ERROR, PGC_UNMAPPABLE_TEXT, PGC_UNMAPPABLE_NULL } pgc_unmappable;

/* The option, of which offset is the place of a pgc_unmappable in the target's struct. */
#define PGC_UNMAPPABLE_OPTION(offset)                                                                                  \
    {                                                                                                                  \
        "unmappable", "error, text or null", pgc_target_set_word, offset,                                              \
            PGC_TARGET_WORDS([PGC_UNMAPPABLE_ERROR] = "error", [PGC_UNMAPPABLE_TEXT] = "text",                         \
                             [PGC_UNMAPPABLE_NULL] = "null")                                                           \
    }

/* Appends "id = 5, day = 2026-01-01": which row it is. row has values of all columns; without one, key has those of the
 * key. Both may be NULL, or the table without a key: nothing then. */
void pgc_unmappable_put_key(const pgconvoy_table *table, const pgconvoy_value *row, const pgconvoy_value *key,
                            pgc_buffer *out);
/* Puts "column note of table public.t, row with id = 5: " before the error. name: the column's. */
void pgc_unmappable_say_where(const pgconvoy_table *table, const char *name, const pgconvoy_value *row,
                              const pgconvoy_value *key, pgconvoy_error *err);
/* The value becomes NULL: what err says is a warning in the log instead, once for each column (*warned). */
void pgc_unmappable_leave_out(pgconvoy_log *log, bool *warned, pgconvoy_error *err);

#endif
