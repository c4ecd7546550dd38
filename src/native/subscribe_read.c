/* The chosen tables, and what of it all is there already. */
#include "native/subscribe_internal.h"
#include "native/types.h"
#include "postgres/identity.h"
#include "postgres/quote.h"

#include <stdlib.h>
#include <string.h>

static int read_publication(subscribe_state *state, pgconvoy_error *err)
{
    const char *values[] = {state->publication};
    PGresult *result = pgc_query_params(
        state->source, "SELECT obj_description(oid, 'pg_publication') FROM pg_publication WHERE pubname = $1", 1,
        values, err);
    if (!result)
        return -1;
    state->has_publication = PQntuples(result) == 1;
    state->publication_is_ours = state->has_publication && strcmp(PQgetvalue(result, 0, 0), SUBSCRIBE_MARK) == 0;
    PQclear(result);
    return 0;
}

static int read_subscription(subscribe_state *state, pgconvoy_error *err)
{
    const char *values[] = {state->name};
    PGresult *result = pgc_query_params(state->target,
                                        "SELECT FROM pg_subscription s JOIN pg_database d ON d.oid = subdbid WHERE "
                                        "datname = current_database() AND subname = $1",
                                        1, values, err);
    if (!result)
        return -1;
    state->has_subscription = PQntuples(result) == 1;
    PQclear(result);
    return 0;
}

/* A partition comes with its partitioned table, which 13 and later publish as one. */
static int tables_sql(const subscribe_state *state, pgc_buffer *sql, pgconvoy_error *err)
{
    bool by_root = state->source_version >= 130000;
    pgc_buffer_format(
        sql,
        "SELECT n.nspname, c.relname, greatest(c.reltuples, 0)::int8, CASE WHEN c.relkind = 'p' THEN (SELECT "
        "sum(pg_table_size(relid)) FROM pg_partition_tree(c.oid))::int8 ELSE pg_table_size(c.oid) END, "
        "EXISTS (SELECT FROM pg_publication_tables p WHERE p.pubname = $1 AND (p.schemaname, p.tablename) = "
        "(n.nspname, c.relname)), "
        "NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND atttypid "
        ">= 16384), "
        "(SELECT max(CASE WHEN pg_stat_get_tuples_updated(r.oid) + pg_stat_get_tuples_deleted(r.oid) > 0 THEN 2 ELSE 1 END) FROM "
        "(SELECT c.oid UNION SELECT relid FROM pg_partition_tree(c.oid) WHERE isleaf) l (oid) JOIN pg_class r ON r.oid = l.oid AND r.relkind = 'r' "
        "WHERE NOT " PGC_IDENTITY_USABLE_SQL("r", "%s") ") "
        "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN (%s) AND c.relpersistence = "
        "'p' %s AND ",
        /* a subscription does not take the values of columns that it computes itself */
        state->source_version >= 180000 ? PGC_UNSENT_ALL : PGC_UNSENT_NONE,
        by_root ? "'r', 'p'" : "'r'", by_root ? "AND NOT c.relispartition" : "");
    if (pgc_choice_condition(&state->options->choice, sql, err))
        return -1;
    if (state->has_publication && !state->options->refresh)
        pgc_buffer_text(sql, " AND (n.nspname, c.relname) IN (SELECT schemaname, tablename FROM pg_publication_tables "
                             "WHERE pubname = $1)");
    pgc_buffer_text(sql, " ORDER BY 1, 2");
    return pgc_buffer_check(sql, err);
}

static int read_tables(subscribe_state *state, pgconvoy_error *err)
{
    const char *values[] = {state->publication};
    pgc_buffer sql;
    pgc_buffer_init(&sql, 16 << 20);
    int failed = tables_sql(state, &sql, err) || pgc_execute(state->source, "RESET search_path", err);
    if (!failed)
        failed = !(state->tables = pgc_query_params(state->source, sql.data, 1, values, err));
    pgc_buffer_free(&sql);
    if (failed || pgc_execute(state->source, "SET search_path = pg_catalog", err))
        return -1;
    if (PQntuples(state->tables) == 0) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "there is no table to replicate in database \"%s\"",
                           PQdb(state->source));
        pgconvoy_error_hint(err, "check the database, and the patterns of -t, -T, -n and -N");
        return -1;
    }
    state->all_built_in = true;
    for (int i = 0; i < PQntuples(state->tables); i++)
        state->all_built_in = state->all_built_in && PQgetvalue(state->tables, i, 5)[0] == 't';
    return 0;
}

static int read_present(subscribe_state *state, pgconvoy_error *err)
{
    int count = PQntuples(state->tables);
    state->is_there = calloc((size_t)count, sizeof *state->is_there);
    if (!state->is_there)
        return pgc_error_out_of_memory(err);
    PGresult *result =
        pgc_query(state->target,
                  "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE "
                  "n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')",
                  err);
    if (!result)
        return -1;
    for (int i = 0; i < count; i++)
        for (int j = 0; j < PQntuples(result) && !state->is_there[i]; j++)
            state->is_there[i] = strcmp(PQgetvalue(state->tables, i, 1), PQgetvalue(result, j, 1)) == 0 &&
                                 strcmp(PQgetvalue(state->tables, i, 0), PQgetvalue(result, j, 0)) == 0;
    PQclear(result);
    return 0;
}

static int refuse_present(const subscribe_state *state, pgconvoy_error *err)
{
    for (int i = 0; i < PQntuples(state->tables); i++)
        if (state->is_there[i] && state->options->if_exists == PGCONVOY_IF_EXISTS_ERROR && !state->has_subscription &&
            !state->options->from_pipeline) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "table %s.%s is in the target already",
                               PQgetvalue(state->tables, i, 0), PQgetvalue(state->tables, i, 1));
            pgconvoy_error_hint(err, "say what to do with it: --if-exists append, truncate or drop");
            return -1;
        }
    return 0;
}

static int refuse_wal_level(subscribe_state *state, pgconvoy_error *err)
{
    PGresult *result = pgc_query(state->source, "SELECT current_setting('wal_level')", err);
    if (!result)
        return -1;
    bool logical = strcmp(PQgetvalue(result, 0, 0), "logical") == 0;
    if (!logical) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "wal_level of the source is %s, not logical",
                           PQgetvalue(result, 0, 0));
        pgconvoy_error_hint(err, "ALTER SYSTEM SET wal_level = logical, and restart the server; pgconvoy check --for "
                                 "subscribe looks at all else");
    }
    PQclear(result);
    return logical ? 0 : -1;
}

/* Once a table without one is published, the source refuses updates and deletes of it to its application. */
static int refuse_identities(const subscribe_state *state, pgconvoy_error *err)
{
    if (state->has_publication && !state->options->refresh)
        return 0;
    for (int i = 0; i < PQntuples(state->tables); i++) {
        bool published = PQgetvalue(state->tables, i, 4)[0] == 't';
        const char *fault = PQgetvalue(state->tables, i, 6), *schema = PQgetvalue(state->tables, i, 0), *name = PQgetvalue(state->tables, i, 1);
        if (published || !fault[0])
            continue;
        if (fault[0] == '1') {
            pgc_log_warning(state->options->log, "no replica identity that can be published, so that the source will refuse updates and deletes: %s.%s", schema, name);
            continue;
        }
        char quoted[PGC_QUOTED_NAME_SIZE];
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG,
                           "table %s.%s has no replica identity that can be published, but sees updates or deletes, which the source would refuse then", schema, name);
        pgconvoy_error_hint(err, "ALTER TABLE %s REPLICA IDENTITY FULL (from 18 on not with generated columns), or add a primary key, or leave the table out by -T",
                            pgc_quoted_name(schema, name, quoted));
        return -1;
    }
    return 0;
}

static bool any_is_there(const subscribe_state *state)
{
    for (int i = 0; i < PQntuples(state->tables); i++)
        if (state->is_there[i])
            return true;
    return false;
}

int subscribe_refuse_missing(const subscribe_state *state, pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "there is no subscription %s on the target", state->name);
    pgconvoy_error_hint(err, "make it first, without --refresh");
    return -1;
}

int subscribe_read(subscribe_state *state, pgconvoy_error *err)
{
    if (read_subscription(state, err))
        return -1;
    if (state->options->drop || (state->options->to_pipeline && !state->has_subscription))
        return 0;
    if (state->options->refresh && !state->has_subscription)
        return subscribe_refuse_missing(state, err);
    if (read_publication(state, err) || refuse_wal_level(state, err) || read_tables(state, err) ||
        refuse_identities(state, err) || read_present(state, err) || refuse_present(state, err))
        return -1;
    /* all of a database or of schemas brings its own types; tables that are there may have others */
    bool only_tables =
        state->options->choice.include_table_count || (state->options->publication && !any_is_there(state));
    return only_tables ? native_refuse_types(state->source, state->target, state->tables, err) : 0;
}
