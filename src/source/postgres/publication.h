/* The publication: what the server says of it, and making and removing our own. */
#ifndef PGC_SOURCE_POSTGRES_PUBLICATION_H
#define PGC_SOURCE_POSTGRES_PUBLICATION_H

#include "source/postgres/postgres_internal.h"

/* Fills source->publication; not to be there is no error. */
int pgc_publication_read(pgc_postgres_source *source, pgconvoy_error *err) PGC_MUST_CHECK;

/* Warns of what a publication that is not ours leaves out: kinds of changes that will not arrive. */
void pgc_publication_warn(const pgc_postgres_source *source);

/* Makes the publication of source->tables, marked as ours by its comment, and commits it. */
int pgc_publication_create(pgc_postgres_source *source, pgconvoy_error *err) PGC_MUST_CHECK;

/* Removes the publication when this pipeline made it. */
int pgc_publication_drop(pgc_postgres_source *source, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
