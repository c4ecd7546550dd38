/* The sink's operations, in the order in which they are called, and its descriptor; see clickhouse_internal.h. */
#include "sink/clickhouse/clickhouse_internal.h"

#include "base/clock.h"

#include <stdlib.h>

static void close_sink(void *state)
{
    pgc_clickhouse_sink *sink = state;
    pgc_clickhouse_loads_free(sink);
    pgc_clickhouse_session_close(&sink->control);
    pgc_clickhouse_checkpoint_forget(sink);
    for (size_t i = 0; i < sink->seen_count; i++) {
        free(sink->seen[i].schema);
        free(sink->seen[i].name);
        free(sink->seen[i].target);
    }
    free(sink->seen);
    pgc_arena_free(sink->checkpoint_arena);
    pgc_clickhouse_target_free(&sink->target);
    pthread_mutex_destroy(&sink->lock);
    pthread_mutex_destroy(&sink->load_lock);
    free(sink);
}

/* Of the sink's share of memory a quarter is for changes that are gathered. Each load of a copy has a body that is filled, one that
 * is sent, and a block; a body of changes has a compressed form besides. */
static void divide_memory(pgc_clickhouse_sink *sink)
{
    size_t memory = sink->config->memory_bytes, writers = sink->config->writers > 0 ? (size_t)sink->config->writers : 1;
    size_t body = memory / (3 * (writers + 1));
    sink->gather_bytes = memory / 4;
    sink->insert_bytes = body < ((size_t)1 << 20)    ? (size_t)1 << 20
                         : body > ((size_t)32 << 20) ? (size_t)32 << 20
                                                     : body;
}

static int connect_to_server(pgc_clickhouse_sink *sink, pgconvoy_error *err)
{
    pgc_clickhouse_target *target = &sink->target;
    if (pgc_clickhouse_session_open(&sink->control, target, &sink->has, sink->config->log, err) != 0 ||
        pgc_clickhouse_read_version(&sink->control, &sink->has, err) != 0)
        return -1;
    if (!target->compression_given)
        target->compression = sink->has.frames ? PGC_HTTP_LZ4 : PGC_HTTP_IDENTITY;
    if (target->compression == PGC_HTTP_LZ4 || target->compression == PGC_HTTP_ZSTD) {
        if (!sink->has.frames) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "a ClickHouse server of version %d.%d takes no lz4 or zstd",
                               sink->has.major, sink->has.minor);
            pgconvoy_error_hint(err, "choose compression=gzip or compression=none in the target");
            return -1;
        }
    }
    return 0;
}

static int open_sink(const pgconvoy_sink_config *config, void **state, pgconvoy_error *err)
{
    pgc_clickhouse_sink *sink = calloc(1, sizeof *sink);
    if (!sink)
        return pgc_error_out_of_memory(err);
    sink->config = config;
    pthread_mutex_init(&sink->lock, NULL);
    pthread_mutex_init(&sink->load_lock, NULL);
    divide_memory(sink);
    sink->checkpoint_arena = pgc_arena_new(4096);
    int result = sink->checkpoint_arena ? pgc_clickhouse_target_parse(config->target, &sink->target, err)
                                        : pgc_error_out_of_memory(err);
    if (result == 0)
        result = connect_to_server(sink, err);
    if (result != 0) {
        close_sink(sink);
        return -1;
    }
    *state = sink;
    return 0;
}

static pgconvoy_format column_format(void *state, const pgconvoy_column *column)
{
    const pgc_clickhouse_sink *sink = state;
    pgc_arena *arena = pgc_arena_new(1024);
    const pgc_clickhouse_type *type =
        arena ? pgc_clickhouse_type_of(column, column->in_key, &sink->target.types, &sink->has, arena) : NULL;
    pgconvoy_format format = type ? pgc_clickhouse_type_format(type) : PGCONVOY_TEXT;
    pgc_arena_free(arena);
    return format;
}

/* ---- writers */

static void close_writer(void *state)
{
    pgc_clickhouse_writer *writer = state;
    pgc_clickhouse_forget_all(writer);
    free(writer->tables);
    pgc_clickhouse_copy_abort(writer);
    pgc_clickhouse_encoder_free(&writer->encoder);
    pgc_buffer_free(&writer->body);
    pgc_clickhouse_session_close(&writer->session);
    free(writer);
}

static int open_writer(void *state, void **writer_out, pgconvoy_error *err)
{
    pgc_clickhouse_sink *sink = state;
    pgc_clickhouse_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return pgc_error_out_of_memory(err);
    writer->sink = sink;
    pgc_buffer_init(&writer->body, SIZE_MAX / 2);
    if (pgc_clickhouse_encoder_init(&writer->encoder, err) != 0 ||
        pgc_clickhouse_session_open(&writer->session, &sink->target, &sink->has, sink->config->log, err) != 0) {
        close_writer(writer);
        return -1;
    }
    *writer_out = writer;
    return 0;
}

static int begin(void *state, const pgconvoy_table *table, pgconvoy_error *err)
{
    pgc_clickhouse_writer *writer = state;
    return table ? pgc_clickhouse_copy_begin(writer, table, err) : 0;
}

/* Each INSERT makes a part of a table, which the server has to merge with others: a busy stream is held back a little,
 * so that more changes come together. */
static void keep_interval(pgc_clickhouse_writer *writer)
{
    int64_t since = (pgc_clock_monotonic_us() - writer->committed_at) / 1000;
    int interval = writer->sink->target.commit_interval_ms;
    if (writer->committed_at > 0 && since < interval)
        pgc_clock_sleep_ms((int)(interval - since));
}

static int commit(void *state, pgconvoy_lsn lsn, const pgconvoy_table_status *tables, size_t table_count,
                  pgconvoy_error *err)
{
    pgc_clickhouse_writer *writer = state;
    pgc_clickhouse_sink *sink = writer->sink;
    if (writer->load) {
        pgc_clickhouse_copy_park(writer);
    } else {
        keep_interval(writer);
        if (pgc_clickhouse_apply_all(writer, err) != 0)
            return -1;
    }
    if (lsn == 0 && table_count == 0)
        return 0;
    pthread_mutex_lock(&sink->lock);
    int result = pgc_clickhouse_checkpoint_store(sink, lsn, tables, table_count, NULL, err);
    pthread_mutex_unlock(&sink->lock);
    writer->committed_at = pgc_clock_monotonic_us();
    return result;
}

/* What was sent already stays; what comes again does no harm, or is removed before it comes (gather.c). */
static void abort_writer(void *state)
{
    pgc_clickhouse_writer *writer = state;
    pgc_buffer_reset(&writer->body);
    pgc_clickhouse_copy_abort(writer);
    pgc_clickhouse_forget_all(writer);
}

static const char *const schemes[] = {"clickhouse://", "clickhouses://", NULL};

const pgconvoy_sink pgc_sink_clickhouse = {
    .version = PGCONVOY_SINK_VERSION,
    .name = "clickhouse",
    .description = "a ClickHouse database, over HTTP or (clickhouses://) HTTPS",
    .schemes = schemes,
    .target_help = "clickhouse://USER:PASSWORD@HOST:PORT/DATABASE",
    .capabilities = PGCONVOY_SINK_PARALLEL | PGCONVOY_SINK_DDL_TRIAL | PGCONVOY_SINK_PRIVILEGES | PGCONVOY_SINK_NOTES_COLUMNS,
    .open = open_sink,
    .read_checkpoint = pgc_clickhouse_read_checkpoint,
    .column_format = column_format,
    .check_table = pgc_clickhouse_check_table,
    .prepare_table = pgc_clickhouse_prepare_table,
    .finish_table = pgc_clickhouse_finish_table,
    .open_writer = open_writer,
    .begin = begin,
    .write_rows = pgc_clickhouse_write_rows,
    .write_changes = pgc_clickhouse_write_changes,
    .change_schema = pgc_clickhouse_change_schema,
    .commit = commit,
    .abort = abort_writer,
    .close_writer = close_writer,
    .drop = pgc_clickhouse_drop,
    .close = close_sink,
    .check_privileges = pgc_clickhouse_check_privileges,
    .drop_by_hand = "ALTER TABLE " PGC_CLICKHOUSE_CHECKPOINT " DELETE WHERE pipeline = %s",
};
