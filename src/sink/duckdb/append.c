/*
 * Rows of a table copy: each slice of rows becomes a data chunk, column by column, and goes to an appender in the writer's transaction. Several writers may
 * do so for one table at a time.
 */
#include "sink/duckdb/duckdb_internal.h"

#include <stdio.h>

static int appender_error(pgc_duckdb_writer *writer, const char *doing, pgconvoy_error *err)
{
    const pgconvoy_table *table = writer->layout->table;
    const char *message = writer->appender ? writer->sink->api.appender_error(writer->appender) : NULL;
    char what[64];
    snprintf(what, sizeof what, "%s", doing);
    pgc_duckdb_message_error(DUCKDB_ERROR_INVALID, message, what, err);
    pgc_error_prefix(err, "table %s.%s", table->schema, table->name);
    return -1;
}

/* The layout and the chunk are kept while ranges of the same table follow each other. */
static int use_table(pgc_duckdb_writer *writer, const pgconvoy_table *table, pgconvoy_error *err)
{
    pgc_duckdb_sink *sink = writer->sink;
    if (writer->layout && writer->layout->table == table)
        return 0;
    if (writer->chunk)
        sink->api.destroy_data_chunk(&writer->chunk);
    pgc_duckdb_layout_free(sink, writer->layout);
    writer->layout = pgc_duckdb_layout_new(sink, table, err);
    if (!writer->layout)
        return -1;
    writer->chunk = sink->api.create_data_chunk(writer->layout->logical, (idx_t)writer->layout->column_count);
    if (writer->chunk)
        return 0;
    pgc_duckdb_layout_free(sink, writer->layout);
    writer->layout = NULL;
    return pgc_error_out_of_memory(err);
}

int pgc_duckdb_append_begin(pgc_duckdb_writer *writer, const pgconvoy_table *table, pgconvoy_error *err)
{
    pgc_duckdb_sink *sink = writer->sink;
    bool same_order;
    if (use_table(writer, table, err) != 0 ||
        pgc_duckdb_adapt_columns(sink, writer->connection, writer->layout, &same_order, err) != 0)
        return -1;
    if (sink->api.appender_create_ext(writer->connection, sink->catalog, table->schema, table->name, &writer->appender) !=
        DuckDBSuccess)
        return appender_error(writer, "opening the table", err);
    for (int i = 0; !same_order && i < writer->layout->column_count; i++) {
        if (sink->api.appender_add_column(writer->appender, writer->layout->target_names[i]) != DuckDBSuccess)
            return appender_error(writer, "the table there has other columns", err);
    }
    writer->unflushed_bytes = 0;
    return 0;
}

static int fill_chunk(pgc_duckdb_writer *writer, const pgconvoy_value *values, size_t count, pgconvoy_error *err)
{
    static const pgconvoy_value null_value = {.data = NULL, .length = PGCONVOY_NULL};
    const pgc_duckdb_api *api = &writer->sink->api;
    const pgc_duckdb_layout *layout = writer->layout;
    size_t stride = (size_t)layout->table->column_count;
    for (int column = 0; column < layout->column_count; column++) {
        for (size_t i = 0; i < count; i++)
            writer->cells[i] = stride > 0 ? &values[i * stride + (size_t)column] : &null_value;
        duckdb_vector vector = api->data_chunk_get_vector(writer->chunk, (idx_t)column);
        if (pgc_duckdb_encode(&writer->encoder, layout->types[column], vector, 0, writer->cells, count, err) != 0) {
            pgc_error_prefix(err, "column %s of table %s.%s", pgc_duckdb_layout_column(layout, column), layout->table->schema,
                             layout->table->name);
            return -1;
        }
    }
    api->data_chunk_set_size(writer->chunk, (idx_t)count);
    return 0;
}

/* The appender gathers a fixed number of rows before it writes; with wide rows that is too much. */
static int limit_memory(pgc_duckdb_writer *writer, size_t bytes, pgconvoy_error *err)
{
    int writers = writer->sink->config->writers > 0 ? writer->sink->config->writers : 1;
    writer->unflushed_bytes += bytes;
    if (writer->unflushed_bytes < writer->sink->duckdb_bytes / 4 / (size_t)writers)
        return 0;
    writer->unflushed_bytes = 0;
    return writer->sink->api.appender_flush(writer->appender) == DuckDBSuccess ? 0 : appender_error(writer, "writing rows", err);
}

int pgc_duckdb_write_rows(void *arg, const pgconvoy_rows *rows, pgconvoy_error *err)
{
    pgc_duckdb_writer *writer = arg;
    const pgc_duckdb_api *api = &writer->sink->api;
    size_t stride = (size_t)rows->table->column_count;
    for (size_t done = 0; done < rows->row_count;) {
        size_t count = rows->row_count - done < writer->vector_size ? rows->row_count - done : writer->vector_size;
        pgc_arena_reset(writer->encoder.arena);
        api->data_chunk_reset(writer->chunk);
        if (fill_chunk(writer, rows->values + done * stride, count, err) != 0)
            return -1;
        if (api->append_data_chunk(writer->appender, writer->chunk) != DuckDBSuccess)
            return appender_error(writer, "writing rows", err);
        done += count;
    }
    size_t bytes = rows->raw_length;
    if (bytes == 0) {
        for (size_t i = 0; i < rows->row_count * stride; i++)
            bytes += rows->values[i].length > 0 ? (size_t)rows->values[i].length : 1;
    }
    return limit_memory(writer, bytes, err);
}

int pgc_duckdb_append_end(pgc_duckdb_writer *writer, pgconvoy_error *err)
{
    if (!writer->appender)
        return 0;
    int result = 0;
    if (writer->sink->api.appender_flush(writer->appender) != DuckDBSuccess)
        result = appender_error(writer, "writing rows", err);
    writer->sink->api.appender_destroy(&writer->appender);
    writer->appender = NULL;
    return result;
}

void pgc_duckdb_append_discard(pgc_duckdb_writer *writer)
{
    if (writer->appender)
        writer->sink->api.appender_destroy(&writer->appender);
    writer->appender = NULL;
}
