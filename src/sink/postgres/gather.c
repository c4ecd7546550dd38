/*
 * Changes that wait, in commit order and by table. They are applied when the commit comes, so that an idle stream gains
 * no latency, or earlier when they outgrow their share of memory: a large transaction is written in pieces. Few are
 * applied as they came; more of them in bulk, behind a savepoint (bulk.h).
 *
 * What may not wait is applied at once: tables whose triggers fire here are written in commit order with all that came
 * before, and so is a TRUNCATE. An update or delete of a table without a key waits for the inserts of its table only.
 */
#include "sink/postgres/bulk.h"

#include <stdlib.h>

#define TABLE_SLOTS 1024
#define BULK_CHANGES 100                    /* fewer are not worth a savepoint */
#define ARENA_BLOCK ((size_t)1 << 20)
#define WAITING_BYTES_MAX ((size_t)64 << 20)
#define LONG_CHANGE_BYTES ((size_t)4 << 20) /* is not copied about */
#define PAUSE_MAX 1000

struct pgc_pgsink_gather {
    pgc_arena *arena;
    pgc_pgsink_waiting *first, *last;
    size_t count, limit_bytes;
    pgc_pgsink_gathered *touched; /* tables with changes that wait */
    pgc_pgsink_gathered *recent;
    pgc_pgsink_gathered *tables[TABLE_SLOTS];
};

pgc_pgsink_gather *pgc_pgsink_gather_new(size_t memory_bytes)
{
    pgc_pgsink_gather *gather = calloc(1, sizeof *gather);
    if (!gather)
        return NULL;
    /* what it comes to by key, and what is being sent, take as much again */
    gather->limit_bytes = memory_bytes / 4 < WAITING_BYTES_MAX ? memory_bytes / 4 : WAITING_BYTES_MAX;
    gather->arena = pgc_arena_new(ARENA_BLOCK);
    if (gather->arena)
        return gather;
    free(gather);
    return NULL;
}

static void forget_waiting(pgc_pgsink_gather *gather)
{
    for (pgc_pgsink_gathered *table = gather->touched; table; table = table->next_touched) {
        table->first = table->last = NULL;
        table->count = 0;
    }
    gather->touched = NULL;
    gather->first = gather->last = NULL;
    gather->count = 0;
    pgc_arena_reset(gather->arena);
}

static void free_table(pgc_pgsink_gathered *table)
{
    pgc_compact_free(table->compact);
    free(table);
}

void pgc_pgsink_gather_clear(pgc_pgsink_gather *gather)
{
    forget_waiting(gather);
    for (size_t i = 0; i < TABLE_SLOTS; i++)
        for (pgc_pgsink_gathered *table; (table = gather->tables[i]) != NULL;) {
            gather->tables[i] = table->next;
            free_table(table);
        }
    gather->recent = NULL;
}

void pgc_pgsink_gather_free(pgc_pgsink_gather *gather)
{
    if (!gather)
        return;
    pgc_pgsink_gather_clear(gather);
    pgc_arena_free(gather->arena);
    free(gather);
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

static pgc_pgsink_gathered *add_table(pgc_pgsink_writer *writer, const pgconvoy_table *table, pgconvoy_error *err)
{
    pgc_pgsink_target *target = pgc_pgsink_target_get(writer, table, err);
    if (!target)
        return NULL;
    pgc_pgsink_gathered *made = calloc(1, sizeof *made);
    if (made) {
        made->table = table;
        made->way = target->way;
        made->compact = table->key_count > 0 ? pgc_compact_new(table) : NULL;
    }
    if (!made || (table->key_count > 0 && !made->compact)) {
        free(made);
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

/* ---- keeping a change */

static size_t bytes_of(const pgconvoy_value *values, int count)
{
    size_t bytes = 0;
    for (int i = 0; values && i < count; i++)
        bytes += values[i].length > 0 ? (size_t)values[i].length : 0;
    return bytes;
}

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

static int keep(pgc_pgsink_gather *gather, pgc_pgsink_gathered *table, const pgconvoy_change *change, size_t bytes,
                pgconvoy_error *err)
{
    int count = table->table->column_count;
    size_t rows = (size_t)(change->old != NULL) + (size_t)(change->new_ != NULL);
    pgc_pgsink_waiting *waiting =
        pgc_arena_alloc(gather->arena, sizeof *waiting + rows * (size_t)count * sizeof(pgconvoy_value) + bytes);
    if (!waiting)
        return pgc_error_out_of_memory(err);
    *waiting = (pgc_pgsink_waiting){.gathered = table, .operation = change->operation, .old_kind = change->old_kind};
    pgconvoy_value *values = (pgconvoy_value *)(waiting + 1);
    char *data = (char *)(values + rows * (size_t)count);
    waiting->old = lay_out(change->old, count, &values, &data);
    waiting->new_ = lay_out(change->new_, count, &values, &data);
    if (gather->last)
        gather->last->next = waiting;
    else
        gather->first = waiting;
    gather->last = waiting;
    if (table->last) {
        table->last->next_of_table = waiting;
    } else {
        table->first = waiting;
        table->inserts_only = true;
        table->next_touched = gather->touched;
        gather->touched = table;
    }
    table->last = waiting;
    table->inserts_only = table->inserts_only && change->operation == PGCONVOY_INSERT;
    table->count++;
    gather->count++;
    return 0;
}

/* ---- applying */

static int replay(pgc_pgsink_writer *writer, const pgc_pgsink_waiting *waiting, pgconvoy_error *err)
{
    pgconvoy_change change = {.operation = waiting->operation,
                              .old_kind = waiting->old_kind,
                              .table = waiting->gathered->table,
                              .old = waiting->old,
                              .new_ = waiting->new_};
    return pgc_pgsink_apply_change(writer, &change, err);
}

static int replay_all(pgc_pgsink_writer *writer, pgconvoy_error *err)
{
    for (const pgc_pgsink_waiting *waiting = writer->gather->first; waiting; waiting = waiting->next)
        if (replay(writer, waiting, err) != 0)
            return -1;
    return 0;
}

int pgc_pgsink_replay_table(pgc_pgsink_writer *writer, pgc_pgsink_gathered *gathered, pgconvoy_error *err)
{
    for (const pgc_pgsink_waiting *waiting = gathered->first; waiting; waiting = waiting->next_of_table)
        if (replay(writer, waiting, err) != 0)
            return -1;
    return 0;
}

static int apply_in_bulk(pgc_pgsink_writer *writer, const pgc_pgsink_gathered **at, pgconvoy_error *err)
{
    pgc_pgsink_gather *gather = writer->gather;
    *at = NULL;
    writer->failed_oid = 0;
    pgc_pgsink_conflicts_keep(writer);
    if (pgc_pgsink_fly_sql(writer, "SAVEPOINT pgconvoy_bulk", NULL, 0, err) != 0)
        return -1;
    for (pgc_pgsink_gathered *table = gather->touched; table; table = table->next_touched) {
        *at = table;
        int status = table->pause > 0 ? pgc_pgsink_replay_table(writer, table, err)
                                      : pgc_pgsink_bulk_table(writer, table, gather->arena, err);
        if (status != 0)
            return -1;
    }
    *at = NULL;
    /* until all have landed nothing is known for sure */
    return pgc_pgsink_land(writer, err) != 0
               ? -1
               : pgc_pgsink_fly_sql(writer, "RELEASE SAVEPOINT pgconvoy_bulk", NULL, 0, err);
}

static void count_outcome(pgc_pgsink_gather *gather, const pgc_pgsink_gathered *failed)
{
    for (pgc_pgsink_gathered *table = gather->touched; table; table = table->next_touched) {
        if (table == failed) {
            table->failures += table->failures < 10;
            table->pause = (1u << table->failures) - 1;
        } else if (table->pause > 0) {
            table->pause--;
        } else if (!failed) {
            table->failures = 0;
        }
    }
}

/* The failure's own table, or where it came to light. */
static pgc_pgsink_gathered *failed_table(pgc_pgsink_writer *writer, const pgc_pgsink_gathered *at)
{
    uint32_t oid = writer->failed_oid ? writer->failed_oid : at ? at->table->oid : 0;
    return oid ? *slot_of(writer->gather, oid) : NULL;
}

static int undo_and_replay(pgc_pgsink_writer *writer, pgc_pgsink_gathered *table, pgconvoy_error *err)
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
    return replay_all(writer, err);
}

int pgc_pgsink_gather_flush(pgc_pgsink_writer *writer, pgconvoy_error *err)
{
    pgc_pgsink_gather *gather = writer->gather;
    const pgc_pgsink_gathered *at;
    int status;
    if (gather->count == 0)
        return 0;
    if (gather->count < BULK_CHANGES) {
        status = replay_all(writer, err);
    } else if (pgc_pgsink_land(writer, err) != 0) { /* what was sent before, and is not behind the savepoint */
        return -1;
    } else if ((status = apply_in_bulk(writer, &at, err)) == 0) {
        count_outcome(gather, NULL);
    } else if (!pgconvoy_error_is_retriable(err)) {
        pgc_pgsink_gathered *failed = failed_table(writer, at);
        count_outcome(gather, failed);
        status = undo_and_replay(writer, failed, err);
    }
    if (status == 0)
        forget_waiting(gather);
    return status;
}

/* ---- the sink's operations */

static void warn_of_cost(pgc_pgsink_writer *writer, pgc_pgsink_gathered *table)
{
    if (table->compact || table->warned || table->table->replica_identity != 'f')
        return;
    table->warned = true;
    pgc_log_warning(writer->sink->config->log,
                    "%s.%s has no key: each update and delete reads the whole table on the target; give it a primary key",
                    table->table->schema, table->table->name);
}

static int take(pgc_pgsink_writer *writer, const pgconvoy_change *change, pgconvoy_error *err)
{
    pgc_pgsink_gather *gather = writer->gather;
    if (change->operation == PGCONVOY_TRUNCATE)
        return pgc_pgsink_gather_flush(writer, err) != 0 ? -1 : pgc_pgsink_apply_change(writer, change, err);
    if (change->operation != PGCONVOY_INSERT && change->operation != PGCONVOY_UPDATE &&
        change->operation != PGCONVOY_DELETE)
        return 0;
    pgc_pgsink_gathered *table = table_of(writer, change->table, err);
    if (!table)
        return -1;
    int count = change->table->column_count;
    size_t bytes = bytes_of(change->old, count) + bytes_of(change->new_, count);
    bool waits = table->way == PGSINK_IN_BULK && (table->compact || change->operation == PGCONVOY_INSERT) &&
                 bytes <= LONG_CHANGE_BYTES;
    if (change->operation != PGCONVOY_INSERT)
        warn_of_cost(writer, table);
    if (!waits) {
        bool alone = table->way != PGSINK_IN_ORDER && table->count == 0;
        if (!alone && pgc_pgsink_gather_flush(writer, err) != 0)
            return -1;
        return pgc_pgsink_apply_change(writer, change, err);
    }
    /* a TRUNCATE that is held back comes before */
    if (pgc_pgsink_apply_flush(writer, err) != 0 || keep(gather, table, change, bytes, err) != 0)
        return -1;
    return pgc_arena_used(gather->arena) > gather->limit_bytes ? pgc_pgsink_gather_flush(writer, err) : 0;
}

int pgc_pgsink_write_changes(void *state, const pgconvoy_changes *changes, pgconvoy_error *err)
{
    pgc_pgsink_writer *writer = state;
    for (size_t i = 0; i < changes->count; i++)
        if (take(writer, &changes->items[i], err) != 0)
            return -1;
    return 0;
}

int pgc_pgsink_change_schema(void *state, const pgconvoy_table *old_table, const pgconvoy_table *new_table,
                             pgconvoy_error *err)
{
    pgc_pgsink_writer *writer = state;
    if (pgc_pgsink_gather_flush(writer, err) != 0)
        return -1;
    pgc_pgsink_gather_forget(writer->gather, old_table->oid);
    return pgc_pgsink_apply_schema(writer, old_table, new_table, err);
}
