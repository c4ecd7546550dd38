/*
 * The statements that bring staged rows to their table, in GoogleSQL. All of a stage's rows concern different rows of
 * the table, but for one that goes and comes again (a DELETE, and a row that moves to its key): there the row that
 * comes is what counts. A MERGE sees the table as it was before it, which is where a row that moves takes the values
 * from that were not sent.
 */
#include "sink/bigquery/bigquery_internal.h"

#include <inttypes.h>
#include <stdio.h>

static void put_column_of_source(const pgc_bq_layout *layout, const pgc_staged_contents *contents, int i,
                                 pgc_buffer *sql)
{
    if (!contents->unchanged[i]) {
        pgc_buffer_format(sql, ", N.c%d AS c%d", i, i);
    } else if (pgc_staged_contents_have(contents, PGC_STAGED_MOVE)) {
        pgc_buffer_format(sql, ", IF(N.op = 'M' AND N.u%d, O.", i);
        pgc_bq_quote_column(sql, layout->names[i]);
        pgc_buffer_format(sql, ", N.c%d) AS c%d, (N.u%d AND N.op != 'M') AS u%d", i, i, i, i);
    } else {
        pgc_buffer_format(sql, ", N.c%d AS c%d, N.u%d AS u%d", i, i, i, i);
    }
}

static void put_merge(const pgc_bq_sink *sink, const pgc_bq_stage *stage, pgc_buffer *sql)
{
    const pgc_bq_layout *layout = pgc_bq_stage_layout(stage);
    const pgc_staged_contents *contents = pgc_bq_stage_contents(stage);
    pgc_staged_put_merge(&sink->base, &layout->base, sql);
    for (int i = 0; i < layout->column_count; i++)
        put_column_of_source(layout, contents, i, sql);
    pgc_buffer_text(sql, " FROM ");
    pgc_bq_quote_table(sink, pgc_bq_stage_table(stage), sql);
    pgc_buffer_text(sql, " AS N");
    pgc_staged_put_joined(&sink->base, &layout->base, contents, sql);
    pgc_staged_put_merged(&sink->base, &layout->base, contents, sql);
}

/* Values of a row as one text, by which rows without a key are found. prefix, and name or number of each. */
static void put_fingerprint(const pgc_bq_layout *layout, const char *prefix, bool staged, pgc_buffer *sql)
{
    pgc_buffer_text(sql, "TO_JSON_STRING([");
    for (int i = 0; i < layout->column_count; i++) {
        pgc_buffer_format(sql, "%sTO_JSON_STRING(%s.", i > 0 ? ", " : "", prefix);
        if (staged)
            pgc_buffer_format(sql, "c%d", i);
        else
            pgc_bq_quote_column(sql, layout->names[i]);
        pgc_buffer_byte(sql, ')');
    }
    pgc_buffer_text(sql, "])");
}

/*
 * Rows without a key are a multiset, and BigQuery has nothing to tell equal rows apart by: all that are equal to one
 * that goes are taken out, and those that are left over are put back.
 */
static void put_deletes_of_equals(const pgc_bq_sink *sink, const pgc_bq_stage *stage, int number, pgc_buffer *sql)
{
    const pgc_bq_layout *layout = pgc_bq_stage_layout(stage);
    pgc_buffer_format(sql, "CREATE TEMP TABLE `kept_%d` AS SELECT ", number);
    pgc_staged_put_columns(&sink->base, &layout->base, "R.", sql);
    pgc_buffer_text(sql, " FROM (SELECT ");
    pgc_staged_put_columns(&sink->base, &layout->base, "T.", sql);
    pgc_buffer_text(sql, ", ");
    put_fingerprint(layout, "T", false, sql);
    pgc_buffer_text(sql, " AS pgc_row, ROW_NUMBER() OVER (PARTITION BY ");
    put_fingerprint(layout, "T", false, sql);
    pgc_buffer_text(sql, ") AS pgc_number FROM ");
    pgc_bq_quote_table(sink, layout->name, sql);
    pgc_buffer_text(sql, " AS T) AS R JOIN (SELECT ");
    put_fingerprint(layout, "N", true, sql);
    pgc_buffer_text(sql, " AS pgc_row, COUNT(*) AS pgc_copies FROM ");
    pgc_bq_quote_table(sink, pgc_bq_stage_table(stage), sql);
    pgc_buffer_text(sql, " AS N WHERE N.op = 'D' GROUP BY 1) AS D ON R.pgc_row = D.pgc_row WHERE R.pgc_number > "
                         "D.pgc_copies;\nDELETE FROM ");
    pgc_bq_quote_table(sink, layout->name, sql);
    pgc_buffer_text(sql, " AS T WHERE ");
    put_fingerprint(layout, "T", false, sql);
    pgc_buffer_text(sql, " IN (SELECT ");
    put_fingerprint(layout, "N", true, sql);
    pgc_buffer_text(sql, " FROM ");
    pgc_bq_quote_table(sink, pgc_bq_stage_table(stage), sql);
    pgc_buffer_text(sql, " AS N WHERE N.op = 'D');\nINSERT INTO ");
    pgc_bq_quote_table(sink, layout->name, sql);
    pgc_buffer_text(sql, " (");
    pgc_staged_put_columns(&sink->base, &layout->base, "", sql);
    pgc_buffer_text(sql, ") SELECT ");
    pgc_staged_put_columns(&sink->base, &layout->base, "", sql);
    pgc_buffer_format(sql, " FROM `kept_%d`;\n", number);
}

/* history: the values of its four columns, or NULL. */
static void put_insert(const pgc_bq_sink *sink, const pgc_bq_layout *layout, const char *history, const char *from,
                       const char *where, pgc_buffer *sql)
{
    pgc_staged_put_insert(&sink->base, &layout->base, history != NULL, sql);
    pgc_staged_put_values(&sink->base, &layout->base, history, sql);
    pgc_buffer_text(sql, " FROM ");
    pgc_bq_quote_table(sink, from, sql);
    pgc_buffer_format(sql, " AS N%s;\n", where);
}

void pgc_bq_merge_sql(const pgc_bq_sink *sink, const pgc_bq_stage *stage, int number, pgc_buffer *sql)
{
    const pgc_bq_layout *layout = pgc_bq_stage_layout(stage);
    const pgc_staged_contents *contents = pgc_bq_stage_contents(stage);
    const char *from = pgc_bq_stage_table(stage);
    bool deletes = pgc_staged_contents_have(contents, PGC_STAGED_DELETE);
    bool rows = pgc_staged_contents_have(contents, PGC_STAGED_ROW);
    if (sink->keeps_history) {
        put_insert(sink, layout, "N.op, N.lsn, N.seq, N.at", from, "", sql);
    } else if (layout->table->key_count == 0) {
        if (deletes)
            put_deletes_of_equals(sink, stage, number, sql);
        if (rows)
            put_insert(sink, layout, NULL, from, deletes ? " WHERE N.op = 'U'" : "", sql);
    } else if (deletes || rows || pgc_staged_contents_have(contents, PGC_STAGED_PARTIAL) ||
               pgc_staged_contents_have(contents, PGC_STAGED_MOVE)) {
        put_merge(sink, stage, sql);
    }
}

void pgc_bq_fill_sql(const pgc_bq_sink *sink, const pgc_bq_layout *layout, const char *copy, pgconvoy_lsn lsn,
                     pgc_buffer *sql)
{
    char history[128];
    snprintf(history, sizeof history, "'copy', %" PRIu64 ", 0, CURRENT_TIMESTAMP()", (uint64_t)lsn);
    put_insert(sink, layout, sink->keeps_history ? history : NULL, copy, "", sql);
}
