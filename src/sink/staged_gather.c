/*
 * Changes are compacted by key until they are committed, or outgrow their share of memory and go to staging early. A
 * commit is the parts that came of it, in order.
 */
#include "sink/staged_internal.h"

#include "base/grow.h"

#include <stdlib.h>
#include <string.h>

#define LEAST_GATHER ((size_t)4 << 20)

/* ---- tables */

static void free_table(pgc_staged_writer *writer, pgc_staged_table *table)
{
    pgc_compact_free(table->compact);
    writer->sink->service->stage_free(table->history);
    free(table);
}

/* Layouts outlive their tables: parts refer to them. */
static int keep_layout(pgc_staged_writer *writer, pgc_staged_layout *layout, pgconvoy_error *err)
{
    if (pgc_grow(&writer->layouts, writer->layout_count, &writer->layout_capacity, sizeof *writer->layouts, err) != 0)
        return -1;
    writer->layouts[writer->layout_count++] = layout;
    return 0;
}

static int add_table(pgc_staged_writer *writer, const pgconvoy_table *source, pgc_staged_table **added,
                     pgconvoy_error *err)
{
    if (pgc_grow(&writer->tables, writer->table_count, &writer->table_capacity, sizeof *writer->tables, err) != 0)
        return -1;
    pgc_staged_table *table = calloc(1, sizeof *table);
    pgc_staged_layout *layout = table ? writer->sink->service->layout_new(writer->sink, source, err) : NULL;
    if (!layout || keep_layout(writer, layout, err) != 0) {
        if (!table)
            pgc_error_out_of_memory(err);
        pgc_staged_layout_free(layout);
        free(table);
        return -1;
    }
    table->table = source;
    table->layout = layout;
    table->compact = pgc_compact_new(source);
    if (!table->compact) {
        free_table(writer, table);
        return pgc_error_out_of_memory(err);
    }
    writer->tables[writer->table_count++] = table;
    *added = table;
    return 0;
}

int pgc_staged_table_of(pgc_staged_writer *writer, const pgconvoy_table *source, pgc_staged_table **found,
                        pgconvoy_error *err)
{
    for (size_t i = writer->table_count; i-- > 0;) {
        if (writer->tables[i]->table == source) {
            *found = writer->tables[i];
            return 0;
        }
    }
    return add_table(writer, source, found, err);
}

/* ---- parts */

static int add_part(pgc_staged_writer *writer, const pgc_staged_part *part, pgconvoy_error *err)
{
    if (pgc_grow(&writer->parts, writer->part_count, &writer->part_capacity, sizeof *writer->parts, err) != 0)
        return -1;
    writer->parts[writer->part_count++] = *part;
    return 0;
}

int pgc_staged_statement(pgc_staged_writer *writer, const pgc_buffer *sql, pgconvoy_error *err)
{
    if (pgc_buffer_check(sql, err) != 0)
        return -1;
    if (pgc_staged_is_told(writer->sink->config, sql))
        return 0;
    pgc_staged_part part = {.sql = strdup(sql->data)};
    if (!part.sql || add_part(writer, &part, err) != 0) {
        free(part.sql);
        return pgc_error_out_of_memory(err);
    }
    return 0;
}

/* The stage is the writer's from here on. */
static int send_part(pgc_staged_writer *writer, void *stage, pgconvoy_error *err)
{
    const pgc_staged_part part = {.stage = stage};
    if (add_part(writer, &part, err) != 0) {
        writer->sink->service->stage_free(stage);
        return -1;
    }
    return writer->sink->service->stage_send ? writer->sink->service->stage_send(stage, err) : 0;
}

/* ---- compacted changes */

static int stage_items(pgc_staged_writer *writer, void *stage, const pgc_compact_result *result, pgconvoy_error *err)
{
    static const char *const ops[] = {
        [PGC_COMPACT_DELETE] = PGC_STAGED_DELETE,
        [PGC_COMPACT_MOVE] = PGC_STAGED_MOVE,
        [PGC_COMPACT_UPDATE] = PGC_STAGED_PARTIAL,
        [PGC_COMPACT_INSERT] = PGC_STAGED_ROW,
    };
    for (int action = 0; action < PGC_COMPACT_ACTIONS; action++) {
        for (size_t i = 0; i < result->count[action]; i++) {
            const pgc_compact_item *item = &result->items[action][i];
            bool whole = action == PGC_COMPACT_INSERT || (action == PGC_COMPACT_UPDATE && item->complete);
            pgc_staged_row row = {.op = whole ? PGC_STAGED_ROW : ops[action],
                                  .row = item->row,
                                  .key = item->key,
                                  .copies = item->copies ? item->copies : 1};
            if (writer->sink->service->stage_add(stage, &row, err) != 0)
                return -1;
        }
    }
    return 0;
}

static int flush_compacted(pgc_staged_writer *writer, pgc_staged_table *table, pgconvoy_error *err)
{
    pgc_compact_result result;
    if (pgc_compact_is_empty(table->compact))
        return 0;
    if (pgc_compact_take(table->compact, &result, err) != 0)
        return -1;
    const pgc_staged_part truncate = {.truncated = table->layout};
    if (result.truncated && add_part(writer, &truncate, err) != 0)
        return -1;
    size_t count = 0;
    for (int action = 0; action < PGC_COMPACT_ACTIONS; action++)
        count += result.count[action];
    if (count > 0) {
        void *stage = writer->sink->service->stage_new(writer, table->layout, err);
        if (!stage)
            return -1;
        if (stage_items(writer, stage, &result, err) != 0) {
            writer->sink->service->stage_free(stage);
            return -1;
        }
        if (send_part(writer, stage, err) != 0)
            return -1;
    }
    pgc_compact_reset(table->compact);
    return 0;
}

/* ---- history: every change is a row */

static int add_history(pgc_staged_writer *writer, pgc_staged_table *table, const pgconvoy_change *change,
                       pgconvoy_error *err)
{
    static const char *const names[] = {[PGCONVOY_INSERT] = "insert",
                                        [PGCONVOY_UPDATE] = "update",
                                        [PGCONVOY_DELETE] = "delete",
                                        [PGCONVOY_TRUNCATE] = "truncate"};
    if (!table->history) {
        table->history = writer->sink->service->stage_new(writer, table->layout, err);
        if (!table->history)
            return -1;
    }
    const pgconvoy_value *values = change->operation == PGCONVOY_DELETE     ? change->old
                                   : change->operation == PGCONVOY_TRUNCATE ? NULL
                                                                            : change->new_;
    pgc_staged_row row = {.op = names[change->operation],
                          .row = values,
                          .copies = 1,
                          .lsn = change->transaction->commit_lsn,
                          .sequence = change->sequence,
                          .time = change->transaction->commit_time};
    return writer->sink->service->stage_add(table->history, &row, err);
}

int pgc_staged_flush(pgc_staged_writer *writer, pgc_staged_table *table, pgconvoy_error *err)
{
    if (!writer->sink->keeps_history)
        return flush_compacted(writer, table, err);
    void *stage = table->history;
    table->history = NULL;
    return stage ? send_part(writer, stage, err) : 0;
}

int pgc_staged_flush_all(pgc_staged_writer *writer, pgconvoy_error *err)
{
    writer->gathered_bytes = 0;
    for (size_t i = 0; i < writer->table_count; i++)
        if (pgc_staged_flush(writer, writer->tables[i], err) != 0)
            return -1;
    return 0;
}

/* ---- changes */

int pgc_staged_write_changes(void *arg, const pgconvoy_changes *changes, pgconvoy_error *err)
{
    pgc_staged_writer *writer = arg;
    size_t share = writer->sink->config->memory_bytes / 2;
    size_t limit = share > LEAST_GATHER ? share : LEAST_GATHER;
    for (size_t i = 0; i < changes->count; i++) {
        const pgconvoy_change *change = &changes->items[i];
        pgc_staged_table *table;
        if (!change->table || change->operation < PGCONVOY_INSERT || change->operation > PGCONVOY_TRUNCATE)
            continue;
        if (pgc_staged_table_of(writer, change->table, &table, err) != 0)
            return -1;
        if (!table->looked_at && pgc_staged_adapt_table(writer, table, err) != 0)
            return -1;
        table->looked_at = true;
        if (writer->sink->keeps_history) {
            if (add_history(writer, table, change, err) != 0)
                return -1;
            continue;
        }
        size_t before = pgc_compact_bytes(table->compact);
        if (pgc_compact_add(table->compact, change, err) != 0)
            return -1;
        size_t after = pgc_compact_bytes(table->compact);
        writer->gathered_bytes += after > before ? after - before : 0;
        if (writer->gathered_bytes > limit && pgc_staged_flush_all(writer, err) != 0)
            return -1;
    }
    return 0;
}

/* ---- the end of a transaction */

static void forget_parts(pgc_staged_writer *writer)
{
    for (size_t i = 0; i < writer->part_count; i++) {
        writer->sink->service->stage_free(writer->parts[i].stage);
        free(writer->parts[i].sql);
    }
    writer->part_count = 0;
}

void pgc_staged_forget(pgc_staged_writer *writer, bool forget_tables)
{
    forget_parts(writer);
    for (size_t i = 0; i < writer->table_count; i++) {
        if (forget_tables) {
            free_table(writer, writer->tables[i]);
            continue;
        }
        pgc_compact_reset(writer->tables[i]->compact);
        writer->sink->service->stage_free(writer->tables[i]->history);
        writer->tables[i]->history = NULL;
    }
    if (forget_tables) {
        writer->table_count = 0;
        for (size_t i = 0; i < writer->layout_count; i++)
            pgc_staged_layout_free(writer->layouts[i]);
        writer->layout_count = 0;
    }
    writer->gathered_bytes = 0;
    pgc_staged_later_free(writer);
    writer->renamed_from = writer->renamed_to = NULL;
    writer->vacated_count = 0;
}

void pgc_staged_gather_free(pgc_staged_writer *writer)
{
    pgc_staged_forget(writer, true);
    free(writer->tables);
    free(writer->parts);
    free(writer->layouts);
    free(writer->later);
    free(writer->vacated);
}
