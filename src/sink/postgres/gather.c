/*
 * Changes that wait, in two piles (bulk.h): one is filled while a thread may apply the other. They are applied when the
 * commit comes, so that an idle stream gains no latency; or earlier when there are many of them and the thread is idle,
 * so that the target works while more is read; or when they outgrow their share of memory. So what is applied at a time
 * grows with the backlog, and a large transaction is written in pieces.
 *
 * Few changes that wait alone go together with the commit, strictly: see pgc_pgsink_gather_send.
 *
 * What may not wait is applied at once: tables whose triggers fire here are written in commit order with all that came
 * before, and so is a TRUNCATE. An update or delete whose row can be found one by one only waits for the inserts of its table only.
 *
 * With --apply-jobs several connections may apply them together: see hands.c.
 */
#include "sink/postgres/gather_internal.h"
#include "sink/postgres/parts.h"
#include "sink/postgres/split.h"

#include <stdlib.h>

#define ARENA_BLOCK ((size_t)1 << 20)
#define WAITING_BYTES_MAX ((size_t)48 << 20) /* of one pile */
#define LONG_CHANGE_BYTES ((size_t)4 << 20)  /* is not copied about */
/* So much is worth a piece of its own while the target is idle: more of many tables, each of which costs a statement or three; more
 * after some pieces, as each is a subtransaction. */
#define PIECE_CHANGES ((size_t)8192)
#define PIECE_TABLE_CHANGES ((size_t)128)
#define PIECES_BEFORE_DOUBLING 16
#define PIECE_DOUBLINGS 6
#define GROWTH_MAX 3
#define GROWING_LATE_KEYS 93 /* of 100 early ones */
#define LAST_PIECES 3        /* are smaller, so that the target has done little later than the source */

pgc_pgsink_gather *pgc_pgsink_gather_new(size_t memory_bytes, bool shared)
{
    pgc_pgsink_gather *gather = calloc(1, sizeof *gather);
    if (!gather)
        return NULL;
    /* there are two piles; what they come to by key goes in small chunks */
    gather->limit_bytes = memory_bytes / 8 * 3 < WAITING_BYTES_MAX ? memory_bytes / 8 * 3 : WAITING_BYTES_MAX;
    gather->pile = gather->piles;
    for (int i = 0; i < PGSINK_PILES; i++) {
        gather->piles[i].number = i;
        gather->piles[i].compacts = !shared;
        gather->piles[i].arena = pgc_arena_new(ARENA_BLOCK);
        if (!gather->piles[i].arena) {
            pgc_pgsink_gather_free(gather);
            return NULL;
        }
        pgc_arena_keep(gather->piles[i].arena, gather->limit_bytes);
    }
    return gather;
}

static void free_table(pgc_pgsink_gathered *table)
{
    for (unsigned i = 0; i < table->member_count; i++)
        if (table->members[i])
            free_table(table->members[i]);
    free(table->members);
    for (int i = 0; i < PGSINK_PILES; i++)
        pgc_compact_free(table->compacts[i]);
    free(table);
}

void pgc_pgsink_gather_clear(pgc_pgsink_gather *gather)
{
    for (int i = 0; i < PGSINK_PILES; i++)
        if (gather->piles[i].arena)
            pgc_pgsink_pile_clear(&gather->piles[i]);
    for (size_t i = 0; i < TABLE_SLOTS; i++)
        for (pgc_pgsink_gathered *table; (table = gather->tables[i]) != NULL;) {
            gather->tables[i] = table->next;
            free_table(table);
        }
    gather->recent = NULL;
    gather->pieces = 0;
    if (gather->team)
        pgc_pgsink_team_forget(gather->team);
}

void pgc_pgsink_gather_free(pgc_pgsink_gather *gather)
{
    if (!gather)
        return;
    pgc_pgsink_background_free(gather->background);
    pgc_pgsink_team_free(gather->team);
    gather->team = NULL;
    pgc_pgsink_gather_clear(gather);
    for (int i = 0; i < PGSINK_PILES; i++)
        if (gather->piles[i].arena)
            pgc_arena_free(gather->piles[i].arena);
    free(gather);
}

/* ---- applying */

int pgc_pgsink_gather_touch(pgc_pgsink_writer *writer, pgconvoy_error *err)
{
    if (writer->gather->touched)
        return 0;
    writer->gather->touched = true;
    return pgc_pgsink_stream_lock(writer, err);
}

/* Where the second half of a pile met fewer new rows than the first, twice as many changes come to less than twice the work. */
static void follow_growth(pgc_pgsink_gather *gather, const pgc_pgsink_pile *applied)
{
    if (applied->late_keys * 100 < applied->early_keys * GROWING_LATE_KEYS)
        gather->growth += gather->growth < GROWTH_MAX;
    else
        gather->growth -= gather->growth > 0;
}

/* Whether the pile's whole transactions can be committed as soon as they are applied, while those that follow are gathered; few
 * changes of the last one, of which more may come, are to be taken to the next pile for it, and none of it may have been applied. */
static bool can_commit(const pgc_pgsink_writer *writer)
{
    const pgc_pgsink *sink = writer->sink;
    const pgc_pgsink_gather *gather = writer->gather;
    return gather->pile->whole && pgc_pgsink_pile_can_split(gather->pile) && gather->commit_lsn != 0 &&
           gather->begun_lsn != gather->commit_lsn && !writer->preparing && !sink->config->tell && sink->config->apply_jobs <= 1 && atomic_load(&sink->state_exists) &&
           pgc_pgsink_parts_count(sink->parts) == 0;
}

static bool nears_the_end(const pgc_pgsink_gather *gather)
{
    return gather->source_lsn > gather->commit_lsn &&
           gather->source_lsn - gather->commit_lsn < LAST_PIECES * gather->piece_bytes;
}

/* The last pieces, which are small, say nothing of what one can be. */
static void note_piece(pgc_pgsink_gather *gather)
{
    if (!nears_the_end(gather))
        gather->piece_bytes =
            gather->piece_lsn && gather->commit_lsn > gather->piece_lsn ? gather->commit_lsn - gather->piece_lsn : 0;
    gather->piece_lsn = gather->commit_lsn;
}

/* The pile goes to the thread, and the other one is filled. */
static int hand_over(pgc_pgsink_writer *writer, pgconvoy_error *err)
{
    pgc_pgsink_gather *gather = writer->gather;
    if (pgc_pgsink_gather_touch(writer, err) != 0)
        return -1;
    note_piece(gather);
    pgc_pgsink_hands_choose(writer, 0, err);
    if (gather->hands == TOGETHER) {
        if (pgc_pgsink_hands_finish(writer, err) != 0 || pgc_pgsink_hands_deal(writer, err) != 0)
            return -1;
        gather->pieces++;
        gather->pile = pgc_pgsink_other_pile(gather);
        pgc_pgsink_pile_clear(gather->pile); /* which the team has finished */
        return 0;
    }
    if (!gather->background_tried)
        gather->background = pgc_pgsink_background_new(writer);
    gather->background_tried = true;
    if (!gather->background)
        return pgc_pgsink_gather_flush(writer, err);
    if (pgc_pgsink_hands_finish(writer, err) != 0)
        return -1;
    pgc_pgsink_pile *other = pgc_pgsink_other_pile(gather);
    follow_growth(gather, other);
    pgconvoy_lsn lsn = can_commit(writer) ? gather->commit_lsn : 0;
    if (lsn != 0 && pgc_pgsink_pile_split(gather->pile, other, err) != 0)
        return -1;
    gather->pieces = lsn != 0 ? 0 : gather->pieces + 1;
    pgc_pgsink_background_start(gather->background, gather->pile, false, lsn);
    gather->pile = other;
    return 0;
}

static int hand_over_when_due(pgc_pgsink_writer *writer, pgconvoy_error *err)
{
    const pgc_pgsink_gather *gather = writer->gather;
    if (pgc_pgsink_pile_used(gather->pile) > gather->limit_bytes)
        return hand_over(writer, err);
    unsigned doublings = gather->pieces / PIECES_BEFORE_DOUBLING;
    if (doublings < gather->growth && !nears_the_end(gather))
        doublings = gather->growth;
    if (gather->pile->scans > 0) /* each piece reads a table */
        doublings = PIECE_DOUBLINGS;
    size_t piece = PIECE_TABLE_CHANGES * gather->pile->part_count;
    piece = (piece > PIECE_CHANGES ? piece : PIECE_CHANGES) << (doublings < PIECE_DOUBLINGS ? doublings : PIECE_DOUBLINGS);
    bool busy = gather->hands == TOGETHER ? pgc_pgsink_team_is_busy(gather->team)
                                          : gather->background && pgc_pgsink_background_is_busy(gather->background);
    return gather->pile->count >= piece && !busy ? hand_over(writer, err) : 0;
}

/* ---- with the commit */

bool pgc_pgsink_gather_is_small(pgc_pgsink_gather *gather)
{
    if (gather->touched || pgc_pgsink_pile_is_large(gather->pile))
        return false;
    if (gather->pause == 0)
        return true;
    gather->pause--;
    return false;
}

bool pgc_pgsink_gather_is_empty(const pgc_pgsink_gather *gather)
{
    return gather->pile->count == 0;
}

int pgc_pgsink_gather_send(pgc_pgsink_writer *writer, pgconvoy_error *err)
{
    writer->strict = true;
    int status = pgc_pgsink_replay_pile(writer, writer->gather->pile, err);
    writer->strict = false;
    return status;
}

void pgc_pgsink_gather_sent(pgc_pgsink_gather *gather, bool well)
{
    if (!well) {
        pgc_pgsink_pause(&gather->failures, &gather->pause);
        return;
    }
    gather->failures = 0;
    pgc_pgsink_pile_clear(gather->pile);
}

/* ---- tables */

static pgc_pgsink_gathered **slot_of(pgc_pgsink_gather *gather, uint32_t oid)
{
    pgc_pgsink_gathered **slot = &gather->tables[oid % TABLE_SLOTS];
    while (*slot && (*slot)->table->oid != oid)
        slot = &(*slot)->next;
    return slot;
}

void pgc_pgsink_gather_forget(pgc_pgsink_gather *gather, uint32_t oid)
{
    pgc_pgsink_gathered **slot = slot_of(gather, oid), *table = *slot;
    if (!table)
        return;
    *slot = table->next;
    gather->recent = NULL;
    free_table(table);
}

/* Of many tables those that are new are met one soon after the other: they are looked at together. */
static int look_ahead(pgc_pgsink_writer *writer, pgconvoy_error *err)
{
    pgc_pgsink_gather *gather = writer->gather;
    const pgconvoy_table *tables[PGSINK_LOOK_TABLES];
    size_t count = 0;
    for (size_t i = 0; i < gather->ahead_count && count < PGSINK_LOOK_TABLES; i++) {
        const pgconvoy_table *table = gather->ahead[i].table;
        size_t known = 0;
        if (!table || (i > 0 && table == gather->ahead[i - 1].table) || pgc_pgsink_target_is_known(writer, table))
            continue;
        while (known < count && tables[known]->oid != table->oid)
            known++;
        tables[known] = table;
        count += known == count;
    }
    return count > 1 ? pgc_pgsink_targets_look(writer, tables, count, err) : 0;
}

static pgc_pgsink_gathered *add_table(pgc_pgsink_writer *writer, const pgconvoy_table *table, pgconvoy_error *err)
{
    bool sliceable = false;
    if (pgc_pgsink_hands_finish(writer, err) != 0 || look_ahead(writer, err) != 0)
        return NULL;
    pgc_pgsink_target *target = pgc_pgsink_target_get(writer, table, err);
    if (!target || pgc_pgsink_hands_look(writer, target, &sliceable, err) != 0)
        return NULL;
    pgc_pgsink_gathered *made = calloc(1, sizeof *made);
    if (made) {
        made->table = table;
        made->way = target->way;
        made->relation = target->relation.oid;
        made->sliceable = sliceable;
        made->share = PGSINK_NO_PART;
        made->scans = table->key_count == 0 && table->replica_identity == 'f' && target->indexed_count == 0;
        if (made->scans)
            made->cost = target->in_copies ? "to update or delete rows the whole table is read, once for all that are applied together"
                                           : "each update and delete reads the whole table";
        for (int i = 0; i < PGSINK_PILES && (table->key_count > 0 || target->in_copies); i++)
            if (!(made->compacts[i] = pgc_compact_new(table))) {
                free_table(made);
                made = NULL;
                break;
            }
    }
    if (!made) {
        pgc_error_out_of_memory(err);
        return NULL;
    }
    *slot_of(writer->gather, table->oid) = made;
    return made;
}

static pgc_pgsink_gathered *table_of(pgc_pgsink_writer *writer, const pgconvoy_table *table, pgconvoy_error *err)
{
    pgc_pgsink_gather *gather = writer->gather;
    if (gather->recent && gather->recent->table == table)
        return gather->recent;
    pgc_pgsink_gathered *found = *slot_of(gather, table->oid);
    if (found && found->table != table) { /* read anew from the source's catalog */
        if (pgc_pgsink_gather_flush(writer, err) != 0)
            return NULL;
        pgc_pgsink_gather_forget(gather, table->oid);
        found = NULL;
    }
    return gather->recent = found ? found : add_table(writer, table, err);
}

/* ---- the sink's operations */

/* Once in the sink's life: tables are forgotten and met again. */
static void warn_of_cost(pgc_pgsink_writer *writer, pgc_pgsink_gathered *table)
{
    pgc_pgsink *sink = writer->sink;
    pgconvoy_error ignored = {0}; /* then it is said again */
    if (table->cost && pgc_pgsink_mark_once(sink, &sink->told_costs, (const void *)(uintptr_t)table->table->oid, &ignored) <= 0)
        pgc_log_warning(sink->config->log, "%s.%s has no key, and no index on the target that tells its rows apart: %s; give it a primary key", table->table->schema,
                        table->table->name, table->cost);
    table->cost = NULL;
}

static void note_transaction(pgc_pgsink_gather *gather, const pgconvoy_change *change)
{
    if (!change->transaction || change->transaction->commit_lsn == gather->commit_lsn)
        return;
    gather->commit_lsn = change->transaction->commit_lsn;
    pgc_pgsink_pile_mark(gather->pile);
    gather->handed = false;
}

static int take(pgc_pgsink_writer *writer, const pgconvoy_change *change, pgconvoy_error *err)
{
    pgc_pgsink_gather *gather = writer->gather;
    bool have;
    if (pgc_pgsink_parts_have(writer->sink->parts, change, &have, err) != 0)
        return -1;
    if (have)
        return 0;
    note_transaction(gather, change);
    if (change->operation == PGCONVOY_TRUNCATE)
        return pgc_pgsink_gather_flush(writer, err) != 0 ? -1 : pgc_pgsink_apply_change(writer, change, err);
    if (change->operation != PGCONVOY_INSERT && change->operation != PGCONVOY_UPDATE &&
        change->operation != PGCONVOY_DELETE)
        return 0;
    pgc_pgsink_gathered *table = table_of(writer, change->table, err);
    if (!table)
        return -1;
    size_t bytes = pgc_change_bytes(change);
    bool waits = pgc_pgsink_hands_can_wait(writer, table, change) && bytes <= LONG_CHANGE_BYTES;
    if (change->operation != PGCONVOY_INSERT)
        warn_of_cost(writer, table);
    if ((!waits || pgc_pgsink_hands_leaves_slice(writer, table, change)) && pgc_pgsink_hands_alone(writer, err) != 0)
        return -1;
    if (!waits) {
        if (pgc_pgsink_gather_touch(writer, err) != 0)
            return -1;
        bool alone = table->way != PGSINK_IN_ORDER && !table->parts[gather->pile->number];
        if ((alone ? pgc_pgsink_hands_finish(writer, err) : pgc_pgsink_gather_flush(writer, err)) != 0)
            return -1;
        gather->begun_lsn = gather->commit_lsn;
        return pgc_pgsink_apply_change(writer, change, err);
    }
    /* a TRUNCATE that is held back comes before */
    if (pgc_pgsink_apply_flush(writer, err) != 0 || pgc_pgsink_pile_keep(gather->pile, table, change, bytes, err) != 0)
        return -1;
    return hand_over_when_due(writer, err);
}

int pgc_pgsink_write_changes(void *state, const pgconvoy_changes *changes, pgconvoy_error *err)
{
    pgc_pgsink_writer *writer = state;
    int status = 0;
    writer->gather->source_lsn = changes->source_lsn;
    for (size_t i = 0; i < changes->count && status == 0; i++) {
        writer->gather->ahead = &changes->items[i];
        writer->gather->ahead_count = changes->count - i;
        status = take(writer, &changes->items[i], err);
    }
    writer->gather->ahead_count = 0;
    return status;
}

int pgc_pgsink_change_schema(void *state, const pgconvoy_table *old_table, const pgconvoy_table *new_table,
                             pgconvoy_error *err)
{
    pgc_pgsink_writer *writer = state;
    if (pgc_pgsink_gather_flush(writer, err) != 0)
        return -1;
    pgc_pgsink_gather_forget(writer->gather, old_table->oid);
    if (writer->gather->team)
        pgc_pgsink_team_forget(writer->gather->team);
    return pgc_pgsink_apply_schema(writer, old_table, new_table, err);
}
