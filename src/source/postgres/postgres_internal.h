/*
 * What the files of this folder share: the source itself, and small helpers around its connections.
 *
 * Threads. The pipeline's own thread calls everything but the readers, stream_next and what the interface gives to any
 * thread. `conn` is that thread's. Readers have a connection each, the stream two, mark_position makes its own. What
 * several threads read (config, names, tables) is not changed after load_tables; the types, which the stream may add
 * to, stand under catalog_lock.
 */
#ifndef PGC_SOURCE_POSTGRES_INTERNAL_H
#define PGC_SOURCE_POSTGRES_INTERNAL_H

#include "base/buffer.h"
#include "postgres/connection.h"
#include "postgres/quote.h"
#include "source/postgres/oid_map.h"
#include "source/postgres/types.h"
#include "source/source.h"

#include <pthread.h>
#include <stdatomic.h>

/* A relation whose rows are read: a table, or a leaf partition of one. */
typedef struct pgc_part {
    uint32_t oid;
    const char *schema, *name;
    int64_t heap_bytes;  /* main fork alone: what ctid ranges cut */
    int64_t total_bytes; /* with TOAST, without indexes */
    char replica_identity;
    bool identity_usable; /* UPDATE and DELETE can be published */
    bool was_changed;     /* statistics know of updates or deletes */
} pgc_part;

/* A table with what the outside does not need to know of it. */
typedef struct pgc_source_table {
    pgconvoy_table table; /* first: the public pointer is this one */
    char relkind;
    const char *row_filter; /* an expression, or NULL */
    pgc_part *parts;
    int part_count;
    const char *quoted_name; /* "schema"."name" */
    const int16_t *attnums;  /* of the columns */
    bool numbered_by_names;  /* a version whose columns have the numbers that their names have by now: of other columns, it may be */
    int natts;               /* the highest number that a column has, or had (pg_class.relnatts) */
    pgconvoy_lsn copy_lsn;   /* changes of transactions that committed before are in its copy; 0 none */
} pgc_source_table;

/* A publication as the server has it. */
typedef struct pgc_publication {
    bool exists;
    bool ours; /* made by this pipeline: its comment says so */
    bool all_tables;
    bool via_root;
    bool inserts, updates, deletes, truncates;
    bool stored_generated; /* values of stored generated columns too (18); of one that is to be made: they will be */
} pgc_publication;

typedef struct pgc_stream pgc_stream;

typedef struct pgc_postgres_source {
    pgc_source_config config; /* a copy; what it points to stays the caller's */
    pgc_arena *arena;         /* lives as long as the source: names, tables, types */
    PGconn *conn;             /* see pgc_source_conn */
    int server_version;
    bool in_recovery;
    int block_size;
    char *id;
    const char *publication_name;
    const char *slot_name;
    pgc_publication publication;

    pthread_mutex_t catalog_lock; /* guards types and, after load_tables, arena */
    pgc_types *types;

    const pgconvoy_table **tables; /* as given out */
    size_t table_count;
    pgc_oid_map table_map; /* oid to pgc_source_table */

    PGconn *snapshot_conn; /* holds the exported snapshot */
    char *snapshot_name;   /* malloc'ed */
    pgconvoy_lsn snapshot_lsn;

    pgconvoy_prepared *prepared; /* at the sink, when the stream begins; malloc'ed */
    size_t prepared_count;
    pgconvoy_lsn prepared_from;
    pgc_stream *stream;
    int wake_fd;             /* an eventfd, which interrupts the stream's waiting; -1: there is none */
    atomic_bool stream_ends; /* stream_next is to return, by another thread's wish */
    pgc_oid_map streamed; /* oid to the pgc_source_table that the stream now has; the stream's thread's own */
    bool said_no_triggers; /* that they cannot be made */
    atomic_bool names_by_catalog; /* the configuration wants it, and no event triggers tell of names */
    atomic_bool saw_unknown; /* the stream met a table that is not ours: time to look at the publication */
    _Atomic pgconvoy_lsn confirmed_lsn; /* raised by any thread; here so that it outlives a stream */
    PGconn *watch_conn;                 /* of the pipeline's watching thread */
    pgc_oid_map passed_over;            /* that thread's: tables that were named in the log as not joining */
    bool partitions_seen;               /* that thread's: they were looked at before */
    PGresult *partitions;               /* that thread's: what the last look has found; NULL: there was none */
    pgc_oid_map partition_files;        /* that thread's: pg_class.relfilenode of partitions when they were last looked at */
} pgc_postgres_source;

/*
 * The SQL connection of the pipeline's thread, made anew when it was lost. Its lock_timeout is bounded: a table locked
 * by somebody is an error that may heal, not a wait without an end.
 */
PGconn *pgc_source_conn(pgc_postgres_source *source, pgconvoy_error *err) PGC_MUST_CHECK;

/* A new connection for purpose ("reader"), with the settings of newer servers that would end a long transaction
 * switched off. */
PGconn *pgc_source_connect(pgc_postgres_source *source, pgc_connection_kind kind, const char *purpose,
                           pgconvoy_error *err) PGC_MUST_CHECK;

/* NULL when the table is none of ours. */
static inline pgc_source_table *pgc_source_find_table(const pgc_postgres_source *source, uint32_t oid)
{
    return pgc_oid_map_get(&source->table_map, oid);
}

/* Runs sql with one parameter that is an array of oids. */
PGresult *pgc_query_oids(PGconn *conn, const char *sql, const uint32_t *oids, size_t count,
                         pgconvoy_error *err) PGC_MUST_CHECK;

/* Values of a result. */
uint32_t pgc_result_oid(const PGresult *result, int row, int column);
bool pgc_result_bool(const PGresult *result, int row, int column);
int64_t pgc_result_int64(const PGresult *result, int row, int column);

/* True once the pipeline was asked to stop; long waits look at it. */
bool pgc_source_interrupted(const pgc_postgres_source *source);

#endif
