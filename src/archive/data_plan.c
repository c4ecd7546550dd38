/*
 * The jobs of a parallel dump. pg_class.relpages is of no use for a table that was loaded and never analyzed, so the sizes come from the files. A table that is larger than a fair share is cut in ranges of
 * blocks; from version 14 on a server reads such a range without looking at the rest of the table.
 */
#include "archive/data_plan.h"
#include "postgres/connection.h"

#include <stdlib.h>

#define TID_RANGE_SCAN_VERSION 140000
#define LEAST_PART_BYTES       ((int64_t)32 << 20)
#define PARTS_FOR_A_SESSION    4 /* so that sessions end at about the same time */
#define MOST_PARTS             1000

/* What the server says of a relation. */
typedef struct size_row {
    uint32_t oid;
    int64_t bytes, blocks; /* with TOAST; of the table alone */
    bool is_heap;
} size_row;

typedef struct sizes {
    size_row *rows;
    int count;
} sizes;

static const char size_query[] =
    "SELECT c.oid, pg_catalog.pg_table_size(c.oid), pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::pg_catalog.int8, "
    "coalesce(a.amname OPERATOR(pg_catalog.=) 'heap', false) "
    "FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_am a ON a.oid OPERATOR(pg_catalog.=) c.relam "
    "WHERE c.relkind IN ('r', 'm', 't') AND c.oid OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.oid[]) ORDER BY c.oid";

static const pgc_relation *table_of(const pgc_entry *entry)
{
    return entry->object && entry->object->kind == PGC_KIND_TABLE_DATA ? ((const pgc_table_data *)entry->object)->relation : NULL;
}

static int add(pgc_data_plan *plan, pgc_data_job job, pgconvoy_error *err)
{
    if (plan->count == plan->capacity) {
        int capacity = plan->capacity ? 2 * plan->capacity : 64;
        pgc_data_job *jobs = realloc(plan->jobs, sizeof *jobs * (size_t)capacity);
        if (!jobs)
            return pgc_error_out_of_memory(err);
        plan->jobs = jobs;
        plan->capacity = capacity;
    }
    plan->jobs[plan->count++] = job;
    return 0;
}

static int add_entries(pgc_data_plan *plan, pgc_entries *entries, bool (*wanted)(void *arg, const pgc_entry *entry), void *arg, pgconvoy_error *err)
{
    for (int i = 0; i < entries->count; i++) {
        pgc_entry *entry = entries->items[i];
        pgc_data_job job = {.entry = entry, .bytes = entry->data_size, .part_count = 1, .blocks = PGC_ALL_BLOCKS, .place = i};
        if (entry->has_data && wanted(arg, entry) && add(plan, job, err))
            return -1;
    }
    return 0;
}

static int take_sizes(sizes *sizes, const PGresult *result, pgconvoy_error *err)
{
    sizes->count = PQntuples(result);
    sizes->rows = calloc((size_t)sizes->count + 1, sizeof *sizes->rows);
    if (!sizes->rows)
        return pgc_error_out_of_memory(err);
    for (int i = 0; i < sizes->count; i++)
        sizes->rows[i] = (size_row){
            .oid = (uint32_t)strtoul(PQgetvalue(result, i, 0), NULL, 10),
            .bytes = strtoll(PQgetvalue(result, i, 1), NULL, 10),
            .blocks = strtoll(PQgetvalue(result, i, 2), NULL, 10),
            .is_heap = PQgetvalue(result, i, 3)[0] == 't',
        };
    return 0;
}

static int read_sizes(sizes *sizes, const pgc_data_plan *plan, PGconn *conn, pgconvoy_error *err)
{
    pgc_buffer oids;
    pgc_buffer_init(&oids, (size_t)plan->count * 12 + 16);
    for (int i = 0; i < plan->count; i++)
        if (table_of(plan->jobs[i].entry))
            pgc_buffer_format(&oids, "%s%u", oids.length ? "," : "{", table_of(plan->jobs[i].entry)->object.oid);
    pgc_buffer_text(&oids, oids.length ? "}" : "{}");
    int result = pgc_buffer_check(&oids, err);
    if (result == 0) {
        const char *values[] = {oids.data};
        PGresult *rows = pgc_query_params(conn, size_query, 1, values, err);
        result = rows ? take_sizes(sizes, rows, err) : -1;
        PQclear(rows);
    }
    pgc_buffer_free(&oids);
    return result;
}

static int compare_oids(const void *a, const void *b)
{
    uint32_t x = ((const size_row *)a)->oid, y = ((const size_row *)b)->oid;
    return (x > y) - (x < y);
}

static const size_row *find_size(const sizes *sizes, const pgc_entry *entry)
{
    const pgc_relation *table = table_of(entry);
    size_row key = {.oid = table ? table->object.oid : 0};
    return table ? bsearch(&key, sizes->rows, (size_t)sizes->count, sizeof key, compare_oids) : NULL;
}

/* In how many parts a table is read. A condition may make the server read the table in another order, and commands of several rows would begin anew in each part. */
static int part_count(const pgc_catalog *catalog, const pgc_entry *entry, const size_row *size, int64_t part_bytes)
{
    const pgc_table_data *data = (const pgc_table_data *)entry->object;
    bool can_cut = size && size->is_heap && !data->filter && catalog->options->rows_per_insert <= 1;
    if (!can_cut || size->bytes < 2 * part_bytes)
        return 1;
    int64_t parts = (size->bytes + part_bytes - 1) / part_bytes;
    if (parts > size->blocks)
        parts = size->blocks;
    return parts < 1 ? 1 : parts > MOST_PARTS ? MOST_PARTS : (int)parts;
}

/* Puts a table's parts in place of the job at index; the first range begins, and the last ends, where the table does. */
static int cut(pgc_data_plan *plan, int index, const size_row *size, int parts, pgconvoy_error *err)
{
    for (int part = 0; part < parts; part++) {
        pgc_data_job job = plan->jobs[index];
        job.bytes = size->bytes / parts;
        job.part = part;
        job.part_count = parts;
        job.blocks.first = part == 0 ? -1 : size->blocks * part / parts;
        job.blocks.end = part == parts - 1 ? -1 : size->blocks * (part + 1) / parts;
        if (part == 0)
            plan->jobs[index] = job;
        else if (add(plan, job, err))
            return -1;
    }
    return 0;
}

static int size_and_cut(pgc_data_plan *plan, pgc_catalog *catalog, const sizes *sizes, int sessions, bool can_join, pgconvoy_error *err)
{
    int64_t total = 0; /* of the tables: nobody knows how large the large objects are, so they come first */
    int whole = plan->count;
    for (int i = 0; i < whole; i++) {
        const size_row *size = find_size(sizes, plan->jobs[i].entry);
        if (size)
            plan->jobs[i].bytes = size->bytes;
        total += size ? size->bytes : 0;
    }
    if (!can_join || catalog->version < TID_RANGE_SCAN_VERSION)
        return 0;
    int64_t part_bytes = total / ((int64_t)sessions * PARTS_FOR_A_SESSION);
    if (part_bytes < LEAST_PART_BYTES)
        part_bytes = LEAST_PART_BYTES;
    for (int i = 0; i < whole; i++) {
        const size_row *size = find_size(sizes, plan->jobs[i].entry);
        int parts = size ? part_count(catalog, plan->jobs[i].entry, size, part_bytes) : 1;
        if (parts > 1 && cut(plan, i, size, parts, err))
            return -1;
    }
    return 0;
}

/* Larger ones first; the parts of a table in order, so that they are joined as they come. */
static int compare_jobs(const void *a, const void *b)
{
    const pgc_data_job *x = a, *y = b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    if (x->place != y->place)
        return x->place < y->place ? -1 : 1;
    return (x->part > y->part) - (x->part < y->part);
}

int pgc_data_plan_make(pgc_data_plan *plan, pgc_catalog *catalog, pgc_entries *entries, bool (*wanted)(void *arg, const pgc_entry *entry), void *arg, int sessions, bool can_join,
                       pgconvoy_error *err)
{
    if (add_entries(plan, entries, wanted, arg, err))
        return -1;
    if (sessions <= 1 || plan->count == 0)
        return 0;
    sizes sizes = {0};
    int result = read_sizes(&sizes, plan, pgc_catalog_connection(catalog), err);
    if (result == 0)
        result = size_and_cut(plan, catalog, &sizes, sessions, can_join, err);
    if (result == 0)
        qsort(plan->jobs, (size_t)plan->count, sizeof *plan->jobs, compare_jobs);
    free(sizes.rows);
    return result;
}

void pgc_data_plan_free(pgc_data_plan *plan)
{
    free(plan->jobs);
    *plan = (pgc_data_plan){0};
}
