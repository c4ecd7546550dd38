/*
 * The tables whose rows are compared: those of the source that are chosen (of the publication, where there is one), and
 * what both ends have of them. One query at each end tells all columns, so that thousands of tables cost no more than
 * two round trips.
 */
#include "inspect/verify/tables.sql.h"
#include "inspect/verify/verify_internal.h"

#include <stdlib.h>

/* ------------------------------------------------------------------ the source's choice */

/* Patterns without a schema mean what the user's own search_path shows. */
static int with_users_path(PGconn *conn, const char *sql, PGresult **result, pgconvoy_error *err)
{
    if (pgc_execute(conn, "RESET search_path", err))
        return -1;
    *result = pgc_query(conn, sql, err);
    return *result && pgc_execute(conn, "SET search_path = pg_catalog", err) == 0 ? 0 : -1;
}

/* Which tables, as a list of oids. */
static int choose(pgc_verify *verify, pgc_buffer *oids, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, VERIFY_SQL_LIMIT);
    const pgc_buffer *publications = &verify->flow.publications;
    pgc_buffer_text(&sql, "SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = "
                          "c.relnamespace WHERE c.relkind IN ('r', 'p') AND ");
    int status = pgc_choice_condition(&verify->options->choice, &sql, err);
    /* an explicit choice may name a partition */
    if (publications->length)
        pgc_buffer_format(&sql,
                          " AND EXISTS (SELECT FROM pg_catalog.pg_publication_tables p WHERE p.schemaname = n.nspname "
                          "AND p.tablename = c.relname AND p.pubname IN (%s))",
                          publications->data);
    else if (verify->options->choice.include_table_count == 0)
        pgc_buffer_text(&sql, " AND NOT c.relispartition");
    if (verify->is_standby)
        pgc_buffer_text(&sql, " AND c.relpersistence = 'p'"); /* a standby has no rows of others */
    PGresult *result = NULL;
    if (status == 0 && pgc_buffer_check(&sql, err) == 0)
        status = with_users_path(verify->conn[VERIFY_SOURCE], sql.data, &result, err);
    else
        status = -1;
    for (int row = 0; status == 0 && row < PQntuples(result); row++)
        pgc_buffer_format(oids, "%s%s", row ? "," : "", PQgetvalue(result, row, 0));
    PQclear(result);
    pgc_buffer_free(&sql);
    return status ? -1 : pgc_buffer_check(oids, err);
}

static PGresult *source_columns(pgc_verify *verify, pgconvoy_error *err)
{
    pgc_buffer oids, sql;
    pgc_buffer_init(&oids, VERIFY_SQL_LIMIT);
    pgc_buffer_init(&sql, VERIFY_SQL_LIMIT);
    PGresult *result = NULL;
    if (choose(verify, &oids, err) == 0) {
        pgc_buffer_format(&sql, "%s%s c.oid = ANY ('{%s}'::oid[]) %s", VERIFY_COLUMNS_SELECT, VERIFY_COLUMNS_JOIN,
                          oids.length ? oids.data : "", VERIFY_COLUMNS_ORDER);
        if (pgc_buffer_check(&sql, err) == 0)
            result = pgc_query(verify->conn[VERIFY_SOURCE], sql.data, err);
    }
    pgc_buffer_free(&oids);
    pgc_buffer_free(&sql);
    return result;
}

/* The columns of the same tables at the target, whatever they are there. */
static PGresult *target_columns(pgc_verify *verify, const PGresult *source, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, VERIFY_SQL_LIMIT);
    pgc_buffer_format(
        &sql, "%s%s c.relkind IN ('r', 'p', 'v', 'm', 'f') AND (n.nspname, c.relname) IN (VALUES (''::name, ''::name)",
        VERIFY_COLUMNS_SELECT, VERIFY_COLUMNS_JOIN);
    for (int row = 0; row < PQntuples(source); row++) {
        if (row &&
            strcmp(PQgetvalue(source, row, VERIFY_AT_TABLE), PQgetvalue(source, row - 1, VERIFY_AT_TABLE)) == 0 &&
            strcmp(PQgetvalue(source, row, VERIFY_AT_SCHEMA), PQgetvalue(source, row - 1, VERIFY_AT_SCHEMA)) == 0)
            continue;
        const char *schema, *name;
        pgc_mapping_target(verify->options->mapping, PQgetvalue(source, row, VERIFY_AT_SCHEMA),
                           PQgetvalue(source, row, VERIFY_AT_TABLE), &schema, &name);
        pgc_buffer_text(&sql, ", (");
        pgc_quote_literal(&sql, schema);
        pgc_buffer_text(&sql, ", ");
        pgc_quote_literal(&sql, name);
        pgc_buffer_byte(&sql, ')');
    }
    pgc_buffer_format(&sql, ")%s", VERIFY_COLUMNS_ORDER);
    PGresult *result = pgc_buffer_check(&sql, err) == 0 ? pgc_query(verify->conn[VERIFY_TARGET], sql.data, err) : NULL;
    pgc_buffer_free(&sql);
    return result;
}

/* ------------------------------------------------------------------ both ends together */

/* A run of rows of a result: one table's. */
typedef struct block {
    const PGresult *result;
    int first, end;
} block;

static int compare_table(const PGresult *result, int row, const char *schema, const char *name)
{
    int order = strcmp(PQgetvalue(result, row, VERIFY_AT_SCHEMA), schema);
    return order ? order : strcmp(PQgetvalue(result, row, VERIFY_AT_TABLE), name);
}

/* The rows of that table from row first on, where they would stand if there are none. */
static block block_at(const PGresult *result, int first, const char *schema, const char *name)
{
    block block = {result, first, first};
    while (block.end < PQntuples(result) && compare_table(result, block.end, schema, name) == 0)
        block.end++;
    return block;
}

/* Rows are in the order of schemas and tables, as bytes. */
static block block_of(const PGresult *result, const char *schema, const char *name)
{
    int low = 0, high = PQntuples(result);
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (compare_table(result, middle, schema, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return block_at(result, low, schema, name);
}

static bool is_true(const block *block, int row, int field)
{
    return PQgetvalue(block->result, row, field)[0] == 't';
}

static int number(const block *block, int row, int field)
{
    return atoi(PQgetvalue(block->result, row, field));
}

/* The row of a column, or -1. */
static int find_column(const block *block, const char *name)
{
    for (int row = block->first; row < block->end; row++)
        if (!PQgetisnull(block->result, row, VERIFY_AT_COLUMN) &&
            strcmp(PQgetvalue(block->result, row, VERIFY_AT_COLUMN), name) == 0)
            return row;
    return -1;
}

/* A column that the target lacks: the schema's comparison says so, where schemas can be compared. */
static int note_absent(pgc_verify *verify, const verify_table *table, const char *column, pgconvoy_error *err)
{
    if (verify_compares_schema(verify) || verify->options->no_schema)
        return 0;
    char what[400];
    snprintf(what, sizeof what, "COLUMN %s.%s.%s", table->schema, table->name, column);
    return verify_finding_add(&verify->schema, verify->arena, VERIFY_MISSING, what) ? 0 : pgc_error_out_of_memory(err);
}

static int add_columns(pgc_verify *verify, verify_table *table, const block *source, const block *target,
                       pgconvoy_error *err)
{
    table->columns =
        pgc_arena_zalloc(verify->arena, sizeof *table->columns * (size_t)(source->end - source->first + 1));
    if (!table->columns)
        return pgc_error_out_of_memory(err);
    for (int row = source->first; row < source->end; row++) {
        if (PQgetisnull(source->result, row, VERIFY_AT_COLUMN))
            continue;
        const char *name = PQgetvalue(source->result, row, VERIFY_AT_COLUMN);
        if (!pgc_mapped_has(table->mapped, name))
            continue;
        int there = find_column(target, pgc_mapped_column(table->mapped, name));
        if (there < 0 && note_absent(verify, table, name, err))
            return -1;
        if (there < 0)
            continue;
        verify_column *column = &table->columns[table->column_count++];
        column->name = column->at[VERIFY_SOURCE] = pgc_arena_strdup(verify->arena, name);
        column->at[VERIFY_TARGET] =
            pgc_arena_strdup(verify->arena, PQgetvalue(target->result, there, VERIFY_AT_COLUMN));
        column->type[VERIFY_SOURCE] = pgc_arena_strdup(verify->arena, PQgetvalue(source->result, row, VERIFY_AT_TYPE));
        column->type[VERIFY_TARGET] =
            pgc_arena_strdup(verify->arena, PQgetvalue(target->result, there, VERIFY_AT_TYPE));
        column->generated = is_true(target, there, VERIFY_AT_GENERATED);
        if (!column->name || !column->at[VERIFY_TARGET] || !column->type[0] || !column->type[1])
            return pgc_error_out_of_memory(err);
    }
    return 0;
}

/* A key of the source tells rows apart at the target too when it cannot be NULL there. Without one rows are counted by
 * their hash. */
static int add_key(pgc_verify *verify, verify_table *table, const block *source, const block *target,
                   pgconvoy_error *err)
{
    int count = number(source, source->first, VERIFY_AT_KEY_COUNT), found = 0;
    table->keys = pgc_arena_zalloc(verify->arena, sizeof *table->keys * (size_t)(count + 1));
    if (!table->keys)
        return pgc_error_out_of_memory(err);
    bool same = count > 0 && number(target, target->first, VERIFY_AT_KEY_COUNT) == count;
    for (int i = 0; i < table->column_count; i++) {
        int here = find_column(source, table->columns[i].at[VERIFY_SOURCE]),
            there = find_column(target, table->columns[i].at[VERIFY_TARGET]);
        int place = number(source, here, VERIFY_AT_KEY_PLACE);
        if (PQgetisnull(source->result, here, VERIFY_AT_KEY_PLACE) || place < 0 || place >= count ||
            !is_true(target, there, VERIFY_AT_NOT_NULL))
            continue;
        table->keys[place] = i;
        found++;
        if (PQgetisnull(target->result, there, VERIFY_AT_KEY_PLACE) ||
            number(target, there, VERIFY_AT_KEY_PLACE) != place)
            same = false;
        if (place == 0)
            table->is_clustered = atof(PQgetvalue(source->result, here, VERIFY_AT_CORRELATION)) > 0.7;
    }
    table->key_count = count > 0 && found == count ? count : 0;
    table->is_indexed = same && table->key_count > 0;
    return 0;
}

static int add_table(pgc_verify *verify, const block *source, const block *target, pgconvoy_error *err)
{
    verify_table *table = &verify->tables[verify->table_count++];
    const PGresult *result = source->result;
    int row = source->first;
    table->schema = pgc_arena_strdup(verify->arena, PQgetvalue(result, row, VERIFY_AT_SCHEMA));
    table->name = pgc_arena_strdup(verify->arena, PQgetvalue(result, row, VERIFY_AT_TABLE));
    if (!table->schema || !table->name)
        return pgc_error_out_of_memory(err);
    table->at[VERIFY_SOURCE].schema = table->schema;
    table->at[VERIFY_SOURCE].name = table->name;
    pgc_mapping_target(verify->options->mapping, table->schema, table->name, &table->at[VERIFY_TARGET].schema,
                       &table->at[VERIFY_TARGET].name);
    table->mapped = pgc_mapping_table(verify->options->mapping, table->schema, table->name);
    table->rows = atof(PQgetvalue(result, row, VERIFY_AT_ROWS));
    table->pages = atof(PQgetvalue(result, row, VERIFY_AT_PAGES));
    table->only[VERIFY_SOURCE] = PQgetvalue(result, row, VERIFY_AT_KIND)[0] == 'r';
    table->is_absent = target->first == target->end;
    if (table->is_absent)
        return 0;
    table->only[VERIFY_TARGET] = PQgetvalue(target->result, target->first, VERIFY_AT_KIND)[0] == 'r';
    return add_columns(verify, table, source, target, err) || add_key(verify, table, source, target, err) ? -1 : 0;
}

static int add_tables(pgc_verify *verify, const PGresult *source, const PGresult *target, pgconvoy_error *err)
{
    verify->tables = pgc_arena_zalloc(verify->arena, sizeof *verify->tables * (size_t)(PQntuples(source) + 1));
    if (!verify->tables)
        return pgc_error_out_of_memory(err);
    int status = 0;
    for (int here = 0; here < PQntuples(source) && status == 0;) {
        const char *schema = PQgetvalue(source, here, VERIFY_AT_SCHEMA),
                   *name = PQgetvalue(source, here, VERIFY_AT_TABLE), *to_schema, *to_name;
        pgc_mapping_target(verify->options->mapping, schema, name, &to_schema, &to_name);
        block of_source = block_at(source, here, schema, name), of_target = block_of(target, to_schema, to_name);
        status = add_table(verify, &of_source, &of_target, err);
        here = of_source.end;
    }
    return status;
}

/* ------------------------------------------------------------------ the publication's say */

static bool has_word(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = list; at; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (strncmp(at, name, length) == 0 && (at[length] == '\n' || !at[length]))
            return true;
    }
    return false;
}

static void keep_columns(verify_table *table, const char *list)
{
    int kept = 0;
    for (int i = 0; i < table->column_count; i++) {
        if (!has_word(list, table->columns[i].name))
            continue;
        for (int k = 0; k < table->key_count; k++)
            if (table->keys[k] == i)
                table->keys[k] = kept;
        table->columns[kept++] = table->columns[i];
    }
    table->column_count = kept;
}

/* Row filters and column lists, from 15 on. What several publications let through of one table is what any of them
 * does. */
static int apply_publications(pgc_verify *verify, pgconvoy_error *err)
{
    if (!verify->flow.publications.length || verify->version[VERIFY_SOURCE] < 150000)
        return 0;
    pgc_buffer sql;
    pgc_buffer_init(&sql, VERIFY_SQL_LIMIT);
    pgc_buffer_format(
        &sql,
        "SELECT p.schemaname, p.tablename, CASE WHEN bool_and(p.rowfilter IS NOT NULL) THEN string_agg(DISTINCT '(' || "
        "p.rowfilter || ')', ' OR ') END, "
        "(SELECT string_agg(DISTINCT u.name, E'\\n') FROM pg_publication_tables q, unnest(q.attnames) AS u (name) "
        "WHERE q.pubname IN (%s) AND q.schemaname = p.schemaname AND q.tablename = p.tablename) "
        "FROM pg_publication_tables p WHERE p.pubname IN (%s) GROUP BY 1, 2",
        verify->flow.publications.data, verify->flow.publications.data);
    PGresult *result = pgc_buffer_check(&sql, err) == 0 ? pgc_query(verify->conn[VERIFY_SOURCE], sql.data, err) : NULL;
    pgc_buffer_free(&sql);
    int status = result ? 0 : -1;
    for (int row = 0; status == 0 && row < PQntuples(result); row++)
        for (int i = 0; i < verify->table_count; i++) {
            verify_table *table = &verify->tables[i];
            if (strcmp(table->schema, PQgetvalue(result, row, 0)) != 0 ||
                strcmp(table->name, PQgetvalue(result, row, 1)) != 0)
                continue;
            if (!PQgetisnull(result, row, 2) &&
                !(table->filter = pgc_arena_strdup(verify->arena, PQgetvalue(result, row, 2))))
                status = pgc_error_out_of_memory(err);
            if (!PQgetisnull(result, row, 3))
                keep_columns(table, PQgetvalue(result, row, 3));
        }
    PQclear(result);
    return status;
}

/* ------------------------------------------------------------------ conditions */

static verify_table *named(pgc_verify *verify, const char *name, size_t length)
{
    for (int i = 0; i < verify->table_count; i++) {
        verify_table *table = &verify->tables[i];
        size_t schema = strlen(table->schema);
        if (length == schema + 1 + strlen(table->name) && strncmp(name, table->schema, schema) == 0 &&
            name[schema] == '.' && strncmp(name + schema + 1, table->name, strlen(table->name)) == 0)
            return table;
    }
    return NULL;
}

int verify_tables_conditions(pgc_verify *verify, pgconvoy_error *err)
{
    for (int i = 0; i < verify->options->where.count; i++) {
        const char *text = verify->options->where.items[i], *sign = strchr(text, '=');
        verify_table *table = sign ? named(verify, text, (size_t)(sign - text)) : NULL;
        if (!table) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "--where \"%s\" names no table that is compared", text);
            pgconvoy_error_hint(err, "write it as SCHEMA.TABLE=CONDITION");
            return -1;
        }
        table->where = sign + 1;
    }
    return 0;
}

int verify_tables_read(pgc_verify *verify, pgconvoy_error *err)
{
    PGresult *source = source_columns(verify, err), *target = source ? target_columns(verify, source, err) : NULL;
    int status = target ? add_tables(verify, source, target, err) : -1;
    PQclear(source);
    PQclear(target);
    return status || apply_publications(verify, err) || verify_tables_conditions(verify, err) ? -1 : 0;
}
