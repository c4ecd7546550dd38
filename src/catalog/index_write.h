/* What an index's own definition and that of its constraint have in common; each appends nothing where there is nothing to say. */
#ifndef PGC_CATALOG_INDEX_WRITE_H
#define PGC_CATALOG_INDEX_WRITE_H

#include "catalog/kinds.h"

void pgc_index_write_oids(pgc_ddl *ddl, pgc_buffer *out, const pgc_index *index); /* binary upgrade */
void pgc_index_write_cluster(pgc_ddl *ddl, pgc_buffer *out, const pgc_index *index);
void pgc_index_write_identity(pgc_ddl *ddl, pgc_buffer *out, const pgc_index *index);

#endif
