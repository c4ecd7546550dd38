/*
 * Restoring an archive into a database: entry by entry over one connection, or the data and what comes after it over several at once. What fails is reported and counted, and the restore goes on with the next
 * entry, unless it was asked to stop.
 */
#ifndef PGC_ARCHIVE_RESTORE_H
#define PGC_ARCHIVE_RESTORE_H

#include "archive/script.h"

/* The sessions of a restore, so that another thread can cancel what they are doing. */
typedef struct pgc_restore_sessions pgc_restore_sessions;

pgc_restore_sessions *pgc_restore_sessions_new(pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_restore_sessions_free(pgc_restore_sessions *sessions);
/* Asks the server to cancel whatever the sessions are doing. Thread-safe; each command that is cancelled counts as refused. */
void pgc_restore_sessions_cancel(pgc_restore_sessions *sessions);

typedef struct pgc_restore_options {
    const pgc_script_options *script; /* for_server and server_major are set here */
    pgc_server_address address;
    /* A command that the server refused, with what it said: "could not execute query: …". Called by one thread at a time, as is say. */
    void (*error)(void *arg, const char *text);
    void (*say)(void *arg, const char *text); /* what is being done; NULL: nobody listens */
    pgc_restore_sessions *sessions; /* never NULL */
    void *arg;
} pgc_restore_options;

typedef struct pgc_restore_totals {
    int errors;
    bool stopped; /* at an error, as was asked for */
    int64_t entries, bytes;
} pgc_restore_totals;

/*
 * Restores what the options choose. -1 and err when the restore had to end: the archive is broken, a connection was lost, memory is out. Errors of single commands are only counted.
 * Several jobs need an archive that can be read by several threads (pgc_archive_can_seek).
 */
int pgc_restore_run(pgc_archive_reader *reader, const pgc_restore_options *options, pgc_restore_totals *totals, pgconvoy_error *err) PGC_MUST_CHECK;

/* The archive as a script, to path (NULL or "-": standard output), which is written beside and takes its name when it is whole. */
int pgc_restore_to_file(pgc_archive_reader *reader, const pgc_script_options *options, const char *path, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
