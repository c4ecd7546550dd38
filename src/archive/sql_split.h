/* SQL text that arrives in pieces, taken apart into its commands. It knows quotes and, where asked for, comments to the end of the line, but no dollar quotes: it is for what dumps put around definitions, and for INSERT commands. */
#ifndef PGC_ARCHIVE_SQL_SPLIT_H
#define PGC_ARCHIVE_SQL_SPLIT_H

#include "base/buffer.h"

typedef struct pgc_sql_split {
    bool backslashes; /* escape in '…': standard_conforming_strings is off */
    bool comments;
    /* A command with its semicolon, NUL-terminated; good until it returns. */
    int (*command)(void *arg, const char *sql, size_t length, pgconvoy_error *err);
    void *arg;

    /* ---- its own */
    pgc_buffer text;
    enum { PGC_SPLIT_PLAIN, PGC_SPLIT_STRING, PGC_SPLIT_NAME, PGC_SPLIT_COMMENT } state;
    bool escaped, dash;
} pgc_sql_split;

/* The members before "its own" are set by the caller. */
void pgc_sql_split_begin(pgc_sql_split *split);
int pgc_sql_split_feed(pgc_sql_split *split, const char *bytes, size_t length, pgconvoy_error *err) PGC_MUST_CHECK;
/* Hands on what is left without a semicolon, if it is more than blanks; frees the memory (also on failure). */
int pgc_sql_split_end(pgc_sql_split *split, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
