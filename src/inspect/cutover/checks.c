/* What has to be in order before a cutover begins. */
#include "inspect/cutover/cutover_internal.h"

#include "postgres/connection.h"

#include <stdlib.h>

/* A query with one parameter, or (NULL) without. */
static int ask(PGconn *conn, const char *sql, const char *parameter, pgc_buffer *answer, pgconvoy_error *err)
{
    return pgc_query_text(conn, sql, parameter ? 1 : 0, &parameter, answer, err);
}

static int refuse(pgconvoy_error *err, const char *hint, const char *format, const char *what)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, format, what);
    pgconvoy_error_hint(err, "%s", hint);
    return -1;
}

/* A table that is not wholly there would be missing rows after the switch. */
static int check_tables(pgc_cutover *cutover, pgc_buffer *answer, pgconvoy_error *err)
{
    static const char known[] =
        "SELECT CASE WHEN to_regclass('pgconvoy.table_state') IS NOT NULL THEN 'pipeline' "
        "WHEN EXISTS (SELECT FROM pg_catalog.pg_subscription WHERE subslotname = $1) THEN 'subscription' ELSE '' END";
    static const char pipeline[] = "SELECT string_agg(schema_name || '.' || table_name || ' (' || state || ')', ', ' "
                                   "ORDER BY 1) FROM pgconvoy.table_state "
                                   "WHERE pipeline = $1 AND state NOT IN ('live', 'catching_up')";
    static const char subscription[] =
        "SELECT string_agg(r.srrelid::regclass || ' (' || r.srsubstate || ')', ', ' ORDER BY 1) FROM "
        "pg_catalog.pg_subscription_rel r "
        "JOIN pg_catalog.pg_subscription s ON s.oid = r.srsubid WHERE s.subslotname = $1 AND r.srsubstate <> 'r'";
    if (ask(cutover->target, known, cutover->slot, answer, err))
        return -1;
    if (answer->length == 0)
        return refuse(err, "name the right ends: pgconvoy cutover NAME SOURCE TARGET",
                      "the target knows of no pipeline or subscription %s", cutover->options->name);
    bool is_pipeline = strcmp(answer->data, "pipeline") == 0;
    if (ask(cutover->target, is_pipeline ? pipeline : subscription,
            is_pipeline ? cutover->options->name : cutover->slot, answer, err))
        return -1;
    if (answer->length)
        return refuse(err, "let sync finish them first; pgconvoy status shows how far it is",
                      "tables are not wholly at the target yet: %s", answer->data);
    return is_pipeline ? cutover_find_left_out(cutover, err) : 0;
}

static int check_source(pgc_cutover *cutover, pgc_buffer *answer, pgconvoy_error *err)
{
    if (ask(cutover->source, "SELECT pg_catalog.pg_is_in_recovery()", NULL, answer, err))
        return -1;
    if (answer->data[0] == 't')
        return refuse(err, "give the primary as the source", "the source is a standby%s", "");
    if (ask(cutover->source,
            "SELECT pg_catalog.string_agg(gid, ', ') FROM pg_catalog.pg_prepared_xacts WHERE database = "
            "pg_catalog.current_database()",
            NULL, answer, err))
        return -1;
    if (answer->length)
        return refuse(err, "COMMIT PREPARED or ROLLBACK PREPARED them: they could write after the switch",
                      "the source has prepared transactions: %s", answer->data);
    return 0;
}

/* What --lock-source needs: to set the database's default, and to end sessions, those of superusers too where there are
 * any. */
static int check_rights(pgc_cutover *cutover, pgc_buffer *answer, pgconvoy_error *err)
{
    static const char owner[] = "SELECT pg_catalog.pg_has_role(d.datdba, 'USAGE') FROM pg_catalog.pg_database d WHERE "
                                "d.datname = pg_catalog.current_database()";
    static const char others[] = "SELECT pg_catalog.string_agg(DISTINCT a.usename::text, ', ') FROM "
                                 "pg_catalog.pg_stat_activity a JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid "
                                 "WHERE a.datname = pg_catalog.current_database() AND a.backend_type = 'client "
                                 "backend' AND a.pid <> pg_catalog.pg_backend_pid() "
                                 "AND NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) AND "
                                 "(r.rolsuper OR NOT (pg_catalog.pg_has_role(a.usesysid, 'USAGE') "
                                 "OR pg_catalog.pg_has_role('pg_signal_backend', 'USAGE')))";
    if (!cutover->options->lock_source)
        return 0;
    if (ask(cutover->source, owner, NULL, answer, err))
        return -1;
    if (answer->data[0] != 't')
        return refuse(err, "connect to the source as the owner of its database or as a superuser",
                      "--lock-source cannot make the source read-only%s", ": the role does not own the database");
    if (ask(cutover->source, others, NULL, answer, err))
        return -1;
    if (answer->length)
        return refuse(err, "GRANT pg_signal_backend to the role, or connect as a superuser",
                      "--lock-source cannot end the sessions of %s", answer->data);
    return 0;
}

static int check_target(pgc_cutover *cutover, pgc_buffer *answer, pgconvoy_error *err)
{
    if (ask(cutover->target, "SELECT pg_catalog.pg_is_in_recovery()", NULL, answer, err))
        return -1;
    if (answer->data[0] == 't')
        return refuse(err, "give the primary as the target", "the target is a standby%s", "");
    if (ask(cutover->target, "SELECT to_regclass('pgconvoy.prepared') IS NOT NULL", NULL, answer, err))
        return -1;
    if (answer->data[0] != 't')
        return 0;
    if (ask(cutover->target, "SELECT string_agg(DISTINCT gid, ', ') FROM pgconvoy.prepared WHERE pipeline = $1", cutover->options->name, answer, err))
        return -1;
    return answer->length ? refuse(err, "let sync --two-phase go on until their end at the source has arrived",
                                   "the target has prepared transactions of the pipeline that have not ended: %s", answer->data)
                          : 0;
}

static int check_slot(pgc_cutover *cutover, pgc_buffer *answer, pgconvoy_error *err)
{
    if (cutover->flow.slot_count == 0)
        return refuse(err, "is the name right? pgconvoy status lists them; --slot names a slot of another name",
                      "the source has no replication slot %s", cutover->slot);
    if (ask(cutover->source, "SELECT active FROM pg_catalog.pg_replication_slots WHERE slot_name = $1", cutover->slot,
            answer, err))
        return -1;
    cutover->streams = answer->length && answer->data[0] == 't';
    return 0;
}

int cutover_check(pgc_cutover *cutover, pgconvoy_error *err)
{
    pgc_buffer answer;
    pgc_buffer_init(&answer, 1 << 20);
    int status = check_source(cutover, &answer, err) || check_target(cutover, &answer, err) ||
                 check_slot(cutover, &answer, err) || check_tables(cutover, &answer, err) ||
                 check_rights(cutover, &answer, err);
    pgc_buffer_free(&answer);
    return status ? -1 : 0;
}
