/*
 * The spill: streamed transactions that have not ended, message by message, small ones in memory and the rest on disk.
 *
 * All of them share one file, cut into extents of 64 KB that a transaction takes as it grows and gives back when it ends. So a thousand
 * interleaved transactions need one file descriptor, and the file is unlinked as soon as it is open: whatever ends the process, nothing
 * is left behind. Nothing needs to be: after a restart the server streams these transactions again.
 *
 * A rolled back subtransaction's messages stay where they are and are passed over when the transaction is read.
 */
#ifndef PGC_SOURCE_POSTGRES_SPILL_H
#define PGC_SOURCE_POSTGRES_SPILL_H

#include "base/log.h"

#include <sys/types.h>

typedef struct pgc_spill pgc_spill;
typedef struct pgc_spilled pgc_spilled; /* one streamed transaction */

/* dir may be missing and is made at the first write. transaction_bytes and total_bytes bound what stays in memory. log may be NULL. */
pgc_spill *pgc_spill_new(const char *dir, size_t transaction_bytes, size_t total_bytes, pgconvoy_log *log);
void pgc_spill_free(pgc_spill *spill);

/* The transaction of a top-level xid, or NULL. */
pgc_spilled *pgc_spill_find(pgc_spill *spill, uint32_t xid);
/* A new one, which must not be there yet. NULL and err on failure. */
pgc_spilled *pgc_spill_begin(pgc_spill *spill, uint32_t xid, pgconvoy_error *err) PGC_MUST_CHECK;
uint32_t pgc_spilled_xid(const pgc_spilled *spilled);

/* One message of the transaction. bytes are copied. */
typedef struct pgc_spill_record {
    pgconvoy_lsn lsn;
    uint32_t xid; /* the subtransaction it belongs to */
    uint8_t type;
    const char *bytes; /* what follows the type byte and xid */
    size_t length;
    void *memory; /* read: what the bytes lie in, where they fill it; of malloc */
} pgc_spill_record;
int pgc_spill_append(pgc_spill *spill, pgc_spilled *spilled, const pgc_spill_record *record, pgconvoy_error *err)
    PGC_MUST_CHECK;

/* Messages of subtransaction xid are not to be read. */
int pgc_spill_abort(pgc_spilled *spilled, uint32_t xid, pgconvoy_error *err) PGC_MUST_CHECK;

/* The subtransactions that have messages and were not aborted, each once; *xids is the transaction's until its next message. Returns how many. */
size_t pgc_spill_subxids(pgc_spilled *spilled, const uint32_t **xids);

/* Starts reading at the first message. One transaction is read at a time. */
void pgc_spill_rewind(pgc_spill *spill, pgc_spilled *spilled);
/* 1: *record is the next, its bytes valid until the next call; 0: that was the last; -1: err. */
int pgc_spill_read(pgc_spill *spill, pgc_spilled *spilled, pgc_spill_record *record, pgconvoy_error *err) PGC_MUST_CHECK;
/* The memory of the record that was read last is the caller's from now on. */
void pgc_spill_was_taken(pgc_spill *spill);

/* Forgets the transaction and gives back what it took. */
void pgc_spill_drop(pgc_spill *spill, pgc_spilled *spilled);

/* For tests and logs. */
size_t pgc_spill_memory(const pgc_spill *spill);
uint64_t pgc_spill_disk(const pgc_spill *spill);

#endif
