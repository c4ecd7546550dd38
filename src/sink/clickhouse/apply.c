/*
 * What was gathered, applied: for each table what its changes come to. All rows of one round have the position of the
 * last change as their _version. Of rows with the same one (parts of a transaction that is larger than memory)
 * ClickHouse takes the one that was inserted last, so the order of statements is the order of changes.
 */
#include "sink/clickhouse/clickhouse_internal.h"

#include <stdlib.h>

static int compare_hashes(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* A round of one table. */
typedef struct round_ {
    pgc_clickhouse_writer *writer;
    pgc_clickhouse_stream_table *table;
    const pgc_compact_result *result;
    pgc_clickhouse_mark mark;
    uint64_t *moved; /* keys that moved rows have, by their hashes; in order */
    size_t moved_count;
    int not_nullable;
} round_;

/* The keys that rows move to: those rows are written first, and a deletion of another row that had the key before would
 * come after them. */
static int note_moved(round_ *r, pgconvoy_error *err)
{
    const pgconvoy_table *table = r->table->table;
    r->moved_count = r->result->count[PGC_COMPACT_MOVE];
    if (r->moved_count == 0)
        return 0;
    r->moved = malloc(r->moved_count * sizeof *r->moved);
    pgconvoy_value *key = calloc((size_t)table->key_count, sizeof *key);
    if (!r->moved || !key) {
        free(key);
        return pgc_error_out_of_memory(err);
    }
    for (size_t i = 0; i < r->moved_count; i++) {
        for (int k = 0; k < table->key_count; k++)
            key[k] = r->result->items[PGC_COMPACT_MOVE][i].row[table->key[k]];
        r->moved[i] = pgc_compact_hash(key, table->key_count);
    }
    free(key);
    qsort(r->moved, r->moved_count, sizeof *r->moved, compare_hashes);
    return 0;
}

static bool is_moved_to(const round_ *r, const pgc_compact_item *item)
{
    if (r->moved_count == 0 || !item->key)
        return false;
    uint64_t hash = pgc_compact_hash(item->key, r->table->table->key_count);
    return bsearch(&hash, r->moved, r->moved_count, sizeof *r->moved, compare_hashes) != NULL;
}

static int put_item(round_ *r, pgc_compact_action action, const pgc_compact_item *item, pgconvoy_error *err)
{
    pgc_clickhouse_writer *writer = r->writer;
    pgc_clickhouse_layout *layout = r->table->layout;
    bool goes = action == PGC_COMPACT_DELETE;
    r->mark.deleted = goes;
    r->mark.sign = goes ? -(int64_t)item->copies : (int64_t)item->copies;
    if (goes && layout->form == PGC_CLICKHOUSE_KEYED)
        return is_moved_to(r, item) ? 0
                                    : pgc_clickhouse_put_key(writer->sink, layout, &writer->encoder, item->key,
                                                             &r->mark, &writer->body, err);
    if (action == PGC_COMPACT_UPDATE && !item->complete)
        return 0; /* see partial.c */
    return pgc_clickhouse_put_row(writer->sink, layout, &writer->encoder, item->row, &r->mark, &writer->body,
                                  &r->not_nullable, err);
}

/* Items from *at on, until the body is full. A column that turns out to be NULL where it cannot be is made so that it
 * can, and what was written of this body is written again. */
static int send_items(round_ *r, pgc_compact_action action, pgconvoy_error *err)
{
    pgc_clickhouse_writer *writer = r->writer;
    pgc_clickhouse_layout *layout = r->table->layout;
    for (size_t i = 0; i < r->result->count[action]; i++) {
        size_t start = writer->body.length;
        if (put_item(r, action, &r->result->items[action][i], err) != 0)
            return -1;
        if (r->not_nullable >= 0) {
            writer->body.length = start;
            if (pgc_clickhouse_send_rows(writer->sink, &writer->session, layout, &writer->body, err) != 0 ||
                pgc_clickhouse_make_nullable(writer->sink, &writer->session, layout, r->not_nullable, err) != 0)
                return -1;
            r->not_nullable = -1;
            i--; /* this one again */
            continue;
        }
        if (writer->body.length >= writer->sink->insert_bytes &&
            pgc_clickhouse_send_rows(writer->sink, &writer->session, layout, &writer->body, err) != 0)
            return -1;
    }
    return 0;
}

static bool has_partial(const pgc_compact_result *result)
{
    size_t updates = result->count[PGC_COMPACT_UPDATE];
    /* complete rows stand in front */
    return result->count[PGC_COMPACT_MOVE] > 0 ||
           (updates > 0 && !result->items[PGC_COMPACT_UPDATE][updates - 1].complete);
}

static int apply_result(round_ *r, pgconvoy_error *err)
{
    static const pgc_compact_action order[] = {PGC_COMPACT_DELETE, PGC_COMPACT_UPDATE, PGC_COMPACT_INSERT};
    pgc_clickhouse_writer *writer = r->writer;
    pgc_clickhouse_layout *layout = r->table->layout;
    if (r->result->truncated && pgc_clickhouse_truncate(writer->sink, &writer->session, layout->name, err) != 0)
        return -1;
    /* first of all, as these take values from rows as they were */
    if (has_partial(r->result) && pgc_clickhouse_apply_partial(writer, r->table, r->result, err) != 0)
        return -1;
    if (note_moved(r, err) != 0)
        return -1;
    pgc_buffer_reset(&writer->body);
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        if (send_items(r, order[i], err) != 0)
            return -1;
    }
    return pgc_clickhouse_send_rows(writer->sink, &writer->session, layout, &writer->body, err);
}

int pgc_clickhouse_apply_table(pgc_clickhouse_writer *writer, pgc_clickhouse_stream_table *table, pgconvoy_error *err)
{
    if (table->layout->form == PGC_CLICKHOUSE_HISTORY)
        return pgc_clickhouse_send_rows(writer->sink, &writer->session, table->layout, &table->history, err);
    if (pgc_compact_is_empty(table->compact)) {
        pgc_compact_keep_deletes(table->compact, false);
        return 0;
    }
    pgc_compact_result result;
    if (pgc_compact_take(table->compact, &result, err) != 0)
        return -1;
    round_ r = {
        .writer = writer, .table = table, .result = &result, .not_nullable = -1, .mark = {.lsn = table->last_lsn}};
    int done = apply_result(&r, err);
    free(r.moved);
    pgc_compact_reset(table->compact);
    pgc_compact_keep_deletes(table->compact, false);
    if (done != 0 && err->code == PGCONVOY_ERROR_SINK)
        pgc_error_prefix(err, "table %s.%s", table->table->schema, table->table->name);
    return done;
}

int pgc_clickhouse_apply_all(pgc_clickhouse_writer *writer, pgconvoy_error *err)
{
    writer->gathered_bytes = 0;
    for (size_t i = 0; i < writer->table_count; i++) {
        if (pgc_clickhouse_apply_table(writer, writer->tables[i], err) != 0)
            return -1;
    }
    return 0;
}
