/*
 * SQL as people write it, taken apart as far as it must be: into its commands, and each into words. It knows quotes of
 * every kind, comments that nest, dollar quotes, and bodies of functions between BEGIN ATOMIC and END; of grammar it
 * knows nothing.
 */
#ifndef PGC_APPLY_SQL_TEXT_H
#define PGC_APPLY_SQL_TEXT_H

#include "base/buffer.h"

typedef struct pgc_sql_token {
    enum { PGC_SQL_END, PGC_SQL_WORD, PGC_SQL_QUOTED_WORD, PGC_SQL_STRING, PGC_SQL_OTHER } kind;
    const char *start;
    size_t length;
} pgc_sql_token;

/* The next token from *at on, which moves behind it; blanks and comments are passed over. */
pgc_sql_token pgc_sql_next_token(const char **at, const char *end);
/* A bare word, in any case. */
bool pgc_sql_token_is(const pgc_sql_token *token, const char *upper);

/* The next command from *at on, without semicolon and blanks around it; false: there is none. *at moves behind it. */
bool pgc_sql_next_command(const char **at, const char *end, const char **command, size_t *length);

/* Whether a command may be the one that the server calls by tag ("CREATE INDEX"). */
bool pgc_sql_is_of_tag(const char *command, size_t length, const char *tag);

/* Whether a bare word stands anywhere in it. */
bool pgc_sql_has_word(const char *command, size_t length, const char *upper);
/* The command without that bare word where it first stands. */
void pgc_sql_without_word(const char *command, size_t length, const char *upper, pgc_buffer *out);

#endif
