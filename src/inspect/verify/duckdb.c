/* Rows of a DuckDB target. */
#include "inspect/verify/verify_internal.h"

int verify_duckdb(pgc_verify *verify, pgconvoy_error *err)
{
    (void)verify;
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "not yet");
    return -1;
}
