/*
 * The assembler: pgoutput messages in, batches of changes out. It keeps the open transaction, the relation cache, and the transactions
 * that the server streams while they are in progress (spilled to disk until they commit). Free of libpq: what it knows of the server
 * comes as bytes, or through the resolve callback. One thread at a time.
 *
 * The reader's loop, whole:
 *
 *     for each XLogData
 *         pgc_assembler_feed(a, data_start, bytes, length, err)
 *         while ((rc = pgc_assembler_next(a, &batch, err)) > 0)
 *             hand over batch
 *     for each keepalive
 *         pgc_assembler_position(a, wal_end)
 *     when the socket has nothing more
 *         if ((batch = pgc_assembler_take(a)))
 *             hand over batch
 *
 * What comes out:
 *  - BEGIN, the changes, COMMIT. A transaction with no change for us gives neither, but its end moves the position.
 *  - A transaction that reaches over several batches has a pgconvoy_transaction in each of them.
 *  - sequence counts row changes, truncates of a table and messages; BEGIN has 0, COMMIT the count, SCHEMA that of the change after it.
 *  - A column that the server did not send: PGCONVOY_NULL in an old row of kind 'K', PGCONVOY_UNCHANGED elsewhere. Where an
 *    UPDATE left a TOASTed value alone and sent the whole old row (kind 'O'), the value is taken from there.
 *  - SCHEMA comes right before the first change of a table that needs it, never for a transaction that was skipped or rolled back.
 *  - A message outside of any transaction has a transaction of its own, with xid 0 and commit_lsn as described at
 *    pgc_assembler_feed; neither BEGIN nor COMMIT stand around it.
 *  - Logical messages whose prefix is "pgconvoy" or starts with "pgconvoy." are our own and do not come out. Those of our event triggers
 *    become DDL, and a SCHEMA for each table that has another definition from there on.
 *  - A prepared transaction (two-phase) comes when it is committed, as any other; or with as_prepared as BEGIN, the changes and PREPARE, with
 *    its gid, and COMMIT_PREPARED or ROLLBACK_PREPARED alone, later. See prepared.c for those that then come at their commit all the same.
 *  - A transaction that is streamed comes at its commit; where pgc_assembler_allow_tentative has allowed it, at once, with in_progress set, and
 *    COMMIT or ROLLBACK at its end. After ROLLBACK it may come again, with its commit (tentative.c).
 *
 * Formats: PostgreSQL manual, "Logical Replication Message Formats", protocol versions 1 to 4.
 */
#ifndef PGC_SOURCE_POSTGRES_ASSEMBLE_H
#define PGC_SOURCE_POSTGRES_ASSEMBLE_H

#include "source/postgres/labels.h"
#include "source/source.h"

/* A Relation message, as it came. Valid during the call it is given to. */
typedef struct pgc_relation_column {
    const char *name;
    uint32_t type_oid;
    int32_t typmod;
    bool in_key; /* with replica identity FULL every column is */
} pgc_relation_column;

typedef struct pgc_stream_relation {
    uint32_t oid;
    const char *schema; /* "pg_catalog" where the message has the empty string */
    const char *name;
    char replica_identity; /* 'd', 'i', 'f', 'n' */
    int column_count;
    const pgc_relation_column *columns;
} pgc_stream_relation;

/*
 * Gives the table whose columns the rows after this message are decoded into: columns are matched by name, either side may have
 * more. *table NULL: not ours, its changes are left out. Called for the first Relation message of an oid and then for each that differs
 * from the one before (columns, key, name, replica identity); another pointer than before means another version, and becomes a
 * PGCONVOY_SCHEMA change. The table must live as long as the batches and the assembler. Returns 0, or -1 and err.
 */
typedef int (*pgc_resolve_table)(void *arg, const pgc_stream_relation *relation, const pgconvoy_table **table,
                                 pgconvoy_error *err);

/*
 * A row has a label that an enum of table lacks: gives a version of the table, with the same columns, that has it. The server sends
 * nothing when a label is added. NULL in the config: rows are not looked through.
 */
typedef int (*pgc_relabel_table)(void *arg, const pgconvoy_table *table, const pgc_unknown_label *unknown,
                                 const pgconvoy_table **relabelled, pgconvoy_error *err);

/* Of the subtransactions of a transaction that has ended, or is prepared: which were rolled back. Gives them at the front of xids, and how many in *count. */
typedef int (*pgc_undone_subtransactions)(void *arg, uint32_t *xids, size_t *count, pgconvoy_error *err);

/* A message of our event triggers (ddl.h), with where its transaction commits. */
typedef struct pgc_ddl_message {
    const char *content;
    size_t length;
    pgconvoy_lsn commit_lsn;
} pgc_ddl_message;

/* What it comes to. */
typedef struct pgc_ddl_seen {
    const pgconvoy_ddl *ddl;      /* NULL: nothing (yet) for the sink to see */
    const pgconvoy_table **tables; /* tables of the pipeline as they are from here on */
    size_t table_count;
} pgc_ddl_seen;

/* ddl and tables are the callee's until the next call. NULL in the config: such messages are left out. */
typedef int (*pgc_read_ddl)(void *arg, const pgc_ddl_message *message, pgc_ddl_seen *seen, pgconvoy_error *err);

typedef struct pgc_assembler_config {
    int protocol_version;    /* proto_version that START_REPLICATION asked for, 1 to 4 */
    bool streaming_parallel; /* streaming 'parallel' was asked for: Stream Abort then carries LSN and time */
    /* Transactions with commit_lsn before it are left out, since the sink has them. 0: none. Their end still moves the position. */
    pgconvoy_lsn skip_before;
    bool skip_origins; /* transactions that another stream has written are left out */
    bool as_prepared;  /* prepared transactions come when they are prepared */
    pgconvoy_lsn prepared_from; /* … from here on; those from before come at their commit */
    const pgconvoy_prepared *prepared; /* those that the sink has prepared. Copied */
    size_t prepared_count;
    size_t batch_bytes;             /* hand over at about this size; 0: 512 kB. One change may be larger */
    size_t lent_bytes;              /* memory that is lent is taken for a change of so many bytes; 0: 64 kB */
    const char *spill_dir;          /* made when it is needed */
    size_t spill_transaction_bytes; /* of a streamed transaction, kept in memory; 0: 1 MB */
    size_t spill_total_bytes;       /* of all streamed transactions together; 0: 16 MB */
    pgc_resolve_table resolve;
    pgc_relabel_table relabel; /* may be NULL */
    bool composites_change; /* as commands that the sink follows: a row may have other fields than its table's type has by now. They are not looked into */
    pgc_undone_subtransactions undone; /* may be NULL: the server's word for it is enough */
    void *resolve_arg;         /* of all three */
    pgc_read_ddl read_ddl;     /* may be NULL */
    void *read_ddl_arg;
    uint32_t ddl_log; /* oid of the table whose new rows (an id, a message) stand for such messages; 0: none */
    pgconvoy_log *log; /* may be NULL */
} pgc_assembler_config;

typedef struct pgc_assembler pgc_assembler;

/* NULL and err on failure. config is copied, with spill_dir. */
pgc_assembler *pgc_assembler_new(const pgc_assembler_config *config, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_assembler_free(pgc_assembler *assembler);

/*
 * Says which version of a table the sink has (the tables that load_tables gave, before the first feed): a SCHEMA change is put only when
 * resolve gives another. Without it the first that resolve gives is taken as known to the sink.
 */
int pgc_assembler_set_table(pgc_assembler *assembler, const pgconvoy_table *table, pgconvoy_error *err) PGC_MUST_CHECK;

/* Changes of this table in transactions with commit_lsn before lsn are left out: they are in its snapshot. May be called at any time. */
int pgc_assembler_set_copy_lsn(pgc_assembler *assembler, uint32_t table_oid, pgconvoy_lsn lsn, pgconvoy_error *err)
    PGC_MUST_CHECK;

/*
 * Takes one pgoutput message; lsn is XLogData's dataStart. bytes are copied. Must not be called before pgc_assembler_next has
 * returned 0. After a failure only free may follow.
 * For a message outside of any transaction the server gives the end of its record; commit_lsn is that minus 1, so that it is a position
 * inside the record and never equals the commit_lsn of a transaction whose commit record comes next.
 */
int pgc_assembler_feed(pgc_assembler *assembler, pgconvoy_lsn lsn, const void *bytes, size_t length,
                       pgconvoy_error *err) PGC_MUST_CHECK;

/*
 * The memory that a message lies in, lent for the time of the call: a large change takes it instead of a copy, and its batch gives it back by release,
 * in whatever thread frees the batch.
 */
typedef struct pgc_lent {
    void *memory;
    void (*release)(void *memory);
    bool taken;
} pgc_lent;
int pgc_assembler_feed_lent(pgc_assembler *assembler, pgconvoy_lsn lsn, const void *bytes, size_t length, pgc_lent *lent,
                            pgconvoy_error *err) PGC_MUST_CHECK;

/*
 * 1: *batch is full and to be handed over (freed by pgc_change_batch_free), call again; 0: go on with the next message; -1: err.
 * This is also what reads a streamed transaction back after its Stream Commit, a batch at a time.
 */
int pgc_assembler_next(pgc_assembler *assembler, pgc_change_batch **batch, pgconvoy_error *err) PGC_MUST_CHECK;

/*
 * Changes of streamed transactions may be handed over before their commit: of those that begin at from or later, as long as what comes is from
 * before until (where the WAL ended when the stream began). The receiver must be able to take all of one back.
 */
void pgc_assembler_allow_tentative(pgc_assembler *assembler, pgconvoy_lsn from, pgconvoy_lsn until);

/* Hands over what there is, also in the middle of a transaction, or only a new position. NULL when there is nothing new. */
pgc_change_batch *pgc_assembler_take(pgc_assembler *assembler);

/* What take would hand over: bytes held by the current batch. */
size_t pgc_assembler_pending_bytes(const pgc_assembler *assembler);

/*
 * The server told that everything before lsn was sent (walEnd of a keepalive). Honoured only when no transaction is open; streamed
 * transactions that have not ended do not count, since the server sends them again after a restart.
 */
void pgc_assembler_position(pgc_assembler *assembler, pgconvoy_lsn lsn);

/* True between Begin and Commit, inside a streamed block, while a streamed transaction is read back, and while one is handed over before its commit. */
bool pgc_assembler_in_transaction(const pgc_assembler *assembler);

/*
 * How far the server may be told that it is not asked again, when the sink has everything up to durable: not past the prepare of a
 * transaction whose commit the sink has not, as the server sends its changes only with the prepare.
 */
pgconvoy_lsn pgc_assembler_confirmable(pgc_assembler *assembler, pgconvoy_lsn durable);

#endif
