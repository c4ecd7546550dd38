/* A staging sink's beginning and end: what it has of its own, and the names that are made of it; and rows of a query,
 * as its service's `select` gathers them. */
#include "sink/staged_internal.h"

#include "base/log.h"
#include "base/hash.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

static int make_names(pgc_staged_sink *sink, pgconvoy_error *err)
{
    const pgconvoy_sink_config *config = sink->config;
    uint64_t hash = PGC_HASH_START, number;
    const char *const parts[] = {config->pipeline_name, "/", config->source_id ? config->source_id : ""};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        hash = pgc_hash_text(hash, parts[i]);
    if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_RESOURCE, "there is no randomness to be had: %s", strerror(errno));
        return -1;
    }
    snprintf(sink->prefix, sizeof sink->prefix, "pgconvoy_%08" PRIx32, (uint32_t)(hash ^ hash >> 32));
    snprintf(sink->process, sizeof sink->process, "%012" PRIx64, number >> 16);
    return 0;
}

int pgc_staged_begin(pgc_staged_sink *sink, const pgc_staged_service *service, const pgconvoy_sink_config *config,
                     pgconvoy_error *err)
{
    sink->service = service;
    sink->config = config;
    pthread_mutex_init(&sink->lock, NULL);
    sink->checkpoint_arena = pgc_arena_new(16384);
    return sink->checkpoint_arena ? make_names(sink, err) : pgc_error_out_of_memory(err);
}

void pgc_staged_end(pgc_staged_sink *sink)
{
    for (size_t i = 0; i < sink->seen_count; i++) {
        free(sink->seen[i].name);
        free(sink->seen[i].table);
    }
    free(sink->seen);
    pgc_arena_free(sink->checkpoint_arena);
    pthread_mutex_destroy(&sink->lock);
}

uint64_t pgc_staged_next_number(pgc_staged_sink *sink)
{
    return __atomic_add_fetch(&sink->counter, 1, __ATOMIC_RELAXED);
}

void pgc_staged_drop_staging(pgc_staged_sink *sink, const char *table)
{
    char doing[80];
    pgconvoy_error ignored = {0};
    snprintf(doing, sizeof doing, "removing %s", sink->service->staging);
    if (sink->service->drop_table(sink, table, doing, &ignored) != 0)
        pgc_log_debug(sink->config->log, "%s: %s", sink->service->scheme, ignored.message);
}

/* ---- rows of a query */

const char **pgc_staged_rows_add(pgc_staged_rows *rows, pgconvoy_error *err)
{
    size_t columns = (size_t)rows->columns;
    if (rows->count == rows->capacity) {
        size_t wanted = rows->capacity ? rows->capacity * 2 : 64;
        const char **grown = pgc_arena_zalloc(rows->arena, wanted * columns * sizeof *grown);
        if (!grown) {
            pgc_error_out_of_memory(err);
            return NULL;
        }
        if (rows->count > 0)
            memcpy(grown, rows->values, rows->count * columns * sizeof *grown);
        rows->values = grown;
        rows->capacity = wanted;
    }
    return rows->values + rows->count++ * columns;
}
