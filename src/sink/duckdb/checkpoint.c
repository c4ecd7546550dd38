/*
 * The checkpoint: tables in the schema "pgconvoy" of the file, written in the transactions that write the data. LSNs are kept as UBIGINT. With each
 * table stand the numbers that its columns have at the source, as names alone do not tell which column is which by then.
 * There is no key on them: a row is updated in place, and an index would make each commit dearer.
 */
#include "sink/duckdb/duckdb_internal.h"

#include "postgres/quote.h"

#include <strings.h>

static const char *const state_names[] = {
    [PGCONVOY_TABLE_WAITING] = "waiting",
    [PGCONVOY_TABLE_COPYING] = "copying",
    [PGCONVOY_TABLE_CATCHING_UP] = "catching up",
    [PGCONVOY_TABLE_LIVE] = "live",
    [PGCONVOY_TABLE_FAILED] = "failed",
};
#define STATE_COUNT (sizeof state_names / sizeof *state_names)

static void checkpoint_table_name(const pgc_duckdb_sink *sink, const char *name, pgc_buffer *sql)
{
    pgc_duckdb_table_name(sink, PGC_DUCKDB_SCHEMA, name, sql);
}

static void where_table(const pgc_duckdb_sink *sink, const char *schema, const char *name, pgc_buffer *sql)
{
    pgc_buffer_text(sql, " WHERE pipeline = ");
    pgc_quote_literal(sql, sink->config->pipeline_name);
    pgc_buffer_text(sql, " AND schema_name = ");
    pgc_quote_literal(sql, schema);
    pgc_buffer_text(sql, " AND table_name = ");
    pgc_quote_literal(sql, name);
}

/* Whether the checkpoint's tables are there, under the lock. */
static int is_there(pgc_duckdb_sink *sink, bool *there, pgconvoy_error *err)
{
    duckdb_result columns;
    *there = sink->checkpoint_ready;
    if (*there)
        return 0;
    if (pgc_duckdb_table_info(sink, sink->control, PGC_DUCKDB_SCHEMA, "tables", &columns, there, err) != 0)
        return -1;
    if (*there)
        sink->api.destroy_result(&columns);
    return 0;
}

static void make_columns_sql(const pgc_duckdb_sink *sink, pgc_buffer *sql)
{
    pgc_buffer_text(sql, "CREATE TABLE IF NOT EXISTS ");
    checkpoint_table_name(sink, "columns", sql);
    pgc_buffer_text(sql, " (pipeline VARCHAR, schema_name VARCHAR, table_name VARCHAR, column_name VARCHAR, number INTEGER); ");
}

static int make_tables(pgc_duckdb_sink *sink, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 4096);
    pgc_buffer_text(&sql, "BEGIN; CREATE SCHEMA IF NOT EXISTS ");
    pgc_quote_qualified(&sql, sink->catalog, PGC_DUCKDB_SCHEMA);
    pgc_buffer_text(&sql, "; ");
    make_columns_sql(sink, &sql);
    pgc_buffer_text(&sql, "CREATE TABLE IF NOT EXISTS ");
    checkpoint_table_name(sink, "pipelines", &sql);
    pgc_buffer_text(&sql, " (name VARCHAR, source_id VARCHAR, lsn UBIGINT, updated_at TIMESTAMPTZ); "
                          "CREATE TABLE IF NOT EXISTS ");
    checkpoint_table_name(sink, "tables", &sql);
    pgc_buffer_text(&sql, " (pipeline VARCHAR, schema_name VARCHAR, table_name VARCHAR, state VARCHAR, copy_lsn UBIGINT, "
                          "how VARCHAR)");
    int result = pgc_duckdb_run(&sink->api, sink->control, &sql, "creating the checkpoint", NULL, err);
    if (result == 0)
        result = pgc_duckdb_commit(sink, sink->control, "creating the checkpoint", err);
    if (result != 0)
        pgc_duckdb_rollback(&sink->api, sink->control);
    pgc_buffer_free(&sql);
    return result;
}

int pgc_duckdb_checkpoint_ensure(pgc_duckdb_sink *sink, pgconvoy_error *err)
{
    if (sink->config->tell) /* a trial makes nothing that stays */
        return 0;
    pthread_mutex_lock(&sink->lock);
    int result = sink->checkpoint_ready ? 0 : make_tables(sink, err);
    if (result == 0)
        sink->checkpoint_ready = true;
    pthread_mutex_unlock(&sink->lock);
    return result;
}

/* ---- reading */

static int read_pipeline(pgc_duckdb_sink *sink, pgconvoy_checkpoint *checkpoint, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 4096);
    pgc_buffer_text(&sql, "SELECT source_id, lsn FROM ");
    checkpoint_table_name(sink, "pipelines", &sql);
    pgc_buffer_text(&sql, " WHERE name = ");
    pgc_quote_literal(&sql, sink->config->pipeline_name);
    duckdb_result found;
    int result = pgc_duckdb_select(&sink->api, sink->control, &sql, "reading the checkpoint", &found, err);
    pgc_buffer_free(&sql);
    if (result != 0)
        return -1;
    if (sink->api.row_count(&found) > 0) {
        checkpoint->source_id = pgc_duckdb_cell(&sink->api, &found, 0, 0, sink->checkpoint_arena);
        checkpoint->lsn = (pgconvoy_lsn)pgc_duckdb_number(&sink->api, &found, 0, 1);
    }
    sink->api.destroy_result(&found);
    return 0;
}

static pgconvoy_table_state state_of(const char *name)
{
    for (size_t i = 0; name && i < STATE_COUNT; i++) {
        if (strcmp(state_names[i], name) == 0)
            return (pgconvoy_table_state)i;
    }
    return PGCONVOY_TABLE_WAITING;
}

static int read_tables(pgc_duckdb_sink *sink, pgconvoy_checkpoint *checkpoint, pgconvoy_error *err)
{
    const pgc_duckdb_api *api = &sink->api;
    pgc_arena *arena = sink->checkpoint_arena;
    pgc_buffer sql;
    pgc_buffer_init(&sql, 4096);
    pgc_buffer_text(&sql, "SELECT schema_name, table_name, state, copy_lsn FROM ");
    checkpoint_table_name(sink, "tables", &sql);
    pgc_buffer_text(&sql, " WHERE pipeline = ");
    pgc_quote_literal(&sql, sink->config->pipeline_name);
    duckdb_result found;
    int result = pgc_duckdb_select(api, sink->control, &sql, "reading the checkpoint", &found, err);
    pgc_buffer_free(&sql);
    if (result != 0)
        return -1;
    size_t count = (size_t)api->row_count(&found);
    pgconvoy_table_status *tables = pgc_arena_zalloc(arena, count * sizeof *tables + 1);
    for (size_t i = 0; tables && i < count; i++) {
        tables[i].schema = pgc_duckdb_cell(api, &found, i, 0, arena);
        tables[i].name = pgc_duckdb_cell(api, &found, i, 1, arena);
        tables[i].state = state_of(pgc_duckdb_cell(api, &found, i, 2, arena));
        tables[i].copy_lsn = (pgconvoy_lsn)pgc_duckdb_number(api, &found, i, 3);
    }
    api->destroy_result(&found);
    checkpoint->tables = tables;
    checkpoint->table_count = tables ? count : 0;
    return tables ? 0 : pgc_error_out_of_memory(err);
}

int pgc_duckdb_read_checkpoint(void *arg, pgconvoy_checkpoint *checkpoint, pgconvoy_error *err)
{
    pgc_duckdb_sink *sink = arg;
    memset(checkpoint, 0, sizeof *checkpoint);
    pthread_mutex_lock(&sink->lock);
    pgc_arena_reset(sink->checkpoint_arena);
    bool there = false;
    int result = is_there(sink, &there, err);
    if (result == 0 && there)
        result = read_pipeline(sink, checkpoint, err);
    if (result == 0 && there)
        result = read_tables(sink, checkpoint, err);
    pthread_mutex_unlock(&sink->lock);
    return result;
}

int pgc_duckdb_checkpoint_owned(pgc_duckdb_sink *sink, duckdb_connection connection, const pgconvoy_table *table, const char **how,
                                pgconvoy_error *err)
{
    *how = NULL;
    bool there = false;
    if (is_there(sink, &there, err) != 0)
        return -1;
    if (!there)
        return 0;
    pgc_buffer sql;
    pgc_buffer_init(&sql, 4096);
    pgc_buffer_text(&sql, "SELECT how FROM ");
    checkpoint_table_name(sink, "tables", &sql);
    where_table(sink, table->schema, table->name, &sql);
    duckdb_result found;
    int result = pgc_duckdb_select(&sink->api, connection, &sql, "reading the checkpoint", &found, err);
    pgc_buffer_free(&sql);
    if (result != 0)
        return -1;
    static const char *const ways[] = {PGC_DUCKDB_MADE, PGC_DUCKDB_EMPTIED, PGC_DUCKDB_APPENDED};
    if (sink->api.row_count(&found) > 0) {
        char *text = sink->api.value_varchar(&found, 0, 0);
        *how = PGC_DUCKDB_APPENDED; /* what is not understood is treated as somebody's own */
        for (size_t i = 0; text && i < sizeof ways / sizeof *ways; i++) {
            if (strcmp(text, ways[i]) == 0)
                *how = ways[i];
        }
        sink->api.free(text);
    }
    sink->api.destroy_result(&found);
    return 0;
}

/* ---- writing */

/* The pipeline is named with its first table, so that a checkpoint always says whose it is. Tables are prepared one at a time, so two rows cannot come. */
static int name_pipeline(pgc_duckdb_sink *sink, duckdb_connection connection, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 8192);
    pgc_buffer_text(&sql, "INSERT INTO ");
    checkpoint_table_name(sink, "pipelines", &sql);
    pgc_buffer_text(&sql, " SELECT ");
    pgc_quote_literal(&sql, sink->config->pipeline_name);
    pgc_buffer_text(&sql, ", ");
    pgc_quote_literal(&sql, sink->config->source_id ? sink->config->source_id : "");
    pgc_buffer_text(&sql, ", 0, now() WHERE NOT EXISTS (SELECT 1 FROM ");
    checkpoint_table_name(sink, "pipelines", &sql);
    pgc_buffer_text(&sql, " WHERE name = ");
    pgc_quote_literal(&sql, sink->config->pipeline_name);
    pgc_buffer_byte(&sql, ')');
    int result = pgc_duckdb_run(&sink->api, connection, &sql, "storing the pipeline's name", NULL, err);
    pgc_buffer_free(&sql);
    return result;
}

int pgc_duckdb_checkpoint_table(pgc_duckdb_sink *sink, duckdb_connection connection, const pgconvoy_table_status *status,
                                const char *how, pgconvoy_error *err)
{
    static const char doing[] = "storing a table's state";
    const char *state = (size_t)status->state < STATE_COUNT ? state_names[status->state] : state_names[0];
    pgc_buffer sql;
    pgc_buffer_init(&sql, 8192);
    pgc_buffer_text(&sql, "UPDATE ");
    checkpoint_table_name(sink, "tables", &sql);
    pgc_buffer_format(&sql, " SET state = '%s', copy_lsn = %llu", state, (unsigned long long)status->copy_lsn);
    if (how)
        pgc_buffer_format(&sql, ", how = '%s'", how);
    where_table(sink, status->schema, status->name, &sql);
    int64_t changed = 0;
    int result = pgc_duckdb_run(&sink->api, connection, &sql, doing, &changed, err);
    if (result == 0 && changed == 0) {
        pgc_buffer_reset(&sql);
        pgc_buffer_text(&sql, "INSERT INTO ");
        checkpoint_table_name(sink, "tables", &sql);
        pgc_buffer_text(&sql, " VALUES (");
        pgc_quote_literal(&sql, sink->config->pipeline_name);
        pgc_buffer_text(&sql, ", ");
        pgc_quote_literal(&sql, status->schema);
        pgc_buffer_text(&sql, ", ");
        pgc_quote_literal(&sql, status->name);
        pgc_buffer_format(&sql, ", '%s', %llu, '%s')", state, (unsigned long long)status->copy_lsn,
                          how ? how : PGC_DUCKDB_APPENDED);
        result = pgc_duckdb_run(&sink->api, connection, &sql, doing, NULL, err);
        if (result == 0)
            result = name_pipeline(sink, connection, err);
    }
    pgc_buffer_free(&sql);
    return result;
}

int pgc_duckdb_checkpoint_is_made(pgc_duckdb_sink *sink, duckdb_connection connection, const pgconvoy_table *table, bool *made,
                                  pgconvoy_error *err)
{
    const char *how;
    pthread_mutex_lock(&sink->lock);
    int result = pgc_duckdb_checkpoint_owned(sink, connection, table, &how, err);
    *made = result == 0 && how && strcmp(how, PGC_DUCKDB_MADE) == 0;
    pthread_mutex_unlock(&sink->lock);
    return result;
}

int pgc_duckdb_checkpoint_rename(pgc_duckdb_sink *sink, duckdb_connection connection, const pgconvoy_table *from,
                                 const pgconvoy_table *to, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 8192);
    pgc_buffer_text(&sql, "UPDATE ");
    checkpoint_table_name(sink, "tables", &sql);
    pgc_buffer_text(&sql, " SET schema_name = ");
    pgc_quote_literal(&sql, to->schema);
    pgc_buffer_text(&sql, ", table_name = ");
    pgc_quote_literal(&sql, to->name);
    where_table(sink, from->schema, from->name, &sql);
    int result = pgc_duckdb_run(&sink->api, connection, &sql, "storing a table's new name", NULL, err);
    pgc_buffer_free(&sql);
    return result;
}

int pgc_duckdb_checkpoint_forget(pgc_duckdb_sink *sink, duckdb_connection connection, const pgconvoy_table *table,
                                 pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 8192);
    pgc_buffer_text(&sql, "DELETE FROM ");
    checkpoint_table_name(sink, "columns", &sql);
    where_table(sink, table->schema, table->name, &sql);
    pgc_buffer_text(&sql, "; DELETE FROM ");
    checkpoint_table_name(sink, "tables", &sql);
    where_table(sink, table->schema, table->name, &sql);
    int result = pgc_duckdb_run(&sink->api, connection, &sql, "forgetting a dropped table", NULL, err);
    pgc_buffer_free(&sql);
    return result;
}

int pgc_duckdb_checkpoint_columns(pgc_duckdb_sink *sink, duckdb_connection connection, const pgconvoy_table *from,
                                  const pgconvoy_table *table, pgconvoy_error *err)
{
    pgc_buffer sql;
    bool any = false;
    pgc_buffer_init(&sql, (size_t)4 << 20);
    for (int i = 0; i < 2; i++) {
        const pgconvoy_table *of = i ? table : from;
        pgc_buffer_text(&sql, i ? "; DELETE FROM " : "DELETE FROM ");
        checkpoint_table_name(sink, "columns", &sql);
        where_table(sink, of->schema, of->name, &sql);
    }
    for (int i = 0; i < table->column_count; i++) {
        if (table->columns[i].number == 0)
            continue;
        if (!any) {
            pgc_buffer_text(&sql, "; INSERT INTO ");
            checkpoint_table_name(sink, "columns", &sql);
        }
        const char *const words[] = {sink->config->pipeline_name, table->schema, table->name, table->columns[i].name};
        for (size_t w = 0; w < 4; w++) {
            pgc_buffer_text(&sql, w ? ", " : any ? ", (" : " VALUES (");
            pgc_quote_literal(&sql, words[w]);
        }
        pgc_buffer_format(&sql, ", %d)", table->columns[i].number);
        any = true;
    }
    int result = pgc_duckdb_run(&sink->api, connection, &sql, "storing the numbers of a table's columns", NULL, err);
    pgc_buffer_free(&sql);
    return result;
}

int pgc_duckdb_checkpoint_numbers(pgc_duckdb_sink *sink, duckdb_connection connection, const char *schema, const char *table,
                                  const char *const *names, int count, int *numbers, pgconvoy_error *err)
{
    duckdb_result found;
    bool there;
    for (int i = 0; i < count; i++)
        numbers[i] = 0;
    if (pgc_duckdb_table_info(sink, connection, PGC_DUCKDB_SCHEMA, "columns", &found, &there, err) != 0)
        return -1;
    if (!there)
        return 0;
    sink->api.destroy_result(&found);
    pgc_buffer sql;
    pgc_buffer_init(&sql, 8192);
    pgc_buffer_text(&sql, "SELECT column_name, number FROM ");
    checkpoint_table_name(sink, "columns", &sql);
    where_table(sink, schema, table, &sql);
    int result = pgc_duckdb_select(&sink->api, connection, &sql, "reading the numbers of a table's columns", &found, err);
    pgc_buffer_free(&sql);
    if (result != 0)
        return -1;
    for (idx_t row = 0; row < sink->api.row_count(&found); row++) {
        char *name = sink->api.value_varchar(&found, 0, row);
        for (int i = 0; name && i < count; i++) {
            if (strcasecmp(names[i], name) == 0)
                numbers[i] = (int)pgc_duckdb_number(&sink->api, &found, row, 1);
        }
        sink->api.free(name);
    }
    sink->api.destroy_result(&found);
    return 0;
}

int pgc_duckdb_checkpoint_position(pgc_duckdb_sink *sink, duckdb_connection connection, pgconvoy_lsn lsn, pgconvoy_error *err)
{
    static const char doing[] = "storing the position";
    const char *source_id = sink->config->source_id ? sink->config->source_id : "";
    pgc_buffer sql;
    pgc_buffer_init(&sql, 8192);
    pgc_buffer_text(&sql, "UPDATE ");
    checkpoint_table_name(sink, "pipelines", &sql);
    pgc_buffer_format(&sql, " SET lsn = %llu, updated_at = now(), source_id = ", (unsigned long long)lsn);
    pgc_quote_literal(&sql, source_id);
    pgc_buffer_text(&sql, " WHERE name = ");
    pgc_quote_literal(&sql, sink->config->pipeline_name);
    int64_t changed = 0;
    int result = pgc_duckdb_run(&sink->api, connection, &sql, doing, &changed, err);
    if (result == 0 && changed == 0) {
        pgc_buffer_reset(&sql);
        pgc_buffer_text(&sql, "INSERT INTO ");
        checkpoint_table_name(sink, "pipelines", &sql);
        pgc_buffer_text(&sql, " VALUES (");
        pgc_quote_literal(&sql, sink->config->pipeline_name);
        pgc_buffer_text(&sql, ", ");
        pgc_quote_literal(&sql, source_id);
        pgc_buffer_format(&sql, ", %llu, now())", (unsigned long long)lsn);
        result = pgc_duckdb_run(&sink->api, connection, &sql, doing, NULL, err);
    }
    pgc_buffer_free(&sql);
    return result;
}

int pgc_duckdb_drop(void *arg, pgconvoy_error *err)
{
    pgc_duckdb_sink *sink = arg;
    bool there = false;
    pgc_buffer sql;
    pgc_buffer_init(&sql, 8192);
    pthread_mutex_lock(&sink->lock);
    int result = is_there(sink, &there, err);
    if (result == 0 && there) {
        pgc_buffer_text(&sql, "BEGIN; ");
        make_columns_sql(sink, &sql); /* a file of before has none */
        static const char *const of_tables[] = {"columns", "tables"};
        for (size_t i = 0; i < 2; i++) {
            pgc_buffer_text(&sql, i ? "; DELETE FROM " : "DELETE FROM ");
            checkpoint_table_name(sink, of_tables[i], &sql);
            pgc_buffer_text(&sql, " WHERE pipeline = ");
            pgc_quote_literal(&sql, sink->config->pipeline_name);
        }
        pgc_buffer_text(&sql, "; DELETE FROM ");
        checkpoint_table_name(sink, "pipelines", &sql);
        pgc_buffer_text(&sql, " WHERE name = ");
        pgc_quote_literal(&sql, sink->config->pipeline_name);
        result = pgc_duckdb_run(&sink->api, sink->control, &sql, "removing the checkpoint", NULL, err);
        if (result == 0)
            result = pgc_duckdb_commit(sink, sink->control, "removing the checkpoint", err);
        if (result != 0)
            pgc_duckdb_rollback(&sink->api, sink->control);
    }
    pthread_mutex_unlock(&sink->lock);
    pgc_buffer_free(&sql);
    return result;
}
