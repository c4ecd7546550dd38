/*
 * Ranges of keys. A range is compared by one line from each end: how many rows, and the sum of their hashes. One that
 * differs is cut at keys that split it evenly, all its pieces are compared by one query at each end, and so on down to
 * ranges whose rows are fetched as keys and hashes.
 */
#include "inspect/verify/verify_internal.h"

#include "base/grow.h"

#include <stdlib.h>

#define LEAF_ROWS 8000
#define MOST_PIECES 64
#define MOST_DEPTH 10
#define RANGE_ROWS 200000.0 /* of an item: some tenths of a second */
#define MOST_RANGES 2000
#define SAMPLE_PAGES 400.0

/* ------------------------------------------------------------------ items */

static verify_item *add_item(pgc_verify *verify, verify_table *table)
{
    pgconvoy_error ignored;
    if (pgc_grow_int(&verify->items, verify->item_count, &verify->item_capacity, sizeof *verify->items, &ignored) != 0)
        return NULL;
    atomic_fetch_add(&table->items_left, 1);
    verify_item *item = &verify->items[verify->item_count++];
    *item = (verify_item){.table = table, .rows = table->rows};
    return item;
}

static const char *const *key_of_row(const PGresult *result, int row, int parts, pgc_arena *arena)
{
    const char **key = pgc_arena_alloc(arena, sizeof *key * (size_t)parts);
    for (int part = 0; key && part < parts; part++)
        if (!(key[part] = pgc_arena_strdup(arena, PQgetvalue(result, row, part))))
            return NULL;
    return key;
}

/* Keys that cut the rows of a query, numbered n of c in the order of keys, in so many pieces. */
static void cut_sql(const pgc_verify *verify, const verify_table *table, int side, const char *from, int pieces,
                    pgc_buffer *sql)
{
    pgc_buffer_text(sql, "SELECT ");
    for (int part = 0; part < verify_key_parts(table); part++)
        pgc_buffer_format(sql, "k%d, ", part);
    pgc_buffer_text(sql, "n FROM (SELECT ");
    for (int part = 0; part < verify_key_parts(table); part++) {
        verify_sql_key_part(verify, table, side, part, sql);
        pgc_buffer_format(sql, " AS k%d, ", part);
    }
    pgc_buffer_text(sql, "row_number() OVER (ORDER BY ");
    verify_sql_keys(verify, table, side, sql);
    pgc_buffer_format(sql, ") AS n, count(*) OVER () AS c%s) q WHERE n %% greatest(c / %d, 1) = 0 ORDER BY n", from,
                      pieces);
}

static int add_ranges(pgc_verify *verify, verify_table *table, const PGresult *cuts, pgconvoy_error *err)
{
    const char *const *low = NULL;
    int count = PQntuples(cuts);
    for (int i = 0; i <= count; i++) {
        const char *const *high = i < count ? key_of_row(cuts, i, verify_key_parts(table), verify->arena) : NULL;
        verify_item *item = add_item(verify, table);
        if (!item || (i < count && !high))
            return pgc_error_out_of_memory(err);
        item->range = (verify_range){.low = low, .high = high};
        item->rows = table->rows / (count + 1);
        low = high;
    }
    return 0;
}

/* Ranges of a large table, at keys of a sample of its pages. Where rows stand in another order than their keys, one
 * pass over the whole is faster than reading its pages again and again. */
static int cut_table(pgc_verify *verify, verify_table *table, pgconvoy_error *err)
{
    int pieces = (int)(table->rows / RANGE_ROWS);
    if (pieces < 2 || !table->is_indexed || !table->is_clustered || table->pages < 1)
        return add_item(verify, table) ? 0 : pgc_error_out_of_memory(err);
    double percent = 100 * SAMPLE_PAGES / table->pages;
    pgc_buffer from, sql;
    pgc_buffer_init(&from, VERIFY_SQL_LIMIT);
    pgc_buffer_init(&sql, VERIFY_SQL_LIMIT);
    pgc_buffer_format(&from, " FROM %s", table->only[VERIFY_SOURCE] ? "ONLY " : "");
    verify_sql_name(table, VERIFY_SOURCE, &from);
    pgc_buffer_format(&from, " AS t TABLESAMPLE SYSTEM (%.6f)",
                      percent > 100      ? 100
                      : percent < 0.0001 ? 0.0001
                                         : percent);
    cut_sql(verify, table, VERIFY_SOURCE, from.failed ? "" : from.data, pieces > MOST_RANGES ? MOST_RANGES : pieces,
            &sql);
    PGresult *cuts = pgc_buffer_check(&from, err) || pgc_buffer_check(&sql, err)
                         ? NULL
                         : pgc_query(verify->conn[VERIFY_SOURCE], sql.data, err);
    int status = cuts ? add_ranges(verify, table, cuts, err) : -1;
    PQclear(cuts);
    pgc_buffer_free(&from);
    pgc_buffer_free(&sql);
    return status;
}

/* The largest first, so that no long one is left for the end; a table's ranges stay together. */
static int by_size(const void *a, const void *b)
{
    const verify_item *left = a, *right = b;
    if (left->table != right->table) {
        if (left->table->rows != right->table->rows)
            return left->table->rows < right->table->rows ? 1 : -1;
        return left->table < right->table ? -1 : 1;
    }
    return left->range.low == right->range.low ? 0 : left < right ? -1 : 1;
}

int verify_items_make(pgc_verify *verify, pgconvoy_error *err)
{
    for (int i = 0; i < verify->table_count; i++) {
        verify_table *table = &verify->tables[i];
        if (table->is_absent || table->is_before)
            continue;
        if (verify_stopped(verify, err) || cut_table(verify, table, err))
            return -1;
    }
    if (verify->item_count)
        qsort(verify->items, (size_t)verify->item_count, sizeof *verify->items, by_size);
    return 0;
}

/* ------------------------------------------------------------------ down to rows */

int verify_leaf_compare(verify_session *session, verify_table *table, verify_condition condition, const void *arg,
                        pgconvoy_error *err)
{
    pgc_verify *verify = session->verify;
    pgc_arena_reset(session->leaf);
    for (int side = 0; side < 2; side++) {
        pgc_buffer *sql = &session->sql[side];
        pgc_buffer_reset(sql);
        pgc_buffer_text(sql, "SELECT ");
        verify_sql_keys(verify, table, side, sql);
        pgc_buffer_text(sql, ", ");
        verify_sql_value(verify, table, side, sql);
        verify_sql_from(verify, table, side, sql);
        condition(verify, table, side, arg, sql);
        verify_sql_group(table, sql);
    }
    PGresult *results[2];
    if (verify_query_both(session, results, err))
        return -1;
    verify_rowset rows[2];
    const char *const **keys = NULL;
    int count = 0, parts = verify_key_parts(table), status = 0;
    for (int side = 0; side < 2; side++)
        if (verify_rowset_init(&rows[side], results[side], parts, session->leaf, err))
            status = -1;
    if (status == 0)
        status = verify_rowset_differ(&rows[0], &rows[1], session->leaf, &keys, &count, err);
    verify_rowset_free(&rows[0]);
    verify_rowset_free(&rows[1]);
    return status == 0 && count ? verify_settle(session, table, keys, count, err) : status;
}

static void is_within(const pgc_verify *verify, const verify_table *table, int side, const void *range, pgc_buffer *out)
{
    pgc_buffer_byte(out, ' ');
    verify_sql_range(verify, table, side, range, out);
}

bool verify_sums_next(verify_sums *sums, long *bucket, double *rows)
{
    for (;;) {
        bool left[2];
        long there[2];
        for (int side = 0; side < 2; side++) {
            left[side] = sums->at[side] < PQntuples(sums->results[side]);
            there[side] = left[side] ? atol(PQgetvalue(sums->results[side], sums->at[side], 0)) : 0;
        }
        if (!left[0] && !left[1])
            return false;
        bool use[2] = {left[0] && (!left[1] || there[0] <= there[1]), left[1] && (!left[0] || there[1] <= there[0])};
        bool same = use[0] && use[1];
        *bucket = use[0] ? there[0] : there[1];
        *rows = 0;
        for (int side = 0; side < 2; side++)
            if (use[side]) {
                double count = atof(PQgetvalue(sums->results[side], sums->at[side], 1));
                *rows = count > *rows ? count : *rows;
            }
        for (int field = 1; same && field < 3; field++)
            same = strcmp(PQgetvalue(sums->results[0], sums->at[0], field),
                          PQgetvalue(sums->results[1], sums->at[1], field)) == 0;
        sums->at[0] += use[0];
        sums->at[1] += use[1];
        if (!same)
            return true;
    }
}

/* SELECT bucket, count, sum … GROUP BY bucket at both ends. */
static int sum_buckets(verify_session *session, verify_table *table, const verify_range *range,
                       const char *const *const *cuts, int count, PGresult *results[2], pgconvoy_error *err)
{
    for (int side = 0; side < 2; side++) {
        pgc_buffer *sql = &session->sql[side];
        pgc_buffer_reset(sql);
        pgc_buffer_text(sql, "SELECT ");
        verify_sql_bucket(session->verify, table, side, cuts, count, sql);
        pgc_buffer_text(sql, ", count(*), sum(");
        verify_sql_hash(session->verify, table, side, sql);
        pgc_buffer_byte(sql, ')');
        verify_sql_from(session->verify, table, side, sql);
        verify_sql_range(session->verify, table, side, range, sql);
        pgc_buffer_text(sql, " GROUP BY 1 ORDER BY 1");
    }
    return verify_query_both(session, results, err);
}

/* Where to cut a range: at keys of the end that has more rows in it. */
static int find_cuts(verify_session *session, verify_table *table, const verify_range *range, int side, int pieces,
                     const char *const ***cuts, int *count, pgconvoy_error *err)
{
    pgc_buffer from, *sql = &session->sql[side];
    pgc_buffer_init(&from, VERIFY_SQL_LIMIT);
    verify_sql_from(session->verify, table, side, &from);
    verify_sql_range(session->verify, table, side, range, &from);
    pgc_buffer_reset(sql);
    int status = pgc_buffer_check(&from, err);
    if (status == 0)
        cut_sql(session->verify, table, side, from.data, pieces, sql);
    pgc_buffer_free(&from);
    PGresult *result = status == 0 ? verify_query(session, side, err) : NULL;
    if (!result)
        return -1;
    *count = PQntuples(result);
    *cuts = pgc_arena_alloc(session->arena, sizeof **cuts * (size_t)(*count + 1));
    for (int i = 0; *cuts && i < *count; i++)
        if (!((*cuts)[i] = key_of_row(result, i, verify_key_parts(table), session->arena)))
            *cuts = NULL;
    PQclear(result);
    return *cuts ? 0 : pgc_error_out_of_memory(err);
}

static int drill(verify_session *session, verify_table *table, const verify_range *range, int larger, double rows,
                 int depth, pgconvoy_error *err)
{
    if (rows <= LEAF_ROWS || depth >= MOST_DEPTH)
        return verify_leaf_compare(session, table, is_within, range, err);
    int pieces = (int)(rows * 1.5 / LEAF_ROWS) + 1, count;
    const char *const **cuts;
    if (find_cuts(session, table, range, larger, pieces > MOST_PIECES ? MOST_PIECES : pieces, &cuts, &count, err))
        return -1;
    if (count == 0)
        return verify_leaf_compare(session, table, is_within, range, err);
    PGresult *results[2];
    if (sum_buckets(session, table, range, cuts, count, results, err))
        return -1;
    verify_sums sums = {.results = {results[0], results[1]}};
    long bucket;
    double within;
    int status = 0;
    while (status == 0 && verify_sums_next(&sums, &bucket, &within)) {
        verify_range piece = {.low = bucket > 0 ? cuts[bucket - 1] : range->low,
                              .high = bucket < count ? cuts[bucket] : range->high};
        status = drill(session, table, &piece, larger, within, depth + 1, err);
    }
    PQclear(results[0]);
    PQclear(results[1]);
    return status;
}

/* ------------------------------------------------------------------ a range */

static int compare_keys(verify_session *session, verify_table *table, const verify_range *range, double count[2],
                        pgconvoy_error *err)
{
    for (int side = 0; side < 2; side++) {
        pgc_buffer *sql = &session->sql[side];
        pgc_buffer_reset(sql);
        pgc_buffer_text(sql, "SELECT count(*), sum(");
        verify_sql_hash(session->verify, table, side, sql);
        pgc_buffer_byte(sql, ')');
        verify_sql_from(session->verify, table, side, sql);
        verify_sql_range(session->verify, table, side, range, sql);
    }
    PGresult *results[2];
    if (verify_query_both(session, results, err))
        return -1;
    bool same = true;
    for (int side = 0; side < 2; side++)
        count[side] = atof(PQgetvalue(results[side], 0, 0));
    for (int field = 0; field < 2; field++)
        same = same && strcmp(PQgetvalue(results[0], 0, field), PQgetvalue(results[1], 0, field)) == 0;
    PQclear(results[0]);
    PQclear(results[1]);
    int larger = count[VERIFY_TARGET] > count[VERIFY_SOURCE] ? VERIFY_TARGET : VERIFY_SOURCE;
    return same ? 0 : drill(session, table, range, larger, count[larger], 0, err);
}

int verify_range_compare(verify_session *session, verify_table *table, const verify_range *range, pgconvoy_error *err)
{
    double count[2];
    pgc_arena_reset(session->arena);
    if (table->key_count ? compare_keys(session, table, range, count, err)
                         : verify_keyless_compare(session, table, count, err))
        return -1;
    pthread_mutex_lock(&session->verify->lock);
    table->row_count[0] += (int64_t)count[0];
    table->row_count[1] += (int64_t)count[1];
    pthread_mutex_unlock(&session->verify->lock);
    return 0;
}
