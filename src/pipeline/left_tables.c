/*
 * A table that has left the pipeline (taken out of the publication, or dropped) misses changes from then on. So the
 * checkpoint must not call it copied any more: it is marked as waiting, and is copied anew should it come back. One
 * that was taken out keeps a position there, which is how it is told from one that was dropped; patterns do not bring
 * it back by themselves.
 */
#include "pipeline/run.h"

#include <stdlib.h>
#include <string.h>

static bool is_among(const pgc_table_states *states, const pgconvoy_table_status *status)
{
    for (size_t i = 0; i < states->count; i++) {
        const pgconvoy_table *table = atomic_load(&states->items[i].table);
        if (strcmp(table->name, status->name) == 0 && strcmp(table->schema, status->schema) == 0)
            return true;
    }
    return false;
}

/* The oid that a table of that name had in this process; 0 not known. */
static uint32_t known_oid(const pgc_known_tables *known, const pgconvoy_table_status *status)
{
    for (size_t i = 0; i < known->count; i++)
        if (strcmp(known->items[i].name, status->name) == 0 && strcmp(known->items[i].schema, status->schema) == 0)
            return known->items[i].oid;
    return 0;
}

static int keep(pgc_left_tables *left, const pgconvoy_table_status *status, const pgc_known_tables *known,
                pgconvoy_error *err)
{
    uint32_t *oids = realloc(left->oids, (left->count + 1) * sizeof *oids);
    if (!oids)
        return pgc_error_out_of_memory(err);
    left->oids = oids;
    oids[left->count] = known_oid(known, status);
    pgconvoy_table_status *items = realloc(left->items, (left->count + 1) * sizeof *items);
    if (!items)
        return pgc_error_out_of_memory(err);
    left->items = items;
    items[left->count] = *status;
    items[left->count].schema = strdup(status->schema);
    items[left->count].name = strdup(status->name);
    left->count++;
    return items[left->count - 1].schema && items[left->count - 1].name ? 0 : pgc_error_out_of_memory(err);
}

void pgc_left_tables_free(pgc_left_tables *left)
{
    for (size_t i = 0; i < left->count; i++) {
        free((char *)left->items[i].schema);
        free((char *)left->items[i].name);
    }
    free(left->items);
    free(left->oids);
    memset(left, 0, sizeof *left);
}

int pgc_left_tables_find(pgc_run *run, const pgc_known_tables *known, const pgconvoy_checkpoint *checkpoint,
                         pgconvoy_error *err)
{
    for (size_t i = 0; i < checkpoint->table_count; i++)
        if (!is_among(&run->states, &checkpoint->tables[i]) &&
            keep(&run->left, &checkpoint->tables[i], known, err) != 0)
            return -1;
    return 0;
}

/* Gives the news among left, as they are to be stored. */
static int collect(pgc_run *run, pgconvoy_table_status *news, size_t *count, pgconvoy_error *err)
{
    *count = 0;
    for (size_t i = 0; i < run->left.count; i++) {
        pgconvoy_table_status *status = &run->left.items[i];
        if (status->state == PGCONVOY_TABLE_WAITING)
            continue;
        bool exists;
        if (run->source_ops->relation_exists(run->source, status->schema, status->name, run->left.oids[i], &exists,
                                             err) != 0)
            return -1;
        status->state = PGCONVOY_TABLE_WAITING;
        status->copy_lsn = exists ? (run->lsn ? run->lsn : 1) : 0;
        pgc_log_info(run->log,
                     exists ? "table %s.%s has left the pipeline; should it come back it is copied anew"
                            : "table %s.%s is gone from the source and has left the pipeline; the target's stays",
                     status->schema, status->name);
        news[(*count)++] = *status;
    }
    for (size_t i = 0; i < run->states.count; i++)
        if (run->states.items[i].made_anew)
            news[(*count)++] = pgc_table_state_status(&run->states.items[i]);
    return 0;
}

int pgc_left_tables_mark(pgc_run *run, pgconvoy_error *err)
{
    pgconvoy_table_status *news = calloc(run->left.count + run->states.count + 1, sizeof *news);
    size_t count;
    if (!news)
        return pgc_error_out_of_memory(err);
    int result = collect(run, news, &count, err);
    void *writer = NULL;
    if (result == 0 && count > 0 && (result = run->sink_ops->open_writer(run->sink, &writer, err)) == 0) {
        result = run->sink_ops->begin(writer, NULL, err);
        if (result == 0 && (result = run->sink_ops->commit(writer, 0, news, count, err)) != 0)
            run->sink_ops->abort(writer);
        run->sink_ops->close_writer(writer);
    }
    free(news);
    return result;
}
