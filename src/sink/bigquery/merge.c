/*
 * The statements that bring staged rows to their table, in GoogleSQL. All of a stage's rows concern different rows of
 * the table, but for one that goes and comes again (a DELETE, and a row that moves to its key): there the row that
 * comes is what counts. A MERGE sees the table as it was before it, which is where a row that moves takes the values
 * from that were not sent.
 */
#include "sink/bigquery/bigquery_internal.h"

#include <inttypes.h>
#include <stdio.h>

static void put_column_of_source(const pgc_bq_stage *stage, int i, pgc_buffer *sql)
{
    const pgc_bq_layout *layout = pgc_bq_stage_layout(stage);
    if (pgc_bq_stage_has(stage, PGC_STAGED_MOVE) && pgc_bq_stage_unchanged(stage, i)) {
        pgc_buffer_format(sql, ", IF(N.op = 'M' AND N.u%d, O.", i);
        pgc_bq_quote_column(sql, layout->names[i]);
        pgc_buffer_format(sql, ", N.c%d) AS c%d, (N.u%d AND N.op != 'M') AS u%d", i, i, i, i);
    } else if (pgc_bq_stage_unchanged(stage, i)) {
        pgc_buffer_format(sql, ", N.c%d AS c%d, N.u%d AS u%d", i, i, i, i);
    } else {
        pgc_buffer_format(sql, ", N.c%d AS c%d", i, i);
    }
}

/* The staged rows, completed where a row moves, one for each key. */
static void put_source(const pgc_bq_sink *sink, const pgc_bq_stage *stage, pgc_buffer *sql)
{
    const pgc_bq_layout *layout = pgc_bq_stage_layout(stage);
    const pgconvoy_table *table = layout->table;
    bool moves = pgc_bq_stage_has(stage, PGC_STAGED_MOVE);
    pgc_buffer_text(sql, "SELECT N.op AS op");
    for (int i = 0; i < layout->column_count; i++)
        put_column_of_source(stage, i, sql);
    pgc_buffer_text(sql, " FROM ");
    pgc_bq_quote_table(sink, pgc_bq_stage_table(stage), sql);
    pgc_buffer_text(sql, " AS N");
    if (moves) {
        pgc_buffer_text(sql, " LEFT JOIN ");
        pgc_bq_quote_table(sink, layout->name, sql);
        pgc_buffer_text(sql, " AS O ON ");
        for (int i = 0; i < table->key_count; i++) {
            pgc_buffer_text(sql, i > 0 ? " AND O." : "O.");
            pgc_bq_quote_column(sql, layout->names[table->key[i]]);
            pgc_buffer_format(sql, " = N.k%d", i);
        }
    }
    if (pgc_bq_stage_has(stage, PGC_STAGED_DELETE) && (moves || pgc_bq_stage_has(stage, PGC_STAGED_ROW))) {
        pgc_buffer_text(sql, " WHERE TRUE QUALIFY ROW_NUMBER() OVER (PARTITION BY ");
        for (int i = 0; i < table->key_count; i++)
            pgc_buffer_format(sql, "%sN.c%d", i > 0 ? ", " : "", table->key[i]);
        pgc_buffer_text(sql, " ORDER BY IF(N.op = 'D', 1, 0)) = 1");
    }
}

static void put_merge(const pgc_bq_sink *sink, const pgc_bq_stage *stage, pgc_buffer *sql)
{
    const pgc_bq_layout *layout = pgc_bq_stage_layout(stage);
    const pgconvoy_table *table = layout->table;
    pgc_buffer_text(sql, "MERGE INTO ");
    pgc_bq_quote_table(sink, layout->name, sql);
    pgc_buffer_text(sql, " AS T USING (");
    put_source(sink, stage, sql);
    pgc_buffer_text(sql, ") AS S ON ");
    for (int i = 0; i < table->key_count; i++) {
        pgc_buffer_text(sql, i > 0 ? " AND T." : "T.");
        pgc_bq_quote_column(sql, layout->names[table->key[i]]);
        pgc_buffer_format(sql, " = S.c%d", table->key[i]);
    }
    if (pgc_bq_stage_has(stage, PGC_STAGED_DELETE))
        pgc_buffer_text(sql, " WHEN MATCHED AND S.op = 'D' THEN DELETE");
    pgc_buffer_text(sql, " WHEN MATCHED THEN UPDATE SET ");
    for (int i = 0; i < layout->column_count; i++) {
        pgc_buffer_text(sql, i > 0 ? ", " : "");
        pgc_bq_quote_column(sql, layout->names[i]);
        if (pgc_bq_stage_unchanged(stage, i)) {
            pgc_buffer_format(sql, " = IF(S.u%d, T.", i);
            pgc_bq_quote_column(sql, layout->names[i]);
            pgc_buffer_format(sql, ", S.c%d)", i);
        } else {
            pgc_buffer_format(sql, " = S.c%d", i);
        }
    }
    pgc_buffer_text(sql, " WHEN NOT MATCHED AND (S.op = 'U' OR S.op = 'M') THEN INSERT (");
    pgc_bq_layout_columns(layout, "", sql);
    pgc_buffer_text(sql, ") VALUES (");
    for (int i = 0; i < layout->column_count; i++)
        pgc_buffer_format(sql, "%sS.c%d", i > 0 ? ", " : "", i);
    pgc_buffer_text(sql, ");\n");
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
    pgc_bq_layout_columns(layout, "R.", sql);
    pgc_buffer_text(sql, " FROM (SELECT ");
    pgc_bq_layout_columns(layout, "T.", sql);
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
    pgc_bq_layout_columns(layout, "", sql);
    pgc_buffer_text(sql, ") SELECT ");
    pgc_bq_layout_columns(layout, "", sql);
    pgc_buffer_format(sql, " FROM `kept_%d`;\n", number);
}

static void put_staged_columns(const pgc_bq_layout *layout, const char *separator, pgc_buffer *sql)
{
    for (int i = 0; i < layout->column_count; i++, separator = ", ")
        pgc_buffer_format(sql, "%sN.c%d", separator, i);
}

static void put_insert(const pgc_bq_sink *sink, const pgc_bq_layout *layout, const char *from, const char *where,
                       pgc_buffer *sql)
{
    bool empty = layout->column_count == 0;
    pgc_buffer_text(sql, "INSERT INTO ");
    pgc_bq_quote_table(sink, layout->name, sql);
    pgc_buffer_text(sql, " (");
    if (empty)
        pgc_bq_quote_column(sql, PGC_BQ_OPERATION);
    pgc_bq_layout_columns(layout, "", sql);
    pgc_buffer_text(sql, ") SELECT ");
    if (empty)
        pgc_buffer_text(sql, "CAST(NULL AS STRING)");
    put_staged_columns(layout, "", sql);
    pgc_buffer_text(sql, " FROM ");
    pgc_bq_quote_table(sink, from, sql);
    pgc_buffer_format(sql, " AS N%s;\n", where);
}

static void put_history(const pgc_bq_sink *sink, const pgc_bq_layout *layout, const char *from, const char *what,
                        pgc_buffer *sql)
{
    pgc_buffer_text(sql, "INSERT INTO ");
    pgc_bq_quote_table(sink, layout->name, sql);
    pgc_buffer_format(sql, " (`%s`, `%s`, `%s`, `%s`%s", PGC_BQ_OPERATION, PGC_BQ_LSN, PGC_BQ_SEQUENCE,
                      PGC_BQ_COMMIT_TIME, layout->column_count > 0 ? ", " : "");
    pgc_bq_layout_columns(layout, "", sql);
    pgc_buffer_format(sql, ") SELECT %s", what);
    put_staged_columns(layout, ", ", sql);
    pgc_buffer_text(sql, " FROM ");
    pgc_bq_quote_table(sink, from, sql);
    pgc_buffer_text(sql, " AS N;\n");
}

void pgc_bq_merge_sql(const pgc_bq_sink *sink, const pgc_bq_stage *stage, int number, pgc_buffer *sql)
{
    const pgc_bq_layout *layout = pgc_bq_stage_layout(stage);
    if (sink->target.history) {
        put_history(sink, layout, pgc_bq_stage_table(stage), "N.op, N.lsn, N.seq, N.at", sql);
        return;
    }
    bool deletes = pgc_bq_stage_has(stage, PGC_STAGED_DELETE);
    if (layout->table->key_count > 0 &&
        (deletes || pgc_bq_stage_has(stage, PGC_STAGED_PARTIAL) || pgc_bq_stage_has(stage, PGC_STAGED_MOVE) ||
         pgc_bq_stage_has(stage, PGC_STAGED_ROW))) {
        put_merge(sink, stage, sql);
        return;
    }
    if (deletes)
        put_deletes_of_equals(sink, stage, number, sql);
    if (pgc_bq_stage_has(stage, PGC_STAGED_ROW))
        put_insert(sink, layout, pgc_bq_stage_table(stage), deletes ? " WHERE N.op = 'U'" : "", sql);
}

void pgc_bq_fill_sql(const pgc_bq_sink *sink, const pgc_bq_layout *layout, const char *copy, pgconvoy_lsn lsn,
                     pgc_buffer *sql)
{
    if (!sink->target.history) {
        put_insert(sink, layout, copy, "", sql);
        return;
    }
    char what[128];
    snprintf(what, sizeof what, "'copy', %" PRIu64 ", 0, CURRENT_TIMESTAMP()", (uint64_t)lsn);
    put_history(sink, layout, copy, what, sql);
}
