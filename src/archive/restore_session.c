/* A session of a restore: its connection, its commands, and what happens when one is refused. */
#include "archive/restore_internal.h"
#include "archive/sql_split.h"
#include "catalog/session.h"
#include "postgres/connection.h"
#include "postgres/notice.h"
#include "postgres/pooler.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define TEXT_MAX ((size_t)3 << 30)

void restore_say(restore *restore, const char *format, ...)
{
    if (!restore->options->say)
        return;
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    pthread_mutex_lock(&restore->lock);
    restore->options->say(restore->options->arg, text);
    pthread_mutex_unlock(&restore->lock);
}

/* ------------------------------------------------------------------ errors */

/* What is being restored, said once for an entry, since the command alone may not tell. */
static void say_origin(restore_session *session)
{
    const pgc_entry *entry = session->entry;
    if (!session->begun_to_blame)
        restore_say(session->restore, entry ? "while PROCESSING TOC:" : "while INITIALIZING:");
    session->begun_to_blame = true;
    if (entry && entry != session->blamed)
        restore_say(session->restore, "from TOC entry %d; %u %u %s %s %s", entry->id, entry->class_oid, entry->oid, entry->description, entry->tag, entry->owner);
    session->blamed = entry;
}

int restore_session_refused(restore_session *session, const char *what, const char *command, pgconvoy_error *err)
{
    restore *restore = session->restore;
    if (PQstatus(session->conn) == CONNECTION_BAD) {
        pgc_connection_error(session->conn, NULL, what, err);
        return -1;
    }
    if (atomic_load(&restore->stop)) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "stopped, since another session failed");
        return -1; /* it was cancelled */
    }
    say_origin(session);
    pgc_buffer text;
    pgc_buffer_init(&text, TEXT_MAX);
    const char *message = PQerrorMessage(session->conn);
    size_t length = strlen(message);
    while (length > 0 && message[length - 1] == '\n')
        length--;
    pgc_buffer_format(&text, "%s: %.*s", what, (int)length, message);
    if (command) {
        pgc_buffer_text(&text, "\nCommand was: ");
        pgc_buffer_text(&text, command);
    }
    session->entry_errors++;
    pthread_mutex_lock(&restore->lock);
    if (!restore->stopped)
        restore->options->error(restore->options->arg, text.failed ? what : text.data);
    restore->errors++;
    restore->stopped = restore->stopped || restore->options->script->exit_on_error;
    pthread_mutex_unlock(&restore->lock);
    pgc_buffer_free(&text);
    if (!restore->options->script->exit_on_error)
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "stopped at the first error");
    return -1;
}

/* ------------------------------------------------------------------ commands */

int restore_session_run(restore_session *session, const char *sql, bool *copy, pgconvoy_error *err)
{
    PGresult *result = PQexec(session->conn, sql);
    ExecStatusType status = PQresultStatus(result);
    PQclear(result);
    if (copy)
        *copy = status == PGRES_COPY_IN;
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY || (copy && *copy))
        return 0;
    return restore_session_refused(session, "could not execute query", sql, err);
}

static int run_command(void *arg, const char *sql, size_t length, pgconvoy_error *err)
{
    (void)length;
    return restore_session_run(arg, sql, NULL, err);
}

static int run_simple(restore_session *session, const char *text, size_t length, pgconvoy_error *err)
{
    pgc_sql_split split = {.comments = true, .command = run_command, .arg = session};
    pgc_sql_split_begin(&split);
    int result = pgc_sql_split_feed(&split, text, length, err);
    pgconvoy_error ignored = {0};
    if (result)
        pgc_buffer_reset(&split.text); /* nothing more is to run */
    return pgc_sql_split_end(&split, result ? &ignored : err) ? -1 : result;
}

int restore_session_run_all(restore_session *session, const char *text, const char *whole, pgconvoy_error *err)
{
    const char *at = whole && *whole ? strstr(text, whole) : NULL;
    if (!at)
        return run_simple(session, text, strlen(text), err);
    if (run_simple(session, text, (size_t)(at - text), err))
        return -1;
    /* a definition may be more than one command; like psql's users, the server takes them as one */
    if (restore_session_run(session, whole, NULL, err))
        return -1;
    at += strlen(whole);
    return run_simple(session, at, strlen(at), err);
}

/* ------------------------------------------------------------------ connecting */

static void on_notice(void *arg, const char *message)
{
    restore_session *session = arg;
    size_t length = strlen(message);
    restore_say(session->restore, "%.*s", (int)(length && message[length - 1] == '\n' ? length - 1 : length), message);
}

static void append_setting(pgc_buffer *out, const char *keyword, const char *value)
{
    pgc_buffer_format(out, "%s%s='", out->length ? " " : "", keyword);
    for (; *value; value++) {
        if (*value == '\'' || *value == '\\')
            pgc_buffer_byte(out, '\\');
        pgc_buffer_byte(out, *value);
    }
    pgc_buffer_byte(out, '\'');
}

/* The address's database name, which may be a whole connection string, with another database in its place. */
static int replace_database(const char *dbname, const char *database, pgc_buffer *out, pgconvoy_error *err)
{
    bool is_string = dbname && (strchr(dbname, '=') || strncmp(dbname, "postgres://", 11) == 0 || strncmp(dbname, "postgresql://", 13) == 0);
    PQconninfoOption *settings = is_string ? PQconninfoParse(dbname, NULL) : NULL;
    for (PQconninfoOption *setting = settings; setting && setting->keyword; setting++)
        if (setting->val && strcmp(setting->keyword, "dbname") != 0)
            append_setting(out, setting->keyword, setting->val);
    PQconninfoFree(settings);
    append_setting(out, "dbname", database);
    return pgc_buffer_check(out, err);
}

static PGconn *connect_to(restore *restore, pgconvoy_error *err)
{
    pgc_server_address address = restore->options->address;
    if (!restore->database)
        return pgc_session_connect(&address, &restore->password, err);
    pgc_buffer dbname;
    pgc_buffer_init(&dbname, 1 << 16);
    PGconn *conn = NULL;
    if (replace_database(address.dbname, restore->database, &dbname, err) == 0) {
        address.dbname = dbname.data;
        conn = pgc_session_connect(&address, &restore->password, err);
    }
    pgc_buffer_free(&dbname);
    return conn;
}

static void drop_connection(restore_session *session)
{
    if (session->cancel)
        restore_sessions_remove(session->restore->options->sessions, session->cancel);
    session->cancel = NULL;
    PQfinish(session->conn);
    session->conn = NULL;
}

static int take_connection(restore_session *session, PGconn *conn, pgconvoy_error *err)
{
    session->conn = conn;
    if (!conn)
        return -1;
    session->cancel = restore_sessions_add(session->restore->options->sessions, conn);
    if (!session->cancel)
        return pgc_error_out_of_memory(err);
    pgc_notice_take(conn, on_notice, session);
    if (pgc_pooler_check(conn, err) != 0)
        return -1;
    return pgc_execute(conn, "SELECT pg_catalog.set_config('search_path', '', false)", err);
}

static int set_up(restore_session *session, pgconvoy_error *err)
{
    pgc_buffer_reset(&session->text);
    if (pgc_script_session(session->script, &session->text, err))
        return -1;
    return restore_session_run_all(session, session->text.data, NULL, err);
}

int restore_session_open(restore_session *session, pgconvoy_error *err)
{
    restore *restore = session->restore;
    pgc_buffer_init(&session->text, TEXT_MAX);
    pthread_mutex_lock(&restore->lock); /* the password that was typed is shared */
    PGconn *conn = connect_to(restore, err);
    pthread_mutex_unlock(&restore->lock);
    return take_connection(session, conn, err);
}

int restore_session_begin(restore_session *session, pgconvoy_error *err)
{
    session->script = pgc_script_fork(session->restore->script, err);
    session->is_fork = session->script != NULL;
    return session->script ? set_up(session, err) : -1;
}

void restore_session_close(restore_session *session)
{
    drop_connection(session);
    pgc_buffer_free(&session->text);
    if (session->is_fork)
        pgc_script_free(session->script);
    session->script = NULL;
}

int restore_session_move(restore_session *session, const char *database, pgconvoy_error *err)
{
    restore_say(session->restore, "connecting to new database \"%s\"", database);
    session->restore->database = database;
    drop_connection(session);
    if (take_connection(session, connect_to(session->restore, err), err))
        return -1;
    return set_up(session, err);
}
