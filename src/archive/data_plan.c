/* The jobs of a parallel dump. A table that is larger than a fair share is cut in ranges of blocks. */
#include "archive/data_plan.h"
#include "archive/data_sizes.h"

#include <stdlib.h>

#define LEAST_PART_BYTES       ((int64_t)32 << 20)
#define PARTS_FOR_A_SESSION    4 /* so that sessions end at about the same time */
#define MOST_PARTS             1000

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

/* In how many parts a table is read. */
static int part_count(const pgc_catalog *catalog, const pgc_entry *entry, const pgc_data_size *size, int64_t part_bytes)
{
    if (!pgc_data_can_cut(catalog, entry, size) || size->bytes < 2 * part_bytes)
        return 1;
    int64_t parts = (size->bytes + part_bytes - 1) / part_bytes;
    if (parts > size->blocks)
        parts = size->blocks;
    return parts < 1 ? 1 : parts > MOST_PARTS ? MOST_PARTS : (int)parts;
}

/* Puts a table's parts in place of the job at index. */
static int cut(pgc_data_plan *plan, int index, const pgc_data_size *size, int parts, pgconvoy_error *err)
{
    for (int part = 0; part < parts; part++) {
        pgc_data_job job = plan->jobs[index];
        job.bytes = size->bytes / parts;
        job.part = part;
        job.part_count = parts;
        job.blocks = pgc_data_part_blocks(size, part, parts);
        if (part == 0)
            plan->jobs[index] = job;
        else if (add(plan, job, err))
            return -1;
    }
    return 0;
}

static int size_and_cut(pgc_data_plan *plan, pgc_catalog *catalog, const pgc_data_sizes *sizes, int sessions, bool can_join, pgconvoy_error *err)
{
    int64_t total = 0; /* of the tables: nobody knows how large the large objects are, so they come first */
    int whole = plan->count;
    for (int i = 0; i < whole; i++) {
        const pgc_data_size *size = pgc_data_size_of(sizes, plan->jobs[i].entry);
        if (size)
            plan->jobs[i].bytes = size->bytes;
        total += size ? size->bytes : 0;
    }
    if (!can_join)
        return 0;
    int64_t part_bytes = total / ((int64_t)sessions * PARTS_FOR_A_SESSION);
    if (part_bytes < LEAST_PART_BYTES)
        part_bytes = LEAST_PART_BYTES;
    for (int i = 0; i < whole; i++) {
        const pgc_data_size *size = pgc_data_size_of(sizes, plan->jobs[i].entry);
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
    pgc_data_sizes sizes = {0};
    int result = pgc_data_sizes_read(&sizes, pgc_catalog_connection(catalog), entries, wanted, arg, err);
    if (result == 0)
        result = size_and_cut(plan, catalog, &sizes, sessions, can_join, err);
    if (result == 0)
        qsort(plan->jobs, (size_t)plan->count, sizeof *plan->jobs, compare_jobs);
    pgc_data_sizes_free(&sizes);
    return result;
}

void pgc_data_plan_free(pgc_data_plan *plan)
{
    free(plan->jobs);
    *plan = (pgc_data_plan){0};
}
