/*
 * Installing is idempotent and held apart by an advisory lock: two pipelines may begin at once. A comment on the
 * function tells which version of it is there.
 */
#include "source/postgres/ddl.h"
#include "ddl_sql.h"

#include <string.h>

#define DDL_VERSION "pgconvoy ddl 1"

static const char installed_sql[] =
    "SELECT (SELECT pg_catalog.obj_description(p.oid, 'pg_proc') FROM pg_catalog.pg_proc p JOIN "
    "pg_catalog.pg_namespace n "
    "ON n.oid = p.pronamespace WHERE n.nspname = 'pgconvoy' AND p.proname = 'ddl_seen') IS NOT DISTINCT FROM "
    "'" DDL_VERSION "', "
    "(SELECT pg_catalog.count(*) FROM pg_catalog.pg_event_trigger WHERE evtname IN ('pgconvoy_ddl_end', "
    "'pgconvoy_ddl_drop', 'pgconvoy_ddl_rewrite') AND evtenabled = 'A') = 3, "
    "pg_catalog.to_regclass('pgconvoy.ddl_pipeline') IS NOT NULL AND "
    "pg_catalog.has_table_privilege(pg_catalog.to_regclass("
    "'pgconvoy.ddl_pipeline'), 'INSERT, SELECT') AND "
    "pg_catalog.has_table_privilege(pg_catalog.to_regclass('pgconvoy.ddl_key'), 'SELECT')";

typedef struct installed {
    bool current, enabled, ours;
} installed;

static int look(PGconn *conn, installed *there, pgconvoy_error *err)
{
    PGresult *result = pgc_query(conn, installed_sql, err);
    if (!result)
        return -1;
    there->current = pgc_result_bool(result, 0, 0);
    there->enabled = pgc_result_bool(result, 0, 1);
    there->ours = pgc_result_bool(result, 0, 2);
    PQclear(result);
    return 0;
}

static int roll_back(PGconn *conn, int failed)
{
    pgconvoy_error unused = {0};
    if (failed && pgc_execute(conn, "ROLLBACK", &unused) != 0)
        PQreset(conn); /* a transaction that cannot be ended goes with its connection */
    return failed;
}

static int with_name(const pgc_postgres_source *source, PGconn *conn, const char *sql, pgconvoy_error *err)
{
    const char *values[] = {source->config.pipeline_name};
    PGresult *result = pgc_query_params(conn, sql, 1, values, err);
    PQclear(result);
    return result ? 0 : -1;
}

static int begin_locked(PGconn *conn, pgconvoy_error *err)
{
    return pgc_execute(conn, "BEGIN", err) != 0 ||
                   pgc_execute(
                       conn, "SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('pgconvoy ddl', 0))",
                       err) != 0
               ? -1
               : 0;
}

static int install(const pgc_postgres_source *source, PGconn *conn, pgconvoy_error *err)
{
    installed there;
    int failed = begin_locked(conn, err) || look(conn, &there, err);
    if (!failed && !(there.current && there.enabled))
        failed = pgc_execute(conn, "SET LOCAL client_min_messages = warning", err) ||
                 pgc_execute(conn, pgc_sql_ddl_install, err);
    if (!failed)
        failed = with_name(source, conn, "INSERT INTO pgconvoy.ddl_pipeline VALUES ($1) ON CONFLICT DO NOTHING", err) ||
                 pgc_execute(conn, "COMMIT", err);
    return roll_back(conn, failed ? -1 : 0);
}

int pgc_ddl_install(pgc_postgres_source *source, pgconvoy_error *err)
{
    if (!source->config.ddl || source->in_recovery || source->server_version < 140000)
        return 0;
    PGconn *conn = pgc_source_conn(source, err);
    if (!conn)
        return -1;
    if (install(source, conn, err) == 0)
        return 0;
    if (PQstatus(conn) != CONNECTION_OK || err->retriable)
        return -1;
    pgc_log_warning(source->config.log,
                    "event triggers cannot be made on the source (%s): a changed definition is seen only with the next "
                    "change of a row of "
                    "its table",
                    err->message);
    pgc_error_clear(err);
    return 0;
}

int pgc_ddl_read_key(pgc_postgres_source *source, const char **key, pgconvoy_error *err)
{
    *key = NULL;
    if (!source->config.ddl)
        return 0;
    installed there;
    PGconn *conn = pgc_source_conn(source, err);
    if (!conn || look(conn, &there, err) != 0)
        return -1;
    if (!there.ours)
        return 0;
    PGresult *result = pgc_query(conn, "SELECT key FROM pgconvoy.ddl_key", err);
    if (!result)
        return -1;
    if (PQntuples(result) == 1)
        *key = pgc_arena_strdup(source->arena, PQgetvalue(result, 0, 0));
    int failed = PQntuples(result) == 1 && !*key ? pgc_error_out_of_memory(err) : 0;
    PQclear(result);
    return failed;
}

static int forget(const pgc_postgres_source *source, PGconn *conn, pgconvoy_error *err)
{
    int failed =
        begin_locked(conn, err) || with_name(source, conn, "DELETE FROM pgconvoy.ddl_pipeline WHERE name = $1", err);
    PGresult *result = failed ? NULL : pgc_query(conn, "SELECT EXISTS (SELECT FROM pgconvoy.ddl_pipeline)", err);
    if (result && !pgc_result_bool(result, 0, 0))
        failed = pgc_execute(conn, "SET LOCAL client_min_messages = warning", err) ||
                 pgc_execute(conn, pgc_sql_ddl_remove, err);
    if (result && !failed)
        failed = pgc_execute(conn, "COMMIT", err);
    PQclear(result);
    return roll_back(conn, failed || !result ? -1 : 0);
}

int pgc_ddl_drop(pgc_postgres_source *source, pgconvoy_error *err)
{
    installed there;
    PGconn *conn = pgc_source_conn(source, err);
    if (!conn || look(conn, &there, err) != 0)
        return -1;
    if (!there.ours || source->in_recovery)
        return 0;
    if (forget(source, conn, err) == 0)
        return 0;
    pgc_error_prefix(err, "event triggers pgconvoy_ddl_… cannot be removed");
    return -1;
}
