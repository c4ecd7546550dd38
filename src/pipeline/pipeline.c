/* A pipeline: the public object, and how an attempt of its run (attempts.c) opens and closes both ends. */
#include "pipeline/pipeline_internal.h"
#include "pipeline/overrule.h"

#include "pipeline/mapped_sink.h"
#include "postgres/connection.h"
#include "sink/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pgconvoy_pipeline *pipeline_new(const char *source, const char *target, const pgconvoy_sink *sink_ops,
                                       void *user_data, pgconvoy_error *err)
{
    if (pgc_connection_check_uri(source, err) != 0)
        return NULL;
    pgconvoy_pipeline *pipeline = calloc(1, sizeof *pipeline);
    if (!pipeline || !(pipeline->source = strdup(source)) || !(pipeline->target = strdup(target))) {
        pgc_error_out_of_memory(err);
        pgconvoy_pipeline_free(pipeline);
        return NULL;
    }
    pipeline->sink_ops = sink_ops;
    pipeline->user_data = user_data;
    pgc_options_init(&pipeline->options);
    pgc_options_derive_name(source, target, pipeline->name);
    return pipeline;
}

pgconvoy_pipeline *pgconvoy_pipeline_new(const char *source, const char *target, pgconvoy_error *err)
{
    const pgconvoy_sink *sink_ops = pgc_sink_for_target(target, err);
    return sink_ops ? pipeline_new(source, target, sink_ops, NULL, err) : NULL;
}

pgconvoy_pipeline *pgconvoy_pipeline_new_with_sink(const char *source, const pgconvoy_sink *sink, void *user_data,
                                                   pgconvoy_error *err)
{
    if (sink->version != PGCONVOY_SINK_VERSION) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "the sink \"%s\" has interface version %d, this library has %d", sink->name,
                           sink->version, PGCONVOY_SINK_VERSION);
        pgconvoy_error_hint(err, "compile the sink with this library's pgconvoy.h");
        return NULL;
    }
    pgconvoy_pipeline *pipeline = pipeline_new(source, sink->name, sink, user_data, err);
    if (pipeline)
        pipeline->own_sink = true;
    return pipeline;
}

int pgconvoy_pipeline_set(pgconvoy_pipeline *pipeline, const char *option, const char *value, pgconvoy_error *err)
{
    if (pgc_options_set(&pipeline->options, option, value, err) != 0)
        return -1;
    if (pipeline->options.name)
        snprintf(pipeline->name, sizeof pipeline->name, "%s", pipeline->options.name);
    return 0;
}

const char *pgconvoy_pipeline_name(const pgconvoy_pipeline *pipeline)
{
    return pipeline->name;
}

void pgc_pipeline_allow_any_identity(pgconvoy_pipeline *pipeline)
{
    pipeline->any_identity = true;
}

void pgc_pipeline_allow_little_room(pgconvoy_pipeline *pipeline)
{
    pipeline->little_room = true;
}

void pgconvoy_pipeline_stop(pgconvoy_pipeline *pipeline)
{
    atomic_store(&pipeline->stop, true);
}

void pgconvoy_pipeline_on_progress(pgconvoy_pipeline *pipeline, int interval_ms,
                                   void (*fn)(void *arg, const pgconvoy_progress *progress), void *arg)
{
    pipeline->progress_interval_ms = interval_ms;
    pipeline->progress_fn = fn;
    pipeline->progress_arg = arg;
}

void pgconvoy_pipeline_on_log(pgconvoy_pipeline *pipeline,
                              void (*fn)(void *arg, pgconvoy_log_level level, const char *line), void *arg)
{
    pipeline->log.write = fn;
    pipeline->log.arg = arg;
}

void pgconvoy_pipeline_free(pgconvoy_pipeline *pipeline)
{
    if (!pipeline)
        return;
    free(pipeline->source);
    free(pipeline->target);
    pgc_options_free(&pipeline->options);
    free(pipeline->spool_path);
    free(pipeline);
}

/* ---- opening and closing both ends */

int pgc_pipeline_open_state_dir(const pgconvoy_pipeline *pipeline, pgc_state_dir *state_dir, pgconvoy_error *err)
{
    if (pipeline->options.state_dir)
        return pgc_state_dir_init(state_dir, pipeline->options.state_dir, pipeline->name, err);
    char *dir = pgc_options_default_state_dir();
    if (!dir) {
        state_dir->path = NULL;
        state_dir->lock_fd = -1;
        return pgc_error_out_of_memory(err);
    }
    int result = pgc_state_dir_init(state_dir, dir, pipeline->name, err);
    free(dir);
    return result;
}

static bool is_stopped(void *arg)
{
    return atomic_load((atomic_bool *)arg);
}

/* With other names at the target a command's text means something else there. */
static bool follows_texts(const pgconvoy_pipeline *pipeline)
{
    return !pgc_mapping_renames(pipeline->options.mapping) && (pipeline->sink_ops->capabilities & PGCONVOY_SINK_DDL_TEXT) != 0;
}

int pgc_pipeline_open_source(pgconvoy_pipeline *pipeline, pgc_run *run, const pgc_state_dir *state_dir, bool streaming,
                       pgconvoy_error *err)
{
    const pgc_options *options = &pipeline->options;
    run->source_config = (pgc_source_config){
        .uri = pipeline->source,
        .pipeline_name = pipeline->name,
        .publication = options->publication,
        .slot = options->slot,
        .include_tables = (const char *const *)options->include_tables.items,
        .exclude_tables = (const char *const *)options->exclude_tables.items,
        .include_schemas = (const char *const *)options->include_schemas.items,
        .exclude_schemas = (const char *const *)options->exclude_schemas.items,
        .partitions_as_leaves = options->partitions_as_leaves,
        .streaming = streaming,
        .any_identity = pipeline->any_identity,
        .mapping = options->mapping,
        .failover = options->failover,
        .two_phase = options->two_phase,
        .origin_none = options->origin_none,
        .unused_sequences = options->split_sequences != NULL,
        .ddl = options->ddl,
        .ddl_as_text = follows_texts(pipeline),
        .ddl_as_events = (pipeline->sink_ops->capabilities & PGCONVOY_SINK_KEEPS_EVENTS) != 0,
        .tell_first = (pipeline->sink_ops->capabilities & PGCONVOY_SINK_NOTES_COLUMNS) != 0,
        .names_by_catalog = pipeline->sink_ops->rename_tables && !pgc_mapping_renames(options->mapping) &&
                            !options->origin_none, /* what is renamed there would come back */
        .spool_path = pipeline->spool_path,
        .spool_bytes = options->spool_bytes,
        .jobs = options->jobs,
        .memory_bytes = options->memory_bytes / 8,
        .state_dir = state_dir->path,
        .log = &pipeline->log,
        .interrupted = is_stopped,
        .interrupted_arg = &pipeline->stop,
    };
    run->source_ops = &pgc_source_postgres;
    run->source = run->source_ops->open(&run->source_config, err);
    return run->source ? 0 : -1;
}

/* What cannot be had together with --two-phase, and why. */
static int check_two_phase(const pgconvoy_pipeline *pipeline, pgconvoy_error *err)
{
    const pgc_options *options = &pipeline->options;
    const bool last_write = options->on_conflict && strcmp(options->on_conflict, "last-write") == 0;
    const struct {
        bool given;
        const char *option, *why;
    } others[] = {
        {!(pipeline->sink_ops->capabilities & PGCONVOY_SINK_TWO_PHASE), "with this target", "only a PostgreSQL target can prepare a transaction"},
        {options->spool_dir != NULL, "with --spool", "what the spool has read would not be sent again when it is prepared"},
        {options->origin_none, "with --origin none", "what the other end has prepared could not be told from what was prepared here"},
        {last_write, "with --on-conflict last-write", "when a prepared transaction commits is not known yet when it is written"},
    };
    for (size_t i = 0; options->two_phase && i < sizeof others / sizeof *others; i++)
        if (others[i].given) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "--two-phase cannot be had %s", others[i].option);
            pgconvoy_error_hint(err, "leave out one of them: %s", others[i].why);
            return -1;
        }
    return 0;
}

int pgc_pipeline_open_sink(pgconvoy_pipeline *pipeline, pgc_run *run, const pgc_state_dir *state_dir, const char *source_id,
                     pgconvoy_error *err)
{
    run->sink_config = (pgconvoy_sink_config){
        .other_names = pgc_mapping_renames(pipeline->options.mapping),
        .target = pipeline->target,
        .pipeline_name = pipeline->name,
        .source_id = source_id,
        .state_dir = state_dir->path,
        .memory_bytes = pipeline->options.memory_bytes / 2,
        .writers = pipeline->options.jobs,
        .log = &pipeline->log,
        .user_data = pipeline->user_data,
        .on_conflict = pipeline->options.on_conflict,
        .conflict_table = pipeline->options.conflict_table,
        .two_way = pipeline->options.origin_none,
        .split_sequences = pipeline->options.split_sequences,
        .ddl_skip = pipeline->options.ddl_skip,
        .tell = pipeline->tell,
        .tell_arg = pipeline->tell_arg,
        .apply_jobs = pipeline->options.apply_jobs,
        .two_phase = pipeline->options.two_phase,
        .ddl_by_text = pipeline->options.ddl && follows_texts(pipeline),
        .lacks_label = run->lacks_label,
    };
    run->sink_ops = pipeline->sink_ops;
    run->sink = NULL;
    if ((pipeline->options.on_conflict || pipeline->options.conflict_table || pipeline->options.origin_none) && !(run->sink_ops->capabilities & PGCONVOY_SINK_CONFLICTS)) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "--on-conflict, --conflict-table and --origin cannot be had with the target %s",
                           run->sink_ops->name);
        pgconvoy_error_hint(err, "leave them out: such a target takes the source's rows as they are");
        return -1;
    }
    if (pipeline->options.apply_jobs > 1 && !(run->sink_ops->capabilities & PGCONVOY_SINK_APPLY_JOBS)) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "--apply-jobs cannot be had with the target %s", run->sink_ops->name);
        pgconvoy_error_hint(err, "leave it out: such a target takes changes by one writer");
        return -1;
    }
    if (check_two_phase(pipeline, err) != 0 || run->sink_ops->open(&run->sink_config, &run->sink, err) != 0)
        return -1;
    return pgc_mapped_sink_open(pipeline->options.mapping, &run->sink_ops, &run->sink, err);
}

void pgc_pipeline_close_run(pgc_run *run)
{
    if (run->sink)
        run->sink_ops->close(run->sink);
    run->sink = NULL;
    pgc_table_states_free(&run->states);
    pgc_left_tables_free(&run->left);
    if (run->source)
        run->source_ops->close(run->source);
    run->source = NULL;
}
