/*
 * The table copy: COPY's bytes from the source go to COPY on the target as they are. The source gives all columns of a
 * table in one format (see column_format), so either form passes through; only header and trailer are written here.
 */
#include "sink/postgres/sink_internal.h"

#include <stdio.h>

/* Signature, flags, length of the header's extension (reference page of COPY, "Binary Format"). */
static const char binary_header[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0";
#define BINARY_HEADER_BYTES 19
static const char binary_trailer[] = "\377\377";

static void describe(const pgc_pgsink_writer *writer, char *doing, size_t size)
{
    snprintf(doing, size, "copying rows into %s.%s", writer->copy_table->schema, writer->copy_table->name);
}

/* The server has ended the COPY by itself: its error is the next result. */
static int copy_failed(pgc_pgsink_writer *writer, pgconvoy_error *err)
{
    char doing[300];
    describe(writer, doing, sizeof doing);
    writer->copying = false;
    PGresult *result = PQstatus(writer->conn) == CONNECTION_OK ? PQgetResult(writer->conn) : NULL;
    pgc_pgsink_error(writer->conn, PQresultStatus(result) == PGRES_FATAL_ERROR ? result : NULL, doing, err);
    PQclear(result);
    return -1;
}

int pgc_pgsink_copy_put(pgc_pgsink_writer *writer, const char *data, size_t length, pgconvoy_error *err)
{
    return pgc_copy_put(writer->conn, data, length) != 0 ? copy_failed(writer, err) : 0;
}

int pgc_pgsink_copy_begin(pgc_pgsink_writer *writer, pgconvoy_format format, pgconvoy_error *err)
{
    const pgconvoy_table *table = writer->copy_table;
    char doing[300];
    describe(writer, doing, sizeof doing);
    pgc_buffer sql;
    pgc_buffer_init(&sql, PGSINK_SQL_LIMIT);
    pgc_buffer_text(&sql, "COPY ");
    pgc_quote_qualified(&sql, table->schema, table->name);
    for (int i = 0; i < table->column_count; i++) {
        pgc_buffer_text(&sql, i ? ", " : " (");
        pgc_quote_identifier(&sql, table->columns[i].name);
    }
    pgc_buffer_text(&sql, table->column_count ? ") FROM STDIN" : " FROM STDIN");
    pgc_buffer_text(&sql, format == PGCONVOY_BINARY ? " (FORMAT binary)" : " (FORMAT text)");
    int status = pgc_pgsink_execute_buffer(writer->conn, &sql, doing, err);
    pgc_buffer_free(&sql);
    if (status != 0)
        return -1;
    writer->copying = true;
    writer->copy_format = format;
    return format == PGCONVOY_BINARY ? pgc_pgsink_copy_put(writer, binary_header, BINARY_HEADER_BYTES, err) : 0;
}

int pgc_pgsink_copy_end(pgc_pgsink_writer *writer, pgconvoy_error *err)
{
    if (!writer->copying)
        return 0;
    if (writer->copy_format == PGCONVOY_BINARY &&
        pgc_pgsink_copy_put(writer, binary_trailer, 2, err) != 0)
        return -1;
    if (PQputCopyEnd(writer->conn, NULL) != 1)
        return copy_failed(writer, err);
    writer->copying = false;
    char doing[300];
    describe(writer, doing, sizeof doing);
    int status = 0;
    for (PGresult *result; (result = PQgetResult(writer->conn)) != NULL; PQclear(result))
        if (status == 0 && PQresultStatus(result) != PGRES_COMMAND_OK) {
            pgc_pgsink_error(writer->conn, result, doing, err);
            status = -1;
        }
    return status;
}

void pgc_pgsink_copy_give_up(pgc_pgsink_writer *writer)
{
    if (writer->copying)
        PQputCopyEnd(writer->conn, "given up");
    for (PGresult *result; writer->copying && (result = PQgetResult(writer->conn)) != NULL;)
        PQclear(result);
    writer->copying = false;
}

int pgc_pgsink_write_rows(void *state, const pgconvoy_rows *rows, pgconvoy_error *err)
{
    pgc_pgsink_writer *writer = state;
    if (!writer->copy_table) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_INTERNAL, "rows of a table copy came outside of one");
        return -1;
    }
    if (rows->row_count == 0)
        return 0;
    if (writer->copying && writer->copy_format != rows->raw_format && pgc_pgsink_copy_end(writer, err) != 0)
        return -1;
    if (!writer->copying && pgc_pgsink_copy_begin(writer, rows->raw_format, err) != 0)
        return -1;
    return pgc_pgsink_copy_put(writer, rows->raw, rows->raw_length, err);
}
