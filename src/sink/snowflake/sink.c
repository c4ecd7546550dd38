/* The Snowflake sink: its operations and its descriptor. What they share is told in snowflake_internal.h, what users
 * see in docs/sinks/snowflake.md. */
#include "sink/snowflake/snowflake_internal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

uint64_t pgc_sf_next_number(pgc_sf_sink *sink)
{
    return __atomic_add_fetch(&sink->counter, 1, __ATOMIC_RELAXED);
}

static void close_sink(void *arg)
{
    pgc_sf_sink *sink = arg;
    pgc_sf_auth_free(sink->auth);
    pgc_http_pool_free(sink->pool);
    pgc_staged_seen_free(&sink->seen);
    free(sink->copied);
    pgc_arena_free(sink->checkpoint_arena);
    pgc_sf_target_free(&sink->target);
    pthread_mutex_destroy(&sink->lock);
    free(sink);
}

/* ---- open */

static void upper_case(char *text)
{
    for (; *text; text++)
        *text = (char)toupper((unsigned char)*text);
}

/* Our own tables have names that need no quotes: the streaming service knows no others. */
static int make_names(pgc_sf_sink *sink, pgconvoy_error *err)
{
    const pgc_sf_target *target = &sink->target;
    if (pgc_staged_make_names(sink->config, sink->prefix, sink->process, err) != 0)
        return -1;
    upper_case(sink->prefix);
    upper_case(sink->process);
    snprintf(sink->place, sizeof sink->place, "schema %.120s.%.120s", target->database, target->schema);
    if (target->endpoint) {
        snprintf(sink->endpoint, sizeof sink->endpoint, "%s", target->endpoint);
        return 0;
    }
    /* docs: "Connecting with a URL": underscores of an account's name are hyphens in a host's */
    snprintf(sink->endpoint, sizeof sink->endpoint, "https://%.200s.snowflakecomputing.com", target->account);
    for (char *c = sink->endpoint; *c; c++)
        *c = *c == '_' ? '-' : (char)tolower((unsigned char)*c);
    return 0;
}

/* Needs a warehouse, and the right to see the database, which everything else here needs too. */
static int find_schema(pgc_sf_sink *sink, pgconvoy_error *err)
{
    const char **rows;
    size_t count = 0;
    bool missing;
    char doing[400];
    pgc_buffer sql;
    pgc_arena *arena = pgc_arena_new(8192);
    if (!arena)
        return pgc_error_out_of_memory(err);
    snprintf(doing, sizeof doing, "looking for %s", sink->place);
    pgc_buffer_init(&sql, 4096);
    pgc_buffer_format(
        &sql, "SELECT SCHEMA_NAME FROM \"%s\".INFORMATION_SCHEMA.SCHEMATA WHERE SCHEMA_NAME = ", sink->target.database);
    pgc_sf_quote_text(&sql, sink->target.schema);
    int result = pgc_sf_select(sink, &sql, doing, 1, arena, &rows, &count, &missing, err);
    if (result == 0 && missing) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "database %s is not there, or the role may not see it",
                           sink->target.database);
        pgconvoy_error_hint(err, "create it, or grant the role USAGE on it (docs/sinks/snowflake.md)");
        result = -1;
    }
    sink->schema_exists = result == 0 && count > 0;
    pgc_buffer_free(&sql);
    pgc_arena_free(arena);
    return result;
}

static int open_sink(const pgconvoy_sink_config *config, void **out, pgconvoy_error *err)
{
    pgc_sf_sink *sink = calloc(1, sizeof *sink);
    if (!sink)
        return pgc_error_out_of_memory(err);
    sink->config = config;
    pthread_mutex_init(&sink->lock, NULL);
    sink->checkpoint_arena = pgc_arena_new(16384);
    const pgc_http_settings settings = {.attempts = 8, .log = config->log};
    int result =
        sink->checkpoint_arena ? pgc_sf_target_parse(config->target, &sink->target, err) : pgc_error_out_of_memory(err);
    if (result == 0)
        result = make_names(sink, err);
    if (result == 0) {
        sink->pool = pgc_http_pool_new(&settings, err);
        result = sink->pool ? 0 : -1;
    }
    if (result == 0)
        result = pgc_sf_auth_open(sink, err);
    if (result == 0)
        result = find_schema(sink, err);
    if (result != 0) {
        close_sink(sink);
        return -1;
    }
    *out = sink;
    return 0;
}

/* ---- writers */

static void forget_copy(pgc_sf_writer *writer)
{
    pgc_sf_stage_free(writer->copy_stage);
    pgc_sf_layout_free(writer->copy_layout);
    writer->copy_stage = NULL;
    writer->copy_layout = NULL;
}

static void close_channel(pgc_sf_channel **channel)
{
    pgc_sf_channel_close(*channel);
    *channel = NULL;
}

static void close_writer(void *arg)
{
    pgc_sf_writer *writer = arg;
    forget_copy(writer);
    pgc_staged_close(&writer->staged);
    close_channel(&writer->changes);
    close_channel(&writer->copies);
    free(writer);
}

static int open_writer(void *arg, void **out, pgconvoy_error *err)
{
    pgc_sf_sink *sink = arg;
    if (!sink->config->tell && pgc_sf_checkpoint_ensure(sink, err) != 0)
        return -1;
    pgc_sf_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return pgc_error_out_of_memory(err);
    pgc_sf_stream_init(writer, sink);
    *out = writer;
    return 0;
}

/* The channels go too: what they still hold is of batches that nobody will ask for. */
static void abort_writer(void *arg)
{
    pgc_sf_writer *writer = arg;
    forget_copy(writer);
    pgc_staged_forget(&writer->staged, true);
    writer->staged.schema_changed = false;
    close_channel(&writer->changes);
    close_channel(&writer->copies);
}

static int begin_copy(pgc_sf_writer *writer, const pgconvoy_table *table, pgconvoy_error *err)
{
    const char *how, *copy;
    pgc_arena *arena = pgc_arena_new(4096);
    if (!arena)
        return pgc_error_out_of_memory(err);
    int result = pgc_sf_checkpoint_owned(writer->sink, table, arena, &how, &copy, err);
    if (result == 0 && (!copy || !*copy)) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_INTERNAL, "table %s.%s was not prepared", table->schema, table->name);
        result = -1;
    }
    if (result == 0 && writer->copies && strcmp(pgc_sf_channel_table(writer->copies), copy) != 0)
        close_channel(&writer->copies);
    if (result == 0 && !writer->copies) {
        writer->copies = pgc_sf_channel_open(writer->sink, copy, err);
        result = writer->copies ? 0 : -1;
    }
    if (result == 0) {
        writer->copy_layout = pgc_sf_layout_new(writer->sink, table, err);
        result = writer->copy_layout ? 0 : -1;
    }
    pgc_arena_free(arena);
    return result;
}

static int begin(void *arg, const pgconvoy_table *table, pgconvoy_error *err)
{
    pgc_sf_writer *writer = arg;
    forget_copy(writer);
    if (table)
        return begin_copy(writer, table, err);
    if (writer->begun || writer->sink->config->tell)
        return 0;
    writer->begun = pgc_sf_checkpoint_pending(writer->sink, err) == 0;
    return writer->begun ? 0 : -1;
}

static int write_rows(void *arg, const pgconvoy_rows *rows, pgconvoy_error *err)
{
    pgc_sf_writer *writer = arg;
    size_t columns = (size_t)rows->table->column_count;
    if (!writer->copy_stage &&
        !(writer->copy_stage = pgc_sf_stage_new(writer->sink, writer->copies, writer->copy_layout, err)))
        return -1;
    for (size_t i = 0; i < rows->row_count; i++) {
        const pgc_staged_row row = {.op = PGC_STAGED_ROW, .row = rows->values + i * columns, .copies = 1};
        if (pgc_sf_stage_add(writer->copy_stage, &row, err) != 0)
            return -1;
    }
    return 0;
}

/* Notes that a batch of a table copy is complete: finish_table takes no others. */
static int note_copied(pgc_sf_sink *sink, const pgc_sf_batch *batch, pgconvoy_error *err)
{
    int result = 0;
    pthread_mutex_lock(&sink->lock);
    if (sink->copied_count == sink->copied_capacity) {
        size_t wanted = sink->copied_capacity ? sink->copied_capacity * 2 : 64;
        pgc_sf_batch *grown = realloc(sink->copied, wanted * sizeof *grown);
        if (grown) {
            sink->copied = grown;
            sink->copied_capacity = wanted;
        } else {
            result = pgc_error_out_of_memory(err);
        }
    }
    if (result == 0)
        sink->copied[sink->copied_count++] = *batch;
    pthread_mutex_unlock(&sink->lock);
    return result;
}

static int commit(void *arg, pgconvoy_lsn lsn, const pgconvoy_table_status *tables, size_t table_count,
                  pgconvoy_error *err)
{
    pgc_sf_writer *writer = arg;
    if (!writer->copy_layout)
        return pgc_sf_stream_commit(writer, lsn, tables, table_count, err);
    int result = 0;
    if (writer->copy_stage) {
        result = pgc_sf_channel_wait(writer->copies, err);
        if (result == 0)
            result = note_copied(writer->sink, pgc_sf_stage_batch(writer->copy_stage), err);
    }
    if (result == 0)
        forget_copy(writer);
    return result;
}

static const char *const schemes[] = {"snowflake://", NULL};

const pgconvoy_sink pgc_sink_snowflake = {
    .version = PGCONVOY_SINK_VERSION,
    .name = "snowflake",
    .description = "a schema of Snowflake",
    .schemes = schemes,
    .target_help = "snowflake://USER@ACCOUNT/DATABASE/SCHEMA[?option=value&...]",
    .capabilities = PGCONVOY_SINK_TRANSACTIONAL | PGCONVOY_SINK_PARALLEL | PGCONVOY_SINK_DDL_TRIAL,
    .open = open_sink,
    .read_checkpoint = pgc_sf_read_checkpoint,
    .column_format = pgconvoy_sink_default_column_format_text,
    .check_table = pgc_sf_check_table,
    .prepare_table = pgc_sf_prepare_table,
    .finish_table = pgc_sf_finish_table,
    .open_writer = open_writer,
    .begin = begin,
    .write_rows = write_rows,
    .write_changes = pgc_sf_write_changes,
    .change_schema = pgc_sf_change_schema,
    .commit = commit,
    .abort = abort_writer,
    .close_writer = close_writer,
    .drop = pgc_sf_drop,
    .close = close_sink,
    .drop_by_hand =
        "delete from the schema's tables " PGC_SF_TABLES " and " PGC_SF_PIPELINES " the rows of pipeline %s",
};
