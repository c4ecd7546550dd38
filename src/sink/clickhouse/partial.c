/*
 * Rows that lack values: an UPDATE that left large (TOASTed) values alone comes without them, and only the target's row
 * has them. A ReplacingMergeTree takes whole rows, so what is there is put together on the server: the rows as they
 * came go into one staging table, joined with the target's into a second one, and from there into the target. Nothing
 * is read by us, and the target is not touched before all values were read: of two rows one may move to where the other
 * was.
 *
 * A repetition after a crash may meet target rows that have moved on. A row whose source is gone, or is newer than this
 * change, was written then already.
 */
#include "sink/clickhouse/clickhouse_internal.h"

#include <stdlib.h>

typedef struct staging {
    pgc_clickhouse_writer *writer;
    pgc_clickhouse_stream_table *table;
    const pgc_compact_result *result;
    pgc_buffer sql, names[2]; /* `database`.`table` of the rows as they came, and of the whole ones */
} staging;

static int run(staging *s, const char *doing, pgconvoy_error *err)
{
    int result = pgc_clickhouse_run(&s->writer->session, &s->sql, doing, err);
    pgc_buffer_reset(&s->sql);
    return result;
}

static void stage_name(const staging *s, const char *end, pgc_buffer *out)
{
    pgc_buffer plain;
    pgc_buffer_init(&plain, 4096);
    pgc_buffer_format(&plain, "pgconvoy_%s_%u_%s", s->writer->sink->config->pipeline_name,
                      (unsigned)s->table->table->oid, end);
    pgc_clickhouse_table_name(s->writer->sink, plain.data ? plain.data : "", false, out);
    pgc_buffer_free(&plain);
}

/* Appends each column's name in staging and type: _c0 …; with the key the row is found by in the target (_k0 …) and the
 * columns that are unchanged. */
static void define(staging *s, bool came, pgc_buffer *sql)
{
    const pgc_clickhouse_layout *layout = s->table->layout;
    const pgconvoy_table *table = layout->table;
    const char *separator = "";
    for (int i = 0; i < table->column_count; i++) {
        if (layout->absent[i])
            continue;
        pgc_buffer_format(sql, "%s`_c%d` ", separator, i);
        pgc_clickhouse_type_sql(layout->types[i], sql);
        separator = ", ";
    }
    for (int k = 0; came && k < table->key_count; k++) {
        pgc_buffer_format(sql, "%s`_k%d` ", separator, k);
        pgc_clickhouse_type_sql(layout->types[table->key[k]], sql);
    }
    if (came)
        pgc_buffer_text(sql, ", `_unchanged` Array(UInt16)");
}

static int prepare(staging *s, pgconvoy_error *err)
{
    for (int i = 0; i < 2; i++) {
        pgc_buffer_format(&s->sql, "DROP TABLE IF EXISTS %s", s->names[i].data);
        if (run(s, "dropping a staging table", err) != 0)
            return -1;
        pgc_buffer_format(&s->sql, "CREATE TABLE %s (", s->names[i].data);
        define(s, i == 0, &s->sql);
        pgc_buffer_text(&s->sql, ") ENGINE = Memory");
        if (run(s, "creating a staging table", err) != 0)
            return -1;
    }
    return 0;
}

static int drop(staging *s, pgconvoy_error *err)
{
    for (int i = 0; i < 2; i++) {
        pgc_buffer_format(&s->sql, "DROP TABLE IF EXISTS %s", s->names[i].data);
        if (run(s, "dropping a staging table", err) != 0)
            return -1;
    }
    return 0;
}

static int put_item(staging *s, const pgc_compact_item *item, pgconvoy_error *err)
{
    pgc_clickhouse_writer *writer = s->writer;
    const pgc_clickhouse_layout *layout = s->table->layout;
    const pgconvoy_table *table = layout->table;
    pgc_buffer *body = &writer->body;
    uint64_t unchanged = 0;
    int not_nullable = -1;
    for (int i = 0; i < table->column_count; i++) {
        unchanged += item->row[i].length == PGCONVOY_UNCHANGED && !layout->absent[i];
        if (!layout->absent[i] && pgc_clickhouse_put_value(writer->sink, layout, &writer->encoder, i, item->row,
                                                           &item->row[i], body, &not_nullable, err) != 0)
            return -1;
    }
    for (int k = 0; k < table->key_count; k++) {
        const pgconvoy_value *value = item->key ? &item->key[k] : &item->row[table->key[k]];
        if (pgc_clickhouse_put_value(writer->sink, layout, &writer->encoder, table->key[k], item->row, value, body,
                                     &not_nullable, err) != 0)
            return -1;
    }
    if (not_nullable >= 0) { /* the next attempt will find it so */
        pgconvoy_error ignored;
        if (pgc_clickhouse_make_nullable(writer->sink, &writer->session, s->table->layout, not_nullable, &ignored) !=
            0) {
            pgc_error_copy(err, &ignored);
            return -1;
        }
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "column %s of table %s.%s may be NULL now",
                           layout->names[not_nullable], table->schema, table->name);
        pgconvoy_error_retriable(err, true);
        return -1;
    }
    pgc_clickhouse_encode_count(unchanged, body);
    for (int i = 0; i < table->column_count; i++) {
        uint16_t number = (uint16_t)i;
        if (item->row[i].length == PGCONVOY_UNCHANGED && !layout->absent[i])
            pgc_buffer_append(body, &number, sizeof number);
    }
    return 0;
}

static int send_body(staging *s, pgconvoy_error *err)
{
    pgc_buffer *body = &s->writer->body;
    if (body->length == 0)
        return 0;
    pgc_buffer_format(&s->sql, "INSERT INTO %s FORMAT RowBinary", s->names[0].data);
    /* a row that is staged twice comes to the same */
    int result = pgc_clickhouse_insert(&s->writer->session, &s->sql, body, false, true, s->table->layout->doing, err);
    pgc_buffer_reset(&s->sql);
    pgc_buffer_reset(body);
    return result;
}

static int stage(staging *s, bool *lacks, pgconvoy_error *err)
{
    static const pgc_compact_action actions[] = {PGC_COMPACT_MOVE, PGC_COMPACT_UPDATE};
    const pgconvoy_table *table = s->table->table;
    pgc_buffer_reset(&s->writer->body);
    for (size_t a = 0; a < 2; a++) {
        for (size_t i = 0; i < s->result->count[actions[a]]; i++) {
            const pgc_compact_item *item = &s->result->items[actions[a]][i];
            if (actions[a] == PGC_COMPACT_UPDATE && item->complete)
                continue;
            for (int c = 0; c < table->column_count; c++)
                lacks[c] = lacks[c] || item->row[c].length == PGCONVOY_UNCHANGED;
            if (put_item(s, item, err) != 0)
                return -1;
            if (s->writer->body.length >= s->writer->sink->insert_bytes && send_body(s, err) != 0)
                return -1;
        }
    }
    return send_body(s, err);
}

/* INSERT INTO whole SELECT each column from what came, or from the target's row. */
static int fill_in(staging *s, const bool *lacks, pgconvoy_error *err)
{
    const pgc_clickhouse_layout *layout = s->table->layout;
    const pgconvoy_table *table = layout->table;
    pgc_buffer *sql = &s->sql;
    const char *separator = "";
    pgc_buffer_format(sql, "INSERT INTO %s SELECT ", s->names[1].data);
    for (int i = 0; i < table->column_count; i++) {
        if (layout->absent[i])
            continue;
        pgc_buffer_format(sql, lacks[i] ? "%sif(has(_unchanged, %d), _t%d, _c%d)" : "%s_c%d", separator, i, i, i);
        separator = ", ";
    }
    pgc_buffer_format(sql, " FROM %s ALL INNER JOIN (SELECT ", s->names[0].data);
    for (int k = 0; k < table->key_count; k++) {
        pgc_buffer_text(sql, k > 0 ? ", " : "");
        pgc_clickhouse_identifier(sql, layout->names[table->key[k]]);
        pgc_buffer_format(sql, " AS _k%d", k);
    }
    for (int i = 0; i < table->column_count; i++) {
        if (!lacks[i] || layout->absent[i])
            continue;
        pgc_buffer_text(sql, ", ");
        pgc_clickhouse_identifier(sql, layout->names[i]);
        pgc_buffer_format(sql, " AS _t%d", i);
    }
    pgc_buffer_text(sql, " FROM ");
    pgc_clickhouse_table_name(s->writer->sink, layout->name, false, sql);
    pgc_buffer_format(sql, " FINAL WHERE _deleted = 0 AND _version <= %llu AND (",
                      (unsigned long long)s->table->last_lsn);
    for (int k = 0; k < table->key_count; k++) {
        pgc_buffer_text(sql, k > 0 ? ", " : "");
        pgc_clickhouse_identifier(sql, layout->names[table->key[k]]);
    }
    pgc_buffer_text(sql, ") IN (SELECT ");
    for (int k = 0; k < table->key_count; k++)
        pgc_buffer_format(sql, "%s_k%d", k > 0 ? ", " : "", k);
    pgc_buffer_format(sql, " FROM %s)) AS _target USING (", s->names[0].data);
    for (int k = 0; k < table->key_count; k++)
        pgc_buffer_format(sql, "%s_k%d", k > 0 ? ", " : "", k);
    pgc_buffer_text(sql, ")");
    return run(s, "completing rows whose large values did not change", err);
}

static int move_to_target(staging *s, pgconvoy_error *err)
{
    const pgc_clickhouse_layout *layout = s->table->layout;
    pgc_buffer *sql = &s->sql;
    pgc_buffer_text(sql, "INSERT INTO ");
    pgc_clickhouse_table_name(s->writer->sink, layout->name, false, sql);
    pgc_buffer_text(sql, " (");
    pgc_clickhouse_column_names(s->writer->sink, layout, true, sql);
    pgc_buffer_text(sql, ") SELECT ");
    for (int i = 0; i < layout->table->column_count; i++) {
        if (!layout->absent[i])
            pgc_buffer_format(sql, "_c%d, ", i);
    }
    pgc_buffer_format(sql, "toUInt64(%llu), toUInt8(0) FROM %s", (unsigned long long)s->table->last_lsn,
                      s->names[1].data);
    return run(s, layout->doing, err);
}

int pgc_clickhouse_apply_partial(pgc_clickhouse_writer *writer, pgc_clickhouse_stream_table *table,
                                 const pgc_compact_result *result, pgconvoy_error *err)
{
    staging s = {.writer = writer, .table = table, .result = result};
    pgc_buffer_init(&s.sql, (size_t)16 << 20);
    pgc_buffer_init(&s.names[0], 65536);
    pgc_buffer_init(&s.names[1], 65536);
    stage_name(&s, "came", &s.names[0]);
    stage_name(&s, "whole", &s.names[1]);
    bool *lacks = calloc((size_t)table->table->column_count + 1, sizeof *lacks);
    int done = lacks ? pgc_buffer_check(&s.names[1], err) : pgc_error_out_of_memory(err);
    if (done == 0)
        done = prepare(&s, err);
    if (done == 0)
        done = stage(&s, lacks, err);
    if (done == 0)
        done = fill_in(&s, lacks, err);
    if (done == 0)
        done = move_to_target(&s, err);
    if (done == 0)
        done = drop(&s, err);
    free(lacks);
    pgc_buffer_free(&s.sql);
    pgc_buffer_free(&s.names[0]);
    pgc_buffer_free(&s.names[1]);
    return done;
}
