/*
 * Rows are gathered into one block of bytes and cut into values in place. libpq gives each row in memory of its own;
 * those are copied together and freed, but for very large ones, which are handed over as they are: nothing of ours is
 * allocated for a row.
 */
#include "source/postgres/copy_read.h"
#include "source/postgres/copy_sql.h"
#include "source/postgres/snapshot.h"
#include "postgres/copy_format.h"

#include <stdio.h>
#include <stdlib.h>

#define BLOCK_BYTES (1 << 20)
#define BLOCK_KEEP_BYTES (8 << 20) /* a block that grew beyond is given back */
#define LARGE_ROW_BYTES (BLOCK_BYTES / 2)
#define ROWS_MAX 16384
#define VALUES_MAX 262144

struct pgc_reader {
    pgc_postgres_source *source;
    PGconn *conn;
    const pgconvoy_table *table;
    uint32_t relation_oid; /* that is read */
    bool reading;          /* a COPY is under way */
    bool raw_only;
    pgc_copy_plan plan;
    size_t flag_count; /* room in plan.as_text */
    size_t rows_max;
    pgc_copy_reader cutter;
    pgc_buffer block;
    pgc_buffer scratch; /* text values that were unescaped */
    char *large;        /* libpq's memory of one large row: next in line, or handed over */
    size_t large_length;
    bool large_given;
    pgconvoy_value *values;
    size_t value_room;
};

int pgc_reader_open(pgc_postgres_source *source, pgc_reader **out, pgconvoy_error *err)
{
    *out = NULL;
    if (!source->snapshot_name) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_INTERNAL, "a reader was opened without a snapshot");
        return -1;
    }
    pgc_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return pgc_error_out_of_memory(err);
    reader->source = source;
    pgc_buffer_init(&reader->block, (size_t)4 << 30);
    pgc_buffer_init(&reader->scratch, (size_t)4 << 30);
    reader->conn = pgc_source_connect(source, PGC_CONNECTION_SQL, "reader", err);
    if (!reader->conn || pgc_snapshot_take(source, reader->conn, err) != 0) {
        pgc_reader_close(reader);
        return -1;
    }
    *out = reader;
    return 0;
}

static void drop_large(pgc_reader *reader)
{
    if (reader->large)
        PQfreemem(reader->large);
    reader->large = NULL;
    reader->large_given = false;
}

void pgc_reader_close(pgc_reader *reader)
{
    if (!reader)
        return;
    drop_large(reader);
    PQfinish(reader->conn); /* in the midst of a COPY too: the server ends it when it finds the connection gone */
    pgc_buffer_free(&reader->block);
    pgc_buffer_free(&reader->scratch);
    free(reader->plan.as_text);
    free(reader->values);
    free(reader);
}

static int read_error(pgc_reader *reader, const PGresult *result, pgconvoy_error *err)
{
    char doing[256];
    snprintf(doing, sizeof doing, "reading table %s.%s", reader->table->schema, reader->table->name);
    pgc_connection_error(reader->conn, result, doing, err);
    reader->reading = false;
    if (strcmp(err->sqlstate, "42703") == 0 || strcmp(err->sqlstate, "42P01") == 0)
        pgconvoy_error_hint(err, "the table was changed or removed since the copy began; run the same command again");
    else if (strcmp(err->sqlstate, "55P03") == 0)
        pgconvoy_error_hint(err, "another session holds a lock on the table; see pg_locks on the source");
    return -1;
}

/* The results of the two statements before the COPY, then COPY_OUT. */
static int await_copy(pgc_reader *reader, pgconvoy_error *err)
{
    for (int statement = 0; statement < 3; statement++) {
        PGresult *result = PQgetResult(reader->conn);
        ExecStatusType status = PQresultStatus(result);
        if (status != (statement < 2 ? PGRES_TUPLES_OK : PGRES_COPY_OUT)) {
            (void)read_error(reader, result, err);
            PQclear(result);
            return -1;
        }
        bool rewritten = statement == 1 &&
                         (PQntuples(result) == 0 || (!PQgetisnull(result, 0, 0) && !pgc_result_bool(result, 0, 0)));
        bool altered = statement == 1 && !rewritten && !pgc_result_bool(result, 0, 1);
        PQclear(result);
        if (rewritten || altered) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "table %s.%s was %s", reader->table->schema,
                               reader->table->name,
                               rewritten ? "truncated or rewritten after the copy's snapshot was taken"
                                         : "altered since it was looked at for the copy");
            pgconvoy_error_hint(err, "it is copied again from a new snapshot");
            pgconvoy_error_retriable(err, true);
            return -1;
        }
    }
    reader->reading = true;
    return 0;
}

static int room_for_flags(pgc_reader *reader, int column_count, pgconvoy_error *err)
{
    if ((size_t)column_count < reader->flag_count)
        return 0;
    size_t count = (size_t)column_count + 1;
    bool *flags = realloc(reader->plan.as_text, count * sizeof *flags);
    if (!flags)
        return pgc_error_out_of_memory(err);
    reader->plan.as_text = flags;
    reader->flag_count = count;
    return 0;
}

int pgc_reader_begin(pgc_reader *reader, const pgc_range *range, const pgconvoy_format *formats, bool raw_only,
                     pgconvoy_error *err)
{
    int columns = range->table->column_count;
    if (room_for_flags(reader, columns, err) != 0)
        return -1;
    drop_large(reader);
    reader->table = range->table;
    reader->relation_oid = range->relation_oid;
    reader->raw_only = raw_only;
    reader->rows_max = columns > 0 && VALUES_MAX / columns < ROWS_MAX ? (size_t)(VALUES_MAX / columns) : ROWS_MAX;
    pgc_copy_plan_make(&reader->plan, range->table, formats, raw_only);
    pgc_copy_reader_init(&reader->cutter, reader->plan.format, columns);
    pgc_buffer sql;
    pgc_buffer_init(&sql, 16 << 20);
    int failed = pgc_copy_sql(range, &reader->plan, &sql, err);
    if (!failed && !PQsendQuery(reader->conn, sql.data))
        failed = read_error(reader, NULL, err);
    pgc_buffer_free(&sql);
    return failed ? -1 : await_copy(reader, err);
}

/* After the last row: how the COPY ended. */
static int end_copy(pgc_reader *reader, pgconvoy_error *err)
{
    reader->reading = false;
    PGresult *result = PQgetResult(reader->conn);
    int failed = PQresultStatus(result) == PGRES_COMMAND_OK ? 0 : read_error(reader, result, err);
    PQclear(result);
    while ((result = PQgetResult(reader->conn)) != NULL)
        PQclear(result);
    return failed;
}

/*
 * Gathers messages into the block until it is full, or a large one is met, which then waits its turn. Leaves reading
 * false at the end.
 */
static int gather(pgc_reader *reader, pgconvoy_error *err)
{
    pgc_buffer *block = &reader->block;
    if (block->capacity > BLOCK_KEEP_BYTES) {
        pgc_buffer_free(block);
        pgc_buffer_init(block, (size_t)4 << 30);
    }
    pgc_buffer_reset(block);
    for (size_t rows = 0; rows < reader->rows_max && block->length < BLOCK_BYTES; rows++) {
        char *message;
        int length = PQgetCopyData(reader->conn, &message, 0);
        if (length == -1)
            return end_copy(reader, err);
        if (length < 0)
            return read_error(reader, NULL, err);
        if (length >= LARGE_ROW_BYTES) {
            reader->large = message;
            reader->large_length = (size_t)length;
            return 0;
        }
        pgc_buffer_append(block, message, (size_t)length);
        PQfreemem(message);
    }
    return pgc_buffer_check(block, err);
}

static int room_for_values(pgc_reader *reader, size_t count, pgconvoy_error *err)
{
    if (count <= reader->value_room)
        return 0;
    size_t room = reader->value_room ? reader->value_room : 1024;
    while (room < count)
        room *= 2;
    pgconvoy_value *values = realloc(reader->values, room * sizeof *values);
    if (!values)
        return pgc_error_out_of_memory(err);
    reader->values = values;
    reader->value_room = room;
    return 0;
}

/* Columns that were cast are bytes of text inside of the binary rows. */
static void mark_text_columns(pgc_reader *reader, pgconvoy_value *row)
{
    for (int i = 0; i < reader->table->column_count; i++)
        if (reader->plan.as_text[i])
            row[i].format = PGCONVOY_TEXT;
}

/* Cuts the bytes into rows. */
static int cut(pgc_reader *reader, const char *bytes, size_t length, pgconvoy_rows *rows, pgconvoy_error *err)
{
    size_t columns = (size_t)reader->table->column_count;
    const char *at = bytes, *end = bytes + length, *raw = bytes, *first = NULL, *last = bytes;
    char *scratch = NULL;
    if (reader->plan.format == PGCONVOY_TEXT && !reader->raw_only) {
        pgc_buffer_reset(&reader->scratch);
        if (!pgc_buffer_reserve(&reader->scratch, length))
            return pgc_error_out_of_memory(err);
        scratch = reader->scratch.data;
    }
    int got;
    for (;;) {
        if (!reader->raw_only && room_for_values(reader, (rows->row_count + 1) * columns, err) != 0)
            return -1;
        /* without columns there may be no values at all; the row is read all the same */
        pgconvoy_value *row = reader->raw_only || !reader->values ? NULL : reader->values + rows->row_count * columns;
        const char *start = at;
        /* unescaped bytes are never more than the escaped: each row has its own bytes' place in scratch */
        got = pgc_copy_read_row(&reader->cutter, &at, end, scratch ? scratch + (start - bytes) : NULL, row, &raw, err);
        if (got != 1)
            break;
        if (!first)
            first = raw;
        last = at;
        rows->row_count++;
        if (row && reader->plan.has_casts)
            mark_text_columns(reader, row);
    }
    if (got < 0) {
        pgc_error_prefix(err, "reading table %s.%s", reader->table->schema, reader->table->name);
        return -1;
    }
    rows->values = reader->raw_only ? NULL : reader->values;
    if (first && !reader->plan.has_casts) {
        rows->raw = first;
        rows->raw_length = (size_t)(last - first);
    }
    return 0;
}

/*
 * A command that writes a table anew (ALTER COLUMN TYPE) leaves it empty to snapshots from before. The snapshot has the
 * file of its time in its pg_class; the lock of the COPY that has ended holds, so that the file cannot change any more.
 */
static int check_not_rewritten(pgc_reader *reader, pgconvoy_error *err)
{
    char oid[16];
    snprintf(oid, sizeof oid, "%u", reader->relation_oid);
    const char *values[] = {oid};
    PGresult *result =
        pgc_query_params(reader->conn,
                         "SELECT FROM pg_catalog.pg_class WHERE oid = $1::pg_catalog.oid AND relkind = 'r' AND "
                         "pg_catalog.pg_relation_filenode(oid) IS DISTINCT FROM relfilenode",
                         1, values, err);
    if (!result)
        return -1;
    bool rewritten = PQntuples(result) > 0;
    PQclear(result);
    if (!rewritten)
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_SOURCE,
                       "table %s.%s was written anew since the snapshot, which does not see its rows any more",
                       reader->table->schema, reader->table->name);
    pgconvoy_error_retriable(err, true);
    return -1;
}

int pgc_reader_next(pgc_reader *reader, pgconvoy_rows *rows, pgconvoy_error *err)
{
    memset(rows, 0, sizeof *rows);
    rows->table = reader->table;
    rows->raw_format = reader->plan.format;
    rows->snapshot_lsn = reader->source->snapshot_lsn;
    if (reader->large_given)
        drop_large(reader);
    while (rows->row_count == 0) {
        if (reader->large) {
            reader->large_given = true;
            if (cut(reader, reader->large, reader->large_length, rows, err) != 0)
                return -1;
            if (rows->row_count == 0)
                drop_large(reader);
            continue;
        }
        if (!reader->reading)
            return pgc_copy_reader_finish(&reader->cutter, err) != 0 ? -1 : check_not_rewritten(reader, err);
        if (gather(reader, err) != 0)
            return -1;
        if (reader->block.length && cut(reader, reader->block.data, reader->block.length, rows, err) != 0)
            return -1;
    }
    return 1;
}
