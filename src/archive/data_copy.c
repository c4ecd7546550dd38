/*
 * Rows in COPY's text form. They arrive as one message for each row; libpq copies each into a large piece of memory here, without an allocation for a row, and the piece goes on whole.
 * Of libpq's two ways to take rows, the old PQgetlineAsync writes into memory of ours but never waits, PQgetCopyData waits but allocates: it is used only when nothing more has arrived.
 */
#include "archive/data_internal.h"
#include "postgres/connection.h"

#include <stdlib.h>

#define PIECE_BYTES  (256 << 10)
#define LEAST_ROOM   (16 << 10) /* a piece with less room than this is sent on, so that most rows arrive unbroken */

typedef struct piece {
    char *bytes;
    size_t length;
} piece;

static int send_piece(pgc_data_source *source, piece *piece, pgconvoy_error *err)
{
    size_t length = piece->length;
    piece->length = 0;
    return pgc_data_emit(source, piece->bytes, length, err);
}

/* "(a, b)" without generated columns; nothing when there is no column. */
static void append_columns(pgc_data_source *source, pgc_buffer *sql)
{
    const pgc_relation *table = source->table->relation;
    const char *before = "";
    for (int i = 0; i < table->column_count; i++) {
        const pgc_column *column = &table->columns[i];
        if (column->dropped || column->generated)
            continue;
        pgc_buffer_format(sql, "%s%s", before, pgc_ddl_name(&source->ddl, column->name));
        before = ", ";
    }
}

/*
 * COPY … TO stdout. The columns are named, since those of an inheritance child may stand in another order on the target. COPY takes neither foreign tables nor conditions: those go through a SELECT.
 */
static void append_copy(pgc_data_source *source, pgc_buffer *sql)
{
    const pgc_table_data *data = source->table;
    const char *table = pgc_ddl_object_name(&source->ddl, &data->relation->object);
    bool cut = source->blocks.first >= 0 || source->blocks.end >= 0;
    pgc_buffer columns;
    pgc_buffer_init(&columns, 1 << 20);
    append_columns(source, &columns);
    bool has_columns = columns.length > 0;
    if (columns.failed)
        sql->failed = true;
    if (cut) {
        pgc_buffer_format(sql, "COPY (SELECT %s FROM ONLY %s", has_columns ? columns.data : "", table);
        pgc_data_append_blocks(sql, source->blocks);
        pgc_buffer_text(sql, ") TO stdout");
    } else if (data->filter || data->relation->kind == PGC_RELKIND_FOREIGN) {
        pgc_buffer_format(sql, "COPY (SELECT %s FROM %s %s) TO stdout", has_columns ? columns.data : "*", table, data->filter ? data->filter : "");
    } else if (has_columns) {
        pgc_buffer_format(sql, "COPY %s (%s) TO stdout", table, columns.data);
    } else {
        pgc_buffer_format(sql, "COPY %s TO stdout", table);
    }
    pgc_buffer_free(&columns);
}

/* Waits for one more row. 1: there is one, 0: that was the last, -1: the connection failed or the target did. */
static int wait_for_row(pgc_data_source *source, piece *piece, pgconvoy_error *err)
{
    char *row = NULL;
    int length = PQgetCopyData(source->conn, &row, 0);
    if (length == -1)
        return 0;
    if (length < 0) {
        pgc_connection_error(source->conn, NULL, "PQgetCopyData() failed", err);
        return -1;
    }
    int result = 1;
    source->totals->rows++;
    if ((size_t)length > PIECE_BYTES - piece->length && send_piece(source, piece, err))
        result = -1;
    else if ((size_t)length > PIECE_BYTES) {
        result = pgc_data_emit(source, row, (size_t)length, err) ? -1 : 1;
    } else {
        memcpy(piece->bytes + piece->length, row, (size_t)length);
        piece->length += (size_t)length;
    }
    PQfreemem(row);
    return result;
}

static int take_rows(pgc_data_source *source, piece *piece, pgconvoy_error *err)
{
    for (;;) {
        int got = PQgetlineAsync(source->conn, piece->bytes + piece->length, (int)(PIECE_BYTES - piece->length));
        if (got < 0)
            return 0;
        if (got == 0) {
            int more = wait_for_row(source, piece, err);
            if (more <= 0)
                return more;
        } else {
            piece->length += (size_t)got;
            /* A row too long for the room left comes in several runs; only the last ends with a newline, since those inside values are escaped. */
            source->totals->rows += piece->bytes[piece->length - 1] == '\n';
        }
        if (PIECE_BYTES - piece->length < LEAST_ROOM && send_piece(source, piece, err))
            return -1;
    }
}

static int copy_out(pgc_data_source *source, const char *sql, piece *piece, pgconvoy_error *err)
{
    PGresult *result = pgc_query(source->conn, sql, err);
    if (!result)
        return -1;
    bool copies = PQresultStatus(result) == PGRES_COPY_OUT;
    PQclear(result);
    if (!copies) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_SOURCE, "the server answered otherwise than with rows");
        return -1;
    }
    if (take_rows(source, piece, err)) {
        pgc_error_prefix(err, "dumping the contents of table \"%s\" failed", source->table->relation->object.name);
        return -1;
    }
    result = PQgetResult(source->conn);
    bool good = PQresultStatus(result) == PGRES_COMMAND_OK;
    if (!good) {
        pgc_connection_error(source->conn, result, "PQgetResult() failed", err);
        pgc_error_prefix(err, "dumping the contents of table \"%s\" failed", source->table->relation->object.name);
        if (err->code == PGCONVOY_ERROR_SOURCE)
            err->code = PGCONVOY_ERROR_DATA; /* the query was good: it is a row that could not be read */
    }
    PQclear(result);
    while ((result = PQgetResult(source->conn)))
        PQclear(result);
    return good ? 0 : -1;
}

int pgc_data_copy_rows(pgc_data_source *source, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 2 << 20);
    append_copy(source, &sql);
    piece piece = {malloc(PIECE_BYTES), 0};
    int result = piece.bytes ? pgc_buffer_check(&sql, err) : pgc_error_out_of_memory(err);
    if (result == 0)
        result = copy_out(source, sql.data, &piece, err);
    if (result == 0)
        result = send_piece(source, &piece, err);
    if (result == 0 && source->blocks.end < 0)
        result = pgc_data_emit(source, "\\.\n\n\n", 5, err);
    free(piece.bytes);
    pgc_buffer_free(&sql);
    return result;
}
