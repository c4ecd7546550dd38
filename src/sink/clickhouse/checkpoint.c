/*
 * The checkpoint: a table pgconvoy_checkpoint in the target's database, a row for the position (without schema and
 * name) and one for each table. A row is replaced by writing it again with a higher number (changed); all rows of one
 * commit are one block of one INSERT, which ClickHouse writes whole or not at all.
 */
#include "sink/clickhouse/clickhouse_internal.h"

#include "base/grow.h"

#include <stdlib.h>

static const char *const state_words[] = {
    [PGCONVOY_TABLE_WAITING] = "waiting",         [PGCONVOY_TABLE_COPYING] = "copying",
    [PGCONVOY_TABLE_CATCHING_UP] = "catching up", [PGCONVOY_TABLE_LIVE] = "live",
    [PGCONVOY_TABLE_FAILED] = "failed",
};
#define STATE_COUNT (sizeof state_words / sizeof *state_words)
#define GONE "gone" /* the state of what is forgotten */

static const char *const hows[] = {"", PGC_CLICKHOUSE_MADE, PGC_CLICKHOUSE_EMPTIED, PGC_CLICKHOUSE_APPENDED};

static const char *how_of(const char *text)
{
    for (size_t i = 0; i < sizeof hows / sizeof *hows; i++) {
        if (strcmp(hows[i], text) == 0)
            return hows[i];
    }
    return "";
}

int pgc_clickhouse_table_exists(pgc_clickhouse_sink *sink, pgc_clickhouse_session *session, const char *name,
                                bool *exists, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_http_response response;
    pgc_buffer_init(&sql, 65536);
    pgc_buffer_text(&sql, "SELECT count() FROM system.tables WHERE database = ");
    pgc_clickhouse_literal(&sql, sink->target.database);
    pgc_buffer_text(&sql, " AND name = ");
    pgc_clickhouse_literal(&sql, name);
    int result = pgc_clickhouse_select(session, &sql, "looking for a table", &response, err);
    pgc_buffer_free(&sql);
    if (result != 0)
        return -1;
    *exists = response.body.length > 0 && response.body.data[0] != '0';
    pgc_http_response_free(&response);
    return 0;
}

/* ---- what is known */

void pgc_clickhouse_checkpoint_forget(pgc_clickhouse_sink *sink)
{
    for (size_t i = 0; i < sink->known_count; i++) {
        free(sink->known[i].schema);
        free(sink->known[i].name);
    }
    free(sink->known);
    sink->known = NULL;
    sink->known_count = sink->known_capacity = 0;
    sink->known_read = false;
}

static pgc_clickhouse_known *find(const pgc_clickhouse_sink *sink, const char *schema, const char *name)
{
    for (size_t i = 0; i < sink->known_count; i++) {
        if (strcmp(sink->known[i].name, name) == 0 && strcmp(sink->known[i].schema, schema) == 0)
            return &sink->known[i];
    }
    return NULL;
}

static int know(pgc_clickhouse_sink *sink, const char *schema, const char *name, pgc_clickhouse_known **known,
                pgconvoy_error *err)
{
    *known = find(sink, schema, name);
    if (*known)
        return 0;
    if (pgc_grow(&sink->known, sink->known_count, &sink->known_capacity, sizeof *sink->known, err) != 0)
        return -1;
    *known = &sink->known[sink->known_count];
    **known = (pgc_clickhouse_known){strdup(schema), strdup(name), "", PGCONVOY_TABLE_WAITING, 0};
    if (!(*known)->schema || !(*known)->name) {
        free((*known)->schema);
        free((*known)->name);
        return pgc_error_out_of_memory(err);
    }
    sink->known_count++;
    return 0;
}

/* Fields: schema, name, source_id, lsn, state, how, changed. */
static int take_row(pgc_clickhouse_sink *sink, char **fields, const char **source_id, pgconvoy_error *err)
{
    uint64_t number = strtoull(fields[6], NULL, 10);
    if (number > sink->checkpoint_row)
        sink->checkpoint_row = number;
    if (strcmp(fields[4], GONE) == 0)
        return 0;
    if (!*fields[0] && !*fields[1]) {
        sink->lsn = strtoull(fields[3], NULL, 10);
        *source_id = pgc_arena_strdup(sink->checkpoint_arena, fields[2]);
        return *source_id ? 0 : pgc_error_out_of_memory(err);
    }
    pgc_clickhouse_known *known;
    if (know(sink, fields[0], fields[1], &known, err) != 0)
        return -1;
    known->how = how_of(fields[5]);
    known->lsn = strtoull(fields[3], NULL, 10);
    for (size_t i = 0; i < STATE_COUNT; i++) {
        if (strcmp(state_words[i], fields[4]) == 0)
            known->state = (pgconvoy_table_state)i;
    }
    if (!*source_id && *fields[2])
        *source_id = pgc_arena_strdup(sink->checkpoint_arena, fields[2]);
    return 0;
}

static int read_all(pgc_clickhouse_sink *sink, const char **source_id, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_http_response response;
    pgc_clickhouse_checkpoint_forget(sink);
    sink->lsn = 0;
    *source_id = NULL;
    if (pgc_clickhouse_table_exists(sink, &sink->control, PGC_CLICKHOUSE_CHECKPOINT, &sink->checkpoint_ready, err) != 0)
        return -1;
    sink->known_read = true;
    if (!sink->checkpoint_ready)
        return 0;
    pgc_buffer_init(&sql, 65536);
    pgc_buffer_text(&sql, "SELECT schema, name, source_id, lsn, state, how, changed FROM ");
    pgc_clickhouse_table_name(sink, PGC_CLICKHOUSE_CHECKPOINT, false, &sql);
    pgc_buffer_text(&sql, " FINAL WHERE pipeline = ");
    pgc_clickhouse_literal(&sql, sink->config->pipeline_name);
    int result = pgc_clickhouse_select(&sink->control, &sql, "reading the checkpoint", &response, err);
    pgc_buffer_free(&sql);
    if (result != 0)
        return -1;
    pgc_clickhouse_rows rows = pgc_clickhouse_rows_of(&response);
    char *fields[7];
    while (result == 0 && pgc_clickhouse_rows_next(&rows, fields, 7))
        result = take_row(sink, fields, source_id, err);
    pgc_http_response_free(&response);
    return result;
}

int pgc_clickhouse_read_checkpoint(void *state, pgconvoy_checkpoint *checkpoint, pgconvoy_error *err)
{
    pgc_clickhouse_sink *sink = state;
    memset(checkpoint, 0, sizeof *checkpoint);
    pthread_mutex_lock(&sink->lock);
    pgc_arena_reset(sink->checkpoint_arena);
    const char *source_id;
    int result = read_all(sink, &source_id, err);
    pgconvoy_table_status *tables = NULL;
    if (result == 0) {
        tables = pgc_arena_alloc(sink->checkpoint_arena, (sink->known_count + 1) * sizeof *tables);
        result = tables ? 0 : pgc_error_out_of_memory(err);
    }
    for (size_t i = 0; result == 0 && i < sink->known_count; i++) {
        const pgc_clickhouse_known *known = &sink->known[i];
        tables[i] =
            (pgconvoy_table_status){pgc_arena_strdup(sink->checkpoint_arena, known->schema),
                                    pgc_arena_strdup(sink->checkpoint_arena, known->name), known->state, known->lsn};
        if (!tables[i].schema || !tables[i].name)
            result = pgc_error_out_of_memory(err);
    }
    if (result == 0)
        *checkpoint = (pgconvoy_checkpoint){source_id, sink->lsn, sink->known_count, tables, 0};
    pthread_mutex_unlock(&sink->lock);
    return result;
}

int pgc_clickhouse_checkpoint_owned(pgc_clickhouse_sink *sink, const char *schema, const char *name, const char **how,
                                    pgconvoy_error *err)
{
    const char *source_id;
    if (!sink->known_read && read_all(sink, &source_id, err) != 0)
        return -1;
    const pgc_clickhouse_known *known = find(sink, schema, name);
    *how = known ? known->how : "";
    return 0;
}

/* ---- what is stored */

static int make_table(pgc_clickhouse_sink *sink, pgconvoy_error *err)
{
    pgc_buffer sql;
    if (sink->checkpoint_ready)
        return 0;
    pgc_buffer_init(&sql, 65536);
    pgc_buffer_text(&sql, "CREATE TABLE IF NOT EXISTS ");
    pgc_clickhouse_table_name(sink, PGC_CLICKHOUSE_CHECKPOINT, true, &sql);
    pgc_buffer_text(&sql, " (pipeline String, schema String, name String, source_id String, lsn UInt64, state String, "
                          "how String, changed UInt64) ENGINE = ");
    pgc_clickhouse_engine(sink, PGC_CLICKHOUSE_CHECKPOINT, "ReplacingMergeTree", "changed", &sql);
    pgc_buffer_text(&sql, " ORDER BY (pipeline, schema, name)");
    int result = pgc_clickhouse_run(&sink->control, &sql, "creating the checkpoint's table", err);
    pgc_buffer_free(&sql);
    sink->checkpoint_ready = result == 0;
    return result;
}

static void put_text(pgc_buffer *out, const char *text)
{
    pgc_clickhouse_encode_text(text, strlen(text), out);
}

static void put_row(pgc_clickhouse_sink *sink, const char *schema, const char *name, pgconvoy_lsn lsn,
                    const char *state, const char *how, pgc_buffer *out)
{
    put_text(out, sink->config->pipeline_name);
    put_text(out, schema);
    put_text(out, name);
    put_text(out, sink->config->source_id ? sink->config->source_id : "");
    pgc_buffer_append(out, &lsn, sizeof lsn);
    put_text(out, state);
    put_text(out, how);
    uint64_t number = ++sink->checkpoint_row;
    pgc_buffer_append(out, &number, sizeof number);
}

static int insert_rows(pgc_clickhouse_sink *sink, pgc_buffer *rows, pgconvoy_error *err)
{
    pgc_buffer sql;
    if (make_table(sink, err) != 0)
        return -1;
    pgc_buffer_init(&sql, 65536);
    pgc_buffer_text(&sql, "INSERT INTO ");
    pgc_clickhouse_table_name(sink, PGC_CLICKHOUSE_CHECKPOINT, false, &sql);
    pgc_buffer_text(&sql, " (pipeline, schema, name, source_id, lsn, state, how, changed) FORMAT RowBinary");
    int result = pgc_clickhouse_insert(&sink->control, &sql, rows, false, true, "storing the checkpoint", err);
    pgc_buffer_free(&sql);
    return result;
}

int pgc_clickhouse_checkpoint_store(pgc_clickhouse_sink *sink, pgconvoy_lsn lsn, const pgconvoy_table_status *tables,
                                    size_t count, const char *how, pgconvoy_error *err)
{
    pgc_buffer rows;
    const char *ignored;
    pgc_buffer_init(&rows, (size_t)256 << 20);
    int result = sink->known_read ? 0 : read_all(sink, &ignored, err);
    for (size_t i = 0; result == 0 && i < count; i++) {
        pgc_clickhouse_known *known;
        result = know(sink, tables[i].schema, tables[i].name, &known, err);
        if (result == 0)
            put_row(sink, tables[i].schema, tables[i].name, tables[i].copy_lsn, state_words[tables[i].state],
                    how ? how : known->how, &rows);
    }
    if (result == 0 && lsn != 0)
        put_row(sink, "", "", lsn, "", "", &rows);
    if (result == 0)
        result = insert_rows(sink, &rows, err);
    pgc_buffer_free(&rows);
    for (size_t i = 0; result == 0 && i < count; i++) {
        pgc_clickhouse_known *known = find(sink, tables[i].schema, tables[i].name);
        known->state = tables[i].state;
        known->lsn = tables[i].copy_lsn;
        known->how = how ? how_of(how) : known->how;
    }
    if (result == 0 && lsn != 0)
        sink->lsn = lsn;
    return result;
}

int pgc_clickhouse_checkpoint_rename(pgc_clickhouse_sink *sink, const pgconvoy_table *from, const pgconvoy_table *to,
                                     pgconvoy_error *err)
{
    const char *how;
    if (pgc_clickhouse_checkpoint_owned(sink, from->schema, from->name, &how, err) != 0)
        return -1;
    const pgc_clickhouse_known *known = find(sink, from->schema, from->name);
    if (!known)
        return 0;
    const pgconvoy_table_status status = {to->schema, to->name, known->state, known->lsn};
    pgc_buffer rows;
    pgc_buffer_init(&rows, 65536);
    put_row(sink, from->schema, from->name, 0, GONE, "", &rows);
    int result = pgc_clickhouse_checkpoint_store(sink, 0, &status, 1, how, err);
    if (result == 0)
        result = insert_rows(sink, &rows, err);
    pgc_buffer_free(&rows);
    return result;
}

/* ---- drop */

/* The table itself goes with the last pipeline. */
static int drop_when_empty(pgc_clickhouse_sink *sink, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_http_response response;
    pgc_buffer_init(&sql, 65536);
    pgc_buffer_text(&sql, "SELECT count() FROM ");
    pgc_clickhouse_table_name(sink, PGC_CLICKHOUSE_CHECKPOINT, false, &sql);
    pgc_buffer_text(&sql, " FINAL WHERE state != '" GONE "'");
    int result = pgc_clickhouse_select(&sink->control, &sql, "reading the checkpoint", &response, err);
    bool empty = false;
    if (result == 0) {
        empty = response.body.length > 0 && strcmp(response.body.data, "0\n") == 0;
        pgc_http_response_free(&response);
    }
    if (empty) {
        pgc_buffer_reset(&sql);
        pgc_clickhouse_drop_table(sink, PGC_CLICKHOUSE_CHECKPOINT, &sql);
        result = pgc_clickhouse_run(&sink->control, &sql, "dropping the checkpoint's table", err);
        sink->checkpoint_ready = false;
    }
    pgc_buffer_free(&sql);
    return result;
}

int pgc_clickhouse_drop(void *state, pgconvoy_error *err)
{
    pgc_clickhouse_sink *sink = state;
    const char *source_id;
    pgc_buffer rows;
    pgc_buffer_init(&rows, (size_t)256 << 20);
    pthread_mutex_lock(&sink->lock);
    int result = read_all(sink, &source_id, err);
    if (result == 0 && sink->checkpoint_ready) {
        put_row(sink, "", "", 0, GONE, "", &rows);
        for (size_t i = 0; i < sink->known_count; i++)
            put_row(sink, sink->known[i].schema, sink->known[i].name, 0, GONE, "", &rows);
        result = insert_rows(sink, &rows, err);
        if (result == 0)
            result = drop_when_empty(sink, err);
    }
    pgc_clickhouse_checkpoint_forget(sink);
    pthread_mutex_unlock(&sink->lock);
    pgc_buffer_free(&rows);
    return result;
}
