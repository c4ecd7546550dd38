/* What assemble.c (the state machine over messages) and apply.c (the changes they make) share. Never leaves this folder. */
#ifndef PGC_SOURCE_POSTGRES_ASSEMBLE_INTERNAL_H
#define PGC_SOURCE_POSTGRES_ASSEMBLE_INTERNAL_H

#include "source/postgres/assemble.h"
#include "source/postgres/batch.h"
#include "source/postgres/relation.h"
#include "source/postgres/spill.h"

/* The transaction whose changes are being emitted. */
typedef struct open_transaction {
    pgconvoy_transaction facts; /* origin and gid are owned here */
    pgconvoy_lsn end_lsn;       /* Stream Commit: known before the changes are */
    pgconvoy_lsn begin_lsn;
    uint32_t sequence;
    bool begun;                   /* its BEGIN was emitted */
    bool skipped;                 /* the sink has it */
    bool unfit;                   /* it has something that cannot be handed over before its commit */
    pgconvoy_transaction *shared; /* what the changes of the current batch point to; NULL: none yet */
} open_transaction;

/* A transaction that was prepared, until the sink has it or it is rolled back. */
typedef struct prepared {
    uint32_t xid;
    pgconvoy_lsn lsn;     /* of the prepare */
    pgconvoy_lsn end_lsn; /* of its commit; 0: not yet */
    bool at_sink;         /* prepared there: only its end is wanted */
} prepared;

struct pgc_assembler {
    pgc_assembler_config config;
    pgc_relation_cache *relations;
    pgc_spill *spill;
    pgc_batch_builder builder;
    pgc_lent *lent; /* what the message lies in that is applied; NULL: it stays the caller's */
    uint8_t place; /* PGC_PGOUTPUT_… */
    open_transaction open;
    pgc_spilled *stream; /* of the block we are in, or of the transaction that is about to be prepared */
    pgc_spilled *replay; /* the one that is read back */
    pgc_spilled *tentative; /* the one that is handed over while it is in progress: it is the open transaction, too */
    pgconvoy_lsn tentative_from, tentative_until;
    pgconvoy_lsn heard;  /* the last that the server told in between */
    pgconvoy_lsn passed; /* where the last transaction ended */
    prepared *prepared;
    size_t prepared_count, prepared_capacity;
    pgconvoy_lsn position, position_told;
};

/* Opens a transaction (Begin, Stream Commit); nothing is emitted before its first change. facts.gid set after it: it ends as prepared. */
void pgc_assembler_begin(pgc_assembler *assembler, uint32_t xid, pgconvoy_lsn commit_lsn, int64_t commit_time);
/* Ends it: COMMIT or PREPARE, if it emitted anything, and the position. */
int pgc_assembler_commit(pgc_assembler *assembler, pgconvoy_lsn end_lsn, pgconvoy_error *err) PGC_MUST_CHECK;
/* Ends it the other way: ROLLBACK, if it emitted anything. The position stays. */
int pgc_assembler_roll_back(pgc_assembler *assembler, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_assembler_move_position(pgc_assembler *assembler, pgconvoy_lsn lsn);

/* Applies a message that stands inside a transaction: R, Y, O, I, U, D, T, M; the cursor is behind type byte and xid. */
int pgc_assembler_apply(pgc_assembler *assembler, pgconvoy_lsn lsn, pgc_pgoutput_reader *reader, pgconvoy_error *err) PGC_MUST_CHECK;
/* M, which may stand outside as well. */
int pgc_assembler_apply_message(pgc_assembler *assembler, pgconvoy_lsn lsn, pgc_pgoutput_reader *reader, pgconvoy_error *err)
    PGC_MUST_CHECK;

/* COMMIT_PREPARED or ROLLBACK_PREPARED, alone; and the position. */
int pgc_assembler_add_outcome(pgc_assembler *assembler, pgconvoy_operation operation, const pgconvoy_transaction *transaction,
                              pgconvoy_error *err) PGC_MUST_CHECK;

/* A streamed transaction is about to be read, or its commit said: leaves out what the server has not told to be rolled back. *any: there was some. */
int pgc_assembler_leave_out_undone(pgc_assembler *assembler, pgc_spilled *spilled, bool *any, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- tentative.c */
/* A block of the streamed transaction a->stream begins; lsn is that of its first change, 0 unknown. */
int pgc_tentative_block(pgc_assembler *assembler, pgconvoy_lsn lsn, bool first, pgconvoy_error *err) PGC_MUST_CHECK;
/* A message of a->stream, which was put aside as well. */
int pgc_tentative_message(pgc_assembler *assembler, pgconvoy_lsn lsn, pgc_pgoutput_reader *reader, pgconvoy_error *err) PGC_MUST_CHECK;
/* Its commit: nothing is to be read back. */
int pgc_tentative_commit(pgc_assembler *assembler, const pgc_pgoutput_commit *commit, pgconvoy_error *err) PGC_MUST_CHECK;
/* Takes back what was handed over; it stays put aside. Nothing happens where there is none. */
int pgc_tentative_end(pgc_assembler *assembler, pgconvoy_error *err) PGC_MUST_CHECK;
/* Whether the server has come to where such transactions are no longer wanted. */
bool pgc_tentative_is_over(const pgc_assembler *assembler);

/* ---- prepared.c */
/* A message of two-phase kind. */
int pgc_assembler_apply_prepared(pgc_assembler *assembler, pgc_pgoutput_reader *reader, pgconvoy_error *err) PGC_MUST_CHECK;
/* The changes of a transaction that is to be prepared were read back. */
int pgc_assembler_end_prepare(pgc_assembler *assembler, pgconvoy_error *err) PGC_MUST_CHECK;
/* Those of the config. */
int pgc_assembler_know_prepared(pgc_assembler *assembler, pgconvoy_error *err) PGC_MUST_CHECK;
/* True for a message that an event trigger of ours has written. */
bool pgc_assembler_is_ddl(const char *prefix);

/* ddl_copy.c: all of it, in arena. NULL when out of memory. */
const pgconvoy_ddl *pgc_ddl_copy(pgc_arena *arena, const pgconvoy_ddl *ddl);

/* The error for a message that cannot stand where it does; returns -1. */
int pgc_assembler_unexpected(pgconvoy_error *err, uint8_t type, const char *what);

#endif
