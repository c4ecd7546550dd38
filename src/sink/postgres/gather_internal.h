/* The insides of gather.c, and of hands.c: who applies what is gathered. */
#ifndef PGC_SINK_POSTGRES_GATHER_INTERNAL_H
#define PGC_SINK_POSTGRES_GATHER_INTERNAL_H

#include "sink/postgres/bulk.h"

#define TABLE_SLOTS 1024

/* Who applies the open transaction. */
typedef enum hands { NOT_CHOSEN, TOGETHER, ALONE } hands;

struct pgc_pgsink_gather {
    pgc_pgsink_pile piles[PGSINK_PILES];
    pgc_pgsink_pile *pile; /* that is filled */
    size_t limit_bytes;    /* of a pile */
    unsigned pieces;       /* of the open transaction */
    unsigned growth;       /* doublings of a piece, as rows are changed again and again */
    pgc_pgsink_background *background;
    bool background_tried;
    pgc_pgsink_team *team;
    bool team_tried;
    hands hands;
    /* the source's transaction that the last change was of */
    pgconvoy_lsn commit_lsn;    /* 0: there was none */
    pgconvoy_lsn begun_lsn;     /* of one that is applied in part, though it is in the pile */
    pgconvoy_lsn source_lsn;    /* where the source's WAL ends, as far as is known; 0: not at all */
    pgconvoy_lsn piece_lsn;     /* of the transaction that the last piece ended in; 0: there was none */
    uint64_t piece_bytes;       /* of the source's WAL, that one came from; 0: not known */
    bool handed;                /* some of it was given to the team */
    bool touched;               /* the target's open transaction has some of it, or something else */
    unsigned failures, pause;   /* of small transactions that go with their commit: how many do not, after one that failed */
    const pgconvoy_change *ahead; /* this change and those after it, while they are written */
    size_t ahead_count;
    pgc_pgsink_gathered *recent;
    pgc_pgsink_gathered *tables[TABLE_SLOTS];
};

static inline pgc_pgsink_pile *pgc_pgsink_other_pile(pgc_pgsink_gather *gather)
{
    return &gather->piles[(gather->pile->number + 1) % PGSINK_PILES];
}

/* Before anything of the stream is applied but with its commit: the target's open transaction has something. */
int pgc_pgsink_gather_touch(pgc_pgsink_writer *writer, pgconvoy_error *err) PGC_MUST_CHECK;
/* Chooses, unless that is done, for a pile of at least so many changes. */
void pgc_pgsink_hands_choose(pgc_pgsink_writer *writer, size_t least, pgconvoy_error *err);
/* Gives the pile to the team, which is not busy. */
int pgc_pgsink_hands_deal(pgc_pgsink_writer *writer, pgconvoy_error *err) PGC_MUST_CHECK;
/* One connection takes all until the transaction ends: what comes next cannot be split. */
int pgc_pgsink_hands_alone(pgc_pgsink_writer *writer, pgconvoy_error *err) PGC_MUST_CHECK;
/* Of a table that is new in the stream: whether it can be sliced. May have found that nothing can be split. */
int pgc_pgsink_hands_look(pgc_pgsink_writer *writer, const pgc_pgsink_target *target, bool *sliceable,
                          pgconvoy_error *err) PGC_MUST_CHECK;
/* Whether the change may be applied later, with others. */
bool pgc_pgsink_hands_can_wait(const pgc_pgsink_writer *writer, const pgc_pgsink_gathered *table,
                               const pgconvoy_change *change);
/* Whether the change takes its row from one connection to another. */
bool pgc_pgsink_hands_leaves_slice(pgc_pgsink_writer *writer, pgc_pgsink_gathered *table,
                                   const pgconvoy_change *change);

#endif
