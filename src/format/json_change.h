/*
 * A change or a copied row as one line of JSON (docs/sinks/stdout.md has the format). A writer belongs to one thread;
 * it keeps the text that many lines share: column names for each table, commit position and time for each transaction.
 */
#ifndef PGC_FORMAT_JSON_CHANGE_H
#define PGC_FORMAT_JSON_CHANGE_H

#include "base/buffer.h"

typedef struct pgc_json_writer pgc_json_writer;

pgc_json_writer *pgc_json_writer_new(void);
void pgc_json_writer_free(pgc_json_writer *writer);

/*
 * Call it before each batch: tables that were seen before are then compared with their cached text once, as the source
 * may have been opened again meanwhile and count its versions from 1.
 */
void pgc_json_writer_begin(pgc_json_writer *writer);

/* Each appends whole lines with their newline. On failure out holds no part of the line. */

/* Row number row of rows: "op":"copy". */
int pgc_json_write_row(pgc_json_writer *writer, const pgconvoy_rows *rows, size_t row, pgc_buffer *out,
                       pgconvoy_error *err) PGC_MUST_CHECK;

/* Any change, BEGIN, COMMIT, MESSAGE and SCHEMA too. */
int pgc_json_write_change(pgc_json_writer *writer, const pgconvoy_change *change, pgc_buffer *out,
                          pgconvoy_error *err) PGC_MUST_CHECK;

/* The table's new columns; position and transaction are those of the change written last. */
int pgc_json_write_schema(pgc_json_writer *writer, const pgconvoy_table *table, pgc_buffer *out,
                          pgconvoy_error *err) PGC_MUST_CHECK;

/* A truncate line with "restarted_copy":true: what was written of the table's copy so far does not count. */
int pgc_json_write_restarted_copy(const pgconvoy_table *table, pgconvoy_lsn lsn, pgc_buffer *out,
                                  pgconvoy_error *err) PGC_MUST_CHECK;

#endif
