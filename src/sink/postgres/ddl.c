/*
 * A command that changed the source's schema, done on the target in its place among the rows, in their transaction.
 *
 * The text is done where it is known, with the source's search_path and settings of that moment: it says all that there
 * is to be said. What was dropped is dropped by name, as a text may mean a temporary table. Where the text is not
 * known, what the source's catalog gives as definition is. The columns of tables are then seen to by change_schema in
 * any case, which compares them with the source's.
 *
 * Rows hang on tables, columns and types alone. So a command about something that the target never had (an index, a
 * view, a role) is not what ends a pipeline: it is put into the list of what was left out (pgconvoy.ddl_skipped), and
 * said.
 */
#include "sink/postgres/ddl.h"
#include "apply/sql_text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum way { BY_TEXT, BY_NAME, BY_DEFINITION, NOT_AT_ALL } way;

/* By the beginning of a tag; the first that fits. Privileges and owners are of the roles of a server. */
static const struct {
    const char *tag;
    way way;
} ways[] = {
    {"GRANT", NOT_AT_ALL},
    {"REVOKE", NOT_AT_ALL},
    {"ALTER DEFAULT PRIVILEGES", NOT_AT_ALL},
    {"REASSIGN", NOT_AT_ALL},
    {"SECURITY LABEL", NOT_AT_ALL},
    {"REINDEX", NOT_AT_ALL},
    {"CREATE TABLE AS", BY_DEFINITION},
    {"SELECT INTO", BY_DEFINITION},
    {"DROP ", BY_NAME},
    {"", BY_TEXT},
};

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

static bool is_a(const pgconvoy_ddl_object *object, const char *type)
{
    return strcmp(object->type, type) == 0;
}

static bool has(const pgconvoy_ddl *ddl, const char *word)
{
    return ddl->command && pgc_sql_has_word(ddl->command, strlen(ddl->command), word);
}

static way way_of(const pgconvoy_ddl *ddl)
{
    size_t i = 0;
    while (strncmp(ddl->tag, ways[i].tag, strlen(ways[i].tag)) != 0)
        i++;
    if (ways[i].way != BY_TEXT)
        return ways[i].way;
    if (has(ddl, "OWNER") && !strchr(ddl->command, ','))
        return NOT_AT_ALL;
    return ddl->command ? BY_TEXT : BY_DEFINITION;
}

/* ---- the SQL */

/* DROP TABLE IF EXISTS "s"."t"; … */
static void drops(const pgconvoy_ddl *ddl, pgc_buffer *sql)
{
    for (size_t i = 0; i < ddl->object_count; i++) {
        const pgconvoy_ddl_object *object = &ddl->objects[i];
        if (!object->original)
            continue;
        pgc_buffer_text(sql, "DROP ");
        if (is_a(object, "statistics object"))
            pgc_buffer_text(sql, "STATISTICS");
        else
            for (const char *c = object->type; *c; c++)
                pgc_buffer_byte(sql, (char)(*c == '-' ? ' ' : toupper((unsigned char)*c)));
        pgc_buffer_format(sql, " IF EXISTS %s%s; ", object->identity, has(ddl, "CASCADE") ? " CASCADE" : "");
    }
}

/* Of an ALTER only constraints: its other objects are there already. */
static void definitions(const pgconvoy_ddl *ddl, pgc_buffer *sql)
{
    bool makes = strncmp(ddl->tag, "ALTER", 5) != 0;
    for (size_t i = 0; i < ddl->object_count; i++) {
        const pgconvoy_ddl_object *object = &ddl->objects[i];
        if (object->definition && (makes || is_a(object, "table constraint")))
            pgc_buffer_format(sql, "%s; ", object->definition);
    }
}

static void compose(const pgconvoy_ddl *ddl, way way, pgc_buffer *sql)
{
    if (way == BY_NAME)
        drops(ddl, sql);
    else if (way == BY_DEFINITION)
        definitions(ddl, sql);
    else /* all is one transaction here, in which nothing is done concurrently */
        pgc_sql_without_word(ddl->command, strlen(ddl->command), "CONCURRENTLY", sql);
}

/* ---- doing it */

static const char doing[] = "following a command of the source on the target";

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
    PGresult *result = pgc_buffer_check(&ask, err) == 0 ? pgc_pgsink_query(conn, ask.data, 0, NULL, doing, err) : NULL;
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
            checked |= is_a(object, named[n]);
        if (!checked || object->dropped || !object->schema || !object->name)
            continue;
        const char *values[] = {object->schema, object->name};
        PGresult *result = pgc_pgsink_query(
            conn, "SELECT pg_catalog.to_regclass(pg_catalog.format('%I.%I', $1::text, $2::text)) IS NOT NULL", 2,
            values, doing, why);
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
                         pgc_pgsink_execute(conn, "SAVEPOINT pgconvoy_ddl", doing, err) != 0
                     ? -1
                     : 0;
    if (status == 0) {
        *done = pgc_pgsink_execute(conn, to.data, doing, why) == 0 && pgc_pgsink_execute(conn, sql, doing, why) == 0 &&
                check_names(conn, ddl, why) == 0;
        if (*done)
            status = pgc_pgsink_execute(conn, back.data, doing, err) ||
                     pgc_pgsink_execute(conn, "RELEASE SAVEPOINT pgconvoy_ddl", doing, err);
        else if (PQstatus(conn) != CONNECTION_OK || why->retriable)
            pgc_error_copy(err, why), status = -1;
        else
            status = pgc_pgsink_execute(conn, "ROLLBACK TO SAVEPOINT pgconvoy_ddl; RELEASE SAVEPOINT pgconvoy_ddl",
                                        doing, err);
    }
    pgc_buffer_free(&to);
    pgc_buffer_free(&back);
    return status != 0 ? -1 : 0;
}

/* A label is usable once its own transaction is over, and rows with it may come in this one. */
static int add_label(pgc_pgsink *sink, const pgconvoy_ddl *ddl, const char *sql, bool *done, pgconvoy_error *why,
                     pgconvoy_error *err)
{
    PGconn *conn = pgc_pgsink_borrow(sink, err);
    int status = !conn || pgc_pgsink_begin(conn, err) != 0 ? -1 : attempt(conn, ddl, sql, done, why, err);
    if (status == 0 && *done)
        status = pgc_pgsink_execute(conn, "COMMIT", doing, err);
    pgc_pgsink_give_back(sink, conn);
    return status;
}

/* ---- what was left out */

/* For `status` only: what cannot be written is not missed. */
static void write_count(const pgc_pgsink *sink, const char *count)
{
    char path[4096];
    if (!sink->config->state_dir ||
        snprintf(path, sizeof path, "%s/ddl.json", sink->config->state_dir) >= (int)sizeof path)
        return;
    FILE *file = fopen(path, "we");
    if (!file)
        return;
    fprintf(file, "{\"skipped\":%s}\n", count);
    fclose(file);
}

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
    if (pgc_pgsink_create_schema(conn, "pgconvoy", err) != 0 || pgc_pgsink_execute(conn, make, doing, err) != 0)
        return -1;
    const char *values[] = {sink->config->pipeline_name, ddl->tag, object, ddl->command, reason};
    PGresult *result = pgc_pgsink_query(conn,
                                        "WITH added AS (INSERT INTO pgconvoy.ddl_skipped (pipeline, tag, object, "
                                        "command, reason) VALUES ($1, $2, $3, $4, $5)) "
                                        "SELECT count(*) + 1 FROM pgconvoy.ddl_skipped WHERE pipeline = $1",
                                        5, values, doing, err);
    if (result)
        write_count(sink, PQgetvalue(result, 0, 0));
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

/* The command failed: whether that matters. */
static int judge(pgc_pgsink_writer *writer, const pgconvoy_ddl *ddl, const pgconvoy_error *why, pgconvoy_error *err)
{
    pgc_pgsink *sink = writer->sink;
    meaning meaning = meaning_of(why->sqlstate);
    if (meaning == DONE_ALREADY) {
        pgc_log_info(sink->config->log, "%s: it is so on the target already (%s)", ddl->tag, why->message);
        return 0;
    }
    if (meaning == REFUSED && !ddl->copied && !sink->config->ddl_skip)
        return refuse(ddl, why, err);
    return pgc_pgsink_ddl_skip(sink, writer->conn, ddl, why->message, err);
}

/* ---- what follows for the checkpoint */

static int register_made(pgc_pgsink *sink, PGconn *conn, const pgconvoy_ddl_object *object, pgconvoy_error *err)
{
    const char *values[] = {object->identity};
    PGresult *result = pgc_pgsink_query(conn,
                                        "SELECT 1 FROM pg_catalog.pg_class WHERE oid = pg_catalog.to_regclass($1) AND "
                                        "relkind IN ('r', 'p') AND NOT relispartition",
                                        1, values, doing, err);
    if (!result)
        return -1;
    bool of_its_own = PQntuples(result) == 1;
    PQclear(result);
    pgconvoy_table_status waiting = {object->schema, object->name, PGCONVOY_TABLE_WAITING, 0};
    return of_its_own ? pgc_pgsink_checkpoint_tables(sink, conn, &waiting, 1, PGSINK_CONTENT_FOLLOWED, err) : 0;
}

/* The name behind DETACH PARTITION, as it was written. */
static void name_of_detached(const pgconvoy_ddl *ddl, pgc_buffer *name)
{
    const char *at = ddl->command, *end = at + strlen(at);
    bool behind = false;
    for (pgc_sql_token token; (token = pgc_sql_next_token(&at, end)).kind != PGC_SQL_END;) {
        if (behind && (pgc_sql_token_is(&token, "CONCURRENTLY") || pgc_sql_token_is(&token, "FINALIZE")))
            break;
        if (behind)
            pgc_buffer_append(name, token.start, token.length);
        behind = behind || pgc_sql_token_is(&token, "PARTITION");
    }
}

/* A partition that is one no more is a table of its own, here as at the source. */
static int register_detached(pgc_pgsink *sink, PGconn *conn, const pgconvoy_ddl *ddl, pgconvoy_error *err)
{
    static const char sql[] = "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n "
                              "ON n.oid = c.relnamespace "
                              "WHERE c.oid = pg_catalog.to_regclass($1)";
    if (!has(ddl, "DETACH"))
        return 0;
    pgc_buffer name;
    pgc_buffer_init(&name, 4096);
    name_of_detached(ddl, &name);
    const char *values[] = {name.data}, *path[] = {ddl->search_path ? ddl->search_path : ""};
    PGresult *set =
        pgc_buffer_check(&name, err) == 0
            ? pgc_pgsink_query(conn, "SELECT pg_catalog.set_config('search_path', $1, true)", 1, path, doing, err)
            : NULL;
    PGresult *result = set ? pgc_pgsink_query(conn, sql, 1, values, doing, err) : NULL;
    int status = result ? pgc_pgsink_execute(conn, "SET LOCAL search_path = pg_catalog", doing, err) : -1;
    if (status == 0 && PQntuples(result) == 1) {
        pgconvoy_table_status waiting = {PQgetvalue(result, 0, 0), PQgetvalue(result, 0, 1), PGCONVOY_TABLE_WAITING, 0};
        status = pgc_pgsink_checkpoint_tables(sink, conn, &waiting, 1, PGSINK_CONTENT_FOLLOWED, err);
    }
    PQclear(set);
    PQclear(result);
    pgc_buffer_free(&name);
    return status;
}

static int forget_dropped(pgc_pgsink *sink, PGconn *conn, const pgconvoy_ddl_object *object, pgconvoy_error *err)
{
    const char *values[] = {sink->config->pipeline_name, object->schema, object->name};
    PGresult *result = pgc_pgsink_query(
        conn, "DELETE FROM pgconvoy.table_state WHERE pipeline = $1 AND schema_name = $2 AND table_name = $3", 3,
        values, doing, err);
    PQclear(result);
    return result ? 0 : -1;
}

static int note_tables(pgc_pgsink *sink, PGconn *conn, const pgconvoy_ddl *ddl, pgconvoy_error *err)
{
    bool makes = strncmp(ddl->tag, "CREATE TABLE", 12) == 0 || strcmp(ddl->tag, "SELECT INTO") == 0 ||
                 strncmp(ddl->tag, "CREATE SCHEMA", 13) == 0;
    for (size_t i = 0; i < ddl->object_count; i++) {
        const pgconvoy_ddl_object *object = &ddl->objects[i];
        if (!is_a(object, "table") || !object->schema || !object->name)
            continue;
        if (object->dropped ? forget_dropped(sink, conn, object, err) : makes && register_made(sink, conn, object, err))
            return -1;
    }
    return 0;
}

/* The tables of the checkpoint with their oids, before a command that may give them other names. NULL: it does not. */
__attribute__((unused)) static int look_at_names(pgc_pgsink *sink, PGconn *conn, const pgconvoy_ddl *ddl,
                                                 PGresult **names, pgconvoy_error *err)
{
    static const char sql[] =
        "SELECT array_agg(schema_name), array_agg(table_name), "
        "array_agg(pg_catalog.to_regclass(pg_catalog.format('%I.%I', schema_name, table_name))::oid) "
        "FROM pgconvoy.table_state WHERE pipeline = $1";
    const char *values[] = {sink->config->pipeline_name};
    *names = NULL;
    if (!has(ddl, "RENAME") && !(has(ddl, "SET") && has(ddl, "SCHEMA")))
        return 0;
    *names = pgc_pgsink_query(conn, sql, 1, values, doing, err);
    return *names ? 0 : -1;
}

__attribute__((unused)) static int follow_names(pgc_pgsink *sink, PGconn *conn, const PGresult *names,
                                                pgconvoy_error *err)
{
    static const char sql[] =
        "UPDATE pgconvoy.table_state s SET schema_name = n.nspname, table_name = c.relname "
        "FROM unnest($2::text[], $3::text[], $4::oid[]) o (schema_name, table_name, oid) "
        "JOIN pg_catalog.pg_class c ON c.oid = o.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
        "WHERE s.pipeline = $1 AND (s.schema_name, s.table_name) = (o.schema_name, o.table_name) AND "
        "(n.nspname, c.relname) IS DISTINCT FROM (s.schema_name::name, s.table_name::name)";
    if (!names || PQgetisnull(names, 0, 0))
        return 0;
    const char *values[] = {sink->config->pipeline_name, PQgetvalue(names, 0, 0), PQgetvalue(names, 0, 1),
                            PQgetvalue(names, 0, 2)};
    PGresult *result = pgc_pgsink_query(conn, sql, 4, values, doing, err);
    PQclear(result);
    return result ? 0 : -1;
}

/* Generated columns are not sent, and not among the source's here. */
static bool is_as_source(const pgc_pgsink_relation *relation, const pgconvoy_table *table)
{
    int generated = 0;
    for (int i = 0; i < relation->column_count; i++)
        generated += relation->columns[i].generated;
    for (int i = 0; i < table->column_count; i++) {
        const pgc_pgsink_column *column = pgc_pgsink_relation_find(relation, table->columns[i].name);
        if (!column || pgc_pgsink_column_fit(&table->columns[i], column) != PGSINK_FIT_SAME)
            return false;
        generated -= column->generated;
    }
    return relation->column_count == table->column_count + generated;
}

/* A table that is as the source's may be brought to whatever the source's is when it is copied anew. */
static int note_recopied(pgc_pgsink *sink, PGconn *conn, const pgconvoy_ddl *ddl, pgc_arena *arena, pgconvoy_error *err)
{
    for (size_t i = 0; i < ddl->table_count; i++) {
        const pgconvoy_table *table = ddl->tables[i];
        pgc_pgsink_relation relation;
        bool recopied = false;
        for (size_t r = 0; r < ddl->recopied_count; r++)
            recopied |= ddl->recopied[r] == table->oid;
        if (!recopied)
            continue;
        if (pgc_pgsink_relation_load(conn, table->schema, table->name, arena, &relation, err) != 0)
            return -1;
        pgconvoy_table_status waiting = {table->schema, table->name, PGCONVOY_TABLE_WAITING, 0};
        if (is_as_source(&relation, table) &&
            pgc_pgsink_checkpoint_tables(sink, conn, &waiting, 1, PGSINK_CONTENT_FOLLOWED, err) != 0)
            return -1;
    }
    return 0;
}

/* ---- what rows from before have in new columns */

typedef struct before {
    pgc_arena *arena;
    pgc_pgsink_relation *relations; /* one for each of ddl->tables */
} before;

static int look_before(PGconn *conn, const pgconvoy_ddl *ddl, before *before, pgconvoy_error *err)
{
    before->arena = pgc_arena_new(16384);
    before->relations =
        before->arena ? pgc_arena_zalloc(before->arena, (ddl->table_count + 1) * sizeof *before->relations) : NULL;
    if (!before->relations)
        return pgc_error_out_of_memory(err);
    for (size_t i = 0; i < ddl->table_count && has(ddl, "ADD"); i++)
        if (pgc_pgsink_relation_load(conn, ddl->tables[i]->schema, ddl->tables[i]->name, before->arena,
                                     &before->relations[i], err) != 0)
            return -1;
    return 0;
}

/* A default like now() gave the rows another value here than at the source. */
static int set_missing(PGconn *conn, const pgconvoy_table *table, const pgconvoy_column *column, pgconvoy_error *err)
{
    static const char same_sql[] = "SELECT count(*) FROM pg_catalog.pg_attribute a WHERE a.attname = $2 AND a.attrelid "
                                   "IN (SELECT pg_catalog.to_regclass($1) UNION "
                                   "SELECT relid FROM pg_catalog.pg_partition_tree(pg_catalog.to_regclass($1)) WHERE "
                                   "isleaf) AND a.atthasmissing AND "
                                   "(a.attmissingval::text::text[])[1] = $3";
    pgc_buffer name, sql;
    pgc_buffer_init(&name, 65536);
    pgc_buffer_init(&sql, PGSINK_SQL_LIMIT);
    pgc_quote_qualified(&name, table->schema, table->name);
    const char *values[] = {name.data, column->name, column->missing};
    PGresult *result =
        pgc_buffer_check(&name, err) == 0 ? pgc_pgsink_query(conn, same_sql, 3, values, doing, err) : NULL;
    int status = result ? 0 : -1;
    if (result && PQgetvalue(result, 0, 0)[0] == '0') {
        pgc_buffer_format(&sql, "UPDATE %s SET ", name.data);
        pgc_quote_identifier(&sql, column->name);
        pgc_buffer_text(&sql, " = ");
        pgc_quote_literal(&sql, column->missing);
        pgc_buffer_format(&sql, "::%s", column->type_sql);
        status = pgc_pgsink_execute_buffer(conn, &sql, doing, err);
    }
    PQclear(result);
    pgc_buffer_free(&name);
    pgc_buffer_free(&sql);
    return status;
}

static int give_missing(PGconn *conn, const pgconvoy_ddl *ddl, const before *before, pgconvoy_error *err)
{
    for (size_t i = 0; i < ddl->table_count; i++) {
        const pgconvoy_table *table = ddl->tables[i];
        for (int c = 0; c < table->column_count && before->relations[i].oid; c++)
            if (table->columns[c].missing && !pgc_pgsink_relation_find(&before->relations[i], table->columns[c].name) &&
                set_missing(conn, table, &table->columns[c], err) != 0)
                return -1;
    }
    return 0;
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

static bool is_one_of(const pgc_sql_token *token, const char *const *words)
{
    for (; *words; words++)
        if (pgc_sql_token_is(token, *words))
            return true;
    return false;
}

/* ADD and DROP of columns, whose word may be left out. */
static bool adds_or_drops_columns(const pgconvoy_ddl *ddl)
{
    static const char *const added[] = {"CONSTRAINT", "PRIMARY", "UNIQUE", "FOREIGN", "CHECK", "EXCLUDE", "GENERATED", NULL};
    static const char *const dropped[] = {"CONSTRAINT", "DEFAULT", "NOT", "IDENTITY", "EXPRESSION", NULL};
    const char *at = ddl->command, *end = at + strlen(at);
    pgc_sql_token before = {0};
    for (pgc_sql_token token; (token = pgc_sql_next_token(&at, end)).kind != PGC_SQL_END; before = token)
        if ((pgc_sql_token_is(&before, "ADD") && !is_one_of(&token, added)) ||
            (pgc_sql_token_is(&before, "DROP") && !is_one_of(&token, dropped)))
            return true;
    return false;
}

/*
 * A command that is older than the copy of its table would change its rows once more, or take columns away that it means
 * by a name which others have since.
 */
static bool would_change_twice(const pgconvoy_ddl *ddl)
{
    return ddl->copied && (!ddl->command || (strcmp(ddl->tag, "ALTER TABLE") == 0 &&
                                             (has(ddl, "TYPE") || has(ddl, "RENAME") || has(ddl, "USING") ||
                                              adds_or_drops_columns(ddl))));
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

static int carry_out(pgc_pgsink_writer *writer, const pgconvoy_ddl *ddl, const char *sql, pgconvoy_error *err)
{
    pgconvoy_error why = {0};
    before before = {0};
    bool done = false, label = strcmp(ddl->tag, "ALTER TYPE") == 0 && has(ddl, "ADD") && has(ddl, "VALUE");
    PGresult *names = NULL;
    int status = look_before(writer->conn, ddl, &before, err) || make_schemas(writer->conn, ddl, err) ||
                         look_at_names(writer->sink, writer->conn, ddl, &names, err)
                     ? -1
                     : 0;
    if (status == 0 && label && !writer->sink->config->tell)
        status = add_label(writer->sink, ddl, sql, &done, &why, err);
    if (status == 0 && !done && !(label && meaning_of(why.sqlstate) == DONE_ALREADY))
        status = attempt(writer->conn, ddl, sql, &done, &why, err);
    if (status == 0 && !done)
        status = judge(writer, ddl, &why, err);
    if (status == 0 && done)
        pgc_pgsink_tell(writer->sink, sql);
    if (status == 0 && done)
        status =
            give_missing(writer->conn, ddl, &before, err) || register_detached(writer->sink, writer->conn, ddl, err) ||
            note_tables(writer->sink, writer->conn, ddl, err) || follow_names(writer->sink, writer->conn, names, err) ||
            note_recopied(writer->sink, writer->conn, ddl, before.arena, err) || remember_followed(writer, ddl, err);
    PQclear(names);
    if (before.arena)
        pgc_arena_free(before.arena);
    return status ? -1 : 0;
}

int pgc_pgsink_apply_ddl(void *state, const pgconvoy_ddl *ddl, pgconvoy_error *err)
{
    pgc_pgsink_writer *writer = state;
    way way = way_of(ddl);
    writer->followed_count = 0;
    if (way == NOT_AT_ALL || would_change_twice(ddl)) {
        pgc_log_debug(writer->sink->config->log, "%s is not carried over: %s", ddl->tag,
                      ddl->command ? ddl->command : "");
        return 0;
    }
    pgc_buffer sql;
    pgc_buffer_init(&sql, (size_t)1 << 30);
    compose(ddl, way, &sql);
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
