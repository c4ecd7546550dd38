/* In place of duckdb.c where DuckDB's header is missing. */
#include "inspect/verify/verify_internal.h"

int verify_duckdb(pgc_verify *verify, pgconvoy_error *err)
{
    (void)verify;
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "this build has no DuckDB");
    pgconvoy_error_hint(err, "build it where duckdb.h can be found");
    return -1;
}
