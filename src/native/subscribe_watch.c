/*
 * What the servers do, seen from outside: the states of the tables (pg_subscription_rel), the COPY commands that run,
 * and how far the slot is confirmed. Workers that fail again and again are named, since the servers would try for ever.
 */
#include "native/subscribe_internal.h"

#include "base/clock.h"
#include "format/json_object.h"
#include "format/json_text.h"
#include "postgres/quote.h"

#include <stdlib.h>
#include <string.h>

#define PAUSE_MS 100
#define FAILURES_MAX 3

typedef struct watch {
    subscribe_state *state;
    pgconvoy_table_progress *tables; /* as the source's list */
    int64_t begun_us, reported_us, mark_us;
    pgconvoy_lsn mark; /* everything committed before the wait began lies before it */
    int64_t first_failures;
    int known, live; /* tables of the subscription: those of the publication that it was refreshed with */
    bool said_unknown;
    pgconvoy_progress progress;
} watch;

static int64_t number(const PGresult *result, int row, int column)
{
    return strtoll(PQgetvalue(result, row, column), NULL, 10);
}

static pgconvoy_lsn lsn_of(const PGresult *result, int row, int column)
{
    pgconvoy_lsn lsn = 0;
    return pgconvoy_lsn_from_text(PQgetvalue(result, row, column), &lsn) == 0 ? lsn : 0;
}

static pgconvoy_table_state state_of(char letter)
{
    return letter == 'r'   ? PGCONVOY_TABLE_LIVE
           : letter == 'i' ? PGCONVOY_TABLE_WAITING
           : letter == 'd' ? PGCONVOY_TABLE_COPYING
                           : PGCONVOY_TABLE_CATCHING_UP;
}

static pgconvoy_table_progress *find(watch *watch, const char *schema, const char *name)
{
    for (size_t i = 0; i < watch->progress.table_count; i++)
        if (strcmp(watch->tables[i].name, name) == 0 && strcmp(watch->tables[i].schema, schema) == 0)
            return &watch->tables[i];
    return NULL;
}

/* Tables, and whether the subscription is there and on. */
static int look_at_tables(watch *watch, pgconvoy_error *err)
{
    subscribe_state *state = watch->state;
    const char *values[] = {state->name};
    PGresult *result = pgc_query_params(
        state->target,
        state->target_version >= 140000
            ? "SELECT n.nspname, c.relname, r.srsubstate, coalesce(p.tuples_processed, "
              "pg_stat_get_live_tuples(c.oid)), coalesce(p.bytes_processed, pg_table_size(c.oid)), s.subenabled FROM "
              "pg_subscription s "
              "LEFT JOIN pg_subscription_rel r ON r.srsubid = s.oid LEFT JOIN pg_class c ON c.oid = r.srrelid LEFT "
              "JOIN pg_namespace n ON n.oid = c.relnamespace "
              "LEFT JOIN pg_stat_progress_copy p ON p.relid = c.oid AND p.command = 'COPY FROM' WHERE s.subname = $1"
            : "SELECT n.nspname, c.relname, r.srsubstate, pg_stat_get_live_tuples(c.oid), pg_table_size(c.oid), "
              "s.subenabled FROM pg_subscription s "
              "LEFT JOIN pg_subscription_rel r ON r.srsubid = s.oid LEFT JOIN pg_class c ON c.oid = r.srrelid LEFT "
              "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE s.subname = $1",
        1, values, err);
    if (!result)
        return -1;
    bool there = PQntuples(result) > 0, enabled = there && PQgetvalue(result, 0, 5)[0] == 't';
    watch->known = watch->live = 0;
    watch->progress.rows_copied = watch->progress.bytes_copied = 0;
    for (int i = 0; i < PQntuples(result); i++) {
        pgconvoy_table_progress *table = find(watch, PQgetvalue(result, i, 0), PQgetvalue(result, i, 1));
        if (!table)
            continue;
        watch->known++;
        pgconvoy_table_state now = state_of(PQgetvalue(result, i, 2)[0]);
        if (now == PGCONVOY_TABLE_COPYING || table->state < PGCONVOY_TABLE_CATCHING_UP) {
            table->rows_copied = now == PGCONVOY_TABLE_WAITING ? 0 : number(result, i, 3);
            table->bytes_copied = now == PGCONVOY_TABLE_WAITING ? 0 : number(result, i, 4);
        }
        table->state = now;
        watch->live += now == PGCONVOY_TABLE_LIVE;
        watch->progress.rows_copied += table->rows_copied;
        watch->progress.bytes_copied += table->bytes_copied;
    }
    PQclear(result);
    if (there && enabled)
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_STATE,
                       there ? "subscription %s is disabled on the target" : "subscription %s is gone from the target",
                       state->name);
    char name[PGC_QUOTED_NAME_SIZE];
    pgconvoy_error_hint(err,
                        there ? "the target's log says why, if it was by an error; then: ALTER SUBSCRIPTION %s ENABLE"
                              : "pgconvoy subscribe --drop removes what is left of %s at the source",
                        pgc_quoted_name(NULL, state->name, name));
    return -1;
}

/* Counted by the server since 15. */
static int look_at_failures(watch *watch, pgconvoy_error *err)
{
    subscribe_state *state = watch->state;
    if (state->target_version < 150000)
        return 0;
    const char *values[] = {state->name};
    PGresult *result = pgc_query_params(
        state->target, "SELECT apply_error_count + sync_error_count FROM pg_stat_subscription_stats WHERE subname = $1",
        1, values, err);
    if (!result)
        return -1;
    int64_t failures = PQntuples(result) == 1 ? number(result, 0, 0) : 0;
    PQclear(result);
    if (watch->first_failures < 0)
        watch->first_failures = failures;
    if (failures - watch->first_failures < FAILURES_MAX)
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "the workers of subscription %s have failed %lld times", state->name,
                       (long long)(failures - watch->first_failures));
    pgconvoy_error_hint(
        err,
        "the target's log says at what; they go on trying, and the same command goes on watching when it is mended");
    return -1;
}

static int look_at_lag(watch *watch, pgconvoy_error *err)
{
    subscribe_state *state = watch->state;
    const char *values[] = {state->name};
    PGresult *result = pgc_query_params(
        state->source,
        "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END, "
        "(SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = $1)",
        1, values, err);
    if (!result)
        return -1;
    bool has_slot = !PQgetisnull(result, 0, 1);
    pgconvoy_progress *progress = &watch->progress;
    progress->source_lsn = lsn_of(result, 0, 0);
    progress->durable_lsn = progress->received_lsn = lsn_of(result, 0, 1);
    PQclear(result);
    if (!has_slot) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "slot %s is gone from the source, and with it the changes since",
                           state->name);
        pgconvoy_error_hint(err, "pgconvoy subscribe --drop, then subscribe again with --if-exists truncate");
        return -1;
    }
    if (!watch->mark)
        watch->mark = progress->source_lsn;
    progress->lag_bytes =
        progress->source_lsn > progress->durable_lsn ? (int64_t)(progress->source_lsn - progress->durable_lsn) : 0;
    return 0;
}

static bool is_caught_up(const watch *watch)
{
    return watch->live == watch->known && watch->progress.durable_lsn >= watch->mark;
}

static void report(watch *watch, bool done)
{
    const pgc_subscribe_options *options = watch->state->options;
    int64_t now = pgc_clock_monotonic_us();
    watch->progress.elapsed_us = now - watch->begun_us;
    if (!options->progress || (!done && now - watch->reported_us < (int64_t)options->progress_interval_ms * 1000))
        return;
    watch->reported_us = now;
    watch->progress.phase = done                         ? PGCONVOY_PHASE_DONE
                            : watch->live < watch->known ? PGCONVOY_PHASE_COPYING
                                                         : PGCONVOY_PHASE_STREAMING;
    options->progress(options->progress_arg, &watch->progress);
}

/* ------------------------------------------------------------------ sequences */

#define SEQUENCES_SQL                                                                                                  \
    "SELECT coalesce(json_agg(json_build_array(format('%I.%I', s.schemaname, s.sequencename), s.last_value))::text, "  \
    "'[]') FROM pg_sequences s JOIN pg_namespace n ON n.nspname = s.schemaname "                                       \
    "JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = s.sequencename WHERE s.last_value IS NOT NULL AND "     \
    "EXISTS (SELECT FROM json_array_elements($1::json) x WHERE x ->> 0 = n.nspname "                                   \
    "AND ($2 = 'all' OR EXISTS (SELECT FROM pg_depend d JOIN pg_class t ON t.oid = d.refobjid WHERE d.classid = "      \
    "'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i') AND t.relname = x ->> 1)))"

/* A sequence is not replicated. One that is ahead at the target is left alone. */
#define RAISE_SQL                                                                                                      \
    "SELECT count(setval(to_regclass(x ->> 0), (x ->> 1)::int8)) FROM json_array_elements($1::json) x JOIN pg_class "  \
    "c ON c.oid = to_regclass(x ->> 0) AND c.relkind = 'S' JOIN pg_namespace n ON n.oid = c.relnamespace "             \
    "JOIN pg_sequences s ON s.schemaname = n.nspname AND s.sequencename = c.relname WHERE s.last_value IS NULL OR "    \
    "s.last_value < (x ->> 1)::int8"

static int carry_sequences(watch *watch, pgconvoy_error *err)
{
    subscribe_state *state = watch->state;
    pgc_buffer names;
    pgc_buffer_init(&names, 64 << 20);
    for (size_t i = 0; i < watch->progress.table_count; i++) {
        pgc_buffer_text(&names, i ? ",[" : "[[");
        pgc_json_string(&names, watch->tables[i].schema);
        pgc_buffer_byte(&names, ',');
        pgc_json_string(&names, watch->tables[i].name);
        pgc_buffer_byte(&names, ']');
    }
    pgc_buffer_byte(&names, ']');
    const char *values[] = {names.data, state->options->choice.include_table_count ? "owned" : "all"};
    PGresult *result =
        pgc_buffer_check(&names, err) ? NULL : pgc_query_params(state->source, SEQUENCES_SQL, 2, values, err);
    pgc_buffer_free(&names);
    if (!result)
        return -1;
    const char *found[] = {PQgetvalue(result, 0, 0)};
    PGresult *raised = pgc_query_params(state->target, RAISE_SQL, 1, found, err);
    PQclear(result);
    if (!raised)
        return -1;
    pgc_log_info(state->options->log, "%s sequences were carried over", PQgetvalue(raised, 0, 0));
    state->sequences = number(raised, 0, 0);
    PQclear(raised);
    return 0;
}

/* ------------------------------------------------------------------ */

static int look(watch *watch, pgconvoy_error *err)
{
    return look_at_tables(watch, err) || look_at_failures(watch, err) || look_at_lag(watch, err) ? -1 : 0;
}

/* Once: the servers know nothing of them until they are told. */
static void say_unknown(watch *watch)
{
    int count = (int)watch->progress.table_count - watch->known;
    if (count > 0 && !watch->said_unknown)
        pgc_log_warning(watch->state->options->log,
                        "%d table%s of the publication %s not in the subscription, and not copied: --refresh takes %s "
                        "in",
                        count, count == 1 ? "" : "s", count == 1 ? "is" : "are", count == 1 ? "it" : "them");
    watch->said_unknown = true;
}

static int go_on(watch *watch, bool until_caught_up, pgconvoy_error *err)
{
    const pgc_subscribe_options *options = watch->state->options;
    bool told = false;
    while (!(options->stopped && options->stopped(options->stopped_arg))) {
        if (look(watch, err))
            return -1;
        say_unknown(watch);
        if (is_caught_up(watch)) {
            if (!told && carry_sequences(watch, err))
                return -1;
            told = true;
            if (until_caught_up)
                break;
        }
        report(watch, false);
        pgc_clock_sleep_ms(PAUSE_MS);
    }
    report(watch, true);
    if (!options->to_pipeline)
        pgc_log_info(options->log, "%s; the servers go on replicating by themselves",
                     is_caught_up(watch) ? "all tables are caught up" : "stopped watching");
    return 0;
}

/* What was last seen. */
static void note(const watch *watch, subscribe_state *state)
{
    static const char *const names[] = {[PGCONVOY_TABLE_WAITING] = "waiting",
                                        [PGCONVOY_TABLE_COPYING] = "copying",
                                        [PGCONVOY_TABLE_CATCHING_UP] = "catching_up",
                                        [PGCONVOY_TABLE_LIVE] = "live"};
    pgc_buffer *out = &state->watched;
    state->caught_up = is_caught_up(watch);
    state->lag_bytes = watch->progress.lag_bytes;
    for (size_t i = 0; i < watch->progress.table_count; i++) {
        const pgconvoy_table_progress *table = &watch->tables[i];
        pgc_buffer_text(out, i ? ",{" : "{");
        pgc_json_member_table(out, table->schema, table->name);
        pgc_json_member_text(out, "state", names[table->state]);
        pgc_json_member_number(out, "rows_copied", table->rows_copied);
        pgc_json_member_number(out, "bytes_copied", table->bytes_copied);
        pgc_buffer_byte(out, '}');
    }
}

int subscribe_watch(subscribe_state *state, bool until_caught_up, pgconvoy_error *err)
{
    int count = PQntuples(state->tables);
    watch watch = {.state = state, .begun_us = pgc_clock_monotonic_us(), .first_failures = -1};
    watch.tables = calloc((size_t)count, sizeof *watch.tables);
    if (!watch.tables)
        return pgc_error_out_of_memory(err);
    for (int i = 0; i < count; i++)
        watch.tables[i] = (pgconvoy_table_progress){.schema = PQgetvalue(state->tables, i, 0),
                                                    .name = PQgetvalue(state->tables, i, 1),
                                                    .state = PGCONVOY_TABLE_WAITING,
                                                    .estimated_rows = number(state->tables, i, 2),
                                                    .estimated_bytes = number(state->tables, i, 3)};
    watch.progress.tables = watch.tables;
    watch.progress.table_count = (size_t)count;
    int failed = go_on(&watch, until_caught_up, err);
    if (!failed && state->options->json)
        note(&watch, state);
    free(watch.tables);
    return failed;
}
