/*
 * Rows from COPY to COPY, as they come: bytes are taken from the source's connection into a large piece of memory and go on whole; where one row ends does not matter. (Of libpq's two ways to take them, PQgetlineAsync
 * writes into memory of ours but never waits, PQgetCopyData waits but allocates: it is used only when nothing more has arrived.)
 *
 * A table of ours that is loaded in a transaction of its own is emptied there first, though it is empty: its rows can then be frozen as they come, which spares the target a later rewriting of every page, and where
 * wal_level is minimal they are not logged.
 */
#include "clone/clone_internal.h"

#include "base/clock.h"
#include "postgres/connection.h"
#include "postgres/quote.h"

#include <stdlib.h>
#include <string.h>

/* Small enough to be in a core's own cache, in all the places where it is on its way. */
#define PIECE_BYTES (32 << 10)
#define LEAST_ROOM  (8 << 10)

/* ------------------------------------------------------------------ the two commands */

bool clone_rows_append_columns(const pgc_relation *table, pgc_buffer *sql, bool parentheses)
{
    const char *before = parentheses ? "(" : "";
    bool any = false;
    for (int i = 0; i < table->column_count; i++) {
        const pgc_column *column = &table->columns[i];
        if (column->dropped || column->generated)
            continue;
        pgc_buffer_text(sql, any ? ", " : before);
        pgc_quote_identifier(sql, column->name);
        any = true;
    }
    if (any && parentheses)
        pgc_buffer_byte(sql, ')');
    return any;
}

static bool goes_binary(const clone_table *table)
{
    if (table->text_types || !table->is_ours)
        return false; /* a table that was there may have other types */
    for (int i = 0; i < table->relation->column_count; i++)
        if (!table->relation->columns[i].dropped && !table->relation->columns[i].generated)
            return true;
    return false;
}

/*
 * The catalog's session holds a lock on the table. When another session waits for an exclusive one, a second request of ours would queue behind it, and it behind us: so this one does not wait.
 */
static void append_source(const clone_item *item, pgc_buffer *sql)
{
    const clone_table *table = item->table;
    const pgc_relation *relation = table->relation;
    const char *schema = relation->object.schema->object.name, *name = relation->object.name;
    bool cut = item->first_block >= 0 || item->end_block >= 0;
    pgc_buffer_text(sql, "LOCK TABLE ONLY ");
    pgc_quote_qualified(sql, schema, name);
    pgc_buffer_format(sql, " IN ACCESS SHARE MODE NOWAIT; SELECT c.relfilenode <> pg_catalog.pg_relation_filenode(c.oid) FROM pg_catalog.pg_class c WHERE c.oid = %u; COPY ", relation->object.oid);
    if (cut || table->condition) {
        pgc_buffer_text(sql, "(SELECT ");
        clone_rows_append_columns(relation, sql, false);
        pgc_buffer_text(sql, " FROM ONLY ");
        pgc_quote_qualified(sql, schema, name);
        const char *joint = " WHERE";
        if (item->first_block >= 0) {
            pgc_buffer_format(sql, "%s ctid >= '(%lld,0)'", joint, (long long)item->first_block);
            joint = " AND";
        }
        if (item->end_block >= 0) {
            pgc_buffer_format(sql, "%s ctid < '(%lld,0)'", joint, (long long)item->end_block);
            joint = " AND";
        }
        if (table->condition)
            pgc_buffer_format(sql, "%s (%s)", joint, table->condition);
        pgc_buffer_text(sql, ")");
    } else {
        pgc_quote_qualified(sql, schema, name);
        pgc_buffer_byte(sql, ' ');
        clone_rows_append_columns(relation, sql, true);
    }
    pgc_buffer_text(sql, goes_binary(table) ? " TO stdout WITH (FORMAT binary)" : " TO stdout");
}

static const char *name_table(const clone_item *item, const char *doing, char *text, size_t size)
{
    snprintf(text, size, "%s table %s.%s", doing, item->table->relation->object.schema->object.name, item->table->relation->object.name);
    return text;
}

/* entry->copy names the table, or the root of its partitions, and the columns, as the catalog has quoted them. */
static void append_target(const clone_item *item, bool frozen, pgc_buffer *sql)
{
    static const char from[] = " FROM stdin;\n";
    size_t length = strlen(item->entry->copy);
    if (clone_extension_rows_are(item->entry)) {
        clone_extension_rows_append_target(item, sql);
        return;
    }
    if (frozen) {
        pgc_buffer_text(sql, "TRUNCATE ONLY ");
        pgc_quote_qualified(sql, item->entry->schema, item->entry->tag);
        pgc_buffer_text(sql, "; ");
    }
    pgc_buffer_append(sql, item->entry->copy, length > sizeof from - 1 ? length - (sizeof from - 1) : length);
    bool binary = goes_binary(item->table);
    pgc_buffer_format(sql, " FROM stdin%s%s%s%s", binary || frozen ? " WITH (" : "", binary ? "FORMAT binary" : "", binary && frozen ? ", " : "", frozen ? "FREEZE" : "");
    pgc_buffer_text(sql, binary || frozen ? ")" : "");
}

/* ------------------------------------------------------------------ the bytes */

static void note_bytes(clone_item *item, int64_t bytes)
{
    item->bytes_passed += bytes;
    atomic_fetch_add(&item->table->bytes_copied, bytes);
}

static int send_piece(clone_session *session, clone_item *item, size_t *length, pgconvoy_error *err)
{
    if (atomic_load(&session->clone->stop)) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "stopped");
        return -1;
    }
    if (*length > 0 && PQputCopyData(session->target, session->piece, (int)*length) <= 0) {
        pgc_connection_error(session->target, NULL, "sending rows", err);
        return -1;
    }
    note_bytes(item, (int64_t)*length);
    *length = 0;
    return 0;
}

/* 1: there was more, 0: that was all, -1. */
static int wait_for_more(clone_session *session, clone_item *item, size_t *length, pgconvoy_error *err)
{
    char *row = NULL;
    int got = PQgetCopyData(session->source, &row, 0);
    if (got == -1)
        return 0;
    if (got < 0) {
        pgc_connection_error(session->source, NULL, "reading rows", err);
        return -1;
    }
    int result = 1;
    if ((size_t)got > PIECE_BYTES - *length && send_piece(session, item, length, err))
        result = -1;
    else if ((size_t)got > PIECE_BYTES) {
        if (pgc_copy_put(session->target, row, (size_t)got) != 0) {
            pgc_connection_error(session->target, NULL, "sending rows", err);
            result = -1;
        }
        note_bytes(item, got);
    } else {
        memcpy(session->piece + *length, row, (size_t)got);
        *length += (size_t)got;
    }
    PQfreemem(row);
    return result;
}

static int pass_rows(clone_session *session, clone_item *item, pgconvoy_error *err)
{
    size_t length = 0;
    for (;;) {
        int got = PQgetlineAsync(session->source, session->piece + length, (int)(PIECE_BYTES - length));
        if (got < 0)
            return send_piece(session, item, &length, err);
        if (got == 0) {
            int more = wait_for_more(session, item, &length, err);
            if (more < 0)
                return -1;
            if (more == 0)
                return send_piece(session, item, &length, err);
        }
        length += (size_t)got;
        if (PIECE_BYTES - length < LEAST_ROOM && send_piece(session, item, &length, err))
            return -1;
    }
}

/* ------------------------------------------------------------------ the ends */

static void drain(PGconn *conn)
{
    PGresult *result;
    while ((result = PQgetResult(conn)) != NULL) {
        ExecStatusType status = PQresultStatus(result);
        PQclear(result);
        if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || PQstatus(conn) == CONNECTION_BAD)
            break;
    }
}

static int end_source(clone_session *session, const char *what, pgconvoy_error *err)
{
    PGresult *result = PQgetResult(session->source);
    bool good = PQresultStatus(result) == PGRES_COMMAND_OK;
    if (!good)
        pgc_connection_error(session->source, result, what, err);
    PQclear(result);
    drain(session->source);
    return good ? 0 : -1;
}

static int end_target(clone_session *session, clone_item *item, bool whole, const char *what, pgconvoy_error *err)
{
    if (PQputCopyEnd(session->target, whole ? NULL : "the rows could not be read") <= 0) {
        if (whole)
            pgc_connection_error(session->target, NULL, what, err);
        return -1;
    }
    PGresult *result = PQgetResult(session->target);
    bool good = PQresultStatus(result) == PGRES_COMMAND_OK;
    /* a refusal by the target says more than that it went away */
    if (!good && (whole || (PQstatus(session->target) == CONNECTION_OK && !err->message[0]))) {
        pgc_connection_error(session->target, result, what, err);
        pgc_connection_hint_at_encoding(err);
    }
    if (good && whole)
        atomic_fetch_add(&item->table->rows_copied, strtoll(PQcmdTuples(result), NULL, 10));
    PQclear(result);
    drain(session->target);
    return good && whole ? 0 : -1;
}

static int refused(clone_session *session, const clone_item *item, const PGresult *result, pgconvoy_error *err)
{
    char what[300];
    pgc_connection_error(session->source, result, name_table(item, "reading", what, sizeof what), err);
    if (strcmp(err->sqlstate, "55P03") == 0) {
        pgconvoy_error_hint(err, "another session has asked for an ACCESS EXCLUSIVE lock on the table since the copy began; run the copy again when it is done");
        pgconvoy_error_retriable(err, true);
    }
    drain(session->source);
    return -1;
}

/* The catalog's session holds a lock on each table from before this was first looked at (tables.c); but its connection, which does nothing for as long as the copy lasts, may have been lost. */
static int rewritten(clone_session *session, const clone_item *item, pgconvoy_error *err)
{
    const pgc_relation *relation = item->table->relation;
    session->is_stale = true;
    pgconvoy_error_set(err, PGCONVOY_ERROR_SOURCE, "table %s.%s was truncated or rewritten while the copy was at work", relation->object.schema->object.name, relation->object.name);
    pgconvoy_error_hint(err, "run the copy again: it takes another snapshot");
    pgconvoy_error_retriable(err, true);
    return -1;
}

/* A COPY that the target has refused in the midst is read to its end. */
static void leave_copy(PGconn *conn)
{
    char *row;
    while (PQtransactionStatus(conn) == PQTRANS_ACTIVE && PQgetCopyData(conn, &row, 0) > 0)
        PQfreemem(row);
    drain(conn);
}

/* The lock, the answer, and the COPY. */
static int begin_source(clone_session *session, const clone_item *item, pgconvoy_error *err)
{
    leave_copy(session->source);
    if (!PQsendQuery(session->source, session->text.data))
        return refused(session, item, NULL, err);
    for (;;) {
        PGresult *result = PQgetResult(session->source);
        ExecStatusType status = PQresultStatus(result);
        bool is_other = status == PGRES_TUPLES_OK && PQntuples(result) == 1 && PQgetvalue(result, 0, 0)[0] == 't';
        bool is_well = status == PGRES_COPY_OUT || status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
        int failed = is_other ? rewritten(session, item, err) : is_well ? 0 : refused(session, item, result, err);
        PQclear(result);
        if (failed || status == PGRES_COPY_OUT)
            return failed;
    }
}

static int begin(clone_session *session, clone_item *item, bool frozen, pgconvoy_error *err)
{
    char what[300];
    pgc_buffer *sql = &session->text;
    pgc_buffer_reset(sql);
    append_source(item, sql);
    if (pgc_buffer_check(sql, err) || begin_source(session, item, err))
        return -1;
    PGresult *result;
    pgc_buffer_reset(sql);
    append_target(item, frozen, sql);
    if (pgc_buffer_check(sql, err))
        return -1;
    result = PQexec(session->target, sql->data);
    bool good = PQresultStatus(result) == PGRES_COPY_IN;
    if (!good)
        pgc_connection_error(session->target, result, name_table(item, "writing", what, sizeof what), err);
    PQclear(result);
    pgc_buffer_reset(sql);
    return good ? 0 : -1;
}

static void note_begin(clone_table *table)
{
    int_least64_t none = 0;
    (void)atomic_compare_exchange_strong(&table->begun_us, &none, pgc_clock_monotonic_us());
}

int clone_rows(clone_session *session, clone_item *item, bool alone, pgconvoy_error *err)
{
    char reading[300], writing[300];
    clone_table *table = item->table;
    if (clone_session_source(session, err))
        return -1;
    if (!session->piece && !(session->piece = malloc(PIECE_BYTES)))
        return pgc_error_out_of_memory(err);
    note_begin(table);
    bool is_of_extension = clone_extension_rows_are(item->entry), writable = true;
    if (is_of_extension && clone_extension_rows_writable(session, item, &writable, err))
        return -1;
    if (!writable)
        return 0;
    if (begin(session, item, alone && table->is_ours && !table->through_root && table->parts == 1 && item->bytes >= CLONE_LARGE_BYTES, err))
        return -1;
    name_table(item, "reading", reading, sizeof reading);
    name_table(item, "writing", writing, sizeof writing);
    item->bytes_passed = 0;
    bool whole = pass_rows(session, item, err) == 0 && end_source(session, reading, err) == 0;
    if (end_target(session, item, whole, writing, err)) {
        note_bytes(item, -item->bytes_passed); /* they may come again */
        return -1;
    }
    return is_of_extension ? clone_extension_rows_end(session, item, err) : 0;
}
