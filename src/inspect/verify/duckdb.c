/*
 * Rows of a DuckDB target. Its engine hashes other values than PostgreSQL's, so the source's rows are copied once more,
 * by the sink's own types, into a scratch database beside the state; DuckDB then compares the two, table by table,
 * within its memory limit. What the type map makes of a value is thereby the same on both sides. The target is opened
 * to be read only.
 */
#include "inspect/verify/verify_internal.h"

#include "sink/duckdb/library.h"
#include "source/postgres/names.h"

#include <errno.h>
#include <ftw.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct engine {
    pgc_duckdb_api api;
    duckdb_database database;
    duckdb_connection connection;
    pgc_buffer sql;
} engine;

/* ------------------------------------------------------------------ the scratch copy */

static void on_log(void *arg, pgconvoy_log_level level, const char *line)
{
    const pgc_verify *verify = arg;
    if (level != PGCONVOY_LOG_INFO)
        pgconvoy_log_write(verify->options->log, level, "%s", line);
}

static int set_list(pgconvoy_pipeline *pipeline, const char *option, char *const *items, size_t count,
                    pgconvoy_error *err)
{
    for (size_t i = 0; i < count; i++)
        if (pgconvoy_pipeline_set(pipeline, option, items[i], err))
            return -1;
    return 0;
}

static int set_up_copy(pgc_verify *verify, pgconvoy_pipeline *pipeline, const char *folder, pgconvoy_error *err)
{
    const pgc_verify_options *options = verify->options;
    const pgc_choice *choice = &options->choice;
    char name[40], jobs[16], memory[32], publication[80];
    snprintf(name, sizeof name, "verify_%ld", (long)getpid());
    snprintf(jobs, sizeof jobs, "%d", options->jobs);
    snprintf(memory, sizeof memory, "%zuB", options->memory_bytes);
    snprintf(publication, sizeof publication, "%.79s", options->publication ? options->publication : "pgconvoy_");
    if (!options->publication)
        snprintf(publication + strlen(publication), sizeof publication - strlen(publication), "%.60s", options->name);
    pgconvoy_pipeline_on_log(pipeline, on_log, verify);
    if (pgconvoy_pipeline_set(pipeline, "name", name, err) || pgconvoy_pipeline_set(pipeline, "jobs", jobs, err) ||
        pgconvoy_pipeline_set(pipeline, "memory", memory, err) ||
        pgconvoy_pipeline_set(pipeline, "state-dir", folder, err))
        return -1;
    if (verify->flow.publications.length && pgconvoy_pipeline_set(pipeline, "publication", publication, err))
        return -1;
    return set_list(pipeline, "table", choice->include_tables, choice->include_table_count, err) ||
                   set_list(pipeline, "exclude-table", choice->exclude_tables, choice->exclude_table_count, err) ||
                   set_list(pipeline, "schema", choice->include_schemas, choice->include_schema_count, err) ||
                   set_list(pipeline, "exclude-schema", choice->exclude_schemas, choice->exclude_schema_count, err)
               ? -1
               : 0;
}

static int copy_source(pgc_verify *verify, const char *folder, const char *scratch, pgconvoy_error *err)
{
    const char *options = strchr(verify->options->target, '?');
    char *target = NULL;
    if (asprintf(&target, "duckdb:%s%s", scratch, options ? options : "") < 0)
        return pgc_error_out_of_memory(err);
    pgconvoy_pipeline *pipeline = pgconvoy_pipeline_new(verify->options->source, target, err);
    int status = pipeline ? set_up_copy(verify, pipeline, folder, err) : -1;
    if (status == 0)
        status = pgconvoy_pipeline_run(pipeline, PGCONVOY_COPY, err);
    pgconvoy_pipeline_free(pipeline);
    free(target);
    return status;
}

/* ------------------------------------------------------------------ DuckDB */

static int run(engine *engine, duckdb_result *result, const char *doing, pgconvoy_error *err)
{
    if (pgc_buffer_check(&engine->sql, err))
        return -1;
    duckdb_result none;
    duckdb_result *to = result ? result : &none;
    if (engine->api.query(engine->connection, engine->sql.data, to) != DuckDBSuccess) {
        const char *message = engine->api.result_error(to);
        pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "%s: %s", doing, message ? message : "no reason given");
        engine->api.destroy_result(to);
        return -1;
    }
    if (!result)
        engine->api.destroy_result(to);
    return 0;
}

static int open_engine(pgc_verify *verify, engine *engine, const char *scratch, const char *target, pgconvoy_error *err)
{
    char *message = NULL;
    pgc_buffer_init(&engine->sql, VERIFY_SQL_LIMIT);
    if (pgc_duckdb_library_load(&engine->api, err))
        return -1;
    if (engine->api.open_ext(scratch, &engine->database, NULL, &message) != DuckDBSuccess ||
        engine->api.connect(engine->database, &engine->connection) != DuckDBSuccess) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "cannot open the scratch database %s: %s", scratch,
                           message ? message : "no reason given");
        engine->api.free(message);
        return -1;
    }
    pgc_buffer_format(&engine->sql, "SET memory_limit = '%zuB'; SET threads = %d; SET TimeZone = 'UTC'; ATTACH ",
                      verify->options->memory_bytes, verify->options->jobs);
    pgc_quote_literal(&engine->sql, target);
    pgc_buffer_text(&engine->sql, " AS there (READ_ONLY)");
    if (run(engine, NULL, "opening the target", err)) {
        pgconvoy_error_hint(err, "a DuckDB file is open in one process at a time: stop the sync that writes to it");
        return -1;
    }
    return 0;
}

static void close_engine(engine *engine)
{
    if (engine->connection)
        engine->api.disconnect(&engine->connection);
    if (engine->database)
        engine->api.close(&engine->database);
    pgc_buffer_free(&engine->sql);
}

/* A value of a result, copied into the arena; NULL for NULL and when out of memory. */
static char *value_at(pgc_verify *verify, engine *engine, duckdb_result *result, idx_t column, idx_t row)
{
    char *text = engine->api.value_varchar(result, column, row),
         *copy = text ? pgc_arena_strdup(verify->arena, text) : NULL;
    engine->api.free(text);
    return copy;
}

/* ------------------------------------------------------------------ tables */

static int list_tables(pgc_verify *verify, engine *engine, pgconvoy_error *err)
{
    duckdb_result result;
    pgc_buffer_reset(&engine->sql);
    pgc_buffer_text(&engine->sql,
                    "SELECT h.schema_name, h.table_name, EXISTS (SELECT 1 FROM duckdb_tables() t WHERE t.database_name "
                    "= 'there' AND t.schema_name = h.schema_name AND t.table_name = h.table_name) "
                    "FROM duckdb_tables() h WHERE h.database_name = current_database() AND h.schema_name <> 'pgconvoy' "
                    "AND NOT h.internal ORDER BY 1, 2");
    if (run(engine, &result, "listing tables", err))
        return -1;
    idx_t rows = engine->api.row_count(&result);
    verify->tables = pgc_arena_zalloc(verify->arena, sizeof *verify->tables * (size_t)(rows + 1));
    int status = verify->tables ? 0 : pgc_error_out_of_memory(err);
    for (idx_t row = 0; row < rows && status == 0; row++) {
        verify_table *table = &verify->tables[verify->table_count++];
        const char *there = value_at(verify, engine, &result, 2, row);
        table->schema = value_at(verify, engine, &result, 0, row);
        table->name = value_at(verify, engine, &result, 1, row);
        table->is_absent = !there || strcmp(there, "true") != 0;
        if (!table->schema || !table->name)
            status = pgc_error_out_of_memory(err);
    }
    engine->api.destroy_result(&result);
    return status;
}

/* A column that only one end has, or that has another type there, is a difference of the schema. Gives the columns of
 * both, as a list; same: nothing else differs. */
static int compare_columns(pgc_verify *verify, engine *engine, const verify_table *table, pgc_buffer *list, bool *same,
                           pgconvoy_error *err)
{
    duckdb_result result;
    pgc_buffer_reset(&engine->sql);
    pgc_buffer_text(
        &engine->sql,
        "SELECT coalesce(h.column_name, t.column_name), h.data_type, t.data_type FROM "
        "(SELECT * FROM duckdb_columns() WHERE database_name = current_database() AND (schema_name, table_name) = (");
    pgc_quote_literal(&engine->sql, table->schema);
    pgc_buffer_text(&engine->sql, ", ");
    pgc_quote_literal(&engine->sql, table->name);
    pgc_buffer_text(&engine->sql, ")) h FULL JOIN (SELECT * FROM duckdb_columns() WHERE database_name = 'there' AND "
                                  "(schema_name, table_name) = (");
    pgc_quote_literal(&engine->sql, table->schema);
    pgc_buffer_text(&engine->sql, ", ");
    pgc_quote_literal(&engine->sql, table->name);
    pgc_buffer_text(&engine->sql, ")) t ON t.column_name = h.column_name ORDER BY h.column_index");
    if (run(engine, &result, "reading columns", err))
        return -1;
    int status = 0;
    for (idx_t row = 0; row < engine->api.row_count(&result) && status == 0; row++) {
        const char *name = value_at(verify, engine, &result, 0, row), *here = value_at(verify, engine, &result, 1, row),
                   *there = value_at(verify, engine, &result, 2, row);
        if (here && there) {
            pgc_buffer_text(list, list->length ? ", " : "");
            pgc_quote_identifier(list, name);
        }
        if (here && there && strcmp(here, there) == 0)
            continue;
        *same = false;
        char what[400];
        snprintf(what, sizeof what, "COLUMN %s.%s.%s", table->schema, table->name, name ? name : "");
        verify_finding *finding = verify_finding_add(&verify->schema, verify->arena,
                                                     !there  ? VERIFY_MISSING
                                                     : !here ? VERIFY_EXTRA
                                                             : VERIFY_CHANGED,
                                                     what);
        status = finding ? verify_detail_add(finding, verify->arena, "type", here, there, err)
                         : pgc_error_out_of_memory(err);
    }
    engine->api.destroy_result(&result);
    return status ? -1 : pgc_buffer_check(list, err);
}

/* SELECT columns FROM one end's table. */
static void select_from(engine *engine, const verify_table *table, const char *columns, bool there)
{
    pgc_buffer_format(&engine->sql, "SELECT %s FROM %s", columns, there ? "there." : "");
    pgc_quote_qualified(&engine->sql, table->schema, table->name);
}

static int count_rows(pgc_verify *verify, engine *engine, verify_table *table, pgconvoy_error *err)
{
    for (int side = 0; side < 2; side++) {
        duckdb_result result;
        pgc_buffer_reset(&engine->sql);
        select_from(engine, table, "count(*)", side == VERIFY_TARGET);
        if (run(engine, &result, "counting rows", err))
            return -1;
        const char *count = value_at(verify, engine, &result, 0, 0);
        table->row_count[side] = count ? atoll(count) : 0;
        engine->api.destroy_result(&result);
    }
    return 0;
}

/* Rows of one end that the other does not have, or not as often: how many, and some of them as text. */
static int find_rows(pgc_verify *verify, engine *engine, verify_table *table, const char *columns, verify_kind kind,
                     pgconvoy_error *err)
{
    bool there = kind == VERIFY_EXTRA;
    duckdb_result result;
    pgc_buffer_reset(&engine->sql);
    pgc_buffer_text(&engine->sql, "WITH q AS MATERIALIZED (");
    select_from(engine, table, columns, there);
    pgc_buffer_text(&engine->sql, " EXCEPT ALL ");
    select_from(engine, table, columns, !there);
    pgc_buffer_format(&engine->sql, ") SELECT (SELECT count(*) FROM q), q::VARCHAR FROM q LIMIT %d",
                      verify->options->show > 0 ? verify->options->show : 1);
    if (run(engine, &result, "comparing rows", err))
        return -1;
    int status = 0;
    for (idx_t row = 0; row < engine->api.row_count(&result) && status == 0; row++) {
        const char *count = value_at(verify, engine, &result, 0, row),
                   *text = value_at(verify, engine, &result, 1, row);
        table->found[kind] = count ? atoll(count) : 1;
        if (verify->options->show > 0 && !verify_finding_add(&table->findings, verify->arena, kind, text ? text : ""))
            status = pgc_error_out_of_memory(err);
    }
    engine->api.destroy_result(&result);
    return status;
}

static int compare_table(pgc_verify *verify, engine *engine, verify_table *table, pgconvoy_error *err)
{
    pgc_buffer columns;
    bool same = true;
    pgc_buffer_init(&columns, VERIFY_SQL_LIMIT);
    int status = verify_stopped(verify, err) || count_rows(verify, engine, table, err) ||
                 compare_columns(verify, engine, table, &columns, &same, err);
    if (status == 0 && columns.length)
        status = find_rows(verify, engine, table, columns.data, VERIFY_MISSING, err) ||
                 find_rows(verify, engine, table, columns.data, VERIFY_EXTRA, err);
    pgc_buffer_free(&columns);
    if (status)
        pgc_error_prefix(err, "table %s.%s", table->schema, table->name);
    return status ? -1 : 0;
}

static int compare_files(pgc_verify *verify, const char *scratch, const char *target, pgconvoy_error *err)
{
    engine engine = {0};
    int status = open_engine(verify, &engine, scratch, target, err);
    if (status == 0)
        status = list_tables(verify, &engine, err);
    for (int i = 0; i < verify->table_count && status == 0; i++)
        if (!verify->tables[i].is_absent)
            status = compare_table(verify, &engine, &verify->tables[i], err);
    close_engine(&engine);
    return status;
}

/* ------------------------------------------------------------------ */

static int check_options(const pgc_verify_options *options, pgconvoy_error *err)
{
    if (options->sample >= 100 && options->where.count == 0 && !options->repair)
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "--sample, --where and --repair are for PostgreSQL targets");
    pgconvoy_error_hint(err, "leave them out, or choose tables with -t");
    return -1;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

/* The scratch database, what DuckDB keeps beside it, and the copy's own notes. */
static void remove_scratch(const pgc_verify *verify, const char *folder)
{
    if (nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS) && errno != ENOENT)
        pgc_log_warning(verify->options->log, "cannot remove the folder %s: %s", folder, strerror(errno));
}

int verify_duckdb(pgc_verify *verify, pgconvoy_error *err)
{
    const pgc_verify_options *options = verify->options;
    char derived[64], *folder = NULL, *scratch = NULL, *target = strdup(options->target + strlen("duckdb:"));
    pgc_slot_name_derive(options->name, derived);
    int status = target ? check_options(options, err) : pgc_error_out_of_memory(err);
    if (target)
        target[strcspn(target, "?")] = '\0';
    if (status == 0 && access(target, R_OK)) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "the target %s is not there, or cannot be read", target);
        status = -1;
    }
    if (status == 0)
        status =
            verify_flow_find(&verify->flow, verify->conn[VERIFY_SOURCE], NULL, options->slot ? options->slot : derived,
                             options->publication ? options->publication : derived, err);
    if (status == 0 && (asprintf(&folder, "%s/verify-%ld", options->state_dir, (long)getpid()) < 0 ||
                        asprintf(&scratch, "%s/source.duckdb", folder) < 0))
        status = pgc_error_out_of_memory(err);
    if (status == 0)
        status = verify_make_folder(folder) ? pgc_error_out_of_memory(err)
                 : copy_source(verify, folder, scratch, err) || compare_files(verify, scratch, target, err) ? -1
                                                                                                            : 0;
    if (folder && scratch)
        remove_scratch(verify, folder);
    free(target);
    free(folder);
    free(scratch);
    return status;
}
