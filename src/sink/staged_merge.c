/*
 * The statements that bring staged rows to their table, where they are the same everywhere. In staging, columns go by
 * their places: c0, c1 …; k0 … of the old key of a row that moves; u0 … says that a value stays as it is. The sink
 * writes where the rows come from, in between: N is a staged row, O the row that it moves, S one that is complete, T
 * the table's.
 */
#include "sink/staged.h"

#include <stdlib.h>

int pgc_staged_contents_init(pgc_staged_contents *contents, const pgc_staged_layout *layout, pgconvoy_error *err)
{
    size_t count = (size_t)layout->column_count + 1;
    *contents = (pgc_staged_contents){.unchanged = calloc(count, sizeof *contents->unchanged),
                                      .warned = calloc(count, sizeof *contents->warned)};
    return contents->unchanged && contents->warned ? 0 : pgc_error_out_of_memory(err);
}

void pgc_staged_contents_free(pgc_staged_contents *contents)
{
    free(contents->unchanged);
    free(contents->warned);
    *contents = (pgc_staged_contents){0};
}

void pgc_staged_contents_add(pgc_staged_contents *contents, const char *op)
{
    contents->ops[(unsigned char)*op & 127] = true;
}

bool pgc_staged_contents_have(const pgc_staged_contents *contents, const char *op)
{
    return contents->ops[(unsigned char)*op & 127];
}

/* ---- MERGE */

void pgc_staged_put_merge(const pgc_staged_sink *sink, const pgc_staged_layout *layout, pgc_buffer *sql)
{
    pgc_buffer_text(sql, "MERGE INTO ");
    sink->service->put_table(sink, layout->name, sql);
    pgc_buffer_text(sql, " AS T USING (SELECT N.op AS op");
}

/* Appends "O.key1 = N.k0 AND …" (places of the key), or "T.key1 = S.c3 AND …" (places of the columns). */
static void put_same_key(const pgc_staged_sink *sink, const pgc_staged_layout *layout, const char *here,
                         const char *there, bool by_key, pgc_buffer *sql)
{
    for (int i = 0; i < layout->table->key_count; i++) {
        int column = layout->table->key[i];
        pgc_buffer_format(sql, "%s%s", i > 0 ? " AND " : "", here);
        sink->service->put_column(sql, layout->names[column]);
        pgc_buffer_format(sql, " = %s%d", there, by_key ? i : column);
    }
}

void pgc_staged_put_joined(const pgc_staged_sink *sink, const pgc_staged_layout *layout,
                           const pgc_staged_contents *contents, pgc_buffer *sql)
{
    const pgconvoy_table *table = layout->table;
    bool moves = pgc_staged_contents_have(contents, PGC_STAGED_MOVE);
    if (moves) {
        pgc_buffer_text(sql, " LEFT JOIN ");
        sink->service->put_table(sink, layout->name, sql);
        pgc_buffer_text(sql, " AS O ON ");
        put_same_key(sink, layout, "O.", "N.k", true, sql);
    }
    if (!pgc_staged_contents_have(contents, PGC_STAGED_DELETE) ||
        (!moves && !pgc_staged_contents_have(contents, PGC_STAGED_ROW)))
        return;
    pgc_buffer_text(sql, " WHERE TRUE QUALIFY ROW_NUMBER() OVER (PARTITION BY "); /* BigQuery wants the WHERE */
    for (int i = 0; i < table->key_count; i++)
        pgc_buffer_format(sql, "%sN.c%d", i > 0 ? ", " : "", table->key[i]);
    pgc_buffer_text(sql, " ORDER BY CASE N.op WHEN 'D' THEN 1 ELSE 0 END) = 1");
}

void pgc_staged_put_merged(const pgc_staged_sink *sink, const pgc_staged_layout *layout,
                           const pgc_staged_contents *contents, pgc_buffer *sql)
{
    pgc_buffer_text(sql, ") AS S ON ");
    put_same_key(sink, layout, "T.", "S.c", false, sql);
    if (pgc_staged_contents_have(contents, PGC_STAGED_DELETE))
        pgc_buffer_text(sql, " WHEN MATCHED AND S.op = 'D' THEN DELETE");
    pgc_buffer_text(sql, " WHEN MATCHED THEN UPDATE SET ");
    for (int i = 0; i < layout->column_count; i++) {
        pgc_buffer_text(sql, i > 0 ? ", " : "");
        sink->service->put_column(sql, layout->names[i]);
        if (!contents->unchanged[i]) {
            pgc_buffer_format(sql, " = S.c%d", i);
            continue;
        }
        pgc_buffer_format(sql, " = CASE WHEN S.u%d THEN T.", i);
        sink->service->put_column(sql, layout->names[i]);
        pgc_buffer_format(sql, " ELSE S.c%d END", i);
    }
    pgc_buffer_text(sql, " WHEN NOT MATCHED AND (S.op = 'U' OR S.op = 'M') THEN INSERT (");
    pgc_staged_put_columns(sink, layout, "", sql);
    pgc_buffer_text(sql, ") VALUES (");
    for (int i = 0; i < layout->column_count; i++)
        pgc_buffer_format(sql, "%sS.c%d", i > 0 ? ", " : "", i);
    pgc_buffer_text(sql, ");\n");
}

/* ---- INSERT */

void pgc_staged_put_insert(const pgc_staged_sink *sink, const pgc_staged_layout *layout, bool history, pgc_buffer *sql)
{
    static const char *const of_history[] = {PGC_STAGED_OPERATION, PGC_STAGED_LSN, PGC_STAGED_SEQUENCE,
                                             PGC_STAGED_COMMIT_TIME};
    size_t more = history ? sizeof of_history / sizeof *of_history : layout->column_count == 0 ? 1 : 0;
    pgc_buffer_text(sql, "INSERT INTO ");
    sink->service->put_table(sink, layout->name, sql);
    pgc_buffer_text(sql, " (");
    for (size_t i = 0; i < more; i++) {
        pgc_buffer_text(sql, i > 0 ? ", " : "");
        sink->service->put_column(sql, of_history[i]);
    }
    pgc_buffer_text(sql, more > 0 && layout->column_count > 0 ? ", " : "");
    pgc_staged_put_columns(sink, layout, "", sql);
    pgc_buffer_text(sql, ") SELECT ");
}

void pgc_staged_put_values(const pgc_staged_sink *sink, const pgc_staged_layout *layout, const char *history,
                           pgc_buffer *sql)
{
    pgc_buffer_text(sql, history ? history : layout->column_count == 0 ? sink->service->null_text : "");
    for (int i = 0; i < layout->column_count; i++)
        pgc_buffer_format(sql, "%sN.c%d", i > 0 || history ? ", " : "", i);
}
