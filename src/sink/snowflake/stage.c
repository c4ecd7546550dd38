/*
 * Staging: rows as lines of a table of changes. Its columns are the same for all tables, so that nothing has to be made
 * or changed there when a table is: BATCH (which stage's it is), LINE (its number in the batch), ITEM (the row's
 * number: a row that is too long for one request goes in several lines), OP (what the row is for), KEPT (a letter for
 * each column, 'k' where the value stays as it is; NULL when there is none such) and BODY, a JSON array of the values
 * as texts: those of the columns, then those of the old key of a row that moves, or position, order and time in
 * history.
 */
#include "sink/snowflake/snowflake_internal.h"

#include "base/clock.h"
#include "format/json_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define LINE_MAX_BYTES ((size_t)4 << 20)
#define PIECE_BYTES ((size_t)1500000) /* of a row in one line: as a JSON string it is twice as long at most */

struct pgc_sf_stage {
    pgc_sf_sink *sink;
    pgc_sf_channel *channel;
    const pgc_sf_layout *layout;
    pgc_staged_encoder encoder;
    pgc_buffer body, line;
    pgc_sf_batch batch;
    uint64_t items;
    pgc_staged_contents contents;
    char *kept; /* a letter each */
};

pgc_sf_stage *pgc_sf_stage_new(pgc_sf_sink *sink, pgc_sf_channel *channel, const pgc_sf_layout *layout,
                               pgconvoy_error *err)
{
    pgc_sf_stage *stage = calloc(1, sizeof *stage);
    if (!stage) {
        pgc_error_out_of_memory(err);
        return NULL;
    }
    stage->sink = sink;
    stage->channel = channel;
    stage->layout = layout;
    pgc_buffer_init(&stage->body, 2 * PGC_SF_ROW_MAX);
    pgc_buffer_init(&stage->line, LINE_MAX_BYTES);
    snprintf(stage->batch.table, sizeof stage->batch.table, "%s", pgc_sf_channel_table(channel));
    snprintf(stage->batch.name, sizeof stage->batch.name, "%s_%" PRIu64, sink->process,
             pgc_staged_next_number(&sink->base));
    int result = pgc_staged_encoder_init(&stage->encoder, err);
    if (result == 0)
        result = pgc_staged_contents_init(&stage->contents, &layout->base, err);
    stage->kept = calloc((size_t)layout->column_count + 1, 1);
    if (result == 0 && !stage->kept)
        result = pgc_error_out_of_memory(err);
    if (result == 0)
        return stage;
    pgc_sf_stage_free(stage);
    return NULL;
}

void pgc_sf_stage_free(pgc_sf_stage *stage)
{
    if (!stage)
        return;
    pgc_staged_encoder_free(&stage->encoder);
    pgc_buffer_free(&stage->body);
    pgc_buffer_free(&stage->line);
    pgc_staged_contents_free(&stage->contents);
    free(stage->kept);
    free(stage);
}

/* ---- values that cannot be held */

static int unmappable(pgc_sf_stage *stage, int column, const pgc_staged_row *row, const char *why, pgconvoy_error *err)
{
    pgc_buffer type;
    pgc_buffer_init(&type, 100);
    pgc_sf_put_type(&stage->layout->types[column], &type);
    int result = pgc_buffer_check(&type, err);
    if (result == 0)
        result = pgc_staged_value_unmappable(&stage->sink->base, stage->layout->table, column, row, type.data, why,
                                             stage->sink->target.types.unmappable == PGC_UNMAPPABLE_NULL,
                                             &stage->contents.warned[column], err);
    if (result == 0)
        pgc_buffer_text(&stage->body, "null");
    pgc_buffer_free(&type);
    return result;
}

/* ---- rows */

static int put_value(pgc_sf_stage *stage, int column, const pgconvoy_value *value, const pgc_staged_row *row,
                     pgconvoy_error *err)
{
    const char *why = NULL;
    if (stage->body.length > 1)
        pgc_buffer_byte(&stage->body, ',');
    if (!value || value->length < 0) {
        pgc_buffer_text(&stage->body, "null");
        return 0;
    }
    int result = pgc_sf_encode(&stage->encoder, &stage->layout->types[column], value, &stage->body, &why, err);
    return result == 1 ? unmappable(stage, column, row, why, err) : result;
}

/* The value of a column in a DELETE by key; NULL: it is not of the key. */
static const pgconvoy_value *of_key(const pgconvoy_table *table, const pgc_staged_row *row, int column)
{
    for (int i = 0; row->key && i < table->key_count; i++)
        if (table->key[i] == column)
            return &row->key[i];
    return NULL;
}

static int put_body(pgc_sf_stage *stage, const pgc_staged_row *row, bool *any_kept, pgconvoy_error *err)
{
    const pgconvoy_table *table = stage->layout->table;
    pgc_buffer *body = &stage->body;
    pgc_buffer_reset(body);
    pgc_buffer_byte(body, '[');
    *any_kept = false;
    for (int i = 0; i < table->column_count; i++) {
        const pgconvoy_value *value = row->row ? &row->row[i] : of_key(table, row, i);
        bool kept = value && value->length == PGCONVOY_UNCHANGED;
        stage->kept[i] = kept ? 'k' : '-';
        stage->contents.unchanged[i] = stage->contents.unchanged[i] || kept;
        *any_kept = *any_kept || kept;
        if (put_value(stage, i, value, row, err) != 0)
            return -1;
    }
    for (int i = 0; row->row && row->key && i < table->key_count; i++)
        if (put_value(stage, table->key[i], &row->key[i], row, err) != 0)
            return -1;
    if (stage->sink->keeps_history && row->lsn != 0) {
        char time[PGC_TIME_TEXT_SIZE];
        size_t length = pgc_time_to_text(row->time, time);
        time[length - 1] = '\0'; /* Z, as +00:00 */
        pgc_buffer_format(body, "%s\"%" PRIu64 "\",\"%" PRIu32 "\",\"%s+00:00\"", body->length > 1 ? "," : "",
                          (uint64_t)row->lsn, row->sequence, time);
    }
    pgc_buffer_byte(body, ']');
    if (body->failed || body->length > PGC_SF_ROW_MAX)
        return pgc_staged_row_too_large(&stage->sink->base, table, row, "16 MB of text", err);
    return pgc_buffer_check(body, err);
}

/* As much of the text as a line takes, to the end of a character. */
static size_t piece_of(const char *text, size_t length)
{
    if (length <= PIECE_BYTES)
        return length;
    size_t piece = PIECE_BYTES;
    while (piece > 1 && ((unsigned char)text[piece] & 0xc0) == 0x80)
        piece--;
    return piece;
}

static int put_lines(pgc_sf_stage *stage, const pgc_staged_row *row, bool any_kept, pgconvoy_error *err)
{
    uint64_t item = ++stage->items;
    for (size_t at = 0; at < stage->body.length;) {
        pgc_buffer *line = &stage->line;
        size_t piece = piece_of(stage->body.data + at, stage->body.length - at);
        stage->batch.pieces = stage->batch.pieces || piece < stage->body.length;
        pgc_buffer_reset(line);
        pgc_buffer_format(line, "{\"BATCH\":\"%s\",\"LINE\":%" PRIu64 ",\"ITEM\":%" PRIu64 ",\"OP\":\"%s\",",
                          stage->batch.name, ++stage->batch.lines, item, row->op);
        if (any_kept)
            pgc_buffer_format(line, "\"KEPT\":\"%s\",", stage->kept);
        pgc_buffer_text(line, "\"BODY\":");
        pgc_json_string_n(line, stage->body.data + at, piece);
        pgc_buffer_text(line, "}\n");
        if (pgc_buffer_check(line, err) != 0 || pgc_sf_channel_add(stage->channel, line->data, line->length, err) != 0)
            return -1;
        at += piece;
    }
    return 0;
}

int pgc_sf_stage_add(pgc_sf_stage *stage, const pgc_staged_row *row, pgconvoy_error *err)
{
    bool any_kept;
    if (put_body(stage, row, &any_kept, err) != 0)
        return -1;
    pgc_staged_contents_add(&stage->contents, row->op);
    for (size_t i = 0; i < row->copies; i++)
        if (put_lines(stage, row, any_kept, err) != 0)
            return -1;
    return 0;
}

/* ---- what others ask */

const pgc_sf_batch *pgc_sf_stage_batch(const pgc_sf_stage *stage)
{
    return &stage->batch;
}

const pgc_sf_layout *pgc_sf_stage_layout(const pgc_sf_stage *stage)
{
    return stage->layout;
}

const pgc_staged_contents *pgc_sf_stage_contents(const pgc_sf_stage *stage)
{
    return &stage->contents;
}

/* ---- tables of changes */

int pgc_sf_stage_make(pgc_sf_sink *sink, const char *table, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 4096);
    pgc_buffer_text(&sql, "CREATE TABLE IF NOT EXISTS ");
    pgc_sf_quote_table(sink, table, &sql);
    pgc_buffer_text(&sql, " (BATCH VARCHAR, LINE NUMBER(38, 0), ITEM NUMBER(38, 0), OP VARCHAR, KEPT VARCHAR, BODY "
                          "VARCHAR) DATA_RETENTION_TIME_IN_DAYS = 0");
    int result = pgc_sf_run(sink, &sql, false, "creating a table of changes", err);
    pgc_buffer_free(&sql);
    return result;
}
