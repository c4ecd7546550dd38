/*
 * Event triggers on the source that tell of changed definitions: installed, removed, and what they write read. They are
 * shared by all pipelines of a database, and go with the last of them (drop).
 */
#ifndef PGC_SOURCE_POSTGRES_DDL_H
#define PGC_SOURCE_POSTGRES_DDL_H

#include "source/postgres/assemble.h"
#include "source/postgres/stream_tables.h"

/* Makes them where the role may and they are not there; says so where it may not. Nothing happens with --ddl=off and on
 * a standby. */
int pgc_ddl_install(pgc_postgres_source *source, pgconvoy_error *err) PGC_MUST_CHECK;
/* The pipeline needs them no more. */
int pgc_ddl_drop(pgc_postgres_source *source, pgconvoy_error *err) PGC_MUST_CHECK;
/* How a stream reads what they write. */
typedef struct pgc_ddl_access {
    const char *key; /* that their messages carry, in the source's arena; NULL: there are no messages for this pipeline */
    uint32_t log;    /* of a server before 14: the table whose new rows are the messages; else 0 */
} pgc_ddl_access;

int pgc_ddl_read_access(pgc_postgres_source *source, pgc_ddl_access *access, pgconvoy_error *err) PGC_MUST_CHECK;

/* Publishes that table. A pipeline's own name begins with pgconvoy_. */
#define PGC_DDL_PUBLICATION "pgconvoy.ddl"

/*
 * ddl_try.c: what commands would tell the stream, without doing them: seen is called with each in its order (ddl NULL: for
 * no sink to see), once all is rolled back. After load_tables.
 */
typedef int (*pgc_ddl_tried)(void *arg, const pgconvoy_ddl *ddl, const pgconvoy_table *const *tables, size_t table_count,
                             pgconvoy_error *err);
int pgc_ddl_try(pgc_postgres_source *source, const char *text, pgc_ddl_tried seen, void *arg,
                pgconvoy_error *err) PGC_MUST_CHECK;
/* Begins a transaction on conn in which the triggers are there. */
int pgc_ddl_begin_try(const pgc_postgres_source *source, PGconn *conn, pgconvoy_error *err) PGC_MUST_CHECK;

/* What a stream of messages is read by: some come in parts, and a text of several commands is sent once. */
typedef struct pgc_ddl_reader pgc_ddl_reader;
/* NULL when out of memory. */
pgc_ddl_reader *pgc_ddl_reader_new(pgc_stream_tables *tables, const char *key);
void pgc_ddl_reader_free(pgc_ddl_reader *reader);
/* A pgc_read_ddl; arg is the reader. */
int pgc_ddl_reader_read(void *arg, const pgc_ddl_message *message, pgc_ddl_seen *seen, pgconvoy_error *err);

#endif
