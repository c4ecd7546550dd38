/*
 * Connections. The session settings are made by options at connect time for replication connections (they have no SET before 10 and walsender's
 * output depends on them) and by one query for SQL connections, because poolers drop start-up options.
 */
#include "postgres/connection.h"
#include "postgres/notice.h"
#include "postgres/pooler.h"
#include "postgres/silence.h"

#include <stdio.h>
#include <stdlib.h>

#define SESSION_OPTIONS                                                                                                \
    "-c datestyle=ISO -c intervalstyle=postgres -c timezone=UTC -c bytea_output=hex -c extra_float_digits=3 "          \
    "-c lc_monetary=C -c quote_all_identifiers=off -c standard_conforming_strings=on -c client_min_messages=notice "     \
    "-c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0 -c search_path=pg_catalog"

#define COPY_PIECE_BYTES ((size_t)256 << 10) /* libpq keeps a whole piece in its buffer, and the buffer for good */

/*
 * What a server, a database or a role has set for its own applications must change no value, and no text of ours. The server's own keepalives: a
 * session whose client is gone without a word keeps its locks until it is noticed.
 */
#define SESSION_SETTINGS                                                                                               \
    "SET datestyle = ISO; SET intervalstyle = postgres; SET timezone = 'UTC'; SET bytea_output = hex; "                    \
    "SET lc_monetary = 'C'; SET array_nulls = on; SET xmloption = content; SET transform_null_equals = off; "               \
    "SET quote_all_identifiers = off; SET default_transaction_isolation = 'read committed'; "                             \
    "SET default_transaction_deferrable = off; SET client_min_messages = notice; "                                        \
    "SET extra_float_digits = 3; SET standard_conforming_strings = on; SET statement_timeout = 0; SET lock_timeout = 0; " \
    "SET idle_in_transaction_session_timeout = 0; SET row_security = off; SET search_path = pg_catalog; "                 \
    "SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3"

/* What only newer servers know. */
static const struct {
    int since;
    bool of_all; /* of replication connections, too */
    const char *sql;
} later_settings[] = {
    /* catalogs are read, and rows moved, by statements that are estimated as expensive: what is compiled for them costs more than it saves */
    {110000, false, "SET jit = off"},
    /* sessions rest while others work, and transactions last as long as a table copy */
    {140000, true, "SET idle_session_timeout = 0"},
    {170000, true, "SET transaction_timeout = 0"},
};

bool pgc_connection_is_uri(const char *text)
{
    if (strncmp(text, "postgres://", 11) == 0 || strncmp(text, "postgresql://", 13) == 0)
        return true;
    /* key=value begins with a keyword; other ends may have an '=' further on: duckdb:FILE?option=value */
    const char *keyword = text + strspn(text, " \t\r\n");
    size_t length = strspn(keyword, "abcdefghijklmnopqrstuvwxyz_");
    const char *after = keyword + length;
    return length > 0 && after[strspn(after, " \t\r\n")] == '=';
}

static PQconninfoOption *parse(const char *uri, pgconvoy_error *err)
{
    char *message = NULL;
    PQconninfoOption *options = PQconninfoParse(uri, &message);
    if (!options) {
        /* libpq's message may quote the text, and with it a password, which is before an "@" or in a parameter */
        const char *parameters = strchr(uri, '?');
        bool in_parameters = message && strncmp(message, "invalid URI query parameter", 27) == 0 && parameters && !strchr(parameters, '@');
        bool has_password = strstr(uri, "password") || (strstr(uri, "://") && strchr(uri, '@') && !in_parameters);
        if (message)
            message[strcspn(message, "\n")] = '\0';
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "the connection string cannot be read%s%s",
                           has_password || !message ? "" : ": ", has_password || !message ? "" : message);
        pgconvoy_error_hint(err, "write it as postgresql://USER@HOST:PORT/DATABASE or as \"host=… port=… dbname=… user=…\"");
        PQfreemem(message);
    }
    return options;
}

int pgc_connection_check_uri(const char *uri, pgconvoy_error *err)
{
    if (!pgc_connection_is_uri(uri)) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "\"%s\" is not a PostgreSQL connection string", uri);
        pgconvoy_error_hint(err, "write it as postgresql://USER@HOST:PORT/DATABASE or as \"host=… port=… dbname=… user=…\"");
        return -1;
    }
    PQconninfoOption *options = parse(uri, err);
    if (!options)
        return -1;
    PQconninfoFree(options);
    return 0;
}

static const char *option_value(const PQconninfoOption *options, const char *keyword)
{
    for (; options && options->keyword; options++)
        if (strcmp(options->keyword, keyword) == 0)
            return options->val && options->val[0] ? options->val : NULL;
    return NULL;
}

void pgc_connection_describe(const char *uri, pgc_buffer *out)
{
    PQconninfoOption *given = PQconninfoParse(uri, NULL);
    PQconninfoOption *defaults = PQconndefaults();
    const char *names[] = {"dbname", "host", "port", "user"};
    const char *values[4];
    for (int i = 0; i < 4; i++) {
        values[i] = option_value(given, names[i]);
        if (!values[i])
            values[i] = option_value(defaults, names[i]);
    }
    if (!values[0])
        values[0] = values[3];
    pgc_buffer_format(out, "database \"%s\" on %s port %s as user \"%s\"", values[0] ? values[0] : "",
                      values[1] ? values[1] : "the local socket", values[2] ? values[2] : "5432",
                      values[3] ? values[3] : "");
    PQconninfoFree(given);
    PQconninfoFree(defaults);
}

void pgc_connection_place(const char *uri, pgc_buffer *out)
{
    PQconninfoOption *given = PQconninfoParse(uri, NULL);
    if (!given)
        return;
    PQconninfoOption *defaults = PQconndefaults();
    static const char *const keys[] = {"host", "hostaddr", "port", "dbname", "service"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *value = option_value(given, keys[i]);
        if (!value)
            value = option_value(defaults, keys[i]);
        pgc_buffer_format(out, "%s ", value ? value : "-");
    }
    PQconninfoFree(given);
    PQconninfoFree(defaults);
}

void pgc_connection_without_password(const char *uri, pgc_buffer *out)
{
    PQconninfoOption *given = PQconninfoParse(uri, NULL);
    const char *separator = "";
    for (const PQconninfoOption *o = given; o && o->keyword; o++) {
        if (!o->val || !o->val[0] || strstr(o->keyword, "password"))
            continue;
        pgc_buffer_format(out, "%s%s='", separator, o->keyword);
        separator = " ";
        for (const char *c = o->val; *c; c++) {
            if (*c == '\'' || *c == '\\')
                pgc_buffer_byte(out, '\\');
            pgc_buffer_byte(out, *c);
        }
        pgc_buffer_byte(out, '\'');
    }
    PQconninfoFree(given);
}

static bool sqlstate_is_retriable(const char *sqlstate)
{
    static const char *const states[] = {"55P03", "57P01", "57P02", "57P03", "53300", "53100", "53200", "53400", "55006"};
    if (strncmp(sqlstate, "08", 2) == 0 || strncmp(sqlstate, "40", 2) == 0)
        return true;
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (strcmp(sqlstate, states[i]) == 0)
            return true;
    return false;
}

/* An object went away between two looks of one statement at the catalog, which has no code of its own. */
static bool lost_an_object(const char *sqlstate, const char *primary)
{
    return strcmp(sqlstate, "XX000") == 0 &&
           (strncmp(primary, "cache lookup failed", 19) == 0 || strncmp(primary, "could not open relation with OID", 32) == 0);
}

void pgc_connection_error(PGconn *conn, const PGresult *result, const char *doing, pgconvoy_error *err)
{
    const char *sqlstate = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *primary = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    const char *detail = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL) : NULL;
    const char *hint = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_HINT) : NULL;
    /* An error without a code is libpq's own: a write failed, say, to a server that crashed; the connection looks well until it is used again. */
    bool lost = !conn || PQstatus(conn) == CONNECTION_BAD || (result && PQresultStatus(result) == PGRES_FATAL_ERROR && !sqlstate);
    char silent[80];
    int silent_s = lost ? pgc_silence_seconds(conn) : 0;
    if (silent_s > 0) {
        snprintf(silent, sizeof silent, "the server has not answered for %d s", silent_s);
        primary = silent;
    } else if (!sqlstate && lost) {
        const char *reason = pgc_notice_reason(conn, &sqlstate);
        primary = reason ? reason : primary;
    }
    if (!primary) {
        primary = conn ? PQerrorMessage(conn) : "out of memory";
        if (!primary[0])
            primary = "the connection was lost";
    }
    size_t length = strlen(primary); /* libpq's own messages end with a line end */
    while (length > 0 && primary[length - 1] == '\n')
        length--;
    pgconvoy_error_set(err, lost ? PGCONVOY_ERROR_CONNECTION : PGCONVOY_ERROR_SOURCE, "%s: %.*s%s%s%s", doing, (int)length, primary,
                       detail ? " (" : "", detail ? detail : "", detail ? ")" : "");
    if (sqlstate)
        pgc_error_sqlstate(err, sqlstate);
    if (hint)
        pgconvoy_error_hint(err, "%s", hint);
    pgconvoy_error_retriable(err, lost || (sqlstate && (sqlstate_is_retriable(sqlstate) || lost_an_object(sqlstate, primary))));
}

/* The SQLSTATE is told in any language; the words are of libpq itself, and of poolers. */
static bool may_heal(const char *sqlstate, const char *message)
{
    static const char *const final_states[] = {"28000", "28P01", "3D000", "42501", "42704", "22023", "55000"};
    for (size_t i = 0; i < sizeof final_states / sizeof *final_states; i++)
        if (strcmp(sqlstate, final_states[i]) == 0)
            return false;
    static const char *const final[] = {"password authentication failed", "no password supplied", "does not exist", "no pg_hba.conf entry",
                                        "authentication failed", "certificate", "SSL", "role \"", "must be superuser", "permission denied",
                                        "could not translate host name", "invalid port", "is not permitted to log in",
                                        "is not currently accepting connections"};
    for (size_t i = 0; i < sizeof final / sizeof *final; i++)
        if (strstr(message, final[i]))
            return false;
    return true;
}

void pgc_connection_refused(const PGconn *conn, pgconvoy_error *err)
{
    char sqlstate[6], message[700];
    pgc_notice_refusal(conn, sqlstate, message, sizeof message);
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONNECTION, "%s", message);
    pgc_error_sqlstate(err, sqlstate);
    pgconvoy_error_retriable(err, may_heal(sqlstate, message));
}

static void connect_error(const PGconn *conn, const char *uri, pgc_connection_kind kind, pgconvoy_error *err)
{
    pgc_connection_refused(conn, err);
    char *question = strstr(err->message, "\n\tIs the server running"); /* the hint asks it in our words */
    if (question)
        *question = '\0';
    const char *message = err->message, *sqlstate = err->sqlstate;
    bool replication = kind == PGC_CONNECTION_REPLICATION;
    pgc_buffer where;
    pgc_buffer_init(&where, 4096);
    pgc_connection_describe(uri, &where);
    if (strcmp(sqlstate, "28P01") == 0 || strstr(message, "password"))
        pgconvoy_error_hint(err, "check user and password; a password can stand in ~/.pgpass or PGPASSWORD");
    else if (strcmp(sqlstate, "53300") == 0)
        pgconvoy_error_hint(err, replication ? "raise max_wal_senders on the source, or end a replication connection that is not needed"
                                             : "raise max_connections there, or end a connection that is not needed");
    else if (replication && (strcmp(sqlstate, "42501") == 0 || strcmp(sqlstate, "28000") == 0))
        pgconvoy_error_hint(err, "as a superuser: ALTER ROLE … REPLICATION; and allow the connection in pg_hba.conf");
    else if (strcmp(sqlstate, "3D000") == 0 || strstr(message, "does not exist"))
        pgconvoy_error_hint(err, "check the name in the connection string");
    else
        pgconvoy_error_hint(err, "check that the server runs there and accepts connections from here");
    pgc_error_prefix(err, "cannot connect to %s", where.data ? where.data : "the server");
    pgc_buffer_free(&where);
}

/* Such a server converts nothing, but would refuse what is not valid in the client's encoding. */
static bool has_no_encoding(const PGconn *conn)
{
    const char *encoding = PQparameterStatus(conn, "server_encoding");
    return encoding && strcmp(encoding, "SQL_ASCII") == 0;
}

static int set_up(PGconn *conn, pgc_connection_kind kind, pgconvoy_error *err)
{
    bool is_sql = kind == PGC_CONNECTION_SQL;
    if (is_sql && pgc_pooler_check(conn, err) != 0)
        return -1;
    if (has_no_encoding(conn) && PQsetClientEncoding(conn, "SQL_ASCII") != 0) {
        pgc_connection_error(conn, NULL, "taking text as the bytes that it is", err);
        return -1;
    }
    pgc_buffer sql;
    pgc_buffer_init(&sql, 65536);
    pgc_buffer_text(&sql, is_sql ? SESSION_SETTINGS : "");
    for (size_t i = 0; i < sizeof later_settings / sizeof *later_settings; i++)
        if (PQserverVersion(conn) >= later_settings[i].since && (is_sql || later_settings[i].of_all))
            pgc_buffer_format(&sql, "%s%s", sql.length > 0 ? "; " : "", later_settings[i].sql);
    int status = sql.length > 0 ? pgc_execute_as(conn, sql.data, "beginning a session", err) : 0;
    pgc_buffer_free(&sql);
    return status;
}

PGconn *pgc_connect(const char *uri, pgc_connection_kind kind, const char *application_name, pgconvoy_error *err)
{
    if (pgc_connection_check_uri(uri, err) != 0)
        return NULL;
    PQconninfoOption *given = parse(uri, err);
    if (!given)
        return NULL;
    bool user_keepalives = option_value(given, "keepalives") || option_value(given, "keepalives_idle");
    bool user_timeout = option_value(given, "connect_timeout") || getenv("PGCONNECT_TIMEOUT");
    const char *user_options = option_value(given, "options");
    pgc_buffer options;
    pgc_buffer_init(&options, 65536);
    pgc_buffer_format(&options, "%s %s", user_options ? user_options : "", kind == PGC_CONNECTION_REPLICATION ? SESSION_OPTIONS : "");
    const char *keywords[13], *values[13];
    int n = 0;
#define PGC_SET(k, v) (keywords[n] = (k), values[n] = (v), n++)
    PGC_SET("dbname", uri); /* expanded in place; what follows overrides it */
    PGC_SET("application_name", application_name);
    PGC_SET("client_encoding", "UTF8");
    if (kind == PGC_CONNECTION_REPLICATION)
        PGC_SET("replication", "database");
    if (kind == PGC_CONNECTION_REPLICATION || user_options)
        PGC_SET("options", options.data);
    if (!user_keepalives) {
        PGC_SET("keepalives_idle", "30");
        PGC_SET("keepalives_interval", "10");
        PGC_SET("keepalives_count", "3");
    }
    if (!user_timeout)
        PGC_SET("connect_timeout", "15");
    /* several hosts are a primary and its standbys: the primary is meant, whichever it is by now */
    const char *hosts = option_value(given, "host");
    if (!hosts)
        hosts = option_value(given, "hostaddr");
    if (hosts && strchr(hosts, ',') && !option_value(given, "target_session_attrs") && !getenv("PGTARGETSESSIONATTRS"))
        PGC_SET("target_session_attrs", PQlibVersion() >= 140000 ? "primary" : "read-write");
    PGC_SET(NULL, NULL);
#undef PGC_SET
    PGconn *conn = pgc_notice_connect(keywords, values, 1);
    PQconninfoFree(given);
    pgc_buffer_free(&options);
    if (PQstatus(conn) != CONNECTION_OK) {
        connect_error(conn, uri, kind, err);
        PQfinish(conn);
        return NULL;
    }
    pgc_silence_watch(conn);
    if (set_up(conn, kind, err) == 0)
        return conn;
    PQfinish(conn);
    return NULL;
}

static PGresult *checked(PGconn *conn, PGresult *result, const char *sql, pgconvoy_error *err)
{
    switch (PQresultStatus(result)) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_COPY_IN:
    case PGRES_COPY_OUT:
    case PGRES_COPY_BOTH:
        return result;
    default:
        break;
    }
    char doing[200];
    snprintf(doing, sizeof doing, "%.150s%s", sql, strlen(sql) > 150 ? "…" : "");
    pgc_connection_error(conn, result, doing, err);
    PQclear(result);
    return NULL;
}

PGresult *pgc_query(PGconn *conn, const char *sql, pgconvoy_error *err)
{
    return checked(conn, PQexec(conn, sql), sql, err);
}

PGresult *pgc_query_params(PGconn *conn, const char *sql, int count, const char *const *values, pgconvoy_error *err)
{
    return checked(conn, PQexecParams(conn, sql, count, NULL, values, NULL, NULL, 0), sql, err);
}

int pgc_query_text(PGconn *conn, const char *sql, int count, const char *const *values, pgc_buffer *answer,
                   pgconvoy_error *err)
{
    PGresult *result = pgc_query_params(conn, sql, count, values, err);
    if (!result)
        return -1;
    pgc_buffer_reset(answer);
    pgc_buffer_text(answer, PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    return pgc_buffer_check(answer, err);
}

int pgc_query_truth(PGconn *conn, const char *sql, int count, const char *const *values, bool *truth,
                    pgconvoy_error *err)
{
    PGresult *result = pgc_query_params(conn, sql, count, values, err);
    if (!result)
        return -1;
    *truth = PQntuples(result) > 0 && PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    return 0;
}

int pgc_copy_put(PGconn *conn, const char *bytes, size_t length)
{
    for (size_t at = 0; at < length;) {
        size_t piece = length - at < COPY_PIECE_BYTES ? length - at : COPY_PIECE_BYTES;
        if (PQputCopyData(conn, bytes + at, (int)piece) != 1)
            return -1;
        at += piece;
    }
    return 0;
}

int pgc_execute(PGconn *conn, const char *sql, pgconvoy_error *err)
{
    PGresult *result = pgc_query(conn, sql, err);
    if (!result)
        return -1;
    PQclear(result);
    return 0;
}

int pgc_execute_as(PGconn *conn, const char *sql, const char *doing, pgconvoy_error *err)
{
    PGresult *result = PQexec(conn, sql);
    bool well = PQresultStatus(result) == PGRES_COMMAND_OK;
    if (!well)
        pgc_connection_error(conn, result, doing, err);
    PQclear(result);
    return well ? 0 : -1;
}

void pgc_connection_hint_at_encoding(pgconvoy_error *err)
{
    if (strcmp(err->sqlstate, "22021") == 0)
        pgconvoy_error_hint(err, "the source has text of another encoding than the target's: a target database made with ENCODING 'SQL_ASCII' TEMPLATE template0 takes its bytes as they are; or mend the value on the source, "
                                 "and move it anew");
    else if (strcmp(err->sqlstate, "22P05") == 0)
        pgconvoy_error_hint(err, "the target's encoding lacks this character: use a target database made with ENCODING 'UTF8' TEMPLATE template0, or mend the value on the source, and move it anew");
}

void pgc_connection_snapshot_error(pgconvoy_error *err)
{
    if (strcmp(err->sqlstate, "22023") != 0 && strcmp(err->sqlstate, "42704") != 0)
        return;
    pgc_error_prefix(err, "the snapshot cannot be taken over");
    pgconvoy_error_hint(err, "the connection that held the snapshot was lost: run again");
    pgconvoy_error_retriable(err, true);
}
