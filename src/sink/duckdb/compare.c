/*
 * A DuckDB file as `verify` sees it. The scratch copy is a database beside the state; the target is attached to it, to
 * be read only, as a file is open in one process at a time.
 */
#include "sink/duckdb/duckdb_internal.h"

#include "postgres/quote.h"
#include "sink/comparer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SQL_MAX ((size_t)64 << 20)

typedef struct comparer {
    const pgc_comparer_config *config;
    pgc_duckdb_api api;
    pgc_duckdb_target target;
    char *file, *scratch; /* the scratch database, and the same as a TARGET */
    duckdb_database database;
    duckdb_connection connection;
} comparer;

static void close_comparer(void *state)
{
    comparer *comparer = state;
    if (comparer->connection)
        comparer->api.disconnect(&comparer->connection);
    if (comparer->database)
        comparer->api.close(&comparer->database);
    pgc_duckdb_target_free(&comparer->target);
    free(comparer->file);
    free(comparer->scratch);
    free(comparer);
}

static int open_comparer(const pgc_comparer_config *config, void **state, pgconvoy_error *err)
{
    comparer *comparer = calloc(1, sizeof *comparer);
    if (!comparer)
        return pgc_error_out_of_memory(err);
    comparer->config = config;
    int result = pgc_duckdb_target_parse(config->target, &comparer->target, err);
    if (result == 0 && access(comparer->target.file, R_OK) != 0) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "the target %s is not there, or cannot be read",
                           comparer->target.file);
        result = -1;
    }
    if (result == 0)
        result = pgc_duckdb_library_load(&comparer->api, err);
    if (result != 0) {
        close_comparer(comparer);
        return -1;
    }
    *state = comparer;
    return 0;
}

static int make_scratch(void *state, const char **target, pgconvoy_error *err)
{
    comparer *comparer = state;
    const char *options = strchr(comparer->config->target, '?');
    if (asprintf(&comparer->file, "%s/source.duckdb", comparer->config->folder) < 0 ||
        asprintf(&comparer->scratch, "duckdb:%s%s", comparer->file, options ? options : "") < 0)
        return pgc_error_out_of_memory(err);
    *target = comparer->scratch;
    return 0;
}

static int attach(comparer *comparer, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, SQL_MAX);
    pgc_buffer_format(&sql, "SET memory_limit = '%zuB'; SET threads = %d; SET TimeZone = 'UTC'; ATTACH ",
                      comparer->config->memory_bytes, comparer->config->jobs);
    pgc_quote_literal(&sql, comparer->target.file);
    pgc_buffer_text(&sql, " AS there (READ_ONLY)");
    int result = pgc_duckdb_run(&comparer->api, comparer->connection, &sql, "opening the target", NULL, err);
    pgc_buffer_free(&sql);
    if (result != 0)
        pgconvoy_error_hint(err, "a DuckDB file is open in one process at a time: stop the sync that writes to it");
    return result;
}

static int begin(void *state, pgconvoy_error *err)
{
    comparer *comparer = state;
    char *message = NULL;
    if (comparer->api.open_ext(comparer->file, &comparer->database, NULL, &message) != DuckDBSuccess ||
        comparer->api.connect(comparer->database, &comparer->connection) != DuckDBSuccess) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "cannot open the scratch database %s: %s", comparer->file,
                           message ? message : "no reason given");
        comparer->api.free(message);
        return -1;
    }
    return attach(comparer, err);
}

static int select_rows(void *state, const pgc_buffer *sql, const char *doing, int columns, pgc_arena *arena,
                       const char ***rows, size_t *count, pgconvoy_error *err)
{
    comparer *comparer = state;
    duckdb_result result;
    if (pgc_duckdb_select(&comparer->api, comparer->connection, sql, doing, &result, err) != 0)
        return -1;
    *count = (size_t)comparer->api.row_count(&result);
    *rows = pgc_arena_alloc(arena, *count * (size_t)columns * sizeof **rows + 1);
    for (size_t i = 0; *rows && i < *count * (size_t)columns; i++)
        (*rows)[i] =
            pgc_duckdb_cell(&comparer->api, &result, (idx_t)(i / (size_t)columns), (idx_t)(i % (size_t)columns), arena);
    comparer->api.destroy_result(&result);
    return *rows ? 0 : pgc_error_out_of_memory(err);
}

static int describe(void *state, int side, const pgconvoy_table *table, pgc_arena *arena, pgc_compared *compared,
                    pgconvoy_error *err)
{
    const char **rows;
    size_t count = 0;
    pgc_buffer sql;
    pgc_buffer_init(&sql, SQL_MAX);
    pgc_buffer_format(&sql,
                      "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = %s AND schema_name = ",
                      side == PGC_COMPARER_TARGET ? "'there'" : "current_database()");
    pgc_quote_literal(&sql, table->schema);
    pgc_buffer_text(&sql, " AND table_name = ");
    pgc_quote_literal(&sql, table->name);
    pgc_buffer_text(&sql, " ORDER BY column_index");
    int result = select_rows(state, &sql, "reading columns", 2, arena, &rows, &count, err);
    pgc_buffer_reset(&sql);
    pgc_buffer_text(&sql, side == PGC_COMPARER_TARGET ? "there." : "");
    pgc_quote_qualified(&sql, table->schema, table->name);
    if (result == 0)
        result = pgc_buffer_check(&sql, err);
    *compared = (pgc_compared){.is_there = count > 0, .count = (int)count};
    if (result == 0) {
        compared->relation = pgc_arena_strdup(arena, sql.data);
        compared->names = pgc_arena_alloc(arena, count * sizeof *compared->names + 1);
        compared->types = pgc_arena_alloc(arena, count * sizeof *compared->types + 1);
        if (!compared->relation || !compared->names || !compared->types)
            result = pgc_error_out_of_memory(err);
    }
    for (size_t i = 0; result == 0 && i < count; i++) {
        compared->names[i] = rows[2 * i];
        compared->types[i] = rows[2 * i + 1];
    }
    pgc_buffer_free(&sql);
    return result;
}

static pgc_compared_type compare_types(const char *scratch, const char *target)
{
    return strcmp(scratch, target) == 0 ? PGC_COMPARED_SAME : PGC_COMPARED_OTHER;
}

/* ---- pieces of SQL */

static void column(pgc_buffer *sql, const char *name, const char *type)
{
    (void)type;
    pgc_quote_identifier(sql, name);
}

static void text(pgc_buffer *sql, const char *value, const char *type, const pgconvoy_column *source)
{
    (void)type;
    (void)source;
    pgc_buffer_format(sql, "substring(CAST(%s AS VARCHAR), 1, %d)", value, PGC_COMPARER_TEXT_BYTES);
}

static void hash(pgc_buffer *sql, const char *const *values, int count)
{
    for (int i = 0; i < count; i++) {
        pgc_buffer_text(sql, i > 0 ? ", " : "hash(");
        pgc_buffer_text(sql, values[i]);
    }
    pgc_buffer_byte(sql, ')');
}

static void bucket(pgc_buffer *sql, const char *of, long count)
{
    pgc_buffer_format(sql, "%s %% %ld", of, count);
}

static const char *const schemes[] = {"duckdb:", NULL};

const pgc_comparer pgc_comparer_duckdb = {
    .schemes = schemes,
    .target_help = "duckdb:FILE",
    .open = open_comparer,
    .scratch = make_scratch,
    .begin = begin,
    .describe = describe,
    .compare_types = compare_types,
    .column = column,
    .text = text,
    .hash = hash,
    .bucket = bucket,
    .sum_begin = "sum(",
    .sum_end = ")",
    .select = select_rows,
    .close = close_comparer,
};
