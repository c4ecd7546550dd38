/*
 * Tables on the target: whether they can be received, making them, and what is left for the end of their copy. Each is
 * one transaction, with the state of the table inside it, so that a crash finds the table either as it was or as it
 * should be.
 */
#include "sink/postgres/types.h"
#include "postgres/quote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int pgc_pgsink_create_schema(PGconn *conn, const char *schema, pgconvoy_error *err)
{
    /* asked first: CREATE SCHEMA IF NOT EXISTS wants the privilege even where there is nothing to do */
    const char *values[] = {schema};
    PGresult *result = pgc_pgsink_query(conn, "SELECT 1 FROM pg_namespace WHERE nspname = $1", 1, values,
                                        "looking for a schema on the target", err);
    if (!result)
        return -1;
    bool found = PQntuples(result) == 1;
    PQclear(result);
    if (found)
        return 0;
    char doing[160];
    snprintf(doing, sizeof doing, "creating schema %.100s on the target", schema);
    pgc_buffer sql;
    pgc_buffer_init(&sql, 4096);
    pgc_buffer_text(&sql, "CREATE SCHEMA IF NOT EXISTS ");
    pgc_quote_identifier(&sql, schema);
    int status = pgc_pgsink_execute_buffer(conn, &sql, doing, err);
    pgc_buffer_free(&sql);
    return status;
}

/* ---- check */

static int check_types(pgc_pgsink *sink, PGconn *conn, const pgconvoy_table *table, pgconvoy_error *err)
{
    for (int i = 0; i < table->column_count; i++) {
        char what[300];
        snprintf(what, sizeof what, "column \"%s\" of %s.%s", table->columns[i].name, table->schema, table->name);
        if (pgc_pgsink_type_check(sink, conn, table->columns[i].type, what, err) != 0)
            return -1;
    }
    return 0;
}

static int check_kind(const pgc_pgsink_relation *relation, const pgconvoy_table *table, pgconvoy_error *err)
{
    if (relation->kind == 'r' || relation->kind == 'p')
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "%s.%s on the target is not a table", table->schema, table->name);
    pgconvoy_error_hint(err, "rename or drop what has this name on the target, or leave the table out");
    return -1;
}

static int check_may_create(PGconn *conn, const pgconvoy_table *table, pgconvoy_error *err)
{
    const char *values[] = {table->schema};
    PGresult *result = pgc_pgsink_query(
        conn,
        "SELECT coalesce((SELECT has_schema_privilege(oid, 'CREATE') FROM pg_namespace WHERE nspname = $1),"
        " has_database_privilege(current_database(), 'CREATE')), quote_ident(current_user)",
        1, values, "looking at privileges on the target", err);
    if (!result)
        return -1;
    int status = 0;
    if (PQgetvalue(result, 0, 0)[0] != 't') {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG,
                           "table %s.%s cannot be created on the target: no CREATE privilege on schema %s",
                           table->schema, table->name, table->schema);
        char schema[PGC_QUOTED_NAME_SIZE], role[PGC_QUOTED_NAME_SIZE];
        pgconvoy_error_hint(err, "on the target: GRANT USAGE, CREATE ON SCHEMA %s TO %s", pgc_quoted_name(NULL, table->schema, schema),
                            pgc_quoted_name(NULL, PQgetvalue(result, 0, 1), role));
        status = -1;
    }
    PQclear(result);
    return status;
}

static int in_the_way(const pgconvoy_table *table, pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG,
                       "table %s.%s is on the target already and was not made by this pipeline", table->schema,
                       table->name);
    pgconvoy_error_hint(err, "say what to do with it: --if-exists append, truncate or drop");
    return -1;
}

static int check_with(pgc_pgsink *sink, PGconn *conn, const pgconvoy_table *table, pgconvoy_if_exists if_exists,
                      pgc_arena *arena, pgconvoy_error *err)
{
    pgc_pgsink_relation relation;
    pgc_pgsink_content content;
    if (pgc_pgsink_relation_load(conn, table->schema, table->name, arena, &relation, err) != 0)
        return -1;
    if (relation.oid == 0)
        return check_may_create(conn, table, err) != 0 ? -1 : check_types(sink, conn, table, err);
    if (check_kind(&relation, table, err) != 0 ||
        pgc_pgsink_checkpoint_content(sink, conn, table->schema, table->name, &content, err) != 0)
        return -1;
    if (content == PGSINK_CONTENT_UNKNOWN && if_exists == PGCONVOY_IF_EXISTS_ERROR)
        return in_the_way(table, err);
    if (content == PGSINK_CONTENT_UNKNOWN && if_exists != PGCONVOY_IF_EXISTS_DROP &&
        pgc_pgsink_relation_check(sink, &relation, table, true, err) != 0)
        return -1;
    return check_types(sink, conn, table, err);
}

int pgc_pgsink_check_table(void *state, const pgconvoy_table *table, pgconvoy_if_exists if_exists, pgconvoy_error *err)
{
    pgc_pgsink *sink = state;
    PGconn *conn = pgc_pgsink_borrow(sink, err);
    pgc_arena *arena = conn ? pgc_arena_new(16384) : NULL;
    int status = -1;
    if (arena)
        status = pgc_pgsink_two_way_table(sink, table, err) != 0 ? -1 : check_with(sink, conn, table, if_exists, arena, err);
    else if (conn)
        status = pgc_error_out_of_memory(err);
    if (arena)
        pgc_arena_free(arena);
    pgc_pgsink_give_back(sink, conn);
    return status;
}

/* ---- prepare */

/* A statement on the table: verb "schema"."name" tail. */
static int on_table(PGconn *conn, const char *verb, const pgconvoy_table *table, const char *tail, pgconvoy_error *err)
{
    char doing[400];
    snprintf(doing, sizeof doing, "%s %s.%s on the target", verb, table->schema, table->name);
    pgc_buffer sql;
    pgc_buffer_init(&sql, 4096);
    pgc_buffer_text(&sql, verb);
    pgc_buffer_byte(&sql, ' ');
    pgc_quote_qualified(&sql, table->schema, table->name);
    pgc_buffer_text(&sql, tail);
    int status = pgc_pgsink_execute_buffer(conn, &sql, doing, err);
    pgc_buffer_free(&sql);
    return status;
}

static int create_table(pgc_pgsink *sink, PGconn *conn, const pgconvoy_table *table, pgconvoy_error *err)
{
    pgc_buffer sql;
    char doing[300];
    snprintf(doing, sizeof doing, "creating table %s.%s on the target", table->schema, table->name);
    pgc_buffer_init(&sql, PGSINK_SQL_LIMIT);
    pgc_buffer_text(&sql, "CREATE TABLE ");
    pgc_quote_qualified(&sql, table->schema, table->name);
    pgc_buffer_text(&sql, " (");
    int status = pgc_pgsink_create_schema(conn, table->schema, err);
    for (int i = 0; i < table->column_count && status == 0; i++) {
        const pgconvoy_column *column = &table->columns[i];
        char what[300];
        snprintf(what, sizeof what, "column \"%s\" of %s.%s", column->name, table->schema, table->name);
        status = pgc_pgsink_type_create(sink, conn, column->type, what, err);
        pgc_buffer_text(&sql, i ? ", " : "");
        pgc_quote_identifier(&sql, column->name);
        pgc_buffer_byte(&sql, ' ');
        pgc_buffer_text(&sql, column->type_sql);
        pgc_buffer_text(&sql, column->not_null ? " NOT NULL" : "");
    }
    pgc_buffer_byte(&sql, ')');
    if (status == 0)
        status = pgc_pgsink_execute_buffer(conn, &sql, doing, err);
    pgc_buffer_free(&sql);
    return status;
}

int pgc_pgsink_has_rows(PGconn *conn, const pgconvoy_table *table, bool *rows, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 4096);
    pgc_buffer_text(&sql, "SELECT EXISTS (SELECT FROM ");
    pgc_quote_qualified(&sql, table->schema, table->name);
    pgc_buffer_byte(&sql, ')');
    PGresult *result = NULL;
    if (pgc_buffer_check(&sql, err) == 0)
        result = pgc_pgsink_query(conn, sql.data, 0, NULL, "looking for rows on the target", err);
    pgc_buffer_free(&sql);
    if (!result)
        return -1;
    *rows = PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    return 0;
}

/* A table that a foreign key points to cannot be truncated, even when the other one is empty: its rows are deleted
 * then; so they are where the role may do that alone. */
static int empty_table(PGconn *conn, const pgconvoy_table *table, const pgc_pgsink_relation *relation,
                       pgconvoy_error *err)
{
    static const char doing[] = "emptying a table on the target";
    bool partitioned = relation->kind == 'p';
    if (pgc_pgsink_execute(conn, "SAVEPOINT pgconvoy", doing, err) != 0)
        return -1;
    if (on_table(conn, partitioned ? "TRUNCATE" : "TRUNCATE ONLY", table, "", err) == 0)
        return 0;
    if (strcmp(err->sqlstate, "0A000") != 0 && strcmp(err->sqlstate, "42501") != 0)
        return -1;
    if (pgc_pgsink_execute(conn, "ROLLBACK TO SAVEPOINT pgconvoy", doing, err) != 0)
        return -1;
    return on_table(conn, partitioned ? "DELETE FROM" : "DELETE FROM ONLY", table, "", err);
}

/* COPY's bytes pass through as they are: a column that cannot be written cannot be left out of them. */
static int check_generated(const pgc_pgsink_relation *relation, const pgconvoy_table *table, pgconvoy_error *err)
{
    for (int i = 0; i < table->column_count; i++) {
        const pgc_pgsink_column *target = pgc_pgsink_relation_find(relation, table->columns[i].name);
        if (!target || !target->generated)
            continue;
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG,
                           "column \"%s\" of table %s.%s on the target is generated, and the source sends it",
                           target->name, table->schema, table->name);
        pgconvoy_error_hint(err, "leave the column out of the publication, or drop its expression on the target");
        return -1;
    }
    return 0;
}

/* Somebody else's table, or one with somebody else's rows. */
static int take_over(pgc_pgsink *sink, PGconn *conn, const pgconvoy_table *table, const pgc_pgsink_relation *relation,
                     pgconvoy_if_exists if_exists, pgc_pgsink_content *content, pgconvoy_error *err)
{
    bool was_appended = *content == PGSINK_CONTENT_APPENDED, rows;
    if (if_exists == PGCONVOY_IF_EXISTS_ERROR && !was_appended)
        return in_the_way(table, err);
    if (if_exists == PGCONVOY_IF_EXISTS_DROP) {
        *content = PGSINK_CONTENT_CREATED;
        return on_table(conn, "DROP TABLE", table, "", err) != 0 ? -1 : create_table(sink, conn, table, err);
    }
    if (pgc_pgsink_relation_check(sink, relation, table, true, err) != 0 || check_generated(relation, table, err) != 0)
        return -1;
    *content = PGSINK_CONTENT_EMPTIED;
    if (if_exists == PGCONVOY_IF_EXISTS_TRUNCATE)
        return empty_table(conn, table, relation, err);
    if (pgc_pgsink_has_rows(conn, table, &rows, err) != 0)
        return -1;
    if (rows && was_appended) {
        pgconvoy_error_set(
            err, PGCONVOY_ERROR_STATE,
            "the copy into table %s.%s was interrupted, and its rows cannot be told from those that were there before",
            table->schema, table->name);
        pgconvoy_error_hint(err, "delete the rows of the interrupted copy on the target so that it is empty, or run "
                                 "with --if-exists truncate");
        return -1;
    }
    if (rows)
        *content = PGSINK_CONTENT_APPENDED;
    return 0;
}

/* Where commands come, each label has come with its own by the time of the copy, or has another name since it was read. */
static int give_labels(pgc_pgsink *sink, PGconn *conn, const pgconvoy_table *table, const pgc_pgsink_relation *relation, pgconvoy_error *err)
{
    for (int i = 0; i < table->column_count; i++) {
        const pgc_pgsink_column *column = pgc_pgsink_relation_find(relation, table->columns[i].name);
        if (column && pgc_pgsink_enum_extend(sink, conn, table->columns[i].type, column, sink->config->ddl_by_text ? PGSINK_LABELS_NEW : PGSINK_LABELS_ALL, err) != 0)
            return -1;
    }
    return 0;
}

/* What an earlier copy of this pipeline left. */
static int start_again(pgc_pgsink *sink, PGconn *conn, const pgconvoy_table *table, const pgc_pgsink_relation *relation,
                       pgc_pgsink_content content, pgconvoy_error *err)
{
    if (content == PGSINK_CONTENT_CREATED && !pgc_pgsink_relation_equals(relation, table))
        return on_table(conn, "DROP TABLE", table, "", err) != 0 ? -1 : create_table(sink, conn, table, err);
    if (empty_table(conn, table, relation, err) != 0 || give_labels(sink, conn, table, relation, err) != 0)
        return -1;
    if (content == PGSINK_CONTENT_FOLLOWED)
        return pgc_pgsink_alter_empty(sink, conn, table, err);
    if (content == PGSINK_CONTENT_CREATED)
        return pgc_pgsink_drop_keys(conn, relation->oid, table, err);
    return pgc_pgsink_relation_check(sink, relation, table, false, err) != 0 ? -1 : check_generated(relation, table, err);
}

static int prepare_with(pgc_pgsink *sink, PGconn *conn, const pgconvoy_table *table, pgconvoy_if_exists if_exists,
                        pgc_arena *arena, pgconvoy_error *err)
{
    pgc_pgsink_relation relation;
    pgc_pgsink_content content;
    if (pgc_pgsink_begin(conn, err) != 0 || pgc_pgsink_checkpoint_create(sink, conn, err) != 0 ||
        pgc_pgsink_checkpoint_content(sink, conn, table->schema, table->name, &content, err) != 0 ||
        pgc_pgsink_relation_load(conn, table->schema, table->name, arena, &relation, err) != 0)
        return -1;
    int status;
    if (relation.oid == 0) {
        content = PGSINK_CONTENT_CREATED;
        status = create_table(sink, conn, table, err);
    } else if (check_kind(&relation, table, err) != 0 ||
               /* a session that a killed process left may still be at the table: look again once it has gone */
               on_table(conn, "LOCK TABLE", table, " IN ACCESS EXCLUSIVE MODE", err) != 0 ||
               pgc_pgsink_relation_load(conn, table->schema, table->name, arena, &relation, err) != 0) {
        status = -1;
    } else if (content == PGSINK_CONTENT_CREATED || content == PGSINK_CONTENT_EMPTIED || content == PGSINK_CONTENT_FOLLOWED) {
        status = start_again(sink, conn, table, &relation, content, err);
    } else {
        status = take_over(sink, conn, table, &relation, if_exists, &content, err);
    }
    pgconvoy_table_status copying = {table->schema, table->name, PGCONVOY_TABLE_COPYING, 0};
    if (status == 0)
        status = pgc_pgsink_checkpoint_tables(sink, conn, &copying, 1, content, err) != 0 ? -1 : pgc_pgsink_known_store(sink, conn, table, err);
    if (status == 0)
        status = pgc_pgsink_execute(conn, "COMMIT", "preparing a table on the target", err);
    if (status == 0)
        atomic_store(&sink->state_exists, true);
    return status;
}

int pgc_pgsink_prepare_table(void *state, const pgconvoy_table *table, pgconvoy_if_exists if_exists,
                             pgconvoy_error *err)
{
    pgc_pgsink *sink = state;
    PGconn *conn = pgc_pgsink_borrow(sink, err);
    pgc_arena *arena = conn ? pgc_arena_new(16384) : NULL;
    int status = -1;
    if (arena)
        status = prepare_with(sink, conn, table, if_exists, arena, err);
    else if (conn)
        status = pgc_error_out_of_memory(err);
    if (arena)
        pgc_arena_free(arena);
    pgc_pgsink_give_back(sink, conn);
    return status;
}

/* ---- finish */

static int finish_with(pgc_pgsink *sink, PGconn *conn, const pgconvoy_table *table, const pgconvoy_table_status *status,
                       pgc_arena *arena, pgconvoy_error *err)
{
    pgc_pgsink_relation relation;
    pgc_pgsink_content content;
    if (pgc_pgsink_begin(conn, err) != 0 ||
        pgc_pgsink_checkpoint_content(sink, conn, table->schema, table->name, &content, err) != 0 ||
        pgc_pgsink_relation_load(conn, table->schema, table->name, arena, &relation, err) != 0)
        return -1;
    if (relation.oid == 0) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "table %s.%s is gone from the target", table->schema, table->name);
        pgconvoy_error_hint(err, "somebody dropped it; run again to copy it again");
        return -1;
    }
    if (content == PGSINK_CONTENT_CREATED && pgc_pgsink_build_keys(conn, relation.oid, table, err) != 0)
        return -1;
    if (pgc_pgsink_checkpoint_tables(sink, conn, status, 1, PGSINK_CONTENT_UNKNOWN, err) != 0)
        return -1;
    return pgc_pgsink_execute(conn, "COMMIT", "finishing a table on the target", err);
}

int pgc_pgsink_finish_table(void *state, const pgconvoy_table *table, const pgconvoy_table_status *status,
                            pgconvoy_error *err)
{
    pgc_pgsink *sink = state;
    PGconn *conn = pgc_pgsink_borrow(sink, err);
    pgc_arena *arena = conn ? pgc_arena_new(16384) : NULL;
    int result = -1;
    if (arena)
        result = finish_with(sink, conn, table, status, arena, err);
    else if (conn)
        result = pgc_error_out_of_memory(err);
    if (arena)
        pgc_arena_free(arena);
    pgc_pgsink_give_back(sink, conn);
    return result;
}
