/*
 * Installing is idempotent and held apart by an advisory lock: two pipelines may begin at once. A comment on the
 * function tells which version of it is there.
 *
 * Servers before 14 send no messages. There a row of a table is one, and that table has a publication of its own, which
 * must have been there wherever the WAL is decoded with it. A pipeline's slot is made after it; for one that is older it
 * is told by where the slot's oldest transaction began.
 */
#include "source/postgres/ddl.h"
#include "ddl_sql.h"

#include <string.h>

#define DDL_VERSION "pgconvoy ddl 7"
#define DDL_VERSION_LOG DDL_VERSION ", by a table"
#define MESSAGES_FROM 140000

static const char installed_sql[] =
    "SELECT (SELECT pg_catalog.obj_description(p.oid, 'pg_proc') FROM pg_catalog.pg_proc p JOIN "
    "pg_catalog.pg_namespace n "
    "ON n.oid = p.pronamespace WHERE n.nspname = 'pgconvoy' AND p.proname = 'ddl_seen') IS NOT DISTINCT FROM $1, "
    "(SELECT pg_catalog.count(*) FROM pg_catalog.pg_event_trigger WHERE evtname IN ('pgconvoy_ddl_end', "
    "'pgconvoy_ddl_drop', 'pgconvoy_ddl_rewrite') AND evtenabled = 'A') = 3, "
    "pg_catalog.to_regclass('pgconvoy.ddl_pipeline') IS NOT NULL AND "
    "pg_catalog.has_table_privilege(pg_catalog.to_regclass("
    "'pgconvoy.ddl_pipeline'), 'INSERT, SELECT') AND "
    "pg_catalog.has_table_privilege(pg_catalog.to_regclass('pgconvoy.ddl_key'), 'SELECT')";

typedef struct installed {
    bool current, enabled, ours;
} installed;

static bool writes_log(const pgc_postgres_source *source)
{
    return source->server_version < MESSAGES_FROM;
}

static int look(const pgc_postgres_source *source, PGconn *conn, installed *there, pgconvoy_error *err)
{
    const char *values[] = {writes_log(source) ? DDL_VERSION_LOG : DDL_VERSION};
    PGresult *result = pgc_query_params(conn, installed_sql, 1, values, err);
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

/* Also where writes are held, in a cutover whose last stretch runs after that. */
static int begin_locked(PGconn *conn, pgconvoy_error *err)
{
    return pgc_execute(conn, "BEGIN READ WRITE", err) != 0 ||
                   pgc_execute(
                       conn, "SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('pgconvoy ddl', 0))",
                       err) != 0
               ? -1
               : 0;
}

/* In a transaction that holds the lock. */
static int make_triggers(const pgc_postgres_source *source, PGconn *conn, pgconvoy_error *err)
{
    static const char making[] = "making event triggers on the source";
    installed there;
    if (look(source, conn, &there, err) != 0)
        return -1;
    if (there.current && there.enabled)
        return 0;
    return pgc_execute(conn, "SET LOCAL client_min_messages = warning", err) ||
                   pgc_execute_as(conn, pgc_sql_ddl_install, making, err) ||
                   (writes_log(source) && pgc_execute_as(conn, pgc_sql_ddl_install_log, making, err))
               ? -1
               : 0;
}

int pgc_ddl_begin_try(const pgc_postgres_source *source, PGconn *conn, pgconvoy_error *err)
{
    return pgc_execute(conn, "SET lock_timeout = '10s'", err) || begin_locked(conn, err) ||
                   make_triggers(source, conn, err)
               ? -1
               : 0;
}

static int install(const pgc_postgres_source *source, PGconn *conn, pgconvoy_error *err)
{
    int failed = begin_locked(conn, err) || make_triggers(source, conn, err);
    if (!failed)
        failed = with_name(source, conn, "INSERT INTO pgconvoy.ddl_pipeline VALUES ($1) ON CONFLICT DO NOTHING", err) ||
                 pgc_execute(conn, "COMMIT", err);
    if (roll_back(conn, failed ? -1 : 0) != 0)
        return -1;
    /* behind the publication's commit */
    return writes_log(source) ? roll_back(conn, pgc_execute(conn,
                                                            "BEGIN READ WRITE; INSERT INTO pgconvoy.ddl_published SELECT "
                                                            "pg_catalog.pg_current_wal_insert_lsn() WHERE NOT EXISTS "
                                                            "(SELECT FROM pgconvoy.ddl_published); COMMIT",
                                                            err))
                              : 0;
}

int pgc_ddl_install(pgc_postgres_source *source, pgconvoy_error *err)
{
    if (!source->config.ddl || source->in_recovery)
        return 0;
    PGconn *conn = pgc_source_conn(source, err);
    if (!conn)
        return -1;
    if (install(source, conn, err) == 0)
        return 0;
    if (PQstatus(conn) != CONNECTION_OK || err->retriable)
        return -1;
    if (!source->said_no_triggers)
        pgc_log_warning(source->config.log, "%s: a changed definition is seen only with the next change of a row of its table", err->message);
    source->said_no_triggers = true;
    pgc_error_clear(err);
    return 0;
}

/* *log 0: the slot may have to be decoded from where the publication was not there. (PostgreSQL 12 has no max(pg_lsn).) */
static int find_log(const pgc_postgres_source *source, PGconn *conn, uint32_t *log, pgconvoy_error *err)
{
    const char *values[] = {source->slot_name, PGC_DDL_PUBLICATION};
    PGresult *result = pgc_query_params(
        conn,
        "SELECT pg_catalog.to_regclass('pgconvoy.ddl_log')::pg_catalog.oid FROM pg_catalog.pg_replication_slots s WHERE "
        "s.slot_name = $1 AND s.restart_lsn >= (SELECT since FROM pgconvoy.ddl_published ORDER BY since DESC LIMIT 1) AND EXISTS (SELECT FROM "
        "pg_catalog.pg_publication WHERE pubname = $2)",
        2, values, err);
    if (!result)
        return -1;
    *log = PQntuples(result) == 1 ? pgc_result_oid(result, 0, 0) : 0;
    PQclear(result);
    if (!*log)
        pgc_log_info(source->config.log, "slot %s is older than the event triggers: what they see is followed when the "
                                         "stream begins anew later on",
                     source->slot_name);
    return 0;
}

int pgc_ddl_read_access(pgc_postgres_source *source, pgc_ddl_access *access, pgconvoy_error *err)
{
    *access = (pgc_ddl_access){0};
    if (!source->config.ddl)
        return 0;
    installed there;
    PGconn *conn = pgc_source_conn(source, err);
    if (!conn || look(source, conn, &there, err) != 0)
        return -1;
    if (!there.ours || (writes_log(source) && !there.current))
        return 0;
    if (writes_log(source)) {
        if (find_log(source, conn, &access->log, err) != 0)
            return -1;
        if (!access->log)
            return 0;
    }
    PGresult *result = pgc_query(conn, "SELECT key FROM pgconvoy.ddl_key", err);
    if (!result)
        return -1;
    if (PQntuples(result) == 1)
        access->key = pgc_arena_strdup(source->arena, PQgetvalue(result, 0, 0));
    int failed = PQntuples(result) == 1 && !access->key ? pgc_error_out_of_memory(err) : 0;
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
    if (!conn || look(source, conn, &there, err) != 0)
        return -1;
    if (!there.ours || source->in_recovery)
        return 0;
    if (forget(source, conn, err) == 0)
        return 0;
    pgc_error_prefix(err, "event triggers pgconvoy_ddl_… cannot be removed");
    return -1;
}
