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
/* The key that their messages carry, into arena of the source; *key NULL: there are none. */
int pgc_ddl_read_key(pgc_postgres_source *source, const char **key, pgconvoy_error *err) PGC_MUST_CHECK;

/* What a stream of messages is read by: some come in parts, and a text of several commands is sent once. */
typedef struct pgc_ddl_reader pgc_ddl_reader;
/* NULL when out of memory. */
pgc_ddl_reader *pgc_ddl_reader_new(pgc_stream_tables *tables, const char *key);
void pgc_ddl_reader_free(pgc_ddl_reader *reader);
/* A pgc_read_ddl; arg is the reader. */
int pgc_ddl_reader_read(void *arg, const pgc_ddl_message *message, pgc_ddl_seen *seen, pgconvoy_error *err);

#endif
