/*
 * What the stream has gathered so far: the tables it met, their changes, and when to apply them. And what a crash has
 * left: when a table is met for the first time after a start or a failure, its rows may be ahead of the checkpoint.
 *
 * Rows of a keyed table that are ahead are written again, with the same _version as before or a higher one, and come to
 * the same in the end. Three things need care up to the position that was reached (written_lsn): a row that comes and
 * goes within the changes may be there, so its deletion is written all the same; columns that have gone since are left
 * out; and an UPDATE of the key that leaves values unchanged takes them from a row that may have moved on, see
 * partial.c.
 *
 * Rows without a key that are ahead are removed, all of them, before the changes come again.
 */
#include "sink/clickhouse/clickhouse_internal.h"

#include "base/clock.h"
#include "base/grow.h"

#include <stdlib.h>

static void free_table(pgc_clickhouse_stream_table *table)
{
    if (!table)
        return;
    pgc_compact_free(table->compact);
    pgc_buffer_free(&table->history);
    pgc_clickhouse_layout_free(table->layout);
    free(table);
}

/* ---- what a crash has left */

static int read_number(pgc_clickhouse_writer *writer, const pgc_buffer *sql, uint64_t *number, pgconvoy_error *err)
{
    pgc_http_response response;
    if (pgc_clickhouse_select(&writer->session, sql, "looking at a table's last rows", &response, err) != 0)
        return -1;
    *number = response.body.length > 0 ? strtoull(response.body.data, NULL, 10) : 0;
    pgc_http_response_free(&response);
    return 0;
}

static int read_version(pgc_clickhouse_writer *writer, pgc_clickhouse_stream_table *table, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 65536);
    pgc_buffer_text(&sql, "SELECT max(_version) FROM ");
    pgc_clickhouse_table_name(writer->sink, table->layout->name, false, &sql);
    int result = read_number(writer, &sql, &table->written_lsn, err);
    pgc_buffer_free(&sql);
    return result;
}

/* On a server that has no mutations_sync. */
static int wait_for_mutation(pgc_clickhouse_writer *writer, const char *name, pgconvoy_error *err)
{
    pgc_buffer sql;
    uint64_t left = 1;
    int result = 0;
    pgc_buffer_init(&sql, 65536);
    pgc_buffer_text(&sql, "SELECT count() FROM system.mutations WHERE is_done = 0 AND database = ");
    pgc_clickhouse_literal(&sql, writer->sink->target.database);
    pgc_buffer_text(&sql, " AND table = ");
    pgc_clickhouse_literal(&sql, name);
    while (result == 0 && left > 0) {
        result = read_number(writer, &sql, &left, err);
        if (result == 0 && left > 0)
            pgc_clock_sleep_ms(50);
    }
    pgc_buffer_free(&sql);
    return result;
}

static int remove_tail(pgc_clickhouse_writer *writer, const pgc_clickhouse_layout *layout, pgconvoy_error *err)
{
    pgc_clickhouse_sink *sink = writer->sink;
    pthread_mutex_lock(&sink->lock);
    pgconvoy_lsn lsn = sink->lsn > 0 ? sink->lsn : 1; /* rows of a copy have 0 */
    pthread_mutex_unlock(&sink->lock);
    const char *column = layout->form == PGC_CLICKHOUSE_HISTORY ? "_commit_lsn" : "_lsn";
    uint64_t count = 0;
    pgc_buffer sql;
    pgc_buffer_init(&sql, 65536);
    pgc_buffer_text(&sql, "SELECT count() FROM ");
    pgc_clickhouse_table_name(sink, layout->name, false, &sql);
    pgc_buffer_format(&sql, " WHERE %s >= %llu", column, (unsigned long long)lsn);
    int result = read_number(writer, &sql, &count, err);
    if (result == 0 && count > 0) {
        pgc_log_info(sink->config->log, "table %s: removing %llu rows behind the checkpoint, which come again",
                     layout->name, (unsigned long long)count);
        pgc_buffer_reset(&sql);
        pgc_buffer_text(&sql, "ALTER TABLE ");
        pgc_clickhouse_table_name(sink, layout->name, true, &sql);
        pgc_buffer_format(&sql, " DELETE WHERE %s >= %llu", column, (unsigned long long)lsn);
        if (sink->has.mutations_sync)
            pgc_buffer_text(&sql, " SETTINGS mutations_sync = 2");
        result = pgc_clickhouse_run(&writer->session, &sql, "removing rows behind the checkpoint", err);
        if (result == 0 && !sink->has.mutations_sync)
            result = wait_for_mutation(writer, layout->name, err);
    }
    pgc_buffer_free(&sql);
    return result;
}

/* ---- tables */

static int look_at_target(pgc_clickhouse_writer *writer, pgc_clickhouse_stream_table *table, pgconvoy_error *err)
{
    pgc_clickhouse_layout *layout = table->layout;
    bool keyed = layout->form == PGC_CLICKHOUSE_KEYED;
    if (keyed ? read_version(writer, table, err) != 0 : remove_tail(writer, layout, err) != 0)
        return -1;
    return pgc_clickhouse_match_columns(writer->sink, &writer->session, layout, true, true, err);
}

static int add_table(pgc_clickhouse_writer *writer, const pgconvoy_table *source, pgc_clickhouse_stream_table **added,
                     pgconvoy_error *err)
{
    if (pgc_grow(&writer->tables, writer->table_count, &writer->table_capacity, sizeof *writer->tables, err) != 0)
        return -1;
    pgc_clickhouse_stream_table *table = calloc(1, sizeof *table);
    if (!table)
        return pgc_error_out_of_memory(err);
    table->table = source;
    pgc_buffer_init(&table->history, SIZE_MAX / 2);
    table->layout = pgc_clickhouse_layout_new(writer->sink, source, err);
    int result = table->layout ? 0 : -1;
    if (result == 0) {
        table->compact = pgc_compact_new(source);
        result = table->compact ? look_at_target(writer, table, err) : pgc_error_out_of_memory(err);
    }
    if (result != 0) {
        free_table(table);
        return -1;
    }
    writer->tables[writer->table_count++] = table;
    *added = table;
    return 0;
}

/* Where a table is looked for first, so that thousands of tables are not gone through for each change. */
static pgc_clickhouse_stream_table **recent_place(pgc_clickhouse_writer *writer, const pgconvoy_table *source)
{
    return &writer->recent[source->oid % PGC_CLICKHOUSE_RECENT];
}

pgc_clickhouse_stream_table *pgc_clickhouse_stream_table_find(const pgc_clickhouse_writer *writer,
                                                              const pgconvoy_table *source)
{
    for (size_t i = 0; i < writer->table_count; i++) {
        if (writer->tables[i]->table == source)
            return writer->tables[i];
    }
    return NULL;
}

int pgc_clickhouse_stream_table_of(pgc_clickhouse_writer *writer, const pgconvoy_table *source,
                                   pgc_clickhouse_stream_table **found, pgconvoy_error *err)
{
    pgc_clickhouse_stream_table **recent = recent_place(writer, source);
    if (*recent && (*recent)->table == source) {
        *found = *recent;
        return 0;
    }
    *found = pgc_clickhouse_stream_table_find(writer, source);
    if (!*found && add_table(writer, source, found, err) != 0)
        return -1;
    *recent = *found;
    return 0;
}

void pgc_clickhouse_stream_table_forget(pgc_clickhouse_writer *writer, const pgconvoy_table *source)
{
    for (size_t i = 0; i < writer->table_count; i++) {
        if (writer->tables[i]->table != source)
            continue;
        if (*recent_place(writer, source) == writer->tables[i])
            *recent_place(writer, source) = NULL;
        free_table(writer->tables[i]);
        writer->tables[i] = writer->tables[--writer->table_count];
        return;
    }
}

void pgc_clickhouse_forget_all(pgc_clickhouse_writer *writer)
{
    for (size_t i = 0; i < writer->table_count; i++)
        free_table(writer->tables[i]);
    writer->table_count = 0;
    writer->gathered_bytes = 0;
    memset(writer->recent, 0, sizeof writer->recent);
}

/* ---- changes */

static int add_history(pgc_clickhouse_writer *writer, pgc_clickhouse_stream_table *table, const pgconvoy_change *change,
                       pgconvoy_error *err)
{
    static const char *const operations[] = {[PGCONVOY_INSERT] = "insert",
                                             [PGCONVOY_UPDATE] = "update",
                                             [PGCONVOY_DELETE] = "delete",
                                             [PGCONVOY_TRUNCATE] = "truncate"};
    const pgc_clickhouse_mark mark = {.lsn = change->transaction->commit_lsn,
                                      .operation = operations[change->operation],
                                      .sequence = change->sequence,
                                      .time = change->transaction->commit_time,
                                      .change_lsn = change->lsn};
    const pgconvoy_value *values = change->operation == PGCONVOY_DELETE ? change->old : change->new_;
    int not_nullable = -1;
    size_t start = table->history.length;
    int result = pgc_clickhouse_put_row(writer->sink, table->layout, &writer->encoder, values, &mark, &table->history,
                                        &not_nullable, err);
    if (result == 0 && not_nullable >= 0) {
        table->history.length = start;
        result = pgc_clickhouse_send_rows(writer->sink, &writer->session, table->layout, &table->history, err); /* of the type before */
        if (result == 0)
            result = pgc_clickhouse_make_nullable(writer->sink, &writer->session, table->layout, not_nullable, err);
        return result == 0 ? add_history(writer, table, change, err) : -1;
    }
    writer->gathered_bytes += table->history.length - start;
    return result != 0 ? -1 : pgc_buffer_check(&table->history, err);
}

/* An UPDATE of the key that leaves values as they are. */
static bool is_partial_move(const pgconvoy_change *change)
{
    if (change->operation != PGCONVOY_UPDATE || !change->old || change->old_kind == 'O')
        return false;
    for (int i = 0; i < change->table->column_count; i++) {
        if (change->new_[i].length == PGCONVOY_UNCHANGED)
            return true;
    }
    return false;
}

static int add_change(pgc_clickhouse_writer *writer, pgc_clickhouse_stream_table *table, const pgconvoy_change *change,
                      pgconvoy_error *err)
{
    pgconvoy_lsn lsn = change->transaction->commit_lsn;
    bool repeated = lsn <= table->written_lsn;
    bool alone = repeated && is_partial_move(change);
    if (alone && pgc_clickhouse_apply_table(writer, table, err) != 0)
        return -1;
    if (repeated)
        pgc_compact_keep_deletes(table->compact, true);
    size_t before = pgc_compact_bytes(table->compact);
    if (pgc_compact_add(table->compact, change, err) != 0)
        return -1;
    size_t after = pgc_compact_bytes(table->compact);
    writer->gathered_bytes += after > before ? after - before : 0;
    table->last_lsn = lsn;
    return alone ? pgc_clickhouse_apply_table(writer, table, err) : 0;
}

int pgc_clickhouse_write_changes(void *state, const pgconvoy_changes *changes, pgconvoy_error *err)
{
    pgc_clickhouse_writer *writer = state;
    for (size_t i = 0; i < changes->count; i++) {
        const pgconvoy_change *change = &changes->items[i];
        pgc_clickhouse_stream_table *table;
        if (!change->table ||
            change->operation == PGCONVOY_SCHEMA) /* no events were asked for; schema changes come by change_schema */
            continue;
        if (pgc_clickhouse_stream_table_of(writer, change->table, &table, err) != 0)
            return -1;
        bool history = table->layout->form == PGC_CLICKHOUSE_HISTORY;
        if (history ? add_history(writer, table, change, err) != 0 : add_change(writer, table, change, err) != 0)
            return -1;
        if (writer->gathered_bytes > writer->sink->gather_bytes && pgc_clickhouse_apply_all(writer, err) != 0)
            return -1;
    }
    return 0;
}
