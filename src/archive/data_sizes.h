/* How large the tables are whose data are dumped, as the server sees their files: pg_class.relpages is of no use for a
 * table that was loaded and never analyzed. */
#ifndef PGC_ARCHIVE_DATA_SIZES_H
#define PGC_ARCHIVE_DATA_SIZES_H

#include "archive/data_internal.h"

/* What the server says of a relation. */
typedef struct pgc_data_size {
    uint32_t oid;
    int64_t bytes, blocks; /* with TOAST; of the table alone */
    bool is_heap;
} pgc_data_size;

typedef struct pgc_data_sizes {
    pgc_data_size *rows;
    int count;
} pgc_data_sizes;

/* One query over conn for all tables whose data are wanted. Free with pgc_data_sizes_free, also after a failure. */
int pgc_data_sizes_read(pgc_data_sizes *sizes, PGconn *conn, const pgc_entries *entries,
                        bool (*wanted)(void *arg, const pgc_entry *entry), void *arg,
                        pgconvoy_error *err) PGC_MUST_CHECK;
/* NULL: the entry is not a table's data, or the server did not know the table. */
const pgc_data_size *pgc_data_size_of(const pgc_data_sizes *sizes, const pgc_entry *entry);
void pgc_data_sizes_free(pgc_data_sizes *sizes);

/*
 * Whether a table may be read in ranges of blocks with the outcome of reading it whole: not before version 14, whose
 * servers look at the whole table for each range; not under a condition, which may make the server read in another
 * order; not as commands of several rows, which would begin anew in each range.
 */
bool pgc_data_can_cut(const pgc_catalog *catalog, const pgc_entry *entry, const pgc_data_size *size);
/* The range of blocks of part 0 … parts-1. The first begins, and the last ends, where the table does. */
pgc_block_range pgc_data_part_blocks(const pgc_data_size *size, int64_t part, int64_t parts);

#endif
