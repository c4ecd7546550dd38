/*
 * Who applies what is gathered: one connection, or with --apply-jobs several together (team.c), once there is a pile
 * that is worth it. What cannot be split may come after that: then what came before its transaction is committed, and
 * one connection takes the rest. Where some of that very transaction is with the others already, all is given up, and a
 * note on the target (parts.h) has the next attempt take it by one connection. The same is done where one of several
 * fails: with one it may go well.
 */
#include "sink/postgres/gather_internal.h"
#include "sink/postgres/parts.h"
#include "sink/postgres/split.h"

#define TOGETHER_CHANGES ((size_t)2000) /* worth several transactions */

/* The open transaction is to be tried again, by one connection. */
static int try_alone(pgc_pgsink_writer *writer, pgconvoy_error *err)
{
    pgconvoy_error error = {0};
    if (err->code == PGCONVOY_ERROR_CONNECTION)
        return -1;
    /* where a commit record starts is before where it ends: the position of its transaction is this or more */
    if (pgc_pgsink_parts_alone(writer->sink, writer->gather->commit_lsn + 1, &error) == 0)
        pgconvoy_error_retriable(err, true);
    else
        pgc_log_debug(writer->sink->config->log, "%s", error.message);
    return -1;
}

int pgc_pgsink_hands_finish(pgc_pgsink_writer *writer, pgconvoy_error *err)
{
    pgc_pgsink_gather *gather = writer->gather;
    if (gather->hands == TOGETHER)
        return pgc_pgsink_team_finish(gather->team, err) != 0 ? try_alone(writer, err) : 0;
    return gather->background ? pgc_pgsink_background_finish(gather->background, err) : 0;
}

/* Gives the pile to the team. */
int pgc_pgsink_hands_deal(pgc_pgsink_writer *writer, pgconvoy_error *err)
{
    pgc_pgsink_gather *gather = writer->gather;
    if (gather->pile->count == 0)
        return 0;
    gather->handed = gather->handed || gather->pile->last != gather->pile->whole;
    return pgc_pgsink_team_start(gather->team, gather->pile, err) != 0 ? try_alone(writer, err) : 0;
}

/* All that waits, by whoever applies this transaction. */
static int apply_all(pgc_pgsink_writer *writer, pgconvoy_error *err)
{
    pgc_pgsink_gather *gather = writer->gather;
    if (pgc_pgsink_hands_finish(writer, err) != 0)
        return -1;
    if (gather->hands == TOGETHER &&
        (pgc_pgsink_hands_deal(writer, err) != 0 || pgc_pgsink_hands_finish(writer, err) != 0))
        return -1;
    if (gather->hands != TOGETHER && pgc_pgsink_pile_apply(writer, gather->pile, err) != 0)
        return -1;
    pgc_pgsink_pile_clear(gather->pile);
    return 0;
}

void pgc_pgsink_gather_halt(pgc_pgsink_writer *writer)
{
    pgconvoy_error ignored = {0};
    pgc_pgsink_gather *gather = writer->gather;
    if (gather->background && pgc_pgsink_background_finish(gather->background, &ignored) != 0)
        pgc_log_debug(writer->sink->config->log, "what was being applied is given up: %s", ignored.message);
    if (gather->team)
        pgc_pgsink_team_abort(gather->team);
    pgc_pgsink_gather_over(writer);
}

/* ---- one connection, or several */

/* The first use of the team. Where it cannot be had the stream goes on without. */
static bool have_team(pgc_pgsink_writer *writer, pgconvoy_error *err)
{
    pgc_pgsink_gather *gather = writer->gather;
    pgc_pgsink *sink = writer->sink;
    pgconvoy_error why = {0};
    bool usable = false;
    if (gather->team_tried)
        return gather->team != NULL;
    gather->team_tried = true;
    PGconn *conn = pgc_pgsink_borrow(sink, &why);
    int status = conn ? pgc_pgsink_parts_setup(sink, conn, &usable, &why) : -1;
    pgc_pgsink_give_back(sink, conn);
    if (status == 0 && usable)
        gather->team = pgc_pgsink_team_new(writer, &why);
    if (gather->team)
        pgc_log_info(sink->config->log, "large batches of changes are applied by %d connections",
                     sink->config->apply_jobs);
    else
        pgc_log_warning(sink->config->log, "changes are applied by one connection instead of %d: %s",
                        sink->config->apply_jobs,
                        why.message[0] ? why.message : "the pipeline's position is not on the target yet");
    pgc_error_clear(err);
    return gather->team != NULL;
}

/* Several are for a pile that is worth it, where nothing has to be decided about rows that others write too. */
void pgc_pgsink_hands_choose(pgc_pgsink_writer *writer, size_t least, pgconvoy_error *err)
{
    pgc_pgsink_gather *gather = writer->gather;
    const pgc_pgsink *sink = writer->sink;
    if (gather->hands != NOT_CHOSEN || gather->pile->count < least)
        return;
    bool together = sink->config->apply_jobs > 1 && gather->commit_lsn != 0 && !pgc_pgsink_decides(sink) &&
                    pgc_pgsink_parts_count(sink->parts) == 0 && atomic_load(&sink->state_exists);
    gather->hands = together && have_team(writer, err) ? TOGETHER : ALONE;
}

int pgc_pgsink_gather_end(pgc_pgsink_writer *writer, pgconvoy_error *err)
{
    writer->gather->pieces = 0;
    pgc_pgsink_hands_choose(writer, TOGETHER_CHANGES, err);
    return apply_all(writer, err);
}

int pgc_pgsink_gather_store(pgc_pgsink_writer *writer, pgconvoy_lsn lsn, bool *parted, pgconvoy_error *err)
{
    pgc_pgsink_gather *gather = writer->gather;
    *parted = gather->hands == TOGETHER;
    return *parted && pgc_pgsink_team_store(gather->team, lsn, err) != 0 ? try_alone(writer, err) : 0;
}

int pgc_pgsink_gather_commit(pgc_pgsink_writer *writer, pgconvoy_error *err)
{
    pgc_pgsink_gather *gather = writer->gather;
    if (gather->hands != TOGETHER || pgc_pgsink_team_commit(gather->team, err) == 0)
        return 0;
    /* some have committed, maybe: what they have is noted on the target, and the rest comes again */
    return try_alone(writer, err);
}

void pgc_pgsink_gather_over(pgc_pgsink_writer *writer)
{
    pgc_pgsink_gather *gather = writer->gather;
    gather->hands = NOT_CHOSEN;
    gather->handed = gather->touched = false;
    gather->commit_lsn = 0;
}

/* One connection takes all until the transaction ends: what comes next cannot be split. */
int pgc_pgsink_hands_alone(pgc_pgsink_writer *writer, pgconvoy_error *err)
{
    pgc_pgsink_gather *gather = writer->gather;
    if (gather->hands != TOGETHER) {
        gather->hands = ALONE;
        return 0;
    }
    if (pgc_pgsink_hands_finish(writer, err) != 0)
        return -1;
    if (gather->handed) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE,
                           "a transaction has changes that cannot be split among connections: one of them takes it");
        return try_alone(writer, err);
    }
    pgconvoy_lsn lsn = gather->commit_lsn;
    /* the changes of the last transaction, and what comes, are for later */
    pgc_pgsink_pile *later = pgc_pgsink_other_pile(gather);
    pgc_pgsink_pile_clear(later);
    if (pgc_pgsink_pile_split(gather->pile, later, err) != 0)
        return -1;
    gather->commit_lsn = lsn - 1; /* that of what comes before is less */
    if (apply_all(writer, err) != 0 || pgc_pgsink_stream_step(writer, lsn, err) != 0)
        return -1;
    gather->pile = later;
    gather->hands = ALONE;
    gather->commit_lsn = lsn;
    return 0;
}

int pgc_pgsink_gather_flush(pgc_pgsink_writer *writer, pgconvoy_error *err)
{
    if (pgc_pgsink_hands_alone(writer, err) != 0 || pgc_pgsink_gather_touch(writer, err) != 0)
        return -1;
    return apply_all(writer, err);
}

/* For several connections: whether rows with different keys can be written by different ones. */
int pgc_pgsink_hands_look(pgc_pgsink_writer *writer, const pgc_pgsink_target *target, bool *sliceable,
                          pgconvoy_error *err)
{
    pgc_pgsink_gather *gather = writer->gather;
    *sliceable = false;
    if (writer->sink->config->apply_jobs <= 1)
        return 0;
    /* which others would wait for */
    bool altered = writer->altered;
    writer->altered = false;
    if (altered && pgc_pgsink_hands_alone(writer, err) != 0)
        return -1;
    /* two of the source's that come into one: they go together, and their keys may be others */
    for (size_t i = 0; i < TABLE_SLOTS; i++)
        for (pgc_pgsink_gathered *other = gather->tables[i]; other; other = other->next)
            if (other->relation == target->relation.oid) {
                other->sliceable = false;
                return pgc_pgsink_hands_alone(writer, err);
            }
    if (target->way != PGSINK_IN_BULK || target->relation.kind != 'r' || !target->upsert ||
        !pgc_pgsink_key_can_slice(target->table))
        return 0;
    if (pgc_pgsink_land(writer, err) != 0)
        return -1;
    return pgc_pgsink_only_key_is_unique(writer->conn, target->relation.oid, target->table, sliceable, err);
}

/* One connection applies by itself what has to be found row by row; with several it would have to be done by the one
 * that has the table. */
bool pgc_pgsink_hands_can_wait(const pgc_pgsink_writer *writer, const pgc_pgsink_gathered *table,
                               const pgconvoy_change *change)
{
    if (table->way == PGSINK_IN_BULK && (table->compacts[0] || change->operation == PGCONVOY_INSERT))
        return true;
    return table->way != PGSINK_IN_ORDER && writer->sink->config->apply_jobs > 1 && writer->gather->hands != ALONE;
}

/* Then two connections would write the row. The table is not sliced from the next batch on. */
bool pgc_pgsink_hands_leaves_slice(pgc_pgsink_writer *writer, pgc_pgsink_gathered *table, const pgconvoy_change *change)
{
    if (!table->sliceable || !pgc_pgsink_changes_slice(change, (unsigned)writer->sink->config->apply_jobs))
        return false;
    table->sliceable = false;
    return table->share == PGSINK_SLICED;
}
