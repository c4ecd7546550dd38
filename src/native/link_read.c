/* What there is at both ends, and what is refused because of it, before anything is made. */
#include "native/link_internal.h"
#include "native/types.h"

#include "postgres/quote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int count_of(const PGresult *result)
{
    return result ? PQntuples(result) : 0;
}

/* ------------------------------------------------------------------ the source */

#define KEY_SQL                                                                                                        \
    "(SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY x.place) FROM "                    \
    "pg_catalog.pg_index i, "                                                                                          \
    "pg_catalog.unnest(i.indkey::pg_catalog.int2[]) WITH ORDINALITY x (num, place) JOIN pg_catalog.pg_attribute a ON " \
    "a.attnum = x.num "                                                                                                \
    "WHERE i.indrelid = c.oid AND a.attrelid = c.oid AND i.indisprimary)"

static int read_tables(link_state *link, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 16 << 20);
    pgc_buffer_text(
        &sql, "SELECT n.nspname, c.relname, " KEY_SQL
              " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
              "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition AND c.relpersistence <> 't' AND ");
    int failed = pgc_choice_condition(&link->options->choice, &sql, err);
    pgc_buffer_text(&sql, " ORDER BY 1, 2");
    if (!failed)
        failed = pgc_buffer_check(&sql, err) || pgc_execute(link->source, "RESET search_path", err);
    if (!failed)
        failed = !(link->tables = pgc_query(link->source, sql.data, err));
    pgc_buffer_free(&sql);
    return failed || pgc_execute(link->source, "SET search_path = pg_catalog", err) ? -1 : 0;
}

/* All tables come into one schema. */
static int refuse_clashes(const link_state *link, pgconvoy_error *err)
{
    PGresult *tables = link->tables;
    for (int i = 0; i < count_of(tables); i++)
        for (int j = i + 1; j < count_of(tables); j++)
            if (strcmp(PQgetvalue(tables, i, 1), PQgetvalue(tables, j, 1)) == 0) {
                pgconvoy_error_set(
                    err, PGCONVOY_ERROR_CONFIG,
                    "table \"%s\" is in the schemas \"%s\" and \"%s\" of the source, and all come into schema \"%s\"",
                    PQgetvalue(tables, i, 1), PQgetvalue(tables, i, 0), PQgetvalue(tables, j, 0), link->into);
                pgconvoy_error_hint(err, "link one schema at a time, with -n SCHEMA and --into another");
                return -1;
            }
    return 0;
}

/* The source need not be there for a link to be dropped: then the connection string knows the database's name. */
static int choose_into(link_state *link, pgconvoy_error *err)
{
    const char *given = link->options->into ? link->options->into : link->source ? PQdb(link->source) : NULL;
    PQconninfoOption *words = given ? NULL : PQconninfoParse(link->options->source, NULL);
    for (const PQconninfoOption *word = words; word && word->keyword && !given; word++)
        if (strcmp(word->keyword, "dbname") == 0 && word->val && word->val[0])
            given = word->val;
    bool known = given != NULL, fits = known && strlen(given) <= 54;
    snprintf(link->into, sizeof link->into, "%s", known ? given : "");
    snprintf(link->server, sizeof link->server, "pgconvoy_%.54s", link->into);
    PQconninfoFree(words);
    if (!known) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "the connection string of the source does not name a database");
        pgconvoy_error_hint(err, "name the schema that was linked into with --into");
        return -1;
    }
    if (!fits) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "the name \"%s\" is too long for a server pgconvoy_…",
                           link->into);
        pgconvoy_error_hint(err, "give a name of at most 54 bytes with --into");
        return -1;
    }
    return 0;
}

int link_read_source(link_state *link, pgconvoy_error *err)
{
    if (choose_into(link, err))
        return -1;
    if (link->options->drop)
        return 0;
    if (read_tables(link, err))
        return -1;
    if (count_of(link->tables) == 0) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "there is no table to link in database \"%s\"",
                           PQdb(link->source));
        pgconvoy_error_hint(err, "check the database, and the patterns of -t, -T, -n and -N");
        return -1;
    }
    link->is_there = calloc((size_t)count_of(link->tables), sizeof *link->is_there);
    return link->is_there ? refuse_clashes(link, err) : pgc_error_out_of_memory(err);
}

/* ------------------------------------------------------------------ the target */

/* {"a","b"}: an array of names as text, which json_agg's answer is turned into by the server. */
static PGresult *ask(PGconn *conn, const char *sql, const char *a, const char *b, pgconvoy_error *err)
{
    const char *values[] = {a, b};
    return pgc_query_params(conn, sql, b ? 2 : 1, values, err);
}

static int read_server(link_state *link, pgconvoy_error *err)
{
    PGresult *result = ask(link->target,
                           "SELECT EXISTS (SELECT FROM pg_foreign_server WHERE srvname = $1), EXISTS (SELECT FROM "
                           "pg_namespace WHERE nspname = $2), rolsuper, "
                           "(SELECT obj_description(oid, 'pg_foreign_server') FROM pg_foreign_server WHERE srvname = "
                           "$1) FROM pg_roles WHERE rolname = current_user",
                           link->server, link->into, err);
    if (!result)
        return -1;
    link->has_server = PQgetvalue(result, 0, 0)[0] == 't';
    link->has_schema = PQgetvalue(result, 0, 1)[0] == 't';
    link->superuser = PQgetvalue(result, 0, 2)[0] == 't';
    bool ours = strcmp(PQgetvalue(result, 0, 3), LINK_MARK) == 0;
    PQclear(result);
    if (!link->has_server || ours)
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "the target has a server \"%s\" that pgconvoy did not make",
                       link->server);
    pgconvoy_error_hint(err, "give another name with --into");
    return -1;
}

/* Marks what is linked already; anything else of the same name is refused. */
static int read_present(link_state *link, pgconvoy_error *err)
{
    PGresult *result = ask(link->target,
                           "SELECT c.relname, s.srvname = $2 FROM pg_class c JOIN pg_namespace n ON n.oid = "
                           "c.relnamespace LEFT JOIN pg_foreign_table t ON t.ftrelid = c.oid "
                           "LEFT JOIN pg_foreign_server s ON s.oid = t.ftserver WHERE n.nspname = $1",
                           link->into, link->server, err);
    if (!result)
        return -1;
    int failed = 0;
    for (int i = 0; i < count_of(link->tables) && !failed; i++)
        for (int j = 0; j < PQntuples(result) && !failed; j++) {
            if (strcmp(PQgetvalue(link->tables, i, 1), PQgetvalue(result, j, 0)) != 0)
                continue;
            link->is_there[i] = PQgetvalue(result, j, 1)[0] == 't';
            if (link->is_there[i])
                continue;
            pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "%s.%s is in the target already", link->into,
                               PQgetvalue(result, j, 0));
            pgconvoy_error_hint(err, "link into another schema with --into, or leave the table out with -T");
            failed = -1;
        }
    PQclear(result);
    return failed;
}

/* Extensions of one version at both ends: their functions may be run at the source. */
static int read_extensions(link_state *link, pgconvoy_error *err)
{
    PGresult *here = pgc_query(link->source,
                               "SELECT coalesce(json_agg(json_build_array(extname, extversion))::text, '[]') FROM "
                               "pg_extension WHERE extname NOT IN ('plpgsql', 'postgres_fdw')",
                               err);
    if (!here)
        return -1;
    PGresult *both = ask(link->target,
                         "SELECT coalesce(string_agg(extname, ',' ORDER BY extname), '') FROM pg_extension WHERE "
                         "(extname, extversion) IN (SELECT x ->> 0, x ->> 1 FROM json_array_elements($1::json) x)",
                         PQgetvalue(here, 0, 0), NULL, err);
    PQclear(here);
    if (!both)
        return -1;
    link->extensions = strdup(PQgetvalue(both, 0, 0));
    PQclear(both);
    return link->extensions ? 0 : pgc_error_out_of_memory(err);
}

int link_read_target(link_state *link, pgconvoy_error *err)
{
    if (read_server(link, err))
        return -1;
    return link->options->drop ||
                   !(read_present(link, err) || native_refuse_types(link->source, link->target, link->tables, err) ||
                     read_extensions(link, err))
               ? 0
               : -1;
}
