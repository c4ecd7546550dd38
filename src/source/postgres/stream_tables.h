/* Tables of the stream: from Relation messages to versions of pgconvoy_table. */
#ifndef PGC_SOURCE_POSTGRES_STREAM_TABLES_H
#define PGC_SOURCE_POSTGRES_STREAM_TABLES_H

#include "source/postgres/assemble.h"
#include "source/postgres/postgres_internal.h"

typedef struct pgc_stream_tables {
    pgc_postgres_source *source;
    PGconn *conn;     /* to the catalog, made when a table changes */
    pgc_oid_map seen; /* relations that are none of ours and were looked into */
    bool commands_come; /* the sink is given the texts of commands */
    bool names_by_catalog; /* a table keeps the name that it had when the stream began */
    bool tell_first;    /* a version of a table is told though it is the catalog's */
} pgc_stream_tables;

void pgc_stream_tables_free(pgc_stream_tables *tables);

/* The version of a table that the stream is at: the last that it gave, else that of load_tables. */
const pgconvoy_table *pgc_stream_tables_current(const pgc_postgres_source *source, const pgconvoy_table *loaded);

/* The connection to the catalog, made when it is missing. */
PGconn *pgc_stream_tables_catalog(pgc_stream_tables *tables, pgconvoy_error *err) PGC_MUST_CHECK;

/*
 * Makes the types known of columns that the stream has. Where the catalog has lost one, its values can be read as text alone: where they come
 * in binary that is an error, PGC_ERROR_LOST_TYPE.
 */
int pgc_stream_tables_load_types(pgc_stream_tables *tables, const uint32_t *oids, size_t count, pgconvoy_error *err) PGC_MUST_CHECK;

/* A pgc_resolve_table; arg is a pgc_stream_tables. */
int pgc_stream_tables_resolve(void *arg, const pgc_stream_relation *relation, const pgconvoy_table **table,
                              pgconvoy_error *err);

/* A pgc_relabel_table; arg is a pgc_stream_tables. */
int pgc_stream_tables_relabel(void *arg, const pgconvoy_table *table, const pgc_unknown_label *unknown,
                              const pgconvoy_table **relabelled, pgconvoy_error *err);

#endif
