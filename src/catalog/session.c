/*
 * Sessions of a dump: connected as the options say, with the settings that make its text exact and portable, inside a transaction that sees the one snapshot. A second session takes the first one's
 * exported snapshot, and the password that was typed for it.
 */
#include "catalog/session.h"

#include "postgres/connection.h"
#include "postgres/notice.h"
#include "postgres/pooler.h"
#include "postgres/quote.h"
#include "postgres/silence.h"

#include <stdlib.h>

#define OLDEST_VERSION 120000

static PGconn *try_connect(const pgc_server_address *address, const char *password)
{
    const char *keywords[10], *values[10];
    int n = 0;
#define SET(k, v) ((v) ? (void)(keywords[n] = (k), values[n] = (v), n++) : (void)0)
    SET("host", address->host);
    SET("port", address->port);
    SET("user", address->user);
    SET("password", password);
    SET("dbname", address->dbname); /* expanded: its settings override those before it */
    SET("fallback_application_name", address->program ? address->program : "pgconvoy");
#undef SET
    keywords[n] = values[n] = NULL;
    return pgc_notice_connect(keywords, values, 1);
}

static char *ask(const pgc_server_address *address)
{
    return address->ask_password && address->prompt != PGC_PROMPT_NEVER ? address->ask_password(address->ask_arg, address->user) : NULL;
}

static void forget(char *password)
{
    if (password)
        explicit_bzero(password, strlen(password));
    free(password);
}

PGconn *pgc_session_connect(const pgc_server_address *address, char **password, pgconvoy_error *err)
{
    if (!*password && address->prompt == PGC_PROMPT_ALWAYS)
        *password = ask(address);
    PGconn *conn = try_connect(address, *password);
    if (conn && PQstatus(conn) == CONNECTION_BAD && PQconnectionNeedsPassword(conn) && !*password &&
        (*password = ask(address))) {
        PQfinish(conn);
        conn = try_connect(address, *password);
    }
    if (!conn || PQstatus(conn) == CONNECTION_BAD) {
        pgc_connection_refused(conn, err);
        PQfinish(conn);
        forget(*password);
        *password = NULL;
        return NULL;
    }
    pgc_silence_watch(conn);
    return conn;
}

/* The settings as one text of many commands: one round trip. */
static void settings(const pgc_dump_options *options, PGconn *conn, pgc_buffer *sql)
{
    int version = PQserverVersion(conn);
    pgc_buffer_text(sql, "SELECT pg_catalog.set_config('search_path', '', false);");
    if (options->role) {
        pgc_buffer_text(sql, "SET ROLE ");
        pgc_quote_identifier(sql, options->role);
        pgc_buffer_byte(sql, ';');
    }
    pgc_buffer_text(sql, "SET DATESTYLE = ISO; SET INTERVALSTYLE = POSTGRES; SET standard_conforming_strings = on; SET bytea_output = hex;"
                         "SET synchronize_seqscans TO off; SET statement_timeout = 0; SET lock_timeout = 0;"
                         "SET idle_in_transaction_session_timeout = 0;");
    if (version >= 170000)
        pgc_buffer_text(sql, "SET transaction_timeout = 0;");
    pgc_buffer_format(sql, "SET extra_float_digits TO %d;", options->has_extra_float_digits ? options->extra_float_digits : 3);
    if (options->quote_all_identifiers)
        pgc_buffer_text(sql, "SET quote_all_identifiers = true;");
    if (options->for_a_session)
        pgc_buffer_text(sql, "SET lc_monetary = 'C'; SET quote_all_identifiers = off; SET client_min_messages = notice;");
    pgc_buffer_text(sql, "SET jit = off;"); /* what is compiled for queries of the catalog costs more than it saves */
    pgc_buffer_format(sql, "SET row_security = %s;", options->enable_row_security ? "on" : "off");
    /* where the server has it: no view or foreign table of the user's runs code while the catalogs are read */
    pgc_buffer_text(sql, "SELECT pg_catalog.set_config(name, 'view, foreign-table', false) FROM pg_catalog.pg_settings "
                         "WHERE name = 'restrict_nonsystem_relation_kind';");
}

static int begin(const pgc_dump_options *options, const char *snapshot, PGconn *conn, pgconvoy_error *err)
{
    if (pgc_execute(conn, "BEGIN", err) != 0)
        return -1;
    bool deferrable = options->serializable_deferrable && !snapshot;
    if (pgc_execute(conn, deferrable ? "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE"
                                     : "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
                    err) != 0)
        return -1;
    if (!snapshot)
        return 0;
    pgc_buffer sql;
    pgc_buffer_init(&sql, 65536);
    pgc_buffer_text(&sql, "SET TRANSACTION SNAPSHOT ");
    pgc_quote_literal(&sql, snapshot);
    int result = pgc_execute(conn, sql.data, err);
    pgc_buffer_free(&sql);
    return result;
}

/* Before anything is set that an older server has not. */
static int check_version(PGconn *conn, pgconvoy_error *err)
{
    if (PQserverVersion(conn) >= OLDEST_VERSION)
        return 0;
    const char *text = PQparameterStatus(conn, "server_version");
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "the server has version %s, and only servers from %d on can be dumped", text ? text : "unknown", OLDEST_VERSION / 10000);
    pgconvoy_error_hint(err, "use the pg_dump of a version that still knows this server");
    return -1;
}

PGconn *pgc_session_open(const pgc_dump_options *options, const char *snapshot, char **password, pgconvoy_error *err)
{
    PGconn *conn = pgc_session_connect(&options->address, password, err);
    if (!conn)
        return NULL;
    if (options->connected)
        options->connected(options->connected_arg, conn);
    if (check_version(conn, err) != 0 || pgc_pooler_check(conn, err) != 0) {
        PQfinish(conn);
        return NULL;
    }
    const char *encoding = options->for_a_session ? PQparameterStatus(conn, "server_encoding") : options->encoding;
    if (encoding && PQsetClientEncoding(conn, encoding) < 0) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "invalid client encoding \"%s\" specified", encoding);
        PQfinish(conn);
        return NULL;
    }
    pgc_buffer sql;
    pgc_buffer_init(&sql, 65536);
    settings(options, conn, &sql);
    int result = pgc_execute(conn, sql.data, err);
    pgc_buffer_free(&sql);
    if (result != 0 || begin(options, snapshot, conn, err) != 0) {
        PQfinish(conn);
        return NULL;
    }
    return conn;
}
