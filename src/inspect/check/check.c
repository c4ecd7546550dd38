/*
 * A check from its beginning to its end: both ends are connected to, the chosen tables are looked up, the facts of
 * pairs of ends are asked for, and then all queries of an end go in one round trip.
 */
#include "inspect/check/check_internal.h"

#include "format/json_text.h"

#include "base/log.h"
#include "postgres/query_batch.h"
#include "sink/registry.h"
#include "source/postgres/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const check_item *const item_tables[] = {pgc_check_source_items, pgc_check_table_items, pgc_check_target_items,
                                                pgc_check_pair_items, pgc_check_sink_items};
#define TABLE_COUNT (sizeof item_tables / sizeof item_tables[0])

static const struct {
    const char *name;
    pgc_check_job job;
} jobs[] = {{"sync", PGC_CHECK_SYNC},  {"stream", PGC_CHECK_STREAM},       {"copy", PGC_CHECK_COPY},
            {"copy", PGC_CHECK_CLONE}, {"subscribe", PGC_CHECK_SUBSCRIBE}, {"link", PGC_CHECK_LINK}};

#define JOB_COUNT (sizeof jobs / sizeof jobs[0])

const char *pgc_check_job_name(pgc_check_job job)
{
    for (size_t i = 0; i < JOB_COUNT; i++)
        if (jobs[i].job == job)
            return jobs[i].name;
    return "";
}

pgc_check_job pgc_check_job_named(const char *name)
{
    for (size_t i = 0; i < JOB_COUNT; i++)
        if (strcmp(jobs[i].name, name) == 0)
            return jobs[i].job;
    return 0;
}

void pgc_check_item_names(const char **names, size_t size)
{
    size_t count = 0;
    for (size_t t = 0; t < TABLE_COUNT; t++)
        for (const check_item *item = item_tables[t]; item->name; item++) {
            bool had = false;
            for (size_t i = 0; i < count; i++)
                had = had || strcmp(names[i], item->name) == 0;
            if (!had && count + 1 < size)
                names[count++] = item->name;
        }
    names[count] = NULL;
}

/* ------------------------------------------------------------------ findings */

int check_add_finding(check *check, pgc_check_result *result, pgc_check_status status, const char *says,
                      const char *mend, pgconvoy_error *err)
{
    if ((result->count & (result->count - 1)) == 0) { /* full at each power of two */
        size_t room = result->count ? (size_t)result->count * 2 : 1;
        pgc_check_finding *findings = pgc_arena_alloc(check->arena, room * sizeof *findings);
        if (!findings)
            return pgc_error_out_of_memory(err);
        if (result->count)
            memcpy(findings, result->findings, (size_t)result->count * sizeof *findings);
        result->findings = findings;
    }
    pgc_check_finding *finding = &result->findings[result->count++];
    finding->status = status;
    finding->says = pgc_arena_strdup(check->arena, says);
    finding->mend = mend && mend[0] ? pgc_arena_strdup(check->arena, mend) : NULL;
    if (!finding->says || (mend && mend[0] && !finding->mend))
        return pgc_error_out_of_memory(err);
    if (status > result->status)
        result->status = status;
    return 0;
}

int check_add_error(check *check, pgc_check_result *result, pgc_check_status status, const pgconvoy_error *what,
                    pgconvoy_error *err)
{
    static const char there[] = "on the target: "; /* which an item of the target need not say */
    bool says = result->of_target && strncmp(what->hint, there, sizeof there - 1) == 0;
    return check_add_finding(check, result, status, what->message, what->hint + (says ? sizeof there - 1 : 0), err);
}

int check_say(check *check, pgc_check_result *result, const char *says, pgconvoy_error *err)
{
    result->says = pgc_arena_strdup(check->arena, says);
    return result->says ? 0 : pgc_error_out_of_memory(err);
}

static pgc_check_status status_named(const char *name)
{
    return name[0] == 'f'   ? PGC_CHECK_FAILED
           : name[0] == 'u' ? PGC_CHECK_UNCHECKED
           : name[0] == 'w' ? PGC_CHECK_WARNED
                            : PGC_CHECK_PASSED;
}

static int add_rows(check *check, pgc_check_result *result, const PGresult *rows, pgconvoy_error *err)
{
    for (int i = 0; i < PQntuples(rows); i++)
        if (check_add_finding(check, result, status_named(PQgetvalue(rows, i, 0)), PQgetvalue(rows, i, 1),
                              PQgetvalue(rows, i, 2), err))
            return -1;
    return 0;
}

/* ------------------------------------------------------------------ both ends */

static void connect_end(check *check, check_end end, const char *uri)
{
    char program[64];
    snprintf(program, sizeof program, "pgconvoy %.40s check", check->options->name ? check->options->name : "");
    check_server *server = &check->ends[end];
    server->uri = uri;
    server->conn = pgc_connect(uri, PGC_CONNECTION_SQL, program, &server->err);
    if (server->conn)
        server->version = PQserverVersion(server->conn);
}

static void describe(const char *text, char *out, size_t size)
{
    pgc_buffer where;
    pgc_buffer_init(&where, 8192);
    if (pgc_connection_is_uri(text))
        pgc_connection_describe(text, &where);
    else /* other targets may have a password too */
        pgc_buffer_append(&where, text,
                          strstr(text, "://") && strchr(text, '@') ? (size_t)(strstr(text, "://") - text)
                                                                   : strlen(text));
    snprintf(out, size, "%s", where.data ? where.data : "");
    pgc_buffer_free(&where);
}

/* The tables that are moved, with all partitions: those of a publication that is there when no pattern chooses, else
 * those of the patterns. */
static int choose_sql(const check *check, pgc_buffer *sql, pgconvoy_error *err)
{
    pgc_buffer_text(sql, "WITH RECURSIVE chosen AS (SELECT c.oid FROM pg_catalog.pg_class c JOIN "
                         "pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
                         "WHERE c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't' AND ");
    if (pgc_choice_condition(&check->options->choice, sql, err))
        return -1;
    pgc_buffer_format(sql,
                      "%s), whole AS (SELECT oid FROM chosen UNION SELECT i.inhrelid FROM whole JOIN "
                      "pg_catalog.pg_inherits i ON i.inhparent = whole.oid "
                      "JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid AND c.relispartition) "
                      "SELECT coalesce(pg_catalog.array_agg(oid)::pg_catalog.text, '{}'), "
                      "%s FROM whole",
                      pgc_choice_is_given(&check->options->choice) || check->options->job == PGC_CHECK_CLONE
                          ? ""
                          : " AND (NOT EXISTS (SELECT FROM pg_catalog.pg_publication WHERE pubname = "
                            "$1::pg_catalog.text) OR (n.nspname, c.relname) IN "
                            "(SELECT schemaname, tablename FROM pg_catalog.pg_publication_tables WHERE pubname = "
                            "$1::pg_catalog.text))",
                      check->options->at_start /* no item of then asks for it, and it takes time for many tables */
                          ? "0"
                          : "coalesce(pg_catalog.sum(pg_catalog.pg_table_size(oid)), 0)::pg_catalog.int8");
    return pgc_buffer_check(sql, err);
}

/* Under the user's own search_path, for patterns without a schema. */
static int choose_tables(check *check, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 16 << 20);
    int failed = choose_sql(check, &sql, err);
    bool by_publication = sql.data && strstr(sql.data, "$1");
    pgc_batch_query queries[] = {{.sql = "RESET search_path"},
                                 {.sql = sql.data, .count = by_publication ? 1 : 0, .values = {check->publication}},
                                 {.sql = "SET search_path = pg_catalog"},
                                 {.sql = "SET statement_timeout = '60s'"}};
    check_server *server = &check->ends[SOURCE_END];
    if (!failed && pgc_query_batch(server->conn, queries, 4, &server->err)) {
        PQfinish(server->conn);
        server->conn = NULL;
    }
    pgc_buffer_free(&sql);
    check->tables_err = queries[1].err;
    if (!failed && queries[1].result) {
        check->bytes = strtoll(PQgetvalue(queries[1].result, 0, 1), NULL, 10);
        check->tables = pgc_arena_strdup(check->arena, PQgetvalue(queries[1].result, 0, 0));
        failed = check->tables ? 0 : pgc_error_out_of_memory(err);
    }
    for (size_t i = 0; i < 4; i++)
        PQclear(queries[i].result);
    return failed;
}

static int open_ends(check *check, pgconvoy_error *err)
{
    const pgc_check_options *options = check->options;
    describe(options->source, check->report->source, sizeof check->report->source);
    if (options->target)
        describe(options->target, check->report->target, sizeof check->report->target);
    connect_end(check, SOURCE_END, options->source);
    if (options->target && pgc_connection_is_uri(options->target)) {
        check->target_is_postgres = true;
        connect_end(check, TARGET_END, options->target);
    }
    pgconvoy_error unused = {0};
    const pgconvoy_sink *sink = options->target ? pgc_sink_for_target(options->target, &unused) : NULL;
    check->sink_has = sink ? sink->capabilities : 0;
    return check->ends[SOURCE_END].conn ? choose_tables(check, err) : 0;
}

/* ------------------------------------------------------------------ items */

static bool has_end(const check *check, const check_item *item)
{
    return item->end == SOURCE_END || (check->options->target && (item->run || check->target_is_postgres) &&
                                       (check->sink_has & item->needs) == item->needs);
}

static bool counts(const check *check, const check_item *item)
{
    const check_server *server = &check->ends[item->end];
    if (!(item->jobs & check->options->job) || !has_end(check, item))
        return false;
    /* a query that cannot give this word cannot stop a job */
    if (check->options->at_start && (item->refused_anyway || item->run || !strstr(item->sql, "'failed'")))
        return false;
    if (!server->conn) /* of two rows for two ranges of versions one is enough */
        return !item->max_version;
    return (!item->min_version || server->version >= item->min_version) &&
           (!item->max_version || server->version <= item->max_version);
}

/* What a parameter stands for; false when it is not known. */
static bool value_of(const check *check, char param, const char *facts, const char **value)
{
    static const char *const if_exists_names[] = {"error", "append", "truncate", "drop"};
    static _Thread_local char jobs_text[16];
    switch (param) {
    case 't':
        *value = check->tables;
        return check->tables != NULL;
    case 's':
        *value = check->slot;
        return true;
    case 'p':
        *value = check->publication;
        return true;
    case 'm':
        *value = check->mapping;
        return true;
    case 'i':
        *value = if_exists_names[check->options->if_exists];
        return true;
    case 'w':
        *value = check->options->two_phase ? "true" : "false";
        return true;
    case 'j':
        snprintf(jobs_text, sizeof jobs_text, "%d", check->options->jobs);
        *value = jobs_text;
        return true;
    default:
        *value = facts;
        return facts != NULL;
    }
}

/* An item on its way. */
typedef struct turn {
    const check_item *item;
    pgc_check_result *result;
    const char *facts;
    int of_facts, of_sql; /* places in a batch; -1: not asked */
} turn;

/* Puts a query into a batch; -1 when one of its parameters is not known. */
static int put(const check *check, const char *sql, const char *params, const char *facts, pgc_batch_query *queries,
               int *count)
{
    pgc_batch_query query = {.sql = sql};
    for (const char *p = params ? params : ""; *p; p++)
        if (!value_of(check, *p, facts, &query.values[query.count++]))
            return -1;
    queries[*count] = query;
    return (*count)++;
}

static int unchecked(check *check, turn *turn, const char *why, const char *mend, pgconvoy_error *err)
{
    return turn->result->count ? 0 : check_add_finding(check, turn->result, PGC_CHECK_UNCHECKED, why, mend, err);
}

static int say_connection(check *check, check_end end, pgc_check_result *result, pgconvoy_error *err)
{
    const check_server *server = &check->ends[end];
    if (!server->conn)
        return check_add_error(check, result, PGC_CHECK_FAILED, &server->err, err);
    char text[200];
    const char *version = PQparameterStatus(server->conn, "server_version");
    snprintf(text, sizeof text, "PostgreSQL %.100s%s", version ? version : "?",
             PQsslInUse(server->conn) ? ", encrypted" : "");
    return check_say(check, result, text, err);
}

static int ask_facts(check *check, turn *turns, int count, pgc_batch_query *queries, pgconvoy_error *err)
{
    check_server *server = &check->ends[SOURCE_END];
    int asked = 0;
    for (int i = 0; i < count; i++) {
        turns[i].of_facts = -1;
        if (turns[i].item->facts_sql && server->conn && check->ends[TARGET_END].conn)
            turns[i].of_facts =
                put(check, turns[i].item->facts_sql, turns[i].item->facts_params, NULL, queries, &asked);
    }
    if (asked && pgc_query_batch(server->conn, queries, (size_t)asked, &server->err)) {
        PQfinish(server->conn);
        server->conn = NULL;
    }
    int failed = 0;
    for (int i = 0; i < count; i++) {
        if (turns[i].of_facts < 0)
            continue;
        pgc_batch_query *query = &queries[turns[i].of_facts];
        if (query->result && PQntuples(query->result) == 1) {
            turns[i].facts = pgc_arena_strdup(check->arena, PQgetvalue(query->result, 0, 0));
            failed |= turns[i].facts ? 0 : pgc_error_out_of_memory(err);
        } else if (!failed) {
            failed |=
                unchecked(check, &turns[i], query->err.message[0] ? query->err.message : "the source gave no answer",
                          query->err.hint, err);
        }
        PQclear(query->result);
    }
    return failed;
}

static int ask(check *check, check_end end, turn *turns, int count, pgc_batch_query *queries, pgconvoy_error *err)
{
    check_server *server = &check->ends[end];
    int asked = 0;
    for (int i = 0; i < count; i++) {
        turns[i].of_sql = -1;
        if (turns[i].item->end == end && turns[i].item->sql && server->conn)
            turns[i].of_sql = put(check, turns[i].item->sql, turns[i].item->params, turns[i].facts, queries, &asked);
    }
    if (asked && pgc_query_batch(server->conn, queries, (size_t)asked, &server->err)) {
        PQfinish(server->conn);
        server->conn = NULL;
    }
    int failed = 0;
    for (int i = 0; i < count; i++) {
        if (turns[i].item->end != end || !turns[i].item->sql)
            continue;
        pgc_batch_query *query = turns[i].of_sql < 0 ? NULL : &queries[turns[i].of_sql];
        if (query && query->result)
            failed |= add_rows(check, turns[i].result, query->result, err);
        else if (query && query->err.message[0])
            failed |= unchecked(check, &turns[i], query->err.message, query->err.hint, err);
        else if (!server->conn || !check->ends[SOURCE_END].conn)
            failed |= unchecked(check, &turns[i],
                                server->conn        ? "the source could not be connected to"
                                : end == SOURCE_END ? "the source could not be connected to"
                                                    : "the target could not be connected to",
                                NULL, err);
        else
            failed |=
                unchecked(check, &turns[i],
                          check->tables_err.message[0] ? check->tables_err.message : "the chosen tables are not known",
                          NULL, err);
        if (query)
            PQclear(query->result);
    }
    return failed;
}

static pgc_check_result *add_result(pgc_check_report *report, const char *item, bool of_target, const char *passed)
{
    pgc_check_result *result = &report->results[report->count++];
    *result = (pgc_check_result){.item = item, .of_target = of_target, .says = passed};
    return result;
}

static int look(check *check, pgconvoy_error *err)
{
    size_t most = 2;
    for (size_t t = 0; t < TABLE_COUNT; t++)
        for (const check_item *item = item_tables[t]; item->name; item++)
            most++;
    pgc_check_report *report = check->report;
    report->results = pgc_arena_zalloc(check->arena, most * sizeof *report->results);
    turn *turns = pgc_arena_zalloc(check->arena, most * sizeof *turns);
    pgc_batch_query *queries = pgc_arena_zalloc(check->arena, most * sizeof *queries);
    if (!report->results || !turns || !queries)
        return pgc_error_out_of_memory(err);
    if (say_connection(check, SOURCE_END, add_result(report, "source_connection", false, ""), err) ||
        (check->target_is_postgres &&
         say_connection(check, TARGET_END, add_result(report, "target_connection", true, ""), err)))
        return -1;
    int count = 0;
    for (size_t t = 0; t < TABLE_COUNT; t++)
        for (const check_item *item = item_tables[t]; item->name; item++)
            if (counts(check, item))
                turns[count++] = (turn){
                    .item = item, .result = add_result(report, item->name, item->end == TARGET_END, item->passed)};
    if (ask_facts(check, turns, count, queries, err) || ask(check, SOURCE_END, turns, count, queries, err) ||
        ask(check, TARGET_END, turns, count, queries, err))
        return -1;
    for (int i = 0; i < count; i++)
        if (turns[i].item->run && turns[i].item->run(check, turns[i].result, err))
            return -1;
    return 0;
}

/* ------------------------------------------------------------------ the sum */

static bool is_skipped(const pgc_check_options *options, const char *item)
{
    for (size_t i = 0; i < options->skip_count; i++)
        if (strcmp(options->skip[i], item) == 0)
            return true;
    return false;
}

static int check_skips(const pgc_check_options *options, pgconvoy_error *err)
{
    const char *names[128];
    pgc_check_item_names(names, 128);
    for (size_t i = 0; i < options->skip_count; i++) {
        bool known =
            strcmp(options->skip[i], "source_connection") == 0 || strcmp(options->skip[i], "target_connection") == 0;
        for (const char **name = names; *name; name++)
            known = known || strcmp(*name, options->skip[i]) == 0;
        if (known)
            continue;
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "there is no item \"%.60s\" of a check", options->skip[i]);
        pgconvoy_error_hint(err, "pgconvoy check SOURCE TARGET lists the items by name");
        return -1;
    }
    return 0;
}

static void sum_up(const pgc_check_options *options, pgc_check_report *report)
{
    for (int i = 0; i < report->count; i++) {
        pgc_check_result *result = &report->results[i];
        result->overruled = result->status != PGC_CHECK_PASSED && is_skipped(options, result->item);
        if (result->overruled)
            report->overruled++;
        else if (result->status == PGC_CHECK_PASSED)
            report->passed++;
        else if (result->status == PGC_CHECK_WARNED)
            report->warned++;
        else if (result->status == PGC_CHECK_FAILED)
            report->failed++;
        else
            report->unchecked++;
    }
}

static void append_mapped(pgc_buffer *json, const char *schema, const char *name, const char *to_schema, const char *to_name, bool less)
{
    const char *const keys[] = {"s", "n", "ts", "tn"}, *const values[] = {schema, name, to_schema, to_name};
    pgc_buffer_text(json, json->length > 1 ? ",{" : "{");
    for (size_t i = 0; i < 4; i++) {
        pgc_buffer_format(json, "\"%s\":", keys[i]);
        if (values[i])
            pgc_json_string(json, values[i]);
        else
            pgc_buffer_text(json, "null");
        pgc_buffer_byte(json, ',');
    }
    pgc_buffer_format(json, "\"less\":%s}", less ? "true" : "false");
}

static int describe_mapping(check *check, pgconvoy_error *err)
{
    const pgc_mapped_name *schemas;
    const pgc_mapped_table *tables;
    int schema_count = pgc_mapping_schemas(check->options->mapping, &schemas), table_count = pgc_mapping_tables(check->options->mapping, &tables);
    pgc_buffer json;
    pgc_buffer_init(&json, 16 << 20);
    pgc_buffer_byte(&json, '[');
    for (int i = 0; i < schema_count; i++)
        append_mapped(&json, schemas[i].from, NULL, schemas[i].to, NULL, false);
    for (int i = 0; i < table_count; i++)
        append_mapped(&json, tables[i].schema, tables[i].name, tables[i].to_schema, tables[i].to_name, tables[i].column_count > 0 || tables[i].where);
    pgc_buffer_byte(&json, ']');
    int failed = pgc_buffer_check(&json, err);
    if (!failed && !(check->mapping = pgc_arena_strdup(check->arena, json.data)))
        failed = pgc_error_out_of_memory(err);
    pgc_buffer_free(&json);
    return failed;
}

int pgc_check_run(const pgc_check_options *options, pgc_check_report *report, pgconvoy_error *err)
{
    *report = (pgc_check_report){.job = options->job, .arena = pgc_arena_new(64 << 10)};
    if (!report->arena)
        return pgc_error_out_of_memory(err);
    char name[64];
    pgc_slot_name_derive(options->name ? options->name : "", name);
    check check = {.options = options,
                   .report = report,
                   .arena = report->arena,
                   .publication = options->publication ? options->publication : name,
                   .slot = options->slot ? options->slot : name};
    if (options->target && !pgc_connection_is_uri(options->target) && !pgc_sink_for_target(options->target, err))
        return -1;
    if (describe_mapping(&check, err) || check_skips(options, err) || pgc_connection_check_uri(options->source, err))
        return -1;
    int failed = open_ends(&check, err) || look(&check, err) ? -1 : 0;
    for (int end = 0; end < 2; end++)
        PQfinish(check.ends[end].conn);
    sum_up(options, report);
    return failed;
}

void pgc_check_report_free(pgc_check_report *report)
{
    pgc_arena_free(report->arena);
    *report = (pgc_check_report){0};
}
