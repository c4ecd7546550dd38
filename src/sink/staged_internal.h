/* What the files of sink/staged.h share among themselves. */
#ifndef PGC_SINK_STAGED_INTERNAL_H
#define PGC_SINK_STAGED_INTERNAL_H

#include "sink/staged.h"

/* ---- staged_checkpoint.c */

/* How a table came to be this pipeline's, as the checkpoint has it. */
#define PGC_STAGED_MADE "made"
#define PGC_STAGED_EMPTIED "emptied"
#define PGC_STAGED_APPENDED "appended"

int pgc_staged_checkpoint_ensure(pgc_staged_sink *sink, pgconvoy_error *err) PGC_MUST_CHECK;
/* What the checkpoint says of a table: how it came (NULL: not this pipeline's) and the table its copy goes into. In the
 * arena. */
int pgc_staged_checkpoint_owned(pgc_staged_sink *sink, const pgconvoy_table *table, pgc_arena *arena, const char **how,
                                const char **copy, pgconvoy_error *err) PGC_MUST_CHECK;
/* Runs the statements and stores what is new in the checkpoint, in one transaction; and does what follows it. */
int pgc_staged_checkpoint_commit(pgc_staged_sink *sink, const pgc_staged_commit *commit,
                                 pgconvoy_error *err) PGC_MUST_CHECK;
/* Does what followed the last commit, if a process was killed before it could, and removes what it left. */
int pgc_staged_checkpoint_pending(pgc_staged_sink *sink, pgconvoy_error *err) PGC_MUST_CHECK;
/* 0; or -1 when the statements of a commit have become too long. */
int pgc_staged_check_commit(const pgc_staged_sink *sink, const pgc_buffer *sql, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- staged_gather.c */

int pgc_staged_table_of(pgc_staged_writer *writer, const pgconvoy_table *source, pgc_staged_table **found,
                        pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_staged_flush(pgc_staged_writer *writer, pgc_staged_table *table, pgconvoy_error *err) PGC_MUST_CHECK;
/* Sends what is gathered into staging, so that all of the commit is in parts. */
int pgc_staged_flush_all(pgc_staged_writer *writer, pgconvoy_error *err) PGC_MUST_CHECK;
/* Forgets everything since the last commit; the tables too, when their definitions may have changed. */
void pgc_staged_forget(pgc_staged_writer *writer, bool forget_tables);
/* And what is left of it. */
void pgc_staged_gather_free(pgc_staged_writer *writer);

/* ---- staged_alter.c */

int pgc_staged_follow(pgc_staged_writer *writer, const pgconvoy_table *old_table, const pgconvoy_table *new_table,
                      pgconvoy_error *err) PGC_MUST_CHECK;
/* Brings a table there to the definition that it is met with. */
int pgc_staged_adapt_table(pgc_staged_writer *writer, pgc_staged_table *table, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_staged_later_free(pgc_staged_writer *writer);

#endif
