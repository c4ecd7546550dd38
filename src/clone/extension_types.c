/*
 * Columns of types that extensions have: in binary where both ends have the extension in the same version, which is
 * said, as is the other case.
 */
#include "clone/clone_internal.h"

#include "postgres/connection.h"
#include "postgres/extension_types.h"

#include <stdlib.h>
#include <string.h>

/* Of the tables that are copied. One row for a type, extension by extension. */
static PGresult *find_types(const pgc_clone *clone, const char *tables, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 1 << 16);
    pgc_buffer_text(
        &sql,
        "SELECT x.extname, x.extversion, t.oid FROM pg_catalog.pg_extension x JOIN pg_catalog.pg_depend d ON "
        "d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.refobjid = x.oid AND d.deptype = 'e' "
        "AND d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass JOIN pg_catalog.pg_type t ON t.oid = d.objid "
        "WHERE (x.extname, t.typname) IN ");
    pgc_extension_types_sql(&sql);
    pgc_buffer_text(
        &sql, " AND EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = ANY ($1::pg_catalog.oid[]) AND "
              "a.attnum > 0 AND a.atttypid = t.oid) ORDER BY 1, 3");
    const char *values[] = {tables};
    PGresult *result = pgc_buffer_check(&sql, err)
                           ? NULL
                           : pgc_query_params(pgc_catalog_connection(clone->catalog), sql.data, 1, values, err);
    pgc_buffer_free(&sql);
    return result;
}

static int compare_versions(const pgc_clone *clone, const char *extension, const char *here, bool *same,
                            pgconvoy_error *err)
{
    char there[PGC_EXTENSION_VERSION_SIZE];
    if (pgc_extension_version(clone->target, extension, there, err))
        return -1;
    *same = strcmp(here, there) == 0;
    if (*same)
        pgc_log_info(clone->options->log, "values of extension %s go in binary: version %s at both ends", extension,
                     here);
    else
        pgc_log_info(clone->options->log,
                     "values of extension %s go as text: version %s at the source, %s at the target", extension, here,
                     there[0] ? there : "none");
    return 0;
}

int clone_extension_types(const pgc_clone *clone, const char *tables, pgc_buffer *agreed, pgconvoy_error *err)
{
    PGresult *result = find_types(clone, tables, err);
    int status = result ? 0 : -1;
    bool same = false;
    pgc_buffer_byte(agreed, '{');
    for (int i = 0; i < (result ? PQntuples(result) : 0) && !status; i++) {
        if (i == 0 || strcmp(PQgetvalue(result, i, 0), PQgetvalue(result, i - 1, 0)) != 0)
            status = compare_versions(clone, PQgetvalue(result, i, 0), PQgetvalue(result, i, 1), &same, err);
        if (!status && same)
            pgc_buffer_format(agreed, "%s%s", agreed->length > 1 ? "," : "", PQgetvalue(result, i, 2));
    }
    pgc_buffer_byte(agreed, '}');
    PQclear(result);
    return status ? -1 : pgc_buffer_check(agreed, err);
}
