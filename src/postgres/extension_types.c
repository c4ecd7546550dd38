/* pgvector's, so far: dimensions and numbers, for a sparse vector their places too. */
#include "postgres/extension_types.h"
#include "postgres/quote.h"

#include <stdio.h>
#include <string.h>

static const char *const types[][2] = {{"vector", "vector"}, {"vector", "halfvec"}, {"vector", "sparsevec"}};

bool pgc_extension_type_is_listed(const char *extension, const char *type)
{
    for (size_t i = 0; extension && i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i][0], extension) == 0 && strcmp(types[i][1], type) == 0)
            return true;
    return false;
}

void pgc_extension_types_sql(pgc_buffer *sql)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        pgc_buffer_text(sql, i ? ", (" : "((");
        pgc_quote_literal(sql, types[i][0]);
        pgc_buffer_text(sql, ", ");
        pgc_quote_literal(sql, types[i][1]);
        pgc_buffer_byte(sql, ')');
    }
    pgc_buffer_byte(sql, ')');
}

int pgc_extension_version(PGconn *conn, const char *extension, char version[PGC_EXTENSION_VERSION_SIZE],
                          pgconvoy_error *err)
{
    const char *values[] = {extension};
    PGresult *result = pgc_query_params(
        conn,
        "SELECT coalesce((SELECT extversion FROM pg_catalog.pg_extension WHERE extname = $1), (SELECT default_version "
        "FROM pg_catalog.pg_available_extensions WHERE name = $1), '')",
        1, values, err);
    if (!result)
        return -1;
    snprintf(version, PGC_EXTENSION_VERSION_SIZE, "%s", PQgetvalue(result, 0, 0));
    PQclear(result);
    return 0;
}
