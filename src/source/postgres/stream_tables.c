/*
 * A Relation message says what rows look like from here on in the stream; the catalog says what the table is by now,
 * which may be later. So names, types and modifiers are the message's, and what a message does not tell (NOT NULL, the
 * primary key, a type's text) is taken from the catalog for those columns that still have their type. Which those are is
 * found by numbers.h.
 */
#include "source/postgres/stream_tables.h"
#include "source/postgres/stream_internal.h"
#include "base/clock.h"
#include "source/postgres/numbers.h"
#include "source/postgres/tables.h"
#include "postgres/working_tables.h"

#include <stdio.h>
#include <stdlib.h>

#define VISIBLE_MS 2000

void pgc_stream_tables_free(pgc_stream_tables *tables)
{
    PQfinish(tables->conn);
    pgc_oid_map_free(&tables->seen);
    tables->conn = NULL;
}

static pgc_source_table *current(const pgc_postgres_source *source, uint32_t oid)
{
    pgc_source_table *table = pgc_oid_map_get(&source->streamed, oid);
    return table ? table : pgc_source_find_table(source, oid);
}

const pgconvoy_table *pgc_stream_tables_current(const pgc_postgres_source *source, const pgconvoy_table *loaded)
{
    const pgc_source_table *table = pgc_oid_map_get(&source->streamed, loaded->oid);
    return table ? &table->table : loaded;
}

static bool same_column(const pgconvoy_column *column, const pgc_relation_column *sent)
{
    return column->type->oid == sent->type_oid && column->typmod == sent->typmod &&
           strcmp(column->name, sent->name) == 0;
}

/* With FULL the message marks every column, and the key is the catalog's affair. */
static bool same_table(const pgc_stream_tables *tables, const pgconvoy_table *table, const pgc_stream_relation *relation)
{
    if (table->column_count != relation->column_count || table->replica_identity != relation->replica_identity ||
        (!tables->names_by_catalog && (strcmp(table->schema, relation->schema) != 0 || strcmp(table->name, relation->name) != 0)))
        return false;
    bool keyed = relation->replica_identity == 'd' || relation->replica_identity == 'i';
    for (int i = 0; i < table->column_count; i++)
        if (!same_column(&table->columns[i], &relation->columns[i]) ||
            (keyed && table->columns[i].in_key != relation->columns[i].in_key))
            return false;
    return true;
}

/* The column of that number, where it has the type that was sent. */
static const pgconvoy_column *find_column(const pgc_source_table *table, const pgc_relation_column *sent, int number)
{
    const pgconvoy_column *column = table ? pgc_column_of_number(&table->table, number) : NULL;
    return column && column->type->oid == sent->type_oid && column->typmod == sent->typmod ? column : NULL;
}

static const pgconvoy_column *find_by_name(const pgc_source_table *table, const pgc_relation_column *sent)
{
    for (int i = 0; table && i < table->table.column_count; i++)
        if (same_column(&table->table.columns[i], sent))
            return &table->table.columns[i];
    return NULL;
}

PGconn *pgc_stream_tables_catalog(pgc_stream_tables *tables, pgconvoy_error *err)
{
    if (tables->conn && PQconsumeInput(tables->conn) && PQstatus(tables->conn) == CONNECTION_OK)
        return tables->conn;
    PQfinish(tables->conn);
    tables->conn = pgc_source_connect(tables->source, PGC_CONNECTION_SQL, "relations", err);
    return tables->conn;
}

int pgc_stream_tables_load_types(pgc_stream_tables *tables, const uint32_t *oids, size_t count, pgconvoy_error *err)
{
    pgc_postgres_source *source = tables->source;
    PGconn *conn = pgc_stream_tables_catalog(tables, err);
    bool lost;
    if (!conn || pgc_types_load_sent(source->types, conn, oids, count, &lost, err) != 0)
        return -1;
    if (!lost || !source->stream || !source->stream->wishes.binary) /* no stream: a command that is tried */
        return 0;
    if (source->stream->replay) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_SOURCE, "a type of its columns was dropped at the source since, and the spool has its values in binary form");
        pgconvoy_error_hint(err, "pgconvoy drop, and begin anew");
        return -1;
    }
    pgconvoy_error_set(err, PGCONVOY_ERROR_SOURCE, "a type of its columns was dropped at the source since, so that only the text of its values can be read");
    pgc_error_sqlstate(err, PGC_ERROR_LOST_TYPE);
    return -1;
}

/* A column that neither the catalog nor the version before knows as it was sent. */
static int column_from_message(pgc_stream_tables *tables, const pgc_relation_column *sent, pgconvoy_column *column,
                               pgconvoy_error *err)
{
    pgc_postgres_source *source = tables->source;
    PGconn *conn = pgc_stream_tables_catalog(tables, err);
    if (!conn || pgc_stream_tables_load_types(tables, &sent->type_oid, 1, err) != 0)
        return -1;
    char oid[16], typmod[16];
    snprintf(oid, sizeof oid, "%u", sent->type_oid);
    snprintf(typmod, sizeof typmod, "%d", sent->typmod);
    const char *values[] = {oid, typmod};
    PGresult *result = pgc_query_params(conn, "SELECT pg_catalog.format_type($1::pg_catalog.oid, $2::pg_catalog.int4)",
                                        2, values, err);
    if (!result)
        return -1;
    memset(column, 0, sizeof *column);
    column->name = pgc_arena_strdup(source->arena, sent->name);
    column->type = pgc_types_find(source->types, sent->type_oid);
    column->typmod = sent->typmod;
    column->type_sql = column->type->lost ? column->type->name : pgc_arena_strdup(source->arena, PQgetvalue(result, 0, 0));
    PQclear(result);
    return column->name && column->type_sql ? 0 : pgc_error_out_of_memory(err);
}

static int fill_column(pgc_stream_tables *tables, const pgc_relation_column *sent, int number, const pgconvoy_column *known,
                       pgconvoy_column *column, pgconvoy_error *err)
{
    if (!known && column_from_message(tables, sent, column, err) != 0)
        return -1;
    if (known) {
        *column = *known;
        if (strcmp(known->name, sent->name) != 0 && !(column->name = pgc_arena_strdup(tables->source->arena, sent->name)))
            return pgc_error_out_of_memory(err);
    }
    column->number = number;
    column->primary_key = 0;
    return 0;
}

/* Whether the catalog has the message's columns, in their order. A commit may have come between two queries of the description. */
static bool is_in_catalog(const pgc_source_table *now, const pgc_stream_relation *relation)
{
    int at = 0, highest = 0;
    for (int i = 0; now && i < now->table.column_count; i++) {
        highest = now->table.columns[i].number;
        at += at < relation->column_count && same_column(&now->table.columns[i], &relation->columns[at]);
    }
    return now && at == relation->column_count && highest <= now->natts;
}

/* A lock that goes only when all see what its transaction did. */
static const char altered_sql[] =
    "SELECT FROM pg_catalog.pg_locks WHERE relation = ANY ($1::pg_catalog.oid[]) AND locktype = 'relation' AND granted AND mode = 'AccessExclusiveLock' "
    "AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())";

/*
 * The table as the catalog has it. A commit is in the stream a moment before others see it (with a synchronous standby, which we may be, much
 * longer): a catalog that lacks what the message tells is looked at again then. *now NULL: it is gone, or not there yet.
 */
static int describe(pgc_stream_tables *tables, const pgc_stream_relation *relation, pgc_source_table **now, bool *settled, pgconvoy_error *err)
{
    PGconn *conn = pgc_stream_tables_catalog(tables, err);
    size_t found = 0;
    if (!conn || pgc_tables_describe(tables->source, conn, &relation->oid, 1, now, &found, err) != 0)
        return -1;
    *now = found ? *now : NULL;
    *settled = true;
    if (is_in_catalog(*now, relation))
        return 0;
    for (int64_t until = pgc_clock_monotonic_us() + VISIBLE_MS * INT64_C(1000); ; pgc_clock_sleep_ms(1)) {
        PGresult *result = pgc_query_oids(conn, altered_sql, &relation->oid, 1, err);
        bool altering = PQntuples(result) > 0;
        PQclear(result);
        if (!result)
            return -1;
        *settled = !altering;
        if (!altering || pgc_clock_monotonic_us() > until)
            break;
    }
    found = 0;
    int failed = pgc_tables_describe(tables->source, conn, &relation->oid, 1, now, &found, err);
    *now = found ? *now : NULL;
    return failed;
}

static int highest_of(const pgc_source_table *now, const pgc_source_table *before)
{
    int highest = before->natts;
    for (int i = 0; now && i < now->table.column_count; i++)
        highest = now->table.columns[i].number > highest ? now->table.columns[i].number : highest;
    return now && now->natts > highest ? now->natts : highest;
}

/* settled false: the catalog may be older than the message, and tells no numbers. */
static int fill_columns(pgc_stream_tables *tables, const pgc_stream_relation *relation, const pgc_source_table *before,
                        const pgc_source_table *now, bool settled, pgconvoy_column *columns, pgconvoy_error *err)
{
    pgc_numbering numbering = {.now = now ? &now->table : NULL, .before = &before->table, .told = before->table.version > 1,
                               .natts = settled ? highest_of(now, before) : 0};
    int *numbers = malloc(((size_t)relation->column_count + 1) * sizeof *numbers);
    int failed = numbers ? pgc_columns_number(relation, &numbering, numbers, err) : pgc_error_out_of_memory(err);
    for (int i = 0; i < relation->column_count && !failed; i++) {
        const pgc_relation_column *sent = &relation->columns[i];
        const pgconvoy_column *known = settled ? find_column(now, sent, numbers[i]) : find_by_name(now, sent);
        if (!known)
            known = settled ? find_column(before, sent, numbers[i]) : find_by_name(before, sent);
        failed = fill_column(tables, sent, numbers[i], known, &columns[i], err);
        /* what rows from before have is told in the type that it has by now */
        const pgconvoy_column *altered = known || !now ? NULL : pgc_column_of_number(&now->table, numbers[i]);
        columns[i].computed |= altered && (altered->computed || altered->missing);
    }
    free(numbers);
    return failed;
}

/* Where a column of the catalog is in the table of a message. */
static int index_of(const pgconvoy_table *table, const pgconvoy_column *column)
{
    for (int i = 0; i < table->column_count; i++)
        if (table->columns[i].number == column->number ||
            (table->columns[i].number == 0 && strcmp(table->columns[i].name, column->name) == 0))
            return i;
    return -1;
}

/* The primary key as the catalog has it, if all of its columns are among those that were sent. Gives its columns in its
 * order. */
static int primary_key(pgconvoy_table *table, const pgc_source_table *now, int *key)
{
    int count = 0;
    for (int i = 0; now && i < now->table.column_count; i++)
        count += now->table.columns[i].primary_key > 0;
    for (int i = 0; now && i < now->table.column_count; i++) {
        int place = now->table.columns[i].primary_key;
        if (place <= 0)
            continue;
        key[place - 1] = index_of(table, &now->table.columns[i]);
        if (key[place - 1] < 0)
            return 0;
    }
    for (int i = 0; i < count; i++)
        ((pgconvoy_column *)table->columns)[key[i]].primary_key = i + 1;
    return count;
}

/* The columns the message marks, in the order of the catalog's key where that has the same ones. */
static int sent_key(const pgconvoy_table *table, const pgc_stream_relation *relation, const pgc_source_table *now, int *key)
{
    int count = 0, ordered = 0;
    for (int i = 0; i < relation->column_count; i++)
        if (relation->columns[i].in_key)
            key[count++] = i;
    if (!now || now->table.key_count != count)
        return count;
    for (int i = 0; i < count; i++) {
        int at = index_of(table, &now->table.columns[now->table.key[i]]);
        ordered += at >= 0 && relation->columns[at].in_key;
    }
    for (int i = 0; i < count && ordered == count; i++)
        key[i] = index_of(table, &now->table.columns[now->table.key[i]]);
    return count;
}

static int set_key(pgc_arena *arena, pgconvoy_table *table, const pgc_stream_relation *relation, const pgc_source_table *now,
                   pgconvoy_error *err)
{
    int *key = malloc((size_t)(table->column_count + 1) * sizeof *key);
    if (!key)
        return pgc_error_out_of_memory(err);
    int count = primary_key(table, now, key);
    if (relation->replica_identity == 'n')
        count = 0;
    else if (relation->replica_identity != 'f')
        count = sent_key(table, relation, now, key);
    int failed = pgc_table_set_key(arena, table, key, count, err);
    free(key);
    return failed;
}

static int build(pgc_stream_tables *tables, const pgc_stream_relation *relation, const pgc_source_table *before,
                 const pgc_source_table *now, bool settled, pgc_source_table **built, pgconvoy_error *err)
{
    pgc_arena *arena = tables->source->arena;
    pgc_source_table *table = pgc_arena_alloc(arena, sizeof *table);
    pgconvoy_column *columns = pgc_arena_zalloc(arena, (size_t)(relation->column_count + 1) * sizeof *columns);
    if (!table || !columns)
        return pgc_error_out_of_memory(err);
    *table = *before;
    table->table.version = before->table.version + 1;
    table->table.schema = pgc_arena_strdup(arena, tables->names_by_catalog ? before->table.schema : relation->schema);
    table->table.name = pgc_arena_strdup(arena, tables->names_by_catalog ? before->table.name : relation->name);
    table->table.replica_identity = relation->replica_identity;
    table->table.named_by_command = tables->commands_come;
    table->table.column_count = relation->column_count;
    table->table.columns = columns;
    table->attnums = NULL;
    table->natts = highest_of(now, before);
    table->numbered_by_names = true;
    if (!table->table.schema || !table->table.name)
        return pgc_error_out_of_memory(err);
    *built = table;
    return fill_columns(tables, relation, before, now, settled, columns, err) ||
                   set_key(arena, &table->table, relation, now, err)
               ? -1
               : 0;
}

/*
 * Where partitions are published as their root, the server sends the Relation of the partition too, though no change
 * will name it. 1: it is one of a table of ours.
 */
static int is_partition_of_ours(pgc_stream_tables *tables, uint32_t oid, pgconvoy_error *err)
{
    if (!tables->source->publication.via_root)
        return 0;
    PGconn *conn = pgc_stream_tables_catalog(tables, err);
    if (!conn)
        return -1;
    PGresult *result =
        pgc_query_oids(conn,
                       "SELECT a.relid::pg_catalog.oid FROM pg_catalog.unnest($1::pg_catalog.oid[]) r (oid), "
                       "LATERAL pg_catalog.pg_partition_ancestors(r.oid) a",
                       &oid, 1, err);
    if (!result)
        return -1;
    int ours = 0;
    for (int row = 0; row < PQntuples(result); row++)
        ours |= pgc_source_find_table(tables->source, pgc_result_oid(result, row, 0)) != NULL;
    PQclear(result);
    return ours;
}

static int not_ours(pgc_stream_tables *tables, const pgc_stream_relation *relation, pgconvoy_error *err)
{
    if (pgc_oid_map_get(&tables->seen, relation->oid) || strcmp(relation->schema, "pgconvoy") == 0 ||
        pgc_is_working_table(relation->schema, relation->name))
        return 0; /* known, or one of our own, or one that never joins */
    int partition = is_partition_of_ours(tables, relation->oid, err);
    if (partition < 0)
        return -1;
    if (!partition) {
        pgc_log_info(tables->source->config.log,
                     "publication %s has table %s.%s, which is not one of this pipeline: its changes are left out until it joins",
                     tables->source->publication_name, relation->schema, relation->name);
        atomic_store(&tables->source->saw_unknown, true);
    }
    return pgc_oid_map_put(&tables->seen, relation->oid, tables, err);
}

/* The sink may have the table as it was before what came while no stream ran. */
static int tell_as_it_is(pgc_stream_tables *tables, const pgc_source_table *before, const pgconvoy_table **table, pgconvoy_error *err)
{
    *table = &before->table;
    if (!tables->tell_first || before->table.version > 1)
        return 0;
    pthread_mutex_lock(&tables->source->catalog_lock);
    pgc_source_table *told = pgc_arena_alloc(tables->source->arena, sizeof *told);
    pthread_mutex_unlock(&tables->source->catalog_lock);
    if (!told)
        return pgc_error_out_of_memory(err);
    *told = *before;
    told->table.version = before->table.version + 1;
    *table = &told->table;
    return pgc_oid_map_put(&tables->source->streamed, before->table.oid, told, err);
}

int pgc_stream_tables_resolve(void *arg, const pgc_stream_relation *relation, const pgconvoy_table **table,
                              pgconvoy_error *err)
{
    pgc_stream_tables *tables = arg;
    pgc_postgres_source *source = tables->source;
    pgc_source_table *before = current(source, relation->oid), *now = NULL, *built = NULL;
    *table = NULL;
    if (!before)
        return not_ours(tables, relation, err);
    if (same_table(tables, &before->table, relation))
        return tell_as_it_is(tables, before, table, err);
    bool settled;
    if (describe(tables, relation, &now, &settled, err) != 0)
        return -1;
    pthread_mutex_lock(&source->catalog_lock);
    int failed = build(tables, relation, before, now, settled, &built, err);
    pthread_mutex_unlock(&source->catalog_lock);
    if (failed || pgc_oid_map_put(&source->streamed, relation->oid, built, err) != 0) {
        pgc_error_prefix(err, "table %s.%s", relation->schema, relation->name);
        return -1;
    }
    *table = &built->table;
    return 0;
}

int pgc_stream_tables_relabel(void *arg, const pgconvoy_table *table, const pgc_unknown_label *unknown,
                              const pgconvoy_table **relabelled, pgconvoy_error *err)
{
    pgc_stream_tables *tables = arg;
    pgc_postgres_source *source = tables->source;
    const pgc_source_table *before = current(source, table->oid);
    PGconn *conn = pgc_stream_tables_catalog(tables, err);
    if (!conn)
        return -1;
    pthread_mutex_lock(&source->catalog_lock);
    size_t count = (size_t)table->column_count;
    pgc_source_table *after = pgc_arena_alloc(source->arena, sizeof *after);
    pgconvoy_column *columns = pgc_arena_alloc(source->arena, (count + 1) * sizeof *columns);
    int failed = after && columns ? pgc_types_learn_label(source->types, conn, unknown->type->oid, unknown->text, unknown->length,
                                                          source->config.log, err)
                                  : pgc_error_out_of_memory(err);
    if (!failed) {
        memcpy(columns, table->columns, count * sizeof *columns);
        *after = *before;
        after->table = *table;
        after->table.version = before->table.version + 1;
        after->table.columns = columns;
    }
    for (size_t i = 0; i < count && !failed; i++) {
        columns[i].type = pgc_types_renew(source->types, columns[i].type, err);
        failed = columns[i].type ? 0 : -1;
    }
    pthread_mutex_unlock(&source->catalog_lock);
    if (failed || pgc_oid_map_put(&source->streamed, table->oid, after, err) != 0) {
        pgc_error_prefix(err, "table %s.%s", table->schema, table->name);
        return -1;
    }
    *relabelled = &after->table;
    return 0;
}
