/*
 * Batches from the source for the thread that writes them. A thread beside it reads ahead into a bounded queue while there is much to do or the sink takes
 * its time. Of a quiet stream the writing thread reads by itself: a change that comes alone is then written by the thread that its arrival has woken.
 */
#ifndef PGC_PIPELINE_CHANGE_READER_H
#define PGC_PIPELINE_CHANGE_READER_H

#include "base/queue.h"
#include "pipeline/run.h"

typedef struct pgc_change_reader pgc_change_reader;

/* The source's stream has begun; both are the caller's. NULL: err. */
pgc_change_reader *pgc_change_reader_start(pgc_run *run, pgconvoy_error *err);
/* The writing thread's, which is done with the one before: the next batch, the caller's then; waits at most timeout_ms. CLOSED: the source has failed, and all that it gave before was taken. */
pgc_queue_result pgc_change_reader_next(pgc_change_reader *reader, int timeout_ms, pgc_change_batch **batch);
/* The writing thread's: whether nothing has been read ahead. */
bool pgc_change_reader_is_empty(pgc_change_reader *reader);
/* After CLOSED: why; NULL where the stream has ended for no failure. The reader's. */
const pgconvoy_error *pgc_change_reader_failure(pgc_change_reader *reader);
/* Ends the thread; what it has read ahead is dropped. Frees the reader. */
void pgc_change_reader_end(pgc_change_reader *reader);

#endif
