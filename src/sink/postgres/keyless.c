/*
 * Rows without a key in bulk. What changes come to is how many copies of a row go, and how many come (apply/compact.h): an update is one of
 * each. Those that go are joined with the table by a hash of some columns, then compared with all of their values, and counted:
 *
 *     DELETE FROM t WHERE ctid = ANY (ARRAY(SELECT ctid FROM
 *         (SELECT t.ctid, row_number() OVER (PARTITION BY s.n) AS r FROM t, (SELECT unnest($1) AS c0, …) AS s WHERE hash (t) = hash (s) AND t *= s)
 *         WHERE r <= copies))
 *
 * This reads the table once for some thousand rows. Where an index is on columns that none of them has NULL in, the server may use it instead.
 * A row that is made anew has nothing that only the target has: such tables go one by one.
 */
#include "sink/postgres/keyless.h"
#include "sink/postgres/bulk_internal.h"
#include "postgres/value.h"

#include <stdlib.h>

#define INDEXED_MOST 8
#define HASHED_MOST 32
#define TELLING "50" /* different values */
#define HASHED_BYTES 1000               /* of longer values the length is hashed: it is known without reading them */
#define CHUNK_BYTES ((size_t)12 << 20) /* of one statement, which reads the table */
#define CHUNK_ROWS ((size_t)200000)

/* ---- what the target is like */

static bool holds_composite(const pgconvoy_type *type)
{
    while (type && type->kind != PGCONVOY_TYPE_COMPOSITE)
        type = type->element;
    return type != NULL;
}

pgc_pgsink_comparison pgc_pgsink_compare_by(const pgc_pgsink_target *target, int column)
{
    const pgconvoy_column *source = &target->table->columns[column];
    if (holds_composite(source->type))
        return PGSINK_BY_TEXT;
    return pgc_pgsink_column_fit(source, target->columns[column]) == PGSINK_FIT_SAME && source->typmod == target->columns[column]->typmod
               ? PGSINK_BY_IMAGE
               : PGSINK_BY_VALUE;
}

static bool is_keyless(const pgc_pgsink_target *target)
{
    return target->table->key_count == 0 && target->table->replica_identity == 'f';
}

typedef enum hashing { HASH_NOT, HASH_VALUE, HASH_TEXT, HASH_BYTES } hashing;

/* By types whose values hash alike when they are alike. */
static hashing hashing_of(const pgc_pgsink_target *target, int column)
{
    if (pgc_pgsink_compare_by(target, column) != PGSINK_BY_IMAGE)
        return HASH_NOT;
    switch (target->columns[column]->type_oid) {
    case PGC_BOOL: case PGC_INT2: case PGC_INT4: case PGC_INT8: case PGC_OID: case PGC_FLOAT4: case PGC_FLOAT8: case PGC_NUMERIC:
    case PGC_DATE: case PGC_TIME: case PGC_TIMESTAMP: case PGC_TIMESTAMPTZ: case PGC_INTERVAL: case PGC_UUID:
        return HASH_VALUE;
    case PGC_TEXT_OID: case PGC_VARCHAR: case PGC_BPCHAR:
        return HASH_TEXT;
    case PGC_BYTEA:
        return HASH_BYTES;
    default:
        return HASH_NOT;
    }
}

static bool has_columns_of_its_own(const pgc_pgsink_target *target)
{
    for (int i = 0; i < target->relation.column_count; i++) {
        const pgc_pgsink_column *column = &target->relation.columns[i];
        int at = 0;
        while (at < target->table->column_count && target->columns[at] != column)
            at++;
        if (at == target->table->column_count && !column->generated)
            return true;
    }
    return false;
}

static bool has_images(const pgc_pgsink_target *target)
{
    for (int i = 0; i < target->table->column_count; i++)
        if (pgc_pgsink_compare_by(target, i) == PGSINK_BY_IMAGE)
            return true;
    return false;
}

static void add_indexed(pgc_pgsink_target *target, const char *name, bool tells)
{
    int column = 0;
    while (column < target->table->column_count && strcmp(target->columns[column]->name, name) != 0)
        column++;
    if (column == target->table->column_count || target->indexed_count == INDEXED_MOST || pgc_pgsink_compare_by(target, column) == PGSINK_BY_TEXT)
        return;
    target->indexed[target->indexed_count++] = (uint16_t)column;
    target->index_tells |= tells;
}

int pgc_pgsink_keyless_look(pgc_pgsink_writer *writer, pgc_pgsink_target *const *targets, size_t count, pgconvoy_error *err)
{
    /* those in front of an expression, and whether they tell rows apart: one of few values is worse than reading the table */
    static const char sql[] =
        "SELECT i.indrelid, a.attname, coalesce((SELECT bool_or(s.n_distinct < 0 OR s.n_distinct >= " TELLING ") FROM pg_stats s JOIN pg_namespace n ON n.nspname = s.schemaname"
        " JOIN pg_class t ON t.relnamespace = n.oid AND t.relname = s.tablename WHERE t.oid = i.indrelid AND s.attname = a.attname), true)"
        " FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam"
        " CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (attnum, place)"
        " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum"
        " WHERE i.indrelid = ANY ($1::oid[]) AND m.amname IN ('btree', 'hash') AND i.indisvalid AND i.indpred IS NULL AND k.place <= i.indnkeyatts"
        " AND NOT EXISTS (SELECT FROM unnest(i.indkey) WITH ORDINALITY AS e (attnum, place) WHERE e.attnum = 0 AND e.place < k.place)"
        " GROUP BY 1, 2, 3 ORDER BY 1, min(k.place), 2";
    pgc_buffer oids;
    pgc_buffer_init(&oids, PGSINK_SQL_LIMIT);
    for (size_t i = 0; i < count; i++)
        if (is_keyless(targets[i])) {
            targets[i]->in_copies = targets[i]->way == PGSINK_IN_BULK && has_images(targets[i]) && !has_columns_of_its_own(targets[i]);
            targets[i]->indexed = pgc_arena_zalloc(targets[i]->arena, INDEXED_MOST * sizeof *targets[i]->indexed);
            if (!targets[i]->indexed) {
                pgc_buffer_free(&oids);
                return pgc_error_out_of_memory(err);
            }
            pgc_array_add_oid(&oids, targets[i]->relation.oid);
        }
    if (oids.length == 0) {
        pgc_buffer_free(&oids);
        return 0;
    }
    PGresult *result = pgc_pgsink_query_oids(writer->conn, sql, &oids, NULL, "looking at the indexes of a table on the target", err);
    for (int row = 0; result && row < PQntuples(result); row++)
        for (size_t i = 0; i < count; i++)
            if (is_keyless(targets[i]) && strtoul(PQgetvalue(result, row, 0), NULL, 10) == targets[i]->relation.oid)
                add_indexed(targets[i], PQgetvalue(result, row, 1), PQgetvalue(result, row, 2)[0] == 't');
    for (size_t i = 0; i < count; i++)
        if (!targets[i]->index_tells)
            targets[i]->indexed_count = 0;
    PQclear(result);
    return result ? 0 : -1;
}

unsigned pgc_pgsink_keyless_nulls(const pgc_pgsink_target *target, const pgconvoy_value *row)
{
    unsigned nulls = 0;
    for (int i = 0; i < target->indexed_count; i++)
        nulls |= row[target->indexed[i]].length == PGCONVOY_NULL ? 1u << i : 0;
    return nulls;
}

/* ---- when two rows are alike */

void pgc_pgsink_images_sql(const pgc_pgsink_target *target, pgc_buffer *sql, pgc_pgsink_value_sql *value, void *arg, bool ours)
{
    int count = 0;
    pgc_buffer_text(sql, "ROW(");
    for (int i = 0; i < target->table->column_count; i++)
        if (pgc_pgsink_compare_by(target, i) == PGSINK_BY_IMAGE) {
            pgc_buffer_text(sql, count++ ? ", " : "");
            value(arg, i, ours);
        }
    pgc_buffer_byte(sql, ')');
}

void pgc_pgsink_alike_sql(const pgc_pgsink_target *target, pgc_buffer *sql, const char *joint, pgc_pgsink_value_sql *value, void *arg)
{
    if (has_images(target)) {
        pgc_buffer_text(sql, joint);
        pgc_pgsink_images_sql(target, sql, value, arg, false);
        /* the casts make records of them: two bare rows would be compared column by column */
        pgc_buffer_text(sql, "::record OPERATOR(pg_catalog.*=) ");
        pgc_pgsink_images_sql(target, sql, value, arg, true);
        pgc_buffer_text(sql, "::record");
        joint = " AND ";
    }
    for (int i = 0; i < target->table->column_count; i++) {
        pgc_pgsink_comparison by = pgc_pgsink_compare_by(target, i);
        if (by == PGSINK_BY_IMAGE)
            continue;
        pgc_buffer_text(sql, joint);
        value(arg, i, false);
        pgc_buffer_text(sql, by == PGSINK_BY_TEXT ? "::text IS NOT DISTINCT FROM " : " IS NOT DISTINCT FROM ");
        value(arg, i, true);
        pgc_buffer_text(sql, by == PGSINK_BY_TEXT ? "::text" : "");
        joint = " AND ";
    }
}

/* ---- SQL: all columns are in the arrays, in their order */

/* A column of the table's row, or of ours. */
static void append_value(void *arg, int column, bool ours)
{
    bulk *b = arg;
    if (!ours) {
        pgc_buffer_text(&b->sql, "t.");
        pgc_quote_identifier(&b->sql, b->table->columns[column].name);
        return;
    }
    pgc_buffer_format(&b->sql, "s.c%d", column);
    pgc_pgsink_bulk_cast(b, column);
}

static void append_hashed(bulk *b, int column, bool ours)
{
    hashing how = hashing_of(b->target, column);
    if (how != HASH_VALUE)
        pgc_buffer_text(&b->sql, "CASE WHEN pg_catalog.octet_length(");
    append_value(b, column, ours);
    if (how == HASH_VALUE)
        return;
    pgc_buffer_format(&b->sql, ") <= %d THEN ", HASHED_BYTES);
    append_value(b, column, ours);
    pgc_buffer_text(&b->sql, how == HASH_TEXT ? " COLLATE \"C\" END, pg_catalog.octet_length(" : " END, pg_catalog.octet_length(");
    append_value(b, column, ours);
    pgc_buffer_byte(&b->sql, ')');
}

static bool hashes_values(const pgc_pgsink_target *target)
{
    for (int i = 0; i < target->table->column_count; i++)
        if (hashing_of(target, i) != HASH_NOT)
            return true;
    return false;
}

/* Where no type's hash can be had, the rows' text is hashed. */
static void append_hash(bulk *b, bool ours)
{
    bool of_values = hashes_values(b->target), of_records = of_values && b->writer->sink->server_version >= 140000;
    int count = 0;
    pgc_buffer_text(&b->sql, of_records ? "pg_catalog.hash_record_extended(" : "pg_catalog.hashtextextended(");
    if (!of_values)
        pgc_pgsink_images_sql(b->target, &b->sql, append_value, b, ours);
    for (int i = 0; of_values && i < b->table->column_count && count < HASHED_MOST; i++)
        if (hashing_of(b->target, i) != HASH_NOT) {
            pgc_buffer_text(&b->sql, count++ ? ", " : "ROW(");
            append_hashed(b, i, ours);
        }
    pgc_buffer_text(&b->sql, of_values ? ")" : "");
    pgc_buffer_text(&b->sql, of_records ? ", 0)" : "::text, 0)");
}

static void append_is_alike(bulk *b)
{
    append_hash(b, false);
    pgc_buffer_text(&b->sql, " = ");
    append_hash(b, true);
    pgc_buffer_text(&b->sql, " AND ");
    pgc_pgsink_alike_sql(b->target, &b->sql, "", append_value, b);
    for (int i = 0; i < b->target->indexed_count; i++) {
        int column = b->target->indexed[i];
        if (b->nulls >> i & 1)
            continue;
        pgc_buffer_text(&b->sql, " AND ");
        append_value(b, column, false);
        pgc_buffer_text(&b->sql, b->target->columns[column]->equals);
        append_value(b, column, true);
    }
}

static void delete_sql(bulk *b)
{
    bool partitioned = b->target->relation.kind == 'p';
    pgc_pgsink_bulk_verb(b, "DELETE FROM");
    pgc_buffer_text(&b->sql, partitioned ? " AS d USING (SELECT relation, place FROM (SELECT t.tableoid AS relation, t.ctid AS place,"
                                         : " AS d WHERE d.ctid = ANY (ARRAY(SELECT place FROM (SELECT t.ctid AS place,");
    pgc_pgsink_bulk_verb(b, " pg_catalog.row_number() OVER (PARTITION BY s.n) AS r FROM");
    pgc_buffer_text(&b->sql, " AS t, (SELECT pg_catalog.generate_subscripts($1, 1) AS n");
    for (int i = 0; i < b->array_count; i++)
        pgc_buffer_format(&b->sql, ", unnest($%d) AS c%d", i + 1, i);
    pgc_buffer_text(&b->sql, ") AS s WHERE ");
    append_is_alike(b);
    pgc_buffer_format(&b->sql, ") AS m WHERE r <= %zu", b->copies);
    pgc_buffer_text(&b->sql, partitioned ? ") AS m WHERE d.tableoid = m.relation AND d.ctid = m.place" : "))");
}

/* ---- sending */

/* The session looks rows up one by one (sink.c); here it may do as it likes, for these very rows. */
static int choose_plan(bulk *b, bool free, pgconvoy_error *err)
{
    static const uint32_t types[] = {PGC_TEXT_OID};
    static const pgc_pgsink_own search = {
        PGSINK_OWN_SEARCH, "pgconvoy_search", PGSINK_FLIGHT_OTHER, 0, NULL,
        "SELECT set_config('enable_hashjoin', 'on', true), set_config('enable_seqscan', 'on', true), set_config('jit', 'off', true), "
        /* for our rows: where they are not in memory at once, the table is written to temporary files with them; until the transaction ends */
        "set_config('work_mem', greatest(pg_size_bytes(current_setting('work_mem')), 67108864) / 1024 || 'kB', true), "
        "set_config('plan_cache_mode', 'force_custom_plan', true)", NULL};
    static const pgc_pgsink_own searched = {
        PGSINK_OWN_SEARCHED, "pgconvoy_searched", PGSINK_FLIGHT_OTHER, 1, types,
        "SELECT set_config('enable_hashjoin', 'off', true), set_config('enable_seqscan', 'off', true), "
        "set_config('plan_cache_mode', $1, true)", NULL};
    const char *values[] = {b->writer->plans_anew ? "auto" : "force_generic_plan"};
    return pgc_pgsink_statement_own(b->writer, free ? &search : &searched, free ? NULL : values, err);
}

/* All of them go as often, and have the same of target->indexed NULL, or some of them more. */
static int send_run(bulk *b, const pgc_compact_item *items, size_t count, pgconvoy_error *err)
{
    for (size_t chunk; count > 0; items += chunk, count -= chunk) {
        chunk = pgc_pgsink_arrays_measure(b->arrays, b->array_count, items, count < CHUNK_ROWS ? count : CHUNK_ROWS, CHUNK_BYTES);
        b->nulls = 0;
        for (size_t i = 0; i < chunk && b->target->indexed_count > 0; i++)
            b->nulls |= pgc_pgsink_keyless_nulls(b->target, items[i].row);
        if (pgc_pgsink_bulk_send(b, items, chunk, delete_sql, PGCONVOY_DELETE, false, err) != 0)
            return -1;
    }
    return 0;
}

static int send_singly(bulk *b, const pgc_compact_item *items, size_t count, pgconvoy_error *err)
{
    pgconvoy_change change = {.operation = PGCONVOY_DELETE, .table = b->table, .old_kind = 'O'};
    for (size_t i = 0; i < count; i++) {
        change.old = items[i].row;
        for (size_t copy = 0; copy < items[i].copies; copy++)
            if (pgc_pgsink_bulk_strictly(b, &change, err) != 0)
                return -1;
    }
    return 0;
}

static int compare_copies(const void *left, const void *right)
{
    const pgc_compact_item *a = left, *b = right;
    if (a->copies != b->copies)
        return a->copies < b->copies ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

static pgc_compact_item *sorted_by_copies(bulk *b, const pgc_compact_item *items, size_t count)
{
    pgc_compact_item *sorted = pgc_arena_alloc(b->arena, count * sizeof *sorted);
    if (!sorted)
        return NULL;
    memcpy(sorted, items, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_copies);
    return sorted;
}

static int send_deletes(bulk *b, const pgc_compact_item *items, size_t count, pgconvoy_error *err)
{
    if (count < PGSINK_FEW_ROWS)
        return send_singly(b, items, count, err);
    if (pgc_pgsink_bulk_look_again(b, err) != 0)
        return -1;
    for (int i = 0; i < b->table->column_count; i++)
        pgc_pgsink_bulk_array(b, i, -1);
    const pgc_compact_item *sorted = sorted_by_copies(b, items, count);
    if (!sorted)
        return pgc_error_out_of_memory(err);
    if (choose_plan(b, true, err) != 0)
        return -1;
    for (size_t first = 0, end; first < count; first = end) {
        for (end = first + 1; end < count && sorted[end].copies == sorted[first].copies;)
            end++;
        b->copies = sorted[first].copies;
        if (send_run(b, sorted + first, end - first, err) != 0)
            return -1;
    }
    b->copies = 1;
    return choose_plan(b, false, err);
}

static int send_inserts(bulk *b, const pgc_compact_item *items, size_t count, pgconvoy_error *err)
{
    size_t rows = 0, at = 0;
    for (size_t i = 0; i < count; i++)
        rows += items[i].copies;
    if (rows == count)
        return pgc_pgsink_bulk_inserts(b, items, count, err);
    pgc_compact_item *all = pgc_arena_alloc(b->arena, rows * sizeof *all);
    if (!all)
        return pgc_error_out_of_memory(err);
    for (size_t i = 0; i < count; i++)
        for (size_t copy = 0; copy < items[i].copies; copy++)
            all[at++] = items[i];
    return pgc_pgsink_bulk_inserts(b, all, rows, err);
}

int pgc_pgsink_bulk_copies(bulk *b, const pgc_compact_result *result, pgconvoy_error *err)
{
    if (send_deletes(b, result->items[PGC_COMPACT_DELETE], result->count[PGC_COMPACT_DELETE], err) != 0)
        return -1;
    return send_inserts(b, result->items[PGC_COMPACT_INSERT], result->count[PGC_COMPACT_INSERT], err);
}
