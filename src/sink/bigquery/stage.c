/*
 * Staging: rows as lines of JSON, compressed, in one file for each load job. JSON rather than Parquet: it needs nothing
 * but zlib, a line says which value of which row the service did not like, and both are loaded for nothing.
 *
 * Columns of a staging table go by their places (c0, c1 …), so that no name of a user's column can be in the way: `op`
 * is what the row is for, k0 … the old key of a row that moves, u0 … whether a value stays as it is.
 */
#include "sink/bigquery/bigquery_internal.h"

#include "apply/staging_file.h"
#include "base/clock.h"
#include "format/json_text.h"
#include "postgres/value.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define LINE_MAX_BYTES ((size_t)100 << 20) /* of a row: the service's limit */
#define STAGE_DAYS 2

struct pgc_bq_stage {
    pgc_bq_sink *sink;
    const pgc_bq_layout *layout;
    pgc_staged_encoder encoder;
    pgc_staging_file *file;
    pgc_buffer line;
    int64_t bytes;
    pgc_staged_contents contents;
    char table[128], job_id[128];
};

pgc_bq_stage *pgc_bq_stage_new(pgc_bq_sink *sink, const pgc_bq_layout *layout, pgconvoy_error *err)
{
    pgc_bq_stage *stage = calloc(1, sizeof *stage);
    if (!stage) {
        pgc_error_out_of_memory(err);
        return NULL;
    }
    stage->sink = sink;
    stage->layout = layout;
    pgc_buffer_init(&stage->line, LINE_MAX_BYTES);
    int result = pgc_staged_encoder_init(&stage->encoder, err);
    if (result == 0)
        result = pgc_staged_contents_init(&stage->contents, &layout->base, err);
    if (result == 0) {
        stage->file = pgc_staging_file_new(sink->config->state_dir, err);
        result = stage->file ? 0 : -1;
    }
    if (result == 0)
        return stage;
    pgc_bq_stage_free(stage);
    return NULL;
}

void pgc_bq_stage_free(pgc_bq_stage *stage)
{
    if (!stage)
        return;
    pgc_staging_file_free(stage->file);
    pgc_staged_encoder_free(&stage->encoder);
    pgc_buffer_free(&stage->line);
    pgc_staged_contents_free(&stage->contents);
    free(stage);
}

/* ---- values that cannot be held */

static int unmappable(pgc_bq_stage *stage, int column, const pgc_staged_row *row, const char *why, pgconvoy_error *err)
{
    char type[40];
    const pgc_bq_type *there = &stage->layout->types[column];
    snprintf(type, sizeof type, "%s%s", there->repeated ? "array of " : "", pgc_bq_type_name(there));
    return pgc_staged_value_unmappable(&stage->sink->base, stage->layout->table, column, row, type, why,
                                       stage->sink->target.types.unmappable == PGC_UNMAPPABLE_NULL,
                                       &stage->contents.warned[column], err);
}

/* ---- rows */

static int put_value(pgc_bq_stage *stage, char prefix, int place, int column, const pgconvoy_value *value,
                     const pgc_staged_row *row, pgconvoy_error *err)
{
    const char *why = NULL;
    size_t before = stage->line.length;
    if (value->length == PGCONVOY_NULL)
        return 0;
    pgc_buffer_format(&stage->line, ",\"%c%d\":", prefix, place);
    int result = pgc_bq_encode(&stage->encoder, &stage->layout->types[column], value, &stage->line, &why, err);
    if (result == 1) {
        stage->line.length = before;
        result = unmappable(stage, column, row, why, err);
    }
    return result;
}

static int put_values(pgc_bq_stage *stage, const pgc_staged_row *row, pgconvoy_error *err)
{
    const pgconvoy_table *table = stage->layout->table;
    for (int i = 0; row->row && i < table->column_count; i++) {
        if (row->row[i].length == PGCONVOY_UNCHANGED) {
            pgc_buffer_format(&stage->line, ",\"u%d\":true", i);
            stage->contents.unchanged[i] = true;
        } else if (put_value(stage, 'c', i, i, &row->row[i], row, err) != 0) {
            return -1;
        }
    }
    /* a DELETE by key has nothing else; a MOVE has both */
    bool only_key = !row->row;
    for (int i = 0; row->key && i < table->key_count; i++) {
        if (put_value(stage, only_key ? 'c' : 'k', only_key ? table->key[i] : i, table->key[i], &row->key[i], row,
                      err) != 0)
            return -1;
    }
    return 0;
}

int pgc_bq_stage_add(pgc_bq_stage *stage, const pgc_staged_row *row, pgconvoy_error *err)
{
    pgc_buffer *line = &stage->line;
    pgc_buffer_reset(line);
    pgc_buffer_format(line, "{\"op\":\"%s\"", row->op);
    if (stage->sink->keeps_history && row->lsn != 0) {
        char time[PGC_TIME_TEXT_SIZE];
        pgc_time_to_text(row->time, time);
        pgc_buffer_format(line, ",\"lsn\":\"%" PRIu64 "\",\"seq\":%" PRIu32 ",\"at\":\"%s\"", (uint64_t)row->lsn,
                          row->sequence, time);
    }
    if (put_values(stage, row, err) != 0)
        return -1;
    pgc_buffer_text(line, "}\n");
    if (line->failed)
        return pgc_staged_row_too_large(&stage->sink->base, stage->layout->table, row, "100 MB", err);
    pgc_staged_contents_add(&stage->contents, row->op);
    for (size_t i = 0; i < row->copies; i++) {
        if (pgc_staging_file_write(stage->file, line->data, line->length, err) != 0)
            return -1;
        stage->bytes += (int64_t)line->length;
    }
    return 0;
}

/* ---- sending */

void pgc_bq_stage_fields(const pgc_bq_stage *stage, pgc_buffer *out)
{
    const pgc_bq_layout *layout = stage->layout;
    const pgconvoy_table *table = layout->table;
    pgc_buffer_text(out, "{\"name\":\"op\",\"type\":\"STRING\"}");
    if (stage->sink->keeps_history)
        pgc_buffer_text(out, ",{\"name\":\"lsn\",\"type\":\"INT64\"},{\"name\":\"seq\",\"type\":\"INT64\"},{\"name\":"
                             "\"at\",\"type\":\"TIMESTAMP\"}");
    for (int i = 0; i < layout->column_count; i++)
        pgc_buffer_format(out, ",{\"name\":\"c%d\",\"type\":\"%s\"%s}", i, pgc_bq_type_name(&layout->types[i]),
                          layout->types[i].repeated ? ",\"mode\":\"REPEATED\"" : "");
    for (int i = 0; pgc_staged_contents_have(&stage->contents, PGC_STAGED_MOVE) && i < table->key_count; i++)
        pgc_buffer_format(out, ",{\"name\":\"k%d\",\"type\":\"%s\"}", i,
                          pgc_bq_type_name(&layout->types[table->key[i]]));
    for (int i = 0; i < layout->column_count; i++)
        if (stage->contents.unchanged[i])
            pgc_buffer_format(out, ",{\"name\":\"u%d\",\"type\":\"BOOL\"}", i);
}

static void describe(const pgc_bq_stage *stage, char *doing, size_t size)
{
    snprintf(doing, size, "loading rows of table %s.%s", stage->layout->table->schema, stage->layout->table->name);
}

int pgc_bq_stage_send(pgc_bq_stage *stage, const char *into, pgconvoy_error *err)
{
    pgc_bq_sink *sink = stage->sink;
    int fd;
    int64_t size;
    char doing[300];
    pgc_buffer fields;
    if (pgc_staging_file_end(stage->file, &fd, &size, err) != 0)
        return -1;
    uint64_t number = pgc_staged_next_number(&sink->base);
    snprintf(stage->job_id, sizeof stage->job_id, "%s_%s_load_%" PRIu64, sink->prefix, sink->process, number);
    if (into)
        snprintf(stage->table, sizeof stage->table, "%s", into);
    else
        snprintf(stage->table, sizeof stage->table, "_%s_%s_%" PRIu64, sink->prefix, sink->process, number);
    describe(stage, doing, sizeof doing);
    pgc_buffer_init(&fields, PGC_BQ_FIELDS_MAX);
    pgc_bq_stage_fields(stage, &fields);
    int result = pgc_buffer_check(&fields, err);
    if (result == 0 && !into)
        result = pgc_bq_stage_make(sink, stage->table, fields.data, STAGE_DAYS, err);
    if (result == 0)
        result = pgc_bq_load_begin(sink, fd, size, stage->table, fields.data, stage->job_id, doing, err);
    pgc_buffer_free(&fields);
    pgc_staging_file_free(stage->file); /* the service has it */
    stage->file = NULL;
    return result;
}

int pgc_bq_stage_wait(pgc_bq_stage *stage, pgconvoy_error *err)
{
    char doing[300];
    describe(stage, doing, sizeof doing);
    return pgc_bq_load_wait(stage->sink, stage->job_id, doing, err);
}

/* ---- what others ask */

int64_t pgc_bq_stage_bytes(const pgc_bq_stage *stage)
{
    return stage->bytes;
}

const char *pgc_bq_stage_table(const pgc_bq_stage *stage)
{
    return stage->table;
}

const pgc_bq_layout *pgc_bq_stage_layout(const pgc_bq_stage *stage)
{
    return stage->layout;
}

const pgc_staged_contents *pgc_bq_stage_contents(const pgc_bq_stage *stage)
{
    return &stage->contents;
}

int pgc_bq_table_make(pgc_bq_sink *sink, const char *table, const char *fields, const char *more, const char *doing,
                      pgconvoy_error *err)
{
    pgc_buffer path, body;
    pgc_buffer_init(&path, 8192);
    pgc_buffer_init(&body, PGC_BQ_FIELDS_MAX);
    pgc_bq_tables_path(sink, &path);
    pgc_buffer_text(&body, "{\"tableReference\":");
    pgc_bq_put_reference(sink, table, &body);
    pgc_buffer_format(&body, ",\"schema\":{\"fields\":[%s]}%s}", fields, more);
    int result = pgc_bq_create(sink, &path, &body, doing, err);
    pgc_buffer_free(&path);
    pgc_buffer_free(&body);
    return result;
}

int pgc_bq_stage_make(pgc_bq_sink *sink, const char *table, const char *fields, int days, pgconvoy_error *err)
{
    char expiration[64];
    snprintf(expiration, sizeof expiration, ",\"expirationTime\":\"%lld\"",
             (long long)(pgc_clock_unix_us() / 1000) + (long long)days * 86400000);
    return pgc_bq_table_make(sink, table, fields, expiration, "creating a staging table", err);
}

int pgc_bq_table_drop(pgc_bq_sink *sink, const char *table, const char *doing, pgconvoy_error *err)
{
    pgc_buffer path;
    pgc_bq_answer answer;
    pgc_arena *arena = pgc_arena_new(8192);
    if (!arena)
        return pgc_error_out_of_memory(err);
    pgc_buffer_init(&path, 8192);
    pgc_bq_table_path(sink, table, &path);
    int result = pgc_bq_ask(sink, "DELETE", &path, 404, doing, arena, &answer, err);
    pgc_buffer_free(&path);
    pgc_arena_free(arena);
    return result;
}
