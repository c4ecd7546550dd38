/* The patterns of -n, -t, -e and their likes as the oids that they match, in one query for each pattern. */
#include "catalog/patterns.h"

#include "base/grow.h"
#include "postgres/connection.h"
#include "postgres/patterns.h"

#include <stdlib.h>

/* How the patterns of one option are taken. */
typedef struct target {
    const char *from;    /* the query up to its WHERE */
    const char *subject; /* what the name part is matched with */
    const char *schema;  /* and the schema part, or NULL */
    int max_dots;        /* more are refused */
    const char *improper, *plural;
    bool visible;        /* without a schema: only what the user's search_path shows */
} target;

static const target schemas = {"SELECT n.oid FROM pg_catalog.pg_namespace n", "n.nspname", NULL, 1, "improper qualified name", "schemas", false};
static const target extensions = {"SELECT e.oid FROM pg_catalog.pg_extension e", "e.extname", NULL, 0, "improper qualified name", "extensions", false};
static const target servers = {"SELECT s.oid FROM pg_catalog.pg_foreign_server s", "s.srvname", NULL, 0, "improper qualified name", "foreign servers", false};
static const target tables = {"SELECT c.oid FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace",
                              "c.relname", "n.nspname", 2, "improper relation name", "tables", true};

static int refuse(const target *t, const pgc_catalog *catalog, const char *pattern, const pgc_pattern *parts, pgconvoy_error *err)
{
    if (parts->dots > t->max_dots) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "%s (too many dotted names): %s", t->improper, pattern);
        return -1;
    }
    if (t->max_dots > 0 && parts->dots == t->max_dots && strcmp(parts->first.length ? parts->first.data : "", PQdb(catalog->conn)) != 0) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "cross-database references are not implemented: %s", pattern);
        return -1;
    }
    return 0;
}

/* The query for a pattern whose parts are known. */
static void query(const target *t, const pgc_pattern *parts, bool children, pgc_buffer *sql)
{
    if (children)
        pgc_buffer_text(sql, "WITH RECURSIVE family(oid) AS (");
    pgc_buffer_format(sql, "%s WHERE ", t->from);
    if (t->visible)
        pgc_buffer_text(sql, "c.relkind OPERATOR(pg_catalog.=) ANY (array['r','S','v','m','f','p']::\"char\"[]) AND ");
    pgc_pattern_match(sql, t->subject, &parts->regex[parts->count - 1]);
    if (t->schema && parts->count >= 2) {
        pgc_buffer_text(sql, " AND ");
        pgc_pattern_match(sql, t->schema, &parts->regex[parts->count - 2]);
    } else if (t->visible) {
        pgc_buffer_text(sql, " AND pg_catalog.pg_table_is_visible(c.oid)");
    }
    if (children)
        pgc_buffer_text(sql, " UNION SELECT i.inhrelid FROM family f, pg_catalog.pg_inherits i WHERE i.inhparent OPERATOR(pg_catalog.=) f.oid) "
                             "SELECT oid FROM family");
}

static int add(pgc_oids *oids, uint32_t oid, pgconvoy_error *err)
{
    if (pgc_grow_int(&oids->items, oids->count, &oids->capacity, sizeof *oids->items, err) != 0)
        return -1;
    oids->items[oids->count++] = oid;
    return 0;
}

static PGresult *run(pgc_catalog *catalog, const target *t, const char *sql, pgconvoy_error *err)
{
    /* a name without a schema is what the user's own search_path finds */
    if (t->visible && pgc_execute(catalog->conn, "RESET search_path", err) != 0)
        return NULL;
    PGresult *rows = pgc_query(catalog->conn, sql, err);
    if (rows && t->visible && pgc_execute(catalog->conn, "SELECT pg_catalog.set_config('search_path', '', false)", err) != 0) {
        PQclear(rows);
        return NULL;
    }
    return rows;
}

static int expand_one(pgc_catalog *catalog, const target *t, const char *pattern, bool children, bool strict, pgc_oids *oids, pgconvoy_error *err)
{
    pgc_pattern parts;
    pgc_pattern_split(pattern, t->schema ? 3 : t->max_dots + 1, &parts);
    pgc_buffer sql;
    pgc_buffer_init(&sql, 1 << 22);
    int result = refuse(t, catalog, pattern, &parts, err);
    if (result == 0) {
        query(t, &parts, children, &sql);
        result = pgc_buffer_check(&sql, err);
    }
    PGresult *rows = result == 0 ? run(catalog, t, sql.data, err) : NULL;
    if (!rows)
        result = -1;
    if (result == 0 && strict && PQntuples(rows) == 0) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "no matching %s were found for pattern \"%s\"", t->plural, pattern);
        result = -1;
    }
    for (int i = 0; result == 0 && i < PQntuples(rows); i++)
        result = add(oids, (uint32_t)strtoul(PQgetvalue(rows, i, 0), NULL, 10), err);
    PQclear(rows);
    pgc_buffer_free(&sql);
    pgc_pattern_free(&parts);
    return result;
}

static int expand(pgc_catalog *catalog, const target *t, const pgc_names *names, bool children, bool strict, pgc_oids *oids, pgconvoy_error *err)
{
    for (int i = 0; i < names->count; i++)
        if (expand_one(catalog, t, names->items[i], children, strict, oids, err) != 0)
            return -1;
    return 0;
}

static int none_found(const target *t, const pgc_oids *oids, int names, pgconvoy_error *err)
{
    if (names == 0 || oids->count > 0)
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "no matching %s were found", t->plural);
    return -1;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void sort(pgc_oids *oids)
{
    if (oids->count)
        qsort(oids->items, (size_t)oids->count, sizeof *oids->items, by_number);
}

int pgc_catalog_expand_patterns(pgc_catalog *catalog, pgconvoy_error *err)
{
    const pgc_dump_options *o = catalog->options;
    bool strict = o->strict_names;
    if (expand(catalog, &schemas, &o->include_schemas, false, strict, &catalog->include_schemas, err) != 0 ||
        none_found(&schemas, &catalog->include_schemas, o->include_schemas.count, err) != 0 ||
        expand(catalog, &schemas, &o->exclude_schemas, false, false, &catalog->exclude_schemas, err) != 0 ||
        expand(catalog, &tables, &o->include_tables, false, strict, &catalog->include_tables, err) != 0 ||
        expand(catalog, &tables, &o->include_tables_and_children, true, strict, &catalog->include_tables, err) != 0 ||
        none_found(&tables, &catalog->include_tables, o->include_tables.count + o->include_tables_and_children.count, err) != 0 ||
        expand(catalog, &tables, &o->exclude_tables, false, false, &catalog->exclude_tables, err) != 0 ||
        expand(catalog, &tables, &o->exclude_tables_and_children, true, false, &catalog->exclude_tables, err) != 0 ||
        expand(catalog, &tables, &o->exclude_table_data, false, false, &catalog->exclude_data, err) != 0 ||
        expand(catalog, &tables, &o->exclude_table_data_and_children, true, false, &catalog->exclude_data, err) != 0 ||
        expand(catalog, &servers, &o->include_foreign_data, false, true, &catalog->include_servers, err) != 0 ||
        expand(catalog, &extensions, &o->include_extensions, false, strict, &catalog->include_extensions, err) != 0 ||
        none_found(&extensions, &catalog->include_extensions, o->include_extensions.count, err) != 0 ||
        expand(catalog, &extensions, &o->exclude_extensions, false, false, &catalog->exclude_extensions, err) != 0)
        return -1;
    pgc_oids *all[] = {&catalog->include_schemas, &catalog->exclude_schemas, &catalog->include_tables, &catalog->exclude_tables,
                       &catalog->exclude_data, &catalog->include_extensions, &catalog->exclude_extensions, &catalog->include_servers};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        sort(all[i]);
    return 0;
}
