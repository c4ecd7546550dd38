/*
 * The rows of a load as a table function: pgconvoy_rows(number) gives what the writers hand to the load of that number,
 * until it is complete. DuckDB reads it in the load's thread; a block of rows stays as it is until DuckDB comes for
 * more, as vectors point into it.
 */
#include "sink/duckdb/load.h"

#include <stdio.h>

static void bind_feed(duckdb_bind_info info)
{
    pgc_duckdb_sink *sink = pgc_duckdb_loaded()->bind_get_extra_info(info);
    const pgc_duckdb_api *api = &sink->api;
    duckdb_value number = api->bind_get_parameter(info, 0);
    pgc_duckdb_load *load = pgc_duckdb_load_of_number(sink, api->get_uint64(number));
    api->destroy_value(&number);
    if (!load) {
        api->bind_set_error(info, "no such load");
        return;
    }
    char name[32];
    for (int i = 0; i < load->layout->column_count; i++) {
        snprintf(name, sizeof name, "c%d", i);
        api->bind_add_result_column(info, name, load->layout->logical[i]);
    }
    api->bind_set_bind_data(info, load, NULL);
}

static void init_feed(duckdb_init_info info)
{
    pgc_duckdb_loaded()->init_set_max_threads(info, 1);
}

/* Waits for rows. NULL at the end; *given_up says that it is not a good one. What was given before is taken now. */
static const pgconvoy_rows *next_rows(pgc_duckdb_load *load, bool *given_up)
{
    pthread_mutex_lock(&load->lock);
    if (load->rows && load->given == load->rows->row_count) {
        load->rows = NULL;
        pthread_cond_broadcast(&load->changed);
    }
    if (!load->rows)
        load->given = 0;
    while (!load->rows && load->end == PGC_DUCKDB_LOAD_GOES_ON)
        pthread_cond_wait(&load->changed, &load->lock);
    *given_up = load->end == PGC_DUCKDB_LOAD_GIVEN_UP;
    const pgconvoy_rows *rows = *given_up ? NULL : load->rows;
    pthread_mutex_unlock(&load->lock);
    return rows;
}

static void fail(pgc_duckdb_load *load, duckdb_function_info info, const pgconvoy_error *err)
{
    pthread_mutex_lock(&load->lock);
    pgc_error_copy(&load->err, err);
    /* the next attempt reads the source's types again, and gives the target's column the label */
    if (load->encoder.unknown_label)
        pgconvoy_error_retriable(&load->err, true);
    load->failed = true;
    pthread_mutex_unlock(&load->lock);
    load->sink->api.function_set_error(info, err->message);
}

static const pgconvoy_value *row_of(const void *arg, size_t at)
{
    const pgc_duckdb_load *load = arg;
    return load->rows->values + (load->given + at) * (size_t)load->layout->table->column_count;
}

static const pgconvoy_value *no_key(const void *arg, size_t at)
{
    (void)arg;
    (void)at;
    return NULL;
}

/* Column by column. */
static int fill(pgc_duckdb_load *load, const pgconvoy_rows *rows, size_t count, duckdb_data_chunk output,
                pgconvoy_error *err)
{
    static const pgconvoy_value null_value = {.data = NULL, .length = PGCONVOY_NULL};
    const pgc_duckdb_layout *layout = load->layout;
    size_t stride = (size_t)layout->table->column_count;
    const pgconvoy_value *values = rows->values + load->given * stride;
    for (int column = 0; column < layout->column_count; column++) {
        for (size_t i = 0; i < count; i++)
            load->cells[i] = stride > 0 ? &values[i * stride + (size_t)column] : &null_value;
        duckdb_vector vector = load->sink->api.data_chunk_get_vector(output, (idx_t)column);
        const pgc_duckdb_column whole = {layout, column, load->cells, count, row_of, no_key, load};
        if (pgc_duckdb_encode_column(load->sink, &load->encoder, &whole, vector, err) != 0)
            return -1;
    }
    return 0;
}

static void read_feed(duckdb_function_info info, duckdb_data_chunk output)
{
    pgc_duckdb_load *load = pgc_duckdb_loaded()->function_get_bind_data(info);
    pgconvoy_error err = {0};
    bool given_up;
    pgc_arena_reset(load->encoder.arena);
    const pgconvoy_rows *rows = next_rows(load, &given_up);
    if (given_up) {
        load->sink->api.function_set_error(info, "given up");
        return;
    }
    if (!rows) {
        load->sink->api.data_chunk_set_size(output, 0);
        return;
    }
    size_t count = rows->row_count - load->given, most = (size_t)load->sink->api.vector_size();
    if (count > most)
        count = most;
    if (fill(load, rows, count, output, &err) != 0) {
        fail(load, info, &err);
        return;
    }
    load->given += count;
    load->sink->api.data_chunk_set_size(output, (idx_t)count);
}

int pgc_duckdb_feed_register(pgc_duckdb_sink *sink, pgconvoy_error *err)
{
    const pgc_duckdb_api *api = &sink->api;
    duckdb_table_function function = api->create_table_function();
    duckdb_logical_type number = api->create_logical_type(DUCKDB_TYPE_UBIGINT);
    api->table_function_set_name(function, PGC_DUCKDB_FEED);
    api->table_function_add_parameter(function, number);
    api->table_function_set_extra_info(function, sink, NULL);
    api->table_function_set_bind(function, bind_feed);
    api->table_function_set_init(function, init_feed);
    api->table_function_set_function(function, read_feed);
    duckdb_state state = api->register_table_function(sink->control, function);
    api->destroy_logical_type(&number);
    api->destroy_table_function(&function);
    if (state == DuckDBSuccess)
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "libduckdb does not take a table function");
    return -1;
}
