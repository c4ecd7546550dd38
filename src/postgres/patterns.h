/*
 * The patterns of -t, -T, -n and -N, by pg_dump's rules (PostgreSQL manual, psql, section "Patterns"): letters are
 * folded to lower case unless they stand in double quotes, * matches any run of characters, ? any one character, a dot
 * parts schema from name, and what else is not quoted means what it means in a regular expression. Free of libpq and
 * thread-safe.
 */
#ifndef PGC_POSTGRES_PATTERNS_H
#define PGC_POSTGRES_PATTERNS_H

#include "base/buffer.h"

#define PGC_PATTERN_PARTS 3 /* database, schema, name */

/* A pattern cut at its dots, each part as a regular expression without its anchors. */
typedef struct pgc_pattern {
    int count;      /* parts, the name is the last */
    int dots;       /* outside of quotes; more than count - 1 when there were too many, the extra ones then stand in the name */
    bool unclosed;  /* a double quote is left open */
    pgc_buffer regex[PGC_PATTERN_PARTS];
    pgc_buffer first; /* what stands before the first dot, as a name */
} pgc_pattern;

/* Cuts a pattern into at most max_parts. Free it with pgc_pattern_free. */
void pgc_pattern_split(const char *pattern, int max_parts, pgc_pattern *parts);
void pgc_pattern_free(pgc_pattern *parts);
/* Appends "subject ~ '^(regex)$'". */
void pgc_pattern_match(pgc_buffer *out, const char *subject, const pgc_buffer *regex);

/*
 * Appends a condition in parentheses over pg_class c and pg_namespace n. A pattern without a schema matches what the
 * session's search_path makes visible, so the query must run under the user's own search_path.
 */
int pgc_pattern_table_condition(const char *pattern, pgc_buffer *out, pgconvoy_error *err) PGC_MUST_CHECK;

/* The same over pg_namespace n alone. */
int pgc_pattern_schema_condition(const char *pattern, pgc_buffer *out, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
