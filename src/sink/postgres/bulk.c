/*
 * What the changes of one table come to, in a few large statements: deletes, updates, inserts, in this order, so that a
 * value under a unique constraint is free before it is taken. Rows are found and filled from arrays that the statement
 * unnests; new rows go by COPY where all values are in binary form.
 *
 * Each statement says how many rows it must have met. Another number means that the target is not what the source was,
 * and what to do then depends on the order of the changes: the batch is undone and applied one by one.
 */
#include "sink/postgres/bulk_internal.h"
#include "postgres/value.h"

#include <stdio.h>

#define CHUNK_ROWS 20000       /* of one statement */
#define CHUNK_BYTES (3u << 20) /* so that it stays in the work_mem of a server that nobody tuned */
#define RANGE_ROWS 64          /* not for less is a range of the key's index read */
#define RANGE_SPREAD 4         /* … which has at most so many keys for each row */
#define COPY_ROWS 64           /* COPY cannot be sent ahead of results: not for less */
#define COPY_PIECE_BYTES (1u << 18)
#define AGAIN_ROWS 2000 /* of more rows, planning is little of the work, and is best done for them */

/* ---- pieces of SQL */

static void append_name(bulk *b, int column)
{
    pgc_quote_identifier(&b->sql, b->table->columns[column].name);
}

void pgc_pgsink_bulk_verb(bulk *b, const char *verb)
{
    pgc_buffer_text(&b->sql, verb);
    pgc_buffer_text(&b->sql, b->target->relation.kind == 'p' ? " " : " ONLY ");
    pgc_quote_qualified(&b->sql, b->table->schema, b->table->name);
}

void pgc_pgsink_bulk_array(bulk *b, int column, int key)
{
    pgc_pgsink_array_init(&b->arrays[b->array_count++], b->target, column, key);
}

void pgc_pgsink_bulk_cast(bulk *b, int array)
{
    if (b->arrays[array].form == PGSINK_ARRAY_CAST)
        pgc_buffer_format(&b->sql, "::%s", b->target->columns[b->arrays[array].column]->plain_type_sql);
}

/* (SELECT unnest($1) AS c0, …) AS s: the gathered rows. */
static void append_rows(bulk *b)
{
    for (int i = 0; i < b->array_count; i++)
        pgc_buffer_format(&b->sql, "%sunnest($%d) AS c%d", i ? ", " : " (SELECT ", i + 1, i);
    pgc_buffer_text(&b->sql, ") AS s");
}

/* A type that can be an array's element, with an operator that a plain = finds. */
static bool is_plain(const pgc_pgsink_column *column)
{
    return strcmp(column->type_schema, "pg_catalog") == 0 && !column->element_name[0] && column->array_oid &&
           strcmp(column->equals, " = ") == 0;
}

/*
 * The key's columns are the first arrays. Written as = ANY a row of the table can be met in no other way than by its
 * key, for each of ours: of a table that was empty when it was looked at, = lets the server read all of its index
 * instead, and all of our rows anew for each entry, by a plan that it may keep.
 */
static void append_where_key(bulk *b)
{
    for (int i = 0; i < b->table->key_count; i++) {
        const pgc_pgsink_column *column = b->target->columns[b->table->key[i]];
        bool any = !b->in_range && is_plain(column);
        pgc_buffer_text(&b->sql, i ? " AND t." : " WHERE t.");
        append_name(b, b->table->key[i]);
        pgc_buffer_text(&b->sql, column->equals);
        pgc_buffer_format(&b->sql, any ? "ANY (ARRAY[s.c%d" : "s.c%d", i);
        pgc_pgsink_bulk_cast(b, i);
        pgc_buffer_text(&b->sql, any ? "])" : "");
    }
    if (b->in_range) {
        pgc_buffer_text(&b->sql, " AND t.");
        append_name(b, b->table->key[0]);
        pgc_buffer_format(&b->sql, " BETWEEN %lld AND %lld", (long long)b->least, (long long)b->most);
    }
}

/* What no UPDATE can set must be there already: else the row is not met, and is made anew by the statement for single changes. */
static bool is_held(const bulk *b, int column)
{
    return b->target->columns[column]->identity_always;
}

static void delete_sql(bulk *b)
{
    pgc_pgsink_bulk_verb(b, "DELETE FROM");
    pgc_buffer_text(&b->sql, " AS t USING");
    append_rows(b);
    append_where_key(b);
}

static void update_sql(bulk *b)
{
    pgc_pgsink_bulk_verb(b, "UPDATE");
    pgc_buffer_text(&b->sql, " AS t SET ");
    const char *joint = "";
    for (int i = b->table->key_count; i < b->array_count; i++) {
        if (is_held(b, b->arrays[i].column))
            continue;
        pgc_buffer_text(&b->sql, joint);
        append_name(b, b->arrays[i].column);
        pgc_buffer_format(&b->sql, " = s.c%d", i);
        pgc_pgsink_bulk_cast(b, i);
        joint = ", ";
    }
    pgc_buffer_text(&b->sql, " FROM");
    append_rows(b);
    append_where_key(b);
    for (int i = b->table->key_count; i < b->array_count; i++) {
        if (!is_held(b, b->arrays[i].column))
            continue;
        pgc_buffer_text(&b->sql, " AND t.");
        append_name(b, b->arrays[i].column);
        pgc_buffer_format(&b->sql, " = s.c%d", i);
        pgc_pgsink_bulk_cast(b, i);
    }
}

static void insert_sql(bulk *b)
{
    pgc_buffer_text(&b->sql, "INSERT INTO ");
    pgc_quote_qualified(&b->sql, b->table->schema, b->table->name);
    for (int i = 0; i < b->array_count; i++) {
        pgc_buffer_text(&b->sql, i ? ", " : " (");
        append_name(b, b->arrays[i].column);
    }
    pgc_buffer_text(&b->sql, ") OVERRIDING SYSTEM VALUE SELECT ");
    for (int i = 0; i < b->array_count; i++) {
        pgc_buffer_format(&b->sql, "%sunnest($%d)", i ? ", " : "", i + 1);
        pgc_pgsink_bulk_cast(b, i);
    }
}

/* ---- sending */

/* Keys that lie close together are met by reading the index from the first to the last of them, which must not be done
 * once for each row. Elsewhere the session looks each one up (sink.c). With a savepoint that is undone this is undone
 * too. */
static int choose_reading(bulk *b, bool by_range, pgconvoy_error *err)
{
    static const pgc_pgsink_own range = {
        PGSINK_OWN_RANGE, "pgconvoy_range", PGSINK_FLIGHT_OTHER, 0, NULL,
        "SELECT set_config('enable_nestloop', 'off', true), set_config('enable_hashjoin', 'on', true), "
        "set_config('enable_mergejoin', 'on', true)", NULL};
    static const pgc_pgsink_own lookup = {
        PGSINK_OWN_LOOKUP, "pgconvoy_lookup", PGSINK_FLIGHT_OTHER, 0, NULL,
        "SELECT set_config('enable_nestloop', 'on', true), set_config('enable_hashjoin', 'off', true), "
        "set_config('enable_mergejoin', 'off', true)", NULL};
    if (b->by_range == by_range)
        return 0;
    b->by_range = by_range;
    return pgc_pgsink_statement_own(b->writer, by_range ? &range : &lookup, NULL, err);
}

static int choose_range(bulk *b, size_t count, pgconvoy_error *err)
{
    b->in_range = false;
    if (b->keys && count >= RANGE_ROWS) {
        b->least = b->keys[0];
        b->most = b->keys[count - 1];
        b->in_range = (uint64_t)b->most - (uint64_t)b->least < (uint64_t)RANGE_SPREAD * count;
    }
    return choose_reading(b, b->in_range, err);
}

int pgc_pgsink_bulk_send(bulk *b, const pgc_compact_item *items, size_t count, pgc_pgsink_bulk_sql *make, uint8_t operation, bool again,
                         pgconvoy_error *err)
{
    pgc_pgsink_writer *writer = b->writer;
    pgc_buffer *scratch = &writer->scratch;
    pgc_buffer_reset(scratch);
    if (pgc_pgsink_arrays_append(b->target, b->arrays, b->array_count, items, count, scratch, err) != 0)
        return -1;
    for (int i = 0; i < b->array_count; i++) {
        const pgc_pgsink_array *array = &b->arrays[i];
        b->types[i] = array->type;
        writer->formats[i] = array->form == PGSINK_ARRAY_TEXT ? 0 : 1;
        writer->lengths[i] = (int)array->length;
        writer->values[i] = scratch->data + array->offset;
    }
    pgc_buffer_reset(&b->sql);
    make(b);
    if (pgc_buffer_check(&b->sql, err) != 0)
        return -1;
    pgc_pgsink_bulk_statement statement = {.sql = b->sql.data, .types = b->types, .count = b->array_count};
    int status = 0;
    if (again)
        status = pgc_pgsink_statement_again(writer, b->target, &statement, err);
    if (status == 0)
        status = pgc_pgsink_fly_bulk(writer, &statement, b->target, operation, count * b->copies, scratch->length, err);
    pgc_pgsink_scratch_trim(writer);
    return status;
}

/* The arrays stand for all items. */
static int send_all(bulk *b, const pgc_compact_item *items, size_t count, pgc_pgsink_bulk_sql *make, uint8_t operation,
                    pgconvoy_error *err)
{
    for (size_t chunk; count > 0; items += chunk, count -= chunk) {
        chunk = pgc_pgsink_arrays_measure(b->arrays, b->array_count, items, count < CHUNK_ROWS ? count : CHUNK_ROWS, CHUNK_BYTES);
        if (choose_range(b, chunk, err) != 0)
            return -1;
        bool again = chunk < AGAIN_ROWS && !b->in_range; /* a range is part of the statement */
        if (pgc_pgsink_bulk_send(b, items, chunk, make, operation, again, err) != 0)
            return -1;
        if (b->keys)
            b->keys += chunk;
    }
    b->in_range = false;
    return choose_reading(b, false, err);
}

/* The same of rows that are found by their key, the first array. */
static int send_found(bulk *b, const pgc_compact_item *items, size_t count, pgc_pgsink_bulk_sql *make, uint8_t operation,
                      pgconvoy_error *err)
{
    if (pgc_pgsink_key_is_number(b->target) &&
        pgc_pgsink_key_order(&items, count, &b->arrays[0], b->arena, &b->keys, err) != 0)
        return -1;
    int status = send_all(b, items, count, make, operation, err);
    b->keys = NULL;
    return status;
}

/* ---- a few rows: as changes, each by its statement */

int pgc_pgsink_bulk_strictly(bulk *b, const pgconvoy_change *change, pgconvoy_error *err)
{
    b->writer->strict = true;
    int status = pgc_pgsink_apply_change(b->writer, change, err);
    b->writer->strict = false;
    return status;
}

static int send_singly(bulk *b, const pgc_compact_item *items, size_t count, uint8_t operation, pgconvoy_error *err)
{
    pgconvoy_value *old = NULL;
    pgconvoy_change change = {.operation = operation, .table = b->table};
    if (operation == PGCONVOY_DELETE) {
        old = pgc_arena_zalloc(b->arena, sizeof *old * ((size_t)b->table->column_count + 1));
        if (!old)
            return pgc_error_out_of_memory(err);
        for (int i = 0; i < b->table->column_count; i++)
            old[i].length = PGCONVOY_NULL;
        change.old = old;
        change.old_kind = 'K';
    }
    for (size_t i = 0; i < count; i++) {
        for (int k = 0; old && k < b->table->key_count; k++)
            old[b->table->key[k]] = items[i].key[k];
        change.new_ = items[i].row;
        if (pgc_pgsink_bulk_strictly(b, &change, err) != 0)
            return -1;
    }
    return 0;
}

/* ---- each kind of change */

int pgc_pgsink_bulk_look_again(bulk *b, pgconvoy_error *err)
{
    b->target = pgc_pgsink_target_get(b->writer, b->table, err);
    b->array_count = 0;
    return b->target ? 0 : -1;
}

static int send_deletes(bulk *b, const pgc_compact_item *items, size_t count, pgconvoy_error *err)
{
    if (count < PGSINK_FEW_ROWS)
        return send_singly(b, items, count, PGCONVOY_DELETE, err);
    if (pgc_pgsink_bulk_look_again(b, err) != 0)
        return -1;
    for (int i = 0; i < b->table->key_count; i++)
        pgc_pgsink_bulk_array(b, b->table->key[i], i);
    return send_found(b, items, count, delete_sql, PGCONVOY_DELETE, err);
}

/* All items have the same values unchanged. */
static int send_updates(bulk *b, const pgc_compact_item *items, size_t count, pgconvoy_error *err)
{
    if (count < PGSINK_FEW_ROWS)
        return send_singly(b, items, count, PGCONVOY_UPDATE, err);
    if (pgc_pgsink_bulk_look_again(b, err) != 0)
        return -1;
    for (int i = 0; i < b->table->key_count; i++)
        pgc_pgsink_bulk_array(b, b->table->key[i], -1);
    int set = 0;
    for (int i = 0; i < b->table->column_count; i++)
        if (!b->table->columns[i].in_key && items->row[i].length != PGCONVOY_UNCHANGED && !b->target->columns[i]->generated) {
            pgc_pgsink_bulk_array(b, i, -1);
            set += !is_held(b, i);
        }
    if (set == 0) { /* nothing to set; a row that was deleted and inserted must be there, and a value that cannot be set */
        bool looks = b->array_count > b->table->key_count;
        if (is_held(b, b->table->key[0]))
            return looks ? send_singly(b, items, count, PGCONVOY_UPDATE, err) : 0;
        if (!items->complete && !looks)
            return 0;
        pgc_pgsink_bulk_array(b, b->table->key[0], -1);
    }
    return send_found(b, items, count, update_sql, PGCONVOY_UPDATE, err);
}

static bool can_copy(const bulk *b, const pgc_compact_item *items, size_t count)
{
    if (count < COPY_ROWS || b->array_count < b->table->column_count)
        return false;
    for (size_t i = 0; i < count; i++)
        for (int column = 0; column < b->table->column_count; column++)
            if (!pgc_pgsink_value_passes(b->target, column, &items[i].row[column]))
                return false;
    return true;
}

static void append_copy_row(bulk *b, const pgc_compact_item *item, pgc_buffer *out)
{
    int count = b->table->column_count;
    char *to;
    size_t bytes = 2;
    for (int i = 0; i < count; i++)
        bytes += 4 + (item->row[i].length > 0 ? (size_t)item->row[i].length : 0);
    if (!pgc_buffer_reserve(out, bytes))
        return;
    to = out->data + out->length;
    *to++ = (char)(count >> 8);
    *to++ = (char)count;
    for (int i = 0; i < count; i++) {
        const pgconvoy_value *value = &item->row[i];
        uint32_t length = value->length >= 0 ? (uint32_t)value->length : UINT32_MAX;
        for (int shift = 24; shift >= 0; shift -= 8)
            *to++ = (char)(length >> shift);
        if (value->length > 0) {
            memcpy(to, value->data, length);
            to += length;
        }
    }
    out->length = (size_t)(to - out->data);
}

static int copy_rows(bulk *b, const pgc_compact_item *items, size_t count, pgconvoy_error *err)
{
    pgc_pgsink_writer *writer = b->writer;
    pgc_buffer *out = &writer->scratch;
    if (pgc_pgsink_land(writer, err) != 0)
        return -1;
    writer->copy_table = b->table;
    int status = pgc_pgsink_copy_begin(writer, PGCONVOY_BINARY, err);
    pgc_buffer_reset(out);
    for (size_t i = 0; i < count && status == 0; i++) {
        append_copy_row(b, &items[i], out);
        if (out->length < COPY_PIECE_BYTES && i + 1 < count)
            continue;
        status = pgc_buffer_check(out, err);
        if (status == 0)
            status = pgc_pgsink_copy_put(writer, out->data, out->length, err);
        pgc_buffer_reset(out);
    }
    if (status == 0)
        status = pgc_pgsink_copy_end(writer, err);
    writer->copy_table = NULL;
    pgc_pgsink_scratch_trim(writer);
    return status;
}

int pgc_pgsink_bulk_inserts(bulk *b, const pgc_compact_item *items, size_t count, pgconvoy_error *err)
{
    if (pgc_pgsink_bulk_look_again(b, err) != 0)
        return -1;
    for (int i = 0; i < b->table->column_count; i++)
        if (!b->target->columns[i]->generated)
            pgc_pgsink_bulk_array(b, i, -1);
    if (count < PGSINK_FEW_ROWS || b->array_count == 0)
        return send_singly(b, items, count, PGCONVOY_INSERT, err);
    if (can_copy(b, items, count))
        return copy_rows(b, items, count, err);
    return send_all(b, items, count, insert_sql, PGCONVOY_INSERT, err);
}

/* ---- a table */

static int apply_result(bulk *b, const pgc_compact_result *result, pgconvoy_error *err)
{
    const pgc_compact_item *updates = result->items[PGC_COMPACT_UPDATE];
    size_t update_count = result->count[PGC_COMPACT_UPDATE];
    if (b->table->key_count == 0)
        return pgc_pgsink_bulk_copies(b, result, err);
    if (send_deletes(b, result->items[PGC_COMPACT_DELETE], result->count[PGC_COMPACT_DELETE], err) != 0)
        return -1;
    for (size_t first = 0, end; first < update_count; first = end) {
        end = first + 1;
        while (end < update_count &&
               pgc_compact_same_columns(b->compact, &updates[first], &updates[end]))
            end++;
        if (send_updates(b, updates + first, end - first, err) != 0)
            return -1;
    }
    return pgc_pgsink_bulk_inserts(b, result->items[PGC_COMPACT_INSERT], result->count[PGC_COMPACT_INSERT], err);
}

static int apply_compacted(bulk *b, pgconvoy_error *err)
{
    pgc_compact_result result;
    int status = pgc_pgsink_part_compact(b->pile, b->part, err);
    if (status == 0)
        status = pgc_compact_take(b->compact, &result, err);
    /* a row that moves with values which only the target knows: its own order is the simplest */
    if (status == 0 && result.count[PGC_COMPACT_MOVE] > 0)
        status = pgc_pgsink_replay_part(b->writer, b->part, err);
    else if (status == 0)
        status = apply_result(b, &result, err);
    pgc_pgsink_part_forget(b->pile, b->part);
    return status;
}

static int apply_inserts(bulk *b, pgconvoy_error *err)
{
    size_t count = 0;
    pgc_compact_item *items = pgc_arena_zalloc(b->arena, sizeof *items * b->part->count);
    if (!items)
        return pgc_error_out_of_memory(err);
    for (const pgc_pgsink_waiting *waiting = b->part->first; waiting; waiting = waiting->next_of_table)
        items[count++] = (pgc_compact_item){.row = waiting->new_, .copies = 1, .complete = true};
    return pgc_pgsink_bulk_inserts(b, items, count, err);
}

int pgc_pgsink_bulk_table(pgc_pgsink_writer *writer, pgc_pgsink_part *part, pgc_pgsink_pile *pile, pgconvoy_error *err)
{
    const pgconvoy_table *table = part->gathered->table;
    size_t most = 2 * (size_t)table->column_count + 1;
    bulk b = {.writer = writer, .part = part, .table = table, .pile = pile, .arena = pile->arena, .copies = 1};
    b.compact = part->gathered->compacts[pile->number];
    b.target = pgc_pgsink_target_get(writer, table, err);
    if (!b.target || pgc_pgsink_apply_room(writer, table, err) != 0)
        return -1;
    b.arrays = pgc_arena_alloc(b.arena, most * sizeof *b.arrays);
    b.types = pgc_arena_alloc(b.arena, most * sizeof *b.types);
    if (!b.arrays || !b.types)
        return pgc_error_out_of_memory(err);
    pgc_buffer_init(&b.sql, PGSINK_SQL_LIMIT);
    /* new rows have different keys, or the target would refuse them: nothing to compact */
    int status = part->inserts_only ? apply_inserts(&b, err) : apply_compacted(&b, err);
    pgc_buffer_free(&b.sql);
    return status;
}
