/*
 * The trigger writes every column. Which of them are sent is told by the version before: generated ones only where it
 * has one, and with a column list no new ones.
 */
#include "source/postgres/ddl_table.h"
#include "source/postgres/tables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const pgconvoy_column *by_number(const pgconvoy_table *table, int number)
{
    for (int i = 0; i < table->column_count; i++)
        if (table->columns[i].number == number)
            return &table->columns[i];
    return NULL;
}

static int highest_number(const pgconvoy_table *table)
{
    int highest = 0;
    for (int i = 0; i < table->column_count; i++)
        if (table->columns[i].number > highest)
            highest = table->columns[i].number;
    return highest;
}

static int number_of(const pgc_json *column)
{
    return (int)pgc_json_number(column, "number", 0);
}

/* Lists came with 15. */
static int has_column_list(pgc_stream_tables *tables, uint32_t oid, bool *listed, pgconvoy_error *err)
{
    *listed = false;
    if (tables->source->server_version < 150000)
        return 0;
    PGconn *conn = pgc_stream_tables_catalog(tables, err);
    char relation[16];
    snprintf(relation, sizeof relation, "%u", oid);
    const char *values[] = {tables->source->publication_name, relation};
    PGresult *result =
        conn ? pgc_query_params(
                   conn,
                   "SELECT EXISTS (SELECT FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_publication p "
                   "ON p.oid = r.prpubid WHERE p.pubname = $1 AND r.prrelid = $2::pg_catalog.oid AND "
                   "r.prattrs IS NOT NULL)",
                   2, values, err)
             : NULL;
    if (!result)
        return -1;
    *listed = pgc_result_bool(result, 0, 0);
    PQclear(result);
    return 0;
}

/* A version made of a Relation message may not know the numbers of all its columns. */
static const pgconvoy_column *known_before(const pgconvoy_table *before, const pgc_json *column)
{
    const char *name = pgc_json_get_text(column, "name");
    const pgconvoy_column *found = by_number(before, number_of(column));
    for (int i = 0; i < before->column_count && !found && name; i++)
        if (before->columns[i].number == 0 && strcmp(before->columns[i].name, name) == 0)
            found = &before->columns[i];
    return found;
}

bool pgc_ddl_table_has_unknown(const pgc_json *json, const pgc_source_table *before, bool known)
{
    const pgc_json *columns = pgc_json_get(json, "columns");
    int highest = known ? highest_number(&before->table) : 0;
    for (const pgc_json *column = columns ? columns->first : NULL; column; column = column->next)
        if (number_of(column) > highest && !pgc_json_get_text(column, "missing") &&
            !pgc_json_truth(column, "generated") &&
            (pgc_json_get_text(column, "default") || pgc_json_truth(column, "counted")))
            return true;
    return false;
}

static int load_types(pgc_stream_tables *tables, const pgc_json *columns, pgconvoy_error *err)
{
    uint32_t *oids = malloc(((size_t)columns->count + 1) * sizeof *oids);
    if (!oids)
        return pgc_error_out_of_memory(err);
    size_t count = 0;
    for (const pgc_json *column = columns->first; column; column = column->next)
        oids[count++] = (uint32_t)pgc_json_number(column, "type", 0);
    int failed = pgc_stream_tables_load_types(tables, oids, count, err);
    free(oids);
    return failed;
}

static const char *keep(pgc_arena *arena, const char *text, bool *failed)
{
    const char *copy = text ? pgc_arena_strdup(arena, text) : NULL;
    *failed |= text && !copy;
    return copy;
}

static int read_columns(pgc_stream_tables *tables, const pgc_json *json, const pgconvoy_table *before,
                        pgconvoy_table *table, pgconvoy_error *err)
{
    pgc_postgres_source *source = tables->source;
    pgconvoy_column *columns = pgc_arena_zalloc(source->arena, ((size_t)json->count + 1) * sizeof *columns);
    bool failed = !columns, listed;
    if (has_column_list(tables, before->oid, &listed, err) != 0)
        return -1;
    int count = 0;
    for (const pgc_json *item = json->first; item && !failed; item = item->next) {
        const pgconvoy_column *was = known_before(before, item);
        bool generated = pgc_json_truth(item, "generated");
        if (!was && (generated || listed))
            continue;
        pgconvoy_column *column = &columns[count++];
        column->number = number_of(item);
        column->name = keep(source->arena, pgc_json_get_text(item, "name"), &failed);
        column->type = pgc_types_find(source->types, (uint32_t)pgc_json_number(item, "type", 0));
        column->typmod = (int32_t)pgc_json_number(item, "typmod", -1);
        column->type_sql = keep(source->arena, pgc_json_get_text(item, "sql"), &failed);
        if (column->type && column->type->lost)
            column->type_sql = column->type->name;
        column->not_null = pgc_json_truth(item, "not_null");
        column->generated = generated;
        column->missing = keep(source->arena, pgc_json_get_text(item, "missing"), &failed);
        if (!column->name || !column->type_sql || !column->type)
            failed = true;
    }
    table->columns = columns;
    table->column_count = count;
    return failed ? pgc_error_out_of_memory(err) : 0;
}

#define KEY_COLUMNS_MAX 32

/* The columns of an index as places in the table; one that is not sent is -1. */
static int read_key(const pgc_json *numbers, const pgconvoy_table *table, int *key)
{
    int count = 0;
    for (const pgc_json *number = numbers ? numbers->first : NULL; number && count < KEY_COLUMNS_MAX;
         number = number->next) {
        int at = table->column_count - 1;
        while (at >= 0 && table->columns[at].number != atoi(number->text ? number->text : "0"))
            at--;
        key[count++] = at;
    }
    return count;
}

static int set_keys(pgc_arena *arena, const pgc_json *json, pgconvoy_table *table, pgconvoy_error *err)
{
    int primary[KEY_COLUMNS_MAX], replica[KEY_COLUMNS_MAX];
    int primary_count = read_key(pgc_json_get(json, "primary"), table, primary);
    int replica_count = read_key(pgc_json_get(json, "replica"), table, replica);
    bool sent = true;
    for (int i = 0; i < primary_count; i++)
        sent &= primary[i] >= 0;
    for (int i = 0; i < primary_count && sent; i++)
        ((pgconvoy_column *)table->columns)[primary[i]].primary_key = i + 1;
    switch (table->replica_identity) {
    case 'i':
        return pgc_table_set_key(arena, table, replica, replica_count, err);
    case 'd':
        return pgc_table_set_key(arena, table, primary, pgc_json_truth(json, "immediate") ? primary_count : 0, err);
    case 'f':
        return pgc_table_set_key(arena, table, primary, primary_count, err);
    default:
        return pgc_table_set_key(arena, table, NULL, 0, err);
    }
}

static bool same_column(const pgconvoy_column *a, const pgconvoy_column *b)
{
    return a->number == b->number && a->type == b->type && a->typmod == b->typmod && a->not_null == b->not_null &&
           a->primary_key == b->primary_key && a->in_key == b->in_key && strcmp(a->name, b->name) == 0;
}

static bool same_table(const pgconvoy_table *a, const pgconvoy_table *b)
{
    if (a->column_count != b->column_count || a->key_count != b->key_count ||
        a->replica_identity != b->replica_identity || strcmp(a->schema, b->schema) != 0 ||
        strcmp(a->name, b->name) != 0)
        return false;
    for (int i = 0; i < a->column_count; i++)
        if (!same_column(&a->columns[i], &b->columns[i]))
            return false;
    return true;
}

static int build(pgc_stream_tables *tables, const pgc_json *json, const pgc_source_table *before,
                 pgc_source_table **built, pgconvoy_error *err)
{
    pgc_arena *arena = tables->source->arena;
    const pgc_json *columns = pgc_json_get(json, "columns");
    const char *identity = pgc_json_get_text(json, "identity");
    pgc_source_table *made = pgc_arena_alloc(arena, sizeof *made);
    if (!made)
        return pgc_error_out_of_memory(err);
    static const pgc_json none = {.type = PGC_JSON_ARRAY};
    if (!columns || columns->type != PGC_JSON_ARRAY)
        columns = &none;
    bool failed = false;
    *made = *before;
    made->attnums = NULL;
    made->numbered_by_names = false;
    for (const pgc_json *column = columns->first; column; column = column->next)
        if (number_of(column) > made->natts)
            made->natts = number_of(column);
    made->table.version = before->table.version + 1;
    made->table.schema = keep(arena, pgc_json_get_text(json, "schema"), &failed);
    made->table.name = keep(arena, pgc_json_get_text(json, "name"), &failed);
    made->table.replica_identity = identity ? identity[0] : 'd';
    if (failed || !made->table.schema || !made->table.name)
        return pgc_error_out_of_memory(err);
    if (load_types(tables, columns, err) != 0 ||
        read_columns(tables, columns, &before->table, &made->table, err) != 0 ||
        set_keys(arena, json, &made->table, err) != 0)
        return -1;
    /* what the catalog said when the stream began may be later than what the sink has: the first definition is told in
     * any case */
    bool told = pgc_oid_map_get(&tables->source->streamed, before->table.oid) != NULL;
    *built = told && same_table(&before->table, &made->table) ? NULL : made;
    return 0;
}

int pgc_ddl_table_build(pgc_stream_tables *tables, const pgc_json *json, const pgc_source_table *before,
                        pgc_source_table **built, pgconvoy_error *err)
{
    pthread_mutex_lock(&tables->source->catalog_lock);
    int failed = build(tables, json, before, built, err);
    pthread_mutex_unlock(&tables->source->catalog_lock);
    if (failed)
        pgc_error_prefix(err, "table %s.%s", before->table.schema, before->table.name);
    return failed;
}
