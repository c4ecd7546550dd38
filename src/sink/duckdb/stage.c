/*
 * Items of a compaction as a table function: pgconvoy_stage() gives the rows of the items that are staged just now, so that one bulk statement reads them straight
 * from memory and nothing is copied into a staging table. The function belongs to the database, hence one stage for the sink; its lock is held while a statement
 * reads from it.
 */
#include "sink/duckdb/duckdb_internal.h"

#include <stdio.h>
#include <stdlib.h>

struct pgc_duckdb_stage {
    const pgc_duckdb_sink *sink;
    const pgc_duckdb_api *api;
    const pgc_duckdb_staged *staged;
    pgc_duckdb_encoder *encoder; /* of the writer whose statement runs */
    duckdb_logical_type number;
    pgconvoy_error err;          /* of the last statement: DuckDB carries only its text */
    bool failed;
};

/* One scan of the stage. */
typedef struct scan {
    size_t next;
    const pgconvoy_value *cells[];
} scan;

#define LARGEST_VECTOR 65536 /* libduckdb is built with 2048 */

/* ---- what DuckDB calls */

static void bind_stage(duckdb_bind_info info)
{
    const pgc_duckdb_stage *stage = pgc_duckdb_loaded()->bind_get_extra_info(info);
    const pgc_duckdb_staged *staged = stage->staged;
    char name[32];
    for (size_t i = 0; i < staged->column_count; i++) {
        const pgc_duckdb_stage_column *column = &staged->columns[i];
        switch (column->source) {
        case PGC_DUCKDB_STAGE_ROW:
            snprintf(name, sizeof name, "c%d", column->index);
            stage->api->bind_add_result_column(info, name, staged->layout->logical[column->index]);
            break;
        case PGC_DUCKDB_STAGE_KEY:
            snprintf(name, sizeof name, "k%d", column->index);
            stage->api->bind_add_result_column(info, name, staged->layout->logical[staged->layout->table->key[column->index]]);
            break;
        case PGC_DUCKDB_STAGE_COPIES:
            stage->api->bind_add_result_column(info, "n", stage->number);
            break;
        case PGC_DUCKDB_STAGE_ORDER:
            stage->api->bind_add_result_column(info, "i", stage->number);
            break;
        }
    }
    stage->api->bind_set_cardinality(info, (idx_t)staged->count, true);
}

static void init_scan(duckdb_init_info info)
{
    scan *s = malloc(sizeof *s + LARGEST_VECTOR * sizeof s->cells[0]); /* untouched pages cost nothing */
    if (!s) {
        pgc_duckdb_loaded()->init_set_error(info, "out of memory");
        return;
    }
    s->next = 0;
    pgc_duckdb_loaded()->init_set_init_data(info, s, free);
    pgc_duckdb_loaded()->init_set_max_threads(info, 1); /* the encoder belongs to one thread at a time */
}

static const pgconvoy_value *cell(const pgc_duckdb_staged *staged, const pgc_compact_item *item,
                                  const pgc_duckdb_stage_column *column)
{
    static const pgconvoy_value null_value = {.data = NULL, .length = PGCONVOY_NULL};
    const pgconvoy_table *table = staged->layout->table;
    if (column->source == PGC_DUCKDB_STAGE_KEY)
        return item->key ? &item->key[column->index] : &item->row[table->key[column->index]];
    return table->column_count > 0 ? &item->row[column->index] : &null_value;
}

static const pgconvoy_value *row_of(const void *items, size_t at)
{
    return ((const pgc_compact_item *)items)[at].row;
}

static const pgconvoy_value *key_of(const void *items, size_t at)
{
    return ((const pgc_compact_item *)items)[at].key;
}

static int fill_column(pgc_duckdb_stage *stage, scan *s, size_t count, const pgc_duckdb_stage_column *column,
                       duckdb_vector vector)
{
    const pgc_duckdb_staged *staged = stage->staged;
    const pgc_compact_item *items = staged->items + s->next;
    if (column->source == PGC_DUCKDB_STAGE_COPIES || column->source == PGC_DUCKDB_STAGE_ORDER) {
        int64_t *data = stage->api->vector_get_data(vector);
        for (size_t i = 0; i < count; i++)
            data[i] = column->source == PGC_DUCKDB_STAGE_ORDER ? (int64_t)(s->next + i) : (int64_t)items[i].copies;
        return 0;
    }
    int at = column->source == PGC_DUCKDB_STAGE_KEY ? staged->layout->table->key[column->index] : column->index;
    for (size_t i = 0; i < count; i++)
        s->cells[i] = cell(staged, &items[i], column);
    const pgc_duckdb_column whole = {staged->layout, at, s->cells, count, row_of, key_of, items};
    return pgc_duckdb_encode_column(stage->sink, stage->encoder, &whole, vector, &stage->err);
}

static void read_stage(duckdb_function_info info, duckdb_data_chunk output)
{
    pgc_duckdb_stage *stage = pgc_duckdb_loaded()->function_get_extra_info(info);
    const pgc_duckdb_staged *staged = stage->staged;
    scan *s = stage->api->function_get_init_data(info);
    size_t count = staged->count - s->next, most = (size_t)stage->api->vector_size();
    if (count > most)
        count = most;
    for (size_t i = 0; count > 0 && i < staged->column_count; i++) {
        if (fill_column(stage, s, count, &staged->columns[i], stage->api->data_chunk_get_vector(output, (idx_t)i)) == 0)
            continue;
        stage->failed = true;
        stage->api->function_set_error(info, stage->err.message);
        return;
    }
    stage->api->data_chunk_set_size(output, (idx_t)count);
    s->next += count;
}

/* ---- what the sink calls */

pgc_duckdb_stage *pgc_duckdb_stage_new(pgc_duckdb_sink *sink, pgconvoy_error *err)
{
    const pgc_duckdb_api *api = &sink->api;
    pgc_duckdb_stage *stage = calloc(1, sizeof *stage);
    if (!stage || api->vector_size() > LARGEST_VECTOR) {
        free(stage);
        (void)pgc_error_out_of_memory(err);
        return NULL;
    }
    stage->sink = sink;
    stage->api = api;
    stage->number = api->create_logical_type(DUCKDB_TYPE_BIGINT);
    duckdb_table_function function = api->create_table_function();
    api->table_function_set_name(function, "pgconvoy_stage");
    api->table_function_set_extra_info(function, stage, NULL);
    api->table_function_set_bind(function, bind_stage);
    api->table_function_set_init(function, init_scan);
    api->table_function_set_function(function, read_stage);
    duckdb_state state = api->register_table_function(sink->control, function);
    api->destroy_table_function(&function);
    if (state != DuckDBSuccess) {
        pgc_duckdb_stage_free(stage);
        pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "libduckdb does not take a table function");
        return NULL;
    }
    return stage;
}

void pgc_duckdb_stage_free(pgc_duckdb_stage *stage)
{
    if (!stage)
        return;
    stage->api->destroy_logical_type(&stage->number);
    free(stage);
}

int pgc_duckdb_stage_run(pgc_duckdb_writer *writer, const pgc_duckdb_staged *staged, const pgc_buffer *sql,
                         const char *doing, int64_t *changed, pgconvoy_error *err)
{
    pgc_duckdb_sink *sink = writer->sink;
    pgc_duckdb_stage *stage = sink->stage;
    pthread_mutex_lock(&sink->stage_lock);
    pgc_arena_reset(writer->encoder.arena);
    stage->staged = staged;
    stage->encoder = &writer->encoder;
    stage->failed = false;
    writer->encoder.unknown_label = false;
    int result = pgc_duckdb_run(&sink->api, writer->connection, sql, doing, changed, err);
    if (result != 0 && stage->failed) {
        pgc_error_copy(err, &stage->err);
        /* the next attempt reads the source's types again, and gives the target's column the label */
        pgconvoy_error_retriable(err, writer->encoder.unknown_label);
    } else if (result != 0) {
        pgc_error_prefix(err, "table %s.%s", staged->layout->table->schema, staged->layout->table->name);
    }
    stage->staged = NULL;
    stage->encoder = NULL;
    pthread_mutex_unlock(&sink->stage_lock);
    return result;
}
