/*
 * The way back: the opposite pipeline, from the target to the source, is made before writes are held (its slot may have
 * to wait for transactions of the target), and begins at the position that the target has while nobody writes: so what
 * the forward stream has brought is not sent back, and what applications write after the switch is.
 *
 * Where it begins is its checkpoint, at the source; the slot is moved there after, and may be a moment behind.
 */
#include "inspect/cutover/cutover_internal.h"

#include "postgres/connection.h"
#include "postgres/quote.h"
#include "source/postgres/names.h"

#include <stdio.h>
#include <stdlib.h>

static const char suffix[] = "_back";

void cutover_reverse_name(const char *name, char back[64])
{
    size_t length = strlen(name), end = sizeof suffix - 1;
    if (length > end && strcmp(name + length - end, suffix) == 0)
        snprintf(back, 64, "%.*s", (int)(length - end < 60 ? length - end : 60), name);
    else
        snprintf(back, 64, "%.58s%s", name, suffix);
}

static void slot_of(const pgc_cutover *cutover, char slot[80])
{
    pgc_slot_name_derive(cutover->back, slot);
}

/* A query without rows is an answer too: NULL and no err. */
static PGresult *ask(PGconn *conn, const char *sql, const char *parameter, pgconvoy_error *err)
{
    return pgc_query_params(conn, sql, parameter ? 1 : 0, &parameter, err);
}

static int refuse(pgconvoy_error *err, const char *message, const char *hint)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "%s", message);
    pgconvoy_error_hint(err, "%s", hint);
    return -1;
}

int cutover_reverse_check(pgc_cutover *cutover, pgconvoy_error *err)
{
    static const char sql[] =
        "SELECT pg_catalog.current_setting('wal_level') = 'logical', r.rolreplication OR r.rolsuper, "
        "EXISTS (SELECT FROM pg_catalog.pg_replication_slots WHERE slot_name = $1) OR "
        "(SELECT count(*) FROM pg_catalog.pg_replication_slots) < "
        "pg_catalog.current_setting('max_replication_slots')::int "
        "FROM pg_catalog.pg_roles r WHERE r.rolname = current_user";
    char slot[80];
    slot_of(cutover, slot);
    if (pgc_mapping_renames(cutover->options->mapping))
        return refuse(err, "there can be no way back for a pipeline that gives other names",
                      "leave out --reverse; a pipeline of your own can give the names back");
    if (strlen(cutover->back) > 54)
        return refuse(err, "the pipeline's name is too long for one of a way back",
                      "a name of at most 49 characters leaves room for it");
    PGresult *result = ask(cutover->target, sql, slot, err);
    if (!result)
        return -1;
    bool logical = PQgetvalue(result, 0, 0)[0] == 't', may = PQgetvalue(result, 0, 1)[0] == 't',
         room = PQgetvalue(result, 0, 2)[0] == 't';
    PQclear(result);
    if (!logical)
        return refuse(err, "there can be no way back: the target's wal_level is not logical",
                      "on the target: ALTER SYSTEM SET wal_level = logical, then restart it");
    if (!may)
        return refuse(err, "there can be no way back: the role may not replicate from the target",
                      "on the target: ALTER ROLE … REPLICATION, or connect as one that may");
    return room ? 0
                : refuse(err, "there can be no way back: the target has no replication slot left",
                         "drop one that is not needed, or raise max_replication_slots on the target");
}

/* Whether the opposite pipeline is there from before: its slot, and its checkpoint. */
static int look(pgc_cutover *cutover, bool *slot_there, bool *checkpoint_there, pgconvoy_error *err)
{
    char slot[80];
    slot_of(cutover, slot);
    PGresult *result =
        ask(cutover->target, "SELECT FROM pg_catalog.pg_replication_slots WHERE slot_name = $1", slot, err);
    if (!result)
        return -1;
    *slot_there = PQntuples(result) > 0;
    PQclear(result);
    result = ask(cutover->source, "SELECT pg_catalog.to_regclass('pgconvoy.pipeline')", NULL, err);
    *checkpoint_there = result && !PQgetisnull(result, 0, 0);
    PQclear(result);
    if (!result || !*checkpoint_there)
        return result ? 0 : -1;
    result = ask(cutover->source, "SELECT FROM pgconvoy.pipeline WHERE name = $1", cutover->back, err);
    *checkpoint_there = result && PQntuples(result) > 0;
    PQclear(result);
    return result ? 0 : -1;
}

/* The tables that the forward stream keeps, as patterns that match just them. */
static int add_tables(pgc_cutover *cutover, pgconvoy_pipeline *pipeline, pgconvoy_error *err)
{
    static const char of_pipeline[] =
        "SELECT schema_name, table_name FROM pgconvoy.table_state WHERE pipeline = $1 AND state IN ('live', "
        "'catching_up') AND pg_catalog.to_regclass(pg_catalog.format('%I.%I', schema_name, table_name)) IS NOT NULL";
    static const char of_subscription[] =
        "SELECT n.nspname, c.relname FROM pg_catalog.pg_subscription_rel r JOIN pg_catalog.pg_subscription s ON s.oid "
        "= r.srsubid JOIN pg_catalog.pg_class c ON c.oid = r.srrelid JOIN pg_catalog.pg_namespace n ON n.oid = "
        "c.relnamespace WHERE s.subslotname = $1";
    PGresult *result = ask(cutover->target, "SELECT pg_catalog.to_regclass('pgconvoy.table_state')", NULL, err);
    bool is_pipeline = result && !PQgetisnull(result, 0, 0);
    PQclear(result);
    result = !result ? NULL
                     : ask(cutover->target, is_pipeline ? of_pipeline : of_subscription,
                           is_pipeline ? cutover->options->name : cutover->slot, err);
    int status = result ? 0 : -1;
    pgc_buffer pattern;
    pgc_buffer_init(&pattern, 4096);
    for (int row = 0; status == 0 && row < PQntuples(result); row++) {
        pgc_buffer_reset(&pattern);
        pgc_quote_qualified(&pattern, PQgetvalue(result, row, 0), PQgetvalue(result, row, 1));
        status =
            pgc_buffer_check(&pattern, err) || pgconvoy_pipeline_set(pipeline, "table", pattern.data, err) ? -1 : 0;
    }
    pgc_buffer_free(&pattern);
    PQclear(result);
    return status;
}

static int set_up(pgc_cutover *cutover, pgconvoy_pipeline *pipeline, pgconvoy_error *err)
{
    const char *settings[][2] = {{"name", cutover->back},
                                 {"state-dir", cutover->options->state_dir},
                                 {"if-exists", "append"},
                                 {"until", "prepared"}};
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        if (pgconvoy_pipeline_set(pipeline, settings[i][0], settings[i][1], err))
            return -1;
    pgconvoy_pipeline_on_log(pipeline, cutover_on_log, cutover);
    return add_tables(cutover, pipeline, err);
}

/*
 * It is there from an earlier cutover. Where the source has been held since its beginning was set, that stands: what
 * was written at the target since must not be passed over. Else it is set in this run, and until then there is none.
 */
static int prepare_anew(pgc_cutover *cutover, pgconvoy_error *err)
{
    static const char begun[] = "SELECT FROM pgconvoy.pipeline WHERE name = $1 AND lsn > '0/0'";
    static const char forget[] = "UPDATE pgconvoy.pipeline SET lsn = '0/0' WHERE name = $1";
    bool held;
    if (cutover_held_for(cutover->source, cutover->back, &held, err))
        return -1;
    PGresult *result = ask(cutover->source, held ? begun : forget, cutover->back, err);
    if (!result)
        return -1;
    cutover->back_begun = held && PQntuples(result) > 0;
    PQclear(result);
    return 0;
}

int cutover_reverse_prepare(pgc_cutover *cutover, pgconvoy_error *err)
{
    bool slot_there, checkpoint_there;
    if (look(cutover, &slot_there, &checkpoint_there, err))
        return -1;
    if (slot_there && checkpoint_there)
        return prepare_anew(cutover, err);
    pgconvoy_pipeline *pipeline = pgconvoy_pipeline_new(cutover->options->target, cutover->options->source, err);
    if (!pipeline)
        return -1;
    int status = set_up(cutover, pipeline, err);
    if (status == 0) {
        cutover->back_made = true;
        cutover_set_running(cutover, pipeline);
        status = cutover_stopped(cutover, err) ? -1 : pgconvoy_pipeline_run(pipeline, PGCONVOY_STREAM, err);
        cutover_set_running(cutover, NULL);
    }
    pgconvoy_pipeline_free(pipeline);
    if (status) {
        pgc_error_prefix(err, "the way back cannot be made ready");
        return -1;
    }
    if (cutover_stopped(cutover, err))
        return -1;
    pgc_log_info(cutover->options->log, "the way back is prepared: pipeline %s", cutover->back);
    return 0;
}

/* Whatever its checkpoint said before: nobody has written at the target that the source does not have. */
static int set_checkpoint(pgc_cutover *cutover, const char *lsn, pgconvoy_error *err)
{
    static const char sql[] = "UPDATE pgconvoy.pipeline SET lsn = $2::pg_catalog.pg_lsn, updated_at = "
                              "pg_catalog.now() WHERE name = $1";
    static const char tables[] = "UPDATE pgconvoy.table_state SET state = 'live', copy_lsn = $2::pg_catalog.pg_lsn, "
                                 "updated_at = pg_catalog.now() WHERE pipeline = $1 AND state <> 'failed'";
    const char *values[] = {cutover->back, lsn};
    PGresult *result = pgc_query_params(cutover->source, sql, 2, values, err);
    bool found = result && strcmp(PQcmdTuples(result), "1") == 0;
    PQclear(result);
    if (result && !found) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "the way back has lost its position at the source");
        pgconvoy_error_hint(err, "pgconvoy drop %s, then run cutover again", cutover->back);
    }
    if (!found)
        return -1;
    result = pgc_query_params(cutover->source, tables, 2, values, err);
    PQclear(result);
    return result ? 0 : -1;
}

int cutover_reverse_begin_here(pgc_cutover *cutover, pgconvoy_error *err)
{
    static const char advance[] =
        "SELECT pg_catalog.pg_replication_slot_advance(slot_name, $2::pg_catalog.pg_lsn) FROM "
        "pg_catalog.pg_replication_slots WHERE slot_name = $1 AND NOT active AND confirmed_flush_lsn < "
        "$2::pg_catalog.pg_lsn";
    char slot[80], lsn[64] = "";
    if (cutover->back_begun)
        return 0;
    slot_of(cutover, slot);
    PGresult *result = pgc_query(cutover->target, "SELECT pg_catalog.pg_current_wal_insert_lsn()", err);
    if (!result)
        return -1;
    snprintf(lsn, sizeof lsn, "%s", PQgetvalue(result, 0, 0));
    PQclear(result);
    if (set_checkpoint(cutover, lsn, err))
        return -1;
    const char *values[] = {slot, lsn};
    result = pgc_query_params(cutover->target, advance, 2, values, err);
    PQclear(result);
    if (!result)
        return -1;
    pgc_log_info(cutover->options->log, "the way back begins at %s of the target", lsn);
    return 0;
}

void cutover_reverse_give_up(pgc_cutover *cutover)
{
    pgconvoy_error err = {0};
    if (!cutover->back_made)
        return;
    pgconvoy_pipeline *pipeline = pgconvoy_pipeline_new(cutover->options->target, cutover->options->source, &err);
    int status = pipeline ? set_up(cutover, pipeline, &err) : -1;
    if (status == 0)
        status = pgconvoy_pipeline_drop(pipeline, &err);
    pgconvoy_pipeline_free(pipeline);
    if (status)
        pgc_log_error(cutover->options->log,
                      "the way back that was made ready is still there: %s; run pgconvoy drop %s", err.message,
                      cutover->back);
}
