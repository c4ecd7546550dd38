/*
 * The patterns of -t, -T, -n and -N, by pg_dump's rules (PostgreSQL manual, psql, section "Patterns"): letters are
 * folded to lower case unless they stand in double quotes, * matches any run of characters, ? any one character, a dot
 * parts schema from name, and what else is not quoted means what it means in a regular expression. Free of libpq and
 * thread-safe.
 */
#ifndef PGC_SOURCE_POSTGRES_PATTERNS_H
#define PGC_SOURCE_POSTGRES_PATTERNS_H

#include "base/buffer.h"

/*
 * Appends a condition in parentheses over pg_class c and pg_namespace n. A pattern without a schema matches what the
 * session's search_path makes visible, so the query must run under the user's own search_path.
 */
int pgc_pattern_table_condition(const char *pattern, pgc_buffer *out, pgconvoy_error *err) PGC_MUST_CHECK;

/* The same over pg_namespace n alone. */
int pgc_pattern_schema_condition(const char *pattern, pgc_buffer *out, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
