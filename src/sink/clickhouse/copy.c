/*
 * Rows of a table copy. A load has the rows of one table that wait, and a session of its own: while one body is being
 * sent, which takes as long as the server needs to store it, the next one is filled. A body is compressed as it is
 * filled, block by block, so that it may hold many more rows than there is memory for: the fewer parts the server makes
 * of a table, the less it has to merge.
 *
 * A load lasts over the ranges of its table: a range that is committed parks it, whoever begins the next range takes it
 * up again, and finish_table sends what is left. So nearly all bodies are as large as they may be, and the server has
 * few parts to merge. Nothing is lost by it: a copy that is cut off repeats its tables anyway.
 */
#include "sink/clickhouse/clickhouse_internal.h"

#include "base/background.h"

#include <stdlib.h>

#define KEPT_BYTES ((size_t)1 << 20)
#define BLOCK_BYTES ((size_t)1 << 20) /* what a processor's cache holds */
/* What the server has of one INSERT in its memory, once and a half; below max_insert_block_size and
 * min_insert_block_size_bytes, so that it is one part. */
#define INSERT_ROWS_MAX ((size_t)1000000)
#define INSERT_PLAIN_BYTES_MAX ((size_t)64 << 20)

typedef enum load_state { IDLE, USED, PARKED } load_state;

struct pgc_clickhouse_load {
    struct pgc_clickhouse_load *next; /* of the sink's; under its load_lock, as is the state */
    load_state state;
    struct pgc_clickhouse_load *next_taken; /* while the table is finished */
    pgc_clickhouse_sink *sink;
    pgc_clickhouse_session session;
    pgc_clickhouse_layout *layout; /* NULL: IDLE */
    uint32_t oid;                  /* of its table, which may be gone when an attempt has failed; 0: IDLE */
    pgc_clickhouse_block *block;   /* rows of the last block; NULL: they are in RowBinary */
    pgc_buffer rows;               /* the last block in RowBinary */
    pgc_http_encoder *encoder;
    pgc_buffer body, sending; /* blocks in their encoding */
    size_t body_rows, body_plain_bytes;
    pgc_background *background; /* sends; NULL until there is something to send */
};

static int insert(const pgc_clickhouse_sink *sink, pgc_clickhouse_session *session, const pgc_clickhouse_layout *layout,
                  const char *format, bool encoded, pgc_buffer *body, pgconvoy_error *err)
{
    if (body->length == 0)
        return 0;
    pgc_buffer sql;
    pgc_buffer_init(&sql, (size_t)4 << 20);
    pgc_buffer_text(&sql, "INSERT INTO ");
    pgc_clickhouse_table_name(sink, layout->name, false, &sql);
    pgc_buffer_text(&sql, " (");
    pgc_clickhouse_column_names(sink, layout, true, &sql);
    pgc_buffer_format(&sql, ") FORMAT %s", format);
    /* without a key only the token keeps rows from coming twice */
    bool repeatable = layout->form == PGC_CLICKHOUSE_KEYED || sink->has.deduplication_token;
    int result = pgc_clickhouse_insert(session, &sql, body, encoded, repeatable, layout->doing, err);
    pgc_buffer_free(&sql);
    pgc_buffer_reset(body);
    return result;
}

int pgc_clickhouse_send_rows(const pgc_clickhouse_sink *sink, pgc_clickhouse_session *session,
                             const pgc_clickhouse_layout *layout, pgc_buffer *body, pgconvoy_error *err)
{
    return insert(sink, session, layout, "RowBinary", false, body, err);
}

/* ---- the list of loads */

/* One in this state, of the table of this oid, and of this very table unless that is NULL: the caller's now. NULL:
 * there is none. */
static pgc_clickhouse_load *take(pgc_clickhouse_sink *sink, load_state state, uint32_t oid, const pgconvoy_table *table)
{
    pthread_mutex_lock(&sink->load_lock);
    pgc_clickhouse_load *load = sink->loads;
    while (load && (load->state != state || load->oid != oid || (table && load->layout->table != table)))
        load = load->next;
    if (load)
        load->state = USED;
    pthread_mutex_unlock(&sink->load_lock);
    return load;
}

static void set_state(pgc_clickhouse_load *load, load_state state)
{
    pthread_mutex_lock(&load->sink->load_lock);
    load->state = state;
    pthread_mutex_unlock(&load->sink->load_lock);
}

static void free_load(pgc_clickhouse_load *load)
{
    pgc_background_free(load->background); /* before what its thread uses */
    pgc_clickhouse_block_free(load->block);
    pgc_clickhouse_layout_free(load->layout);
    pgc_http_encoder_free(load->encoder);
    pgc_buffer_free(&load->rows);
    pgc_buffer_free(&load->body);
    pgc_buffer_free(&load->sending);
    pgc_clickhouse_session_close(&load->session);
    free(load);
}

static pgc_clickhouse_load *add_load(pgc_clickhouse_sink *sink, pgconvoy_error *err)
{
    pgc_clickhouse_load *load = calloc(1, sizeof *load);
    if (!load) {
        (void)pgc_error_out_of_memory(err);
        return NULL;
    }
    load->sink = sink;
    load->state = USED;
    pgc_buffer_init(&load->rows, SIZE_MAX / 2);
    pgc_buffer_init(&load->body, SIZE_MAX / 2);
    pgc_buffer_init(&load->sending, SIZE_MAX / 2);
    load->encoder = pgc_http_encoder_new(sink->target.compression, err);
    if (!load->encoder ||
        pgc_clickhouse_session_open(&load->session, &sink->target, &sink->has, sink->config->log, err) != 0) {
        free_load(load);
        return NULL;
    }
    pthread_mutex_lock(&sink->load_lock);
    load->next = sink->loads;
    sink->loads = load;
    pthread_mutex_unlock(&sink->load_lock);
    return load;
}

void pgc_clickhouse_loads_free(pgc_clickhouse_sink *sink)
{
    for (pgc_clickhouse_load *load; (load = sink->loads) != NULL;) {
        sink->loads = load->next;
        free_load(load);
    }
}

/* ---- sending */

static void trim(pgc_buffer *buffer)
{
    pgc_buffer_reset(buffer);
    if (buffer->capacity > KEPT_BYTES)
        pgc_buffer_free(buffer);
}

static int wait_for_sending(pgc_clickhouse_load *load, pgconvoy_error *err)
{
    return load->background ? pgc_background_finish(load->background, err) : 0;
}

static int send_what_is_there(void *arg, pgconvoy_error *err)
{
    pgc_clickhouse_load *load = arg;
    return insert(load->sink, &load->session, load->layout, load->block ? "Native" : "RowBinary", true, &load->sending,
                  err);
}

/* The rows of the last block go to the body. */
static int end_block(pgc_clickhouse_load *load, pgconvoy_error *err)
{
    if (load->block && pgc_clickhouse_block_rows(load->block) > 0) {
        load->body_rows += pgc_clickhouse_block_rows(load->block);
        load->body_plain_bytes += pgc_clickhouse_block_bytes(load->block);
        return pgc_clickhouse_block_put(load->block, load->encoder, &load->body, err);
    }
    if (pgc_buffer_check(&load->rows, err) != 0 ||
        pgc_http_encoder_add(load->encoder, load->rows.data, load->rows.length, &load->body, err) != 0)
        return -1;
    load->body_plain_bytes += load->rows.length;
    trim(&load->rows);
    return 0;
}

/* All rows there are. The body is empty afterwards. */
static int send_body(pgc_clickhouse_load *load, pgconvoy_error *err)
{
    if (end_block(load, err) != 0)
        return -1;
    if (load->body_plain_bytes == 0 && load->body_rows == 0)
        return 0;
    load->body_plain_bytes = load->body_rows = 0;
    if (pgc_http_encoder_end(load->encoder, &load->body, err) != 0 || wait_for_sending(load, err) != 0)
        return -1;
    pgc_buffer full = load->body;
    load->body = load->sending;
    load->sending = full;
    if (!load->background && !(load->background = pgc_background_new()))
        return send_what_is_there(load, err); /* without a thread they take turns */
    pgc_background_start(load->background, send_what_is_there, load);
    return 0;
}

/* It is for any table now; what it still had is lost. */
static void release(pgc_clickhouse_load *load)
{
    pgconvoy_error ignored = {0};
    if (wait_for_sending(load, &ignored) != 0)
        pgc_log_debug(load->sink->config->log, "rows of a copy that is given up: %s", ignored.message);
    pgc_clickhouse_block_free(load->block);
    load->block = NULL;
    pgc_clickhouse_layout_free(load->layout);
    load->layout = NULL;
    load->oid = 0;
    pgc_http_encoder_reset(load->encoder);
    load->body_plain_bytes = load->body_rows = 0;
    trim(&load->rows);
    trim(&load->body);
    trim(&load->sending);
    set_state(load, IDLE);
}

/* ---- what the sink's operations call */

int pgc_clickhouse_copy_begin(pgc_clickhouse_writer *writer, const pgconvoy_table *table, pgconvoy_error *err)
{
    pgc_clickhouse_sink *sink = writer->sink;
    if ((writer->load = take(sink, PARKED, table->oid, table)) != NULL)
        return 0;
    pgc_clickhouse_load *load = take(sink, IDLE, 0, NULL);
    if (!load && !(load = add_load(sink, err)))
        return -1;
    load->layout = pgc_clickhouse_layout_new(sink, table, err);
    load->oid = table->oid;
    if (!load->layout || pgc_clickhouse_match_columns(sink, &load->session, load->layout, false, false, err) != 0 ||
        (pgc_clickhouse_block_can_hold(load->layout) &&
         !(load->block = pgc_clickhouse_block_new(sink, load->layout, err)))) {
        release(load);
        return -1;
    }
    writer->load = load;
    return 0;
}

void pgc_clickhouse_copy_park(pgc_clickhouse_writer *writer)
{
    set_state(writer->load, PARKED);
    writer->load = NULL;
}

void pgc_clickhouse_copy_abort(pgc_clickhouse_writer *writer)
{
    if (writer->load)
        release(writer->load);
    writer->load = NULL;
}

int pgc_clickhouse_copy_finish(pgc_clickhouse_sink *sink, const pgconvoy_table *table, pgconvoy_error *err)
{
    pgc_clickhouse_load *taken = NULL;
    int result = 0;
    /* what is left of each goes at the same time */
    for (pgc_clickhouse_load *load; result == 0 && (load = take(sink, PARKED, table->oid, table)) != NULL;
         taken = load) {
        load->next_taken = taken;
        result = send_body(load, err);
    }
    for (pgc_clickhouse_load *load = taken; load; load = load->next_taken) {
        if (result == 0)
            result = wait_for_sending(load, err);
        release(load);
    }
    return result;
}

void pgc_clickhouse_copy_forget(pgc_clickhouse_sink *sink, uint32_t oid)
{
    for (pgc_clickhouse_load *load; (load = take(sink, PARKED, oid, NULL)) != NULL;)
        release(load);
}

static int null_where_there_was_none(const pgc_clickhouse_load *load, const pgconvoy_table *table, int column,
                                     pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_STATE,
                       "column %s of table %s.%s is NULL in a row, but was NOT NULL when the copy began",
                       load->layout->names[column], table->schema, table->name);
    pgconvoy_error_retriable(err, true);
    return -1;
}

static int put_rows(pgc_clickhouse_load *load, pgc_clickhouse_encoder *encoder, const pgconvoy_rows *rows,
                    int *not_nullable, pgconvoy_error *err)
{
    const pgc_clickhouse_mark mark = {.sign = 1, .operation = "copy", .change_lsn = rows->snapshot_lsn};
    size_t columns = (size_t)rows->table->column_count;
    for (size_t row = 0; row < rows->row_count && *not_nullable < 0; row++) {
        if (pgc_clickhouse_put_row(load->sink, load->layout, encoder, rows->values + row * columns, &mark, &load->rows,
                                   not_nullable, err) != 0)
            return -1;
    }
    load->body_rows += rows->row_count;
    return 0;
}

int pgc_clickhouse_write_rows(void *state, const pgconvoy_rows *rows, pgconvoy_error *err)
{
    pgc_clickhouse_writer *writer = state;
    pgc_clickhouse_load *load = writer->load;
    int not_nullable = -1;
    int result = load->block ? pgc_clickhouse_block_add(load->block, &writer->encoder, rows, &not_nullable, err)
                             : put_rows(load, &writer->encoder, rows, &not_nullable, err);
    if (result != 0)
        return -1;
    if (not_nullable >= 0)
        return null_where_there_was_none(load, rows->table, not_nullable, err);
    size_t bytes = load->block ? pgc_clickhouse_block_bytes(load->block) : load->rows.length;
    size_t row_count = load->body_rows + (load->block ? pgc_clickhouse_block_rows(load->block) : 0);
    if (bytes >= BLOCK_BYTES && end_block(load, err) != 0)
        return -1;
    bool full = load->body.length >= writer->sink->insert_bytes || load->body_plain_bytes >= INSERT_PLAIN_BYTES_MAX ||
                row_count >= INSERT_ROWS_MAX;
    return full ? send_body(load, err) : 0;
}
