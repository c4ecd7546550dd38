/*
 * The checkpoint: two tables in schema pgconvoy of the target, written in the transactions that write the data.
 *
 * A process that was killed may leave a session behind whose COMMIT is still on its way. So transactions of the stream
 * hold an advisory lock of the pipeline, and reading the checkpoint takes the same lock: what is read can no longer be
 * overtaken. Beside that a position is only ever moved from where its writer believes it to be, so that two processes
 * cannot both apply the same changes. What several connections have of an interrupted batch is in a third table (parts.h).
 */
#include "sink/postgres/parts.h"
#include "sink/postgres/prepared.h"
#include "sink/postgres/state_sql.h"
#include "postgres/text_arrays.h"
#include "postgres/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const state_names[] = {"waiting", "copying", "catching_up", "live", "failed"};
static const char *const content_names[] = {NULL, "created", "emptied", "appended", "followed"};
#define STATE_COUNT (sizeof state_names / sizeof *state_names)
#define CONTENT_COUNT (sizeof content_names / sizeof *content_names)

void pgc_pgsink_checkpoint_key_sql(const pgc_pgsink *sink, pgc_buffer *out)
{
    pgc_buffer_text(out, "hashtextextended('pgconvoy ' || ");
    pgc_quote_literal(out, sink->config->pipeline_name);
    pgc_buffer_text(out, ", 0)");
}

void pgc_pgsink_checkpoint_lock_sql(const pgc_pgsink *sink, pgc_buffer *out)
{
    pgc_buffer_text(out, "SELECT pg_advisory_xact_lock(");
    pgc_pgsink_checkpoint_key_sql(sink, out);
    pgc_buffer_byte(out, ')');
}

static int state_exists(pgc_pgsink *sink, PGconn *conn, bool *exists, pgconvoy_error *err)
{
    *exists = atomic_load(&sink->state_exists);
    if (*exists)
        return 0;
    return pgc_pgsink_relation_exists(conn, "pgconvoy.table_state", "looking for the checkpoint on the target", exists,
                                      err);
}

/* Waits for sessions of this pipeline that are still at it. */
static int take_lock(pgc_pgsink *sink, PGconn *conn, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, PGSINK_SQL_LIMIT);
    pgc_pgsink_checkpoint_lock_sql(sink, &sql);
    int result =
        pgc_pgsink_execute_buffer(conn, &sql, "waiting for an earlier session of this pipeline on the target", err);
    pgc_buffer_free(&sql);
    return result;
}

static int read_position(pgc_pgsink *sink, PGconn *conn, pgconvoy_checkpoint *checkpoint, pgconvoy_error *err)
{
    const char *values[] = {sink->config->pipeline_name};
    PGresult *result = pgc_pgsink_query(conn, "SELECT source_id, lsn FROM pgconvoy.pipeline WHERE name = $1", 1, values,
                                        "reading the checkpoint on the target", err);
    if (!result)
        return -1;
    int status = 0;
    if (PQntuples(result) == 1) {
        checkpoint->source_id = pgc_arena_strdup(sink->checkpoint_arena, PQgetvalue(result, 0, 0));
        if (!checkpoint->source_id)
            status = pgc_error_out_of_memory(err);
        else if (pgconvoy_lsn_from_text(PQgetvalue(result, 0, 1), &checkpoint->lsn) != 0) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_STATE,
                               "table pgconvoy.pipeline on the target holds a malformed position");
            pgconvoy_error_hint(err, "pgconvoy drop, then start again");
            status = -1;
        }
    }
    PQclear(result);
    return status;
}

static int read_tables(pgc_pgsink *sink, PGconn *conn, pgconvoy_checkpoint *checkpoint, pgconvoy_error *err)
{
    const char *values[] = {sink->config->pipeline_name};
    PGresult *result = pgc_pgsink_query(conn,
                                        "SELECT schema_name, table_name, state, copy_lsn FROM pgconvoy.table_state "
                                        "WHERE pipeline = $1 ORDER BY 1, 2",
                                        1, values, "reading the table states on the target", err);
    if (!result)
        return -1;
    int count = PQntuples(result);
    pgconvoy_table_status *tables = pgc_arena_zalloc(sink->checkpoint_arena, sizeof *tables * ((size_t)count + 1));
    int status = tables ? 0 : pgc_error_out_of_memory(err);
    for (int i = 0; i < count && status == 0; i++) {
        tables[i].schema = pgc_arena_strdup(sink->checkpoint_arena, PQgetvalue(result, i, 0));
        tables[i].name = pgc_arena_strdup(sink->checkpoint_arena, PQgetvalue(result, i, 1));
        size_t state = 0;
        while (state < STATE_COUNT && strcmp(state_names[state], PQgetvalue(result, i, 2)) != 0)
            state++;
        if (!tables[i].schema || !tables[i].name) {
            status = pgc_error_out_of_memory(err);
        } else if (state == STATE_COUNT || pgconvoy_lsn_from_text(PQgetvalue(result, i, 3), &tables[i].copy_lsn) != 0) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_STATE,
                               "table pgconvoy.table_state on the target has a row for %s.%s that cannot be understood",
                               tables[i].schema, tables[i].name);
            pgconvoy_error_hint(err, "it may be of a newer version of pgconvoy; use that one");
            status = -1;
        } else {
            tables[i].state = (pgconvoy_table_state)state;
        }
    }
    PQclear(result);
    checkpoint->tables = tables;
    checkpoint->table_count = (size_t)count;
    return status;
}

int pgc_pgsink_checkpoint_read_in(pgc_pgsink *sink, PGconn *conn, pgconvoy_checkpoint *checkpoint, pgconvoy_error *err)
{
    memset(checkpoint, 0, sizeof *checkpoint);
    bool exists;
    /* the lock is waited for in a statement of its own, so that the next ones see what its holder committed */
    if (take_lock(sink, conn, err) != 0 || state_exists(sink, conn, &exists, err) != 0)
        return -1;
    if (!exists)
        return 0;
    atomic_store(&sink->state_exists, true);
    if (read_position(sink, conn, checkpoint, err) != 0 || pgc_pgsink_parts_read(sink, conn, err) != 0)
        return -1;
    checkpoint->ahead_lsn = pgc_pgsink_parts_end(sink->parts);
    return read_tables(sink, conn, checkpoint, err);
}

int pgc_pgsink_checkpoint_read(pgc_pgsink *sink, pgconvoy_checkpoint *checkpoint, pgconvoy_error *err)
{
    pgc_arena_reset(sink->checkpoint_arena);
    PGconn *conn = pgc_pgsink_borrow(sink, err);
    if (!conn)
        return -1;
    int status = pgc_pgsink_begin(conn, err);
    if (status == 0)
        status = pgc_pgsink_checkpoint_read_in(sink, conn, checkpoint, err);
    if (status == 0) {
        atomic_store(&sink->lsn, checkpoint->lsn);
        atomic_store(&sink->lsn_known, true);
    }
    pgc_pgsink_give_back(sink, conn);
    return status;
}

static const char create_sql[] =
    /* IF NOT EXISTS alone does not hold two sessions apart */
    "SELECT pg_advisory_xact_lock(hashtextextended('pgconvoy schema', 0));"
    "CREATE TABLE IF NOT EXISTS pgconvoy.pipeline ("
    " name text PRIMARY KEY, source_id text NOT NULL, lsn pg_lsn NOT NULL,"
    " updated_at timestamptz NOT NULL DEFAULT now());"
    "CREATE TABLE IF NOT EXISTS pgconvoy.table_state ("
    " pipeline text NOT NULL, schema_name text NOT NULL, table_name text NOT NULL, state text NOT NULL,"
    " copy_lsn pg_lsn NOT NULL, content text NOT NULL, updated_at timestamptz NOT NULL DEFAULT now(),"
    " PRIMARY KEY (pipeline, schema_name, table_name))";

int pgc_pgsink_checkpoint_create(pgc_pgsink *sink, PGconn *conn, pgconvoy_error *err)
{
    static const char insert[] =
        "INSERT INTO pgconvoy.pipeline (name, source_id, lsn) VALUES ($1, $2, '0/0') ON CONFLICT DO NOTHING";
    bool exists;
    if (state_exists(sink, conn, &exists, err) != 0)
        return -1;
    if (!exists && (pgc_pgsink_create_schema(conn, "pgconvoy", err) != 0 ||
                    pgc_pgsink_execute(conn, create_sql, "creating the checkpoint tables on the target", err) != 0 ||
                    pgc_pgsink_execute(conn, pgc_pgsink_known_create_sql(), "creating the checkpoint tables on the target", err) != 0))
        return -1;
    const char *values[] = {sink->config->pipeline_name, sink->config->source_id ? sink->config->source_id : ""};
    PGresult *result = pgc_pgsink_query(conn, insert, 2, values, "creating the checkpoint on the target", err);
    PQclear(result);
    return result ? 0 : -1;
}

int pgc_pgsink_checkpoint_tables(pgc_pgsink *sink, PGconn *conn, const pgconvoy_table_status *tables, size_t count,
                                 pgc_pgsink_content content, pgconvoy_error *err)
{
    static const char sql[] =
        "INSERT INTO pgconvoy.table_state (pipeline, schema_name, table_name, state, copy_lsn, content) "
        "SELECT DISTINCT ON (g.s, g.n) $1, g.s, g.n, g.state, g.lsn::pg_lsn, coalesce($6, 'appended') "
        "FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) WITH ORDINALITY AS g (s, n, state, lsn, place) "
        "ORDER BY g.s, g.n, g.place DESC "
        "ON CONFLICT (pipeline, schema_name, table_name) DO UPDATE SET state = excluded.state, copy_lsn = "
        "excluded.copy_lsn, "
        "content = coalesce($6, table_state.content), updated_at = now()";
    if (count == 0)
        return 0;
    pgc_text_arrays arrays;
    pgc_text_arrays_init(&arrays, 4);
    for (size_t i = 0; i < count; i++) {
        char lsn[PGCONVOY_LSN_TEXT_SIZE];
        const char *words[] = {tables[i].schema, tables[i].name,
                               state_names[(size_t)tables[i].state < STATE_COUNT ? tables[i].state : 0],
                               pgconvoy_lsn_to_text(tables[i].copy_lsn, lsn)};
        pgc_text_arrays_add(&arrays, words);
    }
    const char *values[] = {sink->config->pipeline_name, NULL, NULL, NULL, NULL, content_names[content]};
    int status = pgc_text_arrays_end(&arrays, values + 1, err);
    if (status == 0) {
        PGresult *result = pgc_pgsink_query(conn, sql, 6, values, "storing the states of tables on the target", err);
        status = result ? 0 : -1;
        PQclear(result);
    }
    pgc_text_arrays_free(&arrays);
    return status;
}

int pgc_pgsink_checkpoint_lsn(pgc_pgsink *sink, PGconn *conn, pgconvoy_lsn *lsn, pgconvoy_error *err)
{
    bool exists;
    *lsn = 0;
    if (state_exists(sink, conn, &exists, err) != 0)
        return -1;
    if (!exists)
        return 0;
    const char *values[] = {sink->config->pipeline_name};
    PGresult *result = pgc_pgsink_query(conn, "SELECT lsn FROM pgconvoy.pipeline WHERE name = $1", 1, values,
                                        "reading the position on the target", err);
    if (!result)
        return -1;
    if (PQntuples(result) == 1 && pgconvoy_lsn_from_text(PQgetvalue(result, 0, 0), lsn) != 0)
        *lsn = 0;
    PQclear(result);
    return 0;
}

/* $1 is the new position, $2 the one that is expected. Where it is another one the statement fails, as the column may not be NULL: so a COMMIT
 * can be sent behind it at once. */
static void append_position(const pgc_pgsink *sink, pgc_buffer *out)
{
    pgc_buffer_text(out, "INSERT INTO pgconvoy.pipeline AS p (name, source_id, lsn) VALUES (");
    pgc_quote_literal(out, sink->config->pipeline_name);
    pgc_buffer_text(out, ", ");
    pgc_quote_literal(out, sink->config->source_id ? sink->config->source_id : "");
    pgc_buffer_text(out, ", $1) ON CONFLICT (name) DO UPDATE SET source_id = excluded.source_id, updated_at = now(), "
                         "lsn = CASE WHEN p.lsn = $2");
    if (atomic_load(&sink->parts_table)) {
        pgc_buffer_text(out, " AND ");
        pgc_pgsink_parts_known_sql(sink, out);
    }
    pgc_buffer_text(out, " THEN excluded.lsn END /* NULL: another process has moved it */");
}

void pgc_pgsink_position_moved(const pgc_pgsink *sink, pgconvoy_lsn expected, pgconvoy_error *err)
{
    char text[PGCONVOY_LSN_TEXT_SIZE];
    pgconvoy_error_set(err, PGCONVOY_ERROR_STATE,
                       "the position of pipeline %s on the target was moved from %s by another process",
                       sink->config->pipeline_name, pgconvoy_lsn_to_text(expected, text));
    pgconvoy_error_hint(err, "let one process run a pipeline; nothing was written twice");
    pgconvoy_error_retriable(err, true); /* the next try starts from the position that is there */
}

int pgc_pgsink_checkpoint_position(pgc_pgsink *sink, PGconn *conn, pgconvoy_lsn expected, pgconvoy_lsn lsn,
                                   pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 65536);
    append_position(sink, &sql);
    char texts[2][PGCONVOY_LSN_TEXT_SIZE];
    const char *values[] = {pgconvoy_lsn_to_text(lsn, texts[0]), pgconvoy_lsn_to_text(expected, texts[1])};
    PGresult *result = pgc_buffer_check(&sql, err) == 0
                           ? pgc_pgsink_query(conn, sql.data, 2, values, "storing the position on the target", err)
                           : NULL;
    pgc_buffer_free(&sql);
    PQclear(result);
    if (!result && strcmp(err->sqlstate, PGC_ERROR_NOT_NULL) == 0)
        pgc_pgsink_position_moved(sink, expected, err);
    return result ? 0 : -1;
}

/* ---- the same in flight, by statements that the server has planned once: with few changes they are most of the work */

int pgc_pgsink_checkpoint_fly_lock(pgc_pgsink_writer *writer, pgconvoy_error *err)
{
    static const pgc_pgsink_own lock = {
        PGSINK_OWN_LOCK, "pgconvoy_lock", PGSINK_FLIGHT_OTHER, 0, NULL, NULL, pgc_pgsink_checkpoint_lock_sql};
    return pgc_pgsink_statement_own(writer, &lock, NULL, err);
}

int pgc_pgsink_checkpoint_fly_position(pgc_pgsink_writer *writer, pgconvoy_lsn expected, pgconvoy_lsn lsn, pgconvoy_error *err)
{
    static const uint32_t types[] = {PGC_PG_LSN, PGC_PG_LSN};
    static const pgc_pgsink_own position = {
        PGSINK_OWN_POSITION, "pgconvoy_position", PGSINK_FLIGHT_POSITION, 2, types, NULL, append_position};
    char texts[2][PGCONVOY_LSN_TEXT_SIZE];
    const char *values[] = {pgconvoy_lsn_to_text(lsn, texts[0]), pgconvoy_lsn_to_text(expected, texts[1])};
    if (!atomic_load(&writer->sink->parts_table)) /* else it counts what other connections have: each time another text */
        return pgc_pgsink_statement_own(writer, &position, values, err);
    pgc_buffer sql;
    pgc_buffer_init(&sql, 65536);
    append_position(writer->sink, &sql);
    int status = pgc_buffer_check(&sql, err) != 0 ? -1 : pgc_pgsink_fly_position(writer, sql.data, values, err);
    pgc_buffer_free(&sql);
    return status;
}

int pgc_pgsink_checkpoint_content(pgc_pgsink *sink, PGconn *conn, const char *schema, const char *name,
                                  pgc_pgsink_content *content, pgconvoy_error *err)
{
    bool exists;
    *content = PGSINK_CONTENT_UNKNOWN;
    if (state_exists(sink, conn, &exists, err) != 0)
        return -1;
    if (!exists)
        return 0;
    const char *values[] = {sink->config->pipeline_name, schema, name};
    PGresult *result = pgc_pgsink_query(conn,
                                        "SELECT content FROM pgconvoy.table_state "
                                        "WHERE pipeline = $1 AND schema_name = $2 AND table_name = $3",
                                        3, values, "reading a table state on the target", err);
    if (!result)
        return -1;
    if (PQntuples(result) == 1) {
        *content = PGSINK_CONTENT_APPENDED; /* the careful reading of what we do not know */
        for (size_t i = 1; i < CONTENT_COUNT; i++)
            if (strcmp(content_names[i], PQgetvalue(result, 0, 0)) == 0)
                *content = (pgc_pgsink_content)i;
    }
    PQclear(result);
    return 0;
}

int pgc_pgsink_leave_table(pgc_pgsink *sink, PGconn *conn, const char *schema, const char *name, pgconvoy_error *err)
{
    pgconvoy_table_status waiting = {schema, name, PGCONVOY_TABLE_WAITING, 0};
    pgc_pgsink_content content;
    if (pgc_pgsink_checkpoint_content(sink, conn, schema, name, &content, err) != 0)
        return -1;
    content = content == PGSINK_CONTENT_EMPTIED ? PGSINK_CONTENT_FOLLOWED : PGSINK_CONTENT_UNKNOWN;
    return pgc_pgsink_checkpoint_tables(sink, conn, &waiting, 1, content, err);
}

int pgc_pgsink_checkpoint_rename(pgc_pgsink *sink, PGconn *conn, const pgconvoy_table *old_table,
                                 const pgconvoy_table *new_table, pgconvoy_error *err)
{
    bool exists;
    if (state_exists(sink, conn, &exists, err) != 0)
        return -1;
    if (!exists)
        return 0;
    const char *values[] = {sink->config->pipeline_name, old_table->schema, old_table->name, new_table->schema,
                            new_table->name};
    PGresult *result = pgc_pgsink_query(conn,
                                        "UPDATE pgconvoy.table_state SET schema_name = $4, table_name = $5 "
                                        "WHERE pipeline = $1 AND schema_name = $2 AND table_name = $3",
                                        5, values, "renaming a table state on the target", err);
    PQclear(result);
    return result ? 0 : -1;
}

/* Each is made when it is first needed. */
static int drop_rows_of(PGconn *conn, const char *table, const char *const *values, pgconvoy_error *err)
{
    static const char doing[] = "removing the checkpoint on the target";
    bool there;
    if (pgc_pgsink_relation_exists(conn, table, doing, &there, err) != 0)
        return -1;
    if (!there)
        return 0;
    char sql[100];
    snprintf(sql, sizeof sql, "DELETE FROM %s WHERE pipeline = $1", table);
    PGresult *result = pgc_pgsink_query(conn, sql, 1, values, doing, err);
    PQclear(result);
    return result ? 0 : -1;
}

/* Of a table copy that was interrupted (src/clone): what it has finished. */
static int drop_copy(PGconn *conn, const char *const *values, const char *doing, pgconvoy_error *err)
{
    static const char *const statements[] = {"DELETE FROM pgconvoy.copy_item WHERE name = $1", "DELETE FROM pgconvoy.copy WHERE name = $1"};
    static const char away[] = "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pgconvoy.copy) AND NOT EXISTS (SELECT FROM pgconvoy.copy_item) THEN "
                               "DROP TABLE pgconvoy.copy_item, pgconvoy.copy; END IF; END $$";
    bool there;
    if (pgc_pgsink_relation_exists(conn, "pgconvoy.copy_item", doing, &there, err) != 0)
        return -1;
    for (size_t i = 0; i < 2 && there; i++) {
        PGresult *result = pgc_pgsink_query(conn, statements[i], 1, values, doing, err);
        if (!result)
            return -1;
        PQclear(result);
    }
    return there ? pgc_pgsink_execute(conn, away, doing, err) : 0;
}

static int drop_rows(pgc_pgsink *sink, PGconn *conn, bool *empty, pgconvoy_error *err)
{
    const char *values[] = {sink->config->pipeline_name};
    static const char *const tables[] = {"pgconvoy.conflict_count", "pgconvoy.table_columns", "pgconvoy.apply_part", "pgconvoy.prepared"};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (drop_rows_of(conn, tables[i], values, err) != 0)
            return -1;
    if (drop_copy(conn, values, "removing the state of the copy on the target", err) != 0)
        return -1;
    static const char is_empty[] = "SELECT NOT EXISTS (SELECT FROM pgconvoy.pipeline WHERE name <> $1)"
                                   " AND NOT EXISTS (SELECT FROM pgconvoy.table_state WHERE pipeline <> $1)";
    static const char *const statements[] = {"DELETE FROM pgconvoy.table_state WHERE pipeline = $1",
                                             "DELETE FROM pgconvoy.pipeline WHERE name = $1", is_empty};
    for (size_t i = 0; i < 3; i++) {
        PGresult *result =
            pgc_pgsink_query(conn, statements[i], 1, values, "removing the checkpoint on the target", err);
        if (!result)
            return -1;
        if (i == 2)
            *empty = PQgetvalue(result, 0, 0)[0] == 't';
        PQclear(result);
    }
    return 0;
}

int pgc_pgsink_checkpoint_remove_in(pgc_pgsink *sink, PGconn *conn, bool *empty, pgconvoy_error *err)
{
    if (drop_rows(sink, conn, empty, err) != 0)
        return -1;
    return *empty ? pgc_pgsink_execute(conn,
                                       "DROP TABLE IF EXISTS pgconvoy.conflict_count, pgconvoy.ddl_skipped, pgconvoy.apply_part, pgconvoy.prepared, pgconvoy.table_columns;"
                                       "DROP TABLE pgconvoy.table_state, pgconvoy.pipeline",
                                       "removing the checkpoint on the target", err)
                  : 0;
}

int pgc_pgsink_checkpoint_drop(pgc_pgsink *sink, pgconvoy_error *err)
{
    static const char doing[] = "removing the checkpoint on the target";
    PGconn *conn = pgc_pgsink_borrow(sink, err);
    if (!conn)
        return -1;
    bool exists = false, empty = false;
    int status = pgc_pgsink_prepared_roll_back(sink, conn, err) != 0 ? -1 : state_exists(sink, conn, &exists, err);
    if (status == 0 && exists) {
        status = pgc_pgsink_begin(conn, err);
        if (status == 0)
            status = pgc_pgsink_checkpoint_remove_in(sink, conn, &empty, err);
        if (status == 0)
            status = pgc_pgsink_execute(conn, "COMMIT", doing, err);
        if (status == 0 && empty) {
            atomic_store(&sink->state_exists, false);
            /* what else somebody keeps in the schema, or the schema's owner, may stand against it: then it stays */
            PQclear(PQexec(conn, "DROP SCHEMA pgconvoy"));
        }
    }
    if (status == 0)
        pgc_pgsink_origin_drop(sink, conn);
    pgc_pgsink_give_back(sink, conn);
    return status;
}

/* ---- as commands */

void pgc_pgsink_append_pipeline(pgc_buffer *sql, const char *pipeline, const char *source_id)
{
    pgc_buffer_format(sql, "%s;%s;INSERT INTO pgconvoy.pipeline (name, source_id, lsn) VALUES (", create_sql, pgc_pgsink_known_create_sql());
    pgc_quote_literal(sql, pipeline);
    pgc_buffer_text(sql, ", ");
    pgc_quote_literal(sql, source_id ? source_id : "");
    pgc_buffer_text(sql, ", '0/0') ON CONFLICT DO NOTHING;");
}

void pgc_pgsink_append_table_state(pgc_buffer *sql, const char *pipeline, const char *schema, const char *name,
                                   pgconvoy_table_state state, const char *copy_lsn)
{
    const char *const words[] = {pipeline, schema, name, state_names[state]};
    pgc_buffer_text(sql, "INSERT INTO pgconvoy.table_state AS t (pipeline, schema_name, table_name, state, copy_lsn, content) VALUES (");
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        pgc_quote_literal(sql, words[i]);
        pgc_buffer_text(sql, ", ");
    }
    pgc_buffer_format(sql, "%s, '%s') ON CONFLICT (pipeline, schema_name, table_name) DO UPDATE SET state = excluded.state, "
                      "copy_lsn = excluded.copy_lsn, content = excluded.content, updated_at = now();",
                      copy_lsn, content_names[PGSINK_CONTENT_EMPTIED]);
}
