/*
 * Entries as SQL: which of them are written for the given options, and the text for each, with the session's state (search_path, role, tablespace, access method) changed only when it has to be. The same text goes
 * to a plain dump, to restore.sql of a tar archive, to `restore -f`, and, without the comments, to a server.
 */
#ifndef PGC_ARCHIVE_SCRIPT_H
#define PGC_ARCHIVE_SCRIPT_H

#include "archive/archive.h"

/* What of an archive is restored: pg_restore's options by their names (PostgreSQL manual, "pg_restore"); a plain dump fills them from those of the dump. */
typedef struct pgc_script_options {
    bool schema_only, data_only;
    unsigned sections; /* PGC_SECTIONS_… */
    bool clean, if_exists, create_database;
    bool no_owner, no_acl, no_comments, no_publications, no_security_labels, no_subscriptions, no_tablespaces, no_table_access_method, no_policies;
    bool disable_triggers, use_set_session_authorization, enable_row_security, disable_dollar_quoting;
    bool no_data_for_failed_tables, single_transaction, exit_on_error, binary_upgrade, sequence_data, include_everything;
    bool inserts, column_inserts; /* what a data entry's bytes are: commands, not rows of COPY */
    bool verbose;                 /* TOC numbers and dependencies in the comments */
    bool quote_all_identifiers;
    bool no_statistics;           /* 18: no optimizer statistics */
    bool statistics;              /* they are wanted also beside schema_only or data_only */
    bool statistics_only;
    const char *superuser, *restrict_key, *encoding;
    const char *role;             /* SET ROLE, or NULL */
    const char *lock_wait_timeout;
    int server_major;             /* the server that runs the script; 0: as the one that was dumped */
    /* choice of entries (restore): names, no patterns */
    pgc_names schemas, exclude_schemas, tables, functions, indexes, triggers;
    bool strict_names; /* each of them must be found */
    const char *list_file; /* -L */
    int jobs;
    int transaction_size; /* objects after which a transaction ends and another begins; 0: none is begun */
    bool for_server; /* no comments, no \restrict, no psql commands: the text is for PQexec */

    /* Says what is being written: "creating TABLE \"public.t\"". NULL: nobody listens. */
    void (*progress)(void *arg, const char *what);
    void (*warning)(void *arg, const char *text);
    void *arg;
} pgc_script_options;

/* What of an entry is written. */
#define PGC_WRITES_SCHEMA  1u
#define PGC_WRITES_DATA    2u
#define PGC_WRITES_SPECIAL 4u /* ENCODING, STDSTRINGS, SEARCHPATH: they set the session */

typedef struct pgc_script pgc_script;

/* Room for a key that pgc_restrict_key makes. */
#define PGC_RESTRICT_KEY_SIZE 64

/* A random key for \restrict, of letters and digits. */
int pgc_restrict_key(char key[PGC_RESTRICT_KEY_SIZE], pgconvoy_error *err) PGC_MUST_CHECK;
/* Letters and digits only, and at least one. */
bool pgc_restrict_key_valid(const char *key);

/*
 * A script of these entries. head: for the comment at the top, and for the commands that the server's version has (server_version). Copies neither; both must outlive it. With list_file, the
 * entries are put into that file's order. Without restrict_key (and not for_server) nothing is guarded. NULL and err on failure.
 */
pgc_script *pgc_script_new(const pgc_script_options *options, const pgc_archive_head *head, pgc_entries *entries, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_script_free(pgc_script *script);

/*
 * Another of the same entries and choices, with a session state of its own: for a further connection of a parallel restore. The first must outlive it.
 */
pgc_script *pgc_script_fork(const pgc_script *script, pgconvoy_error *err) PGC_MUST_CHECK;

/* PGC_WRITES_… of an entry; 0: not at all. Thread-safe. */
unsigned pgc_script_writes(const pgc_script *script, const pgc_entry *entry);

/* Each appends SQL to out; each may change the session's state that the script keeps. */
int pgc_script_begin(pgc_script *script, pgc_buffer *out, pgconvoy_error *err) PGC_MUST_CHECK; /* the comment, \restrict, SET …, and with --clean the DROPs */
/* An entry's definition, owner, and (data entries) what stands before the data: TRUNCATE, DISABLE TRIGGER, COPY … FROM stdin. */
int pgc_script_entry(pgc_script *script, const pgc_entry *entry, pgc_buffer *out, pgconvoy_error *err) PGC_MUST_CHECK;
/* What stands after the data: ENABLE TRIGGER; COPY's "\." is part of the data's bytes, as in an archive (data.h). Only for entries that have data and write it. */
int pgc_script_after_data(pgc_script *script, const pgc_entry *entry, pgc_buffer *out, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_script_end(pgc_script *script, pgc_buffer *out, pgconvoy_error *err) PGC_MUST_CHECK;

/* The SETs with which every session begins; forgets what the script knew of the session before. For a connection that was just made. */
int pgc_script_session(pgc_script *script, pgc_buffer *out, pgconvoy_error *err) PGC_MUST_CHECK;
/* Large objects as SQL: what stands before the bytes of one, a piece of them (at most PGC_LARGE_OBJECT_PIECE), and what stands after. */
#define PGC_LARGE_OBJECT_PIECE 16384
void pgc_script_large_object_begin(const pgc_script *script, pgc_buffer *out, uint32_t oid);
void pgc_script_large_object_piece(const pgc_script *script, pgc_buffer *out, const char *bytes, size_t length);
void pgc_script_large_object_end(const pgc_script *script, pgc_buffer *out);

/* The passes in which a restore runs its entries: ACLs come after all else, then the refreshes of materialized views and event triggers. */
typedef enum pgc_pass { PGC_PASS_MAIN, PGC_PASS_ACL, PGC_PASS_POST_ACL } pgc_pass;
pgc_pass pgc_entry_pass(const pgc_entry *entry);

/*
 * The whole script: all that is written of each entry, in order and by passes, to write(); read_data (NULL: there is none) is asked for each entry's data between pgc_script_entry and pgc_script_after_data.
 */
typedef struct pgc_script_run {
    int (*write)(void *arg, const char *text, size_t length, pgconvoy_error *err);
    int (*read_data)(void *arg, const pgc_entry *entry, const pgc_data_target *target, pgconvoy_error *err);
    void *arg;
} pgc_script_run;
int pgc_script_write(pgc_script *script, const pgc_script_run *run, pgconvoy_error *err) PGC_MUST_CHECK;

/* The list of `restore -l`. */
int pgc_script_list(pgc_script *script, pgc_buffer *out, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
