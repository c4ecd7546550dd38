/*
 * Changes: gathered by table and key (apply/compact.h), then applied table by table in bulk statements that read the gathered rows through pgconvoy_stage().
 *
 * Two ways to change a row. In place (UPDATE) keeps the table's order and touches no index, but DuckDB holds such changes in memory until
 * its next checkpoint. Delete and insert can spill to disk, but an index in its way is held in memory. So: in place while it is little; else
 * delete and insert, after the table has given up its PRIMARY KEY if it has one (primary_key.c).
 */
#include "sink/duckdb/duckdb_internal.h"

#include "postgres/quote.h"

#include <stdlib.h>

#define SQL_BYTES ((size_t)16 << 20)

/* Memory that a row's index entry takes while its transaction runs, and a row that is updated in place beside its own bytes. */
#define KEYED_ROW_BYTES   96
#define UPDATED_ROW_BYTES 96

typedef struct apply {
    pgc_duckdb_writer *writer;
    pgc_duckdb_stream_table *table;
    pgc_duckdb_layout *layout;
    const pgconvoy_table *source;
    pgc_duckdb_staged staged;
    pgc_buffer sql;
    bool in_place; /* how rows are updated */
} apply;

/* ---- pieces of SQL */

static void target_name(apply *a)
{
    pgc_duckdb_table_name(a->writer->sink, a->source->schema, a->source->name, &a->sql);
}

/* t."id" = s.k0 AND … */
static void same_key(apply *a)
{
    for (int i = 0; i < a->source->key_count; i++) {
        pgc_buffer_text(&a->sql, i > 0 ? " AND t." : "t.");
        pgc_quote_identifier(&a->sql, a->source->columns[a->source->key[i]].name);
        pgc_buffer_format(&a->sql, " = s.k%d", i);
    }
}

/* t."a" IS NOT DISTINCT FROM s.c0 AND … */
static void same_row(apply *a)
{
    for (int i = 0; i < a->layout->column_count; i++) {
        pgc_buffer_text(&a->sql, i > 0 ? " AND t." : "t.");
        pgc_quote_identifier(&a->sql, pgc_duckdb_layout_column(a->layout, i));
        pgc_buffer_format(&a->sql, " IS NOT DISTINCT FROM s.c%d", i);
    }
}

/* s.c0, s.c1, … in the order of column_names */
static void staged_columns(apply *a)
{
    for (int i = 0; i < a->layout->column_count; i++)
        pgc_buffer_format(&a->sql, "%ss.c%d", i > 0 ? ", " : "", i);
}

static void start_sql(apply *a, const char *text)
{
    pgc_buffer_reset(&a->sql);
    pgc_buffer_text(&a->sql, text);
    a->staged.column_count = 0;
}

static void stage_column(apply *a, pgc_duckdb_stage_source source, int index)
{
    a->staged.columns[a->staged.column_count++] = (pgc_duckdb_stage_column){source, index};
}

static void stage_key(apply *a)
{
    for (int i = 0; i < a->source->key_count; i++)
        stage_column(a, PGC_DUCKDB_STAGE_KEY, i);
}

static void stage_row(apply *a)
{
    for (int i = 0; i < a->layout->column_count; i++)
        stage_column(a, PGC_DUCKDB_STAGE_ROW, i);
}

static bool is_sent(const apply *a, const pgc_compact_item *item, int column)
{
    return a->source->column_count == 0 || item->row[column].length != PGCONVOY_UNCHANGED;
}

static int run_staged(apply *a, const pgc_compact_item *items, size_t count, const char *doing, int64_t *changed,
                      pgconvoy_error *err)
{
    a->staged.items = items;
    a->staged.count = count;
    return pgc_duckdb_stage_run(a->writer, &a->staged, &a->sql, doing, changed, err);
}

static void note_missing(apply *a, const char *what, int64_t missing)
{
    if (missing > 0)
        pgc_log_warning(a->writer->sink->config->log, "duckdb: %lld rows to be %s in %s.%s were not there", (long long)missing, what,
                        a->source->schema, a->source->name);
}

/* ---- statements */

static int delete_keys(apply *a, const pgc_compact_item *items, size_t count, int64_t *changed, pgconvoy_error *err)
{
    start_sql(a, "DELETE FROM ");
    target_name(a);
    pgc_buffer_text(&a->sql, " AS t USING " PGC_DUCKDB_STAGE " AS s WHERE ");
    same_key(a);
    stage_key(a);
    return run_staged(a, items, count, "deleting rows", changed, err);
}

static int insert_rows(apply *a, const pgc_compact_item *items, size_t count, pgconvoy_error *err)
{
    bool copies = false;
    for (size_t i = 0; i < count && !copies; i++)
        copies = items[i].copies > 1;
    start_sql(a, "INSERT INTO ");
    target_name(a);
    pgc_buffer_text(&a->sql, " (");
    pgc_duckdb_column_names(a->layout, &a->sql);
    pgc_buffer_text(&a->sql, ") SELECT ");
    staged_columns(a);
    pgc_buffer_text(&a->sql, copies ? " FROM (SELECT *, unnest(range(n)) FROM " PGC_DUCKDB_STAGE ") AS s"
                                    : " FROM " PGC_DUCKDB_STAGE " AS s");
    stage_row(a);
    if (copies)
        stage_column(a, PGC_DUCKDB_STAGE_COPIES, 0);
    return run_staged(a, items, count, "inserting rows", NULL, err);
}

/* Complete rows whose key is not there: an UPDATE's row that the target has lost, or never had, comes back whole. */
static int insert_missing(apply *a, const pgc_compact_item *items, size_t count, pgconvoy_error *err)
{
    start_sql(a, "INSERT INTO ");
    target_name(a);
    pgc_buffer_text(&a->sql, " (");
    pgc_duckdb_column_names(a->layout, &a->sql);
    pgc_buffer_text(&a->sql, ") SELECT ");
    staged_columns(a);
    pgc_buffer_text(&a->sql, " FROM ");
    target_name(a);
    pgc_buffer_text(&a->sql, " AS t RIGHT JOIN " PGC_DUCKDB_STAGE " AS s ON ");
    same_key(a);
    pgc_buffer_text(&a->sql, " WHERE t.");
    pgc_quote_identifier(&a->sql, a->source->columns[a->source->key[0]].name);
    pgc_buffer_text(&a->sql, " IS NULL"); /* a key has no NULL of its own */
    stage_row(a);
    stage_key(a);
    return run_staged(a, items, count, "inserting rows", NULL, err);
}

/* A run of items with the same columns unchanged. */
static int update_in_place(apply *a, const pgc_compact_item *items, size_t count, pgconvoy_error *err)
{
    int sent = 0;
    start_sql(a, "UPDATE ");
    target_name(a);
    pgc_buffer_text(&a->sql, " AS t SET ");
    for (int i = 0; i < a->source->column_count; i++) {
        if (a->source->columns[i].in_key || !is_sent(a, items, i))
            continue;
        pgc_buffer_text(&a->sql, sent++ > 0 ? ", " : "");
        pgc_quote_identifier(&a->sql, a->source->columns[i].name);
        pgc_buffer_format(&a->sql, " = s.c%d", i);
        stage_column(a, PGC_DUCKDB_STAGE_ROW, i);
    }
    if (sent == 0 && !items->complete)
        return 0;
    int64_t changed = 0;
    if (sent > 0) {
        pgc_buffer_text(&a->sql, " FROM " PGC_DUCKDB_STAGE " AS s WHERE ");
        same_key(a);
        stage_key(a);
        if (run_staged(a, items, count, "updating rows", &changed, err) != 0)
            return -1;
    }
    if (changed >= (int64_t)count)
        return 0;
    if (items->complete)
        return insert_missing(a, items, count, err);
    note_missing(a, "updated", (int64_t)count - changed);
    return 0;
}

/* ---- rows that lean on what the target has: read into a temporary table before anything is changed */

static void moved_name(apply *a, int number)
{
    pgc_buffer_format(&a->sql, "temp.pgconvoy_moved_%d", number);
}

static int fetch_moved(apply *a, const pgc_compact_item *items, size_t count, int number, pgconvoy_error *err)
{
    start_sql(a, "CREATE OR REPLACE TEMP TABLE ");
    pgc_buffer_format(&a->sql, "pgconvoy_moved_%d AS SELECT ", number);
    for (int i = 0; i < a->layout->column_count; i++) {
        pgc_buffer_text(&a->sql, i > 0 ? ", " : "");
        if (is_sent(a, items, i)) {
            pgc_buffer_format(&a->sql, "s.c%d", i);
            stage_column(a, PGC_DUCKDB_STAGE_ROW, i);
        } else {
            pgc_buffer_text(&a->sql, "t.");
            pgc_quote_identifier(&a->sql, pgc_duckdb_layout_column(a->layout, i));
        }
        pgc_buffer_format(&a->sql, " AS c%d", i);
    }
    pgc_buffer_text(&a->sql, " FROM ");
    target_name(a);
    pgc_buffer_text(&a->sql, " AS t JOIN " PGC_DUCKDB_STAGE " AS s ON ");
    same_key(a);
    stage_key(a);
    return run_staged(a, items, count, "reading rows that are to be changed", NULL, err);
}

static int insert_moved(apply *a, int number, size_t count, pgconvoy_error *err)
{
    const pgc_duckdb_api *api = &a->writer->sink->api;
    int64_t changed = 0;
    start_sql(a, "INSERT INTO ");
    target_name(a);
    pgc_buffer_text(&a->sql, " (");
    pgc_duckdb_column_names(a->layout, &a->sql);
    pgc_buffer_text(&a->sql, ") FROM ");
    moved_name(a, number);
    if (pgc_duckdb_run(api, a->writer->connection, &a->sql, "inserting rows", &changed, err) != 0)
        return -1;
    note_missing(a, "updated", (int64_t)count - changed);
    start_sql(a, "DROP TABLE ");
    moved_name(a, number);
    return pgc_duckdb_run(api, a->writer->connection, &a->sql, "inserting rows", NULL, err);
}

/* ---- tables with a key */

/* The end of the run that starts at first. */
static size_t run_end(const apply *a, const pgc_compact_item *items, size_t first, size_t count)
{
    size_t end = first + 1;
    while (end < count && pgc_compact_same_columns(a->table->compact, &items[first], &items[end]))
        end++;
    return end;
}

typedef int for_run(apply *a, const pgc_compact_item *items, size_t count, int number, pgconvoy_error *err);

/* Calls fn for each run of items; *number counts them on. */
static int each_run(apply *a, const pgc_compact_item *items, size_t count, int *number, for_run *fn, pgconvoy_error *err)
{
    for (size_t first = 0, end; first < count; first = end) {
        end = run_end(a, items, first, count);
        if (fn(a, items + first, end - first, (*number)++, err) != 0)
            return -1;
    }
    return 0;
}

static int update_run(apply *a, const pgc_compact_item *items, size_t count, int number, pgconvoy_error *err)
{
    (void)number;
    return update_in_place(a, items, count, err);
}

static int fetch_run(apply *a, const pgc_compact_item *items, size_t count, int number, pgconvoy_error *err)
{
    return items->complete ? 0 : fetch_moved(a, items, count, number, err);
}

static int insert_run(apply *a, const pgc_compact_item *items, size_t count, int number, pgconvoy_error *err)
{
    return items->complete ? insert_rows(a, items, count, err) : insert_moved(a, number, count, err);
}

/* What updating in place will hold in memory until the next checkpoint. */
static size_t bytes_of_updates(const apply *a, const pgc_compact_item *items, size_t count)
{
    size_t bytes = count * UPDATED_ROW_BYTES;
    for (size_t i = 0; i < count; i++) {
        for (int column = 0; column < a->source->column_count; column++)
            bytes += items[i].row[column].length > 0 ? (size_t)items[i].row[column].length + 8 : 8;
    }
    return bytes;
}

static bool meets_deleted(const apply *a, const pgc_compact_result *result)
{
    static const pgc_compact_action inserting[] = {PGC_COMPACT_INSERT, PGC_COMPACT_MOVE, PGC_COMPACT_UPDATE};
    size_t count = sizeof inserting / sizeof *inserting - (a->layout->updates_in_place ? 1 : 0);
    if (result->truncated && a->table->touched) /* all keys are deleted once more */
        return true;
    for (size_t i = 0; i < count; i++) {
        pgc_compact_action action = inserting[i];
        if (pgc_duckdb_key_set_meets(&a->table->deleted, a->source, result->items[action], result->count[action]))
            return true;
    }
    return false;
}

/* Decides how the updates are done, and gives up the primary key where it would be in the way of memory. */
static int choose_way(apply *a, const pgc_compact_result *result, bool *in_place, pgconvoy_error *err)
{
    pgc_duckdb_writer *writer = a->writer;
    size_t budget = PGC_DUCKDB_UPDATE_BUDGET(writer->sink);
    size_t update_bytes = bytes_of_updates(a, result->items[PGC_COMPACT_UPDATE], result->count[PGC_COMPACT_UPDATE]);
    size_t keyed = result->count[PGC_COMPACT_DELETE] + result->count[PGC_COMPACT_MOVE] + result->count[PGC_COMPACT_INSERT];
    if (!a->layout->updates_in_place)
        keyed += result->count[PGC_COMPACT_UPDATE];
    size_t keyed_bytes = a->table->has_primary_key ? keyed * KEYED_ROW_BYTES : 0;
    /* without an index in the way, delete and insert is as fast, and nothing waits in memory for the checkpoint */
    size_t limit = a->table->has_primary_key ? budget : budget / 8;
    if (a->table->has_primary_key && writer->updated_bytes + update_bytes > limit && update_bytes <= limit &&
        pgc_duckdb_apply_relieve_early(writer, err) != 0)
        return -1;
    *in_place = writer->updated_bytes + update_bytes <= limit;
    bool too_large = !*in_place || writer->keyed_bytes + keyed_bytes > budget;
    if (a->table->has_primary_key && (too_large || meets_deleted(a, result))) {
        if (pgc_duckdb_primary_key_drop(writer->sink, writer->connection, a->source,
                                        too_large ? "a transaction is too large for its index to be kept in --memory"
                                                  : "a large transaction deletes and inserts the same keys again and again",
                                        err) != 0)
            return -1;
        pgc_duckdb_key_set_clear(&a->table->deleted);
        a->table->has_primary_key = false;
        writer->catalog_changed = true;
        keyed_bytes = 0;
        *in_place = writer->updated_bytes + update_bytes <= budget / 8;
    }
    writer->keyed_bytes += keyed_bytes;
    if (*in_place)
        writer->updated_bytes += update_bytes;
    return 0;
}

/* The keys that the index will have seen deleted. */
static int remember_deleted(apply *a, const pgc_compact_result *result, pgconvoy_error *err)
{
    static const pgc_compact_action deleting[] = {PGC_COMPACT_DELETE, PGC_COMPACT_UPDATE};
    size_t count = sizeof deleting / sizeof *deleting - (a->layout->updates_in_place ? 1 : 0);
    for (size_t i = 0; a->table->has_primary_key && i < count; i++) {
        pgc_compact_action action = deleting[i];
        if (pgc_duckdb_key_set_add(&a->table->deleted, a->source, result->items[action], result->count[action], err) != 0)
            return -1;
    }
    return 0;
}

static int apply_keyed(apply *a, const pgc_compact_result *result, pgconvoy_error *err)
{
    const pgc_compact_item *const *items = result->items;
    const size_t *count = result->count;
    size_t updates = count[PGC_COMPACT_UPDATE];
    bool in_place = a->in_place;
    int fetched = 0, inserted = 0, updated = 0;
    if (remember_deleted(a, result, err) != 0)
        return -1;
    if (each_run(a, items[PGC_COMPACT_MOVE], count[PGC_COMPACT_MOVE], &fetched, fetch_run, err) != 0 ||
        (!in_place && each_run(a, items[PGC_COMPACT_UPDATE], updates, &fetched, fetch_run, err) != 0))
        return -1;
    if (count[PGC_COMPACT_DELETE] > 0) {
        int64_t deleted = 0;
        if (delete_keys(a, items[PGC_COMPACT_DELETE], count[PGC_COMPACT_DELETE], &deleted, err) != 0)
            return -1;
        note_missing(a, "deleted", (int64_t)count[PGC_COMPACT_DELETE] - deleted);
    }
    if (in_place && each_run(a, items[PGC_COMPACT_UPDATE], updates, &updated, update_run, err) != 0)
        return -1;
    if (!in_place && updates > 0 && delete_keys(a, items[PGC_COMPACT_UPDATE], updates, NULL, err) != 0)
        return -1;
    if (each_run(a, items[PGC_COMPACT_MOVE], count[PGC_COMPACT_MOVE], &inserted, insert_run, err) != 0 ||
        (!in_place && each_run(a, items[PGC_COMPACT_UPDATE], updates, &inserted, insert_run, err) != 0))
        return -1;
    return count[PGC_COMPACT_INSERT] > 0 ? insert_rows(a, items[PGC_COMPACT_INSERT], count[PGC_COMPACT_INSERT], err) : 0;
}

/* ---- tables without a key: so many copies of a row go */

static int delete_copies(apply *a, const pgc_compact_item *items, size_t count, pgconvoy_error *err)
{
    int64_t wanted = 0, deleted = 0;
    for (size_t i = 0; i < count; i++)
        wanted += (int64_t)items[i].copies;
    start_sql(a, "DELETE FROM ");
    target_name(a);
    pgc_buffer_text(&a->sql, " WHERE rowid IN (SELECT r FROM (SELECT t.rowid AS r, s.n AS n, row_number() OVER (PARTITION BY s.i "
                             "ORDER BY t.rowid) AS place FROM ");
    target_name(a);
    pgc_buffer_text(&a->sql, " AS t JOIN " PGC_DUCKDB_STAGE " AS s ON ");
    same_row(a);
    pgc_buffer_text(&a->sql, ") WHERE place <= n)");
    stage_row(a);
    stage_column(a, PGC_DUCKDB_STAGE_COPIES, 0);
    stage_column(a, PGC_DUCKDB_STAGE_ORDER, 0);
    if (run_staged(a, items, count, "deleting rows", &deleted, err) != 0)
        return -1;
    note_missing(a, "deleted", wanted - deleted);
    return 0;
}

static int apply_keyless(apply *a, const pgc_compact_result *result, pgconvoy_error *err)
{
    const pgc_compact_item *const *items = result->items;
    const size_t *count = result->count;
    if (count[PGC_COMPACT_DELETE] > 0 && delete_copies(a, items[PGC_COMPACT_DELETE], count[PGC_COMPACT_DELETE], err) != 0)
        return -1;
    return count[PGC_COMPACT_INSERT] > 0 ? insert_rows(a, items[PGC_COMPACT_INSERT], count[PGC_COMPACT_INSERT], err) : 0;
}

/* ---- all of one table */

static int empty_table(apply *a, pgconvoy_error *err)
{
    start_sql(a, "DELETE FROM ");
    target_name(a);
    return pgc_duckdb_run(&a->writer->sink->api, a->writer->connection, &a->sql, "emptying the table", NULL, err);
}

int pgc_duckdb_apply_table(pgc_duckdb_writer *writer, pgc_duckdb_stream_table *table, pgconvoy_error *err)
{
    if (pgc_compact_is_empty(table->compact))
        return 0;
    pgc_compact_result result;
    apply a = {.writer = writer, .table = table, .layout = table->layout, .source = table->table};
    a.staged.layout = table->layout;
    a.staged.columns = calloc((size_t)table->layout->column_count + (size_t)table->table->key_count + 2, sizeof *a.staged.columns);
    pgc_buffer_init(&a.sql, SQL_BYTES);
    int done = a.staged.columns ? pgc_compact_take(table->compact, &result, err) : pgc_error_out_of_memory(err);
    if (done == 0 && table->table->key_count > 0)
        done = choose_way(&a, &result, &a.in_place, err);
    writer->wrote = table->touched = true;
    if (done == 0 && result.truncated)
        done = empty_table(&a, err);
    if (done == 0)
        done = table->table->key_count > 0 ? apply_keyed(&a, &result, err) : apply_keyless(&a, &result, err);
    free(a.staged.columns);
    pgc_buffer_free(&a.sql);
    pgc_arena_reset(writer->encoder.arena);
    pgc_compact_reset(table->compact);
    return done;
}
