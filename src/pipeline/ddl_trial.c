/*
 * A trial of DDL: the source tells what the stream would bring, and the sink takes it in a transaction that is given
 * up. A sink whose DDL is in no transaction does nothing and looks at its tables as they are, so that it is given the
 * definitions only that all commands together leave.
 */
#include "pipeline/ddl_trial.h"

#include "pipeline/pipeline_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct trial {
    pgc_run run;
    void *writer;
    pgc_trial_line line;
    void *arg;
    bool told; /* anything of the command under way */
    bool stops;
    const pgconvoy_table **last; /* for each state the definition in the end; NULL: the same */
} trial;

static void say(trial *trial, const char *before, const char *text)
{
    pgc_buffer line;
    pgc_buffer_init(&line, (size_t)64 << 20);
    pgc_buffer_format(&line, "%s%s", before, text);
    trial->told = true;
    if (!line.failed)
        trial->line(trial->arg, line.data);
    pgc_buffer_free(&line);
}

static void on_statement(void *arg, const char *statement)
{
    say(arg, "  would run: ", statement);
}

static int change(trial *trial, pgc_table_state *state, const pgconvoy_table *table, pgconvoy_error *err)
{
    const pgconvoy_table *before = atomic_load(&state->table);
    if (atomic_load(&state->state) < PGCONVOY_TABLE_CATCHING_UP) {
        say(trial, "  not copied yet, and copied as it will be then: ", table->name);
        return 0;
    }
    int left = trial->run.sink_ops->change_schema(trial->writer, before, table, err);
    if (left < 0)
        return -1;
    if (left > 0) {
        say(trial, "  would be copied anew: ", err->message);
        pgc_error_clear(err);
    }
    atomic_store(&state->table, table);
    return 0;
}

/* One may be named by several. */
static void say_recopied(trial *trial, const pgconvoy_ddl *ddl)
{
    for (size_t i = 0; i < ddl->recopied_count; i++) {
        pgc_table_state *state = pgc_table_states_find(&trial->run.states, ddl->recopied[i]);
        const pgconvoy_table *table = state ? atomic_load(&state->table) : NULL;
        if (table)
            say(trial, "  would be copied anew, having rows or values that only the source knows: ", table->name);
    }
}

static int follow_command(trial *trial, const pgconvoy_ddl *ddl, pgconvoy_error *err)
{
    const pgconvoy_sink *ops = trial->run.sink_ops;
    const char *object = ddl->object_count > 0 && ddl->objects[0].identity ? ddl->objects[0].identity : "";
    char head[300];
    snprintf(head, sizeof head, "%.60s %.200s", ddl->tag, object);
    say(trial, "", head);
    trial->told = false;
    if ((ops->capabilities & PGCONVOY_SINK_DDL) && ops->apply_ddl(trial->writer, ddl, err) != 0)
        return -1;
    if (strncmp(ddl->tag, "CREATE TABLE", 12) == 0)
        say(trial, "  would join the pipeline and be copied, where that takes all tables: ", object);
    say_recopied(trial, ddl);
    return 0;
}

static int on_seen(void *arg, const pgconvoy_ddl *ddl, const pgconvoy_table *const *tables, size_t table_count,
                   pgconvoy_error *err)
{
    trial *trial = arg;
    trial->stops = true; /* if anything fails from here on */
    if (ddl && follow_command(trial, ddl, err) != 0)
        return -1;
    bool at_once = (trial->run.sink_ops->capabilities & PGCONVOY_SINK_DDL) != 0;
    for (size_t i = 0; i < table_count; i++) {
        pgc_table_state *state = pgc_table_states_find(&trial->run.states, tables[i]->oid);
        if (state && at_once && change(trial, state, tables[i], err) != 0)
            return -1;
        if (state && !at_once)
            trial->last[state - trial->run.states.items] = tables[i];
    }
    if (ddl && at_once && !trial->told)
        say(trial, "  nothing is to be done", "");
    trial->stops = false;
    return 0;
}

/* The tables that waited for all commands. */
static int change_last(trial *trial, pgconvoy_error *err)
{
    trial->stops = true;
    trial->told = false;
    for (size_t i = 0; i < trial->run.states.count; i++)
        if (trial->last[i] && change(trial, &trial->run.states.items[i], trial->last[i], err) != 0)
            return -1;
    if (!(trial->run.sink_ops->capabilities & PGCONVOY_SINK_DDL) && !trial->told)
        say(trial, "  nothing is to be done", "");
    trial->stops = false;
    return 0;
}

static int open_ends(pgconvoy_pipeline *pipeline, trial *trial, const pgc_state_dir *state_dir, pgconvoy_error *err)
{
    pgc_run *run = &trial->run;
    const pgconvoy_table *const *tables;
    size_t count;
    pgconvoy_checkpoint checkpoint;
    if (pgc_pipeline_open_source(pipeline, run, state_dir, true, err) != 0 ||
        run->source_ops->load_tables(run->source, &tables, &count, err) != 0 ||
        pgc_pipeline_open_sink(pipeline, run, state_dir, run->source_ops->id(run->source), err) != 0 ||
        run->sink_ops->read_checkpoint(run->sink, &checkpoint, err) != 0)
        return -1;
    if (!checkpoint.source_id && checkpoint.table_count == 0) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "pipeline %s has nothing in the target yet", pipeline->name);
        pgconvoy_error_hint(err, "name the pipeline with --name, as sync was given it, or let sync copy first");
        return -1;
    }
    if (pgc_table_states_init(&run->states, tables, count, &checkpoint, err) != 0)
        return -1;
    trial->last = calloc(run->states.count + 1, sizeof(const pgconvoy_table *));
    return trial->last ? run->sink_ops->open_writer(run->sink, &trial->writer, err) : pgc_error_out_of_memory(err);
}

static int run_trial(trial *trial, const char *text, pgconvoy_error *err)
{
    pgc_run *run = &trial->run;
    if (run->sink_ops->begin(trial->writer, NULL, err) != 0)
        return -1;
    int result = run->source_ops->try_ddl(run->source, text, on_seen, trial, err);
    if (result == 0)
        result = change_last(trial, err);
    run->sink_ops->abort(trial->writer);
    return result;
}

int pgc_pipeline_try_ddl(pgconvoy_pipeline *pipeline, const char *text, pgc_trial_line line, void *arg, bool *stops,
                         pgconvoy_error *err)
{
    pgc_state_dir state_dir;
    trial trial = {.run = {.options = &pipeline->options,
                           .log = &pipeline->log,
                           .counters = &pipeline->counters,
                           .stop = &pipeline->stop},
                   .line = line,
                   .arg = arg};
    *stops = false;
    if (!(pipeline->sink_ops->capabilities & PGCONVOY_SINK_DDL_TRIAL)) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "changes of definitions cannot be tried with the target %s",
                           pipeline->sink_ops->name);
        pgconvoy_error_hint(err, "its page of documentation says what it follows");
        return -1;
    }
    if (!pipeline->options.name)
        pipeline->name[0] = 'p'; /* as sync and stream derive it */
    if (pgc_pipeline_open_state_dir(pipeline, &state_dir, err) != 0)
        return -1;
    pipeline->tell = on_statement;
    pipeline->tell_arg = &trial;
    int result = open_ends(pipeline, &trial, &state_dir, err);
    if (result == 0)
        result = run_trial(&trial, text, err);
    *stops = result != 0 && trial.stops;
    if (trial.writer)
        trial.run.sink_ops->close_writer(trial.writer);
    free(trial.last);
    pgc_pipeline_close_run(&trial.run);
    pgc_state_dir_close(&state_dir);
    pipeline->tell = NULL;
    return result;
}
