/* SQL as a server or our writers give it, with other names for schemas. Free of libpq and of the rest of a copy. */
#ifndef PGC_CLONE_SQL_NAMES_H
#define PGC_CLONE_SQL_NAMES_H

#include "apply/mapping.h"

typedef struct clone_sql_names {
    const pgc_mapping *mapping;
    bool is_query;      /* names may be aliases of tables: one that is also a mapped schema's cannot be told from it */
    bool names_as_text; /* all literals hold names: setval('a.s', …) */
    /* ---- found */
    bool is_ambiguous; /* in a query */
    bool is_in_text;   /* a literal that is left as it is names a mapped schema: the body of a function */
} clone_sql_names;

/*
 * Appends sql with the mapped schemas under their new names. The text must be such as a server writes with an empty
 * search_path: each name of a user's object has its schema before it, with no blank at the dot.
 */
void clone_sql_map_schemas(clone_sql_names *names, const char *sql, pgc_buffer *out);

/* Does a text, such as the body of a function, have this name as a word? */
bool clone_sql_mentions(const char *text, const char *name);

#endif
