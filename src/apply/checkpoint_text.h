/*
 * The text of a checkpoint file, apart from the file: a state in memory, read from records and written as records.
 * Private to src/apply. Not thread-safe.
 */
#ifndef PGC_APPLY_CHECKPOINT_TEXT_H
#define PGC_APPLY_CHECKPOINT_TEXT_H

#include "base/buffer.h"

typedef struct pgc_checkpoint_table {
    char *schema, *name;
    pgconvoy_table_state state;
    pgconvoy_lsn copy_lsn;
} pgc_checkpoint_table;

/* All zero is empty. */
typedef struct pgc_checkpoint_state {
    char *source_id; /* NULL: none */
    char *note;      /* NULL: none */
    pgconvoy_lsn lsn;
    pgc_checkpoint_table *tables;
    size_t count, capacity;
    /* an open hash into tables: index + 1, 0 free; slot_count is a power of two */
    uint32_t *slots;
    size_t slot_count;
} pgc_checkpoint_state;

void pgc_checkpoint_state_free(pgc_checkpoint_state *state);

/* The table of this name, or NULL. Valid until the next set. */
pgc_checkpoint_table *pgc_checkpoint_state_find(const pgc_checkpoint_state *state, const char *schema,
                                                const char *name);

/* Each changes one thing in memory; -1 when out of memory. */
int pgc_checkpoint_state_set_table(pgc_checkpoint_state *state, const pgconvoy_table_status *status) PGC_MUST_CHECK;
int pgc_checkpoint_state_set_text(char **field, const char *text) PGC_MUST_CHECK;

/* Appends lines. A record is some lines and then pgc_checkpoint_text_end, which sums up what out holds from start on.
 */
void pgc_checkpoint_text_head(pgc_buffer *out, const char *source_id);
void pgc_checkpoint_text_lsn(pgc_buffer *out, pgconvoy_lsn lsn);
void pgc_checkpoint_text_note(pgc_buffer *out, const char *note);
void pgc_checkpoint_text_table(pgc_buffer *out, const char *schema, const char *name, pgconvoy_table_state state,
                               pgconvoy_lsn copy_lsn);
void pgc_checkpoint_text_end(pgc_buffer *out, size_t start);

/*
 * Reads text (NUL-terminated, changed while reading) into an empty state. Gives the length of the whole records in
 * *valid; what is behind was cut short. -1 when text is no checkpoint at all; the message is then without the file's
 * name.
 */
int pgc_checkpoint_text_read(char *text, size_t length, pgc_checkpoint_state *state, size_t *valid,
                             pgconvoy_error *err) PGC_MUST_CHECK;

#endif
