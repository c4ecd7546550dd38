/* The commands of a link, in one transaction. A dry run prints the very same ones. */
#include "native/link_internal.h"

#include "base/clock.h"
#include "format/json_object.h"
#include "native/ends.h"
#include "native/unseen.h"
#include "postgres/quote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int link_do(link_state *link, const char *sql, const char *shown, pgconvoy_error *err)
{
    const pgc_link_options *options = link->options;
    if (!options->dry_run)
        return pgc_execute(link->target, sql, err);
    pgc_buffer line;
    pgc_buffer_init(&line, 64 << 20);
    pgc_buffer_format(&line, "%s;", shown ? shown : sql);
    int failed = pgc_buffer_check(&line, err) ? -1 : options->line(options->line_arg, line.data);
    pgc_buffer_free(&line);
    return failed;
}

/* Does what a function writes. */
static int do_written(link_state *link, void (*write)(const link_state *link, bool masked, pgc_buffer *sql),
                      const char *doing, pgconvoy_error *err)
{
    pgc_buffer sql, masked;
    pgc_buffer_init(&sql, 64 << 20);
    pgc_buffer_init(&masked, 64 << 20);
    write(link, false, &sql);
    write(link, true, &masked);
    int failed = pgc_buffer_check(&sql, err) || pgc_buffer_check(&masked, err);
    if (!failed && link->options->dry_run)
        failed = link_do(link, sql.data, masked.data, err);
    else if (!failed)
        failed = strcmp(sql.data, masked.data) != 0 ? native_run_unseen(link->target, sql.data, doing, err)
                                                    : pgc_execute_as(link->target, sql.data, doing, err);
    pgc_buffer_free(&sql);
    pgc_buffer_free(&masked);
    return failed ? -1 : 0;
}

static void write_schema(const link_state *link, bool masked, pgc_buffer *sql)
{
    (void)masked;
    pgc_buffer_text(sql, "CREATE SCHEMA ");
    pgc_quote_identifier(sql, link->into);
}

static void write_schema_mark(const link_state *link, bool masked, pgc_buffer *sql)
{
    (void)masked;
    pgc_buffer_text(sql, "COMMENT ON SCHEMA ");
    pgc_quote_identifier(sql, link->into);
    pgc_buffer_text(sql, " IS '" LINK_MARK "'");
}

static void write_server(const link_state *link, bool masked, pgc_buffer *sql)
{
    (void)masked;
    pgc_buffer options;
    pgc_buffer_init(&options, 65536);
    native_address_server_options(link->address, &options);
    pgc_buffer_text(sql, "CREATE SERVER ");
    pgc_quote_identifier(sql, link->server);
    pgc_buffer_format(sql, " FOREIGN DATA WRAPPER postgres_fdw OPTIONS (%s, fetch_size '10000', updatable '%s'%s",
                      options.data ? options.data : "", link->options->writable ? "true" : "false",
                      PQserverVersion(link->target) >= 140000 ? ", async_capable 'true'" : "");
    if (link->extensions && link->extensions[0]) {
        pgc_buffer_text(sql, ", extensions ");
        pgc_quote_literal(sql, link->extensions);
    }
    pgc_buffer_byte(sql, ')');
    sql->failed = sql->failed || options.failed;
    pgc_buffer_free(&options);
}

static void write_server_mark(const link_state *link, bool masked, pgc_buffer *sql)
{
    (void)masked;
    pgc_buffer_text(sql, "COMMENT ON SERVER ");
    pgc_quote_identifier(sql, link->server);
    pgc_buffer_text(sql, " IS '" LINK_MARK "'");
}

static void write_mapping(const link_state *link, bool masked, pgc_buffer *sql)
{
    pgc_buffer options;
    pgc_buffer_init(&options, 65536);
    native_address_user_options(link->address, masked, &options);
    pgc_buffer_text(sql, "CREATE USER MAPPING FOR CURRENT_USER SERVER ");
    pgc_quote_identifier(sql, link->server);
    pgc_buffer_format(sql, " OPTIONS (%s)", options.data ? options.data : "");
    sql->failed = sql->failed || options.failed;
    pgc_buffer_free(&options);
}

static int make_server(link_state *link, pgconvoy_error *err)
{
    if (!link->superuser && !native_address_has_password(link->address)) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG,
                           "a foreign server of a role that is no superuser needs a password, and the connection to "
                           "the source has none");
        pgconvoy_error_hint(err, "give one with --password-file, or connect to the target as a superuser");
        return -1;
    }
    if (!link->has_schema && (do_written(link, write_schema, "making the schema", err) ||
                              do_written(link, write_schema_mark, "marking the schema", err)))
        return -1;
    if (do_written(link, write_server, "making the foreign server", err) ||
        do_written(link, write_server_mark, "marking the foreign server", err))
        return -1;
    return do_written(link, write_mapping, "making the user mapping", err);
}

static void hint_at_via(pgconvoy_error *err)
{
    pgconvoy_error_hint(err, "the target's own server connects to the source: if it sees it elsewhere than we do, say "
                             "where with --via \"host=… port=…\"");
}

/*
 * A name such as localhost may be another server there, which may even have a database of that name. Our own session is
 * at the source and nowhere else; who is connected, and by what program, is shown to every role.
 */
static int check_it_is_the_source(link_state *link, pgconvoy_error *err)
{
    pgc_buffer sql;
    const char *values[] = {link->program};
    /* in a transaction, lest a pooler give its session of the server to another */
    if (link->options->dry_run || pgc_execute(link->source, "BEGIN READ ONLY", err))
        return link->options->dry_run ? 0 : -1;
    pgc_buffer_init(&sql, 65536);
    pgc_buffer_text(&sql, "CREATE FOREIGN TABLE ");
    pgc_quote_qualified(&sql, link->into, "pgconvoy sessions");
    pgc_buffer_text(&sql, " (application_name text) SERVER ");
    pgc_quote_identifier(&sql, link->server);
    pgc_buffer_text(&sql, " OPTIONS (schema_name 'pg_catalog', table_name 'pg_stat_activity')");
    int failed = pgc_buffer_check(&sql, err) || pgc_execute(link->target, sql.data, err);
    pgc_buffer_reset(&sql);
    pgc_buffer_text(&sql, "SELECT FROM ");
    pgc_quote_qualified(&sql, link->into, "pgconvoy sessions");
    pgc_buffer_text(&sql, " WHERE application_name = $1");
    PGresult *result = failed ? NULL : pgc_query_params(link->target, sql.data, 1, values, err);
    bool is_source = result && PQntuples(result) == 1;
    if (!result) {
        if (strncmp(err->sqlstate, "08", 2) == 0)
            hint_at_via(err);
        failed = -1;
    } else if (!is_source) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "the target's server reaches another server than the source");
        hint_at_via(err);
        failed = -1;
    }
    PQclear(result);
    pgc_buffer_reset(&sql);
    pgc_buffer_text(&sql, "DROP FOREIGN TABLE ");
    pgc_quote_qualified(&sql, link->into, "pgconvoy sessions");
    if (!failed)
        failed = pgc_execute(link->target, sql.data, err) || pgc_execute(link->source, "COMMIT", err);
    pgc_buffer_free(&sql);
    return failed ? -1 : 0;
}

/* The tables of one schema of the source, from row i on; gives the row behind them. */
static int import_schema(link_state *link, int i, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 64 << 20);
    const char *schema = PQgetvalue(link->tables, i, 0);
    int count = 0;
    pgc_buffer_text(&sql, "IMPORT FOREIGN SCHEMA ");
    pgc_quote_identifier(&sql, schema);
    pgc_buffer_text(&sql, " LIMIT TO (");
    for (; i < PQntuples(link->tables) && strcmp(PQgetvalue(link->tables, i, 0), schema) == 0; i++) {
        if (link->is_there[i])
            continue;
        pgc_buffer_text(&sql, count++ ? ", " : "");
        pgc_quote_identifier(&sql, PQgetvalue(link->tables, i, 1));
    }
    pgc_buffer_text(&sql, ") FROM SERVER ");
    pgc_quote_identifier(&sql, link->server);
    pgc_buffer_text(&sql, " INTO ");
    pgc_quote_identifier(&sql, link->into);
    int failed = pgc_buffer_check(&sql, err) || (count && link_do(link, sql.data, NULL, err));
    pgc_buffer_free(&sql);
    if (failed && strncmp(err->sqlstate, "08", 2) == 0)
        hint_at_via(err);
    return failed ? -1 : i;
}

static int make(link_state *link, pgconvoy_error *err)
{
    int made = 0;
    if (!link->has_server &&
        (link_do(link, "CREATE EXTENSION IF NOT EXISTS postgres_fdw", NULL, err) || make_server(link, err)))
        return -1;
    if (check_it_is_the_source(link, err))
        return -1;
    for (int i = 0; i < PQntuples(link->tables);)
        if ((i = import_schema(link, i, err)) < 0)
            return -1;
    for (int i = 0; i < PQntuples(link->tables); i++)
        made += !link->is_there[i];
    if (link_materialize(link, err))
        return -1;
    pgc_log_info(link->options->log, "%s%d tables of \"%s\" are foreign tables of schema \"%s\" now",
                 link->options->dry_run ? "would be made: " : "", made, PQdb(link->source), link->into);
    return 0;
}

/* ------------------------------------------------------------------ undoing */

static void write_drop_server(const link_state *link, bool masked, pgc_buffer *sql)
{
    (void)masked;
    pgc_buffer_text(sql, "DROP SERVER ");
    pgc_quote_identifier(sql, link->server);
    pgc_buffer_text(sql, " CASCADE");
}

static void write_drop_schema(const link_state *link, bool masked, pgc_buffer *sql)
{
    (void)masked;
    pgc_buffer_text(sql, "DROP SCHEMA ");
    pgc_quote_identifier(sql, link->into);
}

/* It is ours, and holds nothing but what goes with the server. */
static int may_drop_schema(link_state *link, bool *may, pgconvoy_error *err)
{
    const char *values[] = {link->into, link->server};
    return pgc_query_truth(link->target,
                           "SELECT obj_description(n.oid, 'pg_namespace') = '" LINK_MARK
                           "' AND NOT EXISTS (SELECT FROM pg_class c LEFT JOIN pg_foreign_table t ON t.ftrelid = c.oid "
                           "LEFT JOIN pg_foreign_server s ON s.oid = t.ftserver WHERE c.relnamespace = n.oid AND "
                           "c.relkind NOT IN ('i', 'I') AND s.srvname IS DISTINCT FROM $2 "
                           "AND obj_description(c.oid, 'pg_class') IS DISTINCT FROM '" LINK_MARK
                           "') AND NOT EXISTS (SELECT FROM pg_proc WHERE pronamespace = n.oid) "
                           "FROM pg_namespace n WHERE nspname = $1",
                           2, values, may, err);
}

static int undo(link_state *link, pgconvoy_error *err)
{
    bool drops_schema = false;
    if (!link->has_server) {
        pgc_log_info(link->options->log, "there is no server \"%s\" on the target: nothing to drop", link->server);
        return 0;
    }
    if (may_drop_schema(link, &drops_schema, err) ||
        do_written(link, write_drop_server, "dropping the foreign server", err))
        return -1;
    if (drops_schema && do_written(link, write_drop_schema, "dropping the schema", err))
        return -1;
    pgc_log_info(link->options->log,
                 "server \"%s\" and its foreign tables are dropped%s; the extension postgres_fdw stays", link->server,
                 drops_schema ? ", and the schema with them"
                              : "; the schema stays, since pgconvoy did not make it or others use it");
    return 0;
}

/* ------------------------------------------------------------------ */

static int run(link_state *link, pgconvoy_error *err)
{
    const pgc_link_options *options = link->options;
    snprintf(link->program, sizeof link->program, "pgconvoy link %d-%lld", (int)getpid(),
             (long long)pgc_clock_unix_us());
    if (!options->drop && !(link->source = native_connect_source(options->source, link->program, err)))
        return -1;
    link->target = native_connect_target(options->target, "pgconvoy link", err);
    if (!link->target)
        return -1;
    if (link->source &&
        !(link->address = native_address_new(options->source, link->source, options->via, options->password, err)))
        return -1;
    if (link_read_source(link, err) || link_read_target(link, err) || link_do(link, "BEGIN", NULL, err))
        return -1;
    link->in_transaction = !options->dry_run;
    if (options->drop ? undo(link, err) : make(link, err))
        return -1;
    return link_do(link, "COMMIT", NULL, err);
}

static void say_json(const link_state *link, pgc_buffer *out)
{
    pgc_buffer_byte(out, '{');
    pgc_json_member_text(out, "result", link->options->drop ? "dropped" : "linked");
    pgc_json_member_text(out, "server", link->server);
    pgc_json_member_text(out, "schema", link->into);
    pgc_json_list(out, "tables");
    for (int i = 0; link->tables && i < PQntuples(link->tables); i++) {
        pgc_json_object(out);
        pgc_json_member_table(out, PQgetvalue(link->tables, i, 0), PQgetvalue(link->tables, i, 1));
        pgc_json_member_bool(out, "new", !link->is_there[i]);
        pgc_buffer_byte(out, '}');
    }
    pgc_buffer_byte(out, ']');
    pgc_json_name(out, "copies");
    pgc_buffer_format(out, "[%s]}\n", link->copies.data ? link->copies.data : "");
    out->failed = out->failed || link->copies.failed;
}

int pgc_link_run(const pgc_link_options *options, pgconvoy_error *err)
{
    link_state link = {.options = options};
    pgc_buffer_init(&link.copies, 16 << 20);
    int failed = run(&link, err);
    if (!failed && options->json) {
        say_json(&link, options->json);
        failed = pgc_buffer_check(options->json, err);
    }
    pgc_buffer_free(&link.copies);
    native_address_free(link.address);
    PQclear(link.tables);
    free(link.is_there);
    free(link.extensions);
    PQfinish(link.source);
    PQfinish(link.target); /* with what was not committed */
    return failed;
}
