/* In place of compare.c where DuckDB's header is missing. */
#include "sink/comparer.h"

static int open_comparer(const pgc_comparer_config *config, void **state, pgconvoy_error *err)
{
    (void)config;
    (void)state;
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "this pgconvoy was built without DuckDB");
    pgconvoy_error_hint(err, "run scripts/install-duckdb and build again");
    return -1;
}

static const char *const schemes[] = {"duckdb:", NULL};

const pgc_comparer pgc_comparer_duckdb = {.schemes = schemes, .target_help = "duckdb:FILE", .open = open_comparer};
