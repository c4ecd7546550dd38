/*
 * What a batch that several connections applied has left to do when not all of them have committed: pgconvoy.apply_part
 * on the target.
 *
 * Each connection but the stream's own (the first part) writes a row in the transaction that writes its changes: up to
 * which position, and exactly which tables, or slices of tables, it has. The stream's own connection commits last, and
 * with the position of the whole batch it removes these rows. So as long as there are rows, the target is what it was
 * at pipeline.lsn, but for what they name, which is ahead; and who goes on from pipeline.lsn passes over just that.
 * Nothing hangs on how many connections there are then, or on how tables are grouped.
 *
 * A row without tables says only that one connection is to take what comes up to its position.
 */
#ifndef PGC_SINK_POSTGRES_PARTS_H
#define PGC_SINK_POSTGRES_PARTS_H

#include "sink/postgres/sink_internal.h"

#define PGSINK_ALONE_PART (-1) /* of the row without tables */

/* A table, or a slice of one, that a part has. */
typedef struct pgc_pgsink_piece {
    uint32_t oid;           /* of the source's table */
    unsigned slices, slice; /* slices 0: the whole table */
    const char *const *key; /* of a slice: the names of the columns that it goes by */
    int key_count;
} pgc_pgsink_piece;

typedef struct pgc_pgsink_parts pgc_pgsink_parts;

/* Makes the table unless it is there, in a transaction of its own. *usable: and the pipeline has its row. */
int pgc_pgsink_parts_setup(pgc_pgsink *sink, PGconn *conn, bool *usable, pgconvoy_error *err) PGC_MUST_CHECK;

/* Reads what is left to do into sink->parts, inside conn's transaction. */
int pgc_pgsink_parts_read(pgc_pgsink *sink, PGconn *conn, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_pgsink_parts_free(pgc_pgsink_parts *parts);
/* How many rows there are, as far as we know. NULL has none. */
unsigned pgc_pgsink_parts_count(const pgc_pgsink_parts *parts);
/* Up to where parts have changes; 0: none has any. */
pgconvoy_lsn pgc_pgsink_parts_end(const pgc_pgsink_parts *parts);
/* Whether a part has the change already. Fails where that cannot be told. */
int pgc_pgsink_parts_have(const pgc_pgsink_parts *parts, const pgconvoy_change *change, bool *have,
                          pgconvoy_error *err) PGC_MUST_CHECK;
/* The conflicts that the parts met which end at or before lsn become the writer's own, to be counted. */
void pgc_pgsink_parts_take_conflicts(const pgc_pgsink_parts *parts, pgc_pgsink_writer *writer, pgconvoy_lsn lsn);
/* The position lsn is committed: forgets the parts that end at or before it. */
void pgc_pgsink_parts_settled(pgc_pgsink_parts *parts, pgconvoy_lsn lsn);

/* ---- SQL */

/* Stores a part: its statement has the parameters of pgc_pgsink_parts_values. */
#define PGSINK_PART_VALUES 5
const char *pgc_pgsink_part_sql(void);
/* The tables as the JSON that is stored. */
void pgc_pgsink_pieces_text(const pgc_pgsink_piece *pieces, size_t count, pgc_buffer *out);
/* Removes the rows that end at or before lsn. */
void pgc_pgsink_parts_settle_sql(const pgc_pgsink *sink, pgconvoy_lsn lsn, pgc_buffer *out);
/* A condition: there are no rows but those that are known. */
void pgc_pgsink_parts_known_sql(const pgc_pgsink *sink, pgc_buffer *out);
/* One connection is to take what comes up to lsn: stored by a connection of its own. */
int pgc_pgsink_parts_alone(pgc_pgsink *sink, pgconvoy_lsn lsn, pgconvoy_error *err) PGC_MUST_CHECK;

/* Statements that lock the parts: those who write them share it, who needs them to be at rest waits for them. */
typedef enum pgc_pgsink_parts_lock {
    PGSINK_PARTS_WRITES, /* until the transaction ends */
    PGSINK_PARTS_WAITS,  /* until the transaction ends */
    PGSINK_PARTS_PASSES  /* only waits until nobody writes */
} pgc_pgsink_parts_lock;
void pgc_pgsink_parts_lock_sql(const pgc_pgsink *sink, pgc_pgsink_parts_lock lock, pgc_buffer *out);

#endif
