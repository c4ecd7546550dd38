/*
 * Patterns are matched by the server, a query a pattern, so that each that matches nothing can be named. Partitions are
 * then folded into the partitioned table that stands for them, or that table is unfolded into its leaves.
 */
#include "source/postgres/choose.h"
#include "base/grow.h"
#include "postgres/patterns.h"
#include "postgres/working_tables.h"

#include <stdlib.h>

/* An ordered set of oids. */
typedef struct oid_set {
    pgc_oid_list list;
    pgc_oid_map map;
} oid_set;

static bool set_has(const oid_set *set, uint32_t oid)
{
    return pgc_oid_map_get(&set->map, oid) != NULL;
}

static int list_add(pgc_oid_list *list, uint32_t oid, pgconvoy_error *err)
{
    if (pgc_grow(&list->oids, list->count, &list->capacity, sizeof *list->oids, err) != 0)
        return -1;
    list->oids[list->count++] = oid;
    return 0;
}

static int set_add(oid_set *set, uint32_t oid, pgconvoy_error *err)
{
    if (set_has(set, oid))
        return 0;
    if (pgc_oid_map_put(&set->map, oid, set, err) != 0)
        return -1;
    return list_add(&set->list, oid, err);
}

static void set_free(oid_set *set)
{
    free(set->list.oids);
    pgc_oid_map_free(&set->map);
}

static int add_result(oid_set *set, const PGresult *result, pgconvoy_error *err)
{
    for (int row = 0; row < PQntuples(result); row++)
        if (set_add(set, pgc_result_oid(result, row, 0), err) != 0)
            return -1;
    return 0;
}

#define OF_AN_EXTENSION_SQL                                                                                              \
    "EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass "           \
    "AND d.objid = c.oid AND d.objsubid = 0 AND d.deptype = 'e')"

/*
 * User tables that a condition matches. Tables of an extension belong to its scripts, and like those of another tool's
 * work are left to whoever names them. Temporary tables are their sessions' own; the schema pgconvoy is ours.
 */
static int match_tables(PGconn *conn, const char *condition, bool named, oid_set *set, int *matched,
                        pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 16 << 20);
    pgc_buffer_format(
        &sql,
        "SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't' "
        "AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pgconvoy', 'pg_toast') "
        "AND n.nspname !~ '^pg_(temp|toast_temp)_' AND %s AND (%s OR NOT (" PGC_WORKING_SCHEMA_SQL("n") " "
        "OR " OF_AN_EXTENSION_SQL ")) "
        "ORDER BY n.nspname, c.relname",
        condition, named ? "true" : "false");
    PGresult *result = pgc_buffer_check(&sql, err) == 0 ? pgc_query(conn, sql.data, err) : NULL;
    pgc_buffer_free(&sql);
    if (!result)
        return -1;
    *matched = PQntuples(result);
    int failed = add_result(set, result, err);
    PQclear(result);
    return failed;
}

static int no_match(const char *kind, const char *pattern, pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "no %s matches the pattern %s", kind, pattern);
    pgconvoy_error_hint(
        err, "a name with upper case letters or dots needs double quotes inside of the pattern; a table outside of the "
             "search_path needs its schema: SCHEMA.TABLE");
    return -1;
}

/* Adds what one pattern matches. must_match: to match nothing is an error. */
static int match_pattern(PGconn *conn, const char *pattern, bool is_table, bool must_match, oid_set *set,
                         pgconvoy_error *err)
{
    pgc_buffer condition;
    pgc_buffer_init(&condition, 4 << 20);
    int matched = 0;
    int failed = is_table ? pgc_pattern_table_condition(pattern, &condition, err)
                          : pgc_pattern_schema_condition(pattern, &condition, err);
    if (!failed)
        failed = match_tables(conn, condition.data, is_table, set, &matched, err);
    pgc_buffer_free(&condition);
    if (!failed && must_match && matched == 0)
        failed = no_match(is_table ? "table" : "table in a schema that", pattern, err);
    return failed;
}

static int match_patterns(PGconn *conn, const char *const *patterns, bool is_table, bool must_match, oid_set *set,
                          pgconvoy_error *err)
{
    for (; patterns && *patterns; patterns++)
        if (match_pattern(conn, *patterns, is_table, must_match, set, err) != 0)
            return -1;
    return 0;
}

static bool given(const char *const *patterns)
{
    return patterns && *patterns;
}

/* -n and -N have no say where -t chooses, as in pg_dump. */
static int match_all(const pgc_source_config *config, PGconn *conn, oid_set *in, oid_set *out, pgconvoy_error *err)
{
    int matched;
    if (given(config->include_tables)) {
        if (match_patterns(conn, config->include_tables, true, true, in, err) != 0)
            return -1;
    } else {
        if (given(config->include_schemas) ? match_patterns(conn, config->include_schemas, false, true, in, err) != 0
                                           : match_tables(conn, "true", false, in, &matched, err) != 0)
            return -1;
        if (match_patterns(conn, config->exclude_schemas, false, false, out, err) != 0)
            return -1;
    }
    return match_patterns(conn, config->exclude_tables, true, false, out, err);
}

/* A short list of names for one warning: the first few, and how many more. */
typedef struct name_list {
    pgc_buffer text;
    int count;
} name_list;

static void name_list_add(name_list *list, const char *name)
{
    if (list->count++ < 10)
        pgc_buffer_format(&list->text, "%s%s", list->count > 1 ? ", " : "", name);
}

static void name_list_warn(name_list *list, const pgc_postgres_source *source, const char *what)
{
    if (list->count > 10)
        pgc_buffer_format(&list->text, " and %d more", list->count - 10);
    if (list->count && !list->text.failed)
        pgc_log_warning(source->config.log, "%s: %s", what, list->text.data);
    pgc_buffer_free(&list->text);
}

static const char classify_sql[] =
    "SELECT c.oid, c.relkind, c.relpersistence, pg_catalog.format('%I.%I', n.nspname, c.relname) "
    "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.oid = ANY ($1::pg_catalog.oid[]) ORDER BY n.nspname, c.relname";

/* Leaves out what cannot be moved, with a warning. partitioned gets those of relkind p among what stays. */
static int keep_movable(pgc_postgres_source *source, PGconn *conn, bool quiet, const oid_set *from, oid_set *to,
                        oid_set *partitioned, pgconvoy_error *err)
{
    PGresult *result = pgc_query_oids(conn, classify_sql, from->list.oids, from->list.count, err);
    if (!result)
        return -1;
    name_list foreign = {0}, unlogged = {0};
    pgc_buffer_init(&foreign.text, 1 << 20);
    pgc_buffer_init(&unlogged.text, 1 << 20);
    int failed = 0;
    for (int row = 0; row < PQntuples(result) && !failed; row++) {
        char relkind = PQgetvalue(result, row, 1)[0];
        uint32_t oid = pgc_result_oid(result, row, 0);
        if (relkind == 'f')
            name_list_add(&foreign, PQgetvalue(result, row, 3));
        else if (PQgetvalue(result, row, 2)[0] == 'u' && source->config.streaming)
            name_list_add(&unlogged, PQgetvalue(result, row, 3));
        else if ((failed = set_add(to, oid, err)) == 0 && relkind == 'p')
            failed = set_add(partitioned, oid, err);
    }
    PQclear(result);
    if (quiet)
        foreign.count = unlogged.count = 0;
    name_list_warn(&foreign, source, "left out, being foreign tables");
    name_list_warn(&unlogged, source, "left out, being unlogged tables, whose changes are not in the WAL");
    return failed;
}

/* Pairs of a partitioned table and a relation below it, at whatever depth. */
static const char descendants_sql[] =
    "SELECT t.relid::pg_catalog.oid, t.isleaf, c.relkind, pg_catalog.format('%I.%I', n.nspname, c.relname), "
    "r.oid::pg_catalog.regclass "
    "FROM pg_catalog.unnest($1::pg_catalog.oid[]) r (oid), LATERAL pg_catalog.pg_partition_tree(r.oid) t "
    "JOIN pg_catalog.pg_class c ON c.oid = t.relid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
    "WHERE t.relid <> r.oid ORDER BY 4";

static int excluded_partition(const char *partition, const char *root, pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG,
                       "the partition %s cannot be left out while its partitioned table %s is moved as one table",
                       partition, root);
    pgconvoy_error_hint(err, "leave out the whole partitioned table, or move the partitions as tables of their own");
    return -1;
}

/*
 * via_root: partitions go where the chosen table above them goes. Otherwise partitioned tables give way to their
 * leaves.
 */
static int fold_partitions(PGconn *conn, bool via_root, const oid_set *movable, const oid_set *partitioned,
                           const oid_set *out, pgc_oid_list *chosen, pgconvoy_error *err)
{
    oid_set below = {0}, leaves = {0};
    int failed = 0;
    if (partitioned->list.count) {
        PGresult *result = pgc_query_oids(conn, descendants_sql, partitioned->list.oids, partitioned->list.count, err);
        failed = result ? 0 : -1;
        for (int row = 0; row < PQntuples(result) && !failed; row++) {
            uint32_t oid = pgc_result_oid(result, row, 0);
            bool excluded = set_has(out, oid);
            failed = set_add(&below, oid, err);
            if (!failed && via_root && excluded)
                failed = excluded_partition(PQgetvalue(result, row, 3), PQgetvalue(result, row, 4), err);
            else if (!failed && !excluded && PQgetvalue(result, row, 2)[0] == 'r')
                failed = set_add(&leaves, oid, err);
        }
        PQclear(result);
    }
    for (size_t i = 0; i < movable->list.count && !failed; i++) {
        uint32_t oid = movable->list.oids[i];
        bool drop = via_root ? set_has(&below, oid) : set_has(partitioned, oid) || set_has(&leaves, oid);
        if (!drop)
            failed = list_add(chosen, oid, err);
    }
    for (size_t i = 0; i < leaves.list.count && !failed && !via_root; i++)
        failed = list_add(chosen, leaves.list.oids[i], err);
    set_free(&below);
    set_free(&leaves);
    return failed;
}

static int choose_by_patterns(pgc_postgres_source *source, PGconn *conn, bool via_root, bool quiet,
                              pgc_oid_list *chosen, pgconvoy_error *err)
{
    oid_set in = {0}, out = {0}, wanted = {0}, movable = {0}, partitioned = {0};
    /* names without a schema mean what they mean to the user's own sessions */
    int failed = pgc_execute(conn, "RESET search_path", err);
    if (!failed) {
        failed = match_all(&source->config, conn, &in, &out, err);
        pgconvoy_error unused = {0};
        if (pgc_execute(conn, "SET search_path = pg_catalog", failed ? &unused : err) != 0)
            failed = -1;
    }
    for (size_t i = 0; i < in.list.count && !failed; i++)
        if (!set_has(&out, in.list.oids[i]))
            failed = set_add(&wanted, in.list.oids[i], err);
    if (!failed)
        failed = keep_movable(source, conn, quiet, &wanted, &movable, &partitioned, err);
    if (!failed)
        failed = fold_partitions(conn, via_root, &movable, &partitioned, &out, chosen, err);
    oid_set *all[] = {&in, &out, &wanted, &movable, &partitioned};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        set_free(all[i]);
    return failed;
}

/*
 * Tables of an extension that a publication has since it is of all tables, or of a schema, are left to whoever names them, here too.
 * Before 15 the server may list a partition beside the table that stands for it: hence the folding.
 */
static int choose_by_publication(pgc_postgres_source *source, PGconn *conn, bool quiet, pgc_oid_list *chosen,
                                 pgconvoy_error *err)
{
    const char *values[] = {source->publication_name};
    PGresult *result =
        pgc_query_params(conn,
                         "SELECT c.oid FROM pg_catalog.pg_publication_tables p JOIN pg_catalog.pg_namespace n ON "
                         "n.nspname = p.schemaname "
                         "JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = p.tablename "
                         "WHERE p.pubname = $1 AND n.nspname <> 'pgconvoy' AND NOT " PGC_WORKING_SCHEMA_SQL("n") " "
                         "AND (NOT " OF_AN_EXTENSION_SQL " OR EXISTS (SELECT FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_publication o ON o.oid = r.prpubid "
                         "WHERE o.pubname = $1 AND r.prrelid = c.oid)) ORDER BY n.nspname, c.relname",
                         1, values, err);
    if (!result)
        return -1;
    oid_set in = {0}, out = {0}, movable = {0}, partitioned = {0};
    int failed = add_result(&in, result, err);
    PQclear(result);
    if (!failed)
        failed = keep_movable(source, conn, quiet, &in, &movable, &partitioned, err);
    if (!failed)
        failed = fold_partitions(conn, source->publication.via_root, &movable, &partitioned, &out, chosen, err);
    oid_set *all[] = {&in, &out, &movable, &partitioned};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        set_free(all[i]);
    return failed;
}

/* From a publication that is somebody else's the patterns choose. */
static int apply_patterns(pgc_postgres_source *source, PGconn *conn, pgc_oid_list *chosen, pgconvoy_error *err)
{
    pgc_oid_list wanted = {0};
    oid_set set = {0};
    size_t kept = 0;
    int failed = choose_by_patterns(source, conn, source->publication.via_root, true, &wanted, err);
    for (size_t i = 0; i < wanted.count && !failed; i++)
        failed = set_add(&set, wanted.oids[i], err);
    for (size_t i = 0; i < chosen->count && !failed; i++)
        if (set_has(&set, chosen->oids[i]))
            chosen->oids[kept++] = chosen->oids[i];
    if (!failed)
        chosen->count = kept;
    free(wanted.oids);
    set_free(&set);
    return failed;
}

/* Ours is given what the patterns choose by now (follow.c), and loses nothing: tables that they no longer choose are said. */
static int warn_of_other_patterns(pgc_postgres_source *source, PGconn *conn, const pgc_oid_list *chosen,
                                  pgconvoy_error *err)
{
    pgc_oid_list wanted = {0};
    oid_set set = {0};
    int failed = choose_by_patterns(source, conn, source->publication.via_root, true, &wanted, err);
    for (size_t i = 0; i < chosen->count && !failed; i++)
        failed = set_add(&set, chosen->oids[i], err);
    size_t common = 0;
    for (size_t i = 0; i < wanted.count && !failed; i++)
        common += set_has(&set, wanted.oids[i]);
    if (!failed && common != chosen->count)
        pgc_log_warning(source->config.log,
                        "publication %s keeps its %zu tables; the patterns now choose %zu of them, the others leave by "
                        "ALTER PUBLICATION … DROP TABLE",
                        source->publication_name, chosen->count, common);
    free(wanted.oids);
    set_free(&set);
    if (failed &&
        err->code == PGCONVOY_ERROR_CONFIG) { /* a pattern that has nothing to match any more spoils nothing */
        pgc_log_warning(source->config.log, "publication %s stays as it was made: %s", source->publication_name,
                        err->message);
        pgc_error_clear(err);
        failed = 0;
    }
    return failed;
}

static bool has_patterns(const pgc_source_config *config)
{
    return given(config->include_tables) || given(config->exclude_tables) || given(config->include_schemas) ||
           given(config->exclude_schemas);
}

static int choose(pgc_postgres_source *source, PGconn *conn, pgc_oid_list *chosen, pgconvoy_error *err)
{
    if (!source->publication.exists) {
        source->publication.via_root = source->server_version >= 130000 && !source->config.partitions_as_leaves;
        return choose_by_patterns(source, conn, source->publication.via_root, false, chosen, err);
    }
    if (choose_by_publication(source, conn, false, chosen, err) != 0)
        return -1;
    if (source->publication.ours)
        return warn_of_other_patterns(source, conn, chosen, err);
    return has_patterns(&source->config) ? apply_patterns(source, conn, chosen, err) : 0;
}

int pgc_choose_tables(pgc_postgres_source *source, pgc_oid_list *chosen, pgconvoy_error *err)
{
    *chosen = (pgc_oid_list){0};
    PGconn *conn = pgc_source_conn(source, err);
    if (!conn || choose(source, conn, chosen, err) != 0)
        return -1;
    /* ours loses a table that is dropped, and gains one by follow.c: between the two it may have none */
    if (chosen->count == 0 && !source->publication.ours) {
        if (source->publication.exists)
            pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "publication %s has no table to move",
                               source->publication_name);
        else
            pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "there is no table to move in database \"%s\"", PQdb(conn));
        pgconvoy_error_hint(err, "check the database, and the patterns of -t, -T, -n and -N");
        return -1;
    }
    return 0;
}

int pgc_choose_by_patterns(pgc_postgres_source *source, PGconn *conn, pgc_oid_list *chosen, pgconvoy_error *err)
{
    *chosen = (pgc_oid_list){0};
    return choose_by_patterns(source, conn, source->publication.via_root, true, chosen, err);
}

int pgc_choose_published(pgc_postgres_source *source, PGconn *conn, pgc_oid_list *chosen, pgconvoy_error *err)
{
    *chosen = (pgc_oid_list){0};
    if (choose_by_publication(source, conn, true, chosen, err) != 0)
        return -1;
    return !source->publication.ours && has_patterns(&source->config) ? apply_patterns(source, conn, chosen, err) : 0;
}
