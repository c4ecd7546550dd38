/* The copy from its beginning to its end, again and again while what stops it may heal. */
#include "clone/clone_internal.h"

#include "base/clock.h"
#include "base/retry.h"
#include "base/units.h"
#include "postgres/connection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_FIRST_MS 500
#define RETRY_MOST_MS  10000

pgc_clone *pgc_clone_new(const pgc_clone_options *options, pgconvoy_error *err)
{
    pgc_clone *clone = calloc(1, sizeof *clone);
    if (!clone) {
        (void)pgc_error_out_of_memory(err);
        return NULL;
    }
    clone->options = options;
    pthread_mutex_init(&clone->lock, NULL);
    pgc_clock_condition_init(&clone->changed);
    return clone;
}

void pgc_clone_options_take(pgc_clone_options *clone, const pgc_options *options)
{
    clone->jobs = options->jobs;
    clone->index_jobs = options->index_jobs ? options->index_jobs : options->jobs;
    clone->roles = options->roles;
    clone->skip_unavailable = options->skip_unavailable;
    clone->dump.no_owner = options->no_owner;
    clone->dump.no_acl = options->no_acl;
    clone->mapping = options->mapping;
}

void pgc_clone_free(pgc_clone *clone)
{
    if (!clone)
        return;
    pthread_cond_destroy(&clone->changed);
    pthread_mutex_destroy(&clone->lock);
    free(clone);
}

/* ------------------------------------------------------------------ messages of the catalog */

static void on_say(void *arg, const char *what)
{
    pgc_log_debug(((pgc_clone *)arg)->options->log, "%s", what);
}

static void on_warning(void *arg, const char *text, const char *hint)
{
    pgc_log_warning(((pgc_clone *)arg)->options->log, "%s%s%s", text, hint ? "; " : "", hint ? hint : "");
}

/* ------------------------------------------------------------------ progress */

static pgconvoy_table_state state_of(const clone_table *table)
{
    if (atomic_load(&table->parts_left) <= 0)
        return PGCONVOY_TABLE_LIVE;
    return atomic_load(&table->begun_us) ? PGCONVOY_TABLE_COPYING : PGCONVOY_TABLE_WAITING;
}

void clone_report(pgc_clone *clone, bool done)
{
    const pgc_clone_options *options = clone->options;
    if (options->part)
        clone_part_report(clone);
    pgconvoy_table_progress *tables = options->progress ? calloc((size_t)clone->table_count + 1, sizeof *tables) : NULL;
    if (!tables)
        return;
    int64_t now = pgc_clock_monotonic_us();
    pgconvoy_progress progress = {.phase = done ? PGCONVOY_PHASE_DONE : PGCONVOY_PHASE_COPYING, .elapsed_us = now - clone->begun_us, .table_count = (size_t)clone->table_count, .tables = tables};
    for (int i = 0; i < clone->table_count; i++) {
        clone_table *table = &clone->tables[i];
        int64_t begun = atomic_load(&table->begun_us), ended = atomic_load(&table->ended_us);
        tables[i] = (pgconvoy_table_progress){.schema = table->relation->object.schema->object.name, .name = table->relation->object.name, .state = state_of(table),
                                              .rows_copied = atomic_load(&table->rows_copied), .bytes_copied = atomic_load(&table->bytes_copied),
                                              .estimated_rows = (int64_t)table->relation->rows, .estimated_bytes = table->bytes,
                                              .elapsed_us = begun ? (ended ? ended : now) - begun : 0};
        progress.rows_copied += tables[i].rows_copied;
        progress.bytes_copied += tables[i].bytes_copied;
    }
    options->progress(options->progress_arg, &progress);
    free(tables);
}

static void say_texts(const pgc_clone *clone)
{
    int count = 0;
    const clone_table *first = NULL;
    for (int i = 0; i < clone->table_count; i++)
        if (clone->tables[i].text_types) {
            first = first ? first : &clone->tables[i];
            count++;
            pgc_log_debug(clone->options->log, "the rows of %s.%s go as text, for its types %s", clone->tables[i].relation->object.schema->object.name, clone->tables[i].relation->object.name,
                          clone->tables[i].text_types);
        }
    if (count)
        pgc_log_info(clone->options->log, "the rows of %d of %d tables go as text, since not all of their types are the same bytes at both ends (%s.%s: %s)%s", count, clone->table_count,
                     first->relation->object.schema->object.name, first->relation->object.name, first->text_types, count > 1 ? "; --log-level debug names all" : "");
}

static void say_end(const pgc_clone *clone)
{
    int64_t rows = 0, bytes = 0, us = pgc_clock_monotonic_us() - clone->begun_us;
    for (int i = 0; i < clone->table_count; i++) {
        rows += atomic_load(&clone->tables[i].rows_copied);
        bytes += atomic_load(&clone->tables[i].bytes_copied);
    }
    if (clone->options->part)
        return; /* the pipeline tells of its tables */
    char row_text[PGC_UNITS_TEXT_SIZE], byte_text[PGC_UNITS_TEXT_SIZE], time_text[PGC_UNITS_TEXT_SIZE];
    pgc_log_info(clone->options->log, "copied %d tables%s, %s rows, %s in %s", clone->table_count, clone->resumes ? " (some of them before)" : "", pgc_count_to_text(rows, row_text),
                 pgc_size_to_text(bytes, byte_text), pgc_duration_to_text(us, time_text));
}

/* ------------------------------------------------------------------ one attempt */

static int connect_target(pgc_clone *clone, pgconvoy_error *err)
{
    char program[128];
    snprintf(program, sizeof program, "pgconvoy %.60s copy", clone->options->name);
    clone->target = pgc_connect(clone->options->target, PGC_CONNECTION_SQL, program, err);
    if (!clone->target)
        return -1;
    clone->target_version = PQserverVersion(clone->target);
    return 0;
}

static int set_up(pgc_clone *clone, pgconvoy_error *err)
{
    const pgc_clone_options *options = clone->options;
    clone->arena = pgc_arena_new(256 << 10);
    if (!clone->arena)
        return pgc_error_out_of_memory(err);
    clone->dump = options->dump;
    clone->dump.for_a_session = true;
    clone->dump.address = (pgc_server_address){.dbname = options->source, .prompt = PGC_PROMPT_NEVER, .program = "pgconvoy copy"};
    clone->dump.sections = PGC_SECTIONS_ALL;
    clone->dump.jobs = options->jobs;
    clone->dump.progress = on_say;
    clone->dump.warning = on_warning;
    clone->dump.arg = clone;
    if (options->part) {
        clone->dump.snapshot = options->part->snapshot;
        clone->dump.no_publications = clone->dump.no_subscriptions = clone->dump.no_security_labels = true;
        clone->dump.no_large_objects = clone->dump.no_unlogged_table_data = true;
    }
    if (pgc_options_include_everything(&clone->dump) && !clone->dump.no_large_objects && !clone->dump.schema_only)
        clone->dump.large_objects = true;
    return connect_target(clone, err);
}

static int attempt(pgc_clone *clone, pgconvoy_error *err)
{
    if (set_up(clone, err))
        return -1;
    bool looks_only = clone->options->part && !clone->options->part->snapshot;
    if (!clone->options->dry_run && !looks_only && clone_state_lock(clone, err))
        return -1;
    if (clone_plan_read(clone, err) || clone_state_read(clone, err) || clone_check(clone, err))
        return -1;
    if (clone_state_leave_out(clone, err) || clone_leave_out_all(clone, err) || clone_leave_out_present(clone, err) || clone_trial(clone, err) ||
        clone_part_leave_out(clone, err))
        return -1;
    if (clone_tables_read(clone, err) || clone_disk_check(clone, err) || clone_plan_make(clone, err))
        return -1;
    if (looks_only)
        return 0;
    if (clone->options->dry_run) {
        clone_say_left_out(clone);
        return clone_plan_say(clone, err);
    }
    say_texts(clone);
    clone_say_left_out(clone);
    if (atomic_load(&clone->asked)) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "stopped");
        return -1;
    }
    clone->begun = true;
    if (clone_part_make_room(clone, err) || clone_state_begin(clone, err) || clone_state_redo(clone, err) || clone_work(clone, err) || clone_state_end(clone, err))
        return -1;
    clone_report(clone, true);
    if (clone->options->skip_unavailable)
        clone_say_left_out(clone);
    say_end(clone);
    return 0;
}

static void clean_up(pgc_clone *clone)
{
    pgc_script_free(clone->script);
    clone->script = NULL;
    if (clone->has_entries)
        pgc_entries_free(&clone->entries);
    clone->has_entries = false;
    clone->entries = (pgc_entries){0};
    if (clone->catalog)
        pgc_catalog_close(clone->catalog);
    clone->catalog = NULL;
    PQfinish(clone->target);
    clone->target = NULL;
    clone_names_free(&clone->finished_items);
    clone_names_free(&clone->present);
    pgc_arena_free(clone->arena);
    clone->arena = NULL;
    clone->items = NULL;
    clone->tables = NULL;
    clone->left_out = NULL;
    clone->needing = NULL;
    clone->role_sql = clone->snapshot = NULL;
    clone->part_oids = NULL;
    clone->part_groups = NULL;
    clone->part_count = 0;
    clone->item_count = clone->table_count = clone->left_out_count = clone->left_out_capacity = clone->needing_count = clone->needing_capacity = 0;
    clone->resumes = clone->other_snapshot = false;
    clone->large_builds = clone->large_rows = clone->rows_done = clone->put_off = 0;
    clone->tries_again = false;
    pthread_mutex_lock(&clone->lock);
    if (!atomic_load(&clone->asked)) {
        clone->failed = false;
        atomic_store(&clone->stop, false);
    }
    pthread_mutex_unlock(&clone->lock);
}

/* ------------------------------------------------------------------ again and again */

/* A server whose memory for locks is too small (53200) will not have more of it in a while. */
static bool heals(const pgc_clone *clone, const pgconvoy_error *err)
{
    return err->retriable && strcmp(err->sqlstate, "53200") != 0 && !atomic_load(&clone->asked) && !clone->options->dry_run;
}

static void wait(const pgc_clone *clone, int ms)
{
    for (; ms > 0 && !atomic_load(&clone->asked); ms -= 100)
        pgc_clock_sleep_ms(100);
}

int pgc_clone_run(pgc_clone *clone, pgconvoy_error *err)
{
    clone->begun_us = pgc_clock_monotonic_us();
    pgc_retry retry = {.first_ms = RETRY_FIRST_MS, .most_ms = RETRY_MOST_MS};
    int finished = 0;
    for (;;) {
        int result = attempt(clone, err);
        clean_up(clone);
        if (result == 0)
            return 0;
        if (atomic_load(&clone->asked) && !clone->first_error.message[0])
            return -1;
        bool forward = atomic_load(&clone->finished) != finished;
        finished = atomic_load(&clone->finished);
        if (!heals(clone, err) || !pgc_retry_again(&retry, forward, clone->options->retry_for_us)) {
            if (atomic_load(&clone->asked))
                pgc_error_copy(err, &clone->first_error);
            return -1;
        }
        pgc_log_warning(clone->options->log, "%s; trying again", err->message);
        wait(clone, retry.pause_ms);
        pgc_retry_paused(&retry);
        pgc_error_clear(err);
    }
}
