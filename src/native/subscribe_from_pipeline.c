/* A pipeline becomes a subscription: see subscribe_handover.c for why nothing is lost and nothing comes twice. */
#include "native/subscribe_internal.h"

#include "sink/postgres/adopt.h"
#include "source/postgres/ddl.h"
#include "source/postgres/names.h"

#include <stdlib.h>
#include <string.h>

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

/* The servers know no other names for columns. */
static int check_columns(subscribe_state *state, pgconvoy_error *err)
{
    const char *values[] = {state->publication};
    PGresult *source = pgc_query_params(
        state->source,
        state->source_version >= 150000
            ? "SELECT coalesce(json_agg(json_build_array(schemaname, tablename, name)), '[]') FROM "
              "pg_publication_tables, unnest(attnames) AS u (name) WHERE pubname = $1"
            : "SELECT coalesce(json_agg(json_build_array(schemaname, tablename, attname)), '[]') FROM "
              "pg_publication_tables p JOIN pg_namespace n ON n.nspname = schemaname JOIN pg_class c ON c.relnamespace "
              "= n.oid AND c.relname = tablename JOIN pg_attribute a ON attrelid = c.oid WHERE pubname = $1 AND attnum "
              "> 0 AND NOT attisdropped AND attgenerated = ''",
        1, values, err);
    if (!source)
        return -1;
    const char *columns[] = {PQgetvalue(source, 0, 0)};
    PGresult *missing = pgc_query_params(
        state->target,
        "SELECT x ->> 0, x ->> 1, x ->> 2 FROM json_array_elements($1::json) x WHERE NOT EXISTS (SELECT FROM "
        "pg_attribute a JOIN pg_class c ON c.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace WHERE "
        "(n.nspname, c.relname, attname) = (x ->> 0, x ->> 1, x ->> 2) AND NOT attisdropped) LIMIT 1",
        1, columns, err);
    PQclear(source);
    if (!missing)
        return -1;
    int found = PQntuples(missing);
    if (found) {
        pgconvoy_error_set(
            err, PGCONVOY_ERROR_CONFIG,
            "column %s of table %s.%s is not in the target under that name, and the servers know no other",
            PQgetvalue(missing, 0, 2), PQgetvalue(missing, 0, 0), PQgetvalue(missing, 0, 1));
        pgconvoy_error_hint(err, "a pipeline that gives other names stays a pipeline");
    }
    PQclear(missing);
    return found ? -1 : 0;
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
    if (handover_look_at_source(state, source_id, sizeof source_id, &slot, err))
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
    return check_tables(state, checkpoint, err) || check_columns(state, err) ? -1 : 0;
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
        handover_hint_at_grant(err, "pg_replication_origin_advance(text, pg_lsn)");
    PQclear(result);
    return result ? 0 : -1;
}

/* The servers do not follow changed definitions: what told the pipeline of them goes from the source. */
static void drop_ddl_capture(subscribe_state *state)
{
    pgconvoy_error err = {0};
    void *source = handover_open_source(state, &err);
    if (!source || pgc_ddl_drop(source, &err))
        pgc_log_warning(state->options->log, "what told the pipeline of changed definitions is left on the source: %s",
                        err.message);
    if (source)
        pgc_source_postgres.close(source);
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
    drop_ddl_capture(state);
    pgc_pgsink_adopted_origin_drop(state->target, state->options->name, state->options->log);
    pgc_log_info(state->options->log, "pipeline %s has become subscription %s, which goes on behind %s",
                 state->options->name, state->name, pgconvoy_lsn_to_text(checkpoint.lsn, text));
    return 0;
}

static bool is_enabled(subscribe_state *state, pgconvoy_error *err)
{
    PGresult *result = handover_read_subscription(state, err);
    bool enabled = result && PQgetvalue(result, 0, 1)[0] == 't';
    PQclear(result);
    return enabled;
}

/* A disabled subscription of that name is what an interrupted run of this command has left. */
static int make_or_find(subscribe_state *state, pgc_arena *arena, pgconvoy_error *err)
{
    pgconvoy_checkpoint checkpoint;
    int failed = read_pipeline(state, arena, &checkpoint, err);
    handover_roll_back(state);
    if (failed)
        return -1;
    return state->has_subscription ? 0 : subscribe_make_disabled(state, err);
}

static int finish_subscription(subscribe_state *state, pgconvoy_error *err)
{
    char mark[256];
    pgc_publication_mark(state->options->name, mark, sizeof mark);
    return handover_mark_publication(state, mark, SUBSCRIBE_MARK, err);
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
        handover_roll_back(state);
        if (!had && (subscribe_alter(state, "ALTER SUBSCRIPTION ", " SET (slot_name = NONE)", &unused) ||
                     subscribe_alter(state, "DROP SUBSCRIPTION ", "", &unused)))
            pgc_log_warning(state->options->log, "subscription %s is left on the target, disabled: %s", state->name,
                            unused.message);
    }
    pgc_arena_free(arena);
    return failed ? -1 : finish_subscription(state, err);
}
