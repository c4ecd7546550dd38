/* What the files of data share: one entry's data as they are being read, and the ways of reading them. */
#ifndef PGC_ARCHIVE_DATA_INTERNAL_H
#define PGC_ARCHIVE_DATA_INTERNAL_H

#include "archive/data.h"
#include "catalog/ddl.h"

/* Which rows of a table: those of the blocks first … end-1. -1: open on that side, so that no row is lost when the table has grown or its size was a guess. */
typedef struct pgc_block_range {
    int64_t first, end;
} pgc_block_range;

#define PGC_ALL_BLOCKS ((pgc_block_range){-1, -1})

/* One reading: from where, of what, to whom. */
typedef struct pgc_data_source {
    pgc_catalog *catalog;
    const pgc_dump_options *options;
    PGconn *conn;
    const pgc_entry *entry;
    const pgc_table_data *table; /* NULL for large objects */
    pgc_block_range blocks;
    const pgc_data_target *target;
    pgc_data_totals *totals; /* never NULL */
    pgc_ddl ddl;             /* for quoting only */
} pgc_data_source;

/* Like pgc_data_read, of some of a table's blocks. The last range (end open) writes what stands after the data. */
int pgc_data_read_blocks(pgc_catalog *catalog, PGconn *conn, const pgc_entry *entry, pgc_block_range blocks, const pgc_data_target *target,
                         pgc_data_totals *totals, pgconvoy_error *err) PGC_MUST_CHECK;

/* A further session of the dump: it sees the catalog's snapshot, and makes no plans with workers, whose rows would come in another order each time. */
PGconn *pgc_data_session_open(pgc_catalog *catalog, pgconvoy_error *err) PGC_MUST_CHECK;
/*
 * Locks the table of an entry, where it has one, for a further session. The catalog's own session holds a lock on the table already: when another session waits for an exclusive one, a second request of ours
 * would queue behind it, and it behind us. So this one does not wait.
 */
int pgc_data_session_lock(PGconn *conn, const pgc_entry *entry, pgconvoy_error *err) PGC_MUST_CHECK;

/* The table or partition root that the rows are loaded into. */
const pgc_relation *pgc_data_target_table(const pgc_data_source *source);
/* Whether the entry's bytes are INSERT commands. */
bool pgc_data_are_inserts(const pgc_dump_options *options);
/* " WHERE ctid >= … AND ctid < …" for the blocks; nothing for all. */
void pgc_data_append_blocks(pgc_buffer *sql, pgc_block_range blocks);
/* Hands bytes on and counts them. */
int pgc_data_emit(pgc_data_source *source, const char *bytes, size_t length, pgconvoy_error *err) PGC_MUST_CHECK;

int pgc_data_copy_rows(pgc_data_source *source, pgconvoy_error *err) PGC_MUST_CHECK;         /* data_copy.c */
int pgc_data_insert_rows(pgc_data_source *source, pgconvoy_error *err) PGC_MUST_CHECK;       /* data_insert.c */
int pgc_data_copy_large_objects(pgc_data_source *source, pgconvoy_error *err) PGC_MUST_CHECK; /* data_large_object.c */

#endif
