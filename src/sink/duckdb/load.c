/*
 * The rows of a table copy. A load is one INSERT in a transaction and on a connection of its own; it reads its rows
 * from a table function (feed.c) that hands on what the writer is given, so that values go from COPY's bytes into
 * DuckDB's vectors and nothing in between is filled and emptied again.
 *
 * A load lasts over the ranges of its table: a range that is committed parks it, whoever begins the next range takes it
 * up again, and finish_table commits it. So nearly all rows go into whole row groups (of 122,880 rows), which DuckDB
 * compresses and writes as they fill. Rows of a transaction that ends before its first row group is full are written
 * three times: as they come, to the log, and by the next checkpoint. Nothing is lost by it: a copy that is cut off
 * repeats its tables anyway.
 */
#include "sink/duckdb/load.h"

#include <stdlib.h>

/* A table of so many rows is worth the trouble of giving DuckDB its threads back while a key is made. */
#define MANY_ROWS 100000

static void free_load(pgc_duckdb_load *load)
{
    pgc_duckdb_sink *sink = load->sink;
    if (load->connection)
        sink->api.disconnect(&load->connection); /* rolls an open transaction back */
    pgc_duckdb_layout_free(sink, load->layout);
    pgc_duckdb_encoder_free(&load->encoder);
    free(load->cells);
    pgc_buffer_free(&load->sql);
    pthread_mutex_destroy(&load->lock);
    pthread_cond_destroy(&load->changed);
    free(load);
}

/* ---- the list of loads */

static void enlist(pgc_duckdb_sink *sink, pgc_duckdb_load *load)
{
    pthread_mutex_lock(&sink->load_lock);
    load->number = ++sink->load_number;
    load->next = sink->loads;
    sink->loads = load;
    pthread_mutex_unlock(&sink->load_lock);
}

static void delist(pgc_duckdb_load *load)
{
    pgc_duckdb_sink *sink = load->sink;
    pthread_mutex_lock(&sink->load_lock);
    for (pgc_duckdb_load **place = &sink->loads; *place; place = &(*place)->next) {
        if (*place != load)
            continue;
        *place = load->next;
        break;
    }
    pthread_mutex_unlock(&sink->load_lock);
}

pgc_duckdb_load *pgc_duckdb_load_of_number(pgc_duckdb_sink *sink, uint64_t number)
{
    pthread_mutex_lock(&sink->load_lock);
    pgc_duckdb_load *load = sink->loads;
    while (load && load->number != number)
        load = load->next;
    pthread_mutex_unlock(&sink->load_lock);
    return load;
}

/* A load of the table that waits for its next range, which is the caller's now; NULL when there is none. */
static pgc_duckdb_load *take_parked(pgc_duckdb_sink *sink, const pgconvoy_table *table)
{
    pthread_mutex_lock(&sink->load_lock);
    pgc_duckdb_load *load = sink->loads;
    while (load && (load->state != PGC_DUCKDB_LOAD_PARKED || load->layout->table != table))
        load = load->next;
    if (load)
        load->state = PGC_DUCKDB_LOAD_USED;
    pthread_mutex_unlock(&sink->load_lock);
    return load;
}

static void set_state(pgc_duckdb_load *load, pgc_duckdb_load_state state)
{
    pthread_mutex_lock(&load->sink->load_lock);
    load->state = state;
    pthread_mutex_unlock(&load->sink->load_lock);
}

/* ---- DuckDB's threads */

/*
 * While rows are loaded each load is a thread, and threads of DuckDB's own would only take each other's work and wait
 * for one another: DuckDB is told that all of its threads come from outside. With one thread or many, it then lets an
 * INSERT fill row groups of its own.
 */
static int use_threads(pgc_duckdb_sink *sink, duckdb_connection connection, bool loading, pgconvoy_error *err)
{
    int result = 0;
    pthread_mutex_lock(&sink->load_lock);
    if (sink->loading != loading && sink->threads > 1) {
        pgc_buffer sql;
        pgc_buffer_init(&sql, 256);
        pgc_buffer_format(&sql, "SET external_threads = %d", loading ? sink->threads : 1);
        result = pgc_duckdb_run(&sink->api, connection, &sql, "setting threads", NULL, err);
        pgc_buffer_free(&sql);
    }
    if (result == 0)
        sink->loading = loading;
    pthread_mutex_unlock(&sink->load_lock);
    return result;
}

int pgc_duckdb_load_none(pgc_duckdb_sink *sink, duckdb_connection connection, pgconvoy_error *err)
{
    pthread_mutex_lock(&sink->load_lock);
    bool busy = sink->loads != NULL;
    pthread_mutex_unlock(&sink->load_lock);
    return busy ? 0 : use_threads(sink, connection, false, err);
}

/* ---- begin */

static void *run_statement(void *arg)
{
    pgc_duckdb_load *load = arg;
    pgconvoy_error err = {0};
    int result = pgc_duckdb_run(&load->sink->api, load->connection, &load->sql, "writing rows", &load->row_count, &err);
    if (result != 0)
        pgc_error_prefix(&err, "table %s.%s", load->layout->table->schema, load->layout->table->name);
    pthread_mutex_lock(&load->lock);
    if (result != 0 && !load->failed) /* else err is what made the statement fail */
        pgc_error_copy(&load->err, &err);
    load->failed = result != 0;
    load->ended = true;
    pthread_cond_broadcast(&load->changed);
    pthread_mutex_unlock(&load->lock);
    return NULL;
}

static void insert_sql(pgc_duckdb_load *load, bool same_order)
{
    const pgconvoy_table *table = load->layout->table;
    pgc_buffer_text(&load->sql, "INSERT INTO ");
    pgc_duckdb_table_name(load->sink, table->schema, table->name, &load->sql);
    if (!same_order) {
        pgc_buffer_text(&load->sql, " (");
        pgc_duckdb_column_names(load->layout, &load->sql);
        pgc_buffer_text(&load->sql, ")");
    }
    pgc_buffer_format(&load->sql, " FROM " PGC_DUCKDB_FEED "(%llu::UBIGINT)", (unsigned long long)load->number);
}

static int start(pgc_duckdb_load *load, pgconvoy_error *err)
{
    pgc_duckdb_sink *sink = load->sink;
    bool same_order;
    if (sink->api.connect(sink->database, &load->connection) != DuckDBSuccess)
        return pgc_error_out_of_memory(err);
    if (use_threads(sink, load->connection, true, err) != 0 ||
        pgc_duckdb_run_text(&sink->api, load->connection, "BEGIN", "starting a transaction", err) != 0 ||
        pgc_duckdb_adapt_columns(sink, load->connection, load->layout, &same_order, err) != 0)
        return -1;
    insert_sql(load, same_order);
    if (pgc_buffer_check(&load->sql, err) != 0)
        return -1;
    if (pthread_create(&load->thread, NULL, run_statement, load) != 0) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_RESOURCE, "cannot start a thread for the rows of table %s.%s",
                           load->layout->table->schema, load->layout->table->name);
        pgconvoy_error_hint(err, "lower --jobs, or raise the limit of processes for this user");
        return -1;
    }
    load->started = true;
    return 0;
}

static pgc_duckdb_load *new_load(pgc_duckdb_sink *sink, const pgconvoy_table *table, pgconvoy_error *err)
{
    pgc_duckdb_load *load = calloc(1, sizeof *load);
    if (!load) {
        (void)pgc_error_out_of_memory(err);
        return NULL;
    }
    load->sink = sink;
    load->state = PGC_DUCKDB_LOAD_USED;
    pthread_mutex_init(&load->lock, NULL);
    pthread_cond_init(&load->changed, NULL);
    pgc_buffer_init(&load->sql, (size_t)16 << 20);
    load->cells = calloc((size_t)sink->api.vector_size(), sizeof *load->cells);
    int result = load->cells ? pgc_duckdb_encoder_init(&load->encoder, &sink->api, err) : pgc_error_out_of_memory(err);
    if (result == 0)
        load->layout = pgc_duckdb_layout_new(sink, table, err);
    if (!load->layout) {
        free_load(load);
        return NULL;
    }
    return load;
}

int pgc_duckdb_load_begin(pgc_duckdb_writer *writer, const pgconvoy_table *table, pgconvoy_error *err)
{
    writer->load = take_parked(writer->sink, table);
    if (writer->load)
        return 0;
    pgc_duckdb_load *load = new_load(writer->sink, table, err);
    if (!load)
        return -1;
    enlist(writer->sink, load);
    if (start(load, err) != 0) {
        delist(load);
        free_load(load);
        return -1;
    }
    writer->load = load;
    return 0;
}

/* ---- rows */

int pgc_duckdb_write_rows(void *arg, const pgconvoy_rows *rows, pgconvoy_error *err)
{
    pgc_duckdb_writer *writer = arg;
    pgc_duckdb_load *load = writer->load;
    if (rows->row_count == 0)
        return 0;
    pthread_mutex_lock(&load->lock);
    load->rows = rows;
    pthread_cond_broadcast(&load->changed);
    while (load->rows && !load->ended)
        pthread_cond_wait(&load->changed, &load->lock);
    load->rows = NULL;
    if (load->ended)
        pgc_error_copy(err, &load->err);
    int result = load->ended ? -1 : 0;
    pthread_mutex_unlock(&load->lock);
    return result;
}

/* ---- end */

static void tell(pgc_duckdb_load *load, pgc_duckdb_load_end end)
{
    pthread_mutex_lock(&load->lock);
    load->end = end;
    pthread_cond_broadcast(&load->changed);
    pthread_mutex_unlock(&load->lock);
}

static void give_up(pgc_duckdb_load *load)
{
    if (!load->started)
        return;
    tell(load, PGC_DUCKDB_LOAD_GIVEN_UP);
    pthread_join(load->thread, NULL);
    load->started = false;
}

void pgc_duckdb_load_park(pgc_duckdb_writer *writer)
{
    writer->load->ranges++;
    set_state(writer->load, PGC_DUCKDB_LOAD_PARKED);
    writer->load = NULL;
}

void pgc_duckdb_load_abort(pgc_duckdb_writer *writer)
{
    pgc_duckdb_load *load = writer->load;
    if (!load)
        return;
    writer->load = NULL;
    give_up(load);
    if (load->ranges > 0) { /* rows of other ranges went with it: the table must not be finished */
        pgc_duckdb_rollback(&load->sink->api, load->connection);
        set_state(load, PGC_DUCKDB_LOAD_LOST);
        return;
    }
    delist(load);
    free_load(load);
}

/* A load of the table, or of any (NULL), which is the caller's to end; NULL when there is none. */
static pgc_duckdb_load *take_to_end(pgc_duckdb_sink *sink, const pgconvoy_table *table)
{
    pthread_mutex_lock(&sink->load_lock);
    pgc_duckdb_load *load = sink->loads;
    while (load && (load->state == PGC_DUCKDB_LOAD_ENDING || (table && load->layout->table != table)))
        load = load->next;
    if (load) {
        load->lost = load->state == PGC_DUCKDB_LOAD_LOST;
        load->state = PGC_DUCKDB_LOAD_ENDING;
    }
    pthread_mutex_unlock(&sink->load_lock);
    return load;
}

void pgc_duckdb_load_drop(pgc_duckdb_sink *sink, const pgconvoy_table *table)
{
    for (pgc_duckdb_load *load; (load = take_to_end(sink, table));) {
        give_up(load);
        delist(load);
        free_load(load);
    }
}

static int commit_load(pgc_duckdb_load *load, pgconvoy_error *err)
{
    if (load->lost) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "rows of table %s.%s were given up before it was finished",
                           load->layout->table->schema, load->layout->table->name);
        pgconvoy_error_hint(err, "run the same command again: it copies the table again");
        return -1;
    }
    pthread_join(load->thread, NULL);
    load->started = false;
    if (load->failed) {
        pgc_error_copy(err, &load->err);
        return -1;
    }
    return pgc_duckdb_commit(load->sink, load->connection, "committing", err);
}

int pgc_duckdb_load_finish(pgc_duckdb_sink *sink, const pgconvoy_table *table, pgconvoy_error *err)
{
    pgc_duckdb_load *first = NULL, *load;
    while ((load = take_to_end(sink, table))) {
        if (load->started)
            tell(load, PGC_DUCKDB_LOAD_COMPLETE); /* all of them at once: each has a last row group to compress */
        load->next_ending = first;
        first = load;
    }
    int result = 0;
    int64_t rows = 0;
    while ((load = first)) {
        first = load->next_ending;
        if (result == 0)
            result = commit_load(load, err);
        rows += load->row_count;
        give_up(load);
        delist(load);
        if (result == 0 && !first && rows > MANY_ROWS)
            result = pgc_duckdb_load_none(sink, load->connection, err);
        free_load(load);
    }
    return result;
}
