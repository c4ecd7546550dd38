/*
 * A command that changed the source's schema, done on the target in its place among the rows, in their transaction.
 *
 * ddl_sql.c has by which SQL that is. The columns of tables are then seen to by change_schema in any case, which
 * compares them with the source's. ddl_missing.c and ddl_tables.c have what follows for rows and for the checkpoint.
 *
 * Rows hang on tables, columns and types alone. So a command about something that the target never had (an index, a
 * view, a role) is not what ends a pipeline: it is put into the list of what was left out (pgconvoy.ddl_skipped), and
 * said.
 */
#include "sink/postgres/ddl_internal.h"
#include "sink/postgres/ddl_keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What an error means for a command. */
typedef enum meaning { DONE_ALREADY, NOT_THERE, REFUSED } meaning;

static meaning meaning_of(const char *sqlstate)
{
    static const char *const there[] = {"42P07", "42701", "42710", "42723", "42P06", "42P16"};
    static const char *const missing[] = {"42P01", "42703", "42704", "42883", "3F000"};
    for (size_t i = 0; i < sizeof there / sizeof *there; i++)
        if (strcmp(sqlstate, there[i]) == 0)
            return DONE_ALREADY;
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++)
        if (strcmp(sqlstate, missing[i]) == 0)
            return NOT_THERE;
    return REFUSED;
}

/* ---- doing it */

/* search_path and the others that a command's meaning hangs on, for the transaction. */
static void settings_sql(const pgconvoy_ddl *ddl, pgc_buffer *sql)
{
    pgc_buffer_text(sql, "SET LOCAL check_function_bodies = off; SELECT pg_catalog.set_config('search_path', ");
    pgc_quote_literal(sql, ddl->search_path ? ddl->search_path : "");
    pgc_buffer_text(sql, ", true)");
    for (size_t i = 0; ddl->settings && ddl->settings[i]; i += 2) {
        pgc_buffer_text(sql, ", pg_catalog.set_config(");
        pgc_quote_literal(sql, ddl->settings[i]);
        pgc_buffer_text(sql, ", ");
        pgc_quote_literal(sql, ddl->settings[i + 1]);
        pgc_buffer_text(sql, ", true)");
    }
}

/* The values that the session has, as the SELECT that brings them back. */
static int way_back_sql(PGconn *conn, const pgconvoy_ddl *ddl, pgc_buffer *sql, pgconvoy_error *err)
{
    pgc_buffer ask;
    pgc_buffer_init(&ask, 1 << 20);
    pgc_buffer_text(&ask, "SELECT 'search_path', pg_catalog.current_setting('search_path')");
    for (size_t i = 0; ddl->settings && ddl->settings[i]; i += 2) {
        pgc_buffer_text(&ask, " UNION ALL SELECT ");
        pgc_quote_literal(&ask, ddl->settings[i]);
        pgc_buffer_text(&ask, ", pg_catalog.current_setting(");
        pgc_quote_literal(&ask, ddl->settings[i]);
        pgc_buffer_byte(&ask, ')');
    }
    PGresult *result =
        pgc_buffer_check(&ask, err) == 0 ? pgc_pgsink_query(conn, ask.data, 0, NULL, PGSINK_DDL_DOING, err) : NULL;
    pgc_buffer_free(&ask);
    for (int row = 0; result && row < PQntuples(result); row++) {
        pgc_buffer_text(sql, row ? ", pg_catalog.set_config(" : "SELECT pg_catalog.set_config(");
        pgc_quote_literal(sql, PQgetvalue(result, row, 0));
        pgc_buffer_text(sql, ", ");
        pgc_quote_literal(sql, PQgetvalue(result, row, 1));
        pgc_buffer_text(sql, ", true)");
    }
    PQclear(result);
    return result ? pgc_buffer_check(sql, err) : -1;
}

/*
 * Schemas that the target lacks would make a name mean another thing: of the next schema in the search_path. So those
 * of what is made are made, and what a command has left must be there under its own name.
 */
static int make_schemas(PGconn *conn, const pgconvoy_ddl *ddl, pgconvoy_error *err)
{
    if (strncmp(ddl->tag, "CREATE SCHEMA", 13) == 0)
        return 0;
    for (size_t i = 0; i < ddl->object_count; i++)
        if (ddl->objects[i].schema && !ddl->objects[i].dropped &&
            pgc_pgsink_create_schema(conn, ddl->objects[i].schema, err) != 0)
            return -1;
    return 0;
}

static int check_names(PGconn *conn, const pgconvoy_ddl *ddl, pgconvoy_error *why)
{
    static const char *const named[] = {"table",         "table column", "view", "materialized view",
                                        "foreign table", "sequence"};
    for (size_t i = 0; i < ddl->object_count; i++) {
        const pgconvoy_ddl_object *object = &ddl->objects[i];
        bool checked = false;
        for (size_t n = 0; n < sizeof named / sizeof *named; n++)
            checked |= pgc_pgsink_ddl_is_a(object, named[n]);
        if (!checked || object->dropped || !object->schema || !object->name)
            continue;
        const char *values[] = {object->schema, object->name};
        PGresult *result = pgc_pgsink_query(
            conn, "SELECT pg_catalog.to_regclass(pg_catalog.format('%I.%I', $1::text, $2::text)) IS NOT NULL", 2,
            values, PGSINK_DDL_DOING, why);
        bool there = result && PQgetvalue(result, 0, 0)[0] == 't';
        PQclear(result);
        if (there)
            continue;
        if (result) {
            pgconvoy_error_set(why, PGCONVOY_ERROR_STATE, "%s %s.%s is not on the target", object->type, object->schema,
                               object->name);
            pgc_error_sqlstate(why, "42P01");
        }
        return -1;
    }
    return 0;
}

/* In the open transaction of conn, behind a savepoint. *done: nothing failed; otherwise why holds the reason, and
 * nothing was changed. */
static int attempt(PGconn *conn, const pgconvoy_ddl *ddl, const char *sql, bool *done, pgconvoy_error *why,
                   pgconvoy_error *err)
{
    pgc_buffer to, back;
    pgc_buffer_init(&to, 1 << 20);
    pgc_buffer_init(&back, 1 << 20);
    settings_sql(ddl, &to);
    int status = pgc_buffer_check(&to, err) != 0 || way_back_sql(conn, ddl, &back, err) != 0 ||
                         pgc_pgsink_execute(conn, "SAVEPOINT pgconvoy_ddl", PGSINK_DDL_DOING, err) != 0
                     ? -1
                     : 0;
    if (status == 0) {
        *done = pgc_pgsink_execute(conn, to.data, PGSINK_DDL_DOING, why) == 0 &&
                pgc_pgsink_execute(conn, sql, PGSINK_DDL_DOING, why) == 0 && check_names(conn, ddl, why) == 0;
        if (*done)
            status = pgc_pgsink_execute(conn, back.data, PGSINK_DDL_DOING, err) ||
                     pgc_pgsink_execute(conn, "RELEASE SAVEPOINT pgconvoy_ddl", PGSINK_DDL_DOING, err);
        else if (PQstatus(conn) != CONNECTION_OK || why->retriable)
            pgc_error_copy(err, why), status = -1;
        else
            status = pgc_pgsink_execute(conn, "ROLLBACK TO SAVEPOINT pgconvoy_ddl; RELEASE SAVEPOINT pgconvoy_ddl",
                                        PGSINK_DDL_DOING, err);
    }
    pgc_buffer_free(&to);
    pgc_buffer_free(&back);
    return status != 0 ? -1 : 0;
}

/* ---- what was left out */

int pgc_pgsink_ddl_skip(pgc_pgsink *sink, PGconn *conn, const pgconvoy_ddl *ddl, const char *reason,
                        pgconvoy_error *err)
{
    static const char make[] = "CREATE TABLE IF NOT EXISTS pgconvoy.ddl_skipped (pipeline text NOT NULL, skipped_at "
                               "timestamptz NOT NULL DEFAULT clock_timestamp(), "
                               "tag text NOT NULL, object text, command text, reason text NOT NULL)";
    const char *object = ddl->object_count > 0 ? ddl->objects[0].identity : NULL;
    if (sink->config->tell) {
        pgc_pgsink_tell(sink, "-- nothing, it would be left out and listed in pgconvoy.ddl_skipped:");
        pgc_pgsink_tell(sink, reason);
        return 0;
    }
    pgc_log_warning(sink->config->log, "left out: %s %s (%s); pgconvoy.ddl_skipped on the target has the command",
                    ddl->tag, object ? object : "", reason);
    if (pgc_pgsink_create_schema(conn, "pgconvoy", err) != 0 ||
        pgc_pgsink_execute(conn, make, PGSINK_DDL_DOING, err) != 0)
        return -1;
    const char *values[] = {sink->config->pipeline_name, ddl->tag, object, ddl->command, reason};
    PGresult *result = pgc_pgsink_query(conn,
                                        "WITH added AS (INSERT INTO pgconvoy.ddl_skipped (pipeline, tag, object, "
                                        "command, reason) VALUES ($1, $2, $3, $4, $5)) "
                                        "SELECT count(*) + 1 FROM pgconvoy.ddl_skipped WHERE pipeline = $1",
                                        5, values, PGSINK_DDL_DOING, err);
    if (result)
        pgc_pgsink_ddl_write_count(sink->config->state_dir, PQgetvalue(result, 0, 0));
    PQclear(result);
    return result ? 0 : -1;
}

static int refuse(const pgconvoy_ddl *ddl, const pgconvoy_error *why, pgconvoy_error *err)
{
    const char *object = ddl->object_count > 0 ? ddl->objects[0].identity : NULL;
    pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "%s %s cannot be carried over to the target: %.300s (%.300s)",
                       ddl->tag, object ? object : "", why->message,
                       ddl->command ? ddl->command : "the command's text is not known");
    pgc_error_sqlstate(err, why->sqlstate);
    pgconvoy_error_hint(err,
                        "make the same change on the target by hand and run again, or leave it out with --ddl=skip");
    return -1;
}

/* A label whose old name is gone was renamed by hand; where both names are there, rows keep the old one. */
static meaning meaning_of_renamed_label(const char *sqlstate)
{
    return strcmp(sqlstate, "22023") == 0 ? DONE_ALREADY : strcmp(sqlstate, "42710") == 0 ? REFUSED : meaning_of(sqlstate);
}

/* The command failed: whether that matters. */
static int judge(pgc_pgsink_writer *writer, const pgconvoy_ddl *ddl, const pgconvoy_error *why, pgconvoy_error *err)
{
    pgc_pgsink *sink = writer->sink;
    bool renames_label = strcmp(ddl->tag, "ALTER TYPE") == 0 && pgc_pgsink_ddl_has(ddl, "RENAME") && pgc_pgsink_ddl_has(ddl, "VALUE");
    meaning meaning = renames_label ? meaning_of_renamed_label(why->sqlstate) : meaning_of(why->sqlstate);
    if (meaning == DONE_ALREADY) {
        pgc_log_info(sink->config->log, "%s: it is so on the target already (%s)", ddl->tag, why->message);
        return 0;
    }
    if (meaning == NOT_THERE && strcmp(ddl->tag, "REFRESH MATERIALIZED VIEW") == 0) {
        pgc_log_debug(sink->config->log, "%s: nothing is to be renewed on the target (%s)", ddl->tag, why->message);
        return 0;
    }
    if (meaning == REFUSED && !ddl->copied && !sink->config->ddl_skip)
        return refuse(ddl, why, err);
    return pgc_pgsink_ddl_skip(sink, writer->conn, ddl, why->message, err);
}

bool pgc_pgsink_ddl_has_followed(const pgc_pgsink_writer *writer, const pgconvoy_table *table)
{
    for (size_t i = 0; i < writer->followed_count; i++)
        if (writer->followed[i] == table)
            return true;
    return false;
}

/* ---- the sink's operation */

/* Rows and statements from before are applied and forgotten: the connection is for plain calls. */
static int settle(pgc_pgsink_writer *writer, pgconvoy_error *err)
{
    if (pgc_pgsink_gather_flush(writer, err) != 0 || pgc_pgsink_apply_flush(writer, err) != 0 ||
        pgc_pgsink_land(writer, err) != 0 ||
        pgc_pgsink_execute(writer->conn, "DEALLOCATE ALL", "forgetting statements on the target", err) != 0)
        return -1;
    pgc_pgsink_targets_clear(writer);
    pgc_pgsink_gather_clear(writer->gather);
    return 0;
}

static int remember_followed(pgc_pgsink_writer *writer, const pgconvoy_ddl *ddl, pgconvoy_error *err)
{
    if (ddl->table_count == 0)
        return 0;
    const pgconvoy_table **grown = realloc(writer->followed, ddl->table_count * sizeof(pgconvoy_table *));
    if (!grown)
        return pgc_error_out_of_memory(err);
    memcpy(grown, ddl->tables, ddl->table_count * sizeof(pgconvoy_table *));
    writer->followed = grown;
    writer->followed_count = ddl->table_count;
    return 0;
}

/*
 * A foreign key whose rows are not all there: those of the other table come with its copy, which is later in the stream (a migration makes a table, fills it,
 * and has one that was there refer to it). The source has checked it; here it is made without a check, which follows once they are there.
 */
static int attempt_unchecked(pgc_pgsink_writer *writer, const pgconvoy_ddl *ddl, bool *done, pgconvoy_error *why, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, (size_t)1 << 30);
    if (!pgc_pgsink_ddl_without_check(ddl, &sql)) {
        pgc_buffer_free(&sql);
        return 0;
    }
    pgconvoy_error again = {0};
    PGresult *before = pgc_pgsink_ddl_unchecked_keys(writer->conn, ddl, err);
    int status = !before || pgc_buffer_check(&sql, err) != 0 || attempt(writer->conn, ddl, sql.data, done, &again, err) != 0 ? -1 : 0;
    if (status == 0 && *done)
        status = pgc_pgsink_ddl_list_unchecked(writer, ddl, before, err);
    if (status == 0 && !*done)
        pgc_error_copy(why, &again);
    PQclear(before);
    pgc_buffer_free(&sql);
    return status;
}

static int carry_out(pgc_pgsink_writer *writer, const pgconvoy_ddl *ddl, const char *sql, pgconvoy_error *err)
{
    pgconvoy_error why = {0};
    pgc_pgsink_relation *before;
    pgc_arena *arena = pgc_arena_new(16384);
    bool done = false;
    PGresult *names = NULL;
    if (!arena)
        return pgc_error_out_of_memory(err);
    int status = pgc_pgsink_ddl_look_before(writer->conn, ddl, arena, &before, err) ||
                         make_schemas(writer->conn, ddl, err) ||
                         pgc_pgsink_ddl_look_at_names(writer->sink, writer->conn, ddl, &names, err)
                     ? -1
                     : 0;
    /* also a new label: rows with it come after the source's commit, at which this transaction is committed, too */
    if (status == 0)
        status = attempt(writer->conn, ddl, sql, &done, &why, err);
    if (status == 0 && !done && strcmp(why.sqlstate, PGC_ERROR_FOREIGN_KEY) == 0)
        status = attempt_unchecked(writer, ddl, &done, &why, err);
    if (status == 0 && !done)
        status = judge(writer, ddl, &why, err);
    if (status == 0 && done)
        pgc_pgsink_tell(writer->sink, sql);
    if (status == 0 && done)
        status = pgc_pgsink_ddl_give_missing(writer->conn, ddl, before, err) ||
                 pgc_pgsink_ddl_note_tables(writer->sink, writer->conn, ddl, names, arena, err) ||
                 remember_followed(writer, ddl, err);
    PQclear(names);
    pgc_arena_free(arena);
    return status ? -1 : 0;
}

int pgc_pgsink_apply_ddl(void *state, const pgconvoy_ddl *ddl, pgconvoy_error *err)
{
    pgc_pgsink_writer *writer = state;
    writer->followed_count = 0;
    if (!pgc_pgsink_ddl_is_carried(ddl)) {
        pgc_log_debug(writer->sink->config->log, "%s is not carried over: %s", ddl->tag,
                      ddl->command ? ddl->command : "");
        return 0;
    }
    pgc_buffer sql;
    pgc_buffer_init(&sql, (size_t)1 << 30);
    pgc_pgsink_ddl_compose(ddl, &sql);
    int status = pgc_buffer_check(&sql, err) != 0 ? -1 : settle(writer, err);
    if (status == 0 && sql.length > 0) {
        status = carry_out(writer, ddl, sql.data, err);
    } else if (status == 0 && ddl->table_count == 0 && ddl->recopied_count == 0) {
        pgconvoy_error why = {0};
        pgconvoy_error_set(&why, PGCONVOY_ERROR_STATE,
                           "the source does not tell the command's text, as it is not run by PL/pgSQL");
        status = judge(writer, ddl, &why, err);
    }
    pgc_buffer_free(&sql);
    return status;
}
