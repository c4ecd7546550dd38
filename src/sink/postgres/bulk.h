/*
 * Changes that wait, and their application in bulk. While work is waiting, changes of whole transactions are gathered
 * in a pile (gather.c); then what they come to by key (apply/compact.h) is written table by table in a few large
 * statements (bulk.c), whose parameters are arrays of values (array.c), in the order of their keys (key_order.c).
 *
 * All of a pile happens behind a savepoint (pile.c). What does not go well in bulk (a constraint that only holds in
 * commit order, a row that is not where it should be, a value that is refused) is undone, and the same changes are
 * applied again: those of the table that failed one by one in commit order, by apply.c, and after some failures all of them.
 *
 * There are two piles, so that a thread can apply one (background.c) while changes are gathered in the other. While it
 * does, the connection, the targets and their statements, and what of a pgc_pgsink_gathered is marked so, are its own.
 */
#ifndef PGC_SINK_POSTGRES_BULK_H
#define PGC_SINK_POSTGRES_BULK_H

#include "sink/postgres/sink_internal.h"

#include "apply/change.h"
#include "apply/compact.h"

#define PGSINK_PILES 2

/* A table of the stream. */
typedef struct pgc_pgsink_gathered {
    struct pgc_pgsink_gathered *next; /* in its slot */
    const pgconvoy_table *table;
    pgc_pgsink_way way;
    struct pgc_pgsink_part *parts[PGSINK_PILES]; /* its changes in each pile, NULL for none; of who has the pile */
    bool scans;       /* a single change of an old row reads all of the table */
    const char *cost; /* … as we say it, once; NULL: it does not, or it was said */
    /* for several connections (team.c) */
    uint32_t relation;                    /* its oid on the target */
    bool sliceable;                       /* rows with different keys cannot be in each other's way */
    int share;                            /* the connection that has it in the batch, PGSINK_NO_PART, PGSINK_SLICED */
    struct pgc_pgsink_gathered **members; /* the same table, as each connection has it, NULL where it has not had it */
    unsigned member_count;
    pgc_compact *compacts[PGSINK_PILES]; /* what its changes in each pile come to, of who has the pile; NULL: they go one by one, but for new rows */
    /* of the one who applies */
    unsigned failures, pause; /* bulk failed so often in a row; so many more times it is not tried */
    bool told;                /* why it failed was logged */
} pgc_pgsink_gathered;

/* A change that waits; its values are the pile's. */
typedef struct pgc_pgsink_waiting {
    struct pgc_pgsink_waiting *next, *next_of_table;
    const pgconvoy_table *table;
    pgc_pgsink_gathered *gathered;
    const pgconvoy_value *old, *new_;
    uint8_t operation;
    char old_kind;
} pgc_pgsink_waiting;

/* The changes of one table in a pile. */
typedef struct pgc_pgsink_part {
    struct pgc_pgsink_part *next;
    pgc_pgsink_gathered *gathered;
    pgc_pgsink_waiting *first, *last;
    size_t count;
    bool inserts_only; /* all of them are new rows */
    pgc_pgsink_waiting *compacted; /* the last one that the compaction has; NULL: it has none */
    bool failed;                   /* it would not take the next one */
    bool undone;                   /* they failed in bulk */
    /* how many it has, and keys of them: now, and when it had the largest power of two, and half of that */
    size_t added, full_added, half_added, full_keys, half_keys;
    /* the same before the transaction of the last change */
    unsigned transaction;
    pgc_pgsink_waiting *whole_last;
    size_t whole_count;
    bool whole_inserts_only;
} pgc_pgsink_part;

typedef struct pgc_pgsink_pile {
    int number;
    pgc_arena *arena;
    pgc_pgsink_waiting *first, *last; /* in commit order */
    size_t count;
    unsigned transaction;      /* the number of the last one */
    pgc_pgsink_waiting *whole; /* the last change before it; NULL: there is none */
    size_t whole_count;
    bool compacts;                 /* while it is filled */
    pgc_pgsink_waiting *compacted; /* so far */
    size_t keys;                   /* that were met so far by these */
    size_t scans;                  /* changes that read all of a table each, one by one */
    pgc_pgsink_part *parts;
    size_t part_count;
    size_t early_keys, late_keys; /* that were met first in the first half of a table's changes, and in the second, when it was last applied in bulk */
} pgc_pgsink_pile;

/* ---- pile.c */

#define PGSINK_BULK_CHANGES 100 /* fewer are not worth a savepoint … */
#define PGSINK_BULK_SCANS 8     /* … but for these */
#define PGSINK_PAUSE_DOUBLINGS 10

/* What has failed is left out for a while: each time for twice as many, and one. */
static inline void pgc_pgsink_pause(unsigned *failures, unsigned *pause)
{
    *failures += *failures < PGSINK_PAUSE_DOUBLINGS;
    *pause = (1u << *failures) - 1;
}

/* As it came; its values are the pile's. */
pgconvoy_change pgc_pgsink_change_of(const pgc_pgsink_waiting *waiting);
/* Copies the change, whose values are so many bytes, into the pile. */
int pgc_pgsink_pile_keep(pgc_pgsink_pile *pile, pgc_pgsink_gathered *table, const pgconvoy_change *change, size_t bytes,
                         pgconvoy_error *err) PGC_MUST_CHECK;
/* The same of a change that another pile has kept, and goes on keeping: it is taken out of that one's order. */
int pgc_pgsink_pile_append(pgc_pgsink_pile *pile, pgc_pgsink_gathered *table, pgc_pgsink_waiting *waiting,
                           pgconvoy_error *err) PGC_MUST_CHECK;
/* Applies what is in the pile, and empties it. After a failure it is as it was. */
int pgc_pgsink_pile_apply(pgc_pgsink_writer *writer, pgc_pgsink_pile *pile, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_pgsink_pile_clear(pgc_pgsink_pile *pile);
/* Whether it is worth being applied in bulk. */
bool pgc_pgsink_pile_is_large(const pgc_pgsink_pile *pile);
/* What comes next is of another transaction. */
void pgc_pgsink_pile_mark(pgc_pgsink_pile *pile);
/* Memory in use, or about to be. */
size_t pgc_pgsink_pile_used(const pgc_pgsink_pile *pile);
/* Whether the last transaction has few enough changes for that: */
bool pgc_pgsink_pile_can_split(const pgc_pgsink_pile *pile);
/* Copies the changes of the last transaction to other, which is empty, and forgets them here. The pile can be split, or
 * does not compact while it is filled. */
int pgc_pgsink_pile_split(pgc_pgsink_pile *pile, pgc_pgsink_pile *other, pgconvoy_error *err) PGC_MUST_CHECK;
/* Applies all one by one, or the changes of one table. */
int pgc_pgsink_replay_pile(pgc_pgsink_writer *writer, const pgc_pgsink_pile *pile, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_pgsink_replay_part(pgc_pgsink_writer *writer, const pgc_pgsink_part *part, pgconvoy_error *err) PGC_MUST_CHECK;
/* Gives the compaction those changes of the table that it has not yet. */
int pgc_pgsink_part_compact(pgc_pgsink_pile *pile, pgc_pgsink_part *part, pgconvoy_error *err) PGC_MUST_CHECK;
/* The compaction has none of them any more. */
void pgc_pgsink_part_forget(const pgc_pgsink_pile *pile, pgc_pgsink_part *part);

/* ---- background.c: a thread that applies piles, one at a time */

typedef struct pgc_pgsink_background pgc_pgsink_background;
/* NULL when there can be none. */
pgc_pgsink_background *pgc_pgsink_background_new(pgc_pgsink_writer *writer);
/* Waits for the end of what it does. */
void pgc_pgsink_background_free(pgc_pgsink_background *background);
bool pgc_pgsink_background_is_busy(const pgc_pgsink_background *background);
/* Gives it a pile, which is its own until finish. It is not busy, and did not fail. lands: it is done when the server has
 * answered to all of it. lsn: where its changes end, which are committed then; 0: they are not. */
void pgc_pgsink_background_start(pgc_pgsink_background *background, pgc_pgsink_pile *pile, bool lands, pgconvoy_lsn lsn);
/* Waits until the last pile is applied; fails when that failed, once. */
int pgc_pgsink_background_finish(pgc_pgsink_background *background, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- team.c: several connections that apply the piles of a batch together (--apply-jobs) */

typedef struct pgc_pgsink_team pgc_pgsink_team;
/* The writer and others of its kind, connected. NULL and err when there can be none. */
pgc_pgsink_team *pgc_pgsink_team_new(pgc_pgsink_writer *writer, pgconvoy_error *err) PGC_MUST_CHECK;
/* Waits for the end of what they do. */
void pgc_pgsink_team_free(pgc_pgsink_team *team);
/* Splits the pile, which stays as it is and keeps the values until finish, and has each apply its own. None is busy. */
int pgc_pgsink_team_start(pgc_pgsink_team *team, pgc_pgsink_pile *pile, pgconvoy_error *err) PGC_MUST_CHECK;
bool pgc_pgsink_team_is_busy(const pgc_pgsink_team *team);
int pgc_pgsink_team_finish(pgc_pgsink_team *team, pgconvoy_error *err) PGC_MUST_CHECK;
/* Stores with each transaction but the writer's own what it has (parts.h), and gives the writer the conflicts to be
 * counted. */
int pgc_pgsink_team_store(pgc_pgsink_team *team, pgconvoy_lsn lsn, pgconvoy_error *err) PGC_MUST_CHECK;
/* Commits these transactions. The writer's own is to follow. */
int pgc_pgsink_team_commit(pgc_pgsink_team *team, pgconvoy_error *err) PGC_MUST_CHECK;
/* Gives up whatever is open; cannot fail. */
void pgc_pgsink_team_abort(pgc_pgsink_team *team);
/* Definitions have changed: what is known of tables is asked for again. No transaction is open. */
void pgc_pgsink_team_forget(pgc_pgsink_team *team);

/* ---- bulk.c */

/* Applies what the changes of one table come to. Failures may come to light only when the statements have landed. */
int pgc_pgsink_bulk_table(pgc_pgsink_writer *writer, pgc_pgsink_part *part, pgc_pgsink_pile *pile,
                          pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- array.c: the values of each column in many rows as one parameter each */

typedef enum pgc_pgsink_array_form {
    PGSINK_ARRAY_BINARY, /* an array of the column's type, binary */
    PGSINK_ARRAY_TEXT,   /* an array of the column's type, as text */
    PGSINK_ARRAY_CAST    /* an array of text, binary; each element is to be cast */
} pgc_pgsink_array_form;

typedef struct pgc_pgsink_array {
    int column;
    int key; /* its values are in the rows' keys: index into these; -1: in the rows */
    pgc_pgsink_array_form form;
    uint32_t type;
    bool refuses[2]; /* values of a format, which are to be converted */
    bool null_is_text; /* to read an array in binary the server wants the function of its elements for that, though all be NULL, and the type may have none */
    /* of the rows that were measured last */
    bool refused; /* one of them is to be converted, or more */
    size_t bytes; /* of their values as they are */
    /* of those that were appended last */
    size_t offset, length;
    char *to;
} pgc_pgsink_array;

static inline const pgconvoy_value *pgc_pgsink_array_value(const pgc_pgsink_array *array, const pgc_compact_item *item)
{
    return array->key >= 0 ? &item->key[array->key] : &item->row[array->column];
}

void pgc_pgsink_array_init(pgc_pgsink_array *array, const pgc_pgsink_target *target, int column, int key);
/* How many of the items have about most_bytes (at least one of them), and the forms that their values can all take. */
size_t pgc_pgsink_arrays_measure(pgc_pgsink_array *arrays, int array_count, const pgc_compact_item *items, size_t count,
                                 size_t most_bytes);
/* Appends the arrays of as many items as were measured last; a text form ends with a NUL. */
int pgc_pgsink_arrays_append(const pgc_pgsink_target *target, pgc_pgsink_array *arrays, int array_count,
                             const pgc_compact_item *items, size_t count, pgc_buffer *out,
                             pgconvoy_error *err) PGC_MUST_CHECK;
/* True when the value's bytes are what the type's binary input takes. */
bool pgc_pgsink_value_passes(const pgc_pgsink_target *target, int column, const pgconvoy_value *value);

/* ---- key_order.c: rows in the order of their keys, where these are whole numbers */

/* Whether the table's rows can be ordered so. */
bool pgc_pgsink_key_is_number(const pgc_pgsink_target *target);
/*
 * Orders items by the array of their key, and gives their keys; both in arena. NULL for *numbers when a key is not to
 * be read: then the items are as they were.
 */
int pgc_pgsink_key_order(const pgc_compact_item **items, size_t count, const pgc_pgsink_array *key, pgc_arena *arena,
                         const int64_t **numbers, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
