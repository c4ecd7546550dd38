/*
 * A command of DDL that is tried: it runs in a transaction that is rolled back, and what the event triggers tell of it
 * is read there, since only there are the types that it makes. Where there are no triggers they are made in the same
 * transaction. It locks what the command locks, for as long as the command takes.
 */
#include "source/postgres/ddl.h"
#include "apply/sql_text.h"
#include "ddl_sql.h"
#include "source/postgres/assemble_internal.h"

#include <stdlib.h>
#include <string.h>

/* What one message came to. */
typedef struct tried {
    const pgconvoy_ddl *ddl;
    const pgconvoy_table **tables;
    size_t table_count;
} tried;

typedef struct trial {
    pgc_postgres_source *source;
    pgc_stream_tables tables; /* its connection is the transaction's */
    pgc_arena *arena;
    tried *items;
    size_t count;
} trial;

/* Commands that would end the transaction, or are no part of one. */
static bool ends_transaction(const char *command, size_t length)
{
    static const char *const words[] = {"BEGIN", "START",   "COMMIT",    "END",    "ROLLBACK",
                                        "ABORT", "PREPARE", "SAVEPOINT", "RELEASE"};
    const char *at = command;
    pgc_sql_token first = pgc_sql_next_token(&at, command + length);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (pgc_sql_token_is(&first, words[i]))
            return true;
    return false;
}

/* Alone and by the extended protocol, which takes one command and no more. */
static int run_command(PGconn *conn, const char *command, size_t length, pgconvoy_error *err)
{
    pgc_buffer sql;
    if (ends_transaction(command, length)) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "%.*s cannot be tried: it is about transactions",
                           length > 100 ? 100 : (int)length, command);
        pgconvoy_error_hint(err, "give only the commands that change definitions; they are tried in one transaction");
        return -1;
    }
    pgc_buffer_init(&sql, (size_t)64 << 20);
    pgc_sql_without_word(command, length, "CONCURRENTLY", &sql);
    PGresult *result = pgc_buffer_check(&sql, err) == 0 ? pgc_query_params(conn, sql.data, 0, NULL, err) : NULL;
    pgc_buffer_free(&sql);
    PQclear(result);
    if (!result)
        pgc_error_prefix(err, "the source refuses the command");
    return result ? 0 : -1;
}

static int run_commands(PGconn *conn, const char *text, pgconvoy_error *err)
{
    const char *at = text, *end = text + strlen(text), *command;
    size_t length, count = 0;
    for (; pgc_sql_next_command(&at, end, &command, &length); count++)
        if (run_command(conn, command, length, err) != 0)
            return -1;
    if (count == 0) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "there is no command to be tried");
        pgconvoy_error_hint(err, "give one, such as --ddl-dry-run 'ALTER TABLE users ADD COLUMN age int'");
        return -1;
    }
    return 0;
}

static int keep(trial *trial, const pgc_ddl_seen *seen, pgconvoy_error *err)
{
    tried *item = &trial->items[trial->count];
    item->ddl = seen->ddl ? pgc_ddl_copy(trial->arena, seen->ddl) : NULL;
    item->tables = pgc_arena_alloc(trial->arena, (seen->table_count + 1) * sizeof(pgconvoy_table *));
    if ((seen->ddl && !item->ddl) || !item->tables)
        return pgc_error_out_of_memory(err);
    for (size_t i = 0; i < seen->table_count; i++)
        item->tables[i] = seen->tables[i];
    item->table_count = seen->table_count;
    trial->count++;
    return 0;
}

static int read_messages(trial *trial, const char *key, pgconvoy_error *err)
{
    PGresult *rows = pgc_query(trial->tables.conn, "SELECT message FROM pg_temp.pgconvoy_tried ORDER BY place", err);
    pgc_ddl_reader *reader = rows ? pgc_ddl_reader_new(&trial->tables, key) : NULL;
    trial->items = rows ? pgc_arena_alloc(trial->arena, ((size_t)PQntuples(rows) + 1) * sizeof *trial->items) : NULL;
    int failed = !rows ? -1 : !reader || !trial->items ? pgc_error_out_of_memory(err) : 0;
    for (int row = 0; !failed && row < PQntuples(rows); row++) {
        const pgc_ddl_message message = {PQgetvalue(rows, row, 0), (size_t)PQgetlength(rows, row, 0), UINT64_MAX - 1};
        pgc_ddl_seen seen = {0};
        failed = pgc_ddl_reader_read(reader, &message, &seen, err) || keep(trial, &seen, err);
    }
    pgc_ddl_reader_free(reader);
    PQclear(rows);
    return failed ? -1 : 0;
}

/* The tables are known as the source has them now: only what the command changes is told. */
static int know_tables(pgc_postgres_source *source, pgconvoy_error *err)
{
    for (size_t i = 0; i < source->table_count; i++)
        if (pgc_oid_map_put(&source->streamed, source->tables[i]->oid, (void *)source->tables[i], err) != 0)
            return -1;
    return 0;
}

static int in_transaction(trial *trial, const char *text, pgconvoy_error *err)
{
    PGconn *conn = trial->tables.conn;
    char *key = NULL;
    if (pgc_ddl_begin_try(trial->source, conn, err) != 0) {
        pgc_error_prefix(err, "event triggers, which tell what a command does, cannot be made on the source");
        return -1;
    }
    if (pgc_execute(conn, pgc_sql_ddl_try, err) != 0)
        return -1;
    PGresult *result = pgc_query(conn, "SELECT key FROM pgconvoy.ddl_key", err);
    if (result && PQntuples(result) == 1 && !(key = pgc_arena_strdup(trial->arena, PQgetvalue(result, 0, 0))))
        pgc_error_out_of_memory(err);
    PQclear(result);
    return !key || run_commands(conn, text, err) != 0 ||
                   pgc_execute(conn, "SET LOCAL search_path = pg_catalog", err) != 0 ||
                   know_tables(trial->source, err) != 0
               ? -1
               : read_messages(trial, key, err);
}

int pgc_ddl_try(pgc_postgres_source *source, const char *text, pgc_ddl_tried seen, void *arg, pgconvoy_error *err)
{
    trial trial = {.source = source, .tables = {.source = source}, .arena = pgc_arena_new(1 << 14)};
    if (!trial.arena)
        return pgc_error_out_of_memory(err);
    trial.tables.conn = pgc_source_connect(source, PGC_CONNECTION_SQL, "trial", err);
    int result = trial.tables.conn ? in_transaction(&trial, text, err) : -1;
    pgc_stream_tables_free(&trial.tables); /* and with its connection the transaction */
    for (size_t i = 0; i < trial.count && result == 0; i++)
        result = seen(arg, trial.items[i].ddl, trial.items[i].tables, trial.items[i].table_count, err);
    pgc_arena_free(trial.arena);
    return result;
}
