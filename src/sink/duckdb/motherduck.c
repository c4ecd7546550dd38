/*
 * MotherDuck: DuckDB's databases in the cloud, opened as md:DATABASE by an extension of DuckDB that it fetches itself, for its own version, the first time. The
 * token comes from the environment, never from the command line.
 */
#include "sink/duckdb/duckdb_internal.h"

#include <stdlib.h>

int pgc_duckdb_motherduck_begin(pgconvoy_error *err)
{
    const char *token = getenv("motherduck_token"), *upper = getenv("MOTHERDUCK_TOKEN");
    if ((!token || !*token) && upper && *upper) {
        setenv("motherduck_token", upper, 1); /* where the extension looks */
        token = upper;
    }
    if (token && *token)
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "there is no token for MotherDuck");
    pgconvoy_error_hint(err, "set MOTHERDUCK_TOKEN to an access token of MotherDuck's (settings, access tokens)");
    return -1;
}

int pgc_duckdb_motherduck_refuse(const char *database, const char *message, const char *version, pgconvoy_error *err)
{
    const char *text = message ? message : "";
    int length = (int)strcspn(text, "\n"); /* what follows is advice for other ways of installing */
    if (length > 600)
        length = 600;
    if (strstr(text, "xtension") || strstr(text, "ailed to download") || strstr(text, "md:")) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "MotherDuck's extension of DuckDB cannot be had, so that %s cannot be opened: %.*s", database, length,
                           text);
        pgconvoy_error_hint(err, "let this machine reach extensions.duckdb.org, or run INSTALL motherduck with DuckDB %s on one that does, and copy its folder "
                                 "~/.duckdb/extensions here", version);
        return -1;
    }
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "database %s of MotherDuck cannot be opened: %.*s", database, length, text);
    pgconvoy_error_hint(err, "look whether the token is good and may write, and whether the database is there: CREATE DATABASE makes one");
    return -1;
}
