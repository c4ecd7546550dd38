/*
 * Are two databases the same? Schema objects through the catalog's entries, sequences, and rows by counts and checksums
 * that each server computes itself over ranges of keys, drilled down to the rows that differ. Works while changes flow:
 * what differs is looked at again once the stream has passed, and only what stays different counts.
 */
#ifndef PGC_INSPECT_VERIFY_VERIFY_H
#define PGC_INSPECT_VERIFY_VERIFY_H

#include "apply/mapping.h"
#include "base/log.h"
#include "catalog/options.h"
#include "postgres/choice.h"
#include "postgres/sequence_values.h"

typedef struct pgc_verify_options {
    const char *source,
        *target;      /* connection strings, or a target of another kind ("duckdb:FILE"); may hold passwords */
    const char *name; /* of the pipeline between them: its slot tells how far the stream is */
    const char *slot, *publication; /* NULL: the pipeline's */
    pgc_choice choice;
    pgc_dump_options dump; /* of the schema: no_owner, no_acl …; its choice and address are filled in here */
    bool no_schema, no_sequences, no_rows;
    bool large_objects, no_large_objects; /* also where a choice or a stream speaks against them; never */
    int jobs;
    double sample;         /* percent of the rows; 100: all */
    pgc_mapping *mapping;  /* other names at the target; NULL or empty: none */
    pgc_names where;       /* "SCHEMA.TABLE=CONDITION": only these rows of a table, at both ends */
    int64_t wait_us;       /* how long to wait for the stream, and to look again at rows that change */
    int show;              /* differing rows of a table that are shown with their values */
    const char *repair;    /* the file of the script that mends the target; NULL: none */
    const char *state_dir; /* where it is kept which tables are finished */
    bool restart;          /* all tables, also those that an interrupted run has finished */
    size_t memory_bytes;
    pgconvoy_log *log;
} pgc_verify_options;

typedef struct pgc_verify pgc_verify;

/* options must outlive it. */
pgc_verify *pgc_verify_new(const pgc_verify_options *options, pgconvoy_error *err) PGC_MUST_CHECK;
/* Compares. 0: it could be done, and *differences says how many there are; -1 and err when not. */
int pgc_verify_run(pgc_verify *verify, int64_t *differences, pgconvoy_error *err) PGC_MUST_CHECK;
/* Ends a run soon, by an error. From any thread. */
void pgc_verify_stop(pgc_verify *verify);
/* What was found, as text for people or as a JSON document; appended to out. After a run. */
void pgc_verify_report(const pgc_verify *verify, pgc_buffer *out);
void pgc_verify_json(const pgc_verify *verify, pgc_buffer *out);
void pgc_verify_free(pgc_verify *verify);

/* The target's of a sequence of the source, under the name that it has there; NULL: it has none. */
const pgc_sequence_value *pgc_verify_sequence_there(const pgc_mapping *mapping, const pgc_sequence_values *target,
                                                    const pgc_sequence_value *here);

#endif
