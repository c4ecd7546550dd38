/*
 * A foreign key cannot be checked before the rows are there that it refers to: those of a table that a migration has just made come with its copy, later
 * than the key in the stream. The source has checked it. So it is made NOT VALID and checked when all tables are at one moment of the source.
 */
#include "sink/postgres/ddl_keys.h"

#include "apply/sql_text.h"
#include "sink/postgres/ddl_internal.h"

#include <stdio.h>

#define NOT_CHECKED "the key is there, but not checked: "

/* ---- the command without the check */

typedef struct rewriting {
    const char *at, *end;
    const char *copied; /* up to here the text is written */
    const char *behind; /* the last token's end */
    pgc_sql_token column;
    pgc_buffer *sql, moved; /* moved: keys that stood with a column, as actions */
} rewriting;

static char other(const pgc_sql_token *token)
{
    return token->kind == PGC_SQL_OTHER ? *token->start : '\0';
}

static pgc_sql_token next(rewriting *r)
{
    pgc_sql_token token = pgc_sql_next_token(&r->at, r->end);
    if (token.kind != PGC_SQL_END)
        r->behind = token.start + token.length;
    return token;
}

static pgc_sql_token peek(const rewriting *r)
{
    const char *at = r->at;
    return pgc_sql_next_token(&at, r->end);
}

/* What may follow a column's REFERENCES …, and is not part of it: SET NULL, SET DEFAULT and NOT DEFERRABLE are. */
static bool ends_reference(const rewriting *r, const pgc_sql_token *before, const pgc_sql_token *token)
{
    static const char *const words[] = {"CONSTRAINT", "CHECK", "GENERATED", "UNIQUE", "PRIMARY", "COLLATE", "REFERENCES", NULL};
    pgc_sql_token behind = peek(r);
    for (int i = 0; words[i]; i++)
        if (pgc_sql_token_is(token, words[i]))
            return true;
    if (pgc_sql_token_is(token, "NULL") || pgc_sql_token_is(token, "DEFAULT"))
        return !pgc_sql_token_is(before, "SET");
    if (pgc_sql_token_is(token, "NOT"))
        return !pgc_sql_token_is(&behind, "DEFERRABLE");
    return token->kind == PGC_SQL_END || other(token) == ',';
}

/* A column's REFERENCES was read, and before it its own name, unless that is NULL: taken out of the text, and kept as an action. */
static void move_reference(rewriting *r, const pgc_sql_token *name, const char *start)
{
    const char *clause = r->behind - strlen("REFERENCES"), *upto;
    int depth = 0;
    pgc_buffer_append(r->sql, r->copied, (size_t)(start - r->copied));
    for (pgc_sql_token before = {0};;) {
        upto = r->at;
        const char *end = r->behind;
        pgc_sql_token token = next(r);
        char c = other(&token);
        depth += (c == '(') - (c == ')');
        if (token.kind == PGC_SQL_END || (depth == 0 && c != ')' && ends_reference(r, &before, &token))) {
            r->at = upto;
            r->behind = end;
            break;
        }
        before = token;
    }
    pgc_buffer_text(&r->moved, ", ADD ");
    if (name) {
        pgc_buffer_text(&r->moved, "CONSTRAINT ");
        pgc_buffer_append(&r->moved, name->start, name->length);
    }
    pgc_buffer_text(&r->moved, " FOREIGN KEY (");
    pgc_buffer_append(&r->moved, r->column.start, r->column.length);
    pgc_buffer_text(&r->moved, ") ");
    pgc_buffer_append(&r->moved, clause, (size_t)(r->behind - clause));
    pgc_buffer_text(&r->moved, " NOT VALID");
    r->copied = r->behind;
}

/* ADD [COLUMN] [IF NOT EXISTS] name: behind ADD. */
static void read_column(rewriting *r)
{
    r->column = peek(r);
    if (pgc_sql_token_is(&r->column, "COLUMN"))
        (void)next(r), r->column = peek(r);
    for (int i = 0; i < 3 && (pgc_sql_token_is(&r->column, "IF") || pgc_sql_token_is(&r->column, "NOT") || pgc_sql_token_is(&r->column, "EXISTS")); i++)
        (void)next(r), r->column = peek(r);
}

/* Up to the comma behind it, or the end; *key: it adds a foreign key to the table. Whether there was anything to rewrite. */
static bool rewrite_action(rewriting *r, bool *more)
{
    bool is_key = false, moved = false;
    int depth = 0;
    pgc_sql_token one = {0}, two = {0}; /* before the token, and before that */
    r->column = (pgc_sql_token){0};
    for (;;) {
        const char *behind = r->behind;
        pgc_sql_token token = next(r);
        char c = other(&token);
        *more = token.kind != PGC_SQL_END;
        depth += (c == '(') - (c == ')');
        if (!*more || (depth == 0 && c == ',')) {
            if (is_key) {
                pgc_buffer_append(r->sql, r->copied, (size_t)(behind - r->copied));
                pgc_buffer_text(r->sql, " NOT VALID");
                r->copied = behind;
            }
            return is_key || moved;
        }
        if (depth == 0 && pgc_sql_token_is(&token, "ADD") && !r->column.start)
            read_column(r);
        is_key |= depth == 0 && pgc_sql_token_is(&token, "FOREIGN");
        if (depth == 0 && !is_key && r->column.start && pgc_sql_token_is(&token, "REFERENCES")) {
            bool named = pgc_sql_token_is(&two, "CONSTRAINT");
            move_reference(r, named ? &one : NULL, named ? two.start : token.start);
            moved = true;
        }
        two = one;
        one = token;
    }
}

bool pgc_pgsink_ddl_without_check(const pgconvoy_ddl *ddl, pgc_buffer *sql)
{
    if (!ddl->command || strcmp(ddl->tag, "ALTER TABLE") != 0)
        return false;
    rewriting r = {.at = ddl->command, .end = ddl->command + strlen(ddl->command), .copied = ddl->command, .behind = ddl->command, .sql = sql};
    pgc_buffer_init(&r.moved, (size_t)1 << 30);
    bool any = false;
    for (bool more = true; more;)
        any |= rewrite_action(&r, &more);
    pgc_buffer_append(sql, r.copied, (size_t)(r.behind - r.copied));
    pgc_buffer_append(sql, r.moved.data, r.moved.length);
    pgc_buffer_free(&r.moved);
    return any;
}

/* ---- which they are */

PGresult *pgc_pgsink_ddl_unchecked_keys(PGconn *conn, const pgconvoy_ddl *ddl, pgconvoy_error *err)
{
    static const char sql[] = "SELECT k.oid, k.conname, format('%I.%I', n.nspname, c.relname), format('ALTER TABLE %I.%I VALIDATE CONSTRAINT %I', n.nspname, c.relname, k.conname) "
                              "FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'f' AND NOT k.convalidated "
                              "AND k.conparentid = 0 AND k.conrelid IN (SELECT to_regclass(name) FROM unnest($1::text[]) n (name)) ORDER BY 1";
    pgc_buffer names;
    pgc_buffer_init(&names, PGSINK_SQL_LIMIT);
    for (size_t i = 0; i < ddl->object_count; i++)
        if (pgc_pgsink_ddl_is_a(&ddl->objects[i], "table"))
            pgc_quote_array_element(&names, ddl->objects[i].identity);
    pgc_array_end(&names);
    const char *values[] = {names.data};
    PGresult *result = pgc_buffer_check(&names, err) == 0 ? pgc_pgsink_query(conn, sql, 1, values, PGSINK_DDL_DOING, err) : NULL;
    pgc_buffer_free(&names);
    return result;
}

int pgc_pgsink_ddl_list_unchecked(pgc_pgsink_writer *writer, const pgconvoy_ddl *ddl, const PGresult *before, pgconvoy_error *err)
{
    PGresult *after = pgc_pgsink_ddl_unchecked_keys(writer->conn, ddl, err);
    int status = after ? 0 : -1;
    for (int row = 0; row < PQntuples(after) && status == 0; row++) {
        bool was = false;
        for (int i = 0; i < PQntuples(before) && !was; i++)
            was = strcmp(PQgetvalue(before, i, 0), PQgetvalue(after, row, 0)) == 0;
        pgconvoy_ddl check = *ddl;
        check.command = PQgetvalue(after, row, 3);
        if (!was)
            status = pgc_pgsink_ddl_skip(writer->sink, writer->conn, &check, NOT_CHECKED "rows that it speaks of are of a table that had not joined yet", err);
    }
    PQclear(after);
    return status;
}

void pgc_pgsink_ddl_write_count(const char *state_dir, const char *count)
{
    char path[4096];
    if (!state_dir || snprintf(path, sizeof path, "%s/ddl.json", state_dir) >= (int)sizeof path)
        return;
    FILE *file = fopen(path, "we");
    if (!file)
        return;
    fprintf(file, "{\"skipped\":%s}\n", count);
    fclose(file);
}

/* ---- the check */

static const char listed_sql[] = "SELECT DISTINCT command FROM pgconvoy.ddl_skipped WHERE pipeline = $1 AND starts_with(reason, '" NOT_CHECKED "')";
static const char unlist_sql[] = "WITH gone AS (DELETE FROM pgconvoy.ddl_skipped WHERE pipeline = $1 AND command = $2 AND starts_with(reason, '" NOT_CHECKED "') RETURNING 1) "
                                 "SELECT (SELECT count(*) FROM pgconvoy.ddl_skipped WHERE pipeline = $1) - (SELECT count(*) FROM gone)";

/* The key, or its table, is gone or has another name. */
static bool is_gone(const pgconvoy_error *why)
{
    return strcmp(why->sqlstate, "42704") == 0 || strcmp(why->sqlstate, "42P01") == 0 || strcmp(why->sqlstate, "3F000") == 0;
}

static int check_key(PGconn *target, const char *pipeline, const char *command, const char *state_dir, pgconvoy_log *log, pgconvoy_error *err)
{
    pgconvoy_error why = {0};
    const char *values[] = {pipeline, command};
    if (pgc_pgsink_execute(target, "BEGIN", PGSINK_DDL_DOING, err) != 0)
        return -1;
    bool holds = pgc_pgsink_execute(target, command, "checking a foreign key on the target", &why) == 0;
    if (!holds && (PQstatus(target) != CONNECTION_OK || pgc_pgsink_execute(target, "ROLLBACK", PGSINK_DDL_DOING, err) != 0)) {
        pgc_error_copy(err, &why);
        return -1;
    }
    if (!holds && !is_gone(&why)) {
        if (!why.retriable)
            pgc_log_once(log, PGCONVOY_LOG_WARNING, "%s; pgconvoy.ddl_skipped on the target keeps the command", why.message);
        return 0;
    }
    PGresult *result = pgc_pgsink_query(target, unlist_sql, 2, values, PGSINK_DDL_DOING, err);
    int status = result ? 0 : -1;
    if (status == 0 && holds)
        status = pgc_pgsink_execute(target, "COMMIT", PGSINK_DDL_DOING, err);
    if (status == 0 && holds)
        pgc_log_info(log, "done, as all rows are there: %s", command);
    if (status == 0)
        pgc_pgsink_ddl_write_count(state_dir, PQgetvalue(result, 0, 0));
    PQclear(result);
    return status;
}

int pgc_pgsink_check_keys(PGconn *target, const char *pipeline, const char *state_dir, pgconvoy_log *log, const atomic_bool *stop, pgconvoy_error *err)
{
    PGresult *there = pgc_pgsink_query(target, "SELECT pg_catalog.to_regclass('pgconvoy.ddl_skipped') IS NOT NULL", 0, NULL, PGSINK_DDL_DOING, err);
    bool is_there = there && PQgetvalue(there, 0, 0)[0] == 't';
    PQclear(there);
    if (!there || !is_there)
        return there ? 0 : -1;
    const char *values[] = {pipeline};
    PGresult *keys = pgc_pgsink_query(target, listed_sql, 1, values, PGSINK_DDL_DOING, err);
    int status = keys ? 0 : -1;
    for (int row = 0; row < PQntuples(keys) && status == 0 && !atomic_load(stop); row++)
        status = check_key(target, pipeline, PQgetvalue(keys, row, 0), state_dir, log, err);
    PQclear(keys);
    return status;
}
