/* Rows of a table copy: encoded into one body, which is sent when it is large enough. */
#include "sink/clickhouse/clickhouse_internal.h"

int pgc_clickhouse_copy_begin(pgc_clickhouse_writer *writer, const pgconvoy_table *table, pgconvoy_error *err)
{
    pgc_buffer_reset(&writer->body);
    pgc_clickhouse_layout_free(writer->copying);
    writer->copying = pgc_clickhouse_layout_new(writer->sink, table, err);
    if (!writer->copying)
        return -1;
    return pgc_clickhouse_match_columns(writer->sink, &writer->session, writer->copying, false, false, err);
}

int pgc_clickhouse_send_rows(pgc_clickhouse_writer *writer, const pgc_clickhouse_layout *layout, pgc_buffer *body,
                             pgconvoy_error *err)
{
    if (body->length == 0)
        return 0;
    const pgc_clickhouse_sink *sink = writer->sink;
    pgc_buffer sql;
    pgc_buffer_init(&sql, (size_t)4 << 20);
    pgc_buffer_text(&sql, "INSERT INTO ");
    pgc_clickhouse_table_name(sink, layout->name, false, &sql);
    pgc_buffer_text(&sql, " (");
    pgc_clickhouse_column_names(layout, true, &sql);
    pgc_buffer_text(&sql, ") FORMAT RowBinary");
    /* without a key only the token keeps rows from coming twice */
    bool repeatable = layout->form == PGC_CLICKHOUSE_KEYED || sink->has.deduplication_token;
    int result = pgc_clickhouse_insert(&writer->session, &sql, body, repeatable, layout->doing, err);
    pgc_buffer_free(&sql);
    pgc_buffer_reset(body);
    return result;
}

int pgc_clickhouse_write_rows(void *state, const pgconvoy_rows *rows, pgconvoy_error *err)
{
    pgc_clickhouse_writer *writer = state;
    const pgc_clickhouse_mark mark = {.sign = 1, .operation = "copy", .change_lsn = rows->snapshot_lsn};
    size_t columns = (size_t)rows->table->column_count;
    int not_nullable = -1;
    for (size_t row = 0; row < rows->row_count; row++) {
        if (pgc_clickhouse_put_row(writer->sink, writer->copying, &writer->encoder, rows->values + row * columns, &mark,
                                   &writer->body, &not_nullable, err) != 0)
            return -1;
        if (not_nullable >= 0) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_STATE,
                               "column %s of table %s.%s is NULL in a row, but was NOT NULL when the copy began",
                               writer->copying->names[not_nullable], rows->table->schema, rows->table->name);
            pgconvoy_error_retriable(err, true);
            return -1;
        }
        if (writer->body.length >= writer->sink->insert_bytes &&
            pgc_clickhouse_send_rows(writer, writer->copying, &writer->body, err) != 0)
            return -1;
    }
    return pgc_buffer_check(&writer->body, err);
}
