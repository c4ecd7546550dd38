/*
 * An entry's data into the database: COPY's rows as they come from the archive, INSERT commands in groups, large objects through libpq's functions. Nothing of it is held for longer than until it is sent.
 */
#include "archive/restore_internal.h"
#include "archive/sql_split.h"
#include "postgres/connection.h"
#include "postgres/quote.h"

#include <libpq/libpq-fs.h>
#include <stdlib.h>

#define BATCH_BYTES    (64 << 10)
#define BATCH_COMMANDS 128
#define CHUNK_BYTES    (256 << 10)

static int check_stop(restore_session *session, size_t length, pgconvoy_error *err)
{
    atomic_fetch_add(&session->restore->bytes, (int64_t)length);
    if (!atomic_load(&session->restore->stop))
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "stopped, since another session failed");
    return -1;
}

/* ------------------------------------------------------------------ COPY */

static int send_rows(void *arg, const char *bytes, size_t length, pgconvoy_error *err)
{
    restore_session *session = arg;
    if (check_stop(session, length, err))
        return -1;
    if (pgc_copy_put(session->conn, bytes, length) == 0)
        return 0;
    pgc_connection_error(session->conn, NULL, "error returned by PQputCopyData", err);
    return -1;
}

/* The rows as they are in the archive: the server itself stops at the line "\.". */
static int copy_rows(restore_session *session, const pgc_entry *entry, pgconvoy_error *err)
{
    const pgc_data_target target = {.write = send_rows, .arg = session};
    if (pgc_archive_read_data(session->restore->reader, entry, &target, err)) {
        (void)PQputCopyEnd(session->conn, "the archive could not be read");
        return -1;
    }
    if (PQputCopyEnd(session->conn, NULL) <= 0) {
        pgc_connection_error(session->conn, NULL, "error returned by PQputCopyEnd", err);
        return -1;
    }
    PGresult *result = PQgetResult(session->conn);
    bool good = PQresultStatus(result) == PGRES_COMMAND_OK;
    PQclear(result);
    int status = 0;
    if (!good) {
        char what[256];
        snprintf(what, sizeof what, "COPY failed for table \"%.200s\"", entry->tag);
        status = restore_session_refused(session, what, NULL, err);
    }
    while ((result = PQgetResult(session->conn)))
        PQclear(result);
    return status;
}

/* ------------------------------------------------------------------ INSERT */

/* Commands that are sent together: the server runs them as one transaction, and there is one answer to wait for. */
typedef struct batch {
    restore_session *session;
    pgc_buffer text;
    size_t ends[BATCH_COMMANDS]; /* where each command ends in text, its NUL not counted */
    int count;
} batch;

static const char *command_at(const batch *batch, int i)
{
    return batch->text.data + (i > 0 ? batch->ends[i - 1] + 1 : 0);
}

/* Sends the commands from … until-1 as one text; gives how many went well, all of them or those before the one that was refused. -1: the connection is lost. */
static int send_commands(batch *batch, int from, int until, pgconvoy_error *err)
{
    PGconn *conn = batch->session->conn;
    char *text = batch->text.data;
    for (int i = from; i < until - 1; i++)
        text[batch->ends[i]] = '\n';
    bool sent = PQsendQuery(conn, command_at(batch, from));
    for (int i = from; i < until - 1; i++)
        text[batch->ends[i]] = '\0';
    int good = 0;
    bool refused = !sent;
    PGresult *result;
    while (sent && (result = PQgetResult(conn))) {
        ExecStatusType status = PQresultStatus(result);
        refused = refused || (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK);
        good += !refused;
        PQclear(result);
    }
    if (PQstatus(conn) == CONNECTION_BAD) {
        pgc_connection_error(conn, NULL, "could not execute query", err);
        return -1;
    }
    return good;
}

/*
 * When one command is refused, those before it are undone with it, and are run again without it; then it goes on behind it. Inside of a transaction nothing can follow.
 */
static int run_batch(batch *batch, int from, int until, pgconvoy_error *err)
{
    restore_session *session = batch->session;
    while (from < until && PQtransactionStatus(session->conn) != PQTRANS_INERROR) {
        int good = send_commands(batch, from, until, err);
        if (good < 0)
            return -1;
        if (from + good >= until)
            return 0;
        if (restore_session_refused(session, "could not execute query", command_at(batch, from + good), err))
            return -1;
        if (good > 0 && run_batch(batch, from, from + good, err))
            return -1;
        from += good + 1;
    }
    return 0;
}

static int flush_batch(batch *batch, pgconvoy_error *err)
{
    if (pgc_buffer_check(&batch->text, err))
        return -1;
    int result = run_batch(batch, 0, batch->count, err);
    batch->count = 0;
    pgc_buffer_reset(&batch->text);
    return result;
}

static int add_command(void *arg, const char *sql, size_t length, pgconvoy_error *err)
{
    batch *batch = arg;
    pgc_buffer_append(&batch->text, sql, length);
    batch->ends[batch->count++] = batch->text.length;
    pgc_buffer_byte(&batch->text, '\0');
    return batch->count < BATCH_COMMANDS && batch->text.length < BATCH_BYTES ? 0 : flush_batch(batch, err);
}

typedef struct inserter {
    pgc_sql_split split;
    batch batch;
} inserter;

static int take_commands(void *arg, const char *bytes, size_t length, pgconvoy_error *err)
{
    inserter *inserter = arg;
    if (check_stop(inserter->batch.session, length, err))
        return -1;
    return pgc_sql_split_feed(&inserter->split, bytes, length, err);
}

static int run_commands(restore_session *session, const pgc_entry *entry, pgconvoy_error *err)
{
    const char *standard_strings = PQparameterStatus(session->conn, "standard_conforming_strings");
    inserter *inserter = calloc(1, sizeof *inserter);
    if (!inserter)
        return pgc_error_out_of_memory(err);
    inserter->batch.session = session;
    inserter->split = (pgc_sql_split){.backslashes = standard_strings && strcmp(standard_strings, "off") == 0, .command = add_command, .arg = &inserter->batch};
    pgc_sql_split_begin(&inserter->split);
    pgc_buffer_init(&inserter->batch.text, (size_t)3 << 30);
    const pgc_data_target target = {.write = take_commands, .arg = inserter};
    int result = pgc_archive_read_data(session->restore->reader, entry, &target, err);
    pgconvoy_error ignored = {0};
    if (result)
        pgc_buffer_reset(&inserter->split.text);
    if (pgc_sql_split_end(&inserter->split, result ? &ignored : err))
        result = -1;
    if (result == 0)
        result = flush_batch(&inserter->batch, err);
    pgc_buffer_free(&inserter->batch.text);
    free(inserter);
    return result;
}

/* ------------------------------------------------------------------ large objects */

typedef struct large_object {
    restore_session *session;
    uint32_t oid;
    int fd, count;
    size_t length;
    char *chunk;
} large_object;

static int write_chunk(large_object *object, pgconvoy_error *err)
{
    for (size_t at = 0; at < object->length;) {
        int written = lo_write(object->session->conn, object->fd, object->chunk + at, object->length - at);
        if (written <= 0) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "could not write to large object %u: %s", object->oid, PQerrorMessage(object->session->conn));
            return -1;
        }
        at += (size_t)written;
    }
    object->length = 0;
    return 0;
}

static int take_bytes(void *arg, const char *bytes, size_t length, pgconvoy_error *err)
{
    large_object *object = arg;
    if (check_stop(object->session, length, err))
        return -1;
    while (length > 0) {
        size_t room = CHUNK_BYTES - object->length, part = length < room ? length : room;
        memcpy(object->chunk + object->length, bytes, part);
        object->length += part;
        bytes += part;
        length -= part;
        if (object->length == CHUNK_BYTES && write_chunk(object, err))
            return -1;
    }
    return 0;
}

static int take_large_object(void *arg, uint32_t oid, pgconvoy_error *err)
{
    large_object *object = arg;
    PGconn *conn = object->session->conn;
    if (oid == 0) {
        int result = write_chunk(object, err);
        lo_close(conn, object->fd);
        object->count++;
        return result;
    }
    restore_say(object->session->restore, "restoring large object with OID %u", oid);
    object->oid = oid;
    object->fd = lo_open(conn, oid, INV_WRITE);
    if (object->fd >= 0)
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "could not open large object %u: %s", oid, PQerrorMessage(conn));
    return -1;
}

static int write_large_objects(restore_session *session, const pgc_entry *entry, pgconvoy_error *err)
{
    large_object object = {.session = session, .fd = -1, .chunk = malloc(CHUNK_BYTES)};
    if (!object.chunk)
        return pgc_error_out_of_memory(err);
    const pgc_data_target target = {.write = take_bytes, .large_object = take_large_object, .arg = &object};
    int result = pgc_archive_read_data(session->restore->reader, entry, &target, err);
    free(object.chunk);
    if (result == 0)
        restore_say(session->restore, "restored %d large object%s", object.count, object.count == 1 ? "" : "s");
    return result;
}

/* ------------------------------------------------------------------ */

static int truncate_table(restore_session *session, const pgc_entry *entry, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 1 << 16);
    pgc_buffer_text(&sql, "TRUNCATE TABLE ONLY ");
    pgc_quote_qualified(&sql, entry->schema, entry->tag);
    pgc_buffer_byte(&sql, ';');
    int result = restore_session_run(session, "BEGIN", NULL, err);
    if (result == 0)
        result = pgc_buffer_check(&sql, err);
    if (result == 0)
        result = restore_session_run(session, sql.data, NULL, err);
    pgc_buffer_free(&sql);
    return result;
}

static int load_table(restore_session *session, const pgc_entry *entry, pgconvoy_error *err)
{
    bool copies = entry->copy && entry->copy[0], waits = false;
    if (!copies)
        return run_commands(session, entry, err);
    if (restore_session_run(session, entry->copy, &waits, err))
        return -1;
    return waits ? copy_rows(session, entry, err) : 0; /* refused: there is no place for the rows */
}

int restore_data(restore_session *session, const pgc_entry *entry, bool truncate, pgconvoy_error *err)
{
    if (strcmp(entry->description, "BLOBS") == 0)
        return write_large_objects(session, entry, err);
    if (truncate && truncate_table(session, entry, err))
        return -1;
    if (load_table(session, entry, err))
        return -1;
    return truncate ? restore_session_run(session, "COMMIT", NULL, err) : 0;
}
