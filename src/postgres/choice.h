/*
 * The choice of tables by -t, -T, -n and -N as one condition, for commands that look at a database with a query of
 * their own. The rules are those of sync: -n and -N have no say where -t chooses, and tables of an extension are left
 * to whoever names them.
 */
#ifndef PGC_POSTGRES_CHOICE_H
#define PGC_POSTGRES_CHOICE_H

#include "base/buffer.h"

/* Lists of patterns; NULL with a count of 0. */
typedef struct pgc_choice {
    char *const *include_tables, *const *exclude_tables, *const *include_schemas, *const *exclude_schemas;
    size_t include_table_count, exclude_table_count, include_schema_count, exclude_schema_count;
} pgc_choice;

/* True when any pattern is given. */
bool pgc_choice_is_given(const pgc_choice *choice);

/*
 * Appends a condition in parentheses over pg_class c and pg_namespace n: user tables (of any relkind) that are chosen.
 * Patterns without a schema match what the search_path makes visible, so the query must run under the user's own.
 */
int pgc_choice_condition(const pgc_choice *choice, pgc_buffer *out, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
