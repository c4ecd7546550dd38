/* A subscription becomes a pipeline: see subscribe_handover.c for why nothing is lost and nothing comes twice. */
#include "native/subscribe_internal.h"

#include "base/clock.h"
#include "sink/postgres/adopt.h"
#include "source/postgres/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORKERS_END_MS 60000
#define PAUSE_MS 50

/* The workers end between two transactions; a large one takes its time. */
static int wait_for_workers(subscribe_state *state, pgc_position_status *slot, char *source_id, size_t size,
                            pgconvoy_error *err)
{
    int64_t until = pgc_clock_monotonic_us() + INT64_C(1000) * WORKERS_END_MS;
    for (;;) {
        PGresult *result = handover_read_subscription(state, err);
        if (!result)
            return -1;
        bool working = strcmp(PQgetvalue(result, 0, 2), "0") != 0, prepared = PQgetvalue(result, 0, 3)[0] == 't';
        PQclear(result);
        if (!working && handover_look_at_source(state, source_id, size, slot, err))
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
        handover_hint_at_grant(err, "pg_replication_origin_progress(text, boolean)");
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
    if (wait_for_workers(state, &slot, source_id, sizeof source_id, err) ||
        subscribe_run_sql(state, state->target, "BEGIN", err) || read_progress(state, &lsn, err))
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
    if (handover_mark_publication(state, SUBSCRIBE_MARK, mark, err)) {
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
    return subscribe_alter(state, "ALTER SUBSCRIPTION ", " DISABLE", err) ||
                   subscribe_run_sql(state, state->target, "BEGIN", err) ||
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
    handover_roll_back(state);
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
        handover_roll_back(state);
        if (subscribe_alter(state, "ALTER SUBSCRIPTION ", " ENABLE", &unused))
            pgc_log_warning(options->log, "subscription %s stays disabled: %s", state->name, unused.message);
        return -1;
    }
    return finish_pipeline(state, err);
}
