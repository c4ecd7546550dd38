/*
 * What a client sends as a command is logged and shown as it stands; rows of COPY are not, nor what a function
 * executes. So the command goes into a temporary table as a row, and a DO block executes it. An error is raised anew,
 * as the first one would come with the command as its context.
 */
#include "native/unseen.h"

#include <string.h>

#define TABLE "pg_temp.pgconvoy_unseen"

static const char execute[] =
    "DO $$ DECLARE code text; says text; more text; tip text; BEGIN "
    "EXECUTE (SELECT command FROM " TABLE "); "
    "EXCEPTION WHEN OTHERS OR query_canceled THEN "
    "GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, says = MESSAGE_TEXT, more = PG_EXCEPTION_DETAIL, tip = "
    "PG_EXCEPTION_HINT; "
    "IF more <> '' THEN says := says || ' (' || more || ')'; END IF; "
    "IF tip <> '' THEN RAISE EXCEPTION USING ERRCODE = code, MESSAGE = says, HINT = tip; END IF; "
    "RAISE EXCEPTION USING ERRCODE = code, MESSAGE = says; END $$";

/* One value as a line of CSV. */
static int put(PGconn *conn, const char *sql, pgconvoy_error *err)
{
    pgc_buffer row;
    pgc_buffer_init(&row, (size_t)64 << 20);
    pgc_buffer_byte(&row, '"');
    for (const char *at = sql; *at; at++) {
        if (*at == '"')
            pgc_buffer_byte(&row, '"');
        pgc_buffer_byte(&row, *at);
    }
    pgc_buffer_text(&row, "\"\n");
    int failed = pgc_buffer_check(&row, err);
    if (!failed && (PQputCopyData(conn, row.data, (int)row.length) != 1 || PQputCopyEnd(conn, NULL) != 1)) {
        pgc_connection_error(conn, NULL, "handing over a command", err);
        failed = -1;
    }
    pgc_buffer_free(&row);
    return failed;
}

static int hand_over(PGconn *conn, const char *sql, pgconvoy_error *err)
{
    PGresult *result = pgc_query(conn, "COPY " TABLE " FROM STDIN (FORMAT csv)", err);
    if (!result)
        return -1;
    PQclear(result);
    if (put(conn, sql, err))
        return -1;
    int failed = 0;
    while ((result = PQgetResult(conn)) != NULL) {
        if (PQresultStatus(result) != PGRES_COMMAND_OK && !failed) {
            pgc_connection_error(conn, result, "handing over a command", err);
            failed = -1;
        }
        PQclear(result);
    }
    return failed;
}

/* The role can have temporary tables and DO blocks. */
static const char can_be_unseen[] =
    "SELECT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'TEMP') AND EXISTS (SELECT FROM "
    "pg_catalog.pg_language WHERE lanname = 'plpgsql' AND pg_catalog.has_language_privilege(oid, 'USAGE'))";

/* A warning would be logged with the command as its context; only a superuser can have that left out. */
static int be_terse(PGconn *conn, const char *doing, pgconvoy_error *err)
{
    const char *superuser = PQparameterStatus(conn, "is_superuser");
    bool is_superuser = superuser && strcmp(superuser, "on") == 0;
    return is_superuser ? pgc_execute_as(conn, "SET LOCAL log_error_verbosity = terse", doing, err) : 0;
}

int native_run_unseen(PGconn *conn, const char *sql, const char *doing, pgconvoy_error *err)
{
    bool can;
    if (pgc_query_truth(conn, can_be_unseen, 0, NULL, &can, err))
        return -1;
    if (!can)
        return pgc_execute_as(conn, sql, doing, err);
    if (pgc_execute_as(conn, "CREATE TEMPORARY TABLE pgconvoy_unseen (command text) ON COMMIT DROP", doing, err) ||
        be_terse(conn, doing, err) || hand_over(conn, sql, err))
        return -1;
    return pgc_execute_as(conn, execute, doing, err) || pgc_execute_as(conn, "DROP TABLE " TABLE, doing, err)
               ? -1
               : 0;
}
