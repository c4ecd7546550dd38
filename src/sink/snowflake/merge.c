/*
 * The statements that bring staged rows to their table. All of a stage's rows concern different rows of the table, but
 * for one that goes and comes again (a DELETE, and a row that moves to its key): there the row that comes is what
 * counts. A MERGE sees the table as it was before it, which is where a row that moves takes the values from that were
 * not sent. Only DML stands here: DDL would end the transaction (docs: "Transactions").
 */
#include "sink/snowflake/snowflake_internal.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- staged rows */

static void put_batches(const pgc_sf_batch *const *batches, size_t count, pgc_buffer *sql)
{
    pgc_buffer_text(sql, " WHERE BATCH IN (");
    for (size_t i = 0; i < count; i++)
        pgc_buffer_format(sql, "%s'%s'", i > 0 ? ", " : "", batches[i]->name);
    pgc_buffer_byte(sql, ')');
}

/* All lines that were sent are there: else the division fails, and the transaction with it. */
static void put_count(const pgc_sf_sink *sink, const pgc_sf_batch *const *batches, size_t count, pgc_buffer *sql)
{
    uint64_t lines = 0;
    for (size_t i = 0; i < count; i++)
        lines += batches[i]->lines;
    pgc_buffer_format(sql,
                      "SELECT 1 / IFF(SUM(LINES) = %" PRIu64 ", 1, 0) AS ROWS_ARE_THERE FROM (SELECT COUNT(DISTINCT "
                      "LINE) AS LINES FROM ",
                      lines);
    pgc_sf_quote_table(sink, batches[0]->table, sql);
    put_batches(batches, count, sql);
    pgc_buffer_text(sql, " GROUP BY BATCH);\n");
}

/* Appends (SELECT OP, KEPT, BODY …): the rows of the batches, each of them once, whatever the service has twice. */
static void put_rows(const pgc_sf_sink *sink, const pgc_sf_batch *const *batches, size_t count, const char *where,
                     pgc_buffer *sql)
{
    bool pieces = false;
    for (size_t i = 0; i < count; i++)
        pieces = pieces || batches[i]->pieces;
    pgc_buffer_text(sql, pieces
                             ? "(SELECT MIN(OP) AS OP, MIN(KEPT) AS KEPT, LISTAGG(BODY) WITHIN GROUP (ORDER BY LINE) "
                               "AS BODY FROM (SELECT BATCH, ITEM, LINE, OP, KEPT, BODY FROM "
                             : "(SELECT OP, KEPT, BODY FROM ");
    pgc_sf_quote_table(sink, batches[0]->table, sql);
    put_batches(batches, count, sql);
    pgc_buffer_text(sql, where);
    pgc_buffer_text(sql, " QUALIFY ROW_NUMBER() OVER (PARTITION BY BATCH, LINE ORDER BY LINE) = 1");
    pgc_buffer_text(sql, pieces ? ") GROUP BY BATCH, ITEM)" : ")");
}

/* Appends the value at a place of a staged row R, as a column of the type has it. */
static void put_value(const pgc_sf_type *type, int place, pgc_buffer *sql)
{
    char text[64];
    snprintf(text, sizeof text, "R.J[%d]::VARCHAR", place);
    pgc_sf_put_cast(type, text, sql);
}

/* Appends (SELECT OP, KEPT, BODY, C0, …): staged rows with their values. keys: with K0 … of moved rows. */
static void put_typed(const pgc_sf_sink *sink, const pgc_sf_layout *layout, const pgc_sf_batch *const *batches,
                      size_t count, const char *where, bool keys, pgc_buffer *sql)
{
    const pgconvoy_table *table = layout->table;
    pgc_buffer_text(sql, "(SELECT R.OP AS OP, R.KEPT AS KEPT, R.BODY AS BODY");
    for (int i = 0; i < layout->column_count; i++) {
        pgc_buffer_text(sql, ", ");
        put_value(&layout->types[i], i, sql);
        pgc_buffer_format(sql, " AS C%d", i);
    }
    for (int i = 0; keys && i < table->key_count; i++) {
        pgc_buffer_text(sql, ", ");
        put_value(&layout->types[table->key[i]], layout->column_count + i, sql);
        pgc_buffer_format(sql, " AS K%d", i);
    }
    pgc_buffer_text(sql, " FROM (SELECT L.OP AS OP, L.KEPT AS KEPT, L.BODY AS BODY, PARSE_JSON(L.BODY) AS J FROM ");
    put_rows(sink, batches, count, where, sql);
    pgc_buffer_text(sql, " AS L) AS R)");
}

/* ---- tables with a key */

static void put_column_of_source(const pgc_sf_layout *layout, const pgc_staged_contents *contents, int i,
                                 pgc_buffer *sql)
{
    if (!contents->unchanged[i]) {
        pgc_buffer_format(sql, ", N.C%d AS C%d", i, i);
    } else if (pgc_staged_contents_have(contents, PGC_STAGED_MOVE)) {
        pgc_buffer_format(sql, ", IFF(N.OP = 'M' AND SUBSTR(N.KEPT, %d, 1) = 'k', O.", i + 1);
        pgc_sf_quote_column(sql, layout->names[i]);
        pgc_buffer_format(sql, ", N.C%d) AS C%d, (N.OP <> 'M' AND COALESCE(SUBSTR(N.KEPT, %d, 1), '-') = 'k') AS U%d",
                          i, i, i + 1, i);
    } else {
        pgc_buffer_format(sql, ", N.C%d AS C%d, (COALESCE(SUBSTR(N.KEPT, %d, 1), '-') = 'k') AS U%d", i, i, i + 1, i);
    }
}

static void put_merge(const pgc_sf_sink *sink, const pgc_sf_stage *stage, pgc_buffer *sql)
{
    const pgc_sf_layout *layout = pgc_sf_stage_layout(stage);
    const pgc_sf_batch *batch = pgc_sf_stage_batch(stage);
    const pgc_staged_contents *contents = pgc_sf_stage_contents(stage);
    pgc_staged_put_merge(&sink->base, &layout->base, sql);
    for (int i = 0; i < layout->column_count; i++)
        put_column_of_source(layout, contents, i, sql);
    pgc_buffer_text(sql, " FROM ");
    put_typed(sink, layout, &batch, 1, "", pgc_staged_contents_have(contents, PGC_STAGED_MOVE), sql);
    pgc_buffer_text(sql, " AS N");
    pgc_staged_put_joined(&sink->base, &layout->base, contents, sql);
    pgc_staged_put_merged(&sink->base, &layout->base, contents, sql);
}

/* ---- tables without one */

static void put_comparable(const pgc_sf_type *type, const char *prefix, const char *name, pgc_buffer *sql)
{
    bool plain = pgc_sf_type_compares(type);
    pgc_buffer_text(sql, plain ? "" : "TO_JSON(");
    pgc_buffer_text(sql, prefix);
    if (name)
        pgc_sf_quote_column(sql, name);
    pgc_buffer_text(sql, plain ? "" : ")");
}

/* Appends conditions that a row of the table equals the staged row S. prefix NULL: the table's name. */
static void put_equal(const pgc_sf_layout *layout, const char *prefix, pgc_buffer *sql)
{
    char staged[24];
    pgc_buffer table;
    pgc_buffer_init(&table, 2000);
    pgc_sf_quote_column(&table, layout->name);
    pgc_buffer_byte(&table, '.');
    for (int i = 0; i < layout->column_count; i++) {
        snprintf(staged, sizeof staged, "S.C%d", i);
        pgc_buffer_text(sql, i > 0 ? " AND EQUAL_NULL(" : "EQUAL_NULL(");
        put_comparable(&layout->types[i], prefix ? prefix : table.data, layout->names[i], sql);
        pgc_buffer_text(sql, ", ");
        put_comparable(&layout->types[i], staged, NULL, sql);
        pgc_buffer_byte(sql, ')');
    }
    pgc_buffer_text(sql, layout->column_count == 0 ? "TRUE" : "");
    pgc_buffer_free(&table);
}

/* Appends (SELECT C0 …, MIN(BODY) AS BODY, COUNT(*) AS COPIES …) AS S: the different rows that go. */
static void put_gone(const pgc_sf_sink *sink, const pgc_sf_stage *stage, pgc_buffer *sql)
{
    const pgc_sf_layout *layout = pgc_sf_stage_layout(stage);
    const pgc_sf_batch *batch = pgc_sf_stage_batch(stage);
    pgc_buffer_text(sql, "(SELECT MIN(D.BODY) AS BODY, COUNT(*) AS COPIES");
    for (int i = 0; i < layout->column_count; i++)
        pgc_buffer_format(sql, pgc_sf_type_compares(&layout->types[i]) ? ", D.C%d AS C%d" : ", ANY_VALUE(D.C%d) AS C%d",
                          i, i);
    pgc_buffer_text(sql, " FROM ");
    put_typed(sink, layout, &batch, 1, " AND OP = 'D'", false, sql);
    pgc_buffer_text(sql, " AS D");
    for (int i = 0; i < layout->column_count; i++) {
        char staged[24];
        snprintf(staged, sizeof staged, "D.C%d", i);
        pgc_buffer_text(sql, i > 0 ? ", " : " GROUP BY ");
        put_comparable(&layout->types[i], staged, NULL, sql);
    }
    pgc_buffer_text(sql, ") AS S");
}

/*
 * Rows without a key are a multiset, and there is nothing to tell equal rows apart by: all that are equal to one that
 * goes are taken out, and those that are left over are put back. In between they stand in the batch, with OP 'K'.
 */
static void put_deletes_of_equals(const pgc_sf_sink *sink, const pgc_sf_stage *stage, pgc_buffer *sql)
{
    const pgc_sf_layout *layout = pgc_sf_stage_layout(stage);
    const pgc_sf_batch *batch = pgc_sf_stage_batch(stage);
    pgc_buffer_text(sql, "INSERT INTO ");
    pgc_sf_quote_table(sink, batch->table, sql);
    pgc_buffer_format(sql,
                      " (BATCH, LINE, ITEM, OP, BODY) SELECT '%s', -ROW_NUMBER() OVER (ORDER BY 1), "
                      "-ROW_NUMBER() OVER (ORDER BY 1), 'K', S.BODY FROM (SELECT ",
                      batch->name);
    pgc_staged_put_columns(&sink->base, &layout->base, "T.", sql);
    pgc_buffer_text(sql, layout->column_count > 0 ? ", " : "");
    pgc_buffer_text(sql, "ROW_NUMBER() OVER (");
    for (int i = 0; i < layout->column_count; i++) {
        pgc_buffer_text(sql, i > 0 ? ", " : "PARTITION BY ");
        put_comparable(&layout->types[i], "T.", layout->names[i], sql);
    }
    pgc_buffer_text(sql, " ORDER BY 1) AS PGCONVOY_NUMBER FROM ");
    pgc_sf_quote_table(sink, layout->name, sql);
    pgc_buffer_text(sql, " AS T) AS E JOIN ");
    put_gone(sink, stage, sql);
    pgc_buffer_text(sql, " ON ");
    put_equal(layout, "E.", sql);
    pgc_buffer_text(sql, " WHERE E.PGCONVOY_NUMBER > S.COPIES;\nDELETE FROM ");
    pgc_sf_quote_table(sink, layout->name, sql);
    pgc_buffer_text(sql, " USING ");
    put_gone(sink, stage, sql);
    pgc_buffer_text(sql, " WHERE ");
    put_equal(layout, NULL, sql); /* DELETE is documented without an alias */
    pgc_buffer_text(sql, ";\n");
}

static void put_insert(const pgc_sf_sink *sink, const pgc_sf_layout *layout, const pgc_sf_batch *const *batches,
                       size_t count, const char *where, pgc_buffer *sql)
{
    pgc_staged_put_insert(&sink->base, &layout->base, false, sql);
    pgc_staged_put_values(&sink->base, &layout->base, NULL, sql);
    pgc_buffer_text(sql, " FROM ");
    put_typed(sink, layout, batches, count, where, false, sql);
    pgc_buffer_text(sql, " AS N;\n");
}

/* ---- history */

/* what: the four columns in front; NULL: those of the staged row. */
static void put_history(const pgc_sf_sink *sink, const pgc_sf_layout *layout, const pgc_sf_batch *const *batches,
                        size_t count, const char *what, pgc_buffer *sql)
{
    int n = layout->column_count;
    pgc_staged_put_insert(&sink->base, &layout->base, true, sql);
    if (what)
        pgc_buffer_text(sql, what);
    else
        pgc_buffer_format(sql,
                          "R.OP, TO_NUMBER(R.J[%d]::VARCHAR, 38, 0), TO_NUMBER(R.J[%d]::VARCHAR, 38, 0), "
                          "TO_TIMESTAMP_TZ(R.J[%d]::VARCHAR, 'AUTO')",
                          n, n + 1, n + 2);
    for (int i = 0; i < n; i++) {
        pgc_buffer_text(sql, ", ");
        put_value(&layout->types[i], i, sql);
    }
    pgc_buffer_text(sql, " FROM (SELECT L.OP AS OP, PARSE_JSON(L.BODY) AS J FROM ");
    put_rows(sink, batches, count, "", sql);
    pgc_buffer_text(sql, " AS L) AS R;\n");
}

/* ---- all */

void pgc_sf_merge_sql(const pgc_sf_sink *sink, const pgc_sf_stage *stage, pgc_buffer *sql)
{
    const pgc_sf_layout *layout = pgc_sf_stage_layout(stage);
    const pgc_sf_batch *batch = pgc_sf_stage_batch(stage);
    bool deletes = pgc_staged_contents_have(pgc_sf_stage_contents(stage), PGC_STAGED_DELETE);
    if (batch->lines == 0)
        return;
    put_count(sink, &batch, 1, sql);
    if (sink->keeps_history) {
        put_history(sink, layout, &batch, 1, NULL, sql);
    } else if (layout->table->key_count > 0) {
        put_merge(sink, stage, sql);
    } else {
        if (deletes)
            put_deletes_of_equals(sink, stage, sql);
        put_insert(sink, layout, &batch, 1, deletes ? " AND OP IN ('U', 'K')" : "", sql);
    }
    pgc_buffer_text(sql, "DELETE FROM ");
    pgc_sf_quote_table(sink, batch->table, sql);
    put_batches(&batch, 1, sql);
    pgc_buffer_text(sql, ";\n");
}

void pgc_sf_fill_sql(const pgc_sf_sink *sink, const pgc_sf_layout *layout, const pgc_sf_batch *const *batches,
                     size_t count, pgconvoy_lsn lsn, pgc_buffer *sql)
{
    char what[160];
    if (count == 0)
        return;
    put_count(sink, batches, count, sql);
    snprintf(what, sizeof what, "'copy', %" PRIu64 ", 0, CURRENT_TIMESTAMP()::TIMESTAMP_TZ(6)", (uint64_t)lsn);
    if (sink->keeps_history)
        put_history(sink, layout, batches, count, what, sql);
    else
        put_insert(sink, layout, batches, count, "", sql);
}
