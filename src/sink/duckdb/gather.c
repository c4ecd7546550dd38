/* What the stream has gathered so far: the tables it met, their compactions, and when to apply them. */
#include "sink/duckdb/duckdb_internal.h"

#include "base/grow.h"

#include <stdlib.h>

static void free_table(pgc_duckdb_sink *sink, pgc_duckdb_stream_table *table)
{
    if (!table)
        return;
    pgc_compact_free(table->compact);
    pgc_duckdb_key_set_clear(&table->deleted);
    pgc_duckdb_layout_free(sink, table->layout);
    free(table);
}

/* Not in the writer's transaction, which a refusal would end: what is held just now cannot be given back, and the limit stays as it was then. */
static void lower_limit(pgc_duckdb_sink *sink, const pgc_buffer *sql, size_t wanted)
{
    pgconvoy_error ignored = {0};
    pthread_mutex_lock(&sink->lock);
    if (pgc_duckdb_run(&sink->api, sink->control, sql, "setting memory_limit", NULL, &ignored) == 0)
        sink->limit_bytes = wanted;
    pthread_mutex_unlock(&sink->lock);
}

/*
 * With the first change of all DuckDB's memory is what it has beside gathered changes; the table copy had more. It is more again where a table
 * has so many columns that it needs it. Not against what the user asked for.
 */
static int fit_memory(pgc_duckdb_writer *writer, int column_count, pgconvoy_error *err)
{
    pgc_duckdb_sink *sink = writer->sink;
    size_t needed = (size_t)column_count * PGC_DUCKDB_SMALL_COLUMN_BYTES;
    size_t wanted = writer->table_count > 0 && sink->limit_bytes > sink->stream_limit_bytes ? sink->limit_bytes : sink->stream_limit_bytes;
    if (needed > wanted && needed <= sink->config->memory_bytes)
        wanted = needed;
    if (sink->target.memory_limit > 0 || wanted == sink->limit_bytes)
        return 0;
    pgc_buffer sql;
    pgc_buffer_init(&sql, 256);
    pgc_buffer_format(&sql, "SET memory_limit = '%zuKiB'", wanted >> 10);
    int result = 0;
    if (wanted > sink->limit_bytes) {
        result = pgc_duckdb_run(&sink->api, writer->connection, &sql, "setting memory_limit", NULL, err);
        if (result == 0)
            sink->limit_bytes = wanted;
    } else {
        lower_limit(sink, &sql, wanted);
    }
    pgc_buffer_free(&sql);
    return result;
}

static int look_at_target(pgc_duckdb_writer *writer, pgc_duckdb_stream_table *table, pgconvoy_error *err)
{
    pgc_duckdb_sink *sink = writer->sink;
    pgc_duckdb_existing existing;
    bool same_order;
    if (fit_memory(writer, table->layout->column_count, err) != 0)
        return -1;
    if (pgc_duckdb_look_up(sink, writer->connection, table->table, &existing, err) != 0)
        return -1;
    table->has_primary_key = existing.has_primary_key;
    bool same = true;
    if (table->has_primary_key && pgc_duckdb_primary_key_is(sink, writer->connection, table->layout, &same, err) != 0)
        return -1;
    if (!same) {
        table->has_primary_key = false;
        writer->catalog_changed = writer->wrote = true;
        if (pgc_duckdb_primary_key_drop(sink, writer->connection, table->table, "the source has another key by now", err) != 0)
            return -1;
    }
    return pgc_duckdb_adapt_columns(sink, writer->connection, table->layout, &same_order, err);
}

static int add_table(pgc_duckdb_writer *writer, const pgconvoy_table *source, pgc_duckdb_stream_table **added,
                     pgconvoy_error *err)
{
    if (pgc_grow(&writer->tables, writer->table_count, &writer->table_capacity, sizeof *writer->tables, err) != 0)
        return -1;
    pgc_duckdb_stream_table *table = calloc(1, sizeof *table);
    if (!table)
        return pgc_error_out_of_memory(err);
    table->table = source;
    table->layout = pgc_duckdb_layout_new(writer->sink, source, err);
    if (!table->layout) {
        free_table(writer->sink, table);
        return -1;
    }
    table->compact = pgc_compact_new(source);
    int result = table->compact ? look_at_target(writer, table, err) : pgc_error_out_of_memory(err);
    if (result != 0) {
        free_table(writer->sink, table);
        return -1;
    }
    writer->tables[writer->table_count++] = table;
    writer->catalog_changed = true; /* its columns may have been adapted in this transaction */
    *added = table;
    return 0;
}

/* Where a table is looked for first, so that thousands of tables are not gone through for each change. */
static pgc_duckdb_stream_table **recent_place(pgc_duckdb_writer *writer, const pgconvoy_table *source)
{
    return &writer->recent[source->oid % PGC_DUCKDB_RECENT];
}

int pgc_duckdb_stream_table_of(pgc_duckdb_writer *writer, const pgconvoy_table *source, pgc_duckdb_stream_table **found,
                               pgconvoy_error *err)
{
    pgc_duckdb_stream_table **recent = recent_place(writer, source);
    if (*recent && (*recent)->table == source) {
        *found = *recent;
        return 0;
    }
    *found = NULL;
    for (size_t i = 0; !*found && i < writer->table_count; i++) {
        if (writer->tables[i]->table == source)
            *found = writer->tables[i];
    }
    if (!*found && add_table(writer, source, found, err) != 0)
        return -1;
    *recent = *found;
    return 0;
}

pgc_duckdb_stream_table *pgc_duckdb_stream_table_known(pgc_duckdb_writer *writer, const pgconvoy_table *source)
{
    for (size_t i = 0; i < writer->table_count; i++) {
        if (writer->tables[i]->table == source)
            return writer->tables[i];
    }
    return NULL;
}

void pgc_duckdb_stream_table_drop(pgc_duckdb_writer *writer, uint32_t oid)
{
    for (size_t i = writer->table_count; i > 0; i--) {
        if (writer->tables[i - 1]->table->oid == oid)
            pgc_duckdb_stream_table_forget(writer, writer->tables[i - 1]->table);
    }
}

void pgc_duckdb_stream_table_forget(pgc_duckdb_writer *writer, const pgconvoy_table *source)
{
    for (size_t i = 0; i < writer->table_count; i++) {
        if (writer->tables[i]->table != source)
            continue;
        if (*recent_place(writer, source) == writer->tables[i])
            *recent_place(writer, source) = NULL;
        free_table(writer->sink, writer->tables[i]);
        writer->tables[i] = writer->tables[--writer->table_count];
        return;
    }
}

void pgc_duckdb_apply_forget(pgc_duckdb_writer *writer, bool forget_tables)
{
    for (size_t i = 0; i < writer->table_count; i++) {
        if (forget_tables)
            free_table(writer->sink, writer->tables[i]);
        else
            pgc_compact_reset(writer->tables[i]->compact);
    }
    if (forget_tables)
        writer->table_count = 0;
    writer->gathered_bytes = 0;
    memset(writer->recent, 0, sizeof writer->recent);
}

int pgc_duckdb_apply_all(pgc_duckdb_writer *writer, pgconvoy_error *err)
{
    writer->gathered_bytes = 0;
    for (size_t i = 0; i < writer->table_count; i++) {
        if (pgc_duckdb_apply_table(writer, writer->tables[i], err) != 0)
            return -1;
    }
    return 0;
}

int pgc_duckdb_write_changes(void *arg, const pgconvoy_changes *changes, pgconvoy_error *err)
{
    pgc_duckdb_writer *writer = arg;
    for (size_t i = 0; i < changes->count; i++) {
        const pgconvoy_change *change = &changes->items[i];
        pgc_duckdb_stream_table *table;
        if (!change->table || change->operation == PGCONVOY_SCHEMA) /* no events were asked for; schema changes come by change_schema */
            continue;
        if (pgc_duckdb_stream_table_of(writer, change->table, &table, err) != 0)
            return -1;
        size_t before = pgc_compact_bytes(table->compact);
        if (pgc_compact_add(table->compact, change, err) != 0)
            return -1;
        size_t after = pgc_compact_bytes(table->compact);
        writer->gathered_bytes += after > before ? after - before : 0;
        if (writer->gathered_bytes > writer->sink->gather_bytes && pgc_duckdb_apply_all(writer, err) != 0)
            return -1;
    }
    return 0;
}

static void write_checkpoint(pgc_duckdb_writer *writer)
{
    pgconvoy_error ignored;
    if (writer->sink->target.motherduck) { /* writes its own */
        writer->updated_bytes = 0;
        return;
    }
    /* another writer's open transaction may forbid it; there will be another chance */
    if (pgc_duckdb_run_text(&writer->sink->api, writer->connection, "CHECKPOINT", "writing a checkpoint", &ignored) == 0)
        writer->updated_bytes = 0;
}

void pgc_duckdb_apply_relieve(pgc_duckdb_writer *writer)
{
    if (writer->updated_bytes > PGC_DUCKDB_UPDATE_BUDGET(writer->sink) / 4 * 3)
        write_checkpoint(writer);
}

int pgc_duckdb_apply_relieve_early(pgc_duckdb_writer *writer, pgconvoy_error *err)
{
    if (writer->wrote || writer->catalog_changed) /* a checkpoint cannot be written in the middle of a transaction that is not empty */
        return 0;
    pgc_duckdb_rollback(&writer->sink->api, writer->connection);
    write_checkpoint(writer);
    return pgc_duckdb_run_text(&writer->sink->api, writer->connection, "BEGIN", "starting a transaction", err);
}
