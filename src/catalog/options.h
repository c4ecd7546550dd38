/*
 * What to read of a database and how to write it down: the settings of a dump, which copy and the others share. They are filled by whoever parses a
 * command line (the names are those of pg_dump's options, PostgreSQL manual, "pg_dump") and only read from then on.
 */
#ifndef PGC_CATALOG_OPTIONS_H
#define PGC_CATALOG_OPTIONS_H

#include "base/error.h"

struct pg_conn; /* libpq's PGconn */

/* Patterns or names, in the order given. */
typedef struct pgc_names {
    char **items;
    int count;
} pgc_names;

typedef enum pgc_section {
    PGC_SECTION_NONE = 1, /* belongs to no section: comments' and ACLs' entries take that of their object */
    PGC_SECTION_PRE_DATA,
    PGC_SECTION_DATA,
    PGC_SECTION_POST_DATA
} pgc_section;

#define PGC_SECTIONS_PRE_DATA  1u
#define PGC_SECTIONS_DATA      2u
#define PGC_SECTIONS_POST_DATA 4u
#define PGC_SECTIONS_ALL       7u

typedef enum pgc_prompt { PGC_PROMPT_WHEN_ASKED, PGC_PROMPT_ALWAYS, PGC_PROMPT_NEVER } pgc_prompt;

/* Where the server is. Every member may be NULL: libpq's defaults. */
typedef struct pgc_server_address {
    const char *dbname; /* a name, a URI or key=value text */
    const char *host, *port, *user;
    pgc_prompt prompt;
    const char *program; /* fallback_application_name */
    /* Asks the user; the answer is malloc'ed. NULL: no password can be asked for. */
    char *(*ask_password)(void *arg, const char *user);
    void *ask_arg;
} pgc_server_address;

typedef struct pgc_dump_options {
    pgc_server_address address;

    /* ---- what: patterns, taken apart by pg_dump's rules */
    pgc_names include_schemas, exclude_schemas;            /* -n -N */
    pgc_names include_tables, exclude_tables;              /* -t -T */
    pgc_names include_tables_and_children, exclude_tables_and_children;
    pgc_names exclude_table_data, exclude_table_data_and_children;
    pgc_names include_extensions, exclude_extensions;      /* -e */
    pgc_names include_foreign_data;                        /* --include-foreign-data: servers */
    bool strict_names;
    /* Of tables these alone, by oid, in order; of views and foreign tables none; all else as without a choice. NULL: no such choice. */
    const uint32_t *only_tables;
    int only_table_count;

    /* ---- which parts */
    bool schema_only, data_only;
    bool statistics; /* 18: optimizer statistics */
    bool statistics_only;
    unsigned sections; /* PGC_SECTIONS_… */
    bool large_objects, no_large_objects; /* -b -B */
    bool no_owner, no_acl, no_comments, no_publications, no_security_labels, no_subscriptions, no_tablespaces;
    bool no_table_access_method, no_toast_compression, no_unlogged_table_data, no_policies;
    bool enable_row_security;

    /* ---- how it is written */
    bool clean, if_exists, create_database;
    bool binary_upgrade, sequence_data;
    bool disable_dollar_quoting, disable_triggers, use_set_session_authorization, quote_all_identifiers;
    bool inserts, column_inserts, on_conflict_do_nothing, load_via_partition_root;
    int rows_per_insert; /* 0: not given */
    const char *superuser;    /* -S */
    const char *encoding;     /* -E */
    const char *restrict_key; /* --restrict-key */

    /* ---- the session */
    const char *role, *snapshot;
    bool for_a_session; /* read for another session of ours, not for a file: what a role or database has set for its applications changes nothing */
    const char *lock_wait_timeout;
    bool serializable_deferrable;
    bool has_extra_float_digits;
    int extra_float_digits;
    int jobs;
    bool one_session; /* one session reads the data, though a second could help */

    /* Says what is being done: "reading schemas". NULL: nobody listens. */
    void (*progress)(void *arg, const char *what);
    void (*warning)(void *arg, const char *text, const char *hint); /* hint may be NULL */
    void *arg;
    /* A session was connected, by whichever thread: for whoever may have to cancel what it waits for. NULL: nobody. */
    void (*connected)(void *arg, struct pg_conn *conn);
    void *connected_arg;
} pgc_dump_options;

/* True when no option chooses among schemas, tables or extensions, so that what belongs to the database as a whole is wanted too. */
bool pgc_options_include_everything(const pgc_dump_options *options);

#endif
