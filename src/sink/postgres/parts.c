#include "sink/postgres/parts.h"

#include "format/json_text.h"
#include "sink/postgres/split.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct had {
    struct had *next;
    pgconvoy_lsn lsn;
    pgc_pgsink_piece piece;
} had;

typedef struct met {
    struct met *next;
    pgconvoy_lsn lsn;
    const char *schema, *name;
    int kind;
    long long count;
} met;

struct pgc_pgsink_parts {
    pgc_arena *arena;
    unsigned count;
    pgconvoy_lsn *ends; /* of each row */
    had *pieces;
    met *conflicts;
};

/* ---- SQL */

void pgc_pgsink_parts_lock_sql(const pgc_pgsink *sink, pgc_pgsink_parts_lock lock, pgc_buffer *out)
{
    static const char *const calls[][2] = {
        {"SELECT pg_advisory_xact_lock_shared(", ")"},
        {"SELECT pg_advisory_xact_lock(", ")"},
        {"SELECT CASE WHEN pg_advisory_lock(k) IS NOT NULL THEN pg_advisory_unlock(k) END FROM (SELECT ",
         " AS k OFFSET 0) AS key"},
    };
    pgc_buffer_text(out, calls[lock][0]);
    pgc_buffer_text(out, "hashtextextended('pgconvoy parts ' || ");
    pgc_quote_literal(out, sink->config->pipeline_name);
    pgc_buffer_text(out, ", 0)");
    pgc_buffer_text(out, calls[lock][1]);
}

const char *pgc_pgsink_part_sql(void)
{
    return "INSERT INTO pgconvoy.apply_part (pipeline, part, lsn, tables, conflicts) "
           "VALUES ($1, $2::int, $3::pg_lsn, $4::jsonb, $5::jsonb)";
}

void pgc_pgsink_parts_settle_sql(const pgc_pgsink *sink, pgconvoy_lsn lsn, pgc_buffer *out)
{
    char text[PGCONVOY_LSN_TEXT_SIZE];
    pgc_buffer_text(out, "DELETE FROM pgconvoy.apply_part WHERE pipeline = ");
    pgc_quote_literal(out, sink->config->pipeline_name);
    pgc_buffer_format(out, " AND lsn <= '%s'", pgconvoy_lsn_to_text(lsn, text));
}

void pgc_pgsink_parts_known_sql(const pgc_pgsink *sink, pgc_buffer *out)
{
    pgc_buffer_text(out, "(SELECT count(*) FROM pgconvoy.apply_part WHERE pipeline = ");
    pgc_quote_literal(out, sink->config->pipeline_name);
    pgc_buffer_format(out, ") = %u", pgc_pgsink_parts_count(sink->parts));
}

void pgc_pgsink_pieces_text(const pgc_pgsink_piece *pieces, size_t count, pgc_buffer *out)
{
    pgc_buffer_byte(out, '[');
    for (size_t i = 0; i < count; i++) {
        pgc_buffer_format(out, "%s{\"oid\":%u", i ? "," : "", pieces[i].oid);
        if (pieces[i].slices > 0) {
            pgc_buffer_format(out, ",\"slices\":%u,\"slice\":%u,\"key\":[", pieces[i].slices, pieces[i].slice);
            for (int k = 0; k < pieces[i].key_count; k++) {
                pgc_buffer_text(out, k ? "," : "");
                pgc_json_string(out, pieces[i].key[k]);
            }
            pgc_buffer_byte(out, ']');
        }
        pgc_buffer_byte(out, '}');
    }
    pgc_buffer_byte(out, ']');
}

int pgc_pgsink_parts_setup(pgc_pgsink *sink, PGconn *conn, bool *usable, pgconvoy_error *err)
{
    static const char make[] =
        "BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('pgconvoy schema', 0));"
        "CREATE TABLE IF NOT EXISTS pgconvoy.apply_part ("
        " pipeline text REFERENCES pgconvoy.pipeline ON DELETE CASCADE, part int NOT NULL, lsn pg_lsn NOT NULL,"
        " tables jsonb NOT NULL, conflicts jsonb NOT NULL, PRIMARY KEY (pipeline, part)); COMMIT";
    static const char look[] = "SELECT FROM pgconvoy.pipeline WHERE name = $1";
    const char *values[] = {sink->config->pipeline_name};
    if (!atomic_load(&sink->parts_table) &&
        pgc_pgsink_execute(conn, make, "creating pgconvoy.apply_part on the target", err) != 0)
        return -1;
    atomic_store(&sink->parts_table, true);
    PGresult *result = pgc_pgsink_query(conn, look, 1, values, "reading the position on the target", err);
    *usable = result && PQntuples(result) == 1;
    PQclear(result);
    return result ? 0 : -1;
}

int pgc_pgsink_parts_alone(pgc_pgsink *sink, pgconvoy_lsn lsn, pgconvoy_error *err)
{
    static const char sql[] = "INSERT INTO pgconvoy.apply_part AS a (pipeline, part, lsn, tables, conflicts) "
                              "VALUES ($1, $2::int, $3::pg_lsn, '[]', '[]') ON CONFLICT (pipeline, part) "
                              "DO UPDATE SET lsn = greatest(a.lsn, excluded.lsn)";
    char part[16], text[PGCONVOY_LSN_TEXT_SIZE];
    snprintf(part, sizeof part, "%d", PGSINK_ALONE_PART);
    const char *values[] = {sink->config->pipeline_name, part, pgconvoy_lsn_to_text(lsn, text)};
    PGconn *conn = pgc_pgsink_borrow(sink, err);
    PGresult *result =
        conn ? pgc_pgsink_query(conn, sql, 3, values, "noting on the target that a batch cannot be split", err) : NULL;
    PQclear(result);
    pgc_pgsink_give_back(sink, conn);
    return result ? 0 : -1;
}

/* ---- reading */

static int malformed(pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_STATE,
                       "table pgconvoy.apply_part on the target has a row that cannot be understood");
    pgconvoy_error_hint(err, "it may be of a newer version of pgconvoy; use that one");
    return -1;
}

/* The columns of a row: part's end, oid, slices, slice, and the key's columns as an array's elements, each NULL where
 * there is none; rows of one piece come together, its columns in their order. */
static int take_pieces(pgc_pgsink_parts *parts, const PGresult *result, pgconvoy_error *err)
{
    for (int row = 0; row < PQntuples(result); row++) {
        const char *column = PQgetisnull(result, row, 5) ? NULL : PQgetvalue(result, row, 5);
        had *piece = parts->pieces;
        if (strcmp(PQgetvalue(result, row, 4), "1") == 0) {
            piece = pgc_arena_zalloc(parts->arena, sizeof *piece);
            /* a key has at most 32 columns, as its index does */
            const char **key = pgc_arena_zalloc(parts->arena, 32 * sizeof *key);
            if (!piece || !key)
                return pgc_error_out_of_memory(err);
            piece->piece.key = key;
            piece->next = parts->pieces;
            parts->pieces = piece;
            if (pgconvoy_lsn_from_text(PQgetvalue(result, row, 0), &piece->lsn) != 0)
                return malformed(err);
            piece->piece.oid = (uint32_t)strtoul(PQgetvalue(result, row, 1), NULL, 10);
            piece->piece.slices = (unsigned)strtoul(PQgetvalue(result, row, 2), NULL, 10);
            piece->piece.slice = (unsigned)strtoul(PQgetvalue(result, row, 3), NULL, 10);
        }
        if (!column)
            continue;
        if (!piece || piece->piece.key_count == 32)
            return malformed(err);
        const char *copy = pgc_arena_strdup(parts->arena, column);
        if (!copy)
            return pgc_error_out_of_memory(err);
        ((const char **)piece->piece.key)[piece->piece.key_count++] = copy;
    }
    return 0;
}

static int take_conflicts(pgc_pgsink_parts *parts, const PGresult *result, pgconvoy_error *err)
{
    for (int row = 0; row < PQntuples(result); row++) {
        met *one = pgc_arena_zalloc(parts->arena, sizeof *one);
        if (!one || !(one->schema = pgc_arena_strdup(parts->arena, PQgetvalue(result, row, 1))) ||
            !(one->name = pgc_arena_strdup(parts->arena, PQgetvalue(result, row, 2))))
            return pgc_error_out_of_memory(err);
        if (pgconvoy_lsn_from_text(PQgetvalue(result, row, 0), &one->lsn) != 0)
            return malformed(err);
        for (int kind = 1; kind <= PGSINK_CONFLICT_KINDS; kind++)
            if (strcmp(PQgetvalue(result, row, 3), pgc_pgsink_conflict_name(kind)) == 0)
                one->kind = kind;
        one->count = strtoll(PQgetvalue(result, row, 4), NULL, 10);
        if (!one->kind)
            continue;
        one->next = parts->conflicts;
        parts->conflicts = one;
    }
    return 0;
}

static int take_ends(pgc_pgsink_parts *parts, const PGresult *result, pgconvoy_error *err)
{
    parts->count = (unsigned)PQntuples(result);
    parts->ends = pgc_arena_zalloc(parts->arena, sizeof *parts->ends * ((size_t)parts->count + 1));
    if (!parts->ends)
        return pgc_error_out_of_memory(err);
    for (unsigned row = 0; row < parts->count; row++)
        if (pgconvoy_lsn_from_text(PQgetvalue(result, (int)row, 0), &parts->ends[row]) != 0)
            return malformed(err);
    return 0;
}

static int read_rows(pgc_pgsink *sink, PGconn *conn, pgc_pgsink_parts *parts, pgconvoy_error *err)
{
    static const struct {
        const char *sql;
        int (*take)(pgc_pgsink_parts *parts, const PGresult *result, pgconvoy_error *err);
    } steps[] = {
        {"SELECT lsn FROM pgconvoy.apply_part WHERE pipeline = $1", take_ends},
        {"SELECT a.lsn, t->>'oid', coalesce(t->>'slices', '0'), coalesce(t->>'slice', '0'), coalesce(k.place, 1), "
         "k.name "
         "FROM pgconvoy.apply_part a, jsonb_array_elements(a.tables) WITH ORDINALITY AS e (t, number) "
         "LEFT JOIN LATERAL jsonb_array_elements_text(t->'key') WITH ORDINALITY AS k (name, place) ON true "
         "WHERE a.pipeline = $1 ORDER BY a.part, e.number, k.place",
         take_pieces},
        {"SELECT a.lsn, c->>'schema', c->>'table', c->>'kind', c->>'count' FROM pgconvoy.apply_part a, "
         "jsonb_array_elements(a.conflicts) AS c WHERE a.pipeline = $1",
         take_conflicts},
    };
    const char *values[] = {sink->config->pipeline_name};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        PGresult *result =
            pgc_pgsink_query(conn, steps[i].sql, 1, values, "reading pgconvoy.apply_part on the target", err);
        int status = result ? steps[i].take(parts, result, err) : -1;
        PQclear(result);
        if (status != 0)
            return -1;
        if (parts->count == 0)
            break;
    }
    return 0;
}

int pgc_pgsink_parts_read(pgc_pgsink *sink, PGconn *conn, pgconvoy_error *err)
{
    pgc_pgsink_parts_free(sink->parts);
    sink->parts = NULL;
    bool there;
    if (pgc_pgsink_relation_exists(conn, "pgconvoy.apply_part", "looking for the checkpoint on the target", &there, err) != 0)
        return -1;
    atomic_store(&sink->parts_table, there);
    if (!there)
        return 0;
    pgc_pgsink_parts *parts = calloc(1, sizeof *parts);
    if (!parts || !(parts->arena = pgc_arena_new(4096))) {
        free(parts);
        return pgc_error_out_of_memory(err);
    }
    pgc_buffer lock;
    pgc_buffer_init(&lock, 65536);
    pgc_pgsink_parts_lock_sql(sink, PGSINK_PARTS_WAITS, &lock);
    /* in a statement of its own, so that the next ones see what was committed meanwhile */
    int status =
        pgc_pgsink_execute_buffer(conn, &lock, "waiting for an earlier session of this pipeline on the target", err);
    pgc_buffer_free(&lock);
    if (status == 0)
        status = read_rows(sink, conn, parts, err);
    if (status == 0 && parts->count > 0) {
        sink->parts = parts;
        return 0;
    }
    pgc_pgsink_parts_free(parts);
    return status;
}

void pgc_pgsink_parts_free(pgc_pgsink_parts *parts)
{
    if (!parts)
        return;
    pgc_arena_free(parts->arena);
    free(parts);
}

/* ---- what is left to do */

unsigned pgc_pgsink_parts_count(const pgc_pgsink_parts *parts)
{
    return parts ? parts->count : 0;
}

pgconvoy_lsn pgc_pgsink_parts_end(const pgc_pgsink_parts *parts)
{
    pgconvoy_lsn end = 0;
    for (const had *h = parts ? parts->pieces : NULL; h; h = h->next)
        end = h->lsn > end ? h->lsn : end;
    return end;
}

static int column_of(const pgconvoy_table *table, const char *name)
{
    for (int i = 0; i < table->column_count; i++)
        if (strcmp(table->columns[i].name, name) == 0)
            return i;
    return -1;
}

static bool in_slice(const pgc_pgsink_piece *piece, const pgconvoy_change *change, bool *told)
{
    int key[32];
    unsigned slice = 0;
    *told = true;
    for (int i = 0; i < piece->key_count && *told; i++) {
        key[i] = column_of(change->table, piece->key[i]);
        *told = key[i] >= 0;
    }
    *told = *told &&
            pgc_pgsink_slice_of(change->table, key, piece->key_count, pgc_pgsink_row_of(change), piece->slices, &slice);
    return *told && slice == piece->slice;
}

int pgc_pgsink_parts_have(const pgc_pgsink_parts *parts, const pgconvoy_change *change, bool *have, pgconvoy_error *err)
{
    *have = false;
    if (pgc_pgsink_parts_count(parts) == 0 || !change->table || !change->transaction)
        return 0;
    for (const had *h = parts->pieces; h && !*have; h = h->next) {
        bool told = true;
        if (h->piece.oid != change->table->oid || change->transaction->commit_lsn >= h->lsn)
            continue;
        *have = h->piece.slices == 0 || in_slice(&h->piece, change, &told);
        if (!told) {
            pgconvoy_error_set(
                err, PGCONVOY_ERROR_STATE,
                "which changes of %s.%s are on the target already cannot be told: the columns of its key "
                "have changed since",
                change->table->schema, change->table->name);
            pgconvoy_error_hint(err, "start again: pgconvoy drop, then sync with --if-exists truncate");
            return -1;
        }
    }
    return 0;
}

void pgc_pgsink_parts_take_conflicts(const pgc_pgsink_parts *parts, pgc_pgsink_writer *writer, pgconvoy_lsn lsn)
{
    for (const met *one = parts ? parts->conflicts : NULL; one; one = one->next)
        if (one->lsn <= lsn)
            pgc_pgsink_conflicts_add(writer, one->schema, one->name, one->kind, one->count);
}

void pgc_pgsink_parts_settled(pgc_pgsink_parts *parts, pgconvoy_lsn lsn)
{
    unsigned kept = 0;
    if (!parts)
        return;
    for (unsigned i = 0; i < parts->count; i++)
        if (parts->ends[i] > lsn)
            parts->ends[kept++] = parts->ends[i];
    parts->count = kept;
    for (met **one = &parts->conflicts; *one;)
        if ((*one)->lsn <= lsn)
            *one = (*one)->next;
        else
            one = &(*one)->next;
}
