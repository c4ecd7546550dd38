/* Pieces of the schema's comparison: tables line by line, and what mends an object. */
#ifndef PGC_INSPECT_VERIFY_SCHEMA_H
#define PGC_INSPECT_VERIFY_SCHEMA_H

#include "catalog/entry.h"
#include "inspect/verify/verify_internal.h"

/* ---- spelling.c */

/* A definition as a server writes it that has read what another one, or itself, wrote; in arena. NULL when out of memory. */
const char *verify_spelling(pgc_arena *arena, const char *text);

/* ---- schema_table.c: CREATE TABLE as a set of lines (the catalog writes a line for each column), so that their order
 * does not count */
bool verify_table_same(const char *source, const char *target);
/* A line without its indentation and comma. */
typedef struct verify_line {
    const char *text;
    size_t length;
    size_t name_length; /* of the column's name, with its quotes; of a constraint "CONSTRAINT name"; 0: another clause */
    bool used;
} verify_line;
/* A line that differs, and its fellow of that name at the other end; one of them may be NULL. */
typedef void (*verify_line_function)(void *arg, const verify_line *source, const verify_line *target);
/* False when out of memory. */
bool verify_table_walk(const char *source, const char *target, verify_line_function fn, void *arg);
int verify_table_details(pgc_verify *verify, verify_finding *finding, const char *source, const char *target,
                         pgconvoy_error *err) PGC_MUST_CHECK;
/* ---- schema_table_mend.c */
void verify_table_mend(pgc_verify *verify, const pgc_entry *source, const pgc_entry *target);

/* ---- schema_repair.c: does nothing without a script */
void verify_mend_missing(pgc_verify *verify, const pgc_entry *entry, bool has_owner);
void verify_mend_extra(pgc_verify *verify, const pgc_entry *entry);
void verify_mend_changed(pgc_verify *verify, const pgc_entry *source, const pgc_entry *target, bool same,
                         bool same_owner, bool same_space);

#endif
