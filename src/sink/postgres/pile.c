/*
 * A pile of changes: in commit order, and by table. Few are applied as they came; more of them in bulk, table by table,
 * behind a savepoint (bulk.h).
 */
#include "sink/postgres/bulk.h"

#define KEY_BYTES 160               /* of a compaction for each key, about */
#define BULK_TRIES 4
#define SPLIT_CHANGES ((size_t)8192) /* more of a last transaction are not split off */

/* ---- keeping a change */

/* Lays out the values at *to, their bytes at *bytes; both move on. */
static const pgconvoy_value *lay_out(const pgconvoy_value *values, int count, pgconvoy_value **to, char **bytes)
{
    pgconvoy_value *copy = *to;
    if (!values)
        return NULL;
    for (int i = 0; i < count; i++) {
        copy[i] = values[i];
        if (values[i].length <= 0)
            continue;
        memcpy(*bytes, values[i].data, (size_t)values[i].length);
        copy[i].data = *bytes;
        *bytes += values[i].length;
    }
    *to += count;
    return copy;
}

pgconvoy_change pgc_pgsink_change_of(const pgc_pgsink_waiting *waiting)
{
    return (pgconvoy_change){.operation = waiting->operation,
                             .old_kind = waiting->old_kind,
                             .table = waiting->table,
                             .old = waiting->old,
                             .new_ = waiting->new_};
}

static pgc_pgsink_part *part_of(pgc_pgsink_pile *pile, pgc_pgsink_gathered *table)
{
    if (table->parts[pile->number])
        return table->parts[pile->number];
    pgc_pgsink_part *part = pgc_arena_zalloc(pile->arena, sizeof *part);
    if (!part)
        return NULL;
    part->gathered = table;
    part->inserts_only = true;
    part->transaction = pile->transaction - 1;
    part->next = pile->parts;
    pile->part_count++;
    return pile->parts = table->parts[pile->number] = part;
}

int pgc_pgsink_pile_keep(pgc_pgsink_pile *pile, pgc_pgsink_gathered *table, const pgconvoy_change *change, size_t bytes,
                         pgconvoy_error *err)
{
    int count = table->table->column_count;
    size_t rows = (size_t)(change->old != NULL) + (size_t)(change->new_ != NULL);
    pgc_pgsink_waiting *waiting =
        pgc_arena_alloc(pile->arena, sizeof *waiting + rows * (size_t)count * sizeof(pgconvoy_value) + bytes);
    if (!waiting)
        return pgc_error_out_of_memory(err);
    *waiting = (pgc_pgsink_waiting){.table = table->table,
                                    .gathered = table,
                                    .operation = change->operation,
                                    .old_kind = change->old_kind};
    pgconvoy_value *values = (pgconvoy_value *)(waiting + 1);
    char *data = (char *)(values + rows * (size_t)count);
    waiting->old = lay_out(change->old, count, &values, &data);
    waiting->new_ = lay_out(change->new_, count, &values, &data);
    return pgc_pgsink_pile_append(pile, table, waiting, err);
}

/* ---- what the changes of a table come to: gathered while they are in the caches, and the one who applies has work already */

static void count_keys(pgc_pgsink_pile *pile, pgc_pgsink_part *part, size_t before, size_t keys)
{
    pile->keys += keys - before;
    part->added++;
    if (part->added < 2 * part->full_added)
        return;
    part->half_added = part->full_added;
    part->half_keys = part->full_keys;
    part->full_added = part->added;
    part->full_keys = keys;
}

/* As far as last. */
static int compact_part(pgc_pgsink_pile *pile, pgc_pgsink_part *part, const pgc_pgsink_waiting *last, pgconvoy_error *err)
{
    pgc_compact *compact = part->gathered->compacts[pile->number];
    pgc_pgsink_waiting *waiting = part->compacted ? part->compacted->next_of_table : part->first;
    for (; waiting && part->compacted != last; waiting = waiting->next_of_table) {
        size_t before = pgc_compact_keys(compact);
        pgconvoy_change change = pgc_pgsink_change_of(waiting);
        if (!part->compacted)
            pgc_compact_rows_stay(compact, true); /* in the pile */
        if (pgc_compact_add(compact, &change, err) != 0)
            return -1;
        count_keys(pile, part, before, pgc_compact_keys(compact));
        part->compacted = waiting;
    }
    return 0;
}

bool pgc_pgsink_pile_can_split(const pgc_pgsink_pile *pile)
{
    return pile->count - pile->whole_count <= SPLIT_CHANGES;
}

/* All changes that stay in the pile for sure. New rows alone come to nothing else, and need no compaction. */
static void compact(pgc_pgsink_pile *pile)
{
    const pgc_pgsink_waiting *last = pgc_pgsink_pile_can_split(pile) ? pile->whole : pile->last;
    while (pile->compacted != last) {
        pgc_pgsink_waiting *waiting = pile->compacted ? pile->compacted->next : pile->first;
        pgc_pgsink_part *part = waiting->gathered->parts[pile->number];
        pgconvoy_error later = {0}; /* comes again with the one who applies */
        if (!part->inserts_only && !part->failed && part->gathered->compacts[pile->number])
            part->failed = compact_part(pile, part, waiting, &later) != 0;
        pile->compacted = waiting;
    }
}

void pgc_pgsink_part_forget(const pgc_pgsink_pile *pile, pgc_pgsink_part *part)
{
    if (part->compacted || part->failed)
        pgc_compact_reset(part->gathered->compacts[pile->number]);
    part->compacted = NULL;
    part->failed = false;
    part->added = part->full_added = part->half_added = part->full_keys = part->half_keys = 0;
}

int pgc_pgsink_part_compact(pgc_pgsink_pile *pile, pgc_pgsink_part *part, pgconvoy_error *err)
{
    if (part->failed) /* which may have left something behind */
        pgc_pgsink_part_forget(pile, part);
    if (compact_part(pile, part, part->last, err) != 0)
        return -1;
    if (part->half_added == 0)
        return 0;
    size_t late = pgc_compact_keys(part->gathered->compacts[pile->number]) - part->half_keys;
    pile->early_keys += part->half_keys;
    pile->late_keys += late * part->half_added / (part->added - part->half_added); /* of as many changes */
    return 0;
}

bool pgc_pgsink_pile_is_large(const pgc_pgsink_pile *pile)
{
    return pile->count >= PGSINK_BULK_CHANGES || pile->scans >= PGSINK_BULK_SCANS;
}

size_t pgc_pgsink_pile_used(const pgc_pgsink_pile *pile)
{
    return pgc_arena_used(pile->arena) + pile->keys * KEY_BYTES;
}

int pgc_pgsink_pile_append(pgc_pgsink_pile *pile, pgc_pgsink_gathered *table, pgc_pgsink_waiting *waiting,
                           pgconvoy_error *err)
{
    pgc_pgsink_part *part = part_of(pile, table);
    if (!part)
        return pgc_error_out_of_memory(err);
    if (part->transaction != pile->transaction) {
        part->transaction = pile->transaction;
        part->whole_last = part->last;
        part->whole_count = part->count;
        part->whole_inserts_only = part->inserts_only;
    }
    waiting->next = waiting->next_of_table = NULL;
    if (pile->last)
        pile->last->next = waiting;
    else
        pile->first = waiting;
    pile->last = waiting;
    if (part->last)
        part->last->next_of_table = waiting;
    else
        part->first = waiting;
    part->last = waiting;
    part->inserts_only = part->inserts_only && waiting->operation == PGCONVOY_INSERT;
    part->count++;
    pile->count++;
    pile->scans += table->scans && table->compacts[pile->number] && waiting->operation != PGCONVOY_INSERT;
    if (pile->compacts && !pgc_pgsink_pile_can_split(pile))
        compact(pile);
    return 0;
}

void pgc_pgsink_pile_clear(pgc_pgsink_pile *pile)
{
    for (pgc_pgsink_part *part = pile->parts; part; part = part->next) {
        part->gathered->parts[pile->number] = NULL;
        pgc_pgsink_part_forget(pile, part);
    }
    pile->parts = NULL;
    pile->first = pile->last = pile->whole = pile->compacted = NULL;
    pile->count = pile->part_count = pile->whole_count = pile->keys = pile->scans = 0;
    pgc_arena_reset(pile->arena);
}

void pgc_pgsink_pile_mark(pgc_pgsink_pile *pile)
{
    pile->transaction++;
    pile->whole = pile->last;
    pile->whole_count = pile->count;
    if (pile->compacts && pgc_pgsink_pile_is_large(pile))
        compact(pile);
}

static void forget_last_transaction(pgc_pgsink_pile *pile)
{
    for (pgc_pgsink_part *part = pile->parts; part; part = part->next)
        if (part->transaction == pile->transaction) {
            part->last = part->whole_last;
            part->count = part->whole_count;
            part->inserts_only = part->whole_inserts_only;
            if (part->last)
                part->last->next_of_table = NULL;
            else
                part->first = NULL;
        }
    if (pile->whole)
        pile->whole->next = NULL;
    else
        pile->first = NULL;
    pile->last = pile->whole;
    pile->count = pile->whole_count;
}

int pgc_pgsink_pile_split(pgc_pgsink_pile *pile, pgc_pgsink_pile *other, pgconvoy_error *err)
{
    for (pgc_pgsink_waiting *waiting = pile->whole ? pile->whole->next : pile->first; waiting; waiting = waiting->next) {
        pgconvoy_change change = pgc_pgsink_change_of(waiting);
        if (pgc_pgsink_pile_keep(other, waiting->gathered, &change, pgc_change_bytes(&change), err) != 0)
            return -1;
    }
    forget_last_transaction(pile);
    return 0;
}

/* ---- applying */

static int replay(pgc_pgsink_writer *writer, const pgc_pgsink_waiting *waiting, pgconvoy_error *err)
{
    pgconvoy_change change = pgc_pgsink_change_of(waiting);
    return pgc_pgsink_apply_change(writer, &change, err);
}

int pgc_pgsink_replay_pile(pgc_pgsink_writer *writer, const pgc_pgsink_pile *pile, pgconvoy_error *err)
{
    for (const pgc_pgsink_waiting *waiting = pile->first; waiting; waiting = waiting->next)
        if (replay(writer, waiting, err) != 0)
            return -1;
    return 0;
}

int pgc_pgsink_replay_part(pgc_pgsink_writer *writer, const pgc_pgsink_part *part, pgconvoy_error *err)
{
    for (const pgc_pgsink_waiting *waiting = part->first; waiting; waiting = waiting->next_of_table)
        if (replay(writer, waiting, err) != 0)
            return -1;
    return 0;
}

/* What is not tried in bulk: what failed not long ago, and tables whose rows cannot be found in bulk. */
static bool goes_one_by_one(const pgc_pgsink_pile *pile, const pgc_pgsink_part *part)
{
    const pgc_pgsink_gathered *table = part->gathered;
    return table->pause > 0 || table->way != PGSINK_IN_BULK ||
           (!table->compacts[pile->number] && !part->inserts_only);
}

static int apply_in_bulk(pgc_pgsink_writer *writer, pgc_pgsink_pile *pile, pgc_pgsink_part **at,
                         pgconvoy_error *err)
{
    *at = NULL;
    pile->early_keys = pile->late_keys = 0;
    writer->failed_oid = 0;
    pgc_pgsink_conflicts_keep(writer);
    if (pgc_pgsink_fly_sql(writer, "SAVEPOINT pgconvoy_bulk", NULL, 0, err) != 0)
        return -1;
    for (pgc_pgsink_part *part = pile->parts; part; part = part->next) {
        if (part->count == 0) /* split off */
            continue;
        *at = part;
        int status = goes_one_by_one(pile, part) ? pgc_pgsink_replay_part(writer, part, err)
                                                 : pgc_pgsink_bulk_table(writer, part, pile, err);
        if (status != 0)
            return -1;
    }
    *at = NULL;
    /* until all have landed nothing is known for sure */
    return pgc_pgsink_land(writer, err) != 0
               ? -1
               : pgc_pgsink_fly_sql(writer, "RELEASE SAVEPOINT pgconvoy_bulk", NULL, 0, err);
}

/* in_bulk: what did not fail was applied so. */
static void count_outcome(const pgc_pgsink_pile *pile, bool in_bulk)
{
    for (const pgc_pgsink_part *part = pile->parts; part; part = part->next) {
        pgc_pgsink_gathered *table = part->gathered;
        if (part->undone)
            continue;
        if (table->pause > 0)
            table->pause--;
        else if (in_bulk)
            table->failures = 0;
    }
}

/* The failure's own table, or where it came to light. */
static pgc_pgsink_part *failed_part(const pgc_pgsink_writer *writer, const pgc_pgsink_pile *pile, pgc_pgsink_part *at)
{
    for (pgc_pgsink_part *part = pile->parts; part && writer->failed_oid; part = part->next)
        if (part->gathered->table->oid == writer->failed_oid)
            return part;
    return at;
}

static int undo(pgc_pgsink_writer *writer, pgc_pgsink_gathered *table, pgconvoy_error *err)
{
    char why[sizeof err->message];
    snprintf(why, sizeof why, "%s", err->message);
    pgc_pgsink_copy_give_up(writer);
    pgc_pgsink_crash_land(writer);
    /* statements may have been prepared, or not, when the failure came */
    if (writer->flying || PQstatus(writer->conn) != CONNECTION_OK ||
        pgc_pgsink_execute(writer->conn, "ROLLBACK TO SAVEPOINT pgconvoy_bulk; RELEASE SAVEPOINT pgconvoy_bulk",
                           "undoing a batch on the target", err) != 0 ||
        pgc_pgsink_execute(writer->conn, "DEALLOCATE ALL", "forgetting statements on the target", err) != 0)
        return -1;
    pgc_pgsink_targets_clear(writer);
    pgc_pgsink_conflicts_back(writer);
    if (!table || !table->told)
        pgc_log_info(writer->sink->config->log,
                     "%s%s%s: changes are applied one by one in commit order where they cannot be applied in bulk (%s)",
                     table ? table->table->schema : "the target", table ? "." : "", table ? table->table->name : "",
                     why);
    if (table)
        table->told = true;
    pgc_error_clear(err);
    return 0;
}

/* A table whose changes fail is left out of the bulk, and the others are tried again; after some of them, all go one by one. */
static int apply_large(pgc_pgsink_writer *writer, pgc_pgsink_pile *pile, pgconvoy_error *err)
{
    pgc_pgsink_part *at;
    for (int tries = 0; tries < BULK_TRIES; tries++) {
        if (apply_in_bulk(writer, pile, &at, err) == 0) {
            count_outcome(pile, true);
            return 0;
        }
        if (pgconvoy_error_is_retriable(err))
            return -1;
        pgc_pgsink_part *failed = failed_part(writer, pile, at);
        if (undo(writer, failed ? failed->gathered : NULL, err) != 0)
            return -1;
        if (!failed || failed->undone)
            break;
        failed->undone = true;
        pgc_pgsink_pause(&failed->gathered->failures, &failed->gathered->pause);
    }
    count_outcome(pile, false);
    return pgc_pgsink_replay_pile(writer, pile, err);
}

int pgc_pgsink_pile_apply(pgc_pgsink_writer *writer, pgc_pgsink_pile *pile, pgconvoy_error *err)
{
    int status;
    if (pile->count == 0)
        return 0;
    if (!pgc_pgsink_pile_is_large(pile))
        status = pgc_pgsink_replay_pile(writer, pile, err);
    else if (pgc_pgsink_land(writer, err) != 0) /* what was sent before, and is not behind the savepoint */
        return -1;
    else
        status = apply_large(writer, pile, err);
    if (status == 0)
        pgc_pgsink_pile_clear(pile);
    return status;
}
