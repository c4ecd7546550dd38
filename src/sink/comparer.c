/* Which targets `verify` can compare besides PostgreSQL's. */
#include "sink/comparer.h"

#include <string.h>

static const pgc_comparer *const comparers[] = {&pgc_comparer_duckdb, &pgc_comparer_clickhouse, &pgc_comparer_bigquery,
                                                &pgc_comparer_snowflake};
#define COMPARER_COUNT (sizeof comparers / sizeof *comparers)

const pgc_comparer *pgc_comparer_for_target(const char *target, pgconvoy_error *err)
{
    pgc_buffer list;
    pgc_buffer_init(&list, 4096);
    for (size_t i = 0; i < COMPARER_COUNT; i++) {
        for (const char *const *scheme = comparers[i]->schemes; *scheme; scheme++)
            if (strncmp(target, *scheme, strlen(*scheme)) == 0) {
                pgc_buffer_free(&list);
                return comparers[i];
            }
        pgc_buffer_format(&list, ", %s", comparers[i]->target_help);
    }
    pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "verify does not compare with such a target");
    pgconvoy_error_hint(err, "give a PostgreSQL connection string%s", list.data ? list.data : "");
    pgc_buffer_free(&list);
    return NULL;
}

int pgc_comparer_refuse_history(pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE,
                       "a target of mode=history holds changes, which verify does not compare");
    return -1;
}

int pgc_comparer_end_open(pgc_comparer_end *end, const pgconvoy_sink *ops, const pgc_comparer_config *config,
                          const char *target, pgconvoy_error *err)
{
    end->config = (pgconvoy_sink_config){.target = target,
                                         .pipeline_name = config->name,
                                         .source_id = "",
                                         .state_dir = config->folder,
                                         .memory_bytes = config->memory_bytes,
                                         .writers = 1,
                                         .log = config->log};
    return ops->open(&end->config, &end->sink, err);
}

void pgc_comparer_end_close(pgc_comparer_end *end, const pgconvoy_sink *ops)
{
    if (end->sink)
        ops->close(end->sink);
    end->sink = NULL;
}
