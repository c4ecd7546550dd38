/*
 * Dropping a pipeline: each end by itself, so that one that is away does not keep the other from being cleaned. What is
 * left is said with the SQL that removes it, and the local state stays, so that the same command does the rest later.
 */
#include "pipeline/pipeline_internal.h"

#include "postgres/connection.h"
#include "postgres/quote.h"
#include "source/postgres/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Text with every "%s" replaced by the name as a literal. */
static void fill_in(pgc_buffer *out, const char *format, const char *name)
{
    for (const char *at; (at = strstr(format, "%s")) != NULL; format = at + 2) {
        pgc_buffer_append(out, format, (size_t)(at - format));
        pgc_quote_literal(out, name);
    }
    pgc_buffer_text(out, format);
}

static void say_left_at_source(pgconvoy_pipeline *pipeline)
{
    const pgc_options *options = &pipeline->options;
    char derived[64];
    pgc_buffer sql;
    pgc_slot_name_derive(pipeline->name, derived);
    pgc_buffer_init(&sql, 1 << 16);
    pgc_buffer_text(&sql, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = ");
    pgc_quote_literal(&sql, options->slot ? options->slot : derived);
    pgc_buffer_text(&sql, "; ");
    if (!options->publication) {
        pgc_buffer_text(&sql, "DROP PUBLICATION IF EXISTS ");
        pgc_quote_identifier(&sql, derived);
    }
    if (!sql.failed)
        pgc_log_warning(&pipeline->log, "the source is out of reach; left there is what this removes: %s", sql.data);
    if (options->publication)
        pgc_log_warning(&pipeline->log,
                        "publication %s stays there too, if this pipeline made it (its comment says so)",
                        options->publication);
    pgc_buffer_free(&sql);
}

static void say_left_at_target(pgconvoy_pipeline *pipeline)
{
    if (!pipeline->sink_ops->drop_by_hand) {
        pgc_log_warning(&pipeline->log, "the target could not be asked to forget the pipeline");
        return;
    }
    pgc_buffer sql;
    pgc_buffer_init(&sql, 1 << 16);
    fill_in(&sql, pipeline->sink_ops->drop_by_hand, pipeline->name);
    if (!sql.failed)
        pgc_log_warning(&pipeline->log, "the target is out of reach; left there is what this removes: %s", sql.data);
    pgc_buffer_free(&sql);
}

static int drop_source(pgconvoy_pipeline *pipeline, pgc_run *run, const pgc_state_dir *state_dir, pgconvoy_error *err)
{
    if (pgc_pipeline_open_source(pipeline, run, state_dir, false, err) != 0)
        return -1;
    return run->source_ops->drop(run->source, err);
}

static int drop_target(pgconvoy_pipeline *pipeline, pgc_run *run, const pgc_state_dir *state_dir, pgconvoy_error *err)
{
    const char *source_id = run->source ? run->source_ops->id(run->source) : NULL;
    if (pgc_pipeline_open_sink(pipeline, run, state_dir, source_id, err) != 0)
        return -1;
    return run->sink_ops->drop(run->sink, err);
}

int pgconvoy_pipeline_drop(pgconvoy_pipeline *pipeline, pgconvoy_error *err)
{
    pgc_state_dir state_dir;
    pgc_run run = {.options = &pipeline->options, .log = &pipeline->log};
    pgconvoy_error at_source = {0}, at_target = {0};
    if (pgc_pipeline_open_state_dir(pipeline, &state_dir, err) != 0)
        return -1;
    /* a slot in use is the other process's; its target is then left alone too, since it would write the checkpoint
     * again */
    int source = drop_source(pipeline, &run, &state_dir, &at_source);
    bool in_use = source != 0 && at_source.code != PGCONVOY_ERROR_CONNECTION;
    int target = in_use ? -1 : drop_target(pipeline, &run, &state_dir, &at_target);
    if (source != 0 && !in_use)
        say_left_at_source(pipeline);
    if (target != 0 && !in_use)
        say_left_at_target(pipeline);
    pgc_pipeline_close_run(&run);
    if (source == 0 && target == 0) {
        char *spool = pgc_state_dir_noted(&state_dir, "spool");
        if (spool)
            unlink(spool);
        free(spool);
        pgc_state_dir_remove(&state_dir);
    } else {
        pgc_error_copy(err, source != 0 ? &at_source : &at_target);
        if (!in_use) {
            pgc_error_prefix(err, "pipeline %s is not dropped at its %s", pipeline->name,
                             source == 0   ? "target"
                             : target == 0 ? "source"
                                           : "source, nor at its target");
            pgconvoy_error_hint(err,
                                "the same command does the rest once that end can be reached, or the SQL above does");
        }
    }
    pgc_state_dir_close(&state_dir);
    return source == 0 && target == 0 ? 0 : -1;
}
