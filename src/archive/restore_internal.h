/* What the files of restore share: the restore as a whole, and one session of it. */
#ifndef PGC_ARCHIVE_RESTORE_INTERNAL_H
#define PGC_ARCHIVE_RESTORE_INTERNAL_H

#include "archive/restore.h"

#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>

/* What became of a table. */
typedef enum restore_table {
    RESTORE_TABLE_UNKNOWN, /* it was not this restore's business */
    RESTORE_TABLE_MADE,    /* so it is empty */
    RESTORE_TABLE_FAILED
} restore_table;

typedef struct restore {
    const pgc_restore_options *options;
    pgc_archive_reader *reader;
    pgc_entries *entries;
    pgc_script_options script_options; /* those asked for, and the server's version */
    pgc_script *script;                /* of the first session; the others have forks */
    unsigned char *tables; /* restore_table of each entry, by id; written by the first session only, before there are others */
    int max_id;
    char *password;           /* that was typed, for further sessions */
    const char *database;     /* that --create has made: sessions from then on are there; NULL: the address's */
    pthread_mutex_t lock;     /* guards the calls to options->error and say, errors, and what restore_together.c says */
    int errors;
    atomic_bool stop;
    bool stopped; /* at an error, as was asked for */
    atomic_int_least64_t entry_count, bytes;
} restore;

/* A connection and what it is doing. */
typedef struct restore_session {
    restore *restore;
    PGconn *conn;
    PGcancel *cancel; /* in restore->sessions */
    pgc_script *script;
    bool is_fork;
    bool truncates; /* loads a table that was made before in a transaction that empties it: with wal_level minimal no WAL is written */
    const pgc_entry *entry, *blamed; /* being restored; that the last error was reported for */
    bool begun_to_blame;
    int entry_errors; /* of the entry */
    pgc_buffer text;
} restore_session;

/* ---- restore_sessions.c. add: NULL when memory is out; remove frees it */
PGcancel *restore_sessions_add(pgc_restore_sessions *sessions, PGconn *conn);
void restore_sessions_remove(pgc_restore_sessions *sessions, PGcancel *cancel);

/* ---- restore_session.c */
/* Connects. */
int restore_session_open(restore_session *session, pgconvoy_error *err) PGC_MUST_CHECK;
/* Gives a session that is not the first a script of its own, and sets it up. */
int restore_session_begin(restore_session *session, pgconvoy_error *err) PGC_MUST_CHECK;
void restore_session_close(restore_session *session);
/* Leaves the connection for the database that an entry has made or changed. */
int restore_session_move(restore_session *session, const char *database, pgconvoy_error *err) PGC_MUST_CHECK;
/*
 * Runs one command. A refused one is reported and counted. -1: the restore ends (the connection is lost, or it is to stop at errors). *copy: the server waits for COPY's rows; NULL: it may not.
 */
int restore_session_run(restore_session *session, const char *sql, bool *copy, pgconvoy_error *err) PGC_MUST_CHECK;
/* Runs the commands of text, which has no dollar quotes; but whole, when it occurs in it, as it is. */
int restore_session_run_all(restore_session *session, const char *text, const char *whole, pgconvoy_error *err) PGC_MUST_CHECK;
/* Reports what the server has refused; -1 when the restore ends here. command may be NULL. */
int restore_session_refused(restore_session *session, const char *what, const char *command, pgconvoy_error *err) PGC_MUST_CHECK;
void restore_say(restore *restore, const char *format, ...) PGCONVOY_PRINTF(2, 3);

/* ---- restore_entry.c: everything of one entry; nothing when none of it is chosen */
int restore_entry(restore_session *session, const pgc_entry *entry, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- restore_data.c: an entry's data, after the script's text before it; truncate: in a transaction that empties the table first */
int restore_data(restore_session *session, const pgc_entry *entry, bool truncate, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- restore_together.c: all but what is done, by several sessions */
int restore_together(restore *restore, const bool *done, int sessions, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
