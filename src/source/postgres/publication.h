/* The publication: what the server says of it, and making and removing our own. */
#ifndef PGC_SOURCE_POSTGRES_PUBLICATION_H
#define PGC_SOURCE_POSTGRES_PUBLICATION_H

#include "source/postgres/postgres_internal.h"

/* Fills source->publication; not to be there is no error. */
int pgc_publication_read(pgc_postgres_source *source, pgconvoy_error *err) PGC_MUST_CHECK;

/* Warns of what a publication that is not ours leaves out: kinds of changes that will not arrive. */
void pgc_publication_warn(const pgc_postgres_source *source);

/* Whether a publication that is to be made of these tables sends the values of stored generated columns: where they are part of a replica identity. */
int pgc_publication_plan(pgc_postgres_source *source, PGconn *conn, const uint32_t *oids, size_t count, pgconvoy_error *err) PGC_MUST_CHECK;
/* Which generated columns it does not send: for PGC_IDENTITY_USABLE_SQL. */
const char *pgc_publication_unsent(const pgc_postgres_source *source);

/* Makes the publication of source->tables, marked as ours by its comment, and commits it. */
int pgc_publication_create(pgc_postgres_source *source, pgconvoy_error *err) PGC_MUST_CHECK;

/* Appends, behind a table's name, which of its columns and rows are published, by --columns and --where. */
void pgc_publication_append_choice(const pgc_postgres_source *source, const char *schema, const char *name, pgc_buffer *sql);
/* In the transaction that has made or changed the publication: refuses what would make the source refuse updates. */
int pgc_publication_check_choice(const pgc_postgres_source *source, PGconn *conn, pgconvoy_error *err) PGC_MUST_CHECK;

/* Removes the publication when this pipeline made it. */
int pgc_publication_drop(pgc_postgres_source *source, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
