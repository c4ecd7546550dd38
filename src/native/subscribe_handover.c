/*
 * A target goes from the servers' own replication to a pipeline, or back, without a new copy. Both read the same slot
 * by the same publication; what must be known is the position up to which the target has everything and beyond which
 * it has nothing.
 *
 * Of a subscription that is the larger of two: the progress of its origin (the end of the last transaction that it has
 * committed, in commit order) and what the slot has confirmed (up to which whatever came was flushed at the target, or
 * was of no concern to it). They are read when no worker is left, and only after everything from before all tables were
 * ready is confirmed: until then a table's changes may be in its copy without being in the progress.
 *
 * Of a pipeline it is its checkpoint, which no process moves while we hold its lock. A slot that is confirmed beyond it
 * has changes in a spool, or lost them: refused.
 *
 * In each direction one transaction of the target takes the position from the one and gives it to the other. Before it
 * the old owner is the owner still, and after it the new one.
 */
#include "native/subscribe_internal.h"

#include "base/clock.h"
#include "postgres/quote.h"
#include "sink/postgres/adopt.h"
#include "source/postgres/names.h"
#include "source/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORKERS_END_MS 60000
#define PAUSE_MS 50

/* ------------------------------------------------------------------ both ways */

/* The slot as a pipeline would see it, and the source's name. */
static int look_at_source(subscribe_state *state, char *source_id, size_t size, pgc_position_status *slot,
                          pgconvoy_error *err)
{
    pgc_source_config config = {.uri = state->options->source,
                                .pipeline_name = state->options->name,
                                .publication = state->options->publication,
                                .jobs = 1,
                                .memory_bytes = (size_t)16 << 20,
                                .log = state->options->log};
    void *source = pgc_source_postgres.open(&config, err);
    if (!source)
        return -1;
    snprintf(source_id, size, "%s", pgc_source_postgres.id(source));
    int failed = pgc_source_postgres.position_status(source, slot, err);
    pgc_source_postgres.close(source);
    if (failed)
        return -1;
    if (slot->exists && slot->usable)
        return 0;
    if (slot->exists)
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "%s", slot->reason);
    else
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "the replication slot %s is gone from the source", slot->name);
    pgconvoy_error_hint(err, "without it a new copy is needed: --drop, then begin again with --if-exists truncate");
    return -1;
}

/* Whose the publication is stands in its comment; one that neither of them has made stays as it is. */
static int mark_publication(subscribe_state *state, const char *from, const char *to, pgconvoy_error *err)
{
    const char *values[] = {state->publication};
    PGresult *result = pgc_query_params(
        state->source, "SELECT obj_description(oid, 'pg_publication') FROM pg_publication WHERE pubname = $1", 1,
        values, err);
    if (!result)
        return -1;
    bool is_from = PQntuples(result) == 1 && strcmp(PQgetvalue(result, 0, 0), from) == 0;
    PQclear(result);
    if (!is_from)
        return 0;
    pgc_buffer sql;
    pgc_buffer_init(&sql, 4096);
    pgc_buffer_text(&sql, "COMMENT ON PUBLICATION ");
    pgc_quote_identifier(&sql, state->publication);
    pgc_buffer_text(&sql, " IS ");
    pgc_quote_literal(&sql, to);
    int failed = pgc_buffer_check(&sql, err) || subscribe_run_sql(state, state->source, sql.data, err);
    pgc_buffer_free(&sql);
    return failed ? -1 : 0;
}

static int begin(subscribe_state *state, pgconvoy_error *err)
{
    return subscribe_run_sql(state, state->target, "BEGIN", err);
}

static void roll_back(subscribe_state *state)
{
    pgconvoy_error unused;
    if (PQtransactionStatus(state->target) != PQTRANS_IDLE && pgc_execute(state->target, "ROLLBACK", &unused))
        PQreset(state->target);
}

/* The target's functions for origins are a superuser's until they are granted. */
static void hint_at_grant(pgconvoy_error *err, const char *function)
{
    if (strcmp(err->sqlstate, "42501") == 0)
        pgconvoy_error_hint(err, "as a superuser of the target: GRANT EXECUTE ON FUNCTION %s TO the role", function);
}

/* ------------------------------------------------------------------ to a pipeline */

/* One row: oid, whether it is enabled, its workers, whether a transaction that it has prepared is open. */
static PGresult *read_subscription(subscribe_state *state, pgconvoy_error *err)
{
    const char *values[] = {state->name};
    PGresult *result = pgc_query_params(
        state->target,
        "SELECT s.oid, s.subenabled, (SELECT count(*) FROM pg_stat_subscription w WHERE w.subid = s.oid AND w.pid IS "
        "NOT NULL), EXISTS (SELECT FROM pg_prepared_xacts WHERE gid LIKE 'pg\\_gid\\_' || s.oid || '\\_%') "
        "FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid WHERE d.datname = current_database() AND "
        "s.subname = $1",
        1, values, err);
    if (result && PQntuples(result) != 1) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "subscription %s is gone from the target", state->name);
        PQclear(result);
        return NULL;
    }
    return result;
}

/* The workers end between two transactions; a large one takes its time. */
static int wait_for_workers(subscribe_state *state, pgc_position_status *slot, char *source_id, size_t size,
                            pgconvoy_error *err)
{
    int64_t until = pgc_clock_monotonic_us() + INT64_C(1000) * WORKERS_END_MS;
    for (;;) {
        PGresult *result = read_subscription(state, err);
        if (!result)
            return -1;
        bool working = strcmp(PQgetvalue(result, 0, 2), "0") != 0, prepared = PQgetvalue(result, 0, 3)[0] == 't';
        PQclear(result);
        if (!working && look_at_source(state, source_id, size, slot, err))
            return -1;
        if (!working && prepared) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_STATE,
                               "subscription %s has prepared a transaction on the target that has not ended yet",
                               state->name);
            pgconvoy_error_hint(err, "COMMIT PREPARED or ROLLBACK PREPARED it at the source, then try again");
            return -1;
        }
        if (!working && !slot->reader_pid)
            return 0;
        if (pgc_clock_monotonic_us() > until) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "the workers of subscription %s did not end within %d s",
                               state->name, WORKERS_END_MS / 1000);
            pgconvoy_error_hint(err, "see pg_stat_activity of the target, and try again");
            return -1;
        }
        pgc_clock_sleep_ms(PAUSE_MS);
    }
}

static int read_progress(subscribe_state *state, pgconvoy_lsn *lsn, pgconvoy_error *err)
{
    const char *values[] = {state->name};
    PGresult *result =
        pgc_query_params(state->target,
                         "SELECT coalesce(pg_replication_origin_progress('pg_' || oid, true), '0/0') FROM "
                         "pg_subscription WHERE subname = $1 AND subdbid = (SELECT oid FROM pg_database WHERE datname "
                         "= current_database())",
                         1, values, err);
    if (!result) {
        hint_at_grant(err, "pg_replication_origin_progress(text, boolean)");
        return -1;
    }
    int failed = PQntuples(result) != 1 || pgconvoy_lsn_from_text(PQgetvalue(result, 0, 0), lsn);
    if (failed)
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "the progress of subscription %s cannot be read", state->name);
    PQclear(result);
    return failed ? -1 : 0;
}

/* The subscription's tables, as a pipeline has them. The names are result's. */
static pgconvoy_table_status *read_statuses(subscribe_state *state, pgconvoy_lsn lsn, PGresult **result,
                                            pgconvoy_error *err)
{
    const char *values[] = {state->name};
    *result = pgc_query_params(state->target,
                               "SELECT n.nspname, c.relname FROM pg_subscription s JOIN pg_subscription_rel r ON "
                               "r.srsubid = s.oid JOIN pg_class c ON c.oid = r.srrelid JOIN pg_namespace n ON n.oid = "
                               "c.relnamespace WHERE s.subname = $1 AND subdbid = (SELECT oid FROM pg_database WHERE "
                               "datname = current_database()) ORDER BY 1, 2",
                               1, values, err);
    if (!*result)
        return NULL;
    int count = PQntuples(*result);
    pgconvoy_table_status *statuses = calloc((size_t)count + 1, sizeof *statuses);
    if (!statuses)
        pgc_error_out_of_memory(err);
    for (int i = 0; statuses && i < count; i++)
        statuses[i] = (pgconvoy_table_status){.schema = PQgetvalue(*result, i, 0),
                                              .name = PQgetvalue(*result, i, 1),
                                              .state = PGCONVOY_TABLE_LIVE,
                                              .copy_lsn = lsn};
    return statuses;
}

static int give_checkpoint(subscribe_state *state, const char *source_id, pgconvoy_lsn lsn, pgconvoy_error *err)
{
    PGresult *names;
    pgconvoy_table_status *statuses = read_statuses(state, lsn, &names, err);
    int failed = !statuses || pgc_pgsink_adopt(state->target, state->options->name, source_id, lsn, statuses,
                                               (size_t)PQntuples(names), state->options->log, err);
    free(statuses);
    PQclear(names);
    return failed ? -1 : 0;
}

/* Without its slot the subscription can be dropped within a transaction. */
static int move_to_pipeline(subscribe_state *state, pgconvoy_error *err)
{
    char source_id[256], text[PGCONVOY_LSN_TEXT_SIZE];
    pgc_position_status slot;
    pgconvoy_lsn lsn;
    if (wait_for_workers(state, &slot, source_id, sizeof source_id, err) || begin(state, err) ||
        read_progress(state, &lsn, err))
        return -1;
    if (lsn < slot.confirmed_lsn)
        lsn = slot.confirmed_lsn;
    if (give_checkpoint(state, source_id, lsn, err) ||
        subscribe_alter(state, "ALTER SUBSCRIPTION ", " SET (slot_name = NONE)", err) ||
        subscribe_alter(state, "DROP SUBSCRIPTION ", "", err) || subscribe_run_sql(state, state->target, "COMMIT", err))
        return -1;
    pgc_log_info(state->options->log, "subscription %s has become pipeline %s, which goes on behind %s", state->name,
                 state->options->name, pgconvoy_lsn_to_text(lsn, text));
    return 0;
}

/* The same command again, when the end of it was missed. */
static bool is_a_pipeline(subscribe_state *state, pgconvoy_checkpoint *checkpoint, pgc_arena *arena,
                          pgconvoy_error *err)
{
    return pgc_execute(state->target, "BEGIN", err) == 0 &&
           pgc_pgsink_adopted_read(state->target, state->options->name, arena, checkpoint, state->options->log, err) ==
               0 &&
           checkpoint->source_id;
}

static int finish_pipeline(subscribe_state *state, pgconvoy_error *err)
{
    char mark[256];
    pgc_publication_mark(state->options->name, mark, sizeof mark);
    if (mark_publication(state, SUBSCRIBE_MARK, mark, err)) {
        pgc_error_prefix(err, "the pipeline is ready, but its publication could not be marked as its own");
        pgconvoy_error_hint(err, "the same command does it");
        return -1;
    }
    pgc_log_info(state->options->log, "it goes on with: pgconvoy sync SOURCE TARGET --name %s%s%s, and the same tables",
                 state->options->name, state->options->publication ? " --publication " : "",
                 state->options->publication ? state->options->publication : "");
    return 0;
}

static int say_to_pipeline(subscribe_state *state, pgconvoy_error *err)
{
    return subscribe_alter(state, "ALTER SUBSCRIPTION ", " DISABLE", err) || begin(state, err) ||
                   subscribe_run_sql(state, state->target,
                                     "/* the position and the tables are stored in schema pgconvoy */", err) ||
                   subscribe_alter(state, "ALTER SUBSCRIPTION ", " SET (slot_name = NONE)", err) ||
                   subscribe_alter(state, "DROP SUBSCRIPTION ", "", err) ||
                   subscribe_run_sql(state, state->target, "COMMIT", err)
               ? -1
               : finish_pipeline(state, err);
}

static int missing(subscribe_state *state, pgconvoy_error *err)
{
    pgc_arena *arena = pgc_arena_new(16 << 10);
    pgconvoy_checkpoint checkpoint = {0};
    bool had = arena && is_a_pipeline(state, &checkpoint, arena, err);
    pgc_arena_free(arena);
    roll_back(state);
    if (err->code)
        return -1;
    return had ? finish_pipeline(state, err) : subscribe_refuse_missing(state, err);
}

int subscribe_to_pipeline(subscribe_state *state, pgconvoy_error *err)
{
    const pgc_subscribe_options *options = state->options;
    if (!state->has_subscription)
        return missing(state, err);
    if (options->dry_run)
        return say_to_pipeline(state, err);
    if (subscribe_watch(state, true, err))
        return -1;
    if (options->stopped && options->stopped(options->stopped_arg)) {
        pgc_log_info(options->log, "stopped before anything was changed");
        return 0;
    }
    if (subscribe_alter(state, "ALTER SUBSCRIPTION ", " DISABLE", err))
        return -1;
    if (move_to_pipeline(state, err)) {
        pgconvoy_error unused = {0};
        roll_back(state);
        if (subscribe_alter(state, "ALTER SUBSCRIPTION ", " ENABLE", &unused))
            pgc_log_warning(options->log, "subscription %s stays disabled: %s", state->name, unused.message);
        return -1;
    }
    return finish_pipeline(state, err);
}

/* ------------------------------------------------------------------ from a pipeline */

static const pgconvoy_table_status *find(const pgconvoy_checkpoint *checkpoint, const char *schema, const char *name)
{
    for (size_t i = 0; i < checkpoint->table_count; i++)
        if (strcmp(checkpoint->tables[i].name, name) == 0 && strcmp(checkpoint->tables[i].schema, schema) == 0)
            return &checkpoint->tables[i];
    return NULL;
}

/* Every table of the publication must be the pipeline's and live: a subscription takes all for copied. */
static int check_tables(subscribe_state *state, const pgconvoy_checkpoint *checkpoint, pgconvoy_error *err)
{
    const char *values[] = {state->publication};
    PGresult *result = pgc_query_params(
        state->source, "SELECT schemaname, tablename FROM pg_publication_tables WHERE pubname = $1 ORDER BY 1, 2", 1,
        values, err);
    if (!result)
        return -1;
    int failed = 0;
    for (int i = 0; i < PQntuples(result) && !failed; i++) {
        const char *schema = PQgetvalue(result, i, 0), *name = PQgetvalue(result, i, 1);
        const pgconvoy_table_status *status = find(checkpoint, schema, name);
        if (status && status->state == PGCONVOY_TABLE_LIVE)
            continue;
        failed = -1;
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE,
                           status ? "table %s.%s of publication %s is not copied to its end by pipeline %s"
                                  : "table %s.%s of publication %s is none of pipeline %s",
                           schema, name, state->publication, state->options->name);
        pgconvoy_error_hint(err, status ? "pgconvoy sync --until caught-up first"
                                        : "take it out of the publication, or let the pipeline copy it first");
    }
    PQclear(result);
    return failed;
}

/* Of the checkpoint: that it is this source's, and that the slot has all that lies behind it. */
static int check_position(subscribe_state *state, const pgconvoy_checkpoint *checkpoint, pgconvoy_error *err)
{
    char source_id[256], at[PGCONVOY_LSN_TEXT_SIZE], on[PGCONVOY_LSN_TEXT_SIZE];
    pgc_position_status slot;
    if (!checkpoint->source_id || !checkpoint->lsn) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE,
                           checkpoint->source_id ? "pipeline %s has not begun to stream yet"
                                                 : "there is no pipeline %s on the target",
                           state->options->name);
        pgconvoy_error_hint(err, checkpoint->source_id ? "pgconvoy sync --until caught-up first"
                                                       : "name it by --name; pgconvoy status lists pipelines");
        return -1;
    }
    if (look_at_source(state, source_id, sizeof source_id, &slot, err))
        return -1;
    if (!state->has_publication) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "there is no publication %s at the source", state->publication);
        pgconvoy_error_hint(err, "name the pipeline's with --publication");
        return -1;
    }
    if (strcmp(source_id, checkpoint->source_id) != 0) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE,
                           "pipeline %s in the target belongs to another source (cluster and database %s, this one is "
                           "%s)",
                           state->options->name, checkpoint->source_id, source_id);
        return -1;
    }
    if (slot.reader_pid) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "pipeline %s is at work, through process %d of the source",
                           state->options->name, slot.reader_pid);
        pgconvoy_error_hint(err, "stop it first");
        return -1;
    }
    if (slot.confirmed_lsn > checkpoint->lsn) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE,
                           "the target stands at %s but the replication slot %s has moved on to %s: the changes "
                           "between are in the pipeline's spool, or lost",
                           pgconvoy_lsn_to_text(checkpoint->lsn, at), slot.name,
                           pgconvoy_lsn_to_text(slot.confirmed_lsn, on));
        pgconvoy_error_hint(err, "pgconvoy sync --until caught-up first, which empties a spool");
        return -1;
    }
    return check_tables(state, checkpoint, err);
}

/* In the transaction that has the pipeline's lock from then on. */
static int read_pipeline(subscribe_state *state, pgc_arena *arena, pgconvoy_checkpoint *checkpoint, pgconvoy_error *err)
{
    return pgc_execute(state->target, "BEGIN", err) ||
                   pgc_pgsink_adopted_read(state->target, state->options->name, arena, checkpoint, state->options->log,
                                           err) ||
                   check_position(state, checkpoint, err)
               ? -1
               : 0;
}

/* An origin's progress is not undone with a transaction, so its subscription is there before, and disabled. */
static int advance(subscribe_state *state, pgconvoy_lsn lsn, pgconvoy_error *err)
{
    char text[PGCONVOY_LSN_TEXT_SIZE];
    const char *values[] = {state->name, pgconvoy_lsn_to_text(lsn, text)};
    PGresult *result =
        pgc_query_params(state->target,
                         "SELECT pg_replication_origin_advance('pg_' || oid, $2::pg_lsn) FROM pg_subscription WHERE "
                         "subname = $1 AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())",
                         2, values, err);
    if (!result)
        hint_at_grant(err, "pg_replication_origin_advance(text, pg_lsn)");
    PQclear(result);
    return result ? 0 : -1;
}

static int move_from_pipeline(subscribe_state *state, pgc_arena *arena, pgconvoy_error *err)
{
    pgconvoy_checkpoint checkpoint;
    char text[PGCONVOY_LSN_TEXT_SIZE];
    if (read_pipeline(state, arena, &checkpoint, err) || advance(state, checkpoint.lsn, err) ||
        pgc_pgsink_adopted_remove(state->target, state->options->name, state->options->log, err) ||
        subscribe_alter(state, "ALTER SUBSCRIPTION ", " ENABLE", err) ||
        subscribe_run_sql(state, state->target, "COMMIT", err))
        return -1;
    pgc_pgsink_adopted_origin_drop(state->target, state->options->name, state->options->log);
    pgc_log_info(state->options->log, "pipeline %s has become subscription %s, which goes on behind %s",
                 state->options->name, state->name, pgconvoy_lsn_to_text(checkpoint.lsn, text));
    return 0;
}

static bool is_enabled(subscribe_state *state, pgconvoy_error *err)
{
    PGresult *result = read_subscription(state, err);
    bool enabled = result && PQgetvalue(result, 0, 1)[0] == 't';
    PQclear(result);
    return enabled;
}

/* A disabled subscription of that name is what an interrupted run of this command has left. */
static int make_or_find(subscribe_state *state, pgc_arena *arena, pgconvoy_error *err)
{
    pgconvoy_checkpoint checkpoint;
    int failed = read_pipeline(state, arena, &checkpoint, err);
    roll_back(state);
    if (failed)
        return -1;
    return state->has_subscription ? 0 : subscribe_make_disabled(state, err);
}

static int finish_subscription(subscribe_state *state, pgconvoy_error *err)
{
    char mark[256];
    pgc_publication_mark(state->options->name, mark, sizeof mark);
    return mark_publication(state, mark, SUBSCRIBE_MARK, err);
}

int subscribe_from_pipeline(subscribe_state *state, pgconvoy_error *err)
{
    if (state->has_subscription && is_enabled(state, err)) { /* the end of it was missed, or it never was a pipeline */
        pgc_log_info(state->options->log, "subscription %s is there already", state->name);
        return finish_subscription(state, err);
    }
    pgc_arena *arena = pgc_arena_new(64 << 10);
    if (!arena)
        return pgc_error_out_of_memory(err);
    bool had = state->has_subscription;
    int failed = err->code || make_or_find(state, arena, err);
    if (!failed && !state->options->dry_run && (failed = move_from_pipeline(state, arena, err)) != 0) {
        pgconvoy_error unused;
        roll_back(state);
        if (!had && (subscribe_alter(state, "ALTER SUBSCRIPTION ", " SET (slot_name = NONE)", &unused) ||
                     subscribe_alter(state, "DROP SUBSCRIPTION ", "", &unused)))
            pgc_log_warning(state->options->log, "subscription %s is left on the target, disabled: %s", state->name,
                            unused.message);
    }
    pgc_arena_free(arena);
    return failed ? -1 : finish_subscription(state, err);
}
