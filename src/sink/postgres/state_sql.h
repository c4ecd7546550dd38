/*
 * The checkpoint's tables as commands, for a copy that writes rows past the sink and says so in transactions of its
 * own. The schema pgconvoy must be there. Needs no sink.
 */
#ifndef PGC_SINK_POSTGRES_STATE_SQL_H
#define PGC_SINK_POSTGRES_STATE_SQL_H

#include "base/buffer.h"
#include "pgconvoy.h"

/* Appends what makes the tables, unless they are there, and the pipeline's row. */
void pgc_pgsink_append_pipeline(pgc_buffer *sql, const char *pipeline, const char *source_id);
/* Appends what stores a table's state; its rows are all the pipeline's, and the table stays as it is whatever becomes
 * of them. copy_lsn: an SQL expression. */
void pgc_pgsink_append_table_state(pgc_buffer *sql, const char *pipeline, const char *schema, const char *name,
                                   pgconvoy_table_state state, const char *copy_lsn);

/* Appends what stores which columns the table has (see pgc_pgsink_known_store), unless they are stored, and its name, unless it is another at the target. */
void pgc_pgsink_append_known(pgc_buffer *sql, const char *pipeline, const pgconvoy_table *table, bool other_names);
/* Makes the table for it. */
const char *pgc_pgsink_known_create_sql(void);

#endif
