#include "native/types.h"

#include "base/buffer.h"
#include "format/json_text.h"
#include "postgres/quote.h"

static PGresult *ask(PGconn *conn, const char *sql, const char *value, pgconvoy_error *err)
{
    const char *values[] = {value};
    return pgc_query_params(conn, sql, 1, values, err);
}

/* Types of the columns that are neither built in nor known to the target under their name. */
#define TYPES_SQL                                                                                                      \
    "SELECT coalesce(json_agg(DISTINCT jsonb_build_array(format('%I.%I', n.nspname, t.typname), (SELECT extname FROM " \
    "pg_extension e JOIN pg_depend d ON d.refobjid = e.oid "                                                           \
    "AND d.refclassid = 'pg_extension'::regclass WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND "       \
    "d.deptype = 'e'), "                                                                                               \
    "(SELECT format('CREATE SCHEMA IF NOT EXISTS %I; CREATE TYPE %I.%I AS ENUM (%s);', n.nspname, n.nspname, "         \
    "t.typname, string_agg(quote_literal(enumlabel), ', ' ORDER BY enumsortorder)) FROM pg_enum WHERE enumtypid = "    \
    "t.oid HAVING count(*) > 0)))::text, '[]') "                                                                       \
    "FROM json_array_elements($1::json) x JOIN pg_class c ON c.relname = x ->> 1 JOIN pg_namespace cn ON cn.oid = "    \
    "c.relnamespace AND cn.nspname = x ->> 0 "                                                                         \
    "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped JOIN pg_type at ON at.oid = "   \
    "a.atttypid "                                                                                                      \
    "JOIN pg_type t ON t.oid = CASE WHEN at.typelem <> 0 AND at.typlen = -1 THEN at.typelem ELSE at.oid END JOIN "     \
    "pg_namespace n ON n.oid = t.typnamespace WHERE n.nspname <> 'pg_catalog'"

int native_refuse_types(PGconn *source, PGconn *target, const PGresult *tables, pgconvoy_error *err)
{
    pgc_buffer names;
    pgc_buffer_init(&names, 64 << 20);
    for (int i = 0; i < PQntuples(tables); i++) {
        pgc_buffer_text(&names, i ? ",[" : "[[");
        pgc_json_string(&names, PQgetvalue(tables, i, 0));
        pgc_buffer_byte(&names, ',');
        pgc_json_string(&names, PQgetvalue(tables, i, 1));
        pgc_buffer_byte(&names, ']');
    }
    pgc_buffer_byte(&names, ']');
    PGresult *types = pgc_buffer_check(&names, err) ? NULL : ask(source, TYPES_SQL, names.data, err);
    pgc_buffer_free(&names);
    if (!types)
        return -1;
    PGresult *missing = ask(target,
                            "SELECT x ->> 0, x ->> 1, x ->> 2 FROM json_array_elements($1::json) x WHERE to_regtype(x "
                            "->> 0) IS NULL ORDER BY 1",
                            PQgetvalue(types, 0, 0), err);
    PQclear(types);
    if (!missing)
        return -1;
    int count = PQntuples(missing);
    if (count > 0) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG,
                           "the target does not have the type %s, which columns of the tables have%s",
                           PQgetvalue(missing, 0, 0), count > 1 ? " (nor others)" : "");
        char name[PGC_QUOTED_NAME_SIZE];
        if (!PQgetisnull(missing, 0, 1))
            pgconvoy_error_hint(err, "on the target: CREATE EXTENSION %s; in the schema where the source has it",
                                pgc_quoted_name(NULL, PQgetvalue(missing, 0, 1), name));
        else if (!PQgetisnull(missing, 0, 2))
            pgconvoy_error_hint(err, "on the target: %s", PQgetvalue(missing, 0, 2));
        else
            pgconvoy_error_hint(err, "make it there as the source has it, or leave its tables out with -T");
    }
    PQclear(missing);
    return count > 0 ? -1 : 0;
}
