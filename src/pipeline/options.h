/* The options of a pipeline: one row each, from which parsing, defaults, --help and the docs come. */
#ifndef PGC_PIPELINE_OPTIONS_H
#define PGC_PIPELINE_OPTIONS_H

#include "apply/mapping.h"
#include "base/error.h"

/* A NULL-terminated list of strings that it owns. */
typedef struct pgc_string_list {
    char **items;
    size_t count;
} pgc_string_list;

typedef enum pgc_until { PGC_UNTIL_STOPPED, PGC_UNTIL_CAUGHT_UP, PGC_UNTIL_LSN, PGC_UNTIL_PREPARED } pgc_until;

typedef struct pgc_options {
    char *name; /* NULL: derived */
    pgc_string_list include_tables, exclude_tables, include_schemas, exclude_schemas;
    char *publication, *slot;
    int jobs, apply_jobs;
    pgc_until until;
    pgconvoy_lsn until_lsn;
    pgconvoy_if_exists if_exists;
    size_t memory_bytes;
    char *state_dir; /* NULL: the default */
    int64_t retry_for_us;
    int64_t split_bytes;
    bool partitions_as_leaves;
    bool dry_run;
    pgc_mapping *mapping; /* NULL: nothing was said */
    bool failover, two_phase;
    bool ddl, ddl_skip; /* --ddl=on: only the first; skip: both */
    char *spool_dir; /* NULL: none */
    int64_t spool_bytes; /* 0: no limit */
    char *on_conflict, *conflict_table; /* NULL: not given */
    int64_t heartbeat_us, sequences_us; /* 0: off */
    bool sequences_given;
    char *split_sequences; /* odd, even, from:N, or NULL */
    bool origin_none;      /* --origin none */
    /* of tables that are made in PostgreSQL as they are at the source */
    int index_jobs; /* 0: as jobs */
    bool roles, skip_unavailable, no_owner, no_acl;
} pgc_options;

void pgc_options_init(pgc_options *options);
void pgc_options_free(pgc_options *options);

/* Sets the option of that name; usage errors name option and value. */
int pgc_options_set(pgc_options *options, const char *name, const char *value, pgconvoy_error *err) PGC_MUST_CHECK;

/*
 * A pipeline's name when none was given: "p" and a hash of where the source is (host, port, database) and of the target, without
 * passwords and users, so that the same command finds the same pipeline again. name has room for 64 bytes.
 */
void pgc_options_derive_name(const char *source, const char *target, char *name);

/* $XDG_STATE_HOME/pgconvoy or ~/.local/state/pgconvoy, malloc'ed; NULL when out of memory. */
char *pgc_options_default_state_dir(void);

#endif
