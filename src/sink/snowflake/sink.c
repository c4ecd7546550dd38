/* The Snowflake sink: its beginning and end, what it is to sink/staged.h, and its descriptor. What its files share is
 * told in snowflake_internal.h, what users see in docs/sinks/snowflake.md. */
#include "sink/snowflake/snowflake_internal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- what it is to sink/staged.h */

static void put_table(const pgc_staged_sink *sink, const char *name, pgc_buffer *sql)
{
    pgc_sf_quote_table((const pgc_sf_sink *)sink, name, sql);
}

static int select_rows(pgc_staged_sink *sink, const pgc_buffer *sql, const char *doing, int columns, pgc_arena *arena,
                       const char ***rows, size_t *count, pgconvoy_error *err)
{
    bool missing;
    return pgc_sf_select(pgc_sf_sink_of(sink), sql, doing, columns, arena, rows, count, &missing, err);
}

static pgc_staged_layout *layout_new(const pgc_staged_sink *sink, const pgconvoy_table *table, pgconvoy_error *err)
{
    pgc_sf_layout *layout = pgc_sf_layout_new((const pgc_sf_sink *)sink, table, err);
    return layout ? &layout->base : NULL;
}

/* A writer has a channel into the stream's table of changes, and one into that of the table copy at hand. */
typedef struct sf_writer {
    pgc_staged_writer staged;
    pgc_sf_channel *changes, *copies; /* NULL: nothing was sent yet */
} sf_writer;

static void close_channel(pgc_sf_channel **channel)
{
    pgc_sf_channel_close(*channel);
    *channel = NULL;
}

/* The channels go too: what they still hold is of batches that nobody will ask for. */
static void let_go(pgc_staged_writer *base)
{
    sf_writer *writer = (sf_writer *)base;
    close_channel(&writer->changes);
    close_channel(&writer->copies);
}

static void *stage_new(pgc_staged_writer *base, const pgc_staged_layout *layout, pgconvoy_error *err)
{
    sf_writer *writer = (sf_writer *)base;
    pgc_sf_sink *sink = pgc_sf_sink_of(base->sink);
    pgc_sf_channel **channel = base->copy_table ? &writer->copies : &writer->changes;
    const char *table = base->copy_table ? base->copy_table : sink->changes;
    if (*channel && strcmp(pgc_sf_channel_table(*channel), table) != 0)
        close_channel(channel);
    if (!*channel && !(*channel = pgc_sf_channel_open(sink, table, err)))
        return NULL;
    return pgc_sf_stage_new(sink, *channel, pgc_sf_layout_of(layout), err);
}

static int stage_add(void *stage, const pgc_staged_row *row, pgconvoy_error *err)
{
    return pgc_sf_stage_add(stage, row, err);
}

static int put_stage(pgc_staged_writer *writer, void *stage, int number, pgc_buffer *sql, pgconvoy_error *err)
{
    (void)number;
    if (pgc_sf_channel_wait(((sf_writer *)writer)->changes, err) != 0)
        return -1;
    pgc_sf_merge_sql(pgc_sf_sink_of(writer->sink), stage, sql);
    return 0;
}

static void stage_free(void *stage)
{
    pgc_sf_stage_free(stage);
}

static int end_copy_stage(pgc_staged_writer *writer, void *stage, pgconvoy_error *err)
{
    if (pgc_sf_channel_wait(((sf_writer *)writer)->copies, err) != 0)
        return -1;
    return pgc_sf_note_copied(pgc_sf_sink_of(writer->sink), pgc_sf_stage_batch(stage), err);
}

static const pgc_staged_service service = {
    .name = "Snowflake",
    .scheme = "snowflake",
    .container = "schema",
    .staging = "a table of changes",
    .pipelines = PGC_SF_PIPELINES,
    .tables = PGC_SF_TABLES,
    .truncate = "DELETE FROM ", /* TRUNCATE would end the transaction */
    .commit = "COMMIT;",
    .null_text = "NULL::VARCHAR",
    .names_commits = true,
    .compare_names = strcmp,
    .put_table = put_table,
    .put_column = pgc_sf_quote_column,
    .put_text = pgc_sf_quote_text,
    .select = select_rows,
    .make_checkpoint = pgc_sf_make_checkpoint,
    .add_pipeline = pgc_sf_add_pipeline,
    .known = pgc_sf_known,
    .make_more = pgc_sf_make_changes,
    .put_begin = pgc_sf_put_begin,
    .put_end = pgc_sf_put_end,
    .run_commit = pgc_sf_run_commit,
    .run_pending = pgc_sf_run_pending,
    .clean = pgc_sf_clean,
    .run_drop = pgc_sf_run_drop,
    .drop_more = pgc_sf_drop_changes,
    .layout_new = layout_new,
    .columns = pgc_sf_columns,
    .column_fits = pgc_sf_column_fits,
    .put_type_there = pgc_sf_put_type_there,
    .put_type = pgc_sf_put_column_type,
    .make_table = pgc_sf_make_table,
    .drop_table = pgc_sf_drop_table,
    .make_copy = pgc_sf_make_copy,
    .put_fill = pgc_sf_put_fill,
    .stage_new = stage_new,
    .stage_add = stage_add,
    .put_stage = put_stage,
    .stage_free = stage_free,
    .end_copy_stage = end_copy_stage,
    .writer_size = sizeof(sf_writer),
    .let_go = let_go,
    .put_later = pgc_sf_put_later,
    .tell_later = pgc_sf_run_later,
    .add_column = pgc_sf_add_column,
    .change_type = pgc_sf_change_type,
};

/* ---- its beginning and end */

static void close_sink(void *arg)
{
    pgc_sf_sink *sink = arg;
    pgc_sf_auth_free(sink->auth);
    pgc_http_pool_free(sink->pool);
    free(sink->copied);
    pgc_sf_target_free(&sink->target);
    pgc_staged_end(&sink->base);
    free(sink);
}

static void upper_case(char *text)
{
    for (; *text; text++)
        *text = (char)toupper((unsigned char)*text);
}

/* Our own tables have names that need no quotes: the streaming service knows no others. */
static void make_names(pgc_sf_sink *sink)
{
    const pgc_sf_target *target = &sink->target;
    upper_case(sink->prefix);
    upper_case(sink->process);
    snprintf(sink->place, sizeof sink->place, "schema %.120s.%.120s", target->database, target->schema);
    if (target->endpoint) {
        snprintf(sink->endpoint, sizeof sink->endpoint, "%s", target->endpoint);
        return;
    }
    /* docs: "Connecting with a URL": underscores of an account's name are hyphens in a host's */
    snprintf(sink->endpoint, sizeof sink->endpoint, "https://%.200s.snowflakecomputing.com", target->account);
    for (char *c = sink->endpoint; *c; c++)
        *c = *c == '_' ? '-' : (char)tolower((unsigned char)*c);
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
    sink->exists = result == 0 && count > 0;
    pgc_buffer_free(&sql);
    pgc_arena_free(arena);
    return result;
}

static int open_sink(const pgconvoy_sink_config *config, void **out, pgconvoy_error *err)
{
    pgc_sf_sink *sink = calloc(1, sizeof *sink);
    if (!sink)
        return pgc_error_out_of_memory(err);
    const pgc_http_settings settings = {.attempts = 8, .log = config->log};
    int result = pgc_staged_begin(&sink->base, &service, config, err);
    if (result == 0)
        result = pgc_sf_target_parse(config->target, &sink->target, err);
    if (result == 0) {
        make_names(sink);
        sink->keeps_history = sink->target.history;
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

static const char *const schemes[] = {"snowflake://", NULL};

const pgconvoy_sink pgc_sink_snowflake = {
    .version = PGCONVOY_SINK_VERSION,
    .name = "snowflake",
    .description = "a schema of Snowflake",
    .schemes = schemes,
    .target_help = "snowflake://USER@ACCOUNT/DATABASE/SCHEMA[?option=value&...]",
    PGC_STAGED_OPERATIONS,
    .open = open_sink,
    .close = close_sink,
    .drop_by_hand =
        "delete from the schema's tables " PGC_SF_TABLES " and " PGC_SF_PIPELINES " the rows of pipeline %s",
};
