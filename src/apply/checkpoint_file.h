/*
 * More of a checkpoint file (include/pgconvoy.h) than the public interface shows, for sinks of our own.
 *
 * The file is STATE_DIR/checkpoint: records of lines of tab-separated fields, each record closed by a line "=
 * CHECKSUM". The first record is the whole state, those behind it say what changed since; a record that is cut short by
 * a crash does not count. When the tail outgrows the state the file is written anew and renamed into place. It looks
 * like this:
 *
 *     pgconvoy checkpoint 1
 *     source  7391042…/shop
 *     table   live    0/1A2B3C8   public  users
 *     = 5f0a1c9e
 *     lsn     0/1A2B400
 *     note    2049 131 90210
 *     = 0c33d1aa
 */
#ifndef PGC_APPLY_CHECKPOINT_FILE_H
#define PGC_APPLY_CHECKPOINT_FILE_H

#include "base/error.h"

/* The state of one table, PGCONVOY_TABLE_WAITING when the file does not know it. */
pgconvoy_table_state pgc_checkpoint_file_table_state(pgconvoy_checkpoint_file *file, const char *schema,
                                                     const char *name);

#endif
