/*
 * Rows of a table in an engine that is no PostgreSQL server. A row is known by the hash of its key (of itself, where
 * there is none) and compared by the hash of its values. Both ends are summed up by buckets of the key's hash; of the
 * buckets that differ the hashes of all rows are fetched, some ten thousand at a time, and of the rows that differ and
 * are shown the values.
 */
#include "inspect/verify/analytic.h"

#include <stdlib.h>

#define BUCKETS 4096L
#define SAMPLE_PARTS 100000L
#define BATCH_ROWS 100000
#define SHOW_AT_ONCE 20

/* Names in our queries that no column has. */
#define KEY "pgconvoy_k"
#define ROW "pgconvoy_r"

/* A row that differs. */
typedef struct difference {
    verify_kind kind;
    const char *key; /* its hash, as a number */
} difference;

typedef struct rows {
    analytic *analytic;
    const analytic_table *table;
    pgc_arena *arena; /* of a query's answer */
    pgc_buffer sql;
    difference *shown;
    int shown_count;
} rows;

/* ------------------------------------------------------------------ pieces */

/* Column i as it is compared. In the arena; NULL when out of memory. */
static const char *value_of(rows *rows, int side, int i)
{
    const analytic_table *table = rows->table;
    const pgc_comparer *ops = rows->analytic->ops;
    pgc_buffer name, text;
    pgc_buffer_init(&name, 65536);
    pgc_buffer_init(&text, 1 << 20);
    ops->column(&name, table->names[i], table->types[side][i]);
    if (table->by_text[i])
        ops->text(&text, name.data ? name.data : "", table->types[side][i], NULL);
    const pgc_buffer *wanted = table->by_text[i] ? &text : &name;
    const char *copy = wanted->failed || name.failed ? NULL : pgc_arena_strdup(rows->analytic->arena, wanted->data);
    pgc_buffer_free(&name);
    pgc_buffer_free(&text);
    return copy;
}

/* The hash of some columns; of a table without any, of a word. */
static void put_hash(rows *rows, int side, const int *columns, int count)
{
    pgc_arena *arena = rows->analytic->arena;
    const char **values = pgc_arena_alloc(arena, (size_t)(count + 1) * sizeof *values);
    for (int i = 0; values && i < count; i++)
        if (!(values[i] = value_of(rows, side, columns[i])))
            values = NULL;
    if (!values) {
        rows->sql.failed = true;
        return;
    }
    if (count == 0)
        values[0] = "'row'";
    rows->analytic->ops->hash(&rows->sql, values, count > 0 ? count : 1);
}

static void put_row_hash(rows *rows, int side)
{
    int *all = pgc_arena_alloc(rows->analytic->arena, (size_t)(rows->table->count + 1) * sizeof *all);
    for (int i = 0; all && i < rows->table->count; i++)
        all[i] = i;
    if (all)
        put_hash(rows, side, all, rows->table->count);
    else
        rows->sql.failed = true;
}

static void put_from(rows *rows, int side)
{
    const char *where = rows->table->found->where;
    pgc_buffer_format(&rows->sql, " FROM %s", rows->table->ends[side].relation);
    if (where)
        pgc_buffer_format(&rows->sql, " WHERE (%s\n)", where);
}

/* (SELECT hash of the key, hash of the row FROM … ) AS q */
static void put_hashes(rows *rows, int side)
{
    const analytic_table *table = rows->table;
    pgc_buffer_text(&rows->sql, "(SELECT ");
    if (table->key_count)
        put_hash(rows, side, table->key, table->key_count);
    else
        put_row_hash(rows, side);
    pgc_buffer_text(&rows->sql, " AS " KEY ", ");
    put_row_hash(rows, side);
    pgc_buffer_text(&rows->sql, " AS " ROW);
    put_from(rows, side);
    pgc_buffer_text(&rows->sql, ") AS q");
}

/* The same rows are chosen at both ends. */
static void put_sample(rows *rows, const char *before)
{
    double percent = rows->analytic->verify->options->sample;
    if (percent >= 100)
        return;
    pgc_buffer_text(&rows->sql, before);
    rows->analytic->ops->bucket(&rows->sql, KEY, SAMPLE_PARTS);
    pgc_buffer_format(&rows->sql, " < %ld", (long)(percent * SAMPLE_PARTS / 100));
}

static void put_counts(rows *rows)
{
    const pgc_comparer *ops = rows->analytic->ops;
    pgc_buffer_format(&rows->sql, ", count(*) AS pgconvoy_n, %s" ROW "%s AS pgconvoy_s FROM ", ops->sum_begin,
                      ops->sum_end);
}

static int ask(rows *rows, const char *doing, int columns, const char ***cells, size_t *count, pgconvoy_error *err)
{
    const analytic *analytic = rows->analytic;
    if (verify_stopped(analytic->verify, err) || pgc_buffer_check(&rows->sql, err))
        return -1;
    return analytic->ops->select(analytic->state, &rows->sql, doing, columns, rows->arena, cells, count, err);
}

/* ------------------------------------------------------------------ rows of some buckets */

/* Key, count and sum; in order of keys. */
typedef struct answer {
    const char **cells;
    size_t count;
} answer;

static int by_key(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int fetch_hashes(rows *rows, int side, const pgc_buffer *list, answer *answer, pgconvoy_error *err)
{
    pgc_buffer_reset(&rows->sql);
    pgc_buffer_text(&rows->sql, "SELECT " KEY);
    put_counts(rows);
    put_hashes(rows, side);
    pgc_buffer_text(&rows->sql, " WHERE ");
    rows->analytic->ops->bucket(&rows->sql, KEY, BUCKETS);
    pgc_buffer_format(&rows->sql, " IN (%s)", list->data);
    put_sample(rows, " AND ");
    pgc_buffer_text(&rows->sql, " GROUP BY " KEY);
    if (ask(rows, "comparing rows", 3, &answer->cells, &answer->count, err))
        return -1;
    if (answer->count > 0) /* there are no cells where there are no rows */
        qsort(answer->cells, answer->count, 3 * sizeof *answer->cells, by_key);
    return 0;
}

static int64_t count_at(const answer *answer, size_t at, int order)
{
    return order ? 0 : atoll(answer->cells[3 * at + 1]);
}

static int note(rows *rows, verify_kind kind, const char *key, int64_t count, pgconvoy_error *err)
{
    rows->table->found->found[kind] += count;
    if (rows->shown_count >= rows->analytic->verify->options->show)
        return 0;
    const char *copy = pgc_arena_strdup(rows->analytic->arena, key);
    if (!copy)
        return pgc_error_out_of_memory(err);
    rows->shown[rows->shown_count++] = (difference){kind, copy};
    return 0;
}

/* A key that is at both ends, or at one. */
static int judge(rows *rows, const char *key, const int64_t counts[2], bool same, pgconvoy_error *err)
{
    int64_t more = counts[PGC_COMPARER_SCRATCH] - counts[PGC_COMPARER_TARGET];
    if (same)
        return 0;
    if (more == 0)
        return note(rows, VERIFY_CHANGED, key, 1, err);
    return note(rows, more > 0 ? VERIFY_MISSING : VERIFY_EXTRA, key, more > 0 ? more : -more, err);
}

static int merge(rows *rows, const answer ends[2], pgconvoy_error *err)
{
    for (size_t here = 0, there = 0; here < ends[0].count || there < ends[1].count;) {
        int order = here == ends[0].count    ? 1
                    : there == ends[1].count ? -1
                                             : strcmp(ends[0].cells[3 * here], ends[1].cells[3 * there]);
        int64_t counts[2] = {count_at(&ends[0], here, order > 0), count_at(&ends[1], there, order < 0)};
        const char *key = order <= 0 ? ends[0].cells[3 * here] : ends[1].cells[3 * there];
        bool same = order == 0 && counts[0] == counts[1] &&
                    strcmp(ends[0].cells[3 * here + 2], ends[1].cells[3 * there + 2]) == 0;
        if (judge(rows, key, counts, same, err))
            return -1;
        here += order <= 0;
        there += order >= 0;
    }
    return 0;
}

static int compare_buckets(rows *rows, const pgc_buffer *list, pgconvoy_error *err)
{
    answer ends[2];
    pgc_arena *arena = rows->arena;
    rows->arena = pgc_arena_new(1 << 20);
    int status = rows->arena ? 0 : pgc_error_out_of_memory(err);
    for (int side = 0; side < 2 && status == 0; side++)
        status = fetch_hashes(rows, side, list, &ends[side], err);
    if (status == 0)
        status = merge(rows, ends, err);
    pgc_arena_free(rows->arena);
    rows->arena = arena;
    return status;
}

/* ------------------------------------------------------------------ buckets */

typedef struct bucket {
    int64_t count[2];
    const char *sum[2];
} bucket;

static int sum_up(rows *rows, int side, bucket *buckets, pgconvoy_error *err)
{
    const char **cells;
    size_t count;
    pgc_buffer_reset(&rows->sql);
    pgc_buffer_text(&rows->sql, "SELECT pgconvoy_b");
    put_counts(rows);
    pgc_buffer_text(&rows->sql, "(SELECT ");
    rows->analytic->ops->bucket(&rows->sql, KEY, BUCKETS);
    pgc_buffer_text(&rows->sql, " AS pgconvoy_b, " ROW " FROM ");
    put_hashes(rows, side);
    put_sample(rows, " WHERE ");
    pgc_buffer_text(&rows->sql, ") AS p GROUP BY pgconvoy_b");
    if (ask(rows, "summing up rows", 3, &cells, &count, err))
        return -1;
    for (size_t i = 0; i < count; i++) {
        long place = atol(cells[3 * i]);
        if (place < 0 || place >= BUCKETS)
            continue;
        buckets[place].count[side] = atoll(cells[3 * i + 1]);
        buckets[place].sum[side] = cells[3 * i + 2];
        rows->table->found->row_count[side] += buckets[place].count[side];
    }
    return 0;
}

static bool is_same(const bucket *bucket)
{
    const char *here = bucket->sum[0] ? bucket->sum[0] : "", *there = bucket->sum[1] ? bucket->sum[1] : "";
    return bucket->count[0] == bucket->count[1] && strcmp(here, there) == 0;
}

static int compare_sums(rows *rows, const bucket *buckets, pgconvoy_error *err)
{
    pgc_buffer list;
    int64_t gathered = 0;
    int status = 0;
    pgc_buffer_init(&list, 1 << 20);
    for (long i = 0; i < BUCKETS && status == 0; i++) {
        if (is_same(&buckets[i]))
            continue;
        pgc_buffer_format(&list, "%s%ld", list.length ? ", " : "", i);
        gathered += buckets[i].count[0] > buckets[i].count[1] ? buckets[i].count[0] : buckets[i].count[1];
        if (gathered < BATCH_ROWS)
            continue;
        status = compare_buckets(rows, &list, err);
        pgc_buffer_reset(&list);
        gathered = 0;
    }
    if (status == 0 && list.length)
        status = compare_buckets(rows, &list, err);
    pgc_buffer_free(&list);
    return status;
}

/* ------------------------------------------------------------------ what is shown */

/* SELECT hash of the key, for each column its text and its hash: two answers for one column. */
static void put_values(rows *rows, int side, const difference *differences, int count)
{
    const analytic_table *table = rows->table;
    const pgc_comparer *ops = rows->analytic->ops;
    pgc_buffer_reset(&rows->sql);
    pgc_buffer_text(&rows->sql, "SELECT " KEY);
    for (int i = 0; i < table->count; i++)
        pgc_buffer_format(&rows->sql, ", pgconvoy_t%d, pgconvoy_h%d", i, i);
    pgc_buffer_text(&rows->sql, " FROM (SELECT ");
    if (table->key_count)
        put_hash(rows, side, table->key, table->key_count);
    else
        put_row_hash(rows, side);
    pgc_buffer_text(&rows->sql, " AS " KEY);
    for (int i = 0; i < table->count; i++) {
        pgc_buffer name;
        pgc_buffer_init(&name, 65536);
        ops->column(&name, table->names[i], table->types[side][i]);
        pgc_buffer_text(&rows->sql, ", ");
        ops->text(&rows->sql, name.data ? name.data : "", table->types[side][i],
                  &table->source->columns[table->columns[i]]);
        pgc_buffer_format(&rows->sql, " AS pgconvoy_t%d, ", i);
        put_hash(rows, side, &i, 1);
        pgc_buffer_format(&rows->sql, " AS pgconvoy_h%d", i);
        pgc_buffer_free(&name);
    }
    put_from(rows, side);
    pgc_buffer_text(&rows->sql, ") AS q WHERE " KEY " IN (");
    for (int i = 0; i < count; i++)
        pgc_buffer_format(&rows->sql, "%s%s", i ? ", " : "", differences[i].key);
    pgc_buffer_byte(&rows->sql, ')');
}

static const char **find_row(const answer *answer, int width, const char *key)
{
    for (size_t row = 0; row < answer->count; row++)
        if (answer->cells[row * (size_t)width] && strcmp(answer->cells[row * (size_t)width], key) == 0)
            return answer->cells + row * (size_t)width;
    return NULL;
}

/* "(id, day)=(5, 2026-01-31)"; without a key the whole row. */
static void describe(const analytic_table *table, const char **row, pgc_buffer *out)
{
    int count = table->key_count ? table->key_count : table->count;
    for (int pass = 0; pass < 2; pass++) {
        pgc_buffer_text(out, pass ? ")=(" : "(");
        for (int i = 0; i < count && out->length < 800; i++) {
            int column = table->key_count ? table->key[i] : i;
            const char *value = row ? row[1 + 2 * column] : "?";
            pgc_buffer_text(out, i ? ", " : "");
            if (pass == 0)
                pgc_buffer_text(out, table->source->columns[table->columns[column]].name);
            else
                pgc_buffer_format(out, "%.100s%s", value ? value : "NULL", value && strlen(value) > 100 ? "…" : "");
        }
    }
    pgc_buffer_byte(out, ')');
}

static int show_row(rows *rows, const difference *difference, const answer ends[2], pgconvoy_error *err)
{
    const analytic_table *table = rows->table;
    pgc_arena *arena = rows->analytic->verify->arena;
    int width = 1 + 2 * table->count;
    const char **here = find_row(&ends[0], width, difference->key),
               **there = find_row(&ends[1], width, difference->key);
    pgc_buffer what;
    pgc_buffer_init(&what, 65536);
    describe(table, here ? here : there, &what);
    verify_finding *finding =
        what.failed ? NULL : verify_finding_add(&table->found->findings, arena, difference->kind, what.data);
    pgc_buffer_free(&what);
    if (!finding)
        return pgc_error_out_of_memory(err);
    for (int i = 0; i < table->count && difference->kind == VERIFY_CHANGED && here && there; i++)
        if (strcmp(here[2 + 2 * i], there[2 + 2 * i]) != 0 &&
            verify_detail_add(finding, arena, table->source->columns[table->columns[i]].name, here[1 + 2 * i],
                              there[1 + 2 * i], err))
            return -1;
    return 0;
}

static int show_some(rows *rows, const difference *differences, int count, pgconvoy_error *err)
{
    answer ends[2];
    for (int side = 0; side < 2; side++) {
        put_values(rows, side, differences, count);
        if (ask(rows, "reading rows that differ", 1 + 2 * rows->table->count, &ends[side].cells, &ends[side].count,
                err))
            return -1;
    }
    for (int i = 0; i < count; i++)
        if (show_row(rows, &differences[i], ends, err))
            return -1;
    pgc_arena_reset(rows->arena);
    return 0;
}

/* ------------------------------------------------------------------ the table */

static int compare(rows *rows, pgconvoy_error *err)
{
    pgc_arena *arena = rows->analytic->arena;
    int most = rows->analytic->verify->options->show;
    bucket *buckets = pgc_arena_zalloc(arena, BUCKETS * sizeof *buckets);
    rows->shown = pgc_arena_alloc(arena, (size_t)(most + 1) * sizeof *rows->shown);
    if (!buckets || !rows->shown)
        return pgc_error_out_of_memory(err);
    if (sum_up(rows, PGC_COMPARER_SCRATCH, buckets, err) || sum_up(rows, PGC_COMPARER_TARGET, buckets, err) ||
        compare_sums(rows, buckets, err))
        return -1;
    pgc_arena_reset(rows->arena);
    for (int first = 0; first < rows->shown_count; first += SHOW_AT_ONCE) {
        int left = rows->shown_count - first;
        if (show_some(rows, rows->shown + first, left < SHOW_AT_ONCE ? left : SHOW_AT_ONCE, err))
            return -1;
    }
    return 0;
}

int analytic_rows_compare(analytic *analytic, const analytic_table *table, pgconvoy_error *err)
{
    rows rows = {.analytic = analytic, .table = table, .arena = pgc_arena_new(1 << 20)};
    if (!rows.arena)
        return pgc_error_out_of_memory(err);
    pgc_buffer_init(&rows.sql, VERIFY_SQL_LIMIT);
    int status = compare(&rows, err);
    pgc_buffer_free(&rows.sql);
    pgc_arena_free(rows.arena);
    return status;
}
