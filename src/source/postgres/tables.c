/*
 * Four queries: the relations, their columns, the indexes that identify rows, and the parts to be read. Each gives its
 * rows in the order of the tables' oids, so that a table's rows stand together.
 */
#include "source/postgres/tables.h"
#include "source/postgres/choose.h"
#include "source/postgres/publication.h"
#include "postgres/identity.h"

#include <stdio.h>
#include <stdlib.h>

/* One description under way. */
typedef struct description {
    pgc_postgres_source *source;
    PGconn *conn;
    const uint32_t *oids;
    size_t count;
    pgc_oid_map map; /* oid to pgc_source_table */
    pgc_source_table **tables;
    size_t found;
    bool again; /* what was to be said of partitions was */
    pgconvoy_error *err;
} description;

static PGresult *ask(description *d, const char *sql)
{
    return pgc_query_oids(d->conn, sql, d->oids, d->count, d->err);
}

static char *keep(description *d, const PGresult *result, int row, int column)
{
    return pgc_arena_strdup(d->source->arena, PQgetvalue(result, row, column));
}

static const char *keep_or_null(description *d, const PGresult *result, int row, int column, bool *failed)
{
    const char *text = PQgetisnull(result, row, column) ? NULL : keep(d, result, row, column);
    *failed |= !text && !PQgetisnull(result, row, column);
    return text;
}

/* How many rows from row on have the same first column. */
static int run_length(const PGresult *result, int row)
{
    int end = row;
    while (end < PQntuples(result) && strcmp(PQgetvalue(result, end, 0), PQgetvalue(result, row, 0)) == 0)
        end++;
    return end - row;
}

/* Column lists and row filters came with 15. */
static bool has_lists(const pgc_postgres_source *source)
{
    return source->publication.exists && source->server_version >= 150000;
}

/* Where no publication says so yet, or none is asked for. */
static const pgc_mapped_table *choice_of(const pgc_postgres_source *source, const pgconvoy_table *table)
{
    return has_lists(source) ? NULL : pgc_mapping_table(source->config.mapping, table->schema, table->name);
}

/* "… LEFT JOIN the publication's row p of relation c in n", or nothing. */
static void join_publication(const pgc_postgres_source *source, pgc_buffer *sql)
{
    if (!has_lists(source))
        return;
    pgc_buffer_text(
        sql, " LEFT JOIN pg_catalog.pg_publication_tables p ON p.schemaname = n.nspname AND p.tablename = c.relname "
             "AND p.pubname = ");
    pgc_quote_literal(sql, source->publication_name);
}

static int read_relations(description *d)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 1 << 16);
    pgc_buffer_format(&sql,
                      "SELECT c.oid, n.nspname, c.relname, c.relkind, c.relreplident, pg_catalog.format('%%I.%%I', "
                      "n.nspname, c.relname), %s, c.relnatts "
                      "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace",
                      has_lists(d->source) ? "p.rowfilter" : "NULL");
    join_publication(d->source, &sql);
    pgc_buffer_text(&sql, " WHERE c.oid = ANY ($1::pg_catalog.oid[]) ORDER BY n.nspname, c.relname");
    PGresult *result = pgc_buffer_check(&sql, d->err) == 0 ? ask(d, sql.data) : NULL;
    pgc_buffer_free(&sql);
    if (!result)
        return -1;
    int failed = 0;
    for (int row = 0; row < PQntuples(result) && !failed; row++) {
        pgc_source_table *table = pgc_arena_zalloc(d->source->arena, sizeof *table);
        if (!table) {
            failed = pgc_error_out_of_memory(d->err);
            break;
        }
        table->table.oid = pgc_result_oid(result, row, 0);
        table->table.version = 1;
        table->table.schema = keep(d, result, row, 1);
        table->table.name = keep(d, result, row, 2);
        table->relkind = PQgetvalue(result, row, 3)[0];
        table->table.replica_identity = PQgetvalue(result, row, 4)[0];
        table->quoted_name = keep(d, result, row, 5);
        table->row_filter = PQgetisnull(result, row, 6) ? NULL : keep(d, result, row, 6);
        table->natts = (int)pgc_result_int64(result, row, 7);
        const pgc_mapped_table *mapped = choice_of(d->source, &table->table);
        if (mapped && mapped->where)
            table->row_filter = mapped->where;
        if (!table->table.schema || !table->table.name || !table->quoted_name)
            failed = pgc_error_out_of_memory(d->err);
        else
            failed = pgc_oid_map_put(&d->map, table->table.oid, table, d->err);
        d->tables[d->found++] = table;
    }
    PQclear(result);
    return failed;
}

/* What an ADD COLUMN gave the rows of before is kept with each table that has rows: of a partitioned one, with its partitions. */
#define OF_PARTITIONS \
    "LEFT JOIN (SELECT r.oid, l.attname, min((l.attmissingval::pg_catalog.text::pg_catalog.text[])[1]) AS value, " \
    "count(DISTINCT l.attmissingval::pg_catalog.text) AS count FROM pg_catalog.pg_class r, " \
    "LATERAL pg_catalog.pg_partition_tree(r.oid) t JOIN pg_catalog.pg_attribute l ON l.attrelid = t.relid " \
    "WHERE r.oid = ANY ($1::pg_catalog.oid[]) AND r.relkind = 'p' AND t.isleaf AND l.atthasmissing " \
    "GROUP BY r.oid, l.attname) p_missing ON p_missing.oid = a.attrelid AND p_missing.attname = a.attname"
#define MISSING \
    "CASE WHEN c.relkind <> 'p' THEN (a.attmissingval::pg_catalog.text::pg_catalog.text[])[1] WHEN p_missing.count = 1 THEN p_missing.value END"
/* Since a table was written anew, which another type does, it keeps none. */
#define WRITTEN_ANEW \
    "CASE WHEN c.relkind <> 'p' THEN c.relfilenode <> c.oid ELSE EXISTS (SELECT FROM pg_catalog.pg_partition_tree(c.oid) t " \
    "JOIN pg_catalog.pg_class l ON l.oid = t.relid WHERE t.isleaf AND l.relfilenode <> l.oid) END"
/* A default that calls a volatile function, by the number that the stored expression has of it; an identity column's is a sequence. */
#define COMPUTED \
    "a.attidentity <> '' OR coalesce(p_missing.count > 1, false) OR a.atthasdef AND NOT a.atthasmissing AND p_missing.count IS NULL " \
    "AND (" WRITTEN_ANEW " OR EXISTS (SELECT FROM pg_catalog.pg_attrdef d, " \
    "LATERAL pg_catalog.regexp_matches(d.adbin::pg_catalog.text, ':(?:funcid|opfuncid) (\\d+)', 'g') f (id) " \
    "JOIN pg_catalog.pg_proc v ON v.oid = f.id[1]::pg_catalog.oid WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum AND v.provolatile = 'v'))"

/* The default, and the sequence that it or an identity has. */
#define DEFAULTS \
    "LEFT JOIN pg_catalog.pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum AND a.attgenerated = '' LEFT JOIN LATERAL (" \
    "SELECT pg_catalog.format('%%I.%%I', n.nspname, c.relname) AS name, CASE WHEN a.attidentity = '' THEN 'AS ' || pg_catalog.format_type(s.seqtypid, NULL) || ' ' ELSE '' END || " \
    "pg_catalog.format('START WITH %%s INCREMENT BY %%s MINVALUE %%s MAXVALUE %%s CACHE %%s%%s', s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, CASE WHEN s.seqcycle THEN ' CYCLE' END) AS options " \
    "FROM pg_catalog.pg_depend x JOIN pg_catalog.pg_sequence s ON s.seqrelid = x.objid JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace " \
    "WHERE x.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND x.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND x.refobjid = a.attrelid AND x.refobjsubid = a.attnum " \
    "AND x.deptype = CASE WHEN a.attidentity = '' THEN 'a' ELSE 'i' END AND (a.attidentity <> '' OR f.oid IS NOT NULL) LIMIT 1) q ON true "
#define DEFAULT_CLAUSE \
    "CASE WHEN a.attidentity <> '' THEN pg_catalog.format('ADD GENERATED %%s AS IDENTITY (%%s)', CASE a.attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END, q.options) " \
    "ELSE 'SET DEFAULT ' || pg_catalog.pg_get_expr(f.adbin, f.adrelid) END, CASE WHEN a.attidentity = '' THEN q.name END, q.options"

/*
 * A generated column is sent from 18 on, when the publication says so; before, the publication's list may name it, but
 * its values are not sent. A NOT NULL that is not validated (18) does not hold for every row.
 */
static void columns_sql(const pgc_postgres_source *source, pgc_buffer *sql)
{
    bool lists = has_lists(source), from_18 = source->server_version >= 180000;
    pgc_buffer_format(
        sql,
        "SELECT a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod, pg_catalog.format_type(a.atttypid, "
        "a.atttypmod), "
        "a.attnotnull%s, a.attgenerated <> '', " MISSING ", " COMPUTED ", " DEFAULT_CLAUSE " FROM pg_catalog.pg_attribute a "
        "JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace " DEFAULTS OF_PARTITIONS,
        from_18 ? " AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conrelid = a.attrelid AND "
                  "k.contype = 'n' AND k.conkey[1] = a.attnum AND NOT k.convalidated)"
                : "");
    join_publication(source, sql);
    pgc_buffer_text(sql, " WHERE a.attrelid = ANY ($1::pg_catalog.oid[]) AND a.attnum > 0 AND NOT a.attisdropped");
    pgc_buffer_text(sql, lists && from_18 ? " AND (a.attgenerated = '' OR a.attgenerated = 's' AND p.attnames IS NOT NULL)"
                         : source->publication.stored_generated ? " AND a.attgenerated IN ('', 's')"
                                                                : " AND a.attgenerated = ''");
    if (lists)
        pgc_buffer_text(sql, " AND (p.attnames IS NULL OR a.attname = ANY (p.attnames))");
    pgc_buffer_text(sql, " ORDER BY a.attrelid, a.attnum");
}

static int load_types(description *d, const PGresult *result)
{
    int count = PQntuples(result);
    uint32_t *oids = malloc((size_t)(count + 1) * sizeof *oids);
    if (!oids)
        return pgc_error_out_of_memory(d->err);
    for (int row = 0; row < count; row++)
        oids[row] = pgc_result_oid(result, row, 3);
    int failed = pgc_types_load(d->source->types, d->conn, oids, (size_t)count, d->err);
    free(oids);
    return failed;
}

static int read_column_run(description *d, const PGresult *result, int row, int count)
{
    pgc_source_table *table = pgc_oid_map_get(&d->map, pgc_result_oid(result, row, 0));
    if (!table)
        return 0;
    pgconvoy_column *columns = pgc_arena_zalloc(d->source->arena, (size_t)count * sizeof *columns);
    int16_t *attnums = pgc_arena_alloc(d->source->arena, (size_t)count * sizeof *attnums);
    if (!columns || !attnums)
        return pgc_error_out_of_memory(d->err);
    const pgc_mapped_table *mapped = choice_of(d->source, &table->table);
    bool failed = false;
    int i = 0;
    for (int end = row + count; row < end; row++) {
        if (!pgc_mapped_has(mapped, PQgetvalue(result, row, 2)))
            continue;
        attnums[i] = (int16_t)pgc_result_int64(result, row, 1);
        columns[i].name = keep(d, result, row, 2);
        columns[i].type = pgc_types_find(d->source->types, pgc_result_oid(result, row, 3));
        columns[i].typmod = (int32_t)pgc_result_int64(result, row, 4);
        columns[i].type_sql = keep(d, result, row, 5);
        columns[i].not_null = pgc_result_bool(result, row, 6);
        columns[i].generated = pgc_result_bool(result, row, 7);
        columns[i].number = attnums[i];
        columns[i].missing = keep_or_null(d, result, row, 8, &failed);
        columns[i].computed = pgc_result_bool(result, row, 9);
        if (!pgc_mapping_renames(d->source->config.mapping)) {
            columns[i].default_clause = keep_or_null(d, result, row, 10, &failed);
            columns[i].default_sequence = keep_or_null(d, result, row, 11, &failed);
            columns[i].default_sequence_options = keep_or_null(d, result, row, 12, &failed);
        }
        if (!columns[i].name || !columns[i].type_sql || failed)
            return pgc_error_out_of_memory(d->err);
        i++;
    }
    table->table.columns = columns;
    table->table.column_count = i;
    table->attnums = attnums;
    return 0;
}

static int read_columns(description *d)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 1 << 16);
    columns_sql(d->source, &sql);
    PGresult *result = pgc_buffer_check(&sql, d->err) == 0 ? ask(d, sql.data) : NULL;
    pgc_buffer_free(&sql);
    if (!result)
        return -1;
    int failed = load_types(d, result);
    for (int row = 0, count; row < PQntuples(result) && !failed; row += count) {
        count = run_length(result, row);
        failed = read_column_run(d, result, row, count);
    }
    PQclear(result);
    return failed;
}

static int column_of(const pgc_source_table *table, int attnum)
{
    for (int i = 0; i < table->table.column_count; i++)
        if (table->attnums[i] == attnum)
            return i;
    return -1;
}

int pgc_table_set_key(pgc_arena *arena, pgconvoy_table *table, const int *identity, int count, pgconvoy_error *err)
{
    table->key = NULL;
    table->key_count = 0;
    pgconvoy_column *columns = (pgconvoy_column *)table->columns;
    for (int i = 0; i < table->column_count; i++)
        columns[i].in_key = false;
    for (int i = 0; i < count; i++)
        if (identity[i] < 0)
            return 0;
    if (count == 0)
        return 0;
    int *key = pgc_arena_alloc(arena, (size_t)count * sizeof *key);
    if (!key)
        return pgc_error_out_of_memory(err);
    for (int i = 0; i < count; i++) {
        key[i] = identity[i];
        columns[key[i]].in_key = true;
    }
    table->key = key;
    table->key_count = count;
    return 0;
}

/* The columns of the indexes that matter; a deferrable primary key identifies rows to readers, but not to the WAL. */
static const char keys_sql[] =
    "SELECT i.indrelid, i.indisprimary, i.indisreplident, i.indimmediate, i.indkey[k.n - 1] FROM pg_catalog.pg_index "
    "i, "
    "LATERAL pg_catalog.generate_series(1, i.indnkeyatts) k (n) WHERE i.indrelid = ANY ($1::pg_catalog.oid[]) "
    "AND (i.indisprimary OR i.indisreplident) AND i.indisvalid ORDER BY i.indrelid, i.indexrelid, k.n";

#define KEY_COLUMNS_MAX 32 /* INDEX_MAX_KEYS; servers compiled with more lose the key, not a row */

static int read_key_run(description *d, const PGresult *result, int row, int count)
{
    pgc_source_table *table = pgc_oid_map_get(&d->map, pgc_result_oid(result, row, 0));
    if (!table)
        return 0;
    int primary[KEY_COLUMNS_MAX], identity[KEY_COLUMNS_MAX];
    int primary_count = 0, identity_count = 0;
    bool immediate = true;
    for (int end = row + count; row < end; row++) {
        int column = column_of(table, (int)pgc_result_int64(result, row, 4));
        if (pgc_result_bool(result, row, 1) && primary_count < KEY_COLUMNS_MAX) {
            primary[primary_count++] = column;
            immediate = pgc_result_bool(result, row, 3);
        }
        if (pgc_result_bool(result, row, 2) && identity_count < KEY_COLUMNS_MAX)
            identity[identity_count++] = column;
    }
    bool primary_sent = primary_count > 0;
    for (int i = 0; i < primary_count; i++)
        primary_sent &= primary[i] >= 0;
    for (int i = 0; i < primary_count && primary_sent; i++)
        ((pgconvoy_column *)table->table.columns)[primary[i]].primary_key = i + 1;
    switch (table->table.replica_identity) {
    case 'i':
        return pgc_table_set_key(d->source->arena, &table->table, identity, identity_count, d->err);
    case 'd':
        return pgc_table_set_key(d->source->arena, &table->table, primary, immediate ? primary_count : 0, d->err);
    case 'f':
        return pgc_table_set_key(d->source->arena, &table->table, primary, primary_count, d->err);
    default:
        return 0;
    }
}

static int read_keys(description *d)
{
    PGresult *result = ask(d, keys_sql);
    if (!result)
        return -1;
    int failed = 0;
    for (int row = 0, count; row < PQntuples(result) && !failed; row += count) {
        count = run_length(result, row);
        failed = read_key_run(d, result, row, count);
    }
    PQclear(result);
    return failed;
}

/*
 * A table is its own only part; a partitioned one is its leaves, but for foreign and (for a stream) unlogged ones. By pg_inherits, which is read as of the
 * snapshot, and not by pg_partition_tree(), which looks at what is there by now.
 */
static const char parts_sql[] =
    "WITH RECURSIVE tree (root, oid) AS (SELECT r.oid, r.oid FROM pg_catalog.unnest($1::pg_catalog.oid[]) r (oid) UNION ALL "
    "SELECT t.root, i.inhrelid FROM tree t JOIN pg_catalog.pg_class p ON p.oid = t.oid AND p.relkind = 'p' JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid) "
    "SELECT t.root, c.oid, n.nspname, c.relname, c.relreplident, "
    PGC_IDENTITY_USABLE_SQL("c", "%s") ", "
    "pg_catalog.pg_stat_get_tuples_updated(c.oid) + pg_catalog.pg_stat_get_tuples_deleted(c.oid) > 0, "
    "COALESCE(pg_catalog.pg_relation_size(c.oid), 0), COALESCE(pg_catalog.pg_table_size(c.oid), 0), "
    "c.reltuples::pg_catalog.int8, c.relpages, "
    "c.relkind, c.relpersistence "
    "FROM tree t JOIN pg_catalog.pg_class c ON c.oid = t.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind IN ('r', 'f') ORDER BY t.root, n.nspname, c.relname";

/* Rows of a part by the density that the last vacuum saw; -1 when it was never looked at. */
static int64_t estimate_rows(const pgc_postgres_source *source, int64_t heap_bytes, int64_t tuples, int64_t pages)
{
    if (heap_bytes == 0)
        return 0;
    if (tuples < 0 || pages <= 0)
        return -1;
    return (int64_t)((double)tuples / (double)pages * (double)(heap_bytes / source->block_size));
}

static int read_part_run(description *d, const PGresult *result, int row, int count)
{
    pgc_postgres_source *source = d->source;
    pgc_source_table *table = pgc_oid_map_get(&d->map, pgc_result_oid(result, row, 0));
    if (!table)
        return 0;
    table->parts = pgc_arena_zalloc(source->arena, (size_t)count * sizeof *table->parts);
    if (!table->parts)
        return pgc_error_out_of_memory(d->err);
    for (int end = row + count; row < end; row++) {
        const char *skipped = PQgetvalue(result, row, 11)[0] == 'f'                               ? "a foreign table"
                              : PQgetvalue(result, row, 12)[0] == 'u' && source->config.streaming ? "unlogged"
                                                                                                  : NULL;
        if (skipped) {
            if (!d->again)
                pgc_log_warning(source->config.log, "partition %s.%s of %s is left out, being %s",
                                PQgetvalue(result, row, 2), PQgetvalue(result, row, 3), table->quoted_name, skipped);
            continue;
        }
        pgc_part *part = &table->parts[table->part_count++];
        part->oid = pgc_result_oid(result, row, 1);
        part->schema = keep(d, result, row, 2);
        part->name = keep(d, result, row, 3);
        part->replica_identity = PQgetvalue(result, row, 4)[0];
        part->identity_usable = pgc_result_bool(result, row, 5);
        part->was_changed = pgc_result_bool(result, row, 6);
        part->heap_bytes = pgc_result_int64(result, row, 7);
        part->total_bytes = pgc_result_int64(result, row, 8);
        int64_t rows = estimate_rows(source, part->heap_bytes, pgc_result_int64(result, row, 9),
                                     pgc_result_int64(result, row, 10));
        table->table.estimated_bytes += part->total_bytes;
        table->table.estimated_rows =
            rows < 0 || table->table.estimated_rows < 0 ? -1 : table->table.estimated_rows + rows;
        if (!part->schema || !part->name)
            return pgc_error_out_of_memory(d->err);
    }
    return 0;
}

static int read_parts(description *d)
{
    char sql[sizeof parts_sql + 16];
    snprintf(sql, sizeof sql, parts_sql, pgc_publication_unsent(d->source));
    PGresult *result = ask(d, sql);
    if (!result)
        return -1;
    int failed = 0;
    for (int row = 0, count; row < PQntuples(result) && !failed; row += count) {
        count = run_length(result, row);
        failed = read_part_run(d, result, row, count);
    }
    PQclear(result);
    return failed;
}

int pgc_tables_describe(pgc_postgres_source *source, PGconn *conn, const uint32_t *oids, size_t count,
                        pgc_source_table **described, size_t *found, pgconvoy_error *err)
{
    description d = {.source = source, .conn = conn, .oids = oids, .count = count, .tables = described, .err = err};
    pthread_mutex_lock(&source->catalog_lock);
    int failed = read_relations(&d) || read_columns(&d) || read_keys(&d) || read_parts(&d);
    pthread_mutex_unlock(&source->catalog_lock);
    pgc_oid_map_free(&d.map);
    *found = d.found;
    return failed ? -1 : 0;
}

int pgc_tables_describe_parts(pgc_postgres_source *source, PGconn *conn, pgconvoy_error *err)
{
    uint32_t *oids = malloc((source->table_count + 1) * sizeof *oids);
    pgc_source_table *fresh = calloc(source->table_count + 1, sizeof *fresh); /* progress looks at the others' estimates meanwhile */
    description d = {.source = source, .conn = conn, .oids = oids, .again = true, .err = err};
    int failed = oids && fresh ? 0 : pgc_error_out_of_memory(err);
    pthread_mutex_lock(&source->catalog_lock);
    for (size_t i = 0; i < source->table_count && !failed; i++) {
        const pgc_source_table *table = pgc_source_find_table(source, source->tables[i]->oid);
        if (table->relkind != 'p')
            continue;
        fresh[d.count].quoted_name = table->quoted_name;
        oids[d.count] = table->table.oid;
        failed = pgc_oid_map_put(&d.map, table->table.oid, &fresh[d.count], err);
        d.count++;
    }
    if (!failed && d.count > 0)
        failed = read_parts(&d);
    for (size_t i = 0; i < d.count && !failed; i++) {
        pgc_source_table *table = pgc_source_find_table(source, oids[i]);
        table->parts = fresh[i].parts;
        table->part_count = fresh[i].part_count;
    }
    pthread_mutex_unlock(&source->catalog_lock);
    pgc_oid_map_free(&d.map);
    free(fresh);
    free(oids);
    return failed ? -1 : 0;
}

static int remember(pgc_postgres_source *source, pgc_source_table **described, size_t count, pgconvoy_error *err)
{
    source->tables = pgc_arena_alloc(source->arena, count * sizeof *source->tables);
    if (!source->tables)
        return pgc_error_out_of_memory(err);
    pgc_oid_map_free(&source->table_map);
    for (size_t i = 0; i < count; i++) {
        source->tables[i] = &described[i]->table;
        if (pgc_oid_map_put(&source->table_map, described[i]->table.oid, described[i], err) != 0)
            return -1;
    }
    source->table_count = count;
    return 0;
}

int pgc_tables_load(pgc_postgres_source *source, pgconvoy_error *err)
{
    pgc_oid_list chosen;
    int failed = pgc_choose_tables(source, &chosen, err);
    PGconn *conn = failed ? NULL : pgc_source_conn(source, err);
    pgc_source_table **described = conn ? malloc(chosen.count * sizeof(pgc_source_table *)) : NULL;
    size_t found = 0;
    if (conn && !described)
        failed = pgc_error_out_of_memory(err);
    else if (!conn)
        failed = -1;
    if (!failed)
        failed = pgc_publication_plan(source, conn, chosen.oids, chosen.count, err) ||
                 pgc_tables_describe(source, conn, chosen.oids, chosen.count, described, &found, err);
    if (!failed)
        failed = remember(source, described, found, err);
    free(described);
    free(chosen.oids);
    return failed;
}
